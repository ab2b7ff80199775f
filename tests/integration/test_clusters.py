"""Many clusters: from Secrets that come, change and go while the controller runs; what is managed in each; tracking."""
import json
import os
import re
import socket
import subprocess
import time
import unittest

import yaml

from lib.case import config_map
from lib.clusters import Base, Gate, Sim


class Clusters(Base):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env.start_api_server(("--insecure", "--disable-auth"))

    def test_deploys_to_others_and_survives_their_end(self):
        one, two = Sim(self.env, "one"), Sim(self.env, "two")
        self.cluster("one", one.server)
        gate = Gate(two.port)
        self.addCleanup(gate.shut)
        reached = "http://127.0.0.1:%d" % gate.port
        self.cluster("two", reached)
        _, ns = self.deploy("to-one", {"server": one.server + "/"}, sim=one)
        repo, ns2 = self.deploy("to-two", {"name": "two"}, sim=two)
        self.env.wait_status("to-one", "Synced", "Healthy")
        self.env.wait_status("to-two", "Synced", "Healthy")
        self.assertEqual(one.kube.get("v1", "ConfigMap", ns, "to-one")["data"], {"key": "value"})
        self.assertEqual(two.kube.get("v1", "ConfigMap", ns2, "to-two")["data"], {"key": "value"})
        self.assertIsNone(one.kube.get("v1", "ConfigMap", ns2, "to-two"))
        info = self.info(reached)["info"]
        self.assertEqual(info["connectionState"]["status"], "Successful")
        self.assertEqual(info["serverVersion"], "v1.34.0")
        self.assertEqual(int(info["applicationsCount"]), 1)
        self.assertGreater(int(info["cacheInfo"]["apisCount"]), 20)
        self.assertGreater(int(info["cacheInfo"]["resourcesCount"]), 1)
        self.assertIn("apps/v1/Deployment", info["apiVersions"])
        gate.shut()
        self.env.wait("the loss of the second cluster", lambda: self.connected(reached) == 0)
        self.assertIn("watch", self.info(reached)["info"]["connectionState"]["message"])
        # The first one does not feel it, however much there is to be done in the second.
        for i in range(15):
            self.deploy("dead-%d" % i, {"name": "two"}, sim=two)
        quick, _ = self.deploy("quick", {"server": one.server}, sim=one)
        self.env.wait_status("quick", "Synced", "Healthy", timeout=10)
        quick.commit({"cm.yaml": config_map("quick", {"key": "changed"})})
        began = time.monotonic()
        self.env.refresh("quick")
        self.env.wait("the change", lambda: one.kube.get("v1", "ConfigMap", "t-quick", "quick")["data"] == {"key": "changed"}, 10)
        self.assertLess(time.monotonic() - began, 5)
        repo.commit({"cm.yaml": config_map("to-two", {"key": "again"})})
        gate.open()
        self.env.wait("the second cluster", lambda: self.connected(reached) == 1)
        self.env.refresh("to-two")
        self.env.wait_app("to-two", lambda a: (two.kube.get("v1", "ConfigMap", ns2, "to-two") or {}).get("data") == {"key": "again"}, 60)

    def ttl(self, key):
        asked = ["redis-cli", "-s", self.env.redis_socket, "--raw", "ttl", key]
        return int(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)

    def test_a_cluster_without_applications(self):
        sim = Sim(self.env, "idle")
        self.cluster("idle", sim.server)
        self.env.wait("the cluster", lambda: any(c["name"] == "idle" for c in self.env.api.get("/api/v1/clusters").json["items"]))
        info = self.info(sim.server)["info"]
        self.assertEqual(info["connectionState"]["status"], "Unknown")
        self.assertEqual(info["connectionState"]["message"], "Cluster has no applications and is not being monitored.")
        self.assertEqual(int(info.get("applicationsCount", 0)), 0)

    def test_copies_in_redis_do_not_stay_for_ever(self):
        """spec 12"""
        self.deploy("copied", {"server": "https://kubernetes.default.svc"}, sim=self.env)
        self.env.wait_status("copied", "Synced", "Healthy")
        for key, most in (("app|resources-tree|copied", 3600), ("app|managed-resources|copied", 3600),
                          ("cluster|info|https://kubernetes.default.svc", 600)):
            left = self.env.wait(key, lambda key=key: max(self.ttl(key), 0))
            self.assertTrue(most - 120 < left <= most, (key, left))
        self.env.kube.delete("argoproj.io/v1alpha1", "Application", self.env.ns, "copied")
        self.env.wait("the end of the copies", lambda: self.ttl("app|resources-tree|copied") == self.ttl("app|managed-resources|copied") == -2)

    def test_rotated_token_and_removed_secret(self):
        sim = Sim(self.env, "rotated", token="first")
        self.cluster("rotated", sim.server, {"bearerToken": "wrong"})
        _, ns = self.deploy("rotated", {"server": sim.server}, sim=sim)
        message = self.wait_condition("rotated", "ComparisonError", "Failed to load live state")
        self.assertIn("nauthorized", message)
        self.assertEqual(self.info(sim.server)["info"]["connectionState"]["status"], "Failed")
        self.cluster("rotated", sim.server, {"bearerToken": "first"})
        self.env.wait_status("rotated", "Synced", "Healthy")
        self.assertIsNone(self.condition(self.env.get_app("rotated"), "ComparisonError"))
        sim.process.kill()
        sim.start("second")
        sim.kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}})
        self.env.wait("the refusal", lambda: self.connected(sim.server) == 0)
        self.cluster("rotated", sim.server, {"bearerToken": "second"})
        self.env.wait("the new token", lambda: self.connected(sim.server) == 1)
        self.env.wait_app("rotated", lambda a: sim.kube.get("v1", "ConfigMap", ns, "rotated"), 30, "to be there again")
        self.remove("rotated")
        self.wait_condition("rotated", "InvalidSpecError", 'cluster "%s" not found' % sim.server)
        self.env.wait("the watches' end", lambda: self.stats(sim)["watches"] == 0)
        self.assertEqual(self.samples("argocd_cluster_info", server=sim.server), [])
        self.cluster("rotated", sim.server, {"bearerToken": "second"})
        self.env.wait_status("rotated", "Synced", "Healthy")

    def test_a_server_that_never_answers_holds_nobody_up(self):
        mute = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.addCleanup(mute.close)
        url = "http://127.0.0.1:%d" % mute.getsockname()[1]
        before = self.threads("cluster")
        for i in range(5):
            self.cluster("mute-%d" % i, url + "/%d" % i)
            self.deploy("mute-%d" % i, {"name": "mute-%d" % i}, sim=self.env)
        self.env.wait("the connections", lambda: self.threads("cluster") >= before + 5)
        self.deploy("beside", {"server": "https://kubernetes.default.svc"}, sim=self.env)
        self.env.wait_status("beside", "Synced", "Healthy", timeout=5)
        for i in range(5):
            self.remove("mute-%d" % i)
        self.env.wait("their end", lambda: self.threads("cluster") <= before + 1, 5)  # not the 30 s that a request may take
        self.wait_condition("mute-4", "InvalidSpecError", "there are no clusters with this name: mute-4")

    def threads(self, name):
        found, tasks = 0, "/proc/%d/task" % self.env.controller.child.pid
        for task in os.listdir(tasks):
            try:
                with open(os.path.join(tasks, task, "comm"), encoding="ascii") as f:
                    found += f.read().strip() == name
            except OSError:
                pass
        return found

    def stats(self, sim):
        return json.loads(sim.kube.raw("GET", "/kubesim/stats")[1])

    def test_coming_and_going_leaves_nothing_behind(self):
        sim = Sim(self.env, "fleeting")
        sim.kube.call("POST", "/kubesim/bulk", {"resource": "configmaps", "count": 5000, "size": 500, "namespace": "default"})
        self.deploy("fleeting", {"name": "fleeting"}, sim=sim)
        sizes, threads = [], []
        for i in range(30):
            self.cluster("fleeting", sim.server)
            self.env.wait_status("fleeting", "Synced", "Healthy")
            if i % 3 == 0:  # also one that is gone before it was ever reached
                self.cluster("never", "http://127.0.0.1:1")
                self.remove("never")
            self.remove("fleeting")
            self.env.wait_app("fleeting", lambda a: self.condition(a, "InvalidSpecError"))
            self.env.wait("the watches' end", lambda: self.stats(sim)["watches"] == 0)
            sizes.append(self.env.controller.memory_kib())
            threads.append(len(os.listdir("/proc/%d/task" % self.env.controller.child.pid)))
        early, late = max(sizes[5:10]), min(sizes[-5:])
        self.assertLess(late, early * 1.05 + 1024, sizes)
        self.assertLessEqual(threads[-1], threads[5] + 2, threads)


