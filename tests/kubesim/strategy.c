#include "tests/kubesim/strategy.h"

#include "tests/kubesim/crd.h"
#include "tests/kubesim/names.h"
#include "tests/kubesim/schema.h"
#include "tests/kubesim/selector.h"
#include "tests/kubesim/service.h"
#include "tests/kubesim/typed.h"
#include "tests/kubesim/validate.h"

/* ---- preparation ---- */

/* Finalizers that admission puts on what is in use. */
static void protect(struct admission *a, const char *finalizer)
{
    json_t *list = json_at(a->object, "metadata", "finalizers");
    if (a->old)
        return;
    if (!json_is_array(list))
        json_put_at(a->object, list = json_array(), "metadata", "finalizers");
    json_array_append_new(list, json_string(finalizer));
}

/* A claim without a class gets the default one, where there is one. */
static void prepare_pvc(struct admission *a)
{
    const struct resource *classes = registry_resource(&a->sim->registry, "storage.k8s.io", "storageclasses");
    struct index_cursor c = index_from(&classes->index, "");
    protect(a, "kubernetes.io/pvc-protection");
    if (a->old || json_at(a->object, "spec", "storageClassName"))
        return;
    for (struct blob *b; (b = index_next(&c));) {
        AUTO_JSON o = blob_read(b, "", "");
        if (str_same(json_str_at(o, "metadata", "annotations", "storageclass.kubernetes.io/is-default-class"),
                     "true"))
            json_put_at(a->object, json_string(blob_name(b)), "spec", "storageClassName");
    }
}

static void prepare_pv(struct admission *a)
{
    protect(a, "kubernetes.io/pv-protection");
}

static void prepare_namespace(struct admission *a)
{
    json_t *kept = a->old ? json_at(a->old, "spec", "finalizers") : NULL;
    if (!a->old)
        json_put_at(a->object, json_pack("[s]", "kubernetes"), "spec", "finalizers");
    else if (str_same(a->subresource, "finalize"))
        return;
    else if (kept)
        json_put_at(a->object, json_incref(kept), "spec", "finalizers");
    else
        json_drop_at(a->object, "spec", "finalizers");
}

/* A Job selects its pods by a label that nobody else has. */
static void prepare_job(struct admission *a)
{
    const char *uid = json_str_at(a->object, "metadata", "uid"),
               *name = json_str_at(a->object, "metadata", "name");
    bool prefixed = sim_minor(a->sim) >= 27;
    json_t *owners[] = {a->object, json_at(a->object, "spec", "template")};
    if (a->old || json_bool_at(a->object, "spec", "manualSelector") || !owners[1])
        return;
    for (size_t i = prefixed ? 1 : 0; i < ARRAY_LEN(owners); i++) {
        json_put_at(owners[i], json_string(uid), "metadata", "labels", "controller-uid");
        json_put_at(owners[i], json_string(name), "metadata", "labels", "job-name");
        if (prefixed) {
            json_put_at(owners[i], json_string(uid), "metadata", "labels",
                        "batch.kubernetes.io/controller-uid");
            json_put_at(owners[i], json_string(name), "metadata", "labels", "batch.kubernetes.io/job-name");
        }
    }
    json_put_at(a->object, json_string(uid), "spec", "selector", "matchLabels",
                prefixed ? "batch.kubernetes.io/controller-uid" : "controller-uid");
}

static void prepare_daemonset(struct admission *a)
{
    static const char key[] = "deprecated.daemonset.template.generation";
    int64_t n = 1;
    if (a->old) {
        const char *was = json_str_at(a->old, "metadata", "annotations", key);
        if (!was || !str_to_i64(was, &n))
            n = 1;
        n += !json_same(json_at(a->object, "spec", "template"), json_at(a->old, "spec", "template"));
    }
    AUTO(free_p) char *text = xasprintf("%lld", (long long)n);
    json_put_at(a->object, json_string(text), "metadata", "annotations", key);
}

