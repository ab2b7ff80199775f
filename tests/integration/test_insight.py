"""What the whole tells about itself: why an application is as it is, metrics; and actions on its resources."""
import json
import os
import re
import unittest
import urllib.request

import yaml

from lib.case import config_map
from lib.env import APP, BIN
from lib.proc import wait_for
from test_api import ApiEnvironment
from test_cli import Cli

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
        self.assertGreater(seen.of("go_memstats_heap_alloc_bytes")[0][1], 1e5)
        queue = seen.of("workqueue_work_duration_seconds_count", name="app_reconciliation_queue")
        self.assertGreater(queue[0][1], 3)

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
