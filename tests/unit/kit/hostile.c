#include "tests/unit/kit/hostile.h"

uint64_t hostile_random(struct hostile *h)
{
    /* splitmix64 */
    uint64_t x = h->state += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

size_t hostile_below(struct hostile *h, size_t n)
{
    return (size_t)(hostile_random(h) % n);
}

static json_t *bad_value(struct hostile *h)
{
    static const char *const texts[] = {"null",
                                        "true",
                                        "false",
                                        "0",
                                        "-1",
                                        "1.5",
                                        "1e300",
                                        "18446744073709551616",
                                        "-9223372036854775808",
                                        "9223372036854775807",
                                        "\"\"",
                                        "\"x\"",
                                        "\"-5\"",
                                        "\"\\u0000\"",
                                        "\"a:b/c:d/e\"",
                                        "\"[{]\"",
                                        "\"999999999999999999999999999999\"",
                                        "[]",
                                        "[null]",
                                        "[[]]",
                                        "[1,\"a\",{}]",
                                        "{}",
                                        "{\"\":null}",
                                        "{\"name\":{\"name\":[]}}"};
    AUTO_ERR err = NULL;
    json_t *v = NULL;
    if (json_read_str(texts[hostile_below(h, ARRAY_LEN(texts))], &v, &err) < 0)
        oom();
    return v;
}

/* Walks down at random and spoils what it meets. */
static void spoil(struct hostile *h, json_t *at)
{
    if (json_is_array(at) && json_array_size(at)) {
        size_t i = hostile_below(h, json_array_size(at));
        json_t *child = json_array_get(at, i);
        if (json_is_object(child) || json_is_array(child))
            if (hostile_below(h, 4)) {
                spoil(h, child);
                return;
            }
        json_array_set_new(at, i, bad_value(h));
    } else if (json_is_map(at) && json_object_size(at)) {
        AUTO(free_p) const char **keys = json_sorted_keys(at);
        const char *key = keys[hostile_below(h, json_object_size(at))];
        json_t *child = json_object_get(at, key);
        if ((json_is_object(child) || json_is_array(child)) && hostile_below(h, 5))
            spoil(h, child);
        else if (hostile_below(h, 5))
            json_object_set_new_nocheck(at, key, bad_value(h));
        else
            json_object_del(at, key);
    }
}

json_t *hostile_document(struct hostile *h, const json_t *doc)
{
    json_t *copy = json_copy_deep(doc);
    for (size_t n = 1 + hostile_below(h, 3); n > 0; n--)
        spoil(h, copy);
    return copy;
}
