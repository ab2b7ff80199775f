/* Design. One attempt is one watch request and what is known of its answer. It outlives the step that started
 * it: when the watch moves on, the attempt is dropped (its transfer canceled), and whatever it still reports
 * is ignored. */
#include "common/base/rand.h"
#include "common/kube/event.h"
#include "common/kube/status.h"
#include "common/kube/watch.h"

enum {
    MAX_ERROR_BODY = 64 << 10,
    LEAST_WATCH_SECONDS = 290,
    MARGIN_SECONDS = 30,
    SHORT_WATCH_SECONDS = 1,
    LONG_WATCH_SECONDS = 10,
    ODD_ANSWERS = 3, /* in a row that make the position doubtful */
};

/* One watch request. */
struct kube_attempt {
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

static void attempt_free(struct kube_attempt *a)
{
    http_transfer_release(a->transfer);
    kube_stream_dispose(&a->stream);
    err_free(a->error);
    kube_failure_dispose(&a->failure);
    str_dispose(&a->head);
    str_dispose(&a->body);
    kube_watch_unref(a->w);
    free(a);
}

static int attempt_head(void *arg, int status, const str_t *headers)
{
    struct kube_attempt *a = arg;
    if (a->dropped)
        return -ERR_CANCELED;
    a->status = status;
    if (status >= 300) {
        str_add(&a->head, str_text(headers), headers->len);
        return 0;
    }
    a->w->refreshed = false;
    kube_watch_recovered(a->w);
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
static int take_error_event(struct kube_attempt *a, view_t object)
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
    struct kube_attempt *a = arg;
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
    kube_watch_set_position(w, ev.resource_version);
    return 0;
}

static int attempt_data(void *arg, const char *p, size_t n)
{
    struct kube_attempt *a = arg;
    if (a->dropped)
        return -ERR_CANCELED;
    if (a->status < 300)
        return kube_stream_feed(&a->stream, p, n);
    str_add(&a->body, p, min_size(n, MAX_ERROR_BODY - a->body.len));
    return 0;
}

/* The stream has ended as streams do: at its time, or cut. */
static void go_on(struct kube_watch *w, const struct kube_attempt *a, err_t *err)
{
    int64_t lived = mono_now().ns - a->since.ns;
    if (lived >= SECONDS(LONG_WATCH_SECONDS))
        w->failures = 0;
    if (err && err_code(err) != ERR_DEADLINE_EXCEEDED) {
        kube_watch_failed(w, NULL, err);
        return;
    }
    kube_watch_drop_step(w);
    if (a->progressed || lived >= SECONDS(SHORT_WATCH_SECONDS)) {
        kube_watch_proceed(w);
        return;
    }
    w->failures++;
    kube_watch_pause(w, 0);
}

static void attempt_refused(struct kube_watch *w, struct kube_attempt *a)
{
    if (a->status == 401 && !w->refreshed && kube_auth_rejected(w->core->auth, a->generation)) {
        w->refreshed = true;
        kube_watch_drop_step(w);
        kube_watch_proceed(w);
        return;
    }
    if (!a->error) {
        AUTO(free_p) char *what = xasprintf("watch %s", w->resource.plural);
        kube_status_error(a->status, &a->head, str_text(&a->body), a->body.len, what, &a->failure, &a->error);
    }
    if (++w->odd >= ODD_ANSWERS && a->status >= 500)
        kube_watch_lose_position(w);
    kube_watch_failed(w, &a->failure, a->error);
}

static void attempt_done(void *arg, err_t *err)
{
    struct kube_attempt *a = arg;
    struct kube_watch *w = a->w;
    struct kube_core *c = w->core;
    if (!a->dropped)
        w->attempt = NULL;
    if (!a->dropped && !kube_watch_is_stopped(w)) {
        kube_observe(w->core, "GET", "Watch", a->status, a->since);
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
    kube_watch_failed(w, NULL, err);
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

void kube_attempt_start(struct kube_watch *w, const struct kube_identity *who)
{
    static const struct http_stream_ops ops = {attempt_head, attempt_data, attempt_done};
    unsigned seconds = watch_seconds(w);
    struct kube_headers headers = {};
    kube_headers_add(&headers, xstrdup(kube_accept(w->list.metadata_only, false)));
    kube_headers_add(&headers,
                     xstrdup("Accept-Encoding: identity")); /* proxies hold events back to compress them */
    kube_headers_finish(&headers, w->who, who);
    AUTO(free_p) char *url = watch_url(w, seconds);
    struct kube_attempt *a = xcalloc(1, sizeof(*a));
    a->w = kube_watch_ref(w);
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
    w->attempt = a;
    kube_core_enter(w->core);
    a->transfer = http_start(w->core->options.io, &request, &ops, a);
    kube_headers_dispose(&headers);
    kube_watch_set_alarm(w, w->core->options.timeout_ns, no_answer);
}

void kube_attempt_drop(struct kube_attempt *a)
{
    a->dropped = true;
    http_cancel(a->transfer);
}
