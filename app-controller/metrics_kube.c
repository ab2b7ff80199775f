/* Metrics of what is asked of Kubernetes: all requests by host, and those of syncs and deletions by
 * application. */
#include "app-controller/metrics.h"
#include "common/argo/app.h"
#include "common/base/vec.h"

static char *host_of(const char *url)
{
    const char *scheme = strstr(url, "://");
    char *host = xstrdup(scheme ? scheme + 3 : url);
    host[strcspn(host, "/")] = 0;
    return host;
}

static void on_request(void *arg, const char *method, const char *verb, const char *url, int status,
                       int64_t duration_ns)
{
    struct controller *ctl = arg;
    AUTO(free_p) char *host = host_of(url);
    AUTO(free_p) char *code = status ? xasprintf("%d", status) : xstrdup("<error>");
    metric_inc(ctl->m_requests, LABELS(host, method, code));
    metric_inc(ctl->m_rest, LABELS(code, method, host));
    if (strcmp(verb, "Watch") != 0) /* how long a watch was open is no latency */
        metric_observe(ctl->m_request_seconds, (double)duration_ns / (double)NS_PER_SEC, LABELS(host, verb));
}

static void on_figures(void *arg, const struct kube_figures *f)
{
    struct controller *ctl = arg;
    AUTO(free_p) char *host = host_of(f->host);
    metric_observe(ctl->m_limiter, (double)f->waited_ns / (double)NS_PER_SEC, LABELS(host, f->verb));
    metric_observe(ctl->m_sent, (double)f->sent, LABELS(host, f->method));
    metric_observe(ctl->m_received, (double)f->received, LABELS(host, f->method));
    if (!f->again)
        return;
    AUTO(free_p) char *code = f->status ? xasprintf("%d", f->status) : xstrdup("<error>");
    metric_inc(ctl->m_retries, LABELS(host, f->method, code));
}

static void on_plugin(void *arg, const struct kube_plugin_run *run)
{
    struct controller *ctl = arg;
    char code[16];
    snprintf(code, sizeof(code), "%d", run->code);
    metric_inc(ctl->m_plugin, LABELS(code, run->outcome));
    if (run->cert_age_ns >= 0)
        metric_set(ctl->m_cert_age, (double)run->cert_age_ns / (double)NS_PER_SEC, NULL);
}

static void on_resolved(void *arg, const char *host, int64_t duration_ns)
{
    struct controller *ctl = arg;
    metric_observe(ctl->m_resolver, (double)duration_ns / (double)NS_PER_SEC, LABELS(host));
}

static void write_transports(void *arg, str_t *out)
{
    struct kube_transports t;
    kube_transports(&t);
    metrics_write_head(out, "argocd_kubectl_transport_cache_entries", "gauge",
                       "Number of kubectl transport cache entries");
    metrics_write_sample(out, "argocd_kubectl_transport_cache_entries", NULL, NULL, (double)t.open);
    metrics_write_head(out, "argocd_kubectl_transport_create_calls_total", "counter",
                       "Number of kubectl transport create calls");
    metrics_write_sample(out, "argocd_kubectl_transport_create_calls_total", LABELS("result"), LABELS("hit"),
                         (double)t.shared);
    metrics_write_sample(out, "argocd_kubectl_transport_create_calls_total", LABELS("result"), LABELS("miss"),
                         (double)t.made);
}

static void about_connections(struct controller *ctl, const double *seconds, size_t n)
{
    metrics_t *m = ctl->metrics;
    ctl->m_rest = metric_counter(m, "rest_client_requests_total",
                                 "Number of HTTP requests, partitioned by status code, method, and host.",
                                 LABELS("code", "method", "host"));
    ctl->m_resolver = metric_histogram(m, "argocd_kubectl_dns_resolution_duration_seconds",
                                       "Kubectl resolver latency", seconds, n, LABELS("host"));
    ctl->m_plugin = metric_counter(m, "argocd_kubectl_exec_plugin_call_total",
                                   "Number of kubectl exec plugin calls", LABELS("code", "call_status"));
    ctl->m_cert_age = metric_gauge(m, "argocd_kubectl_client_cert_rotation_age_seconds",
                                   "Age of a certificate that has just been rotated", NULL);
    metrics_on_write(m, write_transports, NULL);
    http_on_resolved(ctl->io, on_resolved, ctl);
}

void metrics_kube_init(struct controller *ctl)
{
    static const double seconds[] = {0.005, 0.1, 0.5, 2, 8, 30},
                        bytes[] = {64, 512, 4096, 65536, 1048576, 16777216};
    metrics_t *m = ctl->metrics;
    ctl->m_app_requests = metric_counter(m, "argocd_app_k8s_request_total",
                                         "Number of kubernetes requests executed during application "
                                         "reconciliation.",
                                         LABELS("namespace", "name", "project", "server", "response_code",
                                                "verb", "resource_kind", "resource_namespace", "dry_run"));
    ctl->m_requests = metric_counter(m, "argocd_kubectl_requests_total", "Number of kubectl request results",
                                     LABELS("host", "method", "code"));
    ctl->m_retries = metric_counter(m, "argocd_kubectl_request_retries_total",
                                    "Number of kubectl request retries", LABELS("host", "method", "code"));
    ctl->m_request_seconds = metric_histogram(m, "argocd_kubectl_request_duration_seconds",
                                              "Request latency in seconds", seconds, ARRAY_LEN(seconds),
                                              LABELS("host", "verb"));
    ctl->m_limiter = metric_histogram(m, "argocd_kubectl_rate_limiter_duration_seconds",
                                      "Kubectl rate limiter latency", seconds, ARRAY_LEN(seconds),
                                      LABELS("host", "verb"));
    ctl->m_sent = metric_histogram(m, "argocd_kubectl_request_size_bytes", "Size of kubectl requests", bytes,
                                   ARRAY_LEN(bytes), LABELS("host", "method"));
    ctl->m_received = metric_histogram(m, "argocd_kubectl_response_size_bytes", "Size of kubectl responses",
                                       bytes, ARRAY_LEN(bytes), LABELS("host", "method"));
    ctl->m_exec = metric_counter(m, "argocd_kubectl_exec_total", "Number of kubectl executions",
                                 LABELS("hostname", "command"));
    ctl->m_exec_pending = metric_gauge(m, "argocd_kubectl_exec_pending",
                                       "Number of pending kubectl executions", LABELS("hostname", "command"));
    about_connections(ctl, seconds, ARRAY_LEN(seconds));
    ctl->kube_options.plugin_ran = on_plugin;
    ctl->kube_options.observe = on_request;
    ctl->kube_options.measure = on_figures;
    ctl->kube_options.observe_arg = ctl;
}

