#include "tests/unit/repo-server/fixture/fixture.h"
#include "common/base/file.h"

#include <git2.h>

static char *first, *second;

static int setup(void **state)
{
    fx_begin(state);
    fx_repo("app");
    fx_write("app/a.yaml", "a: 1\n");
    first = xstrdup(fx_commit("app", "one"));
    fx_sh("cd app && git tag -a -m v1 v1.0.0 && git tag light && git push -q --tags origin");
    fx_write("app/a.yaml", "a: 2\n");
    second = xstrdup(fx_commit("app", "two"));
    return 0;
}

static int teardown(void **state)
{
    free(first);
    free(second);
    return fx_end(state);
}

static char *read_pem(const char *name)
{
    return fx_out("cat %s", name);
}

static bool clone_has(const char *dir, const char *commit)
{
    git_repository *repo = NULL;
    git_object *object = NULL;
    git_oid oid;
    AUTO(free_p) char *path = xasprintf("%s/%s", fx_dir(), dir);
    assert_int_equal(git_oid_fromstr(&oid, commit), 0);
    bool found = git_repository_open_bare(&repo, path) == 0 &&
                 git_object_lookup(&object, repo, &oid, GIT_OBJECT_COMMIT) == 0;
    git_object_free(object);
    git_repository_free(repo);
    return found;
}

/* Lists and fetches through an access, and checks what came. */
static void works(const struct git_access *access, const char *clone)
{
    AUTO_ERR err = NULL;
    AUTO(origin_unref_p) origin_t *o = NULL;
    AUTO(git_refs_unref_p) git_refs_t *refs = NULL;
    AUTO(free_p) char *dir = xasprintf("%s/%s", fx_dir(), clone);
    ASSERT_OK(origin_new(access, fx_settings(), &o, &err));
    ASSERT_OK(origin_list(o, fx_settings(), &refs, &err));
    struct git_revision rev = {};
    ASSERT_OK(git_refs_resolve(refs, "HEAD", NULL, &rev, &err));
    assert_string_equal(rev.text, second);
    assert_string_equal(rev.ref, "refs/heads/main");
    git_revision_dispose(&rev);
    ASSERT_OK(git_refs_resolve(refs, "v1.0.0", NULL, &rev, &err));
    assert_string_equal(rev.text, first);
    git_revision_dispose(&rev);
    ASSERT_OK(origin_fetch(o, fx_settings(), dir, second, &err));
    assert_true(clone_has(clone, first) && clone_has(clone, second));
}

static void fails(const struct git_access *access, enum err_code code, const char *text)
{
    AUTO_ERR err = NULL;
    AUTO(origin_unref_p) origin_t *o = NULL;
    AUTO(git_refs_unref_p) git_refs_t *refs = NULL;
    ASSERT_OK(origin_new(access, fx_settings(), &o, &err));
    assert_true(origin_list(o, fx_settings(), &refs, &err) < 0);
    if (err_code(err) != code || !strstr(err_text(err), text))
        fail_msg("%s: code %d", err_text(err), err_code(err));
    assert_null(strstr(err_text(err), "s3cret"));
}

static void over_file(void **state)
{
    AUTO(free_p) char *url = xasprintf("file://%s/app.git", fx_dir());
    works(&(struct git_access){.url = url}, "c-file");
    AUTO_ERR err = NULL;
    origin_t *o = NULL;
    struct git_settings strict = *fx_settings();
    strict.allow_file = false;
    assert_int_equal(origin_new(&(struct git_access){.url = url}, &strict, &o, &err), -ERR_INVALID_ARGUMENT);
}

static void over_git(void **state)
{
    AUTO(free_p) char *url = xasprintf("%s/app.git", fx_git_daemon());
    works(&(struct git_access){.url = url}, "c-git");
}

static void over_http(void **state)
{
    const char *base = fx_http(0);
    if (!base)
        skip();
    AUTO(free_p) char *url = xasprintf("%s/app.git", base);
    works(&(struct git_access){.url = url}, "c-http");
    AUTO(free_p) char *missing = xasprintf("%s/none.git", base);
    fails(&(struct git_access){.url = missing}, ERR_NOT_FOUND, "repository not found");
}

