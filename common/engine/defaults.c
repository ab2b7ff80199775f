/* One function per kind, small setters, and a table from kind to function. A value of an unexpected type is
 * left alone: defaulting must not fail on what a user wrote. */
#include "common/engine/defaults.h"
#include "common/engine/defaults_pod.h"

static void replica_set(json_t *o, json_t *spec)
{
    (void)o;
    default_int(spec, "replicas", 1);
    pod_template_defaults(spec);
}

static void rolling_update(json_t *strategy, const char *const *names, json_t *const *values, size_t n)
{
    default_str(strategy, "type", "RollingUpdate");
    if (strcmp(str_or_empty(json_str_at(strategy, "type")), "RollingUpdate") != 0)
        return;
    json_t *update = default_object(strategy, "rollingUpdate");
    for (size_t i = 0; i < n; i++)
        if (update && !json_object_get(update, names[i]))
            json_object_set(update, names[i], values[i]);
}

static void deployment(json_t *o, json_t *spec)
{
    static const char *const names[] = {"maxUnavailable", "maxSurge"};
    replica_set(o, spec);
    default_int(spec, "revisionHistoryLimit", 10);
    default_int(spec, "progressDeadlineSeconds", 600);
    AUTO_JSON quarter = json_str_new("25%");
    rolling_update(default_object(spec, "strategy"), names, (json_t *const[]){quarter, quarter}, 2);
}

static void daemon_set(json_t *o, json_t *spec)
{
    static const char *const names[] = {"maxUnavailable", "maxSurge"};
    (void)o;
    default_int(spec, "revisionHistoryLimit", 10);
    AUTO_JSON one = json_integer(1);
    AUTO_JSON zero = json_integer(0);
    rolling_update(default_object(spec, "updateStrategy"), names, (json_t *const[]){one, zero}, 2);
    pod_template_defaults(spec);
}

static void volume_claim(json_t *o, json_t *spec)
{
    default_str(spec, "volumeMode", "Filesystem");
    default_str(default_object(o, "status"), "phase", "Pending");
}

static void stateful_set(json_t *o, json_t *spec)
{
    static const char *const names[] = {"partition"};
    replica_set(o, spec);
    default_str(spec, "podManagementPolicy", "OrderedReady");
    default_int(spec, "revisionHistoryLimit", 10);
    AUTO_JSON zero = json_integer(0);
    rolling_update(default_object(spec, "updateStrategy"), names, (json_t *const[]){zero}, 1);
    json_t *retention = default_object(spec, "persistentVolumeClaimRetentionPolicy");
    default_str(retention, "whenDeleted", "Retain");
    default_str(retention, "whenScaled", "Retain");
    json_t *claims = json_object_get(spec, "volumeClaimTemplates");
    for (size_t i = 0; i < json_array_size(claims); i++) {
        json_t *claim = json_array_get(claims, i);
        volume_claim(claim, json_object_get(claim, "spec"));
    }
}

static void job_spec(json_t *spec)
{
    if (!json_object_get(spec, "completions") && !json_object_get(spec, "parallelism"))
        default_int(spec, "completions", 1);
    default_int(spec, "parallelism", 1);
    default_int(spec, "backoffLimit", json_object_get(spec, "backoffLimitPerIndex") ? INT32_MAX : 6);
    default_str(spec, "completionMode", "NonIndexed");
    default_bool(spec, "suspend", false);
    default_bool(spec, "manualSelector", false);
    default_str(spec, "podReplacementPolicy",
                json_object_get(spec, "podFailurePolicy") ? "Failed" : "TerminatingOrFailed");
    pod_template_defaults(spec);
}

static void job(json_t *o, json_t *spec)
{
    json_t *labels = json_at(spec, "template", "metadata", "labels");
    if (json_object_size(labels) && !json_at(o, "metadata", "labels"))
        json_put_at(o, json_copy_deep(labels), "metadata", "labels");
    job_spec(spec);
}

static void cron_job(json_t *o, json_t *spec)
{
    (void)o;
    default_str(spec, "concurrencyPolicy", "Allow");
    default_bool(spec, "suspend", false);
    default_int(spec, "successfulJobsHistoryLimit", 3);
    default_int(spec, "failedJobsHistoryLimit", 1);
    /* A job's own defaults are those of Jobs, which a template is not yet. */
    json_t *inner = json_at(spec, "jobTemplate", "spec");
    if (inner)
        pod_template_defaults(inner);
}

static void pod(json_t *o, json_t *spec)
{
    (void)o;
    bare_pod_defaults(spec);
    pod_spec_defaults(spec);
}

static void service_ports(json_t *spec)
{
    json_t *ports = json_object_get(spec, "ports");
    for (size_t i = 0; i < json_array_size(ports); i++) {
        json_t *port = json_array_get(ports, i), *number = json_object_get(port, "port");
        default_str(port, "protocol", "TCP");
        if (json_is_zero(json_object_get(port, "targetPort")) && number)
            json_object_set(port, "targetPort", number);
    }
}

