#include "tests/unit/test.h"
#include "common/json/json.h"

/* What is read and how it is written again, in Go's style. */
static void round_trips(void **state)
{
    static const char *const cases[][2] = {
        {"{}", "{}"},
        {" [ 1 , 2 ] ", "[1,2]"},
        {"18446744073709551615", "18446744073709551615"},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"0.1", "0.1"},
        {"1.0", "1.0"},
        {"1e3", "1e3"},
        {"1e400", "1e400"},
        {"-0", "-0"},
        {"1e+21", "1e+21"},
        {"1.5", "1.5"},
        {"123456789012345680000", "123456789012345680000"},
        {"{\"b\":1,\"a\":{\"d\":null,\"c\":true}}", "{\"a\":{\"c\":true,\"d\":null},\"b\":1}"},
        {"\"<a>&\\u2028\\u0000\\n\\/\"", "\"\\u003ca\\u003e\\u0026\\u2028\\u0000\\n/\""},
        {"\"\\ud83d\\ude00\\ud800x\"", "\"\xf0\x9f\x98\x80\xef\xbf\xbdx\""},
        {"{\"a\":1,\"a\":2}", "{\"a\":2}"},
        {"{\"a\\u0000b\":1}", "{\"a\\u0000b\":1}"},
        {"\"\\u0008\\f\\u001f\"", "\"\\b\\f\\u001f\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO_JSON v = NULL;
        ASSERT_OK(json_read_str(cases[i][0], &v, &err));
        AUTO(free_p) char *text = json_text(v, JSON_GO);
        assert_string_equal(text, cases[i][1]);
        AUTO_JSON again = NULL;
        ASSERT_OK(json_read_str(text, &again, &err));
        assert_true(json_same(v, again));
        AUTO_JSON copy = json_copy_deep(v);
        assert_true(json_same(v, copy));
        assert_true(json_hash(v, 1) == json_hash(again, 1));
    }
}

static void malformed_is_refused(void **state)
{
    static const char *const cases[] = {
        "",          "{",     "[1,]",      "{\"a\":1,}", "{a:1}", "01",      "1.",
        ".5",        "+1",    "-",         "1e",         "tru",   "\"\\x\"", "\"\n\"",
        "\"\\u12\"", "[1 2]", "{\"a\" 1}", "1 2",        "\"a",   "nul",     "\"\xff\"",
        "\"\xc3\"",  "NaN",   "[}",        "{]",         "'a'",   "\"\\",    "{\"\xff\":\"1\"}"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        json_t *v = NULL;
        if (json_read_str(cases[i], &v, &err) != -ERR_INVALID_ARGUMENT)
            fail_msg("accepted: %s", cases[i]);
        assert_null(v);
    }
    AUTO_ERR err = NULL;
    json_t *v = NULL;
    json_read_str("{\n  \"a\": x}", &v, &err);
    assert_string_equal(err_text(err), "line 2, column 8: unexpected character");
    AUTO_STR deep = STR_INIT;
    for (int i = 0; i < 10000; i++)
        str_putc(&deep, '[');
    assert_true(json_read_str(str_text(&deep), &v, &err) < 0);
    assert_non_null(strstr(err_text(err), "nested deeper than 512 levels"));
    str_reset(&deep);
    for (int i = 0; i < 512; i++)
        str_putc(&deep, '[');
    for (int i = 0; i < 512; i++)
        str_putc(&deep, ']');
    ASSERT_OK(json_read_str(str_text(&deep), &v, &err));
    json_decref(v);
}

static json_t *read_text(const char *text)
{
    AUTO_ERR err = NULL;
    json_t *v = NULL;
    ASSERT_OK(json_read_str(text, &v, &err));
    return v;
}

