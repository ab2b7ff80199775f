/* cargocd-api-server: the API, the dashboard, sessions. */
#include "api-server/start.h"
#include "common/base/log.h"

#define ENV "ARGOCD_SERVER"

enum { OWN_FLAGS = 35 };

static void own_flags(struct process *p, struct flag out[OWN_FLAGS])
{
    struct server_flags *f = &p->flags;
    const struct flag flags[OWN_FLAGS] = {
        {.name = "kubeconfig", .type = FLAG_STRING, .target = &p->kubeconfig, .env = "KUBECONFIG",
         .help = "Path to a kube config. Only required if out-of-cluster"},
        {.name = "context", .type = FLAG_STRING, .target = &p->context, .help = "The name of the kubeconfig context to use"},
        {.name = "namespace", .shorthand = 'n', .type = FLAG_STRING, .target = &p->ns, .env = "ARGOCD_NAMESPACE",
         .help = "Namespace of the control plane; by default the kubeconfig's or the pod's"},
        {.name = "application-namespaces", .type = FLAG_STRINGS, .target = &f->app_namespaces,
         .env = "ARGOCD_APPLICATION_NAMESPACES",
         .help = "List of additional namespaces where application resources can be managed in"},
        {.name = "port", .type = FLAG_INT, .target = &p->port, .fallback = "8080", .max = 65535, .help = "Listen on given port"},
        {.name = "address", .type = FLAG_STRING, .target = &p->address, .env = ENV "_LISTEN_ADDRESS", .fallback = "",
         .help = "Listen on given address"},
        {.name = "metrics-port", .type = FLAG_INT, .target = &p->metrics_port, .fallback = "8083", .max = 65535,
         .help = "Start metrics on given port"},
        {.name = "metrics-address", .type = FLAG_STRING, .target = &p->metrics_address, .env = ENV "_METRICS_LISTEN_ADDRESS",
         .fallback = "0.0.0.0", .help = "Listen for metrics on given address"},
        {.name = "insecure", .type = FLAG_BOOL, .target = &f->insecure, .env = ENV "_INSECURE", .fallback = "false",
         .help = "Run server without TLS"},
        {.name = "basehref", .type = FLAG_STRING, .target = &f->base_href, .env = ENV "_BASEHREF", .fallback = "/",
         .help = "Value for base href in index.html. Used if the server is running behind reverse proxy under subpath different from /"},
        {.name = "rootpath", .type = FLAG_STRING, .target = &f->root_path, .env = ENV "_ROOTPATH", .fallback = "",
         .help = "Used if the server is running behind reverse proxy under subpath different from /"},
        {.name = "staticassets", .type = FLAG_STRING, .target = &f->static_assets, .env = ENV "_STATIC_ASSETS",
         .fallback = "/shared/app", .help = "Directory path that contains additional static assets"},
        {.name = "repo-server", .type = FLAG_STRING, .target = &p->repo_server, .env = ENV "_REPO_SERVER",
         .fallback = "argocd-repo-server:8081", .help = "Repo server address"},
        {.name = "repo-server-timeout-seconds", .type = FLAG_SECONDS, .target = &f->repo_timeout_ns,
         .env = ENV "_REPO_SERVER_TIMEOUT_SECONDS", .fallback = "60", .help = "Repo server RPC call timeout seconds"},
        {.name = "application-controller", .type = FLAG_STRING, .target = &p->controller,
         .env = ENV "_APPLICATION_CONTROLLER", .fallback = "argocd-application-controller:8085",
         .help = "Address of the application controller's query service"},
        {.name = "disable-auth", .type = FLAG_BOOL, .target = &f->disable_auth, .env = ENV "_DISABLE_AUTH",
         .fallback = "false", .help = "Disable client authentication"},
        {.name = "enable-gzip", .type = FLAG_BOOL, .target = &f->gzip, .env = ENV "_ENABLE_GZIP", .fallback = "true",
         .help = "Enable GZIP compression"},
        {.name = "x-frame-options", .type = FLAG_STRING, .target = &f->x_frame_options, .env = ENV "_X_FRAME_OPTIONS",
         .fallback = "sameorigin", .help = "Set X-Frame-Options header in HTTP responses to value. To disable, set to \"\""},
        {.name = "content-security-policy", .type = FLAG_STRING, .target = &f->csp, .env = ENV "_CONTENT_SECURITY_POLICY",
         .help = "Set Content-Security-Policy header in HTTP responses to value. To disable, set to \"\""},
        {.name = "api-content-types", .type = FLAG_STRING, .target = &f->content_types, .env = "ARGOCD_API_CONTENT_TYPES",
         .fallback = "application/json",
         .help = "Semicolon separated list of allowed content types for non GET api requests. Any content type is allowed if empty"},
        {.name = "sync-with-replace-allowed", .type = FLAG_BOOL, .target = &f->sync_replace_allowed,
         .env = "ARGOCD_SYNC_WITH_REPLACE_ALLOWED", .fallback = "true",
         .help = "Whether to allow users to select replace for syncs from UI/CLI"},
        {.name = "tlsminversion", .type = FLAG_STRING, .target = &p->tls_min, .env = "ARGOCD_TLS_MIN_VERSION",
         .fallback = "1.2", .help = "The minimum SSL/TLS version that is acceptable (one of: 1.0|1.1|1.2|1.3)"},
        {.name = "tlsmaxversion", .type = FLAG_STRING, .target = &p->tls_max, .env = "ARGOCD_TLS_MAX_VERSION",
         .fallback = "1.3", .help = "The maximum SSL/TLS version that is acceptable (one of: 1.0|1.1|1.2|1.3)"},
        {.name = "tlsciphers", .type = FLAG_STRING, .target = &p->tls_ciphers, .env = "ARGOCD_TLS_CIPHERS", .fallback = "",
         .help = "The list of acceptable ciphers to be used when establishing TLS connections"},
        {.name = "kube-events", .type = FLAG_STRING, .target = &f->events, .env = "ARGOCD_ENABLE_K8S_EVENT",
         .fallback = "all", .help = "Kubernetes Events to write: all, none, or a list of reasons"},
        {.name = "cookie-max-number", .type = FLAG_INT, .target = &f->max_cookies, .env = "ARGOCD_MAX_COOKIE_NUMBER",
         .fallback = "20", .min = 1, .max = 100, .help = "Chunks that a session cookie may have"},
        {.name = "max-message-mb", .type = FLAG_INT, .target = &p->grpc_max_mb, .env = "ARGOCD_GRPC_MAX_SIZE_MB",
         .fallback = "200", .min = 1, .max = 1000, .help = "Largest request in MiB"},
        {.name = "login-max-failures", .type = FLAG_INT, .target = &p->login_failures,
         .env = "ARGOCD_SESSION_FAILURE_MAX_FAIL_COUNT", .fallback = "5", .min = 1, .max = 1000000,
         .help = "Failed logins before a name is locked"},
        {.name = "login-failure-window", .type = FLAG_INT, .target = &p->login_window_s,
         .env = "ARGOCD_SESSION_FAILURE_WINDOW_SECONDS", .fallback = "300", .max = 1000000000,
         .help = "Seconds for which a name stays locked; 0 for ever"},
        {.name = "login-max-names", .type = FLAG_INT, .target = &p->login_names, .env = "ARGOCD_SESSION_MAX_CACHE_SIZE",
         .fallback = "10000", .min = 1, .max = 10000000, .help = "Names whose failed logins are remembered"},
        {.name = "login-max-concurrent", .type = FLAG_INT, .target = &p->logins,
         .env = "ARGOCD_MAX_CONCURRENT_LOGIN_REQUESTS_COUNT", .fallback = "50", .min = 1, .max = 100000,
         .help = "Logins worked on at once, over all replicas"},
        {.name = "replicas", .type = FLAG_INT, .target = &p->replicas, .env = "ARGOCD_API_SERVER_REPLICAS", .fallback = "1",
         .min = 1, .max = 1000, .help = "Replicas of this server"},
        {.name = "kube-api-qps", .type = FLAG_INT, .target = &p->qps, .env = "ARGOCD_K8S_CLIENT_QPS", .fallback = "50",
         .min = 1, .max = 1000000, .help = "Requests a second to the API server"},
        {.name = "kube-api-burst", .type = FLAG_INT, .target = &p->burst, .env = "ARGOCD_K8S_CLIENT_BURST",
         .fallback = "100", .min = 1, .max = 1000000, .help = "Burst of requests to the API server"},
        {.name = "port-file", .type = FLAG_STRING, .target = &p->port_file,
         .help = "Write the ports that were bound to this file (with --port 0)"},
    };
    memcpy(out, flags, sizeof flags);
}

int main(int argc, char **argv)
{
    daemon_setup();
    struct process p = {};
    struct flag flags[DAEMON_FLAGS + OWN_FLAGS];
    AUTO_ERR err = NULL;
    daemon_flags(&p.daemon, ENV, flags);
    own_flags(&p, flags + DAEMON_FLAGS);
    int rc = flags_parse(flags, ARRAY_LEN(flags), argc, argv, NULL, "cargocd-api-server [flags]", &err);
    if (rc == 0)
        rc = log_setup(p.daemon.log_format, p.daemon.log_level, &err);
    if (rc == 0)
        rc = server_run(&p, &err);
    if (rc < 0)
        log_error(NULL, "%s", err_text(err));
    flags_dispose(flags, ARRAY_LEN(flags));
    daemon_options_dispose(&p.daemon);
    return rc < 0;
}
