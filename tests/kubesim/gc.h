/* Garbage collection by owner references
 * (https://kubernetes.io/docs/concepts/architecture/garbage-collection/). */
#ifndef CARGOCD_KUBESIM_GC_H
#define CARGOCD_KUBESIM_GC_H

#include "tests/kubesim/ctl.h"

/* Where the kind that an owner reference names is served; NULL when it is not. */
struct endpoint *owner_endpoint(struct sim *s, const json_t *ref);
/* The owner's key, given the namespace of its dependent; the caller's. */
char *owner_key(const struct endpoint *e, const json_t *ref, const char *ns) MUST_USE;

#endif
