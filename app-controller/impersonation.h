/* As whom an application's objects are written: with application.sync.impersonation.enabled, as the service
 * account that the project names for the destination (docs/operator-manual/app-sync-using-impersonation.md of
 * Argo CD). Nothing is ever read for the cache that way. */
#ifndef CARGOCD_APP_CONTROLLER_IMPERSONATION_H
#define CARGOCD_APP_CONTROLLER_IMPERSONATION_H

#include "app-controller/controller.h"
#include "common/argo/settings.h"

/* The user, as the caller's copy; NULL with 0 when no entry of the project matches. */
int impersonation_user(const json_t *project, const json_t *application, const char *server, char **user,
                       err_t **err);
/* *out NULL: as the controller itself. With `enforced`, a destination without a service account is an error,
 * unless the settings say otherwise. */
int impersonation_open(const settings_t *settings, const json_t *project, const json_t *application,
                       cluster_t *cluster, bool enforced, kube_t **out, err_t **err);
/* kube may be NULL. */
void impersonation_close(kube_t *kube);

#endif
