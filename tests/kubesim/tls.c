#include "tests/kubesim/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <sys/socket.h>

static int tls_error(err_t **err, const char *what, const char *file)
{
    char text[160] = "";
    ERR_error_string_n(ERR_get_error(), text, sizeof(text));
    ERR_clear_error();
    return err_set(err, ERR_INVALID_ARGUMENT, "%s %s: %s", what, file, text);
}

/* HTTP/2 is not spoken: a client that offers it must fall back. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *n, const unsigned char *in,
                           unsigned in_n, void *arg)
{
    for (unsigned i = 0; i < in_n; i += in[i] + 1u) {
        if (in[i] == 8 && i + 8 < in_n && memcmp(in + i + 1, "http/1.1", 8) == 0) {
            *out = in + i + 1;
            *n = 8;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_NOACK;
}

int tls_server_context(const char *cert, const char *key, const char *client_ca, SSL_CTX **out, err_t **err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx)
        oom();
    int result = 0;
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
        result = tls_error(err, "read certificate", cert);
    else if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
             SSL_CTX_check_private_key(ctx) != 1)
        result = tls_error(err, "read key", key);
    else if (client_ca && SSL_CTX_load_verify_locations(ctx, client_ca, NULL) != 1)
        result = tls_error(err, "read client CA", client_ca);
    if (result < 0) {
        SSL_CTX_free(ctx);
        return result;
    }
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    if (client_ca) {
        SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(client_ca));
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    }
    *out = ctx;
    return 0;
}

static ssize_t tls_result(SSL *ssl, int n, bool *want_write)
{
    int e = SSL_get_error(ssl, n);
    ERR_clear_error();
    if (want_write)
        *want_write = e == SSL_ERROR_WANT_WRITE;
    return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE ? IO_AGAIN : IO_CLOSED;
}

static ssize_t socket_result(ssize_t n)
{
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? IO_AGAIN : IO_CLOSED;
}

ssize_t io_read(SSL *ssl, int fd, void *p, size_t n, bool *want_write)
{
    *want_write = false;
    if (!ssl)
        return socket_result(recv(fd, p, n, 0));
    int got = SSL_read(ssl, p, (int)n);
    return got > 0 ? got : tls_result(ssl, got, want_write);
}

ssize_t io_write(SSL *ssl, int fd, const void *p, size_t n)
{
    if (!ssl)
        return socket_result(send(fd, p, n, MSG_NOSIGNAL));
    int put = SSL_write(ssl, p, (int)min_size(n, 1 << 20));
    return put > 0 ? put : tls_result(ssl, put, NULL);
}

char *tls_peer_name(SSL *ssl)
{
    X509 *cert = ssl && SSL_get_verify_result(ssl) == X509_V_OK ? SSL_get1_peer_certificate(ssl) : NULL;
    if (!cert)
        return NULL;
    char name[256] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, sizeof(name));
    X509_free(cert);
    return xstrdup(name);
}
