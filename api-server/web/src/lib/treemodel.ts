// From the rows of a tree to the cards that are shown: joining with the status of managed resources, parents, order,
// filters with bridging, folding, grouping. Pure; the layout (treelayout.ts) places what comes out.

import type { HealthCode, ResourceNode, ResourceStatus, SyncCode } from '../types';
import { compare, globToRegExp, naturalKey } from './text';

export interface TreeItem {
    id: string;
    key: string;
    node: ResourceNode;
    orphaned: boolean;
    managed?: ResourceStatus;
    health?: HealthCode;
    sync?: SyncCode;
    // undefined: child of the application itself.
    parent?: TreeItem;
    others: TreeItem[];
    children: TreeItem[];
    order: string;
}

// Hooks are not in what Git wants, and their status says requiresPruning; a sync deletes them by their own policies.
export function prunes(r: ResourceStatus | undefined): boolean {
    return !!r?.requiresPruning && !r.hook;
}

export interface Card {
    id: string;
    kind: 'app' | 'resource' | 'group' | 'pods' | 'stub';
    depth: number;
    parent: number;
    // Position among its siblings, from 1, and how many they are.
    pos: number;
    size: number;
    item?: TreeItem;
    // Members of a group, pods of a pod card.
    members: TreeItem[];
    hidden: number;
    folded: boolean;
    hasChildren: boolean;
}

export interface ResourceFilter {
    name: string[];
    kind: string[];
    health: string[];
    sync: string[];
    namespace: string[];
}

export const NO_FILTER: ResourceFilter = { name: [], kind: [], health: [], sync: [], namespace: [] };

export interface TreeOptions {
    filter: ResourceFilter;
    onlyProblems: boolean;
    orphaned: boolean;
    groupKinds: boolean;
    // Pods under their owner as dots: above 15 by itself, always, or never.
    podGroups: 'auto' | 'on' | 'off';
    folded: ReadonlySet<string>;
    // Groups that the user opened.
    opened: ReadonlySet<string>;
}

export const AUTO_POD_GROUP = 15;
export const AUTO_GROUP_NODES = 2000;

export function keyOf(r: { group?: string; kind: string; namespace?: string; name: string }): string {
    return `${r.group ?? ''}/${r.kind}/${r.namespace ?? ''}/${r.name}`;
}

function infoValue(n: ResourceNode, name: string): string | undefined {
    return n.info?.find(i => i.name === name)?.value;
}

function orderOf(n: ResourceNode, orphaned: boolean): string {
    const revision = n.kind === 'ReplicaSet' ? Number(/\d+/.exec(infoValue(n, 'Revision') ?? '')?.[0] ?? 0) : 0;
    const newestFirst = n.kind === 'ReplicaSet' ? String(1e9 - revision).padStart(10, '0') : '';
    return `${orphaned ? 1 : 0} ${n.group ?? ''}/${n.kind}/${n.namespace ?? ''}/${newestFirst}${naturalKey(n.name)}`;
}

// All resources, with parents and children set. Managed resources that the tree lacks are added.
export function buildItems(nodes: (ResourceNode & { o?: number })[], managed: ResourceStatus[]): TreeItem[] {
    const status = new Map(managed.map(m => [keyOf(m), m]));
    const items: TreeItem[] = [];
    const byUid = new Map<string, TreeItem>();
    const byKey = new Map<string, TreeItem>();
    const add = (n: ResourceNode & { o?: number }) => {
        const key = keyOf(n);
        const m = status.get(key);
        const orphaned = n.o === 1;
        const item: TreeItem = {
            id: n.uid || key,
            key,
            node: n,
            orphaned,
            managed: m,
            health: n.health?.status ?? m?.health?.status,
            sync: m?.status,
            others: [],
            children: [],
            order: orderOf(n, orphaned),
        };
        items.push(item);
        if (n.uid) byUid.set(n.uid, item);
        byKey.set(key, item);
    };
    for (const n of nodes) add(n);
    for (const m of managed) if (!byKey.has(keyOf(m)) && !m.hook) add({ ...m, health: m.health });
    for (const i of items) link(i, byUid, byKey);
    breakCycles(items);
    for (const i of items) i.children.sort((a, b) => compare(a.order, b.order));
    return items.sort((a, b) => compare(a.order, b.order));
}

