/* gRPC (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md) over HTTP/2 on Unix sockets: what
 * config management plugins speak with the repository server. Unary and client-streaming methods; messages
 * are bytes here, their meaning is the caller's.
 *
 * The daemons talk to one another over rpc.h, and the public API has its own engine: this is for peers on the
 * same machine that know nothing else. */
#ifndef CARGOCD_NET_GRPC_H
#define CARGOCD_NET_GRPC_H

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/str.h"

enum { GRPC_HEAD = 5, GRPC_MESSAGE_MAX = 100 << 20 };

/* ---- messages in a stream of bytes ---- */

struct grpc_reader {
    str_t partial;
    size_t max; /* of a message; 0: GRPC_MESSAGE_MAX */
};
typedef int (*grpc_message_fn)(void *arg, const char *p, size_t n, err_t **err);
/* Calls fn for each message that is whole; its error ends the reading. ERR_UNIMPLEMENTED: compressed;
 * ERR_RESOURCE_EXHAUSTED: over the maximum. */
int grpc_reader_feed(struct grpc_reader *r, const void *p, size_t n, grpc_message_fn fn, void *arg,
                     err_t **err);
void grpc_reader_dispose(struct grpc_reader *r);
/* What stands in front of a message of n bytes. */
void grpc_head(size_t n, char out[GRPC_HEAD]);

/* The header grpc-timeout: at most eight digits and a unit of H M S m u n. False when malformed. */
bool grpc_timeout_read(const char *text, int64_t *ns);
enum { GRPC_TIMEOUT_TEXT = 16 };
void grpc_timeout_write(int64_t ns, char out[GRPC_TIMEOUT_TEXT]);
/* The header grpc-message: percent-encoded. */
void grpc_message_escape(const char *text, str_t *out);
void grpc_message_unescape(const char *p, size_t n, str_t *out);

/* ---- client ---- */

/* One connection, one call at a time; blocks. Not thread-safe. */
typedef struct grpc_client grpc_client_t;
/* ERR_UNAVAILABLE: nobody listens there. */
int grpc_client_open(const char *socket_path, grpc_client_t **out, err_t **err);
/* A call under way is cancelled by it, as the server sees. */
void grpc_client_close(grpc_client_t *c);
AUTO_DECL(grpc_client_close_p, grpc_client_t, grpc_client_close)

struct grpc_exchange {
    const char *method;    /* "/package.Service/Method" */
    mono_t deadline;       /* told to the server, too */
    atomic_bool *canceled; /* may be NULL */
};
/* Begin, any number of sends, finish. After an error the connection serves no more; the error is the server's
 * when it gave one (a server may answer before all is sent). */
int grpc_begin(grpc_client_t *c, const struct grpc_exchange *x, err_t **err);
int grpc_send(grpc_client_t *c, const void *p, size_t n, err_t **err);
int grpc_finish(grpc_client_t *c, str_t *response, err_t **err);
int grpc_unary(grpc_client_t *c, const struct grpc_exchange *x, const void *p, size_t n, str_t *response,
               err_t **err);

/* ---- server ---- */

typedef struct grpc_server grpc_server_t;

/* What is known of a call while it is served. */
struct grpc_call_info {
    void *ctx; /* the options' */
    bool has_deadline;
    mono_t deadline;
    atomic_bool *canceled; /* becomes true when the client has gone or wants it no more */
};
struct grpc_method {
    const char *path;
    /* A message of the request; *state is the method's own, NULL at first. On the connection's thread: quick.
     * NULL: the messages are not looked at. */
    int (*on_message)(const struct grpc_call_info *call, void **state, const char *p, size_t n, err_t **err);
    /* The request is whole. On a thread of its own. */
    int (*run)(const struct grpc_call_info *call, void *state, str_t *response, err_t **err);
    void (*state_free)(void *state); /* may be NULL */
};
struct grpc_server_options {
    const char *socket_path; /* made anew */
    unsigned mode;           /* of the socket; 0: as the umask says */
    const struct grpc_method *methods;
    size_t nmethods;
    void *ctx;
    size_t max_connections; /* 0: 256 */
    size_t max_calls;       /* of a connection at a time; 0: 64 */
};
/* Also answers grpc.health.v1.Health/Check. */
int grpc_server_start(const struct grpc_server_options *options, grpc_server_t **out, err_t **err);
/* Cancels what is under way, waits for it, removes the socket. */
void grpc_server_free(grpc_server_t *s);

#endif
