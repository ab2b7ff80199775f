#include "tests/unit/test.h"
#include "common/base/rand.h"
#include "common/net/redis.h"

static const struct seal_key first = {7, {1, 2, 3}}, second = {8, {4, 5, 6}}, impostor = {7, {9, 9, 9}};
static const wall_t now = {1700000000 * NS_PER_SEC};

static wall_t later(int64_t ns)
{
    return (wall_t){now.ns + ns};
}

static void what_is_closed_opens(void **state)
{
    AUTO_ERR err = NULL;
    seal_t *s = seal_new(&first, 1);
    static const size_t sizes[] = {0, 1, 255, 256, 1000, 100000, 5000000};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        for (int noise = 0; noise < 2; noise++) {
            AUTO(free_p) char *text = xcalloc(1, sizes[i] + 1);
            if (noise)
                random_bytes(text, sizes[i]);
            AUTO_STR sealed = {}, out = {};
            seal_close(s, "app|x", text, sizes[i], SECONDS(60), now, &sealed);
            assert_false(str_overflowed(&sealed));
            if (!noise && sizes[i] > 1000)
                assert_true(sealed.len < sizes[i] / 10);
            assert_true(sealed.len < sizes[i] + 100);
            ASSERT_OK(seal_open(s, "app|x", sealed.p, sealed.len, later(SECONDS(60)), sizes[i], &out, &err));
            assert_int_equal(out.len, sizes[i]);
            if (sizes[i])
                assert_memory_equal(out.p, text, sizes[i]);
        }
    struct seal_stats stats;
    seal_stats(s, &stats);
    assert_int_equal(stats.opened, 2 * ARRAY_LEN(sizes));
    assert_int_equal(stats.forged + stats.stale, 0);
    seal_free(s);
}

static void others_do_not_open(void **state)
{
    AUTO_STR sealed = {};
    seal_t *s = seal_new(&first, 1);
    seal_t *other = seal_new(&second, 1), *wrong = seal_new(&impostor, 1);
    seal_close(s, "app|x", "text", 4, SECONDS(60), now, &sealed);
    static const struct {
        const char *key;
        int64_t after;
        int seal, want;
    } cases[] = {
        {"app|x", 0, 0, 0},
        {"app|x", SECONDS(60), 0, 0},
        {"app|x", SECONDS(60) + 1, 0, -ERR_OUT_OF_RANGE},
        {"app|x", -SECONDS(59), 0, 0},                 /* a clock that is behind */
        {"app|x", -SECONDS(61), 0, -ERR_OUT_OF_RANGE}, /* from the future */
        {"app|y", 0, 0, -ERR_DATA_LOSS},               /* put under another name */
        {"app|x|", 0, 0, -ERR_DATA_LOSS},
        {"app|x", 0, 1, -ERR_DATA_LOSS}, /* a key with another id */
        {"app|x", 0, 2, -ERR_DATA_LOSS}, /* another key with the same id */
    };
    seal_t *seals[] = {s, other, wrong};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO_STR out = {};
        int r = seal_open(seals[cases[i].seal], cases[i].key, sealed.p, sealed.len, later(cases[i].after),
                          100, &out, &err);
        assert_int_equal(r, cases[i].want);
        assert_int_equal(out.len, r == 0 ? 4 : 0);
    }
    struct seal_stats stats;
    seal_stats(s, &stats);
    assert_int_equal(stats.opened, 3);
    assert_int_equal(stats.stale, 2);
    assert_int_equal(stats.forged, 2);
    seal_free(s);
    seal_free(other);
    seal_free(wrong);
}

static void every_bit_counts(void **state)
{
    AUTO_STR sealed = {};
    seal_t *s = seal_new(&first, 1);
    seal_close(s, "k", "some text", 9, SECONDS(60), now, &sealed);
    for (size_t bit = 0; bit < sealed.len * 8; bit++) {
        AUTO_STR out = {};
        sealed.p[bit / 8] = (char)(sealed.p[bit / 8] ^ 1 << bit % 8);
        assert_int_equal(seal_open(s, "k", sealed.p, sealed.len, now, 100, &out, NULL), -ERR_DATA_LOSS);
        sealed.p[bit / 8] = (char)(sealed.p[bit / 8] ^ 1 << bit % 8);
    }
    for (size_t n = 0; n < sealed.len; n++) {
        AUTO_STR out = {};
        assert_int_equal(seal_open(s, "k", sealed.p, n, now, 100, &out, NULL), -ERR_DATA_LOSS);
    }
    seal_free(s);
}

static void keys_rotate(void **state)
{
    AUTO_ERR err = NULL;
    AUTO_STR old_value = {}, new_value = {}, out = {};
    const struct seal_key both[] = {second, first};
    seal_t *old = seal_new(&first, 1), *rotated = seal_new(both, 2), *new = seal_new(&second, 1);
    seal_close(old, "k", "1", 1, SECONDS(60), now, &old_value);
    seal_close(rotated, "k", "2", 1, SECONDS(60), now, &new_value);
    ASSERT_OK(seal_open(rotated, "k", old_value.p, old_value.len, now, 10, &out, &err));
    ASSERT_OK(seal_open(rotated, "k", new_value.p, new_value.len, now, 10, &out, &err));
    ASSERT_OK(seal_open(new, "k", new_value.p, new_value.len, now, 10, &out, &err));
    assert_string_equal(str_text(&out), "122");
    assert_int_equal(seal_open(new, "k", old_value.p, old_value.len, now, 10, &out, &err), -ERR_DATA_LOSS);
    assert_int_equal(seal_open(old, "k", new_value.p, new_value.len, now, 10, &out, &err), -ERR_DATA_LOSS);
    seal_free(old);
    seal_free(rotated);
    seal_free(new);
}

/* 100 MB of zeros are a few KB sealed: the reader's limit holds before anything is made of them. */
static void size_is_capped(void **state)
{
    AUTO_ERR err = NULL;
    AUTO_STR sealed = {}, out = {}, noise = {}, small_out = STR_MAX(10);
    seal_t *s = seal_new(&first, 1);
    size_t n = 100 << 20;
    AUTO(free_p) char *text = xcalloc(1, n);
    seal_close(s, "k", text, n, 0, now, &sealed);
    assert_true(sealed.len < 100000);
    assert_int_equal(seal_open(s, "k", sealed.p, sealed.len, now, n - 1, &out, &err),
                     -ERR_RESOURCE_EXHAUSTED);
    assert_int_equal(out.cap, 0);
    assert_int_equal(seal_open(s, "k", sealed.p, sealed.len, now, n, &small_out, &err),
                     -ERR_RESOURCE_EXHAUSTED);
    err_clear(&err);
    ASSERT_OK(
        seal_open(s, "k", sealed.p, sealed.len, later(SECONDS(86400) * 365), n, &out, &err)); /* no age */
    assert_int_equal(out.len, n);
    seal_close(s, "k", "not compressed", 14, 0, now, &noise);
    assert_int_equal(seal_open(s, "k", noise.p, noise.len, now, 13, &out, &err), -ERR_RESOURCE_EXHAUSTED);
    seal_free(s);
}

TESTS(T(what_is_closed_opens), T(others_do_not_open), T(every_bit_counts), T(keys_rotate), T(size_is_capped))
