#include "api-server/http/exchange_impl.h"

#include <ctype.h>
#include <stdio.h>
#include <unistd.h>

void headers_add(headers_t *h, const char *name, size_t name_len, const char *value, size_t value_len)
{
    struct header *n = VEC_ADD(h);
    n->name = xstrndup(name, name_len);
    n->value = xstrndup(value, value_len);
}

const char *headers_get(const headers_t *h, const char *name)
{
    VEC_FOREACH(h, it)
        if (!strcmp(it->name, name))
            return it->value;
    return NULL;
}

void headers_dispose(headers_t *h)
{
    VEC_FOREACH(h, it) {
        free(it->name);
        free(it->value);
    }
    VEC_FREE(h);
}

static void request_dispose(struct web_request *r)
{
    free(r->method);
    free(r->path);
    free(r->query);
    free(r->host);
    headers_dispose(&r->headers);
    if (r->body.p)
        wipe(r->body.p, r->body.len); /* a login's password among others */
    str_dispose(&r->body);
}

exchange_t *exchange_new(front_t *front)
{
    exchange_t *ex = xcalloc(1, sizeof *ex);
    ex->refs = 1;
    ex->front = front;
    ex->request.begin = mono_now();
    return ex;
}

exchange_t *exchange_ref(exchange_t *ex)
{
    ex->refs++;
    return ex;
}

void exchange_unref(exchange_t *ex)
{
    if (!ex || --ex->refs)
        return;
    request_dispose(&ex->request);
    headers_dispose(&ex->headers);
    headers_dispose(&ex->trailers);
    free(ex->content_type);
    str_dispose(&ex->body);
    free(ex->ws_protocol);
    free(ex);
}

const struct web_request *exchange_request(const exchange_t *ex)
{
    return &ex->request;
}

atomic_bool *exchange_canceled(exchange_t *ex)
{
    return &ex->canceled;
}

bool exchange_is_canceled(exchange_t *ex)
{
    return ex->canceled;
}

/* A value from outside must not start another header. */
static bool value_ok(const char *value)
{
    for (; *value; value++)
        if ((unsigned char)*value < 0x20 && *value != '\t')
            return false;
    return true;
}

void exchange_header(exchange_t *ex, const char *name, const char *value)
{
    if (value_ok(value))
        headers_add(&ex->headers, name, strlen(name), value, strlen(value));
}

void exchange_headerf(exchange_t *ex, const char *name, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTO(free_p) char *value = xvasprintf(fmt, ap);
    va_end(ap);
    exchange_header(ex, name, value);
}

void exchange_trailer(exchange_t *ex, const char *name, const char *value)
{
    if (value_ok(value))
        headers_add(&ex->trailers, name, strlen(name), value, strlen(value));
}

static void answer(exchange_t *ex, enum answer_kind kind, int status, const char *content_type)
{
    ex->kind = kind;
    ex->status = status;
    ex->content_type = xstrdup(content_type);
    front_post(ex->front, ex);
    exchange_unref(ex);
}

void exchange_reply(exchange_t *ex, int status, const char *content_type, str_t *body)
{
    ex->body = *body;
    *body = (str_t)STR_INIT;
    answer(ex, ANSWER_BODY, status, content_type);
}

void exchange_reply_text(exchange_t *ex, int status, const char *content_type, const char *text)
{
    str_puts(&ex->body, text);
    answer(ex, ANSWER_BODY, status, content_type);
}

void exchange_reply_static(exchange_t *ex, int status, const char *content_type, const void *p, size_t n)
{
    ex->fixed = p;
    ex->fixed_size = n;
    answer(ex, ANSWER_BODY, status, content_type);
}

void exchange_stream(exchange_t *ex, int status, const char *content_type, const struct stream_ops *ops,
                     void *arg)
{
    ex->ops = ops;
    ex->arg = arg;
    answer(ex, ANSWER_STREAM, status, content_type);
}

void exchange_wake(exchange_t *ex)
{
    front_post(ex->front, ex);
}

void exchange_websocket(exchange_t *ex, const char *protocol, adopt_fn adopt, void *arg)
{
    ex->ws_protocol = xstrdup(protocol);
    ex->adopt = adopt;
    ex->arg = arg;
    answer(ex, ANSWER_WEBSOCKET, 101, NULL);
}

const char *exchange_body(const exchange_t *ex, size_t *n)
{
    const char *p = ex->fixed ? ex->fixed : ex->body.p;
    *n = (ex->fixed ? ex->fixed_size : ex->body.len) - ex->sent;
    return p ? p + ex->sent : "";
}

void exchange_end_stream(exchange_t *ex)
{
    if (ex->ended)
        return;
    ex->ended = true;
    if (ex->kind == ANSWER_STREAM && ex->ops->close)
        ex->ops->close(ex->arg);
    if (ex->kind == ANSWER_WEBSOCKET && ex->adopt) {
        ex->adopt(ex->arg, -1, NULL, 0);
        ex->adopt = NULL;
    }
}

void exchange_abandon(exchange_t *ex)
{
    ex->canceled = true;
    ex->conn = NULL;
    front_budget_return(ex->front, ex->body_counted);
    ex->body_counted = 0;
    if (ex->answered)
        exchange_end_stream(ex);
    exchange_unref(ex);
}

static const struct {
    int status;
    const char *text;
} status_texts[] = {
    {101, "Switching Protocols"},
    {200, "OK"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {413, "Request Entity Too Large"},
    {414, "Request URI Too Long"},
    {415, "Unsupported Media Type"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

const char *http_status_text(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(status_texts); i++)
        if (status_texts[i].status == status)
            return status_texts[i].text;
    return "Status";
}
