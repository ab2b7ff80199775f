/* Who may do what: Argo CD's RBAC (https://argo-cd.readthedocs.io/en/stable/operator-manual/rbac/), pure.
 *
 * A policy is lines of CSV: "p, subject, resource, action, object, allow|deny" and "g, user or group, role".
 * A request is granted by one evaluation when a rule of the subject, or of a role it has directly or through
 * others, allows it and none denies it. Evaluations are made in this order, and the first that grants ends
 * it: the default role; the subject; each of its groups that some "g" line names; nobody (""). So a deny
 * takes away only what the same evaluation gave.
 *
 * Requests on what belongs to a project are evaluated with the roles of that project added. */
#ifndef CARGOCD_ARGO_RBAC_H
#define CARGOCD_ARGO_RBAC_H

#include "common/base/err.h"
#include "common/json/json.h"

typedef struct rbac rbac_t;                 /* all but projects; immutable, reference-counted */
typedef struct rbac_project rbac_project_t; /* the roles of one project; immutable, reference-counted */
typedef struct rbac_caller rbac_caller_t;   /* one caller's view; belongs to one thread at a time */

struct rbac_config {
    const char *policy;       /* the CSV of argocd-rbac-cm, joined; NULL: none */
    const char *default_role; /* policy.default; NULL or "": none */
    bool regex;               /* policy.matchMode: regex instead of globs */
    bool no_builtin;          /* without role:readonly, role:admin and the admin user */
};
enum { RBAC_MAX_POLICY = 4 << 20 };
/* One malformed line fails the whole. */
int rbac_new(const struct rbac_config *config, rbac_t **out, err_t **err);
rbac_t *rbac_ref(rbac_t *r);
void rbac_unref(rbac_t *r);

/* From an AppProject. A project with a malformed policy has none. */
rbac_project_t *rbac_project_new(const json_t *project) MUST_USE;
rbac_project_t *rbac_project_ref(rbac_project_t *p);
void rbac_project_unref(rbac_project_t *p);
const char *rbac_project_name(const rbac_project_t *p);
/* Whether the two give the same answers. */
bool rbac_project_same(const rbac_project_t *a, const rbac_project_t *b);
bool rbac_project_has_role(const rbac_project_t *p, const char *role);

/* subject: an account's name, "proj:<project>:<role>" of a project token, or "" for nobody. groups may be
 * NULL. */
rbac_caller_t *rbac_caller_new(rbac_t *r, const char *subject, char *const *groups) MUST_USE;
void rbac_caller_free(rbac_caller_t *c);
/* project: that of the object when the resource belongs to projects and the project exists; else NULL. */
bool rbac_allows(rbac_caller_t *c, const rbac_project_t *project, const char *resource, const char *action,
                 const char *object);

/* Whether objects of the resource are "<project>/…": rbac_allows then wants the project. */
bool rbac_is_project_scoped(const char *resource);
/* The project's name in an object of such a resource (for "projects", the object itself); the caller's. */
char *rbac_object_project(const char *resource, const char *object) MUST_USE;
/* "P/N", or "P/ANS/N" when ns is neither empty nor the control namespace. An empty project is "default". */
char *rbac_app_object(const char *project, const char *ns, const char *name, const char *control_ns) MUST_USE;
/* Whether text is one well-formed policy (project validation). */
int rbac_check_policy(const char *csv, err_t **err);

AUTO_DECL(rbac_caller_free_p, rbac_caller_t, rbac_caller_free)
AUTO_DECL(rbac_project_unref_p, rbac_project_t, rbac_project_unref)
AUTO_DECL(rbac_unref_p, rbac_t, rbac_unref)

#endif
