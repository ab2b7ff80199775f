/* libwebsockets runs one service thread; other threads only queue sockets to adopt and set wake flags, and
 * call lws_cancel_service. Timers of a connection (its next frame, the stall limit) are one lws timer each.
 */
#include "api-server/live/ws.h"

#include "common/base/log.h"

#include <libwebsockets.h>
#include <strings.h>
#include <unistd.h>

enum { MAX_FRAME = 32 << 10 };
#define STALL_LIMIT SECONDS(30)
#define TICK        SECONDS(1)

struct peer {
    struct ws *ws;
    struct peer *prev, *next;
    struct lws *wsi; /* NULL until the handshake is done */
    live_conn_t *conn;
    identity_t *identity;
    str_t in;  /* a message under way */
    str_t out; /* the message being sent, behind LWS_PRE bytes */
    size_t sent;
    mono_t progress; /* when something was last sent, or there was nothing to send */
    mono_t next_tick;
    enum live_close closing;
    bool woken; /* with next_woken, under the lock of ws */
    struct peer *next_woken;
};

struct adoption {
    struct adoption *next;
    int fd;
    str_t head;
    struct peer *peer;
};

struct ws {
    live_t *live;
    struct lws_context *context;
    struct lws_vhost *vhost;
    pthread_t thread;
    struct peer *peers;        /* the service thread's */
    struct adoption *adopting; /* the service thread's: during the call */
    bool shutting_down;
    _Atomic bool stop;
    _Atomic size_t npeers;
    lock_t lock; /* of what follows */
    struct adoption *queue;
    struct peer *woken;
};

/* ---- peers ---- */

static void peer_wake(void *arg)
{
    struct peer *p = arg;
    ws_t *w = p->ws;
    {
        LOCKED(&w->lock);
        if (p->woken)
            return;
        p->woken = true;
        p->next_woken = w->woken;
        w->woken = p;
    }
    lws_cancel_service(w->context);
}

static struct peer *take_woken(ws_t *w)
{
    LOCKED(&w->lock);
    struct peer *p = w->woken;
    if (p) {
        w->woken = p->next_woken;
        p->woken = false;
    }
    return p;
}

static void forget_woken(struct peer *gone)
{
    LOCKED(&gone->ws->lock);
    for (struct peer **p = &gone->ws->woken; *p; p = &(*p)->next_woken)
        if (*p == gone) {
            *p = gone->next_woken;
            return;
        }
}

static struct peer *peer_new(ws_t *w, identity_t *identity)
{
    struct peer *p = xcalloc(1, sizeof *p);
    p->ws = w;
    p->identity = identity_ref(identity);
    w->npeers++;
    return p;
}

static void peer_free(struct peer *p)
{
    ws_t *w = p->ws;
    live_conn_free(p->conn);
    if (p->wsi) { /* it was established */
        *(p->prev ? &p->prev->next : &w->peers) = p->next;
        if (p->next)
            p->next->prev = p->prev;
        forget_woken(p);
    }
    identity_unref(p->identity);
    str_dispose(&p->in);
    str_dispose(&p->out);
    w->npeers--;
    free(p);
}

static void begin_close(struct peer *p, enum live_close code)
{
    if (p->closing || code == CLOSE_NONE)
        return;
    p->closing = code;
    if (code == CLOSE_SLOW)
        live_conn_was_slow(p->conn);
    lws_callback_on_writable(p->wsi);
    /* A client that does not even take the close frame is cut. */
    lws_set_timeout(p->wsi, PENDING_TIMEOUT_CLOSE_SEND, 10);
}

/* When to look at this connection again. */
static void schedule(struct peer *p)
{
    mono_t now = mono_now();
    int64_t due = p->out.len ? -1 : live_conn_due(p->conn, now);
    if (due == 0) {
        lws_callback_on_writable(p->wsi);
        due = -1;
    }
    int64_t tick = mono_left(p->next_tick);
    int64_t delay = due >= 0 && due < tick ? due : tick;
    lws_set_timer_usecs(p->wsi, (lws_usec_t)(delay / NS_PER_US) + 1);
}

static void on_timer(struct peer *p)
{
    mono_t now = mono_now();
    if (mono_cmp(now, p->next_tick) >= 0) {
        p->next_tick = mono_after(now, TICK);
        if (!p->out.len)
            p->progress = now;
        else if (now.ns - p->progress.ns > STALL_LIMIT)
            begin_close(p, CLOSE_SLOW);
        begin_close(p, live_conn_check(p->conn, now, wall_now()));
    }
    if (!p->closing)
        schedule(p);
}

/* ---- frames ---- */

/* The windows that the front has agreed on with the client (bridge.c). */
static void tune_compression(struct lws *wsi, bool client_window)
{
    if (client_window)
        lws_set_extension_option(wsi, "permessage-deflate", "client_max_window_bits", "10");
    lws_set_extension_option(wsi, "permessage-deflate", "server_max_window_bits", "12");
    lws_set_extension_option(wsi, "permessage-deflate", "mem_level", "5");
    lws_set_extension_option(wsi, "permessage-deflate", "rx_buf_size", "12");
    lws_set_extension_option(wsi, "permessage-deflate", "tx_buf_size", "12");
}

