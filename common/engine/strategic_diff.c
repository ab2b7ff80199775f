/* Making the three-way patch: additions and changes from (current, modified), removals from (original,
 * modified), then the two merged as patches. */
#include "common/engine/strategic.h"
#include "common/engine/strategic_apply.h"
#include "common/engine/strategic_lists.h"

struct diff {
    bool changes;  /* additions and changes count */
    bool removals; /* removals count */
};

static int diff_objects(const json_t *from, const json_t *to, const struct schema *s, const struct diff *d,
                        bool retain, json_t **out, err_t **err);

static void put(json_t *object, const char *key, json_t *value_take)
{
    if (json_object_set_new_nocheck(object, key, value_take))
        oom();
}

static void put_prefixed(json_t *patch, const char *prefix, const char *name, json_t *value_take)
{
    AUTO(free_p) char *key = xasprintf("%s%s", prefix, name);
    put(patch, key, value_take);
}

static bool same_order(const json_t *a, const json_t *b, const char *key)
{
    if (json_array_size(a) != json_array_size(b))
        return false;
    for (size_t i = 0; i < json_array_size(a); i++)
        if (!json_same(json_object_get(json_array_get(a, i), key),
                       json_object_get(json_array_get(b, i), key)))
            return false;
    return true;
}

static json_t *keys_only(const json_t *list, const char *key)
{
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *one = json_object();
        put(one, key, json_copy_deep(json_object_get(json_array_get(list, i), key)));
        json_array_append_new(out, one);
    }
    return out;
}

static int diff_object_lists(const json_t *from, const json_t *to, const struct schema_field *f,
                             const struct diff *d, json_t *patch, const char *name, err_t **err)
{
    const char *key = f->patch_key;
    if (list_require_key(from, key, err) < 0 || list_require_key(to, key, err) < 0)
        return err_wrap(err, "list '%s'", name);
    AUTO_JSON list = json_array();
    for (size_t i = 0; i < json_array_size(to); i++) {
        json_t *item = json_array_get(to, i);
        ssize_t at = list_index_of(from, item, key);
        if (at < 0) {
            if (d->changes)
                json_array_append_new(list, json_copy_deep(item));
            continue;
        }
        json_t *change = NULL;
        int r = diff_objects(json_array_get(from, (size_t)at), item, f->schema, d, f->retain_keys, &change,
                             err);
        if (r < 0)
            return r;
        if (json_object_size(change)) {
            put(change, key, json_copy_deep(json_object_get(item, key)));
            json_array_append(list, change);
        }
        json_decref(change);
    }
    for (size_t i = 0; d->removals && i < json_array_size(from); i++) {
        json_t *item = json_array_get(from, i);
        if (list_index_of(to, item, key) >= 0)
            continue;
        json_t *gone = json_object();
        put(gone, key, json_copy_deep(json_object_get(item, key)));
        put(gone, PATCH_DIRECTIVE, json_str_new("delete"));
        json_array_append_new(list, gone);
    }
    size_t n = json_array_size(list);
    if (n || (d->changes && !same_order(from, to, key)))
        put_prefixed(patch, SET_ORDER_PREFIX, name, keys_only(to, key));
    if (n)
        put(patch, name, json_incref(list));
    return 0;
}

static void diff_primitive_lists(const json_t *from, const json_t *to, const struct diff *d, json_t *patch,
                                 const char *name)
{
    AUTO_JSON added = json_array();
    AUTO_JSON gone = json_array();
    for (size_t i = 0; d->changes && i < json_array_size(to); i++)
        if (list_index_of(from, json_array_get(to, i), NULL) < 0)
            json_array_append(added, json_array_get(to, i));
    for (size_t i = 0; d->removals && i < json_array_size(from); i++)
        if (list_index_of(to, json_array_get(from, i), NULL) < 0)
            json_array_append(gone, json_array_get(from, i));
    if (json_array_size(gone) || (d->changes && !json_same(from, to)))
        put_prefixed(patch, SET_ORDER_PREFIX, name, json_copy_deep(to));
    if (json_array_size(gone))
        put_prefixed(patch, DELETE_PREFIX, name, json_copy_deep(gone));
    if (json_array_size(added))
        put(patch, name, json_copy_deep(added));
}

