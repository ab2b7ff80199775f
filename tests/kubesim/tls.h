/* What a connection of the server reads and writes through: a socket, or TLS on it. */
#ifndef CARGOCD_KUBESIM_TLS_H
#define CARGOCD_KUBESIM_TLS_H

#include "common/base/err.h"

#include <openssl/ssl.h>

int tls_server_context(const char *cert, const char *key, const char *client_ca, SSL_CTX **out, err_t **err);

enum { IO_AGAIN = -1, IO_CLOSED = 0 };
/* Bytes, IO_AGAIN or IO_CLOSED (end or error). ssl NULL: plain. *want_write is set when TLS waits for the
 * other direction. */
ssize_t io_read(SSL *ssl, int fd, void *p, size_t n, bool *want_write);
ssize_t io_write(SSL *ssl, int fd, const void *p, size_t n);
/* The common name of the verified client certificate, the caller's; NULL when there is none. */
char *tls_peer_name(SSL *ssl) MUST_USE;

#endif
