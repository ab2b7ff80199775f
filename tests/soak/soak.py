#!/usr/bin/env python3
"""make soak: an hour in the life of a control plane, in less.

Random commits, drifts, deletions, refreshes, kills -9 of any daemon, stopped processes and faults of the cluster, on 200
applications, for SOAK_SECONDS (default 1800). SOAK_SEED repeats a run. It ends by itself, prints figures, and fails unless
- at the end every application is Synced and Healthy at the last commit, and the cluster holds what Git says;
- no hook ran twice in one operation;
- no two replicas of the controller interleaved their writes to an application;
- the memory of the daemons is flat over the last part, in which these are not killed;
- no daemon ended by itself or complained about its memory."""
import collections
import http.client
import json
import os
import random
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
os.environ.setdefault("CARGOCD_LOGLEVEL", "info")
from lib.case import config_map, hook_job  # noqa: E402
from lib.env import APP, Environment  # noqa: E402
from lib.kube import ApiError  # noqa: E402
from test_replicas import tenures  # noqa: E402

SECONDS = int(os.environ.get("SOAK_SECONDS") or 1800)
SEED = int(os.environ.get("SOAK_SEED") or random.SystemRandom().getrandbits(32))
SANITIZED = "san-" in os.environ.get("CARGOCD_BIN", "")
REPOS, PER_REPO, REPLICAS = 20, 10, 2
CALM = 0.6  # the part at the end in which the daemons whose memory is measured are not killed
CONVERGE_SECONDS = 300 if SANITIZED else 90
FLAT_KIB_PER_HOUR = 6 * 1024
# Pages come and go with the work of the other replica, which is killed every few seconds: taking it over takes 4 to 6 MiB for
# a moment. What is allocated tells a leak; pages may have moved by such a moment.
MOMENT_KIB = 4 * 1024

FAULTS = [
    [{"verb": "patch", "resource": "applications.argoproj.io", "status": 409, "probability": 0.3}],
    [{"verb": "patch", "status": 503, "retryAfter": 1, "probability": 0.3}],
    [{"verb": "create", "status": 500, "probability": 0.3}],
    [{"verb": "watch", "resource": "*", "dropAfterMs": 300}],
    [{"verb": "list", "status": 410, "probability": 0.5}],
    [{"userAgent": "cargocd*", "latencyMs": 300, "jitterMs": 200}],
    [{"userAgent": "cargocd*", "drop": True, "probability": 0.2}],
    [{"path": "/apis/coordination.k8s.io/*", "status": 503}],
    [{"userAgent": "cargocd*", "status": 503}],
]


