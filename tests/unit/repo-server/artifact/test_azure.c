/* Azure's token service and a registry behind it, on loopback: both check what they get. */
#include "tests/unit/repo-server/fixture/registry.h"
#include "tests/unit/repo-server/fixture/wire.h"

/* Behind its tokens the registry is the open one. The first argument is its port, the second the open one's
 * address, the third the realm ("": its own). */
static const char azure[] =
    "import sys, json, base64, urllib.parse, urllib.request, http.server\n"
    "port, behind = int(sys.argv[1]), sys.argv[2]\n"
    "realm = sys.argv[3] or 'http://localhost:%d/oauth2/token' % port\n"
    "user = 'Basic ' + base64.b64encode(b'00000000-0000-0000-0000-000000000000:refr&sh').decode()\n"
    "class H(http.server.BaseHTTPRequestHandler):\n"
    "    def log_message(self, *a): pass\n"
    "    def answer(self, status, body, headers={}):\n"
    "        open('asked', 'a').write('%s %s %d\\n' % (self.command, self.path.split('?')[0], status))\n"
    "        self.send_response(status)\n"
    "        for k, v in {'Content-Length': str(len(body)), **headers}.items(): self.send_header(k, v)\n"
    "        self.end_headers()\n"
    "        if self.command != 'HEAD': self.wfile.write(body)\n"
    "    def tell(self, v): self.answer(200, json.dumps(v).encode())\n"
    "    def do_POST(self):\n"
    "        f = "
    "dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers['Content-Length'])).decode()))\n"
    "        if self.path == '/tenant/oauth2/v2.0/token' and f['client_assertion'] == 'federated' and "
    "f['client_id'] == "
    "'me' and f['scope'] == 'https://management.core.windows.net/.default':\n"
    "            return self.tell({'access_token': 'arm-t0ken', 'expires_in': 3599})\n"
    "        if self.path == '/oauth2/exchange' and f == {'grant_type': 'access_token', 'service': 'acr', "
    "'access_token': 'arm-t0ken'}: return self.tell({'refresh_token': 'refr&sh'})\n"
    "        self.answer(401, b'no')\n"
    "    def do_HEAD(self): self.do_GET()\n"
    "    def do_GET(self):\n"
    "        if self.path.startswith('/oauth2/token') and self.headers['Authorization'] == user:\n"
    "            return self.tell({'access_token': 'acc&ss'})\n"
    "        if self.headers['Authorization'] != 'Bearer acc&ss':\n"
    "            return self.answer(401, b'', {'WWW-Authenticate': 'Bearer realm=\"%s\",service=\"acr\"' % "
    "realm})\n"
    "        open('agent', 'w').write(self.headers['User-Agent'] or '')\n"
    "        if self.path == '/v2/': return self.answer(200, b'{}')\n"
    "        q = urllib.request.Request('http://%s%s' % (behind, self.path), headers={'Accept': "
    "self.headers['Accept'] or '*/*'}, method=self.command)\n"
    "        with urllib.request.urlopen(q) as r:\n"
    "            body = r.read(); h = {k: r.headers[k] for k in ('Content-Type', 'Docker-Content-Digest') if "
    "r.headers[k]}\n"
    "            self.answer(200, body, h)\n"
    "http.server.ThreadingHTTPServer(('127.0.0.1', port), H).serve_forever()\n";

static const char *open_host;

static const char *serve(const char *realm)
{
    unsigned port = fx_free_port();
    AUTO(free_p) char *text = xasprintf("%u", port);
    fx_write("azure.py", azure);
    char *argv[] = {"python3", "azure.py", text, (char *)open_host, (char *)realm, NULL};
    fx_serve(argv, port);
    return fx_keep(xasprintf("localhost:%u", port));
}

static void set_environment(const char *host)
{
    AUTO(free_p) char *authority = xasprintf("http://%s/", host);
    AUTO(free_p) char *file = xasprintf("%s/federated", fx_dir());
    fx_write("federated", "federated");
    setenv("AZURE_AUTHORITY_HOST", authority, 1);
    setenv("AZURE_FEDERATED_TOKEN_FILE", file, 1);
    setenv("AZURE_CLIENT_ID", "me", 1);
    setenv("AZURE_TENANT_ID", "tenant", 1);
}

