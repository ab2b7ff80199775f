#include "common/net/rpc_endpoint.h"

#include "common/net/rpc_conn.h"

int rpc_address_parse(const char *text, struct rpc_address *out, err_t **err)
{
    struct rpc_address a = {};
    const char *rest = str_after(str_or_empty(text), "ipc://");
    if (rest) {
        if (rest[0] != '/')
            return err_set(err, ERR_INVALID_ARGUMENT, "address '%s': ipc needs an absolute path", text);
        *out = (struct rpc_address){.ipc = true, .url = xstrdup(text), .host = xstrdup("")};
        return 0;
    }
    a.tls = (rest = str_after(str_or_empty(text), "tls+tcp://")) != NULL;
    if (!rest)
        rest = str_after(str_or_empty(text), "tcp://");
    const char *colon = rest ? strrchr(rest, ':') : NULL;
    uint64_t port;
    if (!colon || !str_to_u64(colon + 1, &port) || port > UINT16_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "address '%s' is none of tcp://host:port, tls+tcp://host:port, ipc:///path",
                       str_or_empty(text));
    a.url = xasprintf("tcp://%s", rest);
    bool brackets = rest[0] == '[' && colon[-1] == ']';
    a.host = brackets ? xstrndup(rest + 1, (size_t)(colon - rest) - 2)
                      : xstrndup(rest, (size_t)(colon - rest));
    *out = a;
    return 0;
}

void rpc_address_dispose(struct rpc_address *a)
{
    free(TAKE(a->url));
    free(TAKE(a->host));
}

void rpc_identity_init(struct rpc_identity *id, const struct tls_files *files)
{
    *id = (struct rpc_identity){.files = {xstrdup(files->cert), xstrdup(files->key), xstrdup(files->ca)}};
}

void rpc_identity_dispose(struct rpc_identity *id)
{
    free((char *)id->files.cert);
    free((char *)id->files.key);
    free((char *)id->files.ca);
    tls_loaded_dispose(&id->loaded);
    SSL_CTX_free(id->context);
    memset(id, 0, sizeof(*id));
}

int rpc_identity_refresh(struct rpc_identity *id, err_t **err)
{
    if (id->context && !tls_changed(&id->files, &id->loaded))
        return 0;
    struct tls_loaded loaded = {};
    SSL_CTX *context = NULL;
    int r = tls_load(&id->files, &loaded, err);
    if (r == 0)
        r = rpc_tls_context(&loaded, &context, err);
    if (r < 0) {
        tls_loaded_dispose(&loaded);
        return r;
    }
    tls_loaded_dispose(&id->loaded);
    SSL_CTX_free(id->context);
    id->loaded = loaded;
    id->context = context;
    return 1;
}

int rpc_listen(const struct rpc_address *a, nng_stream_listener **out, int *port, err_t **err)
{
    nng_stream_listener *l = NULL;
    int rv = nng_stream_listener_alloc(&l, a->url);
    if (rv == 0 && a->ipc)
        rv = nng_stream_listener_set_int(l, NNG_OPT_IPC_PERMISSIONS, 0600);
    if (rv == 0 && !a->ipc)
        rv = nng_stream_listener_set_bool(l, NNG_OPT_TCP_KEEPALIVE, true);
    if (rv == 0)
        rv = nng_stream_listener_listen(l);
    *port = 0;
    if (rv == 0 && !a->ipc)
        rv = nng_stream_listener_get_int(l, NNG_OPT_TCP_BOUND_PORT, port);
    if (rv != 0) {
        if (l)
            nng_stream_listener_free(l);
        return rpc_nng_error(err, rv, a->url);
    }
    *out = l;
    return 0;
}
