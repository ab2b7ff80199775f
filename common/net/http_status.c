/* nng calls a handler on one of its few threads; an answer may take a moment (a health check that dials), so
 * it is made on a thread of our own. */
#include "common/net/http_status.h"
#include "common/base/thread.h"

#include <arpa/inet.h>
#include <nng/nng.h>
#include <nng/supplemental/http/http.h>

enum { METRICS_MAX = 64 << 20, QUEUE_MAX = 64 };

struct http_status {
    struct http_status_options options;
    nng_http_server *server;
    nng_http_handler *handlers[2];
    pool_t *pool;
    unsigned port;
};

struct request {
    http_status_t *status;
    nng_aio *aio;
    bool full;
};

static int nng_failed(err_t **err, int rv, const char *what, const char *url)
{
    return err_set(err, rv == NNG_EADDRINUSE ? ERR_ALREADY_EXISTS : ERR_UNAVAILABLE, "%s %s: %s", what, url,
                   nng_strerror(rv));
}

static void finish(nng_aio *aio, uint16_t code, const char *type, const char *body, size_t n)
{
    nng_http_res *res = NULL;
    int rv = nng_http_res_alloc(&res);
    if (rv == 0)
        rv = nng_http_res_set_status(res, code);
    if (rv == 0)
        rv = nng_http_res_set_header(res, "Content-Type", type);
    if (rv == 0)
        rv = nng_http_res_copy_data(res, body, n);
    if (rv != 0) {
        nng_http_res_free(res);
        nng_aio_finish(aio, rv);
        return;
    }
    nng_aio_set_output(aio, 0, res);
    nng_aio_finish(aio, 0);
}

static void answer_health(void *arg)
{
    struct request *r = arg;
    const struct http_status_options *o = &r->status->options;
    AUTO_ERR err = NULL;
    if (o->health && o->health(o->arg, r->full, &err) < 0) {
        AUTO(free_p) char *text = xasprintf("%s\n", err_text(err));
        finish(r->aio, 503, "text/plain; charset=utf-8", text, strlen(text));
    } else {
        finish(r->aio, 200, "text/plain; charset=utf-8", "ok", 2);
    }
    free(r);
}

static void answer_metrics(void *arg)
{
    struct request *r = arg;
    AUTO_STR text = STR_MAX(METRICS_MAX);
    metrics_write(r->status->options.metrics, &text);
    finish(r->aio, 200, "text/plain; version=0.0.4; charset=utf-8", str_text(&text), text.len);
    free(r);
}

static void on_request(nng_aio *aio, pool_fn fn)
{
    nng_http_req *req = nng_aio_get_input(aio, 0);
    struct request *r = xcalloc(1, sizeof(*r));
    const char *query = strchr(nng_http_req_get_uri(req), '?');
    *r = (struct request){nng_http_handler_get_data(nng_aio_get_input(aio, 1)), aio,
                          query && strstr(query, "full=true")};
    if (pool_submit(r->status->pool, fn, r, NULL) < 0) {
        free(r);
        finish(aio, 503, "text/plain; charset=utf-8", "busy\n", 5);
    }
}

static void on_health(nng_aio *aio)
{
    on_request(aio, answer_health);
}

static void on_metrics(nng_aio *aio)
{
    on_request(aio, answer_metrics);
}

static int add_handler(http_status_t *s, size_t i, const char *path, void (*fn)(nng_aio *))
{
    int rv = nng_http_handler_alloc(&s->handlers[i], path, fn);
    if (rv == 0)
        rv = nng_http_handler_set_data(s->handlers[i], s, NULL);
    if (rv == 0)
        rv = nng_http_server_add_handler(s->server, s->handlers[i]);
    if (rv != 0) {
        nng_http_handler_free(s->handlers[i]);
        s->handlers[i] = NULL;
    }
    return rv;
}

static int listen_on(http_status_t *s, const char *text, err_t **err)
{
    nng_url *url = NULL;
    int rv = nng_url_parse(&url, text);
    if (rv == 0)
        rv = nng_http_server_hold(&s->server, url);
    nng_url_free(url);
    if (rv == 0)
        rv = add_handler(s, 0, "/healthz", on_health);
    if (rv == 0 && s->options.metrics)
        rv = add_handler(s, 1, "/metrics", on_metrics);
    if (rv == 0)
        rv = nng_http_server_start(s->server);
    return rv == 0 ? 0 : nng_failed(err, rv, "listen on", text);
}

int http_status_start(const struct http_status_options *options, http_status_t **out, err_t **err)
{
    http_status_t *s = xcalloc(1, sizeof(*s));
    s->options = *options;
    s->pool = pool_new("status", 1, QUEUE_MAX);
    AUTO(free_p) char *text = xasprintf("http://%s:%u", options->address, options->port);
    int r = listen_on(s, text, err);
    if (r < 0) {
        http_status_free(s);
        return r;
    }
    nng_sockaddr addr;
    s->port = options->port;
    if (nng_http_server_get_addr(s->server, &addr) == 0)
        s->port = addr.s_family == NNG_AF_INET6 ? ntohs(addr.s_in6.sa_port) : ntohs(addr.s_in.sa_port);
    *out = s;
    return 0;
}

void http_status_free(http_status_t *s)
{
    if (!s)
        return;
    if (s->server)
        nng_http_server_stop(s->server);
    pool_free(s->pool);
    if (s->server)
        nng_http_server_release(s->server);
    free(s);
}

unsigned http_status_port(const http_status_t *s)
{
    return s->port;
}
