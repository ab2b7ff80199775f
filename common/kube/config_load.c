#include "common/base/file.h"
#include "common/kube/config_doc.h"
#include "common/kube/kube_internal.h"

int kube_config_parse(const char *text, size_t n, const char *base_dir, const char *context,
                      struct kube_config *out, err_t **err)
{
    AUTO_JSON doc = NULL;
    int r = kube_config_doc_read(text, n, base_dir, &doc, err);
    return r < 0 ? r : kube_config_doc_select(doc, context, out, err);
}

/* "/a/b" -> "/a", "b" -> "." */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? xstrndup(path, slash == path ? 1 : (size_t)(slash - path)) : xstrdup(".");
}

static int read_file_doc(const char *path, json_t **out, err_t **err)
{
    AUTO_STR text = STR_MAX(KUBE_CONFIG_MAX_FILE);
    AUTO(free_p) char *folder = folder_of(path);
    int r = file_read(path, &text, err);
    if (r == 0)
        r = kube_config_doc_read(str_text(&text), text.len, folder, out, err);
    if (text.p)
        wipe(text.p, text.len);
    return r < 0 ? err_wrap(err, "kubeconfig %s", path) : 0;
}

/* All files of $KUBECONFIG; those that do not exist are passed over. */
static int read_list_doc(const char *list, json_t **out, err_t **err)
{
    AUTO(strv_free_p) char **paths = strv_split(list, ":", true);
    AUTO_JSON doc = NULL;
    for (size_t i = 0; paths[i]; i++) {
        AUTO_JSON one = NULL;
        AUTO_ERR why = NULL;
        int r = read_file_doc(paths[i], &one, &why);
        if (r == -ERR_NOT_FOUND)
            continue;
        if (r < 0)
            return err_move(err, TAKE(why));
        if (doc)
            kube_config_doc_merge(doc, one);
        else
            doc = TAKE(one);
    }
    if (!doc)
        return err_set(err, ERR_NOT_FOUND, "no kubeconfig: %s", list);
    *out = TAKE(doc);
    return 0;
}

int kube_config_load(const char *path, const char *context, struct kube_config *out, err_t **err)
{
    AUTO_JSON doc = NULL;
    const char *list = getenv("KUBECONFIG"), *home = getenv("HOME");
    int r;
    if (path) {
        r = read_file_doc(path, &doc, err);
    } else if (!str_empty(list)) {
        r = read_list_doc(list, &doc, err);
    } else {
        AUTO(free_p) char *usual = xasprintf("%s/.kube/config", str_or_empty(home));
        r = read_list_doc(usual, &doc, err);
    }
    if (r == 0 && (r = kube_config_doc_select(doc, context, out, err)) < 0)
        err_wrap(err, "kubeconfig %s", path ? path : str_empty(list) ? "~/.kube/config" : list);
    return r;
}

/* ---- the pod's service account ---- */

static int read_small(const char *folder, const char *name, char **out, err_t **err)
{
    AUTO_STR text = STR_MAX(KUBE_CONFIG_MAX_PEM);
    AUTO(free_p) char *path = xasprintf("%s/%s", folder, name);
    int r = file_read(path, &text, err);
    if (r == 0)
        *out = str_take(&text);
    return r;
}

int kube_config_of_pod(const char *folder, const char *host, const char *port, struct kube_config *out,
                       err_t **err)
{
    AUTO(free_p) char *token = NULL, *ns = NULL;
    if (str_empty(host) || str_empty(port) || read_small(folder, "token", &token, NULL) < 0)
        return err_set(err, ERR_NOT_FOUND, "not in a cluster: there is no service account");
    wipe(token, strlen(token));
    char *ca = NULL;
    int r = read_small(folder, "ca.crt", &ca, err);
    if (r < 0 && r != -ERR_NOT_FOUND)
        return err_wrap(err, "in-cluster configuration");
    err_clear(err);
    if (read_small(folder, "namespace", &ns, NULL) == 0)
        ns[strcspn(ns, " \t\r\n")] = '\0';
    bool v6 = strchr(host, ':') != NULL;
    *out = (struct kube_config){
        .server = xasprintf("https://%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port),
        .context = xstrdup("in-cluster"),
        .default_namespace = str_empty(ns) ? NULL : xstrdup(ns),
        .ca_pem = ca,
        .token_file = xasprintf("%s/token", folder),
    };
    return 0;
}

int kube_config_in_cluster(struct kube_config *out, err_t **err)
{
    return kube_config_of_pod("/var/run/secrets/kubernetes.io/serviceaccount",
                              getenv("KUBERNETES_SERVICE_HOST"), getenv("KUBERNETES_SERVICE_PORT"), out, err);
}

int kube_config_auto(const char *path, const char *context, struct kube_config *out, err_t **err)
{
    if (path)
        return kube_config_load(path, context, out, err);
    AUTO_ERR why = NULL;
    int r = kube_config_in_cluster(out, &why);
    if (r == -ERR_NOT_FOUND)
        return kube_config_load(NULL, context, out, err);
    return r < 0 ? err_move(err, TAKE(why)) : 0;
}
