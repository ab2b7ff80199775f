// The live client's state machine under a made-up clock.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LiveClient } from '../../src/live/client';
import type { ConnectionHandlers, LiveState, Session, Sink } from '../../src/live/contract';

class Harness {
    t = 0;
    timers: { at: number; fn: () => void; id: number }[] = [];
    sockets: { h: ConnectionHandlers; sent: Record<string, unknown>[]; closed?: number }[] = [];
    states: LiveState[] = [];
    session: Session = 'in';
    checks = 0;
    logins = 0;
    fallbacks = 0;
    policies = 0;
    random = 0.5;
    answers = false;
    private ids = 0;
    readonly client: LiveClient;

    constructor() {
        this.client = new LiveClient({
            now: () => this.t,
            random: () => this.random,
            setTimer: (fn, ms) => {
                const id = ++this.ids;
                this.timers.push({ at: this.t + ms, fn, id });
                return id;
            },
            clearTimer: id => {
                this.timers = this.timers.filter(x => x.id !== id);
            },
            connect: h => {
                const s = { h, sent: [] as Record<string, unknown>[], closed: undefined as number | undefined };
                this.sockets.push(s);
                const send = (text: string) => {
                    const m = JSON.parse(text) as Record<string, unknown>;
                    s.sent.push(m);
                    if (m.op === 'ping' && this.answers) setImmediate(() => h.message(JSON.stringify({ ev: 'pong', t: m.t })));
                };
                return { send, close: code => (s.closed = code ?? 1000) };
            },
            checkSession: async () => {
                this.checks++;
                return this.session;
            },
            toLogin: () => this.logins++,
            changed: s => this.states.push(s),
            policyChanged: () => this.policies++,
            fallback: () => {
                this.fallbacks++;
                return () => this.fallbacks--;
            },
        });
    }

    // Runs the timers of the next milliseconds in order, letting promises settle between them.
    async pass(ms: number): Promise<void> {
        const end = this.t + ms;
        for (;;) {
            await new Promise(r => setImmediate(r));
            const next = this.timers.filter(x => x.at <= end).sort((a, b) => a.at - b.at)[0];
            if (!next) break;
            this.timers = this.timers.filter(x => x !== next);
            this.t = Math.max(this.t, next.at);
            next.fn();
        }
        this.t = end;
        await new Promise(r => setImmediate(r));
    }

    get last() {
        return this.sockets[this.sockets.length - 1]!;
    }

    say(m: object): void {
        this.last.h.message(JSON.stringify(m));
    }

    hello(epoch = 'e1', pe = 1): void {
        this.say({ ev: 'hello', proto: 1, epoch, pe, hb: 25 });
    }

    subs() {
        return this.last.sent.filter(m => m.op === 'sub');
    }
}

function recorder() {
    const log: unknown[] = [];
    const sink: Sink = {
        snap: p => log.push(['snap', p.reset, p.done, p.set, p.del]),
        delta: (set, del) => log.push(['delta', set, del]),
        onError: e => log.push(['error', e.http]),
    };
    return { log, sink };
}

test('subscribes after hello and decodes coded columns', () => {
    const h = new Harness();
    const { log, sink } = recorder();
    h.client.start();
    h.client.subscribe({ topic: 'apps', args: {}, sink });
    assert.equal(h.subs().length, 0);
    h.hello();
    assert.equal(h.client.state.kind, 'live');
    assert.deepEqual(h.subs()[0], { op: 'sub', id: 1, topic: 'apps', args: {} });
    h.say({ ev: 'snap', id: 1, seq: 0, rev: 5, reset: true, cols: ['name', 'health#'], dict: ['Healthy'], rows: [['a/x', 'x', 0], ['a/y', 'y', null]], more: false });
    assert.deepEqual(log, [['snap', true, true, [['a/x', { name: 'x', health: 'Healthy' }], ['a/y', { name: 'y' }]], []]]);
});

test('resumes with the cursor of the last whole state', async () => {
    const h = new Harness();
    const { sink } = recorder();
    h.client.start();
    const sub = h.client.subscribe({ topic: 'apps', args: {}, sink });
    h.hello('e1', 7);
    h.say({ ev: 'snap', id: 1, seq: 0, rev: 5, reset: true, rows: [], more: true });
    assert.equal(sub.cursor(), undefined, 'half a snapshot is no place to resume from');
    h.say({ ev: 'snap', id: 1, seq: 1, rev: 5, reset: true, rows: [], more: false });
    h.say({ ev: 'delta', id: 1, seq: 2, rev: 9, set: [['a/x', { health: 'Degraded' }]] });
    assert.deepEqual(sub.cursor(), { epoch: 'e1', pe: 7, rev: 9 });
    h.last.h.close(1006);
    assert.equal(h.client.state.kind, 'reconnecting');
    await h.pass(2000);
    h.hello('e1', 7);
    assert.deepEqual(h.subs()[0]!.since, { epoch: 'e1', pe: 7, rev: 9 });
});

