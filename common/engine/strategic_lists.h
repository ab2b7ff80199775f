/* Lists that are maps or sets: what applying and making strategic merge patches share. */
#ifndef CARGOCD_ENGINE_STRATEGIC_LISTS_H
#define CARGOCD_ENGINE_STRATEGIC_LISTS_H

#include "common/kinds/kinds.h"

#define PATCH_DIRECTIVE  "$patch"
#define RETAIN_KEYS      "$retainKeys"
#define SET_ORDER_PREFIX "$setElementOrder/"
#define DELETE_PREFIX    "$deleteFromPrimitiveList/"

/* The list field of a schema, with LIST_ATOMIC when it is not known. */
struct schema_field strategic_list_field(const struct schema *s, const char *name);
/* The object field's schema; NULL when it is not known. */
const struct schema *strategic_object_schema(const struct schema *s, const char *name);

/* Index of the element of `list` that has the same merge key as `item` (key ""/NULL: that is the same value);
 * -1. */
ssize_t list_index_of(const json_t *list, const json_t *item, const char *key);
/* Fails unless every element is an object with the key. */
int list_require_key(const json_t *list, const char *key, err_t **err);
/* Whether the first element of either list is an object. */
bool list_of_objects(const json_t *a, const json_t *b);
/* The elements of `merged` in the order of the patch (`order`), those the patch does not have placed as they
 * stood among the server's (`server_order`). A new list. */
json_t *list_order(const json_t *merged, const json_t *order, const json_t *server_order, const char *key)
    MUST_USE;

#endif
