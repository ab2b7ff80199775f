#include "common/argo/cluster_secret.h"
#include "common/argo/repos.h"
#include "common/kinds/kinds.h"

int cluster_spec_parse(const json_t *secret, struct cluster_spec *out, err_t **err)
{
    AUTO_JSON texts = secret_texts(secret);
    AUTO(free_p) char *server = xstrdup(str_or_empty(json_str_at(texts, "server")));
    while (*server && str_has_suffix(server, "/"))
        server[strlen(server) - 1] = 0;
    if (!*server)
        return err_set(err, ERR_INVALID_ARGUMENT, "cluster secret %s has no server", object_name(secret));
    const char *config = json_str_at(texts, "config"), *name = json_str_at(texts, "name");
    AUTO_JSON parsed = NULL;
    if (!str_empty(config) && json_read_str(config, &parsed, err) < 0)
        return err_wrap(err, "cluster secret %s: config", object_name(secret));
    const char *namespaces = json_str_at(texts, "namespaces"), *shard = json_str_at(texts, "shard");
    *out = (struct cluster_spec){
        .server = TAKE(server),
        .project = xstrdup(str_or_empty(json_str_at(texts, "project"))),
        .namespaces = str_empty(namespaces) ? NULL : strv_split(namespaces, ",", true),
        .cluster_resources = str_eq(json_str_at(texts, "clusterResources"), "true"),
        .uid = xstrdup(object_uid(secret)),
        .secret = xstrdup(object_name(secret)),
        .refresh_requested = xstrdup(str_or_empty(object_annotation(secret, "argocd.argoproj.io/refresh"))),
        .labels = json_object(),
        .config = parsed ? TAKE(parsed) : json_object(),
    };
    out->name = xstrdup(str_empty(name) ? out->server : name);
    json_t *labels = json_at(secret, "metadata", "labels");
    if (json_is_map(labels))
        json_object_update(out->labels, labels);
    if (!str_to_i64(shard, &out->shard))
        out->shard = -1;
    str_to_bool(object_annotation(secret, "argocd.argoproj.io/skip-reconcile"), &out->skip_reconcile);
    return 0;
}

void cluster_spec_in_cluster(struct cluster_spec *out)
{
    *out = (struct cluster_spec){.server = xstrdup(IN_CLUSTER_SERVER),
                                 .name = xstrdup(IN_CLUSTER_NAME),
                                 .project = xstrdup(""),
                                 .shard = -1,
                                 .uid = xstrdup(""),
                                 .secret = xstrdup(""),
                                 .refresh_requested = xstrdup(""),
                                 .labels = json_object(),
                                 .config = json_object()};
}

static char **copy_list(char *const *list)
{
    size_t n = strv_len(list);
    char **out = list ? xcalloc(n + 1, sizeof(*out)) : NULL;
    for (size_t i = 0; i < n; i++)
        out[i] = xstrdup(list[i]);
    return out;
}

void cluster_spec_copy(struct cluster_spec *to, const struct cluster_spec *from)
{
    *to = (struct cluster_spec){.server = xstrdup(from->server),
                                .name = xstrdup(from->name),
                                .project = xstrdup(from->project),
                                .namespaces = copy_list(from->namespaces),
                                .cluster_resources = from->cluster_resources,
                                .shard = from->shard,
                                .uid = xstrdup(from->uid),
                                .secret = xstrdup(from->secret),
                                .skip_reconcile = from->skip_reconcile,
                                .refresh_requested = xstrdup(from->refresh_requested),
                                .labels = json_copy_deep(from->labels),
                                .config = json_copy_deep(from->config)};
}

void cluster_spec_dispose(struct cluster_spec *c)
{
    free(c->server);
    free(c->name);
    free(c->project);
    strv_free(c->namespaces);
    free(c->uid);
    free(c->secret);
    free(c->refresh_requested);
    json_decref(c->labels);
    json_decref(c->config);
    *c = (struct cluster_spec){};
}

static bool same_list(char *const *a, char *const *b)
{
    if (strv_len(a) != strv_len(b) || !a != !b)
        return false;
    for (size_t i = 0; a && a[i]; i++)
        if (strcmp(a[i], b[i]) != 0)
            return false;
    return true;
}

bool cluster_spec_same_connection(const struct cluster_spec *a, const struct cluster_spec *b)
{
    return strcmp(a->server, b->server) == 0 && json_same(a->config, b->config) &&
           same_list(a->namespaces, b->namespaces) && a->cluster_resources == b->cluster_resources;
}
