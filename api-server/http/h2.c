/* HTTP/2, on nghttp2. A stream is an exchange; the session's output is pulled only while the connection's
 * buffer is low, so that what waits in memory is bounded whatever the client's windows. Extended CONNECT (RFC
 * 8441) carries WebSockets: the stream's DATA is bridged to libwebsockets, whose 101 becomes the stream's
 * 200. */
#include "api-server/http/front_impl.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <strings.h>

enum {
    MAX_STREAMS = 250, /* as Go's server */
    WINDOW = 1 << 20,
    MAX_RESETS = 1000, /* by the client, in excess of answered requests: rapid reset (CVE-2023-44487) */
};

struct h2 {
    nghttp2_session *session;
    size_t streams;
    int64_t resets;
    exchange_t *exchanges; /* by next_of_conn */
    bool draining;
};

/* What a bridged stream needs besides its exchange. */
struct tunnel {
    exchange_t *ex;
    bridge_t *bridge;
    str_t data; /* for the client */
    bool closed;
};

static void set_idle(conn_t *c, struct h2 *h)
{
    for (exchange_t *ex = h->exchanges; ex; ex = ex->next_of_conn)
        if (!ex->dispatched)
            return; /* the limit for its head or body holds */
    if (h->streams)
        conn_wait(c, WAIT_NOTHING);
    else
        conn_wait(c, WAIT_IDLE);
}

static void unlink_exchange(struct h2 *h, exchange_t *ex)
{
    for (exchange_t **p = &h->exchanges; *p; p = &(*p)->next_of_conn)
        if (*p == ex) {
            *p = ex->next_of_conn;
            return;
        }
}

static void tunnel_free(struct tunnel *t)
{
    if (!t)
        return;
    bridge_free(t->bridge);
    str_dispose(&t->data);
    free(t);
}

static void drop_exchange(struct h2 *h, exchange_t *ex)
{
    unlink_exchange(h, ex);
    tunnel_free(TAKE(ex->bridge));
    exchange_abandon(ex);
}

/* ---- requests ---- */

static int on_begin_headers(nghttp2_session *s, const nghttp2_frame *frame, void *arg)
{
    conn_t *c = arg;
    struct h2 *h = c->state;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    exchange_t *ex = exchange_new(c->front);
    ex->conn = c;
    ex->stream_id = frame->hd.stream_id;
    ex->request.tls = c->ssl != NULL;
    ex->request.http2 = true;
    snprintf(ex->request.peer, sizeof ex->request.peer, "%s", c->peer);
    ex->next_of_conn = h->exchanges;
    h->exchanges = ex;
    h->streams++;
    conn_wait(c, WAIT_HEAD);
    nghttp2_session_set_stream_user_data(s, ex->stream_id, ex);
    return 0;
}

static void replace(char **field, const uint8_t *p, size_t n)
{
    free(*field);
    *field = xstrndup((const char *)p, n);
}

