#include "tests/kubesim/registry.h"
#include "tests/kubesim/convert.h"

struct builtin {
    const char *group, *version, *kind, *plural;
    unsigned flags;
    const char *short_names, *categories, *subresources;
};

enum {
    NS = R_NAMESPACED,
    WORKLOAD = R_NAMESPACED | R_STATUS | R_GENERATION,
};

/* In the order of the groups of kube-apiserver's discovery. Flags: observed on kube-apiserver. */
static const struct builtin builtins[] = {
    {"", "v1", "ConfigMap", "configmaps", NS, "cm", "", ""},
    {"", "v1", "Endpoints", "endpoints", NS | R_CREATE_ON_UPDATE, "ep", "", ""},
    {"", "v1", "Event", "events", NS | R_CREATE_ON_UPDATE, "ev", "", ""},
    {"", "v1", "LimitRange", "limitranges", NS | R_CREATE_ON_UPDATE, "limits", "", ""},
    {"", "v1", "Namespace", "namespaces", R_STATUS | R_DNS_LABEL | R_NO_COLLECTION, "ns", "",
     "finalize,status"},
    {"", "v1", "Node", "nodes", R_STATUS, "no", "", "status"},
    {"", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", NS | R_STATUS | R_RETURNS_OBJECT, "pvc", "",
     "status"},
    {"", "v1", "PersistentVolume", "persistentvolumes", R_STATUS | R_RETURNS_OBJECT, "pv", "", "status"},
    {"", "v1", "Pod", "pods", NS | R_STATUS | R_RETURNS_OBJECT, "po", "all", "log,status"},
    {"", "v1", "PodTemplate", "podtemplates", NS | R_RETURNS_OBJECT, "", "", ""},
    {"", "v1", "ReplicationController", "replicationcontrollers", WORKLOAD | R_SCALE | R_ORPHANS, "rc", "all",
     "scale,status"},
    {"", "v1", "ResourceQuota", "resourcequotas", NS | R_STATUS | R_RETURNS_OBJECT, "quota", "", "status"},
    {"", "v1", "Secret", "secrets", NS, "", "", ""},
    {"", "v1", "ServiceAccount", "serviceaccounts", NS | R_RETURNS_OBJECT, "sa", "", ""},
    {"", "v1", "Service", "services", NS | R_STATUS | R_NEEDS_VERSION | R_RFC1035, "svc", "all", "status"},
    {"apiregistration.k8s.io", "v1", "APIService", "apiservices", R_STATUS | R_NEEDS_VERSION, "",
     "api-extensions", "status"},
    {"apps", "v1", "ControllerRevision", "controllerrevisions", NS, "", "", ""},
    {"apps", "v1", "DaemonSet", "daemonsets", WORKLOAD, "ds", "all", "status"},
    {"apps", "v1", "Deployment", "deployments", WORKLOAD | R_SCALE, "deploy", "all", "scale,status"},
    {"apps", "v1", "ReplicaSet", "replicasets", WORKLOAD | R_SCALE, "rs", "all", "scale,status"},
    {"apps", "v1", "StatefulSet", "statefulsets", WORKLOAD | R_SCALE, "sts", "all", "scale,status"},
    {"events.k8s.io", "v1", NULL, "events", 0, "", "", ""},
    {"authorization.k8s.io", "v1", "LocalSubjectAccessReview", "localsubjectaccessreviews", NS | R_REVIEW, "",
     "", ""},
    {"authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", R_REVIEW, "", "",
     ""},
    {"authorization.k8s.io", "v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews", R_REVIEW, "", "", ""},
    {"authorization.k8s.io", "v1", "SubjectAccessReview", "subjectaccessreviews", R_REVIEW, "", "", ""},
    {"autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", NS | R_STATUS, "hpa", "all",
     "status"},
    {"autoscaling", "v1", NULL, "horizontalpodautoscalers", 0, "", "", ""},
    {"batch", "v1", "CronJob", "cronjobs", NS | R_STATUS, "cj", "all", "status"},
    {"batch", "v1", "Job", "jobs", NS | R_STATUS | R_ORPHANS, "", "all", "status"},
    {"networking.k8s.io", "v1", "IngressClass", "ingressclasses", R_GENERATION, "", "", ""},
    {"networking.k8s.io", "v1", "Ingress", "ingresses", WORKLOAD, "ing", "", "status"},
    {"networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", NS | R_GENERATION, "netpol", "", ""},
    {"policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", WORKLOAD | R_NEEDS_VERSION, "pdb", "",
     "status"},
    {"rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings",
     R_PATH_NAME | R_CREATE_ON_UPDATE, "", "", ""},
    {"rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", R_PATH_NAME | R_CREATE_ON_UPDATE, "",
     "", ""},
    {"rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", NS | R_PATH_NAME | R_CREATE_ON_UPDATE,
     "", "", ""},
    {"rbac.authorization.k8s.io", "v1", "Role", "roles", NS | R_PATH_NAME | R_CREATE_ON_UPDATE, "", "", ""},
    {"storage.k8s.io", "v1", "CSIDriver", "csidrivers", R_NEEDS_VERSION | R_RETURNS_OBJECT, "", "", ""},
    {"storage.k8s.io", "v1", "CSINode", "csinodes", R_NEEDS_VERSION | R_RETURNS_OBJECT, "", "", ""},
    {"storage.k8s.io", "v1", "StorageClass", "storageclasses", R_RETURNS_OBJECT, "sc", "", ""},
    {"storage.k8s.io", "v1", "VolumeAttachment", "volumeattachments",
     R_STATUS | R_NEEDS_VERSION | R_RETURNS_OBJECT, "", "", "status"},
    {"admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations",
     R_GENERATION | R_NEEDS_VERSION, "", "api-extensions", ""},
    {"admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration",
     "validatingwebhookconfigurations", R_GENERATION | R_NEEDS_VERSION, "", "api-extensions", ""},
    {"apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions",
     R_STATUS | R_GENERATION | R_NEEDS_VERSION, "crd,crds", "api-extensions", "status"},
    {"scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", R_GENERATION, "pc", "", ""},
    {"coordination.k8s.io", "v1", "Lease", "leases", NS | R_CREATE_ON_UPDATE | R_NEEDS_VERSION, "", "", ""},
    {"discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", NS | R_GENERATION, "", "", ""},
};

