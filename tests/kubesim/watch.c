/* A watch holds no queue of events: it has a place in the store's history and reads on from there when its
 * client takes bytes. A client that is too slow finds its place forgotten, and is told so. */
#include "tests/kubesim/watch.h"

#include "common/base/rand.h"
#include "tests/kubesim/api.h"

struct watch {
    struct watcher watcher;
    struct exchange *x;
    struct format format;
    const struct endpoint *endpoint; /* ends with it: see watch_end_all */
    struct query query;
    struct timer timeout, bookmark, cut;
    VEC(struct blob *) initial;
    size_t next; /* of initial */
    uint64_t rv; /* up to where the client knows */
    char *error; /* the last event */
    bool bookmark_due, ended, cut_due;
};

static void watch_free(void *p)
{
    struct watch *w = p;
    loop_t *loop = w->x->sim->loop;
    store_unwatch(&w->watcher);
    loop_timer_stop(loop, &w->timeout);
    loop_timer_stop(loop, &w->bookmark);
    loop_timer_stop(loop, &w->cut);
    for (size_t i = w->next; i < w->initial.n; i++)
        blob_unref(w->initial.v[i]);
    VEC_FREE(&w->initial);
    query_dispose(&w->query);
    format_dispose(&w->format);
    free(w->error);
    free(w);
}

static void on_wake(struct watcher *watcher)
{
    struct watch *w = CONTAINER_OF(watcher, struct watch, watcher);
    http_wake(w->x->request);
}

static void on_timeout(struct timer *t)
{
    struct watch *w = CONTAINER_OF(t, struct watch, timeout);
    w->ended = true;
    http_wake(w->x->request);
}

static void on_bookmark(struct timer *t)
{
    struct watch *w = CONTAINER_OF(t, struct watch, bookmark);
    w->bookmark_due = true;
    loop_timer(w->x->sim->loop, t, w->x->sim->options.delays.bookmark);
    http_wake(w->x->request);
}

static void on_cut(struct timer *t)
{
    struct watch *w = CONTAINER_OF(t, struct watch, cut);
    http_cut(w->x->request);
}

/* ---- events ---- */

static bool in_scope(const struct watch *w, const struct blob *b)
{
    view_t ns = blob_ns(b);
    return (!*w->x->route.ns || view_eq(ns, w->x->route.ns)) && query_matches(&w->query, w->endpoint, b);
}

/* What a change is to who sees only what the selectors match: an object that stops matching is deleted for
 * it. */
static void put_change(struct watch *w, const struct change *c, str_t *out)
{
    bool now = c->type != CHANGE_DELETED && in_scope(w, c->object),
         before = c->before && in_scope(w, c->before);
    if (c->type == CHANGE_DELETED && before)
        format_event(&w->format, "DELETED", c->object, 0, out);
    else if (now)
        format_event(&w->format, before ? "MODIFIED" : "ADDED", c->object, 0, out);
    else if (before)
        format_event(&w->format, "DELETED", c->before, c->rv, out);
}

static void put_error(const json_t *status, str_t *out)
{
    str_puts(out, "{\"type\":\"ERROR\",\"object\":");
    json_write(status, JSON_GO, out);
    str_puts(out, "}\n");
}

static json_t *too_old(uint64_t rv, uint64_t oldest)
{
    return status_failure(410, "Expired", "too old resource version: %llu (%llu)", (unsigned long long)rv,
                          (unsigned long long)oldest);
}

static enum http_fill fill(struct request *r, str_t *out)
{
    enum { PIECE = 64 << 10 };
    struct exchange *x = r->state;
    struct watch *w = x->stream;
    bool expired = false;
    if (x->fault.hang)
        return w->ended ? HTTP_END : HTTP_IDLE;
    while (w->next < w->initial.n && out->len < PIECE) {
        format_event(&w->format, "ADDED", w->initial.v[w->next], 0, out);
        blob_unref(w->initial.v[w->next++]);
    }
    if (w->error) {
        str_puts(out, w->error);
        return HTTP_END;
    }
    while (out->len < PIECE) {
        const struct change *c = store_next(x->sim->store, &w->watcher, &expired);
        if (!c)
            break;
        /* A client may have asked for what is yet to come. */
        if (c->rv <= w->rv)
            continue;
        w->rv = c->rv;
        put_change(w, c, out);
    }
    if (expired) {
        AUTO_JSON status = too_old(w->rv, store_rv(x->sim->store));
        put_error(status, out);
        return HTTP_END;
    }
    if (out->len >= PIECE)
        return HTTP_MORE;
    if (w->bookmark_due) {
        w->bookmark_due = false;
        w->rv = store_rv(x->sim->store);
        format_bookmark(&w->format, w->rv, out);
    }
    return w->ended ? HTTP_END : HTTP_IDLE;
}

