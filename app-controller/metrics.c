#include "app-controller/metrics.h"
#include "common/argo/app.h"
#include "common/argo/giturl.h"
#include "common/kinds/kinds.h"

#include <math.h>

static const char *or_unknown(const char *s)
{
    return str_empty(s) ? "Unknown" : s;
}

/* The destination's server, by its name where the Application gives that. */
static char *server_of(struct controller *ctl, const json_t *doc)
{
    char *server = NULL;
    char *name = NULL, *project = NULL;
    const json_t *destination = json_at(doc, "spec", "destination");
    if (world_resolve(ctl->world, destination, &server, &name, &project, NULL) < 0)
        server = xstrdup(json_str_at(destination, "server"));
    free(name);
    free(project);
    return server ? server : xstrdup("");
}

static void write_app(struct controller *ctl, const json_t *doc, str_t *out)
{
    AUTO_JSON sources = app_sources(doc);
    AUTO(free_p)
    char *repo = giturl_normalize(str_or_empty(json_str_at(json_array_get(sources, 0), "repoURL")));
    AUTO(free_p) char *server = server_of(ctl, doc);
    const char *operation = app_deleting(doc)                                ? "delete"
                            : json_is_map(json_object_get(doc, "operation")) ? "sync"
                                                                             : "";
    metrics_write_sample(out, "argocd_app_info",
                         LABELS("namespace", "name", "project", "autosync_enabled", "repo", "dest_server",
                                "dest_namespace", "sync_status", "health_status", "operation"),
                         LABELS(object_namespace(doc), object_name(doc), app_project(doc),
                                app_auto_sync(doc) ? "true" : "false", repo, server,
                                str_or_empty(json_str_at(doc, "spec", "destination", "namespace")),
                                or_unknown(json_str_at(doc, "status", "sync", "status")),
                                or_unknown(json_str_at(doc, "status", "health", "status")), operation),
                         1);
}

static void write_apps(struct controller *ctl, str_t *out)
{
    metrics_write_head(out, "argocd_app_info", "gauge", "Information about application.");
    AUTO(strv_free_p) char **keys = apps_keys(ctl->apps);
    for (char **k = keys; *k; k++) {
        struct app *app = apps_get(ctl->apps, *k);
        AUTO_JSON doc = app ? app_doc(app) : NULL;
        if (doc)
            write_app(ctl, doc, out);
        app_unref(ctl->apps, app);
    }
}

static void write_cluster_family(const json_t *clusters, str_t *out, const char *name, const char *help,
                                 double (*value)(const json_t *info))
{
    metrics_write_head(out, name, "gauge", help);
    for (size_t i = 0; i < json_array_size(clusters); i++) {
        const json_t *c = json_array_get(clusters, i);
        metrics_write_sample(out, name, LABELS("server"), LABELS(str_or_empty(json_str_at(c, "server"))),
                             value(json_object_get(c, "info")));
    }
}

static double objects(const json_t *info)
{
    return (double)json_int_at(info, "cacheInfo", "resourcesCount");
}

static double kinds(const json_t *info)
{
    return (double)json_int_at(info, "cacheInfo", "apisCount");
}

static double age(const json_t *info)
{
    wall_t at;
    if (!json_to_time(json_at(info, "cacheInfo", "lastCacheSyncTime"), &at))
        return -1;
    return floor((double)(wall_now().ns - at.ns) / (double)NS_PER_SEC);
}

