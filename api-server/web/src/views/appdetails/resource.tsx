// Screen S6, read-only: one resource in a side panel. The application itself opens here too.

import { useEffect, useState } from 'preact/hooks';
import { lazy } from '../../lib/lazy';
import { useLoad } from '../../lib/load';
import { containerLines, openGates, podState, readyCount, type Pod } from '../../lib/pod';
import { keyOf } from '../../lib/treemodel';
import { safeHref } from '../../lib/url';
import { api } from '../../rest/api';
import { BASE } from '../../rest/http';
import { param, setParams } from '../../routes/router';
import { sourcesOf } from '../../live/rows';
import type { KubeEvent, ResourceNode, ResourceRef, ResourceStatus } from '../../types';
import { Ago, Button, Check, Copy, copyText, External, MenuButton, Tabs } from '../../widgets/controls';
import { Icon, KindTile } from '../../widgets/icon';
import { Sheet } from '../../widgets/overlay';
import { Blank, Bones, Problem } from '../../widgets/states';
import { HealthStatus, SyncStatus } from '../../widgets/status';
import type { TreeRow } from '../../store/app';
import { appNode, type AppContext } from './context';

const YamlView = lazy(() => import('../../widgets/manifest').then(m => m.YamlView));

type Tab = 'summary' | 'manifest' | 'event';

interface Target {
    ctx: AppContext;
    ref: ResourceRef;
    isApp: boolean;
    node?: TreeRow;
    managed?: ResourceStatus;
}

function findTarget(ctx: AppContext, wanted: ResourceRef): Target {
    const key = keyOf(wanted);
    const node = ctx.store.nodes.value.find(n => keyOf(n) === key);
    const managed = ctx.app.status?.resources?.find(r => keyOf(r) === key);
    const isApp = keyOf(appNode(ctx.ref)) === key;
    return { ctx, ref: { ...wanted, ...(managed ?? {}), ...(node ?? {}) }, isApp, node, managed };
}

// What the facts of a pod say better.
const POD_INFO = new Set(['Status Reason', 'Containers', 'Restart Count']);

function Images({ list }: { list: string[] | undefined }) {
    if (!list?.length) return null;
    return (
        <>
            <dt>Images</dt>
            <dd>
                <ul>
                    {list.map(i => (
                        <li key={i} class="mono">
                            {i}
                            <Copy text={i} what="the image" />
                        </li>
                    ))}
                </ul>
            </dd>
        </>
    );
}

function PodFacts({ t }: { t: Target }) {
    const { data } = useLoad(() => api.live(t.ctx.ref, t.ref), [keyOf(t.ref), t.node?.resourceVersion]);
    if (!data) return null;
    let pod: Pod;
    try {
        pod = JSON.parse(data.manifest) as Pod;
    } catch {
        return null;
    }
    const ready = readyCount(pod);
    const gates = openGates(pod);
    return (
        <>
            <dt>State</dt>
            <dd data-testid="pod-state">{podState(pod)}</dd>
            <dt>Ready</dt>
            <dd>
                {ready.ready} of {ready.total} containers
            </dd>
            {gates.length > 0 && (
                <>
                    <dt>Readiness gates</dt>
                    <dd class="c-warn">not met: {gates.join(', ')}</dd>
                </>
            )}
            <dt>Containers</dt>
            <dd>
                <ul class="containers">
                    {containerLines(pod).map(c => (
                        <li key={c.name}>
                            <strong>{c.name}</strong> {c.init && <span class="tag">init</span>} {c.state}
                            {c.restarts > 0 && <span class="muted">, {c.restarts} restarts</span>}
                            {c.last && <span class="muted">, before that {c.last}</span>}
                            {c.detail && <pre>{c.detail}</pre>}
                        </li>
                    ))}
                </ul>
            </dd>
        </>
    );
}

