/* TLS over a byte stream that somebody else carries: OpenSSL with memory on both ends. Internal to
 * common/net; why it is not nng's own TLS is told in rpc_conn.h.
 *
 * TLS 1.3 only, both sides present a certificate and verify the other's against one authority; no session is
 * resumed, so that every connection is verified by the files of its day. */
#ifndef CARGOCD_NET_RPC_TLS_H
#define CARGOCD_NET_RPC_TLS_H

#include "common/base/err.h"
#include "common/net/tls.h"

#include <openssl/ssl.h>

/* What a side's connections have in common: its certificate and the authority. Freed with SSL_CTX_free,
 * counted. */
int rpc_tls_context(const struct tls_loaded *files, SSL_CTX **out, err_t **err);

/* One connection; not thread-safe. */
typedef struct rpc_tls rpc_tls_t;
rpc_tls_t *rpc_tls_server(SSL_CTX *context) MUST_USE;
/* name: what the server's certificate has to be for, a host name or an IP address. */
rpc_tls_t *rpc_tls_client(SSL_CTX *context, const char *name) MUST_USE;
void rpc_tls_free(rpc_tls_t *t);
/* Whether the handshake is done and the peer verified. */
bool rpc_tls_ready(const rpc_tls_t *t);
/* Takes bytes that came from the peer. */
void rpc_tls_feed(rpc_tls_t *t, const void *p, size_t n);
/* Plain bytes of what was fed: how many, 0 when more has to be fed, negative when the connection is over. It
 * also drives the handshake, a client's first step included. */
ssize_t rpc_tls_read(rpc_tls_t *t, void *p, size_t n, err_t **err);
/* Encrypts n bytes; only when ready. */
int rpc_tls_write(rpc_tls_t *t, const void *p, size_t n, err_t **err);
/* The bytes that are to go to the peer, the caller's; NULL when there are none. */
unsigned char *rpc_tls_take(rpc_tls_t *t, size_t *n) MUST_USE;

#endif
