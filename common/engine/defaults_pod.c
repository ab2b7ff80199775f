#include "common/engine/defaults_pod.h"

static bool missing(const json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    return json_is_map(o) && (!v || json_is_null(v));
}

void default_str(json_t *o, const char *key, const char *value)
{
    /* An empty text is Go's zero value, which defaulting replaces. */
    if (missing(o, key) || (*value && json_is_string(json_object_get(o, key)) && !*json_str_at(o, key)))
        json_set_str(o, key, value);
}

void default_int(json_t *o, const char *key, int64_t value)
{
    if (missing(o, key))
        json_object_set_new_nocheck(o, key, json_integer(value));
}

void default_bool(json_t *o, const char *key, bool value)
{
    if (missing(o, key))
        json_object_set_new_nocheck(o, key, json_boolean(value));
}

json_t *default_object(json_t *o, const char *key)
{
    if (missing(o, key))
        json_object_set_new_nocheck(o, key, json_object());
    json_t *v = json_object_get(o, key);
    return json_is_map(v) ? v : NULL;
}

static void http_get(json_t *handler)
{
    json_t *get = json_object_get(handler, "httpGet");
    default_str(get, "path", "/");
    default_str(get, "scheme", "HTTP");
}

static void probe(json_t *container, const char *name)
{
    json_t *p = json_object_get(container, name);
    default_int(p, "timeoutSeconds", 1);
    default_int(p, "periodSeconds", 10);
    default_int(p, "successThreshold", 1);
    default_int(p, "failureThreshold", 3);
    http_get(p);
    if (json_object_get(p, "grpc"))
        default_str(json_object_get(p, "grpc"), "service", "");
}

/* Always for the tag "latest" and for no tag at all, else IfNotPresent. */
static const char *pull_policy(const char *image)
{
    const char *slash = strrchr(image, '/'), *name = slash ? slash + 1 : image;
    if (strchr(name, '@'))
        return "IfNotPresent";
    const char *tag = strrchr(name, ':');
    return !tag || strcmp(tag, ":latest") == 0 ? "Always" : "IfNotPresent";
}

/* Quantities finer than a milli-unit are rounded up. */
static void round_resources(json_t *list)
{
    json_t *it_of = list;
    for (void *it = json_object_iter(it_of); it; it = json_object_iter_next(it_of, it)) {
        const char *text = json_string_value(json_object_iter_value(it));
        size_t n = text ? strlen(text) : 0;
        int64_t milli;
        if (n && (text[n - 1] == 'u' || text[n - 1] == 'n') && quantity_milli(text, &milli)) {
            AUTO(free_p) char *rounded = xasprintf("%lldm", (long long)milli);
            AUTO_STR canonical = STR_INIT;
            if (quantity_canonical(rounded, &canonical))
                json_object_iter_set_new(it_of, it, json_str_new(str_text(&canonical)));
        }
    }
}

static void field_ref(json_t *ref)
{
    if (json_is_map(ref))
        default_str(ref, "apiVersion", "v1");
}

static void container(json_t *c)
{
    static const char *const probes[] = {"livenessProbe", "readinessProbe", "startupProbe"};
    if (!json_is_map(c))
        return;
    default_str(c, "terminationMessagePath", "/dev/termination-log");
    default_str(c, "terminationMessagePolicy", "File");
    default_str(c, "imagePullPolicy", pull_policy(str_or_empty(json_str_at(c, "image"))));
    json_t *ports = json_object_get(c, "ports"), *env = json_object_get(c, "env");
    for (size_t i = 0; i < json_array_size(ports); i++)
        default_str(json_array_get(ports, i), "protocol", "TCP");
    for (size_t i = 0; i < json_array_size(env); i++)
        field_ref(json_at(json_array_get(env, i), "valueFrom", "fieldRef"));
    for (size_t i = 0; i < ARRAY_LEN(probes); i++)
        probe(c, probes[i]);
    http_get(json_at(c, "lifecycle", "postStart"));
    http_get(json_at(c, "lifecycle", "preStop"));
    round_resources(json_at(c, "resources", "limits"));
    round_resources(json_at(c, "resources", "requests"));
}

