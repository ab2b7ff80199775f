/* What is known of each cluster, for the query service and for Redis ("cluster|info|SERVER"). */
#ifndef CARGOCD_APP_CONTROLLER_CLUSTERS_H
#define CARGOCD_APP_CONTROLLER_CLUSTERS_H

#include "app-controller/controller.h"

/* [{server, name, project, labels, info}], with info as Argo CD's ClusterInfo: {connectionState,
 * serverVersion, cacheInfo, applicationsCount, apiVersions}. */
json_t *clusters_describe(struct controller *ctl) MUST_USE;

/* Writes them to Redis now and then, until stopped. */
typedef struct clusters clusters_t;
clusters_t *clusters_publish_start(struct controller *ctl) MUST_USE;
void clusters_publish_stop(clusters_t *p);

#endif
