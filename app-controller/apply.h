/* Bringing one object to a cluster as `kubectl apply`, `replace`, `create` and `delete` would
 * (https://kubernetes.io/docs/tasks/manage-kubernetes-objects/declarative-config/). Every answer goes into
 * the cluster's cache at once, so that the next look at it is not older than the write. */
#ifndef CARGOCD_APP_CONTROLLER_APPLY_H
#define CARGOCD_APP_CONTROLLER_APPLY_H

#include "app-controller/cluster/cluster.h"

#define FIELD_MANAGER "argocd-controller"

struct applier {
    cluster_t *cluster;
    kube_t *kube;
    kube_api_t *api;
    void (*ran)(void *arg,
                const char *command); /* told of each run of kubectl that this stands for; or NULL */
    void *ran_arg;
};

struct apply_options {
    bool dry_run;     /* without a request that writes; what can be told beforehand fails */
    bool force;       /* delete and create when an update is refused for a conflict or as invalid */
    bool replace;     /* the object whole instead of a patch */
    bool server_side; /* the API server merges */
    const char
        *migrated_manager; /* whose updates count as applied by us; NULL: only a client-side applier's */
};

/* Makes the cluster's object what target says. known_live (may be NULL) is the cache's, for dry runs.
 * *message is kubectl's line: "deployment.apps/x configured". *result (may be NULL) is the object as it is
 * now; NULL after a dry run. */
int apply_object(const struct applier *a, const json_t *target, const json_t *known_live,
                 const struct apply_options *o, char **message, json_t **result, err_t **err);
/* Deletes exactly this object (by uid). An object that is gone is no error. propagation NULL: Foreground. */
int apply_delete(const struct applier *a, const json_t *live, const char *propagation, err_t **err);
/* Removes the hook finalizer; *result is the object without it, NULL when it is gone. */
int apply_remove_finalizer(const struct applier *a, const json_t *live, const char *finalizer,
                           json_t **result, err_t **err);
/* The object of this identity as the API server has it; ERR_NOT_FOUND. */
int apply_get(const struct applier *a, const json_t *object, json_t **out, err_t **err);
/* Waits up to three seconds until a custom resource definition is served. */
void apply_wait_established(const struct applier *a, const json_t *crd);

/* ---- for the parts of apply ---- */

/* How the cluster serves the object's kind; NULL with an error that says that it does not. */
const struct kube_resource *apply_resource(const struct applier *a, const json_t *object, err_t **err);
/* "deployment.apps/x". */
char *apply_name(const json_t *object) MUST_USE;
/* Creates, takes the answer into the cache. */
int apply_create(const struct applier *a, const struct kube_resource *r, const json_t *object,
                 const char *manager, json_t **result, err_t **err);
/* Deletes in the background, waits up to wait_ns until it is gone, creates. */
int apply_recreate(const struct applier *a, const struct kube_resource *r, const json_t *live,
                   const json_t *object, const char *manager, int64_t wait_ns, json_t **result, err_t **err);
void apply_result(const struct applier *a, json_t *answer_take, json_t **result);
int apply_replace(const struct applier *a, const struct kube_resource *r, const json_t *target,
                  const json_t *live, const struct apply_options *o, char **message, json_t **result,
                  err_t **err);
/* The three-way merge; *live is read anew after a conflict. */
int apply_client_side(const struct applier *a, const struct kube_resource *r, const json_t *target,
                      json_t **live, const struct apply_options *o, char **message, json_t **result,
                      err_t **err);
/* Adds kubectl's warning to *message where the object has never been applied. */
void apply_warn_unmanaged(const struct kube_resource *r, const json_t *live, char **message);
/* apply_client_side for roles and bindings, as if `kubectl auth reconcile` had run before. */
int apply_rbac(const struct applier *a, const struct kube_resource *r, const json_t *target, json_t **live,
               const struct apply_options *o, char **message, json_t **result, err_t **err);
/* A dry run checks the options only. */
int apply_server_side(const struct applier *a, const struct kube_resource *r, const json_t *target,
                      const struct apply_options *o, json_t **result, err_t **err);

#endif