static void service(json_t *o, json_t *spec)
{
    default_str(spec, "sessionAffinity", "None");
    default_str(spec, "type", "ClusterIP");
    const char *type = str_or_empty(json_str_at(spec, "type"));
    if (str_eq(json_str_at(spec, "sessionAffinity"), "ClientIP"))
        default_int(default_object(default_object(spec, "sessionAffinityConfig"), "clientIP"),
                    "timeoutSeconds", 10800);
    service_ports(spec);
    bool outside = strcmp(type, "NodePort") == 0 || strcmp(type, "LoadBalancer") == 0 ||
                   (strcmp(type, "ClusterIP") == 0 && json_array_size(json_object_get(spec, "externalIPs")));
    if (outside)
        default_str(spec, "externalTrafficPolicy", "Cluster");
    if (strcmp(type, "ExternalName") != 0)
        default_str(spec, "internalTrafficPolicy", "Cluster");
    if (strcmp(type, "LoadBalancer") != 0)
        return;
    default_bool(spec, "allocateLoadBalancerNodePorts", true);
    json_t *ingress = json_at(o, "status", "loadBalancer", "ingress");
    for (size_t i = 0; i < json_array_size(ingress); i++)
        if (json_object_get(json_array_get(ingress, i), "ip"))
            default_str(json_array_get(ingress, i), "ipMode", "VIP");
}

static void secret(json_t *o, json_t *spec)
{
    (void)spec;
    default_str(o, "type", "Opaque");
}

static void namespace(json_t *o, json_t *spec)
{
    (void)spec;
    if (*object_name(o))
        json_put_at(o, json_str_new(object_name(o)), "metadata", "labels", "kubernetes.io/metadata.name");
    default_str(default_object(o, "status"), "phase", "Active");
}

static void volume(json_t *o, json_t *spec)
{
    default_str(default_object(o, "status"), "phase", "Pending");
    default_str(spec, "persistentVolumeReclaimPolicy", "Retain");
    default_str(spec, "volumeMode", "Filesystem");
    if (json_object_get(spec, "hostPath"))
        default_str(json_object_get(spec, "hostPath"), "type", "");
}

static void endpoints(json_t *o, json_t *spec)
{
    (void)spec;
    json_t *subsets = json_object_get(o, "subsets");
    for (size_t i = 0; i < json_array_size(subsets); i++) {
        json_t *ports = json_object_get(json_array_get(subsets, i), "ports");
        for (size_t p = 0; p < json_array_size(ports); p++)
            default_str(json_array_get(ports, p), "protocol", "TCP");
    }
}

static void endpoint_slice(json_t *o, json_t *spec)
{
    (void)spec;
    json_t *ports = json_object_get(o, "ports");
    for (size_t i = 0; i < json_array_size(ports); i++) {
        default_str(json_array_get(ports, i), "name", "");
        default_str(json_array_get(ports, i), "protocol", "TCP");
    }
}

/* A missing value of `to` is taken from `from`. */
static void copy_missing(json_t *to, const json_t *from)
{
    json_t *it_of = (json_t *)(uintptr_t)from;
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it))
        if (!json_object_get(to, json_object_iter_key(it)))
            json_object_set(to, json_object_iter_key(it), json_object_iter_value(it));
}

static void limit_range(json_t *o, json_t *spec)
{
    (void)o;
    json_t *limits = json_object_get(spec, "limits");
    for (size_t i = 0; i < json_array_size(limits); i++) {
        json_t *item = json_array_get(limits, i);
        if (!str_eq(json_str_at(item, "type"), "Container"))
            continue;
        if (json_object_get(item, "max"))
            copy_missing(default_object(item, "default"), json_object_get(item, "max"));
        if (json_object_get(item, "default"))
            copy_missing(default_object(item, "defaultRequest"), json_object_get(item, "default"));
        if (json_object_get(item, "min"))
            copy_missing(default_object(item, "defaultRequest"), json_object_get(item, "min"));
    }
}

static void autoscaler(json_t *o, json_t *spec)
{
    default_int(spec, "minReplicas", 1);
    if (str_eq(json_str_at(o, "apiVersion"), "autoscaling/v1")) {
        if (!object_annotation(o, "autoscaling.alpha.kubernetes.io/metrics"))
            default_int(spec, "targetCPUUtilizationPercentage", 80);
        return;
    }
    if (json_array_size(json_object_get(spec, "metrics")) == 0)
        json_object_set_new(spec, "metrics",
                            json_pack("[{s:s,s:{s:s,s:{s:s,s:i}}}]", "type", "Resource", "resource", "name",
                                      "cpu", "target", "type", "Utilization", "averageUtilization", 80));
}

