#include "tests/unit/test.h"
#include "common/json/patch.h"

static json_t *read_text(const char *text)
{
    AUTO_ERR err = NULL;
    json_t *v = NULL;
    ASSERT_OK(json_read_str(text, &v, &err));
    return v;
}

static void check(const json_t *v, const char *expected)
{
    AUTO_JSON e = read_text(expected);
    if (!json_same(v, e)) {
        AUTO(free_p) char *text = json_text(v, JSON_GO);
        fail_msg("%s instead of %s", text, expected);
    }
}

/* RFC 6902 appendix A, and edges. A NULL result: refused, and the document unchanged. */
static void rfc6902(void **state)
{
    static const char *const cases[][3] = {
        {"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\"}]",
         "{\"baz\":\"qux\",\"foo\":\"bar\"}"},
        {"{\"foo\":[\"bar\",\"baz\"]}", "[{\"op\":\"add\",\"path\":\"/foo/1\",\"value\":\"qux\"}]",
         "{\"foo\":[\"bar\",\"qux\",\"baz\"]}"},
        {"{\"baz\":\"qux\",\"foo\":\"bar\"}", "[{\"op\":\"remove\",\"path\":\"/baz\"}]", "{\"foo\":\"bar\"}"},
        {"{\"foo\":[\"bar\",\"qux\",\"baz\"]}", "[{\"op\":\"remove\",\"path\":\"/foo/1\"}]",
         "{\"foo\":[\"bar\",\"baz\"]}"},
        {"{\"baz\":\"qux\"}", "[{\"op\":\"replace\",\"path\":\"/baz\",\"value\":\"boo\"}]",
         "{\"baz\":\"boo\"}"},
        {"{\"foo\":{\"bar\":\"baz\",\"waldo\":\"fred\"},\"qux\":{\"corge\":\"grault\"}}",
         "[{\"op\":\"move\",\"from\":\"/foo/waldo\",\"path\":\"/qux/thud\"}]",
         "{\"foo\":{\"bar\":\"baz\"},\"qux\":{\"corge\":\"grault\",\"thud\":\"fred\"}}"},
        {"{\"foo\":[\"all\",\"grass\",\"cows\",\"eat\"]}",
         "[{\"op\":\"move\",\"from\":\"/foo/1\",\"path\":\"/foo/3\"}]",
         "{\"foo\":[\"all\",\"cows\",\"eat\",\"grass\"]}"},
        {"{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}",
         "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"qux\"},{\"op\":\"test\",\"path\":\"/foo/"
         "1\",\"value\":2.0}]",
         "{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}"},
        {"{\"baz\":\"qux\"}", "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"bar\"}]", NULL},
        {"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/child\",\"value\":{\"grandchild\":{}}}]",
         "{\"foo\":\"bar\",\"child\":{\"grandchild\":{}}}"},
        {"{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz/bat\",\"value\":\"qux\"}]", NULL},
        {"{\"/\":9,\"~1\":10}", "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":10}]", "{\"/\":9,\"~1\":10}"},
        {"{\"/\":9,\"~1\":10}", "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":\"10\"}]", NULL},
        {"{\"foo\":[\"bar\"]}", "[{\"op\":\"add\",\"path\":\"/foo/-\",\"value\":[\"abc\",\"def\"]}]",
         "{\"foo\":[\"bar\",[\"abc\",\"def\"]]}"},
        {"{\"foo\":[1]}", "[{\"op\":\"add\",\"path\":\"/foo/2\",\"value\":3}]", NULL},
        {"{\"foo\":[1]}", "[{\"op\":\"add\",\"path\":\"/foo/01\",\"value\":3}]", NULL},
        {"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"/b\",\"value\":1}]", NULL},
        {"{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"/a\"},{\"op\":\"remove\",\"path\":\"/a\"}]", NULL},
        {"{\"a\":{\"b\":1}}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/a/b\"}]", NULL},
        {"{\"a\":{\"b\":1}}",
         "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/c\"},{\"op\":\"remove\",\"path\":\"/a/b\"}]",
         "{\"a\":{},\"c\":{\"b\":1}}"},
        {"{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"\",\"value\":[1]}]", "[1]"},
        {"{\"a\":1}", "[{\"op\":\"frob\",\"path\":\"/a\"}]", NULL},
        {"{\"a\":1}", "{\"op\":\"remove\",\"path\":\"/a\"}", NULL},
        {"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b\",\"value\":null}]", "{\"a\":1,\"b\":null}"},
        {"{\"a\":1}", "[{\"op\":\"add\",\"path\":\"b\",\"value\":1}]", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO_JSON doc = read_text(cases[i][0]);
        AUTO_JSON patch = read_text(cases[i][1]);
        int r = json_patch_apply(&doc, patch, &err);
        if ((r == 0) != (cases[i][2] != NULL))
            fail_msg("case %zu: %s", i, err_text(err));
        check(doc, cases[i][2] ? cases[i][2] : cases[i][0]);
    }
}

