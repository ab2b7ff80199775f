/* The clones: one bare repository per storage key (git_url_storage_key), on disk below a root of mode 0700,
 * which survive restarts. Readers take leases; fetches are single-flight; packs are joined after a number of
 * fetches; a clone that is found to be corrupt is replaced by a new one. */
#ifndef CARGOCD_REPO_GIT_STORE_H
#define CARGOCD_REPO_GIT_STORE_H

#include "common/base/metrics.h"
#include "repo-server/disk.h"
#include "repo-server/flight.h"
#include "repo-server/git/origin.h"
#include "repo-server/tree.h"

#include <git2.h>

typedef struct git_store git_store_t;

struct git_store_options {
    const char *root; /* made when it is not there; clones are below <root>/git */
    const struct git_settings *settings;
    pool_t *pool;        /* where children are waited for; its size bounds how many run */
    unsigned join_packs; /* more packs than this are joined after a fetch; 0: 20 */
    size_t idle_handles; /* open repositories that wait for the next reader; 0: 16 */
    metric_t *requests, *durations, *failures; /* may be NULL */
};
int git_store_new(const struct git_store_options *options, git_store_t **out, err_t **err);
/* After the pool was freed and all leases were returned. */
void git_store_free(git_store_t *s);

/* commit is in full; err and commit are borrowed for the call, one of them is NULL. */
typedef void (*git_store_fn)(void *arg, const char *commit, err_t *err);
/* Makes sure that the clone has the commit (in full, or abbreviated), fetching when it has not. `ref`: the
 * reference that it was found under (NULL: unknown). Calls fn exactly once: on this thread when the commit is
 * there, else on the pool's. */
void git_store_want(git_store_t *s, origin_t *o, const char *commit, const char *ref, git_store_fn fn,
                    void *arg);

/* Appends an object of Git LFS that a file of the origin's commit points to, fetching it when it is not kept
 * yet, from where the commit's .lfsconfig says. Blocks. */
int git_store_lfs(git_store_t *s, const origin_t *o, const char *commit, const struct lfs_pointer *pointer,
                  str_t *out, err_t **err);

/* What is kept, for disk.h: clones as a whole, and each object of LFS. */
void git_store_disk(void *store, disk_items_t *out);
bool git_store_evict(void *store, const struct disk_item *item);

/* A reader's exclusive handle on a clone. What it has opened stays readable while it lasts. */
typedef struct git_lease git_lease_t;
/* ERR_NOT_FOUND when nothing was fetched yet. */
int git_lease_open(git_store_t *s, const char *storage_key, git_lease_t **out, err_t **err);
git_repository *git_lease_repo(git_lease_t *l);
git_odb *git_lease_odb(git_lease_t *l);
void git_lease_close(git_lease_t *l);

/* An object that should be there could not be read. The next git_store_want replaces the clone. False when
 * the clone was replaced already since the lease was opened: then reading again is enough. */
bool git_lease_corrupt(git_lease_t *l);

AUTO_DECL(git_lease_close_p, git_lease_t, git_lease_close)

#endif
