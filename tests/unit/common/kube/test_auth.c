#include "tests/unit/test.h"
#include "common/base/file.h"
#include "common/kube/auth.h"
#include "common/net/tls.h"
#include "common/base/thread.h"
#include "tests/unit/kit/certs.h"

#include <unistd.h>

static char *dir;

static int setup(void **state)
{
    return dir_make_temp(NULL, "auth", &dir, NULL);
}

static int teardown(void **state)
{
    dir_remove(dir, NULL);
    free(TAKE(dir));
    return 0;
}

/* A plugin: a shell script that also counts its runs. */
static char *plugin(const char *body)
{
    AUTO_ERR err = NULL;
    char *path = xasprintf("%s/plugin", dir);
    AUTO(free_p) char *text = xasprintf("#!/bin/sh\necho run >> %s/runs\n%s\n", dir, body);
    ASSERT_OK(file_write(path, text, strlen(text), 0700, &err));
    return path;
}

static size_t runs(void)
{
    AUTO_STR text = STR_INIT;
    AUTO(free_p) char *path = xasprintf("%s/runs", dir);
    return file_read(path, &text, NULL) < 0 ? 0 : text.len / 4;
}

#define V1             "client.authentication.k8s.io/v1"
#define ANSWER(status) "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\",\"status\":" status "}'"

static int get(kube_auth_t *a, char **line, uint64_t *generation, err_t **err)
{
    struct kube_identity who;
    int r = kube_auth_get(a, &who, err);
    if (r < 0)
        return r;
    *line = xstrdup(str_or_empty(who.authorization));
    *generation = who.generation;
    kube_identity_dispose(&who);
    return 0;
}

static kube_auth_t *with_plugin(struct kube_exec *x, char *command)
{
    AUTO_ERR err = NULL;
    kube_auth_t *a;
    x->command = command;
    if (!x->api_version)
        x->api_version = (char *)(uintptr_t)V1;
    struct kube_config config = {
        .server = (char *)(uintptr_t) "https://h:6443", .exec = x, .ca_pem = (char *)(uintptr_t) "authority"};
    ASSERT_OK(kube_auth_new(&config, &a, &err));
    return a;
}

static void a_plugins_token_is_kept_until_it_is_refused(void **state)
{
    AUTO_ERR err = NULL;
    struct kube_exec x = {};
    AUTO(free_p)
    char *command = plugin(ANSWER("{\"token\":\"t'$(wc -l < "
                                  "$(dirname $0)/runs)'\"}"));
    kube_auth_t *a = with_plugin(&x, command);
    uint64_t g = 0;
    assert_false(kube_auth_ready(a));
    for (int i = 1; i <= 3; i++) {
        AUTO(free_p) char *line = NULL;
        ASSERT_OK(get(a, &line, &g, &err));
        assert_string_equal(line, "Authorization: Bearer t1");
    }
    assert_true(kube_auth_ready(a));
    assert_int_equal(runs(), 1);
    assert_true(kube_auth_rejected(a, g));
    assert_true(kube_auth_rejected(a, g)); /* by two requests at once: one new run */
    assert_false(kube_auth_ready(a));
    AUTO(free_p) char *line = NULL;
    ASSERT_OK(get(a, &line, &g, &err));
    assert_string_equal(line, "Authorization: Bearer t2");
    assert_true(kube_auth_rejected(a, g - 1)); /* a late answer to the old one */
    assert_true(kube_auth_ready(a));
    kube_auth_free(a);
}

static void a_plugins_token_expires(void **state)
{
    static const struct {
        const char *expiry;
        size_t runs;
    } cases[] = {{"2001-01-01T00:00:00Z", 3},
                 {"2099-01-01T00:00:00Z", 1},
                 {"2099-01-01T00:00:00.5+02:00", 1},
                 {"9999-12-31T23:59:59Z", 1}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        struct kube_exec x = {};
        AUTO(free_p)
        char *body = xasprintf(ANSWER("{\"token\":\"t\",\"expirationTimestamp\":\"%s\"}"), cases[i].expiry);
        AUTO(free_p) char *command = plugin(body);
        size_t before = runs();
        kube_auth_t *a = with_plugin(&x, command);
        for (int k = 0; k < 3; k++) {
            uint64_t g;
            AUTO(free_p) char *line = NULL;
            ASSERT_OK(get(a, &line, &g, &err));
            assert_string_equal(line, "Authorization: Bearer t");
        }
        assert_int_equal(runs() - before, cases[i].runs);
        kube_auth_free(a);
    }
}

