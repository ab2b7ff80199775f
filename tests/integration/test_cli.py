"""The command line against the daemons. With ARGOCD_ORACLE=<argocd> its outputs are also compared with argocd's: what needs
no server always; what needs one when the api-server serves gRPC, or through ARGOCD_ORACLE_BRIDGE, a program that serves
gRPC at its first argument by asking the REST API at its second."""
import fcntl
import http.server
import json
import os
import pty
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
import termios
import threading
import time
import unittest

import yaml

from lib.env import BIN, free_port
from lib.proc import wait_for
from test_api import ApiEnvironment

CARGOCD = os.path.join(BIN, "cargocd")
ORACLE = os.environ.get("ARGOCD_ORACLE")
BRIDGE = os.environ.get("ARGOCD_ORACLE_BRIDGE")
GUESTBOOK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures", "guestbook")


def own_terminal(fd):
    """Interrupts count as in a shell's foreground, also where the tests run in a background that ignores them."""
    fcntl.ioctl(fd, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Done:
    def __init__(self, result):
        self.code, self.out, self.err = result.returncode, result.stdout, result.stderr

    @property
    def messages(self):
        return [json.loads(line)["msg"] for line in self.err.splitlines()]

    @property
    def timeless(self):
        return re.sub(r',"time":"[^"]*"', "", self.err)


class Cli:
    """A program with a configuration of its own."""

    def __init__(self, program, directory, **env):
        self.program, self.directory, self.env = program, directory, env
        os.makedirs(directory, exist_ok=True)
        self.config = os.path.join(directory, "config")

    def environment(self, env):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("ARGOCD_")}
        return {**clean, "ARGOCD_CONFIG_DIR": self.directory, **self.env, **env}

    def __call__(self, *args, stdin="", timeout=60, **env):
        return Done(subprocess.run([self.program, *args], input=stdin, capture_output=True, text=True, timeout=timeout,
                                   env=self.environment(env), check=False))

    def start(self, *args):
        return subprocess.Popen([self.program, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, env=self.environment({}))

    def read_config(self):
        with open(self.config, encoding="utf-8") as f:
            return yaml.safe_load(f)


class Offline(unittest.TestCase):
    """What needs no server."""
    maxDiff = None

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="cargocd-cli-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.cli = Cli(CARGOCD, os.path.join(self.dir, "c"))
        self.programs = [self.cli] + ([Cli(ORACLE, os.path.join(self.dir, "o"))] if ORACLE else [])

    def both(self, *args, **more):
        """Runs it with both programs; with an oracle, all that they say must be the same."""
        done = [p(*args, **more) for p in self.programs]
        for other in done[1:]:
            self.assertEqual((done[0].code, done[0].out, done[0].timeless), (other.code, other.out, other.timeless), args)
        return done[0]

    def configure(self, config):
        for p in self.programs:
            with open(p.config, "w", encoding="utf-8") as f:
                yaml.safe_dump(config, f)
            os.chmod(p.config, 0o600)

    def two_contexts(self):
        self.configure({"current-context": "a", "contexts": [{"name": n, "server": s, "user": n} for n, s in (("a", "x:1"), ("b", "y:2"))],
                        "servers": [{"server": "x:1"}, {"server": "y:2", "plain-text": True}],
                        "users": [{"name": "a", "auth-token": "t"}, {"name": "b"}]})

    def test_version(self):
        done = self.cli("version", "--client")
        self.assertEqual(done.code, 0)
        self.assertRegex(done.out, r"^cargocd: v\d")
        self.assertEqual(list(json.loads(self.cli("version", "--client", "-o", "json", "--short").out)["client"]), ["cargocd"])
        link = os.path.join(self.dir, "argocd")
        os.symlink(CARGOCD, link)
        self.assertRegex(Cli(link, self.dir)("version", "--client", "--short").out, r"^argocd: v\d\S*\n$")

    def test_starts_fast(self):
        best = min(self.timed() for _ in range(5))
        self.assertLess(best, 0.05)

    def timed(self):
        begin = time.monotonic()
        self.cli("version", "--client")
        return time.monotonic() - begin

    def test_wrong_use(self):
        self.assertEqual(self.cli("nonsense").out, "Error: unknown command \"nonsense\" for \"cargocd\"\nRun 'cargocd --help' for usage.\n")
        for args in (["app", "list", "--bad"], ["app", "list", "-x"], ["app", "list", "--output"],
                     ["app", "wait", "a", "--timeout", "-1"], ["app", "sync", "a", "--prune=maybe"]):
            done = self.both(*args)
            self.assertEqual(done.code, 1)
            self.assertTrue(done.out.startswith("Error: "), done.out)
        for args in (["app"], ["app", "get"], ["app", "nonsense"], ["context", "--delete"], ["logout"], ["cluster", "get"]):
            self.assertEqual([p(*args).code for p in self.programs], [1] * len(self.programs), args)
        missing = self.cli("cluster", "add", "x", "--whatever")
        self.assertEqual((missing.code, missing.messages[0][:29]), (20, "cluster add is not available:"))
        self.assertEqual(self.cli("app", "--help").code, 0)

    def leaves(self, *path):
        names = re.findall(r"(?m)^  (\S+) ", self.cli(*path, "--help").out.split("Available Commands:\n")[1].split("\nFlags:")[0])
        for name in names:
            if "Available Commands:" in self.cli(*path, name, "--help").out:
                yield from self.leaves(*path, name)
            else:
                yield (*path, name)

    def test_every_command_is_done_by_a_program(self):
        leaves = list(self.leaves())
        self.assertIn(("app", "sync"), leaves)
        for path in leaves:
            self.assertIn(self.cli(*path, "x", "--server", "127.0.0.1:1", "--plaintext", "--skip-test-tls" if path == ("login",) else
                                   "--plaintext", stdin="").code, (0, 1, 2, 20), path)

    def test_no_server(self):
        done = self.both("app", "list")
        self.assertEqual((done.code, done.messages), (1, ["Argo CD server address unspecified"]))
        port = free_port()
        for p in self.programs:
            done = p("app", "list", "--server", "127.0.0.1:%d" % port, "--plaintext")
            self.assertEqual(done.code, 1)
            self.assertIn("Failed to establish connection to 127.0.0.1:%d: " % port, done.messages[-1])

    def test_contexts(self):
        self.assertEqual((self.both("context").code, self.both("context").out), (1, "No local configuration found\n"))
        self.two_contexts()
        self.assertEqual(self.both("context").out, "CURRENT  NAME  SERVER\n*        a     x:1\n         b     y:2\n")
        self.assertEqual(self.both("context", "a").out, "Already at context 'a'\n")
        self.assertEqual(self.both("context", "b").out, "Switched to context 'b'\n")
        self.assertEqual(self.both("context", "-").out, "Switched to context 'a'\n")
        self.assertEqual(self.both("context", "z").code, 1)
        self.assertEqual(self.both("context", "z", "--delete").code, 20)
        self.assertEqual(self.both("context", "b", "--delete").out, "Context 'b' deleted\n")
        self.assertEqual(self.cli.read_config()["servers"], [{"server": "x:1"}])
        if ORACLE:
            self.assertEqual({k: v for k, v in self.programs[1].read_config().items() if k != "servers"},
                             {k: v for k, v in self.cli.read_config().items() if k != "servers"})
        self.both("context", "a", "--delete")
        self.assertFalse(os.path.exists(self.cli.config))

    def test_bad_configurations(self):
        self.two_contexts()
        for p in self.programs:
            os.chmod(p.config, 0o644)
        self.assertIn("incorrect permission flags", self.both("context").messages[0])
        self.configure({"current-context": "x", "contexts": []})
        self.assertEqual(self.both("context").code, 20)

    def test_configure(self):
        self.two_contexts()
        self.assertIn("prompts-enabled: true", self.both("configure", "--prompts-enabled").out)
        self.assertTrue(self.cli.read_config()["prompts-enabled"])

    def test_completion(self):
        for shell in ("bash", "zsh", "fish"):
            self.assertIn("cargocd __complete" if shell == "x" else "__complete", self.cli("completion", shell).out)
        self.assertEqual(self.cli("__complete", "app", "hi").out.split("\t")[0], "history")
        self.two_contexts()
        self.assertEqual(self.cli("__complete", "context", "").out, "a\nb\n")
        if shutil.which("bash"):
            script = self.cli("completion", "bash").out + \
                "COMP_WORDS=(%s app te); COMP_CWORD=2; _cargocd_complete; printf '%%s' \"${COMPREPLY[*]}\"" % CARGOCD
            self.assertEqual(subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout, "terminate-op")


class Answers(http.server.BaseHTTPRequestHandler):
    """A server that is not ours: what it answers stands in `answers` by path, what it was asked in `asked`."""
    protocol_version = "HTTP/1.1"
    answers, asked = {}, []

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.asked.append((self.path, dict(self.headers)))
        status, kind, body = self.answers.get(self.path.split("?")[0], (404, "text/plain", "no such page"))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())