function Network({ node }: { node: ResourceNode | undefined }) {
    const n = node?.networkingInfo;
    const hosts = (n?.ingress ?? []).map(i => i.hostname || i.ip).filter(h => h !== undefined);
    const links = (n?.externalURLs ?? []).map(u => safeHref(u, BASE)).filter(u => u !== undefined);
    return (
        <>
            {hosts.length > 0 && (
                <>
                    <dt>Addresses</dt>
                    <dd>{hosts.join(', ')}</dd>
                </>
            )}
            {links.length > 0 && (
                <>
                    <dt>Links</dt>
                    <dd>
                        {links.map(l => (
                            <div key={l}>
                                <External href={l}>{l}</External>
                            </div>
                        ))}
                    </dd>
                </>
            )}
        </>
    );
}

function ResourceSummary({ t }: { t: Target }) {
    const { ref, node, managed } = t;
    const health = node?.health ?? managed?.health;
    return (
        <dl class="facts">
            <dt>Kind</dt>
            <dd>
                {ref.kind} <span class="muted">{[ref.group, ref.version].filter(Boolean).join('/')}</span>
            </dd>
            <dt>Name</dt>
            <dd>
                {ref.name}
                <Copy text={ref.name} what="the name" />
            </dd>
            {ref.namespace && (
                <>
                    <dt>Namespace</dt>
                    <dd>{ref.namespace}</dd>
                </>
            )}
            {node?.createdAt && (
                <>
                    <dt>Created</dt>
                    <dd>
                        <Ago iso={node.createdAt} />
                    </dd>
                </>
            )}
            {managed && (
                <>
                    <dt>Sync</dt>
                    <dd>
                        <SyncStatus value={managed.status} />
                        {managed.requiresPruning && <span class="muted"> no longer in Git, would be pruned</span>}
                    </dd>
                </>
            )}
            {health && (
                <>
                    <dt>Health</dt>
                    <dd>
                        <HealthStatus value={health.status} />
                        {health.message && <div class="pre muted">{health.message}</div>}
                    </dd>
                </>
            )}
            {managed?.syncWave !== undefined && (
                <>
                    <dt>Sync wave</dt>
                    <dd>{managed.syncWave}</dd>
                </>
            )}
            {ref.kind === 'Pod' && node && <PodFacts t={t} />}
            {(node?.info ?? []).filter(i => ref.kind !== 'Pod' || !POD_INFO.has(i.name)).map(i => (
                <>
                    <dt>{i.name}</dt>
                    <dd>{i.value}</dd>
                </>
            ))}
            <Images list={node?.images} />
            <Network node={node} />
            {node?.parentRefs?.length ? (
                <>
                    <dt>Owned by</dt>
                    <dd>{node.parentRefs.map(p => `${p.kind} ${p.name}`).join(', ')}</dd>
                </>
            ) : null}
        </dl>
    );
}

function AppSummary({ ctx: { app, ref } }: { ctx: AppContext }) {
    const d = app.spec.destination;
    const auto = app.spec.syncPolicy?.automated;
    const labels = Object.entries(app.metadata.labels ?? {});
    return (
        <dl class="facts">
            <dt>Project</dt>
            <dd>{app.spec.project}</dd>
            <dt>Namespace</dt>
            <dd>{ref.namespace}</dd>
            {labels.length > 0 && (
                <>
                    <dt>Labels</dt>
                    <dd class="tags">
                        {labels.map(([k, v]) => (
                            <span class="tag" key={k}>
                                {k}={v}
                            </span>
                        ))}
                    </dd>
                </>
            )}
            <dt>Cluster</dt>
            <dd>{d.name || d.server}</dd>
            <dt>Into namespace</dt>
            <dd>{d.namespace || 'none'}</dd>
            {sourcesOf(app).map((s, i) => (
                <>
                    <dt>{i === 0 ? 'Source' : ''}</dt>
                    <dd>
                        {safeHref(s.repoURL, 'invalid:') ? <External href={s.repoURL}>{s.repoURL}</External> : s.repoURL}
                        <div class="muted">
                            {s.chart ? `chart ${s.chart}` : `path ${s.path ?? ''}`} at {s.targetRevision || 'HEAD'}
                        </div>
                    </dd>
                </>
            ))}
            <dt>Sync policy</dt>
            <dd>{auto && auto.enabled !== false ? ['automatic', auto.prune && 'prune', auto.selfHeal && 'self-heal'].filter(Boolean).join(', ') : 'manual'}</dd>
            {app.spec.syncPolicy?.syncOptions?.length ? (
                <>
                    <dt>Sync options</dt>
                    <dd>{app.spec.syncPolicy.syncOptions.join(', ')}</dd>
                </>
            ) : null}
            <dt>Created</dt>
            <dd>
                <Ago iso={app.metadata.creationTimestamp} />
            </dd>
            <Images list={app.status?.summary?.images} />
            {(app.spec.info ?? []).map(i => (
                <>
                    <dt>{i.name}</dt>
                    <dd>{safeHref(i.value, 'invalid:') ? <External href={i.value}>{i.value}</External> : i.value}</dd>
                </>
            ))}
        </dl>
    );
}

