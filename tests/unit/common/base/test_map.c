#include "tests/unit/test.h"
#include "common/base/intern.h"
#include "common/base/map.h"

static int freed;
static void count_free(void *p)
{
    freed++;
    free(p);
}

static void keeps_order_and_owns_values(void **state)
{
    freed = 0;
    map_t m = MAP_INIT(count_free);
    char key[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        assert_true(map_put(&m, key, xmemdup(&i, sizeof(i))));
    }
    for (int i = 0; i < 1000; i += 3) {
        snprintf(key, sizeof(key), "k%d", i);
        assert_true(map_del(&m, key));
        assert_false(map_has(&m, key));
    }
    assert_int_equal(m.n, 666);
    int last = -1;
    MAP_FOREACH(&m, e) {
        int v = *(int *)e->value;
        assert_true(v > last && v % 3 != 0);
        last = v;
    }
    int x = 5;
    assert_false(map_put(&m, "k1", xmemdup(&x, sizeof(x))));
    assert_int_equal(*(int *)map_get(&m, "k1"), 5);
    AUTO(free_p) void *taken = map_take(&m, "k2");
    assert_non_null(taken);
    assert_null(map_take(&m, "k2"));
    map_dispose(&m);
    assert_int_equal(freed, 334 + 1 + 665);
}

static void many_deletes_do_not_fill_the_table(void **state)
{
    map_t m = MAP_INIT(NULL);
    char key[16];
    for (int i = 0; i < 100000; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        map_put(&m, key, &m);
        map_del(&m, key);
    }
    assert_int_equal(m.n, 0);
    assert_true(m.nslots <= 64);
    map_put(&m, "b", &m);
    map_put(&m, "a", &m);
    AUTO(free_p) const char **keys = map_sorted_keys(&m);
    assert_string_equal(keys[0], "a");
    assert_null(keys[2]);
    map_dispose(&m);
}

static void deleting_while_walking(void **state)
{
    map_t m = MAP_INIT(NULL);
    map_put(&m, "a", &m);
    map_put(&m, "b", &m);
    MAP_FOREACH(&m, e)
        map_del(&m, e->key);
    assert_int_equal(m.n, 0);
    map_dispose(&m);
}

static void interned_texts_are_shared(void **state)
{
    size_t n0, b0, n1, b1;
    intern_stats(&n0, &b0);
    const char *a = intern("default"), *b = intern_n("defaultx", 7);
    assert_ptr_equal(a, b);
    intern_unref(b);
    assert_string_equal(intern_ref(a), "default");
    intern_unref(a);
    intern_unref(a);
    assert_null(intern(NULL));
    intern_stats(&n1, &b1);
    assert_int_equal(n0, n1);
    assert_int_equal(b0, b1);
    char text[16];
    const char *all[500];
    for (int i = 0; i < 500; i++) {
        snprintf(text, sizeof(text), "t%d", i);
        all[i] = intern(text);
    }
    for (int i = 0; i < 500; i++)
        intern_unref(all[i]);
    intern_stats(&n1, &b1);
    assert_int_equal(n0, n1);
}

TESTS(T(keeps_order_and_owns_values), T(many_deletes_do_not_fill_the_table), T(deleting_while_walking),
      T(interned_texts_are_shared))
