#include "common/eval/eval.h"
#include "common/base/thread.h"
#include "tests/unit/golden.h"

#include <unistd.h>

/* build/…/tests/common/eval/test_eval -> build/…/bin/cargocd-eval */
static char *program(void)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    assert_true(n > 0);
    self[n] = 0;
    char *tests = strstr(self, "/tests/common/eval/");
    assert_non_null(tests);
    return xasprintf("%.*s/bin/cargocd-eval", (int)(tests - self), self);
}

static eval_t *start(int64_t timeout_ns)
{
    AUTO(free_p) char *path = program();
    return eval_new(&(struct eval_options){.program = path, .timeout_ns = timeout_ns});
}

static const char deployment[] =
    "{\"big\":12345678901234567890,\"list\":[{\"i\":\"x\",\"n\":\"a\"},{\"i\":\"y\",\"n\":\"b\"},"
    "{\"i\":\"z\",\"n\":\"a\"}],\"one\":1.0,\"spec\":{\"replicas\":3}}";

static void jq_deletes(void **state)
{
    static const struct {
        const char *expression, *list, *spec; /* what is left; NULL: nothing */
    } cases[] = {
        {".spec.replicas", "[{\"i\":\"x\",\"n\":\"a\"},{\"i\":\"y\",\"n\":\"b\"},{\"i\":\"z\",\"n\":\"a\"}]",
         "{}"},
        {".nothing.there", "[{\"i\":\"x\",\"n\":\"a\"},{\"i\":\"y\",\"n\":\"b\"},{\"i\":\"z\",\"n\":\"a\"}]",
         "{\"replicas\":3}"},
        {"empty", "[{\"i\":\"x\",\"n\":\"a\"},{\"i\":\"y\",\"n\":\"b\"},{\"i\":\"z\",\"n\":\"a\"}]",
         "{\"replicas\":3}"},
        {".list[1]", "[{\"i\":\"x\",\"n\":\"a\"},{\"i\":\"z\",\"n\":\"a\"}]", "{\"replicas\":3}"},
        {".list[] | select(.n == \"a\")", "[{\"i\":\"y\",\"n\":\"b\"}]", "{\"replicas\":3}"},
        {".list[].i", "[{\"n\":\"a\"},{\"n\":\"b\"},{\"n\":\"a\"}]", "{\"replicas\":3}"},
        {".list[-1:]", "[{\"i\":\"x\",\"n\":\"a\"},{\"i\":\"y\",\"n\":\"b\"}]", "{\"replicas\":3}"},
        {".list[0,1]", "[{\"i\":\"z\",\"n\":\"a\"}]", "{\"replicas\":3}"},
        {".list, .spec", NULL, NULL},
        {".list[]?, .spec # a comment", "[]", NULL},
    };
    AUTO(eval_free_p) eval_t *e = start(SECONDS(30));
    AUTO_JSON object = json_of(deployment);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO_JSON out = NULL;
        AUTO_STR wanted = STR_INIT;
        if (eval_jq_delete(e, cases[i].expression, object, &out, &err) < 0)
            fail_msg("%s: %s", cases[i].expression, err_text(err));
        str_puts(&wanted, "{\"big\":12345678901234567890,");
        if (cases[i].list)
            str_printf(&wanted, "\"list\":%s,", cases[i].list);
        str_puts(&wanted, "\"one\":1.0");
        if (cases[i].spec)
            str_printf(&wanted, ",\"spec\":%s", cases[i].spec);
        str_putc(&wanted, '}');
        AUTO(free_p) char *have = json_text(out, JSON_GO); /* the spelling of numbers stays, too */
        assert_string_equal(have, str_text(&wanted));
    }
}

static void jq_refuses(void **state)
{
    static const struct {
        const char *expression, *problem;
    } cases[] = {
        {".spec[", "jq: error: syntax error"},
        {".", "the expression selects the whole object"},
        {".spec.replicas[]", "jq: Cannot iterate over number"},
        {"error(\"no\")", "jq: no"},
        {".spec | tostring", "jq: Invalid path expression"},
        {".a)] | [(.b", "jq: Cannot index array"},
        {"env", "jq: Invalid path expression"},
        {"include \"x\"; .a", "jq: error: syntax error"},
        {"input", "jq: "},
        {"", "jq: "},
    };
    AUTO(eval_free_p) eval_t *e = start(SECONDS(30));
    AUTO_JSON object = json_of(deployment);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO_JSON out = NULL;
        if (eval_jq_delete(e, cases[i].expression, object, &out, &err) == 0)
            fail_msg("%s is accepted", cases[i].expression);
        if (!str_has_prefix(err_text(err), cases[i].problem))
            fail_msg("%s: %s", cases[i].expression, err_text(err));
        bool hopeless = strstr(cases[i].problem, "syntax error") || !*cases[i].expression;
        assert_int_equal(err_code(err), hopeless ? ERR_FAILED_PRECONDITION : ERR_INVALID_ARGUMENT);
    }
}

static void check_paths(const char *paths, const char *wanted)
{
    AUTO_ERR err = NULL;
    AUTO_JSON object = json_of(
        "{\"a\":{\"b\":[0,1,2,3,4],\"c\":{\"d\":1}},\"e\":[{\"f\":1,\"g\":2},{\"f\":3}],\"n\":1.0}");
    AUTO_JSON list = json_of(paths);
    AUTO_JSON out = NULL;
    ASSERT_OK(eval_delete_paths(object, list, &out, &err));
    AUTO_JSON expect = json_of(wanted);
    assert_json_same(out, expect, paths);
}

