/* Single flight: one run per key, however many ask. Those who wait are records, not threads: they are called
 * when the run that serves them has ended. */
#ifndef CARGOCD_REPO_FLIGHT_H
#define CARGOCD_REPO_FLIGHT_H

#include "common/base/thread.h"

typedef struct flights flights_t;

struct flight_ops {
    /* On a thread of the pool. 0 and *result (may stay NULL), or an error. *canceled becomes true when all
     * who waited have left. */
    int (*run)(void *ctx, const char *key, void *job, atomic_bool *canceled, void **result, err_t **err);
    void (*job_free)(void *job);
    void (*result_free)(void *result);
};
/* Exactly once per join. result and err are borrowed for the time of the call; one of them is NULL. */
typedef void (*flight_done_fn)(void *arg, void *result, err_t *err);

/* The pool must outlive the flights' last run: free the pool first. */
flights_t *flights_new(pool_t *pool, const struct flight_ops *ops, void *ctx) MUST_USE;
void flights_free(flights_t *f);

/* Joins the run for the key, or starts one with this job (taken over; freed unused when another's run
 * serves). A run that has begun already serves only when `fresh` is false: what the caller knows may be newer
 * than what it saw. done runs on the pool's thread, or at once when the pool takes no more work
 * (ERR_RESOURCE_EXHAUSTED). *ours (may be NULL) tells whether the run is one with this job; it is written
 * before done can run. */
void flight_join(flights_t *f, const char *key, bool fresh, void *job_take, flight_done_fn done, void *arg,
                 bool *ours);
/* One who waits with this arg wants it no more. done is called all the same. */
void flight_leave(flights_t *f, const char *key, const void *arg);
/* Keys that are running or wait to. */
size_t flights_count(flights_t *f);

#endif
