/* Reading one application and what belongs to it. */
#include "api-server/live/live_impl.h"
#include "api-server/services/apps.h"
#include "api-server/services/fields.h"
#include "common/argo/app.h"
#include "common/engine/mask.h"
#include "common/kinds/kinds.h"

/* ---- one ---- */

static const char *one_project(const call_t *c)
{
    const json_t *projects = asked_projects(c);
    return str_or_empty(json_string_value(json_array_get(projects, 0)));
}

struct refresh {
    call_t *call;
    int64_t after; /* resource version of our patch */
    json_t *app;   /* refreshed */
};

/* The controller has refreshed it: a newer version without the annotation. */
static bool refreshed(void *p, const struct live_doc *doc)
{
    const struct refresh *r = p;
    AUTO_JSON app = NULL;
    int64_t version;
    return json_read(doc->bytes, doc->n, &app, NULL) == 0 &&
           str_to_i64(object_resource_version(app), &version) && version > r->after &&
           !json_at(app, "metadata", "annotations", ANNOTATION_REFRESH);
}

/* Not in the thread that watches, since the tree may have to be asked for. */
static void answer_refreshed(void *p)
{
    struct refresh *r = p;
    app_infer_health(r->call->s, r->app);
    call_finish(r->call, r->app, NULL);
    free(r);
}

static void refresh_done(void *p, struct live_doc *doc, bool timed_out)
{
    struct refresh *r = p;
    AUTO_ERR err = NULL;
    AUTO_JSON app = NULL;
    if (timed_out)
        err_set(&err, ERR_UNKNOWN, "application refresh deadline exceeded");
    else if (!doc)
        err_set(&err, ERR_NOT_FOUND, "the application was deleted while it was refreshed");
    else
        json_read(doc->bytes, doc->n, &app, &err);
    if (err) {
        call_finish(r->call, NULL, TAKE(err));
        free(r);
        return;
    }
    r->app = TAKE(app);
    later_run(r->call->s->later, 0, answer_refreshed, r);
}

static json_t *refresh_patch(const char *kind)
{
    char now[RFC3339_TEXT];
    json_t *patch = json_object();
    rfc3339_nano(wall_now(), now);
    json_put_at(patch, json_string(kind), "metadata", "annotations", ANNOTATION_REFRESH);
    json_put_at(patch, json_string(now), "metadata", "annotations", ANNOTATION_REFRESH_AT);
    json_put_at(patch, json_string(kind), "metadata", "annotations", "argocd.argoproj.io/hydrate");
    json_put_at(patch, json_string(now), "metadata", "annotations", "argocd.argoproj.io/hydrate-timestamp");
    return patch;
}

static int ask_refresh(call_t *c, const json_t *app, const char *kind, json_t **patched, err_t **err)
{
    AUTO_JSON patch = refresh_patch(kind);
    for (int tries = 0;; tries++) {
        err_clear(err);
        int rc = kube_patch(c->s->kube, kind_application, object_namespace(app), object_name(app),
                            KUBE_PATCH_MERGE, patch, NULL, patched, err);
        if (rc != -ERR_ABORTED || tries == 4)
            return rc;
        sleep_ns(MILLIS(100));
    }
}

static int refresh(call_t *c, const json_t *app, err_t **err)
{
    const char *kind = !strcmp(arg(c, "refresh"), "hard") ? "hard" : "normal";
    AUTO_JSON patched = NULL;
    int rc = ask_refresh(c, app, kind, &patched, err);
    if (rc < 0)
        return rc;
    struct refresh *r = xcalloc(1, sizeof *r);
    r->call = c;
    str_to_i64(object_resource_version(patched), &r->after);
    struct live_wait wait = {refreshed, refresh_done, r, MONO_NEVER, exchange_canceled(c->ex)};
    live_wait_app(c->s->live, object_namespace(app), object_name(app), &wait);
    return CALL_LATER;
}

int app_get(call_t *c, json_t **out, err_t **err)
{
    AUTO_JSON app = NULL;
    if (json_array_size(asked_projects(c)) > 1)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "multiple projects specified - the get endpoint accepts either zero or one project");
    int rc = app_lookup(c, APP_LIVE, "get", one_project(c), arg(c, "appNamespace"), arg(c, "name"), &app,
                        err);
    if (rc < 0)
        return rc;
    if (json_object_get(c->in, "refresh"))
        return refresh(c, app, err);
    app_infer_health(c->s, app);
    app_rest_form(app);
    *out = TAKE(app);
    return 0;
}

/* ---- what belongs to one ---- */

static int lookup(call_t *c, const char *name_field, json_t **app, err_t **err)
{
    return app_lookup(c, APP_CACHED, "get", arg(c, "project"), arg(c, "appNamespace"), arg(c, name_field),
                      app, err);
}

