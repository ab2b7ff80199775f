/* HTTP/1.1. http_parser finds where messages and bodies end (and refuses what is ambiguous: two lengths, a
 * length beside chunks, bare line feeds in the wrong place); everything else is here. One exchange at a time:
 * while it is under way the connection is not read, so pipelined requests wait in the socket. */
#include "api-server/http/front_impl.h"

#include <ctype.h>
#include <http_parser.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

struct h1 {
    http_parser parser;
    exchange_t *ex; /* being read or answered; NULL between requests */
    str_t target, name, value;
    bool in_value;
    bool reading;   /* the request is not complete yet */
    bool answering; /* its head has been written */
    bool chunked;
    bool keep_alive;
    bool draining;
    int refuse;  /* status of a request that is not worked on */
    size_t head; /* bytes of head so far */
    str_t rest;  /* bytes behind the request */
};

static int on_begin(http_parser *p)
{
    conn_t *c = p->data;
    struct h1 *h = c->state;
    h->ex = exchange_new(c->front);
    h->ex->conn = c;
    h->ex->request.tls = c->ssl != NULL;
    snprintf(h->ex->request.peer, sizeof h->ex->request.peer, "%s", c->peer);
    h->reading = true;
    h->head = 0;
    h->refuse = 0;
    conn_wait(c, WAIT_HEAD);
    return 0;
}

static int refuse(struct h1 *h, int status)
{
    if (!h->refuse)
        h->refuse = status;
    return -1;
}

static int count_head(struct h1 *h, size_t n)
{
    h->head += n;
    return h->head > REQUEST_MAX_HEAD ? refuse(h, 431) : 0;
}

static int on_url(http_parser *p, const char *at, size_t n)
{
    struct h1 *h = ((conn_t *)p->data)->state;
    str_add(&h->target, at, n);
    return h->target.len > REQUEST_MAX_TARGET ? refuse(h, 414) : 0;
}

/* RFC 9110 §5.6.2; the parser as Debian builds it lets blanks through, which others read as the end of the
 * name. */
static bool is_token(const str_t *s)
{
    for (size_t i = 0; i < s->len; i++)
        if (!strchr("!#$%&'*+-.^_`|~", s->p[i]) && !isalnum((unsigned char)s->p[i]))
            return false;
    return true;
}

static int header_done(struct h1 *h)
{
    struct web_request *r = &h->ex->request;
    if (!h->name.len)
        return 0;
    for (size_t i = 0; i < h->name.len; i++)
        if (h->name.p[i] >= 'A' && h->name.p[i] <= 'Z')
            h->name.p[i] |= 0x20;
    if (!is_token(&h->name))
        return refuse(h, 400);
    view_t value = view_trim((view_t){str_text(&h->value), h->value.len});
    if (r->headers.n >= REQUEST_MAX_HEADERS)
        return refuse(h, 431);
    if (memchr(value.p, 0, value.n))
        return refuse(h, 400);
    headers_add(&r->headers, h->name.p, h->name.len, value.p, value.n);
    str_reset(&h->name);
    str_reset(&h->value);
    h->in_value = false;
    return 0;
}

static int on_name(http_parser *p, const char *at, size_t n)
{
    struct h1 *h = ((conn_t *)p->data)->state;
    if (h->in_value && header_done(h) < 0)
        return -1;
    str_add(&h->name, at, n);
    return count_head(h, n + 2);
}

static int on_value(http_parser *p, const char *at, size_t n)
{
    struct h1 *h = ((conn_t *)p->data)->state;
    h->in_value = true;
    str_add(&h->value, at, n);
    return count_head(h, n + 2);
}

/* Absolute-form targets ("GET http://host/path") are allowed by RFC 9112 §3.2.2. */
static bool set_target(struct web_request *r, const str_t *target)
{
    const char *t = str_text(target);
    size_t n = target->len;
    if (strncasecmp(t, "http://", 7) == 0 || strncasecmp(t, "https://", 8) == 0) {
        const char *path = memchr(t + 8, '/', n > 8 ? n - 8 : 0);
        if (!path)
            return request_set_target(r, "/", 1);
        n -= (size_t)(path - t);
        t = path;
    }
    return request_set_target(r, t, n);
}

static size_t count_headers(const headers_t *h, const char *name)
{
    size_t n = 0;
    VEC_FOREACH(h, it)
        n += !strcmp(it->name, name);
    return n;
}

