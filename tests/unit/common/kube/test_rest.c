#include "tests/unit/test.h"
#include "common/base/file.h"
#include "tests/unit/common/kube/fake_kube.h"

/* The last request that came, and how to answer by number. */
struct script {
    lock_t lock;
    atomic_int n;
    str_t seen; /* "METHOD target\nheaders\n\nbody" of the last */
    bool (*answer)(fake_conn_t *c, const struct fake_request *r, int n);
};

static bool handle(fake_conn_t *c, const struct fake_request *r, void *arg)
{
    struct script *s = arg;
    LOCKED(&s->lock);
    str_reset(&s->seen);
    str_printf(&s->seen, "%s %s\n%s\n", r->method, r->target, r->head);
    str_add(&s->seen, str_text(&r->body), r->body.len);
    return s->answer(c, r, s->n++);
}

static struct fake_kube f;
static struct script s;

static void begin(bool (*answer)(fake_conn_t *c, const struct fake_request *r, int n),
                  struct kube_config config, struct kube_options options)
{
    s = (struct script){.lock = LOCK_INIT, .answer = answer};
    fake_kube_open(&f, handle, &s, config, options);
}

static void end(void)
{
    fake_kube_close(&f);
    str_dispose(&s.seen);
}

static bool says_ok(fake_conn_t *c, const struct fake_request *r, int n)
{
    fake_reply(c, "200 OK", "Warning: 299 - \"old\"\r\n",
               "{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"x\"}}");
    return true;
}

static void verbs_are_spelled_as_the_server_wants_them(void **state)
{
    begin(says_ok, (struct kube_config){.token = (char *)(uintptr_t) "t0k"}, (struct kube_options){});
    AUTO_ERR err = NULL;
    AUTO_JSON o = json_object();
    json_put_at(o, json_str_new("x"), "metadata", "name");
    AUTO_STR warnings = STR_INIT;
    struct kube_params p = {.field_manager = "argo cd",
                            .dry_run = true,
                            .force = true,
                            .field_validation = "Strict",
                            .warnings = &warnings};
    AUTO_JSON out = NULL;
    ASSERT_OK(kube_get(f.k, &configmaps, "ns", "x", NULL, &out, &err));
    assert_string_equal(json_str_at(out, "metadata", "name"), "x");
    assert_true(has(str_text(&s.seen), "GET /prefix/api/v1/namespaces/ns/configmaps/x\n"));
    assert_true(has(str_text(&s.seen), "Authorization: Bearer t0k\r\n"));
    assert_true(has(str_text(&s.seen), "Accept: application/json\r\n"));
    ASSERT_OK(kube_create(f.k, &configmaps, "ns", o, &p, NULL, &err));
    assert_true(has(str_text(&s.seen),
                    "POST /prefix/api/v1/namespaces/ns/configmaps?fieldManager=argo%20cd&dryRun=All&"
                    "fieldValidation=Strict\n"));
    assert_true(has(str_text(&s.seen), "Content-Type: application/json\r\n"));
    assert_string_equal(str_text(&warnings), "old\n");
    ASSERT_OK(
        kube_create(f.k, &configmaps, "ns", o, &(struct kube_params){.subresource = "eviction"}, NULL, &err));
    assert_true(has(str_text(&s.seen), "POST /prefix/api/v1/namespaces/ns/configmaps/x/eviction\n"));
    ASSERT_OK(kube_update(f.k, &configmaps, "ns", "x", o, NULL, NULL, &err));
    assert_true(has(str_text(&s.seen), "PUT /prefix/api/v1/namespaces/ns/configmaps/x\n"));
    ASSERT_OK(kube_patch(f.k, &configmaps, "ns", "x", KUBE_PATCH_APPLY, o, &p, NULL, &err));
    assert_true(has(str_text(&s.seen),
                    "PATCH /prefix/api/v1/namespaces/ns/configmaps/x?fieldManager=argo%20cd&"
                    "dryRun=All&fieldValidation=Strict&force=true\n"));
    assert_true(has(str_text(&s.seen), "Content-Type: application/apply-patch+yaml\r\n"));
    ASSERT_OK(kube_patch(f.k, &configmaps, "ns", "x", KUBE_PATCH_MERGE, o,
                         &(struct kube_params){.force = true}, NULL, &err));
    assert_true(has(str_text(&s.seen), "configmaps/x\n")); /* force is for apply alone */
    struct kube_delete how = {
        .propagation = "Foreground", .uid = "u", .resource_version = "7", .grace_seconds = 0};
    ASSERT_OK(kube_delete(f.k, &configmaps, "ns", "x", &how, &p, &err));
    assert_true(has(str_text(&s.seen), "DELETE /prefix/api/v1/namespaces/ns/configmaps/x\n"));
    assert_true(str_has_suffix(str_text(&s.seen),
                               "\n{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"dryRun\":[\"All\"],"
                               "\"propagationPolicy\":\"Foreground\",\"gracePeriodSeconds\":0,"
                               "\"preconditions\":{\"uid\":\"u\",\"resourceVersion\":\"7\"}}"));
    AUTO_STR raw = STR_INIT;
    ASSERT_OK(kube_raw(f.k, NULL, "/version?x=y", NULL, NULL, 0, NULL, &raw, &err));
    assert_true(has(str_text(&s.seen), "GET /prefix/version?x=y\n"));
    assert_true(has(str_text(&raw), "ConfigMap"));
    assert_int_equal(kube_get(f.k, &configmaps, "ns", "", NULL, NULL, &err), -ERR_INVALID_ARGUMENT);
    assert_int_equal(kube_raw(f.k, NULL, "version", NULL, NULL, 0, NULL, &raw, &err), -ERR_INVALID_ARGUMENT);
    end();
}

