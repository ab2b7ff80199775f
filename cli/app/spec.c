/* Most options put their value somewhere in the source: a table says where. The rest merge lists. As in
 * argocd, options for Helm and Kustomize only add (--release-name "" changes nothing), the others also empty
 * a field. */
#include "cli/app/spec.h"

#include "common/yaml/yaml.h"

/* ---- the source ---- */

enum { ONLY_ADDS = 1 };
static const struct {
    const char *option, *part, *field; /* part NULL: the source itself */
    unsigned flags;
} places[] = {
    {"repo", NULL, "repoURL", 0},
    {"path", NULL, "path", 0},
    {"helm-chart", NULL, "chart", 0},
    {"revision", NULL, "targetRevision", 0},
    {"tag-prefix", NULL, "tagPrefix", 0},
    {"ref", NULL, "ref", 0},
    {"source-name", NULL, "name", 0},
    {"values", "helm", "valueFiles", ONLY_ADDS},
    {"ignore-missing-value-files", "helm", "ignoreMissingValueFiles", ONLY_ADDS},
    {"release-name", "helm", "releaseName", ONLY_ADDS},
    {"helm-version", "helm", "version", ONLY_ADDS},
    {"helm-pass-credentials", "helm", "passCredentials", ONLY_ADDS},
    {"helm-skip-crds", "helm", "skipCrds", ONLY_ADDS},
    {"helm-skip-schema-validation", "helm", "skipSchemaValidation", ONLY_ADDS},
    {"helm-skip-tests", "helm", "skipTests", ONLY_ADDS},
    {"helm-namespace", "helm", "namespace", ONLY_ADDS},
    {"helm-kube-version", "helm", "kubeVersion", ONLY_ADDS},
    {"helm-api-versions", "helm", "apiVersions", ONLY_ADDS},
    {"directory-recurse", "directory", "recurse", 0},
    {"directory-disable-extension-filter", "directory", "disableExtensionFilter", 0},
    {"directory-exclude", "directory", "exclude", 0},
    {"directory-include", "directory", "include", 0},
    {"nameprefix", "kustomize", "namePrefix", ONLY_ADDS},
    {"namesuffix", "kustomize", "nameSuffix", ONLY_ADDS},
    {"kustomize-version", "kustomize", "version", ONLY_ADDS},
    {"kustomize-namespace", "kustomize", "namespace", ONLY_ADDS},
    {"kustomize-kube-version", "kustomize", "kubeVersion", ONLY_ADDS},
    {"kustomize-api-versions", "kustomize", "apiVersions", ONLY_ADDS},
    {"kustomize-label-without-selector", "kustomize", "labelWithoutSelector", ONLY_ADDS},
    {"kustomize-label-include-templates", "kustomize", "labelIncludeTemplates", ONLY_ADDS},
    {"kustomize-force-common-label", "kustomize", "forceCommonLabels", ONLY_ADDS},
    {"kustomize-force-common-annotation", "kustomize", "forceCommonAnnotations", ONLY_ADDS},
    {"ignore-missing-components", "kustomize", "ignoreMissingComponents", ONLY_ADDS},
};

static json_t *value_of(const args_t *args, const char *option)
{
    json_t *list;
    switch (args_type(args, option)) {
    case OPT_TEXT:
        return json_str_new(args_text(args, option));
    case OPT_BOOL:
        return json_boolean(args_bool(args, option));
    case OPT_LIST:
        list = json_array();
        for (char *const *t = args_list(args, option); *t; t++)
            json_array_append_new(list, json_str_new(*t));
        return list;
    default:
        return json_integer(args_int(args, option));
    }
}

/* object[key] as an object or array, made when it is not there. */
static json_t *child(json_t *object, const char *key, bool array)
{
    json_t *v = json_object_get(object, key);
    if (array ? json_is_array(v) : json_is_map(v))
        return v;
    json_object_set_new(object, key, array ? json_array() : json_object());
    return json_object_get(object, key);
}

