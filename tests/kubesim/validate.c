#include "tests/kubesim/validate.h"

#include "common/kinds/kinds.h"
#include "common/base/map.h"
#include "tests/kubesim/names.h"
#include "tests/kubesim/selector.h"

static enum name_rule rule_of(const struct resource *r)
{
    return r->flags & R_PATH_NAME   ? NAME_PATH
           : r->flags & R_RFC1035   ? NAME_RFC1035
           : r->flags & R_DNS_LABEL ? NAME_LABEL
                                    : NAME_SUBDOMAIN;
}

void validate_name(const struct resource *r, const json_t *object, json_t **causes)
{
    const char *name = json_str_at(object, "metadata", "name"),
               *prefix = json_str_at(object, "metadata", "generateName");
    const char *bad = str_empty(prefix) ? NULL : name_check(rule_of(r), prefix, true);
    if (bad)
        problem_add(causes, P_INVALID, "metadata.generateName", "\"%s\": %s", prefix, bad);
    if (str_empty(name)) {
        problem_add(causes, P_REQUIRED, "metadata.name", "name or generateName is required");
        return;
    }
    bad = name_check(rule_of(r), name, false);
    if (bad)
        problem_add(causes, P_INVALID, "metadata.name", "\"%s\": %s", name, bad);
}

static void validate_keys(const json_t *map, const char *field, bool values, json_t **causes)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)map, key, value) {
        const char *problems[NAME_PROBLEMS], *bad;
        size_t n = qualified_name_check(key, problems);
        for (size_t i = 0; i < n; i++)
            problem_add(causes, P_INVALID, field, "\"%s\": %s", key, problems[i]);
        bad = values ? label_value_check(str_or_empty(json_string_value(value))) : NULL;
        if (bad)
            problem_add(causes, P_INVALID, field, "\"%s\": %s", str_or_empty(json_string_value(value)), bad);
    }
}

static void validate_owners(const json_t *meta, json_t **causes)
{
    static const char *const required[] = {"apiVersion", "kind", "name", "uid"};
    json_t *ref;
    size_t i;
    json_array_foreach(json_object_get(meta, "ownerReferences"), i, ref) {
        for (size_t k = 0; k < ARRAY_LEN(required); k++) {
            AUTO(free_p) char *field = xasprintf("metadata.ownerReferences.%s", required[k]);
            if (str_empty(json_str_at(ref, required[k])))
                problem_add(causes, P_INVALID, field, "\"\": %s must not be empty", required[k]);
        }
    }
}

void validate_metadata(const struct resource *r, const json_t *object, json_t **causes)
{
    const json_t *meta = json_object_get(object, "metadata");
    json_t *finalizer;
    size_t i;
    validate_keys(json_object_get(meta, "labels"), "metadata.labels", true, causes);
    validate_keys(json_object_get(meta, "annotations"), "metadata.annotations", false, causes);
    validate_owners(meta, causes);
    json_array_foreach(json_object_get(meta, "finalizers"), i, finalizer) {
        const char *text = str_or_empty(json_string_value(finalizer)), *problems[NAME_PROBLEMS];
        AUTO(free_p) char *field = xasprintf("metadata.finalizers[%zu]", i);
        size_t n = qualified_name_check(text, problems);
        for (size_t k = 0; k < n; k++)
            problem_add(causes, P_INVALID, "metadata.finalizers", "\"%s\": %s", text, problems[k]);
        /* Custom resources and their like are not asked for a prefix. */
        if (!n && !strchr(text, '/') && !(r->flags & R_CUSTOM) && strcmp(text, "orphan") != 0 &&
            strcmp(text, "foregroundDeletion") != 0 && strcmp(text, "kubernetes") != 0)
            problem_add(causes, P_INVALID, field,
                        "\"%s\": name is neither a standard finalizer name nor is it fully "
                        "qualified",
                        text);
    }
}

/* ---- pods ---- */

static void validate_choice(const json_t *o, const char *path, const char *key, const char *choices,
                            json_t **causes)
{
    const char *value = json_str_at(o, key);
    AUTO(free_p) char **allowed = strv_split(choices, ",", false);
    AUTO_STR list = STR_INIT;
    bool ok = !value;
    for (char **a = allowed; *a; a++) {
        ok |= str_eq(*a, value);
        str_printf(&list, "%s\"%s\"", a == allowed ? "" : ", ", *a);
        free(*a);
    }
    AUTO(free_p) char *field = xasprintf("%s.%s", path, key);
    if (!ok)
        problem_add(causes, P_UNSUPPORTED, field, "\"%s\": supported values: %s", value, str_text(&list));
}

/* What is requested may not be more than the limit. */
static void validate_resources(const json_t *c, const char *path, json_t **causes)
{
    AUTO(free_p) char *field = xasprintf("%s.resources.requests", path);
    const char *key;
    json_t *value;
    json_object_foreach(json_at(c, "resources", "requests"), key, value) {
        const char *limit = json_str_at(c, "resources", "limits", key);
        int64_t a, b;
        if (limit && quantity_milli(json_string_value(value), &a) && quantity_milli(limit, &b) && a > b)
            problem_add(causes, P_INVALID, field, "\"%s\": must be less than or equal to %s limit",
                        json_string_value(value), key);
    }
}

