/* cluster.ClusterService: reading. What is shown of a cluster is built field by field: a credential cannot
 * slip in. */
#include "api-server/services/server.h"

#include "common/base/enc.h"

/* ---- what the controller knows of a cluster ---- */

static json_t *zero_state(const char *status, const char *message)
{
    json_t *o = json_object();
    json_set_str(o, "status", status);
    json_set_str(o, "message", message);
    json_object_set_new(o, "attemptedAt", json_null());
    return o;
}

static json_t *cluster_info(const json_t *infos, const char *server)
{
    const json_t *known = json_object_get(infos, server);
    if (known)
        return json_copy_deep(known);
    json_t *info = json_object();
    json_object_set_new(info, "connectionState",
                        zero_state("Unknown", "Cluster has no applications and is not being monitored."));
    return info;
}

static void complete_info(json_t *info)
{
    if (!json_object_get(info, "connectionState"))
        json_object_set_new(info, "connectionState", zero_state("Unknown", ""));
    if (!json_object_get(info, "cacheInfo"))
        json_object_set_new(info, "cacheInfo", json_object());
    if (!json_object_get(info, "applicationsCount"))
        json_object_set_new(info, "applicationsCount", json_integer(0));
}

/* ---- the shape ---- */

static void copy_if(json_t *to, const char *key, const json_t *from)
{
    json_t *v = json_object_get(from, key);
    if (v && !json_is_zero(v))
        json_object_set(to, key, v);
}

static json_t *config_shown(const json_t *config)
{
    json_t *o = json_object(), *tls = json_object();
    const json_t *given = json_object_get(config, "tlsClientConfig");
    json_object_set_new(tls, "insecure", json_boolean(json_bool_at(given, "insecure")));
    copy_if(tls, "serverName", given);
    json_object_set_new(o, "tlsClientConfig", tls);
    copy_if(o, "awsAuthConfig", config);
    copy_if(o, "disableCompression", config);
    copy_if(o, "proxyUrl", config);
    return o;
}

static json_t *texts(char *const *list)
{
    json_t *a = json_array();
    for (; list && *list; list++)
        json_array_append_new(a, json_str_new(*list));
    return a;
}

json_t *cluster_shown(const struct cluster_entry *e, const json_t *infos)
{
    const struct cluster_spec *c = &e->spec;
    json_t *o = json_object(), *info = cluster_info(infos, c->server);
    AUTO_JSON namespaces = texts(c->namespaces);
    complete_info(info);
    json_set_str(o, "server", c->server);
    json_set_str(o, "name", c->name);
    json_object_set_new(o, "config", config_shown(c->config));
    json_object_set(o, "connectionState", json_object_get(info, "connectionState"));
    json_put_str(o, "serverVersion", json_str_at(info, "serverVersion"));
    if (json_array_size(namespaces))
        json_object_set(o, "namespaces", namespaces);
    json_put_str(o, "refreshRequestedAt", c->refresh_requested);
    json_object_set_new(o, "info", info);
    if (c->shard >= 0)
        json_object_set_new(o, "shard", json_integer(c->shard));
    if (c->cluster_resources)
        json_object_set_new(o, "clusterResources", json_true());
    json_put_str(o, "project", c->project);
    AUTO_JSON labels = json_copy(e->labels);
    AUTO_JSON annotations = json_copy(e->annotations);
    json_object_del(annotations,
                    "kubectl.kubernetes.io/last-applied-configuration"); /* holds the Secret's data */
    if (json_object_size(labels))
        json_object_set(o, "labels", labels);
    if (json_object_size(annotations))
        json_object_set(o, "annotations", annotations);
    return o;
}

/* ---- methods ---- */

static char *object_of(const struct cluster_entry *e)
{
    return *e->spec.project ? xasprintf("%s/%s", e->spec.project, e->spec.server) : xstrdup(e->spec.server);
}

static bool visible(call_t *c, const struct cluster_entry *e)
{
    AUTO(free_p) char *object = object_of(e);
    return call_allowed(c, "clusters", "get", object);
}

struct wanted {
    char *server, *name; /* NULL: any */
};

static void read_wanted(const call_t *c, struct wanted *w)
{
    const char *type = str_or_empty(json_str_at(c->in, "id", "type")),
               *value = json_str_at(c->in, "id", "value");
    const char *server = json_str_at(c->in, "server"), *name = json_str_at(c->in, "name");
    AUTO_STR plain = STR_INIT;
    *w = (struct wanted){str_empty(server) ? NULL : xstrdup(server), str_empty(name) ? NULL : xstrdup(name)};
    if (str_empty(value))
        return;
    bool by_name = !strcmp(type, "name") || !strcmp(type, "name_escaped");
    if (!strcmp(type, "name_escaped") && url_unescape(view_of(value), true, &plain))
        value = str_text(&plain);
    char **slot = by_name ? &w->name : &w->server;
    free(*slot);
    *slot = xstrdup(value);
}

static bool is_wanted(const struct wanted *w, const struct cluster_entry *e)
{
    size_t n = w->server ? strlen(w->server) : 0;
    while (n && w->server[n - 1] == '/')
        n--;
    if (w->server && (strlen(e->spec.server) != n || strncmp(w->server, e->spec.server, n) != 0))
        return false;
    return !w->name || !strcmp(w->name, e->spec.name);
}

static void wanted_dispose(struct wanted *w)
{
    free(w->server);
    free(w->name);
}

static int list(call_t *c, json_t **out, err_t **err)
{
    struct wanted w;
    size_t n;
    struct cluster_entry *all = state_clusters(c->s->state, &n);
    json_t *items = json_array();
    AUTO_JSON infos = NULL;
    read_wanted(c, &w);
    backend_cluster_infos(c->s, "", &infos, NULL);
    for (size_t i = 0; i < n; i++)
        if (is_wanted(&w, &all[i]) && visible(c, &all[i]))
            json_array_append_new(items, cluster_shown(&all[i], infos));
    wanted_dispose(&w);
    state_clusters_free(all, n);
    *out = json_object();
    json_object_set_new(*out, "metadata", json_object());
    json_object_set_new(*out, "items", items);
    return 0;
}

/* Missing and forbidden answer alike. */
static int get(call_t *c, json_t **out, err_t **err)
{
    struct wanted w;
    size_t n;
    struct cluster_entry *all = state_clusters(c->s->state, &n);
    read_wanted(c, &w);
    bool any = w.server || w.name;
    AUTO_JSON infos = NULL;
    for (size_t i = 0; any && i < n && !*out; i++)
        if (is_wanted(&w, &all[i])) {
            if (visible(c, &all[i])) {
                backend_cluster_infos(c->s, all[i].spec.server, &infos, NULL);
                *out = cluster_shown(&all[i], infos);
            }
            break;
        }
    wanted_dispose(&w);
    state_clusters_free(all, n);
    return *out ? 0 : err_set(err, ERR_PERMISSION_DENIED, "permission denied");
}

const struct handler cluster_handlers[] = {
    {"cluster.ClusterService", "List", list},
    {"cluster.ClusterService", "Get", get},
    {NULL, NULL, NULL},
};
