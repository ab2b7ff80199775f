/* What is known of each cluster, for the query service and for Redis ("cluster|info|SERVER"). */
#ifndef CARGOCD_APP_CONTROLLER_CLUSTERS_H
#define CARGOCD_APP_CONTROLLER_CLUSTERS_H

#include "app-controller/controller.h"

/* Those that this replica answers for: [{server, name, project, labels, info}]; no info where nothing is
 * connected. */
json_t *clusters_of_replica(struct controller *ctl) MUST_USE;
/* The same, with info as Argo CD's ClusterInfo: {connectionState,
 * serverVersion, cacheInfo, applicationsCount, apiVersions} of each. */
json_t *clusters_describe(struct controller *ctl) MUST_USE;

/* Writes them to Redis now and then, until stopped. */
typedef struct clusters clusters_t;
clusters_t *clusters_publish_start(struct controller *ctl) MUST_USE;
void clusters_publish_stop(clusters_t *p);

#endif
