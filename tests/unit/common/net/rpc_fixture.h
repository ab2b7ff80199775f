/* A server with handlers for tests, its messages, certificates, and child processes that serve. */
#ifndef CARGOCD_TESTS_RPC_FIXTURE_H
#define CARGOCD_TESTS_RPC_FIXTURE_H

#include "tests/unit/test.h"
#include "common/base/file.h"
#include "common/net/rpc.h"

#include "proto/rpc/controller.pb-c.h"

#include <stdatomic.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Both ways: one field of bytes. */
typedef Cargocd__Controller__GetResourceResponse blob_t;
#define BLOB_TYPE (&cargocd__controller__get_resource_response__descriptor)
#define BLOB(bytes, size)                                                                                    \
    {                                                                                                        \
        .base = PROTOBUF_C_MESSAGE_INIT(BLOB_TYPE), .object = {.len = (size), .data = (uint8_t *)(bytes) }   \
    }

static UNUSED atomic_int handled, canceled_seen, hook_seen, running_now, running_most;
static UNUSED int64_t deadline_seen;

static UNUSED bool is_canceled(rpc_call_t *call)
{
    return *rpc_call_canceled(call);
}

static UNUSED void on_echo(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    atomic_fetch_add(&handled, 1);
    rpc_reply(call, in);
}

/* Answers after as many milliseconds as the text says, or when cancelled. */
static UNUSED void on_slow(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    const blob_t *b = (const blob_t *)in;
    AUTO(free_p) char *text = xstrndup((const char *)b->object.data, b->object.len);
    atomic_fetch_add(&handled, 1);
    int now = atomic_fetch_add(&running_now, 1) + 1;
    if (now > running_most)
        running_most = now;
    mono_t until = mono_after(mono_now(), MILLIS(strtol(text, NULL, 10)));
    while (mono_left(until) && !is_canceled(call))
        sleep_ns(MILLIS(1));
    atomic_fetch_sub(&running_now, 1);
    if (!is_canceled(call)) {
        rpc_reply(call, in);
        return;
    }
    atomic_fetch_add(&canceled_seen, 1);
    AUTO_ERR err = NULL;
    err_set(&err, ERR_CANCELED, "stopped");
    rpc_fail(call, err);
}

static UNUSED void on_fail(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    AUTO_ERR err = NULL;
    err_set(&err, ERR_FAILED_PRECONDITION, "disk 'a' is full");
    err_wrap(&err, "write x");
    rpc_fail(call, err);
}

static UNUSED void on_deadline(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    deadline_seen = mono_left(rpc_call_deadline(call));
    rpc_reply(call, in);
}

/* n bytes in which each block of 4 KiB is another. */
static UNUSED unsigned char *pattern(size_t n)
{
    enum { BLOCK = 4096 };
    unsigned char *p = xmalloc(n + BLOCK), block[BLOCK];
    for (size_t i = 0; i < BLOCK; i++)
        block[i] = (unsigned char)(i * 31 + i / 256);
    for (size_t at = 0; at < n; at += BLOCK) {
        memcpy(block, &at, sizeof(at));
        memcpy(p + at, block, BLOCK);
    }
    return p;
}

/* As many bytes as the text says. */
static UNUSED void on_make(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    const blob_t *b = (const blob_t *)in;
    AUTO(free_p) char *text = xstrndup((const char *)b->object.data, b->object.len);
    size_t n = strtoul(text, NULL, 10);
    AUTO(free_p) unsigned char *bytes = pattern(n);
    blob_t out = BLOB(bytes, n);
    rpc_reply(call, &out.base);
}

/* Answers from the hook that a cancel runs. */
static UNUSED void hook(void *arg)
{
    atomic_fetch_add(&hook_seen, 1);
    sleep_ns(MILLIS(20));
    AUTO_ERR err = NULL;
    err_set(&err, ERR_CANCELED, "by the hook");
    rpc_fail(arg, err);
}

