// Rows of the live topics made from REST objects: what the server derives for `apps` and `app`, for the fallback.

import type { Application, ApplicationTree, AppSource, ResourceRef } from '../types';
import type { Columns } from './protocol';

export function nodeKey(r: ResourceRef): string {
    return `${r.group ?? ''}/${r.kind}/${r.namespace ?? ''}/${r.name}`;
}

export function sourcesOf(a: Application): AppSource[] {
    return a.spec.sources?.length ? a.spec.sources : a.spec.source ? [a.spec.source] : [];
}

function operation(a: Application): string {
    if (a.metadata.deletionTimestamp) return 'Deleting';
    const phase = a.status?.operationState?.phase;
    if (phase === 'Terminating') return phase;
    return a.operation || phase === 'Running' ? 'Syncing' : (phase ?? '');
}

export function appListRow(a: Application): [string, Columns] {
    const { metadata: m, spec, status: s } = a;
    const auto = spec.syncPolicy?.automated;
    return [
        `${m.namespace}/${m.name}`,
        {
            name: m.name,
            namespace: m.namespace,
            project: spec.project,
            labels: m.labels,
            annotations: m.annotations,
            created: m.creationTimestamp,
            health: s?.health?.status,
            sync: s?.sync?.status,
            op: operation(a),
            opStarted: s?.operationState?.startedAt,
            opFinished: s?.operationState?.finishedAt,
            revision: s?.sync?.revision || s?.sync?.revisions?.[0],
            sources: sourcesOf(a),
            dest: spec.destination,
            autoSync: auto !== undefined && auto !== null && auto.enabled !== false,
            refreshing: m.annotations?.['argocd.argoproj.io/refresh'] !== undefined,
            urls: s?.summary?.externalURLs,
            notice: m.annotations?.['notice.argocd.argoproj.io/content'],
            rv: m.resourceVersion,
        },
    ];
}

const STATUS = ['sync', 'health', 'operationState', 'history', 'conditions', 'summary', 'sourceHydrator', 'reconciledAt'] as const;

export function appRows(a: Application): [string, Columns][] {
    const cols: Columns = { metadata: a.metadata, spec: a.spec, operation: a.operation };
    for (const k of STATUS) cols[`status.${k}`] = a.status?.[k];
    const rows: [string, Columns][] = [['app', cols]];
    for (const r of a.status?.resources ?? []) rows.push([`r:${nodeKey(r)}`, { ...r }]);
    for (const r of a.status?.operationState?.syncResult?.resources ?? []) rows.push([`o:${nodeKey(r)}`, { ...r }]);
    return rows;
}

export function treeRows(t: ApplicationTree): [string, Columns][] {
    const row = (n: ResourceRef, orphaned: boolean): [string, Columns] => [n.uid || nodeKey(n), orphaned ? { ...n, o: 1 } : { ...n }];
    return [...(t.nodes ?? []).map(n => row(n, false)), ...(t.orphanedNodes ?? []).map(n => row(n, true))];
}
