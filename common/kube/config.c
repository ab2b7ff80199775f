#include "common/kube/kube_config.h"

/* The fields that are texts. */
static const struct {
    size_t offset;
    bool secret;
} texts[] = {
#define TEXT(f, secret)                                                                                      \
    {                                                                                                        \
        offsetof(struct kube_config, f), secret                                                              \
    }
    TEXT(server, false),           TEXT(context, false),         TEXT(default_namespace, false),
    TEXT(ca_pem, false),           TEXT(tls_server_name, false), TEXT(proxy_url, true),
    TEXT(client_cert_pem, false),  TEXT(client_key_pem, true),   TEXT(token, true),
    TEXT(token_file, false),       TEXT(username, false),        TEXT(password, true),
    TEXT(impersonate_user, false),
#undef TEXT
};

static char **text_at(const struct kube_config *c, size_t i)
{
    return (char **)((char *)(uintptr_t)c + texts[i].offset);
}

static void exec_free(struct kube_exec *x)
{
    if (!x)
        return;
    free(x->command);
    strv_free(x->args);
    strv_free(x->env);
    free(x->api_version);
    free(x->install_hint);
    json_decref(x->cluster_config);
    free(x);
}

static char **strv_copy(char *const *v)
{
    if (!v)
        return NULL;
    size_t n = strv_len(v);
    char **copy = xcalloc(n + 1, sizeof(*copy));
    for (size_t i = 0; i < n; i++)
        copy[i] = xstrdup(v[i]);
    return copy;
}

static struct kube_exec *exec_copy(const struct kube_exec *x)
{
    if (!x)
        return NULL;
    struct kube_exec *copy = xcalloc(1, sizeof(*copy));
    *copy = (struct kube_exec){
        .command = xstrdup(x->command),
        .args = strv_copy(x->args),
        .env = strv_copy(x->env),
        .api_version = xstrdup(x->api_version),
        .install_hint = xstrdup(x->install_hint),
        .provide_cluster_info = x->provide_cluster_info,
        .cluster_config = x->cluster_config ? json_copy_deep(x->cluster_config) : NULL,
    };
    return copy;
}

void kube_config_dispose(struct kube_config *c)
{
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        char *text = *text_at(c, i);
        if (text && texts[i].secret)
            wipe(text, strlen(text));
        free(text);
    }
    exec_free(c->exec);
    strv_free(c->impersonate_groups);
    json_decref(c->impersonate_extra);
    *c = (struct kube_config){};
}

void kube_config_copy(struct kube_config *to, const struct kube_config *from)
{
    struct kube_config c = *from;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        *text_at(&c, i) = xstrdup(*text_at(from, i));
    c.exec = exec_copy(from->exec);
    c.impersonate_groups = strv_copy(from->impersonate_groups);
    c.impersonate_extra = from->impersonate_extra ? json_copy_deep(from->impersonate_extra) : NULL;
    *to = c;
}
