#include "common/engine/node_info.h"
#include "common/base/intern.h"
#include "common/engine/node_network.h"
#include "common/engine/script.h"

void node_info_release(struct node_info *i)
{
    intern_unref(i->info);
    intern_unref(i->images);
    intern_unref(i->networking);
    intern_unref(i->node);
    *i = (struct node_info){};
}

bool node_info_same(const struct node_info *a, const struct node_info *b)
{
    /* Interned: equal texts are equal pointers. */
    return a->info == b->info && a->images == b->images && a->networking == b->networking &&
           a->node == b->node && a->cpu_milli == b->cpu_milli && a->memory_milli == b->memory_milli;
}

static void add_item(json_t *list, const char *name, const char *value)
{
    json_t *item = json_object();
    json_set_str(item, "name", name);
    json_set_str(item, "value", value);
    json_array_append_new(list, item);
}

static const char *intern_json(const json_t *v)
{
    if (!json_array_size(v) && !json_object_size(v))
        return NULL;
    AUTO_STR text = STR_INIT;
    json_write(v, JSON_KEEP_ORDER, &text);
    return intern_n(str_text(&text), text.len);
}

static void add_revision(const json_t *o, json_t *items)
{
    static const char *const keys[] = {"deployment.kubernetes.io/revision", "rollout.argoproj.io/revision"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const char *revision = object_annotation(o, keys[i]);
        if (str_empty(revision))
            continue;
        AUTO(free_p) char *text = xasprintf("Rev:%s", revision);
        add_item(items, "Revision", text);
        return;
    }
    json_t *top = json_object_get(o, "revision");
    if (json_is_integer(top)) {
        AUTO(free_p) char *text = xasprintf("Rev:%lld", (long long)json_integer_value(top));
        add_item(items, "Revision", text);
    }
}

static bool is_restartable_init(const json_t *container)
{
    return str_eq(json_str_at(container, "restartPolicy"), "Always");
}

static void pod_containers(const json_t *pod, json_t *items)
{
    json_t *inits = json_at(pod, "spec", "initContainers");
    json_t *statuses = json_at(pod, "status", "containerStatuses");
    json_t *init_statuses = json_at(pod, "status", "initContainerStatuses");
    size_t total = json_array_size(json_at(pod, "spec", "containers")), ready = 0;
    int64_t restarts = 0;
    for (size_t i = 0; i < json_array_size(statuses); i++) {
        const json_t *c = json_array_get(statuses, i);
        restarts += json_int_at(c, "restartCount");
        ready += json_bool_at(c, "ready") && json_at(c, "state", "running");
    }
    for (size_t i = 0; i < json_array_size(inits); i++) {
        if (!is_restartable_init(json_array_get(inits, i)))
            continue;
        total++;
        const json_t *c = json_array_get(init_statuses, i);
        ready += json_bool_at(c, "ready");
        restarts += json_int_at(c, "restartCount");
    }
    AUTO(free_p) char *text = xasprintf("%zu/%zu", ready, total);
    add_item(items, "Containers", text);
    if (restarts > 0) {
        AUTO(free_p) char *count = xasprintf("%lld", (long long)restarts);
        add_item(items, "Restart Count", count);
    }
}

static int64_t sum_requests(const json_t *pod, const char *resource)
{
    json_t *list = json_at(pod, "spec", "containers");
    int64_t sum = 0, milli;
    for (size_t i = 0; i < json_array_size(list); i++)
        if (quantity_milli(json_str_at(json_array_get(list, i), "resources", "requests", resource), &milli))
            sum += milli;
    return sum;
}

static void pod_info(const json_t *pod, struct node_info *out, json_t *items)
{
    const char *phase = str_or_empty(json_str_at(pod, "status", "phase"));
    AUTO(free_p) char *reason = pod_status_reason(pod);
    if (*reason)
        add_item(items, "Status Reason", reason);
    const char *node = json_str_at(pod, "spec", "nodeName");
    if (!str_empty(node)) {
        add_item(items, "Node", node);
        out->node = intern(node);
    }
    pod_containers(pod, items);
    if (strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0)
        return;
    out->cpu_milli = sum_requests(pod, "cpu");
    out->memory_milli = sum_requests(pod, "memory");
}

static json_t *pod_images(const json_t *pod)
{
    static const char *const lists[] = {"initContainers", "containers"};
    json_t *out = json_array();
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        json_t *list = json_at(pod, "spec", lists[l]);
        for (size_t i = 0; i < json_array_size(list); i++)
            json_array_append_new(out, json_str_new(json_str_at(json_array_get(list, i), "image")));
    }
    return out;
}