static const char RBAC_GROUP[] = "rbac.authorization.k8s.io";

static void role_binding(json_t *o, json_t *spec)
{
    (void)spec;
    default_str(json_object_get(o, "roleRef"), "apiGroup", RBAC_GROUP);
    json_t *subjects = json_object_get(o, "subjects");
    for (size_t i = 0; i < json_array_size(subjects); i++) {
        json_t *s = json_array_get(subjects, i);
        const char *kind = str_or_empty(json_str_at(s, "kind"));
        if (strcmp(kind, "User") == 0 || strcmp(kind, "Group") == 0)
            default_str(s, "apiGroup", RBAC_GROUP);
    }
}

static void network_policy(json_t *o, json_t *spec)
{
    static const char *const directions[] = {"ingress", "egress"};
    (void)o;
    for (size_t d = 0; d < ARRAY_LEN(directions); d++) {
        json_t *rules = json_object_get(spec, directions[d]);
        for (size_t i = 0; i < json_array_size(rules); i++) {
            json_t *ports = json_object_get(json_array_get(rules, i), "ports");
            for (size_t p = 0; p < json_array_size(ports); p++)
                default_str(json_array_get(ports, p), "protocol", "TCP");
        }
    }
    if (spec && json_array_size(json_object_get(spec, "policyTypes")) == 0) {
        json_t *types = json_pack("[s]", "Ingress");
        if (json_array_size(json_object_get(spec, "egress")))
            json_array_append_new(types, json_string("Egress"));
        json_object_set_new(spec, "policyTypes", types);
    }
}

static void webhooks(json_t *o, json_t *spec)
{
    (void)spec;
    bool mutating = str_has_prefix(object_kind(o), "Mutating");
    json_t *hooks = json_object_get(o, "webhooks");
    for (size_t i = 0; i < json_array_size(hooks); i++) {
        json_t *h = json_array_get(hooks, i);
        default_str(h, "failurePolicy", "Fail");
        default_str(h, "matchPolicy", "Equivalent");
        default_int(h, "timeoutSeconds", 10);
        default_object(h, "namespaceSelector");
        default_object(h, "objectSelector");
        if (mutating)
            default_str(h, "reinvocationPolicy", "Never");
        if (json_at(h, "clientConfig", "service"))
            default_int(json_at(h, "clientConfig", "service"), "port", 443);
        json_t *rules = json_object_get(h, "rules");
        for (size_t r = 0; r < json_array_size(rules); r++)
            default_str(json_array_get(rules, r), "scope", "*");
    }
}

static void storage_class(json_t *o, json_t *spec)
{
    (void)spec;
    default_str(o, "reclaimPolicy", "Delete");
    default_str(o, "volumeBindingMode", "Immediate");
}

static void priority_class(json_t *o, json_t *spec)
{
    (void)spec;
    default_str(o, "preemptionPolicy", "PreemptLowerPriority");
}

static void pod_template_object(json_t *o, json_t *spec)
{
    (void)spec;
    pod_template_defaults(o);
}

static const struct {
    const char *group, *kind;
    void (*apply)(json_t *o, json_t *spec);
} table[] = {
    {"", "Pod", pod},
    {"", "PodTemplate", pod_template_object},
    {"", "ReplicationController", replica_set},
    {"", "Service", service},
    {"", "Secret", secret},
    {"", "Namespace", namespace},
    {"", "PersistentVolume", volume},
    {"", "PersistentVolumeClaim", volume_claim},
    {"", "Endpoints", endpoints},
    {"", "LimitRange", limit_range},
    {"discovery.k8s.io", "EndpointSlice", endpoint_slice},
    {"apps", "Deployment", deployment},
    {"apps", "ReplicaSet", replica_set},
    {"apps", "DaemonSet", daemon_set},
    {"apps", "StatefulSet", stateful_set},
    {"batch", "Job", job},
    {"batch", "CronJob", cron_job},
    {"autoscaling", "HorizontalPodAutoscaler", autoscaler},
    {"rbac.authorization.k8s.io", "RoleBinding", role_binding},
    {"rbac.authorization.k8s.io", "ClusterRoleBinding", role_binding},
    {"networking.k8s.io", "NetworkPolicy", network_policy},
    {"admissionregistration.k8s.io", "ValidatingWebhookConfiguration", webhooks},
    {"admissionregistration.k8s.io", "MutatingWebhookConfiguration", webhooks},
    {"storage.k8s.io", "StorageClass", storage_class},
    {"scheduling.k8s.io", "PriorityClass", priority_class},
};

void defaults_apply(json_t *object)
{
    AUTO(free_p) char *group = object_group(object);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (strcmp(table[i].kind, object_kind(object)) != 0 || strcmp(table[i].group, group) != 0)
            continue;
        table[i].apply(object, json_object_get(object, "spec"));
        return;
    }
}
