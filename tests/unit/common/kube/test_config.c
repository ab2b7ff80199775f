#include "tests/unit/test.h"
#include "common/base/file.h"
#include "common/kube/kube_internal.h"
#include "tests/unit/kit/certs.h"

static const char whole[] =
    "apiVersion: v1\nkind: Config\ncurrent-context: one\n"
    "clusters:\n"
    "- name: c1\n  cluster: {server: 'https://host:6443/prefix/', certificate-authority: ca.crt, "
    "tls-server-name: kube,\n"
    "    proxy-url: 'socks5://proxy:1', disable-compression: true,\n"
    "    extensions: [{name: client.authentication.k8s.io/exec, extension: {audience: x}}, {name: other, "
    "extension: 1}]}\n"
    "- name: bare\n  cluster: {server: 'host:8080'}\n"
    "- name: bare-tls\n  cluster: {server: 'host:8443', insecure-skip-tls-verify: true}\n"
    "- name: both\n  cluster: {server: 'https://h', insecure-skip-tls-verify: true, "
    "certificate-authority-data: eA==}\n"
    "- name: none\n  cluster: {}\n"
    "- name: number\n  cluster: {server: 1}\n"
    "- name: nobase64\n  cluster: {server: 'https://h', certificate-authority-data: '!!'}\n"
    "users:\n"
    "- name: cert\n  user: {client-certificate-data: Y2VydA==, client-key-data: a2V5}\n"
    "- name: token\n  user: {token: t0k, as: root, as-groups: [a, b], as-user-extra: {k: [v]}}\n"
    "- name: tokenfile\n  user: {tokenFile: sub/token}\n"
    "- name: basic\n  user: {username: u, password: p}\n"
    "- name: exec\n  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin, args: [a, "
    "b c],\n"
    "    env: [{name: A, value: '1'}, {name: B, value: ''}], installHint: get it, provideClusterInfo: true,\n"
    "    interactiveMode: IfAvailable}}\n"
    "- name: exec-path\n  user: {exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: aws}}\n"
    "- name: exec-old\n  user: {exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: aws}}\n"
    "- name: exec-tty\n  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: x, "
    "interactiveMode: Always}}\n"
    "- name: exec-none\n  user: {exec: {apiVersion: client.authentication.k8s.io/v1}}\n"
    "- name: half\n  user: {client-certificate-data: Y2VydA==}\n"
    "- name: confused\n  user: {token: t, password: p}\n"
    "- name: provider\n  user: {auth-provider: {name: gcp}}\n"
    "- name: nofile\n  user: {client-certificate: /nonexistent/c, client-key: /nonexistent/k}\n"
    "contexts:\n"
    "- name: one\n  context: {cluster: c1, user: cert, namespace: ns1}\n"
    "- name: nobody\n  context: {cluster: c1}\n"
    "- name: nowhere\n  context: {cluster: zzz}\n"
    "- name: nouser\n  context: {cluster: c1, user: zzz}\n"
    "- {name: bare, context: {cluster: bare}}\n- {name: bare-tls, context: {cluster: bare-tls}}\n"
    "- {name: both, context: {cluster: both}}\n- {name: none, context: {cluster: none}}\n"
    "- {name: number, context: {cluster: number}}\n- {name: nobase64, context: {cluster: nobase64}}\n"
    "- {name: token, context: {cluster: c1, user: token}}\n"
    "- {name: tokenfile, context: {cluster: c1, user: tokenfile}}\n"
    "- {name: basic, context: {cluster: c1, user: basic}}\n- {name: exec, context: {cluster: c1, user: "
    "exec}}\n"
    "- {name: exec-path, context: {cluster: c1, user: exec-path}}\n"
    "- {name: exec-old, context: {cluster: c1, user: exec-old}}\n"
    "- {name: exec-tty, context: {cluster: c1, user: exec-tty}}\n"
    "- {name: exec-none, context: {cluster: c1, user: exec-none}}\n"
    "- {name: half, context: {cluster: c1, user: half}}\n"
    "- {name: confused, context: {cluster: c1, user: confused}}\n"
    "- {name: provider, context: {cluster: c1, user: provider}}\n"
    "- {name: nofile, context: {cluster: c1, user: nofile}}\n";

static char *dir;

static void put(const char *name, const char *text)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *path = xasprintf("%s/%s", dir, name);
    ASSERT_OK(file_write(path, text, strlen(text), 0600, &err));
}

static int setup(void **state)
{
    dir_make_temp(NULL, "kubeconfig", &dir, NULL);
    put("ca.crt", "authority");
    unsetenv("KUBECONFIG");
    return 0;
}

