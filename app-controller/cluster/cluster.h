/* One destination cluster: its connection, what it serves, and the watches that fill its cache. */
#ifndef CARGOCD_APP_CONTROLLER_CLUSTER_CLUSTER_H
#define CARGOCD_APP_CONTROLLER_CLUSTER_CLUSTER_H

#include "app-controller/cluster/cache.h"
#include "common/argo/cluster_secret.h"
#include "common/base/thread.h"
#include "common/eval/eval.h"
#include "common/kube/kube.h"

typedef struct cluster cluster_t;

struct cluster_env {
    http_t *io;
    const unsigned char *mask_key;
    /* A change that concerns an application of this cluster. */
    void (*on_change)(void *ctx, cluster_t *cluster, const struct cache_change *change);
    /* The cluster became reachable, was lost, or serves other kinds: its applications are to be looked at
     * again. */
    void (*on_state)(void *ctx, cluster_t *cluster);
    void *ctx;
    /* How the control plane reaches its own cluster. */
    const struct kube_config *own;
    /* Of the connections: rates, and who observes them; borrowed. */
    const struct kube_options *kube;
    /* A watch brought an event, and it has been taken in since `began`; on the I/O thread; may be NULL. */
    void (*on_event)(void *ctx, const char *server, const char *group, const char *kind, mono_t began);
    /* How many objects a page of a list has; after how long a kind is listed anew. 0: kube.h's; never. */
    int64_t page_size, resync_ns;
    /* Health checks of the settings run on these threads, by this. */
    eval_t *eval;
    pool_t *checks;
    pool_t *reaper; /* ends those whose last reference the I/O thread had */
};

/* Connects in the background: discovery, then a watch per kind. spec is copied. Reference-counted. */
cluster_t *cluster_new(const struct cluster_spec *spec, const settings_t *settings,
                       const struct cluster_env *env) MUST_USE;
cluster_t *cluster_ref(cluster_t *c);
void cluster_unref(cluster_t *c);
/* Stops watches and ends the connection, also one that is being made; what others still hold answers
 * "unavailable". The cache stays as it was. */
void cluster_stop(cluster_t *c);
void cluster_set_settings(cluster_t *c, const settings_t *settings);

const char *cluster_server(const cluster_t *c);
const char *cluster_name(const cluster_t *c);
const struct cluster_spec *cluster_spec(const cluster_t *c);
cache_t *cluster_cache(cluster_t *c);
/* For requests to it; borrowed as long as the reference is held. NULL before the connection could be set up.
 */
kube_t *cluster_kube(cluster_t *c);

/* 0 when all first lists are complete. Otherwise the reason: not reached yet, or why the last attempt failed;
 * waits for it up to the deadline. */
int cluster_ready(cluster_t *c, mono_t deadline, err_t **err);
/* Why an object of the cluster is out of reach where only some namespaces are managed; 0 when it is not. */
int cluster_manages(const cluster_t *c, const struct obj_key *key, bool namespaced, err_t **err);
/* What it serves; a reference; NULL before discovery. */
kube_api_t *cluster_api(cluster_t *c) MUST_USE;
/* Asks again for what it serves (a kind was not found, a CRD appeared); at most once a second. */
void cluster_rediscover(cluster_t *c);
/* "v1.29.3"; "" before. The caller's. */
char *cluster_version(cluster_t *c) MUST_USE;
/* ClusterInfo: {connectionState, serverVersion, cacheInfo, apiVersions}. */
json_t *cluster_info(cluster_t *c) MUST_USE;

#endif