class Strange(unittest.TestCase):
    """Servers that answer something else."""

    def setUp(self):
        Answers.answers, Answers.asked = {}, []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.dir = tempfile.mkdtemp(prefix="cargocd-cli-")
        self.cli = Cli(CARGOCD, self.dir, ARGOCD_SERVER="127.0.0.1:%d" % self.server.server_port, ARGOCD_OPTS="--plaintext",
                       ARGOCD_AUTH_TOKEN=" the-token\n")

    def tearDown(self):
        self.server.shutdown()
        self.server.server_close()
        shutil.rmtree(self.dir)

    def test_what_is_sent(self):
        Answers.answers["/root/api/v1/applications"] = (200, "application/json", '{"items":null}')
        done = self.cli("app", "list", "-o", "json", "-l", "a in (b,c)", "-H", "X-One:1,X-Two: 2", "--grpc-web-root-path", "/root/")
        self.assertEqual((done.code, done.out), (0, "[]\n"), done.err)
        path, headers = Answers.asked[0]
        self.assertEqual(path, "/root/api/v1/applications?selector=a%20in%20%28b%2Cc%29")
        self.assertEqual((headers["Authorization"], headers["X-One"], headers["X-Two"]), ("Bearer the-token", "1", "2"))
        bad = self.cli("app", "list", "-H", "nonsense")
        self.assertIn("additional headers must be colon(:)-separated: nonsense", bad.messages)

    def test_strange_answers(self):
        for status, kind, body, part in ((200, "text/html", "<html>", "unexpected answer with status 200"),
                                         (502, "text/html", "bad gateway", "unexpected answer with status 502"),
                                         (404, "text/plain", "", "code = Unimplemented"),
                                         (403, "application/json", '{"error":"no","code":7,"message":"no"}', "code = PermissionDenied desc = no"),
                                         (500, "application/json", '{"code":99,"message":"x"}', "code = Unknown desc = x"),
                                         (200, "application/json", '{"items":', "unexpected answer")):
            Answers.answers["/api/v1/applications"] = (status, kind, body)
            done = self.cli("app", "list")
            self.assertEqual(done.code, 20)
            self.assertIn(part, done.messages[0])

    def test_busy(self):
        Answers.answers["/api/v1/applications"] = (503, "application/json", '{"code":14,"message":"busy"}')
        begin = time.monotonic()
        done = self.cli("app", "list")
        self.assertEqual((done.code, done.messages), (20, ["rpc error: code = Unavailable desc = busy"]))
        self.assertEqual(len(Answers.asked), 3)
        self.assertGreater(time.monotonic() - begin, 1.9)

    def test_logs(self):
        lines = "".join('data: {"result":{"content":"line %d"}} \n\n\n:\n' % i for i in range(200))
        Answers.answers["/api/v1/applications/a/logs"] = (200, "text/event-stream", lines + 'data: {"result":{"last":true}}\n\n')
        done = self.cli("app", "logs", "n/a", "--tail", "5", "-c", "main", "--name", "x")
        self.assertEqual((done.code, done.out.splitlines()), (0, ["line %d" % i for i in range(200)]), done.err)
        self.assertEqual(Answers.asked[0][0], "/api/v1/applications/a/logs?appNamespace=n&resourceName=x&container=main&tailLines=5")
        Answers.answers["/api/v1/applications/a/logs"] = (200, "text/event-stream", 'data: {"error":{"code":5,"message":"gone"}}\n\n')
        self.assertEqual(self.cli("app", "logs", "a").messages, ["stream read failed: rpc error: code = NotFound desc = gone"])

    def test_redirects_are_not_followed(self):
        Answers.answers["/api/v1/applications"] = (302, "text/plain", "")
        self.assertIn("unexpected answer with status 302", self.cli("app", "list").messages[0])
        self.assertEqual(len(Answers.asked), 1)


