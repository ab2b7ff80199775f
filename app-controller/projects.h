/* AppProjects that are being deleted: their finalizer goes when no application refers to them any more. */
#ifndef CARGOCD_APP_CONTROLLER_PROJECTS_H
#define CARGOCD_APP_CONTROLLER_PROJECTS_H

#include "app-controller/controller.h"

/* The project has changed, or an application of it went: it is looked at soon. */
void projects_changed(struct controller *ctl, const char *name);
/* As workq_fn; ctx is the controller, the key "namespace/name". */
void projects_run(void *ctx, const char *key, uint64_t bits);

#endif
