/* The front as a client sees it: raw bytes for what must be refused, libcurl for HTTP/2 and TLS. */
#include "tests/unit/test.h"

#include "api-server/http/front_impl.h"
#include "common/base/thread.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <nghttp2/nghttp2.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- a server that echoes ---- */

struct ticker {
    exchange_t *ex;
    int left;
    pthread_t thread;
};
static _Atomic int streams_closed, canceled_seen;
static pool_t *workers;

static int tick_pull(void *arg, size_t room, str_t *out)
{
    struct ticker *t = arg;
    int left = __atomic_load_n(&t->left, __ATOMIC_ACQUIRE);
    if (left < 0)
        return 1;
    str_printf(out, "tick %d\n", left);
    return left == 0;
}

static void tick_close(void *arg)
{
    struct ticker *t = arg;
    __atomic_store_n(&t->left, -1, __ATOMIC_RELEASE);
    streams_closed++;
}

static const struct stream_ops tick_ops = {tick_pull, tick_close};

static void *tick(void *arg)
{
    struct ticker *t = arg;
    for (int i = 0; i < 100 && __atomic_load_n(&t->left, __ATOMIC_ACQUIRE) > 0; i++) {
        sleep_ns(MILLIS(5));
        if (__atomic_load_n(&t->left, __ATOMIC_ACQUIRE) > 0)
            __atomic_sub_fetch(&t->left, 1, __ATOMIC_ACQ_REL);
        exchange_wake(t->ex);
    }
    exchange_unref(t->ex);
    return NULL;
}

static struct ticker tickers[16];
static _Atomic int ntickers;

/* Stands for libwebsockets: answers the upgrade, then sends back what comes, in upper case. */
static void *shout(void *arg)
{
    int fd = (int)(intptr_t)arg;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    send(fd, "HTTP/1.1 101 Fine\r\n", 19, MSG_NOSIGNAL);
    send(fd, "X: y\r\n\r\n", 8, MSG_NOSIGNAL);
    while (poll(&p, 1, 5000) > 0) {
        char buf[4096];
        ssize_t n = recv(fd, buf, sizeof buf, 0);
        if (n <= 0)
            break;
        for (ssize_t i = 0; i < n; i++)
            buf[i] = (char)(buf[i] >= 'a' && buf[i] <= 'z' ? buf[i] - 32 : buf[i]);
        for (ssize_t sent = 0; sent < n;) {
            ssize_t k = send(fd, buf + sent, (size_t)(n - sent), MSG_NOSIGNAL);
            if (k > 0)
                sent += k;
            else if (poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 5000) <= 0)
                break;
        }
    }
    close(fd);
    return NULL;
}

static pthread_t shouter;
static char *upgrade_head;

static void adopt(void *arg, int fd, const char *head, size_t n)
{
    if (fd < 0)
        return;
    free(upgrade_head);
    upgrade_head = xstrndup(head, n);
    shouter = thread_start("shout", shout, (void *)(intptr_t)fd);
}

static void handle(void *arg)
{
    exchange_t *ex = arg;
    const struct web_request *r = exchange_request(ex);
    if (str_has_prefix(r->path, "/ws") && r->websocket) {
        exchange_websocket(ex, "proto.v1", adopt, NULL);
        return;
    }
    if (str_has_prefix(r->path, "/stream")) {
        struct ticker *t = &tickers[ntickers++];
        t->ex = exchange_ref(ex);
        t->left = str_has_suffix(r->path, "long") ? 1000000 : 5;
        pthread_t thread = thread_start("tick", tick, t);
        t->thread = thread;
        exchange_stream(ex, 200, "text/plain", &tick_ops, t);
        return;
    }
    if (str_has_prefix(r->path, "/slow"))
        for (int i = 0; i < 400; i++) {
            sleep_ns(MILLIS(5));
            if (exchange_is_canceled(ex)) {
                canceled_seen++;
                break;
            }
        }
    AUTO_STR body = STR_INIT;
    if (str_has_prefix(r->path, "/big"))
        for (int i = 0; i < 400000; i++)
            str_printf(&body, "%07d line of text\n", i);
    else
        str_printf(&body, "%s %s?%s host=%s tls=%d h2=%d n=%zu %.20s", r->method, r->path, r->query, r->host,
                   r->tls, r->http2, r->body.len, str_text(&r->body));
    exchange_header(ex, "X-Injected", "a\r\nEvil: 1");
    exchange_header(ex, "X-Fine", "yes");
    exchange_reply(ex, 200, "text/plain", &body);
}

