/* Making objects comparable: what differs without meaning anything is removed or written one way. */
#ifndef CARGOCD_ENGINE_NORMALIZE_H
#define CARGOCD_ENGINE_NORMALIZE_H

#include "common/kinds/kinds.h"

#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

/* An entry of ignoreDifferences. group and kind are globs; name and namespace are exact, "" or NULL for any.
 */
struct ignore_rule {
    const char *group, *kind, *name, *ns;
    char *const *pointers; /* RFC 6901; NULL-terminated; NULL: none */
    char *const *jq;       /* path expressions */
    char *const *managers; /* fields owned by these are not compared */
};
bool ignore_rule_matches(const struct ignore_rule *r, const json_t *object);

/* jq expressions are evaluated outside: a function that returns the object without what the expression
 * selects, or NULL when it does not apply (the object stays as it is then). */
typedef json_t *(*jq_delete_fn)(void *ctx, const char *expression, const json_t *object);

/* A field of a custom resource that holds a value of a Kubernetes type, whose spellings of one value are
 * many. Lists on the way are passed through. */
struct known_type {
    const char *group, *kind;
    const char *field; /* "spec.template.spec" */
    const char *type;  /* "core/Quantity", "meta/v1/Duration", "core/v1/PodSpec" … */
};
/* Whether the type is one of those. */
bool known_type_exists(const char *type);

struct normalize_options {
    const struct ignore_rule *rules;
    size_t nrules;
    bool ignore_aggregated_roles;
    const struct known_type
        *types; /* the pod template of an Argo Rollout is known unless something of it is told */
    size_t ntypes;
    jq_delete_fn jq_delete; /* NULL: expressions are left out */
    void *jq_ctx;
};

/* Changes *object in place: creationTimestamp, Secrets' stringData, empty role rules, order of Endpoints,
 * then the ignore rules, then fields of known types. */
void normalize_object(json_t **object, const struct normalize_options *options);
/* Only the ignore rules. */
void normalize_by_rules(json_t **object, const struct normalize_options *options);
/* Only the folding of stringData into data. */
void normalize_secret(json_t *object);
bool object_is_secret(const json_t *object);
/* The last-applied annotation as an object; NULL when there is none that parses. */
json_t *object_last_applied(const json_t *live) MUST_USE;

#endif
