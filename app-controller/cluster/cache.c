/* Putting objects in and telling who is concerned. */
#include "app-controller/cluster/cache_internal.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/json/patch.h"

enum { MAX_OWNER_STEPS = 64 };

static void free_names(void *p)
{
    map_dispose(p);
    free(p);
}

cache_t *cache_new(const settings_t *settings, const unsigned char mask_key[MASK_KEY_SIZE],
                   cache_change_fn on_change, void *ctx)
{
    cache_t *c = xcalloc(1, sizeof(*c));
    pthread_mutex_init(&c->lock, NULL);
    c->settings = settings_ref(settings);
    memcpy(c->mask_key, mask_key, MASK_KEY_SIZE);
    c->on_change = on_change;
    c->ctx = ctx;
    c->nodes.value_free = free;
    c->orphans.value_free = free_names;
    c->claims.value_free = free;
    c->scripts = script_host_new();
    return c;
}

static void drop_objects(cache_t *c, cache_kind_t *k)
{
    MAP_FOREACH(&k->objects, e) {
        for (struct obj *o = e->value, *next; o; o = next) {
            next = o->next_kind;
            cache_unindex(c, o);
            obj_free(o);
        }
    }
}

static void kind_free(cache_kind_t *k)
{
    intern_unref(k->group);
    intern_unref(k->version);
    intern_unref(k->kind);
    projection_free(k->projection);
    map_dispose(&k->objects);
    free(k);
}

void cache_free(cache_t *c)
{
    if (!c)
        return;
    while (c->kinds) {
        cache_kind_t *next = c->kinds->next;
        drop_objects(c, c->kinds);
        kind_free(c->kinds);
        c->kinds = next;
    }
    table_free(&c->by_key);
    table_free(&c->by_uid);
    table_free(&c->by_owner);
    map_dispose(&c->by_app);
    map_dispose(&c->nodes);
    map_dispose(&c->orphans);
    map_dispose(&c->claims);
    settings_unref(c->settings);
    script_host_free(c->scripts);
    free(c->gone);
    wipe(c->mask_key, sizeof(c->mask_key));
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void cache_set_settings(cache_t *c, const settings_t *settings)
{
    LOCKED(&c->lock);
    settings_unref(c->settings);
    c->settings = settings_ref(settings);
}

cache_kind_t *cache_kind_find(cache_t *c, const char *group, const char *kind)
{
    cache_kind_t *k = c->kinds;
    while (k && (strcmp(k->kind, kind) != 0 || strcmp(k->group, str_or_empty(group)) != 0))
        k = k->next;
    return k;
}

cache_kind_t *cache_kind_add(cache_t *c, const char *group, const char *version, const char *kind,
                             bool namespaced)
{
    cache_kind_t *k = xcalloc(1, sizeof(*k));
    static const char *const everything[] = {"*"};
    size_t n;
    const char *const *paths = node_info_paths(group, kind, &n);
    uint64_t script, rules;
    {
        LOCKED(&c->lock);
        rules = cache_rules_hash(c->settings);
        script = cache_script_hash(c->settings, group, kind);
    }
    if (script) {
        paths = everything;
        n = 1;
    }
    *k = (cache_kind_t){.group = intern(str_or_empty(group)),
                        .version = intern(version),
                        .kind = intern(kind),
                        .namespaced = namespaced,
                        .script = script,
                        .rules = rules,
                        .projection = projection_new(paths, n)};
    LOCKED(&c->lock);
    k->next = c->kinds;
    c->kinds = k;
    return k;
}

void cache_kind_remove(cache_t *c, cache_kind_t *k)
{
    notes_t notes = {};
    {
        LOCKED(&c->lock);
        MAP_FOREACH(&k->objects, e)
            for (struct obj *o = e->value; o; o = o->next_kind)
                cache_note(c, o, &notes);
        drop_objects(c, k);
        cache_kind_t **p = &c->kinds;
        while (*p != k)
            p = &(*p)->next;
        *p = k->next;
        kind_free(k);
    }
    notes_tell(c, &notes);
}

/* ---- notes ---- */

/* Instance name that the object is tracked for, looking up its owners in the same namespace. */
static const char *app_of(cache_t *c, const struct obj *o, int steps)
{
    if (o->app && !o->nowners)
        return o->app;
    for (size_t i = 0; steps > 0 && i < o->nowners; i++) {
        const struct obj *parent = cache_by_uid(c, o->owners[i].uid);
        const char *app = parent && parent != o ? app_of(c, parent, steps - 1) : NULL;
        if (app)
            return app;
    }
    return o->app;
}

static void add_note(const struct obj *o, const char *app, notes_t *notes)
{
    struct note n = {.app = intern_ref(app),
                     .managed = o->app && !o->nowners,
                     .group = intern_ref(o->of->group),
                     .kind = intern_ref(o->of->kind),
                     .ns = intern_ref(o->ns),
                     .name = intern_ref(o->name),
                     .uid = intern_ref(o->uid)};
    VEC_PUSH(notes, n);
}

void cache_note(cache_t *c, const struct obj *o, notes_t *notes)
{
    const char *app = app_of(c, o, MAX_OWNER_STEPS);
    if (!*o->of->group && strcmp(o->of->kind, "Endpoints") == 0)
        return;
    if (app) {
        add_note(o, app, notes);
        return;
    }
    map_t *watchers = c->orphans.n && *o->ns ? map_get(&c->orphans, o->ns) : NULL;
    if (!watchers)
        return;
    MAP_FOREACH(watchers, e) {
        const char *name = intern(e->key);
        add_note(o, name, notes);
        intern_unref(name);
    }
}

void notes_tell(cache_t *c, notes_t *notes)
{
    VEC_FOREACH(notes, n) {
        struct cache_change change = {
            .app = n->app, .managed = n->managed, .key = {n->group, n->kind, n->ns, n->name}, .uid = n->uid};
        if (c->on_change)
            c->on_change(c->ctx, &change);
        intern_unref(n->app);
        intern_unref(n->group);
        intern_unref(n->kind);
        intern_unref(n->ns);
        intern_unref(n->name);
        intern_unref(n->uid);
    }
    VEC_FREE(notes);
}

/* ---- from document to record ---- */

void obj_add_owner(struct obj *o, const char *group, const char *kind, const char *name, const char *uid)
{
    if (o->nowners == UINT8_MAX)
        return;
    size_t had = o->nowners * sizeof(*o->owners);
    o->owners = slab_resize(o->owners, had, had + sizeof(*o->owners));
    o->owners[o->nowners++] = (struct owner){.group = intern(str_or_empty(group)),
                                             .kind = intern(str_or_empty(kind)),
                                             .name = intern(str_or_empty(name)),
                                             .uid = str_empty(uid) ? NULL : intern(uid)};
}

static void read_owners(struct obj *o, const json_t *doc)
{
    json_t *list = json_at(doc, "metadata", "ownerReferences");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *r = json_array_get(list, i);
        AUTO(free_p) char *group = object_group(r);
        obj_add_owner(o, group, json_str_at(r, "kind"), json_str_at(r, "name"), json_str_at(r, "uid"));
    }
}

