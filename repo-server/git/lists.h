/* Who has listed which repository, and what was seen: one ls-remote per repository, credential and interval,
 * whatever the number of applications.
 *
 * This is also the gate between tenants. Objects of a clone serve everyone, but a request is answered only if
 * its own credential has listed that repository within the interval, and what it sees are the references that
 * this credential was shown. Entries are therefore kept by origin.access_key: the URL as it is spelled and
 * all of the credential. */
#ifndef CARGOCD_REPO_GIT_LISTS_H
#define CARGOCD_REPO_GIT_LISTS_H

#include "common/base/metrics.h"
#include "repo-server/flight.h"
#include "repo-server/git/origin.h"

typedef struct git_lists git_lists_t;

struct git_lists_options {
    const struct git_settings *settings;
    pool_t *pool;   /* where children are waited for; its size bounds how many run */
    int64_t ttl_ns; /* ARGOCD_RECONCILIATION_TIMEOUT */
    metric_t *requests, *durations, *failures; /* may be NULL */
};

git_lists_t *git_lists_new(const struct git_lists_options *options) MUST_USE;
/* After the pool was freed. */
void git_lists_free(git_lists_t *l);

/* refs and err are borrowed for the call; one of them is NULL. */
typedef void (*git_lists_fn)(void *arg, git_refs_t *refs, err_t *err);

/* Calls fn exactly once: on this thread when a list of this interval is there, else on one of the pool.
 * `fresh`: a list that is asked for after this call (shared by all who want that). A repository that failed
 * is asked again after a pause of 1 s that doubles up to 10 s; until then its error is the answer, unless
 * `fresh`. */
void git_lists_get(git_lists_t *l, origin_t *o, bool fresh, git_lists_fn fn, void *arg);

/* Whether the origin's credential has listed the repository within the interval. */
bool git_lists_granted(git_lists_t *l, const origin_t *o);

#endif
