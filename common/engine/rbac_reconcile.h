/* What `kubectl auth reconcile` says about a role or a binding, which Argo CD runs before each apply of one
 * (k8s.io/component-helpers/auth/rbac/reconciliation). The apply that follows sets all that it would set, so
 * that only its words are wanted, and what it takes away. */
#ifndef CARGOCD_ENGINE_RBAC_RECONCILE_H
#define CARGOCD_ENGINE_RBAC_RECONCILE_H

#include "common/json/json.h"

enum rbac_operation { RBAC_NONE, RBAC_CREATE, RBAC_UPDATE, RBAC_RECREATE };

/* What is to be done for the live object (NULL: there is none) to grant what the target does. *note, which
 * may be NULL, becomes what is told of it; NULL: nothing. */
enum rbac_operation rbac_reconcile(const json_t *target, const json_t *live, char **note);
/* Whether the live object, which may be NULL, is not to be touched by this. */
bool rbac_opted_out(const json_t *live);
/* Whether a role collects rules of others that it is not to collect; an apply would leave that alone. */
bool rbac_drops_aggregation(const json_t *target, const json_t *live);

#endif
