#include "tests/unit/common/net/rpc_fixture.h"

static void echoes(const char *address)
{
    AUTO_ERR err = NULL;
    AUTO_STR out = {};
    struct fixture f = {};
    begin(&f, address);
    ASSERT_OK(call(f.client, "test.Echo", "hello", 5, SECONDS(30), &out, &err));
    assert_string_equal(str_text(&out), "hello");
    str_reset(&out);
    ASSERT_OK(call(f.client, "test.PoolEcho", "", 0, SECONDS(30), &out, &err));
    assert_int_equal(out.len, 0);
    assert_true(rpc_client_connected(f.client));
    ASSERT_OK(rpc_health(f.client, SECONDS(30), &err));
    end(&f);
}

static void echo_over_tcp(void **state)
{
    echoes("tcp://127.0.0.1:0");
}

static void echo_over_ipc(void **state)
{
    AUTO(free_p) char *dir = temp_dir();
    AUTO(free_p) char *address = xasprintf("ipc://%s/s.sock", dir);
    echoes(address);
    dir_remove(dir, NULL);
}

static void errors_keep_code_and_text(void **state)
{
    AUTO_ERR err = NULL;
    struct fixture f = {};
    begin(&f, "tcp://127.0.0.1:0");
    assert_int_equal(call_text(f.client, "test.Fail", "x", &err), -ERR_FAILED_PRECONDITION);
    assert_non_null(strstr(err_text(err), "write x: disk 'a' is full"));
    assert_int_equal(call_text(f.client, "test.None", "x", &err), -ERR_UNIMPLEMENTED);
    assert_non_null(strstr(err_text(err), "test.None"));
    end(&f);
}

/* ---- many at once ---- */

struct many {
    atomic_int left, wrong;
};

static void many_done(void *arg, ProtobufCMessage *out, err_t *err)
{
    struct many *m = arg;
    if (err || ((blob_t *)out)->object.len < 3)
        atomic_fetch_add(&m->wrong, 1);
    if (out)
        protobuf_c_message_free_unpacked(out, NULL);
    atomic_fetch_sub(&m->left, 1);
}

static bool none_left(void *arg)
{
    return atomic_load(&((struct many *)arg)->left) == 0;
}

/* The first calls take longest, so that the answers come in another order than the calls. */
static void hundreds_at_once_out_of_order(void **state)
{
    struct fixture f = {.max_calls = 1000};
    handled = running_now = running_most = 0;
    serve(&f, "tcp://127.0.0.1:0", 400);
    f.client = client_of(&f);
    struct many m = {.left = 400};
    for (int i = 0; i < 400; i++) {
        char text[8];
        snprintf(text, sizeof(text), "%03d", 420 - i);
        blob_t in = BLOB(text, 3);
        rpc_start(f.client, "test.Slow", &in.base, BLOB_TYPE, SECONDS(60), many_done, &m);
    }
    assert_true(wait_until(none_left, &m, SECONDS(60)));
    assert_int_equal(m.wrong, 0);
    assert_int_equal(handled, 400);
    assert_true(running_most > 100);
    end(&f);
}

/* A caller of its own thread, whose answer has to be its own question. */
static void *ask(void *arg)
{
    rpc_client_t *c = arg;
    intptr_t wrong = 0;
    for (int i = 0; i < 100; i++) {
        AUTO_STR out = {};
        char text[40];
        int n = snprintf(text, sizeof(text), "%p %d", (void *)&out, i);
        if (call(c, i % 2 ? "test.Echo" : "test.PoolEcho", text, (size_t)n, SECONDS(30), &out, NULL) < 0 ||
            !str_eq(str_text(&out), text))
            wrong++;
    }
    return (void *)wrong;
}

static void threads_get_their_own_answers(void **state)
{
    struct fixture f = {};
    begin(&f, "tcp://127.0.0.1:0");
    pthread_t t[16];
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        t[i] = thread_start("ask", ask, f.client);
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        void *wrong = NULL;
        pthread_join(t[i], &wrong);
        assert_null(wrong);
    }
    assert_int_equal(handled, 1600);
    end(&f);
}