static void write_clusters(struct controller *ctl, str_t *out)
{
    AUTO_JSON clusters = world_clusters(ctl->world);
    metrics_write_head(out, "argocd_cluster_info", "gauge", "Information about cluster.");
    for (size_t i = 0; i < json_array_size(clusters); i++) {
        const json_t *c = json_array_get(clusters, i);
        metrics_write_sample(out, "argocd_cluster_info", LABELS("server", "k8s_version", "name"),
                             LABELS(str_or_empty(json_str_at(c, "server")),
                                    str_or_empty(json_str_at(c, "info", "serverVersion")),
                                    str_or_empty(json_str_at(c, "name"))),
                             1);
    }
    metrics_write_head(out, "argocd_cluster_connection_status", "gauge",
                       "The k8s cluster current connection status.");
    for (size_t i = 0; i < json_array_size(clusters); i++) {
        const json_t *c = json_array_get(clusters, i);
        bool good = str_eq(json_str_at(c, "info", "connectionState", "status"), "Successful");
        metrics_write_sample(out, "argocd_cluster_connection_status", LABELS("server", "k8s_version"),
                             LABELS(str_or_empty(json_str_at(c, "server")),
                                    str_or_empty(json_str_at(c, "info", "serverVersion"))),
                             good ? 1 : 0);
    }
    write_cluster_family(clusters, out, "argocd_cluster_api_resource_objects",
                         "Number of k8s resource objects in the cache.", objects);
    write_cluster_family(clusters, out, "argocd_cluster_api_resources",
                         "Number of monitored kubernetes API resources.", kinds);
    write_cluster_family(clusters, out, "argocd_cluster_cache_age_seconds", "Cluster cache age in seconds.",
                         age);
}

static void write_queue(const char *name, workq_t *q, str_t *out)
{
    struct workq_stats s;
    workq_stats(q, &s);
    const char *const *labels = LABELS("name"), *const *values = LABELS(name);
    metrics_write_sample(out, "workqueue_depth", labels, values, (double)s.ready);
}

static void write_all(void *arg, str_t *out)
{
    struct controller *ctl = arg;
    write_apps(ctl, out);
    write_clusters(ctl, out);
    metrics_write_head(out, "workqueue_depth", "gauge", "Current depth of workqueue");
    write_queue("app_reconciliation_queue", ctl->refresh, out);
    write_queue("app_operation_processing_queue", ctl->operations, out);
}

void controller_metrics_init(struct controller *ctl)
{
    static const double bounds[] = {0.25, 0.5, 1, 2, 4, 8, 16};
    metrics_t *m = ctl->metrics = metrics_new();
    metrics_add_process(m);
    ctl->m_reconcile = metric_histogram(m, "argocd_app_reconcile",
                                        "Application reconciliation performance in seconds.", bounds,
                                        ARRAY_LEN(bounds), LABELS("namespace", "dest_server"));
    ctl->m_sync = metric_counter(m, "argocd_app_sync_total", "Number of application syncs.",
                                 LABELS("namespace", "name", "project", "dest_server", "phase", "dry_run"));
    ctl->m_sync_seconds = metric_counter(m, "argocd_app_sync_duration_seconds_total",
                                         "Application sync performance in seconds total.",
                                         LABELS("namespace", "name", "project", "dest_server"));
    metrics_on_write(m, write_all, ctl);
}

void metrics_reconciled(struct controller *ctl, const json_t *doc, mono_t started)
{
    AUTO(free_p) char *server = server_of(ctl, doc);
    metric_observe_since(ctl->m_reconcile, started, LABELS(object_namespace(doc), server));
}

void metrics_synced(struct controller *ctl, const json_t *doc, const json_t *state)
{
    AUTO(free_p) char *server = server_of(ctl, doc);
    bool dry_run = json_bool_at(state, "operation", "sync", "dryRun");
    metric_inc(ctl->m_sync, LABELS(object_namespace(doc), object_name(doc), app_project(doc), server,
                                   str_or_empty(json_str_at(state, "phase")), dry_run ? "true" : "false"));
    wall_t started, finished;
    if (json_to_time(json_object_get(state, "startedAt"), &started) &&
        json_to_time(json_object_get(state, "finishedAt"), &finished))
        metric_add(ctl->m_sync_seconds, floor((double)(finished.ns - started.ns) / (double)NS_PER_SEC),
                   LABELS(object_namespace(doc), object_name(doc), app_project(doc), server));
}
