/* ignored_respect compares the live object with what the rules leave of it. Where something was taken away,
 * the live value goes into the target, which lost its own by the same rules; where nothing was, the target
 * stays. Items of lists are told apart by the key that the kind's schema names, by name, or by their place.
 */
#include "common/engine/ignored.h"

static bool names_managers(const struct ignore_rule *r, const json_t *object)
{
    return r->managers && *r->managers && ignore_rule_matches(r, object);
}

bool ignored_by_manager(const json_t *object, const struct ignore_rule *rules, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (names_managers(&rules[i], object))
            return true;
    return false;
}

/* ---- fields of managers ---- */

/* The first item whose fields have the values of `key`. */
static size_t find_item(const json_t *list, const json_t *key)
{
    size_t n = json_array_size(list);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(list, i);
        json_t *it_of = (json_t *)(uintptr_t)key;
        bool same = true;
        for (void *it = json_object_iter(it_of); same && it; it = json_object_iter_next(it_of, it)) {
            const json_t *have = json_object_get(item, json_object_iter_key(it));
            same = have && json_same(have, json_object_iter_value(it));
        }
        if (same)
            return i;
    }
    return n;
}

/* Nothing is said of what is inside: the field is owned whole. */
static bool owns_whole(const json_t *fields)
{
    return json_object_size(fields) == 0;
}

static void drop_fields(const json_t *fields, json_t *target, json_t *live);

static void drop_field(const char *name, const json_t *inside, json_t *target, json_t *live)
{
    json_t *t = json_object_get(target, name), *l = json_object_get(live, name);
    if (!t || !l)
        return;
    if (!owns_whole(inside)) {
        drop_fields(inside, t, l);
    } else if (!json_same(t, l)) {
        json_object_del(target, name);
        json_object_del(live, name);
    }
}

/* FieldsV1: "f:<name>" a field, "k:<keys>" an item of a list; sets and places ("v:", "i:") are added or gone,
 * never different. */
static void drop_fields(const json_t *fields, json_t *target, json_t *live)
{
    json_t *it_of = (json_t *)(uintptr_t)fields;
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it)) {
        const char *key = json_object_iter_key(it), *name = str_after(key, "f:"),
                   *item = str_after(key, "k:");
        const json_t *inside = json_object_iter_value(it);
        AUTO_JSON keys = NULL;
        if (name) {
            drop_field(name, inside, target, live);
        } else if (item && json_read_str(item, &keys, NULL) == 0 && json_is_map(keys)) {
            size_t t = find_item(target, keys), l = find_item(live, keys);
            if (t < json_array_size(target) && l < json_array_size(live))
                drop_fields(inside, json_array_get(target, t), json_array_get(live, l));
        }
    }
}

void ignored_drop_managed(json_t *target, json_t *live, const json_t *managed_fields,
                          const struct ignore_rule *rules, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!names_managers(&rules[i], live))
            continue;
        for (size_t m = 0; m < json_array_size(managed_fields); m++) {
            const json_t *entry = json_array_get(managed_fields, m);
            if (strv_contains(rules[i].managers, str_or_empty(json_str_at(entry, "manager"))))
                drop_fields(json_object_get(entry, "fieldsV1"), target, live);
        }
    }
}

/* ---- fields of rules ---- */

static void restore(json_t *target, const json_t *reduced, const json_t *live, const struct schema *schema);

/* The item of the list that is the same one as `item`, by its key; its size when there is none. */
static size_t partner(const json_t *list, const json_t *item, const char *key, size_t place)
{
    const json_t *value = json_object_get(item, key);
    size_t n = json_array_size(list);
    if (!value)
        return place < n ? place : n;
    for (size_t i = 0; i < n; i++) {
        const json_t *other = json_object_get(json_array_get(list, i), key);
        if (other && json_same(other, value))
            return i;
    }
    return n;
}

static bool has_equal(const json_t *list, const json_t *item)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_same(json_array_get(list, i), item))
            return true;
    return false;
}

static void restore_list(json_t *target, const json_t *reduced, const json_t *live, const char *key,
                         const struct schema *schema)
{
    bool whole = json_array_size(reduced) ==
                 json_array_size(live); /* nothing but parts of items was taken away */
    for (size_t i = 0; i < json_array_size(live); i++) {
        const json_t *item = json_array_get(live, i), *rest = whole ? json_array_get(reduced, i) : NULL;
        if (rest ? json_same(rest, item) : has_equal(reduced, item))
            continue;
        size_t at = partner(target, item, key, i);
        if (rest && at < json_array_size(target))
            restore(json_array_get(target, at), rest, item, schema);
        else if (!rest && (at == json_array_size(target) || !json_object_get(item, key)))
            json_array_append_new(target, json_copy_deep(item));
    }
}

static void restore_field(json_t *target, const char *name, const json_t *reduced, const json_t *live,
                          const struct schema *schema)
{
    struct schema_field f = {};
    bool known = schema_field(schema, name, &f);
    const struct schema *inside = known ? f.schema : NULL;
    json_t *t = json_object_get(target, name);
    if (!reduced)
        json_object_set_new_nocheck(target, name, json_copy_deep(live));
    else if (json_is_map(reduced) && json_is_map(live) && json_is_map(t))
        restore(t, reduced, live, inside);
    else if (json_is_array(reduced) && json_is_array(live) && json_is_array(t))
        restore_list(t, reduced, live, known && !str_empty(f.patch_key) ? f.patch_key : "name", inside);
}

static void restore(json_t *target, const json_t *reduced, const json_t *live, const struct schema *schema)
{
    json_t *it_of = (json_t *)(uintptr_t)live;
    if (!json_is_map(target) || !json_is_map(reduced))
        return;
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it)) {
        const char *name = json_object_iter_key(it);
        const json_t *now = json_object_iter_value(it), *rest = json_object_get(reduced, name);
        if (!rest || !json_same(rest, now))
            restore_field(target, name, rest, now, schema);
    }
}

json_t *ignored_respect(const json_t *target, const json_t *live, const struct normalize_options *options)
{
    json_t *out = json_copy_deep(target);
    AUTO_JSON reduced = json_copy_deep(live);
    AUTO_JSON whole = json_copy_deep(live);
    AUTO(free_p) char *group = object_group(target);
    AUTO(free_p) char *version = object_version(target);
    normalize_by_rules(&out, options);
    normalize_by_rules(&reduced, options);
    json_object_del(reduced, "status");
    json_object_del(whole, "status");
    restore(out, reduced, whole, kind_schema(group, version, object_kind(target)));
    return out;
}
