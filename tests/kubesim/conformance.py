#!/usr/bin/env python3
"""Behaviours of a Kubernetes API server that the integration suite relies on, checked over HTTP.

usage: KUBECONFIG=FILE conformance.py [PATTERN...]

The same cases run against kubesim and against a real kube-apiserver with its controllers and at least one node on which
pods become ready (a simulated one will do). Expectations were taken from kube-apiserver 1.20; where later versions differ,
a case looks at the server's version. Cases named sim/... need kubesim and are skipped elsewhere. The kubeconfig names one
cluster and one user. Prints TAP and "N passed, N failed".
"""
import base64
import http.client
import json
import os
import random
import re
import ssl
import sys
import tempfile
import time
import traceback
from urllib.parse import quote, urlsplit

MERGE = 'application/merge-patch+json'
JSONP = 'application/json-patch+json'
STRATEGIC = 'application/strategic-merge-patch+json'
PARTIAL = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'
PARTIAL_LIST = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1'
AGENT = 'kubesim-conformance'


class Failed(Exception):
    pass


def eq(have, want, what=''):
    if have != want:
        raise Failed('%s: have %s, want %s' % (what or 'value', json.dumps(have), json.dumps(want)))


def ok(condition, what):
    if not condition:
        raise Failed(what)


def has(have, want, at=''):
    """Every field of want is in have; lists must be as long. A callable is a check."""
    if callable(want):
        ok(want(have), '%s: %s is not as it should be' % (at, json.dumps(have)))
    elif isinstance(want, dict):
        ok(isinstance(have, dict), '%s: %s is no object' % (at, json.dumps(have)))
        for k, v in want.items():
            ok(k in have, '%s.%s is missing' % (at, k))
            has(have[k], v, '%s.%s' % (at, k))
    elif isinstance(want, list):
        ok(isinstance(have, list) and len(have) == len(want), '%s: have %s' % (at, json.dumps(have)))
        for i, v in enumerate(want):
            has(have[i], v, '%s[%d]' % (at, i))
    else:
        eq(have, want, at)


class Api:
    def __init__(self, path):
        text = open(path).read()

        def field(name):
            m = re.search(name + r'''["']?:\s*["']?([^\s"',}]+)''', text)
            return m.group(1) if m else None

        url = urlsplit(field('server'))
        self.host, self.port, self.tls, self.token = url.hostname, url.port, None, field('token')
        if url.scheme == 'https':
            self.tls = ssl.create_default_context()
            ca, cert, key = (field(n) for n in ('certificate-authority-data', 'client-certificate-data', 'client-key-data'))
            if ca:
                self.tls.load_verify_locations(cadata=base64.b64decode(ca).decode())
            if cert:
                with tempfile.NamedTemporaryFile() as f:
                    f.write(base64.b64decode(cert) + b'\n' + base64.b64decode(key))
                    f.flush()
                    self.tls.load_cert_chain(f.name)
        self.kept = None

    def connect(self, timeout=60):
        if self.tls:
            return http.client.HTTPSConnection(self.host, self.port, context=self.tls, timeout=timeout)
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)

    def head(self, accept, ctype):
        h = {'Accept': accept, 'User-Agent': AGENT}
        if ctype:
            h['Content-Type'] = ctype
        if self.token:
            h['Authorization'] = 'Bearer ' + self.token
        return h

    def raw(self, method, path, body=None, ctype=None, accept='application/json'):
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        ctype = ctype or ('application/json' if body is not None else None)
        for attempt in (0, 1):
            fresh = self.kept is None
            self.kept = self.kept or self.connect()
            try:
                self.kept.request(method, path, body, self.head(accept, ctype))
                r = self.kept.getresponse()
                return r.status, r.read(), r
            except (http.client.HTTPException, OSError):
                self.kept = None
                if fresh or attempt:
                    raise

    def __call__(self, method, path, body=None, ctype=None, accept='application/json'):
        status, data, _ = self.raw(method, path, body, ctype, accept)
        try:
            return status, json.loads(data)
        except ValueError:
            return status, data.decode('utf-8', 'replace')

    def watch(self, path, seconds=3, accept='application/json'):
        """The events of a watch that the server ends after so many seconds."""
        c = self.connect()
        c.request('GET', path + ('&' if '?' in path else '?') + 'watch=1&timeoutSeconds=%d' % seconds, None,
                  self.head(accept, None))
        r = c.getresponse()
        eq(r.status, 200, 'status of the watch')
        out = [json.loads(line) for line in r if line.strip()]
        c.close()
        return out


api = None
minor = 0
is_sim = False
cases = []
namespaces = []
RUN = 'kc%05d' % random.randrange(100000)


def case(fn):
    cases.append(('', fn))
    return fn


def sim(fn):
    cases.append(('sim/', fn))
    return fn


def get(path, want=200):
    s, o = api('GET', path)
    eq(s, want, 'GET %s: %s' % (path, o if s != want else ''))
    return o


def post(path, body, want=201):
    s, o = api('POST', path, body)
    eq(s, want, 'POST %s: %s' % (path, o if s != want else ''))
    return o


def patch(path, body, ctype=MERGE, want=200):
    s, o = api('PATCH', path, body, ctype)
    eq(s, want, 'PATCH %s: %s' % (path, o if s != want else ''))
    return o


def put(path, body, want=200):
    s, o = api('PUT', path, body)
    eq(s, want, 'PUT %s: %s' % (path, o if s != want else ''))
    return o


def delete(path, body=None, want=200):
    s, o = api('DELETE', path, body)
    eq(s, want, 'DELETE %s: %s' % (path, o if s != want else ''))
    return o


def until(what, fn, seconds=30):
    end = time.time() + seconds
    while True:
        v = fn()
        if v:
            return v
        if time.time() > end:
            raise Failed('not within %d s: %s' % (seconds, what))
        time.sleep(0.02 if is_sim else 0.1)


def gone(path):
    until(path + ' is gone', lambda: api('GET', path)[0] == 404)


def namespace(pods=False):
    name = '%s-%d' % (RUN, len(namespaces))
    namespaces.append(name)
    post('/api/v1/namespaces', {'metadata': {'name': name}})
    if pods:
        until('the default account', lambda: api('GET', '/api/v1/namespaces/%s/serviceaccounts/default' % name)[0] == 200)
    return name


def core(ns, plural):
    return '/api/v1/namespaces/%s/%s' % (ns, plural)


def apps(ns, plural):
    return '/apis/apps/v1/namespaces/%s/%s' % (ns, plural)


def batch(ns, plural='jobs'):
    return '/apis/batch/v1/namespaces/%s/%s' % (ns, plural)


RBAC = '/apis/rbac.authorization.k8s.io/v1/'
CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'


def meta(name, **more):
    return dict({'name': name}, **more)


def template(labels=None, image='pause:1', **spec):
    return {'metadata': {'labels': labels or {'a': 'b'}},
            'spec': dict({'containers': [{'name': 'c', 'image': image}]}, **spec)}


def deployment(name, replicas=1, image='pause:1', **spec):
    return {'metadata': meta(name), 'spec': dict({'replicas': replicas, 'selector': {'matchLabels': {'a': name}},
                                                  'template': template({'a': name}, image)}, **spec)}


def check_status(o, code, reason, message=None, **details):
    has(o, {'kind': 'Status', 'apiVersion': 'v1', 'metadata': {}, 'status': 'Failure', 'code': code, 'reason': reason})
    if message is not None:
        eq(o['message'], message, 'message')
    if details:
        has(o['details'], details, 'details')


def names(o):
    return [i['metadata']['name'] for i in o['items']]


def own_events(events):
    """Without what controllers put into a new namespace."""
    return [e for e in events if e['object']['metadata'].get('name') != 'kube-root-ca.crt']


def cms(ns, n, **more):
    return [post(core(ns, 'configmaps'), dict({'metadata': meta('c%d' % i, labels={'i': str(i)})}, **more)) for i in range(n)]


# ---- discovery ----


@case
def version_and_health():
    v = get('/version')
    ok(re.match(r'v1\.\d+\.\d+', v['gitVersion']), 'gitVersion')
    eq(v['major'], '1')
    for path in ('/healthz', '/readyz', '/livez'):
        eq(api('GET', path), (200, 'ok'))