static int on_header(nghttp2_session *s, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
    exchange_t *ex = nghttp2_session_get_stream_user_data(s, frame->hd.stream_id);
    if (!ex || frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    struct web_request *r = &ex->request;
    view_t n = {(const char *)name, name_len};
    if (view_eq(n, ":method"))
        replace(&r->method, value, value_len);
    else if (view_eq(n, ":authority"))
        replace(&r->host, value, value_len);
    else if (view_eq(n, ":protocol"))
        r->websocket = value_len == 9 && !strncasecmp((const char *)value, "websocket", 9);
    else if (view_eq(n, ":path")) {
        if (r->path || value_len > REQUEST_MAX_TARGET ||
            !request_set_target(r, (const char *)value, value_len))
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    } else if (name_len && name[0] != ':') {
        if (r->headers.n >= REQUEST_MAX_HEADERS)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        headers_add(&r->headers, (const char *)name, name_len, (const char *)value, value_len);
    }
    return 0;
}

/* Cookie crumbs (RFC 9113 §8.2.3) become one header again. */
static void join_cookies(headers_t *h)
{
    struct header *first = NULL;
    for (size_t i = 0; i < h->n; i++) {
        if (strcmp(h->v[i].name, "cookie") != 0)
            continue;
        if (!first) {
            first = &h->v[i];
            continue;
        }
        char *joined = xasprintf("%s; %s", first->value, h->v[i].value);
        free(first->value);
        first->value = joined;
        free(h->v[i].name);
        free(h->v[i].value);
        VEC_REMOVE(h, i);
        i--;
    }
}

static void reply_status(exchange_t *ex, int status)
{
    AUTO(free_p) char *text = xasprintf("%s\n", http_status_text(status));
    exchange_reply_text(exchange_ref(ex), status, "text/plain; charset=utf-8", text);
}

static void head_complete(conn_t *c, exchange_t *ex)
{
    const struct front_options *o = &c->front->options;
    struct web_request *r = &ex->request;
    join_cookies(&r->headers);
    if (!r->host)
        r->host = xstrdup(str_or_empty(headers_get(&r->headers, "host")));
    if (r->websocket)
        replace(&r->method, (const uint8_t *)"GET", 3);
    ex->body_limit = r->path ? o->ops->body_limit(o->ctx, r) : 0;
    conn_wait(c, WAIT_BODY);
}

static void dispatch(conn_t *c, exchange_t *ex)
{
    const struct front_options *o = &c->front->options;
    struct h2 *h = c->state;
    ex->dispatched = true;
    set_idle(c, h);
    __atomic_fetch_add(&c->front->stats.requests, 1, __ATOMIC_RELAXED);
    if (!ex->request.path || !ex->request.method)
        reply_status(ex, 400);
    else
        o->ops->request(o->ctx, exchange_ref(ex));
}

static int on_frame(nghttp2_session *s, const nghttp2_frame *frame, void *arg)
{
    conn_t *c = arg;
    struct h2 *h = c->state;
    exchange_t *ex = nghttp2_session_get_stream_user_data(s, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_RST_STREAM && ++h->resets > MAX_RESETS)
        nghttp2_session_terminate_session(s, NGHTTP2_ENHANCE_YOUR_CALM);
    if (!ex || ex->dispatched)
        return 0;
    bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        head_complete(c, ex);
        if (end || ex->request.websocket)
            dispatch(c, ex);
    } else if (end && !ex->request.websocket)
        dispatch(c, ex);
    return 0;
}

static int on_data(nghttp2_session *s, uint8_t flags, int32_t stream_id, const uint8_t *p, size_t n,
                   void *arg)
{
    conn_t *c = arg;
    exchange_t *ex = nghttp2_session_get_stream_user_data(s, stream_id);
    if (!ex)
        return 0;
    if (ex->request.websocket) {
        struct tunnel *t = ex->bridge;
        if (!t || !t->bridge || !bridge_write(t->bridge, (const char *)p, n))
            nghttp2_submit_rst_stream(s, NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_CANCEL);
        return 0;
    }
    str_t *body = &ex->request.body;
    if (body->len + n > ex->body_limit || !front_budget_take(c->front, n)) {
        nghttp2_submit_rst_stream(s, NGHTTP2_FLAG_NONE, stream_id,
                                  body->len + n > ex->body_limit ? NGHTTP2_CANCEL : NGHTTP2_REFUSED_STREAM);
        return 0;
    }
    ex->body_counted += n;
    str_add(body, p, n);
    if (body->len >> 16 != (body->len - n) >> 16)
        conn_wait(c, WAIT_BODY);
    return 0;
}

static int on_stream_close(nghttp2_session *s, int32_t stream_id, uint32_t error_code, void *arg)
{
    conn_t *c = arg;
    struct h2 *h = c->state;
    exchange_t *ex = nghttp2_session_get_stream_user_data(s, stream_id);
    if (!ex)
        return 0;
    if (error_code == NGHTTP2_NO_ERROR && h->resets > 0)
        h->resets--;
    h->streams--;
    drop_exchange(h, ex);
    set_idle(c, h);
    return 0;
}

/* ---- answers ---- */

static void add_nv(nghttp2_nv *nv, size_t *n, const char *name, const char *value)
{
    nv[(*n)++] = (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value),
                              NGHTTP2_NV_FLAG_NONE};
}

static void lower(char *s)
{
    for (; *s; s++)
        if (*s >= 'A' && *s <= 'Z')
            *s |= 0x20;
}

