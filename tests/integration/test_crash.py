"""Kill -9 at random during syncs, and at each write of a sync and of a deletion: every application converges, no hook runs twice.
Clocks and clusters that are set back."""
import json
import os
import random
import signal
import struct
import subprocess
import threading
import time

from lib.case import FIXTURES, Case, config_map, hook_job, kubesim_only
from lib.env import APP, Environment

SECONDS = int(os.environ.get("CARGOCD_CRASH_SECONDS", "15"))
APPS = 6


class Crash(Case):
    options = {"controller": ["--sync-wave-delay", "0", "--app-resync", "5", "--app-resync-jitter", "1"]}

    def killer(self, stop):
        rng = random.Random(int(os.environ.get("CARGOCD_SEED", "1")))
        while not stop.is_set():
            time.sleep(rng.uniform(0.2, 1.5))
            p = rng.choice([self.env.controller, self.env.controller, self.env.repo_server] + ([self.env.redis] if rng.random() < 0.2 else []))
            p.kill()
            if p is self.env.redis and os.path.exists(self.env.redis_socket):
                os.remove(self.env.redis_socket)
            p.start()

    def finish_jobs(self, spaces, stop):
        """What a kubelet would do, where there is none."""
        while not stop.is_set():
            for ns in spaces:
                for job in self.env.kube.list("batch/v1", "Job", ns):
                    if not job.get("status", {}).get("conditions"):
                        self.env.finish_job(ns, job["metadata"]["name"])
            time.sleep(0.1)

    def test_kill_at_random(self):
        repos = [self.env.repo() for _ in range(APPS)]
        spaces, stop = [], threading.Event()
        for i, repo in enumerate(repos):
            repo.commit(self.files(0))
            spaces.append(self.env.app("crash%d" % i, self.env.git.url(repo), syncPolicy={"automated": {"prune": True}}))
        self.env.may_be_down = (self.env.controller, self.env.repo_server)
        threads = [threading.Thread(target=self.killer, args=(stop,))]
        if self.env.real:
            threads.append(threading.Thread(target=self.finish_jobs, args=(spaces, stop)))
        for t in threads:
            t.start()
        end, n = time.monotonic() + SECONDS, 0
        while time.monotonic() < end:
            n += 1
            for repo in repos:
                repo.commit(self.files(n))
            time.sleep(random.uniform(0.5, 2))
        n += 1
        shas = [repo.commit(self.files(n)) for repo in repos]
        time.sleep(3)
        kills = self.env.controller.starts + self.env.repo_server.starts - 2
        if not self.env.real:
            stop.set()
        else:
            threading.Timer(60, stop.set).start()
        threads[0].join()
        for p in (self.env.redis, self.env.repo_server, self.env.controller):
            if not p.running():
                p.start()
        try:
            for i, sha in enumerate(shas):
                self.env.refresh("crash%d" % i)
                self.env.wait_app("crash%d" % i, lambda a: a["status"]["sync"].get("revision") == sha and
                                  a["status"]["sync"]["status"] == "Synced" and not a.get("operation") and
                                  a["status"]["operationState"]["phase"] == "Succeeded", 60)
        finally:
            stop.set()
        for i, ns in enumerate(spaces):
            self.assert_hooks(i, ns, n)
        print("  %d kills, %d commits in %d applications" % (kills, n + 1, APPS))

    def files(self, n):
        return {"cm.yaml": config_map("data", {"commit": str(n)}), "pre.yaml": hook_job("generateName: migrate-", "PreSync", commit=n), "post.yaml": hook_job("generateName: migrate-", "PostSync", commit=n)}

    def assert_hooks(self, i, ns, last):
        """Each operation made each of its hooks once; operations are told apart by the mark on the hook."""
        seen = {}
        for job in self.env.kube.list("batch/v1", "Job", ns):
            notes = job["metadata"]["annotations"]
            key = notes["cargocd.io/operation-id"]
            seen.setdefault(key, []).append(job["metadata"]["name"])
        for key, jobs in seen.items():
            self.assertEqual(len(jobs), 1, "application %d: hook %s ran as %s" % (i, key, jobs))
        data = self.env.kube.get("v1", "ConfigMap", ns, "data")["data"]
        self.assertEqual(data["commit"], str(last))


WAVE = {"argocd.argoproj.io/sync-wave": "1"}
HANGS = "hang"  # killed before the write that it was about to do
MUTES = "mute"  # killed behind the write, and without having heard of it
ENOUGH = 60     # writes of a scenario, at most
STRIDE = int(os.environ.get("CARGOCD_CRASH_STRIDE", "3"))  # 1: really at every write, in two and a half minutes