static void on_request(void *ctx, exchange_t *ex)
{
    if (pool_submit(workers, handle, ex, NULL) < 0)
        exchange_reply_text(ex, 503, NULL, "busy");
}

static size_t body_limit(void *ctx, const struct web_request *r)
{
    return str_has_prefix(r->path, "/tiny") ? 10 : 16 << 20;
}

static const struct front_ops ops = {body_limit, on_request};

static void make_certificate(char **cert, char **key)
{
    EVP_PKEY *k = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_set_version(x, 2);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, k);
    X509_sign(x, k, EVP_sha256());
    BIO *b = BIO_new(BIO_s_mem());
    char *p;
    PEM_write_bio_X509(b, x);
    *cert = xstrndup(p, (size_t)BIO_get_mem_data(b, &p));
    BIO_free(b);
    b = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(b, k, NULL, NULL, 0, NULL, NULL);
    *key = xstrndup(p, (size_t)BIO_get_mem_data(b, &p));
    BIO_free(b);
    X509_free(x);
    EVP_PKEY_free(k);
}

static front_t *start(bool tls)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *cert = NULL, *key = NULL;
    if (tls)
        make_certificate(&cert, &key);
    front_t *f = NULL;
    process_setup();
    workers = pool_new("test", 4, 100);
    struct front_options o = {.address = "127.0.0.1",
                              .tls = tls,
                              .cert_pem = cert,
                              .key_pem = key,
                              .ops = &ops,
                              .head_timeout_ns = MILLIS(300),
                              .body_timeout_ns = MILLIS(1500),
                              .root_path = "argo"};
    if (front_start(&o, &f, &err) < 0)
        fail_msg("%s", err_text(err));
    return f;
}

static void stop(front_t *f)
{
    front_stop(f, SECONDS(2));
    for (int i = 0; i < ntickers; i++)
        pthread_join(tickers[i].thread, NULL);
    ntickers = 0;
    pool_free(workers);
    front_free(f);
}

/* ---- a client of bytes ---- */

static int dial(front_t *f)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)front_port(f)),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

/* Everything until the server closes or is silent for `ms`. */
static char *collect(int fd, int ms)
{
    AUTO_STR all = STR_INIT;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (poll(&p, 1, ms) > 0) {
        char buf[4096];
        ssize_t n = recv(fd, buf, sizeof buf, 0);
        if (n <= 0)
            break;
        str_add(&all, buf, (size_t)n);
    }
    return str_take(&all);
}

static char *talk(front_t *f, const char *text, int ms)
{
    int fd = dial(f);
    send(fd, text, strlen(text), MSG_NOSIGNAL);
    char *out = collect(fd, ms);
    close(fd);
    return out;
}

static size_t count(const char *hay, const char *needle)
{
    size_t n = 0;
    for (const char *p = hay; (p = strstr(p, needle)); p += strlen(needle))
        n++;
    return n;
}

