/* Against a real redis-server, on a unix socket and on a free port of loopback. */
#include "tests/unit/test.h"
#include "common/base/file.h"
#include "common/base/thread.h"
#include "common/net/redis.h"
#include "common/net/tls.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static bool have_redis;
static char *dir;

/* ---- servers ---- */

struct server {
    pid_t pid;
    char port[8];
    char *socket; /* unix:// */
    char *tcp;
};

/* A port that was free a moment ago. */
static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    AUTO(close_p) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (void *)&a, len), 0);
    getsockname(fd, (void *)&a, &len);
    return ntohs(a.sin_port);
}

static void server_name(struct server *s)
{
    *s = (struct server){};
    snprintf(s->port, sizeof(s->port), "%d", free_port());
    s->socket = xasprintf("unix://%s/%s.sock", dir, s->port);
    s->tcp = xasprintf("127.0.0.1:%s", s->port);
}

/* A child that goes when we go, however that is. */
static pid_t start(char *const *argv)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execvp(argv[0], argv);
        _exit(127);
    }
    assert_true(pid > 0);
    return pid;
}

static void server_start(struct server *s, const char *extra, const char *value)
{
    char *argv[] = {"redis-server",
                    "--port",
                    s->port,
                    "--bind",
                    "127.0.0.1",
                    "--unixsocket",
                    s->socket + 7,
                    "--save",
                    "",
                    "--appendonly",
                    "no",
                    "--dir",
                    dir,
                    "--loglevel",
                    "warning",
                    "--logfile",
                    "/dev/null",
                    (char *)extra,
                    (char *)value,
                    NULL};
    s->pid = start(argv);
}

static void server_stop(struct server *s)
{
    if (s->pid) {
        kill(s->pid, SIGKILL);
        waitpid(s->pid, NULL, 0);
    }
    s->pid = 0;
}

static void server_dispose(struct server *s)
{
    server_stop(s);
    free(s->socket);
    free(s->tcp);
}

static bool available(redis_t *r, int64_t ns)
{
    for (mono_t until = mono_after(mono_now(), ns); mono_left(until); sleep_ns(MILLIS(5)))
        if (redis_available(r))
            return true;
    return false;
}

/* Skips the test, saying so, where there is no Redis. */
#define NEED_REDIS()                                                                                         \
    do {                                                                                                     \
        if (!have_redis) {                                                                                   \
            print_message("# skipped: no redis-server\n");                                                   \
            skip();                                                                                          \
        }                                                                                                    \
    } while (0)

/* ---- commands ---- */

static void commands(const char *address)
{
    AUTO_ERR err = NULL;
    AUTO_STR out = {};
    redis_t *r = redis_new(
        &(struct redis_options){.server = address, .key_prefix = "p|", .timeout_ns = SECONDS(30)});
    redis_t *bare = redis_new(&(struct redis_options){.server = address});
    assert_true(available(r, SECONDS(30)) && available(bare, SECONDS(30)));
    assert_int_equal(redis_get(r, "none", &out, &err), -ERR_NOT_FOUND);
    ASSERT_OK(redis_set(r, "k", "a\0b", 3, 0, &err));
    ASSERT_OK(redis_get(r, "k", &out, &err));
    assert_int_equal(out.len, 3);
    assert_memory_equal(out.p, "a\0b", 3);
    str_reset(&out);
    ASSERT_OK(redis_get(bare, "p|k", &out, &err));
    assert_int_equal(redis_set_if_absent(r, "k", "c", 1, SECONDS(10), &err), -ERR_ALREADY_EXISTS);
    ASSERT_OK(redis_del(r, "k", &err));
    err_clear(&err);
    ASSERT_OK(redis_set_if_absent(r, "k", "c", 1, SECONDS(10), &err));
    ASSERT_OK(redis_set(r, "short", "", 0, MILLIS(30), &err));
    sleep_ns(MILLIS(60));
    assert_int_equal(redis_get(r, "short", &out, &err), -ERR_NOT_FOUND);
    err_clear(&err);

    /* A large value, and a reader that does not want one. */
    size_t n = 20 << 20;
    AUTO(free_p) char *big = xcalloc(1, n);
    str_t small = STR_MAX(1000);
    ASSERT_OK(redis_set(r, "big", big, n, 0, &err));
    str_reset(&out);
    ASSERT_OK(redis_get(r, "big", &out, &err));
    assert_int_equal(out.len, n);
    assert_int_equal(redis_get(r, "big", &small, &err), -ERR_RESOURCE_EXHAUSTED);
    str_dispose(&small);
    assert_true(available(r, SECONDS(30))); /* that cost the connection, nothing else */
    redis_free(r);
    redis_free(bare);
}

