/* Secret values leave the model layer only as masks. */
#ifndef CARGOCD_ENGINE_MASK_H
#define CARGOCD_ENGINE_MASK_H

#include "common/base/err.h"
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

/* What an API server says about objects may quote them. The text in which the values of the Secrets among
 * these (NULL entries are allowed) are masked, as they are stored and as they are meant, and so is what the
 * server calls an invalid value. NULL when there is no Secret among them; else the caller's. */
char *mask_message(const char *text, const json_t *const *objects, size_t n) MUST_USE;
/* Does that with the text of *err, if there is one. */
void mask_error(err_t **err, const json_t *const *objects, size_t n);

#endif
