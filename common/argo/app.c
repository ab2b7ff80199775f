#include "common/argo/app.h"
#include "common/base/vec.h"
#include "common/json/patch.h"
#include "common/kinds/kinds.h"

const char *app_project(const json_t *app)
{
    const char *p = json_str_at(app, "spec", "project");
    return str_empty(p) ? "default" : p;
}

static bool hydrated(const json_t *app)
{
    return json_is_map(json_at(app, "spec", "sourceHydrator"));
}

bool app_multi_source(const json_t *app)
{
    return json_array_size(json_at(app, "spec", "sources")) > 0 && !hydrated(app);
}

static json_t *hydrator_source(const json_t *hydrator)
{
    const char *repo = json_str_at(hydrator, "syncSource", "repoURL");
    json_t *s = json_object();
    json_put_str(s, "repoURL", str_empty(repo) ? json_str_at(hydrator, "drySource", "repoURL") : repo);
    json_put_str(s, "path", json_str_at(hydrator, "syncSource", "path"));
    json_put_str(s, "targetRevision", json_str_at(hydrator, "syncSource", "targetBranch"));
    return s;
}

json_t *app_single_source(const json_t *app)
{
    if (hydrated(app))
        return hydrator_source(json_at(app, "spec", "sourceHydrator"));
    if (app_multi_source(app))
        return NULL;
    json_t *s = json_at(app, "spec", "source");
    return json_is_map(s) ? json_copy_deep(s) : NULL;
}

json_t *app_sources(const json_t *app)
{
    if (app_multi_source(app))
        return json_copy_deep(json_at(app, "spec", "sources"));
    json_t *list = json_array(), *one = app_single_source(app);
    if (one)
        json_array_append_new(list, one);
    return list;
}

/* Without fields that mean the same as being absent; among users' values every one means something. */
static json_t *pruned(const json_t *v)
{
    if (json_is_array(v)) {
        json_t *out = json_array();
        for (size_t i = 0; i < json_array_size(v); i++)
            json_array_append_new(out, pruned(json_array_get(v, i)));
        return out;
    }
    if (!json_is_map(v))
        return json_copy_deep(v);
    json_t *out = json_object(), *it_of = (json_t *)(uintptr_t)v;
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it)) {
        bool values = strcmp(json_object_iter_key(it), "valuesObject") == 0;
        json_t *child = values ? json_copy_deep(json_object_iter_value(it))
                               : pruned(json_object_iter_value(it));
        if (json_is_zero(child))
            json_decref(child);
        else
            json_object_set_new_nocheck(out, json_object_iter_key(it), child);
    }
    return out;
}

static bool same_pruned(const json_t *a, const json_t *b)
{
    AUTO_JSON x = pruned(a);
    AUTO_JSON y = pruned(b);
    return (json_is_zero(x) && json_is_zero(y)) || json_same(x, y);
}

bool sources_same(const json_t *a, const json_t *b)
{
    return same_pruned(a, b);
}

bool destinations_same(const json_t *a, const json_t *b)
{
    return same_pruned(a, b);
}

bool app_auto_sync(const json_t *app)
{
    json_t *automated = json_at(app, "spec", "syncPolicy", "automated");
    return json_is_map(automated) && !json_is_false(json_object_get(automated, "enabled"));
}

bool app_auto_prune(const json_t *app)
{
    return json_bool_at(app, "spec", "syncPolicy", "automated", "prune");
}

bool app_self_heal(const json_t *app)
{
    return json_bool_at(app, "spec", "syncPolicy", "automated", "selfHeal");
}

bool options_have(const json_t *list, const char *option)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_eq(json_string_value(json_array_get(list, i)), option))
            return true;
    return false;
}

char **annotation_list(const json_t *object, const char *key)
{
    VEC(char *) list = {};
    view_t rest = view_of(object_annotation(object, key)), item;
    while (annotation_next(&rest, &item))
        VEC_PUSH(&list, xstrndup(item.p, item.n));
    VEC_PUSH(&list, NULL);
    return list.v;
}

char *resource_option(const json_t *object, const char *name)
{
    return annotation_value(object, ANNOTATION_SYNC_OPTIONS, name);
}

bool sync_option(const json_t *app_options, const json_t *object, const char *option)
{
    return options_have(app_options, option) || annotation_has(object, ANNOTATION_SYNC_OPTIONS, option);
}

bool app_deleting(const json_t *app)
{
    return object_deleting(app);
}

bool app_has_finalizer(const json_t *app, const char *prefix)
{
    json_t *list = json_at(app, "metadata", "finalizers");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_has_prefix(json_string_value(json_array_get(list, i)), prefix))
            return true;
    return false;
}

json_t *revisions_of(const json_t *part)
{
    json_t *many = json_object_get(part, "revisions");
    if (json_array_size(many))
        return json_copy_deep(many);
    json_t *list = json_array();
    const char *one = json_str_at(part, "revision");
    if (!str_empty(one))
        json_array_append_new(list, json_str_new(one));
    return list;
}

static char *join(const json_t *list, const char *separator)
{
    str_t s = STR_INIT;
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (i)
            str_puts(&s, separator);
        str_puts(&s, json_string_value(json_array_get(list, i)));
    }
    return str_take(&s);
}

char *revisions_text(const json_t *revisions)
{
    AUTO(free_p) char *inner = join(revisions, " ");
    return xasprintf("[%s]", inner);
}

char *revisions_joined(const json_t *revisions)
{
    return join(revisions, ", ");
}

bool operation_completed(const char *phase)
{
    return str_eq(phase, "Failed") || str_eq(phase, "Error") || str_eq(phase, "Succeeded");
}

