/* What the control plane's namespace says about the world: settings, repositories, projects, clusters. Filled
 * by watches, read by everybody; every answer is a copy or a reference. */
#ifndef CARGOCD_APP_CONTROLLER_WORLD_H
#define CARGOCD_APP_CONTROLLER_WORLD_H

#include "app-controller/cluster/cluster.h"
#include "common/argo/repos.h"
#include "common/argo/settings.h"

typedef struct world world_t;

struct world_env {
    kube_t *kube;
    const char *ns;
    struct cluster_env cluster_env;
    /* What changed, by kind; the applications are to be looked at again. `what`: "settings", "repositories",
     * "clusters" with the server, or "project" with its name. */
    void (*on_change)(void *ctx, const char *what, const char *name);
    void *ctx;
};
/* Starts the watches; world_wait waits for their first lists. */
world_t *world_new(const struct world_env *env) MUST_USE;
int world_wait(world_t *w, mono_t deadline, err_t **err);
void world_free(world_t *w);

settings_t *world_settings(world_t *w) MUST_USE;
/* Why the settings cannot be used (argocd-cm missing or malformed); NULL when they can. The caller's. */
char *world_settings_problem(world_t *w) MUST_USE;

/* The effective project: with its scoped repositories and clusters. ERR_NOT_FOUND. */
int world_project(world_t *w, const char *name, json_t **out, err_t **err);
/* Takes in a project from its watch; NULL removes. */
void world_put_project(world_t *w, const char *name, const json_t *project);

json_t *world_repo(world_t *w, const char *url, const char *project) MUST_USE;
json_t *world_helm_repos(world_t *w, const char *project, bool oci) MUST_USE;
json_t *world_helm_creds(world_t *w) MUST_USE;

/* The cluster of a destination {server, name}: a reference, connected on first use. Errors are Argo CD's
 * texts. */
int world_cluster(world_t *w, const json_t *destination, cluster_t **out, err_t **err);
/* Without connecting: server, name and project of the destination, the caller's. */
int world_resolve(world_t *w, const json_t *destination, char **server, char **name, char **project,
                  err_t **err);
/* Whether the cluster's Secret says that its applications are to be left alone (skip-reconcile). */
bool world_skips(world_t *w, const char *server);
/* All clusters: [{server, name, project, secret, labels, info}]; no info where nothing is connected. */
json_t *world_clusters(world_t *w) MUST_USE;
/* Every cluster, the implicit one included, as the division of work looks at it. */
struct world_cluster {
    char *server, *id; /* id: the uid of the Secret; "" for the implicit one */
    int64_t shard;     /* negative: none */
};
struct world_cluster *world_cluster_ids(world_t *w, size_t *n) MUST_USE;
void world_cluster_ids_free(struct world_cluster *c, size_t n);
/* Ends the connections to those for which used() is false; it is called without a lock. */
void world_close_unused(world_t *w, bool (*used)(void *ctx, const char *server), void *ctx);

#endif