static int diff_lists(const json_t *from, const json_t *to, const struct schema *s, const struct diff *d,
                      json_t *patch, const char *name, err_t **err)
{
    struct schema_field f = strategic_list_field(s, name);
    if (f.patch_merge == LIST_ATOMIC) {
        if (d->changes && !json_same(from, to))
            put(patch, name, json_copy_deep(to));
        return 0;
    }
    if (json_array_size(from) == 0) {
        if (json_array_size(to) && d->changes)
            put(patch, name, json_copy_deep(to));
        return 0;
    }
    if (list_of_objects(from, to))
        return diff_object_lists(from, to, &f, d, patch, name, err);
    diff_primitive_lists(from, to, d, patch, name);
    return 0;
}

static int diff_field(const json_t *was, const json_t *is, const struct schema *s, const struct diff *d,
                      json_t *patch, const char *name, err_t **err)
{
    if (json_is_map(was) && json_is_map(is)) {
        struct schema_field f;
        bool known = schema_field(s, name, &f) && !f.is_list && !f.is_map;
        json_t *inner = NULL;
        int r = diff_objects(was, is, known ? f.schema : NULL, d, known && f.retain_keys, &inner, err);
        if (r < 0)
            return err_wrap(err, "'%s'", name);
        if (json_object_size(inner))
            put(patch, name, json_incref(inner));
        json_decref(inner);
        return 0;
    }
    if (json_is_array(was) && json_is_array(is))
        return diff_lists(was, is, s, d, patch, name, err);
    if (d->changes && !json_same(was, is))
        put(patch, name, json_copy_deep(is));
    return 0;
}

static json_t *key_list(const json_t *object)
{
    json_t *out = json_array();
    AUTO(free_p) const char **keys = json_sorted_keys(object);
    for (size_t i = 0; keys[i]; i++)
        json_array_append_new(out, json_str_new(keys[i]));
    return out;
}

static int diff_objects(const json_t *from, const json_t *to, const struct schema *s, const struct diff *d,
                        bool retain, json_t **out, err_t **err)
{
    AUTO_JSON patch = json_object();
    AUTO(free_p) const char **keys = json_sorted_keys(to);
    for (size_t i = 0; keys[i]; i++) {
        json_t *was = json_object_get(from, keys[i]), *is = json_object_get(to, keys[i]);
        int r = 0;
        if (!was) {
            if (d->changes)
                put(patch, keys[i], json_copy_deep(is));
        } else {
            r = diff_field(was, is, s, d, patch, keys[i], err);
        }
        if (r < 0)
            return r;
    }
    AUTO(free_p) const char **old = json_sorted_keys(from);
    for (size_t i = 0; d->removals && old[i]; i++)
        if (!json_object_get(to, old[i]))
            put(patch, old[i], json_null());
    if (retain && json_object_size(patch))
        put(patch, RETAIN_KEYS, key_list(to));
    *out = TAKE(patch);
    return 0;
}

int strategic_three_way(const json_t *original, const json_t *modified, const json_t *current,
                        const struct schema *schema, json_t **patch, err_t **err)
{
    static const struct diff only_changes = {.changes = true}, only_removals = {.removals = true};
    AUTO_JSON nothing = json_object();
    AUTO_JSON delta = NULL;
    AUTO_JSON removals = NULL;
    if (diff_objects(current, modified, schema, &only_changes, false, &delta, err) < 0 ||
        diff_objects(original ? original : nothing, modified, schema, &only_removals, false, &removals, err) <
            0)
        return err_wrap(err, "make a three-way patch");
    if (strategic_merge_in_place(&removals, delta, schema, MERGE_PATCHES, err) < 0)
        return err_wrap(err, "make a three-way patch");
    *patch = TAKE(removals);
    return 0;
}
