"""Kill -9 at random during syncs: every application converges, no hook runs twice."""
import os
import random
import threading
import time

from lib.case import Case, config_map

SECONDS = int(os.environ.get("CARGOCD_CRASH_SECONDS", "15"))
APPS = 6

HOOK = """apiVersion: batch/v1
kind: Job
metadata:
  generateName: migrate-
  annotations:
    argocd.argoproj.io/hook: %s
    commit: "%d"
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: main
        image: localhost/guestbook:1
        command: ["true"]
"""


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
        return {"cm.yaml": config_map("data", {"commit": str(n)}), "pre.yaml": HOOK % ("PreSync", n), "post.yaml": HOOK % ("PostSync", n)}

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
