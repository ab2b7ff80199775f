/* Operations: syncs as a state machine that lives in status.operationState. Each pass takes it one step
 * further and persists what was done before anything depends on it, so that the controller may be killed at
 * any instruction. */
#ifndef CARGOCD_APP_CONTROLLER_OPERATION_H
#define CARGOCD_APP_CONTROLLER_OPERATION_H

#include "app-controller/controller.h"

/* Work function of the operation queue: the application's operation, or else its deletion. */
void operation_run(void *ctx, const char *key, uint64_t bits);

#endif
