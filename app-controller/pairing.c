/* Targets and the live objects that go with them. */
#include "app-controller/evaluation.h"
#include "app-controller/namespace.h"
#include "common/argo/app.h"
#include "common/base/intern.h"
#include "common/base/map.h"
#include "common/engine/hooks.h"

struct target_list {
    VEC(json_t *) objects; /* owned; NULL: replaced by a later one */
    map_t at;              /* k: key text, v: index + 1 */
    map_t count;           /* k: key text, v: how often */
};

static char *key_text(const char *group, const char *kind, const char *ns, const char *name)
{
    return xasprintf("%s/%s/%s/%s", group, kind, ns, name);
}

static char *key_of(const json_t *o)
{
    AUTO(free_p) char *group = object_group(o);
    return key_text(group, object_kind(o), object_namespace(o), object_name(o));
}

static const struct kube_resource *resource_of(const kube_api_t *api, const json_t *o)
{
    AUTO(free_p) char *group = object_group(o);
    AUTO(free_p) char *version = object_version(o);
    const struct kube_resource *r = kube_api_find(api, group, version, object_kind(o));
    return r ? r : kube_api_find(api, group, NULL, object_kind(o));
}

static void tell_missing_namespace(const json_t *o, struct comparison *c)
{
    AUTO(free_p) char *group = object_group(o);
    AUTO(free_p) char *version = object_version(o);
    comparison_condition(c, "InvalidSpecError", "Namespace for %s %s/%s, Kind=%s is missing.", object_name(o),
                         group, version, object_kind(o));
}

/* Namespaced objects (and those of kinds that nobody knows) get the destination's namespace, others none. */
static void fix_scope(const kube_api_t *api, struct app *app, const struct compare_input *in, const char *ns,
                      json_t *o, struct comparison *c)
{
    const struct kube_resource *r = resource_of(api, o);
    bool namespaced = !r || r->namespaced, has = *object_namespace(o) != 0;
    if (namespaced == has)
        return;
    if (!namespaced)
        json_drop_at(o, "metadata", "namespace");
    else if (*ns)
        json_put_at(o, json_str_new(ns), "metadata", "namespace");
    else if (r)
        tell_missing_namespace(o, c);
    if (!namespaced && object_annotation(o, ANNOTATION_TRACKING_ID))
        tracking_stamp(settings_tracking(in->settings), app->instance, ns, o, NULL);
}

static bool is_excluded(const struct compare_input *in, const json_t *o, struct comparison *c)
{
    AUTO(free_p) char *group = object_group(o);
    if (!settings_excludes(in->settings, group, object_kind(o), cluster_server(in->cluster)))
        return false;
    comparison_condition(c, "ExcludedResourceWarning", "Resource %s/%s %s is excluded in the settings", group,
                         object_kind(o), object_name(o));
    return true;
}

static void add_target(struct target_list *list, json_t *o)
{
    AUTO(free_p)
    char *key = *object_name(o) ? key_of(o)
                                : xasprintf("generated/%zu", list->objects.n); /* always another one */
    size_t at = (size_t)(uintptr_t)map_get(&list->at, key);
    if (at) {
        json_decref(list->objects.v[at - 1]);
        list->objects.v[at - 1] = NULL;
    }
    VEC_PUSH(&list->objects, json_incref(o));
    map_put(&list->at, key, (void *)(uintptr_t)list->objects.n);
    map_put(&list->count, key, (void *)((uintptr_t)map_get(&list->count, key) + 1));
}

static void warn_of_repeats(const struct target_list *list, struct comparison *c)
{
    MAP_FOREACH(&list->count, e) {
        if ((uintptr_t)e->value > 1)
            comparison_condition(c, "RepeatedResourceWarning",
                                 "Resource %s appeared %zu times among application resources.", e->key,
                                 (size_t)(uintptr_t)e->value);
    }
}

/* Hooks of the deletion of an application take no part in a sync, and nothing else in a deletion. */
static bool takes_part(const struct compare_input *in, const json_t *o)
{
    unsigned sync_types = HOOK_PRE_SYNC | HOOK_SYNC | HOOK_POST_SYNC | HOOK_SYNC_FAIL;
    if (in->hooks_of)
        return hook_types(o) & in->hooks_of;
    return !object_is_ignored_hook(o) && (!object_is_hook(o) || (hook_types(o) & sync_types));
}

