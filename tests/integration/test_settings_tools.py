"""`cargocd admin settings …`: what argocd's command says of the same files, recorded in tests/golden/settings-tools, and
`cargocd compare`. No server takes part."""
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

import yaml

from lib.env import BIN

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "settings-tools")
RECORD = os.environ.get("RECORD")
OVERRIDES = "admin settings resource-overrides "


def without_times(text):
    """Times, and names that end with one."""
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ?", "TIME", text)
    return re.sub(r"^(  name: \w+-)\d{10,12}$", r"\1TIME", text, flags=re.M)


class Tools(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="cargocd-test-")
        self.addCleanup(shutil.rmtree, self.dir)

    def write(self, name, document):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as f:
            if isinstance(document, list):
                yaml.safe_dump_all(document, f)
            else:
                yaml.safe_dump(document, f)
        return path

    def run_program(self, program, words):
        scratch = os.path.join(self.dir, "tmp")
        os.makedirs(scratch, exist_ok=True)
        return subprocess.run([program, *words], cwd=self.dir, capture_output=True, text=True, timeout=100, check=False,
                              env=dict(os.environ, TMPDIR=scratch, TZ="UTC"))


class Settings(Tools):
    def answers(self, program, cases):
        return [self.answer(program, *c) for c in cases]

    def answer(self, program, settings, command):
        words = shlex.split(command)
        if settings:
            words += ["--argocd-cm-path", settings + ".yaml"]
        done = self.run_program(program, words)
        # Help is everybody's own, messages on standard error too.
        out = "" if done.returncode == 1 else without_times(done.stdout)
        return {"settings": settings, "command": command, "status": done.returncode, "stdout": out}

    def compare_all(self, name, cases):
        path = os.path.join(GOLDEN, name)
        if RECORD:
            with open(path, "w", encoding="utf-8") as f:
                json.dump(self.answers(os.path.abspath(RECORD), cases), f, indent=1)
                f.write("\n")
        with open(path, encoding="utf-8") as f:
            expected = json.load(f)
        self.assertEqual([(e["settings"], e["command"]) for e in expected], cases, "record again")
        self.assertGreater(len(cases), 50)
        for have, want in zip(self.answers(os.path.join(BIN, "cargocd"), cases), expected):
            with self.subTest(settings=want["settings"], command=want["command"]):
                self.assertEqual(have, want)

    def load(self):
        with open(os.path.join(GOLDEN, "cases.yaml"), encoding="utf-8") as f:
            return yaml.safe_load(f)

    def write_settings(self, name, data):
        self.write(name + ".yaml", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm"}, "data": data})

    def test_customizations_of_argocd_cm(self):
        doc = self.load()
        for name, data in doc["settings"].items():
            self.write_settings(name, data)
        for name, o in doc["objects"].items():
            self.write(name, o)
        cases = []
        for settings, command, operands in doc["cases"]:
            prefix = "admin settings " if command == "validate" else OVERRIDES
            cases += [("" if settings == "no-settings" else settings, "%s%s %s" % (prefix, command, o)) for o in operands]
        self.compare_all("expected.json", cases)

    def test_actions_that_come_along(self):
        doc, cases, data = self.load(), [], {}
        for i, a in enumerate(doc["actions"]):
            o = a["object"]
            key = "resource.customizations.actions.%s_%s" % (o["apiVersion"].split("/")[0], o["kind"])
            data[key] = "mergeBuiltinActions: true\ndiscovery.lua: return {}\n"
            name = self.write("%s-%d" % (o["kind"].lower(), i), o)
            name = os.path.basename(name)
            cases.append(("merged", OVERRIDES + "list-actions " + name))
            cases += [("merged", OVERRIDES + "run-action %s %s" % (name, run)) for run in a["run"]]
        self.write_settings("merged", data)
        self.compare_all("actions.json", cases)

    def test_fields_whose_changes_do_not_count(self):
        """argocd's command forgets the rules before it looks at them; this is what it is documented to do."""
        self.write_settings("cm", {"resource.customizations.ignoreResourceUpdates.example.io_Widget":
                                   "jsonPointers: [/spec/a]\njqPathExpressions: ['.spec.list[]']\n",
                                   "resource.customizations.ignoreDifferences.example.io_Widget": "jqPathExpressions: [.spec.b]\n",
                                   "resource.customizations.ignoreResourceUpdates.example.io_Slow":
                                   "jqPathExpressions: ['last(range(1e12)) | .a']\n"})
        self.write("w", {"apiVersion": "example.io/v1", "kind": "Widget", "metadata": {"name": "w", "generation": 3},
                         "spec": {"a": 1, "b": 2, "c": 3, "list": [1, 2]}})
        self.write("none", {"apiVersion": "example.io/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"c": 3, "list": []}})
        self.write("slow", {"apiVersion": "example.io/v1", "kind": "Slow", "metadata": {"name": "w"}, "spec": {}})
        program, command = os.path.join(BIN, "cargocd"), OVERRIDES + "ignore-resource-updates "
        said = self.answer(program, "cm", command + "w")
        self.assertEqual(said["stdout"].split("\n\n", 1)[0], "Following fields are ignored:")
        gone = [line for line in said["stdout"].splitlines() if line.startswith(("<", ">"))]
        self.assertEqual(gone, ["<   generation: 3", "<   a: 1", "<   b: 2", "<   list:", "<   - 1", "<   - 2", ">   list: []"])
        self.assertEqual(self.answer(program, "cm", command + "none")["stdout"],
                         "No fields are ignored by ignoreResourceUpdates settings: \n{[/spec/a] [.spec.list[] .spec.b] []}\n")
        slow = self.answer(program, "cm", command + "slow --ignore-normalizer-jq-execution-timeout 200ms")
        self.assertIn("Failed to apply normalization patch: JQ patch returned error: ", slow["stdout"])
        self.assertEqual(slow["status"], 0)


def deployment(**spec):
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "prod"},
            "spec": dict({"replicas": 2, "selector": {"matchLabels": {"a": "b"}},
                          "template": {"metadata": {"labels": {"a": "b"}},
                                       "spec": {"containers": [{"name": "c", "image": "nginx:1"}]}}}, **spec)}


def config(name, data, **metadata):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": dict({"name": name, "namespace": "prod"}, **metadata), "data": data}


def secret(value):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "prod"}, "stringData": {"key": value}}


