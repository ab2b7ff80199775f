/* What the files of the RPC server share. Internal to common/net.
 *
 * rpc_server.c listens, owns the connections and the clock; rpc_call.c runs calls and remembers them;
 * rpc_piece.c takes large requests and gives large replies in pieces. One lock guards all of it; it is held
 * for looking up and linking, never while a handler, a pool's job or a decoder of bodies runs. Locks of
 * connections come after it. */
#ifndef CARGOCD_NET_RPC_SERVER_H
#define CARGOCD_NET_RPC_SERVER_H

#include "common/base/map.h"
#include "common/base/vec.h"
#include "common/net/rpc_clock.h"
#include "common/net/rpc_conn.h"
#include "common/net/rpc_endpoint.h"

#include <sys/queue.h>

enum { RPC_KEY_TEXT = RPC_ID_MAX * 2 + 1 };

/* Who gets an answer. */
struct rpc_asker {
    rpc_conn_t *conn; /* a reference when it is stored */
    size_t ntrace;
    unsigned char trace[RPC_TRACE_MAX];
};

/* A call from its arrival until it is forgotten. When it is answered it is kept for a while, so that a
 * duplicate gets the same answer, and a caller the pieces of a large one. */
struct rpc_call {
    TAILQ_ENTRY(rpc_call) link; /* in running or done */
    rpc_server_t *server;
    const struct rpc_method *method;
    char key[RPC_KEY_TEXT];       /* the id in hex: its key in server->calls */
    bool done;                    /* answered: the answer is set and does not change */
    bool pinned;                  /* the answer is being sent: it stays */
    VEC(struct rpc_asker) askers; /* without an answer; when done, those that may ask for pieces */
    mono_t deadline;
    unsigned char *body; /* the request until it is decoded */
    size_t nbody;
    ProtobufCMessage *in;
    atomic_bool canceled; /* the handler looks at it */
    void (*cancel_fn)(void *);
    void *cancel_arg;
    bool cancel_queued, cancel_running; /* the job of cancel_fn holds the call */
    pthread_t cancel_thread;
    /* the answer */
    err_t *error;
    unsigned char *reply; /* NULL with an error, and when it was not kept */
    size_t nreply;
    bool dropped; /* the reply was not kept, or is not to be when it is no longer pinned */
    mono_t expires;
};
TAILQ_HEAD(rpc_calls, rpc_call);

struct rpc_peer {
    TAILQ_ENTRY(rpc_peer) link;
    rpc_server_t *server;
    rpc_conn_t *conn;
    mono_t greet_by;    /* MONO_NEVER once it greeted */
    uint64_t authority; /* the server's when it was accepted */
};
TAILQ_HEAD(rpc_peers, rpc_peer);

struct rpc_server {
    char *name;
    struct rpc_address address;
    struct rpc_method *methods;
    size_t nmethods, max_calls;
    void *ctx;
    int port;
    nng_stream_listener *listener;
    nng_aio *accept;
    bool accept_waiting; /* of the accepting callback */
    struct rpc_timer timer;
    pool_t *cancel_pool;
    struct rpc_identity identity; /* its context is under the lock, the rest is the clock thread's */

    lock_t lock; /* guards what follows */
    cond_t changed;
    bool stopping;
    struct rpc_peers peers;
    size_t npeers;
    uint64_t authority; /* counts the changes of the authority's file */
    mono_t authority_since;
    map_t calls;                    /* by key; owns none */
    struct rpc_calls running, done; /* done: the oldest first */
    size_t nrunning, ndone;
    size_t kept;     /* bytes of small replies in done */
    size_t held;     /* bytes of large replies in done */
    map_t uploads;   /* by key; owns struct rpc_upload */
    size_t uploaded; /* bytes in uploads */
};

/* ---- rpc_server.c ---- */
struct rpc_answer {
    err_t *error;
    bool refused; /* the call was not begun */
    const unsigned char *body;
    size_t n, total; /* of this piece, of the whole reply */
};
void rpc_respond(const struct rpc_asker *to, const char *key, const struct rpc_answer *answer);
/* The same with an error made on the spot. */
void rpc_refuse(const struct rpc_asker *to, const char *key, enum err_code code, const char *fmt, ...)
    PRINTF(4, 5);

/* ---- rpc_call.c ---- */
/* Takes the call's body out of the envelope. */
void rpc_call_begin(rpc_server_t *s, const struct rpc_asker *from, const char *key, Cargocd__Rpc__Call *call);
/* These are called under the lock. */
void rpc_calls_lost(rpc_server_t *s, const rpc_conn_t *conn);
/* Cancels what is late, forgets what is old; returns when to look again. */
mono_t rpc_calls_tick(rpc_server_t *s, mono_t now);
bool rpc_calls_use(rpc_server_t *s, const rpc_conn_t *conn);
void rpc_calls_drop_reply(rpc_server_t *s, rpc_call_t *call);
void rpc_calls_dispose(rpc_server_t *s);

/* ---- rpc_cancel.c ---- */
void rpc_call_cancel_by_key(rpc_server_t *s, const char *key);
/* These are called under the lock. */
void rpc_call_cancel(rpc_call_t *call);
void rpc_calls_cancel_all(rpc_server_t *s);
void rpc_call_wait_for_cancel(rpc_call_t *call);

/* ---- rpc_piece.c ---- */
void rpc_piece_put(rpc_server_t *s, const struct rpc_asker *from, const char *key,
                   const Cargocd__Rpc__ChunkPut *put);
void rpc_piece_get(rpc_server_t *s, const struct rpc_asker *from, const char *key, uint64_t offset);
/* These are called under the lock. */
/* Joins the pieces with the last one: *body is the caller's. */
int rpc_uploads_take(rpc_server_t *s, const char *key, Cargocd__Rpc__Call *call, unsigned char **body,
                     size_t *n, err_t **err);
void rpc_uploads_lost(rpc_server_t *s, const rpc_conn_t *conn);
mono_t rpc_uploads_tick(rpc_server_t *s, mono_t now);
void rpc_uploads_drop(rpc_server_t *s, const char *key);
void rpc_uploads_init(rpc_server_t *s);

#endif
