/* Which files a kustomization can read: those that its fields name, below them those of other kustomizations.
 * Fields that hold configuration of plugins (generators, transformers, validators) may name files in ways
 * that only the plugin knows; then the whole directory counts. */
#include "common/yaml/yaml.h"
#include "repo-server/kustomize/kustomize.h"

enum { MAX_KUSTOMIZATIONS = 5000, MAX_DEPTH = 100, FILE_MAX = 16 << 20 };

static const char *const file_names[] = {"kustomization.yaml", "kustomization.yml", "Kustomization"};

static int visit(struct closure *c, const char *dir, unsigned depth, err_t **err);

int kustomization_file(tree_t *tree, const char *dir, char **out, err_t **err)
{
    char *found = NULL;
    int r = 0;
    size_t n = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(file_names); i++) {
        AUTO(free_p) char *path = path_join(dir, file_names[i]);
        struct tree_place place = {};
        r = tree_look(tree, path, true, &place, err);
        if (r == 0 && place.node.kind == NODE_FILE && n++ == 0)
            found = TAKE(path);
        tree_place_dispose(&place);
    }
    if (r < 0 || n != 1)
        free(TAKE(found));
    *out = found;
    return r;
}

static int kind_of(struct closure *c, const char *path, enum node_kind *kind, err_t **err)
{
    struct tree_place place = {};
    int r = tree_look(c->in->tree, path, true, &place, err);
    *kind = place.node.kind;
    tree_place_dispose(&place);
    return r;
}

bool kustomize_looks_remote(const char *entry)
{
    static const char *const hosts[] = {"github.com/", "gitlab.com/", "bitbucket.org/",
                                        "git::",       "gh:",         "git@"};
    if (strstr(entry, "://") || strstr(entry, ".git/") || strstr(entry, ".git?") || strstr(entry, "_git/"))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
        if (str_has_prefix(entry, hosts[i]))
            return true;
    const char *slash = strchr(entry, '/'), *dot = strchr(entry, '.');
    return strstr(entry, "?ref=") || (slash && dot && dot < slash && *entry != '.');
}

/* One name of a file or directory. */
static int reach(struct closure *c, const char *dir, const char *entry, unsigned depth, err_t **err)
{
    if (!*entry || *entry == '/' || strchr(entry, '\n'))
        return 0; /* inline, or refused by kustomize */
    AUTO(free_p) char *path = path_join(dir, entry);
    enum node_kind kind = NODE_ABSENT;
    int r = path_escapes(path) ? 0 : kind_of(c, path, &kind, err);
    if (r < 0)
        return r;
    if (kind == NODE_DIR)
        return visit(c, path, depth + 1, err);
    if (kind == NODE_FILE)
        return export_path(c->out, path, err);
    if (kustomize_looks_remote(entry)) {
        c->remote = true;
        map_put(&c->remotes, entry, c);
    }
    return 0;
}

static int reach_list(struct closure *c, const char *dir, const json_t *list, unsigned depth, err_t **err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < json_array_size(list); i++)
        r = reach(c, dir, str_or_empty(json_string_value(json_array_get(list, i))), depth, err);
    return r;
}

/* [{path: …}, …] */
static int reach_paths(struct closure *c, const char *dir, const json_t *list, unsigned depth, err_t **err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < json_array_size(list); i++)
        r = reach(c, dir, str_or_empty(json_str_at(json_array_get(list, i), "path")), depth, err);
    return r;
}

/* A line of an env file that is a name alone takes its value from the environment. */
static int reach_env_file(struct closure *c, const char *dir, const char *entry, unsigned depth, err_t **err)
{
    AUTO(free_p) char *path = path_join(dir, entry);
    AUTO_STR text = STR_MAX(FILE_MAX);
    enum node_kind kind = NODE_ABSENT;
    int r = *entry && !path_escapes(path) ? kind_of(c, path, &kind, err) : 0;
    if (r == 0 && kind == NODE_FILE)
        r = tree_read(c->in->tree, path, &text, err);
    for (size_t i = 0; r == 0 && c->env && build_env_names[i]; i++)
        c->env[i] = c->env[i] || strstr(str_text(&text), build_env_names[i]);
    return r == 0 ? reach(c, dir, entry, depth, err) : r;
}

