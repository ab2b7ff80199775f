/* Refreshing one application: the reconciler's work item. */
#ifndef CARGOCD_APP_CONTROLLER_REFRESH_H
#define CARGOCD_APP_CONTROLLER_REFRESH_H

#include "app-controller/comparison.h"

/* Work function of the refresh queue: ctx is the controller, bits are enum refresh_bits. */
void refresh_run(void *ctx, const char *key, uint64_t bits);

/* The pre-checks of an application: project, sources, destination. 0 when they pass: *project and *cluster
 * are set (the caller's). Otherwise conditions has what is wrong. */
int application_check(struct controller *ctl, struct app *app, const json_t *doc, json_t **project,
                      cluster_t **cluster, json_t *conditions);

/* Sets the application's operation: the one routine by which operations are requested.
 * ERR_FAILED_PRECONDITION when one is in progress. */
int operation_request(struct controller *ctl, struct app *app, const json_t *operation, json_t **doc,
                      err_t **err);

#endif