static UNUSED void on_hook(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    atomic_fetch_add(&handled, 1);
    rpc_call_on_cancel(call, hook, call);
}

static UNUSED struct rpc_method test_methods[] = {
    {"test.Echo", BLOB_TYPE, on_echo, NULL},         {"test.PoolEcho", BLOB_TYPE, on_echo, NULL},
    {"test.Slow", BLOB_TYPE, on_slow, NULL},         {"test.Fail", BLOB_TYPE, on_fail, NULL},
    {"test.Deadline", BLOB_TYPE, on_deadline, NULL}, {"test.Make", BLOB_TYPE, on_make, NULL},
    {"test.Hook", BLOB_TYPE, on_hook, NULL},         {"test.PoolMake", BLOB_TYPE, on_make, NULL},
};

struct fixture {
    pool_t *pool;
    rpc_server_t *server;
    rpc_client_t *client;
    char *address; /* of the server, with its port */
    struct tls_files tls;
    size_t max_calls;
};

/* Starts a server at `address`; pooled methods get `threads` threads. */
static UNUSED void serve(struct fixture *f, const char *address, size_t threads)
{
    AUTO_ERR err = NULL;
    f->pool = pool_new("test", threads, 1000);
    struct rpc_method methods[ARRAY_LEN(test_methods)];
    memcpy(methods, test_methods, sizeof(methods));
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (strstr(methods[i].name, "Pool") || strstr(methods[i].name, "Slow"))
            methods[i].pool = f->pool;
    struct rpc_server_options o = {
        .name = "tester",
        .address = address,
        .tls = f->tls,
        .methods = methods,
        .nmethods = ARRAY_LEN(methods),
        .max_calls = f->max_calls,
    };
    ASSERT_OK(rpc_server_start(&o, &f->server, &err));
    const char *colon = strrchr(address, ':');
    if (str_has_prefix(address, "ipc"))
        f->address = xstrdup(address);
    else
        f->address = xasprintf("%.*s:%d", (int)(colon - address), address, rpc_server_port(f->server));
}

static UNUSED rpc_client_t *client_of(const struct fixture *f)
{
    AUTO_ERR err = NULL;
    rpc_client_t *c = NULL;
    struct rpc_client_options o = {.address = f->address, .tls = f->tls};
    ASSERT_OK(rpc_client_new(&o, &c, &err));
    return c;
}

static UNUSED void begin(struct fixture *f, const char *address)
{
    handled = canceled_seen = hook_seen = running_now = running_most = 0;
    serve(f, address, 8);
    f->client = client_of(f);
}

static UNUSED void end(struct fixture *f)
{
    rpc_client_free(f->client);
    rpc_server_free(f->server, SECONDS(5));
    pool_free(f->pool);
    free(f->address);
    f->client = NULL;
    f->server = NULL;
    f->pool = NULL;
    f->address = NULL;
}

/* Calls with bytes, expects as many bytes; the result code. */
static UNUSED int call(rpc_client_t *c, const char *method, const void *p, size_t n, int64_t timeout_ns,
                       str_t *out, err_t **err)
{
    blob_t in = BLOB(p, n);
    ProtobufCMessage *m = NULL;
    int r = rpc_do(c, method, &in.base, BLOB_TYPE, timeout_ns, NULL, &m, err);
    if (r < 0) {
        assert_null(m);
        return r;
    }
    if (out)
        str_add(out, ((blob_t *)m)->object.data, ((blob_t *)m)->object.len);
    protobuf_c_message_free_unpacked(m, NULL);
    return 0;
}

static UNUSED int call_text(rpc_client_t *c, const char *method, const char *text, err_t **err)
{
    return call(c, method, text, strlen(text), SECONDS(40), NULL, err);
}

static UNUSED bool wait_until(bool (*fn)(void *), void *arg, int64_t ns)
{
    for (mono_t until = mono_after(mono_now(), ns); mono_left(until); sleep_ns(MILLIS(2)))
        if (fn(arg))
            return true;
    return fn(arg);
}

