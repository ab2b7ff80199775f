// What the parts of an application's page share.

import { setParams } from '../../routes/router';
import type { AppRef } from '../../rest/api';
import type { Application, ResourceRef } from '../../types';
import type { AppStore } from '../../store/app';

export interface AppContext {
    ref: AppRef;
    store: AppStore;
    app: Application;
}

export const APP_GROUP = 'argoproj.io';

export function appNode(a: AppRef): ResourceRef {
    return { group: APP_GROUP, kind: 'Application', namespace: a.namespace, name: a.name };
}

// `group/kind/namespace/name/container`, as Argo CD writes it.
export function readNode(text: string): ResourceRef | undefined {
    const p = text.split('/');
    if (p.length < 4 || !p[1] || !p[3]) return undefined;
    return { group: p[0], kind: p[1], namespace: p[2], name: p[3] };
}

export function writeNode(r: ResourceRef): string {
    return `${r.group ?? ''}/${r.kind}/${r.namespace ?? ''}/${r.name}/0`;
}

export function openNode(r: ResourceRef, tab?: string): void {
    setParams({ node: writeNode(r), tab: tab ?? null }, { push: true });
}

export function kubectlGet(r: ResourceRef): string {
    const kind = r.kind.toLowerCase() + (r.group ? `.${r.group}` : '');
    return `kubectl get ${kind} ${r.name}${r.namespace ? ` -n ${r.namespace}` : ''}`;
}
