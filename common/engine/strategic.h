/* Strategic merge patch: Kubernetes' merge that knows which lists are maps.
 * https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
 *
 * Directives: $patch (replace, merge, delete), $retainKeys, $setElementOrder/<list>,
 * $deleteFromPrimitiveList/<list>; null removes. Lists that the schema does not know are replaced whole;
 * unknown maps merge. */
#ifndef CARGOCD_ENGINE_STRATEGIC_H
#define CARGOCD_ENGINE_STRATEGIC_H

#include "common/kinds/kinds.h"

/* original changed by patch, as a new document. schema may be NULL. */
int strategic_merge_apply(const json_t *original, const json_t *patch, const struct schema *schema,
                          json_t **out, err_t **err);
/* The patch for `current` that takes over what `modified` says and removes what `original` (may be NULL) said
 * and modified no longer does: what `kubectl apply` sends. {} when there is nothing to do. */
int strategic_three_way(const json_t *original, const json_t *modified, const json_t *current,
                        const struct schema *schema, json_t **patch, err_t **err);

#endif