async function yamlOf(json: string | undefined, hide: boolean): Promise<string> {
    if (!json || json === 'null') return '';
    const { toYaml } = await import('../../widgets/manifest');
    return toYaml(json, { hideManagedFields: hide });
}

function Manifest({ t }: { t: Target }) {
    const [side, setSide] = useState<'live' | 'desired'>('live');
    const [hide, setHide] = useState(true);
    const { ctx, ref, isApp, managed, node } = t;
    const state = useLoad(async () => {
        if (isApp) return yamlOf(JSON.stringify({ metadata: ctx.app.metadata, spec: ctx.app.spec }), hide);
        if (side === 'live' && node?.uid) return yamlOf((await api.live(ctx.ref, ref)).manifest, hide);
        const list = (await api.managed(ctx.ref, ref)).items ?? [];
        const item = list.find(i => keyOf(i) === keyOf(ref));
        return yamlOf(side === 'live' ? item?.liveState : item?.targetState, hide);
    }, [keyOf(ref), side, hide, node?.resourceVersion, isApp && ctx.app.metadata.resourceVersion]);
    const missing = side === 'live' ? 'This resource is not in the cluster.' : 'This resource is not in Git: a sync with prune would delete it.';
    return (
        <>
            <div class="manifest-bar">
                {managed && (
                    <div class="seg" role="group" aria-label="Which manifest">
                        <Button tiny label="Live" pressed={side === 'live'} onClick={() => setSide('live')} />
                        <Button tiny label="Desired" pressed={side === 'desired'} onClick={() => setSide('desired')} testid="desired" />
                    </div>
                )}
                <Check label="Hide managed fields" checked={hide} onChange={setHide} />
            </div>
            {state.error ? (
                <div class="pad">
                    <Problem title="The manifest could not be loaded." message={state.error} retry={state.reload} />
                </div>
            ) : state.data === undefined ? (
                <div class="pad">
                    <Bones rows={12} />
                </div>
            ) : state.data === '' ? (
                <Blank icon="missing" title={missing}>
                    {[ref.group, ref.version].filter(Boolean).join('/')} {ref.kind} {ref.name}
                </Blank>
            ) : (
                <YamlView text={state.data} label={`Manifest of ${ref.name}`} />
            )}
        </>
    );
}

function eventTime(e: KubeEvent): string {
    return e.lastTimestamp || e.eventTime || e.firstTimestamp || e.metadata.creationTimestamp || '';
}

function useEvents(t: Target) {
    return useLoad(async () => {
        if (!t.isApp && !t.node?.uid) return [];
        const list = (await api.events(t.ctx.ref, t.isApp ? undefined : t.ref)).items ?? [];
        return list.sort((a, b) => eventTime(b).localeCompare(eventTime(a)));
    }, [keyOf(t.ref), t.node?.uid, t.node?.resourceVersion]);
}

function Events({ state }: { state: ReturnType<typeof useEvents> }) {
    if (state.error) return <Problem title="The events could not be loaded." message={state.error} retry={state.reload} />;
    if (!state.data) return <Bones />;
    if (state.data.length === 0) {
        return (
            <Blank icon="clock" title="No events">
                Kubernetes keeps events for about an hour.
            </Blank>
        );
    }
    return (
        <ul class="events">
            {state.data.slice(0, 300).map((e, i) => (
                <li key={e.metadata.uid ?? i}>
                    <Icon name={e.type === 'Normal' ? 'info' : 'warning'} class={e.type === 'Normal' ? 'c-unknown' : 'c-warn'} label={e.type ?? 'Normal'} />
                    <div class="grow">
                        <strong>{e.reason}</strong>
                        {(e.count ?? 1) > 1 && <span class="muted"> ×{e.count}</span>}
                        <div class="pre">{e.message}</div>
                    </div>
                    <span class="muted small">
                        <Ago iso={eventTime(e)} />
                    </span>
                </li>
            ))}
        </ul>
    );
}

