#include "tests/unit/test.h"
#include "common/base/clock.h"
#include "common/net/tls.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

static X509 *parse(const char *pem)
{
    BIO *b = BIO_new_mem_buf(pem, -1);
    X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);
    BIO_free(b);
    assert_non_null(x);
    return x;
}

/* OpenSSL's verdict on a certificate for a purpose under an authority. */
static bool verifies(const char *cert_pem, const char *ca_pem, int purpose)
{
    X509 *x = parse(cert_pem), *ca = parse(ca_pem);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509_STORE_add_cert(store, ca);
    X509_STORE_CTX_init(ctx, store, x, NULL);
    X509_STORE_CTX_set_purpose(ctx, purpose);
    X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_X509_STRICT);
    bool ok = X509_verify_cert(ctx) == 1;
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    X509_free(x);
    X509_free(ca);
    return ok;
}

static void issued_certificates_verify(void **state)
{
    AUTO_ERR err = NULL;
    struct tls_pair ca, other, pair;
    ASSERT_OK(tls_make_ca("the authority", 10, &ca, &err));
    ASSERT_OK(tls_make_ca("the authority", 10, &other, &err));
    static const char *const names[] = {"argocd-repo-server", "*.svc", "10.1.2.3", "fd00::1", NULL};
    ASSERT_OK(tls_issue(&ca, "repo-server", names, 5, &pair, &err));
    ASSERT_OK(tls_check_pair(pair.cert_pem, pair.key_pem, &err));
    assert_int_equal(tls_check_pair(pair.cert_pem, ca.key_pem, &err), -ERR_INVALID_ARGUMENT);
    assert_true(verifies(pair.cert_pem, ca.cert_pem, X509_PURPOSE_SSL_SERVER));
    assert_true(verifies(pair.cert_pem, ca.cert_pem, X509_PURPOSE_SSL_CLIENT));
    assert_false(verifies(pair.cert_pem, other.cert_pem, X509_PURPOSE_SSL_SERVER));
    X509 *x = parse(pair.cert_pem);
    assert_int_equal(X509_check_host(x, "argocd-repo-server", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(x, "other", 0, 0, NULL), 0);
    assert_int_equal(X509_check_ip_asc(x, "10.1.2.3", 0), 1);
    assert_int_equal(X509_check_ip_asc(x, "fd00::1", 0), 1);
    assert_int_equal(X509_check_ip_asc(x, "10.1.2.4", 0), 0);
    X509_free(x);
    /* A certificate that is no authority issues nothing that verifies. */
    struct tls_pair below;
    ASSERT_OK(tls_issue(&pair, "below", names, 5, &below, &err));
    assert_false(verifies(below.cert_pem, pair.cert_pem, X509_PURPOSE_SSL_SERVER));
    tls_pair_dispose(&below);
    tls_pair_dispose(&pair);
    tls_pair_dispose(&ca);
    tls_pair_dispose(&other);
}

static void self_signed(void **state)
{
    AUTO_ERR err = NULL;
    struct tls_pair pair;
    int64_t until;
    ASSERT_OK(tls_self_signed("argocd-server", (const char *[]){"localhost", NULL}, 365, &pair, &err));
    assert_true(verifies(pair.cert_pem, pair.cert_pem, X509_PURPOSE_SSL_SERVER));
    X509 *x = parse(pair.cert_pem);
    assert_int_equal(EVP_PKEY_bits(X509_get0_pubkey(x)), 2048);
    X509_free(x);
    ASSERT_OK(tls_not_after(pair.cert_pem, &until, &err));
    int64_t left = until - wall_now().ns / NS_PER_SEC;
    assert_true(left > 364 * 86400 && left <= 365 * 86400);
    int64_t from;
    ASSERT_OK(tls_not_before(pair.cert_pem, &from, &err));
    assert_true(from <= wall_now().ns / NS_PER_SEC && from > wall_now().ns / NS_PER_SEC - 86400);
    tls_pair_dispose(&pair);
}

static void nonsense_is_an_error(void **state)
{
    static const char *const bad[] = {NULL, "", "x",
                                      "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO_ERR err = NULL;
        int64_t until;
        assert_int_equal(tls_not_after(bad[i], &until, &err), -ERR_INVALID_ARGUMENT);
        assert_int_equal(tls_check_pair(bad[i], bad[i], &err), -ERR_INVALID_ARGUMENT);
    }
    AUTO_ERR err = NULL;
    struct tls_pair ca, pair;
    ASSERT_OK(tls_make_ca("x", 1, &ca, &err));
    assert_int_equal(tls_check_pair(ca.cert_pem, "no key", &err), -ERR_INVALID_ARGUMENT);
    /* A common name longer than X.509 allows. */
    AUTO(free_p) char *name = xcalloc(1, 101);
    memset(name, 'x', 100);
    assert_int_equal(tls_issue(&ca, name, NULL, 1, &pair, &err), -ERR_INTERNAL);
    tls_pair_dispose(&ca);
}

static void files_are_watched(void **state)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *dir = NULL;
    ASSERT_OK(dir_make_temp(NULL, "cargocd-tls-", &dir, &err));
    AUTO(free_p) char *cert = xasprintf("%s/tls.crt", dir);
    AUTO(free_p) char *key = xasprintf("%s/tls.key", dir);
    struct tls_files files = {.cert = cert, .key = key};
    struct tls_loaded l;
    struct tls_pair one, two;
    ASSERT_OK(tls_make_ca("one", 1, &one, &err));
    ASSERT_OK(tls_make_ca("two", 1, &two, &err));
    assert_int_equal(tls_load(&files, &l, &err), -ERR_NOT_FOUND);
    ASSERT_OK(file_write(cert, one.cert_pem, strlen(one.cert_pem), 0600, &err));
    ASSERT_OK(file_write(key, two.key_pem, strlen(two.key_pem), 0600, &err));
    assert_int_equal(tls_load(&files, &l, &err), -ERR_INVALID_ARGUMENT); /* they do not fit */
    ASSERT_OK(file_write(key, one.key_pem, strlen(one.key_pem), 0600, &err));
    err_clear(&err);
    ASSERT_OK(tls_load(&files, &l, &err));
    assert_string_equal(l.key_pem, one.key_pem);
    assert_null(l.ca_pem);
    assert_false(tls_changed(&files, &l));
    ASSERT_OK(file_write(cert, one.cert_pem, strlen(one.cert_pem), 0600, &err));
    assert_true(tls_changed(&files, &l));
    unlink(cert);
    assert_true(tls_changed(&files, &l));
    tls_loaded_dispose(&l);
    tls_pair_dispose(&one);
    tls_pair_dispose(&two);
    dir_remove(dir, NULL);
}

TESTS(T(issued_certificates_verify), T(self_signed), T(nonsense_is_an_error), T(files_are_watched))
