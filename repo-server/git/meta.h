/* What is known of a commit besides its tree. */
#ifndef CARGOCD_REPO_GIT_META_H
#define CARGOCD_REPO_GIT_META_H

#include "common/json/json.h"
#include "repo-server/git/refs.h"
#include "repo-server/git/store.h"

/* RevisionMetadata as JSON: author, date, tags, message, references. A new document. */
int git_commit_metadata(git_lease_t *lease, const char *commit, const git_refs_t *refs, json_t **out,
                        err_t **err);

/* The commit that a message's trailers (Argocd-reference-commit-…) refer to, as Argo CD reads them; NULL when
 * there are none. A new document. */
json_t *git_trailer_reference(const char *message) MUST_USE;

#endif
