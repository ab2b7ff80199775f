/* The tree of a commit, read straight from the object database of a clone. */
#ifndef CARGOCD_REPO_GIT_GIT_TREE_H
#define CARGOCD_REPO_GIT_GIT_TREE_H

#include "repo-server/git/store.h"
#include "repo-server/tree.h"

/* The lease is borrowed and must outlive the backend. ERR_NOT_FOUND when there is no such commit. */
int git_tree_open(git_lease_t *lease, const char *commit, tree_backend_t **out, err_t **err);

#endif