function link(i: TreeItem, byUid: Map<string, TreeItem>, byKey: Map<string, TreeItem>): void {
    for (const ref of i.node.parentRefs ?? []) {
        const p = (ref.uid && byUid.get(ref.uid)) || byKey.get(keyOf(ref));
        if (!p || p === i) continue;
        const sameScope = !p.node.namespace || p.node.namespace === i.node.namespace;
        if (!sameScope) continue;
        if (!i.parent && !i.managed) {
            i.parent = p;
            p.children.push(i);
        } else {
            i.others.push(p);
        }
    }
}

// Owner references may form a ring; whoever cannot be reached from a root becomes one.
function breakCycles(items: TreeItem[]): void {
    const seen = new Set<TreeItem>();
    const visit = (from: TreeItem) => {
        const stack = [from];
        while (stack.length > 0) {
            const i = stack.pop()!;
            if (seen.has(i)) continue;
            seen.add(i);
            stack.push(...i.children);
        }
    };
    for (const i of items) if (!i.parent) visit(i);
    for (const i of items) {
        if (seen.has(i)) continue;
        i.parent!.children = i.parent!.children.filter(c => c !== i);
        i.parent = undefined;
        visit(i);
    }
}

type Test = (i: TreeItem) => boolean;

function values(wanted: string[], of: (i: TreeItem) => string, glob: boolean): Test | undefined {
    if (wanted.length === 0) return undefined;
    const test = (w: string): ((v: string) => boolean) => {
        if (!glob) return v => v === w;
        const re = globToRegExp(w.includes('*') ? w : `*${w}*`);
        return v => re.test(v);
    };
    const yes = wanted.filter(w => !w.startsWith('!')).map(test);
    const no = wanted.filter(w => w.startsWith('!')).map(w => test(w.slice(1)));
    return i => {
        const v = of(i);
        return !no.some(t => t(v)) && (yes.length === 0 || yes.some(t => t(v)));
    };
}

export function isProblem(i: TreeItem): boolean {
    return i.health === 'Degraded' || i.health === 'Missing' || i.sync === 'OutOfSync';
}

export function filterTest(f: ResourceFilter, onlyProblems: boolean): Test | undefined {
    // An unknown sync status counts as out of sync, as in Argo CD.
    const sync = f.sync.map(s => s);
    if (sync.includes('OutOfSync')) sync.push('Unknown');
    const tests = [
        values(f.name, i => i.node.name, true),
        values(f.kind, i => i.node.kind, false),
        values(f.health, i => i.health ?? '', false),
        values(sync, i => i.sync ?? '', false),
        values(f.namespace, i => i.node.namespace ?? '', false),
        onlyProblems ? isProblem : undefined,
    ].filter(t => t !== undefined);
    return tests.length === 0 ? undefined : i => tests.every(t => t(i));
}

interface Pending {
    card: Omit<Card, 'depth' | 'parent' | 'pos' | 'size' | 'hasChildren'>;
    kids: () => Pending[];
}