static void plugins_see_the_cluster_and_their_environment(void **state)
{
    AUTO_ERR err = NULL;
    char *args[] = {"one", "two words", NULL}, *env[] = {"ADDED=yes", "HOME=/elsewhere", NULL};
    AUTO_JSON extra = json_object();
    json_set_str(extra, "audience", "me");
    struct kube_exec x = {.args = args, .env = env, .provide_cluster_info = true, .cluster_config = extra};
    AUTO(free_p)
    char *command = plugin(
        "echo \"$KUBERNETES_EXEC_INFO|$1|$2|$ADDED|$HOME|$KEPT\" > $(dirname $0)/saw\n" ANSWER(
            "{\"token\":\"t\"}"));
    setenv("KEPT", "kept", 1);
    setenv("KUBERNETES_EXEC_INFO", "an old one", 1);
    kube_auth_t *a = with_plugin(&x, command);
    uint64_t g;
    AUTO(free_p) char *line = NULL;
    ASSERT_OK(get(a, &line, &g, &err));
    kube_auth_free(a);
    AUTO(free_p) char *path = xasprintf("%s/saw", dir);
    AUTO_STR saw = STR_INIT;
    ASSERT_OK(file_read(path, &saw, &err));
    assert_string_equal(
        str_text(&saw),
        "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1
        "\",\"spec\":{\"interactive\":false,\"cluster\":{\"server\":"
        "\"https://"
        "h:6443\",\"certificate-authority-data\":\"YXV0aG9yaXR5\",\"config\":{\"audience\":\"me\"}}}}"
        "|one|two words|yes|/elsewhere|kept\n");
}

