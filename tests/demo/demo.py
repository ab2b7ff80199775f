#!/usr/bin/env python3
"""The whole suite on this machine: Redis, a Git repository served over http, a cluster in memory (or the one of
KUBECONFIG), the three daemons, and a guestbook that goes from its first commit to Synced and Healthy.

DEMO_ONCE=1 ends after the second commit has been synced; otherwise it runs until Ctrl-C, and Enter pushes another commit.
DEMO_PORT is the dashboard's port (else a free one). DEMO_IMAGE is the image of the guestbook's containers on a real cluster; it
needs the command sleep. Everything is removed at the end."""
import json
import os
import select
import signal
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))
os.environ.setdefault("CARGOCD_LOGLEVEL", "info")

from lib.env import APP, Environment  # noqa: E402
from lib.proc import wait_for  # noqa: E402

ONCE = os.environ.get("DEMO_ONCE", "") not in ("", "0")
IMAGE = os.environ.get("DEMO_IMAGE", "busybox:1.36")
PATIENCE = int(os.environ.get("DEMO_TIMEOUT", "120"))
NAME = "guestbook"
EVENTS = {"Accept": "text/event-stream"}
BEGAN = time.monotonic()
# Look at Git every three seconds instead of every two minutes, so that there is something to watch.
OFTEN = {"controller": ["--app-resync", "3", "--app-resync-jitter", "0"], "repo_server": ["--revision-cache-expiration", "2s"]}


class Stopped(Exception):
    pass


def say(text):
    print("%6.1f s  %s" % (time.monotonic() - BEGAN, text), flush=True)


def manifests(greeting, replicas):
    folder = os.path.join(HERE, "guestbook")
    files = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            text = f.read().replace("DEMO_IMAGE", IMAGE)
        files["guestbook/" + name] = text.replace("greeting: hello", "greeting: " + greeting).replace(
            "replicas: 2", "replicas: %d" % replicas)
    return files


def outline(app):
    """One line of what the application is doing."""
    status = app.get("status", {})
    operation = status.get("operationState", {})
    words = [status.get("sync", {}).get("status", "Unknown"), status.get("health", {}).get("status", "Unknown")]
    if operation.get("phase") == "Running" or app.get("operation"):
        words.insert(0, "Syncing")
        words.append(operation.get("message", ""))
    revision = status.get("sync", {}).get("revision", "")
    return "%-42s at %s" % (" ".join(w for w in words if w), revision[:7] or "-")


class Watcher(threading.Thread):
    """Prints each change of the application as the api-server streams it."""

    def __init__(self, api):
        super().__init__(daemon=True)
        self.api, self.last, self.ended = api, None, False

    def run(self):
        while not self.ended:
            try:
                for line in self.api.stream("/api/v1/stream/applications?name=" + NAME, EVENTS):
                    if line.startswith(b"data: "):
                        self.show(json.loads(line[6:]).get("result", {}).get("application", {}))
            except (OSError, ValueError):
                time.sleep(0.2)

    def show(self, app):
        text = outline(app)
        if text != self.last and app.get("status"):
            self.last = text
            say("  guestbook: " + text)


