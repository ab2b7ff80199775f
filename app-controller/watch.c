#include "app-controller/watch.h"
#include "app-controller/metrics.h"
#include "app-controller/ownership.h"
#include "app-controller/projects.h"
#include "app-controller/publish.h"
#include "common/argo/app.h"
#include "common/base/glob.h"
#include "common/base/log.h"
#include "common/base/map.h"
#include "common/json/project.h"
#include "common/kinds/kinds.h"

/* The passes of an operation that watches its objects. */
static const int64_t OPERATION_GATHER_NS = MILLIS(100);

struct feed {
    watches_t *owner;
    kube_watch_t *watch;
    /* NULL object: gone. text: the object's. */
    void (*put)(struct feed *f, const char *key, const json_t *o, view_t text);
    /* Whether this version is what is held already; takes note that it came. NULL: never. */
    bool (*is_known)(struct feed *f, const char *key, const json_t *o);
    projection_t *brief; /* what is read of each object; NULL: all */
    map_t seen;          /* k: "namespace/name", v: set while it is in the list at hand */
    bool listing, synced;
};

struct watches {
    struct controller *ctl;
    struct feed apps, projects;
    lock_t lock; /* guards `synced` of both */
    cond_t changed;
};

/* ---- names ---- */

char *controller_key_of(const struct controller *c, const char *instance)
{
    const char *separator = strchr(instance, '_');
    if (!separator)
        return xasprintf("%s/%s", c->options.ns, instance);
    return xasprintf("%.*s/%s", (int)(separator - instance), instance, separator + 1);
}

bool controller_serves_namespace(const struct controller *c, const char *ns)
{
    if (strcmp(ns, c->options.ns) == 0)
        return true;
    for (char **p = c->options.app_namespaces; p && *p; p++)
        if (glob_or_regex_match(*p, ns))
            return true;
    return false;
}

void controller_request(struct controller *c, const char *instance, uint64_t bits)
{
    AUTO(free_p) char *key = controller_key_of(c, instance);
    workq_add(c->refresh, key, bits);
}

/* ---- the watches ---- */

static void on_list(void *arg)
{
    struct feed *f = arg;
    f->listing = true;
}

static void on_event(void *arg, enum kube_event event, const char *p, size_t n)
{
    struct feed *f = arg;
    AUTO_ERR err = NULL;
    AUTO_JSON o = NULL;
    int r = f->brief ? json_read_projected(p, n, f->brief, &o, &err) : json_read(p, n, &o, &err);
    if (r < 0) {
        log_error(NULL, "malformed object from the API server: %s", err_text(err));
        return;
    }
    AUTO(free_p) char *key = xasprintf("%s/%s", object_namespace(o), object_name(o));
    if (event == KUBE_DELETED) {
        map_del(&f->seen, key);
        f->put(f, key, NULL, (view_t){});
        return;
    }
    /* The answer to our own write is here already when the watch brings it. */
    if (f->is_known && !f->listing && map_has(&f->seen, key) && f->is_known(f, key, o))
        return;
    if (f->brief && !json_valid(p, n)) {
        log_error(NULL, "malformed object from the API server: %s", key);
        return;
    }
    map_put(&f->seen, key, f->listing ? f : NULL);
    f->put(f, key, o, (view_t){p, n});
}

static void on_synced(void *arg, const char *resource_version)
{
    struct feed *f = arg;
    (void)resource_version;
    MAP_FOREACH(&f->seen, e) {
        bool listed = e->value != NULL;
        e->value = NULL;
        if (f->synced && !listed) {
            AUTO(free_p) char *key = xstrdup(e->key);
            map_del(&f->seen, key);
            f->put(f, key, NULL, (view_t){});
        }
    }
    f->listing = false;
    LOCKED(&f->owner->lock);
    f->synced = true;
    pthread_cond_broadcast(&f->owner->changed);
}

static void on_error(void *arg, err_t *err)
{
    struct feed *f = arg;
    if (err)
        log_warn(NULL, "watch of %s: %s", f == &f->owner->apps ? "applications" : "projects", err_text(err));
}

static void on_stop(void *arg, enum kube_watch_stop why)
{
    (void)arg;
    log_error(NULL, "the custom resources of the control plane are %s",
              why == KUBE_STOP_FORBIDDEN ? "forbidden" : "not served");
}

static const struct kube_watch_ops ops = {.on_list = on_list,
                                          .on_event = on_event,
                                          .on_synced = on_synced,
                                          .on_error = on_error,
                                          .on_stop = on_stop};

/* ---- projects ---- */

