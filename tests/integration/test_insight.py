"""What the whole tells about itself: why an application is as it is, metrics; and actions on its resources."""
import base64
import json
import os
import re
import subprocess
import unittest
import urllib.parse
import urllib.request

import yaml

from lib.case import FIXTURES, config_map
from lib.env import APP, BIN
from lib.proc import wait_for
from test_api import ApiEnvironment
from test_cli import Cli
from lib.clusters import Sim

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden")
WHY = "/api/v1/applications/%s/why"


class Insight(unittest.TestCase):
    maxDiff = None
    redis = True
    options = None

    @classmethod
    def setUpClass(cls):
        cls.env = ApiEnvironment(redis=cls.redis, options=cls.options)
        cls.env.whole = True
        cls.env.start()
        cls.admin = cls.env.as_user()
        cls.cli = Cli(os.path.join(BIN, "cargocd"), os.path.join(cls.env.dir, "cli"))

    @classmethod
    def tearDownClass(cls):
        for name, code in cls.env.close().items():
            assert code == 0, "%s ended with %d" % (name, code)

    def start_app(self, name, files, sync="OutOfSync", **spec):
        repo = self.env.repo()
        repo.commit(files)
        ns = self.env.app(name, self.env.git.url(repo), **spec)
        self.env.wait_status(name, sync)
        return repo, ns


class Why(Insight):
    def why(self, name):
        answer = self.admin.get(WHY % name)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json["items"]

    def told(self, name, decision, part, timeout=20):
        """Waits for an entry whose verdict or reasons have the part."""
        def look():
            for e in self.why(name):
                if e["decision"] == decision and part in "\n".join([e["verdict"], *e["reasons"]]):
                    return e
            return None
        try:
            return wait_for("%s: %s" % (decision, part), look, timeout)
        except AssertionError as e:
            raise AssertionError("%s in %s" % (e, json.dumps(self.why(name), indent=1))) from e

    def test_from_the_first_look_to_drift(self):
        repo, ns = self.start_app("story", {"a.yaml": config_map("a", {"k": "1"})})
        self.told("story", "refresh", "it was never compared")
        render = self.told("story", "render", "new")
        self.assertRegex(render["reasons"][0], r"/repo-\w+\S* at [0-9a-f]{40}: rendered$")
        self.assertEqual(self.told("story", "compare", "OutOfSync, Missing")["reasons"], ["ConfigMap %s/a does not exist" % ns])
        self.told("story", "auto-sync", "no")
        self.env.refresh("story")
        self.told("story", "refresh", "refresh was requested")
        self.told("story", "render", "the rendering at hand holds")
        self.env.sync("story")
        self.env.wait_operation("story")
        self.env.wait_status("story", "Synced")
        self.told("story", "sync", "Succeeded")
        self.env.kube.merge("v1", "ConfigMap", ns, "a", {"data": {"k": "2", "extra": "x"}})
        self.env.wait_status("story", "OutOfSync")
        self.told("story", "refresh", "ConfigMap %s/a changed" % ns)
        self.told("story", "render", "not asked: the last manifests serve")
        self.assertEqual(self.told("story", "compare", "differs")["reasons"], ["ConfigMap %s/a differs from the source: /data/k" % ns])
        items = self.why("story")
        self.assertLessEqual(len(items), 12)
        times = [e["time"] for e in items]
        self.assertEqual(times, sorted(times, reverse=True))

    def test_why_it_was_not_synced_automatically(self):
        repo, ns = self.start_app("auto", {"a.yaml": config_map("a", {"k": "1"})}, "Synced", syncPolicy={"automated": {}})
        self.told("auto", "auto-sync", "started")
        self.env.kube.merge("v1", "ConfigMap", ns, "a", {"data": {"k": "2"}})
        self.env.wait_status("auto", "OutOfSync")
        self.assertTrue(self.told("auto", "auto-sync", "no")["reasons"][0])
        repo.commit({"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: [\n"})
        self.env.refresh("auto")
        self.told("auto", "render", "failed")

    def test_secrets_are_named_by_field_only(self):
        manifest = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {key: %s}\n"
        repo, ns = self.start_app("hidden", {"s.yaml": manifest % "first-hush"}, "Synced", syncPolicy={"automated": {}})
        self.env.kube.merge("v1", "Secret", ns, "s", {"data": {"key": "c2Vjb25kLWh1c2g="}})
        self.env.wait_status("hidden", "OutOfSync")
        self.told("hidden", "compare", "Secret %s/s differs from the source: /data/key" % ns)
        self.assertNotIn("hush", json.dumps(self.why("hidden")))

    def test_who_may_ask(self):
        self.start_app("closed-app", {"a.yaml": config_map("a")}, project="default")
        alice = self.env.as_user("alice")
        self.assertEqual(alice.get(WHY % "closed-app").status, 403)
        self.assertEqual(alice.get(WHY % "no-such-app").status, 403)
        self.assertEqual(self.admin.get(WHY % "no-such-app" + "?project=default").status, 404)
        alice.token = None
        self.assertEqual(alice.get(WHY % "closed-app").status, 401)

    def test_the_command(self):
        _, ns = self.start_app("shown", {"a.yaml": config_map("a")})
        self.told("shown", "compare", "OutOfSync")
        flags = ["--server", "127.0.0.1:%d" % self.env.port, "--plaintext", "--auth-token", self.admin.token]
        done = self.cli("app", "why", "shown", *flags)
        self.assertEqual(done.code, 0, done.err)
        self.assertRegex(done.out, r"(?m)^\d{4}-\d\d-\d\d \S+ \S+ \S+  compare: OutOfSync, Missing\n    ConfigMap %s/a does not exist$" % ns)
        decisions = {e["decision"] for e in json.loads(self.cli("app", "why", "shown", "-o", "json", *flags).out)}
        self.assertLessEqual({"refresh", "render", "compare", "auto-sync"}, decisions)
        self.assertEqual(self.cli("app", "why", "shown", "-o", "table", *flags).code, 20)
        self.assertEqual(self.cli("app", "why", *flags).code, 1)
        missing = self.cli("app", "why", "absent", *flags)
        self.assertEqual((missing.code, missing.out), (20, ""))