class Tracking(Base):
    NOTE, MARK = "argocd.argoproj.io/tracking-id", "argocd.argoproj.io/installation-id"

    def settings(self, **data):
        self.env.config_map("argocd-cm", {k.replace("_", "."): v for k, v in data.items()})
        self.addCleanup(self.env.config_map, "argocd-cm", {})

    def extra(self, ns, name, labels=None, annotations=None):
        self.env.kube.create({"apiVersion": "v1", "kind": "ConfigMap", "data": {},
                              "metadata": {"name": name, "namespace": ns, "labels": labels or {}, "annotations": annotations or {}}})

    def owned(self, app, *names):
        """Waits until the application has just these objects."""
        return self.env.wait_app(app, lambda a: sorted(r["name"] for r in a.get("status", {}).get("resources", [])) == sorted(names),
                                 what="to have " + str(names))

    def marks(self, ns, name):
        m = self.env.kube.get("v1", "ConfigMap", ns, name)["metadata"]
        return m.get("labels", {}), m.get("annotations", {})

    def follow(self, name, labels=None, annotations=None):
        """Deploys; an object with these marks is taken for the application's, is pruned, and one that bears other marks is not."""
        _, ns = self.deploy(name, {"server": "https://kubernetes.default.svc"}, sim=self.env, automated=False)
        self.env.wait_status(name, "OutOfSync")
        self.env.sync(name)
        self.env.wait_operation(name)
        self.env.wait_status(name, "Synced")
        self.extra(ns, "mine", labels, annotations and annotations(ns))
        self.extra(ns, "plain")
        app = self.owned(name, name, "mine")
        self.assertEqual(app["status"]["sync"]["status"], "OutOfSync")
        self.assertTrue(self.resource(app, "ConfigMap", "mine")["requiresPruning"])
        self.env.sync(name, prune=True)
        self.env.wait_status(name, "Synced")
        self.assertIsNone(self.env.kube.get("v1", "ConfigMap", ns, "mine"))
        self.assertIsNotNone(self.env.kube.get("v1", "ConfigMap", ns, "plain"))
        return ns

    def test_by_annotation(self):
        ns = self.follow("noted", None, lambda ns: {self.NOTE: "noted:/ConfigMap:%s/mine" % ns})
        labels, annotations = self.marks(ns, "noted")
        self.assertEqual((labels, annotations[self.NOTE]), ({}, "noted:/ConfigMap:%s/noted" % ns))
        self.extra(ns, "copy", None, {self.NOTE: "noted:/ConfigMap:%s/noted" % ns})  # taken along with a copy: not the application's
        app = self.owned("noted", "noted", "copy")
        self.assertNotIn("status", self.resource(app, "ConfigMap", "copy"))
        self.assertEqual(app["status"]["sync"]["status"], "Synced")

    def test_by_label(self):
        self.settings(application_resourceTrackingMethod="label")
        ns = self.follow("labelled", {"app.kubernetes.io/instance": "labelled"})
        labels, annotations = self.marks(ns, "labelled")
        self.assertEqual(labels, {"app.kubernetes.io/instance": "labelled"})
        self.assertNotIn(self.NOTE, annotations)

    def test_by_own_label(self):
        self.settings(application_resourceTrackingMethod="label", application_instanceLabelKey="example.com/app")
        ns = self.follow("own-label", {"example.com/app": "own-label"})
        self.assertEqual(self.marks(ns, "own-label")[0], {"example.com/app": "own-label"})

    def test_by_annotation_with_label(self):
        self.settings(application_resourceTrackingMethod="annotation+label")
        name = "n" * 50 + "-" + "m" * 20
        ns = self.follow("both", {"app.kubernetes.io/instance": "other"}, lambda ns: {self.NOTE: "both:/ConfigMap:%s/mine" % ns})
        labels, annotations = self.marks(ns, "both")
        self.assertEqual((labels["app.kubernetes.io/instance"], annotations[self.NOTE]), ("both", "both:/ConfigMap:%s/both" % ns))
        repo = self.env.repo()
        repo.commit({"cm.yaml": config_map("long")})
        self.env.app(name, self.env.git.url(repo), dest_ns=ns)
        self.env.wait_status(name, "OutOfSync")
        self.env.sync(name)
        self.env.wait_operation(name)
        self.assertEqual(self.marks(ns, "long")[0]["app.kubernetes.io/instance"], name[:63])

    def test_installation_id(self):
        self.settings(installationID="here")
        ns = self.follow("installed", None, lambda ns: {self.NOTE: "installed:/ConfigMap:%s/mine" % ns, self.MARK: "here"})
        self.assertEqual(self.marks(ns, "installed")[1][self.MARK], "here")
        self.extra(ns, "theirs", None, {self.NOTE: "installed:/ConfigMap:%s/theirs" % ns, self.MARK: "there"})
        self.extra(ns, "unmarked", None, {self.NOTE: "installed:/ConfigMap:%s/unmarked" % ns})
        time.sleep(0.5)
        self.env.refresh("installed")
        self.owned("installed", "installed")
        self.settings(installationID="there")  # all that is theirs, and nothing that was ours
        app = self.owned("installed", "installed", "theirs")
        self.assertTrue(self.resource(app, "ConfigMap", "theirs")["requiresPruning"])
        self.env.sync("installed", prune=True)
        self.env.wait_status("installed", "Synced")
        self.assertEqual(self.marks(ns, "installed")[1][self.MARK], "there")

    def test_other_method_at_run_time(self):
        ns = self.follow("moves", None, lambda ns: {self.NOTE: "moves:/ConfigMap:%s/mine" % ns})
        self.extra(ns, "by-label", {"app.kubernetes.io/instance": "moves"})
        self.extra(ns, "by-note", None, {self.NOTE: "moves:/ConfigMap:%s/by-note" % ns})
        self.owned("moves", "moves", "by-note")
        self.settings(application_resourceTrackingMethod="label")
        self.owned("moves", "moves", "by-label")
        self.settings()
        self.owned("moves", "moves", "by-note")
        self.assertIsNotNone(self.env.kube.get("v1", "ConfigMap", ns, "by-label"))


