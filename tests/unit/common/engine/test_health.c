#include "tests/unit/golden.h"
#include "tests/unit/kit/hostile.h"
#include "common/engine/health.h"
#include "common/engine/script.h"

static void run_case(const json_t *c, const char *what)
{
    AUTO_ERR err = NULL;
    struct health h;
    AUTO(free_p) char *group = object_group(json_at(c, "object"));
    if (script_bundled(group, object_kind(json_at(c, "object"))))
        return; /* these cases are of the checks that are no scripts */
    int r = health_assess(json_at(c, "object"), &h, &err);
    const char *error = json_str_at(c, "error"), *message = json_str_at(c, "message");
    if (strcmp(health_name(h.status), json_str_at(c, "status")) != 0)
        fail_msg("%s: %s (%s) instead of %s", what, health_name(h.status), str_or_empty(h.message),
                 json_str_at(c, "status"));
    if (!!error != (r < 0) || !str_has_prefix(err_text(err), str_or_empty(error)))
        fail_msg("%s: error \"%s\" instead of \"%s\"", what, err_text(err), str_or_empty(error));
    if (error && !message)
        message = err_text(err);
    if (!str_same(h.message, message))
        fail_msg("%s: \"%s\" instead of \"%s\"", what, str_or_empty(h.message), str_or_empty(message));
    health_dispose(&h);
}

static void as_argo_cd(void **state)
{
    golden_each("health/cases.jsonl", 590, run_case);
}

/* Wrong types may change the verdict, but there is one, and an error comes with Unknown only. */
static void spoil_case(const json_t *c, const char *what)
{
    struct hostile random = {json_hash(c, 1)};
    for (int i = 0; i < 20; i++) {
        AUTO_ERR err = NULL;
        AUTO_JSON o = hostile_document(&random, json_at(c, "object"));
        struct health h;
        int r = health_assess(o, &h, &err);
        assert_true((unsigned)h.status < HEALTH_STATUS_MAX);
        if (r < 0 && (h.status != HEALTH_UNKNOWN || !str_eq(h.message, err_text(err))))
            fail_msg("%s: an error with %s \"%s\"", what, health_name(h.status), str_or_empty(h.message));
        health_dispose(&h);
    }
}

static void wrong_types(void **state)
{
    golden_each("health/cases.jsonl", 590, spoil_case);
}

static void no_object_at_all(void **state)
{
    static const char *const texts[] = {"null", "[]", "\"x\"", "5", "{}", "{\"metadata\":[]}"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        AUTO_JSON o = json_of(texts[i]);
        struct health h;
        assert_int_equal(health_assess(o, &h, NULL), 0);
        assert_int_equal(h.status, HEALTH_NONE);
        health_dispose(&h);
    }
}

static void order_and_names(void **state)
{
    static const char *const names[] = {"Healthy", "Suspended", "Progressing",
                                        "Missing", "Degraded",  "Unknown"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        enum health_status s = health_parse(names[i]);
        assert_int_equal(s, i + HEALTH_HEALTHY);
        assert_string_equal(health_name(s), names[i]);
        for (size_t k = 0; k < ARRAY_LEN(names); k++)
            assert_int_equal(health_worse(s, health_parse(names[k])), k > i);
    }
    assert_int_equal(health_parse(""), HEALTH_NONE);
    assert_int_equal(health_parse(NULL), HEALTH_NONE);
    assert_int_equal(health_parse("healthy"), HEALTH_UNKNOWN);
    assert_string_equal(health_name(HEALTH_NONE), "");
    assert_string_equal(health_name(HEALTH_BLANK), "");
    assert_string_equal(health_name((enum health_status)99), "Unknown");
}

static void which_kinds_are_looked_at(void **state)
{
    assert_true(health_has_check("apps", "Deployment"));
    assert_true(health_has_check(NULL, "Pod"));
    assert_true(health_has_check("", "Pod"));
    assert_false(health_has_check("", "ConfigMap"));
    assert_false(health_has_check("example.com", "Deployment"));
    assert_false(health_has_check("apps", NULL));
}

TESTS(T(as_argo_cd), T(wrong_types), T(no_object_at_all), T(order_and_names), T(which_kinds_are_looked_at))
