"""A small Kubernetes client on the standard library, for tests."""
import base64
import http.client
import json
import os
import ssl
import tempfile
import threading
import urllib.parse

import yaml


class ApiError(Exception):
    def __init__(self, status, reason, message):
        super().__init__("%d %s: %s" % (status, reason, message))
        self.status, self.reason, self.message = status, reason, message


PLURALS = {
    ("v1", "ConfigMap"): "configmaps", ("v1", "Secret"): "secrets", ("v1", "Namespace"): "namespaces",
    ("v1", "Service"): "services", ("v1", "Pod"): "pods", ("v1", "ServiceAccount"): "serviceaccounts",
    ("v1", "Event"): "events", ("v1", "Node"): "nodes", ("v1", "Endpoints"): "endpoints",
    ("apps/v1", "Deployment"): "deployments", ("apps/v1", "StatefulSet"): "statefulsets",
    ("apps/v1", "DaemonSet"): "daemonsets", ("apps/v1", "ReplicaSet"): "replicasets", ("batch/v1", "Job"): "jobs",
    ("argoproj.io/v1alpha1", "Application"): "applications", ("argoproj.io/v1alpha1", "AppProject"): "appprojects",
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"): "customresourcedefinitions",
    ("rbac.authorization.k8s.io/v1", "Role"): "roles", ("rbac.authorization.k8s.io/v1", "RoleBinding"): "rolebindings",
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): "clusterroles",
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): "clusterrolebindings",
    ("networking.k8s.io/v1", "Ingress"): "ingresses", ("apiregistration.k8s.io/v1", "APIService"): "apiservices",
}
CLUSTER_SCOPED = {"Namespace", "Node", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "APIService"}


def path_of(api_version, kind, ns=None, name=None, sub=None):
    plural = PLURALS.get((api_version, kind), kind.lower() + "s")
    parts = ["api" if "/" not in api_version else "apis", api_version]
    if ns and kind not in CLUSTER_SCOPED:
        parts += ["namespaces", ns]
    parts.append(plural)
    if name:
        parts.append(urllib.parse.quote(name))
    if sub:
        parts.append(sub)
    return "/" + "/".join(parts)


class Kube:
    """Thread-safe: a connection per thread."""

    def __init__(self, kubeconfig):
        self.kubeconfig = kubeconfig
        with open(kubeconfig, encoding="utf-8") as f:
            config = yaml.safe_load(f)
        context = {c["name"]: c["context"] for c in config["contexts"]}[config["current-context"]]
        cluster = {c["name"]: c["cluster"] for c in config["clusters"]}[context["cluster"]]
        user = {u["name"]: u["user"] for u in config["users"]}[context["user"]]
        self.server = cluster["server"]
        self.url = urllib.parse.urlsplit(self.server)
        self.headers = {}
        self.local = threading.local()
        self.tls = self._tls(cluster, user) if self.url.scheme == "https" else None
        if user.get("token"):
            self.headers["Authorization"] = "Bearer " + user["token"]

    def _data(self, section, key):
        if section.get(key + "-data"):
            return base64.b64decode(section[key + "-data"])
        if section.get(key):
            with open(os.path.join(os.path.dirname(self.kubeconfig), section[key]), "rb") as f:
                return f.read()
        return None

    def _tls(self, cluster, user):
        ca = self._data(cluster, "certificate-authority")
        context = ssl.create_default_context(cadata=ca.decode() if ca else None)
        if cluster.get("insecure-skip-tls-verify"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        cert, key = self._data(user, "client-certificate"), self._data(user, "client-key")
        if cert:
            with tempfile.NamedTemporaryFile() as c, tempfile.NamedTemporaryFile() as k:
                c.write(cert), c.flush()
                k.write(key), k.flush()
                context.load_cert_chain(c.name, k.name)
        return context

    def _connection(self, fresh):
        if fresh or not getattr(self.local, "connection", None):
            if self.tls:
                self.local.connection = http.client.HTTPSConnection(self.url.hostname, self.url.port, context=self.tls, timeout=60)
            else:
                self.local.connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=60)
        return self.local.connection

    def raw(self, method, path, body=None, content_type="application/json"):
        data = json.dumps(body) if body is not None else None
        headers = dict(self.headers, **({"Content-Type": content_type} if data else {}))
        for attempt in (0, 1):
            connection = self._connection(attempt > 0)
            try:
                connection.request(method, self.url.path + path, data, headers)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (http.client.HTTPException, OSError):
                connection.close()
                self.local.connection = None
                if attempt:
                    raise
        return None

    def call(self, method, path, body=None, content_type="application/json"):
        status, data = self.raw(method, path, body, content_type)
        try:
            answer = json.loads(data) if data else {}
        except ValueError:
            answer = {"message": data.decode(errors="replace")}
        if status >= 400:
            raise ApiError(status, answer.get("reason", ""), answer.get("message", ""))
        return answer

    def faults(self, rules, **more):
        """What kubesim does wrong from now on: tests/kubesim/README.md."""
        self.call("PUT", "/kubesim/faults", {"rules": rules, **more})

    def fired(self):
        """How often each of the rules has struck."""
        return self.call("GET", "/kubesim/faults")["fired"]

    def get(self, api_version, kind, ns, name, missing_ok=True):
        try:
            return self.call("GET", path_of(api_version, kind, ns, name))
        except ApiError as e:
            if e.status == 404 and missing_ok:
                return None
            raise

    def list(self, api_version, kind, ns=None, query=""):
        return self.call("GET", path_of(api_version, kind, ns) + query)["items"]

    def create(self, o, exist_ok=False):
        m = o["metadata"]
        try:
            return self.call("POST", path_of(o["apiVersion"], o["kind"], m.get("namespace")), o)
        except ApiError as e:
            if e.status == 409 and exist_ok:
                return None
            raise

    def update(self, o):
        m = o["metadata"]
        return self.call("PUT", path_of(o["apiVersion"], o["kind"], m.get("namespace"), m["name"]), o)

    def merge(self, api_version, kind, ns, name, patch, sub=None):
        return self.call("PATCH", path_of(api_version, kind, ns, name, sub), patch, "application/merge-patch+json")

    def delete(self, api_version, kind, ns, name, propagation="Background", missing_ok=True):
        try:
            return self.call("DELETE", path_of(api_version, kind, ns, name), {"propagationPolicy": propagation})
        except ApiError as e:
            if e.status != 404 or not missing_ok:
                raise
        return None
