/* Clusters that applications go to, for what is asked of them directly. Such requests are rare: each has a
 * connection of its own, and asks only for the group that it is about. */
#include "api-server/services/server.h"
#include "common/base/enc.h"

enum { TIMEOUT_S = 15, ANSWER_MAX = 8 << 20 };

static int open_spec(server_t *s, const char *server, struct reach *out, err_t **err)
{
    size_t n;
    int rc = err_set(err, ERR_NOT_FOUND, "cluster \"%s\" not found", server);
    struct cluster_entry *all = state_clusters(s->state, &n);
    for (size_t i = 0; i < n; i++) {
        const struct cluster_spec *spec = &all[i].spec;
        struct kube_config config;
        if (strcmp(spec->server, server) != 0)
            continue;
        err_clear(err);
        rc = kube_config_of_cluster(spec->server, spec->name, spec->config, NULL, &config, err);
        if (rc < 0)
            break;
        struct kube_options options = {.io = s->io, .timeout_ns = SECONDS(TIMEOUT_S)};
        rc = kube_open(&config, &options, &out->kube, err);
        kube_config_dispose(&config);
        break;
    }
    state_clusters_free(all, n);
    return rc;
}

int reach_open(server_t *s, const json_t *app, struct reach *out, err_t **err)
{
    *out = (struct reach){};
    int rc = state_resolve_destination(s->state, json_at(app, "spec", "destination"), &out->server,
                                       &out->name, &out->cluster_project, err);
    if (rc < 0)
        return rc;
    if (strcmp(out->server, IN_CLUSTER_SERVER) != 0)
        return open_spec(s, out->server, out, err);
    out->kube = s->kube;
    out->borrowed = true;
    return 0;
}

void reach_close(struct reach *r)
{
    if (r->kube && !r->borrowed)
        kube_close(r->kube);
    free(r->server);
    free(r->name);
    free(r->cluster_project);
    *r = (struct reach){};
}

int reach_kind(const struct reach *r, const char *group, const char *version, const char *kind,
               struct kube_resource *out, json_t **held, err_t **err)
{
    AUTO_STR path = STR_INIT, text = STR_MAX(ANSWER_MAX);
    AUTO_JSON list = NULL;
    size_t i;
    json_t *item;
    str_puts(&path, *group ? "/apis/" : "/api/");
    if (*group) {
        url_escape(group, false, &path);
        str_putc(&path, '/');
    }
    url_escape(version, false, &path);
    int rc = kube_raw(r->kube, "GET", str_text(&path), NULL, NULL, 0, NULL, &text, err);
    if (rc == 0)
        rc = json_read(str_text(&text), text.len, &list, err);
    if (rc < 0)
        return rc;
    json_array_foreach(json_object_get(list, "resources"), i, item) {
        const char *plural = str_or_empty(json_str_at(item, "name"));
        if (!str_eq(json_str_at(item, "kind"), kind) || strchr(plural, '/'))
            continue;
        *held = json_incref(item);
        *out = (struct kube_resource){.group = group,
                                      .version = version,
                                      .kind = kind,
                                      .plural = plural,
                                      .singular = str_or_empty(json_str_at(item, "singularName")),
                                      .namespaced = json_bool_at(item, "namespaced"),
                                      .subresources = ""};
        return 0;
    }
    return err_set(err, ERR_NOT_FOUND, "the server could not find the requested resource");
}
