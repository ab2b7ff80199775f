// The REST side of the test server: what the dashboard calls, with Argo CD's shapes and errors.

import { application, CONTROL_NS, keyOf } from './world.mjs';

class Refused extends Error {
    constructor(status, code, message) {
        super(message);
        this.status = status;
        this.code = code;
    }
}

const denied = () => new Refused(403, 7, 'permission denied');

function project(obj, fields) {
    if (!fields) return obj;
    const out = {};
    for (const f of fields.split(',')) copy(obj, out, f.split('.'));
    return out;
}

function copy(from, to, path) {
    const [head, ...rest] = path;
    if (from === undefined || from === null || !(head in from)) return;
    if (rest.length === 0) {
        to[head] = from[head];
    } else if (Array.isArray(from[head])) {
        to[head] ??= from[head].map(() => ({}));
        from[head].forEach((x, i) => copy(x, to[head][i], rest));
    } else {
        to[head] ??= {};
        copy(from[head], to[head], rest);
    }
}

export function manifestOf(n) {
    const base = { apiVersion: n.group ? `${n.group}/${n.version}` : n.version, kind: n.kind, metadata: { name: n.name, namespace: n.namespace, uid: n.uid, creationTimestamp: n.createdAt, managedFields: [{ manager: 'argocd-controller' }] } };
    if (n.kind === 'Deployment') base.spec = { replicas: 2, selector: { matchLabels: { app: n.name } }, template: { spec: { containers: [{ name: 'main', image: 'registry.example/shop:1.4.2', args: ['--listen', ':8080', 'on', '0644'] }] } } };
    if (n.kind === 'ConfigMap') base.data = { 'settings.yaml': 'theme: dark\nlimit: 10\n', enabled: 'true' };
    if (n.kind === 'Secret') base.data = { password: '++++++++' };
    if (n.kind === 'Pod') {
        const bad = n.health?.status === 'Degraded';
        const starting = n.health?.status === 'Progressing';
        base.spec = { containers: [{ name: 'main' }] };
        base.status = {
            phase: starting ? 'Pending' : 'Running',
            containerStatuses: [
                bad
                    ? { name: 'main', ready: false, restartCount: 14, state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 5m0s restarting failed container=main' } }, lastState: { terminated: { reason: 'Error', exitCode: 1 } } }
                    : starting
                      ? { name: 'main', ready: false, restartCount: 0, state: { waiting: { reason: 'ContainerCreating' } } }
                      : { name: 'main', ready: true, restartCount: 0, state: { running: { startedAt: n.createdAt } } },
            ],
        };
    }
    return base;
}

export class Rest {
    constructor(world, live, o = {}) {
        this.world = world;
        this.live = live;
        this.settings = { appsInAnyNamespaceEnabled: false, controllerNamespace: CONTROL_NS, help: {}, ...o.settings };
        this.sessions = new Set(['test']);
        this.denySync = () => false;
        this.requests = [];
        this.streams = new Set();
    }

    session(req) {
        const token = /argocd\.token=([^;]+)/.exec(req.headers.cookie ?? '')?.[1];
        return token !== undefined && this.sessions.has(token) ? 'admin' : undefined;
    }

    async handle(req, res, url, body) {
        const path = url.pathname;
        this.requests.push(`${req.method} ${path}`);
        try {
            if (req.method !== 'GET' && req.headers['content-type'] !== 'application/json') throw new Refused(415, 3, 'Invalid content type');
            const out = await this.route(req, res, path, url.searchParams, body);
            if (out !== undefined) this.reply(res, 200, out);
        } catch (e) {
            if (!(e instanceof Refused)) throw e;
            this.reply(res, e.status, { error: e.message, code: e.code, message: e.message });
        }
    }

    reply(res, status, value, headers = {}) {
        res.writeHead(status, { 'Content-Type': 'application/json', ...headers });
        res.end(JSON.stringify(value));
    }

    route(req, res, path, q, body) {
        const user = this.session(req);
        if (path === '/api/version') return { Version: 'v0.1.0+test', Platform: 'linux/amd64', KubectlVersion: 'v0.31.0' };
        if (path === '/api/v1/settings') return this.settings;
        if (path === '/api/v1/session/userinfo') return user ? { loggedIn: true, username: user, iss: 'argocd', groups: ['admins'] } : { loggedIn: false };
        if (path === '/api/v1/session' && req.method === 'POST') return this.login(res, body);
        if (!user) throw new Refused(401, 16, 'no session information');
        if (path.startsWith('/api/v1/account/can-i/')) return { value: this.canI(decodeURIComponent(path.slice(22))) ? 'yes' : 'no' };
        if (path === '/api/v1/projects') return { items: [...new Set([...this.world.apps.values()].map(a => a.spec.project))].map(name => ({ metadata: { name } })) };
        if (path === '/api/v1/clusters') return { items: [{ server: 'https://kubernetes.default.svc', name: 'in-cluster' }] };
        if (path.startsWith('/api/v1/stream/')) return this.stream(res, path, q);
        if (path === '/api/v1/applications') return req.method === 'POST' ? this.create(body) : this.list(q);
        const m = /^\/api\/v1\/applications\/([^/]+)(?:\/(.*))?$/.exec(path);
        if (m) return this.app(req, decodeURIComponent(m[1]), m[2] ?? '', q, body, user);
        throw new Refused(404, 5, 'Not Found');
    }

    canI(what) {
        const [resource, action, ...object] = what.split('/');
        return !(resource === 'applications' && action === 'sync' && this.denySync(object.join('/')));
    }

    async login(res, body) {
        if (body.username !== 'admin' || body.password !== 'secret') throw new Refused(401, 16, 'Invalid username or password');
        const token = `t${Math.random().toString(36).slice(2)}`;
        this.sessions.add(token);
        this.reply(res, 200, { token }, { 'Set-Cookie': `argocd.token=${token}; path=/; SameSite=lax; httpOnly` });
        return undefined;
    }

    list(q) {
        const items = [...this.world.apps].filter(([k]) => !this.live.hidden(k)).map(([, a]) => a);
        return project({ metadata: { resourceVersion: String(this.world.rv) }, items }, q.get('fields'));
    }

    create(body) {
        const ns = body.metadata.namespace ?? CONTROL_NS;
        if (this.world.get(ns, body.metadata.name)) throw new Refused(409, 6, `application "${body.metadata.name}" already exists`);
        const made = application(body.metadata.name, { namespace: ns, never: true, sync: 'OutOfSync', health: 'Missing' });
        made.metadata.labels = body.metadata.labels ?? {};
        made.metadata.finalizers = body.metadata.finalizers;
        made.spec = body.spec;
        this.lastCreated = body;
        return this.world.add(made);
    }

    app(req, name, rest, q, body, user) {
        const ns = (body?.appNamespace ?? q.get('appNamespace')) || CONTROL_NS;
        const key = `${ns}/${name}`;
        const a = this.world.apps.get(key);
        if (!a || this.live.hidden(key)) throw denied();
        if (rest === '' && req.method === 'GET') {
            const how = q.get('refresh');
            if (how) this.refresh(key, how);
            return a;
        }
        if (rest === '' && req.method === 'DELETE') {
            this.lastDelete = Object.fromEntries(q);
            this.world.remove(key);
            return {};
        }
        if (rest === 'sync') return this.sync(key, a, body, user);
        if (rest === 'operation' && req.method === 'DELETE') return this.terminate(key, a);
        if (rest === 'resource-tree') return { nodes: this.world.tree(key).filter(n => !n.o), orphanedNodes: this.world.tree(key).filter(n => n.o) };
        if (rest === 'managed-resources') return { items: this.managed(key, q) };
        if (rest === 'resource') return { manifest: JSON.stringify(manifestOf(this.find(key, q.get('kind'), q.get('namespace'), q.get('resourceName')))) };
        if (rest === 'events') return { items: this.events(key, q) };
        if (/^revisions\/.+\/metadata$/.test(rest)) return { author: 'Ada Lovelace <ada@example.com>', date: '2026-01-01T10:00:00Z', message: 'Raise the limits of the checkout\n\nMore text.' };
        throw new Refused(404, 5, 'Not Found');
    }

    refresh(key, how) {
        this.world.patch(key, a => {
            a.metadata.annotations = { ...a.metadata.annotations, 'argocd.argoproj.io/refresh': how };
        });
        this.world.later(250, () =>
            this.world.patch(key, a => {
                const { 'argocd.argoproj.io/refresh': _, ...rest } = a.metadata.annotations;
                a.metadata.annotations = rest;
            }),
        );
    }

    sync(key, a, body, user) {
        this.lastSync = body;
        if (this.denySync(`${a.spec.project}/${a.metadata.name}`)) throw new Refused(403, 7, 'permission denied: applications, sync');
        if (a.operation || a.status.operationState?.phase === 'Running') throw new Refused(400, 9, 'another operation is already in progress');
        return this.world.sync(key, body, user);
    }

    terminate(key, a) {
        if (a.status.operationState?.phase !== 'Running') throw new Refused(400, 3, 'Unable to terminate operation. No operation is in progress');
        this.world.patch(key, x => {
            x.status.operationState = { ...x.status.operationState, phase: 'Terminating' };
        });
        return {};
    }

    find(key, kind, namespace, name) {
        const n = this.world.tree(key).find(x => x.kind === kind && x.name === name && (!namespace || x.namespace === namespace));
        if (!n) throw new Refused(400, 3, `${kind} ${name} not found as part of application`);
        return n;
    }

    managed(key, q) {
        const keys = new Set(this.world.apps.get(key).status.resources.map(keyOf));
        return this.world
            .tree(key)
            .filter(n => keys.has(keyOf(n)) && (!q.get('kind') || n.kind === q.get('kind')) && (!q.get('name') || n.name === q.get('name')))
            .map(n => {
                const live = JSON.stringify(manifestOf(n));
                return { group: n.group, kind: n.kind, namespace: n.namespace, name: n.name, liveState: live, targetState: live, normalizedLiveState: live, predictedLiveState: live };
            });
    }

    events(key, q) {
        const t = new Date(Date.now() - 120_000).toISOString();
        const out = [{ metadata: { uid: 'e1' }, type: 'Normal', reason: 'Scheduled', message: 'Successfully assigned to node-1', count: 1, lastTimestamp: t }];
        if (/shop/.test(q.get('resourceName') ?? '')) out.push({ metadata: { uid: 'e2' }, type: 'Warning', reason: 'BackOff', message: 'Back-off restarting failed container main', count: 42, lastTimestamp: t });
        return out;
    }

    // Server-sent events, as the fallback of the dashboard needs them.
    stream(res, path, q) {
        res.writeHead(200, { 'Content-Type': 'text/event-stream' });
        res.write(':\n\n');
        const name = q.get('name');
        const tree = /applications\/([^/]+)\/resource-tree/.exec(path)?.[1];
        const s = {
            send: (type, key, old) => {
                const a = this.world.apps.get(key) ?? old;
                if ((name && a.metadata.name !== name) || (tree && a.metadata.name !== tree)) return;
                const result = tree ? { nodes: this.world.tree(key) } : { type, application: a };
                res.write(`data: ${JSON.stringify({ result })} \n\n`);
            },
            end: () => res.end(),
        };
        if (this.streams.size === 0) this.world.onChange((...x) => this.streams.forEach(y => y.send(...x)));
        this.streams.add(s);
        res.on('close', () => this.streams.delete(s));
        return undefined;
    }
}
