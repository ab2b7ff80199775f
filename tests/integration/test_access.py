"""Kinds that may not be listed, where the settings have access reviewed."""
import os
import time
import unittest

import yaml

from lib.clusters import Base, Sim


class Reviews(Base):
    def test_forbidden_kinds_are_reviewed(self):
        sim = Sim(self.env, "strict")
        self.env.config_map("argocd-cm", {"resource.respectRBAC": "strict"})
        self.addCleanup(self.env.config_map, "argocd-cm", {})
        rules = [{"verb": "list", "resource": r, "status": 403} for r in ("secrets", "deployments.apps")]
        denied = [{"verb": "list", "resource": "deployments.apps", "namespace": ""}]
        sim.kube.faults(rules, denied=denied)
        self.cluster("strict", sim.server)
        self.deploy("strict", {"name": "strict"}, sim=sim)
        # Deployments are left out, asked for once. Secrets may be listed, so that they fail until they are.
        self.wait_condition("strict", "ComparisonError", "watch Secret")
        self.env.wait("Secrets to be tried again", lambda: sim.kube.fired()[0] > 3)
        self.assertEqual(sim.kube.fired()[1], 1)
        self.assertEqual(self.connected(sim.server), 0)
        self.assertIn("Secret  cannot be listed: forbidden, but an access review allows it", self.env.controller.log())
        # Where nobody answers whether they may be listed, that is no leave to go without them.
        rules.insert(0, {"verb": "create", "resource": "selfsubjectaccessreviews.authorization.k8s.io", "status": 500})
        denied.append({"verb": "list", "resource": "secrets"})
        sim.kube.faults(rules, denied=denied)
        self.env.wait("reviews to fail", lambda: sim.kube.fired()[0] > 1, 40)
        self.assertEqual(self.connected(sim.server), 0)
        self.assertEqual(self.env.get_app("strict")["status"]["sync"]["status"], "Unknown")
        sim.kube.faults(rules[1:], denied=denied)
        self.env.wait_status("strict", "Synced", "Healthy", timeout=40)
        self.env.wait("it to be connected", lambda: self.connected(sim.server) == 1)

    def test_a_reviewed_kind_comes_back(self):
        sim = Sim(self.env, "late")
        self.env.config_map("argocd-cm", {"resource.respectRBAC": "strict"})
        self.addCleanup(self.env.config_map, "argocd-cm", {})
        sim.kube.faults([{"verb": "list", "resource": "secrets", "status": 403}])
        self.cluster("late", sim.server)
        self.deploy("late", {"name": "late"}, sim=sim)
        self.wait_condition("late", "ComparisonError", "watch Secret")
        sim.kube.faults([])
        self.env.wait_status("late", "Synced", "Healthy", timeout=40)
        count = lambda: self.samples("argocd_cluster_events_total", server=sim.server, kind="Secret")
        self.env.wait("Secrets to be watched", lambda: sim.kube.create(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s%d" % time.monotonic_ns(), "namespace": "default"}}) and count(), 30)


class RealReviews(Base):
    """The same by the authorizer of a real server, as an account that may list little."""

    RULES = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]},
             {"apiGroups": [""], "resources": ["namespaces", "pods"], "verbs": ["get", "list", "watch"]},
             {"apiGroups": ["apps"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
             {"nonResourceURLs": ["*"], "verbs": ["get"]}]

    @classmethod
    def setUpClass(cls):
        if not os.environ.get("KUBECONFIG") or os.environ.get("CARGOCD_KUBESIM"):
            raise unittest.SkipTest("kubesim authorizes nothing: give a KUBECONFIG")
        super().setUpClass()

    def token(self, ns, name):
        kube = self.env.kube
        kube.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "few", "namespace": ns}})
        kube.create({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": self.RULES})
        self.addCleanup(kube.delete, "rbac.authorization.k8s.io/v1", "ClusterRole", None, name)
        kube.create({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
                     "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
                     "subjects": [{"kind": "ServiceAccount", "name": "few", "namespace": ns}]})
        self.addCleanup(kube.delete, "rbac.authorization.k8s.io/v1", "ClusterRoleBinding", None, name)
        return kube.call("POST", "/api/v1/namespaces/%s/serviceaccounts/few/token" % ns,
                         {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})["status"]["token"]

    def test_kinds_beyond_the_account(self):
        ns = self.env.create_namespace()
        with open(self.env.kubeconfig, encoding="utf-8") as f:
            server = yaml.safe_load(f)["clusters"][0]["cluster"]["server"]
        config = {"bearerToken": self.token(ns, ns + "-few"), "tlsClientConfig": {"insecure": True}}
        self.cluster("few", server, config)
        self.deploy("few", {"name": "few"}, sim=self.env)
        self.wait_condition("few", "ComparisonError", "forbidden")
        self.env.config_map("argocd-cm", {"resource.respectRBAC": "strict"})
        self.addCleanup(self.env.config_map, "argocd-cm", {})
        self.env.wait_status("few", "Synced", "Healthy", timeout=40)
        self.env.wait("it to be connected", lambda: self.connected(server) == 1)
        self.assertNotIn("an access review allows it", self.env.controller.log())
