/* A connection reads until it has one whole request, hands it over, and reads no further until the reply is
 * out (what was read beyond waits in `in`). Meanwhile only its end is watched for. Everything that sends goes
 * through `flush`, at the end of a turn or when the socket takes bytes again; that is also the only place
 * where a connection is freed. */
#include "tests/kubesim/http.h"

#include "common/base/enc.h"
#include "tests/kubesim/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <http_parser.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECE = 64 << 10, ROUNDS = 16 };

struct conn {
    struct loop_fd io;
    struct deferred flush;
    http_server_t *server;
    struct conn *next, **at; /* in server->conns */
    SSL *ssl;
    http_parser parser;
    str_t in;
    str_t url, path, field, value, body;
    struct request request;
    char *peer_name;
    bool in_value; /* of the header at hand */
    bool busy, dead, complete, too_large;
    enum http_fill (*fill)(struct request *r, str_t *out);
    bool idle;
    str_t out, piece;
    size_t sent;
};

struct http_server {
    struct loop_fd io;
    struct http_config config;
    loop_t *loop;
    SSL_CTX *tls;
    struct conn *conns;
};

/* ---- parsing ---- */

static struct conn *of_parser(http_parser *p)
{
    return p->data;
}

static int on_url(http_parser *p, const char *at, size_t n)
{
    str_add(&of_parser(p)->url, at, n);
    return str_overflowed(&of_parser(p)->url);
}

static void take_header(struct conn *c)
{
    c->in_value = false;
    if (!c->field.len)
        return;
    for (char *q = c->field.p; *q; q++)
        *q = (char)(*q >= 'A' && *q <= 'Z' ? *q + 32 : *q);
    if (!utf8_valid(str_text(&c->value), c->value.len))
        for (char *q = c->value.p; *q; q++)
            *q = (char)(*q & 0x80 ? '?' : *q);
    const char *old = map_get(&c->request.headers, c->field.p);
    char *value = old ? xasprintf("%s, %s", old, str_text(&c->value)) : xstrdup(str_text(&c->value));
    map_put(&c->request.headers, c->field.p, value);
    str_reset(&c->field);
    str_reset(&c->value);
}

static int on_header_field(http_parser *p, const char *at, size_t n)
{
    struct conn *c = of_parser(p);
    if (c->in_value)
        take_header(c);
    str_add(&c->field, at, n);
    return str_overflowed(&c->field);
}

static int on_header_value(http_parser *p, const char *at, size_t n)
{
    of_parser(p)->in_value = true;
    str_add(&of_parser(p)->value, at, n);
    return str_overflowed(&of_parser(p)->value);
}