@case
def discovery_core():
    eq(get('/api')['versions'], ['v1'])
    o = get('/api/v1')
    has(o, {'kind': 'APIResourceList', 'groupVersion': 'v1'})
    by = {r['name']: r for r in o['resources']}
    has(by['configmaps'], {'kind': 'ConfigMap', 'namespaced': True, 'shortNames': ['cm']})
    has(by['namespaces'], {'kind': 'Namespace', 'namespaced': False, 'shortNames': ['ns']})
    has(by['pods'], {'categories': ['all'], 'shortNames': ['po']})
    eq(sorted(by['configmaps']['verbs']), ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'])
    eq(sorted(by['pods/status']['verbs']), ['get', 'patch', 'update'])
    has(by['pods/log'], {'kind': 'Pod', 'verbs': ['get']})


@case
def discovery_groups():
    groups = {g['name']: g for g in get('/apis')['groups']}
    for name in ('apps', 'batch', 'networking.k8s.io', 'rbac.authorization.k8s.io', 'policy', 'autoscaling', 'storage.k8s.io',
                 'coordination.k8s.io', 'events.k8s.io', 'admissionregistration.k8s.io', 'apiextensions.k8s.io',
                 'apiregistration.k8s.io', 'discovery.k8s.io', 'authorization.k8s.io', 'scheduling.k8s.io'):
        ok(name in groups, name)
        g = groups[name]
        eq(g['preferredVersion'], g['versions'][0], name)
        one = get('/apis/' + name)
        has(one, {'kind': 'APIGroup', 'apiVersion': 'v1', 'name': name, 'versions': g['versions']})
    by = {r['name']: r for r in get('/apis/apps/v1')['resources']}
    has(by['deployments/scale'], {'group': 'autoscaling', 'version': 'v1', 'kind': 'Scale'})
    has(by['deployments'], {'shortNames': ['deploy'], 'categories': ['all'], 'namespaced': True})


@case
def unknown_paths():
    check_status(get('/api/v1/nope', 404), 404, 'NotFound', 'the server could not find the requested resource')
    check_status(get('/apis/apps/v1/nope', 404), 404, 'NotFound')
    eq(api('GET', '/apis/nope/v1'), (404, '404 page not found\n'))
    for method, path in (('POST', '/api/v1/namespaces/default'), ('PUT', core('default', 'configmaps')),
                         ('PATCH', core('default', 'configmaps')), ('POST', core('default', 'configmaps/x'))):
        s, o = api(method, path, {})
        eq(s, 405, method + ' ' + path)
        check_status(o, 405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource')


# ---- create ----


@case
def create_sets_metadata():
    ns = namespace()
    o = post(core(ns, 'configmaps'), {'metadata': meta('a', uid='x', selfLink='/x', deletionTimestamp='2000-01-01T00:00:00Z',
                                                       creationTimestamp='2000-01-01T00:00:00Z'), 'data': {'x': '1'}})
    has(o, {'kind': 'ConfigMap', 'apiVersion': 'v1', 'data': {'x': '1'}})
    m = o['metadata']
    eq(m['namespace'], ns)
    ok(re.match(r'^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$', m['uid']), 'uid')
    ok(re.match(r'^\d+$', m['resourceVersion']), 'resourceVersion')
    ok(abs(time.time() - time.mktime(time.strptime(m['creationTimestamp'], '%Y-%m-%dT%H:%M:%SZ')) + time.timezone) < 100, 'time')
    ok('selfLink' not in m and 'deletionTimestamp' not in m, 'what a client cannot set')
    same = get(core(ns, 'configmaps/a'))
    eq({k: v for k, v in same['metadata'].items() if k != 'managedFields'},
       {k: v for k, v in m.items() if k != 'managedFields'})


@case
def create_generated_name():
    ns = namespace()
    o = post(core(ns, 'configmaps'), {'metadata': {'generateName': 'gen-'}})
    ok(re.match(r'^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$', o['metadata']['name']), o['metadata']['name'])
    eq(o['metadata']['generateName'], 'gen-')


@case
def create_errors():
    ns = namespace()
    path = core(ns, 'configmaps')
    post(path, {'metadata': meta('a')})
    subdomain = ("a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
                 "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
                 "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')")
    for body, code, reason, message in (
            ({'metadata': meta('a')}, 409, 'AlreadyExists', 'configmaps "a" already exists'),
            ({'metadata': meta('A_b')}, 422, 'Invalid',
             'ConfigMap "A_b" is invalid: metadata.name: Invalid value: "A_b": ' + subdomain),
            ({'metadata': {}}, 422, 'Invalid',
             'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required'),
            ({'apiVersion': 'v1', 'kind': 'Secret', 'metadata': meta('q')}, 400, 'BadRequest', None),
            ({'apiVersion': 'apps/v1', 'kind': 'ConfigMap', 'metadata': meta('q')}, 400, 'BadRequest', None),
            ({'metadata': meta('q', namespace='other')}, 400, 'BadRequest',
             'the namespace of the provided object does not match the namespace sent on the request'),
            ('{bad json', 400, 'BadRequest', None),
            ('', 400, 'BadRequest', None),
            ({'metadata': {'name': 5}}, 400, 'BadRequest', None),
            ({'metadata': meta('x'), 'data': {'a': 1}}, 400, 'BadRequest', None),
            ({'metadata': meta('x'), 'data': 's'}, 400, 'BadRequest', None),
            ({'metadata': meta('x'), 'binaryData': {'a': '!!'}}, 400, 'BadRequest', None),
            ({'metadata': meta('x'), 'data': {'a/b': 'c'}}, 422, 'Invalid',
             'ConfigMap "x" is invalid: data[a/b]: Invalid value: "a/b": a valid config key must consist of alphanumeric '
             "characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "
             "'[-._a-zA-Z0-9]+')"),
            ({'metadata': meta('x', labels={'a b': 'c'})}, 422, 'Invalid', None),
            ({'metadata': meta('x', labels={'a': 'c d'})}, 422, 'Invalid', None),
            ({'metadata': meta('x', annotations={'a b': 'c'})}, 422, 'Invalid', None),
            ({'metadata': meta('x', finalizers=['bad'])}, 422, 'Invalid',
             'ConfigMap "x" is invalid: metadata.finalizers[0]: Invalid value: "bad": name is neither a standard finalizer '
             'name nor is it fully qualified'),
            ({'metadata': meta('x', ownerReferences=[{'apiVersion': 'v1', 'kind': 'X', 'name': 'x'}])}, 422, 'Invalid', None)):
        s, o = api('POST', path, body)
        eq(s, code, json.dumps(body))
        check_status(o, code, reason, message)
    s, o = api('POST', path, {'metadata': meta('q', resourceVersion='5')})
    eq((s, o['message']), (500, 'resourceVersion should not be set on objects to be created'))
    s, o = api('POST', core('no-such-namespace', 'configmaps'), {'metadata': meta('q')})
    check_status(o, 404, 'NotFound', 'namespaces "no-such-namespace" not found', name='no-such-namespace', kind='namespaces')


@case
def create_causes():
    ns = namespace()
    s, o = api('POST', core(ns, 'configmaps'), {'metadata': {}})
    has(o['details'], {'kind': 'ConfigMap', 'causes': [{'reason': 'FieldValueRequired', 'field': 'metadata.name',
                                                       'message': 'Required value: name or generateName is required'}]})


@case
def create_dry_run():
    ns = namespace()
    s, o = api('POST', core(ns, 'configmaps') + '?dryRun=All', {'metadata': meta('dr')})
    eq(s, 201)
    ok('uid' in o['metadata'] and 'resourceVersion' not in o['metadata'], 'uid without resourceVersion')
    get(core(ns, 'configmaps/dr'), 404)
    s, o = api('POST', core(ns, 'configmaps') + '?dryRun=Some', {'metadata': meta('dr')})
    check_status(o, 422, 'Invalid',
                 'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: []string{"Some"}: supported values: "All"')


@case
def decoding_is_typed():
    ns = namespace()
    o = post(core(ns, 'configmaps'), {'metadata': meta('t', annotations={'a': None}, labels={}, bogus=1), 'extra': {'x': 1},
                                      'data': {'a': None}, 'binaryData': {}, 'status': {'x': 1}})
    eq({k: o.get(k) for k in ('data', 'binaryData', 'extra', 'status')},
       {'data': {'a': ''}, 'binaryData': None, 'extra': None, 'status': None})
    eq(o['metadata']['annotations'], {'a': ''})
    ok('labels' not in o['metadata'] and 'bogus' not in o['metadata'], 'empty and unknown fields go')


@case
def not_found():
    check_status(get(core('default', 'configmaps/nope'), 404), 404, 'NotFound', 'configmaps "nope" not found', name='nope',
                 kind='configmaps')
    o = get(apps('default', 'deployments/nope'), 404)
    check_status(o, 404, 'NotFound', 'deployments.apps "nope" not found', name='nope', group='apps', kind='deployments')


# ---- update and patch ----


@case
def update_conflicts():
    ns = namespace()
    path = core(ns, 'configmaps')
    o = post(path, {'metadata': meta('a'), 'data': {'x': '1'}})
    rv, uid = o['metadata']['resourceVersion'], o['metadata']['uid']
    new = put(path + '/a', {'metadata': meta('a', resourceVersion=rv), 'data': {'x': '2'}})
    ok(int(new['metadata']['resourceVersion']) > int(rv), 'version grows')
    eq(new['metadata']['uid'], uid)
    o = put(path + '/a', {'metadata': meta('a', resourceVersion=rv), 'data': {'x': '3'}}, 409)
    check_status(o, 409, 'Conflict', 'Operation cannot be fulfilled on configmaps "a": the object has been modified; please '
                 'apply your changes to the latest version and try again', name='a', kind='configmaps')
    put(path + '/a', {'metadata': meta('a'), 'data': {'x': '4'}})
    check_status(put(path + '/a', {'metadata': meta('b')}, 400), 400, 'BadRequest',
                 'the name of the object (b) does not match the name on the URL (a)')
    check_status(put(path + '/a', {'metadata': {}}, 400), 400, 'BadRequest')
    check_status(put(path + '/zz', {'metadata': meta('zz')}, 404), 404, 'NotFound')
    o = put(path + '/a', {'metadata': meta('a', uid='0000')}, 409)
    ok('Precondition failed: UID in precondition: 0000, UID in object meta: ' + uid in o['message'], o['message'])


@case
def update_without_change_keeps_version():
    ns = namespace()
    path = core(ns, 'configmaps')
    o = post(path, {'metadata': meta('a'), 'data': {'x': '1'}})
    for again in (put(path + '/a', {'metadata': meta('a'), 'data': {'x': '1'}}), patch(path + '/a', {'data': {'x': '1'}})):
        eq(again['metadata']['resourceVersion'], o['metadata']['resourceVersion'])


@case
def update_that_creates():
    ns = namespace()
    put('/apis/coordination.k8s.io/v1/namespaces/%s/leases/l' % ns, {'metadata': meta('l'), 'spec': {}}, 201)
    put(core(ns, 'endpoints/e'), {'metadata': meta('e')}, 201)
    put(RBAC + 'namespaces/%s/roles/r' % ns, {'metadata': meta('r')}, 201)


@case
def update_needs_version():
    ns = namespace()
    path = '/apis/coordination.k8s.io/v1/namespaces/%s/leases' % ns
    post(path, {'metadata': meta('l'), 'spec': {}})
    o = put(path + '/l', {'metadata': meta('l'), 'spec': {'holderIdentity': 'x'}}, 422)
    check_status(o, 422, 'Invalid', 'leases.coordination.k8s.io "l" is invalid: metadata.resourceVersion: Invalid value: 0x0: '
                 'must be specified for an update', name='l', kind='leases', group='coordination.k8s.io')


@case
def patch_json():
    ns = namespace()
    path = core(ns, 'configmaps/a')
    post(core(ns, 'configmaps'), {'metadata': meta('a'), 'data': {'x': '1'}})
    o = patch(path, [{'op': 'test', 'path': '/data/x', 'value': '1'}, {'op': 'add', 'path': '/data/y', 'value': '2'},
                     {'op': 'copy', 'from': '/data/y', 'path': '/data/z'}, {'op': 'remove', 'path': '/data/x'}], JSONP)
    eq(o['data'], {'y': '2', 'z': '2'})
    rejected = 'the server rejected our request due to an error in our request'
    for bad in ([{'op': 'test', 'path': '/data/y', 'value': '9'}], [{'op': 'remove', 'path': '/data/nope'}]):
        check_status(patch(path, bad, JSONP, 422), 422, 'Invalid', rejected)
    check_status(patch(path, {'x': 1}, JSONP, 400), 400, 'BadRequest')
    check_status(patch(core(ns, 'configmaps/nope'), [], JSONP, 404), 404, 'NotFound')


@case
def patch_merge():
    ns = namespace()
    path = core(ns, 'configmaps/a')
    o = post(core(ns, 'configmaps'), {'metadata': meta('a', labels={'l': '1', 'm': '2'}), 'data': {'x': '1'}})
    rv = o['metadata']['resourceVersion']
    o = patch(path, {'metadata': {'labels': {'l': None}}, 'data': {'x': None, 'y': '2'}})
    eq((o['metadata']['labels'], o['data']), ({'m': '2'}, {'y': '2'}))
    check_status(patch(path, {'metadata': {'resourceVersion': rv}, 'data': {'z': '1'}}, MERGE, 409), 409, 'Conflict')
    patch(path, {'metadata': {'resourceVersion': o['metadata']['resourceVersion']}, 'data': {'z': '1'}})
    check_status(patch(path, {'metadata': {'name': 'b'}}, MERGE, 400), 400, 'BadRequest',
                 'the name of the object (b) does not match the name on the URL (a)')
    check_status(patch(path, {'metadata': {'uid': 'b'}}, MERGE, 422), 422, 'Invalid',
                 'ConfigMap "a" is invalid: metadata.uid: Invalid value: "b": field is immutable')
    s, o = api('PATCH', path, {'data': {'n': 5}}, MERGE)
    ok(s in (400, 422), 'a number in data: %d' % s)
    s, o = api('PATCH', path + '?dryRun=All', {'data': {'n': '6'}}, MERGE)
    eq(o['data']['n'], '6')
    ok('n' not in get(path)['data'], 'a dry run changes nothing')


@case
def patch_media_types():
    ns = namespace()
    post(core(ns, 'configmaps'), {'metadata': meta('a')})
    for ctype in ('application/json', 'text/plain'):
        s, o = api('PATCH', core(ns, 'configmaps/a'), {'data': {'a': 'b'}}, ctype)
        check_status(o, 415, 'UnsupportedMediaType', '415: Unsupported Media Type')


@case
def patch_strategic():
    ns = namespace()
    path = apps(ns, 'deployments')
    d = deployment('d', 0)
    d['spec']['template']['spec']['containers'].append({'name': 'e', 'image': 'x:1', 'env': [{'name': 'A', 'value': '1'}]})
    post(path, d)
    o = patch(path + '/d', {'spec': {'template': {'spec': {'containers': [
        {'name': 'e', 'image': 'x:2', 'env': [{'name': 'B', 'value': '2'}]}]}}}}, STRATEGIC)
    c = {c['name']: c for c in o['spec']['template']['spec']['containers']}
    eq(sorted(c), ['c', 'e'])
    eq(c['e']['image'], 'x:2')
    eq({e['name']: e['value'] for e in c['e']['env']}, {'A': '1', 'B': '2'})
    o = patch(path + '/d', {'spec': {'template': {'spec': {'containers': [{'$patch': 'delete', 'name': 'e'}]}}}}, STRATEGIC)
    eq([c['name'] for c in o['spec']['template']['spec']['containers']], ['c'])
    o = patch(path + '/d', {'spec': {'strategy': {'$retainKeys': ['type'], 'type': 'Recreate'}}}, STRATEGIC)
    eq(o['spec']['strategy'], {'type': 'Recreate'})


@case
def generations():
    ns = namespace()
    path = apps(ns, 'deployments')
    o = post(path, deployment('d', 0, paused=True))
    eq(o['metadata']['generation'], 1)

    def generation(body, sub=''):
        return patch(path + '/d' + sub, body)['metadata']['generation']

    eq(generation({'spec': {'replicas': 2}}), 2, 'spec')
    eq(generation({'metadata': {'labels': {'x': 'y'}}}), 2, 'labels')
    eq(generation({'metadata': {'annotations': {'x': 'y'}}}), 3, 'annotations of a Deployment')
    eq(generation({'status': {'replicas': 7}}), 3, 'status at the main door')
    eq(generation({'status': {'replicas': 7}}, '/status'), 3, 'status')
    p = patch('/apis/scheduling.k8s.io/v1/priorityclasses/system-node-critical', {'metadata': {'labels': {'x': RUN}}}, MERGE,
              200) if not is_sim else None
    ok(p is None or p['metadata']['generation'] >= 1, 'PriorityClass')


@case
def status_has_its_own_door():
    ns = namespace()
    path = core(ns, 'services')
    o = post(path, {'metadata': meta('s'), 'spec': {'ports': [{'port': 80}]}, 'status': {'loadBalancer': {'ingress': [{'ip': '9.9.9.9'}]}}})
    eq(o['status'], {'loadBalancer': {}})
    o = patch(path + '/s', {'status': {'loadBalancer': {'ingress': [{'ip': '9.9.9.9'}]}}})
    eq(o['status'], {'loadBalancer': {}})
    o = patch(path + '/s/status', {'spec': {'ports': [{'port': 81}]}, 'metadata': {'annotations': {'x': 'y'}},
                                   'status': {'loadBalancer': {'ingress': [{'ip': '9.9.9.9'}]}}})
    eq(o['status']['loadBalancer']['ingress'][0]['ip'], '9.9.9.9')
    eq(o['spec']['ports'][0]['port'], 80)
    eq(get(path + '/s/status')['kind'], 'Service')


@case
def scale():
    ns = namespace()
    path = apps(ns, 'deployments')
    o = post(path, deployment('d', 3, paused=True))
    s = get(path + '/d/scale')
    has(s, {'kind': 'Scale', 'apiVersion': 'autoscaling/v1', 'spec': {'replicas': 3}, 'status': {'selector': 'a=d'},
            'metadata': {'name': 'd', 'namespace': ns, 'uid': o['metadata']['uid']}})
    s = patch(path + '/d/scale', {'spec': {'replicas': 1}})
    eq(s['spec']['replicas'], 1)
    eq(get(path + '/d')['spec']['replicas'], 1)
    s['spec']['replicas'] = 2
    eq(put(path + '/d/scale', s)['spec']['replicas'], 2)
    s['metadata']['resourceVersion'] = '1'
    put(path + '/d/scale', s, 409)


# ---- lists ----


@case
def list_shape():
    ns = namespace()
    made = cms(ns, 2)
    o = get(core(ns, 'configmaps') + '?labelSelector=i')
    has(o, {'kind': 'ConfigMapList', 'apiVersion': 'v1'})
    eq(names(o), ['c0', 'c1'])
    ok(int(o['metadata']['resourceVersion']) >= int(made[-1]['metadata']['resourceVersion']), 'resourceVersion')
    ok('kind' not in o['items'][0] and 'apiVersion' not in o['items'][0], 'items of built-in kinds carry no type')
    eq(get(core('no-such-namespace', 'configmaps'))['items'], [])


@case
def list_all_namespaces_in_key_order():
    a, b = namespace(), namespace()
    cms(b, 2), cms(a, 2)
    o = get('/api/v1/configmaps?labelSelector=i')
    mine = [(i['metadata']['namespace'], i['metadata']['name']) for i in o['items'] if i['metadata']['namespace'] in (a, b)]
    eq(mine, sorted(mine))
    eq(len(mine), 4)


@case
def label_selectors():
    ns = namespace()
    cms(ns, 5)
    post(core(ns, 'configmaps'), {'metadata': meta('none', labels={'z': ''})})
    for selector, want in (('i=1', ['c1']), ('i==1', ['c1']), ('i in (1,3)', ['c1', 'c3']), ('i notin (1,3),i', ['c0', 'c2', 'c4']),
                           ('i!=1,i!=2,i', ['c0', 'c3', 'c4']), ('i>2', ['c3', 'c4']), ('i<2', ['c0', 'c1']), ('z', ['none']),
                           ('z=', ['none']), ('i>1,i<3', ['c2']), ('in=x', []), ('i=1,i=2', []), (' i = 1 ', ['c1']),
                           ('i in ()', []), ('i in (1,)', ['c1'])):
        eq(names(get(core(ns, 'configmaps') + '?labelSelector=' + quote(selector))), want, selector)
    o = get(core(ns, 'configmaps') + '?labelSelector=' + quote('!i'))
    ok('none' in names(o) and 'c0' not in names(o), '!i')


@case
def label_selector_errors():
    for selector, message in (
            ('a in', "unable to parse requirement: found '' expected: '('"),
            ('a in (b', "unable to parse requirement: found '', expected: ',' or ')'"),
            ('a=b c', "found 'c', expected: ',' or 'end of string'"),
            ('a=b,', "found '', expected: identifier after ','"),
            ('a,,b', "found ',', expected: identifier after ','"),
            ('=b', "found '=', expected: !, identifier, or 'end of string'"),
            ('a>x', "unable to parse requirement: for 'Gt', 'Lt' operators, the value must be an integer"),
            ('!a=b', "found '=', expected: ',' or 'end of string'"),
            ('!', "unable to parse requirement: found '', expected: identifier"),
            ('a = (b)', "unable to parse requirement: found '(', expected: identifier"),
            ('a ()', "unable to parse requirement: found '(', expected: '=', '!=', '==', 'in', notin'"),
            ('a in (x,(y))', "unable to parse requirement: found '(', expected: ',', or identifier"),
            ('a>=5', "unable to parse requirement: found '=', expected: identifier")):
        o = get(core('default', 'configmaps') + '?labelSelector=' + quote(selector), 400)
        if minor == 20:
            check_status(o, 400, 'BadRequest', message)
        else:
            check_status(o, 400, 'BadRequest')
    for selector in ('a/b/c=d', 'a=b/c', 'Ab/c', 'a/', '/a'):
        get(core('default', 'configmaps') + '?labelSelector=' + quote(selector), 400)


@case
def field_selectors():
    ns = namespace()
    cms(ns, 3)
    path = core(ns, 'configmaps') + '?fieldSelector='
    eq(names(get(path + 'metadata.name%3Dc1')), ['c1'])
    eq(names(get(path + 'metadata.name%3D%3Dc1,metadata.namespace%3D' + ns)), ['c1'])
    ok('c1' not in names(get(path + 'metadata.name!%3Dc1')), '!=')
    eq(names(get(path + 'metadata.name%3Da%5C,b')), [])
    for selector, message in (('foo=bar', '"foo" is not a known field selector: only "metadata.name", "metadata.namespace"'),
                              ('foo', "invalid selector: 'foo'; can't understand 'foo'"),
                              ('metadata.name=a\\x', 'invalid field selector: invalid escape sequence: \\x'),
                              ('metadata.name=a=b', 'invalid field selector: unescaped character in value: 61')):
        check_status(get(path + quote(selector), 400), 400, 'BadRequest', message)
    check_status(get('/api/v1/pods?fieldSelector=foo%3Dx', 400), 400, 'BadRequest', 'field label not supported: foo')


@case
def field_selectors_of_kinds():
    ns = namespace()
    post(core(ns, 'secrets'), {'metadata': meta('s'), 'type': 'my/type'})
    eq(names(get(core(ns, 'secrets') + '?fieldSelector=type%3Dmy/type')), ['s'])
    post(core(ns, 'events'), {'metadata': meta('e', namespace=ns), 'reason': 'R', 'type': 'Normal',
                              'involvedObject': {'kind': 'Pod', 'name': 'x', 'namespace': ns, 'uid': 'u'}})
    eq(names(get(core(ns, 'events') + '?fieldSelector=involvedObject.kind%3DPod,involvedObject.name%3Dx,reason%3DR')), ['e'])
    eq(names(get(core(ns, 'events') + '?fieldSelector=involvedObject.uid%3Dv')), [])
    eq(names(get('/apis/events.k8s.io/v1/namespaces/%s/events?fieldSelector=regarding.name%%3Dx' % ns)), ['e'])
    ok(ns in names(get('/api/v1/namespaces?fieldSelector=status.phase%3DActive')), 'namespaces by phase')
    ok(names(get('/api/v1/nodes?fieldSelector=spec.unschedulable%3Dfalse')), 'nodes')


@case
def list_pages():
    ns = namespace()
    cms(ns, 5)
    path = core(ns, 'configmaps') + '?limit=2'
    first = get(path)
    eq(names(first), ['c0', 'c1'])
    until('the certificate of the namespace', lambda: api('GET', core(ns, 'configmaps/kube-root-ca.crt'))[0] == 200)
    first = get(path)
    eq(first['metadata']['remainingItemCount'], 4)
    token = first['metadata']['continue']
    # What changes now is not seen by the pages to come.
    delete(core(ns, 'configmaps/c3'))
    post(core(ns, 'configmaps'), {'metadata': meta('c22')})
    patch(core(ns, 'configmaps/c4'), {'data': {'new': '1'}})
    second = get(path + '&continue=' + token)
    eq(names(second), ['c2', 'c3'])
    eq(second['metadata']['resourceVersion'], first['metadata']['resourceVersion'])
    third = get(path + '&continue=' + second['metadata']['continue'])
    eq(names(third), ['c4', 'kube-root-ca.crt'])
    ok('data' not in third['items'][0], 'the old state')
    ok(not third['metadata'].get('continue') and 'remainingItemCount' not in third['metadata'], 'the end')
    whole = get(core(ns, 'configmaps') + '?limit=50&continue=' + token)
    eq(names(whole), ['c2', 'c3', 'c4', 'kube-root-ca.crt'])
    selected = get(path + '&labelSelector=i')
    ok('remainingItemCount' not in selected['metadata'] and selected['metadata']['continue'], 'no count with selectors')


@case
def list_token_errors():
    ns = namespace()
    cms(ns, 3)
    path = core(ns, 'configmaps')
    token = get(path + '?limit=1')['metadata']['continue']
    check_status(get(path + '?continue=abc', 400), 400, 'BadRequest')
    check_status(get(path + '?limit=2&continue=%s&resourceVersion=5' % token, 400), 400, 'BadRequest',
                 'specifying resource version is not allowed when using continue')
    get(path + '?limit=2&continue=%s&resourceVersion=0' % token)
    check_status(get(path + '?limit=2&continue=%s&resourceVersionMatch=Exact' % token, 422), 422, 'Invalid')
    check_status(get(path + '?limit=abc', 400), 400, 'BadRequest', 'strconv.ParseInt: parsing "abc": invalid syntax')
    any_version = base64.urlsafe_b64encode(b'{"v":"meta.k8s.io/v1","rv":-1,"start":"c0\\u0000"}').decode().rstrip('=')
    post(path, {'metadata': meta('c00')})
    eq(names(get(path + '?labelSelector=!x&limit=2&continue=' + any_version)), ['c00', 'c1'])


@case
def list_versions():
    ns = namespace()
    made = cms(ns, 4)
    path = core(ns, 'configmaps') + '?labelSelector=i&'
    rv = made[1]['metadata']['resourceVersion']
    exact = get(path + 'resourceVersionMatch=Exact&resourceVersion=' + rv)
    eq((names(exact), exact['metadata']['resourceVersion']), (['c0', 'c1'], rv))
    paged = get(core(ns, 'configmaps') + '?limit=1&resourceVersion=' + rv)
    eq((names(paged)[:1], paged['metadata']['resourceVersion']), (['c0'], rv))
    until('the cache', lambda: sorted(names(get(path + 'resourceVersion=0'))) == ['c0', 'c1', 'c2', 'c3'])
    eq(sorted(names(get(path + 'resourceVersionMatch=NotOlderThan&resourceVersion=' + made[3]['metadata']['resourceVersion']))),
       ['c0', 'c1', 'c2', 'c3'])
    if minor < 31:
        cached = get(path + 'resourceVersion=0&limit=1')
        ok(len(cached['items']) == 4 and not cached['metadata'].get('continue'), 'the cache knows no pages')
    s, o = api('GET', path + 'resourceVersion=999999999')
    has(o, {'code': 504, 'reason': 'Timeout', 'details': {'retryAfterSeconds': 1, 'causes': [
        {'reason': 'ResourceVersionTooLarge', 'message': 'Too large resource version'}]}})
    s, o = api('GET', path + 'resourceVersion=abc')
    ok(s in (400, 500), 'a version that is no number: %d' % s)


@case
def list_version_match_errors():
    path = core('default', 'configmaps')
    for query, text in (('resourceVersionMatch=Exact', 'Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided'),
                        ('resourceVersionMatch=Foo&resourceVersion=1', 'Unsupported value: "Foo"'),
                        ('resourceVersionMatch=Exact&resourceVersion=0', 'is forbidden for resourceVersion "0"')):
        o = get(path + '?' + query, 422)
        check_status(o, 422, 'Invalid', kind='ListOptions', group='meta.k8s.io')
        ok(text in o['message'], o['message'])


@case
def partial_metadata():
    ns = namespace()
    cms(ns, 2, data={'x': 'y'})
    path = core(ns, 'configmaps')
    s, o = api('GET', path + '?labelSelector=i', None, None, PARTIAL_LIST)
    has(o, {'kind': 'PartialObjectMetadataList', 'apiVersion': 'meta.k8s.io/v1'})
    has(o['items'][0], {'kind': 'PartialObjectMetadata', 'apiVersion': 'meta.k8s.io/v1', 'metadata': {'name': 'c0'}})
    ok('data' not in o['items'][0], 'no data')
    s, o = api('GET', path + '/c0', None, None, PARTIAL)
    has(o, {'kind': 'PartialObjectMetadata', 'apiVersion': 'meta.k8s.io/v1', 'metadata': {'labels': {'i': '0'}}})
    s, o = api('GET', path + '/nope', None, None, PARTIAL)
    eq((s, o['kind']), (404, 'Status'))
    s, o = api('GET', path + '/c0', None, None, PARTIAL + ',application/json')
    eq(o['kind'], 'PartialObjectMetadata')
    s, o = api('GET', path + '/c0', None, None, 'application/json;as=Unknown;v=v1;g=meta.k8s.io,application/json')
    eq(o['kind'], 'ConfigMap')
    eq(api('GET', path, None, None, 'application/xml')[0], 406)
    eq(api('GET', path, None, None, PARTIAL)[0], 406)
    events = api.watch(path + '?labelSelector=i', 1, PARTIAL)
    eq([(e['type'], e['object']['kind']) for e in events], [('ADDED', 'PartialObjectMetadata')] * 2)


# ---- watches ----


@case
def watch_from_version():
    ns = namespace()
    path = core(ns, 'configmaps')
    first = cms(ns, 1)[0]
    rv = first['metadata']['resourceVersion']
    patch(path + '/c0', {'data': {'x': '1'}})
    post(path, {'metadata': meta('d')})
    last = get(path + '/c0')
    delete(path + '/c0')
    events = own_events(api.watch(path + '?resourceVersion=' + rv, 2))
    eq([(e['type'], e['object']['metadata']['name']) for e in events], [('MODIFIED', 'c0'), ('ADDED', 'd'), ('DELETED', 'c0')])
    has(events[0]['object'], {'kind': 'ConfigMap', 'apiVersion': 'v1', 'data': {'x': '1'}})
    versions = [int(e['object']['metadata']['resourceVersion']) for e in events]
    eq(versions, sorted(set(versions)), 'versions grow')
    ok(int(events[2]['object']['metadata']['resourceVersion']) > int(last['metadata']['resourceVersion']),
       'a deletion has a version of its own')
    eq(events[2]['object']['data'], {'x': '1'})


@case
def watch_from_now():
    ns = namespace()
    cms(ns, 2)
    for query in ('', '&resourceVersion=0'):
        until('the cache', lambda: len(own_events(api.watch(core(ns, 'configmaps') + '?labelSelector=i' + query, 1))) == 2)
    events = api.watch(core(ns, 'configmaps') + '?fieldSelector=metadata.name%3Dc1', 1)
    eq([(e['type'], e['object']['metadata']['name']) for e in events], [('ADDED', 'c1')])
    events = api.watch('/api/v1/watch/namespaces/%s/configmaps/c1' % ns, 1)
    eq([e['object']['metadata']['name'] for e in events], ['c1'])


@case
def watch_with_selector_sees_changes_of_labels():
    ns = namespace()
    path = core(ns, 'configmaps')
    o = cms(ns, 1)[0]
    rv = o['metadata']['resourceVersion']
    moved = patch(path + '/c0', {'metadata': {'labels': {'i': '9'}}})
    out = api.watch(path + '?labelSelector=i%3D0&resourceVersion=' + rv, 1)
    eq([e['type'] for e in out], ['DELETED'])
    eq(out[0]['object']['metadata']['labels'], {'i': '0'})
    eq(out[0]['object']['metadata']['resourceVersion'], moved['metadata']['resourceVersion'])
    eq([e['type'] for e in api.watch(path + '?labelSelector=i%3D9&resourceVersion=' + rv, 1)], ['ADDED'])
    eq([e['type'] for e in api.watch(path + '?labelSelector=i&resourceVersion=' + rv, 1)], ['MODIFIED'])
    eq(api.watch(path + '?labelSelector=other&resourceVersion=' + rv, 1), [])


@case
def watch_live():
    ns = namespace()
    path = core(ns, 'configmaps')
    rv = get(path)['metadata']['resourceVersion']
    c = api.connect(10)
    c.request('GET', path + '?watch=true&allowWatchBookmarks=true&resourceVersion=' + rv, None, api.head('application/json', None))
    r = c.getresponse()
    for i in range(3):
        post(path, {'metadata': meta('live%d' % i)})
        while True:
            e = json.loads(r.readline())
            if e['object']['metadata'].get('name') == 'live%d' % i:
                break
    c.close()


@case
def watch_errors():
    s, o = api('GET', core('default', 'configmaps') + '?watch=1&resourceVersion=abc&timeoutSeconds=1')
    ok(s in (400, 500), s)
    s, o = api('GET', core('default', 'configmaps') + '?watch=1&fieldSelector=foo%3Dbar&timeoutSeconds=1')
    eq(s, 400)
    s, o = api('GET', core('default', 'configmaps') + '?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan'
               '&allowWatchBookmarks=true&timeoutSeconds=1')
    ok(s == 422 or minor >= 27, s)


# ---- deletion ----


@case
def delete_answers():
    ns = namespace()
    path = core(ns, 'configmaps')
    o = post(path, {'metadata': meta('a')})
    d = delete(path + '/a?dryRun=All')
    has(d, {'kind': 'Status', 'status': 'Success', 'details': {'name': 'a', 'kind': 'configmaps', 'uid': o['metadata']['uid']}})
    get(path + '/a')
    d = delete(path + '/a')
    has(d, {'kind': 'Status', 'apiVersion': 'v1', 'metadata': {}, 'status': 'Success',
            'details': {'name': 'a', 'kind': 'configmaps', 'uid': o['metadata']['uid']}})
    check_status(delete(path + '/a', None, 404), 404, 'NotFound')
    post(RBAC + 'namespaces/%s/roles' % ns, {'metadata': meta('r')})
    has(delete(RBAC + 'namespaces/%s/roles/r' % ns), {'details': {'group': 'rbac.authorization.k8s.io', 'kind': 'roles'}})
    post(core(ns, 'serviceaccounts'), {'metadata': meta('sa')})
    eq(delete(core(ns, 'serviceaccounts/sa'))['kind'], 'ServiceAccount')


@case
def delete_preconditions():
    ns = namespace()
    path = core(ns, 'configmaps')
    o = post(path, {'metadata': meta('a')})
    uid, rv = o['metadata']['uid'], o['metadata']['resourceVersion']
    check_status(delete(path + '/a', {'preconditions': {'uid': 'x'}}, 409), 409, 'Conflict',
                 'Operation cannot be fulfilled on ConfigMap "a": the UID in the precondition (x) does not match the UID in '
                 'record (%s). The object might have been deleted and then recreated' % uid)
    check_status(delete(path + '/a', {'preconditions': {'resourceVersion': '1'}}, 409), 409, 'Conflict',
                 'Operation cannot be fulfilled on ConfigMap "a": the ResourceVersion in the precondition (1) does not match '
                 'the ResourceVersion in record (%s). The object might have been modified' % rv)
    delete(path + '/a', {'preconditions': {'uid': uid, 'resourceVersion': rv}})


@case
def delete_options_errors():
    ns = namespace()
    post(core(ns, 'configmaps'), {'metadata': meta('a')})
    for body, text in (({'propagationPolicy': 'Foo'}, 'propagationPolicy: Unsupported value: "Foo"'),
                       ({'propagationPolicy': 'Orphan', 'orphanDependents': True},
                        'orphanDependents and deletionPropagation cannot be both set')):
        o = delete(core(ns, 'configmaps/a'), body, 422)
        check_status(o, 422, 'Invalid', kind='DeleteOptions')
        ok(text in o['message'], o['message'])


@case
def finalizers():
    ns = namespace()
    path = core(ns, 'configmaps')
    post(path, {'metadata': meta('f', finalizers=['a.b/c'])})
    o = delete(path + '/f')
    has(o, {'kind': 'ConfigMap', 'metadata': {'finalizers': ['a.b/c'], 'deletionGracePeriodSeconds': 0,
                                              'deletionTimestamp': lambda t: len(t) == 20}})
    again = delete(path + '/f')
    eq(again['metadata']['resourceVersion'], o['metadata']['resourceVersion'])
    check_status(patch(path + '/f', {'metadata': {'finalizers': ['a.b/c', 'd.e/f']}}, MERGE, 422), 422, 'Invalid',
                 'ConfigMap "f" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is '
                 'being deleted, found new finalizers []string{"d.e/f"}')
    patch(path + '/f', {'data': {'a': 'b'}})
    patch(path + '/f', {'metadata': {'deletionTimestamp': None}})
    ok('deletionTimestamp' in get(path + '/f')['metadata'], 'a deletion is not taken back')
    o = patch(path + '/f', {'metadata': {'finalizers': None}})
    eq(o['kind'], 'ConfigMap')
    get(path + '/f', 404)
    rv = get(path)['metadata']['resourceVersion']
    o = post(apps(ns, 'deployments'), dict(deployment('d', 0, paused=True), metadata=meta('d', finalizers=['a.b/c'])))
    o = delete(apps(ns, 'deployments/d'))
    eq(o['metadata']['generation'], 2, 'a deletion that waits counts as a change')
    patch(apps(ns, 'deployments/d'), {'metadata': {'finalizers': None}})
    ok(rv, 'rv')


@case
def delete_collection():
    ns = namespace()
    cms(ns, 4)
    path = core(ns, 'configmaps')
    o = delete(path + '?labelSelector=' + quote('i in (1,2)'))
    eq((o['kind'], names(o)), ('ConfigMapList', ['c1', 'c2']))
    eq(names(get(path + '?labelSelector=i')), ['c0', 'c3'])


def owner(o, api_version, kind, block=False, controller=False):
    return {'apiVersion': api_version, 'kind': kind, 'name': o['metadata']['name'], 'uid': o['metadata']['uid'],
            'blockOwnerDeletion': block, 'controller': controller}


@case
def garbage_background():
    ns = namespace()
    path = core(ns, 'configmaps')
    a = post(path, {'metadata': meta('a')})
    b = post(path, {'metadata': meta('b', ownerReferences=[owner(a, 'v1', 'ConfigMap')])})
    post(path, {'metadata': meta('c', ownerReferences=[owner(b, 'v1', 'ConfigMap')])})
    eq(delete(path + '/a', {'propagationPolicy': 'Background'})['kind'], 'Status')
    gone(path + '/b')
    gone(path + '/c')


@case
def garbage_two_owners():
    ns = namespace()
    path = core(ns, 'configmaps')
    a, b = post(path, {'metadata': meta('a')}), post(path, {'metadata': meta('b')})
    post(path, {'metadata': meta('c', ownerReferences=[owner(a, 'v1', 'ConfigMap'), owner(b, 'v1', 'ConfigMap')])})
    time.sleep(0.2 if is_sim else 2)
    delete(path + '/a')
    until('the reference to the one that is gone', lambda: len(get(path + '/c')['metadata']['ownerReferences']) == 1)
    delete(path + '/b')
    gone(path + '/c')


@case
def garbage_absent_owner():
    ns = namespace()
    path = core(ns, 'configmaps')
    a = post(path, {'metadata': meta('a')})
    wrong = dict(owner(a, 'v1', 'ConfigMap'), uid='00000000-0000-4000-8000-000000000000')
    post(path, {'metadata': meta('b', ownerReferences=[wrong])})
    gone(path + '/b')
    get(path + '/a')


@case
def garbage_foreground():
    ns = namespace()
    path = core(ns, 'configmaps')
    a = post(path, {'metadata': meta('a')})
    post(path, {'metadata': meta('b', finalizers=['x.y/z'], ownerReferences=[owner(a, 'v1', 'ConfigMap', True)])})
    time.sleep(0.2 if is_sim else 2)
    o = delete(path + '/a', {'propagationPolicy': 'Foreground'})
    eq(o['metadata']['finalizers'], ['foregroundDeletion'])
    until('the dependent is in deletion', lambda: 'deletionTimestamp' in get(path + '/b')['metadata'])
    time.sleep(0.2)
    ok('deletionTimestamp' in get(path + '/a')['metadata'], 'the owner waits')
    patch(path + '/b', {'metadata': {'finalizers': None}})
    gone(path + '/b')
    gone(path + '/a')


@case
def garbage_orphan():
    ns = namespace()
    path = core(ns, 'configmaps')
    a = post(path, {'metadata': meta('a')})
    post(path, {'metadata': meta('b', ownerReferences=[owner(a, 'v1', 'ConfigMap')])})
    time.sleep(0.2 if is_sim else 2)
    o = delete(path + '/a', {'propagationPolicy': 'Orphan'})
    eq(o['metadata']['finalizers'], ['orphan'])
    gone(path + '/a')
    until('the dependent has no owner', lambda: 'ownerReferences' not in get(path + '/b')['metadata'])


@case
def job_orphans_by_default():
    ns = namespace()
    post(batch(ns), {'metadata': meta('j'), 'spec': {'parallelism': 0, 'template': {'spec': {
        'restartPolicy': 'Never', 'containers': [{'name': 'c', 'image': 'x:1'}]}}}})
    eq(delete(batch(ns) + '/j')['metadata']['finalizers'], ['orphan'])


# ---- namespaces ----


@case
def namespace_life():
    ns = namespace()
    o = get('/api/v1/namespaces/' + ns)
    has(o, {'spec': {'finalizers': ['kubernetes']}, 'status': {'phase': 'Active'}})
    if minor >= 21:
        eq(o['metadata']['labels'], {'kubernetes.io/metadata.name': ns})
    until('its account', lambda: api('GET', core(ns, 'serviceaccounts/default'))[0] == 200)
    until('its certificate', lambda: 'ca.crt' in (api('GET', core(ns, 'configmaps/kube-root-ca.crt'))[1].get('data') or {}))
    post(core(ns, 'configmaps'), {'metadata': meta('f', finalizers=['a.b/c'])})
    o = delete('/api/v1/namespaces/' + ns)
    has(o, {'kind': 'Namespace', 'status': {'phase': 'Terminating'}, 'spec': {'finalizers': ['kubernetes']}})
    s, e = api('POST', core(ns, 'configmaps'), {'metadata': meta('g')})
    check_status(e, 403, 'Forbidden', 'configmaps "g" is forbidden: unable to create new content in namespace %s because it is '
                 'being terminated' % ns, name='g', kind='configmaps', causes=[
                     {'reason': 'NamespaceTerminating', 'message': 'namespace %s is being terminated' % ns,
                      'field': 'metadata.namespace'}])
    until('its content is in deletion', lambda: 'deletionTimestamp' in get(core(ns, 'configmaps/f'))['metadata'])
    until('its condition', lambda: any(c['type'] == 'NamespaceContentRemaining' and c['status'] == 'True' for c in
                                       get('/api/v1/namespaces/' + ns)['status'].get('conditions', [])))
    patch(core(ns, 'configmaps/f'), {'metadata': {'finalizers': None}})
    gone('/api/v1/namespaces/' + ns)


@case
def namespaces_that_stay():
    for name in ('default', 'kube-system'):
        check_status(delete('/api/v1/namespaces/' + name, None, 403), 403, 'Forbidden',
                     'namespaces "%s" is forbidden: this namespace may not be deleted' % name)


# ---- custom resources ----


def crd(group, **version):
    schema = {'type': 'object', 'required': ['spec'], 'properties': {
        'spec': {'type': 'object', 'required': ['a'], 'properties': {
            'a': {'type': 'string', 'minLength': 2, 'maxLength': 5, 'pattern': '^[a-z]+$'},
            'n': {'type': 'integer', 'minimum': 1, 'maximum': 5, 'default': 3}, 'e': {'type': 'string', 'enum': ['x', 'y']},
            'replicas': {'type': 'integer'}, 'm': {'type': 'object', 'additionalProperties': {'type': 'string'}},
            'free': {'type': 'object', 'x-kubernetes-preserve-unknown-fields': True,
                     'properties': {'k': {'type': 'object', 'properties': {'z': {'type': 'string'}}}}},
            'l': {'type': 'array', 'items': {'type': 'object', 'properties': {'q': {'type': 'integer', 'default': 7}}}},
            'ios': {'x-kubernetes-int-or-string': True}, 'nul': {'type': 'string', 'nullable': True},
            'b': {'type': 'boolean'}, 'num': {'type': 'number'}, 'empty': {'type': 'object'}}},
        'status': {'type': 'object', 'properties': {'replicas': {'type': 'integer'}, 'sel': {'type': 'string'},
                                                    'phase': {'type': 'string'}}}}}
    v1 = dict({'name': 'v1', 'served': True, 'storage': True, 'schema': {'openAPIV3Schema': schema}}, **version)
    v2 = {'name': 'v2', 'served': True, 'storage': False,
          'schema': {'openAPIV3Schema': {'type': 'object', 'x-kubernetes-preserve-unknown-fields': True}}}
    return {'metadata': meta('foos.' + group), 'spec': {
        'group': group, 'scope': 'Namespaced', 'versions': [v1, v2],
        'names': {'plural': 'foos', 'kind': 'Foo', 'shortNames': ['fo'], 'categories': ['all']}}}


SUBRESOURCES = {'status': {}, 'scale': {'specReplicasPath': '.spec.replicas', 'statusReplicasPath': '.status.replicas',
                                        'labelSelectorPath': '.status.sel'}}
crd_count = [0]


def served_crd(**version):
    crd_count[0] += 1
    group = 'g%d.%s.example.com' % (crd_count[0], RUN)
    post(CRDS, crd(group, **version))
    until('the resource is served', lambda: api('GET', '/apis/%s/v1/foos' % group)[0] == 200)
    return group


def foo(group, name, spec, **more):
    return dict({'apiVersion': group + '/v1', 'kind': 'Foo', 'metadata': meta(name), 'spec': spec}, **more)


@case
def crd_life():
    ns = namespace()
    group = served_crd(subresources=SUBRESOURCES)
    o = get(CRDS + '/foos.' + group)
    has(o['status'], {'storedVersions': ['v1'], 'acceptedNames': {'plural': 'foos', 'singular': 'foo', 'kind': 'Foo',
                                                                  'listKind': 'FooList', 'shortNames': ['fo']}})
    have = {c['type']: c['status'] for c in o['status']['conditions']}
    has(have, {'Established': 'True', 'NamesAccepted': 'True'})
    eq(o['spec']['conversion'], {'strategy': 'None'})
    eq(get('/apis/' + group)['preferredVersion']['version'], 'v2', 'v2 before v1')
    by = {r['name']: r for r in get('/apis/%s/v1' % group)['resources']}
    eq(sorted(by), ['foos', 'foos/scale', 'foos/status'])
    has(by['foos'], {'kind': 'Foo', 'singularName': 'foo', 'shortNames': ['fo'], 'categories': ['all'], 'namespaced': True})
    eq([r['name'] for r in get('/apis/%s/v2' % group)['resources']], ['foos'])
    path = '/apis/%s/v1/namespaces/%s/foos' % (group, ns)
    post(path, foo(group, 'a', {'a': 'abc'}))
    eq(get('/apis/%s/v2/namespaces/%s/foos/a' % (group, ns))['apiVersion'], group + '/v2')
    o = get(path)
    has(o, {'kind': 'FooList', 'apiVersion': group + '/v1', 'items': [{'kind': 'Foo', 'apiVersion': group + '/v1'}]})
    _, text, _ = api.raw('GET', path)
    ok(text.index(b'"items"') < text.rindex(b'"metadata":{"continue"'), 'the metadata of the list comes behind its items')
    o = delete(CRDS + '/foos.' + group)
    eq(o['metadata']['finalizers'], ['customresourcecleanup.apiextensions.k8s.io'])
    gone(CRDS + '/foos.' + group)
    until('it is served no more', lambda: api('GET', path)[0] == 404)


@case
def crd_errors():
    check_status(post(CRDS, dict(crd('e.example.com'), metadata=meta('bad')), 422), 422, 'Invalid',
                 'CustomResourceDefinition.apiextensions.k8s.io "bad" is invalid: metadata.name: Invalid value: "bad": must be '
                 'spec.names.plural+"."+spec.group')
    two = crd('e.example.com')
    two['spec']['versions'][1]['storage'] = True
    check_status(post(CRDS, two, 422), 422, 'Invalid')


@case
def crd_prunes_and_defaults():
    ns, group = namespace(), served_crd(subresources=SUBRESOURCES)
    path = '/apis/%s/v1/namespaces/%s/foos' % (group, ns)
    o = post(path, foo(group, 'a', {'a': 'abc', 'unk': 1, 'free': {'x': {'y': 1}, 'k': {'z': '1', 'w': 2}}, 'm': {'a': 'b'},
                                    'l': [{}, {'q': 1, 'r': 2}], 'ios': '5%', 'nul': None, 'b': True, 'num': 1.5,
                                    'empty': {'a': 1}}, status={'phase': 'X'}, other={'x': 1}))
    eq(o['spec'], {'a': 'abc', 'b': True, 'empty': {}, 'free': {'k': {'z': '1'}, 'x': {'y': 1}}, 'ios': '5%',
                   'l': [{'q': 7}, {'q': 1}], 'm': {'a': 'b'}, 'n': 3, 'nul': None, 'num': 1.5})
    ok('status' not in o and 'other' not in o, 'status and unknown fields')
    eq(o['metadata']['generation'], 1)


@case
def crd_validates():
    ns, group = namespace(), served_crd()
    path = '/apis/%s/v1/namespaces/%s/foos?dryRun=All' % (group, ns)
    for spec, text in (({}, 'spec.a: Required value'),
                       ({'a': 5}, 'spec.a: Invalid value: "integer": spec.a in body must be of type string: "integer"'),
                       ({'a': 'x'}, 'spec.a: Invalid value: "x": spec.a in body should be at least 2 chars long'),
                       ({'a': 'AAA'}, "spec.a: Invalid value: \"AAA\": spec.a in body should match '^[a-z]+$'"),
                       ({'a': 'abc', 'n': 9}, 'spec.n: Invalid value: 9: spec.n in body should be less than or equal to 5'),
                       ({'a': 'abc', 'n': 0}, 'spec.n: Invalid value: 0: spec.n in body should be greater than or equal to 1'),
                       ({'a': 'abc', 'n': 1.5}, 'spec.n: Invalid value: "number": spec.n in body must be of type integer: "number"'),
                       ({'a': 'abc', 'e': 'z'}, 'spec.e: Unsupported value: "z": supported values: "x", "y"'),
                       ({'a': 'abc', 'm': {'a': 1}}, 'spec.m.a: Invalid value: "integer": spec.m.a in body must be of type string'),
                       ({'a': 'abc', 'l': {}}, 'spec.l: Invalid value: "object": spec.l in body must be of type array: "object"'),
                       ({'a': 'abc', 'ios': True}, 'spec.ios in body must be of type integer,string: "boolean"'),
                       ({'a': None}, 'spec.a: Required value')):
        s, o = api('POST', path, foo(group, 'v', spec))
        eq(s, 422, json.dumps(spec))
        ok(minor != 20 or text in o['message'], o['message'])
        has(o['details'], {'group': group, 'kind': 'Foo', 'name': 'v'})
    eq(api('POST', path, {'metadata': meta('b')})[0], 400, 'without a type')
    s, o = api('POST', path, dict(foo(group, 'b', {'a': 'abc'}), apiVersion=group + '/v2'))
    check_status(o, 400, 'BadRequest', 'the API version in the data (%s/v2) does not match the expected API version (%s/v1)' % (group, group))
    ok(api('POST', path, dict(foo(group, 'b', {'a': 'abc'}), kind='Bar'))[0] in (400, 422), 'another kind')
    eq(api('POST', path, foo(group, 'v', {'a': 'longer'}))[0], 422)


@case
def crd_status_and_scale():
    ns, group = namespace(), served_crd(subresources=SUBRESOURCES)
    path = '/apis/%s/v1/namespaces/%s/foos/a' % (group, ns)
    post(path[:-2], foo(group, 'a', {'a': 'abc'}))
    o = patch(path, {'status': {'phase': 'Y'}, 'metadata': {'labels': {'q': 'r'}}})
    ok('status' not in o, 'the main door ignores status')
    eq((o['metadata']['generation'], o['metadata']['labels']), (1, {'q': 'r'}))
    o = patch(path + '/status', {'status': {'phase': 'Y', 'zz': 1, 'replicas': 3, 'sel': 'a=b'}, 'spec': {'a': 'zzz'},
                                 'metadata': {'labels': {'q': 's'}}})
    eq(o['status'], {'phase': 'Y', 'replicas': 3, 'sel': 'a=b'})
    eq((o['spec']['a'], o['metadata']['labels'], o['metadata']['generation']), ('abc', {'q': 'r'}, 1))
    eq(get(path + '/scale', 500)['reason'], 'InternalError')
    o = patch(path + '/scale', {'spec': {'replicas': 4}})
    has(o, {'kind': 'Scale', 'spec': {'replicas': 4}, 'status': {'replicas': 3, 'selector': 'a=b'}})
    o = get(path)
    eq((o['spec']['replicas'], o['metadata']['generation']), (4, 2))
    check_status(put(path, foo(group, 'a', {'a': 'abc'}), 422), 422, 'Invalid',
                 'foos.%s "a" is invalid: metadata.resourceVersion: Invalid value: 0x0: must be specified for an update' % group)
    s, o = api('PATCH', path, {'spec': {'a': 'bcd'}}, STRATEGIC)
    eq((s, o['reason']), (415, 'UnsupportedMediaType'))
    before = patch(path, {'spec': {'a': 'bcd'}})
    eq(patch(path, {'spec': {'a': 'bcd'}})['metadata']['resourceVersion'], before['metadata']['resourceVersion'])


@case
def crd_without_status_door():
    ns, group = namespace(), served_crd()
    path = '/apis/%s/v1/namespaces/%s/foos' % (group, ns)
    o = post(path, foo(group, 'a', {'a': 'abc'}, status={'phase': 'X'}))
    eq(o['status'], {'phase': 'X'})
    eq(patch(path + '/a', {'status': {'phase': 'Y'}})['metadata']['generation'], 2)
    get(path + '/a/status', 404)


@case
def crd_change_of_definition():
    ns, group = namespace(), served_crd()
    path = '/apis/%s/v1/namespaces/%s/foos' % (group, ns)
    post(path, foo(group, 'a', {'a': 'abc'}))
    patch(CRDS + '/foos.' + group, [{'op': 'replace', 'path': '/spec/versions/1/served', 'value': False},
                                    {'op': 'add', 'path': '/spec/versions/0/subresources', 'value': {'status': {}}}], JSONP)
    until('v2 is not served', lambda: api('GET', '/apis/%s/v2/namespaces/%s/foos' % (group, ns))[0] == 404)
    until('status is', lambda: api('GET', path + '/a/status')[0] == 200)
    eq(names(get(path)), ['a'])


@case
def crd_numbers_keep_their_value():
    ns, group = namespace(), served_crd()
    path = '/apis/%s/v1/namespaces/%s/foos' % (group, ns)
    body = json.dumps(foo(group, 'n', {'a': 'abc'}))[:-2] + ', "free": {"big": 9007199254740993, "small": 0.1}}}'
    s, text, _ = api.raw('POST', path, body)
    eq(s, 201)
    ok(b'9007199254740993' in text and b'0.1' in text, text)


# ---- defaults ----


CONTAINER = {'resources': {}, 'terminationMessagePath': '/dev/termination-log', 'terminationMessagePolicy': 'File'}
POD_SPEC = {'restartPolicy': 'Always', 'terminationGracePeriodSeconds': 30, 'dnsPolicy': 'ClusterFirst', 'securityContext': {},
            'schedulerName': 'default-scheduler'}
RICH = {
    'hostNetwork': False, 'nodeSelector': {}, 'tolerations': [], 'serviceAccountName': 'x', 'affinity': {}, 'securityContext': {},
    'initContainers': [{'name': 'i', 'image': 'busybox:1', 'env': [
        {'name': 'E', 'value': ''}, {'name': 'F', 'valueFrom': {'fieldRef': {'fieldPath': 'metadata.name'}}},
        {'name': 'H', 'valueFrom': {'resourceFieldRef': {'resource': 'limits.cpu'}}}]}],
    'containers': [
        {'name': 'c', 'image': 'a@sha256:' + '0123456789abcdef' * 4,
         'resources': {'limits': {'cpu': '1000m', 'memory': '2048Mi'}, 'requests': {'cpu': 0.5, 'memory': '1.5Gi'}},
         'ports': [{'containerPort': 80}, {'containerPort': 81, 'protocol': 'UDP', 'name': 'u', 'hostPort': 0}],
         'livenessProbe': {'httpGet': {'port': 80}}, 'readinessProbe': {'tcpSocket': {'port': 'u'}, 'initialDelaySeconds': 0},
         'startupProbe': {'exec': {'command': ['x']}, 'periodSeconds': 5},
         'volumeMounts': [{'name': 'v', 'mountPath': '/x', 'readOnly': False}], 'securityContext': {'privileged': False},
         'lifecycle': {'preStop': {'httpGet': {'port': 80, 'path': '/p'}}}, 'args': [], 'tty': False},
        {'name': 'd', 'image': 'reg:5000/x', 'resources': {'limits': {}}}, {'name': 'e', 'image': 'reg:5000/x:latest'}],
    'volumes': [{'name': 'v'}, {'name': 's', 'secret': {'secretName': 'x'}}, {'name': 'm', 'configMap': {'name': 'x'}},
                {'name': 'h', 'hostPath': {'path': '/x'}},
                {'name': 'w', 'downwardAPI': {'items': [{'path': 'l', 'fieldRef': {'fieldPath': 'metadata.labels'}}]}},
                {'name': 'p', 'projected': {'sources': [{'serviceAccountToken': {'path': 't'}}, {'configMap': {'name': 'x'}}]}},
                {'name': 'e', 'emptyDir': {'sizeLimit': '1024Mi'}}, {'name': 'n', 'nfs': {'server': 'a', 'path': '/', 'readOnly': False}}]}
PROBE = {'timeoutSeconds': 1, 'periodSeconds': 10, 'successThreshold': 1, 'failureThreshold': 3}
RICH_OUT = dict(POD_SPEC, serviceAccountName='x', serviceAccount='x', affinity={}, initContainers=[
    dict(CONTAINER, name='i', image='busybox:1', imagePullPolicy='IfNotPresent', env=[
        {'name': 'E'}, {'name': 'F', 'valueFrom': {'fieldRef': {'apiVersion': 'v1', 'fieldPath': 'metadata.name'}}},
        {'name': 'H', 'valueFrom': {'resourceFieldRef': {'resource': 'limits.cpu', 'divisor': '0'}}}])], containers=[
    dict(CONTAINER, name='c', image='a@sha256:' + '0123456789abcdef' * 4, imagePullPolicy='IfNotPresent',
         resources={'limits': {'cpu': '1', 'memory': '2Gi'}, 'requests': {'cpu': '500m', 'memory': '1536Mi'}},
         ports=[{'containerPort': 80, 'protocol': 'TCP'}, {'name': 'u', 'containerPort': 81, 'protocol': 'UDP'}],
         livenessProbe=dict(PROBE, httpGet={'path': '/', 'port': 80, 'scheme': 'HTTP'}),
         readinessProbe=dict(PROBE, tcpSocket={'port': 'u'}),
         startupProbe=dict(PROBE, exec={'command': ['x']}, periodSeconds=5),
         volumeMounts=[{'name': 'v', 'mountPath': '/x'}], securityContext={'privileged': False},
         lifecycle={'preStop': {'httpGet': {'path': '/p', 'port': 80, 'scheme': 'HTTP'}}}),
    dict(CONTAINER, name='d', image='reg:5000/x', imagePullPolicy='Always'),
    dict(CONTAINER, name='e', image='reg:5000/x:latest', imagePullPolicy='Always')], volumes=[
    {'name': 'v', 'emptyDir': {}}, {'name': 's', 'secret': {'secretName': 'x', 'defaultMode': 420}},
    {'name': 'm', 'configMap': {'name': 'x', 'defaultMode': 420}}, {'name': 'h', 'hostPath': {'path': '/x', 'type': ''}},
    {'name': 'w', 'downwardAPI': {'defaultMode': 420, 'items': [
        {'path': 'l', 'fieldRef': {'apiVersion': 'v1', 'fieldPath': 'metadata.labels'}}]}},
    {'name': 'p', 'projected': {'defaultMode': 420, 'sources': [
        {'serviceAccountToken': {'expirationSeconds': 3600, 'path': 't'}}, {'configMap': {'name': 'x'}}]}},
    {'name': 'e', 'emptyDir': {'sizeLimit': '1Gi'}}, {'name': 'n', 'nfs': {'server': 'a', 'path': '/'}}])


def template_meta(labels=None):
    m = {'labels': labels} if labels else {}
    return dict(m, creationTimestamp=None) if minor < 34 else m


def plain_template(labels, **more):
    return {'metadata': template_meta(labels), 'spec': dict(POD_SPEC, containers=[
        dict(CONTAINER, name='c', image='pause:1', imagePullPolicy='IfNotPresent')], **more)}


def dry(path, body):
    s, o = api('POST', path + '?dryRun=All', body)
    eq(s, 201, json.dumps(o)[:600])
    return o


def newer(since, fields):
    return fields if minor >= since else {}


@case
def defaults_of_pod_template():
    ns = namespace()
    o = dry(apps(ns, 'deployments'), {'metadata': meta('d'), 'spec': {
        'paused': False, 'selector': {'matchLabels': {'a': 'b'}}, 'strategy': {'type': 'Recreate'},
        'template': {'metadata': {'labels': {'a': 'b', 'n': None}, 'annotations': {}}, 'spec': RICH}}})
    eq(o['spec'], {'replicas': 1, 'selector': {'matchLabels': {'a': 'b'}}, 'strategy': {'type': 'Recreate'},
                   'revisionHistoryLimit': 10, 'progressDeadlineSeconds': 600,
                   'template': {'metadata': template_meta({'a': 'b', 'n': ''}), 'spec': RICH_OUT}})


@case
def defaults_of_deployment():
    ns = namespace()
    base = {'selector': {'matchLabels': {'a': 'b'}}, 'template': template()}
    out = {'selector': {'matchLabels': {'a': 'b'}}, 'template': plain_template({'a': 'b'}), 'revisionHistoryLimit': 10,
           'progressDeadlineSeconds': 600}
    o = dry(apps(ns, 'deployments'), {'metadata': meta('d', labels={}, annotations={}), 'spec': base, 'status': {'replicas': 4}})
    eq(o['spec'], dict(out, replicas=1, strategy={'type': 'RollingUpdate', 'rollingUpdate': {'maxUnavailable': '25%', 'maxSurge': '25%'}}))
    eq(o['status'], {})
    o = dry(apps(ns, 'deployments'), {'metadata': meta('d'), 'spec': dict(base, replicas=0, minReadySeconds=0, strategy={
        'rollingUpdate': {'maxSurge': 1}})})
    eq(o['spec'], dict(out, replicas=0, strategy={'type': 'RollingUpdate', 'rollingUpdate': {'maxUnavailable': '25%', 'maxSurge': 1}}))


@case
def defaults_of_workloads():
    ns = namespace()
    base = {'selector': {'matchLabels': {'a': 'b'}}, 'template': template()}
    out = {'selector': {'matchLabels': {'a': 'b'}}, 'template': plain_template({'a': 'b'})}
    o = dry(apps(ns, 'replicasets'), {'metadata': meta('d'), 'spec': base})
    eq((o['spec'], o['status'], o['metadata']['generation']), (dict(out, replicas=1), {'replicas': 0}, 1))
    claim = {'metadata': meta('data'), 'spec': {'accessModes': ['ReadWriteOnce'], 'resources': {'requests': {'storage': '1024Mi'}}}}
    o = dry(apps(ns, 'statefulsets'), {'metadata': meta('d'), 'spec': dict(base, volumeClaimTemplates=[claim])})
    claim_meta = dict(meta('data'), creationTimestamp=None) if minor < 34 else meta('data')
    eq(o['spec'], dict(out, replicas=1, serviceName='', podManagementPolicy='OrderedReady', revisionHistoryLimit=10,
                       updateStrategy={'type': 'RollingUpdate', 'rollingUpdate': {'partition': 0}},
                       volumeClaimTemplates=[{'kind': 'PersistentVolumeClaim', 'apiVersion': 'v1', 'metadata': claim_meta,
                                              'spec': {'accessModes': ['ReadWriteOnce'], 'volumeMode': 'Filesystem',
                                                       'resources': {'requests': {'storage': '1Gi'}}},
                                              'status': {'phase': 'Pending'}}],
                       **newer(27, {'persistentVolumeClaimRetentionPolicy': {'whenDeleted': 'Retain', 'whenScaled': 'Retain'}})))
    o = dry(apps(ns, 'daemonsets'), {'metadata': meta('d'), 'spec': base})
    eq(o['spec'], dict(out, revisionHistoryLimit=10, updateStrategy={
        'type': 'RollingUpdate', 'rollingUpdate': dict({'maxUnavailable': 1}, **newer(22, {'maxSurge': 0}))}))
    eq(o['metadata']['annotations'], {'deprecated.daemonset.template.generation': '1'})
    eq(o['status'], {'currentNumberScheduled': 0, 'numberMisscheduled': 0, 'desiredNumberScheduled': 0, 'numberReady': 0})


@case
def defaults_of_job():
    ns = namespace()
    spec = {'template': {'spec': {'restartPolicy': 'Never', 'containers': [{'name': 'c', 'image': 'pause:1'}]}}}
    for extra, want in (({}, {'completions': 1, 'parallelism': 1}), ({'completions': 3}, {'completions': 3, 'parallelism': 1}),
                        ({'parallelism': 0}, {'parallelism': 0})):
        o = dry(batch(ns), {'metadata': meta('j'), 'spec': dict(spec, **extra)})
        uid = o['metadata']['uid']
        labels = {'controller-uid': uid, 'job-name': 'j'}
        labels.update(newer(27, {'batch.kubernetes.io/controller-uid': uid, 'batch.kubernetes.io/job-name': 'j'}))
        selector = {'batch.kubernetes.io/controller-uid' if minor >= 27 else 'controller-uid': uid}
        eq(o['spec'], dict({'backoffLimit': 6, 'selector': {'matchLabels': selector},
                            'template': plain_template(labels, restartPolicy='Never')}, **want,
                           **newer(21, {'completionMode': 'NonIndexed', 'suspend': False}),
                           **newer(29, {'podReplacementPolicy': 'TerminatingOrFailed'})))
        eq(o['status'], {})


@case
def defaults_of_cron_job():
    ns = namespace()
    path = batch(ns, 'cronjobs') if minor >= 21 else '/apis/batch/v1beta1/namespaces/%s/cronjobs' % ns
    if is_sim:
        path = batch(ns, 'cronjobs')
    spec = {'restartPolicy': 'Never', 'containers': [{'name': 'c', 'image': 'pause:1'}]}
    o = dry(path, {'metadata': meta('j'), 'spec': {'schedule': '* * * * *', 'jobTemplate': {'spec': {'template': {'spec': spec}}}}})
    job = {'spec': {'template': {'metadata': template_meta(), 'spec': plain_template(None, restartPolicy='Never')['spec']}},
           'metadata': template_meta()}
    has(o['spec'], {'schedule': '* * * * *', 'concurrencyPolicy': 'Allow', 'suspend': False, 'successfulJobsHistoryLimit': 3,
                    'failedJobsHistoryLimit': 1, 'jobTemplate': {'spec': {'template': {'spec': job['spec']['template']['spec']}}}})


@case
def defaults_of_pod():
    ns = namespace(pods=True)
    pod = {'metadata': meta('p'), 'spec': {'hostNetwork': True, 'containers': [
        {'name': 'c', 'image': 'x:1', 'resources': {'limits': {'cpu': '1'}}, 'ports': [{'containerPort': 80}]}]}}
    # Before 1.24 an account also waits for its token.
    until('the token of the account', lambda: api('POST', core(ns, 'pods') + '?dryRun=All', pod)[0] == 201)
    o = dry(core(ns, 'pods'), pod)
    has(o['spec'], dict(POD_SPEC, serviceAccountName='default', serviceAccount='default', enableServiceLinks=True, priority=0,
                        preemptionPolicy='PreemptLowerPriority', tolerations=[
                            {'key': 'node.kubernetes.io/not-ready', 'operator': 'Exists', 'effect': 'NoExecute', 'tolerationSeconds': 300},
                            {'key': 'node.kubernetes.io/unreachable', 'operator': 'Exists', 'effect': 'NoExecute', 'tolerationSeconds': 300}]))
    has(o['spec']['containers'][0], {'resources': {'limits': {'cpu': '1'}, 'requests': {'cpu': '1'}},
                                     'ports': [{'hostPort': 80, 'containerPort': 80, 'protocol': 'TCP'}]})
    eq(o['status'], {'phase': 'Pending', 'qosClass': 'Burstable'})


def service(ns, name, **spec):
    return post(core(ns, 'services'), {'metadata': meta(name), 'spec': spec})


@case
def defaults_of_service():
    ns = namespace()
    dual = newer(22, {'internalTrafficPolicy': 'Cluster', 'ipFamilies': ['IPv4'], 'ipFamilyPolicy': 'SingleStack'})
    o = service(ns, 's', ports=[{'port': 80}])
    ip = o['spec']['clusterIP']
    ok(re.match(r'^10\.\d+\.\d+\.\d+$', ip), ip)
    eq(o['spec'], dict({'ports': [{'protocol': 'TCP', 'port': 80, 'targetPort': 80}], 'clusterIP': ip, 'clusterIPs': [ip],
                        'type': 'ClusterIP', 'sessionAffinity': 'None'}, **dual))
    eq(o['status'], {'loadBalancer': {}})
    o = service(ns, 'l', type='LoadBalancer', ports=[{'name': 'http', 'port': 80, 'targetPort': 'web'}])
    ok(30000 <= o['spec']['ports'][0]['nodePort'] < 32768, 'nodePort')
    has(o['spec'], dict({'externalTrafficPolicy': 'Cluster', 'ports': [{'targetPort': 'web'}]},
                        **newer(22, {'allocateLoadBalancerNodePorts': True})))
    o = service(ns, 'n', type='NodePort', sessionAffinity='ClientIP', ports=[{'port': 80}])
    has(o['spec'], {'sessionAffinityConfig': {'clientIP': {'timeoutSeconds': 10800}}, 'externalTrafficPolicy': 'Cluster'})
    o = service(ns, 'h', clusterIP='None', selector={'a': 'b'})
    has(o['spec'], {'clusterIP': 'None', 'clusterIPs': ['None'], 'type': 'ClusterIP'})
    o = service(ns, 'e', type='ExternalName', externalName='a.b')
    eq(o['spec'], {'type': 'ExternalName', 'sessionAffinity': 'None', 'externalName': 'a.b'})


@case
def defaults_of_others():
    ns = namespace()
    o = dry('/apis/networking.k8s.io/v1/namespaces/%s/networkpolicies' % ns,
            {'metadata': meta('n'), 'spec': {'podSelector': {}, 'ingress': [{'ports': [{'port': 80}]}], 'egress': [{}]}})
    eq(o['spec'], {'podSelector': {}, 'ingress': [{'ports': [{'protocol': 'TCP', 'port': 80}]}], 'egress': [{}],
                   'policyTypes': ['Ingress', 'Egress']})
    o = dry('/apis/networking.k8s.io/v1/namespaces/%s/networkpolicies' % ns,
            {'metadata': meta('n'), 'spec': {'podSelector': {}, 'ingress': []}})
    eq(o['spec'], {'podSelector': {}, 'policyTypes': ['Ingress']})
    o = dry('/apis/autoscaling/v1/namespaces/%s/horizontalpodautoscalers' % ns, {'metadata': meta('h'), 'spec': {
        'maxReplicas': 3, 'scaleTargetRef': {'kind': 'Deployment', 'name': 'd', 'apiVersion': 'apps/v1'}}})
    has(o['spec'], {'minReplicas': 1, 'maxReplicas': 3, 'targetCPUUtilizationPercentage': 80})
    o = dry('/api/v1/persistentvolumes', {'metadata': meta('pv'), 'spec': {
        'capacity': {'storage': '1024Mi'}, 'accessModes': ['ReadWriteOnce'], 'hostPath': {'path': '/x'}}})
    eq(o['spec'], {'capacity': {'storage': '1Gi'}, 'hostPath': {'path': '/x', 'type': ''}, 'accessModes': ['ReadWriteOnce'],
                   'persistentVolumeReclaimPolicy': 'Retain', 'volumeMode': 'Filesystem'})
    eq((o['status'], o['metadata']['finalizers']), ({'phase': 'Pending'}, ['kubernetes.io/pv-protection']))
    o = dry('/apis/storage.k8s.io/v1/storageclasses', {'metadata': meta('sc'), 'provisioner': 'x'})
    has(o, {'reclaimPolicy': 'Delete', 'volumeBindingMode': 'Immediate'})
    o = dry('/apis/scheduling.k8s.io/v1/priorityclasses', {'metadata': meta('pc'), 'value': 5})
    has(o, {'preemptionPolicy': 'PreemptLowerPriority', 'metadata': {'generation': 1}})
    o = dry(core(ns, 'limitranges'), {'metadata': meta('l'), 'spec': {'limits': [{'type': 'Container', 'max': {'cpu': '1'}, 'min': {'cpu': '100m'}}]}})
    eq(o['spec']['limits'], [{'type': 'Container', 'max': {'cpu': '1'}, 'min': {'cpu': '100m'}, 'default': {'cpu': '1'}, 'defaultRequest': {'cpu': '1'}}])
    o = dry(core(ns, 'resourcequotas'), {'metadata': meta('l'), 'spec': {'hard': {'pods': 5}}})
    eq((o['spec'], o['status']), ({'hard': {'pods': '5'}}, {}))
    o = dry(core(ns, 'endpoints'), {'metadata': meta('l'), 'subsets': [{'addresses': [{'ip': '1.2.3.4'}], 'ports': [{'port': 80}]}]})
    eq(o['subsets'], [{'addresses': [{'ip': '1.2.3.4'}], 'ports': [{'port': 80, 'protocol': 'TCP'}]}])
    o = dry('/apis/networking.k8s.io/v1/namespaces/%s/ingresses' % ns, {'metadata': meta('i'), 'spec': {'rules': [{'host': 'a.b', 'http': {
        'paths': [{'path': '/', 'pathType': 'Prefix', 'backend': {'service': {'name': 'x', 'port': {'number': 80}}}}]}}]}})
    eq((o['status'], o['metadata']['generation']), ({'loadBalancer': {}}, 1))


@case
def defaults_of_webhooks():
    o = dry('/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations', {'metadata': meta('w'), 'webhooks': [
        {'name': 'a.b.c', 'sideEffects': 'None', 'admissionReviewVersions': ['v1'],
         'clientConfig': {'service': {'name': 'x', 'namespace': 'y'}},
         'rules': [{'apiGroups': [''], 'apiVersions': ['v1'], 'resources': ['pods'], 'operations': ['CREATE']}]}]})
    has(o['webhooks'][0], {'failurePolicy': 'Fail', 'matchPolicy': 'Equivalent', 'timeoutSeconds': 10, 'namespaceSelector': {},
                           'objectSelector': {}, 'rules': [{'scope': '*'}], 'clientConfig': {'service': {'port': 443}}})


@case
def defaults_of_rbac():
    ns = namespace()
    path = RBAC + 'namespaces/%s/' % ns
    ok('rules' in (o := post(path + 'roles', {'metadata': meta('r')})) and o['rules'] is None, 'rules of an empty role')
    ok(post(path + 'roles', {'metadata': meta('q'), 'rules': []})['rules'] is None, 'an empty list of rules')
    post(path + 'roles', {'metadata': meta('system:x:y')})
    o = post(path + 'rolebindings', {'metadata': meta('b'), 'roleRef': {'kind': 'Role', 'name': 'r'}, 'subjects': [
        {'kind': 'ServiceAccount', 'name': 'x', 'namespace': 'y'}, {'kind': 'User', 'name': 'u'}]})
    eq(o['roleRef'], {'apiGroup': 'rbac.authorization.k8s.io', 'kind': 'Role', 'name': 'r'})
    eq(o['subjects'], [{'kind': 'ServiceAccount', 'name': 'x', 'namespace': 'y'},
                       {'kind': 'User', 'apiGroup': 'rbac.authorization.k8s.io', 'name': 'u'}])
    o = patch(path + 'rolebindings/b', {'roleRef': {'name': 'q'}}, MERGE, 422)
    check_status(o, 422, 'Invalid', 'RoleBinding.rbac.authorization.k8s.io "b" is invalid: roleRef: Invalid value: '
                 'rbac.RoleRef{APIGroup:"rbac.authorization.k8s.io", Kind:"Role", Name:"q"}: cannot change roleRef')


@case
def secrets():
    ns = namespace()
    path = core(ns, 'secrets')
    o = post(path, {'metadata': meta('s'), 'stringData': {'a': 'b'}, 'data': {'c': 'ZA=='}})
    eq((o['data'], o['type']), ({'a': 'Yg==', 'c': 'ZA=='}, 'Opaque'))
    ok('stringData' not in o, 'stringData is write-only')
    o = patch(path + '/s', {'data': None, 'stringData': {'q': ''}})
    eq(o['data'], {'q': ''})
    check_status(put(path + '/s', {'metadata': meta('s'), 'type': 'x'}, 422), 422, 'Invalid',
                 'Secret "s" is invalid: type: Invalid value: "x": field is immutable')
    eq(api('POST', path, {'metadata': meta('t'), 'data': {'c': '!!'}})[0], 400)
    patch(path + '/s', {'immutable': True})
    check_status(patch(path + '/s', {'stringData': {'q': 'n'}}, MERGE, 422), 422, 'Invalid',
                 'Secret "s" is invalid: data: Forbidden: field is immutable when `immutable` is set')


@case
def quantities():
    ns = namespace()
    for given, want in (('1.5', '1500m'), ('0.1', '100m'), (100, '100'), ('1024Ki', '1Mi'), ('1000Ki', '1000Ki'), ('0.5Gi', '512Mi'),
                        ('1500m', '1500m'), ('1.0', '1'), ('1000000', '1M'), ('10Mi', '10Mi'), ('.5', '500m'), ('5e2', '500')):
        o = dry(core(ns, 'resourcequotas'), {'metadata': meta('q'), 'spec': {'hard': {'requests.memory': given}}})
        eq(o['spec']['hard']['requests.memory'], want, str(given))


# ---- validation ----


@case
def immutable_fields():
    ns = namespace()
    base = {'selector': {'matchLabels': {'a': 'b'}}, 'template': template()}
    other = {'spec': {'selector': {'matchLabels': {'a': 'c'}}, 'template': {'metadata': {'labels': {'a': 'c'}}}}}
    for plural, kind in (('deployments', 'Deployment'), ('replicasets', 'ReplicaSet'), ('daemonsets', 'DaemonSet')):
        spec = base if plural == 'daemonsets' else dict(base, replicas=0)
        post(apps(ns, plural), {'metadata': meta('x'), 'spec': spec})
        o = patch(apps(ns, plural + '/x'), other, MERGE, 422)
        check_status(o, 422, 'Invalid', name='x', group='apps', kind=kind)
        eq([(c['field'], c['reason']) for c in o['details']['causes']], [('spec.selector', 'FieldValueInvalid')])
        ok(o['message'].endswith('field is immutable'), o['message'])
    post(apps(ns, 'statefulsets'), {'metadata': meta('x'), 'spec': dict(base, replicas=0)})
    o = patch(apps(ns, 'statefulsets/x'), {'spec': {'serviceName': 'q'}}, MERGE, 422)
    ok('spec: Forbidden: updates to statefulset spec for fields other than' in o['message'], o['message'])
    patch(apps(ns, 'statefulsets/x'), {'spec': {'replicas': 0, 'template': {'metadata': {'labels': {'n': 'm'}}}}})
    post(batch(ns), {'metadata': meta('j'), 'spec': {'parallelism': 0, 'template': {'spec': {
        'restartPolicy': 'Never', 'containers': [{'name': 'c', 'image': 'x:1'}]}}}})
    o = patch(batch(ns) + '/j', {'spec': {'template': {'spec': {'terminationGracePeriodSeconds': 5}}}}, MERGE, 422)
    eq([c['field'] for c in o['details']['causes']], ['spec.template'])
    o = patch(batch(ns) + '/j', {'spec': {'completions': 5}}, MERGE, 422)
    eq(o['message'], 'Job.batch "j" is invalid: spec.completions: Invalid value: 5: field is immutable')
    patch(batch(ns) + '/j', {'spec': {'backoffLimit': 2}})


@case
def immutable_fields_of_services():
    ns = namespace()
    o = service(ns, 's', ports=[{'port': 80}])
    path = core(ns, 'services')
    e = patch(path + '/s', {'spec': {'clusterIP': '10.0.9.9'}}, MERGE, 422)
    check_status(e, 422, 'Invalid', 'Service "s" is invalid: spec.clusterIPs[0]: Invalid value: []string{"10.0.9.9"}: may not '
                 'change once set')
    if minor < 22:
        e = put(path + '/s', {'metadata': meta('s', resourceVersion=o['metadata']['resourceVersion']), 'spec': {'ports': [{'port': 81}]}}, 422)
        ok('primary clusterIP can not be unset' in e['message'], e['message'])
        e = put(path + '/s', {'metadata': meta('s'), 'spec': {'ports': [{'port': 81}]}}, 422)
        ok('metadata.resourceVersion: Invalid value: "": must be specified for an update' in e['message'], e['message'])
    patch(path + '/s', {'spec': {'ports': [{'port': 81}], 'selector': {'a': 'b'}}})
    o = patch(path + '/s', {'spec': {'type': 'NodePort'}})
    ok(o['spec']['ports'][0]['nodePort'], 'nodePort')
    o = patch(path + '/s', {'spec': {'type': 'ClusterIP'}})
    ok(is_sim or minor < 22 or 'nodePort' not in o['spec']['ports'][0], 'nodePort goes')


@case
def invalid_services():
    ns = namespace()
    for spec, text in (({}, 'spec.ports: Required value'), ({'type': 'ExternalName'}, 'spec.externalName: Required value'),
                       ({'ports': [{'port': 80}, {'port': 81}]}, '[spec.ports[0].name: Required value, spec.ports[1].name: Required value]'),
                       ({'ports': [{'port': 70000}]}, 'spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive'),
                       ({'type': 'Foo', 'ports': [{'port': 80}]},
                        'spec.type: Unsupported value: "Foo": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"')):
        s, o = api('POST', core(ns, 'services'), {'metadata': meta('x'), 'spec': spec})
        eq(s, 422, json.dumps(spec))
        ok(text in o['message'], o['message'])
    a = service(ns, 'a', type='NodePort', ports=[{'port': 80}])
    port = a['spec']['ports'][0]['nodePort']
    s, o = api('POST', core(ns, 'services'), {'metadata': meta('b'), 'spec': {'type': 'NodePort', 'ports': [{'port': 80, 'nodePort': port}]}})
    eq(o['message'], 'Service "b" is invalid: spec.ports[0].nodePort: Invalid value: %d: provided port is already allocated' % port)
    delete(core(ns, 'services/a'))
    service(ns, 'b', type='NodePort', ports=[{'port': 80, 'nodePort': port}])
    s, o = api('POST', core(ns, 'services'), {'metadata': meta('9x'), 'spec': {'ports': [{'port': 80}]}})
    ok('a DNS-1035 label must consist of' in o['message'], o['message'])


@case
def invalid_workloads():
    ns = namespace()
    sel = {'matchLabels': {'a': 'b'}}
    for spec, text in (
            ({'selector': {'matchLabels': {'a': 'c'}}, 'template': template()},
             'spec.template.metadata.labels: Invalid value: map[string]string{"a":"b"}: `selector` does not match template `labels`'),
            ({'template': template()}, 'spec.selector: Required value'),
            ({'selector': sel, 'template': {'metadata': {'labels': {'a': 'b'}}, 'spec': {'containers': []}}},
             'spec.template.spec.containers: Required value'),
            ({'selector': sel, 'template': {'metadata': {'labels': {'a': 'b'}}, 'spec': {'containers': [{'name': 'X'}, {'image': 'q'}]}}},
             'spec.template.spec.containers[0].image: Required value, spec.template.spec.containers[1].name: Required value'),
            ({'replicas': -1, 'selector': sel, 'template': template()},
             'spec.replicas: Invalid value: -1: must be greater than or equal to 0'),
            ({'selector': sel, 'template': template(), 'strategy': {'type': 'Recreate', 'rollingUpdate': {}}},
             "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"),
            ({'selector': sel, 'template': template(restartPolicy='Never')},
             'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'),
            ({'selector': sel, 'template': {'metadata': {'labels': {'a': 'b'}}, 'spec': {'containers': [
                {'name': 'c', 'image': 'x'}, {'name': 'c', 'image': 'x'}]}}},
             'spec.template.spec.containers[1].name: Duplicate value: "c"'),
            ({'selector': sel, 'template': {'metadata': {'labels': {'a': 'b'}}, 'spec': {'containers': [
                {'name': 'c', 'image': 'x', 'resources': {'limits': {'memory': '1Gi'}, 'requests': {'memory': '1.5Gi'}}}]}}},
             'spec.template.spec.containers[0].resources.requests: Invalid value: "1536Mi": must be less than or equal to memory limit'),
            ({'selector': sel, 'template': {'metadata': {'labels': {'a': 'b'}}, 'spec': {'containers': [
                {'name': 'c', 'image': 'x', 'volumeMounts': [{'name': 'q', 'mountPath': '/x'}]}]}}},
             'spec.template.spec.containers[0].volumeMounts[0].name: ')):
        s, o = api('POST', apps(ns, 'deployments'), {'metadata': meta('d4'), 'spec': spec})
        eq(s, 422, json.dumps(spec))
        ok(text in o['message'], o['message'])
        check_status(o, 422, 'Invalid', name='d4', group='apps', kind='Deployment')
    eq(api('POST', apps(ns, 'deployments'), {'metadata': meta('d'), 'spec': {'replicas': '3', 'selector': sel, 'template': template()}})[0],
       400, 'replicas as text')
    s, o = api('POST', batch(ns), {'metadata': meta('j'), 'spec': {'template': template()}})
    eq(s, 422)
    ok('spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"' in o['message'] or minor > 20, o['message'])


@case
def invalid_others():
    ns = namespace()
    s, o = api('POST', core(ns, 'persistentvolumeclaims'), {'metadata': meta('v'), 'spec': {}})
    eq(o['message'], 'PersistentVolumeClaim "v" is invalid: [spec.accessModes: Required value: at least 1 access mode is '
       'required, spec.resources[storage]: Required value]')
    path = '/apis/networking.k8s.io/v1/namespaces/%s/ingresses' % ns
    rule = {'host': 'a.b', 'http': {'paths': [{'path': '/', 'backend': {'service': {'name': 'x', 'port': {'number': 80}}}}]}}
    s, o = api('POST', path, {'metadata': meta('i'), 'spec': {'rules': [rule]}})
    ok('spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified' in o['message'], o['message'])
    eq(api('POST', path, {'metadata': meta('i'), 'spec': {}})[0], 422)
    name = 'sc-' + RUN
    post('/apis/storage.k8s.io/v1/storageclasses', {'metadata': meta(name), 'provisioner': 'x'})
    for change, text in (({'provisioner': 'y'}, 'provisioner: Forbidden: updates to provisioner are forbidden.'),
                         ({'parameters': {'a': 'b'}}, 'parameters: Forbidden: updates to parameters are forbidden.')):
        o = patch('/apis/storage.k8s.io/v1/storageclasses/' + name, change, MERGE, 422)
        ok(text in o['message'], o['message'])
    delete('/apis/storage.k8s.io/v1/storageclasses/' + name)
    post('/apis/scheduling.k8s.io/v1/priorityclasses', {'metadata': meta(name), 'value': 5})
    o = patch('/apis/scheduling.k8s.io/v1/priorityclasses/' + name, {'value': 6}, MERGE, 422)
    ok('may not be changed in an update.' in o['message'] or minor > 20, o['message'])
    delete('/apis/scheduling.k8s.io/v1/priorityclasses/' + name)
    post(core(ns, 'configmaps'), {'metadata': meta('c'), 'immutable': True, 'data': {'a': 'b'}})
    for change, field in (({'data': {'a': 'c'}}, 'data'), ({'immutable': False}, 'immutable')):
        check_status(patch(core(ns, 'configmaps/c'), change, MERGE, 422), 422, 'Invalid',
                     'ConfigMap "c" is invalid: %s: Forbidden: field is immutable when `immutable` is set' % field)
    patch(core(ns, 'configmaps/c'), {'metadata': {'labels': {'a': 'b'}}})


@case
def pods_need_an_account():
    ns = namespace(pods=True)
    s, o = api('POST', core(ns, 'pods'), {'metadata': meta('p'), 'spec': {'serviceAccountName': 'nobody', 'containers': [{'name': 'c', 'image': 'x:1'}]}})
    check_status(o, 403, 'Forbidden', 'pods "p" is forbidden: error looking up service account %s/nobody: serviceaccount "nobody" '
                 'not found' % ns)


# ---- reviews, events, leases ----


@case
def access_reviews():
    o = post('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {'spec': {'resourceAttributes': {'verb': 'get', 'resource': 'pods'}}})
    has(o, {'kind': 'SelfSubjectAccessReview', 'apiVersion': 'authorization.k8s.io/v1', 'status': {'allowed': True}})
    o = post('/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', {'spec': {'namespace': 'default'}})
    ok(any('*' in r['verbs'] for r in o['status']['resourceRules']), 'rules')


@case
def events_in_both_groups():
    ns = namespace()
    o = post(core(ns, 'events'), {'metadata': meta('e'), 'reason': 'R', 'message': 'm', 'type': 'Normal', 'count': 2,
                                  'involvedObject': {'kind': 'Pod', 'name': 'x', 'namespace': ns}})
    has(o, {'source': {}, 'firstTimestamp': None, 'lastTimestamp': None, 'eventTime': None, 'reportingComponent': '',
            'reportingInstance': ''})
    n = get('/apis/events.k8s.io/v1/namespaces/%s/events/e' % ns)
    has(n, {'kind': 'Event', 'apiVersion': 'events.k8s.io/v1', 'regarding': {'kind': 'Pod', 'name': 'x'}, 'note': 'm', 'reason': 'R',
            'deprecatedCount': 2})
    patch(core(ns, 'events/e'), {'count': 3})
    eq(get('/apis/events.k8s.io/v1/namespaces/%s/events/e' % ns)['deprecatedCount'], 3)


@case
def leases():
    ns = namespace()
    path = '/apis/coordination.k8s.io/v1/namespaces/%s/leases' % ns
    o = post(path, {'metadata': meta('l'), 'spec': {'holderIdentity': 'x', 'leaseDurationSeconds': 15, 'renewTime': '2020-01-01T00:00:00.000000Z'}})
    eq(o['spec']['renewTime'], '2020-01-01T00:00:00.000000Z')
    o['spec']['holderIdentity'] = 'y'
    put(path + '/l', o)
    put(path + '/l', o, 409)


# ---- controllers ----


def conditions(o):
    return {c['type']: c for c in o.get('status', {}).get('conditions') or []}


def rolled_out(path, generation=None):
    o = get(path)
    s, want = o['status'], o['spec']['replicas']
    return o if (s.get('observedGeneration', 0) >= o['metadata']['generation'] and s.get('updatedReplicas', 0) == want and
                 s.get('replicas', 0) == want and s.get('availableReplicas', 0) == want) else None


@case
def deployment_becomes_available():
    ns = namespace(pods=True)
    post(apps(ns, 'deployments'), deployment('d', 2))
    o = until('the rollout', lambda: rolled_out(apps(ns, 'deployments/d')))
    has(o['status'], {'observedGeneration': 1, 'replicas': 2, 'updatedReplicas': 2, 'readyReplicas': 2, 'availableReplicas': 2})
    eq(o['metadata']['generation'], 1)
    eq(o['metadata']['annotations'], {'deployment.kubernetes.io/revision': '1'})
    c = conditions(o)
    has(c['Available'], {'status': 'True', 'reason': 'MinimumReplicasAvailable', 'message': 'Deployment has minimum availability.'})
    rs = get(apps(ns, 'replicasets'))['items'][0]
    name = rs['metadata']['name']
    until('Progressing', lambda: conditions(get(apps(ns, 'deployments/d')))['Progressing']['reason'] == 'NewReplicaSetAvailable')
    has(conditions(get(apps(ns, 'deployments/d')))['Progressing'], {
        'status': 'True', 'message': 'ReplicaSet "%s" has successfully progressed.' % name})
    hash_ = rs['metadata']['labels']['pod-template-hash']
    eq(name, 'd-' + hash_)
    has(rs['metadata'], {'labels': {'a': 'd'}, 'annotations': {
        'deployment.kubernetes.io/desired-replicas': '2', 'deployment.kubernetes.io/max-replicas': '3',
        'deployment.kubernetes.io/revision': '1'}, 'ownerReferences': [
            {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'name': 'd', 'uid': o['metadata']['uid'], 'controller': True,
             'blockOwnerDeletion': True}]})
    eq(rs['spec']['selector'], {'matchLabels': {'a': 'd', 'pod-template-hash': hash_}})
    has(rs['status'], {'replicas': 2, 'fullyLabeledReplicas': 2, 'readyReplicas': 2, 'availableReplicas': 2, 'observedGeneration': 1})
    pods = get(core(ns, 'pods') + '?labelSelector=a%3Dd')['items']
    eq(len(pods), 2)
    p = pods[0]
    ok(p['metadata']['name'].startswith(name + '-') and p['metadata']['generateName'] == name + '-', 'name of the pod')
    has(p['metadata'], {'labels': {'a': 'd', 'pod-template-hash': hash_}, 'ownerReferences': [{'kind': 'ReplicaSet', 'controller': True}]})
    has(p['status'], {'phase': 'Running', 'podIP': lambda v: v, 'hostIP': lambda v: v, 'qosClass': 'BestEffort', 'startTime': lambda v: v,
                      'containerStatuses': [{'name': 'c', 'ready': True, 'restartCount': 0, 'started': True, 'lastState': {},
                                             'state': {'running': {'startedAt': lambda v: v}}}]})
    ok(p['spec']['nodeName'], 'node')
    eq({t: c['status'] for t, c in conditions(p).items() if t in ('Initialized', 'Ready', 'ContainersReady', 'PodScheduled')},
       {'Initialized': 'True', 'Ready': 'True', 'ContainersReady': 'True', 'PodScheduled': 'True'})
    reasons = lambda: {(e['involvedObject']['kind'], e['reason']) for e in get(core(ns, 'events'))['items']}
    until('events', lambda: reasons() >= {('Deployment', 'ScalingReplicaSet'), ('ReplicaSet', 'SuccessfulCreate'), ('Pod', 'Scheduled')})


@case
def deployment_rolls():
    ns = namespace(pods=True)
    path = apps(ns, 'deployments/d')
    post(apps(ns, 'deployments'), deployment('d', 3))
    until('the first rollout', lambda: rolled_out(path))
    first = get(apps(ns, 'replicasets'))['items'][0]['metadata']['name']
    patch(path, {'spec': {'template': {'metadata': {'annotations': {'n': '1'}}}}})
    o = until('the second rollout', lambda: rolled_out(path))
    eq(o['metadata']['annotations']['deployment.kubernetes.io/revision'], '2')
    sets = {r['metadata']['name']: r for r in get(apps(ns, 'replicasets'))['items']}
    eq(len(sets), 2)
    eq(sets[first]['spec']['replicas'], 0)
    until('old pods are gone', lambda: len(get(core(ns, 'pods'))['items']) == 3)
    # Back again: the old ReplicaSet is used, with a new revision.
    patch(path, {'spec': {'template': {'metadata': {'annotations': {'n': None}}}}})
    until('the third rollout', lambda: rolled_out(path))
    sets = {r['metadata']['name']: r for r in get(apps(ns, 'replicasets'))['items']}
    eq((len(sets), sets[first]['spec']['replicas'], sets[first]['metadata']['annotations']['deployment.kubernetes.io/revision']),
       (2, 3, '3'))


@case
def deployment_scales_pauses_recreates():
    ns = namespace(pods=True)
    path = apps(ns, 'deployments/d')
    post(apps(ns, 'deployments'), deployment('d', 1, strategy={'type': 'Recreate'}))
    until('the rollout', lambda: rolled_out(path))
    patch(path + '/scale', {'spec': {'replicas': 3}})
    until('scaled up', lambda: rolled_out(path))
    patch(path, {'spec': {'replicas': 0}})
    until('scaled down', lambda: not get(core(ns, 'pods'))['items'])
    patch(path, {'spec': {'paused': True, 'template': {'metadata': {'annotations': {'n': '1'}}}}})
    until('observed', lambda: get(path)['status']['observedGeneration'] == get(path)['metadata']['generation'])
    eq(len(get(apps(ns, 'replicasets'))['items']), 1, 'a paused Deployment makes no ReplicaSet')
    patch(path, {'spec': {'paused': False, 'replicas': 2}})
    until('recreated', lambda: rolled_out(path))
    eq(len(get(apps(ns, 'replicasets'))['items']), 2)


@case
def deployment_deletion_collects():
    ns = namespace(pods=True)
    post(apps(ns, 'deployments'), deployment('d', 2))
    until('the rollout', lambda: rolled_out(apps(ns, 'deployments/d')))
    delete(apps(ns, 'deployments/d'), {'propagationPolicy': 'Foreground'})
    gone(apps(ns, 'deployments/d'))
    eq(get(apps(ns, 'replicasets'))['items'], [])
    until('pods are gone', lambda: not get(core(ns, 'pods'))['items'], 60)


@case
def deployment_misses_its_deadline():
    ns = namespace(pods=True)
    d = deployment('d', 1, progressDeadlineSeconds=2)
    d['spec']['template']['spec']['nodeSelector'] = {'no': 'where'}
    post(apps(ns, 'deployments'), d)
    o = until('the deadline', lambda: (lambda o: o if conditions(o).get('Progressing', {}).get('status') == 'False' else None)(
        get(apps(ns, 'deployments/d'))))
    has(conditions(o), {'Progressing': {'reason': 'ProgressDeadlineExceeded'},
                        'Available': {'status': 'False', 'reason': 'MinimumReplicasUnavailable'}})
    eq(o['status'].get('unavailableReplicas'), 1)
    p = get(core(ns, 'pods'))['items'][0]
    has(conditions(p)['PodScheduled'], {'status': 'False', 'reason': 'Unschedulable'})


@case
def pod_deletion_is_graceful():
    ns = namespace(pods=True)
    post(core(ns, 'pods'), {'metadata': meta('p'), 'spec': {'containers': [{'name': 'c', 'image': 'pause:1'}]}})
    until('running', lambda: get(core(ns, 'pods/p'))['status']['phase'] == 'Running')
    o = delete(core(ns, 'pods/p'), {'gracePeriodSeconds': 2})
    has(o, {'kind': 'Pod', 'metadata': {'deletionGracePeriodSeconds': 2, 'deletionTimestamp': lambda t: t}})
    gone(core(ns, 'pods/p'))
    post(core(ns, 'pods'), {'metadata': meta('q'), 'spec': {'nodeSelector': {'no': 'where'}, 'containers': [{'name': 'c', 'image': 'pause:1'}]}})
    eq(delete(core(ns, 'pods/q'))['kind'], 'Pod')
    get(core(ns, 'pods/q'), 404)


@case
def pod_update_rules():
    ns = namespace(pods=True)
    post(core(ns, 'pods'), {'metadata': meta('p'), 'spec': {'nodeSelector': {'no': 'where'}, 'containers': [{'name': 'c', 'image': 'x:1'}]}})
    path = core(ns, 'pods/p')
    o = patch(path, {'spec': {'hostNetwork': True}}, MERGE, 422)
    ok('spec: Forbidden: pod updates may not change fields other than' in o['message'], o['message'])
    o = patch(path, [{'op': 'replace', 'path': '/spec/containers/0/image', 'value': 'x:2'}], JSONP)
    eq(o['spec']['containers'][0]['image'], 'x:2')
    patch(path, {'spec': {'activeDeadlineSeconds': 5000}, 'metadata': {'labels': {'a': 'b'}}})
    ok(patch(path, {'status': {'phase': 'Running'}})['status']['phase'] == 'Pending', 'status has its own door')


@case
def statefulset_in_order():
    ns = namespace(pods=True)
    path = apps(ns, 'statefulsets/s')
    post(apps(ns, 'statefulsets'), {'metadata': meta('s'), 'spec': {'replicas': 2, 'serviceName': 'x', 'selector': {
        'matchLabels': {'a': 's'}}, 'template': template({'a': 's'}, terminationGracePeriodSeconds=1)}})
    o = until('ready', lambda: (lambda o: o if o['status'].get('readyReplicas') == 2 and o['status'].get('currentReplicas') == 2 else None)(get(path)))
    s = o['status']
    eq(s['currentRevision'], s['updateRevision'])
    ok(s['updateRevision'].startswith('s-'), s['updateRevision'])
    eq(names(get(core(ns, 'pods'))), ['s-0', 's-1'])
    p = get(core(ns, 'pods/s-0'))
    has(p['metadata']['labels'], {'statefulset.kubernetes.io/pod-name': 's-0', 'controller-revision-hash': s['updateRevision']})
    has(p['spec'], {'hostname': 's-0', 'subdomain': 'x'})
    patch(path, {'spec': {'template': {'metadata': {'annotations': {'n': '1'}}}}})
    n = until('updated', lambda: (lambda o: o if o['status']['observedGeneration'] == 2 and o['status'].get('updatedReplicas') == 2 and o['status'].get('readyReplicas') == 2 and
                                  o['status']['currentRevision'] == o['status']['updateRevision'] else None)(get(path)), 90)
    ok(n['status']['updateRevision'] != s['updateRevision'], 'a new revision')
    patch(path, {'spec': {'replicas': 1}})
    gone(core(ns, 'pods/s-1'))
    get(core(ns, 'pods/s-0'))


@case
def daemonset_on_every_node():
    ns = namespace(pods=True)
    nodes = len(get('/api/v1/nodes')['items'])
    post(apps(ns, 'daemonsets'), {'metadata': meta('d'), 'spec': {'selector': {'matchLabels': {'a': 'd'}}, 'template': template({'a': 'd'})}})
    o = until('available', lambda: (lambda o: o if o['status'].get('numberAvailable') == nodes else None)(get(apps(ns, 'daemonsets/d'))))
    has(o['status'], {'desiredNumberScheduled': nodes, 'currentNumberScheduled': nodes, 'numberReady': nodes, 'numberMisscheduled': 0,
                      'updatedNumberScheduled': nodes, 'observedGeneration': 1})
    eq({p['spec']['nodeName'] for p in get(core(ns, 'pods'))['items']}, {n['metadata']['name'] for n in get('/api/v1/nodes')['items']})


@case
def endpoints_of_services():
    ns = namespace(pods=True)
    service(ns, 's', selector={'a': 'd'}, ports=[{'port': 80, 'targetPort': 'web'}])
    d = deployment('d', 2)
    d['spec']['template']['spec']['containers'][0]['ports'] = [{'name': 'web', 'containerPort': 8080}]
    post(apps(ns, 'deployments'), d)

    def addresses():
        s, o = api('GET', core(ns, 'endpoints/s'))
        return o if s == 200 and len((o.get('subsets') or [{}])[0].get('addresses', [])) == 2 else None
    o = until('addresses', addresses)
    has(o['subsets'], [{'addresses': [{'ip': lambda v: v, 'nodeName': lambda v: v, 'targetRef': {'kind': 'Pod', 'namespace': ns}}] * 2,
                        'ports': [{'port': 8080, 'protocol': 'TCP'}]}])
    version = 'v1' if is_sim or minor >= 21 else 'v1beta1'
    slices = '/apis/discovery.k8s.io/%s/namespaces/%s/endpointslices?labelSelector=kubernetes.io/service-name%%3Ds' % (version, ns)
    # Simulated nodes give all pods one address, and equal endpoints are one.
    until('the slice', lambda: [1 for i in get(slices)['items'] if i.get('endpoints')])
    i = get(slices)['items'][0]
    has(i, {'addressType': 'IPv4', 'metadata': {'ownerReferences': [{'kind': 'Service', 'name': 's'}]}})
    delete(core(ns, 'services/s'))
    gone(core(ns, 'endpoints/s'))
    until('the slice is gone', lambda: not get(slices)['items'])


@case
def claims_are_protected():
    ns = namespace()
    o = post(core(ns, 'persistentvolumeclaims'), {'metadata': meta('v'), 'spec': {
        'accessModes': ['ReadWriteOnce'], 'resources': {'requests': {'storage': '1024Mi'}}}})
    eq((o['status'], o['metadata']['finalizers']), ({'phase': 'Pending'}, ['kubernetes.io/pvc-protection']))
    has(o['spec'], {'volumeMode': 'Filesystem', 'resources': {'requests': {'storage': '1Gi'}}})
    o = patch(core(ns, 'persistentvolumeclaims/v'), {'spec': {'accessModes': ['ReadWriteMany']}}, MERGE, 422)
    ok('spec: Forbidden: spec is immutable after creation except resources.requests for bound claims' in o['message'] or minor > 20, o['message'])
    delete(core(ns, 'persistentvolumeclaims/v'))
    gone(core(ns, 'persistentvolumeclaims/v'))


# ---- only kubesim ----


def faults(**document):
    eq(api('PUT', '/kubesim/faults', document)[0], 200)


def options(**document):
    eq(api('PUT', '/kubesim/options', document)[0], 200)


def job(name, command, **spec):
    pod = spec.pop('pod', {})
    return {'metadata': meta(name), 'spec': dict({'template': {'spec': dict({
        'restartPolicy': 'Never', 'containers': [{'name': 'c', 'image': 'x:1', 'command': ['sh', '-c', command]}]}, **pod)}}, **spec)}


def job_ended(ns, name):
    o = get(batch(ns) + '/' + name)
    c = {t: v['status'] for t, v in conditions(o).items()}
    return o if c.get('Complete') == 'True' or c.get('Failed') == 'True' else None


@sim
def jobs_run():
    ns = namespace(pods=True)
    post(batch(ns), job('ok', 'sleep 0.1', completions=3, parallelism=2))
    o = until('complete', lambda: job_ended(ns, 'ok'))
    has(o['status'], {'succeeded': 3, 'startTime': lambda v: v, 'completionTime': lambda v: v})
    ok('active' not in o['status'] and 'Complete' in conditions(o), o['status'])
    eq({p['status']['phase'] for p in get(core(ns, 'pods'))['items']}, {'Succeeded'})
    p = get(core(ns, 'pods'))['items'][0]
    has(p['status']['containerStatuses'][0]['state'], {'terminated': {'exitCode': 0, 'reason': 'Completed'}})
    post(batch(ns), job('bad', 'exit 3', backoffLimit=2))
    o = until('failed', lambda: job_ended(ns, 'bad'))
    has(conditions(o)['Failed'], {'status': 'True', 'reason': 'BackoffLimitExceeded'})
    eq(o['status']['failed'], 3)
    options(delaysMs={'backoff': 400})
    post(batch(ns), job('later', 'exit 1', backoffLimit=1))
    start = time.time()
    until('failed', lambda: job_ended(ns, 'later'))
    ok(time.time() - start > 0.5, 'the second try waits')
    options(delaysMs={'backoff': 50})
    post(batch(ns), job('slow', 'sleep 60', activeDeadlineSeconds=1))
    o = until('too late', lambda: job_ended(ns, 'slow'))
    eq(conditions(o)['Failed']['reason'], 'DeadlineExceeded')
    post(batch(ns), job('ttl', 'true', ttlSecondsAfterFinished=1))
    gone(batch(ns) + '/ttl')
    post(batch(ns), job('restart', 'exit 1', backoffLimit=2, pod={'restartPolicy': 'OnFailure'}))
    eq(conditions(until('restarts', lambda: job_ended(ns, 'restart')))['Failed']['reason'], 'BackoffLimitExceeded')
    noted = job('noted', 'true')
    noted['spec']['template']['metadata'] = {'annotations': {'kubesim/run-for': '10ms', 'kubesim/exit-code': '7'}}
    noted['spec']['backoffLimit'] = 0
    post(batch(ns), noted)
    until('as annotated', lambda: 'Failed' in conditions(job_ended(ns, 'noted') or {}))


@sim
def job_suspends():
    ns = namespace(pods=True)
    post(batch(ns), job('j', 'sleep 0.1', suspend=True))
    until('suspended', lambda: conditions(get(batch(ns) + '/j')).get('Suspended', {}).get('status') == 'True')
    eq(get(core(ns, 'pods'))['items'], [])
    patch(batch(ns) + '/j', {'spec': {'suspend': False}})
    until('complete', lambda: job_ended(ns, 'j'))


@sim
def pods_that_end():
    ns = namespace(pods=True)
    for name, command, phase in (('good', 'true', 'Succeeded'), ('bad', 'sleep 0.05; exit 2', 'Failed')):
        post(core(ns, 'pods'), {'metadata': meta(name), 'spec': {'restartPolicy': 'Never', 'containers': [
            {'name': 'c', 'image': 'x:1', 'command': ['sh', '-c', command]}]}})
        o = until(phase, lambda: (lambda o: o if o['status']['phase'] == phase else None)(get(core(ns, 'pods/' + name))))
        eq(o['status']['containerStatuses'][0]['state']['terminated']['exitCode'], 0 if phase == 'Succeeded' else 2)


@sim
def unhealthy_images():
    ns = namespace(pods=True)
    faults(images=[{'image': 'broken*', 'reason': 'ErrImagePull', 'message': 'no such image'}])
    post(apps(ns, 'deployments'), deployment('d', 1, 'broken:1', progressDeadlineSeconds=1))
    waiting = lambda: [c['state'].get('waiting') for p in get(core(ns, 'pods'))['items'] for c in p['status'].get('containerStatuses', [])]
    until('waiting', lambda: waiting() == [{'reason': 'ErrImagePull', 'message': 'no such image'}])
    until('the deadline', lambda: conditions(get(apps(ns, 'deployments/d'))).get('Progressing', {}).get('reason') == 'ProgressDeadlineExceeded')
    faults()
    until('healthy again', lambda: rolled_out(apps(ns, 'deployments/d')))


@sim
def pod_logs():
    ns = namespace(pods=True)
    options(delaysMs={'logLine': 100})
    post(core(ns, 'pods'), {'metadata': meta('p'), 'spec': {'containers': [{'name': 'c', 'image': 'x:1'}]}})
    until('running', lambda: get(core(ns, 'pods/p'))['status']['phase'] == 'Running')
    time.sleep(0.5)
    s, text, r = api.raw('GET', core(ns, 'pods/p/log'))
    lines = text.decode().splitlines()
    ok(len(lines) >= 3 and lines[0] == 'p/c line 1', lines)
    eq(r.getheader('Content-Type'), 'text/plain')
    eq(api('GET', core(ns, 'pods/p/log?tailLines=1'))[1].count('\n'), 1)
    ok(re.match(r'^\d{4}-\d\d-\d\dT\S+Z p/c line 1\n', api('GET', core(ns, 'pods/p/log?timestamps=true'))[1]), 'timestamps')
    eq(api('GET', core(ns, 'pods/p/log?limitBytes=5'))[1], 'p/c l')
    c = api.connect(10)
    c.request('GET', core(ns, 'pods/p/log?follow=true&tailLines=1'), None, api.head('*/*', None))
    r = c.getresponse()
    first, second = r.readline(), r.readline()
    eq(int(second.split()[-1]), int(first.split()[-1]) + 1)
    delete(core(ns, 'pods/p'), {'gracePeriodSeconds': 0})
    while r.readline():
        pass
    c.close()
    options(delaysMs={'logLine': 1000})
    eq(api('GET', core(ns, 'pods/nope/log'))[0], 404)
    post(core(ns, 'pods'), {'metadata': meta('two'), 'spec': {'containers': [{'name': 'a', 'image': 'x:1'}, {'name': 'b', 'image': 'x:1'}]}})
    s, o = api('GET', core(ns, 'pods/two/log'))
    eq((s, o['message']), (400, 'a container name must be specified for pod two, choose one of: [a b]'))


@sim
def faults_answer():
    ns = namespace()
    path = core(ns, 'configmaps')
    faults(rules=[{'verb': 'create', 'resource': 'configmaps', 'status': 503, 'retryAfter': 2, 'times': 1}])
    s, data, r = api.raw('POST', path, {'metadata': meta('a')})
    o = json.loads(data)
    eq((s, o['reason'], r.getheader('Retry-After')), (503, 'ServiceUnavailable', '2'))
    post(path, {'metadata': meta('a')})
    faults(rules=[{'verb': 'patch', 'resource': 'configmaps', 'status': 409}])
    check_status(patch(path + '/a', {'data': {'x': '1'}}, MERGE, 409), 409, 'Conflict')
    faults(rules=[{'resource': 'configmaps', 'status': 429, 'userAgent': 'other*'}, {'resource': 'configmaps', 'latencyMs': 300}])
    t = time.time()
    get(path + '/a')
    ok(0.25 < time.time() - t < 2, 'latency')
    faults(rules=[{'resource': 'configmaps', 'drop': True}])
    try:
        api.kept = None
        api('GET', path)
        raise Failed('the connection should have been cut')
    except (http.client.HTTPException, OSError):
        api.kept = None
    faults(rules=[{'resource': 'configmaps', 'status': 500, 'probability': 0.5}])
    codes = {api('GET', path)[0] for _ in range(60)}
    eq(codes, {200, 500})
    eq(api('PUT', '/kubesim/faults', {'rules': [{'nope': 1}]})[0], 400)
    ok(sum(get('/kubesim/faults')['fired']) > 0, 'fired')
    eq(api('DELETE', '/kubesim/faults')[0], 200)


@sim
def faults_of_watches_and_pages():
    ns = namespace()
    path = core(ns, 'configmaps')
    cms(ns, 3)
    token = get(path + '?limit=1')['metadata']['continue']
    faults(rules=[{'verb': 'list', 'resource': 'configmaps', 'status': 410}, {'verb': 'watch', 'resource': 'configmaps', 'status': 410}])
    get(path)
    o = get(path + '?limit=1&continue=' + token, 410)
    check_status(o | {'metadata': {}}, 410, 'Expired')
    faults()
    eq(names(get(path + '?labelSelector=i&continue=' + o['metadata']['continue'])), ['c1', 'c2'])
    faults(rules=[{'verb': 'watch', 'status': 410}])
    events = api.watch(path + '?resourceVersion=1', 2)
    eq((events[0]['type'], events[0]['object']['code'], events[0]['object']['reason']), ('ERROR', 410, 'Expired'))
    faults(rules=[{'verb': 'watch', 'dropAfterMs': 100}])
    c = api.connect(5)
    c.request('GET', path + '?watch=1', None, api.head('application/json', None))
    r = c.getresponse()
    try:
        while r.readline():
            pass
    except (http.client.HTTPException, OSError):
        pass
    faults()


@sim
def history_expires():
    ns = namespace()
    path = core(ns, 'configmaps')
    first = cms(ns, 3)[0]
    token = get(path + '?limit=1')['metadata']['continue']
    post(path, {'metadata': meta('more')})
    post('/kubesim/compact', {'keep': 0}, 200)
    events = api.watch(path + '?resourceVersion=' + first['metadata']['resourceVersion'], 1)
    has(events, [{'type': 'ERROR', 'object': {'kind': 'Status', 'code': 410, 'reason': 'Expired',
                                              'message': lambda m: m.startswith('too old resource version: ')}}])
    o = get(path + '?limit=1&continue=' + token, 410)
    eq(o['reason'], 'Expired')
    eq(get(path + '?resourceVersionMatch=Exact&resourceVersion=' + first['metadata']['resourceVersion'], 410)['reason'], 'Expired')


@sim
def bookmarks():
    ns = namespace()
    options(delaysMs={'bookmark': 100})
    rv = get(core(ns, 'configmaps'))['metadata']['resourceVersion']
    post(core(ns, 'secrets'), {'metadata': meta('s')})
    events = api.watch(core(ns, 'configmaps') + '?allowWatchBookmarks=true&labelSelector=none&resourceVersion=' + rv, 1)
    ok(events and all(e['type'] == 'BOOKMARK' for e in events), events)
    has(events[0]['object'], {'kind': 'ConfigMap', 'apiVersion': 'v1', 'metadata': {'resourceVersion': lambda v: int(v) > int(rv)}})
    options(delaysMs={'bookmark': 60000})


@sim
def controllers_pause():
    ns = namespace(pods=True)
    faults(paused=['deployment'])
    post(apps(ns, 'deployments'), deployment('d', 1))
    time.sleep(0.3)
    eq(get(apps(ns, 'replicasets'))['items'], [])
    faults()
    until('the rollout', lambda: rolled_out(apps(ns, 'deployments/d')))


@sim
def writes_are_recorded():
    ns = namespace()
    path = core(ns, 'configmaps')
    since = get('/kubesim/writes?since=0')['last']
    o = post(path, {'metadata': meta('w')})
    patch(path + '/w', {'data': {'a': 'b'}})
    put(path + '/nope', {'metadata': meta('nope')}, 404)
    delete(path + '/w')
    items = get('/kubesim/writes?resource=configmaps&namespace=%s&userAgent=%s&since=%d' % (ns, AGENT, since))['items']
    eq([(i['verb'], i['name'], i['code']) for i in items],
       [('create', 'w', 201), ('patch', 'w', 200), ('update', 'nope', 404), ('delete', 'w', 200)])
    eq({i['uid'] for i in items if i['name'] == 'w'}, {o['metadata']['uid']})
    ok(get('/kubesim/requests')['total'] > 0, 'counters')


@sim
def bulk_objects():
    ns = namespace()
    o = post('/kubesim/bulk', {'resource': 'configmaps', 'namespace': ns, 'count': 2500, 'size': 1500, 'object': {'data': {'k': 'v'}}}, 200)
    eq(o['count'], 2500)
    path, n, token = core(ns, 'configmaps') + '?limit=500&fieldSelector=' + quote('metadata.name!=kube-root-ca.crt'), 0, ''
    some = []
    while True:
        page = get(path + ('&continue=' + token if token else ''))
        n += len(page['items'])
        some = page['items'] or some
        token = page['metadata'].get('continue')
        if not token:
            break
    eq(n, 2500)
    size = len(json.dumps(some[0], separators=(',', ':')))
    ok(1450 <= size <= 1550, size)
    rv = page['metadata']['resourceVersion']
    eq(post('/kubesim/touch', {'resource': 'configmaps', 'namespace': ns, 'count': 10}, 200)['count'], 10)
    ok(int(get(core(ns, 'configmaps') + '?limit=1')['metadata']['resourceVersion']) >= int(rv) + 10, 'touched')
    delete(core(ns, 'configmaps'))


@sim
def load_balancers_and_volumes():
    ns = namespace(pods=True)
    service(ns, 'l', type='LoadBalancer', ports=[{'port': 80}])
    until('an address', lambda: get(core(ns, 'services/l'))['status']['loadBalancer'].get('ingress'))
    post(core(ns, 'persistentvolumeclaims'), {'metadata': meta('v'), 'spec': {
        'accessModes': ['ReadWriteOnce'], 'resources': {'requests': {'storage': '1Gi'}}}})
    o = until('bound', lambda: (lambda o: o if o['status']['phase'] == 'Bound' else None)(get(core(ns, 'persistentvolumeclaims/v'))))
    pv = get('/api/v1/persistentvolumes/' + o['spec']['volumeName'])
    has(pv, {'status': {'phase': 'Bound'}, 'spec': {'claimRef': {'name': 'v', 'namespace': ns}}})
    delete(core(ns, 'persistentvolumeclaims/v'))
    gone('/api/v1/persistentvolumes/' + o['spec']['volumeName'])


@sim
def server_side_apply_is_refused():
    ns = namespace()
    s, o = api('PATCH', core(ns, 'configmaps/a?fieldManager=x'), {'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': meta('a')},
               'application/apply-patch+yaml')
    eq((s, o['reason']), (415, 'UnsupportedMediaType'))
    ok('server-side apply is not simulated' in o['message'], o['message'])


@case
def api_services_without_a_service():
    group = 'x%s.example.com' % RUN
    path = '/apis/apiregistration.k8s.io/v1/apiservices'
    post(path, {'metadata': meta('v1.' + group), 'spec': {
        'group': group, 'version': 'v1', 'service': {'name': 'a', 'namespace': 'b'}, 'groupPriorityMinimum': 100, 'versionPriority': 10,
        'insecureSkipTLSVerify': True}})
    until('the condition', lambda: conditions(get(path + '/v1.' + group)))
    has(conditions(get(path + '/v1.' + group))['Available'], {'status': 'False', 'reason': 'ServiceNotFound',
                                                             'message': 'service/a in "b" is not present'})
    until('the group', lambda: group in [g['name'] for g in get('/apis')['groups']])
    until('its resources fail', lambda: api('GET', '/apis/%s/v1' % group) == (503, 'service unavailable\n'))
    eq(api('GET', '/apis/%s/v1/things' % group), (503, 'service unavailable\n'))
    delete(path + '/v1.' + group)
    until('it is gone', lambda: api('GET', '/apis/%s/v1' % group)[0] == 404)


def clean():
    for ns in namespaces:
        api('DELETE', '/api/v1/namespaces/' + ns)
    for i in range(1, crd_count[0] + 1):
        api('DELETE', CRDS + '/foos.g%d.%s.example.com' % (i, RUN))


def main():
    global api, minor, is_sim
    api = Api(os.environ['KUBECONFIG'])
    minor = int(re.match(r'\d+', api('GET', '/version')[1]['minor']).group(0))
    is_sim = api('GET', '/kubesim/stats')[0] == 200
    passed = failed = skipped = 0
    for kind, fn in cases:
        name = kind + fn.__name__
        if len(sys.argv) > 1 and not any(p in name for p in sys.argv[1:]):
            continue
        if kind and not is_sim:
            skipped += 1
            continue
        start = time.time()
        try:
            fn()
            passed += 1
            print('ok %d - %s # %.2f s' % (passed + failed, name, time.time() - start), flush=True)
        except Exception as e:
            failed += 1
            print('not ok %d - %s' % (passed + failed, name))
            text = str(e) if isinstance(e, Failed) else traceback.format_exc()
            line = traceback.extract_tb(e.__traceback__)
            print('# %s' % ' < '.join(str(f.lineno) for f in reversed(line)))
            print('# ' + text[:2000].replace('\n', '\n# '), flush=True)
            api.kept = None
            if is_sim:
                api('DELETE', '/kubesim/faults')
    clean()
    print('1..%d' % (passed + failed))
    print('%d passed, %d failed%s' % (passed, failed, ', %d for kubesim only' % skipped if skipped else ''))
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())
