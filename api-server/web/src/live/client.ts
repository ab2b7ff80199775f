// The connection's state machine. It owns no browser object: the socket, the clock, the session check and the fallback
// come in through LiveEnv, so that every path runs in a test with a made-up clock.
//
//   connecting ─hello→ live ─close→ waiting ─timer→ connecting …        (W7: full jitter, at most 2 attempts a second)
//   connecting ─3 failed upgrades, never a hello→ limited ─5 min→ connecting   (W10)
//   any ─4401→ one session check: in → waiting, out → stopped and the login page   (W8)
//
// A subscription keeps its cursor {epoch, pe, rev} across connections and sends it as `since`; a hole in `seq` makes a
// new subscription with that cursor, under a new id, so that messages in flight for the old id are not mistaken.

import { Backoff } from './backoff';
import type { Connection, LiveEnv, LiveState, Request, Session, Subscription } from './contract';
import { CLOSE, parseMessage, snapRows, type ClientMessage, type Delta, type Hello, type LiveError, type Since, type Snap } from './protocol';

interface Sub extends Request {
    id: number;
    nextSeq?: number;
    cursor?: Since;
    snapping: boolean;
    // It has had an answer on this connection.
    streaming: boolean;
    stopFallback?: () => void;
}

const HELLO_TIMEOUT = 10_000;
const SILENCE = 20_000;
const PONG_TIMEOUT = 5_000;
const STABLE = 60_000;
const PAUSE_AFTER = 60_000;
const UPGRADES_BEFORE_FALLBACK = 3;
const RETRY_LIMITED = 300_000;
const SESSION_CHECK_EVERY = 30_000;
const RESUBSCRIBE_AFTER = 5_000;

export class LiveClient {
    state: LiveState = { kind: 'connecting' };
    // Messages received, for diagnosis.
    received = 0;
    rtt = 0;

    private conn: Connection | undefined;
    private generation = 0;
    private hello: Hello | undefined;
    private everHello = false;
    private policyEpoch: number | undefined;
    private failedUpgrades = 0;
    private expiredWhileIn = 0;
    private nextId = 1;
    private readonly subs = new Map<number, Sub>();
    private readonly backoff: Backoff;
    private readonly timers = new Map<string, unknown>();
    private lastSessionCheck = -Infinity;
    private hidden = false;
    private paused = false;
    private pingSent = 0;

    constructor(private readonly env: LiveEnv) {
        this.backoff = new Backoff(env.random, env.now);
    }

    get rev(): number {
        let rev = 0;
        for (const s of this.subs.values()) rev = Math.max(rev, s.cursor?.rev ?? 0);
        return rev;
    }

    get subscriptions(): number {
        return this.subs.size;
    }

    start(): void {
        if (!this.conn && this.state.kind !== 'stopped') this.connect();
    }

    stop(reason?: string, reload?: boolean): void {
        this.drop(1000);
        this.stopFallbacks();
        for (const t of this.timers.keys()) this.clear(t);
        this.set({ kind: 'stopped', reason, reload });
    }

    subscribe(request: Request): Subscription {
        const sub: Sub = { ...request, id: this.nextId++, cursor: request.since, snapping: false, streaming: false };
        this.subs.set(sub.id, sub);
        if (this.hello) this.sendSub(sub);
        else if (this.state.kind === 'limited') sub.stopFallback = this.env.fallback?.(sub);
        return {
            stop: () => {
                if (!this.subs.delete(sub.id)) return;
                sub.stopFallback?.();
                this.clear(`resub${sub.id}`);
                if (this.hello) this.send({ op: 'unsub', id: sub.id });
            },
            cursor: () => sub.cursor,
        };
    }

    // The page became visible or hidden (W6).
    visibility(hidden: boolean): void {
        this.hidden = hidden;
        if (hidden) {
            this.timer('pause', PAUSE_AFTER, () => this.pause());
            return;
        }
        this.clear('pause');
        if (this.paused && this.hello) this.send({ op: 'resume' });
        this.paused = false;
        this.poke();
    }

    online(isOnline: boolean): void {
        if (isOnline) this.poke();
        else if (!this.hello && this.state.kind !== 'stopped') this.set({ kind: 'offline', retryAt: this.state.retryAt });
    }

    // Something suggests that the connection should be checked now: wake from sleep, network change, the user asks.
    poke(): void {
        if (this.hello) this.ping();
        else if (this.timers.has('retry')) this.connect();
    }

