#include "cli/compare/load.h"
#include "cli/print.h"
#include "common/base/file.h"
#include "common/kinds/kinds.h"
#include "common/yaml/yaml.h"

#include <unistd.h>

enum { FILE_LIMIT = 256 << 20, OBJECT_LIMIT = 100000 };

static int read_text(const char *path, str_t *out, err_t **err)
{
    return str_eq(path, "-") ? fd_read_all(STDIN_FILENO, "standard input", out, err)
                             : file_read(path, out, err);
}

int load_document(const char *path, json_t **out, err_t **err)
{
    AUTO_STR text = STR_MAX(FILE_LIMIT);
    int rc = read_text(path, &text, err);
    if (rc == 0 && yaml_read(str_text(&text), text.len, NULL, out, err) < 0)
        rc = err_wrap(err, "%s", path);
    return rc;
}

static int check_object(const json_t *object, const char *path, err_t **err)
{
    return json_is_map(object) && !str_empty(json_str_at(object, "kind"))
               ? 0
               : err_set(err, ERR_INVALID_ARGUMENT, "%s: Object 'Kind' is missing", path);
}

int load_object(const char *path, json_t **out, err_t **err)
{
    AUTO_JSON object = NULL;
    int rc = load_document(path, &object, err);
    if (rc == 0)
        rc = check_object(object, path, err);
    if (rc == 0)
        *out = TAKE(object);
    return rc;
}

static int add_objects(json_t *list, json_t *document, const char *path, err_t **err)
{
    if (json_is_null(document))
        return 0;
    int rc = check_object(document, path, err);
    const json_t *items = json_object_get(document, "items");
    const char *kind = str_or_empty(json_str_at(document, "kind"));
    size_t n = strlen(kind);
    if (rc == 0 && json_is_array(items) && n >= 4 && strcmp(kind + n - 4, "List") == 0) {
        for (size_t i = 0; rc == 0 && i < json_array_size(items); i++)
            rc = add_objects(list, json_array_get(items, i), path, err);
        return rc;
    }
    if (rc == 0 && json_array_size(list) >= OBJECT_LIMIT)
        rc = err_set(err, ERR_RESOURCE_EXHAUSTED, "%s: more than %d objects", path, OBJECT_LIMIT);
    if (rc == 0)
        json_array_append(list, document);
    return rc;
}

int load_objects(const char *path, json_t **out, err_t **err)
{
    AUTO_STR text = STR_MAX(FILE_LIMIT);
    AUTO_JSON list = json_array();
    struct yaml_splitter split;
    view_t piece;
    int rc = read_text(path, &text, err);
    yaml_split_init(&split, str_text(&text), text.len);
    while (rc == 0 && yaml_split_next(&split, &piece)) {
        AUTO_JSON document = NULL;
        const struct yaml_options options = {.close_line = true};
        if (yaml_read(piece.p, piece.n, &options, &document, err) < 0)
            rc = err_wrap(err, "%s: document at line %zu", path, split.line);
        else
            rc = add_objects(list, document, path, err);
    }
    if (rc == 0)
        rc = yaml_split_end(&split, err);
    if (rc == 0)
        *out = TAKE(list);
    return rc;
}

/* ---- settings ---- */

static int check_config_map(const json_t *config_map, const char *path, err_t **err)
{
    const char *key;
    json_t *value;
    if (!json_is_map(config_map))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s is no ConfigMap", path);
    if (!str_eq(json_str_at(config_map, "metadata", "name"), "argocd-cm"))
        return err_set(err, ERR_NOT_FOUND, "error retrieving config map: configmap \"argocd-cm\" not found");
    json_object_foreach(json_object_get(config_map, "data"), key, value) {
        if (!json_is_string(value))
            return err_set(err, ERR_INVALID_ARGUMENT, "%s: the value of %s is no text", path, key);
    }
    return 0;
}

int load_config_map(const struct run *r, json_t **out, err_t **err)
{
    const char *path = args_text(r->args, "argocd-cm-path"),
               *secret_path = args_text(r->args, "argocd-secret-path");
    AUTO_JSON config_map = NULL;
    AUTO_JSON secret = NULL;
    if (!*path && args_bool(r->args, "load-cluster-settings"))
        return err_set(err, ERR_UNIMPLEMENTED,
                       "--load-cluster-settings is not available: `kubectl get "
                       "configmap argocd-cm -o yaml` writes what --argocd-cm-path reads");
    if (!*path)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "either --argocd-cm-path must be provided or "
                       "--load-cluster-settings must be set to true");
    int rc = load_document(path, &config_map, err);
    if (rc == 0)
        rc = check_config_map(config_map, path, err);
    if (rc == 0 && *secret_path)
        rc = load_document(secret_path, &secret, err);
    if (rc == 0)
        *out = TAKE(config_map);
    return rc;
}

int load_settings(const struct run *r, settings_t **out, err_t **err)
{
    AUTO_JSON config_map = NULL;
    AUTO_STR warnings = STR_INIT;
    int rc = load_config_map(r, &config_map, err);
    if (rc == 0)
        rc = settings_parse(config_map, out, &warnings, err);
    if (rc < 0 || !warnings.len)
        return rc;
    settings_unref(*out);
    *out = NULL;
    size_t line = strcspn(str_text(&warnings), "\n");
    return err_set(err, ERR_INVALID_ARGUMENT, "%.*s", (int)line, str_text(&warnings));
}

/* ---- jq ---- */

json_t *evaluator_jq(void *evaluator, const char *expression, const json_t *object)
{
    struct evaluator *e = evaluator;
    AUTO_ERR err = NULL;
    json_t *out = NULL;
    if (eval_jq_delete(e->eval, expression, object, &out, &err) == 0)
        return out;
    if (err_code(err) != ERR_FAILED_PRECONDITION)
        json_array_append_new(e->notes, json_str_new(err_text(err)));
    else if (!e->failure)
        e->failure = TAKE(err);
    return NULL;
}

void evaluator_open(struct evaluator *e, int64_t timeout_ns)
{
    *e = (struct evaluator){.eval = eval_new(&(struct eval_options){.helpers = 1, .timeout_ns = timeout_ns}),
                            .notes = json_array()};
}

void evaluator_close(struct evaluator *e)
{
    eval_free(e->eval);
    err_free(e->failure);
    json_decref(e->notes);
}