/* ---- beginning ---- */

static void take_initial(struct watch *w)
{
    const struct resource *r = w->endpoint->resource;
    AUTO(free_p) char *prefix = *w->x->route.ns ? xasprintf("%s/", w->x->route.ns) : xstrdup("");
    struct index_cursor c = index_from(&r->index, prefix);
    for (struct blob *b; (b = index_next(&c)) && str_has_prefix(blob_key(b), prefix);)
        if (query_matches(&w->query, w->endpoint, b))
            VEC_PUSH(&w->initial, blob_ref(b));
}

/* /api/v1/watch/namespaces/x/pods/y and the like watch one object. */
static void select_name(struct watch *w, const char *name)
{
    struct requirement r = {
        .op = SEL_IN, .key = xstrdup("metadata.name"), .values = xcalloc(2, sizeof(char *))};
    r.values[0] = xstrdup(name);
    VEC_PUSH(&w->query.fields.all, r);
}

static void start_timers(struct watch *w)
{
    struct sim *s = w->x->sim;
    w->timeout.fn = on_timeout;
    w->bookmark.fn = on_bookmark;
    w->cut.fn = on_cut;
    /* Half an hour to an hour, as kube-apiserver's --min-request-timeout has it. */
    int64_t seconds = w->query.timeout_seconds > 0 ? w->query.timeout_seconds
                                                   : 1800 + (int64_t)random_below(1800);
    loop_timer(s->loop, &w->timeout, SECONDS(seconds));
    if (w->query.bookmarks)
        loop_timer(s->loop, &w->bookmark, s->options.delays.bookmark);
    if (w->x->fault.drop_after_ns > 0)
        loop_timer(s->loop, &w->cut, w->x->fault.drop_after_ns);
}

static void begin(struct watch *w)
{
    struct sim *s = w->x->sim;
    bool from_now = w->query.rv_number == 0, ok;
    w->rv = from_now ? store_rv(s->store) : w->query.rv_number;
    w->watcher.wake = on_wake;
    ok = w->x->fault.status != 410 && store_watch(s->store, w->endpoint->resource, w->rv, &w->watcher);
    if (ok && from_now)
        take_initial(w);
    if (!ok) {
        AUTO_JSON status = too_old(w->rv, store_rv(s->store));
        AUTO_STR text = STR_INIT;
        put_error(status, &text);
        w->error = str_take(&text);
    }
    start_timers(w);
}

void api_watch(struct exchange *x, struct query *q_take)
{
    enum accept a = accept_parse(http_get_header(x->request, "accept"));
    struct watch *w = xcalloc(1, sizeof(*w));
    w->x = x;
    w->endpoint = x->route.endpoint;
    w->query = *q_take;
    w->format = format_new(w->endpoint, a == ACCEPT_PARTIAL || a == ACCEPT_PARTIAL_LIST);
    x->stream = w;
    x->stream_free = watch_free;
    if (a == ACCEPT_NONE) {
        reply_status_take(x, status_about(NULL, NULL, 406, "NotAcceptable", "406: Not Acceptable"));
        return;
    }
    if (*x->route.name)
        select_name(w, x->route.name);
    begin(w);
    http_stream(x->request, 200, "application/json", fill);
}

/* ---- all of them ---- */

void watch_end_all(struct resource *r)
{
    for (struct watcher *at = r->watchers, *next; at; at = next) {
        struct watch *w = CONTAINER_OF(at, struct watch, watcher);
        next = at->next;
        store_unwatch(at);
        w->watcher.place = 0;
        w->ended = true;
        http_wake(w->x->request);
    }
}

size_t watch_cut_all(struct registry *g, const char *resource_key)
{
    size_t n = 0;
    VEC_FOREACH(&g->resources, r) {
        if (resource_key && strcmp((*r)->key, resource_key) != 0)
            continue;
        for (struct watcher *at = (*r)->watchers, *next; at; at = next, n++) {
            next = at->next;
            http_cut(CONTAINER_OF(at, struct watch, watcher)->x->request);
        }
    }
    return n;
}

size_t watch_count(const struct registry *g)
{
    size_t n = 0;
    VEC_FOREACH(&g->resources, r)
        for (struct watcher *at = (*r)->watchers; at; at = at->next)
            n++;
    return n;
}
