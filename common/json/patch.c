#include "common/json/patch.h"

enum { MAX_OPERATIONS = 10000, MAX_GROWTH = 64 << 20 };

/* ---- RFC 6901 ---- */

static bool next_token(const char **p, str_t *token)
{
    if (**p != '/')
        return false;
    str_reset(token);
    str_add(token, "", 0);
    for ((*p)++; **p && **p != '/'; (*p)++) {
        char c = **p;
        if (c == '~') {
            char n = (*p)[1];
            if (n != '0' && n != '1')
                return false;
            c = n == '0' ? '~' : '/';
            (*p)++;
        }
        str_putc(token, c);
    }
    return true;
}

/* An array index: digits without a leading zero. */
static bool index_of(const char *token, size_t *out)
{
    uint64_t v;
    if (!str_to_u64(token, &v) || (token[0] == '0' && token[1]) || v > UINT32_MAX)
        return false;
    *out = (size_t)v;
    return true;
}

static json_t *child(const json_t *v, const char *token)
{
    size_t i;
    if (json_is_map(v))
        return json_object_get(v, token);
    return json_is_array(v) && index_of(token, &i) ? json_array_get(v, i) : NULL;
}

/* Walks to the parent of what the pointer names; the last token is left in `token`. NULL when there is no
 * such parent. An empty pointer has no parent. */
static json_t *parent_of(const json_t *doc, const char *pointer, str_t *token)
{
    json_t *at = (json_t *)(uintptr_t)doc;
    if (!next_token(&pointer, token))
        return NULL;
    while (at && *pointer) {
        at = child(at, str_text(token));
        if (!next_token(&pointer, token))
            return NULL;
    }
    return at;
}

json_t *json_pointer_get(const json_t *doc, const char *pointer)
{
    if (!*pointer)
        return (json_t *)(uintptr_t)doc;
    AUTO_STR token = STR_INIT;
    json_t *parent = parent_of(doc, pointer, &token);
    return parent ? child(parent, str_text(&token)) : NULL;
}

int json_pointer_remove(json_t *doc, const char *pointer, err_t **err)
{
    AUTO_STR token = STR_INIT;
    json_t *parent = parent_of(doc, pointer, &token);
    size_t i;
    bool done = false;
    if (json_is_map(parent))
        done = json_object_del(parent, str_text(&token)) == 0;
    else if (json_is_array(parent) && index_of(str_text(&token), &i))
        done = json_array_remove(parent, i) == 0;
    return done ? 0 : err_set(err, ERR_NOT_FOUND, "nothing at '%s'", pointer);
}

void json_pointer_escape(const char *token, str_t *out)
{
    for (; *token; token++) {
        if (*token == '~')
            str_puts(out, "~0");
        else if (*token == '/')
            str_puts(out, "~1");
        else
            str_putc(out, *token);
    }
}

/* ---- RFC 6902 ---- */

static int add_at(json_t **doc, const char *pointer, json_t *value_take, bool replace, err_t **err)
{
    if (!*pointer) {
        json_decref(*doc);
        *doc = value_take;
        return 0;
    }
    AUTO_STR token = STR_INIT;
    json_t *parent = parent_of(*doc, pointer, &token);
    const char *name = str_text(&token);
    size_t i;
    int bad = -1;
    if (replace && parent && !child(parent, name)) {
        bad = -1;
        parent = NULL;
    }
    if (json_is_map(parent))
        bad = json_object_set_nocheck(parent, name, value_take);
    else if (json_is_array(parent) && strcmp(name, "-") == 0)
        bad = json_array_append(parent, value_take);
    else if (json_is_array(parent) && index_of(name, &i))
        bad = replace ? json_array_set(parent, i, value_take) : json_array_insert(parent, i, value_take);
    json_decref(value_take);
    if (bad)
        return err_set(err, ERR_INVALID_ARGUMENT, "path '%s' does not exist", pointer);
    return 0;
}

