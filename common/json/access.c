#include "common/json/json.h"

static json_t *walk(const json_t *v, va_list ap)
{
    json_t *at = (json_t *)(uintptr_t)v;
    for (const char *key; at && (key = va_arg(ap, const char *));)
        at = json_object_get(at, key); /* NULL when at is no object */
    return at;
}

json_t *json_at_(const json_t *v, ...)
{
    va_list ap;
    va_start(ap, v);
    json_t *at = walk(v, ap);
    va_end(ap);
    return at;
}

const char *json_str_at_(const json_t *v, ...)
{
    va_list ap;
    va_start(ap, v);
    json_t *at = walk(v, ap);
    va_end(ap);
    return json_string_value(at);
}

int64_t json_int_at_(const json_t *v, ...)
{
    va_list ap;
    va_start(ap, v);
    json_t *at = walk(v, ap);
    va_end(ap);
    int64_t n = 0;
    return json_to_i64(at, &n) ? n : 0;
}

bool json_bool_at_(const json_t *v, ...)
{
    va_list ap;
    va_start(ap, v);
    json_t *at = walk(v, ap);
    va_end(ap);
    return json_is_true(at);
}

void json_put_at_(json_t *v, json_t *value_take, ...)
{
    va_list ap;
    va_start(ap, value_take);
    const char *key = va_arg(ap, const char *);
    for (const char *next; (next = va_arg(ap, const char *)); key = next) {
        json_t *child = json_object_get(v, key);
        if (!json_is_map(child)) {
            child = json_object();
            json_object_set_new_nocheck(v, key, child);
        }
        v = child;
    }
    va_end(ap);
    if (json_object_set_new_nocheck(v, key, value_take))
        oom();
}

bool json_drop_at_(json_t *v, ...)
{
    va_list ap;
    va_start(ap, v);
    const char *key = va_arg(ap, const char *);
    for (const char *next; v && (next = va_arg(ap, const char *)); key = next)
        v = json_object_get(v, key);
    va_end(ap);
    return v && json_object_del(v, key) == 0;
}

json_t *json_str_new(const char *s)
{
    json_t *v = json_string_nocheck(str_or_empty(s));
    if (!v)
        oom();
    return v;
}

void json_set_str(json_t *object, const char *key, const char *value)
{
    if (json_object_set_new_nocheck(object, key, json_str_new(value)))
        oom();
}

void json_put_str(json_t *object, const char *key, const char *value)
{
    if (!str_empty(value))
        json_set_str(object, key, value);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **json_sorted_keys(const json_t *object)
{
    size_t n = 0;
    const char **keys = xmalloc((json_object_size(object) + 1) * sizeof(*keys));
    json_t *it_of = (json_t *)(uintptr_t)object;
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it))
        keys[n++] = json_object_iter_key(it);
    keys[n] = NULL;
    if (n > 1)
        qsort(keys, n, sizeof(*keys), by_text);
    return keys;
}

bool json_is_zero(const json_t *v)
{
    if (!v || json_is_null(v) || json_is_false(v))
        return true;
    if (json_is_any_number(v)) {
        double d;
        return json_to_double(v, &d) && d == 0;
    }
    if (json_is_string(v))
        return json_string_length(v) == 0;
    return json_is_array(v) ? json_array_size(v) == 0 : json_is_object(v) && json_object_size(v) == 0;
}

static json_t *copy_object(const json_t *v)
{
    json_t *out = json_object(), *it_of = (json_t *)(uintptr_t)v;
    for (void *it = json_object_iter(it_of); out && it; it = json_object_iter_next(it_of, it))
        if (json_object_setn_new_nocheck(out, json_object_iter_key(it), json_object_iter_key_len(it),
                                         json_copy_deep(json_object_iter_value(it))))
            oom();
    return out;
}

static json_t *copy_array(const json_t *v)
{
    json_t *out = json_array();
    for (size_t i = 0; out && i < json_array_size(v); i++)
        if (json_array_append_new(out, json_copy_deep(json_array_get(v, i))))
            oom();
    return out;
}

/* jansson's own cuts keys at a NUL. */
json_t *json_copy_deep(const json_t *v)
{
    if (!v)
        return NULL;
    json_t *copy = json_is_object(v)  ? copy_object(v)
                   : json_is_array(v) ? copy_array(v)
                                      : json_copy((json_t *)(uintptr_t)v);
    if (!copy)
        oom();
    return copy;
}
