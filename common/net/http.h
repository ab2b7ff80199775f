/* HTTP client on libcurl's multi interface: one I/O thread that only moves bytes, blocking calls for the
 * pools, streaming calls for watches and logs.
 *
 * Requests to one endpoint share connections: HTTP/2 with many streams where the server speaks it, kept-alive
 * HTTP/1.1 elsewhere. Requests of different lanes never share a connection, so that a thousand watches cannot
 * hold up a patch. When a connection has as many streams as the server allows, the next one is opened. */
#ifndef CARGOCD_NET_HTTP_H
#define CARGOCD_NET_HTTP_H

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/str.h"

/* One I/O thread with its connections. */
typedef struct http http_t;
http_t *http_new(const char *thread_name) MUST_USE;
/* Cancels what is under way (their on_done are called), joins the thread. */
void http_free(http_t *h);
/* How many idle connections are kept open, in each lane. Before the first request. */
void http_keep_idle(http_t *h, unsigned n);
/* fn is told, on the I/O thread, how long finding the address of a host took, for each new connection to one
 * that has a name. Before the first request. */
void http_on_resolved(http_t *h, void (*fn)(void *arg, const char *host, int64_t duration_ns), void *arg);

/* How to reach a peer and who we are there. Immutable and reference-counted; texts are copied. */
typedef struct http_endpoint http_endpoint_t;
struct http_endpoint_config {
    const char *ca_pem;                           /* NULL: the system's */
    const char *ca_file;                          /* instead of ca_pem */
    const char *client_cert_pem, *client_key_pem; /* key NULL: it is in the same text */
    const char *server_name;                      /* verified instead of the URL's host */
    bool insecure;                                /* no verification of the server */
    const char *proxy;               /* http, https, socks5 URL; NULL: from the environment; "": none */
    const char *no_proxy;            /* exceptions; NULL: none, or the environment's when proxy is */
    const char *username, *password; /* Basic */
    const char *bearer_token;
    const char *user_agent; /* NULL: cargocd/<version> */
    bool http1_only;
    bool compression;           /* ask for gzip */
    int64_t connect_timeout_ns; /* 0: 10 s, TLS included */
    int64_t keepalive_ns;       /* between probes of a silent connection; 0: 30 s; negative: none */
    int64_t idle_ns;            /* a connection that was idle for longer is not used again; 0: curl's 118 s */
    unsigned max_connections;   /* of a lane to one origin; 0: no cap */
};
http_endpoint_t *http_endpoint_new(const struct http_endpoint_config *config) MUST_USE;
http_endpoint_t *http_endpoint_ref(http_endpoint_t *e);
/* Idle connections of an endpoint that nobody holds any more are closed within some seconds. */
void http_endpoint_unref(http_endpoint_t *e);

/* STREAM is for transfers that may be paused: each has its own HTTP/1.1 connection, because a paused stream
 * would hold up the others of an HTTP/2 connection. */
enum http_lane { HTTP_LANE_REQUEST, HTTP_LANE_WATCH, HTTP_LANE_LIST, HTTP_LANE_STREAM, HTTP_LANE_MAX };

struct http_request {
    const char *method;        /* NULL: GET */
    const char *url;           /* http or https; a user information in it is refused */
    http_endpoint_t *endpoint; /* NULL: defaults */
    /* "Name: value" lines, NULL-terminated; NULL: none. They replace the endpoint's. */
    const char *const *headers;
    const void *body; /* copied */
    size_t body_size;
    enum http_lane lane;
    int64_t timeout_ns;      /* for the whole exchange; 0: none */
    int64_t idle_timeout_ns; /* without a byte; 0: none */
    size_t max_body; /* of the response, after decompression; 0: 64 MiB for http_do, none for streams */
    /* The request may be sent again when its connection is lost before any answer. GET, HEAD and OPTIONS
     * always may; others are then sent at most once and fail with ERR_UNAVAILABLE. */
    bool idempotent;
    unsigned max_redirects; /* 0: none are followed. Credentials never follow to another host. */
    atomic_bool *canceled;  /* http_do: looked at ten times a second */
    /* http_do: asked as often, by the caller's thread; false cancels. NULL: it goes on. */
    bool (*wanted)(void *arg);
    void *wanted_arg;
};

struct http_response {
    int status;
    str_t headers; /* "name: value\n" lines, names in lower case */
    str_t body;
};
void http_response_dispose(struct http_response *r);
/* The first value of a header (name in lower case), as the caller's copy; NULL when absent. */
char *http_header(const str_t *headers, const char *name) MUST_USE;

/* Blocks until the response is whole. Any status is success (0); errors are those of reaching the peer, named
 * with the URL without its query. Not to be called on the I/O thread. */
int http_do(http_t *h, const struct http_request *request, struct http_response *response, err_t **err);

/* Streaming. Callbacks run on the I/O thread and must not block. */
struct http_stream_ops {
    /* Non-zero ends the transfer with that value as error. May be NULL. */
    int (*on_head)(void *arg, int status, const str_t *headers);
    /* 0: go on; HTTP_PAUSE: take these bytes and stop reading until http_resume; negative: end. */
    int (*on_data)(void *arg, const char *p, size_t n);
    /* Exactly once, last. err is NULL at a regular end; it stays the library's. */
    void (*on_done)(void *arg, err_t *err);
};
enum { HTTP_PAUSE = 1 };
typedef struct http_transfer http_transfer_t;
/* The handle is the caller's until http_transfer_release; on_done comes in any case, also when starting
 * fails. */
http_transfer_t *http_start(http_t *h, const struct http_request *request, const struct http_stream_ops *ops,
                            void *arg) MUST_USE;
/* Any thread; on_done follows with ERR_CANCELED unless the transfer has ended already. */
void http_cancel(http_transfer_t *t);
void http_resume(http_transfer_t *t);
void http_transfer_release(http_transfer_t *t);

/* Runs fn(arg) on the I/O thread, after the delay; in the order of posting when the delays are equal. What
 * waits when http_free is called runs then. */
void http_post(http_t *h, int64_t delay_ns, void (*fn)(void *arg), void *arg);
bool http_on_thread(const http_t *h);

/* "https://host:443/path": scheme, host, port and path of a URL for messages, without user information and
 * query. */
char *http_url_for_message(const char *url) MUST_USE;

#endif
