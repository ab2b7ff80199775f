// The facts of one resource, and of the application itself.

import { useLoad } from '../../lib/load';
import { containerLines, openGates, podState, readyCount, type Pod } from '../../lib/pod';
import { keyOf, prunes } from '../../lib/treemodel';
import { safeHref } from '../../lib/url';
import { sourcesOf } from '../../live/rows';
import { api } from '../../rest/api';
import { BASE } from '../../rest/http';
import type { ResourceNode } from '../../types';
import { Ago, Copy, External } from '../../widgets/controls';
import { HealthStatus, SyncStatus } from '../../widgets/status';
import type { AppContext } from './context';
import type { Target } from './target';

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

export function ResourceSummary({ t }: { t: Target }) {
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
                        {prunes(managed) && <span class="muted"> no longer in Git, would be pruned</span>}
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

export function AppSummary({ ctx: { app, ref } }: { ctx: AppContext }) {
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