static void paths(void **state)
{
    check_paths("[]",
                "{\"a\":{\"b\":[0,1,2,3,4],\"c\":{\"d\":1}},\"e\":[{\"f\":1,\"g\":2},{\"f\":3}],\"n\":1.0}");
    check_paths("[[\"a\"],[\"e\"]]", "{\"n\":1.0}");
    check_paths("[[\"a\",\"b\",0],[\"a\",\"b\",2],[\"a\",\"b\",4]]",
                "{\"a\":{\"b\":[1,3],\"c\":{\"d\":1}},\"e\":[{\"f\":1,\"g\":2},{\"f\":3}],\"n\":1.0}");
    check_paths("[[\"e\",0,\"f\"],[\"e\",1,\"f\"],[\"a\"]]", "{\"e\":[{\"g\":2},{}],\"n\":1.0}");
    check_paths("[[\"a\",\"b\",{\"start\":1,\"end\":3}],[\"e\"]]",
                "{\"a\":{\"b\":[0,3,4],\"c\":{\"d\":1}},\"n\":1.0}");
    check_paths("[[\"a\",\"b\",{\"start\":-2,\"end\":null}],[\"e\"]]",
                "{\"a\":{\"b\":[0,1,2],\"c\":{\"d\":1}},\"n\":1.0}");
    check_paths("[[\"a\",\"b\",-1],[\"e\",7],[\"x\",\"y\"],[\"n\",\"z\"],[\"a\",\"c\",0]]",
                "{\"a\":{\"b\":[0,1,2,3],\"c\":{\"d\":1}},\"e\":[{\"f\":1,\"g\":2},{\"f\":3}],\"n\":1.0}");
}

static void lua_runs(void **state)
{
    AUTO(eval_free_p) eval_t *e = start(SECONDS(30));
    AUTO_JSON object = json_of("{\"status\":{\"phase\":\"Ready\"}}");
    AUTO_JSON params = json_of("{\"replicas\":\"3\"}");
    AUTO_ERR err = NULL;
    struct script s = {
        "return {status = obj.status.phase == 'Ready' and 'Healthy' or 'Progressing', message = 'm'}", false};
    struct health h;
    ASSERT_OK(eval_health(e, &s, object, &h, &err));
    assert_int_equal(h.status, HEALTH_HEALTHY);
    assert_string_equal(h.message, "m");
    health_dispose(&h);
    AUTO_JSON out = NULL;
    struct script with_params = {"obj.n = actionParams.replicas return obj", false};
    ASSERT_OK(eval_script(e, &with_params, object, params, &out, &err));
    assert_string_equal(json_str_at(out, "n"), "3");
    struct script nothing = {"", false};
    AUTO_JSON none = NULL;
    ASSERT_OK(eval_script(e, &nothing, object, NULL, &none, &err));
    assert_null(none);
    struct script bad = {"return nothing.there", false};
    assert_int_equal(eval_script(e, &bad, object, NULL, &none, &err), -ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err_text(err), "attempt to index"));
}

/* A pattern that takes for ever ends one helper; the next question has another one, but not the same program.
 */
static void breaches(void **state)
{
    static const struct script slow = {"return string.find(('a'):rep(40), ('a*'):rep(30) .. 'b')", true},
                               good = {"return {status = 'Healthy'}", false};
    AUTO(eval_free_p) eval_t *e = start(MILLIS(700));
    AUTO_JSON object = json_object();
    AUTO_JSON out = NULL;
    AUTO_ERR err = NULL;
    struct health h;
    assert_int_equal(eval_health(e, &good, object, &h, &err), 0); /* a helper that has started */
    health_dispose(&h);
    mono_t began = mono_now();
    assert_int_equal(eval_script(e, &slow, object, NULL, &out, &err), -ERR_DEADLINE_EXCEEDED);
    assert_true(mono_now().ns - began.ns < SECONDS(5));
    began = mono_now();
    assert_int_equal(eval_script(e, &slow, object, NULL, &out, &err), -ERR_RESOURCE_EXHAUSTED);
    assert_true(mono_now().ns - began.ns < MILLIS(500));
    err_clear(&err);
    ASSERT_OK(eval_health(e, &good, object, &h, &err));
    assert_int_equal(h.status, HEALTH_HEALTHY);
    health_dispose(&h);
}

static void no_helper(void **state)
{
    AUTO(eval_free_p) eval_t *e = eval_new(&(struct eval_options){.program = "/nowhere/cargocd-eval"});
    AUTO_JSON object = json_object();
    AUTO_JSON out = NULL;
    assert_true(eval_jq_delete(e, ".a", object, &out, NULL) < 0);
    assert_null(out);
}

static eval_t *shared;
static void *work(void *arg)
{
    AUTO_JSON object = json_of("{\"a\":1,\"b\":2}");
    for (int i = 0; i < 50; i++) {
        AUTO_JSON out = NULL;
        struct health h;
        struct script s = {"return {status = 'Healthy'}", false};
        AUTO_ERR err = NULL;
        if (eval_jq_delete(shared, ".a", object, &out, &err) < 0 || json_object_size(out) != 1 ||
            eval_health(shared, &s, object, &h, &err) < 0) {
            printf("%s\n", err_text(err));
            return arg;
        }
        health_dispose(&h);
    }
    return NULL;
}

static void side_by_side(void **state)
{
    pthread_t threads[6];
    shared = start(SECONDS(30));
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        threads[i] = thread_start("test", work, &threads[i]);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    eval_free(shared);
}

TESTS(T(jq_deletes), T(paths), T(jq_refuses), T(lua_runs), T(breaches), T(no_helper), T(side_by_side))
