/* Comparing an object with what it should be: Argo CD's legacy (three-way) strategy, which is kubectl's
 * client-side apply carried out on paper. */
#ifndef CARGOCD_ENGINE_DIFF_H
#define CARGOCD_ENGINE_DIFF_H

#include "common/engine/normalize.h"

struct diff_result {
    bool modified;
    json_t *normalized_live; /* json null when there is no live object */
    json_t *predicted_live;  /* json null when there is no target */
};
void diff_result_dispose(struct diff_result *r);

/* target or live may be NULL, not both. */
int diff_objects_compare(const json_t *target, const json_t *live, const struct normalize_options *options,
                         struct diff_result *out, err_t **err);

/* live, with no more in a StatefulSet's claim templates than was asked for: they are replaced whole, and full
 * of defaults. A new document. */
json_t *diff_without_claim_defaults(const json_t *original, const json_t *live) MUST_USE;
/* `live` reduced to the fields that `wanted` has; lists by index. A new document. */
json_t *json_restrict(const json_t *wanted, const json_t *live) MUST_USE;

/* Where two documents differ, as RFC 6901 pointers, comma-separated, at most `max` of them; then how many
 * more. Lists are compared by index. Names only, no values. */
void diff_paths(const json_t *a, const json_t *b, size_t max, str_t *out);

#endif
