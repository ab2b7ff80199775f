/* Requests and replies between the daemons: protobuf over nng's REQ/REP.
 *
 * What nng leaves open is settled here. Many requests run at once over one connection per peer; a server is
 * always free to answer "busy" (ERR_RESOURCE_EXHAUSTED), so that a full server never drops a pipe. Every
 * request has an id: one that arrives twice is done once and answered twice. A request carries its deadline;
 * cancelling it (or the deadline) reaches the handler. Bodies over RPC_CHUNK travel in pieces in both
 * directions, up to RPC_MAX_BODY. A peer that goes away fails its requests at once (ERR_UNAVAILABLE). Errors
 * keep their code and text across the wire. Every server answers the health call.
 *
 * Addresses: "tcp://host:port", "tls+tcp://host:port" (mutual TLS: both sides present and verify certificates
 * of one authority), "ipc:///path". When the certificate files change, connections made from then on use the
 * new ones: a client makes one at once and lets the old one finish its calls; a server closes what is left
 * from an old authority after a minute, once idle. No call fails of it. */
#ifndef CARGOCD_NET_RPC_H
#define CARGOCD_NET_RPC_H

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/thread.h"
#include "common/net/tls.h"

#include <protobuf-c/protobuf-c.h>

enum { RPC_CHUNK = 1 << 20, RPC_MAX_BODY = 256 << 20 };

/* ---- server ---- */

typedef struct rpc_server rpc_server_t;
typedef struct rpc_call rpc_call_t;

/* A handler answers with exactly one of rpc_reply and rpc_fail, on this thread or later on any other; `in`
 * lives until then. */
typedef void (*rpc_handler_fn)(void *ctx, rpc_call_t *call, const ProtobufCMessage *in);

struct rpc_method {
    const char *name; /* "repo.GenerateManifest" */
    const ProtobufCMessageDescriptor *in;
    rpc_handler_fn handle;
    pool_t *pool; /* where it runs; NULL: on the receiving thread, for handlers that do not block */
};

struct rpc_server_options {
    const char *name; /* of threads and messages */
    const char *address;
    struct tls_files tls; /* for tls+tcp */
    const struct rpc_method *methods;
    size_t nmethods;
    void *ctx;
    size_t max_calls; /* at once; 0: 256 */
};
int rpc_server_start(const struct rpc_server_options *options, rpc_server_t **out, err_t **err);
/* Refuses new calls, waits up to grace_ns for the ones under way, cancels the rest, frees. */
void rpc_server_free(rpc_server_t *s, int64_t grace_ns);
/* The port that was bound, for address "…:0". */
int rpc_server_port(const rpc_server_t *s);

/* Takes the message's content by packing it at once; out stays the caller's. */
void rpc_reply(rpc_call_t *call, const ProtobufCMessage *out);
void rpc_fail(rpc_call_t *call, const err_t *err);
mono_t rpc_call_deadline(const rpc_call_t *call);
/* Becomes true when the caller gave up or the deadline passed. Valid until the answer. */
atomic_bool *rpc_call_canceled(rpc_call_t *call);
/* fn(arg) runs once, on another thread, if the call is cancelled before its answer; the answer waits for it
 * to return. */
void rpc_call_on_cancel(rpc_call_t *call, void (*fn)(void *arg), void *arg);

/* ---- client ---- */

typedef struct rpc_client rpc_client_t;
struct rpc_client_options {
    const char *address;
    struct tls_files tls;
    const char *server_name; /* verified in the server's certificate; NULL: the address's host */
};
/* Dials in the background and again whenever the connection is lost (backoff of at most 10 s). */
int rpc_client_new(const struct rpc_client_options *options, rpc_client_t **out, err_t **err);
/* Calls under way end with ERR_CANCELED, before it returns; not to be called in a rpc_done_fn. */
void rpc_client_free(rpc_client_t *c);
bool rpc_client_connected(rpc_client_t *c);

/* Blocks for the answer. *out is to be freed with protobuf_c_message_free_unpacked(*out, NULL). Without a
 * connection it waits for one up to two seconds or the timeout, then ERR_UNAVAILABLE. `canceled` (may be
 * NULL) is looked at ten times a second. */
int rpc_do(rpc_client_t *c, const char *method, const ProtobufCMessage *in,
           const ProtobufCMessageDescriptor *out_type, int64_t timeout_ns, atomic_bool *canceled,
           ProtobufCMessage **out, err_t **err);
/* Asynchronous: done runs exactly once, on another thread; it owns out (NULL with an error), err stays the
 * library's. */
typedef void (*rpc_done_fn)(void *arg, ProtobufCMessage *out, err_t *err);
void rpc_start(rpc_client_t *c, const char *method, const ProtobufCMessage *in,
               const ProtobufCMessageDescriptor *out_type, int64_t timeout_ns, rpc_done_fn done, void *arg);
/* 0 when the server answers its health call in time. */
int rpc_health(rpc_client_t *c, int64_t timeout_ns, err_t **err);

/* ---- replicas behind one name ---- */

/* The replicas of a headless Service: "tls+tcp://argocd-repo-server:8081" is resolved again every few
 * seconds, with one client per address. On one machine: "ipc:///one,ipc:///two". */
typedef struct rpc_replicas rpc_replicas_t;
int rpc_replicas_new(const struct rpc_client_options *options, rpc_replicas_t **out, err_t **err);
void rpc_replicas_free(rpc_replicas_t *r);
/* The replica that `key` belongs to by rendezvous hashing (so that each clone is warm in one place); when it
 * is busy or not reached, the next ones. */
int rpc_replicas_do(rpc_replicas_t *r, const char *key, const char *method, const ProtobufCMessage *in,
                    const ProtobufCMessageDescriptor *out_type, int64_t timeout_ns, atomic_bool *canceled,
                    ProtobufCMessage **out, err_t **err);

/* The same where one of them has what is asked for and the others answer ERR_UNAVAILABLE: asks on. */
int rpc_replicas_find(rpc_replicas_t *r, const char *key, const char *method, const ProtobufCMessage *in,
                      const ProtobufCMessageDescriptor *out_type, int64_t timeout_ns, ProtobufCMessage **out,
                      err_t **err);
/* Asks all that are connected, one after another; 0 when any answered. */
struct rpc_each {
    /* What to ask this one of n; borrowed until the answer. */
    const ProtobufCMessage *(*question)(void *ctx, const char *address, size_t n);
    void (*answer)(void *ctx, const char *address, const ProtobufCMessage *reply);
    void *ctx;
};
int rpc_replicas_each(rpc_replicas_t *r, const char *method, const ProtobufCMessageDescriptor *out_type,
                      int64_t timeout_ns, atomic_bool *canceled, const struct rpc_each *each, err_t **err);

/* nng starts threads by the processors it sees; called by process start-up, before anything else of this
 * header. */
void rpc_setup(void);

#endif
