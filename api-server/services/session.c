/* session.SessionService and version.VersionService. */
#include "api-server/services/server.h"

#include <sys/utsname.h>

static int create(call_t *c, json_t **out, err_t **err)
{
    AUTO(free_p) char *token = NULL;
    if (*arg(c, "token"))
        return err_set(
            err, ERR_UNAUTHENTICATED,
            "token-based session creation no longer supported. please upgrade argocd cli to v0.7+");
    int rc = auth_login(c->s->auth, arg(c, "username"), arg(c, "password"), &token, &c->delay_ns, err);
    if (rc < 0)
        return rc;
    gateway_set_cookies(c->s, c->ex, token);
    *out = json_object();
    json_set_str(*out, "token", token);
    wipe(token, strlen(token));
    return 0;
}

static int delete_session(call_t *c, json_t **out, err_t **err)
{
    *out = json_object();
    return 0;
}

static int userinfo(call_t *c, json_t **out, err_t **err)
{
    json_t *o = *out = json_object();
    if (!c->id->authenticated)
        return 0;
    json_object_set_new(o, "loggedIn", json_true());
    json_put_str(o, "username", c->id->subject);
    json_put_str(o, "iss", c->id->issuer);
    json_t *groups = json_array();
    for (char **g = c->id->groups; *g; g++)
        json_array_append_new(groups, json_str_new(*g));
    if (json_array_size(groups))
        json_object_set(o, "groups", groups);
    json_decref(groups);
    return 0;
}

static int version(call_t *c, json_t **out, err_t **err)
{
    struct utsname u;
    json_t *o = *out = json_object();
    json_set_str(o, "Version", "v" CARGOCD_VERSION);
    if (!c->id->authenticated && !c->id->all_powers)
        return 0;
    json_set_str(o, "Compiler", "gcc " __VERSION__);
    if (uname(&u) == 0) {
        AUTO(free_p)
        char *platform = xasprintf("linux/%s", !strcmp(u.machine, "x86_64")    ? "amd64"
                                               : !strcmp(u.machine, "aarch64") ? "arm64"
                                                                               : u.machine);
        json_set_str(o, "Platform", platform);
    }
    return 0;
}

const struct handler session_handlers[] = {
    {"session.SessionService", "Create", create},
    {"session.SessionService", "Delete", delete_session},
    {"session.SessionService", "GetUserInfo", userinfo},
    {"version.VersionService", "Version", version},
    {NULL, NULL, NULL},
};