/* Nobody has compared it: its own conditions say why better than "not found". */
static int explain(const json_t *app, int rc, err_t **err)
{
    AUTO_STR reasons = STR_INIT;
    size_t i;
    json_t *k;
    if (rc != -ERR_NOT_FOUND)
        return rc;
    json_array_foreach(json_at(app, "status", "conditions"), i, k) {
        const char *type = str_or_empty(json_str_at(k, "type"));
        if (!strcmp(type, "ComparisonError") || !strcmp(type, "InvalidSpecError"))
            str_printf(&reasons, "%s%s: %s", reasons.len ? ";" : "", type,
                       str_or_empty(json_str_at(k, "message")));
    }
    return reasons.len ? err_set(err, ERR_UNKNOWN, "%s", str_text(&reasons)) : rc;
}

int app_tree(call_t *c, json_t **out, err_t **err)
{
    AUTO_JSON app = NULL;
    int rc = lookup(c, "applicationName", &app, err);
    if (rc < 0)
        return rc;
    rc = backend_tree(c->s, object_namespace(app), object_name(app), out, err);
    return rc < 0 ? explain(app, rc, err) : 0;
}

static bool matches_any(const call_t *c, const json_t *item, const char *field)
{
    const char *want = arg(c, field);
    return !*want || str_eq(json_str_at(item, field), want);
}

int app_managed(call_t *c, json_t **out, err_t **err)
{
    static const char *const filters[] = {"name", "namespace", "group", "kind"};
    AUTO_JSON app = NULL;
    AUTO_JSON items = NULL;
    AUTO_JSON answer = json_object();
    json_t *kept = json_array(), *item;
    size_t i;
    json_object_set_new(answer, "items", kept);
    int rc = lookup(c, "applicationName", &app, err);
    if (rc == 0)
        rc = backend_managed(c->s, object_namespace(app), object_name(app), &items, err);
    if (rc < 0)
        return app ? explain(app, rc, err) : rc;
    json_array_foreach(items, i, item) {
        bool match = !json_bool_at(item, "hook");
        for (size_t f = 0; f < ARRAY_LEN(filters); f++)
            match = match && matches_any(c, item, filters[f]);
        if (match)
            json_array_append(kept, item);
    }
    if (!json_array_size(kept))
        json_object_del(answer, "items");
    AUTO(fields_free_p) fields_t *fields = fields_parse(query_get(&c->query, "fields"));
    AUTO_STR text = STR_INIT;
    json_write(answer, JSON_KEEP_ORDER, &text);
    if (fields)
        fields_project(fields, str_text(&text), text.len, &c->raw);
    else
        str_add(&c->raw, str_text(&text), text.len);
    return 0;
}

int app_why(call_t *c, json_t **out, err_t **err)
{
    AUTO_JSON app = NULL;
    AUTO_JSON items = NULL;
    int rc = lookup(c, "name", &app, err);
    if (rc == 0)
        rc = backend_why(c->s, object_namespace(app), object_name(app), &items, err);
    if (rc < 0)
        return rc;
    *out = json_object();
    json_object_set(*out, "items", items);
    return 0;
}

/* ---- single resources ---- */

static const json_t *find_node(const json_t *tree, const char *list, const json_t *q, const char *name_field)
{
    static const char *const keys[] = {"group", "kind", "namespace"};
    size_t i;
    json_t *n;
    json_array_foreach(json_object_get(tree, list), i, n) {
        bool match = str_same(json_str_at(n, "name"), json_str_at(q, name_field));
        for (size_t k = 0; k < ARRAY_LEN(keys); k++)
            match = match && str_same(json_str_at(n, keys[k]), json_str_at(q, keys[k]));
        if (match)
            return n;
    }
    return NULL;
}

int app_check_resource(call_t *c, const json_t *app, err_t **err)
{
    AUTO_JSON tree = NULL;
    int rc = backend_tree(c->s, object_namespace(app), object_name(app), &tree, err);
    if (rc < 0)
        return rc;
    const json_t *node = find_node(tree, "nodes", c->in, "resourceName");
    if (!node)
        node = find_node(tree, "orphanedNodes", c->in, "resourceName");
    if (!node || str_empty(json_str_at(node, "uid")))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s %s %s not found as part of application %s",
                       arg(c, "kind"), arg(c, "group"), arg(c, "resourceName"), arg(c, "name"));
    return 0;
}

int app_resource(call_t *c, json_t **out, err_t **err)
{
    AUTO_JSON app = NULL;
    AUTO_JSON object = NULL;
    int rc = lookup(c, "name", &app, err);
    if (rc == 0)
        rc = app_check_resource(c, app, err);
    if (rc < 0)
        return rc;
    rc = backend_resource(c->s, object_namespace(app), object_name(app), c->in, &object, err);
    if (rc < 0)
        return rc;
    AUTO(free_p) char *text = json_text(object, JSON_GO);
    *out = json_object();
    json_set_str(*out, "manifest", text);
    return 0;
}

/* ---- events ---- */

static bool in_tree(const json_t *tree, const char *list, const call_t *c)
{
    size_t i;
    json_t *n;
    json_array_foreach(json_object_get(tree, list), i, n)
        if (str_same(json_str_at(n, "uid"), arg(c, "resourceUID")) &&
            str_same(json_str_at(n, "name"), arg(c, "resourceName")) &&
            str_same(json_str_at(n, "namespace"), arg(c, "resourceNamespace")))
            return true;
    return false;
}

