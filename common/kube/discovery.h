/* Documents of the discovery endpoints, read into resources. */
#ifndef CARGOCD_KUBE_DISCOVERY_H
#define CARGOCD_KUBE_DISCOVERY_H

#include "common/kube/kube_internal.h"

struct kube_found {
    VEC(struct kube_resource) resources;
};
void kube_found_dispose(struct kube_found *f);
/* APIResourceList: {"groupVersion": …, "resources": […]}. */
void kube_found_list(struct kube_found *f, const json_t *list, const char *group, const char *version,
                     bool preferred);
/* APIGroupDiscoveryList (v2, v2beta1). What is stale is not taken but named in *stale, comma-separated. */
void kube_found_aggregated(struct kube_found *f, const json_t *document, str_t *stale);
/* A document says which it is. */
bool kube_is_aggregated(const json_t *document);

#endif
