#include "tests/unit/test.h"

#include <errno.h>

static void chain_is_joined(void **state)
{
    AUTO_ERR err = NULL;
    assert_int_equal(err_set(&err, ERR_NOT_FOUND, "open %s", "x"), -ERR_NOT_FOUND);
    assert_int_equal(err_wrap(&err, "load %d", 7), -ERR_NOT_FOUND);
    assert_string_equal(err_text(err), "load 7: open x");
    assert_int_equal(err_code(err), ERR_NOT_FOUND);
    /* An argument may point into the error that is replaced. */
    err_set(&err, ERR_INTERNAL, "again: %s", err_text(err));
    assert_string_equal(err_text(err), "again: load 7: open x");
}

static void null_receiver_keeps_the_code(void **state)
{
    assert_int_equal(err_set(NULL, ERR_ABORTED, "x"), -ERR_ABORTED);
    assert_int_equal(err_move(NULL, NULL), 0);
}

static void errno_is_translated(void **state)
{
    AUTO_ERR err = NULL;
    assert_int_equal(err_set_errno(&err, ENOENT, "open %s", "/x"), -ERR_NOT_FOUND);
    assert_string_equal(err_text(err), "open /x: No such file or directory");
}

static void codes_map_to_http_and_back(void **state)
{
    assert_int_equal(err_code_to_http(ERR_PERMISSION_DENIED), 403);
    assert_int_equal(err_code_from_http(403), ERR_PERMISSION_DENIED);
    assert_int_equal(err_code_from_http(410), ERR_OUT_OF_RANGE);
    assert_int_equal(err_code_from_http(599), ERR_INTERNAL);
    assert_int_equal(err_code_from_http(204), ERR_OK);
    for (int c = 0; c < ERR_CODE_MAX; c++)
        assert_non_null(err_code_name((enum err_code)c));
}

static void copies_are_independent(void **state)
{
    AUTO_ERR a = NULL;
    err_set(&a, ERR_INTERNAL, "inner");
    err_wrap(&a, "outer");
    AUTO_ERR b = err_copy(a);
    err_clear(&a);
    assert_string_equal(err_text(b), "outer: inner");
}

TESTS(T(chain_is_joined), T(null_receiver_keeps_the_code), T(errno_is_translated),
      T(codes_map_to_http_and_back), T(copies_are_independent))
