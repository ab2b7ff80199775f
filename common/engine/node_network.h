/* The network side of an object: what it points at, where it is reached. */
#ifndef CARGOCD_ENGINE_NODE_NETWORK_H
#define CARGOCD_ENGINE_NODE_NETWORK_H

#include "common/kinds/kinds.h"

/* networkingInfo of a tree node: {targetLabels, targetRefs, labels, ingress, externalURLs}; {} when there is
 * nothing. */
json_t *node_networking(const char *group, const char *kind, const json_t *object) MUST_USE;

#endif
