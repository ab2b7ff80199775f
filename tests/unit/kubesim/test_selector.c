#include "tests/kubesim/selector.h"
#include "tests/unit/test.h"

static const char object[] = "{\"metadata\":{\"name\":\"x\",\"labels\":{\"a\":\"1\",\"b\":\"\",\"c/"
                             "d\":\"5\",\"e\\u0066\":\"q\\\"\"}}}";

/* NULL error: the selector is good, and `matches` tells about `object`. */
static const struct {
    const char *text, *error;
    bool matches;
} labels[] = {
    {"", NULL, true},
    {"a=1", NULL, true},
    {"a==1", NULL, true},
    {"a=2", NULL, false},
    {"a!=2", NULL, true},
    {"z!=2", NULL, true},
    {"a", NULL, true},
    {"z", NULL, false},
    {"!z", NULL, true},
    {"!a", NULL, false},
    {"a in (1,2)", NULL, true},
    {"a in (2)", NULL, false},
    {"z in (1)", NULL, false},
    {"a notin (1)", NULL, false},
    {"z notin (1)", NULL, true},
    {"b", NULL, true},
    {"b=", NULL, true},
    {"b in ()", NULL, true},
    {"b in (,)", NULL, true},
    {"a=,b", NULL, false},
    {"c/d>4", NULL, true},
    {"c/d>5", NULL, false},
    {"c/d<6", NULL, true},
    {"a>4,c/d", NULL, false},
    {"b>4", NULL, false},
    {" a = 1 , b ", NULL, true},
    {"in=x", NULL, false},
    {"notin notin (x)", NULL, true},
    {"a=in", NULL, false},
    {"ef", NULL, true},
    {"a=1,a=2", NULL, false},
    {"a in", "unable to parse requirement: found '' expected: '('", false},
    {"a in (b", "unable to parse requirement: found '', expected: ',' or ')'", false},
    {"a in (b c)", "unable to parse requirement: found 'c', expected: ',' or ')'", false},
    {"a in (x,(y))", "unable to parse requirement: found '(', expected: ',', or identifier", false},
    {"a in ((", "unable to parse requirement: found '(', expected: ',', ')' or identifier", false},
    {"a=b c", "found 'c', expected: ',' or 'end of string'", false},
    {"a=b,", "found '', expected: identifier after ','", false},
    {"a,,b", "found ',', expected: identifier after ','", false},
    {"=b", "found '=', expected: !, identifier, or 'end of string'", false},
    {"(", "found '(', expected: !, identifier, or 'end of string'", false},
    {"a>x", "unable to parse requirement: for 'Gt', 'Lt' operators, the value must be an integer", false},
    {"a>", "unable to parse requirement: for 'Gt', 'Lt' operators, the value must be an integer", false},
    {"!a=b", "found '=', expected: ',' or 'end of string'", false},
    {"!", "unable to parse requirement: found '', expected: identifier", false},
    {"!!a", "unable to parse requirement: found '!', expected: identifier", false},
    {"a = (b)", "unable to parse requirement: found '(', expected: identifier", false},
    {"a>=5", "unable to parse requirement: found '=', expected: identifier", false},
    {"a<5=", "found '=', expected: ',' or 'end of string'", false},
    {"a!b", "unable to parse requirement: found '!', expected: '=', '!=', '==', 'in', notin'", false},
    {"/a", "unable to parse requirement: invalid label key \"/a\": prefix part must be non-empty", false},
};

static void test_labels(void **state)
{
    json_t *o = NULL;
    assert_int_equal(json_read_str(object, &o, NULL), 0);
    AUTO(free_p) char *meta = json_text(json_object_get(o, "metadata"), JSON_GO);
    for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
        AUTO_SELECTOR s = {};
        AUTO_ERR err = NULL;
        int result = label_selector_parse(labels[i].text, &s, &err);
        if (labels[i].error) {
            assert_true(result < 0);
            assert_string_equal(err_text(err), labels[i].error);
            continue;
        }
        ASSERT_OK(result);
        if (selector_matches_labels(&s, json_at(o, "metadata", "labels")) != labels[i].matches ||
            selector_matches_meta(&s, view_of(meta)) != labels[i].matches)
            fail_msg("'%s' should%s match", labels[i].text, labels[i].matches ? "" : " not");
    }
    json_decref(o);
}

