/* A small HTTP/1.1 server on one thread: plain or TLS, keep-alive, whole requests in, whole or streamed
 * replies out. Parsing is http-parser's; everything that comes in has a cap (the constants below). */
#ifndef CARGOCD_KUBESIM_HTTP_H
#define CARGOCD_KUBESIM_HTTP_H

#include "common/base/map.h"
#include "common/base/str.h"
#include "tests/kubesim/loop.h"

enum { HTTP_MAX_BODY = 3 << 20, HTTP_MAX_URL = 64 << 10, HTTP_MAX_HEADERS = 64 << 10 };

typedef struct http_server http_server_t;

/* One request; valid until its reply has been sent or its peer has gone. */
struct request {
    const char *method; /* "GET" */
    const char *path;   /* decoded */
    map_t query;        /* decoded; of several values the last */
    map_t headers;      /* names in lower case; several values joined by ", " */
    view_t body;
    bool body_too_large;   /* over HTTP_MAX_BODY; body is empty then */
    const char *peer_name; /* common name of the client certificate; NULL */
    int status;            /* what was replied; 0 before */
    /* The handler's: called once when the exchange is over, whichever way. */
    void *state;
    void (*done)(struct request *r);
};

struct http_config {
    const char *host;
    uint16_t port;          /* 0: chosen by the system */
    const char *cert, *key; /* files; NULL: plain */
    const char *client_ca;  /* file; client certificates are asked for, and verified when sent */
    void (*handle)(void *ctx, struct request *r);
    void *ctx;
};
int http_server_new(loop_t *loop, const struct http_config *config, http_server_t **out, err_t **err);
void http_server_free(http_server_t *s);
uint16_t http_server_port(const http_server_t *s);

/* The whole reply. `headers`: further lines, each with its "\r\n"; NULL: none. */
void http_reply(struct request *r, int status, const char *type, const char *headers, const void *p,
                size_t n);

/* A reply in pieces. fill appends to *out, about 64 KiB at a time, and tells what comes next. */
enum http_fill {
    HTTP_MORE,
    HTTP_IDLE,
    HTTP_END,
    HTTP_CUT /* close without the end that the protocol wants */
};
void http_stream(struct request *r, int status, const char *type,
                 enum http_fill (*fill)(struct request *r, str_t *out));
/* After HTTP_IDLE: there may be something again. Cheap; runs fill at the end of the turn. */
void http_wake(struct request *r);
/* Closes the connection without (the rest of) a reply. */
void http_cut(struct request *r);
/* Closes every connection. */
void http_cut_all(http_server_t *s);

const char *http_get_header(const struct request *r, const char *name);
/* NULL when absent. */
const char *http_query(const struct request *r, const char *name);

#endif
