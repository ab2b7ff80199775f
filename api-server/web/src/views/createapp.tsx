// Screen S12 in its first form: one source, one destination, the sync policy. The draft is in the address (`?new=`), so
// that a reload keeps it and a link carries it.

import { useEffect, useState } from 'preact/hooks';
import { api, type AppRef } from '../rest/api';
import { param, setParams } from '../routes/router';
import { explain } from '../store/actions';
import { settings } from '../store/session';
import type { Application } from '../types';
import { Button, Check } from '../widgets/controls';
import { Dialog, Sheet } from '../widgets/overlay';
import { Problem } from '../widgets/states';

interface Draft {
    name: string;
    project: string;
    repo: string;
    revision: string;
    path: string;
    chart: string;
    kind: 'directory' | 'chart';
    server: string;
    namespace: string;
    auto: boolean;
    prune: boolean;
    selfHeal: boolean;
    createNamespace: boolean;
    finalizer: boolean;
}

const IN_CLUSTER = 'https://kubernetes.default.svc';
const FINALIZER = 'resources-finalizer.argocd.argoproj.io';

const EMPTY: Draft = {
    name: '',
    project: 'default',
    repo: '',
    revision: 'HEAD',
    path: '',
    chart: '',
    kind: 'directory',
    server: IN_CLUSTER,
    namespace: '',
    auto: false,
    prune: false,
    selfHeal: false,
    createNamespace: false,
    finalizer: false,
};

function fromAddress(): Draft {
    try {
        const v = JSON.parse(param('new')) as Record<string, unknown>;
        const d = { ...EMPTY } as unknown as Record<string, unknown>;
        for (const k of Object.keys(d)) if (typeof v[k] === typeof d[k]) d[k] = v[k];
        return d as unknown as Draft;
    } catch {
        return { ...EMPTY };
    }
}

function changed(d: Draft): Partial<Draft> {
    return Object.fromEntries(Object.entries(d).filter(([k, v]) => v !== EMPTY[k as keyof Draft]));
}

type Wrong = Partial<Record<keyof Draft, string>>;

function validate(d: Draft): Wrong {
    const w: Wrong = {};
    const name = d.name.includes('/') ? d.name.slice(d.name.indexOf('/') + 1) : d.name;
    if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name)) w.name = 'Lower-case letters, digits, - and . only';
    if (d.project.trim() === '') w.project = 'Name a project';
    if (d.repo.trim() === '') w.repo = 'Give the URL of the repository';
    if (d.kind === 'directory' && d.path.trim() === '') w.path = 'Give a path; . is the root';
    if (d.kind === 'chart' && d.chart.trim() === '') w.chart = 'Name the chart';
    if (d.server.trim() === '') w.server = 'Give a URL or a name';
    return w;
}

