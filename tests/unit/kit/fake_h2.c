#include "tests/unit/kit/fake_h2.h"
#include "common/base/thread.h"
#include "common/base/vec.h"
#include "tests/unit/kit/certs.h"

#include <arpa/inet.h>
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

struct stream {
    struct conn *conn;
    int32_t id;
    char path[200];
    size_t sent;
    int heard; /* of what the server says */
    struct stream *next;
    bool post;
};

struct conn {
    fake_h2_t *server;
    pthread_t thread;
    int fd, streams, requests, released, said;
    atomic_bool cut;
    SSL *ssl;
    nghttp2_session *h2;
    struct stream *open;
};

struct fake_h2 {
    struct fake_h2_config config;
    int fd, port;
    SSL_CTX *tls;
    pthread_t acceptor;
    atomic_bool stopping;
    atomic_int connections, now, most_connections, most_streams, requests, refused, releases, says;
    lock_t lock; /* guards conns */
    VEC(struct conn *) conns;
};

static ssize_t send_bytes(nghttp2_session *s, const uint8_t *p, size_t n, int flags, void *arg)
{
    struct conn *c = arg;
    int r = SSL_write(c->ssl, p, (int)n);
    if (r > 0)
        return r;
    int why = SSL_get_error(c->ssl, r);
    return why == SSL_ERROR_WANT_WRITE || why == SSL_ERROR_WANT_READ ? NGHTTP2_ERR_WOULDBLOCK
                                                                     : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static ssize_t produce_news(struct stream *st, uint8_t *buf)
{
    int said = st->conn->server->says;
    /* Not everybody has news each time. */
    while (st->heard < said && fake_h2_silent(st->id, st->heard + 1))
        st->heard++;
    if (st->heard == said)
        return NGHTTP2_ERR_DEFERRED;
    for (size_t i = 0; i < FAKE_H2_NEWS; i++)
        buf[i] = (uint8_t)fake_h2_pattern(st->sent + i);
    st->sent += FAKE_H2_NEWS;
    st->heard++;
    return FAKE_H2_NEWS;
}

static ssize_t produce(nghttp2_session *s, int32_t id, uint8_t *buf, size_t n, uint32_t *flags,
                       nghttp2_data_source *source, void *arg)
{
    struct conn *c = arg;
    struct stream *st = source->ptr;
    if (strcmp(st->path, "/hold") == 0) {
        if (st->sent == 0) {
            memcpy(buf, "hello", 5);
            st->sent = 5;
            return 5;
        }
        if (c->released == c->server->releases)
            return NGHTTP2_ERR_DEFERRED;
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        return 0;
    }
    if (strcmp(st->path, "/watch") == 0)
        return produce_news(st, buf);
    size_t size = strcmp(st->path, "/big") == 0 ? FAKE_H2_BIG : strlen(st->path);
    n = min_size(n, size - st->sent);
    for (size_t i = 0; i < n; i++)
        buf[i] = (uint8_t)(size == FAKE_H2_BIG ? fake_h2_pattern(st->sent + i) : st->path[st->sent + i]);
    st->sent += n;
    if (st->sent == size)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static int begin_headers(nghttp2_session *s, const nghttp2_frame *frame, void *arg)
{
    struct conn *c = arg;
    struct stream *st = xcalloc(1, sizeof(*st));
    st->conn = c;
    st->id = frame->hd.stream_id;
    st->next = c->open;
    c->open = st;
    nghttp2_session_set_stream_user_data(s, st->id, st);
    if (++c->streams > c->server->most_streams)
        c->server->most_streams = c->streams;
    return 0;
}

static int header(nghttp2_session *s, const nghttp2_frame *frame, const uint8_t *name, size_t nn,
                  const uint8_t *value, size_t nv, uint8_t flags, void *arg)
{
    struct stream *st = nghttp2_session_get_stream_user_data(s, frame->hd.stream_id);
    if (st && nn == 5 && memcmp(name, ":path", 5) == 0 && nv < sizeof(st->path))
        memcpy(st->path, value, nv);
    return 0;
}

static void answer(struct conn *c, struct stream *st)
{
    static uint8_t name[] = ":status", value[] = "200";
    nghttp2_nv nv = {name, value, sizeof(name) - 1, sizeof(value) - 1, 0};
    nghttp2_data_provider data = {.source.ptr = st, .read_callback = produce};
    c->server->requests++;
    c->requests++;
    if (strcmp(st->path, "/reset") == 0)
        nghttp2_submit_rst_stream(c->h2, 0, st->id, NGHTTP2_INTERNAL_ERROR);
    else if (strcmp(st->path, "/never") != 0)
        nghttp2_submit_response(c->h2, st->id, &nv, 1, &data);
    if (c->server->config.goaway_after && c->requests == c->server->config.goaway_after)
        nghttp2_submit_goaway(c->h2, 0, st->id, NGHTTP2_NO_ERROR, NULL, 0);
}

static int frame_received(nghttp2_session *s, const nghttp2_frame *frame, void *arg)
{
    struct conn *c = arg;
    struct stream *st = nghttp2_session_get_stream_user_data(s, frame->hd.stream_id);
    bool headers = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (st && headers && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        answer(c, st);
    return 0;
}

static int stream_closed(nghttp2_session *s, int32_t id, uint32_t code, void *arg)
{
    struct conn *c = arg;
    for (struct stream **p = &c->open; *p; p = &(*p)->next) {
        struct stream *st = *p;
        if (st->id != id)
            continue;
        *p = st->next;
        free(st);
        c->streams--;
        break;
    }
    if (code == NGHTTP2_REFUSED_STREAM)
        c->server->refused++;
    return 0;
}

static void h2_begin(struct conn *c)
{
    nghttp2_session_callbacks *cb;
    nghttp2_session_callbacks_new(&cb);
    nghttp2_session_callbacks_set_send_callback(cb, send_bytes);
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, frame_received);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, stream_closed);
    nghttp2_session_server_new(&c->h2, cb, c);
    nghttp2_session_callbacks_del(cb);
    nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
                                    c->server->config.max_streams ? c->server->config.max_streams : 100};
    nghttp2_submit_settings(c->h2, 0, &entry, 1);
}