static bool has_volume(const json_t *spec, const char *name)
{
    json_t *volume;
    size_t i;
    json_array_foreach(json_object_get(spec, "volumes"), i, volume)
        if (str_eq(json_str_at(volume, "name"), name))
            return true;
    return false;
}

static void validate_container(const json_t *spec, const json_t *c, const char *path, bool mounts,
                               json_t **causes)
{
    const char *name = json_str_at(c, "name"), *bad;
    json_t *mount;
    size_t i;
    AUTO(free_p) char *name_field = xasprintf("%s.name", path);
    AUTO(free_p) char *image_field = xasprintf("%s.image", path);
    if (str_empty(name))
        problem_add(causes, P_REQUIRED, name_field, "%s", "");
    else if ((bad = name_check(NAME_LABEL, name, false)))
        problem_add(causes, P_INVALID, name_field, "\"%s\": %s", name, bad);
    if (str_empty(json_str_at(c, "image")))
        problem_add(causes, P_REQUIRED, image_field, "%s", "");
    validate_resources(c, path, causes);
    validate_choice(c, path, "imagePullPolicy", "Always,IfNotPresent,Never", causes);
    json_array_foreach(json_object_get(c, "volumeMounts"), i, mount) {
        AUTO(free_p) char *field = xasprintf("%s.volumeMounts[%zu].name", path, i);
        const char *volume = str_or_empty(json_str_at(mount, "name"));
        if (mounts && !has_volume(spec, volume))
            problem_add(causes, *volume ? P_NOT_FOUND : P_REQUIRED, field, "%s%s%s", *volume ? "\"" : "",
                        volume, *volume ? "\"" : "");
    }
}

void validate_pod_spec(const json_t *spec, const char *path, bool mounts, json_t **causes)
{
    static const char *const lists[] = {"initContainers", "containers"};
    json_t *containers = json_object_get(spec, "containers");
    AUTO(free_p) char *field = xasprintf("%s.containers", path);
    map_t names = MAP_INIT(NULL);
    if (!json_array_size(containers))
        problem_add(causes, P_REQUIRED, field, "%s", "");
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        json_t *c;
        size_t i;
        json_array_foreach(json_object_get(spec, lists[k]), i, c) {
            AUTO(free_p) char *at = xasprintf("%s.%s[%zu]", path, lists[k], i);
            AUTO(free_p) char *name_field = xasprintf("%s.name", at);
            const char *name = str_or_empty(json_str_at(c, "name"));
            validate_container(spec, c, at, mounts, causes);
            if (*name && !map_put(&names, name, NULL))
                problem_add(causes, P_DUPLICATE, name_field, "\"%s\"", name);
        }
    }
    map_dispose(&names);
    validate_choice(spec, path, "restartPolicy", "Always,OnFailure,Never", causes);
    validate_choice(spec, path, "dnsPolicy", "ClusterFirst,ClusterFirstWithHostNet,Default,None", causes);
}

/* map[string]string{"a":"b"}, as kube-apiserver shows it. */
static char *go_map(const json_t *labels)
{
    AUTO_STR out = STR_INIT;
    if (!json_object_size(labels))
        return xstrdup("map[string]string(nil)");
    AUTO(free_p) char *text = json_text(labels, JSON_NO_HTML);
    str_printf(&out, "map[string]string%s", text);
    return str_take(&out);
}

void validate_immutable(const json_t *object, const json_t *old, const char *path, json_t **causes)
{
    AUTO(free_p) char **parts = strv_split(path, ".", false);
    const json_t *now = object, *was = old;
    for (char **p = parts; *p; p++) {
        now = json_object_get(now, *p);
        was = json_object_get(was, *p);
        free(*p);
    }
    if (now == was || (now && was && json_same(now, was)))
        return;
    AUTO(free_p) char *labels = go_map(json_object_get(now, "matchLabels"));
    AUTO(free_p)
    char *text =
        str_has_suffix(path, "selector") && now && !json_object_get(now, "matchExpressions")
            ? xasprintf(
                  "v1.LabelSelector{MatchLabels:%s, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}",
                  labels)
        : now ? json_text(now, JSON_NO_HTML)
              : xstrdup("null");
    problem_add(causes, P_INVALID, path, "%s: field is immutable", text);
}

void validate_selector(const json_t *spec, json_t **causes)
{
    json_t *selector = json_object_get(spec, "selector"),
           *labels = json_at(spec, "template", "metadata", "labels");
    AUTO_SELECTOR s = {};
    AUTO_ERR err = NULL;
    AUTO(free_p) char *shown = go_map(labels);
    bool readable = selector && label_selector_read(selector, &s, &err) == 0;
    if (!selector)
        problem_add(causes, P_REQUIRED, "spec.selector", "%s", "");
    else if (!readable)
        problem_add(causes, P_INVALID, "spec.selector", "%s", err_text(err));
    else if (!s.all.n)
        problem_add(causes, P_INVALID, "spec.selector", "{}: empty selector is invalid for deployment");
    if (!readable || !selector_matches_labels(&s, labels))
        problem_add(causes, P_INVALID, "spec.template.metadata.labels",
                    "%s: `selector` does not match template `labels`", shown);
}