void node_info_of(const json_t *o, char *const *custom_labels, struct node_info *out)
{
    *out = (struct node_info){};
    AUTO(free_p) char *group = object_group(o);
    const char *kind = object_kind(o);
    AUTO_JSON items = json_array();
    AUTO_JSON networking = node_networking(group, kind, o);
    add_revision(o, items);
    for (size_t i = 0; custom_labels && custom_labels[i]; i++)
        if (object_label(o, custom_labels[i]))
            add_item(items, custom_labels[i], object_label(o, custom_labels[i]));
    if (!*group && strcmp(kind, "Pod") == 0) {
        pod_info(o, out, items);
        AUTO_JSON images = pod_images(o);
        out->images = intern_json(images);
    } else if (strcmp(kind, "Application") == 0 && strcmp(group, "argoproj.io") == 0) {
        const char *url = object_annotation(o, "argocd.argoproj.io/managed-by-url");
        if (!str_empty(url))
            add_item(items, "managed-by-url", url);
    }
    out->info = intern_json(items);
    out->networking = intern_json(networking);
}

#define META_PATHS                                                                                           \
    "apiVersion", "kind", "revision", "metadata.name", "metadata.namespace", "metadata.uid",                 \
        "metadata.resourceVersion", "metadata.generation", "metadata.creationTimestamp",                     \
        "metadata.deletionTimestamp", "metadata.ownerReferences", "metadata.finalizers", "metadata.labels",  \
        "metadata.annotations"

const char *const *node_info_paths(const char *group, const char *kind, size_t *n)
{
    /* The annotations are read whole: links may have any name. Only pods, services and the like need more. */
    static const char *const plain[] = {META_PATHS};
    static const char *const workload[] = {META_PATHS, "status", "spec.paused", "spec.replicas",
                                           "spec.updateStrategy"};
    static const char *const pod[] = {META_PATHS,
                                      "status",
                                      "spec.nodeName",
                                      "spec.restartPolicy",
                                      "spec.containers.name",
                                      "spec.containers.image",
                                      "spec.containers.resources.requests",
                                      "spec.initContainers.name",
                                      "spec.initContainers.image",
                                      "spec.initContainers.restartPolicy"};
    static const char *const network[] = {META_PATHS, "status", "spec"};
    static const char *const secret[] = {META_PATHS, "type"};
    static const struct {
        const char *group, *kind;
        const char *const *paths;
        size_t n;
    } table[] = {
        {"", "Pod", pod, ARRAY_LEN(pod)},
        {"apps", "Deployment", workload, ARRAY_LEN(workload)},
        {"apps", "StatefulSet", network, ARRAY_LEN(network)},
        {"apps", "DaemonSet", workload, ARRAY_LEN(workload)},
        {"apps", "ReplicaSet", workload, ARRAY_LEN(workload)},
        {"batch", "Job", workload, ARRAY_LEN(workload)},
        {"autoscaling", "HorizontalPodAutoscaler", workload, ARRAY_LEN(workload)},
        {"apiregistration.k8s.io", "APIService", workload, ARRAY_LEN(workload)},
        {"argoproj.io", "Workflow", workload, ARRAY_LEN(workload)},
        {"", "PersistentVolumeClaim", workload, ARRAY_LEN(workload)},
        {"", "Service", network, ARRAY_LEN(network)},
        {"extensions", "Ingress", network, ARRAY_LEN(network)},
        {"networking.k8s.io", "Ingress", network, ARRAY_LEN(network)},
        {"networking.istio.io", "VirtualService", network, ARRAY_LEN(network)},
        {"networking.istio.io", "ServiceEntry", network, ARRAY_LEN(network)},
        {"", "Secret", secret, ARRAY_LEN(secret)},
        {"", "Node", network, ARRAY_LEN(network)},
        {"apiextensions.k8s.io", "CustomResourceDefinition", workload, ARRAY_LEN(workload)},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (strcmp(table[i].kind, kind) == 0 && strcmp(table[i].group, str_or_empty(group)) == 0) {
            *n = table[i].n;
            return table[i].paths;
        }
    }
    bool more = str_eq(group, "gateway.networking.k8s.io") || script_bundled(str_or_empty(group), kind);
    *n = more ? ARRAY_LEN(network) : ARRAY_LEN(plain);
    return more ? network : plain;
}
