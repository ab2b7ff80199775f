// Types of the REST API and of the live rows: the fields that the dashboard reads, as Argo CD's CRDs and API name them.

export type HealthCode = 'Healthy' | 'Progressing' | 'Degraded' | 'Suspended' | 'Missing' | 'Unknown';
export type SyncCode = 'Synced' | 'OutOfSync' | 'Unknown';
export type OperationPhase = 'Running' | 'Terminating' | 'Succeeded' | 'Failed' | 'Error';

export interface Health {
    status?: HealthCode;
    message?: string;
}

export interface ResourceRef {
    group?: string;
    version?: string;
    kind: string;
    namespace?: string;
    name: string;
    uid?: string;
}

export interface AppSource {
    repoURL: string;
    targetRevision?: string;
    path?: string;
    chart?: string;
    ref?: string;
}

export interface Destination {
    server?: string;
    name?: string;
    namespace?: string;
}

export interface SyncPolicy {
    automated?: { prune?: boolean; selfHeal?: boolean; allowEmpty?: boolean; enabled?: boolean };
    syncOptions?: string[];
    retry?: RetryStrategy;
}

export interface RetryStrategy {
    limit?: number | string;
    refresh?: boolean;
    backoff?: { duration?: string; maxDuration?: string; factor?: number | string };
}

export interface AppSpec {
    project: string;
    source?: AppSource;
    sources?: AppSource[];
    sourceHydrator?: unknown;
    destination: Destination;
    syncPolicy?: SyncPolicy;
    info?: { name: string; value: string }[];
}

export interface Metadata {
    name: string;
    namespace?: string;
    uid?: string;
    resourceVersion?: string;
    creationTimestamp?: string;
    deletionTimestamp?: string;
    annotations?: Record<string, string>;
    labels?: Record<string, string>;
    finalizers?: string[];
    ownerReferences?: { kind: string; name: string; uid: string }[];
}

// status.resources[]
export interface ResourceStatus extends ResourceRef {
    status?: SyncCode;
    health?: Health;
    hook?: boolean;
    syncWave?: number | string;
    requiresPruning?: boolean;
    requiresDeletionConfirmation?: boolean;
    createdAt?: string;
}

// status.operationState.syncResult.resources[]
export interface ResourceResult extends ResourceRef {
    status?: string;
    message?: string;
    hookType?: string;
    hookPhase?: OperationPhase;
    syncPhase?: string;
    images?: string[];
}

export interface SyncOperation {
    revision?: string;
    revisions?: string[];
    prune?: boolean;
    dryRun?: boolean;
    resources?: ResourceRef[];
    syncStrategy?: { apply?: { force?: boolean }; hook?: { force?: boolean } };
    syncOptions?: string[];
}

export interface Operation {
    sync?: SyncOperation;
    initiatedBy?: { username?: string; automated?: boolean };
    retry?: RetryStrategy;
}

export interface OperationState {
    operation?: Operation;
    phase?: OperationPhase;
    message?: string;
    startedAt?: string;
    finishedAt?: string;
    retryCount?: number | string;
    syncResult?: { revision?: string; revisions?: string[]; resources?: ResourceResult[] };
}

export interface Condition {
    type: string;
    message: string;
    lastTransitionTime?: string;
}

export interface HistoryEntry {
    id?: number | string;
    revision?: string;
    revisions?: string[];
    source?: AppSource;
    sources?: AppSource[];
    deployStartedAt?: string;
    deployedAt?: string;
    initiatedBy?: { username?: string; automated?: boolean };
}

export interface AppStatus {
    sync?: { status?: SyncCode; revision?: string; revisions?: string[]; comparedTo?: unknown };
    health?: Health;
    operationState?: OperationState;
    history?: HistoryEntry[];
    conditions?: Condition[];
    summary?: { externalURLs?: string[]; images?: string[]; isAppOfApps?: boolean };
    resources?: ResourceStatus[];
    reconciledAt?: string;
    sourceHydrator?: unknown;
}

export interface Application {
    metadata: Metadata;
    spec: AppSpec;
    operation?: Operation;
    status?: AppStatus;
}

export interface InfoItem {
    name: string;
    value: string;
}

export interface NetworkingInfo {
    targetLabels?: Record<string, string>;
    targetRefs?: ResourceRef[];
    labels?: Record<string, string>;
    ingress?: { hostname?: string; ip?: string }[];
    externalURLs?: string[];
}

export interface ResourceNode extends ResourceRef {
    parentRefs?: ResourceRef[];
    info?: InfoItem[];
    images?: string[];
    health?: Health;
    resourceVersion?: string;
    createdAt?: string;
    networkingInfo?: NetworkingInfo;
}

export interface ApplicationTree {
    nodes?: ResourceNode[];
    orphanedNodes?: ResourceNode[];
    hosts?: unknown[];
}

export interface ResourceDiff extends ResourceRef {
    liveState?: string;
    targetState?: string;
    normalizedLiveState?: string;
    predictedLiveState?: string;
}

export interface KubeEvent {
    metadata: { uid?: string; name?: string; creationTimestamp?: string };
    type?: string;
    reason?: string;
    message?: string;
    count?: number;
    firstTimestamp?: string;
    lastTimestamp?: string;
    eventTime?: string;
    source?: { component?: string };
    reportingComponent?: string;
}

export interface RevisionMetadata {
    author?: string;
    date?: string;
    message?: string;
    tags?: string[];
}

export interface Settings {
    url?: string;
    additionalUrls?: string[];
    appsInAnyNamespaceEnabled?: boolean;
    dexConfig?: { connectors?: { id?: string; name?: string; type?: string }[] };
    oidcConfig?: { name?: string; issuer?: string };
    dexAuthConnectorID?: string;
    userLoginsDisabled?: boolean;
    uiLoginButtonText?: string;
    uiCssURL?: string;
    uiBannerContent?: string;
    uiBannerURL?: string;
    uiBannerPermanent?: boolean;
    uiBannerPosition?: string;
    help?: { chatUrl?: string; chatText?: string; binaryUrls?: Record<string, string> };
    execEnabled?: boolean;
    syncWithReplaceAllowed?: boolean;
    controllerNamespace?: string;
}

export interface UserInfo {
    loggedIn?: boolean;
    username?: string;
    iss?: string;
    groups?: string[];
}

export type VersionInfo = Record<string, string>;

// One application in the list: the columns of the live topic `apps`. See live/protocol.ts for how they are derived.
export interface AppRow {
    name: string;
    namespace: string;
    project: string;
    labels: Record<string, string>;
    annotations: Record<string, string>;
    created: string;
    health: HealthCode;
    sync: SyncCode;
    op: string;
    opStarted: string;
    opFinished: string;
    revision: string;
    sources: AppSource[];
    dest: Destination;
    autoSync: boolean;
    refreshing: boolean;
    urls: string[];
    notice: string;
    rv: string;
}
