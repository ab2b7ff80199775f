#include "tests/unit/test.h"
#include "common/base/arena.h"
#include "common/base/log.h"

static char last[1024];
static void keep(void *arg, const char *line)
{
    snprintf(last, sizeof(last), "%s", line);
}

static void both_formats(void **state)
{
    AUTO_ERR err = NULL;
    log_redirect(keep, NULL);
    ASSERT_OK(log_setup("text", "info", &err));
    log_info(LOGF({"application", "a b"}, {"project", "p"}, {"none", NULL}), "hello \"%s\"", "x");
    assert_non_null(strstr(last, " level=info msg=\"hello \\\"x\\\"\" application=\"a b\" project=p\n"));
    ASSERT_OK(log_setup("json", "warn", &err));
    last[0] = 0;
    log_info(NULL, "not shown");
    assert_string_equal(last, "");
    log_warn(LOGF({"k", "line1\nline2\xff"}), "m");
    const char *expected =
        "{\"level\":\"warning\",\"msg\":\"m\",\"k\":\"line1\\nline2\xef\xbf\xbd\",\"time\":\"";
    assert_memory_equal(last, expected, strlen(expected));
    assert_true(log_setup("xml", "info", &err) < 0);
    assert_true(log_setup("text", "loud", &err) < 0);
    log_redirect(NULL, NULL);
}

static void times_by_layout(void **state)
{
    static const struct {
        const char *layout, *text;
    } cases[] = {
        {"2006-01-02T15:04:05Z07:00", "2026-03-07T16:05:09Z"},
        {"2006-01-02T15:04:05.000Z07:00", "2026-03-07T16:05:09.120Z"},
        {"2006-01-02T15:04:05.999999999Z07:00", "2026-03-07T16:05:09.120034Z"},
        {"Mon Jan _2 15:04:05 2006", "Sat Mar  7 16:05:09 2026"},
        {"Monday, 02-Jan-06 15:04:05 MST", "Saturday, 07-Mar-26 16:05:09 UTC"},
        {"3:04PM", "4:05PM"},
        {"1/2/06 03:4:5 pm -0700", "3/7/26 04:5:9 pm +0000"},
        {"02 January 2006 15:04:05,000", "07 March 2026 16:05:09,120"},
        {"plain", "plain"},
        {"", ""},
    };
    wall_t t;
    assert_true(rfc3339_parse("2026-03-07T16:05:09.120034Z", &t));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_STR text = STR_INIT;
        log_time(cases[i].layout, t, &text);
        assert_string_equal(str_text(&text), cases[i].text);
    }
}

static void numbers_and_layouts(void **state)
{
    AUTO_ERR err = NULL;
    log_redirect(keep, NULL);
    log_set_time_layout("2006");
    ASSERT_OK(log_setup("json", "info", &err));
    struct log_number numbers[] = {{"time_ms", 12}, {"patch_ms", 0}};
    log_write_numbers(LOG_INFO, LOGF({"a", "b"}), numbers, 2, "done");
    const char *expected =
        "{\"level\":\"info\",\"msg\":\"done\",\"a\":\"b\",\"time_ms\":12,\"patch_ms\":0,\"time\":\"20";
    assert_memory_equal(last, expected, strlen(expected));
    ASSERT_OK(log_setup("text", "info", &err));
    log_write_numbers(LOG_INFO, NULL, numbers, 1, "done");
    assert_int_equal(strlen(last), strlen("time=\"2026\" level=info msg=done time_ms=12\n"));
    assert_non_null(strstr(last, "\" level=info msg=done time_ms=12\n"));
    log_set_time_layout(NULL);
    log_redirect(NULL, NULL);
}

static int order[3], at;
static void deferred(void *p)
{
    order[at++] = *(int *)p;
}

static void arenas(void **state)
{
    static int one = 1, two = 2;
    arena_t *a = arena_new();
    arena_defer(a, deferred, &one);
    arena_defer(a, deferred, &two);
    for (size_t n = 0; n < 3000; n += 7) {
        char *p = arena_alloc(a, n);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xee, n);
    }
    assert_string_equal(arena_printf(a, "%s-%d", "x", 5), "x-5");
    assert_string_equal(arena_strndup(a, "hello", 2), "he");
    assert_null(arena_strdup(a, NULL));
    assert_true(arena_used(a) > 3000);
    arena_free(a);
    assert_int_equal(order[0], 2);
    assert_int_equal(order[1], 1);
}

TESTS(T(both_formats), T(times_by_layout), T(numbers_and_layouts), T(arenas))
