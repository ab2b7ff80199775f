/* What a refresh is to do: how deep it has to go, and why. */
#include "app-controller/refresh_internal.h"
#include "app-controller/operation.h"
#include "common/argo/app.h"

static void set_level(struct refresh *r, int level, const char *why)
{
    if (level <= r->level)
        return;
    r->level = level;
    free(r->why);
    r->why = xstrdup(why);
}

static bool compared_to_other_sources(const json_t *doc)
{
    const json_t *to = json_at(doc, "status", "sync", "comparedTo");
    if (!json_is_map(to))
        return true;
    if (app_multi_source(doc))
        return !sources_same(json_at(doc, "spec", "sources"), json_object_get(to, "sources"));
    AUTO_JSON source = app_single_source(doc);
    return !sources_same(source, json_object_get(to, "source"));
}

static bool is_due(mono_t last, int64_t period)
{
    return period > 0 && (last.ns == 0 || mono_left(mono_after(last, period)) == 0);
}

/* Those of the deletion hooks are put back without anybody asking for a refresh: who deletes the application
 * asks for none either. */
static bool others_changed_finalizers(struct refresh *r)
{
    uint64_t now = refresh_finalizers_hash(r->doc);
    LOCKED(&r->app->lock);
    return r->app->finalizers && r->app->finalizers != now;
}

void refresh_decide(struct refresh *r, uint64_t bits)
{
    const json_t *doc = r->doc, *to = json_at(doc, "status", "sync", "comparedTo");
    const char *annotation = object_annotation(doc, ANNOTATION_REFRESH);
    mono_t refreshed, hard_refreshed;
    AUTO(free_p) char *woken_by = NULL;
    {
        LOCKED(&r->app->lock);
        refreshed = r->app->refreshed_at;
        hard_refreshed = r->app->hard_refreshed_at;
        if (bits & REFRESH_LIVE)
            woken_by = TAKE(r->app->woken_by);
    }
    r->level = LEVEL_NONE;
    r->operated = bits & REFRESH_OPERATED;
    if (annotation) {
        r->requested = true;
        refresh_request_read(&r->request, doc);
        r->hard = strcmp(annotation, "hard") == 0;
        set_level(r, LEVEL_RESOLVE, "refresh was requested");
        return;
    }
    if (bits & REFRESH_RESOLVE)
        set_level(r, LEVEL_RESOLVE, "an operation ended");
    else if (compared_to_other_sources(doc))
        set_level(r, LEVEL_RESOLVE,
                  json_is_map(to) ? "spec.source differs from what was compared" : "it was never compared");
    else if (is_due(hard_refreshed, r->ctl->options.hard_resync_ns) && hard_refreshed.ns)
        set_level(r, LEVEL_TARGET, "the hard refresh period has passed"), r->hard = true;
    else if (refreshed.ns == 0)
        set_level(r, LEVEL_TARGET, "it was not compared yet by this process");
    else if ((bits & REFRESH_TIMER) && is_due(refreshed, r->ctl->options.resync_ns))
        set_level(r, LEVEL_TARGET, "the refresh period has passed");
    else if (!destinations_same(json_at(doc, "spec", "destination"), json_object_get(to, "destination")))
        set_level(r, LEVEL_TARGET, "spec.destination differs from what was compared");
    else if (!sources_same(json_at(doc, "spec", "ignoreDifferences"),
                           json_object_get(to, "ignoreDifferences")))
        set_level(r, LEVEL_TARGET, "spec.ignoreDifferences differs from what was compared");
    else if (bits & REFRESH_TARGET)
        set_level(r, LEVEL_TARGET, "controller refresh requested");
    else if (bits & REFRESH_LIVE)
        set_level(r, LEVEL_LIVE, woken_by ? woken_by : "a managed object changed");
    else if (others_changed_finalizers(r))
        set_level(r, LEVEL_LIVE, "the finalizers are not as they were left");
    else if (str_eq(json_str_at(doc, "status", "sync", "status"), "Synced") &&
             comparison_metadata_changed(doc))
        set_level(r, LEVEL_LIVE, "the metadata of the namespace is to change");
    else if (bits & REFRESH_TREE)
        set_level(r, LEVEL_TREE, "an object of the tree changed");
}
