/* Answers about the cache: copies of records, and trees. */
#include "app-controller/cluster/cache_internal.h"
#include "common/base/clock.h"
#include "common/base/hash.h"

enum { MAX_TREE_DEPTH = 64 };

void cache_stats(cache_t *c, struct cache_stats *out)
{
    *out = (struct cache_stats){};
    LOCKED(&c->lock);
    for (cache_kind_t *k = c->kinds; k; k = k->next) {
        out->kinds++;
        out->objects += k->n;
    }
    out->managed = c->managed;
}

bool cache_watches(cache_t *c, const char *group, const char *kind)
{
    LOCKED(&c->lock);
    cache_kind_t *k = cache_kind_find(c, group, kind);
    return k && k->synced;
}

void live_dispose(struct live *l)
{
    free(l->group);
    free(l->version);
    free(l->kind);
    free(l->ns);
    free(l->name);
    free(l->uid);
    free(l->rv);
    free(l->health_message);
    pack_free(l->content);
    intern_unref(l->app);
    *l = (struct live){};
}

static void copy_live(const struct obj *o, struct live *out)
{
    *out = (struct live){.group = xstrdup(o->of->group),
                         .version = xstrdup(o->of->version),
                         .kind = xstrdup(o->of->kind),
                         .ns = xstrdup(o->ns),
                         .name = xstrdup(o->name),
                         .uid = xstrdup(o->uid),
                         .rv = xstrdup(o->rv),
                         .content = pack_copy(o->content),
                         .health = (enum health_status)o->health,
                         .health_message = xstrdup(o->health_message),
                         .has_owner = o->nowners > 0,
                         .deleting = o->deleting,
                         .app = intern_ref(o->app)};
}

struct live *cache_managed(cache_t *c, const char *app, size_t *n)
{
    VEC(struct live) out = {};
    LOCKED(&c->lock);
    for (struct obj *o = map_get(&c->by_app, app); o; o = o->next_app)
        if (!o->nowners)
            copy_live(o, VEC_ADD(&out));
    *n = out.n;
    return out.v;
}

bool cache_find(cache_t *c, const struct obj_key *key, struct live *out)
{
    LOCKED(&c->lock);
    const struct obj *o = cache_lookup(c, key);
    if (o)
        copy_live(o, out);
    return o != NULL;
}

const char *cache_owner_app(cache_t *c, const struct obj_key *key)
{
    LOCKED(&c->lock);
    const struct obj *o = cache_lookup(c, key);
    return o ? intern_ref(o->app) : NULL;
}

static uint64_t add_print(uint64_t sum, const struct obj *o)
{
    uint64_t h = hash_content(o->rv, strlen(o->rv), (uintptr_t)o->uid);
    return sum + hash_content(&h, sizeof(h), o->health);
}

uint64_t cache_fingerprint(cache_t *c, const char *app, const struct obj_key *keys, size_t n)
{
    LOCKED(&c->lock);
    uint64_t sum = 1;
    for (const struct obj *o = map_get(&c->by_app, app); o; o = o->next_app)
        if (!o->nowners)
            sum = add_print(sum, o);
    for (size_t i = 0; i < n; i++) {
        const struct obj *o = cache_lookup(c, &keys[i]);
        sum = o ? add_print(sum, o) : sum * 31 + i;
    }
    return sum;
}

/* ---- trees ---- */

/* Texts that many records share are read once for a tree: its nodes share what was read, for reading only.
 * A text that falls on another's place takes it. Only while the cache's lock is held. */
enum { READINGS = 64 };
struct readings {
    struct {
        const char *text; /* borrowed from a record */
        json_t *value;
    } v[READINGS];
};

static void readings_dispose(struct readings *r)
{
    for (size_t i = 0; i < READINGS; i++)
        json_decref(r->v[i].value);
}

