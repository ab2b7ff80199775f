// Applications, trees and scripted operations in memory: what the dashboard's test server serves. Deterministic.

const DAY = 86_400_000;
export const CONTROL_NS = 'argocd';
const SHA = n => (n * 2654435761 >>> 0).toString(16).padStart(8, '0').repeat(5);

export function random(seed) {
    let s = seed >>> 0;
    return () => {
        s = (s + 0x6d2b79f5) >>> 0;
        let t = Math.imul(s ^ (s >>> 15), 1 | s);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
}

const iso = t => new Date(t).toISOString().replace(/\.\d+Z$/, 'Z');
export const keyOf = r => `${r.group ?? ''}/${r.kind}/${r.namespace ?? ''}/${r.name}`;

const GROUPS = { Deployment: 'apps', ReplicaSet: 'apps', StatefulSet: 'apps', Job: 'batch', Ingress: 'networking.k8s.io', EndpointSlice: 'discovery.k8s.io' };

let uids = 0;

export function node(kind, namespace, name, more = {}) {
    return {
        group: GROUPS[kind] ?? '',
        version: 'v1',
        kind,
        namespace,
        name,
        uid: `00000000-0000-4000-8000-${String(++uids).padStart(12, '0')}`,
        createdAt: iso(Date.now() - 3 * DAY),
        resourceVersion: String(uids),
        ...more,
    };
}

const parent = n => [{ group: n.group, version: n.version, kind: n.kind, namespace: n.namespace, name: n.name, uid: n.uid }];
const HEALTHY = { status: 'Healthy' };

function pod(ns, name, rs, health = HEALTHY, reason) {
    const ready = health.status === 'Healthy' ? '1/1' : '0/1';
    const info = [{ name: 'Status Reason', value: reason ?? (ready === '1/1' ? 'Running' : 'ContainerCreating') }, { name: 'Containers', value: ready }];
    if (reason === 'CrashLoopBackOff') info.push({ name: 'Restart Count', value: '14' });
    return node('Pod', ns, name, { parentRefs: parent(rs), health, info, images: ['registry.example/shop:1.4.2'] });
}

// A workload with its ReplicaSet and pods.
export function workload(ns, name, pods, o = {}) {
    const d = node('Deployment', ns, name, { health: o.health ?? HEALTHY, info: [{ name: 'Revision', value: 'Rev:3' }], images: ['registry.example/shop:1.4.2'] });
    const rs = node('ReplicaSet', ns, `${name}-6d4cf56db6`, { parentRefs: parent(d), health: o.health ?? HEALTHY, info: [{ name: 'Revision', value: 'Rev:3' }] });
    const old = node('ReplicaSet', ns, `${name}-5b8f9c7d4`, { parentRefs: parent(d), health: HEALTHY, info: [{ name: 'Revision', value: 'Rev:2' }] });
    const out = o.old === false ? [d, rs] : [d, rs, old];
    for (let i = 0; i < pods; i++) {
        const bad = o.bad && i === 0;
        out.push(pod(ns, `${name}-6d4cf56db6-${SHA(uids).slice(0, 5)}`, rs, bad ? { status: 'Degraded', message: 'back-off 5m0s restarting failed container=main' } : HEALTHY, bad ? 'CrashLoopBackOff' : undefined));
    }
    return out;
}

export function smallTree(ns, name, o = {}) {
    const w = workload(ns, name, o.pods ?? 2, { bad: o.bad, health: o.bad ? { status: 'Degraded', message: 'Deployment exceeded its progress deadline' } : HEALTHY });
    const svc = node('Service', ns, name, { health: HEALTHY, networkingInfo: { ingress: [{ ip: '192.0.2.10' }], externalURLs: ['https://shop.example/'] } });
    const out = [...w, svc, node('EndpointSlice', ns, `${name}-x7k2p`, { parentRefs: parent(svc) }), node('ConfigMap', ns, `${name}-settings`), node('Secret', ns, `${name}-credentials`)];
    if (o.wide) {
        out.push(node('ServiceAccount', ns, name), node('Ingress', ns, name, { health: HEALTHY }), node('Job', ns, `${name}-migrate`, { health: HEALTHY }));
        const db = node('StatefulSet', ns, `${name}-db`, { health: { status: 'Progressing', message: 'Waiting for 1 pods to be ready' } });
        out.push(db, node('PersistentVolumeClaim', ns, `data-${name}-db-0`, { parentRefs: parent(db), health: HEALTHY }));
        out.push(node('Pod', ns, `${name}-db-0`, { parentRefs: parent(db), health: { status: 'Progressing' }, info: [{ name: 'Status Reason', value: 'ContainerCreating' }, { name: 'Containers', value: '0/1' }] }));
        out.push(node('Widget', ns, `${name}-widget`, { group: 'example.com' }), node('NetworkPolicy', ns, `${name}-policy`, { group: 'networking.k8s.io' }));
        out.push({ ...node('ConfigMap', ns, 'left-over'), o: 1 });
    }
    return out;
}

// 2,000 nodes: 180 workloads of 9 pods, a few services, two broken branches.
export function bigTree(ns) {
    const out = [];
    for (let i = 0; out.length < 1978; i++) {
        const bad = i === 57 || i === 141;
        out.push(...workload(ns, `worker-${String(i).padStart(3, '0')}`, 9, { bad, health: bad ? { status: 'Degraded' } : HEALTHY, old: false }));
    }
    while (out.length < 2000) out.push(node('ConfigMap', ns, `settings-${out.length}`));
    return out.slice(0, 2000);
}

const MANAGED = new Set(['Deployment', 'Service', 'ConfigMap', 'Secret', 'Ingress', 'StatefulSet', 'ServiceAccount', 'Widget', 'NetworkPolicy']);

// status.resources for a tree.
export function managedOf(tree, sync) {
    return tree
        .filter(n => !n.parentRefs && !n.o && MANAGED.has(n.kind))
        .map((n, i) => ({
            group: n.group || undefined,
            version: n.version,
            kind: n.kind,
            namespace: n.namespace,
            name: n.name,
            status: sync === 'OutOfSync' && i % 3 === 0 ? 'OutOfSync' : sync === 'Unknown' ? 'Unknown' : 'Synced',
            ...(n.health ? { health: n.health } : {}),
        }));
}

const HEALTHS = ['Healthy', 'Healthy', 'Healthy', 'Healthy', 'Healthy', 'Progressing', 'Degraded', 'Suspended', 'Missing', 'Unknown'];
const SYNCS = ['Synced', 'Synced', 'Synced', 'OutOfSync', 'Unknown'];
const TEAMS = ['a', 'b', 'checkout', 'platform'];
const PROJECTS = ['default', 'shop', 'x', 'platform'];
const REGIONS = ['eu-west-1', 'eu-central-1', 'us-east-1'];

export function application(name, o = {}) {
    const now = Date.now();
    const rev = o.rev ?? SHA(name.length * 7919 + name.charCodeAt(0));
    return {
        metadata: {
            name,
            namespace: o.namespace ?? CONTROL_NS,
            uid: `app-${name}`,
            resourceVersion: '1',
            creationTimestamp: iso(now - (o.days ?? 30) * DAY),
            labels: o.labels ?? {},
            annotations: o.annotations ?? {},
        },
        spec: {
            project: o.project ?? 'default',
            source: o.source ?? { repoURL: 'https://git.example/team/deployments.git', path: o.path ?? name, targetRevision: o.target ?? 'HEAD' },
            destination: o.destination ?? { server: 'https://kubernetes.default.svc', namespace: o.into ?? name },
            ...(o.auto ? { syncPolicy: { automated: { prune: true, selfHeal: true } } } : {}),
        },
        status: {
            sync: { status: o.sync ?? 'Synced', revision: rev },
            health: { status: o.health ?? 'Healthy', ...(o.healthMessage ? { message: o.healthMessage } : {}) },
            reconciledAt: iso(now - 60_000),
            summary: { images: ['registry.example/shop:1.4.2'], externalURLs: o.urls ?? [] },
            conditions: o.conditions,
            operationState: o.never
                ? undefined
                : {
                      phase: o.phase ?? 'Succeeded',
                      message: o.phase === 'Failed' ? 'one or more objects failed to apply' : 'successfully synced (all tasks run)',
                      startedAt: iso(now - (o.hours ?? 5) * 3_600_000 - 14_000),
                      finishedAt: iso(now - (o.hours ?? 5) * 3_600_000),
                      operation: { sync: { revision: rev }, initiatedBy: { username: 'admin' } },
                      syncResult: { revision: rev, resources: [] },
                  },
            history: o.never ? [] : [{ id: 0, revision: rev, deployStartedAt: iso(now - 5 * 3_600_000 - 14_000), deployedAt: iso(now - 5 * 3_600_000), initiatedBy: { username: 'admin' } }],
            resources: [],
        },
    };
}

function handMade() {
    return [
        application('guestbook', { labels: { team: 'a', tier: 'web' }, urls: ['Guestbook|https://guestbook.example/'], sync: 'OutOfSync', health: 'Healthy' }),
        application('shop', {
            labels: { team: 'checkout', tier: 'web' },
            project: 'shop',
            health: 'Degraded',
            sync: 'OutOfSync',
            healthMessage: 'Deployment "shop" exceeded its progress deadline',
            auto: true,
            phase: 'Failed',
            conditions: [{ type: 'SyncError', message: 'Failed last sync attempt: one or more objects failed to apply, reason: admission webhook denied the request', lastTransitionTime: iso(Date.now() - 900_000) }],
        }),
        application('payments-api', { labels: { team: 'checkout' }, project: 'shop', health: 'Progressing', auto: true, target: 'v2.18.0' }),
        application('monitoring', { labels: { team: 'platform' }, project: 'platform', source: { repoURL: 'https://charts.example/stable', chart: 'kube-prometheus-stack', targetRevision: '58.2.1' }, into: 'monitoring' }),
        application('nightly-reports', { labels: { team: 'b' }, health: 'Suspended', never: true, sync: 'Unknown' }),
    ];
}

function generated(n, seed) {
    const r = random(seed);
    const pick = list => list[Math.floor(r() * list.length)];
    const out = [];
    for (let i = out.length; i < n; i++) {
        const project = pick(PROJECTS);
        out.push(
            application(`svc-${String(i).padStart(4, '0')}-${pick(['api', 'worker', 'web', 'gateway', 'cache'])}`, {
                labels: { team: pick(TEAMS), env: pick(['prod', 'staging', 'dev']) },
                project,
                health: pick(HEALTHS),
                sync: pick(SYNCS),
                auto: r() < 0.5,
                days: Math.floor(r() * 400),
                hours: Math.floor(r() * 300),
                phase: r() < 0.06 ? 'Failed' : 'Succeeded',
                destination: { server: `https://${pick(REGIONS)}.clusters.example`, name: pick(REGIONS), namespace: pick(['prod', 'staging', 'dev']) },
                target: pick(['HEAD', 'main', 'release-2.4']),
            }),
        );
    }
    return out;
}

export class World {
    constructor(o = {}) {
        this.apps = new Map();
        this.trees = new Map();
        this.listeners = new Set();
        this.rv = 1000;
        this.stepMs = o.stepMs ?? 120;
        this.timers = new Set();
        const n = o.apps ?? 5;
        const list = n === 0 ? [] : [...handMade().slice(0, n), ...generated(Math.max(0, n - 5), 7)];
        for (const a of list) this.add(a, true);
        if (o.big) this.add(application('big', { into: 'big', health: 'Degraded' }), true, bigTree('big'));
    }

    add(app, quiet = false, tree) {
        const key = `${app.metadata.namespace}/${app.metadata.name}`;
        this.apps.set(key, app);
        if (tree) this.trees.set(key, tree);
        if (!quiet) this.changed(key, 'ADDED');
        return app;
    }

    // Trees are made when they are first looked at: 5,000 of them would only cost time.
    tree(key) {
        const app = this.apps.get(key);
        if (!app) return undefined;
        if (!this.trees.has(key)) {
            const name = app.metadata.name;
            this.trees.set(key, smallTree(app.spec.destination.namespace ?? 'default', name, { bad: app.status?.health?.status === 'Degraded', wide: name === 'shop' }));
        }
        const tree = this.trees.get(key);
        if (app.status && !app.status.resources?.length && tree.length > 0) app.status.resources = managedOf(tree, app.status.sync?.status);
        return tree;
    }

    get(namespace, name) {
        return this.apps.get(`${namespace || CONTROL_NS}/${name}`);
    }

    onChange(fn) {
        this.listeners.add(fn);
    }

    changed(key, type = 'MODIFIED') {
        const app = this.apps.get(key);
        if (app) app.metadata.resourceVersion = String(++this.rv);
        for (const fn of this.listeners) fn(type, key);
    }

    remove(key) {
        const app = this.apps.get(key);
        this.apps.delete(key);
        for (const fn of this.listeners) fn('DELETED', key, app);
    }

    patch(key, fn) {
        const app = this.apps.get(key);
        if (!app) return;
        fn(app);
        this.changed(key);
    }

    later(ms, fn) {
        const t = setTimeout(() => {
            this.timers.delete(t);
            fn();
        }, ms);
        this.timers.add(t);
    }

    stop() {
        for (const t of this.timers) clearTimeout(t);
    }

    // Scales the first Deployment of an application, as somebody with kubectl would.
    scale(key, pods) {
        const tree = this.tree(key);
        const rs = tree.find(n => n.kind === 'ReplicaSet');
        const mine = tree.filter(n => n.kind === 'Pod' && n.parentRefs?.[0]?.uid === rs.uid);
        if (mine.length > pods) {
            const gone = new Set(mine.slice(pods));
            this.trees.set(key, tree.filter(n => !gone.has(n)));
        }
        for (let i = mine.length; i < pods; i++) tree.push(pod(rs.namespace, `${rs.name}-new${i}`, rs));
        this.changed(key);
    }

    // The script of a sync: running, results one by one, done. Labels on the application steer it: `fail=true`.
    sync(key, body, username) {
        const app = this.apps.get(key);
        this.tree(key);
        const rev = SHA(this.rv);
        const dry = body.dryRun === true;
        const picked = body.resources ? new Set(body.resources.map(keyOf)) : undefined;
        const targets = app.status.resources.filter(r => !picked || picked.has(keyOf(r)));
        const operation = { sync: { revision: rev, prune: body.prune, dryRun: dry, resources: body.resources ?? undefined }, initiatedBy: { username }, retry: body.retryStrategy ?? {} };
        const startedAt = iso(Date.now());
        this.patch(key, a => {
            a.operation = operation;
        });
        this.later(this.stepMs, () =>
            this.patch(key, a => {
                a.operation = undefined;
                a.status.operationState = { phase: 'Running', message: 'one or more tasks are running', startedAt, operation, syncResult: { revision: rev, resources: [] } };
            }),
        );
        const fails = app.metadata.labels?.fail === 'true' && !dry;
        targets.forEach((t, i) => this.later(this.stepMs * (i + 2), () => this.patch(key, a => this.result(a, t, dry, fails && i === targets.length - 1))));
        this.later(this.stepMs * (targets.length + 3), () => this.patch(key, a => this.finish(a, { dry, fails, rev, startedAt, username, partial: picked !== undefined })));
        return app;
    }

    result(a, t, dry, failed) {
        const s = a.status.operationState;
        if (s?.phase !== 'Running') return;
        const message = failed ? `${t.kind.toLowerCase()}s "${t.name}" is forbidden: exceeded quota: compute, requested: cpu=2, used: cpu=9, limited: cpu=10` : `${t.kind.toLowerCase()}/${t.name} ${dry ? 'configured (dry run)' : t.status === 'OutOfSync' ? 'configured' : 'unchanged'}`;
        a.status.operationState = {
            ...s,
            syncResult: { ...s.syncResult, resources: [...s.syncResult.resources, { group: t.group ?? '', version: t.version, kind: t.kind, namespace: t.namespace, name: t.name, status: failed ? 'SyncFailed' : 'Synced', message, hookPhase: failed ? 'Failed' : 'Running', syncPhase: 'Sync' }] },
        };
        if (!dry && !failed) a.status.resources = a.status.resources.map(r => (keyOf(r) === keyOf(t) ? { ...r, status: 'Synced', health: r.health ? { status: 'Healthy' } : undefined } : r));
    }

    finish(a, o) {
        const s = a.status.operationState;
        if (s?.phase === 'Terminating') {
            a.status.operationState = { ...s, phase: 'Failed', message: 'Operation terminated', finishedAt: iso(Date.now()) };
            return;
        }
        a.status.operationState = {
            ...s,
            phase: o.fails ? 'Failed' : 'Succeeded',
            message: o.fails ? 'one or more objects failed to apply' : o.dry ? 'successfully synced (dry run)' : 'successfully synced (all tasks run)',
            finishedAt: iso(Date.now()),
        };
        if (o.dry || o.fails) return;
        a.status.sync = { status: a.status.resources.every(r => r.status === 'Synced') ? 'Synced' : 'OutOfSync', revision: o.rev };
        a.status.health = { status: 'Healthy' };
        a.status.conditions = undefined;
        if (!o.partial) a.status.history = [...(a.status.history ?? []), { id: (a.status.history?.length ?? 0) + 1, revision: o.rev, deployStartedAt: o.startedAt, deployedAt: iso(Date.now()), initiatedBy: { username: o.username } }];
    }
}
