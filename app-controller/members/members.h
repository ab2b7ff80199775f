/* A replica among the others: keeps its Lease, takes part in making the plan, follows it.
 *
 * Each member has a Lease; one more holds the plan, which is numbered and replaced only by compare-and-swap.
 * The member of the lowest name that is alive proposes a new one when members come or go, and now and then
 * when the load has shifted. Everybody who sees a new plan drops what is no longer his, waits until the
 * writes of it have ended, and acknowledges the plan's number in his Lease. What a plan newly gives to a
 * member he works only when a list of the Leases, made after his own acknowledgement, shows the same plan and
 * that every other member acknowledged it, holds nothing, or has let his lease run out. Who cannot renew
 * stops at two thirds of the lease's time, measured from before the request that renewed it, on
 * CLOCK_BOOTTIME; the others count the whole of it from when they first saw that renewal. See members.c for
 * why no two ever work one application. */
#ifndef CARGOCD_APP_CONTROLLER_MEMBERS_MEMBERS_H
#define CARGOCD_APP_CONTROLLER_MEMBERS_MEMBERS_H

#include "app-controller/members/plan.h"
#include "app-controller/members/tenure.h"

typedef struct members members_t;

struct members_options {
    kube_t *kube; /* without a gate; borrowed */
    const char *ns, *name;
    const char *epoch;   /* names this life of the process */
    const char *pod_uid; /* NULL or "": none */
    const char *shard;   /* a fixed shard's Lease instead of membership: "shard-2"; NULL: membership */
    bool others;         /* further replicas are configured: never work without a Lease */
    int64_t duration_ns; /* of the Lease, at least 3 s */
    size_t split_above;  /* plan_next */
    tenures_t *tenures;  /* borrowed */
    /* All on the members' thread. */
    void (*on_change)(void *ctx);  /* ask members_is_mine again for everything */
    void (*on_lost)(void *ctx);    /* everything is to be dropped */
    void (*on_resumed)(void *ctx); /* the lease had run out, and nobody has taken anything: go on */
    void (*on_tick)(void *ctx);    /* about once a second */
    /* Another replica asks for the application as of this version: let go of it; true when it is not worked
     * here any more. */
    bool (*let_go)(void *ctx, const char *key, const char *rv);
    /* Nobody else works the application that was asked for. */
    void (*on_given)(void *ctx, const char *key);
    /* The clusters with their applications; the caller frees. NULL with n 0: not known yet. */
    struct plan_cluster *(*load)(void *ctx, size_t *n);
    void *ctx;
};
members_t *members_new(const struct members_options *o) MUST_USE;
void members_start(members_t *m);
/* Ends the thread and gives the Lease back: the work must have ended. */
void members_stop(members_t *m);
void members_free(members_t *m);

/* Whether the plan gives this replica the application of that destination, the cluster as a whole; false with
 * a fixed shard. */
bool members_is_mine(members_t *m, const char *server, const char *app);
bool members_is_my_cluster(members_t *m, const char *server);
/* How many members the plan has; 0: none yet. */
size_t members_count(members_t *m);
/* The number of the plan that is followed; 0: none, or a fixed shard. */
uint64_t members_plan(members_t *m);
/* Asks the others for an application that came to us without a new plan (moves.h); on_given follows. */
void members_ask(members_t *m, const char *key, const char *rv);
void members_withdraw(members_t *m, const char *key);

#endif
