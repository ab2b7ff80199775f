/* Rows of the topics, from the documents (dashboard specification, §3; the columns are those of its schema).
 */
#include "api-server/live/live_impl.h"
#include "common/argo/app.h"

/* Few distinct values among many rows. */
const char *const topic_apps_coded[] = {"project", "health",    "sync",   "op",
                                        "dest",    "namespace", "labels", NULL};

/* ---- an Application for REST ---- */

/* A struct-typed field of Go prints even when it is empty. */
static json_t *ensure_object(json_t *parent, const char *key)
{
    json_t *v = json_object_get(parent, key);
    if (!json_is_map(v))
        json_object_set_new(parent, key, v = json_object());
    return v;
}

static void ensure_text(json_t *parent, const char *key)
{
    if (!json_is_string(json_object_get(parent, key)))
        json_set_str(parent, key, "");
}

static void ensure_operation(json_t *operation)
{
    if (!json_is_map(operation))
        return;
    ensure_object(operation, "initiatedBy");
    ensure_object(operation, "retry");
}

void app_rest_form(json_t *app)
{
    json_t *metadata = ensure_object(app, "metadata"), *spec = ensure_object(app, "spec");
    json_t *status = ensure_object(app, "status"), *sync = ensure_object(status, "sync");
    json_t *compared = ensure_object(sync, "comparedTo");
    json_object_del(metadata, "managedFields");
    if (!json_object_get(metadata, "creationTimestamp"))
        json_object_set_new(metadata, "creationTimestamp", json_null());
    ensure_object(spec, "destination");
    ensure_text(spec, "project");
    ensure_text(sync, "status");
    if (!json_object_get(compared, "sources"))
        ensure_text(ensure_object(compared, "source"), "repoURL");
    ensure_object(compared, "destination");
    ensure_object(status, "health");
    ensure_object(status, "summary");
    ensure_object(status, "sourceHydrator");
    ensure_operation(json_object_get(app, "operation"));
    ensure_operation(json_at(status, "operationState", "operation"));
}

/* ---- apps ---- */

static const char *operation_text(const json_t *app)
{
    const char *phase = str_or_empty(json_str_at(app, "status", "operationState", "phase"));
    if (json_at(app, "metadata", "deletionTimestamp"))
        return "Deleting";
    if (!strcmp(phase, "Terminating"))
        return phase;
    return json_is_map(json_object_get(app, "operation")) || !strcmp(phase, "Running") ? "Syncing" : phase;
}

static json_t *sources_for_list(const json_t *app)
{
    static const char *const fields[] = {"repoURL", "targetRevision", "path", "chart", "ref", "name"};
    json_t *sources = json_at(app, "spec", "sources"), *out = json_array(), *s;
    size_t i;
    if (!json_array_size(sources)) {
        sources = json_at(app, "spec", "source");
        AUTO_JSON one = json_array();
        if (sources)
            json_array_append(one, sources);
        sources = TAKE(one);
    } else
        json_incref(sources);
    json_array_foreach(sources, i, s) {
        json_t *o = json_object();
        for (size_t k = 0; k < ARRAY_LEN(fields); k++)
            json_put_str(o, fields[k], json_str_at(s, fields[k]));
        json_array_append_new(out, o);
    }
    json_decref(sources);
    return out;
}

static json_t *annotations_for_list(const json_t *app)
{
    const json_t *a = json_at(app, "metadata", "annotations");
    if (!json_is_map(a))
        return NULL;
    json_t *out = json_copy((json_t *)a);
    json_object_del(out, "kubectl.kubernetes.io/last-applied-configuration");
    return out;
}

static void set_if(json_t *o, const char *key, json_t *borrowed)
{
    if (borrowed && !json_is_zero(borrowed))
        json_object_set(o, key, borrowed);
}

static void put_revision(json_t *o, const json_t *app)
{
    const char *r = json_str_at(app, "status", "sync", "revision");
    if (str_empty(r))
        r = json_string_value(json_array_get(json_at(app, "status", "sync", "revisions"), 0));
    json_put_str(o, "revision", r);
}

