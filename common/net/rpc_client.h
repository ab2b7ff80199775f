/* What the files of the RPC client share. Internal to common/net.
 *
 * rpc_client.c dials and owns the links; rpc_request.c runs the calls over them, rpc_slots.c finds the one
 * that an answer is for. One lock guards all of it; locks of connections come after it. Dialling, deadlines
 * of asynchronous calls and the watch over silent peers are the work of the client's timer, so that nothing
 * of it happens in a caller's thread. */
#ifndef CARGOCD_NET_RPC_CLIENT_H
#define CARGOCD_NET_RPC_CLIENT_H

#include "common/base/vec.h"
#include "common/net/rpc_clock.h"
#include "common/net/rpc_conn.h"
#include "common/net/rpc_endpoint.h"

#include <sys/queue.h>

enum {
    RPC_OUT_ID_RANDOM = 16,
    RPC_OUT_ID = RPC_OUT_ID_RANDOM + 8,
    RPC_MAX_REQUESTS = 4096, /* of one client at once */
    RPC_CONNECT_SECONDS = 2, /* how long a call waits for a connection */
};

/* A connection to the server. There is one at a time, but while another is made because of new certificate
 * files: the old one then ends with its last call. */
struct rpc_link {
    TAILQ_ENTRY(rpc_link) link;
    rpc_client_t *client;
    rpc_conn_t *conn;
    bool open, draining;
    size_t requests;
    mono_t greet_by;
    mono_t pinged; /* when a silent peer was asked whether it lives; MONO_NEVER: not */
};
TAILQ_HEAD(rpc_links, rpc_link);

/* A call from its start until its answer is with the caller. */
struct rpc_request {
    TAILQ_ENTRY(rpc_request) link; /* in client->requests until it is DONE */
    rpc_client_t *client;
    unsigned char id[RPC_OUT_ID];
    char *method;
    unsigned char *body; /* NULL once sent */
    size_t nbody, put;   /* put: how much of it the server has */
    mono_t deadline, connect_by;
    struct rpc_link *via; /* NULL while it waits for a connection */
    uint32_t number;      /* of its message under way; 0: none */
    enum { RPC_WAITING, RPC_PUTTING, RPC_CALLED, RPC_GETTING, RPC_FINISHED } phase;
    str_t reply;
    uint64_t reply_size;
    err_t *error;
    bool answered; /* the error is that of the call, which was begun */
    /* the caller: rpc_do waits on `changed`; otherwise done is called */
    cond_t changed;
    const ProtobufCMessageDescriptor *out_type;
    rpc_done_fn done;
    void *arg;
};
TAILQ_HEAD(rpc_requests, rpc_request);

struct rpc_slot {
    struct rpc_request *request;
    uint32_t next_free, turn;
};

struct rpc_client {
    struct rpc_address address;
    char *name; /* the address as given, for messages */
    char *server_name;
    struct rpc_timer timer;
    struct rpc_identity identity; /* the clock thread's */
    nng_stream_dialer *dialer;    /* the clock thread's, as is the next */
    nng_aio *dial;
    unsigned char id_random[RPC_OUT_ID_RANDOM];

    lock_t lock; /* guards what follows */
    cond_t changed;
    bool closing;
    struct rpc_links links;
    struct rpc_link *current; /* open, takes new calls; NULL: none */
    enum { RPC_DIAL_NONE, RPC_DIAL_RUNS, RPC_DIAL_ENDED } dialing;
    int dial_result;
    nng_stream *dialed;
    mono_t next_dial, last_dial;
    int64_t backoff_ns;
    bool renew; /* the certificate files changed */
    mono_t next_files;
    bool tried; /* a first attempt has ended */
    err_t *last_error;
    struct rpc_requests requests;
    size_t nrequests; /* with those whose caller does not have the answer yet */
    uint64_t counter;
    VEC(struct rpc_slot) slots; /* requests by the number of their message; slot 0 is nobody's */
    uint32_t free_slot;
    pool_t *done_pool;
};

/* ---- rpc_client.c ---- */
/* Under the lock: there is a call without a connection. */
void rpc_client_wanted(rpc_client_t *c);
/* Under the lock: a request left its link. */
void rpc_link_released(struct rpc_link *l);
/* A first attempt to connect has ended, well or not. */
bool rpc_client_tried(rpc_client_t *c);

/* ---- rpc_slots.c; under the lock ---- */
/* Gives the request a new number. */
void rpc_number_take(struct rpc_request *q);
void rpc_number_release(struct rpc_request *q);
/* NULL when nobody has that number any more. */
struct rpc_request *rpc_by_number(rpc_client_t *c, uint32_t number);

/* ---- rpc_request.c ---- */
struct rpc_request_options {
    const char *method;
    const ProtobufCMessage *in;
    const ProtobufCMessageDescriptor *out_type;
    int64_t timeout_ns, connect_ns;
};
/* rpc_do with the time it waits for a connection; *answered tells whether an error is the call's own;
 * otherwise the server was not reached or did not begin it. */
int rpc_request_do(rpc_client_t *c, const struct rpc_request_options *o, atomic_bool *canceled,
                   bool *answered, ProtobufCMessage **out, err_t **err);
/* These are called under the lock. */
void rpc_requests_message(rpc_client_t *c, uint32_t number, const Cargocd__Rpc__Envelope *e);
void rpc_requests_opened(rpc_client_t *c);
void rpc_requests_lost(rpc_client_t *c, const struct rpc_link *l, err_t *err);
void rpc_requests_cancel_all(rpc_client_t *c);
mono_t rpc_requests_tick(rpc_client_t *c, mono_t now);
void rpc_requests_dispose(rpc_client_t *c);

#endif
