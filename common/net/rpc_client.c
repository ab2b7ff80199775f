#include "common/net/rpc_client.h"

#include "common/base/rand.h"

enum {
    DIAL_SECONDS = 10,
    GREETING_SECONDS = 10,
    FILES_SECONDS = 2, /* between looks at the certificate files */
    BACKOFF_MIN_MS = 50,
    BACKOFF_MAX_MS = 10000,
    EAGER_MS = 250, /* a call does not wait for a longer backoff than that */
    SILENT_SECONDS =
        10, /* with calls under way, after which the peer is asked whether it lives, and given up */
};
/* The number of messages whose answer nobody waits for; numbers of requests have a slot other than 0. */
#define NUMBER_NOBODY RPC_REQUEST_BIT

static const struct rpc_conn_events link_events;

/* ---- dialling; on the clock's thread ---- */

/* Under the lock. */
static void dial_later(rpc_client_t *c)
{
    int64_t wait = c->backoff_ns / 2 + (int64_t)random_below((uint64_t)c->backoff_ns / 2 + 1);
    c->next_dial = mono_after(mono_now(), wait);
    c->backoff_ns = c->backoff_ns * 2 < MILLIS(BACKOFF_MAX_MS) ? c->backoff_ns * 2 : MILLIS(BACKOFF_MAX_MS);
    rpc_timer_set(&c->timer, c->next_dial);
}

/* Under the lock. */
static void dial_failed(rpc_client_t *c, err_t *err)
{
    err_free(c->last_error);
    c->last_error = err_copy(err);
    c->tried = true;
    dial_later(c);
}

static void on_dial(void *arg)
{
    rpc_client_t *c = arg;
    LOCKED(&c->lock);
    c->dial_result = nng_aio_result(c->dial);
    c->dialed = c->dial_result == 0 ? nng_aio_get_output(c->dial, 0) : NULL;
    c->dialing = RPC_DIAL_ENDED;
    if (!c->closing)
        rpc_timer_set(&c->timer, mono_now());
}

static int dial_start(rpc_client_t *c, err_t **err)
{
    int r = c->address.tls ? rpc_identity_refresh(&c->identity, err) : 0;
    if (r < 0)
        return r;
    int rv = nng_stream_dialer_alloc(&c->dialer, c->address.url);
    if (rv == 0 && !c->address.ipc)
        rv = nng_stream_dialer_set_bool(c->dialer, NNG_OPT_TCP_KEEPALIVE, true);
    if (rv != 0)
        return rpc_nng_error(err, rv, "connect");
    if (nng_aio_alloc(&c->dial, on_dial, c) != 0)
        oom();
    nng_aio_set_timeout(c->dial, DIAL_SECONDS * 1000);
    nng_stream_dialer_dial(c->dialer, c->dial);
    return 0;
}

static void dial_dispose(rpc_client_t *c)
{
    if (c->dialer)
        nng_stream_dialer_close(c->dialer);
    if (c->dial) {
        nng_aio_stop(c->dial);
        nng_aio_free(TAKE(c->dial));
    }
    if (c->dialer)
        nng_stream_dialer_free(TAKE(c->dialer));
}

/* Under the lock. */
static void link_add(rpc_client_t *c, nng_stream *stream)
{
    struct rpc_link *l = xcalloc(1, sizeof(*l));
    l->client = c;
    l->pinged = MONO_NEVER;
    l->greet_by = mono_after(mono_now(), SECONDS(GREETING_SECONDS));
    l->conn = rpc_conn_new(&(struct rpc_conn_options){
        .stream = stream,
        .tls = c->address.tls ? rpc_tls_client(c->identity.context, c->server_name) : NULL,
        .ipc = c->address.ipc,
        .protocol = RPC_REQ,
        .peer = RPC_REP,
        .events = &link_events,
        .owner = l,
    });
    TAILQ_INSERT_TAIL(&c->links, l, link);
    rpc_conn_start(l->conn);
    rpc_timer_set(&c->timer, l->greet_by);
}

static void dial_finish(rpc_client_t *c)
{
    {
        LOCKED(&c->lock);
        if (c->dialing != RPC_DIAL_ENDED)
            return;
    }
    dial_dispose(c);
    LOCKED(&c->lock);
    c->dialing = RPC_DIAL_NONE;
    nng_stream *stream = TAKE(c->dialed);
    if (stream) {
        link_add(c, stream);
        return;
    }
    AUTO_ERR err = NULL;
    rpc_nng_error(&err, c->dial_result, "connect");
    dial_failed(c, err);
}

/* Whether a link is open, or on its way to be. */
static bool has_link(rpc_client_t *c)
{
    struct rpc_link *l;
    TAILQ_FOREACH(l, &c->links, link)
        if (!l->draining)
            return true;
    return false;
}