static int reach_generators(struct closure *c, const char *dir, const json_t *list, unsigned depth,
                            err_t **err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
        const json_t *g = json_array_get(list, i), *files = json_object_get(g, "files"),
                     *envs = json_object_get(g, "envs");
        for (size_t k = 0; r == 0 && k < json_array_size(files); k++) {
            const char *spec = str_or_empty(json_string_value(json_array_get(files, k))),
                       *equals = strchr(spec, '=');
            r = reach(c, dir, equals ? equals + 1 : spec, depth, err);
        }
        for (size_t k = 0; r == 0 && k < json_array_size(envs); k++)
            r = reach_env_file(c, dir, str_or_empty(json_string_value(json_array_get(envs, k))), depth, err);
        if (r == 0 && json_str_at(g, "env"))
            r = reach_env_file(c, dir, json_str_at(g, "env"), depth, err);
    }
    return r;
}

/* Kustomize matches the names of fields without regard to case. */
static const json_t *field(const json_t *k, const char *name)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)k, key, value) {
        if (strcasecmp(key, name) == 0)
            return value;
    }
    return NULL;
}

static bool has_elements(const json_t *k, const char *name)
{
    const json_t *v = field(k, name);
    return json_array_size(v) || json_object_size(v);
}

static int reach_all(struct closure *c, const char *dir, const json_t *k, unsigned depth, err_t **err)
{
    static const char *const lists[] = {"resources",  "bases",          "components",
                                        "crds",       "configurations", "patchesStrategicMerge",
                                        "generators", "transformers",   "validators"};
    static const char *const paths[] = {"patches", "patchesJson6902", "replacements"};
    static const char *const maps[] = {"configMapGenerator", "secretGenerator"};
    static const char *const plugins[] = {"generators", "transformers", "validators", "helmCharts",
                                          "helmChartInflationGenerator"};
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(lists); i++)
        r = reach_list(c, dir, field(k, lists[i]), depth, err);
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(paths); i++)
        r = reach_paths(c, dir, field(k, paths[i]), depth, err);
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(maps); i++)
        r = reach_generators(c, dir, field(k, maps[i]), depth, err);
    if (r == 0)
        r = reach(c, dir, str_or_empty(json_str_at(field(k, "openapi"), "path")), depth, err);
    c->helm = c->helm || has_elements(k, "helmCharts") || has_elements(k, "helmChartInflationGenerator");
    bool opaque = false;
    for (size_t i = 0; i < ARRAY_LEN(plugins); i++)
        opaque = opaque || has_elements(k, plugins[i]);
    if (r == 0 && opaque)
        r = export_path(c->out, *dir ? dir : ".", err);
    return r;
}

static int visit(struct closure *c, const char *dir, unsigned depth, err_t **err)
{
    if (!map_put(&c->seen, dir, c))
        return 0;
    if (depth > MAX_DEPTH || c->seen.n > MAX_KUSTOMIZATIONS)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "the kustomization reaches more than %d others",
                       MAX_KUSTOMIZATIONS);
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(file_names); i++) {
        AUTO(free_p) char *path = path_join(dir, file_names[i]);
        AUTO_STR text = STR_MAX(FILE_MAX);
        AUTO_JSON doc = NULL;
        enum node_kind kind;
        r = kind_of(c, path, &kind, err);
        if (r < 0 || kind != NODE_FILE)
            continue;
        r = export_path(c->out, path, err);
        if (r == 0)
            r = tree_read(c->in->tree, path, &text, err);
        if (r == 0 && yaml_read(str_text(&text), text.len, NULL, &doc, NULL) == 0 && json_is_map(doc))
            r = reach_all(c, dir, doc, depth, err);
    }
    return r;
}

int closure_of(struct closure *c, const char *dir, err_t **err)
{
    return visit(c, dir, 0, err);
}

int closure_add(struct closure *c, const char *dir, const char *entry, err_t **err)
{
    return reach(c, dir, entry, 0, err);
}
