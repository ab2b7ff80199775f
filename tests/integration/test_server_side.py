"""Server-side apply and the diffs that go with it. Needs an API server that can do it (seen on Kubernetes 1.20)."""
import shutil
import subprocess
import time
import unittest

from lib.case import Case, config_map

OURS = "argocd-controller"
SERVER_SIDE = {"syncOptions": ["ServerSideApply=true"]}
KUBECTL = shutil.which("kubectl") or "kubectl"

DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: %d
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: main
        image: localhost/guestbook:1
        env:
%s
"""


def deployment(replicas=1, **env):
    return DEPLOYMENT % (replicas, "\n".join("        - {name: %s, value: '%s'}" % item for item in env.items()))


class ServerSideCase(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not cls.env.real:
            cls.env.close()
            raise unittest.SkipTest("kubesim has no server-side apply: give a KUBECONFIG")

    def make(self, name, files, **spec):
        repo = self.env.repo()
        repo.commit(files)
        ns = self.env.app(name, self.env.git.url(repo), **spec)
        self.env.wait_status(name, "OutOfSync")
        return ns, repo

    def kubectl(self, *args, stdin=None):
        done = subprocess.run([KUBECTL, "--kubeconfig", self.env.kubeconfig, *args], input=stdin, capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def live(self, ns, name, kind="ConfigMap", version="v1"):
        return self.env.kube.get(version, kind, ns, name)

    def managers(self, o):
        return sorted((m["manager"], m["operation"]) for m in o["metadata"].get("managedFields", []))

    def sync(self, name, phase="Succeeded", options=("ServerSideApply=true",), **more):
        self.env.sync(name, syncOptions=list(options), **more)
        return self.env.wait_operation(name, phase)

    def messages(self, app):
        return {r["name"]: r["message"] for r in app["status"]["operationState"]["syncResult"]["resources"]}

    def push(self, name, repo, files, status="OutOfSync"):
        sha = repo.commit(files)
        self.env.refresh(name)
        return self.env.wait_app(name, lambda a: a["status"]["sync"].get("revision") == sha and a["status"]["sync"]["status"] == status,
                                 what="to be %s at %s" % (status, sha))


class Apply(ServerSideCase):
    def test_conflicts_are_forced_and_foreign_fields_stay(self):
        ns, _ = self.make("forced", {"cm.yaml": config_map("data", {"a": "1"})}, syncPolicy=SERVER_SIDE)
        self.sync("forced")
        self.kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=other", "-f", "-",
                     stdin=config_map("data", {"a": "theirs", "own": "x"}, ns=ns))
        self.env.wait_status("forced", "OutOfSync")
        self.sync("forced")
        self.assertEqual(self.live(ns, "data")["data"], {"a": "1", "own": "x"})
        self.env.wait_status("forced", "Synced")

    def test_by_annotation_and_opting_out(self):
        note = "argocd.argoproj.io/sync-options"
        ns, _ = self.make("single", {"a.yaml": config_map("server", annotations={note: "ServerSideApply=true"}),
                                     "b.yaml": config_map("client", annotations={note: "ServerSideApply=false"})})
        self.sync("single", options=())
        self.assertEqual(self.managers(self.live(ns, "server")), [(OURS, "Apply")])
        self.assertEqual(self.managers(self.live(ns, "client")), [(OURS, "Update")])
        self.sync("single")
        self.assertEqual(self.managers(self.live(ns, "client")), [(OURS, "Update")])

    def test_migration_from_kubectl(self):
        for name, note in (("kubectl", None), ("other", "old-tool")):
            with self.subTest(name):
                ns, _ = self.make("from" + name, {"cm.yaml": config_map("data", {"a": "1"})}, syncPolicy=SERVER_SIDE)
                if note:
                    self.env.patch_app("from" + name, {"metadata": {"annotations": {
                        "argocd.argoproj.io/client-side-apply-migration-manager": note}}})
                    self.kubectl("create", "--field-manager=old-tool", "-f", "-", stdin=config_map("data", {"a": "1", "gone": "x"}, ns=ns))
                else:
                    self.kubectl("apply", "-f", "-", stdin=config_map("data", {"a": "1", "gone": "x"}, ns=ns))
                self.sync("from" + name)
                o = self.live(ns, "data")
                self.assertEqual(o["data"], {"a": "1"}, "what the old applier owned and the source has not is gone")
                self.assertEqual(self.managers(o), [(OURS, "Apply")])

    def test_migration_can_be_off(self):
        ns, _ = self.make("nomig", {"cm.yaml": config_map("data", {"a": "1"})}, syncPolicy=SERVER_SIDE)
        self.kubectl("create", "--field-manager=kubectl-client-side-apply", "-f", "-", stdin=config_map("data", {"a": "1", "stays": "x"}, ns=ns))
        self.sync("nomig", options=("ServerSideApply=true", "ClientSideApplyMigration=false"))
        self.assertEqual(self.live(ns, "data")["data"], {"a": "1", "stays": "x"})

    def test_migration_from_our_own_client_side_apply(self):
        ns, repo = self.make("switch", {"cm.yaml": config_map("data", {"a": "1", "b": "2"})})
        self.sync("switch", options=())
        self.assertEqual(self.managers(self.live(ns, "data")), [(OURS, "Update")])
        self.push("switch", repo, {"cm.yaml": config_map("data", {"a": "1"})})
        self.sync("switch")
        o = self.live(ns, "data")
        self.assertEqual(o["data"], {"a": "1"})
        self.assertEqual(self.managers(o), [(OURS, "Apply")])
        self.assertNotIn("kubectl.kubernetes.io/last-applied-configuration", o["metadata"].get("annotations", {}))

    def test_force_is_refused(self):
        self.make("refused", {"cm.yaml": config_map("data")}, syncPolicy=SERVER_SIDE)
        app = self.sync("refused", "Failed", syncStrategy={"apply": {"force": True}})
        self.assertIn("--force cannot be used with --server-side", app["status"]["operationState"]["syncResult"]["resources"][0]["message"])

    def test_dry_run_writes_nothing(self):
        ns, _ = self.make("dry", {"cm.yaml": config_map("data")}, syncPolicy=SERVER_SIDE)
        self.sync("dry", dryRun=True)
        self.assertIsNone(self.live(ns, "data"))

    def test_what_is_too_long_for_an_annotation(self):
        ns, _ = self.make("long", {"cm.yaml": config_map("big", {"a": "x" * 300000})}, syncPolicy=SERVER_SIDE)
        app = self.sync("long", "Failed", options=())
        self.assertIn("Consider using Server-side apply", app["status"]["operationState"]["syncResult"]["resources"][0]["message"])
        self.sync("long")
        self.assertEqual(len(self.live(ns, "big")["data"]["a"]), 300000)

    def test_ignored_differences_are_respected(self):
        ns, repo = self.make("respect", {"d.yaml": deployment(1, A="1")}, syncPolicy=SERVER_SIDE,
                             ignoreDifferences=[{"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]}])
        options = ("ServerSideApply=true", "RespectIgnoreDifferences=true")
        self.sync("respect", options=options)
        self.env.kube.merge("apps/v1", "Deployment", ns, "web", {"spec": {"replicas": 3}})
        self.env.wait_app("respect", lambda a: a["status"]["sync"]["status"] == "Synced")
        self.push("respect", repo, {"d.yaml": deployment(1, A="2")})
        self.sync("respect", options=options)
        o = self.live(ns, "web", "Deployment", "apps/v1")
        self.assertEqual(o["spec"]["replicas"], 3)
        self.assertEqual(o["spec"]["template"]["spec"]["containers"][0]["env"], [{"name": "A", "value": "2"}])

    def test_managed_namespace_metadata(self):
        repo = self.env.repo()
        repo.commit({"cm.yaml": config_map("data")})
        ns = self.env.create_namespace() + "x"
        self.env.namespaces.append(ns)
        self.env.app("spaces", self.env.git.url(repo), dest_ns=ns, syncPolicy={
            "managedNamespaceMetadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}}, "syncOptions": ["CreateNamespace=true"]})
        self.env.wait_status("spaces", "OutOfSync")
        self.sync("spaces", options=("CreateNamespace=true",))
        o = self.env.kube.get("v1", "Namespace", None, ns)
        self.assertEqual((o["metadata"]["labels"].get("team"), o["metadata"]["annotations"].get("note")), ("a", "b"))
        self.env.kube.merge("v1", "Namespace", None, ns, {"metadata": {"labels": {"foreign": "yes"}}})
        self.env.patch_app("spaces", {"spec": {"syncPolicy": {"managedNamespaceMetadata": {"labels": {"team": None, "tier": "c"}}}}})
        self.env.wait_status("spaces", "OutOfSync")
        self.sync("spaces", options=("CreateNamespace=true",))
        labels = self.env.kube.get("v1", "Namespace", None, ns)["metadata"]["labels"]
        self.assertEqual({k: labels.get(k) for k in ("team", "tier", "foreign")}, {"team": None, "tier": "c", "foreign": "yes"})
        self.env.wait_status("spaces", "Synced")


class Diff(ServerSideCase):
    MODES = {"smd": (SERVER_SIDE, None), "dry": (SERVER_SIDE, "ServerSideDiff=true"),
             "hooked": (SERVER_SIDE, "ServerSideDiff=true,IncludeMutationWebhook=true")}

    def each(self, files):
        for mode, (policy, note) in self.MODES.items():
            name = "d%s-%s" % (mode, self._testMethodName[5:].replace("_", "-"))
            repo = self.env.repo()
            repo.commit(files)
            ns = self.env.app(name, self.env.git.url(repo), syncPolicy=policy)
            if note:
                self.env.patch_app(name, {"metadata": {"annotations": {"argocd.argoproj.io/compare-options": note}}})
            self.env.wait_status(name, "OutOfSync")
            self.sync(name)
            self.env.wait_status(name, "Synced")
            yield name, ns, repo

    def stays(self, name, status):
        self.env.refresh(name)
        self.env.wait("the refresh", lambda: "argocd.argoproj.io/refresh" not in self.env.get_app(name)["metadata"].get("annotations", {}))
        self.env.wait_status(name, status)

    def test_fields_changed_removed_and_foreign(self):
        files = {"d.yaml": deployment(1, A="1", B="2"), "cm.yaml": config_map("data", {"a": "1", "b": "2"})}
        for name, ns, repo in self.each(files):
            self.kubectl("apply", "--server-side", "--field-manager=other", "-f", "-", stdin=config_map("data", {"own": "x"}, ns=ns))
            self.stays(name, "Synced")
            self.push(name, repo, {"d.yaml": deployment(1, A="1"), "cm.yaml": config_map("data", {"a": "1"})})
            app = self.env.get_app(name)
            self.assertEqual([r["status"] for r in app["status"]["resources"]], ["OutOfSync", "OutOfSync"])
            self.sync(name)
            self.env.wait_status(name, "Synced")
            self.env.kube.merge("v1", "ConfigMap", ns, "data", {"data": {"a": "drifted"}})
            self.env.wait_status(name, "OutOfSync")
            self.env.kube.merge("v1", "ConfigMap", ns, "data", {"data": {"a": "1"}})
            self.env.wait_status(name, "Synced")
            self.env.kube.merge("apps/v1", "Deployment", ns, "web", {"metadata": {"annotations": {"someone": "else"}}})
            self.stays(name, "Synced")
            self.env.kube.delete("v1", "ConfigMap", ns, "data")
            self.env.wait_status(name, "OutOfSync")

    def test_secrets(self):
        secret = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\nstringData:\n  key: '%s'\n"
        for name, ns, repo in self.each({"s.yaml": secret % "one"}):
            self.env.kube.merge("v1", "Secret", ns, "s", {"data": {"key": "dHdv"}})
            self.env.wait_status(name, "OutOfSync")
            self.sync(name)
            self.env.wait_status(name, "Synced")
            self.assertEqual(self.env.kube.get("v1", "Secret", ns, "s")["data"]["key"], "b25l")

    def test_ignored_after_the_dry_run(self):
        for name, ns, _ in self.each({"d.yaml": deployment(1, A="1")}):
            self.env.patch_app(name, {"spec": {"ignoreDifferences": [{"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]}]}})
            self.env.kube.merge("apps/v1", "Deployment", ns, "web", {"spec": {"replicas": 2}})
            self.stays(name, "Synced")

    def test_server_side_diff_sees_a_target_that_the_server_refuses(self):
        repo = self.env.repo()
        repo.commit({"cm.yaml": config_map("data", {"a": "1"})})
        self.env.app("refusing", self.env.git.url(repo), syncPolicy=SERVER_SIDE)
        self.env.patch_app("refusing", {"metadata": {"annotations": {"argocd.argoproj.io/compare-options": "ServerSideDiff=true"}}})
        self.env.wait_status("refusing", "OutOfSync")
        self.sync("refusing")
        self.env.wait_status("refusing", "Synced")
        repo.commit({"cm.yaml": config_map("data", {"not valid!": "1"})})
        self.env.refresh("refusing")
        self.assertIn("server side apply in dryrun", self.wait_condition("refusing", "ComparisonError", "dryrun"))
        self.env.wait_status("refusing", "Unknown")

    def requests(self):
        """How often the API server was asked for one ConfigMap, or to try an apply, so far."""
        text = self.env.kube.raw("GET", "/metrics")[1].decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                   if line.startswith("apiserver_request_total{") and 'resource="configmaps"' in line
                   and ('verb="GET"' in line or 'dry_run="All"' in line))

    def asks(self, work):
        """Whether the API server was asked meanwhile. Others ask it, too, now and then."""
        before = self.requests()
        work()
        return self.requests() > before

    def neighbour_changes(self, ns, n):
        for i in range(3):
            self.env.kube.merge("v1", "Service", ns, "beside", {"metadata": {"labels": {"foreign": "%d-%d" % (n, i)}}})
            changed = "Service %s/beside changed" % ns
            self.env.wait("the refresh", lambda c=changed: c in self.env.controller.log())
        time.sleep(1)

    def test_a_verdict_is_kept_while_nothing_changes(self):
        beside = "apiVersion: v1\nkind: Service\nmetadata: {name: beside}\nspec: {ports: [{port: 80, protocol: TCP}]}\n"
        for name, ns, _ in self.each({"cm.yaml": config_map("data", {"a": "1"}), "s.yaml": beside}):
            self.stays(name, "Synced")
            self.assertFalse(all(self.asks(lambda a=ns, b=n: self.neighbour_changes(a, b)) for n in range(4)))
            # Who asks for a refresh has the API server try again, as with Argo CD.
            self.assertEqual(all(self.asks(lambda n=name: self.stays(n, "Synced")) for _ in range(3)), not name.startswith("dsmd"))
            before = self.requests()
            self.env.kube.merge("v1", "ConfigMap", ns, "data", {"data": {"own": "x"}})
            self.env.wait("the object to be compared again", lambda b=before: self.requests() > b)


class Ignored(ServerSideCase):
    def refreshes(self, name):
        return self.env.refreshes(name)

    def scale(self, ns, replicas, manager):
        self.env.kube.call("PATCH", "/apis/apps/v1/namespaces/%s/deployments/web?fieldManager=%s" % (ns, manager), {"spec": {"replicas": replicas}},
                           "application/merge-patch+json")

    def test_fields_of_managers(self):
        for name, spec in (("managers", {}), ("managersssa", {"syncPolicy": SERVER_SIDE})):
            ns, _ = self.make(name, {"d.yaml": deployment(1, A="1")}, **spec,
                              ignoreDifferences=[{"group": "apps", "kind": "Deployment", "managedFieldsManagers": ["scaler"]}])
            self.sync(name, options=SERVER_SIDE["syncOptions"] if spec else ())
            self.env.wait_status(name, "Synced")
            self.scale(ns, 2, "scaler")
            self.env.refresh(name, "hard")
            self.env.wait_app(name, lambda a: "argocd.argoproj.io/refresh" not in a["metadata"].get("annotations", {}))
            self.env.wait_status(name, "Synced")
            self.scale(ns, 3, "somebody")
            self.env.wait_status(name, "OutOfSync")

    def test_updates_that_are_ignored(self):
        self.env.config_map("argocd-cm", {"resource.customizations.ignoreResourceUpdates.ConfigMap": "jsonPointers: [/data/noise]\n"})
        self.addCleanup(self.env.config_map, "argocd-cm", {})
        ns, _ = self.make("noisy", {"cm.yaml": config_map("data", {"a": "1"})})
        self.sync("noisy", options=())
        self.env.wait_status("noisy", "Synced")
        self.env.kube.merge("v1", "ConfigMap", ns, "data", {"data": {"noise": "0"}})
        time.sleep(2)
        before = self.refreshes("noisy")
        for i in range(5):
            self.env.kube.merge("v1", "ConfigMap", ns, "data", {"data": {"noise": "%d" % (i + 1)}})
        time.sleep(2)
        self.assertEqual(self.refreshes("noisy"), before)
        self.env.kube.merge("v1", "ConfigMap", ns, "data", {"data": {"a": "2"}})
        self.env.wait_status("noisy", "OutOfSync")
        self.assertGreater(len(self.refreshes("noisy")), len(before))


class Impersonation(ServerSideCase):
    ENABLED = {"application.sync.impersonation.enabled": "true"}

    def accounts(self, *entries):
        self.env.config_map("argocd-cm", self.ENABLED)
        self.env.kube.merge("argoproj.io/v1alpha1", "AppProject", self.env.ns, "default", {"spec": {"destinationServiceAccounts": [
            {"server": "*", "namespace": ns, "defaultServiceAccount": sa} for ns, sa in entries]}})

    def grant(self, ns, account="deployer", role="edit"):
        self.env.kube.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": ns}})
        self.env.kube.create({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": account, "namespace": ns},
                              "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                              "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": ns}]})

    def test_synced_as_the_projects_service_account(self):
        repo = self.env.repo()
        repo.commit({"cm.yaml": config_map("data")})
        good, bad, none = (self.env.create_namespace() for _ in range(3))
        self.accounts((good, "deployer"), (bad, good + ":deployer"), ("other-*", "x"))
        self.grant(good)
        for name, ns in (("good", good), ("bad", bad), ("none", none)):
            self.env.app(name, self.env.git.url(repo), dest_ns=ns)
            self.env.wait_status(name, "OutOfSync")
        self.sync("good", options=())
        app = self.sync("bad", "Failed", options=())
        self.assertIn('User "system:serviceaccount:%s:deployer" cannot' % good, str(self.messages(app)))
        app = self.sync("none", "Error", options=())
        self.assertIn("no matching service account found for destination server https://kubernetes.default.svc and namespace " + none,
                      app["status"]["operationState"]["message"])
        self.env.config_map("argocd-cm", dict(self.ENABLED, **{"application.sync.impersonation.enforced": "false"}))
        self.sync("none", options=())
        self.accounts((good, "not*allowed"))
        app = self.sync("good", "Error", options=())
        self.assertIn("invalid chars 'not*allowed'", app["status"]["operationState"]["message"])
        self.env.config_map("argocd-cm", {})

    def test_compared_and_deleted_as_the_projects_service_account(self):
        ns, repo = self.make("compared", {"cm.yaml": config_map("data", {"a": "1"})})
        self.sync("compared", options=())
        self.accounts((ns, "viewer"))
        self.grant(ns, "viewer", "view")
        self.env.patch_app("compared", {"metadata": {"finalizers": ["resources-finalizer.argocd.argoproj.io"], "annotations": {
            "argocd.argoproj.io/compare-options": "ServerSideDiff=true"}}})
        repo.commit({"cm.yaml": config_map("data", {"a": "2"})})
        self.env.refresh("compared")
        user = 'User "system:serviceaccount:%s:viewer" cannot ' % ns
        self.wait_condition("compared", "ComparisonError", user + "patch")
        self.env.kube.delete("argoproj.io/v1alpha1", "Application", self.env.ns, "compared")
        self.wait_condition("compared", "DeletionError", user + "delete")
        self.assertIsNotNone(self.live(ns, "data"))
        self.accounts()
        self.env.patch_app("compared", {"metadata": {"labels": {"poke": "it"}}})
        self.env.wait("the application to go: nobody is enforced", lambda: self.env.get_app("compared") is None)
        self.assertIsNone(self.live(ns, "data"))
        self.env.config_map("argocd-cm", {})
