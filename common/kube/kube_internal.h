/* What the files of the Kubernetes client share.
 *
 * A kube_t is one user's view of a core; the core is the cluster: credentials, rate limit, and on the I/O
 * thread the places for lists and the state of the connection. Cores are reference-counted, because what was
 * posted to the I/O thread may come after kube_close. */
#ifndef CARGOCD_KUBE_INTERNAL_H
#define CARGOCD_KUBE_INTERNAL_H

#include "common/base/thread.h"
#include "common/base/vec.h"
#include "common/kube/auth.h"
#include "common/kube/kube.h"
#include "common/kube/limit.h"

#include <stdatomic.h>

/* config_load.c: kube_config_in_cluster with its surroundings as arguments. */
int kube_config_of_pod(const char *folder, const char *host, const char *port, struct kube_config *out,
                       err_t **err);

/* ---- the core ---- */

/* One of those who wait for a place among the lists of a cluster, or for the cluster to come back. I/O
 * thread. */
struct kube_waiters {
    struct kube_waiter *head, **tail;
};
struct kube_waiter {
    struct kube_waiters *in; /* NULL: not waiting */
    struct kube_waiter *next, **link;
    void (*go)(struct kube_waiter *w);
};

struct kube_core {
    atomic_uint refs;
    struct kube_config config;
    struct kube_options options;
    char *server; /* without a trailing slash */
    kube_auth_t *auth;
    struct kube_limit limit;
    atomic_bool canceled;  /* by kube_cancel */
    pool_t *plugin_runner; /* runs the credential plugin for the I/O thread */

    lock_t lock; /* guards in_flight */
    cond_t idle;
    size_t in_flight; /* what the I/O thread does for this cluster */

    /* I/O thread. */
    struct kube_waiters unknown; /* until it is known who we are */
    bool asking;
    size_t lists;               /* running */
    struct kube_waiters queued; /* for a place among them */
    struct kube_waiters parked; /* until the cluster answers again */
    bool probing;
    http_transfer_t *probe; /* under way; borrowed */
    unsigned probes;        /* failed in a row */
};

/* Whom a user of the core acts as. Immutable, reference-counted. */
struct kube_who {
    atomic_uint refs;
    char *user, **groups;
    json_t *extra; /* key -> array of strings */
};
struct kube_who *kube_who_ref(struct kube_who *w);
void kube_who_unref(struct kube_who *w);

struct kube {
    struct kube_core *core;
    bool borrowed; /* an impersonator: the core is closed by its owner */
    struct kube_who *who;
    lock_t lock; /* guards watches */
    struct kube_watch *watches;
};

struct kube_core *kube_core_ref(struct kube_core *c);
void kube_core_unref(struct kube_core *c);
/* Around each thing that the I/O thread does for the core: kube_close waits for its end. */
void kube_core_enter(struct kube_core *c);
void kube_core_leave(struct kube_core *c);

/* places.c, I/O thread */
enum { KUBE_MAX_LISTS = 3 };
void kube_waiters_init(struct kube_waiters *ws);
/* Calls w->go once kube_auth_get will answer at once. */
void kube_identity_await(struct kube_core *c, struct kube_waiter *w);
/* Calls w->go, at once or when a place is free. */
void kube_list_enter(struct kube_core *c, struct kube_waiter *w);
void kube_list_leave(struct kube_core *c);
/* The cluster could not be reached: w->go is called when it answers again. There is one probe for all who
 * wait. */
void kube_park(struct kube_core *c, struct kube_waiter *w);
void kube_unwait(struct kube_waiter *w);
/* Any thread. */
void kube_probe_cancel(struct kube_core *c);
/* 0.5 s doubled with each failure, at most 10 s, of which a random quarter is taken off. */
int64_t kube_backoff_ns(unsigned failures);

/* ---- requests ---- */

struct kube_headers {
    VEC(char *) lines; /* NULL-terminated once finished */
};
void kube_headers_add(struct kube_headers *h, char *line_take);
/* Who asks: authorization and impersonation; ends the list. */
void kube_headers_finish(struct kube_headers *h, const struct kube_who *as, const struct kube_identity *who);
void kube_headers_dispose(struct kube_headers *h);

struct kube_call {
    const char *method, *path; /* path with its query, below the server's URL */
    const char *accept, *content_type;
    const void *body;
    size_t n;
    bool idempotent;
    int64_t timeout_ns; /* 0: the client's */
    enum http_lane lane;
    str_t *warnings;
    struct kube_failure *failure;
};
/* Blocks; with rate limit, credentials and retries. Success means a status below 300. */
int kube_call(kube_t *k, const struct kube_call *call, struct http_response *out, err_t **err);
void kube_observe(struct kube_core *c, const char *method, const char *verb, int status, mono_t since);

/* "a=b&c=d" built up; values are percent-encoded, NULL or "" leaves the parameter out. */
void kube_query_add(str_t *path, const char *name, const char *value);

/* ---- discovery ---- */

/* Takes over resources (their strings interned). Preferred versions: group -> version. */
kube_api_t *kube_api_make(struct kube_resource *resources_take, size_t n) MUST_USE;

#endif
