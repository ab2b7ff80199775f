/* The destination's namespace, where an application says what metadata it is to have
 * (spec.syncPolicy.managedNamespaceMetadata). */
#ifndef CARGOCD_APP_CONTROLLER_NAMESPACE_H
#define CARGOCD_APP_CONTROLLER_NAMESPACE_H

#include "common/json/json.h"

/* Namespace `name` as CreateNamespace makes it; with the metadata, by server-side apply, so that what others
 * have on it stays. */
json_t *namespace_wanted(const json_t *app, const char *name) MUST_USE;
/* Whether the object, which may be NULL, is the destination's namespace and the application manages its
 * metadata. */
bool namespace_is_managed(const json_t *app, const json_t *object);

#endif
