/* .lfsconfig of a commit: where the objects of Git LFS are, when they are not where the repository is
 * (https://github.com/git-lfs/git-lfs/blob/main/docs/man/git-lfs-config.adoc). Of what it may say only that
 * counts here, and it is no one's order: credentials stay with their server, and a URL that is none of http,
 * https and ssh is refused (child_lfs.c). */
#ifndef CARGOCD_REPO_GIT_LFS_CONFIG_H
#define CARGOCD_REPO_GIT_LFS_CONFIG_H

#include "repo-server/git/store.h"

/* lfs.url, else remote.origin.lfsurl; the caller's. NULL: neither is set. */
char *lfs_config_url(const char *p, size_t n) MUST_USE;
int lfs_config_of(git_lease_t *lease, const char *commit, char **url, err_t **err);

#endif
