/* What of a difference is not ours to judge: fields that other managers own, and, in a sync with
 * RespectIgnoreDifferences=true, fields that the ignore rules name (docs/user-guide/diffing.md,
 * sync-options.md of Argo CD). */
#ifndef CARGOCD_ENGINE_IGNORED_H
#define CARGOCD_ENGINE_IGNORED_H

#include "common/engine/normalize.h"

/* Whether a rule for the object names managers. */
bool ignored_by_manager(const json_t *object, const struct ignore_rule *rules, size_t n);
/* Removes from both sides, in place, every field that both have, that differs, and that managed_fields
 * (metadata. managedFields of the live object) says is owned by a manager of a rule for the object. */
void ignored_drop_managed(json_t *target, json_t *live, const json_t *managed_fields,
                          const struct ignore_rule *rules, size_t n);
/* The target with what the rules name as it is in the live object: set to its value where it has one, else as
 * the target has it not. status stays as it is. A new document. */
json_t *ignored_respect(const json_t *target, const json_t *live, const struct normalize_options *options)
    MUST_USE;

#endif
