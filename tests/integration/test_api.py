"""The api-server by itself: REST, sessions, who may see what, event streams, WebSockets."""
import base64
import gzip
import http.client
import json
import os
import socket
import time
import unittest

from lib.api import Api, WebSocket
from lib.case import kubesim_only
from lib.env import APP, BIN, Environment
from lib.proc import wait_for

PROJECT = ("argoproj.io/v1alpha1", "AppProject")
POLICY = """
p, alice, applications, get, open/*, allow
p, alice, applications, sync, open/*, allow
p, alice, projects, get, open, allow
g, team, role:readonly
"""
SHA = "a" * 40


class ApiEnvironment(Environment):
    flags = ["--insecure"]
    whole = False  # with the other daemons

    def _start_kubesim(self):
        with open(os.path.join(self.dir, "faults.json"), "w", encoding="ascii") as f:
            f.write("{}")
        return super()._start_kubesim()

    def start(self):
        self.kube.update({"apiVersion": "v1", "kind": "ConfigMap",
                          "metadata": {"name": "argocd-cm", "namespace": self.ns},
                          "data": {"accounts.alice": "login", "accounts.off": "login", "accounts.off.enabled": "false",
                                   "url": "https://cd.example", "additionalUrls": "- https://other.example/x\n",
                                   "oidc.config": "name: O\nissuer: https://i\nclientID: c\nclientSecret: hush-hush\n"}})
        self.config_map("argocd-rbac-cm", {"policy.csv": POLICY})
        for name in ("open", "closed"):
            self.kube.create({"apiVersion": PROJECT[0], "kind": PROJECT[1], "metadata": {"name": name, "namespace": self.ns},
                              "spec": {"sourceRepos": ["https://ok.example/*"] if name == "open" else ["*"],
                                       "destinations": [{"server": "*", "namespace": "ok-*" if name == "open" else "*"}]}})
        if self.whole:
            super().start()
        self.start_server()
        return self

    def start_server(self):
        self.start_api_server(self.flags)

    def as_user(self, name="admin"):
        api = Api(self.port, tls=self.api.tls)
        if name != "admin" and "accounts.%s.password" % name not in self.kube.get("v1", "Secret", self.ns, "argocd-secret")["data"]:
            self.kube.merge("v1", "Secret", self.ns, "argocd-secret", {"data": {
                "accounts.%s.password" % name: base64.b64encode(self.secret("argocd-secret", "admin.password").encode()).decode()}})
        password = self.secret("argocd-initial-admin-secret", "password")
        wait_for("login of " + name, lambda: api.login(name, password).status == 200)
        return api

    def put_app(self, name, project="open", ns=None, labels=None, repo="https://ok.example/r", **status):
        o = {"apiVersion": APP[0], "kind": APP[1],
             "metadata": {"name": name, "namespace": ns or self.ns, "labels": labels or {}},
             "spec": {"project": project, "source": {"repoURL": repo, "path": "p", "targetRevision": "main"},
                      "destination": {"server": "https://kubernetes.default.svc", "namespace": "ok-1"}}}
        self.kube.create(o)
        if status:
            self.kube.merge(*APP, ns or self.ns, name, {"status": status})

    def known(self, api, name):
        wait_for("application " + name, lambda: any(i["metadata"]["name"] == name
                                                    for i in api.get("/api/v1/applications").json["items"] or []))


