#include "common/engine/ownership.h"

static void add_fields(json_t *to, const json_t *from)
{
    json_t *it_of = (json_t *)(uintptr_t)from;
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it)) {
        const char *key = json_object_iter_key(it);
        const json_t *more = json_object_iter_value(it);
        json_t *have = json_object_get(to, key);
        if (!have) {
            json_object_set_new_nocheck(to, key, json_copy_deep(more));
            continue;
        }
        /* Whole on one side, by parts on the other: the thing itself and these parts. */
        bool whole = (json_object_size(have) == 0) != (json_object_size(more) == 0);
        add_fields(have, more);
        if (whole && !json_object_get(have, "."))
            json_object_set_new_nocheck(have, ".", json_object());
    }
}

json_t *fields_union(const json_t *a, const json_t *b)
{
    json_t *out = json_object();
    add_fields(out, a);
    add_fields(out, b);
    return out;
}

static bool is_by(const json_t *entry, const char *manager, const char *operation)
{
    return (!manager || str_eq(json_str_at(entry, "manager"), manager)) &&
           (!operation || str_eq(json_str_at(entry, "operation"), operation));
}

static bool on_itself(const json_t *entry)
{
    return str_empty(json_str_at(entry, "subresource"));
}

json_t *fields_owned(const json_t *managed_fields, const char *manager, const char *operation)
{
    json_t *out = json_object();
    for (size_t i = 0; i < json_array_size(managed_fields); i++) {
        const json_t *entry = json_array_get(managed_fields, i);
        if (is_by(entry, manager, operation) && (on_itself(entry) || !manager))
            add_fields(out, json_object_get(entry, "fieldsV1"));
    }
    return out;
}

json_t *fields_owned_by_others(const json_t *managed_fields, const char *manager, const char *operation)
{
    json_t *out = json_object();
    for (size_t i = 0; i < json_array_size(managed_fields); i++) {
        const json_t *entry = json_array_get(managed_fields, i);
        if (!is_by(entry, manager, operation) || !on_itself(entry))
            add_fields(out, json_object_get(entry, "fieldsV1"));
    }
    return out;
}

bool fields_have(const json_t *fields, const char *const *path)
{
    for (; fields && *path; path++) {
        AUTO(free_p) char *key = xasprintf("f:%s", *path);
        fields = json_object_get(fields, key);
    }
    return fields != NULL;
}

/* ---- members of lists ---- */

static bool has_default(const struct schema *schema, const char *key, const json_t *value)
{
    struct schema_field f;
    return schema_field(schema, key, &f) && !str_empty(f.fallback) &&
           str_eq(json_string_value(value), f.fallback);
}

static bool is_item(const json_t *item, const json_t *keys, const struct schema *schema)
{
    json_t *it_of = (json_t *)(uintptr_t)keys;
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it)) {
        const char *key = json_object_iter_key(it);
        const json_t *have = json_object_get(item, key), *wanted = json_object_iter_value(it);
        if (have ? !json_same(have, wanted) : !has_default(schema, key, wanted))
            return false;
    }
    return true;
}

size_t fields_find_item(const json_t *list, const char *member, const struct schema *schema)
{
    const char *keys_text = str_after(member, "k:"), *value_text = str_after(member, "v:");
    size_t n = json_array_size(list);
    AUTO_JSON wanted = NULL;
    if ((!keys_text && !value_text) || json_read_str(keys_text ? keys_text : value_text, &wanted, NULL) < 0 ||
        (keys_text && !json_is_map(wanted)))
        return n;
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(list, i);
        if (keys_text ? is_item(item, wanted, schema) : json_same(item, wanted))
            return i;
    }
    return n;
}

bool fields_by_member(const json_t *fields)
{
    json_t *it_of = (json_t *)(uintptr_t)fields;
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it)) {
        const char *key = json_object_iter_key(it);
        if (str_has_prefix(key, "k:") || str_has_prefix(key, "v:"))
            return true;
    }
    return false;
}

/* ---- migration ---- */

bool ownership_has_updates(const json_t *managed_fields, const char *manager)
{
    for (size_t i = 0; i < json_array_size(managed_fields); i++) {
        const json_t *entry = json_array_get(managed_fields, i);
        if (is_by(entry, manager, "Update") && on_itself(entry))
            return true;
    }
    return false;
}

json_t *ownership_client_appliers(const json_t *managed_fields)
{
    static const char *const path[] = {"metadata", "annotations",
                                       "kubectl.kubernetes.io/last-applied-configuration", NULL};
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(managed_fields); i++) {
        const json_t *entry = json_array_get(managed_fields, i);
        if (is_by(entry, NULL, "Update") && on_itself(entry) &&
            fields_have(json_object_get(entry, "fieldsV1"), path))
            json_array_append_new(out, json_str_new(str_or_empty(json_str_at(entry, "manager"))));
    }
    return out;
}

static json_t *find_entry(const json_t *entries, const char *manager, const char *operation,
                          const char *version)
{
    for (size_t i = 0; i < json_array_size(entries); i++) {
        json_t *entry = json_array_get(entries, i);
        if (is_by(entry, manager, operation) && on_itself(entry) &&
            (!version || str_same(json_str_at(entry, "apiVersion"), version)))
            return entry;
    }
    return NULL;
}

json_t *ownership_migrate(const json_t *managed_fields, const char *from, const char *to)
{
    AUTO_JSON entries = json_copy_deep(managed_fields);
    json_t *applied = find_entry(entries, to, "Apply", NULL);
    if (applied) {
        const json_t *updated = find_entry(entries, from, "Update", json_str_at(applied, "apiVersion"));
        AUTO_JSON both = fields_union(json_object_get(applied, "fieldsV1"),
                                      json_object_get(updated, "fieldsV1"));
        json_object_set_nocheck(applied, "fieldsV1", both);
    } else if ((applied = find_entry(entries, from, "Update", NULL))) {
        json_set_str(applied, "manager", to);
        json_set_str(applied, "operation", "Apply");
    }
    json_t *left = json_array();
    for (size_t i = 0; i < json_array_size(entries); i++) {
        json_t *entry = json_array_get(entries, i);
        if (!is_by(entry, from, "Update") || !on_itself(entry))
            json_array_append(left, entry);
    }
    return left;
}
