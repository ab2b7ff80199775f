#include "cli/config.h"

#include "common/base/enc.h"
#include "common/base/file.h"
#include "common/yaml/yaml.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONFIG_MAX = 4 << 20 };

static const struct {
    const char *key, *name; /* the list, and what names an entry */
    const char *kind;       /* in messages */
} lists[] = {
    [CONFIG_CONTEXTS] = {"contexts", "name", "Context"},
    [CONFIG_SERVERS] = {"servers", "server", "Server"},
    [CONFIG_USERS] = {"users", "name", "User"},
};

int config_dir(const char *(*env)(const char *name), char **out, err_t **err)
{
    const char *dir = env("ARGOCD_CONFIG_DIR"), *home = env("HOME"), *xdg = env("XDG_CONFIG_HOME");
    if (!str_empty(dir)) {
        *out = xstrdup(dir);
        return 0;
    }
    if (str_empty(home))
        return err_set(err, ERR_FAILED_PRECONDITION, "$HOME is not defined");
    AUTO(free_p) char *old = xasprintf("%s/.argocd", home);
    if (access(old, F_OK) == 0)
        *out = TAKE(old);
    else
        *out = !str_empty(xdg) ? xasprintf("%s/argocd", xdg) : xasprintf("%s/.config/argocd", home);
    return 0;
}

/* ---- the document ---- */

json_t *config_find(const json_t *config, enum config_list list, const char *name)
{
    size_t i;
    json_t *e;
    json_array_foreach(json_object_get(config, lists[list].key), i, e) {
        if (str_same(json_str_at(e, lists[list].name), name))
            return e;
    }
    return NULL;
}

static json_t *list_of(json_t *config, enum config_list list)
{
    json_t *l = json_object_get(config, lists[list].key);
    if (!json_is_array(l)) {
        l = json_array();
        json_object_set_new(config, lists[list].key, l);
    }
    return l;
}

static size_t index_of(const json_t *list, const json_t *entry)
{
    size_t i = 0;
    while (json_array_get(list, i) != entry)
        i++;
    return i;
}

void config_upsert(json_t *config, enum config_list list, json_t *entry_take)
{
    json_t *l = list_of(config, list),
           *old = config_find(config, list, json_str_at(entry_take, lists[list].name));
    if (old)
        json_array_set_new(l, index_of(l, old), entry_take);
    else
        json_array_append_new(l, entry_take);
}

bool config_remove(json_t *config, enum config_list list, const char *name)
{
    json_t *l = list_of(config, list), *old = config_find(config, list, name);
    if (old)
        json_array_remove(l, index_of(l, old));
    return old;
}

const char *config_current(const json_t *config)
{
    return str_or_empty(json_str_at(config, "current-context"));
}

void config_set_current(json_t *config, const char *name)
{
    json_set_str(config, "current-context", name);
}

bool config_prompts(const json_t *config)
{
    return json_bool_at(config, "prompts-enabled");
}

static int resolve(const json_t *config, enum config_list list, const char *name, const json_t **out,
                   err_t **err)
{
    *out = config_find(config, list, name);
    return *out ? 0 : err_set(err, ERR_NOT_FOUND, "%s '%s' undefined", lists[list].kind, str_or_empty(name));
}

int config_context(const json_t *config, const char *name, struct config_context *out, err_t **err)
{
    if (str_empty(name))
        name = config_current(config);
    if (str_empty(name))
        return err_set(err, ERR_FAILED_PRECONDITION, "local config: current-context unset");
    const json_t *context;
    int rc = resolve(config, CONFIG_CONTEXTS, name, &context, err);
    if (rc == 0)
        rc = resolve(config, CONFIG_SERVERS, json_str_at(context, "server"), &out->server, err);
    if (rc == 0)
        rc = resolve(config, CONFIG_USERS, json_str_at(context, "user"), &out->user, err);
    if (rc == 0)
        out->name = json_str_at(context, "name");
    return rc;
}

int config_check(const json_t *config, err_t **err)
{
    struct config_context context;
    if (!*config_current(config) || config_context(config, "", &context, err) == 0)
        return 0;
    return err_wrap(err, "local config invalid");
}

/* ---- the file ---- */

int config_parse(const char *text, size_t n, json_t **out, err_t **err)
{
    AUTO_JSON doc = NULL;
    if (yaml_read(text, n, NULL, &doc, err) < 0)
        return err_wrap(err, "failed to parse config file");
    if (json_is_null(doc)) {
        json_decref(doc);
        doc = json_object();
    }
    if (!json_is_map(doc))
        return err_set(err, ERR_INVALID_ARGUMENT, "failed to parse config file: it is no map");
    int rc = config_check(doc, err);
    if (rc == 0)
        *out = TAKE(doc);
    return rc;
}

static void mode_text(mode_t mode, char out[11])
{
    static const char letters[] = "rwxrwxrwx";
    out[0] = '-';
    for (int i = 0; i < 9; i++)
        out[i + 1] = mode & (0400u >> i) ? letters[i] : '-';
    out[10] = 0;
}

int config_read(const char *path, json_t **out, err_t **err)
{
    *out = NULL;
    struct stat st;
    if (stat(path, &st) < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : err_set_errno(err, errno, "%s", path);
    mode_t mode = st.st_mode & 0777;
    if (mode != 0600 && mode != 0400) {
        char text[11];
        mode_text(mode, text);
        return err_set(
            err, ERR_PERMISSION_DENIED,
            "config file has incorrect permission flags %s, change the file permission either to 0400 or "
            "0600",
            text);
    }
    AUTO_STR text = STR_MAX(CONFIG_MAX);
    int rc = file_read(path, &text, err);
    return rc < 0 ? rc : config_parse(str_text(&text), text.len, out, err);
}

/* Every key that argocd writes, also when it has nothing to say. */
static json_t *complete(const json_t *config)
{
    json_t *c = json_copy_deep(config);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        list_of(c, (enum config_list)i);
    config_set_current(c, config_current(config));
    json_object_set_new(c, "prompts-enabled", json_boolean(config_prompts(config)));
    return c;
}

int config_write(const char *path, const json_t *config, err_t **err)
{
    AUTO(free_p) char *real = realpath(path, NULL), *folder = NULL;
    const char *to = real ? real : path, *slash = strrchr(to, '/');
    if (slash && slash != to) {
        folder = xstrndup(to, (size_t)(slash - to));
        int rc = dir_make(folder, 0777, err);
        if (rc < 0)
            return rc;
    }
    AUTO_JSON whole = complete(config);
    AUTO_STR text = STR_INIT;
    yaml_write(whole, &text);
    return file_write(to, str_text(&text), text.len, 0600, err);
}

/* ---- tokens ---- */

int token_claims(const char *token, json_t **out, err_t **err)
{
    view_t rest = view_of(token), part;
    AUTO_STR text = STR_MAX(64 << 10);
    if (!view_split(&rest, '.', &part) || !view_split(&rest, '.', &part) || !rest.p ||
        !base64_decode(part.p, part.n, &text) || json_read(str_text(&text), text.len, out, NULL) < 0)
        return err_set(err, ERR_UNAUTHENTICATED, "token is malformed");
    return 0;
}

const char *token_display_name(const json_t *claims)
{
    const char *email = json_str_at(claims, "email"), *name = json_str_at(claims, "name");
    return !str_empty(email) ? email : !str_empty(name) ? name : str_or_empty(json_str_at(claims, "sub"));
}