static int teardown(void **state)
{
    dir_remove(dir, NULL);
    free(TAKE(dir));
    return 0;
}

static int parse(const char *context, struct kube_config *c, err_t **err)
{
    return kube_config_parse(whole, sizeof(whole) - 1, dir, context, c, err);
}

static void a_context_is_chosen(void **state)
{
    AUTO_ERR err = NULL;
    struct kube_config c;
    ASSERT_OK(parse(NULL, &c, &err));
    assert_string_equal(c.server, "https://host:6443/prefix");
    assert_string_equal(c.context, "one");
    assert_string_equal(c.default_namespace, "ns1");
    assert_string_equal(c.ca_pem, "authority");
    assert_string_equal(c.tls_server_name, "kube");
    assert_string_equal(c.proxy_url, "socks5://proxy:1");
    assert_true(c.disable_compression);
    assert_string_equal(c.client_cert_pem, "cert");
    assert_string_equal(c.client_key_pem, "key");
    assert_null(c.token);
    assert_null(c.exec);
    kube_config_dispose(&c);
}

static void credentials_of_every_kind(void **state)
{
    AUTO_ERR err = NULL;
    struct kube_config c;
    ASSERT_OK(parse("token", &c, &err));
    assert_string_equal(c.token, "t0k");
    assert_string_equal(c.impersonate_user, "root");
    assert_int_equal(strv_len(c.impersonate_groups), 2);
    assert_string_equal(json_string_value(json_array_get(json_at(c.impersonate_extra, "k"), 0)), "v");
    kube_config_dispose(&c);
    ASSERT_OK(parse("tokenfile", &c, &err));
    AUTO(free_p) char *token_file = xasprintf("%s/sub/token", dir);
    assert_string_equal(c.token_file, token_file);
    kube_config_dispose(&c);
    ASSERT_OK(parse("basic", &c, &err));
    assert_string_equal(c.username, "u");
    assert_string_equal(c.password, "p");
    kube_config_dispose(&c);
    ASSERT_OK(parse("nobody", &c, &err));
    assert_null(c.username);
    kube_config_dispose(&c);
}

static void exec_plugins_are_read(void **state)
{
    AUTO_ERR err = NULL;
    struct kube_config first, c;
    ASSERT_OK(parse("exec", &first, &err));
    kube_config_copy(&c, &first);
    kube_config_dispose(&first);
    AUTO(free_p) char *command = xasprintf("%s/./plugin", dir);
    assert_string_equal(c.exec->command, command);
    assert_string_equal(c.exec->args[1], "b c");
    assert_string_equal(c.exec->env[0], "A=1");
    assert_string_equal(c.exec->env[1], "B=");
    assert_string_equal(c.exec->install_hint, "get it");
    assert_true(c.exec->provide_cluster_info);
    assert_string_equal(json_str_at(c.exec->cluster_config, "audience"), "x");
    kube_config_dispose(&c);
    ASSERT_OK(parse("exec-path", &c, &err));
    assert_string_equal(c.exec->command, "aws");
    kube_config_dispose(&c);
}

