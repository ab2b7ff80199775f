#include "common/net/rpc_server.h"

#include "common/base/enc.h"
#include "common/base/log.h"

enum {
    DEFAULT_CALLS = 256,
    MAX_PEERS = 1024,
    GREETING_SECONDS = 10,
    FILES_SECONDS = 2,      /* between looks at the certificate files */
    AUTHORITY_SECONDS = 60, /* in which clients of an old authority come back by themselves */
    FLUSH_MILLIS = 1000,
};

/* ---- answers ---- */

void rpc_respond(const struct rpc_asker *to, const char *key, const struct rpc_answer *answer)
{
    Cargocd__Rpc__Envelope e = CARGOCD__RPC__ENVELOPE__INIT;
    Cargocd__Rpc__Reply reply = CARGOCD__RPC__REPLY__INIT;
    Cargocd__Rpc__Error error;
    unsigned char id[RPC_ID_MAX];
    e.id.len = strlen(key) / 2;
    e.id.data = id;
    hex_decode(key, e.id.len * 2, id);
    e.kind_case = CARGOCD__RPC__ENVELOPE__KIND_REPLY;
    e.reply = &reply;
    if (answer->error) {
        rpc_error_init(&error, answer->error);
        reply.error = &error;
        reply.refused = answer->refused;
    } else {
        reply.body.data = (unsigned char *)answer->body;
        reply.body.len = answer->n;
        reply.body_size = answer->total;
    }
    rpc_conn_send(to->conn, rpc_frame(rpc_conn_ipc(to->conn), to->trace, to->ntrace, &e));
}

void rpc_refuse(const struct rpc_asker *to, const char *key, enum err_code code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTO(free_p) char *text = xvasprintf(fmt, ap);
    va_end(ap);
    AUTO_ERR err = NULL;
    err_set(&err, code, "%s", text);
    rpc_respond(to, key, &(struct rpc_answer){.error = err, .refused = true});
}

static void health(rpc_server_t *s, const struct rpc_asker *from, const char *key)
{
    bool stopping;
    {
        LOCKED(&s->lock);
        stopping = s->stopping;
    }
    if (stopping)
        rpc_refuse(from, key, ERR_UNAVAILABLE, "%s is stopping", s->name);
    else
        rpc_respond(from, key, &(struct rpc_answer){});
}

/* ---- connections ---- */

static void peer_opened(void *owner, rpc_conn_t *conn)
{
    struct rpc_peer *p = owner;
    LOCKED(&p->server->lock);
    p->greet_by = MONO_NEVER;
}

static void dispatch(rpc_server_t *s, const struct rpc_asker *from, Cargocd__Rpc__Envelope *e)
{
    char key[RPC_KEY_TEXT];
    hex_encode(e->id.data, e->id.len, key);
    switch (e->kind_case) {
    case CARGOCD__RPC__ENVELOPE__KIND_CALL:
        if (str_empty(e->call->method))
            health(s, from, key);
        else
            rpc_call_begin(s, from, key, e->call);
        return;
    case CARGOCD__RPC__ENVELOPE__KIND_CANCEL:
        rpc_call_cancel_by_key(s, key);
        rpc_respond(from, key, &(struct rpc_answer){});
        return;
    case CARGOCD__RPC__ENVELOPE__KIND_CHUNK_GET:
        rpc_piece_get(s, from, key, e->chunk_get->offset);
        return;
    case CARGOCD__RPC__ENVELOPE__KIND_CHUNK_PUT:
        rpc_piece_put(s, from, key, e->chunk_put);
        return;
    default:
        rpc_refuse(from, key, ERR_INVALID_ARGUMENT, "a reply is not a request");
    }
}

static void peer_message(void *owner, rpc_conn_t *conn, const unsigned char *p, size_t n)
{
    struct rpc_peer *peer = owner;
    struct rpc_asker from = {.conn = conn, .ntrace = rpc_trace_size(p, n)};
    if (!from.ntrace) {
        rpc_conn_close(conn);
        return;
    }
    memcpy(from.trace, p, from.ntrace);
    AUTO(rpc_envelope_free_p) Cargocd__Rpc__Envelope *e = NULL;
    AUTO_ERR err = NULL;
    if (rpc_envelope_read(p + from.ntrace, n - from.ntrace, &e, &err) < 0)
        rpc_respond(&from, "", &(struct rpc_answer){.error = err});
    else
        dispatch(peer->server, &from, e);
}

