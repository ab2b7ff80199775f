// Where the socket cannot be had (a proxy that refuses Upgrade): the same topics from REST, kept fresh by Argo CD's
// event streams. A stream replays nothing that it missed, so each (re)connect lists again first; where a stream cannot be
// had either, a timer lists. At most two streams per tab, none while it is hidden (specification W10).

import { api } from '../rest/api';
import { ApiError, BASE, query } from '../rest/http';
import type { Application, ApplicationTree } from '../types';
import type { Request } from './contract';
import type { Columns } from './protocol';
import { appListRow, appRows, treeRows } from './rows';

const POLL = 4_000;
const MAX_STREAMS = 2;

let streams = 0;

type Rows = [string, Columns][];

interface Topic {
    list(): Promise<Rows>;
    stream: string;
    // Rows of one stream event; `whole` if they replace everything.
    event(result: unknown): { set: Rows; del: string[]; whole: boolean };
}

function topicOf(r: Request): Topic | undefined {
    const ref = { name: String(r.args.name ?? ''), namespace: String(r.args.appNamespace ?? '') };
    const one = query({ name: ref.name, appNamespace: ref.namespace });
    switch (r.topic) {
        case 'apps':
            return {
                list: async () => ((await api.list()).items ?? []).map(appListRow),
                stream: 'api/v1/stream/applications',
                event: v => {
                    const e = v as { type: string; application: Application };
                    const row = appListRow(e.application);
                    return e.type === 'DELETED' ? { set: [], del: [row[0]], whole: false } : { set: [row], del: [], whole: false };
                },
            };
        case 'app':
            return {
                list: async () => appRows(await api.get(ref)),
                stream: `api/v1/stream/applications${one}`,
                event: v => ({ set: appRows((v as { application: Application }).application), del: [], whole: true }),
            };
        case 'tree':
            return {
                list: async () => treeRows(await api.tree(ref)),
                stream: `api/v1/stream/applications/${encodeURIComponent(ref.name)}/resource-tree${query({ appNamespace: ref.namespace })}`,
                event: v => ({ set: treeRows(v as ApplicationTree), del: [], whole: true }),
            };
        default:
            return undefined;
    }
}

export function startFallback(r: Request): () => void {
    const topic = topicOf(r);
    if (!topic) {
        r.sink.onError({ code: 'Unavailable', http: 503, message: 'Not available over this connection.', retry: false });
        return () => {};
    }
    let stopped = false;
    let source: EventSource | undefined;
    let timer: number | undefined;

    const replace = (set: Rows) => r.sink.snap({ reset: true, first: true, done: true, set, del: [] });

    const list = async () => {
        try {
            const rows = await topic.list();
            if (!stopped) replace(rows);
        } catch (e) {
            if (stopped || !(e instanceof ApiError)) return;
            if (e.status !== 0) r.sink.onError({ code: String(e.code), http: e.status, message: e.message, retry: true });
        }
    };

    const closeStream = () => {
        if (!source) return;
        source.close();
        source = undefined;
        streams--;
    };

    const openStream = () => {
        if (stopped || document.hidden || source || streams >= MAX_STREAMS) return;
        streams++;
        source = new EventSource(new URL(topic.stream, BASE));
        source.onopen = () => void list();
        source.onerror = closeStream;
        source.onmessage = m => {
            try {
                const result = (JSON.parse(String(m.data)) as { result?: unknown }).result;
                if (!result) return;
                const e = topic.event(result);
                if (e.whole) replace(e.set);
                else r.sink.delta(e.set, e.del);
            } catch {
                // One event that cannot be read is made good by the next list.
            }
        };
    };

    const tick = async () => {
        if (stopped) return;
        if (!document.hidden && source?.readyState !== EventSource.OPEN) {
            await list();
            openStream();
        }
        if (!stopped) timer = window.setTimeout(tick, POLL);
    };

    const onVisibility = () => {
        if (document.hidden) closeStream();
    };

    document.addEventListener('visibilitychange', onVisibility);
    void tick();
    return () => {
        stopped = true;
        clearTimeout(timer);
        closeStream();
        document.removeEventListener('visibilitychange', onVisibility);
    };
}