static void put_project(struct feed *f, const char *key, const json_t *o, view_t text)
{
    (void)text;
    const char *name = strchr(key, '/') + 1;
    world_put_project(f->owner->ctl->world, name, o);
    projects_changed(f->owner->ctl, name);
}

/* ---- applications ---- */

static void remove_app(struct controller *ctl, const char *key)
{
    struct app *app = apps_get(ctl->apps, key);
    AUTO_JSON doc = app ? app_doc(app) : NULL;
    workq_forget(ctl->refresh, key);
    workq_forget(ctl->operations, key);
    apps_remove(ctl->apps, key, NULL);
    if (app && ownership_has(ctl, app))
        unpublish(ctl, app);
    if (app)
        ownership_apps_changed(ctl);
    if (doc)
        projects_changed(ctl, app_project(doc)); /* which may have waited for this */
    app_unref(ctl->apps, app);
}

/* Something came about it. */
static void look_at(struct controller *ctl, struct app *app)
{
    bool turned_on, operating, settled;
    {
        LOCKED(&app->lock);
        turned_on = app->turned_on;
        app->turned_on = false;
        operating = app->operating;
        settled = app->settled;
    }
    if (!ownership_look(ctl, app)) {
        app_rest(app);
        return;
    }
    if (turned_on || !settled)
        workq_add(ctl->refresh, app->key, REFRESH_CHECK | (turned_on ? REFRESH_TARGET : 0));
    if (operating)
        workq_add(ctl->operations, app->key, OPERATE);
}

static void put_app(struct feed *f, const char *key, const json_t *o, view_t text)
{
    struct controller *ctl = f->owner->ctl;
    if (!o) {
        remove_app(ctl, key);
        return;
    }
    if (!controller_serves_namespace(ctl, object_namespace(o)))
        return;
    AUTO(free_p) char *instance = instance_name(object_namespace(o), object_name(o), ctl->options.ns);
    bool is_new;
    AUTO(free_p) char *left = NULL; /* the project that it was in until now */
    struct app *app = apps_put_event(ctl->apps, key, instance, o, text, !f->listing, &is_new);
    if (!app)
        return;
    {
        LOCKED(&app->lock);
        if (app->project && strcmp(app->project, app_project(o)) != 0)
            left = xstrdup(app->project);
    }
    if (left)
        projects_changed(ctl, left);
    look_at(ctl, app);
    if (is_new)
        ownership_apps_changed(ctl);
    app_unref(ctl->apps, app);
}

static bool is_known_app(struct feed *f, const char *key, const json_t *o)
{
    struct controller *ctl = f->owner->ctl;
    struct app *app = apps_get_version(ctl->apps, key, object_uid(o), object_resource_version(o));
    if (!app)
        return false;
    look_at(ctl, app);
    app_unref(ctl->apps, app);
    return true;
}

/* ---- starting and stopping ---- */

static void feed_start(watches_t *w, struct feed *f, const struct kube_resource *r, const char *ns,
                       void (*put)(struct feed *, const char *, const json_t *, view_t))
{
    struct kube_watch_spec spec = {.resource = r, .list = {.ns = ns}};
    f->owner = w;
    f->put = put;
    f->watch = kube_watch_start(w->ctl->kube, &spec, &ops, f);
}

static bool wait_synced(watches_t *w, struct feed *f, mono_t deadline)
{
    LOCKED(&w->lock);
    while (!f->synced)
        if (w->ctl->stopping || !cond_wait_until(&w->changed, &w->lock, deadline))
            return false;
    return true;
}

int watches_start(struct controller *ctl, mono_t deadline, watches_t **out, err_t **err)
{
    watches_t *w = xcalloc(1, sizeof(*w));
    w->ctl = ctl;
    pthread_mutex_init(&w->lock, NULL);
    cond_init(&w->changed);
    w->apps.brief = projection_new(apps_event_paths, apps_event_npaths);
    w->apps.is_known = is_known_app;
    *out = w;
    feed_start(w, &w->projects, &project_resource, ctl->options.ns, put_project);
    if (!wait_synced(w, &w->projects, deadline))
        return err_set(err, ERR_DEADLINE_EXCEEDED, "the projects in namespace %s could not be listed",
                       ctl->options.ns);
    const char *ns = ctl->options.app_namespaces && ctl->options.app_namespaces[0] ? NULL : ctl->options.ns;
    feed_start(w, &w->apps, &application_resource, ns, put_app);
    return 0;
}

