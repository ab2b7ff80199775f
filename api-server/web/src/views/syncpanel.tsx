// Screen S10 in its first form: what is synced, how, and what pruning would delete.

import { useEffect, useMemo, useState } from 'preact/hooks';
import { plural } from '../lib/text';
import { keyOf, prunes } from '../lib/treemodel';
import { api, type AppRef, type SyncRequest } from '../rest/api';
import { href, appHref, param } from '../routes/router';
import { explain } from '../store/actions';
import { appStore } from '../store/app';
import { settings } from '../store/session';
import { toast } from '../store/toasts';
import type { Application, ResourceStatus, RetryStrategy } from '../types';
import { Button, Check } from '../widgets/controls';
import { KindTile } from '../widgets/icon';
import { Sheet } from '../widgets/overlay';
import { Bones, Problem } from '../widgets/states';
import { HealthStatus, SyncStatus } from '../widgets/status';
import { syncDenied } from './applications/parts';

const OPTIONS: [string, string, string][] = [
    ['CreateNamespace=true', 'Create the namespace', ''],
    ['ApplyOutOfSyncOnly=true', 'Only what is out of sync', 'Leaves out resources that already match'],
    ['PruneLast=true', 'Prune last', 'After everything else is healthy'],
    ['ServerSideApply=true', 'Server-side apply', ''],
    ['RespectIgnoreDifferences=true', 'Respect ignored differences', ''],
    ['Validate=false', 'Skip schema validation', ''],
];
const MANY_PRUNED = 5;
const DEFAULT_RETRY: RetryStrategy = { limit: 2, backoff: { duration: '5s', maxDuration: '3m0s', factor: 2 } };

interface Choice {
    revision: string;
    prune: boolean;
    dryRun: boolean;
    applyOnly: boolean;
    force: boolean;
    replace: boolean;
    retry: boolean;
    options: string[];
}

function initial(app: Application): Choice {
    const policy = app.spec.syncPolicy;
    const source = app.spec.source ?? app.spec.sources?.[0];
    return {
        revision: param('revision') || source?.targetRevision || 'HEAD',
        prune: policy?.automated?.prune ?? false,
        dryRun: false,
        applyOnly: false,
        force: false,
        replace: policy?.syncOptions?.includes('Replace=true') ?? false,
        retry: policy?.retry !== undefined && policy.retry !== null,
        options: (policy?.syncOptions ?? []).filter(o => o !== 'Replace=true'),
    };
}

export function syncRequest(c: Choice, app: Application, picked: ResourceStatus[], all: boolean): SyncRequest {
    const items = [...c.options, ...(c.replace ? ['Replace=true'] : [])];
    const how = c.force ? { force: true } : {};
    return {
        // Several sources have several revisions; each stays where its source points.
        ...(app.spec.sources?.length ? {} : { revision: c.revision }),
        prune: c.prune,
        dryRun: c.dryRun,
        strategy: c.applyOnly ? { apply: how } : { hook: how },
        resources: all ? null : picked.map(r => ({ group: r.group ?? '', kind: r.kind, name: r.name, namespace: r.namespace ?? '' })),
        syncOptions: items.length > 0 ? { items } : null,
        ...(c.retry ? { retryStrategy: app.spec.syncPolicy?.retry ?? DEFAULT_RETRY } : {}),
    };
}

type Pick = 'all' | 'outofsync' | 'none';

