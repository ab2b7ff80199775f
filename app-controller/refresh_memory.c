/* What the application keeps of a comparison: what was found, and by what it is known that nothing has
 * changed. */
#include "app-controller/refresh_internal.h"
#include "common/argo/app.h"
#include "common/base/hash.h"
#include "common/base/intern.h"
#include "common/base/slab.h"

uint64_t refresh_finalizers_hash(const json_t *doc)
{
    const json_t *list = json_at(doc, "metadata", "finalizers");
    return (json_array_size(list) ? json_hash(list, 5) : 5) | 1;
}

/* The last reference to a cluster waits for the I/O thread, which may be waiting for the app's lock. */
void refresh_set_cluster(struct refresh *r)
{
    cluster_t *old;
    {
        LOCKED(&r->app->lock);
        old = r->app->cluster;
        r->app->cluster = r->cluster ? cluster_ref(r->cluster) : NULL;
    }
    cluster_unref(old);
}

void refresh_keep_findings(struct refresh *r, const struct comparison *c)
{
    struct app *app = r->app;
    refresh_set_cluster(r);
    struct found_resource *list = slab_alloc(c->pairs.n * sizeof(*list));
    for (size_t i = 0; i < c->pairs.n; i++) {
        const struct pair *p = &c->pairs.v[i];
        const json_t *o = p->target ? p->target : p->live;
        AUTO(free_p) char *group = object_group(o);
        AUTO(free_p) char *version = object_version(o);
        list[i] = (struct found_resource){
            .root = {.key = {intern(group), intern(object_kind(o)), intern(object_namespace(o)),
                             intern(object_name(o))},
                     .version = intern(version)},
            .hook = p->hook,
            .requires_pruning = p->requires_pruning,
            .requires_confirmation = p->requires_confirmation,
            .self_referenced = p->self_referenced,
            .modified = p->modified,
            .wave = p->wave,
            .health = p->health.status,
            .health_message = xstrdup(p->health.message),
            .where = xstrdup(p->where),
            .verdict = p->verdict,
        };
    }
    LOCKED(&app->lock);
    app_set_resources(app, list, c->pairs.n);
    if (!c->render_failed) {
        struct rendering *kept = slab_alloc(c->renderings.n * sizeof(*kept));
        for (size_t i = 0; i < c->renderings.n; i++)
            kept[i] = rendering_copy(&c->renderings.v[i]);
        app_set_renderings(app, kept, c->renderings.n);
    }
    intern_unref(app->project);
    app->project = intern(app_project(r->doc));
}

uint64_t refresh_said_hash(const json_t *doc)
{
    static const char *const fields[] = {"sync",        "health",     "resources",
                                         "sourceTypes", "sourceType", "controllerNamespace"};
    const json_t *status = json_object_get(doc, "status");
    uint64_t h = 1;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        h = json_hash(json_object_get(status, fields[i]), h);
    return h | 1;
}

uint64_t refresh_fingerprint(struct refresh *r, const struct rendering *renderings, size_t n)
{
    uint64_t h = json_hash(json_at(r->doc, "spec"), settings_epoch(r->settings));
    h = json_hash(json_at(r->project, "spec"), h);
    const json_t *metadata = json_at(r->doc, "status", "operationState", "syncResult",
                                     "managedNamespaceMetadata");
    if (metadata)
        h = json_hash(metadata, h);
    const char *compare = str_or_empty(object_annotation(r->doc, ANNOTATION_COMPARE));
    h = hash_content(compare, strlen(compare), h);
    for (size_t i = 0; i < n; i++) {
        h = hash_content(str_or_empty(renderings[i].key), strlen(str_or_empty(renderings[i].key)), h);
        h = hash_content(str_or_empty(renderings[i].revision), strlen(str_or_empty(renderings[i].revision)),
                         h);
    }
    VEC(struct obj_key) keys = {};
    uint64_t cached;
    {
        LOCKED(&r->app->lock);
        for (size_t i = 0; i < r->app->nresources; i++)
            VEC_PUSH(&keys, r->app->resources[i].root.key);
        cached = cache_fingerprint(cluster_cache(r->cluster), r->app->instance, keys.v, keys.n);
    }
    VEC_FREE(&keys);
    return hash_content(&cached, sizeof(cached), h) | 1;
}
