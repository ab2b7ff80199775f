"""Comparing and syncing what admission webhooks change. Needs a real API server (seen on Kubernetes 1.20)."""
import time

from lib.case import config_map
from lib.webhook import Webhook
from test_server_side import SERVER_SIDE, ServerSideCase

COMPARE = "argocd.argoproj.io/compare-options"
MANIFEST = config_map("data", {"own": "as in git"})


class Webhooks(ServerSideCase):
    def setUp(self):
        self.hook = Webhook(self.env.dir, self.answer)
        self.addCleanup(self.hook.close)
        self.mode, self.value = "inject", "1"
        self.label = "w%s-%s" % (self.env.ns[-6:], self._testMethodName.rsplit("_", 1)[1])
        self.env.kube.create(self.hook.configuration(self.label, self.label))
        self.addCleanup(self.env.kube.delete, "admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", None, self.label)
        probe = self.namespace()
        self.env.wait("the webhook to be called", lambda: self.probe(probe))

    def probe(self, ns):
        """API servers learn of a configuration a moment later."""
        self.env.kube.merge("v1", "ConfigMap", ns, "probe", {"data": {"at": str(time.time())}})
        return bool(self.hook.seen)

    def namespace(self):
        ns = self.env.create_namespace()
        self.env.kube.merge("v1", "Namespace", None, ns, {"metadata": {"labels": {"webhook": self.label}}})
        if not self.env.kube.get("v1", "ConfigMap", ns, "probe"):
            self.env.kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "probe", "namespace": ns}, "data": {}})
        return ns

    def answer(self, o):
        if o["metadata"]["name"] != "data" or self.mode == "nothing":
            return []
        if self.mode == "refuse":
            return "not on a %s" % self.value
        path = "/data/injected" if self.mode == "inject" else "/data/own"
        return [{"op": "add", "path": path, "value": self.value}]

    def app(self, name, options):
        repo = self.env.repo()
        repo.commit({"cm.yaml": MANIFEST})
        ns = self.env.app(name, self.env.git.url(repo), dest_ns=self.namespace(), syncPolicy=SERVER_SIDE)
        self.env.patch_app(name, {"metadata": {"annotations": {COMPARE: options}}})
        self.env.wait_status(name, "OutOfSync")
        self.env.sync(name, syncOptions=SERVER_SIDE["syncOptions"])
        self.env.wait_operation(name)
        return ns

    def stays(self, name, status):
        self.env.refresh(name)
        self.env.wait_app(name, lambda a: "argocd.argoproj.io/refresh" not in a["metadata"].get("annotations", {}))
        self.env.wait_status(name, status)

    def test_fields_that_a_webhook_adds(self):
        for name, options in (("plain", "ServerSideDiff=true"), ("included", "ServerSideDiff=true,IncludeMutationWebhook=true")):
            self.value = "1"
            ns = self.app(name, options)
            self.assertEqual(self.live(ns, "data")["data"], {"own": "as in git", "injected": "1"})
            self.stays(name, "Synced")
            self.assertIn(("UPDATE", True), self.hook.seen)  # it is asked in the dry run
            self.value = "2"  # from now on an apply would change what the webhook owns, and nothing of ours
            self.stays(name, "OutOfSync" if name == "included" else "Synced")
            self.env.kube.merge("v1", "ConfigMap", ns, "data", {"data": {"own": "drifted"}})
            self.env.wait_status(name, "OutOfSync")

    def test_fields_that_a_webhook_changes(self):
        self.mode, self.value = "change", "as the webhook has it"
        for name, options in (("changed", "ServerSideDiff=true"), ("changed-included", "ServerSideDiff=true,IncludeMutationWebhook=true"),
                              ("changed-merge", "")):
            ns = self.app(name, options)
            self.assertEqual(self.live(ns, "data")["data"], {"own": "as the webhook has it"})
            self.stays(name, "OutOfSync" if name == "changed-merge" else "Synced")

    def test_a_refusal_makes_everything_unknown(self):
        name = "refused"
        repo = self.env.repo()
        repo.commit({"cm.yaml": MANIFEST, "other.yaml": config_map("other")})
        self.env.app(name, self.env.git.url(repo), dest_ns=self.namespace(), syncPolicy=SERVER_SIDE)
        self.env.patch_app(name, {"metadata": {"annotations": {COMPARE: "ServerSideDiff=true"}}})
        self.env.wait_status(name, "OutOfSync")
        self.env.sync(name, syncOptions=SERVER_SIDE["syncOptions"])
        self.env.wait_operation(name)
        self.stays(name, "Synced")
        self.mode, self.value = "refuse", "Friday"
        self.stays(name, "Unknown")
        app = self.env.get_app(name)
        self.assertIn("not on a Friday", self.condition(app, "ComparisonError"))
        self.assertEqual({r["name"]: r["status"] for r in app["status"]["resources"]}, {"data": "Unknown", "other": "Unknown"})
        self.env.sync(name, syncOptions=SERVER_SIDE["syncOptions"])
        app = self.env.wait_operation(name, "Error")
        self.assertIn("not on a Friday", app["status"]["operationState"]["message"])
        self.mode = "nothing"
        self.stays(name, "Synced")
