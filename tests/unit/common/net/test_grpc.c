#include "common/net/grpc.h"
#include "common/base/file.h"
#include "common/base/thread.h"
#include "tests/unit/test.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char *dir, *path;
static _Atomic int running, canceled;

/* ---- a service: /t.T/Sum adds the lengths of what is streamed ---- */

struct sum {
    size_t messages, bytes;
};

static int on_message(const struct grpc_call_info *call, void **state, const char *p, size_t n, err_t **err)
{
    if (!*state)
        *state = xcalloc(1, sizeof(struct sum));
    struct sum *s = *state;
    s->messages++;
    s->bytes += n;
    return n == 13 ? err_set(err, ERR_INVALID_ARGUMENT, "thirteen \xc3\xa4 100%%\n") : 0;
}

static int run_sum(const struct grpc_call_info *call, void *state, str_t *response, err_t **err)
{
    const struct sum *s = state, none = {};
    s = s ? s : &none;
    str_printf(response, "%zu messages, %zu bytes, %s", s->messages, s->bytes, (const char *)call->ctx);
    return 0;
}

static int run_wait(const struct grpc_call_info *call, void *state, str_t *response, err_t **err)
{
    running++;
    assert_true(call->has_deadline);
    for (int i = 0; i < 2000 && !*call->canceled; i++)
        sleep_ns(MILLIS(5));
    canceled += *call->canceled;
    return err_set(err, ERR_CANCELED, "canceled");
}

static int run_large(const struct grpc_call_info *call, void *state, str_t *response, err_t **err)
{
    for (size_t i = 0; i < 1 << 20; i++)
        str_puts(response, "0123456789");
    return 0;
}

static const struct grpc_method methods[] = {{"/t.T/Sum", on_message, run_sum, free},
                                             {"/t.T/Wait", NULL, run_wait, NULL},
                                             {"/t.T/Large", NULL, run_large, NULL}};
static grpc_server_t *server;

static int setup(void **state)
{
    AUTO_ERR err = NULL;
    signal(SIGPIPE, SIG_IGN);
    ASSERT_OK(dir_make_temp(NULL, "grpc-test-", &dir, &err));
    path = xasprintf("%s/s.sock", dir);
    struct grpc_server_options options = {
        .socket_path = path, .methods = methods, .nmethods = ARRAY_LEN(methods), .ctx = "ctx"};
    ASSERT_OK(grpc_server_start(&options, &server, &err));
    return 0;
}

static int teardown(void **state)
{
    grpc_server_free(server);
    int left = access(path, F_OK);
    dir_remove(dir, NULL);
    free(dir);
    free(path);
    return left == 0; /* the socket goes with the server */
}

static struct grpc_exchange exchange(const char *method)
{
    return (struct grpc_exchange){method, mono_after(mono_now(), SECONDS(20)), NULL};
}

static grpc_client_t *connected(void)
{
    AUTO_ERR err = NULL;
    grpc_client_t *c = NULL;
    ASSERT_OK(grpc_client_open(path, &c, &err));
    return c;
}

static void streams_and_unary_calls(void **state)
{
    AUTO_ERR err = NULL;
    AUTO(grpc_client_close_p) grpc_client_t *c = connected();
    for (size_t n = 0; n < 300; n += 100) { /* several calls on one connection */
        AUTO_STR answer = STR_INIT;
        struct grpc_exchange x = exchange("/t.T/Sum");
        AUTO(free_p) char *big = xcalloc(1, 100000);
        ASSERT_OK(grpc_begin(c, &x, &err));
        for (size_t i = 0; i < n; i++)
            ASSERT_OK(grpc_send(c, big, 100000, &err));
        ASSERT_OK(grpc_finish(c, &answer, &err));
        AUTO(free_p) char *want = xasprintf("%zu messages, %zu bytes, ctx", n, n * 100000);
        assert_string_equal(str_text(&answer), want);
    }
    AUTO_STR large = STR_INIT;
    struct grpc_exchange x = exchange("/t.T/Large");
    ASSERT_OK(grpc_unary(c, &x, "", 0, &large, &err));
    assert_int_equal(large.len, 10 << 20);
    AUTO_STR health = STR_INIT;
    x = exchange("/grpc.health.v1.Health/Check");
    ASSERT_OK(grpc_unary(c, &x, "", 0, &health, &err));
    assert_int_equal(health.len, 2);
}

static void errors_arrive_with_code_and_text(void **state)
{
    AUTO_ERR err = NULL;
    AUTO(grpc_client_close_p) grpc_client_t *c = connected();
    AUTO_STR answer = STR_INIT;
    struct grpc_exchange x = exchange("/t.T/None");
    assert_int_equal(grpc_unary(c, &x, "", 0, &answer, &err), -ERR_UNIMPLEMENTED);
    err_clear(&err);
    x = exchange("/t.T/Sum");
    assert_int_equal(grpc_unary(c, &x, "0123456789abc", 13, &answer, &err), -ERR_INVALID_ARGUMENT);
    assert_string_equal(err_text(err), "thirteen \xc3\xa4 100%\n");
    err_clear(&err);
    grpc_client_t *none = NULL;
    assert_int_equal(grpc_client_open("/nonexistent/x.sock", &none, &err), -ERR_UNAVAILABLE);
}

