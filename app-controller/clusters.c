#include "app-controller/clusters.h"
#include "app-controller/ownership.h"
#include "common/base/log.h"
#include "common/base/map.h"

#define LABEL_AUTO    "argocd.argoproj.io/auto-label-cluster-info"
#define LABEL_VERSION "argocd.argoproj.io/kubernetes-version"

static const int64_t INFO_TTL = SECONDS(600);

struct clusters {
    struct controller *ctl;
    pthread_t thread;
    lock_t lock; /* guards stopping */
    cond_t wake;
    bool stopping;
};

static void count(map_t *counts, const char *server)
{
    map_put(counts, server, (void *)((uintptr_t)map_get(counts, server) + 1));
}

/* By what its last refresh resolved; by its document where there was none yet. */
static void count_app(struct controller *ctl, struct app *app, map_t *counts)
{
    {
        LOCKED(&app->lock);
        if (app->cluster) {
            count(counts, cluster_server(app->cluster));
            return;
        }
    }
    AUTO_JSON doc = app_doc(app);
    AUTO(free_p) char *server = NULL;
    AUTO(free_p) char *name = NULL;
    AUTO(free_p) char *project = NULL;
    if (doc &&
        world_resolve(ctl->world, json_at(doc, "spec", "destination"), &server, &name, &project, NULL) == 0)
        count(counts, server);
}

static void count_apps(struct controller *ctl, map_t *counts)
{
    AUTO(strv_free_p) char **keys = apps_keys(ctl->apps);
    for (char **k = keys; *k; k++) {
        struct app *app = apps_get(ctl->apps, *k);
        if (!app)
            continue;
        count_app(ctl, app, counts);
        app_unref(ctl->apps, app);
    }
}

static json_t *unknown(bool has_apps)
{
    json_t *info = json_object();
    json_put_at(info, json_str_new("Unknown"), "connectionState", "status");
    json_put_at(info, json_str_new(has_apps ? "" : "Cluster has no applications and is not being monitored."),
                "connectionState", "message");
    json_put_at(info, json_null(), "connectionState", "attemptedAt");
    json_object_set_new_nocheck(info, "cacheInfo", json_object());
    return info;
}

json_t *clusters_of_replica(struct controller *ctl)
{
    json_t *all = world_clusters(ctl->world);
    for (size_t i = json_array_size(all); i-- > 0;)
        if (!ownership_of_cluster(ctl, str_or_empty(json_str_at(json_array_get(all, i), "server"))))
            json_array_remove(all, i);
    return all;
}

json_t *clusters_describe(struct controller *ctl)
{
    json_t *all = clusters_of_replica(ctl);
    map_t counts = MAP_INIT(NULL);
    count_apps(ctl, &counts);
    for (size_t i = 0; i < json_array_size(all); i++) {
        json_t *c = json_array_get(all, i);
        uintptr_t apps = (uintptr_t)map_get(&counts, str_or_empty(json_str_at(c, "server")));
        if (!json_object_get(c, "info"))
            json_object_set_new_nocheck(c, "info", unknown(apps > 0));
        json_put_at(c, json_integer((json_int_t)apps), "info", "applicationsCount");
    }
    map_dispose(&counts);
    return all;
}

static void write_info(struct controller *ctl, const char *server, const json_t *info)
{
    AUTO(free_p) char *key = xasprintf("cluster|info|%s", server);
    AUTO_STR text = STR_INIT;
    AUTO_ERR err = NULL;
    json_write(info, JSON_GO, &text);
    if (redis_set_sealed(ctl->redis, ctl->seal, key, str_text(&text), text.len, INFO_TTL, &err) < 0)
        log_debug(NULL, "redis: %s", err_text(err));
}

/* Whose Secret asks for it carries the cluster's version as a label. */
static void label(struct controller *ctl, const json_t *cluster)
{
    static const struct kube_resource secrets = {.group = "",
                                                 .version = "v1",
                                                 .kind = "Secret",
                                                 .plural = "secrets",
                                                 .singular = "secret",
                                                 .namespaced = true,
                                                 .preferred = true,
                                                 .subresources = ""};
    const json_t *labels = json_object_get(cluster, "labels");
    const char *secret = json_str_at(cluster, "secret"),
               *version = json_str_at(cluster, "info", "serverVersion");
    bool asked = str_eq(json_string_value(json_object_get(labels, LABEL_AUTO)), "true");
    if (!asked || str_empty(secret) || str_empty(version) ||
        str_eq(json_string_value(json_object_get(labels, LABEL_VERSION)), version))
        return;
    AUTO_JSON patch = json_object();
    AUTO_ERR err = NULL;
    json_put_at(patch, json_str_new(version), "metadata", "labels", LABEL_VERSION);
    /* Not for any application: over the connection without a gate. */
    if (kube_patch(ctl->lease_kube, &secrets, ctl->options.ns, secret, KUBE_PATCH_MERGE, patch, NULL, NULL,
                   &err) < 0)
        log_warn(LOGF({"server", json_str_at(cluster, "server")}), "Failed to update cluster labels: %s",
                 err_text(err));
}

static void publish_all(struct controller *ctl)
{
    bool shared = ctl->seal && redis_available(ctl->redis);
    AUTO_JSON all = clusters_describe(ctl);
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *c = json_array_get(all, i);
        if (shared)
            write_info(ctl, str_or_empty(json_str_at(c, "server")), json_object_get(c, "info"));
        label(ctl, c);
    }
}

static void *publish_main(void *arg)
{
    clusters_t *p = arg;
    for (;;) {
        mono_t next = mono_after(mono_now(), p->ctl->options.cluster_info_ns);
        {
            LOCKED(&p->lock);
            while (!p->stopping && mono_left(next))
                cond_wait_until(&p->wake, &p->lock, next);
            if (p->stopping)
                return NULL;
        }
        publish_all(p->ctl);
    }
}

clusters_t *clusters_publish_start(struct controller *ctl)
{
    clusters_t *p = xcalloc(1, sizeof(*p));
    p->ctl = ctl;
    pthread_mutex_init(&p->lock, NULL);
    cond_init(&p->wake);
    p->thread = thread_start("cluster-info", publish_main, p);
    return p;
}

void clusters_publish_stop(clusters_t *p)
{
    if (!p)
        return;
    {
        LOCKED(&p->lock);
        p->stopping = true;
        pthread_cond_signal(&p->wake);
    }
    pthread_join(p->thread, NULL);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->wake);
    free(p);
}