static void assess(cache_t *c, struct obj *o, const json_t *doc)
{
    struct health h;
    if (cache_check_later(c, o, doc))
        return;
    struct health_overrides overrides = {.host = c->scripts};
    health_assess_by(&overrides, doc, &h, NULL);
    o->health = (uint8_t)h.status;
    o->health_message = str_empty(h.message) ? NULL : intern(h.message);
    health_dispose(&h);
}

/* What a change must touch to count, as a hash; jq expressions have their say later (cache_check.c). */
static uint64_t update_hash(cache_t *c, const json_t *doc)
{
    if (!settings_ignore_updates_enabled(c->settings))
        return 0;
    AUTO_JSON copy = json_copy_deep(doc);
    struct normalize_options options = {};
    options.rules = settings_ignore_update_rules(c->settings, &options.nrules);
    for (size_t i = 0; i < options.nrules; i++) {
        if (!ignore_rule_matches(&options.rules[i], copy))
            continue;
        for (size_t p = 0; options.rules[i].pointers && options.rules[i].pointers[p]; p++)
            json_pointer_remove(copy, options.rules[i].pointers[p], NULL);
    }
    return json_hash(copy, 1) | 1;
}

/* The content that comparisons need, for objects of an application. */
static int read_content(cache_t *c, struct obj *o, const char *p, size_t n, err_t **err)
{
    AUTO_JSON full = NULL;
    if (json_read(p, n, &full, err) < 0)
        return err_wrap(err, "%s %s/%s", o->of->kind, o->ns, o->name);
    json_drop_at(full, "metadata", "managedFields");
    /* Items of lists carry no kind. */
    AUTO(free_p)
    char *api = *o->of->group ? xasprintf("%s/%s", o->of->group, o->of->version) : xstrdup(o->of->version);
    if (!json_at(full, "apiVersion"))
        json_set_str(full, "apiVersion", api);
    if (!json_at(full, "kind"))
        json_set_str(full, "kind", o->of->kind);
    o->update_hash = update_hash(c, full);
    mask_for_storage(full, c->mask_key);
    o->content = pack_json(full);
    return 0;
}