@kubesim_only("the faults are kubesim's")
class EveryWrite(Case):
    """The controller is killed at its first write of a scenario, at its second, and so on until there is none left to kill it
    at; each both before and behind the write. Whatever it was, what comes out is the same."""
    options = {"controller": ["--sync-wave-delay", "0", "--app-resync", "5", "--app-resync-jitter", "1"]}
    faults, strikes, at_least = ({HANGS: True}, {MUTES: True}), {}, 36
    kills = True

    def no_faults(self):
        self.env.kube.faults([])

    def arm(self, nth, what):
        """The write after `nth` others of the controller. Rules that do nothing let the rest pass."""
        passing = [{"verb": v} for v in ("get", "list", "watch")] + [{"resource": r} for r in ("leases.*", "events*", "selfsubject*")]
        agent = {"userAgent": "cargocd/*", **self.strikes}
        self.env.kube.faults(passing + [dict(agent, times=nth), dict(agent, times=1, **what)])

    def fired(self):
        return self.env.kube.fired()[-1]

    def kill_at(self, nth, what, begin, over):
        """Begins the scenario and waits until the fault strikes, or it is over. False: there is no such write."""
        self.arm(nth, what)
        self.env.may_be_down = (self.env.controller,) if self.kills else ()
        begin()
        try:
            self.env.wait("write %d, or the end" % nth, lambda: self.fired() or over())
        except AssertionError as e:
            raise AssertionError("%s\n%s" % (e, self.env.controller.log()[-6000:])) from e
        struck = bool(self.fired())
        if struck and self.kills:
            self.env.controller.kill()
        self.no_faults()
        if struck and self.kills:
            self.env.controller.start()
        self.env.may_be_down = ()
        return struck

    def at_every_write(self, scenario):
        """scenario(name) prepares one and returns (begin, over, check)."""
        struck = 0
        for first, what in enumerate(self.faults):
            for nth in range(first, ENOUGH, STRIDE):
                name = "%s-%s-%d" % (self._testMethodName.replace("_", "-"), "-".join("%s-%s" % item for item in what.items()).lower(), nth)
                begin, over, check = scenario(name)
                found = self.kill_at(nth, what, begin, over)
                try:
                    self.env.wait("the end", over, 30)
                    check()
                except AssertionError as e:
                    raise AssertionError("%s, struck: %s\n%s\n%s" % (name, found, e, self.env.controller.log()[-3000:])) from e
                struck += found
                if not found:
                    break
            self.assertLess(nth, ENOUGH - STRIDE)
        self.assertGreater(struck, self.at_least // STRIDE)
        print("  struck at %d writes" % struck)

    def created(self, ns, prefix):
        writes = self.env.kube.call("GET", "/kubesim/writes?verb=create&resource=jobs.batch&namespace=" + ns)["items"]
        return len({w["name"] for w in writes if w["name"].startswith(prefix) and w["code"] == 201 and not w["dryRun"]})

    def names(self, ns):
        return sorted(o["metadata"]["name"] for o in self.env.kube.list("v1", "ConfigMap", ns) if o["metadata"]["name"] != "kube-root-ca.crt")

    def test_a_sync(self):
        """Automation asks for it; a hook, two waves, something to prune, a hook that goes when it succeeded."""
        repo = self.env.repo()
        sha = repo.commit({"pre.yaml": hook_job("generateName: pre-", "PreSync", "BeforeHookCreation"), "a.yaml": config_map("a"),
                           "b.yaml": config_map("b", annotations=WAVE), "post.yaml": hook_job("generateName: post-", "PostSync", "HookSucceeded")})

        def scenario(name):
            ns = self.env.create_namespace()
            self.env.kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "old", "namespace": ns, "annotations": {
                "argocd.argoproj.io/tracking-id": "%s:/ConfigMap:%s/old" % (name, ns)}}, "data": {}})

            def over():
                app = self.env.get_app(name)
                state, status = app.get("status", {}).get("operationState", {}), app.get("status", {})
                return app if state.get("phase") == "Succeeded" and not app.get("operation") and status["sync"]["status"] == "Synced" and \
                    status["health"].get("status") == "Healthy" else None

            def check():
                app = over()
                self.assertEqual(self.names(ns), ["a", "b"])
                self.assertEqual([self.created(ns, p) for p in ("pre-", "post-")], [1, 1])
                self.env.wait("the succeeded hook to go", lambda: not [
                    j for j in self.env.kube.list("batch/v1", "Job", ns) if j["metadata"]["name"].startswith("post-")])
                self.assertEqual([h["revision"] for h in app["status"]["history"]], [sha])
                results = {(r["kind"], r["name"].split("-")[0]): r for r in app["status"]["operationState"]["syncResult"]["resources"]}
                self.assertEqual({k: r.get("hookPhase") for k, r in results.items() if k[0] == "Job"},
                                 {("Job", "pre"): "Succeeded", ("Job", "post"): "Succeeded"})
                # Of what is gone nothing tells any more that it was our doing.
                self.assertEqual({k[1]: r["status"] for k, r in results.items() if k[0] == "ConfigMap"} | {"old": "Pruned"},
                                 {"a": "Synced", "b": "Synced", "old": "Pruned"})
                self.assertNotIn("cargocd.io/operation-id", app["metadata"].get("annotations", {}))
                self.env.kube.delete("argoproj.io/v1alpha1", "Application", self.env.ns, name)
            return (lambda: self.env.app(name, self.env.git.url(repo), dest_ns=ns,
                                         syncPolicy={"automated": {"prune": True}})), over, check
        self.at_every_write(scenario)

    def test_a_deletion(self):
        """Hooks before and behind it, two objects, the finalizers in their order."""
        repo = self.env.repo()
        repo.commit({"pre.yaml": hook_job("generateName: pre-", "PreDelete", "BeforeHookCreation"), "a.yaml": config_map("a"),
                     "b.yaml": config_map("b", annotations=WAVE), "post.yaml": hook_job("generateName: post-", "PostDelete", "HookSucceeded")})

        def scenario(name):
            ns = self.env.app(name, self.env.git.url(repo), syncPolicy={"automated": {}})
            self.env.patch_app(name, {"metadata": {"finalizers": ["resources-finalizer.argocd.argoproj.io"]}})
            self.env.wait_app(name, lambda a: a.get("status", {}).get("sync", {}).get("status") == "Synced" and not a.get("operation") and
                              len(a["metadata"]["finalizers"]) == 5)
            self.env.refresh(name)  # and nothing is left to be written of its life
            self.env.wait_app(name, lambda a: "argocd.argoproj.io/refresh" not in a["metadata"].get("annotations", {}))

            def check():
                self.assertEqual(self.names(ns), [])
                self.assertEqual([self.created(ns, p) for p in ("pre-", "post-")], [1, 1])
                self.env.wait("the hooks to be collected", lambda: not self.env.kube.list("batch/v1", "Job", ns))
                if self.kills:
                    self.assertNotIn("Unable to delete application resources", self.env.controller.log())
            return (lambda: self.env.kube.delete("argoproj.io/v1alpha1", "Application", self.env.ns, name)), \
                (lambda: self.env.get_app(name) is None), check
        self.at_every_write(scenario)


