"""Git repositories and a server that serves them over http, as the real one does (git http-backend)."""
import base64
import http.server
import os
import shutil
import signal
import subprocess
import sys
import threading
import urllib.parse


def git(*args, cwd=None, env=None):
    base = {"GIT_AUTHOR_NAME": "Test", "GIT_AUTHOR_EMAIL": "test@example.com", "GIT_COMMITTER_NAME": "Test",
            "GIT_COMMITTER_EMAIL": "test@example.com", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    done = subprocess.run(["git", *args], cwd=cwd, env=dict(os.environ, **base, **(env or {})), capture_output=True, text=True,
                          check=False)
    if done.returncode:
        raise RuntimeError("git %s: %s" % (" ".join(args), done.stderr))
    return done.stdout.strip()


class Repo:
    """A bare repository below the server's root and a work tree to commit from."""

    def __init__(self, root, work, name):
        self.name = name
        self.bare = os.path.join(root, name + ".git")
        self.work = os.path.join(work, name)
        git("init", "-q", "--bare", "-b", "main", self.bare)
        git("config", "http.receivepack", "true", cwd=self.bare)
        git("init", "-q", "-b", "main", self.work)
        git("remote", "add", "origin", self.bare, cwd=self.work)

    def write(self, files):
        """files: {path: text, or None to remove}."""
        for path, text in files.items():
            full = os.path.join(self.work, path)
            if text is None:
                os.remove(full)
                continue
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as f:
                f.write(text)

    def commit(self, files, message="change"):
        """Writes, commits, pushes; the commit's SHA."""
        self.write(files)
        git("add", "-A", cwd=self.work)
        git("commit", "-q", "--allow-empty", "-m", message, cwd=self.work)
        git("push", "-q", "origin", "HEAD", cwd=self.work)
        return git("rev-parse", "HEAD", cwd=self.work)

    def tree(self, folder, message="add files"):
        """Commits a copy of a folder."""
        shutil.copytree(folder, self.work, dirs_exist_ok=True)
        return self.commit({}, message)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.run()

    def do_POST(self):
        self.run()

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for k, v in headers:
            self.send_header(k, v)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            data = b""
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                data += self.rfile.read(size)
                self.rfile.readline()
                if not size:
                    return data
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def run(self):
        server = self.server.owner
        url = urllib.parse.urlsplit(self.path)
        data = self.body()
        with server.lock:
            server.requests.append((self.command, self.path))
        if server.broken:
            self.answer(503, b"broken on purpose")
            return
        if server.credentials:
            want = "Basic " + base64.b64encode(":".join(server.credentials).encode()).decode()
            if self.headers.get("Authorization") != want:
                self.answer(401, b"", [("WWW-Authenticate", 'Basic realm="git"')])
                return
        env = {"GIT_PROJECT_ROOT": server.root, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": urllib.parse.unquote(url.path),
               "QUERY_STRING": url.query, "REQUEST_METHOD": self.command, "REMOTE_USER": "test", "REMOTE_ADDR": "127.0.0.1",
               "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(data)),
               "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
               "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "PATH": os.environ["PATH"],
               "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory",
               "GIT_CONFIG_VALUE_0": "*"}
        done = subprocess.run(["git", "http-backend"], input=data, env=env, capture_output=True, check=False)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        status, headers = 200, []
        for line in head.decode("latin1").split("\r\n"):
            key, _, value = line.partition(": ")
            if key.lower() == "status":
                status = int(value.split()[0])
            elif key:
                headers.append((key, value))
        self.answer(status if head else 500, body, headers)


class QuietServer(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """A client that is killed in the middle of an answer is what tests are about."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Server:
    """Serves the bare repositories below root until closed; `address` is a pair of host and port."""

    def __init__(self, root, credentials=None, address=("127.0.0.1", 0)):
        self.root, self.credentials = root, credentials
        self.broken = False
        self.requests = []
        self.lock = threading.Lock()
        self.http = QuietServer(address, Handler)
        self.http.owner = self
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def url(self, repo):
        return "http://127.0.0.1:%d/%s.git" % (self.port, repo.name)

    def fetches(self):
        with self.lock:
            return sum(1 for method, path in self.requests if path.endswith("/git-upload-pack"))

    def close(self):
        self.http.shutdown()
        self.http.server_close()


def main():
    """git.py ROOT PORT NAME...: serves new empty repositories to everybody, until it is ended."""
    root, port, names = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    ending = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    for name in names:
        bare = os.path.join(root, name + ".git")
        git("init", "-q", "--bare", "-b", "main", bare)
        git("config", "http.receivepack", "true", cwd=bare)
    Server(root, address=("0.0.0.0", port))
    signal.sigwait(ending)


if __name__ == "__main__":
    main()
