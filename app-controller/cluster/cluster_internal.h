/* The insides of a cluster; for cluster*.c only. */
#ifndef CARGOCD_APP_CONTROLLER_CLUSTER_CLUSTER_INTERNAL_H
#define CARGOCD_APP_CONTROLLER_CLUSTER_CLUSTER_INTERNAL_H

#include "app-controller/cluster/cluster.h"
#include "common/base/thread.h"
#include "common/base/vec.h"

#include <stdatomic.h>

/* resource.respectRBAC: what becomes of a kind whose list is forbidden. */
enum respect {
    RESPECT_NOT,    /* it fails */
    RESPECT_NORMAL, /* it is left out */
    RESPECT_STRICT  /* it is left out if an access review says so too */
};

enum review {
    REVIEW_NONE,
    REVIEW_ASK,  /* the watch has ended, and an access review is to be asked for */
    REVIEW_AGAIN /* it may be listed: the watch is to be started again */
};

/* A watch of one kind (in one namespace). */
struct kind_watch {
    cluster_t *cluster;
    cache_kind_t *kind;
    kube_watch_t *watch;
    struct kube_resource resource; /* interned texts, owned */
    char *ns;                      /* NULL: all */
    uint32_t mark;
    bool synced, stopped, rediscovers;
    bool listing;         /* of the I/O thread */
    bool forbidden;       /* and left alone, by the settings */
    enum respect respect; /* of the settings that it was started under */
    enum review review;
    unsigned reviews; /* since it was last listed */
    mono_t review_at;
    err_t *denial;         /* why it stopped when it was forbidden */
    bool failing, refused; /* refused: 401 or 403 */
    unsigned failures;     /* before the first list was complete */
};

struct cluster {
    atomic_uint refs;
    struct cluster_spec spec;
    struct cluster_env env;
    cache_t *cache;
    lock_t lock; /* guards what follows */
    cond_t changed;
    settings_t *settings;
    kube_t *kube;
    kube_api_t *api;
    char *version;
    VEC(struct kind_watch *) watches;
    size_t unsynced, failing; /* of the watches */
    err_t *error;             /* of the last attempt to connect, or of its watches */
    wall_t synced_at, tried_at;
    int64_t retry_ms, partial_ms;
    char *partial; /* what of the API was not served, the last time */
    bool stopping, connecting, connected, was_ready, again;
    pthread_t thread;
    bool has_thread;
    cond_t work;
    mono_t next_try;
};

#endif
