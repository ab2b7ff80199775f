/* The certificate is looked up in a callback of each handshake, under a lock, and shared by reference:
 * changing it needs no new context and does not disturb connections. */
#include "api-server/http/tls_server.h"

#include "common/base/thread.h"

#include <openssl/err.h>
#include <openssl/pem.h>

struct tls_server {
    SSL_CTX *ctx;
    lock_t lock; /* of what follows */
    X509 *cert;
    EVP_PKEY *key;
    STACK_OF(X509) * chain;
};

static int tls_fail(err_t **err, const char *what)
{
    char text[160];
    unsigned long e = ERR_get_error();
    ERR_error_string_n(e, text, sizeof text);
    ERR_clear_error();
    return err_set(err, ERR_INVALID_ARGUMENT, "%s: %s", what, e ? text : "malformed");
}

/* HTTP/2 before HTTP/1.1, whatever the client's order: as Argo CD's server. */
static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *arg)
{
    static const unsigned char ours[] = "\x02h2\x08http/1.1";
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof ours - 1, in, in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int give_certificate(SSL *ssl, void *arg)
{
    tls_server_t *t = arg;
    LOCKED(&t->lock);
    return t->cert && SSL_use_cert_and_key(ssl, t->cert, t->key, t->chain, 1) == 1;
}

static const struct {
    const char *name;
    int version;
} versions[] = {
    {"1.0", TLS1_VERSION}, {"1.1", TLS1_1_VERSION}, {"1.2", TLS1_2_VERSION}, {"1.3", TLS1_3_VERSION}};

static int version_of(const char *name, int fallback, int *out, err_t **err)
{
    *out = fallback;
    if (str_empty(name))
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(versions); i++)
        if (!strcmp(name, versions[i].name)) {
            *out = versions[i].version;
            return 0;
        }
    return err_set(err, ERR_INVALID_ARGUMENT, "unknown TLS version %s", name);
}

/* Argo CD's flag holds IANA names; OpenSSL's list wants its own. Names that it does not know are left out, as
 * there. */
static char *cipher_list(const char *ciphers)
{
    AUTO_STR list = STR_INIT;
    AUTO(strv_free_p) char **names = strv_split(ciphers, ":,", true);
    SSL_CTX *probe = SSL_CTX_new(TLS_server_method());
    SSL *ssl = SSL_new(probe);
    STACK_OF(SSL_CIPHER) *all = SSL_get_ciphers(ssl);
    for (char **n = names; *n; n++)
        for (int i = 0; i < sk_SSL_CIPHER_num(all); i++) {
            const SSL_CIPHER *c = sk_SSL_CIPHER_value(all, i);
            if (str_eq(*n, SSL_CIPHER_standard_name(c)) || str_eq(*n, SSL_CIPHER_get_name(c)))
                str_printf(&list, "%s%s", list.len ? ":" : "", SSL_CIPHER_get_name(c));
        }
    SSL_free(ssl);
    SSL_CTX_free(probe);
    return list.len ? str_take(&list) : NULL;
}

static int configure(tls_server_t *t, const char *min, const char *max, const char *ciphers, err_t **err)
{
    int lowest, highest, rc;
    if ((rc = version_of(min, TLS1_2_VERSION, &lowest, err)) < 0 ||
        (rc = version_of(max, TLS1_3_VERSION, &highest, err)) < 0)
        return rc;
    SSL_CTX_set_min_proto_version(t->ctx, lowest);
    SSL_CTX_set_max_proto_version(t->ctx, highest);
    if (!str_empty(ciphers)) {
        AUTO(free_p) char *list = cipher_list(ciphers);
        if (!list || SSL_CTX_set_cipher_list(t->ctx, list) != 1)
            return err_set(err, ERR_INVALID_ARGUMENT, "no known cipher among %s", ciphers);
    }
    /* Buffers of idle connections are given back: the greatest part of a connection's memory. */
    SSL_CTX_set_mode(t->ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(t->ctx,
                        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(t->ctx, select_protocol, NULL);
    SSL_CTX_set_cert_cb(t->ctx, give_certificate, t);
    return 0;
}

int tls_server_new(const char *min, const char *max, const char *ciphers, tls_server_t **out, err_t **err)
{
    tls_server_t *t = xcalloc(1, sizeof *t);
    pthread_mutex_init(&t->lock, NULL);
    t->ctx = SSL_CTX_new(TLS_server_method());
    int rc = t->ctx ? configure(t, min, max, ciphers, err) : tls_fail(err, "make a TLS context");
    if (rc < 0)
        tls_server_free(t);
    else
        *out = t;
    return rc;
}

static void certificate_free(X509 *cert, EVP_PKEY *key, STACK_OF(X509) * chain)
{
    X509_free(cert);
    EVP_PKEY_free(key);
    sk_X509_pop_free(chain, X509_free);
}

void tls_server_free(tls_server_t *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->ctx);
    certificate_free(t->cert, t->key, t->chain);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static BIO *pem_bio(const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    if (!bio)
        oom();
    return bio;
}

static int read_pair(const char *cert_pem, const char *key_pem, X509 **cert, EVP_PKEY **key,
                     STACK_OF(X509) * *chain, err_t **err)
{
    BIO *b = pem_bio(cert_pem);
    *cert = PEM_read_bio_X509(b, NULL, NULL, NULL);
    *chain = sk_X509_new_null();
    for (X509 *x; *cert && (x = PEM_read_bio_X509(b, NULL, NULL, NULL));)
        sk_X509_push(*chain, x);
    BIO_free(b);
    ERR_clear_error();
    if (!*cert)
        return err_set(err, ERR_INVALID_ARGUMENT, "read the TLS certificate: no certificate in PEM");
    b = pem_bio(key_pem);
    *key = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
    BIO_free(b);
    if (!*key)
        return tls_fail(err, "read the TLS key");
    if (X509_check_private_key(*cert, *key) != 1)
        return tls_fail(err, "TLS certificate and key do not belong together");
    return 0;
}

int tls_server_set_certificate(tls_server_t *t, const char *cert_pem, const char *key_pem, err_t **err)
{
    X509 *cert = NULL;
    EVP_PKEY *key = NULL;
    STACK_OF(X509) *chain = NULL;
    int rc = read_pair(cert_pem, key_pem, &cert, &key, &chain, err);
    if (rc == 0) {
        LOCKED(&t->lock);
        X509 *old_cert = t->cert;
        EVP_PKEY *old_key = t->key;
        STACK_OF(X509) *old_chain = t->chain;
        t->cert = cert, t->key = key, t->chain = chain;
        cert = old_cert, key = old_key, chain = old_chain;
    }
    certificate_free(cert, key, chain);
    return rc;
}

bool tls_server_has_certificate(tls_server_t *t)
{
    LOCKED(&t->lock);
    return t->cert != NULL;
}

SSL *tls_server_connection(tls_server_t *t, int fd)
{
    SSL *ssl = SSL_new(t->ctx);
    if (!ssl || SSL_set_fd(ssl, fd) != 1)
        oom();
    SSL_set_accept_state(ssl);
    return ssl;
}

bool tls_server_is_h2(const SSL *ssl)
{
    const unsigned char *name;
    unsigned n;
    SSL_get0_alpn_selected(ssl, &name, &n);
    return n == 2 && !memcmp(name, "h2", 2);
}
