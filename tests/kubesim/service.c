#include "tests/kubesim/service.h"

#include "common/base/rand.h"
#include "tests/kubesim/names.h"
#include "tests/kubesim/status.h"

#include <stdio.h>

enum { PORT_MIN = 30000, PORT_COUNT = 2768 };

struct allocator {
    map_t taken; /* "10.0.1.2", "30080" -> how often, as a number in the pointer */
};

struct allocator *allocator_new(void)
{
    return xcalloc(1, sizeof(struct allocator));
}

void allocator_free(struct allocator *a)
{
    if (!a)
        return;
    map_dispose(&a->taken);
    free(a);
}

static void count(struct allocator *a, const char *what, int by)
{
    intptr_t n = (intptr_t)map_get(&a->taken, what) + by;
    if (n > 0)
        map_put(&a->taken, what, (void *)n);
    else
        map_del(&a->taken, what);
}

static void count_service(struct allocator *a, const struct blob *b, int by)
{
    json_t *o, *port;
    size_t i;
    if (!b)
        return;
    o = blob_read(b, "v1", "Service");
    const char *ip = json_str_at(o, "spec", "clusterIP");
    if (!str_empty(ip) && strcmp(ip, "None") != 0)
        count(a, ip, by);
    json_array_foreach(json_at(o, "spec", "ports"), i, port) {
        char text[24];
        snprintf(text, sizeof(text), "%lld", (long long)json_int_at(port, "nodePort"));
        if (json_object_get(port, "nodePort"))
            count(a, text, by);
    }
    json_decref(o);
}

void allocator_on_change(struct allocator *a, const struct change *c)
{
    if (strcmp(c->resource->key, "services") != 0)
        return;
    count_service(a, c->before, -1);
    if (c->type != CHANGE_DELETED)
        count_service(a, c->object, 1);
}

/* ---- preparation ---- */

static void allocate_ip(struct allocator *a, json_t *spec)
{
    char ip[24];
    do {
        unsigned n = (unsigned)random_below(65000) + 10;
        snprintf(ip, sizeof(ip), "10.0.%u.%u", n >> 8, n & 255);
    } while (map_has(&a->taken, ip) && a->taken.n < 60000);
    json_set_str(spec, "clusterIP", ip);
}

static void allocate_port(struct allocator *a, json_t *port)
{
    char text[24];
    unsigned n;
    do {
        n = PORT_MIN + (unsigned)random_below(PORT_COUNT);
        snprintf(text, sizeof(text), "%u", n);
    } while (map_has(&a->taken, text) && a->taken.n < 60000);
    json_object_set_new(port, "nodePort", json_integer(n));
}

/* Before 1.22 a client had to send back what was allocated. */
static void keep_allocated(struct admission *a, json_t *spec, const json_t *was)
{
    static const char *const fields[] = {"clusterIP", "clusterIPs"};
    json_t *port, *old;
    size_t i, k;
    if (sim_minor(a->sim) >= 22)
        for (i = 0; i < ARRAY_LEN(fields); i++)
            if (!json_object_get(spec, fields[i]) && json_object_get(was, fields[i]))
                json_object_set(spec, fields[i], json_object_get(was, fields[i]));
    if (sim_minor(a->sim) < 22)
        return;
    json_array_foreach(json_object_get(spec, "ports"), i, port)
        json_array_foreach(json_object_get(was, "ports"), k, old)
            if (!json_object_get(port, "nodePort") && json_object_get(old, "nodePort") &&
                json_int_at(port, "port") == json_int_at(old, "port") &&
                str_same(json_str_at(port, "protocol"), json_str_at(old, "protocol")))
                json_object_set(port, "nodePort", json_object_get(old, "nodePort"));
}

static void newer_fields(struct admission *a, json_t *spec, const char *type)
{
    bool headless = str_same(json_str_at(spec, "clusterIP"), "None");
    if (sim_minor(a->sim) < 22)
        return;
    if (!json_object_get(spec, "internalTrafficPolicy"))
        json_set_str(spec, "internalTrafficPolicy", "Cluster");
    if (!json_object_get(spec, "ipFamilies"))
        json_object_set_new(spec, "ipFamilies", json_pack("[s]", "IPv4"));
    if (!json_object_get(spec, "ipFamilyPolicy"))
        json_set_str(spec, "ipFamilyPolicy",
                     headless && !json_object_get(spec, "selector") ? "RequireDualStack" : "SingleStack");
    if (strcmp(type, "LoadBalancer") == 0 && !json_object_get(spec, "allocateLoadBalancerNodePorts"))
        json_object_set_new(spec, "allocateLoadBalancerNodePorts", json_true());
}

/* Going to ExternalName gives the addresses back. */
static void strip_external(json_t *spec)
{
    static const char *const dropped[] = {"clusterIP", "clusterIPs", "externalTrafficPolicy"};
    json_t *port;
    size_t i;
    for (i = 0; i < ARRAY_LEN(dropped); i++)
        json_object_del(spec, dropped[i]);
    json_array_foreach(json_object_get(spec, "ports"), i, port)
        json_object_del(port, "nodePort");
}