class Soak:
    def __init__(self):
        self.rng = random.Random(SEED)
        self.env = Environment(options={"replicas": REPLICAS, "repo_server": ["--revision-cache-expiration", "10s"], "controller": [
            "--app-resync", "30", "--app-resync-jitter", "10", "--sync-wave-delay", "0", "--split-cluster-above", "50",
            "--self-heal-backoff-timeout-seconds", "1", "--self-heal-backoff-cap-seconds", "5"]})
        self.done = collections.Counter()
        self.jobs = {}  # uid -> (namespace, application, operation)
        self.over = threading.Event()
        self.problems = []
        self.memory = collections.defaultdict(list)  # name -> [(time, KiB, how often started)]
        self.heap = collections.defaultdict(list)
        self.daemons = []
        self.missing = set()  # (repository, index) of applications that were deleted and could not be created again
        self.content = {}  # application -> value

    # ---- setting up ----

    def files(self, r, i):
        name = "soak-%02d-%02d" % (r, i)
        files = {"%02d/one.yaml" % i: config_map(name + "-one", {"value": self.content[name]}),
                 "%02d/two.yaml" % i: config_map(name + "-two", {"value": self.content[name]})}
        if i % 5 == 0:
            files["%02d/hook.yaml" % i] = hook_job(
                "generateName: migrate-%s-" % name, "PreSync" if i % 2 else "PostSync", "BeforeHookCreation", **{"soak/app": name})
        return files

    def create_app(self, r, i):
        self.env.app("soak-%02d-%02d" % (r, i), self.env.git.url(self.repos[r]), path="%02d" % i, dest_ns=self.spaces[r],
                     syncPolicy={"automated": {"selfHeal": True, "prune": True}, "retry": {"limit": -1, "backoff": {"duration": "1s", "maxDuration": "5s"}}})

    def start(self):
        env = self.env
        env.start()
        env.start_api_server(("--insecure", "--disable-auth"))
        self.daemons = [*env.controllers, env.repo_server, env.server, env.redis]
        env.may_be_down = tuple(self.daemons)
        self.repos, self.spaces = [env.repo() for _ in range(REPOS)], [env.create_namespace() for _ in range(REPOS)]
        for r, repo in enumerate(self.repos):
            files = {}
            for i in range(PER_REPO):
                self.content["soak-%02d-%02d" % (r, i)] = "0"
                files.update(self.files(r, i))
            repo.commit(files)
            for i in range(PER_REPO):
                self.create_app(r, i)
        for target in (self.watch_jobs, self.sample):
            threading.Thread(target=target, daemon=True).start()

    # ---- looking on ----

    def watch_jobs(self):
        """Every Job that there ever was."""
        url = self.env.kube.url
        while not self.over.is_set():
            try:
                items = self.env.kube.call("GET", "/apis/batch/v1/jobs")
                for job in items["items"]:
                    self.note(job)
                c = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
                c.request("GET", "/apis/batch/v1/jobs?watch=1&resourceVersion=" + items["metadata"]["resourceVersion"],
                          headers=self.env.kube.headers)
                answer = c.getresponse()
                while not self.over.is_set():
                    line = answer.readline()
                    if not line:
                        break
                    event = json.loads(line)
                    if event["type"] in ("ADDED", "MODIFIED"):
                        self.note(event["object"])
            except (OSError, ApiError, ValueError, http.client.HTTPException):
                time.sleep(0.05)

    def note(self, job):
        m = job["metadata"]
        annotations = m.get("annotations", {})
        operation = annotations.get("cargocd.io/operation-id")
        if operation and "soak/app" in annotations:
            self.jobs[m["uid"]] = (m["namespace"], annotations["soak/app"], operation)

    def sample(self):
        while not self.over.wait(5):
            for p in (*self.env.controllers, self.env.repo_server, self.env.server):
                try:
                    if p.running():
                        self.memory[p.name].append((time.monotonic(), p.memory_kib(), p.starts))
                        self.heap[p.name].append((time.monotonic(), self.heap_kib(p), p.starts))
                except (OSError, ValueError, IndexError, http.client.HTTPException):
                    pass

    def heap_kib(self, p):
        """What is allocated, without what the allocator keeps for later."""
        port = int(p.argv[p.argv.index("--metrics-port") + 1])
        if p is self.env.server:  # any, and another one after each start
            with open(self.env.ports, encoding="ascii") as f:
                port = int(f.read().split()[1])
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            c.request("GET", "/metrics")
            for line in c.getresponse().read().decode().split("\n"):
                if line.startswith("go_memstats_heap_alloc_bytes "):
                    return float(line.split()[1]) / 1024
        finally:
            c.close()
        return 0

    # ---- what happens ----

    def any_app(self):
        r, i = self.rng.randrange(REPOS), self.rng.randrange(PER_REPO)
        return r, i, "soak-%02d-%02d" % (r, i)

    def commit(self):
        r = self.rng.randrange(REPOS)
        files = {}
        for i in self.rng.sample(range(PER_REPO), self.rng.randint(1, 4)):
            self.content["soak-%02d-%02d" % (r, i)] = "%x" % self.rng.getrandbits(40)
            files.update(self.files(r, i))
        self.repos[r].commit(files)
        if self.rng.random() < 0.7:
            self.refresh()

    def drift(self):
        r, _, name = self.any_app()
        self.env.kube.merge("v1", "ConfigMap", self.spaces[r], name + "-one", {"data": {"value": "drifted"}})

    def delete_object(self):
        r, _, name = self.any_app()
        self.env.kube.delete("v1", "ConfigMap", self.spaces[r], name + "-two")

    def delete_app(self):
        r, i, name = self.any_app()
        self.env.kube.delete(*APP, self.env.ns, name)
        self.missing.add((r, i))
        self.create_app(r, i)
        self.missing.remove((r, i))

    def refresh(self):
        self.env.refresh(self.any_app()[2], self.rng.choice(["normal", "normal", "hard"]))

    def sync(self):
        name = self.any_app()[2]
        app = self.env.get_app(name)
        if app and not app.get("operation"):
            self.env.sync(name)

    def ask(self):
        name = self.any_app()[2]
        self.env.api.get("/api/v1/applications/%s/resource-tree" % name)

    def kill(self):
        victims = [p for p in self.daemons if not self.calm or p is self.env.controllers[1] or p is self.env.redis]
        p = self.rng.choice(victims)
        p.kill()
        if p is self.env.redis and os.path.exists(self.env.redis_socket):
            os.remove(self.env.redis_socket)
        time.sleep(self.rng.choice([0, 0, 0.5, 3]))
        self.start_again(p)

    def start_again(self, p):
        if p is self.env.server:
            p.argv[p.argv.index("--port") + 1] = str(self.env.port)  # as a Service would have it
        p.start()

    def stop_and_go(self):
        p = self.rng.choice(self.env.controllers[1:] if self.calm else [*self.env.controllers, self.env.repo_server])
        p.signal(signal.SIGSTOP)
        threading.Timer(self.rng.choice([0.5, 3, 12]), p.signal, (signal.SIGCONT,)).start()

    def faults(self):
        rules = self.rng.choice(FAULTS)
        self.env.kube.faults(rules)
        threading.Timer(self.rng.choice([1, 3, 8]), self.no_faults).start()

    def no_faults(self):
        try:
            self.env.kube.faults([])
        except (OSError, ApiError):
            pass

    def cut_watches(self):
        self.env.kube.call("POST", "/kubesim/drop-watches", {})
        if self.rng.random() < 0.3:
            self.env.kube.call("POST", "/kubesim/compact", {"keep": 10})

    ACTIONS = [("commit", 10), ("drift", 10), ("delete_object", 6), ("delete_app", 1), ("refresh", 6), ("sync", 3), ("ask", 6),
               ("kill", 2), ("stop_and_go", 1), ("faults", 1), ("cut_watches", 1)]

    def run(self):
        began = time.monotonic()
        self.calm_at = began + SECONDS * (1 - CALM)
        names, weights = zip(*self.ACTIONS)
        told = began
        while time.monotonic() < began + SECONDS:
            self.calm = time.monotonic() > self.calm_at
            what = self.rng.choices(names, weights)[0]
            try:
                getattr(self, what)()
                self.done[what] += 1
            except (OSError, ApiError, http.client.HTTPException, KeyError, TypeError) as e:
                self.done[what + " (failed)"] += 1
                if isinstance(e, (KeyError, TypeError)) and what != "sync":
                    raise
            if time.monotonic() > told + 60:
                told = time.monotonic()
                print("  %4d s: %s" % (told - began, dict(self.done)), flush=True)
            self.check_alive()
            time.sleep(self.rng.uniform(0, 0.2))

    def check_alive(self):
        for p in self.daemons:
            if not p.running():
                raise AssertionError("%s ended with %s by itself:\n%s" % (p.name, p.child.returncode, p.log()[-3000:]))

    # ---- the end ----

    def app_problem(self, name, revision, app):
        status = app.get("status", {})
        sync, health = status.get("sync", {}), status.get("health", {}).get("status")
        if app.get("operation"):
            return "%s is being synchronised: %s" % (name, status.get("operationState", {}).get("message"))
        if (sync.get("status"), health) != ("Synced", "Healthy") or sync.get("revision") != revision:
            return "%s is %s, %s at %s, not at %s: %s" % (name, sync.get("status"), health, sync.get("revision"), revision,
                                                          status.get("conditions"))
        return None

    def unfinished(self):
        out = []
        apps = {a["metadata"]["name"]: a for a in self.env.kube.list(*APP, self.env.ns)}
        for r in range(REPOS):
            maps = {o["metadata"]["name"]: o["data"]["value"] for o in self.env.kube.list("v1", "ConfigMap", self.spaces[r])
                    if o["metadata"]["name"].startswith("soak")}
            for i in range(PER_REPO):
                name = "soak-%02d-%02d" % (r, i)
                problem = self.app_problem(name, self.final[r], apps.get(name, {}))
                have = {maps.get(name + "-one"), maps.get(name + "-two")}
                if not problem and have != {self.content[name]}:
                    problem = "%s: the cluster has %s, Git %s" % (name, have, self.content[name])
                out += [problem] if problem else []
        return out

    def converge(self):
        time.sleep(13)  # stopped processes go on, faults end
        self.no_faults()
        for p in self.daemons:
            p.signal(signal.SIGCONT)
            if not p.running():
                self.start_again(p)
        for r, i in self.missing:
            try:
                self.create_app(r, i)
            except ApiError as e:
                if e.status != 409:
                    raise
        self.final = []
        for r, repo in enumerate(self.repos):
            files = {}
            for i in range(PER_REPO):
                self.content["soak-%02d-%02d" % (r, i)] = "final-%d-%d" % (r, i)
                files.update(self.files(r, i))
            self.final.append(repo.commit(files))
        began = time.monotonic()
        while True:
            left = self.unfinished()
            if not left or time.monotonic() > began + CONVERGE_SECONDS:
                break
            time.sleep(1)
        print("  converged in %.1f s" % (time.monotonic() - began) if not left else "  %d applications have not converged" % len(left))
        self.problems += left[:10]

    def check_hooks(self):
        runs = collections.Counter(self.jobs.values())
        print("  %d hooks ran, in %d operations" % (len(self.jobs), len({v[2] for v in self.jobs.values()})))
        self.problems += ["hook of %s ran %d times in operation %s" % (k[1], n, k[2]) for k, n in runs.items() if n > 1]

    def check_writers(self):
        plan = self.env.kube.get("coordination.k8s.io/v1", "Lease", self.env.ns, "cargocd-application-controller-plan")
        plans = json.loads(plan["metadata"]["annotations"]["cargocd.io/plan"])["generation"]
        runs = {app: len(r) for app, r in tenures(self.env).items()}
        print("  %d plans of the work; an application changed hands %d times at most" % (plans, max(runs.values()) - 1))
        self.problems += ["%s changed hands %d times with %d plans" % (a, n - 1, plans) for a, n in runs.items() if n > plans + 1]

    def growth(self, samples):
        """Mean, growth (of the line through them) and span of the samples of the calm part's second half. In the first one it
        settles: journals of decisions and histories of syncs fill up, which are bounded for each application."""
        late = [(t, m) for t, m, starts in samples if self.calm_at + SECONDS * CALM > t > self.calm_at + SECONDS * CALM / 2 and starts == samples[-1][2]]
        if len(late) < 6:
            return None
        n = len(late)
        mean_t, mean_m = sum(t for t, _ in late) / n, sum(m for _, m in late) / n
        slope = sum((t - mean_t) * (m - mean_m) for t, m in late) / (sum((t - mean_t) ** 2 for t, _ in late) or 1)
        span = late[-1][0] - late[0][0]
        return mean_m, slope * span, span

    def check_memory(self):
        for name, samples in sorted(self.memory.items()):
            found, heap = self.growth(samples), self.growth(self.heap[name])
            if not found or not heap:
                continue
            mean, grown, span = found
            print("  memory of %-26s %6.1f MiB, %+.2f MiB in the last %d s; allocated %.1f MiB, %+.2f MiB" %
                  (name, mean / 1024, grown / 1024, span, heap[0] / 1024, heap[1] / 1024))
            limit = 1536 + FLAT_KIB_PER_HOUR * span / 3600
            if SANITIZED or name == self.env.controllers[1].name:
                continue
            if heap[1] > limit or grown > limit + MOMENT_KIB:
                self.problems.append("memory of %s grows: %.0f KiB, %.0f KiB of it allocated, in %d s" % (name, grown, heap[1], span))

    def check_logs(self):
        for p in self.env.processes:
            for bad in ("AddressSanitizer", "runtime error:", "ThreadSanitizer", "LeakSanitizer"):
                at = p.log().find(bad)
                if at >= 0:
                    self.problems.append("%s: %s" % (p.name, p.log()[max(0, at - 200):at + 3000]))

    def close(self):
        self.over.set()
        for name, code in self.env.close().items():
            if code:
                self.problems.append("%s ended with %d" % (name, code))


def main():
    print("soak: %d s, seed %d (SOAK_SEED=%d repeats the choices), %d applications" % (SECONDS, SEED, SEED, REPOS * PER_REPO), flush=True)
    soak = Soak()
    try:
        soak.start()
        soak.run()
        soak.converge()
        soak.check_hooks()
        soak.check_writers()
        soak.check_memory()
        print("  %s" % dict(soak.done))
    except AssertionError as e:
        soak.problems.append(str(e))
    finally:
        soak.check_logs()
        soak.close()
    for p in soak.problems:
        print("  PROBLEM %s" % p)
    print("soak: %s" % ("passed" if not soak.problems else "failed"))
    return 1 if soak.problems else 0


if __name__ == "__main__":
    sys.exit(main())
