#include "common/net/http_internal.h"

enum { MAX_BODY = 64 << 20 };

/* One waiting caller; guarded by its lock until done. */
struct waiter {
    lock_t lock;
    cond_t wake;
    bool done;
    struct http_response *response;
    err_t *error;
};

static int take_head(void *arg, int status, const str_t *headers)
{
    struct waiter *w = arg;
    w->response->status = status;
    str_reset(&w->response->headers);
    str_add(&w->response->headers, str_text(headers), headers->len);
    AUTO(free_p) char *length = http_header(headers, "content-length");
    uint64_t n;
    if (length && str_to_u64(length, &n) && n < w->response->body.max)
        str_reserve(&w->response->body, n);
    return 0;
}

static int take_data(void *arg, const char *p, size_t n)
{
    struct waiter *w = arg;
    str_add(&w->response->body, p, n);
    return 0;
}

static void take_end(void *arg, err_t *err)
{
    struct waiter *w = arg;
    LOCKED(&w->lock);
    w->error = err_copy(err);
    w->done = true;
    pthread_cond_signal(&w->wake);
}

static void wait_done(struct waiter *w, http_transfer_t *t, const struct http_request *r)
{
    bool told = false, looks = r->canceled || r->wanted;
    LOCKED(&w->lock);
    while (!w->done) {
        cond_wait_until(&w->wake, &w->lock, looks ? mono_after(mono_now(), MILLIS(100)) : MONO_NEVER);
        bool unwanted = (r->canceled && *r->canceled) || (r->wanted && !r->wanted(r->wanted_arg));
        if (unwanted && !told && !w->done) {
            http_cancel(t);
            told = true;
        }
    }
}

int http_do(http_t *h, const struct http_request *request, struct http_response *response, err_t **err)
{
    static const struct http_stream_ops ops = {
        .on_head = take_head, .on_data = take_data, .on_done = take_end};
    if (http_on_thread(h))
        return err_set(err, ERR_INTERNAL, "a blocking request on the thread that would answer it");
    struct http_request r = *request;
    r.max_body = r.max_body ? r.max_body : MAX_BODY;
    *response = (struct http_response){.body.max = r.max_body + 1};
    struct waiter w = {.lock = LOCK_INIT, .response = response};
    cond_init(&w.wake);
    http_transfer_t *t = http_start(h, &r, &ops, &w);
    wait_done(&w, t, request);
    http_transfer_release(t);
    pthread_cond_destroy(&w.wake);
    pthread_mutex_destroy(&w.lock);
    if (!w.error)
        return 0;
    http_response_dispose(response);
    return err_move(err, w.error);
}

void http_response_dispose(struct http_response *r)
{
    str_dispose(&r->headers);
    str_dispose(&r->body);
    *r = (struct http_response){};
}
