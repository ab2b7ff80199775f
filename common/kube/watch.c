/* Design. A watch is a small state machine on the I/O thread:
 *
 *   QUEUED --place--> LISTING --synced--> ASKING --identity--> WATCHING --cut--> ASKING …
 *      ^                                                          |
 *      +---- the position is lost: 410, too many odd answers -----+     any failure: PAUSED (a timer) or
 * PARKED
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
#include "common/base/rand.h"
#include "common/kube/event.h"
#include "common/kube/lister.h"
#include "common/kube/status.h"

enum {
    MAX_ERROR_BODY = 64 << 10,
    LEAST_WATCH_SECONDS = 290,
    MARGIN_SECONDS = 30,
    SHORT_WATCH_SECONDS = 1,
    LONG_WATCH_SECONDS = 10,
    ODD_ANSWERS = 3, /* in a row that make the position doubtful */
};

enum phase { QUEUED, LISTING, ASKING, WATCHING, PAUSED, PARKED, ENDED };

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
    enum phase phase;
    uint64_t step;
    struct kube_waiter waiter;
    bool holds_place; /* among the lists */
    kube_lister_t *lister;
    struct attempt *attempt;
    char *position; /* NULL: it must be listed */
    unsigned failures, odd;
    mono_t resync_at;
    bool failing;   /* the user was told */
    bool refreshed; /* the identity, after a 401 */
};

/* One watch request. */
struct attempt {
    struct kube_watch *w;
    http_transfer_t *transfer;
    bool dropped; /* the watch has moved on */
    uint64_t generation;
    mono_t since;
    int status;
    bool progressed;
    struct kube_stream stream;
    err_t *error; /* an ERROR event */
    struct kube_failure failure;
    str_t head, body;
};

static void unref(struct kube_watch *w)
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

static struct kube_watch *ref(struct kube_watch *w)
{
    atomic_fetch_add_explicit(&w->refs, 1, memory_order_relaxed);
    return w;
}

/* ---- to the user ---- */