class ApiCase(unittest.TestCase):
    flags = ["--insecure"]
    whole = redis = False
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.env = ApiEnvironment(redis=cls.redis)
        cls.env.flags, cls.env.whole = cls.flags, cls.whole
        cls.env.start()
        cls.admin = cls.env.as_user()

    @classmethod
    def tearDownClass(cls):
        for name, code in cls.env.close().items():
            if name == "cargocd-api-server":
                assert code == 0, "the api-server ended with %d" % code

    def error(self, answer, status, part):
        self.assertEqual(answer.status, status, answer.body)
        self.assertIn(part, answer.json["error"])
        self.assertEqual(answer.json["error"], answer.json["message"])
        return answer.json["code"]

    def body(self, name="new", project="open", repo="https://ok.example/r", ns="ok-1", **more):
        return {"metadata": {"name": name}, "spec": {"project": project, "source": {"repoURL": repo, "path": "p"},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": ns}}, **more}


class Http(ApiCase):
    def test_public_and_private(self):
        anonymous = self.env.api
        self.assertEqual(anonymous.get("/healthz").text, "ok\n")
        self.assertEqual(list(anonymous.get("/api/version").json), ["Version"])
        self.assertIn("Platform", self.admin.get("/api/version").json)
        settings = anonymous.get("/api/v1/settings")
        self.assertEqual(settings.json["oidcConfig"], {"name": "O", "issuer": "https://i", "clientID": "c"})
        self.assertNotIn("hush", settings.text)
        self.assertNotIn("controllerNamespace", settings.json)
        self.assertEqual(self.admin.get("/api/v1/settings").json["controllerNamespace"], self.env.ns)
        self.assertEqual(anonymous.get("/api/v1/session/userinfo").json, {})
        for path in ("/api/v1/applications", "/api/v1/projects", "/api/v1/clusters", "/api/v1/account",
                     "/api/v1/applications/x", "/api/v1/repositories", "/api/v1/stream/applications"):
            self.assertEqual(self.error(anonymous.get(path), 401, "no session information"), 16)
        self.error(anonymous.get("/api/v1/applications", token="a.b.c"), 401, "invalid session")

    def test_shapes_of_errors(self):
        self.assertEqual(self.admin.get("/api/v1/nothing").text, "Not Found\n")
        self.assertEqual(self.admin.get("/api/v1/nothing").status, 404)
        self.assertEqual(self.admin("PUT", "/api/v1/applications", {}).status, 405)
        wrong = self.admin("DELETE", "/api/v1/applications/x", content_type=None)
        self.assertEqual((wrong.status, wrong.text), (415, "Invalid content type\n"))
        self.assertEqual(self.admin("POST", "/api/v1/session", {}, content_type="application/json; charset=utf-8").status, 415)
        self.assertEqual(self.error(self.admin.get("/api/v1/repositories"), 501, "not implemented"), 12)
        self.assertEqual(self.error(self.admin.get("/api/v1/applications/x/resource?resourceName=a&kind=b"), 500,
                                    'required field "version" not set'), 13)
        self.error(self.admin("POST", "/api/v1/applications", "{"), 400, "")
        self.error(self.admin("POST", "/api/v1/applications", '{"metadata":{"name":1}}'), 400, "cannot unmarshal number")

    def test_static_files(self):
        page = self.env.api.get("/applications/a/b", headers={"Accept": "text/html,*/*"})
        self.assertEqual(page.status, 200)
        self.assertIn("<!doctype", page.text.lower()[:400] + "<!doctype" * ("<html" not in page.text))
        self.assertIn("no-cache", page.headers["Cache-Control"])
        self.assertIn("frame-ancestors 'self'", page.headers["Content-Security-Policy"])
        self.assertEqual(page.headers["X-Frame-Options"], "sameorigin")
        self.assertEqual(page.headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(self.env.api.get("/missing.js", headers={"Accept": "*/*"}).status, 404)
        self.assertEqual(self.env.api.get("/..%2f..%2fetc/passwd", headers={"Accept": "*/*"}).status, 404)

    def test_compression(self):
        self.env.put_app("zip", labels={"l%d" % i: "v" * 60 for i in range(30)})
        self.env.known(self.admin, "zip")
        packed = self.admin.get("/api/v1/applications", headers={"Accept-Encoding": "gzip"})
        self.assertEqual(packed.headers["Content-Encoding"], "gzip")
        self.assertIn("zip", [a["metadata"]["name"] for a in json.loads(gzip.decompress(packed.body))["items"]])

    def test_bodies_have_limits(self):
        connection = self.env.api.connect()
        connection.putrequest("POST", "/api/v1/session")
        for h in (("Content-Type", "application/json"), ("Content-Length", "10000000")):
            connection.putheader(*h)
        connection.endheaders()
        self.assertEqual(connection.getresponse().status, 413)

    def test_grpc_seam(self):
        answer = self.env.api("POST", "/version.VersionService/Version", b"\0\0\0\0\0", content_type="application/grpc-web+proto")
        self.assertEqual((answer.status, answer.headers["Grpc-Status"], answer.body), (200, "12", b""))

    def test_metrics(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.env.api_metrics_port, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        self.assertIn('argocd_login_request_total{status="success"}', text)
        self.assertIn("process_resident_memory_bytes", text)


class Sessions(ApiCase):
    def test_login(self):
        password = self.env.secret("argocd-initial-admin-secret", "password")
        self.assertEqual(len(password), 16)
        api = Api(self.env.port)
        answer = api.login("admin", password)
        self.assertIn("argocd.token=", answer.headers["Set-Cookie"])
        self.assertIn("path=/; SameSite=lax; httpOnly", answer.headers["Set-Cookie"])
        info = api.get("/api/v1/session/userinfo").json
        self.assertEqual((info["loggedIn"], info["username"], info["iss"]), (True, "admin", "argocd"))
        began = time.monotonic()
        self.assertEqual(self.error(api.login("admin", "wrong"), 401, "Invalid username or password"), 16)
        self.assertGreaterEqual(time.monotonic() - began, 0.5)
        self.error(api.login("nobody", "wrong"), 401, "Invalid username or password")
        self.error(api.login("", ""), 401, "no credentials supplied")
        self.error(api.login("x" * 33, "y"), 400, "Username is too long")
        self.assertEqual(api("DELETE", "/api/v1/session").json, {})

    def test_locked_name(self):
        api = Api(self.env.port)
        for _ in range(5):
            api.login("alice", "wrong")
        self.env.kube.merge("v1", "Secret", self.env.ns, "argocd-secret", {"data": {
            "accounts.alice.password": base64.b64encode(self.env.secret("argocd-secret", "admin.password").encode()).decode()}})
        time.sleep(0.3)
        password = self.env.secret("argocd-initial-admin-secret", "password")
        self.error(api.login("alice", password), 401, "Invalid username or password")

    def test_log_out_revokes(self):
        api = self.env.as_user()
        self.assertEqual(api.get("/api/v1/account").status, 200)
        answer = api("POST", "/auth/logout", headers={"Cookie": "argocd.token=" + api.token})
        self.assertEqual((answer.status, answer.headers["Location"]), (303, "https://cd.example"))
        self.assertIn("argocd.token=; Max-Age=0", answer.headers["Set-Cookie"])
        self.error(api.get("/api/v1/account"), 401, "token is revoked, please re-login")
        self.assertEqual(self.env.api("POST", "/auth/logout").status, 400)
        wait_for("the secret", lambda: (self.env.kube.get("v1", "Secret", self.env.ns, "cargocd-revoked-tokens") or {}).get("data"))
        self.env.server.stop()
        self.env.start_server()
        self.admin.port = self.env.port
        api.port = self.env.port
        self.error(api.get("/api/v1/account"), 401, "token is revoked, please re-login")

    def test_accounts_and_can_i(self):
        names = [a["name"] for a in self.admin.get("/api/v1/account").json["items"]]
        self.assertEqual(names, ["admin", "alice", "off"])
        for path, value in (("applications/delete/*/*", "yes"), ("extensions/invoke/x", "no")):
            self.assertEqual(self.admin.get("/api/v1/account/can-i/" + path).json, {"value": value})
        self.error(self.admin.get("/api/v1/account/can-i/nonsense/get/x"), 400, "does not contain nonsense")
        self.error(self.admin.get("/api/v1/account/nobody"), 404, "account 'nobody' does not exist")


class Applications(ApiCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.alice = cls.env.as_user("alice")
        cls.env.put_app("seen", "open", labels={"team": "a"}, health={"status": "Healthy"})
        cls.env.put_app("hidden", "closed", repo="https://other.example/r")
        cls.env.known(cls.admin, "seen")
        cls.env.known(cls.admin, "hidden")

    def names(self, api, query=""):
        return [i["metadata"]["name"] for i in api.get("/api/v1/applications" + query).json["items"] or []]

    def test_lists(self):
        self.assertIn("hidden", self.names(self.admin))
        self.assertNotIn("hidden", self.names(self.alice))
        self.assertEqual(self.names(self.alice, "?selector=team%3Da"), ["seen"])
        self.assertEqual(self.names(self.admin, "?projects=closed"), ["hidden"])
        self.assertEqual(self.names(self.admin, "?projects=open&project=closed"), ["hidden"])
        self.assertEqual(self.names(self.admin, "?repo=https%3A%2F%2Fother.example%2Fr"), ["hidden"])
        self.assertEqual(self.names(self.admin, "?name=seen&appNamespace=" + self.env.ns), ["seen"])
        self.assertEqual(self.names(self.admin, "?appNamespace=elsewhere"), [])
        self.error(self.admin.get("/api/v1/applications?selector=((("), 400, "selector")
        some = self.admin.get("/api/v1/applications?name=seen&fields=items.metadata.name,items.status.health,items.metadata.annotations").json
        self.assertEqual(some["items"], [{"metadata": {"name": "seen", "annotations": None}, "status": {"health": {"status": "Healthy"}}}])
        page = self.admin.get("/api/v1/applications?limit=1").json
        self.assertEqual(len(page["items"]), 1)
        self.assertIn(page["items"][0]["metadata"]["name"] + "/", page["metadata"]["continue"])
        rest = self.names(self.admin, "?continue=" + page["metadata"]["continue"])
        self.assertEqual([page["items"][0]["metadata"]["name"]] + rest, self.names(self.admin))

    def test_missing_and_forbidden_look_alike(self):
        for name in ("hidden", "no-such"):
            for verb, path, body in (("GET", "", None), ("GET", "/resource-tree", None), ("GET", "/managed-resources", None),
                                     ("GET", "/events", None), ("POST", "/sync", {}), ("DELETE", "", None),
                                     ("PATCH", "", {"patch": "{}", "patchType": "merge"}), ("DELETE", "/operation", None)):
                answer = self.alice(verb, "/api/v1/applications/" + name + path, body)
                self.assertEqual((answer.status, answer.json["error"]), (403, "permission denied"), (name, path))
            answer = self.alice.get("/api/v1/applications/%s?project=open" % name)
            self.error(answer, 404, 'applications.argoproj.io "%s" not found' % name)
            self.error(self.alice.get("/api/v1/applications/%s?project=closed" % name), 403, "permission denied")
        self.error(self.alice("POST", "/api/v1/applications", self.body()), 403,
                   "permission denied: applications, create, open/new, sub: alice, iat: ")

    def test_always_present_fields(self):
        app = self.admin.get("/api/v1/applications/seen").json
        self.assertEqual(app["status"]["sync"]["comparedTo"], {"source": {"repoURL": ""}, "destination": {}})
        self.assertEqual((app["status"]["summary"], app["status"]["sourceHydrator"]), ({}, {}))
        self.assertNotIn("managedFields", app["metadata"])

    def test_create(self):
        new = self.admin("POST", "/api/v1/applications?validate=false", self.body("made", operation={"sync": {}}))
        self.assertEqual(new.status, 200, new.body)
        self.assertNotIn("operation", new.json)
        again = self.admin("POST", "/api/v1/applications?validate=false", self.body("made"))
        self.assertEqual((again.status, again.json["metadata"]["uid"]), (200, new.json["metadata"]["uid"]))
        other = self.body("made", ns="ok-2")
        other["metadata"]["labels"] = {"a": "b"}
        self.error(self.admin("POST", "/api/v1/applications?validate=false", other), 400,
                   "existing application spec is different, use upsert flag to force update")
        forced = self.admin("POST", "/api/v1/applications?validate=false&upsert=true", other).json
        self.assertEqual((forced["spec"]["destination"]["namespace"], forced["metadata"]["labels"]), ("ok-2", {"a": "b"}))
        for body, text in ((self.body("bad", repo="https://evil.example/r"), "is not permitted in project 'open'"),
                           (self.body("bad", ns="nope"), "do not match any of the allowed destinations"),
                           (self.body("bad", project="none"), 'app is not allowed in project "none", or the project does not exist'),
                           (self.body("bad", ns="ok-1", spec={"project": "open", "source": {"repoURL": "https://ok.example/r", "path": "."}, "destination": {}}),
                            "application destination spec for bad is invalid: Destination server missing from app spec"),
                           (self.body(""), "resource name may not be empty")):
            self.error(self.admin("POST", "/api/v1/applications?validate=false", body), 400, text)
        # with validation, what the repository server cannot say is an error that names it
        self.error(self.admin("POST", "/api/v1/applications", self.body("deep")), 400, "repository not accessible")
        events = self.admin.get("/api/v1/applications/made/events").json["items"]
        self.assertTrue(wait_for("the event", lambda: any(e["message"] == "admin created application" for e in
                                 self.admin.get("/api/v1/applications/made/events").json["items"])) or events)

    def test_update(self):
        self.env.put_app("edit", labels={"keep": "no"}, sync={"status": "Synced"})
        self.env.kube.merge(*APP, self.env.ns, "edit", {"spec": {"someFutureField": {"x": 1}}, "operation": {"sync": {}}})
        self.env.known(self.admin, "edit")
        app = self.admin.get("/api/v1/applications/edit").json
        app["spec"]["destination"]["namespace"] = "ok-9"
        app["metadata"]["labels"] = {"new": "yes"}
        app["status"] = {"sync": {"status": "Evil"}}
        app["operation"] = None
        stored = self.admin("PUT", "/api/v1/applications/edit?validate=false", app)
        self.assertEqual(stored.status, 200, stored.body)
        live = self.env.kube.get(*APP, self.env.ns, "edit")
        self.assertEqual((live["spec"]["destination"]["namespace"], live["metadata"]["labels"]), ("ok-9", {"new": "yes"}))
        self.assertEqual(live["status"]["sync"]["status"], "Synced")
        self.assertIn("operation", live)
        spec = self.admin("PUT", "/api/v1/applications/edit/spec?validate=false", {**app["spec"], "revisionHistoryLimit": 3})
        self.assertEqual(spec.json["revisionHistoryLimit"], 3)
        move = dict(app["spec"], project="closed")
        self.assertEqual(self.admin("PUT", "/api/v1/applications/edit/spec?validate=false", move).status, 200)

    def test_patch(self):
        self.env.put_app("patched")
        self.env.known(self.admin, "patched")
        self.error(self.admin("PATCH", "/api/v1/applications/patched", {"patch": "{}", "patchType": "strategic"}), 400,
                   "Patch type 'strategic' is not supported")
        self.error(self.admin("PATCH", "/api/v1/applications/patched", {"patch": "nonsense", "patchType": "json"}), 400, "decoding patch")

    def test_delete(self):
        for name, query, finalizers in (("d1", "", ["resources-finalizer.argocd.argoproj.io"]),
                                        ("d2", "?propagationPolicy=Background", ["resources-finalizer.argocd.argoproj.io/background"]),
                                        ("d3", "?cascade=false", None)):
            self.env.put_app(name)
            self.env.known(self.admin, name)
            answer = self.admin("DELETE", "/api/v1/applications/" + name + query)
            self.assertEqual((answer.status, answer.json), (200, {}))
            left = self.env.kube.get(*APP, self.env.ns, name)
            self.assertEqual(left and left["metadata"].get("finalizers"), finalizers)
        self.error(self.admin("DELETE", "/api/v1/applications/seen?propagationPolicy=odd"), 400, "invalid propagation policy: odd")
        self.error(self.admin("DELETE", "/api/v1/applications/seen?cascade=false&propagationPolicy=foreground"), 400,
                   "cannot set propagation policy when cascading is disabled")

    def test_sync_and_terminate(self):
        self.env.put_app("run")
        self.env.known(self.admin, "run")
        self.error(self.admin("DELETE", "/api/v1/applications/run/operation"), 400, "No operation is in progress")
        answer = self.admin("POST", "/api/v1/applications/run/sync", {"revision": SHA, "prune": True, "infos": [{"name": "a", "value": "b"}],
                                                                     "syncOptions": {"items": ["CreateNamespace=true"]}})
        self.assertEqual(answer.status, 200, answer.body)
        op = self.env.kube.get(*APP, self.env.ns, "run")["operation"]
        self.assertEqual((op["sync"]["revision"], op["sync"]["prune"], op["initiatedBy"]), (SHA, True, {"username": "admin"}))
        self.assertEqual((op["sync"]["syncOptions"], op["info"]), (["CreateNamespace=true"], [{"name": "a", "value": "b"}]))
        self.assertEqual(op["sync"]["source"]["path"], "p")
        self.assertEqual(self.error(self.admin("POST", "/api/v1/applications/run/sync", {"revision": SHA}), 400,
                                    "another operation is already in progress"), 9)
        self.env.kube.merge(*APP, self.env.ns, "run", {"status": {"operationState": {"phase": "Running", "operation": {}, "startedAt": "2026-01-01T00:00:00Z"}}})
        self.assertEqual(self.admin("DELETE", "/api/v1/applications/run/operation").json, {})
        self.assertEqual(self.env.kube.get(*APP, self.env.ns, "run")["status"]["operationState"]["phase"], "Terminating")
        self.error(self.admin("POST", "/api/v1/applications/seen/sync", {"sourcePositions": [7], "revisions": ["x"]}), 500, "out of range")
        self.error(self.alice("POST", "/api/v1/applications/seen/sync", {"manifests": ["x"]}), 403, "applications, override, open/seen")

    def test_sync_with_auto_sync(self):
        self.env.put_app("auto")
        self.env.kube.merge(*APP, self.env.ns, "auto", {"spec": {"syncPolicy": {"automated": {}}}})
        self.env.known(self.admin, "auto")
        self.assertEqual(self.error(self.admin("POST", "/api/v1/applications/auto/sync", {"revision": SHA}), 400,
                                    "Cannot sync to %s: auto-sync currently set to main" % SHA), 9)
        self.error(self.admin("POST", "/api/v1/applications/auto/rollback", {"id": 1}), 400, "rollback cannot be initiated when auto-sync is enabled")

    def test_rollback(self):
        source = {"repoURL": "https://ok.example/r", "path": "old"}
        self.env.put_app("back", history=[{"id": 4, "revision": SHA, "source": source, "deployedAt": "2026-01-01T00:00:00Z"}])
        self.env.known(self.admin, "back")
        self.error(self.admin("POST", "/api/v1/applications/back/rollback", {"id": 9}), 400,
                   "application %s/back does not have deployment with id 9" % self.env.ns)
        self.assertEqual(self.admin("POST", "/api/v1/applications/back/rollback", {"id": 4, "prune": True}).status, 200)
        op = self.env.kube.get(*APP, self.env.ns, "back")["operation"]["sync"]
        self.assertEqual((op["revision"], op["source"], op["syncStrategy"], op["prune"]), (SHA, source, {"apply": {}}, True))

    def test_refresh_waits_for_the_controller(self):
        self.env.put_app("fresh")
        self.env.known(self.admin, "fresh")
        stream = self.admin.stream("/api/v1/applications/nothing")
        stream.close()
        connection = self.admin.connect()
        connection.request("GET", "/api/v1/applications/fresh?refresh=hard", headers={"Authorization": "Bearer " + self.admin.token})
        note = ("metadata", "annotations", "argocd.argoproj.io/refresh")

        def asked():
            return (self.env.kube.get(*APP, self.env.ns, "fresh")["metadata"].get("annotations") or {}).get(note[2]) == "hard"
        wait_for("the annotation", asked)
        connection.sock.settimeout(0.3)
        with self.assertRaises(socket.timeout):
            connection.sock.recv(1, socket.MSG_PEEK)
        connection.sock.settimeout(20)
        self.env.kube.merge(*APP, self.env.ns, "fresh", {"metadata": {"annotations": {note[2]: None}}, "status": {"health": {"status": "Missing"}}})
        app = json.loads(connection.getresponse().read())
        self.assertEqual(app["status"]["health"]["status"], "Missing")

    def test_projects_and_clusters(self):
        self.assertEqual([p["metadata"]["name"] for p in self.alice.get("/api/v1/projects").json["items"]], ["open"])
        self.assertEqual(self.alice.get("/api/v1/projects/open").json["spec"]["sourceRepos"], ["https://ok.example/*"])
        self.assertEqual(self.alice.get("/api/v1/projects/open?fields=spec").status, 200)
        for name in ("closed", "none"):
            self.error(self.alice.get("/api/v1/projects/" + name), 403, "permission denied: projects, get, " + name)
        self.assertEqual(self.admin.get("/api/v1/projects?fields=items.metadata.name").json,
                         {"items": [{"metadata": {"name": n}} for n in ("closed", "default", "open")]})
        self.env.kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "c1", "namespace": self.env.ns, "labels": {
            "argocd.argoproj.io/secret-type": "cluster"}, "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{\"hush\":1}"}},
            "stringData": {"server": "https://c1.example/", "name": "one", "config": json.dumps({
                "bearerToken": "hush", "tlsClientConfig": {"insecure": True, "keyData": "aHVzaA=="}, "execProviderConfig": {"command": "hush"}})}})
        wait_for("the cluster", lambda: len(self.admin.get("/api/v1/clusters").json["items"]) == 2)
        for path in ("https%3A%2F%2Fc1.example", "one?id.type=name", "https%3A%2f%2fc1.example%2F"):
            answer = self.admin.get("/api/v1/clusters/" + path)
            self.assertEqual((answer.status, answer.json.get("name")), (200, "one"), path)
            self.assertNotIn("hush", answer.text)
            self.assertNotIn("aHVzaA", answer.text)
            self.assertEqual(answer.json["config"], {"tlsClientConfig": {"insecure": True}})
        self.error(self.admin.get("/api/v1/clusters/nothing"), 403, "permission denied")
        self.assertEqual(self.alice.get("/api/v1/clusters").json["items"], [])
        self.error(self.alice.get("/api/v1/clusters/one?id.type=name"), 403, "permission denied")


class Streams(ApiCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.alice = cls.env.as_user("alice")
        cls.env.put_app("one", "open", health={"status": "Healthy"})
        cls.env.put_app("two", "closed")
        cls.env.known(cls.admin, "two")

    def set_health(self, name, status):
        self.env.kube.merge(*APP, self.env.ns, name, {"status": {"health": {"status": status}}})

    def test_lines(self):
        stream = self.alice.stream("/api/v1/stream/applications")
        first = json.loads(stream.readline())["result"]
        self.assertEqual((first["type"], first["application"]["metadata"]["name"]), ("ADDED", "one"))
        self.set_health("two", "Degraded")
        self.set_health("one", "Degraded")
        second = json.loads(stream.readline())["result"]
        self.assertEqual((second["type"], second["application"]["status"]["health"]), ("MODIFIED", {"status": "Degraded"}))
        self.env.put_app("three", "open")
        self.assertEqual(json.loads(stream.readline())["result"]["type"], "ADDED")
        self.env.kube.delete(*APP, self.env.ns, "three")
        self.assertEqual(json.loads(stream.readline())["result"]["type"], "DELETED")
        stream.close()

    def test_server_sent_events(self):
        stream = self.admin.stream("/api/v1/stream/applications?name=one&fields=result.type,result.application.metadata.name",
                                   {"Accept": "text/event-stream"})
        self.assertEqual(stream.headers["Content-Type"], "text/event-stream")
        self.assertEqual(stream.readline(), b'data: {"result":{"type":"ADDED","application":{"metadata":{"name":"one"}}}} \n')
        self.assertEqual((stream.readline(), stream.readline()), (b"\n", b"\n"))
        stream.close()

    def test_versions(self):
        version = self.admin.get("/api/v1/applications").json["metadata"]["resourceVersion"]
        stream = self.admin.stream("/api/v1/stream/applications?resourceVersion=" + version)
        self.set_health("one", "Missing")
        event = json.loads(stream.readline())["result"]
        self.assertEqual((event["type"], event["application"]["status"]["health"]["status"]), ("MODIFIED", "Missing"))
        stream.close()

    def test_websocket(self):
        for deflate in (False, True):
            ws = WebSocket(self.alice, deflate=deflate)
            self.assertEqual(ws.status, 101)
            self.assertEqual("permessage-deflate" in ws.head, deflate)
            hello = ws.receive()
            self.assertEqual((hello["ev"], hello["proto"], hello["user"]), ("hello", 1, "alice"))
            ws.send({"op": "sub", "id": 1, "topic": "apps", "args": {}})
            snap = ws.until("snap")
            self.assertEqual([r[0] for r in snap["rows"]], [self.env.ns + "/one"])
            status = "Degraded" if deflate else "Progressing"
            self.set_health("one", status)
            delta = ws.until("delta")
            self.assertEqual((delta["set"][0][0], delta["set"][0][1]["health"]), (self.env.ns + "/one", status))
            ws.send({"op": "sub", "id": 2, "topic": "app", "args": {"name": "two"}})
            self.assertEqual(ws.until("err")["message"], "permission denied")
            ws.send({"op": "sub", "id": 3, "topic": "app", "args": {"name": "one"}})
            self.assertEqual([r[0] for r in ws.until("snap", id=3)["rows"]], ["app"])
            ws.send({"op": "ping", "t": 7})
            self.assertEqual(ws.until("pong")["t"], 7)
            since = {"epoch": hello["epoch"], "pe": hello["pe"], "rev": delta["rev"]}
            ws.close()
            self.set_health("one", "Suspended")
            again = WebSocket(self.alice, deflate=deflate)
            again.until("hello")
            again.send({"op": "sub", "id": 1, "topic": "apps", "args": {}, "since": since})
            self.assertFalse(again.until("snap")["reset"])
            self.assertEqual(again.until("delta")["set"][0][1]["health"], "Suspended")
            again.send(b"nonsense")
            self.assertIsNone(again.receive())
            self.assertEqual(again.code, 4409)
            again.close()

    def test_websocket_is_guarded(self):
        for headers, status in (({"Authorization": "Bearer x"}, 401), ({"Origin": "https://evil.example"}, 403),
                                ({"Origin": "https://cd.example.evil"}, 403), ({"Origin": "null"}, 403),
                                ({"Origin": "https://cd.example"}, 101), ({"Origin": "https://other.example"}, 101),
                                ({"Origin": "http://127.0.0.1:%d" % self.env.port}, 101)):
            ws = WebSocket(self.alice, headers=headers)
            self.assertEqual(ws.status, status, headers)
            ws.close()
        self.assertEqual(WebSocket(self.alice, protocol="other").status, 400)
        answer = self.alice.get("/api/v1/stream/ws")
        self.assertEqual(answer.status, 400)

    def test_policy_change_reaches_open_connections(self):
        ws = WebSocket(self.alice)
        ws.send({"op": "sub", "id": 1, "topic": "apps", "args": {"names": ["one", "two"]}})
        self.assertEqual(len(ws.until("snap")["rows"]), 1)
        self.env.kube.merge("v1", "ConfigMap", self.env.ns, "argocd-rbac-cm", {"data": {"policy.x.csv": "p, alice, applications, get, closed/*, allow"}})
        self.assertEqual(len(ws.until("snap", reset=True)["rows"]), 2)
        self.env.kube.merge("v1", "ConfigMap", self.env.ns, "argocd-rbac-cm", {"data": {"policy.x.csv": None}})
        self.assertEqual(len(ws.until("snap", reset=True)["rows"]), 1)
        ws.close()

    def test_revocation_closes_open_connections(self):
        user = self.env.as_user("alice")
        ws = WebSocket(user)
        ws.until("hello")
        user("POST", "/auth/logout", headers={"Cookie": "argocd.token=" + user.token})
        self.assertIsNone(ws.receive())
        self.assertEqual(ws.code, 4401)


class Whole(ApiCase):
    """With the controller and the repository server: an application from its creation to its live tree."""
    whole = True

    def test_a_guestbook(self):
        fixture = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures", "guestbook")
        repo = self.env.repo()
        sha = repo.tree(fixture)
        ns = self.env.create_namespace()
        url = self.env.git.url(repo)
        body = {"metadata": {"name": "guestbook"}, "spec": {"project": "default", "source": {"repoURL": url, "path": "."},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": ns}}}
        broken = dict(body, spec=dict(body["spec"], source={"repoURL": url, "path": "nowhere"}))
        self.error(self.admin("POST", "/api/v1/applications", broken), 400, "Unable to generate manifests in nowhere")
        created = self.admin("POST", "/api/v1/applications", body)
        self.assertEqual(created.status, 200, created.body)
        ws = WebSocket(self.admin, deflate=True)
        ws.until("hello")
        ws.send({"op": "sub", "id": 1, "topic": "tree", "args": {"name": "guestbook"}})
        ws.send({"op": "sub", "id": 2, "topic": "app", "args": {"name": "guestbook"}})
        self.env.wait_status("guestbook", "OutOfSync")
        refreshed = self.admin.get("/api/v1/applications/guestbook?refresh=normal").json
        self.assertEqual(refreshed["status"]["sync"]["revision"], sha)
        manifests = self.admin.get("/api/v1/applications/guestbook/manifests").json["manifests"]
        self.assertEqual(sorted(json.loads(m)["kind"] for m in manifests), ["ConfigMap", "Deployment", "Service"])
        synced = self.admin("POST", "/api/v1/applications/guestbook/sync", {})
        self.assertEqual((synced.status, synced.json["operation"]["sync"]["revision"]), (200, sha), synced.body)
        self.env.wait_operation("guestbook")
        self.env.wait_status("guestbook", "Synced", "Healthy")
        of = {r["kind"]: r.get("health", {}).get("status") for r in self.admin.get("/api/v1/applications/guestbook").json["status"]["resources"]}
        self.assertEqual(of, {"ConfigMap": None, "Deployment": "Healthy", "Service": "Healthy"})
        tree = wait_for("the pods", lambda: {n["kind"] for n in self.admin.get(
            "/api/v1/applications/guestbook/resource-tree").json["nodes"]} >= {"ConfigMap", "Service", "Deployment", "ReplicaSet", "Pod"})
        self.assertTrue(tree)
        rows = {}

        def seen():
            m = ws.receive()
            for key, columns in m.get("set", []):
                rows.setdefault((m["id"], key), {}).update(columns)
            if m["ev"] == "snap":
                for row in m["rows"]:
                    rows[m["id"], row[0]] = dict(zip(m["cols"], row[1:]))
            kinds = {c.get("kind") for (i, _), c in rows.items() if i == 1}
            app = rows.get((2, "app"), {})
            return "Pod" in kinds and (app.get("status.health") or {}).get("status") == "Healthy"
        wait_for("the live tree", seen, interval=0)
        items = self.admin.get("/api/v1/applications/guestbook/managed-resources").json["items"]
        self.assertEqual(sorted(i["kind"] for i in items), ["ConfigMap", "Deployment", "Service"])
        one = self.admin.get("/api/v1/applications/guestbook/managed-resources?kind=Service&fields=items.name").json
        self.assertEqual(one, {"items": [{"name": "guestbook-ui"}]})
        live = self.admin.get("/api/v1/applications/guestbook/resource?resourceName=guestbook-ui&kind=Service&version=v1&namespace=" + ns)
        self.assertEqual(json.loads(live.json["manifest"])["metadata"]["name"], "guestbook-ui")
        self.error(self.admin.get("/api/v1/applications/guestbook/resource?resourceName=other&kind=Service&version=v1&namespace=" + ns),
                   400, "Service  other not found as part of application guestbook")
        cluster = self.admin.get("/api/v1/clusters/in-cluster?id.type=name").json
        self.assertEqual(cluster["server"], "https://kubernetes.default.svc")
        stream = self.admin.stream("/api/v1/stream/applications/guestbook/resource-tree")
        self.env.kube.delete("v1", "Service", ns, "guestbook-ui")
        self.assertIn("nodes", json.loads(stream.readline())["result"])
        stream.close()
        self.assertEqual(self.admin("DELETE", "/api/v1/applications/guestbook").status, 200)
        wait_for("its end", lambda: self.env.get_app("guestbook") is None, 90)
        ws.close()


class WholeWithRedis(Whole):
    redis = True


class Tls(ApiCase):
    flags = ["--rootpath", "/argo"]

    def setUp(self):
        self.admin.base = "/argo"

    @classmethod
    def setUpClass(cls):
        ApiEnvironment.flags = cls.flags
        base = Api.__init__

        def init(self, port, tls=False, token=None, base_path="/argo"):
            base(self, port, tls, token, base_path)
        Api.__init__ = init
        try:
            super().setUpClass()
        finally:
            Api.__init__ = base
            ApiEnvironment.flags = ["--insecure"]

    def test_below_a_root_path(self):
        self.assertEqual(self.admin.get("/api/v1/applications").status, 200)
        outside = Api(self.env.port, tls=True, token=self.admin.token)
        self.assertEqual(outside.get("/api/v1/applications").status, 404)
        self.assertEqual(outside.get("/healthz").status, 200)
        page = self.admin.get("/", headers={"Accept": "text/html"})
        self.assertEqual(page.status, 200)

    def test_plain_is_redirected(self):
        plain = Api(self.env.port, base="/argo")
        answer = plain.get("/x?y=z")
        self.assertEqual((answer.status, answer.headers["Location"]),
                         (307, "https://127.0.0.1:%d/argo/x?y=z" % self.env.port))
        outside = Api(self.env.port).get("/x")
        self.assertEqual(outside.headers["Location"], "https://127.0.0.1:%d/argo/x" % self.env.port)

    def test_websocket_over_tls(self):
        ws = WebSocket(self.admin, deflate=True)
        self.assertEqual(ws.until("hello")["user"], "admin")
        ws.send({"op": "sub", "id": 1, "topic": "apps", "args": {}})
        self.assertEqual(ws.until("snap")["total"], 0)
        self.env.put_app("tls")
        self.assertEqual(ws.until("delta")["set"][0][0], self.env.ns + "/tls")
        ws.close()

    def test_cookie_is_secure(self):
        password = self.env.secret("argocd-initial-admin-secret", "password")
        answer = self.admin("POST", "/api/v1/session", {"username": "admin", "password": password}, token="")
        self.assertIn("; Secure", answer.headers["Set-Cookie"])

    def test_certificates_between_daemons(self):
        for name in ("argocd-repo-server-tls", "argocd-application-controller-tls", "argocd-server-rpc-tls"):
            self.assertIn("BEGIN CERTIFICATE", self.env.secret(name, "tls.crt"))
            self.assertEqual(self.env.secret(name, "ca.crt"), self.env.secret("cargocd-ca", "ca.crt"))
        self.assertEqual(len(self.env.secret("cargocd-seal-controller", "controller.1")), 64)


@kubesim_only("the faults are kubesim's")
class Unsteady(ApiCase):
    flags = []

    def test_a_cluster_that_breaks_off_at_the_start_is_waited_for(self):
        faults = [{"verb": "get", "resource": "secrets", "name": name, "drop": True, "times": 2}
                  for name in ("argocd-secret", "cargocd-ca", "argocd-server-tls")]
        self.env.server.stop()
        os.unlink(self.env.ports)
        self.env.kube.faults(faults)
        self.addCleanup(self.env.kube.faults, [])
        self.env.server.start()
        wait_for("the api-server", lambda: os.path.exists(self.env.ports), alive=[self.env.server])
        self.assertEqual(self.env.kube.fired(), [2, 2, 2])


if __name__ == "__main__":
    unittest.main()