class Compare(Tools):
    def compare(self, targets, lives, *args, status, app=None, settings=None):
        words = ["compare", "--target", self.write("target.yaml", targets), "--live", self.write("live.yaml", lives), *args]
        if app is not None:
            words += ["--app", self.write("app.yaml", {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
                                                       "metadata": {"name": "demo", "namespace": "argocd"}, "spec": app})]
        if settings is not None:
            words += ["--argocd-cm-path", self.write("cm.yaml", {"kind": "ConfigMap", "metadata": {"name": "argocd-cm"}, "data": settings})]
        done = self.run_program(os.path.join(BIN, "cargocd"), words)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertEqual(os.listdir(os.path.join(self.dir, "tmp")), [], "files are left")
        return done

    def statuses(self, *args, status, **more):
        answer = json.loads(self.compare(*args, "-o", "json", status=status, **more).stdout)
        self.assertEqual(answer["status"], "OutOfSync" if status else "Synced")
        return {r["name"]: r["status"] for r in answer["resources"]}

    def test_defaults_and_spellings_are_no_difference(self):
        live = deployment(strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
                          revisionHistoryLimit=10, progressDeadlineSeconds=600)
        live["status"] = {"replicas": 2}
        live["metadata"]["creationTimestamp"] = "2024-01-01T00:00:00Z"
        done = self.compare([deployment(), config("c", {"a": "1"})], [config("c", {"a": "1"}), live], status=0)
        self.assertEqual(done.stdout, "GROUP  KIND        NAMESPACE  NAME  STATUS\napps   Deployment  prod       web   Synced\n"
                                      "       ConfigMap   prod       c     Synced\n")

    def test_differences_are_shown_normalised(self):
        done = self.compare([deployment(replicas=3)], [deployment()], status=1)
        self.assertIn("apps   Deployment  prod       web   OutOfSync\n", done.stdout)
        self.assertIn("===== apps/Deployment prod/web ======\n", done.stdout)
        self.assertEqual([line for line in done.stdout.splitlines() if line.startswith(("<", ">"))], ["<   replicas: 2", ">   replicas: 3"])

    def test_missing_and_surplus_objects(self):
        targets = [config("same", {}), config("missing", {}), config("hook", {}, annotations={"argocd.argoproj.io/hook": "Sync"})]
        lives = [config("same", {}), config("surplus", {}),
                 config("left", {}, annotations={"argocd.argoproj.io/compare-options": "IgnoreExtraneous"})]
        self.assertEqual(self.statuses(targets, lives, status=1),
                         {"same": "Synced", "missing": "OutOfSync", "surplus": "OutOfSync", "left": "OutOfSync"})
        self.assertEqual(self.statuses(targets[:1], [lives[0], lives[2]], status=0), {"same": "Synced", "left": "OutOfSync"})

    def test_an_application_says_what_is_its_own(self):
        tracked = config("surplus", {}, annotations={"argocd.argoproj.io/tracking-id": "demo:/ConfigMap:prod/surplus"})
        foreign = config("foreign", {}, annotations={"argocd.argoproj.io/tracking-id": "other:/ConfigMap:prod/foreign"})
        bare = config("c", {"a": "1"})
        del bare["metadata"]["namespace"]
        elsewhere = config("c", {"a": "2"}, namespace="elsewhere")
        app = {"destination": {"namespace": "prod"}}
        self.assertEqual(self.statuses([bare], [tracked, foreign, elsewhere, config("c", {"a": "1"})], status=1, app=app),
                         {"c": "Synced", "surplus": "OutOfSync"})
        app["ignoreDifferences"] = [{"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]},
                                    {"group": "", "kind": "ConfigMap", "jqPathExpressions": [".data.volatile"]}]
        self.assertEqual(self.statuses([deployment(replicas=7), config("v", {"volatile": "1", "a": "b"})],
                                       [deployment(), config("v", {"volatile": "2", "a": "b"})], status=0, app=app),
                         {"web": "Synced", "v": "Synced"})

    def test_settings_and_managers(self):
        settings = {"resource.customizations.ignoreDifferences.apps_Deployment": "managedFieldsManagers: [scaler]\n"}
        live = deployment(replicas=9)
        live["metadata"]["managedFields"] = [{"manager": "scaler", "operation": "Update", "apiVersion": "apps/v1",
                                              "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]
        self.assertEqual(self.statuses([deployment()], [live], status=1), {"web": "OutOfSync"})
        self.assertEqual(self.statuses([deployment()], [live], status=0, settings=settings), {"web": "Synced"})

    def test_secrets_are_masked(self):
        for output in ("wide", "json", "yaml"):
            done = self.compare([secret("first-value")], [secret("other-value")], "-o", output, status=1)
            for value in ("first-value", "other-value", "Zmlyc3QtdmFsdWU", "b3RoZXItdmFsdWU"):
                self.assertNotIn(value, done.stdout)
            self.assertIn("++++++++", done.stdout)
        self.assertEqual(self.statuses([secret("x")], [secret("x")], status=0), {"s": "Synced"})

    def test_lists_and_standard_input(self):
        lives = {"apiVersion": "v1", "kind": "List", "items": [config("a", {}), config("b", {})]}
        words = ["compare", "--target", "-", "--live", self.write("live.yaml", lives), "-o", "yaml"]
        done = subprocess.run([os.path.join(BIN, "cargocd"), *words], input=yaml.safe_dump_all([config("a", {}), config("b", {"x": "y"})]),
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual([r["status"] for r in yaml.safe_load(done.stdout)["resources"]], ["Synced", "OutOfSync"])

    def test_what_cannot_be_compared(self):
        good = config("c", {})
        self.compare([{"apiVersion": "v1"}], [good], status=2)
        self.compare([good], [good], "-o", "table", status=2)
        self.compare([good], [good], status=2, app={"ignoreDifferences": [
            {"kind": "ConfigMap", "jqPathExpressions": [".data | ["]}]})
        self.compare([good], [good], status=2, settings={"resource.customizations.nonsense.x": "y"})
        self.assertEqual(self.run_program(os.path.join(BIN, "cargocd"), ["compare", "--target", "x"]).returncode, 2)
        self.assertEqual(self.run_program(os.path.join(BIN, "cargocd"), ["compare", "--target", "no", "--live", "no"]).returncode, 2)
