// Every status in one place: silhouette, colour, words (specification V3).

import type { IconName } from '../icons/sprite';
import { Icon } from './icon';

export interface Look {
    icon: IconName;
    tone: string;
    spin?: boolean;
}

const UNKNOWN: Look = { icon: 'unknown', tone: 'c-unknown' };

const HEALTH: Record<string, Look> = {
    Healthy: { icon: 'healthy', tone: 'c-ok' },
    Progressing: { icon: 'progressing', tone: 'c-info', spin: true },
    Degraded: { icon: 'degraded', tone: 'c-bad' },
    Suspended: { icon: 'suspended', tone: 'c-paused' },
    Missing: { icon: 'missing', tone: 'c-missing' },
    Unknown: UNKNOWN,
};

const SYNC: Record<string, Look> = {
    Synced: { icon: 'synced', tone: 'c-ok' },
    OutOfSync: { icon: 'outofsync', tone: 'c-warn' },
    Unknown: { icon: 'syncunknown', tone: 'c-unknown' },
};

const OPERATION: Record<string, Look> = {
    Running: { icon: 'running', tone: 'c-info', spin: true },
    Syncing: { icon: 'running', tone: 'c-info', spin: true },
    Deleting: { icon: 'bin', tone: 'c-bad' },
    Terminating: { icon: 'terminating', tone: 'c-warn' },
    Succeeded: { icon: 'succeeded', tone: 'c-ok' },
    Synced: { icon: 'succeeded', tone: 'c-ok' },
    Failed: { icon: 'failed', tone: 'c-bad' },
    SyncFailed: { icon: 'failed', tone: 'c-bad' },
    Error: { icon: 'error', tone: 'c-bad' },
    Pruned: { icon: 'bin', tone: 'c-unknown' },
    PruneSkipped: { icon: 'bin', tone: 'c-warn' },
};

export const healthLook = (s: string | undefined): Look => HEALTH[s ?? ''] ?? UNKNOWN;
export const syncLook = (s: string | undefined): Look => SYNC[s ?? ''] ?? SYNC.Unknown!;
export const operationLook = (s: string | undefined): Look => OPERATION[s ?? ''] ?? { icon: 'clock', tone: 'c-unknown' };

function Status({ look, text, title, short }: { look: Look; text: string; title?: string; short?: boolean }) {
    const cls = `${look.tone}${look.spin ? ' spin' : ''}`;
    if (short) {
        return (
            <span class="status" title={title ?? text}>
                <Icon name={look.icon} class={cls} label={text} />
            </span>
        );
    }
    return (
        <span class="status" title={title}>
            <Icon name={look.icon} class={cls} />
            {text}
        </span>
    );
}

interface Props {
    value: string | undefined;
    title?: string;
    short?: boolean;
}

export const HealthStatus = ({ value, title, short }: Props) => <Status look={healthLook(value)} text={value || 'Unknown'} title={title} short={short} />;
export const SyncStatus = ({ value, title, short }: Props) => <Status look={syncLook(value)} text={value || 'Unknown'} title={title} short={short} />;
export const OperationStatus = ({ value, title, short }: Props) => (
    <Status look={operationLook(value)} text={value || 'None'} title={title} short={short} />
);
