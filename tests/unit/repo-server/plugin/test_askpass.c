/* Credentials of repositories for the plugins that ask for them, and for nobody else: git in a plugin asks
 * through its helper. */
#include "repo-server/plugin/askpass.h"
#include "cmp-server/service.h"
#include "proto/cmp/askpass.pb-c.h"
#include "tests/unit/repo-server/fixture/server.h"

#include <nng/nng.h>
#include <stdlib.h>

static struct fx_server server;
static const char *base;
static char *url, sockets[512], askpass[512];

struct sidecar {
    struct plugin_config config;
    struct service service;
    grpc_server_t *server;
    char *work;
};

#define HEAD   "apiVersion: argoproj.io/v1alpha1\nkind: ConfigManagementPlugin\n"
#define OBJECT "apiVersion: v1, kind: ConfigMap, metadata: {name: made}"

/* A plugin that tells what it was told, and what it gets at with it. */
static void sidecar_start(struct sidecar *s, const char *name, bool asks)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *file = xasprintf("%s/plugin.yaml", name);
    AUTO(free_p) char *dir = xasprintf("%s/%s", fx_dir(), name);
    AUTO(free_p)
    char *yaml = xasprintf(
        HEAD "metadata: {name: %s}\nspec:\n  provideGitCreds: %s\n"
             "  generate:\n    command: [sh, -c]\n    args:\n    - |\n"
             "      git clone -q %s/secret.git got 2>err; v=$(cat got/value 2>/dev/null)\n"
             "      env | grep -E '^(ARGOCD_GIT|ARGOCD_ASK|ARGOCD_BIN|GIT_ASKPASS|GIT_SSL_NO|GIT_TERM)' | "
             "sort > %s/env\n"
             "      echo \"{" OBJECT ", data: {value: \\\"$v\\\", err: \\\"$(head -c 200 err | tr '\\n\\\"' "
             "'  ')\\\"}}\"\n",
        name, asks ? "true" : "false", base, dir);
    fx_write(file, yaml);
    s->work = xasprintf("%s/work", dir);
    fx_sh("mkdir -p %s plugins", s->work);
    ASSERT_OK(plugin_config_read(dir, &s->config, &err));
    s->service = (struct service){.config = &s->config, .work = s->work};
    AUTO(free_p) char *socket = plugin_config_socket(&s->config, sockets);
    struct grpc_server_options options = {.socket_path = socket,
                                          .methods = service_methods,
                                          .nmethods = service_method_count,
                                          .ctx = &s->service};
    ASSERT_OK(grpc_server_start(&options, &s->server, &err));
}

static void sidecar_stop(struct sidecar *s)
{
    grpc_server_free(s->server);
    plugin_config_dispose(&s->config);
    free(s->work);
}

static int setup(void **state)
{
    fx_begin(state);
    rpc_setup();
    base = fx_http(FX_BASIC);
    snprintf(sockets, sizeof(sockets), "%s/plugins", fx_dir());
    snprintf(askpass, sizeof(askpass), "%s/ask.sock", fx_dir());
    server.options = fx_server_options();
    server.options.plugin_dir = sockets;
    server.options.askpass_socket = askpass;
    fx_server_start(&server, "server");
    fx_repo("secret");
    fx_write("secret/value", "told");
    fx_write("secret/app/x", "x");
    fx_commit("secret", "one");
    url = base ? xasprintf("%s/secret.git", base) : NULL;
    return 0;
}

static int teardown(void **state)
{
    fx_server_stop(&server);
    free(url);
    nng_fini();
    return fx_end(state);
}

static fx_request_t *ask(struct fx_ask *a, const char *source)
{
    fx_request_t *q = fx_ask(a, url, source);
    a->repo.username = (char *)"user";
    a->repo.password = (char *)"s3cret";
    q->no_cache = true;
    return q;
}