/* Borrowed; NULL for NULL. */
static json_t *reading_of(struct readings *r, const char *interned_json)
{
    size_t at = hash_pointers(interned_json, NULL, NULL, NULL) % READINGS;
    if (!interned_json || r->v[at].text == interned_json)
        return interned_json ? r->v[at].value : NULL;
    json_decref(r->v[at].value);
    r->v[at].text = interned_json;
    r->v[at].value = NULL;
    if (json_read_str(interned_json, &r->v[at].value, NULL) < 0)
        r->v[at].value = NULL;
    return r->v[at].value;
}

static void put_raw(struct readings *r, json_t *node, const char *key, const char *interned_json)
{
    json_t *v = reading_of(r, interned_json);
    if (v)
        json_object_set_nocheck(node, key, v);
}

static json_t *health_json(enum health_status status, const char *message)
{
    json_t *h = json_object();
    json_set_str(h, "status", health_name(status));
    json_put_str(h, "message", message);
    return h;
}

static json_t *parent_refs(cache_t *c, const struct obj *o)
{
    json_t *list = json_array();
    for (size_t i = 0; i < o->nowners; i++) {
        const struct owner *w = &o->owners[i];
        const struct obj *parent = cache_by_uid(c, w->uid);
        json_t *r = json_object();
        const cache_kind_t *of = parent ? parent->of : cache_kind_find(c, w->group, w->kind);
        json_put_str(r, "group", w->group);
        json_put_str(r, "version", of ? of->version : NULL);
        json_put_str(r, "kind", w->kind);
        json_put_str(r, "namespace", parent ? parent->ns : "");
        json_put_str(r, "name", w->name);
        json_put_str(r, "uid", w->uid);
        json_array_append_new(list, r);
    }
    return list;
}

/* Kinds that Argo CD shows networking of even where there is none. */
static bool has_network(const cache_kind_t *k)
{
    return !*k->group && (strcmp(k->kind, "Pod") == 0 || strcmp(k->kind, "Service") == 0);
}

static json_t *node_of(cache_t *c, const struct obj *o, struct readings *r)
{
    json_t *n = json_object();
    json_put_str(n, "group", o->of->group);
    json_put_str(n, "version", o->of->version);
    json_put_str(n, "kind", o->of->kind);
    json_put_str(n, "namespace", o->ns);
    json_put_str(n, "name", o->name);
    json_put_str(n, "uid", o->uid);
    if (o->nowners)
        json_object_set_new_nocheck(n, "parentRefs", parent_refs(c, o));
    json_t *items = node_info_items(&o->info, reading_of(r, o->info.info));
    if (json_array_size(items))
        json_object_set_nocheck(n, "info", items);
    json_decref(items);
    put_raw(r, n, "networkingInfo", o->info.networking);
    if (!o->info.networking && has_network(o->of))
        json_object_set_new_nocheck(n, "networkingInfo", json_object());
    json_put_str(n, "resourceVersion", o->rv);
    put_raw(r, n, "images", o->info.images);
    if (o->health)
        json_object_set_new_nocheck(n, "health",
                                    health_json((enum health_status)o->health, o->health_message));
    if (o->created) {
        char text[RFC3339_TEXT];
        rfc3339((wall_t){o->created * NS_PER_SEC}, text);
        json_set_str(n, "createdAt", text);
    }
    return n;
}

typedef bool (*visit_fn)(void *ctx, cache_t *c, const struct obj *o);

/* Objects are marked with the number of the walk that has seen them: 2^32 walks later one that was not seen
 * since might be left out of one tree. */
struct walk {
    cache_t *c;
    uint32_t number;
    visit_fn visit; /* false: neither this one nor what is below it */
    void *ctx;
};

static bool first_time(const struct walk *w, struct obj *o)
{
    bool first = o->walked != w->number;
    o->walked = w->number;
    return first;
}

/* One object that several groups serve is in the cache once for each, with one uid: the one whose key is
 * smaller, as a text, is the child. */
