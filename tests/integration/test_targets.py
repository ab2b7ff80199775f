"""What is compared: the targets of an application, the live objects that go with them, and the status of each pair."""
import json

import yaml

from lib.case import Case, config_map
from lib.env import PROJECT

HOOK = "argocd.argoproj.io/hook"
TRACKING = "argocd.argoproj.io/tracking-id"
WAVE = "argocd.argoproj.io/sync-wave"


def document(text):
    return json.dumps(yaml.safe_load(text))


class TargetCase(Case):
    options = {"controller": ["--sync-wave-delay", "0"]}

    def make(self, name, files, synced=True, **spec):
        repo = self.env.repo()
        repo.commit(files)
        ns = self.env.app(name, self.env.git.url(repo), **spec)
        self.env.wait_app(name, lambda a: a.get("status", {}).get("sync", {}).get("status"), what="to be compared")
        if synced:
            self.env.sync(name)
            self.env.wait_operation(name)
            self.env.wait_status(name, "Synced")
        return ns, repo

    def refreshed(self, name, kind="normal"):
        self.env.refresh(name, kind)
        return self.env.wait_app(name, lambda a: "argocd.argoproj.io/refresh" not in a["metadata"].get("annotations", {}),
                                 what="to be refreshed")

    def push(self, name, repo, files):
        sha = repo.commit(files)
        self.env.refresh(name)
        return self.env.wait_app(name, lambda a: a["status"]["sync"].get("revision") == sha, what="to be at " + sha)

    def names(self, app):
        return {r["name"]: r.get("status") for r in app["status"].get("resources", [])}


class Local(TargetCase):
    """Manifests that a request to sync brings along (`argocd app sync --local`)."""

    def test_they_stay_until_the_next_operation(self):
        ns, _ = self.make("local", {"a.yaml": config_map("a", {"from": "git"})})
        mark = self.env.kube.get("v1", "ConfigMap", ns, "a")["metadata"]["annotations"][TRACKING]
        own = document(config_map("a", {"from": "here"}, {TRACKING: mark}))
        self.env.sync("local", manifests=[own])
        app = self.env.wait_operation("local")
        self.assertEqual(self.env.kube.get("v1", "ConfigMap", ns, "a")["data"], {"from": "here"})
        for kind in ("normal", "hard"):
            app = self.refreshed("local", kind)
            self.assertEqual((app["status"]["sync"]["status"], app["status"]["sync"].get("revision")), ("Synced", "HEAD"))
            self.assertNotIn("sourceType", app["status"])
        self.env.kube.merge("v1", "ConfigMap", ns, "a", {"data": {"from": "drift"}})
        self.env.wait_status("local", "OutOfSync")
        self.env.kube.merge("v1", "ConfigMap", ns, "a", {"data": {"from": "here"}})
        self.env.wait_status("local", "Synced")
        self.env.sync("local", dryRun=True)  # any other operation ends it
        self.env.wait_operation("local")
        self.refreshed("local")
        app = self.env.wait_status("local", "OutOfSync")
        self.assertEqual(len(app["status"]["sync"]["revision"]), 40)
        self.assertEqual(app["status"]["sourceType"], "Directory")
        self.env.sync("local")
        self.env.wait_operation("local")
        self.assertEqual(self.env.kube.get("v1", "ConfigMap", ns, "a")["data"], {"from": "git"})

    def test_they_are_read_with_care(self):
        self.make("unreadable", {"a.yaml": config_map("a")})
        self.env.sync("unreadable", manifests=["{"])
        app = self.env.wait_operation("unreadable", "Error")
        self.assertIn("ComparisonError: Failed to load local manifests: ", app["status"]["operationState"]["message"])
        self.wait_condition("unreadable", "ComparisonError", "Failed to load local manifests: ")
        self.env.wait_status("unreadable", "Unknown")
        self.env.sync("unreadable", manifests=["[1]"])
        app = self.env.wait_operation("unreadable", "Error")
        self.assertEqual(app["status"]["operationState"]["message"], "ComparisonError: Failed to load local manifests: manifest 1 is no object")
        self.env.sync("unreadable")
        self.env.wait_operation("unreadable")
        self.env.wait_status("unreadable", "Synced")

    def test_they_are_refused_where_signatures_count(self):
        ns = self.env.create_namespace()
        policy = {"repos": [{"url": "*"}], "gpg": {"mode": "head", "keys": ["ABCDEF0123456789"]}}
        self.env.kube.create({"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "signed", "namespace": self.env.ns},
                              "spec": {"sourceRepos": ["*"], "destinations": [{"namespace": "*", "server": "*"}],
                                       "sourceIntegrity": {"git": {"policies": [policy]}}}})
        self.make("signed", {"a.yaml": config_map("a")}, synced=False, project="signed", dest_ns=ns)
        self.env.sync("signed", manifests=[document(config_map("a"))])
        app = self.env.wait_operation("signed", "Error")
        self.assertEqual(app["status"]["operationState"]["message"],
                         "ComparisonError: Cannot use local manifests when source integrity is enforced")
        self.assertIsNone(self.env.kube.get("v1", "ConfigMap", ns, "a"))


