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

TESTS(T(both_formats), T(arenas))
