/* The merge behind strategic.h, in the two forms that it is used in. */
#ifndef CARGOCD_ENGINE_STRATEGIC_APPLY_H
#define CARGOCD_ENGINE_STRATEGIC_APPLY_H

#include "common/kinds/kinds.h"

enum merge_mode {
    MERGE_INTO_OBJECT, /* a patch into an object: directives are carried out */
    MERGE_PATCHES,     /* a patch into another patch: directives and nulls are kept */
};
/* Changes `original` in place; `patch` is used up (modified). */
int strategic_merge_in_place(json_t **original, json_t *patch, const struct schema *schema,
                             enum merge_mode mode, err_t **err);

#endif
