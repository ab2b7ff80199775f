/* One connection of the protocol argocd-live.v1 (dashboard specification, §3), without the socket: texts go
 * in, texts come out, time is passed in. */
#ifndef CARGOCD_API_LIVE_CONN_H
#define CARGOCD_API_LIVE_CONN_H

#include "api-server/live/live.h"

#define LIVE_PROTOCOL "argocd-live.v1"

enum {
    LIVE_MAX_SUBS = 64,
    LIVE_MAX_INPUT = 16 << 10,
    LIVE_MAX_MESSAGE = 8 << 20,
    LIVE_HEARTBEAT = 25, /* seconds */
};
enum live_close {
    CLOSE_NONE = 0,
    CLOSE_GOING_AWAY = 1001,
    CLOSE_EXPIRED = 4401,
    CLOSE_DISABLED = 4403,
    CLOSE_SLOW = 4408,
    CLOSE_PROTOCOL = 4409,
    CLOSE_TOO_MANY = 4429,
};

typedef struct live_conn live_conn_t;
/* wake(arg): there may be output or a reason to close; any thread, under the lock of live: it must only pass
 * it on. Takes a reference of the identity. The first message is there at once. */
live_conn_t *live_conn_new(live_t *l, identity_t *identity, void (*wake)(void *arg), void *arg) MUST_USE;
void live_conn_free(live_conn_t *c);
/* A whole message from the client. */
enum live_close live_conn_input(live_conn_t *c, const char *p, size_t n, mono_t now);
/* Appends the next message to *out; false when there is none now. */
bool live_conn_output(live_conn_t *c, str_t *out, mono_t now);
/* Nanoseconds until live_conn_output may have more; negative: not before a wake. */
int64_t live_conn_due(live_conn_t *c, mono_t now);
/* To be called every second or so: the session's end and revocation. */
enum live_close live_conn_check(live_conn_t *c, mono_t now, wall_t wall);
/* Bytes that the connection's subscriptions hold. */
size_t live_conn_memory(live_conn_t *c);
/* For the figures: the socket was closed because the client did not take what it was sent. */
void live_conn_was_slow(live_conn_t *c);

#endif
