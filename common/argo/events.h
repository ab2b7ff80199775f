/* Which Kubernetes Events are written about applications, and with which labels. */
#ifndef CARGOCD_ARGO_EVENTS_H
#define CARGOCD_ARGO_EVENTS_H

#include "common/argo/settings.h"

/* setting: reasons, or "all", or "none" (ARGOCD_ENABLE_K8S_EVENT), NULL-terminated; NULL or empty: all. */
bool event_enabled(char *const *setting, const char *reason);
/* The labels of an event: the application's, then the project's, whose keys match
 * resource.includeEventLabelKeys and not resource.excludeEventLabelKeys of argocd-cm (globs). project may be
 * NULL. {} for none. */
json_t *event_labels(const json_t *app, const json_t *project, const settings_t *settings) MUST_USE;

#endif