struct hosts {
    const char *own; /* of the control plane's connection */
    const map_t *servers;
};

/* A name that was resolved has no port. */
static bool is_host(const char *host, const char *value)
{
    size_t n = strlen(value);
    return strncmp(host, value, n) == 0 && (!host[n] || host[n] == ':');
}

static bool is_there(const struct hosts *h, const char *value)
{
    if (is_host(h->own, value))
        return true;
    MAP_FOREACH(h->servers, e) {
        AUTO(free_p) char *host = host_of(e->key);
        if (is_host(host, value))
            return true;
    }
    return false;
}

static bool host_is_there(void *arg, const char *const *values)
{
    return is_there(arg, values[0]);
}

static bool third_is_there(void *arg, const char *const *values)
{
    return is_there(arg, values[2]);
}

void metrics_kube_retain(struct controller *ctl, const map_t *servers)
{
    metric_t *const families[] = {ctl->m_requests, ctl->m_retries,  ctl->m_request_seconds, ctl->m_limiter,
                                  ctl->m_sent,     ctl->m_received, ctl->m_resolver};
    AUTO(free_p) char *own = host_of(kube_server(ctl->kube));
    struct hosts hosts = {own, servers};
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        metric_retain(families[i], host_is_there, &hosts);
    metric_retain(ctl->m_rest, third_is_there, &hosts);
}

void metrics_kube_reset(struct controller *ctl, bool (*keep)(void *arg, const char *const *values))
{
    metric_t *const families[] = {ctl->m_requests, ctl->m_retries,  ctl->m_request_seconds, ctl->m_limiter,
                                  ctl->m_sent,     ctl->m_received, ctl->m_resolver,        ctl->m_plugin,
                                  ctl->m_cert_age, ctl->m_exec};
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        metric_retain(families[i], keep, NULL);
}

void metrics_applied(void *arg, const char *command)
{
    struct controller *ctl = arg;
    metric_inc(ctl->m_exec, LABELS(ctl->hostname, command));
}

void metrics_pending(struct controller *ctl, const char *command, int change)
{
    metric_add(ctl->m_exec_pending, change, LABELS(ctl->hostname, command));
}

/* ---- an application's requests ---- */

/* What a path is about: /api/v1/namespaces/NS/PLURAL/NAME, /apis/GROUP/VERSION/PLURAL … */
struct resource_path {
    char **parts;
    const char *plural, *ns, *name;
};

static void path_parse(const char *path, struct resource_path *out)
{
    AUTO(free_p) char *plain = xstrndup(path, strcspn(path, "?"));
    char **p = out->parts = strv_split(plain, "/", true);
    size_t n = strv_len(p), at = n && strcmp(p[0], "api") == 0 ? 2 : 3;
    out->plural = out->ns = out->name = "";
    if (n > at + 2 && strcmp(p[at], "namespaces") == 0) {
        out->ns = p[at + 1];
        at += 2;
    }
    out->plural = n > at ? p[at] : "";
    out->name = n > at + 1 ? p[at + 1] : "";
}

static void on_app_request(void *arg, const struct kube_figures *f)
{
    const struct app_requests *r = arg;
    struct resource_path p;
    path_parse(f->path, &p);
    bool itself = strcmp(p.plural, "applications") == 0 && strcmp(p.name, r->name) == 0 &&
                  strcmp(p.ns, r->ns) == 0;
    if (!itself) {
        char code[16];
        snprintf(code, sizeof(code), "%d", f->status);
        metric_inc(r->ctl->m_app_requests, LABELS(r->ns, r->name, r->project, f->host, code, f->verb,
                                                  p.plural, p.ns, r->dry_run ? "true" : "false"));
    }
    strv_free(p.parts);
}

void metrics_requests_begin(struct app_requests *r, struct controller *ctl, const json_t *doc, bool dry_run)
{
    *r = (struct app_requests){.ctl = ctl,
                               .ns = xstrdup(object_namespace(doc)),
                               .name = xstrdup(object_name(doc)),
                               .project = xstrdup(app_project(doc)),
                               .dry_run = dry_run,
                               .tap = {on_app_request, r}};
    kube_tap_thread(&r->tap);
}

void metrics_requests_end(struct app_requests *r)
{
    kube_tap_thread(NULL);
    free(r->ns);
    free(r->name);
    free(r->project);
}

void metrics_requests_also(const struct app_requests *r)
{
    kube_tap_thread(r ? &r->tap : NULL);
}