static const char *qos_class(const json_t *spec)
{
    bool any = false, guaranteed = true;
    json_t *c;
    size_t i;
    json_array_foreach(json_object_get(spec, "containers"), i, c) {
        json_t *limits = json_at(c, "resources", "limits"), *requests = json_at(c, "resources", "requests");
        any |= json_object_size(limits) || json_object_size(requests);
        guaranteed &= json_object_get(limits, "cpu") && json_object_get(limits, "memory") && requests &&
                      json_same(limits, requests);
    }
    return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}

static void prepare_pod(struct admission *a)
{
    if (!a->old)
        json_put_at(a->object, json_string(qos_class(json_object_get(a->object, "spec"))), "status",
                    "qosClass");
}

/* ---- validation ---- */

static void validate_data(struct admission *a)
{
    static const char *const maps[] = {"data", "binaryData"};
    static const char *const frozen[] = {"immutable", "data", "binaryData"};
    const char *key;
    json_t *value;
    for (size_t i = 0; i < ARRAY_LEN(maps); i++)
        json_object_foreach(json_object_get(a->object, maps[i]), key, value) {
            const char *bad = config_key_check(key);
            AUTO(free_p) char *field = xasprintf("%s[%s]", maps[i], key);
            if (bad)
                problem_add(&a->causes, P_INVALID, field, "\"%s\": %s", key, bad);
        }
    if (!a->old || !json_bool_at(a->old, "immutable"))
        return;
    for (size_t i = 0; i < ARRAY_LEN(frozen); i++) {
        json_t *now = json_object_get(a->object, frozen[i]), *was = json_object_get(a->old, frozen[i]);
        if (now == was || (now && was && json_same(now, was)))
            continue;
        problem_add(&a->causes, P_FORBIDDEN, frozen[i], "field is immutable when `immutable` is set");
        return;
    }
}

static void validate_secret(struct admission *a)
{
    const char *type = str_or_empty(json_str_at(a->object, "type"));
    if (a->old && !str_same(type, json_str_at(a->old, "type")))
        problem_add(&a->causes, P_INVALID, "type", "\"%s\": field is immutable", type);
    validate_data(a);
}

static void validate_workload(struct admission *a)
{
    json_t *spec = json_object_get(a->object, "spec"), *template = json_at(spec, "template", "spec"),
           *replicas = json_object_get(spec, "replicas");
    int64_t n = 0;
    if (replicas && (!json_to_i64(replicas, &n) || n < 0))
        problem_add(&a->causes, P_INVALID, "spec.replicas", "%lld: must be greater than or equal to 0",
                    (long long)n);
    validate_selector(spec, &a->causes);
    validate_pod_spec(template, "spec.template.spec", !json_object_get(spec, "volumeClaimTemplates"),
                      &a->causes);
    const char *restart = json_str_at(template, "restartPolicy");
    if (restart && strcmp(restart, "Always") != 0)
        problem_add(&a->causes, P_UNSUPPORTED, "spec.template.spec.restartPolicy",
                    "\"%s\": supported values: \"Always\"", restart);
}

static void validate_deployment(struct admission *a)
{
    json_t *strategy = json_at(a->object, "spec", "strategy");
    validate_workload(a);
    if (str_same(json_str_at(strategy, "type"), "Recreate") && json_object_get(strategy, "rollingUpdate"))
        problem_add(&a->causes, P_FORBIDDEN, "spec.strategy.rollingUpdate",
                    "may not be specified when strategy `type` is 'Recreate'");
    if (a->old)
        validate_immutable(a->object, a->old, "spec.selector", &a->causes);
}

