import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Table, sameValue, type Changes } from '../../src/store/table';

interface Row {
    name: string;
    health: string;
    labels: Record<string, string>;
}

const DEFAULTS: Row = { name: '', health: 'Unknown', labels: {} };

function table() {
    const t = new Table<Row>(DEFAULTS);
    const changes: Changes[] = [];
    t.onChange(c => changes.push(c));
    return { t, changes };
}

const part = (set: [string, Record<string, unknown>][], o: { reset?: boolean; first?: boolean; done?: boolean; del?: string[] } = {}) => ({
    reset: o.reset ?? true,
    first: o.first ?? true,
    done: o.done ?? true,
    set,
    del: o.del ?? [],
});

test('the first snapshot shows as it comes', () => {
    const { t } = table();
    t.snap(part([['a', { name: 'a' }]], { done: false }));
    assert.equal(t.size, 1);
    assert.equal(t.ready.value, false);
    t.snap(part([['b', { name: 'b' }]], { first: false }));
    assert.deepEqual([...t.keys()], ['a', 'b']);
    assert.equal(t.ready.value, true);
});

test('a later reset is swapped in as a whole, and only what differs counts as changed', () => {
    const { t, changes } = table();
    t.snap(part([['a', { name: 'a', labels: { x: '1' } }], ['b', { name: 'b' }]]));
    changes.length = 0;
    t.snap(part([['a', { name: 'a', labels: { x: '1' } }]], { done: false }));
    assert.deepEqual([...t.keys()], ['a', 'b'], 'nothing vanishes while it arrives');
    t.snap(part([['c', { name: 'c' }]], { first: false }));
    assert.deepEqual([...t.keys()].sort(), ['a', 'c']);
    assert.deepEqual(changes, [{ set: ['c'], del: ['b'] }]);
});

test('deltas merge columns, null clears to the default, unknown deletions are nothing', () => {
    const { t, changes } = table();
    t.snap(part([['a', { name: 'a', health: 'Healthy' }]]));
    t.delta([['a', { health: 'Degraded' }]], []);
    assert.deepEqual(t.get('a'), { name: 'a', health: 'Degraded', labels: {} });
    t.delta([['a', { health: null }]], ['zzz']);
    assert.equal(t.get('a')!.health, 'Unknown');
    changes.length = 0;
    t.delta([['a', { health: 'Unknown' }]], []);
    assert.deepEqual(changes, [], 'a change to the same value is none');
});

test('an accepted resume merges and deletes', () => {
    const { t } = table();
    t.snap(part([['a', { name: 'a' }], ['b', { name: 'b' }]]));
    t.snap(part([['a', { health: 'Missing' }]], { reset: false, del: ['b'] }));
    assert.deepEqual([...t.entries()], [['a', { name: 'a', health: 'Missing', labels: {} }]]);
});

test('what may no longer be seen is not shown; other errors keep it', () => {
    const { t } = table();
    t.snap(part([['a', { name: 'a' }]]));
    t.onError({ code: 'Unavailable', http: 503, message: '' });
    assert.equal(t.size, 1);
    t.onError({ code: 'PermissionDenied', http: 403, message: '' });
    assert.equal(t.size, 0);
    t.snap(part([['a', { name: 'a' }]]));
    assert.equal(t.error.value, undefined);
});

test('sameValue', () => {
    const cases: [unknown, unknown, boolean][] = [
        [1, 1, true],
        [{ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }, true],
        [{ a: 1 }, { a: 1, b: undefined }, false],
        [[1, 2], [2, 1], false],
        [null, {}, false],
        [[], {}, false],
    ];
    for (const [a, b, want] of cases) assert.equal(sameValue(a, b), want, JSON.stringify([a, b]));
});
