#include "tests/unit/test.h"
#include "common/base/thread.h"
#include "common/net/http.h"
#include "tests/unit/kit/certs.h"
#include "tests/unit/kit/fake_h2.h"
#include "tests/unit/kit/fake_http.h"

/* Counts what many transfers do. */
struct tally {
    lock_t lock;
    cond_t wake;
    int hellos, done, failed;
    size_t bytes;
    enum err_code last;
};
struct one {
    struct tally *tally;
    size_t got;
    bool wrong;
};

static int on_data(void *arg, const char *p, size_t n)
{
    struct one *o = arg;
    LOCKED(&o->tally->lock);
    o->tally->hellos += o->got == 0 && n >= 5 && memcmp(p, "hello", 5) == 0;
    for (size_t i = 0; i < n; i++)
        o->wrong = o->wrong || p[i] != fake_h2_pattern(o->got + i);
    o->got += n;
    o->tally->bytes += n;
    pthread_cond_broadcast(&o->tally->wake);
    return 0;
}

static void on_done(void *arg, err_t *err)
{
    struct one *o = arg;
    LOCKED(&o->tally->lock);
    o->tally->done++;
    o->tally->failed += err != NULL;
    o->tally->last = err_code(err);
    pthread_cond_broadcast(&o->tally->wake);
}

static const struct http_stream_ops ops = {.on_data = on_data, .on_done = on_done};

