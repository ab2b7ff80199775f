#include "tests/kubesim/store.h"
#include "tests/unit/test.h"

static unsigned changes;

static void on_change(void *ctx, const struct change *c)
{
    changes++;
}

static store_t *make_store(size_t max_changes, size_t max_bytes)
{
    changes = 0;
    return store_new(
        &(struct store_config){.max_changes = max_changes, .max_bytes = max_bytes, .on_change = on_change});
}

static struct resource *make_resource(struct registry *g, const char *plural)
{
    struct resource like = {.group = (char *)(uintptr_t) "g", .plural = (char *)(uintptr_t)plural};
    like.kind = like.list_kind = like.singular = like.plural;
    like.short_names = like.categories = like.subresources = (char *)(uintptr_t) "";
    return registry_add(g, &like);
}

static json_t *object(const char *name, const char *value, const char *owner)
{
    json_t *o = json_pack("{s:{s:s},s:s}", "metadata", "name", name, "v", value);
    if (owner)
        json_put_at(o, json_pack("[{s:s}]", "uid", owner), "metadata", "ownerReferences");
    return o;
}

static uint64_t put(store_t *s, struct resource *r, const char *name, const char *value)
{
    json_t *o = object(name, value, NULL);
    uint64_t rv = store_put(s, r, o)->rv;
    json_decref(o);
    return rv;
}

static void drop(store_t *s, struct resource *r, const char *name)
{
    json_t *o = object(name, "", NULL);
    store_remove(s, r, o);
    json_decref(o);
}

static unsigned wakes;
static void wake(struct watcher *w)
{
    wakes++;
}

static void expect(store_t *s, struct watcher *w, enum change_type type, const char *key)
{
    bool expired;
    const struct change *c = store_next(s, w, &expired);
    assert_non_null(c);
    assert_int_equal(c->type, type);
    assert_string_equal(blob_key(c->object), key);
}

static void expect_none(store_t *s, struct watcher *w)
{
    bool expired;
    assert_null(store_next(s, w, &expired));
    assert_false(expired);
}

static void test_follow(void **state)
{
    struct registry g = {};
    store_t *s = make_store(100, 1 << 20);
    struct resource *a = make_resource(&g, "as"), *b = make_resource(&g, "bs");
    struct watcher w = {.wake = wake};
    uint64_t first = put(s, a, "x", "1");
    put(s, b, "y", "1");
    put(s, a, "x", "2");
    wakes = 0;
    assert_true(store_watch(s, a, first, &w));
    expect(s, &w, CHANGE_MODIFIED, "x");
    expect_none(s, &w);
    put(s, b, "z", "1");
    assert_int_equal(wakes, 0);
    expect_none(s, &w);
    drop(s, a, "x");
    put(s, a, "n", "1");
    assert_int_equal(wakes, 2);
    expect(s, &w, CHANGE_DELETED, "x");
    expect(s, &w, CHANGE_ADDED, "n");
    expect_none(s, &w);
    drop(s, a, "never-was");
    expect_none(s, &w);
    assert_int_equal(changes, 6);
    store_unwatch(&w);
    store_unwatch(&w);
    store_free(s);
    registry_dispose(&g);
}

/* The ring forgets; who has not read what is forgotten learns it, who has goes on. */
static void test_forget(void **state)
{
    struct registry g = {};
    store_t *s = make_store(4, 1 << 20);
    struct resource *a = make_resource(&g, "as"), *b = make_resource(&g, "bs");
    struct watcher slow = {.wake = wake}, fast = {.wake = wake}, idle = {.wake = wake}, late = {.wake = wake};
    uint64_t rv = put(s, a, "x", "0");
    assert_true(store_watch(s, a, rv, &slow));
    assert_true(store_watch(s, a, rv, &fast));
    assert_true(store_watch(s, b, rv, &idle));
    char text[12];
    bool expired;
    for (int i = 0; i < 10; i++) {
        snprintf(text, sizeof(text), "%d", i);
        put(s, a, "x", text);
        expect(s, &fast, CHANGE_MODIFIED, "x");
    }
    assert_null(store_next(s, &slow, &expired));
    assert_true(expired);
    expect_none(s, &fast);
    expect_none(s, &idle);
    assert_false(store_has_rv(s, rv));
    assert_false(store_watch(s, a, rv, &late));
    assert_true(store_has_rv(s, store_rv(s) - 4));
    put(s, b, "y", "1");
    expect(s, &idle, CHANGE_ADDED, "y");
    store_compact(s, 0);
    assert_false(store_has_rv(s, store_rv(s) - 1));
    assert_true(store_has_rv(s, store_rv(s)));
    put(s, a, "x", "after");
    expect(s, &fast, CHANGE_MODIFIED, "x");
    store_unwatch(&slow);
    store_unwatch(&fast);
    store_unwatch(&idle);
    store_free(s);
    registry_dispose(&g);
}

