/* Deleting an application with what it manages: its finalizers, one after the other
 * (docs/user-guide/app_deletion.md of Argo CD). */
#ifndef CARGOCD_APP_CONTROLLER_DELETION_H
#define CARGOCD_APP_CONTROLLER_DELETION_H

#include "app-controller/controller.h"

/* Takes the deletion of a terminating application as far as it goes now. doc is the Application as just read.
 */
void deletion_run(struct controller *ctl, struct app *app, json_t **doc);

#endif
