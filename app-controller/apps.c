#include "app-controller/apps.h"
#include "common/argo/app.h"
#include "common/base/intern.h"
#include "common/base/map.h"
#include "common/base/slab.h"
#include "common/json/project.h"
#include "common/kinds/kinds.h"

enum { NEWS = 4096 };

struct apps {
    lock_t lock; /* guards the map, reference counts and the news */
    cond_t news_cond;
    map_t by_key; /* k: "namespace/name", v: struct app * */
    uint64_t rev;
    /* The keys of the last changes; news[r % NEWS] is what became revision r. */
    const char *news[NEWS]; /* interned */
};

void rendering_dispose(struct rendering *r)
{
    intern_unref(r->key);
    intern_unref(r->revision);
    intern_unref(r->type);
    pack_free(r->manifests);
    json_decref(r->warnings);
    *r = (struct rendering){};
}

struct rendering rendering_copy(const struct rendering *r)
{
    return (struct rendering){.key = intern_ref(r->key),
                              .revision = intern_ref(r->revision),
                              .type = intern_ref(r->type),
                              .manifests = pack_copy(r->manifests),
                              .warnings = json_copy_deep(r->warnings),
                              .source_hash = r->source_hash,
                              .given = r->given};
}

void found_resource_dispose(struct found_resource *r)
{
    intern_unref(r->root.key.group);
    intern_unref(r->root.key.kind);
    intern_unref(r->root.key.ns);
    intern_unref(r->root.key.name);
    intern_unref(r->root.version);
    free(r->health_message);
    free(r->where);
    *r = (struct found_resource){};
}

void app_set_resources(struct app *app, struct found_resource *list_take, size_t n)
{
    for (size_t i = 0; i < app->nresources; i++)
        found_resource_dispose(&app->resources[i]);
    slab_free(app->resources, app->nresources * sizeof(*app->resources));
    app->resources = list_take;
    app->nresources = n;
}

void app_set_renderings(struct app *app, struct rendering *list_take, size_t n)
{
    for (size_t i = 0; i < app->nrenderings; i++)
        rendering_dispose(&app->renderings[i]);
    slab_free(app->renderings, app->nrenderings * sizeof(*app->renderings));
    app->renderings = list_take;
    app->nrenderings = n;
}

static void app_free(struct app *app)
{
    intern_unref(app->key);
    intern_unref(app->ns);
    intern_unref(app->name);
    intern_unref(app->instance);
    intern_unref(app->uid);
    intern_unref(app->project);
    intern_unref(app->server);
    intern_unref(app->cluster_name);
    pack_free(app->doc);
    slab_strfree(app->rv);
    app_set_renderings(app, NULL, 0);
    app_set_resources(app, NULL, 0);
    cluster_unref(app->cluster);
    journal_dispose(&app->journal);
    free(app->woken_by);
    pthread_mutex_destroy(&app->lock);
    slab_free(app, sizeof(*app));
}

apps_t *apps_new(void)
{
    apps_t *a = xcalloc(1, sizeof(*a));
    pthread_mutex_init(&a->lock, NULL);
    cond_init(&a->news_cond);
    return a;
}

void apps_free(apps_t *a)
{
    if (!a)
        return;
    MAP_FOREACH(&a->by_key, e)
        app_free(e->value);
    map_dispose(&a->by_key);
    for (size_t i = 0; i < NEWS; i++)
        intern_unref(a->news[i]);
    pthread_mutex_destroy(&a->lock);
    pthread_cond_destroy(&a->news_cond);
    free(a);
}

struct app *apps_get(apps_t *a, const char *key)
{
    LOCKED(&a->lock);
    struct app *app = map_get(&a->by_key, key);
    if (app)
        app->refs++;
    return app;
}

struct app *apps_get_version(apps_t *a, const char *key, const char *uid, const char *rv)
{
    struct app *app = apps_get(a, key);
    bool same = false;
    if (app) {
        LOCKED(&app->lock);
        same = strcmp(app->uid, uid) == 0 && str_same(app->rv, rv);
    }
    if (app && !same)
        app_unref(a, TAKE(app));
    return app;
}

