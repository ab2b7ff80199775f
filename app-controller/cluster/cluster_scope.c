/* What a cluster may be asked for: which of its objects are managed. */
#include "app-controller/cluster/cluster.h"

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