json_t *topic_apps_columns(const json_t *app)
{
    json_t *o = json_object();
    json_t *annotations = annotations_for_list(app);
    json_put_str(o, "name", json_str_at(app, "metadata", "name"));
    json_put_str(o, "namespace", json_str_at(app, "metadata", "namespace"));
    json_put_str(o, "project", app_project(app));
    set_if(o, "labels", json_at(app, "metadata", "labels"));
    set_if(o, "annotations", annotations);
    json_put_str(o, "created", json_str_at(app, "metadata", "creationTimestamp"));
    json_put_str(o, "health", json_str_at(app, "status", "health", "status"));
    json_put_str(o, "sync", json_str_at(app, "status", "sync", "status"));
    json_put_str(o, "op", operation_text(app));
    json_put_str(o, "opStarted", json_str_at(app, "status", "operationState", "startedAt"));
    json_put_str(o, "opFinished", json_str_at(app, "status", "operationState", "finishedAt"));
    put_revision(o, app);
    json_object_set_new(o, "sources", sources_for_list(app));
    set_if(o, "dest", json_at(app, "spec", "destination"));
    json_object_set_new(o, "autoSync", json_boolean(app_auto_sync(app)));
    json_object_set_new(o, "refreshing",
                        json_boolean(json_object_get(annotations, ANNOTATION_REFRESH) != NULL));
    set_if(o, "urls", json_at(app, "status", "summary", "externalURLs"));
    json_put_str(o, "notice", json_str_at(annotations, "notice.argocd.argoproj.io/content"));
    json_put_str(o, "rv", json_str_at(app, "metadata", "resourceVersion"));
    json_decref(annotations);
    return o;
}

/* ---- one application ---- */

static char *node_key(const char *prefix, const json_t *r)
{
    return xasprintf("%s%s/%s/%s/%s", prefix, str_or_empty(json_str_at(r, "group")),
                     str_or_empty(json_str_at(r, "kind")), str_or_empty(json_str_at(r, "namespace")),
                     str_or_empty(json_str_at(r, "name")));
}

static void put_list(live_table_t *t, const struct live_meta *meta, const char *prefix, const json_t *list)
{
    size_t i;
    json_t *r;
    json_array_foreach(list, i, r) {
        AUTO(free_p) char *key = node_key(prefix, r);
        table_put(t, key, meta, r);
    }
}

static json_t *app_columns(const json_t *app)
{
    static const char *const whole[] = {"sync",    "health",         "history",     "conditions",
                                        "summary", "sourceHydrator", "reconciledAt"};
    json_t *o = json_object();
    AUTO_JSON state = json_copy_deep(json_at(app, "status", "operationState"));
    json_object_set(o, "metadata", json_object_get(app, "metadata"));
    json_object_set(o, "spec", json_object_get(app, "spec"));
    set_if(o, "operation", json_object_get(app, "operation"));
    for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
        AUTO(free_p) char *name = xasprintf("status.%s", whole[i]);
        set_if(o, name, json_at(app, "status", whole[i]));
    }
    if (state) {
        json_drop_at(state, "syncResult", "resources");
        json_object_set(o, "status.operationState", state);
    }
    return o;
}

void topic_app_put(live_table_t *t, const struct live_meta *meta, const json_t *app, mono_t now)
{
    table_mark(t);
    if (app) {
        AUTO_JSON columns = app_columns(app);
        table_put(t, "app", meta, columns);
        put_list(t, meta, "r:", json_at(app, "status", "resources"));
        put_list(t, meta, "o:", json_at(app, "status", "operationState", "syncResult", "resources"));
    }
    table_sweep(t, now);
}

/* ---- a tree ---- */

static void put_nodes(live_table_t *t, const struct live_meta *meta, const json_t *nodes, bool orphaned)
{
    size_t i;
    json_t *n;
    json_array_foreach(nodes, i, n) {
        const char *uid = json_str_at(n, "uid");
        AUTO(free_p) char *key = str_empty(uid) ? node_key("", n) : xstrdup(uid);
        AUTO_JSON row = json_copy(n);
        if (orphaned)
            json_object_set_new(row, "o", json_integer(1));
        table_put(t, key, meta, row);
    }
}

void topic_tree_put(live_table_t *t, const struct live_meta *meta, const json_t *tree, mono_t now)
{
    size_t i;
    json_t *h;
    table_mark(t);
    put_nodes(t, meta, json_object_get(tree, "nodes"), false);
    put_nodes(t, meta, json_object_get(tree, "orphanedNodes"), true);
    json_array_foreach(json_object_get(tree, "hosts"), i, h) {
        AUTO(free_p) char *key = xasprintf("h:%s", str_or_empty(json_str_at(h, "name")));
        table_put(t, key, meta, h);
    }
    table_sweep(t, now);
}