static void over_http_with_basic(void **state)
{
    const char *base = fx_http(FX_BASIC);
    if (!base)
        skip();
    AUTO(free_p) char *url = xasprintf("%s/app.git", base);
    works(&(struct git_access){.url = url, .username = "user", .password = "s3cret"}, "c-basic");
    fails(&(struct git_access){.url = url}, ERR_UNAUTHENTICATED, "authentication required");
    fails(&(struct git_access){.url = url, .username = "user", .password = "s3cret-no"}, ERR_UNAUTHENTICATED,
          "authentication required");
    AUTO(free_p) char *inside = xasprintf("http://user:s3cret@%s/app.git", base + strlen("http://"));
    works(&(struct git_access){.url = inside}, "c-basic-url");
    fails(&(struct git_access){.url = inside, .password = "s3cret-no"}, ERR_UNAUTHENTICATED,
          "authentication");
}

static void over_http_with_bearer(void **state)
{
    const char *base = fx_http(FX_BEARER);
    if (!base)
        skip();
    AUTO(free_p) char *url = xasprintf("%s/app.git", base);
    works(&(struct git_access){.url = url, .bearer_token = "t0ken"}, "c-bearer");
    fails(&(struct git_access){.url = url}, ERR_PERMISSION_DENIED, "authorization failed");
    fails(
        &(struct git_access){.url = url, .bearer_token = "t0ken", .password = "s3cret", .force_basic = true},
        ERR_PERMISSION_DENIED, "authorization failed");
}

static void over_https(void **state)
{
    const char *base = fx_http(FX_TLS);
    if (!base)
        skip();
    AUTO(free_p) char *url = xasprintf("%s/app.git", base);
    works(&(struct git_access){.url = url}, "c-https"); /* the authority is in the TLS directory */
    fx_sh("mv tls-dir tls-away");
    fails(&(struct git_access){.url = url}, ERR_FAILED_PRECONDITION, "certificate is not trusted");
    works(&(struct git_access){.url = url, .insecure = true}, "c-insecure");
    fx_sh("mv tls-away tls-dir");
}

static void over_https_with_a_client_certificate(void **state)
{
    const char *base = fx_http(FX_TLS | FX_CLIENT_CERT);
    if (!base)
        skip();
    AUTO(free_p) char *url = xasprintf("%s/app.git", base);
    AUTO(free_p) char *cert = read_pem("tls/client.pem");
    AUTO(free_p) char *key = read_pem("tls/client.key");
    works(&(struct git_access){.url = url, .tls_client_cert = cert, .tls_client_key = key}, "c-mtls");
    fails(&(struct git_access){.url = url}, ERR_UNAVAILABLE, "failed to list refs of https://localhost");
    fails(&(struct git_access){.url = url, .tls_client_cert = "junk", .tls_client_key = "junk"},
          ERR_UNAUTHENTICATED, "client certificate");
}

static char *old_url(const char *base)
{
    return xasprintf("%.*s/old/app.git", (int)(strlen(base) - strlen("/git")), base);
}

static void redirects_are_followed_without_carrying_credentials_elsewhere(void **state)
{
    const char *open = fx_http(0);
    const char *guarded = fx_http(FX_BASIC);
    const char *tls = fx_http(FX_TLS);
    if (!open)
        skip();
    struct git_access access = {.username = "user", .password = "s3cret"};
    fx_http_redirect(open);
    AUTO(free_p) char *to_open = old_url(fx_http(0));
    access.url = to_open;
    works(&access, "c-redirect");
    fx_http_redirect(guarded);
    AUTO(free_p) char *to_guarded = old_url(fx_http(0));
    access.url = to_guarded;
    fails(&access, ERR_UNAUTHENTICATED, "authentication required"); /* another port, other credentials */
    fx_http_redirect(tls);
    AUTO(free_p) char *up = old_url(fx_http(0));
    works(&(struct git_access){.url = up, .insecure = true}, "c-redirect-tls");
    fx_http_redirect(open);
    AUTO(free_p) char *down = old_url(fx_http(FX_TLS));
    fails(&(struct git_access){.url = down}, ERR_FAILED_PRECONDITION, "Protocol");
    fx_http_redirect(NULL);
}

