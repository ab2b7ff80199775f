#include "app-controller/flags.h"

#define ENV "ARGOCD_APPLICATION_CONTROLLER"

void more_flags(struct controller_options *o, struct flag out[MORE_FLAGS])
{
    const struct flag flags[MORE_FLAGS] = {
        {.name = "kubectl-parallelism-limit",
         .type = FLAG_INT,
         .target = &o->appliers,
         .env = ENV "_KUBECTL_PARALLELISM_LIMIT",
         .fallback = "20",
         .max = 1000,
         .help =
             "Number of objects that are applied at once, in all syncs together. Less than 1 means no limit"},
        {.name = "metrics-cache-expiration",
         .type = FLAG_DURATION,
         .target = &o->metrics_expiration_ns,
         .env = ENV "_METRICS_CACHE_EXPIRATION",
         .fallback = "0s",
         .help = "Prometheus metrics cache expiration: counters of applications begin anew so often"},
        {.name = "app-state-cache-expiration",
         .type = FLAG_DURATION,
         .target = &o->state_ttl_ns,
         .env = "ARGOCD_APP_STATE_CACHE_EXPIRATION",
         .fallback = "1h",
         .min = SECONDS(1),
         .max = SECONDS(36000),
         .help = "Cache expiration for app state"},
        {.name = "enable-k8s-event",
         .type = FLAG_STRINGS,
         .target = &o->event_reasons,
         .env = "ARGOCD_ENABLE_K8S_EVENT",
         .fallback = "all",
         .help = "Reasons that Kubernetes Events are written for: all, none, or a list"},
    };
    memcpy(out, flags, sizeof(flags));
}

static struct flag duration(const char *name, int64_t *target, const char *env, const char *fallback,
                            const char *help)
{
    return (struct flag){.name = name,
                         .type = FLAG_DURATION,
                         .target = target,
                         .env = env,
                         .fallback = fallback,
                         .help = help};
}

static struct flag number(const char *name, int64_t *target, const char *env, const char *fallback,
                          const char *help)
{
    return (struct flag){.name = name,
                         .type = FLAG_INT,
                         .target = target,
                         .env = env,
                         .fallback = fallback,
                         .max = INT32_MAX,
                         .help = help};
}

