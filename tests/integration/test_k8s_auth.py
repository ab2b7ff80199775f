"""argocd-k8s-auth against servers that play the clouds: where credentials are looked for, what is asked, and that the
presigned token is what the cluster's side will verify."""
import base64
import datetime
import hashlib
import hmac
import http.server
import json
import os
import shutil
import subprocess
import tempfile
import threading
import unittest
import urllib.parse

from lib.case import Case
from lib.env import BIN
from lib.clusters import Base

PROGRAM = os.path.join(BIN, "argocd-k8s-auth")
SECRETS = {"AKIAENV": "env-secret", "ASIAROLE": "role-secret", "ASIAWEB": "web-secret", "ASIAPOD": "pod-secret",
           "ASIAEC2": "ec2-secret", "AKIABASE": "base-secret", "ASIACHAIN": "chain-secret"}
ROLES = {"arn:aws:iam::1:role/r": "ASIAROLE", "arn:aws:iam::1:role/web": "ASIAWEB", "arn:aws:iam::1:role/chain": "ASIACHAIN"}


def sign(secret, day, region, service, text):
    key = ("AWS4" + secret).encode()
    for part in (day, region, service, "aws4_request", text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()


def check_signature(method, host, path, query, headers, names, body, credential, date, signature):
    """As AWS does it."""
    key, day, region, service, end = credential.split("/")
    assert end == "aws4_request" and service == "sts" and date.startswith(day), credential
    params = sorted(urllib.parse.parse_qsl(query, keep_blank_values=True))
    encoded = "&".join("%s=%s" % (urllib.parse.quote(k, safe="-_.~"), urllib.parse.quote(v, safe="-_.~")) for k, v in params)
    lines = "".join("%s:%s\n" % (n, host if n == "host" else headers[n]) for n in names.split(";"))
    request = "\n".join([method, path, encoded, lines, names, hashlib.sha256(body).hexdigest()])
    text = "\n".join(["AWS4-HMAC-SHA256", date, "%s/%s/%s/aws4_request" % (day, region, service),
                      hashlib.sha256(request.encode()).hexdigest()])
    assert sign(SECRETS[key], day, region, service, text) == signature, request
    return key


def who_presigned(token, cluster="eks"):
    """The key by which a token for EKS was made."""
    assert token.startswith("k8s-aws-v1."), token
    text = token[len("k8s-aws-v1."):]
    url = urllib.parse.urlsplit(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode())
    query = dict(urllib.parse.parse_qsl(url.query))
    assert query["Action"] == "GetCallerIdentity" and query["X-Amz-Expires"] == "60", query
    names = query["X-Amz-SignedHeaders"]
    assert names == "host;x-k8s-aws-id"
    rest = "&".join(p for p in url.query.split("&") if not p.startswith("X-Amz-Signature="))
    return url, query, check_signature("GET", url.netloc, url.path, rest, {"x-k8s-aws-id": cluster}, names, b"",
                                       query["X-Amz-Credential"], query["X-Amz-Date"], query["X-Amz-Signature"])


class Cloud(http.server.BaseHTTPRequestHandler):
    """All of them, by path."""
    seen = []
    failures = 0
    protocol_version = "HTTP/1.1"

    def answer(self, status, body, kind="application/json"):
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def do_PUT(self):
        assert self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
        self.answer(200, "imds-token", "text/plain")

    def do_GET(self):
        path = self.path.split("?")[0]
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        Cloud.seen.append((path, query, dict(self.headers)))
        if path == "/pod":
            ok = self.headers["Authorization"] == "pod-token"
            self.answer(200 if ok else 401, {"AccessKeyId": "ASIAPOD", "SecretAccessKey": "pod-secret", "Token": "pod-session"})
        elif path.startswith("/latest/meta-data/iam/security-credentials/"):
            if self.headers["X-aws-ec2-metadata-token"] != "imds-token":
                self.answer(401, {})
            elif path.endswith("/node-role"):
                self.answer(200, {"Code": "Success", "AccessKeyId": "ASIAEC2", "SecretAccessKey": "ec2-secret", "Token": "ec2-session"})
            else:
                self.answer(200, "node-role", "text/plain")
        elif path == "/computeMetadata/v1/instance/service-accounts/default/token":
            ok = self.headers["Metadata-Flavor"] == "Google" and "cloud-platform" in query["scopes"]
            self.answer(200 if ok else 403, {"access_token": "gcp-metadata", "expires_in": 3599, "token_type": "Bearer"})
        elif path == "/subject":
            self.answer(200, {"value": "subject-of-url"} if self.headers["X-Who"] == "me" else {})
        elif path == "/metadata/identity/oauth2/token":
            ok = self.headers["Metadata"] == "true" and query["resource"]
            self.answer(200 if ok else 400, {"access_token": "msi-" + query.get("client_id", ""), "expires_on": "4000000000"})
        else:
            self.answer(404, {})

    def do_POST(self):
        body = self.body()
        form = dict(urllib.parse.parse_qsl(body.decode()))
        path = self.path.split("?")[0]
        Cloud.seen.append((path, form, dict(self.headers)))
        if path == "/":
            self.sts(form, body)
        elif path == "/gcp/sts":
            self.answer(200, {"access_token": "federated:" + form["subject_token"], "expires_in": 3600})
        elif path == "/gcp/impersonate":
            self.answer(200, {"accessToken": "as-sa:" + self.headers["Authorization"], "expireTime": "2096-01-02T03:04:05Z"})
        elif path == "/gcp/token":
            self.answer(200, {"access_token": "gcp-" + form["grant_type"].rsplit(":", 1)[-1], "expires_in": 60})
        elif path.endswith("/oauth2/v2.0/token"):
            if form["scope"].endswith("/.default"):
                self.answer(200, {"access_token": "azure-%s" % form["client_id"], "expires_in": 3600})
        else:
            self.answer(404, {})

    def sts(self, form, body):
        if Cloud.failures:
            Cloud.failures -= 1
            return self.answer(503, "<Error/>", "text/xml")
        if form["Action"] == "AssumeRoleWithWebIdentity":
            if form["WebIdentityToken"] != "web-token":
                return self.answer(403, "<Error><Code>AccessDenied</Code></Error>", "text/xml")
        else:
            parts = dict(p.strip().split("=", 1) for p in self.headers["Authorization"].split(" ", 1)[1].split(","))
            headers = {k.lower(): v for k, v in self.headers.items()}
            form["by"] = check_signature("POST", self.headers["Host"], "/", "", headers, parts["SignedHeaders"], body,
                                         parts["Credential"], headers["x-amz-date"], parts["Signature"])
        key = ROLES[form["RoleArn"]]
        return self.answer(200, "<R><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey>"
                           "<SessionToken>session/%s+=</SessionToken></Credentials></R>" % (key, SECRETS[key], key), "text/xml")

    def log_message(self, *args):
        pass


class Auth(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Cloud)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.url = "http://127.0.0.1:%d" % cls.server.server_port
        cls.dir = tempfile.mkdtemp(prefix="cargocd-test-")

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        shutil.rmtree(cls.dir)

    def setUp(self):
        Cloud.seen.clear()

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text if isinstance(text, str) else json.dumps(text))
        return path

    def run_it(self, *args, expect=0, **env):
        base = {"PATH": os.environ["PATH"], "HOME": self.dir, "NO_PROXY": "*"}
        for name in os.environ:
            if name.endswith("SAN_OPTIONS"):
                base[name] = os.environ[name]
        p = subprocess.run([PROGRAM, *args], env={**base, **env}, capture_output=True, text=True, timeout=60)
        self.assertEqual(p.returncode, expect, p.stderr)
        if expect:
            return p.stderr
        o = json.loads(p.stdout)
        self.assertEqual((o["kind"], o["apiVersion"]), ("ExecCredential", "client.authentication.k8s.io/v1beta1"))
        return o["status"]

    def aws(self, *args, **env):
        base = {"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL_STS": self.url, "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url + "/"}
        return self.run_it("aws", "--cluster-name", "eks", *args, **{**base, **env})

    def test_aws_environment(self):
        status = self.aws(AWS_ACCESS_KEY_ID="AKIAENV", AWS_SECRET_ACCESS_KEY="env-secret")
        url, query, key = who_presigned(status["token"])
        self.assertEqual(key, "AKIAENV")
        self.assertNotIn("X-Amz-Security-Token", query)
        left = datetime.datetime.strptime(status["expirationTimestamp"], "%Y-%m-%dT%H:%M:%SZ") - datetime.datetime.utcnow()
        self.assertTrue(13.5 < left.total_seconds() / 60 <= 14, left)

    def test_aws_real_endpoints(self):
        for region, host in (("eu-central-1", "sts.eu-central-1.amazonaws.com"), ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
                             ("aws-global", "sts.amazonaws.com")):
            status = self.run_it("aws", "--cluster-name=eks", AWS_REGION=region, AWS_ACCESS_KEY_ID="AKIAENV",
                                 AWS_SECRET_ACCESS_KEY="env-secret", AWS_SESSION_TOKEN="a/b+c=")
            url, query, _ = who_presigned(status["token"])
            self.assertEqual((url.scheme, url.netloc, url.path), ("https", host, "/"))
            self.assertEqual(query["X-Amz-Security-Token"], "a/b+c=")

    def test_aws_role_is_assumed_by_the_environment(self):
        status = self.aws("--role-arn", "arn:aws:iam::1:role/r", AWS_ACCESS_KEY_ID="AKIAENV", AWS_SECRET_ACCESS_KEY="env-secret")
        _, query, key = who_presigned(status["token"])
        self.assertEqual((key, query["X-Amz-Security-Token"]), ("ASIAROLE", "session/ASIAROLE+="))
        self.assertEqual(Cloud.seen[0][1]["by"], "AKIAENV")
        self.assertEqual(Cloud.seen[0][1]["DurationSeconds"], "900")

    def test_aws_web_identity_and_chained_role(self):
        env = {"AWS_WEB_IDENTITY_TOKEN_FILE": self.file("web", "web-token\n"), "AWS_ROLE_ARN": "arn:aws:iam::1:role/web"}
        self.assertEqual(who_presigned(self.aws(**env)["token"])[2], "ASIAWEB")
        status = self.aws("--role-arn", "arn:aws:iam::1:role/r", **env)
        self.assertEqual(who_presigned(status["token"])[2], "ASIAROLE")
        self.assertEqual(Cloud.seen[-1][1]["by"], "ASIAWEB")
        env["AWS_WEB_IDENTITY_TOKEN_FILE"] = self.file("web", "wrong")
        self.assertIn("AccessDenied", self.aws(expect=20, **env))

    def test_aws_profiles(self):
        config = self.file("config", "[profile dev]\nrole_arn = arn:aws:iam::1:role/chain\nsource_profile = base\nexternal_id = x1\n"
                           "region = us-west-2\n[profile sso]\nsso_start_url = https://x\n[profile loop]\nrole_arn=arn:aws:iam::1:role/r\n"
                           "source_profile=loop2\n[profile loop2]\nrole_arn=arn:aws:iam::1:role/r\nsource_profile=loop\n")
        env = {"AWS_CONFIG_FILE": config, "AWS_REGION": "",
               "AWS_SHARED_CREDENTIALS_FILE": self.file("credentials", "[base]\naws_access_key_id=AKIABASE\naws_secret_access_key=base-secret\n"),
               "AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_SECRET_ACCESS_KEY": "env-secret"}
        _, query, key = who_presigned(self.aws("--profile", "dev", **env)["token"])
        self.assertEqual(key, "ASIACHAIN")
        self.assertIn("/us-west-2/", query["X-Amz-Credential"])
        self.assertEqual((Cloud.seen[0][1]["by"], Cloud.seen[0][1]["ExternalId"]), ("AKIABASE", "x1"))
        self.assertIn("failed to get shared config profile, nope", self.aws("--profile", "nope", expect=20, **env))
        env["AWS_REGION"] = "us-east-1"
        self.assertIn("browser", self.aws("--profile", "sso", expect=20, **env))
        self.assertIn("more than 5 roles", self.aws("--profile", "loop", expect=20, **env))

    def test_aws_pod_identity_and_instance(self):
        env = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": self.url + "/pod",
               "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": self.file("pod", "pod-token\n")}
        _, query, key = who_presigned(self.aws(**env)["token"])
        self.assertEqual((key, query["X-Amz-Security-Token"]), ("ASIAPOD", "pod-session"))
        self.assertEqual(who_presigned(self.aws()["token"])[2], "ASIAEC2")
        self.assertIn("disabled", self.aws(expect=20, AWS_EC2_METADATA_DISABLED="true"))

    def test_aws_without_a_region_and_a_service_that_fails_once(self):
        self.assertIn("AWS_REGION", self.run_it("aws", "--cluster-name", "eks", expect=20, AWS_ACCESS_KEY_ID="AKIAENV",
                                                AWS_SECRET_ACCESS_KEY="env-secret"))
        Cloud.failures = 1
        status = self.aws("--role-arn", "arn:aws:iam::1:role/r", AWS_ACCESS_KEY_ID="AKIAENV", AWS_SECRET_ACCESS_KEY="env-secret")
        self.assertEqual(who_presigned(status["token"])[2], "ASIAROLE")

    def gcp(self, o=None, **env):
        if o is not None:
            env["GOOGLE_APPLICATION_CREDENTIALS"] = self.file("gcp.json", o)
        return self.run_it("gcp", GCE_METADATA_HOST=self.url[len("http://"):], **env)

    def test_gcp_metadata_and_files(self):
        self.assertEqual(self.gcp()["token"], "gcp-metadata")
        key = subprocess.run(["openssl", "genrsa", "2048"], capture_output=True, text=True, check=True).stdout
        status = self.gcp({"type": "service_account", "client_email": "a@b", "private_key": key, "token_uri": self.url + "/gcp/token"})
        self.assertEqual(status["token"], "gcp-jwt-bearer")
        head, claims, mac = Cloud.seen[-1][1]["assertion"].split(".")
        claims = json.loads(base64.urlsafe_b64decode(claims + "=="))
        self.assertEqual((claims["iss"], claims["aud"]), ("a@b", self.url + "/gcp/token"))
        self.assertIn("userinfo.email", claims["scope"])
        self.verify(key, (head + "." + Cloud.seen[-1][1]["assertion"].split(".")[1]), mac)
        status = self.gcp({"type": "authorized_user", "refresh_token": "r", "client_id": "c", "client_secret": "s",
                           "token_uri": self.url + "/gcp/token"})
        self.assertEqual(status["token"], "gcp-refresh_token")
        self.assertIn("not served", self.gcp({"type": "odd"}, expect=20))

    def verify(self, key, text, mac):
        pub, sig = self.file("key.pem", key), os.path.join(self.dir, "sig")
        with open(sig, "wb") as f:
            f.write(base64.urlsafe_b64decode(mac + "=="))
        subprocess.run(["openssl", "rsa", "-in", pub, "-pubout", "-out", pub + ".pub"], capture_output=True, check=True)
        subprocess.run(["openssl", "dgst", "-sha256", "-verify", pub + ".pub", "-signature", sig, self.file("text", text)],
                       capture_output=True, check=True)

    def test_gcp_federation(self):
        o = {"type": "external_account", "audience": "//iam.googleapis.com/p", "token_url": self.url + "/gcp/sts",
             "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
             "credential_source": {"file": self.file("subject", "subject-of-file")}}
        self.assertEqual(self.gcp(o)["token"], "federated:subject-of-file")
        self.assertEqual(Cloud.seen[-1][1]["audience"], "//iam.googleapis.com/p")
        o["service_account_impersonation_url"] = self.url + "/gcp/impersonate"
        status = self.gcp(o)
        self.assertEqual(status, {"token": "as-sa:Bearer federated:subject-of-file", "expirationTimestamp": "2096-01-02T03:04:05Z"})
        del o["service_account_impersonation_url"]
        o["credential_source"] = {"url": self.url + "/subject", "headers": {"X-Who": "me"},
                                  "format": {"type": "json", "subject_token_field_name": "value"}}
        self.assertEqual(self.gcp(o)["token"], "federated:subject-of-url")
        o["credential_source"] = {"environment_id": "aws1", "regional_cred_verification_url": "ignored"}
        token = self.gcp(o, AWS_REGION="eu-central-1", AWS_ACCESS_KEY_ID="AKIAENV", AWS_SECRET_ACCESS_KEY="env-secret")["token"]
        signed = json.loads(token[len("federated:"):])
        headers = {h["key"].lower(): h["value"] for h in signed["headers"]}
        parts = dict(p.strip().split("=", 1) for p in headers["authorization"].split(" ", 1)[1].split(","))
        url = urllib.parse.urlsplit(signed["url"])
        self.assertEqual(headers["x-goog-cloud-target-resource"], "//iam.googleapis.com/p")
        self.assertEqual(check_signature("POST", url.netloc, "/", url.query, headers, parts["SignedHeaders"], b"",
                                         parts["Credential"], headers["x-amz-date"], parts["Signature"]), "AKIAENV")

    def test_azure(self):
        env = {"AZURE_CLIENT_ID": "cid", "AZURE_TENANT_ID": "tid", "AZURE_AUTHORITY_HOST": self.url + "/",
               "AZURE_FEDERATED_TOKEN_FILE": self.file("federated", "projected\n")}
        self.assertEqual(self.run_it("azure", **env)["token"], "azure-cid")
        path, form, _ = Cloud.seen[-1]
        self.assertEqual(path, "/tid/oauth2/v2.0/token")
        self.assertEqual((form["client_assertion"], form["scope"]), ("projected", "6dae42f8-4368-4678-94ff-3960e28e3630/.default"))
        self.run_it("azure", AAD_SERVER_APPLICATION_ID="other", **env)
        self.assertEqual(Cloud.seen[-1][1]["scope"], "other/.default")
        spn = {"AAD_LOGIN_METHOD": "spn", "AAD_SERVICE_PRINCIPAL_CLIENT_ID": "spn-id", "AZURE_TENANT_ID": "tid",
               "AZURE_AUTHORITY_HOST": self.url}
        self.assertEqual(self.run_it("azure", AAD_SERVICE_PRINCIPAL_CLIENT_SECRET="s3", **spn)["token"], "azure-spn-id")
        self.assertEqual(Cloud.seen[-1][1]["client_secret"], "s3")
        pem = os.path.join(self.dir, "client.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", pem + ".key",
                        "-out", pem], capture_output=True, check=True)
        with open(pem, "a", encoding="ascii") as f, open(pem + ".key", encoding="ascii") as key:
            f.write(key.read())
        self.assertEqual(self.run_it("azure", AAD_SERVICE_PRINCIPAL_CLIENT_CERTIFICATE=pem, **spn)["token"], "azure-spn-id")
        head = json.loads(base64.urlsafe_b64decode(Cloud.seen[-1][1]["client_assertion"].split(".")[0] + "=="))
        self.assertEqual(len(head["x5t"]), 27)
        msi = self.run_it("azure", AAD_LOGIN_METHOD="msi", AZURE_POD_IDENTITY_AUTHORITY_HOST=self.url, AZURE_CLIENT_ID="mid")
        self.assertEqual(msi, {"token": "msi-mid", "expirationTimestamp": "2096-10-02T07:06:40Z"})
        self.assertIn("without a person", self.run_it("azure", expect=20, AAD_LOGIN_METHOD="devicecode"))
        self.assertIn("AZURE_CLIENT_ID", self.run_it("azure", expect=20))

    def test_usage(self):
        self.assertIn('unknown command "other"', self.run_it("other", expect=20))


