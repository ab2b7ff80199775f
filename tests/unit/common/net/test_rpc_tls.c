#include "tests/unit/common/net/rpc_fixture.h"
#include "common/net/rpc_client.h"
#include "common/net/rpc_server.h"

static const char *const local[] = {"127.0.0.1", "localhost", NULL};

static bool tried(void *arg)
{
    return rpc_client_tried(arg);
}

/* A call by a client with these files; the result's code, and the text of its error has to hold `words`. */
static int call_with(const char *address, const struct tls_files *files, const char *server_name,
                     const char *words)
{
    AUTO_ERR err = NULL;
    rpc_client_t *c = NULL;
    struct rpc_client_options o = {.address = address, .tls = *files, .server_name = server_name};
    ASSERT_OK(rpc_client_new(&o, &c, &err));
    assert_true(wait_until(tried, c, SECONDS(30)));
    int r = call(c, "test.Echo", "x", 1, rpc_client_connected(c) ? SECONDS(10) : MILLIS(100), NULL, &err);
    if (words && !strstr(err_text(err), words))
        fail_msg("'%s' does not say '%s'", err_text(err), words);
    rpc_client_free(c);
    return r;
}

static void names_are_verified(void **state)
{
    AUTO(free_p) char *dir = temp_dir();
    struct tls_pair ca = {};
    struct fixture f = {.tls = make_files(dir, "server", local, &ca)};
    struct tls_files client = make_files(dir, "client", (const char *[]){NULL}, &ca);
    begin(&f, "tls+tcp://127.0.0.1:0");
    AUTO(free_p) char *by_name = xasprintf("tls+tcp://localhost:%d", rpc_server_port(f.server));
    assert_int_equal(call_with(f.address, &client, NULL, NULL), 0);
    assert_int_equal(call_with(by_name, &client, NULL, NULL), 0);
    assert_int_equal(call_with(f.address, &client, "localhost", NULL), 0);
    assert_int_equal(call_with(f.address, &client, "other", "hostname mismatch"), -ERR_UNAVAILABLE);
    assert_int_equal(call_with(f.address, &client, "127.0.0.2", "IP address mismatch"), -ERR_UNAVAILABLE);
    end(&f);
    files_free(&f.tls);
    files_free(&client);
    tls_pair_dispose(&ca);
    dir_remove(dir, NULL);
}

static void strangers_are_refused(void **state)
{
    AUTO(free_p) char *dir = temp_dir();
    struct tls_pair ca = {}, other_ca = {};
    struct fixture f = {.tls = make_files(dir, "server", local, &ca)};
    struct tls_files stranger = make_files(dir, "stranger", local, &other_ca);
    struct tls_files pretender = {stranger.cert, stranger.key, f.tls.ca}; /* trusts us; we do not trust it */
    struct tls_files doubter = {f.tls.cert, f.tls.key, stranger.ca};      /* the reverse */
    begin(&f, "tls+tcp://127.0.0.1:0");
    assert_int_equal(call_with(f.address, &pretender, NULL, "unknown ca"), -ERR_UNAVAILABLE);
    assert_int_equal(call_with(f.address, &doubter, NULL, "certificate"), -ERR_UNAVAILABLE);
    assert_int_equal(handled, 0);
    /* Without TLS, and without a certificate, which our own client does not allow. */
    AUTO(free_p) char *plain = xasprintf("tcp://127.0.0.1:%d", rpc_server_port(f.server));
    assert_int_equal(call_with(plain, &(struct tls_files){}, NULL, NULL), -ERR_UNAVAILABLE);
    assert_int_equal(handled, 0);
    end(&f);
    files_free(&f.tls);
    files_free(&stranger);
    tls_pair_dispose(&ca);
    tls_pair_dispose(&other_ca);
    dir_remove(dir, NULL);
}

/* A TLS client without a certificate, at the level of rpc_tls.h: OpenSSL against the server's side. */
static void clients_without_certificate_are_refused(void **state)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *dir = temp_dir();
    struct tls_pair ca = {};
    struct tls_files files = make_files(dir, "server", local, &ca);
    struct tls_loaded loaded;
    SSL_CTX *context = NULL;
    ASSERT_OK(tls_load(&files, &loaded, &err));
    ASSERT_OK(rpc_tls_context(&loaded, &context, &err));
    SSL_CTX *bare = SSL_CTX_new(TLS_client_method());
    rpc_tls_t *server = rpc_tls_server(context), *client = rpc_tls_client(bare, "localhost");
    char buf[100];
    int refused = 0;
    for (int i = 0; i < 10 && !refused; i++) {
        rpc_tls_t *from = i % 2 ? server : client, *to = i % 2 ? client : server;
        rpc_tls_read(from, buf, sizeof(buf), NULL);
        size_t n;
        unsigned char *p = rpc_tls_take(from, &n);
        if (p)
            rpc_tls_feed(to, p, n);
        free(p);
        refused = to == server && rpc_tls_read(server, buf, sizeof(buf), &err) < 0;
    }
    assert_true(refused);
    assert_false(rpc_tls_ready(server));
    assert_non_null(strstr(err_text(err), "peer did not return a certificate"));
    rpc_tls_free(server);
    rpc_tls_free(client);
    SSL_CTX_free(context);
    SSL_CTX_free(bare);
    tls_loaded_dispose(&loaded);
    files_free(&files);
    tls_pair_dispose(&ca);
    dir_remove(dir, NULL);
}

