/* The controller's root object: what all its parts share. Parts are files of their own and hold no state but
 * here. */
#ifndef CARGOCD_APP_CONTROLLER_CONTROLLER_H
#define CARGOCD_APP_CONTROLLER_CONTROLLER_H

#include "app-controller/apps.h"
#include "app-controller/cluster/cluster.h"
#include "app-controller/members/members.h"
#include "app-controller/world.h"
#include "common/base/metrics.h"
#include "common/base/workq.h"
#include "common/eval/eval.h"
#include "common/net/redis.h"
#include "common/net/rpc.h"

struct ownership;

struct controller_options {
    char *ns;              /* the control plane's namespace */
    char **app_namespaces; /* further namespaces of Applications; globs or /regex/; NULL: none */
    int64_t resync_ns, resync_jitter_ns, hard_resync_ns;
    int64_t repo_timeout_ns, repo_error_grace_ns, sync_timeout_ns, wave_delay_ns;
    int64_t self_heal_timeout_ns, heal_backoff_ns, heal_backoff_factor, heal_backoff_cap_ns;
    int64_t status_processors, operation_processors;
    int64_t eval_timeout_ns;
    bool persist_health;
    bool server_side_diff;
    bool events;                                                           /* write Kubernetes Events */
    char **metrics_labels, **metrics_conditions, **metrics_cluster_labels; /* NULL: none */
    char **event_reasons;                                                  /* which; "all", "none" */
    int64_t appliers;                                                      /* below 1: no limit */
    int64_t metrics_expiration_ns, state_ttl_ns;                           /* the first 0: never */
    bool metrics_legacy;                                                   /* families of older dashboards */
    char *replica;           /* this one's name; NULL: the host's */
    char *pod_uid;           /* NULL: unknown */
    int64_t replicas, shard; /* shard: negative: none given */
    char *sharding_method;
    int64_t lease_ns, split_above;
    /* Of the connections to API servers; 0: what common/kube has for it. */
    int64_t tcp_timeout_ns, tls_timeout_ns, keepalive_ns, idle_ns, server_timeout_ns, idle_connections;
    int64_t retries, retry_ms;
    /* Of the clusters' caches. */
    int64_t cache_resync_ns, watch_resync_ns, page_size, lists, gather_ns;
    bool gather;             /* changes that come together are looked at together */
    int64_t cluster_info_ns; /* between two writings of what is known of the clusters */
    char *gpg_enabled;       /* "false" and "no": signatures are not asked for */
    bool gpg;
    bool dynamic_distribution; /* accepted; division among those who are there is the rule */
};

struct controller {
    struct controller_options options;
    http_t *io;
    kube_t *kube;       /* of the control plane's cluster */
    kube_t *lease_kube; /* the same without limit and gate, for the replicas' Leases and for projects */
    struct kube_options kube_options; /* of the connections to clusters */
    struct kube_config own;
    unsigned char mask_key[MASK_KEY_SIZE];
    char epoch[UUID_SIZE]; /* names this life of the process */
    world_t *world;        /* settings, repositories, projects, clusters */
    apps_t *apps;
    tenures_t *tenures;
    struct kube_gate gate;       /* of all connections over which applications are worked */
    struct ownership *ownership; /* who works what */
    workq_t *refresh;            /* k: "namespace/name"; bits of enum refresh_bits */
    workq_t *operations;         /* k: "namespace/name" */
    workq_t *projects;           /* k: "namespace/name" */
    pool_t *appliers;            /* side by side applies of all syncs */
    eval_t *eval;                /* users' scripts and expressions */
    pool_t *checks;              /* health checks of the settings, for objects as they arrive */
    rpc_replicas_t *repo;
    redis_t *redis;
    seal_t *seal;
    metrics_t *metrics;
    metric_t *m_reconcile, *m_sync, *m_sync_seconds;
    metric_t *m_events, *m_batch, *m_batch_size, *m_requests, *m_request_seconds, *m_exec, *m_redis,
        *m_redis_seconds;
    metric_t *m_rest, *m_resolver, *m_plugin, *m_cert_age;
    metric_t *m_app_requests, *m_exec_pending, *m_limiter, *m_sent, *m_received, *m_retries;
    char hostname[64];
    _Atomic int64_t metrics_since; /* when the applications' counters began, monotonic; 0: not yet */
    atomic_bool stopping;
};

/* What a refresh is asked for; several add up to the strongest. */
enum refresh_bits {
    REFRESH_CHECK = 1,    /* something of the Application changed: decide */
    REFRESH_TREE = 2,     /* level 0: only the tree */
    REFRESH_LIVE = 4,     /* level 1: compare with the revision last compared */
    REFRESH_TARGET = 8,   /* level 2: resolve the target revision */
    REFRESH_TIMER = 16,   /* the reconciliation timer */
    REFRESH_RESOLVE = 32, /* level 3: and not by a cached revision */
    REFRESH_OPERATED = 64 /* an operation ended: the comparison leaves its time in any case */
};
enum { OPERATE = 1 };

extern const struct kube_resource application_resource, project_resource;

/* Asks for a refresh of the application with this instance name. */
void controller_request(struct controller *c, const char *instance, uint64_t bits);
/* Around each piece of work for an application (ownership.c). False: it is another replica's. */
bool ownership_begin(struct controller *c, struct app *app);
/* Gives up the reference, too. */
void ownership_end(struct controller *c, struct app *app_take);
/* "namespace/name" of an instance name; the caller's. */
char *controller_key_of(const struct controller *c, const char *instance) MUST_USE;
/* Whether this replica deals with applications of the namespace. */
bool controller_serves_namespace(const struct controller *c, const char *ns);

#endif