static void deadlines_and_closing_cancel(void **state)
{
    AUTO_ERR err = NULL;
    AUTO_STR answer = STR_INIT;
    int before = canceled;
    {
        AUTO(grpc_client_close_p) grpc_client_t *c = connected();
        struct grpc_exchange x = exchange("/t.T/Wait");
        x.deadline = mono_after(mono_now(), MILLIS(300));
        assert_int_equal(grpc_unary(c, &x, "", 0, &answer, &err), -ERR_DEADLINE_EXCEEDED);
        assert_true(grpc_begin(c, &x, NULL) < 0); /* of no use any more */
    }
    for (int i = 0; i < 1000 && canceled == before; i++)
        sleep_ns(MILLIS(5));
    assert_int_equal(canceled, before + 1);
    atomic_bool gave_up = true;
    AUTO(grpc_client_close_p) grpc_client_t *c = connected();
    struct grpc_exchange x = exchange("/t.T/Wait");
    x.canceled = &gave_up;
    err_clear(&err);
    assert_int_equal(grpc_unary(c, &x, "", 0, &answer, &err), -ERR_CANCELED);
}

/* Peers that speak something else cost the server nothing but their connection. */
static void nonsense_is_survived(void **state)
{
    static const char *const texts[] = {
        "GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff", "",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        strncpy(a.sun_path, path, sizeof(a.sun_path) - 1);
        AUTO(close_p) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
        assert_int_equal(write(fd, texts[i], strlen(texts[i])), strlen(texts[i]));
    }
    streams_and_unary_calls(state);
}

static int count(void *arg, const char *p, size_t n, err_t **err)
{
    struct sum *s = arg;
    s->messages++;
    s->bytes += n;
    return 0;
}

static void frames_are_put_together(void **state)
{
    struct grpc_reader r = {.max = 1000};
    struct sum got = {};
    AUTO_STR stream = STR_INIT;
    AUTO_ERR err = NULL;
    char head[GRPC_HEAD];
    for (size_t n = 0; n < 12; n++) {
        grpc_head(n, head);
        str_add(&stream, head, sizeof(head));
        str_add(&stream, "abcdefghijklmn", n);
    }
    for (size_t i = 0; i < stream.len; i++)
        ASSERT_OK(grpc_reader_feed(&r, stream.p + i, 1, count, &got, &err));
    assert_int_equal(got.messages, 12);
    assert_int_equal(got.bytes, 66);
    grpc_head(1001, head);
    assert_int_equal(grpc_reader_feed(&r, head, sizeof(head), count, &got, &err), -ERR_RESOURCE_EXHAUSTED);
    grpc_reader_dispose(&r);
    r = (struct grpc_reader){};
    assert_int_equal(grpc_reader_feed(&r, "\x01\0\0\0\0", 5, count, &got, &err), -ERR_UNIMPLEMENTED);
    grpc_reader_dispose(&r);
}

static void timeouts_are_read_and_written(void **state)
{
    static const struct {
        const char *text;
        int64_t ns; /* negative: malformed */
    } cases[] = {{"1S", SECONDS(1)},
                 {"100m", MILLIS(100)},
                 {"2H", SECONDS(7200)},
                 {"99999999n", 99999999},
                 {"5M", SECONDS(300)},
                 {"7u", 7000},
                 {"", -1},
                 {"S", -1},
                 {"1", -1},
                 {"1x", -1},
                 {"123456789S", -1},
                 {"-1S", -1},
                 {"1S ", -1}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ns = -1;
        bool ok = grpc_timeout_read(cases[i].text, &ns);
        if (ok != (cases[i].ns >= 0) || (ok && ns != cases[i].ns))
            fail_msg("'%s': %lld", cases[i].text, (long long)ns);
    }
    static const int64_t times[] = {0, 1, 99999999, 100000000, SECONDS(90), SECONDS(100000), INT64_MAX};
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        char text[GRPC_TIMEOUT_TEXT];
        int64_t back = 0;
        grpc_timeout_write(times[i], text);
        assert_true(grpc_timeout_read(text, &back));
        assert_true(back >= times[i] && (times[i] == INT64_MAX || back - times[i] <= times[i] / 1000 + 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {T(streams_and_unary_calls),      T(errors_arrive_with_code_and_text),
                                       T(deadlines_and_closing_cancel), T(nonsense_is_survived),
                                       T(frames_are_put_together),      T(timeouts_are_read_and_written)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
