import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bigTree, managedOf } from '../fake/world.mjs';
import { edges, layout, visible } from '../../src/lib/treelayout';
import { buildCards, buildItems, keyOf, NO_FILTER, readFilter, writeFilter, type Card, type TreeOptions, prunes } from '../../src/lib/treemodel';
import type { ResourceNode, ResourceStatus } from '../../src/types';

const OPTIONS: TreeOptions = { filter: NO_FILTER, onlyProblems: false, orphaned: false, groupKinds: false, podGroups: 'off', folded: new Set(), opened: new Set() };

let uid = 0;

function n(kind: string, name: string, parent?: ResourceNode, more: Partial<ResourceNode & { o: number }> = {}): ResourceNode {
    return { group: kind === 'Pod' ? '' : 'apps', version: 'v1', kind, namespace: 'd', name, uid: `u${++uid}`, parentRefs: parent ? [parent] : undefined, ...more };
}

const show = (cards: Card[]) => cards.map(c => `${'  '.repeat(c.depth)}${c.item?.node.name ?? c.kind}${c.hidden ? ` +${c.hidden}` : ''}`);

function sample() {
    const d = n('Deployment', 'web');
    const rs1 = n('ReplicaSet', 'web-1', d, { info: [{ name: 'Revision', value: 'Rev:1' }] });
    const rs2 = n('ReplicaSet', 'web-2', d, { info: [{ name: 'Revision', value: 'Rev:2' }] });
    const p10 = n('Pod', 'web-2-10', rs2, { health: { status: 'Degraded' } });
    const p9 = n('Pod', 'web-2-9', rs2);
    const orphan = n('ConfigMap', 'stray', undefined, { o: 1 } as object);
    return [d, rs1, rs2, p10, p9, orphan];
}

test('parents, natural order, newest ReplicaSet first, orphans only when asked', () => {
    const items = buildItems(sample(), []);
    assert.deepEqual(show(buildCards(items, OPTIONS)), ['app', '  web', '    web-2', '      web-2-9', '      web-2-10', '    web-1']);
    assert.deepEqual(show(buildCards(items, { ...OPTIONS, orphaned: true })).slice(-1), ['  stray']);
});

test('managed resources are roots, missing ones are added, hooks are not', () => {
    const d = n('Deployment', 'web');
    const cm = n('ConfigMap', 'cm', d);
    const managed: ResourceStatus[] = [
        { group: 'apps', kind: 'ConfigMap', namespace: 'd', name: 'cm', status: 'OutOfSync' },
        { group: '', kind: 'Service', namespace: 'd', name: 'gone', status: 'OutOfSync', health: { status: 'Missing' } },
        { group: 'batch', kind: 'Job', namespace: 'd', name: 'hook', hook: true },
    ];
    const items = buildItems([d, cm], managed);
    assert.deepEqual(show(buildCards(items, OPTIONS)), ['app', '  gone', '  cm', '  web']);
    const item = items.find(i => i.node.name === 'cm')!;
    assert.equal(item.sync, 'OutOfSync');
    assert.deepEqual(item.others.map(o => o.node.name), ['web'], 'its owner is still shown by a line');
});

test('owner references in a ring, to itself and to nowhere lose nobody', () => {
    const a = n('A', 'a');
    const b = n('A', 'b', a);
    a.parentRefs = [b];
    const self = n('A', 'self');
    self.parentRefs = [self];
    const lost = n('A', 'lost', n('A', 'absent'));
    const cards = buildCards(buildItems([a, b, self, lost], []), OPTIONS);
    assert.deepEqual(cards.map(c => c.item?.node.name).filter(Boolean).sort(), ['a', 'b', 'lost', 'self']);
});

test('an owner in another namespace is no parent', () => {
    const d = n('Deployment', 'web', undefined, { namespace: 'other' });
    assert.deepEqual(show(buildCards(buildItems([d, n('Pod', 'p', d)], []), OPTIONS)), ['app', '  p', '  web']);
    const c = n('ClusterThing', 'c', undefined, { namespace: '' });
    assert.deepEqual(show(buildCards(buildItems([c, n('Pod', 'p', c)], []), OPTIONS)), ['app', '  c', '    p']);
});

test('what is filtered out is bridged and counted', () => {
    const items = buildItems(sample(), []);
    assert.deepEqual(show(buildCards(items, { ...OPTIONS, filter: readFilter('kind:Pod') })), ['app', '  web-2-9', '  web-2-10', '  stub +3']);
    assert.deepEqual(show(buildCards(items, { ...OPTIONS, filter: readFilter('kind:!ReplicaSet') })), ['app', '  web', '    web-2-9', '    web-2-10', '  stub +2']);
    assert.deepEqual(show(buildCards(items, { ...OPTIONS, onlyProblems: true })), ['app', '  web-2-10', '  stub +4']);
    assert.deepEqual(show(buildCards(items, { ...OPTIONS, filter: readFilter('name:*-9,health:Healthy') })), ['app', '  stub +5']);
});

