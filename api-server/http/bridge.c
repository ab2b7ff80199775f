/* libwebsockets wants a socket. Where the client's bytes pass through TLS or an HTTP/2 stream first, it gets
 * one end of a socket pair, and the bridge moves bytes between the other end and the engine: at most
 * BRIDGE_MAX wait in each direction, besides what the kernel holds. */
#include "api-server/http/front_impl.h"

#include "common/base/enc.h"

#include <errno.h>
#include <openssl/sha.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { BRIDGE_MAX = 2 << 20, WINDOW_TO_CLIENT = 12, WINDOW_FROM_CLIENT = 10 };

struct bridge {
    struct source source;
    front_t *front;
    int fd;
    const struct bridge_ops *ops;
    void *arg;
    str_t out; /* to libwebsockets */
    uint32_t armed;
    bool stalled, freed;
    str_t head; /* of libwebsockets' answer, until it is complete */
    bool open;
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

/* Drops the answer to our own upgrade request. False: it was refused. */
static bool skip_head(bridge_t *b, const char **p, size_t *n)
{
    if (b->open)
        return true;
    size_t before = b->head.len;
    str_add(&b->head, *p, *n);
    const char *end = strstr(str_text(&b->head), "\r\n\r\n");
    if (!end) {
        *n = 0;
        return !str_overflowed(&b->head);
    }
    size_t used = (size_t)(end + 4 - b->head.p) - before;
    b->open = str_has_prefix(b->head.p, "HTTP/1.1 101");
    *p += used;
    *n -= used;
    str_dispose(&b->head);
    return b->open;
}

size_t bridge_backlog(const bridge_t *b)
{
    return b->out.len;
}

static void ready(struct source *s, uint32_t events)
{
    bridge_t *b = CONTAINER_OF(s, bridge_t, source);
    if (b->freed)
        return;
    bool waited = b->out.len > 0;
    flush(b);
    if (waited && !b->out.len)
        b->ops->drained(b->arg);
    for (int i = 0; i < READS_PER_TURN && !b->freed && !(b->stalled = b->ops->stalled(b->arg)); i++) {
        char buf[8192];
        ssize_t n = recv(b->fd, buf, sizeof buf, 0);
        const char *p = buf;
        size_t got = n > 0 ? (size_t)n : 0;
        if (n > 0 && skip_head(b, &p, &got)) {
            if (got)
                b->ops->data(b->arg, p, got);
        } else if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        else {
            b->ops->closed(b->arg);
            break;
        }
    }
    if (!b->freed)
        arm(b);
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
    str_dispose(&b->head);
    b->freed = true;
    front_discard(b->front, b);
}

/* ---- the handshake ---- */

/* Whether a client's offer has the parameter, and its number (0: none given). */
static bool parameter(const char *offer, const char *name, int *number)
{
    const char *at = strcasestr(offer, name);
    int64_t v = 0;
    if (!at)
        return false;
    at += strlen(name);
    at += strspn(at, " \t");
    if (*at == '=') {
        at += 1 + strspn(at + 1, " \t\"");
        AUTO(free_p) char *digits = xstrndup(at, strspn(at, "0123456789"));
        str_to_i64(digits, &v);
    }
    *number = v > 0 && v < 100 ? (int)v : 0;
    return true;
}

struct ws_terms ws_terms_of(const struct web_request *r)
{
    struct ws_terms t = {};
    int bits = 0;
    VEC_FOREACH(&r->headers, it) {
        if (strcmp(it->name, "sec-websocket-extensions") != 0 || !strcasestr(it->value, "permessage-deflate"))
            continue;
        /* a client that cannot take a window of 2^12 goes without */
        t.deflate = !(parameter(it->value, "server_max_window_bits", &bits) && bits &&
                      bits < WINDOW_TO_CLIENT);
        t.client_window = t.deflate && parameter(it->value, "client_max_window_bits", &bits) &&
                          (!bits || bits >= WINDOW_FROM_CLIENT);
        break;
    }
    return t;
}

const char *ws_extensions(const struct ws_terms *t)
{
    if (!t->deflate)
        return NULL;
    return t->client_window ? "permessage-deflate; server_max_window_bits=12; client_max_window_bits=10"
                            : "permessage-deflate; server_max_window_bits=12";
}

void ws_accept_key(const char *key, str_t *out)
{
    unsigned char digest[SHA_DIGEST_LENGTH];
    AUTO(free_p) char *text = xasprintf("%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    SHA1((const unsigned char *)text, strlen(text), digest);
    base64_encode(digest, sizeof digest, out);
}

/* What libwebsockets is to see; the client's key plays no part in it. */
static void inner_request(const struct ws_terms *t, const char *protocol, str_t *out)
{
    str_printf(out,
               "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
               "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Protocol: %s\r\n",
               protocol);
    if (t->deflate)
        str_printf(out, "Sec-WebSocket-Extensions: permessage-deflate%s\r\n",
                   t->client_window ? "; client_max_window_bits=10" : "");
    str_puts(out, "\r\n");
}

bridge_t *bridge_open(exchange_t *ex, const str_t *rest, const struct bridge_ops *ops, void *arg)
{
    int fds[2];
    adopt_fn adopt = ex->adopt;
    ex->adopt = NULL;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0) {
        adopt(ex->arg, -1, NULL, 0);
        return NULL;
    }
    bridge_t *b = xcalloc(1, sizeof *b);
    b->source.ready = ready;
    b->front = ex->front;
    b->fd = fds[0];
    b->ops = ops;
    b->arg = arg;
    b->head.max = 8 << 10;
    b->armed = EPOLLIN;
    front_watch(b->front, b->fd, &b->source, b->armed);
    struct ws_terms terms = ws_terms_of(&ex->request);
    AUTO_STR first = STR_INIT;
    inner_request(&terms, ex->ws_protocol, &first);
    if (rest)
        str_add(&first, rest->p, rest->len);
    adopt(ex->arg, fds[1], first.p, first.len);
    return b;
}