static void validate_statefulset(struct admission *a)
{
    static const char *const free_fields[] = {"replicas",
                                              "template",
                                              "updateStrategy",
                                              "minReadySeconds",
                                              "persistentVolumeClaimRetentionPolicy",
                                              "revisionHistoryLimit"};
    validate_workload(a);
    if (!a->old)
        return;
    AUTO_JSON now = json_copy(json_object_get(a->object, "spec"));
    AUTO_JSON was = json_copy(json_object_get(a->old, "spec"));
    /* Before 1.25 the last of these could not change either. */
    for (size_t i = 0; i < ARRAY_LEN(free_fields) - (sim_minor(a->sim) < 25); i++) {
        json_object_del(now, free_fields[i]);
        json_object_del(was, free_fields[i]);
    }
    if (!json_same(now, was))
        problem_add(
            &a->causes, P_FORBIDDEN, "spec",
            "updates to statefulset spec for fields other than 'replicas', 'template', and 'updateStrategy' "
            "are forbidden");
}

static void validate_job(struct admission *a)
{
    static const char *const frozen[] = {"spec.selector", "spec.template", "spec.completions"};
    json_t *spec = json_object_get(a->object, "spec"), *template = json_at(spec, "template", "spec");
    const char *restart = str_or_empty(json_str_at(template, "restartPolicy"));
    validate_selector(spec, &a->causes);
    validate_pod_spec(template, "spec.template.spec", true, &a->causes);
    if (!*restart || strcmp(restart, "Always") == 0)
        problem_add(&a->causes, P_REQUIRED, "spec.template.spec.restartPolicy",
                    "valid values: \"OnFailure\", \"Never\"");
    bool suspended = a->old && json_bool_at(a->old, "spec", "suspend") &&
                     !json_at(a->old, "status", "startTime");
    for (size_t i = 0; i < ARRAY_LEN(frozen) && a->old; i++)
        if (!suspended || i != 1)
            validate_immutable(a->object, a->old, frozen[i], &a->causes);
}

/* Of a pod's spec, images may change, and a few fields. */
static void validate_pod(struct admission *a)
{
    json_t *spec = json_object_get(a->object, "spec");
    validate_pod_spec(spec, "spec", true, &a->causes);
    if (!a->old)
        return;
    AUTO_JSON now = json_copy_deep(spec);
    AUTO_JSON was = json_copy_deep(json_object_get(a->old, "spec"));
    json_t *both[] = {now, was}, *c;
    size_t i;
    for (size_t k = 0; k < ARRAY_LEN(both); k++) {
        json_array_foreach(json_object_get(both[k], "containers"), i, c)
            json_object_del(c, "image");
        json_array_foreach(json_object_get(both[k], "initContainers"), i, c)
            json_object_del(c, "image");
        json_object_del(both[k], "activeDeadlineSeconds");
        json_object_del(both[k], "tolerations");
        json_object_del(both[k], "nodeName");
    }
    if (!json_same(now, was))
        problem_add(&a->causes, P_FORBIDDEN, "spec",
                    "pod updates may not change fields other than `spec.containers[*].image`, "
                    "`spec.initContainers[*].image`, `spec.activeDeadlineSeconds` or `spec.tolerations` "
                    "(only additions "
                    "to existing tolerations)");
}

static void validate_pvc(struct admission *a)
{
    json_t *spec = json_object_get(a->object, "spec");
    if (!json_array_size(json_object_get(spec, "accessModes")))
        problem_add(&a->causes, P_REQUIRED, "spec.accessModes", "at least 1 access mode is required");
    if (!json_at(spec, "resources", "requests", "storage"))
        problem_add(&a->causes, P_REQUIRED, "spec.resources[storage]", "%s", "");
    if (!a->old)
        return;
    AUTO_JSON now = json_copy_deep(spec);
    AUTO_JSON was = json_copy_deep(json_object_get(a->old, "spec"));
    bool bound = str_same(json_str_at(a->old, "status", "phase"), "Bound");
    if (!json_object_get(was, "volumeName")) /* what binding sets */
        json_object_del(now, "volumeName");
    if (bound) {
        json_drop_at(now, "resources", "requests");
        json_drop_at(was, "resources", "requests");
    }
    if (!json_same(now, was))
        problem_add(&a->causes, P_FORBIDDEN, "spec",
                    "spec is immutable after creation except resources.requests for bound claims");
}