static int on_established(ws_t *w, struct lws *wsi, struct peer **slot)
{
    if (!w->adopting)
        return -1;
    struct peer *p = *slot = TAKE(w->adopting->peer);
    p->wsi = wsi;
    p->next = w->peers;
    if (p->next)
        p->next->prev = p;
    w->peers = p;
    p->in.max = LIVE_MAX_INPUT + 1;
    p->progress = mono_now();
    p->next_tick = mono_after(p->progress, TICK);
    p->conn = live_conn_new(w->live, p->identity, peer_wake, p);
    tune_compression(wsi, strstr(str_text(&w->adopting->head), "client_max_window_bits=10") != NULL);
    lws_callback_on_writable(wsi);
    schedule(p);
    return 0;
}

static bool next_message(struct peer *p)
{
    static const char room[LWS_PRE];
    str_add(&p->out, room, sizeof room);
    p->sent = 0;
    if (live_conn_output(p->conn, &p->out, mono_now()))
        return true;
    str_dispose(&p->out);
    return false;
}

/* One frame of the message at hand; a long message goes out in several. */
static int send_frame(struct peer *p)
{
    size_t total = p->out.len - LWS_PRE, n = min_size(total - p->sent, MAX_FRAME);
    unsigned char *at = (unsigned char *)p->out.p + LWS_PRE + p->sent;
    int flags = lws_write_ws_flags(LWS_WRITE_TEXT, p->sent == 0, p->sent + n == total);
    /* lws writes its header in front of the payload: what stands there has been sent already */
    if (lws_write(p->wsi, at, n, (enum lws_write_protocol)flags) < 0)
        return -1;
    p->sent += n;
    p->progress = mono_now();
    if (p->sent == total) {
        str_dispose(&p->out); /* an idle connection holds no buffer */
        p->sent = 0;
    }
    return 0;
}

static int close_now(struct peer *p)
{
    unsigned char none[1];
    lws_close_reason(p->wsi, (enum lws_close_status)p->closing, none, 0);
    return -1;
}

static int on_writable(struct peer *p)
{
    do {
        if (p->closing && !p->sent)
            return close_now(p);
        if (!p->out.len && !next_message(p))
            break;
        if (send_frame(p) < 0)
            return -1;
    } while (!lws_send_pipe_choked(p->wsi) && !lws_partial_buffered(p->wsi));
    if (p->out.len)
        lws_callback_on_writable(p->wsi);
    schedule(p);
    return 0;
}

static int on_receive(struct peer *p, const char *in, size_t n)
{
    if (p->closing)
        return 0;
    if (lws_is_first_fragment(p->wsi))
        str_reset(&p->in);
    str_add(&p->in, in, n);
    if (lws_frame_is_binary(p->wsi) || str_overflowed(&p->in) || p->in.len > LIVE_MAX_INPUT) {
        begin_close(p, CLOSE_PROTOCOL);
        return 0;
    }
    if (!lws_is_final_fragment(p->wsi) || lws_remaining_packet_payload(p->wsi))
        return 0;
    begin_close(p, live_conn_input(p->conn, str_text(&p->in), p->in.len, mono_now()));
    str_dispose(&p->in);
    p->in.max = LIVE_MAX_INPUT + 1;
    if (!p->closing)
        schedule(p);
    return 0;
}

/* ---- sockets from the front ---- */

static struct adoption *take_queue(ws_t *w)
{
    LOCKED(&w->lock);
    struct adoption *all = w->queue;
    w->queue = NULL;
    return all;
}

static void adoption_free(struct adoption *a)
{
    if (a->peer)
        peer_free(a->peer);
    close_p(&a->fd);
    str_dispose(&a->head);
    free(a);
}

static void adopt_all(ws_t *w)
{
    for (struct adoption *a = take_queue(w), *next; a; a = next) {
        next = a->next;
        if (!w->shutting_down) {
            int fd = a->fd;
            a->fd = -1;
            w->adopting = a; /* the handshake is done within the call */
            if (!lws_adopt_socket_vhost_readbuf(w->vhost, fd, a->head.p, a->head.len))
                log_debug(NULL, "websocket: a socket was not taken over");
            w->adopting = NULL;
        }
        adoption_free(a);
    }
}

static void wake_peers(ws_t *w)
{
    for (struct peer *p; (p = take_woken(w));)
        if (!p->closing)
            schedule(p);
}

