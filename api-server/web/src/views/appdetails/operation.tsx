// Screen S11: the running or last operation. What failed comes first, with its whole message.

import { useState } from 'preact/hooks';
import { plural, shortRevision } from '../../lib/text';
import { keyOf } from '../../lib/treemodel';
import { terminate } from '../../store/actions';
import type { OperationState, ResourceResult, ResourceStatus } from '../../types';
import { Ago, Button, Copy, Took } from '../../widgets/controls';
import { Icon, KindTile } from '../../widgets/icon';
import { Sheet } from '../../widgets/overlay';
import { Blank } from '../../widgets/states';
import { HealthStatus, OperationStatus, operationLook } from '../../widgets/status';
import { openNode, type AppContext } from './context';

export interface ResultRow {
    result: ResourceResult;
    // hookPhase for hooks, else the status.
    outcome: string;
    failed: boolean;
    wave: number;
    health?: string;
}

const PHASES = ['PreSync', 'Sync', 'PostSync', 'SyncFail'];
const FAILED = new Set(['SyncFailed', 'Failed', 'Error', 'PruneFailed']);

export function resultRows(op: OperationState | undefined, managed: ResourceStatus[]): ResultRow[] {
    const byKey = new Map(managed.map(m => [keyOf(m), m]));
    const rows = (op?.syncResult?.resources ?? []).map((r): ResultRow => {
        const m = byKey.get(keyOf(r));
        const outcome = (r.hookType ? r.hookPhase : r.status) || r.hookPhase || 'Pending';
        return { result: r, outcome, failed: FAILED.has(outcome), wave: Number(m?.syncWave ?? 0), health: m?.health?.status };
    });
    const phase = (r: ResultRow) => PHASES.indexOf(r.result.syncPhase ?? 'Sync');
    return rows.sort(
        (a, b) => Number(b.failed) - Number(a.failed) || phase(a) - phase(b) || a.wave - b.wave || keyOf(a.result).localeCompare(keyOf(b.result)),
    );
}

interface Step {
    title: string;
    done: number;
    failed: number;
    total: number;
}

// PreSync → the waves of Sync → PostSync or SyncFail, with how far each is.
export function timeline(rows: ResultRow[]): Step[] {
    const steps = new Map<string, Step & { order: number }>();
    for (const r of rows) {
        const phase = r.result.syncPhase || 'Sync';
        const title = phase === 'Sync' ? `Wave ${r.wave}` : phase;
        const order = Math.max(0, PHASES.indexOf(phase)) * 1e6 + (phase === 'Sync' ? r.wave : 0);
        const s = steps.get(title) ?? { title, done: 0, failed: 0, total: 0, order };
        s.total++;
        if (r.failed) s.failed++;
        else if (!['Running', 'Pending'].includes(r.outcome)) s.done++;
        steps.set(title, s);
    }
    return [...steps.values()].sort((a, b) => a.order - b.order);
}

function StepMark({ step }: { step: Step }) {
    const state = step.failed > 0 ? 'Failed' : step.done === step.total ? 'Succeeded' : 'Running';
    const look = operationLook(state);
    return (
        <li>
            <Icon name={look.icon} class={`${look.tone}${look.spin ? ' spin' : ''}`} />
            <span>
                {step.title}
                <span class="muted small">
                    {step.done} of {step.total}
                    {step.failed > 0 && `, ${step.failed} failed`}
                </span>
            </span>
        </li>
    );
}

function ResultLine({ row, onOpen }: { row: ResultRow; onOpen: () => void }) {
    const r = row.result;
    return (
        <li class={row.failed ? 'result failed' : 'result'} data-testid="result">
            <KindTile group={r.group ?? ''} kind={r.kind} />
            <div class="grow">
                <div class="value">
                    <button type="button" class="linkish ellipsis" onClick={onOpen} title={keyOf(r)}>
                        {r.name}
                    </button>
                    <span class="muted small">
                        {r.kind}
                        {r.namespace && ` in ${r.namespace}`}
                    </span>
                    {r.hookType && (
                        <span class="tag">
                            {r.hookType} hook
                        </span>
                    )}
                    {row.wave !== 0 && <span class="tag">wave {row.wave}</span>}
                </div>
                {r.message && (row.failed ? <pre>{r.message}</pre> : <div class="muted small">{r.message}</div>)}
            </div>
            {row.health && <HealthStatus value={row.health} short />}
            <OperationStatus value={row.outcome} />
            {row.failed && r.message && <Copy text={r.message} what="the message" />}
        </li>
    );
}