class Demo:
    def __init__(self):
        self.env = self.watcher = None
        self.commits = 0

    def start(self):
        real = bool(os.environ.get("KUBECONFIG"))
        say("starting Redis, a Git server and " + ("using the cluster of " + os.environ["KUBECONFIG"] if real else
                                                   "a cluster in memory (kubesim)"))
        self.env = env = Environment(options=OFTEN, namespace="argocd")
        say("starting cargocd-repo-server, cargocd-app-controller and cargocd-api-server, in namespace " + env.ns)
        env.start()
        port = os.environ.get("DEMO_PORT", "0")
        env.start_api_server(("--insecure", "--port", port))
        self.password = wait_for("the first password", self.first_password, alive=[env.server])
        wait_for("login", lambda: env.api.login("admin", self.password).status == 200, alive=[env.server])
        self.url = "http://127.0.0.1:%d" % env.port
        say("dashboard: %s   user: admin   password: %s" % (self.url, self.password))

    def first_password(self):
        if not self.env.kube.get("v1", "Secret", self.env.ns, "argocd-initial-admin-secret"):
            return None
        return self.env.secret("argocd-initial-admin-secret", "password")

    def call(self, method, path, body=None):
        answer = self.env.api(method, path, body)
        if answer.status != 200:
            raise AssertionError("%s %s: %d %s" % (method, path, answer.status, answer.text))
        return answer.json

    def push(self):
        self.commits += 1
        greeting, replicas = ("hello", 2) if self.commits == 1 else ("hello-%d" % self.commits, 3 - self.commits % 2)
        sha = self.repo.commit(manifests(greeting, replicas), "Greet with %s, %d replicas" % (greeting, replicas))
        say("pushed commit %s: greeting %s, %d replicas" % (sha[:7], greeting, replicas))
        return sha

    def create(self):
        self.repo = self.env.repo(NAME)
        sha = self.push()
        namespace = self.env.create_namespace()
        spec = {"project": "default", "destination": {"server": "https://kubernetes.default.svc", "namespace": namespace},
                "source": {"repoURL": self.env.git.url(self.repo), "path": "guestbook", "targetRevision": "HEAD"}}
        say("creating the application through the API")
        self.watcher = Watcher(self.env.api)
        self.call("POST", "/api/v1/applications", {"metadata": {"name": NAME, "namespace": self.env.ns}, "spec": spec})
        self.watcher.start()
        self.reach(sha, "OutOfSync", None)
        say("it is not in the cluster yet: asking for a sync (its Job runs first)")
        self.call("POST", "/api/v1/applications/%s/sync" % NAME, {"revision": "HEAD", "prune": True})
        self.reach(sha, "Synced", "Healthy")

    def reach(self, sha, sync, health):
        """Waits until the application is as wanted at that commit and nothing runs."""
        def there():
            app = self.call("GET", "/api/v1/applications/" + NAME)
            status = app.get("status", {})
            phase = status.get("operationState", {}).get("phase")
            if phase in ("Failed", "Error"):
                raise AssertionError("the sync failed: %s" % status["operationState"].get("message"))
            return status.get("sync", {}).get("status") == sync and status["sync"].get("revision") == sha and \
                (not health or (status.get("health", {}).get("status") == health and phase == "Succeeded"
                                and status["operationState"]["syncResult"]["revision"] == sha))
        daemons = [p for p in self.env.processes if p.starts and p.name.startswith("cargocd-")]
        wait_for("the guestbook to be %s %s" % (sync, health or ""), there, PATIENCE, 0.1, alive=daemons)

    def automate(self):
        say("switching automated sync on: from now on each commit is synced by itself")
        self.call("PATCH", "/api/v1/applications/" + NAME, {
            "name": NAME, "patchType": "merge",
            "patch": json.dumps({"spec": {"syncPolicy": {"automated": {"prune": True, "selfHeal": True}}}})})
        self.reach(self.push(), "Synced", "Healthy")

    def show_memory(self):
        daemons = [self.env.server, self.env.repo_server, self.env.controller]
        parts = ["%s %.1f MB" % (p.name.replace("cargocd-", ""), p.memory_kib() / 1024) for p in daemons]
        say("memory now: " + ", ".join(parts))

    def linger(self):
        say("Ctrl-C ends the demonstration" + ("; Enter pushes another commit" if sys.stdin.isatty() else ""))
        say("look at %s (admin, %s), or with kubectl:" % (self.url, self.password))
        say("  KUBECONFIG=%s kubectl get applications -n %s" % (self.env.kubeconfig, self.env.ns))
        while True:
            if sys.stdin.isatty() and select.select([sys.stdin], [], [], 1)[0]:
                if not sys.stdin.readline():
                    return
                self.push()
            elif not sys.stdin.isatty():
                time.sleep(1)
            for p in (self.env.server, self.env.repo_server, self.env.controller):
                if not p.running():
                    raise AssertionError("%s ended:\n%s" % (p.name, p.log()[-2000:]))

    def clean(self):
        if not self.env:
            return
        say("stopping")
        env = self.env
        if self.watcher:
            self.watcher.ended = True
        env.close()
        if env.real:
            for name in env.created_crds:
                env.kube.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, name)

    def run(self):
        self.start()
        self.create()
        self.automate()
        say("Synced and Healthy, and the pushed commit too")
        self.show_memory()
        if not ONCE:
            self.linger()


def on_signals(action):
    signal.signal(signal.SIGINT, action)
    signal.signal(signal.SIGTERM, action)


def stop(_number, _frame):
    on_signals(lambda *_: None)  # an impatient second one does not stop the cleaning
    raise Stopped


def main():
    on_signals(stop)
    demo, code = Demo(), 0
    try:
        demo.run()
    except Stopped:
        print()
    except (AssertionError, OSError, RuntimeError) as e:
        say("failed: %s" % e)
        code = 1
    on_signals(lambda *_: None)
    demo.clean()
    return code


if __name__ == "__main__":
    sys.exit(main())