// The cards in depth-first order; the first is the application.
export function buildCards(items: TreeItem[], o: TreeOptions): Card[] {
    const test = filterTest(o.filter, o.onlyProblems);
    const eligible = o.orphaned ? items : items.filter(i => !i.orphaned);
    const shown = new Set(test ? eligible.filter(test) : eligible);
    const hidden = eligible.length - shown.size;

    // The nearest shown descendants: what is filtered out is bridged.
    const kidsOf = (list: TreeItem[]): TreeItem[] => {
        const out: TreeItem[] = [];
        const stack = [...list].reverse();
        while (stack.length > 0) {
            const i = stack.pop()!;
            if (shown.has(i)) out.push(i);
            else for (let c = i.children.length - 1; c >= 0; c--) stack.push(i.children[c]!);
        }
        return out;
    };
    const roots = items.filter(i => !i.parent);
    const root: Pending = {
        card: { id: 'app', kind: 'app', members: [], hidden: 0, folded: o.folded.has('app') },
        kids: () => {
            const k = arrange('app', kidsOf(roots));
            if (hidden > 0) k.push({ card: { id: 'stub', kind: 'stub', members: [], hidden, folded: false }, kids: () => [] });
            return k;
        },
    };

    const single = (i: TreeItem): Pending => ({
        card: { id: i.id, kind: 'resource', item: i, members: [], hidden: 0, folded: o.folded.has(i.id) },
        kids: () => arrange(i.id, kidsOf(i.children)),
    });

    const arrange = (owner: string, kids: TreeItem[]): Pending[] => {
        const pods = kids.filter(k => k.node.kind === 'Pod' && k.children.length === 0);
        const dots = o.podGroups === 'on' ? pods.length > 1 : o.podGroups === 'auto' && pods.length > AUTO_POD_GROUP;
        const id = `pods:${owner}`;
        const out: Pending[] = [];
        if (dots && !o.opened.has(id)) {
            out.push({ card: { id, kind: 'pods', members: pods, hidden: 0, folded: false }, kids: () => [] });
            kids = kids.filter(k => !pods.includes(k));
        }
        const rest = o.groupKinds ? groupKinds(owner, kids) : kids.map(single);
        return [...rest, ...out];
    };

    const groupKinds = (owner: string, kids: TreeItem[]): Pending[] => {
        const groups = new Map<string, TreeItem[]>();
        for (const k of kids) {
            if (k.children.length > 0) continue;
            const g = `${k.node.group ?? ''}/${k.node.kind}`;
            const list = groups.get(g);
            if (list) list.push(k);
            else groups.set(g, [k]);
        }
        const out: Pending[] = [];
        const done = new Set<string>();
        for (const k of kids) {
            const g = `${k.node.group ?? ''}/${k.node.kind}`;
            const list = k.children.length > 0 ? undefined : groups.get(g);
            const id = `group:${owner}:${g}`;
            if (!list || list.length < 2 || o.opened.has(id)) {
                out.push(single(k));
            } else if (!done.has(id)) {
                done.add(id);
                out.push({ card: { id, kind: 'group', members: list, hidden: list.length, folded: true }, kids: () => list.map(single) });
            }
        }
        return out;
    };

    return flatten(root);
}

function countBelow(p: Pending): number {
    const i = p.card.item;
    if (!i) return p.kids().length;
    let n = 0;
    const stack = [...i.children];
    while (stack.length > 0) {
        n++;
        stack.push(...stack.pop()!.children);
    }
    return n;
}

function flatten(root: Pending): Card[] {
    const cards: Card[] = [];
    const stack: { p: Pending; depth: number; parent: number; pos: number; size: number }[] = [{ p: root, depth: 0, parent: -1, pos: 1, size: 1 }];
    while (stack.length > 0) {
        const { p, depth, parent, pos, size } = stack.pop()!;
        const index = cards.length;
        const kids = p.card.kind === 'group' ? [] : p.kids();
        const card: Card = { ...p.card, depth, parent, pos, size, hasChildren: kids.length > 0 };
        cards.push(card);
        if (card.folded && kids.length > 0) {
            card.hidden = countBelow(p);
            continue;
        }
        for (let k = kids.length - 1; k >= 0; k--) stack.push({ p: kids[k]!, depth: depth + 1, parent: index, pos: k + 1, size: kids.length });
    }
    return cards;
}

// `name:*x*,kind:Pod,health:Degraded`, as Argo CD writes it into the address.
export function readFilter(text: string): ResourceFilter {
    const f: ResourceFilter = { name: [], kind: [], health: [], sync: [], namespace: [] };
    for (const part of text.split(',')) {
        const colon = part.indexOf(':');
        if (colon < 0) continue;
        const list = f[part.slice(0, colon) as keyof ResourceFilter];
        if (list && part.length > colon + 1) list.push(part.slice(colon + 1));
    }
    return f;
}

export function writeFilter(f: ResourceFilter): string {
    return (Object.keys(f) as (keyof ResourceFilter)[]).flatMap(k => f[k].map(v => `${k}:${v}`)).join(',');
}
