/* The kinds that come with Kubernetes, as data: what a client must know about them to order, merge and
 * compare objects without asking a server. The same facts of other kinds are read from a cluster's discovery
 * and OpenAPI documents.
 *
 * Sources: Kubernetes' API types (staging/src/k8s.io/api), `x-kubernetes-patch-*` and `x-kubernetes-list-*`
 * of its OpenAPI document, the table of kubectl's RESTMapper. */
#ifndef CARGOCD_KINDS_KINDS_H
#define CARGOCD_KINDS_KINDS_H

#include "common/json/json.h"

struct kind_info {
    const char *group, *kind, *plural, *singular;
    bool namespaced;
    const char *const *versions; /* served by some release, preferred first; NULL-terminated */
    const struct schema *schema; /* its fields, shared by all versions; NULL: maps merge, lists are atomic */
};

/* NULL when the kind is not built in. The version does not matter: NULL matches any, an unknown one does not.
 */
const struct kind_info *kind_find(const char *group, const char *version, const char *kind);
const struct kind_info *const *kinds_all(size_t *n);

/* A node of a schema: what the fields of an object are, and how lists merge. Fields that are not listed are
 * plain. */
enum list_merge {
    LIST_ATOMIC, /* replaced whole */
    LIST_MAP,    /* objects merged by key */
    LIST_SET,    /* primitives, merged as a set */
};
struct schema_field {
    const char *name;
    const struct schema *schema;   /* of the value; of the elements when it is a list; NULL: plain */
    bool is_list, is_map;          /* is_map: any key, values of `schema` */
    enum list_merge patch_merge;   /* strategic merge patch: patchStrategy merge */
    const char *patch_key;         /* patchMergeKey of LIST_MAP */
    bool retain_keys;              /* patchStrategy retainKeys */
    enum list_merge apply_merge;   /* server-side apply: x-kubernetes-list-type */
    const char *const *apply_keys; /* x-kubernetes-list-map-keys; NULL-terminated */
    bool atomic_map;               /* x-kubernetes-map-type: atomic */
    const char
        *type; /* "Quantity", "Duration", "IntOrString", "Time", "bytes": values with an own notation */
};
struct schema {
    const char *name; /* "PodSpec" */
    const struct schema_field *fields;
    size_t n;
};
/* NULL when the schema is NULL or has no such field. */
const struct schema_field *schema_field(const struct schema *s, const char *name);

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
/* The group and version of its apiVersion, as the caller's copies. */
char *object_group(const json_t *o) MUST_USE;
char *object_version(const json_t *o) MUST_USE;
const char *object_annotation(const json_t *o, const char *key);
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