static void server_names_are_completed(void **state)
{
    AUTO_ERR err = NULL;
    struct kube_config c;
    ASSERT_OK(parse("bare", &c, &err));
    assert_string_equal(c.server, "http://host:8080");
    kube_config_dispose(&c);
    ASSERT_OK(parse("bare-tls", &c, &err));
    assert_string_equal(c.server, "https://host:8443");
    assert_true(c.insecure);
    kube_config_dispose(&c);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *context;
        int result;
        const char *said;
    } cases[] = {
        {"absent", -ERR_INVALID_ARGUMENT, "context 'absent' does not exist"},
        {"nowhere", -ERR_INVALID_ARGUMENT, "cluster 'zzz' does not exist"},
        {"nouser", -ERR_INVALID_ARGUMENT, "user 'zzz' does not exist"},
        {"both", -ERR_INVALID_ARGUMENT, "contradict"},
        {"none", -ERR_INVALID_ARGUMENT, "no server"},
        {"number", -ERR_INVALID_ARGUMENT, "server is not a string"},
        {"nobase64", -ERR_INVALID_ARGUMENT, "certificate-authority-data is not base64"},
        {"exec-old", -ERR_INVALID_ARGUMENT, "v1alpha1"},
        {"exec-tty", -ERR_FAILED_PRECONDITION, "terminal"},
        {"exec-none", -ERR_INVALID_ARGUMENT, "no command"},
        {"half", -ERR_INVALID_ARGUMENT, "belong together"},
        {"confused", -ERR_INVALID_ARGUMENT, "both a password and a token"},
        {"provider", -ERR_UNIMPLEMENTED, "gcp"},
        {"nofile", -ERR_NOT_FOUND, "/nonexistent/c"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        struct kube_config c;
        int r = parse(cases[i].context, &c, &err);
        if (r != cases[i].result || !strstr(err_text(err), cases[i].said))
            fail_msg("%s: %d %s", cases[i].context, r, err_text(err));
    }
    static const char *const nonsense[] = {
        "[]",
        "3",
        "{clusters: 3}",
        "{clusters: [3]}",
        "{clusters: [{name: 1}]}",
        "{clusters: [{name: a, cluster: []}]}",
        "{contexts: [{name: a}, {name: a}]}",
        "{current-context: [a]}",
        "{clusters: [",
        "",
        "a: b: c",
        "{users: [{name: u, user: {exec: {env: 3, command: x}}}], current-context: x}",
    };
    for (size_t i = 0; i < ARRAY_LEN(nonsense); i++) {
        AUTO_ERR err = NULL;
        struct kube_config c;
        int r = kube_config_parse(nonsense[i], strlen(nonsense[i]), NULL, NULL, &c, &err);
        if (r >= 0)
            fail_msg("accepted: %s", nonsense[i]);
        assert_true(*err_text(err));
    }
}

static void several_files_are_merged(void **state)
{
    put("a", "{clusters: [{name: c, cluster: {server: 'https://first'}}], contexts: [{name: x, context: "
             "{cluster: c}}]}");
    put("b", "{current-context: x, clusters: [{name: c, cluster: {server: 'https://second'}},"
             "{name: d, cluster: {server: 'https://d', certificate-authority: ca.crt}}],"
             "contexts: [{name: x, context: {cluster: d}}, {name: two, context: {cluster: d}}]}");
    put("c", "{current-context: two}");
    AUTO(free_p) char *list = xasprintf("%s/absent:%s/a:%s/b::%s/c", dir, dir, dir, dir);
    setenv("KUBECONFIG", list, 1);
    AUTO_ERR err = NULL;
    struct kube_config c;
    ASSERT_OK(kube_config_load(NULL, NULL, &c, &err));
    assert_string_equal(c.context, "x");
    assert_string_equal(c.server, "https://first");
    kube_config_dispose(&c);
    ASSERT_OK(kube_config_load(NULL, "two", &c, &err));
    assert_string_equal(c.ca_pem, "authority");
    kube_config_dispose(&c);
    setenv("KUBECONFIG", "/nonexistent/a:/nonexistent/b", 1);
    assert_int_equal(kube_config_load(NULL, NULL, &c, &err), -ERR_NOT_FOUND);
    unsetenv("KUBECONFIG");
    setenv("HOME", dir, 1);
    assert_int_equal(kube_config_auto(NULL, NULL, &c, &err), -ERR_NOT_FOUND);
    AUTO(free_p) char *bad = xasprintf("%s/ca.crt", dir);
    assert_int_equal(kube_config_load(bad, NULL, &c, &err), -ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err_text(err), bad));
}

static void the_pod_has_an_account(void **state)
{
    AUTO_ERR err = NULL;
    struct kube_config c;
    assert_int_equal(kube_config_of_pod(dir, "10.0.0.1", "443", &c, &err), -ERR_NOT_FOUND);
    put("token", "t0k\n");
    put("namespace", "argocd\n");
    assert_int_equal(kube_config_of_pod(dir, NULL, "443", &c, &err), -ERR_NOT_FOUND);
    ASSERT_OK(kube_config_of_pod(dir, "10.0.0.1", "443", &c, &err));
    assert_string_equal(c.server, "https://10.0.0.1:443");
    assert_string_equal(c.default_namespace, "argocd");
    assert_string_equal(c.ca_pem, "authority");
    assert_true(str_has_suffix(c.token_file, "/token"));
    kube_config_dispose(&c);
    ASSERT_OK(kube_config_of_pod(dir, "fd00::1", "443", &c, &err));
    assert_string_equal(c.server, "https://[fd00::1]:443");
    kube_config_dispose(&c);
}

#define D(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
TESTS(D(a_context_is_chosen), D(credentials_of_every_kind), D(exec_plugins_are_read),
      D(server_names_are_completed), D(what_is_wrong_is_named), D(several_files_are_merged),
      D(the_pod_has_an_account))
