/* TLS under a connection to Redis. Debian's hiredis knows none: bytes go from its output buffer through the
 * session, and from the session into its reader.
 *
 * The socket is blocking with hiredis' timeouts, so that a session that makes no progress ends as a failure
 * of the connection. */
#include "common/net/redis_link.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <hiredis/sds.h>
#include <poll.h>

enum { PIECE = 16 << 10 };

static int failed(SSL *ssl, int rv, const char *what, err_t **err)
{
    int why = ssl ? SSL_get_error(ssl, rv) : SSL_ERROR_SSL;
    long verdict = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;
    unsigned long code = ERR_peek_last_error();
    const char *text = verdict != X509_V_OK           ? X509_verify_cert_error_string(verdict)
                       : code                         ? ERR_reason_error_string(code)
                       : why == SSL_ERROR_ZERO_RETURN ? "connection closed"
                                                      : "connection lost";
    err_set(err, ERR_UNAVAILABLE, "redis: TLS: %s: %s", what, text ? text : "failed");
    ERR_clear_error();
    return -ERR_UNAVAILABLE;
}

static int load(SSL_CTX *ctx, const struct redis_options *o, err_t **err)
{
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_verify(ctx, o->tls_insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (!str_empty(o->tls_cert) &&
        (SSL_CTX_use_certificate_chain_file(ctx, o->tls_cert) != 1 ||
         SSL_CTX_use_PrivateKey_file(ctx, str_or_empty(o->tls_key), SSL_FILETYPE_PEM) != 1))
        return failed(NULL, 0, o->tls_cert, err);
    if (o->tls_insecure)
        return 0;
    int rv = str_empty(o->tls_ca) ? SSL_CTX_set_default_verify_paths(ctx)
                                  : SSL_CTX_load_verify_file(ctx, o->tls_ca);
    return rv == 1 ? 0 : failed(NULL, 0, str_empty(o->tls_ca) ? "the system's authorities" : o->tls_ca, err);
}

/* Whom the certificate is to be for. */
static int expect(SSL *ssl, const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

int redis_tls_start(struct redis_link *l, const struct redis_options *o, const char *host, err_t **err)
{
    /* The files are read for each connection: they may have been renewed. */
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx)
        oom();
    int r = load(ctx, o, err);
    SSL *ssl = r == 0 ? SSL_new(ctx) : NULL;
    SSL_CTX_free(ctx);
    if (r < 0)
        return r;
    if (!ssl)
        oom();
    l->ssl = ssl;
    if (expect(ssl, host) != 1 || SSL_set_fd(ssl, l->c->fd) != 1)
        return failed(ssl, 0, host, err);
    ERR_clear_error();
    int rv = SSL_connect(ssl);
    return rv == 1 ? 0 : failed(ssl, rv, "handshake", err);
}

void redis_tls_end(struct redis_link *l)
{
    SSL_free(l->ssl); /* without a farewell: nobody waits for one */
    l->ssl = NULL;
}

int redis_tls_write(struct redis_link *l, int *done, err_t **err)
{
    size_t n = sdslen(l->c->obuf);
    if (n) {
        ERR_clear_error();
        int rv = SSL_write(l->ssl, l->c->obuf, (int)min_size(n, PIECE));
        if (rv <= 0)
            return failed(l->ssl, rv, "write", err);
        sdsrange(l->c->obuf, rv, -1);
    }
    *done = sdslen(l->c->obuf) == 0;
    return 0;
}

int redis_tls_read(struct redis_link *l, err_t **err)
{
    char piece[PIECE];
    ERR_clear_error();
    int rv = SSL_read(l->ssl, piece, sizeof(piece));
    if (rv <= 0)
        return failed(l->ssl, rv, "read", err);
    if (redisReaderFeed(l->c->reader, piece, (size_t)rv) != REDIS_OK)
        return err_set(err, ERR_UNAVAILABLE, "redis: %s", l->c->reader->errstr);
    return 0;
}

bool redis_tls_pending(const struct redis_link *l)
{
    return l->ssl && SSL_pending(l->ssl) > 0;
}