static void commands_over_both(void **state)
{
    NEED_REDIS();
    struct server s;
    server_name(&s);
    server_start(&s, NULL, NULL);
    commands(s.socket);
    commands(s.tcp);
    server_dispose(&s);
}

static void pipelines(void **state)
{
    NEED_REDIS();
    AUTO_ERR err = NULL;
    AUTO_STR out = {};
    struct server s;
    server_name(&s);
    server_start(&s, NULL, NULL);
    redis_t *r = redis_new(
        &(struct redis_options){.server = s.socket, .timeout_ns = SECONDS(10), .key_prefix = "x"});
    assert_true(available(r, SECONDS(30)));
    struct redis_write w[] = {
        {REDIS_SET, "a", "1", 1, 0}, {REDIS_SET, "b", "2", 1, SECONDS(5)},   {REDIS_DEL, "a", NULL, 0, 0},
        {REDIS_SET, "c", "3", 1, 0}, {REDIS_PUBLISH, "news", "hello", 5, 0},
    };
    ASSERT_OK(redis_pipeline(r, w, ARRAY_LEN(w), &err));
    ASSERT_OK(redis_pipeline(r, NULL, 0, &err));
    assert_int_equal(redis_get(r, "a", &out, &err), -ERR_NOT_FOUND);
    err_clear(&err);
    ASSERT_OK(redis_get(r, "b", &out, &err));
    ASSERT_OK(redis_get(r, "c", &out, &err));
    assert_string_equal(str_text(&out), "23");
    redis_free(r);
    server_dispose(&s);
}

struct user {
    redis_t *r;
    int failures;
};

static void *use(void *arg)
{
    struct user *u = arg;
    for (int i = 0; i < 200; i++) {
        char key[32], value[32];
        AUTO_STR out = {};
        int n = snprintf(value, sizeof(value), "%p %d", arg, i);
        snprintf(key, sizeof(key), "%p", arg);
        if (redis_set(u->r, key, value, (size_t)n, 0, NULL) < 0 || redis_get(u->r, key, &out, NULL) < 0 ||
            !str_eq(str_text(&out), value))
            u->failures++;
    }
    return NULL;
}