static void comparison_is_by_value(void **state)
{
    static const struct {
        const char *a, *b;
        int order;
    } cases[] = {
        {"1", "1.0", 0},
        {"1", "1e0", 0},
        {"100", "1e2", 0},
        {"0.1", "0.10", 0},
        {"-0", "0", 0},
        {"18446744073709551615", "18446744073709551614", 1},
        {"1e400", "2e399", 1},
        {"-5", "3", -1},
        {"-5", "-3", -1},
        {"0.001", "1e-3", 0},
        {"null", "false", -1},
        {"\"a\"", "\"b\"", -1},
        {"[1,2]", "[1,2,3]", -1},
        {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", 0},
        {"{\"a\":1}", "{\"a\":2}", -1},
        {"\"1\"", "1", 1},
        {"{\"a\":null}", "{}", 1},
        {"9007199254740993", "9007199254740992.0", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON a = read_text(cases[i].a);
        AUTO_JSON b = read_text(cases[i].b);
        int d = json_compare(a, b);
        if ((d > 0) - (d < 0) != cases[i].order || json_same(a, b) != (cases[i].order == 0))
            fail_msg("%s against %s: %d", cases[i].a, cases[i].b, d);
        assert_int_equal((json_compare(b, a) > 0) - (json_compare(b, a) < 0), -cases[i].order);
        if (cases[i].order == 0)
            assert_true(json_hash(a, 0) == json_hash(b, 0));
        else
            assert_true(json_hash(a, 0) != json_hash(b, 0));
    }
}

static void numbers(void **state)
{
    static const struct {
        const char *text;
        bool whole;
        int64_t value;
    } cases[] = {{"1.0", true, 1},
                 {"1e3", true, 1000},
                 {"1.5", false, 0},
                 {"18446744073709551615", false, 0},
                 {"-9223372036854775808", true, INT64_MIN},
                 {"0e5", true, 0},
                 {"1e30", false, 0},
                 {"12e-1", false, 0},
                 {"120e-1", true, 12}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON v = read_text(cases[i].text);
        int64_t n = 0;
        assert_true(json_is_any_number(v) && !json_is_map(v));
        if (json_to_i64(v, &n) != cases[i].whole || n != cases[i].value)
            fail_msg("%s: %lld", cases[i].text, (long long)n);
    }
    static const struct {
        double v;
        const char *text;
    } doubles[] = {{1, "1"},
                   {0.1, "0.1"},
                   {1e21, "1e+21"},
                   {1e20, "100000000000000000000"},
                   {1e-6, "0.000001"},
                   {1e-7, "1e-7"},
                   {-2.5, "-2.5"},
                   {1.7976931348623157e308, "1.7976931348623157e+308"},
                   {123456.789, "123456.789"},
                   {3, "3"},
                   {1.2345e25, "1.2345e+25"}};
    for (size_t i = 0; i < ARRAY_LEN(doubles); i++) {
        AUTO_STR s = STR_INIT;
        json_write_double(doubles[i].v, &s);
        assert_string_equal(str_text(&s), doubles[i].text);
    }
    assert_null(json_number_of("1x", 2));
    assert_null(json_number_of("", 0));
}

static void access_by_path(void **state)
{
    AUTO_JSON v = read_text("{\"a\":{\"b\":\"x\",\"n\":7,\"t\":true}}");
    assert_string_equal(json_str_at(v, "a", "b"), "x");
    assert_int_equal(json_int_at(v, "a", "n"), 7);
    assert_true(json_bool_at(v, "a", "t"));
    assert_null(json_at(v, "a", "b", "c"));
    json_put_at(v, json_integer(1), "a", "b", "c");
    json_put_at(v, json_integer(2), "z");
    assert_int_equal(json_int_at(v, "a", "b", "c"), 1);
    assert_true(json_drop_at(v, "a", "b", "c"));
    assert_false(json_drop_at(v, "a", "x", "c"));
    assert_true(json_is_zero(json_at(v, "a", "b")));
    json_put_str(v, "empty", "");
    assert_null(json_at(v, "empty"));
    AUTO(free_p) char *pretty = json_text(v, JSON_PRETTY);
    assert_string_equal(pretty,
                        "{\n  \"a\": {\n    \"b\": {},\n    \"n\": 7,\n    \"t\": true\n  },\n  \"z\": 2\n}");
    AUTO_JSON ordered = read_text("{\"b\":\"<\",\"a\":[]}");
    AUTO(free_p) char *kept = json_text(ordered, JSON_KEEP_ORDER | JSON_NO_HTML);
    assert_string_equal(kept, "{\"b\":\"<\",\"a\":[]}");
}

TESTS(T(round_trips), T(malformed_is_refused), T(comparison_is_by_value), T(numbers), T(access_by_path))
