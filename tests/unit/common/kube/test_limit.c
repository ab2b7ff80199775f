#include "tests/unit/test.h"
#include "common/kube/limit.h"

static void the_burst_is_free_then_requests_queue(void **state)
{
    struct kube_limit l;
    int64_t wait;
    kube_limit_init(&l, 10, 5);
    for (int i = 0; i < 5; i++) {
        assert_true(kube_limit_take(&l, 0, &wait));
        assert_int_equal(wait, 0);
    }
    assert_false(kube_limit_take(&l, 0, &wait));
    for (int i = 1; i <= 3; i++) {
        assert_true(kube_limit_take(&l, SECONDS(10), &wait));
        assert_in_range(wait, MILLIS(100 * i - 50), MILLIS(100 * i));
    }
    assert_false(kube_limit_take(&l, MILLIS(100), &wait)); /* the fourth in the row would wait longer */
    sleep_ns(MILLIS(450));
    assert_true(kube_limit_take(&l, 0, &wait));
    kube_limit_dispose(&l);
}

TESTS(T(the_burst_is_free_then_requests_queue))
