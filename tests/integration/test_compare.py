"""A1: an Application that kubectl created is rendered, compared, and its status written."""
import time

from lib.case import Case, config_map, kubesim_only
from lib.env import APP


class Compare(Case):
    def test_status_of_a_new_application(self):
        repo = self.env.repo()
        sha = repo.tree(self.fixture("guestbook"))
        ns = self.env.app("new", self.env.git.url(repo))
        app = self.env.wait_status("new", "OutOfSync", "Missing")
        status = app["status"]
        self.assertEqual(status["sync"]["revision"], sha)
        self.assertEqual(status["sync"]["comparedTo"]["source"]["repoURL"], self.env.git.url(repo))
        self.assertEqual(status["sync"]["comparedTo"]["destination"]["namespace"], ns)
        self.assertEqual(status["sourceType"], "Directory")
        self.assertEqual(status["controllerNamespace"], self.env.ns)
        self.assertEqual([(r["kind"], r["name"], r["namespace"], r["status"]) for r in status["resources"]],
                         [("ConfigMap", "guestbook", ns, "OutOfSync"), ("Service", "guestbook-ui", ns, "OutOfSync"),
                          ("Deployment", "guestbook-ui", ns, "OutOfSync")])
        self.assertIn("reconciledAt", status)

    def test_live_objects_that_match_are_synced(self):
        repo = self.env.repo()
        repo.commit({"cm.yaml": config_map("same", {"a": "1"})})
        ns = self.env.create_namespace()
        self.env.kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
            "name": "same", "namespace": ns,
            "annotations": {"argocd.argoproj.io/tracking-id": "match:/ConfigMap:%s/same" % ns}}, "data": {"a": "1"}})
        self.env.app("match", self.env.git.url(repo), dest_ns=ns)
        self.env.wait_status("match", "Synced", "Healthy")

    def test_a_push_is_seen_on_refresh_and_the_annotation_goes(self):
        repo = self.env.repo()
        repo.commit({"cm.yaml": config_map("one")})
        self.env.app("refreshed", self.env.git.url(repo))
        self.env.wait_status("refreshed", "OutOfSync")
        sha = repo.commit({"cm2.yaml": config_map("two")})
        self.env.refresh("refreshed")
        app = self.env.wait_app("refreshed", lambda a: a["status"]["sync"]["revision"] == sha)
        self.assertEqual(len(app["status"]["resources"]), 2)
        self.env.wait_app("refreshed", lambda a: "argocd.argoproj.io/refresh" not in a["metadata"].get("annotations", {}))

    def test_no_request_is_lost(self):
        """One that comes while a refresh runs is not taken for the one that is answered."""
        repo = self.env.repo()
        repo.commit({"cm.yaml": config_map("busy")})
        self.env.app("busy", self.env.git.url(repo))
        self.env.wait_status("busy", "OutOfSync")
        sha = None
        for i in range(10):
            for half in "ab":
                sha = repo.commit({"cm.yaml": config_map("busy", {"round": "%d%s" % (i, half)})})
                self.env.patch_app("busy", {"metadata": {"annotations": {
                    "argocd.argoproj.io/refresh": "normal", "argocd.argoproj.io/refresh-timestamp": "%d%s" % (i, half)}}})
            self.env.wait_app("busy", lambda a, s=sha: a["status"]["sync"]["revision"] == s)
        self.env.wait_app("busy", lambda a: not a["metadata"].get("annotations"))

    def test_drift_shows_at_once(self):
        repo = self.env.repo()
        repo.commit({"cm.yaml": config_map("drift", {"a": "1"})})
        ns = self.env.app("drift", self.env.git.url(repo))
        self.env.wait_status("drift", "OutOfSync")
        self.env.sync("drift")
        self.env.wait_status("drift", "Synced", "Healthy")
        self.env.kube.merge("v1", "ConfigMap", ns, "drift", {"data": {"a": "2"}})
        self.env.wait_status("drift", "OutOfSync", timeout=5)
        self.env.kube.merge("v1", "ConfigMap", ns, "drift", {"data": {"a": "1"}})
        self.env.wait_status("drift", "Synced", timeout=5)
        self.env.kube.merge("v1", "ConfigMap", ns, "drift", {"data": {"b": "other field managers may add"}})
        self.env.kube.delete("v1", "ConfigMap", ns, "drift")
        self.env.wait_status("drift", "OutOfSync", "Missing", timeout=5)

    def test_nothing_is_written_when_nothing_changes(self):
        repo = self.env.repo()
        repo.commit({"cm.yaml": config_map("calm")})
        self.env.app("calm", self.env.git.url(repo))
        self.env.wait_status("calm", "OutOfSync")
        self.env.sync("calm")
        self.env.wait_operation("calm")
        self.env.wait_status("calm", "Synced", "Healthy")
        self.env.refresh("calm")
        self.env.wait_app("calm", lambda a: "argocd.argoproj.io/refresh" not in a["metadata"].get("annotations", {}))
        before = self.env.get_app("calm")
        self.env.controller.restart()
        marker = self.env.repo()
        marker.commit({"cm.yaml": config_map("marker")})
        self.env.app("marker", self.env.git.url(marker))
        self.env.wait_status("marker", "OutOfSync")
        self.assertEqual(self.env.get_app("calm"), before)


