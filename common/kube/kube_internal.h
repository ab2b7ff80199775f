/* What the files of the Kubernetes client share. */
#ifndef CARGOCD_KUBE_INTERNAL_H
#define CARGOCD_KUBE_INTERNAL_H

#include "common/kube/kube.h"

/* config_load.c: kube_config_in_cluster with its surroundings as arguments. */
int kube_config_of_pod(const char *folder, const char *host, const char *port, struct kube_config *out,
                       err_t **err);

#endif
