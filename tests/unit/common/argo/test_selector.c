#include "tests/unit/test.h"

#include "common/argo/selector.h"

static void matching(void **state)
{
    static const struct {
        const char *selector;
        int result; /* -1: malformed */
    } cases[] = {
        {"", 1},
        {"  ", 1},
        {"app=web", 1},
        {"app==web", 1},
        {"app = web ", 1},
        {"app=db", 0},
        {"app!=web", 0},
        {"app!=db", 1},
        {"none!=x", 1},
        {"app", 1},
        {"none", 0},
        {"!none", 1},
        {"!app", 0},
        {"app in (db, web)", 1},
        {"app in (db)", 0},
        {"app notin (db)", 1},
        {"app notin (web,db)", 0},
        {"none notin (x)", 1},
        {"none in (x)", 0},
        {"app=web,tier=1", 1},
        {"app=web, tier=2", 0},
        {"tier>0", 1},
        {"tier>1", 0},
        {"tier<2", 1},
        {"app>1", 0},
        {"x.io/part-of=a_b.c", 1},
        {"empty=", 1},
        {"app=", 0},
        {"in in (in)", 1},
        {"index", 1},
        {"app in()", 0},
        {"=a", -1},
        {"app web", -1},
        {"app in web", -1},
        {"app in (web", -1},
        {"app=web;x", -1},
        {"tier>x", -1},
        {"!", -1},
        {"app=web,,b", -1},
        {"app in (web))", -1},
    };
    AUTO_ERR err = NULL;
    AUTO_JSON labels = NULL;
    ASSERT_OK(json_read_str("{\"app\":\"web\",\"tier\":\"1\",\"x.io/"
                            "part-of\":\"a_b.c\",\"empty\":\"\",\"in\":\"in\",\"index\":\"\"}",
                            &labels, &err));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR why = NULL;
        AUTO(selector_free_p) selector_t *s = NULL;
        int rc = selector_parse(cases[i].selector, &s, &why);
        int got = rc < 0 ? -1 : selector_matches(s, labels);
        if (got != cases[i].result)
            fail_msg("\"%s\": %d", cases[i].selector, got);
    }
}

static void objects(void **state)
{
    static const struct {
        const char *selector;
        bool matches, valid;
    } cases[] = {
        {"null", true, true},
        {"{}", true, true},
        {"{\"matchLabels\":{\"a\":\"1\"}}", true, true},
        {"{\"matchLabels\":{\"a\":\"2\"}}", false, true},
        {"{\"matchLabels\":{\"a\":\"1\",\"c\":\"\"}}", false, true},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\",\"values\":[\"0\",\"1\"]}]}", true, true},
        {"{\"matchExpressions\":[{\"key\":\"c\",\"operator\":\"In\",\"values\":[\"1\"]}]}", false, true},
        {"{\"matchExpressions\":[{\"key\":\"c\",\"operator\":\"NotIn\",\"values\":[\"1\"]}]}", true, true},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"NotIn\",\"values\":[\"1\"]}]}", false, true},
        {"{\"matchExpressions\":[{\"key\":\"b\",\"operator\":\"Exists\"},{\"key\":\"c\",\"operator\":"
         "\"DoesNotExist\"}]}",
         true, true},
        {"{\"matchExpressions\":[{\"key\":\"c\",\"operator\":\"Exists\"}]}", false, true},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\"}]}", false, false},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Exists\",\"values\":[\"1\"]}]}", false, false},
        {"{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Equals\",\"values\":[\"1\"]}]}", false, false},
    };
    AUTO_JSON labels = json_pack("{s:s,s:s}", "a", "1", "b", "");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *text = xasprintf("[%s]", cases[i].selector);
        AUTO_ERR err = NULL;
        AUTO_JSON list = NULL;
        bool valid;
        ASSERT_OK(json_read_str(text, &list, &err));
        if (label_selector_matches(json_array_get(list, 0), labels, &valid) != cases[i].matches ||
            valid != cases[i].valid)
            fail_msg("%s", cases[i].selector);
    }
}

TESTS(T(objects), T(matching))