class Targets(TargetCase):
    def test_scopes(self):
        role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: %s, namespace: elsewhere}\nrules: []\n"
        name = "scopes-" + self.env.ns
        ns, _ = self.make("scopes", {"r.yaml": role % name, "cm.yaml": config_map("plain")})
        app = self.env.get_app("scopes")
        spaces = {r["kind"]: r.get("namespace") for r in app["status"]["resources"]}
        self.assertEqual(spaces, {"ClusterRole": None, "ConfigMap": ns})
        live = self.env.kube.get("rbac.authorization.k8s.io/v1", "ClusterRole", None, name)
        self.assertEqual(live["metadata"]["annotations"][TRACKING], "scopes:rbac.authorization.k8s.io/ClusterRole:%s/%s" % (ns, name))
        result = [r for r in app["status"]["operationState"]["syncResult"]["resources"] if r["kind"] == "ClusterRole"][0]
        self.assertEqual(result["namespace"], ns)  # sharp edge 16
        self.env.kube.delete("rbac.authorization.k8s.io/v1", "ClusterRole", None, name)

    def test_a_namespaced_object_without_one(self):
        repo = self.env.repo()
        repo.commit({"a.yaml": config_map("nowhere")})
        self.env.app("nowhere", self.env.git.url(repo), destination={"server": "https://kubernetes.default.svc"})
        self.assertEqual(self.wait_condition("nowhere", "InvalidSpecError", "Namespace for"),
                         "Namespace for nowhere /v1, Kind=ConfigMap is missing.")

    def test_the_same_object_more_than_once(self):
        ns, _ = self.make("thrice", {"%s.yaml" % x: config_map("same", {"from": x}) for x in "abc"}, synced=False)
        self.assertEqual(self.wait_condition("thrice", "RepeatedResourceWarning", "same"),
                         "Resource /ConfigMap/%s/same appeared 3 times among application resources." % ns)

    def test_names_that_are_generated_are_never_the_same(self):
        job = "apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: run-, annotations: {%s: PreSync}}\n" % HOOK \
              + "spec: {template: {spec: {restartPolicy: Never, containers: [{name: m, image: x}]}}}\n"
        self.make("generated", {"a.yaml": job, "b.yaml": job, "cm.yaml": config_map("c")}, synced=False)
        self.assertIsNone(self.condition(self.env.get_app("generated"), "RepeatedResourceWarning"))

    def test_the_namespace_whose_metadata_is_managed_is_not_pruned(self):
        ns = self.env.create_namespace()
        self.make("managed", {"cm.yaml": config_map("c")}, dest_ns=ns, synced=False,
                  syncPolicy={"managedNamespaceMetadata": {"labels": {"team": "a"}}})
        self.env.kube.merge("v1", "Namespace", None, ns, {"metadata": {"annotations": {TRACKING: "managed:/Namespace:%s/%s" % (ns, ns)}}})
        app = self.env.wait_app("managed", lambda a: ns in self.names(a), what="to have its namespace")
        self.assertNotIn("requiresPruning", self.resource(app, "Namespace", ns))
        if self.env.real:  # server-side apply
            self.env.sync("managed", prune=True)
            self.env.wait_operation("managed")
            self.assertEqual(self.env.kube.get("v1", "Namespace", None, ns)["metadata"]["labels"]["team"], "a")
            self.env.wait_status("managed", "Synced")
        self.env.patch_app("managed", {"spec": {"syncPolicy": None}})
        app = self.refreshed("managed")
        self.assertTrue(self.resource(app, "Namespace", ns)["requiresPruning"])
        self.env.kube.merge("v1", "Namespace", None, ns, {"metadata": {"annotations": {TRACKING: None}}})


