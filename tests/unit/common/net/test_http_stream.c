#include "tests/unit/test.h"
#include "common/base/thread.h"
#include "common/net/http.h"
#include "tests/unit/kit/fake_http.h"

#include <stdatomic.h>

/* What a stream's callbacks saw. */
struct seen {
    lock_t lock;
    cond_t wake;
    http_t *h;
    int heads, dones, status;
    size_t bytes, pause_at;
    bool paused;
    enum err_code code;
    int end_on_head, end_on_data;
    str_t text;
};

static void seen_init(struct seen *s, http_t *h)
{
    *s = (struct seen){.lock = LOCK_INIT, .h = h};
    cond_init(&s->wake);
}

static int on_head(void *arg, int status, const str_t *headers)
{
    struct seen *s = arg;
    LOCKED(&s->lock);
    assert_true(http_on_thread(s->h));
    s->heads++;
    s->status = status;
    pthread_cond_broadcast(&s->wake);
    return s->end_on_head;
}

static int on_data(void *arg, const char *p, size_t n)
{
    struct seen *s = arg;
    LOCKED(&s->lock);
    assert_false(s->paused); /* nothing comes while it is paused */
    s->bytes += n;
    if (s->text.max)
        str_add(&s->text, p, n);
    pthread_cond_broadcast(&s->wake);
    if (s->end_on_data)
        return s->end_on_data;
    s->paused = s->pause_at && s->bytes >= s->pause_at;
    return s->paused ? HTTP_PAUSE : 0;
}

static void on_done(void *arg, err_t *err)
{
    struct seen *s = arg;
    LOCKED(&s->lock);
    s->dones++;
    s->code = err_code(err);
    pthread_cond_broadcast(&s->wake);
}

static const struct http_stream_ops ops = {on_head, on_data, on_done};

