#ifndef CARGOCD_APP_CONTROLLER_CLUSTER_KUBE_CONFIG_OF_H
#define CARGOCD_APP_CONTROLLER_CLUSTER_KUBE_CONFIG_OF_H

#include "common/argo/cluster_secret.h"
#include "common/kube/kube_config.h"

/* The connection that a cluster Secret's config describes (docs/operator-manual/declarative-setup.md#clusters
 * of Argo CD). The implicit in-cluster entry is `own`, with the credentials that a Secret for it may name
 * instead. */
int kube_config_of(const struct cluster_spec *spec, const struct kube_config *own, struct kube_config *out,
                   err_t **err);

#endif