static void finish_data(nghttp2_session *s, exchange_t *ex, uint32_t *flags)
{
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!ex->trailers.n)
        return;
    nghttp2_nv nv[16];
    size_t n = 0;
    VEC_FOREACH(&ex->trailers, it)
        if (n < ARRAY_LEN(nv)) {
            lower(it->name);
            add_nv(nv, &n, it->name, it->value);
        }
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    nghttp2_submit_trailer(s, ex->stream_id, nv, n);
}

static ssize_t read_body(nghttp2_session *s, int32_t id, uint8_t *buf, size_t room, uint32_t *flags,
                         nghttp2_data_source *source, void *arg)
{
    exchange_t *ex = source->ptr;
    size_t n;
    const char *p = exchange_body(ex, &n);
    size_t piece = min_size(n, room);
    memcpy(buf, p, piece);
    ex->sent += piece;
    if (piece == n)
        finish_data(s, ex, flags);
    return (ssize_t)piece;
}

/* What a stream has beyond one frame waits in ex->body. */
static ssize_t read_stream(nghttp2_session *s, int32_t id, uint8_t *buf, size_t room, uint32_t *flags,
                           nghttp2_data_source *source, void *arg)
{
    conn_t *c = arg;
    exchange_t *ex = source->ptr;
    struct h2 *h = c->state;
    size_t n;
    exchange_body(ex, &n);
    if (!n && !ex->ended) {
        str_reset(&ex->body);
        ex->sent = 0;
        if (ex->ops->pull(ex->arg, room, &ex->body) != 0 || h->draining)
            exchange_end_stream(ex);
    }
    const char *p = exchange_body(ex, &n);
    size_t piece = min_size(n, room);
    memcpy(buf, p, piece);
    ex->sent += piece;
    if (piece == n && ex->ended)
        finish_data(s, ex, flags);
    return !piece && !ex->ended ? NGHTTP2_ERR_DEFERRED : (ssize_t)piece;
}

static ssize_t read_tunnel(nghttp2_session *s, int32_t id, uint8_t *buf, size_t room, uint32_t *flags,
                           nghttp2_data_source *source, void *arg)
{
    exchange_t *ex = source->ptr;
    struct tunnel *t = ex->bridge;
    if (!t) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        return 0;
    }
    size_t piece = min_size(t->data.len, room);
    memcpy(buf, str_text(&t->data), piece);
    str_consume(&t->data, piece);
    if (!t->data.len && t->closed)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (t->bridge)
        bridge_resume(t->bridge);
    return !piece && !t->closed ? NGHTTP2_ERR_DEFERRED : (ssize_t)piece;
}

static void submit(conn_t *c, exchange_t *ex, int status, nghttp2_data_source_read_callback read)
{
    struct h2 *h = c->state;
    nghttp2_nv *nv = xcalloc(ex->headers.n + 3, sizeof *nv);
    size_t n = 0;
    char code[8], length[24];
    snprintf(code, sizeof code, "%d", status);
    add_nv(nv, &n, ":status", code);
    if (ex->content_type)
        add_nv(nv, &n, "content-type", ex->content_type);
    VEC_FOREACH(&ex->headers, it) {
        lower(it->name);
        if (strcmp(it->name, "connection") != 0)
            add_nv(nv, &n, it->name, it->value);
    }
    size_t size;
    exchange_body(ex, &size);
    if (ex->kind == ANSWER_BODY && !ex->trailers.n) {
        snprintf(length, sizeof length, "%zu", size);
        add_nv(nv, &n, "content-length", length);
    }
    nghttp2_data_provider data = {.source.ptr = ex, .read_callback = read};
    bool no_body = ex->kind == ANSWER_BODY && !ex->trailers.n &&
                   (!size || !strcmp(ex->request.method, "HEAD"));
    nghttp2_submit_response(h->session, ex->stream_id, nv, n, no_body ? NULL : &data);
    free(nv);
}

/* ---- WebSockets ---- */

static void wake_tunnel(struct tunnel *t)
{
    conn_t *c = t->ex->conn;
    struct h2 *h = c->state;
    nghttp2_session_resume_data(h->session, t->ex->stream_id);
    conn_turn(c);
}

