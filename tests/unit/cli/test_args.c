#include "tests/unit/test.h"
#include "cli/args.h"
#include "cli/options.h"

static const struct option first[] = {
    TEXT("output", "Format", .shorthand = 'o', .fallback = "wide"),
    BOOL("yes", "Do not ask", .shorthand = 'y'),
    BOOL("cascade", "All", .fallback = "true"),
    LIST("project", "Project", .shorthand = 'p'),
    INTS("positions", "Positions"),
    OPTIONS_END,
};
static const struct option second[] = {
    UINT("timeout", "Seconds"),
    INT("limit", "Limit", .fallback = "10"),
    DURATION("pause", "Pause", .fallback = "5s"),
    OPTION(OPT_CSV, "header", "Header", .shorthand = 'H', .in_opts = true),
    TEXT("server", "Server", .env = "TEST_SERVER", .in_opts = true),
    BOOL("plaintext", "No TLS", .in_opts = true),
    OPTIONS_END,
};
static const struct option *const tables[] = {first, second, NULL};

static const char *env_server;
static const char *env(const char *name)
{
    return !strcmp(name, "TEST_SERVER") ? env_server : NULL;
}

static int parse_with(const struct args_defaults *defaults, const char *line, char ***words, args_t **out,
                      err_t **err)
{
    assert_int_equal(shell_split(line, words, err), 0);
    return args_parse(tables, defaults, strv_len(*words), *words, out, err);
}

/* What an option holds, as a text. */
static char *shown(const args_t *a, const char *name)
{
    switch (args_type(a, name)) {
    case OPT_TEXT:
        return xstrdup(args_text(a, name));
    case OPT_BOOL:
        return xstrdup(args_bool(a, name) ? "true" : "false");
    case OPT_LIST:
    case OPT_CSV:
    case OPT_INTS:
        return strv_join(args_list(a, name), "|");
    default:
        return xasprintf("%lld", (long long)args_int(a, name));
    }
}