static int op_move_or_copy(json_t **doc, const char *from, const char *path, bool move, err_t **err)
{
    json_t *value = json_pointer_get(*doc, from);
    if (!value)
        return err_set(err, ERR_INVALID_ARGUMENT, "from '%s' does not exist", from);
    size_t n = strlen(from);
    if (move && strncmp(path, from, n) == 0 && path[n] == '/')
        return err_set(err, ERR_INVALID_ARGUMENT, "cannot move '%s' into itself", from);
    json_t *copy = move ? json_incref(value) : json_copy_deep(value);
    if (move && *from && json_pointer_remove(*doc, from, NULL) < 0) {
        json_decref(copy);
        return err_set(err, ERR_INVALID_ARGUMENT, "from '%s' does not exist", from);
    }
    return add_at(doc, path, copy, false, err);
}

static int apply_one(json_t **doc, const json_t *op, err_t **err)
{
    const char *name = json_str_at(op, "op"), *path = json_str_at(op, "path"),
               *from = json_str_at(op, "from");
    json_t *value = json_at(op, "value");
    if (!name || !path)
        return err_set(err, ERR_INVALID_ARGUMENT, "an operation needs 'op' and 'path'");
    bool needs_value = str_eq(name, "add") || str_eq(name, "replace") || str_eq(name, "test");
    if (needs_value && !value)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s '%s' needs a 'value'", name, path);
    if (str_eq(name, "test")) {
        json_t *have = json_pointer_get(*doc, path);
        if (have ? !json_same(have, value) : !json_is_null(value))
            return err_set(err, ERR_FAILED_PRECONDITION, "test of '%s' failed", path);
        return 0;
    }
    if (str_eq(name, "add") || str_eq(name, "replace"))
        return add_at(doc, path, json_copy_deep(value), str_eq(name, "replace"), err);
    if (str_eq(name, "remove"))
        return json_pointer_remove(*doc, path, err) < 0 ? err_recode(err, ERR_INVALID_ARGUMENT) : 0;
    if (!str_eq(name, "move") && !str_eq(name, "copy"))
        return err_set(err, ERR_INVALID_ARGUMENT, "unknown operation '%s'", name);
    if (!from)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s '%s' needs a 'from'", name, path);
    return op_move_or_copy(doc, from, path, str_eq(name, "move"), err);
}

/* Leaves of a document: copying a part into itself again and again must not fill the memory. */
static size_t weight(const json_t *v)
{
    size_t sum = 1;
    if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v); i++)
            sum += weight(json_array_get(v, i));
    } else if (json_is_object(v)) {
        json_t *it_of = (json_t *)(uintptr_t)v;
        for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it))
            sum += weight(json_object_iter_value(it));
    }
    return sum;
}

static size_t depth_of(const json_t *v)
{
    size_t most = 0;
    if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v); i++)
            most = max_size(most, depth_of(json_array_get(v, i)));
    } else if (json_is_object(v)) {
        json_t *it_of = (json_t *)(uintptr_t)v;
        for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it))
            most = max_size(most, depth_of(json_object_iter_value(it)));
    }
    return most + 1;
}

int json_patch_apply(json_t **doc, const json_t *patch, err_t **err)
{
    if (!json_is_array(patch))
        return err_set(err, ERR_INVALID_ARGUMENT, "a JSON patch is an array of operations");
    if (json_array_size(patch) > MAX_OPERATIONS)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "a JSON patch has more than %d operations",
                       MAX_OPERATIONS);
    AUTO_JSON copy = json_copy_deep(*doc);
    for (size_t i = 0; i < json_array_size(patch); i++) {
        const json_t *op = json_array_get(patch, i);
        if (apply_one(&copy, op, err) < 0)
            return err_wrap(err, "JSON patch operation %zu", i);
        bool grows = str_eq(json_str_at(op, "op"), "copy");
        if (grows && (weight(copy) > MAX_GROWTH / 64 || depth_of(copy) > JSON_MAX_DEPTH))
            return err_set(err, ERR_RESOURCE_EXHAUSTED,
                           "JSON patch operation %zu: the document grows too large", i);
    }
    if (depth_of(copy) > JSON_MAX_DEPTH)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "JSON patch: the document grows too deep");
    json_decref(*doc);
    *doc = TAKE(copy);
    return 0;
}