/* Removes parent[key] when everything in it is zero. */
static bool drop_if_empty(json_t *parent, const char *key)
{
    json_t *v = json_object_get(parent, key);
    if (!json_is_map(v))
        return false;
    AUTO_JSON rest = pruned(v);
    if (json_object_size(rest))
        return false;
    return json_object_del(parent, key) == 0;
}

static bool normalize_source(json_t *source)
{
    bool changed = drop_if_empty(source, "helm");
    changed |= drop_if_empty(source, "kustomize");
    json_t *dir = json_object_get(source, "directory");
    if (!json_is_map(dir))
        return changed;
    AUTO_JSON reduced = pruned(dir);
    if (json_object_size(reduced) == 0)
        return json_object_del(source, "directory") == 0;
    return changed;
}

/* An empty `automated` or `retry` says something (it is on, with defaults); an empty policy does not. */
static bool drop_empty_policy(json_t *spec)
{
    const json_t *policy = json_object_get(spec, "syncPolicy");
    if (!policy || json_is_map(json_object_get(policy, "automated")) ||
        json_is_map(json_object_get(policy, "retry")) ||
        json_is_map(json_object_get(policy, "managedNamespaceMetadata")) ||
        json_array_size(json_object_get(policy, "syncOptions")))
        return false;
    json_object_del(spec, "syncPolicy");
    return true;
}

bool app_normalize_spec(json_t *app)
{
    bool changed = str_empty(json_str_at(app, "spec", "project"));
    if (changed)
        json_put_at(app, json_str_new("default"), "spec", "project"); /* there may be no spec */
    json_t *spec = json_object_get(app, "spec"), *sources = json_object_get(spec, "sources");
    changed |= drop_empty_policy(spec);
    changed |= normalize_source(json_object_get(spec, "source"));
    for (size_t i = 0; i < json_array_size(sources); i++)
        changed |= normalize_source(json_array_get(sources, i));
    return changed;
}

json_t *json_time(wall_t t)
{
    char text[RFC3339_TEXT];
    rfc3339(t, text);
    return json_str_new(text);
}

bool json_to_time(const json_t *v, wall_t *out)
{
    return rfc3339_parse(json_string_value(v), out);
}

/* ---- conditions ---- */

void condition_add(json_t *list, const char *type, const char *message)
{
    json_t *c = json_object();
    json_set_str(c, "type", type);
    json_set_str(c, "message", message);
    json_array_append_new(list, c);
}

bool conditions_have(const json_t *list, const char *type)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_eq(json_str_at(json_array_get(list, i), "type"), type))
            return true;
    return false;
}

static bool is_among(const char *const *types, const char *type)
{
    for (size_t i = 0; types[i]; i++)
        if (str_eq(types[i], type))
            return true;
    return false;
}

static const json_t *first_of_type(const json_t *list, const char *type)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_eq(json_str_at(json_array_get(list, i), "type"), type))
            return json_array_get(list, i);
    return NULL;
}

static int by_text(const void *a, const void *b)
{
    static const char *const fields[] = {"type", "message", "lastTransitionTime"};
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    int d = 0;
    for (size_t i = 0; d == 0 && i < ARRAY_LEN(fields); i++)
        d = str_cmp(json_str_at(x, fields[i]), json_str_at(y, fields[i]));
    return d;
}

static json_t *sorted(json_t *list_take)
{
    AUTO_JSON list = list_take;
    size_t n = json_array_size(list);
    AUTO(free_p) json_t **items = xcalloc(n + 1, sizeof(*items));
    for (size_t i = 0; i < n; i++)
        items[i] = json_array_get(list, i);
    if (n > 1)
        qsort(items, n, sizeof(*items), by_text);
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append(out, items[i]);
    return out;
}

json_t *conditions_set(const json_t *old, const char *const *evaluated, const json_t *current, wall_t now)
{
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(old); i++)
        if (!is_among(evaluated, json_str_at(json_array_get(old, i), "type")))
            json_array_append(out, json_array_get(old, i));
    for (size_t i = 0; i < json_array_size(current); i++) {
        json_t *c = json_copy_deep(json_array_get(current, i));
        const json_t *was = first_of_type(old, json_str_at(c, "type")),
                     *at = json_object_get(was, "lastTransitionTime");
        bool same = was && str_eq(json_str_at(was, "message"), json_str_at(c, "message"));
        json_object_set_new_nocheck(c, "lastTransitionTime",
                                    same && at ? json_copy_deep(at) : json_time(now));
        json_array_append_new(out, c);
    }
    return sorted(out);
}

/* A merge patch without what would only turn {} into absence or back. */
static void drop_empty_changes(json_t *patch, const json_t *old)
{
    AUTO(free_p) const char **keys = json_sorted_keys(patch);
    for (size_t i = 0; keys[i]; i++) {
        json_t *change = json_object_get(patch, keys[i]);
        const json_t *was = json_object_get(old, keys[i]);
        bool was_empty = !was || (json_is_map(was) && !json_object_size(was)) || json_is_null(was);
        bool is_empty = json_is_null(change) || (json_is_map(change) && !json_object_size(change));
        if (was_empty && is_empty) {
            json_object_del(patch, keys[i]);
            continue;
        }
        if (json_is_map(change) && json_is_map(was)) {
            drop_empty_changes(change, was);
            if (!json_object_size(change))
                json_object_del(patch, keys[i]);
        }
    }
}

json_t *status_patch(const json_t *old_status, const json_t *new_status)
{
    AUTO_JSON empty = json_object();
    json_t *patch = json_merge_diff(old_status ? old_status : empty, new_status ? new_status : empty);
    drop_empty_changes(patch, old_status);
    if (json_object_size(patch))
        return patch;
    json_decref(patch);
    return NULL;
}