test('a change of policy is told: by another epoch of it, or by a subscription that starts over', async () => {
    const h = new Harness();
    const { sink } = recorder();
    h.client.start();
    h.client.subscribe({ topic: 'apps', args: {}, sink });
    h.hello('e1', 1);
    const snap = (seq: number) => h.say({ ev: 'snap', id: 1, seq, rev: 5, reset: true, rows: [], more: false });
    snap(0);
    assert.equal(h.policies, 0);
    snap(1);
    assert.equal(h.policies, 1);
    h.last.h.close(1006);
    await h.pass(2000);
    h.hello('e1', 2);
    assert.equal(h.policies, 2);
    snap(0);
    assert.equal(h.policies, 2, 'the first answer on a connection is no news');
});

test('a hole in seq renews the subscription under a new id', () => {
    const h = new Harness();
    const { log, sink } = recorder();
    h.client.start();
    h.client.subscribe({ topic: 'apps', args: {}, sink });
    h.hello();
    h.say({ ev: 'snap', id: 1, seq: 0, rev: 5, reset: true, rows: [], more: false });
    h.say({ ev: 'delta', id: 1, seq: 2, rev: 9, del: ['a/x'] });
    assert.deepEqual(h.last.sent.slice(-2), [
        { op: 'unsub', id: 1 },
        { op: 'sub', id: 2, topic: 'apps', args: {}, since: { epoch: 'e1', pe: 1, rev: 5 } },
    ]);
    assert.equal(log.length, 1, 'what follows the hole is not applied');
    h.say({ ev: 'delta', id: 1, seq: 3, rev: 10, del: ['a/y'] });
    assert.equal(log.length, 1, 'nor what is still in flight for the old id');
    h.say({ ev: 'snap', id: 2, seq: 0, rev: 10, reset: false, rows: [], del: ['a/x'], more: false });
    assert.deepEqual(log[1], ['snap', false, true, [], ['a/x']]);
});

test('backs off with full jitter and never more than two attempts a second', async () => {
    const h = new Harness();
    h.random = 0;
    h.client.start();
    h.hello();
    const from = h.t;
    for (let i = 0; i < 20; i++) {
        h.last.h.close(1006);
        await h.pass(100);
    }
    assert.ok(h.sockets.length <= 2 * ((h.t - from) / 1000 + 1) + 1, `${h.sockets.length} attempts in ${h.t - from} ms`);
    h.random = 0.999;
    h.last.h.close(1006);
    const wait = h.client.state.retryAt! - h.t;
    assert.ok(wait > 1000 && wait <= 30_000, `${wait}`);
});

test('sixty quiet seconds forgive the failures', async () => {
    const h = new Harness();
    h.random = 0.999;
    h.client.start();
    h.hello();
    for (let i = 0; i < 6; i++) {
        h.last.h.close(1006);
        await h.pass(31_000);
        h.hello();
    }
    h.answers = true;
    await h.pass(61_000);
    h.last.h.close(1006);
    assert.ok(h.client.state.retryAt! - h.t <= 250);
});

test('4401 asks once; signed out means one redirect and no more attempts', async () => {
    const h = new Harness();
    h.client.start();
    h.hello();
    h.session = 'out';
    h.last.h.close(4401);
    await h.pass(60_000);
    assert.equal(h.checks, 1);
    assert.equal(h.logins, 1);
    assert.equal(h.sockets.length, 1);
    assert.equal(h.client.state.kind, 'stopped');
});

test('4401 with a valid session reconnects, and a server that insists is asked slowly', async () => {
    const h = new Harness();
    h.client.start();
    h.hello();
    h.last.h.close(4401);
    await h.pass(1000);
    assert.equal(h.sockets.length, 2);
    const before = h.sockets.length;
    const end = h.t + 60_000;
    while (h.t < end) {
        h.hello();
        h.last.h.close(4401);
        await h.pass(1000);
    }
    assert.ok(h.sockets.length - before <= 4, `${h.sockets.length - before} attempts in a minute`);
});

test('the session is renewed a minute before it ends, then the socket with its cursors', async () => {
    const h = new Harness();
    const { sink } = recorder();
    h.client.start();
    h.client.subscribe({ topic: 'apps', args: {}, sink });
    h.hello();
    h.say({ ev: 'snap', id: 1, seq: 0, rev: 5, reset: true, rows: [], more: false });
    h.say({ ev: 'auth', in: 60 });
    await h.pass(600);
    assert.equal(h.checks, 1);
    assert.equal(h.sockets.length, 2);
    h.hello();
    assert.equal((h.subs()[0]!.since as { rev: number }).rev, 5);
});

