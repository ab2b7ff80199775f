// One application and its tree. Both feeds of the last few visited applications are kept.

import { computed, type ReadonlySignal } from '@preact/signals';
import { Feed } from '../live/feed';
import type { Columns } from '../live/protocol';
import type { AppPath } from '../routes/router';
import type { Application, AppStatus, ResourceNode, ResourceResult, ResourceStatus } from '../types';

const KEEP = 8;

export type TreeRow = ResourceNode & { o?: number };

export interface AppStore {
    path: AppPath;
    app: Feed<Columns>;
    tree: Feed<TreeRow>;
    // undefined until the first snapshot, and when it is gone.
    application: ReadonlySignal<Application | undefined>;
    nodes: ReadonlySignal<TreeRow[]>;
}

const stores = new Map<string, AppStore>();

function assemble(table: Feed<Columns>['table']): Application | undefined {
    void table.version.value;
    const cols = table.get('app');
    if (!cols?.metadata || !cols.spec) return undefined;
    const status: Record<string, unknown> = {};
    const resources: ResourceStatus[] = [];
    const results: ResourceResult[] = [];
    for (const c of Object.keys(cols)) if (c.startsWith('status.')) status[c.slice(7)] = cols[c];
    for (const [k, row] of table.entries()) {
        if (k.startsWith('r:')) resources.push(row as unknown as ResourceStatus);
        else if (k.startsWith('o:')) results.push(row as unknown as ResourceResult);
    }
    const s = status as AppStatus;
    s.resources = resources;
    if (s.operationState) {
        s.operationState = { ...s.operationState, syncResult: { ...s.operationState.syncResult, resources: results } };
    }
    return {
        metadata: cols.metadata as Application['metadata'],
        spec: cols.spec as Application['spec'],
        operation: cols.operation as Application['operation'],
        status: s,
    };
}

export function appStore(path: AppPath): AppStore {
    const key = `${path.namespace}/${path.name}`;
    let s = stores.get(key);
    if (s) {
        stores.delete(key);
    } else {
        const args = { name: path.name, appNamespace: path.namespace };
        const app = new Feed<Columns>('app', args, {});
        const tree = new Feed<TreeRow>('tree', { ...args, orphaned: true }, { kind: '', name: '' });
        s = {
            path,
            app,
            tree,
            application: computed(() => assemble(app.table)),
            nodes: computed(() => {
                void tree.table.version.value;
                return [...tree.table.entries()].filter(([k]) => !k.startsWith('h:')).map(([, n]) => n);
            }),
        };
    }
    stores.set(key, s);
    evict();
    return s;
}

function evict(): void {
    for (const [k, s] of stores) {
        if (stores.size <= KEEP) return;
        if (s.app.used || s.tree.used) continue;
        s.app.stop();
        s.tree.stop();
        stores.delete(k);
    }
}

let prefetched: (() => void) | undefined;

// Loads an application that the pointer rests on; one at a time.
export function prefetch(path: AppPath): void {
    prefetched?.();
    const s = appStore(path);
    const a = s.app.acquire();
    const t = s.tree.acquire();
    prefetched = () => {
        a();
        t();
    };
}