static bool is_twin(const cache_t *c, const struct obj *o)
{
    for (const struct obj *other = c->twins ? cache_by_uid(c, o->uid) : NULL; other;
         other = other->next_uid) {
        if (other == o || other->uid != o->uid || other->ns != o->ns)
            continue;
        AUTO(free_p) char *mine = xasprintf("%s/%s/", o->of->group, o->of->kind);
        AUTO(free_p) char *its = xasprintf("%s/%s/", other->of->group, other->of->kind);
        if (strcmp(its, mine) < 0)
            return true;
    }
    return false;
}

static void walk(const struct walk *w, struct obj *o, int depth)
{
    if (depth > MAX_TREE_DEPTH || !first_time(w, o) || !w->visit(w->ctx, w->c, o))
        return;
    for (struct owner *r = cache_children(w->c, o->uid); r; r = r->next)
        if (r->uid == o->uid && (r->child->ns == o->ns || !*o->ns) && !is_twin(w->c, r->child))
            walk(w, r->child, depth + 1);
}

static void walk_roots(cache_t *c, const struct tree_root *roots, size_t n, visit_fn visit, void *ctx,
                       void (*missing)(void *ctx, const struct tree_root *root))
{
    struct walk w = {.c = c, .number = ++c->walks, .visit = visit, .ctx = ctx};
    for (size_t i = 0; i < n; i++) {
        struct obj *o = cache_lookup(c, &roots[i].key);
        if (o)
            walk(&w, o, 0);
        else if (missing)
            missing(ctx, &roots[i]);
    }
}

/* Nodes to be sorted by the texts that they were made of, borrowed from records and roots. */
struct sortable {
    const char *group, *kind, *ns, *name, *uid;
    json_t *node;
};
struct sortables {
    VEC(struct sortable) list;
    struct readings readings;
};

static int by_key(const void *a, const void *b)
{
    const struct sortable *x = a, *y = b;
    const char *const pairs[][2] = {
        {x->group, y->group}, {x->kind, y->kind}, {x->ns, y->ns}, {x->name, y->name}, {x->uid, y->uid}};
    int d = 0;
    for (size_t i = 0; d == 0 && i < ARRAY_LEN(pairs); i++)
        d = pairs[i][0] == pairs[i][1] ? 0 : str_cmp(pairs[i][0], pairs[i][1]);
    return d;
}

/* The nodes as an array in order; with the cache's lock held. */
static json_t *sorted(struct sortables *nodes)
{
    json_t *out = json_array();
    if (nodes->list.n > 1)
        qsort(nodes->list.v, nodes->list.n, sizeof(*nodes->list.v), by_key);
    VEC_FOREACH(&nodes->list, s)
        json_array_append_new(out, s->node);
    VEC_FREE(&nodes->list);
    readings_dispose(&nodes->readings);
    return out;
}

static void add_sortable(struct sortables *nodes, cache_t *c, const struct obj *o)
{
    struct sortable s = {o->of->group, o->of->kind, o->ns, o->name, o->uid, node_of(c, o, &nodes->readings)};
    VEC_PUSH(&nodes->list, s);
}

struct tree_build {
    struct sortables nodes;
    cache_permit_fn permitted;
    void *ctx;
};

static bool add_node(void *ctx, cache_t *c, const struct obj *o)
{
    struct tree_build *b = ctx;
    struct obj_key key = {o->of->group, o->of->kind, o->ns, o->name};
    if (b->permitted && !b->permitted(b->ctx, &key))
        return false;
    add_sortable(&b->nodes, c, o);
    return true;
}

static void add_stub(void *ctx, const struct tree_root *root)
{
    struct tree_build *b = ctx;
    json_t *n = json_object();
    json_put_str(n, "group", root->key.group);
    json_put_str(n, "version", root->version);
    json_put_str(n, "kind", root->key.kind);
    json_put_str(n, "namespace", root->key.ns);
    json_put_str(n, "name", root->key.name);
    json_object_set_new_nocheck(n, "health", health_json(HEALTH_MISSING, NULL));
    struct sortable s = {
        str_or_empty(root->key.group), root->key.kind, str_or_empty(root->key.ns), root->key.name, NULL, n};
    VEC_PUSH(&b->nodes.list, s);
}

