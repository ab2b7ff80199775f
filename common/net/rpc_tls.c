#include "common/net/rpc_tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>

struct rpc_tls {
    SSL *ssl;
    BIO *in, *out; /* owned by ssl */
};

static int failed(err_t **err, const char *what)
{
    unsigned long e = ERR_get_error();
    const char *reason = e ? ERR_reason_error_string(e) : NULL;
    ERR_clear_error();
    return err_set(err, ERR_UNAUTHENTICATED, "%s: %s", what, reason ? reason : "connection ended");
}

static int add_authorities(SSL_CTX *context, const char *pem, err_t **err)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    size_t added = 0;
    for (X509 *x; (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)); added++) {
        X509_STORE_add_cert(store, x);
        X509_free(x);
    }
    BIO_free(bio);
    ERR_clear_error(); /* the end of the file is an error to OpenSSL */
    return added ? 0 : err_set(err, ERR_INVALID_ARGUMENT, "no certificate in the authority's file");
}

/* The certificate, and what follows it as its chain. */
static int use_certificates(SSL_CTX *context, const char *pem, err_t **err)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *x = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
    int ok = x && SSL_CTX_use_certificate(context, x) == 1;
    X509_free(x);
    while (ok && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
        if ((ok = (int)SSL_CTX_add0_chain_cert(context, x)) != 1)
            X509_free(x);
    BIO_free(bio);
    if (!ok)
        return failed(err, "read the certificate");
    ERR_clear_error();
    return 0;
}

static int use_key(SSL_CTX *context, const char *pem, err_t **err)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"");
    bool ok = key && SSL_CTX_use_PrivateKey(context, key) == 1 && SSL_CTX_check_private_key(context) == 1;
    EVP_PKEY_free(key);
    BIO_free(bio);
    return ok ? 0 : failed(err, "read the key of the certificate");
}

int rpc_tls_context(const struct tls_loaded *files, SSL_CTX **out, err_t **err)
{
    if (!files->cert_pem || !files->key_pem || !files->ca_pem)
        return err_set(err, ERR_INVALID_ARGUMENT, "tls needs a certificate, its key and an authority");
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    if (!context)
        oom();
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
    int r = use_certificates(context, files->cert_pem, err);
    if (r == 0)
        r = use_key(context, files->key_pem, err);
    if (r == 0)
        r = add_authorities(context, files->ca_pem, err);
    if (r < 0) {
        SSL_CTX_free(context);
        return r;
    }
    *out = context;
    return 0;
}

static rpc_tls_t *tls_new(SSL_CTX *context)
{
    rpc_tls_t *t = xcalloc(1, sizeof(*t));
    t->ssl = SSL_new(context);
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    if (!t->ssl || !t->in || !t->out)
        oom();
    BIO_set_mem_eof_return(t->in, -1);
    SSL_set_bio(t->ssl, t->in, t->out);
    return t;
}

rpc_tls_t *rpc_tls_server(SSL_CTX *context)
{
    rpc_tls_t *t = tls_new(context);
    SSL_set_accept_state(t->ssl);
    return t;
}

rpc_tls_t *rpc_tls_client(SSL_CTX *context, const char *name)
{
    rpc_tls_t *t = tls_new(context);
    SSL_set_connect_state(t->ssl);
    unsigned char ip[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, name, ip) == 1 || inet_pton(AF_INET6, name, ip) == 1) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->ssl), name);
    } else {
        SSL_set_hostflags(t->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        SSL_set1_host(t->ssl, name);
        SSL_set_tlsext_host_name(t->ssl, name);
    }
    return t;
}

void rpc_tls_free(rpc_tls_t *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    free(t);
}

bool rpc_tls_ready(const rpc_tls_t *t)
{
    return SSL_is_init_finished(t->ssl);
}

void rpc_tls_feed(rpc_tls_t *t, const void *p, size_t n)
{
    if (BIO_write(t->in, p, (int)n) != (int)n)
        oom();
}

ssize_t rpc_tls_read(rpc_tls_t *t, void *p, size_t n, err_t **err)
{
    ERR_clear_error();
    int got = SSL_read(t->ssl, p, (int)min_size(n, 1 << 20));
    if (got > 0)
        return got;
    int why = SSL_get_error(t->ssl, got);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        return 0;
    long verify = SSL_get_verify_result(t->ssl);
    if (verify != X509_V_OK) {
        ERR_clear_error();
        return err_set(err, ERR_UNAUTHENTICATED, "the peer's certificate: %s",
                       X509_verify_cert_error_string(verify));
    }
    return failed(err, "tls");
}

int rpc_tls_write(rpc_tls_t *t, const void *p, size_t n, err_t **err)
{
    ERR_clear_error();
    /* Memory takes everything, so that there is no partial write. */
    if (n && SSL_write(t->ssl, p, (int)n) != (int)n)
        return failed(err, "tls");
    return 0;
}

unsigned char *rpc_tls_take(rpc_tls_t *t, size_t *n)
{
    *n = BIO_pending(t->out);
    if (!*n)
        return NULL;
    unsigned char *p = xmalloc(*n);
    BIO_read(t->out, p, (int)*n);
    return p;
}