static void many_threads(void **state)
{
    NEED_REDIS();
    struct server s;
    server_name(&s);
    server_start(&s, NULL, NULL);
    redis_t *r = redis_new(&(struct redis_options){.server = s.tcp, .timeout_ns = SECONDS(10)});
    assert_true(available(r, SECONDS(30)));
    struct user u[12];
    pthread_t t[12];
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        u[i] = (struct user){.r = r};
        t[i] = thread_start("use", use, &u[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        pthread_join(t[i], NULL);
        assert_int_equal(u[i].failures, 0);
    }
    redis_free(r);
    server_dispose(&s);
}

/* ---- absence ---- */

static void absent(void **state)
{
    AUTO_ERR err = NULL;
    AUTO_STR out = {};
    static const char *const servers[] = {"", NULL, "unix:///nonexistent/redis.sock", "127.0.0.1:1",
                                          "no:port:x"};
    for (size_t i = 0; i < ARRAY_LEN(servers); i++) {
        redis_t *r = redis_new(&(struct redis_options){.server = servers[i]});
        mono_t before = mono_now();
        for (int j = 0; j < 100; j++) {
            assert_int_equal(redis_get(r, "k", &out, &err), -ERR_UNAVAILABLE);
            assert_int_equal(redis_set(r, "k", "", 0, 0, &err), -ERR_UNAVAILABLE);
        }
        assert_true(mono_now().ns - before.ns < SECONDS(8)); /* not two hundred seconds */
        assert_false(redis_available(r));
        redis_subscribe(r, &(struct redis_subscription){.pattern = "*"});
        redis_free(r);
    }
}

/* A server that takes connections and says nothing: the first call waits for its timeout, the others fail at
 * once, and there is one attempt a second. */
static void silent_server(void **state)
{
    AUTO_ERR err = NULL;
    AUTO_STR out = {};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    AUTO(close_p) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (void *)&a, len), 0);
    assert_int_equal(listen(fd, 64), 0);
    getsockname(fd, (void *)&a, &len);
    AUTO(free_p) char *address = xasprintf("127.0.0.1:%d", ntohs(a.sin_port));
    redis_t *r = redis_new(&(struct redis_options){.server = address, .timeout_ns = MILLIS(100)});
    mono_t before = mono_now();
    while (mono_now().ns - before.ns < MILLIS(2500)) {
        assert_int_equal(redis_get(r, "k", &out, &err), -ERR_UNAVAILABLE);
        sleep_ns(MILLIS(5));
    }
    int attempts = 0;
    for (int peer; (peer = accept(fd, NULL, NULL)) >= 0; attempts++)
        close(peer);
    assert_in_range(attempts, 1, 3);
    redis_free(r);
}

static void restarts(void **state)
{
    NEED_REDIS();
    AUTO_ERR err = NULL;
    struct server s;
    server_name(&s);
    server_start(&s, NULL, NULL);
    redis_t *r = redis_new(&(struct redis_options){.server = s.tcp, .timeout_ns = SECONDS(10)});
    for (int i = 0; i < 2; i++) {
        assert_true(available(r, SECONDS(30)));
        err_clear(&err);
        ASSERT_OK(redis_set(r, "k", "v", 1, 0, &err));
        server_stop(&s);
        assert_int_equal(redis_set(r, "k", "v", 1, 0, &err), -ERR_UNAVAILABLE);
        mono_t before = mono_now();
        for (int j = 0; j < 1000; j++)
            assert_int_equal(redis_set(r, "k", "v", 1, 0, &err), -ERR_UNAVAILABLE);
        assert_true(mono_now().ns - before.ns < SECONDS(8));
        server_start(&s, NULL, NULL);
    }
    assert_true(available(r, SECONDS(30)));
    redis_free(r);
    server_dispose(&s);
}

static void passwords(void **state)
{
    NEED_REDIS();
    AUTO_ERR err = NULL;
    struct server s;
    server_name(&s);
    server_start(&s, "--requirepass", "secret");
    redis_t *good = redis_new(
        &(struct redis_options){.server = s.tcp, .timeout_ns = SECONDS(10), .password = "secret", .db = 3});
    assert_true(available(good, SECONDS(30)));
    redis_t *named = redis_new(&(struct redis_options){
        .server = s.tcp, .timeout_ns = SECONDS(10), .username = "default", .password = "secret"});
    redis_t *bad = redis_new(
        &(struct redis_options){.server = s.tcp, .timeout_ns = SECONDS(10), .password = "wrong"});
    redis_t *none = redis_new(&(struct redis_options){.server = s.tcp, .timeout_ns = SECONDS(10)});
    AUTO_STR out = {};
    ASSERT_OK(redis_set(good, "k", "v", 1, 0, &err));
    ASSERT_OK(redis_set(named, "other", "v", 1, 0, &err));
    assert_int_equal(redis_get(named, "k", &out, &err), -ERR_NOT_FOUND); /* of another database */
    assert_int_equal(redis_get(bad, "k", &out, &err), -ERR_UNAVAILABLE);
    assert_non_null(strstr(err_text(err), "WRONGPASS"));
    assert_null(strstr(err_text(err), "wrong\""));
    assert_int_equal(redis_get(none, "k", &out, &err), -ERR_UNAVAILABLE);
    assert_non_null(strstr(err_text(err), "NOAUTH"));
    redis_free(good);
    redis_free(named);
    redis_free(bad);
    redis_free(none);
    server_dispose(&s);
}

