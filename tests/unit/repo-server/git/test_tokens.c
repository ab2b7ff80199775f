/* Credentials that are exchanged for tokens, against servers that check what they get. */
#include "tests/unit/repo-server/fixture/fixture.h"
#include "common/json/json.h"

/* GitHub's, Google's and Azure's endpoints. Signatures are verified; each token given out is what the Git
 * server then takes; every request is a line in the file "asked". */
static const char endpoints[] =
    "import sys, json, base64, subprocess, time, urllib.parse, http.server\n"
    "port, count = int(sys.argv[1]), 0\n"
    "def unb64(t): return base64.urlsafe_b64decode(t + '=' * (-len(t) % 4))\n"
    "def claims(jwt, **want):\n"
    "    text, sig = jwt.rsplit('.', 1)\n"
    "    open('sig', 'wb').write(unb64(sig))\n"
    "    subprocess.run(['openssl', 'dgst', '-sha256', '-verify', 'app.pub', '-signature', 'sig'], "
    "input=text.encode(), stdout=subprocess.DEVNULL, check=True)\n"
    "    c = json.loads(unb64(text.split('.')[1]))\n"
    "    assert c['iat'] <= time.time() + 5 and time.time() < c['exp'] <= time.time() + 3605\n"
    "    for k, v in want.items(): assert c[k] == v, (k, c)\n"
    "class H(http.server.BaseHTTPRequestHandler):\n"
    "    def log_message(self, *a): pass\n"
    "    def answer(self, status, v):\n"
    "        body = json.dumps(v).encode()\n"
    "        self.send_response(status); self.send_header('Content-Length', str(len(body)))\n"
    "        self.end_headers(); self.wfile.write(body)\n"
    "    def serve(self, form):\n"
    "        global count\n"
    "        u = urllib.parse.urlparse(self.path); q = urllib.parse.parse_qs(u.query); f = "
    "dict(urllib.parse.parse_qsl(form))\n"
    "        open('asked', 'a').write(self.command + ' ' + u.path + '\\n')\n"
    "        if u.path.startswith('/api/v3/app'): claims(self.headers['Authorization'].split(' ', 1)[1], "
    "iss='77')\n"
    "        if u.path == '/api/v3/app/installations':\n"
    "            page = int(q['page'][0]); assert q['per_page'] == ['100']\n"
    "            return self.answer(200, [{'id': i, 'account': {'login': 'x%d' % i}} for i in range(100)] if "
    "page == 1 else [{'id': 42, 'account': {'login': 'Git'}}])\n"
    "        if u.path == '/api/v3/app/installations/42/access_tokens' and self.command == 'POST':\n"
    "            count += 1; open('users', 'w').write('x-access-token:ghs_%d\\n' % count)\n"
    "            return self.answer(201, {'token': 'ghs_%d' % count, 'expires_at': '2099-01-01T00:00:00Z'})\n"
    "        if u.path == '/google':\n"
    "            assert f['grant_type'] == 'urn:ietf:params:oauth:grant-type:jwt-bearer'\n"
    "            claims(f['assertion'], iss='sa@project', "
    "scope='https://www.googleapis.com/auth/cloud-platform', aud='http://127.0.0.1:%d/google' % port)\n"
    "            open('users', 'w').write('sa@project:goog\\n')\n"
    "            return self.answer(200, {'access_token': 'goog', 'expires_in': 3599})\n"
    "        if u.path == '/ten%2Fant/oauth2/v2.0/token' and f['client_id'] == 'cl ient' and f['scope'] == "
    "'499b84ac-1321-427f-aa17-267ca6975798/.default':\n"
    "            if f.get('client_secret') == 'h&sh' or f.get('client_assertion') == 'federated': return "
    "self.answer(200, {'access_token': 't0ken', 'expires_in': 3599})\n"
    "            return self.answer(401, {'error': 'invalid_client'})\n"
    "        self.answer(404, {})\n"
    "    def do_GET(self): self.serve('')\n"
    "    def do_POST(self): self.serve(self.rfile.read(int(self.headers.get('Content-Length') or "
    "0)).decode())\n"
    "http.server.ThreadingHTTPServer(('127.0.0.1', port), H).serve_forever()\n";

static char *base, *key;
static http_t *http;

