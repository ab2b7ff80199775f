#include "tests/unit/test.h"

#include "api-server/auth/cookie.h"

#include "common/base/vec.h"

static void attributes(void **state)
{
    static const struct {
        const char *base;
        bool secure;
        const char *expect;
    } cases[] = {{"/", true, "path=/; SameSite=lax; httpOnly; Secure"},
                 {"", false, "path=/; SameSite=lax; httpOnly"},
                 {"/argo-cd/", false, "path=/argo-cd; SameSite=lax; httpOnly"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *a = cookie_attributes(cases[i].base, cases[i].secure);
        assert_string_equal(a, cases[i].expect);
    }
}

/* What a browser sends back of Set-Cookie values. */
static char *as_sent(char *const *set)
{
    AUTO_STR s = STR_INIT;
    str_puts(&s, "other=1; ");
    for (; *set; set++)
        str_printf(&s, "%.*s; ", (int)strcspn(*set, ";"), *set);
    str_puts(&s, "last=2");
    return str_take(&s);
}

static void splitting(void **state)
{
    static const size_t sizes[] = {0, 1, 100, 4000, 4001, 8193, 40000, 70000};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        AUTO_ERR err = NULL;
        AUTO(free_p) char *value = xmalloc(sizes[i] + 1);
        for (size_t j = 0; j < sizes[i]; j++)
            value[j] = "abcdefghijklmnopqrstuvwxyz.-_0123456789"[j % 39];
        value[sizes[i]] = 0;
        AUTO(strv_free_p) char **set = NULL;
        ASSERT_OK(cookie_split(value, "path=/; SameSite=lax; httpOnly; Secure", 20, &set, &err));
        for (char **c = set; *c; c++)
            if (strlen(*c) > 4096)
                fail_msg("a cookie of %zu bytes", strlen(*c));
        AUTO(free_p) char *header = as_sent(set);
        AUTO(free_p) char *back = cookie_join(header, SESSION_COOKIE);
        assert_string_equal(back, value);
        AUTO(strv_free_p) char **clear = cookie_clear(header, "path=/");
        assert_int_equal(strv_len(clear), strv_len(set));
    }
    AUTO_ERR err = NULL;
    AUTO(strv_free_p) char **set = NULL;
    AUTO(free_p) char *big = xmalloc(90001);
    memset(big, 'a', 90000);
    big[90000] = 0;
    assert_true(cookie_split(big, "path=/", 20, &set, &err) < 0);
}

static void joining(void **state)
{
    static const struct {
        const char *header, *expect;
    } cases[] = {
        {"argocd.token=abc", "abc"},
        {"a=b; argocd.token=abc; c=d", "abc"},
        {"a=b;argocd.token=abc", "abc"},
        {"argocd.token=2:abc; argocd.token-1=def", "abcdef"},
        {"argocd.token-1=def; argocd.token=2:abc", "abcdef"},
        {"argocd.token=3:abc; argocd.token-1=def", NULL},
        {"argocd.token=9999:abc", NULL},
        {"argocd.token=1:abc", "abc"},
        {"argocd.tokenx=abc", NULL},
        {"xargocd.token=abc", NULL},
        {"", NULL},
        {NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *v = cookie_join(cases[i].header, SESSION_COOKIE);
        if (!str_eq(v, cases[i].expect))
            fail_msg("%s: %s", cases[i].header, v);
    }
}

TESTS(T(attributes), T(splitting), T(joining))
