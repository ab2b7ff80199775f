/* Submodules: what .gitmodules says, and where that is. A submodule's commit is a directory of the tree like
 * any other once its repository is there (git_tree_mount). */
#ifndef CARGOCD_REPO_GIT_MODULES_H
#define CARGOCD_REPO_GIT_MODULES_H

#include "common/base/vec.h"
#include "repo-server/git/store.h"

enum { GIT_MODULES_MAX = 500, GIT_MODULES_DEPTH = 10 };

struct git_module {
    char *path, *url; /* as they stand there */
    char commit[GIT_OID_HEX];
};
typedef VEC(struct git_module) git_modules_t;

/* The submodules that the commit's .gitmodules names and that its tree holds. None is no error. */
int git_modules_of(git_lease_t *lease, const char *commit, git_modules_t *out, err_t **err);
void git_modules_dispose(git_modules_t *m);
/* Reads the text of a .gitmodules; commits are left empty. */
int git_modules_parse(const char *p, size_t n, git_modules_t *out, err_t **err);

/* "../lib.git" against the URL of the repository that it stands in, as git does; others as they are. The
 * caller's; NULL when it leads above the host. */
char *git_modules_resolve(const char *parent, const char *url) MUST_USE;

/* How to reach a submodule from its parent's repository: with the parent's credential where the server is the
 * same (an ssh key is good anywhere), without one elsewhere. */
int git_modules_origin(const origin_t *parent, const char *url, const struct git_settings *settings,
                       origin_t **out, err_t **err);

#endif
