/* Accounts. */
#include "cli/print.h"
#include "cli/remote/commands.h"
#include "common/base/log.h"

#include <time.h>

static const char *text(const json_t *v, const char *key)
{
    return str_or_empty(json_str_at(v, key));
}

/* ---- get-user-info ---- */

int account_user_info(struct run *r, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    AUTO_JSON info = NULL;
    AUTO_STR groups = STR_INIT;
    const char *format = args_text(r->args, "output");
    if (args_count(r->args))
        return run_usage(r);
    int rc = client_of_run(r, &c, err);
    if (rc == 0)
        rc = client_get(c, "/api/v1/session/userinfo", &info, err);
    if (rc < 0)
        return rc;
    if (*format && !print_document(info, format))
        return fail_with(1, "Unknown output format: %s", format);
    if (str_eq(format, "yaml"))
        printf_out("\n");
    if (*format)
        return 0;
    bool logged_in = json_bool_at(info, "loggedIn");
    printf_out("Logged In: %s\n", bool_text(logged_in));
    put_joined(json_object_get(info, "groups"), ",", &groups);
    if (logged_in)
        printf_out("Username: %s\nIssuer: %s\nGroups: %s\n", text(info, "username"), text(info, "iss"),
                   str_text(&groups));
    return 0;
}

int account_can_i(struct run *r, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    AUTO_JSON answer = NULL;
    AUTO_STR path = STR_INIT;
    char *const *words = args_rest(r->args);
    if (args_count(r->args) != 3)
        return run_usage(r);
    str_puts(&path, "/api/v1/account/can-i");
    path_add(&path, words[1]);
    path_add(&path, words[0]);
    path_add(&path, words[2]);
    int rc = client_of_run(r, &c, err);
    if (rc == 0)
        rc = client_get(c, str_text(&path), &answer, err);
    if (rc == 0)
        printf_out("%s\n", text(answer, "value"));
    return rc;
}

/* ---- list and get ---- */

static void put_account_row(const json_t *a, str_t *rows)
{
    str_printf(rows, "%s\t%s\t", text(a, "name"), bool_text(json_bool_at(a, "enabled")));
    put_joined(json_object_get(a, "capabilities"), ", ", rows);
    str_putc(rows, '\n');
}

int account_list(struct run *r, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    AUTO_JSON answer = NULL, *none = json_array();
    AUTO_STR rows = STR_INIT;
    const char *format = args_text(r->args, "output");
    int rc = client_of_run(r, &c, err);
    if (rc == 0)
        rc = client_get(c, "/api/v1/account", &answer, err);
    if (rc < 0)
        return rc;
    json_t *items = json_object_get(answer, "items"), *a;
    size_t i;
    if (!items)
        items = none;
    if (str_eq(format, "name")) {
        json_array_foreach(items, i, a) {
            printf_out("%s\n", text(a, "name"));
        }
    } else if (!*format || str_eq(format, "wide")) {
        str_puts(&rows, "NAME\tENABLED\tCAPABILITIES\n");
        json_array_foreach(items, i, a) {
            put_account_row(a, &rows);
        }
        print_table(&rows);
    } else if (!print_document(items, format)) {
        return print_unknown_format(format, err);
    }
    return 0;
}

static void put_unix_time(int64_t seconds, str_t *out)
{
    char when[RFC3339_TEXT], zone[8] = "";
    time_t t = (time_t)seconds;
    struct tm tm;
    if (!localtime_r(&t, &tm) || !strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm) ||
        !strftime(zone, sizeof(zone), "%z", &tm))
        return;
    if (!strcmp(zone, "+0000"))
        str_printf(out, "%sZ", when);
    else
        str_printf(out, "%s%.3s:%s", when, zone, zone + 3);
}

static void print_tokens(const json_t *tokens)
{
    AUTO_STR rows = STR_INIT;
    size_t i;
    json_t *t;
    str_puts(&rows, "ID\tISSUED AT\tEXPIRING AT\n");
    json_array_foreach((json_t *)(uintptr_t)tokens, i, t) {
        int64_t issued = 0, expires = 0;
        /* 64-bit numbers are texts in the JSON of protobuf. */
        if (!json_to_i64(json_object_get(t, "issuedAt"), &issued))
            str_to_i64(text(t, "issuedAt"), &issued);
        if (!json_to_i64(json_object_get(t, "expiresAt"), &expires))
            str_to_i64(text(t, "expiresAt"), &expires);
        str_printf(&rows, "%s\t", text(t, "id"));
        put_unix_time(issued, &rows);
        str_putc(&rows, '\t');
        if (expires > 0)
            put_unix_time(expires, &rows);
        else
            str_puts(&rows, "never");
        if (expires > 0 && SECONDS(expires) < wall_now().ns)
            str_puts(&rows, " (expired)");
        str_putc(&rows, '\n');
    }
    print_table(&rows);
}

