#include "common/engine/script.h"
#include "common/engine/script_actions.h"
#include "tests/unit/golden.h"

static json_t *run(const char *source, const json_t *object)
{
    AUTO_ERR err = NULL;
    struct script s = {source, true};
    json_t *value = NULL;
    ASSERT_OK(script_run(&s, object, NULL, &value, &err));
    return value;
}

static void discovery(void **state)
{
    static const struct {
        const char *first, *second, *actions;
    } cases[] = {
        {"return {}", NULL, "[]"},
        {"return {restart = {}}", NULL, "[{\"name\":\"restart\"}]"},
        {"return {b = {disabled = true}, a = {disabled = false}}", NULL,
         "[{\"name\":\"a\"},{\"name\":\"b\",\"disabled\":true}]"},
        {"return {scale = {iconClass = 'fa', displayName = 'Scale', params = {{name = 'replicas'}}, other = "
         "1}}",
         NULL,
         "[{\"name\":\"scale\",\"iconClass\":\"fa\",\"displayName\":\"Scale\",\"params\":[{\"name\":"
         "\"replicas\"}]}]"},
        {"return {a = {disabled = true}}", "return {a = {}, b = {}}",
         "[{\"name\":\"a\",\"disabled\":true},{\"name\":\"b\"}]"},
    };
    AUTO_JSON object = json_object();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON actions = json_array();
        AUTO_JSON wanted = json_of(cases[i].actions);
        const char *scripts[] = {cases[i].first, cases[i].second};
        for (size_t k = 0; k < ARRAY_LEN(scripts) && scripts[k]; k++) {
            AUTO_JSON value = run(scripts[k], object);
            assert_int_equal(script_actions_add(actions, value, NULL), 0);
        }
        assert_json_same(actions, wanted, cases[i].first);
    }
    AUTO_ERR err = NULL;
    AUTO_JSON actions = json_array();
    assert_true(script_actions_add(actions, NULL, &err) < 0);
    assert_string_equal(err_text(err), "expect table output from Lua script, not nil");
}

static void changes(void **state)
{
    static const struct {
        const char *source, *changes, *problem;
    } cases[] = {
        {"obj.spec.paused = true return obj",
         "[{\"operation\":\"patch\",\"resource\":{\"kind\":\"K\",\"spec\":{\"paused\":true,\"list\":[],"
         "\"map\":{},\"in\":[{\"l\":[]}]}}}]",
         NULL},
        {"return {{operation = 'create', resource = {kind = 'Job', spec = {}}}, {operation = 'patch', "
         "resource = obj}}",
         "[{\"operation\":\"create\",\"resource\":{\"kind\":\"Job\",\"spec\":{}}},{\"operation\":\"patch\","
         "\"resource\":"
         "{\"kind\":\"K\",\"spec\":{\"list\":[],\"map\":{},\"in\":[{\"l\":[]}]}}}]",
         NULL},
        {"return {}", "[]", NULL},
        {"return {{operation = 'delete', resource = obj}}", NULL, "unsupported operation: delete"},
        {"return {{operation = 'patch'}}", NULL,
         "the action returned what is no resource: Object 'Kind' is missing"},
        {"return {spec = {}}", NULL, "the action returned what is no resource: Object 'Kind' is missing"},
        {"return 'x'", NULL, "expect table output from Lua script, not another value"},
        {"", NULL, "expect table output from Lua script, not nil"},
    };
    AUTO_JSON object = json_of("{\"kind\":\"K\",\"spec\":{\"list\":[],\"map\":{},\"in\":[{\"l\":[]}]}}");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO_JSON value = run(cases[i].source, object);
        AUTO_JSON out = NULL;
        int r = script_action_changes(value, object, &out, &err);
        assert_string_equal(err_text(err), str_or_empty(cases[i].problem));
        assert_int_equal(r < 0, cases[i].problem != NULL);
        AUTO_JSON wanted = cases[i].changes ? json_of(cases[i].changes) : NULL;
        if (wanted)
            assert_json_same(out, wanted, cases[i].source);
    }
}

TESTS(T(discovery), T(changes))
