/* What an object looks like after Go's types have read and written it. Pure. */
#ifndef CARGOCD_KUBESIM_TYPED_H
#define CARGOCD_KUBESIM_TYPED_H

#include "common/kinds/kinds.h"

/* Decodes a built-in object: fields that the type does not have are dropped, so are nulls and what
 * `omitempty` leaves out; quantities, times and bytes become canonical. schema NULL: only metadata is. In
 * place; false when a value has the wrong type (then the object is undefined). */
bool typed_decode(json_t *object, const struct schema *schema);
/* What Go writes although it is empty: null times of templates (before 1.34), rules of roles. */
void typed_finish(const char *key, int minor, json_t *object);

/* The defaults that matter to who compares manifests with what the API returns, in place; not for custom
 * resources. key: of the resource ("deployments.apps"). minor: of the simulated version, 34 for v1.34: newer
 * fields are set from the version on that has them. Decoded objects only. */
void default_fields(const char *key, int minor, json_t *object);

#endif
