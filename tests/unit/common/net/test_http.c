#include "tests/unit/test.h"
#include "common/base/enc.h"
#include "common/base/thread.h"
#include "common/net/http.h"
#include "tests/unit/kit/fake_http.h"

#include <stdatomic.h>
#include <zlib.h>

static http_t *h;

static int setup(void **state)
{
    h = http_new("http-test");
    return 0;
}

static int teardown(void **state)
{
    http_free(h);
    return 0;
}

static int get(fake_http_t *f, const char *path, struct http_request r, struct http_response *out,
               err_t **err)
{
    AUTO(free_p) char *url = fake_http_url(f, path);
    r.url = url;
    if (!r.timeout_ns)
        r.timeout_ns = SECONDS(20);
    return http_do(h, &r, out, err);
}

/* Tells what it was asked. */
static bool echo(fake_conn_t *c, const struct fake_request *r, void *arg)
{
    AUTO_STR s = STR_INIT;
    str_printf(&s, "%s %s\n%s--\n", r->method, r->target, r->head);
    str_add(&s, str_text(&r->body), r->body.len);
    fake_reply(c, "200 OK", "X-One: 1\r\nX-one:  2 \r\nX-Long: a\r\n b\r\n", str_text(&s));
    return true;
}

static void requests_say_what_they_were_told(void **state)
{
    fake_http_t *f = fake_http_start(false, echo, NULL);
    static const char *const headers[] = {"X-Mine: yes", "X-Empty:", "User-Agent: me", NULL};
    http_endpoint_t *e = http_endpoint_new(&(struct http_endpoint_config){.bearer_token = "t0k"});
    http_endpoint_t *basic = http_endpoint_new(
        &(struct http_endpoint_config){.username = "u", .password = "p"});
    static const struct {
        const char *method, *body, *first;
        bool length;
    } cases[] = {
        {NULL, NULL, "GET /p?q=1\n", false},       {"HEAD", NULL, NULL, false},
        {"POST", "hello", "POST /p?q=1\n", true},  {"POST", NULL, "POST /p?q=1\n", true},
        {"PUT", "x", "PUT /p?q=1\n", true},        {"DELETE", NULL, "DELETE /p?q=1\n", false},
        {"DELETE", "{}", "DELETE /p?q=1\n", true}, {"PATCH", "{}", "PATCH /p?q=1\n", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        struct http_response out;
        struct http_request r = {.method = cases[i].method,
                                 .headers = headers,
                                 .body = cases[i].body,
                                 .body_size = cases[i].body ? strlen(cases[i].body) : 0,
                                 .endpoint = i % 2 ? basic : e};
        ASSERT_OK(get(f, "/p?q=1", r, &out, &err));
        const char *text = str_text(&out.body);
        assert_int_equal(out.status, 200);
        if (cases[i].first) {
            assert_ptr_equal(strstr(text, cases[i].first), text);
            assert_non_null(strstr(text, "X-Mine: yes\r\n"));
            assert_non_null(strstr(text, "X-Empty:\r\n"));
            assert_non_null(strstr(text, "User-Agent: me\r\n"));
            assert_non_null(
                strstr(text, i % 2 ? "Authorization: Basic dTpw\r\n" : "Authorization: Bearer t0k\r\n"));
            assert_null(strstr(text, "form-urlencoded"));
            assert_null(strstr(text, "Expect"));
            assert_null(strstr(text, "Accept-Encoding"));
            assert_true((strstr(text, "Content-Length:") != NULL) == cases[i].length);
            assert_true(!cases[i].body || str_has_suffix(text, cases[i].body));
        } else {
            assert_int_equal(out.body.len, 0);
        }
        AUTO(free_p) char *one = http_header(&out.headers, "x-one");
        AUTO(free_p) char *lengthy = http_header(&out.headers, "x-long");
        assert_string_equal(one, "1");
        assert_string_equal(lengthy, "a b");
        http_response_dispose(&out);
    }
    assert_int_equal(fake_http_connections(f), 1); /* kept alive, whoever asked */
    http_endpoint_unref(e);
    http_endpoint_unref(basic);
    fake_http_stop(f);
}

static void malformed_requests_are_refused(void **state)
{
    static const char *const split[] = {"X: a\r\nY: b", NULL}, *const no_colon[] = {"X", NULL},
                             *const blank[] = {"X y: z", NULL};
    const struct http_request cases[] = {
        {.url = "http://127.0.0.1/", .headers = split},
        {.url = "http://127.0.0.1/", .headers = no_colon},
        {.url = "http://127.0.0.1/", .headers = blank},
        {.url = "http://127.0.0.1/", .method = "GET /x"},
        {.url = "http://u:p@127.0.0.1/"},
        {.url = "file:///etc/passwd"},
        {.url = NULL},
        {.url = "http://127.0.0.1/", .method = ""},
        {.url = "http://127.0.0.1/", .lane = HTTP_LANE_MAX},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        struct http_response out;
        assert_int_equal(http_do(h, &cases[i], &out, &err), -ERR_INVALID_ARGUMENT);
    }
}

static bool faulty(fake_conn_t *c, const struct fake_request *r, void *arg)
{
    AUTO_STR big = STR_INIT;
    if (strcmp(r->target, "/slow") == 0) {
        fake_linger(c, 5000);
    } else if (strcmp(r->target, "/drip") == 0) {
        fake_puts(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (int i = 0; i < 10 && !fake_peer_gone(c); i++) {
            fake_chunk(c, "x", 1);
            fake_linger(c, 60);
        }
        fake_chunk(c, NULL, 0);
    } else if (strcmp(r->target, "/stall") == 0) {
        fake_puts(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
        fake_linger(c, 5000);
    } else if (strcmp(r->target, "/cut") == 0) {
        fake_puts(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100\r\nabc");
    } else if (strcmp(r->target, "/short") == 0) {
        fake_puts(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    } else if (strcmp(r->target, "/nothing") == 0) {
        return false;
    } else if (strcmp(r->target, "/garbage") == 0) {
        fake_puts(c, "SSH-2.0-OpenSSH_9.2\r\n\r\n");
    } else if (strcmp(r->target, "/badchunk") == 0) {
        fake_puts(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n");
    } else if (strcmp(r->target, "/headers") == 0) {
        fake_puts(c, "HTTP/1.1 200 OK\r\n");
        for (int i = 0; i < 5000 && !fake_peer_gone(c); i++)
            fake_printf(c, "X-%d: %0100d\r\n", i, i);
        fake_puts(c, "\r\n");
    } else if (strcmp(r->target, "/header") == 0) {
        for (int i = 0; i < 400000; i++)
            str_putc(&big, 'x');
        fake_printf(c, "HTTP/1.1 200 OK\r\nX: %s\r\n\r\n", str_text(&big));
    } else if (strcmp(r->target, "/interim") == 0) {
        fake_puts(c, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
        fake_reply(c, "200 OK", NULL, "done");
    } else if (strcmp(r->target, "/forever-interim") == 0) {
        for (int i = 0; i < 100000 && !fake_peer_gone(c); i++)
            fake_puts(c, "HTTP/1.1 100 Continue\r\nX: y\r\n\r\n");
    } else if (strcmp(r->target, "/lying") == 0) {
        fake_puts(c, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\nabc");
    } else {
        fake_reply(c, "404 Not Found", NULL, "no such fault");
    }
    return false;
}

static void faults_are_named(void **state)
{
    fake_http_t *f = fake_http_start(false, faulty, NULL);
    static const struct {
        const char *path;
        int64_t timeout, idle;
        size_t max_body;
        int result;
        const char *text;
    } cases[] = {
        {"/slow", MILLIS(100), 0, 0, ERR_DEADLINE_EXCEEDED, "no complete answer within 100ms"},
        {"/slow", 0, MILLIS(100), 0, ERR_DEADLINE_EXCEEDED, "not a byte within 100ms"},
        {"/stall", MILLIS(200), 0, 0, ERR_DEADLINE_EXCEEDED, "no complete answer"},
        {"/stall", 0, MILLIS(100), 0, ERR_DEADLINE_EXCEEDED, "not a byte within"},
        {"/drip", SECONDS(10), MILLIS(500), 0, 0, NULL}, /* longer than idle, but never silent */
        {"/cut", 0, 0, 0, ERR_UNAVAILABLE, "in the middle of the answer"},
        {"/short", 0, 0, 0, ERR_UNAVAILABLE, "in the middle of the answer"},
        {"/nothing", 0, 0, 0, ERR_UNAVAILABLE, "closed before an answer"},
        {"/garbage", 0, 0, 0, ERR_UNAVAILABLE, "not HTTP"},
        {"/badchunk", 0, 0, 0, ERR_UNAVAILABLE, NULL},
        {"/headers", 0, 0, 0, ERR_RESOURCE_EXHAUSTED, "headers are larger than 256 KiB"},
        {"/header", 0, 0, 0, -1, NULL},
        {"/interim", 0, 0, 0, 0, NULL},
        {"/forever-interim", 0, 0, 0, ERR_RESOURCE_EXHAUSTED, "headers"},
        {"/lying", 0, 0, 0, ERR_UNAVAILABLE, NULL},
        {"/drip", 0, 0, 4, ERR_RESOURCE_EXHAUSTED, "larger than 4 bytes"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        struct http_response out;
        struct http_request r = {
            .timeout_ns = cases[i].timeout, .idle_timeout_ns = cases[i].idle, .max_body = cases[i].max_body};
        mono_t start = mono_now();
        int got = get(f, cases[i].path, r, &out, &err);
        if (cases[i].result == -1)
            assert_true(got < 0);
        else if (got != -cases[i].result)
            fail_msg("%s: %d %s", cases[i].path, got, err_text(err));
        if (cases[i].text && !strstr(err_text(err), cases[i].text))
            fail_msg("%s: %s", cases[i].path, err_text(err));
        assert_true(mono_now().ns - start.ns < SECONDS(4));
        if (got == 0)
            http_response_dispose(&out);
    }
    fake_http_stop(f);
}

static void nobody_listens(void **state)
{
    fake_http_t *f = fake_http_start(false, echo, NULL);
    AUTO(free_p) char *url = fake_http_url(f, "/x?secret=1");
    fake_http_stop(f);
    AUTO_ERR err = NULL;
    struct http_response out;
    assert_int_equal(http_do(h, &(struct http_request){.url = url}, &out, &err), -ERR_UNAVAILABLE);
    assert_non_null(strstr(err_text(err), "Connection refused"));
    assert_null(strstr(err_text(err), "secret"));
    assert_ptr_equal(strstr(err_text(err), "GET http://127.0.0.1:"), err_text(err));
    assert_int_equal(http_do(h, &(struct http_request){.url = "http://no-such-host.invalid/"}, &out, &err),
                     -ERR_UNAVAILABLE);
}

/* The first request of a connection is answered; what follows finds it dead. */
static bool dies(fake_conn_t *c, const struct fake_request *r, void *arg)
{
    atomic_int *after = arg;
    if (r->connection == 0 && r->number > 0) {
        (*after)++;
        return false;
    }
    fake_reply(c, "200 OK", NULL, r->connection ? "second" : "first");
    return true;
}

static void a_kept_connection_that_dies(void **state)
{
    static const struct {
        const char *method;
        bool idempotent;
        int result;
    } cases[] = {{"GET", false, 0},
                 {"POST", false, -ERR_UNAVAILABLE},
                 {"POST", true, 0},
                 {"DELETE", false, -ERR_UNAVAILABLE}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        atomic_int after = 0;
        struct http_response out;
        fake_http_t *f = fake_http_start(false, dies, &after);
        ASSERT_OK(get(f, "/", (struct http_request){}, &out, &err));
        http_response_dispose(&out);
        struct http_request r = {
            .method = cases[i].method, .idempotent = cases[i].idempotent, .body = "b", .body_size = 1};
        assert_int_equal(get(f, "/", r, &out, &err), cases[i].result);
        if (cases[i].result == 0) {
            assert_string_equal(str_text(&out.body), "second");
            http_response_dispose(&out);
        }
        assert_int_equal(after, 1);
        assert_int_equal(fake_http_requests(f), cases[i].result ? 2 : 3);
        fake_http_stop(f);
    }
}

static bool gzipped(fake_conn_t *c, const struct fake_request *r, void *arg)
{
    size_t size = strcmp(r->target, "/bomb") == 0 ? 200 << 20 : 100000;
    AUTO(free_p) char *accept = fake_header(r, "Accept-Encoding");
    z_stream z = {};
    deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    AUTO(free_p) unsigned char *zeros = xcalloc(1, 1 << 20);
    unsigned char out[65536];
    if (!accept || strcmp(accept, "gzip") != 0) {
        deflateEnd(&z);
        fake_reply(c, "200 OK", NULL, "plain");
        return true;
    }
    fake_puts(c, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t done = 0; done <= size && !fake_peer_gone(c); done += 1 << 20) {
        z.next_in = zeros;
        z.avail_in = (unsigned)min_size(1 << 20, size - done);
        bool last = size - done <= 1 << 20;
        do {
            z.next_out = out;
            z.avail_out = sizeof(out);
            deflate(&z, last ? Z_FINISH : Z_NO_FLUSH);
            if (sizeof(out) - z.avail_out)
                fake_chunk(c, out, sizeof(out) - z.avail_out);
        } while (z.avail_out == 0);
        if (last)
            break;
    }
    deflateEnd(&z);
    if (strcmp(r->target, "/damaged") == 0)
        fake_chunk(c, "behind the end", 14);
    fake_chunk(c, NULL, 0);
    return true;
}

static void compression_is_asked_for_and_bounded(void **state)
{
    fake_http_t *f = fake_http_start(false, gzipped, NULL);
    http_endpoint_t *e = http_endpoint_new(&(struct http_endpoint_config){.compression = true});
    AUTO_ERR err = NULL;
    struct http_response out;
    ASSERT_OK(get(f, "/", (struct http_request){.endpoint = e}, &out, &err));
    assert_int_equal(out.body.len, 100000);
    http_response_dispose(&out);
    ASSERT_OK(get(f, "/", (struct http_request){}, &out, &err));
    assert_string_equal(str_text(&out.body), "plain");
    http_response_dispose(&out);
    static const char *const identity[] = {"Accept-Encoding: identity", NULL};
    ASSERT_OK(get(f, "/", (struct http_request){.endpoint = e, .headers = identity}, &out, &err));
    assert_string_equal(str_text(&out.body), "plain");
    http_response_dispose(&out);
    assert_true(get(f, "/damaged", (struct http_request){.endpoint = e}, &out, &err) < 0);
    struct http_request bomb = {.endpoint = e, .max_body = 1 << 20};
    assert_int_equal(get(f, "/bomb", bomb, &out, &err), -ERR_RESOURCE_EXHAUSTED);
    http_endpoint_unref(e);
    fake_http_stop(f);
}

static void *cancel_soon(void *arg)
{
    sleep_ns(MILLIS(150));
    *(atomic_bool *)arg = true;
    return NULL;
}

static void a_blocking_request_is_canceled(void **state)
{
    fake_http_t *f = fake_http_start(false, faulty, NULL);
    AUTO_ERR err = NULL;
    struct http_response out;
    atomic_bool canceled = false;
    pthread_t t = thread_start("canceler", cancel_soon, (void *)&canceled);
    mono_t start = mono_now();
    assert_int_equal(get(f, "/slow", (struct http_request){.canceled = &canceled}, &out, &err),
                     -ERR_CANCELED);
    assert_true(mono_now().ns - start.ns < SECONDS(2));
    pthread_join(t, NULL);
    fake_http_stop(f);
}

struct crowd {
    fake_http_t *f;
    http_endpoint_t *e;
    int errors;
};

static bool takes_a_moment(fake_conn_t *c, const struct fake_request *r, void *arg)
{
    fake_linger(c, 5);
    fake_reply(c, "200 OK", NULL, r->target);
    return true;
}

static void *ask_many(void *arg)
{
    struct crowd *crowd = arg;
    for (int i = 0; i < 20; i++) {
        struct http_response out;
        AUTO(free_p) char *path = xasprintf("/%lx/%d", (unsigned long)pthread_self(), i);
        AUTO_ERR err = NULL;
        if (get(crowd->f, path, (struct http_request){.endpoint = crowd->e}, &out, &err) < 0 ||
            strcmp(str_text(&out.body), path) != 0)
            __atomic_add_fetch(&crowd->errors, 1, __ATOMIC_RELAXED);
        else
            http_response_dispose(&out);
    }
    return NULL;
}

static void many_threads_share_connections(void **state)
{
    for (int tls = 0; tls < 2; tls++) {
        struct http_endpoint_config config = {.insecure = true, .max_connections = 4};
        struct crowd crowd = {.f = fake_http_start(tls, takes_a_moment, NULL),
                              .e = http_endpoint_new(&config)};
        pthread_t t[12];
        for (size_t i = 0; i < ARRAY_LEN(t); i++)
            t[i] = thread_start("asker", ask_many, &crowd);
        for (size_t i = 0; i < ARRAY_LEN(t); i++)
            pthread_join(t[i], NULL);
        assert_int_equal(crowd.errors, 0);
        assert_int_equal(fake_http_requests(crowd.f), 12 * 20);
        assert_true(fake_http_connections(crowd.f) <= 4);
        http_endpoint_unref(crowd.e);
        fake_http_stop(crowd.f);
    }
}

#define H(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
TESTS(H(requests_say_what_they_were_told), H(malformed_requests_are_refused), H(faults_are_named),
      H(nobody_listens), H(a_kept_connection_that_dies), H(compression_is_asked_for_and_bounded),
      H(a_blocking_request_is_canceled), H(many_threads_share_connections))
