/* Design. A watch is a small state machine on the I/O thread:
 *
 *   QUEUED --place--> LISTING --synced--> ASKING --identity--> WATCHING --cut--> ASKING …
 *      ^                                                          |
 *      +---- the position is lost: 410, too many odd answers -----+
 *
 * and from each of these, after a failure, PAUSED (a timer) or PARKED (no server), and then on.
 *
 * Its position is the resource version of the last list, event or bookmark. A cut of whatever kind goes on
 * from there; only when the server no longer knows the position (410) is that kind listed again. When the
 * server could not be reached the watch is parked with all others of its cluster and one probe goes out for
 * them all (places.c); a watch that keeps failing although the cluster answers waits on its own as well.
 *
 * What was started by an earlier step (a transfer, a lister, a timer) may still report after the watch has
 * moved on: each such step has a number, and reports with another one are ignored.
 *
 * `lock` is held around every callback; kube_watch_stop takes it to set `stopped`, so none runs after that.
 */
#include "common/kube/watch.h"

enum { MOST_PAUSE_SECONDS = 10, GONE_ANSWERS = 3 };

void kube_watch_unref(struct kube_watch *w)
{
    if (atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) != 1)
        return;
    kube_resource_dispose(&w->resource);
    kube_list_dispose(&w->list);
    kube_who_unref(w->who);
    free(w->position);
    pthread_mutex_destroy(&w->lock);
    kube_core_unref(w->core);
    free(w);
}

struct kube_watch *kube_watch_ref(struct kube_watch *w)
{
    atomic_fetch_add_explicit(&w->refs, 1, memory_order_relaxed);
    return w;
}

/* ---- to the user ---- */

bool kube_watch_is_stopped(struct kube_watch *w)
{
    LOCKED(&w->lock);
    return w->stopped;
}

static void tell_error(struct kube_watch *w, err_t *err)
{
    w->failing = true;
    TELL(w, on_error, err);
}

void kube_watch_recovered(struct kube_watch *w)
{
    w->missing = 0;
    if (!w->failing)
        return;
    w->failing = false;
    TELL(w, on_error, NULL);
}

/* ---- steps ---- */

static void leave_place(struct kube_watch *w)
{
    if (w->holds_place) {
        w->holds_place = false;
        kube_list_leave(w->core);
    }
}

/* Lets go of whatever the current step has under way. */
void kube_watch_drop_step(struct kube_watch *w)
{
    w->step++;
    kube_unwait(&w->waiter);
    if (w->lister) {
        kube_lister_cancel(w->lister);
        kube_lister_release(TAKE(w->lister));
    }
    if (w->attempt) {
        kube_attempt_drop(w->attempt);
        w->attempt = NULL;
    }
    leave_place(w);
}

struct alarm {
    struct kube_watch *w;
    uint64_t step;
    void (*fn)(struct kube_watch *w);
};

static void ring(void *arg)
{
    struct alarm *a = arg;
    if (a->step == a->w->step && !kube_watch_is_stopped(a->w))
        a->fn(a->w);
    kube_watch_unref(a->w);
    free(a);
}

/* Calls fn after the delay unless the watch has moved on by then. */
void kube_watch_set_alarm(struct kube_watch *w, int64_t delay_ns, void (*fn)(struct kube_watch *w))
{
    struct alarm *a = xcalloc(1, sizeof(*a));
    *a = (struct alarm){kube_watch_ref(w), w->step, fn};
    http_post(w->core->options.io, delay_ns, ring, a);
}

void kube_watch_pause(struct kube_watch *w, int64_t least_ns)
{
    const int64_t most = SECONDS(MOST_PAUSE_SECONDS);
    int64_t delay = kube_backoff_ns(w->failures);
    if (least_ns > delay)
        delay = least_ns < most ? least_ns : most;
    kube_watch_set_alarm(w, delay, kube_watch_proceed);
}

static void unparked(struct kube_waiter *waiter)
{
    struct kube_watch *w = CONTAINER_OF(waiter, struct kube_watch, waiter);
    if (w->failures > 1) /* the cluster answers, yet this watch has failed again */
        kube_watch_pause(w, 0);
    else
        kube_watch_proceed(w);
}

static void park(struct kube_watch *w)
{
    w->waiter.go = unparked;
    kube_park(w->core, &w->waiter);
}

static void end(struct kube_watch *w, enum kube_watch_stop why)
{
    TELL(w, on_stop, why);
}

void kube_watch_lose_position(struct kube_watch *w)
{
    free(TAKE(w->position));
    w->odd = 0;
}

/* No answer, or one that a gateway gave in the server's stead. A 503 with a Status is the server's own, of
 * one kind: the aggregated API behind it is away. */
static bool reached_nobody(const struct kube_failure *f)
{
    return f->http_status == 0 || f->http_status == 502 || f->http_status == 504 ||
           (f->http_status == 503 && str_empty(f->reason));
}

/* A server that has just started answers 404 for kinds that it has not loaded yet: one 404 does not mean the
 * end. */
static void missing(struct kube_watch *w)
{
    if (++w->missing >= GONE_ANSWERS)
        end(w, KUBE_STOP_GONE);
    else
        kube_watch_pause(w, 0);
}

static void expired(struct kube_watch *w)
{
    kube_watch_lose_position(w);
    if (w->failures == 1)
        kube_watch_proceed(w);
    else
        kube_watch_pause(w, 0);
}

