"""Every sync option, at application level and by annotation where both exist; retries, timeouts, partial syncs.

The same on kubesim and, with KUBECONFIG, on a real API server (seen on Kubernetes 1.20)."""
import time

import yaml

from lib.case import Case, config_map
from lib.env import APP

OPTIONS = "argocd.argoproj.io/sync-options"
WAVE = "argocd.argoproj.io/sync-wave"
HOOK = "argocd.argoproj.io/hook"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

# Where an option is written: for all resources by the operation, or on the resource.
LEVELS = ("app", "resource")

CRD = """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %(plural)s.options.example.com}
spec:
  group: options.example.com
  scope: Namespaced
  names: {kind: %(kind)s, plural: %(plural)s, singular: %(singular)s, listKind: %(kind)sList}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
"""

DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - {name: main, image: "localhost/guestbook:1"}
"""

BAD = "apiVersion: v1\nkind: Service\nmetadata:\n  name: Bad_Name\n  annotations: {%s: '%d'}\nspec:\n  ports: [{port: 80}]\n"


def crd(kind):
    return CRD % {"kind": kind, "singular": kind.lower(), "plural": kind.lower() + "s"}


def custom(kind, name, options=None):
    o = {"apiVersion": "options.example.com/v1", "kind": kind, "metadata": {"name": name}, "spec": {"size": 1}}
    if options:
        o["metadata"]["annotations"] = {OPTIONS: options}
    return yaml.safe_dump(o)


def immutable(data, annotations=None):
    return config_map("fixed", data, annotations) + "immutable: true\n"


class OptionCase(Case):
    options = {"controller": ["--sync-wave-delay", "0"]}

    def make(self, name, files, synced=True, **spec):
        repo = self.env.repo()
        repo.commit(files)
        ns = self.env.app(name, self.env.git.url(repo), **spec)
        self.env.wait_status(name, "OutOfSync")
        if synced:
            self.sync(name)
        return ns, repo

    def sync(self, name, phase="Succeeded", options=None, **more):
        if options:
            more["syncOptions"] = options
        self.env.sync(name, **more)
        return self.env.wait_operation(name, phase)

    def push(self, name, repo, files, status="OutOfSync"):
        sha = repo.commit(files)
        self.env.refresh(name)
        self.env.wait_app(name, lambda a: a["status"]["sync"].get("revision") == sha and a["status"]["sync"]["status"] == status,
                          what="to be %s at %s" % (status, sha))
        return sha

    def live(self, ns, name, kind="ConfigMap", version="v1"):
        return self.env.kube.get(version, kind, ns, name)

    def results(self, app):
        return {r["name"]: (r["status"], r["message"]) for r in app["status"]["operationState"]["syncResult"]["resources"]}

    def message(self, app):
        return app["status"]["operationState"]["message"]


class Apply(OptionCase):
    def test_replace(self):
        for level in LEVELS:
            name, options = "replace-" + level, ["Replace=true"] if level == "app" else None
            notes = {OPTIONS: "Replace=true"} if level == "resource" else None
            ns, repo = self.make(name, {"a.yaml": config_map("a", {"k": "1"}, notes)}, synced=False)
            app = self.sync(name, options=options)
            self.assertEqual(self.results(app)["a"], ("Synced", "configmap/a created"))
            before = self.live(ns, "a")
            self.assertNotIn(LAST_APPLIED, before["metadata"]["annotations"])
            self.env.kube.merge("v1", "ConfigMap", ns, "a", {"data": {"foreign": "x"}})
            self.push(name, repo, {"a.yaml": config_map("a", {"k": "2"}, notes)})
            app = self.sync(name, options=options)
            self.assertEqual(self.results(app)["a"], ("Synced", "configmap/a replaced"))
            after = self.live(ns, "a")
            self.assertEqual(after["data"], {"k": "2"}, "what the source has not is gone")
            self.assertEqual(after["metadata"]["uid"], before["metadata"]["uid"])
            self.assertNotIn(LAST_APPLIED, after["metadata"]["annotations"])
            self.env.wait_status(name, "Synced")

    def test_replace_wins_over_server_side_apply(self):
        ns, _ = self.make("both", {"a.yaml": config_map("a", annotations={OPTIONS: "Replace=true,ServerSideApply=true"})}, synced=False)
        app = self.sync("both", options=["ServerSideApply=true"])
        self.assertEqual(self.results(app)["a"], ("Synced", "configmap/a created"))
        self.assertNotIn("Apply", [m["operation"] for m in self.live(ns, "a")["metadata"].get("managedFields", [])])

    def test_definitions_and_namespaces_are_never_replaced_by_deleting(self):
        space = "t-never-" + self.env.ns
        self.env.namespaces.append(space)
        files = {"crd.yaml": crd("Keeper"), "ns.yaml": "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: %s\n  labels: {round: '1'}\n" % space}
        ns, repo = self.make("never", files)
        made = self.env.kube.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, "keepers.options.example.com")
        self.env.kube.create({"apiVersion": "options.example.com/v1", "kind": "Keeper", "metadata": {"name": "k", "namespace": ns}})
        self.push("never", repo, {"ns.yaml": files["ns.yaml"].replace("'1'", "'2'")})
        app = self.sync("never", options=["Replace=true"], syncStrategy={"apply": {"force": True}})
        self.assertEqual(self.results(app)["keepers.options.example.com"], ("Synced", "CustomResourceDefinition/keepers.options.example.com updated"))
        self.assertEqual(self.results(app)[space], ("Synced", "Namespace/%s updated" % space))
        now = self.env.kube.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, "keepers.options.example.com")
        self.assertEqual(now["metadata"]["uid"], made["metadata"]["uid"])
        self.assertIsNotNone(self.live(ns, "k", "Keeper", "options.example.com/v1"))
        self.assertEqual(self.live(None, space, "Namespace")["metadata"]["labels"]["round"], "2")
        self.env.kube.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, "keepers.options.example.com")

    def test_force(self):
        for level in LEVELS:
            notes = {OPTIONS: "Force=true"} if level == "resource" else None
            name = "force-" + level
            ns, repo = self.make(name, {"f.yaml": immutable({"k": "1"})})
            before = self.live(ns, "fixed")
            self.push(name, repo, {"f.yaml": immutable({"k": "2"})})
            app = self.sync(name, "Failed")
            self.assertIn("immutable", self.results(app)["fixed"][1])
            self.assertEqual(self.live(ns, "fixed")["metadata"]["uid"], before["metadata"]["uid"])
            if notes:
                self.push(name, repo, {"f.yaml": immutable({"k": "2"}, notes)})
            app = self.sync(name, syncStrategy={"hook": {"force": True}} if level == "app" else None)
            self.assertEqual(self.results(app)["fixed"], ("Synced", "configmap/fixed configured"))
            after = self.live(ns, "fixed")
            self.assertEqual(after["data"], {"k": "2"})
            self.assertNotEqual(after["metadata"]["uid"], before["metadata"]["uid"])

    def test_force_is_no_option_of_the_application(self):
        _, repo = self.make("forceopt", {"f.yaml": immutable({"k": "1"})})
        self.push("forceopt", repo, {"f.yaml": immutable({"k": "2"})})
        self.sync("forceopt", "Failed", options=["Force=true"])

    def test_force_puts_back_what_it_cannot_make_anew(self):
        ns, repo = self.make("restored", {"s.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80}]}\n"})
        self.push("restored", repo, {"s.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80000}]}\n"})
        self.sync("restored", "Failed", syncStrategy={"apply": {"force": True}})
        o = self.live(ns, "s", "Service")
        self.assertIsNotNone(o, "the old object is there again")
        self.assertEqual(o["spec"]["ports"][0]["port"], 80)

    def test_replace_by_force(self):
        for level in LEVELS:
            notes = {OPTIONS: "Replace=true,Force=true"} if level == "resource" else None
            name = "anew-" + level
            ns, repo = self.make(name, {"f.yaml": immutable({"k": "1"}, notes)})
            before = self.live(ns, "fixed")
            self.push(name, repo, {"f.yaml": immutable({"k": "2"}, notes)})
            more = {"options": ["Replace=true"], "syncStrategy": {"apply": {"force": True}}} if level == "app" else {}
            app = self.sync(name, **more)
            self.assertEqual(self.results(app)["fixed"], ("Synced", "configmap/fixed replaced"))
            after = self.live(ns, "fixed")
            self.assertEqual(after["data"], {"k": "2"})
            self.assertNotEqual(after["metadata"]["uid"], before["metadata"]["uid"])

    def test_replace_by_force_waits_for_the_old_object(self):
        ns, repo = self.make("slowly", {"f.yaml": immutable({"k": "1"})})
        self.env.kube.merge("v1", "ConfigMap", ns, "fixed", {"metadata": {"finalizers": ["example.com/held"]}})
        self.push("slowly", repo, {"f.yaml": immutable({"k": "2"})})
        self.env.sync("slowly", syncOptions=["Replace=true"], syncStrategy={"apply": {"force": True}})
        self.env.wait("the deletion", lambda: "deletionTimestamp" in self.live(ns, "fixed")["metadata"])
        time.sleep(1.5)
        self.env.kube.merge("v1", "ConfigMap", ns, "fixed", {"metadata": {"finalizers": None}})
        self.env.wait_operation("slowly")
        self.assertEqual(self.live(ns, "fixed")["data"], {"k": "2"})

    def test_validate(self):
        unknown = "apiVersion: v1\nkind: Service\nmetadata: {name: s, annotations: {%s}}\nspec: {ports: [{port: 80}], bogus: 1}\n"
        for level in LEVELS:
            notes = "%s: Validate=false" % OPTIONS if level == "resource" else "x: z"
            ns, _ = self.make("unknown-" + level, {"s.yaml": unknown % notes}, synced=False)
            self.sync("unknown-" + level, options=["Validate=false"] if level == "app" else None)
            self.assertNotIn("bogus", self.live(ns, "s", "Service")["spec"])


class Missing(OptionCase):
    def test_a_kind_that_nobody_knows_fails_before_anything_is_applied(self):
        nobody = custom("Nobody", "c").replace("options.example.com", "nobody.example.com")
        other = "apiVersion: v1\nkind: Deployment\nmetadata: {name: d}\n"
        ns, _ = self.make("nokind", {"a.yaml": config_map("a"), "c.yaml": nobody, "d.yaml": other}, synced=False)
        app = self.sync("nokind", "Failed")
        self.assertEqual(self.message(app), 'one or more synchronization tasks are not valid: Deployment "" not found; failed to discover server '
                         "resources for group version nobody.example.com/v1: the server could not find the requested resource")
        self.assertEqual(self.results(app)["c"][1], "The Kubernetes API could not find nobody.example.com/Nobody for requested resource %s/c. "
                         'Make sure the "Nobody" CRD is installed on the destination cluster.' % ns)
        older = nobody.replace("nobody.example.com", "apps.example.com").replace("Nobody", "Deployment")
        ns, _ = self.make("elsewhere", {"c.yaml": older}, synced=False)
        app = self.sync("elsewhere", "Failed")
        self.assertIn("The Kubernetes API could not find version \"v1\" of apps.example.com/Deployment for requested resource %s/c. Version \"v1\" of "
                      "apps/Deployment is installed on the destination cluster." % ns, self.results(app)["c"][1])
        ns, _ = self.make("nokind-alone", {"a.yaml": config_map("a"), "c.yaml": nobody}, synced=False)
        self.sync("nokind-alone", "Failed")
        self.assertIsNone(self.live(ns, "a"))

    def test_skipping_the_dry_run(self):
        for level in LEVELS:
            kind = "Late" + level
            option = "SkipDryRunOnMissingResource=true"
            name = "late-" + level
            ns, _ = self.make(name, {"a.yaml": config_map("a"), "c.yaml": custom(kind, "c", option if level == "resource" else None)}, synced=False)
            self.env.patch_app(name, {"operation": {
                "sync": {"syncOptions": [option]} if level == "app" else {},
                "retry": {"limit": 10, "backoff": {"duration": "1s", "factor": 1}}}, "status": {"operationState": None}})
            self.env.wait_app(name, lambda a: a["status"].get("operationState", {}).get("retryCount"), what="to retry")
            self.assertIsNotNone(self.live(ns, "a"), "the others are applied")
            self.env.kube.create(yaml.safe_load(crd(kind)))
            app = self.env.wait_operation(name)
            self.assertEqual(self.results(app)["c"][0], "Synced")
            self.assertIsNotNone(self.live(ns, "c", kind, "options.example.com/v1"))
            self.env.kube.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, kind.lower() + "s.options.example.com")

    def test_a_kind_that_the_source_defines_needs_no_option(self):
        ns, _ = self.make("defines", {"a.yaml": custom("Defined", "c"), "z.yaml": crd("Defined")}, synced=False)
        app = self.sync("defines")
        self.assertEqual([r["kind"] for r in app["status"]["operationState"]["syncResult"]["resources"]], ["CustomResourceDefinition", "Defined"])
        self.assertIsNotNone(self.live(ns, "c", "Defined", "options.example.com/v1"))
        self.env.kube.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, "defineds.options.example.com")


class Choice(OptionCase):
    def test_fail_on_shared_resource(self):
        ns, _ = self.make("first", {"a.yaml": config_map("a")})
        self.make("second", {"a.yaml": config_map("a", {"k": "theirs"})}, dest_ns=ns, synced=False)
        app = self.sync("second", "Failed", options=["FailOnSharedResource=true"])
        self.assertEqual(self.message(app), "Shared resource found: ConfigMap/a is part of applications %s/second and first" % self.env.ns)
        self.assertEqual(self.live(ns, "a")["data"], {"key": "value"})
        self.sync("second")
        self.assertEqual(self.live(ns, "a")["data"], {"k": "theirs"})

    def test_apply_out_of_sync_only(self):
        hook = config_map("hook", annotations={HOOK: "PreSync"})
        ns, repo = self.make("narrow", {"a.yaml": config_map("a"), "b.yaml": config_map("b"), "h.yaml": hook})
        uid = self.live(ns, "hook")["metadata"]["uid"]
        self.push("narrow", repo, {"b.yaml": config_map("b", {"k": "2"})})
        app = self.sync("narrow", options=["ApplyOutOfSyncOnly=true"])
        self.assertEqual(sorted(self.results(app)), ["b", "hook"])
        self.assertNotEqual(self.live(ns, "hook")["metadata"]["uid"], uid, "hooks run all the same")
        self.assertEqual(len(app["status"]["history"]), 2)
        app = self.sync("narrow", options=["ApplyOutOfSyncOnly=true"])
        self.assertEqual(sorted(self.results(app)), ["hook"])

    def test_chosen_resources(self):
        hook = config_map("hook", annotations={HOOK: "PreSync"})
        files = {"%s.yaml" % n: config_map(n) for n in "abc"}
        ns, _ = self.make("chosen", dict(files, **{"h.yaml": hook}), synced=False)
        app = self.sync("chosen", resources=[{"kind": "ConfigMap", "name": "a"}, {"kind": "ConfigMap", "name": "b", "namespace": ns},
                                             {"kind": "ConfigMap", "name": "c", "namespace": "elsewhere"}])
        self.assertEqual(sorted(self.results(app)), ["a", "b"])
        self.assertEqual([self.live(ns, n) is not None for n in ("a", "b", "c", "hook")], [True, True, False, False])
        self.assertNotIn("history", app["status"], "no partial sync is history")
        events = [e["message"] for e in self.env.kube.list("v1", "Event", self.env.ns) if e["involvedObject"]["name"] == "chosen"]
        self.assertTrue([e for e in events if e.startswith("Partial sync operation to ") and e.endswith(" succeeded")], events)
        app = self.sync("chosen", resources=[{"group": "apps", "kind": "ConfigMap", "name": "c"}])
        self.assertEqual(self.results(app), {})
        self.assertIsNone(self.live(ns, "c"))

    def test_chosen_resources_are_pruned_alone(self):
        ns, repo = self.make("chosenprune", {"%s.yaml" % n: config_map(n) for n in "abc"})
        self.push("chosenprune", repo, {"b.yaml": None, "c.yaml": None})
        app = self.sync("chosenprune", prune=True, resources=[{"kind": "ConfigMap", "name": "c"}])
        self.assertEqual(self.results(app), {"c": ("Pruned", "pruned")})
        self.env.wait("c to go", lambda: self.live(ns, "c") is None)
        self.assertIsNotNone(self.live(ns, "b"))

    def test_without_hooks(self):
        ns, _ = self.make("unhooked", {"a.yaml": config_map("a"), "h.yaml": config_map("hook", annotations={HOOK: "PreSync"})}, synced=False)
        self.sync("unhooked", syncStrategy={"apply": {}})
        self.assertEqual([self.live(ns, n) is not None for n in ("a", "hook")], [True, False])


class Prune(OptionCase):
    def test_prune_last(self):
        for level in LEVELS:
            notes = {OPTIONS: "PruneLast=true"} if level == "resource" else None
            options = ["PruneLast=true"] if level == "app" else None
            name = "last-" + level
            ns, repo = self.make(name, {"a.yaml": config_map("a"), "old.yaml": config_map("old", annotations=notes)})
            self.push(name, repo, {"old.yaml": None, "b.yaml": BAD % (WAVE, 3)})
            app = self.sync(name, "Failed", options=options, prune=True)
            self.assertNotIn("old", self.results(app), "the wave before it failed")
            self.assertIsNotNone(self.live(ns, "old"))
            self.push(name, repo, {"b.yaml": config_map("b", annotations={WAVE: "3"})})
            app = self.sync(name, options=options, prune=True)
            self.assertEqual(list(self.results(app)), ["a", "b", "old"])
            self.env.wait("the object to go", lambda n=ns: self.live(n, "old") is None)

    def test_without_it_pruning_comes_first(self):
        ns, repo = self.make("firstprune", {"a.yaml": config_map("a"), "old.yaml": config_map("old")})
        self.push("firstprune", repo, {"old.yaml": None, "b.yaml": BAD % (WAVE, 3)})
        app = self.sync("firstprune", "Failed", prune=True)
        self.assertEqual(self.results(app)["old"], ("Pruned", "pruned"))
        self.env.wait("the object to go", lambda: self.live(ns, "old") is None)

    def test_propagation(self):
        for policy, left in (("orphan", 1), ("background", 0), ("foreground", 0)):
            name = "prune-" + policy
            ns, repo = self.make(name, {"d.yaml": DEPLOYMENT, "a.yaml": config_map("a")})
            sets = lambda n=ns: self.env.kube.list("apps/v1", "ReplicaSet", n)
            self.env.wait("the replica set", lambda s=sets: len(s()) == 1)
            self.push(name, repo, {"d.yaml": None})
            self.sync(name, options=["PrunePropagationPolicy=" + policy], prune=True)
            self.env.wait("the deployment to go", lambda n=ns: self.live(n, "web", "Deployment", "apps/v1") is None)
            self.env.wait("%d replica sets" % left, lambda s=sets, l=left: len(s()) == l)
            if left:
                self.env.wait("no owner", lambda s=sets: not s()[0]["metadata"].get("ownerReferences"))

    def test_prune_by_application_and_by_resource(self):
        files = {"a.yaml": config_map("a"), "x.yaml": config_map("x"), "z.yaml": config_map("z", annotations={OPTIONS: "Prune=true"})}
        ns, repo = self.make("prunes", files)
        self.push("prunes", repo, {"x.yaml": None, "z.yaml": None})
        app = self.sync("prunes", options=["Prune=false"], prune=True)
        self.assertEqual((self.results(app)["x"], self.results(app)["z"]),
                         (("PruneSkipped", "ignored (no prune)"), ("Pruned", "pruned")))
        self.env.wait("z to go", lambda: self.live(ns, "z") is None)
        self.assertIsNotNone(self.live(ns, "x"))

    def approve(self, name):
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
        self.env.patch_app(name, {"metadata": {"annotations": {"argocd.argoproj.io/deletion-approved": stamp}}})

    def test_prune_confirmed_for_the_application(self):
        files = {"a.yaml": config_map("a"), "x.yaml": config_map("x"), "z.yaml": config_map("z", annotations={OPTIONS: "Prune=true"})}
        ns, repo = self.make("confirms", files, syncPolicy={"syncOptions": ["Prune=confirm"]})
        self.push("confirms", repo, {"x.yaml": None, "z.yaml": None})
        app = self.env.get_app("confirms")
        self.assertEqual([bool(self.resource(app, "ConfigMap", n).get("requiresDeletionConfirmation")) for n in "axz"], [True, True, False])
        self.env.sync("confirms", prune=True, syncOptions=["Prune=confirm"])
        app = self.env.wait_app("confirms", lambda a: "confirmation" in a["status"].get("operationState", {}).get("message", ""))
        self.assertEqual(self.message(app), "waiting for pruning confirmation of /ConfigMap/x")
        self.assertIsNotNone(self.live(ns, "z"), "the group waits as a whole")
        self.approve("confirms")
        self.env.wait_operation("confirms")
        self.env.wait("both to go", lambda: self.live(ns, "x") is None and self.live(ns, "z") is None)

    def test_a_confirmation_is_waited_for_even_when_nothing_is_pruned(self):
        ns, repo = self.make("waits", {"a.yaml": config_map("a"), "x.yaml": config_map("x", annotations={OPTIONS: "Prune=confirm"})})
        self.push("waits", repo, {"x.yaml": None, "b.yaml": config_map("b")})
        self.env.sync("waits")
        self.env.wait_app("waits", lambda a: "waiting for pruning confirmation" in a["status"].get("operationState", {}).get("message", ""))
        self.assertIsNone(self.live(ns, "b"), "objects of the same wave wait with it")
        self.approve("waits")
        app = self.env.wait_operation("waits")
        self.assertEqual(self.results(app)["x"], ("PruneSkipped", "ignored (requires pruning)"))
        self.assertIsNotNone(self.live(ns, "b"))

    def test_deletion_confirmed_for_the_application(self):
        ns, _ = self.make("delconfirm", {"a.yaml": config_map("a"), "b.yaml": config_map("b", annotations={OPTIONS: "Delete=true"})},
                          syncPolicy={"syncOptions": ["Delete=confirm"]})
        self.env.patch_app("delconfirm", {"metadata": {"finalizers": ["resources-finalizer.argocd.argoproj.io"]}})
        self.env.kube.delete(*APP, self.env.ns, "delconfirm")
        time.sleep(2)
        self.assertEqual([self.live(ns, n) is not None for n in "ab"], [True, True])
        self.approve("delconfirm")
        self.env.wait("the application to go", lambda: self.env.get_app("delconfirm") is None)
        self.assertEqual([self.live(ns, n) is not None for n in "ab"], [False, False])


class Retry(OptionCase):
    def request(self, name, retry, **sync):
        self.env.patch_app(name, {"operation": {"sync": sync, "retry": retry}, "status": {"operationState": None}})

    def test_limit_and_backoff(self):
        self.make("limited", {"b.yaml": BAD % (WAVE, 0)}, synced=False)
        began = time.monotonic()
        self.request("limited", {"limit": 2, "backoff": {"duration": "1s", "factor": 20, "maxDuration": "2s"}})
        app = self.env.wait_app("limited", lambda a: a["status"].get("operationState", {}).get("retryCount") == 1)
        state = app["status"]["operationState"]
        self.assertEqual(state["phase"], "Running")
        self.assertIn("finishedAt", state)
        self.assertRegex(state["message"], r"\. Retrying attempt #1 at \d{1,2}:\d\d[AP]M\.$")
        self.assertIn("operation", app)
        app = self.env.wait_operation("limited", "Failed")
        self.assertGreater(time.monotonic() - began, 1.9, "2 s before each of both attempts, from a time in whole seconds")
        self.assertLess(time.monotonic() - began, 15)
        state = app["status"]["operationState"]
        self.assertEqual(state["retryCount"], 2)
        self.assertTrue(state["message"].endswith(" (retried 2 times)."), state["message"])

    def test_no_cap(self):
        """A longest pause of nothing is no cap, not no pause."""
        self.make("uncapped", {"b.yaml": BAD % (WAVE, 0)}, synced=False)
        began = time.monotonic()
        self.request("uncapped", {"limit": 1, "backoff": {"duration": "1s", "factor": 3, "maxDuration": "0"}})
        self.env.wait_operation("uncapped", "Failed")
        self.assertGreater(time.monotonic() - began, 1.9)

    def test_the_same_revision_is_tried_again(self):
        _, repo = self.make("stuck", {"b.yaml": BAD % (WAVE, 0)}, synced=False)
        old = repo.commit({"c.yaml": config_map("c")})
        self.request("stuck", {"limit": 1, "backoff": {"duration": "1s", "factor": 1}}, revision=old)
        self.env.wait_app("stuck", lambda a: a["status"].get("operationState", {}).get("retryCount") == 1)
        repo.commit({"b.yaml": None})
        app = self.env.wait_operation("stuck", "Failed")
        self.assertEqual(app["status"]["operationState"]["syncResult"]["revision"], old)

    def test_with_the_latest_revision(self):
        ns, repo = self.make("latest", {"b.yaml": BAD % (WAVE, 0)}, synced=False)
        old = repo.commit({"c.yaml": config_map("c")})
        self.request("latest", {"limit": 5, "refresh": True, "backoff": {"duration": "1s", "factor": 1}}, revision=old)
        self.env.wait_app("latest", lambda a: a["status"].get("operationState", {}).get("retryCount") == 1)
        sha = repo.commit({"b.yaml": None})
        app = self.env.wait_operation("latest")
        self.assertEqual(app["status"]["operationState"]["syncResult"]["revision"], sha)
        self.assertIsNotNone(self.live(ns, "c"))

    def test_malformed_backoff(self):
        self.make("malformed", {"b.yaml": BAD % (WAVE, 0)}, synced=False)
        self.request("malformed", {"limit": 1, "backoff": {"duration": "soon"}})
        self.env.wait_operation("malformed", "Error")

    def test_terminated_in_a_pause(self):
        self.make("paused", {"b.yaml": BAD % (WAVE, 0)}, synced=False)
        self.request("paused", {"limit": -1, "backoff": {"duration": "100s", "factor": 1}})
        self.env.wait_app("paused", lambda a: a["status"].get("operationState", {}).get("retryCount") == 1)
        self.env.patch_app("paused", {"status": {"operationState": {"phase": "Terminating"}}})
        app = self.env.wait_operation("paused", "Failed")
        self.assertEqual(self.message(app), "Operation terminated (retried 1 times).")


class Timed(OptionCase):
    options = {"controller": ["--sync-timeout", "10s", "--sync-wave-delay", "3s"]}

    def test_timeout(self):
        with open(self.fixture("hooks", "pre.yaml"), encoding="utf-8") as f:
            hook = f.read().replace('["true"]', '["sleep", "600"]')
        ns, _ = self.make("slow", {"pre.yaml": hook, "cm.yaml": config_map("after")}, synced=False)
        began = time.monotonic()
        app = self.sync("slow", "Failed")
        self.assertLess(time.monotonic() - began, 40)
        self.assertEqual(self.message(app), "Operation terminated, triggered by controller sync timeout")
        self.env.wait("the hook to be gone", lambda: not self.env.kube.list("batch/v1", "Job", ns))
        self.assertIsNone(self.live(ns, "after"))

    def test_delay_between_waves(self):
        ns, _ = self.make("waves", {"a.yaml": config_map("a", annotations={WAVE: "1"}), "b.yaml": config_map("b", annotations={WAVE: "2"})},
                          synced=False)
        self.env.sync("waves")
        self.env.wait("the first wave", lambda: self.live(ns, "a"))
        began = time.monotonic()
        self.env.wait("the second wave", lambda: self.live(ns, "b"))
        self.assertGreater(time.monotonic() - began, 1.5, "3 s, less what it took to see the first wave")
        self.env.wait_operation("waves")