static void impersonation_rides_along(void **state)
{
    char *groups[] = {"g1", "g 2", NULL};
    AUTO_JSON extra = NULL;
    AUTO_ERR err = NULL;
    ASSERT_OK(json_read_str("{\"a/b\":[\"v1\",\"v2\",3]}", &extra, &err));
    begin(says_ok,
          (struct kube_config){.username = (char *)(uintptr_t) "u",
                               .password = (char *)(uintptr_t) "p",
                               .impersonate_user = (char *)(uintptr_t) "root",
                               .impersonate_groups = groups,
                               .impersonate_extra = extra},
          (struct kube_options){});
    ASSERT_OK(kube_get(f.k, &configmaps, "ns", "x", NULL, NULL, &err));
    static const char *const lines[] = {"Authorization: Basic dTpw\r\n",   "Impersonate-User: root\r\n",
                                        "Impersonate-Group: g1\r\n",       "Impersonate-Group: g 2\r\n",
                                        "Impersonate-Extra-a%2Fb: v1\r\n", "Impersonate-Extra-a%2Fb: v2\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        assert_true(has(str_text(&s.seen), lines[i]));
    kube_t *other = kube_impersonate(f.k, "system:serviceaccount:ns:sa");
    ASSERT_OK(kube_get(other, &configmaps, "ns", "x", NULL, NULL, &err));
    assert_true(has(str_text(&s.seen), "Impersonate-User: system:serviceaccount:ns:sa\r\n"));
    assert_true(has(str_text(&s.seen), "Authorization: Basic dTpw\r\n"));
    assert_false(has(str_text(&s.seen), "Impersonate-Group"));
    kube_t *smuggler = kube_impersonate(f.k, "a\r\nAuthorization: x");
    assert_int_equal(kube_get(smuggler, &configmaps, "ns", "x", NULL, NULL, &err), -ERR_INVALID_ARGUMENT);
    kube_close(smuggler);
    kube_close(other);
    assert_int_equal(fake_http_connections(f.server), 1);
    end();
}

/* ---- refused ---- */

static bool wants_second_token(fake_conn_t *c, const struct fake_request *r, int n)
{
    AUTO(free_p) char *auth = fake_header(r, "Authorization");
    if (str_eq(auth, "Bearer second"))
        return says_ok(c, r, n);
    fake_status(c, "401 Unauthorized", NULL, "Unauthorized");
    return true;
}

static void a_401_asks_for_fresh_credentials_once(void **state)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *dir = NULL;
    ASSERT_OK(dir_make_temp(NULL, "rest", &dir, &err));
    AUTO(free_p) char *command = xasprintf("%s/plugin", dir);
    AUTO(free_p)
    char *text = xasprintf("#!/bin/sh\nt=first; [ -e %s/ran ] && t=$(cat %s/next); touch %s/ran\n"
                           "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s."
                           "io/v1\",\"status\":{\"token\":\"'$t'\"}}'\n",
                           dir, dir, dir);
    ASSERT_OK(file_write(command, text, strlen(text), 0700, &err));
    AUTO(free_p) char *next = xasprintf("%s/next", dir), *ran = xasprintf("%s/ran", dir);
    struct kube_exec x = {.command = command,
                          .api_version = (char *)(uintptr_t) "client.authentication.k8s.io/v1"};
    static const struct {
        const char *next;
        int result, requests;
    } cases[] = {{"second", 0, 2}, {"third", -ERR_UNAUTHENTICATED, 2}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        remove(ran);
        ASSERT_OK(file_write(next, cases[i].next, strlen(cases[i].next), 0600, &err));
        begin(wants_second_token, (struct kube_config){.exec = &x}, (struct kube_options){});
        assert_int_equal(kube_get(f.k, &configmaps, "ns", "x", NULL, NULL, &err), cases[i].result);
        assert_int_equal(s.n, cases[i].requests);
        end();
    }
    begin(wants_second_token, (struct kube_config){.token = (char *)(uintptr_t) "fixed"},
          (struct kube_options){});
    assert_int_equal(kube_get(f.k, &configmaps, "ns", "x", NULL, NULL, &err), -ERR_UNAUTHENTICATED);
    assert_int_equal(s.n, 1);
    end();
    ASSERT_OK(dir_remove(dir, &err));
}