class WhyWithoutRedis(Why):
    redis = False


def scrape(port):
    with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % port, timeout=10) as f:
        return Exposition(f.read().decode())


class Exposition:
    """Families by name: type, label names, samples."""
    LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

    def __init__(self, text):
        self.types, self.samples = {}, []
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                self.types[name] = kind
            elif line and not line.startswith("#"):
                name, labels, value = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()
                self.samples.append((name, dict(self.LABEL.findall(labels or "")), float(value)))

    def of(self, family, **labels):
        return [(have, v) for name, have, v in self.samples if name == family and labels.items() <= have.items()]

    def describe(self, family):
        histogram = self.types.get(family) == "histogram"
        series = self.of(family + "_bucket" if histogram else family)
        out = {"type": self.types.get(family), "labels": sorted({tuple(sorted(set(labels) - {"le"})) for labels, _ in series})}
        if histogram:
            out["bounds"] = sorted({float(labels["le"]) for labels, _ in series} - {float("inf")})
        return out


class Metrics(Insight):
    options = {"controller": ["--metrics-application-labels", "team/name", "--metrics-application-conditions", "ComparisonError",
                              "--metrics-cluster-labels", "stage"]}

    @classmethod
    def setUpClass(cls):
        os.environ["ARGOCD_LEGACY_CONTROLLER_METRICS"] = "true"
        try:
            super().setUpClass()
        finally:
            del os.environ["ARGOCD_LEGACY_CONTROLLER_METRICS"]

    def test_names_types_and_labels(self):
        repo, ns = self.start_app("measured", {"a.yaml": config_map("a") + "---\n" + config_map("b")})
        self.env.patch_app("measured", {"metadata": {"labels": {"team/name": "blue"}}})
        self.env.sync("measured")
        self.env.wait_operation("measured")
        self.env.wait_status("measured", "Synced")
        broken = self.env.repo()
        broken.commit({"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: [\n"})
        self.env.app("broken", self.env.git.url(broken))
        self.env.wait_status("broken", "Unknown")
        self.env.kube.merge("v1", "ConfigMap", ns, "a", {"data": {"key": "drift"}})
        self.env.wait_status("measured", "OutOfSync")
        with open(os.path.join(GOLDEN, "metrics", "app-controller.yaml"), encoding="utf-8") as f:
            wanted = yaml.safe_load(f)

        def matches():
            seen = scrape(self.env.metrics_port)
            self.missing = {name: seen.describe(name) for name, w in wanted.items()
                            if seen.describe(name) != dict(w, labels=[tuple(sorted(w["labels"]))])}
            return not self.missing
        try:
            wait_for("all metrics", matches, 20)
        except AssertionError:
            self.fail("not as Argo CD has them: %s" % json.dumps(self.missing, indent=1))
        seen = scrape(self.env.metrics_port)
        # What a sync asked of the cluster, by application.
        requests = seen.of("argocd_app_k8s_request_total", name="measured", resource_kind="configmaps", resource_namespace=ns)
        self.assertEqual(sum(v for labels, v in requests if labels["verb"] in ("Create", "Patch") and labels["response_code"][0] == "2"), 2)
        self.assertEqual({labels["dry_run"] for labels, _ in requests}, {"false"})
        self.assertEqual(seen.of("argocd_app_k8s_request_total", resource_kind="applications"), [])
        self.assertEqual([v for _, v in seen.of("argocd_app_info", name="measured", sync_status="OutOfSync", project="default")], [1])
        self.assertEqual([v for _, v in seen.of("argocd_app_sync_total", name="measured", phase="Succeeded", dry_run="false")], [1])
        self.assertEqual(seen.of("argocd_app_labels", name="measured")[0][0]["label_team_name"], "blue")
        self.assertEqual([v for _, v in seen.of("argocd_app_condition", name="broken", condition="ComparisonError")], [1])
        self.assertEqual([v for labels, v in seen.of("argocd_app_sync_status", name="measured") if v], [1])
        self.assertEqual([v for _, v in seen.of("argocd_kubectl_exec_pending")], [0])
        self.assertGreater(seen.of("process_resident_memory_bytes")[0][1], 1e6)
        if "/san-" not in BIN:  # sanitizers have an allocator of their own
            self.assertGreater(seen.of("go_memstats_heap_alloc_bytes")[0][1], 1e5)
        queue = seen.of("workqueue_work_duration_seconds_count", name="app_reconciliation_queue")
        self.assertGreater(queue[0][1], 3)

    def test_connections(self):
        """Names that are looked up, plugins, the control plane's requests among the others."""
        sim = Sim(self.env, "named", token="by-plugin")
        plugin = os.path.join(self.env.dir, "plugin")
        with open(plugin, "w", encoding="ascii") as f:
            f.write('#!/bin/sh\necho \'{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1beta1", '
                    '"status": {"token": "by-plugin"}}\'\n')
        os.chmod(plugin, 0o755)
        server = "http://localhost:%d" % sim.port
        config = {"execProviderConfig": {"command": plugin, "apiVersion": "client.authentication.k8s.io/v1beta1"}}
        self.env.kube.create({"apiVersion": "v1", "kind": "Secret", "stringData": {"server": server, "name": "named", "config": json.dumps(config)},
                              "metadata": {"name": "named", "namespace": self.env.ns, "labels": {"argocd.argoproj.io/secret-type": "cluster"}}})
        sim.kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "there"}})
        self.start_app("resolved", {"a.yaml": config_map("a")}, "Synced", syncPolicy={"automated": {}}, destination={"server": server, "namespace": "there"})
        seen = scrape(self.env.metrics_port)
        seconds = seen.describe("argocd_kubectl_dns_resolution_duration_seconds")
        self.assertEqual(seconds, {"type": "histogram", "labels": [("host",)], "bounds": [0.005, 0.1, 0.5, 2, 8, 30]})
        self.assertGreater(seen.of("argocd_kubectl_dns_resolution_duration_seconds_count", host="localhost")[0][1], 0)
        self.assertEqual([v for _, v in seen.of("argocd_kubectl_exec_plugin_call_total", code="0", call_status="no_error")], [1])
        self.assertGreaterEqual(seen.of("argocd_kubectl_transport_cache_entries")[0][1], 2)
        host = server.split("/")[-1]
        own = self.env.kube.server.split("/")[-1]
        for at, method, code in ((host, "GET", "200"), (host, "POST", "201"), (own, "PATCH", "200")):
            self.assertGreater(sum(v for _, v in seen.of("argocd_kubectl_requests_total", host=at, method=method, code=code)), 0, (at, method))
            self.assertGreater(sum(v for _, v in seen.of("rest_client_requests_total", host=at, method=method, code=code)), 0, (at, method))
        verbs = {labels["verb"] for labels, _ in seen.of("argocd_kubectl_request_duration_seconds_count", host=host)}
        self.assertLessEqual({"Get", "List", "Create"}, verbs)
        self.assertNotIn("Watch", verbs)
        self.assertEqual([v for _, v in seen.of("argocd_app_info", name="resolved", dest_server=server)], [1])
        self.env.patch_app("resolved", {"spec": {"destination": {"server": None, "name": "no-such-cluster"}}})
        wait_for("no server", lambda: [v for _, v in scrape(self.env.metrics_port).of("argocd_app_info", name="resolved", dest_server="")] == [1])

    def test_series_of_what_is_gone(self):
        self.start_app("passing", {"a.yaml": config_map("a")})
        self.env.sync("passing")
        self.env.wait_operation("passing")
        server = "https://127.0.0.1:1"
        self.env.kube.create({"apiVersion": "v1", "kind": "Secret", "stringData": {"server": server, "name": "nowhere", "config": "{}"},
                              "metadata": {"name": "nowhere", "namespace": self.env.ns, "labels": {"argocd.argoproj.io/secret-type": "cluster", "stage": "test"}}})

        def series():
            return [(name, labels) for name, labels, _ in scrape(self.env.metrics_port).samples
                    if labels.get("name") in ("passing", "nowhere") or server in labels.values() or "127.0.0.1:1" in labels.values()]
        wait_for("both", lambda: {"argocd_app_sync_total", "argocd_app_k8s_request_total", "argocd_cluster_info"} <= {n for n, _ in series()})
        self.env.kube.delete(*APP, self.env.ns, "passing")
        self.env.kube.delete("v1", "Secret", self.env.ns, "nowhere")
        wait_for("nothing of them", lambda: series() == [], 20)


DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: %s}
spec:
  replicas: 1
  selector: {matchLabels: {app: %s}}
  template:
    metadata: {labels: {app: %s}}
    spec: {containers: [{name: c, image: "nginx:1"}]}
"""
ACTIONS = "/api/v1/applications/%s/resource/actions"
CUSTOM = """
discovery.lua: |
  return {note = {displayName = "Leave a note"}, make = {}, forbidden = {}, broken = {}, endless = {}, report = {}}
definitions:
- name: note
  action.lua: |
    obj.data.note = actionParams["text"]
    obj.data.old = nil
    return obj
- name: make
  action.lua: |
    local made = {apiVersion = "v1", kind = "ConfigMap", data = {by = obj.metadata.name}}
    made.metadata = {name = "made-" .. obj.metadata.name, namespace = obj.metadata.namespace}
    return {{operation = "create", resource = made}, {operation = "patch", resource = obj}}
- name: forbidden
  action.lua: |
    return {{operation = "create", resource = {apiVersion = "v1", kind = "ConfigMap", metadata = {name = "x", namespace = "kube-system"}}}}
- name: broken
  action.lua: return 3
- name: endless
  action.lua: while true do end
- name: report
  action.lua: |
    obj.status = {said = "yes"}
    return obj
"""


class Actions(Insight):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env.kube.merge("v1", "ConfigMap", cls.env.ns, "argocd-cm", {"data": {"resource.customizations.actions.ConfigMap": CUSTOM}})
        cls.env.kube.create({"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "narrow", "namespace": cls.env.ns},
                             "spec": {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "t-*"}, {"server": "*", "namespace": cls.env.ns}]}})
        repo = cls.env.repo()
        repo.commit({"d.yaml": DEPLOYMENT % (("web",) * 3), "c.yaml": config_map("settings", {"k": "v", "old": "x"})})
        cls.dest = cls.env.app("acted", cls.env.git.url(repo), project="narrow", syncPolicy={"automated": {}})
        cls.env.wait_status("acted", "Synced", "Healthy")

    def resource(self, kind, name, group="", version="v1"):
        return {"resourceName": name, "group": group, "version": version, "kind": kind, "namespace": self.dest}

    def listed(self, user=None, app="acted", **resource):
        return (user or self.admin).get(ACTIONS % app + "?" + urllib.parse.urlencode(resource))

    def run_action(self, resource, action, user=None, app="acted", **params):
        body = dict(resource, action=action, resourceActionParameters=[{"name": k, "value": v} for k, v in params.items()])
        return (user or self.admin)("POST", ACTIONS % app + "/v2", body)

    def web(self):
        return self.env.kube.get("apps/v1", "Deployment", self.dest, "web")

    def settings(self, name="settings"):
        return self.env.kube.get("v1", "ConfigMap", self.dest, name)

    def test_a_deployment_is_restarted_and_scaled(self):
        deployment = self.resource("Deployment", "web", "apps")
        actions = self.listed(**deployment).json["actions"]
        self.assertEqual([(a["name"], a.get("disabled", False)) for a in actions],
                         [("pause", False), ("restart", False), ("resume", True), ("scale", False)])
        self.assertEqual(actions[3]["params"], [{"name": "replicas"}])
        self.assertEqual(actions[1]["iconClass"], "fa fa-fw fa-redo")
        before = self.web()
        self.assertEqual((lambda a: (a.status, a.json))(self.run_action(deployment, "restart")), (200, {}))
        stamp = self.web()["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"]
        self.assertRegex(stamp, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        wait_for("the new replica set", lambda: len({p["spec"]["template"]["metadata"].get("annotations", {}).get("kubectl.kubernetes.io/restartedAt")
                                                     for p in self.env.kube.list("apps/v1", "ReplicaSet", self.dest)}) == 2)
        self.assertEqual(self.run_action(deployment, "scale", replicas="2").status, 200)
        after = self.web()
        self.assertEqual(after["spec"]["replicas"], 2)
        self.assertEqual(after["spec"]["selector"], before["spec"]["selector"])
        old = self.admin("POST", ACTIONS % "acted" + "?" + urllib.parse.urlencode(deployment), '"pause"')
        self.assertEqual(old.status, 200, old.body)
        self.assertTrue(self.web()["spec"]["paused"])
        events = [e for e in self.env.kube.list("v1", "Event", self.env.ns) if e["reason"] == "ResourceActionRan"]
        self.assertIn("admin ran action restart on resource apps/Deployment/web", {e["message"] for e in events})
        about = [e for e in events if e["involvedObject"]["kind"] == "Deployment" and e["message"] == "admin ran action restart"]
        # An API server takes no event about an object of another namespace, which Argo CD's is too.
        self.assertEqual([e["metadata"]["annotations"] for e in about],
                         [] if self.env.real else [{"user": "admin", "resource-namespace": self.dest}])

    def test_actions_of_the_settings(self):
        resource = self.resource("ConfigMap", "settings")
        self.assertEqual([a["name"] for a in self.listed(**resource).json["actions"]],
                         ["broken", "endless", "forbidden", "make", "note", "report"])
        self.assertEqual(self.run_action(resource, "note", text="hello").status, 200)
        self.assertEqual(self.settings()["data"], {"k": "v", "note": "hello"})
        self.assertEqual(self.run_action(resource, "make").status, 200)
        self.assertEqual(self.settings("made-settings")["data"], {"by": "settings"})
        # What exists already fails in the dry run, before anything is done.
        again = self.run_action(resource, "make")
        self.assertEqual(again.status, 409, again.body)
        version = self.settings()["metadata"]["resourceVersion"]
        for action, status, text in (("forbidden", 500, "application is not permitted to manage /ConfigMap/x in kube-system"),
                                     ("broken", 500, "expect table output from Lua script"), ("absent", 500, "built-in script does not exist"),
                                     ("endless", 500, "error executing Lua resource action: ")):
            answer = self.run_action(resource, action)
            self.assertEqual(answer.status, status, answer.body)
            self.assertIn(text, answer.json["message"])
        self.assertEqual(self.settings()["metadata"]["resourceVersion"], version)

    def test_the_application_itself(self):
        resource = {"resourceName": "acted", "group": "argoproj.io", "version": "v1alpha1", "kind": "Application", "namespace": self.env.ns}
        self.assertEqual(self.listed(**resource).json["actions"], [{"name": "toggle-auto-sync", "displayName": "Disable Auto-Sync"}])
        self.assertEqual(self.run_action(resource, "toggle-auto-sync").status, 200)
        self.assertFalse(self.env.get_app("acted")["spec"]["syncPolicy"]["automated"]["enabled"])
        self.assertEqual(self.run_action(resource, "toggle-auto-sync").status, 200)
        self.assertTrue(self.env.get_app("acted")["spec"]["syncPolicy"]["automated"]["enabled"])

    def test_a_remote_cluster(self):
        sim = Sim(self.env, "away")
        sim.kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "t-away"}})
        self.env.kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cluster-away", "namespace": self.env.ns,
                              "labels": {"argocd.argoproj.io/secret-type": "cluster"}},
                              "stringData": {"name": "away", "server": sim.server, "config": json.dumps({"bearerToken": "secret"})}})
        repo = self.env.repo()
        repo.commit({"d.yaml": DEPLOYMENT % (("far",) * 3)})
        self.env.app("remote", self.env.git.url(repo), dest_ns="t-away", project="narrow", syncPolicy={"automated": {}},
                     destination={"name": "away", "namespace": "t-away"})
        self.env.wait_status("remote", "Synced", "Healthy")
        resource = dict(self.resource("Deployment", "far", "apps"), namespace="t-away")
        self.assertEqual(len(self.listed(app="remote", **resource).json["actions"]), 4)
        answer = self.run_action(resource, "scale", app="remote", replicas="3")
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(sim.kube.get("apps/v1", "Deployment", "t-away", "far")["spec"]["replicas"], 3)
        self.env.kube.merge("v1", "Secret", self.env.ns, "cluster-away", {"data": {"config": base64.b64encode(b'{"bearerToken": "wrong"}').decode()}})
        wait_for("the refusal", lambda: self.run_action(resource, "scale", app="remote", replicas="3").status != 200)
        self.assertEqual(sim.kube.get("apps/v1", "Deployment", "t-away", "far")["spec"]["replicas"], 3)
        self.assertNotIn("wrong", self.run_action(resource, "scale", app="remote", replicas="4").text)

    def test_the_commands(self):
        flags = ["--server", "127.0.0.1:%d" % self.env.port, "--plaintext", "--auth-token", self.admin.token]
        done = self.cli("app", "actions", "list", "acted", "--kind", "Deployment", *flags)
        self.assertEqual(done.code, 0, done.err)
        rows = [line.split() for line in done.out.splitlines()]
        self.assertEqual([rows[0], [r[:4] for r in rows[1:]]], [
            ["GROUP", "KIND", "NAME", "ACTION", "DISABLED"],
            [["apps", "Deployment", "web", a] for a in ("pause", "restart", "resume", "scale")]])
        both = json.loads(self.cli("app", "actions", "list", "acted", "-o", "json", *flags).out)
        self.assertEqual({(a["kind"], a["action"]) for a in both} & {("ConfigMap", "note"), ("Application", "toggle-auto-sync"), ("Deployment", "restart")},
                         {("ConfigMap", "note"), ("Application", "toggle-auto-sync"), ("Deployment", "restart")})
        key = "kubectl.kubernetes.io/restartedAt"  # in seconds: what an earlier test left may be of this one
        self.env.kube.merge("apps/v1", "Deployment", self.dest, "web", {"spec": {"template": {"metadata": {"annotations": {key: None}}}}})
        done = self.cli("app", "actions", "run", "acted", "restart", "--kind", "Deployment", "--resource-name", "web", *flags)
        self.assertEqual((done.code, done.out), (0, ""), done.err)
        self.assertIn(key, self.web()["spec"]["template"]["metadata"].get("annotations", {}))
        for words, code in ((["restart", "--kind", "Service"], 20), (["no-such", "--kind", "Deployment"], 20), (["restart"], 1)):
            self.assertEqual(self.cli("app", "actions", "run", "acted", *words, *flags).code, code, words)
        self.assertEqual(self.cli("app", "actions", *flags).code, 1)

    def test_who_may_act(self):
        deployment = self.resource("Deployment", "web", "apps")
        self.env.kube.merge("v1", "ConfigMap", self.env.ns, "argocd-rbac-cm", {"data": {"policy.actions.csv":
                            "p, alice, applications, get, narrow/*, allow\np, alice, applications, action/apps/Deployment/restart, narrow/*, allow\n"}})
        alice = self.env.as_user("alice")
        wait_for("alice's rights", lambda: self.listed(alice, **deployment).status == 200)
        self.assertEqual(self.run_action(deployment, "restart", alice).status, 200)
        self.assertEqual(self.run_action(deployment, "scale", alice, replicas="3").status, 403)
        self.assertEqual(self.run_action(self.resource("ConfigMap", "settings"), "note", alice, text="x").status, 403)
        # Only what is in the tree.
        elsewhere = dict(deployment, resourceName="other")
        self.assertEqual(self.listed(**elsewhere).status, 400)
        self.assertEqual(self.run_action(elsewhere, "restart").status, 400)
        self.assertEqual(self.listed(app="nobody", **deployment).status, 403)


CONTROLLER = "ARGOCD_APPLICATION_CONTROLLER_"
# Argo CD's parameters of the controller: flag, environment variable, default.
PARAMETERS = [
    ("app-resync", "ARGOCD_RECONCILIATION_TIMEOUT", "120"), ("app-resync-jitter", "ARGOCD_RECONCILIATION_JITTER", "60"),
    ("app-hard-resync", "ARGOCD_HARD_RECONCILIATION_TIMEOUT", "0"),
    ("repo-error-grace-period-seconds", "ARGOCD_REPO_ERROR_GRACE_PERIOD_SECONDS", "180"),
    ("repo-server", CONTROLLER + "REPO_SERVER", "argocd-repo-server:8081"),
    ("repo-server-timeout-seconds", CONTROLLER + "REPO_SERVER_TIMEOUT_SECONDS", "60"),
    ("status-processors", CONTROLLER + "STATUS_PROCESSORS", "20"), ("operation-processors", CONTROLLER + "OPERATION_PROCESSORS", "10"),
    ("logformat", CONTROLLER + "LOGFORMAT", "json"), ("loglevel", CONTROLLER + "LOGLEVEL", "info"), ("metrics-port", None, "8082"),
    ("metrics-cache-expiration", CONTROLLER + "METRICS_CACHE_EXPIRATION", "0s"),
    ("metrics-application-labels", CONTROLLER + "METRICS_APPLICATION_LABELS", None),
    ("metrics-application-conditions", CONTROLLER + "METRICS_APPLICATION_CONDITIONS", None),
    ("metrics-cluster-labels", CONTROLLER + "METRICS_CLUSTER_LABELS", None),
    ("self-heal-timeout-seconds", CONTROLLER + "SELF_HEAL_TIMEOUT_SECONDS", "0"),
    ("self-heal-backoff-timeout-seconds", CONTROLLER + "SELF_HEAL_BACKOFF_TIMEOUT_SECONDS", "2"),
    ("self-heal-backoff-factor", CONTROLLER + "SELF_HEAL_BACKOFF_FACTOR", "3"),
    ("self-heal-backoff-cap-seconds", CONTROLLER + "SELF_HEAL_BACKOFF_CAP_SECONDS", "300"),
    ("sync-timeout", CONTROLLER + "SYNC_TIMEOUT", "0"), (None, "ARGOCD_SYNC_WAVE_DELAY", "2"),
    ("kubectl-parallelism-limit", CONTROLLER + "KUBECTL_PARALLELISM_LIMIT", "20"),
    ("persist-resource-health", CONTROLLER + "PERSIST_RESOURCE_HEALTH", "false"),
    ("ignore-normalizer-jq-execution-timeout-seconds", "ARGOCD_IGNORE_NORMALIZER_JQ_TIMEOUT", "1s"),
    ("app-state-cache-expiration", "ARGOCD_APP_STATE_CACHE_EXPIRATION", "1h"),
    ("enable-k8s-event", "ARGOCD_ENABLE_K8S_EVENT", "all"),
    ("application-namespaces", "ARGOCD_APPLICATION_NAMESPACES", None),
    (None, "ARGOCD_K8S_CLIENT_QPS", "50"), (None, "ARGOCD_K8S_CLIENT_BURST", "100"),
    (None, "ARGOCD_K8S_CLIENT_MAX_IDLE_CONNECTIONS", "500"), (None, "ARGOCD_K8S_TCP_TIMEOUT", None), (None, "ARGOCD_K8S_TCP_KEEPALIVE", "30s"),
    (None, "ARGOCD_K8S_TLS_HANDSHAKE_TIMEOUT", None), (None, "ARGOCD_K8S_TCP_IDLE_TIMEOUT", "5m"), (None, "ARGOCD_K8S_SERVER_SIDE_TIMEOUT", "0s"),
    (None, "ARGOCD_K8SCLIENT_RETRY_MAX", "0"), (None, "ARGOCD_K8SCLIENT_RETRY_BASE_BACKOFF", "100"),
    (None, "ARGOCD_CLUSTER_CACHE_RESYNC_DURATION", "12h"), (None, "ARGOCD_CLUSTER_CACHE_WATCH_RESYNC_DURATION", None),
    (None, "ARGOCD_CLUSTER_CACHE_LIST_PAGE_SIZE", "500"), (None, "ARGOCD_CLUSTER_CACHE_LIST_SEMAPHORE", None),
    (None, "ARGOCD_CLUSTER_CACHE_BATCH_EVENTS_PROCESSING", "true"), (None, "ARGOCD_CLUSTER_CACHE_EVENTS_PROCESSING_INTERVAL", None),
    (None, "ARGO_CD_UPDATE_CLUSTER_INFO_TIMEOUT", "10s"), (None, "ARGOCD_GPG_ENABLED", "true"), (None, "ARGOCD_LOG_FORMAT_TIMESTAMP", None),
    ("server-side-diff-enabled", CONTROLLER + "SERVER_SIDE_DIFF", "false"), ("replicas", "ARGOCD_CONTROLLER_REPLICAS", "0"),
    ("shard", "ARGOCD_CONTROLLER_SHARD", "-1"), ("sharding-method", "ARGOCD_CONTROLLER_SHARDING_ALGORITHM", "legacy"),
    ("dynamic-cluster-distribution-enabled", "ARGOCD_ENABLE_DYNAMIC_CLUSTER_DISTRIBUTION", "false"),
    ("redis", "REDIS_SERVER", None), ("redisdb", "REDISDB", "0"), ("redis-compress", "REDIS_COMPRESSION", "gzip"),
    ("sentinel", "REDIS_SENTINEL_HOSTS", None), ("sentinelmaster", "REDIS_SENTINEL_MASTER", "master"), (None, "ARGOCD_REDIS_KEY_PREFIX", None),
    (None, "REDIS_USERNAME", None), (None, "REDIS_PASSWORD", None), (None, "REDIS_SENTINEL_USERNAME", None), (None, "REDIS_SENTINEL_PASSWORD", None),
    (None, "REDIS_CREDS_DIR_PATH", None), (None, "REDIS_RETRY_COUNT", "3"), ("redis-use-tls", None, "false"),
    ("redis-insecure-skip-tls-verify", None, "false"), ("redis-ca-certificate", None, None), ("redis-client-certificate", None, None),
    ("redis-client-key", None, None),
    *[(name, None, None) for name in (
        "commit-server", "hydration-processors", "hydrator-enabled", "gloglevel", "otlp-address", "otlp-insecure", "otlp-headers", "otlp-attrs",
        "otlp-sample-ratio", "default-cache-expiration", "repo-server-plaintext", "repo-server-strict-tls",
        "repo-server-ca-cert-path", "repo-server-client-cert-path", "repo-server-client-cert-key-path",
        "self-heal-backoff-cooldown-seconds", "wq-bucket-size", "wq-bucket-qps", "wq-cooldown-ns", "wq-basedelay-ns", "wq-maxdelay-ns",
        "wq-backoff-factor")],
]


class Parameters(unittest.TestCase):
    def test_every_parameter_is_known(self):
        text = subprocess.run([os.path.join(BIN, "cargocd-app-controller"), "--help"], capture_output=True, text=True, check=False).stdout
        entries = {}
        for flag, rest in re.findall(r"^ +(?:-\w, )?--([\w-]+)[^\n]*\n((?: {8}[^\n]*\n?)+)", text, re.M):
            entries[flag] = " ".join(rest.split())
        for flag, variable, default in PARAMETERS:
            with self.subTest(flag=flag, variable=variable):
                found = [v for k, v in entries.items() if (k == flag if flag else "[$%s]" % variable in v)]
                self.assertEqual(len(found), 1)
                if variable:
                    self.assertIn("[$%s]" % variable, found[0])
                if default:
                    self.assertIn("(default %s)" % default, found[0])


class Events(Insight):
    options = {"controller": ["--enable-k8s-event", "OperationCompleted,ResourceUpdated", "--metrics-cache-expiration", "2s",
                              "--kubectl-parallelism-limit", "0"]}

    def events(self, name, component="argocd-application-controller"):
        return [e for e in self.env.kube.list("v1", "Event", self.env.ns)
                if e["involvedObject"]["name"] == name and e["source"]["component"] == component]

    def test_reasons_texts_and_labels(self):
        self.env.kube.merge("v1", "ConfigMap", self.env.ns, "argocd-cm", {"metadata": {"labels": {"app.kubernetes.io/part-of": "argocd"}}, "data": {
            "resource.includeEventLabelKeys": "team*, owner", "resource.excludeEventLabelKeys": "*-secret"}})
        self.env.kube.create({"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject",
                              "metadata": {"name": "labelled", "namespace": self.env.ns, "labels": {"owner": "them", "team": "project"}},
                              "spec": {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}]}})
        _, ns = self.start_app("told", {"a.yaml": config_map("a")}, project="labelled")
        self.env.patch_app("told", {"metadata": {"labels": {"team": "blue", "team-secret": "x", "other": "y"}}})
        self.env.sync("told")
        self.env.wait_operation("told")
        self.env.wait_status("told", "Synced")

        def completed():
            return [e for e in self.events("told") if e["reason"] == "OperationCompleted"]
        event = wait_for("the event", completed)[0]
        revision = self.env.get_app("told")["status"]["sync"]["revision"]
        self.assertEqual((event["message"], event["type"], event["count"]), ("Sync operation to %s succeeded" % revision, "Normal", 1))
        self.assertEqual(event["metadata"]["labels"], {"team": "blue", "owner": "them"})
        self.assertEqual(event["metadata"]["annotations"], {"dest-server": "https://kubernetes.default.svc", "dest-namespace": ns})
        self.assertRegex(event["metadata"]["name"], r"^told\.[0-9a-f]{16}$")
        wait_for("the others", lambda: {e["message"] for e in self.events("told")} >= {
            "Updated sync status: OutOfSync -> Synced", "Updated health status: Missing -> Healthy"})
        self.assertEqual({e["reason"] for e in self.events("told")}, {"OperationCompleted", "ResourceUpdated"})
        # The api-server's have the same labels.
        self.assertEqual(self.admin("DELETE", "/api/v1/applications/told?cascade=false").status, 200)
        event = wait_for("its event", lambda: [e for e in self.events("told", "argocd-server") if e["reason"] == "ResourceDeleted"])[0]
        self.assertEqual(event["metadata"]["labels"], {"team": "blue", "owner": "them"})

    def test_counters_begin_anew(self):
        self.start_app("counted", {"a.yaml": config_map("a")})
        self.env.sync("counted")
        self.env.wait_operation("counted")
        wait_for("the counter", lambda: scrape(self.env.metrics_port).of("argocd_app_sync_total", name="counted"))
        wait_for("its end", lambda: not scrape(self.env.metrics_port).of("argocd_app_sync_total", name="counted"))
        self.assertTrue(scrape(self.env.metrics_port).of("argocd_app_info", name="counted"))


SAYS = """
if obj.data.health == "broken" then error("cannot tell") end
if obj.data.health == "odd" then return {status = "Splendid"} end
if obj.data.health == "nothing" then return nil end
return {status = obj.data.health, message = obj.data.message}
"""


class SaidHealth(Insight):
    """Health of objects by a script that says what they say."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env.kube.merge("v1", "ConfigMap", cls.env.ns, "argocd-cm", {
            "metadata": {"labels": {"app.kubernetes.io/part-of": "argocd"}}, "data": {"resource.customizations.health.ConfigMap": SAYS}})

    def app_of(self, name, objects, **annotations):
        """objects: name -> health; all are there."""
        files = {"%s.yaml" % o: config_map(o, {"health": h}, annotations.get(o)) for o, h in objects.items()}
        _, ns = self.start_app(name, files, "Synced", syncPolicy={"automated": {}})
        return ns

    def health(self, name, status, message=None):
        return self.env.wait_app(name, lambda a: (lambda h: h.get("status") == status and h.get("message") == message)(
            a["status"].get("health", {})), 20, "to be %s: %s" % (status, message))