static int setup(void **state)
{
    fx_begin(state);
    fx_sh("openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out app.key 2>/dev/null || "
          "openssl "
          "genrsa -out app.key 2048 2>/dev/null; openssl pkey -in app.key -pubout -out app.pub");
    key = fx_out("cat app.key");
    unsigned port = fx_free_port();
    AUTO(free_p) char *text = xasprintf("%u", port);
    fx_write("endpoints.py", endpoints);
    char *argv[] = {"python3", "endpoints.py", text, NULL};
    fx_serve(argv, port);
    base = xasprintf("http://127.0.0.1:%u", port);
    http = http_new("tokens");
    fx_repo("app");
    fx_write("app/a.txt", "x");
    fx_commit("app", "one");
    return 0;
}

static int teardown(void **state)
{
    http_free(http);
    free(base);
    free(key);
    return fx_end(state);
}

static size_t asked(const char *part)
{
    AUTO(free_p) char *n = fx_out("grep -c '%s' asked || true", part);
    int64_t count = 0;
    str_to_i64(n, &count);
    return (size_t)count;
}

struct client {
    struct git_settings settings;
    tokens_t *tokens;
};

static void client_init(struct client *c, const char *federated)
{
    c->tokens = tokens_new(&(struct tokens_options){.http = http, .federated_token_file = federated});
    c->settings = *fx_settings();
    c->settings.tokens = c->tokens;
}

static int list(struct client *c, const char *url, const struct token_source *token, err_t **err)
{
    AUTO(origin_unref_p) origin_t *o = NULL;
    AUTO(git_refs_unref_p) git_refs_t *refs = NULL;
    struct git_access access = {.url = url, .token = *token};
    int r = origin_new(&access, &c->settings, &o, err);
    if (r == 0)
        r = origin_list(o, &c->settings, &refs, err);
    if (r == 0)
        assert_true(git_refs_count(refs) > 0);
    return r;
}

static void a_github_app_lists_and_fetches(void **state)
{
    const char *git = fx_http(FX_BASIC);
    if (!git)
        skip();
    struct client c;
    AUTO_ERR err = NULL;
    AUTO(free_p) char *url = xasprintf("%s/app.git", git);
    AUTO(free_p) char *api = xasprintf("%s/api/v3/", base);
    struct token_source token = {
        .kind = TOKEN_GITHUB_APP, .secret = key, .app_id = 77, .installation_id = 42, .base_url = api};
    client_init(&c, NULL);
    ASSERT_OK(list(&c, url, &token, &err));
    ASSERT_OK(list(&c, url, &token, &err));
    assert_int_equal(asked("access_tokens"), 1); /* kept */
    /* The installation is found by the URL's owner, on the second page, and that is kept too. */
    token.installation_id = 0;
    ASSERT_OK(list(&c, url, &token, &err));
    ASSERT_OK(list(&c, url, &token, &err));
    assert_int_equal(asked("installations$"), 2);
    assert_int_equal(asked("access_tokens"), 2);
    /* A token that was revoked is replaced once. */
    fx_write("users", "x-access-token:other\n");
    ASSERT_OK(list(&c, url, &token, &err));
    assert_int_equal(asked("access_tokens"), 3);
    AUTO(origin_unref_p) origin_t *o = NULL;
    struct git_access access = {.url = url, .token = token};
    ASSERT_OK(origin_new(&access, &c.settings, &o, &err));
    AUTO(free_p) char *dir = xasprintf("%s/clone", fx_dir());
    ASSERT_OK(origin_fetch(o, &c.settings, dir, NULL, &err));
    tokens_free(c.tokens);
}

