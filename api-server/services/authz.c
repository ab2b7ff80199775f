#include "api-server/services/server.h"

#include "common/argo/app.h"
#include "common/argo/project.h"
#include "common/base/glob.h"
#include "common/kinds/kinds.h"

bool call_allowed(call_t *c, const char *resource, const char *action, const char *object)
{
    if (c->id->all_powers)
        return true;
    AUTO(rbac_project_unref_p) rbac_project_t *project = NULL;
    if (rbac_is_project_scoped(resource)) {
        AUTO(free_p) char *name = rbac_object_project(resource, object);
        project = state_rbac_project(c->s->state, name);
    }
    return rbac_allows(c->caller, project, resource, action, object);
}

int call_enforce(call_t *c, const char *resource, const char *action, const char *object, err_t **err)
{
    AUTO_STR text = STR_INIT;
    if (call_allowed(c, resource, action, object))
        return 0;
    str_printf(&text, "permission denied: %s, %s, %s", resource, action, object);
    if (*c->id->subject)
        str_printf(&text, ", sub: %s", c->id->subject);
    if (c->id->iat) {
        char iat[RFC3339_TEXT];
        rfc3339((wall_t){c->id->iat * NS_PER_SEC}, iat);
        str_printf(&text, ", iat: %s", iat);
    }
    return err_set(err, ERR_PERMISSION_DENIED, "%s", str_text(&text));
}

bool server_ns_enabled(const server_t *s, const char *ns)
{
    if (str_empty(ns) || !strcmp(ns, s->flags->ns))
        return true;
    for (char **p = s->flags->app_namespaces; p && *p; p++)
        if (glob_or_regex_match(*p, ns))
            return true;
    return false;
}

const char *call_app_ns(const call_t *c, const char *ns)
{
    return str_empty(ns) ? c->s->flags->ns : ns;
}

char *call_app_object(const call_t *c, const json_t *app)
{
    return rbac_app_object(app_project(app), object_namespace(app), object_name(app), c->s->flags->ns);
}

/* ---- one application ---- */

static int denied(err_t **err)
{
    return err_set(err, ERR_PERMISSION_DENIED, "permission denied");
}

static int not_found(const char *name, err_t **err)
{
    return err_set(err, ERR_NOT_FOUND, "applications.argoproj.io \"%s\" not found", name);
}

static int fetch(call_t *c, enum app_source from, const char *ns, const char *name, json_t **app, err_t **err)
{
    if (from == APP_LIVE)
        return kube_get(c->s->kube, kind_application, ns, name, NULL, app, err);
    struct live_doc *doc = live_app(c->s->live, ns, name);
    int rc = doc ? json_read(doc->bytes, doc->n, app, err) : not_found(name, err);
    live_doc_unref(doc);
    return rc;
}

/* That the API server does not answer says nothing about the application. */
static bool is_outage(enum err_code code)
{
    return code == ERR_UNAVAILABLE || code == ERR_DEADLINE_EXCEEDED || code == ERR_CANCELED;
}

int app_lookup(call_t *c, enum app_source from, const char *action, const char *project, const char *ns,
               const char *name, json_t **app, err_t **err)
{
    AUTO_ERR why = NULL;
    AUTO_JSON found = NULL;
    ns = call_app_ns(c, ns);
    bool claimed = !str_empty(project), claim_ok = true;
    if (claimed) {
        AUTO(free_p) char *object = rbac_app_object(project, ns, name, c->s->flags->ns);
        claim_ok = call_allowed(c, "applications", action, object);
    }
    /* Fetched in any case: the answer takes as long for what may not be seen. */
    int rc = server_ns_enabled(c->s, ns) ? fetch(c, from, ns, name, &found, &why) : not_found(name, &why);
    if (!claim_ok)
        return denied(err);
    if (rc < 0 && is_outage(err_code(why)))
        return err_move(err, TAKE(why));
    if (rc < 0)
        return claimed ? not_found(name, err) : denied(err);
    AUTO(free_p) char *object = call_app_object(c, found);
    if (!call_allowed(c, "applications", action, object))
        return claimed ? not_found(name, err) : denied(err);
    if (claimed && strcmp(project, app_project(found)) != 0)
        return not_found(name, err);
    AUTO_JSON effective = NULL;
    rc = app_project_of(c, found, &effective, err);
    if (rc == 0) {
        if (from == APP_LIVE)
            json_drop_at(found, "metadata", "managedFields");
        *app = TAKE(found);
    }
    return rc;
}

int app_project_of(call_t *c, const json_t *app, json_t **project, err_t **err)
{
    AUTO_JSON p = state_effective_project(c->s->state, app_project(app));
    if (!p || !project_permits_app_namespace(p, object_namespace(app), c->s->flags->ns))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "app is not allowed in project \"%s\", or the project does not exist",
                       app_project(app));
    *project = TAKE(p);
    return 0;
}
