/* Bytes of a client of HTTP/1.1, in pieces cut where a 0xff byte stands: the engine answers or closes, and a
 * request that reaches the dispatcher has a path, a host without line breaks and a body within its limit. */
#include "tests/fuzz/fuzz.h"

#include "api-server/http/front_impl.h"

static size_t body_limit(void *ctx, const struct web_request *r)
{
    return 64;
}

static void on_request(void *ctx, exchange_t *ex)
{
    const struct web_request *r = exchange_request(ex);
    REQUIRE(r->path[0] == '/' && !strchr(r->path, '?'));
    REQUIRE(!strpbrk(r->host, "\r\n") && r->body.len <= 64);
    VEC_FOREACH(&r->headers, it)
        REQUIRE(*it->name && !strpbrk(it->name, " \t\r\n:") && !strpbrk(it->value, "\r\n"));
    exchange_unref(ex); /* never answered: pipelined requests wait for ever */
}

static const struct front_ops ops = {body_limit, on_request};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    front_t *f = xcalloc(1, sizeof *f);
    conn_t *c = xcalloc(1, sizeof *c);
    f->options = (struct front_options){.ops = &ops, .body_budget = 1 << 20};
    f->root_path = (char *)"";
    f->posted_tail = &f->posted;
    f->event_fd = -1;
    pthread_mutex_init(&f->lock, NULL);
    c->front = f;
    c->engine = &engine_h1;
    int rc = 0;
    while (size && rc == 0 && !c->paused) {
        const uint8_t *cut = memchr(data, 0xff, size);
        size_t n = cut ? (size_t)(cut - data) : size;
        rc = engine_h1.input(c, (const char *)data, n);
        data += cut ? n + 1 : n;
        size -= cut ? n + 1 : n;
    }
    REQUIRE(conn_pending(c) < 4096);
    engine_h1.close(c);
    while (f->posted) {
        exchange_t *ex = f->posted;
        f->posted = ex->next_posted;
        exchange_unref(ex);
    }
    REQUIRE(f->body_used == 0);
    str_dispose(&c->out);
    pthread_mutex_destroy(&f->lock);
    VEC_FREE(&f->discarded);
    free(c);
    free(f);
    return 0;
}
