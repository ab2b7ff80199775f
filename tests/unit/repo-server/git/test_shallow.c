/* Repositories with a depth, fetched from git's own servers. */
#include "tests/unit/repo-server/fixture/fixture.h"
#include "repo-server/git/shallow.h"
#include "repo-server/git/store.h"

#include <pthread.h>

enum { COMMITS = 6 };

static pool_t *pool;
static git_store_t *store;
static char commits[COMMITS][GIT_OID_HEX], *tag, *side;

static int setup(void **state)
{
    fx_begin(state);
    fx_repo("deep");
    for (int i = 0; i < COMMITS; i++) {
        AUTO(free_p) char *text = xasprintf("i: %d\n", i);
        AUTO(free_p) char *file = xasprintf("deep/f%d.yaml", i);
        fx_write(file, text);
        memcpy(commits[i], fx_commit("deep", "n"), GIT_OID_HEX);
    }
    fx_sh("cd deep && git tag -m x v1 %s && git push -q origin v1 && git checkout -q -b side %s && git "
          "commit -q "
          "--allow-empty -m side && git push -q origin side && git checkout -q main",
          commits[2], commits[1]);
    tag = fx_out("git -C deep rev-parse v1");
    side = fx_out("git -C deep rev-parse side");
    return 0;
}

static int teardown(void **state)
{
    free(tag);
    free(side);
    return fx_end(state);
}

static void open_store(void)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *root = xasprintf("%s/work", fx_dir());
    fx_sh("rm -rf work");
    pool = pool_new("git", 8, 1000);
    struct git_store_options options = {
        .root = root, .settings = fx_settings(), .pool = pool, .join_packs = 3};
    ASSERT_OK(git_store_new(&options, &store, &err));
}

static void close_store(void)
{
    pool_free(pool);
    git_store_free(store);
}

static origin_t *deep(const char *url, int64_t depth)
{
    AUTO_ERR err = NULL;
    origin_t *o = NULL;
    AUTO(free_p) char *key = str_has_prefix(url, "ssh:") ? fx_out("cat ssh/id") : NULL;
    struct git_access access = {.url = url, .ssh_private_key = key, .depth = depth};
    ASSERT_OK(origin_new(&access, fx_settings(), &o, &err));
    return o;
}

/* ---- wanting ---- */

struct answer {
    lock_t lock;
    cond_t cond;
    unsigned done, failed;
    err_t *err;
};

static void on_commit(void *arg, const char *commit, err_t *err)
{
    struct answer *a = arg;
    LOCKED(&a->lock);
    a->done++;
    a->failed += err != NULL;
    err_free(a->err);
    a->err = err_copy(err);
    pthread_cond_broadcast(&a->cond);
}

static void wait_for(struct answer *a, unsigned n)
{
    LOCKED(&a->lock);
    mono_t deadline = mono_after(mono_now(), SECONDS(60));
    while (a->done < n)
        assert_true(cond_wait_until(&a->cond, &a->lock, deadline));
}

static int want(origin_t *o, const char *commit, const char *ref, err_t **err)
{
    struct answer a = {.lock = LOCK_INIT};
    cond_init(&a.cond);
    git_store_want(store, o, commit, ref, on_commit, &a);
    wait_for(&a, 1);
    return a.err ? err_move(err, a.err) : 0;
}

/* The names of the files of a commit, by libgit2: it has all of the commit's tree. NULL: not there. */
static bool there(const origin_t *o, const char *commit, size_t files)
{
    AUTO(git_lease_close_p) git_lease_t *l = NULL;
    git_commit *c = NULL;
    git_tree *t = NULL;
    git_oid oid;
    git_oid_fromstr(&oid, commit);
    bool ok = git_lease_open(store, o->storage_key, &l, NULL) == 0 &&
              git_commit_lookup(&c, git_lease_repo(l), &oid) == 0 && git_commit_tree(&t, c) == 0;
    if (ok) {
        assert_int_equal(git_tree_entrycount(t), files);
        for (size_t i = 0; i < files; i++) {
            git_blob *b = NULL;
            assert_int_equal(
                git_blob_lookup(&b, git_lease_repo(l), git_tree_entry_id(git_tree_entry_byindex(t, i))), 0);
            git_blob_free(b);
        }
    }
    git_tree_free(t);
    git_commit_free(c);
    return ok;
}

static size_t number(const char *script)
{
    AUTO(free_p) char *text = fx_out("%s", script);
    int64_t n = -1;
    assert_true(str_to_i64(text, &n));
    return (size_t)n;
}