static void busy_is_an_answer(void **state)
{
    AUTO_ERR err = NULL;
    struct fixture f = {.max_calls = 2};
    begin(&f, "tcp://127.0.0.1:0");
    struct many m = {.left = 2};
    blob_t in = BLOB("2000", 4);
    for (int i = 0; i < 2; i++)
        rpc_start(f.client, "test.Slow", &in.base, BLOB_TYPE, SECONDS(20), many_done, &m);
    for (int i = 0; handled < 2 && i < 5000; i++)
        sleep_ns(MILLIS(2));
    assert_int_equal(call_text(f.client, "test.Echo", "x", &err), -ERR_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(err_text(err), "busy"));
    ASSERT_OK(rpc_health(f.client, SECONDS(30), &err)); /* busy is healthy */
    assert_true(wait_until(none_left, &m, SECONDS(20)));
    assert_int_equal(m.wrong, 0);
    err_clear(&err);
    ASSERT_OK(call_text(f.client, "test.Echo", "x", &err));
    end(&f);
}

/* ---- time ---- */

static void deadline_reaches_the_handler(void **state)
{
    AUTO_ERR err = NULL;
    struct fixture f = {};
    begin(&f, "tcp://127.0.0.1:0");
    deadline_seen = 0;
    ASSERT_OK(call(f.client, "test.Deadline", "", 0, SECONDS(70), NULL, &err));
    assert_true(deadline_seen > SECONDS(40) && deadline_seen <= SECONDS(70));
    ASSERT_OK(call(f.client, "test.Deadline", "", 0, 0, NULL, &err));
    assert_true(deadline_seen > SECONDS(1000000));

    mono_t before = mono_now();
    assert_int_equal(call(f.client, "test.Slow", "20000", 5, MILLIS(150), NULL, &err),
                     -ERR_DEADLINE_EXCEEDED);
    assert_true(mono_now().ns - before.ns < SECONDS(15));
    assert_true(wait_until(int_is_set, &canceled_seen, SECONDS(30)));
    end(&f);
}

struct flagged {
    struct fixture *f;
    atomic_bool flag;
    int result;
};

static void *call_flagged(void *arg)
{
    struct flagged *c = arg;
    blob_t in = BLOB("20000", 5);
    ProtobufCMessage *out = NULL;
    c->result = rpc_do(c->f->client, "test.Slow", &in.base, BLOB_TYPE, SECONDS(30), &c->flag, &out, NULL);
    return NULL;
}

static void cancel_reaches_the_handler(void **state)
{
    struct fixture f = {};
    begin(&f, "tcp://127.0.0.1:0");
    struct flagged c = {.f = &f};
    pthread_t t = thread_start("flagged", call_flagged, &c);
    assert_true(wait_until(int_is_set, &handled, SECONDS(30)));
    assert_int_equal(canceled_seen, 0);
    c.flag = true;
    pthread_join(t, NULL);
    assert_int_equal(c.result, -ERR_CANCELED);
    assert_true(wait_until(int_is_set, &canceled_seen, SECONDS(30)));
    end(&f);
}

static void cancel_runs_the_hook_once(void **state)
{
    AUTO_ERR err = NULL;
    struct fixture f = {};
    begin(&f, "tcp://127.0.0.1:0");
    assert_int_equal(call(f.client, "test.Hook", "", 0, MILLIS(100), NULL, &err), -ERR_DEADLINE_EXCEEDED);
    assert_true(wait_until(int_is_set, &hook_seen, SECONDS(30)));
    sleep_ns(MILLIS(100));
    assert_int_equal(hook_seen, 1);
    end(&f); /* would wait for the call if the hook had not answered it */
}

/* The caller's process is what cancels here: its connection goes. */
static void lost_caller_cancels(void **state)
{
    struct fixture f = {};
    begin(&f, "tcp://127.0.0.1:0");
    blob_t in = BLOB("20000", 5);
    struct many m = {.left = 1};
    rpc_start(f.client, "test.Slow", &in.base, BLOB_TYPE, SECONDS(30), many_done, &m);
    assert_true(wait_until(int_is_set, &handled, SECONDS(30)));
    rpc_client_free(TAKE(f.client));
    assert_int_equal(m.left, 0); /* it ended before free returned */
    assert_int_equal(m.wrong, 1);
    assert_true(wait_until(int_is_set, &canceled_seen, SECONDS(30)));
    end(&f);
}