CRD = """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
"""
WIDGET = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w%s}\nspec: {size: 1}\n"


class Scope(Base):
    def kinds(self, sim):
        found = self.samples("argocd_cluster_api_resources", server=sim.server)
        return found[0][1] if found else 0

    def faults(self, sim, *rules):
        sim.kube.faults(list(rules))

    def test_definitions_come_and_go(self):
        sim = Sim(self.env, "definitions")
        self.cluster("definitions", sim.server)
        repo, ns = self.deploy("widgets", {"name": "definitions"}, sim=sim, files={"crd.yaml": CRD, "w.yaml": WIDGET % 1})
        self.env.wait_status("widgets", "Synced", timeout=40)
        before = self.kinds(sim)
        # A kind that appeared at run time is watched: a drift is healed without anybody asking.
        sim.kube.merge("example.com/v1", "Widget", ns, "w1", {"spec": {"size": 2}})
        self.env.wait("the drift to be healed", lambda: sim.kube.get("example.com/v1", "Widget", ns, "w1")["spec"] == {"size": 1}, 10)
        self.env.patch_app("widgets", {"spec": {"syncPolicy": None}})
        sim.kube.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, "widgets.example.com")
        self.env.wait("the kind to go", lambda: self.kinds(sim) == before - 1, 20)
        self.env.wait_app("widgets", lambda a: self.resource(a, "Widget", "w1").get("status") == "OutOfSync", what="to miss its widget")
        sim.kube.create(yaml.safe_load(CRD))
        self.env.wait("the kind to return", lambda: self.kinds(sim) == before, 20)
        self.env.sync("widgets")
        self.env.wait_status("widgets", "Synced")

    def test_some_namespaces_only(self):
        sim = Sim(self.env, "narrow")
        self.cluster("narrow", sim.server, data={"namespaces": "t-inside,t-other"})
        self.deploy("inside", {"name": "narrow"}, sim=sim)
        self.env.wait_status("inside", "Synced", "Healthy")
        requests = json.loads(sim.kube.raw("GET", "/kubesim/requests")[1])
        self.assertNotIn("clusterroles", json.dumps(requests))
        self.deploy("outside", {"name": "narrow"}, sim=sim)
        self.wait_condition("outside", "ComparisonError", 'namespace "t-outside" for ConfigMap "outside" is not managed')
        role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: wide}\nrules: []\n"
        self.deploy("inside-too", {"name": "narrow", "namespace": "t-inside"}, sim=sim, files={"role.yaml": role})
        self.wait_condition("inside-too", "ComparisonError",
                            'cluster level ClusterRole "wide" can not be managed when in namespaced mode')
        self.assertIsNone(sim.kube.get("rbac.authorization.k8s.io/v1", "ClusterRole", None, "wide"))
        self.cluster("narrow", sim.server, data={"namespaces": "t-inside,t-outside", "clusterResources": "true"})
        for name in ("inside", "outside", "inside-too"):
            self.env.wait_status(name, "Synced", "Healthy")
            self.assertIsNone(self.condition(self.env.get_app(name), "ComparisonError"))
        self.assertIsNotNone(sim.kube.get("rbac.authorization.k8s.io/v1", "ClusterRole", None, "wide"))

    def test_exclusions_at_run_time(self):
        sim = Sim(self.env, "excluding")
        self.addCleanup(self.env.config_map, "argocd-cm", {})
        self.cluster("excluding", sim.server)
        secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: hidden}\nstringData: {a: b}\n"
        _, ns = self.deploy("excluding", {"name": "excluding"}, sim=sim, automated=False,
                            files={"a.yaml": secret, "b.yaml": config_map("seen")})
        self.env.wait_app("excluding", lambda a: len(a.get("status", {}).get("resources", [])) == 2)
        before = self.kinds(sim)
        rule = "- {apiGroups: [''], kinds: [Secret], clusters: ['%s']}\n"
        self.env.config_map("argocd-cm", {"resource.exclusions": rule % "https://elsewhere"})
        time.sleep(0.7)
        self.assertEqual(self.kinds(sim), before)
        self.env.config_map("argocd-cm", {"resource.exclusions": rule % "http://127.0.0.1:*"})
        self.wait_condition("excluding", "ExcludedResourceWarning", "Resource /Secret hidden is excluded in the settings")
        self.env.wait("the kind to go", lambda: self.kinds(sim) == before - 1)
        self.assertEqual([r["name"] for r in self.env.get_app("excluding")["status"]["resources"]], ["seen"])
        self.env.config_map("argocd-cm", {"resource.inclusions": rule.replace("Secret", "ConfigMap") % "*"})
        self.env.wait("one kind to stay", lambda: self.kinds(sim) == 1)
        self.env.config_map("argocd-cm", {})
        self.env.wait("all kinds", lambda: self.kinds(sim) == before)
        self.env.wait_app("excluding", lambda a: len(a["status"]["resources"]) == 2 and not self.condition(a, "ExcludedResourceWarning"))

    def test_broken_parts_are_left_out(self):
        sim = Sim(self.env, "broken")
        sim.kube.create({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1.away.example"},
                         "spec": {"group": "away.example", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10,
                                  "service": {"name": "away", "namespace": "default"}}})
        self.faults(sim, {"verb": "list", "resource": "ingresses.networking.k8s.io", "status": 500})
        self.cluster("broken", sim.server)
        self.deploy("despite", {"name": "broken"}, sim=sim)
        self.env.wait_status("despite", "Synced", "Healthy", timeout=30)
        self.assertEqual(self.connected(sim.server), 1)
        self.assertIn("cannot be listed and is left out", self.env.controller.log())
        self.faults(sim)
        sim.kube.create({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "late", "namespace": "default"},
                         "spec": {"defaultBackend": {"service": {"name": "x", "port": {"number": 80}}}}})
        count = lambda: self.samples("argocd_cluster_events_total", server=sim.server, kind="Ingress")
        self.env.wait("the kind to be watched after all", lambda: sim.kube.merge(
            "networking.k8s.io/v1", "Ingress", "default", "late", {"metadata": {"labels": {"at": str(time.time())}}}) and count(), 30)

    def test_forbidden_kinds(self):
        sim = Sim(self.env, "forbidding")
        self.addCleanup(self.env.config_map, "argocd-cm", {})
        self.faults(sim, {"verb": "list", "resource": "secrets", "status": 403})
        self.cluster("forbidding", sim.server)
        self.deploy("forbidding", {"name": "forbidding"}, sim=sim)
        self.wait_condition("forbidding", "ComparisonError", "watch Secret")
        self.assertEqual(self.connected(sim.server), 0)
        self.env.config_map("argocd-cm", {"resource.respectRBAC": "normal"})
        self.env.wait_status("forbidding", "Synced", "Healthy", timeout=40)
        self.env.wait("it to be connected", lambda: self.connected(sim.server) == 1)


