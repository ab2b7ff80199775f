/* What is removed from disk, and what never is. */
#include "repo-server/git/store.h"
#include "tests/unit/repo-server/fixture/server.h"

#include <nng/nng.h>
#include <unistd.h>

/* ---- the choice ---- */

/* Notes what goes, but for those in use. */
struct going {
    const char *in_use;
    str_t gone;
};

static bool go(void *arg, const struct disk_item *item)
{
    struct going *g = arg;
    if (strchr(g->in_use, *item->path))
        return false;
    str_puts(&g->gone, item->path);
    return true;
}

static void the_oldest_go_first(void **state)
{
    enum { NOW = 100000 };
    static const struct {
        uint64_t max;
        int64_t idle, grace;
        const char *in_use;
        const char *gone; /* of a, b, c, d, which were used 5000, 400, 50 and 0 s ago, of 10 bytes each */
        uint64_t left;
    } cases[] = {
        {40, 0, 0, "", "", 40},         {39, 0, 0, "", "a", 30},      {30, 0, 0, "", "a", 30},
        {25, 0, 0, "", "ab", 20},       {0, 0, 0, "", "abcd", 0},     {0, 0, 1, "", "abc", 10},
        {0, 0, 60, "", "ab", 20},       {0, 0, 10000, "", "", 40},    {40, 1000, 60, "", "a", 30},
        {40, 100, 60, "", "ab", 20},    {40, 10000, 0, "", "", 40},   {40, 10, 10000, "", "abc", 10},
        {UINT64_MAX, 0, 0, "", "", 40}, {15, 1000, 60, "", "ab", 20}, {0, 5000, 100000, "", "", 40},
        {30, 0, 0, "a", "b", 30},       {0, 0, 60, "ab", "", 40},     {20, 0, 0, "ac", "bd", 20},
        {40, 100, 0, "a", "b", 30},
    };
    static const int64_t ages[] = {50, 5000, 0, 400};
    static const char names[] = "cadb";
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        disk_items_t items = {};
        struct going g = {.in_use = cases[i].in_use};
        struct disk_owner owner = {&g, NULL, go};
        uint64_t left;
        for (size_t k = 0; k < ARRAY_LEN(ages); k++)
            VEC_PUSH(&items, (struct disk_item){xstrndup(names + k, 1), 10, NOW - ages[k], &owner});
        const struct disk_options options = {.max_bytes = cases[i].max,
                                             .max_idle_ns = SECONDS(cases[i].idle),
                                             .grace_ns = SECONDS(cases[i].grace)};
        size_t n = disk_evict(&items, &options, NOW, &left);
        if (strcmp(str_text(&g.gone), cases[i].gone) != 0 || n != g.gone.len || left != cases[i].left)
            fail_msg("%zu: %s instead of %s", i, str_text(&g.gone), cases[i].gone);
        str_dispose(&g.gone);
        disk_items_dispose(&items);
    }
}

/* ---- clones ---- */

static pool_t *pool;
static git_store_t *store;
static metrics_t *metrics;

static disk_t *tidier(struct disk_options options)
{
    static char root[512];
    snprintf(root, sizeof(root), "%s/work", fx_dir());
    options.period_ns = SECONDS(3600); /* only when the test says so */
    const struct disk_owner owners[] = {{store, git_store_disk, git_store_evict}};
    return disk_new(&options, root, owners, 1, metrics);
}

static void open_store(void)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *root = xasprintf("%s/work", fx_dir());
    pool = pool_new("git", 4, 100);
    metrics = metrics_new();
    ASSERT_OK(git_store_new(
        &(struct git_store_options){.root = root, .settings = fx_settings(), .pool = pool}, &store, &err));
}

static void close_store(void)
{
    pool_free(pool);
    git_store_free(store);
    metrics_free(metrics);
}

struct answer {
    lock_t lock;
    cond_t cond;
    bool done;
    int result;
};

static void on_commit(void *arg, const char *commit, err_t *err)
{
    struct answer *a = arg;
    LOCKED(&a->lock);
    a->done = true;
    a->result = -(int)err_code(err);
    pthread_cond_broadcast(&a->cond);
}

static int want(origin_t *o, const char *commit)
{
    struct answer a = {.lock = LOCK_INIT};
    cond_init(&a.cond);
    git_store_want(store, o, commit, NULL, on_commit, &a);
    LOCKED(&a.lock);
    while (!a.done)
        assert_true(cond_wait_until(&a.cond, &a.lock, mono_after(mono_now(), SECONDS(60))));
    return a.result;
}

static size_t clones(void)
{
    AUTO(free_p) char *n = fx_out("ls work/git | wc -l");
    return (size_t)atoll(n);
}

static bool can_read(git_lease_t *l, const char *commit)
{
    git_oid oid;
    git_commit *c = NULL;
    git_oid_fromstr(&oid, commit);
    bool ok = git_commit_lookup(&c, git_lease_repo(l), &oid) == 0;
    git_commit_free(c);
    return ok;
}

