// The REST calls of the dashboard, typed.

import { get, query, request } from './http';
import type {
    Application,
    ApplicationTree,
    KubeEvent,
    ResourceDiff,
    ResourceRef,
    RetryStrategy,
    RevisionMetadata,
    Settings,
    UserInfo,
    VersionInfo,
} from '../types';

export interface AppRef {
    name: string;
    namespace: string;
}

const enc = encodeURIComponent;
const app = (a: AppRef) => `api/v1/applications/${enc(a.name)}`;
const ns = (a: AppRef, more: Record<string, string | number | boolean | undefined> = {}) => query({ appNamespace: a.namespace, ...more });
const resource = (r: ResourceRef) => ({
    namespace: r.namespace ?? '',
    resourceName: r.name,
    version: r.version ?? '',
    kind: r.kind,
    group: r.group ?? '',
});

export const LIST_FIELDS = [
    'metadata.resourceVersion',
    ...[
        'metadata.name',
        'metadata.namespace',
        'metadata.annotations',
        'metadata.labels',
        'metadata.creationTimestamp',
        'metadata.deletionTimestamp',
        'metadata.resourceVersion',
        'spec',
        'operation.sync',
        'status.summary',
        'status.sync.status',
        'status.sync.revision',
        'status.sync.revisions',
        'status.health',
        'status.operationState.phase',
        'status.operationState.startedAt',
        'status.operationState.finishedAt',
    ].map(f => `items.${f}`),
].join(',');

export interface SyncRequest {
    revision?: string;
    prune: boolean;
    dryRun: boolean;
    strategy: { hook?: { force?: boolean }; apply?: { force?: boolean } };
    resources: { group: string; kind: string; name: string; namespace: string }[] | null;
    syncOptions: { items: string[] } | null;
    retryStrategy?: RetryStrategy | null;
}

export const api = {
    settings: () => get<Settings>('api/v1/settings'),
    userInfo: () => request<UserInfo>('GET', 'api/v1/session/userinfo', undefined, 10_000),
    version: () => get<VersionInfo>('api/version'),
    login: (username: string, password: string) => request<{ token: string }>('POST', 'api/v1/session', { username, password }),
    canI: (resourceName: string, action: string, object: string) =>
        get<{ value: string }>(`api/v1/account/can-i/${resourceName}/${action}/${object.split('/').map(enc).join('/')}`),

    list: () => get<{ items: Application[] | null; metadata?: { resourceVersion?: string } }>(`api/v1/applications${query({ fields: LIST_FIELDS })}`),
    get: (a: AppRef) => get<Application>(app(a) + ns(a)),
    refresh: (a: AppRef, how: 'normal' | 'hard') => get<Application>(app(a) + ns(a, { refresh: how })),
    create: (body: Application) => request<Application>('POST', 'api/v1/applications', body),
    sync: (a: AppRef, body: SyncRequest) => request<Application>('POST', `${app(a)}/sync`, { appNamespace: a.namespace, ...body }),
    terminate: (a: AppRef) => request<object>('DELETE', `${app(a)}/operation${ns(a)}`),
    remove: (a: AppRef, cascade: boolean, propagationPolicy?: string) =>
        request<object>('DELETE', app(a) + ns(a, { cascade, propagationPolicy: cascade ? propagationPolicy : undefined })),
    tree: (a: AppRef) => get<ApplicationTree>(`${app(a)}/resource-tree${ns(a)}`),
    // Drafts of one resource's states; an empty group cannot be asked for, so the caller picks its own from the answer.
    managed: (a: AppRef, r: ResourceRef) =>
        get<{ items: ResourceDiff[] | null }>(
            `${app(a)}/managed-resources${ns(a, { name: r.name, namespace: r.namespace, kind: r.kind, group: r.group })}`,
        ),
    live: (a: AppRef, r: ResourceRef) => get<{ manifest: string }>(`${app(a)}/resource${ns(a, resource(r))}`),
    events: (a: AppRef, r?: ResourceRef) =>
        get<{ items: KubeEvent[] | null }>(
            `${app(a)}/events${ns(a, r ? { resourceUID: r.uid, resourceNamespace: r.namespace, resourceName: r.name } : {})}`,
        ),
    revision: (a: AppRef, rev: string) => get<RevisionMetadata>(`${app(a)}/revisions/${enc(rev)}/metadata${ns(a)}`),
    projects: () => get<{ items: { metadata: { name: string } }[] | null }>('api/v1/projects?fields=items.metadata.name'),
    clusters: () => get<{ items: { server: string; name: string }[] | null }>('api/v1/clusters'),
};
