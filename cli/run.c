#include "cli/run.h"

#include "cli/print.h"
#include "common/base/log.h"
#include "common/base/thread.h"

#include <stdio.h>

const char *run_environment(const char *name)
{
    return getenv(name);
}

int run_usage(const struct run *r)
{
    AUTO_STR text = STR_INIT;
    help_command(r->command, r->program, &text);
    print_str(&text);
    return 1;
}

/* Mistakes in the command line are told on standard output, as argocd does. */
static int refuse(const struct run *r, const char *text, bool hint)
{
    printf_out("Error: %s\n", text);
    if (hint)
        printf_out("Run '%s --help' for usage.\n", r->program);
    return 1;
}

/* Below a command that only has others, argocd answers unknown words with the help. */
static int no_such_command(const struct run *r)
{
    if (*r->command->path)
        return run_usage(r);
    AUTO(free_p)
    char *text = xasprintf("unknown command \"%s\" for \"%s\"", args_rest(r->args)[0], r->program);
    return refuse(r, text, true);
}

static int call(struct run *r, err_t **err)
{
    for (const struct command_handler *h = command_handlers; h->path; h++)
        if (!strcmp(h->path, r->command->path))
            return h->fn(r, err);
    return RUN_ELSEWHERE;
}

static int find_config(struct run *r, err_t **err)
{
    const char *given = args_text(r->args, "config");
    if (*given) {
        r->config_path = xstrdup(given);
        return 0;
    }
    AUTO(free_p) char *dir = NULL;
    int rc = config_dir(run_environment, &dir, err);
    if (rc == 0)
        r->config_path = xasprintf("%s/config", dir);
    return rc;
}

static int execute(struct run *r, err_t **err)
{
    if (log_setup(args_text(r->args, "logformat"), args_text(r->args, "loglevel"), err) < 0)
        return -1;
    int rc = find_config(r, err);
    if (rc == 0)
        rc = call(r, err);
    int written = rc == 0 ? print_finish(err) : 0;
    return written < 0 ? written : rc;
}

static int parse_and_execute(struct run *r, size_t n, char **words, const struct args_defaults *defaults,
                             err_t **err)
{
    size_t total = n;
    AUTO(free_p) char **all = xmemdup(words, (n + 1) * sizeof(*words));
    r->command = command_find(&n, words);
    const struct option *tables[COMMAND_TABLES_MAX];
    command_tables(r->command, tables);
    bool parent = command_has_children(r->command);
    const struct missing_command *missing = parent ? command_missing(total, all) : NULL;
    if (missing) /* whatever its flags are */
        return fail_with(EXIT_GENERIC, "%s is not available: it needs %s", missing->path, missing->needs);
    if (args_parse(tables, defaults, n, words, &r->args, err) < 0)
        return refuse(r, err_text(*err), false);
    if (args_bool(r->args, "help")) {
        run_usage(r);
        return 0;
    }
    if (parent && args_count(r->args))
        return no_such_command(r);
    if (parent) {
        int status = run_usage(r);
        return *r->command->path ? status : 0;
    }
    int rc = execute(r, err);
    return rc < 0 ? fail_with(*r->error_status, "%s", err_text(*err)) : rc;
}

int run_main(int argc, char **argv)
{
    process_setup();
    log_setup("json", "info", NULL);
    AUTO_ERR err = NULL;
    const char *slash = argc ? strrchr(argv[0], '/') : NULL;
    int error_status = EXIT_GENERIC;
    struct run r = {.program = slash ? slash + 1 : argc ? argv[0] : "cargocd", .error_status = &error_status};
    map_t opts = MAP_INIT(free);
    AUTO(free_p) char **words = xcalloc((size_t)argc + 1, sizeof(*words));
    for (int i = 1; i < argc; i++)
        words[i - 1] = argv[i];
    struct args_defaults defaults = {&opts, run_environment};
    int status = args_opts(getenv("ARGOCD_OPTS"), &opts, &err) < 0
                     ? fail_with(1, "%s", err_text(err))
                     : parse_and_execute(&r, argc ? (size_t)argc - 1 : 0, words, &defaults, &err);
    fflush(stdout);
    args_free(r.args);
    free(r.config_path);
    map_dispose(&opts);
    return status;
}