static void each_container(json_t *spec, void (*fn)(json_t *))
{
    static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        json_t *list = json_object_get(spec, lists[l]);
        for (size_t i = 0; i < json_array_size(list); i++)
            fn(json_array_get(list, i));
    }
}

static void downward_items(json_t *source)
{
    json_t *items = json_object_get(source, "items");
    for (size_t i = 0; i < json_array_size(items); i++)
        field_ref(json_object_get(json_array_get(items, i), "fieldRef"));
}

static void projected(json_t *source)
{
    default_int(source, "defaultMode", 420);
    json_t *parts = json_object_get(source, "sources");
    for (size_t i = 0; i < json_array_size(parts); i++) {
        json_t *part = json_array_get(parts, i);
        default_int(json_object_get(part, "serviceAccountToken"), "expirationSeconds", 3600);
        downward_items(json_object_get(part, "downwardAPI"));
    }
}

static const struct {
    const char *source, *field, *text;
} volume_texts[] = {
    {"hostPath", "type", ""},
    {"iscsi", "iscsiInterface", "default"},
    {"rbd", "pool", "rbd"},
    {"rbd", "user", "admin"},
    {"rbd", "keyring", "/etc/ceph/keyring"},
    {"azureDisk", "cachingMode", "ReadWrite"},
    {"azureDisk", "kind", "Shared"},
    {"azureDisk", "fsType", "ext4"},
    {"scaleIO", "storageMode", "ThinProvisioned"},
    {"scaleIO", "fsType", "xfs"},
};

static void volume(json_t *v)
{
    if (!json_is_map(v))
        return;
    if (json_object_size(v) == 1 && json_object_get(v, "name"))
        default_object(v, "emptyDir");
    default_int(json_object_get(v, "secret"), "defaultMode", 420);
    default_int(json_object_get(v, "configMap"), "defaultMode", 420);
    default_int(json_object_get(v, "downwardAPI"), "defaultMode", 420);
    downward_items(json_object_get(v, "downwardAPI"));
    if (json_object_get(v, "projected"))
        projected(json_object_get(v, "projected"));
    for (size_t i = 0; i < ARRAY_LEN(volume_texts); i++)
        default_str(json_object_get(v, volume_texts[i].source), volume_texts[i].field, volume_texts[i].text);
    default_bool(json_object_get(v, "azureDisk"), "readOnly", false);
    default_str(json_at(v, "ephemeral", "volumeClaimTemplate", "spec"), "volumeMode", "Filesystem");
}

void pod_spec_defaults(json_t *spec)
{
    if (!json_is_map(spec))
        return;
    default_str(spec, "restartPolicy", "Always");
    default_str(spec, "dnsPolicy", "ClusterFirst");
    default_str(spec, "schedulerName", "default-scheduler");
    default_int(spec, "terminationGracePeriodSeconds", 30);
    default_object(spec, "securityContext");
    each_container(spec, container);
    json_t *volumes = json_object_get(spec, "volumes");
    for (size_t i = 0; i < json_array_size(volumes); i++)
        volume(json_array_get(volumes, i));
}

static void requests_from_limits(json_t *c)
{
    json_t *limits = json_at(c, "resources", "limits");
    if (json_object_size(limits) == 0)
        return;
    json_t *requests = default_object(json_object_get(c, "resources"), "requests");
    for (void *it = json_object_iter(limits); requests && it; it = json_object_iter_next(limits, it))
        if (!json_object_get(requests, json_object_iter_key(it)))
            json_object_set(requests, json_object_iter_key(it), json_object_iter_value(it));
}

static void host_ports(json_t *c)
{
    json_t *ports = json_object_get(c, "ports");
    for (size_t i = 0; i < json_array_size(ports); i++) {
        json_t *p = json_array_get(ports, i), *number = json_object_get(p, "containerPort");
        if (number && json_is_zero(json_object_get(p, "hostPort")))
            json_object_set(p, "hostPort", number);
    }
}

void bare_pod_defaults(json_t *spec)
{
    each_container(spec, requests_from_limits);
    default_bool(spec, "enableServiceLinks", true);
    if (json_bool_at(spec, "hostNetwork"))
        each_container(spec, host_ports);
}

void pod_template_defaults(json_t *spec)
{
    pod_spec_defaults(json_at(spec, "template", "spec"));
}