/* ---- news ---- */

struct listener {
    atomic_int messages, on, off, wrong;
};

static void on_message(void *arg, const char *channel, const char *p, size_t n)
{
    struct listener *l = arg;
    if (!str_has_prefix(channel, "news|") || n != 3 || memcmp(p, "a\0b", 3) != 0)
        atomic_fetch_add(&l->wrong, 1);
    atomic_fetch_add(&l->messages, 1);
}

static void on_state(void *arg, bool subscribed)
{
    struct listener *l = arg;
    atomic_fetch_add(subscribed ? &l->on : &l->off, 1);
}

static bool reaches(atomic_int *n, int want)
{
    for (mono_t until = mono_after(mono_now(), SECONDS(30)); mono_left(until); sleep_ns(MILLIS(5)))
        if (atomic_load(n) >= want)
            return true;
    return false;
}

static void news(void **state)
{
    NEED_REDIS();
    AUTO_ERR err = NULL;
    struct server s;
    struct listener l = {};
    server_name(&s);
    redis_t *r = redis_new(
        &(struct redis_options){.server = s.socket, .timeout_ns = SECONDS(10), .key_prefix = "prefix"});
    redis_subscribe(r, &(struct redis_subscription){"news|*", on_message, on_state, &l});
    server_start(&s, NULL, NULL);
    for (int i = 1; i <= 2; i++) {
        assert_true(reaches(&l.on, i));
        assert_true(available(r, SECONDS(30)));
        err_clear(&err);
        for (int j = 0; j < 100; j++)
            ASSERT_OK(redis_publish(r, "news|x", "a\0b", 3, &err));
        ASSERT_OK(redis_publish(r, "other|x", "zzz", 3, &err));
        assert_true(reaches(&l.messages, i * 100));
        server_stop(&s);
        assert_true(reaches(&l.off, i));
        server_start(&s, NULL, NULL);
    }
    assert_true(reaches(&l.on, 3));
    redis_free(r);
    assert_int_equal(l.messages, 200);
    assert_int_equal(l.wrong, 0);
    server_dispose(&s);
}

/* ---- sentinels ---- */

static void sentinels(void **state)
{
    NEED_REDIS();
    AUTO_ERR err = NULL;
    struct server master, sentinel;
    server_name(&master);
    server_name(&sentinel);
    server_start(&master, NULL, NULL);
    AUTO(free_p) char *path = xasprintf("%s/sentinel.conf", dir);
    AUTO(free_p)
    char *text = xasprintf(
        "port %s\nbind 127.0.0.1\nlogfile /dev/null\ndir %s\nsentinel monitor main 127.0.0.1 %s 1\n"
        "requirepass guard\n",
        sentinel.port, dir, master.port);
    ASSERT_OK(file_write(path, text, strlen(text), 0600, &err));
    char *argv[] = {"redis-server", path, "--sentinel", NULL};
    sentinel.pid = start(argv);

    char *const list[] = {"127.0.0.1:1", sentinel.tcp, NULL}; /* the first one is dead */
    redis_t *r = redis_new(
        &(struct redis_options){.sentinels = list, .sentinel_master = "main", .sentinel_password = "guard"});
    redis_t *unknown = redis_new(&(struct redis_options){
        .sentinels = list, .sentinel_master = "nobody", .sentinel_password = "guard"});
    redis_t *stranger = redis_new(&(struct redis_options){.sentinels = list, .sentinel_master = "main"});
    assert_true(available(r, SECONDS(30)));
    ASSERT_OK(redis_set(r, "k", "v", 1, 0, &err));
    assert_int_equal(redis_set(unknown, "k", "v", 1, 0, &err), -ERR_UNAVAILABLE);
    redis_free(r);
    assert_int_equal(redis_set(stranger, "k", "v", 1, 0, &err), -ERR_UNAVAILABLE);
    redis_free(unknown);
    redis_free(stranger);
    server_dispose(&sentinel);
    server_dispose(&master);
}

