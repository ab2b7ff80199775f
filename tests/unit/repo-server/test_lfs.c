/* Where the objects of Git LFS are when it is not where the repository is: .lfsconfig, and ssh. */
#include "common/base/hash.h"
#include "tests/unit/repo-server/fixture/server.h"

#include <nng/nng.h>
#include <stdlib.h>

static struct fx_server server;
static char *key;

/* Notes each request and what was presented; objects are named after their ids in lfs/. Answers at any path.
 */
static const char lfs_server[] =
    "import sys, json, os, ssl, http.server\n"
    "port, tls = int(sys.argv[1]), len(sys.argv) > 2\n"
    "class H(http.server.BaseHTTPRequestHandler):\n"
    "    def log_message(self, *a): pass\n"
    "    def note(self):\n"
    "        open('lfs-log', 'a').write('%s %s %s\\n' % (self.command, self.path, "
    "self.headers['Authorization']))\n"
    "    def send(self, status, body):\n"
    "        self.send_response(status); self.send_header('Content-Length', str(len(body)))\n"
    "        self.end_headers(); self.wfile.write(body)\n"
    "    def do_POST(self):\n"
    "        q = json.loads(self.rfile.read(int(self.headers['Content-Length'])))\n"
    "        self.note()\n"
    "        o = q['objects'][0]\n"
    "        href = '%s://localhost:%d/%s' % ('https' if tls else 'http', port, o['oid'])\n"
    "        entry = {'oid': o['oid'], 'size': o['size'], 'actions': {'download': {'href': href}}}\n"
    "        self.send(200, json.dumps({'transfer': 'basic', 'objects': [entry]}).encode())\n"
    "    def do_GET(self):\n"
    "        self.note()\n"
    "        self.send(200, open('lfs' + self.path, 'rb').read())\n"
    "s = http.server.ThreadingHTTPServer(('127.0.0.1', port), H)\n"
    "if tls:\n"
    "    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain('tls/both.pem')\n"
    "    s.socket = c.wrap_socket(s.socket, server_side=True)\n"
    "s.serve_forever()\n";

static unsigned serve_lfs(bool tls)
{
    unsigned port = fx_free_port();
    AUTO(free_p) char *text = xasprintf("%u", port);
    char *argv[] = {"python3", "lfs.py", text, tls ? "tls" : NULL, NULL};
    fx_write("lfs.py", lfs_server);
    fx_serve(argv, port);
    return port;
}

/* A repository with one pointer and this .lfsconfig. Its object is fetched anew for each. */
static void make_repo(const char *name, const char *config)
{
    AUTO(free_p)
    char *content = xasprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: big}\ndata: {of: %s}\n",
                              name);
    char oid[SHA256_HEX];
    sha256_hex(content, strlen(content), oid);
    AUTO(free_p)
    char *pointer = xasprintf("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %zu\n", oid,
                              strlen(content));
    AUTO(free_p) char *object = xasprintf("lfs/%s", oid);
    AUTO(free_p) char *file = xasprintf("%s/app/big.yaml", name);
    AUTO(free_p) char *at = xasprintf("%s/.lfsconfig", name);
    fx_repo(name);
    fx_write(object, content);
    fx_write(file, pointer);
    if (config)
        fx_write(at, config);
    fx_commit(name, "one");
    fx_sh(": > lfs-log");
}

static fx_request_t *ask(struct fx_ask *a, const char *url)
{
    fx_request_t *q = fx_ask(a, url, "{\"path\":\"app\"}");
    a->repo.enable_lfs = true;
    if (str_has_prefix(url, "ssh:")) {
        a->repo.ssh_private_key = key;
    } else {
        a->repo.username = (char *)"user";
        a->repo.password = (char *)"s3cret";
    }
    return q;
}

static char *asked(void)
{
    return fx_out("cat lfs-log");
}

static int setup(void **state)
{
    fx_begin(state);
    rpc_setup();
    server.options = fx_server_options();
    fx_server_start(&server, "server");
    if (fx_ssh())
        key = fx_out("cat ssh/id");
    fx_sh("mkdir -p lfs");
    return 0;
}

static int teardown(void **state)
{
    fx_server_stop(&server);
    free(key);
    nng_fini();
    return fx_end(state);
}

/* ---- .lfsconfig ---- */

static void the_credential_stays_with_its_server(void **state)
{
    unsigned port = serve_lfs(false);
    fx_http_lfs(port);
    const char *base = fx_http(FX_BASIC);
    fx_http_lfs(0);
    if (!base)
        skip();
    struct fx_ask a;
    /* The same server at another path. */
    AUTO(free_p) char *same = xasprintf("[lfs]\n\turl = %s/elsewhere.git/info/lfs/\n", base);
    AUTO(free_p) char *url = xasprintf("%s/same.git", base);
    make_repo("same", same);
    fx_expect(&server, ask(&a, url), "\"of\":\"same\"");
    AUTO(free_p) char *log = asked();
    assert_non_null(strstr(log, "POST /git/elsewhere.git/info/lfs/objects/batch Basic dXNlcjpzM2NyZXQ=\n"));
    /* Another one, with user information that is nobody's. */
    AUTO(free_p) char *other = xasprintf("[lfs]\nurl = http://x:y@localhost:%u/api\n", port);
    AUTO(free_p) char *other_url = xasprintf("%s/other.git", base);
    make_repo("other", other);
    fx_expect(&server, ask(&a, other_url), "\"of\":\"other\"");
    AUTO(free_p) char *other_log = asked();
    assert_non_null(strstr(other_log, "POST /api/objects/batch None\n"));
    assert_null(strstr(other_log, "Basic"));
}

