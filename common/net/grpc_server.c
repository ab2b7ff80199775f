/* A thread per connection drives its nghttp2 session; it collects requests and sends answers, and is never
 * held up: a method runs on a thread of its own once its request is whole. When that has ended it wakes the
 * connection's thread, which alone touches the session.
 *
 * A call lives until both have let go of it: its stream is closed, and its method, if it ran, was joined. */
#include "common/net/grpc.h"
#include "common/base/thread.h"
#include "common/base/vec.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { WINDOW = 4 << 20, CHUNK = 64 << 10, MAX_CONNECTIONS = 256, MAX_CALLS = 64 };

struct conn;

struct call {
    struct conn *conn;
    int32_t stream;
    const struct grpc_method *method;
    struct grpc_call_info info;
    atomic_bool canceled;
    struct grpc_reader reader;
    void *state;
    err_t *err;
    str_t response;
    bool running, done, closed, grpc;
    pthread_t thread;
    struct call *next;
};

/* The lock guards `done` of the calls; all else is the connection's thread's. */
struct conn {
    grpc_server_t *server;
    int fd, wake;
    nghttp2_session *h2;
    struct call *calls;
    lock_t lock;
    pthread_t thread;
    _Atomic bool ended;
};

struct grpc_server {
    struct grpc_server_options options;
    char *path;
    int fd, wake;
    _Atomic bool stop;
    VEC(struct conn *) conns; /* the acceptor's */
    pthread_t thread;
};

static void poke(int fd)
{
    uint64_t one = 1;
    while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

static void drain(int fd)
{
    uint64_t n;
    while (read(fd, &n, sizeof(n)) < 0 && errno == EINTR)
        ;
}

/* ---- health ---- */

static int health_run(const struct grpc_call_info *call, void *state, str_t *response, err_t **err)
{
    str_add(response, "\x08\x01", 2); /* status: SERVING */
    return 0;
}

static const struct grpc_method health = {.path = "/grpc.health.v1.Health/Check", .run = health_run};

static const struct grpc_method *find_method(const grpc_server_t *s, const char *path)
{
    for (size_t i = 0; i < s->options.nmethods; i++)
        if (strcmp(s->options.methods[i].path, path) == 0)
            return &s->options.methods[i];
    return strcmp(health.path, path) == 0 ? &health : NULL;
}

/* ---- answers ---- */

static ssize_t produce(nghttp2_session *h2, int32_t stream, uint8_t *buf, size_t n, uint32_t *flags,
                       nghttp2_data_source *source, void *arg)
{
    struct call *c = source->ptr;
    size_t k = min_size(n, c->response.len);
    if (k)
        memcpy(buf, c->response.p, k);
    str_consume(&c->response, k);
    if (!c->response.len) {
        static const nghttp2_nv ok = {(uint8_t *)"grpc-status", (uint8_t *)"0", 11, 1, 0};
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        nghttp2_submit_trailer(h2, stream, &ok, 1);
    }
    return (ssize_t)k;
}

static nghttp2_nv pair(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), 0};
}

static void answer_error(struct call *c)
{
    AUTO_STR text = STR_MAX(8 << 10); /* header lists of peers are limited */
    char status[16];
    snprintf(status, sizeof(status), "%d", (int)c->err->code);
    grpc_message_escape(err_text(c->err), &text);
    nghttp2_nv headers[] = {pair(":status", "200"), pair("content-type", "application/grpc"),
                            pair("grpc-status", status), pair("grpc-message", str_text(&text))};
    nghttp2_submit_response(c->conn->h2, c->stream, headers, ARRAY_LEN(headers), NULL);
}

static void answer(struct call *c)
{
    if (c->closed)
        return;
    if (!c->err && str_overflowed(&c->response))
        err_set(&c->err, ERR_RESOURCE_EXHAUSTED, "the answer is too large");
    if (c->err) {
        answer_error(c);
        return;
    }
    nghttp2_nv headers[] = {pair(":status", "200"), pair("content-type", "application/grpc")};
    nghttp2_data_provider body = {.source.ptr = c, .read_callback = produce};
    nghttp2_submit_response(c->conn->h2, c->stream, headers, ARRAY_LEN(headers), &body);
}

/* ---- a method at work ---- */

static void *run_method(void *arg)
{
    struct call *c = arg;
    char head[GRPC_HEAD];
    AUTO_STR body = STR_MAX(GRPC_MESSAGE_MAX);
    err_t *err = NULL;
    int r = c->method->run(&c->info, c->state, &body, &err);
    if (r == 0) {
        grpc_head(body.len, head);
        str_add(&c->response, head, sizeof(head));
        str_add(&c->response, str_text(&body), body.len);
    } else {
        if (!err)
            err_set(&err, ERR_INTERNAL, "the method failed");
        c->err = err;
    }
    int wake = c->conn->wake;
    LOCKED(&c->conn->lock);
    c->done = true;
    poke(wake);
    return NULL;
}