static void drop_if_empty(json_t *object, const char *key)
{
    if (json_is_zero(json_object_get(object, key)))
        json_object_del(object, key);
}

static void set_places(json_t *source, const args_t *args)
{
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        if (!args_given(args, places[i].option))
            continue;
        AUTO_JSON value = value_of(args, places[i].option);
        bool empty = json_is_zero(value);
        json_t *into = places[i].part ? child(source, places[i].part, false) : source;
        if (!empty)
            json_object_set(into, places[i].field, value);
        else if (!(places[i].flags & ONLY_ADDS))
            json_object_del(into, places[i].field);
    }
}

/* Splits at the first "="; false when there is none. The name is the caller's. */
static bool split_pair(const char *text, char **name, const char **value)
{
    const char *eq = strchr(text, '=');
    *name = eq ? xstrndup(text, (size_t)(eq - text)) : xstrdup(text);
    *value = eq ? eq + 1 : "";
    return eq;
}

/* Puts the entry in the place of the one with its name, or at the end. */
static void merge_named(json_t *list, json_t *entry_take)
{
    size_t i;
    json_t *e;
    json_array_foreach(list, i, e) {
        if (str_same(json_str_at(e, "name"), json_str_at(entry_take, "name"))) {
            json_array_set_new(list, i, entry_take);
            return;
        }
    }
    json_array_append_new(list, entry_take);
}

/* Helm takes commas for separators unless a backslash is before them; as in argocd, one at the very beginning
 * stays. */
static char *escape_commas(const char *text)
{
    str_t out = STR_INIT;
    for (const char *p = text; *p; p++) {
        str_putc(&out, *p);
        if (*p != '\\' && p[1] == ',') {
            str_puts(&out, "\\,");
            p++;
        }
    }
    return str_take(&out);
}

static int add_helm_parameter(json_t *helm, const char *text, bool force_string, err_t **err)
{
    AUTO(free_p) char *name = NULL, *escaped = NULL;
    const char *value;
    if (!split_pair(text, &name, &value))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "expected helm parameter of the form param=value but received: %s", text);
    escaped = escape_commas(value);
    json_t *p = json_object();
    json_put_str(p, "name", name);
    json_put_str(p, "value", escaped);
    if (force_string)
        json_object_set_new(p, "forceString", json_true());
    merge_named(child(helm, "parameters", true), p);
    return 0;
}

static int add_helm_file(json_t *helm, const char *text, err_t **err)
{
    AUTO(free_p) char *name = NULL, *escaped = NULL;
    const char *value;
    if (!split_pair(text, &name, &value))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "expected helm file parameter of the form param=path but received: %s", text);
    escaped = escape_commas(value);
    json_t *p = json_object();
    json_put_str(p, "name", name);
    json_put_str(p, "path", escaped);
    merge_named(child(helm, "fileParameters", true), p);
    return 0;
}

static int set_helm_values(json_t *helm, const char *where, const struct spec_files *files, err_t **err)
{
    AUTO_STR text = STR_MAX(16 << 20);
    AUTO_JSON values = NULL;
    int rc = files->load(files->arg, where, &text, err);
    if (rc < 0 || !text.len)
        return rc;
    if (yaml_read(str_text(&text), text.len, NULL, &values, err) < 0)
        return err_wrap(err, "failed converting yaml to json");
    if (!json_is_map(values) && !json_is_string(values))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: values must be a map", where);
    json_object_set(helm, "valuesObject", values);
    json_object_del(helm, "values");
    return 0;
}

