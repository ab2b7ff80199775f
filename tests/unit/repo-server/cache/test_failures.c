#include "tests/unit/test.h"
#include "repo-server/cache/failures.h"

static void note(failures_t *f, int64_t second, enum err_code code)
{
    AUTO_ERR err = NULL;
    err_set(&err, code, "went wrong at %lld", (long long)second);
    failures_note(f, "k", (wall_t){SECONDS(second)}, err);
}

static bool paused(failures_t *f, int64_t second, bool count)
{
    AUTO_ERR err = NULL;
    int r = failures_check(f, "k", (wall_t){SECONDS(second)}, count, &err);
    if (r < 0)
        assert_non_null(strstr(err_text(err), "Manifest generation error (cached): went wrong at "));
    return r < 0;
}

static void pauses_after_the_limit_until_the_time_is_over(void **state)
{
    failures_t *f = failures_new(&(struct failures_options){.attempts = 3, .minutes = 60});
    for (int i = 0; i < 3; i++) {
        assert_false(paused(f, 100 + i, true));
        note(f, 100 + i, ERR_UNKNOWN);
    }
    AUTO_ERR err = NULL;
    assert_int_equal(failures_check(f, "k", (wall_t){SECONDS(110)}, true, &err), -ERR_UNKNOWN);
    assert_string_equal(err_text(err), "Manifest generation error (cached): went wrong at 102");
    assert_true(paused(f, 100 + 3599, true));
    assert_false(paused(f, 100 + 3600, true)); /* minutes since the first failure */
    note(f, 4000, ERR_UNKNOWN);
    assert_false(paused(f, 4001, true)); /* counted anew */
    assert_int_equal(failures_check(f, "other", (wall_t){}, true, NULL), 0);
    failures_free(f);
}

static void pauses_for_a_number_of_answers(void **state)
{
    failures_t *f = failures_new(&(struct failures_options){.attempts = 1, .requests = 3});
    note(f, 0, ERR_UNKNOWN);
    for (int i = 0; i < 3; i++) {
        assert_true(paused(f, 1, false)); /* second looks do not count */
        assert_true(i == 2 || paused(f, 1, true));
    }
    assert_true(paused(f, 1, true));
    assert_false(paused(f, 1, true));
    failures_free(f);
}

static void success_ends_it_and_connectivity_does_not_count(void **state)
{
    failures_t *f = failures_new(&(struct failures_options){.attempts = 1, .minutes = 60});
    note(f, 0, ERR_UNAVAILABLE);
    note(f, 0, ERR_CANCELED);
    assert_false(paused(f, 1, true));
    note(f, 0, ERR_DEADLINE_EXCEEDED);
    assert_true(paused(f, 1, true));
    failures_clear(f, "k");
    assert_false(paused(f, 1, true));
    failures_free(f);
    f = failures_new(&(struct failures_options){.attempts = 0});
    note(f, 0, ERR_UNKNOWN);
    assert_false(paused(f, 1, true)); /* switched off */
    failures_free(f);
}

TESTS(T(pauses_after_the_limit_until_the_time_is_over), T(pauses_for_a_number_of_answers),
      T(success_ends_it_and_connectivity_does_not_count))
