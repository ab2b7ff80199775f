/* One HTTP/2 connection that is driven while a call waits: nothing runs between calls. What is sent goes
 * through a buffer that nghttp2 empties as the server's window allows; sending blocks while it is full. */
#include "common/net/grpc.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { WINDOW = 4 << 20, BACKLOG = 256 << 10, LOOK_MS = 100, CHUNK = 64 << 10 };

struct grpc_client {
    int fd;
    nghttp2_session *h2;
    bool dead;
    /* the call at hand */
    struct grpc_exchange x;
    int32_t stream;
    str_t out; /* framed, not yet taken by nghttp2 */
    bool eof, closed;
    struct grpc_reader reader;
    str_t *response;
    size_t responses;
    int status; /* grpc-status; -1: none yet */
    int http_status;
    str_t message;
    err_t *err; /* found in a callback */
};

/* ---- callbacks of nghttp2 ---- */

static ssize_t produce(nghttp2_session *h2, int32_t stream, uint8_t *buf, size_t n, uint32_t *flags,
                       nghttp2_data_source *source, void *arg)
{
    grpc_client_t *c = arg;
    size_t k = min_size(n, c->out.len);
    if (k)
        memcpy(buf, c->out.p, k);
    str_consume(&c->out, k);
    if (!c->out.len && c->eof)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    else if (!k)
        return NGHTTP2_ERR_DEFERRED;
    return (ssize_t)k;
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name, size_t nn,
                     const uint8_t *value, size_t nv, uint8_t flags, void *arg)
{
    grpc_client_t *c = arg;
    view_t key = {(const char *)name, nn};
    AUTO(free_p) char *text = xstrndup((const char *)value, nv);
    int64_t number = -1;
    if (frame->hd.stream_id != c->stream)
        return 0;
    if (view_eq(key, ":status") && str_to_i64(text, &number)) {
        c->http_status = (int)number;
    } else if (view_eq(key, "grpc-status")) {
        c->status = str_to_i64(text, &number) && number >= 0 && number < ERR_CODE_MAX ? (int)number
                                                                                      : ERR_UNKNOWN;
    } else if (view_eq(key, "grpc-message")) {
        str_reset(&c->message);
        grpc_message_unescape(text, nv, &c->message);
    }
    return 0;
}

static int take_message(void *arg, const char *p, size_t n, err_t **err)
{
    grpc_client_t *c = arg;
    if (c->responses++)
        return err_set(err, ERR_INTERNAL, "the server sent more than one answer");
    if (c->response)
        str_add(c->response, p, n);
    if (c->response && str_overflowed(c->response))
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "the answer is too large");
    return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t stream, const uint8_t *p, size_t n, void *arg)
{
    grpc_client_t *c = arg;
    if (stream == c->stream && !c->err && grpc_reader_feed(&c->reader, p, n, take_message, c, &c->err) < 0)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    return 0;
}

static int on_close(nghttp2_session *h2, int32_t stream, uint32_t code, void *arg)
{
    grpc_client_t *c = arg;
    if (stream == c->stream)
        c->closed = true;
    return 0;
}

static ssize_t on_send(nghttp2_session *h2, const uint8_t *p, size_t n, int flags, void *arg)
{
    grpc_client_t *c = arg;
    ssize_t r = send(c->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (r >= 0)
        return r;
    return errno == EAGAIN || errno == EINTR ? NGHTTP2_ERR_WOULDBLOCK : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* ---- driving ---- */

static int broken(grpc_client_t *c, enum err_code code, const char *why, err_t **err)
{
    c->dead = true;
    if (c->err)
        return err_move(err, TAKE(c->err));
    return err_set(err, code, "%s", why);
}

static int receive(grpc_client_t *c, err_t **err)
{
    uint8_t buf[CHUNK];
    ssize_t n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0)
        return broken(c, ERR_UNAVAILABLE, "the plugin closed the connection", err);
    if (nghttp2_session_mem_recv(c->h2, buf, (size_t)n) < 0)
        return broken(c, ERR_INTERNAL, "the plugin's answer is not HTTP/2", err);
    return 0;
}

/* One round: what can be sent is sent, what has come is taken; waits for either. */
static int drive(grpc_client_t *c, err_t **err)
{
    if (c->x.canceled && __atomic_load_n(c->x.canceled, __ATOMIC_RELAXED))
        return broken(c, ERR_CANCELED, "the caller gave up", err);
    int64_t left = mono_left(c->x.deadline);
    if (left <= 0)
        return broken(c, ERR_DEADLINE_EXCEEDED, "the plugin did not answer in time", err);
    if (nghttp2_session_send(c->h2) < 0) {
        /* It may have answered (with an error) before it closed. */
        while (!c->closed && receive(c, err) == 0)
            ;
        return c->closed ? 0 : broken(c, ERR_UNAVAILABLE, "the plugin closed the connection", err);
    }
    if (c->closed)
        return 0;
    struct pollfd p = {c->fd, POLLIN, 0};
    if (nghttp2_session_want_write(c->h2))
        p.events |= POLLOUT;
    int64_t ms = left / 1000000 + 1;
    if (poll(&p, 1, (int)(ms > LOOK_MS ? LOOK_MS : ms)) < 0 && errno != EINTR)
        return broken(c, ERR_INTERNAL, "poll failed", err);
    return p.revents & (POLLIN | POLLHUP | POLLERR) ? receive(c, err) : 0;
}

static int outcome(grpc_client_t *c, err_t **err)
{
    if (c->err)
        return broken(c, ERR_INTERNAL, "", err);
    if (c->status < 0)
        return broken(c, ERR_UNAVAILABLE,
                      c->http_status && c->http_status != 200 ? "the server is no gRPC server"
                                                              : "the plugin gave no answer",
                      err);
    if (c->status)
        return err_set(err, (enum err_code)c->status, "%s", str_text(&c->message));
    return c->responses ? 0 : err_set(err, ERR_INTERNAL, "the plugin's answer is empty");
}

/* ---- calls ---- */

static nghttp2_session *new_session(grpc_client_t *c)
{
    nghttp2_session_callbacks *cb = NULL;
    nghttp2_session *h2 = NULL;
    if (nghttp2_session_callbacks_new(&cb) != 0)
        oom();
    nghttp2_session_callbacks_set_send_callback(cb, on_send);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
    if (nghttp2_session_client_new(&h2, cb, c) != 0)
        oom();
    nghttp2_session_callbacks_del(cb);
    nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                         {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW}};
    nghttp2_submit_settings(h2, 0, settings, ARRAY_LEN(settings));
    nghttp2_session_set_local_window_size(h2, 0, 0, WINDOW);
    return h2;
}

