/* The scale subresource: autoscaling/v1 Scale over an object's replicas. */
#ifndef CARGOCD_KUBESIM_SCALE_H
#define CARGOCD_KUBESIM_SCALE_H

#include "tests/kubesim/write.h"

/* for_patch: replicas may be missing still. */
json_t *scale_read(const struct endpoint *e, const struct blob *b, bool for_patch, json_t **failure) MUST_USE;
/* Takes over spec.replicas of the Scale; returns the new Scale. */
json_t *scale_update(struct sim *s, const struct write *w, json_t *scale, json_t **failure) MUST_USE;
/* Stores the object with its replicas changed (write.c). */
json_t *write_scaled(struct sim *s, const struct write *w, json_t *object_take, json_t **failure) MUST_USE;

#endif