test('silence is probed and a dead connection replaced', async () => {
    const h = new Harness();
    h.client.start();
    h.hello();
    await h.pass(20_001);
    assert.equal(h.last.sent.filter(m => m.op === 'ping').length, 1);
    h.say({ ev: 'pong', t: 1 });
    await h.pass(20_001);
    assert.equal(h.last.sent.filter(m => m.op === 'ping').length, 2);
    await h.pass(5_001);
    assert.equal(h.client.state.kind, 'reconnecting');
    await h.pass(1000);
    assert.equal(h.sockets.length, 2);
});

test('a hidden page pauses after a minute and resumes when shown', async () => {
    const h = new Harness();
    h.client.start();
    h.hello();
    h.answers = true;
    h.client.visibility(true);
    await h.pass(59_000);
    assert.ok(!h.last.sent.some(m => m.op === 'pause'));
    await h.pass(1_001);
    assert.ok(h.last.sent.some(m => m.op === 'pause'));
    h.client.visibility(false);
    const ops = h.last.sent.map(m => m.op);
    assert.ok(ops.lastIndexOf('resume') > ops.lastIndexOf('pause'));
    assert.ok(ops.includes('ping'));
});

test('three refused upgrades without a hello fall back, and the socket is tried again later', async () => {
    const h = new Harness();
    const { sink } = recorder();
    h.client.start();
    h.client.subscribe({ topic: 'apps', args: {}, sink });
    for (let i = 0; i < 3; i++) {
        h.last.h.close(1006);
        await h.pass(5000);
    }
    assert.equal(h.client.state.kind, 'limited');
    assert.equal(h.fallbacks, 1);
    h.client.subscribe({ topic: 'app', args: {}, sink });
    assert.equal(h.fallbacks, 2, 'new subscriptions are served too');
    const attempts = h.sockets.length;
    await h.pass(300_000);
    assert.equal(h.sockets.length, attempts + 1);
    h.hello();
    assert.equal(h.client.state.kind, 'live');
    assert.equal(h.fallbacks, 0);
    assert.equal(h.subs().length, 2);
});

test('after a hello a lost server never means the fallback', async () => {
    const h = new Harness();
    h.client.start();
    h.hello();
    h.last.h.close(1006);
    for (let i = 0; i < 8; i++) {
        await h.pass(31_000);
        h.last.h.close(1006);
    }
    assert.equal(h.fallbacks, 0);
    assert.equal(h.client.state.kind, 'reconnecting');
});

test('a refused upgrade of somebody signed out leads to the login page', async () => {
    const h = new Harness();
    h.session = 'out';
    h.client.start();
    h.last.h.close(1006);
    await h.pass(31_000);
    h.last.h.close(1006);
    await h.pass(31_000);
    assert.equal(h.logins, 1);
    assert.equal(h.checks, 1);
});

test('err ends one subscription and a retryable one is renewed', async () => {
    const h = new Harness();
    const a = recorder();
    const b = recorder();
    h.client.start();
    h.client.subscribe({ topic: 'app', args: { name: 'x' }, sink: a.sink });
    h.client.subscribe({ topic: 'apps', args: {}, sink: b.sink });
    h.hello();
    h.say({ ev: 'err', id: 1, code: 'PermissionDenied', http: 403, message: 'permission denied', retry: false });
    h.say({ ev: 'err', id: 2, code: 'Unavailable', http: 503, message: 'busy', retry: true });
    assert.deepEqual(a.log, [['error', 403]]);
    await h.pass(5001);
    assert.deepEqual(h.subs().map(m => m.id), [1, 2, 2]);
});

test('messages that are no messages are ignored', () => {
    const h = new Harness();
    const { log, sink } = recorder();
    h.client.start();
    h.client.subscribe({ topic: 'apps', args: {}, sink });
    h.hello();
    for (const text of ['', '[]', 'null', '{"ev":"future","id":1}', '{"ev":"snap"}', '{"ev":"delta","id":"1","seq":0,"rev":1}', '{"ev":"delta","id":99,"seq":0,"rev":1,"del":["x"]}']) h.last.h.message(text);
    assert.deepEqual(log, []);
    assert.equal(h.client.state.kind, 'live');
});

test('a server that is too new asks for a reload', async () => {
    const h = new Harness();
    h.client.start();
    h.hello();
    h.last.h.close(4426);
    await h.pass(60_000);
    assert.equal(h.client.state.reload, true);
    assert.equal(h.sockets.length, 1);
});
