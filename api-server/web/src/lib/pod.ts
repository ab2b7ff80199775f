// The state of a pod in one word, by the rules that kubectl prints it with: what waits or ended in its containers says
// more than the phase does.

interface ContainerState {
    waiting?: { reason?: string; message?: string };
    running?: { startedAt?: string };
    terminated?: { reason?: string; exitCode?: number; signal?: number; message?: string; startedAt?: string; finishedAt?: string };
}

interface ContainerStatus {
    name: string;
    ready?: boolean;
    started?: boolean;
    restartCount?: number;
    image?: string;
    state?: ContainerState;
    lastState?: ContainerState;
}

export interface Pod {
    metadata?: { deletionTimestamp?: string; name?: string };
    spec?: {
        initContainers?: { name: string; restartPolicy?: string }[];
        containers?: { name: string }[];
        readinessGates?: { conditionType: string }[];
    };
    status?: {
        phase?: string;
        reason?: string;
        message?: string;
        conditions?: { type: string; status: string; reason?: string; message?: string }[];
        initContainerStatuses?: ContainerStatus[];
        containerStatuses?: ContainerStatus[];
    };
}

function terminatedReason(t: NonNullable<ContainerState['terminated']>): string {
    if (t.reason) return t.reason;
    return t.signal ? `Signal:${t.signal}` : `ExitCode:${t.exitCode ?? 0}`;
}

// What the init containers say; undefined once all of them are done.
function initReason(pod: Pod): string | undefined {
    const specs = pod.spec?.initContainers ?? [];
    const sidecar = (name: string) => specs.find(s => s.name === name)?.restartPolicy === 'Always';
    const list = pod.status?.initContainerStatuses ?? [];
    for (let i = 0; i < list.length; i++) {
        const c = list[i]!;
        const t = c.state?.terminated;
        if (t && t.exitCode === 0) continue;
        if (sidecar(c.name) && c.started) continue;
        if (t) return `Init:${terminatedReason(t)}`;
        const w = c.state?.waiting?.reason;
        if (w && w !== 'PodInitializing') return `Init:${w}`;
        return `Init:${i}/${specs.length || list.length}`;
    }
    return undefined;
}

function containerReason(pod: Pod, fallback: string): string {
    let reason = fallback;
    let running = false;
    const list = pod.status?.containerStatuses ?? [];
    // From the last to the first: the first container's word is the one that stays.
    for (let i = list.length - 1; i >= 0; i--) {
        const s = list[i]!.state;
        if (s?.waiting?.reason) reason = s.waiting.reason;
        else if (s?.terminated) reason = terminatedReason(s.terminated);
        else if (list[i]!.ready && s?.running) running = true;
    }
    if (reason === 'Completed' && running) {
        const ready = pod.status?.conditions?.some(c => c.type === 'Ready' && c.status === 'True');
        return ready ? 'Running' : 'NotReady';
    }
    return reason;
}

export function podState(pod: Pod): string {
    const s = pod.status ?? {};
    const scheduled = s.conditions?.find(c => c.type === 'PodScheduled');
    let reason = s.reason || s.phase || 'Unknown';
    if (scheduled?.reason === 'SchedulingGated') reason = 'SchedulingGated';
    reason = initReason(pod) ?? containerReason(pod, reason);
    if (!pod.metadata?.deletionTimestamp) return reason;
    if (s.reason === 'NodeLost') return 'Unknown';
    return s.phase === 'Succeeded' || s.phase === 'Failed' ? reason : 'Terminating';
}

export function readyCount(pod: Pod): { ready: number; total: number } {
    const specs = pod.spec?.initContainers ?? [];
    const sidecars = specs.filter(c => c.restartPolicy === 'Always').map(c => c.name);
    const main = pod.status?.containerStatuses ?? [];
    const side = (pod.status?.initContainerStatuses ?? []).filter(c => sidecars.includes(c.name));
    const ready = [...main, ...side].filter(c => c.ready && c.state?.running).length;
    return { ready, total: (pod.spec?.containers?.length ?? main.length) + sidecars.length };
}

// Readiness gates that do not hold.
export function openGates(pod: Pod): string[] {
    return (pod.spec?.readinessGates ?? [])
        .map(g => g.conditionType)
        .filter(t => !pod.status?.conditions?.some(c => c.type === t && c.status === 'True'));
}

export interface ContainerLine {
    name: string;
    init: boolean;
    state: string;
    detail: string;
    restarts: number;
    last: string;
}

function stateWord(s: ContainerState | undefined): [string, string] {
    if (s?.running) return ['Running', ''];
    if (s?.waiting) return [s.waiting.reason || 'Waiting', s.waiting.message ?? ''];
    if (s?.terminated) return [`${terminatedReason(s.terminated)} (exit ${s.terminated.exitCode ?? 0})`, s.terminated.message ?? ''];
    return ['Waiting', ''];
}

export function containerLines(pod: Pod): ContainerLine[] {
    const line = (init: boolean) => (c: ContainerStatus): ContainerLine => {
        const [state, detail] = stateWord(c.state);
        const last = c.lastState?.terminated;
        return {
            name: c.name,
            init,
            state,
            detail,
            restarts: c.restartCount ?? 0,
            last: last ? `${terminatedReason(last)} (exit ${last.exitCode ?? 0})` : '',
        };
    };
    return [...(pod.status?.initContainerStatuses ?? []).map(line(true)), ...(pod.status?.containerStatuses ?? []).map(line(false))];
}
