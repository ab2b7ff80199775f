#include "tests/kubesim/index.h"
#include "tests/unit/test.h"

static struct blob *make(const char *ns, const char *name, uint64_t rv)
{
    json_t *o = json_pack("{s:{s:s},s:s,s:s,s:{s:i}}", "metadata", "name", name, "kind", "K", "apiVersion",
                          "v1", "a", "b", 1);
    if (*ns)
        json_put_at(o, json_string(ns), "metadata", "namespace");
    struct blob *b = blob_new(o, rv);
    json_decref(o);
    return b;
}

static void put(struct index *x, const char *ns, const char *name, uint64_t rv)
{
    struct blob *b = make(ns, name, rv);
    blob_unref(index_put(x, b));
    blob_unref(b);
}

static void test_blob(void **state)
{
    struct blob *b = make("n", "x", 7);
    assert_string_equal(blob_key(b), "n/x");
    assert_string_equal(blob_name(b), "x");
    assert_true(view_eq(blob_ns(b), "n"));
    assert_true(view_eq(
        blob_json(b),
        "{\"metadata\":{\"name\":\"x\",\"namespace\":\"n\",\"resourceVersion\":\"7\"},\"a\":{\"b\":1}}"));
    assert_true(view_eq(blob_meta(b), "{\"name\":\"x\",\"namespace\":\"n\",\"resourceVersion\":\"7\"}"));
    json_t *o = blob_read(b, "apps/v1", "Deployment");
    assert_string_equal(json_str_at(o, "apiVersion"), "apps/v1");
    assert_string_equal(json_str_at(o, "kind"), "Deployment");
    json_decref(o);
    blob_unref(b);
    b = make("", "x", 1);
    assert_string_equal(blob_key(b), "x");
    assert_string_equal(blob_name(b), "x");
    blob_unref(b);
    size_t n, bytes;
    blob_stats(&n, &bytes);
    assert_int_equal(n, 0);
    assert_int_equal(bytes, 0);
}

/* Many keys in an order that is neither up nor down: found, counted and walked in byte order. */
static void test_many(void **state)
{
    enum { N = 5000, STEP = 1237 };
    struct index x = {};
    char name[16];
    for (unsigned i = 0; i < N; i++) {
        snprintf(name, sizeof(name), "k%05u", i * STEP % N);
        put(&x, "ns", name, i + 1);
    }
    assert_int_equal(x.n, N);
    struct index_cursor c = index_from(&x, "");
    for (unsigned i = 0; i < N; i++) {
        snprintf(name, sizeof(name), "k%05u", i);
        assert_string_equal(blob_name(index_next(&c)), name);
    }
    assert_null(index_next(&c));
    assert_int_equal(index_rank(&x, "ns/k01000"), 1000);
    assert_int_equal(index_rank(&x, "zz"), N);
    assert_int_equal(index_count(&x, "ns/"), N);
    assert_int_equal(index_count(&x, "n/"), 0);
    for (unsigned i = 0; i < N; i++) {
        snprintf(name, sizeof(name), "ns/k%05u", i * STEP % N);
        struct blob *b = index_take(&x, name);
        assert_string_equal(blob_key(b), name);
        assert_null(index_get(&x, name));
        blob_unref(b);
    }
    assert_int_equal(x.n, 0);
    assert_null(index_take(&x, "ns/k00001"));
    index_dispose(&x);
}

static void test_replace(void **state)
{
    struct index x = {};
    put(&x, "", "a", 1);
    put(&x, "", "a", 2);
    assert_int_equal(x.n, 1);
    assert_int_equal(index_get(&x, "a")->rv, 2);
    assert_null(index_get(&x, "b"));
    index_dispose(&x);
}

/* etcd's order is that of whole keys: "a-b/x" is before "a/x". */
static void test_order_of_namespaces(void **state)
{
    struct index x = {};
    put(&x, "a", "x", 1);
    put(&x, "a-b", "x", 2);
    put(&x, "a", "y", 3);
    put(&x, "a0", "x", 4);
    static const char *const want[] = {"a-b/x", "a/x", "a/y", "a0/x"};
    struct index_cursor c = index_from(&x, "");
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_string_equal(blob_key(index_next(&c)), want[i]);
    assert_int_equal(index_count(&x, "a/"), 2);
    index_dispose(&x);
}

TESTS(T(test_blob), T(test_many), T(test_replace), T(test_order_of_namespaces))