static void requests(void **state)
{
    static const struct {
        const char *in;
        const char *expect[4];
    } cases[] = {
        {"GET /a%2Fb?x=%20y HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
         {"HTTP/1.1 200 OK\r\n", "GET /a%2Fb?x=%20y host=h", "\r\nDate: ", "Connection: close"}},
        {"POST /p HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", {"n=5 hello"}},
        {"POST /p HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: "
         "chunked\r\n\r\n5\r\nhello\r\n1\r\n!"
         "\r\n0\r\n\r\n",
         {"n=6 hello!"}},
        {"POST /p HTTP/1.1\r\nHost: h\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: "
         "2\r\n\r\nok",
         {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200", "n=2 ok"}},
        {"GET /a HTTP/1.0\r\n\r\n", {"200 OK", "GET /a? host= "}},
        {"HEAD /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", {"200 OK", "Content-Length: "}},
        {"GET http://other/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", {"GET /x? host=h"}},
        {"GET /a HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n", {"GET /a?"}},
        {"GET /stream HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
         {"Transfer-Encoding: chunked", "7\r\ntick 0\n\r\n0\r\n\r\n"}},
        {"GET /stream HTTP/1.0\r\n\r\n", {"tick 0\n"}},
        /* refused */
        {"GET /a HTTP/1.1\r\n\r\n", {"HTTP/1.1 400 "}},
        {"GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", {"HTTP/1.1 400 "}},
        {"GET a HTTP/1.1\r\nHost: h\r\n\r\n", {"HTTP/1.1 400 "}},
        {"GET /a HTTP/9.9\r\nHost: h\r\n\r\n", {"HTTP/1.1 505 "}},
        {"nonsense\r\n\r\n", {"HTTP/1.1 400 "}},
        {"GET /a HTTP/1.1\r\nHost: h\r\nbad header: x\r\n\r\n", {"HTTP/1.1 400 "}},
        {"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         {"HTTP/1.1 400 "}},
        {"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
         {"HTTP/1.1 400 "}},
        {"POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\nhello!", {"HTTP/1.1 400 "}},
        {"POST /tiny HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello", {"HTTP/1.1 413 "}},
        {"POST /tiny HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n",
         {"HTTP/1.1 413 "}},
    };
    front_t *f = start(false);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *out = talk(f, cases[i].in, 2000);
        for (size_t j = 0; j < 4 && cases[i].expect[j]; j++)
            if (!strstr(out, cases[i].expect[j]))
                fail_msg("case %zu: %s\nhas no %s\n%s", i, cases[i].in, cases[i].expect[j], out);
        assert_null(strstr(out, "Evil"));
    }
    stop(f);
}

static void oversized_heads(void **state)
{
    front_t *f = start(false);
    for (int kind = 0; kind < 3; kind++) {
        AUTO_STR in = STR_INIT;
        str_puts(&in, "GET /");
        for (int i = 0; kind == 0 && i < 40000; i++)
            str_putc(&in, 'a');
        str_puts(&in, " HTTP/1.1\r\nHost: h\r\n");
        for (int i = 0; kind == 1 && i < 300; i++)
            str_printf(&in, "x-%d: 1\r\n", i);
        str_puts(&in, "X: ");
        for (int i = 0; kind == 2 && i < 200000; i++)
            str_putc(&in, 'b');
        str_puts(&in, "\r\n\r\n");
        AUTO(free_p) char *out = talk(f, str_text(&in), 2000);
        const char *want = kind == 0 ? "HTTP/1.1 414 " : "HTTP/1.1 431 ";
        if (!str_has_prefix(out, want))
            fail_msg("kind %d: %s", kind, out);
    }
    stop(f);
}

static void keep_alive_and_pipelining(void **state)
{
    front_t *f = start(false);
    AUTO(free_p)
    char *out = talk(f,
                     "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
                     "POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
                     "GET /3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /4 HTTP/1.1\r\n",
                     2000);
    assert_int_equal(count(out, "HTTP/1.1 200 OK"), 3);
    assert_non_null(strstr(out, "GET /1?"));
    assert_non_null(strstr(out, "n=3 abc"));
    assert_non_null(strstr(out, "GET /3?"));
    assert_null(strstr(out, "/4"));
    int fd = dial(f);
    for (int i = 0; i < 3; i++) {
        const char *in = "GET /k HTTP/1.1\r\nHost: h\r\n\r\n";
        send(fd, in, strlen(in), 0);
        char buf[1000];
        ssize_t n = recv(fd, buf, sizeof buf, 0);
        assert_true(n > 0);
    }
    close(fd);
    stop(f);
}

static void slow_clients_are_cut(void **state)
{
    static const char *const cases[] = {
        "",
        "G",
        "P",
        "PRI * HTTP/2.0\r\n",
        "GET /a HTTP/1.1\r\nHost: h\r\nX: ",
        "\x16",
        "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc",
    };
    for (int tls = 0; tls < 2; tls++) {
        front_t *f = start(tls);
        int fds[ARRAY_LEN(cases)];
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            fds[i] = dial(f);
            send(fds[i], cases[i], strlen(cases[i]), MSG_NOSIGNAL);
        }
        mono_t end = mono_after(mono_now(), SECONDS(5));
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            AUTO(free_p) UNUSED char *out = collect(fds[i], (int)(mono_left(end) / NS_PER_MS));
            if (mono_left(end) == 0)
                fail_msg("case %zu is still open", i);
            close(fds[i]);
        }
        stop(f);
    }
}

