/* Clusters as their Secrets describe them (label argocd.argoproj.io/secret-type: cluster;
 * docs/operator-manual/ declarative-setup.md#clusters of Argo CD). */
#ifndef CARGOCD_ARGO_CLUSTER_SECRET_H
#define CARGOCD_ARGO_CLUSTER_SECRET_H

#include "common/json/json.h"

#define IN_CLUSTER_SERVER "https://kubernetes.default.svc"
#define IN_CLUSTER_NAME   "in-cluster"

struct cluster_spec {
    char *server, *name, *project; /* "" when not given; name defaults to the server */
    char **namespaces;             /* NULL: all */
    bool cluster_resources;
    int64_t shard; /* negative: none */
    char *uid;     /* of the Secret; "" for the implicit one */
    char *secret;  /* its name; "" */
    bool skip_reconcile;
    char *refresh_requested; /* annotation argocd.argoproj.io/refresh; "" */
    json_t *labels;          /* of the Secret; {} for the implicit one */
    json_t *config;          /* ClusterConfig: bearerToken, tlsClientConfig, execProviderConfig … */
};
int cluster_spec_parse(const json_t *secret, struct cluster_spec *out, err_t **err);
/* The cluster that the control plane runs in. */
void cluster_spec_in_cluster(struct cluster_spec *out);
/* Everything is the copy's own. */
void cluster_spec_copy(struct cluster_spec *to, const struct cluster_spec *from);
void cluster_spec_dispose(struct cluster_spec *c);
/* Same connection (server, config, namespaces, cluster_resources). */
bool cluster_spec_same_connection(const struct cluster_spec *a, const struct cluster_spec *b);

#endif
