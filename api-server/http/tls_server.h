/* TLS for the front: one context, whose certificate may change at any time. */
#ifndef CARGOCD_API_HTTP_TLS_SERVER_H
#define CARGOCD_API_HTTP_TLS_SERVER_H

#include "common/base/err.h"

#include <openssl/ssl.h>

typedef struct tls_server tls_server_t;

/* min, max: "1.0" to "1.3". ciphers as in front_options. */
int tls_server_new(const char *min, const char *max, const char *ciphers, tls_server_t **out, err_t **err);
void tls_server_free(tls_server_t *t);
int tls_server_set_certificate(tls_server_t *t, const char *cert_pem, const char *key_pem, err_t **err);
bool tls_server_has_certificate(tls_server_t *t);
SSL *tls_server_connection(tls_server_t *t, int fd) MUST_USE;
/* After the handshake: whether HTTP/2 was agreed on. */
bool tls_server_is_h2(const SSL *ssl);

#endif