static bool dial_due(rpc_client_t *c, mono_t now)
{
    LOCKED(&c->lock);
    if (c->dialing != RPC_DIAL_NONE || c->closing || mono_cmp(c->next_dial, now) > 0)
        return false;
    if (c->renew && c->current) {
        c->current->draining = true; /* it takes calls until the new one is open */
        c->renew = false;
    }
    if (has_link(c))
        return false;
    c->dialing = RPC_DIAL_RUNS;
    c->last_dial = now;
    return true;
}

static void dial_if_due(rpc_client_t *c, mono_t now)
{
    if (!dial_due(c, now))
        return;
    AUTO_ERR err = NULL;
    if (dial_start(c, &err) == 0)
        return;
    dial_dispose(c);
    LOCKED(&c->lock);
    c->dialing = RPC_DIAL_NONE;
    dial_failed(c, err);
}

void rpc_client_wanted(rpc_client_t *c)
{
    mono_t soon = mono_after(c->last_dial, MILLIS(EAGER_MS));
    if (mono_cmp(soon, c->next_dial) < 0)
        c->next_dial = soon;
    rpc_timer_set(&c->timer, c->next_dial);
}

/* ---- links ---- */

static void link_opened(void *owner, rpc_conn_t *conn)
{
    struct rpc_link *l = owner;
    rpc_client_t *c = l->client;
    LOCKED(&c->lock);
    struct rpc_link *old = c->current;
    l->open = true;
    c->current = l;
    c->tried = true;
    c->backoff_ns = MILLIS(BACKOFF_MIN_MS);
    err_clear(&c->last_error);
    if (old && !old->requests)
        rpc_conn_close(old->conn);
    if (c->address.tls) {
        c->next_files = mono_after(mono_now(), SECONDS(FILES_SECONDS));
        rpc_timer_set(&c->timer, c->next_files);
    }
    rpc_requests_opened(c);
}

void rpc_link_released(struct rpc_link *l)
{
    l->requests--;
    if (!l->requests && l->client->current != l)
        rpc_conn_close(l->conn);
}

static void link_message(void *owner, rpc_conn_t *conn, const unsigned char *p, size_t n)
{
    struct rpc_link *l = owner;
    AUTO(rpc_envelope_free_p) Cargocd__Rpc__Envelope *e = NULL;
    if (rpc_trace_size(p, n) != 4) {
        rpc_conn_close(conn);
        return;
    }
    uint32_t number = rpc_get32(p);
    if (number == NUMBER_NOBODY)
        return;
    if (rpc_envelope_read(p + 4, n - 4, &e, NULL) < 0 || e->kind_case != CARGOCD__RPC__ENVELOPE__KIND_REPLY) {
        rpc_conn_close(conn);
        return;
    }
    LOCKED(&l->client->lock);
    rpc_requests_message(l->client, number, e);
}

static void link_closed(void *owner, rpc_conn_t *conn, err_t *err)
{
    struct rpc_link *l = owner;
    rpc_client_t *c = l->client;
    {
        LOCKED(&c->lock);
        if (c->current == l)
            c->current = NULL;
        TAILQ_REMOVE(&c->links, l, link);
        rpc_requests_lost(c, l, err);
        if (!c->closing && !l->open) {
            dial_failed(c, err);
        } else if (!c->closing && !c->current) {
            c->next_dial = mono_after(c->last_dial, MILLIS(EAGER_MS)); /* at once, but not in a loop */
            rpc_timer_set(&c->timer, c->next_dial);
        }
        pthread_cond_broadcast(&c->changed);
    }
    rpc_conn_unref(conn);
    free(l);
}

static const struct rpc_conn_events link_events = {link_opened, link_message, link_closed};

/* ---- the clock ---- */

static mono_t earlier(mono_t a, mono_t b)
{
    return mono_cmp(a, b) < 0 ? a : b;
}

static void ping(struct rpc_link *l)
{
    Cargocd__Rpc__Envelope e = CARGOCD__RPC__ENVELOPE__INIT;
    Cargocd__Rpc__Call call = CARGOCD__RPC__CALL__INIT;
    unsigned char trace[4];
    rpc_put32(trace, NUMBER_NOBODY);
    e.id.data = l->client->id_random;
    e.id.len = sizeof(l->client->id_random);
    e.kind_case = CARGOCD__RPC__ENVELOPE__KIND_CALL;
    e.call = &call;
    rpc_conn_send(l->conn, rpc_frame(l->client->address.ipc, trace, sizeof(trace), &e));
}

/* A peer whose machine is gone says nothing: with calls under way, it is asked, and given up. */
static mono_t watch_silence(struct rpc_link *l, mono_t now)
{
    mono_t heard = rpc_conn_heard(l->conn);
    if (!l->requests || mono_cmp(heard, l->pinged) > 0)
        l->pinged = MONO_NEVER;
    if (!l->requests)
        return MONO_NEVER;
    bool pinged = mono_cmp(l->pinged, MONO_NEVER) < 0;
    mono_t due = mono_after(pinged ? l->pinged : heard, SECONDS(SILENT_SECONDS));
    if (mono_cmp(due, now) > 0)
        return due;
    if (pinged) {
        rpc_conn_close(l->conn);
        return MONO_NEVER;
    }
    l->pinged = now;
    ping(l);
    return mono_after(now, SECONDS(SILENT_SECONDS));
}

