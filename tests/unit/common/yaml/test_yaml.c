#include "tests/unit/test.h"
#include "common/yaml/yaml.h"

static int read_with(const char *text, const struct yaml_options *o, json_t **out, err_t **err)
{
    return yaml_read(text, strlen(text), o, out, err);
}

static void expect(const char *text, const struct yaml_options *o, const char *json)
{
    AUTO_ERR err = NULL;
    AUTO_JSON v = NULL;
    ASSERT_OK(read_with(text, o, &v, &err));
    AUTO(free_p) char *got = json_text(v, JSON_GO);
    assert_string_equal(got, json);
}

static void expect_error(const char *text, const struct yaml_options *o, int code, const char *message)
{
    AUTO_ERR err = NULL;
    json_t *v = NULL;
    assert_int_equal(read_with(text, o, &v, &err), -code);
    assert_null(v);
    assert_string_equal(err_text(err), message);
}

static void options_are_honoured(void **state)
{
    struct yaml_options strict = {.strict_keys = true}, closed = {.close_line = true}, few = {.max_nodes = 6};
    expect("a: 1\na: 2\n", NULL, "{\"a\":2}");
    expect_error("a: 1\na: 2\n", &strict, ERR_INVALID_ARGUMENT, "line 2, column 4: key \"a\" is already set");
    expect("a: |\n  x", NULL, "{\"a\":\"x\"}");
    expect("a: |\n  x", &closed, "{\"a\":\"x\\n\"}");
    expect("a: |\n  x\n", &closed, "{\"a\":\"x\\n\"}");
    expect("", &closed, "null");
    expect("[1, 2, 3, 4]", &few, "[1,2,3,4]");
    expect_error("[1, 2, 3,\n 4, 5]", &few, ERR_RESOURCE_EXHAUSTED, "line 2, column 5: more than 6 values");
    expect_error("[&a [1, 2], *a]", &few, ERR_RESOURCE_EXHAUSTED, "line 1, column 13: more than 6 values");
}

static void errors_name_a_place(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"a:\n  b: c: d\n", "line 2, column 7: mapping values are not allowed in this context"},
        {"a: [1,\n  2\nb: 3\n",
         "line 3, column 2: did not find expected ',' or ']', while parsing a flow sequence that "
         "begins in line 1"},
        {"é: *x\n", "line 1, column 4: unknown anchor 'x'"},
        {"a: \x01\n", "line 1, column 4: control characters are not allowed"},
        {"a: é\nb: \xff\n", "line 2, column 4: invalid leading UTF-8 octet"},
        {"%YAML 1.2\n---\na\n", "line 1, column 1: YAML version 1.2 is not supported"},
        {"a: .inf\n", "line 1, column 4: JSON has no infinities, no NaN, and no malformed base64"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_error(cases[i].text, NULL, ERR_INVALID_ARGUMENT, cases[i].message);
}

/* Texts that libyaml refuses, or reads otherwise than goyaml does. */
static void levelled_differences(void **state)
{
    expect("[\"\\'\", {a:,b}]", NULL, "[\"'\",{\"a:\":null,\"b\":null}]");
    expect("a: 1\n\xef\xbb\xbf"
           "b: 2\n",
           NULL,
           "{\"a\":1,\"\xef\xbb\xbf"
           "b\":2}");
    expect("\xef\xbb\xbf"
           "a: 1\n",
           NULL, "{\"a\":1}");
    expect_error("a: \"b\\/c\"", NULL, ERR_INVALID_ARGUMENT,
                 "line 1, column 4: found unknown escape character '/'");
    expect("a: \"b\\\\/c\"", NULL, "{\"a\":\"b\\\\/c\"}");
    expect_error("[a?b]", NULL, ERR_INVALID_ARGUMENT,
                 "line 1, column 2: a plain text within [] or {} cannot contain '?'");
    /* Our own characters in the text: nothing is replaced, libyaml's refusal stands. */
    expect("a: \xef\xa3\xb0", NULL, "{\"a\":\"\xef\xa3\xb0\"}");
    expect_error("[\"\\uf8F0\", a:,b]", NULL, ERR_INVALID_ARGUMENT,
                 "line 1, column 13: found unexpected ':'");
    expect_error("[\xef\xa3\xb0, a:,b]", NULL, ERR_INVALID_ARGUMENT,
                 "line 1, column 6: found unexpected ':'");
}

