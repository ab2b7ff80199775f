/* One connection of RPC: messages both ways over a byte stream of nng. Internal to common/net.
 *
 * Design. On the wire this is nng's REQ/REP, so that any nng peer can talk to it, and it is nng that dials,
 * listens, reads and writes, on its threads. But its sockets and its TLS stay unused, because nng 1.5.2
 * (Debian 12) cannot keep what rpc.h promises. An ipc listener stops for good when a peer goes away within
 * the greeting (nng issue 1518), so that a client killed at the wrong moment ends the service. Closing a
 * listener closes its connections, so that a new one for a new certificate fails every call under way.
 * Cancelling a REQ context that is still sending crashes (nng issue 1702), and raw REP drops replies to a
 * slow reader. On a TLS stream, what is read after the connection failed never completes, so that a peer's
 * death may go unnoticed; it has no TLS 1.3 either, and does not verify IP addresses. So the framing
 * (rpc_wire.h) is ours, and so is TLS (rpc_tls.h), over nng's plain streams.
 *
 * A connection is counted: its maker, the reading and the writing each hold it. Reading goes on until it
 * fails, and that is the one place where a connection ends: whoever wants it closed closes the stream, and
 * reading fails. `rx` is posted under the lock while not `closing`, since nng never completes what is posted
 * on a closed stream. When a peer does not read its replies (QUEUE_HIGH bytes wait), a server stops reading
 * its requests; a client always reads, or each of the two could wait for the other. */
#ifndef CARGOCD_NET_RPC_CONN_H
#define CARGOCD_NET_RPC_CONN_H

#include "common/net/rpc_tls.h"
#include "common/net/rpc_wire.h"

#include <nng/nng.h>

typedef struct rpc_conn rpc_conn_t;

/* They run on nng's threads, one at a time for each connection, with no lock of the connection held. */
struct rpc_conn_events {
    void (*opened)(void *owner, rpc_conn_t *c); /* the peer greeted (and is verified) */
    void (*message)(void *owner, rpc_conn_t *c, const unsigned char *p, size_t n);
    /* Once, and nothing after it. err stays the connection's. */
    void (*closed)(void *owner, rpc_conn_t *c, err_t *err);
};

struct rpc_conn_options {
    nng_stream *stream; /* taken */
    rpc_tls_t *tls;     /* taken; NULL: plain */
    bool ipc;
    uint16_t protocol, peer; /* RPC_REQ and RPC_REP, or the reverse */
    bool throttled;          /* stops reading while much waits to be written */
    const struct rpc_conn_events *events;
    void *owner;
};
/* The connection has one reference, the caller's; it does nothing before rpc_conn_start. */
rpc_conn_t *rpc_conn_new(const struct rpc_conn_options *options) MUST_USE;
void rpc_conn_start(rpc_conn_t *c);
rpc_conn_t *rpc_conn_ref(rpc_conn_t *c);
void rpc_conn_unref(rpc_conn_t *c);
/* Ends it soon, with `closed` on another thread. */
void rpc_conn_close(rpc_conn_t *c);
/* Queues the frame; it is dropped when the connection is closing. */
void rpc_conn_send(rpc_conn_t *c, struct rpc_frame *frame_take);
bool rpc_conn_ipc(const rpc_conn_t *c);
/* Nothing is waiting to be written. */
bool rpc_conn_flushed(rpc_conn_t *c);
/* When bytes came last. */
mono_t rpc_conn_heard(const rpc_conn_t *c);

AUTO_DECL(rpc_conn_unref_p, rpc_conn_t, rpc_conn_unref)

/* Makes *err from a result of nng; returns its negative code. */
int rpc_nng_error(err_t **err, int rv, const char *what);

#endif