static void test_forget_by_bytes(void **state)
{
    struct registry g = {};
    store_t *s = make_store(1000, 4000);
    struct resource *a = make_resource(&g, "as");
    char big[1001];
    memset(big, 'x', 1000);
    big[1000] = 0;
    for (int i = 0; i < 20; i++)
        put(s, a, "x", big);
    struct store_stats st;
    store_stats(s, &g, &st);
    assert_true(st.history_bytes <= 4000);
    assert_true(st.changes >= 2 && st.changes <= 5);
    assert_int_equal(st.objects, 1);
    store_free(s);
    registry_dispose(&g);
}

static void expect_past(store_t *s, struct resource *r, uint64_t rv, const char *want)
{
    AUTO_STR have = STR_INIT;
    size_t n;
    AUTO(free_p) struct past *past = store_past(s, r, rv, &n);
    for (size_t i = 0; i < n; i++) {
        json_t *o = past[i].blob ? blob_read(past[i].blob, "", "") : NULL;
        str_printf(&have, "%s=%s ", past[i].key, o ? json_str_at(o, "v") : "-");
        json_decref(o);
    }
    assert_string_equal(str_text(&have), want);
}

static void test_past(void **state)
{
    struct registry g = {};
    store_t *s = make_store(100, 1 << 20);
    struct resource *a = make_resource(&g, "as"), *b = make_resource(&g, "bs");
    put(s, a, "x", "1");
    put(s, a, "y", "1");
    uint64_t then = put(s, a, "z", "1");
    put(s, b, "x", "other");
    put(s, a, "x", "2");
    put(s, a, "x", "3");
    drop(s, a, "y");
    uint64_t later = put(s, a, "new", "1");
    drop(s, a, "new");
    expect_past(s, a, then, "new=- x=1 y=1 ");
    expect_past(s, a, later, "new=1 ");
    expect_past(s, a, store_rv(s), "");
    expect_past(s, b, then, "x=- ");
    store_free(s);
    registry_dispose(&g);
}

static void count(void *arg, struct resource *r, const char *key)
{
    str_printf(arg, "%s ", key);
}

static void expect_dependents(store_t *s, const char *uid, const char *want)
{
    AUTO_STR have = STR_INIT;
    store_dependents(s, uid, count, &have);
    assert_string_equal(str_text(&have), want);
}

static void test_owners(void **state)
{
    struct registry g = {};
    store_t *s = make_store(100, 1 << 20);
    struct resource *a = make_resource(&g, "as");
    json_t *one = object("one", "1", "u1"), *two = object("two", "1", "u1"),
           *moved = object("one", "1", "u2");
    store_put(s, a, one);
    store_put(s, a, two);
    expect_dependents(s, "u1", "one two ");
    store_put(s, a, one);
    expect_dependents(s, "u1", "two one ");
    store_put(s, a, moved);
    expect_dependents(s, "u1", "two ");
    expect_dependents(s, "u2", "one ");
    store_remove(s, a, two);
    expect_dependents(s, "u1", "");
    json_decref(one);
    json_decref(two);
    json_decref(moved);
    store_free(s);
    registry_dispose(&g);
}

static void test_versions(void **state)
{
    struct registry g = {};
    store_t *s = make_store(10, 1 << 20);
    struct resource *a = make_resource(&g, "as");
    json_t *o = object("x", "1", NULL);
    assert_int_equal(store_put(s, a, o)->rv, 1);
    assert_string_equal(json_str_at(o, "metadata", "resourceVersion"), "1");
    store_remove(s, a, o);
    assert_string_equal(json_str_at(o, "metadata", "resourceVersion"), "1");
    assert_int_equal(store_rv(s), 2);
    assert_null(store_get(a, "", "x"));
    json_decref(o);
    store_free(s);
    registry_dispose(&g);
}

TESTS(T(test_follow), T(test_forget), T(test_forget_by_bytes), T(test_past), T(test_owners), T(test_versions))
