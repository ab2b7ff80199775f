#include "tests/unit/test.h"
#include "repo-server/build_env.h"

static const struct build_env env = {
    .app_name = "demo",
    .namespace = "prod",
    .project = "default",
    .revision = "0123456789abcdef0123456789abcdef01234567",
    .repo_url = "https://git.example/x",
    .path = "apps/demo",
    .target_revision = "main",
};

static void substitutes_as_os_expand(void **state)
{
    static const struct {
        const char *text, *out;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"$ARGOCD_APP_NAME", "demo"},
        {"a-${ARGOCD_APP_NAMESPACE}-b", "a-prod-b"},
        {"$ARGOCD_APP_REVISION_SHORT,$ARGOCD_APP_REVISION_SHORT_8", "0123456,01234567"},
        {"${ARGOCD_APP_REVISION}", "0123456789abcdef0123456789abcdef01234567"},
        {"$ARGOCD_APP_PROJECT_NAME $ARGOCD_APP_SOURCE_REPO_URL $ARGOCD_APP_SOURCE_PATH",
         "default https://git.example/x apps/demo"},
        {"$ARGOCD_APP_SOURCE_TARGET_REVISION.", "main."},
        {"$ARGOCD_APP_NAMEx", ""},
        {"$HOME$PATH", ""},
        {"pa$$word", "pa$word"},
        {"$$ARGOCD_APP_NAME", "$ARGOCD_APP_NAME"},
        {"100$", "100$"},
        {"a $ b", "a $ b"},
        {"$.x", "$.x"},
        {"${}x", "x"},
        {"${x", "x"},
        {"$1a", "a"},
        {"$*b", "b"},
        {"${$}", "$"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *out = build_env_subst(&env, cases[i].text, NULL);
        assert_string_equal(out, cases[i].out);
    }
}

static bool holds(const str_t *t, const struct build_env *e);

static const char *fact(void *arg, enum trace_fact kind, const char *name)
{
    static char *last;
    free(last);
    last = build_env_get(arg, name);
    return last;
}

static bool holds(const str_t *t, const struct build_env *e)
{
    struct trace_world w = {.arg = (void *)e, .fact = fact};
    bool r = trace_holds(t->p, t->len, &w);
    fact((void *)e, FACT_ENV, "none");
    return r;
}

static void only_what_is_used_counts(void **state)
{
    AUTO(trace_free_p) trace_t *trace = trace_new();
    free(build_env_subst(
        &env, "$ARGOCD_APP_NAME $UNKNOWN ${ARGOCD_APP_REVISION_SHORT} $$ARGOCD_APP_PROJECT_NAME", trace));
    AUTO_STR encoded = STR_INIT;
    trace_encode(trace, &encoded);
    struct build_env other = env;
    assert_true(holds(&encoded, &other));
    other.namespace = "else";
    other.project = "else";
    other.revision = "012345677777777777777777777777777777777";
    assert_true(holds(&encoded, &other));
    other.revision = "1123456789abcdef0123456789abcdef01234567";
    assert_false(holds(&encoded, &other));
    other = env;
    other.app_name = "else";
    assert_false(holds(&encoded, &other));
}

TESTS(T(substitutes_as_os_expand), T(only_what_is_used_counts))
