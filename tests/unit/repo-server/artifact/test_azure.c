/* A container registry that is entered with an Azure workload's identity: the way of tokens, step by step. */
#include "tests/unit/repo-server/fixture/server.h"

#include <nng/nng.h>
#include <stdlib.h>

static struct fx_server server;
static char *url;

/* Azure's authority and the registry in one; what is presented is checked, and each step is noted. The second
 * argument is the realm that the registry names. */
static const char script[] =
    "import sys, json, base64, time, urllib.parse, http.server\n"
    "port, realm = int(sys.argv[1]), sys.argv[2]\n"
    "def b64(v): return base64.urlsafe_b64encode(json.dumps(v).encode()).decode().rstrip('=')\n"
    "refresh = '%s.%s.sig' % (b64({'alg': 'none'}), b64({'exp': int(time.time()) + 3600}))\n"
    "class H(http.server.BaseHTTPRequestHandler):\n"
    "    def log_message(self, *a): pass\n"
    "    def answer(self, status, v, **headers):\n"
    "        open('asked', 'a').write('%s %s %d\\n' % (self.command, self.path.split('?')[0], status))\n"
    "        body = json.dumps(v).encode()\n"
    "        self.send_response(status); self.send_header('Content-Length', str(len(body)))\n"
    "        for k, h in headers.items(): self.send_header(k.replace('_', '-'), h)\n"
    "        self.end_headers(); self.wfile.write(body)\n"
    "    def do_GET(self):\n"
    "        said = self.headers['Authorization']\n"
    "        if self.path.startswith('/oauth2/token'):\n"
    "            user = '00000000-0000-0000-0000-000000000000:' + refresh\n"
    "            ok = said == 'Basic ' + base64.b64encode(user.encode()).decode()\n"
    "            return self.answer(200 if ok else 401, {'access_token': 'pull'} if ok else {})\n"
    "        if said != 'Bearer pull':\n"
    "            return self.answer(401, {}, WWW_Authenticate='Bearer "
    "realm=\"%s/oauth2/token\",service=\"reg\"' % realm)\n"
    "        self.answer(200, {'name': 'team/app', 'tags': ['1.0.0', '2.0.0']})\n"
    "    def do_POST(self):\n"
    "        f = "
    "dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers['Content-Length'])).decode()))\n"
    "        if self.path == '/tenant/oauth2/v2.0/token':\n"
    "            ok = f['client_id'] == 'client' and f['client_assertion'] == 'federated' and f['scope'] == "
    "'https://management.core.windows.net/.default'\n"
    "            return self.answer(200 if ok else 401, {'access_token': 'arm', 'expires_in': 3599})\n"
    "        ok = f == {'grant_type': 'access_token', 'service': 'reg', 'access_token': 'arm'}\n"
    "        self.answer(200 if ok and self.path == '/oauth2/exchange' else 401, {'refresh_token': "
    "refresh})\n"
    "http.server.ThreadingHTTPServer(('127.0.0.1', port), H).serve_forever()\n";

/* A registry that names this realm (NULL: itself); its port. */
static unsigned serve(const char *realm)
{
    unsigned port = fx_free_port();
    AUTO(free_p) char *number = xasprintf("%u", port);
    AUTO(free_p) char *own = xasprintf("http://localhost:%u", port);
    char *argv[] = {"python3", "azure.py", number, realm ? (char *)realm : own, NULL};
    fx_write("azure.py", script);
    fx_serve(argv, port);
    return port;
}

static int setup(void **state)
{
    fx_begin(state);
    rpc_setup();
    unsigned port = serve(NULL);
    AUTO(free_p) char *authority = xasprintf("http://localhost:%u/", port);
    AUTO(free_p) char *file = xasprintf("%s/federated", fx_dir());
    fx_write("federated", "federated");
    setenv("AZURE_AUTHORITY_HOST", authority, 1);
    setenv("AZURE_FEDERATED_TOKEN_FILE", file, 1);
    setenv("AZURE_CLIENT_ID", "client", 1);
    setenv("AZURE_TENANT_ID", "tenant", 1);
    url = xasprintf("oci://localhost:%u/team/app", port);
    server.options = fx_server_options();
    fx_server_start(&server, "server");
    return 0;
}

static int teardown(void **state)
{
    fx_server_stop(&server);
    free(url);
    nng_fini();
    return fx_end(state);
}

static int tags(const char *of, bool azure, char **out, err_t **err)
{
    Cargocd__Repo__ListRefsRequest q = CARGOCD__REPO__LIST_REFS_REQUEST__INIT;
    Cargocd__Repo__Repository r = CARGOCD__REPO__REPOSITORY__INIT;
    Cargocd__Repo__ListOciTagsResponse *answer = NULL;
    q.repo = &r;
    r.url = (char *)of;
    r.type = (char *)"oci";
    r.insecure_oci_force_http = true;
    r.use_azure_workload_identity = azure;
    int e = FX_CALL(&server, "repo.ListOciTags", q, list_oci_tags_response, &answer, err);
    if (e < 0)
        return e;
    AUTO_STR all = STR_INIT;
    for (size_t i = 0; i < answer->n_tags; i++)
        str_printf(&all, "%s ", answer->tags[i]);
    *out = str_take(&all);
    FX_FREE(answer);
    return 0;
}

static void the_identity_becomes_a_password(void **state)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *list = NULL;
    ASSERT_OK(tags(url, true, &list, &err));
    assert_string_equal(list, "1.0.0 2.0.0 ");
    AUTO(free_p) char *asked = fx_out("cat asked");
    assert_string_equal(asked,
                        "GET /v2/team/app/tags/list 401\nPOST /tenant/oauth2/v2.0/token 200\n"
                        "POST /oauth2/exchange 200\nGET /oauth2/token 200\nGET /v2/team/app/tags/list 200");
    /* It is kept, as long as it says that it is good. */
    AUTO(free_p) char *again = NULL;
    ASSERT_OK(tags(url, true, &again, &err));
    AUTO(free_p) char *exchanges = fx_out("grep -c POST asked");
    assert_string_equal(exchanges, "2");
}

static void who_has_none_is_not_let_in(void **state)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *list = NULL;
    assert_int_equal(tags(url, false, &list, &err), -ERR_UNAUTHENTICATED);
}

/* A token for all of Azure is not for whoever a registry names. */
static void the_identity_stays_with_the_registry(void **state)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *list = NULL;
    AUTO(free_p) char *elsewhere = xasprintf("http://127.0.0.1:%u", fx_free_port());
    AUTO(free_p) char *other = xasprintf("oci://localhost:%u/team/app", serve(elsewhere));
    fx_sh(": > asked");
    assert_int_equal(tags(other, true, &list, &err), -ERR_UNAUTHENTICATED);
    assert_non_null(strstr(err_text(err), "given out elsewhere"));
    AUTO(free_p) char *asked = fx_out("cat asked");
    assert_string_equal(asked, "GET /v2/team/app/tags/list 401");
}

REPO_TESTS(setup, teardown, T(the_identity_becomes_a_password), T(who_has_none_is_not_let_in),
           T(the_identity_stays_with_the_registry))
