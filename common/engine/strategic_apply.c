/* Merging a strategic merge patch.
 *
 * Order of work for one object: $patch (which ends it), $retainKeys, then the lists that come with a
 * $setElementOrder (merged and put in order), then everything else. Merging two patches does the same but
 * keeps directives for later. */
#include "common/engine/strategic_apply.h"
#include "common/engine/strategic.h"
#include "common/engine/strategic_lists.h"

static void put(json_t *object, const char *key, json_t *value_take)
{
    if (json_object_set_new_nocheck(object, key, value_take))
        oom();
}

/* Removes nulls of the maps inside. */
static void drop_nulls(json_t *v)
{
    if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v); i++)
            drop_nulls(json_array_get(v, i));
    } else if (json_is_map(v)) {
        AUTO(free_p) const char **keys = json_sorted_keys(v);
        for (size_t i = 0; keys[i]; i++) {
            json_t *child = json_object_get(v, keys[i]);
            if (json_is_null(child))
                json_object_del(v, keys[i]);
            else
                drop_nulls(child);
        }
    }
}

static bool is_directive(const char *key)
{
    return str_has_prefix(key, SET_ORDER_PREFIX) || str_has_prefix(key, DELETE_PREFIX) ||
           str_eq(key, RETAIN_KEYS);
}

/* Removes what carries a $patch directive, at any depth, and the other directives (Kubernetes leaves the
 * latter behind in new list elements, where its server then drops them as unknown fields). False: the value
 * itself is to go. */
static bool drop_directives(json_t *v)
{
    if (json_is_map(v)) {
        if (json_object_get(v, PATCH_DIRECTIVE))
            return false;
        AUTO(free_p) const char **keys = json_sorted_keys(v);
        for (size_t i = 0; keys[i]; i++)
            if (is_directive(keys[i]) || !drop_directives(json_object_get(v, keys[i])))
                json_object_del(v, keys[i]);
    } else if (json_is_array(v)) {
        for (size_t i = json_array_size(v); i-- > 0;)
            if (!drop_directives(json_array_get(v, i)))
                json_array_remove(v, i);
    }
    return true;
}

/* Makes a value of a patch one of an object. False: there is nothing to store. */
static bool prepare_new(json_t *value)
{
    drop_nulls(value);
    return drop_directives(value);
}

/* Stores a value that has no counterpart to merge with. */
static void put_new(json_t *original, const char *key, json_t *value, enum merge_mode mode)
{
    if (mode == MERGE_PATCHES || prepare_new(value))
        put(original, key, json_incref(value));
    else
        json_object_del(original, key);
}

static int retain_keys(json_t *original, json_t *patch, enum merge_mode mode, err_t **err)
{
    json_t *keys = json_object_get(patch, RETAIN_KEYS);
    if (!keys)
        return 0;
    AUTO_JSON keep = json_incref(keys);
    json_object_del(patch, RETAIN_KEYS);
    if (mode == MERGE_PATCHES) {
        if (!json_object_get(original, RETAIN_KEYS))
            put(original, RETAIN_KEYS, json_incref(keep));
        return 0;
    }
    if (!json_is_array(keep))
        return err_set(err, ERR_INVALID_ARGUMENT, "malformed patch: " RETAIN_KEYS " is no list");
    AUTO(free_p) const char **have = json_sorted_keys(original);
    for (size_t i = 0; have[i]; i++) {
        AUTO_JSON name = json_str_new(have[i]);
        if (list_index_of(keep, name, NULL) < 0)
            json_object_del(original, have[i]);
    }
    return 0;
}

static json_t *without_duplicates(const json_t *list)
{
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(list); i++)
        if (list_index_of(out, json_array_get(list, i), NULL) < 0)
            json_array_append(out, json_array_get(list, i));
    return out;
}

/* Carries out the elements of the patch with a $patch directive and takes them out of it. With "replace" the
 * list is emptied first. */
static int special_elements(json_t *list, json_t *patch, const char *key, err_t **err)
{
    bool replace = false;
    for (size_t i = 0; i < json_array_size(patch);) {
        json_t *item = json_array_get(patch, i);
        const char *what = json_str_at(item, PATCH_DIRECTIVE);
        if (!json_object_get(item, PATCH_DIRECTIVE)) {
            i++;
            continue;
        }
        if (str_eq(what, "delete")) {
            if (!json_object_get(item, key))
                return err_set(err, ERR_INVALID_ARGUMENT, "a list element to delete lacks its merge key '%s'",
                               key);
            for (ssize_t at; (at = list_index_of(list, item, key)) >= 0;)
                json_array_remove(list, (size_t)at);
        } else if (str_eq(what, "replace")) {
            replace = true;
        } else {
            return err_set(err, ERR_INVALID_ARGUMENT, "list element with unknown " PATCH_DIRECTIVE " '%s'",
                           str_or_empty(what));
        }
        json_array_remove(patch, i);
    }
    if (replace)
        json_array_clear(list);
    return 0;
}

