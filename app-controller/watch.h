/* The controller's watches of Applications and AppProjects, and what changes set in motion. */
#ifndef CARGOCD_APP_CONTROLLER_WATCH_H
#define CARGOCD_APP_CONTROLLER_WATCH_H

#include "app-controller/controller.h"

typedef struct watches watches_t;

/* Projects first: their list is complete when this returns. ERR_DEADLINE_EXCEEDED when that takes too long.
 */
int watches_start(struct controller *ctl, mono_t deadline, watches_t **out, err_t **err);
void watches_stop(watches_t *w);
/* Whether the first list of Applications is complete. */
bool watches_synced(watches_t *w);

/* For struct cluster_env and struct world_env. */
void watch_cluster_changed(void *ctx, cluster_t *cluster, const struct cache_change *change);
void watch_cluster_state(void *ctx, cluster_t *cluster);
void watch_world_changed(void *ctx, const char *what, const char *name);

#endif
