/* What a commit is made of besides its own files, over the wire: submodules. */
#include "tests/unit/repo-server/fixture/server.h"

#include <nng/nng.h>

static struct fx_server server;

static int setup(void **state)
{
    fx_begin(state);
    rpc_setup();
    server.options = fx_server_options();
    server.options.submodules = true;
    server.options.revision_ttl_ns = SECONDS(60);
    fx_server_start(&server, "server");
    return 0;
}

static int teardown(void **state)
{
    fx_server_stop(&server);
    nng_fini();
    return fx_end(state);
}

#define CM(name, value)                                                                                      \
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " name "}\ndata: {v: " value "}\n"

/* ---- submodules ---- */

static void submodules_are_directories(void **state)
{
    fx_repo("inner");
    fx_write("inner/deep/i.yaml", CM("inner", "one"));
    fx_commit("inner", "one");
    fx_repo("lib");
    fx_write("lib/l.yaml", CM("lib", "one"));
    fx_sh("git -C lib -c protocol.file.allow=always submodule add -q ../inner.git in 2>&1");
    fx_commit("lib", "one");
    fx_repo("top");
    fx_write("top/app/a.yaml", CM("a", "one"));
    fx_write("top/other.txt", "x");
    fx_sh("git -C top -c protocol.file.allow=always submodule add -q ../lib.git app/sub 2>&1");
    fx_commit("top", "one");
    AUTO(free_p) char *url = fx_file_url("top");
    struct fx_ask a;
    fx_request_t *q = fx_ask(&a, url, "{\"path\":\"app\",\"directory\":{\"recurse\":true}}");
    fx_expect(&server, q, "\"name\":\"a\"");
    fx_expect(&server, q, "\"name\":\"lib\"");
    fx_expect(&server, q, "\"name\":\"inner\"");
    fx_expect(&server, fx_ask(&a, url, "{\"path\":\"app/sub/in/deep\"}"), "\"name\":\"inner\"");

    /* A commit beside the application is no miss; another commit of the submodule is one. */
    double misses = fx_figure(&server, "cargocd_render_cache_misses_total");
    fx_write("top/other.txt", "y");
    fx_commit("top", "two");
    q = fx_ask(&a, url, "{\"path\":\"app\",\"directory\":{\"recurse\":true}}");
    q->no_revision_cache = true;
    fx_expect(&server, q, "\"name\":\"inner\"");
    assert_true(fx_figure(&server, "cargocd_render_cache_misses_total") == misses);
    fx_write("lib/l.yaml", CM("lib", "two"));
    fx_commit("lib", "two");
    fx_sh("git -C top/app/sub -c protocol.file.allow=always pull -q origin main");
    fx_commit("top", "three");
    fx_expect(&server, q, "\"v\":\"two\"");
    assert_true(fx_figure(&server, "cargocd_render_cache_misses_total") > misses);
}

static void a_submodule_needs_its_own_grant(void **state)
{
    const char *base = fx_http(FX_BASIC), *open_base = fx_http(0);
    if (!base)
        skip();
    fx_repo("hidden");
    fx_write("hidden/h.yaml", CM("h", "hush"));
    fx_commit("hidden", "one");
    /* An open repository whose submodule is on a server that wants a password. */
    fx_repo("thief");
    fx_write("thief/app/t.yaml", CM("t", "one"));
    fx_sh("git -C thief -c protocol.file.allow=always submodule add -q ../hidden.git app/sub 2>&1; "
          "git -C thief config -f .gitmodules submodule.app/sub.url %s/hidden.git",
          base);
    fx_commit("thief", "one");
    AUTO(free_p) char *member = xasprintf("%s/hidden.git", base);
    AUTO(free_p) char *thief = xasprintf("%s/thief.git", open_base);
    struct fx_ask a;
    fx_request_t *q = fx_ask(&a, member, "{\"path\":\".\"}");
    a.repo.username = (char *)"user";
    a.repo.password = (char *)"s3cret";
    fx_expect(&server, q, "hush"); /* the objects are there now, for those who may see them */
    q = fx_ask(&a, thief, "{\"path\":\"app\",\"directory\":{\"recurse\":true}}");
    fx_refused(&server, q, ERR_UNAUTHENTICATED, "hidden.git");
    /* A credential for the first server is not sent to the second. */
    a.repo.username = (char *)"user";
    a.repo.password = (char *)"s3cret";
    fx_refused(&server, q, ERR_UNAUTHENTICATED, "hidden.git");
}

static void broken_submodules_are_told(void **state)
{
    fx_repo("broken");
    fx_write("broken/app/a.yaml", CM("a", "one"));
    fx_sh("cd broken && git -c protocol.file.allow=always submodule add -q ../lib.git app/sub 2>&1; "
          "git config -f .gitmodules submodule.app/sub.url ../gone.git");
    fx_commit("broken", "one");
    AUTO(free_p) char *url = fx_file_url("broken");
    struct fx_ask a;
    fx_refused(&server, fx_ask(&a, url, "{\"path\":\"app\"}"), ERR_NOT_FOUND, "gone.git");
    /* Without an entry it is an empty directory. */
    fx_repo("bare");
    fx_write("bare/app/a.yaml", CM("a", "one"));
    fx_sh("cd bare && git -c protocol.file.allow=always submodule add -q ../lib.git app/sub 2>&1; git rm -q -f "
          "--cached .gitmodules; rm .gitmodules");
    fx_commit("bare", "one");
    AUTO(free_p) char *bare = fx_file_url("bare");
    fx_expect(&server, fx_ask(&a, bare, "{\"path\":\"app\",\"directory\":{\"recurse\":true}}"), "\"name\":\"a\"");
    fx_refused(&server, fx_ask(&a, bare, "{\"path\":\"app/sub/in\"}"), ERR_INVALID_ARGUMENT,
               "app path does not exist");
}

REPO_TESTS(setup, teardown, T(submodules_are_directories), T(a_submodule_needs_its_own_grant),
           T(broken_submodules_are_told))
