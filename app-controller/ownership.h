/* Which applications this replica works, and which clusters it answers for: by membership (members.h), or by
 * a fixed shard (shard.h) where one is configured.
 *
 * Every replica knows all Applications and cluster Secrets; trees, renderings and connections it has only for
 * what it works. */
#ifndef CARGOCD_APP_CONTROLLER_OWNERSHIP_H
#define CARGOCD_APP_CONTROLLER_OWNERSHIP_H

#include "app-controller/controller.h"

/* Before the first application is heard of; nothing is owned yet. kube is borrowed and without a gate. */
void ownership_init(struct controller *ctl, kube_t *kube);
/* To be called when settings, clusters and projects are known. */
void ownership_start(struct controller *ctl);
/* After all work has ended. */
void ownership_stop(struct controller *ctl);
void ownership_free(struct controller *ctl);

/* Its document is new or has changed: whose is it now? True when it is ours, as before. */
bool ownership_look(struct controller *ctl, struct app *app);
/* Clusters came, changed or went; Applications came or went. */
void ownership_clusters_changed(struct controller *ctl);
void ownership_apps_changed(struct controller *ctl);
bool ownership_has(struct controller *ctl, struct app *app);
/* Whether this replica reports the cluster's state. */
bool ownership_of_cluster(struct controller *ctl, const char *server);

#endif
