#include "common/base/slab.h"
#include "common/base/thread.h"
#include "tests/unit/test.h"

enum { THINGS = 4000 };

struct thing {
    unsigned char *p;
    size_t n;
    unsigned char mark;
};

static size_t in_use(size_t *taken)
{
    size_t t, used;
    slab_stats(&t, &used);
    if (taken)
        *taken = t;
    return used;
}

static void fill(struct thing *t, size_t n, unsigned char mark)
{
    *t = (struct thing){slab_alloc(n), n, mark};
    assert_int_equal((uintptr_t)t->p % 16, 0);
    memset(t->p, mark, n);
}

static void check(const struct thing *t)
{
    for (size_t i = 0; i < t->n; i++)
        assert_int_equal(t->p[i], t->mark);
}

/* Allocates and frees at random: nothing overlaps, and all of it goes back. */
static void *churn(void *arg)
{
    uint64_t seed = (uintptr_t)arg;
    struct thing *things = xcalloc(THINGS, sizeof(*things));
    for (int round = 0; round < 40000; round++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        struct thing *t = &things[(seed >> 33) % THINGS];
        check(t);
        slab_free(t->p, t->n);
        fill(t, (seed >> 20) % ((seed >> 60) ? 600 : SLAB_LARGEST + 300), (unsigned char)(seed >> 50));
    }
    for (size_t i = 0; i < THINGS; i++) {
        check(&things[i]);
        slab_free(things[i].p, things[i].n);
    }
    free(things);
    return NULL;
}

static void nothing_overlaps_and_all_goes_back(void **state)
{
    (void)state;
    pthread_t threads[3];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        threads[i] = thread_start("churn", churn, (void *)(uintptr_t)(i + 1));
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    size_t taken;
    assert_int_equal(in_use(&taken), 0);
    assert_true(taken <= (512 / 16 + (SLAB_LARGEST - 512) / 128) * (64u << 10)); /* one of each class stays */
}

static void cells_lie_close(void **state)
{
    (void)state;
    size_t before, after;
    in_use(&before);
    char **p = xcalloc(10000, sizeof(*p));
    for (int i = 0; i < 10000; i++)
        p[i] = slab_alloc(48);
    assert_int_equal(in_use(&after), 480000);
    assert_true(after - before <= 480000 * 11 / 10 + (64 << 10));
    for (int i = 0; i < 10000; i++)
        slab_free(p[i], 48);
    free(p);
    assert_int_equal(in_use(NULL), 0);
}

static void sizes_change_and_texts_are_copied(void **state)
{
    (void)state;
    char *p = slab_resize(NULL, 0, 10);
    memcpy(p, "123456789", 10);
    p = slab_resize(p, 10, 9000);
    assert_string_equal(p, "123456789");
    p = slab_resize(p, 9000, 4);
    assert_memory_equal(p, "1234", 4);
    slab_free(p, 4);
    char *text = slab_strdup("a text");
    assert_string_equal(text, "a text");
    slab_strfree(text);
    slab_strfree(NULL);
    slab_free(NULL, 77);
    unsigned char *zero = slab_zalloc(300);
    for (int i = 0; i < 300; i++)
        assert_int_equal(zero[i], 0);
    slab_free(zero, 300);
    assert_int_equal(in_use(NULL), 0);
}

int main(void)
{
    slab_largest = SLAB_LARGEST;
    const struct CMUnitTest tests[] = {T(cells_lie_close), T(nothing_overlaps_and_all_goes_back),
                                       T(sizes_change_and_texts_are_copied)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