static void bad_plugins_are_named_and_not_hammered(void **state)
{
    static const struct {
        const char *body, *said;
    } cases[] = {
        {"echo cannot log in >&2; exit 3", "status 3: cannot log in"},
        {"echo s3cret", "not JSON"},
        {"echo '{}'", "kind ''"},
        {"echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"other/v1\"}'", "version 'other/v1'"},
        {"echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\"}'", "no status"},
        {ANSWER("{}"), "neither a token nor a certificate"},
        {ANSWER("{\"clientCertificateData\":\"c\"}"), "without its key"},
        {ANSWER("{\"token\":\"t\",\"expirationTimestamp\":\"tomorrow\"}"), "no time"},
        {"head -c 3000000 /dev/zero", NULL},
        {"kill -9 $$", "status 137"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        struct kube_exec x = {};
        AUTO(free_p) char *command = plugin(cases[i].body);
        kube_auth_t *a = with_plugin(&x, command);
        size_t before = runs();
        for (int k = 0; k < 3; k++) {
            struct kube_identity who;
            assert_int_equal(kube_auth_get(a, &who, &err), -ERR_UNAUTHENTICATED);
            assert_non_null(strstr(err_text(err), command));
            assert_null(strstr(err_text(err), "s3cret"));
            if (cases[i].said && !strstr(err_text(err), cases[i].said))
                fail_msg("%s: %s", cases[i].body, err_text(err));
        }
        assert_int_equal(runs() - before, 1);
        assert_true(kube_auth_ready(a)); /* with its failure */
        kube_auth_free(a);
    }
    struct kube_exec x = {.install_hint = (char *)(uintptr_t) "get it at x"};
    char none[] = "no-such-plugin";
    kube_auth_t *a = with_plugin(&x, none);
    struct kube_identity who;
    AUTO_ERR err = NULL;
    assert_int_equal(kube_auth_get(a, &who, &err), -ERR_UNAUTHENTICATED);
    assert_non_null(strstr(err_text(err), "get it at x"));
    kube_auth_free(a);
}

static void a_plugins_certificate_makes_an_endpoint(void **state)
{
    AUTO_ERR err = NULL;
    struct kube_exec x = {};
    AUTO(free_p)
    char *command = plugin(ANSWER(
        "{\"clientCertificateData\":\"cert'$(wc -l < $(dirname $0)/runs)'\",\"clientKeyData\":\"key\"}"));
    kube_auth_t *a = with_plugin(&x, command);
    struct kube_identity first, same, second;
    ASSERT_OK(kube_auth_get(a, &first, &err));
    ASSERT_OK(kube_auth_get(a, &same, &err));
    assert_ptr_equal(first.endpoint, same.endpoint);
    assert_null(first.authorization);
    kube_auth_rejected(a, first.generation);
    ASSERT_OK(kube_auth_get(a, &second, &err));
    assert_ptr_not_equal(first.endpoint, second.endpoint);
    kube_identity_dispose(&first);
    kube_identity_dispose(&same);
    kube_identity_dispose(&second);
    kube_auth_free(a);
}

static void take_run(void *arg, const struct kube_plugin_run *run)
{
    *(struct kube_plugin_run *)arg = *run;
}

static void runs_are_told_as_client_go_does(void **state)
{
    static const struct {
        const char *body, *outcome;
        int code;
    } cases[] = {
        {ANSWER("{\"token\":\"t\"}"), "no_error", 0},
        {"echo nonsense", "no_error", 0}, /* it ran; what it said is another matter */
        {"exit 3", "plugin_execution_error", 3},
        {NULL, "plugin_not_found_error", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct kube_plugin_run run = {};
        struct kube_exec x = {};
        AUTO(free_p) char *command = cases[i].body ? plugin(cases[i].body) : xstrdup("no-such-plugin");
        kube_auth_t *a = with_plugin(&x, command);
        kube_auth_observe(a, take_run, &run);
        struct kube_identity who = {};
        kube_auth_get(a, &who, NULL);
        kube_identity_dispose(&who);
        assert_string_equal(run.outcome, cases[i].outcome);
        assert_int_equal(run.code, cases[i].code);
        assert_int_equal(run.cert_age_ns, -1);
        kube_auth_free(a);
    }
}

/* Certificates of two keys, one after the other. */
static void a_replaced_certificates_age_is_told(void **state)
{
    AUTO_ERR err = NULL;
    struct tls_pair pairs[2];
    for (int i = 0; i < 2; i++) {
        AUTO_STR text = STR_INIT;
        AUTO(free_p) char *path = xasprintf("%s/answer%d", dir, i + 1);
        ASSERT_OK(tls_self_signed("x", NULL, 1, &pairs[i], &err));
        AUTO_JSON answer = json_object();
        json_set_str(answer, "kind", "ExecCredential");
        json_set_str(answer, "apiVersion", V1);
        json_put_at(answer, json_str_new(pairs[i].cert_pem), "status", "clientCertificateData");
        json_put_at(answer, json_str_new(pairs[i].key_pem), "status", "clientKeyData");
        json_write(answer, JSON_GO, &text);
        ASSERT_OK(file_write(path, str_text(&text), text.len, 0600, &err));
        tls_pair_dispose(&pairs[i]);
    }
    struct kube_plugin_run run = {};
    struct kube_exec x = {};
    AUTO(free_p) char *command = plugin("cat $(dirname $0)/answer$(wc -l < $(dirname $0)/runs | tr -d ' ')");
    kube_auth_t *a = with_plugin(&x, command);
    kube_auth_observe(a, take_run, &run);
    struct kube_identity who;
    for (int i = 0; i < 2; i++) {
        ASSERT_OK(kube_auth_get(a, &who, &err));
        assert_true(i == 0 ? run.cert_age_ns == -1
                           : run.cert_age_ns >= 0 && run.cert_age_ns < SECONDS(86400));
        kube_auth_rejected(a, who.generation);
        kube_identity_dispose(&who);
    }
    kube_auth_free(a);
}

static void *get_in_thread(void *arg)
{
    struct kube_identity who;
    if (kube_auth_get(arg, &who, NULL) == 0)
        kube_identity_dispose(&who);
    return NULL;
}

static void one_run_serves_all_who_wait(void **state)
{
    struct kube_exec x = {};
    AUTO(free_p) char *command = plugin("sleep 0.2\n" ANSWER("{\"token\":\"t\"}"));
    kube_auth_t *a = with_plugin(&x, command);
    pthread_t t[8];
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        t[i] = thread_start("asker", get_in_thread, a);
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        pthread_join(t[i], NULL);
    assert_int_equal(runs(), 1);
    kube_auth_free(a);
}

static void *cancel_in_thread(void *arg)
{
    sleep_ns(MILLIS(100));
    kube_auth_cancel(arg);
    return NULL;
}

static void a_hanging_plugin_is_canceled(void **state)
{
    struct kube_exec x = {};
    AUTO(free_p) char *command = plugin("sleep 30");
    kube_auth_t *a = with_plugin(&x, command);
    pthread_t t = thread_start("canceler", cancel_in_thread, a);
    struct kube_identity who;
    mono_t start = mono_now();
    assert_true(kube_auth_get(a, &who, NULL) < 0);
    assert_true(mono_now().ns - start.ns < SECONDS(5));
    pthread_join(t, NULL);
    kube_auth_free(a);
}

static void token_files_are_read_again(void **state)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *path = xasprintf("%s/token", dir);
    struct kube_config config = {.server = (char *)(uintptr_t) "https://h", .token_file = path};
    static const struct {
        const char *content; /* NULL: the file is removed */
        const char *line;    /* NULL: an error */
    } steps[] = {
        {NULL, NULL},
        {"", NULL},
        {"one\n", "Authorization: Bearer one"},
        {"  two  ", "Authorization: Bearer two"},
        {NULL, "Authorization: Bearer two"}, /* in the middle of being replaced */
        {"", "Authorization: Bearer two"},
        {"three", "Authorization: Bearer three"},
        {"a\nb", "Authorization: Bearer three"},
    };
    kube_auth_t *a;
    ASSERT_OK(kube_auth_new(&config, &a, &err));
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        AUTO(free_p) char *line = NULL;
        uint64_t g;
        if (steps[i].content)
            ASSERT_OK(file_write(path, steps[i].content, strlen(steps[i].content), 0600, &err));
        else
            unlink(path);
        int r = get(a, &line, &g, &err);
        assert_true((r == 0) == (steps[i].line != NULL));
        assert_true(str_eq(line, steps[i].line));
    }
    AUTO(free_p) char *line = NULL;
    uint64_t g = 0;
    ASSERT_OK(get(a, &line, &g, &err));
    assert_true(kube_auth_rejected(a, g));
    kube_auth_free(a);
}

static void fixed_credentials_cannot_be_refreshed(void **state)
{
    AUTO_ERR err = NULL;
    kube_auth_t *a;
    struct kube_config config = {.server = (char *)(uintptr_t) "https://h", .token = (char *)(uintptr_t) "t"};
    ASSERT_OK(kube_auth_new(&config, &a, &err));
    assert_true(kube_auth_ready(a));
    assert_false(kube_auth_rejected(a, 0));
    kube_auth_free(a);
    config.token = (char *)(uintptr_t) "t\r\nX: y";
    assert_int_equal(kube_auth_new(&config, &a, &err), -ERR_INVALID_ARGUMENT);
}

#define D(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
TESTS(D(a_plugins_token_is_kept_until_it_is_refused), D(a_plugins_token_expires),
      D(plugins_see_the_cluster_and_their_environment), D(bad_plugins_are_named_and_not_hammered),
      D(a_plugins_certificate_makes_an_endpoint), D(runs_are_told_as_client_go_does),
      D(a_replaced_certificates_age_is_told), D(one_run_serves_all_who_wait), D(a_hanging_plugin_is_canceled),
      D(token_files_are_read_again), D(fixed_credentials_cannot_be_refreshed))