static void errors_name_no_secret(void **state)
{
    AUTO(free_p) char *api = xasprintf("%s/api/v3", base);
    AUTO(free_p) char *nowhere = xasprintf("http://127.0.0.1:%u", fx_free_port());
    const struct {
        struct token_source token;
        const char *url;
        enum err_code code;
        const char *text;
    } cases[] = {
        {{.kind = TOKEN_GITHUB_APP, .secret = "no key", .app_id = 77, .installation_id = 42, .base_url = api},
         "http://localhost/git/x",
         ERR_INVALID_ARGUMENT,
         "GitHub App: the private key cannot be read"},
        {{.kind = TOKEN_GITHUB_APP, .secret = key, .app_id = 77, .installation_id = 43, .base_url = api},
         "http://localhost/git/x",
         ERR_NOT_FOUND,
         "answered 404"},
        {{.kind = TOKEN_GITHUB_APP, .secret = key, .app_id = 77, .base_url = api},
         "http://localhost/nobody/x",
         ERR_NOT_FOUND,
         "not installed for 'nobody'"},
        {{.kind = TOKEN_GITHUB_APP, .secret = key, .app_id = 77, .installation_id = 42, .base_url = nowhere},
         "http://localhost/git/x",
         ERR_UNAVAILABLE,
         "GitHub App"},
        {{.kind = TOKEN_GOOGLE, .secret = "{\"private_key\":\"hush\"}"},
         "http://localhost/git/x",
         ERR_INVALID_ARGUMENT,
         "Google service account: the private key"},
        {{.kind = TOKEN_GOOGLE, .secret = "hush"}, "http://localhost/git/x", ERR_INVALID_ARGUMENT, "no JSON"},
        {{.kind = TOKEN_AZURE,
          .secret = "wrong",
          .base_url = base,
          .client_id = "cl ient",
          .tenant_id = "ten/ant"},
         "http://localhost/git/x",
         ERR_UNAUTHENTICATED,
         "answered 401"},
        {{.kind = TOKEN_AZURE_WORKLOAD},
         "http://localhost/git/x",
         ERR_FAILED_PRECONDITION,
         "federated token"},
    };
    struct client c;
    client_init(&c, "/nonexistent");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        int r = list(&c, cases[i].url, &cases[i].token, &err);
        if (r != -(int)cases[i].code || !strstr(err_text(err), cases[i].text))
            fail_msg("%zu: %s '%s'", i, err_code_name(err_code(err)), err_text(err));
        assert_null(strstr(err_text(err), "hush"));
        assert_null(strstr(err_text(err), "wrong"));
        assert_null(strstr(err_text(err), "eyJ"));
    }
    tokens_free(c.tokens);
}

static void google_and_azure_give_tokens(void **state)
{
    const char *basic = fx_http(FX_BASIC), *bearer = fx_http(FX_BEARER);
    if (!basic)
        skip();
    AUTO_ERR err = NULL;
    struct client c;
    AUTO(free_p) char *by_password = xasprintf("%s/app.git", basic);
    AUTO(free_p) char *by_bearer = xasprintf("%s/app.git", bearer);
    AUTO(free_p) char *federated = xasprintf("%s/federated", fx_dir());
    AUTO_JSON account = json_pack("{ssss}", "client_email", "sa@project", "private_key", key);
    AUTO(free_p) char *uri = xasprintf("%s/google", base);
    json_set_str(account, "token_uri", uri);
    AUTO(free_p) char *text = json_text(account, JSON_GO);
    fx_write("federated", "federated");
    client_init(&c, federated);
    ASSERT_OK(list(&c, by_password, &(struct token_source){.kind = TOKEN_GOOGLE, .secret = text}, &err));
    struct token_source azure = {.kind = TOKEN_AZURE,
                                 .secret = "h&sh",
                                 .base_url = base,
                                 .client_id = "cl ient",
                                 .tenant_id = "ten/ant"};
    ASSERT_OK(list(&c, by_bearer, &azure, &err));
    ASSERT_OK(list(&c, by_bearer, &azure, &err));
    azure.kind = TOKEN_AZURE_WORKLOAD;
    ASSERT_OK(list(&c, by_bearer, &azure, &err));
    assert_int_equal(asked("oauth2"), 3); /* one was the refused one's */
    tokens_free(c.tokens);
}

static void owners(void **state)
{
    static const char *const cases[][2] = {
        {"https://github.com/Team/app.git", "team"},
        {"git@github.com:Team/app.git", "team"},
        {"https://h/x", "x"},
        {"https://h", ""},
        {"nonsense", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *owner = token_owner(cases[i][0]);
        assert_string_equal(owner, cases[i][1]);
    }
}

REPO_TESTS(setup, teardown, T(a_github_app_lists_and_fetches), T(errors_name_no_secret),
           T(google_and_azure_give_tokens), T(owners))
