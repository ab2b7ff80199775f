"""What the API says about repositories and revisions: the api-server and the repository server as processes."""
import functools
import hashlib
import http.server
import io
import os
import shutil
import tarfile
import tempfile
import threading
import unittest
import urllib.parse

from lib.case import config_map
from lib.env import APP, Environment
from lib.api import Api


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def chart(folder, name, version):
    """Puts a chart and its index entry into the folder."""
    texts = {"Chart.yaml": "apiVersion: v2\nname: %s\nversion: %s\ndescription: A chart\nhome: https://c.example\n"
                           "maintainers: [{name: Ada, email: ada@example.org}]\n" % (name, version),
             "values.yaml": "a: 1\n", "templates/x.yaml": config_map("x")}
    path = os.path.join(folder, "%s-%s.tgz" % (name, version))
    with tarfile.open(path, "w:gz") as tar:
        for file, text in texts.items():
            info = tarfile.TarInfo("%s/%s" % (name, file))
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    with open(path, "rb") as f:
        digest = hashlib.sha256(f.read()).hexdigest()
    with open(os.path.join(folder, "index.yaml"), "w", encoding="ascii") as f:
        f.write("apiVersion: v1\nentries:\n  %s:\n  - {name: %s, version: %s, digest: %s, urls: [%s-%s.tgz]}\n"
                % (name, name, version, digest, name, version))


class Repositories(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        chart(cls.folder.name, "web", "1.2.3")
        cls.charts = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=cls.folder.name))
        threading.Thread(target=cls.charts.serve_forever, daemon=True).start()
        cls.chart_url = "http://127.0.0.1:%d" % cls.charts.server_port
        cls.env = Environment()
        cls.env.start()
        cls.env.start_api_server()
        password = cls.env.secret("argocd-initial-admin-secret", "password")
        cls.env.wait("login", lambda: cls.env.api.login("admin", password).status == 200)
        cls.repo = cls.env.repo()
        cls.sha = cls.repo.commit({"app/a.yaml": config_map("a"), "chart/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n",
                                   "chart/values.yaml": "deep: {er: [1]}\n", "chart/env/values-prod.yaml": "a: b\n"}, "the first")
        cls.url = cls.env.git.url(cls.repo)

    @classmethod
    def tearDownClass(cls):
        codes = cls.env.close()
        cls.charts.shutdown()
        cls.charts.server_close()
        cls.folder.cleanup()
        for name, code in codes.items():
            assert code == 0, "%s ended with %d" % (name, code)

    def get(self, path, status=200):
        answer = self.env.api.get(path)
        self.assertEqual(answer.status, status, answer.text)
        return answer.json

    def at(self, url, what, **query):
        return "/api/v1/repositories/%s/%s?%s" % (urllib.parse.quote(url, safe=""), what, urllib.parse.urlencode(query))

    def wait_known(self, name):
        self.env.wait("the api-server to know " + name, lambda: self.env.api.get("/api/v1/applications/" + name).status == 200)

    def test_commit_of_an_application(self):
        self.env.app("meta", self.url, path="app")
        self.wait_known("meta")
        meta = self.get("/api/v1/applications/meta/revisions/%s/metadata" % self.sha)
        self.assertEqual(meta["message"], "the first")
        self.assertIn("@", meta["author"])
        self.assertIn("date", meta)
        answer = self.env.api.get("/api/v1/applications/meta/revisions/%s/metadata?sourceIndex=3" % self.sha)
        self.assertIn("there is only 1 source", answer.text)
        answer = self.env.api.get("/api/v1/applications/meta/revisions/%s/metadata?versionId=7" % self.sha)
        self.assertIn("version ID 7 not found because the app has no history", answer.text)
        answer = self.env.api.get("/api/v1/applications/meta/revisions/%s/chartdetails" % self.sha)
        self.assertIn("no chart found for application: meta", answer.text)

    def test_chart_of_an_application(self):
        self.env.kube.create({"apiVersion": APP[0], "kind": APP[1], "metadata": {"name": "charted", "namespace": self.env.ns},
                              "spec": {"project": "default", "destination": {"server": "https://kubernetes.default.svc", "namespace": "x"},
                                       "source": {"repoURL": self.chart_url, "chart": "web", "targetRevision": "1.x"}}})
        self.wait_known("charted")
        if shutil.which("helm"):
            app = self.env.wait_status("charted", "OutOfSync")
            self.assertEqual(app["status"]["sync"]["revision"], "1.2.3")
            self.assertEqual([r["name"] for r in app["status"]["resources"]], ["x"])
        self.assertEqual(self.get("/api/v1/applications/charted/revisions/1.2.3/chartdetails"),
                         {"description": "A chart", "home": "https://c.example", "maintainers": ["Ada <ada@example.org>"]})

    def test_lists(self):
        self.assertEqual(self.get(self.at(self.url, "refs"))["branches"], ["main"])
        self.assertEqual(self.get(self.at(self.chart_url, "helmcharts")), {"items": [{"name": "web", "versions": ["1.2.3"]}]})
        apps = self.get(self.at(self.url, "apps", revision="HEAD", appProject="default", appName="new"))
        self.assertEqual(apps["items"], [{"type": "Helm", "path": "chart"}])
        answer = self.env.api.get(self.at(self.url, "apps", revision="HEAD", appProject="none", appName="new"))
        self.assertEqual(answer.status, 404, answer.text)

    def details(self, source, **more):
        return self.env.api("POST", "/api/v1/repositories/%s/appdetails" % urllib.parse.quote(source["repoURL"], safe=""),
                            dict({"source": source, "appName": "form", "appProject": "default"}, **more))

    def test_details(self):
        answer = self.details({"repoURL": self.url, "path": "chart", "targetRevision": "HEAD"})
        self.assertEqual(answer.status, 200, answer.text)
        details = answer.json
        self.assertEqual(details["type"], "Helm")
        self.assertEqual(details["helm"]["valueFiles"], ["env/values-prod.yaml", "values.yaml"])
        self.assertEqual(details["helm"]["parameters"], [{"name": "deep.er[0]", "value": "1"}])
        answer = self.details({"repoURL": self.chart_url, "chart": "web", "targetRevision": "1.2.3"})
        self.assertEqual(answer.json["helm"]["parameters"], [{"name": "a", "value": "1"}])
        # An application that is there shows its own sources only.
        self.env.app("owned", self.url, path="app")
        self.wait_known("owned")
        own = {"repoURL": self.url, "path": "app", "targetRevision": "HEAD"}
        spec = self.env.get_app("owned")["spec"]["source"]
        self.assertEqual(self.details(spec, appName="owned").json, {"type": "Directory", "directory": {}})
        answer = self.details(dict(own, path="chart"), appName="owned")
        self.assertEqual(answer.status, 403, answer.text)


if __name__ == "__main__":
    unittest.main()
