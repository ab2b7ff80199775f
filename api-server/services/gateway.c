/* REST over the table of methods. On the loop's thread a request is only routed and queued; a worker
 * authenticates, binds, calls the handler and shapes the answer (grpc-gateway v1's forms). */
#include "api-server/auth/cookie.h"
#include "api-server/services/server.h"
#include "common/base/log.h"

#include <strings.h>
#include <zlib.h>

enum { SMALL_BODY = 64 << 10, GZIP_FROM = 1400, MAX_METHODS = 512 };

static handler_fn handlers[MAX_METHODS]; /* by index into api_methods; written once */

void gateway_init(void)
{
    const struct handler *const tables[] = {application_handlers, project_handlers, cluster_handlers,
                                            session_handlers,     account_handlers, settings_handlers,
                                            repository_handlers};
    for (size_t t = 0; t < ARRAY_LEN(tables); t++)
        for (const struct handler *h = tables[t]; h->fn; h++) {
            const struct api_method *m = method_find(h->service, h->method);
            if (!m || m - api_methods >= MAX_METHODS)
                abort(); /* a handler for a method that the table does not have */
            handlers[m - api_methods] = h->fn;
        }
}

/* ---- calls ---- */

struct job {
    server_t *s;
    exchange_t *ex;
    struct route route;
};

static void call_free(call_t *c)
{
    identity_unref(c->id);
    rbac_caller_free(c->caller);
    json_decref(c->in);
    query_dispose(&c->query);
    if (c->renewed)
        wipe(c->renewed, strlen(c->renewed));
    free(c->renewed);
    str_dispose(&c->raw);
    free(c);
}

void gateway_error_body(err_t *err, str_t *out)
{
    const char *text = err_text(err);
    str_puts(out, "{\"error\":");
    json_write_string(text, strlen(text), JSON_GO, out);
    str_printf(out, ",\"code\":%d,\"message\":", err_code(err));
    json_write_string(text, strlen(text), JSON_GO, out);
    str_putc(out, '}');
}

void gateway_set_cookies(server_t *s, exchange_t *ex, const char *token)
{
    AUTO(free_p) char *attributes = cookie_attributes(s->flags->base_href, !s->flags->insecure);
    AUTO(strv_free_p) char **cookies = NULL;
    if (cookie_split(token, attributes, (size_t)s->flags->max_cookies, &cookies, NULL) < 0)
        return;
    for (char **k = cookies; *k; k++)
        exchange_header(ex, "Set-Cookie", *k);
}

/* ---- answers ---- */

static bool accepts_gzip(const struct web_request *r)
{
    const char *v = headers_get(&r->headers, "accept-encoding");
    AUTO(strv_free_p) char **codings = strv_split(str_or_empty(v), ",", true);
    for (char **k = codings; *k; k++)
        if (!strncasecmp(*k, "gzip", 4) && (!(*k)[4] || (*k)[4] == ';') && !strstr(*k, "q=0"))
            return true;
    return false;
}

