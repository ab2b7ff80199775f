"""What results of a sync say: kubectl's lines, refusals, roles and bindings.

The same on kubesim and, with KUBECONFIG, on a real API server (seen on Kubernetes 1.20)."""
import yaml

from lib.case import Case, config_map

RBAC = "rbac.authorization.k8s.io"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
WARNING = ("Warning: resource %s is missing the kubectl.kubernetes.io/last-applied-configuration annotation which is required by  apply.  apply should "
           "only be used on resources created declaratively by either  create --save-config or  apply. The missing annotation will be patched automatically.")
RULE = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
SELECTOR = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: %(app)s}}
  template:
    metadata: {labels: {app: %(app)s}}
    spec: {containers: [{name: main, image: "localhost/guestbook:1"}]}
"""


def role(rules, name="r", **more):
    return yaml.safe_dump({"apiVersion": RBAC + "/v1", "kind": "Role", "metadata": {"name": name}, "rules": rules, **more})


def binding(to, users, name="b"):
    return yaml.safe_dump({"apiVersion": RBAC + "/v1", "kind": "RoleBinding", "metadata": {"name": name},
                           "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": to},
                           "subjects": [{"apiGroup": RBAC, "kind": "User", "name": u} for u in users]})


class MessageCase(Case):
    options = {"controller": ["--sync-wave-delay", "0"]}

    def make(self, name, files):
        repo = self.env.repo()
        repo.commit(files)
        ns = self.env.app(name, self.env.git.url(repo))
        self.env.wait_status(name, "OutOfSync")
        return ns, repo

    def sync(self, name, phase="Succeeded", **more):
        self.env.sync(name, **more)
        app = self.env.wait_operation(name, phase)
        return {r["name"]: r["message"] for r in app["status"]["operationState"]["syncResult"]["resources"]}

    def push(self, name, repo, files):
        sha = repo.commit(files)
        self.env.refresh(name)
        self.env.wait_app(name, lambda a: a["status"]["sync"].get("revision") == sha, what="to be at " + sha)


class Lines(MessageCase):
    def test_created_unchanged_configured(self):
        ns, repo = self.make("lines", {"a.yaml": config_map("a"), "d.yaml": SELECTOR % {"app": "x"}})
        self.assertEqual(self.sync("lines", dryRun=True), {"a": "configmap/a created (dry run)", "web": "deployment.apps/web created (dry run)"})
        self.assertEqual(self.sync("lines"), {"a": "configmap/a created", "web": "deployment.apps/web created"})
        self.assertEqual(self.sync("lines"), {"a": "configmap/a unchanged", "web": "deployment.apps/web unchanged"})
        self.push("lines", repo, {"a.yaml": config_map("a", {"key": "other"})})
        self.assertEqual(self.sync("lines")["a"], "configmap/a configured")
        self.env.kube.merge("v1", "ConfigMap", ns, "a", {"metadata": {"annotations": {LAST_APPLIED: None}}})
        self.assertEqual(self.sync("lines")["a"], "configmap/a configured. " + WARNING % "configmaps/a")

    def test_what_the_server_refuses(self):
        bad = "apiVersion: v1\nkind: Service\nmetadata: {name: Bad_Name}\nspec: {ports: [{port: 80}]}\n"
        self.make("refused", {"s.yaml": bad})
        message = self.sync("refused", "Failed")["Bad_Name"]
        self.assertTrue(message.startswith('Service "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name": '), message)
        message = self.env.get_app("refused")["status"]["operationState"]["message"]
        self.assertTrue(message.startswith('one or more objects failed to apply, reason: Service "Bad_Name" is invalid: '), message)

    def test_dumps_of_maps_are_left_out(self):
        if not self.env.real:
            self.skipTest("validation of selectors needs a real API server")
        _, repo = self.make("dumps", {"d.yaml": SELECTOR % {"app": "x"}})
        self.sync("dumps")
        self.push("dumps", repo, {"d.yaml": SELECTOR % {"app": "other"}})
        self.assertEqual(self.sync("dumps", "Failed")["web"], 'Deployment.apps "web" is invalid: spec.selector: Invalid value: '
                         "v1.LabelSelector{MatchLabels:v1.LabelSelectorRequirement(nil)}: field is immutable")


class Rbac(MessageCase):
    def test_roles_are_reconciled(self):
        ns, repo = self.make("roles", {"r.yaml": role([RULE])})
        missing = "\n\tmissing rules added:\n\t\t{Verbs:[%s] APIGroups:[] Resources:[pods] ResourceNames:[] NonResourceURLs:[]}"
        name = "role." + RBAC + "/r"
        self.assertEqual(self.sync("roles", dryRun=True)["r"], name + " reconciled (dry run). reconciliation required create" + missing % "get"
                         + name + " created (dry run)")
        self.assertEqual(self.sync("roles")["r"], name + " reconciled. reconciliation required create" + missing % "get" + name + " configured. "
                         + WARNING % "roles/r")
        self.assertEqual(self.sync("roles")["r"], name + " reconciled" + name + " unchanged")
        self.push("roles", repo, {"r.yaml": role([dict(RULE, verbs=["get", "list"])])})
        self.assertEqual(self.sync("roles")["r"], name + " reconciled. reconciliation required update" + missing % "list" + name + " configured")
        self.assertEqual(self.env.kube.get(RBAC + "/v1", "Role", ns, "r")["rules"][0]["verbs"], ["get", "list"])

    def test_a_binding_with_another_role_is_made_anew(self):
        ns, repo = self.make("bound", {"b.yaml": binding("one", ["bob"])})
        name = "rolebinding." + RBAC + "/b"
        subject = "\n\tmissing subjects added:\n\t\t{Kind:User APIGroup:%s Name:%%s Namespace:}" % RBAC
        self.assertEqual(self.sync("bound")["b"], name + " reconciled. reconciliation required create" + subject % "bob" + name + " configured. "
                         + WARNING % "rolebindings/b")
        before = self.env.kube.get(RBAC + "/v1", "RoleBinding", ns, "b")["metadata"]["uid"]
        self.push("bound", repo, {"b.yaml": binding("one", ["bob", "eve"])})
        self.assertEqual(self.sync("bound")["b"], name + " reconciled. reconciliation required update" + subject % "eve" + name + " configured")
        self.push("bound", repo, {"b.yaml": binding("two", ["bob"])})
        self.assertEqual(self.sync("bound")["b"], name + " reconciled. reconciliation required recreate" + name + " configured. "
                         + WARNING % "rolebindings/b")
        after = self.env.kube.get(RBAC + "/v1", "RoleBinding", ns, "b")
        self.assertEqual((after["roleRef"]["name"], after["metadata"]["uid"] != before), ("two", True))

    def test_a_role_that_collects_no_more(self):
        name = "collects-" + self.env.ns
        manifest = yaml.safe_dump({"apiVersion": RBAC + "/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": [RULE]})
        self.make("collects", {"r.yaml": manifest})
        live = yaml.safe_load(manifest)
        live["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}
        self.env.kube.create(live)
        self.sync("collects")
        live = self.env.kube.get(RBAC + "/v1", "ClusterRole", None, name)
        self.assertNotIn("aggregationRule", live)
        self.env.kube.delete(RBAC + "/v1", "ClusterRole", None, name)

    def test_a_namespace_that_is_not_there(self):
        repo = self.env.repo()
        repo.commit({"r.yaml": role([RULE])})
        self.env.app("nowhere", self.env.git.url(repo), dest_ns="not-there-" + self.env.ns)
        self.env.wait_status("nowhere", "OutOfSync")
        message = self.sync("nowhere", "Failed")["r"]
        self.assertEqual(message, 'error running kubectl auth reconcile: error getting namespace not-there-%s: namespaces "not-there-%s" not found'
                         % (self.env.ns, self.env.ns))
