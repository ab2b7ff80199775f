/* Operations: sync, rollback, terminate. An operation is a field that the controller takes up; it is written
 * on the version it was decided on, so that two callers cannot both start one. */
#include "api-server/live/live_impl.h"
#include "api-server/services/apps.h"
#include "common/argo/app.h"
#include "common/kinds/kinds.h"

enum { TERMINATE_TRIES = 10 };

int app_set_operation(call_t *c, const json_t *app, json_t *operation, json_t **out, err_t **err)
{
    for (;;) {
        AUTO_JSON fresh = NULL;
        err_clear(err);
        int rc = kube_get(c->s->kube, kind_application, object_namespace(app), object_name(app), NULL, &fresh,
                          err);
        if (rc < 0)
            return rc;
        if (json_is_map(json_object_get(fresh, "operation")))
            return err_set(err, ERR_FAILED_PRECONDITION, "another operation is already in progress");
        json_object_set(fresh, "operation", operation);
        json_drop_at(fresh, "status", "operationState");
        rc = kube_update(c->s->kube, kind_application, object_namespace(app), object_name(app), fresh, NULL,
                         out, err);
        if (rc != -ERR_ABORTED || exchange_is_canceled(c->ex)) {
            if (rc == 0)
                json_drop_at(*out, "metadata", "managedFields");
            return rc;
        }
    }
}

static void finish(call_t *c, json_t *stored, json_t **out)
{
    wait_for_version(c, stored);
    app_infer_health(c->s, stored);
    app_rest_form(stored);
    *out = json_incref(stored);
}

/* ---- revisions ---- */

struct revisions {
    bool multiple;
    json_t *commits;        /* texts, one a source */
    str_t display;          /* for the audit */
    bool different;         /* from what the spec says */
    char *first_difference; /* the error of auto-sync */
};

static bool is_sha(const char *s)
{
    return strlen(s) == 40 && strspn(s, "0123456789abcdefABCDEF") == 40;
}

static const char *target_of(const json_t *source)
{
    const char *t = json_str_at(source, "targetRevision");
    return str_empty(t) ? "HEAD" : t;
}

/* sourcePositions and revisions are parallel; positions count from 1. */
static int asked_revision(call_t *c, size_t index, size_t n, const char **revision, err_t **err)
{
    const json_t *positions = json_object_get(c->in, "sourcePositions"),
                 *list = json_object_get(c->in, "revisions");
    size_t i;
    json_t *p;
    *revision = n == 1 ? arg(c, "revision") : "";
    json_array_foreach((json_t *)positions, i, p) {
        json_int_t at = json_integer_value(p);
        if (at <= 0 || (size_t)at > n || i >= json_array_size(list))
            return err_set(err, ERR_UNKNOWN, "source position is out of range");
        if ((size_t)at == index + 1)
            *revision = str_or_empty(json_string_value(json_array_get(list, i)));
    }
    return 0;
}

static void note_difference(struct revisions *r, const json_t *source, const char *asked)
{
    if (!*asked || !strcmp(asked, target_of(source)))
        return;
    r->different = true;
    if (r->first_difference)
        return;
    r->first_difference =
        r->multiple ? xasprintf("Cannot sync source %s to %s: auto-sync currently set to %s",
                                str_or_empty(json_str_at(source, "repoURL")), asked, target_of(source))
                    : xasprintf("Cannot sync to %s: auto-sync currently set to %s", asked, target_of(source));
}

static int resolve_one(call_t *c, const json_t *app, const json_t *source, const char *asked,
                       struct revisions *r, err_t **err)
{
    AUTO(free_p) char *commit = NULL, *display = NULL;
    const char *wanted = *asked ? asked : target_of(source);
    bool helm = !str_empty(json_str_at(source, "chart"));
    note_difference(r, source, asked);
    if (is_sha(wanted) && !helm) {
        commit = xstrdup(wanted);
        display = xstrdup(wanted);
    } else if (backend_resolve_revision(c->s, app, source, wanted, &commit, &display, err) < 0)
        return err_recode(err, ERR_FAILED_PRECONDITION);
    json_array_append_new(r->commits, json_string(commit));
    str_printf(&r->display, "%s%s", r->display.len ? "," : "", display);
    return 0;
}

