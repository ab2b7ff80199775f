#include "api-server/issue.h"

#include "api-server/bootstrap.h"
#include "api-server/services/state.h"
#include "common/base/enc.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/rand.h"

#define ISSUED_BY   "cargocd.io/issued-by"
#define OURS        "api-server"
#define CA_SECRET   "cargocd-ca"
#define OWN_SECRET  "argocd-server-rpc-tls"
#define SEAL_SECRET "cargocd-seal-controller"

enum { CA_DAYS = 3650, DAYS = 90, DAY = 86400, REDIS_PASSWORD_LENGTH = 32 };

static const struct {
    const char *secret, *service;
} daemons[] = {{"argocd-repo-server-tls", "argocd-repo-server"},
               {"argocd-application-controller-tls", "argocd-application-controller"},
               {OWN_SECRET, "argocd-server"}};
/* Who seals with which key; only these daemons mount it. */
static const struct {
    const char *secret, *key;
} seals[] = {{SEAL_SECRET, "controller.1"}, {"cargocd-seal-repo", "repo.1"}};

static bool is_ours(const json_t *secret)
{
    return !json_object_get(secret, "data") ||
           str_eq(json_str_at(secret, "metadata", "annotations", ISSUED_BY), OURS);
}

static void mark(json_t *secret)
{
    json_put_at(secret, json_string(OURS), "metadata", "annotations", ISSUED_BY);
}

static bool lasts(const char *cert_pem, int days)
{
    int64_t end;
    return cert_pem && tls_not_after(cert_pem, &end, NULL) == 0 &&
           end - wall_now().ns / NS_PER_SEC > (int64_t)days * DAY;
}

/* ---- the authority ---- */

static int make_ca(void *arg, json_t *secret, err_t **err)
{
    struct tls_pair *ca = arg;
    struct tls_pair have = {secret_text(secret, "ca.crt", NULL), secret_text(secret, "ca.key", NULL)};
    tls_pair_dispose(ca);
    if (have.key_pem && lasts(have.cert_pem, DAYS)) {
        *ca = have;
        return 1;
    }
    tls_pair_dispose(&have);
    if (!is_ours(secret))
        return err_set(err, ERR_FAILED_PRECONDITION, "the authority is not ours and about to end");
    int rc = tls_make_ca("cargocd", CA_DAYS, ca, err);
    if (rc < 0)
        return rc;
    mark(secret);
    secret_put(secret, "ca.crt", ca->cert_pem, strlen(ca->cert_pem));
    secret_put(secret, "ca.key", ca->key_pem, strlen(ca->key_pem));
    return 0;
}

/* ---- certificates ---- */

struct issue {
    const struct tls_pair *ca;
    const char *service, *ns;
};

static int renew(void *arg, json_t *secret, err_t **err)
{
    const struct issue *i = arg;
    struct tls_pair pair = {};
    AUTO(free_p) char *cert = secret_text(secret, "tls.crt", NULL), *ca = secret_text(secret, "ca.crt", NULL);
    if (!is_ours(secret) || (lasts(cert, DAYS / 3) && str_same(ca, i->ca->cert_pem)))
        return 1;
    AUTO(strv_free_p) char **names = service_names(i->service, i->ns);
    int rc = tls_issue(i->ca, i->service, (const char *const *)names, DAYS, &pair, err);
    if (rc < 0)
        return rc;
    mark(secret);
    secret_put(secret, "tls.crt", pair.cert_pem, strlen(pair.cert_pem));
    secret_put(secret, "tls.key", pair.key_pem, strlen(pair.key_pem));
    secret_put(secret, "ca.crt", i->ca->cert_pem, strlen(i->ca->cert_pem));
    tls_pair_dispose(&pair);
    log_info(NULL, "issued a certificate for %s", i->service);
    return 0;
}

static int make_seal(void *arg, json_t *secret, err_t **err)
{
    const char *key = arg;
    unsigned char bytes[32];
    char hex[65];
    AUTO(free_p) char *have = secret_text(secret, key, NULL);
    if (have)
        return 1;
    random_bytes(bytes, sizeof bytes);
    hex_encode(bytes, sizeof bytes, hex);
    mark(secret);
    secret_put(secret, key, hex, strlen(hex));
    wipe(bytes, sizeof bytes);
    wipe(hex, sizeof hex);
    return 0;
}

int issue_all(kube_t *kube, const char *ns, err_t **err)
{
    struct tls_pair ca = {};
    int rc = secret_change(kube, ns, CA_SECRET, make_ca, &ca, err);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(daemons); i++) {
        struct issue what = {&ca, daemons[i].service, ns};
        rc = secret_change(kube, ns, daemons[i].secret, renew, &what, err);
    }
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(seals); i++)
        rc = secret_change(kube, ns, seals[i].secret, make_seal, (void *)(uintptr_t)seals[i].key, err);
    tls_pair_dispose(&ca);
    return rc;
}

static int make_redis_password(void *arg, json_t *secret, err_t **err)
{
    AUTO(free_p) char *have = secret_text(secret, "auth", NULL);
    if (!str_empty(have))
        return 1;
    char *password = random_text(REDIS_PASSWORD_LENGTH,
                                 "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    mark(secret);
    secret_put(secret, "auth", password, strlen(password));
    wipe(password, strlen(password));
    free(password);
    return 0;
}

int issue_redis_password(kube_t *kube, const char *ns, const char *secret, err_t **err)
{
    return secret_change(kube, ns, secret, make_redis_password, NULL, err);
}

/* ---- our own ---- */

static int write_key(const json_t *secret, const char *key, const char *directory, err_t **err)
{
    size_t n = 0;
    AUTO(free_p) char *text = secret_text(secret, key, &n), *path = xasprintf("%s/%s", directory, key);
    AUTO_STR have = STR_INIT;
    if (!text)
        return err_set(err, ERR_NOT_FOUND, "secret %s has no %s",
                       str_or_empty(json_str_at(secret, "metadata", "name")), key);
    if (file_read(path, &have, NULL) == 0 && have.len == n && !memcmp(str_text(&have), text, n))
        return 0;
    int rc = file_write(path, text, n, 0600, err);
    wipe(text, n);
    return rc;
}

int issue_write_own(kube_t *kube, const char *ns, const char *directory, err_t **err)
{
    static const char *const keys[] = {"ca.crt", "tls.crt", "tls.key"};
    AUTO_JSON own = NULL;
    AUTO_JSON seal = NULL;
    int rc = kube_get(kube, kind_secret, ns, OWN_SECRET, NULL, &own, err);
    if (rc == 0)
        rc = kube_get(kube, kind_secret, ns, SEAL_SECRET, NULL, &seal, err);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(keys); i++)
        rc = write_key(own, keys[i], directory, err);
    return rc < 0 ? rc : write_key(seal, "controller.1", directory, err);
}
