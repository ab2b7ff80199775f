#include "common/argo/app.h"
#include "tests/unit/golden.h"

/* A document is whatever somebody wrote. */
static void specs_are_normalized(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after;
    } cases[] = {
        {"{}", "{\"spec\":{\"project\":\"default\"}}"},
        {"{\"spec\":null}", "{\"spec\":{\"project\":\"default\"}}"},
        {"{\"spec\":\"x\"}", "{\"spec\":{\"project\":\"default\"}}"},
        {"{\"spec\":{\"project\":7,\"sources\":{}}}", "{\"spec\":{\"project\":\"default\",\"sources\":{}}}"},
        {"{\"spec\":{\"project\":\"p\",\"syncPolicy\":{}}}", "{\"spec\":{\"project\":\"p\"}}"},
        {"{\"spec\":{\"project\":\"p\",\"syncPolicy\":{\"automated\":{}}}}", NULL},
        {"{\"spec\":{\"project\":\"p\",\"source\":{\"directory\":{\"recurse\":false}}}}",
         "{\"spec\":{\"project\":\"p\",\"source\":{}}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON app = json_of(cases[i].before);
        AUTO_JSON want = json_of(cases[i].after ? cases[i].after : cases[i].before);
        assert_int_equal(app_normalize_spec(app), cases[i].after != NULL);
        assert_json_same(app, want, cases[i].before);
        assert_false(app_normalize_spec(app));
    }
}

TESTS(T(specs_are_normalized))