static void clones_go_unless_they_are_in_use(void **state)
{
    AUTO_ERR err = NULL;
    origin_t *origins[3];
    char commits[3][41];
    fx_sh("rm -rf work");
    open_store();
    for (int i = 0; i < 3; i++) {
        AUTO(free_p) char *name = xasprintf("r%d", i);
        AUTO(free_p) char *url = xasprintf("file://%s/%s.git", fx_dir(), name);
        fx_repo(name);
        memcpy(commits[i], fx_commit(name, "one"), 41);
        origins[i] = fx_origin(url);
        assert_int_equal(want(origins[i], commits[i]), 0);
    }
    git_lease_t *held = NULL;
    ASSERT_OK(git_lease_open(store, origins[1]->storage_key, &held, &err));
    fx_sh("touch -d '1 hour ago' work/git/*");
    disk_t *d = tidier((struct disk_options){.max_bytes = 1, .grace_ns = SECONDS(60)});
    disk_tidy(d);
    assert_int_equal(clones(), 1);
    assert_true(can_read(held, commits[1]));
    assert_true(metric_value(metric_counter(metrics, "cargocd_repo_evictions_total", "", NULL), NULL) == 2);
    git_lease_close(held);
    assert_int_equal(want(origins[0], commits[0]), 0); /* fetched again; it is new, so that it stays */
    disk_tidy(d);
    assert_int_equal(clones(), 1);
    held = NULL;
    ASSERT_OK(git_lease_open(store, origins[0]->storage_key, &held, &err));
    assert_true(can_read(held, commits[0]));
    git_lease_close(held);
    disk_free(d);
    /* After a restart nothing is known of the clones but what is on disk. */
    close_store();
    fx_sh("mkdir -p work/git/x.new work/git/y.old work/git/z.gone; touch -d '8 days ago' work/git/*");
    open_store();
    assert_int_equal(clones(), 1);
    d = tidier((struct disk_options){.max_idle_ns = SECONDS(7 * 86400)});
    disk_tidy(d);
    assert_int_equal(clones(), 0);
    assert_int_equal(want(origins[2], commits[2]), 0);
    disk_tidy(d);
    assert_int_equal(clones(), 1);
    /* Reading is use. */
    fx_sh("touch -d '8 days ago' work/git/*");
    close_store();
    open_store();
    disk_free(d);
    d = tidier((struct disk_options){.max_idle_ns = SECONDS(7 * 86400)});
    assert_int_equal(want(origins[2], commits[2]), 0);
    disk_tidy(d);
    assert_int_equal(clones(), 1);
    disk_free(d);
    close_store();
    for (int i = 0; i < 3; i++)
        origin_unref(origins[i]);
}

/* Readers, fetches and the tidier at once: nobody meets a clone that is half gone. */
static atomic_bool stop;

static void *tidy_always(void *arg)
{
    while (!stop) {
        fx_sh("touch -d '1 hour ago' work/git/* 2>/dev/null || true");
        disk_tidy(arg);
    }
    return NULL;
}

static void nobody_meets_half_a_clone(void **state)
{
    fx_sh("rm -rf work");
    open_store();
    fx_repo("busy");
    char commit[41];
    memcpy(commit, fx_commit("busy", "one"), 41);
    AUTO(free_p) char *url = xasprintf("file://%s/busy.git", fx_dir());
    AUTO(origin_unref_p) origin_t *o = fx_origin(url);
    disk_t *d = tidier((struct disk_options){.max_bytes = 1, .grace_ns = 1});
    stop = false;
    pthread_t t = thread_start("tidy", tidy_always, d);
    size_t read = 0;
    for (int i = 0; i < 30; i++) {
        AUTO_ERR err = NULL;
        git_lease_t *l = NULL;
        int r = want(o, commit);
        assert_true(r == 0 || r == -ERR_NOT_FOUND); /* it may be gone again */
        if (git_lease_open(store, o->storage_key, &l, &err) < 0) {
            assert_int_equal(err_code(err), ERR_NOT_FOUND);
            continue;
        }
        assert_true(can_read(l, commit));
        git_lease_close(l);
        read++;
    }
    stop = true;
    pthread_join(t, NULL);
    assert_true(read > 0);
    disk_free(d);
    close_store();
}

/* ---- all of it, by the server ---- */

static void the_server_keeps_within_its_limit(void **state)
{
    struct fx_server s = {.options = fx_server_options()};
    s.options.disk = (struct disk_options){.max_bytes = 1, .grace_ns = SECONDS(60), .period_ns = MILLIS(50)};
    fx_server_start(&s, "bounded");
    fx_repo("limited");
    fx_write("limited/app/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    fx_commit("limited", "one");
    AUTO(free_p) char *url = fx_file_url("limited");
    struct fx_ask a;
    fx_expect(&s, fx_ask(&a, url, "{\"path\":\"app\"}"), "\"name\":\"a\"");
    fx_sh("mkdir -p bounded/git/0123.lfs/ab && echo x > bounded/git/0123.lfs/ab/abcd && echo x > "
          "bounded/artifacts/packs/p && echo x > bounded/artifacts/lists/l");
    sleep_ns(MILLIS(200));
    assert_true(fx_figure(&s, "cargocd_repo_evictions_total") == 0); /* too new */
    assert_true(fx_figure(&s, "cargocd_repo_disk_bytes") > 0);
    fx_sh("find bounded/git bounded/artifacts -depth -exec touch -d '1 hour ago' {} +");
    for (int i = 0; i < 100 && fx_figure(&s, "cargocd_repo_evictions_total") < 4; i++)
        sleep_ns(MILLIS(50));
    AUTO(free_p) char *left = fx_out("find bounded/git bounded/artifacts -type f | wc -l");
    assert_string_equal(left, "0");
    assert_true(fx_figure(&s, "cargocd_repo_evictions_total") == 4);
    a.q.no_cache = true;
    fx_expect(&s, &a.q, "\"name\":\"a\"");
    fx_server_stop(&s);
}

static int setup(void **state)
{
    rpc_setup();
    return fx_begin(state);
}

static int teardown(void **state)
{
    nng_fini();
    return fx_end(state);
}

REPO_TESTS(setup, teardown, T(the_oldest_go_first), T(clones_go_unless_they_are_in_use),
           T(nobody_meets_half_a_clone), T(the_server_keeps_within_its_limit))