/* Git itself finds the clone whole, as far as its history goes. */
static void git_agrees(void)
{
    fx_sh(
        "cd work/git/*/ && git fsck --no-dangling --strict >../../fsck 2>&1 || { cat ../../fsck; exit 1; }");
}

/* ---- tests ---- */

static void fetches(const char *url, unsigned depth)
{
    AUTO_ERR err = NULL;
    AUTO(origin_unref_p) origin_t *o = deep(url, depth);
    open_store();
    int last = COMMITS - 1;
    ASSERT_OK(want(o, commits[last], "refs/heads/main", &err));
    assert_true(there(o, commits[last], COMMITS));
    for (int i = 0; i < last; i++)
        assert_int_equal(there(o, commits[i], (size_t)i + 1), i > last - (int)depth);
    git_agrees();
    /* Incremental: what is there already does not come again. */
    size_t before = number("git -C work/git/*/ count-objects -v | sed -n 's/in-pack: //p'");
    assert_int_equal(before, COMMITS + 2 * depth); /* a blob for each file, commits and trees */
    fx_write("deep/f0.yaml", "i: 0\n");
    fx_sh("cd deep && git commit -q --allow-empty -m more && git push -q origin HEAD");
    AUTO(free_p) char *more = fx_out("git -C deep rev-parse HEAD");
    ASSERT_OK(want(o, more, NULL, &err));
    assert_true(there(o, more, COMMITS));
    assert_int_equal(number("git -C work/git/*/ count-objects -v | sed -n 's/in-pack: //p'"), before + 1);
    git_agrees();
    close_store();
    fx_sh("cd deep && git reset -q --hard HEAD~ && git push -q -f origin HEAD");
}

static void a_part_of_the_history_comes_over_http(void **state)
{
    const char *base = fx_http(0);
    if (!base)
        skip();
    AUTO(free_p) char *url = xasprintf("%s/deep.git", base);
    fetches(url, 1);
    fetches(url, 3);
}

static void a_part_of_the_history_comes_over_ssh(void **state)
{
    const char *base = fx_ssh();
    if (!base)
        skip();
    AUTO(free_p) char *url = xasprintf("%s/deep.git", base);
    fetches(url, 1);
    fetches(url, 2);
}

static void a_part_of_the_history_comes_from_a_git_daemon(void **state)
{
    AUTO(free_p) char *url = xasprintf("%s/deep.git", fx_git_daemon());
    fetches(url, 1);
}

/* Other depths, older commits, tags, abbreviations, in one clone. */
static void what_is_asked_later_is_found(const char *url, bool reachable)
{
    AUTO_ERR err = NULL;
    AUTO(origin_unref_p) origin_t *one = deep(url, 1);
    AUTO(origin_unref_p) origin_t *four = deep(url, 4);
    assert_string_equal(one->storage_key, four->storage_key);
    open_store();
    ASSERT_OK(want(one, commits[5], "refs/heads/main", &err));
    ASSERT_OK(want(one, commits[2], NULL, &err)); /* a tag points to it */
    assert_true(there(one, commits[2], 3));
    assert_false(there(one, commits[1], 2));
    ASSERT_OK(want(one, tag, "refs/tags/v1", &err));
    ASSERT_OK(want(four, side, NULL, &err));
    assert_true(there(one, commits[0], 1)); /* behind it */
    git_agrees();
    ASSERT_OK(want(one, commits[4], NULL, &err)); /* nothing points to it */
    assert_true(there(one, commits[4], 5));
    assert_int_equal(there(one, commits[3], 4), !reachable); /* else all of the history came */
    ASSERT_OK(want(one, commits[3], NULL, &err));
    git_agrees();
    assert_int_equal(want(one, "0123456789012345678901234567890123456789", NULL, &err), -ERR_NOT_FOUND);
    assert_non_null(strstr(err_text(err), "0123456789012345678901234567890123456789"));
    err_clear(&err);
    /* The abbreviation of what is there, of a tip, and of nothing. */
    AUTO(free_p) char *abbreviated = xstrndup(commits[3], 9);
    ASSERT_OK(want(one, abbreviated, NULL, &err));
    close_store();
    open_store();
    AUTO(free_p) char *tip = xstrndup(side, 9);
    ASSERT_OK(want(one, tip, NULL, &err));
    assert_int_equal(want(one, abbreviated, NULL, &err), -ERR_NOT_FOUND);
    assert_non_null(strstr(err_text(err), "in full"));
    close_store();
}

