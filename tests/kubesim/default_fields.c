/* Paths go down through objects; "x[]" goes through every element of the list x. A part that ends in "?" must
 * be there, others are made. Order matters: later lines see what earlier ones set. */
#include "tests/kubesim/typed.h"

#include "common/base/enc.h"

struct def {
    const char *path, *value; /* JSON */
};

static void set_default(json_t *at, const char *path, const char *value)
{
    const char *dot = strchr(path, '.');
    view_t part = {path, dot ? (size_t)(dot - path) : strlen(path)};
    bool list = part.n > 2 && part.p[part.n - 1] == ']', must = part.p[part.n - 1] == '?';
    char name[64] = "";
    memcpy(name, part.p, min_size(sizeof(name) - 1, part.n - (list ? 2 : must ? 1 : 0)));
    json_t *next = json_object_get(at, name), *element;
    size_t i;
    if (!json_is_map(at))
        return;
    if (list) {
        json_array_foreach(next, i, element)
            set_default(element, dot + 1, value);
    } else if (dot) {
        if (!next && !must)
            json_object_set_new(at, name, next = json_object());
        set_default(next, dot + 1, value);
    } else if (!next || json_is_null(next)) {
        json_t *v = NULL;
        if (json_read_str(value, &v, NULL) == 0)
            json_object_set_new(at, name, v);
    }
}

static void set_defaults(json_t *at, const struct def *defs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        set_default(at, defs[i].path, defs[i].value);
}
#define SET_DEFAULTS(at, defs) set_defaults(at, defs, ARRAY_LEN(defs))

static bool text_is(const json_t *o, const char *key, const char *text)
{
    return str_eq(json_string_value(json_object_get(o, key)), text);
}

/* ---- pods ---- */

#define PROBE(name)                                                                                          \
    {name "?.httpGet?.path", "\"/\""}, {name "?.httpGet?.scheme", "\"HTTP\""},                               \
        {name "?.timeoutSeconds", "1"}, {name "?.periodSeconds", "10"}, {name "?.successThreshold", "1"},    \
    {                                                                                                        \
        name "?.failureThreshold", "3"                                                                       \
    }
static const struct def container_defaults[] = {
    {"resources", "{}"},
    {"terminationMessagePath", "\"/dev/termination-log\""},
    {"terminationMessagePolicy", "\"File\""},
    {"ports[].protocol", "\"TCP\""},
    {"env[].valueFrom?.fieldRef?.apiVersion", "\"v1\""},
    {"env[].valueFrom?.resourceFieldRef?.divisor", "\"0\""},
    PROBE("livenessProbe"),
    PROBE("readinessProbe"),
    PROBE("startupProbe"),
    {"lifecycle?.preStop?.httpGet?.path", "\"/\""},
    {"lifecycle?.preStop?.httpGet?.scheme", "\"HTTP\""},
    {"lifecycle?.postStart?.httpGet?.path", "\"/\""},
    {"lifecycle?.postStart?.httpGet?.scheme", "\"HTTP\""},
};

static const struct def volume_defaults[] = {
    {"secret?.defaultMode", "420"},
    {"configMap?.defaultMode", "420"},
    {"downwardAPI?.defaultMode", "420"},
    {"downwardAPI?.items[].fieldRef?.apiVersion", "\"v1\""},
    {"projected?.defaultMode", "420"},
    {"projected?.sources[].serviceAccountToken?.expirationSeconds", "3600"},
    {"projected?.sources[].downwardAPI?.items[].fieldRef?.apiVersion", "\"v1\""},
    {"hostPath?.type", "\"\""},
};

static const struct def pod_defaults[] = {
    {"restartPolicy", "\"Always\""},
    {"terminationGracePeriodSeconds", "30"},
    {"dnsPolicy", "\"ClusterFirst\""},
    {"securityContext", "{}"},
    {"schedulerName", "\"default-scheduler\""},
};