static void proxies_are_used_and_excepted(void **state)
{
    const char *base = fx_http(0);
    if (!base)
        skip();
    AUTO(free_p) char *url = xasprintf("%s/app.git", base);
    AUTO(free_p) char *proxy = xasprintf("http://user:s3cret@127.0.0.1:%u", fx_free_port());
    fails(&(struct git_access){.url = url, .proxy = proxy}, ERR_UNAVAILABLE, "failed to list refs");
    works(&(struct git_access){.url = url, .proxy = proxy, .no_proxy = "localhost"}, "c-no-proxy");
}

static void over_ssh(void **state)
{
    const char *base = fx_ssh();
    if (!base)
        skip();
    AUTO(free_p) char *url = xasprintf("%s/app.git", base);
    AUTO(free_p) char *key = read_pem("ssh/id");
    works(&(struct git_access){.url = url, .ssh_private_key = key}, "c-ssh");
    fails(&(struct git_access){.url = url}, ERR_UNAUTHENTICATED, "authentication failed");
    fails(&(struct git_access){.url = url, .ssh_private_key = "junk"}, ERR_UNAUTHENTICATED, "private key");
    AUTO(free_p) char *missing = xasprintf("%s/it's none.git", base);
    fails(&(struct git_access){.url = missing, .ssh_private_key = key}, ERR_NOT_FOUND,
          "repository not found");
    fx_sh("mv ssh/ssh_known_hosts ssh/away");
    fails(&(struct git_access){.url = url, .ssh_private_key = key}, ERR_FAILED_PRECONDITION, "known hosts");
    works(&(struct git_access){.url = url, .ssh_private_key = key, .insecure = true}, "c-ssh-insecure");
    fx_sh("mv ssh/away ssh/ssh_known_hosts");
    AUTO(free_p) char *left = fx_out("ls -d /dev/shm/cargocd-ssh-* 2>/dev/null || true");
    assert_string_equal(left, "");
}

/* ssh goes through connect-proxy, which tells the proxy user and password. */
static void over_ssh_through_a_proxy(void **state)
{
    static const char socks[] =
        "import sys, socket, threading\n"
        "def pump(a, b):\n"
        "    try:\n"
        "        while (d := a.recv(65536)): b.sendall(d)\n"
        "    except OSError: pass\n"
        "    b.close()\n"
        "def serve(c):\n"
        "    n = c.recv(2)[1]; methods = c.recv(n)\n"
        "    assert 2 in methods; c.sendall(b'\\x05\\x02')\n"
        "    h = c.recv(2); user = c.recv(h[1]); word = c.recv(c.recv(1)[0])\n"
        "    ok = (user, word) == (b'me', b'pr0xy'); c.sendall(b'\\x01' + (b'\\x00' if ok else b'\\x01'))\n"
        "    if not ok: c.close(); return\n"
        "    h = c.recv(4); host = c.recv(4) if h[3] == 1 else c.recv(c.recv(1)[0]); port = "
        "int.from_bytes(c.recv(2), 'big')\n"
        "    open('proxied', 'a').write('%s %d\\n' % (host, port))\n"
        "    s = socket.create_connection(('127.0.0.1', port)); c.sendall(b'\\x05\\x00\\x00\\x01' + "
        "bytes(6))\n"
        "    threading.Thread(target=pump, args=(c, s), daemon=True).start(); pump(s, c)\n"
        "l = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
        "while True: threading.Thread(target=serve, args=(l.accept()[0],), daemon=True).start()\n";
    const char *base = fx_has("connect-proxy") ? fx_ssh() : NULL;
    if (!base)
        skip();
    unsigned port = fx_free_port();
    AUTO(free_p) char *text = xasprintf("%u", port);
    char *argv[] = {"python3", "socks.py", text, NULL};
    fx_write("socks.py", socks);
    fx_serve(argv, port);
    AUTO(free_p) char *url = xasprintf("%s/app.git", base);
    AUTO(free_p) char *key = fx_out("cat ssh/id");
    AUTO(free_p) char *proxy = xasprintf("socks5://me:pr0xy@127.0.0.1:%u", port);
    AUTO(free_p) char *wrong = xasprintf("socks5://me:wr0ng@127.0.0.1:%u", port);
    struct git_access access = {.url = url, .ssh_private_key = key, .proxy = proxy};
    for (int i = 0; i < 2; i++) {
        AUTO_ERR err = NULL;
        AUTO(origin_unref_p) origin_t *o = NULL;
        AUTO(git_refs_unref_p) git_refs_t *refs = NULL;
        ASSERT_OK(origin_new(&access, fx_settings(), &o, &err));
        int r = origin_list(o, fx_settings(), &refs, &err);
        if ((r == 0) != (i == 0))
            fail_msg("%s", err_text(err));
        assert_null(strstr(err_text(err), "wr0ng"));
        access.proxy = wrong;
    }
    AUTO(free_p) char *seen = fx_out("wc -l < proxied");
    assert_string_equal(seen, "1");
}

