/* What every unit test includes: cmocka with the headers it wants, and a few helpers. */
#ifndef CARGOCD_TESTS_UNIT_TEST_H
#define CARGOCD_TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/base/err.h"
#include "common/base/str.h"

#define TESTS(...)                                                                                           \
    int main(void)                                                                                           \
    {                                                                                                        \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                                                     \
        return cmocka_run_group_tests(tests, NULL, NULL);                                                    \
    }
#define T(fn) cmocka_unit_test(fn)

/* Asserts that a call returned 0, showing its error otherwise. */
#define ASSERT_OK(call)                                                                                      \
    do {                                                                                                     \
        int ok_ = (call);                                                                                    \
        if (ok_ < 0)                                                                                         \
            fail_msg("%s: %s", #call, err_text(err));                                                        \
    } while (0)

#endif
