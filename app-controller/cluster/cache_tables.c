/* The indexes: chained hash tables whose links are in the records. Texts are interned, so that keys are
 * pointers. */
#include "app-controller/cluster/cache_internal.h"
#include "common/base/hash.h"

enum { FIRST_BUCKETS = 256 };

uint64_t hash_pointers(const void *a, const void *b, const void *c, const void *d)
{
    uint64_t h = (uintptr_t)a;
    h = (h ^ (uintptr_t)b) * 0x9e3779b97f4a7c15u;
    h = (h ^ (h >> 29) ^ (uintptr_t)c) * 0xbf58476d1ce4e5b9u;
    h = (h ^ (h >> 32) ^ (uintptr_t)d) * 0x94d049bb133111ebu;
    return h ^ (h >> 31);
}

static uint64_t key_hash(const struct obj *o)
{
    return hash_pointers(o->of->group, o->of->kind, o->ns, o->name);
}

void table_free(struct table *t)
{
    free(t->buckets);
    *t = (struct table){};
}

/* A table's links are at an offset in its elements; growing re-hangs them. */
static void grow(struct table *t, size_t link, uint64_t (*hash)(const void *element))
{
    size_t nbuckets = t->nbuckets ? t->nbuckets * 2 : FIRST_BUCKETS;
    void **buckets = xcalloc(nbuckets, sizeof(void *));
    for (size_t i = 0; i < t->nbuckets; i++) {
        for (void *e = t->buckets[i], *next; e; e = next) {
            void **e_link = (void **)((char *)e + link);
            next = *e_link;
            void **b = &buckets[hash(e) & (nbuckets - 1)];
            *e_link = *b;
            *b = e;
        }
    }
    free(t->buckets);
    t->buckets = buckets;
    t->nbuckets = nbuckets;
}

static void table_add(struct table *t, void *e, size_t link, uint64_t (*hash)(const void *))
{
    if (t->n >= t->nbuckets)
        grow(t, link, hash);
    void **b = &t->buckets[hash(e) & (t->nbuckets - 1)];
    *(void **)((char *)e + link) = *b;
    *b = e;
    t->n++;
}

static void table_remove(struct table *t, void *e, size_t link, uint64_t (*hash)(const void *))
{
    void **p = &t->buckets[hash(e) & (t->nbuckets - 1)];
    while (*p && *p != e)
        p = (void **)((char *)*p + link);
    if (*p) {
        *p = *(void **)((char *)e + link);
        t->n--;
    }
}

static uint64_t hash_by_key(const void *e)
{
    return key_hash(e);
}

static uint64_t uid_hash(const char *uid)
{
    return hash_pointers(uid, NULL, NULL, NULL);
}

static uint64_t hash_by_uid(const void *e)
{
    return uid_hash(((const struct obj *)e)->uid);
}

static uint64_t hash_by_owner(const void *e)
{
    return uid_hash(((const struct owner *)e)->uid);
}

struct obj *cache_by_uid(const cache_t *c, const char *uid)
{
    if (!uid || !c->by_uid.nbuckets)
        return NULL;
    struct obj *o = c->by_uid.buckets[uid_hash(uid) & (c->by_uid.nbuckets - 1)];
    while (o && o->uid != uid)
        o = o->next_uid;
    return o;
}

struct owner *cache_children(cache_t *c, const char *uid)
{
    return uid && c->by_owner.nbuckets ? c->by_owner.buckets[uid_hash(uid) & (c->by_owner.nbuckets - 1)]
                                       : NULL;
}

struct obj *cache_lookup(cache_t *c, const struct obj_key *key)
{
    if (!c->by_key.nbuckets)
        return NULL;
    const char *group = intern(str_or_empty(key->group)), *kind = intern(str_or_empty(key->kind));
    const char *ns = intern(str_or_empty(key->ns)), *name = intern(str_or_empty(key->name));
    struct obj *o = c->by_key.buckets[hash_pointers(group, kind, ns, name) & (c->by_key.nbuckets - 1)];
    while (o && (o->name != name || o->ns != ns || o->of->kind != kind || o->of->group != group))
        o = o->next_key;
    intern_unref(group);
    intern_unref(kind);
    intern_unref(ns);
    intern_unref(name);
    return o;
}

