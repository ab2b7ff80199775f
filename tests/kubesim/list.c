/* A list is gathered at once, as references, so that it shows one moment; its bytes are made as the client
 * takes them. */
#include "tests/kubesim/api.h"

#include "tests/kubesim/audit.h"

struct list {
    struct format format;
    VEC(struct blob *) items;
    size_t next;
    char *meta;
};

static void list_free(void *p)
{
    struct list *l = p;
    for (size_t i = l->next; i < l->items.n; i++)
        blob_unref(l->items.v[i]);
    VEC_FREE(&l->items);
    format_dispose(&l->format);
    free(l->meta);
    free(l);
}

/* ---- one moment ---- */

/* Walks the keys of a resource as they were at a version: the index, corrected by what changed since. */
struct moment {
    struct index_cursor cursor;
    struct blob *ahead; /* of the cursor */
    struct past *past;
    size_t n, at;
};

static void moment_start(struct moment *m, struct sim *s, const struct resource *r, const char *from,
                         uint64_t rv)
{
    *m = (struct moment){.cursor = index_from(&r->index, from)};
    m->ahead = index_next(&m->cursor);
    if (rv >= store_rv(s->store))
        return;
    m->past = store_past(s->store, r, rv, &m->n);
    while (m->at < m->n && strcmp(m->past[m->at].key, from) < 0)
        m->at++;
}

static struct blob *moment_next(struct moment *m)
{
    for (;;) {
        const struct past *p = m->at < m->n ? &m->past[m->at] : NULL;
        int cmp = !m->ahead ? 1 : !p ? -1 : strcmp(blob_key(m->ahead), p->key);
        struct blob *b = m->ahead;
        if (!b && !p)
            return NULL;
        if (cmp <= 0)
            m->ahead = index_next(&m->cursor);
        if (cmp >= 0) {
            b = p->blob;
            m->at++;
        }
        if (b)
            return b;
    }
}

/* ---- gathering ---- */

struct gather {
    struct exchange *x;
    const struct query *q;
    struct list *list;
    char *prefix;      /* "ns/" or "" */
    uint64_t rv;       /* of the moment */
    int64_t limit;     /* 0: none */
    char *from;        /* the first key */
    bool behind;       /* behind `from`, not at it */
    char *last;        /* the last key that was taken, when there are more */
    int64_t remaining; /* -1: not told */
};

static void take_items(struct gather *g)
{
    const struct endpoint *e = g->x->route.endpoint;
    struct moment m;
    struct blob *b;
    moment_start(&m, g->x->sim, e->resource, g->from, g->rv);
    while ((b = moment_next(&m)) && str_has_prefix(blob_key(b), g->prefix)) {
        if (g->behind && strcmp(blob_key(b), g->from) == 0)
            continue;
        if (g->limit && (int64_t)g->list->items.n == g->limit) {
            g->last = xstrdup(blob_key(g->list->items.v[g->list->items.n - 1]));
            break;
        }
        if (query_matches(g->q, e, b))
            VEC_PUSH(&g->list->items, blob_ref(b));
    }
    /* What is left is counted by place where nothing changed since, else one by one. */
    if (g->last && !g->q->labels.all.n && !g->q->fields.all.n) {
        g->remaining = 1;
        if (m.n) {
            while ((b = moment_next(&m)) && str_has_prefix(blob_key(b), g->prefix))
                g->remaining++;
        } else {
            size_t all = index_count(&e->resource->index, g->prefix);
            g->remaining = (int64_t)(all - (index_rank(&e->resource->index, g->last) + 1 -
                                            index_rank(&e->resource->index, g->prefix)));
        }
    }
    free(m.past);
}

static json_t *expired(const char *token)
{
    json_t *f = status_failure(
        410, "Expired", "%s",
        *token ? "The provided continue parameter is too old to display a consistent list "
                 "result. You can start a new list without the continue parameter, or use "
                 "the continue token in this response to retrieve the remainder of the "
                 "results. Continuing with the provided token results in an inconsistent "
                 "list - objects that were created, modified, or deleted between the time "
                 "the first chunk was returned and now may show up in the list."
               : "The resourceVersion for the provided list is too old.");
    struct token t = {};
    json_t *bad = *token ? token_read(token, &t) : NULL;
    if (t.start) {
        AUTO(free_p) char *again = token_write(-1, t.start);
        json_put_at(f, json_string(again), "metadata", "continue");
    }
    free(t.start);
    json_decref(bad);
    return f;
}

