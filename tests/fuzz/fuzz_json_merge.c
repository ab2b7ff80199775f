/* "a NUL b NUL c": the merge patch from a to b, applied to a, gives b (where b has no nulls, which it cannot
 * say); a three-way patch leaves alone what neither side touched. */
#include "tests/fuzz/fuzz.h"
#include "common/json/patch.h"

static bool has_null(const json_t *v)
{
    size_t i;
    const char *key;
    json_t *child, *mutable = (json_t *)(uintptr_t)v;
    if (json_is_null(v))
        return true;
    if (json_is_map(v)) {
        json_object_foreach(mutable, key, child)
            if (has_null(child))
                return true;
    } else if (json_is_array(v)) {
        json_array_foreach(v, i, child)
            if (has_null(child))
                return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(free_p) char *ta = take_text(&data, &size);
    AUTO(free_p) char *tb = take_text(&data, &size);
    AUTO(free_p) char *tc = take_text(&data, &size);
    AUTO_JSON a = NULL;
    AUTO_JSON b = NULL;
    AUTO_JSON c = NULL;
    if (json_read_str(ta, &a, NULL) < 0 || json_read_str(tb, &b, NULL) < 0)
        return 0;
    AUTO_JSON merged = json_merge_apply(a, b);
    AUTO_JSON again = json_merge_apply(merged, b);
    REQUIRE(json_same(merged, again));
    AUTO_JSON patch = json_merge_diff(a, b);
    AUTO_JSON result = json_merge_apply(a, patch);
    REQUIRE(has_null(b) || json_same(result, b) || (json_same(a, b) && !json_is_map(a)));
    if (json_read_str(tc, &c, NULL) < 0 || !json_is_map(a) || !json_is_map(b) || !json_is_map(c))
        return 0;
    AUTO_JSON three = json_merge_three_way(a, b, c);
    AUTO_JSON applied = json_merge_apply(c, three);
    AUTO_JSON settled = json_merge_three_way(b, b, applied);
    REQUIRE(has_null(a) || has_null(b) || has_null(c) || json_object_size(settled) == 0);
    return 0;
}