static bool busy_at_first(fake_conn_t *c, const struct fake_request *r, int n)
{
    if (n % 3 == 2)
        return says_ok(c, r, n);
    fake_status(c, n % 3 ? "503 Service Unavailable" : "429 Too Many Requests", "Retry-After: 1\r\n",
                "TooManyRequests");
    return true;
}

static bool busy_for_long(fake_conn_t *c, const struct fake_request *r, int n)
{
    fake_status(c, "429 Too Many Requests", "Retry-After: 100\r\n", "TooManyRequests");
    return true;
}

static bool busy_without_hint(fake_conn_t *c, const struct fake_request *r, int n)
{
    fake_status(c, "503 Service Unavailable", NULL, "ServiceUnavailable");
    return true;
}

static void a_busy_server_is_asked_again(void **state)
{
    AUTO_ERR err = NULL;
    AUTO_JSON o = json_object();
    begin(busy_at_first, (struct kube_config){}, (struct kube_options){});
    mono_t start = mono_now();
    ASSERT_OK(kube_get(f.k, &configmaps, "ns", "x", NULL, NULL, &err));
    assert_in_range(mono_now().ns - start.ns, SECONDS(2), SECONDS(6));
    assert_int_equal(s.n, 3);
    /* A JSON patch might not bear to be done twice. */
    assert_int_equal(kube_patch(f.k, &configmaps, "ns", "x", KUBE_PATCH_JSON, o, NULL, NULL, &err),
                     -ERR_RESOURCE_EXHAUSTED);
    assert_int_equal(s.n, 4);
    end();
    struct kube_failure failure = {};
    begin(busy_for_long, (struct kube_config){}, (struct kube_options){.timeout_ns = SECONDS(2)});
    assert_int_equal(
        kube_get(f.k, &configmaps, "ns", "x", &(struct kube_params){.failure = &failure}, NULL, &err),
        -ERR_RESOURCE_EXHAUSTED);
    assert_int_equal(s.n, 1);
    assert_int_equal(failure.retry_after_ns, SECONDS(100));
    assert_int_equal(failure.http_status, 429);
    kube_failure_dispose(&failure);
    end();
    begin(busy_without_hint, (struct kube_config){}, (struct kube_options){});
    assert_int_equal(kube_get(f.k, &configmaps, "ns", "x", NULL, NULL, &err), -ERR_UNAVAILABLE);
    assert_int_equal(s.n, 1);
    end();
}

static bool odd_bodies(fake_conn_t *c, const struct fake_request *r, int n)
{
    static const char *const bodies[] = {"", "not json", "{\"a\":", "[1] trailing"};
    fake_reply(c, "200 OK", NULL, bodies[n % 4]);
    return true;
}

static void odd_answers_are_errors(void **state)
{
    begin(odd_bodies, (struct kube_config){}, (struct kube_options){});
    for (int i = 0; i < 4; i++) {
        AUTO_ERR err = NULL;
        AUTO_JSON out = NULL;
        assert_true(kube_get(f.k, &configmaps, "ns", "x", NULL, &out, &err) < 0);
        assert_null(out);
    }
    end();
}

static bool dies_after_reading(fake_conn_t *c, const struct fake_request *r, int n)
{
    if (n == 0)
        return says_ok(c, r, n);
    return false;
}

static void what_must_not_be_sent_twice_is_not(void **state)
{
    AUTO_JSON named = json_object();
    AUTO_JSON generated = json_object();
    json_put_at(named, json_str_new("x"), "metadata", "name");
    json_put_at(generated, json_str_new("x-"), "metadata", "generateName");
    for (int i = 0; i < 2; i++) {
        AUTO_ERR err = NULL;
        begin(dies_after_reading, (struct kube_config){}, (struct kube_options){});
        ASSERT_OK(kube_get(f.k, &configmaps, "ns", "x", NULL, NULL, &err));
        assert_int_equal(kube_create(f.k, &configmaps, "ns", i ? generated : named, NULL, NULL, &err),
                         -ERR_UNAVAILABLE);
        assert_true(i ? s.n == 2 : s.n > 2);
        end();
    }
}

