#include "tests/kubesim/store.h"

#include <stdio.h>

/* A dependent is found by its owners' uids. */
struct dependent {
    struct resource *resource;
    char *key;
};
struct owner {
    VEC(struct dependent) dependents;
};

struct store {
    struct store_config config;
    uint64_t rv;
    struct change *ring; /* places first .. last, 1-based, modulo max_changes; last < first: empty */
    uint64_t first, last;
    uint64_t forgotten; /* version of the newest forgotten change */
    size_t history_bytes;
    map_t owners; /* uid -> struct owner */
};

static void owner_free(void *p)
{
    struct owner *o = p;
    VEC_FOREACH(&o->dependents, d)
        free(d->key);
    VEC_FREE(&o->dependents);
    free(o);
}

store_t *store_new(const struct store_config *config)
{
    store_t *s = xcalloc(1, sizeof(*s));
    s->config = *config;
    s->ring = xcalloc(config->max_changes, sizeof(*s->ring));
    s->first = 1;
    s->owners = (map_t)MAP_INIT(owner_free);
    return s;
}

static struct change *at_place(const store_t *s, uint64_t place)
{
    return &s->ring[place % s->config.max_changes];
}

static size_t blob_bytes(const struct blob *b)
{
    return b ? sizeof(*b) + b->key_len + 1u + b->json_len : 0;
}

static void forget_oldest(store_t *s)
{
    struct change *c = at_place(s, s->first++);
    s->forgotten = c->rv;
    s->history_bytes -= blob_bytes(c->before);
    blob_unref(c->object);
    blob_unref(c->before);
    *c = (struct change){};
}

void store_compact(store_t *s, size_t keep)
{
    while (s->last + 1 - s->first > keep)
        forget_oldest(s);
}

void store_free(store_t *s)
{
    if (!s)
        return;
    store_compact(s, 0);
    map_dispose(&s->owners);
    free(s->ring);
    free(s);
}

uint64_t store_rv(const store_t *s)
{
    return s->rv;
}

static char *make_key(const char *ns, const char *name)
{
    return *ns ? xasprintf("%s/%s", ns, name) : xstrdup(name);
}

struct blob *store_get(const struct resource *r, const char *ns, const char *name)
{
    AUTO(free_p) char *key = make_key(ns, name);
    return index_get(&r->index, key);
}

/* ---- owners ---- */

static void add_dependent(store_t *s, const char *uid, struct resource *r, const char *key)
{
    struct owner *o = map_get(&s->owners, uid);
    if (!o) {
        o = xcalloc(1, sizeof(*o));
        map_put(&s->owners, uid, o);
    }
    VEC_PUSH(&o->dependents, (struct dependent){r, xstrdup(key)});
}

static void drop_dependent(store_t *s, const char *uid, struct resource *r, const char *key)
{
    struct owner *o = map_get(&s->owners, uid);
    for (size_t i = o ? o->dependents.n : 0; i-- > 0;) {
        struct dependent *d = &o->dependents.v[i];
        if (d->resource != r || strcmp(d->key, key) != 0)
            continue;
        free(d->key);
        *d = o->dependents.v[--o->dependents.n];
        if (!o->dependents.n)
            map_del(&s->owners, uid);
        return;
    }
}

static void each_owner(store_t *s, struct resource *r, const struct blob *b,
                       void (*fn)(store_t *, const char *, struct resource *, const char *))
{
    if (!b || !b->owned)
        return;
    json_t *meta = NULL, *ref;
    size_t i;
    view_t text = blob_meta(b);
    if (json_read(text.p, text.n, &meta, NULL) < 0)
        return;
    json_array_foreach(json_object_get(meta, "ownerReferences"), i, ref)
        fn(s, str_or_empty(json_str_at(ref, "uid")), r, blob_key(b));
    json_decref(meta);
}

void store_dependents(store_t *s, const char *uid, void (*fn)(void *arg, struct resource *r, const char *key),
                      void *arg)
{
    struct owner *o = map_get(&s->owners, uid);
    if (!o)
        return;
    VEC_FOREACH(&o->dependents, d)
        fn(arg, d->resource, d->key);
}

/* ---- changes ---- */