class Pairs(TargetCase):
    def test_who_has_a_status(self):
        files = {"a.yaml": config_map("plain"), "odd.yaml": config_map("odd", annotations={HOOK: "Foo"}),
                 "both.yaml": config_map("both", annotations={HOOK: "PreSync,Skip"}),
                 "skip.yaml": config_map("skip", annotations={HOOK: "Skip"}),
                 "test.yaml": config_map("test", annotations={"helm.sh/hook": "test"})}
        ns, repo = self.make("pairs", files)
        app = self.env.get_app("pairs")
        self.assertIsNone(self.env.kube.get("v1", "ConfigMap", ns, "odd"))   # sharp edge 19
        self.assertIsNone(self.env.kube.get("v1", "ConfigMap", ns, "test"))
        self.assertIsNone(self.env.kube.get("v1", "ConfigMap", ns, "skip"))
        self.assertIsNotNone(self.env.kube.get("v1", "ConfigMap", ns, "both"))  # sharp edge 20
        self.assertNotIn("odd", self.names(app))
        self.assertNotIn("test", self.names(app))
        self.assertEqual((self.names(app)["plain"], self.names(app).get("both")), ("Synced", None))
        self.assertTrue(self.resource(app, "ConfigMap", "both")["hook"])
        mark = "pairs:/ConfigMap:%s/skip" % ns
        self.env.kube.create(yaml.safe_load(config_map("skip", {"k": "old"}, {TRACKING: mark}, ns)))
        app = self.env.wait_app("pairs", lambda a: any(r["name"] == "skip" for r in a["status"]["resources"]), what="to see it")
        self.assertIsNone(self.names(app)["skip"])
        self.env.sync("pairs", prune=True)
        self.env.wait_operation("pairs")
        self.assertIsNotNone(self.env.kube.get("v1", "ConfigMap", ns, "skip"))  # a target that is skipped protects it

    def test_what_is_to_be_pruned(self):
        ns, repo = self.make("extra", {"a.yaml": config_map("a"), "b.yaml": config_map("b", annotations={WAVE: "3"}),
                                       "c.yaml": config_map("c", annotations={"argocd.argoproj.io/compare-options": "IgnoreExtraneous"})})
        app = self.push("extra", repo, {"c.yaml": None})
        c = self.resource(app, "ConfigMap", "c")
        self.assertEqual((app["status"]["sync"]["status"], c["status"], c["requiresPruning"]), ("Synced", "OutOfSync", True))  # sharp edge 46
        self.assertEqual(self.resource(app, "ConfigMap", "b")["syncWave"], 3)
        app = self.push("extra", repo, {"b.yaml": None})
        b = self.resource(app, "ConfigMap", "b")
        self.assertEqual((app["status"]["sync"]["status"], b.get("syncWave")), ("OutOfSync", None))
        self.env.sync("extra", prune=True)
        self.env.wait_operation("extra")
        self.env.wait("it to go", lambda: self.env.kube.get("v1", "ConfigMap", ns, "c") is None)

    def test_another_tracking_method_is_no_difference(self):
        self.env.config_map("argocd-cm", {"application.resourceTrackingMethod": "label"})
        self.addCleanup(self.env.config_map, "argocd-cm", {})
        ns, _ = self.make("bylabel", {"a.yaml": config_map("a")})
        live = self.env.kube.get("v1", "ConfigMap", ns, "a")["metadata"]
        self.assertEqual((live["labels"], TRACKING in live["annotations"]), ({"app.kubernetes.io/instance": "bylabel"}, False))
        self.env.config_map("argocd-cm", {"application.resourceTrackingMethod": "annotation"})
        self.env.wait("the setting", lambda: "Refreshing" in self.env.controller.log())
        for _ in range(3):
            app = self.refreshed("bylabel", "hard")
            self.assertEqual(app["status"]["sync"]["status"], "Synced")
        self.env.sync("bylabel")
        self.env.wait_operation("bylabel")
        live = self.env.kube.get("v1", "ConfigMap", ns, "a")["metadata"]
        self.assertEqual(live["annotations"][TRACKING], "bylabel:/ConfigMap:%s/a" % ns)
        self.assertNotIn("app.kubernetes.io/instance", live.get("labels", {}))

    def test_what_is_not_its_own(self):
        ns, _ = self.make("selfish", {"a.yaml": config_map("a")})
        copy = yaml.safe_load(config_map("copy", {"k": "v"}, {TRACKING: "selfish:/ConfigMap:%s/a" % ns}, ns))
        self.env.kube.create(copy)
        app = self.env.wait_app("selfish", lambda a: any(r["name"] == "copy" for r in a["status"]["resources"]), what="to see the copy")
        self.assertEqual((app["status"]["sync"]["status"], self.names(app)["copy"]), ("Synced", None))
        self.assertNotIn("requiresPruning", self.resource(app, "ConfigMap", "copy"))
        self.env.sync("selfish", prune=True)
        self.env.wait_operation("selfish")
        self.assertIsNotNone(self.env.kube.get("v1", "ConfigMap", ns, "copy"))

    def test_a_kind_that_the_project_no_longer_permits(self):
        self.env.kube.create({"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "narrow", "namespace": self.env.ns},
                              "spec": {"sourceRepos": ["*"], "destinations": [{"namespace": "*", "server": "*"}]}})
        self.make("narrow", {"a.yaml": config_map("a")}, project="narrow")
        self.env.kube.merge(*PROJECT, self.env.ns, "narrow", {"spec": {"namespaceResourceWhitelist": []}})
        self.refreshed("narrow")
        app = self.env.wait_status("narrow", "OutOfSync")  # the live object is not looked at: sharp edge 51
        self.assertEqual(self.names(app)["a"], "Unknown")
        self.env.sync("narrow")
        app = self.env.wait_operation("narrow", "Failed")
        self.assertEqual(app["status"]["operationState"]["message"],
                         "one or more synchronization tasks are not valid: resource :ConfigMap is not permitted in project narrow")

    def test_confirmations(self):
        note = {"argocd.argoproj.io/sync-options": "Prune=confirm"}
        self.make("confirm", {"a.yaml": config_map("a", annotations=note), "b.yaml": config_map("b")})
        app = self.env.get_app("confirm")
        told = {r["name"]: r.get("requiresDeletionConfirmation") for r in app["status"]["resources"]}
        self.assertEqual(told, {"a": True, "b": None})
        self.env.patch_app("confirm", {"spec": {"syncPolicy": {"syncOptions": ["Delete=confirm"]}}})
        app = self.refreshed("confirm")
        self.assertTrue(self.resource(app, "ConfigMap", "b")["requiresDeletionConfirmation"])


