"""Replicas of the application controller: who works what, and that no two ever work one application.

Each request that writes is one line of a replica's log: msg=write, with the replica, the application, what and where.
The lines of all replicas, in the order of their times, must show tenures that do not overlap."""
import collections
import os
import re
import signal
import threading
import time
import unittest

from lib.case import Case, config_map
from lib.env import Environment
from lib.kube import ApiError
from lib.clusters import Base as Clusters
from lib.clusters import Sim

WRITE = re.compile(r'time="?(\S+?)"? .*msg="?write"? (.*)')
FIELD = re.compile(r'(\w+)="?([^" ]*)"?')
APPS = 24
LEASE = ("coordination.k8s.io/v1", "Lease")


def writes(env):
    """[(time, application, replica, path)] of all replicas."""
    out = []
    for p in env.controllers:
        for line in p.log().splitlines():
            if "msg=write" not in line:
                continue
            fields = dict(FIELD.findall(line))
            out.append((fields["time"], fields["application"], fields["replica"], fields["path"]))
    return sorted(out)


def tenures(env):
    """application -> [(replica, first, last)] in the order of time; a tenure is a run of writes of one replica."""
    out = collections.defaultdict(list)
    for at, app, replica, _ in writes(env):
        runs = out[app]
        if runs and runs[-1][0] == replica:
            runs[-1] = (replica, runs[-1][1], at)
        else:
            runs.append((replica, at, at))
    return out


class Base(Case):
    options = {"replicas": 3, "controller": ["--app-resync", "600", "--split-cluster-above", "10"]}

    def plan(self):
        lease = self.env.kube.get(*LEASE, self.env.ns, "cargocd-application-controller-plan")
        return lease["metadata"]["annotations"]["cargocd.io/plan"] if lease else ""

    def wait_members(self, n, timeout=15):
        self.env.wait("%d members" % n, lambda: self.plan().count('"controller-') >= n and len(self.acked()) >= n, timeout)

    def acked(self):
        """The members that follow the plan."""
        generation = re.search(r'"generation":(\d+)', self.plan() or "")
        leases = self.env.kube.list(*LEASE, self.env.ns)
        return {l["spec"]["holderIdentity"].rsplit("_", 1)[0] for l in leases
                if generation and l["metadata"].get("annotations", {}).get("cargocd.io/acked") == generation.group(1)}

    def make(self, n=APPS):
        self.repo = self.env.repo()
        self.repo.commit({"app-%02d/cm.yaml" % i: config_map("cm-%02d" % i, {"step": "0"}) for i in range(n)})
        self.ns = self.env.create_namespace()
        for i in range(n):
            self.env.app("app-%02d" % i, self.env.git.url(self.repo), path="app-%02d" % i, dest_ns=self.ns,
                         syncPolicy={"automated": {"selfHeal": True, "prune": True}})

    def step(self, n, which):
        """Every application gets a change of its own."""
        self.repo.commit({"app-%02d/cm.yaml" % i: config_map("cm-%02d" % i, {"step": str(which)}) for i in range(n)})
        for i in range(n):
            self.env.refresh("app-%02d" % i)

    def value(self, i):
        o = self.env.kube.get("v1", "ConfigMap", self.ns, "cm-%02d" % i)
        return o and o["data"].get("step")

    def converge(self, n, which, timeout=30):
        self.env.wait("step %s everywhere" % which,
                      lambda: all(self.value(i) == str(which) for i in range(n)), timeout)

    def check_tenures(self):
        """Nobody comes back to an application within the time in which another had it, but by a plan."""
        worked = set()
        for app, runs in tenures(self.env).items():
            worked.update(r[0] for r in runs)
            # With k plans an application changes hands at most k - 1 times; interleaving would show as many short runs.
            self.assertLessEqual(len(runs), self.plans() + 1, (app, runs))
        return worked

    def plans(self):
        return int(re.search(r'"generation":(\d+)', self.plan()).group(1))