static int set_helm(json_t *source, const args_t *args, const struct spec_files *files, err_t **err)
{
    json_t *helm = child(source, "helm", false);
    int rc = args_given(args, "values-literal-file")
                 ? set_helm_values(helm, args_text(args, "values-literal-file"), files, err)
                 : 0;
    for (char *const *t = args_list(args, "helm-set"); rc == 0 && *t; t++)
        rc = add_helm_parameter(helm, *t, false, err);
    for (char *const *t = args_list(args, "helm-set-string"); rc == 0 && *t; t++)
        rc = add_helm_parameter(helm, *t, true, err);
    for (char *const *t = args_list(args, "helm-set-file"); rc == 0 && *t; t++)
        rc = add_helm_file(helm, *t, err);
    drop_if_empty(source, "helm");
    return rc;
}

/* The length of the name in an image override: up to the first "=", else ":", else "@" of `like`. */
static size_t image_name(const char *image, const char *like)
{
    char delimiter = strchr(like, '=') ? '=' : strchr(like, ':') ? ':' : strchr(like, '@') ? '@' : ':';
    const char *end = strchr(image, delimiter);
    return end ? (size_t)(end - image) : strlen(image);
}

static bool same_image(const char *a, const char *b)
{
    size_t n = image_name(a, b);
    return n == image_name(b, b) && !strncmp(a, b, n);
}

static void merge_image(json_t *images, const char *image)
{
    size_t i;
    json_t *e;
    json_array_foreach(images, i, e) {
        if (same_image(str_or_empty(json_string_value(e)), image)) {
            json_array_set_new(images, i, json_str_new(image));
            return;
        }
    }
    json_array_append_new(images, json_str_new(image));
}

static int merge_replica(json_t *replicas, const char *text, err_t **err)
{
    AUTO(free_p) char *name = NULL;
    const char *value;
    int64_t count;
    if (!split_pair(text, &name, &value))
        return err_set(err, ERR_INVALID_ARGUMENT, "expected parameter of the form: name=count. Received: %s",
                       text);
    if (!str_to_i64(value, &count))
        return err_set(err, ERR_INVALID_ARGUMENT, "expected integer value for count. Received: %s", value);
    json_t *r = json_object();
    json_set_str(r, "name", name);
    json_object_set_new(r, "count", json_integer(count));
    merge_named(replicas, r);
    return 0;
}

static int set_kustomize_map(json_t *kustomize, const char *field, const args_t *args, const char *option,
                             err_t **err)
{
    if (!args_given(args, option))
        return 0;
    json_t *map = json_object();
    json_object_set_new(kustomize, field, map);
    return labels_parse(args_list(args, option), map, err);
}

static int set_kustomize(json_t *source, const args_t *args, err_t **err)
{
    json_t *kustomize = child(source, "kustomize", false);
    int rc = set_kustomize_map(kustomize, "commonLabels", args, "kustomize-common-label", err);
    if (rc == 0)
        rc = set_kustomize_map(kustomize, "commonAnnotations", args, "kustomize-common-annotation", err);
    for (char *const *t = args_list(args, "kustomize-image"); *t; t++)
        merge_image(child(kustomize, "images", true), *t);
    for (char *const *t = args_list(args, "kustomize-replica"); rc == 0 && *t; t++)
        rc = merge_replica(child(kustomize, "replicas", true), *t, err);
    drop_if_empty(source, "kustomize");
    return rc;
}

static void set_jsonnet(json_t *source, const args_t *args)
{
    static const struct {
        const char *option, *field;
        bool code;
    } lists[] = {
        {"jsonnet-tla-code", "tlas", true}, /* in the order of the options' names, as argocd applies them */
        {"jsonnet-tla-str", "tlas", false},
        {"jsonnet-ext-var-code", "extVars", true},
        {"jsonnet-ext-var-str", "extVars", false}};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        for (char *const *t = args_list(args, lists[i].option); *t; t++) {
            AUTO(free_p) char *name = NULL;
            const char *value;
            split_pair(*t, &name, &value);
            json_t *v = json_object();
            json_set_str(v, "name", name);
            json_set_str(v, "value", value);
            if (lists[i].code)
                json_object_set_new(v, "code", json_true());
            json_t *jsonnet = child(child(source, "directory", false), "jsonnet", false);
            json_array_append_new(child(jsonnet, lists[i].field, true), v);
        }
    }
    for (char *const *t = args_list(args, "jsonnet-libs"); *t; t++)
        json_array_append_new(child(child(child(source, "directory", false), "jsonnet", false), "libs", true),
                              json_str_new(*t));
}