/* Which moment, and where in it to begin. */
static json_t *place(struct gather *g)
{
    const struct query *q = g->q;
    uint64_t now = store_rv(g->x->sim->store);
    g->rv = now;
    g->limit = q->limit;
    if (*q->token) {
        struct token t = {};
        json_t *bad = token_read(q->token, &t);
        if (bad)
            return bad;
        g->from = xasprintf("%s%s", g->prefix, t.start);
        g->behind = t.behind;
        free(t.start);
        if (*q->rv && strcmp(q->rv, "0") != 0)
            return status_bad_request("specifying resource version is not allowed when using continue");
        if (t.rv > 0)
            g->rv = (uint64_t)t.rv;
    } else {
        g->from = xstrdup(g->prefix);
        bool exact = strcmp(q->match, "Exact") == 0 || (!*q->match && q->limit > 0);
        if (q->rv_number > now) {
            json_t *f = status_failure(504, "Timeout",
                                       "Timeout: Too large resource version: %llu, current: %llu",
                                       (unsigned long long)q->rv_number, (unsigned long long)now);
            json_object_set_new(f, "details",
                                json_pack("{s:[{s:s,s:s}],s:i}", "causes", "reason",
                                          "ResourceVersionTooLarge", "message", "Too large resource version",
                                          "retryAfterSeconds", 1));
            return f;
        }
        if (q->rv_number && exact)
            g->rv = q->rv_number;
        /* Any version will do: the server's cache answers, and that knows no pages. */
        if (strcmp(q->rv, "0") == 0)
            g->limit = 0;
    }
    bool fault = g->x->fault.status == 410 && *q->token;
    return fault || !store_has_rv(g->x->sim->store, g->rv) ? expired(q->token) : NULL;
}

/* ---- sending ---- */

static enum http_fill fill(struct request *r, str_t *out)
{
    struct exchange *x = r->state;
    struct list *l = x->stream;
    if (l->next == 0)
        format_list_head(&l->format, l->meta, out);
    while (l->next < l->items.n && out->len < 64 << 10) {
        if (l->next)
            str_putc(out, ',');
        format_object(&l->format, l->items.v[l->next], l->format.custom, out);
        blob_unref(l->items.v[l->next++]);
    }
    if (l->next < l->items.n)
        return HTTP_MORE;
    format_list_tail(&l->format, l->meta, out);
    return HTTP_END;
}

static json_t *check_accept(struct exchange *x, bool *partial)
{
    enum accept a = accept_parse(http_get_header(x->request, "accept"));
    *partial = a == ACCEPT_PARTIAL_LIST;
    if (a == ACCEPT_PARTIAL)
        return status_failure(406, "NotAcceptable",
                              "you requested PartialObjectMetadata, but the requested object is a list (%s)",
                              x->route.endpoint->resource->list_kind);
    return a == ACCEPT_NONE ? status_about(NULL, NULL, 406, "NotAcceptable", "406: Not Acceptable") : NULL;
}

static json_t *gather_list(struct exchange *x, const struct query *q)
{
    bool partial;
    json_t *failure = check_accept(x, &partial);
    if (failure)
        return failure;
    struct list *l = xcalloc(1, sizeof(*l));
    l->format = format_new(x->route.endpoint, partial);
    struct gather g = {.x = x,
                       .q = q,
                       .list = l,
                       .remaining = -1,
                       .prefix = *x->route.ns ? xasprintf("%s/", x->route.ns) : xstrdup("")};
    failure = place(&g);
    if (failure) {
        list_free(l);
    } else {
        take_items(&g);
        AUTO(free_p) char *token = g.last ? token_write((int64_t)g.rv, g.last + strlen(g.prefix)) : NULL;
        l->meta = format_list_meta(&l->format, g.rv, token, g.remaining);
        x->stream = l;
        x->stream_free = list_free;
    }
    free(g.prefix);
    free(g.from);
    free(g.last);
    return failure;
}

void api_list(struct exchange *x)
{
    struct query q;
    json_t *failure = query_read(x->request, x->route.endpoint, x->route.watch_path, &q);
    if (failure) {
        reply_status_take(x, failure);
    } else if (q.watch) {
        api_watch(x, &q);
    } else {
        failure = gather_list(x, &q);
        query_dispose(&q);
        if (failure)
            reply_status_take(x, failure);
        else
            http_stream(x->request, 200, "application/json", fill);
    }
}

/* ---- delete collection ---- */

void api_delete_collection(struct exchange *x)
{
    struct query q;
    bool dry_run;
    json_t *failure = dry_run_read(x->request, "DeleteOptions", &dry_run);
    if (failure || (failure = query_read(x->request, x->route.endpoint, false, &q))) {
        reply_status_take(x, failure);
        return;
    }
    struct deletion d;
    json_t *options = NULL;
    failure = deletion_read(x, &d, &options, &dry_run);
    if (!failure)
        failure = gather_list(x, &q);
    query_dispose(&q);
    if (failure) {
        json_decref(options);
        reply_status_take(x, failure);
        return;
    }
    struct list *l = x->stream;
    for (size_t i = 0; i < l->items.n; i++) {
        struct write w = exchange_write(x, dry_run);
        AUTO(free_p) char *ns = xstrndup(blob_ns(l->items.v[i]).p, blob_ns(l->items.v[i]).n);
        w.ns = ns;
        w.name = blob_name(l->items.v[i]);
        json_decref(write_delete(x->sim, &w, &d, &failure));
        json_decref(TAKE(failure));
    }
    json_decref(options);
    http_stream(x->request, 200, "application/json", fill);
}