/* Frames of several streams in one TLS record, as servers send what they have at the same time. */
static void send_together(struct conn *c)
{
    AUTO_STR all = STR_INIT;
    const uint8_t *p;
    for (ssize_t n; (n = nghttp2_session_mem_send(c->h2, &p)) > 0;)
        str_add(&all, (const char *)p, (size_t)n);
    for (size_t at = 0; at < all.len;) {
        int r = SSL_write(c->ssl, str_text(&all) + at, (int)(all.len - at));
        if (r <= 0)
            return;
        at += (size_t)r;
    }
}

static void resume_held(struct conn *c)
{
    int released = c->server->releases, said = c->server->says;
    if (c->released == released && c->said == said)
        return;
    for (struct stream *st = c->open; st; st = st->next)
        nghttp2_session_resume_data(c->h2, st->id);
    if (said % 2)
        send_together(c);
    nghttp2_session_send(c->h2);
    c->released = released;
    c->said = said;
}

/* Reads and answers until the connection ends. */
static void h2_run(struct conn *c)
{
    uint8_t buf[16384];
    while (!c->server->stopping && !c->cut) {
        if (nghttp2_session_send(c->h2) != 0)
            return;
        resume_held(c);
        if (!nghttp2_session_want_read(c->h2) && !nghttp2_session_want_write(c->h2))
            return;
        short want = POLLIN | (nghttp2_session_want_write(c->h2) ? POLLOUT : 0);
        struct pollfd p = {.fd = c->fd, .events = want};
        if (!SSL_pending(c->ssl) && poll(&p, 1, 2) < 0)
            return;
        int n = SSL_read(c->ssl, buf, sizeof(buf));
        int why = n > 0 ? 0 : SSL_get_error(c->ssl, n);
        if (n <= 0 && why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
            return;
        if (n > 0 && nghttp2_session_mem_recv(c->h2, buf, (size_t)n) < 0)
            return;
    }
}

/* Says goodbye and reads what still comes: closing at once would reset the connection and lose our last
 * answers. */
static void linger(struct conn *c)
{
    char buf[16384];
    SSL_shutdown(c->ssl);
    shutdown(c->fd, SHUT_WR);
    for (mono_t end = mono_after(mono_now(), SECONDS(2)); mono_left(end) && !c->server->stopping && !c->cut;)
        if (recv(c->fd, buf, sizeof(buf), 0) == 0)
            return;
}

static void *serve(void *arg)
{
    struct conn *c = arg;
    c->ssl = SSL_new(c->server->tls);
    SSL_set_fd(c->ssl, c->fd);
    if (SSL_accept(c->ssl) == 1) {
        sleep_ns(MILLIS(c->server->config.settings_delay_ms));
        struct timeval tv = {.tv_usec = 1000};
        setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &tv,
                   sizeof(tv)); /* reads wait a moment, writes wait for ever */
        h2_begin(c);
        int now = ++c->server->now;
        if (now > c->server->most_connections)
            c->server->most_connections = now;
        h2_run(c);
        c->server->now--;
        linger(c);
        nghttp2_session_del(c->h2);
    }
    for (struct stream *st = c->open, *next; st; st = next) {
        next = st->next;
        free(st);
    }
    SSL_free(c->ssl);
    shutdown(c->fd, SHUT_RDWR);
    return NULL;
}

