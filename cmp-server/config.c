#include "cmp-server/config.h"
#include "common/base/file.h"
#include "common/base/vec.h"
#include "common/yaml/yaml.h"

enum { CONFIG_MAX = 4 << 20 };

/* {command: […], args: […]} as one list. */
static char **command_of(const json_t *v)
{
    static const char *const keys[] = {"command", "args"};
    VEC(char *) words = {};
    if (!json_array_size(json_object_get(v, "command")))
        return NULL;
    for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
        const json_t *list = json_object_get(v, keys[k]);
        for (size_t i = 0; i < json_array_size(list); i++)
            VEC_PUSH(&words, xstrdup(str_or_empty(json_string_value(json_array_get(list, i)))));
    }
    VEC_PUSH(&words, NULL);
    return words.v;
}

static int check(const struct plugin_config *c, err_t **err)
{
    const char *kind = str_or_empty(json_str_at(c->doc, "kind"));
    if (!*c->name)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "invalid plugin configuration file. metadata.name should be non-empty");
    if (strcmp(kind, "ConfigManagementPlugin") != 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "invalid plugin configuration file. kind should be ConfigManagementPlugin, found %s",
                       kind);
    if (!c->generate)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "invalid plugin configuration file. spec.generate command should be non-empty");
    if (strchr(c->name, '/') || strchr(c->version, '/'))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "invalid plugin configuration file. name and version name a file and have no slash");
    return 0;
}

int plugin_config_read(const char *dir, struct plugin_config *out, err_t **err)
{
    size_t n = strlen(dir);
    while (n && dir[n - 1] == '/')
        n--;
    AUTO(free_p) char *path = xasprintf("%.*s/plugin.yaml", (int)n, dir);
    AUTO_STR text = STR_MAX(CONFIG_MAX);
    struct plugin_config c = {};
    int r = file_read(path, &text, err);
    if (r == 0)
        r = yaml_read(str_text(&text), text.len, NULL, &c.doc, err);
    if (r < 0)
        return err_wrap(err, "read %s", path);
    const json_t *spec = json_object_get(c.doc, "spec"), *find = json_at(spec, "discover", "find");
    c.name = str_or_empty(json_str_at(c.doc, "metadata", "name"));
    c.version = str_or_empty(json_str_at(spec, "version"));
    c.init = command_of(json_object_get(spec, "init"));
    c.generate = command_of(json_object_get(spec, "generate"));
    c.file_name = str_or_empty(json_str_at(spec, "discover", "fileName"));
    c.find_glob = str_or_empty(json_str_at(find, "glob"));
    c.find_command = command_of(find);
    c.static_parameters = json_at(spec, "parameters", "static");
    c.dynamic_parameters = command_of(json_at(spec, "parameters", "dynamic"));
    c.keep_modes = json_bool_at(spec, "preserveFileMode");
    c.git_credentials = json_bool_at(spec, "provideGitCreds");
    r = check(&c, err);
    if (r < 0)
        plugin_config_dispose(&c);
    else
        *out = c;
    return r;
}

void plugin_config_dispose(struct plugin_config *c)
{
    strv_free(c->init);
    strv_free(c->generate);
    strv_free(c->find_command);
    strv_free(c->dynamic_parameters);
    json_decref(c->doc);
    *c = (struct plugin_config){};
}

bool plugin_config_discovers(const struct plugin_config *c)
{
    return *c->file_name || *c->find_glob || c->find_command;
}

char *plugin_config_socket(const struct plugin_config *c, const char *sockets)
{
    return xasprintf("%s/%s%s%s.sock", sockets, c->name, *c->version ? "-" : "", c->version);
}
