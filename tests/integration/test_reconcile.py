"""The reconcile loop: what is looked at and what is left alone, what is written, what is logged."""
import json
import re
import time

from lib.case import Case, config_map
from lib.env import APP
from lib.kube import ApiError
from lib.clusters import SECRET
from lib.clusters import Base as Clusters
from lib.clusters import Sim

SKIP = "argocd.argoproj.io/skip-reconcile"
CASCADE = "resources-finalizer.argocd.argoproj.io"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


class LeftAlone(Clusters):
    def skip_app(self, name, value):
        self.env.patch_app(name, {"metadata": {"annotations": {SKIP: value}}})

    def test_an_application(self):
        """Neither compared, nor synced, nor deleted, nor counted."""
        repo = self.env.repo()
        repo.commit({"a.yaml": config_map("a")})
        ns = self.env.app("alone", self.env.git.url(repo))
        self.env.wait_status("alone", "OutOfSync")
        self.assertEqual(len(self.samples("argocd_app_info", name="alone")), 1)
        self.skip_app("alone", "True")
        self.env.wait("no figures", lambda: not self.samples("argocd_app_info", name="alone"))
        before = self.env.get_app("alone")["status"]
        repo.commit({"b.yaml": config_map("b")})
        self.env.refresh("alone")
        self.env.sync("alone")
        time.sleep(2)
        app = self.env.get_app("alone")
        self.assertEqual((app["status"], app["metadata"]["annotations"]["argocd.argoproj.io/refresh"]), (before, "normal"))
        self.assertIn("operation", app)
        self.skip_app("alone", "not a truth value")
        self.env.wait_operation("alone")
        self.assertTrue(self.env.kube.get("v1", "ConfigMap", ns, "b"))
        self.env.patch_app("alone", {"metadata": {"finalizers": [CASCADE], "annotations": {SKIP: "1"}}})
        self.env.wait("no figures", lambda: not self.samples("argocd_app_info", name="alone"))
        self.env.kube.delete(*APP, self.env.ns, "alone")
        time.sleep(1)
        self.assertTrue(self.env.kube.get("v1", "ConfigMap", ns, "b"))
        self.skip_app("alone", "false")
        self.env.wait("the end", lambda: self.env.get_app("alone") is None and not self.env.kube.get("v1", "ConfigMap", ns, "b"))

    def test_a_cluster(self):
        sim = Sim(self.env, "quiet")
        self.cluster("quiet", sim.server, annotations={SKIP: "true"})
        _, ns = self.deploy("on-quiet", {"name": "quiet"}, sim=sim)
        time.sleep(2)
        self.assertNotIn("status", self.env.get_app("on-quiet"))
        self.assertEqual(self.samples("argocd_app_info", name="on-quiet"), [])
        self.assertEqual(self.samples("argocd_cluster_info", server=sim.server), [])
        self.cluster("quiet", sim.server)
        self.env.wait_status("on-quiet", "Synced", "Healthy")
        self.cluster("quiet", sim.server, annotations={SKIP: "true"})
        self.env.wait("no figures", lambda: not self.samples("argocd_app_info", name="on-quiet"))
        sim.kube.merge("v1", "ConfigMap", ns, "on-quiet", {"data": {"key": "drift"}})
        time.sleep(1.5)
        self.assertEqual(sim.kube.get("v1", "ConfigMap", ns, "on-quiet")["data"]["key"], "drift")
        self.cluster("quiet", sim.server)
        self.env.wait("the drift to be healed", lambda: sim.kube.get("v1", "ConfigMap", ns, "on-quiet")["data"]["key"] == "value")

    def test_a_refresh_of_a_cluster(self):
        """The annotation of its Secret has everything listed anew."""
        sim = Sim(self.env, "again")
        self.cluster("again", sim.server)
        self.deploy("on-again", {"name": "again"}, sim=sim)
        self.env.wait_status("on-again", "Synced")
        synced = self.env.controller.log().count("cluster cache is synced")
        self.cluster("again", sim.server, annotations={"argocd.argoproj.io/refresh": "2030-01-01T00:00:00Z"})
        self.env.wait("another list", lambda: self.env.controller.log().count("cluster cache is synced") > synced)
        self.env.wait_status("on-again", "Synced")

    def test_the_version_as_a_label(self):
        sim = Sim(self.env, "labelled")
        sim.kube.call("PUT", "/kubesim/options", {"gitVersion": "v1.29.3-gke.1093000"})
        self.cluster("labelled", sim.server, labels={"argocd.argoproj.io/auto-label-cluster-info": "true"})
        self.deploy("on-labelled", {"name": "labelled"}, sim=sim)
        self.env.wait_status("on-labelled", "Synced")
        self.assertEqual([labels["k8s_version"] for labels, _ in self.samples("argocd_cluster_info", server=sim.server)], ["v1.29.3"])

        def label():
            return self.env.kube.get(*SECRET, self.env.ns, "cluster-labelled")["metadata"]["labels"].get("argocd.argoproj.io/kubernetes-version")
        self.env.wait("the label", lambda: label() == "v1.29.3", 20)