static void begin_shutdown(ws_t *w)
{
    w->shutting_down = true;
    for (struct peer *p = w->peers; p; p = p->next)
        begin_close(p, CLOSE_GOING_AWAY);
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    ws_t *w = lws_context_user(lws_get_context(wsi));
    struct peer **slot = user, *p = slot ? *slot : NULL;
    switch ((int)reason) {
    case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
        adopt_all(w);
        wake_peers(w);
        if (w->stop && !w->shutting_down)
            begin_shutdown(w);
        return 0;
    case LWS_CALLBACK_HTTP:
        return -1; /* only upgrades come here */
    case LWS_CALLBACK_ESTABLISHED:
        return on_established(w, wsi, slot);
    case LWS_CALLBACK_RECEIVE:
        return p ? on_receive(p, in, len) : -1;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return p ? on_writable(p) : -1;
    case LWS_CALLBACK_TIMER:
        if (p)
            on_timer(p);
        return 0;
    case LWS_CALLBACK_CLOSED:
        if (p) {
            peer_free(p);
            *slot = NULL;
        }
        return 0;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {LIVE_PROTOCOL, callback, sizeof(struct peer *), 4096, 0, NULL, 0},
    {NULL, NULL, 0, 0, 0, NULL, 0},
};
static const struct lws_extension extensions[] = {
    {"permessage-deflate", lws_extension_callback_pm_deflate, "permessage-deflate"},
    {NULL, NULL, NULL},
};
static const lws_retry_bo_t liveness = {.secs_since_valid_ping = LIVE_HEARTBEAT,
                                        .secs_since_valid_hangup = 40};

/* ---- life ---- */

static void *serve(void *arg)
{
    ws_t *w = arg;
    while (!w->stop || w->npeers)
        if (lws_service(w->context, 0) < 0)
            break;
    return NULL;
}

static void quiet(int level, const char *line)
{
    log_debug(NULL, "libwebsockets: %.*s", (int)strcspn(line, "\n"), line);
}

int ws_new(live_t *live, ws_t **out, err_t **err)
{
    ws_t *w = xcalloc(1, sizeof *w);
    w->live = live;
    pthread_mutex_init(&w->lock, NULL);
    lws_set_log_level(LLL_ERR, quiet);
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .extensions = extensions,
        .user = w,
        .pt_serv_buf_size = 4096,
        .max_http_header_data = 1024,
        .max_http_header_pool = 16,
        .retry_and_idle_policy = &liveness,
        .fd_limit_per_thread = WS_MAX_CONNECTIONS + 16,
        .gid = (gid_t)-1,
        .uid = (uid_t)-1,
    };
    w->context = lws_create_context(&info);
    if (!w->context) {
        free(w);
        return err_set(err, ERR_INTERNAL, "start libwebsockets");
    }
    w->vhost = lws_get_vhost_by_name(w->context, "default");
    w->thread = thread_start("ws", serve, w);
    *out = w;
    return 0;
}

void ws_free(ws_t *w, int64_t grace_ns)
{
    if (!w)
        return;
    mono_t end = mono_after(mono_now(), grace_ns);
    w->stop = true;
    lws_cancel_service(w->context);
    while (w->npeers && mono_left(end))
        sleep_ns(MILLIS(10));
    w->npeers = 0; /* who has not gone by now is cut */
    lws_cancel_service(w->context);
    pthread_join(w->thread, NULL);
    for (struct adoption *a = take_queue(w), *next; a; a = next) {
        next = a->next;
        adoption_free(a);
    }
    lws_context_destroy(w->context);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

static void adopted(void *arg, int fd, const char *head, size_t n)
{
    struct adoption *a = arg;
    ws_t *w = a->peer->ws;
    if (fd < 0) {
        adoption_free(a);
        return;
    }
    a->fd = fd;
    str_add(&a->head, head, n);
    {
        LOCKED(&w->lock);
        a->next = w->queue;
        w->queue = a;
    }
    lws_cancel_service(w->context);
}

static bool lists_protocol(const struct web_request *r)
{
    VEC_FOREACH(&r->headers, it) {
        if (strcmp(it->name, "sec-websocket-protocol") != 0)
            continue;
        AUTO(strv_free_p) char **names = strv_split(it->value, ",", true);
        if (strv_contains(names, LIVE_PROTOCOL))
            return true;
    }
    return false;
}

static bool handshake_ok(const struct web_request *r)
{
    const char *key = headers_get(&r->headers, "sec-websocket-key");
    if (!str_eq(headers_get(&r->headers, "sec-websocket-version"), "13"))
        return false;
    return r->http2 || (key && strlen(key) == 24); /* over HTTP/2 there is no key (RFC 8441 §5) */
}

void ws_accept(ws_t *w, exchange_t *ex, identity_t *identity)
{
    const struct web_request *r = exchange_request(ex);
    if (!r->websocket || !handshake_ok(r) || !lists_protocol(r)) {
        exchange_header(ex, "Sec-WebSocket-Version", "13");
        exchange_reply_text(ex, 400, "text/plain; charset=utf-8",
                            "this is a WebSocket of " LIVE_PROTOCOL "\n");
        return;
    }
    if (w->npeers >= WS_MAX_CONNECTIONS || w->stop) {
        exchange_header(ex, "Retry-After", "10");
        exchange_reply_text(ex, 503, "text/plain; charset=utf-8", "too many connections\n");
        return;
    }
    struct adoption *a = xcalloc(1, sizeof *a);
    a->fd = -1;
    a->peer = peer_new(w, identity);
    exchange_websocket(ex, LIVE_PROTOCOL, adopted, a);
}