void kube_watch_failed(struct kube_watch *w, const struct kube_failure *failure, err_t *err)
{
    static const struct kube_failure none;
    const struct kube_failure *f = failure ? failure : &none;
    kube_watch_drop_step(w);
    w->failures++;
    w->refreshed = false;
    if (f->http_status == 404) {
        missing(w);
        return;
    }
    w->missing = 0;
    if (f->http_status == 410 || err_code(err) == ERR_OUT_OF_RANGE) {
        expired(w);
        return;
    }
    tell_error(w, err);
    if (f->http_status == 403 && w->stop_when_forbidden)
        end(w, KUBE_STOP_FORBIDDEN);
    else if (reached_nobody(f))
        park(w);
    else
        kube_watch_pause(w, f->retry_after_ns);
}

void kube_watch_set_position(struct kube_watch *w, const char *resource_version)
{
    if (str_empty(resource_version) || str_eq(w->position, resource_version))
        return;
    free(w->position);
    w->position = xstrdup(resource_version);
}

/* ---- listing ---- */

static int list_item(void *arg, const char *p, size_t n)
{
    struct kube_watch *w = arg;
    TELL(w, on_event, KUBE_ADDED, p, n);
    return 0;
}

static bool list_restart(void *arg)
{
    struct kube_watch *w = arg;
    TELL(w, on_list);
    return true;
}

static void list_done(void *arg, const char *resource_version, const struct kube_failure *failure, err_t *err)
{
    struct kube_watch *w = arg;
    kube_lister_release(TAKE(w->lister));
    leave_place(w);
    if (failure) {
        kube_watch_failed(w, failure, err);
        return;
    }
    w->refreshed = false;
    kube_watch_recovered(w);
    /* A server that gives no version has nothing to go on from: "0" means any. */
    kube_watch_set_position(w, str_empty(resource_version) ? "0" : resource_version);
    TELL(w, on_synced, w->position);
    if (w->resync_ns)
        w->resync_at = mono_after(mono_now(), w->resync_ns);
    kube_watch_proceed(w);
}

static void list_now(struct kube_waiter *waiter)
{
    static const struct kube_lister_ops ops = {list_item, list_restart, list_done};
    struct kube_watch *w = CONTAINER_OF(waiter, struct kube_watch, waiter);
    w->holds_place = true;
    TELL(w, on_list);
    w->lister = kube_lister_start(w->core, w->who, &w->resource, &w->list, &ops, w);
}

static void identified(struct kube_waiter *waiter)
{
    struct kube_watch *w = CONTAINER_OF(waiter, struct kube_watch, waiter);
    AUTO_ERR err = NULL;
    struct kube_identity who;
    if (kube_auth_get(w->core->auth, &who, &err) < 0) {
        const struct kube_failure nobody = {.http_status = 401};
        kube_watch_failed(w, &nobody, err);
        return;
    }
    kube_attempt_start(w, &who);
    kube_identity_dispose(&who);
}

/* The next step from where it is. */
void kube_watch_proceed(struct kube_watch *w)
{
    if (kube_watch_is_stopped(w))
        return;
    w->step++;
    if (w->position && w->resync_ns && mono_left(w->resync_at) == 0)
        kube_watch_lose_position(w);
    if (w->position) {
        w->waiter.go = identified;
        kube_identity_await(w->core, &w->waiter);
    } else {
        w->waiter.go = list_now;
        kube_list_enter(w->core, &w->waiter);
    }
}

/* ---- from any thread ---- */

static void begin(void *arg)
{
    struct kube_watch *w = arg;
    kube_watch_proceed(w);
    kube_watch_unref(w);
}

static void clean_up(void *arg)
{
    struct kube_watch *w = arg;
    struct kube_core *c = w->core;
    kube_watch_drop_step(w);
    kube_watch_unref(w);
    kube_core_leave(c);
}

kube_watch_t *kube_watch_start(kube_t *k, const struct kube_watch_spec *spec,
                               const struct kube_watch_ops *ops, void *arg)
{
    struct kube_watch *w = xcalloc(1, sizeof(*w));
    w->refs = 2; /* the user's, which goes to clean_up; begin's */
    pthread_mutex_init(&w->lock, NULL);
    w->core = kube_core_ref(k->core);
    kube_core_enter(k->core);
    w->who = kube_who_ref(k->who);
    kube_resource_copy(&w->resource, spec->resource);
    kube_list_copy(&w->list, &spec->list);
    w->stop_when_forbidden = spec->stop_when_forbidden;
    w->resync_ns = spec->resync_ns;
    w->ops = *ops;
    w->arg = arg;
    w->k = k;
    {
        LOCKED(&k->lock);
        w->next = k->watches;
        w->link = &k->watches;
        if (w->next)
            w->next->link = &w->next;
        k->watches = w;
    }
    http_post(k->core->options.io, 0, begin, w);
    return w;
}

void kube_watch_stop(kube_watch_t *w)
{
    if (!w)
        return;
    {
        LOCKED(&w->k->lock);
        *w->link = w->next;
        if (w->next)
            w->next->link = w->link;
    }
    {
        LOCKED(&w->lock);
        w->stopped = true;
    }
    http_post(w->core->options.io, 0, clean_up, w);
}

static struct kube_watch *first_watch(kube_t *k)
{
    LOCKED(&k->lock);
    return k->watches;
}

void kube_watch_stop_all(kube_t *k)
{
    for (struct kube_watch *w; (w = first_watch(k));)
        kube_watch_stop(w);
}