class Orphans(Base):
    @classmethod
    def setUpClass(cls):
        if os.environ.get("KUBECONFIG") and not os.environ.get("CARGOCD_KUBESIM"):
            raise unittest.SkipTest("it counts what is there, in a cluster where nobody else makes anything")
        super().setUpClass()
        cls.env.start_api_server(("--insecure", "--disable-auth"))

    def put(self, ns, name, kind="ConfigMap", **meta):
        self.env.kube.create({"apiVersion": "v1", "kind": kind, "metadata": dict({"name": name, "namespace": ns}, **meta)})

    def project(self, name, orphaned, **spec):
        body = {"sourceRepos": ["*"], "destinations": [{"namespace": "*", "server": "*"}],
                "clusterResourceWhitelist": [{"group": "*", "kind": "*"}]}
        body.update(spec)
        self.env.kube.create({"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject",
                              "metadata": {"name": name, "namespace": self.env.ns}, "spec": dict(body, orphanedResources=orphaned)})

    def orphans(self, name):
        tree = self.env.api.get("/api/v1/applications/%s/resource-tree" % name).json
        return sorted("%s/%s" % (n["kind"], n["name"]) for n in tree.get("orphanedNodes") or [])

    def warned(self, name, message):
        self.env.wait_app(name, lambda a: self.condition(a, "OrphanedResourceWarning") == message, what="to say %r" % message)

    def test_in_tree_condition_and_metric(self):
        self.project("orphans", {"warn": True, "ignore": [{"kind": "ConfigMap", "name": "ignored-*"}, {"group": "apps"}]},
                     namespaceResourceBlacklist=[{"group": "", "kind": "ServiceAccount"}])
        _, ns = self.deploy("parent", {"server": "https://kubernetes.default.svc"}, sim=self.env, project="orphans")
        for kind, name in (("ServiceAccount", "default"), ("ServiceAccount", "denied"), ("ConfigMap", "kube-root-ca.crt"),
                           ("ConfigMap", "ignored-1")):
            self.put(ns, name, kind)
        self.put("default", "elsewhere")
        self.env.wait_status("parent", "Synced", "Healthy")
        self.assertEqual(self.orphans("parent"), [])
        self.assertIsNone(self.condition(self.env.get_app("parent"), "OrphanedResourceWarning"))
        self.put(ns, "lost")  # told without a refresh
        self.warned("parent", "Application has 1 orphaned resources")
        uid = self.env.kube.get("v1", "ConfigMap", ns, "lost")["metadata"]["uid"]
        self.put(ns, "below", "Secret", ownerReferences=[{"apiVersion": "v1", "kind": "ConfigMap", "name": "lost", "uid": uid}])
        self.warned("parent", "Application has 2 orphaned resources")
        self.put(ns, "of-nobody", annotations={"argocd.argoproj.io/tracking-id": "no-such-app:/ConfigMap:%s/of-nobody" % ns})
        self.env.wait("the third", lambda: len(self.orphans("parent")) == 3 or self.env.refresh("parent"))
        self.assertEqual(self.orphans("parent"), ["ConfigMap/lost", "ConfigMap/of-nobody", "Secret/below"])
        self.env.wait("the metric", lambda: [v for _, v in self.samples("argocd_app_orphaned_resources_count", name="parent")] == [3])
        answer = self.env.api.get("/api/v1/applications/parent/resource?namespace=%s&resourceName=lost&kind=ConfigMap&version=v1&group=" % ns)
        self.assertEqual(answer.status, 200, answer.text)
        # What another application has is nobody's orphan.
        repo = self.env.repo()
        repo.commit({"cm.yaml": config_map("lost")})
        self.env.app("other", self.env.git.url(repo), dest_ns=ns, syncPolicy={"automated": {}})
        self.env.wait_status("other", "Synced")
        self.env.wait("it to be adopted", lambda: self.orphans("parent") == ["ConfigMap/of-nobody"])
        self.warned("parent", "Application has 1 orphaned resources")
        self.env.kube.delete("v1", "ConfigMap", ns, "of-nobody")
        time.sleep(0.3)
        self.env.refresh("parent")
        self.env.wait("it to go", lambda: self.orphans("parent") == [])
        self.warned("parent", None)
        self.assertEqual(self.env.kube.get("v1", "ConfigMap", "default", "elsewhere")["metadata"]["name"], "elsewhere")

    def test_without_warning(self):
        self.project("silent", {"warn": False})
        _, ns = self.deploy("silent", {"server": "https://kubernetes.default.svc"}, sim=self.env, project="silent")
        self.env.wait_status("silent", "Synced", "Healthy")
        self.put(ns, "lost")
        self.env.wait("the orphan", lambda: self.orphans("silent") == ["ConfigMap/lost"])
        self.assertIsNone(self.condition(self.env.get_app("silent"), "OrphanedResourceWarning"))
        self.env.kube.merge("argoproj.io/v1alpha1", "AppProject", self.env.ns, "silent", {"spec": {"orphanedResources": None}})
        self.env.wait("nobody to look", lambda: self.orphans("silent") == [])