static int get(const char *socket, const char *nonce, char **username, char **password, err_t **err)
{
    AUTO(grpc_client_close_p) grpc_client_t *c = NULL;
    AUTO_STR answer = STR_INIT;
    Askpass__CredentialsRequest q = ASKPASS__CREDENTIALS_REQUEST__INIT;
    uint8_t request[256];
    q.nonce = (char *)nonce;
    size_t n = askpass__credentials_request__pack(&q, request);
    struct grpc_exchange x = {"/askpass.AskPassService/GetCredentials", mono_after(mono_now(), SECONDS(10)),
                              NULL};
    int r = grpc_client_open(socket, &c, err);
    if (r == 0)
        r = grpc_unary(c, &x, request, n, &answer, err);
    if (r < 0)
        return r;
    Askpass__CredentialsResponse *m = askpass__credentials_response__unpack(
        NULL, answer.len, (const uint8_t *)str_text(&answer));
    assert_non_null(m);
    *username = xstrdup(m->username);
    *password = xstrdup(m->password);
    askpass__credentials_response__free_unpacked(m, NULL);
    return 0;
}

/* ---- cases ---- */

static void who_asks_is_told(void **state)
{
    if (!url)
        skip();
    struct sidecar s;
    struct fx_ask a;
    sidecar_start(&s, "asks", true);
    fx_expect(&server, ask(&a, "{\"path\":\"app\",\"plugin\":{\"name\":\"asks\"}}"), "\"value\":\"told\"");
    AUTO(free_p) char *env = fx_out("cat asks/env");
    assert_null(strstr(env, "s3cret"));
    assert_non_null(strstr(env, "ARGOCD_BINARY_NAME=argocd-git-ask-pass\n"));
    assert_non_null(strstr(env, "GIT_TERMINAL_PROMPT=0"));
    assert_non_null(strstr(env, askpass));
    /* The rendering is over: its nonce opens nothing. */
    AUTO(free_p) char *nonce = fx_out("sed -n 's/^ARGOCD_GIT_ASKPASS_NONCE=//p' asks/env");
    AUTO(free_p) char *user = NULL;
    AUTO(free_p) char *password = NULL;
    AUTO_ERR err = NULL;
    assert_int_equal(strlen(nonce), 36);
    assert_int_equal(get(askpass, nonce, &user, &password, &err), -ERR_NOT_FOUND);
    sidecar_stop(&s);
}

static void who_does_not_ask_is_not_told(void **state)
{
    if (!url)
        skip();
    struct sidecar s;
    struct fx_ask a;
    sidecar_start(&s, "quiet", false);
    setenv("GIT_TERMINAL_PROMPT", "0", 1);
    fx_expect(&server, ask(&a, "{\"path\":\"app\",\"plugin\":{\"name\":\"quiet\"}}"), "\"value\":\"\"");
    AUTO(free_p) char *env = fx_out("grep -v GIT_TERMINAL_PROMPT quiet/env || true");
    assert_string_equal(env, "");
    sidecar_stop(&s);
    unsetenv("GIT_TERMINAL_PROMPT");
}

/* What must not ask comes as a header, as Argo CD gives it; the other kinds of credential give nothing. */
static void headers_are_argo_cds(void **state)
{
    if (!url)
        skip();
    struct sidecar s;
    struct fx_ask a;
    sidecar_start(&s, "headers", true);
    fx_request_t *q = ask(&a, "{\"path\":\"app\",\"plugin\":{\"name\":\"headers\"}}");
    a.repo.force_http_basic_auth = true;
    a.repo.insecure = true;
    fx_expect(&server, q, "\"value\":\"told\"");
    AUTO(free_p) char *env = fx_out("cat headers/env");
    assert_non_null(strstr(env, "ARGOCD_GIT_AUTH_HEADER=Authorization: Basic dXNlcjpzM2NyZXQ=\n"));
    assert_non_null(strstr(env, "GIT_SSL_NO_VERIFY=true"));
    AUTO(free_p) char *open = fx_file_url("secret");
    q = fx_ask(&a, open, "{\"path\":\"app\",\"plugin\":{\"name\":\"headers\"}}");
    q->no_cache = true;
    fx_expect(&server, q, "\"name\":\"made\"");
    AUTO(free_p) char *none = fx_out("grep -v GIT_TERMINAL_PROMPT headers/env || true");
    assert_string_equal(none, "");
    sidecar_stop(&s);
}

