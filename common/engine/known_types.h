/* Fields of custom resources that hold values of Kubernetes types. */
#ifndef CARGOCD_ENGINE_KNOWN_TYPES_H
#define CARGOCD_ENGINE_KNOWN_TYPES_H

#include "common/engine/normalize.h"

/* Writes every such field of the object one way. What is not of its type stays as it is. */
void known_types_apply(json_t *object, const struct known_type *types, size_t n);

#endif
