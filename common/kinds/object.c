#include "common/kinds/kinds.h"
#include "common/base/clock.h"

void api_version_split(const char *api_version, view_t *group, view_t *version)
{
    const char *text = str_or_empty(api_version), *slash = strchr(text, '/');
    *group = (view_t){text, slash ? (size_t)(slash - text) : 0};
    *version = view_of(slash ? slash + 1 : text);
}

const char *object_kind(const json_t *o)
{
    return str_or_empty(json_str_at(o, "kind"));
}

const char *object_name(const json_t *o)
{
    return str_or_empty(json_str_at(o, "metadata", "name"));
}

const char *object_namespace(const json_t *o)
{
    return str_or_empty(json_str_at(o, "metadata", "namespace"));
}

const char *object_uid(const json_t *o)
{
    return str_or_empty(json_str_at(o, "metadata", "uid"));
}

const char *object_resource_version(const json_t *o)
{
    return str_or_empty(json_str_at(o, "metadata", "resourceVersion"));
}

bool resource_version_older(const char *a, const char *b)
{
    uint64_t x, y;
    return str_to_u64(a, &x) && str_to_u64(b, &y) && x < y;
}

bool object_deleting(const json_t *o)
{
    wall_t at;
    return rfc3339_parse(json_str_at(o, "metadata", "deletionTimestamp"), &at);
}

char *object_group(const json_t *o)
{
    view_t group, version;
    api_version_split(json_str_at(o, "apiVersion"), &group, &version);
    return xstrndup(group.p, group.n);
}

char *object_version(const json_t *o)
{
    view_t group, version;
    api_version_split(json_str_at(o, "apiVersion"), &group, &version);
    return xstrndup(version.p, version.n);
}

const char *object_annotation(const json_t *o, const char *key)
{
    const json_t *v = json_at(o, "metadata", "annotations", key);
    return json_is_null(v) ? "" : json_string_value(v);
}

const char *object_label(const json_t *o, const char *key)
{
    return json_str_at(o, "metadata", "labels", key);
}

void object_set_annotation(json_t *o, const char *key, const char *value)
{
    json_put_at(o, json_str_new(value), "metadata", "annotations", key);
}

void object_drop_annotation(json_t *o, const char *key)
{
    json_t *annotations = json_at(o, "metadata", "annotations");
    if (json_drop_at(annotations, key) && json_object_size(annotations) == 0)
        json_drop_at(o, "metadata", "annotations");
}
