/* The tree and its trace, over real commits: reads are made, the trace is encoded, and then checked against
 * commits that differ in one thing each. */
#include "tests/unit/repo-server/fixture/fixture.h"
#include "repo-server/git/git_tree.h"
#include "repo-server/trace.h"

static pool_t *pool;
static git_store_t *store;
static git_lease_t *lease;
static origin_t *origin;

static void on_commit(void *arg, const char *commit, err_t *err)
{
    if (err)
        fail_msg("%s", err_text(err));
    *(_Atomic bool *)arg = true;
}

/* Fetches a commit of the work tree "t" and opens its tree. */
static tree_backend_t *backend(const char *commit)
{
    AUTO_ERR err = NULL;
    _Atomic bool done = false;
    tree_backend_t *b = NULL;
    git_store_want(store, origin, commit, NULL, on_commit, &done);
    while (!done)
        sleep_ns(MILLIS(1));
    if (!lease)
        ASSERT_OK(git_lease_open(store, origin->storage_key, &lease, &err));
    ASSERT_OK(git_tree_open(lease, commit, &b, &err));
    return b;
}

static int setup(void **state)
{
    AUTO_ERR err = NULL;
    fx_begin(state);
    fx_repo("t");
    AUTO(free_p) char *root = xasprintf("%s/work", fx_dir());
    AUTO(free_p) char *url = xasprintf("file://%s/t.git", fx_dir());
    pool = pool_new("git", 2, 100);
    ASSERT_OK(git_store_new(
        &(struct git_store_options){
            .root = root, .settings = fx_settings(), .pool = pool, .join_packs = 1000},
        &store, &err));
    origin = fx_origin(url);
    fx_sh("cd t && mkdir -p app/sub lib deep/er && echo a: 1 > app/a.yaml && echo b > app/b.txt && echo c: 1 "
          "> app/sub/c.yaml "
          "&& echo l: 1 > lib/l.yaml && echo r > README.md && ln -s ../lib app/lib && ln -s ../lib/l.yaml "
          "app/l.yaml "
          "&& ln -s a.yaml app/same.yaml && ln -s nowhere app/dangling && ln -s /etc/passwd abs && ln -s "
          "../../x deep/er/up "
          "&& ln -s ../../../t/README.md deep/er/around && ln -s loop1 loop2 && ln -s loop2 loop1 && chmod "
          "+x app/b.txt "
          "&& ln -s er/../er/../../app/a.yaml deep/zigzag");
    return 0;
}

static int teardown(void **state)
{
    git_lease_close(lease);
    pool_free(pool);
    git_store_free(store);
    origin_unref(origin);
    return fx_end(state);
}

static void paths_resolve_inside(void **state)
{
    static const struct {
        const char *path;
        enum node_kind kind;
        const char *real, *error;
    } cases[] = {
        {"", NODE_DIR, "", NULL},
        {".", NODE_DIR, "", NULL},
        {"app", NODE_DIR, "app", NULL},
        {"app//./sub/", NODE_DIR, "app/sub", NULL},
        {"app/../lib", NODE_DIR, "lib", NULL},
        {"app/a.yaml", NODE_FILE, "app/a.yaml", NULL},
        {"app/none", NODE_ABSENT, "app/none", NULL},
        {"none/none", NODE_ABSENT, "none", NULL},
        {"app/a.yaml/x", NODE_ABSENT, "app/a.yaml", NULL},
        {"app/l.yaml", NODE_FILE, "lib/l.yaml", NULL},
        {"app/lib/l.yaml", NODE_FILE, "lib/l.yaml", NULL},
        {"app/lib/../README.md", NODE_FILE, "README.md",
         NULL}, /* as the kernel: the parent of where the link leads */
        {"app/same.yaml", NODE_FILE, "app/a.yaml", NULL},
        {"app/dangling", NODE_ABSENT, "app/nowhere", NULL},
        {"deep/zigzag", NODE_FILE, "app/a.yaml", NULL},
        {"abs", NODE_ABSENT, NULL, "repository contains out-of-bounds symlinks. file: abs"},
        {"deep/er/up", NODE_ABSENT, "x", NULL},
        {"deep/er/around", NODE_ABSENT, NULL,
         "repository contains out-of-bounds symlinks. file: deep/er/around"},
        {"..", NODE_ABSENT, NULL, "out-of-bounds"},
        {"app/../../x", NODE_ABSENT, NULL, "out-of-bounds"},
        {"loop1", NODE_ABSENT, NULL, "too many levels"},
        {"/etc", NODE_ABSENT, NULL, "absolute"},
    };
    AUTO(tree_free_p) tree_t *t = tree_new(backend(fx_commit("t", "base")), NULL);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        struct tree_place p = {};
        int r = tree_look(t, cases[i].path, true, &p, &err);
        if (cases[i].error ? r == 0 || !strstr(err_text(err), cases[i].error)
                           : r < 0 || p.node.kind != cases[i].kind || !str_eq(p.path, cases[i].real))
            fail_msg("%s: kind %d, %s, %s", cases[i].path, p.node.kind, str_or_empty(p.path), err_text(err));
        tree_place_dispose(&p);
    }
    AUTO_ERR err = NULL;
    struct tree_place p = {};
    ASSERT_OK(tree_look(t, "app/same.yaml", false, &p, &err));
    assert_int_equal(p.node.kind, NODE_LINK);
    tree_place_dispose(&p);
}

