#include "tests/unit/repo-server/fixture/fixture.h"
#include "repo-server/git/lists.h"
#include "repo-server/git/store.h"

#include <sys/stat.h>
#include <unistd.h>

static metrics_t *metrics;
static metric_t *requests;
static pool_t *pool;
static git_store_t *store;
static git_lists_t *lists;

static void open_all(int64_t ttl_ns)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *root = xasprintf("%s/work", fx_dir());
    metrics = metrics_new();
    requests = metric_counter(metrics, "argocd_git_request_total", "n", LABELS("repo", "request_type"));
    pool = pool_new("git", 8, 1000);
    struct git_store_options so = {
        .root = root, .settings = fx_settings(), .pool = pool, .join_packs = 3, .requests = requests};
    ASSERT_OK(git_store_new(&so, &store, &err));
    lists = git_lists_new(&(struct git_lists_options){
        .settings = fx_settings(), .pool = pool, .ttl_ns = ttl_ns, .requests = requests});
}

static void close_all(void)
{
    pool_free(pool);
    git_lists_free(lists);
    git_store_free(store);
    metrics_free(metrics);
}

static double count(const origin_t *o, const char *type)
{
    return metric_value(requests, LABELS(o->shown, type));
}

/* ---- waiting for callbacks ---- */

struct answer {
    lock_t lock;
    cond_t cond;
    unsigned done, failed;
    char commit[GIT_OID_HEX];
    git_refs_t *refs;
    err_t *err;
};

static void answer_init(struct answer *a)
{
    *a = (struct answer){.lock = LOCK_INIT};
    cond_init(&a->cond);
}

static void answered(struct answer *a, const char *commit, git_refs_t *refs, err_t *err)
{
    LOCKED(&a->lock);
    a->done++;
    a->failed += err != NULL;
    if (commit)
        memcpy(a->commit, commit, sizeof(a->commit));
    git_refs_unref(a->refs);
    a->refs = git_refs_ref(refs);
    err_free(a->err);
    a->err = err_copy(err);
    pthread_cond_broadcast(&a->cond);
}

static void on_commit(void *arg, const char *commit, err_t *err)
{
    answered(arg, commit, NULL, err);
}

static void on_refs(void *arg, git_refs_t *refs, err_t *err)
{
    answered(arg, NULL, refs, err);
}

static void wait_answers(struct answer *a, unsigned n)
{
    LOCKED(&a->lock);
    mono_t deadline = mono_after(mono_now(), SECONDS(60));
    while (a->done < n)
        assert_true(cond_wait_until(&a->cond, &a->lock, deadline));
}

static void answer_dispose(struct answer *a)
{
    git_refs_unref(a->refs);
    err_free(a->err);
}

static int want(origin_t *o, const char *commit, const char *ref, struct answer *a)
{
    answer_init(a);
    git_store_want(store, o, commit, ref, on_commit, a);
    wait_answers(a, 1);
    return a->err ? -(int)a->err->code : 0;
}

static int list(origin_t *o, bool fresh, struct answer *a)
{
    answer_init(a);
    git_lists_get(lists, o, fresh, on_refs, a);
    wait_answers(a, 1);
    return a->err ? -(int)a->err->code : 0;
}

static bool readable(const origin_t *o, const char *commit)
{
    AUTO_ERR err = NULL;
    AUTO(git_lease_close_p) git_lease_t *l = NULL;
    git_commit *c = NULL;
    git_tree *t = NULL;
    git_oid oid;
    git_oid_fromstr(&oid, commit);
    bool ok = git_lease_open(store, o->storage_key, &l, &err) == 0 &&
              git_commit_lookup(&c, git_lease_repo(l), &oid) == 0 && git_commit_tree(&t, c) == 0;
    git_tree_free(t);
    git_commit_free(c);
    return ok;
}

/* ---- tests ---- */

