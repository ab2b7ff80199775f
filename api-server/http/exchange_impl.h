/* The inside of an exchange, for the front and its engines. Fields are the answering thread's until
 * `answered`, the loop's afterwards; the queue of the front hands them over. */
#ifndef CARGOCD_API_HTTP_EXCHANGE_IMPL_H
#define CARGOCD_API_HTTP_EXCHANGE_IMPL_H

#include "api-server/http/exchange.h"
#include "api-server/http/front.h"

enum answer_kind { ANSWER_NONE, ANSWER_BODY, ANSWER_STREAM, ANSWER_WEBSOCKET };

struct exchange {
    _Atomic unsigned refs;
    atomic_bool canceled;
    front_t *front;
    struct web_request request;

    /* The answer. */
    enum answer_kind kind;
    int status;
    headers_t headers, trailers;
    char *content_type;
    str_t body;
    const char *fixed; /* static body */
    size_t fixed_size;
    const struct stream_ops *ops;
    void *arg;
    char *ws_protocol;
    adopt_fn adopt;

    /* The loop's. */
    struct conn *conn; /* NULL once the connection has gone */
    int32_t stream_id; /* HTTP/2 */
    bool dispatched;   /* the request is complete */
    bool answered;     /* seen by the loop */
    bool submitted;    /* HTTP/2: its head has been written */
    bool ended;        /* stream: nothing more to pull, or closed */
    size_t sent;       /* of the body */
    void *bridge;      /* of a WebSocket */
    size_t body_limit;
    size_t body_counted; /* of the front's budget */
    struct exchange *next_of_conn;

    /* Under the front's lock. */
    bool posted;
    struct exchange *next_posted;
};

exchange_t *exchange_new(front_t *front);
/* Body bytes of an answer from `sent` on. */
const char *exchange_body(const exchange_t *ex, size_t *n);
/* Frees the stream's owner side, once. */
void exchange_end_stream(exchange_t *ex);
/* Loop: the connection has gone or the stream was reset. Drops the loop's reference. */
void exchange_abandon(exchange_t *ex);

#endif
