#include "tests/unit/test.h"
#include "common/base/rand.h"
#include "common/net/http_timer.h"

static void timers_fire_in_order_whatever_was_moved_or_stopped(void **state)
{
    enum { N = 300 };
    struct http_timers ts = {};
    struct http_timer t[N] = {};
    bool set[N] = {};
    for (int round = 0; round < 5000; round++) {
        size_t i = random_below(N);
        if (random_below(3)) {
            http_timer_set(&ts, &t[i], (mono_t){(int64_t)random_below(1000)});
            set[i] = true;
        } else {
            http_timer_stop(&ts, &t[i]);
            set[i] = false;
        }
    }
    size_t count = 0;
    for (size_t i = 0; i < N; i++)
        count += set[i];
    int64_t last = -1;
    for (struct http_timer *x; (x = http_timer_due(&ts, (mono_t){1000})); count--) {
        assert_true(set[x - t]);
        assert_true(x->at.ns >= last);
        assert_int_equal(x->place, 0);
        last = x->at.ns;
    }
    assert_int_equal(count, 0);
    assert_int_equal(http_timer_first(&ts).ns, MONO_NEVER.ns);
    VEC_FREE(&ts.heap);
}

static void what_is_not_due_stays(void **state)
{
    struct http_timers ts = {};
    struct http_timer a = {}, b = {};
    http_timer_set(&ts, &a, (mono_t){10});
    http_timer_set(&ts, &b, (mono_t){5});
    assert_ptr_equal(http_timer_due(&ts, (mono_t){7}), &b);
    assert_null(http_timer_due(&ts, (mono_t){7}));
    assert_int_equal(http_timer_first(&ts).ns, 10);
    http_timer_stop(&ts, &a);
    http_timer_stop(&ts, &a);
    VEC_FREE(&ts.heap);
}

TESTS(T(timers_fire_in_order_whatever_was_moved_or_stopped), T(what_is_not_due_stays))