/* ---- TLS ---- */

static char *save(const char *name, const char *text)
{
    AUTO_ERR err = NULL;
    char *path = xasprintf("%s/%s", dir, name);
    ASSERT_OK(file_write(path, text, strlen(text), 0600, &err));
    return path;
}

struct pki {
    char *ca, *other_ca, *cert, *key;
};

static struct pki make_pki(void)
{
    AUTO_ERR err = NULL;
    static const char *const names[] = {"127.0.0.1", "localhost", NULL};
    struct tls_pair ca, other, pair;
    struct pki p;
    ASSERT_OK(tls_make_ca("ca", 1, &ca, &err));
    ASSERT_OK(tls_make_ca("other", 1, &other, &err));
    ASSERT_OK(tls_issue(&ca, "redis", names, 1, &pair, &err));
    p = (struct pki){save("ca.crt", ca.cert_pem), save("other.crt", other.cert_pem),
                     save("redis.crt", pair.cert_pem), save("redis.key", pair.key_pem)};
    tls_pair_dispose(&ca);
    tls_pair_dispose(&other);
    tls_pair_dispose(&pair);
    return p;
}

/* Only over TLS, and only for those who have a certificate. */
static void server_start_tls(struct server *s, const struct pki *p)
{
    char *argv[] = {"redis-server",
                    "--port",
                    "0",
                    "--tls-port",
                    s->port,
                    "--bind",
                    "127.0.0.1",
                    "--tls-cert-file",
                    p->cert,
                    "--tls-key-file",
                    p->key,
                    "--tls-ca-cert-file",
                    p->ca,
                    "--save",
                    "",
                    "--dir",
                    dir,
                    "--logfile",
                    "/dev/null",
                    "--requirepass",
                    "pw",
                    NULL};
    s->pid = start(argv);
}

static void plain_is_refused_and_news_come(const struct server *s, const struct pki *p)
{
    AUTO_ERR err = NULL;
    redis_t *plain = redis_new(&(struct redis_options){.server = s->tcp, .password = "pw"});
    assert_int_equal(redis_set(plain, "k", "v", 1, 0, NULL), -ERR_UNAVAILABLE);
    redis_free(plain);

    struct listener l = {};
    redis_t *r = redis_new(&(struct redis_options){.server = s->tcp,
                                                   .tls = true,
                                                   .tls_ca = p->ca,
                                                   .tls_cert = p->cert,
                                                   .tls_key = p->key,
                                                   .password = "pw"});
    redis_subscribe(r, &(struct redis_subscription){"news|*", on_message, on_state, &l});
    assert_true(reaches(&l.on, 1));
    ASSERT_OK(redis_publish(r, "news|a", "a\0b", 3, &err));
    assert_true(reaches(&l.messages, 1));
    redis_free(r);
}