/* Where events of the application's resources are. */
static int resource_events_from(call_t *c, const json_t *app, char **selector, const char **ns, err_t **err)
{
    AUTO_JSON tree = NULL;
    AUTO(free_p) char *server = NULL, *name = NULL, *project = NULL;
    int rc = backend_tree(c->s, object_namespace(app), object_name(app), &tree, err);
    if (rc < 0)
        return rc;
    if (!in_tree(tree, "nodes", c) && !in_tree(tree, "orphanedNodes", c))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s not found as part of application %s",
                       arg(c, "resourceName"), arg(c, "name"));
    rc = state_resolve_destination(c->s->state, json_at(app, "spec", "destination"), &server, &name, &project,
                                   err);
    if (rc < 0)
        return rc;
    if (strcmp(server, IN_CLUSTER_SERVER) != 0)
        return err_set(err, ERR_UNIMPLEMENTED, "events of the remote cluster %s are not served", name);
    *selector = xasprintf("involvedObject.name=%s,involvedObject.uid=%s,involvedObject.namespace=%s",
                          arg(c, "resourceName"), arg(c, "resourceUID"), arg(c, "resourceNamespace"));
    *ns = arg(c, "resourceNamespace");
    return 0;
}

int app_events(call_t *c, json_t **out, err_t **err)
{
    AUTO_JSON app = NULL;
    AUTO_JSON items = NULL;
    AUTO(free_p) char *selector = NULL;
    const char *ns = NULL;
    int rc = lookup(c, "name", &app, err);
    if (rc == 0 && *arg(c, "resourceUID"))
        rc = resource_events_from(c, app, &selector, &ns, err);
    else if (rc == 0) {
        ns = object_namespace(app);
        selector = xasprintf("involvedObject.name=%s,involvedObject.uid=%s,involvedObject.namespace=%s",
                             object_name(app), object_uid(app), ns);
    }
    if (rc < 0)
        return rc;
    struct kube_list what = {.ns = str_empty(ns) ? NULL : ns, .field_selector = selector};
    rc = kube_list_json(c->s->kube, kind_event, &what, &items, err);
    if (rc < 0)
        return rc;
    *out = json_object();
    json_object_set_new(*out, "metadata", json_object());
    json_object_set(*out, "items", items);
    return 0;
}

/* ---- manifests ---- */

/* Revisions asked for: sourcePositions[i] (from 1) with revisions[i], or `revision` for a single source. */
static int revision_for(call_t *c, size_t index, size_t n, const char **revision, err_t **err)
{
    const json_t *positions = json_object_get(c->in, "sourcePositions"),
                 *revisions = json_object_get(c->in, "revisions");
    size_t i;
    json_t *p;
    *revision = n == 1 && *arg(c, "revision") ? arg(c, "revision") : NULL;
    json_array_foreach((json_t *)positions, i, p) {
        json_int_t at = json_integer_value(p);
        if (at <= 0 || (size_t)at > n)
            return err_set(err, ERR_UNKNOWN, "source position is out of range");
        if ((size_t)at == index + 1)
            *revision = json_string_value(json_array_get(revisions, i));
    }
    return 0;
}

static int mask_manifest(server_t *s, const char *text, json_t *into, err_t **err)
{
    AUTO_JSON object = NULL;
    AUTO(settings_unref_p) settings_t *settings = state_argo_settings(s->state);
    int rc = json_read_str(text, &object, err);
    if (rc < 0)
        return rc;
    mask_secrets(&object, 1, settings_masked_annotations(settings));
    AUTO(free_p) char *masked = json_text(object, JSON_GO);
    json_array_append_new(into, json_string(masked));
    return 0;
}

int app_manifests(call_t *c, json_t **out, err_t **err)
{
    AUTO_JSON app = NULL;
    AUTO_JSON project = NULL;
    AUTO_JSON all = json_array();
    int rc = lookup(c, "name", &app, err);
    if (rc == 0)
        rc = app_project_of(c, app, &project, err);
    AUTO_JSON sources = rc == 0 ? app_sources(app) : NULL;
    for (size_t i = 0, n = json_array_size(sources); rc == 0 && i < n; i++) {
        struct manifest_query q = {.app = app,
                                   .project = project,
                                   .source = json_array_get(sources, i),
                                   .no_cache = arg_bool(c, "noCache")};
        AUTO_JSON answer = NULL;
        rc = revision_for(c, i, n, &q.revision, err);
        if (rc == 0)
            rc = backend_manifests(c->s, &q, &answer, err);
        size_t k;
        json_t *m;
        json_array_foreach(json_object_get(answer, "manifests"), k, m)
            if (rc == 0)
                rc = mask_manifest(c->s, str_or_empty(json_string_value(m)), all, err);
    }
    if (rc < 0)
        return rc;
    *out = json_object();
    json_object_set(*out, "manifests", all);
    return 0;
}
