/* Addresses of RPC, and the streams of nng that belong to them. Internal to common/net. */
#ifndef CARGOCD_NET_RPC_ENDPOINT_H
#define CARGOCD_NET_RPC_ENDPOINT_H

#include "common/base/thread.h"
#include "common/net/rpc_tls.h"

#include <nng/nng.h>

struct rpc_address {
    bool tls, ipc;
    char *url;  /* for nng: tcp:// or ipc:// */
    char *host; /* without brackets; "" for ipc and for any interface */
};
int rpc_address_parse(const char *text, struct rpc_address *out, err_t **err);
void rpc_address_dispose(struct rpc_address *a);

/* The certificates of one side, read again when their files change. */
struct rpc_identity {
    struct tls_files files; /* owned copies */
    struct tls_loaded loaded;
    SSL_CTX *context; /* NULL before the first load */
};
void rpc_identity_init(struct rpc_identity *id, const struct tls_files *files);
void rpc_identity_dispose(struct rpc_identity *id);
/* Reads the files if there is no context yet or they changed. 1: there is a new context; 0: nothing changed;
 * negative: the files cannot be used, and the context stays what it was. */
int rpc_identity_refresh(struct rpc_identity *id, err_t **err);

/* Listens; an ipc socket is readable and writable by its owner only. */
int rpc_listen(const struct rpc_address *a, nng_stream_listener **out, int *port, err_t **err);

#endif
