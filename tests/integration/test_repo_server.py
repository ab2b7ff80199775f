"""The repository server as a process: parameters, metrics, health, and what it shows of credentials."""
import glob
import os
import re
import subprocess
import threading
import urllib.request

from lib.case import Case, config_map
from lib.env import BIN
from lib.proc import wait_for

ENV = "ARGOCD_REPO_SERVER_"
# Flag, environment variable, default (../spec of the repository server, §14.1).
PARAMETERS = [
    ("address", ENV + "LISTEN_ADDRESS", "0.0.0.0"), ("port", None, "8081"), ("metrics-port", None, "8084"),
    ("metrics-address", ENV + "METRICS_LISTEN_ADDRESS", "0.0.0.0"), ("logformat", ENV + "LOGFORMAT", "json"),
    ("loglevel", ENV + "LOGLEVEL", "info"), ("parallelismlimit", ENV + "PARALLELISM_LIMIT", "0"),
    ("disable-tls", ENV + "DISABLE_TLS", "false"), ("repo-cache-expiration", "ARGOCD_REPO_CACHE_EXPIRATION", "24h"),
    ("revision-cache-expiration", "ARGOCD_RECONCILIATION_TIMEOUT", "3m"),
    ("max-combined-directory-manifests-size", ENV + "MAX_COMBINED_DIRECTORY_MANIFESTS_SIZE", "10M"),
    ("plugin-tar-exclude", ENV + "PLUGIN_TAR_EXCLUSIONS", None),
    ("plugin-use-manifest-generate-paths", ENV + "PLUGIN_USE_MANIFEST_GENERATE_PATHS", "false"),
    ("streamed-manifest-max-tar-size", ENV + "STREAMED_MANIFEST_MAX_TAR_SIZE", "100M"),
    ("streamed-manifest-max-extracted-size", ENV + "STREAMED_MANIFEST_MAX_EXTRACTED_SIZE", "1G"),
    ("helm-manifest-max-extracted-size", ENV + "HELM_MANIFEST_MAX_EXTRACTED_SIZE", "1G"),
    ("disable-helm-manifest-max-extracted-size", ENV + "DISABLE_HELM_MANIFEST_MAX_EXTRACTED_SIZE", "false"),
    ("helm-registry-max-index-size", ENV + "HELM_MANIFEST_MAX_INDEX_SIZE", "1G"),
    ("oci-manifest-max-extracted-size", ENV + "OCI_MANIFEST_MAX_EXTRACTED_SIZE", "1G"),
    ("disable-oci-manifest-max-extracted-size", ENV + "DISABLE_OCI_MANIFEST_MAX_EXTRACTED_SIZE", "false"),
    ("oci-layer-media-types", ENV + "OCI_LAYER_MEDIA_TYPES", None),
    ("include-hidden-directories", ENV + "INCLUDE_HIDDEN_DIRECTORIES", "false"), (None, "ARGOCD_GIT_MODULES_ENABLED", "true"),
    (None, "ARGOCD_GIT_LS_REMOTE_PARALLELISM_LIMIT", "0"), (None, "ARGOCD_GIT_REQUEST_TIMEOUT", "15s"),
    (None, "ARGOCD_GIT_ATTEMPTS_COUNT", "1"), (None, "ARGOCD_GIT_RETRY_DURATION", "250ms"), (None, "ARGOCD_GIT_RETRY_FACTOR", "2"),
    (None, "ARGOCD_GIT_RETRY_MAX_DURATION", "5s"), (None, "ARGOCD_HELM_USER_AGENT", None), (None, "ARGOCD_EXEC_TIMEOUT", "90s"),
    (None, "ARGOCD_EXEC_FATAL_TIMEOUT", "10s"), (None, "ARGOCD_GPG_ENABLED", "true"), (None, "ARGOCD_GPG_DATA_PATH", None),
    (None, "ARGOCD_TLS_DATA_PATH", "/app/config/tls"), (None, "ARGOCD_SSH_DATA_PATH", "/app/config/ssh"),
    (None, "ARGOCD_PLUGINSOCKFILEPATH", "/home/argocd/cmp-server/plugins"), (None, "ARGOCD_CMP_CHUNK_SIZE", None),
    (None, "ARGOCD_ASK_PASS_SOCK", "/tmp/reposerver-ask-pass.sock"),
    (None, "ARGOCD_GITHUB_APP_CREDS_EXPIRATION_DURATION", "60"), (None, "ARGOCD_PAUSE_GEN_AFTER_FAILED_ATTEMPTS", "3"),
    (None, "ARGOCD_PAUSE_GEN_MINUTES", "60"), (None, "ARGOCD_PAUSE_GEN_REQUESTS", "0"), ("redis", "REDIS_SERVER", None),
    ("redisdb", "REDISDB", "0"), ("sentinel", "REDIS_SENTINEL_HOSTS", None), ("sentinelmaster", "REDIS_SENTINEL_MASTER", None),
    (None, "ARGOCD_REDIS_KEY_PREFIX", None), (None, "REDIS_USERNAME", None), (None, "REDIS_PASSWORD", None),
    ("allow-oob-symlinks", None, None), ("enable-builtin-git-config", None, None), ("default-cache-expiration", None, None),
    ("revision-cache-lock-timeout", None, None), ("otlp-address", None, None),
]