@kubesim_only("the faults are kubesim's")
class EveryRefusal(EveryWrite):
    """The API server refuses one write of the Application: the first one, the second one, and so on. Nothing else happens that
    would make the controller look again."""
    options = {"controller": ["--sync-wave-delay", "0", "--app-resync", "3600"]}
    faults, strikes, at_least = ({"status": 409}, {"status": 500}, {"status": 403}), {"resource": "applications.argoproj.io"}, 12
    kills = False


@kubesim_only("a real cluster is not thrown away")
class SetBack(Case):
    """What is behind the daemons, or within them, is not as late as it was."""
    options = {"replicas": 2, "controller": ["--app-resync", "5", "--app-resync-jitter", "1", "--sync-wave-delay", "0",
                                             "--self-heal-backoff-timeout-seconds", "2", "--self-heal-backoff-cap-seconds", "4"]}

    @classmethod
    def setUpClass(cls):
        cls.env = Environment(cls.redis, cls.options)
        cls.shift = os.path.join(cls.env.dir, "shift")
        library = os.path.join(cls.env.dir, "shift_clock.so")
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-o", library,
                        os.path.join(FIXTURES, "shift_clock.c")], check=True)
        cls.set_clock(0)
        for p in cls.env.controllers:
            p.env.update({"LD_PRELOAD": library, "SHIFT_CLOCK_FILE": cls.shift, "ASAN_OPTIONS": "verify_asan_link_order=0"})
        cls.env.start()

    @classmethod
    def set_clock(cls, seconds):
        """In place: it is mapped."""
        with open(cls.shift, "r+b" if os.path.exists(cls.shift) else "wb") as f:
            f.write(struct.pack("=q", seconds))

    def plan(self):
        lease = self.env.kube.get("coordination.k8s.io/v1", "Lease", self.env.ns, "cargocd-application-controller-plan")
        return json.loads(lease["metadata"]["annotations"]["cargocd.io/plan"]) if lease else {"members": []}

    def heals(self, name, ns):
        self.env.kube.merge("v1", "ConfigMap", ns, name, {"data": {"key": "drifted"}})
        self.env.wait("%s to be healed" % name, lambda: self.env.kube.get("v1", "ConfigMap", ns, name)["data"]["key"] == "value", 20)

    def fail_creations(self, ns):
        rules = [{"verb": "create", "resource": "configmaps", "namespace": ns, "status": 500}] if ns else []
        self.env.kube.faults(rules)

    def test_a_clock_that_is_set(self):
        """Leases go by another clock; a pause that began in what is the future now does not last until then."""
        self.env.wait("two members", lambda: len(self.plan()["members"]) == 2)
        repo = self.env.repo()
        repo.commit({"cm.yaml": config_map("clock")})
        healed = self.env.app("healed", self.env.git.url(repo), syncPolicy={"automated": {"selfHeal": True}})
        self.env.wait_status("healed", "Synced", "Healthy")
        self.heals("clock", healed)
        retried = self.env.create_namespace()
        self.fail_creations(retried)
        self.env.app("retried", self.env.git.url(repo), dest_ns=retried, syncPolicy={
            "automated": {}, "retry": {"limit": -1, "backoff": {"duration": "1s", "maxDuration": "3s"}}})
        self.env.wait_app("retried", lambda a: a.get("status", {}).get("operationState", {}).get("retryCount", 0) >= 1)
        plan = self.plan()
        self.set_clock(-7200)
        self.fail_creations(None)
        self.heals("clock", healed)
        self.env.wait_status("retried", "Synced", "Healthy", timeout=20)
        self.set_clock(86400)
        self.heals("clock", healed)
        time.sleep(10)  # longer than a Lease
        self.set_clock(0)
        self.heals("clock", healed)
        self.assertEqual(self.plan()["generation"], plan["generation"], "nobody was taken for dead")

    def test_a_cluster_that_lost_its_newest_changes(self):
        """As after a restore: the API server is another life of itself, what is there is of earlier, and, as the restore has to
        take care of, versions go on above those that were given out, which are no longer known."""
        def as_stored(o):
            meta = {k: v for k, v in o["metadata"].items() if k in ("name", "namespace", "labels", "annotations", "finalizers")}
            return dict(o, metadata=meta)
        repo = self.env.repo()
        repo.commit({"cm.yaml": config_map("kept", {"key": "old"})})
        ns = self.env.app("restored", self.env.git.url(repo), syncPolicy={"automated": {"selfHeal": True}})
        self.env.wait_status("restored", "Synced", "Healthy")
        backup = [as_stored(self.env.kube.get(*APP, self.env.ns, "restored")), as_stored(self.env.kube.get("v1", "ConfigMap", ns, "kept"))]
        sha = repo.commit({"cm.yaml": config_map("kept", {"key": "new"}), "more.yaml": config_map("more")})
        self.env.kube.call("POST", "/kubesim/bulk", {"resource": "configmaps", "count": 2000, "size": 200, "namespace": ns})
        self.env.refresh("restored")
        at_head = lambda a: a.get("status", {}).get("sync", {}).get("revision") == sha and a["status"]["sync"]["status"] == "Synced" and \
            not a.get("operation")
        self.env.wait_app("restored", at_head)
        for p in self.env.controllers:
            p.signal(signal.SIGSTOP)
        sim = self.env.kubesim
        sim.kill()
        sim.argv[sim.argv.index("--port") + 1] = str(self.env.kube.url.port)
        sim.start()
        self.env.wait("kubesim", lambda: self.env.kube.list("v1", "Namespace", None) is not None)
        self.env.install()
        self.env.create_namespace(ns)
        for o in reversed(backup):
            self.env.kube.create(o)
        self.env.kube.call("POST", "/kubesim/bulk", {"resource": "configmaps", "count": 8000, "size": 200, "namespace": ns, "prefix": "later-"})
        self.env.kube.call("POST", "/kubesim/compact", {"keep": 10})
        for p in self.env.controllers:
            p.signal(signal.SIGCONT)
        self.env.wait_app("restored", at_head, 60)
        data = lambda name: (self.env.kube.get("v1", "ConfigMap", ns, name) or {}).get("data")
        self.env.wait("what Git says", lambda: data("kept") == {"key": "new"} and data("more"), 60)
        self.env.wait("two members again", lambda: len(self.plan()["members"]) == 2)
        self.heals("more", ns)
        self.assertEqual([p.starts for p in self.env.controllers], [1, 1], "nobody ended over it")
