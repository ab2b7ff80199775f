"""The same tests on Argo CD itself: ARGOCD names its program (one file serves as all of its daemons), KUBECONFIG a real cluster.

What fails there and passes here is an expectation that Argo CD does not share: a difference that the documentation names, or a
mistake of ours. Tests of what only we have (the query service, the offline programs, our flags) fail there, too."""
import os

from .api import Api
from .env import Environment, free_port
from .proc import wait_for

ARGOCD = os.environ.get("ARGOCD")
# What our flags are called there. The others are of cargocd alone.
CONTROLLER_FLAGS = {"--app-resync", "--app-resync-jitter", "--application-namespaces", "--persist-resource-health", "--sync-timeout",
                    "--metrics-application-labels", "--metrics-application-conditions", "--metrics-cache-expiration",
                    "--enable-k8s-event", "--self-heal-timeout-seconds", "--self-heal-backoff-timeout-seconds",
                    "--self-heal-backoff-factor", "--self-heal-backoff-cap-seconds", "--server-side-diff-enabled",
                    "--repo-error-grace-period-seconds", "--app-hard-resync", "--metrics-cluster-labels"}
# What there is an environment variable and no flag.
CONTROLLER_VARIABLES = {"--sync-wave-delay": "ARGOCD_SYNC_WAVE_DELAY"}


class Reference(Environment):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.patience = float(os.environ.get("PATIENCE") or 3)

    def _start_redis(self):
        self.redis_port = free_port()
        p = self._process("redis", ["redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1", "--save", "",
                                    "--appendonly", "no"])
        p.start()
        wait_for("redis", lambda: "Ready to accept" in p.log(), alive=[p])
        return p

    def install(self):
        super().install()
        self.kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": {
            "name": "argocd-secret", "namespace": self.ns, "labels": {"app.kubernetes.io/part-of": "argocd"}},
            "stringData": {"server.secretkey": "for-tests", "admin.password": "none", "admin.passwordMtime": "2024-01-01T00:00:00Z"}})

    def _alias(self, name):
        path = os.path.join(self.dir, name)
        if not os.path.exists(path):
            os.symlink(os.path.abspath(ARGOCD), path)
        return path

    def _variables(self):
        return {"ARGOCD_GPG_ENABLED": "false", "ARGOCD_FAKE_IN_CLUSTER": "true", "HOME": self.dir, "ARGOCD_GNUPGHOME": self.dir}

    def _daemon(self, name, flags):
        env = self._variables()
        if name == "cargocd-repo-server":
            self.repo_port = free_port()
            argv = [self._alias("argocd-repo-server"), "--port", str(self.repo_port), "--metrics-port", str(free_port()), "--disable-tls", "--client-ca-path", "",
                    "--redis", "127.0.0.1:%d" % self.redis_port, "--revision-cache-expiration", "1s"]
            env["TMPDIR"] = os.path.join(self.dir, "tmp")
            os.makedirs(env["TMPDIR"], exist_ok=True)
        else:
            taken, theirs = self._their_flags(self.options.get("controller", []))
            env.update(theirs)
            env.update({"ARGOCD_K8S_CLIENT_QPS": "2000", "ARGOCD_K8S_CLIENT_BURST": "4000"})
            argv = [self._alias("argocd-application-controller"), "--kubeconfig", self.kubeconfig, "--namespace", self.ns, "--repo-server",
                    "127.0.0.1:%d" % self.repo_port, "--repo-server-plaintext", "--redis", "127.0.0.1:%d" % self.redis_port,
                    "--metrics-port", str(self.metrics_port), *taken]
        return self._process(name, [*argv, "--logformat", "text", "--loglevel", "info"], env)

    @staticmethod
    def _their_flags(flags):
        taken, variables, at = [], {}, 0
        while at < len(flags):
            value = flags[at + 1:at + 2] if at + 1 < len(flags) and not flags[at + 1].startswith("--") else []
            if flags[at] in CONTROLLER_FLAGS:
                taken += [flags[at], *value]
            elif flags[at] in CONTROLLER_VARIABLES:
                variables[CONTROLLER_VARIABLES[flags[at]]] = value[0]
            at += 1 + len(value)
        return taken, variables

    def _replica(self, i):
        self.metrics_port = free_port()
        return super()._replica(i)

    def start_api_server(self, flags=("--insecure",)):
        self.port, self.api_metrics_port = free_port(), free_port()
        self.server = self._process("cargocd-api-server", [
            self._alias("argocd-server"), "--kubeconfig", self.kubeconfig, "--namespace", self.ns, "--port", str(self.port), "--metrics-port",
            str(self.api_metrics_port), "--redis", "127.0.0.1:%d" % self.redis_port, "--repo-server", "127.0.0.1:%d" % self.repo_port,
            "--repo-server-plaintext", "--logformat", "text", *flags], self._variables())
        self.server.start()
        self.api = Api(self.port, tls="--insecure" not in flags)
        wait_for("health of the api-server", lambda: self.api.get("/healthz").status == 200, 60, alive=[self.server])
