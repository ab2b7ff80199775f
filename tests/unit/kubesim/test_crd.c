#include "tests/kubesim/crd.h"
#include "tests/unit/test.h"

static int cmp(const void *a, const void *b)
{
    return version_cmp(*(const char *const *)a, *(const char *const *)b);
}

/* The example of the documentation on versions of CustomResourceDefinitions. */
static void test_version_order(void **state)
{
    static const char *const want[] = {"v10",     "v2",        "v1",        "v11beta2", "v10beta3",
                                       "v3beta1", "v12alpha1", "v11alpha2", "foo1",     "foo10"};
    const char *have[] = {"foo10", "v1",        "v11alpha2", "v10beta3", "v2",
                          "foo1",  "v12alpha1", "v3beta1",   "v10",      "v11beta2"};
    qsort(have, ARRAY_LEN(have), sizeof(have[0]), cmp);
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_string_equal(have[i], want[i]);
    assert_int_equal(version_cmp("v1", "v1"), 0);
    assert_true(version_cmp("v1", "v1x") < 0);
    assert_true(version_cmp("v0", "v1") > 0);
}

TESTS(T(test_version_order))