/* Runs the statement unless the watch was stopped. */
#define TELL(w, op, ...)                                                                                     \
    do {                                                                                                     \
        LOCKED(&(w)->lock);                                                                                  \
        if (!(w)->stopped && (w)->ops.op)                                                                    \
            (w)->ops.op((w)->arg, ##__VA_ARGS__);                                                            \
    } while (0)

static bool is_stopped(struct kube_watch *w)
{
    LOCKED(&w->lock);
    return w->stopped;
}

static void tell_error(struct kube_watch *w, err_t *err)
{
    w->failing = true;
    TELL(w, on_error, err);
}

static void tell_recovered(struct kube_watch *w)
{
    if (!w->failing)
        return;
    w->failing = false;
    TELL(w, on_error, NULL);
}

/* ---- steps ---- */

static void proceed(struct kube_watch *w);

static void leave_place(struct kube_watch *w)
{
    if (w->holds_place) {
        w->holds_place = false;
        kube_list_leave(w->core);
    }
}

/* Lets go of whatever the current step has under way. */
static void drop_step(struct kube_watch *w)
{
    w->step++;
    kube_unwait(&w->waiter);
    if (w->lister) {
        kube_lister_cancel(w->lister);
        kube_lister_release(TAKE(w->lister));
    }
    if (w->attempt) {
        w->attempt->dropped = true;
        http_cancel(w->attempt->transfer);
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
    if (a->step == a->w->step && !is_stopped(a->w))
        a->fn(a->w);
    unref(a->w);
    free(a);
}

/* Calls fn after the delay unless the watch has moved on by then. */
static void set_alarm(struct kube_watch *w, int64_t delay_ns, void (*fn)(struct kube_watch *w))
{
    struct alarm *a = xcalloc(1, sizeof(*a));
    *a = (struct alarm){ref(w), w->step, fn};
    http_post(w->core->options.io, delay_ns, ring, a);
}

static void pause_for(struct kube_watch *w, int64_t least_ns)
{
    const int64_t most = SECONDS(10);
    int64_t delay = kube_backoff_ns(w->failures);
    if (least_ns > delay)
        delay = least_ns < most ? least_ns : most;
    w->phase = PAUSED;
    set_alarm(w, delay, proceed);
}

static void unparked(struct kube_waiter *waiter)
{
    struct kube_watch *w = CONTAINER_OF(waiter, struct kube_watch, waiter);
    if (w->failures > 1) /* the cluster answers, yet this watch has failed again */
        pause_for(w, 0);
    else
        proceed(w);
}

static void park(struct kube_watch *w)
{
    w->phase = PARKED;
    w->waiter.go = unparked;
    kube_park(w->core, &w->waiter);
}

static void end(struct kube_watch *w, enum kube_watch_stop why)
{
    w->phase = ENDED;
    TELL(w, on_stop, why);
}

static void lose_position(struct kube_watch *w)
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

/* A list or a watch has failed; the step is over. */
static void failed(struct kube_watch *w, const struct kube_failure *f, err_t *err)
{
    int status = f->http_status;
    drop_step(w);
    w->failures++;
    w->refreshed = false;
    if (status == 404) {
        end(w, KUBE_STOP_GONE);
        return;
    }
    if (status == 410 || err_code(err) == ERR_OUT_OF_RANGE) {
        lose_position(w);
        if (w->failures == 1)
            proceed(w);
        else
            pause_for(w, 0);
        return;
    }
    tell_error(w, err);
    if (status == 403 && w->stop_when_forbidden)
        end(w, KUBE_STOP_FORBIDDEN);
    else if (reached_nobody(f))
        park(w);
    else
        pause_for(w, f->retry_after_ns);
}

static void failed_unanswered(struct kube_watch *w, err_t *err)
{
    const struct kube_failure none = {};
    failed(w, &none, err);
}

static void set_position(struct kube_watch *w, const char *resource_version)
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
        failed(w, failure, err);
        return;
    }
    w->refreshed = false;
    tell_recovered(w);
    /* A server that gives no version has nothing to go on from: "0" means any. */
    set_position(w, str_empty(resource_version) ? "0" : resource_version);
    TELL(w, on_synced, w->position);
    if (w->resync_ns)
        w->resync_at = mono_after(mono_now(), w->resync_ns);
    proceed(w);
}

static void list_now(struct kube_waiter *waiter)
{
    static const struct kube_lister_ops ops = {list_item, list_restart, list_done};
    struct kube_watch *w = CONTAINER_OF(waiter, struct kube_watch, waiter);
    w->holds_place = true;
    w->phase = LISTING;
    TELL(w, on_list);
    w->lister = kube_lister_start(w->core, w->who, &w->resource, &w->list, &ops, w);
}

/* ---- watching ---- */

static void attempt_free(struct attempt *a)
{
    http_transfer_release(a->transfer);
    kube_stream_dispose(&a->stream);
    err_free(a->error);
    kube_failure_dispose(&a->failure);
    str_dispose(&a->head);
    str_dispose(&a->body);
    unref(a->w);
    free(a);
}

static int attempt_head(void *arg, int status, const str_t *headers)
{
    struct attempt *a = arg;
    if (a->dropped)
        return -ERR_CANCELED;
    a->status = status;
    if (status >= 300) {
        str_add(&a->head, str_text(headers), headers->len);
        return 0;
    }
    a->w->refreshed = false;
    tell_recovered(a->w);
    return 0;
}

static bool too_new(const json_t *status)
{
    const json_t *causes = json_at(status, "details", "causes");
    size_t i;
    json_t *cause;
    json_array_foreach(causes, i, cause)
        if (str_eq(json_str_at(cause, "reason"), "ResourceVersionTooLarge"))
            return true;
    return false;
}

