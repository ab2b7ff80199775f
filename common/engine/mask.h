/* Secret values leave the model layer only as masks. */
#ifndef CARGOCD_ENGINE_MASK_H
#define CARGOCD_ENGINE_MASK_H

#include "common/kinds/kinds.h"

/* For a Secret: the values of `data` (stringData is folded in first) in all given objects, and in their
 * last-applied annotations, become runs of '+': equal values of a key get equal masks, the first distinct
 * value 8 characters, each further one 4 more. The values of the annotations named in `annotations`
 * (NULL-terminated; may be NULL) too. NULL entries among the objects are allowed. What is no Secret stays as
 * it is. */
void mask_secrets(json_t *const *objects, size_t n, char *const *annotations);

/* For keeping: values become placeholders that depend on the value and a key of this process only, so that
 * equal values stay equal and nothing can be read back. Last-applied annotations included. */
enum { MASK_KEY_SIZE = 32 };
void mask_for_storage(json_t *object, const unsigned char key[MASK_KEY_SIZE]);

#endif