static void validate_ingress(struct admission *a)
{
    json_t *rules = json_at(a->object, "spec", "rules"), *rule, *path;
    size_t i, k;
    if (!json_array_size(rules) && !json_at(a->object, "spec", "defaultBackend"))
        problem_add(&a->causes, P_INVALID, "spec",
                    "[]networking.IngressRule(nil): either `defaultBackend` or `rules` must be specified");
    json_array_foreach(rules, i, rule)
        json_array_foreach(json_at(rule, "http", "paths"), k, path) {
            AUTO(free_p) char *field = xasprintf("spec.rules[%zu].http.paths[%zu].pathType", i, k);
            if (!json_str_at(path, "pathType"))
                problem_add(&a->causes, P_REQUIRED, field, "pathType must be specified");
        }
}

static void validate_binding(struct admission *a)
{
    json_t *now = json_object_get(a->object, "roleRef"), *was = json_object_get(a->old, "roleRef");
    if (str_empty(json_str_at(now, "name")))
        problem_add(&a->causes, P_REQUIRED, "roleRef.name", "%s", "");
    if (a->old && !json_same(now, was))
        problem_add(&a->causes, P_INVALID, "roleRef",
                    "rbac.RoleRef{APIGroup:\"%s\", Kind:\"%s\", Name:\"%s\"}: cannot change roleRef",
                    str_or_empty(json_str_at(now, "apiGroup")), str_or_empty(json_str_at(now, "kind")),
                    str_or_empty(json_str_at(now, "name")));
}

static void validate_role(struct admission *a)
{
    json_t *rule;
    size_t i;
    json_array_foreach(json_object_get(a->object, "rules"), i, rule) {
        AUTO(free_p) char *field = xasprintf("rules[%zu].verbs", i);
        if (!json_array_size(json_object_get(rule, "verbs")))
            problem_add(&a->causes, P_REQUIRED, field, "verbs must contain at least one value");
    }
}

static void validate_hpa(struct admission *a)
{
    if (json_int_at(a->object, "spec", "maxReplicas") <= 0)
        problem_add(&a->causes, P_INVALID, "spec.maxReplicas", "%lld: must be greater than 0",
                    (long long)json_int_at(a->object, "spec", "maxReplicas"));
}

static void validate_cron_job(struct admission *a)
{
    const char *schedule = str_or_empty(json_str_at(a->object, "spec", "schedule"));
    AUTO(strv_free_p) char **fields = strv_split(schedule, " ", true);
    if (!*schedule)
        problem_add(&a->causes, P_REQUIRED, "spec.schedule", "%s", "");
    else if (strv_len(fields) != 5 && *schedule != '@')
        problem_add(&a->causes, P_INVALID, "spec.schedule",
                    "\"%s\": Expected exactly 5 fields, found %zu: %s", schedule, strv_len(fields), schedule);
    validate_pod_spec(json_at(a->object, "spec", "jobTemplate", "spec", "template", "spec"),
                      "spec.jobTemplate.spec.template.spec", true, &a->causes);
}

static void validate_storage_class(struct admission *a)
{
    static const char *const forbidden[] = {"parameters", "provisioner", "reclaimPolicy"};
    for (size_t i = 0; i < ARRAY_LEN(forbidden) && a->old; i++) {
        json_t *now = json_object_get(a->object, forbidden[i]), *was = json_object_get(a->old, forbidden[i]);
        if (now != was && !(now && was && json_same(now, was)))
            problem_add(&a->causes, P_FORBIDDEN, forbidden[i], "updates to %s are forbidden.", forbidden[i]);
    }
    if (a->old)
        validate_immutable(a->object, a->old, "volumeBindingMode", &a->causes);
}

