/* How to reach a Kubernetes API server and who we are there: kubeconfig files with every kind of credential,
 * and the service account of the pod we run in.
 * https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/ */
#ifndef CARGOCD_KUBE_KUBE_CONFIG_H
#define CARGOCD_KUBE_KUBE_CONFIG_H

#include "common/base/err.h"
#include "common/json/json.h"

/* A command that prints an ExecCredential. */
struct kube_exec {
    char *command;
    char **args;        /* NULL-terminated; may be NULL */
    char **env;         /* "NAME=value"; added to ours */
    char *api_version;  /* client.authentication.k8s.io/v1 or v1beta1 */
    char *install_hint; /* shown when the command is not there */
    bool provide_cluster_info;
    json_t *cluster_config; /* extension client.authentication.k8s.io/exec of the cluster; may be NULL */
};

struct kube_config {
    char *server;  /* https://host:port/prefix, without a trailing slash */
    char *context; /* its name, for messages */
    char *default_namespace;
    char *ca_pem; /* NULL: the system's authorities */
    char *tls_server_name;
    bool insecure;
    char *proxy_url;
    bool disable_compression;
    /* One of: certificate, token, token_file (read again when it changes), basic, exec. */
    char *client_cert_pem, *client_key_pem;
    char *token, *token_file;
    char *username, *password;
    struct kube_exec *exec;
    /* Impersonation. */
    char *impersonate_user;
    char **impersonate_groups;
    json_t *impersonate_extra; /* key -> array of strings */
    /* Of the connections, as in http.h; kube_open sets them from its options. */
    int64_t connect_timeout_ns, keepalive_ns, idle_ns;
};

/* A kubeconfig text. File names in it are relative to base_dir. context NULL: the current one. */
int kube_config_parse(const char *text, size_t n, const char *base_dir, const char *context,
                      struct kube_config *out, err_t **err);
/* path NULL: $KUBECONFIG (a list is merged as kubectl does), else ~/.kube/config. */
int kube_config_load(const char *path, const char *context, struct kube_config *out, err_t **err);
/* The pod's service account; ERR_NOT_FOUND when not in a cluster. */
int kube_config_in_cluster(struct kube_config *out, err_t **err);
/* `path` when given, else in-cluster, else the default kubeconfig. */
int kube_config_auto(const char *path, const char *context, struct kube_config *out, err_t **err);
/* The connection that a cluster Secret of Argo CD describes
 * (docs/operator-manual/declarative-setup.md#clusters there); config: bearerToken, tlsClientConfig,
 * execProviderConfig … own: NULL, or how we reach the cluster that we run in, which this is then; credentials
 * that config names go before those of `own`. */
int kube_config_of_cluster(const char *server, const char *name, const json_t *config,
                           const struct kube_config *own, struct kube_config *out, err_t **err);
void kube_config_dispose(struct kube_config *c);
void kube_config_copy(struct kube_config *to, const struct kube_config *from);

#endif