class CliCase(unittest.TestCase):
    maxDiff = None
    flags, whole, redis, options = ["--insecure"], True, False, None

    @classmethod
    def setUpClass(cls):
        cls.env = ApiEnvironment(redis=cls.redis, options=cls.options)
        cls.env.flags, cls.env.whole = cls.flags, cls.whole
        cls.env.start()
        cls.env.as_user()
        cls.password = cls.env.secret("argocd-initial-admin-secret", "password")
        cls.cli = Cli(CARGOCD, os.path.join(cls.env.dir, "cli"))
        cls.server = "127.0.0.1:%d" % cls.env.port

    @classmethod
    def tearDownClass(cls):
        for name, code in cls.env.close().items():
            assert code == 0, "%s ended with %d" % (name, code)

    def ok(self, *args, **more):
        done = self.cli(*args, **more)
        self.assertEqual(done.code, 0, (args, done.out, done.err))
        return done.out

    def refused(self, code, part, *args, **more):
        done = self.cli(*args, **more)
        self.assertEqual(done.code, code, (args, done.out, done.err))
        self.assertIn(part, done.messages[-1])
        return done.out

    def log_in(self):
        self.ok("login", self.server, "--plaintext", "--username", "admin", "--password", self.password)

    def guestbook(self, name, *more):
        repo = self.env.repo()
        repo.tree(GUESTBOOK)
        ns = self.env.create_namespace()
        self.ok("app", "create", name, "--repo", self.env.git.url(repo), "--path", ".", "--dest-server",
                "https://kubernetes.default.svc", "--dest-namespace", ns, "--revision", "main", *more)
        return repo, ns


