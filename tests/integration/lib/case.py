"""Base of the test cases: one environment per class."""
import os
import unittest

from .env import Environment

FIXTURES = os.path.join(os.path.dirname(__file__), "..", "fixtures")


def config_map(name, data=None, annotations=None, ns=None):
    lines = ["apiVersion: v1", "kind: ConfigMap", "metadata:", "  name: " + name]
    if ns:
        lines.append("  namespace: " + ns)
    if annotations:
        lines.append("  annotations:")
        lines += ["    %s: %r" % item for item in annotations.items()]
    lines.append("data:")
    lines += ["  %s: %r" % item for item in (data or {"key": "value"}).items()]
    return "\n".join(lines) + "\n"


class Case(unittest.TestCase):
    redis = True
    options = None
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.env = Environment(cls.redis, cls.options)
        cls.env.start()

    @classmethod
    def tearDownClass(cls):
        codes = cls.env.close()
        for name, code in codes.items():
            assert code == 0, "%s ended with %d" % (name, code)

    def fixture(self, *parts):
        return os.path.join(FIXTURES, *parts)

    def condition(self, app, kind):
        for c in app.get("status", {}).get("conditions", []):
            if c["type"] == kind:
                return c["message"]
        return None

    def resource(self, app, kind, name):
        for r in app.get("status", {}).get("resources", []):
            if (r["kind"], r["name"]) == (kind, name):
                return r
        self.fail("no %s %s in %s" % (kind, name, app["status"].get("resources")))
        return None

    def wait_condition(self, name, kind, part, timeout=20):
        app = self.env.wait_app(name, lambda a: part in (self.condition(a, kind) or ""), timeout, "to have %s with %r" % (kind, part))
        return self.condition(app, kind)
