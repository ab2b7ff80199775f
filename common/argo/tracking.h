/* Which application an object belongs to: Argo CD's resource tracking (docs/user-guide/resource_tracking.md
 * there). */
#ifndef CARGOCD_ARGO_TRACKING_H
#define CARGOCD_ARGO_TRACKING_H

#include "common/json/json.h"

#define ANNOTATION_TRACKING_ID     "argocd.argoproj.io/tracking-id"
#define ANNOTATION_INSTALLATION_ID "argocd.argoproj.io/installation-id"
#define LABEL_INSTANCE_DEFAULT     "app.kubernetes.io/instance"
#define LABEL_INSTANCE_LEGACY      "applications.argoproj.io/app-name"

enum tracking_method { TRACK_ANNOTATION, TRACK_LABEL, TRACK_ANNOTATION_AND_LABEL };
/* "annotation", "label", "annotation+label"; anything else is the annotation. */
enum tracking_method tracking_method_parse(const char *name);
const char *tracking_method_name(enum tracking_method m);

struct tracking {
    enum tracking_method method;
    const char *label_key;       /* "": the default */
    const char *installation_id; /* "": none */
};

/* "app:group/Kind:namespace/name"; parts are the caller's. */
struct tracking_id {
    char *app, *group, *kind, *ns, *name;
};
bool tracking_id_parse(const char *text, struct tracking_id *out);
void tracking_id_dispose(struct tracking_id *id);
char *tracking_id_format(const char *app, const char *group, const char *kind, const char *ns,
                         const char *name) MUST_USE;

/* The instance name of the application that a live object belongs to, as the caller's copy; NULL when to
 * none. */
char *tracking_owner(const struct tracking *t, const json_t *object) MUST_USE;
/* Whether a live object is the one that its tracking id was written for (not a copy of it). target may be
 * NULL. Without annotation tracking always true. */
bool tracking_self_reference(const struct tracking *t, const json_t *live, const json_t *target);
/* Marks a target as belonging to the application; `ns` is the destination namespace. Custom resource
 * definitions are left alone. ERR_INVALID_ARGUMENT when labels or annotations are no maps of texts. */
int tracking_stamp(const struct tracking *t, const char *app, const char *ns, json_t *target, err_t **err);

/* Before a comparison: an object that was marked by label only gets the target's annotation on paper, and
 * loses the label that the target does not have, so that another tracking method alone is no difference.
 * Changes `live`. Nothing where labels are the method, and of custom resource definitions. */
void tracking_bridge(const struct tracking *t, const json_t *target, json_t *live);

/* An application's instance name: its name, with "namespace_" in front outside the control plane's namespace.
 */
char *instance_name(const char *app_ns, const char *app_name, const char *control_ns) MUST_USE;

#endif
