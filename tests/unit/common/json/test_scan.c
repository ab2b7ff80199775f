#include "tests/unit/test.h"
#include "common/json/scan.h"

static void tokens_and_skipping(void **state)
{
    const char *text = "{\"kind\":\"Pod\",\"m\":{\"x\":[1,{\"y\":2}]},\"sp\\u0065c\":[true,null],\"z\":-1.5}";
    struct json_scan s;
    json_scan_init(&s, text, strlen(text));
    assert_int_equal(json_scan_next(&s), JT_OBJECT_BEGIN);
    assert_int_equal(json_scan_next(&s), JT_KEY);
    assert_true(json_scan_is(&s, "kind"));
    assert_int_equal(json_scan_next(&s), JT_STRING);
    assert_true(view_eq(s.text, "Pod"));
    assert_int_equal(json_scan_next(&s), JT_KEY);
    assert_true(json_scan_skip(&s, JT_KEY));
    assert_int_equal(json_scan_next(&s), JT_KEY);
    assert_true(json_scan_is(&s, "spec"));
    view_t bytes;
    assert_true(json_scan_value(&s, JT_KEY, &bytes));
    assert_true(view_eq(bytes, "[true,null]"));
    assert_int_equal(json_scan_next(&s), JT_KEY);
    enum json_token t = json_scan_next(&s);
    assert_int_equal(t, JT_NUMBER);
    assert_true(json_scan_value(&s, t, &bytes) && view_eq(bytes, "-1.5"));
    assert_int_equal(json_scan_next(&s), JT_OBJECT_END);
    assert_int_equal(json_scan_next(&s), JT_END);
}

struct got {
    str_t items, fields;
};

static int on_item(void *arg, const char *p, size_t n)
{
    struct got *g = arg;
    str_add(&g->items, p, n);
    str_putc(&g->items, ';');
    return 0;
}

static int on_field(void *arg, const char *key, const char *p, size_t n)
{
    struct got *g = arg;
    str_printf(&g->fields, "%s=%.*s;", key, (int)n, p);
    return 0;
}

static void lists_arrive_in_pieces_of_any_size(void **state)
{
    const char *text =
        "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"5\"},\n \"items\": [ {\"a\":\"}\\\"]\"} ,"
        "{\"b\":[1,2]},3,\"s\" ] ,\"n\":12,\"t\":null}";
    for (size_t step = 1; step <= strlen(text); step++) {
        AUTO_ERR err = NULL;
        struct got g = {};
        struct json_list l;
        json_list_init(&l, 1000);
        l.on_item = on_item;
        l.on_field = on_field;
        l.arg = &g;
        for (size_t i = 0; i < strlen(text); i += step)
            ASSERT_OK(json_list_feed(&l, text + i, min_size(step, strlen(text) - i), &err));
        ASSERT_OK(json_list_end(&l, &err));
        assert_string_equal(str_text(&g.items), "{\"a\":\"}\\\"]\"};{\"b\":[1,2]};3;\"s\";");
        assert_string_equal(str_text(&g.fields),
                            "kind=\"PodList\";metadata={\"resourceVersion\":\"5\"};n=12;t=null;");
        str_dispose(&g.items);
        str_dispose(&g.fields);
        json_list_dispose(&l);
    }
}

static void keys_are_decoded(void **state)
{
    static const char text[] = "{\"a\\\"b\\u0041\":1,\"i\\u0074ems\":[5]}";
    AUTO_ERR err = NULL;
    struct got g = {};
    struct json_list l;
    json_list_init(&l, 1000);
    l.on_item = on_item;
    l.on_field = on_field;
    l.arg = &g;
    ASSERT_OK(json_list_feed(&l, text, strlen(text), &err));
    ASSERT_OK(json_list_end(&l, &err));
    assert_string_equal(str_text(&g.fields), "a\"bA=1;");
    assert_string_equal(str_text(&g.items), "5;");
    str_dispose(&g.items);
    str_dispose(&g.fields);
    json_list_dispose(&l);
    struct json_scan s;
    json_scan_init(&s, "{\"a\\u0000b\":1}", 15);
    json_scan_next(&s);
    assert_int_equal(json_scan_next(&s), JT_KEY);
    assert_false(json_scan_is(&s, "a"));
}

