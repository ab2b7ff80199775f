#include "common/base/clock.h"
#include "common/base/enc.h"
#include "common/base/proc.h"
#include "common/base/vec.h"
#include "common/kube/auth.h"

#include <unistd.h>

enum { MAX_OUTPUT = 1 << 20, MAX_COMPLAINT = 64 << 10, SHOWN = 300, TIMEOUT_SECONDS = 60 };

static void free_secret(char *s)
{
    if (s)
        wipe(s, strlen(s));
    free(s);
}

void kube_credential_dispose(struct kube_credential *c)
{
    free_secret(c->token);
    free(c->cert_pem);
    free_secret(c->key_pem);
    *c = (struct kube_credential){};
}

/* ---- the answer ---- */

static int check_answer(const json_t *answer, const char *api_version, err_t **err)
{
    const char *kind = json_str_at(answer, "kind"), *version = json_str_at(answer, "apiVersion");
    if (!str_eq(kind, "ExecCredential"))
        return err_set(err, ERR_UNAUTHENTICATED, "its answer is of kind '%s', not ExecCredential",
                       str_or_empty(kind));
    if (!str_eq(version, api_version))
        return err_set(err, ERR_UNAUTHENTICATED, "its answer is of version '%s', not %s",
                       str_or_empty(version), api_version);
    if (!json_is_map(json_object_get(answer, "status")))
        return err_set(err, ERR_UNAUTHENTICATED, "its answer has no status");
    return 0;
}

/* False when it is no time. A date beyond what wall_t holds is as good as none. */
static bool read_expiry(const char *text, struct kube_credential *c)
{
    c->expires = rfc3339_parse(text, &c->expiry);
    return c->expires || (strspn(text, "0123456789") == 4 && text[4] == '-' && strncmp(text, "2262", 4) >= 0);
}

static char *copy_of(const json_t *status, const char *key)
{
    const char *text = json_str_at(status, key);
    return str_empty(text) ? NULL : xstrdup(text);
}

int kube_exec_read(const char *text, size_t n, const char *api_version, struct kube_credential *out,
                   err_t **err)
{
    AUTO_JSON answer = NULL;
    int r = json_read(text, n, &answer, NULL); /* its error might quote the token */
    if (r < 0)
        return err_set(err, ERR_UNAUTHENTICATED, "its answer is not JSON");
    if ((r = check_answer(answer, api_version, err)) < 0)
        return r;
    const json_t *status = json_object_get(answer, "status");
    const char *expiry = json_str_at(status, "expirationTimestamp");
    struct kube_credential c = {
        .token = copy_of(status, "token"),
        .cert_pem = copy_of(status, "clientCertificateData"),
        .key_pem = copy_of(status, "clientKeyData"),
    };
    if (!str_empty(expiry) && !read_expiry(expiry, &c))
        r = err_set(err, ERR_UNAUTHENTICATED, "its expirationTimestamp '%.60s' is no time", expiry);
    else if (!c.cert_pem != !c.key_pem)
        r = err_set(err, ERR_UNAUTHENTICATED, "it gave a certificate without its key, or a key alone");
    else if (!c.token && !c.cert_pem)
        r = err_set(err, ERR_UNAUTHENTICATED, "it gave neither a token nor a certificate");
    if (r < 0)
        kube_credential_dispose(&c);
    else
        *out = c;
    return r;
}

/* ---- the question ---- */

/* KUBERNETES_EXEC_INFO: what the plugin may know of the cluster. */
static char *exec_info(const struct kube_config *c)
{
    AUTO_JSON info = json_object();
    json_set_str(info, "kind", "ExecCredential");
    json_set_str(info, "apiVersion", c->exec->api_version);
    json_put_at(info, json_false(), "spec", "interactive");
    if (c->exec->provide_cluster_info) {
        json_t *cluster = json_object();
        json_set_str(cluster, "server", c->server);
        json_put_str(cluster, "tls-server-name", c->tls_server_name);
        if (c->insecure)
            json_object_set_new_nocheck(cluster, "insecure-skip-tls-verify", json_true());
        if (c->ca_pem) {
            AUTO_STR ca = STR_INIT;
            base64_encode(c->ca_pem, strlen(c->ca_pem), &ca);
            json_set_str(cluster, "certificate-authority-data", str_text(&ca));
        }
        json_put_str(cluster, "proxy-url", c->proxy_url);
        if (c->disable_compression)
            json_object_set_new_nocheck(cluster, "disable-compression", json_true());
        if (c->exec->cluster_config)
            json_object_set_nocheck(cluster, "config", c->exec->cluster_config);
        json_put_at(info, cluster, "spec", "cluster");
    }
    return json_text(info, JSON_KEEP_ORDER);
}

