/* What a cluster may be asked for: which of its objects are managed, which kinds it serves. */
#include "app-controller/cluster/cluster.h"
#include "common/base/vec.h"

int cluster_manages(const cluster_t *c, const struct obj_key *key, bool namespaced, err_t **err)
{
    const struct cluster_spec *spec = cluster_spec(c);
    if (!spec->namespaces)
        return 0;
    if (!namespaced)
        return spec->cluster_resources
                   ? 0
                   : err_set(err, ERR_FAILED_PRECONDITION,
                             "cluster level %s \"%s\" can not be managed when in namespaced mode", key->kind,
                             key->name);
    for (char **n = spec->namespaces; *n; n++)
        if (strcmp(*n, key->ns) == 0)
            return 0;
    return err_set(err, ERR_FAILED_PRECONDITION, "namespace \"%s\" for %s \"%s\" is not managed", key->ns,
                   key->kind, key->name);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **cluster_api_versions(cluster_t *c)
{
    kube_api_t *api = cluster_api(c);
    VEC(char *) list = {};
    size_t n = 0;
    const struct kube_resource *all = api ? kube_api_all(api, &n) : NULL;
    for (size_t i = 0; i < n; i++) {
        if ((all[i].verbs & (KUBE_LIST | KUBE_WATCH)) != (KUBE_LIST | KUBE_WATCH))
            continue;
        char *gv = *all[i].group ? xasprintf("%s/%s", all[i].group, all[i].version) : xstrdup(all[i].version);
        VEC_PUSH(&list, xasprintf("%s/%s", gv, all[i].kind));
        VEC_PUSH(&list, gv);
    }
    kube_api_unref(api);
    VEC_SORT(&list, by_text);
    size_t m = 0;
    for (size_t i = 0; i < list.n; i++) {
        if (m && strcmp(list.v[m - 1], list.v[i]) == 0)
            free(list.v[i]);
        else
            list.v[m++] = list.v[i];
    }
    list.n = m;
    VEC_PUSH(&list, NULL);
    return list.v;
}