static int merge_objects(json_t *list, json_t *patch, const struct schema_field *f, enum merge_mode mode,
                         err_t **err)
{
    int r = special_elements(list, patch, f->patch_key, err);
    if (r == 0)
        r = list_require_key(patch, f->patch_key, err);
    for (size_t i = 0; r == 0 && i < json_array_size(patch); i++) {
        json_t *item = json_array_get(patch, i);
        ssize_t at = list_index_of(list, item, f->patch_key);
        if (at < 0) {
            if (mode == MERGE_PATCHES || prepare_new(item))
                json_array_append(list, item);
            continue;
        }
        json_t *merged = json_incref(json_array_get(list, (size_t)at));
        r = strategic_merge_in_place(&merged, item, f->schema, mode, err);
        json_array_set_new(list, (size_t)at, merged);
    }
    return r;
}

/* A merging list: returns the merged list in the order of the patch. */
static int merge_list(const json_t *original, json_t *patch, const struct schema_field *f,
                      const json_t *order, enum merge_mode mode, json_t **out, err_t **err)
{
    AUTO_JSON merged = json_copy((json_t *)(uintptr_t)original);
    if (!list_of_objects(original, patch)) {
        json_array_extend(merged, patch);
        AUTO_JSON unique = without_duplicates(merged);
        *out = list_order(unique, order ? order : patch, original, NULL);
        return 0;
    }
    if (str_empty(f->patch_key))
        return err_set(err, ERR_INVALID_ARGUMENT, "a list of objects cannot be merged without a merge key");
    AUTO_JSON changes = json_copy(patch);
    if (mode == MERGE_PATCHES) {
        /* Deletions inside stay deletions. */
        for (size_t i = 0; i < json_array_size(changes); i++) {
            json_t *item = json_array_get(changes, i);
            ssize_t at = list_index_of(merged, item, f->patch_key);
            if (at < 0) {
                json_array_append(merged, item);
                continue;
            }
            json_t *one = json_incref(json_array_get(merged, (size_t)at));
            int r = json_object_get(one, PATCH_DIRECTIVE) || json_object_get(item, PATCH_DIRECTIVE)
                        ? 0
                        : strategic_merge_in_place(&one, item, f->schema, mode, err);
            json_array_set_new(merged, (size_t)at, one);
            if (r < 0)
                return r;
        }
    } else {
        int r = merge_objects(merged, changes, f, mode, err);
        if (r < 0)
            return r;
    }
    /* Kubernetes places new elements in the slots of deleted ones when it looks at the server's order. */
    AUTO_JSON server_order = json_array();
    for (size_t i = 0; i < json_array_size(original) && i < json_array_size(merged); i++)
        json_array_append(server_order, json_array_get(merged, i));
    *out = list_order(merged, order ? order : changes, server_order, f->patch_key);
    return 0;
}

/* One $setElementOrder/<name> and the list that it orders. */
static int merge_ordered(json_t *original, json_t *patch, const char *directive, const struct schema *schema,
                         enum merge_mode mode, err_t **err)
{
    const char *name = str_after(directive, SET_ORDER_PREFIX);
    AUTO_JSON order = json_incref(json_object_get(patch, directive));
    if (!json_is_array(order))
        return err_set(err, ERR_INVALID_ARGUMENT, "malformed patch: %s is no list", directive);
    if (mode == MERGE_PATCHES && !json_object_get(original, directive))
        put(original, directive, json_incref(order));
    json_object_del(patch, directive);
    json_t *have = json_object_get(original, name), *change = json_object_get(patch, name);
    if ((have && !json_is_array(have)) || (change && !json_is_array(change)))
        return 0; /* no lists: the ordinary merge deals with them */
    if (!have && !change)
        return 0;
    struct schema_field f = strategic_list_field(schema, name);
    if (f.patch_merge == LIST_ATOMIC)
        return 0;
    json_t *merged = NULL;
    if (!have) {
        if (mode == MERGE_INTO_OBJECT)
            prepare_new(change);
        merged = list_order(change, order, NULL, f.patch_key);
    } else if (!change) {
        merged = list_order(have, order, have, f.patch_key);
    } else {
        int r = merge_list(have, change, &f, order, mode, &merged, err);
        if (r < 0)
            return err_wrap(err, "list '%s'", name);
    }
    put(original, name, merged);
    json_object_del(patch, name);
    return 0;
}

