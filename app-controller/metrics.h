/* The controller's metrics: names and labels of Argo CD (docs/operator-manual/metrics.md there). */
#ifndef CARGOCD_APP_CONTROLLER_METRICS_H
#define CARGOCD_APP_CONTROLLER_METRICS_H

#include "app-controller/controller.h"

/* Registers the families; those about applications and clusters are written from their state at each scrape.
 */
void controller_metrics_init(struct controller *ctl);

void metrics_reconciled(struct controller *ctl, const json_t *doc, mono_t started);
/* As cluster_env.on_event. */
void metrics_cluster_event(void *ctl, const char *server, const char *group, const char *kind, mono_t began);
/* A completed operation. */
void metrics_synced(struct controller *ctl, const json_t *doc, const json_t *state);

/* The series of a cluster that is connected no more go; those of an application that is gone. */
void metrics_cluster_closed(void *ctl, const char *server);
void metrics_app_gone(struct controller *ctl, const struct app *app);

#endif
