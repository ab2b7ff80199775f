import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resultRows, timeline } from '../../src/views/appdetails/operation';
import { syncRequest } from '../../src/views/syncpanel';
import { toApplication } from '../../src/views/createapp';
import { appListRow, appRows } from '../../src/live/rows';
import { operationLabel } from '../../src/store/appspec';
import type { Application, OperationState } from '../../src/types';

const app = (o: Partial<Application> = {}): Application => ({ metadata: { name: 'x', namespace: 'argocd' }, spec: { project: 'default', source: { repoURL: 'r' }, destination: {} }, ...o });

const OP: OperationState = {
    phase: 'Failed',
    syncResult: {
        resources: [
            { kind: 'ConfigMap', name: 'a', status: 'Synced', syncPhase: 'Sync' },
            { kind: 'Job', name: 'pre', hookType: 'PreSync', hookPhase: 'Succeeded', syncPhase: 'PreSync' },
            { kind: 'Deployment', name: 'z', status: 'SyncFailed', message: 'no', syncPhase: 'Sync' },
            { kind: 'Job', name: 'post', hookType: 'PostSync', hookPhase: 'Running', syncPhase: 'PostSync' },
        ],
    },
};

test('what failed comes first, then phases, waves, names', () => {
    const rows = resultRows(OP, [{ kind: 'ConfigMap', name: 'a', syncWave: 2 }]);
    assert.deepEqual(rows.map(r => [r.result.name, r.outcome, r.failed, r.wave]), [
        ['z', 'SyncFailed', true, 0],
        ['pre', 'Succeeded', false, 0],
        ['a', 'Synced', false, 2],
        ['post', 'Running', false, 0],
    ]);
    assert.deepEqual(timeline(rows).map(s => [s.title, s.done, s.failed, s.total]), [
        ['PreSync', 1, 0, 1],
        ['Wave 0', 0, 1, 1],
        ['Wave 2', 1, 0, 1],
        ['PostSync', 0, 0, 1],
    ]);
});

test('sync requests', () => {
    const c = { revision: 'v1', prune: true, dryRun: false, applyOnly: false, force: false, replace: false, retry: false, options: [] as string[] };
    assert.deepEqual(syncRequest(c, app(), [], true), { revision: 'v1', prune: true, dryRun: false, strategy: { hook: {} }, resources: null, syncOptions: null });
    const part = syncRequest({ ...c, applyOnly: true, force: true, options: ['PruneLast=true'], replace: true }, app(), [{ kind: 'Pod', name: 'p' }], false);
    assert.deepEqual(part.strategy, { apply: { force: true } });
    assert.deepEqual(part.resources, [{ group: '', kind: 'Pod', name: 'p', namespace: '' }]);
    assert.deepEqual(part.syncOptions, { items: ['PruneLast=true', 'Replace=true'] });
    const many = syncRequest(c, app({ spec: { project: 'p', sources: [{ repoURL: 'a' }, { repoURL: 'b' }], destination: {} } }), [], true);
    assert.equal('revision' in many, false);
    assert.deepEqual(syncRequest({ ...c, retry: true }, app(), [], true).retryStrategy, { limit: 2, backoff: { duration: '5s', maxDuration: '3m0s', factor: 2 } });
});

test('applications from the form', () => {
    const d = { name: 'tools/guestbook', project: 'default', repo: ' https://g/r ', revision: '', path: 'guestbook', chart: '', kind: 'directory' as const, server: 'in-cluster', namespace: 'g', auto: true, prune: true, selfHeal: false, createNamespace: true, finalizer: true };
    assert.deepEqual(toApplication(d), {
        metadata: { name: 'guestbook', namespace: 'tools', finalizers: ['resources-finalizer.argocd.argoproj.io'] },
        spec: {
            project: 'default',
            source: { repoURL: 'https://g/r', targetRevision: 'HEAD', path: 'guestbook' },
            destination: { name: 'in-cluster', namespace: 'g' },
            syncPolicy: { automated: { prune: true, selfHeal: false }, syncOptions: ['CreateNamespace=true'] },
        },
    });
    assert.equal(toApplication({ ...d, auto: false, createNamespace: false }).spec.syncPolicy, undefined);
});

test('rows derived from REST objects', () => {
    const [key, row] = appListRow(app({ metadata: { name: 'x', namespace: 'n', annotations: { 'argocd.argoproj.io/refresh': 'hard' } }, operation: {} }));
    assert.equal(key, 'n/x');
    assert.equal(row.refreshing, true);
    assert.equal(row.op, 'Syncing');
    assert.equal(row.autoSync, false);
    const off = app({ spec: { project: 'p', destination: {}, syncPolicy: { automated: { enabled: false } } } });
    assert.equal(appListRow(off)[1].autoSync, false);
    assert.equal(appListRow(app({ spec: { project: 'p', destination: {}, syncPolicy: { automated: {} } } }))[1].autoSync, true);
    const rows = appRows(app({ status: { resources: [{ kind: 'Pod', name: 'p', namespace: 'd' }], operationState: OP } }));
    assert.deepEqual(rows.map(r => r[0]), ['app', 'r:/Pod/d/p', 'o:/ConfigMap//a', 'o:/Job//pre', 'o:/Deployment//z', 'o:/Job//post']);
    assert.equal(operationLabel('Deleting'), 'Syncing');
    assert.equal(operationLabel(''), 'Unknown');
});