class Health(SaidHealth):
    """How it adds up."""

    def test_the_message_is_that_of_the_last_transition(self):
        ns = self.app_of("worst", {"a": "Healthy", "b": "Suspended", "c": "Healthy"})
        self.health("worst", "Suspended", "Caused by ConfigMap:%s/b" % ns)
        self.env.kube.merge("v1", "ConfigMap", ns, "c", {"data": {"health": "Degraded"}})
        app = self.health("worst", "Degraded", "Caused by ConfigMap:%s/c" % ns)
        self.assertEqual(app["status"]["resourceHealthSource"], "appTree")
        self.assertTrue(all("health" not in r for r in app["status"]["resources"]))
        since = app["status"]["health"]["lastTransitionTime"]
        self.env.kube.merge("v1", "ConfigMap", ns, "a", {"data": {"health": "Degraded"}})
        wait_for("the tree", lambda: {n["name"]: n.get("health", {}).get("status") for n in self.admin.get(
            "/api/v1/applications/worst/resource-tree").json["nodes"]}.get("a") == "Degraded")
        self.env.refresh("worst")
        app = self.env.wait_app("worst", lambda a: "argocd.argoproj.io/refresh" not in a["metadata"].get("annotations", {}))
        self.assertEqual(app["status"]["health"], {"status": "Degraded", "message": "Caused by ConfigMap:%s/c" % ns, "lastTransitionTime": since})

    def test_what_does_not_count(self):
        self.app_of("ignored", {"a": "Healthy", "b": "Degraded", "c": "nothing"}, b={"argocd.argoproj.io/ignore-healthcheck": "true"})
        self.health("ignored", "Healthy")
        nodes = self.admin.get("/api/v1/applications/ignored/resource-tree").json["nodes"]
        self.assertEqual({n["name"]: n.get("health", {}).get("status") or None for n in nodes if n["name"] in "abc"},
                         {"a": "Healthy", "b": "Degraded", "c": None})
        # What is not looked at is there all the same.
        ns = self.app_of("halfway", {"a": "Degraded", "b": "Healthy"}, a={"argocd.argoproj.io/ignore-healthcheck": "true"})
        self.env.kube.delete("v1", "ConfigMap", ns, "b")
        self.env.wait_status("halfway", "OutOfSync")
        self.health("halfway", "Healthy")
        # Nor is a check that fails a failure of the comparison.
        self.app_of("quiet", {"a": "broken", "b": "Healthy"}, a={"argocd.argoproj.io/ignore-healthcheck": "true"})
        self.health("quiet", "Healthy")
        self.assertFalse([c for c in self.env.get_app("quiet")["status"].get("conditions", []) if c["type"] == "ComparisonError"])

    def test_odd_answers(self):
        ns = self.app_of("odd", {"a": "odd"})
        self.health("odd", "Unknown", "Caused by ConfigMap:%s/a" % ns)
        nodes = self.admin.get("/api/v1/applications/odd/resource-tree").json["nodes"]
        self.assertEqual(nodes[0]["health"], {"status": "Unknown", "message": "Lua returned an invalid health status"})
        self.app_of("failing", {"a": "broken"})
        app = self.env.wait_app("failing", lambda a: a["status"].get("health", {}).get("status") == "Unknown", 20)
        [message] = [c["message"] for c in app["status"]["conditions"] if c["type"] == "ComparisonError"]
        self.assertRegex(message, r'^error setting app health: failed to get resource health for "ConfigMap" with name "a" in namespace "t-\w+": .*cannot tell')
        self.assertEqual(app["status"]["sync"]["status"], "Synced")

    def test_all_missing_and_none(self):
        repo = self.env.repo()
        repo.commit({"a.yaml": config_map("a", {"health": "Healthy"})})
        self.env.app("missing", self.env.git.url(repo))
        self.env.wait_status("missing", "OutOfSync", "Missing")
        self.health("missing", "Missing")
        empty = self.env.repo()
        empty.commit({"readme.md": "nothing"})
        self.env.app("empty", self.env.git.url(empty))
        self.env.wait_status("empty", "Synced", "Healthy")

    def test_what_a_tree_tells(self):
        self.env.kube.merge("v1", "ConfigMap", self.env.ns, "argocd-cm", {"data": {
            "resource.customLabels": "app, missing", "application.allowedNodeLabels": "kubernetes.io/arch, missing"}})
        repo = self.env.repo()
        repo.tree(os.path.join(FIXTURES, "guestbook"))
        self.env.app("told", self.env.git.url(repo), syncPolicy={"automated": {}})
        self.env.wait_status("told", "Synced", "Healthy")

        def tree():
            t = self.admin.get("/api/v1/applications/told/resource-tree").json
            pods = [n for n in t["nodes"] if n["kind"] == "Pod"]
            return t if pods and t.get("hosts") and all({"name": "app", "value": "guestbook-ui"} in p.get("info", []) for p in pods) else None
        t = self.env.wait("the tree", tree)
        parents = {(n["kind"], p["group"], p["version"], p["kind"]) for n in t["nodes"] for p in n.get("parentRefs", []) if "group" in p}
        self.assertLessEqual({("ReplicaSet", "apps", "v1", "Deployment"), ("Pod", "apps", "v1", "ReplicaSet")}, parents)
        self.assertTrue(all("networkingInfo" in n for n in t["nodes"] if n["kind"] in ("Pod", "Service")))
        for host in t["hosts"]:
            node = self.env.kube.get("v1", "Node", None, host["name"])
            self.assertEqual(host["systemInfo"], node["status"]["nodeInfo"])
            self.assertEqual(host["labels"], {"kubernetes.io/arch": node["metadata"]["labels"]["kubernetes.io/arch"]})
            self.assertEqual([r["resourceName"] for r in host["resourcesInfo"]], ["cpu", "memory"])
            self.assertEqual(host["resourcesInfo"][0]["capacity"], 1000 * int(node["status"]["capacity"]["cpu"]))
        self.assertNotIn("orphanedNodes", t)

    def test_children(self):
        """An application of applications is not unwell because a child is unknown or missing."""
        self.env.kube.merge("v1", "ConfigMap", self.env.ns, "argocd-cm", {"data": {
            "resource.customizations.health.argoproj.io_Application": "return {status = obj.metadata.annotations.says}"}})
        child = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
                 "metadata": {"name": "child", "namespace": self.env.ns, "annotations": {"says": "Missing"}},
                 "spec": {"project": "default", "source": {"repoURL": "https://127.0.0.1:1/none.git", "path": "."},
                          "destination": {"server": "https://kubernetes.default.svc", "namespace": "default"}}}
        repo = self.env.repo()
        repo.commit({"child.yaml": yaml.safe_dump(child)})
        self.env.app("parent", self.env.git.url(repo), syncPolicy={"automated": {}})
        self.env.wait_status("parent", "Synced")
        for says, health, message in (("Unknown", "Healthy", None), ("Missing", "Healthy", None), ("Progressing", "Progressing", "child"),
                                      ("Degraded", "Degraded", "child"), ("Missing", "Healthy", None)):
            self.env.patch_app("child", {"metadata": {"annotations": {"says": says}}})
            wait_for("its health", lambda: any(n["kind"] == "Application" and n.get("health", {}).get("status") == says for n in self.admin.get(
                "/api/v1/applications/parent/resource-tree").json["nodes"]))
            self.health("parent", health, message and "Caused by argoproj.io/Application:%s/child" % self.env.ns)