class RepoServer(Case):
    def scrape(self, path="/metrics"):
        argv = self.env.repo_server.argv
        port = argv[argv.index("--metrics-port") + 1]
        with urllib.request.urlopen("http://127.0.0.1:%s%s" % (port, path), timeout=10) as r:
            return r.status, r.read().decode()

    def test_every_parameter_is_known(self):
        text = subprocess.run([os.path.join(BIN, "cargocd-repo-server"), "--help"], capture_output=True, text=True,
                              check=False).stdout
        entries = {}
        for flag, rest in re.findall(r"^ +(?:-\w, )?--([\w-]+)[^\n]*\n((?: {8}[^\n]*\n?)+)", text, re.M):
            entries[flag] = " ".join(rest.split())
        for flag, variable, default in PARAMETERS:
            found = [v for k, v in entries.items() if (k == flag if flag else "[$%s]" % variable in v)]
            self.assertEqual(len(found), 1, (flag, variable))
            if variable:
                self.assertIn("[$%s]" % variable, found[0])
            if default:
                self.assertIn("(default %s)" % default, found[0])

    def test_health(self):
        self.assertEqual(self.scrape("/healthz"), (200, "ok"))
        self.assertEqual(self.scrape("/healthz?full=true"), (200, "ok"))

    def test_metrics(self):
        repo = self.env.repo()
        repo.commit({"cm.yaml": config_map("m")})
        self.env.app("measured", self.env.git.url(repo))
        self.env.app("unmeasured", self.env.git.url(repo) + "x")
        self.env.wait_status("measured", "OutOfSync")
        self.wait_condition("unmeasured", "ComparisonError", "not found")
        url = self.env.git.url(repo)
        text = self.scrape()[1]
        for sample in [
                'argocd_git_request_total{repo="%s",request_type="ls-remote"} ' % url,
                'argocd_git_request_total{repo="%s",request_type="fetch"} ' % url,
                'argocd_git_request_duration_seconds_bucket{repo="%s",request_type="fetch",le="20"} ' % url,
                'argocd_git_lsremote_fail_total{repo="%sx",revision=""} ' % url,
                'argocd_repo_pending_request_total{repo="%s"} 0' % url,
                'argocd_repo_parallelism_wait_duration_seconds_bucket{le="120"} ',
                'argocd_redis_request_total{initiator="argocd-repo-server",command="set",failed="false"} ',
                'argocd_redis_request_duration_seconds_bucket{initiator="argocd-repo-server",le="2"} ',
                'grpc_server_started_total{grpc_type="unary",grpc_service="repository.RepoServerService",'
                'grpc_method="GenerateManifest"} ',
                'grpc_server_handled_total{grpc_type="unary",grpc_service="repository.RepoServerService",'
                'grpc_method="GenerateManifest",grpc_code="OK"} ',
                "process_resident_memory_bytes ", "process_cpu_seconds_total "]:
            self.assertIn("\n" + sample, "\n" + text)
        buckets = re.findall(r'argocd_git_request_duration_seconds_bucket\{repo="%s",request_type="fetch",le="([^"]+)"' % re.escape(url), text)
        self.assertEqual(buckets, ["0.1", "0.25", "0.5", "1", "2", "4", "10", "20", "+Inf"])

    def test_depth_of_a_repository(self):
        repo = self.env.repo()
        commits = [repo.commit({"cm.yaml": config_map("deep", {"value": str(n)})}) for n in range(3)]
        url = self.env.git.url(repo)
        self.env.kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": {
            "name": "deep", "namespace": self.env.ns, "labels": {"argocd.argoproj.io/secret-type": "repository"}},
            "stringData": {"url": url, "depth": "1"}})
        ns = self.env.app("deep", url)
        self.env.wait_status("deep", "OutOfSync")
        commits.append(repo.commit({"cm.yaml": config_map("deep", {"value": "latest"})}))
        self.env.refresh("deep")
        wait_for("the new commit", lambda: self.env.get_app("deep")["status"]["sync"]["revision"] == commits[3])
        self.env.sync("deep")
        self.env.wait_operation("deep")
        self.assertEqual(self.env.kube.get("v1", "ConfigMap", ns, "deep")["data"], {"value": "latest"})
        clones = [d for d in glob.glob(os.path.join(self.env.dir, "repos", "git", "*")) if os.path.exists(d + "/shallow")]
        self.assertEqual(len(clones), 1)
        there = [subprocess.run(["git", "--git-dir", clones[0], "cat-file", "-e", c], capture_output=True, check=False).returncode == 0
                 for c in commits]
        self.assertEqual(there, [False, False, True, True])

    def test_credentials_are_in_no_process_list_and_no_log(self):
        """Looks at every process that the server starts while it lists, fetches and fails."""
        repo = self.env.repo()
        repo.commit({"cm.yaml": config_map("secret")})
        url = self.env.git.url(repo)
        self.env.kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": {
            "name": "creds", "namespace": self.env.ns, "labels": {"argocd.argoproj.io/secret-type": "repository"}},
            "stringData": {"url": url, "username": "user", "password": "hunter2hunter2"}})
        found, looked, stop = [], set(), threading.Event()

        def watch():
            while not stop.is_set():
                for path in glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/[0-9]*/environ"):
                    try:
                        with open(path, "rb") as f:
                            data = f.read()
                    except OSError:
                        continue
                    if b"git-child" in data:
                        looked.add(path)
                    if b"hunter2hunter2" in data:
                        found.append((path, data))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            self.env.app("secretive", url)
            self.env.wait_status("secretive", "OutOfSync")
            self.env.git.credentials = ("user", "other")
            self.env.refresh("secretive", "hard")
            self.wait_condition("secretive", "ComparisonError", "401")
            wait_for("a look at a child", lambda: looked)
        finally:
            self.env.git.credentials = None
            stop.set()
            watcher.join()
        self.assertEqual(found, [])
        for path in glob.glob(os.path.join(self.env.dir, "*.log")):
            with open(path, "rb") as f:
                self.assertNotIn(b"hunter2hunter2", f.read(), path)