static void a_client_that_leaves_cancels(void **state)
{
    front_t *f = start(false);
    canceled_seen = streams_closed = 0;
    int a = dial(f), b = dial(f);
    const char *slow = "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n",
               *stream = "GET /stream/long HTTP/1.1\r\nHost: h\r\n\r\n";
    send(a, slow, strlen(slow), 0);
    send(b, stream, strlen(stream), 0);
    char buf[400];
    assert_true(recv(b, buf, sizeof buf, 0) > 0);
    close(a);
    close(b);
    for (int i = 0; i < 300 && (!canceled_seen || !streams_closed); i++)
        sleep_ns(MILLIS(10));
    assert_int_equal(canceled_seen, 1);
    assert_int_equal(streams_closed, 1);
    stop(f);
}

static void stopping_finishes_and_ends_streams(void **state)
{
    front_t *f = start(false);
    int a = dial(f), b = dial(f);
    const char *slow = "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n",
               *stream = "GET /stream/long HTTP/1.1\r\nHost: h\r\n\r\n";
    send(a, slow, strlen(slow), 0);
    send(b, stream, strlen(stream), 0);
    char buf[400];
    assert_true(recv(b, buf, sizeof buf, 0) > 0);
    front_stop(f, SECONDS(5));
    AUTO(free_p) char *out = collect(a, 1000);
    assert_true(str_has_prefix(out, "HTTP/1.1 200"));
    assert_non_null(strstr(out, "Connection: close"));
    AUTO(free_p) char *rest = collect(b, 1000);
    assert_true(str_has_suffix(rest, "0\r\n\r\n"));
    close(a);
    close(b);
    for (int i = 0; i < ntickers; i++)
        pthread_join(tickers[i].thread, NULL);
    ntickers = 0;
    pool_free(workers);
    front_free(f);
}

/* ---- libcurl: HTTP/2 and TLS ---- */

static size_t keep(char *p, size_t size, size_t n, void *arg)
{
    str_add(arg, p, size * n);
    return size * n;
}

static long fetch(front_t *f, bool tls, long version, const char *path, const char *post, str_t *out)
{
    CURL *c = curl_easy_init();
    AUTO(free_p) char *url = xasprintf("%s://127.0.0.1:%d%s", tls ? "https" : "http", front_port(f), path);
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, version);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(c, CURLOPT_TIMEOUT, 20L);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, out);
    if (post) {
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)strlen(post));
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, post);
    }
    CURLcode rc = curl_easy_perform(c);
    long status = 0, used = 0;
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(c, CURLINFO_HTTP_VERSION, &used);
    curl_easy_cleanup(c);
    if (rc != CURLE_OK)
        fail_msg("%s: %s", path, curl_easy_strerror(rc));
    if (version == CURL_HTTP_VERSION_2_0 || version == CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE)
        assert_int_equal(used, CURL_HTTP_VERSION_2_0);
    return status;
}