static mono_t links_tick(rpc_client_t *c, mono_t now)
{
    mono_t next = MONO_NEVER;
    struct rpc_link *l;
    TAILQ_FOREACH(l, &c->links, link) {
        if (l->open)
            next = earlier(next, watch_silence(l, now));
        else if (mono_cmp(l->greet_by, now) > 0)
            next = earlier(next, l->greet_by);
        else
            rpc_conn_close(l->conn);
    }
    return next;
}

static void look_at_files(rpc_client_t *c, mono_t now)
{
    bool due;
    {
        LOCKED(&c->lock);
        due = c->current && mono_cmp(c->next_files, now) <= 0;
        if (due)
            c->next_files = mono_after(now, SECONDS(FILES_SECONDS));
    }
    if (!due || !c->identity.context || rpc_identity_refresh(&c->identity, NULL) <= 0)
        return;
    LOCKED(&c->lock);
    c->renew = true;
    c->next_dial = now;
}

static void tick(void *arg)
{
    rpc_client_t *c = arg;
    mono_t now = mono_now();
    dial_finish(c);
    if (c->address.tls)
        look_at_files(c, now);
    dial_if_due(c, now);
    LOCKED(&c->lock);
    mono_t next = earlier(links_tick(c, now), rpc_requests_tick(c, now));
    if (c->address.tls && c->current)
        next = earlier(next, c->next_files);
    if (c->dialing == RPC_DIAL_NONE && !has_link(c))
        next = earlier(next, c->next_dial);
    if (!c->closing && mono_cmp(next, MONO_NEVER) < 0)
        rpc_timer_set(&c->timer, next);
}

/* ---- life ---- */

int rpc_client_new(const struct rpc_client_options *o, rpc_client_t **out, err_t **err)
{
    rpc_client_t *c = xcalloc(1, sizeof(*c));
    int r = rpc_address_parse(o->address, &c->address, err);
    if (r == 0 && !c->address.ipc && str_empty(c->address.host))
        r = err_set(err, ERR_INVALID_ARGUMENT, "address '%s' has no host", o->address);
    if (r == 0 && c->address.tls && (!o->tls.cert || !o->tls.key || !o->tls.ca))
        r = err_set(err, ERR_INVALID_ARGUMENT, "address '%s' needs a certificate, its key and an authority",
                    o->address);
    if (r < 0) {
        rpc_address_dispose(&c->address);
        free(c);
        return r;
    }
    c->name = xstrdup(o->address);
    c->server_name = xstrdup(o->server_name ? o->server_name : c->address.host);
    rpc_identity_init(&c->identity, &o->tls);
    random_bytes(c->id_random, sizeof(c->id_random));
    pthread_mutex_init(&c->lock, NULL);
    cond_init(&c->changed);
    TAILQ_INIT(&c->links);
    TAILQ_INIT(&c->requests);
    c->backoff_ns = MILLIS(BACKOFF_MIN_MS);
    rpc_timer_init(&c->timer, tick, c);
    rpc_timer_set(&c->timer, mono_now());
    *out = c;
    return 0;
}

bool rpc_client_connected(rpc_client_t *c)
{
    LOCKED(&c->lock);
    return c->current != NULL;
}

bool rpc_client_tried(rpc_client_t *c)
{
    LOCKED(&c->lock);
    return c->tried;
}

static void client_close(rpc_client_t *c)
{
    LOCKED(&c->lock);
    c->closing = true;
    rpc_requests_cancel_all(c);
    while (c->nrequests)
        pthread_cond_wait(&c->changed, &c->lock);
}

static void close_links(rpc_client_t *c)
{
    LOCKED(&c->lock);
    struct rpc_link *l;
    TAILQ_FOREACH(l, &c->links, link)
        rpc_conn_close(l->conn);
    while (!TAILQ_EMPTY(&c->links))
        pthread_cond_wait(&c->changed, &c->lock);
}

void rpc_client_free(rpc_client_t *c)
{
    if (!c)
        return;
    client_close(c);
    rpc_timer_stop(&c->timer);
    dial_dispose(c);
    if (c->dialed) {
        nng_stream_close(c->dialed);
        nng_stream_free(c->dialed);
    }
    close_links(c);
    rpc_requests_dispose(c);
    rpc_identity_dispose(&c->identity);
    rpc_address_dispose(&c->address);
    err_free(c->last_error);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->changed);
    free(c->server_name);
    free(c->name);
    free(c);
}
