#include "tests/kubesim/typed.h"

#include "common/base/enc.h"
#include "common/kinds/kinds.h"

/* Maps with keys of the user's choice and string values: dropped when empty, null becomes "". */
static const char *const string_maps[] = {"labels",       "annotations", "data",
                                          "binaryData",   "stringData",  "matchLabels",
                                          "nodeSelector", "parameters",  NULL};
/* Maps of quantities. */
static const char *const quantity_maps[] = {"limits",
                                            "requests",
                                            "hard",
                                            "used",
                                            "capacity",
                                            "allocatable",
                                            "max",
                                            "min",
                                            "default",
                                            "defaultRequest",
                                            "maxLimitRequestRatio",
                                            NULL};
static const char *const quantities[] = {"sizeLimit", "divisor", "averageValue", NULL};
/* Written although empty. */
static const char *const kept_lists[] = {"verbs",     "containers", "paths", "versions",
                                         "endpoints", "addresses",  NULL};
/* Scalars of which "", false and 0 are left out. */
static const char *const omitted[] = {"clusterIP",
                                      "loadBalancerIP",
                                      "externalName",
                                      "value",
                                      "hostname",
                                      "subdomain",
                                      "nodeName",
                                      "serviceAccountName",
                                      "serviceAccount",
                                      "schedulerName",
                                      "priorityClassName",
                                      "imagePullPolicy",
                                      "image",
                                      "terminationMessagePath",
                                      "terminationMessagePolicy",
                                      "workingDir",
                                      "subPath",
                                      "subPathExpr",
                                      "medium",
                                      "fsType",
                                      "volumeName",
                                      "generateName",
                                      "namespace",
                                      "description",
                                      "restartPolicy",
                                      "dnsPolicy",
                                      "protocol",
                                      "sessionAffinity",
                                      "externalTrafficPolicy",
                                      "hostNetwork",
                                      "hostPID",
                                      "hostIPC",
                                      "readOnly",
                                      "stdin",
                                      "stdinOnce",
                                      "tty",
                                      "paused",
                                      "publishNotReadyAddresses",
                                      "unschedulable",
                                      "minReadySeconds",
                                      "initialDelaySeconds",
                                      "timeoutSeconds",
                                      "periodSeconds",
                                      "successThreshold",
                                      "failureThreshold",
                                      "hostPort",
                                      "nodePort",
                                      "healthCheckNodePort",
                                      "globalDefault",
                                      NULL};

static bool in_list(const char *const *list, const char *key)
{
    for (; *list; list++)
        if (strcmp(*list, key) == 0)
            return true;
    return false;
}

static bool is_opaque(const char *key)
{
    static const char *const keys[] = {"controllerrevisions.apps",
                                       "customresourcedefinitions.apiextensions.k8s.io", NULL};
    return in_list(keys, key);
}

static void normalise_strings(json_t *map)
{
    const char *key;
    json_t *value;
    void *tmp;
    json_object_foreach_safe(map, tmp, key, value) if (json_is_null(value))
        json_object_set_new(map, key, json_string(""));
}

/* A quantity may be spelled as a number. */
static json_t *canonical(const json_t *v)
{
    AUTO(free_p) char *number = json_is_any_number(v) ? json_text(v, JSON_GO) : NULL;
    const char *text = number ? number : json_string_value(v);
    AUTO_STR out = STR_INIT;
    if (!text)
        return json_is_null(v) ? json_string("0") : json_incref((json_t *)(uintptr_t)v);
    return json_str_new(quantity_canonical(text, &out) ? str_text(&out) : text);
}

static void normalise_quantities(json_t *map)
{
    const char *key;
    json_t *value;
    void *tmp;
    json_object_foreach_safe(map, tmp, key, value) json_object_set_new(map, key, canonical(value));
}

static bool is_dropped(const char *parent, const char *key, const json_t *v)
{
    if (json_is_null(v))
        return true;
    if (json_is_array(v))
        return !json_array_size(v) && !in_list(kept_lists, key);
    if (json_is_map(v))
        return !json_object_size(v) && (in_list(string_maps, key) || in_list(quantity_maps, key));
    if (!json_is_zero(v))
        return false;
    return in_list(omitted, key) || (strcmp(key, "type") == 0 && strcmp(parent, "hostPath") != 0);
}

static void normalise(const char *parent, json_t *v);

static void normalise_member(json_t *object, const char *key, json_t *value)
{
    if (json_is_map(value) && in_list(string_maps, key))
        normalise_strings(value);
    else if (json_is_map(value) && in_list(quantity_maps, key))
        normalise_quantities(value);
    else if (in_list(quantities, key) && !json_is_null(value))
        json_object_set_new(object, key, canonical(value));
    else
        normalise(key, value);
}