static int setup(void **state)
{
    fx_server_begin(state);
    open_host = fx_registry(0);
    if (open_host) {
        fx_chart("charts", "web", "1.0.0");
        fx_push("team/web:1.0.0", "application/vnd.cncf.helm.config.v1+json",
                "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "charts/web-1.0.0.tgz", NULL);
    }
    return 0;
}

static Cargocd__Repo__Repository registry(const char *url)
{
    Cargocd__Repo__Repository r = CARGOCD__REPO__REPOSITORY__INIT;
    r.url = (char *)url;
    r.type = (char *)"helm";
    r.enable_oci = r.insecure_oci_force_http = r.use_azure_workload_identity = true;
    return r;
}

static int list_tags(Cargocd__Repo__Repository *r, size_t *n, err_t **err)
{
    Cargocd__Repo__ListRefsRequest q = CARGOCD__REPO__LIST_REFS_REQUEST__INIT;
    Cargocd__Repo__ListOciTagsResponse *tags = NULL;
    q.repo = r;
    int e = WIRE_CALL("repo.ListOciTags", q, list_oci_tags_response, &tags, err);
    *n = e == 0 ? tags->n_tags : 0;
    if (e == 0)
        WIRE_FREE(tags);
    return e;
}

static void an_identity_opens_a_registry(void **state)
{
    AUTO_ERR err = NULL;
    size_t n;
    if (!open_host)
        skip();
    const char *host = serve("");
    AUTO(free_p) char *url = xasprintf("%s/team/web", host);
    Cargocd__Repo__Repository r = registry(url);
    set_environment(host);
    fx_sh("rm -f asked");
    ASSERT_OK(list_tags(&r, &n, &err));
    assert_int_equal(n, 1);
    AUTO(free_p) char *asked = fx_out("sort asked | uniq | tr '\\n' ';'");
    assert_string_equal(asked, "GET /oauth2/token 200;GET /v2/ 401;GET /v2/team/web/tags/list 200;GET "
                               "/v2/team/web/tags/list 401;POST /oauth2/exchange 200;POST "
                               "/tenant/oauth2/v2.0/token 200;");
    AUTO(free_p) char *agent = fx_out("cat agent"); /* as Argo CD's */
    assert_true(str_has_prefix(agent, "argocd-repo-server/") && strstr(agent, " (linux/"));
    r.use_azure_workload_identity = false;
    assert_int_equal(list_tags(&r, &n, &err), -ERR_UNAUTHENTICATED);
}

/* Azure's token opens other registries too. */
static void the_token_goes_to_the_registry_only(void **state)
{
    AUTO_ERR err = NULL;
    size_t n;
    if (!open_host)
        skip();
    const char *other = serve("");
    AUTO(free_p) char *realm = xasprintf("http://%s/oauth2/token", other);
    const char *host = serve(realm);
    AUTO(free_p) char *url = xasprintf("%s/team/web", host);
    Cargocd__Repo__Repository r = registry(url);
    set_environment(other);
    fx_sh("rm -f asked");
    assert_int_equal(list_tags(&r, &n, &err), -ERR_UNAUTHENTICATED);
    assert_non_null(strstr(err_text(err), "its tokens are given out by another server"));
    AUTO(free_p) char *asked = fx_out("grep -c POST asked || true");
    assert_string_equal(asked, "0");
}

static void errors_name_no_secret(void **state)
{
    AUTO_ERR err = NULL;
    size_t n;
    if (!open_host)
        skip();
    const char *host = serve("");
    AUTO(free_p) char *url = xasprintf("%s/team/web", host);
    Cargocd__Repo__Repository r = registry(url);
    set_environment(host);
    fx_write("federated", "wr0ng");
    assert_int_equal(list_tags(&r, &n, &err), -ERR_UNAUTHENTICATED);
    assert_null(strstr(err_text(err), "wr0ng"));
    assert_non_null(strstr(err_text(err), "by workload identity"));
}

/* helm itself logs in for the dependencies of a chart in Git. */
static void dependencies_are_fetched(void **state)
{
    AUTO_ERR err = NULL;
    Cargocd__Repo__GenerateManifestResponse *out = NULL;
    if (!open_host || !fx_can_run("helm"))
        skip();
    const char *host = serve("");
    set_environment(host);
    AUTO(free_p)
    char *chart = xasprintf("apiVersion: v2\nname: parent\nversion: 1.0.0\ndependencies:\n"
                            "- {name: web, version: 1.0.0, repository: 'oci://%s/team'}\n",
                            host);
    fx_repo("parent");
    fx_write("parent/Chart.yaml", chart);
    fx_commit("parent", "one");
    AUTO(free_p) char *url = xasprintf("file://%s/parent.git", fx_dir());
    AUTO(free_p) char *registry_url = xasprintf("%s/team", host);
    Cargocd__Repo__Repository git = CARGOCD__REPO__REPOSITORY__INIT, helm = registry(registry_url),
                              *list[] = {&helm};
    Cargocd__Repo__GenerateManifestRequest q = CARGOCD__REPO__GENERATE_MANIFEST_REQUEST__INIT;
    git.url = url;
    q.repo = &git;
    q.source = (ProtobufCBinaryData){strlen("{\"path\":\".\"}"), (uint8_t *)"{\"path\":\".\"}"};
    q.app_name = (char *)"demo";
    q.helm_repos = list;
    q.n_helm_repos = 1;
    ASSERT_OK(WIRE_CALL("repo.GenerateManifest", q, generate_manifest_response, &out, &err));
    assert_int_equal(out->n_manifests, 1);
    for (size_t k = 0; k < out->n_commands; k++)
        assert_null(strstr(out->commands[k], "refr"));
    WIRE_FREE(out);
}

REPO_TESTS(setup, fx_server_end, T(errors_name_no_secret), T(an_identity_opens_a_registry),
           T(the_token_goes_to_the_registry_only), T(dependencies_are_fetched))
