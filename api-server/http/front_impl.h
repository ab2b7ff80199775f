/* Inside the front: connections, and the engines that give their bytes a meaning. Everything here belongs to
 * the loop's thread, but for what is said to be under the lock. */
#ifndef CARGOCD_API_HTTP_FRONT_IMPL_H
#define CARGOCD_API_HTTP_FRONT_IMPL_H

#include "api-server/http/exchange_impl.h"
#include "api-server/http/front.h"
#include "api-server/http/tls_server.h"
#include "common/base/thread.h"

enum {
    READ_SIZE = 16 << 10, /* one read; also a TLS record */
    OUT_LOW = 32 << 10,   /* less than this waiting: the engine is asked for more */
    READS_PER_TURN = 16,  /* so that one busy connection does not keep the others waiting */
};

typedef struct conn conn_t;

/* What epoll's data points to: the first member of whatever has a descriptor. */
struct source {
    void (*ready)(struct source *s, uint32_t events);
};

struct engine {
    /* Bytes from the client. Negative: the connection is beyond use; what is in the output is still sent. */
    int (*input)(conn_t *c, const char *p, size_t n);
    /* The output is low: add to it. Called whenever that may be useful. */
    void (*output)(conn_t *c);
    /* An exchange of this connection has an answer, or its stream has more. */
    void (*answer)(conn_t *c, exchange_t *ex);
    /* Finish what is under way and begin nothing new. */
    void (*drain)(conn_t *c);
    /* Frees the engine's state; abandons its exchanges. */
    void (*close)(conn_t *c);
};
extern const struct engine engine_h1, engine_h2;

enum conn_stage { CONN_FIRST_BYTES, CONN_HANDSHAKE, CONN_OPEN };
/* What the deadline is about. */
enum conn_wait { WAIT_HEAD, WAIT_BODY, WAIT_IDLE, WAIT_NOTHING };

struct conn {
    struct source source;
    front_t *front;
    conn_t *prev, *next;
    int fd;
    SSL *ssl;
    enum conn_stage stage;
    const struct engine *engine;
    void *state; /* of the engine */
    char peer[64];
    str_t first; /* bytes read before the protocol was known */
    str_t out;
    size_t out_at;
    uint32_t armed; /* epoll events asked for */
    bool paused;    /* the engine does not want input now */
    bool tls_wants_write, tls_wants_read;
    bool more;    /* the turn ended for fairness, not for want of output */
    bool closing; /* once the output is sent */
    bool dead;    /* to be freed at the end of the turn */
    bool peer_closed;
    bool redirect_only; /* plain HTTP on a TLS port */
    enum conn_wait wait;
    mono_t deadline;       /* of `wait` */
    mono_t write_progress; /* when output last moved, while some waits */
};

struct front {
    struct front_options options;
    char *root_path;
    int listen_fd, epoll_fd, event_fd, port;
    struct source listen_source, event_source;
    bool listening; /* in epoll */
    tls_server_t *tls;
    pthread_t thread;
    conn_t *conns;
    VEC(void *) discarded; /* freed at the end of the turn: its events may still name them */
    size_t nconns;
    size_t body_used;
    mono_t now;
    mono_t drain_deadline;
    bool draining, stop;
    char buf[READ_SIZE];

    lock_t lock; /* of what follows */
    exchange_t *posted, **posted_tail;
    bool want_drain;
    int64_t drain_grace_ns;
    struct front_stats stats;
};

/* ---- for the engines ---- */

void conn_write(conn_t *c, const void *p, size_t n);
static inline size_t conn_pending(const conn_t *c)
{
    return c->out.len - c->out_at;
}
void conn_wait(conn_t *c, enum conn_wait what);
void conn_pause(conn_t *c, bool paused);
/* Closes when the output is sent. */
void conn_finish(conn_t *c);
/* Runs the engine's output and the socket until neither moves. Any time after the engine changed something.
 */
void conn_turn(conn_t *c);
void conn_kill(conn_t *c);

/* Reserves n bytes of the budget of bodies; false when it is used up. */
bool front_budget_take(front_t *f, size_t n);
/* Frees p at the end of the turn. */
void front_discard(front_t *f, void *p);
void front_watch(front_t *f, int fd, struct source *s, uint32_t events);
void front_rewatch(front_t *f, int fd, struct source *s, uint32_t events);
void front_unwatch(front_t *f, int fd);

/* Splits "path?query" into the request; false when it is not an origin-form target. */
bool request_set_target(struct web_request *r, const char *target, size_t n);

/* ---- WebSockets: libwebsockets reads the other end of a socket pair ---- */

/* What is agreed on with the client, which libwebsockets cannot say in its own answer. */
struct ws_terms {
    bool deflate;       /* permessage-deflate, with a window of 2^12 bytes towards the client */
    bool client_window; /* the client keeps to 2^10 */
};
struct ws_terms ws_terms_of(const struct web_request *r);
/* The value of Sec-WebSocket-Extensions; NULL for none. */
const char *ws_extensions(const struct ws_terms *t);
/* Sec-WebSocket-Accept of a key (RFC 6455 §4.2.2). */
void ws_accept_key(const char *key, str_t *out);

typedef struct bridge bridge_t;
struct bridge_ops {
    /* Bytes for the client; the bridge stops reading while `stalled` says so. */
    void (*data)(void *arg, const char *p, size_t n);
    bool (*stalled)(void *arg);
    /* What bridge_write took has gone on. */
    void (*drained)(void *arg);
    /* The other side has closed. */
    void (*closed)(void *arg);
};
/* Makes the pair and hands one end to the exchange's adopt with the upgrade request that it expects, followed
 * by what the client has sent already (rest). The answer to that request stays inside. NULL when there are no
 * descriptors left. */
bridge_t *bridge_open(exchange_t *ex, const str_t *rest, const struct bridge_ops *ops, void *arg) MUST_USE;
/* Bytes from the client; false when too much waits already. */
bool bridge_write(bridge_t *b, const char *p, size_t n);
/* Bytes that wait for libwebsockets. */
size_t bridge_backlog(const bridge_t *b);
/* The client took bytes: look again whether reading may go on. */
void bridge_resume(bridge_t *b);
void bridge_free(bridge_t *b);

#endif
