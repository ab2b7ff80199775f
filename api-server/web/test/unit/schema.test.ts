// The test server speaks what the schema says; the schema can tell when one does not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Live } from '../fake/live.mjs';
import { World } from '../fake/world.mjs';
import { parseMessage, snapRows } from '../../src/live/protocol';
// The bundler would move the file away from the schema beside it, so it is loaded where it is.
const { checkMessage } = (await import(/* @vite-ignore */ `${process.cwd()}/test/schema/validate.mjs`)) as { checkMessage: (m: unknown, topic?: string) => string[] };

interface Sent {
    ev: string;
    id?: number;
}

function connect(world: World) {
    const live = new Live(world);
    const sent: Sent[] = [];
    const ws = { send: (m: Sent) => sent.push(JSON.parse(JSON.stringify(m)) as Sent), onMessage: (_: string) => {}, onClose: () => {}, close() {}, cut() {} };
    live.connect(ws);
    return { live, sent, say: (m: object) => ws.onMessage(JSON.stringify(m)) };
}

test('every message of a session fits', async () => {
    const world = new World({ apps: 700, stepMs: 5 });
    const { live, sent, say } = connect(world);
    const topics: Record<number, string> = { 1: 'apps', 2: 'app', 3: 'tree' };
    say({ op: 'sub', id: 1, topic: 'apps', args: {} });
    for (const id of [2, 3]) say({ op: 'sub', id, topic: topics[id], args: { name: 'shop', appNamespace: 'argocd' } });
    say({ op: 'sub', id: 4, topic: 'app', args: { name: 'absent' } });
    say({ op: 'ping', t: 1 });
    await new Promise(r => setTimeout(r, 30));
    world.sync('argocd/shop', { prune: false }, 'admin');
    world.remove('argocd/guestbook');
    await new Promise(r => setTimeout(r, 400));
    world.stop();
    live.closeAll(1000);
    const kinds = new Set(sent.map(m => m.ev));
    for (const k of ['hello', 'snap', 'delta', 'err', 'pong']) assert.ok(kinds.has(k), k);
    for (const m of sent) assert.deepEqual(checkMessage(m, topics[m.id ?? 0]), [], JSON.stringify(m).slice(0, 300));
    const snaps = sent.filter(m => m.ev === 'snap' && m.id === 1);
    assert.equal(snaps.length, 2, '700 rows are two parts');
    const rows = snaps.flatMap(m => snapRows(parseMessage(JSON.stringify(m)) as never));
    assert.equal(rows.length, 700);
    assert.equal(rows.find(r => r[0] === 'argocd/shop')![1].health, 'Degraded');
});

test('what may be left out may be left out', () => {
    const good: [object, string][] = [
        [{ ev: 'snap', id: 1, seq: 0, rev: 1, reset: false, rows: [], more: false }, 'apps'],
        [{ ev: 'snap', id: 1, seq: 0, rev: 1, reset: true, cols: ['name', 'health#', 'op#'], dict: ['Healthy'], rows: [['a/x', 'x', 0], ['a/y'], ['a/z', null, null]], more: false }, 'apps'],
    ];
    for (const [m, topic] of good) assert.deepEqual(checkMessage(m, topic), [], JSON.stringify(m));
    const rows = snapRows(parseMessage(JSON.stringify(good[1]![0])) as never);
    assert.deepEqual(rows, [['a/x', { name: 'x', health: 'Healthy' }], ['a/y', {}], ['a/z', {}]]);
});

test('the schema refuses what is wrong', () => {
    const bad: [object, string?][] = [
        [{ ev: 'hello', proto: 2, epoch: 'x', pe: 1, hb: 25 }],
        [{ ev: 'snap', id: 1, seq: 0, rev: 1, reset: true, rows: [[1]], more: false }],
        [{ ev: 'delta', id: 1, rev: 1 }],
        [{ ev: 'unheard' }],
        [{ ev: 'snap', id: 1, seq: 0, rev: 1, reset: true, cols: ['a'], rows: [['k', 1, 2]], more: false }],
        [{ ev: 'delta', id: 1, seq: 0, rev: 1, set: [['argocd/x', { wealth: 'Healthy' }]] }, 'apps'],
        [{ ev: 'delta', id: 1, seq: 0, rev: 1, set: [['argocd/x', { health: 'Fine' }]] }, 'apps'],
        [{ ev: 'delta', id: 1, seq: 0, rev: 1, set: [['x', {}]] }, 'app'],
        [{ ev: 'snap', id: 1, seq: 0, rev: 1, reset: true, cols: ['health#'], dict: ['Healthy'], rows: [['a/x', 7]], more: false }, 'apps'],
    ];
    for (const [m, topic] of bad) assert.notDeepEqual(checkMessage(m, topic), [], JSON.stringify(m));
});