static int on_headers_complete(http_parser *p)
{
    struct conn *c = of_parser(p);
    take_header(c);
    const char *expect = map_get(&c->request.headers, "expect");
    if (expect && strcasecmp(expect, "100-continue") == 0) {
        str_puts(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
        loop_defer(c->server->loop, &c->flush);
    }
    return 0;
}

static int on_body(http_parser *p, const char *at, size_t n)
{
    struct conn *c = of_parser(p);
    if (c->body.len + n > HTTP_MAX_BODY)
        c->too_large = true;
    else
        str_add(&c->body, at, n);
    return 0;
}

static int on_message_complete(http_parser *p)
{
    of_parser(p)->complete = true;
    http_parser_pause(p, 1);
    return 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* Texts from outside end up in JSON: what is no UTF-8 is not let in. */
static bool unescape(view_t text, bool form, str_t *out)
{
    return url_unescape(text, form, out) && utf8_valid(str_text(out), out->len);
}

static bool take_query(struct request *r, view_t query)
{
    view_t part;
    while (view_split(&query, '&', &part)) {
        AUTO_STR name = STR_INIT;
        AUTO_STR value = STR_INIT;
        view_t key;
        if (!part.n)
            continue;
        view_split(&part, '=', &key);
        if (!unescape(key, true, &name) || (part.p && !unescape(part, true, &value)))
            return false;
        map_put(&r->query, str_text(&name), xstrdup(str_text(&value)));
    }
    return true;
}

static bool take_url(struct conn *c)
{
    view_t rest = {str_text(&c->url), c->url.len}, path;
    view_split(&rest, '?', &path);
    return unescape(path, false, &c->path) && (!rest.p || take_query(&c->request, rest));
}

static void request_reset(struct conn *c)
{
    map_dispose(&c->request.query);
    map_dispose(&c->request.headers);
    c->request = (struct request){
        .query = MAP_INIT(free), .headers = MAP_INIT(free), .peer_name = c->peer_name};
    str_reset(&c->url);
    str_reset(&c->path);
    str_dispose(&c->body);
    str_dispose(&c->piece);
    c->complete = c->too_large = c->idle = false;
    c->fill = NULL;
}

/* ---- life of a connection ---- */

static void request_over(struct conn *c)
{
    if (!c->busy)
        return;
    c->busy = false;
    if (c->request.done)
        c->request.done(&c->request);
    c->request.done = NULL;
}

static void kill_conn(struct conn *c)
{
    if (c->dead)
        return;
    c->dead = true;
    loop_watch(c->server->loop, &c->io, 0);
    request_over(c);
    loop_defer(c->server->loop, &c->flush);
}

static void free_conn(struct conn *c)
{
    *c->at = c->next;
    if (c->next)
        c->next->at = c->at;
    SSL_free(c->ssl);
    close_p(&c->io.fd);
    request_reset(c);
    free(c->peer_name);
    str_t *all[] = {&c->in, &c->url, &c->path, &c->field, &c->value, &c->out};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        str_dispose(all[i]);
    free(c);
}

static void dispatch(struct conn *c)
{
    struct request *r = &c->request;
    c->busy = true;
    loop_watch(c->server->loop, &c->io, EPOLLRDHUP);
    r->method = http_method_str(c->parser.method);
    r->body = (view_t){str_text(&c->body), c->body.len};
    r->body_too_large = c->too_large;
    if (!take_url(c)) {
        http_reply(r, 400, "text/plain", NULL, "malformed URL\n", 14);
        return;
    }
    r->path = str_text(&c->path);
    if (c->ssl && !c->peer_name)
        r->peer_name = c->peer_name = tls_peer_name(c->ssl);
    c->server->config.handle(c->server->config.ctx, r);
}

/* Feeds what is in `in`; true when a request was handed over. */
static bool parse(struct conn *c)
{
    if (!c->in.len)
        return false;
    size_t n = http_parser_execute(&c->parser, &settings, c->in.p, c->in.len);
    str_consume(&c->in, n);
    if (c->complete) {
        http_parser_pause(&c->parser, 0);
        dispatch(c);
        return true;
    }
    if (HTTP_PARSER_ERRNO(&c->parser) != HPE_OK)
        kill_conn(c);
    return c->dead;
}

static void read_more(struct conn *c)
{
    while (!c->busy && !c->dead) {
        if (parse(c))
            return;
        bool want_write = false;
        char *p = str_reserve(&c->in, PIECE);
        ssize_t n = io_read(c->ssl, c->io.fd, p, PIECE, &want_write);
        if (n == IO_CLOSED) {
            kill_conn(c);
        } else if (n == IO_AGAIN) {
            loop_watch(c->server->loop, &c->io, EPOLLIN | EPOLLRDHUP | (want_write ? EPOLLOUT : 0u));
            return;
        } else {
            c->in.len += (size_t)n;
        }
    }
}

/* True when everything is out. */
static bool send_out(struct conn *c)
{
    while (c->sent < c->out.len) {
        ssize_t n = io_write(c->ssl, c->io.fd, c->out.p + c->sent, c->out.len - c->sent);
        if (n == IO_CLOSED) {
            kill_conn(c);
            return false;
        }
        if (n == IO_AGAIN) {
            loop_watch(c->server->loop, &c->io, EPOLLRDHUP | EPOLLOUT);
            return false;
        }
        c->sent += (size_t)n;
    }
    c->sent = 0;
    /* An idle watch need not keep the buffer of its first burst. */
    if (c->out.cap > 4 * PIECE)
        str_dispose(&c->out);
    else
        str_reset(&c->out);
    return true;
}

/* One piece of a streamed reply; false when the connection is to be cut. */
static bool add_piece(struct conn *c)
{
    str_reset(&c->piece);
    enum http_fill next = c->fill(&c->request, &c->piece);
    if (c->piece.len) {
        str_printf(&c->out, "%zx\r\n", c->piece.len);
        str_add(&c->out, c->piece.p, c->piece.len);
        str_puts(&c->out, "\r\n");
    }
    c->idle = next == HTTP_IDLE;
    if (next == HTTP_END)
        str_puts(&c->out, "0\r\n\r\n");
    if (next == HTTP_END || next == HTTP_CUT)
        c->fill = NULL;
    return next != HTTP_CUT;
}

static void reply_complete(struct conn *c)
{
    bool keep = http_should_keep_alive(&c->parser);
    request_over(c);
    request_reset(c);
    if (keep)
        read_more(c);
    else
        kill_conn(c);
}

static void flush(struct deferred *d)
{
    struct conn *c = CONTAINER_OF(d, struct conn, flush);
    bool whole = true;
    for (int i = 0; i < ROUNDS && !c->dead && send_out(c); i++) {
        if (!whole) {
            kill_conn(c);
        } else if (c->fill && !c->idle) {
            whole = add_piece(c);
        } else if (c->busy && c->request.status && !c->fill) {
            reply_complete(c);
            break;
        } else {
            if (c->busy)
                loop_watch(c->server->loop, &c->io, EPOLLRDHUP);
            break;
        }
    }
    if (c->dead && !c->flush.queued)
        free_conn(c);
    else if (!c->dead && c->busy && (c->out.len || (c->fill && !c->idle)))
        loop_watch(c->server->loop, &c->io, EPOLLRDHUP | EPOLLOUT);
}

static void on_event(struct loop_fd *f, uint32_t events)
{
    struct conn *c = CONTAINER_OF(f, struct conn, io);
    if (c->dead)
        return;
    if (events & (EPOLLERR | EPOLLHUP) || (c->busy && events & EPOLLRDHUP))
        kill_conn(c);
    else if (c->busy)
        loop_defer(c->server->loop, &c->flush);
    else
        read_more(c);
}

/* ---- the server ---- */

static void add_conn(http_server_t *s, int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct conn *c = xcalloc(1, sizeof(*c));
    c->server = s;
    c->io = (struct loop_fd){.fd = fd, .fn = on_event};
    c->flush.fn = flush;
    c->url.max = HTTP_MAX_URL;
    c->field.max = c->value.max = HTTP_MAX_HEADERS;
    c->parser.data = c;
    http_parser_init(&c->parser, HTTP_REQUEST);
    c->next = s->conns;
    c->at = &s->conns;
    if (c->next)
        c->next->at = &c->next;
    s->conns = c;
    request_reset(c);
    if (s->tls) {
        c->ssl = SSL_new(s->tls);
        SSL_set_fd(c->ssl, fd);
        SSL_set_accept_state(c->ssl);
    }
    loop_watch(s->loop, &c->io, EPOLLIN | EPOLLRDHUP);
}

static void on_accept(struct loop_fd *f, uint32_t events)
{
    http_server_t *s = CONTAINER_OF(f, http_server_t, io);
    for (int i = 0; i < 64; i++) {
        int fd = accept4(f->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        add_conn(s, fd);
    }
}

static int open_socket(const struct http_config *config, int *out, err_t **err)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(config->port)};
    if (inet_pton(AF_INET, config->host, &a.sin_addr) != 1)
        return err_set(err, ERR_INVALID_ARGUMENT, "listen on %s: not an IPv4 address", config->host);
    AUTO(close_p) int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1024) < 0)
        return err_set_errno(err, errno, "listen on %s:%u", config->host, config->port);
    *out = fd;
    fd = -1;
    return 0;
}