static void unreachable_servers_are_told(void **state)
{
    AUTO(free_p) char *closed = xasprintf("http://127.0.0.1:%u/x.git", fx_free_port());
    fails(&(struct git_access){.url = closed}, ERR_UNAVAILABLE, "failed to list refs of http://127.0.0.1");
    AUTO(free_p) char *silent = xasprintf("http://user:s3cret@127.0.0.1:%u/x.git", fx_silent_port());
    AUTO_ERR err = NULL;
    AUTO(origin_unref_p) origin_t *o = fx_origin(silent);
    struct git_settings s = *fx_settings();
    s.list_timeout_ns = MILLIS(300);
    git_refs_t *refs = NULL;
    assert_int_equal(origin_list(o, &s, &refs, &err), -ERR_DEADLINE_EXCEEDED);
    assert_non_null(strstr(err_text(err), "no answer within 300ms"));
    assert_null(strstr(err_text(err), "s3cret"));
    s.attempts = 3;
    s.retry_ns = MILLIS(50);
    s.retry_factor = 2;
    s.retry_max_ns = MILLIS(60);
    mono_t start = mono_now();
    assert_true(origin_list(o, &s, &refs, &err) < 0);
    assert_true(mono_now().ns - start.ns >= MILLIS(3 * 300 + 50 + 60));
}

static void a_want_that_no_branch_leads_to(void **state)
{
    AUTO(free_p) char *url = xasprintf("%s/app.git", fx_git_daemon());
    AUTO(free_p) char *dir = xasprintf("%s/c-want", fx_dir());
    AUTO(free_p) char *hidden = fx_out("cd app && git commit-tree -m hidden 'HEAD^{tree}'");
    AUTO(free_p) char *pull = fx_out("cd app && git commit-tree -m pull 'HEAD^{tree}'");
    fx_sh("cd app && git push -q origin %s:refs/pull/7/head %s:refs/other/x", pull, hidden);
    AUTO_ERR err = NULL;
    AUTO(origin_unref_p) origin_t *o = fx_origin(url);
    ASSERT_OK(origin_fetch(o, fx_settings(), dir, "refs/pull/7/head", &err));
    assert_true(clone_has("c-want", pull) && !clone_has("c-want", hidden));
    ASSERT_OK(origin_fetch(o, fx_settings(), dir, hidden, &err));
    assert_true(clone_has("c-want", hidden));
    assert_true(origin_fetch(o, fx_settings(), dir, "0123456789012345678901234567890123456789", &err) < 0);
    assert_non_null(strstr(err_text(err), "fetch 0123456789012345678901234567890123456789"));
}

