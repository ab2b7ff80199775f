/* What a cluster says that we may do there. */
#ifndef CARGOCD_APP_CONTROLLER_CLUSTER_ACCESS_H
#define CARGOCD_APP_CONTROLLER_CLUSTER_ACCESS_H

#include "common/kube/kube.h"

/* Asks by SelfSubjectAccessReview whether the kind may be listed in any of the namespaces (NULL-terminated;
 * NULL: in all of them, or it has none). Blocks. *allowed is set only on success. */
int access_may_list(kube_t *k, const struct kube_resource *r, char *const *namespaces, bool *allowed,
                    err_t **err);

#endif