/* Always for the tag "latest", written or implied; a digest names one image for good. */
static const char *pull_policy(const char *image)
{
    const char *slash = strrchr(image, '/'), *tag = strrchr(slash ? slash : image, ':');
    if (strchr(image, '@'))
        return "IfNotPresent";
    return !tag || strcmp(tag, ":latest") == 0 ? "Always" : "IfNotPresent";
}

static void default_container(json_t *c)
{
    SET_DEFAULTS(c, container_defaults);
    if (!json_object_get(c, "imagePullPolicy"))
        json_set_str(c, "imagePullPolicy", pull_policy(str_or_empty(json_str_at(c, "image"))));
}

static void default_pod_spec(json_t *spec)
{
    static const char *const lists[] = {"initContainers", "containers", "ephemeralContainers"};
    json_t *v;
    size_t i;
    if (!json_is_map(spec))
        return;
    SET_DEFAULTS(spec, pod_defaults);
    for (size_t k = 0; k < ARRAY_LEN(lists); k++)
        json_array_foreach(json_object_get(spec, lists[k]), i, v)
            default_container(v);
    json_array_foreach(json_object_get(spec, "volumes"), i, v) {
        if (json_object_size(v) == 1)
            json_object_set_new(v, "emptyDir", json_object());
        SET_DEFAULTS(v, volume_defaults);
    }
    /* One field with an old and a new name. */
    if (json_str_at(spec, "serviceAccountName"))
        json_object_set(spec, "serviceAccount", json_object_get(spec, "serviceAccountName"));
    else if (json_str_at(spec, "serviceAccount"))
        json_object_set(spec, "serviceAccountName", json_object_get(spec, "serviceAccount"));
}

static void default_pod_template(json_t *template)
{
    default_pod_spec(json_object_get(template, "spec"));
}

static void request_what_is_limited(json_t *c)
{
    json_t *resources = json_object_get(c, "resources"), *limits = json_object_get(resources, "limits"), *v;
    const char *key;
    json_object_foreach(limits, key, v) {
        json_t *requests = json_object_get(resources, "requests");
        if (!requests)
            json_object_set_new(resources, "requests", requests = json_object());
        if (!json_object_get(requests, key))
            json_object_set(requests, key, v);
    }
}

/* What only bare pods get; the second half is admission's work (ServiceAccount, Priority,
 * DefaultTolerationSeconds). */
static void default_pod(json_t *o)
{
    static const char tolerations[] =
        "[{\"key\":\"node.kubernetes.io/not-ready\",\"operator\":\"Exists\",\"effect\":\"NoExecute\","
        "\"tolerationSeconds\":300},{\"key\":\"node.kubernetes.io/unreachable\",\"operator\":\"Exists\","
        "\"effect\":\"NoExecute\",\"tolerationSeconds\":300}]";
    static const struct def more[] = {{"enableServiceLinks", "true"},
                                      {"serviceAccountName", "\"default\""},
                                      {"serviceAccount", "\"default\""},
                                      {"tolerations", tolerations},
                                      {"priority", "0"},
                                      {"preemptionPolicy", "\"PreemptLowerPriority\""}};
    json_t *spec = json_object_get(o, "spec"), *c, *port;
    size_t i, k;
    default_pod_spec(spec);
    json_array_foreach(json_object_get(spec, "initContainers"), i, c)
        request_what_is_limited(c);
    json_array_foreach(json_object_get(spec, "containers"), i, c) {
        request_what_is_limited(c);
        if (json_bool_at(spec, "hostNetwork"))
            json_array_foreach(json_object_get(c, "ports"), k, port)
                if (!json_object_get(port, "hostPort"))
                    json_object_set(port, "hostPort", json_object_get(port, "containerPort"));
    }
    SET_DEFAULTS(spec, more);
}

/* ---- kinds with rules of their own ---- */

static void default_deployment(json_t *o)
{
    json_t *strategy = json_at(o, "spec", "strategy");
    if (text_is(strategy, "type", "RollingUpdate")) {
        set_default(strategy, "rollingUpdate.maxUnavailable", "\"25%\"");
        set_default(strategy, "rollingUpdate.maxSurge", "\"25%\"");
    }
}

