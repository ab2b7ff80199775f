#include "repo-server/directory/jsonnet_files.h"
#include "repo-server/parse.h"

enum { MAX_IMPORT = 64 << 20, MAX_RESULT = 128 << 20, MAX_LIBS = 100, MAX_VARIABLES = 10000 };

/* [{name, value, code}] with the build environment put in. */
static int variables(struct jsonnet_files *j, const char *field, json_t **out, err_t **err)
{
    const json_t *list = json_object_get(j->spec, field);
    *out = json_array();
    if (json_array_size(list) > MAX_VARIABLES)
        return err_set(err, ERR_INVALID_ARGUMENT, "more than %d variables", MAX_VARIABLES);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        AUTO(free_p)
        char *value = build_env_subst(j->in->env, str_or_empty(json_str_at(v, "value")), j->in->trace);
        json_t *copy = json_object();
        json_set_str(copy, "name", str_or_empty(json_str_at(v, "name")));
        json_set_str(copy, "value", value);
        json_object_set_new(copy, "code", json_boolean(json_bool_at(v, "code")));
        json_array_append_new(*out, copy);
    }
    return 0;
}

/* The libraries, the last one first, then the application's own directory: go-jsonnet looks in this order. */
static int search_paths(struct jsonnet_files *j, err_t **err)
{
    const json_t *libs = json_object_get(j->spec, "libs");
    size_t n = json_array_size(libs);
    if (n > MAX_LIBS)
        return err_set(err, ERR_INVALID_ARGUMENT, "more than %d libs", MAX_LIBS);
    j->paths = xcalloc(n + 2, sizeof(*j->paths));
    for (size_t i = 0; i < n; i++) {
        const char *lib = str_or_empty(json_string_value(json_array_get(libs, n - 1 - i)));
        j->paths[i] = path_clean(lib + strspn(lib, "/"));
        if (path_escapes(j->paths[i]))
            return err_set(err, ERR_INVALID_ARGUMENT, "file '%s' resolved to outside repository root", lib);
    }
    j->paths[n] = xstrdup(j->root);
    return 0;
}

/* One place where an import may be. */
static int try_path(struct jsonnet_files *j, const char *dir, const char *rel, char **found, str_t *text,
                    err_t **err)
{
    AUTO(free_p) char *path = path_join(dir, rel);
    struct tree_place place = {};
    if (path_escapes(path))
        return err_set(err, ERR_INVALID_ARGUMENT, "'%s' resolved to outside repository root", rel);
    int r = tree_look(j->in->tree, path, true, &place, err);
    enum node_kind kind = place.node.kind;
    tree_place_dispose(&place);
    if (r < 0 || kind != NODE_FILE)
        return r;
    *found = TAKE(path);
    return tree_read(j->in->tree, *found, text, err);
}

static int import(void *arg, const char *base, const char *rel, char **found, str_t *text, err_t **err)
{
    struct jsonnet_files *j = arg;
    if (*rel == '/')
        return err_set(err, ERR_INVALID_ARGUMENT, "absolute paths lead outside of the repository");
    text->max = MAX_IMPORT;
    int r = try_path(j, base, rel, found, text, err);
    for (size_t i = 0; r == 0 && !*found && j->paths[i]; i++)
        r = try_path(j, j->paths[i], rel, found, text, err);
    if (r == 0 && !*found)
        r = err_set(err, ERR_NOT_FOUND, "no match locally or in the Jsonnet library paths");
    return r;
}

static int prepare(struct jsonnet_files *j, err_t **err)
{
    if (j->evaluator)
        return 0;
    int r = variables(j, "extVars", &j->ext_vars, err);
    if (r == 0)
        r = variables(j, "tlas", &j->tlas, err);
    if (r == 0)
        r = search_paths(j, err);
    if (r == 0)
        j->evaluator = jsonnet_new(&(struct jsonnet_options){
            .deadline = j->in->deadline, .canceled = j->in->canceled, .import = import, .arg = j});
    return r;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int jsonnet_file(struct jsonnet_files *j, const char *path, const str_t *text, rendered_objects_t *objects,
                 err_t **err)
{
    AUTO_STR out = STR_MAX(MAX_RESULT);
    AUTO_ERR why = NULL;
    AUTO(free_p) char *full = path_join(j->root, path);
    int r = prepare(j, err);
    if (r < 0)
        return r;
    r = jsonnet_run(j->evaluator, full, text, j->ext_vars, j->tlas, &out, &why);
    if (r == -ERR_FAILED_PRECONDITION || r == -ERR_RESOURCE_EXHAUSTED || r == -ERR_DEADLINE_EXCEEDED)
        return err_set(err, err_code(why), "Failed to evaluate jsonnet \"%s\": %s", base_name(path),
                       err_text(why));
    if (r < 0)
        return err_move(err, TAKE(why));
    r = parse_generated(str_text(&out), out.len, path, objects, &why);
    return r < 0 ? err_set(err, ERR_FAILED_PRECONDITION, "Failed to unmarshal generated json \"%s\": %s",
                           base_name(path), err_text(why))
                 : 0;
}

void jsonnet_files_dispose(struct jsonnet_files *j)
{
    jsonnet_free(j->evaluator);
    json_decref(j->ext_vars);
    json_decref(j->tlas);
    strv_free(j->paths);
}
