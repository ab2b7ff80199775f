#include "tests/unit/test.h"
#include "common/kube/event.h"

static int collect(void *arg, const char *p, size_t n)
{
    str_add(arg, p, n);
    str_putc(arg, ';');
    return 0;
}

static void streams_are_split_wherever_they_are_cut(void **state)
{
    static const struct {
        const char *text, *values;
        size_t max, skipped;
    } cases[] = {
        {"{\"a\":1}\n{\"b\":{\"c\":[2,{}]}}\n", "{\"a\":1};{\"b\":{\"c\":[2,{}]}};", 100, 0},
        {"{\"a\":\"}\\\"{\"}{\"b\":\"\\\\\"}", "{\"a\":\"}\\\"{\"};{\"b\":\"\\\\\"};", 100, 0},
        {"\n\n {\n \"a\" : [\n1\n] }\n", "{\n \"a\" : [\n1\n] };", 100, 0},
        {"garbage 12 {\"a\":1} more ] } {\"b\":2}", "{\"a\":1};{\"b\":2};", 100, 0},
        {"{\"a\":\"0123456789\"}{\"b\":1}{\"c\":\"0123456789\"}{\"d\":2}", "{\"b\":1};{\"d\":2};", 10, 2},
        {"{\"a\":1}{\"never\":\"ends", "{\"a\":1};", 100, 0},
        {"", "", 100, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t step = 1; step <= strlen(cases[i].text) + 1; step++) {
            AUTO_STR got = STR_INIT;
            struct kube_stream s;
            kube_stream_init(&s, cases[i].max);
            s.on_value = collect;
            s.arg = &got;
            for (size_t at = 0; at < strlen(cases[i].text); at += step)
                assert_int_equal(
                    kube_stream_feed(&s, cases[i].text + at, min_size(step, strlen(cases[i].text) - at)), 0);
            assert_string_equal(str_text(&got), cases[i].values);
            assert_int_equal(s.skipped, cases[i].skipped);
            kube_stream_dispose(&s);
        }
    }
}

static int refuse(void *arg, const char *p, size_t n)
{
    return ++*(int *)arg == 2 ? -7 : 0;
}

static void a_reader_ends_the_feeding(void **state)
{
    int n = 0;
    struct kube_stream s;
    kube_stream_init(&s, 100);
    s.on_value = refuse;
    s.arg = &n;
    assert_int_equal(kube_stream_feed(&s, "{}{}{}", 6), -7);
    assert_int_equal(n, 2);
    kube_stream_dispose(&s);
}

static void events_are_read(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        enum kube_event_type type;
        const char *object, *version;
    } cases[] = {
        {"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"12\"}}}", true,
         KUBE_EV_ADDED, "{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"12\"}}", "12"},
        {"{\"object\":{\"x\":[{}],\"metadata\":{\"resourceVersion\":\"a\\u002fb\"}},\"type\":\"MODIFIED\"}",
         true, KUBE_EV_MODIFIED, NULL, "a/b"},
        {"{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"7\"}}}", true,
         KUBE_EV_BOOKMARK, NULL, "7"},
        {"{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"resourceVersion\":7}}}", true, KUBE_EV_DELETED,
         NULL, ""},
        {"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410}}", true, KUBE_EV_ERROR, NULL, ""},
        {"{\"type\":\"STRANGE\",\"object\":{}}", true, KUBE_EV_OTHER, "{}", ""},
        {"{\"type\":\"ADDED\"}", false, 0, NULL, NULL},
        {"{\"type\":\"ADDED\",\"object\":3}", false, 0, NULL, NULL},
        {"[1]", false, 0, NULL, NULL},
        {"{\"type\":\"ADDED\",\"object\":{", false, 0, NULL, NULL},
        {"{\"type\":\"ADDED\",\"object\":{]}", false, 0, NULL, NULL},
        {"", false, 0, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct kube_event_view ev;
        bool ok = kube_event_read(cases[i].text, strlen(cases[i].text), &ev);
        if (ok != cases[i].ok)
            fail_msg("case %zu", i);
        if (!ok)
            continue;
        assert_int_equal(ev.type, cases[i].type);
        assert_string_equal(ev.resource_version, cases[i].version);
        if (cases[i].object)
            assert_true(view_eq(ev.object, cases[i].object));
    }
}

static void a_resource_version_out_of_bounds_is_none(void **state)
{
    AUTO_STR s = STR_INIT;
    str_puts(&s, "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"");
    for (int i = 0; i < 500; i++)
        str_putc(&s, '1');
    str_puts(&s, "\"}}}");
    struct kube_event_view ev;
    assert_true(kube_event_read(str_text(&s), s.len, &ev));
    assert_string_equal(ev.resource_version, "");
}

static void bare_objects_are_told_apart(void **state)
{
    static const struct {
        const char *text;
        bool bare;
    } cases[] = {{"{\"metadata\":{}}", true},
                 {"{ \"spec\" : 1 }", true},
                 {"{\"kind\":\"Pod\"}", false},
                 {"{\"apiVersion\":\"v1\"}", false},
                 {"{}", false},
                 {"[]", false},
                 {"", false},
                 {"{\"\\u006bind\":1}", false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(kube_object_is_bare(cases[i].text, strlen(cases[i].text)), cases[i].bare);
}

TESTS(T(streams_are_split_wherever_they_are_cut), T(a_reader_ends_the_feeding), T(events_are_read),
      T(a_resource_version_out_of_bounds_is_none), T(bare_objects_are_told_apart))
