"""A mutating admission webhook on loopback, with a certificate of its own."""
import base64
import http.server
import json
import os
import ssl
import subprocess
import threading


class Webhook:
    """`answer` is called with the object and gives a JSON patch (a list), or a text to refuse it with."""

    def __init__(self, folder, answer):
        self.answer = answer
        self.seen = []
        cert, key = os.path.join(folder, "webhook.crt"), os.path.join(folder, "webhook.key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=webhook", "-addext",
                        "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert], check=True, capture_output=True)
        with open(cert, "rb") as f:
            self.ca = base64.b64encode(f.read()).decode()
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_POST(self):
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                body = json.dumps(hook.review(review)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def review(self, review):
        request = review["request"]
        self.seen.append((request["operation"], bool(request.get("dryRun"))))
        said = self.answer(request["object"])
        response = {"uid": request["uid"], "allowed": not isinstance(said, str)}
        if isinstance(said, str):
            response["status"] = {"message": said, "code": 403}
        elif said:
            response.update(patchType="JSONPatch", patch=base64.b64encode(json.dumps(said).encode()).decode())
        return {"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response}

    def configuration(self, name, label):
        """A MutatingWebhookConfiguration for ConfigMaps of namespaces that carry the label `webhook`."""
        return {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration", "metadata": {"name": name},
                "webhooks": [{"name": "mutate.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None", "timeoutSeconds": 5,
                              "clientConfig": {"url": "https://127.0.0.1:%d/mutate" % self.server.server_port, "caBundle": self.ca},
                              "namespaceSelector": {"matchLabels": {"webhook": label}},
                              "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"],
                                         "operations": ["CREATE", "UPDATE"]}]}]}

    def close(self):
        self.server.shutdown()
        self.server.server_close()
