// argocd-live.v1 as the specification has it: tables of rows with revisions, subscriptions as cursors into them, resume,
// batching, and switches for what goes wrong.

import { keyOf } from './world.mjs';

const BATCH = 100;
const CHUNK = 500;

function operationOf(a) {
    if (a.metadata.deletionTimestamp) return 'Deleting';
    const phase = a.status?.operationState?.phase;
    if (phase === 'Terminating') return phase;
    return a.operation || phase === 'Running' ? 'Syncing' : (phase ?? '');
}

export function listRow(a) {
    const s = a.status ?? {};
    const auto = a.spec.syncPolicy?.automated;
    return {
        name: a.metadata.name,
        namespace: a.metadata.namespace,
        project: a.spec.project,
        labels: a.metadata.labels,
        annotations: a.metadata.annotations,
        created: a.metadata.creationTimestamp,
        health: s.health?.status ?? 'Unknown',
        sync: s.sync?.status ?? 'Unknown',
        op: operationOf(a),
        opStarted: s.operationState?.startedAt,
        opFinished: s.operationState?.finishedAt,
        revision: s.sync?.revision,
        sources: a.spec.sources ?? [a.spec.source],
        dest: a.spec.destination,
        autoSync: Boolean(auto && auto.enabled !== false),
        refreshing: a.metadata.annotations?.['argocd.argoproj.io/refresh'] !== undefined,
        urls: s.summary?.externalURLs,
        notice: a.metadata.annotations?.['notice.argocd.argoproj.io/content'],
        rv: a.metadata.resourceVersion,
    };
}

function appRows(a) {
    const s = a.status ?? {};
    const op = s.operationState && { ...s.operationState, syncResult: s.operationState.syncResult && { ...s.operationState.syncResult, resources: undefined } };
    const rows = new Map([
        [
            'app',
            {
                metadata: a.metadata,
                spec: a.spec,
                operation: a.operation,
                'status.sync': s.sync,
                'status.health': s.health,
                'status.operationState': op,
                'status.history': s.history,
                'status.conditions': s.conditions,
                'status.summary': s.summary,
                'status.reconciledAt': s.reconciledAt,
            },
        ],
    ]);
    for (const r of s.resources ?? []) rows.set(`r:${keyOf(r)}`, r);
    for (const r of s.operationState?.syncResult?.resources ?? []) rows.set(`o:${keyOf(r)}`, r);
    return rows;
}

// Rows whose columns carry the revision of their last change.
class Table {
    constructor(clock) {
        this.clock = clock;
        this.rows = new Map();
        this.gone = new Map();
    }

    replace(next) {
        for (const k of [...this.rows.keys()]) if (!next.has(k)) this.delete(k);
        for (const [k, cols] of next) this.set(k, cols);
    }

    set(key, cols) {
        const row = this.rows.get(key) ?? { cols: {}, text: {}, revs: {} };
        let rev = 0;
        for (const c of new Set([...Object.keys(row.cols), ...Object.keys(cols)])) {
            const text = JSON.stringify(cols[c] ?? null);
            if (row.text[c] === text || (row.text[c] === undefined && text === 'null')) continue;
            rev ||= ++this.clock.rev;
            row.cols[c] = cols[c] ?? null;
            row.text[c] = text;
            row.revs[c] = rev;
        }
        if (rev) row.rev = rev;
        this.rows.set(key, row);
        this.gone.delete(key);
    }

    delete(key) {
        if (this.rows.delete(key)) this.gone.set(key, ++this.clock.rev);
    }

    since(rev) {
        const set = [];
        for (const [k, row] of this.rows) {
            if (row.rev <= rev) continue;
            set.push([k, Object.fromEntries(Object.keys(row.cols).filter(c => row.revs[c] > rev).map(c => [c, row.cols[c]]))]);
        }
        return { set, del: [...this.gone].filter(([, r]) => r > rev).map(([k]) => k) };
    }
}

export class Live {
    constructor(world, username = () => 'admin') {
        this.world = world;
        this.username = username;
        this.clock = { rev: 1 };
        this.epoch = Math.random().toString(16).slice(2, 8);
        this.pe = 1;
        this.tables = new Map();
        this.connections = new Set();
        this.delay = 0;
        this.skipSeq = 0;
        this.hidden = () => false;
        this.opened = 0;
        this.apps = new Table(this.clock);
        for (const [k, a] of world.apps) this.apps.set(k, listRow(a));
        world.onChange((type, key) => this.onWorld(type, key));
    }

    onWorld(type, key) {
        const a = this.world.apps.get(key);
        if (a) this.apps.set(key, listRow(a));
        else this.apps.delete(key);
        for (const topic of ['app', 'tree']) if (this.tables.has(`${topic} ${key}`)) this.fill(topic, key);
        this.wake();
    }

    fill(topic, key) {
        const id = `${topic} ${key}`;
        const t = this.tables.get(id) ?? new Table(this.clock);
        this.tables.set(id, t);
        const a = this.world.apps.get(key);
        const tree = this.world.tree(key);
        t.replace(!a ? new Map() : topic === 'app' ? appRows(a) : new Map(tree.map(n => [n.uid, n])));
        return t;
    }

    wake() {
        for (const c of this.connections) for (const s of c.subs.values()) this.schedule(c, s);
    }

    schedule(c, s) {
        if (s.timer || c.paused) return;
        const wait = Math.max(10, s.last + BATCH - Date.now()) + this.delay;
        s.timer = setTimeout(() => {
            s.timer = undefined;
            this.flush(c, s);
        }, wait);
    }