function Picker({ list, picked, onPick }: { list: ResourceStatus[]; picked: ReadonlySet<string>; onPick: (s: Set<string>) => void }) {
    const [text, setText] = useState('');
    const [anchor, setAnchor] = useState<number>();
    const shown = list.filter(r => `${r.kind} ${r.name}`.toLowerCase().includes(text.toLowerCase()));
    const bulk = (which: Pick) => onPick(new Set(which === 'none' ? [] : list.filter(r => which === 'all' || r.status !== 'Synced').map(keyOf)));
    const toggle = (i: number, e: MouseEvent) => {
        const next = new Set(picked);
        const on = !picked.has(keyOf(shown[i]!));
        const from = e.shiftKey && anchor !== undefined ? anchor : i;
        for (let k = Math.min(from, i); k <= Math.max(from, i); k++) {
            if (on) next.add(keyOf(shown[k]!));
            else next.delete(keyOf(shown[k]!));
        }
        setAnchor(i);
        onPick(next);
    };
    return (
        <>
            <div class="pick-bar">
                <input class="input" placeholder="Search resources" aria-label="Search resources" value={text} onInput={e => setText(e.currentTarget.value)} />
                <Button tiny label="All" onClick={() => bulk('all')} />
                <Button tiny label="Out of sync" onClick={() => bulk('outofsync')} testid="pick-outofsync" />
                <Button tiny label="None" onClick={() => bulk('none')} />
            </div>
            <ul class="pick-list" tabIndex={0} aria-label="Resources to sync">
                {shown.slice(0, 300).map((r, i) => (
                    <li key={keyOf(r)}>
                        <label>
                            <input type="checkbox" class="box" checked={picked.has(keyOf(r))} onClick={e => toggle(i, e)} />
                            <KindTile group={r.group ?? ''} kind={r.kind} />
                            <span class="ellipsis" title={keyOf(r)}>
                                <span class="muted">{r.kind}</span> {r.name}
                            </span>
                            {prunes(r) && <span class="tag">prune</span>}
                            <SyncStatus value={r.status} short />
                            {r.health && <HealthStatus value={r.health.status} short />}
                        </label>
                    </li>
                ))}
            </ul>
            {shown.length > 300 && <p class="muted small">and {plural(shown.length - 300, 'more', 'more')}; search to narrow</p>}
        </>
    );
}

interface Props {
    app: AppRef;
    // `all`, or the key of the one resource that is picked first.
    preset?: string;
    onClose: () => void;
    onDone: () => void;
}

export default function SyncPanel(p: Props) {
    const store = useMemo(() => appStore(p.app), [p.app.name, p.app.namespace]);
    useEffect(() => store.app.acquire(), [store]);
    const app = store.application.value;
    const error = store.app.table.error.value;
    if (!app) {
        return (
            <Sheet title={`Sync ${p.app.name}`} onClose={p.onClose} testid="sync-panel">
                {error ? <Problem title="The application could not be loaded." message={error.message} retry={() => store.app.retry()} /> : <Bones />}
            </Sheet>
        );
    }
    return <SyncForm {...p} loaded={app} />;
}

