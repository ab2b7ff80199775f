#include "tests/unit/common/net/rpc_fixture.h"

/* Tested with its source, since a name with three addresses of this machine takes a name server: the set is
 * filled by hand, as the resolver would, and the resolver is tested with localhost. */
#include <netdb.h>

/* A name server that is there later than we are. */
static _Atomic bool no_names;
static _Atomic unsigned look_ups;
static int look_up(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **out)
{
    look_ups++;
    return no_names ? EAI_AGAIN : getaddrinfo(host, port, hints, out);
}
#define getaddrinfo look_up
#include "common/net/rpc_replicas.c"
#undef getaddrinfo

enum { SERVERS = 3 };

struct cluster {
    struct fixture f[SERVERS];
    rpc_replicas_t *r;
};

/* Replicas as a name with three addresses would make them. */
static void cluster_begin(struct cluster *c, size_t max_calls)
{
    AUTO_ERR err = NULL;
    *c = (struct cluster){};
    handled = canceled_seen = running_now = running_most = 0;
    for (int i = 0; i < SERVERS; i++) {
        c->f[i].max_calls = max_calls;
        serve(&c->f[i], "tcp://127.0.0.1:0", 4);
    }
    struct rpc_client_options o = {.address = c->f[0].address};
    ASSERT_OK(rpc_replicas_new(&o, &c->r, &err));
    for (int i = 1; i < SERVERS; i++)
        ASSERT_OK(add(c->r, c->f[i].address, &err));
}

static void cluster_end(struct cluster *c)
{
    rpc_replicas_free(c->r);
    for (int i = 0; i < SERVERS; i++)
        end(&c->f[i]);
}

static int ask_key(rpc_replicas_t *r, const char *key, const char *method, const char *text, err_t **err)
{
    blob_t in = BLOB(text, strlen(text));
    ProtobufCMessage *out = NULL;
    int rc = rpc_replicas_do(r, key, method, &in.base, BLOB_TYPE, SECONDS(10), NULL, &out, err);
    if (rc == 0)
        protobuf_c_message_free_unpacked(out, NULL);
    return rc;
}

static const char *first_for(rpc_replicas_t *r, const char *key, size_t *n)
{
    struct candidate c[MAX_REPLICAS];
    *n = candidates(r, key, c);
    const char *address = *n ? c[0].replica->address : NULL;
    release(r, c, *n, false);
    return address;
}

static void keys_stay_where_they_are(void **state)
{
    AUTO_ERR err = NULL;
    rpc_replicas_t *r = NULL;
    /* Nobody listens there, and nobody is asked. */
    struct rpc_client_options o = {.address = "tcp://127.0.0.1:1"};
    ASSERT_OK(rpc_replicas_new(&o, &r, &err));
    static const char *const more[] = {"tcp://127.0.0.1:2", "tcp://127.0.0.1:3", "tcp://127.0.0.1:4"};
    char key[32];
    const char *before[400];
    size_t n, moved = 0, share[5] = {};
    for (int i = 0; i < 2; i++)
        ASSERT_OK(add(r, more[i], &err));
    for (int i = 0; i < 400; i++) {
        snprintf(key, sizeof(key), "https://git/%d.git", i);
        before[i] = first_for(r, key, &n);
        assert_int_equal(n, 3);
        share[strrchr(before[i], ':')[1] - '0']++;
    }
    for (int i = 1; i <= 3; i++)
        assert_true(share[i] > 90 && share[i] < 180);
    /* One more takes its share, and nothing moves between the others. */
    ASSERT_OK(add(r, more[2], &err));
    for (int i = 0; i < 400; i++) {
        snprintf(key, sizeof(key), "https://git/%d.git", i);
        const char *now = first_for(r, key, &n);
        if (now != before[i]) {
            assert_string_equal(now, more[2]);
            moved++;
        }
    }
    assert_true(moved > 50 && moved < 170);
    rpc_replicas_free(r);
}

static void dead_ones_are_passed_over(void **state)
{
    AUTO_ERR err = NULL;
    struct cluster c;
    cluster_begin(&c, 0);
    char key[16];
    for (int i = 0; i < 20; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        ASSERT_OK(ask_key(c.r, key, "test.Echo", "x", &err));
    }
    rpc_server_free(TAKE(c.f[1].server), 0);
    mono_t before = mono_now();
    for (int i = 0; i < 20; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        ASSERT_OK(ask_key(c.r, key, "test.Echo", "x", &err));
    }
    assert_true(mono_now().ns - before.ns < SECONDS(10));
    assert_int_equal(handled, 40);
    rpc_server_free(TAKE(c.f[0].server), 0);
    rpc_server_free(TAKE(c.f[2].server), 0);
    before = mono_now();
    assert_int_equal(ask_key(c.r, "k", "test.Echo", "x", &err), -ERR_UNAVAILABLE);
    assert_true(mono_now().ns - before.ns < SECONDS(5)); /* two seconds for all, not for each */
    cluster_end(&c);
}

struct filler {
    rpc_replicas_t *r;
    int result;
};

static void *fill(void *arg)
{
    struct filler *f = arg;
    f->result = ask_key(f->r, "one key", "test.Slow", "1500", NULL);
    return NULL;
}

static bool three_run(void *arg)
{
    return running_now == 3;
}

