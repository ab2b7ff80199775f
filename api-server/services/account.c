/* account.AccountService: what the caller may do, and the accounts. */
#include "api-server/services/server.h"

static const char *const actions[] = {"get",      "create",   "update", "delete", "sync",
                                      "rollback", "override", "action", "invoke", NULL};
static const char *const resources[] = {"clusters",
                                        "projects",
                                        "applications",
                                        "applicationsets",
                                        "repositories",
                                        "write-repositories",
                                        "certificates",
                                        "accounts",
                                        "gpgkeys",
                                        "logs",
                                        "exec",
                                        "extensions",
                                        NULL};

static int one_of(const char *const *list, const char *value, err_t **err)
{
    AUTO_STR all = STR_INIT;
    for (const char *const *v = list; *v; v++) {
        if (!strcmp(*v, value))
            return 0;
        str_printf(&all, "%s%s", all.len ? " " : "", *v);
    }
    return err_set(err, ERR_INVALID_ARGUMENT, "[%s] does not contain %s", str_text(&all), value);
}

/* "P/NS/N" means "P/N" for applications of the control namespace. */
static char *collapse(const call_t *c, const char *object)
{
    const char *a = strchr(object, '/'), *b = a ? strchr(a + 1, '/') : NULL;
    if (!b || strchr(b + 1, '/'))
        return xstrdup(object);
    size_t n = (size_t)(b - a - 1);
    const char *ns = c->s->flags->ns;
    if (n && (strlen(ns) != n || strncmp(a + 1, ns, n) != 0))
        return xstrdup(object);
    return xasprintf("%.*s%s", (int)(a - object), object, b);
}

static int can_i(call_t *c, json_t **out, err_t **err)
{
    const char *resource = arg(c, "resource"), *action = arg(c, "action");
    int rc = one_of(actions, action, err);
    if (rc == 0)
        rc = one_of(resources, resource, err);
    if (rc < 0)
        return rc;
    AUTO(config_unref_p) config_t *config = config_box_get(c->s->config);
    if (!strcmp(action, "rollback") && !config_bool(config, "server.rbac.rollback.enforce.enable", false))
        action = "sync";
    AUTO(free_p)
    char *object = rbac_is_project_scoped(resource) ? collapse(c, arg(c, "subresource"))
                                                    : xstrdup(arg(c, "subresource"));
    *out = json_object();
    json_set_str(*out, "value", call_allowed(c, resource, action, object) ? "yes" : "no");
    return 0;
}

static json_t *token_json(const struct account_token *t)
{
    json_t *o = json_object();
    json_put_str(o, "id", t->id);
    if (t->iat)
        json_object_set_new(o, "issuedAt", json_integer(t->iat));
    if (t->exp)
        json_object_set_new(o, "expiresAt", json_integer(t->exp));
    return o;
}

static json_t *account_json(const struct account *a)
{
    json_t *o = json_object(), *capabilities = json_array(), *tokens = json_array();
    json_set_str(o, "name", a->name);
    if (a->enabled)
        json_object_set_new(o, "enabled", json_true());
    if (a->login)
        json_array_append_new(capabilities, json_string("login"));
    if (a->api_key)
        json_array_append_new(capabilities, json_string("apiKey"));
    if (json_array_size(capabilities))
        json_object_set(o, "capabilities", capabilities);
    for (size_t i = a->tokens.n; i > 0; i--) /* newest first */
        json_array_append_new(tokens, token_json(&a->tokens.v[i - 1]));
    if (json_array_size(tokens))
        json_object_set(o, "tokens", tokens);
    json_decref(capabilities);
    json_decref(tokens);
    return o;
}

static bool may_see(call_t *c, const char *name)
{
    return (c->id->authenticated && !strcmp(c->id->subject, name)) ||
           call_allowed(c, "accounts", "get", name);
}

static int list(call_t *c, json_t **out, err_t **err)
{
    AUTO(config_unref_p) config_t *config = config_box_get(c->s->config);
    size_t n;
    const struct account *a = config_accounts(config, &n);
    AUTO_JSON items = json_array();
    for (size_t i = 0; i < n; i++)
        if (may_see(c, a[i].name))
            json_array_append_new(items, account_json(&a[i]));
    *out = json_object();
    if (json_array_size(items))
        json_object_set(*out, "items", items);
    return 0;
}

static int get(call_t *c, json_t **out, err_t **err)
{
    const char *name = arg(c, "name");
    AUTO(config_unref_p) config_t *config = config_box_get(c->s->config);
    if (!may_see(c, name))
        return call_enforce(c, "accounts", "get", name, err);
    const struct account *a = config_account(config, name);
    if (!a)
        return err_set(err, ERR_NOT_FOUND, "account '%s' does not exist", name);
    *out = account_json(a);
    return 0;
}

const struct handler account_handlers[] = {
    {"account.AccountService", "CanI", can_i},
    {"account.AccountService", "ListAccounts", list},
    {"account.AccountService", "GetAccount", get},
    {NULL, NULL, NULL},
};