/* ---- change ---- */

struct caller {
    rpc_client_t *client;
    bool stop;
    int calls, failures;
    char text[200];
};

static void *keep_calling(void *arg)
{
    struct caller *c = arg;
    while (!c->stop) {
        AUTO_ERR err = NULL;
        c->calls++;
        if (call_text(c->client, "test.PoolEcho", "x", &err) < 0 && c->failures++ == 0)
            snprintf(c->text, sizeof(c->text), "%s", err_text(err));
        sleep_ns(MILLIS(1));
    }
    return NULL;
}

static void *long_call(void *arg)
{
    return call_text(arg, "test.Slow", "3000", NULL) == 0 ? arg : NULL;
}

/* Every connection is one of the newest authority. */
static bool all_moved(void *arg)
{
    rpc_server_t *s = arg;
    LOCKED(&s->lock);
    struct rpc_peer *p;
    TAILQ_FOREACH(p, &s->peers, link)
        if (p->authority != s->authority)
            return false;
    return s->authority > 0 && s->npeers;
}

/* Server, client and authority are all replaced at once, as a renewed Secret does. */
static void certificates_change_without_failing_calls(void **state)
{
    AUTO(free_p) char *dir = temp_dir();
    AUTO(free_p) char *old_dir = temp_dir();
    struct tls_pair ca = {}, new_ca = {};
    struct fixture f = {.tls = make_files(dir, "peer", local, &ca)};
    struct tls_files old = make_files(old_dir, "peer", local, &ca);
    begin(&f, "tls+tcp://127.0.0.1:0");
    struct caller callers[4] = {};
    pthread_t t[4], slow;
    for (int i = 0; i < 4; i++) {
        callers[i].client = f.client;
        t[i] = thread_start("caller", keep_calling, &callers[i]);
    }
    slow = thread_start("slow", long_call, f.client);
    sleep_ns(MILLIS(200));

    struct tls_files same_names = make_files(dir, "peer", local, &new_ca);
    assert_true(wait_until(all_moved, f.server, SECONDS(40)));
    sleep_ns(MILLIS(200));
    assert_int_equal(call_with(f.address, &f.tls, NULL, NULL), 0);
    assert_int_equal(call_with(f.address, &old, NULL, NULL), -ERR_UNAVAILABLE);

    void *answered = NULL;
    pthread_join(slow, &answered);
    assert_non_null(answered);
    for (int i = 0; i < 4; i++) {
        callers[i].stop = true;
        pthread_join(t[i], NULL);
        if (callers[i].failures)
            fail_msg("%d of %d calls failed: %s", callers[i].failures, callers[i].calls, callers[i].text);
        assert_true(callers[i].calls > 20);
    }
    end(&f);
    files_free(&f.tls);
    files_free(&old);
    files_free(&same_names);
    tls_pair_dispose(&ca);
    tls_pair_dispose(&new_ca);
    dir_remove(dir, NULL);
    dir_remove(old_dir, NULL);
}

/* Files that appear later, and files that do not fit together, are waited for. */
static void client_waits_for_its_files(void **state)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *dir = temp_dir();
    struct tls_pair ca = {};
    struct fixture f = {.tls = make_files(dir, "server", local, &ca)};
    serve(&f, "tls+tcp://127.0.0.1:0", 2);
    AUTO(free_p) char *cert = xasprintf("%s/late.crt", dir);
    AUTO(free_p) char *key = xasprintf("%s/late.key", dir);
    AUTO(free_p) char *authority = xasprintf("%s/late-ca.crt", dir);
    struct rpc_client_options o = {.address = f.address, .tls = {cert, key, authority}};
    ASSERT_OK(rpc_client_new(&o, &f.client, &err));
    assert_int_equal(call(f.client, "test.Echo", "x", 1, MILLIS(300), NULL, &err), -ERR_UNAVAILABLE);
    assert_non_null(strstr(err_text(err), "late.crt"));
    struct tls_files late = make_files(dir, "late", local, &ca);
    err_clear(&err);
    ASSERT_OK(call_text(f.client, "test.Echo", "x", &err));
    end(&f);
    files_free(&f.tls);
    files_free(&late);
    tls_pair_dispose(&ca);
    dir_remove(dir, NULL);
}

TESTS_OR_SERVE(T(names_are_verified), T(strangers_are_refused), T(clients_without_certificate_are_refused),
               T(certificates_change_without_failing_calls), T(client_waits_for_its_files))