class Sessions(CliCase):
    whole = False

    def test_login(self):
        self.cli = Cli(CARGOCD, os.path.join(self.env.dir, "fresh"))
        self.refused(20, "code = Unauthenticated desc = Invalid username or password", "login", self.server, "--plaintext",
                     "--username", "admin", "--password", "wrong")
        self.assertFalse(os.path.exists(self.cli.config))
        out = self.ok("login", self.server, "--plaintext", "--username", "admin", "--password", self.password, "--name", "here")
        self.assertEqual(out, "'admin:login' logged in successfully\nContext 'here' updated\n")
        config = self.cli.read_config()
        self.assertEqual(config["current-context"], "here")
        self.assertEqual(config["servers"], [{"server": self.server, "plain-text": True, "grpc-web-root-path": ""}])
        self.assertEqual(os.stat(self.cli.config).st_mode & 0o777, 0o600)
        self.assertIn("Username: admin\nIssuer: argocd\n", self.ok("account", "get-user-info"))
        self.assertEqual(self.ok("relogin", "--password", self.password), "Relogging in as 'admin:login'\nContext 'here' updated\n")
        self.assertIn("argocd-server: v", self.ok("version", "--short"))
        token = self.cli.read_config()["users"][0]["auth-token"]
        self.assertEqual(self.ok("logout", "here"), "Logged out from 'here'\n")
        self.assertNotIn("auth-token", self.cli.read_config()["users"][0])
        self.assertEqual(self.ok("account", "get-user-info"), "Logged In: false\n")
        self.refused(20, "code = Unauthenticated", "app", "list", "--auth-token", token)
        self.ok("context", "here", "--delete")

    def test_questions(self):
        """Names and passwords come from standard input, and so does the consent to a server without TLS."""
        cli = Cli(CARGOCD, os.path.join(self.env.dir, "asked"))
        done = cli("login", self.server, stdin="perhaps\ny\nadmin\n%s\n" % self.password)
        self.assertEqual(done.code, 0, done.err)
        self.assertEqual(done.out.count("WARNING: server is not configured with TLS. Proceed (y/n)? "), 2)
        self.assertIn("Username: Password: 'admin:login' logged in", done.out)
        self.assertEqual(cli("login", self.server, stdin="n\n").code, 1)
        self.assertEqual(cli("login", self.server, stdin="").code, 20)

    def test_a_terminal(self):
        """A password is not echoed, and an interrupt leaves the terminal echoing."""
        cli = Cli(CARGOCD, os.path.join(self.env.dir, "terminal"))
        for keys, code, part in ((self.password + "\n", 0, "logged in successfully"), ("half\x03", -signal.SIGINT, "Password: ")):
            ours, theirs = pty.openpty()
            p = subprocess.Popen([CARGOCD, "login", self.server, "--plaintext", "--username", "admin"], stdin=theirs, stdout=theirs,
                                 stderr=theirs, env=cli.environment({}), start_new_session=True,
                                 preexec_fn=lambda fd=theirs: own_terminal(fd))
            seen = b""
            while b"Password: " not in seen:
                seen += os.read(ours, 1000)
            wait_for("silence", lambda fd=theirs: not termios.tcgetattr(fd)[3] & termios.ECHO)
            os.write(ours, keys.encode())
            self.assertEqual(p.wait(20), code)
            self.assertTrue(termios.tcgetattr(theirs)[3] & termios.ECHO)
            os.close(theirs)
            try:
                while True:
                    seen += os.read(ours, 1000)
            except OSError:
                os.close(ours)
            self.assertIn(part, seen.decode())
            self.assertNotIn(keys.strip(), seen.decode())

    def test_unavailable(self):
        self.refused(20, "--sso is not available", "login", self.server, "--sso", "--plaintext")
        self.refused(20, "--core is not available", "login", self.server, "--core")

    def test_places_of_credentials(self):
        token = self.env.as_user().token
        done = Cli(CARGOCD, os.path.join(self.env.dir, "none"))("account", "get-user-info", "-o", "json", ARGOCD_SERVER=self.server,
                                                               ARGOCD_AUTH_TOKEN=token, ARGOCD_OPTS="--plaintext")
        self.assertEqual(json.loads(done.out)["username"], "admin")

    def test_what_the_server_does_not_serve(self):
        self.log_in()
        for args in (["repo", "list"], ["repo", "get", "https://x"],
                     ["account", "update-password", "--current-password", "a", "--new-password", "b"]):
            done = self.cli(*args)
            if done.code:
                self.assertEqual(done.code, 20)
                self.assertIn("rpc error: code = ", done.messages[-1])