static bool same_name(const char *a, const char *b)
{
    size_t n = strcspn(a, "=");
    return strncmp(a, b, n) == 0 && b[n] == '=';
}

/* Ours, without what the configuration or the protocol sets, and these. */
static char **environment(const struct kube_config *c)
{
    VEC(char *) env = {};
    AUTO(free_p) char *info = exec_info(c);
    for (size_t i = 0; environ[i]; i++) {
        bool replaced = same_name("KUBERNETES_EXEC_INFO=", environ[i]);
        for (size_t k = 0; c->exec->env && c->exec->env[k]; k++)
            replaced = replaced || same_name(c->exec->env[k], environ[i]);
        if (!replaced)
            VEC_PUSH(&env, xstrdup(environ[i]));
    }
    for (size_t k = 0; c->exec->env && c->exec->env[k]; k++)
        VEC_PUSH(&env, xstrdup(c->exec->env[k]));
    VEC_PUSH(&env, xasprintf("KUBERNETES_EXEC_INFO=%s", info));
    VEC_PUSH(&env, NULL);
    return env.v;
}

static char **arguments(const struct kube_exec *x)
{
    size_t n = x->args ? strv_len(x->args) : 0;
    char **argv = xcalloc(n + 2, sizeof(*argv));
    argv[0] = xstrdup(x->command);
    for (size_t i = 0; i < n; i++)
        argv[i + 1] = xstrdup(x->args[i]);
    return argv;
}

/* The end of what it wrote to its standard error, on one line. */
static void add_complaint(str_t *errs, str_t *to)
{
    size_t skip = errs->len > SHOWN ? errs->len - SHOWN : 0;
    view_t v = view_trim((view_t){str_text(errs) + skip, errs->len - skip});
    if (v.n)
        str_puts(to, ": ");
    for (size_t i = 0; i < v.n; i++)
        str_putc(to, (unsigned char)v.p[i] < 0x20 ? ' ' : v.p[i]);
}

static int run(const struct kube_config *c, atomic_bool *canceled, str_t *out, struct kube_plugin_run *how,
               err_t **err)
{
    AUTO(strv_free_p) char **argv = arguments(c->exec);
    AUTO(strv_free_p) char **env = environment(c);
    AUTO_STR errs = STR_MAX(MAX_COMPLAINT);
    AUTO_STR complaint = STR_MAX(2 * SHOWN);
    struct proc_spec spec = {
        .argv = argv, .env = env, .timeout_ns = SECONDS(TIMEOUT_SECONDS), .canceled = canceled};
    struct proc_result result;
    int r = proc_run(&spec, out, &errs, &result, err);
    how->outcome = r == -ERR_NOT_FOUND ? "plugin_not_found_error"
                   : r < 0             ? "client_internal_error"
                                       : "plugin_execution_error";
    if (r == -ERR_NOT_FOUND && c->exec->install_hint)
        return err_set(err, ERR_UNAUTHENTICATED, "it is not installed: %s", c->exec->install_hint);
    if (r < 0)
        return err_recode(err, ERR_UNAUTHENTICATED);
    add_complaint(&errs, &complaint);
    how->code = result.exit_status;
    if (result.exit_status != 0)
        return err_set(err, ERR_UNAUTHENTICATED, "it ended with status %d%s", result.exit_status,
                       str_text(&complaint));
    return 0;
}

int kube_exec_run(const struct kube_config *c, atomic_bool *canceled, struct kube_credential *out,
                  struct kube_plugin_run *how, err_t **err)
{
    AUTO_STR answer = STR_MAX(MAX_OUTPUT);
    *how = (struct kube_plugin_run){.code = 1, .cert_age_ns = -1};
    int r = run(c, canceled, &answer, how, err);
    if (r == 0)
        how->outcome = "no_error";
    if (r == 0)
        r = kube_exec_read(str_text(&answer), answer.len, c->exec->api_version, out, err);
    if (answer.p)
        wipe(answer.p, answer.len);
    return r < 0 ? err_wrap(err, "credential plugin %s", c->exec->command) : 0;
}
