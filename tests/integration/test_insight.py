"""What the whole tells about itself: why an application is as it is, metrics; and actions on its resources."""
import json
import os
import unittest

from lib.case import config_map
from lib.env import BIN
from lib.proc import wait_for
from test_api import ApiEnvironment
from test_cli import Cli

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