/* A branch that was a file becomes a folder, one is deleted: no conflict with what was fetched before. */
static void references_may_change_in_any_way(void **state)
{
    AUTO(free_p) char *url = xasprintf("file://%s/moving.git", fx_dir());
    AUTO(free_p) char *dir = xasprintf("%s/c-moving", fx_dir());
    fx_repo("moving");
    fx_commit("moving", "one");
    fx_sh("cd moving && git push -q origin HEAD:refs/heads/a HEAD:refs/heads/b/c");
    AUTO_ERR err = NULL;
    AUTO(origin_unref_p) origin_t *o = fx_origin(url);
    ASSERT_OK(origin_fetch(o, fx_settings(), dir, NULL, &err));
    fx_sh("cd moving && git push -q origin :refs/heads/a :refs/heads/b/c");
    const char *commit = fx_commit("moving", "two");
    fx_sh("cd moving && git push -q origin HEAD:refs/heads/a/x HEAD:refs/heads/b");
    ASSERT_OK(origin_fetch(o, fx_settings(), dir, commit, &err));
    assert_true(clone_has("c-moving", commit));
    AUTO(free_p) char *refs = fx_out("git -C c-moving for-each-ref --format='%%(refname)'");
    assert_string_equal(refs, "refs/heads/a/x\nrefs/heads/b\nrefs/heads/main");
}

static void small_packs_are_joined(void **state)
{
    AUTO(free_p) char *url = xasprintf("file://%s/packs.git", fx_dir());
    AUTO(free_p) char *dir = xasprintf("%s/c-packs", fx_dir());
    fx_repo("packs");
    fx_sh("cd packs && head -c 300000 /dev/urandom > big");
    AUTO_ERR err = NULL;
    AUTO(origin_unref_p) origin_t *o = fx_origin(url);
    char last[GIT_OID_HEX] = "";
    for (int i = 0; i < 6; i++) {
        AUTO(free_p) char *text = xasprintf("n: %d\n", i);
        fx_write("packs/n.yaml", text);
        memcpy(last, fx_commit("packs", "next"), sizeof(last));
        ASSERT_OK(origin_fetch(o, fx_settings(), dir, NULL, &err));
    }
    AUTO(strv_free_p) char **old = NULL;
    ASSERT_OK(git_pack_join(dir, fx_settings(), &old, &err));
    assert_int_equal(strv_len(old), 5); /* the big one stays */
    for (size_t i = 0; old[i]; i++)
        fx_sh("rm %s.pack %s.idx", old[i], old[i]);
    AUTO(free_p)
    char *check = fx_out(
        "git -C c-packs fsck --full 2>&1 | sed /notice/d; ls c-packs/objects/pack/*.pack | wc -l");
    assert_string_equal(check, "2");
    assert_true(clone_has("c-packs", last));
    AUTO(strv_free_p) char **none = NULL;
    ASSERT_OK(git_pack_join(dir, fx_settings(), &none, &err));
    assert_int_equal(strv_len(none), 0);
}

static void access_keys_tell_credentials_apart(void **state)
{
    static const struct git_access accesses[] = {
        {.url = "https://h/a"},
        {.url = "https://h/A"},
        {.url = "https://h/a", .username = "u"},
        {.url = "https://h/a", .password = "u"},
        {.url = "https://h/a", .bearer_token = "u"},
        {.url = "https://h/a", .ssh_private_key = "u"},
        {.url = "https://h/a", .tls_client_cert = "u"},
        {.url = "https://h/a", .tls_client_key = "u"},
        {.url = "https://h/a", .proxy = "u"},
        {.url = "https://h/a", .insecure = true},
    };
    origin_t *o[ARRAY_LEN(accesses)];
    AUTO_ERR err = NULL;
    for (size_t i = 0; i < ARRAY_LEN(accesses); i++) {
        ASSERT_OK(origin_new(&accesses[i], fx_settings(), &o[i], &err));
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(o[i]->access_key, o[k]->access_key);
    }
    for (size_t i = 0; i < ARRAY_LEN(accesses); i++)
        origin_unref(o[i]);
}

REPO_TESTS(setup, teardown, T(over_file), T(over_git), T(over_http), T(over_http_with_basic),
           T(over_http_with_bearer), T(over_https), T(over_https_with_a_client_certificate),
           T(redirects_are_followed_without_carrying_credentials_elsewhere), T(proxies_are_used_and_excepted),
           T(over_ssh), T(over_ssh_through_a_proxy), T(unreachable_servers_are_told),
           T(a_want_that_no_branch_leads_to), T(references_may_change_in_any_way), T(small_packs_are_joined),
           T(access_keys_tell_credentials_apart))
