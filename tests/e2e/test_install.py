"""The chart on a real node: installed, used, disturbed, upgraded, uninstalled. The tests are steps, in the order of their names.
Run by install.sh, which has brought the images."""
import base64
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

from lib import git
from lib.api import Api
from lib.case import hook_job
from lib.env import APP, ROOT
from lib.kube import ApiError, Kube
from lib.proc import wait_for

NS, CHART = "argocd", os.path.join(ROOT, "charts", "argocd")
CRDS = ("applications.argoproj.io", "appprojects.argoproj.io")
DAEMONS = ("argocd-application-controller", "argocd-redis", "argocd-repo-server", "argocd-server")
WORKLOADS = (("StatefulSet", DAEMONS[0]), ("Deployment", DAEMONS[1]), ("Deployment", DAEMONS[2]), ("Deployment", DAEMONS[3]))
TEST_IMAGE = "localhost/guestbook:1"
GIT_PORT = 8000

HOOK = hook_job("name: migrate", "PreSync", "BeforeHookCreation", '[sh, -c, "echo migrated"]')
HELM = {
    "helm/Chart.yaml": "apiVersion: v2\nname: greeting\nversion: 1.0.0\n",
    "helm/values.yaml": "greeting: hello\n",
    "helm/templates/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-helm\n"
                              "data:\n  greeting: {{ .Values.greeting }}\n",
}
KUSTOMIZE = {
    "kustomize/kustomization.yaml": "namePrefix: blue-\nresources: [cm.yaml]\n",
    "kustomize/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: kustomize\ndata:\n  greeting: hello\n",
}
GIT_SERVER = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "git"}},
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "git", "namespace": "git"},
     "spec": {"selector": {"app": "git"}, "ports": [{"port": GIT_PORT}]}},
    {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "git", "namespace": "git", "labels": {"app": "git"}},
     "spec": {"terminationGracePeriodSeconds": 1, "containers": [
         {"name": "git", "image": TEST_IMAGE, "command": ["python3", "/git.py", "/tmp", str(GIT_PORT), "apps"],
          "readinessProbe": {"tcpSocket": {"port": GIT_PORT}, "periodSeconds": 1}}]}},
]


def run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError("%s: %s" % (" ".join(argv), done.stderr))
    return done.stdout