/* Argo CD has these as environment variables only. */
void kube_flags(struct controller_options *o, struct flag out[KUBE_FLAGS])
{
    const struct flag flags[KUBE_FLAGS] = {
        duration("kube-api-tcp-timeout", &o->tcp_timeout_ns, "ARGOCD_K8S_TCP_TIMEOUT", "0s",
                 "Time to connect to an API server; together with the next one 10s where neither is given"),
        duration("kube-api-tls-handshake-timeout", &o->tls_timeout_ns, "ARGOCD_K8S_TLS_HANDSHAKE_TIMEOUT",
                 "0s", "Time for the TLS handshake, which is added to the one before"),
        duration("kube-api-tcp-keepalive", &o->keepalive_ns, "ARGOCD_K8S_TCP_KEEPALIVE", "30s",
                 "Time between probes of a silent connection"),
        duration("kube-api-tcp-idle-timeout", &o->idle_ns, "ARGOCD_K8S_TCP_IDLE_TIMEOUT", "5m",
                 "After how long an idle connection is not used any more"),
        duration("kube-api-timeout", &o->server_timeout_ns, "ARGOCD_K8S_SERVER_SIDE_TIMEOUT", "0s",
                 "Time for a request to an API server; 0 means 30s"),
        number("kube-api-max-idle-connections", &o->idle_connections,
               "ARGOCD_K8S_CLIENT_MAX_IDLE_CONNECTIONS", "500",
               "Number of idle connections to API servers that are kept"),
        number("kube-api-retry-max", &o->retries, "ARGOCD_K8SCLIENT_RETRY_MAX", "0",
               "How often a request is sent again that an API server did not answer, or by 503 or 504, where "
               "that does no harm"),
        number("kube-api-retry-base-backoff", &o->retry_ms, "ARGOCD_K8SCLIENT_RETRY_BASE_BACKOFF", "100",
               "Milliseconds before the first of these retries; doubled for each further one"),
        duration("cluster-cache-resync", &o->cache_resync_ns, "ARGOCD_CLUSTER_CACHE_RESYNC_DURATION", "12h",
                 "After how long each kind is listed anew; 0 means never"),
        duration("cluster-cache-watch-resync", &o->watch_resync_ns,
                 "ARGOCD_CLUSTER_CACHE_WATCH_RESYNC_DURATION", "0s", "The same, if it is shorter and not 0"),
        number("cluster-cache-list-page-size", &o->page_size, "ARGOCD_CLUSTER_CACHE_LIST_PAGE_SIZE", "500",
               "Number of objects in a page of a list"),
        number("cluster-cache-list-semaphore", &o->lists, "ARGOCD_CLUSTER_CACHE_LIST_SEMAPHORE", "3",
               "Number of lists of a cluster that are read at once"),
        duration("cluster-cache-events-processing-interval", &o->gather_ns,
                 "ARGOCD_CLUSTER_CACHE_EVENTS_PROCESSING_INTERVAL", "15ms",
                 "How long changes of an application's objects are gathered before it is looked at"),
        {.name = "cluster-cache-batch-events-processing",
         .type = FLAG_BOOL,
         .target = &o->gather,
         .env = "ARGOCD_CLUSTER_CACHE_BATCH_EVENTS_PROCESSING",
         .fallback = "true",
         .help = "Whether they are gathered at all"},
        {.name = "cluster-info-timeout",
         .type = FLAG_DURATION,
         .target = &o->cluster_info_ns,
         .env = "ARGO_CD_UPDATE_CLUSTER_INFO_TIMEOUT",
         .fallback = "10s",
         .min = SECONDS(10),
         .max = SECONDS(60),
         .help = "Time between two writings of what is known of the clusters"},
        {.name = "gpg-enabled",
         .type = FLAG_STRING,
         .target = &o->gpg_enabled,
         .env = "ARGOCD_GPG_ENABLED",
         .fallback = "true",
         .help = "Whether projects may ask for signatures; false or no switches that off"},
    };
    memcpy(out, flags, sizeof(flags));
}

void kube_flags_apply(const struct controller_options *o, struct kube_options *kube)
{
    kube->connect_timeout_ns = o->tcp_timeout_ns + o->tls_timeout_ns;
    kube->keepalive_ns = o->keepalive_ns ? o->keepalive_ns : -1;
    kube->idle_ns = o->idle_ns;
    kube->timeout_ns = o->server_timeout_ns;
    kube->retries = (unsigned)o->retries;
    kube->retry_ns = o->retry_ms * NS_PER_MS;
    kube->max_lists = (unsigned)o->lists;
}

void unused_flags(struct unused_flags *u, struct flag out[UNUSED_FLAGS])
{
    static const char *const names[UNUSED_FLAGS] = {"repo-server-plaintext",
                                                    "repo-server-strict-tls",
                                                    "hydrator-enabled",
                                                    "otlp-insecure", /* switches */
                                                    "commit-server",
                                                    "default-cache-expiration",
                                                    "gloglevel",
                                                    "hydration-processors",
                                                    "otlp-address",
                                                    "otlp-attrs",
                                                    "otlp-headers",
                                                    "otlp-sample-ratio",
                                                    "repo-server-ca-cert-path",
                                                    "repo-server-client-cert-key-path",
                                                    "repo-server-client-cert-path",
                                                    "self-heal-backoff-cooldown-seconds",
                                                    "wq-backoff-factor",
                                                    "wq-basedelay-ns",
                                                    "wq-bucket-qps",
                                                    "wq-bucket-size",
                                                    "wq-cooldown-ns",
                                                    "wq-maxdelay-ns"};
    for (size_t i = 0; i < UNUSED_FLAGS; i++) {
        bool is_switch = i < UNUSED_SWITCHES;
        out[i] = (struct flag){.name = names[i],
                               .type = is_switch ? FLAG_BOOL : FLAG_STRING,
                               .target = is_switch ? (void *)&u->switches[i] : (void *)&u->texts[i],
                               .help = "Taken for Argo CD's arguments; without effect"};
    }
}
