// What the list of applications can be filtered and sorted by (screen S2).

import type { Facet, SortKey, Spec } from '../lib/listengine';
import type { AppRow } from '../types';

export const HEALTH_ORDER = ['Missing', 'Degraded', 'Unknown', 'Progressing', 'Suspended', 'Healthy'];
export const SYNC_ORDER = ['Unknown', 'OutOfSync', 'Synced'];
const OP_ORDER = ['Syncing', 'Sync OK', 'Sync error', 'Sync failed', 'Unknown'];

export const APP_DEFAULTS: AppRow = {
    name: '',
    namespace: '',
    project: '',
    labels: {},
    annotations: {},
    created: '',
    health: 'Unknown',
    sync: 'Unknown',
    op: '',
    opStarted: '',
    opFinished: '',
    revision: '',
    sources: [],
    dest: {},
    autoSync: false,
    refreshing: false,
    urls: [],
    notice: '',
    rv: '',
};

export function operationLabel(op: string): string {
    switch (op) {
        case 'Syncing':
        case 'Running':
        case 'Deleting':
        case 'Terminating':
            return 'Syncing';
        case 'Succeeded':
            return 'Sync OK';
        case 'Error':
            return 'Sync error';
        case 'Failed':
            return 'Sync failed';
        default:
            return 'Unknown';
    }
}

export function isRunning(op: string): boolean {
    return operationLabel(op) === 'Syncing';
}

export function clusterLabel(d: AppRow['dest']): string {
    if (d.name && d.server) return `${d.name} (${d.server})`;
    if (d.server === 'https://kubernetes.default.svc') return `in-cluster (${d.server})`;
    return d.name || d.server || '';
}

export function lastSync(row: AppRow): string {
    return row.opFinished || row.opStarted;
}

function pairs(labels: Record<string, string>): string[] {
    return Object.keys(labels).map(k => `${k}=${labels[k]}`);
}

const rank = (order: string[]) => (v: string) => order.indexOf(v);
const healthRank = rank(HEALTH_ORDER);
const syncRank = rank(SYNC_ORDER);

// Ids are Argo CD's query keys (V8).
export function appFacets(isFavourite: (key: string) => boolean): Facet<AppRow>[] {
    return [
        { id: 'showFavorites', title: 'Favourites', match: 'exact', values: r => (isFavourite(`${r.namespace}/${r.name}`) ? ['true'] : []) },
        { id: 'health', title: 'Health', match: 'exact', values: r => [r.health], order: [...HEALTH_ORDER].reverse() },
        { id: 'sync', title: 'Sync', match: 'exact', values: r => [r.sync], order: [...SYNC_ORDER].reverse() },
        { id: 'operation', title: 'Operation', match: 'exact', values: r => [operationLabel(r.op)], order: OP_ORDER },
        { id: 'proj', title: 'Project', match: 'exact', values: r => [r.project] },
        { id: 'labels', title: 'Labels', match: 'selector', values: r => pairs(r.labels), labels: r => r.labels },
        { id: 'annotations', title: 'Annotations', match: 'selector', values: r => pairs(r.annotations), labels: r => r.annotations },
        { id: 'cluster', title: 'Cluster', match: 'glob', values: r => [clusterLabel(r.dest)] },
        { id: 'namespace', title: 'Namespace', match: 'glob', values: r => (r.dest.namespace ? [r.dest.namespace] : []) },
        { id: 'repo', title: 'Repository', match: 'glob', values: r => [...new Set(r.sources.map(s => s.repoURL))] },
        {
            id: 'targetRevision',
            title: 'Target revision',
            match: 'glob',
            values: r => [...new Set(r.sources.map(s => s.targetRevision || 'HEAD'))],
        },
        { id: 'autoSync', title: 'Auto-sync', match: 'exact', values: r => [r.autoSync ? 'Enabled' : 'Disabled'], order: ['Enabled', 'Disabled'] },
    ];
}

export const APP_SORTS: SortKey<AppRow>[] = [
    { id: 'name', title: 'Name', of: r => r.name },
    { id: 'project', title: 'Project', of: r => r.project },
    { id: 'health', title: 'Health', of: r => healthRank(r.health) },
    { id: 'sync', title: 'Sync', of: r => syncRank(r.sync) },
    { id: 'operation', title: 'Operation', of: r => operationLabel(r.op) },
    { id: 'source', title: 'Source', of: r => r.sources[0]?.repoURL ?? '' },
    { id: 'destination', title: 'Destination', of: r => clusterLabel(r.dest) + ' ' + (r.dest.namespace ?? '') },
    { id: 'created', title: 'Created', of: r => Date.parse(r.created) || 0 },
    { id: 'lastSync', title: 'Last sync', of: r => Date.parse(lastSync(r)) || 0 },
];

export function appListSpec(isFavourite: (key: string) => boolean): Spec<AppRow> {
    return {
        facets: appFacets(isFavourite),
        sorts: APP_SORTS,
        text: r => `${r.namespace}/${r.name}`.toLowerCase(),
        name: r => r.name,
    };
}