static void nonces_are_told_apart(void **state)
{
    AUTO(free_p) char *path = xasprintf("%s/own.sock", fx_dir());
    askpass_t *a = askpass_new(path);
    AUTO_ERR err = NULL;
    char *one = NULL, *two = NULL;
    ASSERT_OK(askpass_add(a, "u1", "p1", &one, &err));
    ASSERT_OK(askpass_add(a, NULL, "p2", &two, &err));
    AUTO(free_p) char *user = NULL;
    AUTO(free_p) char *password = NULL;
    ASSERT_OK(get(path, two, &user, &password, &err));
    assert_string_equal(user, "");
    assert_string_equal(password, "p2");
    AUTO(free_p) char *copy = xstrdup(two);
    askpass_remove(a, two);
    AUTO(free_p) char *no = NULL;
    static const enum err_code codes[] = {ERR_NOT_FOUND, ERR_INVALID_ARGUMENT, ERR_NOT_FOUND,
                                          ERR_INVALID_ARGUMENT};
    AUTO(free_p) char *long_one = xasprintf("%0100d", 1);
    const char *const bad[] = {copy, "", "p1", long_one};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(get(path, bad[i], &no, &no, &err), -(int)codes[i]);
        err_clear(&err);
    }
    askpass_remove(a, one);
    askpass_free(a);
    AUTO(free_p) char *left = fx_out("ls own.sock 2>/dev/null || true");
    assert_string_equal(left, "");
}

/* Argo CD's own sidecar with its own helper: ARGOCD is its program. */
static void a_foreign_sidecar_is_told(void **state)
{
    const char *program = getenv("ARGOCD");
    if (str_empty(program) || !url)
        skip();
    fx_sh("mkdir -p bin && ln -sf %s bin/argocd", program);
    AUTO(free_p)
    char *yaml = xasprintf(HEAD
                           "metadata: {name: theirs}\nspec:\n  provideGitCreds: true\n"
                           "  generate: {command: [sh, -c], args: ['git clone -q %s/secret.git got >&2; echo "
                           "\"{" OBJECT ", data: {value: $(cat got/value)}}\"']}\n",
                           base);
    fx_write("foreign-cfg/plugin.yaml", yaml);
    AUTO(free_p)
    char *pid = fx_out(
        "PATH=$PWD/bin:$PATH ARGOCD_PLUGINSOCKFILEPATH=$PWD/plugins ARGOCD_CMP_WORKDIR=$PWD "
        "ARGOCD_BINARY_NAME=argocd-cmp-server setsid bin/argocd --config-dir-path foreign-cfg "
        ">foreign.log 2>&1 & echo $!; i=0; until [ -S plugins/theirs.sock ] || [ $i = 100 ]; do sleep "
        "0.1; i=$((i+1)); done");
    struct fx_ask a;
    fx_expect(&server, ask(&a, "{\"path\":\"app\",\"plugin\":{\"name\":\"theirs\"}}"), "\"value\":\"told\"");
    fx_sh("kill %s; rm -f plugins/theirs.sock", pid);
}

int main(int argc, char **argv)
{
    if (askpass_is_wanted())
        return askpass_main(argc, argv);
    int role = repo_child_main(argc, argv);
    if (role >= 0)
        return role;
    const struct CMUnitTest tests[] = {T(who_asks_is_told), T(who_does_not_ask_is_not_told),
                                       T(headers_are_argo_cds), T(nonces_are_told_apart),
                                       T(a_foreign_sidecar_is_told)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
