"""Every form of credentials that the Secret of a cluster may hold."""
import base64
import http.server
import os
import re
import subprocess
import threading

from lib.clusters import Base, Sim


class Recorder(http.server.BaseHTTPRequestHandler):
    """Who asks, and with what."""
    seen = []

    def do_GET(self):
        Recorder.seen.append((self.path, self.headers.get("Authorization"), self.headers.get("User-Agent")))
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


PLUGIN = """#!/bin/sh
echo "$@" "$EXTRA" "$KUBERNETES_EXEC_INFO" > "%(dir)s/plugin.args"
echo '{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1beta1", "status": {"token": "from-plugin"}}'
"""


class Credentials(Base):
    @classmethod
    def setUpClass(cls):
        from lib.env import Environment
        cls.env = Environment(cls.redis, cls.options)
        path = os.path.join(cls.env.dir, "plugins")
        os.makedirs(path)
        for name in ("argocd-k8s-auth", "plugin"):
            with open(os.path.join(path, name), "w", encoding="ascii") as f:
                f.write(PLUGIN % {"dir": cls.env.dir})
            os.chmod(os.path.join(path, name), 0o755)
        cls.env.controller.env["PATH"] = path + ":" + os.environ["PATH"]
        cls.env.start()

    def args(self):
        with open(os.path.join(self.env.dir, "plugin.args"), encoding="utf-8") as f:
            return f.read()

    def test_each_form_reaches_the_server(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        url = "http://127.0.0.1:%d" % server.server_port
        basic = "Basic " + base64.b64encode(b"user:pass").decode()
        plugin = {"command": "plugin", "args": ["a", "b"], "env": {"EXTRA": "more"}, "provideClusterInfo": True,
                  "apiVersion": "client.authentication.k8s.io/v1beta1"}
        cases = [({"bearerToken": "tok"}, "Bearer tok", None),
                 ({"username": "user", "password": "pass"}, basic, None),
                 ({"execProviderConfig": plugin}, "Bearer from-plugin", r'^a b more .*"server":"%s"' % re.escape(url)),
                 ({"awsAuthConfig": {"clusterName": "eks", "roleARN": "arn:x", "profile": "p"}}, "Bearer from-plugin",
                  r"^aws --cluster-name eks --role-arn arn:x --profile p ")]
        self.cluster("forms", url, {})
        self.deploy("forms", {"server": url}, sim=self.env)
        for config, header, args in cases:
            self.cluster("forms", url, config)
            del Recorder.seen[:]
            self.env.wait("a request with " + header, lambda: any(s[1] == header for s in Recorder.seen))
            if args:
                self.assertRegex(self.args(), args)

    def openssl(self, *args):
        subprocess.run(["openssl", *args], cwd=self.env.dir, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def read(self, name):
        with open(os.path.join(self.env.dir, name), "rb") as f:
            return base64.b64encode(f.read()).decode()

    def test_client_certificate_and_server_name(self):
        key = ["-newkey", "rsa:2048", "-nodes"]
        self.openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca", "-days", "2")
        for name, subject in (("server", "/CN=hidden.example"), ("client", "/CN=admin/O=system:masters")):
            self.openssl("req", *key, "-keyout", name + ".key", "-out", name + ".csr", "-subj", subject)
            with open(os.path.join(self.env.dir, name + ".ext"), "w", encoding="ascii") as f:
                f.write("subjectAltName=DNS:hidden.example\n" if name == "server" else "extendedKeyUsage=clientAuth\n")
            self.openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                         "-extfile", name + ".ext", "-out", name + ".pem")
        at = lambda name: os.path.join(self.env.dir, name)
        sim = Sim(self.env, "tls", ["--tls-cert", at("server.pem"), "--tls-key", at("server.key"), "--tls-ca", at("ca.pem"),
                                    "--client-ca", at("ca.pem"), "--client-cert", at("client.pem"), "--client-key", at("client.key")],
                  token=None)
        tls = {"caData": self.read("ca.pem"), "certData": self.read("client.pem"), "keyData": self.read("client.key")}
        self.cluster("tls", sim.server, {"tlsClientConfig": tls})
        self.deploy("tls", {"server": sim.server}, sim=self.env, automated=False)
        self.wait_condition("tls", "ComparisonError", "Failed to load live state")  # another name than the certificate's
        self.cluster("tls", sim.server, {"tlsClientConfig": dict(tls, serverName="hidden.example")})
        self.env.wait_status("tls", "OutOfSync", "Missing")
        self.cluster("tls", sim.server, {"tlsClientConfig": {"insecure": True}})
        self.assertIn("forbidden", self.wait_condition("tls", "ComparisonError", "Failed to load live state"))
        self.cluster("tls", sim.server, {"tlsClientConfig": dict(tls, caData="", insecure=True)})
        self.env.wait_app("tls", lambda a: not self.condition(a, "ComparisonError"), what="to be reached")
