/* What RPC puts on a connection, as pure functions: nng's framing of REQ/REP messages, and the Envelope
 * within. Internal to common/net; see rpc.h for what is public and rpc_conn.h for why the framing is ours. */
#ifndef CARGOCD_NET_RPC_WIRE_H
#define CARGOCD_NET_RPC_WIRE_H

#include "common/base/err.h"
#include "common/net/rpc.h"

#include "proto/rpc/envelope.pb-c.h"

/* ---- framing (nng's RFCs "sp-tcp-mapping-01" and "sp-request-reply-01") ----
 *
 * Both sides begin with eight bytes: 0 'S' 'P' 0, their protocol, 0 0. Then messages follow: their length in
 * 64 bits (over ipc after a byte 1), a trace, the body. A trace is words of 32 bits, of which the last, and
 * only it, has its high bit set: that is the number of the request, which the reply repeats; what stands
 * before it was put there by devices on the way and is repeated too. Numbers are big-endian. */
enum {
    RPC_REQ = 0x30,
    RPC_REP = 0x31,
    RPC_HELLO_SIZE = 8,
    RPC_HEAD_MAX = 9,
    RPC_TRACE_MAX = 9 * 4,
    RPC_FRAME_MAX = RPC_CHUNK + (64 << 10), /* of trace and body */
    RPC_READ_AHEAD = 4096,
    RPC_ID_MAX = 64 /* bytes of Envelope.id */
};
#define RPC_REQUEST_BIT 0x80000000u

/* One message on its way out, framed. */
struct rpc_frame {
    struct rpc_frame *next;
    size_t n;
    unsigned char data[];
};
struct rpc_frame *rpc_hello(uint16_t protocol) MUST_USE;
/* The envelope behind its head and trace; free() releases it. */
struct rpc_frame *rpc_frame(bool ipc, const void *trace, size_t ntrace, const Cargocd__Rpc__Envelope *e)
    MUST_USE;

/* Cuts a stream of bytes into messages. */
struct rpc_reader {
    bool ipc;
    uint16_t peer; /* the protocol that the peer has to name */
    bool greeted;
    size_t from, to;     /* what of buf is not yet looked at */
    unsigned char *body; /* a message that does not fit buf, in the making */
    size_t body_size, body_have;
    unsigned char buf[RPC_READ_AHEAD];
};
void rpc_reader_init(struct rpc_reader *r, bool ipc, uint16_t peer);
void rpc_reader_dispose(struct rpc_reader *r);
/* Where the next bytes of the stream go; *n is at least 1 once rpc_reader_next answered 0. */
unsigned char *rpc_reader_space(struct rpc_reader *r, size_t *n);
void rpc_reader_added(struct rpc_reader *r, size_t n);
/* 1: *p and *n are a message, valid until the next call of this family. 0: more bytes are needed. Negative:
 * the peer does not speak this protocol, or a message is too large. The greeting is taken off before the
 * first message. */
int rpc_reader_next(struct rpc_reader *r, const unsigned char **p, size_t *n, err_t **err);

/* How many bytes of a message are its trace; 0: malformed. */
size_t rpc_trace_size(const unsigned char *p, size_t n);
uint32_t rpc_get32(const unsigned char *p);
void rpc_put32(unsigned char *p, uint32_t v);

/* ---- envelope ---- */

/* Decodes a message of any type from outside. What it may allocate is in proportion to n, so that a short
 * message of many empty elements cannot take the memory of the process. *out is freed with
 * protobuf_c_message_free_unpacked(*out, NULL). */
int rpc_unpack(const ProtobufCMessageDescriptor *type, const void *p, size_t n, ProtobufCMessage **out,
               err_t **err);
/* ERR_INVALID_ARGUMENT for what is not an envelope of one of the kinds with an id of 1 to RPC_ID_MAX bytes.
 */
int rpc_envelope_read(const void *p, size_t n, Cargocd__Rpc__Envelope **out, err_t **err);
static inline UNUSED void rpc_envelope_free(Cargocd__Rpc__Envelope *e)
{
    cargocd__rpc__envelope__free_unpacked(e, NULL);
}
AUTO_DECL(rpc_envelope_free_p, Cargocd__Rpc__Envelope, rpc_envelope_free)
/* The message packed; *out is the caller's. ERR_RESOURCE_EXHAUSTED over RPC_MAX_BODY. */
int rpc_pack(const ProtobufCMessage *m, unsigned char **out, size_t *n, err_t **err);

/* An error as it travels, and back (a code out of range becomes ERR_UNKNOWN). The text is borrowed from err.
 */
void rpc_error_init(Cargocd__Rpc__Error *e, err_t *err);
int rpc_error_read(const Cargocd__Rpc__Error *e, err_t **err);

#endif