static int make_record(cache_t *c, cache_kind_t *k, const char *p, size_t n, struct obj **out, err_t **err)
{
    AUTO_JSON doc = NULL;
    if (json_read_projected(p, n, k->projection, &doc, err) < 0)
        return err_wrap(err, "malformed %s", k->kind);
    if (!*object_name(doc) || !*object_uid(doc))
        return err_set(err, ERR_INVALID_ARGUMENT, "a %s without name or uid", k->kind);
    /* Items of lists carry no kind, which health and information go by. */
    AUTO(free_p) char *api = *k->group ? xasprintf("%s/%s", k->group, k->version) : xstrdup(k->version);
    json_set_str(doc, "apiVersion", api);
    json_set_str(doc, "kind", k->kind);
    struct obj *o = slab_zalloc(sizeof(*o));
    o->of = k;
    o->ns = intern(object_namespace(doc));
    o->name = intern(object_name(doc));
    o->uid = intern(object_uid(doc));
    o->rv = slab_strdup(object_resource_version(doc));
    o->deleting = json_at(doc, "metadata", "deletionTimestamp") != NULL;
    wall_t created;
    if (json_at(doc, "metadata", "creationTimestamp") &&
        rfc3339_parse(json_str_at(doc, "metadata", "creationTimestamp"), &created))
        o->created = created.ns / NS_PER_SEC;
    read_owners(o, doc);
    cache_infer(c, o, doc);
    assess(c, o, doc);
    node_info_of(doc, settings_custom_labels(c->settings), &o->info);
    AUTO(free_p) char *app = tracking_owner(settings_tracking(c->settings), doc);
    if (app)
        o->app = intern(app);
    if (o->app && !o->nowners && read_content(c, o, p, n, err) < 0) {
        obj_free(o);
        return -(int)ERR_INVALID_ARGUMENT;
    }
    *out = o;
    return 0;
}

/* ---- putting ---- */

static bool same_owners(const struct obj *a, const struct obj *b)
{
    if (a->nowners != b->nowners)
        return false;
    for (size_t i = 0; i < a->nowners; i++)
        if (a->owners[i].uid != b->owners[i].uid || a->owners[i].name != b->owners[i].name)
            return false;
    return true;
}

/* Whether anything changed that an application would show or decide on, as far as it is known yet. */
static bool matters(cache_t *c, const struct obj *old, const struct obj *now)
{
    bool content = !(old->update_hash && now->update_hash) ? strcmp(old->rv, now->rv) != 0 && now->app
                                                           : old->update_hash != now->update_hash;
    bool shown = old->app != now->app || old->uid != now->uid || old->health != now->health ||
                 old->health_message != now->health_message || old->deleting != now->deleting ||
                 !node_info_same(&old->info, &now->info) || !same_owners(old, now);
    return shown || (content && !cache_update_later(c, old, now));
}

/* The watch may tell of an object's end before we have read the answer to our own write: what the answer says
 * would be in the cache for ever. What has owners is not written by us. */
static void remember_end(cache_t *c, const struct obj *o)
{
    if (o->nowners)
        return;
    if (!c->gone)
        c->gone = xcalloc(NGONE, sizeof(*c->gone));
    c->gone[c->ngone++ % NGONE] = hash_keyed(o->uid, strlen(o->uid)) | 1;
}

static bool has_ended(const cache_t *c, const char *uid)
{
    uint64_t hash = hash_keyed(uid, strlen(uid)) | 1;
    for (size_t i = 0; c->gone && i < NGONE; i++)
        if (c->gone[i] == hash)
            return true;
    return false;
}