/* Other versions than the one that is stored. */
static const struct {
    const char *group, *plural, *stored_group;
    convert_fn from_stored, to_stored;
} conversions[] = {
    {"autoscaling", "horizontalpodautoscalers", "autoscaling", hpa_v2_to_v1, hpa_v1_to_v2},
    {"events.k8s.io", "events", "", event_core_to_v1, event_v1_to_core},
};

static void serve_builtin(struct registry *g, const struct builtin *b)
{
    struct endpoint e = {.group = (char *)(uintptr_t)b->group, .version = (char *)(uintptr_t)b->version};
    for (size_t i = 0; i < ARRAY_LEN(conversions) && !b->kind; i++) {
        if (strcmp(conversions[i].plural, b->plural) != 0)
            continue;
        e.resource = registry_resource(g, conversions[i].stored_group, b->plural);
        e.from_stored = conversions[i].from_stored;
        e.to_stored = conversions[i].to_stored;
    }
    if (b->kind) {
        AUTO(free_p) char *list_kind = xasprintf("%sList", b->kind);
        AUTO(free_p) char *singular = xstrdup(b->kind);
        for (char *p = singular; *p; p++)
            *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
        e.resource = registry_add(g, &(struct resource){
                                         .group = (char *)(uintptr_t)b->group,
                                         .kind = (char *)(uintptr_t)b->kind,
                                         .list_kind = list_kind,
                                         .plural = (char *)(uintptr_t)b->plural,
                                         .singular = singular,
                                         .short_names = (char *)(uintptr_t)b->short_names,
                                         .categories = (char *)(uintptr_t)b->categories,
                                         .subresources = (char *)(uintptr_t)b->subresources,
                                         .flags = b->flags,
                                     });
    }
    registry_serve(g, &e);
}

void registry_init(struct registry *g)
{
    for (size_t i = 0; i < ARRAY_LEN(builtins); i++)
        serve_builtin(g, &builtins[i]);
}