/* The body is kept only as far as the dispatcher allows, and the front has room for. */
static int admit_body(conn_t *c, struct h1 *h, uint64_t length, bool chunked)
{
    exchange_t *ex = h->ex;
    const struct front_options *o = &c->front->options;
    if (!length && !chunked)
        return 0;
    ex->body_limit = o->ops->body_limit(o->ctx, &ex->request);
    if (length > ex->body_limit)
        return refuse(h, 413);
    ex->request.body.max = ex->body_limit + 1;
    const char *expect = headers_get(&ex->request.headers, "expect");
    if (expect && !strcasecmp(expect, "100-continue"))
        conn_write(c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    conn_wait(c, WAIT_BODY);
    return 0;
}

static int on_headers(http_parser *p)
{
    conn_t *c = p->data;
    struct h1 *h = c->state;
    struct web_request *r = &h->ex->request;
    if (header_done(h) < 0)
        return -1;
    r->method = xstrdup(http_method_str((enum http_method)p->method));
    if (!set_target(r, &h->target))
        return refuse(h, 400);
    if (p->http_major != 1)
        return refuse(h, 505);
    const char *host = headers_get(&r->headers, "host");
    if ((!host && p->http_minor > 0) || count_headers(&r->headers, "host") > 1)
        return refuse(h, 400);
    r->host = xstrdup(str_or_empty(host));
    h->keep_alive = http_should_keep_alive(p) && !h->draining;
    const char *upgrade = headers_get(&r->headers, "upgrade");
    r->websocket = p->upgrade && upgrade && !strcasecmp(upgrade, "websocket") && p->method == HTTP_GET;
    p->upgrade = r->websocket; /* others (h2c) may be ignored: RFC 9110 §7.8 */
    bool sized = p->content_length != UINT64_MAX;
    return admit_body(c, h, sized ? p->content_length : 0, p->flags & F_CHUNKED);
}

static int on_body(http_parser *p, const char *at, size_t n)
{
    conn_t *c = p->data;
    struct h1 *h = c->state;
    exchange_t *ex = h->ex;
    if (ex->request.body.len + n > ex->body_limit)
        return refuse(h, 413);
    if (!front_budget_take(c->front, n))
        return refuse(h, 503);
    ex->body_counted += n;
    str_add(&ex->request.body, at, n);
    if (ex->request.body.len >> 16 != (ex->request.body.len - n) >> 16) /* another 64 KiB: that is progress */
        conn_wait(c, WAIT_BODY);
    return 0;
}

static int on_complete(http_parser *p)
{
    struct h1 *h = ((conn_t *)p->data)->state;
    h->reading = false;
    http_parser_pause(p, 1);
    return 0;
}

static const http_parser_settings settings = {.on_message_begin = on_begin,
                                              .on_url = on_url,
                                              .on_header_field = on_name,
                                              .on_header_value = on_value,
                                              .on_headers_complete = on_headers,
                                              .on_body = on_body,
                                              .on_message_complete = on_complete};

/* ---- answers ---- */

static void write_date(str_t *out)
{
    time_t now = (time_t)(wall_now().ns / NS_PER_SEC);
    struct tm tm;
    char text[48];
    gmtime_r(&now, &tm);
    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    str_printf(out, "Date: %s\r\n", text);
}

static bool has_body(const exchange_t *ex)
{
    return strcmp(str_or_empty(ex->request.method), "HEAD") != 0 && ex->status != 204 && ex->status != 304;
}

static void write_head(conn_t *c, struct h1 *h)
{
    exchange_t *ex = h->ex;
    AUTO_STR head = STR_INIT;
    size_t size;
    exchange_body(ex, &size);
    str_printf(&head, "HTTP/1.1 %d %s\r\n", ex->status, http_status_text(ex->status));
    if (ex->content_type)
        str_printf(&head, "Content-Type: %s\r\n", ex->content_type);
    VEC_FOREACH(&ex->headers, it)
        str_printf(&head, "%s: %s\r\n", it->name, it->value);
    write_date(&head);
    h->chunked = false;
    if (ex->kind == ANSWER_BODY)
        str_printf(&head, "Content-Length: %zu\r\n", size);
    else if (h->parser.http_minor > 0) {
        h->chunked = true;
        str_puts(&head, "Transfer-Encoding: chunked\r\n");
    } else
        h->keep_alive = false;
    if (!h->keep_alive)
        str_puts(&head, "Connection: close\r\n");
    str_puts(&head, "\r\n");
    conn_write(c, head.p, head.len);
    h->answering = true;
}

static int feed(conn_t *c, const char *p, size_t n);

static void answered(conn_t *c, struct h1 *h)
{
    exchange_t *ex = h->ex;
    h->ex = NULL;
    h->answering = false;
    exchange_abandon(ex);
    if (!h->keep_alive || h->draining) {
        conn_finish(c);
        return;
    }
    str_reset(&h->target);
    http_parser_pause(&h->parser, 0);
    conn_wait(c, h->rest.len ? WAIT_HEAD : WAIT_IDLE);
    conn_pause(c, false);
    if (h->rest.len) {
        AUTO_STR rest = h->rest;
        h->rest = (str_t)STR_INIT;
        if (feed(c, rest.p, rest.len) < 0)
            conn_finish(c);
    }
}

static void put_chunk(conn_t *c, struct h1 *h, const str_t *piece)
{
    char size[32];
    if (!piece->len)
        return;
    if (h->chunked)
        conn_write(c, size, (size_t)snprintf(size, sizeof size, "%zx\r\n", piece->len));
    conn_write(c, piece->p, piece->len);
    if (h->chunked)
        conn_write(c, "\r\n", 2);
}

static void pull_stream(conn_t *c, struct h1 *h)
{
    exchange_t *ex = h->ex;
    AUTO_STR piece = STR_INIT;
    int rc = ex->ops->pull(ex->arg, OUT_LOW, &piece);
    put_chunk(c, h, &piece);
    if (rc == 0 && !h->draining)
        return;
    if (h->chunked)
        conn_write(c, "0\r\n\r\n", 5);
    exchange_end_stream(ex);
    answered(c, h);
}

static void send_body(conn_t *c, struct h1 *h)
{
    exchange_t *ex = h->ex;
    size_t n;
    const char *p = exchange_body(ex, &n);
    n = has_body(ex) ? n : 0;
    size_t piece = min_size(n, 2 * OUT_LOW);
    conn_write(c, p, piece);
    ex->sent += piece;
    if (piece == n)
        answered(c, h);
}

static void output(conn_t *c)
{
    struct h1 *h = c->state;
    if (!h->ex || !h->answering)
        return;
    if (h->ex->kind == ANSWER_BODY)
        send_body(c, h);
    else if (h->ex->kind == ANSWER_STREAM)
        pull_stream(c, h);
}

/* ---- WebSocket ---- */

static void bridge_data(void *arg, const char *p, size_t n)
{
    conn_t *c = arg;
    conn_write(c, p, n);
    conn_turn(c);
}

static bool bridge_stalled(void *arg)
{
    return conn_pending((conn_t *)arg) >= OUT_LOW;
}

static void bridge_closed(void *arg)
{
    conn_t *c = arg;
    conn_finish(c);
    conn_turn(c);
}

static void bridge_drained(void *arg)
{
    conn_t *c = arg;
    conn_pause(c, false);
    conn_turn(c);
}

static const struct bridge_ops ws_bridge = {bridge_data, bridge_stalled, bridge_drained, bridge_closed};

static void begin_websocket(conn_t *c, struct h1 *h)
{
    exchange_t *ex = h->ex;
    struct ws_terms terms = ws_terms_of(&ex->request);
    AUTO_STR head = STR_INIT;
    AUTO_STR rest = h->rest;
    h->rest = (str_t)STR_INIT;
    ex->bridge = bridge_open(ex, &rest, &ws_bridge, c);
    if (!ex->bridge) {
        conn_kill(c);
        return;
    }
    str_printf(&head,
               "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Protocol: %s\r\nSec-WebSocket-Accept: ",
               ex->ws_protocol);
    ws_accept_key(str_or_empty(headers_get(&ex->request.headers, "sec-websocket-key")), &head);
    if (ws_extensions(&terms))
        str_printf(&head, "\r\nSec-WebSocket-Extensions: %s", ws_extensions(&terms));
    str_puts(&head, "\r\n\r\n");
    conn_write(c, head.p, head.len);
    conn_wait(c, WAIT_NOTHING);
    conn_pause(c, false);
}

static void on_answer(conn_t *c, exchange_t *ex)
{
    struct h1 *h = c->state;
    if (ex != h->ex)
        return;
    if (ex->kind == ANSWER_WEBSOCKET && !ex->bridge && ex->adopt)
        begin_websocket(c, h);
    else if (ex->kind != ANSWER_WEBSOCKET && !h->answering) {
        conn_wait(c, WAIT_NOTHING);
        write_head(c, h);
    }
}

/* ---- requests ---- */

static void reply_here(conn_t *c, struct h1 *h, int status, const char *location)
{
    exchange_t *ex = h->ex;
    h->keep_alive = false;
    conn_pause(c, true);
    if (location)
        exchange_header(ex, "Location", location);
    AUTO(free_p) char *text = xasprintf("%s\n", http_status_text(status));
    exchange_reply_text(exchange_ref(ex), status, "text/plain; charset=utf-8", text);
}

/* Argo CD answers a plain request on its TLS port so; the root path is added where a client left it out. */
static void redirect(conn_t *c, struct h1 *h)
{
    const struct web_request *r = &h->ex->request;
    AUTO_STR root = STR_INIT;
    AUTO_STR to = STR_INIT;
    for (const char *p = c->front->root_path; *p; p++)
        if (*p != '/' || root.len)
            str_putc(&root, *p);
    while (root.len && root.p[root.len - 1] == '/')
        str_truncate(&root, root.len - 1);
    bool below = !root.len || (!strncmp(r->path + 1, root.p, root.len) && strchr("/", r->path[1 + root.len]));
    str_printf(&to, "https://%s%s%s%s%s%s", r->host, below ? "" : "/", below ? "" : str_text(&root), r->path,
               *r->query ? "?" : "", r->query);
    reply_here(c, h, 307, str_text(&to));
}

static void dispatch(conn_t *c, struct h1 *h)
{
    const struct front_options *o = &c->front->options;
    conn_pause(c, true);
    conn_wait(c, WAIT_NOTHING);
    __atomic_fetch_add(&c->front->stats.requests, 1, __ATOMIC_RELAXED);
    if (c->redirect_only)
        redirect(c, h);
    else
        o->ops->request(o->ctx, exchange_ref(h->ex));
}

static int parse_failed(conn_t *c, struct h1 *h)
{
    __atomic_fetch_add(&c->front->stats.rejected, 1, __ATOMIC_RELAXED);
    int status = h->refuse ? h->refuse : 400;
    if (HTTP_PARSER_ERRNO(&h->parser) == HPE_HEADER_OVERFLOW)
        status = 431;
    if (!h->ex)
        on_begin(&h->parser);
    reply_here(c, h, status, NULL);
    return 0;
}

static int feed(conn_t *c, const char *p, size_t n)
{
    struct h1 *h = c->state;
    size_t used = http_parser_execute(&h->parser, &settings, p, n);
    enum http_errno e = HTTP_PARSER_ERRNO(&h->parser);
    if (e != HPE_OK && e != HPE_PAUSED)
        return parse_failed(c, h);
    if (h->ex && !h->reading) {
        str_add(&h->rest, p + used, n - used);
        dispatch(c, h);
    }
    return 0;
}

static int input(conn_t *c, const char *p, size_t n)
{
    struct h1 *h = c->state;
    if (!h) {
        http_parser_set_max_header_size(REQUEST_MAX_HEAD + REQUEST_MAX_TARGET);
        c->state = h = xcalloc(1, sizeof *h);
        http_parser_init(&h->parser, HTTP_REQUEST);
        h->parser.data = c;
    }
    if (h->ex && h->ex->bridge) {
        if (!bridge_write(h->ex->bridge, p, n))
            return -1;
        conn_pause(c, bridge_backlog(h->ex->bridge) > 2 * OUT_LOW);
        return 0;
    }
    if (h->ex && !h->reading) {
        str_add(&h->rest, p, n);
        return 0;
    }
    return feed(c, p, n);
}

static void after_output(conn_t *c)
{
    struct h1 *h = c->state;
    if (h && h->ex && h->ex->bridge)
        bridge_resume(h->ex->bridge);
    else if (h)
        output(c);
}

static void drain(conn_t *c)
{
    struct h1 *h = c->state;
    h->draining = true;
    h->keep_alive = false;
    if (!h->ex || h->reading)
        conn_finish(c);
}

static void close_h1(conn_t *c)
{
    struct h1 *h = c->state;
    c->state = NULL;
    if (!h)
        return;
    if (h->ex) {
        bridge_free(TAKE(h->ex->bridge));
        exchange_abandon(h->ex);
    }
    str_dispose(&h->target);
    str_dispose(&h->name);
    str_dispose(&h->value);
    str_dispose(&h->rest);
    free(h);
}

const struct engine engine_h1 = {input, after_output, on_answer, drain, close_h1};
