/* Logging in and out, and versions. */
#include "cli/print.h"
#include "cli/remote/commands.h"
#include "cli/version.h"
#include "common/base/log.h"

/* ---- what the server speaks ---- */

enum tls_kind { TLS_GOOD, TLS_UNTRUSTED, TLS_NONE };

static int reach(const struct client_options *o, bool plaintext, bool insecure, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    struct client_options mine = *o;
    mine.plaintext = plaintext;
    mine.insecure = insecure;
    mine.token = NULL;
    int rc = client_new(&mine, &c, err);
    if (rc < 0)
        return rc;
    AUTO_ERR why = NULL;
    rc = client_get(c, "/api/version", NULL, &why);
    /* Any answer is one: a proxy may refuse the path. */
    return rc < 0 && str_has_prefix(err_text(why), "rpc error:") ? 0 : rc < 0 ? err_move(err, TAKE(why)) : 0;
}

static int find_tls(const struct client_options *o, enum tls_kind *kind, char **trouble, err_t **err)
{
    AUTO_ERR why = NULL;
    if (reach(o, false, false, &why) == 0) {
        *kind = TLS_GOOD;
        return 0;
    }
    *trouble = xstrdup(err_text(why));
    if (reach(o, false, true, NULL) == 0) {
        *kind = TLS_UNTRUSTED;
        return 0;
    }
    *kind = TLS_NONE;
    return reach(o, true, true, NULL) == 0 ? 0 : err_move(err, TAKE(why));
}

/* Asks about what is not secure and was not asked for. *go: yes. */
static int settle_tls(struct client_options *o, bool *go, err_t **err)
{
    enum tls_kind kind;
    AUTO(free_p) char *trouble = NULL, *text = NULL;
    char answer = 'y';
    *go = true;
    int rc = find_tls(o, &kind, &trouble, err);
    if (rc < 0)
        return rc;
    if (kind == TLS_NONE && !o->plaintext) {
        rc = ask("WARNING: server is not configured with TLS. Proceed (y/n)? ", false, &answer, err);
        o->plaintext = true;
    } else if (kind == TLS_UNTRUSTED && !o->insecure) {
        text = xasprintf("WARNING: server certificate had error: %s. Proceed insecurely (y/n)? ", trouble);
        rc = ask(text, false, &answer, err);
        o->insecure = true;
    }
    *go = answer == 'y';
    return rc;
}

/* ---- tokens ---- */

int password_login(client_t *c, const char *username, const char *password, char **token, err_t **err)
{
    AUTO(free_p) char *name = *username ? xstrdup(username) : NULL;
    AUTO(free_p) char *secret = *password ? xstrdup(password) : NULL;
    AUTO_JSON body = json_object(), *answer = NULL;
    int rc = name ? 0 : ask_line("Username: ", &name, err);
    while (rc == 0 && str_empty(secret)) {
        free_p(&secret);
        rc = ask_secret("Password: ", &secret, err);
    }
    if (rc < 0)
        return rc;
    json_set_str(body, "username", name);
    json_set_str(body, "password", secret);
    wipe(secret, strlen(secret));
    rc = client_call(c, "POST", "/api/v1/session", body, &answer, err);
    if (rc < 0)
        return rc;
    *token = xstrdup(str_or_empty(json_str_at(answer, "token")));
    return **token ? 0 : err_set(err, ERR_UNAUTHENTICATED, "the server sent no token");
}

/* "admin" of "admin:login". */
static char *account_of(const json_t *claims)
{
    const char *subject = str_or_empty(json_str_at(claims, "sub"));
    return xstrndup(subject, strcspn(subject, ":"));
}

static int put_user(json_t *config, const char *name, const char *token)
{
    json_t *user = json_object();
    json_set_str(user, "name", name);
    json_put_str(user, "auth-token", token);
    config_upsert(config, CONFIG_USERS, user);
    return 0;
}

/* ---- login ---- */