@kubesim_only("the faults are kubesim's")
class Unwritten(Case):
    """The API server does not take the status; spec 3.4 for one that is too large."""

    def faults(self, *rules):
        self.env.kube.faults(list(rules))

    def test_the_old_status_stays_with_a_condition(self):
        repo = self.env.repo()
        repo.commit({"cm.yaml": config_map("large")})
        self.env.app("large", self.env.git.url(repo), syncPolicy={"automated": {}})
        old = self.env.wait_status("large", "Synced", "Healthy")["status"]["sync"]
        self.env.wait_operation("large")
        app = {"verb": "patch", "resource": "applications.argoproj.io", "name": "large", "userAgent": "cargocd/*"}
        self.env.kube.merge(*APP, self.env.ns, "large", {"spec": {"syncPolicy": None}})
        for _ in range(2):
            self.faults(dict(app, times=1, status=413))
            repo.commit({"cm.yaml": config_map("large", {"k": "%f" % time.time()})})
            self.env.refresh("large")
            self.wait_condition("large", "UnknownError", "larger than the API server accepts", timeout=20)
            now = self.env.wait_app("large", lambda a: "argocd.argoproj.io/refresh" not in a["metadata"].get("annotations", {}))
            self.assertEqual(now["status"]["sync"], old)
        self.faults()
        self.env.refresh("large")
        now = self.env.wait_status("large", "OutOfSync", "Healthy")
        self.assertNotIn("conditions", now["status"])

    def test_it_is_written_later(self):
        repo = self.env.repo()
        repo.commit({"cm.yaml": config_map("later")})
        rule = {"verb": "patch", "resource": "applications.argoproj.io", "name": "later", "userAgent": "cargocd/*", "times": 2, "status": 403}
        self.faults(rule)
        self.env.app("later", self.env.git.url(repo))
        self.env.wait("refusals", lambda: self.env.kube.fired() == [2])
        self.env.wait_status("later", "OutOfSync", "Missing")