static void commits_of_the_past_are_found(void **state)
{
    const char *base = fx_http(0);
    if (!base)
        skip();
    AUTO(free_p) char *url = xasprintf("%s/deep.git", base);
    fx_sh("git -C deep.git config uploadpack.allowAnySHA1InWant false");
    what_is_asked_later_is_found(url, false);
    fx_sh("git -C deep.git config uploadpack.allowReachableSHA1InWant true");
    what_is_asked_later_is_found(url, true);
}

/* Each run brings one commit only, so that those who wait take turns. */
static void many_callers_want_different_commits(void **state)
{
    const char *base = fx_http(0);
    if (!base)
        skip();
    AUTO(free_p) char *url = xasprintf("%s/deep.git", base);
    AUTO(origin_unref_p) origin_t *o = deep(url, 1);
    open_store();
    struct answer a = {.lock = LOCK_INIT};
    cond_init(&a.cond);
    for (int i = 0; i < 60; i++)
        git_store_want(store, o, commits[i % COMMITS], NULL, on_commit, &a);
    wait_for(&a, 60);
    assert_int_equal(a.failed, 0);
    err_free(a.err);
    for (int i = 0; i < COMMITS; i++)
        assert_true(there(o, commits[i], (size_t)i + 1));
    git_agrees();
    AUTO(free_p) char *packs = fx_out("ls work/git/*/objects/pack/*.pack | wc -l");
    assert_in_range(atoll(packs), 1, 4); /* joined on the way */
    close_store();
}

/* A clone of whole histories and one of cut ones are apart, and neither is damaged by the other. */
static void depth_comes_and_goes(void **state)
{
    const char *base = fx_http(0);
    if (!base)
        skip();
    AUTO_ERR err = NULL;
    AUTO(free_p) char *url = xasprintf("%s/deep.git", base);
    AUTO(origin_unref_p) origin_t *cut = deep(url, 1);
    AUTO(origin_unref_p) origin_t *all = deep(url, 0);
    AUTO(origin_unref_p) origin_t *whole = NULL;
    AUTO(origin_unref_p) origin_t *same = NULL;
    assert_string_not_equal(cut->storage_key, all->storage_key);
    assert_string_equal(cut->access_key, all->access_key);
    ASSERT_OK(origin_whole(cut, fx_settings(), &whole, &err));
    ASSERT_OK(origin_whole(all, fx_settings(), &same, &err));
    assert_true(same == all);
    assert_string_equal(whole->storage_key, all->storage_key);
    assert_string_equal(whole->access_key, all->access_key);
    open_store();
    ASSERT_OK(want(cut, commits[5], NULL, &err));
    ASSERT_OK(want(all, commits[5], NULL, &err));
    assert_true(there(all, commits[0], 1));
    assert_false(there(cut, commits[0], 1));
    close_store();
    /* Where nothing can be cut, nothing is. */
    AUTO(free_p) char *local = xasprintf("file://%s/deep.git", fx_dir());
    AUTO(origin_unref_p) origin_t *file = deep(local, 1);
    assert_int_equal(file->depth, 0);
}

static void damage_is_repaired(void **state)
{
    const char *base = fx_http(0);
    if (!base)
        skip();
    static const char *const how[] = {"rm objects/pack/*.pack objects/pack/*.idx", ": > shallow",
                                      "echo rubbish > cargocd-tips; echo rubbish > shallow",
                                      "rm shallow cargocd-tips"};
    AUTO_ERR err = NULL;
    AUTO(free_p) char *url = xasprintf("%s/deep.git", base);
    AUTO(origin_unref_p) origin_t *o = deep(url, 1);
    for (size_t i = 0; i < ARRAY_LEN(how); i++) {
        open_store();
        ASSERT_OK(want(o, commits[2], NULL, &err));
        close_store();
        fx_sh("cd work/git/*/ && chmod -R u+w . && %s && mkdir ../../../kept && mv ../../git ../../../kept",
              how[i]);
        open_store();
        fx_sh("rm -rf work/git && mv kept/git work && rmdir kept");
        ASSERT_OK(want(o, commits[5], NULL, &err));
        assert_true(there(o, commits[5], COMMITS));
        close_store();
    }
}

