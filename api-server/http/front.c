/* One loop, level-triggered epoll. A connection goes through three stages: its first bytes tell TLS from
 * plain text; TLS is shaken hands with; then an engine (h1.c, h2.c) owns its bytes. Answers come from other
 * threads through front_post: a list and an eventfd. A connection that dies is freed at the end of the turn,
 * because events of the same turn may still name it. Limits in time are looked at once a second, and only
 * while there are connections. */
#include "api-server/http/front_impl.h"

#include "common/base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static const char h2_preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
enum { PREFACE_SIZE = sizeof h2_preface - 1 };

/* ---- epoll ---- */

void front_watch(front_t *f, int fd, struct source *s, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = s};
    epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, fd, &e);
}

void front_rewatch(front_t *f, int fd, struct source *s, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = s};
    epoll_ctl(f->epoll_fd, EPOLL_CTL_MOD, fd, &e);
}

void front_unwatch(front_t *f, int fd)
{
    epoll_ctl(f->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

static void conn_arm(conn_t *c)
{
    uint32_t events = 0;
    if ((!c->paused && !c->closing && !c->peer_closed) || c->tls_wants_read)
        events |= EPOLLIN;
    if (conn_pending(c) || c->tls_wants_write || c->more)
        events |= EPOLLOUT;
    if (!c->peer_closed)
        events |= EPOLLRDHUP;
    if (events != c->armed)
        front_rewatch(c->front, c->fd, &c->source, c->armed = events);
}

/* ---- life of a connection ---- */

void conn_kill(conn_t *c)
{
    if (c->dead)
        return;
    c->dead = true;
    front_t *f = c->front;
    if (c->engine)
        c->engine->close(c);
    if (c->prev)
        c->prev->next = c->next;
    else
        f->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    if (c->fd >= 0) {
        front_unwatch(f, c->fd);
        if (c->ssl && c->stage == CONN_OPEN) {
            ERR_clear_error();
            SSL_shutdown(c->ssl); /* says goodbye if the socket takes it */
        }
    }
    SSL_free(c->ssl);
    close_p(&c->fd);
    str_dispose(&c->first);
    str_dispose(&c->out);
    f->nconns--;
    front_discard(f, c);
}

void front_discard(front_t *f, void *p)
{
    VEC_PUSH(&f->discarded, p);
}

static void bury(front_t *f)
{
    VEC_FOREACH(&f->discarded, it)
        free(*it);
    f->discarded.n = 0;
}

void conn_wait(conn_t *c, enum conn_wait what)
{
    const struct front_options *o = &c->front->options;
    int64_t limit = what == WAIT_HEAD   ? o->head_timeout_ns
                    : what == WAIT_BODY ? o->body_timeout_ns
                                        : o->idle_timeout_ns;
    c->wait = what;
    c->deadline = what == WAIT_NOTHING ? MONO_NEVER : mono_after(c->front->now, limit);
}

void conn_pause(conn_t *c, bool paused)
{
    c->paused = paused;
}

void conn_finish(conn_t *c)
{
    c->closing = true;
}

void conn_write(conn_t *c, const void *p, size_t n)
{
    if (!conn_pending(c)) {
        c->write_progress = c->front->now;
        str_reset(&c->out);
        c->out_at = 0;
    } else if (c->out_at > OUT_LOW) {
        str_consume(&c->out, c->out_at);
        c->out_at = 0;
    }
    str_add(&c->out, p, n);
}

/* ---- moving bytes ---- */

/* The result of a TLS call: whether it may be tried again when the socket is ready. */
static bool tls_again(conn_t *c, int rc)
{
    switch (SSL_get_error(c->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        c->tls_wants_read = true;
        return true;
    case SSL_ERROR_WANT_WRITE:
        c->tls_wants_write = true;
        return true;
    default:
        return false;
    }
}

/* Bytes moved, 0 when the socket is not ready, negative when the connection is gone. */
static ssize_t conn_recv(conn_t *c, char *p, size_t n)
{
    if (c->ssl) {
        ERR_clear_error();
        c->tls_wants_write = false;
        int rc = SSL_read(c->ssl, p, (int)n);
        if (rc > 0)
            return rc;
        bool again = tls_again(c, rc);
        c->tls_wants_read = false; /* reading is armed anyway unless paused */
        return again ? 0 : -1;
    }
    ssize_t rc = recv(c->fd, p, n, 0);
    if (rc > 0)
        return rc;
    return rc < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static ssize_t conn_send(conn_t *c, const char *p, size_t n)
{
    if (c->ssl) {
        ERR_clear_error();
        c->tls_wants_read = c->tls_wants_write = false;
        int rc = SSL_write(c->ssl, p, (int)min_size(n, READ_SIZE));
        return rc > 0 ? rc : tls_again(c, rc) ? 0 : -1;
    }
    ssize_t rc = send(c->fd, p, n, MSG_NOSIGNAL);
    if (rc >= 0)
        return rc;
    return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static bool flush(conn_t *c)
{
    while (conn_pending(c)) {
        ssize_t n = conn_send(c, c->out.p + c->out_at, conn_pending(c));
        if (n < 0)
            return false;
        if (n == 0)
            return true;
        c->out_at += (size_t)n;
        c->write_progress = c->front->now;
        __atomic_fetch_add(&c->front->stats.bytes_out, (uint64_t)n, __ATOMIC_RELAXED);
    }
    if (c->out.cap > 4 * OUT_LOW) /* nothing waits: a large answer's memory goes back */
        str_dispose(&c->out);
    str_reset(&c->out);
    c->out_at = 0;
    return true;
}

void conn_turn(conn_t *c)
{
    c->more = true;
    for (int i = 0; i < READS_PER_TURN && !c->dead && c->more; i++) {
        size_t before = conn_pending(c);
        if (c->engine && before < OUT_LOW && !c->closing)
            c->engine->output(c);
        if (c->dead)
            return;
        size_t filled = conn_pending(c);
        if (!flush(c)) {
            conn_kill(c);
            return;
        }
        c->more = !conn_pending(c) && filled != before;
    }
    if (c->dead)
        return;
    if (c->closing && !conn_pending(c)) {
        conn_kill(c);
        return;
    }
    conn_arm(c);
}

/* ---- telling the protocols apart ---- */

static void begin_engine(conn_t *c, const struct engine *e)
{
    c->stage = CONN_OPEN;
    c->engine = e;
    conn_wait(c, WAIT_HEAD);
    AUTO_STR first = c->first;
    c->first = (str_t)STR_INIT;
    if (e->input(c, first.p, first.len) < 0 && !c->dead)
        conn_finish(c);
}

static bool maybe_preface(const str_t *s)
{
    return !memcmp(s->p, h2_preface, min_size(s->len, PREFACE_SIZE));
}

static void plain_first_bytes(conn_t *c)
{
    char buf[256];
    ssize_t n = conn_recv(c, buf, sizeof buf);
    if (n <= 0) {
        if (n < 0)
            conn_kill(c);
        return;
    }
    str_add(&c->first, buf, (size_t)n);
    if (maybe_preface(&c->first)) {
        if (c->first.len < PREFACE_SIZE)
            return; /* HTTP/1.1's POST, PUT or PATCH differ by the second or third byte */
        if (c->front->tls)
            conn_kill(c); /* nothing that could be redirected */
        else
            begin_engine(c, &engine_h2);
        return;
    }
    c->redirect_only = c->front->tls != NULL;
    begin_engine(c, &engine_h1);
}

static void first_bytes(conn_t *c)
{
    unsigned char b;
    if (!c->first.len) {
        ssize_t n = recv(c->fd, &b, 1, MSG_PEEK);
        if (n <= 0) {
            if (n == 0 || (errno != EAGAIN && errno != EINTR))
                conn_kill(c);
            return;
        }
        if (b == 0x16) { /* a TLS handshake record */
            if (!c->front->tls) {
                conn_kill(c);
                return;
            }
            c->ssl = tls_server_connection(c->front->tls, c->fd);
            c->stage = CONN_HANDSHAKE;
            return;
        }
    }
    plain_first_bytes(c);
}

static void handshake(conn_t *c)
{
    ERR_clear_error();
    c->tls_wants_read = c->tls_wants_write = false;
    int rc = SSL_accept(c->ssl);
    if (rc == 1) {
        begin_engine(c, tls_server_is_h2(c->ssl) ? &engine_h2 : &engine_h1);
        return;
    }
    if (!tls_again(c, rc)) {
        __atomic_fetch_add(&c->front->stats.tls_handshakes_failed, 1, __ATOMIC_RELAXED);
        conn_kill(c);
    }
}

static void read_some(conn_t *c)
{
    front_t *f = c->front;
    for (int i = 0; i < READS_PER_TURN && !c->dead && !c->paused && !c->closing; i++) {
        ssize_t n = conn_recv(c, f->buf, sizeof f->buf);
        if (n < 0) {
            conn_kill(c);
            return;
        }
        if (n == 0)
            return;
        __atomic_fetch_add(&f->stats.bytes_in, (uint64_t)n, __ATOMIC_RELAXED);
        if (c->engine->input(c, f->buf, (size_t)n) < 0 && !c->dead)
            conn_finish(c);
    }
    /* What TLS has decrypted already makes no event: come back by asking for a writable socket. */
    if (!c->dead && !c->paused && c->ssl && SSL_pending(c->ssl))
        c->tls_wants_write = true;
}

static void conn_ready(struct source *s, uint32_t events)
{
    conn_t *c = CONTAINER_OF(s, conn_t, source);
    if (c->dead)
        return;
    if (events & (EPOLLERR | EPOLLHUP)) {
        conn_kill(c);
        return;
    }
    if (c->stage == CONN_FIRST_BYTES)
        first_bytes(c);
    if (!c->dead && c->stage == CONN_HANDSHAKE)
        handshake(c);
    if (!c->dead && c->stage == CONN_OPEN)
        read_some(c);
    if (c->dead)
        return;
    /* Half closed while its request is worked on: nobody waits for the answer any more. */
    if ((events & EPOLLRDHUP) && c->paused) {
        conn_kill(c);
        return;
    }
    conn_turn(c);
}

/* ---- accepting ---- */

static void conn_new(front_t *f, int fd, const struct sockaddr_storage *addr, socklen_t len)
{
    conn_t *c = xcalloc(1, sizeof *c);
    c->source.ready = conn_ready;
    c->front = f;
    c->fd = fd;
    c->next = f->conns;
    if (f->conns)
        f->conns->prev = c;
    f->conns = c;
    f->nconns++;
    if (getnameinfo((const struct sockaddr *)addr, len, c->peer, sizeof c->peer, NULL, 0, NI_NUMERICHOST) !=
        0)
        c->peer[0] = 0;
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    conn_wait(c, WAIT_HEAD);
    c->armed = EPOLLIN | EPOLLRDHUP;
    front_watch(f, fd, &c->source, c->armed);
    __atomic_fetch_add(&f->stats.accepted, 1, __ATOMIC_RELAXED);
}

static void listen_again(front_t *f)
{
    bool want = !f->draining && f->nconns < f->options.max_connections;
    if (want == f->listening)
        return;
    f->listening = want;
    front_rewatch(f, f->listen_fd, &f->listen_source, want ? EPOLLIN : 0);
}

static void listen_ready(struct source *s, uint32_t events)
{
    front_t *f = CONTAINER_OF(s, front_t, listen_source);
    for (int i = 0; i < 64 && f->nconns < f->options.max_connections; i++) {
        struct sockaddr_storage addr;
        socklen_t len = sizeof addr;
        int fd = accept4(f->listen_fd, (struct sockaddr *)&addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE)
                sleep_ns(MILLIS(5)); /* the listener stays ready: do not spin */
            break;
        }
        conn_new(f, fd, &addr, len);
    }
    listen_again(f);
}

/* ---- answers from other threads ---- */

void front_post(front_t *f, exchange_t *ex)
{
    {
        LOCKED(&f->lock);
        if (ex->posted)
            return;
        ex->posted = true;
        ex->next_posted = NULL;
        *f->posted_tail = exchange_ref(ex);
        f->posted_tail = &ex->next_posted;
    }
    uint64_t one = 1;
    if (write(f->event_fd, &one, sizeof one) < 0) {
        /* the counter is full: the loop is awake anyway */
    }
}

static exchange_t *take_posted(front_t *f)
{
    LOCKED(&f->lock);
    exchange_t *ex = f->posted;
    if (ex) {
        f->posted = ex->next_posted;
        if (!f->posted)
            f->posted_tail = &f->posted;
        ex->posted = false;
    }
    return ex;
}

static void begin_drain(front_t *f)
{
    f->draining = true;
    listen_again(f);
    for (conn_t *c = f->conns, *next; c; c = next) {
        next = c->next;
        if (c->stage != CONN_OPEN)
            conn_kill(c);
        else {
            c->engine->drain(c);
            conn_turn(c);
        }
    }
}

static void event_ready(struct source *s, uint32_t events)
{
    front_t *f = CONTAINER_OF(s, front_t, event_source);
    uint64_t n;
    if (read(f->event_fd, &n, sizeof n) < 0)
        n = 0;
    for (exchange_t *ex; (ex = take_posted(f)); exchange_unref(ex)) {
        conn_t *c = ex->conn;
        ex->answered = ex->kind != ANSWER_NONE;
        if (!c) {
            exchange_end_stream(ex);
            continue;
        }
        c->engine->answer(c, ex);
        if (!c->dead)
            conn_turn(c);
    }
    int64_t grace = -1;
    {
        LOCKED(&f->lock);
        if (f->want_drain && !f->draining)
            grace = f->drain_grace_ns;
    }
    if (grace >= 0) {
        f->drain_deadline = mono_after(f->now, grace);
        begin_drain(f);
    }
}

/* ---- the loop ---- */

static bool overdue(const conn_t *c)
{
    const front_t *f = c->front;
    if (conn_pending(c) && f->now.ns - c->write_progress.ns > f->options.write_timeout_ns)
        return true;
    return mono_cmp(f->now, c->deadline) > 0;
}

static void tick(front_t *f)
{
    size_t n = 0;
    for (conn_t *c = f->conns, *next; c; c = next, n++) {
        next = c->next;
        if (overdue(c))
            conn_kill(c);
    }
    __atomic_store_n(&f->stats.connections, n, __ATOMIC_RELAXED);
    listen_again(f);
}

static void *loop(void *arg)
{
    front_t *f = arg;
    mono_t next_tick = {0};
    struct epoll_event events[64];
    while (!f->draining || (f->conns && mono_cmp(mono_now(), f->drain_deadline) < 0)) {
        int timeout = f->conns || f->draining ? (int)(mono_left(next_tick) / NS_PER_MS) + 1 : -1;
        int n = epoll_wait(f->epoll_fd, events, ARRAY_LEN(events), timeout);
        f->now = mono_now();
        for (int i = 0; i < n; i++) {
            struct source *s = events[i].data.ptr;
            s->ready(s, events[i].events);
        }
        if (mono_cmp(f->now, next_tick) >= 0) {
            tick(f);
            next_tick = mono_after(f->now, f->draining ? MILLIS(50) : SECONDS(1));
        }
        bury(f);
    }
    while (f->conns)
        conn_kill(f->conns);
    bury(f);
    return NULL;
}

/* ---- start and stop ---- */

static int bind_one(const struct addrinfo *a)
{
    AUTO(close_p) int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int one = 1, zero = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (a->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, 1024) < 0)
        return -1;
    int out = fd;
    fd = -1;
    return out;
}

static int listen_on(front_t *f, err_t **err)
{
    char port[16];
    snprintf(port, sizeof port, "%d", f->options.port);
    const char *host = str_empty(f->options.address) ? "::" : f->options.address;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list = NULL;
    int rc = getaddrinfo(host, port, &hints, &list);
    if (rc)
        return err_set(err, ERR_INVALID_ARGUMENT, "listen on %s: %s", host, gai_strerror(rc));
    f->listen_fd = -1;
    for (struct addrinfo *a = list; a && f->listen_fd < 0; a = a->ai_next)
        f->listen_fd = bind_one(a);
    int saved = errno;
    freeaddrinfo(list);
    if (f->listen_fd < 0 && !strcmp(host, "::")) { /* no IPv6 here */
        struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((uint16_t)f->options.port)};
        struct addrinfo v4 = {
            .ai_family = AF_INET, .ai_addr = (struct sockaddr *)&any, .ai_addrlen = sizeof any};
        f->listen_fd = bind_one(&v4);
        saved = errno;
    }
    if (f->listen_fd < 0)
        return err_set_errno(err, saved, "listen on %s port %d", host, f->options.port);
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    getsockname(f->listen_fd, (struct sockaddr *)&addr, &len);
    f->port = ntohs(addr.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&addr)->sin6_port
                                               : ((struct sockaddr_in *)&addr)->sin_port);
    return 0;
}

static void set_default(int64_t *value, int64_t fallback)
{
    if (!*value)
        *value = fallback;
}

void front_free(front_t *f)
{
    if (!f)
        return;
    for (exchange_t *ex; (ex = take_posted(f)); exchange_unref(ex))
        exchange_end_stream(ex);
    VEC_FREE(&f->discarded);
    tls_server_free(f->tls);
    close_p(&f->listen_fd);
    close_p(&f->event_fd);
    close_p(&f->epoll_fd);
    pthread_mutex_destroy(&f->lock);
    free(f->root_path);
    free(f);
}

int front_start(const struct front_options *options, front_t **out, err_t **err)
{
    front_t *f = xcalloc(1, sizeof *f);
    f->options = *options;
    f->options.cert_pem = f->options.key_pem = NULL;
    f->listen_fd = f->event_fd = f->epoll_fd = -1;
    f->root_path = xstrdup(str_or_empty(options->root_path));
    f->posted_tail = &f->posted;
    pthread_mutex_init(&f->lock, NULL);
    if (!f->options.max_connections)
        f->options.max_connections = 10000;
    if (!f->options.body_budget)
        f->options.body_budget = (size_t)512 << 20;
    set_default(&f->options.head_timeout_ns, SECONDS(10));
    set_default(&f->options.body_timeout_ns, SECONDS(30));
    set_default(&f->options.idle_timeout_ns, SECONDS(120));
    set_default(&f->options.write_timeout_ns, SECONDS(60));
    int rc = options->tls ? tls_server_new(options->tls_min, options->tls_max, options->ciphers, &f->tls, err)
                          : 0;
    if (rc == 0 && f->tls)
        rc = tls_server_set_certificate(f->tls, str_or_empty(options->cert_pem),
                                        str_or_empty(options->key_pem), err);
    if (rc == 0)
        rc = listen_on(f, err);
    if (rc < 0) {
        front_free(f);
        return rc;
    }
    f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    f->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    f->now = mono_now();
    f->listen_source.ready = listen_ready;
    f->event_source.ready = event_ready;
    front_watch(f, f->listen_fd, &f->listen_source, EPOLLIN);
    f->listening = true;
    front_watch(f, f->event_fd, &f->event_source, EPOLLIN);
    f->thread = thread_start("front", loop, f);
    *out = f;
    return 0;
}

int front_port(const front_t *f)
{
    return f->port;
}

int front_set_certificate(front_t *f, const char *cert_pem, const char *key_pem, err_t **err)
{
    return f->tls ? tls_server_set_certificate(f->tls, cert_pem, key_pem, err) : 0;
}

void front_stop(front_t *f, int64_t grace_ns)
{
    if (!f)
        return;
    {
        LOCKED(&f->lock);
        f->want_drain = true;
        f->drain_grace_ns = grace_ns;
    }
    uint64_t one = 1;
    if (write(f->event_fd, &one, sizeof one) < 0)
        log_debug(NULL, "front: wake-up lost");
    pthread_join(f->thread, NULL);
}

void front_stats(front_t *f, struct front_stats *out)
{
    out->connections = __atomic_load_n(&f->stats.connections, __ATOMIC_RELAXED);
    out->tls_handshakes_failed = __atomic_load_n(&f->stats.tls_handshakes_failed, __ATOMIC_RELAXED);
    out->rejected = __atomic_load_n(&f->stats.rejected, __ATOMIC_RELAXED);
    out->accepted = __atomic_load_n(&f->stats.accepted, __ATOMIC_RELAXED);
    out->requests = __atomic_load_n(&f->stats.requests, __ATOMIC_RELAXED);
    out->bytes_in = __atomic_load_n(&f->stats.bytes_in, __ATOMIC_RELAXED);
    out->bytes_out = __atomic_load_n(&f->stats.bytes_out, __ATOMIC_RELAXED);
}

bool front_budget_take(front_t *f, size_t n)
{
    if (n > f->options.body_budget - f->body_used)
        return false;
    f->body_used += n;
    return true;
}

void front_budget_return(front_t *f, size_t n)
{
    f->body_used -= n;
}

bool request_set_target(struct web_request *r, const char *target, size_t n)
{
    const char *q = memchr(target, '?', n);
    size_t path = q ? (size_t)(q - target) : n;
    if (!path || target[0] != '/' || memchr(target, 0, n) || memchr(target, '#', n))
        return false;
    r->path = xstrndup(target, path);
    r->query = q ? xstrndup(q + 1, n - path - 1) : xstrdup("");
    return true;
}
