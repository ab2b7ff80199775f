/* Actions on resources of an application. */
#include "api-server/services/apps.h"
#include "common/argo/app.h"
#include "common/argo/project.h"
#include "common/base/vec.h"
#include "common/engine/mask.h"
#include "common/eval/actions.h"
#include "common/json/patch.h"
#include "common/kinds/kinds.h"

/* What an action is about: the resource, or the Application itself. */
struct subject {
    json_t *app, *project;
    struct reach reach;
    json_t *object; /* live */
    bool itself;
};

static void subject_free(struct subject *s)
{
    json_decref(s->app);
    json_decref(s->project);
    reach_close(&s->reach);
    json_decref(s->object);
    free(s);
}
AUTO_DECL(subject_free_p, struct subject, subject_free)

static int find(call_t *c, const char *right, struct subject *s, err_t **err)
{
    s->itself = !strcmp(arg(c, "group"), ARGO_GROUP) && !strcmp(arg(c, "kind"), "Application") &&
                !strcmp(arg(c, "name"), arg(c, "resourceName"));
    int rc = app_lookup(c, s->itself ? APP_LIVE : APP_CACHED, right, arg(c, "project"),
                        arg(c, "appNamespace"), arg(c, "name"), &s->app, err);
    if (rc == 0)
        rc = app_project_of(c, s->app, &s->project, err);
    return rc;
}

/* Where the resource is served; the application's own is where applications are. */
static int open_subject(call_t *c, const char *right, struct subject *s, err_t **err)
{
    struct kube_resource kind;
    AUTO_JSON held = NULL;
    int rc = find(c, right, s, err);
    if (rc == 0 && s->itself) {
        s->reach = (struct reach){.kube = c->s->kube,
                                  .borrowed = true,
                                  .server = xstrdup(IN_CLUSTER_SERVER),
                                  .name = xstrdup(IN_CLUSTER_NAME)};
        s->object = json_incref(s->app);
        return 0;
    }
    if (rc == 0)
        rc = app_check_resource(c, s->app, err);
    if (rc == 0)
        rc = reach_open(c->s, s->app, &s->reach, err);
    if (rc == 0)
        rc = reach_kind(&s->reach, arg(c, "group"), arg(c, "version"), arg(c, "kind"), &kind, &held, err);
    if (rc == 0)
        rc = kube_get(s->reach.kube, &kind, kind.namespaced ? arg(c, "namespace") : NULL,
                      arg(c, "resourceName"), NULL, &s->object, err);
    return rc < 0 ? err_wrap(err, "error getting resource") : 0;
}

static settings_t *custom_of(call_t *c, struct custom_actions *out)
{
    settings_t *settings = state_argo_settings(c->s->state);
    out->actions = settings_actions(settings, arg(c, "group"), arg(c, "kind"), &out->open_libs);
    return settings;
}

/* Scripts' errors have no code of their own. */
static int script_failed(err_t **err, const char *what)
{
    err_wrap(err, "%s", what);
    return err_recode(err, ERR_UNKNOWN);
}

int app_list_actions(call_t *c, json_t **out, err_t **err)
{
    AUTO(subject_free_p) struct subject *s = xcalloc(1, sizeof(*s));
    AUTO_JSON actions = NULL;
    struct custom_actions custom;
    int rc = open_subject(c, "get", s, err);
    if (rc < 0)
        return rc;
    AUTO(settings_unref_p) UNUSED settings_t *settings = custom_of(c, &custom); /* keeps it alive */
    if (eval_actions_list(c->s->eval, &custom, s->object, &actions, err) < 0)
        return script_failed(err, "error getting available actions: error executing Lua discovery script");
    *out = json_object();
    if (json_array_size(actions))
        json_object_set(*out, "actions", actions);
    return 0;
}

/* ---- running ---- */

/* One thing that an action wants done, with how its kind is served. */
struct change {
    const char *operation; /* borrowed */
    const json_t *resource;
    char *group, *version;
    struct kube_resource kind;
    json_t *held;
};
typedef VEC(struct change) changes_t;

static void changes_free(changes_t *list)
{
    VEC_FOREACH(list, ch) {
        free(ch->group);
        free(ch->version);
        json_decref(ch->held);
    }
    VEC_FREE(list);
}

static const char *namespace_of(const struct change *ch)
{
    return ch->kind.namespaced ? object_namespace(ch->resource) : NULL;
}

static int create(const struct subject *s, const struct change *ch, bool dry_run, err_t **err)
{
    const struct kube_params params = {.dry_run = dry_run};
    return kube_create(s->reach.kube, &ch->kind, namespace_of(ch), ch->resource, &params, NULL, err);
}