static void servers_that_cannot_are_told(void **state)
{
    const char *base = fx_http(0);
    if (!base)
        skip();
    AUTO_ERR err = NULL;
    AUTO(free_p) char *url = xasprintf("%s/absent.git", base);
    AUTO(origin_unref_p) origin_t *o = deep(url, 1);
    open_store();
    assert_int_equal(want(o, commits[5], NULL, &err), -ERR_NOT_FOUND);
    err_clear(&err);
    fx_sh("git init -q --bare empty.git");
    AUTO(free_p) char *empty = xasprintf("%s/empty.git", base);
    AUTO(origin_unref_p) origin_t *e = deep(empty, 1);
    assert_int_equal(want(e, commits[5], NULL, &err), -ERR_NOT_FOUND);
    err_clear(&err);
    unsigned port = fx_silent_port();
    AUTO(free_p) char *silent = xasprintf("git://localhost:%u/x.git", port);
    AUTO(origin_unref_p) origin_t *s = deep(silent, 1);
    struct git_settings *settings = (struct git_settings *)fx_settings();
    settings->fetch_timeout_ns = MILLIS(500);
    assert_int_equal(want(s, commits[5], NULL, &err), -ERR_DEADLINE_EXCEEDED);
    close_store();
}

/* A git:// server that says what it is given: what it has, and after the request, an answer. */
static const char *canned(const char *answer)
{
    unsigned port = fx_free_port();
    AUTO(free_p) char *number = xasprintf("%u", port);
    AUTO(free_p)
    char *script = xasprintf(
        "import socketserver, sys\n"
        "def pkt(b): return b'%%04x' %% (len(b) + 4) + b\n"
        "class H(socketserver.StreamRequestHandler):\n"
        "    def handle(self):\n"
        "        if not self.request.recv(4): return\n"
        "        self.wfile.write(pkt(b'%s HEAD\\0shallow side-band-64k') + b'0000')\n"
        "        got = b''\n"
        "        while b'done' not in got:\n"
        "            more = self.request.recv(4096)\n"
        "            if not more: return\n"
        "            got += more\n"
        "        self.wfile.write(%s)\n"
        "socketserver.ThreadingTCPServer.allow_reuse_address = True\n"
        "socketserver.ThreadingTCPServer(('127.0.0.1', int(sys.argv[1])), H).serve_forever()\n",
        commits[5], answer);
    char *argv[] = {"python3", "-c", script, number, NULL};
    fx_serve(argv, port);
    return fx_keep(xasprintf("git://localhost:%u/x.git", port));
}

/* Nothing of it stays: the next try, with a good server, begins anew. */
static void hostile_answers_are_refused(void **state)
{
    static const struct {
        const char *answer, *part;
        enum err_code code;
    } cases[] = {
        {"b''", "", ERR_UNAVAILABLE},
        {"b'junk' * 1000", "malformed", ERR_UNAVAILABLE},
        {"pkt(b'NAK')", "malformed", ERR_UNAVAILABLE},
        {"b'0000' + pkt(b'NAK\\n') + pkt(b'\\3out of disk')", "out of disk", ERR_UNAVAILABLE},
        {"b'0000' + pkt(b'NAK\\n') + pkt(b'\\7what')", "malformed", ERR_UNAVAILABLE},
        {"b'0000' + pkt(b'NAK\\n') + pkt(b'\\1PACKjunkjunkjunk') + b'0000'", "pack", ERR_UNAVAILABLE},
        {"b'0000' + pkt(b'NAK\\n') + pkt(b'\\1PACK' + bytes([0,0,0,2,0,0,0,0])) + b'0000'",
         "not in the repository", ERR_NOT_FOUND},
        {"b'0000' + pkt(b'NAK\\n') + pkt(b'\\1PACK' + bytes([0,0,0,2,0,0,0,9]))", "", ERR_UNAVAILABLE},
        {"b'0000' + b'0000'", "", ERR_UNAVAILABLE},
        {"pkt(b'ERR upload-pack: not our ref x')", "not in the repository", ERR_NOT_FOUND},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO(origin_unref_p) origin_t *o = deep(canned(cases[i].answer), 1);
        open_store();
        int r = want(o, commits[5], NULL, &err);
        if (r != -(int)cases[i].code || !strstr(err_text(err), cases[i].part))
            fail_msg("%s: %s", cases[i].answer, err_text(err));
        AUTO(free_p) char *left = fx_out("ls work/git");
        assert_string_equal(left, "");
        close_store();
    }
}

REPO_TESTS(setup, teardown, T(a_part_of_the_history_comes_over_http), T(a_part_of_the_history_comes_over_ssh),
           T(a_part_of_the_history_comes_from_a_git_daemon), T(commits_of_the_past_are_found),
           T(many_callers_want_different_commits), T(depth_comes_and_goes), T(damage_is_repaired),
           T(hostile_answers_are_refused), T(servers_that_cannot_are_told))