static void tunnel_data(void *arg, const char *p, size_t n)
{
    struct tunnel *t = arg;
    str_add(&t->data, p, n);
    wake_tunnel(t);
}

static bool tunnel_stalled(void *arg)
{
    return ((struct tunnel *)arg)->data.len >= OUT_LOW;
}

static void tunnel_closed(void *arg)
{
    struct tunnel *t = arg;
    t->closed = true;
    bridge_free(TAKE(t->bridge));
    wake_tunnel(t);
}

static void tunnel_drained(void *arg) {}

static const struct bridge_ops tunnel_ops = {tunnel_data, tunnel_stalled, tunnel_drained, tunnel_closed};

static void begin_websocket(conn_t *c, exchange_t *ex)
{
    struct h2 *h = c->state;
    struct ws_terms terms = ws_terms_of(&ex->request);
    struct tunnel *t = xcalloc(1, sizeof *t);
    t->ex = ex;
    t->bridge = bridge_open(ex, NULL, &tunnel_ops, t);
    if (!t->bridge) {
        free(t);
        nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, ex->stream_id, NGHTTP2_INTERNAL_ERROR);
        return;
    }
    ex->bridge = t;
    exchange_header(ex, "sec-websocket-protocol", ex->ws_protocol);
    if (ws_extensions(&terms))
        exchange_header(ex, "sec-websocket-extensions", ws_extensions(&terms));
    submit(c, ex, 200, read_tunnel);
}

static void on_answer(conn_t *c, exchange_t *ex)
{
    struct h2 *h = c->state;
    if (ex->kind == ANSWER_WEBSOCKET) {
        if (ex->adopt)
            begin_websocket(c, ex);
    } else if (!ex->submitted) {
        ex->submitted = true;
        submit(c, ex, ex->status, ex->kind == ANSWER_STREAM ? read_stream : read_body);
    } else if (ex->kind == ANSWER_STREAM)
        nghttp2_session_resume_data(h->session, ex->stream_id);
}

/* ---- the session ---- */

static int begin_session(conn_t *c)
{
    struct h2 *h = c->state = xcalloc(1, sizeof *h);
    nghttp2_session_callbacks *cb;
    nghttp2_option *option;
    if (nghttp2_session_callbacks_new(&cb) || nghttp2_option_new(&option))
        oom();
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    nghttp2_option_set_max_send_header_block_length(option, REQUEST_MAX_HEAD);
    int rc = nghttp2_session_server_new2(&h->session, cb, c, option);
    nghttp2_session_callbacks_del(cb);
    nghttp2_option_del(option);
    if (rc)
        oom();
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, MAX_STREAMS},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, REQUEST_MAX_HEAD},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
    };
    nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
    nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0, 4 * WINDOW);
    return 0;
}

static int input(conn_t *c, const char *p, size_t n)
{
    if (!c->state)
        begin_session(c);
    struct h2 *h = c->state;
    ssize_t rc = nghttp2_session_mem_recv(h->session, (const uint8_t *)p, n);
    return rc < 0 ? -1 : 0;
}

static void output(conn_t *c)
{
    struct h2 *h = c->state;
    if (!h)
        return;
    while (conn_pending(c) < OUT_LOW) {
        const uint8_t *p;
        ssize_t n = nghttp2_session_mem_send(h->session, &p);
        if (n <= 0) {
            if (n < 0)
                conn_finish(c);
            break;
        }
        conn_write(c, p, (size_t)n);
    }
    if (!nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session))
        conn_finish(c);
}

static void drain(conn_t *c)
{
    struct h2 *h = c->state;
    if (!h)
        return;
    h->draining = true;
    nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h->session),
                          NGHTTP2_NO_ERROR, NULL, 0);
    for (exchange_t *ex = h->exchanges; ex; ex = ex->next_of_conn)
        if (ex->kind == ANSWER_STREAM)
            nghttp2_session_resume_data(h->session, ex->stream_id);
}

static void close_h2(conn_t *c)
{
    struct h2 *h = c->state;
    c->state = NULL;
    if (!h)
        return;
    while (h->exchanges)
        drop_exchange(h, h->exchanges);
    nghttp2_session_del(h->session);
    free(h);
}

const struct engine engine_h2 = {input, output, on_answer, drain, close_h2};
