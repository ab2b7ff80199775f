/* Endpoints, EndpointSlices and load balancers of Services. */
#include "tests/kubesim/pods.h"

#include <stdio.h>

static const char slices[] = "endpointslices.discovery.k8s.io";

/* The port number that a Service's port has on a pod: a number, or the name of a container's port. 0: none.
 */
static int64_t pod_port(const json_t *pod, const json_t *port)
{
    json_t *target = json_object_get(port, "targetPort"), *c, *p;
    const char *name = json_string_value(target);
    size_t i, k;
    if (!name)
        return json_integer_value(target);
    json_array_foreach(json_at(pod, "spec", "containers"), i, c)
        json_array_foreach(json_object_get(c, "ports"), k, p)
            if (str_same(json_str_at(p, "name"), name))
                return json_int_at(p, "containerPort");
    return 0;
}

static json_t *target_ref(const json_t *pod)
{
    return json_pack("{s:s,s:s,s:s,s:s}", "kind", "Pod", "namespace",
                     json_str_at(pod, "metadata", "namespace"), "name", json_str_at(pod, "metadata", "name"),
                     "uid", json_str_at(pod, "metadata", "uid"));
}

static json_t *subset_ports(const json_t *service, const json_t *pod, bool slice)
{
    json_t *ports = json_array(), *port;
    size_t i;
    json_array_foreach(json_at(service, "spec", "ports"), i, port) {
        json_t *o = json_pack("{s:I,s:s}", "port", (json_int_t)pod_port(pod, port), "protocol",
                              str_or_empty(json_str_at(port, "protocol")));
        const char *name = json_str_at(port, "name");
        if (name || slice)
            json_set_str(o, "name", name);
        json_array_append_new(ports, o);
    }
    return ports;
}

/* Adds to *address_lists what there is of each kind. */
static json_t *subsets_of(const json_t *service, const ctl_list_t *pods)
{
    json_t *ready = json_array(), *waiting = json_array(), *subsets = json_array(), *subset;
    const json_t *any = NULL;
    VEC_FOREACH(pods, pod) {
        const char *ip = json_str_at(*pod, "status", "podIP"), *node = json_str_at(*pod, "spec", "nodeName");
        if (!ip || !pod_is_active(*pod))
            continue;
        any = *pod;
        json_array_append_new(pod_is_ready(*pod) ? ready : waiting,
                              json_pack("{s:s,s:s,s:o}", "ip", ip, "nodeName", str_or_empty(node),
                                        "targetRef", target_ref(*pod)));
    }
    subset = json_object();
    if (json_array_size(ready))
        json_object_set(subset, "addresses", ready);
    if (json_array_size(waiting))
        json_object_set(subset, "notReadyAddresses", waiting);
    if (any)
        json_object_set_new(subset, "ports", subset_ports(service, any, false));
    if (any)
        json_array_append(subsets, subset);
    json_decref(subset);
    json_decref(ready);
    json_decref(waiting);
    return subsets;
}

static void put_endpoints(struct sim *s, const json_t *service, const ctl_list_t *pods)
{
    const char *ns = json_str_at(service, "metadata", "namespace"),
               *name = json_str_at(service, "metadata", "name");
    AUTO_JSON old = ctl_get(s, "endpoints", ns, name);
    AUTO_JSON subsets = subsets_of(service, pods);
    json_t *labels = json_at(service, "metadata", "labels");
    AUTO_JSON o = old ? json_incref(old)
                      : json_pack("{s:{s:s,s:s}}", "metadata", "name", name, "namespace", ns);
    if (labels)
        json_put_at(o, json_copy_deep(labels), "metadata", "labels");
    if (json_array_size(subsets))
        json_object_set(o, "subsets", subsets);
    else
        json_object_del(o, "subsets");
    if (old)
        ctl_update(s, "endpoints", o, NULL);
    else
        json_decref(ctl_create(s, "endpoints", ns, json_copy_deep(o)));
}

static json_t *slice_endpoints(const ctl_list_t *pods)
{
    json_t *list = json_array();
    VEC_FOREACH(pods, pod) {
        const char *ip = json_str_at(*pod, "status", "podIP");
        bool ready = pod_is_ready(*pod);
        if (!ip || !pod_is_active(*pod))
            continue;
        json_array_append_new(list,
                              json_pack("{s:[s],s:{s:b,s:b,s:b},s:s,s:o}", "addresses", ip, "conditions",
                                        "ready", (int)ready, "serving", (int)ready, "terminating", 0,
                                        "nodeName", str_or_empty(json_str_at(*pod, "spec", "nodeName")),
                                        "targetRef", target_ref(*pod)));
    }
    return list;
}

static void put_slice(struct sim *s, const json_t *service, const ctl_list_t *pods)
{
    const char *ns = json_str_at(service, "metadata", "namespace"),
               *name = json_str_at(service, "metadata", "name");
    AUTO_LIST mine = ctl_owned(s, slices, json_str_at(service, "metadata", "uid"));
    AUTO(free_p) char *prefix = xasprintf("%s-", name);
    json_t *labels = json_at(service, "metadata", "labels"), *endpoints = slice_endpoints(pods);
    AUTO_JSON o = mine.n
                      ? json_incref(mine.v[0])
                      : json_pack("{s:{s:s,s:o},s:s}", "metadata", "generateName", prefix, "ownerReferences",
                                  ctl_owner_refs("v1", "Service", service), "addressType", "IPv4");
    json_put_at(o, labels ? json_copy_deep(labels) : json_object(), "metadata", "labels");
    json_put_at(o, json_string(name), "metadata", "labels", "kubernetes.io/service-name");
    json_put_at(o, json_string("endpointslice-controller.k8s.io"), "metadata", "labels",
                "endpointslice.kubernetes.io/managed-by");
    json_object_set_new(o, "ports", pods->n ? subset_ports(service, pods->v[0], true) : json_array());
    json_object_set_new(o, "endpoints", endpoints);
    if (mine.n)
        ctl_update(s, slices, o, NULL);
    else
        json_decref(ctl_create(s, slices, ns, json_copy_deep(o)));
}

static void balance(struct sim *s, json_t *service)
{
    bool wanted = str_same(json_str_at(service, "spec", "type"), "LoadBalancer");
    bool have = json_array_size(json_at(service, "status", "loadBalancer", "ingress")) > 0;
    uint64_t n = store_rv(s->store);
    char ip[32];
    if (wanted == have)
        return;
    snprintf(ip, sizeof(ip), "198.51.100.%u", (unsigned)(n % 250) + 1);
    json_t *ingress = json_pack("[{s:s}]", "ip", ip);
    if (sim_minor(s) >= 30)
        json_set_str(json_array_get(ingress, 0), "ipMode", "VIP");
    json_put_at(service, wanted ? json_pack("{s:O}", "ingress", ingress) : json_object(), "status",
                "loadBalancer");
    json_decref(ingress);
    ctl_update(s, "services", service, "status");
}

void service_sync(struct sim *s, const char *ns, const char *name)
{
    AUTO_JSON o = ctl_get(s, "services", ns, name);
    if (!o) {
        AUTO_JSON left = ctl_get(s, "endpoints", ns, name);
        if (left)
            ctl_delete(s, "endpoints", left, NULL, -1);
        return;
    }
    if (json_at(o, "metadata", "deletionTimestamp"))
        return;
    json_t *selector = json_at(o, "spec", "selector");
    if (json_object_size(selector)) {
        AUTO_LIST pods = ctl_selected(s, "pods", ns, selector);
        put_endpoints(s, o, &pods);
        put_slice(s, o, &pods);
    }
    balance(s, o);
}
