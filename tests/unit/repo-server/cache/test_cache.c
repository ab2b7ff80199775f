#include "tests/unit/test.h"
#include "repo-server/cache/cache.h"
#include "repo-server/cache/remote.h"

/* Traces of one fact: they hold in a world where the variable has that value. */
static void trace_of(const char *value, str_t *out)
{
    AUTO(trace_free_p) trace_t *t = trace_new();
    trace_fact(t, FACT_ENV, "X", value);
    trace_encode(t, out);
}

static const char *fact(void *arg, enum trace_fact kind, const char *name)
{
    return arg;
}

static void put(cache_t *c, const char *spec, const char *value, const char *body)
{
    AUTO_STR trace = STR_INIT;
    char key[SHA256_HEX];
    trace_of(value, &trace);
    cache_key(body, strlen(body), key);
    cache_put(c, spec, &trace, key, "Directory", body, strlen(body));
}

/* The body in the world of that value; NULL for a miss. */
static char *find(cache_t *c, const char *spec, const char *value, const char *have)
{
    struct cached got;
    struct trace_world world = {.arg = (void *)value, .fact = fact};
    if (!cache_find(c, spec, &world, have, &got))
        return NULL;
    assert_string_equal(got.note, "Directory");
    char *text = xasprintf("%s", str_text(&got.body));
    cached_dispose(&got);
    return text;
}

static void expect(cache_t *c, const char *spec, const char *value, const char *body)
{
    AUTO(free_p) char *got = find(c, spec, value, NULL);
    if (!str_eq(got, body))
        fail_msg("%s in %s: %s", spec, value, str_or_empty(got));
}

static void finds_the_candidate_that_holds(void **state)
{
    cache_t *c = cache_new(&(struct cache_options){});
    expect(c, "spec", "1", NULL);
    put(c, "spec", "1", "one");
    put(c, "spec", "2", "two");
    put(c, "other", "1", "of another");
    expect(c, "spec", "1", "one");
    expect(c, "spec", "2", "two");
    expect(c, "other", "1", "of another");
    expect(c, "spec", "3", NULL);
    put(c, "spec", "1", "one again");
    expect(c, "spec", "1", "one again");
    struct cache_stats s;
    cache_stats(c, &s);
    assert_int_equal(s.candidates, 3);
    assert_int_equal(s.hits, 4);
    assert_int_equal(s.misses, 2);
    cache_free(c);
}

static void a_caller_that_has_it_gets_no_body(void **state)
{
    cache_t *c = cache_new(&(struct cache_options){});
    char key[SHA256_HEX];
    put(c, "spec", "1", "one");
    cache_key("one", 3, key);
    AUTO(free_p) char *same = find(c, "spec", "1", key);
    assert_string_equal(same, "");
    AUTO(free_p) char *other = find(c, "spec", "1", "else");
    assert_string_equal(other, "one");
    cache_free(c);
}

static void few_candidates_stay(void **state)
{
    cache_t *c = cache_new(&(struct cache_options){});
    for (int i = 0; i < 10; i++) {
        AUTO(free_p) char *v = xasprintf("%d", i);
        put(c, "spec", v, v);
    }
    expect(c, "spec", "9", "9");
    expect(c, "spec", "6", "6");
    expect(c, "spec", "5", NULL);
    struct cache_stats s;
    cache_stats(c, &s);
    assert_int_equal(s.candidates, CACHE_CANDIDATES);
    cache_free(c);
}

static void memory_is_bounded_and_the_unused_goes_first(void **state)
{
    cache_t *c = cache_new(&(struct cache_options){.max_bytes = 200 << 10});
    char body[4001];
    for (int i = 0; i < 1000; i++) {
        AUTO(free_p) char *spec = xasprintf("spec-%d", i);
        for (size_t k = 0; k < sizeof(body) - 1; k++)
            body[k] = (char)('a' + (hash_content(&k, sizeof(k), (uint64_t)i) % 26));
        body[sizeof(body) - 1] = '\0';
        put(c, spec, "1", body);
        AUTO(free_p) char *kept = find(c, "spec-0", "1", NULL);
        assert_non_null(kept); /* used all the time */
    }
    struct cache_stats s;
    cache_stats(c, &s);
    assert_in_range(s.bytes, 100 << 10, 200 << 10);
    expect(c, "spec-999", "1", body);
    expect(c, "spec-1", "1", NULL);
    cache_free(c);
}

static void indexes_survive_the_wire_and_nonsense(void **state)
{
    struct cache_index index = {.n = 2}, back;
    cache_key("a", 1, index.rows[0].key);
    cache_key("b", 1, index.rows[1].key);
    str_puts(&index.rows[0].trace, "trace a");
    AUTO_STR bytes = STR_INIT;
    cache_index_encode(&index, &bytes);
    assert_true(cache_index_decode(bytes.p, bytes.len, &back));
    assert_int_equal(back.n, 2);
    assert_string_equal(back.rows[1].key, index.rows[1].key);
    assert_string_equal(str_text(&back.rows[0].trace), "trace a");
    cache_index_dispose(&back);
    for (size_t n = 0; n < bytes.len; n++)
        assert_false(cache_index_decode(bytes.p, n, &back));
    bytes.p[0] = 9;
    assert_false(cache_index_decode(bytes.p, bytes.len, &back));
    cache_index_dispose(&index);
}

TESTS(T(finds_the_candidate_that_holds), T(a_caller_that_has_it_gets_no_body), T(few_candidates_stay),
      T(memory_is_bounded_and_the_unused_goes_first), T(indexes_survive_the_wire_and_nonsense))
