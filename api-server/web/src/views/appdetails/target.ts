// What the resource panel is about: a node of the tree, a managed resource, or the application itself.

import { keyOf } from '../../lib/treemodel';
import type { TreeRow } from '../../store/app';
import type { ResourceRef, ResourceStatus } from '../../types';
import { appNode, type AppContext } from './context';

export interface Target {
    ctx: AppContext;
    ref: ResourceRef;
    isApp: boolean;
    node?: TreeRow;
    managed?: ResourceStatus;
}

export function findTarget(ctx: AppContext, wanted: ResourceRef): Target {
    const key = keyOf(wanted);
    const node = ctx.store.nodes.value.find(n => keyOf(n) === key);
    const managed = ctx.app.status?.resources?.find(r => keyOf(r) === key);
    const isApp = keyOf(appNode(ctx.ref)) === key;
    return { ctx, ref: { ...wanted, ...(managed ?? {}), ...(node ?? {}) }, isApp, node, managed };
}
