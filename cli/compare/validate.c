/* admin settings validate: group by group, with argocd's texts. */
#include "cli/compare/load.h"
#include "cli/print.h"
#include "common/base/map.h"
#include "common/yaml/yaml.h"

/* *summary is the caller's; NULL or "" prints none. */
typedef int (*check_fn)(const json_t *config_map, char **summary, err_t **err);

static const char *value(const json_t *config_map, const char *key)
{
    return str_or_empty(json_str_at(config_map, "data", key));
}

/* A setting that is YAML: it can be read. */
static int check_yaml(const json_t *config_map, const char *key, err_t **err)
{
    const char *text = value(config_map, key);
    AUTO_JSON document = NULL;
    int rc = *text ? yaml_read(text, strlen(text), NULL, &document, err) : 0;
    if (rc == 0 && document && !json_is_map(document) && !json_is_null(document))
        rc = err_set(err, ERR_INVALID_ARGUMENT, "it is no map");
    return rc < 0 ? err_wrap(err, "invalid %s", key) : 0;
}

static int check_general(const json_t *config_map, char **summary, err_t **err)
{
    static const char *const keys[] = {"dex.config", "oidc.config"}, *const names[] = {"Dex", "OIDC"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (!*value(config_map, keys[i]))
            continue;
        *summary = xasprintf("%s is configured%s", names[i],
                             *value(config_map, "url") ? "" : " ('url' field is missing)");
        return check_yaml(config_map, keys[i], err);
    }
    *summary = xstrdup("SSO is not configured");
    return 0;
}

/* How many different names follow the prefixes; what is behind `end` in a key does not count. */
static size_t count_names(const json_t *data, const char *const *prefixes, size_t n, const char *end)
{
    map_t names = MAP_INIT(NULL);
    AUTO(free_p) const char **keys = json_sorted_keys(data);
    for (size_t k = 0; keys[k]; k++) {
        for (size_t i = 0; i < n; i++) {
            const char *rest = str_after(keys[k], prefixes[i]);
            if (!rest)
                continue;
            const char *stop = end ? strstr(rest, end) : NULL;
            AUTO(free_p) char *name = xstrndup(rest, stop ? (size_t)(stop - rest) : strlen(rest));
            map_put(&names, name, NULL);
        }
    }
    size_t count = names.n;
    map_dispose(&names);
    return count;
}

static int check_kustomize(const json_t *config_map, char **summary, err_t **err)
{
    static const char *const prefixes[] = {"kustomize.version.", "kustomize.path."};
    const char *options = value(config_map, "kustomize.buildOptions");
    size_t n = count_names(json_object_get(config_map, "data"), prefixes, ARRAY_LEN(prefixes), NULL);
    options = *options ? options : "default options";
    *summary = n ? xasprintf("%s (%zu versions)", options, n) : xstrdup(options);
    return 0;
}

static int check_accounts(const json_t *config_map, char **summary, err_t **err)
{
    static const char *const prefixes[] = {"accounts."};
    AUTO_JSON data = json_copy_deep(json_object_get(config_map, "data"));
    if (!data)
        data = json_object();
    json_set_str(data, "accounts.admin", "");
    *summary = xasprintf("%zu accounts", count_names(data, prefixes, 1, "."));
    return 0;
}

/* Kinds that have an override, the one for status included. */
static size_t count_overrides(const json_t *config_map)
{
    AUTO_JSON kinds = json_object();
    AUTO_JSON combined = NULL;
    AUTO_JSON options = NULL;
    const char *text = value(config_map, "resource.customizations"), *key;
    json_t *body;
    yaml_read(text, strlen(text), NULL, &combined, NULL);
    json_object_foreach(combined, key, body) {
        json_object_set_new(kinds, key, json_true());
    }
    json_object_foreach(json_object_get(config_map, "data"), key, body) {
        const char *rest = str_after(key, "resource.customizations."), *dot = rest ? strchr(rest, '.') : NULL;
        if (!dot)
            continue;
        AUTO(free_p) char *kind = xstrdup(str_eq(dot + 1, "all") ? "*/*" : dot + 1);
        char *underscore = strchr(kind, '_');
        if (underscore)
            *underscore = '/';
        json_object_set_new(kinds, kind, json_true());
    }
    text = value(config_map, "resource.compareoptions");
    yaml_read(text, strlen(text), NULL, &options, NULL);
    const json_t *field = json_object_get(options, "ignoreResourceStatusField");
    const char *which = json_is_false(field) ? "none" : str_or_empty(json_string_value(field));
    if (str_eq(which, "crd"))
        json_object_set_new(kinds, "apiextensions.k8s.io/CustomResourceDefinition", json_true());
    else if (!str_eq(which, "none") && !str_eq(which, "off") && !str_eq(which, "false"))
        json_object_set_new(kinds, "*/*", json_true());
    return json_object_size(kinds);
}

static int check_overrides(const json_t *config_map, char **summary, err_t **err)
{
    AUTO(settings_unref_p) settings_t *s = NULL;
    AUTO_STR warnings = STR_INIT;
    int rc = settings_parse(config_map, &s, &warnings, err);
    if (rc == 0 && warnings.len)
        rc = err_set(err, ERR_INVALID_ARGUMENT, "%.*s", (int)strcspn(str_text(&warnings), "\n"),
                     str_text(&warnings));
    if (rc == 0)
        *summary = xasprintf("%zu resource overrides", count_overrides(config_map));
    return rc;
}

static const struct {
    const char *name;
    check_fn check;
} groups[] = {{"accounts", check_accounts},
              {"general", check_general},
              {"kustomize", check_kustomize},
              {"resource-overrides", check_overrides}};

static void print_group(const json_t *config_map, size_t i)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *summary = NULL;
    if (groups[i].check(config_map, &summary, &err) < 0)
        printf_out("❌ %s\n%s\n", groups[i].name, err_text(err));
    else
        printf_out("✅ %s\n%s\n", groups[i].name, str_or_empty(summary));
}

/* The place of a group in the table; -1. */
static int find_group(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(groups); i++)
        if (str_eq(groups[i].name, name))
            return (int)i;
    return -1;
}

int settings_validate(struct run *r, err_t **err)
{
    AUTO_JSON config_map = NULL;
    char *const *wanted = args_list(r->args, "group");
    int rc = load_config_map(r, &config_map, err);
    for (char *const *g = wanted; rc == 0 && *g; g++)
        if (find_group(*g) < 0)
            rc = err_set(err, ERR_INVALID_ARGUMENT, "there is no group of settings '%s'", *g);
    if (rc < 0)
        return rc;
    size_t n = *wanted ? args_list_count(r->args, "group") : ARRAY_LEN(groups);
    for (size_t i = 0; i < n; i++) {
        printf_out("%s", i ? "\n" : "");
        print_group(config_map, *wanted ? (size_t)find_group(wanted[i]) : i);
    }
    return 0;
}