test('folding hides and counts', () => {
    const items = buildItems(sample(), []);
    const web = items.find(i => i.node.name === 'web')!;
    assert.deepEqual(show(buildCards(items, { ...OPTIONS, folded: new Set([web.id]) })), ['app', '  web +4']);
});

test('pods become dots above fifteen, and groups open', () => {
    const rs = n('ReplicaSet', 'rs');
    const pods = Array.from({ length: 16 }, (_, i) => n('Pod', `p${i}`, rs));
    const items = buildItems([rs, ...pods], []);
    const auto = buildCards(items, { ...OPTIONS, podGroups: 'auto' });
    assert.deepEqual(show(auto), ['app', '  rs', '    pods']);
    assert.equal(auto[2]!.members.length, 16);
    assert.equal(buildCards(items, { ...OPTIONS, podGroups: 'auto', opened: new Set([auto[2]!.id]) }).length, 18);
    const grouped = buildCards(items, { ...OPTIONS, groupKinds: true });
    assert.deepEqual(show(grouped), ['app', '  rs', '    group +16']);
    assert.equal(buildCards(items, { ...OPTIONS, groupKinds: true, opened: new Set([grouped[2]!.id]) }).length, 18);
});

test('filters go through the address and back', () => {
    for (const text of ['kind:Pod', 'name:*x*,kind:Pod,kind:!Job,health:Degraded,sync:OutOfSync,namespace:y']) assert.deepEqual(readFilter(writeFilter(readFilter(text))), readFilter(text));
    assert.deepEqual(readFilter('nonsense,foo:bar,kind:'), NO_FILTER);
});

test('cards never overlap, parents stand before their children, in both directions', () => {
    const cards = buildCards(buildItems(sample(), []), { ...OPTIONS, orphaned: true });
    for (const direction of ['LR', 'TB'] as const) {
        const l = layout(cards, direction);
        for (let i = 0; i < cards.length; i++) {
            const a = l.boxes[i]!;
            assert.ok(a.x >= 0 && a.y >= 0 && a.x + a.w <= l.width && a.y + a.h <= l.height);
            for (let k = i + 1; k < cards.length; k++) {
                const b = l.boxes[k]!;
                const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
                assert.ok(apart, `${direction}: ${i} and ${k} overlap`);
            }
            const p = cards[i]!.parent;
            if (p >= 0) assert.ok(direction === 'LR' ? l.boxes[p]!.x < a.x : l.boxes[p]!.y < a.y);
        }
    }
});

test('2,000 nodes: items, cards and layout within the budget; culling leaves a screenful', () => {
    const tree = bigTree('big') as ResourceNode[];
    assert.equal(tree.length, 2000);
    const managed = managedOf(tree, 'Synced') as ResourceStatus[];
    const runs: number[] = [];
    let cards: Card[] = [];
    for (let i = 0; i < 15; i++) {
        cards = buildCards(buildItems(tree, managed), OPTIONS);
        const t = performance.now();
        layout(cards, 'LR');
        runs.push(performance.now() - t);
    }
    const best = Math.min(...runs);
    assert.ok(best <= 10, `layout took ${best.toFixed(2)} ms`);
    assert.equal(cards.length, 2001, 'nobody is dropped');
    const l = layout(cards, 'LR');
    const window = { x: 0, y: l.height / 2, w: 1440 * 1.5, h: 900 * 1.5 };
    const shown = visible(l, window);
    assert.ok(shown.length > 10 && shown.length < 120, `${shown.length} cards`);
    const lines = edges(l, window, 'LR');
    assert.ok(lines.length > 0 && lines.length < 60);
    assert.ok(lines.every(e => e.d.length < 6000), 'a path is clipped to the window');
});

test('a very deep chain is no problem', () => {
    const chain: ResourceNode[] = [];
    for (let i = 0; i < 20_000; i++) chain.push(n('A', `a${i}`, chain[i - 1]));
    const cards = buildCards(buildItems(chain, []), OPTIONS);
    assert.equal(cards.length, 20_001);
    assert.equal(layout(cards, 'TB').boxes.length, 20_001);
});

test('keyOf', () => {
    assert.equal(keyOf({ kind: 'Pod', name: 'x', namespace: 'n' }), '/Pod/n/x');
});

test('what a sync would prune: not hooks, though their status says requiresPruning', () => {
    const r = { group: 'batch', version: 'v1', kind: 'Job', namespace: 'a', name: 'b', requiresPruning: true };
    assert.equal(prunes(r), true);
    assert.equal(prunes({ ...r, hook: true }), false);
    assert.equal(prunes(undefined), false);
});