static void two_hundred_callers_make_one_fetch(void **state)
{
    open_all(SECONDS(60));
    fx_repo("many");
    fx_write("many/a.yaml", "a: 1\n");
    char first[GIT_OID_HEX];
    memcpy(first, fx_commit("many", "one"), sizeof(first));
    AUTO(free_p) char *url = xasprintf("file://%s/many.git", fx_dir());
    AUTO(origin_unref_p) origin_t *o = fx_origin(url);
    struct answer a, b;
    answer_init(&a);
    answer_init(&b);
    for (int i = 0; i < 200; i++) {
        git_lists_get(lists, o, false, on_refs, &b);
        git_store_want(store, o, first, "refs/heads/main", on_commit, &a);
    }
    wait_answers(&a, 200);
    wait_answers(&b, 200);
    assert_int_equal(a.failed + b.failed, 0);
    assert_true(count(o, "fetch") == 1 && count(o, "ls-remote") == 1);
    assert_string_equal(a.commit, first);
    assert_int_equal(git_refs_count(b.refs), 2);
    answer_dispose(&a);
    answer_dispose(&b);
    /* Present already: answered on this thread, without a fetch, also abbreviated. */
    first[10] = '\0';
    assert_int_equal(want(o, first, NULL, &a), 0);
    assert_int_equal(strlen(a.commit), 40);
    assert_true(count(o, "fetch") == 1);
    answer_dispose(&a);
    struct stat st;
    AUTO(free_p) char *work = xasprintf("%s/work/git", fx_dir());
    assert_int_equal(stat(work, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    close_all();
}

static void what_is_pushed_later_is_found(void **state)
{
    open_all(MILLIS(1));
    fx_repo("later");
    fx_commit("later", "one");
    AUTO(free_p) char *url = xasprintf("file://%s/later.git", fx_dir());
    AUTO(origin_unref_p) origin_t *o = fx_origin(url);
    struct answer a;
    for (int i = 0; i < 6; i++) {
        const char *commit = fx_commit("later", "next");
        assert_int_equal(list(o, true, &a), 0);
        assert_string_equal(git_refs_at(a.refs, 0)->commit, commit);
        answer_dispose(&a);
        assert_int_equal(want(o, commit, "refs/heads/main", &a), 0);
        answer_dispose(&a);
        assert_true(readable(o, commit));
    }
    AUTO(free_p) char *packs = fx_out("ls work/git/*/objects/pack/*.pack | wc -l");
    assert_in_range(atoll(packs), 1, 4); /* joined on the way */
    assert_int_equal(want(o, "0123456789012345678901234567890123456789", NULL, &a), -ERR_NOT_FOUND);
    assert_non_null(strstr(err_text(a.err), "0123456789012345678901234567890123456789"));
    answer_dispose(&a);
    assert_int_equal(want(o, "abcdef0", NULL, &a), -ERR_NOT_FOUND);
    answer_dispose(&a);
    close_all();
}

static void a_clone_survives_a_restart(void **state)
{
    open_all(SECONDS(60));
    fx_repo("restart");
    char commit[GIT_OID_HEX];
    memcpy(commit, fx_commit("restart", "one"), sizeof(commit));
    AUTO(free_p) char *url = xasprintf("file://%s/restart.git", fx_dir());
    AUTO(origin_unref_p) origin_t *o = fx_origin(url);
    struct answer a;
    assert_int_equal(want(o, commit, NULL, &a), 0);
    answer_dispose(&a);
    close_all();
    open_all(SECONDS(60));
    assert_int_equal(want(o, commit, NULL, &a), 0);
    assert_true(count(o, "fetch") == 0);
    answer_dispose(&a);
    close_all();
}

static void damage(const char *how)
{
    fx_repo("broken");
    fx_write("broken/a.yaml", "a: 1\n");
    char commit[GIT_OID_HEX];
    memcpy(commit, fx_commit("broken", "one"), sizeof(commit));
    AUTO(free_p) char *url = xasprintf("file://%s/broken.git", fx_dir());
    AUTO(origin_unref_p) origin_t *o = fx_origin(url);
    struct answer a;
    fx_sh("rm -rf work");
    open_all(SECONDS(60));
    assert_int_equal(want(o, commit, NULL, &a), 0);
    answer_dispose(&a);
    close_all();
    fx_sh("cd work/git/*/ && %s", how);
    open_all(SECONDS(60));
    want(o, commit, NULL, &a);
    answer_dispose(&a);
    if (!readable(o, commit)) { /* what a renderer does when it meets this */
        AUTO_ERR err = NULL;
        git_lease_t *l = NULL;
        if (git_lease_open(store, o->storage_key, &l, &err) == 0) {
            assert_true(git_lease_corrupt(l));
            git_lease_close(l);
        }
    }
    assert_int_equal(want(o, commit, NULL, &a), 0);
    answer_dispose(&a);
    assert_true(readable(o, commit));
    close_all();
    fx_sh("rm -rf broken broken.git; [ $(ls -d work/git/* | wc -l) = 1 ]");
}

static void corruption_is_detected_and_the_clone_rebuilt(void **state)
{
    damage("rm objects/pack/*.pack");
    damage("rm objects/pack/*.idx");
    damage("for f in objects/pack/*.pack; do chmod 600 $f; printf 'rubbishrubbish' | dd of=$f bs=1 seek=20 "
           "conv=notrunc "
           "2>/dev/null; done");
    damage("for f in objects/pack/*.idx; do chmod 600 $f; : > $f; done");
    damage("rm HEAD");
    damage("rm -r objects refs");
    damage("printf 'rubbish' > packed-refs");
    damage("printf '[core' > config");
    damage("touch objects/pack/pack_git2_abc objects/pack/tmp_pack_x");
}

static void packs_are_not_pulled_from_under_a_reader(void **state)
{
    open_all(SECONDS(60));
    fx_repo("reader");
    AUTO(free_p) char *url = xasprintf("file://%s/reader.git", fx_dir());
    AUTO(origin_unref_p) origin_t *o = fx_origin(url);
    AUTO_ERR err = NULL;
    struct answer a;
    git_lease_t *l = NULL;
    char first[GIT_OID_HEX];
    for (int i = 0; i < 6; i++) {
        AUTO(free_p) char *text = xasprintf("i: %d\n", i);
        fx_write("reader/a.yaml", text);
        const char *commit = fx_commit("reader", "n");
        assert_int_equal(want(o, commit, NULL, &a), 0);
        answer_dispose(&a);
        if (i == 0) {
            memcpy(first, commit, sizeof(first));
            ASSERT_OK(git_lease_open(store, o->storage_key, &l, &err));
        }
    }
    AUTO(free_p) char *before = fx_out("ls work/git/*/objects/pack/*.pack | wc -l");
    assert_true(atoll(before) > 4);
    git_commit *c = NULL;
    git_oid oid;
    git_oid_fromstr(&oid, first);
    assert_int_equal(git_commit_lookup(&c, git_lease_repo(l), &oid), 0);
    git_commit_free(c);
    git_lease_close(l);
    assert_true(readable(o, first));
    close_all();
}

/* Tenants share objects, not access. */
static void a_list_is_seen_by_its_own_credential_only(void **state)
{
    const char *base = fx_http(FX_BASIC);
    if (!base)
        skip();
    open_all(SECONDS(60));
    fx_repo("private");
    fx_commit("private", "one");
    AUTO(free_p) char *url = xasprintf("%s/private.git", base);
    AUTO_ERR err = NULL;
    AUTO(origin_unref_p) origin_t *member = NULL;
    AUTO(origin_unref_p) origin_t *stranger = NULL;
    ASSERT_OK(origin_new(&(struct git_access){.url = url, .username = "user", .password = "s3cret"},
                         fx_settings(), &member, &err));
    ASSERT_OK(origin_new(&(struct git_access){.url = url}, fx_settings(), &stranger, &err));
    struct answer a;
    assert_int_equal(list(member, false, &a), 0);
    answer_dispose(&a);
    assert_true(git_lists_granted(lists, member));
    assert_false(git_lists_granted(lists, stranger));
    assert_int_equal(list(stranger, false, &a), -ERR_UNAUTHENTICATED);
    answer_dispose(&a);
    assert_false(git_lists_granted(lists, stranger));
    /* A credential that was taken back is noticed by the next listing. */
    fx_write("users", "user:other\n");
    assert_int_equal(list(member, true, &a), -ERR_UNAUTHENTICATED);
    answer_dispose(&a);
    assert_false(git_lists_granted(lists, member));
    close_all();
}

static void failures_are_asked_again_after_a_pause(void **state)
{
    open_all(SECONDS(60));
    AUTO(free_p) char *url = xasprintf("file://%s/absent.git", fx_dir());
    AUTO(origin_unref_p) origin_t *o = fx_origin(url);
    struct answer a;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(list(o, false, &a), -ERR_NOT_FOUND);
        answer_dispose(&a);
    }
    assert_true(count(o, "ls-remote") == 1);
    fx_repo("absent");
    fx_commit("absent", "one");
    sleep_ns(MILLIS(1100));
    assert_int_equal(list(o, false, &a), 0); /* recovered by itself */
    answer_dispose(&a);
    assert_true(count(o, "ls-remote") == 2);
    close_all();
}

REPO_TESTS(fx_begin, fx_end, T(two_hundred_callers_make_one_fetch), T(what_is_pushed_later_is_found),
           T(a_clone_survives_a_restart), T(corruption_is_detected_and_the_clone_rebuilt),
           T(packs_are_not_pulled_from_under_a_reader), T(a_list_is_seen_by_its_own_credential_only),
           T(failures_are_asked_again_after_a_pause))