/* ---- large bodies ---- */

static void large_both_ways(const char *address, const struct tls_files *tls, size_t size)
{
    AUTO_ERR err = NULL;
    struct fixture f = {};
    if (tls)
        f.tls = *tls;
    begin(&f, address);
    AUTO(free_p) unsigned char *bytes = pattern(size);
    AUTO_STR out = {};
    ASSERT_OK(call(f.client, "test.PoolEcho", bytes, size, SECONDS(60), &out, &err));
    assert_int_equal(out.len, size);
    assert_memory_equal(out.p, bytes, size);
    assert_int_equal(handled, 1);
    end(&f);
}

static void large_over_tcp(void **state)
{
    large_both_ways("tcp://127.0.0.1:0", NULL, (50 << 20) / SCALE);
}

static void large_over_tls(void **state)
{
    AUTO(free_p) char *dir = temp_dir();
    struct tls_pair ca = {};
    struct tls_files files = make_files(dir, "peer", (const char *[]){"127.0.0.1", NULL}, &ca);
    large_both_ways("tls+tcp://127.0.0.1:0", &files, (50 << 20) / SCALE);
    tls_pair_dispose(&ca);
    files_free(&files);
    dir_remove(dir, NULL);
}

/* Around the edges of a piece, where the counting is. */
static void sizes_around_a_piece(void **state)
{
    AUTO_ERR err = NULL;
    struct fixture f = {};
    begin(&f, "tcp://127.0.0.1:0");
    static const size_t sizes[] = {RPC_CHUNK - 5,     RPC_CHUNK - 4,     RPC_CHUNK - 3, RPC_CHUNK,
                                   2 * RPC_CHUNK - 5, 2 * RPC_CHUNK - 4, 2 * RPC_CHUNK};
    AUTO(free_p) char *bytes = xcalloc(1, 2 * RPC_CHUNK);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        AUTO_STR out = {};
        ASSERT_OK(call(f.client, "test.Echo", bytes, sizes[i], SECONDS(20), &out, &err));
        assert_int_equal(out.len, sizes[i]);
    }
    end(&f);
}

/* The next piece may be asked for before the server is done with the first one. */
static void pieces_are_there_at_once(void **state)
{
    AUTO_ERR err = NULL;
    struct fixture f = {};
    begin(&f, "tcp://127.0.0.1:0");
    for (int i = 0; i < 100 / SCALE; i++)
        ASSERT_OK(
            call_text(f.client, i % 2 ? "test.Make" : "test.PoolMake", i % 3 ? "1100000" : "3200000", &err));
    end(&f);
}

struct large_caller {
    rpc_client_t *client;
    int result;
};

static void *call_large(void *arg)
{
    struct large_caller *l = arg;
    AUTO_STR out = {};
    size_t n = (size_t)RPC_CHUNK * 7 / 2;
    AUTO(free_p) unsigned char *bytes = pattern(n);
    l->result = call(l->client, "test.PoolEcho", bytes, n, SECONDS(50), &out, NULL);
    if (l->result == 0 && (out.len != n || memcmp(out.p, bytes, n) != 0))
        l->result = -ERR_DATA_LOSS;
    return NULL;
}

/* More than either side lets wait for the other: neither may stop reading because the other one does. */
static void many_large_at_once(void **state)
{
    enum { CALLERS = 48 / SCALE };
    struct fixture f = {};
    begin(&f, "tcp://127.0.0.1:0");
    struct large_caller l[CALLERS];
    pthread_t t[CALLERS];
    mono_t before = mono_now();
    for (int i = 0; i < CALLERS; i++) {
        l[i] = (struct large_caller){.client = f.client};
        t[i] = thread_start("large", call_large, &l[i]);
    }
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(t[i], NULL);
        assert_int_equal(l[i].result, 0);
    }
    assert_true(mono_now().ns - before.ns < SECONDS(45));
    end(&f);
}

