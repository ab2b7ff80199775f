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
           a->node == b->node && a->is_host == b->is_host && a->has_requests == b->has_requests &&
           a->cpu_milli == b->cpu_milli && a->memory_milli == b->memory_milli;
}

static void add_item(json_t *list, const char *name, const char *value)
{
    json_t *item = json_object();
    json_set_str(item, "name", name);
    json_put_str(item, "value", value);
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

/* ---- pods ---- */

static const json_t *item_named(const json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_eq(json_str_at(json_array_get(list, i), "name"), name))
            return json_array_get(list, i);
    return NULL;
}

static bool is_restartable_init(const json_t *container)
{
    return str_eq(json_str_at(container, "restartPolicy"), "Always");
}

struct containers {
    size_t total, ready;
    int64_t restarts;
};

/* Up to the one that initialisation waits for. True when it is over. */
static bool count_inits(const json_t *pod, struct containers *n)
{
    const json_t *list = json_at(pod, "status", "initContainerStatuses"),
                 *specs = json_at(pod, "spec", "initContainers");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *c = json_array_get(list, i), *end = json_at(c, "state", "terminated");
        bool sidecar = is_restartable_init(item_named(specs, str_or_empty(json_str_at(c, "name")))) &&
                       json_bool_at(c, "started");
        n->restarts += json_int_at(c, "restartCount");
        if (end && json_int_at(end, "exitCode") == 0)
            continue;
        if (!sidecar)
            return false;
        n->ready += json_bool_at(c, "ready");
    }
    return true;
}

static void count_containers(const json_t *pod, struct containers *n)
{
    const json_t *list = json_at(pod, "status", "containerStatuses");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *c = json_array_get(list, i), *state = json_object_get(c, "state");
        bool waits = !str_empty(json_str_at(state, "waiting", "reason"));
        n->restarts += json_int_at(c, "restartCount");
        n->ready += !waits && !json_object_get(state, "terminated") && json_object_get(state, "running") &&
                    json_bool_at(c, "ready");
    }
}

static void pod_containers(const json_t *pod, json_t *items)
{
    const json_t *inits = json_at(pod, "spec", "initContainers");
    struct containers n = {.total = json_array_size(json_at(pod, "spec", "containers"))};
    for (size_t i = 0; i < json_array_size(inits); i++)
        n.total += is_restartable_init(json_array_get(inits, i));
    bool initialised = count_inits(pod, &n);
    if (initialised || pod_condition_is(pod, "Initialized", "True", NULL))
        count_containers(pod, &n);
    AUTO(free_p) char *text = xasprintf("%zu/%zu", n.ready, n.total);
    add_item(items, "Containers", text);
    if (n.restarts > 0) {
        AUTO(free_p) char *count = xasprintf("%lld", (long long)n.restarts);
        add_item(items, "Restart Count", count);
    }
}

static int64_t request_of(const json_t *container, const char *resource)
{
    int64_t milli = 0;
    const char *text = json_str_at(container, "resources", "requests", resource);
    return text && quantity_milli(text, &milli) ? milli : 0;
}

/* What the scheduler reserves: the containers and sidecars together, or more, where an init container needs
 * it. */
static int64_t requests_of(const json_t *pod, const char *resource)
{
    const json_t *list = json_at(pod, "spec", "containers"), *inits = json_at(pod, "spec", "initContainers");
    int64_t sum = 0, sidecars = 0, most = 0, overhead = 0;
    for (size_t i = 0; i < json_array_size(list); i++)
        sum += request_of(json_array_get(list, i), resource);
    for (size_t i = 0; i < json_array_size(inits); i++) {
        int64_t own = request_of(json_array_get(inits, i), resource);
        if (is_restartable_init(json_array_get(inits, i)))
            sidecars += own, own = 0;
        most = own + sidecars > most ? own + sidecars : most;
    }
    const char *more = json_str_at(pod, "spec", "overhead", resource);
    if (more && !quantity_milli(more, &overhead))
        overhead = 0;
    sum += sidecars;
    return (sum > most ? sum : most) + overhead;
}

static void pod_info(const json_t *pod, struct node_info *out, json_t *items)
{
    const char *phase = str_or_empty(json_str_at(pod, "status", "phase"));
    AUTO(free_p) char *reason = pod_status_reason(pod);
    if (*reason)
        add_item(items, "Status Reason", reason);
    const char *node = json_str_at(pod, "spec", "nodeName");
    add_item(items, "Node", node);
    if (!str_empty(node))
        out->node = intern(node);
    pod_containers(pod, items);
    if (strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0)
        return;
    out->has_requests = true;
    out->cpu_milli = requests_of(pod, "cpu");
    out->memory_milli = requests_of(pod, "memory");
}

static void host_info(const json_t *node, struct node_info *out)
{
    static const char *const resources[] = {"cpu", "memory", "storage"};
    AUTO_JSON capacity = json_object();
    for (size_t i = 0; i < ARRAY_LEN(resources); i++) {
        int64_t milli = 0;
        const char *text = json_str_at(node, "status", "capacity", resources[i]);
        if (text && quantity_milli(text, &milli) && milli > 0)
            json_object_set_new(capacity, resources[i], json_integer(milli));
    }
    AUTO_JSON host = json_object();
    const json_t *system = json_at(node, "status", "nodeInfo"), *labels = json_at(node, "metadata", "labels");
    json_object_set(host, "capacity", capacity);
    if (json_is_object(system))
        json_object_set(host, "systemInfo", (json_t *)(uintptr_t)system);
    if (json_is_object(labels))
        json_object_set(host, "labels", (json_t *)(uintptr_t)labels);
    out->node = intern_json(host);
    out->is_host = true;
}

static json_t *pod_images(const json_t *pod)
{
    static const char *const lists[] = {"initContainers", "containers"};
    json_t *out = json_array();
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        const json_t *list = json_at(pod, "spec", lists[l]);
        for (size_t i = 0; i < json_array_size(list); i++) {
            const char *image = str_or_empty(json_str_at(json_array_get(list, i), "image"));
            bool known = false;
            for (size_t k = 0; k < json_array_size(out); k++)
                known = known || str_eq(json_string_value(json_array_get(out, k)), image);
            if (!known)
                json_array_append_new(out, json_str_new(image));
        }
    }
    return out;
}

json_t *node_info_items(const struct node_info *i, json_t *read)
{
    if (!i->has_requests)
        return read ? json_incref(read) : json_array();
    json_t *items = read ? json_copy(read) : json_array();
    char number[24];
    snprintf(number, sizeof(number), "%lld", (long long)i->cpu_milli);
    add_item(items, "cpu", number);
    snprintf(number, sizeof(number), "%lld", (long long)i->memory_milli);
    add_item(items, "memory", number);
    return items;
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
    } else if (!*group && strcmp(kind, "Node") == 0) {
        host_info(o, out);
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
                                      "spec.initContainers.resources.requests",
                                      "spec.overhead",
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
