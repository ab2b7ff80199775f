/* jq's delpaths. */
#include "common/eval/eval.h"

static int longest_last(const void *a, const void *b)
{
    return json_compare(*(json_t *const *)b, *(json_t *const *)a);
}

static bool index_of(const json_t *list, const json_t *key, int64_t *out)
{
    int64_t n = (int64_t)json_array_size(list);
    if (!json_to_i64(key, out))
        return false;
    *out += *out < 0 ? n : 0;
    return *out >= 0 && *out < n;
}

static int64_t bound(const json_t *at, int64_t n, int64_t fallback)
{
    int64_t i = fallback;
    if (!json_to_i64(at, &i))
        return fallback;
    i += i < 0 ? n : 0;
    return i < 0 ? 0 : i > n ? n : i;
}

static void remove_at(json_t *parent, const json_t *key)
{
    int64_t i;
    if (json_is_map(parent) && json_is_string(key)) {
        json_object_deln(parent, json_string_value(key), json_string_length(key));
    } else if (json_is_array(parent) && json_is_map(key)) {
        int64_t n = (int64_t)json_array_size(parent);
        int64_t begin = bound(json_object_get(key, "start"), n, 0),
                end = bound(json_object_get(key, "end"), n, n);
        for (i = end; i > begin; i--)
            json_array_remove(parent, (size_t)i - 1);
    } else if (json_is_array(parent) && index_of(parent, key, &i)) {
        json_array_remove(parent, (size_t)i);
    }
}

static json_t *step(json_t *v, const json_t *key)
{
    int64_t i;
    if (json_is_map(v) && json_is_string(key))
        return json_object_getn(v, json_string_value(key), json_string_length(key));
    return json_is_array(v) && index_of(v, key, &i) ? json_array_get(v, (size_t)i) : NULL;
}

static void delete_path(json_t *root, const json_t *path)
{
    json_t *v = root;
    size_t n = json_array_size(path);
    for (size_t i = 0; v && i + 1 < n; i++)
        v = step(v, json_array_get(path, i));
    if (v)
        remove_at(v, json_array_get(path, n - 1));
}

/* From the last to the first, so that removing from a list moves nothing that is still to be removed. */
int eval_delete_paths(const json_t *object, const json_t *paths, json_t **out, err_t **err)
{
    size_t n = json_array_size(paths);
    AUTO(free_p) json_t **list = xcalloc(n, sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        list[i] = json_array_get(paths, i);
        if (!json_array_size(list[i]))
            return err_set(err, ERR_INVALID_ARGUMENT, "the expression selects the whole object");
    }
    if (!json_is_array(paths))
        return err_set(err, ERR_INVALID_ARGUMENT, "the expression yields no paths");
    qsort(list, n, sizeof(*list), longest_last);
    *out = json_copy_deep(object);
    for (size_t i = 0; i < n; i++)
        delete_path(*out, list[i]);
    return 0;
}
