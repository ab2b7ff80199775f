#!/usr/bin/env python3
"""What kubesim carries: many objects, many watches. usage: load.py PROGRAM [OBJECTS [WATCHES [EVENTS_PER_SECOND]]]

Starts the program, prints one line per figure, "bench NAME VALUE UNIT budget N ok|over" where there is a budget, and stops it.
Processor times are the server's own.
"""
import http.client
import json
import os
import selectors
import socket
import subprocess
import sys
import time

OBJECTS, WATCHES, RATE = (int(a) for a in (sys.argv[2:] + ['200000', '500', '1000'][len(sys.argv) - 2:]))
SECONDS = 5


def figure(name, value, unit, budget=None):
    verdict = '' if budget is None else ' budget %g %s' % (budget, 'ok' if value <= budget else 'over')
    print('bench kubesim_%s %.4g %s%s' % (name, value, unit, verdict), flush=True)


start = time.time()
server = subprocess.Popen([sys.argv[1], '--port', '0'], stdout=subprocess.PIPE, text=True)
port = int(server.stdout.readline().rsplit(':', 1)[1])
figure('start', (time.time() - start) * 1000, 'ms', 50)
kept = http.client.HTTPConnection('127.0.0.1', port)


def call(method, path, body=None):
    kept.request(method, path, json.dumps(body) if body is not None else None, {'Content-Type': 'application/json'})
    r = kept.getresponse()
    data = r.read()
    assert r.status < 300, (method, path, r.status, data[:300])
    return json.loads(data)


def resident():
    return int(open('/proc/%d/statm' % server.pid).read().split()[1]) * os.sysconf('SC_PAGE_SIZE') / (1 << 20)


def processor():
    t = open('/proc/%d/stat' % server.pid).read().rsplit(')', 1)[1].split()
    return (int(t[11]) + int(t[12])) / os.sysconf('SC_CLK_TCK')


def list_pages(limit, accept='application/json', query=''):
    """Objects and bytes; the body is not parsed but for its continue token, so that the time is the server's."""
    n = size = 0
    token = ''
    while True:
        kept.request('GET', '/api/v1/configmaps?limit=%d%s%s' % (limit, query, '&continue=' + token if token else ''), None,
                     {'Accept': accept})
        data = kept.getresponse().read()
        size += len(data)
        n += data.count(b'"uid":')
        head = json.loads(data[data.index(b'"metadata":') + 11:data.index(b'}', data.index(b'"metadata":')) + 1])
        token = head.get('continue')
        if not token:
            return n, size


def watch_all(seconds, query, expected):
    """Opens the watches, changes objects at the rate, and counts what arrives where."""
    selector, sockets, counts = selectors.DefaultSelector(), [], {}
    rv = call('GET', '/api/v1/namespaces?limit=1')['metadata']['resourceVersion']
    for i in range(WATCHES):
        s = socket.create_connection(('127.0.0.1', port))
        s.sendall(('GET /api/v1/%s&resourceVersion=%s HTTP/1.1\r\nHost: x\r\n\r\n' % (query(i), rv)).encode())
        s.setblocking(False)
        selector.register(s, selectors.EVENT_READ)
        sockets.append(s)
        counts[s] = 0
    time.sleep(0.5)
    busy, began, sent, lag = processor(), time.time(), 0, 0.0
    while sent < RATE * seconds:
        due = int((time.time() - began) * RATE)
        if due > sent:
            n = min(due - sent, 200)
            call('POST', '/kubesim/touch', {'resource': 'configmaps', 'namespaces': 100, 'from': sent % 10000, 'count': n})
            sent += n
        for key, _ in selector.select(0.002):
            counts[key.fileobj] += key.fileobj.recv(1 << 20).count(b'"type":"MODIFIED"')
    taken = time.time() - began
    end = time.time() + 10
    while sum(counts.values()) < expected(sent) and time.time() < end:
        for key, _ in selector.select(0.1):
            counts[key.fileobj] += key.fileobj.recv(1 << 20).count(b'"type":"MODIFIED"')
    lag = time.time() - began - taken
    for s in sockets:
        s.close()
    return sent / taken, sum(counts.values()), expected(sent), (processor() - busy) / taken, lag


try:
    for i in range(100):
        call('POST', '/api/v1/namespaces', {'metadata': {'name': 'bulk-%d' % i}})
    base = resident()
    t, cpu = time.time(), processor()
    call('POST', '/kubesim/bulk', {'resource': 'configmaps', 'namespaces': 100, 'count': OBJECTS, 'size': 1500,
                                   'object': {'data': {'key': 'value'}}})
    figure('create_all', time.time() - t, 's')
    figure('resident', resident(), 'MiB', 600 * OBJECTS / 200000)
    figure('bytes_per_object', (resident() - base) * (1 << 20) / OBJECTS, 'B')
    for limit in (500, 5000):
        t, cpu = time.time(), processor()
        n, size = list_pages(limit)
        assert n >= OBJECTS, n
        figure('list_pages_of_%d' % limit, time.time() - t, 's')
        figure('list_pages_of_%d_processor' % limit, processor() - cpu, 's')
    t = time.time()
    list_pages(500, 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1')
    figure('list_metadata_pages_of_500', time.time() - t, 's')
    t = time.time()
    list_pages(0)
    figure('list_at_once', time.time() - t, 's')
    t = time.time()
    call('GET', '/api/v1/configmaps?labelSelector=none')
    figure('list_nothing_by_label', time.time() - t, 's')
    figure('resident_after_lists', resident(), 'MiB', 600 * OBJECTS / 200000)
    for name, query, expected in (
            ('spread', lambda i: 'namespaces/bulk-%d/configmaps?watch=1' % (i % 100), lambda sent: sent * WATCHES // 100),
            ('all', lambda i: 'configmaps?watch=1', lambda sent: sent * WATCHES)):
        rate, got, want, cpu, lag = watch_all(SECONDS, query, expected)
        figure('watch_%s_events' % name, rate, '/s')
        figure('watch_%s_missed' % name, want - got, '', 0)
        figure('watch_%s_processor' % name, cpu * 100, '%')
        figure('watch_%s_lag' % name, lag, 's')
    t = time.time()
    for i in range(1000):
        call('POST', '/api/v1/namespaces/default/configmaps', {'metadata': {'name': 'c%d' % i}, 'data': {'k': 'v'}})
    figure('create_one', (time.time() - t), 'ms')
finally:
    t = time.time()
    server.terminate()
    code = server.wait(20)
    figure('stop', (time.time() - t) * 1000, 'ms')
sys.exit(0 if code == 0 else 1)