static void copies_cannot_explode(void **state)
{
    AUTO_ERR err = NULL;
    AUTO_JSON doc = read_text("{\"a\":[1]}");
    AUTO_JSON patch = json_array();
    for (int i = 0; i < 60; i++)
        json_array_append_new(patch, read_text("{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/-\"}"));
    assert_int_equal(json_patch_apply(&doc, patch, &err), -ERR_RESOURCE_EXHAUSTED);
}

/* RFC 7386 appendix A. */
static void rfc7386(void **state)
{
    static const char *const cases[][3] = {
        {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
        {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
        {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
        {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
        {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
        {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
        {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
        {"{\"a\":\"foo\"}", "null", "null"},
        {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
        {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
        {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON doc = read_text(cases[i][0]);
        AUTO_JSON patch = read_text(cases[i][1]);
        AUTO_JSON out = json_merge_apply(doc, patch);
        check(out, cases[i][2]);
        check(doc, cases[i][0]);
    }
}

static void merge_diff_undoes_itself(void **state)
{
    static const char *const cases[][3] = {
        {"{\"a\":1,\"b\":{\"c\":2,\"d\":3}}", "{\"b\":{\"c\":5},\"e\":[1]}",
         "{\"a\":null,\"b\":{\"c\":5,\"d\":null},\"e\":[1]}"},
        {"{\"a\":1}", "{\"a\":1.0}", "{}"},
        {"{\"a\":{\"b\":1}}", "{\"a\":{}}", "{\"a\":{\"b\":null}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON from = read_text(cases[i][0]);
        AUTO_JSON to = read_text(cases[i][1]);
        AUTO_JSON patch = json_merge_diff(from, to);
        check(patch, cases[i][2]);
        AUTO_JSON back = json_merge_apply(from, patch);
        assert_true(json_same(back, to));
    }
}

static void three_way(void **state)
{
    /* original, modified, current, patch */
    static const char *const cases[][4] = {
        {"{\"a\":1,\"b\":1}", "{\"a\":2}", "{\"a\":1,\"b\":1,\"live\":1}", "{\"a\":2,\"b\":null}"},
        {"{\"a\":1}", "{\"a\":1}", "{\"a\":1,\"x\":2}", "{}"},
        {"{}", "{\"s\":{\"p\":1}}", "{\"s\":{\"q\":2}}", "{\"s\":{\"p\":1}}"},
        {"{\"s\":{\"p\":1,\"q\":1}}", "{\"s\":{\"p\":1}}", "{\"s\":{\"p\":9,\"q\":1}}",
         "{\"s\":{\"p\":1,\"q\":null}}"},
        {"{\"l\":[1]}", "{\"l\":[1,2]}", "{\"l\":[1]}", "{\"l\":[1,2]}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON original = read_text(cases[i][0]);
        AUTO_JSON modified = read_text(cases[i][1]);
        AUTO_JSON current = read_text(cases[i][2]);
        AUTO_JSON patch = json_merge_three_way(original, modified, current);
        check(patch, cases[i][3]);
    }
}

static void pointers(void **state)
{
    AUTO_JSON doc = read_text("{\"a/b\":{\"~\":[5]},\"\":1}");
    assert_int_equal(json_integer_value(json_pointer_get(doc, "/a~1b/~0/0")), 5);
    assert_int_equal(json_integer_value(json_pointer_get(doc, "/")), 1);
    assert_ptr_equal(json_pointer_get(doc, ""), doc);
    assert_null(json_pointer_get(doc, "a"));
    assert_null(json_pointer_get(doc, "/a~2b"));
    assert_null(json_pointer_get(doc, "/a~1b/~0/1"));
    AUTO_STR s = STR_INIT;
    json_pointer_escape("a/b~c", &s);
    assert_string_equal(str_text(&s), "a~1b~0c");
}

TESTS(T(rfc6902), T(copies_cannot_explode), T(rfc7386), T(merge_diff_undoes_itself), T(three_way),
      T(pointers))
