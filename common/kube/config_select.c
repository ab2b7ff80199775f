/* From a chosen context to what a client needs. The rules on which field wins are client-go's
 * (tools/clientcmd/client_config.go): data over files, a token over its file at first, never basic and bearer
 * at once. */
#include "common/base/enc.h"
#include "common/base/file.h"
#include "common/kube/config_doc.h"

/* A PEM text given as base64 data or as a file; *out stays NULL when neither is there. */
static int read_pem(const json_t *object, const char *data_key, const char *file_key, const char *what,
                    char **out, err_t **err)
{
    const char *data, *file;
    int r;
    AUTO_STR text = STR_MAX(KUBE_CONFIG_MAX_PEM);
    if ((r = kube_config_text(object, data_key, what, &data, err)) < 0 ||
        (r = kube_config_text(object, file_key, what, &file, err)) < 0)
        return r;
    if (!data && !file)
        return 0;
    if (data && !base64_decode(data, strlen(data), &text))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: %s is not base64", what, data_key);
    if (!data && (r = file_read(file, &text, err)) < 0)
        return err_wrap(err, "%s: read %s %s", what, file_key, file);
    if (text.len == 0 || strlen(str_text(&text)) != text.len)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: %s holds no PEM text", what,
                       data ? data_key : file_key);
    *out = str_take(&text);
    return 0;
}

static int copy_text(const json_t *object, const char *key, const char *what, char **out, err_t **err)
{
    const char *text;
    int r = kube_config_text(object, key, what, &text, err);
    if (r == 0)
        *out = xstrdup(text);
    return r;
}

static int read_bool(const json_t *object, const char *key, const char *what, bool *out, err_t **err)
{
    const json_t *v = json_object_get(object, key);
    if (v && !json_is_null(v) && !json_is_boolean(v))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: %s is neither true nor false", what, key);
    *out = json_is_true(v);
    return 0;
}

static int copy_text_list(const json_t *list, const char *what, char ***out, err_t **err)
{
    size_t i;
    json_t *v;
    if (!list || json_is_null(list))
        return 0;
    if (!json_is_array(list))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s is not a list", what);
    AUTO(strv_free_p) char **copy = xcalloc(json_array_size(list) + 1, sizeof(*copy));
    json_array_foreach(list, i, v) {
        if (!json_is_string(v))
            return err_set(err, ERR_INVALID_ARGUMENT, "%s[%zu] is not a string", what, i);
        copy[i] = xstrdup(json_string_value(v));
    }
    *out = TAKE(copy);
    return 0;
}

/* ---- the cluster ---- */

/* "host:port" alone is https where the cluster says anything about TLS, as client-go has it. */
static char *server_url(const char *text, bool tls)
{
    AUTO(free_p)
    char *url = strstr(text, "://") ? xstrdup(text) : xasprintf("http%s://%s", tls ? "s" : "", text);
    size_t n = strlen(url);
    while (n && url[n - 1] == '/')
        url[--n] = '\0';
    return TAKE(url);
}

static const json_t *exec_extension(const json_t *cluster)
{
    const json_t *list = json_object_get(cluster, "extensions");
    size_t i;
    json_t *e;
    json_array_foreach(list, i, e)
        if (str_eq(json_str_at(e, "name"), "client.authentication.k8s.io/exec"))
            return json_object_get(e, "extension");
    return NULL;
}

