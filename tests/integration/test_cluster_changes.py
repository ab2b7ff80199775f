"""Clusters whose Secrets change in the middle of work."""
from lib.case import config_map
from lib.clusters import Base, Sim


class Changes(Base):
    def test_a_canceled_request_is_no_failure(self):
        """The cluster's Secret changes while a sync waits for an answer: another pass does what that one did not."""
        sim = Sim(self.env, "replaced")
        self.cluster("replaced", sim.server, {"bearerToken": "secret"})
        repo, ns = self.deploy("replaced", {"server": sim.server}, sim=sim)
        self.env.wait_status("replaced", "Synced", "Healthy")
        sim.kube.faults([
            {"verb": v, "resource": "configmaps", "namespace": ns, "name": "late", "hang": True} for v in ("get", "create")])
        repo.commit({"late.yaml": config_map("late")})
        self.env.refresh("replaced")
        self.env.wait("the request", lambda: sum(sim.kube.fired()))
        sim.kube.faults([])
        self.cluster("replaced", sim.server, {"bearerToken": "secret", "disableCompression": True})
        app = self.env.wait_app("replaced", lambda a: sim.kube.get("v1", "ConfigMap", ns, "late") and not a.get("operation") and
                                a["status"]["sync"]["status"] == "Synced", 20)
        self.assertEqual((app["status"]["operationState"]["phase"], app["status"]["operationState"].get("retryCount")), ("Succeeded", None))
        self.assertNotIn("canceled", str(app["status"]))
