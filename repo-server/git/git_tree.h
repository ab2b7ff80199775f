/* The tree of a commit, read straight from the object database of a clone. */
#ifndef CARGOCD_REPO_GIT_GIT_TREE_H
#define CARGOCD_REPO_GIT_GIT_TREE_H

#include "repo-server/git/store.h"
#include "repo-server/tree.h"

/* The lease is borrowed and must outlive the backend. ERR_NOT_FOUND when there is no such commit. */
int git_tree_open(git_lease_t *lease, const char *commit, tree_backend_t **out, err_t **err);

/* Makes the submodules of this commit a part of the tree: what their entries name becomes directories. The
 * lease is taken over. To be called before the tree is used. */
int git_tree_mount(tree_backend_t *b, git_lease_t *lease_take, const char *commit, err_t **err);

#endif