export function toApplication(d: Draft): Application {
    const [namespace, name] = d.name.includes('/') ? d.name.split('/', 2) : [undefined, d.name];
    const options = d.createNamespace ? ['CreateNamespace=true'] : [];
    const policy = {
        ...(d.auto ? { automated: { prune: d.prune, selfHeal: d.selfHeal } } : {}),
        ...(options.length > 0 ? { syncOptions: options } : {}),
    };
    const server = d.server.trim();
    return {
        metadata: { name: name!, ...(namespace ? { namespace } : {}), ...(d.finalizer ? { finalizers: [FINALIZER] } : {}) },
        spec: {
            project: d.project.trim(),
            source: {
                repoURL: d.repo.trim(),
                targetRevision: d.revision.trim() || 'HEAD',
                ...(d.kind === 'chart' ? { chart: d.chart.trim() } : { path: d.path.trim() }),
            },
            destination: { ...(/^https?:\/\//.test(server) ? { server } : { name: server }), namespace: d.namespace.trim() },
            ...(Object.keys(policy).length > 0 ? { syncPolicy: policy } : {}),
        },
    };
}

export default function CreateApp({ onClose, onDone }: { onClose: () => void; onDone: (a: AppRef) => void }) {
    const [d, setDraft] = useState<Draft>(fromAddress);
    const [wrong, setWrong] = useState<Wrong>({});
    const [error, setError] = useState('');
    const [busy, setBusy] = useState(false);
    const [asking, setAsking] = useState(false);
    const [projects, setProjects] = useState<string[]>([]);
    const [clusters, setClusters] = useState<{ server: string; name: string }[]>([]);
    useEffect(() => {
        // Suggestions only: without them the fields are typed.
        api.projects().then(r => setProjects((r.items ?? []).map(p => p.metadata.name)), () => {});
        api.clusters().then(r => setClusters(r.items ?? []), () => {});
    }, []);

    const set = (change: Partial<Draft>) => {
        const next = { ...d, ...change };
        setDraft(next);
        setParams({ new: JSON.stringify(changed(next)) });
        for (const k of Object.keys(change)) if (wrong[k as keyof Draft]) setWrong({ ...wrong, [k]: undefined });
    };
    // A draft is not thrown away by a stray click or key.
    const leave = () => (Object.keys(changed(d)).length > 0 ? setAsking(true) : onClose());
    const submit = async () => {
        const w = validate(d);
        setWrong(w);
        setError('');
        const first = Object.keys(w)[0];
        if (first) return void document.getElementById(`new-${first}`)?.focus();
        setBusy(true);
        try {
            const made = await api.create(toApplication(d));
            onDone({ name: made.metadata.name, namespace: made.metadata.namespace ?? settings.peek().controllerNamespace ?? 'argocd' });
        } catch (e) {
            setError(explain(e, 'applications', 'create', `${d.project}/${d.name}`));
            setBusy(false);
        }
    };
    const text = (key: 'name' | 'project' | 'repo' | 'revision' | 'path' | 'chart' | 'server' | 'namespace', title: string, hint = '', list?: string) => (
        <div class="field">
            <label for={`new-${key}`}>{title}</label>
            <input
                id={`new-${key}`}
                class="input"
                value={d[key]}
                list={list}
                placeholder={hint}
                autocomplete="off"
                spellcheck={false}
                aria-invalid={wrong[key] !== undefined}
                aria-describedby={wrong[key] ? `new-${key}-wrong` : undefined}
                data-autofocus={key === 'name' ? '' : undefined}
                onInput={e => set({ [key]: e.currentTarget.value })}
            />
            {wrong[key] && (
                <span class="wrong" id={`new-${key}-wrong`}>
                    {wrong[key]}
                </span>
            )}
        </div>
    );
    return (
        <Sheet
            title="New application"
            onClose={leave}
            testid="create-app"
            footer={
                <>
                    <Button label="Cancel" onClick={leave} />
                    <Button kind="primary" label="Create" busy={busy} onClick={submit} testid="create-go" />
                </>
            }
        >
            <form
                class="form"
                onSubmit={e => {
                    e.preventDefault();
                    void submit();
                }}
            >
                {error && <Problem title="The application could not be created." message={error} />}
                <fieldset>
                    <legend>General</legend>
                    <div class="pair">
                        {text('name', 'Name', 'guestbook')}
                        {text('project', 'Project', 'default', 'new-projects')}
                    </div>
                    <datalist id="new-projects">
                        {projects.map(p => (
                            <option key={p} value={p} />
                        ))}
                    </datalist>
                    <Check
                        label="Delete its resources with it"
                        hint="Sets the finalizer, also for deletions outside the dashboard"
                        checked={d.finalizer}
                        onChange={finalizer => set({ finalizer })}
                    />
                </fieldset>
                <fieldset>
                    <legend>Source</legend>
                    {text('repo', 'Repository URL', 'https://…')}
                    <div class="pair">
                        {text('revision', d.kind === 'chart' ? 'Version' : 'Revision', 'HEAD')}
                        {d.kind === 'chart' ? text('chart', 'Chart') : text('path', 'Path', 'guestbook')}
                    </div>
                    <div>
                        <label class="check">
                            <input type="radio" name="kind" checked={d.kind === 'directory'} onChange={() => set({ kind: 'directory' })} />
                            <span>A path of a Git repository</span>
                        </label>
                        <label class="check">
                            <input type="radio" name="kind" checked={d.kind === 'chart'} onChange={() => set({ kind: 'chart' })} />
                            <span>A chart of a Helm repository</span>
                        </label>
                    </div>
                </fieldset>
                <fieldset>
                    <legend>Destination</legend>
                    <div class="pair">
                        {text('server', 'Cluster URL or name', IN_CLUSTER, 'new-clusters')}
                        {text('namespace', 'Namespace', 'default')}
                    </div>
                    <datalist id="new-clusters">
                        {clusters.map(c => (
                            <option key={c.server} value={c.server}>
                                {c.name}
                            </option>
                        ))}
                    </datalist>
                    <Check label="Create the namespace" checked={d.createNamespace} onChange={createNamespace => set({ createNamespace })} />
                </fieldset>
                <fieldset>
                    <legend>Sync policy</legend>
                    <Check label="Sync automatically" hint="When Git changes" checked={d.auto} onChange={auto => set({ auto })} />
                    {d.auto && <Check label="Prune" hint="Delete what is no longer in Git" checked={d.prune} onChange={prune => set({ prune })} />}
                    {d.auto && <Check label="Self-heal" hint="Undo changes made in the cluster" checked={d.selfHeal} onChange={selfHeal => set({ selfHeal })} />}
                </fieldset>
                {asking && (
                    <Dialog
                        title="Discard the draft?"
                        onClose={() => setAsking(false)}
                        footer={
                            <>
                                <Button label="Keep editing" onClick={() => setAsking(false)} />
                                <Button kind="danger" label="Discard" onClick={onClose} />
                            </>
                        }
                    >
                        <p>What you typed is not saved anywhere else.</p>
                    </Dialog>
                )}
                <button type="submit" class="sr" tabIndex={-1}>
                    Create
                </button>
            </form>
        </Sheet>
    );
}