static void validate_priority_class(struct admission *a)
{
    if (a->old && json_int_at(a->object, "value") != json_int_at(a->old, "value"))
        problem_add(&a->causes, P_FORBIDDEN, "Value", "may not be changed in an update.");
    if (a->old)
        validate_immutable(a->object, a->old, "preemptionPolicy", &a->causes);
}

static void validate_ingress_class(struct admission *a)
{
    if (a->old)
        validate_immutable(a->object, a->old, "spec.controller", &a->causes);
}

/* ---- the table ---- */

static const struct kind {
    const char *key;
    const char *status; /* of a new object, JSON; NULL: what was sent */
    void (*prepare)(struct admission *a);
    void (*validate)(struct admission *a);
} kinds[] = {
    {"configmaps", NULL, NULL, validate_data},
    {"secrets", NULL, NULL, validate_secret},
    {"services", "{\"loadBalancer\":{}}", service_prepare, service_validate},
    {"pods", "{\"phase\":\"Pending\"}", prepare_pod, validate_pod},
    {"namespaces", "{\"phase\":\"Active\"}", prepare_namespace, NULL},
    {"persistentvolumeclaims", "{\"phase\":\"Pending\"}", prepare_pvc, validate_pvc},
    {"persistentvolumes", "{\"phase\":\"Pending\"}", prepare_pv, NULL},
    {"replicationcontrollers", "{\"replicas\":0}", NULL, NULL},
    {"resourcequotas", "{}", NULL, NULL},
    {"deployments.apps", "{}", NULL, validate_deployment},
    {"replicasets.apps", "{\"replicas\":0}", NULL, validate_deployment},
    {"statefulsets.apps", "{\"replicas\":0}", NULL, validate_statefulset},
    {"daemonsets.apps",
     "{\"currentNumberScheduled\":0,\"numberMisscheduled\":0,\"desiredNumberScheduled\":0,\"numberReady\":0}",
     prepare_daemonset, validate_deployment},
    {"jobs.batch", "{}", prepare_job, validate_job},
    {"cronjobs.batch", "{}", NULL, validate_cron_job},
    {"ingresses.networking.k8s.io", "{\"loadBalancer\":{}}", NULL, validate_ingress},
    {"ingressclasses.networking.k8s.io", NULL, NULL, validate_ingress_class},
    {"horizontalpodautoscalers.autoscaling", "{\"currentReplicas\":0,\"desiredReplicas\":0}", NULL,
     validate_hpa},
    {"poddisruptionbudgets.policy",
     "{\"disruptionsAllowed\":0,\"currentHealthy\":0,\"desiredHealthy\":0,\"expectedPods\":0}", NULL, NULL},
    {"roles.rbac.authorization.k8s.io", NULL, NULL, validate_role},
    {"clusterroles.rbac.authorization.k8s.io", NULL, NULL, validate_role},
    {"rolebindings.rbac.authorization.k8s.io", NULL, NULL, validate_binding},
    {"clusterrolebindings.rbac.authorization.k8s.io", NULL, NULL, validate_binding},
    {"storageclasses.storage.k8s.io", NULL, NULL, validate_storage_class},
    {"priorityclasses.scheduling.k8s.io", NULL, NULL, validate_priority_class},
    {"apiservices.apiregistration.k8s.io", "{}", NULL, NULL},
    {"volumeattachments.storage.k8s.io", "{\"attached\":false}", NULL, NULL},
    {"customresourcedefinitions.apiextensions.k8s.io", NULL, crd_prepare, crd_validate},
};

static const struct kind *find_kind(const struct resource *r)
{
    static const struct kind none = {};
    if (!(r->flags & R_CUSTOM))
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
            if (strcmp(kinds[i].key, r->key) == 0)
                return &kinds[i];
    return &none;
}

