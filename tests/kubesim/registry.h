/* What is served: resources (where objects of a kind are stored) and the endpoints (group and version) that
 * show them.
 *
 * The built-in ones are a table; CustomResourceDefinitions add and remove others. A resource may have
 * endpoints of several versions, and of several groups (events). Removed resources stay in memory, empty and
 * unserved, because the history still names them; when the definition comes back, so does the resource. */
#ifndef CARGOCD_KUBESIM_REGISTRY_H
#define CARGOCD_KUBESIM_REGISTRY_H

#include "tests/kubesim/index.h"

enum {
    R_NAMESPACED = 1 << 0,
    R_STATUS = 1 << 1, /* has a status subresource: the main one keeps status as it is */
    R_SCALE = 1 << 2,
    R_GENERATION = 1 << 3,       /* metadata.generation counts changes of the spec */
    R_CREATE_ON_UPDATE = 1 << 4, /* a PUT may create */
    R_NEEDS_VERSION = 1 << 5,    /* a PUT must name the resourceVersion */
    R_RETURNS_OBJECT = 1 << 6,   /* DELETE answers with the object, not with a Status */
    R_ORPHANS = 1 << 7,          /* deletion orphans dependents unless told otherwise */
    R_CUSTOM = 1 << 8,           /* of a CustomResourceDefinition */
    R_REVIEW = 1 << 9,           /* create only, nothing is stored */
    R_DNS_LABEL = 1 << 10,       /* names are RFC 1123 labels, not subdomains */
    R_PATH_NAME = 1 << 11,       /* any name that is one path segment (RBAC) */
    R_RFC1035 = 1 << 12,         /* names are RFC 1035 labels (Services) */
    R_NO_COLLECTION = 1 << 13,   /* no deletecollection */
};

struct watcher;
struct resource {
    char *group, *kind, *list_kind, *plural, *singular;
    char *short_names, *categories, *subresources; /* comma lists, "" when none */
    unsigned flags;
    char *key; /* "deployments.apps", "configmaps": unique */
    bool served;
    struct index index;
    uint64_t last_change; /* place in the history of its newest change; 0: none */
    struct watcher *watchers;
};

/* Makes an object of one version of its group into another, in place. */
typedef void (*convert_fn)(json_t *object);
struct endpoint {
    char *group, *version;
    struct resource *resource;
    convert_fn from_stored, to_stored; /* NULL: only apiVersion differs */
    /* Of custom resources. */
    bool status, scale;
    json_t *schema;                                         /* openAPIV3Schema, owned; NULL: none */
    char *spec_replicas, *status_replicas, *label_selector; /* paths of scale, ".spec.replicas" */
};

struct registry {
    VEC(struct resource *) resources; /* owned */
    VEC(struct endpoint *) endpoints; /* owned; of one group the preferred version first */
};

/* The built-in kinds. */
void registry_init(struct registry *g);
void registry_dispose(struct registry *g);
/* NULL when there is none that is served. */
struct endpoint *registry_find(const struct registry *g, const char *group, const char *version,
                               const char *plural);
struct endpoint *registry_find_kind(const struct registry *g, const char *group, const char *version,
                                    const char *kind);
/* By plural and group of where it is stored, served or not. */
struct resource *registry_resource(const struct registry *g, const char *group, const char *plural);
/* Both copy their argument's texts and take over nothing but `schema`. */
struct resource *registry_add(struct registry *g, const struct resource *like);
struct endpoint *registry_serve(struct registry *g, const struct endpoint *like);
/* Drops all endpoints of the resource. */
void registry_unserve(struct registry *g, struct resource *r);

/* "apps/v1", "v1"; the caller's. */
char *endpoint_api_version(const struct endpoint *e) MUST_USE;
/* The endpoint under which a resource is stored and controllers read it: its first one. */
struct endpoint *resource_endpoint(const struct registry *g, const struct resource *r);
bool list_has(const char *comma_list, const char *word);

#endif
