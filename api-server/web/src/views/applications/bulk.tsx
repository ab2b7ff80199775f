// One action on many applications: 8 at once, cancellable, with the outcome of each, and the failed ones again.

import { signal, type Signal } from '@preact/signals';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { plural } from '../../lib/text';
import { api } from '../../rest/api';
import { explain, pool, refOfKey } from '../../store/actions';
import { apps } from '../../store/apps';
import { isRunning } from '../../store/appspec';
import { Button, Check } from '../../widgets/controls';
import { Icon } from '../../widgets/icon';
import { Sheet } from '../../widgets/overlay';
import { OperationStatus } from '../../widgets/status';

export type BulkKind = 'sync' | 'refresh' | 'hard';

const TITLES: Record<BulkKind, string> = { sync: 'Sync', refresh: 'Refresh', hard: 'Hard refresh' };
const WIDTH = 8;

type Outcome = { state: 'waiting' | 'running' | 'asked' | 'done' } | { state: 'failed'; message: string };

interface Line {
    key: string;
    outcome: Signal<Outcome>;
}

interface Options {
    prune: boolean;
    dryRun: boolean;
    onlyOutOfSync: boolean;
}

async function run(kind: BulkKind, key: string, o: Options): Promise<Outcome> {
    const ref = refOfKey(key);
    try {
        if (kind === 'sync') {
            await api.sync(ref, { prune: o.prune, dryRun: o.dryRun, strategy: { hook: {} }, resources: null, syncOptions: null });
            return { state: 'asked' };
        }
        await api.refresh(ref, kind === 'hard' ? 'hard' : 'normal');
        return { state: 'done' };
    } catch (e) {
        return { state: 'failed', message: explain(e, 'applications', kind === 'sync' ? 'sync' : 'get', ref.name) };
    }
}

function Progress({ line }: { line: Line }) {
    const o = line.outcome.value;
    const row = apps.row(line.key)?.value;
    switch (o.state) {
        case 'waiting':
            return <span class="muted">waiting</span>;
        case 'running':
            return <OperationStatus value="Running" />;
        case 'done':
            return <OperationStatus value="Succeeded" />;
        // The request was taken; from here on the live row tells.
        case 'asked':
            return <OperationStatus value={row?.op ? (isRunning(row.op) ? 'Syncing' : row.op) : 'Syncing'} />;
        case 'failed':
            return (
                <span class="status c-bad">
                    <Icon name="failed" />
                    {o.message}
                </span>
            );
    }
}

export default function Bulk({ kind, keys, onClose }: { kind: BulkKind; keys: string[]; onClose: () => void }) {
    const [options, setOptions] = useState<Options>({ prune: false, dryRun: false, onlyOutOfSync: false });
    const [started, setStarted] = useState(kind !== 'sync');
    const lines = useMemo<Line[]>(() => keys.map(key => ({ key, outcome: signal<Outcome>({ state: 'waiting' }) })), [keys]);
    const chosen = options.onlyOutOfSync ? lines.filter(l => apps.get(l.key)?.sync !== 'Synced') : lines;
    const cancelled = useRef(false);

    const go = (which: Line[]) => {
        setStarted(true);
        for (const l of which) l.outcome.value = { state: 'waiting' };
        void pool(
            which,
            WIDTH,
            async l => {
                l.outcome.value = { state: 'running' };
                l.outcome.value = await run(kind, l.key, options);
            },
            () => cancelled.current,
        );
    };
    useEffect(() => {
        if (kind !== 'sync') go(lines);
        return () => {
            cancelled.current = true;
        };
    }, []);

    const failed = lines.filter(l => l.outcome.value.state === 'failed');
    const left = chosen.filter(l => ['waiting', 'running'].includes(l.outcome.value.state)).length;
    const title = `${TITLES[kind]} ${plural(chosen.length, 'application')}`;
    const footer = !started ? (
        <>
            <Button label="Cancel" onClick={onClose} />
            <Button
                kind="primary"
                icon="sync"
                label={options.dryRun ? 'Dry run' : 'Sync'}
                disabled={chosen.length === 0 ? 'All of them are synced' : undefined}
                onClick={() => go(chosen)}
                testid="bulk-go"
            />
        </>
    ) : (
        <>
            <span class="grow muted">{left > 0 ? `${left} to go` : failed.length > 0 ? `${failed.length} failed` : 'All requested'}</span>
            {left === 0 && failed.length > 0 && <Button icon="refresh" label="Retry failed" onClick={() => go(failed)} testid="retry-failed" />}
            <Button label={left > 0 ? 'Cancel the rest' : 'Close'} onClick={onClose} />
        </>
    );
    return (
        <Sheet title={title} onClose={onClose} footer={footer} testid="bulk">
            {!started && (
                <div class="bulk-options">
                    <Check label="Prune" hint="Delete resources that are no longer in Git" checked={options.prune} onChange={prune => setOptions({ ...options, prune })} />
                    <Check label="Dry run" hint="Report what would happen, change nothing" checked={options.dryRun} onChange={dryRun => setOptions({ ...options, dryRun })} />
                    <Check label="Only those that are out of sync" checked={options.onlyOutOfSync} onChange={onlyOutOfSync => setOptions({ ...options, onlyOutOfSync })} />
                </div>
            )}
            <ul class="bulk-list">
                {chosen.slice(0, 400).map(l => (
                    <li key={l.key} data-testid="bulk-line">
                        <span class="ellipsis">{refOfKey(l.key).name}</span>
                        {started && <Progress line={l} />}
                    </li>
                ))}
            </ul>
            {chosen.length > 400 && <p class="muted">and {chosen.length - 400} more</p>}
        </Sheet>
    );
}