void strategy_normalise(struct admission *a)
{
    const struct resource *r = a->endpoint->resource;
    if (r->flags & R_CUSTOM) {
        schema_prune(a->endpoint->schema, a->object);
        schema_default(a->endpoint->schema, a->object);
        return;
    }
    default_fields(r->key, sim_minor(a->sim), a->object);
    typed_finish(r->key, sim_minor(a->sim), a->object);
}

static bool has_status(const struct admission *a)
{
    unsigned flags = a->endpoint->resource->flags;
    return flags & R_CUSTOM ? a->endpoint->status : (flags & R_STATUS) != 0;
}

/* Everything but metadata and, where it has a door of its own, status. */
static json_t *desired_part(const struct admission *a, const json_t *o)
{
    static const char *const other[] = {"metadata", "apiVersion", "kind"};
    json_t *part = json_copy((json_t *)(uintptr_t)o);
    for (size_t i = 0; i < ARRAY_LEN(other); i++)
        json_object_del(part, other[i]);
    if (has_status(a))
        json_object_del(part, "status");
    return part;
}

static void count_generation(struct admission *a)
{
    const struct resource *r = a->endpoint->resource;
    if (!(r->flags & (R_GENERATION | R_CUSTOM)))
        return;
    int64_t n = 1;
    if (a->old) {
        AUTO_JSON now = desired_part(a, a->object);
        AUTO_JSON was = desired_part(a, a->old);
        json_t *notes = json_at(a->object, "metadata", "annotations"),
               *had = json_at(a->old, "metadata", "annotations");
        bool changed = !json_same(now, was);
        /* Annotations of a Deployment go to its ReplicaSets. */
        if (strcmp(r->key, "deployments.apps") == 0)
            changed |= notes != had && !(notes && had && json_same(notes, had));
        n = json_int_at(a->old, "metadata", "generation") + changed;
    }
    json_put_at(a->object, json_integer(n), "metadata", "generation");
}

/* The status door lets through status, and of metadata what kube-apiserver does. */
static void keep_but_status(struct admission *a)
{
    static const char *const let_through[] = {"annotations", "finalizers"};
    AUTO_JSON sent = json_copy(a->object);
    json_t *status = json_object_get(sent, "status"), *meta = json_object_get(sent, "metadata");
    AUTO_JSON old = json_copy_deep(a->old);
    json_object_clear(a->object);
    json_object_update(a->object, old);
    if (status)
        json_object_set(a->object, "status", status);
    else
        json_object_del(a->object, "status");
    for (size_t i = 0; i < ARRAY_LEN(let_through) && !(a->endpoint->resource->flags & R_CUSTOM); i++) {
        json_t *v = json_object_get(meta, let_through[i]);
        if (v)
            json_put_at(a->object, json_incref(v), "metadata", let_through[i]);
        else
            json_drop_at(a->object, "metadata", let_through[i]);
    }
}

static void set_status(struct admission *a, const struct kind *kind)
{
    json_t *v = NULL;
    if (a->old && !str_same(a->subresource, "status"))
        v = json_incref(json_object_get(a->old, "status"));
    else if (!a->old && kind->status)
        json_read_str(kind->status, &v, NULL);
    else if (!(a->endpoint->resource->flags & R_CUSTOM))
        return;
    if (v)
        json_object_set_new(a->object, "status", v);
    else
        json_object_del(a->object, "status");
}

void strategy_prepare(struct admission *a)
{
    const struct kind *kind = find_kind(a->endpoint->resource);
    if (a->old && str_same(a->subresource, "status")) {
        keep_but_status(a);
        return;
    }
    if (has_status(a))
        set_status(a, kind);
    if (kind->prepare)
        kind->prepare(a);
    count_generation(a);
}

void strategy_validate(struct admission *a)
{
    const struct kind *kind = find_kind(a->endpoint->resource);
    if (a->endpoint->resource->flags & R_CUSTOM)
        schema_check(a->endpoint->schema, a->object, &a->causes);
    else if (kind->validate && !str_same(a->subresource, "status"))
        kind->validate(a);
}