static int resolve(call_t *c, const json_t *app, struct revisions *r, err_t **err)
{
    AUTO_JSON sources = app_sources(app);
    size_t n = json_array_size(sources);
    r->multiple = app_multi_source(app);
    r->commits = json_array();
    for (size_t i = 0; i < n; i++) {
        const char *asked;
        int rc = asked_revision(c, i, n, &asked, err);
        if (rc == 0)
            rc = resolve_one(c, app, json_array_get(sources, i), asked, r, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void revisions_dispose(struct revisions *r)
{
    json_decref(r->commits);
    str_dispose(&r->display);
    free(r->first_difference);
}

/* ---- sync ---- */

/* The request's options, else the policy's. */
static json_t *options_of(const call_t *c, const json_t *app)
{
    json_t *asked = json_at(c->in, "syncOptions", "items");
    return json_is_array(asked) ? asked : json_at(app, "spec", "syncPolicy", "syncOptions");
}

static int enforce(call_t *c, const json_t *app, const char *action, err_t **err)
{
    AUTO(free_p) char *object = call_app_object(c, app);
    return call_enforce(c, "applications", action, object, err);
}

static int check_manifests(call_t *c, const json_t *app, err_t **err)
{
    if (!json_array_size(json_object_get(c->in, "manifests")))
        return 0;
    int rc = enforce(c, app, "override", err);
    if (rc == 0 && app_auto_sync(app) && !arg_bool(c, "dryRun"))
        rc = err_set(err, ERR_FAILED_PRECONDITION,
                     "cannot use local sync when Automatic Sync Policy is enabled unless for dry run");
    return rc;
}

static int check_difference(call_t *c, const json_t *app, const struct revisions *r, err_t **err)
{
    AUTO(config_unref_p) config_t *config = config_box_get(c->s->config);
    if (!r->different)
        return 0;
    if (config_bool(config, "application.sync.requireOverridePrivilegeForRevisionSync", false)) {
        int rc = enforce(c, app, "override", err);
        if (rc < 0)
            return rc;
    }
    if (app_auto_sync(app) && !arg_bool(c, "dryRun"))
        return err_set(err, ERR_FAILED_PRECONDITION, "%s", r->first_difference);
    return 0;
}

static int check_replace(call_t *c, const json_t *options, err_t **err)
{
    if (!c->s->flags->sync_replace_allowed && options_have(options, "Replace=true"))
        return err_set(err, ERR_FAILED_PRECONDITION,
                       "sync with replace was disabled on the API Server level via the server configuration");
    return 0;
}

static void copy(json_t *to, const char *key, json_t *v)
{
    if (v && !json_is_zero(v))
        json_object_set_new(to, key, json_copy_deep(v));
}

static json_t *sync_part(call_t *c, const json_t *app, const struct revisions *r)
{
    json_t *s = json_object();
    if (r->multiple) {
        json_object_set(s, "revisions", r->commits);
        copy(s, "sources", json_at(app, "spec", "sources"));
    } else {
        AUTO_JSON source = app_single_source(app);
        json_object_set(s, "revision", json_array_get(r->commits, 0));
        copy(s, "source", source);
    }
    copy(s, "prune", json_object_get(c->in, "prune"));
    copy(s, "dryRun", json_object_get(c->in, "dryRun"));
    copy(s, "syncStrategy", json_object_get(c->in, "strategy"));
    copy(s, "resources", json_object_get(c->in, "resources"));
    copy(s, "manifests", json_object_get(c->in, "manifests"));
    copy(s, "syncOptions", options_of(c, app));
    return s;
}

static json_t *sync_operation(call_t *c, const json_t *app, const struct revisions *r)
{
    json_t *op = json_object();
    json_t *retry = json_object_get(c->in, "retryStrategy");
    json_object_set_new(op, "sync", sync_part(c, app, r));
    json_put_at(op, json_str_new(c->id->subject), "initiatedBy", "username");
    copy(op, "info", json_object_get(c->in, "infos"));
    copy(op, "retry", retry ? retry : json_at(app, "spec", "syncPolicy", "retry"));
    if (!json_object_get(op, "retry"))
        json_object_set_new(op, "retry", json_object());
    return op;
}

/* Everything that may forbid it, in Argo CD's order. */
static int check_sync(call_t *c, const json_t *app, struct revisions *r, err_t **err)
{
    int rc = enforce(c, app, "sync", err);
    if (rc == 0)
        rc = check_manifests(c, app, err);
    if (rc == 0 && app_deleting(app))
        rc = err_set(err, ERR_FAILED_PRECONDITION, "application is deleting");
    if (rc == 0)
        rc = resolve(c, app, r, err);
    if (rc == 0)
        rc = check_difference(c, app, r, err);
    return rc < 0 ? rc : check_replace(c, options_of(c, app), err);
}

int app_sync(call_t *c, json_t **out, err_t **err)
{
    AUTO_JSON app = NULL;
    AUTO_JSON stored = NULL;
    struct revisions r = {};
    int rc = app_lookup(c, APP_LIVE, "get", arg(c, "project"), arg(c, "appNamespace"), arg(c, "name"), &app,
                        err);
    if (rc < 0)
        return rc;
    rc = check_sync(c, app, &r, err);
    if (rc == 0) {
        AUTO_JSON op = sync_operation(c, app, &r);
        rc = app_set_operation(c, app, op, &stored, err);
    }
    if (rc == 0) {
        const char *partial = json_array_size(json_object_get(c->in, "resources")) ? "partial " : "";
        if (json_array_size(json_object_get(c->in, "manifests")))
            audit(c, stored, "OperationStarted", "initiated %ssync locally", partial);
        else
            audit(c, stored, "OperationStarted", "initiated %ssync to %s", partial, str_text(&r.display));
        finish(c, stored, out);
    }
    revisions_dispose(&r);
    return rc;
}

/* ---- rollback ---- */

static const json_t *history_entry(const json_t *app, int64_t id)
{
    size_t i;
    json_t *h;
    json_array_foreach(json_at(app, "status", "history"), i, h)
        if (json_int_at(h, "id") == id)
            return h;
    return NULL;
}

static json_t *rollback_operation(call_t *c, const json_t *app, const json_t *entry)
{
    json_t *op = json_object(), *s = json_object();
    copy(s, "revision", json_object_get(entry, "revision"));
    copy(s, "revisions", json_object_get(entry, "revisions"));
    copy(s, "source", json_object_get(entry, "source"));
    copy(s, "sources", json_object_get(entry, "sources"));
    copy(s, "prune", json_object_get(c->in, "prune"));
    copy(s, "dryRun", json_object_get(c->in, "dryRun"));
    copy(s, "syncOptions", json_at(app, "spec", "syncPolicy", "syncOptions"));
    json_put_at(s, json_object(), "syncStrategy", "apply");
    json_object_set_new(op, "sync", s);
    json_put_at(op, json_str_new(c->id->subject), "initiatedBy", "username");
    json_object_set_new(op, "retry", json_object());
    return op;
}

static int check_rollback(const json_t *app, int64_t id, const json_t **entry, err_t **err)
{
    if (app_deleting(app))
        return err_set(err, ERR_FAILED_PRECONDITION, "application is deleting");
    if (app_auto_sync(app))
        return err_set(err, ERR_FAILED_PRECONDITION,
                       "rollback cannot be initiated when auto-sync is enabled");
    *entry = history_entry(app, id);
    if (!*entry)
        return err_set(err, ERR_INVALID_ARGUMENT, "application %s/%s does not have deployment with id %lld",
                       object_namespace(app), object_name(app), (long long)id);
    if (json_is_zero(json_object_get(*entry, "source")) && json_is_zero(json_object_get(*entry, "sources")))
        return err_set(err, ERR_FAILED_PRECONDITION,
                       "cannot rollback to revision deployed with Argo CD v0.11 or lower. "
                       "sync to revision instead.");
    return 0;
}

int app_rollback(call_t *c, json_t **out, err_t **err)
{
    AUTO_JSON app = NULL;
    AUTO_JSON stored = NULL;
    const json_t *entry = NULL;
    int64_t id = json_int_at(c->in, "id");
    AUTO(config_unref_p) config_t *config = config_box_get(c->s->config);
    bool own_action = config_bool(config, "server.rbac.rollback.enforce.enable", false);
    int rc = app_lookup(c, APP_LIVE, own_action ? "rollback" : "sync", arg(c, "project"),
                        arg(c, "appNamespace"), arg(c, "name"), &app, err);
    if (rc == 0)
        rc = check_rollback(app, id, &entry, err);
    if (rc < 0)
        return rc;
    AUTO_JSON op = rollback_operation(c, app, entry);
    rc = app_set_operation(c, app, op, &stored, err);
    if (rc < 0)
        return rc;
    audit(c, stored, "OperationStarted", "initiated rollback to %lld", (long long)id);
    finish(c, stored, out);
    return 0;
}

/* ---- terminate ---- */

static int try_terminate(call_t *c, const json_t *app, err_t **err)
{
    AUTO_JSON fresh = NULL;
    int rc = kube_get(c->s->kube, kind_application, object_namespace(app), object_name(app), NULL, &fresh,
                      err);
    if (rc < 0)
        return rc;
    if (!json_is_map(json_object_get(fresh, "operation")) ||
        !json_is_map(json_at(fresh, "status", "operationState")))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "Unable to terminate operation. No operation is in progress");
    AUTO_JSON patch = json_object();
    json_put_at(patch, json_string(object_resource_version(fresh)), "metadata", "resourceVersion");
    json_put_at(patch, json_string("Terminating"), "status", "operationState", "phase");
    return kube_patch(c->s->kube, kind_application, object_namespace(app), object_name(app), KUBE_PATCH_MERGE,
                      patch, NULL, NULL, err);
}

int app_terminate(call_t *c, json_t **out, err_t **err)
{
    AUTO_JSON app = NULL;
    int rc = app_lookup(c, APP_LIVE, "sync", arg(c, "project"), arg(c, "appNamespace"), arg(c, "name"), &app,
                        err);
    if (rc < 0)
        return rc;
    rc = -ERR_ABORTED;
    for (int i = 0; i < TERMINATE_TRIES && rc == -ERR_ABORTED; i++) {
        err_clear(err);
        rc = try_terminate(c, app, err);
    }
    if (rc == -ERR_ABORTED) {
        err_clear(err);
        return err_set(err, ERR_INTERNAL, "Failed to terminate app. Too many conflicts");
    }
    if (rc < 0)
        return rc;
    audit(c, app, "ResourceUpdated", "terminated running operation");
    *out = json_object();
    return 0;
}