    flush(c, s) {
        if (!this.connections.has(c) || !c.subs.has(s.id) || c.paused) return;
        const { set, del } = s.table.since(s.rev);
        const visible = set.filter(([k]) => !this.hidden(k));
        const known = del.filter(k => s.has.has(k));
        s.rev = this.clock.rev;
        if (visible.length === 0 && known.length === 0) return;
        for (const [k] of visible) s.has.add(k);
        for (const k of known) s.has.delete(k);
        s.last = Date.now();
        if (this.skipSeq > 0) {
            this.skipSeq--;
            s.seq++;
            return;
        }
        c.ws.send({ ev: 'delta', id: s.id, seq: s.seq++, rev: s.rev, ...(visible.length ? { set: visible } : {}), ...(known.length ? { del: known } : {}) });
    }

    connect(ws) {
        const c = { ws, subs: new Map(), paused: false };
        this.connections.add(c);
        this.opened++;
        ws.onClose = () => this.forget(c);
        ws.onMessage = text => this.onMessage(c, JSON.parse(text));
        ws.send({ ev: 'hello', proto: 1, epoch: this.epoch, pe: this.pe, build: 'test', user: this.username(), hb: 25, limits: { subs: 64, logs: 8 } });
    }

    forget(c) {
        this.connections.delete(c);
        for (const s of c.subs.values()) clearTimeout(s.timer);
    }

    onMessage(c, m) {
        if (m.op === 'ping') c.ws.send({ ev: 'pong', t: m.t });
        else if (m.op === 'pause') c.paused = true;
        else if (m.op === 'resume') {
            c.paused = false;
            for (const s of c.subs.values()) this.flush(c, s);
        } else if (m.op === 'unsub') {
            clearTimeout(c.subs.get(m.id)?.timer);
            c.subs.delete(m.id);
        } else if (m.op === 'sub') setTimeout(() => this.subscribe(c, m), this.delay);
    }

    subscribe(c, m) {
        const key = `${m.args.appNamespace || 'argocd'}/${m.args.name}`;
        const err = (code, http, message) => c.ws.send({ ev: 'err', id: m.id, code, http, message, retry: false });
        if (m.topic !== 'apps' && m.topic !== 'app' && m.topic !== 'tree') return err('InvalidArgument', 400, `unknown topic ${m.topic}`);
        if (m.topic !== 'apps' && (!this.world.apps.has(key) || this.hidden(key))) return err('PermissionDenied', 403, 'permission denied');
        const table = m.topic === 'apps' ? this.apps : this.fill(m.topic, key);
        const s = { id: m.id, topic: m.topic, table, seq: 0, rev: 0, last: 0, has: new Set() };
        c.subs.set(m.id, s);
        const resumed = m.since && m.since.epoch === this.epoch && m.since.pe === this.pe;
        if (resumed) {
            for (const k of table.rows.keys()) s.has.add(k);
            for (const k of table.gone.keys()) s.has.add(k);
            s.rev = m.since.rev;
            this.resumes = (this.resumes ?? 0) + 1;
            c.ws.send({ ev: 'snap', id: s.id, seq: s.seq++, rev: s.rev, reset: false, cols: [], rows: [], more: false, total: table.rows.size });
            return this.flush(c, s);
        }
        this.snapshot(c, s);
    }

    snapshot(c, s) {
        this.resets = (this.resets ?? 0) + 1;
        const rows = [...s.table.rows].filter(([k]) => !this.hidden(k)).sort(([a], [b]) => (a < b ? -1 : 1));
        s.rev = this.clock.rev;
        const names = [...new Set(rows.flatMap(([, r]) => Object.keys(r.cols)))];
        for (let at = 0; ; at += CHUNK) {
            const part = rows.slice(at, at + CHUNK);
            const more = at + CHUNK < rows.length;
            const { cols, dict, cells } = encode(names, part);
            for (const [k] of part) s.has.add(k);
            c.ws.send({ ev: 'snap', id: s.id, seq: s.seq++, rev: s.rev, reset: true, cols, dict, rows: cells, more, ...(more ? {} : { total: rows.length }) });
            if (!more) return;
        }
    }

    // What goes wrong.
    gap() {
        this.skipSeq = 1;
    }

    restart() {
        this.epoch = Math.random().toString(16).slice(2, 8);
    }

    closeAll(code) {
        for (const c of [...this.connections]) c.ws.close(code);
    }

    cut() {
        for (const c of [...this.connections]) c.ws.cut();
    }

    // A change of RBAC policy: everything open is sent again.
    policy(hidden) {
        this.hidden = hidden;
        this.pe++;
        for (const c of this.connections) for (const s of c.subs.values()) this.snapshot(c, s);
    }
}

// Columns of text are coded through the dictionary.
function encode(names, rows) {
    const dict = [];
    const at = new Map();
    const coded = new Set(['project', 'health', 'sync', 'op', 'namespace']);
    const cells = rows.map(([k, r]) => [
        k,
        ...names.map(n => {
            const v = r.cols[n] ?? null;
            if (!coded.has(n)) return v;
            if (!at.has(v)) {
                at.set(v, dict.length);
                dict.push(v);
            }
            return at.get(v);
        }),
    ]);
    return { cols: names.map(n => (coded.has(n) ? `${n}#` : n)), dict, cells };
}
