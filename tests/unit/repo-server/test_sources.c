/* What a commit is made of besides its own files, over the wire: submodules, objects of Git LFS. */
#include "tests/unit/repo-server/fixture/server.h"
#include "common/base/hash.h"

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

#define CM(name, value) "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " name "}\ndata: {v: " value "}\n"

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
    fx_sh(
        "cd bare && git -c protocol.file.allow=always submodule add -q ../lib.git app/sub 2>&1; git rm -q -f "
        "--cached .gitmodules; rm .gitmodules");
    fx_commit("bare", "one");
    AUTO(free_p) char *bare = fx_file_url("bare");
    fx_expect(&server, fx_ask(&a, bare, "{\"path\":\"app\",\"directory\":{\"recurse\":true}}"),
              "\"name\":\"a\"");
    fx_refused(&server, fx_ask(&a, bare, "{\"path\":\"app/sub/in\"}"), ERR_INVALID_ARGUMENT,
               "app path does not exist");
}

/* ---- LFS ---- */

/* The batch API, and another server for the objects, which must not see the credential. */
static const char lfs_server[] =
    "import sys, json, http.server\n"
    "port = int(sys.argv[1])\n"
    "class H(http.server.BaseHTTPRequestHandler):\n"
    "    def log_message(self, *a): pass\n"
    "    def send(self, status, body):\n"
    "        self.send_response(status); self.send_header('Content-Length', str(len(body)))\n"
    "        self.end_headers(); self.wfile.write(body)\n"
    "    def do_POST(self):\n"
    "        q = json.loads(self.rfile.read(int(self.headers['Content-Length'])))\n"
    "        open('lfs-asked', 'a').write('batch\\n')\n"
    "        assert self.path.endswith('.git/info/lfs/objects/batch'), self.path\n"
    "        assert q['operation'] == 'download' and self.headers['Accept'] == "
    "'application/vnd.git-lfs+json'\n"
    "        assert self.headers['Authorization'].startswith('Basic ')\n"
    "        o = q['objects'][0]; kind = open('lfs/' + o['oid']).read(1) if o['oid'] in "
    "__import__('os').listdir('lfs') else ''\n"
    "        entry = {'oid': o['oid'], 'size': o['size']}\n"
    "        if kind: entry['actions'] = {'download': {'href': 'http://127.0.0.1:%d/%s' % (port, o['oid']), "
    "'header': {'X-Token': 'once'}}}\n"
    "        else: entry['error'] = {'code': 404, 'message': 'Object does not exist'}\n"
    "        self.send(200, json.dumps({'transfer': 'basic', 'objects': [entry]}).encode())\n"
    "    def do_GET(self):\n"
    "        ok = self.headers['X-Token'] == 'once' and self.headers['Authorization'] is None\n"
    "        self.send(200 if ok else 403, open('lfs' + self.path, 'rb').read())\n"
    "http.server.ThreadingHTTPServer(('127.0.0.1', port), H).serve_forever()\n";

/* Commits a pointer; the object itself is `content`, or what stands in the server's folder instead. */
static void lfs_file(const char *path, const char *content, const char *stored)
{
    char oid[SHA256_HEX];
    sha256_hex(content, strlen(content), oid);
    AUTO(free_p)
    char *pointer = xasprintf("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %zu\n", oid,
                              strlen(content));
    AUTO(free_p) char *object = xasprintf("lfs/%s", oid);
    fx_write(path, pointer);
    if (stored)
        fx_write(object, stored);
}

static void lfs_objects_are_read(void **state)
{
    unsigned port = fx_free_port();
    AUTO(free_p) char *text = xasprintf("%u", port);
    char *argv[] = {"python3", "lfs.py", text, NULL};
    fx_write("lfs.py", lfs_server);
    fx_write("lfs/none", "");
    fx_http_lfs(port);
    const char *base = fx_http(FX_BASIC);
    fx_http_lfs(0);
    if (!base)
        skip();
    fx_serve(argv, port);
    fx_repo("large");
    lfs_file("large/app/big.yaml", CM("big", "stored-elsewhere"), CM("big", "stored-elsewhere"));
    lfs_file("large/gone/x.yaml", CM("gone", "1"), NULL);
    lfs_file("large/forged/x.yaml", CM("forged", "1"), CM("forged", "2"));
    lfs_file("large/longer/x.yaml", CM("longer", "1"), CM("longer", "1") CM("more", "2"));
    fx_commit("large", "one");
    AUTO(free_p) char *url = xasprintf("%s/large.git", base);
    struct fx_ask a;
    fx_request_t *q = fx_ask(&a, url, "{\"path\":\"app\"}");
    a.repo.username = (char *)"user";
    a.repo.password = (char *)"s3cret";
    a.repo.enable_lfs = true;
    fx_expect(&server, q, "stored-elsewhere");
    q->no_cache = true;
    fx_expect(&server, q, "stored-elsewhere");
    AUTO(free_p) char *asked = fx_out("wc -l < lfs-asked");
    assert_string_equal(asked, "1"); /* kept */
    /* Damaged on disk: fetched again. */
    fx_sh("for f in $(find server/git -path '*.lfs/*' -type f); do printf x >> $f; done");
    fx_expect(&server, q, "stored-elsewhere");
    free(asked);
    asked = fx_out("wc -l < lfs-asked");
    assert_string_equal(asked, "2");
    static const struct {
        const char *path;
        enum err_code code;
        const char *text;
    } bad[] = {{"gone", ERR_NOT_FOUND, "Object does not exist"},
               {"forged", ERR_UNAVAILABLE, "sent something else"},
               {"longer", ERR_UNAVAILABLE, "sent something else"}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct fx_ask b;
        AUTO(free_p) char *source = xasprintf("{\"path\":\"%s\"}", bad[i].path);
        q = fx_ask(&b, url, source);
        b.repo.username = (char *)"user";
        b.repo.password = (char *)"s3cret";
        b.repo.enable_lfs = true;
        fx_refused(&server, q, bad[i].code, bad[i].text);
        fx_refused(&server, q, bad[i].code, "LFS object");
    }
    /* Without enableLfs a pointer is a text, which is no manifest. */
    q = fx_ask(&a, url, "{\"path\":\"app\"}");
    a.repo.username = (char *)"user";
    a.repo.password = (char *)"s3cret";
    AUTO_ERR err = NULL;
    fx_response_t *r = NULL;
    ASSERT_OK(fx_generate(&server, q, &r, &err));
    assert_int_equal(r->n_manifests, 0);
    FX_FREE(r);
}

REPO_TESTS(setup, teardown, T(submodules_are_directories), T(a_submodule_needs_its_own_grant),
           T(broken_submodules_are_told), T(lfs_objects_are_read))
