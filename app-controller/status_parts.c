#include "app-controller/status_parts.h"
#include "common/argo/app.h"
#include "common/base/map.h"
#include "common/engine/node_network.h"
#include "common/kinds/kinds.h"

json_t *status_of_resource(const struct controller *ctl, const struct pair *p)
{
    const json_t *o = p->target ? p->target : p->live;
    AUTO(free_p) char *group = object_group(o);
    AUTO(free_p) char *version = object_version(o);
    json_t *s = json_object();
    json_put_str(s, "group", group);
    json_put_str(s, "version", version);
    json_put_str(s, "kind", object_kind(o));
    json_put_str(s, "namespace", object_namespace(o));
    json_put_str(s, "name", object_name(o));
    json_put_str(s, "status", p->status);
    if (ctl->options.persist_health && p->health_counts && p->health.status != HEALTH_NONE) {
        json_t *h = json_object();
        json_put_str(h, "status", health_name(p->health.status));
        json_put_str(h, "message", p->health.message);
        json_object_set_new_nocheck(s, "health", h);
    }
    if (p->hook)
        json_object_set_new_nocheck(s, "hook", json_true());
    if (p->requires_pruning)
        json_object_set_new_nocheck(s, "requiresPruning", json_true());
    if (p->wave)
        json_object_set_new_nocheck(s, "syncWave", json_integer(p->wave));
    if (p->requires_confirmation)
        json_object_set_new_nocheck(s, "requiresDeletionConfirmation", json_true());
    return s;
}

json_t *status_compared_to(const json_t *doc)
{
    json_t *to = json_object();
    json_t *ignore = json_at(doc, "spec", "ignoreDifferences");
    json_object_set_new_nocheck(to, "destination", json_copy_deep(json_at(doc, "spec", "destination")));
    if (app_multi_source(doc)) {
        json_object_set_new_nocheck(to, "sources", json_copy_deep(json_at(doc, "spec", "sources")));
    } else {
        json_t *source = app_single_source(doc);
        json_object_set_new_nocheck(to, "source", source ? source : json_object());
    }
    if (json_array_size(ignore))
        json_object_set_new_nocheck(to, "ignoreDifferences", json_copy_deep(ignore));
    return to;
}

void status_put_health(const struct controller *ctl, json_t *status, enum health_status health,
                       const char *message)
{
    const json_t *old = json_object_get(status, "health");
    bool same = str_eq(json_str_at(old, "status"), health_name(health));
    /* Where the health of resources is not written, neither is each change of what they say: the message is
     * that of the last transition. */
    if (same && !ctl->options.persist_health)
        message = json_str_at(old, "message");
    const json_t *since = json_object_get(old, "lastTransitionTime");
    json_t *h = json_object();
    json_set_str(h, "status", health_name(health));
    json_put_str(h, "message", message);
    json_object_set_new_nocheck(h, "lastTransitionTime",
                                same && since ? json_copy_deep(since) : json_time(wall_now()));
    json_object_set_new_nocheck(status, "health", h);
}

/* Of what could not be rendered: as they were asked for. */
static json_t *revisions_asked(const json_t *doc)
{
    AUTO_JSON sources = app_sources(doc);
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(sources); i++)
        json_array_append_new(
            list, json_str_new(str_or_empty(json_str_at(json_array_get(sources, i), "targetRevision"))));
    return list;
}

void status_put_sync(json_t *status, const json_t *doc, const struct comparison *c)
{
    json_t *sync = json_object();
    AUTO_JSON revisions = c->render_failed ? revisions_asked(doc) : comparison_revisions(c);
    json_set_str(sync, "status", c->sync_status);
    json_object_set_new_nocheck(sync, "comparedTo", status_compared_to(doc));
    if (app_multi_source(doc) && json_array_size(revisions))
        json_object_set_new_nocheck(sync, "revisions", json_copy_deep(revisions));
    else
        json_put_str(sync, "revision", json_string_value(json_array_get(revisions, 0)));
    json_object_set_new_nocheck(status, "sync", sync);
}

void status_put_source_types(json_t *status, const json_t *doc, const struct comparison *c)
{
    json_object_del(status, "sourceType");
    json_object_del(status, "sourceTypes");
    if (c->render_failed || !c->renderings.n || c->renderings.v[0].given)
        return;
    if (!app_multi_source(doc)) {
        json_put_str(status, "sourceType", c->renderings.v[0].type);
        return;
    }
    json_t *types = json_array();
    for (size_t i = 0; i < c->renderings.n; i++)
        json_array_append_new(types, json_str_new(c->renderings.v[i].type));
    json_object_set_new_nocheck(status, "sourceTypes", types);
}

static void add_all(map_t *set, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!str_empty(json_string_value(json_array_get(list, i))))
            map_put(set, json_string_value(json_array_get(list, i)), NULL);
}

static void put_sorted(json_t *o, const char *key, map_t *set)
{
    AUTO(free_p) const char **keys = map_sorted_keys(set);
    json_t *list = json_array();
    for (size_t i = 0; keys[i]; i++)
        json_array_append_new(list, json_str_new(keys[i]));
    if (json_array_size(list))
        json_object_set_new_nocheck(o, key, list);
    else
        json_decref(list);
    map_dispose(set);
}

json_t *status_summary(const json_t *doc, const json_t *tree)
{
    map_t urls = MAP_INIT(NULL), images = MAP_INIT(NULL);
    bool apps = false;
    const json_t *nodes = json_object_get(tree, "nodes");
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        const json_t *n = json_array_get(nodes, i);
        add_all(&urls, json_at(n, "networkingInfo", "externalURLs"));
        add_all(&images, json_object_get(n, "images"));
        apps = apps ||
               (str_eq(json_str_at(n, "kind"), "Application") && str_eq(json_str_at(n, "group"), ARGO_GROUP));
    }
    json_t *notes = json_at(doc, "metadata", "annotations");
    for (void *it = json_object_iter(notes); it; it = json_object_iter_next(notes, it)) {
        const char *value = str_or_empty(json_string_value(json_object_iter_value(it)));
        if (str_has_prefix(json_object_iter_key(it), "link.argocd.argoproj.io/") && node_link_is_web(value))
            map_put(&urls, value, NULL);
    }
    json_t *s = json_object();
    put_sorted(s, "externalURLs", &urls);
    put_sorted(s, "images", &images);
    if (apps)
        json_object_set_new_nocheck(s, "isAppOfApps", json_true());
    return s;
}