static void over_tls(void **state)
{
    NEED_REDIS();
    AUTO_ERR err = NULL;
    struct server s;
    struct pki p = make_pki();
    server_name(&s);
    server_start_tls(&s, &p);
    AUTO(free_p) char *named = xasprintf("localhost:%s", s.port);
    const struct {
        struct redis_options o;
        bool good;
    } cases[] = {
        {{.server = s.tcp, .tls_ca = p.ca, .tls_cert = p.cert, .tls_key = p.key}, true},
        {{.server = named, .tls_ca = p.ca, .tls_cert = p.cert, .tls_key = p.key}, true},
        {{.server = s.tcp, .tls_insecure = true, .tls_cert = p.cert, .tls_key = p.key}, true},
        {{.server = s.tcp, .tls_ca = p.other_ca, .tls_cert = p.cert, .tls_key = p.key}, false},
        {{.server = s.tcp, .tls_cert = p.cert, .tls_key = p.key}, false},
        {{.server = s.tcp, .tls_ca = p.ca}, false},
        {{.server = s.tcp, .tls_ca = "/nonexistent", .tls_cert = p.cert, .tls_key = p.key}, false},
        {{.server = s.tcp, .tls_ca = p.ca, .tls_cert = p.cert, .tls_key = p.ca}, false},
    };
    size_t large = 5 << 20;
    AUTO(free_p) char *value = xmalloc(large);
    memset(value, 'x', large);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct redis_options o = cases[i].o;
        AUTO_STR out = STR_MAX(large + 1);
        o.tls = true;
        o.password = "pw";
        o.timeout_ns = SECONDS(10);
        redis_t *r = redis_new(&o);
        if (i == 0)
            assert_true(available(r, SECONDS(30)));
        int rc = redis_set(r, "k", value, large, 0, &err);
        if ((rc == 0) != cases[i].good)
            fail_msg("case %zu: %s", i, err_text(err));
        if (rc == 0) {
            ASSERT_OK(redis_get(r, "k", &out, &err));
            assert_true(out.len == large && memcmp(out.p, value, large) == 0);
        }
        err_clear(&err);
        redis_free(r);
    }
    plain_is_refused_and_news_come(&s, &p);
    server_dispose(&s);
    char *const paths[] = {p.ca, p.other_ca, p.cert, p.key};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        free(paths[i]);
}

/* ---- sealed ---- */

static void sealed_values(void **state)
{
    NEED_REDIS();
    AUTO_ERR err = NULL;
    AUTO_STR out = {}, raw = {};
    struct server s;
    struct seal_stats stats;
    server_name(&s);
    server_start(&s, NULL, NULL);
    redis_t *r = redis_new(
        &(struct redis_options){.server = s.socket, .timeout_ns = SECONDS(10), .key_prefix = "p|"});
    seal_t *seal = seal_new(&(struct seal_key){1, {1}}, 1);
    assert_true(available(r, SECONDS(30)));
    assert_int_equal(redis_get_sealed(r, seal, "k", 100, &out, &err), -ERR_NOT_FOUND);
    ASSERT_OK(redis_set_sealed(r, seal, "k", "secret text", 11, SECONDS(60), &err));
    ASSERT_OK(redis_get_sealed(r, seal, "k", 100, &out, &err));
    assert_string_equal(str_text(&out), "secret text");
    ASSERT_OK(redis_get(r, "k", &raw, &err));
    assert_null(memmem(raw.p, raw.len, "secret", 6));
    /* Copied to another name, and made up. */
    ASSERT_OK(redis_set(r, "copy", raw.p, raw.len, 0, &err));
    assert_int_equal(redis_get_sealed(r, seal, "copy", 100, &out, &err), -ERR_NOT_FOUND);
    ASSERT_OK(redis_set(r, "forged", "{\"tree\":[]}", 11, 0, &err));
    assert_int_equal(redis_get_sealed(r, seal, "forged", 100, &out, &err), -ERR_NOT_FOUND);
    seal_stats(seal, &stats);
    assert_int_equal(stats.forged, 2);
    assert_int_equal(stats.opened, 1);
    seal_free(seal);
    redis_free(r);
    server_dispose(&s);
}

int main(void)
{
    process_setup();
    have_redis = access("/usr/bin/redis-server", X_OK) == 0 ||
                 access("/usr/local/bin/redis-server", X_OK) == 0;
    if (dir_make_temp(NULL, "cargocd-redis-", &dir, NULL) < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        T(commands_over_both), T(pipelines), T(many_threads), T(absent),        T(silent_server), T(restarts),
        T(passwords),          T(news),      T(sentinels),    T(sealed_values), T(over_tls),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    dir_remove(dir, NULL);
    free(dir);
    return failed;
}