class Replicas(Base):
    def test_kill_pause_and_resume(self):
        env = self.env
        self.wait_members(3)
        self.make()
        self.converge(APPS, 0)
        env.wait("the division of the cluster", lambda: '"https://kubernetes.default.svc":""' in self.plan())
        self.wait_members(3)
        self.step(APPS, "divided")
        self.converge(APPS, "divided")
        self.assertEqual(self.check_tenures(), {"controller-0", "controller-1", "controller-2"})
        # One is killed: its share is worked again within 15 s.
        shares = collections.Counter(runs[-1][0] for runs in tenures(env).values())
        self.assertGreater(min(shares.values()), 0, shares)
        env.may_be_down = (env.controllers[1],)
        env.controllers[1].kill()
        killed = time.monotonic()
        self.wait_rebalanced("controller-1", killed, "killed")
        self.step(APPS, 1)
        self.converge(APPS, 1)
        # One is stopped in the middle of its work for 30 s, and goes on.
        busy = threading.Event()
        threading.Thread(target=self.keep_busy, args=(busy,), daemon=True).start()
        time.sleep(1)
        stopped_at = len(env.controllers[2].log())
        env.controllers[2].signal(signal.SIGSTOP)
        busy.set()
        stopped = time.monotonic()
        self.wait_rebalanced("controller-2", stopped, "stopped")
        self.step(APPS, "stopped")
        self.converge(APPS, "stopped")
        time.sleep(max(0, 30 - (time.monotonic() - stopped)))
        env.controllers[2].signal(signal.SIGCONT)
        time.sleep(6)
        self.step(APPS, "last")
        self.converge(APPS, "last", 30)
        after = env.controllers[2].log()[stopped_at:]
        self.assertIn("gives up its work", after)
        before_joining = after[:after.index("replica works by plan")]
        written = [l for l in before_joining.splitlines() if "msg=write" in l and "status=none" not in l and "status=409" not in l]
        # What was sent before it was stopped may be answered after; no more than its threads held.
        late = [l for l in written if l > written[0]] if written else []
        self.assertTrue(all(self.sent_before(l, after) for l in late), late)
        self.check_tenures()
        # A killed one that comes back takes part again, at once: its predecessor is certainly dead.
        env.controllers[1].start()
        self.wait_members(3, 10)
        self.step(APPS, "again")
        self.converge(APPS, "again")
        env.may_be_down = ()
        self.check_tenures()
        for i in range(APPS):
            env.wait_status("app-%02d" % i, "Synced", "Healthy")

    def wait_rebalanced(self, gone, since, how):
        """Until all that are left follow a plan without it."""
        left = {p for p in ("controller-0", "controller-1", "controller-2") if '"%s"' % p in self.plan()} - {gone}
        self.env.wait("the others to take over", lambda: gone not in self.plan() and self.acked() >= left, 20)
        took = time.monotonic() - since
        print("    the work of a %s replica was given to others after %.1f s" % (how, took))
        self.assertLess(took, 15)

    def sent_before(self, line, log):
        """Whether the line stands before the process noticed that it had been stopped."""
        return log.index(line) < log.index("gives up its work")

    def keep_busy(self, until):
        n = 0
        while not until.is_set():
            n += 1
            for i in range(APPS):
                try:
                    self.env.kube.merge("v1", "ConfigMap", self.ns, "cm-%02d" % i, {"data": {"step": "drift-%d" % n}})
                except (ApiError, OSError):
                    pass
            until.wait(0.5)


class Handover(Base):
    options = {"replicas": 2, "controller": ["--app-resync", "600", "--split-cluster-above", "4"]}

    def test_orderly_end_hands_over_at_once(self):
        env = self.env
        self.wait_members(2)
        self.make(8)
        self.converge(8, 0)
        env.may_be_down = (env.controllers[0],)
        self.assertEqual(env.controllers[0].stop(), 0)
        began = time.monotonic()
        self.step(8, 1)
        self.converge(8, 1, 10)
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual([l["metadata"]["name"] for l in env.kube.list(*LEASE, env.ns)],
                         ["cargocd-application-controller-plan", "cargocd-controller-1"])
        env.controllers[0].start()
        self.wait_members(2)
        self.check_tenures()
        env.may_be_down = ()

    def test_query_is_answered_by_whoever_works_it(self):
        env = self.env
        self.wait_members(2)
        env.start_api_server(("--insecure", "--disable-auth"))
        self.make_named("q", 8)
        for i in range(8):
            tree = env.wait("a tree", lambda: env.api.get("/api/v1/applications/q-%d/resource-tree" % i).json.get("nodes"))
            self.assertEqual(tree[0]["name"], "q-cm-%d" % i)
        infos = env.api.get("/api/v1/clusters").json["items"]
        self.assertEqual([c["info"]["connectionState"]["status"] for c in infos], ["Successful"])

    def make_named(self, name, n):
        repo = self.env.repo()
        repo.commit({"%d/cm.yaml" % i: config_map("%s-cm-%d" % (name, i)) for i in range(n)})
        for i in range(n):
            self.env.app("%s-%d" % (name, i), self.env.git.url(repo), path=str(i), syncPolicy={"automated": {}})
        for i in range(n):
            self.env.wait_status("%s-%d" % (name, i), "Synced", "Healthy")


    def test_a_mute_api_server(self):
        """An answer that does not come costs no lease; a server that says nothing at all holds up no end."""
        if self.env.real:
            self.skipTest("the faults are kubesim's")
        env = self.env
        self.wait_members(2)
        before, logged = self.plan(), [len(p.log()) for p in env.controllers]
        env.kube.faults([{"verb": "list", "resource": "leases*", "hang": True, "times": 2}])
        env.wait("the silence", lambda: env.kube.fired() == [2], 10)
        time.sleep(8)
        self.assertEqual(self.plan(), before)
        for p, at in zip(env.controllers, logged):
            self.assertNotIn("gives up its work", p.log()[at:])
        env.kube.faults([{"userAgent": "cargocd*", "hang": True}])
        env.may_be_down = (env.controllers[1],)
        try:
            time.sleep(3)
            began = time.monotonic()
            self.assertEqual(env.controllers[1].stop(20), 0)
            self.assertLess(time.monotonic() - began, 10)
        finally:
            env.kube.faults([])
        at = len(env.controllers[1].log())
        env.controllers[1].start()
        env.wait("it to work again", lambda: "replica works by plan" in env.controllers[1].log()[at:])
        env.may_be_down = ()


