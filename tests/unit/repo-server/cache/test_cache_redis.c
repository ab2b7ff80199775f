/* The cache with a real Redis: what one process made, another finds, if it holds the same seal. */
#include "tests/unit/repo-server/fixture/fixture.h"
#include "common/base/proc.h"
#include "repo-server/cache/cache.h"

#include <signal.h>

static struct proc_pipes server;
static char *address;

static int setup(void **state)
{
    AUTO_ERR err = NULL;
    fx_begin(state);
    if (!fx_has("redis-server"))
        return 0;
    AUTO(free_p) char *socket = xasprintf("%s/redis.sock", fx_dir());
    char *argv[] = {
        "redis-server", "--port", "0",          "--unixsocket", socket,  "--save",         "",
        "--daemonize",  "no",     "--loglevel", "warning",      "--dir", (char *)fx_dir(), "--logfile",
        "redis.log",    NULL};
    char *env[] = {"PATH=/usr/bin:/bin:/usr/sbin", NULL};
    ASSERT_OK(
        proc_spawn(&(struct proc_spec){.argv = argv, .env = env, .cwd = fx_dir()}, false, &server, &err));
    address = xasprintf("unix://%s", socket);
    return 0;
}

static int teardown(void **state)
{
    if (server.pid > 0) {
        kill(server.pid, SIGTERM);
        proc_end(&server);
    }
    free(address);
    return fx_end(state);
}

static redis_t *connect_redis(void)
{
    redis_t *r = redis_new(&(struct redis_options){.server = address});
    for (int i = 0; i < 500 && !redis_available(r); i++) {
        AUTO_STR out = STR_INIT;
        redis_get(r, "nothing", &out, NULL);
        sleep_ns(MILLIS(10));
    }
    assert_true(redis_available(r));
    return r;
}

static const char *fact(void *arg, enum trace_fact kind, const char *name)
{
    return arg;
}

static char *find(cache_t *c, const char *value, const char *have)
{
    struct cached got;
    struct trace_world world = {.arg = (void *)value, .fact = fact};
    if (!cache_find(c, "spec", &world, have, &got))
        return NULL;
    assert_string_equal(got.note, "Helm");
    char *text = xstrdup(str_text(&got.body));
    cached_dispose(&got);
    return text;
}

static void put(cache_t *c, const char *value, const char *body, char key[SHA256_HEX])
{
    AUTO_STR encoded = STR_INIT;
    AUTO(trace_free_p) trace_t *t = trace_new();
    trace_fact(t, FACT_ENV, "X", value);
    trace_encode(t, &encoded);
    cache_key(body, strlen(body), key);
    cache_put(c, "spec", &encoded, key, "Helm", body, strlen(body));
}

static cache_t *open_cache(redis_t *r, const seal_t *s)
{
    return cache_new(&(struct cache_options){.redis = r, .seal = s, .ttl_ns = SECONDS(60)});
}

static void another_process_finds_what_was_made(void **state)
{
    if (!address)
        skip();
    redis_t *r = connect_redis();
    seal_t *seal = seal_new(&(struct seal_key){1, {1}}, 1), *other = seal_new(&(struct seal_key){1, {2}}, 1);
    cache_t *maker = open_cache(r, seal), *reader = open_cache(r, seal), *foreign = open_cache(r, other);
    char one[SHA256_HEX], two[SHA256_HEX];
    put(maker, "1", "one", one);
    put(maker, "2", "two", two);
    AUTO(free_p) char *a = find(reader, "1", NULL);
    AUTO(free_p) char *b = find(reader, "2", NULL);
    AUTO(free_p) char *c = find(reader, "3", NULL);
    AUTO(free_p) char *d = find(foreign, "1", NULL);
    assert_string_equal(a, "one");
    assert_string_equal(b, "two");
    assert_null(c);
    assert_null(d); /* sealed for somebody else */
    struct cache_stats s;
    cache_stats(reader, &s);
    assert_int_equal(s.redis_hits, 2);
    AUTO(free_p) UNUSED char *again = find(reader, "1", NULL);
    cache_stats(reader, &s);
    assert_int_equal(s.hits, 1); /* now in its own memory */
    cache_free(foreign);

    /* Who only wanted to hear "same" fetches the body when it is asked for. */
    cache_t *late = open_cache(r, seal);
    AUTO(free_p) char *same = find(late, "1", one);
    assert_string_equal(same, "");
    AUTO(free_p) char *body = find(late, "1", NULL);
    assert_string_equal(body, "one");
    cache_free(late);

    /* A body that was swapped in Redis is noticed. */
    AUTO(free_p) char *name = xasprintf("rendered|%s", one);
    AUTO_ERR err = NULL;
    ASSERT_OK(redis_set_sealed(r, seal, name, "evil", 4, SECONDS(60), &err));
    cache_t *victim = open_cache(r, seal);
    AUTO(free_p) char *e = find(victim, "1", NULL);
    assert_null(e);
    cache_free(victim);
    cache_free(maker);
    cache_free(reader);
    redis_free(r);
    seal_free(seal);
    seal_free(other);
}

static void without_redis_the_memory_serves(void **state)
{
    redis_t *r = redis_new(&(struct redis_options){.server = "127.0.0.1:1"});
    seal_t *seal = seal_new(&(struct seal_key){1, {1}}, 1);
    cache_t *c = open_cache(r, seal);
    char key[SHA256_HEX];
    put(c, "1", "one", key);
    AUTO(free_p) char *a = find(c, "1", NULL);
    AUTO(free_p) char *b = find(c, "2", NULL);
    assert_string_equal(a, "one");
    assert_null(b);
    cache_free(c);
    redis_free(r);
    seal_free(seal);
}

REPO_TESTS(setup, teardown, T(another_process_finds_what_was_made), T(without_redis_the_memory_serves))