static UNUSED bool int_is_set(void *arg)
{
    return atomic_load((atomic_int *)arg) != 0;
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif
/* ThreadSanitizer looks at every byte that is copied: it gets fewer. */
#if defined(__SANITIZE_THREAD__)
enum { SCALE = 8 };
#else
enum { SCALE = 1 };
#endif

#if defined(__SANITIZE_THREAD__)
/* nng counts the references of a dialer with atomics, which ThreadSanitizer does not see in a library that is
 * not built for it. */
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race_top:pthread_mutex_destroy\n";
}
#endif

/* ---- certificates ---- */

static UNUSED char *temp_dir(void)
{
    AUTO_ERR err = NULL;
    char *dir = NULL;
    ASSERT_OK(dir_make_temp(NULL, "cargocd-rpc-", &dir, &err));
    return dir;
}

static UNUSED void put_file(const char *dir, const char *name, const char *text)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *path = xasprintf("%s/%s", dir, name);
    ASSERT_OK(file_write(path, text, strlen(text), 0600, &err));
}

/* dir/NAME.crt, .key and ca.crt; a new authority when *ca is empty. */
static UNUSED struct tls_files make_files(const char *dir, const char *name, const char *const *names,
                                          struct tls_pair *ca)
{
    AUTO_ERR err = NULL;
    struct tls_pair pair;
    if (!ca->cert_pem)
        ASSERT_OK(tls_make_ca("test authority", 30, ca, &err));
    ASSERT_OK(tls_issue(ca, name, names, 30, &pair, &err));
    AUTO(free_p) char *crt = xasprintf("%s.crt", name);
    AUTO(free_p) char *key = xasprintf("%s.key", name);
    AUTO(free_p) char *authority = xasprintf("%s-ca.crt", name);
    put_file(dir, crt, pair.cert_pem);
    put_file(dir, key, pair.key_pem);
    put_file(dir, authority, ca->cert_pem);
    tls_pair_dispose(&pair);
    return (struct tls_files){xasprintf("%s/%s", dir, crt), xasprintf("%s/%s", dir, key),
                              xasprintf("%s/%s", dir, authority)};
}

static UNUSED void files_free(struct tls_files *f)
{
    free((char *)f->cert);
    free((char *)f->key);
    free((char *)f->ca);
}

/* ---- other processes ---- */

/* This program again, as `argv[1] argv[2] …`; what it prints comes from *out. */
static UNUSED pid_t start_self(const char *mode, const char *arg, int *out)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
    posix_spawn_file_actions_addclose(&actions, fds[0]);
    char *argv[] = {"self", (char *)mode, (char *)arg, NULL};
    pid_t pid;
    assert_int_equal(posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(fds[1]);
    *out = fds[0];
    return pid;
}

/* The line that a serving child prints when it listens. */
static UNUSED char *read_line(int fd)
{
    AUTO_STR s = STR_MAX(4096);
    for (char c; read(fd, &c, 1) == 1 && c != '\n';)
        str_putc(&s, c);
    return str_take(&s);
}

static UNUSED void kill_and_reap(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* The child: serves until it is killed, or its parent is gone. */
static UNUSED int serve_forever(const char *address)
{
    struct fixture f = {};
    serve(&f, address, 8);
    printf("%s\n", f.address);
    fflush(stdout);
    for (pid_t parent = getppid(); getppid() == parent;)
        sleep_ns(MILLIS(100));
    return 0;
}

#define TESTS_OR_SERVE(...)                                                                                  \
    int main(int argc, char **argv)                                                                          \
    {                                                                                                        \
        process_setup();                                                                                     \
        rpc_setup();                                                                                         \
        if (argc > 2 && strcmp(argv[1], "serve") == 0)                                                       \
            return serve_forever(argv[2]);                                                                   \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                                                     \
        return cmocka_run_group_tests(tests, NULL, NULL);                                                    \
    }

#endif