/* {"kind":"Status","code":410,…} in the stream ends it like an answer with that status. */
static int take_error_event(struct attempt *a, view_t object)
{
    AUTO_JSON status = NULL;
    json_read(object.p, object.n, &status, NULL);
    a->status = (int)json_int_at(status, "code");
    if (a->status < 400 || a->status > 599)
        a->status = 500;
    AUTO(free_p) char *what = xasprintf("watch %s", a->w->resource.plural);
    kube_status_error(a->status, NULL, object.p, object.n, what, &a->failure, &a->error);
    if (too_new(status))
        err_recode(&a->error, ERR_OUT_OF_RANGE);
    return -ERR_CANCELED;
}

static int attempt_value(void *arg, const char *p, size_t n)
{
    static const enum kube_event events[] = {
        [KUBE_EV_ADDED] = KUBE_ADDED, [KUBE_EV_MODIFIED] = KUBE_MODIFIED, [KUBE_EV_DELETED] = KUBE_DELETED};
    struct attempt *a = arg;
    struct kube_watch *w = a->w;
    struct kube_event_view ev;
    if (a->dropped)
        return -ERR_CANCELED;
    if (!kube_event_read(p, n, &ev) || ev.type == KUBE_EV_OTHER)
        return 0; /* one odd event: the next one is as good */
    if (ev.type == KUBE_EV_ERROR)
        return take_error_event(a, ev.object);
    a->progressed = true;
    w->failures = w->odd = 0;
    if (ev.type != KUBE_EV_BOOKMARK)
        TELL(w, on_event, events[ev.type], ev.object.p, ev.object.n);
    set_position(w, ev.resource_version);
    return 0;
}

static int attempt_data(void *arg, const char *p, size_t n)
{
    struct attempt *a = arg;
    if (a->dropped)
        return -ERR_CANCELED;
    if (a->status < 300)
        return kube_stream_feed(&a->stream, p, n);
    str_add(&a->body, p, min_size(n, MAX_ERROR_BODY - a->body.len));
    return 0;
}

/* The stream has ended as streams do: at its time, or cut. */
static void go_on(struct kube_watch *w, const struct attempt *a, err_t *err)
{
    int64_t lived = mono_now().ns - a->since.ns;
    if (lived >= SECONDS(LONG_WATCH_SECONDS))
        w->failures = 0;
    if (err && err_code(err) != ERR_DEADLINE_EXCEEDED) {
        failed_unanswered(w, err);
        return;
    }
    drop_step(w);
    if (a->progressed || lived >= SECONDS(SHORT_WATCH_SECONDS)) {
        proceed(w);
        return;
    }
    w->failures++;
    pause_for(w, 0);
}

static void attempt_refused(struct kube_watch *w, struct attempt *a)
{
    if (a->status == 401 && !w->refreshed && kube_auth_rejected(w->core->auth, a->generation)) {
        w->refreshed = true;
        drop_step(w);
        proceed(w);
        return;
    }
    if (!a->error) {
        AUTO(free_p) char *what = xasprintf("watch %s", w->resource.plural);
        kube_status_error(a->status, &a->head, str_text(&a->body), a->body.len, what, &a->failure, &a->error);
    }
    if (++w->odd >= ODD_ANSWERS && a->status >= 500)
        lose_position(w);
    failed(w, &a->failure, a->error);
}

static void attempt_done(void *arg, err_t *err)
{
    struct attempt *a = arg;
    struct kube_watch *w = a->w;
    struct kube_core *c = w->core;
    if (!a->dropped)
        w->attempt = NULL;
    if (!a->dropped && !is_stopped(w)) {
        kube_observe(w->core, "GET", a->status, a->since);
        if (a->status >= 300)
            attempt_refused(w, a);
        else
            go_on(w, a, err);
    }
    attempt_free(a);
    kube_core_leave(c);
}

/* Accepted, and then not a word: not even headers. */
static void no_answer(struct kube_watch *w)
{
    if (!w->attempt || w->attempt->status)
        return;
    AUTO_ERR err = NULL;
    err_set(&err, ERR_UNAVAILABLE, "watch %s: the server does not answer", w->resource.plural);
    failed_unanswered(w, err);
}