static void print_account(const json_t *a)
{
    AUTO_STR capabilities = STR_INIT;
    put_joined(json_object_get(a, "capabilities"), ", ", &capabilities);
    printf_out("%-20s%s\n", "Name:", text(a, "name"));
    printf_out("%-20s%s\n", "Enabled:", bool_text(json_bool_at(a, "enabled")));
    printf_out("%-20s%s\n\nTokens:\n", "Capabilities:", str_text(&capabilities));
    if (json_array_size(json_object_get(a, "tokens")))
        print_tokens(json_object_get(a, "tokens"));
    else
        printf_out("NONE\n");
}

static int fetch_me(client_t *c, json_t **me, err_t **err)
{
    return client_get(c, "/api/v1/session/userinfo", me, err);
}

int account_get(struct run *r, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    AUTO_JSON me = NULL, *account = NULL;
    AUTO_STR path = STR_INIT;
    const char *format = args_text(r->args, "output"), *name = args_text(r->args, "account");
    int rc = client_of_run(r, &c, err);
    if (rc == 0 && !*name) {
        rc = fetch_me(c, &me, err);
        name = text(me, "username");
    }
    str_puts(&path, "/api/v1/account");
    path_add(&path, name);
    if (rc == 0)
        rc = client_get(c, str_text(&path), &account, err);
    if (rc < 0)
        return rc;
    if (str_eq(format, "name"))
        printf_out("%s\n", text(account, "name"));
    else if (!*format || str_eq(format, "wide"))
        print_account(account);
    else if (!print_document(account, format))
        return print_unknown_format(format, err);
    return 0;
}

/* ---- update-password ---- */

static int ask_new_password(const char *account, char **out, err_t **err)
{
    for (;;) {
        AUTO(free_p) char *first = NULL, *second = NULL;
        AUTO(free_p) char *question = xasprintf("*** Enter new password for user %s: ", account);
        AUTO(free_p) char *again = xasprintf("*** Confirm new password for user %s: ", account);
        int rc = ask_secret(question, &first, err);
        if (rc == 0)
            rc = ask_secret(again, &second, err);
        if (rc < 0)
            return rc;
        bool same = !strcmp(first, second);
        wipe(second, strlen(second));
        if (same) {
            *out = TAKE(first);
            return 0;
        }
        wipe(first, strlen(first));
        log_error(NULL, "Passwords do not match");
    }
}

/* A new password ends the session: the context gets a new one. */
static int renew_session(client_t *c, const struct run *r, const char *username, const char *password,
                         err_t **err)
{
    AUTO_JSON config = NULL;
    AUTO(free_p) char *token = NULL;
    struct config_context context;
    int rc = config_read(r->config_path, &config, err);
    if (rc < 0 || !config)
        return rc;
    rc = config_context(config, args_text(r->args, "argocd-context"), &context, err);
    if (rc == 0)
        rc = password_login(c, username, password, &token, err);
    if (rc < 0)
        return rc;
    json_t *user = config_find(config, CONFIG_USERS, json_str_at(context.user, "name"));
    json_set_str(user, "auth-token", token);
    json_object_del(user, "refresh-token");
    rc = config_write(r->config_path, config, err);
    if (rc == 0)
        printf_out("Context '%s' updated\n", context.name);
    return rc;
}

static int change_password(client_t *c, const struct run *r, const json_t *me, err_t **err)
{
    const char *own = text(me, "username"), *given = args_text(r->args, "account");
    const char *account = *given ? given : own;
    AUTO(free_p) char *current = xstrdup(args_text(r->args, "current-password"));
    AUTO(free_p) char *fresh = xstrdup(args_text(r->args, "new-password"));
    AUTO(free_p) char *question = xasprintf("*** Enter password of currently logged in user (%s): ", own);
    AUTO_JSON request = json_object();
    int rc = 0;
    if (!*current && str_eq(json_str_at(me, "iss"), "argocd")) {
        free_p(&current);
        rc = ask_secret(question, &current, err);
    }
    if (rc == 0 && !*fresh) {
        free_p(&fresh);
        rc = ask_new_password(account, &fresh, err);
    }
    if (rc < 0)
        return rc;
    json_set_str(request, "name", account);
    json_set_str(request, "currentPassword", current);
    json_set_str(request, "newPassword", fresh);
    rc = client_call(c, "PUT", "/api/v1/account/password", request, NULL, err);
    if (rc < 0)
        return rc;
    printf_out("Password updated\n");
    return strcmp(account, own) ? 0 : renew_session(c, r, own, fresh, err);
}

int account_update_password(struct run *r, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    AUTO_JSON me = NULL;
    if (args_count(r->args))
        return run_usage(r);
    int rc = client_of_run(r, &c, err);
    if (rc == 0)
        rc = fetch_me(c, &me, err);
    return rc == 0 ? change_password(c, r, me, err) : rc;
}
