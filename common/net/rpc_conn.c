#include "common/net/rpc_conn.h"

#include <stdatomic.h>

enum {
    QUEUE_HIGH = 8 << 20, /* bytes waiting to be written at which reading stops */
    QUEUE_LOW = 2 << 20,
    RAW_SIZE = 16 << 10,  /* one record of TLS */
    SEAL_SIZE = 64 << 10, /* encrypted at a time */
    STALL_MS = 60 * 1000, /* a peer that takes nothing for so long is gone */
    IOV_MAX_FRAMES = 8,   /* what nng takes */
};

struct rpc_conn {
    atomic_int refs;
    nng_stream *stream;
    nng_aio *rx, *tx;
    bool ipc, throttled;
    const struct rpc_conn_events *events;
    void *owner;
    struct rpc_reader reader; /* of the reading callback, as is raw */
    unsigned char *raw;
    atomic_llong heard;

    lock_t lock; /* guards what follows */
    rpc_tls_t *tls;
    struct rpc_frame *queue, **queue_end;
    size_t queued, sent;   /* bytes in the queue; of its first frame that are written */
    unsigned char *sealed; /* being written, with TLS */
    size_t sealed_size, sealed_sent;
    bool sending, closing, paused;
};

static void on_rx(void *arg);
static void on_tx(void *arg);

int rpc_nng_error(err_t **err, int rv, const char *what)
{
    enum err_code code = rv == NNG_EADDRINVAL || rv == NNG_EINVAL ? ERR_INVALID_ARGUMENT
                         : rv == NNG_EPERM                        ? ERR_PERMISSION_DENIED
                                                                  : ERR_UNAVAILABLE;
    return err_set(err, code, "%s: %s", what, nng_strerror(rv));
}

rpc_conn_t *rpc_conn_new(const struct rpc_conn_options *o)
{
    rpc_conn_t *c = xcalloc(1, sizeof(*c));
    c->refs = 1;
    c->stream = o->stream;
    c->tls = o->tls;
    c->ipc = o->ipc;
    c->throttled = o->throttled;
    c->events = o->events;
    c->owner = o->owner;
    c->queue_end = &c->queue;
    c->heard = mono_now().ns;
    pthread_mutex_init(&c->lock, NULL);
    rpc_reader_init(&c->reader, o->ipc, o->peer);
    if (c->tls)
        c->raw = xmalloc(RAW_SIZE);
    if (nng_aio_alloc(&c->rx, on_rx, c) != 0 || nng_aio_alloc(&c->tx, on_tx, c) != 0)
        oom();
    nng_aio_set_timeout(c->rx, NNG_DURATION_INFINITE);
    nng_aio_set_timeout(c->tx, STALL_MS);
    struct rpc_frame *hello = rpc_hello(o->protocol);
    *c->queue_end = hello;
    c->queue_end = &hello->next;
    c->queued = hello->n;
    return c;
}