static void link_kind(struct obj *o)
{
    struct obj *first = map_get(&o->of->objects, o->ns);
    o->prev_kind = NULL;
    o->next_kind = first;
    if (first)
        first->prev_kind = o;
    map_put(&o->of->objects, o->ns, o);
    o->of->n++;
}

static void unlink_kind(struct obj *o)
{
    if (o->next_kind)
        o->next_kind->prev_kind = o->prev_kind;
    if (o->prev_kind)
        o->prev_kind->next_kind = o->next_kind;
    else if (o->next_kind)
        map_put(&o->of->objects, o->ns, o->next_kind);
    else
        map_del(&o->of->objects, o->ns);
    o->of->n--;
}

static void link_app(cache_t *c, struct obj *o)
{
    struct obj *first = map_get(&c->by_app, o->app);
    o->prev_app = NULL;
    o->next_app = first;
    if (first)
        first->prev_app = o;
    map_put(&c->by_app, o->app, o);
    c->managed++;
}

static void unlink_app(cache_t *c, struct obj *o)
{
    if (o->next_app)
        o->next_app->prev_app = o->prev_app;
    if (o->prev_app)
        o->prev_app->next_app = o->next_app;
    else if (o->next_app)
        map_put(&c->by_app, o->app, o->next_app);
    else
        map_del(&c->by_app, o->app);
    c->managed--;
}

/* Adds the pod to (sign 1) or takes it from (-1) what its node bears. */
static void count_on_node(cache_t *c, const struct obj *o, int sign)
{
    if (!o->info.node || o->info.is_host)
        return;
    struct node_sum *sum = map_get(&c->nodes, o->info.node);
    if (!sum) {
        sum = xcalloc(1, sizeof(*sum));
        map_put(&c->nodes, o->info.node, sum);
    }
    sum->cpu += sign * o->info.cpu_milli;
    sum->memory += sign * o->info.memory_milli;
    sum->pods += (size_t)sign;
    if (!sum->pods)
        map_del(&c->nodes, o->info.node);
}

void cache_index(cache_t *c, struct obj *o)
{
    count_on_node(c, o, 1);
    c->twins += cache_by_uid(c, o->uid) != NULL;
    table_add(&c->by_key, o, offsetof(struct obj, next_key), hash_by_key);
    table_add(&c->by_uid, o, offsetof(struct obj, next_uid), hash_by_uid);
    for (size_t i = 0; i < o->nowners; i++) {
        o->owners[i].child = o;
        if (o->owners[i].uid)
            table_add(&c->by_owner, &o->owners[i], offsetof(struct owner, next), hash_by_owner);
    }
    link_kind(o);
    if (o->app)
        link_app(c, o);
}

void cache_unindex(cache_t *c, struct obj *o)
{
    count_on_node(c, o, -1);
    table_remove(&c->by_key, o, offsetof(struct obj, next_key), hash_by_key);
    table_remove(&c->by_uid, o, offsetof(struct obj, next_uid), hash_by_uid);
    c->twins -= cache_by_uid(c, o->uid) != NULL;
    for (size_t i = 0; i < o->nowners; i++)
        if (o->owners[i].uid)
            table_remove(&c->by_owner, &o->owners[i], offsetof(struct owner, next), hash_by_owner);
    unlink_kind(o);
    if (o->app)
        unlink_app(c, o);
}

void obj_drop_owners(struct obj *o)
{
    for (size_t i = 0; i < o->nowners; i++) {
        intern_unref(o->owners[i].group);
        intern_unref(o->owners[i].kind);
        intern_unref(o->owners[i].name);
        intern_unref(o->owners[i].uid);
    }
    slab_free(o->owners, o->nowners * sizeof(*o->owners));
    o->owners = NULL;
    o->nowners = 0;
}

void obj_free(struct obj *o)
{
    if (!o)
        return;
    intern_unref(o->ns);
    intern_unref(o->name);
    intern_unref(o->uid);
    intern_unref(o->app);
    intern_unref(o->health_message);
    obj_drop_owners(o);
    slab_strfree(o->rv);
    pack_free(o->content);
    node_info_release(&o->info);
    slab_free(o, sizeof(*o));
}
