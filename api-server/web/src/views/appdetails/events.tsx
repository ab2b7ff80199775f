// The events of a resource or of the application, newest first.

import { useLoad } from '../../lib/load';
import { keyOf } from '../../lib/treemodel';
import { api } from '../../rest/api';
import type { KubeEvent } from '../../types';
import { Ago } from '../../widgets/controls';
import { Icon } from '../../widgets/icon';
import { Blank, Bones, Problem } from '../../widgets/states';
import type { Target } from './target';

function eventTime(e: KubeEvent): string {
    return e.lastTimestamp || e.eventTime || e.firstTimestamp || e.metadata.creationTimestamp || '';
}

export function useEvents(t: Target) {
    return useLoad(async () => {
        if (!t.isApp && !t.node?.uid) return [];
        const list = (await api.events(t.ctx.ref, t.isApp ? undefined : t.ref)).items ?? [];
        return list.sort((a, b) => eventTime(b).localeCompare(eventTime(a)));
    }, [keyOf(t.ref), t.node?.uid, t.node?.resourceVersion]);
}

export function Events({ state }: { state: ReturnType<typeof useEvents> }) {
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
