/* Validation that is the same for many kinds: metadata, pod templates, immutable fields. Problems go to
 * *causes. */
#ifndef CARGOCD_KUBESIM_VALIDATE_H
#define CARGOCD_KUBESIM_VALIDATE_H

#include "tests/kubesim/status.h"

void validate_metadata(const struct resource *r, const json_t *object, json_t **causes);
/* generateName and name of a new object. */
void validate_name(const struct resource *r, const json_t *object, json_t **causes);
/* mounts: whether volumeMounts must name a volume of the spec (those of a StatefulSet may name a claim
 * template). */
void validate_pod_spec(const json_t *spec, const char *path, bool mounts, json_t **causes);
/* A selector that must match the labels of the template. */
void validate_selector(const json_t *spec, json_t **causes);
/* "field is immutable" unless the value at the path (dots) is the same in both. */
void validate_immutable(const json_t *object, const json_t *old, const char *path, json_t **causes);

#endif