    private pause(): void {
        this.paused = true;
        if (this.hello) this.send({ op: 'pause' });
    }

    private connect(): void {
        this.clear('retry');
        const wait = this.backoff.holdBack();
        if (wait > 0) return this.waitFor(wait);
        this.backoff.attempt();
        const generation = ++this.generation;
        if (this.state.kind !== 'limited') this.set({ kind: this.everHello ? 'reconnecting' : 'connecting' });
        const current = () => generation === this.generation;
        this.conn = this.env.connect({
            message: text => current() && this.onMessage(text),
            close: code => current() && this.onClose(code),
        });
        this.timer('hello', HELLO_TIMEOUT, () => this.lost());
    }

    // Forgets the connection; whatever it still reports belongs to an older generation.
    private drop(code?: number): void {
        this.generation++;
        for (const t of ['hello', 'silence', 'pong', 'stable']) this.clear(t);
        this.conn?.close(code);
        this.conn = undefined;
        this.hello = undefined;
        for (const s of this.subs.values()) this.forgetStream(s);
    }

    private forgetStream(s: Sub): void {
        s.nextSeq = undefined;
        s.snapping = false;
        s.streaming = false;
    }

    // The connection is dead though nobody said so.
    private lost(): void {
        const upgraded = this.hello !== undefined;
        this.drop();
        this.afterLoss(upgraded);
    }

    private onClose(code: number): void {
        const upgraded = this.hello !== undefined;
        this.conn = undefined;
        this.drop();
        switch (code) {
            case CLOSE.expired:
                return this.onExpired();
            case CLOSE.disabled:
                return this.stop('Your account is disabled.');
            case CLOSE.tooOld:
                return this.stop('The server was updated.', true);
            case CLOSE.goingAway:
                return this.waitFor(Math.floor(this.env.random() * 3000));
            case CLOSE.tooMany:
                return this.waitFor(this.backoff.next(10_000));
            default:
                return this.afterLoss(upgraded);
        }
    }

    private afterLoss(upgraded: boolean): void {
        if (upgraded) return this.waitFor(this.backoff.next());
        this.failedUpgrades++;
        if (!this.everHello && this.failedUpgrades >= UPGRADES_BEFORE_FALLBACK && this.env.fallback) return this.limit();
        // A refused upgrade looks like any failure to a page: ask whether it is the session, but seldom.
        if (this.failedUpgrades >= 2 && this.env.now() - this.lastSessionCheck >= SESSION_CHECK_EVERY) {
            void this.check().then(s => (s === 'out' ? this.leave() : this.waitFor(this.backoff.next())));
            this.set({ kind: this.everHello ? 'reconnecting' : 'connecting' });
            return;
        }
        this.waitFor(this.backoff.next());
    }

    private limit(): void {
        this.set({ kind: 'limited', retryAt: this.env.now() + RETRY_LIMITED });
        for (const s of this.subs.values()) s.stopFallback ??= this.env.fallback?.(s);
        this.timer('retry', RETRY_LIMITED, () => this.connect());
    }

    private stopFallbacks(): void {
        for (const s of this.subs.values()) {
            s.stopFallback?.();
            s.stopFallback = undefined;
        }
    }

    private check(): Promise<Session> {
        this.lastSessionCheck = this.env.now();
        const generation = this.generation;
        // An answer that arrives after something else happened to the connection decides nothing.
        return this.env.checkSession().then(s => (generation === this.generation ? s : new Promise<Session>(() => {})));
    }

    private leave(): void {
        this.stop('You were signed out.');
        this.env.toLogin();
    }

    private onExpired(): void {
        this.set({ kind: 'reconnecting', reason: 'Checking your session' });
        void this.check().then(s => {
            if (s === 'out') return this.leave();
            // A server that refuses a session which it also calls valid is not asked in a tight loop.
            this.expiredWhileIn = s === 'in' ? this.expiredWhileIn + 1 : 0;
            this.waitFor(this.backoff.next(this.expiredWhileIn > 1 ? 30_000 : 0));
        });
    }

    private waitFor(ms: number): void {
        if (this.state.kind === 'stopped') return;
        if (this.state.kind !== 'limited') {
            const kind = this.everHello ? 'reconnecting' : 'connecting';
            this.set({ kind, retryAt: this.env.now() + ms, reason: this.state.reason });
        }
        this.timer('retry', ms, () => this.connect());
    }

