"""`cargocd render`: what the repository server would render, without any server."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import yaml

from lib.case import config_map
from lib.env import BIN
from lib.git import Server, Repo

CHART = {"chart/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n", "chart/values.yaml": "v: chart\n",
         "chart/templates/x.yaml": config_map("{{ .Release.Name }}", {"k": "{{ .Capabilities.KubeVersion }}"}).replace("'", '"')
         + "  h: {{ .Capabilities.APIVersions.Has \"x/v1\" | quote }}\n  v: {{ .Values.v }}\n"}


def application(name="demo", **spec):
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name, "namespace": "argocd"},
            "spec": dict({"project": "default", "destination": {"server": "https://kubernetes.default.svc", "namespace": "prod"}}, **spec)}


class Render(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="cargocd-test-")
        self.addCleanup(shutil.rmtree, self.dir)

    def folder(self, files, name="src"):
        for path, text in files.items():
            full = os.path.join(self.dir, name, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as f:
                f.write(text)
        return os.path.join(self.dir, name)

    def render(self, app, *args, status=0):
        text = app if isinstance(app, str) else yaml.safe_dump(app)
        scratch = os.path.join(self.dir, "tmp")
        os.makedirs(scratch, exist_ok=True)
        done = subprocess.run([os.path.join(BIN, "cargocd"), "render", "-f", "-", *args], input=text, cwd=self.dir,
                              env=dict(os.environ, TMPDIR=scratch), capture_output=True, text=True, timeout=100, check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(os.listdir(scratch), [], "directories are left")
        return done

    def test_local_folder_that_is_no_repository(self):
        src = self.folder({"app/a.yaml": config_map("a"), "app/.git-like": "x"})
        app = application(source={"repoURL": "https://git.example/x.git", "path": "app", "targetRevision": "main"})
        docs = list(yaml.safe_load_all(self.render(app, "--local", src).stdout))
        self.assertEqual([d["metadata"] for d in docs], [
            {"name": "a", "annotations": {"argocd.argoproj.io/tracking-id": "demo:/ConfigMap:prod/a"}}])

    def test_changes_that_are_not_committed_count_and_ignored_files_do_not(self):
        src = self.folder({"a.yaml": config_map("a"), ".gitignore": "hidden/\n", "hidden/b.yaml": config_map("b")})
        for argv in (["init", "-q"], ["add", "a.yaml"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one"]):
            subprocess.run(["git", *argv], cwd=src, check=True)
        self.folder({"new.yaml": config_map("new")})
        app = application(source={"repoURL": "git@git.example:x.git", "path": ".", "directory": {"recurse": True}})
        names = [o["metadata"]["name"] for o in json.loads(self.render(app, "--local", src, "-o", "json").stdout)]
        self.assertEqual(names, ["a", "new"])
        committed = json.loads(self.render(app, "--local", src, "--revision", "HEAD", "-o", "json").stdout)
        self.assertEqual([o["metadata"]["name"] for o in committed], ["a"])

    @unittest.skipUnless(shutil.which("helm"), "helm is not installed")
    def test_several_sources_from_a_server(self):
        work = os.path.join(self.dir, "git")
        os.makedirs(work)
        server = Server(work)
        self.addCleanup(server.close)
        repo = Repo(work, os.path.join(self.dir, "trees"), "multi")
        repo.commit(dict(CHART, **{"env/prod.yaml": "v: ref\n"}))
        url = server.url(repo)
        app = application(sources=[{"repoURL": url, "path": "chart", "targetRevision": "main", "helm": {"valueFiles": ["$env/env/prod.yaml"]}},
                                   {"repoURL": url, "targetRevision": "main", "ref": "env"}])
        done = self.render(app, "--kube-version", "1.31.2", "--api-versions", "x/v1,y/v1", "-o", "json")
        self.assertEqual([o["data"] for o in json.loads(done.stdout)], [{"k": "v1.31.2", "h": "true", "v": "ref"}])

    @unittest.skipUnless(shutil.which("helm"), "helm is not installed")
    def test_one_repository_at_two_revisions(self):
        work = os.path.join(self.dir, "git")
        os.makedirs(work)
        server = Server(work)
        self.addCleanup(server.close)
        repo = Repo(work, os.path.join(self.dir, "trees"), "twice")
        first = repo.commit(dict(CHART, **{"v.yaml": "v: first\n"}))
        repo.commit({"v.yaml": "v: second\n"})
        url = server.url(repo)
        for name, value in (("$old", "first"), ("$new", "second")):
            app = application(sources=[{"repoURL": url, "path": "chart", "targetRevision": "main", "helm": {"valueFiles": [name + "/v.yaml"]}},
                                       {"repoURL": url, "targetRevision": first, "ref": "old"}, {"repoURL": url, "targetRevision": "main", "ref": "new"}])
            self.assertEqual([o["data"]["v"] for o in json.loads(self.render(app, "-o", "json").stdout)], [value])

    def test_the_application_among_other_objects(self):
        src = self.folder({"a.yaml": config_map("a")})
        app = application(source={"repoURL": "https://git.example/x.git", "path": "."})
        both = yaml.safe_dump_all([{"kind": "AppProject", "metadata": {"name": "p"}}, app])
        self.assertIn("name: a\n", self.render("---\n" + both, "--local", src).stdout)
        done = self.render(both + "---\n" + yaml.safe_dump(dict(app, metadata={"name": "other"})), "--local", src, status=20)
        self.assertEqual(done.stderr, "rpc error: code = InvalidArgument desc = read standard input: there is more than one Application\n")
        self.assertIn("read standard input: line 2, column 1: ", self.render("a: [", status=20).stderr)

    def test_errors_are_the_servers(self):
        src = self.folder({"a.yaml": config_map("a")})
        app = application(source={"repoURL": "https://git.example/x.git", "path": "nope"})
        done = self.render(app, "--local", src, status=20)
        self.assertEqual(done.stdout, "")
        self.assertEqual(done.stderr, "rpc error: code = InvalidArgument desc = nope: app path does not exist\n")
        done = self.render({"kind": "Pod"}, status=20)
        self.assertIn("there is no Application with a name", done.stderr)
        done = self.render(application(source={"repoURL": "https://git.example/x.git", "chart": "x"}), "--local", src, status=20)
        self.assertIn("a local directory stands for a Git repository", done.stderr)
        self.assertEqual(subprocess.run([os.path.join(BIN, "cargocd"), "render"], capture_output=True, check=False).returncode, 1)


if __name__ == "__main__":
    unittest.main()
