/* Commands that need no server. */
#include "cli/print.h"
#include "cli/render.h"
#include "cli/version.h"
#include "common/base/file.h"
#include "common/base/log.h"

#include <unistd.h>

/* ---- version ---- */

static int version(struct run *r, err_t **err)
{
    return args_bool(r->args, "client") ? version_print(r, NULL) : RUN_ELSEWHERE;
}

/* ---- contexts ---- */

static int read_or_say(const struct run *r, json_t **config, err_t **err)
{
    int rc = config_read(r->config_path, config, err);
    if (rc < 0 || *config)
        return rc;
    printf_out("No local configuration found\n");
    return 1;
}

static void list_contexts(const json_t *config)
{
    AUTO_STR rows = STR_INIT;
    size_t i;
    json_t *context;
    str_puts(&rows, "CURRENT\tNAME\tSERVER\n");
    json_array_foreach(json_object_get(config, "contexts"), i, context) {
        AUTO_ERR why = NULL;
        struct config_context c;
        const char *name = str_or_empty(json_str_at(context, "name"));
        if (config_context(config, name, &c, &why) < 0) {
            log_warn(NULL, "Context '%s' had error: %s", name, err_text(why));
            continue;
        }
        str_printf(&rows, "%s\t%s\t%s\n", str_eq(config_current(config), c.name) ? "*" : " ", c.name,
                   json_str_at(c.server, "server"));
    }
    print_table(&rows);
}

static int delete_context(const struct run *r, json_t *config, const char *name, err_t **err)
{
    json_t *entry = config_find(config, CONFIG_CONTEXTS, name);
    if (!entry)
        return err_set(err, ERR_NOT_FOUND, "context %s does not exist", name);
    AUTO(free_p) char *server = xstrdup(str_or_empty(json_str_at(entry, "server")));
    config_remove(config, CONFIG_CONTEXTS, name);
    config_remove(config, CONFIG_USERS, name);
    config_remove(config, CONFIG_SERVERS, server);
    int rc = 0;
    if (!json_array_size(json_object_get(config, "servers"))) {
        if (unlink(r->config_path) < 0)
            rc = err_set(err, ERR_INTERNAL, "cannot remove %s", r->config_path);
    } else {
        if (str_eq(config_current(config), name))
            config_set_current(config, "");
        rc = config_check(config, NULL) < 0 ? err_set(err, ERR_FAILED_PRECONDITION, "error in logging out")
                                            : config_write(r->config_path, config, err);
    }
    if (rc == 0)
        printf_out("Context '%s' deleted\n", name);
    return rc;
}

/* Where `context -` finds the one before; it stands beside the default configuration. */
static int previous_path(char **out, err_t **err)
{
    AUTO(free_p) char *dir = NULL;
    int rc = config_dir(run_environment, &dir, err);
    if (rc == 0)
        *out = xasprintf("%s/.prev-ctx", dir);
    return rc;
}

static int switch_context(const struct run *r, json_t *config, const char *asked, err_t **err)
{
    AUTO(free_p) char *before_path = NULL;
    AUTO_STR before = STR_MAX(64 << 10);
    struct config_context context;
    int rc = previous_path(&before_path, err);
    if (rc == 0 && str_eq(asked, "-")) {
        rc = file_read(before_path, &before, err);
        asked = str_text(&before);
    }
    if (rc < 0)
        return rc;
    if (str_eq(config_current(config), asked)) {
        printf_out("Already at context '%s'\n", asked);
        return 0;
    }
    if (config_context(config, asked, &context, err) < 0)
        return fail_with(1, "%s", err_text(*err));
    AUTO(free_p) char *old = xstrdup(config_current(config));
    config_set_current(config, asked);
    rc = config_write(r->config_path, config, err);
    if (rc == 0)
        rc = file_write(before_path, old, strlen(old), 0644, err);
    if (rc == 0)
        printf_out("Switched to context '%s'\n", asked);
    return rc;
}

static int context(struct run *r, err_t **err)
{
    AUTO_JSON config = NULL;
    int rc = read_or_say(r, &config, err);
    if (rc != 0)
        return rc;
    const char *name = args_rest(r->args)[0];
    if (args_bool(r->args, "delete"))
        return name ? delete_context(r, config, name, err) : run_usage(r);
    if (name)
        return switch_context(r, config, name, err);
    list_contexts(config);
    return 0;
}

static int configure(struct run *r, err_t **err)
{
    AUTO_JSON config = NULL;
    int rc = read_or_say(r, &config, err);
    if (rc != 0)
        return rc;
    bool prompts = args_bool(r->args, "prompts-enabled");
    json_object_set_new(config, "prompts-enabled", json_boolean(prompts));
    rc = config_write(r->config_path, config, err);
    if (rc == 0)
        printf_out("Successfully updated the following configuration settings:\nprompts-enabled: %s\n",
                   bool_text(prompts));
    return rc;
}

/* ---- completion ---- */

static int completion(struct run *r, err_t **err)
{
    AUTO_STR text = STR_INIT;
    if (args_count(r->args) != 1)
        return run_usage(r);
    const char *shell = args_rest(r->args)[0];
    if (!completion_script(shell, r->program, &text)) {
        printf_out("Unsupported shell '%s'\n", shell);
        return 1;
    }
    print_str(&text);
    return 0;
}

/* ---- what the controller's rules decide ---- */

static int compare_program(struct run *r, err_t **err)
{
    return RUN_COMPARE;
}

#define OVERRIDES "admin settings resource-overrides "
const struct command_handler command_handlers[] = {
    {"version", version},
    {"context", context},
    {"configure", configure},
    {"completion", completion},
    {"render", render},
    {"compare", compare_program},
    {"admin settings validate", compare_program},
    {OVERRIDES "health", compare_program},
    {OVERRIDES "ignore-differences", compare_program},
    {OVERRIDES "ignore-resource-updates", compare_program},
    {OVERRIDES "list-actions", compare_program},
    {OVERRIDES "run-action", compare_program},
    {NULL, NULL},
};