class Edges(TargetCase):
    """Sharp edges of a sync."""

    def test_a_policy_of_helm_keeps_nothing_from_being_pruned(self):
        ns, repo = self.make("keeps", {"a.yaml": config_map("a"), "b.yaml": config_map("b", annotations={"helm.sh/resource-policy": "keep"})})
        self.push("keeps", repo, {"b.yaml": None})
        self.env.sync("keeps", prune=True)
        self.env.wait_operation("keeps")
        self.env.wait("it to go", lambda: self.env.kube.get("v1", "ConfigMap", ns, "b") is None)

    def test_a_namespace_that_is_a_hook_is_made_all_the_same(self):
        ns = "hooked-" + self.env.ns
        space = "apiVersion: v1\nkind: Namespace\nmetadata: {name: %s, annotations: {%s: PreSync}}\n" % (ns, HOOK)
        self.env.namespaces.append(ns)
        self.make("hooked", {"ns.yaml": space, "a.yaml": config_map("a")}, synced=False, dest_ns=ns)
        self.env.sync("hooked", syncOptions=["CreateNamespace=true"])
        app = self.env.wait_operation("hooked")
        spaces = [(r.get("hookType"), r["syncPhase"]) for r in app["status"]["operationState"]["syncResult"]["resources"] if r["kind"] == "Namespace"]
        self.assertEqual({hook for hook, _ in spaces}, {"PreSync", None})  # both tasks exist
        self.assertIsNotNone(self.env.kube.get("v1", "ConfigMap", ns, "a"))

    def test_what_is_ignored_is_applied_all_the_same(self):
        ns, repo = self.make("ignoring", {"a.yaml": config_map("a", {"size": "3", "other": "x"})})
        self.env.patch_app("ignoring", {"spec": {"ignoreDifferences": [{"kind": "ConfigMap", "jsonPointers": ["/data/size"]}]}})
        self.env.kube.merge("v1", "ConfigMap", ns, "a", {"data": {"size": "5"}})
        self.refreshed("ignoring")
        self.env.wait_status("ignoring", "Synced")
        self.env.sync("ignoring")
        self.env.wait_operation("ignoring")
        self.assertEqual(self.env.kube.get("v1", "ConfigMap", ns, "a")["data"]["size"], "3")
        self.env.kube.merge("v1", "ConfigMap", ns, "a", {"data": {"size": "5"}})
        self.env.sync("ignoring", syncOptions=["RespectIgnoreDifferences=true"])
        self.env.wait_operation("ignoring")
        self.assertEqual(self.env.kube.get("v1", "ConfigMap", ns, "a")["data"]["size"], "5")

    def test_the_last_wave_is_not_waited_for(self):
        job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: %s, annotations: {%s: '%d'}}\nspec: {suspend: false, template: {spec: {restartPolicy: Never, " \
              "containers: [{name: m, image: 'localhost/never:1', command: [sleep, '600']}]}}}\n"
        self.make("last-wave", {"a.yaml": config_map("a"), "j.yaml": job % ("last", WAVE, 1)}, synced=False)
        self.env.sync("last-wave")
        app = self.env.wait_operation("last-wave")
        self.assertEqual(app["status"]["operationState"]["message"], "successfully synced (all tasks run)")

    def test_a_failure_does_not_stop_its_wave(self):
        bad = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: Bad_Name}\n"
        ns, _ = self.make("onward", {"bad.yaml": bad, "a.yaml": config_map("a"), "late.yaml": config_map("late", annotations={WAVE: "1"})}, synced=False)
        self.env.sync("onward")
        app = self.env.wait_operation("onward", "Failed")
        self.assertIsNotNone(self.env.kube.get("v1", "ConfigMap", ns, "a"))
        self.assertIsNone(self.env.kube.get("v1", "ConfigMap", ns, "late"))
        self.assertIn(', reason: ServiceAccount "Bad_Name" is invalid', app["status"]["operationState"]["message"])

    def test_a_partial_sync_skips_hooks_and_history(self):
        ns, _ = self.make("partial", {"a.yaml": config_map("a"), "h.yaml": config_map("h", annotations={HOOK: "PreSync"})}, synced=False)
        self.env.sync("partial", resources=[{"kind": "ConfigMap", "name": "a"}])
        app = self.env.wait_operation("partial")
        self.assertIsNone(self.env.kube.get("v1", "ConfigMap", ns, "h"))
        self.assertNotIn("history", app["status"])