class Errors(Case):
    def test_manifest_that_is_not_yaml(self):
        repo = self.env.repo()
        repo.commit({"good.yaml": config_map("good"), "bad.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: [\n"})
        self.env.app("notyaml", self.env.git.url(repo))
        self.wait_condition("notyaml", "ComparisonError", "bad.yaml", timeout=20)
        app = self.env.get_app("notyaml")
        self.assertEqual(app["status"]["sync"]["status"], "Unknown")

    def test_a_bad_commit_changes_nothing_else(self):
        repo = self.env.repo()
        repo.commit({"cm.yaml": config_map("kept")})
        ns = self.env.app("kept", self.env.git.url(repo), syncPolicy={"automated": {"prune": True}})
        self.env.wait_status("kept", "Synced", "Healthy")
        repo.commit({"bad.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: [\n"})
        self.env.refresh("kept")
        self.wait_condition("kept", "ComparisonError", "bad.yaml")
        self.assertIsNotNone(self.env.kube.get("v1", "ConfigMap", ns, "kept"))
        repo.commit({"bad.yaml": None})
        self.env.refresh("kept")
        app = self.env.wait_status("kept", "Synced", "Healthy")
        self.assertIsNone(self.condition(app, "ComparisonError"))

    def test_repository_that_does_not_answer_recovers_by_itself(self):
        repo = self.env.repo()
        repo.commit({"cm.yaml": config_map("later")})
        self.env.git.broken = True
        try:
            self.env.app("later", self.env.git.url(repo))
            self.env.refresh("later")
            self.wait_condition("later", "ComparisonError", self.env.git.url(repo).split("/")[2])
        finally:
            self.env.git.broken = False
        self.env.wait_status("later", "OutOfSync", timeout=15)

    def test_missing_project_destination_and_repository(self):
        repo = self.env.repo()
        repo.commit({"cm.yaml": config_map("x")})
        url = self.env.git.url(repo)
        self.env.app("noproject", url, project="nowhere")
        self.wait_condition("noproject", "InvalidSpecError", "nowhere")
        self.env.app("nocluster", url, destination={"name": "elsewhere", "namespace": "x"})
        self.wait_condition("nocluster", "InvalidSpecError", "there are no clusters with this name: elsewhere")
        self.env.app("norepo", url.replace(repo.name, "absent"))
        self.env.refresh("norepo")
        self.wait_condition("norepo", "ComparisonError", "absent")

    def test_unknown_kind_fails_the_sync_by_name(self):
        repo = self.env.repo()
        repo.commit({"x.yaml": "apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: w\n", "cm.yaml": config_map("beside")})
        self.env.app("widget", self.env.git.url(repo))
        self.env.wait_status("widget", "OutOfSync")
        self.env.sync("widget")
        app = self.env.wait_operation("widget", "Failed")
        self.assertIn("Widget", app["status"]["operationState"]["syncResult"]["resources"][0]["message"])
        self.assertIn("one or more synchronization tasks are not valid", app["status"]["operationState"]["message"])

    def test_duplicated_resource_warns_and_the_last_wins(self):
        repo = self.env.repo()
        repo.commit({"a.yaml": config_map("twice", {"from": "a"}), "b.yaml": config_map("twice", {"from": "b"})})
        ns = self.env.app("twice", self.env.git.url(repo))
        self.wait_condition("twice", "RepeatedResourceWarning", "twice")
        self.env.sync("twice")
        self.env.wait_operation("twice")
        self.assertEqual(self.env.kube.get("v1", "ConfigMap", ns, "twice")["data"], {"from": "b"})

    def test_projects_rules(self):
        repo = self.env.repo()
        repo.commit({"cm.yaml": config_map("x"), "role.yaml": "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: not-permitted\n"})
        ns = self.env.create_namespace()
        self.env.kube.create({"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject",
                              "metadata": {"name": "narrow", "namespace": self.env.ns},
                              "spec": {"sourceRepos": [self.env.git.url(repo)],
                                       "destinations": [{"server": "https://kubernetes.default.svc", "namespace": ns}]}})
        self.env.app("narrow", self.env.git.url(repo), dest_ns=ns, project="narrow")
        self.env.wait_status("narrow", "OutOfSync")
        self.env.sync("narrow")
        app = self.env.wait_operation("narrow", "Failed")
        self.assertIn("not permitted in project narrow", app["status"]["operationState"]["message"])
        other = self.env.repo()
        other.commit({"cm.yaml": config_map("x")})
        self.env.app("foreign", self.env.git.url(other), dest_ns=ns, project="narrow")
        self.wait_condition("foreign", "InvalidSpecError", "is not permitted in project 'narrow'")


class WithoutRedis(Case):
    redis = False

    def test_works_without_redis(self):
        repo = self.env.repo()
        repo.commit({"cm.yaml": config_map("alone")})
        self.env.app("alone", self.env.git.url(repo), syncPolicy={"automated": {}})
        self.env.wait_status("alone", "Synced", "Healthy")
        self.assertEqual(self.env.kube.get(*APP, self.env.ns, "alone")["status"]["sync"]["status"], "Synced")
