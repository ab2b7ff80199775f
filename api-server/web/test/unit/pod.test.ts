// The rules of kubectl's STATUS and READY columns.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containerLines, openGates, podState, readyCount, type Pod } from '../../src/lib/pod';

const waiting = (reason: string) => ({ name: 'c', state: { waiting: { reason } } });
const ended = (exitCode: number, reason?: string, signal?: number) => ({ name: 'c', state: { terminated: { exitCode, reason, signal } } });
const running = { name: 'c', ready: true, state: { running: {} } };

test('states', () => {
    const cases: [string, Pod][] = [
        ['Pending', { status: { phase: 'Pending' } }],
        ['Running', { status: { phase: 'Running', containerStatuses: [running] } }],
        ['Evicted', { status: { phase: 'Failed', reason: 'Evicted' } }],
        ['SchedulingGated', { status: { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] } }],
        ['ImagePullBackOff', { status: { phase: 'Pending', containerStatuses: [waiting('ImagePullBackOff')] } }],
        ['CrashLoopBackOff', { status: { phase: 'Running', containerStatuses: [waiting('CrashLoopBackOff'), running] } }],
        ['OOMKilled', { status: { phase: 'Failed', containerStatuses: [ended(137, 'OOMKilled')] } }],
        ['ExitCode:3', { status: { phase: 'Failed', containerStatuses: [ended(3)] } }],
        ['Signal:9', { status: { phase: 'Failed', containerStatuses: [ended(0, undefined, 9)] } }],
        ['Completed', { status: { phase: 'Succeeded', containerStatuses: [ended(0, 'Completed')] } }],
        ['NotReady', { status: { phase: 'Running', containerStatuses: [ended(0, 'Completed'), running] } }],
        ['Running', { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }], containerStatuses: [ended(0, 'Completed'), running] } }],
        ['Init:0/2', { spec: { initContainers: [{ name: 'a' }, { name: 'b' }] }, status: { phase: 'Pending', initContainerStatuses: [{ name: 'a', state: { running: {} } }] } }],
        ['Init:1/2', { spec: { initContainers: [{ name: 'a' }, { name: 'b' }] }, status: { phase: 'Pending', initContainerStatuses: [{ name: 'a', state: { terminated: { exitCode: 0 } } }, { name: 'b', state: { waiting: { reason: 'PodInitializing' } } }] } }],
        ['Init:Error', { spec: { initContainers: [{ name: 'a' }] }, status: { phase: 'Pending', initContainerStatuses: [{ name: 'a', state: { terminated: { exitCode: 1, reason: 'Error' } } }] } }],
        ['Init:ExitCode:2', { spec: { initContainers: [{ name: 'a' }] }, status: { phase: 'Pending', initContainerStatuses: [{ name: 'a', state: { terminated: { exitCode: 2 } } }] } }],
        ['Init:CrashLoopBackOff', { spec: { initContainers: [{ name: 'a' }] }, status: { phase: 'Pending', initContainerStatuses: [{ name: 'a', state: { waiting: { reason: 'CrashLoopBackOff' } } }] } }],
        ['Running', { spec: { initContainers: [{ name: 'a', restartPolicy: 'Always' }] }, status: { phase: 'Running', initContainerStatuses: [{ name: 'a', started: true, state: { running: {} } }], containerStatuses: [running] } }],
        ['Terminating', { metadata: { deletionTimestamp: 'x' }, status: { phase: 'Running', containerStatuses: [running] } }],
        ['Unknown', { metadata: { deletionTimestamp: 'x' }, status: { phase: 'Running', reason: 'NodeLost' } }],
        ['Completed', { metadata: { deletionTimestamp: 'x' }, status: { phase: 'Succeeded', containerStatuses: [ended(0, 'Completed')] } }],
        ['Unknown', {}],
    ];
    for (const [want, pod] of cases) assert.equal(podState(pod), want, JSON.stringify(pod));
});

test('ready counts sidecars', () => {
    const pod: Pod = {
        spec: { initContainers: [{ name: 's', restartPolicy: 'Always' }, { name: 'i' }], containers: [{ name: 'c' }, { name: 'd' }] },
        status: { initContainerStatuses: [{ name: 's', ready: true, state: { running: {} } }], containerStatuses: [running, { name: 'd', ready: false }] },
    };
    assert.deepEqual(readyCount(pod), { ready: 2, total: 3 });
});

test('gates and container lines', () => {
    const pod: Pod = {
        spec: { readinessGates: [{ conditionType: 'a' }, { conditionType: 'b' }] },
        status: { conditions: [{ type: 'a', status: 'True' }], containerStatuses: [{ name: 'c', restartCount: 4, state: { waiting: { reason: 'CrashLoopBackOff', message: 'm' } }, lastState: { terminated: { exitCode: 1, reason: 'Error' } } }] },
    };
    assert.deepEqual(openGates(pod), ['b']);
    assert.deepEqual(containerLines(pod), [{ name: 'c', init: false, state: 'CrashLoopBackOff', detail: 'm', restarts: 4, last: 'Error (exit 1)' }]);
});