/* Takes the record in. */
static void store(cache_t *c, struct obj *o, notes_t *notes)
{
    struct obj_key key = {o->of->group, o->of->kind, o->ns, o->name};
    struct obj *old = cache_lookup(c, &key);
    o->generation = o->of->generation;
    if (!old) {
        cache_index(c, o);
        cache_adopt(c, o, true);
        cache_note(c, o, notes);
        return;
    }
    bool news = matters(c, old, o);
    if (news)
        cache_note(c, old, notes);
    cache_unindex(c, old);
    cache_index(c, o);
    if (news && (old->app != o->app || !same_owners(old, o) || !notes->n))
        cache_note(c, o, notes);
    if (old->uid != o->uid) {
        remember_end(c, old);
        cache_abandon(c, old, true);
    }
    cache_adopt(c, o, old->uid != o->uid);
    obj_free(old);
}

static bool is_overtaken(cache_t *c, const struct obj *o)
{
    const struct obj *have = cache_lookup(c, &(struct obj_key){o->of->group, o->of->kind, o->ns, o->name});
    return have && have->uid == o->uid && resource_version_older(o->rv, have->rv);
}

int cache_put(cache_t *c, cache_kind_t *k, const char *p, size_t n, bool listed, err_t **err)
{
    notes_t notes = {};
    int r;
    {
        LOCKED(&c->lock);
        struct obj *o = NULL;
        r = make_record(c, k, p, n, &o, err);
        if (r == 0 && !listed && is_overtaken(c, o))
            obj_free(o);
        else if (r == 0)
            store(c, o, &notes);
    }
    notes_tell(c, &notes);
    return r;
}

static void forget(cache_t *c, struct obj *o, notes_t *notes)
{
    remember_end(c, o);
    cache_note(c, o, notes);
    cache_unindex(c, o);
    cache_abandon(c, o, false);
    obj_free(o);
}

int cache_delete(cache_t *c, cache_kind_t *k, const char *p, size_t n, err_t **err)
{
    notes_t notes = {};
    AUTO_JSON doc = NULL;
    if (json_read_projected(p, n, k->projection, &doc, err) < 0)
        return err_wrap(err, "malformed %s", k->kind);
    {
        LOCKED(&c->lock);
        struct obj_key key = {k->group, k->kind, object_namespace(doc), object_name(doc)};
        struct obj *o = cache_lookup(c, &key);
        /* The same name may already be another object's. */
        if (o && strcmp(o->uid, object_uid(doc)) == 0)
            forget(c, o, &notes);
    }
    notes_tell(c, &notes);
    return 0;
}

uint32_t cache_kind_list(cache_t *c, cache_kind_t *k)
{
    LOCKED(&c->lock);
    return ++k->generation;
}

static void forget_older(cache_t *c, struct obj *first, uint32_t mark, notes_t *notes)
{
    for (struct obj *o = first, *next; o; o = next) {
        next = o->next_kind;
        if ((int32_t)(o->generation - mark) < 0)
            forget(c, o, notes);
    }
}

void cache_kind_synced(cache_t *c, cache_kind_t *k, const char *ns, uint32_t mark)
{
    notes_t notes = {};
    {
        LOCKED(&c->lock);
        if (ns)
            forget_older(c, map_get(&k->objects, ns), mark, &notes);
        else
            MAP_FOREACH(&k->objects, e)
                forget_older(c, e->value, mark, &notes);
        k->synced = true;
    }
    notes_tell(c, &notes);
}

void cache_put_own(cache_t *c, const json_t *object)
{
    AUTO(free_p) char *group = object_group(object);
    AUTO(free_p) char *text = json_text(object, JSON_GO);
    notes_t notes = {};
    {
        LOCKED(&c->lock);
        cache_kind_t *k = cache_kind_find(c, group, object_kind(object));
        AUTO(free_p) char *version = object_version(object);
        if (k && strcmp(k->version, version) == 0) {
            struct obj_key key = {k->group, k->kind, object_namespace(object), object_name(object)};
            struct obj *o = cache_lookup(c, &key), *made = NULL;
            bool same = o && strcmp(o->uid, object_uid(object)) == 0;
            bool stale = same ? resource_version_older(object_resource_version(object), o->rv)
                              : has_ended(c, object_uid(object));
            if (!stale && make_record(c, k, text, strlen(text), &made, NULL) == 0)
                store(c, made, &notes);
        }
    }
    notes_tell(c, &notes);
}

void cache_delete_own(cache_t *c, const struct obj_key *key, const char *uid)
{
    notes_t notes = {};
    {
        LOCKED(&c->lock);
        struct obj *o = cache_lookup(c, key);
        if (o && strcmp(o->uid, uid) == 0)
            forget(c, o, &notes);
    }
    notes_tell(c, &notes);
}