class PersistedHealth(SaidHealth):
    options = {"controller": ["--persist-resource-health"]}

    def test_the_worst_counts_and_is_named(self):
        ns = self.app_of("worst", {"a": "Healthy", "b": "Suspended", "c": "Progressing"})
        self.health("worst", "Progressing", "Caused by ConfigMap:%s/c" % ns)
        for name in "abc":
            self.env.kube.merge("v1", "ConfigMap", ns, name, {"data": {"health": "Degraded"}})
        self.health("worst", "Degraded", "Caused by ConfigMap:%s/a, ConfigMap:%s/b, ConfigMap:%s/c" % (ns, ns, ns))

    def test_more_than_three_causes(self):
        ns = self.app_of("many", {n: "Degraded" for n in "abcde"})
        self.health("many", "Degraded", "Caused by " + ", ".join("ConfigMap:%s/%s" % (ns, n) for n in "abc") + " and 2 more")

    def test_it_is_in_the_status(self):
        self.start_app("kept", {"d.yaml": DEPLOYMENT % (("web",) * 3), "c.yaml": config_map("c", {"health": "nothing"})}, "Synced", syncPolicy={"automated": {}})
        app = self.env.wait_status("kept", "Synced", "Healthy")
        self.assertNotIn("resourceHealthSource", app["status"])
        self.assertEqual({r["kind"]: r.get("health") for r in app["status"]["resources"]},
                         {"Deployment": {"status": "Healthy"}, "ConfigMap": {}})

    def test_not_of_what_does_not_count(self):
        ignored = DEPLOYMENT % (("web",) * 3)
        ignored = ignored.replace("{name: web}", "{name: web, annotations: {argocd.argoproj.io/ignore-healthcheck: 'true'}}", 1)
        self.start_app("untold", {"d.yaml": ignored, "c.yaml": config_map("c")}, "Synced", syncPolicy={"automated": {}})
        app = self.env.wait_status("untold", "Synced", "Healthy")
        self.assertEqual({r["kind"]: r.get("health") for r in app["status"]["resources"]}, {"Deployment": None, "ConfigMap": {}})