static int read_cluster(const json_t *cluster, const char *what, struct kube_config *c, err_t **err)
{
    const char *server;
    int r;
    if ((r = kube_config_text(cluster, "server", what, &server, err)) < 0 ||
        (r = read_bool(cluster, "insecure-skip-tls-verify", what, &c->insecure, err)) < 0 ||
        (r = read_bool(cluster, "disable-compression", what, &c->disable_compression, err)) < 0 ||
        (r = copy_text(cluster, "tls-server-name", what, &c->tls_server_name, err)) < 0 ||
        (r = copy_text(cluster, "proxy-url", what, &c->proxy_url, err)) < 0 ||
        (r = read_pem(cluster, "certificate-authority-data", "certificate-authority", what, &c->ca_pem,
                      err)) < 0)
        return r;
    if (c->insecure && c->ca_pem)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%s: a certificate authority and insecure-skip-tls-verify contradict each other",
                       what);
    if (!server)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: it has no server", what);
    c->server = server_url(server, c->ca_pem || c->insecure || c->client_cert_pem);
    return 0;
}

/* ---- the user ---- */

static int read_exec_env(const json_t *exec, const char *what, char ***out, err_t **err)
{
    const json_t *list = json_object_get(exec, "env");
    size_t i;
    json_t *e;
    if (!list || json_is_null(list))
        return 0;
    if (!json_is_array(list))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: exec.env is not a list", what);
    AUTO(strv_free_p) char **env = xcalloc(json_array_size(list) + 1, sizeof(*env));
    json_array_foreach(list, i, e) {
        const char *name, *value;
        int r;
        if ((r = kube_config_text(e, "name", what, &name, err)) < 0 ||
            (r = kube_config_text(e, "value", what, &value, err)) < 0)
            return r;
        if (!name || strchr(name, '='))
            return err_set(err, ERR_INVALID_ARGUMENT, "%s: exec.env[%zu] has no usable name", what, i);
        env[i] = xasprintf("%s=%s", name, str_or_empty(value));
    }
    *out = TAKE(env);
    return 0;
}

static int check_exec(const struct kube_exec *x, const char *mode, const char *what, err_t **err)
{
    if (!x->command)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: exec has no command", what);
    if (!str_eq(x->api_version, "client.authentication.k8s.io/v1") &&
        !str_eq(x->api_version, "client.authentication.k8s.io/v1beta1"))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: exec.apiVersion '%s' is not known", what,
                       str_or_empty(x->api_version));
    if (str_eq(mode, "Always"))
        return err_set(err, ERR_FAILED_PRECONDITION,
                       "%s: the plugin %s wants a terminal (interactiveMode: Always)", what, x->command);
    return 0;
}

static int read_exec(const json_t *user, const char *what, struct kube_config *c, err_t **err)
{
    const json_t *exec = json_object_get(user, "exec");
    const char *mode;
    int r;
    if (!exec || json_is_null(exec))
        return 0;
    struct kube_exec *x = c->exec = xcalloc(1, sizeof(*x));
    AUTO(free_p) char *args = xasprintf("%s: exec.args", what);
    if ((r = copy_text(exec, "command", what, &x->command, err)) < 0 ||
        (r = copy_text(exec, "apiVersion", what, &x->api_version, err)) < 0 ||
        (r = copy_text(exec, "installHint", what, &x->install_hint, err)) < 0 ||
        (r = kube_config_text(exec, "interactiveMode", what, &mode, err)) < 0 ||
        (r = read_bool(exec, "provideClusterInfo", what, &x->provide_cluster_info, err)) < 0 ||
        (r = copy_text_list(json_object_get(exec, "args"), args, &x->args, err)) < 0 ||
        (r = read_exec_env(exec, what, &x->env, err)) < 0)
        return r;
    return check_exec(x, mode, what, err);
}

static int read_impersonation(const json_t *user, const char *what, struct kube_config *c, err_t **err)
{
    const json_t *extra = json_object_get(user, "as-user-extra");
    AUTO(free_p) char *groups = xasprintf("%s: as-groups", what);
    int r;
    if ((r = copy_text(user, "as", what, &c->impersonate_user, err)) < 0 ||
        (r = copy_text_list(json_object_get(user, "as-groups"), groups, &c->impersonate_groups, err)) < 0)
        return r;
    if (extra && !json_is_null(extra) && !json_is_map(extra))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: as-user-extra is not an object", what);
    if (json_is_map(extra) && json_object_size(extra))
        c->impersonate_extra = json_copy_deep(extra);
    return 0;
}

