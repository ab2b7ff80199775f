/* Structural schemas of CustomResourceDefinitions: pruning, defaulting, and the checks that manifests trip
 * over (https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/).
 * Not simulated: x-kubernetes-validations, oneOf and its like, formats, list and map types. */
#ifndef CARGOCD_KUBESIM_SCHEMA_H
#define CARGOCD_KUBESIM_SCHEMA_H

#include "tests/kubesim/status.h"

/* Drops fields that the schema does not name; apiVersion, kind and metadata of the root stay. NULL:
 * everything stays. */
void schema_prune(const json_t *schema, json_t *object);
/* Fills in defaults; a null that may not be one gives way to its default, or goes. */
void schema_default(const json_t *schema, json_t *object);
/* type, required, enum, minimum, maximum, lengths, item counts, pattern, nullable. */
void schema_check(const json_t *schema, const json_t *object, json_t **causes);

#endif
