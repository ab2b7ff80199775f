/* The controller's metrics: names and labels of Argo CD (docs/operator-manual/metrics.md there). */
#ifndef CARGOCD_APP_CONTROLLER_METRICS_H
#define CARGOCD_APP_CONTROLLER_METRICS_H

#include "app-controller/controller.h"

/* Registers the families; those about applications and clusters are written from their state at each scrape.
 */
void controller_metrics_init(struct controller *ctl);

void metrics_reconciled(struct controller *ctl, const json_t *doc, mono_t started);
/* A completed operation. */
void metrics_synced(struct controller *ctl, const json_t *doc, const json_t *state);

#endif