void watches_stop(watches_t *w)
{
    if (!w)
        return;
    kube_watch_stop(w->apps.watch);
    kube_watch_stop(w->projects.watch);
    projection_free(w->apps.brief);
    map_dispose(&w->apps.seen);
    map_dispose(&w->projects.seen);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->changed);
    free(w);
}

bool watches_synced(watches_t *w)
{
    LOCKED(&w->lock);
    return w->apps.synced;
}

/* ---- what other changes set in motion ---- */

static void tell_request(const struct app *app, const cluster_t *cluster, const struct cache_change *change)
{
    const struct obj_key *k = &change->key;
    log_write(change->managed ? LOG_INFO : LOG_DEBUG,
              LOGF({"application", app->name}, {"app-namespace", app->ns},
                   {"comparison-level", change->managed ? "1" : "0"},
                   {"namespace", *k->ns ? k->ns : "(cluster-scoped)"}, {"name", k->name},
                   {"api-group", k->group}, {"kind", k->kind}, {"server", cluster_server(cluster)},
                   {"cluster-name", cluster_name(cluster)}),
              "Requesting app refresh caused by object update");
}

void watch_cluster_changed(void *ctx, cluster_t *cluster, const struct cache_change *change)
{
    struct controller *ctl = ctx;
    AUTO(free_p) char *key = controller_key_of(ctl, change->app);
    struct app *app = apps_get(ctl->apps, key);
    if (!app)
        return;
    bool here, operating;
    {
        LOCKED(&app->lock);
        here = app->cluster == cluster;
        operating = app->operating;
        if (here && change->managed) {
            free(app->woken_by);
            app->woken_by = xasprintf("%s %s%s%s changed", change->key.kind, change->key.ns,
                                      *change->key.ns ? "/" : "", change->key.name);
        }
    }
    bool itself = strcmp(change->key.kind, "Application") == 0 &&
                  strcmp(change->key.group, ARGO_GROUP) == 0 && strcmp(change->key.name, app->name) == 0 &&
                  strcmp(change->key.ns, app->ns) == 0;
    if (here && !itself) {
        tell_request(app, cluster, change);
        /* Changes come in bursts; an application looks at them together. */
        workq_add_after(ctl->refresh, key, change->managed ? REFRESH_LIVE : REFRESH_TREE,
                        ctl->options.gather ? ctl->options.gather_ns : 0);
        if (operating)
            workq_add_after(ctl->operations, key, OPERATE, OPERATION_GATHER_NS);
    }
    app_unref(ctl->apps, app);
}

static bool concerns_cluster(struct app *app, const cluster_t *cluster)
{
    LOCKED(&app->lock);
    /* What it was last compared with may be an earlier connection to the same server. */
    return !app->cluster || strcmp(cluster_server(app->cluster), cluster_server(cluster)) == 0;
}

void watch_cluster_state(void *ctx, cluster_t *cluster)
{
    struct controller *ctl = ctx;
    AUTO(strv_free_p) char **keys = apps_keys(ctl->apps);
    for (char **k = keys; *k; k++) {
        struct app *app = apps_get(ctl->apps, *k);
        if (app && concerns_cluster(app, cluster))
            workq_add_low(ctl->refresh, *k, REFRESH_TARGET);
        app_unref(ctl->apps, app);
    }
}

/* Destinations by name may have become clear, ambiguous or unknown by any change of clusters. */
static bool is_destination(const json_t *doc, const char *server)
{
    const json_t *d = json_at(doc, "spec", "destination");
    size_t n = strlen(server);
    const char *given = str_or_empty(json_str_at(d, "server"));
    return !str_empty(json_str_at(d, "name")) ||
           (strncmp(given, server, n) == 0 && !given[n + strspn(given + n, "/")]);
}

void watch_world_changed(void *ctx, const char *what, const char *name)
{
    struct controller *ctl = ctx;
    if (!ctl->apps)
        return;
    bool project = strcmp(what, "project") == 0, cluster = strcmp(what, "clusters") == 0;
    if (cluster)
        ownership_clusters_changed(ctl);
    AUTO(strv_free_p) char **keys = apps_keys(ctl->apps);
    for (char **k = keys; *k; k++) {
        struct app *app = apps_get(ctl->apps, *k);
        AUTO_JSON doc = app ? app_doc(app) : NULL;
        bool concerned = doc && (!project || strcmp(app_project(doc), name) == 0) &&
                         (!cluster || is_destination(doc, name));
        if (concerned && ownership_look(ctl, app))
            workq_add_low(ctl->refresh, *k, REFRESH_TARGET);
        app_unref(ctl->apps, app);
    }
}