void service_prepare(struct admission *a)
{
    struct allocator *pool = a->sim->allocator;
    json_t *spec = json_object_get(a->object, "spec"), *port;
    const json_t *was = json_object_get(a->old, "spec");
    const char *type = str_or_empty(json_str_at(spec, "type"));
    bool nodes = strcmp(type, "NodePort") == 0 || strcmp(type, "LoadBalancer") == 0;
    size_t i;
    if (!json_is_map(spec))
        return;
    if (strcmp(type, "ExternalName") == 0) {
        strip_external(spec);
        return;
    }
    bool was_external = str_same(json_str_at(was, "type"), "ExternalName");
    if (a->old && !was_external)
        keep_allocated(a, spec, was);
    if (!json_object_get(spec, "clusterIP") && json_array_size(json_object_get(spec, "clusterIPs")))
        json_object_set(spec, "clusterIP", json_array_get(json_object_get(spec, "clusterIPs"), 0));
    if (!json_object_get(spec, "clusterIP") && (!a->old || was_external))
        allocate_ip(pool, spec);
    if (json_object_get(spec, "clusterIP"))
        json_object_set_new(spec, "clusterIPs", json_pack("[O]", json_object_get(spec, "clusterIP")));
    if (!nodes)
        json_object_del(spec, "externalTrafficPolicy");
    json_array_foreach(json_object_get(spec, "ports"), i, port) {
        if (nodes && !json_object_get(port, "nodePort"))
            allocate_port(pool, port);
        else if (!nodes)
            json_object_del(port, "nodePort");
    }
    newer_fields(a, spec, type);
}

/* ---- validation ---- */

static void validate_cluster_ip(struct admission *a, const json_t *spec)
{
    const char *ip = json_str_at(spec, "clusterIP"), *was = json_str_at(a->old, "spec", "clusterIP");
    if (!str_empty(was) && str_empty(ip))
        problem_add(&a->causes, P_INVALID, "spec.clusterIPs[0]",
                    "[]string(nil): primary clusterIP can not be unset");
    else if (!str_empty(was) && !str_same(was, ip))
        problem_add(&a->causes, P_INVALID, "spec.clusterIPs[0]", "[]string{\"%s\"}: may not change once set",
                    ip);
    else if (str_empty(was) && ip && map_has(&a->sim->allocator->taken, ip))
        problem_add(&a->causes, P_INVALID, "spec.clusterIPs",
                    "[]string{\"%s\"}: failed to allocated ip:%s with error:provided IP is already allocated",
                    ip, ip);
}

static bool had_node_port(const struct admission *a, int64_t number)
{
    json_t *port;
    size_t i;
    json_array_foreach(json_at(a->old, "spec", "ports"), i, port)
        if (json_int_at(port, "nodePort") == number)
            return true;
    return false;
}

static void validate_port(struct admission *a, const json_t *port, size_t i, bool many)
{
    AUTO(free_p) char *at = xasprintf("spec.ports[%zu].port", i);
    AUTO(free_p) char *name_at = xasprintf("spec.ports[%zu].name", i);
    AUTO(free_p) char *node_at = xasprintf("spec.ports[%zu].nodePort", i);
    int64_t number = json_int_at(port, "port"), node = json_int_at(port, "nodePort");
    const char *name = json_str_at(port, "name"),
               *bad = str_empty(name) ? NULL : name_check(NAME_LABEL, name, false);
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)node);
    if (number < 1 || number > 65535)
        problem_add(&a->causes, P_INVALID, at, "%lld: must be between 1 and 65535, inclusive",
                    (long long)number);
    if (many && str_empty(name))
        problem_add(&a->causes, P_REQUIRED, name_at, "%s", "");
    if (bad)
        problem_add(&a->causes, P_INVALID, name_at, "\"%s\": %s", name, bad);
    if (node && !had_node_port(a, node) && map_has(&a->sim->allocator->taken, text))
        problem_add(&a->causes, P_INVALID, node_at, "%s: provided port is already allocated", text);
    if (node && (node < PORT_MIN || node >= PORT_MIN + PORT_COUNT))
        problem_add(&a->causes, P_INVALID, node_at,
                    "%s: provided port is not in the valid range. The range of valid ports is 30000-32767",
                    text);
}

void service_validate(struct admission *a)
{
    static const char *const types[] = {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"};
    json_t *spec = json_object_get(a->object, "spec"), *ports = json_object_get(spec, "ports"), *port;
    const char *type = str_or_empty(json_str_at(spec, "type"));
    bool external = strcmp(type, "ExternalName") == 0, known = false;
    size_t i;
    if (!json_array_size(ports) && !external && !str_same(json_str_at(spec, "clusterIP"), "None"))
        problem_add(&a->causes, P_REQUIRED, "spec.ports", "%s", "");
    for (i = 0; i < ARRAY_LEN(types); i++)
        known |= strcmp(types[i], type) == 0;
    if (!known)
        problem_add(
            &a->causes, P_UNSUPPORTED, "spec.type",
            "\"%s\": supported values: \"ClusterIP\", \"ExternalName\", \"LoadBalancer\", \"NodePort\"",
            type);
    if (external && str_empty(json_str_at(spec, "externalName")))
        problem_add(&a->causes, P_REQUIRED, "spec.externalName", "%s", "");
    json_array_foreach(ports, i, port)
        validate_port(a, port, i, json_array_size(ports) > 1);
    if (!external)
        validate_cluster_ip(a, spec);
}
