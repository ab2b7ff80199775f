/* What the files of the HTTP client share. Everything below belongs to the I/O thread unless said otherwise.
 */
#ifndef CARGOCD_NET_HTTP_INTERNAL_H
#define CARGOCD_NET_HTTP_INTERNAL_H

#include "common/base/map.h"
#include "common/base/thread.h"
#include "common/net/http.h"
#include "common/net/http_timer.h"
#include "common/net/http_url.h"

#include <curl/curl.h>
#include <stdatomic.h>

struct http_endpoint {
    atomic_uint refs;
    atomic_uint groups; /* how many of refs are those of groups, which outlive their last transfer */
    struct http_endpoint_config c; /* texts are ours */
    char *authorization;           /* a header line; NULL: none */
};
/* Sets what the endpoint says about reaching `url`. `stranger`: the URL is another origin, reached by a
 * redirect, which must not see who we are. */
int http_endpoint_apply(const http_endpoint_t *e, CURL *easy, const struct http_url *url, bool stranger,
                        err_t **err);

/* Transfers of one lane to one origin as one identity: what may share connections. */
struct http_group {
    http_t *h;
    enum http_lane lane;
    char *key;
    http_endpoint_t *endpoint;
    http_transfer_t *held, **held_tail;
    size_t active;           /* handed to curl */
    size_t opening;          /* of these, still on the way to a connection */
    size_t sockets;          /* open, idle ones included */
    bool parallel;           /* HTTP/1.1: every transfer has its own connection anyway */
    http_transfer_t *newest; /* whose new connection is given a moment to tell its limit of streams */
    struct http_timer settle;
    bool full;  /* max_connections are open and none has room */
    bool place; /* a stream ended while a connection was being opened: one may try */
    bool dirty; /* in the list of those to look at */
    struct http_group *next_dirty;
};

struct http_lane_state {
    http_t *h;
    CURLM *multi; /* NULL until needed */
    struct http_timer timer, retire;
    struct http_timer again; /* another look at descriptors that had something */
    size_t active;
    uint64_t pieces, pieces_seen; /* of bodies that transfers were given: now, at the last look */
    bool last_look;               /* nothing came of the one before */
    bool ran;                     /* finished transfers may be waiting */
};

/* What is known of a descriptor that curl uses. */
struct http_socket {
    struct http_lane_state *lane; /* whose multi watches it; NULL: nobody */
    struct http_group *group;     /* whose connection it is; NULL: a helper's */
    bool look_again;              /* it had something to read */
};

struct http_post {
    struct http_timer timer;
    uint64_t order;
    void (*fn)(void *arg);
    void *arg;
    struct http_post *next;
};

struct http {
    lock_t lock; /* guards the inbox */
    http_transfer_t *inbox, **inbox_tail;
    struct http_post *posts, **posts_tail;
    bool stopping;

    pthread_t thread;
    int epoll_fd, wake_fd;
    struct http_timers timers;
    struct http_timer sweep; /* of idle connections */
    struct http_lane_state lanes[HTTP_LANE_MAX];
    map_t groups; /* key -> struct http_group *, borrowed */
    struct http_group *dirty;
    http_transfer_t *live;           /* all that have been started and not ended */
    VEC(struct http_socket) sockets; /* by descriptor */
    http_endpoint_t *plain;          /* for requests without an endpoint */
    unsigned keep_idle;              /* 0: IDLE_CONNECTIONS */
    void (*resolved)(void *arg, const char *host, int64_t duration_ns);
    void *resolved_arg;
};

enum http_state { HTTP_NEW, HTTP_HELD, HTTP_OPENING, HTTP_ACTIVE, HTTP_ENDED };
/* What other threads ask of the I/O thread. */
enum { HTTP_ASK_START = 1, HTTP_ASK_CANCEL = 2, HTTP_ASK_RESUME = 4 };

