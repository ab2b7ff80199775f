/* The network side of an object: what it points at, where it is reached. */
#ifndef CARGOCD_ENGINE_NODE_NETWORK_H
#define CARGOCD_ENGINE_NODE_NETWORK_H

#include "common/kinds/kinds.h"

/* networkingInfo of a tree node: {targetLabels, targetRefs, labels, ingress, externalURLs}; {} when there is
 * nothing. */
json_t *node_networking(const char *group, const char *kind, const json_t *object) MUST_USE;

/* Whether the value of an annotation link.argocd.argoproj.io/…, "url" or "title|url", leads out of a
 * dashboard: only http and https do. */
bool node_link_is_web(const char *value);

#endif