/* Waits until *what is at least n. */
#define WAIT(s, what, n)                                                                                     \
    do {                                                                                                     \
        LOCKED(&(s)->lock);                                                                                  \
        mono_t end_ = mono_after(mono_now(), SECONDS(20));                                                   \
        while ((s)->what < (n))                                                                              \
            if (!cond_wait_until(&(s)->wake, &(s)->lock, end_))                                              \
                fail_msg("waited in vain for " #what);                                                       \
    } while (0)

static size_t bytes_of(struct seen *s)
{
    LOCKED(&s->lock);
    return s->bytes;
}

static http_transfer_t *start(http_t *h, fake_http_t *f, const char *path, struct seen *s)
{
    AUTO(free_p) char *url = fake_http_url(f, path);
    struct http_request r = {.url = url, .lane = HTTP_LANE_STREAM};
    return http_start(h, &r, &ops, s);
}

static bool endless(fake_conn_t *c, const struct fake_request *r, void *arg)
{
    atomic_size_t *sent = arg;
    AUTO(free_p) char *piece = xcalloc(1, 65536);
    memset(piece, 'x', 65536);
    if (strcmp(r->target, "/quiet") == 0) {
        fake_puts(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        fake_linger(c, 20000);
        return false;
    }
    if (strcmp(r->target, "/silent") == 0) {
        fake_linger(c, 20000);
        return false;
    }
    fake_puts(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    size_t limit = strcmp(r->target, "/16M") == 0 ? 16 << 20 : SIZE_MAX;
    for (size_t done = 0; done < limit && !fake_peer_gone(c); done += 65536) {
        fake_chunk(c, piece, 65536);
        *sent += 65536;
    }
    fake_chunk(c, NULL, 0);
    return false;
}

static void a_stream_is_paused_and_resumed(void **state)
{
    atomic_size_t sent = 0;
    http_t *h = http_new("http-test");
    fake_http_t *f = fake_http_start(false, endless, &sent);
    struct seen s;
    seen_init(&s, h);
    s.pause_at = 1 << 20;
    http_transfer_t *t = start(h, f, "/16M", &s);
    WAIT(&s, paused, true);
    sleep_ns(MILLIS(200));
    size_t stopped_at = sent;
    assert_true(stopped_at < 12 << 20); /* the server is held back by TCP */
    sleep_ns(MILLIS(100));
    assert_int_equal(sent, stopped_at);
    for (size_t at = 2 << 20; at <= 8 << 20; at += 1 << 20) {
        {
            LOCKED(&s.lock);
            s.pause_at = at;
            s.paused = false;
        }
        http_resume(t);
        WAIT(&s, paused, true);
    }
    {
        LOCKED(&s.lock);
        s.pause_at = 0;
        s.paused = false;
    }
    http_resume(t);
    http_resume(t);
    WAIT(&s, dones, 1);
    assert_int_equal(s.code, 0);
    assert_int_equal(s.bytes, 16 << 20);
    http_transfer_release(t);
    fake_http_stop(f);
    http_free(h);
}

static void pausing_one_stream_does_not_hold_up_others(void **state)
{
    atomic_size_t sent = 0;
    http_t *h = http_new("http-test");
    fake_http_t *f = fake_http_start(true, endless, &sent);
    http_endpoint_t *e = http_endpoint_new(&(struct http_endpoint_config){.insecure = true});
    AUTO(free_p) char *url = fake_http_url(f, "/16M");
    struct http_request r = {.url = url, .lane = HTTP_LANE_STREAM, .endpoint = e};
    struct seen a, b;
    seen_init(&a, h);
    seen_init(&b, h);
    a.pause_at = 1;
    http_transfer_t *ta = http_start(h, &r, &ops, &a);
    WAIT(&a, paused, true);
    http_transfer_t *tb = http_start(h, &r, &ops, &b);
    WAIT(&b, dones, 1);
    assert_int_equal(b.bytes, 16 << 20);
    http_cancel(ta);
    WAIT(&a, dones, 1);
    assert_int_equal(a.code, ERR_CANCELED);
    http_transfer_release(ta);
    http_transfer_release(tb);
    http_endpoint_unref(e);
    fake_http_stop(f);
    http_free(h);
}

static void streams_are_canceled_from_another_thread(void **state)
{
    static const char *const paths[] = {"/quiet", "/silent", "/endless"};
    atomic_size_t sent = 0;
    http_t *h = http_new("http-test");
    fake_http_t *f = fake_http_start(false, endless, &sent);
    for (size_t i = 0; i < 3 * ARRAY_LEN(paths); i++) {
        struct seen s;
        seen_init(&s, h);
        http_transfer_t *t = start(h, f, paths[i / 3], &s);
        if (i % 3 == 1)
            sleep_ns(MILLIS(20));
        http_cancel(t);
        if (i % 3 == 2)
            http_cancel(t);
        WAIT(&s, dones, 1);
        size_t bytes = bytes_of(&s);
        http_resume(t);
        http_cancel(t); /* after its end */
        sleep_ns(MILLIS(10));
        assert_int_equal(s.code, ERR_CANCELED);
        assert_int_equal(s.dones, 1);
        assert_int_equal(bytes_of(&s), bytes);
        http_transfer_release(t);
    }
    fake_http_stop(f);
    http_free(h);
}

static void readers_end_streams(void **state)
{
    atomic_size_t sent = 0;
    http_t *h = http_new("http-test");
    fake_http_t *f = fake_http_start(false, endless, &sent);
    for (int i = 0; i < 2; i++) {
        struct seen s;
        seen_init(&s, h);
        *(i ? &s.end_on_head : &s.end_on_data) = -ERR_DATA_LOSS;
        http_transfer_t *t = start(h, f, "/endless", &s);
        WAIT(&s, dones, 1);
        assert_int_equal(s.code, ERR_DATA_LOSS);
        assert_int_equal(s.heads, 1);
        assert_true(i ? s.bytes == 0 : s.bytes > 0);
        http_transfer_release(t);
    }
    fake_http_stop(f);
    http_free(h);
}

static void freeing_ends_what_is_under_way(void **state)
{
    static const char *const paths[] = {"/quiet", "/silent", "/endless"};
    atomic_size_t sent = 0;
    fake_http_t *f = fake_http_start(false, endless, &sent);
    for (int wait = 0; wait < 2; wait++) {
        http_t *h = http_new("http-test");
        struct seen s[30];
        http_transfer_t *t[ARRAY_LEN(s)];
        for (size_t i = 0; i < ARRAY_LEN(s); i++) {
            seen_init(&s[i], h);
            t[i] = start(h, f, paths[i % 3], &s[i]);
        }
        if (wait)
            sleep_ns(MILLIS(50));
        http_free(h);
        for (size_t i = 0; i < ARRAY_LEN(s); i++) {
            assert_int_equal(s[i].dones, 1);
            assert_int_equal(s[i].code, ERR_CANCELED);
            http_transfer_release(t[i]);
        }
    }
    fake_http_stop(f);
}

static void starting_fails_through_on_done(void **state)
{
    http_t *h = http_new("http-test");
    struct seen s;
    seen_init(&s, h);
    http_transfer_t *t = http_start(h, &(struct http_request){.url = "nonsense://x"}, &ops, &s);
    WAIT(&s, dones, 1);
    assert_int_equal(s.code, ERR_INVALID_ARGUMENT);
    assert_int_equal(s.heads, 0);
    http_transfer_release(t);
    http_free(h);
}

struct posts {
    http_t *h;
    lock_t lock;
    cond_t wake;
    int n, order[8];
};
struct one_post {
    struct posts *all;
    int id;
};

static void posted(void *arg)
{
    struct one_post *p = arg;
    LOCKED(&p->all->lock);
    assert_true(http_on_thread(p->all->h));
    p->all->order[p->all->n++] = p->id;
    pthread_cond_broadcast(&p->all->wake);
}

static void functions_run_on_the_thread_in_time(void **state)
{
    struct posts all = {.h = http_new("http-test"), .lock = LOCK_INIT};
    cond_init(&all.wake);
    assert_false(http_on_thread(all.h));
    struct one_post p[] = {{&all, 0}, {&all, 1}, {&all, 2}, {&all, 3}, {&all, 4}};
    mono_t start = mono_now();
    http_post(all.h, MILLIS(120), posted, &p[0]);
    http_post(all.h, MILLIS(60), posted, &p[1]);
    http_post(all.h, 0, posted, &p[2]);
    http_post(all.h, 0, posted, &p[3]);
    WAIT(&all, n, 4);
    assert_true(mono_now().ns - start.ns >= MILLIS(120));
    static const int order[] = {2, 3, 1, 0};
    assert_memory_equal(all.order, order, sizeof(order));
    http_post(all.h, SECONDS(3600), posted, &p[4]);
    http_free(all.h);
    assert_int_equal(all.n, 5); /* what waits runs at the end */
    assert_int_equal(all.order[4], 4);
}

TESTS(T(a_stream_is_paused_and_resumed), T(pausing_one_stream_does_not_hold_up_others),
      T(streams_are_canceled_from_another_thread), T(readers_end_streams), T(freeing_ends_what_is_under_way),
      T(starting_fails_through_on_done), T(functions_run_on_the_thread_in_time))