static void test_no_labels(void **state)
{
    AUTO_SELECTOR has = {};
    AUTO_SELECTOR not = {};
    AUTO_ERR err = NULL;
    ASSERT_OK(label_selector_parse("a", &has, &err));
    ASSERT_OK(label_selector_parse("!a", &not, &err));
    static const char *const metas[] = {"{}", "{\"name\":\"x\"}", "{\"labels\":{}}", "{\"labels\":null}", ""};
    for (size_t i = 0; i < ARRAY_LEN(metas); i++) {
        assert_false(selector_matches_meta(&has, view_of(metas[i])));
        assert_true(selector_matches_meta(&not, view_of(metas[i])));
    }
}

static void test_label_selector_object(void **state)
{
    static const struct {
        const char *json;
        int result; /* 1 matches, 0 does not, -1 an error */
    } cases[] = {
        {"{\"matchLabels\":{\"a\":\"1\"}}", 1},
        {"{\"matchLabels\":{\"a\":\"1\",\"b\":\"2\"}}", 0},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\",\"values\":[\"1\"]}]}", 1},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"NotIn\",\"values\":[\"1\"]}]}", 0},
        {"{\"matchExpressions\":[{\"key\":\"z\",\"operator\":\"DoesNotExist\"}]}", 1},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Exists\"}]}", 1},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\"}]}", -1},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Near\",\"values\":[\"1\"]}]}", -1},
        {"{\"matchExpressions\":[{\"key\":\"a b\",\"operator\":\"Exists\"}]}", -1},
        {"{}", 1},
    };
    json_t *have = json_pack("{s:s}", "a", "1");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_SELECTOR s = {};
        json_t *v = NULL;
        assert_int_equal(json_read_str(cases[i].json, &v, NULL), 0);
        int result = label_selector_read(v, &s, NULL);
        assert_int_equal(result < 0 ? -1 : selector_matches_labels(&s, have), cases[i].result);
        json_decref(v);
    }
    json_decref(have);
}

static const char *get_field(void *arg, const char *key)
{
    return strcmp(key, "metadata.name") == 0 ? "a,b" : strcmp(key, "spec.nodeName") == 0 ? "n=1" : "";
}

static void test_fields(void **state)
{
    static const struct {
        const char *text, *error;
        bool matches;
    } cases[] = {
        {"", NULL, true},
        {",", NULL, true},
        {"metadata.name=a\\,b", NULL, true},
        {"metadata.name==a\\,b,spec.nodeName=n\\=1", NULL, true},
        {"metadata.name!=a", NULL, true},
        {"metadata.name=a", NULL, false},
        {"metadata.name=a,", NULL, false},
        {"other=", NULL, true},
        {"foo", "invalid selector: 'foo'; can't understand 'foo'", false},
        {"a=b,foo", "invalid selector: 'a=b,foo'; can't understand 'foo'", false},
        {"a=b=c", "invalid field selector: unescaped character in value: 61", false},
        {"a=x\\y", "invalid field selector: invalid escape sequence: \\y", false},
        {"a=x\\", "invalid field selector: invalid escape sequence: \\", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_SELECTOR s = {};
        AUTO_ERR err = NULL;
        int result = field_selector_parse(cases[i].text, &s, &err);
        if (cases[i].error) {
            assert_true(result < 0);
            assert_string_equal(err_text(err), cases[i].error);
            continue;
        }
        ASSERT_OK(result);
        assert_int_equal(selector_matches(&s, get_field, NULL), cases[i].matches);
    }
}

static void test_scan_field(void **state)
{
    static const char json[] =
        "{\"a\":{\"b\":\"x\\ty\",\"n\":1.50,\"t\":true,\"z\":null,\"l\":[1]},\"a.b\":1}";
    static const struct {
        const char *path, *value;
    } cases[] = {{"a.b", "x\ty"}, {"a.n", "1.50"}, {"a.t", "true"}, {"a.z", ""}, {"a.l", ""},
                 {"a.c", ""},     {"a.b.c", ""},   {"", ""},        {"a", ""}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_STR out = STR_INIT;
        assert_true(scan_field(view_of(json), cases[i].path, &out));
        assert_string_equal(str_text(&out), cases[i].value);
    }
}

static void test_limits(void **state)
{
    AUTO_STR text = STR_INIT;
    AUTO_SELECTOR s = {};
    for (int i = 0; i < SELECTOR_MAX; i++)
        str_puts(&text, "a,");
    assert_true(label_selector_parse(str_text(&text), &s, NULL) < 0);
    assert_true(field_selector_parse(str_text(&text), &s, NULL) < 0);
}

TESTS(T(test_labels), T(test_no_labels), T(test_label_selector_object), T(test_fields), T(test_scan_field),
      T(test_limits))