function SyncForm({ app: ref, preset, loaded: app, onClose, onDone }: Props & { loaded: Application }) {
    const [c, setChoice] = useState<Choice>(() => initial(app));
    const list = (app.status?.resources ?? []).filter(r => !r.hook).sort((a, b) => keyOf(a).localeCompare(keyOf(b)));
    const [picked, setPicked] = useState<ReadonlySet<string>>(() => new Set(preset && preset !== 'all' ? [preset] : list.map(keyOf)));
    const [typed, setTyped] = useState('');
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState('');
    const set = (change: Partial<Choice>) => setChoice({ ...c, ...change });

    const chosen = list.filter(r => picked.has(keyOf(r)));
    const all = chosen.length === list.length;
    const pruned = c.prune ? chosen.filter(prunes) : [];
    const word = c.replace ? app.metadata.name : 'prune';
    const mustType = !c.dryRun && (c.replace || pruned.length > MANY_PRUNED || (pruned.length > 0 && pruned.length === list.length));
    const denied = syncDenied({ project: app.spec.project, ...ref });
    const blocked = denied ?? (list.length > 0 && chosen.length === 0 ? 'Pick at least one resource' : mustType && typed !== word ? `Type ${word} first` : undefined);

    const go = async () => {
        setBusy(true);
        setError('');
        try {
            await api.sync(ref, syncRequest(c, app, chosen, all));
            toast('success', c.dryRun ? `Dry run of ${ref.name} requested` : `Sync of ${ref.name} requested`, { href: `${href(appHref(ref))}?operation=true` });
            onDone();
        } catch (e) {
            setError(explain(e, 'applications', 'sync', ref.name));
            setBusy(false);
        }
    };
    const option = ([value, label, hint]: [string, string, string]) => (
        <Check
            key={value}
            label={label}
            hint={hint}
            checked={c.options.includes(value)}
            onChange={on => set({ options: on ? [...c.options, value] : c.options.filter(o => o !== value) })}
        />
    );
    return (
        <Sheet
            title={`Sync ${ref.name}`}
            onClose={onClose}
            testid="sync-panel"
            footer={
                <>
                    <span class="grow muted small">{!all && chosen.length > 0 && 'A partial sync is not recorded in the history.'}</span>
                    <Button label="Cancel" onClick={onClose} />
                    <Button
                        kind={pruned.length > 0 && !c.dryRun ? 'danger' : 'primary'}
                        icon="sync"
                        label={c.dryRun ? 'Dry run' : pruned.length > 0 ? `Sync and prune ${pruned.length}` : 'Sync'}
                        busy={busy}
                        disabled={blocked}
                        onClick={go}
                        testid="sync-go"
                    />
                </>
            }
        >
            <div class="form">
                {error && <Problem title="The sync was refused." message={error} />}
                {!app.spec.sources?.length && (
                    <div class="field">
                        <label for="sync-revision">Revision</label>
                        <input id="sync-revision" class="input" data-autofocus="" value={c.revision} onInput={e => set({ revision: e.currentTarget.value })} spellcheck={false} />
                    </div>
                )}
                <fieldset class="columns">
                    <legend>How</legend>
                    <Check label="Prune" hint="Delete resources that are no longer in Git" checked={c.prune} onChange={prune => set({ prune })} testid="opt-prune" />
                    <Check label="Dry run" hint="Report what would happen, change nothing" checked={c.dryRun} onChange={dryRun => set({ dryRun })} testid="opt-dryrun" />
                    <Check label="Apply only" hint="Run no hooks" checked={c.applyOnly} onChange={applyOnly => set({ applyOnly })} />
                    <Check label="Force" hint="Deletes and creates anew what cannot be changed" checked={c.force} onChange={force => set({ force })} />
                </fieldset>
                <details>
                    <summary>Options{c.options.length > 0 && <span class="badge">{c.options.length}</span>}</summary>
                    <div class="columns">
                        {OPTIONS.map(option)}
                        {settings.value.syncWithReplaceAllowed && (
                            <Check label="Replace" hint="Replaces instead of applying; may delete what others added" checked={c.replace} onChange={replace => set({ replace })} />
                        )}
                        <Check label="Retry" hint="Twice, 5 s apart and doubling, unless the policy says otherwise" checked={c.retry} onChange={retry => set({ retry })} />
                    </div>
                </details>
                <fieldset>
                    <legend>
                        Resources <span class="muted">{chosen.length === list.length ? `all ${list.length}` : `${chosen.length} of ${list.length}`}</span>
                    </legend>
                    <Picker list={list} picked={picked} onPick={setPicked} />
                </fieldset>
                {pruned.length > 0 && (
                    <div class="note bad" data-testid="prune-list">
                        <div class="grow">
                            <strong>{c.dryRun ? 'Would be deleted' : 'Will be deleted'}:</strong>
                            <ul>
                                {pruned.slice(0, 50).map(r => (
                                    <li key={keyOf(r)}>
                                        {r.kind} {r.namespace ? `${r.namespace}/` : ''}
                                        {r.name}
                                    </li>
                                ))}
                            </ul>
                            {pruned.length > 50 && <p>and {pruned.length - 50} more</p>}
                        </div>
                    </div>
                )}
                {mustType && (
                    <label class="field">
                        <span>
                            Type <code>{word}</code> to confirm
                        </span>
                        <input class="input" value={typed} onInput={e => setTyped(e.currentTarget.value)} autocomplete="off" spellcheck={false} />
                    </label>
                )}
            </div>
        </Sheet>
    );
}