type Show = 'all' | 'failed' | 'hooks' | 'changed';

const SHOWS: [Show, string, (r: ResultRow) => boolean][] = [
    ['all', 'All', () => true],
    ['failed', 'Failed', r => r.failed],
    ['hooks', 'Hooks', r => r.result.hookType !== undefined && r.result.hookType !== ''],
    ['changed', 'Changed', r => !/unchanged/.test(r.result.message ?? '')],
];

export default function OperationPanel({ ctx: { app, ref }, onClose }: { ctx: AppContext; onClose: () => void }) {
    const [show, setShow] = useState<Show>('all');
    const op = app.status?.operationState;
    const pending = app.operation !== undefined;
    const running = pending || op?.phase === 'Running' || op?.phase === 'Terminating';
    if (!op) {
        return (
            <Sheet title="Operation" onClose={onClose} testid="operation">
                {pending ? <p class="muted">Requested; waiting for the controller.</p> : <Blank icon="sync" title="No operation yet">Nothing was synced so far.</Blank>}
            </Sheet>
        );
    }
    const sync = op.operation?.sync;
    const dry = sync?.dryRun === true;
    const rows = resultRows(op, app.status?.resources ?? []);
    const filter = SHOWS.find(s => s[0] === show)![2];
    const shown = rows.filter(filter);
    const rev = op.syncResult?.revision || sync?.revision || '';
    const by = op.operation?.initiatedBy;
    const retries = Number(op.retryCount ?? 0);
    const limit = op.operation?.retry?.limit;
    const title = dry && !running ? 'Dry run, nothing was changed' : dry ? 'Dry run' : 'Sync operation';
    return (
        <Sheet
            title={title}
            onClose={onClose}
            testid="operation"
            footer={running ? <Button icon="stop" label="Terminate" disabled={op.phase === 'Terminating' ? 'Termination was requested' : undefined} onClick={() => void terminate(ref)} /> : undefined}
        >
            <div class="operation">
                <dl class="facts">
                    <dt>Phase</dt>
                    <dd data-testid="phase">
                        <OperationStatus value={op.phase} />
                    </dd>
                    {op.message && (
                        <>
                            <dt>Message</dt>
                            <dd class="pre">{op.message}</dd>
                        </>
                    )}
                    <dt>Started</dt>
                    <dd>
                        <Ago iso={op.startedAt} />
                    </dd>
                    <dt>Duration</dt>
                    <dd>
                        <Took from={op.startedAt} to={op.finishedAt} />
                    </dd>
                    {op.finishedAt && (
                        <>
                            <dt>Finished</dt>
                            <dd>
                                <Ago iso={op.finishedAt} />
                            </dd>
                        </>
                    )}
                    {rev && (
                        <>
                            <dt>Revision</dt>
                            <dd class="mono">
                                {shortRevision(rev)} <Copy text={rev} what="the revision" />
                            </dd>
                        </>
                    )}
                    <dt>Initiated by</dt>
                    <dd>{by?.automated ? 'automated sync policy' : by?.username || 'unknown'}</dd>
                    {(retries > 0 || limit !== undefined) && (
                        <>
                            <dt>Retries</dt>
                            <dd>
                                {retries}
                                {limit !== undefined && ` of ${Number(limit) < 0 ? 'no limit' : limit}`}
                            </dd>
                        </>
                    )}
                    {sync?.prune && (
                        <>
                            <dt>Prune</dt>
                            <dd>yes</dd>
                        </>
                    )}
                </dl>
                {rows.length > 0 && (
                    <>
                        <ol class="timeline" aria-label="Phases and waves">
                            {timeline(rows).map(s => (
                                <StepMark key={s.title} step={s} />
                            ))}
                        </ol>
                        <div class="result-bar">
                            <h2>{plural(shown.length, 'resource')}</h2>
                            <span class="grow" />
                            <div class="seg" role="group" aria-label="Show">
                                {SHOWS.map(([id, label, test]) => (
                                    <Button key={id} tiny label={`${label} ${rows.filter(test).length}`} pressed={show === id} onClick={() => setShow(id)} />
                                ))}
                            </div>
                        </div>
                        <ul class="results">
                            {shown.slice(0, 300).map((r, i) => (
                                <ResultLine key={`${keyOf(r.result)} ${r.result.syncPhase} ${i}`} row={r} onOpen={() => openNode(r.result)} />
                            ))}
                        </ul>
                        {shown.length > 300 && <p class="muted">and {shown.length - 300} more</p>}
                    </>
                )}
            </div>
        </Sheet>
    );
}
