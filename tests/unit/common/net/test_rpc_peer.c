/* Peers that die, and come back. */
#include "tests/unit/common/net/rpc_fixture.h"

struct pending {
    atomic_int left, unavailable;
    atomic_llong ended; /* when the last one ended */
};

static void pending_done(void *arg, ProtobufCMessage *out, err_t *err)
{
    struct pending *p = arg;
    if (err_code(err) == ERR_UNAVAILABLE)
        atomic_fetch_add(&p->unavailable, 1);
    if (out)
        protobuf_c_message_free_unpacked(out, NULL);
    p->ended = mono_now().ns;
    atomic_fetch_sub(&p->left, 1);
}

static bool none_pending(void *arg)
{
    return atomic_load(&((struct pending *)arg)->left) == 0;
}

static bool is_disconnected(void *arg)
{
    return !rpc_client_connected(arg);
}

/* A server killed with calls under way: they end at once, and the client comes back with the server. */
static void killed_server(const char *address)
{
    AUTO_ERR err = NULL;
    int out;
    pid_t pid = start_self("serve", address, &out);
    struct fixture f = {.address = read_line(out)};
    f.client = client_of(&f);
    ASSERT_OK(call_text(f.client, "test.Echo", "x", &err));
    struct pending p = {.left = 10};
    for (int i = 0; i < 10; i++) {
        blob_t in = BLOB("60000", 5);
        rpc_start(f.client, "test.Slow", &in.base, BLOB_TYPE, SECONDS(120), pending_done, &p);
    }
    ASSERT_OK(rpc_health(f.client, SECONDS(5), &err)); /* the calls are there: messages keep their order */
    mono_t before = mono_now();
    kill_and_reap(pid);
    close(out);
    assert_true(wait_until(none_pending, &p, SECONDS(30)));
    assert_int_equal(p.unavailable, 10);
    assert_true(p.ended - before.ns < SECONDS(10));

    before = mono_now();
    assert_int_equal(call_text(f.client, "test.Echo", "x", &err), -ERR_UNAVAILABLE);
    int64_t waited = mono_now().ns - before.ns;
    assert_true(waited > MILLIS(1500) && waited < SECONDS(15));

    pid = start_self("serve", f.address, &out);
    AUTO(free_p) char *again = read_line(out);
    assert_string_equal(again, f.address);
    err_clear(&err);
    ASSERT_OK(call_text(f.client, "test.Echo", "x", &err)); /* within the two seconds that a call waits */
    kill_and_reap(pid);
    close(out);
    rpc_client_free(f.client);
    free(f.address);
}

static void killed_tcp_server(void **state)
{
    killed_server("tcp://127.0.0.1:0");
}

static void killed_ipc_server(void **state)
{
    AUTO(free_p) char *dir = temp_dir();
    AUTO(free_p) char *address = xasprintf("ipc://%s/s.sock", dir);
    killed_server(address);
    dir_remove(dir, NULL);
}

/* A server in the same process that is freed and started again at its address. */
static void restarted_server(void **state)
{
    AUTO_ERR err = NULL;
    struct fixture f = {};
    begin(&f, "tcp://127.0.0.1:0");
    for (int i = 0; i < 5; i++) {
        err_clear(&err);
        ASSERT_OK(call_text(f.client, "test.Echo", "x", &err));
        rpc_server_free(f.server, SECONDS(1));
        pool_free(f.pool);
        assert_true(wait_until(is_disconnected, f.client, SECONDS(20)));
        AUTO(free_p) char *address = TAKE(f.address);
        serve(&f, address, 8);
    }
    err_clear(&err);
    ASSERT_OK(call_text(f.client, "test.Echo", "x", &err));
    end(&f);
}

static int client_until_killed(const char *address)
{
    rpc_client_t *c = NULL;
    struct rpc_client_options o = {.address = address};
    blob_t in = BLOB("60000", 5);
    struct pending p = {.left = 3};
    if (rpc_client_new(&o, &c, NULL) < 0)
        return 1;
    for (int i = 0; i < 3; i++)
        rpc_start(c, "test.Slow", &in.base, BLOB_TYPE, SECONDS(120), pending_done, &p);
    rpc_health(c, SECONDS(5), NULL);
    printf("asked\n");
    fflush(stdout);
    sleep_ns(SECONDS(60));
    return 0;
}

static bool three_canceled(void *arg)
{
    return canceled_seen == 3;
}

static void killed_client(void **state)
{
    struct fixture f = {};
    begin(&f, "tcp://127.0.0.1:0");
    int out;
    pid_t pid = start_self("ask", f.address, &out);
    AUTO(free_p) char *line = read_line(out);
    assert_string_equal(line, "asked");
    assert_int_equal(canceled_seen, 0);
    kill_and_reap(pid);
    close(out);
    assert_true(wait_until(three_canceled, NULL, SECONDS(20)));
    end(&f);
}

int main(int argc, char **argv)
{
    process_setup();
    rpc_setup();
    if (argc > 2 && strcmp(argv[1], "serve") == 0)
        return serve_forever(argv[2]);
    if (argc > 2 && strcmp(argv[1], "ask") == 0)
        return client_until_killed(argv[2]);
    const struct CMUnitTest tests[] = {
        T(killed_tcp_server),
        T(killed_ipc_server),
        T(restarted_server),
        T(killed_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
