"""Two real control planes at once: KUBECONFIG is the one of the control plane, CARGOCD_SECOND_KUBECONFIG a further cluster."""
import os
import unittest

import yaml

from lib.case import config_map
from lib.kube import Kube
from lib.clusters import Base

SECOND = os.environ.get("CARGOCD_SECOND_KUBECONFIG")

DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "localhost/guestbook:1", ports: [{containerPort: 80}]}
"""


@unittest.skipUnless(SECOND and os.environ.get("KUBECONFIG"), "needs KUBECONFIG and CARGOCD_SECOND_KUBECONFIG")
class Two(Base):
    options = {"replicas": 2}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env.start_api_server(("--insecure", "--disable-auth"))
        cls.second = Kube(SECOND)
        cls.spaces = []

    @classmethod
    def tearDownClass(cls):
        for ns in cls.spaces:
            cls.second.delete("v1", "Namespace", None, ns)
        super().tearDownClass()

    def credentials(self):
        """What a cluster's Secret holds, from the kubeconfig of an administrator."""
        with open(SECOND, encoding="utf-8") as f:
            config = yaml.safe_load(f)
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        return cluster["server"], {"tlsClientConfig": {"caData": cluster["certificate-authority-data"],
                                                       "certData": user["client-certificate-data"],
                                                       "keyData": user["client-key-data"]}}

    def cascade(self, name):
        self.env.patch_app(name, {"metadata": {"finalizers": ["resources-finalizer.argocd.argoproj.io"]}})
        self.env.kube.delete("argoproj.io/v1alpha1", "Application", self.env.ns, name)
        self.env.wait("the end of " + name, lambda: self.env.get_app(name) is None, 60)

    def test_both_are_kept_as_git_says(self):
        server, config = self.credentials()
        self.cluster("second", server, config)
        repo = self.env.repo()
        repo.commit({"web.yaml": DEPLOYMENT, "cm.yaml": config_map("settings", {"where": "anywhere"})})
        ns = self.env.create_namespace()
        self.second.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}})
        self.spaces.append(ns)
        auto = {"automated": {"selfHeal": True, "prune": True}}
        self.env.app("here", self.env.git.url(repo), dest_ns=ns, syncPolicy=auto)
        self.env.app("there", self.env.git.url(repo), dest_ns=ns, destination={"name": "second", "namespace": ns}, syncPolicy=auto)
        for name in ("here", "there"):
            self.env.wait_status(name, "Synced", "Healthy", timeout=60)
        uids = [k.get("apps/v1", "Deployment", ns, "web")["metadata"]["uid"] for k in (self.env.kube, self.second)]
        self.assertNotEqual(uids[0], uids[1])
        # Each one's tree shows its own objects.
        for name, uid in zip(("here", "there"), uids):
            nodes = self.env.api.get("/api/v1/applications/%s/resource-tree" % name).json["nodes"]
            self.assertIn(uid, [n.get("uid") for n in nodes])
            self.assertEqual(sum(n["kind"] == "Pod" for n in nodes), 2)
        infos = {c["server"]: c["info"] for c in self.env.api.get("/api/v1/clusters").json["items"]}
        self.assertEqual({i["connectionState"]["status"] for i in infos.values()}, {"Successful"})
        self.assertEqual(len(infos), 2)
        # Drift in one is healed there, and nothing happens in the other.
        before = self.env.kube.get("v1", "ConfigMap", ns, "settings")["metadata"]["resourceVersion"]
        self.second.merge("v1", "ConfigMap", ns, "settings", {"data": {"where": "drifted"}})
        self.env.wait("the drift to be healed", lambda: self.second.get("v1", "ConfigMap", ns, "settings")["data"]["where"] == "anywhere", 30)
        self.assertEqual(self.env.kube.get("v1", "ConfigMap", ns, "settings")["metadata"]["resourceVersion"], before)
        # A change of Git reaches both.
        repo.commit({"web.yaml": DEPLOYMENT.replace("replicas: 2", "replicas: 1"), "cm.yaml": config_map("settings", {"where": "both"})})
        for name in ("here", "there"):
            self.env.refresh(name)
        for k in (self.env.kube, self.second):
            self.env.wait("the change", lambda: k.get("v1", "ConfigMap", ns, "settings")["data"]["where"] == "both", 30)
            self.env.wait("one pod", lambda: k.get("apps/v1", "Deployment", ns, "web")["status"].get("replicas") == 1, 30)
        self.cascade("there")
        self.assertIsNone(self.second.get("apps/v1", "Deployment", ns, "web"))
        self.assertIsNotNone(self.env.kube.get("apps/v1", "Deployment", ns, "web"))
        self.cascade("here")


if __name__ == "__main__":
    unittest.main()