/* ---- RFC 7386 ---- */

static void set_member(json_t *object, const char *key, size_t len, json_t *value_take)
{
    if (json_object_setn_new_nocheck(object, key, len, value_take))
        oom();
}

static void merge_into(json_t *target, const json_t *patch)
{
    json_t *it_of = (json_t *)(uintptr_t)patch;
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it)) {
        const char *key = json_object_iter_key(it);
        size_t len = json_object_iter_key_len(it);
        json_t *value = json_object_iter_value(it);
        if (json_is_null(value)) {
            json_object_deln(target, key, len);
        } else if (!json_is_map(value)) {
            set_member(target, key, len, json_copy_deep(value));
        } else {
            json_t *have = json_object_getn(target, key, len);
            if (!json_is_map(have)) {
                have = json_object();
                set_member(target, key, len, have);
            }
            merge_into(have, value);
        }
    }
}

json_t *json_merge_apply(const json_t *doc, const json_t *patch)
{
    if (!json_is_map(patch))
        return json_copy_deep(patch);
    json_t *out = json_is_map(doc) ? json_copy_deep(doc) : json_object();
    merge_into(out, patch);
    return out;
}

json_t *json_merge_diff(const json_t *from, const json_t *to)
{
    if (!json_is_map(from) || !json_is_map(to))
        return json_same(from, to) ? json_object() : json_copy_deep(to);
    json_t *patch = json_object(), *a = (json_t *)(uintptr_t)from, *b = (json_t *)(uintptr_t)to;
    for (void *it = json_object_iter(a); it; it = json_object_iter_next(a, it)) {
        const char *key = json_object_iter_key(it);
        size_t len = json_object_iter_key_len(it);
        if (!json_object_getn(to, key, len))
            set_member(patch, key, len, json_null());
    }
    for (void *it = json_object_iter(b); it; it = json_object_iter_next(b, it)) {
        const char *key = json_object_iter_key(it);
        size_t len = json_object_iter_key_len(it);
        json_t *was = json_object_getn(from, key, len), *is = json_object_iter_value(it);
        if (was && json_same(was, is))
            continue;
        bool both = json_is_map(was) && json_is_map(is);
        set_member(patch, key, len, both ? json_merge_diff(was, is) : json_copy_deep(is));
    }
    return patch;
}

/* Keeps only the nulls of a merge patch (`nulls`), or only the rest. */
static json_t *filter_nulls(const json_t *patch, bool nulls)
{
    json_t *out = json_object(), *it_of = (json_t *)(uintptr_t)patch;
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it)) {
        const char *key = json_object_iter_key(it);
        size_t len = json_object_iter_key_len(it);
        json_t *value = json_object_iter_value(it);
        if (json_is_map(value) && json_object_size(value)) {
            json_t *inner = filter_nulls(value, nulls);
            if (json_object_size(inner))
                set_member(out, key, len, inner);
            else
                json_decref(inner);
        } else if (json_is_null(value) == nulls) {
            set_member(out, key, len, json_copy_deep(value));
        }
    }
    return out;
}

static void merge_patches(json_t *into, const json_t *more)
{
    json_t *it_of = (json_t *)(uintptr_t)more;
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it)) {
        const char *key = json_object_iter_key(it);
        size_t len = json_object_iter_key_len(it);
        json_t *value = json_object_iter_value(it), *have = json_object_getn(into, key, len);
        if (json_is_map(have) && json_is_map(value))
            merge_patches(have, value);
        else
            set_member(into, key, len, json_incref(value));
    }
}

json_t *json_merge_three_way(const json_t *original, const json_t *modified, const json_t *current)
{
    AUTO_JSON empty = json_object();
    AUTO_JSON changes = json_merge_diff(current, modified);
    AUTO_JSON removed = json_merge_diff(original ? original : empty, modified);
    AUTO_JSON additions = filter_nulls(changes, false);
    json_t *patch = filter_nulls(removed, true);
    merge_patches(patch, additions);
    return patch;
}
