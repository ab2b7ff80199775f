/* Connections as Argo CD's cluster Secrets describe them. */
#include "common/base/enc.h"
#include "common/kube/kube_config.h"

/* base64 text of a PEM at tlsClientConfig.<key>. */
static int pem_at(const char *server, const json_t *config, const char *key, char **out, err_t **err)
{
    const json_t *v = json_at(config, "tlsClientConfig", key);
    if (str_empty(json_string_value(v)))
        return 0;
    AUTO_STR text = STR_MAX(1 << 20);
    if (!base64_decode(json_string_value(v), json_string_length(v), &text))
        return err_set(err, ERR_INVALID_ARGUMENT, "cluster %s: tlsClientConfig.%s is no base64", server, key);
    free(*out);
    *out = str_take(&text);
    return 0;
}

static char **texts_of(const json_t *list)
{
    char **out = xcalloc(json_array_size(list) + 1, sizeof(*out));
    for (size_t i = 0; i < json_array_size(list); i++)
        out[i] = xstrdup(str_or_empty(json_string_value(json_array_get(list, i))));
    return out;
}

static struct kube_exec *exec_of(const json_t *config)
{
    const json_t *e = json_object_get(config, "execProviderConfig");
    struct kube_exec *out = xcalloc(1, sizeof(*out));
    out->command = xstrdup(str_or_empty(json_str_at(e, "command")));
    out->args = texts_of(json_object_get(e, "args"));
    out->api_version = xstrdup(str_or_empty(json_str_at(e, "apiVersion")));
    out->install_hint = xstrdup(str_or_empty(json_str_at(e, "installHint")));
    out->provide_cluster_info = json_bool_at(e, "provideClusterInfo");
    out->cluster_config = json_copy_deep(json_object_get(e, "config"));
    json_t *env = json_object_get(e, "env");
    out->env = xcalloc(json_object_size(env) + 1, sizeof(*out->env));
    size_t n = 0;
    for (void *it = json_object_iter(env); it; it = json_object_iter_next(env, it))
        out->env[n++] = xasprintf("%s=%s", json_object_iter_key(it),
                                  str_or_empty(json_string_value(json_object_iter_value(it))));
    return out;
}

/* The exec plugin that Argo CD runs for EKS. */
static struct kube_exec *aws_exec(const json_t *aws)
{
    static const struct {
        const char *key, *flag;
    } flags[] = {{"clusterName", "--cluster-name"}, {"roleARN", "--role-arn"}, {"profile", "--profile"}};
    struct kube_exec *out = xcalloc(1, sizeof(*out));
    out->command = xstrdup("argocd-k8s-auth");
    out->api_version = xstrdup("client.authentication.k8s.io/v1beta1");
    out->args = xcalloc(2 * ARRAY_LEN(flags) + 2, sizeof(*out->args));
    size_t n = 0;
    out->args[n++] = xstrdup("aws");
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        const char *v = json_str_at(aws, flags[i].key);
        if (str_empty(v))
            continue;
        out->args[n++] = xstrdup(flags[i].flag);
        out->args[n++] = xstrdup(v);
    }
    return out;
}

static void replace(char **field, const char *value)
{
    if (str_empty(value))
        return;
    free(*field);
    *field = xstrdup(value);
}

static void set_credentials(const json_t *c, struct kube_config *out)
{
    if (json_is_map(json_object_get(c, "awsAuthConfig"))) {
        out->exec = aws_exec(json_object_get(c, "awsAuthConfig"));
        return;
    }
    if (json_is_map(json_object_get(c, "execProviderConfig"))) {
        out->exec = exec_of(c);
        return;
    }
    const char *token = json_str_at(c, "bearerToken");
    if (!str_empty(token)) {
        free(out->token_file);
        out->token_file = NULL;
    }
    replace(&out->token, token);
    replace(&out->username, json_str_at(c, "username"));
    replace(&out->password, json_str_at(c, "password"));
}

int kube_config_of_cluster(const char *server, const char *name, const json_t *config,
                           const struct kube_config *own, struct kube_config *out, err_t **err)
{
    *out = (struct kube_config){};
    if (own) {
        kube_config_copy(out, own);
    } else {
        out->server = xstrdup(server);
        out->insecure = json_bool_at(config, "tlsClientConfig", "insecure");
        replace(&out->tls_server_name, json_str_at(config, "tlsClientConfig", "serverName"));
        replace(&out->proxy_url, json_str_at(config, "proxyUrl"));
        out->disable_compression = json_bool_at(config, "disableCompression");
        if (pem_at(server, config, "caData", &out->ca_pem, err) < 0 ||
            pem_at(server, config, "certData", &out->client_cert_pem, err) < 0 ||
            pem_at(server, config, "keyData", &out->client_key_pem, err) < 0) {
            kube_config_dispose(out);
            return -(int)ERR_INVALID_ARGUMENT;
        }
    }
    replace(&out->context, name);
    set_credentials(config, out);
    return 0;
}
