/* Objects through the eyes of the built-in types: what Go's encoding/json makes of them. */
#ifndef CARGOCD_ENGINE_TYPED_H
#define CARGOCD_ENGINE_TYPED_H

#include "common/kinds/kinds.h"

/* The object decoded into its type and encoded again, with only the fields that it had: empty fields that Go
 * leaves out are gone, quantities, times and bytes have their canonical text. NULL when the object has fields
 * that the type does not have, or values of another type: then it is to be taken as it is. */
json_t *typed_reencode(const json_t *object, const struct schema *schema) MUST_USE;

#endif