bool apps_has(apps_t *a, const char *key)
{
    LOCKED(&a->lock);
    return map_has(&a->by_key, key);
}

void app_unref(apps_t *a, struct app *app)
{
    if (!app)
        return;
    bool last;
    {
        LOCKED(&a->lock);
        last = --app->refs == 0;
    }
    if (last)
        app_free(app);
}

static struct app *app_new(const char *key, const char *instance, const json_t *doc)
{
    struct app *app = slab_zalloc(sizeof(*app));
    pthread_mutex_init(&app->lock, NULL);
    app->key = intern(key);
    app->tenure.key = app->key;
    app->ns = intern(object_namespace(doc));
    app->name = intern(object_name(doc));
    app->instance = intern(instance);
    app->uid = intern(object_uid(doc));
    app->refs = 1; /* the map's */
    return app;
}

static pack_t *pack_slim(const json_t *doc)
{
    if (!json_at(doc, "metadata", "managedFields"))
        return pack_json(doc);
    AUTO_JSON slim = json_copy((json_t *)(uintptr_t)doc);
    json_t *metadata = json_copy(json_object_get(doc, "metadata"));
    json_object_del(metadata, "managedFields");
    json_object_set_new_nocheck(slim, "metadata", metadata);
    return pack_json(slim);
}

const char *const apps_event_paths[] = {"metadata.namespace",
                                        "metadata.name",
                                        "metadata.uid",
                                        "metadata.resourceVersion",
                                        "metadata.deletionTimestamp",
                                        "metadata.annotations",
                                        "spec.project",
                                        "spec.destination",
                                        "spec.syncPolicy.automated",
                                        "operation"};
const size_t apps_event_npaths = ARRAY_LEN(apps_event_paths);

static pack_t *pack_text(view_t text, bool loose)
{
    AUTO_STR slim = STR_INIT;
    if (json_text_without(text.p, text.n, "metadata", "managedFields", &slim))
        text = (view_t){str_text(&slim), slim.len};
    return loose ? pack_plain(text.p, text.n) : pack_bytes(text.p, text.n);
}

static bool is_newer(struct app *app, const char *rv)
{
    LOCKED(&app->lock);
    return !app->rv || !resource_version_older(rv, app->rv);
}

static void put_text(const char **interned, const json_t *text)
{
    const char *old = *interned;
    *interned = intern(str_or_empty(json_string_value(text)));
    intern_unref(old);
}

/* What is asked about often, so that nobody need open the document for it. */
static void put_facts(struct app *app, const json_t *doc, bool is_new)
{
    bool auto_sync = app_auto_sync(doc), self_heal = app_self_heal(doc);
    app->turned_on = app->turned_on ||
                     (!is_new && ((auto_sync && !app->auto_sync) || (self_heal && !app->self_heal)));
    app->auto_sync = auto_sync;
    app->self_heal = self_heal;
    app->operating = json_is_map(json_object_get(doc, "operation")) ||
                     json_at(doc, "metadata", "deletionTimestamp");
    app->skip = false;
    str_to_bool(object_annotation(doc, ANNOTATION_SKIP), &app->skip);
    put_text(&app->server, json_at(doc, "spec", "destination", "server"));
    put_text(&app->cluster_name, json_at(doc, "spec", "destination", "name"));
}

/* A reference to the application of this document, found or made. */
static struct app *find_or_make(apps_t *a, const char *key, const char *instance, const json_t *doc, bool own,
                                bool *is_new)
{
    struct app *app, *replaced = NULL;
    {
        LOCKED(&a->lock);
        app = map_get(&a->by_key, key);
        /* Deleted and made anew under the same name: another application. */
        if (app && strcmp(app->uid, object_uid(doc)) != 0) {
            if (own) {
                return NULL;
            }
            replaced = map_take(&a->by_key, key);
            app = NULL;
        }
        *is_new = !app;
        if (!app) {
            if (own)
                return NULL; /* it was deleted meanwhile */
            app = app_new(key, instance, doc);
            map_put(&a->by_key, key, app);
        }
        app->refs++;
    }
    if (replaced) {
        {
            LOCKED(&replaced->lock);
            replaced->gone = true;
        }
        app_unref(a, replaced);
    }
    return app;
}