rpc_conn_t *rpc_conn_ref(rpc_conn_t *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

/* The last reference may go in a callback of the aios themselves: nng's reaper frees them after it. */
void rpc_conn_unref(rpc_conn_t *c)
{
    if (!c || atomic_fetch_sub(&c->refs, 1) > 1)
        return;
    nng_aio_reap(c->rx);
    nng_aio_reap(c->tx);
    nng_stream_free(c->stream);
    rpc_tls_free(c->tls);
    rpc_reader_dispose(&c->reader);
    for (struct rpc_frame *f; (f = c->queue);) {
        c->queue = f->next;
        free(f);
    }
    free(c->raw);
    free(c->sealed);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* Under the lock. */
static void close_stream(rpc_conn_t *c)
{
    if (c->closing)
        return;
    c->closing = true;
    if (c->paused)
        nng_sleep_aio(0, c->rx); /* nothing is posted: this makes the reading end */
    nng_stream_close(c->stream);
}

/* ---- writing; all of it under the lock ---- */

static void write_iov(rpc_conn_t *c, const nng_iov *iov, unsigned n)
{
    nng_aio_set_iov(c->tx, n, iov);
    c->sending = true;
    rpc_conn_ref(c);
    nng_stream_send(c->stream, c->tx);
}

static void queue_written(rpc_conn_t *c, size_t n)
{
    c->queued -= n;
    c->sent += n;
    while (c->queue && c->sent >= c->queue->n) {
        struct rpc_frame *f = c->queue;
        c->sent -= f->n;
        c->queue = f->next;
        if (!c->queue)
            c->queue_end = &c->queue;
        free(f);
    }
}

static void write_plain(rpc_conn_t *c)
{
    nng_iov iov[IOV_MAX_FRAMES];
    unsigned n = 0;
    size_t skip = c->sent;
    for (struct rpc_frame *f = c->queue; f && n < IOV_MAX_FRAMES; f = f->next, skip = 0)
        iov[n++] = (nng_iov){.iov_buf = f->data + skip, .iov_len = f->n - skip};
    if (n)
        write_iov(c, iov, n);
}

static void seal(rpc_conn_t *c)
{
    size_t room = SEAL_SIZE;
    while (c->queue && room && rpc_tls_ready(c->tls)) {
        size_t n = min_size(c->queue->n - c->sent, room);
        if (rpc_tls_write(c->tls, c->queue->data + c->sent, n, NULL) < 0) {
            close_stream(c);
            return;
        }
        queue_written(c, n);
        room -= n;
    }
}

static void write_sealed(rpc_conn_t *c)
{
    if (!c->sealed) {
        seal(c);
        c->sealed = rpc_tls_take(c->tls, &c->sealed_size);
        c->sealed_sent = 0;
    }
    if (c->sealed && !c->closing) {
        nng_iov iov = {.iov_buf = c->sealed + c->sealed_sent, .iov_len = c->sealed_size - c->sealed_sent};
        write_iov(c, &iov, 1);
    }
}

static void write_more(rpc_conn_t *c)
{
    if (c->sending || c->closing)
        return;
    if (c->tls)
        write_sealed(c);
    else
        write_plain(c);
}

static void written(rpc_conn_t *c, size_t n)
{
    if (!c->tls) {
        queue_written(c, n);
        return;
    }
    c->sealed_sent += n;
    if (c->sealed_sent == c->sealed_size)
        free(TAKE(c->sealed));
}

/* ---- reading ---- */

/* Under the lock, not closing. */
static void post(rpc_conn_t *c)
{
    nng_iov iov;
    size_t n = RAW_SIZE;
    iov.iov_buf = c->tls ? c->raw : rpc_reader_space(&c->reader, &n);
    iov.iov_len = n;
    nng_aio_set_iov(c->rx, 1, &iov);
    nng_stream_recv(c->stream, c->rx);
}

static void on_tx(void *arg)
{
    AUTO(rpc_conn_unref_p) rpc_conn_t *c = arg;
    int rv = nng_aio_result(c->tx);
    {
        LOCKED(&c->lock); /* to be released before the reference */
        c->sending = false;
        if (rv != 0) {
            close_stream(c);
            return;
        }
        written(c, nng_aio_count(c->tx));
        write_more(c);
        if (c->paused && c->queued < QUEUE_LOW && !c->closing) {
            c->paused = false;
            post(c);
        }
    }
}

static void finish(rpc_conn_t *c, err_t *err)
{
    rpc_conn_close(c);
    c->events->closed(c->owner, c, err);
    rpc_conn_unref(c);
}

/* Hands out the messages that are whole. */
static int deliver(rpc_conn_t *c, err_t **err)
{
    for (;;) {
        const unsigned char *p;
        size_t n;
        bool greeted = c->reader.greeted;
        int got = rpc_reader_next(&c->reader, &p, &n, err);
        if (!greeted && c->reader.greeted)
            c->events->opened(c->owner, c);
        if (got <= 0)
            return got;
        c->events->message(c->owner, c, p, n);
    }
}

/* What TLS makes of the bytes in raw. */
static int unseal(rpc_conn_t *c, size_t n, err_t **err)
{
    for (bool fed = false;; fed = true) {
        size_t room;
        unsigned char *p = rpc_reader_space(&c->reader, &room);
        ssize_t got;
        {
            LOCKED(&c->lock);
            if (!fed)
                rpc_tls_feed(c->tls, c->raw, n);
            got = rpc_tls_read(c->tls, p, room, err);
            write_more(c); /* the handshake's answers, and what waited for it */
        }
        if (got <= 0)
            return (int)got;
        rpc_reader_added(&c->reader, (size_t)got);
        int r = deliver(c, err);
        if (r < 0)
            return r;
    }
}

static int received(rpc_conn_t *c, err_t **err)
{
    size_t n = nng_aio_count(c->rx);
    int rv = nng_aio_result(c->rx);
    if (rv != 0 || n == 0)
        return rpc_nng_error(err, rv ? rv : NNG_ECONNSHUT, "connection lost");
    atomic_store(&c->heard, mono_now().ns);
    if (c->tls)
        return unseal(c, n, err);
    rpc_reader_added(&c->reader, n);
    return deliver(c, err);
}

static void on_rx(void *arg)
{
    rpc_conn_t *c = arg;
    AUTO_ERR err = NULL;
    int r = received(c, &err);
    if (r == 0) {
        LOCKED(&c->lock);
        if (!c->closing) {
            c->paused = c->throttled && c->queued > QUEUE_HIGH;
            if (!c->paused)
                post(c);
            return;
        }
    }
    if (!err)
        err_set(&err, ERR_UNAVAILABLE, "connection closed");
    finish(c, err);
}

void rpc_conn_start(rpc_conn_t *c)
{
    LOCKED(&c->lock);
    rpc_conn_ref(c);
    if (c->tls)
        rpc_tls_read(c->tls, c->raw, RAW_SIZE, NULL); /* a client speaks first */
    write_more(c);
    post(c);
}

void rpc_conn_close(rpc_conn_t *c)
{
    LOCKED(&c->lock);
    close_stream(c);
}

void rpc_conn_send(rpc_conn_t *c, struct rpc_frame *f)
{
    LOCKED(&c->lock);
    if (c->closing) {
        free(f);
        return;
    }
    *c->queue_end = f;
    c->queue_end = &f->next;
    c->queued += f->n;
    write_more(c);
}

bool rpc_conn_ipc(const rpc_conn_t *c)
{
    return c->ipc;
}

bool rpc_conn_flushed(rpc_conn_t *c)
{
    LOCKED(&c->lock);
    return c->closing || (!c->queued && !c->sending);
}

mono_t rpc_conn_heard(const rpc_conn_t *c)
{
    return (mono_t){atomic_load(&c->heard)};
}