class Metrics(Base):
    @classmethod
    def setUpClass(cls):
        if os.environ.get("KUBECONFIG") and not os.environ.get("CARGOCD_KUBESIM"):
            raise unittest.SkipTest("it counts what is there, in a cluster where nobody else makes anything")
        super().setUpClass()

    options = {"controller": ["--metrics-application-labels", "team,app.kubernetes.io/name", "--metrics-application-conditions",
                              "ComparisonError,SyncError", "--metrics-cluster-labels", "env", "--metrics-legacy"]}
    APP = ("namespace", "name", "project")
    # Of docs/operator-manual/metrics.md of Argo CD: the name, its type and all labels.
    FAMILIES = [
        ("argocd_app_info", "gauge", APP + ("autosync_enabled", "repo", "dest_server", "dest_namespace", "sync_status",
                                            "health_status", "operation")),
        ("argocd_app_condition", "gauge", APP + ("condition",)),
        ("argocd_app_labels", "gauge", APP + ("label_team", "label_app_kubernetes_io_name")),
        ("argocd_app_orphaned_resources_count", "gauge", APP),
        ("argocd_app_sync_total", "counter", APP + ("dest_server", "phase", "dry_run")),
        ("argocd_app_sync_duration_seconds_total", "counter", APP + ("dest_server",)),
        ("argocd_app_reconcile", "histogram", ("namespace", "dest_server")),
        ("argocd_app_sync_status", "gauge", APP + ("sync_status",)),
        ("argocd_app_health_status", "gauge", APP + ("health_status",)),
        ("argocd_app_created_time", "gauge", APP),
        ("argocd_cluster_info", "gauge", ("server", "k8s_version", "name")),
        ("argocd_cluster_labels", "gauge", ("server", "name", "label_env")),
        ("argocd_cluster_connection_status", "gauge", ("server", "k8s_version")),
        ("argocd_cluster_api_resource_objects", "gauge", ("server",)),
        ("argocd_cluster_api_resources", "gauge", ("server",)),
        ("argocd_cluster_cache_age_seconds", "gauge", ("server",)),
        ("argocd_cluster_events_total", "counter", ("server", "group", "kind")),
        ("argocd_resource_events_processing", "histogram", ("server",)),
        ("argocd_resource_events_processed_in_batch", "gauge", ("server",)),
        ("argocd_kubectl_exec_total", "counter", ("hostname", "command")),
        ("argocd_kubectl_requests_total", "counter", ("host", "method", "code")),
        ("argocd_kubectl_request_duration_seconds", "histogram", ("host", "verb")),
        ("argocd_redis_request_total", "counter", ("hostname", "initiator", "command", "failed")),
        ("argocd_redis_request_duration", "histogram", ("hostname", "initiator")),
        ("workqueue_depth", "gauge", ("controller", "name", "priority")),
        ("workqueue_adds_total", "counter", ("controller", "name")),
    ]
    BOUNDS = {"argocd_app_reconcile": "0.25 0.5 1 2 4 8 16 +Inf", "argocd_redis_request_duration": "0.01 0.05 0.1 0.25 0.5 1 +Inf",
              "argocd_resource_events_processing": "0.25 0.5 1 2 4 8 16 +Inf",
              "argocd_kubectl_request_duration_seconds": "0.005 0.1 0.5 2 8 30 +Inf"}

    def test_every_name_and_label(self):
        server = "https://kubernetes.default.svc"
        self.cluster("own", server, {}, labels={"env": "prod"})
        repo, ns = self.deploy("counted", {"server": server}, sim=self.env)
        self.env.patch_app("counted", {"metadata": {"labels": {"team": "a-b", "app.kubernetes.io/name": "x"}}})
        self.env.wait_status("counted", "Synced", "Healthy")
        self.deploy("failing", {"server": server}, sim=self.env, path="missing")
        self.wait_condition("failing", "ComparisonError", "Failed to load target state")
        self.env.wait("the condition", lambda: self.samples("argocd_app_condition", name="failing"))
        self.env.kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "event", "namespace": ns}})
        self.env.wait("an event", lambda: self.samples("argocd_cluster_events_total", kind="ConfigMap", group="", server=server))
        text = self.metrics()
        types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
        self.assertEqual(len(types), len(re.findall(r"^# TYPE ", text, re.M)), "a family twice")
        for name, kind, labels in self.FAMILIES:
            self.assertEqual(types.get(name), kind, name)
            found = self.samples(name + ("_count" if kind == "histogram" else ""))
            self.assertTrue(found, name)
            for have, _ in found:
                self.assertEqual(sorted(have), sorted(labels), name)
            if kind == "histogram":
                bounds = [h["le"] for h, _ in self.samples(name + "_bucket")]
                self.assertEqual(" ".join(bounds[:bounds.index("+Inf") + 1]), self.BOUNDS[name], name)
        one = lambda family, **labels: [v for _, v in self.samples(family, **labels)]
        info, value = self.samples("argocd_app_info", name="counted")[0]
        self.assertEqual((value, info["namespace"], info["project"], info["autosync_enabled"], info["dest_server"],
                          info["dest_namespace"], info["sync_status"], info["health_status"], info["operation"]),
                         (1, self.env.ns, "default", "true", server, ns, "Synced", "Healthy", ""))
        self.assertEqual(self.samples("argocd_app_labels", name="counted")[0][0]["label_team"], "a-b")
        self.assertEqual(self.samples("argocd_cluster_labels", server=server)[0][0]["label_env"], "prod")
        self.assertEqual(one("argocd_app_sync_total", name="counted", phase="Succeeded", dry_run="false"), [1])
        self.assertEqual(one("argocd_app_sync_status", name="counted"), [1, 0, 0])
        self.assertEqual(one("argocd_app_health_status", name="counted", health_status="Healthy"), [1])
        self.assertEqual(one("argocd_app_condition", name="failing", condition="ComparisonError"), [1])
        self.assertEqual(one("argocd_app_condition", name="counted"), [])
        self.assertEqual(one("argocd_cluster_connection_status", server=server, k8s_version="v1.34.0"), [1])
        self.assertGreaterEqual(sum(one("argocd_kubectl_exec_total", command="apply")), 1)
        self.assertGreaterEqual(one("argocd_redis_request_total", command="set", failed="false")[0], 1)
        self.assertGreaterEqual(one("argocd_cluster_cache_age_seconds", server=server)[0], 0)
        self.env.kube.delete("argoproj.io/v1alpha1", "Application", self.env.ns, "counted")
        self.env.wait("its series to go", lambda: not self.samples("argocd_app_info", name="counted"))
        self.assertEqual(self.samples("argocd_app_orphaned_resources_count", name="counted"), [])


