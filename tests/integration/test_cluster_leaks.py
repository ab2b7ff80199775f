"""Many clusters added, changed and removed at run time: what they took comes back."""
import base64
import json
import os
import time
import unittest

import yaml

from lib.case import config_map
from lib.clusters import SECRET, Base, Sim


class Hundred(Base):
    """A hundred clusters that come, change and go: nothing stays behind."""
    N = 100

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env.config_map("argocd-cm", {"resource.inclusions": yaml.safe_dump(
            [{"apiGroups": ["", "apps"], "kinds": ["ConfigMap", "Service", "Deployment"], "clusters": ["*"]}])})

    def usage(self):
        pid = self.env.controller.child.pid
        return {"memory": self.env.controller.memory_kib(), "heap": self.in_use(), "fds": len(os.listdir("/proc/%d/fd" % pid)),
                "threads": len(os.listdir("/proc/%d/task" % pid))}

    def in_use(self):
        """KiB that are allocated; what the process holds besides are free pages, which come and go."""
        return int(next(v for _, v in self.samples("go_memstats_heap_alloc_bytes")) / 1024)

    def secret(self, i, server, token="secret"):
        name = "cluster-many-%03d" % i
        data = {"name": "many-%03d" % i, "server": server, "config": json.dumps({"bearerToken": token})}
        o = {"apiVersion": "v1", "kind": "Secret", "metadata": {
            "name": name, "namespace": self.env.ns, "labels": {"argocd.argoproj.io/secret-type": "cluster"}}}
        if self.env.kube.get(*SECRET, self.env.ns, name):
            self.env.kube.merge(*SECRET, self.env.ns, name, {"data": {k: base64.b64encode(v.encode()).decode() for k, v in data.items()}})
        else:
            self.env.kube.create(dict(o, stringData=data))

    def round(self, servers, repo, sim):
        """All added with an application each, changed to another credential, removed with their applications."""
        for i in range(self.N):
            self.secret(i, servers[i])
            self.env.app("many-%03d" % i, self.env.git.url(repo), path="%d" % i, dest_ns="many-%d" % i,
                         destination={"name": "many-%03d" % i, "namespace": "many-%d" % i}, syncPolicy={"automated": {}})
        self.env.wait("all to be connected", lambda: self.count(servers) == self.N, 60)
        for i in range(self.N):
            self.env.wait_status("many-%03d" % i, "Synced", "Healthy")
        most = self.usage()
        for i in range(self.N):
            self.secret(i, servers[i], "wrong" if i % 2 else "secret")  # half of them only written again
        self.env.wait("half to be refused", lambda: self.count(servers) == self.N // 2, 60)
        for i in range(self.N):
            self.env.kube.delete(*SECRET, self.env.ns, "cluster-many-%03d" % i)
            self.env.kube.delete("argoproj.io/v1alpha1", "Application", self.env.ns, "many-%03d" % i)
            sim.kube.delete("v1", "ConfigMap", "many-%d" % i, "cm")
        port = ":%d" % sim.port
        self.env.wait("their series to go", lambda: port not in self.metrics(), 60)
        self.assertNotIn('name="many-', self.metrics())
        return most

    def settled(self, alone):
        """Idle threads end, idle connections are closed with the next request, free pages go back: it takes about half a minute."""
        self.env.wait("connections of clusters that are gone to be closed", lambda: self.usage()["fds"] <= alone["fds"] + 20, 120)
        last = [self.usage()]

        def still():
            time.sleep(5)
            last.append(self.usage())
            return abs(last[-1]["heap"] - last[-2]["heap"]) < 64 and last[-1]["threads"] == last[-2]["threads"]
        self.env.wait("its size to stay as it is", still, 90)
        return last[-1]

    def count(self, servers):
        known = set(servers)
        return sum(v for labels, v in self.samples("argocd_cluster_connection_status") if labels["server"] in known)

    def test_a_hundred_clusters_leave_nothing_behind(self):
        sim = Sim(self.env, "many")
        servers = ["http://c%03d.localhost:%d" % (i, sim.port) for i in range(self.N)]
        repo = self.env.repo()
        repo.commit({"%d/cm.yaml" % i: config_map("cm") for i in range(self.N)})
        for i in range(self.N):
            sim.kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "many-%d" % i}})
        alone = self.usage()
        for _ in range(2):  # what is kept for good is there after that
            self.round(servers, repo, sim)
        before = self.settled(alone)
        for _ in range(2):
            most = self.round(servers, repo, sim)
        after = self.settled(alone)
        self.assertLessEqual(after["threads"], before["threads"] + 4)
        self.assertLessEqual(after["fds"], before["fds"] + 10)
        self.assertLessEqual(after["heap"], before["heap"] + 512)
        self.assertLessEqual(after["memory"], before["memory"] * 1.5)
        print("    100 clusters: before %s, with them %s, after %s" % (before, most, after))


if __name__ == "__main__":
    unittest.main()
