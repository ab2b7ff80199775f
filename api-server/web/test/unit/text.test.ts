import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toYaml } from '../../src/lib/manifest';
import { age, ago, duration } from '../../src/lib/time';
import { externalLink, returnPath, safeHref, sourceHref, sourceKind } from '../../src/lib/url';
import { tokenLines } from '../../src/lib/yamltokens';
import { readNode, writeNode } from '../../src/views/appdetails/context';
import { appPath } from '../../src/routes/router';

const BASE = 'https://argo.example/root/';

test('only http, https and relative links', () => {
    const cases: [string, string | undefined][] = [
        ['https://x/', 'https://x/'],
        ['http://x/y', 'http://x/y'],
        ['docs', 'https://argo.example/root/docs'],
        ['javascript:alert(1)', undefined],
        [' javascript:alert(1)', undefined],
        ['JaVaScRiPt:alert(1)', undefined],
        ['data:text/html,x', undefined],
        ['vbscript:x', undefined],
        ['https://[', undefined],
        ['', undefined],
    ];
    for (const [url, want] of cases) assert.equal(safeHref(url, BASE), want, url);
    assert.deepEqual(externalLink('Shop|https://s/', BASE), { title: 'Shop', href: 'https://s/' });
    assert.deepEqual(externalLink('https://s/a', BASE), { title: 's', href: 'https://s/a' });
    assert.equal(externalLink('x|javascript:1', BASE), undefined);
});

test('after login one stays on our origin, below the base', () => {
    const cases: [string | null, string][] = [
        ['/root/applications?x=1', '/applications?x=1'],
        ['https://argo.example/root/a', '/a'],
        ['https://evil.example/root/a', ''],
        ['//evil.example/root/', ''],
        ['/other', ''],
        ['\\\\evil', ''],
        [null, ''],
    ];
    for (const [url, want] of cases) assert.equal(returnPath(url, BASE), want, String(url));
});

test('sources', () => {
    assert.equal(sourceKind({ repoURL: 'oci://r/x' }), 'oci');
    assert.equal(sourceKind({ repoURL: 'https://r', chart: 'c' }), 'helm');
    assert.equal(sourceKind({ repoURL: 'https://r' }), 'git');
    assert.equal(sourceHref('git@github.com:a/b.git', 'v1', 'p', BASE), 'https://github.com/a/b/tree/v1/p');
    assert.equal(sourceHref('https://gitlab.com/a/b.git', '', 'p', BASE), 'https://gitlab.com/a/b/-/tree/HEAD/p');
    assert.equal(sourceHref('ext::sh -c x', '', '', BASE), undefined);
});

test('durations', () => {
    const cases: [number, string][] = [
        [0, '0s'],
        [999, '0s'],
        [45_000, '45s'],
        [125_000, '2m 5s'],
        [3_600_000, '1h'],
        [49 * 3_600_000, '2d 1h'],
        [11 * 86_400_000, '11d'],
        [-5, '0s'],
    ];
    for (const [ms, want] of cases) assert.equal(duration(ms), want, String(ms));
    assert.equal(ago('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:00:03Z')), 'just now');
    assert.equal(age('2026-01-01T00:00:00Z', Date.parse('2026-01-03T01:00:00Z')), '2d');
    assert.equal(ago('nonsense', 0), '');
});

test('manifests: numbers keep their text, strings that look like something else keep their quotes', () => {
    const yaml = toYaml('{"a":9007199254740993,"b":0.1,"c":"on","d":"0644","e":"1e3","f":1.0,"metadata":{"name":"x","managedFields":[1]}}', { hideManagedFields: true });
    assert.match(yaml, /^a: 9007199254740993$/m);
    assert.match(yaml, /^b: 0\.1$/m);
    assert.match(yaml, /^c: ['"]on['"]$/m);
    assert.match(yaml, /^d: ['"]0644['"]$/m);
    assert.match(yaml, /^e: ['"]1e3['"]$/m);
    assert.doesNotMatch(yaml, /managedFields/);
    assert.match(toYaml('{"metadata":{"managedFields":[1]}}', { hideManagedFields: false }), /managedFields/);
    assert.equal(toYaml('null', { hideManagedFields: true }), '');
});

test('yaml tokens: keys, block scalars, and every character survives', () => {
    const lines = ['a: 1', '- name: x', '  "q:k": true', 'text: |', '  not: a key', '', 'next: null', '# c', 'url: http://x:80/y', 'b: {}'];
    const t = tokenLines(lines);
    assert.deepEqual(t.map(l => l.map(x => x.text).join('')), lines);
    const kinds = (i: number) => t[i]!.map(x => x.kind).join(' ');
    assert.equal(kinds(0), 'key mark number');
    assert.equal(kinds(1), 'mark key mark text');
    assert.equal(kinds(2), 'mark key mark word');
    assert.equal(kinds(4), 'text');
    assert.equal(kinds(6), 'key mark word');
    assert.equal(kinds(7), 'comment');
    assert.deepEqual(t[8]!.map(x => x.text), ['url', ': ', 'http://x:80/y']);
});

test('addresses of applications and nodes', () => {
    assert.deepEqual(appPath('/applications/argocd/shop'), { namespace: 'argocd', name: 'shop' });
    assert.deepEqual(appPath('/applications/shop'), { namespace: '', name: 'shop' });
    assert.equal(appPath('/applications'), undefined);
    assert.equal(appPath('/applications/a/b/c'), undefined);
    assert.equal(appPath('/applications/%E0%A4/x'), undefined);
    assert.deepEqual(readNode('/Pod/default/guestbook-1/0'), { group: '', kind: 'Pod', namespace: 'default', name: 'guestbook-1' });
    assert.equal(writeNode({ group: 'apps', kind: 'Deployment', namespace: 'd', name: 'x' }), 'apps/Deployment/d/x/0');
    assert.equal(readNode('x/y'), undefined);
});