static void collect_targets(struct app *app, const struct compare_input *in, const kube_api_t *api,
                            struct target_list *list, struct comparison *c)
{
    VEC_FOREACH(&c->renderings, r) {
        AUTO_JSON objects = pack_open(r->manifests);
        for (size_t i = 0; i < json_array_size(objects); i++) {
            json_t *o = json_array_get(objects, i);
            fix_scope(api, app, in, c->ns, o, c);
            if (!is_excluded(in, o, c))
                add_target(list, o);
        }
    }
    warn_of_repeats(list, c);
}

static void dispose_targets(struct target_list *list)
{
    VEC_FOREACH(&list->objects, o)
        json_decref(*o);
    VEC_FREE(&list->objects);
    map_dispose(&list->at);
    map_dispose(&list->count);
}

/* ---- live objects ---- */

/* The live object straight from the API server, in the target's version. 0 with *out NULL when there is none.
 */
static int get_live(struct controller *ctl, const struct compare_input *in, const kube_api_t *api,
                    const json_t *target, struct live *record, json_t **out, err_t **err)
{
    const struct kube_resource *r = resource_of(api, target);
    if (!r)
        return 0;
    AUTO_ERR local = NULL;
    json_t *o = NULL;
    int code = kube_get(cluster_kube(in->cluster), r, r->namespaced ? object_namespace(target) : NULL,
                        object_name(target), NULL, &o, &local);
    if (code == -ERR_NOT_FOUND)
        return 0;
    if (code < 0)
        return err_move(err, TAKE(local));
    json_drop_at(o, "metadata", "managedFields");
    live_dispose(record);
    struct health h;
    struct health_overrides overrides = evaluation_health(ctl->eval, in->settings);
    health_assess_by(&overrides, o, &h, NULL);
    *record = (struct live){.group = object_group(o),
                            .version = object_version(o),
                            .kind = xstrdup(object_kind(o)),
                            .ns = xstrdup(object_namespace(o)),
                            .name = xstrdup(object_name(o)),
                            .uid = xstrdup(object_uid(o)),
                            .rv = xstrdup(object_resource_version(o)),
                            .health = h.status,
                            .health_message = h.message,
                            .deleting = json_at(o, "metadata", "deletionTimestamp") != NULL};
    AUTO(free_p) char *owner = tracking_owner(settings_tracking(in->settings), o);
    record->app = owner ? intern(owner) : NULL;
    *out = o;
    return 0;
}

/* The live side of a target. */
static int find_live(struct controller *ctl, const struct compare_input *in, const kube_api_t *api,
                     const json_t *target, struct live *record, json_t **out, err_t **err)
{
    AUTO(free_p) char *group = object_group(target);
    AUTO(free_p) char *version = object_version(target);
    struct obj_key key = {group, object_kind(target), object_namespace(target), object_name(target)};
    cache_t *cache = cluster_cache(in->cluster);
    if (!*key.name)
        return 0;
    const struct kube_resource *resource = resource_of(api, target);
    if (resource && cluster_manages(in->cluster, &key, resource->namespaced, err) < 0)
        return err_again(err);
    bool found = cache_find(cache, &key, record);
    if (!found && !resource) { /* perhaps of the cluster: whether it is namespaced is not known now */
        key.ns = "";
        found = cache_find(cache, &key, record);
    }
    if (!found) {
        if (cache_watches(cache, group, key.kind))
            return 0;
        int r = get_live(ctl, in, api, target, record, out, err);
        if (*out)
            mask_for_storage(*out, ctl->mask_key);
        return r;
    }
    /* Known by name only, or in another version than the target's. */
    if (!record->content || strcmp(record->version, version) != 0) {
        int r = get_live(ctl, in, api, target, record, out, err);
        if (*out)
            mask_for_storage(*out, ctl->mask_key);
        return r;
    }
    *out = pack_open(record->content);
    return 0;
}

static bool permits(const struct compare_input *in, const struct comparison *c, const struct live *l)
{
    struct destination d = comparison_destination(c, in);
    return project_permits_object(in->project, l->group, l->kind, l->name, l->ns, &d);
}

