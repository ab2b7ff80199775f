"""What tests of several clusters share: further clusters, a way to them that can be shut, their Secrets."""
import base64
import json
import os
import re
import socket
import threading
import urllib.parse
import urllib.request

from .case import Case, config_map
from .env import BIN, free_port
from .kube import Kube
from .proc import Process, wait_for

SECRET = ("v1", "Secret")


class Sim:
    """A further cluster: a kubesim at a port that stays the same when it is started again."""

    def __init__(self, env, name, flags=(), token="secret"):
        self.env, self.name, self.port, self.flags = env, name, free_port(), list(flags)
        self.config = os.path.join(env.dir, name + ".kubeconfig")
        self.server = "http%s://127.0.0.1:%d" % ("s" if "--tls-cert" in flags else "", self.port)
        self.start(token)

    def start(self, token="secret"):
        if os.path.exists(self.config):
            os.unlink(self.config)
        self.process = Process("kubesim-" + self.name, [
            os.path.join(BIN, "kubesim"), "--port", str(self.port), "--kubeconfig-out", self.config,
            *(["--token", token] if token else []), *self.flags], self.env.dir)
        self.env.processes.append(self.process)
        self.process.start()
        wait_for(self.name, lambda: os.path.exists(self.config) and os.path.getsize(self.config), alive=[self.process])
        self.kube = Kube(self.config)
        return self


class Gate:
    """The way to a server, which can be shut: connections break, new ones are refused."""

    def __init__(self, port):
        self.target, self.port, self.pairs = port, free_port(), []
        self.open()

    def open(self):
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=512)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def shut(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        pairs, self.pairs = self.pairs, []
        for end in [e for pair in pairs for e in pair]:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self, listener):
        while True:
            try:
                here, _ = listener.accept()
                there = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            self.pairs.append((here, there))
            for a, b in ((here, there), (there, here)):
                threading.Thread(target=self._copy, args=(a, b), daemon=True).start()

    def _copy(self, a, b):
        try:
            while True:
                data = a.recv(65536)
                if not data:
                    break
                b.sendall(data)
        except OSError:
            pass
        try:
            b.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Base(Case):
    def cluster(self, name, server, config=None, **more):
        data = {"name": name, "server": server, "config": json.dumps(config if config is not None else {"bearerToken": "secret"})}
        data.update(more.pop("data", {}))
        o = {"apiVersion": "v1", "kind": "Secret", "stringData": data,
             "metadata": {"name": "cluster-" + name, "namespace": self.env.ns, "annotations": more.get("annotations", {}),
                          "labels": dict({"argocd.argoproj.io/secret-type": "cluster"}, **more.get("labels", {}))}}
        if self.env.kube.get(*SECRET, self.env.ns, "cluster-" + name):
            o.pop("stringData")
            o["data"] = {k: base64.b64encode(v.encode()).decode() for k, v in data.items()}
            self.env.kube.update(o)
        else:
            self.env.kube.create(o)
        self.addCleanup(self.remove, name)

    def remove(self, name):
        self.env.kube.delete(*SECRET, self.env.ns, "cluster-" + name)

    def metrics(self):
        with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % self.env.metrics_port, timeout=10) as answer:
            return answer.read().decode()

    def samples(self, family, **labels):
        """[(labels, value)] of one family, those that have these labels."""
        out = []
        for line in self.metrics().splitlines():
            m = re.match(r'%s(?:\{(.*)\})? (\S+)$' % family, line)
            if not m:
                continue
            have = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', m.group(1) or ""))
            if all(have.get(k) == v for k, v in labels.items()):
                out.append((have, float(m.group(2))))
        return out

    def connected(self, server):
        found = self.samples("argocd_cluster_connection_status", server=server)
        return found[0][1] if found else None

    def info(self, server):
        return self.env.api.get("/api/v1/clusters/" + urllib.parse.quote(server, safe="")).json

    def deploy(self, name, destination, automated=True, files=None, sim=None, **spec):
        """An application of one ConfigMap in a namespace of its own."""
        repo = self.env.repo()
        repo.commit(files or {"cm.yaml": config_map(name)})
        ns = "t-" + name
        sim.kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}}, exist_ok=True)
        if sim is self.env:
            self.env.namespaces.append(ns)
        if automated:
            spec["syncPolicy"] = {"automated": {"selfHeal": True, "prune": True}}
        self.env.app(name, self.env.git.url(repo), dest_ns=ns, destination=dict(destination, namespace=ns), **spec)
        self.addCleanup(self.env.kube.delete, "argoproj.io/v1alpha1", "Application", self.env.ns, name)
        return repo, ns