static char *watch_url(const struct kube_watch *w, unsigned seconds)
{
    AUTO(free_p) char *path = kube_path(&w->resource, w->list.ns, NULL, NULL);
    AUTO(free_p) char *timeout = xasprintf("%u", seconds);
    str_t url = STR_INIT;
    str_printf(&url, "%s%s?watch=true&allowWatchBookmarks=true", w->core->server, path);
    kube_query_add(&url, "resourceVersion", w->position);
    kube_query_add(&url, "timeoutSeconds", timeout);
    kube_query_add(&url, "labelSelector", w->list.label_selector);
    kube_query_add(&url, "fieldSelector", w->list.field_selector);
    return str_take(&url);
}

/* As client-go: five to ten minutes, different for each watch. Not beyond the time to list again. */
static unsigned watch_seconds(const struct kube_watch *w)
{
    unsigned seconds = LEAST_WATCH_SECONDS + (unsigned)random_below(LEAST_WATCH_SECONDS);
    int64_t left = w->resync_ns ? mono_left(w->resync_at) / NS_PER_SEC + 1 : seconds;
    return left < seconds ? (unsigned)left : seconds;
}

static void watch_as(struct kube_watch *w, const struct kube_identity *who)
{
    static const struct http_stream_ops ops = {attempt_head, attempt_data, attempt_done};
    unsigned seconds = watch_seconds(w);
    struct kube_headers headers = {};
    kube_headers_add(&headers, xstrdup(kube_accept(w->list.metadata_only, false)));
    kube_headers_add(&headers,
                     xstrdup("Accept-Encoding: identity")); /* proxies hold events back to compress them */
    kube_headers_finish(&headers, w->who, who);
    AUTO(free_p) char *url = watch_url(w, seconds);
    struct attempt *a = xcalloc(1, sizeof(*a));
    a->w = ref(w);
    a->generation = who->generation;
    a->since = mono_now();
    kube_stream_init(&a->stream, w->list.max_object);
    a->stream.on_value = attempt_value;
    a->stream.arg = a;
    struct http_request request = {
        .url = url,
        .endpoint = who->endpoint,
        .headers = (const char *const *)headers.lines.v,
        .lane = HTTP_LANE_WATCH,
        .timeout_ns = SECONDS(seconds + MARGIN_SECONDS),
    };
    w->phase = WATCHING;
    w->attempt = a;
    kube_core_enter(w->core);
    a->transfer = http_start(w->core->options.io, &request, &ops, a);
    kube_headers_dispose(&headers);
    set_alarm(w, w->core->options.timeout_ns, no_answer);
}

static void identified(struct kube_waiter *waiter)
{
    struct kube_watch *w = CONTAINER_OF(waiter, struct kube_watch, waiter);
    AUTO_ERR err = NULL;
    struct kube_identity who;
    if (kube_auth_get(w->core->auth, &who, &err) < 0) {
        const struct kube_failure nobody = {.http_status = 401};
        failed(w, &nobody, err);
        return;
    }
    watch_as(w, &who);
    kube_identity_dispose(&who);
}

/* The next step from where it is. */
static void proceed(struct kube_watch *w)
{
    if (is_stopped(w))
        return;
    w->step++;
    if (w->position && w->resync_ns && mono_left(w->resync_at) == 0)
        lose_position(w);
    if (w->position) {
        w->phase = ASKING;
        w->waiter.go = identified;
        kube_identity_await(w->core, &w->waiter);
    } else {
        w->phase = QUEUED;
        w->waiter.go = list_now;
        kube_list_enter(w->core, &w->waiter);
    }
}

/* ---- from any thread ---- */

static void begin(void *arg)
{
    struct kube_watch *w = arg;
    proceed(w);
    unref(w);
}

static void clean_up(void *arg)
{
    struct kube_watch *w = arg;
    struct kube_core *c = w->core;
    drop_step(w);
    w->phase = ENDED;
    unref(w);
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