static void peer_closed(void *owner, rpc_conn_t *conn, err_t *err)
{
    struct rpc_peer *p = owner;
    rpc_server_t *s = p->server;
    {
        LOCKED(&s->lock);
        rpc_calls_lost(s, conn);
        rpc_uploads_lost(s, conn);
        TAILQ_REMOVE(&s->peers, p, link);
        s->npeers--;
        pthread_cond_broadcast(&s->changed);
    }
    rpc_conn_unref(conn);
    free(p);
}

static const struct rpc_conn_events peer_events = {peer_opened, peer_message, peer_closed};

static void peer_add(rpc_server_t *s, nng_stream *stream)
{
    LOCKED(&s->lock);
    if (s->stopping || s->npeers >= MAX_PEERS) {
        nng_stream_close(stream);
        nng_stream_free(stream);
        return;
    }
    struct rpc_peer *p = xcalloc(1, sizeof(*p));
    p->server = s;
    p->greet_by = mono_after(mono_now(), SECONDS(GREETING_SECONDS));
    p->authority = s->authority;
    p->conn = rpc_conn_new(&(struct rpc_conn_options){
        .stream = stream,
        .tls = s->identity.context ? rpc_tls_server(s->identity.context) : NULL,
        .ipc = s->address.ipc,
        .protocol = RPC_REP,
        .peer = RPC_REQ,
        .throttled = true,
        .events = &peer_events,
        .owner = p,
    });
    TAILQ_INSERT_TAIL(&s->peers, p, link);
    s->npeers++;
    rpc_conn_start(p->conn);
    rpc_timer_set(&s->timer, p->greet_by);
}

static void on_accept(void *arg)
{
    rpc_server_t *s = arg;
    int rv = nng_aio_result(s->accept);
    if (s->accept_waiting)
        s->accept_waiting = false;
    else if (rv == 0)
        peer_add(s, nng_aio_get_output(s->accept, 0));
    {
        LOCKED(&s->lock);
        if (s->stopping)
            return;
    }
    /* Out of descriptors, most likely: it passes. */
    s->accept_waiting = rv != 0 && rv != NNG_ECONNABORTED && rv != NNG_ECONNRESET;
    if (s->accept_waiting)
        nng_sleep_aio(100, s->accept);
    else
        nng_stream_listener_accept(s->listener, s->accept);
}

/* ---- the clock ---- */

/* Connections of an authority that is no longer trusted end once they are idle. */
static mono_t close_old(rpc_server_t *s, mono_t now)
{
    mono_t due = mono_after(s->authority_since, SECONDS(AUTHORITY_SECONDS));
    mono_t next = MONO_NEVER;
    struct rpc_peer *p;
    TAILQ_FOREACH(p, &s->peers, link) {
        if (p->authority == s->authority)
            continue;
        if (mono_cmp(due, now) <= 0 && !rpc_calls_use(s, p->conn))
            rpc_conn_close(p->conn);
        else
            next = mono_after(now, SECONDS(FILES_SECONDS));
    }
    return next;
}

static mono_t earlier(mono_t a, mono_t b)
{
    return mono_cmp(a, b) < 0 ? a : b;
}

static mono_t peers_tick(rpc_server_t *s, mono_t now)
{
    mono_t next = close_old(s, now);
    struct rpc_peer *p;
    TAILQ_FOREACH(p, &s->peers, link) {
        if (mono_cmp(p->greet_by, now) > 0)
            next = earlier(next, p->greet_by);
        else
            rpc_conn_close(p->conn);
    }
    return next;
}

/* New connections use the new files from here on; those that exist go on with what they have. */
static void look_at_files(rpc_server_t *s)
{
    if (!tls_changed(&s->identity.files, &s->identity.loaded))
        return;
    struct rpc_identity fresh;
    rpc_identity_init(&fresh, &s->identity.files);
    AUTO_ERR err = NULL;
    if (rpc_identity_refresh(&fresh, &err) < 0) {
        log_debug(LOGF({"server", s->name}), "%s", err_text(err));
    } else {
        LOCKED(&s->lock);
        if (!str_same(fresh.loaded.ca_pem, s->identity.loaded.ca_pem)) {
            s->authority++;
            s->authority_since = mono_now();
        }
        struct rpc_identity old = s->identity;
        s->identity = fresh;
        fresh = old;
    }
    rpc_identity_dispose(&fresh);
}

