/* The files of a clone, and what of libgit2 the store needs: without locks or state. */
#ifndef CARGOCD_REPO_GIT_STORE_FILES_H
#define CARGOCD_REPO_GIT_STORE_FILES_H

#include "repo-server/disk.h"
#include "repo-server/git/refs.h"

#include <git2.h>

/* Process-wide: no configuration files, small windows and caches. */
void store_setup_libgit2(void);
/* What stands beside a clone's directory, by the ends of the names: one that is being made, one that was
 * replaced, one that goes, and the objects of LFS. */
#define STORE_NEW  ".new"
#define STORE_OLD  ".old"
#define STORE_GONE ".gone"
#define STORE_LFS  ".lfs"
/* The clones and LFS objects of a directory. */
void store_list(const char *dir, disk_items_t *out);
/* Removes what a server that was killed has left behind, when nobody fetches yet. */
void store_sweep(const char *dir);
size_t store_count_packs(const char *dir);
/* What a fetch that was killed left behind. */
void store_clean(const char *dir);
/* Removes a pack by its path without suffix. */
void store_remove_pack(const char *base);
/* ERR_NOT_FOUND; ERR_INVALID_ARGUMENT when an abbreviation is ambiguous or the object is no commit. */
int store_find_commit(git_repository *repo, const char *commit, char full[GIT_OID_HEX], err_t **err);

#endif
