/* The simulated controllers: a queue of (controller, object) pairs, each due at a time, one at a time, fed by
 * the store's changes. A controller reads what is, writes what should be next, and is called again by its own
 * changes. */
#ifndef CARGOCD_KUBESIM_CTL_H
#define CARGOCD_KUBESIM_CTL_H

#include "common/base/vec.h"
#include "tests/kubesim/write.h"

enum ctl {
    CTL_DEFINITION,
    CTL_NAMESPACE,
    CTL_COLLECTOR,
    CTL_DEPLOYMENT,
    CTL_REPLICASET,
    CTL_STATEFULSET,
    CTL_DAEMONSET,
    CTL_JOB,
    CTL_POD,
    CTL_SERVICE,
    CTL_CLAIM,
    CTL_API_SERVICE,
    CTL_COUNT
};
/* "deployment", "pod"; see ctl.c. CTL_COUNT when there is no such controller. */
enum ctl ctl_by_name(const char *name);

struct controllers *controllers_new(struct sim *s) MUST_USE;
void controllers_free(struct controllers *c);
void controllers_on_change(struct sim *s, const struct change *c);
/* Work that falls due while a controller is paused waits. */
void controllers_pause(struct sim *s, enum ctl which, bool paused);
size_t controllers_queued(const struct sim *s);

/* ns is the namespace, or for CTL_COLLECTOR the key of the resource. An item that waits keeps the earlier
 * time. */
void ctl_enqueue(struct sim *s, enum ctl which, const char *ns, const char *name, int64_t delay_ns);

/* ---- for controllers: by key of the resource ("pods", "replicasets.apps"), in the stored version ---- */

struct endpoint *ctl_endpoint(struct sim *s, const char *key);
json_t *ctl_get(struct sim *s, const char *key, const char *ns, const char *name) MUST_USE;
/* The new object, or NULL. */
json_t *ctl_create(struct sim *s, const char *key, const char *ns, json_t *object_take);
/* subresource NULL: the object; "status". False when it failed, as after a conflict. The object gets the new
 * version. */
bool ctl_update(struct sim *s, const char *key, json_t *object, const char *subresource);
/* propagation NULL: background; grace as in struct deletion. */
bool ctl_delete(struct sim *s, const char *key, const json_t *object, const char *propagation, int64_t grace);

typedef VEC(json_t *) ctl_list_t;
/* Those of the resource that name uid as an owner, sorted by name. */
ctl_list_t ctl_owned(struct sim *s, const char *key, const char *uid);
/* Those in the namespace that the selector (labels object, or LabelSelector) matches. */
ctl_list_t ctl_selected(struct sim *s, const char *key, const char *ns, const json_t *selector);
void ctl_list_free(ctl_list_t *l);
#define AUTO_LIST AUTO(ctl_list_free) ctl_list_t

/* A reference to the owner with controller and blockOwnerDeletion set, in a list of its own. */
json_t *ctl_owner_refs(const char *api_version, const char *kind, const json_t *owner) MUST_USE;
/* An Event about the object, merged with an equal one. */
void ctl_event(struct sim *s, const json_t *object, const char *component, const char *type,
               const char *reason, const char *fmt, ...) PRINTF(6, 7);

/* {"type","status","reason","message","lastTransitionTime"} in status.conditions; the time moves when status
 * does. True when something changed. */
bool condition_set(json_t *object, const char *type, bool status, const char *reason, const char *message);
json_t *condition_get(const json_t *object, const char *type);
bool condition_is(const json_t *object, const char *type, const char *status);
/* Now, or how long ago an RFC 3339 text was; 0 when malformed. */
int64_t ns_since(const char *time);

/* ---- the controllers ---- */

void definition_sync(struct sim *s, const char *ns, const char *name);
void namespace_sync(struct sim *s, const char *ns, const char *name);
void collector_sync(struct sim *s, const char *key, const char *object_key);
void deployment_sync(struct sim *s, const char *ns, const char *name);
void replicaset_sync(struct sim *s, const char *ns, const char *name);
void statefulset_sync(struct sim *s, const char *ns, const char *name);
void daemonset_sync(struct sim *s, const char *ns, const char *name);
void job_sync(struct sim *s, const char *ns, const char *name);
void pod_sync(struct sim *s, const char *ns, const char *name);
void service_sync(struct sim *s, const char *ns, const char *name);
void claim_sync(struct sim *s, const char *ns, const char *name);
void apiservice_sync(struct sim *s, const char *ns, const char *name);

#endif