static void bad_lists_are_refused(void **state)
{
    static const struct {
        const char *text;
        int feed, end;
    } cases[] = {
        {"[]", -ERR_INVALID_ARGUMENT, 0},
        {"{\"items\":[{\"a\":1}", 0, -ERR_INVALID_ARGUMENT},
        {"{\"items\":[{\"a\":\"0123456789012345678901234567890123456789\"}]}", -ERR_RESOURCE_EXHAUSTED, 0},
        {"{\"items\":[]} x", -ERR_INVALID_ARGUMENT, 0},
        {"{\"items\":[}", -ERR_INVALID_ARGUMENT, 0},
        {"{x", -ERR_INVALID_ARGUMENT, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        struct json_list l;
        json_list_init(&l, 32);
        int r = json_list_feed(&l, cases[i].text, strlen(cases[i].text), &err);
        assert_int_equal(r, cases[i].feed);
        if (r == 0)
            assert_int_equal(json_list_end(&l, &err), cases[i].end);
        json_list_dispose(&l);
    }
}

static void oversized_items_are_left_out_when_asked(void **state)
{
    const char *text =
        "{\"items\":[{\"a\":1},{\"b\":\"0123456789012345678901234567890123456789\"},{\"c\":2}],\"n\":1}";
    for (size_t step = 1; step <= strlen(text); step++) {
        AUTO_ERR err = NULL;
        struct got g = {};
        struct json_list l;
        json_list_init(&l, 32);
        l.skip_oversized = true;
        l.on_item = on_item;
        l.on_field = on_field;
        l.arg = &g;
        for (size_t i = 0; i < strlen(text); i += step)
            ASSERT_OK(json_list_feed(&l, text + i, min_size(step, strlen(text) - i), &err));
        ASSERT_OK(json_list_end(&l, &err));
        assert_string_equal(str_text(&g.items), "{\"a\":1};{\"c\":2};");
        assert_string_equal(str_text(&g.fields), "n=1;");
        assert_int_equal(l.oversized, 1);
        str_dispose(&g.items);
        str_dispose(&g.fields);
        json_list_dispose(&l);
    }
}

static void what_is_valid_can_be_read(void **state)
{
    static const char *const cases[] = {"{}",
                                        "3",
                                        "\"a\"",
                                        "{\"a\":[1,2,{\"b\":null}]} ",
                                        "{\"a\\u0041\":\"\\ud83d\\ude00\"}",
                                        "{\"a\":\"\\ud83d\"}",
                                        "{\"\\ud83d\":1}",
                                        "{\"a\":\"\\x\"}",
                                        "{\"\\q\":1}",
                                        "{\"a\":\"\xff\"}",
                                        "{\"\xff\":1}",
                                        "{\"a\":}",
                                        "{\"a\":1",
                                        "{} x",
                                        "",
                                        "[",
                                        "[1,]",
                                        "tru",
                                        "\"\\\"",
                                        "{\"a\":\"\\u00\"}",
                                        "{\"a\":1e}",
                                        "{\"a\":-}",
                                        "{\"a\":01}",
                                        " [ \"\\\\\" ] ",
                                        "{\"a\":\"\\u0000\"}"};
    size_t good = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *v = NULL;
        bool readable = json_read_str(cases[i], &v, NULL) == 0;
        if (json_valid(cases[i], strlen(cases[i])) != readable)
            fail_msg("%s: read: %d", cases[i], readable);
        json_decref(v);
        good += readable;
    }
    assert_true(good >= 6);
}

TESTS(T(what_is_valid_can_be_read), T(oversized_items_are_left_out_when_asked), T(tokens_and_skipping),
      T(lists_arrive_in_pieces_of_any_size), T(keys_are_decoded), T(bad_lists_are_refused))
