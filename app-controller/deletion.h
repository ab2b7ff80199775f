/* Deleting an application with what it manages: its finalizers, one after the other
 * (docs/user-guide/app_deletion.md of Argo CD). */
#ifndef CARGOCD_APP_CONTROLLER_DELETION_H
#define CARGOCD_APP_CONTROLLER_DELETION_H

#include "app-controller/controller.h"

/* Takes the deletion of a terminating application as far as it goes now. doc is the Application as just read.
 */
void deletion_run(struct controller *ctl, struct app *app, json_t **doc);
/* Makes the finalizers of an application that is not being deleted say which hooks its deletion has: bits of
 * enum hook_type. ERR_ABORTED when *doc is not its version any more. */
int deletion_expect_hooks(struct controller *ctl, struct app *app, json_t **doc, unsigned types, err_t **err);

#endif