#define WAIT(t, what, n)                                                                                     \
    do {                                                                                                     \
        LOCKED(&(t)->lock);                                                                                  \
        mono_t end_ = mono_after(mono_now(), SECONDS(30));                                                   \
        while ((t)->what < (n) && cond_wait_until(&(t)->wake, &(t)->lock, end_))                             \
            ;                                                                                                \
        if ((t)->what < (n)) {                                                                               \
            fprintf(stderr, #what " is %d, not %d\n", (int)(t)->what, (int)(n));                             \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

struct many {
    http_t *h;
    http_endpoint_t *e;
    struct tally tally;
    size_t n;
    struct one *ones;
    http_transfer_t **t;
};

static void start_many_as(struct many *m, fake_h2_t *f, size_t n, const char *path, enum http_lane lane,
                          struct http_endpoint_config config)
{
    *m = (struct many){.h = http_new("http-test"), .tally.lock = LOCK_INIT, .n = n};
    cond_init(&m->tally.wake);
    config.ca_pem = certs_get()->ca;
    m->e = http_endpoint_new(&config);
    m->ones = xcalloc(n, sizeof(*m->ones));
    m->t = xcalloc(n, sizeof(*m->t));
    AUTO(free_p) char *url = fake_h2_url(f, path);
    struct http_request r = {.url = url, .lane = lane, .endpoint = m->e};
    for (size_t i = 0; i < n; i++) {
        m->ones[i].tally = &m->tally;
        m->t[i] = http_start(m->h, &r, &ops, &m->ones[i]);
    }
}

static void start_many(struct many *m, fake_h2_t *f, size_t n, const char *path, enum http_lane lane,
                       unsigned max)
{
    start_many_as(m, f, n, path, lane, (struct http_endpoint_config){.max_connections = max});
}

static void end_many(struct many *m)
{
    for (size_t i = 0; i < m->n; i++)
        http_transfer_release(m->t[i]);
    http_free(m->h);
    http_endpoint_unref(m->e);
    free(m->ones);
    free(m->t);
}

static void streams_fill_connections_before_new_ones_open(void **state)
{
    static const struct {
        unsigned limit;
        int settings_delay;
        enum http_lane lane;
        int connections, most;
    } cases[] = {
        {250, 0, HTTP_LANE_WATCH, 11, 32}, /* 300 watches, 32 to a connection */
        {20, 0, HTTP_LANE_WATCH, 60,
         20}, /* the server allows less than we would take, and may refuse some at first */
        {250, 0, HTTP_LANE_REQUEST, 4, 100},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct many m;
        struct fake_h2_stats stats;
        struct fake_h2_config config = {.max_streams = cases[i].limit,
                                        .settings_delay_ms = cases[i].settings_delay};
        fake_h2_t *f = fake_h2_start(&config);
        start_many(&m, f, 300, "/hold", cases[i].lane, 0);
        WAIT(&m.tally, hellos, 300);
        fake_h2_stats(f, &stats);
        if (stats.connections > cases[i].connections || stats.most_streams > cases[i].most || m.tally.failed)
            fail_msg("case %zu: %d connections, %d streams, %d failed", i, stats.connections,
                     stats.most_streams, m.tally.failed);
        fake_h2_release(f);
        WAIT(&m.tally, done, 300);
        assert_int_equal(m.tally.failed, 0);
        end_many(&m);
        fake_h2_stop(f);
    }
}

static void late_settings_lose_nothing(void **state)
{
    struct many m;
    fake_h2_t *f = fake_h2_start(&(struct fake_h2_config){.max_streams = 5, .settings_delay_ms = 50});
    start_many(&m, f, 60, "/hold", HTTP_LANE_WATCH, 0);
    WAIT(&m.tally, hellos, 60);
    assert_int_equal(m.tally.failed, 0);
    end_many(&m);
    fake_h2_stop(f);
}

static bool tunnel(fake_conn_t *c, const struct fake_request *r, void *arg)
{
    if (strcmp(r->method, "CONNECT") != 0)
        return false;
    fake_puts(c, "HTTP/1.1 200 OK\r\n\r\n");
    fake_tunnel(c, (int)strtol(strrchr(r->target, ':') + 1, NULL, 10));
    return false;
}

static void streams_share_a_tunnel(void **state)
{
    struct many m;
    fake_h2_t *f = fake_h2_start(&(struct fake_h2_config){});
    fake_http_t *proxy = fake_http_start(false, tunnel, NULL);
    AUTO(free_p) char *url = fake_http_url(proxy, "");
    start_many_as(&m, f, 60, "/hold", HTTP_LANE_WATCH, (struct http_endpoint_config){.proxy = url});
    WAIT(&m.tally, hellos, 60);
    assert_int_equal(fake_http_connections(proxy), 2);
    fake_h2_release(f);
    WAIT(&m.tally, done, 60);
    assert_int_equal(m.tally.failed, 0);
    end_many(&m);
    fake_http_stop(proxy);
    fake_h2_stop(f);
}

static void lanes_do_not_share_connections(void **state)
{
    struct many a;
    struct fake_h2_stats stats;
    fake_h2_t *f = fake_h2_start(&(struct fake_h2_config){});
    start_many(&a, f, 10, "/hold", HTTP_LANE_WATCH, 0);
    WAIT(&a.tally, hellos, 10);
    AUTO_ERR err = NULL;
    struct http_response out;
    AUTO(free_p) char *url = fake_h2_url(f, "/echo/x");
    for (int i = 0; i < 5; i++) {
        ASSERT_OK(http_do(a.h, &(struct http_request){.url = url, .endpoint = a.e}, &out, &err));
        assert_string_equal(str_text(&out.body), "/echo/x");
        http_response_dispose(&out);
    }
    fake_h2_stats(f, &stats);
    assert_int_equal(stats.connections, 2);
    end_many(&a);
    fake_h2_stop(f);
}

static void connections_are_capped(void **state)
{
    struct many m;
    struct fake_h2_stats stats;
    fake_h2_t *f = fake_h2_start(&(struct fake_h2_config){.max_streams = 4});
    start_many(&m, f, 30, "/hold", HTTP_LANE_REQUEST, 2);
    for (int done = 8; done <= 24; done += 8) {
        WAIT(&m.tally, hellos, done);
        sleep_ns(MILLIS(30));
        pthread_mutex_lock(&m.tally.lock);
        assert_int_equal(m.tally.hellos, done);
        pthread_mutex_unlock(&m.tally.lock);
        fake_h2_release(f);
    }
    WAIT(&m.tally, hellos, 30);
    fake_h2_release(f);
    WAIT(&m.tally, done, 30);
    fake_h2_stats(f, &stats);
    assert_true(stats.most_connections <= 2);
    assert_int_equal(m.tally.failed, 0);
    end_many(&m);
    fake_h2_stop(f);
}

static void what_waits_for_a_connection_times_out(void **state)
{
    struct many m;
    fake_h2_t *f = fake_h2_start(&(struct fake_h2_config){.max_streams = 1});
    start_many(&m, f, 1, "/hold", HTTP_LANE_REQUEST, 1);
    WAIT(&m.tally, hellos, 1);
    http_endpoint_t *e = http_endpoint_new(&(struct http_endpoint_config){
        .ca_pem = certs_get()->ca, .max_connections = 1, .connect_timeout_ns = MILLIS(200)});
    struct one first = {.tally = &m.tally}, second = {.tally = &m.tally};
    AUTO(free_p) char *url = fake_h2_url(f, "/hold");
    struct http_request r = {.url = url, .endpoint = e};
    http_transfer_t *a = http_start(m.h, &r, &ops, &first);
    WAIT(&m.tally, hellos, 2); /* another identity: another connection */
    http_transfer_t *b = http_start(m.h, &r, &ops, &second);
    WAIT(&m.tally, failed, 1);
    assert_int_equal(m.tally.last, ERR_UNAVAILABLE);
    http_transfer_release(a);
    http_transfer_release(b);
    end_many(&m);
    http_endpoint_unref(e);
    fake_h2_stop(f);
}

static void a_cut_ends_all_streams_and_new_ones_work(void **state)
{
    struct many m;
    fake_h2_t *f = fake_h2_start(&(struct fake_h2_config){});
    start_many(&m, f, 50, "/hold", HTTP_LANE_WATCH, 0);
    WAIT(&m.tally, hellos, 50);
    fake_h2_cut(f);
    WAIT(&m.tally, failed, 50);
    assert_int_equal(m.tally.last, ERR_UNAVAILABLE);
    AUTO_ERR err = NULL;
    struct http_response out;
    AUTO(free_p) char *url = fake_h2_url(f, "/echo/again");
    struct http_request r = {.url = url, .endpoint = m.e, .lane = HTTP_LANE_WATCH};
    ASSERT_OK(http_do(m.h, &r, &out, &err));
    http_response_dispose(&out);
    end_many(&m);
    fake_h2_stop(f);
}

static void a_reset_stream_is_an_error_of_its_own(void **state)
{
    struct many m;
    fake_h2_t *f = fake_h2_start(&(struct fake_h2_config){});
    start_many(&m, f, 5, "/hold", HTTP_LANE_REQUEST, 0);
    WAIT(&m.tally, hellos, 5);
    AUTO_ERR err = NULL;
    struct http_response out;
    AUTO(free_p) char *url = fake_h2_url(f, "/reset");
    assert_int_equal(http_do(m.h, &(struct http_request){.url = url, .endpoint = m.e}, &out, &err),
                     -ERR_UNAVAILABLE);
    assert_int_equal(m.tally.failed, 0);
    end_many(&m);
    fake_h2_stop(f);
}

struct asker {
    struct many *m;
    const char *url;
    int failed;
};

static void *ask(void *arg)
{
    struct asker *a = arg;
    for (int i = 0; i < 100; i++) {
        AUTO_ERR err = NULL;
        struct http_response out;
        struct http_request r = {.url = a->url, .endpoint = a->m->e, .timeout_ns = SECONDS(20)};
        if (http_do(a->m->h, &r, &out, &err) < 0) {
            a->failed++;
            print_message("# %s\n", err_text(err));
        } else {
            http_response_dispose(&out);
        }
    }
    return NULL;
}

static void servers_that_say_go_away_lose_no_get(void **state)
{
    struct many m;
    fake_h2_t *f = fake_h2_start(&(struct fake_h2_config){.goaway_after = 20});
    start_many(&m, f, 0, "/", HTTP_LANE_REQUEST, 0);
    AUTO(free_p) char *url = fake_h2_url(f, "/echo/y");
    struct asker askers[8];
    pthread_t t[ARRAY_LEN(askers)];
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        askers[i] = (struct asker){&m, url, 0};
        t[i] = thread_start("asker", ask, &askers[i]);
    }
    int failed = 0;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        pthread_join(t[i], NULL);
        failed += askers[i].failed;
    }
    assert_int_equal(failed, 0);
    end_many(&m);
    fake_h2_stop(f);
}

static void big_bodies_of_many_streams_arrive_whole(void **state)
{
    struct many m;
    fake_h2_t *f = fake_h2_start(&(struct fake_h2_config){});
    start_many(&m, f, 6, "/big", HTTP_LANE_LIST, 0);
    WAIT(&m.tally, done, 6);
    assert_int_equal(m.tally.failed, 0);
    for (size_t i = 0; i < m.n; i++) {
        assert_int_equal(m.ones[i].got, FAKE_H2_BIG);
        assert_false(m.ones[i].wrong);
    }
    end_many(&m);
    fake_h2_stop(f);
}

/* What comes to many streams at once reaches all of them, though nothing comes after it. */
static void news_of_many_streams_arrive_at_once(void **state)
{
    enum { STREAMS = 30, ROUNDS = 400 };
    struct many m;
    fake_h2_t *f = fake_h2_start(&(struct fake_h2_config){});
    start_many(&m, f, STREAMS, "/watch", HTTP_LANE_WATCH, 0);
    size_t bytes = 0;
    for (int round = 1; round <= ROUNDS; round++) {
        for (int32_t id = 1; id < 2 * STREAMS; id += 2)
            bytes += fake_h2_silent(id, round) ? 0 : FAKE_H2_NEWS;
        fake_h2_say(f);
        if (round % 3 == 0)
            WAIT(&m.tally, bytes, bytes);
    }
    for (size_t i = 0; i < m.n; i++)
        assert_false(m.ones[i].wrong);
    for (size_t i = 0; i < m.n; i++)
        http_cancel(m.t[i]);
    WAIT(&m.tally, done, STREAMS);
    end_many(&m);
    fake_h2_stop(f);
}

TESTS(T(streams_fill_connections_before_new_ones_open), T(late_settings_lose_nothing),
      T(lanes_do_not_share_connections), T(streams_share_a_tunnel), T(connections_are_capped),
      T(what_waits_for_a_connection_times_out), T(a_cut_ends_all_streams_and_new_ones_work),
      T(a_reset_stream_is_an_error_of_its_own), T(servers_that_say_go_away_lose_no_get),
      T(big_bodies_of_many_streams_arrive_whole), T(news_of_many_streams_arrive_at_once))
