#include "common/engine/strategic_lists.h"

struct schema_field strategic_list_field(const struct schema *s, const char *name)
{
    struct schema_field f;
    if (!schema_field(s, name, &f) || !f.is_list)
        f = (struct schema_field){.patch_merge = LIST_ATOMIC, .patch_key = ""};
    return f;
}

const struct schema *strategic_object_schema(const struct schema *s, const char *name)
{
    struct schema_field f;
    return schema_field(s, name, &f) && !f.is_list && !f.is_map ? f.schema : NULL;
}

ssize_t list_index_of(const json_t *list, const json_t *item, const char *key)
{
    const json_t *wanted = str_empty(key) ? item : json_object_get(item, key);
    for (size_t i = 0; wanted && i < json_array_size(list); i++) {
        const json_t *have = json_array_get(list, i);
        if (!str_empty(key))
            have = json_object_get(have, key);
        if (have && json_same(have, wanted))
            return (ssize_t)i;
    }
    return -1;
}

int list_require_key(const json_t *list, const char *key, err_t **err)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!json_object_get(json_array_get(list, i), key))
            return err_set(err, ERR_INVALID_ARGUMENT, "element %zu of a list lacks its merge key '%s'", i,
                           key);
    return 0;
}

bool list_of_objects(const json_t *a, const json_t *b)
{
    const json_t *first = json_array_size(a) ? json_array_get(a, 0) : json_array_get(b, 0);
    return json_is_map(first);
}

/* Elements of `from` in the order in which `order` names them; what it does not name comes first, as it
 * stood. */
static json_t *sorted_by(const json_t *from, const json_t *order, const char *key)
{
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(from); i++)
        if (list_index_of(order, json_array_get(from, i), key) < 0)
            json_array_append(out, json_array_get(from, i));
    for (size_t o = 0; o < json_array_size(order); o++) {
        for (size_t i = 0; i < json_array_size(from); i++) {
            json_t *item = json_array_get(from, i);
            if (list_index_of(order, item, key) == (ssize_t)o)
                json_array_append(out, item);
        }
    }
    return out;
}

json_t *list_order(const json_t *merged, const json_t *order, const json_t *server_order, const char *key)
{
    AUTO_JSON ours = json_array();
    AUTO_JSON theirs = json_array();
    for (size_t i = 0; i < json_array_size(merged); i++) {
        json_t *item = json_array_get(merged, i);
        json_array_append(list_index_of(order, item, key) >= 0 ? ours : theirs, item);
    }
    AUTO_JSON left = sorted_by(theirs, server_order, key);
    AUTO_JSON right = sorted_by(ours, order, key);
    json_t *out = json_array();
    size_t i = 0, j = 0;
    while (i < json_array_size(left) || j < json_array_size(right)) {
        json_t *l = json_array_get(left, i), *r = json_array_get(right, j);
        /* One of the server's goes first only where the server had both, in this order. */
        ssize_t li = l ? list_index_of(server_order, l, key) : -1,
                ri = r ? list_index_of(server_order, r, key) : -1;
        bool take_left = l && (!r || (li >= 0 && ri >= 0 && li < ri));
        json_array_append(out, take_left ? l : r);
        i += take_left;
        j += !take_left;
    }
    return out;
}
