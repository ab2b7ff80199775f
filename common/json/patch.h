/* Pointers and patches: RFC 6901 (pointer), RFC 6902 (patch), RFC 7386 (merge patch), and the three-way merge
 * patch that `kubectl apply` makes for custom resources. */
#ifndef CARGOCD_JSON_PATCH_H
#define CARGOCD_JSON_PATCH_H

#include "common/json/json.h"

/* The value that the pointer names, borrowed; NULL when there is none or the pointer is malformed. */
json_t *json_pointer_get(const json_t *doc, const char *pointer);
/* Removes it; ERR_NOT_FOUND when there is nothing. The whole document ("") cannot be removed. */
int json_pointer_remove(json_t *doc, const char *pointer, err_t **err);
/* Writes one reference token with ~ and / escaped. */
void json_pointer_escape(const char *token, str_t *out);

/* Applies an RFC 6902 patch to *doc, all or nothing: on failure *doc is as it was. At most 10,000 operations.
 */
int json_patch_apply(json_t **doc, const json_t *patch, err_t **err);

/* doc changed by an RFC 7386 merge patch, as a new document. doc may be NULL. */
json_t *json_merge_apply(const json_t *doc, const json_t *patch) MUST_USE;
/* The merge patch that turns `from` into `to`: {} when they are equal. */
json_t *json_merge_diff(const json_t *from, const json_t *to) MUST_USE;
/* The merge patch for `current` that takes over what `modified` says and removes what `original` said and
 * modified no longer does (https://kubernetes.io/docs/tasks/manage-kubernetes-objects/declarative-config/).
 * original may be NULL. */
json_t *json_merge_three_way(const json_t *original, const json_t *modified, const json_t *current) MUST_USE;

#endif