static void lists_and_reads(void **state)
{
    AUTO_ERR err = NULL;
    AUTO(tree_free_p) tree_t *t = tree_new(backend(fx_commit("t", "base")), NULL);
    struct tree_entries e = {};
    ASSERT_OK(
        tree_list(t, "app", &(struct tree_select){.suffixes = ".yaml|.txt", .exclude = "sa*"}, &e, &err));
    AUTO_STR names = STR_INIT;
    for (size_t i = 0; i < e.n; i++)
        str_printf(&names, "%s ", e.v[i].name);
    assert_string_equal(str_text(&names), "a.yaml b.txt l.yaml ");
    assert_true(tree_entries_find(&e, "b.txt")->executable);
    tree_entries_dispose(&e);
    AUTO_STR text = STR_MAX(100);
    ASSERT_OK(tree_read(t, "app/lib/l.yaml", &text, &err));
    assert_string_equal(str_text(&text), "l: 1\n");
    uint64_t n = 0;
    ASSERT_OK(tree_size(t, "app/same.yaml", &n, &err));
    assert_int_equal(n, 5);
    AUTO_STR small = STR_MAX(3);
    assert_int_equal(tree_read(t, "app/a.yaml", &small, &err), -ERR_RESOURCE_EXHAUSTED);
    assert_int_equal(tree_read(t, "app", &text, &err), -ERR_NOT_FOUND);
    assert_int_equal(tree_read(t, "app/none", &text, &err), -ERR_NOT_FOUND);
    assert_int_equal(tree_list(t, "README.md", NULL, &e, &err), -ERR_NOT_FOUND);
}

/* ---- traces ---- */

struct world {
    tree_backend_t *tree, *values;
    const char *env, *tool;
};

static tree_backend_t *world_tree(void *arg, const char *role)
{
    struct world *w = arg;
    return *role ? w->values : w->tree;
}

static const char *world_fact(void *arg, enum trace_fact kind, const char *name)
{
    struct world *w = arg;
    return kind == FACT_TOOL ? w->tool : w->env;
}

static bool holds(const str_t *trace, struct world *w, int64_t now_s)
{
    struct trace_world world = {w, world_tree, world_fact, now_s};
    return trace_holds(trace->p, trace->len, &world);
}

/* What a renderer might do. */
static void read_some(tree_t *t)
{
    AUTO_ERR err = NULL;
    AUTO_STR text = STR_MAX(1000);
    struct tree_entries e = {};
    struct tree_place p = {};
    ASSERT_OK(tree_look(t, "app/.argocd-source.yaml", true, &p, &err));
    assert_int_equal(p.node.kind, NODE_ABSENT);
    tree_place_dispose(&p);
    ASSERT_OK(tree_list(
        t, "app", &(struct tree_select){.suffixes = ".yaml", .dirs = true, .exclude = "*skip*"}, &e, &err));
    tree_entries_dispose(&e);
    ASSERT_OK(tree_read(t, "app/a.yaml", &text, &err));
    ASSERT_OK(tree_read(t, "app/l.yaml", &text, &err));
    ASSERT_OK(tree_whole(t, "app/sub", &err));
    ASSERT_OK(tree_look(t, "app/dangling", true, &p, &err));
    tree_place_dispose(&p);
    ASSERT_OK(tree_look(t, "none/deeper", true, &p, &err));
    tree_place_dispose(&p);
    ASSERT_OK(tree_look(t, "README.md", true, &p, &err)); /* only whether it is there */
    tree_place_dispose(&p);
}