static void put_server(json_t *config, const struct run *r, const struct client_options *o)
{
    const json_t *old = config_find(config, CONFIG_SERVERS, o->server);
    json_t *s = json_object();
    /* Certificates in the file were put there by hand. */
    static const char *const kept[] = {"certificate-authority-data", "client-certificate-data",
                                       "client-certificate-key-data"};
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        json_put_str(s, kept[i], json_str_at(old, kept[i]));
    json_set_str(s, "server", o->server);
    json_set_str(s, "grpc-web-root-path", o->root_path);
    if (o->plaintext)
        json_object_set_new(s, "plain-text", json_true());
    if (o->insecure)
        json_object_set_new(s, "insecure", json_true());
    if (args_bool(r->args, "grpc-web"))
        json_object_set_new(s, "grpc-web", json_true());
    config_upsert(config, CONFIG_SERVERS, s);
}

static int save_login(const struct run *r, const struct client_options *o, const char *name,
                      const char *token, err_t **err)
{
    AUTO_JSON config = NULL;
    int rc = config_read(r->config_path, &config, err);
    if (rc < 0)
        return rc;
    if (!config)
        config = json_object();
    put_server(config, r, o);
    put_user(config, name, token);
    json_t *context = json_object();
    json_set_str(context, "name", name);
    json_set_str(context, "server", o->server);
    json_set_str(context, "user", name);
    config_upsert(config, CONFIG_CONTEXTS, context);
    config_set_current(config, name);
    rc = config_write(r->config_path, config, err);
    if (rc == 0)
        printf_out("Context '%s' updated\n", name);
    return rc;
}

static char *context_name(const struct run *r, const struct client_options *o)
{
    const char *given = args_text(r->args, "name"), *root = o->root_path;
    while (*root == '/')
        root++;
    size_t n = strlen(root);
    while (n && root[n - 1] == '/')
        n--;
    return *given ? xstrdup(given) : n ? xasprintf("%s/%.*s", o->server, (int)n, root) : xstrdup(o->server);
}

static int log_in(const struct run *r, struct client_options *o, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    AUTO(free_p) char *token = NULL, *name = NULL;
    AUTO_JSON claims = NULL;
    if (args_bool(r->args, "sso"))
        return err_set(err, ERR_UNIMPLEMENTED,
                       "--sso is not available; give --username and --password, or --auth-token");
    bool go = true;
    int rc = args_bool(r->args, "skip-test-tls") ? 0 : settle_tls(o, &go, err);
    if (rc < 0 || !go)
        return rc < 0 ? rc : 1;
    rc = client_new(o, &c, err);
    if (rc == 0)
        rc = password_login(c, args_text(r->args, "username"), args_text(r->args, "password"), &token, err);
    if (rc == 0)
        rc = token_claims(token, &claims, err);
    if (rc < 0)
        return rc;
    printf_out("'%s' logged in successfully\n", token_display_name(claims));
    name = context_name(r, o);
    return save_login(r, o, name, token, err);
}

int login(struct run *r, err_t **err)
{
    char *pem[3] = {};
    if (args_count(r->args) != 1)
        return run_usage(r);
    int rc = client_flags_check(r, err);
    if (rc == 0)
        rc = client_certificates(r, NULL, pem, err);
    AUTO(free_p) char *ca = pem[0], *cert = pem[1], *key = pem[2];
    if (rc < 0)
        return rc;
    struct client_options o = {.server = args_rest(r->args)[0],
                               .plaintext = args_bool(r->args, "plaintext"),
                               .insecure = args_bool(r->args, "insecure"),
                               .root_path = args_text(r->args, "grpc-web-root-path"),
                               .ca_pem = ca,
                               .cert_pem = cert,
                               .key_pem = key,
                               .headers = args_list(r->args, "header"),
                               .retries = args_int(r->args, "http-retry-max")};
    return log_in(r, &o, err);
}

/* ---- relogin ---- */

static int log_in_again(const struct run *r, json_t *config, const struct config_context *context,
                        err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    AUTO(free_p) char *token = NULL, *account = NULL, *name = xstrdup(context->name);
    AUTO_JSON claims = NULL;
    int rc = token_claims(str_or_empty(json_str_at(context->user, "auth-token")), &claims, err);
    if (rc < 0)
        return rc;
    if (!str_eq(json_str_at(claims, "iss"), "argocd"))
        return err_set(err, ERR_UNIMPLEMENTED,
                       "single sign-on is not available; log in with a user name and a password");
    printf_out("Relogging in as '%s'\n", token_display_name(claims));
    account = account_of(claims);
    rc = client_of_run(r, &c, err);
    if (rc == 0)
        rc = password_login(c, account, args_text(r->args, "password"), &token, err);
    if (rc < 0)
        return rc;
    put_user(config, json_str_at(context->user, "name"), token);
    rc = config_write(r->config_path, config, err);
    if (rc == 0)
        printf_out("Context '%s' updated\n", name);
    return rc;
}