static void normalise(const char *parent, json_t *v)
{
    const char *key;
    json_t *value;
    void *tmp;
    size_t i;
    if (json_is_array(v))
        json_array_foreach(v, i, value)
            normalise(parent, value);
    if (!json_is_map(v))
        return;
    json_object_foreach_safe(v, tmp, key, value)
    {
        normalise_member(v, key, value);
        value = json_object_get(v, key);
        if (is_dropped(parent, key, value))
            json_object_del(v, key);
    }
}

/* Type metav1.Time without omitempty: written as null. */
static void null_timestamp(json_t *owner)
{
    json_t *meta = json_object_get(owner, "metadata");
    if (!json_is_map(owner))
        return;
    if (!json_is_map(meta))
        json_object_set_new(owner, "metadata", meta = json_object());
    if (!json_object_get(meta, "creationTimestamp"))
        json_object_set_new(meta, "creationTimestamp", json_null());
}

static void normalise_specials(const char *key, json_t *o)
{
    json_t *spec = json_object_get(o, "spec"), *claim;
    size_t i;
    null_timestamp(json_object_get(spec, "template"));
    if (strcmp(key, "podtemplates") == 0)
        null_timestamp(json_object_get(o, "template"));
    if (strcmp(key, "cronjobs.batch") == 0) {
        null_timestamp(json_object_get(spec, "jobTemplate"));
        null_timestamp(json_at(spec, "jobTemplate", "spec", "template"));
    }
    json_array_foreach(json_object_get(spec, "volumeClaimTemplates"), i, claim)
        null_timestamp(claim);
    if (strcmp(key, "services") == 0 || strcmp(key, "replicationcontrollers") == 0)
        if (json_is_map(json_object_get(spec, "selector")) &&
            !json_object_size(json_object_get(spec, "selector")))
            json_object_del(spec, "selector");
    if (str_has_suffix(key, "roles.rbac.authorization.k8s.io") && !json_object_get(o, "rules"))
        json_object_set_new(o, "rules", json_null());
}

void typed_normalise(const char *key, json_t *object)
{
    if (is_opaque(key)) {
        normalise("metadata", json_object_get(object, "metadata"));
        return;
    }
    normalise("", object);
    normalise_specials(key, object);
}

/* ---- types ---- */

static bool check_strings(const json_t *map, const char **bad)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)map, key, value) {
        *bad = key;
        if (!json_is_string(value) && !json_is_null(value))
            return false;
    }
    return true;
}

static bool check_bytes(const json_t *map, const char **bad)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)map, key, value) {
        AUTO_STR out = STR_INIT;
        *bad = key;
        if (!json_is_null(value) &&
            (!json_is_string(value) ||
             !base64_decode(json_string_value(value), json_string_length(value), &out)))
            return false;
    }
    return true;
}

char *typed_check(const char *key, const json_t *o)
{
    static const char *const texts[] = {"name", "generateName", "namespace", "uid", "resourceVersion", NULL};
    const json_t *meta = json_object_get(o, "metadata"), *v;
    const char *bad = "";
    if (meta && !json_is_map(meta))
        return xstrdup("metadata: expects an object");
    for (const char *const *t = texts; *t; t++)
        if ((v = json_object_get(meta, *t)) && !json_is_string(v) && !json_is_null(v))
            return xasprintf("metadata.%s: expects a string", *t);
    for (const char *const *t = (const char *const[]){"labels", "annotations", NULL}; *t; t++)
        if ((v = json_object_get(meta, *t)) &&
            ((!json_is_map(v) && !json_is_null(v)) || !check_strings(v, &bad)))
            return xasprintf("metadata.%s.%s: expects a string", *t, bad);
    bool secret = strcmp(key, "secrets") == 0, config = strcmp(key, "configmaps") == 0;
    v = json_object_get(o, "data");
    if ((secret || config) && v && !json_is_map(v) && !json_is_null(v))
        return xstrdup("data: expects an object");
    if ((config && !check_strings(v, &bad)) ||
        (secret && !check_strings(json_object_get(o, "stringData"), &bad)))
        return xasprintf("data.%s: expects a string", bad);
    if ((secret && !check_bytes(v, &bad)) || (config && !check_bytes(json_object_get(o, "binaryData"), &bad)))
        return xasprintf("data.%s: decode base64: illegal base64 data", bad);
    return NULL;
}
