/* WebSockets of argocd-live.v1: libwebsockets moves frames, conn.h says what is in them. One thread. */
#ifndef CARGOCD_API_LIVE_WS_H
#define CARGOCD_API_LIVE_WS_H

#include "api-server/http/exchange.h"
#include "api-server/live/conn.h"

typedef struct ws ws_t;
enum { WS_MAX_CONNECTIONS = 5000 };
int ws_new(live_t *live, ws_t **out, err_t **err);
/* Closes all with 1001, waits up to the grace for the closing handshakes, frees. */
void ws_free(ws_t *w, int64_t grace_ns);
/* Takes the exchange of a request that asked for an upgrade and was authenticated: checks the handshake,
 * answers. */
void ws_accept(ws_t *w, exchange_t *ex_take, identity_t *identity);

#endif
