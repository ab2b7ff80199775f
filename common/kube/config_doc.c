#include "common/kube/config_doc.h"
#include "common/yaml/yaml.h"

int kube_config_text(const json_t *object, const char *key, const char *what, const char **out, err_t **err)
{
    const json_t *v = json_object_get(object, key);
    *out = NULL;
    if (!v || json_is_null(v))
        return 0;
    if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: %s is not a string", what, key);
    *out = json_string_length(v) ? json_string_value(v) : NULL;
    return 0;
}

/* The field of each list whose names are to be relative to the file. */
static const struct {
    const char *list, *item, *fields[4];
} file_names[] = {
    {"clusters", "cluster", {"certificate-authority"}},
    {"users", "user", {"client-certificate", "client-key", "tokenFile"}},
    {"contexts", "context", {NULL}},
};

static void make_absolute(json_t *object, const char *key, const char *base_dir)
{
    const char *name = json_string_value(json_object_get(object, key));
    if (str_empty(name) || name[0] == '/' || !base_dir)
        return;
    AUTO(free_p) char *path = xasprintf("%s/%s", base_dir, name);
    json_set_str(object, key, path);
}

/* A plugin named with a slash lies beside the file; a bare name is looked for in PATH. */
static void make_command_absolute(json_t *user, const char *base_dir)
{
    json_t *exec = json_object_get(user, "exec");
    const char *command = json_string_value(json_object_get(exec, "command"));
    if (command && strchr(command, '/'))
        make_absolute(exec, "command", base_dir);
}

/* [{"name": n, item: {…}}] -> {n: {…}} */
static int read_list(const json_t *doc, size_t which, const char *base_dir, json_t *to, err_t **err)
{
    const char *list_name = file_names[which].list, *item_name = file_names[which].item;
    const json_t *list = json_object_get(doc, list_name);
    size_t i;
    json_t *entry;
    if (list && !json_is_null(list) && !json_is_array(list))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s is not a list", list_name);
    json_array_foreach(list, i, entry) {
        const char *name;
        AUTO(free_p) char *what = xasprintf("%s[%zu]", list_name, i);
        if (!json_is_map(entry))
            return err_set(err, ERR_INVALID_ARGUMENT, "%s is not an object", what);
        int r = kube_config_text(entry, "name", what, &name, err);
        if (r < 0)
            return r;
        json_t *item = json_object_get(entry, item_name);
        if (item && !json_is_null(item) && !json_is_map(item))
            return err_set(err, ERR_INVALID_ARGUMENT, "%s: %s is not an object", what, item_name);
        if (json_object_get(to, str_or_empty(name)))
            return err_set(err, ERR_INVALID_ARGUMENT, "%s: the name '%s' is there twice", what,
                           str_or_empty(name));
        json_t *copy = json_is_map(item) ? json_copy_deep(item) : json_object();
        json_object_set_new_nocheck(to, str_or_empty(name), copy);
        for (size_t f = 0; f < ARRAY_LEN(file_names[which].fields) && file_names[which].fields[f]; f++)
            make_absolute(copy, file_names[which].fields[f], base_dir);
        make_command_absolute(copy, base_dir);
    }
    return 0;
}

int kube_config_doc_read(const char *text, size_t n, const char *base_dir, json_t **out, err_t **err)
{
    AUTO_JSON raw = NULL;
    const char *current = NULL;
    if (n > KUBE_CONFIG_MAX_FILE)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "a kubeconfig of %zu bytes is too large", n);
    int r = yaml_read(text, n, NULL, &raw, err);
    if (r < 0)
        return r;
    if (!json_is_map(raw) && !json_is_null(raw))
        return err_set(err, ERR_INVALID_ARGUMENT, "not a kubeconfig: an object was expected");
    if ((r = kube_config_text(raw, "current-context", "kubeconfig", &current, err)) < 0)
        return r;
    AUTO_JSON doc = json_object();
    json_set_str(doc, "current-context", current);
    for (size_t i = 0; i < ARRAY_LEN(file_names); i++) {
        json_t *to = json_object();
        json_object_set_new_nocheck(doc, file_names[i].list, to);
        if ((r = read_list(raw, i, base_dir, to, err)) < 0)
            return r;
    }
    *out = TAKE(doc);
    return 0;
}

void kube_config_doc_merge(json_t *doc, const json_t *more)
{
    if (str_empty(json_str_at(doc, "current-context")))
        json_set_str(doc, "current-context", json_str_at(more, "current-context"));
    for (size_t i = 0; i < ARRAY_LEN(file_names); i++)
        json_object_update_missing(json_object_get(doc, file_names[i].list),
                                   json_object_get(more, file_names[i].list));
}