json_t *cache_tree(cache_t *c, const struct tree_root *roots, size_t n, cache_permit_fn permitted, void *ctx)
{
    struct tree_build b = {.permitted = permitted, .ctx = ctx};
    LOCKED(&c->lock);
    walk_roots(c, roots, n, add_node, &b, add_stub);
    return sorted(&b.nodes);
}

struct orphan_walk {
    cache_orphan_fn keep;
    void *ctx;
    struct sortables nodes;
};

static bool add_orphan(void *ctx, cache_t *c, const struct obj *o)
{
    struct orphan_walk *w = ctx;
    struct obj_key key = {o->of->group, o->of->kind, o->ns, o->name};
    if (!w->keep(w->ctx, &key, o->app, o->nowners == 0))
        return false;
    add_sortable(&w->nodes, c, o);
    return true;
}

/* With the lock held. */
static void look_after(cache_t *c, const char *instance, const char *ns)
{
    map_t *watchers = map_get(&c->orphans, ns);
    if (!watchers) {
        watchers = xcalloc(1, sizeof(*watchers));
        map_put(&c->orphans, ns, watchers);
    }
    map_put(watchers, instance, NULL);
}

json_t *cache_orphans(cache_t *c, const char *instance, const char *ns, const struct tree_root *roots,
                      size_t n, cache_orphan_fn keep, void *ctx)
{
    struct orphan_walk orphans = {.keep = keep, .ctx = ctx};
    LOCKED(&c->lock);
    struct walk w = {.c = c, .number = ++c->walks, .visit = add_orphan, .ctx = &orphans};
    look_after(c, instance, ns);
    for (size_t i = 0; i < n; i++) {
        struct obj *o = cache_lookup(c, &roots[i].key);
        if (o)
            o->walked = w.number;
    }
    for (cache_kind_t *k = c->kinds; k; k = k->next)
        for (struct obj *o = k->namespaced ? map_get(&k->objects, ns) : NULL; o; o = o->next_kind)
            if (!o->nowners)
                walk(&w, o, 0);
    return sorted(&orphans.nodes);
}

struct find {
    const struct obj_key *key;
    bool found;
};

static bool find_node(void *ctx, cache_t *c, const struct obj *o)
{
    struct find *f = ctx;
    (void)c;
    f->found = f->found || (strcmp(o->name, f->key->name) == 0 && strcmp(o->of->kind, f->key->kind) == 0 &&
                            str_same(o->ns, f->key->ns) && str_same(o->of->group, f->key->group));
    return !f->found;
}

bool cache_tree_has(cache_t *c, const struct tree_root *roots, size_t n, const struct obj_key *key)
{
    struct find f = {.key = key};
    LOCKED(&c->lock);
    walk_roots(c, roots, n, find_node, &f, NULL);
    return f.found;
}

/* ---- hosts ---- */

static bool add_pod(void *ctx, cache_t *c, const struct obj *o)
{
    (void)c;
    map_t *hosts = ctx;
    if (!o->info.node || o->info.is_host)
        return true;
    struct node_sum *h = map_get(hosts, o->info.node);
    if (!h) {
        h = xcalloc(1, sizeof(*h));
        map_put(hosts, o->info.node, h);
    }
    h->cpu += o->info.cpu_milli;
    h->memory += o->info.memory_milli;
    return true;
}

json_t *cache_hosts(cache_t *c, const struct tree_root *roots, size_t n)
{
    map_t hosts = MAP_INIT(free);
    json_t *out = json_array();
    LOCKED(&c->lock);
    walk_roots(c, roots, n, add_pod, &hosts, NULL);
    AUTO(free_p) const char **names = map_sorted_keys(&hosts);
    for (size_t i = 0; names[i]; i++) {
        json_t *host = cache_host_json(c, names[i], map_get(&hosts, names[i]));
        if (host)
            json_array_append_new(out, host);
    }
    map_dispose(&hosts);
    return out;
}
