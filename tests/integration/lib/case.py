"""Base of the test cases: one environment per class."""
import os
import unittest

import yaml

from .env import APP, REAL, Environment
from .reference import ARGOCD, Reference

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


HOOK_JOB = """apiVersion: batch/v1
kind: Job
metadata:
  %s
  annotations:
%s
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: main
        image: localhost/guestbook:1
        command: %s
"""


def hook_job(name, hook, policy=None, command='["true"]', **annotations):
    """name: the line that names it, "name: x" or "generateName: x-"."""
    notes = {"argocd.argoproj.io/hook": hook, **({"argocd.argoproj.io/hook-delete-policy": policy} if policy else {}), **annotations}
    return HOOK_JOB % (name, "\n".join('    %s: "%s"' % item for item in notes.items()), command)


def kubesim_only(why):
    """Of a class: nothing is started for it on a real cluster."""
    return unittest.skipIf(REAL, why)


DUMP = os.environ.get("CARGOCD_DUMP")


def dump(env, path):
    """The Applications as a class left them, to lay those of Argo CD beside ours."""
    apps = {a["metadata"]["name"]: a.get("status") for a in env.kube.list(*APP, env.ns)}
    with open(path, "w", encoding="utf-8") as f:
        yaml.safe_dump(apps, f)


class Case(unittest.TestCase):
    redis = True
    options = None
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.env = (Reference if ARGOCD else Environment)(cls.redis, cls.options)
        cls.env.start()

    @classmethod
    def tearDownClass(cls):
        if DUMP:
            dump(cls.env, os.path.join(DUMP, cls.__module__ + "." + cls.__name__ + ".yaml"))
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