static void tick(void *arg)
{
    rpc_server_t *s = arg;
    mono_t next = MONO_NEVER;
    if (s->address.tls) {
        look_at_files(s);
        next = mono_after(mono_now(), SECONDS(FILES_SECONDS));
    }
    {
        LOCKED(&s->lock);
        mono_t now = mono_now();
        next = earlier(next, rpc_calls_tick(s, now));
        next = earlier(next, rpc_uploads_tick(s, now));
        next = earlier(next, peers_tick(s, now));
    }
    if (mono_cmp(next, MONO_NEVER) < 0)
        rpc_timer_set(&s->timer, next);
}

/* ---- life ---- */

static void server_dispose(rpc_server_t *s)
{
    if (s->accept)
        nng_aio_free(s->accept);
    if (s->listener)
        nng_stream_listener_free(s->listener);
    pool_free(s->cancel_pool);
    rpc_calls_dispose(s);
    rpc_identity_dispose(&s->identity);
    rpc_address_dispose(&s->address);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    free(s->methods);
    free(s->name);
    free(s);
}

static rpc_server_t *server_new(const struct rpc_server_options *o)
{
    rpc_server_t *s = xcalloc(1, sizeof(*s));
    s->name = xstrdup(o->name ? o->name : "rpc");
    s->ctx = o->ctx;
    s->nmethods = o->nmethods;
    s->methods = xcalloc(max_size(o->nmethods, 1), sizeof(*s->methods));
    if (o->nmethods)
        memcpy(s->methods, o->methods, o->nmethods * sizeof(*s->methods));
    s->max_calls = o->max_calls ? o->max_calls : DEFAULT_CALLS;
    pthread_mutex_init(&s->lock, NULL);
    cond_init(&s->changed);
    TAILQ_INIT(&s->peers);
    TAILQ_INIT(&s->running);
    TAILQ_INIT(&s->done);
    rpc_uploads_init(s);
    s->cancel_pool = pool_new("rpc-cancel", 1, s->max_calls * 2 + 64);
    rpc_identity_init(&s->identity, &o->tls);
    rpc_timer_init(&s->timer, tick, s);
    return s;
}

int rpc_server_start(const struct rpc_server_options *options, rpc_server_t **out, err_t **err)
{
    rpc_server_t *s = server_new(options);
    int r = rpc_address_parse(options->address, &s->address, err);
    if (r == 0 && s->address.tls && (r = rpc_identity_refresh(&s->identity, err)) > 0)
        r = 0;
    if (r == 0)
        r = rpc_listen(&s->address, &s->listener, &s->port, err);
    if (r < 0) {
        server_dispose(s);
        return err_wrap(err, "start %s", str_or_empty(options->name));
    }
    if (nng_aio_alloc(&s->accept, on_accept, s) != 0)
        oom();
    nng_aio_set_timeout(s->accept, NNG_DURATION_INFINITE);
    nng_stream_listener_accept(s->listener, s->accept);
    if (s->address.tls)
        rpc_timer_set(&s->timer, mono_after(mono_now(), SECONDS(FILES_SECONDS)));
    *out = s;
    return 0;
}

int rpc_server_port(const rpc_server_t *s)
{
    return s->port;
}

static void stop_listening(rpc_server_t *s)
{
    {
        LOCKED(&s->lock);
        s->stopping = true;
    }
    nng_stream_listener_close(s->listener);
    nng_aio_stop(s->accept);
}

static void finish_calls(rpc_server_t *s, int64_t grace_ns)
{
    LOCKED(&s->lock);
    mono_t until = mono_after(mono_now(), grace_ns);
    while (s->nrunning && cond_wait_until(&s->changed, &s->lock, until))
        ;
    rpc_calls_cancel_all(s);
    while (s->nrunning)
        pthread_cond_wait(&s->changed, &s->lock);
}

static bool flushed(rpc_server_t *s)
{
    LOCKED(&s->lock);
    struct rpc_peer *p;
    TAILQ_FOREACH(p, &s->peers, link)
        if (!rpc_conn_flushed(p->conn))
            return false;
    return true;
}

static void close_peers(rpc_server_t *s)
{
    mono_t until = mono_after(mono_now(), MILLIS(FLUSH_MILLIS));
    while (!flushed(s) && mono_left(until))
        sleep_ns(MILLIS(2));
    LOCKED(&s->lock);
    struct rpc_peer *p;
    TAILQ_FOREACH(p, &s->peers, link)
        rpc_conn_close(p->conn);
    while (s->npeers)
        pthread_cond_wait(&s->changed, &s->lock);
}

void rpc_server_free(rpc_server_t *s, int64_t grace_ns)
{
    if (!s)
        return;
    stop_listening(s);
    finish_calls(s, grace_ns);
    rpc_timer_stop(&s->timer);
    close_peers(s);
    server_dispose(s);
}
