#include "app-controller/metrics.h"
#include "app-controller/clusters.h"
#include "app-controller/ownership.h"
#include "common/argo/app.h"
#include "common/argo/giturl.h"
#include "common/base/log.h"
#include "common/kinds/kinds.h"

#include <math.h>
#include <unistd.h>

static const char *or_unknown(const char *s)
{
    return str_empty(s) ? "Unknown" : s;
}

/* The destination's server; "" where that cannot be told. */
static char *server_of(struct controller *ctl, const json_t *doc)
{
    char *server = NULL;
    char *name = NULL, *project = NULL;
    const json_t *destination = json_at(doc, "spec", "destination");
    world_resolve(ctl->world, destination, &server, &name, &project, NULL);
    free(name);
    free(project);
    return server ? server : xstrdup("");
}

/* A scrape gathers the families that have a series per application side by side. */
struct app_families {
    str_t info, labels, conditions, orphans, sync, health, created;
};

/* namespace, name, project and further ones. */
static void sample_of_app(str_t *out, const char *family, const json_t *doc, const char *label,
                          const char *value, double v)
{
    metrics_write_sample(out, family, LABELS("namespace", "name", "project", label),
                         LABELS(object_namespace(doc), object_name(doc), app_project(doc), value), v);
}

/* "label_app_kubernetes_io_name" of each, with `first` in front. */
static char **label_names(const char *const *first, char *const *labels)
{
    size_t n = strv_len((char **)(uintptr_t)first), m = strv_len((char **)(uintptr_t)labels);
    char **names = xcalloc(n + m + 1, sizeof(*names));
    for (size_t i = 0; i < n; i++)
        names[i] = xstrdup(first[i]);
    for (size_t i = 0; i < m; i++) {
        names[n + i] = xasprintf("label_%s", labels[i]);
        for (char *p = names[n + i]; *p; p++)
            if (!(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z') && !(*p >= '0' && *p <= '9'))
                *p = '_';
    }
    return names;
}

static void write_labels(str_t *out, const char *family, const char *const *names, const char *const *values,
                         char *const *labels, const json_t *have)
{
    AUTO(strv_free_p) char **all = label_names(names, labels);
    size_t n = strv_len((char **)(uintptr_t)values), m = strv_len((char **)(uintptr_t)labels);
    AUTO(free_p) const char **v = xcalloc(n + m + 1, sizeof(*v));
    for (size_t i = 0; i < n; i++)
        v[i] = values[i];
    for (size_t i = 0; i < m; i++)
        v[n + i] = str_or_empty(json_string_value(json_object_get(have, labels[i])));
    metrics_write_sample(out, family, (const char *const *)all, v, 1);
}

static void write_conditions(struct controller *ctl, const json_t *doc, str_t *out)
{
    const json_t *conditions = json_at(doc, "status", "conditions");
    for (char **type = ctl->options.metrics_conditions; type && *type; type++) {
        size_t n = 0;
        for (size_t i = 0; i < json_array_size(conditions); i++)
            n += str_eq(json_str_at(json_array_get(conditions, i), "type"), *type);
        if (n)
            sample_of_app(out, "argocd_app_condition", doc, "condition", *type, (double)n);
    }
}

static void write_legacy(const json_t *doc, struct app_families *f)
{
    static const char *const syncs[] = {"Synced", "OutOfSync", "Unknown"};
    static const char *const healths[] = {"Unknown", "Progressing", "Suspended",
                                          "Healthy", "Degraded",    "Missing"};
    const char *sync = or_unknown(json_str_at(doc, "status", "sync", "status")),
               *health = or_unknown(json_str_at(doc, "status", "health", "status"));
    for (size_t i = 0; i < ARRAY_LEN(syncs); i++)
        sample_of_app(&f->sync, "argocd_app_sync_status", doc, "sync_status", syncs[i],
                      strcmp(sync, syncs[i]) == 0);
    for (size_t i = 0; i < ARRAY_LEN(healths); i++)
        sample_of_app(&f->health, "argocd_app_health_status", doc, "health_status", healths[i],
                      strcmp(health, healths[i]) == 0);
    wall_t created;
    if (json_to_time(json_at(doc, "metadata", "creationTimestamp"), &created))
        sample_of_app(&f->created, "argocd_app_created_time", doc, NULL, NULL,
                      (double)(created.ns / NS_PER_SEC));
}

static void write_info(struct controller *ctl, const json_t *doc, str_t *out)
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

static void write_app(struct controller *ctl, struct app *app, const json_t *doc, struct app_families *f)
{
    size_t orphans;
    {
        LOCKED(&app->lock);
        orphans = app->norphans;
    }
    sample_of_app(&f->orphans, "argocd_app_orphaned_resources_count", doc, NULL, NULL, (double)orphans);
    if (ctl->options.metrics_labels)
        write_labels(&f->labels, "argocd_app_labels", LABELS("namespace", "name", "project"),
                     LABELS(object_namespace(doc), object_name(doc), app_project(doc)),
                     ctl->options.metrics_labels, json_at(doc, "metadata", "labels"));
    write_conditions(ctl, doc, &f->conditions);
    if (ctl->options.metrics_legacy)
        write_legacy(doc, f);
    write_info(ctl, doc, &f->info);
}

static void write_apps(struct controller *ctl, str_t *out)
{
    struct app_families f = {};
    AUTO(strv_free_p) char **keys = apps_keys(ctl->apps);
    for (char **k = keys; *k; k++) {
        struct app *app = apps_get(ctl->apps, *k);
        AUTO_JSON doc = app ? app_doc(app) : NULL;
        if (doc && ownership_has(ctl, app))
            write_app(ctl, app, doc, &f);
        app_unref(ctl->apps, app);
    }
    struct {
        str_t *text;
        const char *name, *help;
    } families[] = {
        {&f.info, "argocd_app_info", "Information about application."},
        {&f.labels, "argocd_app_labels", "Argo Application labels converted to Prometheus labels"},
        {&f.conditions, "argocd_app_condition", "Report application conditions."},
        {&f.orphans, "argocd_app_orphaned_resources_count", "Number of orphaned resources per application"},
        {&f.sync, "argocd_app_sync_status", "The application current sync status."},
        {&f.health, "argocd_app_health_status", "The application current health status."},
        {&f.created, "argocd_app_created_time", "Creation time in unix timestamp for an application."}};
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        if (families[i].text->len) {
            metrics_write_head(out, families[i].name, "gauge", families[i].help);
            str_add(out, str_text(families[i].text), families[i].text->len);
        }
        str_dispose(families[i].text);
    }
}

static void write_cluster_labels(struct controller *ctl, const json_t *clusters, str_t *out)
{
    if (!ctl->options.metrics_cluster_labels)
        return;
    metrics_write_head(out, "argocd_cluster_labels", "gauge",
                       "Argo Cluster labels converted to Prometheus labels");
    for (size_t i = 0; i < json_array_size(clusters); i++) {
        const json_t *c = json_array_get(clusters, i);
        write_labels(out, "argocd_cluster_labels", LABELS("server", "name"),
                     LABELS(str_or_empty(json_str_at(c, "server")), str_or_empty(json_str_at(c, "name"))),
                     ctl->options.metrics_cluster_labels, json_object_get(c, "labels"));
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
    AUTO_JSON clusters = clusters_of_replica(ctl);
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
    write_cluster_labels(ctl, clusters, out);
}

struct queue {
    const char *name;
    struct workq_stats stats;
};

static void write_queue_figures(const struct queue *queues, size_t n, str_t *out)
{
    static const struct {
        const char *name, *type, *help;
    } families[] = {
        {"workqueue_depth", "gauge", "Current depth of workqueue"},
        {"workqueue_adds_total", "counter", "Total number of adds handled by workqueue"},
        {"workqueue_retries_total", "counter", "Total number of adds that were put off"},
        {"workqueue_unfinished_work_seconds", "gauge", "How long the work under way has taken, together"},
        {"workqueue_longest_running_processor_seconds", "gauge",
         "How long the longest work under way has taken"},
    };
    for (size_t f = 0; f < ARRAY_LEN(families); f++) {
        metrics_write_head(out, families[f].name, families[f].type, families[f].help);
        for (size_t i = 0; i < n; i++) {
            const struct workq_stats *s = &queues[i].stats;
            const double values[] = {(double)s->ready, (double)s->added, (double)s->put_off, s->unfinished,
                                     s->longest};
            const char *name = queues[i].name;
            if (f == 0) /* the depth also has a priority, which nobody sets */
                metrics_write_sample(out, families[f].name, LABELS("name", "controller", "priority"),
                                     LABELS(name, name, ""), values[f]);
            else
                metrics_write_sample(out, families[f].name, LABELS("name", "controller"), LABELS(name, name),
                                     values[f]);
        }
    }
}

static void write_queue_times(const struct queue *queues, size_t n, str_t *out)
{
    static const char *const names[] = {"workqueue_queue_duration_seconds",
                                        "workqueue_work_duration_seconds"};
    static const char *const helps[] = {"How long items stay in the queue", "How long an item is worked on"};
    for (size_t f = 0; f < ARRAY_LEN(names); f++) {
        metrics_write_head(out, names[f], "histogram", helps[f]);
        for (size_t i = 0; i < n; i++) {
            const struct workq_times *t = f ? &queues[i].stats.worked : &queues[i].stats.waited;
            metrics_write_histogram(out, names[f], LABELS("name", "controller"),
                                    LABELS(queues[i].name, queues[i].name), workq_bounds, t->counts,
                                    WORKQ_BOUNDS, t->seconds);
        }
    }
}

static void write_queues(struct controller *ctl, str_t *out)
{
    struct queue queues[] = {{.name = "app_reconciliation_queue"},
                             {.name = "app_operation_processing_queue"},
                             {.name = "project_reconciliation_queue"}};
    workq_stats(ctl->refresh, &queues[0].stats);
    workq_stats(ctl->operations, &queues[1].stats);
    workq_stats(ctl->projects, &queues[2].stats);
    write_queue_figures(queues, ARRAY_LEN(queues), out);
    write_queue_times(queues, ARRAY_LEN(queues), out);
}

/* ---- what is gone has no series any more ---- */

static bool app_is_there(void *arg, const char *const *values)
{
    struct controller *ctl = arg;
    AUTO(free_p) char *key = xasprintf("%s/%s", values[0], values[1]);
    return apps_has(ctl->apps, key);
}

static bool server_is_there(void *arg, const char *const *values)
{
    return map_has(arg, values[0]);
}

static bool destination_is_there(void *arg, const char *const *values)
{
    return !*values[1] || map_has(arg, values[1]);
}

static bool nothing_stays(void *arg, const char *const *values)
{
    return false;
}

/* metrics-cache-expiration: what counts begins anew from time to time. */
static void expire(struct controller *ctl)
{
    metric_t *const families[] = {ctl->m_sync,      ctl->m_sync_seconds, ctl->m_app_requests,
                                  ctl->m_reconcile, ctl->m_events,       ctl->m_redis,
                                  ctl->m_batch,     ctl->m_batch_size,   ctl->m_redis_seconds};
    int64_t now = mono_now().ns, none = 0;
    if (!ctl->options.metrics_expiration_ns ||
        atomic_compare_exchange_strong(&ctl->metrics_since, &none, now) ||
        now - ctl->metrics_since < ctl->options.metrics_expiration_ns)
        return;
    ctl->metrics_since = now;
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        metric_retain(families[i], nothing_stays, NULL);
    metrics_kube_reset(ctl, nothing_stays);
    log_info(NULL, "Reset Prometheus metrics based on existing expiration");
}

static void forget_gone(struct controller *ctl)
{
    metric_t *const of_apps[] = {ctl->m_sync, ctl->m_sync_seconds, ctl->m_app_requests};
    metric_t *const of_servers[] = {ctl->m_events, ctl->m_batch, ctl->m_batch_size};
    for (size_t i = 0; i < ARRAY_LEN(of_apps); i++)
        metric_retain(of_apps[i], app_is_there, ctl);
    map_t servers = MAP_INIT(NULL);
    AUTO_JSON clusters = world_clusters(ctl->world);
    for (size_t i = 0; i < json_array_size(clusters); i++)
        map_put(&servers, str_or_empty(json_str_at(json_array_get(clusters, i), "server")), NULL);
    for (size_t i = 0; i < ARRAY_LEN(of_servers); i++)
        metric_retain(of_servers[i], server_is_there, &servers);
    metric_retain(ctl->m_reconcile, destination_is_there, &servers);
    metrics_kube_retain(ctl, &servers);
    map_dispose(&servers);
}

static void write_all(void *arg, str_t *out)
{
    struct controller *ctl = arg;
    write_apps(ctl, out);
    write_clusters(ctl, out);
    write_queues(ctl, out);
    forget_gone(ctl);
    expire(ctl);
}

/* ---- what is told as it happens ---- */

void metrics_cluster_event(void *arg, const char *server, const char *group, const char *kind, mono_t began)
{
    struct controller *ctl = arg;
    metric_inc(ctl->m_events, LABELS(server, group, kind));
    /* Events are not gathered into batches but taken in as they come. */
    metric_observe_since(ctl->m_batch, began, LABELS(server));
    metric_set(ctl->m_batch_size, 1, LABELS(server));
}

static void on_redis_request(void *arg, const char *command, bool failed, int64_t duration_ns)
{
    static const char initiator[] = "argocd-application-controller";
    struct controller *ctl = arg;
    metric_inc(ctl->m_redis, LABELS(ctl->hostname, initiator, command, failed ? "true" : "false"));
    metric_observe(ctl->m_redis_seconds, (double)duration_ns / (double)NS_PER_SEC,
                   LABELS(ctl->hostname, initiator));
}

static void observers_init(struct controller *ctl)
{
    static const double batch[] = {0.25, 0.5, 1, 2, 4, 8, 16}, redis[] = {0.01, 0.05, 0.1, 0.25, 0.5, 1};
    metrics_t *m = ctl->metrics;
    ctl->m_events = metric_counter(m, "argocd_cluster_events_total",
                                   "Number of processes k8s resource events.",
                                   LABELS("server", "group", "kind"));
    ctl->m_batch = metric_histogram(m, "argocd_resource_events_processing",
                                    "Time to process resource events in seconds.", batch, ARRAY_LEN(batch),
                                    LABELS("server"));
    ctl->m_batch_size = metric_gauge(m, "argocd_resource_events_processed_in_batch",
                                     "Number of resource events processed in batch", LABELS("server"));
    ctl->m_redis = metric_counter(m, "argocd_redis_request_total",
                                  "Number of redis requests executed during application reconciliation.",
                                  LABELS("hostname", "initiator", "command", "failed"));
    ctl->m_redis_seconds = metric_histogram(m, "argocd_redis_request_duration", "Redis requests duration.",
                                            redis, ARRAY_LEN(redis), LABELS("hostname", "initiator"));
    redis_observe(ctl->redis, on_redis_request, ctl);
}

void controller_metrics_init(struct controller *ctl)
{
    static const double bounds[] = {0.25, 0.5, 1, 2, 4, 8, 16};
    metrics_t *m = ctl->metrics;
    metrics_add_process(m);
    ctl->m_reconcile = metric_histogram(m, "argocd_app_reconcile",
                                        "Application reconciliation performance in seconds.", bounds,
                                        ARRAY_LEN(bounds), LABELS("namespace", "dest_server"));
    ctl->m_sync = metric_counter(m, "argocd_app_sync_total", "Number of application syncs.",
                                 LABELS("namespace", "name", "project", "dest_server", "phase", "dry_run"));
    ctl->m_sync_seconds = metric_counter(m, "argocd_app_sync_duration_seconds_total",
                                         "Application sync performance in seconds total.",
                                         LABELS("namespace", "name", "project", "dest_server"));
    observers_init(ctl);
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