static void urls_that_are_no_servers_are_refused(void **state)
{
    const char *base = fx_http(FX_BASIC);
    if (!base)
        skip();
    AUTO(free_p) char *local = xasprintf("%s/lfs", fx_dir());
    AUTO(free_p) char *file = xasprintf("file://%s/lfs", fx_dir());
    const struct {
        const char *url, *text;
    } cases[] = {
        {local, "must be http, https or ssh"},          {file, "must be http, https or ssh"},
        {"git://localhost/x", "must be http"},          {"ftp://localhost/x", ".lfsconfig"},
        {"ssh://git@localhost/x", "has no key"},        {"ext::sh -c 'touch owned'", ".lfsconfig"},
        {"ssh://-oProxyCommand=touch/x", ".lfsconfig"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fx_ask a;
        AUTO(free_p) char *name = xasprintf("bad%zu", i);
        AUTO(free_p) char *url = xasprintf("%s/%s.git", base, name);
        AUTO(free_p) char *config = xasprintf("[lfs]\nurl = \"%s\"\n", cases[i].url);
        make_repo(name, config);
        AUTO_ERR err = NULL;
        fx_response_t *r = NULL;
        assert_true(fx_generate(&server, ask(&a, url), &r, &err) < 0);
        if (!strstr(err_text(err), cases[i].text))
            fail_msg("%s: %s", cases[i].url, err_text(err));
    }
}

/* The server's own authorities, not the repository's settings of TLS. */
static void other_servers_are_verified(void **state)
{
    const char *base = fx_http(FX_BASIC);
    if (!base)
        skip();
    fx_make_tls();
    unsigned port = serve_lfs(true);
    AUTO(free_p) char *config = xasprintf("[lfs]\nurl = https://localhost:%u/api\n", port);
    AUTO(free_p) char *url = xasprintf("%s/secure.git", base);
    make_repo("secure", config);
    struct fx_ask a;
    fx_sh("mv tls-dir/localhost tls-dir/away");
    fx_request_t *q = ask(&a, url);
    a.repo.insecure = true;
    fx_refused(&server, q, ERR_FAILED_PRECONDITION, "certificate is not trusted");
    fx_sh("mv tls-dir/away tls-dir/localhost");
    fx_expect(&server, q, "\"of\":\"secure\"");
}

/* ---- ssh ---- */

static void ssh_servers_tell_where_the_objects_are(void **state)
{
    const char *base = fx_ssh();
    if (!base)
        skip();
    unsigned port = serve_lfs(false);
    AUTO(free_p)
    char *script = xasprintf(
        "#!/bin/sh\necho \"$@\" >> %s/lfs-ssh\n"
        "echo '{\"href\":\"http://localhost:%u/api\",\"header\":{\"Authorization\":\"RemoteAuth "
        "once\"},\"expires_in\":60}'\n",
        fx_dir(), port);
    fx_write("ssh-bin/git-lfs-authenticate", script);
    fx_sh("chmod 755 ssh-bin/git-lfs-authenticate");
    AUTO(free_p) char *url = xasprintf("%s/byssh.git", base);
    make_repo("byssh", NULL);
    struct fx_ask a;
    fx_expect(&server, ask(&a, url), "\"of\":\"byssh\"");
    AUTO(free_p) char *called = fx_out("cat lfs-ssh");
    AUTO(free_p) char *expected = xasprintf("%s/byssh.git download", fx_dir());
    assert_string_equal(called, expected);
    AUTO(free_p) char *log = asked();
    assert_non_null(strstr(log, "POST /api/objects/batch RemoteAuth once\n"));
    assert_null(strstr(strstr(log, "GET /"), "RemoteAuth")); /* the object has no header of its own */
    /* .lfsconfig may name another repository of an ssh server. */
    AUTO(free_p) char *config = xasprintf("[lfs]\nurl = %s/moved.git\n", base);
    AUTO(free_p) char *moved_url = xasprintf("%s/moved.git", base);
    make_repo("moved", config);
    fx_expect(&server, ask(&a, moved_url), "\"of\":\"moved\"");
    AUTO(free_p) char *again = fx_out("tail -1 lfs-ssh");
    assert_non_null(strstr(again, "/moved.git download"));
}

static void ssh_servers_without_it_are_told(void **state)
{
    const char *base = fx_ssh();
    if (!base)
        skip();
    static const char *const scripts[] = {"echo nothing", "echo '{}'",
                                          "echo '{\"href\":\"file:///etc/passwd\"}'", "exit 3", "yes '{'"};
    AUTO(free_p) char *url = xasprintf("%s/without.git", base);
    make_repo("without", NULL);
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
        AUTO(free_p) char *script = xasprintf("#!/bin/sh\n%s\n", scripts[i]);
        fx_write("ssh-bin/git-lfs-authenticate", script);
        fx_sh("chmod 755 ssh-bin/git-lfs-authenticate");
        struct fx_ask a;
        AUTO_ERR err = NULL;
        fx_response_t *r = NULL;
        assert_true(fx_generate(&server, ask(&a, url), &r, &err) < 0);
        if (!strstr(err_text(err), "LFS"))
            fail_msg("%s: %s", scripts[i], err_text(err));
    }
}

REPO_TESTS(setup, teardown, T(the_credential_stays_with_its_server), T(urls_that_are_no_servers_are_refused),
           T(other_servers_are_verified), T(ssh_servers_tell_where_the_objects_are),
           T(ssh_servers_without_it_are_told))
