// How a kind of resource is shown: a short label as kubectl abbreviates it, a category that colours its tile, and a
// glyph or the letters of its name.

import { ICONS, type IconName } from './sprite';

export type Category = 'workload' | 'network' | 'config' | 'storage' | 'access' | 'policy' | 'cluster' | 'argo' | 'custom';

const KINDS: Record<string, [string, Category]> = {
    Application: ['app', 'argo'],
    ApplicationSet: ['appset', 'argo'],
    AppProject: ['proj', 'argo'],
    Rollout: ['rollout', 'argo'],
    AnalysisRun: ['ar', 'argo'],
    Workflow: ['wf', 'argo'],
    Deployment: ['deploy', 'workload'],
    ReplicaSet: ['rs', 'workload'],
    Pod: ['po', 'workload'],
    StatefulSet: ['sts', 'workload'],
    DaemonSet: ['ds', 'workload'],
    ReplicationController: ['rc', 'workload'],
    Job: ['job', 'workload'],
    CronJob: ['cj', 'workload'],
    ControllerRevision: ['crev', 'workload'],
    HorizontalPodAutoscaler: ['hpa', 'policy'],
    PodDisruptionBudget: ['pdb', 'policy'],
    NetworkPolicy: ['netpol', 'policy'],
    LimitRange: ['limits', 'policy'],
    ResourceQuota: ['quota', 'policy'],
    PriorityClass: ['pc', 'policy'],
    Service: ['svc', 'network'],
    Endpoints: ['ep', 'network'],
    EndpointSlice: ['eps', 'network'],
    Ingress: ['ing', 'network'],
    IngressClass: ['ingcls', 'network'],
    Gateway: ['gtw', 'network'],
    HTTPRoute: ['route', 'network'],
    ConfigMap: ['cm', 'config'],
    Secret: ['secret', 'config'],
    ServiceAccount: ['sa', 'access'],
    Role: ['role', 'access'],
    RoleBinding: ['rb', 'access'],
    ClusterRole: ['c.role', 'access'],
    ClusterRoleBinding: ['crb', 'access'],
    PersistentVolumeClaim: ['pvc', 'storage'],
    PersistentVolume: ['pv', 'storage'],
    StorageClass: ['sc', 'storage'],
    VolumeSnapshot: ['vs', 'storage'],
    Namespace: ['ns', 'cluster'],
    Node: ['node', 'cluster'],
    CustomResourceDefinition: ['crd', 'cluster'],
    APIService: ['apisvc', 'cluster'],
    MutatingWebhookConfiguration: ['mwc', 'cluster'],
    ValidatingWebhookConfiguration: ['vwc', 'cluster'],
    Event: ['ev', 'cluster'],
};

export function kindLabel(kind: string): string {
    return KINDS[kind]?.[0] ?? kind.toLowerCase();
}

export function kindCategory(group: string, kind: string): Category {
    return KINDS[kind]?.[1] ?? (group.endsWith('argoproj.io') ? 'argo' : 'custom');
}

export function kindGlyph(kind: string): IconName | undefined {
    const name = `k-${kind.toLowerCase()}`;
    return name in ICONS ? (name as IconName) : undefined;
}

// Two to four letters: the capitals of the name, or its first ones.
export function monogram(kind: string): string {
    const capitals = kind.replace(/[^A-Z]/g, '');
    return (capitals.length >= 2 ? capitals : kind.toUpperCase()).slice(0, capitals.length >= 2 ? 4 : 3);
}