static void endpoint_free(struct endpoint *e)
{
    json_decref(e->schema);
    char *texts[] = {e->group, e->version, e->spec_replicas, e->status_replicas, e->label_selector};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    free(e);
}

static void resource_clear(struct resource *r)
{
    char *texts[] = {r->group,       r->kind,       r->list_kind,    r->plural, r->singular,
                     r->short_names, r->categories, r->subresources, r->key};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
}

void registry_dispose(struct registry *g)
{
    VEC_FOREACH(&g->endpoints, e)
        endpoint_free(*e);
    VEC_FOREACH(&g->resources, r) {
        index_dispose(&(*r)->index);
        resource_clear(*r);
        free(*r);
    }
    VEC_FREE(&g->endpoints);
    VEC_FREE(&g->resources);
}

struct endpoint *registry_find(const struct registry *g, const char *group, const char *version,
                               const char *plural)
{
    VEC_FOREACH(&g->endpoints, e)
        if (strcmp((*e)->resource->plural, plural) == 0 && strcmp((*e)->group, group) == 0 &&
            strcmp((*e)->version, version) == 0)
            return *e;
    return NULL;
}

struct endpoint *registry_find_kind(const struct registry *g, const char *group, const char *version,
                                    const char *kind)
{
    VEC_FOREACH(&g->endpoints, e)
        if (strcmp((*e)->resource->kind, kind) == 0 && strcmp((*e)->group, group) == 0 &&
            (!version || strcmp((*e)->version, version) == 0))
            return *e;
    return NULL;
}

struct resource *registry_resource(const struct registry *g, const char *group, const char *plural)
{
    VEC_FOREACH(&g->resources, r)
        if (strcmp((*r)->plural, plural) == 0 && strcmp((*r)->group, group) == 0)
            return *r;
    return NULL;
}

struct resource *registry_add(struct registry *g, const struct resource *like)
{
    struct resource *r = registry_resource(g, like->group, like->plural);
    if (r) {
        resource_clear(r);
    } else {
        r = xcalloc(1, sizeof(*r));
        VEC_PUSH(&g->resources, r);
    }
    struct resource copy = *r;
    copy.group = xstrdup(like->group);
    copy.kind = xstrdup(like->kind);
    copy.list_kind = xstrdup(like->list_kind);
    copy.plural = xstrdup(like->plural);
    copy.singular = xstrdup(like->singular);
    copy.short_names = xstrdup(like->short_names);
    copy.categories = xstrdup(like->categories);
    copy.subresources = xstrdup(like->subresources);
    copy.key = *like->group ? xasprintf("%s.%s", like->plural, like->group) : xstrdup(like->plural);
    copy.flags = like->flags;
    *r = copy;
    return r;
}

struct endpoint *registry_serve(struct registry *g, const struct endpoint *like)
{
    struct endpoint *e = xcalloc(1, sizeof(*e));
    *e = *like;
    e->group = xstrdup(like->group);
    e->version = xstrdup(like->version);
    e->spec_replicas = xstrdup(like->spec_replicas);
    e->status_replicas = xstrdup(like->status_replicas);
    e->label_selector = xstrdup(like->label_selector);
    e->resource->served = true;
    VEC_PUSH(&g->endpoints, e);
    return e;
}

void registry_unserve(struct registry *g, struct resource *r)
{
    r->served = false;
    for (size_t i = g->endpoints.n; i-- > 0;) {
        if (g->endpoints.v[i]->resource != r)
            continue;
        endpoint_free(g->endpoints.v[i]);
        VEC_REMOVE(&g->endpoints, i);
    }
}

char *endpoint_api_version(const struct endpoint *e)
{
    return *e->group ? xasprintf("%s/%s", e->group, e->version) : xstrdup(e->version);
}

struct endpoint *resource_endpoint(const struct registry *g, const struct resource *r)
{
    VEC_FOREACH(&g->endpoints, e)
        if ((*e)->resource == r)
            return *e;
    return NULL;
}

bool list_has(const char *comma_list, const char *word)
{
    view_t rest = view_of(comma_list), part;
    while (view_split(&rest, ',', &part))
        if (part.n && view_eq(part, word))
            return true;
    return false;
}
