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