    private onMessage(text: string): void {
        this.received++;
        this.clear('pong');
        this.timer('silence', SILENCE, () => this.ping());
        const m = parseMessage(text);
        if (!m) return;
        switch (m.ev) {
            case 'hello':
                return this.onHello(m);
            case 'snap':
                return this.onSnap(m);
            case 'delta':
                return this.onDelta(m);
            case 'err':
                return this.onError(m);
            case 'auth':
                return this.onAuth();
            case 'pong':
                this.rtt = this.env.now() - this.pingSent;
                return;
            default:
                return;
        }
    }

    private onHello(m: Hello): void {
        const first = this.hello === undefined;
        if (this.policyEpoch !== undefined && this.policyEpoch !== m.pe) this.env.policyChanged?.();
        this.policyEpoch = m.pe;
        this.hello = m;
        if (!first) return;
        this.everHello = true;
        this.failedUpgrades = 0;
        this.clear('hello');
        this.stopFallbacks();
        this.set({ kind: 'live' });
        this.timer('stable', STABLE, () => {
            this.backoff.reset();
            this.expiredWhileIn = 0;
        });
        for (const s of this.subs.values()) this.sendSub(s);
        if (this.hidden && this.paused) this.send({ op: 'pause' });
    }

    private sendSub(s: Sub): void {
        this.forgetStream(s);
        this.send({ op: 'sub', id: s.id, topic: s.topic, args: s.args, ...(s.cursor ? { since: s.cursor } : {}) });
    }

    // The subscription a message belongs to, or undefined if it is unknown or has a hole (then it is being renewed).
    private inOrder(m: Snap | Delta): Sub | undefined {
        const s = this.subs.get(m.id);
        if (!s) return undefined;
        if (s.nextSeq !== undefined && m.seq !== s.nextSeq) {
            this.renew(s);
            return undefined;
        }
        s.nextSeq = m.seq + 1;
        return s;
    }

    private renew(s: Sub): void {
        this.send({ op: 'unsub', id: s.id });
        this.subs.delete(s.id);
        s.id = this.nextId++;
        this.subs.set(s.id, s);
        this.sendSub(s);
    }

    private onSnap(m: Snap): void {
        const s = this.inOrder(m);
        if (!s) return;
        const first = !s.snapping;
        const done = m.more !== true;
        s.snapping = !done;
        // A subscription that starts over by itself: what the user may see or do has changed.
        if (m.reset && first && s.streaming) this.env.policyChanged?.();
        s.streaming = true;
        if (m.reset && first) s.cursor = undefined;
        s.sink.snap({ reset: m.reset === true, first, done, set: snapRows(m), del: m.del ?? [] });
        if (done) this.advance(s, m.rev);
    }

    private onDelta(m: Delta): void {
        const s = this.inOrder(m);
        if (!s) return;
        s.sink.delta(m.set ?? [], m.del ?? []);
        if (!s.snapping) this.advance(s, m.rev);
    }

    private advance(s: Sub, rev: number): void {
        if (this.hello) s.cursor = { epoch: this.hello.epoch, pe: this.hello.pe, rev };
    }

    private onError(m: LiveError): void {
        const s = this.subs.get(m.id);
        if (!s) return;
        this.forgetStream(s);
        s.cursor = undefined;
        s.sink.onError({ code: m.code, http: m.http, message: m.message, retry: m.retry === true });
        if (m.retry) this.timer(`resub${s.id}`, RESUBSCRIBE_AFTER, () => this.hello && this.subs.has(s.id) && this.sendSub(s));
    }

    // The session ends soon: renew it, then come back with the new cookie and the old cursors.
    private onAuth(): void {
        void this.check().then(s => {
            if (s === 'out') return this.leave();
            if (s !== 'in') return;
            this.drop(1000);
            this.connect();
        });
    }

    private ping(): void {
        if (!this.hello || this.timers.has('pong')) return;
        this.pingSent = this.env.now();
        this.send({ op: 'ping', t: this.pingSent });
        this.timer('pong', PONG_TIMEOUT, () => this.lost());
    }

    private send(m: ClientMessage): void {
        this.conn?.send(JSON.stringify(m));
    }

    private set(state: LiveState): void {
        this.state = state;
        this.env.changed(state);
    }

    private timer(name: string, ms: number, fn: () => void): void {
        this.clear(name);
        this.timers.set(
            name,
            this.env.setTimer(() => {
                this.timers.delete(name);
                fn();
            }, ms),
        );
    }

    private clear(name: string): void {
        const t = this.timers.get(name);
        if (t === undefined) return;
        this.timers.delete(name);
        this.env.clearTimer(t);
    }
}