static void default_statefulset(json_t *o)
{
    json_t *strategy = json_at(o, "spec", "updateStrategy"), *claim;
    size_t i;
    if (text_is(strategy, "type", "RollingUpdate"))
        set_default(strategy, "rollingUpdate.partition", "0");
    json_array_foreach(json_at(o, "spec", "volumeClaimTemplates"), i, claim) {
        json_set_str(claim, "kind", "PersistentVolumeClaim");
        json_set_str(claim, "apiVersion", "v1");
        set_default(claim, "spec.volumeMode", "\"Filesystem\"");
        set_default(claim, "status.phase", "\"Pending\"");
    }
}

static void default_daemonset(json_t *o)
{
    json_t *strategy = json_at(o, "spec", "updateStrategy");
    if (text_is(strategy, "type", "RollingUpdate"))
        set_default(strategy, "rollingUpdate.maxUnavailable", "1");
}

static void default_job_spec(json_t *spec)
{
    if (!json_object_get(spec, "completions") && !json_object_get(spec, "parallelism")) {
        set_default(spec, "completions", "1");
        set_default(spec, "parallelism", "1");
    }
    set_default(spec, "parallelism", "1");
    set_default(spec, "backoffLimit", "6");
}

static void default_job(json_t *o)
{
    default_job_spec(json_object_get(o, "spec"));
}

static void default_cron_job(json_t *o)
{
    default_pod_spec(json_at(o, "spec", "jobTemplate", "spec", "template", "spec"));
}

static void default_service(json_t *o)
{
    json_t *spec = json_object_get(o, "spec"), *port;
    bool external = text_is(spec, "type", "NodePort") || text_is(spec, "type", "LoadBalancer");
    size_t i;
    if (!text_is(spec, "sessionAffinity", "ClientIP"))
        json_object_del(spec, "sessionAffinityConfig");
    else
        set_default(spec, "sessionAffinityConfig.clientIP.timeoutSeconds", "10800");
    if (external)
        set_default(spec, "externalTrafficPolicy", "\"Cluster\"");
    json_array_foreach(json_object_get(spec, "ports"), i, port) {
        json_t *target = json_object_get(port, "targetPort");
        if (json_is_zero(target))
            json_object_set(port, "targetPort", json_object_get(port, "port"));
    }
}