/* Everything is permitted, and what is to be created can be, before anything is done. */
static int prepare(const struct subject *s, const json_t *wanted, changes_t *list, err_t **err)
{
    const struct destination d = {.server = s->reach.server,
                                  .name = s->reach.name,
                                  .ns = str_or_empty(json_str_at(s->app, "spec", "destination", "namespace")),
                                  .cluster_project = s->reach.cluster_project};
    size_t i;
    json_t *w;
    json_array_foreach((json_t *)(uintptr_t)wanted, i, w) {
        const json_t *o = json_object_get(w, "resource");
        VEC_PUSH(list, (struct change){.operation = json_str_at(w, "operation"),
                                       .resource = o,
                                       .group = object_group(o),
                                       .version = object_version(o)});
        struct change *ch = &list->v[list->n - 1];
        if (!project_permits_object(s->project, ch->group, object_kind(o), object_name(o),
                                    object_namespace(o), &d))
            return err_set(err, ERR_UNKNOWN, "application is not permitted to manage %s/%s/%s in %s",
                           ch->group, object_kind(o), object_name(o), object_namespace(o));
        int rc = reach_kind(&s->reach, ch->group, ch->version, object_kind(o), &ch->kind, &ch->held, err);
        if (rc == 0 && str_eq(ch->operation, "create"))
            rc = create(s, ch, true, err);
        if (rc < 0) {
            mask_error(err, (const json_t *const[]){s->object, o}, 2);
            return rc;
        }
    }
    return 0;
}

static int send_patch(const struct subject *s, const struct change *ch, const json_t *patch,
                      const char *subresource, err_t **err)
{
    const struct kube_params params = {.subresource = subresource};
    return kube_patch(s->reach.kube, &ch->kind, namespace_of(ch), object_name(ch->resource), KUBE_PATCH_MERGE,
                      patch, &params, NULL, err);
}

/* Where status is a resource of its own, it is written as such, and the rest without it. */
static int patch(const struct subject *s, const struct change *ch, err_t **err)
{
    AUTO_JSON diff = json_merge_diff(s->object, ch->resource);
    if (json_object_get(diff, "status")) {
        AUTO_ERR none = NULL;
        int rc = send_patch(s, ch, diff, "status", &none);
        if (rc < 0 && err_code(none) != ERR_NOT_FOUND)
            return err_move(err, TAKE(none));
        if (rc == 0)
            json_object_del(diff, "status");
    }
    return json_object_size(diff) ? send_patch(s, ch, diff, NULL, err) : 0;
}

static int carry_out(const struct subject *s, const changes_t *list, err_t **err)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct change *ch = &list->v[i];
        bool creates = str_eq(ch->operation, "create");
        if ((creates ? create(s, ch, false, err) : patch(s, ch, err)) < 0) {
            mask_error(err, (const json_t *const[]){s->object, ch->resource}, 2);
            return err_wrap(err, creates ? "error creating resource" : "error patching resource");
        }
    }
    return 0;
}

/* The older method has the action's name for a body, the newer one all fields. */
static json_t *params_of(const call_t *c)
{
    json_t *params = json_object(), *p;
    size_t i;
    json_array_foreach(json_object_get(c->in, "resourceActionParameters"), i, p) {
        json_set_str(params, str_or_empty(json_str_at(p, "name")), json_str_at(p, "value"));
    }
    return params;
}

int app_run_action(call_t *c, json_t **out, err_t **err)
{
    AUTO(subject_free_p) struct subject *s = xcalloc(1, sizeof(*s));
    AUTO(free_p)
    char *right = xasprintf("action/%s/%s/%s", arg(c, "group"), arg(c, "kind"), arg(c, "action"));
    AUTO_JSON wanted = NULL;
    AUTO_JSON params = params_of(c);
    struct custom_actions custom;
    changes_t changes = {};
    int rc = open_subject(c, right, s, err);
    if (rc < 0)
        return rc;
    AUTO(settings_unref_p) UNUSED settings_t *settings = custom_of(c, &custom); /* keeps it alive */
    rc = eval_action_run(c->s->eval, &custom, arg(c, "action"), params, s->object, &wanted, err);
    if (rc < 0)
        return script_failed(err, rc == -ERR_NOT_FOUND ? "error getting Lua resource action"
                                                       : "error executing Lua resource action");
    rc = prepare(s, wanted, &changes, err);
    if (rc == 0)
        rc = carry_out(s, &changes, err);
    changes_free(&changes);
    if (rc < 0)
        return rc;
    if (s->itself)
        audit(c, s->app, "ResourceActionRan", "ran action %s", arg(c, "action"));
    else {
        audit(c, s->app, "ResourceActionRan", "ran action %s on resource %s/%s/%s", arg(c, "action"),
              arg(c, "group"), arg(c, "kind"), arg(c, "resourceName"));
        audit_resource(c, s->object, "ResourceActionRan", "ran action %s", arg(c, "action"));
    }
    *out = json_object();
    return 0;
}