static void a_trace_holds_until_something_read_changes(void **state)
{
    static const struct {
        const char *change;
        bool holds;
    } cases[] = {
        {"true", true},
        {"echo x > other.txt", true},
        {"mkdir other && echo x > other/y.yaml", true},
        {"echo changed > app/b.txt", true},
        {"echo new > app/new.txt", true},
        {"rm app/b.txt", true},
        {"echo changed > README.md", true},
        {"echo n: 1 > app/skip.yaml", true},
        {"echo n: 1 > lib/other.yaml", true},
        {"chmod +x app/a.yaml", true},
        {"echo a: 2 > app/a.yaml", false},
        {"rm app/a.yaml", false},
        {"echo n: 1 > app/new.yaml", false},
        {"mkdir app/newdir && echo x > app/newdir/x", false},
        {"rm app/same.yaml", false},
        {"echo l: 2 > lib/l.yaml", false},
        {"rm app/l.yaml && cp lib/l.yaml app/l.yaml", false},
        {"ln -sf a.yaml app/l.yaml", false},
        {"echo {} > app/.argocd-source.yaml", false},
        {"echo x > app/sub/new.txt", false},
        {"echo c: 2 > app/sub/c.yaml", false},
        {"rm -r app/sub", false},
        {"echo x > app/nowhere", false},
        {"mkdir none && echo x > none/x", false},
        {"rm README.md", false},
        {"rm README.md && mkdir README.md && echo x > README.md/x", false},
        {"git mv app app2", false},
    };
    AUTO(trace_free_p) trace_t *trace = trace_new();
    char *base = xstrdup(fx_commit("t", "base"));
    tree_t *t = tree_new(backend(base), trace_root(trace, ""));
    read_some(t);
    tree_free(t);
    AUTO_STR encoded = STR_INIT;
    trace_encode(trace, &encoded);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        fx_sh("cd t && git reset -q --hard %s && %s", base, cases[i].change);
        fx_sh("cd t && git push -q -f origin %s:main", base);
        struct world w = {.tree = backend(fx_commit("t", "change"))};
        if (holds(&encoded, &w, 0) != cases[i].holds)
            fail_msg("after '%s' the trace %s", cases[i].change,
                     cases[i].holds ? "should hold" : "should not hold");
        tree_backend_free(w.tree);
    }
    fx_sh("cd t && git reset -q --hard %s && git push -q -f origin main", base);
    free(base);
}

static void facts_count_as_far_as_noted(void **state)
{
    AUTO(trace_free_p) trace_t *trace = trace_new();
    trace_fact(trace, FACT_ENV, "X", "1");
    trace_fact(trace, FACT_ENV, "X", "ignored, noted already");
    trace_fact(trace, FACT_TOOL, "helm", NULL);
    trace_fact(trace, FACT_EXPIRES, "", "1000");
    AUTO_STR encoded = STR_INIT;
    trace_encode(trace, &encoded);
    assert_true(holds(&encoded, &(struct world){.env = "1"}, 999));
    assert_false(holds(&encoded, &(struct world){.env = "1"}, 1000));
    assert_false(holds(&encoded, &(struct world){.env = "2"}, 0));
    assert_false(holds(&encoded, &(struct world){.env = NULL}, 0));
    assert_false(holds(&encoded, &(struct world){.env = "1", .tool = ""}, 0));
}

static void several_trees_are_told_apart(void **state)
{
    AUTO_ERR err = NULL;
    AUTO_STR text = STR_MAX(100);
    char *one = xstrdup(fx_commit("t", "base"));
    fx_sh("cd t && echo a: 7 > app/a.yaml");
    char *two = xstrdup(fx_commit("t", "seven"));
    AUTO(trace_free_p) trace_t *trace = trace_new();
    tree_t *t = tree_new(backend(one), trace_root(trace, ""));
    tree_t *v = tree_new(backend(two), trace_root(trace, "$values"));
    ASSERT_OK(tree_read(t, "app/b.txt", &text, &err));
    ASSERT_OK(tree_read(v, "app/a.yaml", &text, &err));
    tree_free(t);
    tree_free(v);
    AUTO_STR encoded = STR_INIT;
    trace_encode(trace, &encoded);
    struct world w = {.tree = backend(two), .values = backend(two)};
    assert_true(holds(&encoded, &w, 0));
    tree_backend_free(w.values);
    w.values = NULL;
    assert_false(holds(&encoded, &w, 0));
    w.values = backend(one);
    assert_false(holds(&encoded, &w, 0));
    tree_backend_free(w.tree);
    tree_backend_free(w.values);
    free(one);
    free(two);
}

/* Bytes from Redis may be anything: no prefix and no changed byte may be taken for a whole trace or do harm.
 */
static void malformed_traces_do_not_hold(void **state)
{
    char *base = xstrdup(fx_commit("t", "base"));
    AUTO(trace_free_p) trace_t *trace = trace_new();
    tree_t *t = tree_new(backend(base), trace_root(trace, ""));
    read_some(t);
    tree_free(t);
    trace_fact(trace, FACT_ENV, "X", "1");
    AUTO_STR encoded = STR_INIT;
    trace_encode(trace, &encoded);
    fx_sh("cd t && echo x > unrelated");
    struct world w = {.tree = backend(fx_commit("t", "unrelated")), .env = "1"};
    assert_true(holds(&encoded, &w, 0));
    for (size_t n = 0; n < encoded.len; n++) {
        AUTO(free_p) char *exact = xmemdup(encoded.p, n ? n : 1);
        struct trace_world world = {&w, world_tree, world_fact, 0};
        assert_false(trace_holds(exact, n, &world));
    }
    for (size_t i = 0; i < encoded.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            encoded.p[i] ^= (char)(1 << bit);
            holds(&encoded, &w, 0);
            encoded.p[i] ^= (char)(1 << bit);
        }
    }
    tree_backend_free(w.tree);
    free(base);
}

REPO_TESTS(setup, teardown, T(paths_resolve_inside), T(lists_and_reads),
           T(a_trace_holds_until_something_read_changes), T(facts_count_as_far_as_noted),
           T(several_trees_are_told_apart), T(malformed_traces_do_not_hold))