static void too_large_is_refused(void **state)
{
    AUTO_ERR err = NULL;
    struct fixture f = {};
    begin(&f, "tcp://127.0.0.1:0");
    AUTO(free_p) char *bytes = xcalloc(1, (size_t)RPC_MAX_BODY + 1);
    assert_int_equal(call(f.client, "test.Echo", bytes, (size_t)RPC_MAX_BODY + 1, SECONDS(20), NULL, &err),
                     -ERR_RESOURCE_EXHAUSTED);
    assert_int_equal(call_text(f.client, "test.Make", "268435457", &err), -ERR_RESOURCE_EXHAUSTED);
    assert_int_equal(handled, 0);
    end(&f);
}

/* ---- the end of a server ---- */

static void *free_server(void *arg)
{
    struct fixture *f = arg;
    rpc_server_free(TAKE(f->server), SECONDS(10));
    return NULL;
}

static void free_waits_for_calls(void **state)
{
    AUTO_ERR err = NULL;
    struct fixture f = {};
    begin(&f, "tcp://127.0.0.1:0");
    struct many m = {.left = 1};
    blob_t in = BLOB("300", 3);
    rpc_start(f.client, "test.Slow", &in.base, BLOB_TYPE, SECONDS(20), many_done, &m);
    assert_true(wait_until(int_is_set, &handled, SECONDS(30)));
    pthread_t t = thread_start("free", free_server, &f);
    sleep_ns(MILLIS(50));
    /* New calls are refused over the connection that is still there. */
    assert_int_equal(call_text(f.client, "test.Echo", "x", &err), -ERR_UNAVAILABLE);
    assert_non_null(strstr(err_text(err), "stopping"));
    assert_int_equal(rpc_health(f.client, SECONDS(1), &err), -ERR_UNAVAILABLE);
    pthread_join(t, NULL);
    assert_true(wait_until(none_left, &m, SECONDS(30)));
    assert_int_equal(m.wrong, 0); /* its answer arrived */
    assert_int_equal(canceled_seen, 0);
    end(&f);
}

static void free_cancels_after_grace(void **state)
{
    struct fixture f = {};
    begin(&f, "tcp://127.0.0.1:0");
    struct many m = {.left = 3};
    blob_t in = BLOB("20000", 5);
    for (int i = 0; i < 3; i++)
        rpc_start(f.client, i ? "test.Slow" : "test.Hook", &in.base, BLOB_TYPE, SECONDS(60), many_done, &m);
    for (int i = 0; handled < 3 && i < 5000; i++)
        sleep_ns(MILLIS(2));
    mono_t before = mono_now();
    rpc_server_free(TAKE(f.server), MILLIS(100));
    assert_true(mono_now().ns - before.ns < SECONDS(15));
    assert_int_equal(canceled_seen, 2);
    assert_int_equal(hook_seen, 1);
    assert_true(wait_until(none_left, &m, SECONDS(30)));
    assert_int_equal(m.wrong, 3);
    end(&f);
}

static void bad_addresses(void **state)
{
    static const char *const bad[] = {"",         "http://x:1",     "tcp://x",      "tcp://x:99999",
                                      "tcp://:1", "ipc://relative", "tls+tcp://x:1"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO_ERR err = NULL;
        rpc_client_t *c = NULL;
        struct rpc_client_options o = {.address = bad[i]};
        assert_int_equal(rpc_client_new(&o, &c, &err), -ERR_INVALID_ARGUMENT);
    }
    AUTO_ERR err = NULL;
    rpc_server_t *s = NULL;
    struct rpc_server_options o = {.address = "ipc:///nonexistent-folder/s.sock"};
    assert_true(rpc_server_start(&o, &s, &err) < 0);
    struct fixture f = {};
    begin(&f, "tcp://127.0.0.1:0");
    o.address = f.address;
    assert_true(rpc_server_start(&o, &s, &err) < 0); /* in use */
    end(&f);
}

TESTS_OR_SERVE(T(echo_over_tcp), T(echo_over_ipc), T(errors_keep_code_and_text),
               T(hundreds_at_once_out_of_order), T(threads_get_their_own_answers), T(busy_is_an_answer),
               T(deadline_reaches_the_handler), T(cancel_reaches_the_handler), T(cancel_runs_the_hook_once),
               T(lost_caller_cancels), T(large_over_tcp), T(large_over_tls), T(sizes_around_a_piece),
               T(pieces_are_there_at_once), T(many_large_at_once), T(too_large_is_refused),
               T(free_waits_for_calls), T(free_cancels_after_grace), T(bad_addresses))
