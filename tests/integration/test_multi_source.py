"""Applications of several sources, of references, and of config management plugins, from the commit to the live object."""
import os
import shutil
import subprocess
import unittest

from lib.case import Case, config_map
from lib.env import BIN, Environment
from lib.git import git
from lib.proc import wait_for

HELM = os.environ.get("CARGOCD_HELM") or shutil.which("helm")

CHART = {"chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
         "chart/values.yaml": "greeting: default\nfile: none\n",
         "chart/templates/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n"
                                    "  greeting: {{ .Values.greeting | quote }}\n  file: {{ .Values.file | quote }}\n"}


class MultiSource(Case):
    def source(self, repo, **fields):
        return {"repoURL": self.env.git.url(repo), "targetRevision": "HEAD", **fields}

    def several(self, name, *sources):
        return self.env.app(name, "", source=None, sources=list(sources))

    def test_all_sources_are_rendered_and_synced(self):
        one, two = self.env.repo(), self.env.repo()
        first = one.commit({"a/a.yaml": config_map("a"), "a/both.yaml": config_map("both", {"from": "one"})})
        second = two.commit({"b/b.yaml": config_map("b"), "b/both.yaml": config_map("both", {"from": "two"})})
        ns = self.several("several", self.source(one, path="a", name="first"), self.source(two, path="b", name="second"))
        app = self.env.wait_status("several", "OutOfSync")
        self.assertEqual(app["status"]["sync"]["revisions"], [first, second])
        self.assertEqual([s.get("name") for s in app["status"]["sync"]["comparedTo"]["sources"]], ["first", "second"])
        self.env.sync("several")
        self.env.wait_operation("several")
        self.env.wait_status("several", "Synced")
        self.assertEqual(self.env.kube.get("v1", "ConfigMap", ns, "both")["data"], {"from": "two"})
        app = self.env.get_app("several")
        self.assertIn("appeared 2 times", self.condition(app, "RepeatedResourceWarning") or "")
        self.assertEqual(app["status"]["history"][-1]["revisions"], [first, second])
        self.assertEqual(app["status"]["sourceTypes"], ["Directory", "Directory"])

        # A commit to one of them moves that one's revision only.
        third = two.commit({"b/b.yaml": config_map("b", {"key": "other"})})
        self.env.refresh("several")
        app = self.env.wait_status("several", "OutOfSync")
        self.assertEqual(app["status"]["sync"]["revisions"], [first, third])
        self.env.sync("several", revisions=[first, third])
        self.env.wait_operation("several")
        self.assertEqual(self.env.kube.get("v1", "ConfigMap", ns, "b")["data"], {"key": "other"})

    @unittest.skipUnless(HELM, "helm is not installed")
    def test_values_of_a_reference(self):
        charts, values = self.env.repo(), self.env.repo()
        charts.commit(CHART)
        values.commit({"prod/values.yaml": "greeting: from the reference\n", "prod/file.txt": "a file"})
        chart = self.source(charts, path="chart", helm={"releaseName": "web", "valueFiles": ["$vals/prod/values.yaml"],
                                                        "fileParameters": [{"name": "file", "path": "$vals/prod/file.txt"}]})
        ns = self.several("values", chart, self.source(values, ref="vals"))
        app = self.env.wait_status("values", "OutOfSync")
        self.env.sync("values")
        self.env.wait_operation("values")
        self.assertEqual(self.env.kube.get("v1", "ConfigMap", ns, "web")["data"],
                         {"greeting": "from the reference", "file": "a file"})
        # What is only referred to makes nothing, but its commits count.
        self.assertEqual([r["name"] for r in app["status"]["resources"]], ["web"])
        self.env.wait_status("values", "Synced")
        commit = values.commit({"prod/values.yaml": "greeting: changed\n"})
        self.env.refresh("values")
        app = self.env.wait_status("values", "OutOfSync")
        self.assertEqual(app["status"]["sync"]["revisions"][1], commit)

    @unittest.skipUnless(HELM, "helm is not installed")
    def test_errors_of_references(self):
        charts = self.env.repo()
        charts.commit(CHART)
        helm = {"valueFiles": ["$nobody/values.yaml"]}
        self.several("nobody", self.source(charts, path="chart", helm=helm), self.source(charts, ref="vals"))
        self.wait_condition("nobody", "ComparisonError", 'source referenced "$nobody", which is not one of the available sources')
        self.several("none", self.source(charts, path="chart", helm=helm), self.source(charts, path="chart"))
        self.wait_condition("none", "ComparisonError", 'source referenced "$nobody", but no source has a \'ref\' field defined')
        self.several("charts", self.source(charts, path="chart", helm={"valueFiles": ["$vals/x.yaml"]}),
                     {"repoURL": "https://charts.example", "chart": "x", "targetRevision": "1.0.0", "ref": "vals"})
        self.wait_condition("charts", "ComparisonError", "Helm charts are not yet not supported for 'ref' sources")
        for name, path in [("values", "$vals/../../../etc/passwd"), ("encoded", "$vals/chart/../../x"), ("file", "")]:
            outside = {"valueFiles": [path]} if path else {"fileParameters": [{"name": "a", "path": "$vals/../../etc/hostname"}]}
            self.several("outside-" + name, self.source(charts, path="chart", helm=outside), self.source(charts, ref="vals"))
            self.wait_condition("outside-" + name, "ComparisonError", "resolved to outside repository root")
        charts.commit({"chart/.argocd-source.yaml": "helm: {valueFiles: [$vals/chart/values.yaml]}"})
        self.several("overridden", self.source(charts, path="chart"), self.source(charts, ref="vals"))
        self.wait_condition("overridden", "ComparisonError", 'failed to find repo of "$vals"')

    def test_one_that_fails_fails_all(self):
        one, two = self.env.repo(), self.env.repo()
        one.commit({"a.yaml": config_map("a")})
        two.commit({"broken/x.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: [\n"})
        self.several("broken", self.source(one, path="."), self.source(two, path="broken"))
        self.wait_condition("broken", "ComparisonError", "x.yaml")