static void warn_of_sharing(struct app *app, struct comparison *c, const struct pair *p)
{
    if (!p->live || !p->record.app || strcmp(p->record.app, app->instance) == 0)
        return;
    AUTO(free_p) char *other = xstrdup(p->record.app);
    char *separator = strchr(other, '_');
    if (separator)
        *separator = '/';
    comparison_condition(c, "SharedResourceWarning", "%s/%s is part of applications %s and %s",
                         p->record.kind, p->record.name, app->key, other);
}

static void add_pair(struct comparison *c, json_t *target_take, struct live *record_take, json_t *live_take)
{
    struct pair p = {.target = target_take, .live = live_take, .status = ""};
    if (live_take)
        p.record = *record_take;
    else
        live_dispose(record_take);
    *record_take = (struct live){};
    VEC_PUSH(&c->pairs, p);
}

static int pair_target(struct controller *ctl, struct app *app, const struct compare_input *in,
                       const kube_api_t *api, json_t *target, struct comparison *c, err_t **err)
{
    struct live record = {};
    json_t *live = NULL;
    int r = find_live(ctl, in, api, target, &record, &live, err);
    if (r < 0) {
        live_dispose(&record);
        return err_wrap(err, "%s %s", object_kind(target), object_name(target));
    }
    if (live && !permits(in, c, &record)) {
        json_decref(live);
        live = NULL;
    }
    add_pair(c, json_incref(target), &record, live);
    warn_of_sharing(app, c, &c->pairs.v[c->pairs.n - 1]);
    return 0;
}

/* The namespace whose metadata the application manages is wanted also where the source has none, so that one
 * that carries the application's mark is not pruned. */
static json_t *target_of_leftover(const struct compare_input *in, const struct target_list *targets,
                                  const json_t *live)
{
    if (!namespace_is_managed(in->doc, live))
        return NULL;
    AUTO(free_p) char *key = key_of(live);
    return map_has(&targets->at, key) ? NULL : namespace_wanted(in->doc, object_name(live));
}

/* What the application has in the cluster and no longer in its source; live hooks among it. */
static void add_leftovers(struct app *app, const struct compare_input *in, const struct target_list *targets,
                          struct comparison *c)
{
    map_t uids = MAP_INIT(NULL); /* an object may be served under several groups */
    map_t keys = MAP_INIT(NULL);
    VEC_FOREACH(&c->pairs, p) {
        if (p->record.uid)
            map_put(&uids, p->record.uid, NULL);
        AUTO(free_p) char *key = key_of(p->target);
        map_put(&keys, key, NULL);
    }
    size_t n;
    AUTO(free_p) struct live *lives = cache_managed(cluster_cache(in->cluster), app->instance, &n);
    for (size_t i = 0; i < n; i++) {
        struct live *l = &lives[i];
        AUTO(free_p) char *key = key_text(l->group, l->kind, l->ns, l->name);
        if (map_has(&keys, key) || map_has(&uids, l->uid) || !permits(in, c, l)) {
            live_dispose(l);
            continue;
        }
        map_put(&uids, l->uid, NULL);
        json_t *live = pack_open(l->content);
        add_pair(c, target_of_leftover(in, targets, live), l, live);
    }
    map_dispose(&uids);
    map_dispose(&keys);
}

void comparison_pair(struct controller *ctl, struct app *app, const struct compare_input *in,
                     struct comparison *c)
{
    AUTO_ERR err = NULL;
    kube_api_t *api = cluster_api(in->cluster);
    struct target_list list = {};
    collect_targets(app, in, api, &list, c);
    int r = 0;
    for (size_t i = 0; r == 0 && i < list.objects.n; i++) {
        json_t *o = list.objects.v[i];
        if (!o)
            continue;
        c->deletion_hooks |= hook_types(o) & (HOOK_PRE_DELETE | HOOK_POST_DELETE);
        if (!takes_part(in, o))
            continue;
        if (object_is_hook(o))
            VEC_PUSH(&c->hooks, json_incref(o));
        else
            r = pair_target(ctl, app, in, api, o, c, &err);
    }
    if (r == 0 && !in->hooks_of)
        add_leftovers(app, in, &list, c);
    dispose_targets(&list);
    kube_api_unref(api);
    if (r < 0) {
        free(c->failure);
        c->failure = xasprintf("Failed to load live state: %s", err_text(err));
        comparison_condition(c, "ComparisonError", "%s", c->failure);
        c->failed = true;
    }
}