class Tls(CliCase):
    whole = False
    flags = []

    def test_certificates(self):
        pem = os.path.join(self.env.dir, "server.pem")
        with open(pem, "w", encoding="ascii") as f:
            f.write(ssl.get_server_certificate(("127.0.0.1", self.env.port)))
        login = ["--username", "admin", "--password", self.password]
        address = "localhost:%d" % self.env.port
        out = self.cli("login", address, *login, stdin="n\n")
        self.assertEqual(out.code, 1)
        self.assertIn("WARNING: server certificate had error: ", out.out)
        self.ok("login", address, *login, stdin="y\n")
        self.assertTrue(self.cli.read_config()["servers"][0]["insecure"])
        self.ok("app", "list")
        trusting = Cli(CARGOCD, os.path.join(self.env.dir, "trusting"))
        self.assertEqual(trusting("login", address, *login, "--server-crt", pem).code, 0)
        self.assertNotIn("insecure", trusting.read_config()["servers"][0])
        self.assertEqual(trusting("app", "list", "--server-crt", pem).code, 0)
        self.assertEqual(trusting("app", "list").code, 1)
        self.assertIn("must always be specified together", trusting("app", "list", "--client-crt", pem).messages[0])


class Applications(CliCase):
    def setUp(self):
        self.log_in()

    def test_the_whole_life(self):
        repo, ns = self.guestbook("life")
        full = "%s/life" % self.env.ns
        self.env.wait_status("life", "OutOfSync")
        self.assertEqual(self.ok("app", "list", "-o", "name", "-p", "default", "-r", self.env.git.url(repo)), full + "\n")
        if not self.env.real:  # or it is over before anybody could watch it
            self.env.kube.faults([
                {"verb": "create", "resource": "services", "namespace": ns, "latencyMs": 500, "times": 1}])
        out = self.ok("app", "sync", "life", "--timeout", "60")
        self.assertRegex(out, r"(?m)^TIMESTAMP +GROUP +KIND +NAMESPACE +NAME +STATUS +HEALTH +HOOK +MESSAGE$")
        self.assertRegex(out, r"(?m)^Phase: +Succeeded$")
        self.assertRegex(out, r"(?m)^apps +Deployment +%s +guestbook-ui +Synced .*created$" % ns)
        self.assertRegex(self.ok("app", "wait", "life", "--timeout", "60"), r"(?m)^Health Status: +Healthy$")
        out = self.ok("app", "get", "life", "--show-operation")
        self.assertRegex(out, r"(?m)^Name: +%s\nProject: +default\nServer: +https://kubernetes.default.svc\nNamespace: +%s\n" % (full, ns))
        self.assertRegex(out, r"(?m)^Sync Status: +Synced to main \([0-9a-f]{7}\)$")
        app = json.loads(self.ok("app", "get", "life", "-o", "json"))
        self.assertEqual(list(app), ["metadata", "spec", "status"])
        self.assertEqual(yaml.safe_load(self.ok("app", "get", "life", "-o", "yaml"))["spec"], app["spec"])
        tree = self.ok("app", "get", "life", "-o", "tree")
        self.assertRegex(tree, r"(?m)^Deployment/guestbook-ui .*\n└─ReplicaSet/guestbook-ui-\S+ .*\n  └─Pod/")
        self.assertRegex(self.ok("app", "resources", "life"), r"(?m)^ +Service +%s +guestbook-ui +No$" % ns)
        manifests = [m for m in yaml.safe_load_all(self.ok("app", "manifests", "life")) if m]
        self.assertEqual(sorted(m["kind"] for m in manifests), ["ConfigMap", "Deployment", "Service"])
        # A sync that changes nothing ends too.
        self.ok("app", "sync", "life", "--timeout", "60")
        self.assertEqual(self.ok("app", "history", "life", "-o", "id"), "0\n1\n")
        self.assertRegex(self.ok("app", "history", "life"), r"^SOURCE  %s\nID      DATE .* REVISION\n0  .* main \([0-9a-f]{7}\)\n1 " %
                         re.escape(self.env.git.url(repo)))
        self.assertRegex(self.ok("app", "rollback", "life", "0", "--timeout", "60"), r"(?m)^Phase: +Succeeded$")
        self.assertEqual(self.ok("app", "delete", "life", "--yes", "--wait"), "application 'life' deleted\n")
        self.assertIsNone(self.env.get_app("life"))
        self.assertEqual(self.env.kube.list("v1", "Service", ns), [])
        self.refused(20, "code = PermissionDenied", "app", "get", "life")

    def test_create(self):
        repo, ns = self.guestbook("made", "--label", "team=a", "--annotations", "x=y=z", "--set-finalizer")
        app = self.env.get_app("made")
        self.assertEqual((app["metadata"]["labels"], app["metadata"]["finalizers"]), ({"team": "a"}, ["resources-finalizer.argocd.argoproj.io"]))
        self.assertEqual(app["metadata"]["annotations"]["x"], "y=z")
        again = ["app", "create", "made", "--repo", self.env.git.url(repo), "--path", ".", "--dest-server",
                 "https://kubernetes.default.svc", "--dest-namespace", ns]
        self.refused(20, "code = InvalidArgument desc = existing application spec is different", *again)
        self.assertEqual(self.ok(*again, "--upsert", "--revision", "main", "-l", "team=b"), "application 'made' updated\n")
        self.refused(20, "Unable to generate manifests in nowhere", "app", "create", "bad", *again[3:5], "--path", "nowhere", *again[7:])
        self.refused(20, "labels should have key=value", *again, "-l", "x")
        self.assertEqual(self.ok("app", "list", "-l", "team=b", "-o", "name"), "%s/made\n" % self.env.ns)
        self.assertEqual(self.ok("app", "list", "-c", "nowhere", "-o", "name"), "")
        self.ok("app", "delete", "-l", "team=b", "-y", "--wait")
        self.refused(20, "no apps match selector team=b", "app", "delete", "-l", "team=b")

    def test_files(self):
        repo = self.env.repo()
        repo.tree(GUESTBOOK)
        document = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "f1"},
                    "spec": {"project": "default", "source": {"repoURL": self.env.git.url(repo), "path": "."},
                             "destination": {"server": "https://kubernetes.default.svc", "namespace": "default"}}}
        two = dict(document, metadata={"name": "f2"})
        text = yaml.safe_dump_all([document, two])
        path = os.path.join(self.env.dir, "apps.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        self.assertEqual(self.ok("app", "create", "-f", path, "--revision", "main"), "application 'f1' created\napplication 'f2' created\n")
        self.assertEqual(self.env.get_app("f2")["spec"]["source"]["targetRevision"], "main")
        self.assertEqual(self.ok("app", "create", "-f", "-", "--upsert", stdin=text), "application 'f1' updated\napplication 'f2' updated\n")
        self.refused(20, "does not match app spec metadata.name 'f1'", "app", "create", "other", "-f", path)
        self.refused(20, "no such file or directory".capitalize(), "app", "create", "-f", path + "x")
        self.refused(20, "", "app", "create", "-f", "-", stdin="a: [")
        self.ok("app", "delete", "f1", "f2", "--cascade=false")

    def test_set_and_patch(self):
        self.guestbook("changed")
        self.ok("app", "set", "changed", "--sync-policy", "auto", "--auto-prune", "--sync-option", "A=b")
        self.env.wait_status("changed", "Synced")
        self.assertEqual(self.env.get_app("changed")["spec"]["syncPolicy"], {"automated": {"prune": True}, "syncOptions": ["A=b"]})
        self.assertEqual(self.ok("app", "list", "-o", "wide").splitlines()[1].split()[6], "Auto-Prune")
        self.ok("app", "set", "changed", "--kustomize-image", "a:1", "--validate=false")
        self.ok("app", "unset", "changed", "--kustomize-image", "a")
        self.assertNotIn("images", self.env.get_app("changed")["spec"]["source"].get("kustomize", {}))
        out = self.ok("app", "patch", "changed", "--type", "merge", "--patch", '{"spec":{"syncPolicy":null}}')
        self.assertEqual(yaml.safe_load(out)["metadata"]["name"], "changed")
        self.assertNotIn("syncPolicy", self.env.get_app("changed")["spec"])
        self.assertEqual(self.cli("app", "set", "changed").code, 1)
        self.refused(20, "Invalid sync-policy: x", "app", "set", "changed", "--sync-policy", "x")
        self.ok("app", "delete", "changed", "--cascade=false")

    def test_sync_options(self):
        self.guestbook("synced")
        self.env.wait_status("synced", "OutOfSync")
        self.refused(20, "resource should have GROUP:KIND:NAME", "app", "sync", "synced", "--resource", "x")
        self.refused(1, "No matching app resources found for resource filter: a:b:c", "app", "sync", "synced", "--resource", "a:b:c")
        self.refused(1, "Unknown sync strategy: 'x'", "app", "sync", "synced", "--strategy", "x")
        self.refused(1, "No matching apps found for filter: selector a=b", "app", "sync", "-l", "a=b")
        out = self.ok("app", "sync", "synced", "--resource", ":ConfigMap:guestbook", "--timeout", "60")
        self.assertRegex(out, r"(?m)^ +ConfigMap .* Synced ")
        self.env.wait_status("synced", "OutOfSync")
        out = self.ok("app", "sync", "synced", "--dry-run", "--timeout", "60")
        self.assertIn("(dry run)", out)
        self.ok("app", "sync", "--project", "default", "--async")
        self.ok("app", "wait", "synced", "--timeout", "60", "--resource", "apps:Deployment:guestbook-ui")
        self.assertEqual(json.loads(self.ok("app", "wait", "synced", "-o", "json"))["metadata"]["name"], "synced")
        self.ok("app", "delete", "synced", "--wait", "-y")

    def test_diff(self):
        repo, ns = self.guestbook("different")
        self.env.wait_status("different", "OutOfSync")
        done = self.cli("app", "diff", "different")
        self.assertEqual(done.code, 1, done.err)
        self.assertIn("\n===== /ConfigMap %s/guestbook ======\n" % ns, done.out)
        self.assertIn("> kind: ConfigMap\n", done.out)
        self.ok("app", "sync", "different", "--timeout", "60")
        self.assertEqual(self.ok("app", "diff", "different"), "")
        self.env.kube.merge("v1", "ConfigMap", ns, "guestbook", {"data": {"greeting": "bye"}})
        self.env.wait_status("different", "OutOfSync")
        self.assertEqual(self.cli("app", "diff", "different", "--diff-exit-code", "3").code, 3)
        self.assertRegex(self.ok("app", "diff", "different", "--exit-code=false"),
                         r"^\n===== /ConfigMap %s/guestbook ======\n3c3\n<   greeting: bye\n---\n>   greeting: hello\n$" % ns)
        self.assertRegex(self.ok("app", "diff", "different", "--exit-code=false", KUBECTL_EXTERNAL_DIFF="echo 'a b'"), "a b .*-live.yaml ")
        self.assertEqual(self.cli("app", "diff").code, 2)
        self.refused(20, "--revision is not available", "app", "diff", "different", "--revision", "x")
        self.ok("app", "delete", "different", "-y", "--wait")

    def test_failures(self):
        repo, _ = self.guestbook("broken")
        repo.commit({"bad.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: nowhere-at-all}\n"})
        self.env.refresh("broken")
        self.assertRegex(self.refused(1, "Operation has completed with phase: Failed", "app", "sync", "broken", "--timeout", "60"),
                         r"(?m)^Phase: +Failed$")
        begin = time.monotonic()
        out = self.refused(20, 'timed out (2s) waiting for app "broken" match desired state', "app", "wait", "broken", "--sync",
                           "--timeout", "2")
        self.assertLess(time.monotonic() - begin, 10)
        self.assertIn("\nThis is the state of the app after wait timed out:\n", out)
        self.assertIn("\nThe command timed out waiting for the conditions to be met.\n", out)
        self.refused(20, "code = PermissionDenied", "app", "wait", "nothing")
        self.refused(20, "code = InvalidArgument", "app", "terminate-op", "broken")
        self.ok("app", "delete", "broken", "-y", "--wait")

    def test_waiting_survives_a_restart(self):
        self.guestbook("patient")
        self.env.wait_status("patient", "OutOfSync")
        waiting = self.cli.start("app", "wait", "patient", "--sync", "--timeout", "60")
        time.sleep(1)
        ports = open(self.env.ports, encoding="ascii").read().split()
        self.env.server.stop()
        self.env.server.argv[self.env.server.argv.index("--port") + 1] = ports[0]
        os.unlink(self.env.ports)
        self.env.server.start()
        wait_for("the api-server", lambda: os.path.exists(self.env.ports), alive=[self.env.server])
        wait_for("health", lambda: self.env.api.get("/healthz").status == 200, alive=[self.env.server])
        self.ok("app", "sync", "patient", "--timeout", "60")
        out, err = waiting.communicate(timeout=60)
        self.assertEqual(waiting.returncode, 0, err)
        self.assertRegex(out, r"(?m)^Sync Status: +Synced to main")
        gone = self.cli.start("app", "wait", "patient", "--delete", "--timeout", "60")
        time.sleep(0.5)
        self.ok("app", "delete", "patient", "-y")
        out, err = gone.communicate(timeout=60)
        self.assertEqual((gone.returncode, out.splitlines()[-1]), (0, "Application '%s/patient' deleted" % self.env.ns), err)

    def test_lists(self):
        self.assertEqual(self.ok("proj", "list", "-o", "name"), "closed\ndefault\nopen\n")
        rows = self.ok("proj", "list").splitlines()
        self.assertRegex(rows[0], "^NAME +DESCRIPTION +DESTINATIONS +SOURCES +CLUSTER-RESOURCE-WHITELIST")
        self.assertRegex(rows[3], r"^open +\*,ok-\* +https://ok.example/\* +<none> +<none> +<none> +disabled +<none>$")
        self.assertIn("Repositories:                https://ok.example/*\n", self.ok("proj", "get", "open"))
        self.assertEqual(yaml.safe_load(self.ok("proj", "get", "open", "-o", "yaml"))["metadata"]["name"], "open")
        self.refused(20, "code = ", "proj", "get", "nothing")
        self.assertIn("https://kubernetes.default.svc", self.ok("cluster", "list"))
        self.assertEqual(self.ok("cluster", "list", "-o", "server"), "https://kubernetes.default.svc\n")
        self.assertEqual(json.loads(self.ok("cluster", "get", "in-cluster", "-o", "json"))["name"], "in-cluster")
        self.assertIn("Server Name:           in-cluster\n", self.ok("cluster", "get", "https://kubernetes.default.svc", "-o", "wide"))
        self.assertIn("alice  true", self.ok("account", "list"))
        self.assertIn("Name:               admin\n", self.ok("account", "get"))
        self.assertEqual(self.ok("account", "can-i", "sync", "applications", "x/y"), "yes\n")
        self.refused(20, "unknown output format: x", "proj", "list", "-o", "x")

    def test_completion_asks_the_server(self):
        self.guestbook("completed")
        self.assertIn("%s/completed\n" % self.env.ns, self.cli("__complete", "app", "get", "").out)
        self.assertIn("default\n", self.cli("__complete", "proj", "get", "").out)
        self.ok("app", "delete", "completed", "--cascade=false")


@unittest.skipUnless(ORACLE, "ARGOCD_ORACLE is not set")
class Oracle(CliCase):
    """The same commands by both programs. The health of resources is in their status: elsewhere argocd depends on the
    server to fetch it, while our program does so itself."""
    options = {"controller": ["--persist-resource-health"]}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.oracle = Cli(ORACLE, os.path.join(cls.env.dir, "oracle"))
        address = cls.server
        if BRIDGE:
            address = "127.0.0.1:%d" % free_port()
            cls.env._process("bridge", [BRIDGE, address, "http://" + cls.server]).start()
        done = wait_for("a login", lambda: cls.log_in_oracle(address), timeout=10 if BRIDGE else 1) if BRIDGE else \
            cls.log_in_oracle(address)
        if not done:
            cls.tearDownClass()
            raise unittest.SkipTest("the api-server does not serve argocd's gRPC")

    @classmethod
    def log_in_oracle(cls, address):
        return cls.oracle("login", address, "--plaintext", "--username", "admin", "--password", cls.password).code == 0

    def same(self, *args, **more):
        ours, theirs = self.cli(*args, **more), self.oracle(*args, **more)
        self.assertEqual((ours.code, ours.out, ours.timeless), (theirs.code, theirs.out, theirs.timeless), args)

    def test_outputs(self):
        self.log_in()
        self.guestbook("o")
        self.env.wait_status("o", "OutOfSync")
        self.ok("app", "sync", "o", "--timeout", "60")
        self.env.wait_status("o", "Synced", "Healthy")
        for line in ("app list", "app list -o name", "app list -o yaml", "app list -l a=b", "app list -o x", "app get o",
                     "app get o --show-operation --show-params", "app get o -o yaml", "app get o -o x", "app get nothing",
                     "app history o", "app history o -o id", "app history nothing", "app resources o", "app manifests o",
                     "app manifests o --source live", "app wait o --timeout 20", "app wait nothing", "app terminate-op o",
                     "app sync o --resource x", "app sync o --resource a:b:c", "app sync o --strategy x", "app sync -l a=b",
                     "app rollback o 99", "app unset o", "app set nothing --path x", "app delete nothing", "app delete -l a=b",
                     "app create o --helm-set", "app create -f /dev/null/x", "proj list", "proj list -o name", "proj get default",
                     "proj get default -o yaml", "proj get nothing", "cluster list", "cluster list -o server",
                     "cluster get in-cluster", "cluster get in-cluster -o wide", "cluster get nothing", "account get",
                     "account get-user-info", "account get-user-info -o yaml", "account list", "account can-i get projects x"):
            if line in ("app unset o", "app create -f /dev/null/x"):  # help, words of the system
                self.assertEqual(self.cli(*line.split()).code, self.oracle(*line.split()).code, line)
            else:
                self.same(*line.split())
        self.ok("app", "delete", "o", "-y", "--wait")


if __name__ == "__main__":
    unittest.main()