class AnyNamespace(Base):
    options = {"controller": ["--application-namespaces", "team-*,/^exact$/"]}
    APP = ("argoproj.io/v1alpha1", "Application")

    def put(self, app_ns, name, project, files=None, automated=True):
        repo = self.env.repo()
        repo.commit(files or {"cm.yaml": config_map(name)})
        self.env.create_namespace(app_ns)
        dest = self.env.create_namespace()
        spec = {"project": project, "source": {"repoURL": self.env.git.url(repo), "path": ".", "targetRevision": "HEAD"},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": dest}}
        if automated:
            spec["syncPolicy"] = {"automated": {"prune": True, "selfHeal": True}}
        self.env.kube.create({"apiVersion": self.APP[0], "kind": "Application", "spec": spec,
                              "metadata": {"name": name, "namespace": app_ns, "finalizers": ["resources-finalizer.argocd.argoproj.io"]}})
        return repo, dest

    def project(self, name, *namespaces):
        self.env.kube.create({"apiVersion": self.APP[0], "kind": "AppProject", "metadata": {"name": name, "namespace": self.env.ns},
                              "spec": {"sourceRepos": ["*"], "destinations": [{"namespace": "*", "server": "*"}],
                                       "sourceNamespaces": list(namespaces)}})

    def wait(self, app_ns, name, condition, what):
        seen = {}

        def look():
            seen["app"] = self.env.kube.get(*self.APP, app_ns, name) or {}
            return condition(seen["app"])
        self.env.wait("%s/%s %s" % (app_ns, name, what), look)
        return seen["app"]

    def synced(self, app_ns, name):
        return self.wait(app_ns, name, lambda a: a.get("status", {}).get("sync", {}).get("status") == "Synced", "to be synced")

    def test_projects_say_from_where(self):
        self.project("teams", "team-*", "exact")
        repo, dest = self.put("team-a", "same", "teams")
        _, other = self.put("exact", "same", "teams")
        app = self.synced("team-a", "same")
        self.synced("exact", "same")
        self.assertEqual(app["status"]["controllerNamespace"], self.env.ns)
        live = self.env.kube.get("v1", "ConfigMap", dest, "same")
        note = "argocd.argoproj.io/tracking-id"
        self.assertEqual(live["metadata"]["annotations"][note], "team-a_same:/ConfigMap:%s/same" % dest)
        self.assertEqual(self.env.kube.get("v1", "ConfigMap", other, "same")["metadata"]["annotations"][note],
                         "exact_same:/ConfigMap:%s/same" % other)
        # Changes find their way to the application of that namespace.
        self.env.kube.merge("v1", "ConfigMap", dest, "same", {"data": {"key": "drift"}})
        self.env.wait("the drift to be healed", lambda: self.env.kube.get("v1", "ConfigMap", dest, "same")["data"] == {"key": "value"}, 10)
        _, refused = self.put("team-b", "barred", "default")
        message = "application 'barred' in namespace 'team-b' is not permitted to use project 'default'"
        self.wait("team-b", "barred", lambda a: self.condition(a, "UnknownError") == message, "to be refused")
        self.assertIsNone(self.env.kube.get("v1", "ConfigMap", refused, "barred"))
        self.put("elsewhere", "unheard", "teams")
        time.sleep(1)
        self.assertNotIn("status", self.env.kube.get(*self.APP, "elsewhere", "unheard"))
        self.assertEqual({h["namespace"] for h, _ in self.samples("argocd_app_info")}, {"team-a", "team-b", "exact"})
        self.env.kube.delete(*self.APP, "team-a", "same")
        self.wait("team-a", "same", lambda a: not a, "to go")
        self.assertIsNone(self.env.kube.get("v1", "ConfigMap", dest, "same"))
        self.assertIsNotNone(self.env.kube.get("v1", "ConfigMap", other, "same"))
        self.env.kube.merge(self.APP[0], "AppProject", self.env.ns, "teams", {"spec": {"sourceNamespaces": ["team-*"]}})
        self.wait("exact", "same", lambda a: self.condition(a, "UnknownError"), "to be refused")
