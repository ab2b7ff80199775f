#include "api-server/bootstrap.h"

#include "api-server/auth/password.h"
#include "api-server/services/state.h"
#include "common/argo/app.h"
#include "common/base/enc.h"
#include "common/base/log.h"
#include "common/base/rand.h"

enum { TRIES = 10, SELF_SIGNED_DAYS = 365, PASSWORD_LENGTH = 16 };

/* ---- Secrets ---- */

char *secret_text(const json_t *secret, const char *key, size_t *n)
{
    const char *b64 = json_str_at(secret, "data", key);
    AUTO_STR plain = STR_INIT;
    if (!b64 || !base64_decode(b64, strlen(b64), &plain))
        return NULL;
    if (n)
        *n = plain.len;
    return str_take(&plain);
}

void secret_put(json_t *secret, const char *key, const void *p, size_t n)
{
    AUTO_STR b64 = STR_INIT;
    base64_encode(p, n, &b64);
    json_put_at(secret, json_string(str_text(&b64)), "data", key);
}

static void put_text(json_t *secret, const char *key, const char *text)
{
    secret_put(secret, key, text, strlen(text));
}

static json_t *empty_secret(const char *ns, const char *name)
{
    json_t *s = json_object();
    json_set_str(s, "apiVersion", "v1");
    json_set_str(s, "kind", "Secret");
    json_set_str(s, "type", "Opaque");
    json_put_at(s, json_string(name), "metadata", "name");
    json_put_at(s, json_string(ns), "metadata", "namespace");
    json_put_at(s, json_string("argocd"), "metadata", "labels", LABEL_PART_OF);
    return s;
}

