/* What the control namespace says, as watches bring it: settings, projects, clusters, repositories. Readers
 * get copies or references. Changes go on to the config box, and to live where they change who sees what. */
#ifndef CARGOCD_API_SERVICES_STATE_H
#define CARGOCD_API_SERVICES_STATE_H

#include "api-server/live/live.h"
#include "common/argo/cluster_secret.h"
#include "common/argo/settings.h"
#include "common/kube/kube.h"

typedef struct state state_t;
struct state_options {
    const char *ns;
    config_box_t *config;
};
state_t *state_new(const struct state_options *options) MUST_USE;
void state_free(state_t *s);
/* Who is to be told of changed policies and revocations. Before state_watch. */
void state_set_listeners(state_t *s, live_t *live, auth_t *auth);
/* Starts the watches; apps_ns NULL: Applications of all namespaces. */
void state_watch(state_t *s, kube_t *kube, const char *apps_ns);
void state_stop(state_t *s);
/* Whether the watches have all they need (healthz). */
bool state_ready(state_t *s);

/* ---- what watches deliver; also for tests ---- */

enum state_kind { STATE_CONFIG_MAPS, STATE_SECRETS, STATE_PROJECTS, STATE_KINDS };
void state_list_begin(state_t *s, enum state_kind kind);
void state_put(state_t *s, enum state_kind kind, const char *p, size_t n);
void state_del(state_t *s, enum state_kind kind, const char *p, size_t n);
void state_synced(state_t *s, enum state_kind kind);

/* ---- reading ---- */

const char *state_ns(const state_t *s);
/* The AppProject; NULL when there is none. A shared document: never changed by anybody. */
json_t *state_project(state_t *s, const char *name) MUST_USE;
rbac_project_t *state_rbac_project(state_t *s, const char *name) MUST_USE;
/* All projects, by name; a new array of shared documents. */
json_t *state_projects(state_t *s) MUST_USE;
/* The project with what global projects and scoped repositories add. A new document. */
json_t *state_effective_project(state_t *s, const char *name) MUST_USE;
bool state_project_token(state_t *s, const char *project, const char *role, const char *id, int64_t iat);

/* A cluster as Argo CD's Cluster (with credentials: sanitise before showing), and whether it is implicit. */
struct cluster_entry {
    struct cluster_spec spec;
    json_t *labels, *annotations;
    char *secret; /* name of the Secret; "" for the implicit one */
};
void cluster_entry_dispose(struct cluster_entry *c);
/* All, by server; the array's elements and itself are the caller's. */
struct cluster_entry *state_clusters(state_t *s, size_t *n) MUST_USE;
void state_clusters_free(struct cluster_entry *c, size_t n);
/* Server and name of a destination {server, name}; Argo CD's texts for errors. Out texts are the caller's. */
int state_resolve_destination(state_t *s, const json_t *destination, char **server, char **name,
                              char **project, err_t **err);

json_t *state_repo(state_t *s, const char *url, const char *project) MUST_USE;
json_t *state_helm_repos(state_t *s, const char *project, bool oci) MUST_USE;
json_t *state_helm_creds(state_t *s) MUST_USE;
/* What the engine's settings say; a reference. */
settings_t *state_argo_settings(state_t *s) MUST_USE;

/* Kinds we talk about without discovery. */
extern const struct kube_resource *const kind_application,
    *const kind_project, *const kind_config_map, *const kind_secret, *const kind_event;

#endif