class WithoutRedis(Handover):
    redis = False

    test_orderly_end_hands_over_at_once = None


class Standby(Base):
    options = {"replicas": 2, "controller": ["--app-resync", "600", "--replica-name", "the-same"]}

    def test_two_of_one_name_work_one_after_the_other(self):
        """As when a pod is believed dead and is not: the second waits."""
        env = self.env
        env.wait("the second to wait", lambda: any("works as this replica" in p.log() for p in env.controllers))
        self.make(3)
        self.converge(3, 0)
        self.assertEqual(len({r[2] for r in writes(env)}), 1)
        first = next(p for p in env.controllers if "works as this replica" not in p.log())
        second = next(p for p in env.controllers if p is not first)
        self.assertNotIn("msg=write", second.log())
        env.may_be_down = (first,)
        first.kill()
        began = time.monotonic()
        self.step(3, 1)
        self.converge(3, 1, 10)
        self.assertLess(time.monotonic() - began, 4)  # the first is known to be dead
        first.start()
        env.wait("the first to wait", lambda: "works as this replica" in first.log())
        env.may_be_down = ()


@unittest.skipIf(os.environ.get("KUBECONFIG"), "an administrator is permitted everything")
class WithoutLeases(Base):
    """Accounts of an older installation may not have them."""
    options = {"controller": []}
    flags = ()

    @classmethod
    def setUpClass(cls):
        cls.env = Environment(cls.redis, cls.options)
        cls.env.controller.argv += cls.flags
        cls.env.kube.faults([{"path": "/apis/coordination.k8s.io/*", "status": 403}])
        cls.env.start()

    def test_one_alone_works(self):
        self.make(2)
        self.converge(2, 0, 20)
        self.assertIn("works without one", self.env.controller.log())


class WithoutLeasesButOthers(WithoutLeases):
    flags = ("--replicas", "2")

    def test_one_alone_works(self):
        self.make(2)
        time.sleep(14)
        self.assertEqual(writes(self.env), [])
        self.env.kube.faults([])
        self.converge(2, 0)