class Refusing(http.server.BaseHTTPRequestHandler):
    """An API server that refuses the first tokens."""
    tokens = []
    refuse = 1

    def do_GET(self):
        token = self.headers["Authorization"]
        if token not in Refusing.tokens:
            Refusing.tokens.append(token)
        self.send_response(401 if Refusing.tokens.index(token) < Refusing.refuse else 403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class EndToEnd(Base):
    """awsAuthConfig of a cluster's Secret, by the real program."""

    @classmethod
    def setUpClass(cls):
        from lib.env import Environment
        cls.env = Environment(cls.redis, cls.options)
        cls.sts = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Cloud)
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
        for s in (cls.sts, cls.server):
            threading.Thread(target=s.serve_forever, daemon=True).start()
        cls.env.controller.env.update({
            "PATH": BIN + ":" + os.environ["PATH"], "AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "AKIAENV",
            "AWS_SECRET_ACCESS_KEY": "env-secret", "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:%d" % cls.sts.server_port})
        cls.env.start()

    @classmethod
    def tearDownClass(cls):
        cls.sts.shutdown()
        cls.server.shutdown()
        super().tearDownClass()

    def test_presigned_token_reaches_the_api_server_and_is_renewed_once_when_refused(self):
        url = "http://127.0.0.1:%d" % self.server.server_port
        self.cluster("eks", url, {"awsAuthConfig": {"clusterName": "eks", "roleARN": "arn:aws:iam::1:role/r"}})
        self.deploy("on-eks", {"server": url}, sim=self.env)
        self.env.wait("a second token", lambda: len(Refusing.tokens) >= 2)
        for token in Refusing.tokens:
            self.assertEqual(who_presigned(token[len("Bearer "):])[2], "ASIAROLE")
        message = self.wait_condition("on-eks", "ComparisonError", "Failed to load live state")
        self.assertNotIn("nauthorized", message)  # the second one was taken
        tokens = len(Refusing.tokens)
        for _ in range(5):
            self.env.refresh("on-eks")
            self.env.wait_app("on-eks", lambda a: "argocd.argoproj.io/refresh" not in a["metadata"].get("annotations", {}))
        self.assertEqual(len(Refusing.tokens), tokens)  # and is kept


if __name__ == "__main__":
    unittest.main()