static int check_user(const json_t *user, const char *what, const struct kube_config *c, err_t **err)
{
    const json_t *provider = json_object_get(user, "auth-provider");
    if (provider && !json_is_null(provider))
        return err_set(err, ERR_UNIMPLEMENTED,
                       "%s: auth-provider '%s' is gone from Kubernetes; use an exec plugin", what,
                       str_or_empty(json_str_at(provider, "name")));
    bool basic = c->username || c->password, bearer = c->token || c->token_file;
    if (basic && bearer)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: both a password and a token", what);
    if (!c->client_cert_pem != !c->client_key_pem)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: a client certificate and its key belong together",
                       what);
    return 0;
}

static int read_user(const json_t *user, const char *what, struct kube_config *c, err_t **err)
{
    int r;
    if ((r = read_pem(user, "client-certificate-data", "client-certificate", what, &c->client_cert_pem,
                      err)) < 0 ||
        (r = read_pem(user, "client-key-data", "client-key", what, &c->client_key_pem, err)) < 0 ||
        (r = copy_text(user, "token", what, &c->token, err)) < 0 ||
        (r = copy_text(user, "tokenFile", what, &c->token_file, err)) < 0 ||
        (r = copy_text(user, "username", what, &c->username, err)) < 0 ||
        (r = copy_text(user, "password", what, &c->password, err)) < 0 ||
        (r = read_impersonation(user, what, c, err)) < 0 || (r = read_exec(user, what, c, err)) < 0)
        return r;
    return check_user(user, what, c, err);
}

/* ---- the context ---- */

static int find_item(const json_t *doc, const char *list, const char *name, const char *what,
                     const json_t **out, err_t **err)
{
    *out = json_object_get(json_object_get(doc, list), name);
    return *out ? 0 : err_set(err, ERR_INVALID_ARGUMENT, "%s '%s' does not exist", what, name);
}

static int select_into(const json_t *doc, const char *name, struct kube_config *c, err_t **err)
{
    const json_t *context, *cluster, *user = NULL;
    const char *cluster_name, *user_name;
    int r;
    AUTO(free_p) char *what = xasprintf("context '%s'", name);
    if ((r = find_item(doc, "contexts", name, "context", &context, err)) < 0 ||
        (r = kube_config_text(context, "cluster", what, &cluster_name, err)) < 0 ||
        (r = kube_config_text(context, "user", what, &user_name, err)) < 0 ||
        (r = copy_text(context, "namespace", what, &c->default_namespace, err)) < 0)
        return r;
    if ((r = find_item(doc, "clusters", str_or_empty(cluster_name), "cluster", &cluster, err)) < 0 ||
        (user_name && (r = find_item(doc, "users", user_name, "user", &user, err)) < 0))
        return err_wrap(err, "%s", what);
    AUTO(free_p) char *what_user = xasprintf("user '%s'", str_or_empty(user_name));
    AUTO(free_p) char *what_cluster = xasprintf("cluster '%s'", cluster_name);
    if ((user && (r = read_user(user, what_user, c, err)) < 0) ||
        (r = read_cluster(cluster, what_cluster, c, err)) < 0)
        return r;
    if (c->exec)
        c->exec->cluster_config = json_copy_deep(exec_extension(cluster));
    return 0;
}

int kube_config_doc_select(const json_t *doc, const char *context, struct kube_config *out, err_t **err)
{
    const char *name = context ? context : json_str_at(doc, "current-context");
    if (str_empty(name))
        return err_set(err, ERR_INVALID_ARGUMENT, "no context is chosen and there is no current-context");
    struct kube_config c = {.context = xstrdup(name)};
    int r = select_into(doc, name, &c, err);
    if (r < 0)
        kube_config_dispose(&c);
    else
        *out = c;
    return r;
}
