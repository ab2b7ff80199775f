#include "common/engine/node_network.h"
#include "common/base/map.h"

#define LINK_PREFIX "link.argocd.argoproj.io/"

/* Sorted and unique texts. */
struct texts {
    map_t set;
};

static void add_text(struct texts *t, const char *text)
{
    if (!str_empty(text))
        map_put(&t->set, text, NULL);
}

static json_t *take_texts(struct texts *t)
{
    json_t *out = json_array();
    AUTO(free_p) const char **keys = map_sorted_keys(&t->set);
    for (size_t i = 0; keys[i]; i++)
        json_array_append_new(out, json_str_new(keys[i]));
    map_dispose(&t->set);
    return out;
}

static void put_list(json_t *o, const char *key, json_t *list_take)
{
    if (json_array_size(list_take))
        json_object_set_new_nocheck(o, key, list_take);
    else
        json_decref(list_take);
}

static void put_map(json_t *o, const char *key, const json_t *map)
{
    if (json_object_size(map))
        json_object_set_new_nocheck(o, key, json_copy_deep(map));
}

bool node_link_is_web(const char *value)
{
    const char *bar = strchr(value, '|'), *url = bar ? bar + 1 : value;
    return str_has_prefix(url, "http://") || str_has_prefix(url, "https://");
}

static void add_annotation_links(const json_t *o, struct texts *urls)
{
    json_t *notes = json_at(o, "metadata", "annotations");
    for (void *it = json_object_iter(notes); it; it = json_object_iter_next(notes, it)) {
        const char *value = json_string_value(json_object_iter_value(it));
        if (!str_has_prefix(json_object_iter_key(it), LINK_PREFIX) || !value)
            continue;
        if (node_link_is_web(value))
            add_text(urls, value);
    }
}

static json_t *reference(const char *group, const char *kind, const char *ns, const char *name)
{
    json_t *r = json_object();
    json_put_str(r, "group", group);
    json_put_str(r, "kind", kind);
    json_put_str(r, "namespace", ns);
    json_put_str(r, "name", name);
    return r;
}

static void add_reference(json_t *list, json_t *ref_take)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (json_same(json_array_get(list, i), ref_take)) {
            json_decref(ref_take);
            return;
        }
    }
    json_array_append_new(list, ref_take);
}

static json_t *load_balancer(const json_t *o)
{
    json_t *list = json_at(o, "status", "loadBalancer", "ingress"), *out = json_array();
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        json_t *address = json_object();
        json_put_str(address, "hostname", json_str_at(item, "hostname"));
        json_put_str(address, "ip", json_str_at(item, "ip"));
        json_array_append_new(out, address);
    }
    return out;
}

static void service(const json_t *o, json_t *out, struct texts *urls)
{
    (void)urls;
    put_map(out, "targetLabels", json_at(o, "spec", "selector"));
    if (str_eq(json_str_at(o, "spec", "type"), "LoadBalancer"))
        put_list(out, "ingress", load_balancer(o));
}

static void pod(const json_t *o, json_t *out, struct texts *urls)
{
    (void)urls;
    put_map(out, "labels", json_at(o, "metadata", "labels"));
}

static bool links_off(const json_t *o)
{
    bool off = false;
    str_to_bool(object_annotation(o, "argocd.argoproj.io/ignore-default-links"), &off);
    return off;
}

/* Whether Argo CD takes the host for one that is served over TLS: it does not look at lists of hosts. */
static bool has_tls(const json_t *o, const char *host)
{
    json_t *list = json_at(o, "spec", "tls");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *tls = json_array_get(list, i), *secret = json_object_get(tls, "secretName");
        if ((secret && !json_is_null(secret)) || str_eq(json_str_at(tls, "host"), host))
            return true;
    }
    return false;
}

static const char *first_address(const json_t *o)
{
    const json_t *first = json_array_get(json_at(o, "status", "loadBalancer", "ingress"), 0);
    const char *host = json_str_at(first, "hostname");
    return str_or_empty(str_empty(host) ? json_str_at(first, "ip") : host);
}

static void add_backend(const json_t *backend, const char *ns, json_t *refs)
{
    const char *name = json_str_at(backend, "service", "name");
    if (!name)
        name = json_str_at(backend, "serviceName"); /* before networking.k8s.io/v1 */
    if (!str_empty(name))
        add_reference(refs, reference("", "Service", ns, name));
}

static void ingress_rule(const json_t *o, const json_t *rule, json_t *refs, struct texts *urls)
{
    const char *host = str_or_empty(json_str_at(rule, "host"));
    if (!*host)
        host = first_address(o);
    json_t *paths = json_at(rule, "http", "paths");
    for (size_t i = 0; i < json_array_size(paths); i++) {
        const json_t *path = json_array_get(paths, i);
        add_backend(json_object_get(path, "backend"), object_namespace(o), refs);
        if (!*host || links_off(o))
            continue;
        const char *text = str_or_empty(json_str_at(path, "path"));
        size_t n = strlen(text);
        n -= n && text[n - 1] == '*';
        AUTO(free_p)
        char *url = xasprintf("%s://%s%.*s", has_tls(o, host) ? "https" : "http", host, (int)n, text);
        add_text(urls, url);
    }
}

static void ingress(const json_t *o, json_t *out, struct texts *urls)
{
    json_t *refs = json_array(), *rules = json_at(o, "spec", "rules");
    add_backend(json_at(o, "spec", "backend"), object_namespace(o), refs);
    for (size_t i = 0; i < json_array_size(rules); i++)
        ingress_rule(o, json_array_get(rules, i), refs, urls);
    put_list(out, "targetRefs", refs);
    put_list(out, "ingress", load_balancer(o));
}

