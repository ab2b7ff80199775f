/* One request and its answer, whatever carried it: HTTP/1.1, HTTP/2, plain or TLS.
 *
 * The front (front.h) makes an exchange when the head of a request is complete, fills in the body, and gives
 * it to the dispatcher. It is answered exactly once, from any thread: whole (exchange_reply), as a stream
 * that the loop pulls from while the client takes it (exchange_stream), or by turning the connection into a
 * WebSocket (exchange_websocket). The exchange is reference-counted; who answers gives its reference away
 * with the answer. */
#ifndef CARGOCD_API_HTTP_EXCHANGE_H
#define CARGOCD_API_HTTP_EXCHANGE_H

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/base/vec.h"

typedef struct exchange exchange_t;

struct header {
    char *name; /* lower case */
    char *value;
};
typedef VEC(struct header) headers_t;
void headers_add(headers_t *h, const char *name, size_t name_len, const char *value, size_t value_len);
/* The first value; NULL when absent. Borrowed. `name` in lower case. */
const char *headers_get(const headers_t *h, const char *name);
void headers_dispose(headers_t *h);

/* Limits of a request's head. The largest cookie that we hand out ourselves has 20 chunks of 4 KiB. */
enum { REQUEST_MAX_TARGET = 32 << 10, REQUEST_MAX_HEADERS = 200, REQUEST_MAX_HEAD = 160 << 10 };

struct web_request {
    char *method; /* "GET"; a WebSocket over HTTP/2 is a GET too */
    char *path;   /* as it was sent, still percent-encoded; begins with "/" */
    char *query;  /* as it was sent, without "?"; "" when absent */
    char *host;   /* Host or :authority; "" when absent */
    bool tls, http2;
    bool websocket; /* asks for an upgrade */
    char peer[64];  /* address of the other side, without the port */
    headers_t headers;
    str_t body;
    mono_t begin;
};

/* What a stream's owner provides. Both run on the loop's thread and must not block. */
struct stream_ops {
    /* Appends about `room` bytes at most of what there is now to *out. 0: more may come (exchange_wake says
     * when); positive: that was the last. */
    int (*pull)(void *arg, size_t room, str_t *out);
    /* The stream is over, for whatever reason. Exactly once. */
    void (*close)(void *arg);
};

exchange_t *exchange_ref(exchange_t *ex);
void exchange_unref(exchange_t *ex);
const struct web_request *exchange_request(const exchange_t *ex);
/* The client has gone: stop working. To be read with __atomic_load_n, as exchange_is_canceled does. */
atomic_bool *exchange_canceled(exchange_t *ex);
bool exchange_is_canceled(exchange_t *ex);

/* ---- answering ---- */

/* Adds a header to the answer. The name is written as given. */
void exchange_header(exchange_t *ex, const char *name, const char *value);
void exchange_headerf(exchange_t *ex, const char *name, const char *fmt, ...) PRINTF(3, 4);
/* Trailers follow the body (HTTP/2 only; HTTP/1.1 drops them). */
void exchange_trailer(exchange_t *ex, const char *name, const char *value);
/* Answers; takes *body (left empty). content_type NULL: none is sent. */
void exchange_reply(exchange_t *ex, int status, const char *content_type, str_t *body);
void exchange_reply_text(exchange_t *ex, int status, const char *content_type, const char *text);
/* The body is memory that outlives the server (embedded assets). */
void exchange_reply_static(exchange_t *ex, int status, const char *content_type, const void *p, size_t n);
void exchange_stream(exchange_t *ex, int status, const char *content_type, const struct stream_ops *ops,
                     void *arg);
/* More to pull. Any thread; the caller holds a reference. */
void exchange_wake(exchange_t *ex);
/* Accepts a WebSocket: adopt(arg, fd, head, n) is called on the loop's thread with a connected socket that
 * the callee owns, and the bytes of an upgrade request that it must read first. `protocol` is the subprotocol
 * agreed on. On failure to get that far, adopt is called with fd -1. */
typedef void (*adopt_fn)(void *arg, int fd, const char *head, size_t n);
void exchange_websocket(exchange_t *ex, const char *protocol, adopt_fn adopt, void *arg);

/* "Not Found", for a status line. */
const char *http_status_text(int status);

#endif
