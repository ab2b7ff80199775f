/* What happens to connections that nobody will use again. */
#include "tests/unit/test.h"
#include "common/base/thread.h"
#include "common/net/http.h"
#include "tests/unit/kit/fake_http.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>

enum { PATIENCE_MS = 20000 };

static http_t *h;
static atomic_bool held;

static int setup(void **state)
{
    h = http_new("http-test");
    held = true;
    return 0;
}

static int teardown(void **state)
{
    http_free(h);
    return 0;
}

/* Answers; /idle then waits for its peer to go, and counts that. */
static bool answer(fake_conn_t *c, const struct fake_request *r, void *gone)
{
    while (strcmp(r->target, "/held") == 0 && held && !fake_http_stopping(fake_server(c)))
        fake_linger(c, 10);
    fake_reply(c, "200 OK", NULL, "answer");
    if (strcmp(r->target, "/idle") != 0)
        return true;
    fake_linger(c, PATIENCE_MS);
    *(atomic_int *)gone += fake_peer_gone(c);
    return true;
}

static void get(fake_http_t *f, const char *path, http_endpoint_t *e)
{
    AUTO(free_p) char *url = fake_http_url(f, path);
    AUTO_ERR err = NULL;
    struct http_response out;
    ASSERT_OK(
        http_do(h, &(struct http_request){.url = url, .endpoint = e, .timeout_ns = SECONDS(20)}, &out, &err));
    assert_string_equal(str_text(&out.body), "answer");
    http_response_dispose(&out);
}

/* The process's descriptors of TCP sockets, the servers' included. */
static int sockets(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++) {
        struct sockaddr_in own = {};
        socklen_t size = sizeof(own);
        n += getsockname(fd, (struct sockaddr *)&own, &size) == 0 && own.sin_family == AF_INET;
    }
    return n;
}

static void wait_gone(atomic_int *gone)
{
    for (int i = 0; i < PATIENCE_MS / 10 && !*gone; i++)
        sleep_ns(MILLIS(10));
    assert_int_equal(*gone, 1);
}

/* A cluster that was removed: nobody has its endpoint any more. */
static void connections_of_nobody_are_closed(void **state)
{
    atomic_int gone = 0, kept_gone = 0;
    fake_http_t *f = fake_http_start(false, answer, &gone);
    fake_http_t *kept = fake_http_start(false, answer, &kept_gone);
    http_endpoint_t *e = http_endpoint_new(NULL);
    http_endpoint_t *k = http_endpoint_new(NULL);
    int before = sockets();
    get(f, "/idle", e);
    get(kept, "/", k);
    http_endpoint_unref(e);
    wait_gone(&gone);
    /* Nothing was under way in the lane, so that the descriptors go as well; the servers keep theirs. */
    for (int i = 0; i < PATIENCE_MS && sockets() > before + 2; i++)
        sleep_ns(MILLIS(1));
    assert_int_equal(sockets(), before + 2);
    get(kept, "/", k); /* on a new connection, or on the old one */
    http_endpoint_unref(k);
    fake_http_stop(f);
    fake_http_stop(kept);
}

struct ended {
    atomic_bool done;
    int code;
};

static void on_done(void *arg, err_t *err)
{
    struct ended *ended = arg;
    ended->code = err ? (int)err_code(err) : 0;
    ended->done = true;
}

static int take(void *arg, const char *p, size_t n)
{
    return 0;
}

/* What is under way in the lane goes on, and the connections of endpoints in use stay. */
static void others_are_left_alone(void **state)
{
    atomic_int gone = 0, kept_gone = 0;
    fake_http_t *f = fake_http_start(false, answer, &gone);
    fake_http_t *kept = fake_http_start(false, answer, &kept_gone);
    http_endpoint_t *e = http_endpoint_new(NULL);
    http_endpoint_t *k = http_endpoint_new(NULL);
    AUTO(free_p) char *url = fake_http_url(kept, "/held");
    struct ended ended = {};
    http_transfer_t *t = http_start(h, &(struct http_request){.url = url, .endpoint = k},
                                    &(struct http_stream_ops){.on_data = take, .on_done = on_done}, &ended);
    get(kept, "/", k);
    int before = sockets();
    get(f, "/idle", e);
    assert_int_equal(fake_http_connections(kept), 2);
    http_endpoint_unref(e);
    wait_gone(&gone);
    get(kept, "/", k);
    get(kept, "/", k);
    assert_int_equal(fake_http_connections(kept), 2);
    assert_int_equal(sockets(), before + 1);
    assert_false(ended.done);
    held = false;
    for (int i = 0; i < PATIENCE_MS / 10 && !ended.done; i++)
        sleep_ns(MILLIS(10));
    assert_true(ended.done);
    assert_int_equal(ended.code, 0);
    http_transfer_release(t);
    http_endpoint_unref(k);
    fake_http_stop(f);
    fake_http_stop(kept);
}

#define H(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
TESTS(H(connections_of_nobody_are_closed), H(others_are_left_alone))