static void virtual_service(const json_t *o, json_t *out, struct texts *urls)
{
    (void)urls;
    json_t *refs = json_array(), *routes = json_at(o, "spec", "http");
    for (size_t i = 0; i < json_array_size(routes); i++) {
        json_t *targets = json_object_get(json_array_get(routes, i), "route");
        for (size_t t = 0; t < json_array_size(targets); t++) {
            const char *host = json_str_at(json_array_get(targets, t), "destination", "host");
            if (str_empty(host))
                continue;
            AUTO(strv_free_p) char **parts = strv_split(host, ".", false);
            add_reference(refs, reference("", "Service", strv_len(parts) > 1 ? parts[1] : object_namespace(o),
                                          parts[0]));
        }
    }
    put_list(out, "targetRefs", refs);
}

static void service_entry(const json_t *o, json_t *out, struct texts *urls)
{
    (void)urls;
    const json_t *labels = json_at(o, "spec", "workloadSelector", "labels");
    if (!json_object_size(labels))
        return;
    put_map(out, "targetLabels", labels);
    json_t *refs = json_array();
    json_array_append_new(refs, reference("", "Pod", "", ""));
    put_list(out, "targetRefs", refs);
}

#define GATEWAY_GROUP "gateway.networking.k8s.io"

static void add_gateway_refs(const json_t *list, const char *group, const char *kind, const char *ns,
                             json_t *refs)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *r = json_array_get(list, i);
        const char *g = json_str_at(r, "group"), *k = json_str_at(r, "kind"),
                   *n = json_str_at(r, "namespace"), *name = json_str_at(r, "name");
        if (!str_empty(name))
            add_reference(refs, reference(str_empty(g) ? group : g, str_empty(k) ? kind : k,
                                          str_empty(n) ? ns : n, name));
    }
}

static void gateway_route(const json_t *o, json_t *out, struct texts *urls)
{
    (void)urls;
    json_t *refs = json_array(), *rules = json_at(o, "spec", "rules");
    add_gateway_refs(json_at(o, "spec", "parentRefs"), GATEWAY_GROUP, "Gateway", object_namespace(o), refs);
    for (size_t i = 0; i < json_array_size(rules); i++)
        add_gateway_refs(json_object_get(json_array_get(rules, i), "backendRefs"), "", "Service",
                         object_namespace(o), refs);
    put_list(out, "targetRefs", refs);
}

static void add_gateway_url(const char *host, bool tls, int64_t port, struct texts *urls)
{
    AUTO(free_p) char *suffix = port == (tls ? 443 : 80) ? xstrdup("") : xasprintf(":%lld", (long long)port);
    AUTO(free_p) char *url = xasprintf("%s://%s%s", tls ? "https" : "http", host, suffix);
    if (*host)
        add_text(urls, url);
}

/* Every listener is a URL: at its host, or, where it takes any, at all addresses. */
static void gateway_urls(const json_t *o, struct texts *urls)
{
    json_t *listeners = json_at(o, "spec", "listeners"), *addresses = json_at(o, "status", "addresses");
    for (size_t i = 0; i < json_array_size(listeners); i++) {
        const json_t *l = json_array_get(listeners, i);
        const char *protocol = str_or_empty(json_str_at(l, "protocol")),
                   *host = str_or_empty(json_str_at(l, "hostname"));
        bool tls = strcmp(protocol, "HTTPS") == 0 || strcmp(protocol, "TLS") == 0,
             any = !*host || strcmp(host, "*") == 0;
        int64_t port = json_int_at(l, "port");
        if (!any)
            add_gateway_url(host, tls, port, urls);
        for (size_t k = 0; any && k < json_array_size(addresses); k++)
            add_gateway_url(str_or_empty(json_str_at(json_array_get(addresses, k), "value")), tls, port,
                            urls);
    }
}

static void gateway(const json_t *o, json_t *out, struct texts *urls)
{
    json_t *addresses = json_at(o, "status", "addresses"), *list = json_array();
    for (size_t i = 0; i < json_array_size(addresses); i++) {
        const json_t *a = json_array_get(addresses, i);
        json_t *item = json_object();
        json_put_str(item, str_eq(json_str_at(a, "type"), "Hostname") ? "hostname" : "ip",
                     json_str_at(a, "value"));
        json_array_append_new(list, item);
    }
    put_list(out, "ingress", list);
    if (!links_off(o))
        gateway_urls(o, urls);
}

static const struct {
    const char *group, *kind; /* kind NULL: any that ends in Route */
    void (*fn)(const json_t *o, json_t *out, struct texts *urls);
} table[] = {
    {"", "Pod", pod},
    {"", "Service", service},
    {"extensions", "Ingress", ingress},
    {"networking.k8s.io", "Ingress", ingress},
    {"networking.istio.io", "VirtualService", virtual_service},
    {"networking.istio.io", "ServiceEntry", service_entry},
    {GATEWAY_GROUP, "Gateway", gateway},
    {GATEWAY_GROUP, NULL, gateway_route},
};

json_t *node_networking(const char *group, const char *kind, const json_t *o)
{
    json_t *out = json_object();
    struct texts urls = {};
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        bool kind_fits = table[i].kind ? strcmp(table[i].kind, kind) == 0 : str_has_suffix(kind, "Route");
        if (kind_fits && strcmp(table[i].group, group) == 0) {
            table[i].fn(o, out, &urls);
            break;
        }
    }
    add_annotation_links(o, &urls);
    put_list(out, "externalURLs", take_texts(&urls));
    return out;
}