static void start_method(struct call *c)
{
    if (!c->method || c->err || c->running) {
        answer(c);
        return;
    }
    c->running = true;
    c->thread = thread_start("grpc-call", run_method, c);
}

/* ---- callbacks of nghttp2 ---- */

static int on_begin(nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
    struct conn *k = arg;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct call *c = xcalloc(1, sizeof(*c));
    c->conn = k;
    c->stream = frame->hd.stream_id;
    c->info = (struct grpc_call_info){.ctx = k->server->options.ctx, .canceled = &c->canceled};
    c->response.max = GRPC_MESSAGE_MAX + GRPC_HEAD;
    c->next = k->calls;
    k->calls = c;
    nghttp2_session_set_stream_user_data(h2, c->stream, c);
    return 0;
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name, size_t nn,
                     const uint8_t *value, size_t nv, uint8_t flags, void *arg)
{
    struct conn *k = arg;
    struct call *c = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);
    view_t key = {(const char *)name, nn};
    if (!c)
        return 0;
    AUTO(free_p) char *text = xstrndup((const char *)value, nv);
    int64_t ns;
    if (view_eq(key, ":path")) {
        c->method = find_method(k->server, text);
        if (!c->method && !c->err)
            err_set(&c->err, ERR_UNIMPLEMENTED, "unknown method %s", text);
    } else if (view_eq(key, "content-type")) {
        c->grpc = str_has_prefix(text, "application/grpc");
    } else if (view_eq(key, "grpc-timeout") && grpc_timeout_read(text, &ns)) {
        c->info.has_deadline = true;
        c->info.deadline = mono_after(mono_now(), ns);
    }
    return 0;
}

static int take_message(void *arg, const char *p, size_t n, err_t **err)
{
    struct call *c = arg;
    return c->method && c->method->on_message ? c->method->on_message(&c->info, &c->state, p, n, err) : 0;
}

/* An error is told at once: the client need not send the rest. */
static int on_data(nghttp2_session *h2, uint8_t flags, int32_t stream, const uint8_t *p, size_t n, void *arg)
{
    struct call *c = nghttp2_session_get_stream_user_data(h2, stream);
    if (c && !c->err && grpc_reader_feed(&c->reader, p, n, take_message, c, &c->err) < 0) {
        if (!c->err)
            err_set(&c->err, ERR_INTERNAL, "the request could not be read");
        answer(c);
    }
    return 0;
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *frame, void *arg)
{
    struct call *c = nghttp2_session_get_stream_user_data(h2, frame->hd.stream_id);
    bool request = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (!c || !request)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && !c->grpc) {
        nghttp2_nv headers[] = {pair(":status", "415")};
        nghttp2_submit_response(h2, c->stream, headers, 1, NULL);
        nghttp2_session_set_stream_user_data(h2, c->stream, NULL);
        c->closed = true;
    } else if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
        bool failed_before = c->err && frame->hd.type == NGHTTP2_DATA && c->method;
        if (!failed_before)
            start_method(c);
    }
    return 0;
}

static void cancel(struct call *c)
{
    c->canceled = true;
}

static int on_close(nghttp2_session *h2, int32_t stream, uint32_t code, void *arg)
{
    struct call *c = nghttp2_session_get_stream_user_data(h2, stream);
    if (c) {
        c->closed = true;
        cancel(c);
    }
    return 0;
}

static ssize_t on_send(nghttp2_session *h2, const uint8_t *p, size_t n, int flags, void *arg)
{
    struct conn *k = arg;
    ssize_t r = send(k->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (r >= 0)
        return r;
    return errno == EAGAIN || errno == EINTR ? NGHTTP2_ERR_WOULDBLOCK : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static nghttp2_session *new_session(struct conn *k)
{
    nghttp2_session_callbacks *cb = NULL;
    nghttp2_session *h2 = NULL;
    size_t calls = k->server->options.max_calls;
    if (nghttp2_session_callbacks_new(&cb) != 0)
        oom();
    nghttp2_session_callbacks_set_send_callback(cb, on_send);
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
    if (nghttp2_session_server_new(&h2, cb, k) != 0)
        oom();
    nghttp2_session_callbacks_del(cb);
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, (uint32_t)(calls ? calls : MAX_CALLS)},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW}};
    nghttp2_submit_settings(h2, 0, settings, ARRAY_LEN(settings));
    nghttp2_session_set_local_window_size(h2, 0, 0, WINDOW);
    return h2;
}

/* ---- a connection ---- */

static void call_free(struct call *c)
{
    if (c->running)
        pthread_join(c->thread, NULL);
    if (c->state && c->method && c->method->state_free)
        c->method->state_free(c->state);
    grpc_reader_dispose(&c->reader);
    str_dispose(&c->response);
    err_free(c->err);
    free(c);
}

static bool is_done(struct call *c)
{
    LOCKED(&c->conn->lock);
    return c->done;
}