int http_server_new(loop_t *loop, const struct http_config *config, http_server_t **out, err_t **err)
{
    SSL_CTX *tls = NULL;
    int fd = -1;
    if (config->cert && tls_server_context(config->cert, config->key, config->client_ca, &tls, err) < 0)
        return err_wrap(err, "set up TLS");
    int result = open_socket(config, &fd, err);
    if (result < 0) {
        SSL_CTX_free(tls);
        return result;
    }
    http_server_t *s = xcalloc(1, sizeof(*s));
    *s = (http_server_t){.io = {.fd = fd, .fn = on_accept}, .config = *config, .loop = loop, .tls = tls};
    loop_watch(loop, &s->io, EPOLLIN);
    *out = s;
    return 0;
}

void http_server_free(http_server_t *s)
{
    if (!s)
        return;
    http_cut_all(s);
    while (s->conns) {
        loop_defer_cancel(s->loop, &s->conns->flush);
        free_conn(s->conns);
    }
    loop_watch(s->loop, &s->io, 0);
    close_p(&s->io.fd);
    SSL_CTX_free(s->tls);
    free(s);
}

uint16_t http_server_port(const http_server_t *s)
{
    struct sockaddr_in a;
    socklen_t n = sizeof(a);
    return getsockname(s->io.fd, (struct sockaddr *)&a, &n) < 0 ? 0 : ntohs(a.sin_port);
}

/* ---- replies ---- */

static struct conn *of_request(struct request *r)
{
    return CONTAINER_OF(r, struct conn, request);
}

static void add_head(struct conn *c, int status, const char *type, const char *headers)
{
    c->request.status = status;
    str_printf(&c->out, "HTTP/1.1 %d %s\r\nCache-Control: no-cache, private\r\nContent-Type: %s\r\n%s%s",
               status, http_status_str((enum http_status)status), type, str_or_empty(headers),
               http_should_keep_alive(&c->parser) ? "" : "Connection: close\r\n");
    loop_defer(c->server->loop, &c->flush);
}

void http_reply(struct request *r, int status, const char *type, const char *headers, const void *p, size_t n)
{
    struct conn *c = of_request(r);
    add_head(c, status, type, headers);
    str_printf(&c->out, "Content-Length: %zu\r\n\r\n", n);
    if (strcmp(r->method, "HEAD") != 0)
        str_add(&c->out, p, n);
}

void http_stream(struct request *r, int status, const char *type,
                 enum http_fill (*fill)(struct request *, str_t *))
{
    struct conn *c = of_request(r);
    add_head(c, status, type, "Transfer-Encoding: chunked\r\n");
    str_puts(&c->out, "\r\n");
    c->fill = fill;
}

void http_wake(struct request *r)
{
    struct conn *c = of_request(r);
    c->idle = false;
    loop_defer(c->server->loop, &c->flush);
}

void http_cut(struct request *r)
{
    kill_conn(of_request(r));
}

void http_cut_all(http_server_t *s)
{
    for (struct conn *c = s->conns; c; c = c->next)
        kill_conn(c);
}

const char *http_get_header(const struct request *r, const char *name)
{
    return map_get(&r->headers, name);
}

const char *http_query(const struct request *r, const char *name)
{
    return map_get(&r->query, name);
}