static void delete_primitives(json_t *original, const char *name, const json_t *gone)
{
    json_t *list = json_object_get(original, name);
    for (size_t i = json_array_size(list); i-- > 0;)
        if (list_index_of(gone, json_array_get(list, i), NULL) >= 0)
            json_array_remove(list, i);
}

static int merge_field(json_t *original, const char *key, json_t *change, const struct schema *schema,
                       enum merge_mode mode, err_t **err)
{
    const char *of_list = str_after(key, DELETE_PREFIX);
    if (of_list) {
        if (mode == MERGE_PATCHES)
            put(original, key, json_incref(change));
        else
            delete_primitives(original, of_list, change);
        return 0;
    }
    json_t *have = json_object_get(original, key);
    if (json_is_null(change)) {
        json_object_del(original, key);
        if (mode == MERGE_PATCHES)
            put(original, key, json_null());
        return 0;
    }
    if (json_is_map(have) && json_is_map(change)) {
        json_t *merged = json_incref(have);
        int r = strategic_merge_in_place(&merged, change, strategic_object_schema(schema, key), mode, err);
        put(original, key, merged);
        return r < 0 ? err_wrap(err, "'%s'", key) : 0;
    }
    if (json_is_array(have) && json_is_array(change)) {
        struct schema_field f = strategic_list_field(schema, key);
        json_t *merged = json_incref(change);
        if (f.patch_merge != LIST_ATOMIC) {
            json_decref(merged);
            int r = merge_list(have, change, &f, NULL, mode, &merged, err);
            if (r < 0)
                return err_wrap(err, "list '%s'", key);
        }
        put(original, key, merged);
        return 0;
    }
    put_new(original, key, change, mode);
    return 0;
}

/* The $setElementOrder keys of a patch, as copies: handling one removes keys. */
static char **order_directives(const json_t *patch)
{
    AUTO(free_p) const char **keys = json_sorted_keys(patch);
    char **out = xcalloc(json_object_size(patch) + 1, sizeof(*out));
    for (size_t i = 0, n = 0; keys[i]; i++)
        if (str_has_prefix(keys[i], SET_ORDER_PREFIX))
            out[n++] = xstrdup(keys[i]);
    return out;
}

int strategic_merge_in_place(json_t **original, json_t *patch, const struct schema *schema,
                             enum merge_mode mode, err_t **err)
{
    const char *directive = json_str_at(patch, PATCH_DIRECTIVE);
    if (json_object_get(patch, PATCH_DIRECTIVE) && mode == MERGE_INTO_OBJECT && !str_eq(directive, "merge")) {
        bool replace = str_eq(directive, "replace");
        if (!replace && !str_eq(directive, "delete"))
            return err_set(err, ERR_INVALID_ARGUMENT, "unknown " PATCH_DIRECTIVE " '%s'",
                           str_or_empty(directive));
        json_object_del(patch, PATCH_DIRECTIVE);
        json_decref(*original);
        *original = replace ? json_incref(patch) : json_object();
        return 0;
    }
    if (mode == MERGE_INTO_OBJECT)
        json_object_del(patch, PATCH_DIRECTIVE);
    int r = retain_keys(*original, patch, mode, err);
    AUTO(strv_free_p) char **ordered = order_directives(patch);
    for (size_t i = 0; r == 0 && ordered[i]; i++)
        r = merge_ordered(*original, patch, ordered[i], schema, mode, err);
    if (r < 0)
        return r;
    AUTO(free_p) const char **rest = json_sorted_keys(patch);
    for (size_t i = 0; r == 0 && rest[i]; i++)
        r = merge_field(*original, rest[i], json_object_get(patch, rest[i]), schema, mode, err);
    return r;
}

int strategic_merge_apply(const json_t *original, const json_t *patch, const struct schema *schema,
                          json_t **out, err_t **err)
{
    if (!json_is_map(patch))
        return err_set(err, ERR_INVALID_ARGUMENT, "a strategic merge patch is an object");
    AUTO_JSON result = json_is_map(original) ? json_copy_deep(original) : json_object();
    AUTO_JSON change = json_copy_deep(patch);
    int r = strategic_merge_in_place(&result, change, schema, MERGE_INTO_OBJECT, err);
    if (r == 0)
        *out = TAKE(result);
    return r;
}