static int change_once(kube_t *kube, const char *ns, const char *name, secret_change_fn change, void *arg,
                       err_t **err)
{
    AUTO_JSON secret = NULL;
    bool exists = true;
    int rc = kube_get(kube, kind_secret, ns, name, NULL, &secret, err);
    if (rc == -ERR_NOT_FOUND) {
        err_clear(err);
        exists = false;
        secret = empty_secret(ns, name);
    } else if (rc < 0)
        return rc;
    rc = change(arg, secret, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    return exists ? kube_update(kube, kind_secret, ns, name, secret, NULL, NULL, err)
                  : kube_create(kube, kind_secret, ns, secret, NULL, NULL, err);
}

int secret_change(kube_t *kube, const char *ns, const char *name, secret_change_fn change, void *arg,
                  err_t **err)
{
    int rc = 0;
    for (int i = 0; i < TRIES; i++) {
        err_clear(err);
        rc = change_once(kube, ns, name, change, arg, err);
        if (rc != -ERR_ABORTED && rc != -ERR_ALREADY_EXISTS)
            break;
        sleep_ns(MILLIS(20) * (i + 1));
    }
    return rc < 0 ? err_wrap(err, "secret %s/%s", ns, name) : 0;
}

/* ---- the first start ---- */

struct first {
    char *password; /* the admin's, when it was made just now */
};

static int set_up_secret(void *arg, json_t *secret, err_t **err)
{
    struct first *f = arg;
    bool changed = false;
    AUTO(free_p)
    char *key = secret_text(secret, "server.secretkey", NULL),
         *admin = secret_text(secret, "admin.password", NULL);
    if (str_empty(key)) {
        unsigned char bytes[32];
        AUTO_STR text = STR_INIT;
        random_bytes(bytes, sizeof bytes);
        base64_encode(bytes, sizeof bytes, &text);
        put_text(secret, "server.secretkey", str_text(&text));
        wipe(bytes, sizeof bytes);
        changed = true;
    }
    free(TAKE(f->password));
    if (str_empty(admin)) {
        char now[RFC3339_TEXT];
        AUTO(free_p) char *hash = NULL;
        f->password = random_text(PASSWORD_LENGTH,
                                  "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-");
        int rc = password_hash(f->password, &hash, err);
        if (rc < 0)
            return rc;
        rfc3339(wall_now(), now);
        put_text(secret, "admin.password", hash);
        put_text(secret, "admin.passwordMtime", now);
        changed = true;
    }
    return changed ? 0 : 1;
}

static int keep_password(void *arg, json_t *secret, err_t **err)
{
    put_text(secret, "password", ((struct first *)arg)->password);
    return 0;
}

static int set_up_keys(kube_t *kube, const char *ns, err_t **err)
{
    struct first f = {};
    int rc = secret_change(kube, ns, "argocd-secret", set_up_secret, &f, err);
    if (rc == 0 && f.password) {
        rc = secret_change(kube, ns, "argocd-initial-admin-secret", keep_password, &f, err);
        if (rc == 0)
            log_info(NULL, "made the admin's initial password: secret argocd-initial-admin-secret");
    }
    if (f.password)
        wipe(f.password, strlen(f.password));
    free(f.password);
    return rc;
}

static int set_up_project(kube_t *kube, const char *ns, err_t **err)
{
    AUTO_JSON project = NULL;
    int rc = kube_get(kube, kind_project, ns, "default", NULL, &project, err);
    if (rc != -ERR_NOT_FOUND)
        return rc;
    err_clear(err);
    rc = json_read_str(
        "{\"apiVersion\":\"argoproj.io/"
        "v1alpha1\",\"kind\":\"AppProject\",\"metadata\":{\"name\":\"default\"},"
        "\"spec\":{\"sourceRepos\":[\"*\"],\"destinations\":[{\"server\":\"*\",\"namespace\":\"*\"}],"
        "\"clusterResourceWhitelist\":[{\"group\":\"*\",\"kind\":\"*\"}]}}",
        &project, err);
    if (rc < 0)
        return rc;
    json_put_at(project, json_string(ns), "metadata", "namespace");
    rc = kube_create(kube, kind_project, ns, project, NULL, NULL, err);
    if (rc == -ERR_ALREADY_EXISTS)
        err_clear(err);
    return rc == -ERR_ALREADY_EXISTS ? 0 : rc;
}

int bootstrap(kube_t *kube, const char *ns, err_t **err)
{
    int rc = set_up_keys(kube, ns, err);
    if (rc == 0)
        rc = set_up_project(kube, ns, err);
    return rc < 0 ? err_wrap(err, "set up namespace %s", ns) : 0;
}

/* ---- the public certificate ---- */

char **service_names(const char *service, const char *ns)
{
    VEC(char *) names = {};
    VEC_PUSH(&names, xstrdup(service));
    VEC_PUSH(&names, xasprintf("%s.%s", service, ns));
    VEC_PUSH(&names, xasprintf("%s.%s.svc", service, ns));
    VEC_PUSH(&names, xasprintf("%s.%s.svc.cluster.local", service, ns));
    VEC_PUSH(&names, xstrdup("localhost"));
    VEC_PUSH(&names, NULL);
    return names.v;
}

static bool take_pair(const json_t *secret, struct tls_pair *out)
{
    struct tls_pair p = {secret_text(secret, "tls.crt", NULL), secret_text(secret, "tls.key", NULL)};
    AUTO_ERR err = NULL;
    if (!str_empty(p.cert_pem) && !str_empty(p.key_pem) && tls_check_pair(p.cert_pem, p.key_pem, &err) == 0) {
        *out = p;
        return true;
    }
    if (p.cert_pem)
        log_warn(NULL, "the certificate in a secret is not used: %s", err ? err_text(err) : "incomplete");
    tls_pair_dispose(&p);
    return false;
}

struct self_signed {
    const char *ns;
    struct tls_pair *out;
};

static int add_self_signed(void *arg, json_t *secret, err_t **err)
{
    struct self_signed *s = arg;
    if (take_pair(secret, s->out))
        return 1;
    AUTO(strv_free_p) char **names = service_names("argocd-server", s->ns);
    tls_pair_dispose(s->out);
    int rc = tls_self_signed("Argo CD", (const char *const *)names, SELF_SIGNED_DAYS, s->out, err);
    if (rc < 0)
        return rc;
    put_text(secret, "tls.crt", s->out->cert_pem);
    put_text(secret, "tls.key", s->out->key_pem);
    return 0;
}

int bootstrap_certificate(kube_t *kube, const char *ns, struct tls_pair *out, err_t **err)
{
    AUTO_JSON secret = NULL;
    struct self_signed s = {ns, out};
    int rc = kube_get(kube, kind_secret, ns, "argocd-server-tls", NULL, &secret, err);
    if (rc < 0 && rc != -ERR_NOT_FOUND)
        return rc;
    err_clear(err);
    if (rc == 0 && take_pair(secret, out))
        return 0;
    return secret_change(kube, ns, "argocd-secret", add_self_signed, &s, err);
}