int relogin(struct run *r, err_t **err)
{
    AUTO_JSON config = NULL;
    struct config_context context;
    if (args_count(r->args))
        return run_usage(r);
    int rc = config_read(r->config_path, &config, err);
    if (rc < 0)
        return rc;
    if (!config)
        return fail_with(1, "No context found. Login using `%s login`", r->program);
    rc = config_context(config, args_text(r->args, "argocd-context"), &context, err);
    return rc < 0 ? rc : log_in_again(r, config, &context, err);
}

/* ---- logout ---- */

/* The server forgets the token; that it cannot be told is no reason to keep it here. */
static void revoke(const struct run *r, const json_t *server, const char *token)
{
    AUTO_ERR why = NULL;
    const struct client_options o = {
        .server = str_or_empty(json_str_at(server, "server")),
        .plaintext = args_bool(r->args, "plaintext") || json_bool_at(server, "plain-text"),
        .insecure = args_bool(r->args, "insecure") || json_bool_at(server, "insecure"),
        .root_path = json_str_at(server, "grpc-web-root-path"),
        .headers = args_list(r->args, "header")};
    int status = 0;
    int rc = str_empty(token) ? err_set(&why, ERR_NOT_FOUND, "error getting token from local context file")
                              : client_log_out(&o, token, &status, &why);
    if (rc < 0)
        log_warn(NULL, "failed to invalidate token on server: %s.", err_text(why));
    else if (status != 200 && status != 303)
        log_warn(NULL, "server returned unexpected status code %d during logout", status);
    else
        log_info(NULL, "token successfully invalidated on server");
}

static int forget(const struct run *r, json_t *config, const char *name, err_t **err)
{
    json_t *user = config_find(config, CONFIG_USERS, name);
    if (!user)
        return fail_with(1, "Context %s does not exist", name);
    json_object_del(user, "auth-token");
    json_object_del(user, "refresh-token");
    if (config_check(config, err) < 0)
        return fail_with(1, "Error in logging out: %s", err_text(*err));
    int rc = config_write(r->config_path, config, err);
    if (rc == 0)
        printf_out("Logged out from '%s'\n", name);
    return rc;
}

int logout(struct run *r, err_t **err)
{
    AUTO_JSON config = NULL;
    if (!args_count(r->args))
        return run_usage(r);
    const char *name = args_rest(r->args)[0];
    int rc = config_read(r->config_path, &config, err);
    if (rc < 0)
        return rc;
    if (!config)
        return fail_with(1, "Nothing to logout from");
    AUTO(free_p) char *text = xasprintf("Are you sure you want to log out from '%s'?", name);
    bool yes = false;
    rc = confirm(r, text, &yes, err);
    if (rc < 0)
        return rc;
    if (!yes) {
        log_info(NULL, "Logout from '%s' cancelled", name);
        return 0;
    }
    struct config_context context;
    if (config_context(config, name, &context, NULL) == 0)
        revoke(r, context.server, json_str_at(context.user, "auth-token"));
    return forget(r, config, name, err);
}

/* ---- small ones ---- */

int confirm(const struct run *r, const char *question, bool *yes, err_t **err)
{
    AUTO_JSON config = NULL;
    bool asks = args_bool(r->args, "prompts-enabled");
    if (!args_given(r->args, "prompts-enabled") && config_read(r->config_path, &config, NULL) == 0 && config)
        asks = asks || config_prompts(config);
    char answer = 'y';
    int rc = asks ? ask(question, false, &answer, err) : 0;
    *yes = answer == 'y';
    return rc;
}

int remote_version(struct run *r, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    AUTO_JSON server = NULL;
    int rc = client_of_run(r, &c, err);
    if (rc == 0)
        rc = client_get(c, "/api/version", &server, err);
    return rc < 0 ? rc : version_print(r, server);
}
