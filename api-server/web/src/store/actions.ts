// What the user can do to an application. Requests are followed by the live update that confirms them; only "refreshing"
// shows at once (specification G10).

import { signal } from '@preact/signals';
import { api, type AppRef, type SyncRequest } from '../rest/api';
import { ApiError, messageOf } from '../rest/http';
import { toast } from './toasts';

// Keys of applications whose refresh was asked for and has not been answered.
export const refreshing = signal<ReadonlySet<string>>(new Set());
// Selected rows of the list.
export const selected = signal<ReadonlySet<string>>(new Set());

export const keyOfApp = (a: AppRef): string => `${a.namespace}/${a.name}`;

export function refOfKey(key: string): AppRef {
    const slash = key.indexOf('/');
    return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

export function explain(e: unknown, resource: string, action: string, object: string): string {
    if (e instanceof ApiError && e.denied) return `You need ${resource}, ${action} on ${object}. ${e.message}`;
    return messageOf(e);
}

export async function refresh(a: AppRef, how: 'normal' | 'hard' = 'normal'): Promise<void> {
    const key = keyOfApp(a);
    refreshing.value = new Set([...refreshing.peek(), key]);
    try {
        await api.refresh(a, how);
    } catch (e) {
        toast('error', `${a.name} could not be refreshed`, { message: explain(e, 'applications', 'get', a.name), retry: () => void refresh(a, how) });
        throw e;
    } finally {
        const rest = new Set(refreshing.peek());
        rest.delete(key);
        refreshing.value = rest;
    }
}

export async function terminate(a: AppRef): Promise<void> {
    try {
        await api.terminate(a);
        toast('success', `Termination of the operation on ${a.name} requested`);
    } catch (e) {
        toast('error', `The operation on ${a.name} could not be terminated`, { message: explain(e, 'applications', 'sync', a.name) });
    }
}

export const PLAIN_SYNC: SyncRequest = { prune: false, dryRun: false, strategy: { hook: {} }, resources: null, syncOptions: null };

// Runs a task for each item, at most `width` at once, until done or cancelled.
export async function pool<T>(items: readonly T[], width: number, run: (item: T) => Promise<void>, cancelled: () => boolean): Promise<void> {
    let next = 0;
    const lane = async () => {
        while (next < items.length && !cancelled()) await run(items[next++]!);
    };
    await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane));
}
