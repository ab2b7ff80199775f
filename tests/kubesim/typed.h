/* What a built-in object looks like after Go's types have read and written it: nulls and what `omitempty`
 * leaves out are gone, quantities are canonical. And the defaults of the API. Both are pure and keep quiet
 * about what they do not know: unknown fields stay (kube-apiserver drops them). */
#ifndef CARGOCD_KUBESIM_TYPED_H
#define CARGOCD_KUBESIM_TYPED_H

#include "common/json/json.h"

/* key: of the resource ("deployments.apps"). In place. */
void typed_normalise(const char *key, json_t *object);
/* The defaults that matter to who compares manifests with what the API returns, in place; not for custom
 * resources. minor: of the simulated version, 34 for v1.34: newer fields are set from the version on that has
 * them. */
void defaults_apply(const char *key, int minor, json_t *object);
void defaults_pod_template(json_t *template);
/* Only the first of what is wrong in types that clients get wrong: metadata and the maps of strings. NULL
 * when fine, else the caller's text. */
char *typed_check(const char *key, const json_t *object) MUST_USE;

#endif