/* Too much of anything ends in an error, and soon. */
static void hostile_texts_are_bounded(void **state)
{
    AUTO_STR text = STR_INIT;
    for (int i = 0; i < 65; i++)
        str_printf(&text, "%%TAG !a%d! x\n", i);
    expect_error(str_text(&text), NULL, ERR_RESOURCE_EXHAUSTED, "more than 64 directives");
    str_reset(&text);
    for (int i = 0; i < 100000; i++)
        str_putc(&text, '[');
    expect_error(str_text(&text), NULL, ERR_INVALID_ARGUMENT,
                 "line 1, column 513: nested deeper than 512 levels");
    str_reset(&text);
    for (int i = 0; i < 300; i++)
        str_printf(&text, "%s&a%d [", i ? "" : "- ", i);
    str_puts(&text, "x");
    for (int i = 0; i < 300; i++)
        str_putc(&text, ']');
    str_puts(&text, "\n- [[[[*a0]]]]\n- &b ");
    for (int i = 0; i < 200; i++)
        str_putc(&text, '[');
    str_puts(&text, "*a0");
    for (int i = 0; i < 200; i++)
        str_putc(&text, ']');
    AUTO_ERR err = NULL;
    json_t *v = NULL;
    ASSERT_OK(read_with(str_text(&text), NULL, &v, &err));
    json_decref(v);
    v = NULL;
    str_puts(&text, "\n- ");
    for (int i = 0; i < 20; i++)
        str_putc(&text, '[');
    str_puts(&text, "*b");
    assert_int_equal(read_with(str_text(&text), NULL, &v, &err), -ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err_text(err), "nested deeper than 512 levels"));
}

static void splitting_tells_lines(void **state)
{
    static const char text[] = "---\na: 1\n--- # two\nb: 2\n\n---\nc: 3\n--- d\n";
    static const struct {
        const char *piece;
        size_t line;
    } want[] = {{"---\na: 1\n", 1}, {"b: 2\n\n", 4}};
    struct yaml_splitter s;
    view_t piece;
    AUTO_ERR err = NULL;
    yaml_split_init(&s, text, strlen(text));
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        assert_true(yaml_split_next(&s, &piece));
        assert_true(view_eq(piece, want[i].piece));
        assert_int_equal(s.line, want[i].line);
    }
    assert_false(yaml_split_next(&s, &piece));
    assert_false(yaml_split_next(&s, &piece));
    assert_int_equal(yaml_split_end(&s, &err), -ERR_INVALID_ARGUMENT);
    assert_string_equal(err_text(err), "line 8: invalid document separator: d");
    err_clear(&err);
    yaml_split_init(&s, NULL, 0);
    assert_false(yaml_split_next(&s, &piece));
    ASSERT_OK(yaml_split_end(&s, &err));
}

/* Values that no JSON text gives, made by hand. */
static void odd_values_are_written(void **state)
{
    AUTO_STR out = STR_INIT;
    AUTO_JSON v = json_object();
    json_object_set_new_nocheck(v, "a", json_stringn_nocheck("x\xff\xc3", 3));
    json_object_set_new_nocheck(v, "\xc3(", json_real(1e6));
    json_object_set_new_nocheck(v, "b", json_real(1e20));
    json_object_setn_new_nocheck(v, "n\0l", 3, json_number_of("1e400", 5));
    yaml_write(v, &out);
    assert_string_equal(str_text(&out),
                        "\xef\xbf\xbd(: 1000000\na: x\xef\xbf\xbd\xef\xbf\xbd\nb: 1e+20\n\"n\\0l\": 1e400\n");
    str_reset(&out);
    yaml_write(NULL, &out);
    assert_string_equal(str_text(&out), "null\n");
}

/* The natural order is not transitive for some keys; the outcome still does not depend on who came first. */
static void key_order_is_stable(void **state)
{
    static const char *const keys[] = {
        "99999999999999999999", "100000000000000000000", "0b11", "01e3", "1e21", "1e1_0", "00", "1__0"};
    AUTO_STR first = STR_INIT;
    for (size_t turn = 0; turn < ARRAY_LEN(keys); turn++) {
        AUTO_JSON v = json_object();
        AUTO_STR out = STR_INIT;
        for (size_t i = 0; i < ARRAY_LEN(keys); i++)
            json_object_set_new(v, keys[(i * 3 + turn) % ARRAY_LEN(keys)], json_true());
        assert_int_equal(json_object_size(v), ARRAY_LEN(keys));
        yaml_write(v, turn ? &out : &first);
        if (turn)
            assert_string_equal(str_text(&out), str_text(&first));
    }
}

TESTS(T(options_are_honoured), T(errors_name_a_place), T(levelled_differences), T(hostile_texts_are_bounded),
      T(splitting_tells_lines), T(odd_values_are_written), T(key_order_is_stable))