static void default_hpa(json_t *o)
{
    json_t *spec = json_object_get(o, "spec");
    if (!json_array_size(json_object_get(spec, "metrics")))
        set_default(
            spec, "metrics",
            "[{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":{\"type\":\"Utilization\","
            "\"averageUtilization\":80}}}]");
}

static void default_network_policy(json_t *o)
{
    json_t *spec = json_object_get(o, "spec");
    bool egress = json_object_get(spec, "egress");
    set_default(spec, "policyTypes", egress ? "[\"Ingress\",\"Egress\"]" : "[\"Ingress\"]");
}

static void default_binding(json_t *o)
{
    json_t *subject;
    size_t i;
    json_array_foreach(json_object_get(o, "subjects"), i, subject)
        if (text_is(subject, "kind", "User") || text_is(subject, "kind", "Group"))
            set_default(subject, "apiGroup", "\"rbac.authorization.k8s.io\"");
        else if (str_empty(json_str_at(subject, "apiGroup")))
            json_object_del(subject, "apiGroup");
}

/* stringData is write-only: its values go, encoded, into data. */
static void default_secret(json_t *o)
{
    json_t *texts = json_object_get(o, "stringData"), *v;
    const char *key;
    json_object_foreach(texts, key, v) {
        AUTO_STR out = STR_INIT;
        str_add(&out, "", 0);
        if (!json_is_map(json_object_get(o, "data")))
            json_object_set_new(o, "data", json_object());

        base64_encode(json_string_value(v), json_string_length(v), &out);
        json_object_set_new(json_object_get(o, "data"), key, json_str_new(str_text(&out)));
    }
    json_object_del(o, "stringData");
}

/* Containers: what is missing of default is max, of defaultRequest default, then min. */
static void default_limit_range(json_t *o)
{
    static const char *const from_to[][2] = {
        {"max", "default"}, {"default", "defaultRequest"}, {"min", "defaultRequest"}};
    json_t *item, *v;
    const char *key;
    size_t i;
    json_array_foreach(json_at(o, "spec", "limits"), i, item) {
        for (size_t k = 0; k < ARRAY_LEN(from_to) && text_is(item, "type", "Container"); k++) {
            json_object_foreach(json_object_get(item, from_to[k][0]), key, v) {
                if (!json_at(item, from_to[k][1], key))
                    json_put_at(item, json_incref(v), from_to[k][1], key);
            }
        }
    }
}

/* ---- the table ---- */

#define D(...)                                                                                               \
    (const struct def[])                                                                                     \
    {                                                                                                        \
        __VA_ARGS__,                                                                                         \
        {                                                                                                    \
            NULL, NULL                                                                                       \
        }                                                                                                    \
    }
#define REPLICAS                                                                                             \
    {"spec.replicas", "1"},                                                                                  \
    {                                                                                                        \
        "spec.revisionHistoryLimit", "10"                                                                    \
    }
#define WEBHOOKS                                                                                             \
    {"webhooks[].failurePolicy", "\"Fail\""}, {"webhooks[].matchPolicy", "\"Equivalent\""},                  \
        {"webhooks[].timeoutSeconds", "10"}, {"webhooks[].namespaceSelector", "{}"},                         \
        {"webhooks[].objectSelector", "{}"}, {"webhooks[].rules[].scope", "\"*\""},                          \
    {                                                                                                        \
        "webhooks[].clientConfig?.service?.port", "443"                                                      \
    }

static const struct {
    const char *key;
    const struct def *defs;
    void (*fn)(json_t *o); /* after defs */
} kinds[] = {
    {"pods", NULL, default_pod},
    {"deployments.apps",
     D(REPLICAS, {"spec.progressDeadlineSeconds", "600"}, {"spec.strategy.type", "\"RollingUpdate\""}),
     default_deployment},
    {"statefulsets.apps",
     D(REPLICAS, {"spec.podManagementPolicy", "\"OrderedReady\""},
       {"spec.updateStrategy.type", "\"RollingUpdate\""}, {"spec.serviceName", "\"\""}),
     default_statefulset},
    {"daemonsets.apps",
     D({"spec.revisionHistoryLimit", "10"}, {"spec.updateStrategy.type", "\"RollingUpdate\""}),
     default_daemonset},
    {"replicasets.apps", D({"spec.replicas", "1"}), NULL},
    {"replicationcontrollers", D({"spec.replicas", "1"}), NULL},
    {"jobs.batch", NULL, default_job},
    {"cronjobs.batch",
     D({"spec.concurrencyPolicy", "\"Allow\""}, {"spec.suspend", "false"},
       {"spec.successfulJobsHistoryLimit", "3"}, {"spec.failedJobsHistoryLimit", "1"}),
     default_cron_job},
    {"services",
     D({"spec.type", "\"ClusterIP\""}, {"spec.sessionAffinity", "\"None\""},
       {"spec.ports[].protocol", "\"TCP\""}),
     default_service},
    {"secrets", D({"type", "\"Opaque\""}), default_secret},
    {"namespaces", D({"status.phase", "\"Active\""}), NULL},
    {"persistentvolumes",
     D({"spec.persistentVolumeReclaimPolicy", "\"Retain\""}, {"spec.volumeMode", "\"Filesystem\""},
       {"spec.hostPath?.type", "\"\""}),
     NULL},
    {"persistentvolumeclaims", D({"spec.volumeMode", "\"Filesystem\""}), NULL},
    {"endpoints", D({"subsets[].ports[].protocol", "\"TCP\""}), NULL},
    {"limitranges", NULL, default_limit_range},
    {"events",
     D({"source", "{}"}, {"firstTimestamp", "null"}, {"lastTimestamp", "null"}, {"eventTime", "null"},
       {"reportingComponent", "\"\""}, {"reportingInstance", "\"\""}),
     NULL},
    {"horizontalpodautoscalers.autoscaling", D({"spec.minReplicas", "1"}), default_hpa},
    {"networkpolicies.networking.k8s.io",
     D({"spec.ingress[].ports[].protocol", "\"TCP\""}, {"spec.egress[].ports[].protocol", "\"TCP\""}),
     default_network_policy},
    {"rolebindings.rbac.authorization.k8s.io", D({"roleRef?.apiGroup", "\"rbac.authorization.k8s.io\""}),
     default_binding},
    {"clusterrolebindings.rbac.authorization.k8s.io",
     D({"roleRef?.apiGroup", "\"rbac.authorization.k8s.io\""}), default_binding},
    {"mutatingwebhookconfigurations.admissionregistration.k8s.io",
     D(WEBHOOKS, {"webhooks[].reinvocationPolicy", "\"Never\""}), NULL},
    {"validatingwebhookconfigurations.admissionregistration.k8s.io", D(WEBHOOKS), NULL},
    {"storageclasses.storage.k8s.io",
     D({"reclaimPolicy", "\"Delete\""}, {"volumeBindingMode", "\"Immediate\""}), NULL},
    {"priorityclasses.scheduling.k8s.io", D({"preemptionPolicy", "\"PreemptLowerPriority\""}), NULL},
    {"apiservices.apiregistration.k8s.io", D({"spec.service?.port", "443"}), NULL},
    {"endpointslices.discovery.k8s.io", D({"ports[].protocol", "\"TCP\""}, {"ports[].name", "\"\""}), NULL},
    {"customresourcedefinitions.apiextensions.k8s.io", D({"spec.conversion.strategy", "\"None\""}), NULL},
};

/* Fields that came after 1.20, the oldest version that is simulated, with the first minor version that sets
 * them. */
static const struct {
    int minor;
    const char *key, *path, *value;
} newer[] = {
    {21, "jobs.batch", "spec.completionMode", "\"NonIndexed\""},
    {21, "jobs.batch", "spec.suspend", "false"},
    {29, "jobs.batch", "spec.podReplacementPolicy", "\"TerminatingOrFailed\""},
    {22, "daemonsets.apps", "spec.updateStrategy.rollingUpdate?.maxSurge", "0"},
    {27, "statefulsets.apps", "spec.persistentVolumeClaimRetentionPolicy.whenDeleted", "\"Retain\""},
    {27, "statefulsets.apps", "spec.persistentVolumeClaimRetentionPolicy.whenScaled", "\"Retain\""},
};

static void apply_newer(const char *key, int minor, json_t *object)
{
    for (size_t i = 0; i < ARRAY_LEN(newer); i++)
        if (minor >= newer[i].minor && strcmp(newer[i].key, key) == 0)
            set_default(object, newer[i].path, newer[i].value);
    const char *name = json_str_at(object, "metadata", "name");
    if (minor >= 21 && strcmp(key, "namespaces") == 0 && name)
        json_put_at(object, json_string(name), "metadata", "labels", "kubernetes.io/metadata.name");
}

void default_fields(const char *key, int minor, json_t *object)
{
    if (strcmp(key, "pods") != 0 && strcmp(key, "podtemplates") != 0)
        default_pod_template(json_at(object, "spec", "template"));
    if (strcmp(key, "podtemplates") == 0)
        default_pod_template(json_object_get(object, "template"));
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].key, key) != 0)
            continue;
        for (const struct def *d = kinds[i].defs; d && d->path; d++)
            set_default(object, d->path, d->value);
        if (kinds[i].fn)
            kinds[i].fn(object);
    }
    apply_newer(key, minor, object);
}