PLUGIN = """apiVersion: argoproj.io/v1alpha1
kind: ConfigManagementPlugin
metadata: {name: shouter}
spec:
  discover: {fileName: shout.txt}
  generate:
    command: [sh, -c]
    args: ['printf "apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: shout}\\ndata: {text: \\"$(tr a-z A-Z < shout.txt)\\"}\\n"']
"""


@unittest.skipUnless(shutil.which("gpg"), "gpg is not installed")
class Signatures(Case):
    @classmethod
    def setUpClass(cls):
        env = cls.env = Environment()
        cls.home, keys = os.path.join(env.dir, "gnupg"), os.path.join(env.dir, "keys")
        os.makedirs(cls.home, mode=0o700)
        os.makedirs(keys)
        cls.gpg("--quick-gen-key", "Ada <ada@example.com>", "ed25519", "sign", "0")
        cls.key = [line.split(":")[9] for line in cls.gpg("--list-keys", "--with-colons").splitlines()
                   if line.startswith("fpr")][0]
        with open(os.path.join(keys, cls.key[-16:]), "w", encoding="ascii") as f:
            f.write(cls.gpg("--armor", "--export", cls.key))
        env.repo_server.argv += ["--gpg-keys-path", keys]
        env.start()

    @classmethod
    def tearDownClass(cls):
        subprocess.run(["gpgconf", "--homedir", cls.home, "--kill", "gpg-agent"], check=False)
        super().tearDownClass()

    @classmethod
    def gpg(cls, *args):
        return subprocess.run(["gpg", "--homedir", cls.home, "--batch", "--quiet", "--pinentry-mode", "loopback",
                               "--passphrase", "", *args], check=True, capture_output=True, text=True).stdout

    def project(self, name, **spec):
        self.env.kube.create({"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject",
                              "metadata": {"name": name, "namespace": self.env.ns},
                              "spec": {"sourceRepos": ["*"], "destinations": [{"namespace": "*", "server": "*"}], **spec}})

    def test_unsigned_commits_are_not_synced(self):
        repo = self.env.repo()
        repo.commit({"cm.yaml": config_map("signed")})
        self.project("old", signatureKeys=[{"keyID": self.key[-16:]}])
        self.project("new", sourceIntegrity={"git": {"policies": [{"repos": [{"url": "*"}],
                                                                   "gpg": {"mode": "head", "keys": [self.key]}}]}})
        for project in ("old", "new"):
            self.env.app("in-" + project, self.env.git.url(repo), project=project,
                         syncPolicy={"automated": {}})
            self.wait_condition("in-" + project, "ComparisonError", "GIT/GPG: Failed verifying revision")
            self.assertEqual(self.env.get_app("in-" + project)["status"]["sync"]["status"], "Unknown")
        env = {"GNUPGHOME": self.home}
        repo.write({"cm.yaml": config_map("signed", {"key": "by ada"})})
        git("add", "-A", cwd=repo.work)
        git("-c", "user.signingkey=" + self.key, "commit", "-q", "-S", "-m", "signed", cwd=repo.work, env=env)
        git("push", "-q", "origin", "HEAD", cwd=repo.work)
        for project in ("old", "new"):
            self.env.refresh("in-" + project)
            self.env.wait_status("in-" + project, "Synced")


class Plugins(Case):
    @classmethod
    def setUpClass(cls):
        env = Environment()
        cls.env = env
        sockets, config = os.path.join(env.dir, "plugins"), os.path.join(env.dir, "plugin")
        os.makedirs(sockets)
        os.makedirs(config)
        with open(os.path.join(config, "plugin.yaml"), "w", encoding="utf-8") as f:
            f.write(PLUGIN)
        env.repo_server.argv += ["--plugin-socket-path", sockets]
        sidecar = env._process("cargocd-cmp-server", [os.path.join(BIN, "cargocd-cmp-server"), "--config-dir-path", config,
                                                      "--plugin-socket-path", sockets, "--work-dir", env.dir])
        sidecar.start()
        wait_for("the sidecar", lambda: os.path.exists(os.path.join(sockets, "shouter.sock")), alive=[sidecar])
        env.start()

    def test_a_plugin_that_finds_its_applications(self):
        repo = self.env.repo()
        repo.commit({"loud/shout.txt": "hello\n", "plain/cm.yaml": config_map("plain")})
        ns = self.env.app("loud", self.env.git.url(repo), path="loud")
        self.env.app("plain", self.env.git.url(repo), path="plain")
        app = self.env.wait_status("loud", "OutOfSync")
        self.assertEqual(app["status"]["sourceType"], "Plugin")
        self.env.sync("loud")
        self.env.wait_operation("loud")
        self.assertEqual(self.env.kube.get("v1", "ConfigMap", ns, "shout")["data"], {"text": "HELLO"})
        self.assertEqual(self.env.wait_status("plain", "OutOfSync")["status"]["sourceType"], "Directory")
        repo.commit({"loud/shout.txt": "bye\n"})
        self.env.refresh("loud")
        self.env.wait_status("loud", "OutOfSync")

    def test_the_sidecar_needs_no_libraries(self):
        kind = subprocess.run(["readelf", "-l", os.path.join(BIN, "cargocd-cmp-server")], capture_output=True, text=True, check=True)
        self.assertNotIn("INTERP", kind.stdout)
