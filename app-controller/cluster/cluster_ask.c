/* What is known of a cluster, for whoever asks. */
#include "app-controller/cluster/cluster_internal.h"

const char *cluster_server(const cluster_t *c)
{
    return c->spec.server;
}

const char *cluster_name(const cluster_t *c)
{
    return c->spec.name;
}

const struct cluster_spec *cluster_spec(const cluster_t *c)
{
    return &c->spec;
}

cache_t *cluster_cache(cluster_t *c)
{
    return c->cache;
}

kube_t *cluster_kube(cluster_t *c)
{
    LOCKED(&c->lock);
    return c->kube;
}

int cluster_ready(cluster_t *c, mono_t deadline, err_t **err)
{
    LOCKED(&c->lock);
    while (!c->was_ready && !c->stopping && mono_left(deadline) && !(c->error && !c->connected))
        cond_wait_until(&c->changed, &c->lock, deadline);
    if (c->was_ready && !c->stopping)
        return 0;
    if (c->stopping)
        return err_set(err, ERR_CANCELED, "cluster %s is no longer managed", c->spec.server);
    if (c->error)
        return err_set(err, ERR_UNAVAILABLE, "cluster %s: %s", c->spec.server, err_text(c->error));
    return err_set(err, ERR_UNAVAILABLE, "cluster %s: its objects are still being listed", c->spec.server);
}

kube_api_t *cluster_api(cluster_t *c)
{
    LOCKED(&c->lock);
    return c->api ? kube_api_ref(c->api) : NULL;
}

char *cluster_version(cluster_t *c)
{
    LOCKED(&c->lock);
    return xstrdup(str_or_empty(c->version));
}

static void put_time(json_t *o, const char *key, wall_t t)
{
    char text[RFC3339_TEXT];
    rfc3339(t, text);
    if (t.ns)
        json_set_str(o, key, text);
    else
        json_object_set_new_nocheck(o, key, json_null());
}

json_t *cluster_info(cluster_t *c)
{
    struct cache_stats stats;
    cache_stats(c->cache, &stats);
    json_t *versions = json_array();
    kube_api_t *api = cluster_api(c);
    for (char *const *v = kube_api_versions(api); *v; v++)
        json_array_append_new(versions, json_str_new(*v));
    kube_api_unref(api);
    json_t *info = json_object(), *state = json_object(), *cache = json_object();
    LOCKED(&c->lock);
    const char *status = c->error ? "Failed" : c->was_ready ? "Successful" : "Unknown";
    json_set_str(state, "status", status);
    json_set_str(state, "message", c->error ? err_text(c->error) : "");
    put_time(state, "attemptedAt", c->tried_at);
    json_object_set_new_nocheck(cache, "resourcesCount", json_integer((json_int_t)stats.objects));
    json_object_set_new_nocheck(cache, "apisCount", json_integer((json_int_t)stats.kinds));
    put_time(cache, "lastCacheSyncTime", c->synced_at);
    json_object_set_new_nocheck(info, "connectionState", state);
    json_object_set_new_nocheck(info, "cacheInfo", cache);
    json_put_str(info, "serverVersion", c->version);
    json_object_set_new_nocheck(info, "apiVersions", versions);
    return info;
}
