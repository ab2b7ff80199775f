#include "tests/unit/test.h"
#include "cli/args.h"
#include "cli/command.h"

static void finding(void **state)
{
    static const char *const cases[][3] = {
        {"app list -o json", "app list", "-o|json"},
        {"--server x app --plaintext get name", "app get", "--server|x|--plaintext|name"},
        {"-H a:b app get", "app get", "-H|a:b"},
        {"app", "app", ""},
        {"", "", ""},
        {"nothing here", "", "nothing|here"},
        {"app nothing", "app", "nothing"},
        {"ctx x", "context", "x"},
        {"account whoami", "account get-user-info", ""},
        {"app -- list", "app", "--|list"},
        {"app list list", "app list", "list"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(strv_free_p) char **words = NULL;
        assert_int_equal(shell_split(cases[i][0], &words, NULL), 0);
        size_t n = strv_len(words);
        AUTO(free_p) char **left = xcalloc(n + 1, sizeof(*left));
        memcpy(left, words, n * sizeof(*left));
        const struct command *c = command_find(&n, left);
        left[n] = NULL;
        AUTO(free_p) char *rest = strv_join(left, "|");
        assert_string_equal(c->path, cases[i][1]);
        assert_string_equal(rest, cases[i][2]);
    }
}

static void missing(void **state)
{
    static const char *const cases[][2] = {
        {"cluster add x", "cluster add"},
        {"proj role list p", "proj role"},
        {"--server x admin export", "admin export"},
        {"app list", NULL},
        {"cluster", NULL},
        {"clus add", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(strv_free_p) char **words = NULL;
        assert_int_equal(shell_split(cases[i][0], &words, NULL), 0);
        const struct missing_command *m = command_missing(strv_len(words), words);
        assert_int_equal(m != NULL, cases[i][1] != NULL);
        if (m)
            assert_string_equal(m->path, cases[i][1]);
    }
}

/* What the table must hold so that nothing is ambiguous. */
static void the_table(void **state)
{
    for (size_t i = 0; i < ncommands; i++) {
        const struct option *tables[COMMAND_TABLES_MAX];
        command_tables(&commands[i], tables);
        for (const struct option *const *t = tables; *t; t++)
            for (const struct option *o = *t; o->name; o++) {
                if (option_find(tables, o->name, strlen(o->name)) != o)
                    fail_msg("%s: two options --%s", commands[i].path, o->name);
                if (o->shorthand && option_short(tables, o->shorthand) != o)
                    fail_msg("%s: two options -%c", commands[i].path, o->shorthand);
            }
        if (i > 1 && strcmp(commands[i - 1].path, commands[i].path) >= 0)
            fail_msg("%s is not in order", commands[i].path);
        /* Its defaults are valid. */
        AUTO_ERR err = NULL;
        AUTO(args_free_p) args_t *a = NULL;
        ASSERT_OK(args_parse(tables, NULL, 0, NULL, &a, &err));
        AUTO_STR help = STR_INIT;
        help_command(&commands[i], "cargocd", &help);
        assert_non_null(strstr(str_text(&help), "Usage:\n  cargocd"));
    }
    for (size_t i = 0; i < nmissing_commands; i++)
        for (size_t k = 0; k < ncommands; k++)
            assert_string_not_equal(missing_commands[i].path, commands[k].path);
}

static void help(void **state)
{
    AUTO_STR out = STR_INIT;
    static const struct option options[] = {
        {.name = "zeta", .type = OPT_TEXT, .help = "Takes `that` thing", .fallback = "x"},
        {.name = "all", .type = OPT_BOOL, .shorthand = 'a', .help = "Everything"},
        {.name = "many", .type = OPT_LIST, .help = "Many", .fallback = "q"},
        {.name = NULL},
    };
    help_options((const struct option *const[]){options, NULL}, &out);
    assert_string_equal(str_text(&out), "  -a, --all                Everything\n"
                                        "      --many stringArray   Many (default [q])\n"
                                        "      --zeta that          Takes that thing (default \"x\")\n");
}

static void completion(void **state)
{
    static const struct {
        const char *words; /* a last | stands for an empty word */
        const char *expected;
        enum operand operand;
    } cases[] = {
        {"ap", "app\tApplications\n", OPERAND_NONE},
        {"app hi", "history\tShow the deployments of an application\n", OPERAND_NONE},
        {"app get |", "", OPERAND_APP},
        {"app list -o |", "wide\nname\njson\nyaml\n", OPERAND_NONE},
        {"app list --output=j", "--output=json\n", OPERAND_NONE},
        {"app list --output = j", "json\n", OPERAND_NONE},
        {"app sync --assu", "--assumeYes\tWith --preview-changes: do not ask\n", OPERAND_NONE},
        {"completion z", "zsh\n", OPERAND_SHELL},
        {"cluster get |", "", OPERAND_CLUSTER},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(strv_free_p) char **words = NULL;
        AUTO_STR out = STR_INIT;
        enum operand operand;
        assert_int_equal(shell_split(cases[i].words, &words, NULL), 0);
        size_t n = strv_len(words);
        if (!strcmp(words[n - 1], "|"))
            words[n - 1][0] = 0;
        AUTO(free_p) char **mine = xcalloc(n + 1, sizeof(*mine));
        memcpy(mine, words, n * sizeof(*mine));
        completion_answer(n, mine, &out, &operand);
        assert_string_equal(str_text(&out), cases[i].expected);
        assert_int_equal(operand, cases[i].operand);
    }
    static const char *const shells[] = {"bash", "zsh", "fish"};
    for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
        AUTO_STR script = STR_INIT;
        assert_true(completion_script(shells[i], "cargocd", &script));
        assert_non_null(strstr(str_text(&script), "cargocd"));
    }
    AUTO_STR none = STR_INIT;
    assert_false(completion_script("tcsh", "cargocd", &none));
}

TESTS(T(finding), T(missing), T(the_table), T(help), T(completion))