/* Takes both references. */
static void record(store_t *s, struct resource *r, enum change_type type, struct blob *object,
                   struct blob *before)
{
    if (s->last + 1 - s->first == s->config.max_changes)
        forget_oldest(s);
    uint64_t place = ++s->last;
    struct change *c = at_place(s, place);
    *c = (struct change){.rv = s->rv, .resource = r, .object = object, .before = before, .type = type};
    if (r->last_change >= s->first)
        at_place(s, r->last_change)->next = place;
    r->last_change = place;
    s->history_bytes += blob_bytes(before);
    while (s->history_bytes > s->config.max_bytes && s->first < s->last)
        forget_oldest(s);
    each_owner(s, r, before, drop_dependent);
    if (type != CHANGE_DELETED)
        each_owner(s, r, object, add_dependent);
    for (struct watcher *w = r->watchers; w; w = w->next) {
        if (!w->place)
            w->place = place;
        w->wake(w);
    }
    if (s->config.on_change)
        s->config.on_change(s->config.ctx, c);
}

struct blob *store_put(store_t *s, struct resource *r, json_t *object)
{
    struct blob *b = blob_new(object, ++s->rv);
    struct blob *before = index_put(&r->index, b);
    record(s, r, before ? CHANGE_MODIFIED : CHANGE_ADDED, b, before);
    return b;
}

void store_remove(store_t *s, struct resource *r, json_t *object)
{
    AUTO_JSON rv = json_incref(json_at(object, "metadata", "resourceVersion"));
    struct blob *b = blob_new(object, ++s->rv);
    if (rv)
        json_put_at(object, TAKE(rv), "metadata", "resourceVersion");
    struct blob *before = index_take(&r->index, blob_key(b));
    if (before)
        record(s, r, CHANGE_DELETED, b, before);
    else
        blob_unref(b);
}

/* ---- following ---- */

/* The first place whose change is after rv. */
static uint64_t place_after(const store_t *s, uint64_t rv)
{
    uint64_t lo = s->first, hi = s->last + 1;
    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        if (at_place(s, mid)->rv <= rv)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* The first change of the resource after rv; 0: none. */
static uint64_t first_of(const store_t *s, const struct resource *r, uint64_t rv)
{
    if (r->last_change < s->first || at_place(s, r->last_change)->rv <= rv)
        return 0;
    uint64_t place = place_after(s, rv);
    while (at_place(s, place)->resource != r)
        place++;
    return place;
}

bool store_has_rv(const store_t *s, uint64_t rv)
{
    return rv >= s->forgotten;
}

bool store_watch(store_t *s, struct resource *r, uint64_t rv, struct watcher *w)
{
    if (!store_has_rv(s, rv))
        return false;
    w->resource = r;
    w->place = first_of(s, r, rv);
    w->next = r->watchers;
    w->at = &r->watchers;
    if (w->next)
        w->next->at = &w->next;
    r->watchers = w;
    return true;
}

void store_unwatch(struct watcher *w)
{
    if (!w->at)
        return;
    *w->at = w->next;
    if (w->next)
        w->next->at = w->at;
    w->at = NULL;
}

const struct change *store_next(store_t *s, struct watcher *w, bool *expired)
{
    *expired = w->place && w->place < s->first;
    if (!w->place || *expired)
        return NULL;
    const struct change *c = at_place(s, w->place);
    w->place = c->next;
    return c;
}

static int past_cmp(const void *a, const void *b)
{
    return strcmp(((const struct past *)a)->key, ((const struct past *)b)->key);
}

struct past *store_past(store_t *s, const struct resource *r, uint64_t rv, size_t *n)
{
    map_t seen = MAP_INIT(NULL);
    VEC(struct past) all = {};
    for (uint64_t place = first_of(s, r, rv); place; place = at_place(s, place)->next) {
        const struct change *c = at_place(s, place);
        if (map_put(&seen, blob_key(c->object), NULL))
            VEC_PUSH(&all, (struct past){blob_key(c->object), c->before});
    }
    map_dispose(&seen);
    VEC_SORT(&all, past_cmp);
    *n = all.n;
    return all.v;
}

void store_stats(const store_t *s, const struct registry *g, struct store_stats *out)
{
    *out = (struct store_stats){.changes = s->last + 1 - s->first,
                                .history_bytes = s->history_bytes,
                                .owners = s->owners.n,
                                .rv = s->rv,
                                .compacted = s->forgotten};
    VEC_FOREACH(&g->resources, r)
        out->objects += (*r)->index.n;
}
