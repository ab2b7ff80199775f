#include "app-controller/namespace.h"
#include "common/argo/app.h"
#include "common/engine/annotations.h"
#include "common/kinds/kinds.h"

static const json_t *managed_metadata(const json_t *app)
{
    const json_t *meta = json_at(app, "spec", "syncPolicy", "managedNamespaceMetadata");
    return json_is_map(meta) ? meta : NULL;
}

json_t *namespace_wanted(const json_t *app, const char *name)
{
    json_t *o = json_object();
    json_set_str(o, "apiVersion", "v1");
    json_set_str(o, "kind", "Namespace");
    json_put_at(o, json_str_new(name), "metadata", "name");
    const json_t *meta = managed_metadata(app);
    if (!meta)
        return o;
    const json_t *labels = json_object_get(meta, "labels"), *notes = json_object_get(meta, "annotations");
    if (json_object_size(labels))
        json_put_at(o, json_copy_deep(labels), "metadata", "labels");
    if (json_object_size(notes))
        json_put_at(o, json_copy_deep(notes), "metadata", "annotations");
    object_set_annotation(o, ANNOTATION_SYNC_OPTIONS, "ServerSideApply=true");
    return o;
}

bool namespace_is_managed(const json_t *app, const json_t *object)
{
    const char *ns = json_str_at(app, "spec", "destination", "namespace");
    return object && managed_metadata(app) && !str_empty(ns) &&
           str_eq(json_str_at(object, "apiVersion"), "v1") && strcmp(object_kind(object), "Namespace") == 0 &&
           strcmp(object_name(object), ns) == 0;
}
