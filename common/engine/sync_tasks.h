#ifndef CARGOCD_ENGINE_SYNC_TASKS_H
#define CARGOCD_ENGINE_SYNC_TASKS_H

#include "common/engine/sync.h"

/* Fills plan->tasks from its input, in the order in which they run. */
void sync_tasks_build(struct sync_plan *p);
void sync_tasks_free(struct sync_plan *p);

#endif