static void every_transport(void **state)
{
    static const struct {
        bool tls;
        long version;
        const char *says;
    } cases[] = {
        {false, CURL_HTTP_VERSION_1_1, "tls=0 h2=0"},
        {false, CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE, "tls=0 h2=1"},
        {true, CURL_HTTP_VERSION_1_1, "tls=1 h2=0"},
        {true, CURL_HTTP_VERSION_2_0, "tls=1 h2=1"},
    };
    AUTO_STR large = STR_INIT;
    for (int i = 0; i < 3 << 20; i++)
        str_putc(&large, 'z');
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        front_t *f = start(cases[i].tls);
        AUTO_STR out = STR_INIT;
        assert_int_equal(fetch(f, cases[i].tls, cases[i].version, "/a%2Fb?q=1", NULL, &out), 200);
        if (!strstr(str_text(&out), cases[i].says) || !str_has_prefix(str_text(&out), "GET /a%2Fb?q=1"))
            fail_msg("%s: %s", cases[i].says, str_text(&out));
        str_reset(&out);
        assert_int_equal(fetch(f, cases[i].tls, cases[i].version, "/p", str_text(&large), &out), 200);
        assert_non_null(strstr(str_text(&out), "n=3145728 zzz"));
        str_reset(&out);
        assert_int_equal(fetch(f, cases[i].tls, cases[i].version, "/big", NULL, &out), 200);
        assert_int_equal(out.len, 400000 * 21);
        assert_true(str_has_suffix(str_text(&out), "0399999 line of text\n"));
        str_reset(&out);
        assert_int_equal(fetch(f, cases[i].tls, cases[i].version, "/stream", NULL, &out), 200);
        assert_true(str_has_suffix(str_text(&out), "tick 0\n"));
        stop(f);
    }
}

static void plain_on_the_tls_port_is_redirected(void **state)
{
    front_t *f = start(true);
    AUTO(free_p) char *out = talk(f, "GET /x?y=1 HTTP/1.1\r\nHost: cd.example:8443\r\n\r\n", 2000);
    assert_true(str_has_prefix(out, "HTTP/1.1 307 "));
    assert_non_null(strstr(out, "\r\nLocation: https://cd.example:8443/argo/x?y=1\r\n"));
    AUTO(free_p) char *h2c = talk(f, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 2000);
    assert_string_equal(h2c, "");
    stop(f);
}

static void the_certificate_changes_under_way(void **state)
{
    AUTO_ERR err = NULL;
    front_t *f = start(true);
    AUTO(free_p) char *cert = NULL, *key = NULL, *cert2 = NULL, *key2 = NULL;
    make_certificate(&cert, &key);
    make_certificate(&cert2, &key2);
    ASSERT_OK(front_set_certificate(f, cert, key, &err));
    AUTO_STR out = STR_INIT;
    assert_int_equal(fetch(f, true, CURL_HTTP_VERSION_2_0, "/", NULL, &out), 200);
    assert_true(front_set_certificate(f, cert, key2, &err) < 0);
    assert_true(front_set_certificate(f, "no", key2, &err) < 0);
    assert_int_equal(fetch(f, true, CURL_HTTP_VERSION_2_0, "/", NULL, &out), 200);
    stop(f);
}

/* ---- WebSockets ---- */

