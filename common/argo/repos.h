/* Repositories and credential templates from their Secrets (label argocd.argoproj.io/secret-type: repository,
 * repo-creds), and which one an application's source uses. Pure: the Secrets come in, a view goes out. */
#ifndef CARGOCD_ARGO_REPOS_H
#define CARGOCD_ARGO_REPOS_H

#include "common/json/json.h"

#define LABEL_SECRET_TYPE "argocd.argoproj.io/secret-type"

/* One repository: {url, type, name, project, username, password, …} under the keys of the Secret, all texts.
 */
typedef struct repos repos_t;
repos_t *repos_new(void) MUST_USE;
void repos_free(repos_t *r);
/* Takes in or replaces what the Secret named `name` says; `secret` NULL removes it. True when something
 * changed. An entry with a malformed boolean is refused, with the reason. */
bool repos_put(repos_t *r, const char *name, const json_t *secret, str_t *problem);

/* The repository of the URL for the project: its own entry (project-scoped first), completed from the
 * credential template with the longest matching prefix; just {url} when nothing is known. A new document. */
json_t *repos_find(const repos_t *r, const char *url, const char *project) MUST_USE;
/* Helm (and OCI) repositories and templates that a project may use, as arrays of such documents. */
json_t *repos_helm(const repos_t *r, const char *project, bool oci) MUST_USE;
json_t *repos_helm_creds(const repos_t *r) MUST_USE;
/* URLs of repositories scoped to the project: they add to its sourceRepos. */
json_t *repos_scoped_urls(const repos_t *r, const char *project) MUST_USE;
/* The data of a Secret, decoded: {key: text}. Bytes that are not UTF-8 are left out. */
json_t *secret_texts(const json_t *secret) MUST_USE;

#endif