/* Answers calls whose method has ended; lets go of those whose stream is closed too. */
static void collect(struct conn *k)
{
    for (struct call **at = &k->calls; *at;) {
        struct call *c = *at;
        bool done = c->running && is_done(c);
        if (done) {
            pthread_join(c->thread, NULL);
            c->running = false;
            answer(c);
        }
        if (c->closed && !c->running) {
            *at = c->next;
            if (nghttp2_session_find_stream(k->h2, c->stream))
                nghttp2_session_set_stream_user_data(k->h2, c->stream, NULL);
            call_free(c);
        } else {
            at = &c->next;
        }
    }
}

static bool serve_once(struct conn *k)
{
    uint8_t buf[CHUNK];
    if (nghttp2_session_send(k->h2) < 0)
        return false;
    collect(k);
    bool wants_write = nghttp2_session_want_write(k->h2);
    if (!nghttp2_session_want_read(k->h2) && !wants_write)
        return false;
    struct pollfd p[2] = {{k->fd, (short)(POLLIN | (wants_write ? POLLOUT : 0)), 0}, {k->wake, POLLIN, 0}};
    if (poll(p, 2, -1) < 0)
        return errno == EINTR;
    if (p[1].revents)
        drain(k->wake);
    if (!(p[0].revents & (POLLIN | POLLHUP | POLLERR)))
        return !k->server->stop;
    ssize_t n = recv(k->fd, buf, sizeof(buf), MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    return n > 0 && nghttp2_session_mem_recv(k->h2, buf, (size_t)n) >= 0 && !k->server->stop;
}

static void *serve(void *arg)
{
    struct conn *k = arg;
    while (!k->server->stop && serve_once(k))
        ;
    for (struct call *c = k->calls; c; c = c->next)
        cancel(c);
    while (k->calls) {
        struct call *c = k->calls;
        k->calls = c->next;
        call_free(c);
    }
    nghttp2_session_del(k->h2);
    close(k->fd);
    k->ended = true;
    poke(k->server->wake);
    return NULL;
}

static void conn_free(struct conn *k)
{
    pthread_join(k->thread, NULL);
    close(k->wake);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

static void reap(grpc_server_t *s)
{
    for (size_t i = s->conns.n; i > 0; i--) {
        if (s->conns.v[i - 1]->ended) {
            conn_free(s->conns.v[i - 1]);
            VEC_REMOVE(&s->conns, i - 1);
        }
    }
}

static void greet(grpc_server_t *s, int fd)
{
    size_t max = s->options.max_connections ? s->options.max_connections : MAX_CONNECTIONS;
    int wake = s->conns.n < max ? eventfd(0, EFD_CLOEXEC) : -1;
    if (wake < 0) {
        close(fd);
        return;
    }
    struct conn *k = xcalloc(1, sizeof(*k));
    *k = (struct conn){.server = s, .fd = fd, .wake = wake};
    pthread_mutex_init(&k->lock, NULL);
    k->h2 = new_session(k);
    VEC_PUSH(&s->conns, k);
    k->thread = thread_start("grpc-conn", serve, k);
}

static void *accept_all(void *arg)
{
    grpc_server_t *s = arg;
    while (!s->stop) {
        struct pollfd p[2] = {{s->fd, POLLIN, 0}, {s->wake, POLLIN, 0}};
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            break;
        if (p[1].revents)
            drain(s->wake);
        reap(s);
        int fd = p[0].revents ? accept4(s->fd, NULL, NULL, SOCK_CLOEXEC) : -1;
        if (fd >= 0)
            greet(s, fd);
    }
    return NULL;
}

static int listen_at(const char *path, unsigned mode, err_t **err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(a.sun_path))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: the path is too long for a socket", path);
    strncpy(a.sun_path, path, sizeof(a.sun_path) - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || (mode && chmod(path, mode) < 0) ||
        listen(fd, 64) < 0) {
        int e = errno;
        close_p(&fd);
        return err_set_errno(err, e, "listen on %s", path);
    }
    return fd;
}

int grpc_server_start(const struct grpc_server_options *options, grpc_server_t **out, err_t **err)
{
    int fd = listen_at(options->socket_path, options->mode, err);
    if (fd < 0)
        return fd;
    grpc_server_t *s = xcalloc(1, sizeof(*s));
    s->options = *options;
    s->path = xstrdup(options->socket_path);
    s->fd = fd;
    s->wake = eventfd(0, EFD_CLOEXEC);
    if (s->wake < 0)
        oom();
    s->thread = thread_start("grpc-accept", accept_all, s);
    *out = s;
    return 0;
}

void grpc_server_free(grpc_server_t *s)
{
    if (!s)
        return;
    s->stop = true;
    poke(s->wake);
    pthread_join(s->thread, NULL);
    VEC_FOREACH(&s->conns, k) {
        poke((*k)->wake);
        conn_free(*k);
    }
    VEC_FREE(&s->conns);
    close(s->fd);
    close(s->wake);
    unlink(s->path);
    free(s->path);
    free(s);
}
