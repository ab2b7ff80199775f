/* What an API server fills in by itself for the built-in kinds (Kubernetes 1.36, without admission). Applied
 * to both sides of a comparison, so that a field which only the server wrote is no difference. */
#ifndef CARGOCD_ENGINE_DEFAULTS_H
#define CARGOCD_ENGINE_DEFAULTS_H

#include "common/kinds/kinds.h"

/* Adds missing fields to the object, in place. Kinds that are not built in stay as they are. */
void defaults_apply(json_t *object);

#endif
