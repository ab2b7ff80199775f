#include "tests/kubesim/schema.h"
#include "tests/unit/test.h"

static json_t *parse(const char *text)
{
    json_t *v = NULL;
    AUTO_ERR err = NULL;
    ASSERT_OK(json_read_str(text, &v, &err));
    return v;
}

#define SPEC(properties)                                                                                     \
    "{\"type\":\"object\",\"properties\":{\"spec\":{\"type\":\"object\",\"properties\":{" properties "}}}}"

static void test_prune(void **state)
{
    static const char *const cases[][3] = {
        {SPEC("\"a\":{\"type\":\"string\"}"),
         "{\"kind\":\"K\",\"apiVersion\":\"v\",\"metadata\":{\"x\":1},\"y\":1,\"spec\":{\"a\":\"b\",\"c\":1}"
         "}",
         "{\"apiVersion\":\"v\",\"kind\":\"K\",\"metadata\":{\"x\":1},\"spec\":{\"a\":\"b\"}}"},
        {"{\"type\":\"object\"}", "{\"spec\":{\"a\":1}}", "{}"},
        {"{\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":true}", "{\"spec\":{\"a\":1}}",
         "{\"spec\":{\"a\":1}}"},
        {SPEC("\"m\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"object\",\"properties\":{"
              "\"k\":{}}}}"),
         "{\"spec\":{\"m\":{\"x\":{\"k\":1,\"l\":2}}}}", "{\"spec\":{\"m\":{\"x\":{\"k\":1}}}}"},
        {SPEC("\"m\":{\"type\":\"object\",\"additionalProperties\":true}"),
         "{\"spec\":{\"m\":{\"x\":{\"k\":1}}}}", "{\"spec\":{\"m\":{\"x\":{\"k\":1}}}}"},
        {SPEC("\"l\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"q\":{}}}}"),
         "{\"spec\":{\"l\":[{\"q\":1,\"r\":2},5]}}", "{\"spec\":{\"l\":[{\"q\":1},5]}}"},
        {SPEC("\"f\":{\"x-kubernetes-preserve-unknown-fields\":true,\"properties\":{\"k\":{\"type\":"
              "\"object\",\"properties\":{\"z\":{}}}}}"),
         "{\"spec\":{\"f\":{\"x\":{\"y\":1},\"k\":{\"z\":1,\"w\":2}}}}",
         "{\"spec\":{\"f\":{\"k\":{\"z\":1},\"x\":{\"y\":1}}}}"},
        {SPEC("\"t\":{\"type\":\"object\",\"x-kubernetes-embedded-resource\":true}"),
         "{\"spec\":{\"t\":{\"apiVersion\":\"v1\",\"kind\":\"P\",\"metadata\":{\"n\":1},\"spec\":{}}}}",
         "{\"spec\":{\"t\":{\"apiVersion\":\"v1\",\"kind\":\"P\",\"metadata\":{\"n\":1}}}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON schema = parse(cases[i][0]);
        AUTO_JSON o = parse(cases[i][1]);
        schema_prune(schema, o);
        AUTO(free_p) char *text = json_text(o, JSON_GO);
        assert_string_equal(text, cases[i][2]);
        schema_prune(schema, o);
        AUTO(free_p) char *again = json_text(o, JSON_GO);
        assert_string_equal(again, text);
    }
    AUTO_JSON o = parse("{\"x\":1}");
    schema_prune(NULL, o);
    assert_non_null(json_object_get(o, "x"));
}

static void test_defaults(void **state)
{
    static const char *const cases[][3] = {
        {SPEC("\"n\":{\"type\":\"integer\",\"default\":3}"), "{\"spec\":{}}", "{\"spec\":{\"n\":3}}"},
        {SPEC("\"n\":{\"type\":\"integer\",\"default\":3}"), "{}", "{}"},
        {SPEC("\"n\":{\"type\":\"integer\",\"default\":3}"), "{\"spec\":{\"n\":null}}",
         "{\"spec\":{\"n\":3}}"},
        {SPEC("\"n\":{\"type\":\"integer\",\"default\":3,\"nullable\":true}"), "{\"spec\":{\"n\":null}}",
         "{\"spec\":{\"n\":null}}"},
        {SPEC("\"n\":{\"type\":\"integer\"}"), "{\"spec\":{\"n\":null}}", "{\"spec\":{}}"},
        {SPEC("\"o\":{\"type\":\"object\",\"default\":{},\"properties\":{\"x\":{\"default\":\"y\"}}}"),
         "{\"spec\":{}}", "{\"spec\":{\"o\":{\"x\":\"y\"}}}"},
        {SPEC("\"l\":{\"items\":{\"properties\":{\"q\":{\"default\":7}}}}"),
         "{\"spec\":{\"l\":[{},{\"q\":1}]}}", "{\"spec\":{\"l\":[{\"q\":7},{\"q\":1}]}}"},
        {SPEC("\"m\":{\"additionalProperties\":{\"properties\":{\"q\":{\"default\":7}}}}"),
         "{\"spec\":{\"m\":{\"k\":{}}}}", "{\"spec\":{\"m\":{\"k\":{\"q\":7}}}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON schema = parse(cases[i][0]);
        AUTO_JSON o = parse(cases[i][1]);
        schema_default(schema, o);
        AUTO(free_p) char *text = json_text(o, JSON_GO);
        assert_string_equal(text, cases[i][2]);
    }
}

/* NULL: nothing is wrong; else the first cause's message. */
static void test_check(void **state)
{
    static const char *const cases[][3] = {
        {"{\"type\":\"string\"}", "\"x\"", NULL},
        {"{\"type\":\"string\"}", "5",
         "Invalid value: \"integer\": spec in body must be of type string: \"integer\""},
        {"{\"type\":\"integer\"}", "1.5",
         "Invalid value: \"number\": spec in body must be of type integer: \"number\""},
        {"{\"type\":\"number\"}", "1", NULL},
        {"{\"type\":\"string\"}", "null",
         "Invalid value: \"null\": spec in body must be of type string: \"null\""},
        {"{\"type\":\"string\",\"nullable\":true}", "null", NULL},
        {"{\"type\":\"string\",\"minLength\":2}", "\"\xc3\xa9\"",
         "Invalid value: \"\xc3\xa9\": spec in body should be at least 2 chars long"},
        {"{\"type\":\"string\",\"maxLength\":1}", "\"\xc3\xa9\"", NULL},
        {"{\"type\":\"string\",\"maxLength\":1}", "\"ab\"",
         "Invalid value: \"ab\": spec in body should be at most 1 chars long"},
        {"{\"type\":\"string\",\"pattern\":\"^[a-z]+$\"}", "\"A\"",
         "Invalid value: \"A\": spec in body should match '^[a-z]+$'"},
        {"{\"type\":\"string\",\"enum\":[\"x\",\"y\"]}", "\"z\"",
         "Unsupported value: \"z\": supported values: \"x\", \"y\""},
        {"{\"type\":\"string\",\"enum\":[\"x\",\"y\"]}", "\"y\"", NULL},
        {"{\"type\":\"integer\",\"maximum\":5}", "6",
         "Invalid value: 6: spec in body should be less than or equal to 5"},
        {"{\"type\":\"integer\",\"maximum\":5,\"exclusiveMaximum\":true}", "5",
         "Invalid value: 5: spec in body should be less than 5"},
        {"{\"type\":\"integer\",\"minimum\":1}", "0",
         "Invalid value: 0: spec in body should be greater than or equal to 1"},
        {"{\"type\":\"array\",\"maxItems\":1}", "[1,2]",
         "Invalid value: 2: spec in body should have at most 1 items"},
        {"{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}", "[1,\"a\"]",
         "Invalid value: \"string\": spec[1] in body must be of type integer: \"string\""},
        {"{\"x-kubernetes-int-or-string\":true}", "\"5%\"", NULL},
        {"{\"x-kubernetes-int-or-string\":true}", "true",
         "Invalid value: \"boolean\": spec in body must be of type integer,string: \"boolean\""},
        {"{\"type\":\"object\",\"required\":[\"a\"]}", "{}", "Required value"},
        {"{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}}", "{\"a\":1}",
         "Invalid value: \"integer\": spec.a in body must be of type string: \"integer\""},
        {"{\"type\":\"object\",\"x-kubernetes-embedded-resource\":true}", "{\"kind\":\"x\"}",
         "Required value: must not be empty"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p)
        char *text = xasprintf("{\"type\":\"object\",\"properties\":{\"spec\":%s}}", cases[i][0]);
        AUTO(free_p) char *value = xasprintf("{\"spec\":%s}", cases[i][1]);
        AUTO_JSON schema = parse(text);
        AUTO_JSON o = parse(value);
        AUTO_JSON causes = NULL;
        schema_check(schema, o, &causes);
        const char *message = json_str_at(json_array_get(causes, 0), "message");
        if (!str_eq(message, cases[i][2]))
            fail_msg("%s in %s: %s", cases[i][1], cases[i][0], str_or_empty(message));
    }
}

TESTS(T(test_prune), T(test_defaults), T(test_check))