/* Takes the document in unless it is an older one; doc is all of it or what apps_event_paths name. */
static void put_document(struct app *app, const json_t *doc, pack_t *pack_take, bool is_new)
{
    const char *rv = object_resource_version(doc);
    LOCKED(&app->lock);
    if (app->rv && resource_version_older(rv, app->rv)) {
        pack_free(pack_take);
        return;
    }
    app->settled = app->settled && str_same(app->rv, rv);
    pack_free(app->doc);
    app->doc = pack_take;
    slab_strfree(app->rv);
    app->rv = slab_strdup(rv);
    put_facts(app, doc, is_new);
}

struct app *apps_put_own(apps_t *a, const char *key, const char *instance, const json_t *doc)
{
    bool is_new;
    struct app *app = find_or_make(a, key, instance, doc, true, &is_new);
    if (app && is_newer(app, object_resource_version(doc)))
        put_document(app, doc, pack_slim(doc), is_new);
    return app;
}

struct app *apps_put_event(apps_t *a, const char *key, const char *instance, const json_t *brief, view_t text,
                           bool loose, bool *is_new)
{
    struct app *app = find_or_make(a, key, instance, brief, false, is_new);
    if (is_newer(app, object_resource_version(brief)))
        put_document(app, brief, pack_text(text, loose), *is_new);
    return app;
}

void app_rest(struct app *app)
{
    LOCKED(&app->lock);
    app->doc = pack_tighten(app->doc);
}

void apps_remove(apps_t *a, const char *key, const char *uid)
{
    struct app *app = NULL;
    {
        LOCKED(&a->lock);
        struct app *have = map_get(&a->by_key, key);
        if (have && (!uid || str_eq(have->uid, uid)))
            app = map_take(&a->by_key, key);
    }
    if (!app)
        return;
    {
        LOCKED(&app->lock);
        app->gone = true;
    }
    apps_bump(a, app);
    app_unref(a, app);
}

char **apps_keys(apps_t *a)
{
    LOCKED(&a->lock);
    char **keys = xcalloc(a->by_key.n + 1, sizeof(*keys));
    size_t n = 0;
    MAP_FOREACH(&a->by_key, e)
        keys[n++] = xstrdup(e->key);
    return keys;
}

size_t apps_count(apps_t *a)
{
    LOCKED(&a->lock);
    return a->by_key.n;
}

json_t *app_doc(struct app *app)
{
    LOCKED(&app->lock);
    return app->gone ? NULL : pack_open(app->doc);
}

uint64_t apps_bump(apps_t *a, struct app *app)
{
    LOCKED(&a->lock);
    uint64_t rev = ++a->rev;
    const char **slot = &a->news[rev % NEWS];
    intern_unref(*slot);
    *slot = intern_ref(app->key);
    app->tree_rev = rev;
    pthread_cond_broadcast(&a->news_cond);
    return rev;
}

uint64_t apps_rev(apps_t *a)
{
    LOCKED(&a->lock);
    return a->rev;
}

char **apps_changed_since(apps_t *a, uint64_t since, int64_t wait_ns, atomic_bool *canceled, uint64_t *rev,
                          bool *reset)
{
    mono_t deadline = mono_after(mono_now(), wait_ns);
    LOCKED(&a->lock);
    while (a->rev <= since && mono_left(deadline) && !(canceled && *canceled)) {
        mono_t look = mono_after(mono_now(), MILLIS(500));
        cond_wait_until(&a->news_cond, &a->lock, mono_cmp(look, deadline) < 0 ? look : deadline);
    }
    *rev = a->rev;
    *reset = since > a->rev || a->rev - since > NEWS;
    map_t keys = MAP_INIT(NULL);
    for (uint64_t r = since + 1; !*reset && r <= a->rev; r++)
        map_put(&keys, a->news[r % NEWS], NULL);
    char **out = xcalloc(keys.n + 1, sizeof(*out));
    size_t n = 0;
    MAP_FOREACH(&keys, e)
        out[n++] = xstrdup(e->key);
    map_dispose(&keys);
    return out;
}