/* One call at a time each: three with the same key end up on three servers, a fourth one hears "busy". */
static void busy_ones_are_passed_over(void **state)
{
    AUTO_ERR err = NULL;
    struct cluster c;
    cluster_begin(&c, 1);
    struct filler fillers[3];
    pthread_t t[3];
    for (int i = 0; i < 3; i++) {
        fillers[i] = (struct filler){.r = c.r};
        t[i] = thread_start("fill", fill, &fillers[i]);
    }
    assert_true(wait_until(three_run, NULL, SECONDS(5)));
    assert_int_equal(ask_key(c.r, "one key", "test.Echo", "x", &err), -ERR_RESOURCE_EXHAUSTED);
    for (int i = 0; i < 3; i++) {
        pthread_join(t[i], NULL);
        assert_int_equal(fillers[i].result, 0);
    }
    cluster_end(&c);
}

static void errors_of_handlers_are_final(void **state)
{
    AUTO_ERR err = NULL;
    struct cluster c;
    cluster_begin(&c, 0);
    assert_int_equal(ask_key(c.r, "k", "test.Fail", "x", &err), -ERR_FAILED_PRECONDITION);
    assert_int_equal(ask_key(c.r, "k", "test.None", "x", &err), -ERR_UNIMPLEMENTED);
    cluster_end(&c);
}

/* Through the resolver: localhost may be ::1 and 127.0.0.1, of which only one answers. */
static void names_are_resolved(void **state)
{
    AUTO_ERR err = NULL;
    struct fixture f = {};
    begin(&f, "tcp://127.0.0.1:0");
    rpc_replicas_t *r = NULL;
    AUTO(free_p) char *address = xasprintf("tcp://localhost:%d", rpc_server_port(f.server));
    struct rpc_client_options o = {.address = address};
    ASSERT_OK(rpc_replicas_new(&o, &r, &err));
    for (int i = 0; i < 10; i++)
        ASSERT_OK(ask_key(r, "k", "test.Echo", "x", &err));
    rpc_replicas_free(r);

    o.address = "tcp://no-such-host.invalid:1";
    ASSERT_OK(rpc_replicas_new(&o, &r, &err));
    assert_int_equal(ask_key(r, "k", "test.Echo", "x", &err), -ERR_UNAVAILABLE);
    assert_non_null(strstr(err_text(err), "no-such-host.invalid"));
    rpc_replicas_free(r);
    end(&f);
}

/* A peer whose name comes up after a first look-up in vain, or after a long silence, is there for the next
 * call: nobody waits for the timer. Calls in vain do not flood the name server. */
static void late_names_are_found_at_once(void **state)
{
    AUTO_ERR err = NULL;
    struct fixture f = {};
    begin(&f, "tcp://127.0.0.1:0");
    rpc_replicas_t *r = NULL;
    AUTO(free_p) char *address = xasprintf("tcp://localhost:%d", rpc_server_port(f.server));
    struct rpc_client_options o = {.address = address};
    no_names = true;
    look_ups = 0;
    ASSERT_OK(rpc_replicas_new(&o, &r, &err));
    mono_t before = mono_now();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask_key(r, "k", "test.Echo", "x", &err), -ERR_UNAVAILABLE);
        assert_non_null(strstr(err_text(err), "look up localhost"));
        err_clear(&err);
    }
    assert_true(look_ups >= 3 && look_ups <= 5);
    assert_true(mono_now().ns - before.ns >= MILLIS(2 * LOOK_PAUSE_MILLIS));
    no_names = false;
    before = mono_now();
    ASSERT_OK(ask_key(r, "k", "test.Echo", "x", &err));
    assert_true(mono_now().ns - before.ns < SECONDS(2));
    /* Connected: nobody looks, however many calls there are. */
    unsigned n = look_ups;
    for (int i = 0; i < 20; i++)
        ASSERT_OK(ask_key(r, "k", "test.Echo", "x", &err));
    assert_true(look_ups <= n + 1);
    rpc_replicas_free(r);
    end(&f);
}

/* An address that the name loses goes when its last call is over. */
static void addresses_go(void **state)
{
    AUTO_ERR err = NULL;
    struct cluster c;
    cluster_begin(&c, 0);
    struct candidate held[MAX_REPLICAS];
    size_t n = candidates(c.r, "k", held);
    assert_int_equal(n, 3);
    update(c.r, NULL);
    assert_null(take_gone(c.r));
    assert_int_equal(ask_key(c.r, "k", "test.Echo", "x", &err), -ERR_UNAVAILABLE);
    ASSERT_OK(add(c.r, c.f[1].address, &err)); /* it comes back */
    release(c.r, held, n, false);
    for (int i = 0; i < 2; i++) {
        struct replica *gone = take_gone(c.r);
        assert_non_null(gone);
        replica_free(gone);
    }
    assert_null(take_gone(c.r));
    ASSERT_OK(ask_key(c.r, "k", "test.Echo", "x", &err));
    cluster_end(&c);
}

TESTS_OR_SERVE(T(keys_stay_where_they_are), T(dead_ones_are_passed_over), T(busy_ones_are_passed_over),
               T(errors_of_handlers_are_final), T(names_are_resolved), T(late_names_are_found_at_once),
               T(addresses_go))