static int set_plugin(json_t *source, const args_t *args, err_t **err)
{
    if (args_given(args, "config-management-plugin")) {
        json_t *plugin = json_object();
        json_put_str(plugin, "name", args_text(args, "config-management-plugin"));
        json_object_set_new(source, "plugin", plugin);
    }
    for (char *const *t = args_list(args, "plugin-env"); *t; t++) {
        AUTO(free_p) char *name = NULL;
        const char *value;
        if (!split_pair(*t, &name, &value))
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "expected env entry of the form: param=value but received: %s", *t);
        json_t *e = json_object();
        json_set_str(e, "name", name);
        json_set_str(e, "value", value);
        merge_named(child(child(source, "plugin", false), "env", true), e);
    }
    return 0;
}

int spec_set_source(json_t *source, const args_t *args, const struct spec_files *files, err_t **err)
{
    set_places(source, args);
    set_jsonnet(source, args);
    int rc = set_helm(source, args, files, err);
    if (rc == 0)
        rc = set_kustomize(source, args, err);
    return rc == 0 ? set_plugin(source, args, err) : rc;
}

/* ---- the spec ---- */

/* Hydrator options; when one is given, source options do not count. */
static bool set_hydrator(json_t *spec, const args_t *args)
{
    static const char *const fields[][3] = {{"dry-source-repo", "drySource", "repoURL"},
                                            {"dry-source-path", "drySource", "path"},
                                            {"dry-source-revision", "drySource", "targetRevision"},
                                            {"sync-source-branch", "syncSource", "targetBranch"},
                                            {"sync-source-path", "syncSource", "path"},
                                            {"hydrate-to-branch", "hydrateTo", "targetBranch"}};
    bool any = false;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (!args_given(args, fields[i][0]))
            continue;
        any = true;
        const char *value = args_text(args, fields[i][0]);
        if (*value)
            json_put_at(spec, json_str_new(value), "sourceHydrator", fields[i][1], fields[i][2]);
        else
            json_drop_at(spec, "sourceHydrator", fields[i][1], fields[i][2]);
    }
    if (!json_object_size(json_at(spec, "sourceHydrator", "hydrateTo")))
        json_drop_at(spec, "sourceHydrator", "hydrateTo");
    return any;
}

static int set_sources(json_t *spec, int64_t position, const args_t *args, const struct spec_files *files,
                       err_t **err)
{
    json_t *sources = json_object_get(spec, "sources");
    size_t n = json_array_size(sources);
    if (set_hydrator(spec, args))
        return 0;
    if (!n)
        return spec_set_source(child(spec, "source", false), args, files, err);
    if (position > (int64_t)n)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "Source position should be less than the number of sources in the application");
    AUTO_JSON source = position < 0
                           ? json_object()
                           : json_incref(json_array_get(sources, position > 0 ? (size_t)position - 1 : 0));
    if (position < 0)
        json_array_append(sources, source);
    return spec_set_source(source, args, files, err);
}

static int set_policy(json_t *spec, const char *policy, err_t **err)
{
    if (str_eq(policy, "none") || str_eq(policy, "manual"))
        json_drop_at(spec, "syncPolicy", "automated");
    else if (str_eq(policy, "automated") || str_eq(policy, "automatic") || str_eq(policy, "auto"))
        json_put_at(spec, json_object(), "syncPolicy", "automated");
    else
        return err_set(err, ERR_INVALID_ARGUMENT, "Invalid sync-policy: %s", policy);
    return 0;
}

