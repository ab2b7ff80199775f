#include "common/json/json.h"
#include "common/json/number.h"
#include "common/base/hash.h"

/* null < false < true < numbers < strings < arrays < objects */
static int rank(const json_t *v)
{
    if (!v || json_is_null(v))
        return 0;
    if (json_is_boolean(v))
        return json_is_true(v) ? 2 : 1;
    if (json_is_any_number(v))
        return 3;
    return json_is_string(v) ? 4 : json_is_array(v) ? 5 : 6;
}

static int compare_numbers(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b)) {
        json_int_t x = json_integer_value(a), y = json_integer_value(b);
        return (x > y) - (x < y);
    }
    AUTO_STR sa = STR_INIT;
    AUTO_STR sb = STR_INIT;
    struct decimal da, db;
    decimal_of(a, &sa, &da);
    decimal_of(b, &sb, &db);
    return decimal_cmp(&da, &db);
}

static int compare_strings(const json_t *a, const json_t *b)
{
    size_t n = json_string_length(a), m = json_string_length(b);
    int d = memcmp(json_string_value(a), json_string_value(b), min_size(n, m));
    return d ? d : (n > m) - (n < m);
}

static int compare_arrays(const json_t *a, const json_t *b)
{
    size_t n = json_array_size(a), m = json_array_size(b);
    for (size_t i = 0; i < n && i < m; i++) {
        int d = json_compare(json_array_get(a, i), json_array_get(b, i));
        if (d)
            return d;
    }
    return (n > m) - (n < m);
}

static int compare_objects(const json_t *a, const json_t *b)
{
    AUTO(free_p) const char **ka = json_sorted_keys(a);
    AUTO(free_p) const char **kb = json_sorted_keys(b);
    for (size_t i = 0; ka[i] && kb[i]; i++) {
        int d = strcmp(ka[i], kb[i]);
        if (!d)
            d = json_compare(json_object_get(a, ka[i]), json_object_get(b, kb[i]));
        if (d)
            return d;
    }
    size_t n = json_object_size(a), m = json_object_size(b);
    return (n > m) - (n < m);
}

int json_compare(const json_t *a, const json_t *b)
{
    int ra = rank(a), rb = rank(b);
    if (a == b || ra != rb || ra < 3)
        return (ra > rb) - (ra < rb);
    switch (ra) {
    case 3:
        return compare_numbers(a, b);
    case 4:
        return compare_strings(a, b);
    case 5:
        return compare_arrays(a, b);
    default:
        return compare_objects(a, b);
    }
}

bool json_same(const json_t *a, const json_t *b)
{
    if (a == b)
        return true;
    if (!json_is_map(a) || !json_is_map(b)) {
        if (!json_is_array(a) || !json_is_array(b))
            return json_compare(a, b) == 0;
        if (json_array_size(a) != json_array_size(b))
            return false;
        for (size_t i = 0; i < json_array_size(a); i++)
            if (!json_same(json_array_get(a, i), json_array_get(b, i)))
                return false;
        return true;
    }
    if (json_object_size(a) != json_object_size(b))
        return false;
    json_t *it_of = (json_t *)(uintptr_t)a;
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it)) {
        json_t *other = json_object_getn(b, json_object_iter_key(it), json_object_iter_key_len(it));
        if (!other || !json_same(json_object_iter_value(it), other))
            return false;
    }
    return true;
}

static uint64_t hash_number(const json_t *v, uint64_t seed)
{
    AUTO_STR s = STR_INIT;
    struct decimal d;
    decimal_of(v, &s, &d);
    uint64_t h = hash_content(d.digits, d.n, seed ^ (d.negative ? 0x9e37 : 0));
    return hash_content(&d.exponent, sizeof(d.exponent), h);
}

uint64_t json_hash(const json_t *v, uint64_t seed)
{
    uint64_t h = seed * 31 + (uint64_t)rank(v) + 1;
    if (rank(v) < 3)
        return hash_content("", 0, h);
    if (json_is_any_number(v))
        return hash_number(v, h);
    if (json_is_string(v))
        return hash_content(json_string_value(v), json_string_length(v), h);
    if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v); i++)
            h = json_hash(json_array_get(v, i), h);
        return hash_content(&h, sizeof(h), seed);
    }
    /* Members are added up, so that their order does not matter. */
    uint64_t sum = json_object_size(v);
    json_t *it_of = (json_t *)(uintptr_t)v;
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it)) {
        uint64_t k = hash_content(json_object_iter_key(it), json_object_iter_key_len(it), h);
        sum += json_hash(json_object_iter_value(it), k);
    }
    return hash_content(&sum, sizeof(sum), h);
}