class Unsigned(Case):
    @classmethod
    def setUpClass(cls):
        cls.options = {"controller": ["--gpg-enabled", "No"]}
        super().setUpClass()

    def test_signatures_are_not_asked_for(self):
        self.env.kube.merge("argoproj.io/v1alpha1", "AppProject", self.env.ns, "default", {"spec": {"signatureKeys": [{"keyID": "4AEE18F83AFDEB23"}]}})
        repo = self.env.repo()
        repo.commit({"a.yaml": config_map("a")})
        self.env.app("unsigned", self.env.git.url(repo), syncPolicy={"automated": {}})
        self.env.wait_status("unsigned", "Synced")


class Documents(Case):
    """Status, operation and history, field by field."""

    def shape(self, value):
        """With what differs from run to run replaced by what it is."""
        if isinstance(value, dict):
            return {k: self.shape(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.shape(v) for v in value]
        if isinstance(value, str):
            value = value.replace(self.ns, "NS").replace(self.url, "URL").replace(self.env.ns, "CONTROL")
            value = re.sub(r"\b[0-9a-f]{40}\b", "REVISION", value)
            return "TIME" if re.fullmatch(TIME, value) else value
        return value

    def make(self, name, files, **spec):
        repo = self.env.repo()
        repo.commit(files)
        self.url = self.env.git.url(repo)
        self.ns = self.env.app(name, self.url, **spec)
        return repo

    def test_status_of_one_source(self):
        files = {"a.yaml": config_map("a", annotations={"argocd.argoproj.io/sync-wave": "2"}),
                 "b.yaml": config_map("b", annotations={"argocd.argoproj.io/hook": "PreSync", "argocd.argoproj.io/hook-delete-policy": "HookFailed"}),
                 "c.yaml": config_map("c", annotations={"argocd.argoproj.io/sync-options": "Prune=confirm"})}
        repo = self.make("one", files, ignoreDifferences=[{"kind": "ConfigMap", "jsonPointers": ["/data/x"]}])
        self.env.wait_status("one", "OutOfSync")
        destination = {"server": "https://kubernetes.default.svc", "namespace": "NS"}
        source = {"repoURL": "URL", "path": ".", "targetRevision": "HEAD"}
        base = {"version": "v1", "kind": "ConfigMap", "namespace": "NS"}
        want = {
            "sync": {"status": "OutOfSync", "revision": "REVISION", "comparedTo": {
                "destination": destination, "source": source, "ignoreDifferences": [{"kind": "ConfigMap", "jsonPointers": ["/data/x"]}]}},
            "health": {"status": "Missing", "lastTransitionTime": "TIME"},
            "resources": [dict(base, name="a", status="OutOfSync", syncWave=2),
                          dict(base, name="c", status="OutOfSync", requiresDeletionConfirmation=True)],
            "sourceType": "Directory", "reconciledAt": "TIME", "controllerNamespace": "CONTROL", "resourceHealthSource": "appTree"}
        self.assertEqual(self.shape(self.env.get_app("one")["status"]), want)
        # A synchronisation, with one object that is to go, and not unasked.
        self.env.sync("one", revision="HEAD", prune=True, syncStrategy={"hook": {}})
        self.env.wait_operation("one")
        repo.commit({"c.yaml": config_map("d")})
        self.env.refresh("one")
        app = self.env.wait_app("one", lambda a: any(r.get("requiresPruning") for r in a["status"]["resources"] if r["name"] == "c"))
        self.assertEqual([r for r in self.shape(app["status"]["resources"]) if r["name"] == "c"],
                         [dict(base, name="c", status="OutOfSync", requiresPruning=True, requiresDeletionConfirmation=True)])
        self.assertEqual([r for r in self.shape(app["status"]["resources"]) if r["name"] == "b"], [dict(base, name="b", hook=True, requiresPruning=True)])
        state = self.shape(app["status"]["operationState"])
        results = state["syncResult"].pop("resources")
        self.assertEqual(state, {
            "operation": {"initiatedBy": {"username": "test"}, "sync": {"revision": "HEAD", "prune": True, "syncStrategy": {"hook": {}}}},
            "phase": "Succeeded", "message": "successfully synced (all tasks run)", "startedAt": "TIME", "finishedAt": "TIME",
            "syncResult": {"revision": "REVISION", "source": source}})
        result = dict(base, group="", status="Synced")
        self.assertEqual(results, [
            dict(result, name="b", message="b created", hookType="PreSync", hookPhase="Succeeded", syncPhase="PreSync"),
            dict(result, name="c", message="configmap/c created", hookPhase="Succeeded", syncPhase="Sync"),
            dict(result, name="a", message="configmap/a created", hookPhase="Running", syncPhase="Sync")])
        self.assertEqual([r["name"] for r in results], ["b", "c", "a"])
        self.assertEqual(self.shape(app["status"]["history"]), [
            {"id": 0, "revision": "REVISION", "source": source, "deployedAt": "TIME", "deployStartedAt": "TIME", "initiatedBy": {"username": "test"}}])
        self.assertNotIn("operation", app)
        self.assertNotIn("observedAt", app["status"])

    def test_status_of_several_sources(self):
        repo = self.env.repo()
        repo.commit({"one/a.yaml": config_map("a"), "two/b.yaml": config_map("b")})
        self.url = self.env.git.url(repo)
        sources = [{"repoURL": self.url, "path": p, "targetRevision": "HEAD"} for p in ("one", "two")] + [
            {"repoURL": self.url, "ref": "values", "targetRevision": "HEAD"}]
        self.ns = self.env.create_namespace()
        self.env.kube.create({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "many", "namespace": self.env.ns},
                              "spec": {"project": "", "sources": sources, "destination": {"server": "https://kubernetes.default.svc", "namespace": self.ns},
                                       "syncPolicy": {}}})
        self.env.wait_status("many", "OutOfSync")
        app = self.env.get_app("many")
        # The specification as it is normalised.
        self.assertEqual((app["spec"]["project"], "syncPolicy" in app["spec"]), ("default", False))
        sync = self.shape(app["status"]["sync"])
        self.assertEqual((sync["revisions"], "revision" in sync), (["REVISION"] * 3, False))
        self.assertEqual(sync["comparedTo"]["sources"], self.shape(sources))
        self.assertEqual(len(app["status"]["sourceTypes"]), 3)
        self.assertNotIn("sourceType", app["status"])
        self.env.sync("many")
        self.env.wait_operation("many")
        app = self.env.wait_status("many", "Synced")
        result = self.shape(app["status"]["operationState"]["syncResult"])
        self.assertEqual((result["revisions"], result["sources"]), (["REVISION"] * 3, self.shape(sources)))
        entry = self.shape(app["status"]["history"][0])
        self.assertEqual((entry["revisions"], entry["sources"], entry["id"]), (["REVISION"] * 3, self.shape(sources), 0))
        # Of several sources none is named in the event.
        self.assertIn("Sync operation to  succeeded", {e["message"] for e in self.env.kube.list("v1", "Event", self.env.ns)})

    def test_a_comparison_after_the_end_of_an_operation(self):
        """Whoever waits for it gets it, although the controller ended just in between."""
        self.make("owed", {"a.yaml": config_map("a")}, syncPolicy={"automated": {}})
        app = self.env.wait_status("owed", "Synced")
        self.env.may_be_down = (self.env.controller,)
        self.env.controller.kill()
        finished = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
        self.env.patch_app("owed", {"status": {"operationState": {"finishedAt": finished}}})
        time.sleep(2)
        self.env.controller.start()
        self.env.may_be_down = ()
        app = self.env.wait_app("owed", lambda a: a["status"]["reconciledAt"] >= finished, 20)
        # Once, and nothing more.
        time.sleep(1)
        self.assertEqual(self.env.get_app("owed")["metadata"]["resourceVersion"], app["metadata"]["resourceVersion"])

    def test_history_and_its_limit(self):
        repo = self.make("limited", {"a.yaml": config_map("a", {"n": "0"})}, revisionHistoryLimit=2)
        for i in range(1, 4):
            repo.commit({"a.yaml": config_map("a", {"n": str(i)})})
            self.env.sync("limited")
            self.env.wait_operation("limited")
        self.assertEqual([h["id"] for h in self.env.get_app("limited")["status"]["history"]], [1, 2])
        for what in ({"dryRun": True}, {"resources": [{"kind": "ConfigMap", "name": "a"}]}):
            self.env.sync("limited", **what)
            self.env.wait_operation("limited")
        self.assertEqual([h["id"] for h in self.env.get_app("limited")["status"]["history"]], [1, 2])
        self.env.patch_app("limited", {"spec": {"revisionHistoryLimit": 0}})
        self.env.sync("limited")
        self.env.wait_operation("limited")
        self.assertEqual(self.env.get_app("limited")["status"].get("history", []), [])
        self.env.patch_app("limited", {"spec": {"revisionHistoryLimit": 5}})
        self.env.sync("limited")
        self.env.wait_operation("limited")
        self.assertEqual([h["id"] for h in self.env.get_app("limited")["status"]["history"]], [0])

    def test_conditions_keep_their_time(self):
        self.make("still", {"a.yaml": config_map("a") + "---\n" + config_map("a")})
        self.env.wait_app("still", lambda a: self.condition(a, "RepeatedResourceWarning"))
        first = self.env.get_app("still")["status"]["conditions"]
        self.assertEqual(first[0]["message"], "Resource /ConfigMap/%s/a appeared 2 times among application resources." % self.ns)
        time.sleep(1.1)
        self.env.refresh("still")
        app = self.env.wait_app("still", lambda a: "argocd.argoproj.io/refresh" not in a["metadata"].get("annotations", {}))
        self.assertEqual(app["status"]["conditions"], first)


