/* AppProjects: what an application may use. Pure decisions over the project's document
 * (docs/user-guide/projects.md of Argo CD). */
#ifndef CARGOCD_ARGO_PROJECT_H
#define CARGOCD_ARGO_PROJECT_H

#include "common/json/json.h"

/* Where an application goes, resolved. */
struct destination {
    const char *server, *name, *ns;
    const char *cluster_project; /* the project that the cluster is scoped to; "" or NULL: none */
};

/* spec.sourceRepos: normalised URLs against globs in which "*" stays within a path segment; "!" denies. */
bool project_permits_source(const json_t *project, const char *repo_url);
/* spec.destinations, with negations; permitOnlyProjectScopedClusters. */
bool project_permits_destination(const json_t *project, const struct destination *d);
/* Kind lists: namespaced kinds by the namespace lists, others by the cluster lists. */
bool project_permits_kind(const json_t *project, const char *group, const char *kind, const char *name,
                          bool namespaced);
/* Kind and namespace of an object that exists in the cluster of `d`. */
bool project_permits_object(const json_t *project, const char *group, const char *kind, const char *name,
                            const char *ns, const struct destination *d);
/* What the project asks of the signatures of its sources (spec.sourceIntegrity), the older spec.signatureKeys
 * turned into it: heads signed by one of the keys, of all repositories. NULL: nothing. A new document. */
json_t *project_source_integrity(const json_t *project) MUST_USE;
/* Whether a policy of source integrity is about a repository: one of its URLs matches, none with "!" does. */
bool integrity_policy_applies(const json_t *policy, const char *repo_url);
/* Whether it asks anything of one of the sources (Git's; `integrity` may be NULL). */
bool source_integrity_covers(const json_t *integrity, const json_t *sources);
/* Whether applications of this namespace may use the project. */
bool project_permits_app_namespace(const json_t *project, const char *app_ns, const char *control_ns);
bool project_monitors_orphans(const json_t *project);
bool project_warns_of_orphans(const json_t *project);
/* Whether an ownerless object is to be left out of the orphans. */
bool project_ignores_orphan(const json_t *project, const char *group, const char *kind, const char *name);

/* Adds what the global projects give to which argocd-cm's globalProjects ([{labelSelector, projectName}])
 * make the project belong: kinds, windows, sources, destinations, service accounts. lookup hands out a
 * project by name, or NULL; the first entry that cannot be followed ends it, as with Argo CD. */
typedef json_t *(*project_lookup_fn)(void *ctx, const char *name);
void project_inherit(json_t *project, const json_t *global_projects, project_lookup_fn lookup, void *ctx);

#endif