static void *accept_all(void *arg)
{
    fake_h2_t *f = arg;
    while (!f->stopping) {
        struct pollfd p = {.fd = f->fd, .events = POLLIN};
        if (poll(&p, 1, 10) <= 0)
            continue;
        int fd = accept4(f->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        struct conn *c = xcalloc(1, sizeof(*c));
        c->server = f;
        c->fd = fd;
        c->released = f->releases;
        f->connections++;
        LOCKED(&f->lock);
        VEC_PUSH(&f->conns, c);
        c->thread = thread_start("fake-h2", serve, c);
    }
    return NULL;
}

static int choose_h2(SSL *ssl, const unsigned char **out, unsigned char *n, const unsigned char *in,
                     unsigned in_n, void *arg)
{
    return nghttp2_select_next_protocol((unsigned char **)(uintptr_t)out, n, in, in_n) == 1
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_NOACK;
}

static SSL_CTX *tls_context(void)
{
    const struct certs *pem = certs_get();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    BIO *b = BIO_new_mem_buf(pem->server_cert, -1), *k = BIO_new_mem_buf(pem->server_key, -1);
    X509 *cert = PEM_read_bio_X509(b, NULL, NULL, NULL);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(k, NULL, NULL, NULL);
    SSL_CTX_use_certificate(ctx, cert);
    SSL_CTX_use_PrivateKey(ctx, key);
    SSL_CTX_set_alpn_select_cb(ctx, choose_h2, NULL);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    X509_free(cert);
    EVP_PKEY_free(key);
    BIO_free(b);
    BIO_free(k);
    return ctx;
}

fake_h2_t *fake_h2_start(const struct fake_h2_config *config)
{
    signal(SIGPIPE, SIG_IGN);
    fake_h2_t *f = xcalloc(1, sizeof(*f));
    f->config = *config;
    f->tls = tls_context();
    pthread_mutex_init(&f->lock, NULL);
    f->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    if (bind(f->fd, (struct sockaddr *)&a, n) < 0 || listen(f->fd, 500) < 0)
        abort();
    getsockname(f->fd, (struct sockaddr *)&a, &n);
    f->port = ntohs(a.sin_port);
    f->acceptor = thread_start("fake-accept", accept_all, f);
    return f;
}

void fake_h2_stop(fake_h2_t *f)
{
    f->stopping = true;
    pthread_join(f->acceptor, NULL);
    close(f->fd);
    VEC_FOREACH(&f->conns, c) {
        pthread_join((*c)->thread, NULL);
        close((*c)->fd);
        free(*c);
    }
    VEC_FREE(&f->conns);
    SSL_CTX_free(f->tls);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

char *fake_h2_url(const fake_h2_t *f, const char *path)
{
    return xasprintf("https://127.0.0.1:%d%s", f->port, path);
}

void fake_h2_stats(fake_h2_t *f, struct fake_h2_stats *out)
{
    *out = (struct fake_h2_stats){f->connections, f->most_connections, f->most_streams, f->requests,
                                  f->refused};
}

void fake_h2_release(fake_h2_t *f)
{
    f->releases++;
}

void fake_h2_say(fake_h2_t *f)
{
    f->says++;
}

void fake_h2_cut(fake_h2_t *f)
{
    LOCKED(&f->lock);
    VEC_FOREACH(&f->conns, c)
        (*c)->cut = true;
}
