/* The inside of a watch: its state (watch.c) and the request that streams its events (watch_stream.c). */
#ifndef CARGOCD_KUBE_WATCH_H
#define CARGOCD_KUBE_WATCH_H

#include "common/kube/kube_internal.h"
#include "common/kube/lister.h"

struct kube_watch {
    atomic_uint refs;
    lock_t lock; /* held during callbacks; guards stopped */
    bool stopped;
    struct kube_core *core;
    struct kube_who *who;
    struct kube_resource resource;
    struct kube_list list;
    bool stop_when_forbidden;
    int64_t resync_ns;
    struct kube_watch_ops ops;
    void *arg;
    kube_t *k; /* whose list it is in; guarded by k->lock */
    struct kube_watch *next, **link;

    /* I/O thread. */
    uint64_t step;
    struct kube_waiter waiter;
    bool holds_place; /* among the lists */
    kube_lister_t *lister;
    struct kube_attempt *attempt;
    char *position;                  /* NULL: it must be listed */
    unsigned failures, odd, missing; /* in a row: of any kind; 5xx; 404 */
    mono_t resync_at;
    bool failing;   /* the user was told */
    bool refreshed; /* the identity, after a 401 */
};

/* Runs the statement unless the watch was stopped. */
#define TELL(w, op, ...)                                                                                     \
    do {                                                                                                     \
        LOCKED(&(w)->lock);                                                                                  \
        if (!(w)->stopped && (w)->ops.op)                                                                    \
            (w)->ops.op((w)->arg, ##__VA_ARGS__);                                                            \
    } while (0)

bool kube_watch_is_stopped(struct kube_watch *w);
struct kube_watch *kube_watch_ref(struct kube_watch *w);
void kube_watch_unref(struct kube_watch *w);
/* kube_watch_stop for each that k still has. */
void kube_watch_stop_all(kube_t *k);

/* ---- steps; I/O thread ---- */

/* Lets go of whatever the current step has under way. */
void kube_watch_drop_step(struct kube_watch *w);
/* The next step from where it is. */
void kube_watch_proceed(struct kube_watch *w);
/* The same after the backoff, or least_ns if that is longer (10 s at most). */
void kube_watch_pause(struct kube_watch *w, int64_t least_ns);
/* Calls fn after the delay unless the watch has moved on by then. */
void kube_watch_set_alarm(struct kube_watch *w, int64_t delay_ns, void (*fn)(struct kube_watch *w));
/* A list or a watch has failed; the step is over. failure NULL: there was no answer. */
void kube_watch_failed(struct kube_watch *w, const struct kube_failure *failure, err_t *err);
void kube_watch_recovered(struct kube_watch *w);
void kube_watch_set_position(struct kube_watch *w, const char *resource_version);
/* The next step will list. */
void kube_watch_lose_position(struct kube_watch *w);

/* ---- watch_stream.c ---- */

/* Starts the request; w->attempt is set. */
void kube_attempt_start(struct kube_watch *w, const struct kube_identity *who);
void kube_attempt_drop(struct kube_attempt *a);

#endif
