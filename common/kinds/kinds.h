/* The kinds that come with Kubernetes, as data: what a client must know about them to order, merge and
 * compare objects without asking a server. The same facts of other kinds are read from a cluster's discovery
 * and OpenAPI documents.
 *
 * Sources: Kubernetes' API types (staging/src/k8s.io/api), `x-kubernetes-patch-*` and `x-kubernetes-list-*`
 * of its OpenAPI document, the table of kubectl's RESTMapper. */
#ifndef CARGOCD_KINDS_KINDS_H
#define CARGOCD_KINDS_KINDS_H

#include "common/json/json.h"

struct schema; /* the fields of an object type */

struct kind_version {
    const char *version;
    const struct schema *schema; /* NULL: no typed schema (custom resource definitions, API services) */
};
struct kind_info {
    const char *group, *kind, *plural;
    bool namespaced;
    const struct kind_version *versions; /* preferred first, ended by a NULL version */
};

/* NULL when the kind is not built in, or not in this version (NULL: any). */
const struct kind_info *kind_find(const char *group, const char *version, const char *kind);
/* The table, for enumerating. */
const struct kind_info *kinds_all(size_t *n);
/* The schema of a kind in a version (NULL: the preferred one); NULL when there is none. */
const struct schema *kind_schema(const char *group, const char *version, const char *kind);

/* How lists (and maps) of a field merge. */
enum list_merge {
    LIST_ATOMIC, /* replaced whole */
    LIST_MAP,    /* objects merged by key */
    LIST_SET,    /* primitives, merged as a set */
};
enum field_type {
    FIELD_STRING = 's',
    FIELD_INT = 'i',
    FIELD_BOOL = 'b',
    FIELD_FLOAT = 'f',
    FIELD_QUANTITY = 'q',
    FIELD_TIME = 't',
    FIELD_MICRO_TIME = 'T',
    FIELD_DURATION = 'd',
    FIELD_INT_OR_STRING = 'x',
    FIELD_BYTES = 'B',
    FIELD_ANY = 'j',
    FIELD_FIELDS_V1 = 'F',
    FIELD_OBJECT = 'o'
};
struct schema_field {
    const char *name;
    enum field_type type;        /* of the value; of the elements of a list or map */
    const struct schema *schema; /* of FIELD_OBJECT */
    bool is_list, is_map;
    bool omit_empty, pointer;    /* how Go writes it: omitempty; a pointer keeps zero values */
    enum list_merge patch_merge; /* strategic merge patch */
    const char *patch_key;       /* of LIST_MAP */
    bool retain_keys;
    enum list_merge apply_merge; /* server-side apply */
    const char *apply_keys;      /* of LIST_MAP, comma-separated */
    bool atomic;                 /* x-kubernetes-map-type: atomic */
    const char *fallback;        /* default of a scalar as text; "": none */
};
/* False when the schema is NULL or has no such field. */
bool schema_field(const struct schema *s, const char *name, struct schema_field *out);
/* Field i of the schema, in order of their names; false behind the last. */
bool schema_field_at(const struct schema *s, size_t i, struct schema_field *out);
const char *schema_name(const struct schema *s);
/* A built-in type by name ("core.v1.PodSpec"); NULL when there is none. */
const struct schema *schema_by_name(const char *name);

/* Order in which kinds are applied (Argo CD's, by kind name only): smaller first; kinds not listed come last.
 */
int kind_apply_rank(const char *kind);

/* "apps/v1" -> "apps", "v1"; "v1" -> "", "v1". Views into api_version. */
void api_version_split(const char *api_version, view_t *group, view_t *version);
/* Borrowed fields of an object; "" when absent. */
const char *object_kind(const json_t *o);
const char *object_name(const json_t *o);
const char *object_namespace(const json_t *o);
const char *object_uid(const json_t *o);
const char *object_resource_version(const json_t *o);
/* Resource versions are opaque, but for this: of two answers about one object, which overtook the other. */
bool resource_version_older(const char *a, const char *b);
/* Whether its deletion was asked for: metadata.deletionTimestamp is a time. */
bool object_deleting(const json_t *o);
/* The group and version of its apiVersion, as the caller's copies. */
char *object_group(const json_t *o) MUST_USE;
char *object_version(const json_t *o) MUST_USE;
/* NULL when absent or no text; null is "", as to the API server. */
const char *object_annotation(const json_t *o, const char *key);
/* NULL when absent or no text. */
const char *object_label(const json_t *o, const char *key);
/* Removes the annotation; a map that becomes empty goes with it. */
void object_set_annotation(json_t *o, const char *key, const char *value);
void object_drop_annotation(json_t *o, const char *key);

/* Kubernetes' Quantity (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/):
 * the canonical text of "1000m" is "1". False when it is no quantity. */
bool quantity_canonical(const char *text, str_t *out);
bool quantity_milli(const char *text, int64_t *out);
bool quantity_equal(const char *a, const char *b);

#endif
