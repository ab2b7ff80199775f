// The status panel: health, sync, last operation, conditions.

import { shortRevision } from '../../lib/text';
import { useLoad } from '../../lib/load';
import { sourcesOf } from '../../live/rows';
import { api, type AppRef } from '../../rest/api';
import { setParams } from '../../routes/router';
import type { Condition, RevisionMetadata } from '../../types';
import { Ago, Copy, Took } from '../../widgets/controls';
import { Icon } from '../../widgets/icon';
import { HealthStatus, OperationStatus, SyncStatus } from '../../widgets/status';
import type { AppContext } from './context';

// Commits do not change: each is read once.
const commits = new Map<string, Promise<RevisionMetadata>>();

export function commitOf(ref: AppRef, rev: string): Promise<RevisionMetadata> {
    const key = `${ref.namespace}/${ref.name} ${rev}`;
    let p = commits.get(key);
    if (!p) {
        p = api.revision(ref, rev);
        commits.set(key, p);
        p.catch(() => commits.delete(key));
    }
    return p;
}

export function Commit({ app, rev }: { app: AppRef; rev: string }) {
    const { data } = useLoad(() => commitOf(app, rev), [app.name, app.namespace, rev]);
    if (!data) return null;
    const subject = (data.message ?? '').split('\n')[0];
    return (
        <div class="muted small ellipsis" title={`${data.author ?? ''}\n${data.message ?? ''}`}>
            {subject || 'no message'}
            {data.author && <> · {data.author.replace(/ <.*$/, '')}</>}
        </div>
    );
}

export type ConditionClass = 'error' | 'warning' | 'info';

export function conditionClass(c: Condition): ConditionClass {
    return c.type.endsWith('Error') ? 'error' : c.type.endsWith('Warning') ? 'warning' : 'info';
}

const CONDITION_LOOK = { error: ['failed', 'c-bad'], warning: ['warning', 'c-warn'], info: ['info', 'c-info'] } as const;

export function ConditionIcon({ of }: { of: ConditionClass }) {
    const [icon, tone] = CONDITION_LOOK[of];
    return <Icon name={icon} class={tone} label={of} />;
}

function Conditions({ list }: { list: Condition[] }) {
    if (list.length === 0) return null;
    const count = (k: ConditionClass) => list.filter(c => conditionClass(c) === k).length;
    return (
        <section class="card" data-testid="card-conditions">
            <h3>Conditions</h3>
            <button type="button" class="linkish value" onClick={() => setParams({ conditions: 'true' }, { push: true })}>
                {(['error', 'warning', 'info'] as const).map(
                    k =>
                        count(k) > 0 && (
                            <span class="status" key={k}>
                                <ConditionIcon of={k} />
                                {count(k)} {k === 'info' ? 'info' : count(k) === 1 ? k : `${k}s`}
                            </span>
                        ),
                )}
            </button>
            <div class="muted small clamp">{list[0]!.message}</div>
        </section>
    );
}

export function StatusCards({ ctx: { app, ref }, running }: { ctx: AppContext; running: boolean }) {
    const s = app.status ?? {};
    const sources = sourcesOf(app);
    const rev = s.sync?.revision || s.sync?.revisions?.[0] || '';
    const more = sources.length - 1;
    const target = sources[0]?.targetRevision || 'HEAD';
    const op = s.operationState;
    const auto = app.spec.syncPolicy?.automated;
    const autoOn = auto !== undefined && auto !== null && auto.enabled !== false;
    const opRev = op?.syncResult?.revision || op?.operation?.sync?.revision || '';
    const phase = op?.phase === 'Terminating' ? 'Terminating' : running ? 'Running' : op?.phase;
    return (
        <div class="cards">
            <section class="card" data-testid="card-health">
                <h3>App health</h3>
                <div class="value">
                    <HealthStatus value={s.health?.status} />
                </div>
                {s.health?.message && <div class="muted small clamp" title={s.health.message}>{s.health.message}</div>}
            </section>
            <section class="card" data-testid="card-sync">
                <h3>Sync status</h3>
                <div class="value">
                    <SyncStatus value={s.sync?.status} />
                    {rev && (
                        <span class="muted">
                            {s.sync?.status === 'OutOfSync' ? 'from' : 'to'} {target === rev ? '' : target}{' '}
                            <span class="mono" title={rev}>
                                {shortRevision(rev)}
                            </span>
                            <Copy text={rev} what="the revision" />
                        </span>
                    )}
                </div>
                <div class="muted small">
                    {more > 0 && `and ${more} more ${more === 1 ? 'source' : 'sources'} · `}
                    Auto-sync {autoOn ? `on${auto.prune ? ', prunes' : ''}${auto.selfHeal ? ', heals' : ''}` : 'off'}
                </div>
                {/^[0-9a-f]{40}$/.test(rev) && <Commit app={ref} rev={rev} />}
            </section>
            <section class="card" data-testid="card-operation">
                <h3>{running ? 'Operation' : 'Last sync'}</h3>
                {op || running ? (
                    <>
                        <div class="value">
                            <button type="button" class="linkish" onClick={() => setParams({ operation: 'true' }, { push: true })} data-testid="open-operation">
                                <OperationStatus value={phase ?? 'Running'} />
                            </button>
                            <span class="muted">
                                {opRev && (
                                    <span class="mono" title={opRev}>
                                        {shortRevision(opRev)}{' '}
                                    </span>
                                )}
                                {running ? <Took from={op?.startedAt} /> : <Ago iso={op?.finishedAt || op?.startedAt} />}
                            </span>
                        </div>
                        <div class="muted small clamp" title={op?.message}>
                            {op?.operation?.sync?.dryRun && 'Dry run: '}
                            {op?.message || (running ? 'Waiting for the controller' : '')}
                        </div>
                    </>
                ) : (
                    <div class="value muted">Never synced</div>
                )}
            </section>
            <Conditions list={s.conditions ?? []} />
        </div>
    );
}
