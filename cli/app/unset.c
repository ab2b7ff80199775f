#include "cli/app/spec.h"

/* Options without a value that take a field out. */
static const struct {
    const char *option, *part, *field;
} fields[] = {
    {"nameprefix", "kustomize", "namePrefix"},
    {"namesuffix", "kustomize", "nameSuffix"},
    {"kustomize-version", "kustomize", "version"},
    {"kustomize-namespace", "kustomize", "namespace"},
    {"ignore-missing-components", "kustomize", "ignoreMissingComponents"},
    {"values-literal", "helm", "values"},
    {"values-literal", "helm", "valuesObject"},
    {"ignore-missing-value-files", "helm", "ignoreMissingValueFiles"},
    {"pass-credentials", "helm", "passCredentials"},
};
/* Options that name elements of a list. */
static const struct {
    const char *option, *part, *list;
    const char *key; /* the element's member that is named; NULL: the element itself */
} lists[] = {
    {"kustomize-image", "kustomize", "images", NULL}, {"kustomize-replica", "kustomize", "replicas", "name"},
    {"parameter", "helm", "parameters", "name"},      {"values", "helm", "valueFiles", NULL},
    {"plugin-env", "plugin", "env", "name"},
};

static bool asked_for(const args_t *args, const char *part)
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (!strcmp(fields[i].part, part) && args_bool(args, fields[i].option))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        if (!strcmp(lists[i].part, part) && args_list_count(args, lists[i].option))
            return true;
    return false;
}

/* An image is named by its name, whatever its tag. */
static bool names(const char *wanted, const char *element, bool image)
{
    size_t n = image ? strcspn(element, strchr(element, '=')   ? "="
                                        : strchr(element, ':') ? ":"
                                                               : "@")
                     : strlen(element);
    size_t wanted_n = image ? strcspn(wanted, strchr(element, '=')   ? "="
                                              : strchr(element, ':') ? ":"
                                                                     : "@")
                            : strlen(wanted);
    return n == wanted_n && !strncmp(wanted, element, n);
}

static bool remove_named(json_t *list, const char *key, const char *wanted, bool image)
{
    size_t i;
    json_t *e;
    json_array_foreach(list, i, e) {
        const char *name = key ? json_str_at(e, key) : json_string_value(e);
        if (name && names(wanted, name, image)) {
            json_array_remove(list, i);
            return true;
        }
    }
    return false;
}

static bool unset_part(json_t *source, const char *part, const args_t *args)
{
    json_t *p = json_object_get(source, part);
    bool changed = false;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (strcmp(fields[i].part, part) != 0 || !args_bool(args, fields[i].option))
            continue;
        changed |= !json_is_zero(json_object_get(p, fields[i].field));
        json_object_del(p, fields[i].field);
    }
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        if (strcmp(lists[i].part, part) != 0)
            continue;
        json_t *list = json_object_get(p, lists[i].list);
        for (char *const *t = args_list(args, lists[i].option); *t; t++)
            changed |= remove_named(list, lists[i].key, *t, !strcmp(lists[i].option, "kustomize-image"));
        if (list && !json_array_size(list))
            json_object_del(p, lists[i].list);
    }
    return changed;
}

void spec_unset(json_t *source, const args_t *args, bool *changed, bool *nothing)
{
    static const char *const parts[] = {"kustomize", "helm", "plugin"};
    const char *ref = json_str_at(source, "ref");
    *changed = *nothing = false;
    if (args_bool(args, "ref") && !str_empty(ref)) {
        json_object_del(source, "ref");
        *changed = true;
    }
    bool took_ref = *changed;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (!json_is_map(json_object_get(source, parts[i])))
            continue;
        if (!asked_for(args, parts[i])) {
            *nothing = !took_ref;
            return;
        }
        *changed |= unset_part(source, parts[i], args);
    }
}