struct http_transfer {
    atomic_uint refs;
    atomic_bool canceled;
    http_t *h;
    unsigned asked;              /* guarded by h->lock */
    http_transfer_t *next_asked; /* in the inbox */

    /* The request. */
    char *method, *url;
    char **headers;
    void *body;
    size_t body_size, max_body;
    int64_t timeout_ns, idle_timeout_ns;
    enum http_lane lane;
    bool idempotent;
    unsigned redirects_left;
    http_endpoint_t *endpoint;
    struct http_stream_ops ops;
    void *arg;

    /* Its progress. */
    enum http_state state;
    http_transfer_t *next_live, **live_link;
    http_transfer_t *next_held;
    struct http_group *group;
    struct http_timer timer;
    mono_t deadline, connect_by, last_byte;
    curl_off_t uploaded;
    err_t *error;  /* ours, found in a callback */
    bool stranger; /* a redirect led to another origin */
    unsigned attempts;
    mono_t started;

    /* Its answer. */
    CURL *easy;
    struct curl_slist *lines, *connect_to;
    char curl_error[CURL_ERROR_SIZE];
    str_t head;
    bool head_done, redirecting;
    bool tried, refused; /* a socket was opened; was denied */
    bool paused, curl_paused;
    size_t got, discarded, header_bytes;
    char *location;
};

/* http_lane.c */
CURLM *http_lane_multi(struct http_lane_state *l);
void http_lane_init(http_t *h, enum http_lane lane);
void http_lane_close(struct http_lane_state *l);
void http_lane_event(http_t *h, int fd, uint32_t events);
/* Ends what is finished and admits what may begin. */
void http_lane_settle(http_t *h);
void http_lane_run(struct http_lane_state *l);
/* Callbacks for curl. */
curl_socket_t http_lane_open_socket(void *transfer, curlsocktype purpose, struct curl_sockaddr *a);
int http_lane_close_socket(void *http, curl_socket_t fd);

/* http_group.c */
void http_group_submit(http_transfer_t *t);
/* Takes back a transfer that was refused a connection. */
void http_group_wait(http_transfer_t *t);
/* Takes the transfer out, whatever it is at. */
void http_group_remove(http_transfer_t *t);
/* Something has changed: it is looked at when the loop settles. */
void http_group_mark(struct http_group *g);
/* Admits what may begin; whether there was anything to look at. */
bool http_groups_settle(http_t *h);
void http_groups_free(http_t *h);
/* Whether the transfer may open a (further) connection. */
bool http_group_may_connect(const http_transfer_t *t);
/* The transfer's connection is ready, and the request about to be sent. */
void http_group_ready(http_transfer_t *t);
/* The first answer has come. */
void http_group_heard(http_transfer_t *t);

/* http_idle.c */
void http_idle_init(http_t *h);
/* A transfer has ended, whose connection may be idle from now on. */
void http_idle_look(http_t *h);

/* http_transfer.c */
void http_transfer_begin(http_transfer_t *t);
/* Ends with t->error (NULL: well). */
void http_transfer_end(http_transfer_t *t);
void http_transfer_do_cancel(http_transfer_t *t);
void http_transfer_do_resume(http_transfer_t *t);
void http_transfer_drop_easy(http_transfer_t *t);
void http_transfer_watch_time(http_transfer_t *t);
void http_transfer_unref(http_transfer_t *t);

/* http_request.c */
int http_request_check(const struct http_request *r, err_t **err);
/* Makes t->easy ready for curl. On failure t->error is set. */
int http_transfer_prepare(http_transfer_t *t);

/* http_receive.c: callbacks that take the answer in. */
size_t http_on_header(char *p, size_t size, size_t n, void *transfer);
size_t http_on_body(char *p, size_t size, size_t n, void *transfer);

/* http_result.c */
/* What curl made of it; may submit it again. */
void http_transfer_result(http_transfer_t *t, CURLcode code);

/* http_loop.c */
void http_ask(http_transfer_t *t, unsigned what);

#endif
