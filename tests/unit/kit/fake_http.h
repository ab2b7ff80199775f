/* A scripted HTTP/1.1 server inside a test, plain or TLS: a thread per connection, and a handler that writes
 * whatever it likes, so that every fault can be shown. */
#ifndef CARGOCD_TESTS_UNIT_KIT_FAKE_HTTP_H
#define CARGOCD_TESTS_UNIT_KIT_FAKE_HTTP_H

#include "common/base/str.h"

typedef struct fake_http fake_http_t;
typedef struct fake_conn fake_conn_t;

struct fake_request {
    char *method, *target; /* "GET", "/path?query" */
    char *head;            /* the header lines */
    str_t body;
    char *peer;     /* common name of the client's certificate; NULL: none */
    int number;     /* of the request on its connection, from 0 */
    int connection; /* from 0 */
};
/* False: the connection is closed. */
typedef bool (*fake_handler)(fake_conn_t *c, const struct fake_request *r, void *arg);

fake_http_t *fake_http_start(bool tls, fake_handler handler, void *arg);
/* Cuts all connections and waits for the handlers. */
void fake_http_stop(fake_http_t *f);
int fake_http_port(const fake_http_t *f);
/* "http://127.0.0.1:1234" + path; the caller's. */
char *fake_http_url(const fake_http_t *f, const char *path) MUST_USE;
/* Connections accepted, requests read. */
int fake_http_connections(fake_http_t *f);
int fake_http_requests(fake_http_t *f);
bool fake_http_stopping(const fake_http_t *f);

/* For handlers. Writing fails silently when the peer has gone. */
void fake_write(fake_conn_t *c, const void *p, size_t n);
void fake_puts(fake_conn_t *c, const char *text);
void fake_printf(fake_conn_t *c, const char *fmt, ...) PRINTF(2, 3);
/* A whole response with a length; headers are further lines ("A: b\r\n") or NULL. */
void fake_reply(fake_conn_t *c, const char *status, const char *headers, const char *body);
/* One chunk of a chunked body; n = 0 ends it. */
void fake_chunk(fake_conn_t *c, const void *p, size_t n);
/* Waits until the peer has gone or the server stops, at most ms. */
void fake_linger(fake_conn_t *c, int ms);
bool fake_peer_gone(fake_conn_t *c);
/* Relays bytes between the connection and the port on loopback until either side closes (CONNECT). */
void fake_tunnel(fake_conn_t *c, int port);
fake_http_t *fake_server(fake_conn_t *c);
/* The value of a request header, the caller's; NULL: absent. */
char *fake_header(const struct fake_request *r, const char *name) MUST_USE;

#endif
