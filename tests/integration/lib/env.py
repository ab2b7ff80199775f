"""What a test runs in: a cluster (kubesim, or the one of KUBECONFIG), Redis, a Git server, and the daemons."""
import base64
import os
import random
import shutil
import socket
import tempfile
import time

import yaml

from . import git
from .api import Api
from .kube import ApiError, Kube
from .proc import Process, wait_for

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
BIN = os.environ.get("CARGOCD_BIN") or os.path.join(ROOT, "build", "bin")
APP = ("argoproj.io/v1alpha1", "Application")
os.environ.setdefault("TSAN_OPTIONS", "suppressions=" + os.path.join(ROOT, "tests", "integration", "tsan.txt"))
REAL = bool(os.environ.get("KUBECONFIG")) and not os.environ.get("CARGOCD_KUBESIM")
LOG_LEVEL = os.environ.get("CARGOCD_LOGLEVEL", "debug")
PROJECT = ("argoproj.io/v1alpha1", "AppProject")


def free_port():
    """Below those that connections get: while a daemon is down, none of them takes its port."""
    while True:
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", random.randrange(20000, 32000)))
                return s.getsockname()[1]
            except OSError:
                continue


class Environment:
    """One control plane. `real` is true on a real Kubernetes."""

    def __init__(self, redis=True, options=None, namespace=None):
        self.dir = tempfile.mkdtemp(prefix="cargocd-test-")
        self.processes = []
        self.namespaces = []
        self.created_crds = []
        self.options = options or {}
        self.real = REAL
        self.patience = 3 if self.real else 1
        self.ns = namespace if namespace and not self.real else "argocd-%06x" % random.getrandbits(24)
        self.kubesim = None
        self.kubeconfig = os.environ["KUBECONFIG"] if self.real else self._start_kubesim()
        self.kube = Kube(self.kubeconfig)
        os.makedirs(os.path.join(self.dir, "git"))
        os.makedirs(os.path.join(self.dir, "work"))
        self.git = git.Server(os.path.join(self.dir, "git"))
        self.install()
        self.redis = self._start_redis() if redis else None
        self._make_seals()
        self.repo_server = self._daemon("cargocd-repo-server", self._repo_server_flags())
        self.controllers = [self._replica(i) for i in range(self.options.get("replicas", 1))]
        self.controller = self.controllers[0]

    # ---- parts ----

    def _process(self, name, argv, env=None):
        p = Process(name, argv, self.dir, env, cwd=self.dir)
        self.processes.append(p)
        return p

    def _start_kubesim(self):
        config = os.path.join(self.dir, "kubeconfig")
        self.kubesim = self._process("kubesim", [os.path.join(BIN, "kubesim"), "--port", "0", "--kubeconfig-out", config])
        self.kubesim.start()
        wait_for("kubesim", lambda: os.path.exists(config) and os.path.getsize(config), alive=[self.kubesim])
        return config

    def _start_redis(self):
        self.redis_socket = os.path.join(self.dir, "redis.sock")
        p = self._process("redis", ["redis-server", "--port", "0", "--unixsocket", self.redis_socket, "--save", "",
                                    "--appendonly", "no"])
        p.start()
        wait_for("redis", lambda: os.path.exists(self.redis_socket), alive=[p])
        return p

    def _make_seals(self):
        self.seals = os.path.join(self.dir, "seal")
        os.makedirs(self.seals)
        for owner in ("controller", "repo"):
            with open(os.path.join(self.seals, owner + ".1"), "w", encoding="ascii") as f:
                f.write(os.urandom(32).hex())

    def install(self):
        crds = os.path.join(ROOT, "charts", "argocd", "files", "crds")
        for name in sorted(os.listdir(crds)):
            with open(os.path.join(crds, name), encoding="utf-8") as f:
                crd = self.kube.create(yaml.safe_load(f), exist_ok=True)
                self.created_crds += [crd["metadata"]["name"]] if crd else []
        wait_for("the custom resources", lambda: self._served())
        self.create_namespace(self.ns)
        self.config_map("argocd-cm", {})
        self.kube.create({"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject",
                          "metadata": {"name": "default", "namespace": self.ns},
                          "spec": {"sourceRepos": ["*"], "destinations": [{"namespace": "*", "server": "*"}],
                                   "clusterResourceWhitelist": [{"group": "*", "kind": "*"}]}})

    def _served(self):
        try:
            return self.kube.list(*APP) is not None and self.kube.list(*PROJECT) is not None
        except ApiError:
            return False

    def _daemon(self, name, flags):
        argv = [os.path.join(BIN, name), "--logformat", "text", "--loglevel", LOG_LEVEL,
                "--log-format-timestamp", "2006-01-02T15:04:05.000000000Z07:00", "--seal-keys", self.seals, *flags]
        if self.redis:
            argv += ["--redis", "unix://" + self.redis_socket]
        return self._process(name, argv)

    def ipc(self, name):
        return "ipc://" + os.path.join(self.dir, name + ".ipc")

    def _repo_server_flags(self):
        return ["--address", self.ipc("repo"), "--metrics-port", str(free_port()), "--metrics-address", "127.0.0.1",
                "--data", os.path.join(self.dir, "repos"), *self.options.get("repo_server", [])]

    def _replica(self, i):
        """One of the application controllers; those after the first have names of their own."""
        p = self._daemon("cargocd-app-controller", self._controller_flags(i))
        if i:
            p.name += "-%d" % i
            p.log_path = os.path.join(self.dir, p.name + ".log")
        return p

    def _controller_flags(self, i=0):
        port = free_port()
        if i == 0:
            self.metrics_port = port
        name = ["--replica-name", "controller-%d" % i] if self.options.get("replicas", 1) > 1 else []
        return ["--kubeconfig", self.kubeconfig, "--namespace", self.ns, "--repo-server", self.ipc("repo"), *name,
                "--query-address", self.ipc("query-%d" % i), "--metrics-port", str(port), "--metrics-address", "127.0.0.1",
                "--kube-api-qps", "2000", "--kube-api-burst", "4000", *self.options.get("controller", [])]

    def start(self):
        self.repo_server.start()
        for p in self.controllers:
            p.start()
        return self

    def start_api_server(self, flags=("--insecure",)):
        """Starts the api-server; self.api speaks to it."""
        self.ports = os.path.join(self.dir, "ports")
        if os.path.exists(self.ports):
            os.unlink(self.ports)
        self.server = self._process("cargocd-api-server", [
            os.path.join(BIN, "cargocd-api-server"), "--kubeconfig", self.kubeconfig, "--namespace", self.ns, "--rpc-plaintext",
            "--repo-server", self.ipc("repo"), "--application-controller", ",".join(self.ipc("query-%d" % i) for i in range(len(self.controllers))), "--address", "127.0.0.1",
            "--metrics-address", "127.0.0.1", "--port", "0", "--metrics-port", "0", "--port-file", self.ports,
            "--kube-api-qps", "2000", "--kube-api-burst", "4000", "--logformat", "text", "--loglevel", LOG_LEVEL,
            "--seal-keys", self.seals, *(["--redis", "unix://" + self.redis_socket] if self.redis else []), *flags])
        self.server.start()
        wait_for("the api-server", lambda: os.path.exists(self.ports), alive=[self.server])
        with open(self.ports, encoding="ascii") as f:
            self.port, self.api_metrics_port = (int(n) for n in f.read().split())
        self.api = Api(self.port, tls="--insecure" not in flags)
        wait_for("health of the api-server", lambda: self.api.get("/healthz").status == 200, alive=[self.server])

    def secret(self, name, key):
        return base64.b64decode(self.kube.get("v1", "Secret", self.ns, name)["data"][key]).decode()

    def close(self):
        keep = os.environ.get("CARGOCD_KEEP")
        codes = {}
        for p in reversed(self.processes):
            was_running = p.running()
            if p is self.kubesim:
                continue
            code = p.stop()
            if was_running and p.name.startswith("cargocd-"):
                codes[p.name] = code
        self.git.close()
        if self.real:
            for ns in self.namespaces:
                self._empty_namespace(ns)
        if self.kubesim:
            self.kubesim.stop()
        if keep:
            print("kept", self.dir)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)
        return codes

    def _empty_namespace(self, ns):
        for app in self.kube.list(*APP, ns):
            self.kube.merge(*APP, ns, app["metadata"]["name"], {"metadata": {"finalizers": None}})
        for job in self.kube.list("batch/v1", "Job", ns):  # hooks have the finalizer of a controller that is no more
            self.kube.merge("batch/v1", "Job", ns, job["metadata"]["name"], {"metadata": {"finalizers": None}})
        self.kube.delete("v1", "Namespace", None, ns)

    # ---- objects ----

    def create_namespace(self, name=None):
        name = name or "t-%08x" % random.getrandbits(32)
        self.kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, exist_ok=True)
        self.namespaces.append(name)
        return name

    def config_map(self, name, data):
        labels = {"app.kubernetes.io/part-of": "argocd", "app.kubernetes.io/name": name}
        o = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": self.ns, "labels": labels}, "data": data}
        if self.kube.get("v1", "ConfigMap", self.ns, name):
            self.kube.update(o)
        else:
            self.kube.create(o)

    def repo(self, name=None):
        return git.Repo(self.git.root, os.path.join(self.dir, "work"), name or "repo-%06x" % random.getrandbits(24))

    def app(self, name, url, path=".", dest_ns=None, **spec):
        """Creates an Application as kubectl would."""
        dest_ns = dest_ns or self.create_namespace()
        body = {"project": "default", "source": {"repoURL": url, "path": path, "targetRevision": "HEAD"},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": dest_ns}}
        body.update(spec)
        self.kube.create({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
                          "metadata": {"name": name, "namespace": self.ns}, "spec": body})
        return dest_ns

    def get_app(self, name):
        return self.kube.get(*APP, self.ns, name)

    def patch_app(self, name, patch):
        return self.kube.merge(*APP, self.ns, name, patch)

    def refresh(self, name, kind="normal"):
        self.patch_app(name, {"metadata": {"annotations": {"argocd.argoproj.io/refresh": kind}}})

    def sync(self, name, **sync):
        """Requests an operation the way a client does."""
        return self.patch_app(name, {"operation": {"initiatedBy": {"username": "test"}, "sync": sync},
                                     "status": {"operationState": None}})

    def refreshes(self, name):
        """The lines of the log that tell of refreshes of the application."""
        return [line for line in self.controller.log().splitlines() if "Refreshing app status" in line and " application=%s " % name in line + " "]

    # ---- waiting ----

    def wait(self, what, condition, timeout=30):
        """A real cluster takes its time: pods end, nodes report."""
        return wait_for(what, condition, timeout * self.patience, alive=[p for p in self.processes if p.starts and p.name.startswith("cargocd-")
                                                         and p not in self.may_be_down])

    may_be_down = ()

    def wait_app(self, name, condition, timeout=30, what=""):
        seen = {}

        def look():
            seen["app"] = self.get_app(name)
            return seen["app"] if condition(seen["app"]) else None
        try:
            return self.wait("application %s %s" % (name, what), look, timeout)
        except AssertionError as e:
            status = (seen.get("app") or {}).get("status")
            raise AssertionError("%s\nstatus: %s\ncontroller log:\n%s" % (e, yaml.safe_dump(status), self.controller.log()[-4000:])) from e

    def wait_status(self, name, sync=None, health=None, timeout=30):
        def good(app):
            status = app.get("status", {})
            return (sync is None or status.get("sync", {}).get("status") == sync) and \
                   (health is None or status.get("health", {}).get("status") == health)
        return self.wait_app(name, good, timeout, "to be %s %s" % (sync, health))

    def wait_operation(self, name, phase="Succeeded", timeout=60):
        def done(app):
            state = app.get("status", {}).get("operationState", {})
            if state.get("phase") in ("Succeeded", "Failed", "Error") and not app.get("operation"):
                assert state["phase"] == phase, state
                return True
            return False
        return self.wait_app(name, done, timeout, "to have its operation " + phase)

    def finish_job(self, ns, name, succeeded=True):
        """Ends a Job where there is no kubelet to run it."""
        condition = {"type": "Complete" if succeeded else "Failed", "status": "True",
                     "lastTransitionTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        status = {"conditions": [condition], "succeeded" if succeeded else "failed": 1}
        self.kube.merge("batch/v1", "Job", ns, name, {"status": status}, "status")
