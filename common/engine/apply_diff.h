/* Comparing with what the API server would make of an apply, for objects that are applied on the server side
 * (docs/user-guide/diff-strategies.md of Argo CD). */
#ifndef CARGOCD_ENGINE_APPLY_DIFF_H
#define CARGOCD_ENGINE_APPLY_DIFF_H

#include "common/engine/diff.h"

/* Structured merge: applies target to live on paper as `manager`, with force. live has its managedFields. */
int diff_structured(const json_t *target, const json_t *live, const char *manager,
                    const struct normalize_options *options, struct diff_result *out, err_t **err);
/* Server-side: predicted is the API server's answer to a dry run of the apply, live is what it was applied
 * to, both with managedFields. Unless with_webhooks, what admission webhooks changed beyond what `manager`
 * owns does not count. */
int diff_server_side(const json_t *predicted, const json_t *live, const char *manager, bool with_webhooks,
                     const struct normalize_options *options, struct diff_result *out, err_t **err);

/* ---- for tests ---- */

/* live with what `owned` names (FieldsV1) taken from predicted, and without what predicted no longer has.
 * `all` is what anybody owns: it says which lists are maps or sets. A new document. */
json_t *apply_overlay(const json_t *live, const json_t *predicted, const json_t *owned, const json_t *all)
    MUST_USE;
/* live with target merged in as server-side apply does. schema may be NULL. A new document. */
json_t *apply_merge(const json_t *live, const json_t *target, const struct schema *schema, const json_t *all)
    MUST_USE;

#endif