static void set_sync_option(json_t *options, const char *text)
{
    bool remove = text[0] == '!';
    size_t i;
    json_t *e;
    json_array_foreach(options, i, e) {
        if (!str_eq(json_string_value(e), text + remove))
            continue;
        if (remove)
            json_array_remove(options, i);
        return;
    }
    if (!remove)
        json_array_append_new(options, json_str_new(text));
}

static json_t *duration_json(int64_t ns)
{
    char text[DURATION_TEXT];
    duration_format(ns, text);
    return json_string(text);
}

json_t *retry_of(const args_t *args, const char *prefix)
{
    static const char *const fields[][2] = {{"backoff-duration", "duration"},
                                            {"backoff-max-duration", "maxDuration"},
                                            {"backoff-factor", "factor"}};
    json_t *retry = json_object(), *backoff = json_object();
    AUTO(free_p) char *limit = xasprintf("%sretry-limit", prefix);
    AUTO(free_p) char *refresh = xasprintf("%sretry-refresh", prefix);
    json_object_set_new(retry, "limit", json_integer(args_int(args, limit)));
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        AUTO(free_p) char *option = xasprintf("%sretry-%s", prefix, fields[i][0]);
        int64_t n = args_int(args, option);
        json_object_set_new(backoff, fields[i][1], i < 2 ? duration_json(n) : json_integer(n));
    }
    json_object_set_new(retry, "backoff", backoff);
    if (args_bool(args, refresh))
        json_object_set_new(retry, "refresh", json_true());
    return retry;
}

static int set_retry(json_t *spec, const args_t *args, err_t **err)
{
    if (args_given(args, "sync-retry-limit")) {
        int64_t limit = args_int(args, "sync-retry-limit");
        if (limit < 0)
            return err_set(err, ERR_INVALID_ARGUMENT, "Invalid sync-retry-limit [%lld]", (long long)limit);
        if (limit)
            json_put_at(spec, retry_of(args, "sync-"), "syncPolicy", "retry");
        else
            json_drop_at(spec, "syncPolicy", "retry");
    }
    if (args_given(args, "sync-retry-refresh"))
        json_put_at(spec, json_boolean(args_bool(args, "sync-retry-refresh")), "syncPolicy", "retry",
                    "refresh");
    return 0;
}

/* Options that only mean something for an automated policy; without one they make one that is switched off.
 */
static void set_automated(json_t *spec, const args_t *args)
{
    static const char *const fields[][2] = {
        {"auto-prune", "prune"}, {"self-heal", "selfHeal"}, {"allow-empty", "allowEmpty"}};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (!args_given(args, fields[i][0]))
            continue;
        if (!json_is_map(json_at(spec, "syncPolicy", "automated")))
            json_put_at(spec, json_false(), "syncPolicy", "automated", "enabled");
        json_put_at(spec, json_boolean(args_bool(args, fields[i][0])), "syncPolicy", "automated",
                    fields[i][1]);
    }
}

static int set_sync_policy(json_t *spec, const args_t *args, err_t **err)
{
    int rc = args_given(args, "sync-policy") ? set_policy(spec, args_text(args, "sync-policy"), err) : 0;
    if (rc == 0 && args_given(args, "sync-option")) {
        json_t *options = child(child(spec, "syncPolicy", false), "syncOptions", true);
        for (char *const *t = args_list(args, "sync-option"); *t; t++)
            set_sync_option(options, *t);
        drop_if_empty(json_object_get(spec, "syncPolicy"), "syncOptions");
    }
    if (rc == 0)
        rc = set_retry(spec, args, err);
    set_automated(spec, args);
    drop_if_empty(spec, "syncPolicy");
    return rc;
}