static void values(void **state)
{
    static const struct {
        const char *line, *option, *value, *rest;
    } cases[] = {
        {"a b", "output", "wide", "a|b"},
        {"-o json a", "output", "json", "a"},
        {"-ojson a", "output", "json", "a"},
        {"-o=json", "output", "json", ""},
        {"--output json", "output", "json", ""},
        {"a --output=json b", "output", "json", "a|b"},
        {"--output=", "output", "", ""},
        {"-y", "yes", "true", ""},
        {"-yo json", "yes", "true", ""},
        {"-yo json", "output", "json", ""},
        {"--yes=false", "yes", "false", ""},
        {"--cascade=F", "cascade", "false", ""},
        {"--cascade x", "cascade", "true", "x"},
        {"-p a,b -p c", "project", "a,b|c", ""},
        {"-H a:1,b:2 -H '\"c:3,4\"'", "header", "a:1|b:2|c:3,4", ""},
        {"--positions 1,2 --positions 3", "positions", "1|2|3", ""},
        {"--timeout 7", "timeout", "7", ""},
        {"--limit -3", "limit", "-3", ""},
        {"--pause 1m30s", "pause", "90000000000", ""},
        {"", "pause", "5000000000", ""},
        {"-- --yes -o", "yes", "false", "--yes|-o"},
        {"a -", "output", "wide", "a|-"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO(strv_free_p) char **words = NULL;
        AUTO(args_free_p) args_t *a = NULL;
        ASSERT_OK(parse_with(NULL, cases[i].line, &words, &a, &err));
        AUTO(free_p) char *value = shown(a, cases[i].option), *rest = strv_join(args_rest(a), "|");
        assert_string_equal(value, cases[i].value);
        assert_string_equal(rest, cases[i].rest);
    }
}

static void errors(void **state)
{
    static const char *const cases[][2] = {
        {"--bad", "unknown flag: --bad"},
        {"-x", "unknown shorthand flag: 'x' in -x"},
        {"-yx", "unknown shorthand flag: 'x' in -yx"},
        {"--output", "flag needs an argument: --output"},
        {"-o", "flag needs an argument: 'o' in -o"},
        {"--=x", "bad flag syntax: --=x"},
        {"---x", "bad flag syntax: ---x"},
        {"--timeout -1",
         "invalid argument \"-1\" for \"--timeout\" flag: strconv.ParseUint: parsing \"-1\": invalid syntax"},
        {"--yes=maybe", "invalid argument \"maybe\" for \"-y, --yes\" flag: strconv.ParseBool: parsing "
                        "\"maybe\": invalid syntax"},
        {"--pause 5", "invalid argument \"5\" for \"--pause\" flag: time: invalid duration \"5\""},
        {"--positions 1,x", "invalid argument \"1,x\" for \"--positions\" flag: strconv.ParseInt: parsing "
                            "\"x\": invalid syntax"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO(strv_free_p) char **words = NULL;
        AUTO(args_free_p) args_t *a = NULL;
        assert_int_equal(parse_with(NULL, cases[i][0], &words, &a, &err), -ERR_INVALID_ARGUMENT);
        assert_null(a);
        assert_string_equal(err_text(err), cases[i][1]);
    }
}

static void defaults(void **state)
{
    /* The command line before ARGOCD_OPTS before the environment before the table. */
    static const struct {
        const char *env, *opts, *line, *server;
    } cases[] = {
        {NULL, "", "", ""},
        {"e", "", "", "e"},
        {"e", "--server o", "", "o"},
        {"e", "--server=o", "--server l", "l"},
        {"", "--server 'a b'", "", "a b"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO(strv_free_p) char **words = NULL;
        AUTO(args_free_p) args_t *a = NULL;
        map_t opts = MAP_INIT(free);
        env_server = cases[i].env;
        ASSERT_OK(args_opts(cases[i].opts, &opts, &err));
        ASSERT_OK(parse_with(&(struct args_defaults){&opts, env}, cases[i].line, &words, &a, &err));
        assert_string_equal(args_text(a, "server"), cases[i].server);
        assert_int_equal(args_given(a, "server"), *cases[i].line != 0);
        map_dispose(&opts);
    }
}

static void opts(void **state)
{
    AUTO_ERR err = NULL;
    AUTO(strv_free_p) char **words = NULL;
    AUTO(args_free_p) args_t *a = NULL;
    map_t opts = MAP_INIT(free);
    ASSERT_OK(args_opts("--plaintext --header a:1,b:2 --output json", &opts, &err));
    ASSERT_OK(parse_with(&(struct args_defaults){&opts, NULL}, "-H c:3", &words, &a, &err));
    AUTO(free_p) char *headers = shown(a, "header");
    assert_true(args_bool(a, "plaintext"));
    assert_string_equal(headers, "c:3");                 /* what is given replaces the default */
    assert_string_equal(args_text(a, "output"), "wide"); /* not an option for ARGOCD_OPTS */
    map_clear(&opts);
    assert_int_equal(args_opts("server x", &opts, &err), -ERR_INVALID_ARGUMENT);
    assert_string_equal(err_text(err), "ARGOCD_OPTS invalid at 'server'");
    err_clear(&err);
    assert_true(args_opts("--server 'x", &opts, &err) < 0);
    map_dispose(&opts);
}

static void given(void **state)
{
    AUTO_ERR err = NULL;
    AUTO(strv_free_p) char **words = NULL;
    AUTO(args_free_p) args_t *a = NULL;
    AUTO_STR seen = STR_INIT;
    size_t at = 0;
    ASSERT_OK(parse_with(NULL, "--timeout 3 -o x --cascade", &words, &a, &err));
    for (const char *name; (name = args_next_given(a, &at));)
        str_printf(&seen, "%s ", name);
    assert_string_equal(str_text(&seen), "cascade output timeout ");
    assert_true(args_has(a, "limit"));
    assert_false(args_has(a, "limi"));
}

static void splitting(void **state)
{
    static const char *const cases[][2] = {
        {"a 'b c' \"d e\" f\\ g", "a|b c|d e|f g"}, {"", ""},           {"''", ""},
        {"\"a\\\"b\\$c\\d\"", "a\"b$c\\d"},         {" a\tb\n", "a|b"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO(strv_free_p) char **words = NULL;
        ASSERT_OK(shell_split(cases[i][0], &words, &err));
        AUTO(free_p) char *joined = strv_join(words, "|");
        assert_string_equal(joined, cases[i][1]);
    }
    static const char *const bad[] = {"'a", "\"a", "a\\"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO(strv_free_p) char **words = NULL;
        assert_true(shell_split(bad[i], &words, NULL) < 0);
    }
    static const char *const bad_csv[] = {"\"a", "a\"b", "\"a\"b"};
    for (size_t i = 0; i < ARRAY_LEN(bad_csv); i++) {
        AUTO(strv_free_p) char **parts = NULL;
        assert_true(csv_split(bad_csv[i], &parts, NULL) < 0);
    }
}

TESTS(T(values), T(errors), T(defaults), T(opts), T(given), T(splitting))