class Moves(Clusters):
    """An application whose destination becomes another replica's cluster, in the middle of its work."""
    options = {"replicas": 2, "controller": ["--app-resync", "600", "--sync-wave-delay", "0"]}
    COUNT = 16

    def wait_ready(self):
        self.env.wait("both to work", lambda: all("replica works by plan" in p.log() for p in self.env.controllers))

    def move(self, name, to):
        self.env.patch_app(name, {"spec": {"destination": {"server": to}}})

    def slow(self, sim, ms):
        rules = [{"verb": v, "resource": "configmaps", "latencyMs": ms, "probability": 1} for v in ("create", "patch")] if ms else []
        sim.kube.faults(rules)

    def here(self, sim, name):
        return sum(o["metadata"]["name"].startswith("cm-") for o in sim.kube.list("v1", "ConfigMap", "t-" + name))

    def writes_of(self, name):
        return [(at, replica, path) for at, app, replica, path in writes(self.env) if app == self.env.ns + "/" + name]

    def owner(self, server):
        """The replica that last wrote to the application of that destination."""
        name = "probe-%d" % int(server.rsplit(":", 1)[1])
        return self.writes_of(name)[-1][1]

    def pair(self):
        """Two clusters of different replicas."""
        found = {}
        for i in range(12):
            sim = Sim(self.env, "c%d" % i)
            self.cluster("c%d" % i, sim.server)
            self.deploy("probe-%d" % sim.port, {"server": sim.server}, sim=sim)
            self.env.wait_status("probe-%d" % sim.port, "Synced")
            found.setdefault(self.owner(sim.server), sim)
            if len(found) == 2:
                return [found[k] for k in sorted(found)]
        raise AssertionError("one replica works all clusters")

    def test_moved_in_the_middle_of_a_sync(self):
        self.wait_ready()
        one, two = self.pair()
        for sim in (one, two):
            sim.kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "t-moved"}})
        repo = self.env.repo()
        repo.commit({"%02d.yaml" % i: config_map("cm-%02d" % i, annotations={"argocd.argoproj.io/sync-wave": str(i)}) for i in range(self.COUNT)})
        self.slow(one, 300)
        self.slow(two, 300)
        self.env.app("moved", self.env.git.url(repo), dest_ns="t-moved", destination={"server": one.server, "namespace": "t-moved"},
                     syncPolicy={"automated": {"selfHeal": True}})
        took = []
        for source, target in ((one, two), (two, one), (one, two)):
            self.env.wait("the sync to be under way", lambda: self.busy(source) >= 4)
            self.move("moved", target.server)
            began = time.monotonic()
            self.env.wait("work on the other", lambda: self.busy(target) >= 4, 30)
            took.append(time.monotonic() - began)
        self.assertLess(max(took), 15)
        self.slow(one, 0)
        self.slow(two, 0)
        self.env.wait_app("moved", lambda a: a["status"].get("sync", {}).get("status") == "Synced" and
                          a["status"]["sync"]["comparedTo"]["destination"]["server"] == two.server, 90)
        self.assertEqual(self.here(two, "moved"), self.COUNT)
        runs = []
        for _, replica, path in self.writes_of("moved"):
            if not runs or runs[-1] != replica:
                runs.append(replica)
        self.assertEqual(len(runs), 4, runs)

    def busy(self, sim):
        """How many of the last writes were made by the replica of that cluster."""
        owner, n = self.owner(sim.server), 0
        for _, replica, _ in reversed(self.writes_of("moved")):
            if replica != owner:
                break
            n += 1
        return n


def start_shards(cls, algorithm):
    """Each replica is told its shard, as with Argo CD."""
    cls.env = Environment(cls.redis, cls.options)
    for i, p in enumerate(cls.env.controllers):
        p.env.update({"ARGOCD_CONTROLLER_REPLICAS": "2", "ARGOCD_CONTROLLER_SHARD": str(i),
                      "ARGOCD_CONTROLLER_SHARDING_ALGORITHM": algorithm})
    cls.env.start()


class ShardMoves(Moves):
    @classmethod
    def setUpClass(cls):
        start_shards(cls, "legacy")

    def wait_ready(self):
        self.env.wait("both to work", lambda: all("works shard" in p.log() for p in self.env.controllers))


class Shards(Clusters):
    """Each replica is told its shard, as with Argo CD."""
    options = {"replicas": 2}

    @classmethod
    def setUpClass(cls):
        start_shards(cls, "round-robin")

    def writers(self, app):
        return {r for _, a, r, path in writes(self.env) if a == self.env.ns + "/" + app and "/events" not in path}

    def test_each_works_its_shard(self):
        one = Sim(self.env, "one")
        self.cluster("one", one.server)
        time.sleep(1)  # an application of an unknown cluster would be the first shard's
        # By their ids the implicit cluster is the first, and this one the second.
        self.deploy("own", {"server": "https://kubernetes.default.svc"}, sim=self.env)
        self.deploy("other", {"name": "one"}, sim=one)
        for name in ("own", "other"):
            self.env.wait_status(name, "Synced", "Healthy")
        self.assertEqual((self.writers("own"), self.writers("other")), ({"controller-0"}, {"controller-1"}))
        names = sorted(l["metadata"]["name"] for l in self.env.kube.list(*LEASE, self.env.ns))
        self.assertEqual(names, ["cargocd-application-controller-shard-0", "cargocd-application-controller-shard-1"])
        # The Secret decides where it names a shard.
        two = Sim(self.env, "two")
        self.cluster("two", two.server, data={"shard": "0"})
        time.sleep(1)
        self.deploy("pinned", {"name": "two"}, sim=two)
        self.env.wait_status("pinned", "Synced", "Healthy")
        self.assertEqual(self.writers("pinned"), {"controller-0"})


if __name__ == "__main__":
    unittest.main()
