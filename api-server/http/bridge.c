/* libwebsockets wants a socket. Where the client's bytes pass through TLS or an HTTP/2 stream first, it gets
 * one end of a socket pair, and the bridge moves bytes between the other end and the engine: at most
 * BRIDGE_MAX wait in each direction, besides what the kernel holds. */
#include "api-server/http/front_impl.h"

#include "common/base/enc.h"
#include "common/base/rand.h"

#include <errno.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { BRIDGE_MAX = 128 << 10 };

struct bridge {
    struct source source;
    front_t *front;
    int fd;
    const struct bridge_ops *ops;
    void *arg;
    str_t out; /* to libwebsockets */
    uint32_t armed;
    bool stalled, freed;
};

static void arm(bridge_t *b)
{
    uint32_t events = (b->stalled ? 0 : EPOLLIN) | (b->out.len ? EPOLLOUT : 0);
    if (events != b->armed)
        front_rewatch(b->front, b->fd, &b->source, b->armed = events);
}

static void flush(bridge_t *b)
{
    while (b->out.len) {
        ssize_t n = send(b->fd, b->out.p, b->out.len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        str_consume(&b->out, (size_t)n);
    }
    str_dispose(&b->out);
}

static void ready(struct source *s, uint32_t events)
{
    bridge_t *b = CONTAINER_OF(s, bridge_t, source);
    if (b->freed)
        return;
    flush(b);
    for (int i = 0; i < READS_PER_TURN && !b->freed && !(b->stalled = b->ops->stalled(b->arg)); i++) {
        char buf[8192];
        ssize_t n = recv(b->fd, buf, sizeof buf, 0);
        if (n > 0)
            b->ops->data(b->arg, buf, (size_t)n);
        else if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        else {
            b->ops->closed(b->arg);
            break;
        }
    }
    if (!b->freed)
        arm(b);
}

bridge_t *bridge_new(front_t *f, int fd, const struct bridge_ops *ops, void *arg)
{
    bridge_t *b = xcalloc(1, sizeof *b);
    b->source.ready = ready;
    b->front = f;
    b->fd = fd;
    b->ops = ops;
    b->arg = arg;
    b->armed = EPOLLIN;
    front_watch(f, fd, &b->source, b->armed);
    return b;
}

bool bridge_write(bridge_t *b, const char *p, size_t n)
{
    if (!b->out.len) {
        ssize_t sent = send(b->fd, p, n, MSG_NOSIGNAL);
        if (sent > 0) {
            p += sent;
            n -= (size_t)sent;
        }
    }
    if (b->out.len + n > BRIDGE_MAX)
        return false;
    str_add(&b->out, p, n);
    arm(b);
    return true;
}

void bridge_resume(bridge_t *b)
{
    if (b->stalled) {
        b->stalled = b->ops->stalled(b->arg);
        arm(b);
    }
}

void bridge_free(bridge_t *b)
{
    if (!b)
        return;
    front_unwatch(b->front, b->fd);
    close_p(&b->fd);
    str_dispose(&b->out);
    b->freed = true;
    front_discard(b->front, b);
}

/* What the client offers of permessage-deflate, as libwebsockets should see it: without parameters, because
 * it would take up ones that cost memory. The windows that it then uses are set on the connection (ws.c). */
static void offer_extension(const struct web_request *r, str_t *out)
{
    VEC_FOREACH(&r->headers, it) {
        if (strcmp(it->name, "sec-websocket-extensions") != 0 || !strcasestr(it->value, "permessage-deflate"))
            continue;
        str_puts(out, "Sec-WebSocket-Extensions: permessage-deflate\r\n");
        return;
    }
}

void bridge_head(const struct web_request *r, const char *protocol, const char *key, str_t *out)
{
    char random[16];
    AUTO_STR any = STR_INIT;
    if (!key) {
        random_bytes(random, sizeof random);
        base64_encode(random, sizeof random, &any);
        key = str_text(&any);
    }
    str_printf(out,
               "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
               "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: %s\r\n",
               key, protocol);
    offer_extension(r, out);
    str_puts(out, "\r\n");
}