static void a_websocket_over_http1(void **state)
{
    front_t *f = start(false);
    int fd = dial(f);
    const char *in =
        "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
    send(fd, in, strlen(in), 0);
    AUTO(free_p) char *head = collect(fd, 300);
    assert_true(str_has_prefix(head, "HTTP/1.1 101 Switching Protocols\r\n"));
    assert_non_null(strstr(head, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    assert_non_null(strstr(head, "\r\nSec-WebSocket-Protocol: proto.v1\r\n"));
    assert_non_null(
        strstr(head, "permessage-deflate; server_max_window_bits=12; client_max_window_bits=10\r\n"));
    assert_true(str_has_suffix(head, "\r\n\r\n")); /* nothing of the inner answer */
    assert_non_null(strstr(upgrade_head, "Sec-WebSocket-Protocol: proto.v1"));
    assert_non_null(strstr(upgrade_head, "client_max_window_bits=10"));
    send(fd, "hello", 5, 0);
    AUTO(free_p) char *echo = collect(fd, 300);
    assert_string_equal(echo, "HELLO");
    /* more than any buffer holds, both ways */
    AUTO_STR got = STR_INIT;
    size_t sent = 0, total = 3 << 20;
    char block[8192];
    memset(block, 'x', sizeof block);
    while (got.len < total) {
        struct pollfd p = {.fd = fd, .events = (short)(POLLIN | (sent < total ? POLLOUT : 0))};
        if (poll(&p, 1, 3000) <= 0)
            fail_msg("stuck after %zu of %zu", got.len, total);
        if (p.revents & POLLOUT) {
            ssize_t n = send(fd, block, min_size(sizeof block, total - sent), MSG_DONTWAIT);
            sent += n > 0 ? (size_t)n : 0;
        }
        char buf[16384];
        ssize_t n = p.revents & POLLIN ? recv(fd, buf, sizeof buf, MSG_DONTWAIT) : 0;
        if (n > 0)
            str_add(&got, buf, (size_t)n);
        else if (p.revents & (POLLIN | POLLHUP | POLLERR))
            fail_msg("closed after %zu of %zu", got.len, total);
    }
    assert_int_equal(got.len, total);
    assert_int_equal(strspn(str_text(&got), "X"), total);
    close(fd);
    pthread_join(shouter, NULL);
    stop(f);
    free(TAKE(upgrade_head));
}

static void extensions_are_negotiated(void **state)
{
    static const struct {
        const char *offer, *answer;
    } cases[] = {
        {NULL, NULL},
        {"x-webkit-deflate-frame", NULL},
        {"permessage-deflate", "permessage-deflate; server_max_window_bits=12"},
        {"permessage-deflate; client_max_window_bits",
         "permessage-deflate; server_max_window_bits=12; client_max_window_bits=10"},
        {"permessage-deflate; client_max_window_bits=15; server_max_window_bits=13",
         "permessage-deflate; server_max_window_bits=12; client_max_window_bits=10"},
        {"permessage-deflate; client_max_window_bits=9", "permessage-deflate; server_max_window_bits=12"},
        {"permessage-deflate; server_max_window_bits=10", NULL},
        {"permessage-deflate; server_max_window_bits=\"11\"", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct web_request r = {};
        if (cases[i].offer)
            headers_add(&r.headers, "sec-websocket-extensions", 24, cases[i].offer, strlen(cases[i].offer));
        struct ws_terms t = ws_terms_of(&r);
        if (!str_eq(ws_extensions(&t), cases[i].answer))
            fail_msg("%s: %s", cases[i].offer, ws_extensions(&t));
        headers_dispose(&r.headers);
    }
}

/* RFC 8441, with nghttp2 as the client. */
struct h2_client {
    int fd;
    str_t in;
    int status;
    char *protocol;
    const char *out;
    bool ready, closed;
};

static ssize_t h2_send(nghttp2_session *s, const uint8_t *p, size_t n, int flags, void *arg)
{
    struct h2_client *c = arg;
    return send(c->fd, p, n, MSG_NOSIGNAL);
}

static int h2_header(nghttp2_session *s, const nghttp2_frame *frame, const uint8_t *name, size_t nn,
                     const uint8_t *value, size_t vn, uint8_t flags, void *arg)
{
    struct h2_client *c = arg;
    if (nn == 7 && !memcmp(name, ":status", 7))
        c->status = atoi((const char *)value);
    if (nn == 22 && !memcmp(name, "sec-websocket-protocol", 22)) {
        free(c->protocol);
        c->protocol = xstrndup((const char *)value, vn);
    }
    return 0;
}

static int h2_data(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *arg)
{
    str_add(&((struct h2_client *)arg)->in, p, n);
    return 0;
}

static int h2_frame(nghttp2_session *s, const nghttp2_frame *frame, void *arg)
{
    if (frame->hd.type == NGHTTP2_SETTINGS && !(frame->hd.flags & NGHTTP2_FLAG_ACK))
        ((struct h2_client *)arg)->ready = nghttp2_session_get_remote_settings(
                                               s, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
    return 0;
}

static ssize_t h2_body(nghttp2_session *s, int32_t id, uint8_t *buf, size_t room, uint32_t *flags,
                       nghttp2_data_source *source, void *arg)
{
    struct h2_client *c = arg;
    if (!c->out)
        return NGHTTP2_ERR_DEFERRED;
    size_t n = strlen(c->out);
    memcpy(buf, c->out, n);
    c->out = NULL;
    return (ssize_t)n;
}

static bool h2_turn(nghttp2_session *s, struct h2_client *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    uint8_t buf[8192];
    nghttp2_session_send(s);
    if (poll(&p, 1, 500) <= 0)
        return false;
    ssize_t n = recv(c->fd, buf, sizeof buf, 0);
    return n > 0 && nghttp2_session_mem_recv(s, buf, (size_t)n) == n && nghttp2_session_send(s) == 0;
}

static void a_websocket_over_http2(void **state)
{
    front_t *f = start(false);
    struct h2_client c = {.fd = dial(f)};
    nghttp2_session_callbacks *cb;
    nghttp2_session *s;
    nghttp2_session_callbacks_new(&cb);
    nghttp2_session_callbacks_set_send_callback(cb, h2_send);
    nghttp2_session_callbacks_set_on_header_callback(cb, h2_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, h2_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, h2_frame);
    nghttp2_session_client_new(&s, cb, &c);
    nghttp2_session_callbacks_del(cb);
    nghttp2_submit_settings(s, NGHTTP2_FLAG_NONE, NULL, 0);
    while (!c.ready && h2_turn(s, &c))
        continue;
    assert_true(c.ready);
#define NV(n, v) {(uint8_t *)(n), (uint8_t *)(v), sizeof(n) - 1, sizeof(v) - 1, NGHTTP2_NV_FLAG_NONE}
    nghttp2_nv nv[] = {NV(":method", "CONNECT"), NV(":protocol", "websocket"),
                       NV(":scheme", "http"),    NV(":path", "/ws"),
                       NV(":authority", "h"),    NV("sec-websocket-version", "13")};
    nghttp2_data_provider body = {.read_callback = h2_body};
    int32_t id = nghttp2_submit_request(s, NULL, nv, ARRAY_LEN(nv), &body, NULL);
    assert_true(id > 0);
    while (!c.status && h2_turn(s, &c))
        continue;
    c.out = "hello over two";
    nghttp2_session_resume_data(s, id);
    while (c.in.len < 14 && h2_turn(s, &c))
        continue;
    assert_int_equal(c.status, 200);
    assert_string_equal(c.protocol, "proto.v1");
    assert_string_equal(str_text(&c.in), "HELLO OVER TWO");
    nghttp2_submit_rst_stream(s, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    nghttp2_session_send(s);
    pthread_join(shouter, NULL); /* the bridge is closed with the stream */
    nghttp2_session_del(s);
    close(c.fd);
    str_dispose(&c.in);
    free(c.protocol);
    stop(f);
    free(TAKE(upgrade_head));
}

TESTS(T(requests), T(oversized_heads), T(keep_alive_and_pipelining), T(slow_clients_are_cut),
      T(a_client_that_leaves_cancels), T(stopping_finishes_and_ends_streams), T(every_transport),
      T(plain_on_the_tls_port_is_redirected), T(the_certificate_changes_under_way), T(a_websocket_over_http1),
      T(extensions_are_negotiated), T(a_websocket_over_http2))
