#include "tests/unit/test.h"
#include "common/base/thread.h"
#include "common/base/workq.h"

#include <stdatomic.h>

static atomic_int count;

static void bump(void *arg)
{
    atomic_fetch_add(&count, 1);
}

static void pool_runs_everything(void **state)
{
    AUTO_ERR err = NULL;
    count = 0;
    pool_t *p = pool_new("test", 4, 2000);
    for (int i = 0; i < 1000; i++)
        ASSERT_OK(pool_submit(p, bump, NULL, &err));
    pool_free(p);
    assert_int_equal(count, 1000);
}

static void block(void *arg)
{
    while (!atomic_load((atomic_int *)arg))
        sleep_ns(MILLIS(1));
}

static void pool_says_busy(void **state)
{
    AUTO_ERR err = NULL;
    atomic_int go = 0;
    pool_t *p = pool_new("test", 1, 1);
    ASSERT_OK(pool_submit(p, block, &go, &err));
    int r = 0;
    /* The first job leaves the queue when its worker takes it. */
    for (int i = 0; i < 100 && r == 0; i++)
        r = pool_submit(p, block, &go, &err);
    assert_int_equal(r, -ERR_RESOURCE_EXHAUSTED);
    go = 1;
    pool_free(p);
}

struct seen {
    lock_t lock;
    atomic_int running, overlaps;
    int runs;
    uint64_t bits;
};

static void record(void *ctx, const char *key, uint64_t bits)
{
    struct seen *s = ctx;
    if (atomic_fetch_add(&s->running, 1) > 0)
        atomic_fetch_add(&s->overlaps, 1);
    sleep_ns(MILLIS(2));
    {
        LOCKED(&s->lock);
        s->runs++;
        s->bits |= bits;
    }
    atomic_fetch_sub(&s->running, 1);
}

static void one_key_is_serial_and_merged(void **state)
{
    struct seen s = {.lock = LOCK_INIT};
    workq_t *q = workq_new("test", 4, record, &s);
    for (uint64_t i = 0; i < 64; i++)
        workq_add(q, "app", (uint64_t)1 << i);
    assert_true(workq_drain(q, mono_after(mono_now(), SECONDS(5))));
    assert_int_equal(s.overlaps, 0);
    assert_true(s.bits == UINT64_MAX);
    assert_true(s.runs < 64);
    struct workq_stats stats;
    workq_stats(q, &stats);
    assert_int_equal(stats.added, 64);
    workq_free(q);
}

static void timers_fire_once_and_in_time(void **state)
{
    struct seen s = {.lock = LOCK_INIT};
    workq_t *q = workq_new("test", 2, record, &s);
    workq_add_after(q, "a", 1, MILLIS(30));
    workq_add_after(q, "a", 1, MILLIS(5000)); /* the earlier deadline holds */
    workq_add_after(q, "b", 2, MILLIS(10));
    workq_add_after(q, "c", 4, MILLIS(5));
    workq_cancel(q, "c", 4);
    workq_add_after(q, "d", 8, MILLIS(5));
    workq_forget(q, "d");
    sleep_ns(MILLIS(200));
    assert_true(workq_drain(q, mono_after(mono_now(), SECONDS(5))));
    assert_int_equal(s.bits, 3);
    assert_int_equal(s.runs, 2);
    struct workq_stats stats;
    workq_stats(q, &stats);
    assert_int_equal(stats.delayed, 0);
    workq_free(q);
}

static char order[64];
static void note(void *ctx, const char *key, uint64_t bits)
{
    if (strcmp(key, "wait") == 0)
        block(ctx);
    else
        strcat(order, key);
}

static void low_priority_waits_but_does_not_starve(void **state)
{
    atomic_int go = 0;
    order[0] = 0;
    workq_t *q = workq_new("test", 1, note, &go);
    workq_add(q, "wait", 1);
    sleep_ns(MILLIS(20));
    workq_add_low(q, "l", 1);
    char key[2] = "A";
    for (int i = 0; i < 12; i++, key[0]++)
        workq_add(q, key, 1);
    go = 1;
    assert_true(workq_drain(q, mono_after(mono_now(), SECONDS(5))));
    char *at = strchr(order, 'l');
    assert_non_null(at);
    assert_true(at > order && at[1]); /* neither first nor last */
    workq_free(q);
}

static void slow(void *ctx, const char *key, uint64_t bits)
{
    block(ctx);
}

static uint64_t sum(const struct workq_times *t)
{
    uint64_t n = 0;
    for (size_t i = 0; i <= WORKQ_BOUNDS; i++)
        n += t->counts[i];
    return n;
}

/* How long work waits, runs, and has been running. */
static void times_are_told(void **state)
{
    atomic_int go = 0;
    struct workq_stats s;
    workq_t *q = workq_new("test", 1, slow, &go);
    workq_add(q, "a", 1);
    sleep_ns(MILLIS(20));
    workq_add(q, "b", 1);
    workq_add_after(q, "c", 1, SECONDS(60));
    sleep_ns(MILLIS(20));
    workq_stats(q, &s);
    assert_true(s.running == 1 && s.ready == 1 && s.put_off == 1 && s.waited.count == 1 && !s.worked.count);
    assert_true(s.longest >= 0.01 && s.longest < 30 && s.unfinished == s.longest);
    go = 1;
    assert_true(workq_drain(q, mono_after(mono_now(), SECONDS(10))));
    workq_stats(q, &s);
    assert_true(s.longest == 0 && s.waited.count == 2 && s.worked.count == 2);
    assert_true(sum(&s.waited) == 2 && sum(&s.worked) == 2);
    assert_true(s.worked.seconds >= 0.03 && s.waited.seconds >= 0.01 && s.waited.seconds < 30);
    workq_free(q);
}

static void stress(void **state)
{
    struct seen s = {.lock = LOCK_INIT};
    workq_t *q = workq_new("test", 4, record, &s);
    char key[16];
    for (int i = 0; i < 2000; i++) {
        snprintf(key, sizeof(key), "k%d", i % 50);
        if (i % 3)
            workq_add_jittered(q, key, 1, 0, MILLIS(20));
        else
            workq_add(q, key, 2);
        if (i % 7 == 0)
            workq_forget(q, key);
    }
    sleep_ns(MILLIS(60));
    assert_true(workq_drain(q, mono_after(mono_now(), SECONDS(10))));
    workq_free(q);
}

TESTS(T(pool_runs_everything), T(pool_says_busy), T(one_key_is_serial_and_merged), T(times_are_told),
      T(timers_fire_once_and_in_time), T(low_priority_waits_but_does_not_starve), T(stress))