class Install(unittest.TestCase):
    """State that one step leaves to the next is in the class."""

    @classmethod
    def setUpClass(cls):
        cls.kube = Kube(os.environ["KUBECONFIG"])
        cls.dir = tempfile.mkdtemp(prefix="cargocd-e2e-")
        for o in GIT_SERVER:
            wait_for("%s %s" % (o["kind"], o["metadata"]["name"]), lambda o=o: cls.made(o), 30)
        wait_for("the Git server", lambda: cls.pod_ready(cls.kube.get("v1", "Pod", "git", "git")), 60)
        os.makedirs(os.path.join(cls.dir, "git"))
        cls.repo = git.Repo(os.path.join(cls.dir, "git"), os.path.join(cls.dir, "work"), "apps")
        git.git("remote", "set-url", "origin", "http://%s:%d/apps.git" % (cls.service("git", "git"), GIT_PORT), cwd=cls.repo.work)

    @classmethod
    def made(cls, o):
        """A pod is refused until its namespace has a service account, which comes a moment later."""
        try:
            return cls.kube.create(o)
        except ApiError as e:
            if o["kind"] == "Pod" and e.status in (403, 500):
                return None
            raise

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.dir, ignore_errors=True)

    # ---- what steps share ----

    @staticmethod
    def pod_ready(pod):
        return pod and any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))

    @classmethod
    def service(cls, ns, name):
        """Services are reached from this machine, because it is the node."""
        return cls.kube.get("v1", "Service", ns, name)["spec"]["clusterIP"]

    def pods(self, name=None):
        label = "app.kubernetes.io/name=" + name if name else "app.kubernetes.io/part-of=argocd"
        return [p for p in self.kube.list("v1", "Pod", NS, "?labelSelector=" + label) if not p["metadata"].get("deletionTimestamp")]

    def wait_workloads(self, timeout=60):
        def ready():
            for kind, name in WORKLOADS:
                w = self.kube.get("apps/v1", kind, NS, name)
                status, n = w["status"], w["spec"]["replicas"]
                if status.get("observedGeneration", 0) < w["metadata"]["generation"] or status.get("readyReplicas", 0) != n or \
                        status.get("updatedReplicas", 0) != n or len(self.pods(name)) != n:
                    return None
            return True
        try:
            wait_for("all pods", ready, timeout, 0.2)
        except AssertionError as e:
            raise AssertionError("%s\n%s" % (e, run("kubectl", "-n", NS, "get", "pods,events"))) from e

    def secret(self, name, key):
        return base64.b64decode(self.kube.get("v1", "Secret", NS, name)["data"][key]).decode()

    def api(self, timeout=20):
        return Api(443, tls=True, token=getattr(type(self), "token", None), host=self.service(NS, "argocd-server"), timeout=timeout)

    def wait_api(self, timeout=30):
        """A Service leads to a killed pod, too, until the node has heard of it: which of two it is, is left to chance."""
        wait_for("the API server", lambda: all(self.api(2).get("/healthz").status == 200 for _ in range(10)), timeout)

    def call(self, method, path, body=None, status=200):
        answer = self.api()(method, path, body)
        self.assertEqual(answer.status, status, answer.text)
        return answer.json

    def create_app(self, name, path, **more):
        self.kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, exist_ok=True)
        source = {"repoURL": "http://git.git.svc.cluster.local:%d/apps.git" % GIT_PORT, "path": path, "targetRevision": "HEAD"}
        self.call("POST", "/api/v1/applications", {
            "metadata": {"name": name, "namespace": NS},
            "spec": {"project": "default", "source": source,
                     "destination": {"server": "https://kubernetes.default.svc", "namespace": name}, **more}})

    def wait_app(self, name, condition, what, timeout=60):
        seen = {}

        def look():
            seen["app"] = self.kube.get(*APP, NS, name) or {}
            return seen["app"] if condition(seen["app"].get("status", {})) else None
        try:
            return wait_for("%s: %s" % (name, what), look, timeout, 0.2)
        except AssertionError as e:
            log = run("kubectl", "-n", NS, "logs", "argocd-application-controller-0", "--tail=15")
            raise AssertionError("%s\n%s\n%s" % (e, seen["app"].get("status"), log)) from e

    def wait_synced(self, name, revision=None):
        return self.wait_app(name, lambda s: s.get("sync", {}).get("status") == "Synced" and
                             s.get("health", {}).get("status") == "Healthy" and
                             (not revision or s["sync"].get("revision") == revision), "Synced and Healthy")

    # ---- the steps ----

    def test_1_install(self):
        began = time.monotonic()
        run("helm", "install", "argocd", CHART, "-n", NS, "--create-namespace", "--wait", "--timeout", "3m")
        self.wait_workloads()
        print("  installed and ready after %.1f s" % (time.monotonic() - began))
        for crd in CRDS:
            o = self.kube.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, crd)
            self.assertEqual(o["metadata"]["annotations"]["helm.sh/resource-policy"], "keep")
        self.assertIsNone(self.kube.get("batch/v1", "Job", NS, "argocd-redis-secret-init"))

    def test_2_locked_down(self):
        for name in DAEMONS:
            for pod in self.pods(name):
                for c in pod["spec"]["containers"]:
                    s = c["securityContext"]
                    self.assertTrue(s["runAsNonRoot"] and s["readOnlyRootFilesystem"], name)
                    self.assertFalse(s["allowPrivilegeEscalation"] or s["privileged"], name)
                    self.assertEqual(s["capabilities"], {"drop": ["ALL"]}, name)
                    self.assertTrue("livenessProbe" in c and "readinessProbe" in c and c["resources"].get("requests"), name)
                # As which user, and with which capabilities, the kernel says.
                status = run("kubectl", "-n", NS, "exec", pod["metadata"]["name"], "--", "grep", "-E", "^(Uid|CapEff|NoNewPrivs|Seccomp):",
                             "/proc/1/status").split("\n")
                self.assertEqual([line.split()[:2] for line in status if line],
                                 [["Uid:", "999"], ["CapEff:", "0000000000000000"], ["NoNewPrivs:", "1"], ["Seccomp:", "2"]], name)
                token = any(v["name"].startswith("kube-api-access") or "token" in v.get("secret", {}).get("secretName", "")
                            for v in pod["spec"]["volumes"])
                self.assertEqual(token, name in ("argocd-server", "argocd-application-controller"), name)

    def test_2_daemons_want_certificates(self):
        """Who has none, or one of another authority, is not talked to."""
        context = ssl.create_default_context(cadata=self.secret("cargocd-ca", "ca.crt"))
        for name, port in (("argocd-repo-server", 8081), ("argocd-application-controller", 8085)):
            address = self.pods(name)[0]["status"]["podIP"]
            with self.assertRaises((ssl.SSLError, ConnectionError), msg=name):
                with socket.create_connection((address, port), 10) as s, \
                        context.wrap_socket(s, server_hostname=name) as tls:
                    tls.settimeout(10)
                    tls.send(b"\0SP\0\0\x30\0\0")
                    if not tls.recv(1):
                        raise ConnectionError("closed")

    def test_2_redis_wants_a_password(self):
        connect = lambda: socket.create_connection((self.service(NS, "argocd-redis"), 6379), 10)
        with wait_for("the Service to lead to Redis", connect, 10) as s:
            s.sendall(b"PING\r\n")
            self.assertIn(b"NOAUTH", s.recv(200))
            s.sendall(b"AUTH %s\r\n" % self.secret("argocd-redis", "auth").encode())
            self.assertIn(b"+OK", s.recv(200))

    def test_2_rights(self):
        def can(account, *what):
            argv = ["kubectl", "auth", "can-i", "--as=system:serviceaccount:%s:%s" % (NS, account), *what]
            return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip() == "yes"
        self.assertTrue(can("argocd-application-controller", "create", "deployments.apps", "-n", "default"))
        self.assertTrue(can("argocd-server", "update", "secrets", "-n", NS))
        self.assertFalse(can("argocd-server", "get", "secrets", "-n", "default"))
        self.assertFalse(can("argocd-server", "create", "deployments.apps", "-n", "default"))
        for account in ("argocd-repo-server", "argocd-redis", "argocd-redis-secret-init"):
            self.assertFalse(can(account, "get", "secrets", "-n", NS), account)

    def login(self):
        """A Service leads to a pod that is ready a moment after it is."""
        answer = wait_for("the API server", lambda: self.api().login("admin", self.secret("argocd-initial-admin-secret", "password")), 10)
        self.assertEqual(answer.status, 200, answer.text)
        type(self).token = answer.json["token"]

    def test_3_login(self):
        self.login()
        with open(os.path.join(ROOT, "VERSION"), encoding="ascii") as f:
            self.assertIn(f.read().strip(), self.call("GET", "/api/version")["Version"])
        page = self.api()("GET", "/")
        self.assertIn("<html", page.text.lower())

    def test_4_guestbook_with_a_hook(self):
        self.repo.tree(os.path.join(ROOT, "tests", "integration", "fixtures", "guestbook"))
        shutil.rmtree(self.repo.work + "/guestbook", ignore_errors=True)
        files = {f: open(os.path.join(self.repo.work, f), encoding="utf-8").read() for f in os.listdir(self.repo.work) if f.endswith(".yaml")}
        moved = {**{"guestbook/" + f: text for f, text in files.items()}, **{f: None for f in files}}
        sha = self.repo.commit({**moved, "guestbook/hook.yaml": HOOK, **HELM, **KUSTOMIZE})
        self.create_app("guestbook", "guestbook")
        self.wait_app("guestbook", lambda s: s.get("sync", {}).get("status") == "OutOfSync", "OutOfSync")
        began = time.monotonic()
        self.call("POST", "/api/v1/applications/guestbook/sync", {"revision": sha})
        app = self.wait_synced("guestbook", sha)
        print("  synced after %.1f s" % (time.monotonic() - began))
        state = app["status"]["operationState"]
        self.assertEqual((state["phase"], state["operation"]["initiatedBy"]["username"]), ("Succeeded", "admin"))
        hooks = [(r["kind"], r["hookType"], r["hookPhase"]) for r in state["syncResult"]["resources"] if r.get("hookType")]
        self.assertEqual(hooks, [("Job", "PreSync", "Succeeded")])
        self.assertIn("migrated", run("kubectl", "-n", "guestbook", "logs", "job/migrate"))
        wait_for("the guestbook", lambda: Api(80, host=self.service("guestbook", "guestbook-ui")).get("/").status == 200)
        tree = self.call("GET", "/api/v1/applications/guestbook/resource-tree")
        self.assertLessEqual({"Deployment", "ReplicaSet", "Pod", "Service", "ConfigMap"}, {n["kind"] for n in tree["nodes"]})

    def test_4_helm_and_kustomize(self):
        for name, path, made in (("helmed", "helm", "helmed-helm"), ("kustomized", "kustomize", "blue-kustomize")):
            self.create_app(name, path, syncPolicy={"automated": {}})
            self.wait_synced(name)
            self.assertEqual(self.kube.get("v1", "ConfigMap", name, made)["data"], {"greeting": "hello"}, name)

    def commit_and_sync(self, greeting):
        """With automated sync, a commit arrives by itself; the refresh only saves the wait for the timer."""
        text = self.repo_text("guestbook/configmap.yaml")
        sha = self.repo.commit({"guestbook/configmap.yaml": text.replace(text.split("greeting: ")[1].split("\n")[0], greeting)})
        self.wait_api()
        self.call("GET", "/api/v1/applications/guestbook?refresh=normal")
        self.wait_synced("guestbook", sha)
        self.assertEqual(self.kube.get("v1", "ConfigMap", "guestbook", "guestbook")["data"]["greeting"], greeting)

    def repo_text(self, path):
        with open(os.path.join(self.repo.work, path), encoding="utf-8") as f:
            return f.read()

    def test_5_all_pods_are_killed(self):
        self.call("PATCH", "/api/v1/applications/guestbook", {
            "patchType": "merge", "patch": '{"spec": {"syncPolicy": {"automated": {"prune": true, "selfHeal": true}}}}'})
        self.commit_and_sync("before")
        old = {p["metadata"]["uid"] for p in self.pods()}
        for p in self.pods():
            self.kube.call("DELETE", "/api/v1/namespaces/%s/pods/%s" % (NS, p["metadata"]["name"]), {"gracePeriodSeconds": 0})
        self.wait_workloads()
        self.assertFalse(old & {p["metadata"]["uid"] for p in self.pods()})
        self.commit_and_sync("after")  # the session, too, is still good
        self.kube.delete("apps/v1", "Deployment", "guestbook", "guestbook-ui", "Foreground")
        wait_for("self-heal", lambda: self.kube.get("apps/v1", "Deployment", "guestbook", "guestbook-ui"), 60)
        self.wait_synced("guestbook")

    def test_6_upgrade(self):
        before = [self.secret(*s) for s in (("argocd-secret", "admin.password"), ("argocd-redis", "auth"), ("cargocd-ca", "ca.crt"))]
        uids = {p["metadata"]["uid"] for p in self.pods("argocd-server")}
        run("helm", "upgrade", "argocd", CHART, "-n", NS, "--wait", "--timeout", "3m", "--set", "server.replicas=2",
            "--set", "repoServer.replicas=2", "--set", "controller.replicas=2", "--set", "configs.params.server\\.log\\.level=debug")
        self.wait_workloads()
        self.assertFalse(uids & {p["metadata"]["uid"] for p in self.pods("argocd-server")})  # they read the level at the start
        after = [self.secret(*s) for s in (("argocd-secret", "admin.password"), ("argocd-redis", "auth"), ("cargocd-ca", "ca.crt"))]
        self.assertEqual(before, after)
        self.commit_and_sync("upgraded")

    def plan(self):
        """Who works what, as the replicas of the controller agreed."""
        lease = self.kube.get("coordination.k8s.io/v1", "Lease", NS, "cargocd-application-controller-plan")
        return json.loads(lease["metadata"]["annotations"]["cargocd.io/plan"]) if lease else {"members": [], "clusters": {}}

    def schedulable(self, yes):
        for node in self.kube.list("v1", "Node", None):
            self.kube.merge("v1", "Node", None, node["metadata"]["name"], {"spec": {"unschedulable": not yes}})

    def remove(self, pod):
        self.kube.call("DELETE", "/api/v1/namespaces/%s/pods/%s" % (NS, pod), {"gracePeriodSeconds": 0})

    def commit_kustomized(self, greeting):
        """An application whose sync needs no pod."""
        sha = self.repo.commit({"kustomize/cm.yaml": KUSTOMIZE["kustomize/cm.yaml"].replace("hello", greeting)})
        self.kube.merge(*APP, NS, "kustomized", {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}})
        self.wait_synced("kustomized", sha)
        self.assertEqual(self.kube.get("v1", "ConfigMap", "kustomized", "blue-kustomize")["data"], {"greeting": greeting})

    def test_6_upgraded_to_two_of_each(self):
        """Nothing may be scheduled, so that the replica which is left has to take over."""
        members = ["argocd-application-controller-0", "argocd-application-controller-1"]
        wait_for("two members", lambda: self.plan()["members"] == members, 30)
        self.assertEqual([len(self.pods(name)) for name in DAEMONS], [2, 1, 2, 2])
        self.commit_kustomized("two")
        self.schedulable(False)
        try:
            worker = wait_for("the cluster's worker", lambda: self.plan()["clusters"].get("https://kubernetes.default.svc"), 10)
            self.assertIn(worker, members)
            killed = time.monotonic()
            for name in (worker, self.pods("argocd-repo-server")[0]["metadata"]["name"], self.pods("argocd-server")[0]["metadata"]["name"]):
                self.remove(name)
            self.commit_kustomized("one")
            took = time.monotonic() - killed
            print("  synced by who is left after %.1f s" % took)
            self.assertLess(took, 15)
            self.assertEqual(self.plan()["members"], [m for m in members if m != worker])
            self.wait_api()
            self.assertEqual(self.call("GET", "/api/v1/applications/kustomized")["status"]["sync"]["status"], "Synced")
        finally:
            self.schedulable(True)
        self.wait_workloads()
        wait_for("two members", lambda: self.plan()["members"] == members, 30)
        self.commit_and_sync("two again")

    def test_7_uninstall_keeps_applications(self):
        before = {a["metadata"]["uid"] for a in self.kube.list(*APP, NS)}
        run("helm", "uninstall", "argocd", "-n", NS, "--wait", "--timeout", "3m")
        # The daemons end at once; the node takes its time to say that they have.
        wait_for("no pods", lambda: not self.kube.list("v1", "Pod", NS), 180, 0.5)
        self.assertEqual({a["metadata"]["uid"] for a in self.kube.list(*APP, NS)}, before)
        self.assertIsNotNone(self.kube.get("apps/v1", "Deployment", "guestbook", "guestbook-ui"))
        for kind in ("ClusterRole", "ClusterRoleBinding"):
            with self.assertRaises(ApiError):
                self.kube.get("rbac.authorization.k8s.io/v1", kind, None, "argocd-server", missing_ok=False)

    def test_8_install_again(self):
        run("helm", "install", "argocd", CHART, "-n", NS, "--wait", "--timeout", "3m")
        self.wait_workloads()
        self.wait_synced("guestbook")
        self.login()
        self.commit_and_sync("again")
        self.call("DELETE", "/api/v1/applications/guestbook?cascade=true")
        wait_for("the application to go", lambda: not self.kube.get(*APP, NS, "guestbook"), 60)
        self.assertIsNone(self.kube.get("apps/v1", "Deployment", "guestbook", "guestbook-ui"))
