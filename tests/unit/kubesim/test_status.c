#include "tests/kubesim/status.h"
#include "tests/unit/test.h"

static void check(json_t *status_take, const char *want)
{
    AUTO(free_p) char *text = json_text(status_take, JSON_GO);
    assert_string_equal(text, want);
    json_decref(status_take);
}

static void test_statuses(void **state)
{
    struct resource core = {.group = (char *)(uintptr_t) "",
                            .plural = (char *)(uintptr_t) "configmaps",
                            .key = (char *)(uintptr_t) "configmaps"};
    struct resource apps = {.group = (char *)(uintptr_t) "apps",
                            .plural = (char *)(uintptr_t) "deployments",
                            .key = (char *)(uintptr_t) "deployments.apps"};
    check(
        status_not_found(&core, "x"),
        "{\"apiVersion\":\"v1\",\"code\":404,\"details\":{\"kind\":\"configmaps\",\"name\":\"x\"},\"kind\":"
        "\"Status\",\"message\":"
        "\"configmaps \\\"x\\\" not found\",\"metadata\":{},\"reason\":\"NotFound\",\"status\":\"Failure\"}");
    check(status_exists(&apps, "x"), "{\"apiVersion\":\"v1\",\"code\":409,\"details\":{\"group\":\"apps\","
                                     "\"kind\":\"deployments\",\"name\":\"x\"},\"kind\":"
                                     "\"Status\",\"message\":\"deployments.apps \\\"x\\\" already "
                                     "exists\",\"metadata\":{},\"reason\":\"AlreadyExists\",\"status\":"
                                     "\"Failure\"}");
    AUTO_JSON object = json_pack("{s:{s:s,s:s}}", "metadata", "name", "x", "uid", "u");
    check(status_deleted(&core, object), "{\"apiVersion\":\"v1\",\"details\":{\"kind\":\"configmaps\","
                                         "\"name\":\"x\",\"uid\":\"u\"},\"kind\":\"Status\",\"metadata\":{},"
                                         "\"status\":\"Success\"}");
}

/* Several causes are a list; what is said twice is shown once. */
static void test_causes(void **state)
{
    json_t *causes = NULL;
    problem_add(&causes, P_REQUIRED, "a", "%s", "");
    AUTO_JSON one = status_invalid("", "K", "n", json_copy_deep(causes));
    assert_string_equal(json_str_at(one, "message"), "K \"n\" is invalid: a: Required value");
    problem_add(&causes, P_INVALID, "b", "\"%s\": %s", "x", "bad");
    problem_add(&causes, P_INVALID, "b", "\"%s\": %s", "x", "bad");
    AUTO_JSON many = status_invalid("g", "K", "n", causes);
    assert_string_equal(json_str_at(many, "message"),
                        "K.g \"n\" is invalid: [a: Required value, b: Invalid value: \"x\": bad]");
    assert_int_equal(json_array_size(json_at(many, "details", "causes")), 3);
    assert_int_equal(status_code(many), 422);
}

TESTS(T(test_statuses), T(test_causes))
