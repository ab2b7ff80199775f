#include "tests/unit/test.h"

#include "api-server/auth/password.h"
#include "api-server/auth/throttle.h"

#include <stdlib.h>

static mono_t at(int64_t seconds)
{
    return (mono_t){SECONDS(seconds)};
}

static void locks_and_opens(void **state)
{
    throttle_t *t = throttle_new(3, SECONDS(300), 100);
    for (int i = 0; i < 3; i++) {
        assert_false(throttle_locked(t, "admin", at(i)));
        throttle_failed(t, "admin", true, at(i));
    }
    assert_true(throttle_locked(t, "admin", at(3)));
    assert_true(throttle_locked(t, "admin", at(302)));
    assert_false(throttle_locked(t, "admin", at(303)));
    throttle_failed(t, "admin", true, at(303)); /* counts from one again */
    assert_false(throttle_locked(t, "admin", at(304)));
    throttle_failed(t, "admin", true, at(304));
    throttle_failed(t, "admin", true, at(304));
    assert_true(throttle_locked(t, "admin", at(305)));
    throttle_succeeded(t, "admin");
    assert_false(throttle_locked(t, "admin", at(305)));
    assert_int_equal(throttle_names(t), 0);
    throttle_free(t);
}

static void a_window_of_zero_is_for_ever(void **state)
{
    throttle_t *t = throttle_new(1, 0, 100);
    throttle_failed(t, "nobody", false, at(0));
    assert_true(throttle_locked(t, "nobody", at(1 << 30)));
    throttle_free(t);
}

/* CVE-2024-21662: filling the table with made-up names must not unlock an account. */
static void many_names_do_not_unlock_an_account(void **state)
{
    throttle_t *t = throttle_new(5, SECONDS(300), 1000);
    for (int i = 0; i < 5; i++)
        throttle_failed(t, "admin", true, at(1));
    for (int i = 0; i < 20000; i++) {
        char name[32];
        snprintf(name, sizeof name, "user-%d", i);
        throttle_failed(t, name, false, at(2));
    }
    assert_true(throttle_locked(t, "admin", at(3)));
    assert_int_equal(throttle_names(t), 1001);
    throttle_free(t);
}

static void passwords(void **state)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *hash = NULL;
    ASSERT_OK(password_hash("correct horse", &hash, &err));
    assert_true(str_has_prefix(hash, "$2a$10$"));
    assert_true(password_verify("correct horse", hash));
    assert_false(password_verify("correct horsf", hash));
    assert_false(password_verify("", hash));
    hash[2] = 'y';
    assert_true(password_verify("correct horse", hash));
    static const char *const bad[] = {"", "*", "*0", "x", "$2a$10$short", "$1$abc$def", NULL};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(password_verify("x", bad[i]));
    AUTO(free_p) char *none = NULL;
    char large[100];
    memset(large, 'a', 99);
    large[99] = 0;
    assert_true(password_hash(large, &none, &err) < 0);
}

/* CVE-2020-11576: an unknown name costs what a known one does. */
static void unknown_names_cost_the_same(void **state)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *hash = NULL;
    ASSERT_OK(password_hash("a password", &hash, &err));
    int64_t known = INT64_MAX, unknown = INT64_MAX;
    for (int i = 0; i < 5; i++) {
        mono_t a = mono_now();
        password_verify("wrong", hash);
        mono_t b = mono_now();
        password_waste("wrong");
        mono_t c = mono_now();
        known = b.ns - a.ns < known ? b.ns - a.ns : known;
        unknown = c.ns - b.ns < unknown ? c.ns - b.ns : unknown;
    }
    assert_true(llabs(known - unknown) < known / 3);
}

TESTS(T(locks_and_opens), T(a_window_of_zero_is_for_ever), T(many_names_do_not_unlock_an_account),
      T(passwords), T(unknown_names_cost_the_same))