static void set_destination(json_t *spec, const args_t *args)
{
    static const char *const fields[][2] = {
        {"dest-name", "name"}, {"dest-server", "server"}, {"dest-namespace", "namespace"}};
    json_t *destination = child(spec, "destination", false);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (!args_given(args, fields[i][0]))
            continue;
        json_object_del(destination, fields[i][1]);
        json_put_str(destination, fields[i][1], args_text(args, fields[i][0]));
    }
}

int spec_set(json_t *spec, int64_t position, const args_t *args, const struct spec_files *files, err_t **err)
{
    int rc = set_sources(spec, position, args, files, err);
    if (rc < 0)
        return rc;
    set_destination(spec, args);
    if (args_given(args, "project"))
        json_set_str(spec, "project", args_text(args, "project"));
    if (args_given(args, "revision-history-limit"))
        json_object_set_new(spec, "revisionHistoryLimit",
                            json_integer(args_int(args, "revision-history-limit")));
    return set_sync_policy(spec, args, err);
}

/* ---- parameters ---- */

static const char *kind_of(const json_t *app, const json_t *source, const char *first)
{
    static const char *const kinds[][2] = {
        {"kustomize", "Kustomize"}, {"helm", "Helm"}, {"directory", "Directory"}, {"plugin", "Plugin"}};
    const char *kind = NULL;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!json_is_map(json_object_get(source, kinds[i][0])))
            continue;
        if (kind) /* several: none */
            return "";
        kind = kinds[i][1];
    }
    const char *known = json_str_at(app, "status", "sourceType");
    return kind ? kind : !str_empty(known) ? known : strchr(first, '=') ? "Helm" : "";
}

int spec_set_parameters(json_t *app, int64_t position, char *const *parameters, err_t **err)
{
    if (!*parameters)
        return 0;
    json_t *sources = json_at(app, "spec", "sources");
    json_t *source = json_array_size(sources)
                         ? json_array_get(sources, position > 1 ? (size_t)position - 1 : 0)
                         : json_at(app, "spec", "source");
    if (!str_eq(kind_of(app, source, *parameters), "Helm"))
        return err_set(err, ERR_INVALID_ARGUMENT, "Parameters can only be set against Helm applications");
    int rc = 0;
    for (; rc == 0 && *parameters; parameters++)
        rc = add_helm_parameter(child(source, "helm", false), *parameters, false, err);
    return rc;
}

/* ---- small ones ---- */

int labels_parse(char *const *texts, json_t *into, err_t **err)
{
    for (; *texts; texts++) {
        AUTO(free_p) char *name = NULL;
        const char *value;
        if (!split_pair(*texts, &name, &value) || strchr(value, '='))
            return err_set(err, ERR_INVALID_ARGUMENT, "labels should have key=value, but instead got: %s",
                           *texts);
        json_set_str(into, name, value);
    }
    return 0;
}

void annotations_parse(char *const *texts, json_t *into)
{
    for (; *texts; texts++) {
        AUTO(free_p) char *name = NULL;
        const char *value;
        split_pair(*texts, &name, &value);
        json_set_str(into, name, value);
    }
}

int infos_parse(char *const *texts, json_t **out, err_t **err)
{
    AUTO_JSON map = json_object();
    int rc = labels_parse(texts, map, err);
    if (rc < 0)
        return rc;
    const char *name;
    json_t *value;
    *out = json_array();
    json_object_foreach(map, name, value) {
        json_t *info = json_object();
        json_set_str(info, "name", name);
        json_object_set(info, "value", value);
        json_array_append_new(*out, info);
    }
    return 0;
}

int source_position(const json_t *app, const char *name, int64_t *out, err_t **err)
{
    size_t i;
    json_t *s;
    json_array_foreach(json_at(app, "spec", "sources"), i, s) {
        if (str_same(json_str_at(s, "name"), name)) {
            *out = (int64_t)i + 1;
            return 0;
        }
    }
    return err_set(err, ERR_NOT_FOUND, "Unknown source name '%s'", name);
}
