/* Who owns which field: metadata.managedFields, and its notation FieldsV1
 * (https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management). In it "f:<name>" is a
 * field, "k:<values of keys>" an item of a list that is a map, "v:<value>" a member of a set, "." the thing
 * itself; {} says that it is owned whole. */
#ifndef CARGOCD_ENGINE_OWNERSHIP_H
#define CARGOCD_ENGINE_OWNERSHIP_H

#include "common/kinds/kinds.h"

/* What either of both (NULL: nothing) owns. A new document. */
json_t *fields_union(const json_t *a, const json_t *b) MUST_USE;
/* What a manager (NULL: each) owns by an operation ("Apply", "Update"; NULL: each) on the object itself, all
 * versions together. A new document, {} for nothing. */
json_t *fields_owned(const json_t *managed_fields, const char *manager, const char *operation) MUST_USE;
/* The same of every other than this. */
json_t *fields_owned_by_others(const json_t *managed_fields, const char *manager, const char *operation)
    MUST_USE;
/* Whether the field at the path of names is owned. */
bool fields_have(const json_t *fields, const char *const *path);

/* The item of the list that "k:<keys>" or "v:<value>" means; schema (may be NULL) says which keys an item may
 * leave out for their default. The size of the list when there is none. */
size_t fields_find_item(const json_t *list, const char *member, const struct schema *schema);
/* Whether this says of a list that its items (or members) are owned one by one. */
bool fields_by_member(const json_t *fields);

/* Whether a manager has written the object by updates. */
bool ownership_has_updates(const json_t *managed_fields, const char *manager);
/* The managers that own the last-applied annotation by updates, as an array of names: they applied on the
 * client side. */
json_t *ownership_client_appliers(const json_t *managed_fields) MUST_USE;
/* managedFields in which what `from` owned by updates is owned by `to` as applied. A new document. */
json_t *ownership_migrate(const json_t *managed_fields, const char *from, const char *to) MUST_USE;

#endif