static bool is_away(fake_conn_t *c, const struct fake_request *r, int n)
{
    static const char *const statuses[] = {"503 Service Unavailable", "504 Gateway Timeout"};
    if (n >= 2)
        return says_ok(c, r, n);
    fake_reply(c, statuses[n], "", "{}");
    return true;
}

/* Only where that is asked for, and does no harm. */
static void failures_are_tried_again_so_often(void **state)
{
    static const struct {
        unsigned retries;
        int code, requests;
    } cases[] = {{0, -ERR_UNAVAILABLE, 1}, {1, -ERR_UNAVAILABLE, 2}, {2, 0, 3}, {5, 0, 3}};
    AUTO_JSON patch = json_array();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct kube_options options = {.retries = cases[i].retries, .retry_ns = MILLIS(10)};
        begin(is_away, (struct kube_config){}, options);
        int code = kube_get(f.k, &configmaps, "ns", "x", NULL, NULL, NULL);
        assert_int_equal(code < 0, cases[i].code < 0);
        assert_int_equal(s.n, cases[i].requests);
        end();
    }
    begin(is_away, (struct kube_config){}, (struct kube_options){.retries = 5, .retry_ns = MILLIS(10)});
    assert_true(kube_patch(f.k, &configmaps, "ns", "x", KUBE_PATCH_JSON, patch, NULL, NULL, NULL) < 0);
    assert_int_equal(s.n, 1);
    end();
}

static void the_rate_is_limited(void **state)
{
    AUTO_ERR err = NULL;
    begin(says_ok, (struct kube_config){},
          (struct kube_options){.qps = 20, .burst = 2, .timeout_ns = SECONDS(5)});
    mono_t start = mono_now();
    for (int i = 0; i < 8; i++)
        ASSERT_OK(kube_get(f.k, &configmaps, "ns", "x", NULL, NULL, &err));
    assert_in_range(mono_now().ns - start.ns, MILLIS(280), SECONDS(3));
    struct kube_params hasty = {.timeout_ns = MILLIS(1)};
    assert_int_equal(kube_get(f.k, &configmaps, "ns", "x", &hasty, NULL, &err), -ERR_RESOURCE_EXHAUSTED);
    assert_true(has(err_text(err), "20 requests a second"));
    end();
}

struct observed {
    atomic_int n, last_status;
};

static void observe(void *arg, const char *method, const char *verb, const char *host, int status,
                    int64_t duration_ns)
{
    struct observed *o = arg;
    assert_string_equal(method, "GET");
    assert_string_equal(verb, "Get");
    o->n++;
    o->last_status = status;
}

static bool is_slow(fake_conn_t *c, const struct fake_request *r, int n)
{
    if (n == 0)
        return says_ok(c, r, n);
    fake_linger(c, 3000);
    return false;
}

static void requests_are_observed_and_bounded(void **state)
{
    AUTO_ERR err = NULL;
    struct observed o = {};
    begin(is_slow, (struct kube_config){}, (struct kube_options){.observe = observe, .observe_arg = &o});
    ASSERT_OK(kube_get(f.k, &configmaps, "ns", "x", NULL, NULL, &err));
    assert_int_equal(o.n, 1);
    assert_int_equal(o.last_status, 200);
    struct kube_params brief = {.timeout_ns = MILLIS(200)};
    assert_int_equal(kube_get(f.k, &configmaps, "ns", "x", &brief, NULL, &err), -ERR_DEADLINE_EXCEEDED);
    assert_int_equal(o.n, 2);
    assert_int_equal(o.last_status, 0);
    end();
}

static void bad_servers_are_refused(void **state)
{
    static const char *const servers[] = {NULL, "", "https://h?x=y", "https://h#x"};
    http_t *io = http_new("io");
    for (size_t i = 0; i < ARRAY_LEN(servers); i++) {
        AUTO_ERR err = NULL;
        kube_t *k;
        struct kube_config config = {.server = (char *)(uintptr_t)servers[i]};
        assert_int_equal(kube_open(&config, &(struct kube_options){.io = io}, &k, &err),
                         -ERR_INVALID_ARGUMENT);
    }
    http_free(io);
}

TESTS(T(verbs_are_spelled_as_the_server_wants_them), T(impersonation_rides_along),
      T(a_401_asks_for_fresh_credentials_once), T(a_busy_server_is_asked_again), T(odd_answers_are_errors),
      T(what_must_not_be_sent_twice_is_not), T(failures_are_tried_again_so_often), T(the_rate_is_limited),
      T(requests_are_observed_and_bounded), T(bad_servers_are_refused))