static bool gzip(const str_t *in, str_t *out)
{
    z_stream z = {};
    /* Fast rather than small: a list of thousands of applications must not take a core for a second. */
    if (deflateInit2(&z, in->len > 1 << 20 ? 1 : 4, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    size_t bound = deflateBound(&z, in->len);
    char *to = str_reserve(out, bound);
    z.next_in = (Bytef *)in->p;
    z.avail_in = (uInt)in->len;
    z.next_out = (Bytef *)to;
    z.avail_out = (uInt)bound;
    bool ok = to && in->len < UINT32_MAX && deflate(&z, Z_FINISH) == Z_STREAM_END;
    out->len = ok ? z.total_out : 0;
    deflateEnd(&z);
    return ok;
}

static void reply_json(server_t *s, exchange_t *ex, int status, str_t *body)
{
    const struct web_request *r = exchange_request(ex);
    AUTO_STR packed = STR_INIT;
    bool event_stream = str_eq(headers_get(&r->headers, "accept"), "text/event-stream");
    exchange_header(ex, "Grpc-Metadata-Content-Type", "application/grpc");
    if (s->flags->gzip && !event_stream) {
        exchange_header(ex, "Vary", "Accept-Encoding");
        if (body->len >= GZIP_FROM && accepts_gzip(r) && gzip(body, &packed)) {
            exchange_header(ex, "Content-Encoding", "gzip");
            str_dispose(body);
            *body = packed;
            packed = (str_t)STR_INIT;
        }
    }
    exchange_reply(ex, status, "application/json", body);
}

static void log_call(const call_t *c, const err_t *err)
{
    const struct web_request *r = exchange_request(c->ex);
    char took[DURATION_TEXT];
    duration_format(mono_now().ns - r->begin.ns, took);
    log_info(LOGF({"grpc.service", c->method->service}, {"grpc.method", c->method->name},
                  {"grpc.code", err ? err_code_name(err_code(err)) : "OK"}, {"grpc.time", took}),
             "finished call");
}

struct held {
    server_t *s;
    exchange_t *ex;
    int status;
    str_t body;
};

static void release_held(void *arg)
{
    struct held *h = arg;
    reply_json(h->s, h->ex, h->status, &h->body);
    str_dispose(&h->body);
    free(h);
}

static void reply(call_t *c, int status, str_t *body)
{
    if (!c->delay_ns) {
        reply_json(c->s, c->ex, status, body);
        return;
    }
    struct held *h = xcalloc(1, sizeof *h);
    *h = (struct held){c->s, c->ex, status, *body};
    *body = (str_t)STR_INIT;
    later_run(c->s->later, c->delay_ns, release_held, h);
}

static void reply_error(call_t *c, err_t *err)
{
    AUTO_STR body = STR_INIT;
    gateway_error_body(err, &body);
    reply(c, err_code_to_http(err_code(err)), &body);
}

static void reply_stream(call_t *c)
{
    if (c->sse)
        exchange_header(c->ex, "X-Content-Type-Options", "nosniff");
    exchange_header(c->ex, "Grpc-Metadata-Content-Type", "application/grpc");
    exchange_stream(c->ex, 200, c->sse ? "text/event-stream" : "application/json", c->stream, c->stream_arg);
}

void call_finish(call_t *c, json_t *out, err_t *err)
{
    AUTO_JSON answer = out;
    AUTO_ERR why = err;
    log_call(c, why);
    if (c->renewed)
        gateway_set_cookies(c->s, c->ex, c->renewed);
    if (why)
        reply_error(c, why);
    else if (c->stream)
        reply_stream(c);
    else {
        AUTO_STR body = STR_INIT;
        if (answer)
            json_write(answer, JSON_KEEP_ORDER, &body);
        reply(c, 200, answer ? &body : &c->raw);
    }
    call_free(c);
}

/* ---- the worker ---- */

static int authenticate(call_t *c, err_t **err)
{
    int rc = auth_request(c->s->auth, exchange_request(c->ex), &c->id, &c->renewed, err);
    if (rc < 0 && c->method->is_public) { /* as nobody */
        err_clear(err);
        rc = auth_anonymous(&c->id);
    }
    if (rc < 0)
        return rc;
    AUTO(config_unref_p) config_t *config = config_box_get(c->s->config);
    c->caller = rbac_caller_new(config_rbac(config), c->id->subject, c->id->groups);
    return 0;
}

static int bind(call_t *c, const struct route *route, err_t **err)
{
    const struct web_request *r = exchange_request(c->ex);
    int rc = query_parse(r->query, &c->query, err);
    if (rc == 0)
        rc = bind_request(route, &c->query, str_text(&r->body), r->body.len, &c->in, err);
    if (rc == 0)
        bind_unescape(c->method, c->in);
    return rc;
}

static int invoke(call_t *c, json_t **out, err_t **err)
{
    handler_fn fn = handlers[c->method - api_methods];
    if (!fn)
        return err_set(err, ERR_UNIMPLEMENTED, "method %s of service %s is not implemented", c->method->name,
                       c->method->service);
    return fn(c, out, err);
}

static void run(void *arg)
{
    struct job *j = arg;
    AUTO_ERR err = NULL;
    AUTO_JSON out = NULL;
    call_t *c = xcalloc(1, sizeof *c);
    c->s = j->s;
    c->ex = j->ex;
    c->method = j->route.method;
    c->sse = str_eq(headers_get(&exchange_request(c->ex)->headers, "accept"), "text/event-stream");
    int rc = authenticate(c, &err);
    if (rc == 0)
        rc = bind(c, &j->route, &err);
    route_dispose(&j->route);
    free(j);
    if (rc == 0)
        rc = invoke(c, &out, &err);
    if (rc != CALL_LATER)
        call_finish(c, TAKE(out), TAKE(err));
}

/* ---- the loop's part ---- */

static void plain(exchange_t *ex, int status, const char *text)
{
    exchange_header(ex, "X-Content-Type-Options", "nosniff");
    exchange_reply_text(ex, status, "text/plain; charset=utf-8", text);
}

static bool content_type_ok(const server_t *s, const struct web_request *r)
{
    if (!strcmp(r->method, "GET") || !*s->flags->content_types)
        return true;
    const char *type = str_or_empty(headers_get(&r->headers, "content-type"));
    AUTO(strv_free_p) char **allowed = strv_split(s->flags->content_types, ";", true);
    for (char **a = allowed; *a; a++)
        if (!strcasecmp(*a, type))
            return true;
    return false;
}

/* Password hashing must not hold up the rest. */
static bool is_slow(const struct api_method *m)
{
    return (!strcmp(m->service, "session.SessionService") && !strcmp(m->name, "Create")) ||
           (!strcmp(m->service, "account.AccountService") && !strcmp(m->name, "UpdatePassword"));
}

void gateway_handle(server_t *s, exchange_t *ex, const char *path)
{
    const struct web_request *r = exchange_request(ex);
    if (!content_type_ok(s, r)) {
        plain(ex, 415, "Invalid content type\n");
        return;
    }
    struct route route = {};
    switch (route_find(r->method, path, &route)) {
    case ROUTE_NOT_FOUND:
        plain(ex, 404, "Not Found\n");
        return;
    case ROUTE_WRONG_VERB:
        plain(ex, 405, "Method Not Allowed\n");
        return;
    case ROUTE_FOUND:
        break;
    }
    struct job *j = xcalloc(1, sizeof *j);
    *j = (struct job){s, ex, route};
    AUTO_ERR err = NULL;
    if (pool_submit(is_slow(route.method) ? s->logins : s->handlers, run, j, &err) == 0)
        return;
    AUTO_STR body = STR_INIT;
    err_set(&err, ERR_UNAVAILABLE, "the server is busy");
    gateway_error_body(err, &body);
    exchange_header(ex, "Retry-After", "1");
    exchange_reply(ex, 503, "application/json", &body);
    route_dispose(&j->route);
    free(j);
}

size_t gateway_body_limit(server_t *s, const struct web_request *r, const char *path)
{
    struct route route = {};
    if (route_find(r->method, path, &route) != ROUTE_FOUND)
        return SMALL_BODY;
    bool is_public = route.method->is_public;
    route_dispose(&route);
    return is_public || !auth_plausible(s->auth, r) ? SMALL_BODY : (size_t)s->flags->max_body;
}