function kubectl(ref: ResourceRef): string {
    const kind = ref.group ? `${ref.kind.toLowerCase()}.${ref.group}` : ref.kind.toLowerCase();
    return `kubectl get ${kind} ${ref.name}${ref.namespace ? ` -n ${ref.namespace}` : ''}`;
}

export default function ResourcePanel({ ctx, node, onClose }: { ctx: AppContext; node: ResourceRef; onClose: () => void }) {
    const t = findTarget(ctx, node);
    const events = useEvents(t);
    const wanted = param('tab');
    const tab: Tab = wanted === 'manifest' || wanted === 'event' ? wanted : 'summary';
    const warnings = (events.data ?? []).filter(e => e.type !== 'Normal').length;
    const treeReady = ctx.store.tree.table.ready.value;
    // What was shown stays, with the word that it is gone.
    const [seen, setSeen] = useState(false);
    const exists = t.isApp || t.node !== undefined || t.managed !== undefined;
    useEffect(() => {
        if (exists) setSeen(true);
    }, [exists]);

    const head = (
        <div class="panel-head">
            <KindTile group={t.ref.group ?? ''} kind={t.ref.kind} />
            <div class="grow">
                <h2 class="ellipsis" title={t.ref.name}>
                    {t.ref.name}
                </h2>
                <div class="muted small">
                    {t.ref.kind}
                    {t.ref.namespace && ` in ${t.ref.namespace}`}
                </div>
            </div>
            <HealthStatus value={t.isApp ? ctx.app.status?.health?.status : (t.node?.health?.status ?? t.managed?.health?.status ?? 'Unknown')} short />
            {(t.managed || t.isApp) && <SyncStatus value={t.isApp ? ctx.app.status?.sync?.status : t.managed?.status} short />}
            {t.managed && <Button icon="sync" label="Sync" onClick={() => setParams({ deploy: keyOf(t.ref) }, { push: true })} />}
            <MenuButton
                bare
                kind="quiet"
                icon="more"
                label="More for this resource"
                entries={() => [
                    { label: 'Copy name', icon: 'copy', run: () => copyText(t.ref.name, 'the name') },
                    { label: 'Copy kubectl command', icon: 'copy', run: () => copyText(kubectl(t.ref), 'the command') },
                    { label: 'Copy link', icon: 'copy', run: () => copyText(location.href, 'the link') },
                ]}
            />
        </div>
    );
    return (
        <Sheet title={`${t.ref.kind} ${t.ref.name}`} head={head} onClose={onClose} flush testid="resource-panel">
            <Tabs<Tab>
                label="Parts of the resource"
                current={tab}
                onPick={id => setParams({ tab: id === 'summary' ? null : id })}
                tabs={[
                    { id: 'summary', title: 'Summary' },
                    { id: 'manifest', title: 'Manifest' },
                    { id: 'event', title: 'Events', badge: warnings > 0 ? <span class="badge warn">{warnings}</span> : undefined },
                ]}
            />
            {!exists && treeReady && (
                <div class="pad">
                    <div class="note warn">
                        <Icon name="warning" class="c-warn" />
                        {seen ? 'This resource was deleted or replaced.' : 'There is no such resource in this application.'}
                    </div>
                </div>
            )}
            {tab === 'manifest' ? (
                <Manifest t={t} />
            ) : (
                <div class="pad scroll" tabIndex={0} role="tabpanel" aria-label={tab}>
                    {tab === 'event' ? <Events state={events} /> : t.isApp ? <AppSummary ctx={ctx} /> : <ResourceSummary t={t} />}
                </div>
            )}
        </Sheet>
    );
}