int grpc_client_open(const char *socket_path, grpc_client_t **out, err_t **err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(socket_path) >= sizeof(a.sun_path))
        return err_set(err, ERR_INVALID_ARGUMENT, "the socket's path is too long");
    strncpy(a.sun_path, socket_path, sizeof(a.sun_path) - 1);
    AUTO(close_p) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        return err_set(err, ERR_UNAVAILABLE, "connect: %s", strerror(errno));
    grpc_client_t *c = xcalloc(1, sizeof(*c));
    c->fd = fd;
    fd = -1;
    c->out.max = GRPC_MESSAGE_MAX + BACKLOG + GRPC_HEAD;
    c->message.max = 64 << 10;
    c->h2 = new_session(c);
    *out = c;
    return 0;
}

void grpc_client_close(grpc_client_t *c)
{
    if (!c)
        return;
    nghttp2_session_del(c->h2);
    close(c->fd);
    str_dispose(&c->out);
    str_dispose(&c->message);
    grpc_reader_dispose(&c->reader);
    err_free(c->err);
    free(c);
}

static nghttp2_nv pair(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), 0};
}

static void reset_call(grpc_client_t *c, const struct grpc_exchange *x)
{
    str_reset(&c->out);
    str_reset(&c->message);
    grpc_reader_dispose(&c->reader);
    c->reader = (struct grpc_reader){};
    c->x = *x;
    c->eof = c->closed = false;
    c->response = NULL;
    c->responses = 0;
    c->status = -1;
    c->http_status = 0;
}

int grpc_begin(grpc_client_t *c, const struct grpc_exchange *x, err_t **err)
{
    char timeout[GRPC_TIMEOUT_TEXT];
    if (c->dead)
        return err_set(err, ERR_UNAVAILABLE, "the connection is broken");
    reset_call(c, x);
    grpc_timeout_write(mono_left(x->deadline), timeout);
    nghttp2_nv headers[] = {pair(":method", "POST"),
                            pair(":scheme", "http"),
                            pair(":path", x->method),
                            pair(":authority", "localhost"),
                            pair("content-type", "application/grpc"),
                            pair("te", "trailers"),
                            pair("user-agent", "grpc-c-cargocd/" CARGOCD_VERSION),
                            pair("grpc-timeout", timeout)};
    nghttp2_data_provider body = {.read_callback = produce};
    c->stream = nghttp2_submit_request(c->h2, NULL, headers, ARRAY_LEN(headers), &body, NULL);
    return c->stream < 0 ? broken(c, ERR_UNAVAILABLE, "the connection takes no more calls", err) : 0;
}

int grpc_send(grpc_client_t *c, const void *p, size_t n, err_t **err)
{
    char head[GRPC_HEAD];
    if (c->dead)
        return err_set(err, ERR_UNAVAILABLE, "the connection is broken");
    grpc_head(n, head);
    str_add(&c->out, head, sizeof(head));
    str_add(&c->out, p, n);
    if (str_overflowed(&c->out))
        return broken(c, ERR_RESOURCE_EXHAUSTED, "the message is too large", err);
    nghttp2_session_resume_data(c->h2, c->stream);
    int r = 0;
    while (r == 0 && !c->closed && c->out.len > BACKLOG)
        r = drive(c, err);
    if (r == 0 && c->closed) {
        r = outcome(c, err);
        return r < 0 ? r : broken(c, ERR_ABORTED, "the plugin answered before it had the whole request", err);
    }
    return r;
}

int grpc_finish(grpc_client_t *c, str_t *response, err_t **err)
{
    if (c->dead)
        return err_set(err, ERR_UNAVAILABLE, "the connection is broken");
    c->eof = true;
    c->response = response;
    nghttp2_session_resume_data(c->h2, c->stream);
    int r = 0;
    while (r == 0 && !c->closed)
        r = drive(c, err);
    c->response = NULL;
    return r < 0 ? r : outcome(c, err);
}

int grpc_unary(grpc_client_t *c, const struct grpc_exchange *x, const void *p, size_t n, str_t *response,
               err_t **err)
{
    int r = grpc_begin(c, x, err);
    if (r == 0)
        r = grpc_send(c, p, n, err);
    return r < 0 ? r : grpc_finish(c, response, err);
}
