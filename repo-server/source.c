/* What a source is: its path in the tree, its overrides, its type. */
#include "common/base/map.h"
#include "common/json/patch.h"
#include "common/yaml/yaml.h"
#include "repo-server/plugin/plugin.h"

enum { OVERRIDE_MAX = 1 << 20 };

/* A chart of a Helm repository is its own root, whatever the path says. */
static bool is_chart(const json_t *source)
{
    return !str_empty(json_str_at(source, "chart")) &&
           !str_has_prefix(str_or_empty(json_str_at(source, "repoURL")), "oci://");
}

int source_app_path(tree_t *tree, const json_t *source, char **out, err_t **err)
{
    if (is_chart(source)) {
        *out = xstrdup("");
        return 0;
    }
    const char *path = str_or_empty(json_str_at(source, "path"));
    if (*path == '/')
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: app path is absolute", path);
    AUTO(free_p) char *clean = path_clean(path);
    if (path_escapes(clean))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: app path outside root", path);
    struct tree_place place = {};
    int r = tree_look(tree, clean, true, &place, err);
    if (r < 0)
        return r;
    enum node_kind kind = place.node.kind;
    tree_place_dispose(&place);
    if (kind == NODE_ABSENT)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: app path does not exist", path);
    if (kind != NODE_DIR)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: app path is not a directory", path);
    *out = strcmp(clean, ".") == 0 ? xstrdup("") : TAKE(clean);
    return 0;
}

static int merge_override(const struct render_input *in, const char *path, const char *name, json_t **source,
                          err_t **err)
{
    AUTO(free_p) char *file = path_join(path, name);
    AUTO_STR text = STR_MAX(OVERRIDE_MAX);
    struct tree_place place = {};
    int r = tree_look(in->tree, file, true, &place, err);
    enum node_kind kind = place.node.kind;
    tree_place_dispose(&place);
    if (r < 0 || kind != NODE_FILE)
        return r;
    AUTO_JSON patch = NULL;
    r = tree_read(in->tree, file, &text, err);
    if (r == 0)
        r = yaml_read(str_text(&text), text.len, NULL, &patch, err);
    if (r == 0 && !json_is_map(patch) && !json_is_null(patch))
        r = err_set(err, ERR_FAILED_PRECONDITION, "the overrides are no map");
    if (r < 0)
        return err_wrap(err, "error while reading %s", file);
    if (json_is_map(patch)) {
        json_t *merged = json_merge_apply(*source, patch);
        json_decref(*source);
        *source = merged;
    }
    return 0;
}

/* What says where the source is, is not to be changed from inside of it. */
static void restore_identity(const json_t *from, json_t *to)
{
    static const char *const fields[] = {"repoURL", "path", "chart", "targetRevision"};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        json_t *value = json_object_get(from, fields[i]);
        if (value)
            json_object_set(to, fields[i], value);
        else
            json_object_del(to, fields[i]);
    }
}

int source_overridden(const struct render_input *in, const char *path, json_t **out, err_t **err)
{
    AUTO_JSON source = json_copy_deep(in->source);
    AUTO(free_p) char *own = xasprintf(".argocd-source-%s.yaml", str_or_empty(in->app_name));
    int r = merge_override(in, path, ".argocd-source.yaml", &source, err);
    if (r == 0 && !str_empty(in->app_name) && !strchr(in->app_name, '/'))
        r = merge_override(in, path, own, &source, err);
    if (r < 0)
        return r;
    restore_identity(in->source, source);
    *out = TAKE(source);
    return 0;
}

static bool is_ref_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    return *name && !name[strspn(name, allowed)];
}

int source_check_refs(char *const *names, size_t n, err_t **err)
{
    map_t seen = {};
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        const char *name = names[i] + (*names[i] == '$');
        if (!is_ref_name(name))
            r = err_set(
                err, ERR_INVALID_ARGUMENT,
                "failed to get ref sources: sources.ref %s cannot contain any special characters except "
                "'_' and '-'",
                name);
        else if (!map_put(&seen, name, names[i]))
            r = err_set(
                err, ERR_INVALID_ARGUMENT,
                "failed to get ref sources: invalid sources: multiple sources had the same `ref` key");
    }
    map_dispose(&seen);
    return r;
}

/* ---- type ---- */

static bool is_set(const json_t *source, const char *key)
{
    const json_t *v = json_object_get(source, key);
    return v && !json_is_null(v);
}

static int explicit_type(const json_t *source, const char **type, err_t **err)
{
    static const struct {
        const char *key, *type;
    } kinds[] = {
        {"kustomize", "Kustomize"}, {"helm", "Helm"}, {"directory", "Directory"}, {"plugin", "Plugin"}};
    AUTO_STR all = STR_INIT;
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!is_set(source, kinds[i].key))
            continue;
        *type = kinds[i].type;
        str_printf(&all, "%s%s", n++ ? "," : "", kinds[i].type);
    }
    if (n > 1)
        return err_set(err, ERR_INVALID_ARGUMENT, "multiple application sources defined: %s", str_text(&all));
    return 0;
}

static bool enabled(const struct render_input *in, const char *type)
{
    if (str_eq(type, "Helm"))
        return in->helm_enabled;
    return !str_eq(type, "Kustomize") || in->kustomize_enabled;
}

const char *source_mark(const char *name, bool helm, bool kustomize)
{
    static const char *const kustomizations[] = {"kustomization.yaml", "kustomization.yml", "Kustomization"};
    for (size_t i = 0; i < ARRAY_LEN(kustomizations); i++)
        if (strcmp(name, kustomizations[i]) == 0)
            return kustomize ? "Kustomize" : NULL;
    return helm && str_has_suffix(name, "Chart.yaml") ? "Helm" : NULL;
}

static int detect(const struct render_input *in, const char *path, const char **type, err_t **err)
{
    static const struct tree_select marks = {
        .suffixes = "Chart.yaml|kustomization.yaml|kustomization.yml|Kustomization"};
    struct tree_entries e = {};
    int r = tree_list(in->tree, path, &marks, &e, err);
    *type = "Directory";
    for (size_t i = 0; i < e.n; i++) {
        const char *mark = source_mark(e.v[i].name, in->helm_enabled, in->kustomize_enabled);
        *type = mark ? mark : *type;
    }
    tree_entries_dispose(&e);
    return r;
}

int source_type(const struct render_input *in, const json_t *source, const char *path, const char **type,
                err_t **err)
{
    *type = NULL;
    int r = explicit_type(source, type, err);
    if (r < 0)
        return r;
    if (!*type && is_chart(source))
        *type = "Helm";
    if (!*type) {
        bool plugin = false;
        r = plugin_detect(in, path, &plugin, err);
        *type = "Plugin";
        return r < 0 || plugin ? r : detect(in, path, type, err);
    }
    if (!enabled(in, *type))
        *type = "Directory";
    return 0;
}
