#include "tests/unit/test.h"
#include "common/base/clock.h"
#include "common/base/flag.h"
#include "common/base/log.h"

struct options {
    char *server;
    bool insecure;
    int64_t port, timeout;
    char **list;
};

#define FLAGS(o)                                                                                             \
    {                                                                                                        \
        {.name = "server",                                                                                   \
         .type = FLAG_STRING,                                                                                \
         .target = &(o).server,                                                                              \
         .env = "T_SERVER",                                                                                  \
         .fallback = "localhost"},                                                                           \
            {.name = "insecure", .type = FLAG_BOOL, .target = &(o).insecure, .env = "T_INSECURE"},           \
            {.name = "port",                                                                                 \
             .type = FLAG_INT,                                                                               \
             .target = &(o).port,                                                                            \
             .env = "T_PORT",                                                                                \
             .fallback = "80",                                                                               \
             .min = 1,                                                                                       \
             .max = 65535,                                                                                   \
             .shorthand = 'p'},                                                                              \
            {.name = "timeout", .type = FLAG_SECONDS, .target = &(o).timeout, .fallback = "60"},             \
        {                                                                                                    \
            .name = "list", .type = FLAG_STRINGS, .target = &(o).list, .env = "T_LIST"                       \
        }                                                                                                    \
    }

static char warning[512];
static void keep(void *arg, const char *line)
{
    snprintf(warning, sizeof(warning), "%s", line);
}

static void precedence(void **state)
{
    AUTO_ERR err = NULL;
    struct options o = {};
    struct flag flags[] = FLAGS(o);
    setenv("T_SERVER", "from-env", 1);
    setenv("T_PORT", "99999", 1);
    setenv("T_INSECURE", "TRUE", 1);
    setenv("T_LIST", "x,y", 1);
    log_redirect(keep, NULL);
    char *argv[] = {"prog",      "--port=81", "a",  "--list", "1,2", "--list=3",
                    "--timeout", "2m",        "--", "--b",    NULL};
    AUTO(free_p) char **args = NULL;
    ASSERT_OK(flags_parse(flags, ARRAY_LEN(flags), 10, argv, &args, "usage", &err));
    log_redirect(NULL, NULL);
    assert_non_null(strstr(warning, "T_PORT"));
    assert_string_equal(o.server, "from-env");
    assert_true(o.insecure);
    assert_int_equal(o.port, 81);
    assert_int_equal(o.timeout, SECONDS(120));
    assert_int_equal(strv_len(o.list), 3);
    assert_string_equal(args[0], "a");
    assert_string_equal(args[1], "--b");
    assert_null(args[2]);
    flags_dispose(flags, ARRAY_LEN(flags));
    unsetenv("T_SERVER");
    unsetenv("T_PORT");
    unsetenv("T_INSECURE");
    unsetenv("T_LIST");
}

static void mistakes_are_named(void **state)
{
    static const struct {
        char *argv[4];
        const char *message;
    } cases[] = {
        {{"prog", "--nope"}, "unknown flag: --nope"},
        {{"prog", "--port"}, "flag needs an argument: --port"},
        {{"prog", "--port=x"}, "invalid argument \"x\" for \"--port\" flag"},
        {{"prog", "-p", "0"}, "invalid argument \"0\" for \"--port\" flag"},
        {{"prog", "word"}, "unexpected argument: word"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        struct options o = {};
        struct flag flags[] = FLAGS(o);
        int argc = 0;
        while (cases[i].argv[argc])
            argc++;
        assert_true(flags_parse(flags, ARRAY_LEN(flags), argc, (char **)cases[i].argv, NULL, "", &err) < 0);
        assert_string_equal(err_text(err), cases[i].message);
        flags_dispose(flags, ARRAY_LEN(flags));
    }
}

TESTS(T(precedence), T(mistakes_are_named))