class Parents(Clusters):
    """Parents that no reference names, whichever of the two comes first."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env.start_api_server(("--insecure", "--disable-auth"))

    SET = """apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  replicas: 0
  serviceName: web
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "nginx:1"}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: robot}
"""

    def claim(self, ns, name):
        self.env.kube.create({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": ns},
                              "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}, exist_ok=True)

    def children(self, kind):
        """Names of the kind's nodes with their parents'."""
        answer = self.env.api.get("/api/v1/applications/parents/resource-tree").json
        return {n["name"]: [(p["kind"], p["name"]) for p in n.get("parentRefs", [])] for n in answer.get("nodes", []) if n["kind"] == kind}

    def test_claims_endpoints_and_tokens(self):
        repo = self.env.repo()
        repo.commit({"all.yaml": self.SET})
        ns = self.env.create_namespace()
        before, after = ["data-web-0", "old-data-web-12"], ["data-web-1"]
        for name in before + ["logs-web-0", "data-web-x", "data-other-0", "data-web"]:
            self.claim(ns, name)
        self.env.app("parents", self.env.git.url(repo), dest_ns=ns, syncPolicy={"automated": {}})
        self.env.wait_status("parents", "Synced")
        for name in after:
            self.claim(ns, name)
        self.env.kube.create({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "web", "namespace": ns}}, exist_ok=True)
        robot = self.env.kube.get("v1", "ServiceAccount", ns, "robot")["metadata"]["uid"]
        self.env.kube.create({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token", "metadata": {
            "name": "robots", "namespace": ns, "annotations": {"kubernetes.io/service-account.name": "robot", "kubernetes.io/service-account.uid": robot}}})
        wanted = {n: [("StatefulSet", "web")] for n in before + after}
        self.env.wait("the claims", lambda: self.children("PersistentVolumeClaim") == wanted)
        self.env.wait("the token", lambda: self.children("Secret").get("robots") == [("ServiceAccount", "robot")])
        self.env.wait("the endpoints", lambda: self.children("Endpoints") == {"web": [("Service", "web")]})
        self.operators(ns)
        # Without the set they are nobody's.
        self.env.kube.delete("apps/v1", "StatefulSet", ns, "web")
        self.env.wait("no claims", lambda: self.children("PersistentVolumeClaim") == {})
        self.env.sync("parents")
        self.env.wait_operation("parents")
        self.env.wait("the claims again", lambda: self.children("PersistentVolumeClaim") == wanted)


    def operators(self, ns):
        for kind in ("OperatorGroup", "ClusterServiceVersion"):
            plural = kind.lower() + "s"
            self.env.kube.create({
                "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": plural + ".operators.coreos.com"},
                "spec": {"group": "operators.coreos.com", "scope": "Namespaced", "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
                         "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                             "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]}}, exist_ok=True)
        api = "operators.coreos.com/v1"
        self.env.wait("the kinds", lambda: self.served(api))
        self.env.kube.create({"apiVersion": api, "kind": "ClusterServiceVersion", "metadata": {
            "name": "early", "namespace": ns, "annotations": {"olm.operatorGroup": "group"}}})
        time.sleep(1.5)
        tracking = {"argocd.argoproj.io/tracking-id": "parents:operators.coreos.com/OperatorGroup:%s/group" % ns}
        self.env.kube.create({"apiVersion": api, "kind": "OperatorGroup", "metadata": {"name": "group", "namespace": ns, "annotations": tracking}})
        self.env.kube.create({"apiVersion": api, "kind": "ClusterServiceVersion", "metadata": {
            "name": "late", "namespace": ns, "annotations": {"olm.operatorGroup": "group"}}})
        self.env.wait("the operators", lambda: self.children("ClusterServiceVersion") == {n: [("OperatorGroup", "group")] for n in ("early", "late")})

    def served(self, api):
        try:
            return self.env.kube.list(api, "OperatorGroup") is not None and self.env.kube.list(api, "ClusterServiceVersion") is not None
        except ApiError:
            return False


class Logs(Case):
    options = {"controller": ["--logformat", "json", "--loglevel", "info"]}

    def lines(self, name, message):
        out = []
        for line in self.env.controller.log().splitlines():
            entry = json.loads(line)
            if entry.get("application") == name and entry["msg"].startswith(message):
                out.append(entry)
        return out

    def told(self, name, message):
        return self.env.wait("%s of %s" % (message, name), lambda: self.lines(name, message))[0]

    def test_lines_and_their_fields(self):
        repo = self.env.repo()
        repo.commit({"a.yaml": config_map("a")})
        ns = self.env.app("logged", self.env.git.url(repo), syncPolicy={"automated": {}})
        self.env.wait_status("logged", "Synced")
        who = {"application": "logged", "app-namespace": self.env.ns, "project": "default", "level": "info"}

        def has(entry, **more):
            for key, value in dict(who, **more).items():
                self.assertEqual(entry.get(key), value, (key, entry))
        has(self.told("logged", "Refreshing app status ("))
        self.assertRegex(self.told("logged", "Refreshing app status (")["msg"], r"^Refreshing app status \(.+\), level \(3\)$")
        has(self.told("logged", "Comparing app state (cluster: https://kubernetes.default.svc, namespace: %s)" % ns))
        done = self.env.wait("a whole one", lambda: [e for e in self.lines("logged", "Reconciliation completed") if "live_ms" in e])[0]
        has(done, **{"comparison-level": "3", "dest-server": "https://kubernetes.default.svc", "dest-name": "", "dest-namespace": ns})
        for field in ("time_ms", "patch_ms", "setop_ms", "git_ms", "live_ms", "diff_ms", "auto_sync_ms", "refresh_app_conditions_ms",
                      "normalize_application_ms", "set_app_managed_resources_ms", "process_finalizers_ms", "app_status_update_ms", "persist_app_status_ms"):
            self.assertIsInstance(done.get(field), int, field)
        self.assertGreaterEqual(done["time_ms"], done["git_ms"])
        has(self.told("logged", "Update successful"))
        has(self.told("logged", "Initialized new operation: {"))
        has(self.told("logged", "updated '%s/logged' operation (phase: Succeeded)" % self.env.ns))
        end = self.told("logged", "Finished processing requested app operation")
        has(end, phase="Succeeded", retryCount=0)
        self.assertGreaterEqual(end["finishedAt"], end["startedAt"])
        self.assertRegex(self.told("logged", "sync/terminate complete")["syncId"], r"^\d{5}-\w{5}$")
        has(self.told("logged", "Skipping auto-sync: application status is Synced"))
        self.env.kube.merge("v1", "ConfigMap", ns, "a", {"data": {"key": "drift"}})
        has_object = dict(who, kind="ConfigMap", name="a", namespace=ns, server="https://kubernetes.default.svc")
        del has_object["project"]
        entry = self.told("logged", "Requesting app refresh caused by object update")
        for key, value in has_object.items():
            self.assertEqual(entry.get(key), value, key)
        self.told("logged", "Skipping auto-sync: most recent sync already to [")
        for _ in range(2):
            self.env.refresh("logged")
            self.env.wait_app("logged", lambda a: "argocd.argoproj.io/refresh" not in a["metadata"].get("annotations", {}))
        event = self.told("logged", "Updated sync status: OutOfSync -> Synced")
        has(event, reason="ResourceUpdated", type="Normal")

    def test_why_nothing_is_begun(self):
        repo = self.env.repo()
        repo.commit({"a.yaml": config_map("a", ns="no-such-namespace")})
        self.env.app("stuck", self.env.git.url(repo), syncPolicy={"automated": {}, "retry": {"limit": 0}})
        entry = self.told("stuck", "Skipping auto-sync: failed previous sync attempt to [")
        self.assertEqual(entry["level"], "warning")
