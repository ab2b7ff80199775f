/* Pausing after failures, by Argo CD's rules (ARGOCD_PAUSE_GEN_*): a rendering that failed a number of times
 * is not tried again for a while; its last error is the answer. Kept per specification and commit, in memory.
 * What connectivity caused is not counted, so a pause never outlasts an outage. Thread-safe. */
#ifndef CARGOCD_REPO_CACHE_FAILURES_H
#define CARGOCD_REPO_CACHE_FAILURES_H

#include "common/base/clock.h"
#include "common/base/err.h"

typedef struct failures failures_t;
struct failures_options {
    unsigned attempts; /* ARGOCD_PAUSE_GEN_AFTER_FAILED_ATTEMPTS; 0: never pause */
    unsigned minutes;  /* ARGOCD_PAUSE_GEN_MINUTES: after these, try again; 0: never by time */
    unsigned requests; /* ARGOCD_PAUSE_GEN_REQUESTS: after as many answers, try again; 0: never by number */
};
failures_t *failures_new(const struct failures_options *options) MUST_USE;
void failures_free(failures_t *f);

/* 0: go on. Paused: the last error, "Manifest generation error (cached): …". Counts as an answer when
 * `count`: only the first look of a request does. */
int failures_check(failures_t *f, const char *key, wall_t now, bool count, err_t **err);
void failures_note(failures_t *f, const char *key, wall_t now, err_t *err);
void failures_clear(failures_t *f, const char *key);

#endif
