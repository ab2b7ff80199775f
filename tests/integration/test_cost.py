"""Work is proportional to what changed: what a refresh costs does not depend on what else there is."""
import socket
import time

from lib.case import Case, config_map, kubesim_only

APPS, ROUNDS, OBJECTS = 20, 10, 30000


@kubesim_only("objects by the ten thousand are kubesim's")
class Cost(Case):
    options = {"controller": ["--app-resync", "0", "--loglevel", "info"]}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        repo = cls.env.repo()
        repo.commit({"%d/cm.yaml" % i: config_map("data-%d" % i) for i in range(APPS)})
        cls.namespace = cls.env.create_namespace()
        for i in range(APPS):
            cls.env.app("app-%d" % i, cls.env.git.url(repo), path=str(i), dest_ns=cls.namespace, syncPolicy={"automated": {}})
        for i in range(APPS):
            cls.env.wait_status("app-%d" % i, "Synced", "Healthy")
        cls.refresh_all()  # what follows changes nothing

    @classmethod
    def refresh_all(cls):
        for i in range(APPS):
            cls.env.refresh("app-%d" % i)
        for i in range(APPS):
            cls.env.wait_app("app-%d" % i, lambda a: "argocd.argoproj.io/refresh" not in a["metadata"].get("annotations", {}))

    def spent(self):
        """Processor time of refreshing all of them some times."""
        before = self.env.controller.cpu_seconds()
        for _ in range(ROUNDS):
            self.refresh_all()
        return self.env.controller.cpu_seconds() - before

    def idle(self):
        def look():
            before = self.env.controller.cpu_seconds()
            time.sleep(0.5)
            return self.env.controller.cpu_seconds() - before <= 0.02
        self.env.wait("an idle controller", look, 60)

    def redis(self):
        """How often Redis was told to keep or to spread something."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.env.redis_socket)
            s.sendall(b"INFO commandstats\r\n")
            text = b""
            while not text.endswith(b"\r\n\r\n") and b"\r\n" not in text[-4:]:
                text += s.recv(65536)
        lines = [line.split(":", 1) for line in text.decode().split("\r\n") if line.startswith("cmdstat_")]
        return {name[8:]: int(rest.split(",")[0].split("=")[1]) for name, rest in lines
                if name[8:] in ("set", "setex", "publish", "del", "expire", "mset")}

    def test_refreshes_in_a_large_cluster(self):
        """argo-cd#28539, #18929, gitops-engine#600: by every object that is cached, or that stands in the namespace."""
        self.idle()
        few = self.spent()
        self.env.kube.call("POST", "/kubesim/bulk", {"resource": "configmaps", "count": OBJECTS, "size": 1500, "namespace": self.namespace})
        self.idle()
        many = self.spent()
        print("  %d refreshes: %.2f s with %d objects, %.2f s with %d more" % (APPS * ROUNDS, few, APPS, many, OBJECTS))
        self.assertLess(many, 2 * few + 0.2)

    def test_what_does_not_change_is_not_sent_to_redis(self):
        """argo-cd#19722, #10214, #5345"""
        self.idle()
        before = self.redis()
        self.assertGreater(before.get("set", 0) + before.get("setex", 0), 0)
        self.spent()
        sent = sum(self.redis().values()) - sum(before.values())
        print("  %d writes to Redis in %d refreshes" % (sent, APPS * ROUNDS))
        self.assertLess(sent, APPS * ROUNDS / 10)  # the state of a cluster goes there every ten seconds
