#include "common/engine/script.h"
#include "common/base/clock.h"
#include "common/base/map.h"
#include "tests/unit/golden.h"

static void run_case(const json_t *c, const char *what)
{
    AUTO_ERR err = NULL;
    struct health h;
    health_assess(json_at(c, "object"), &h, &err);
    AUTO_JSON have = json_pack("{s:s,s:s}", "status", health_name(h.status), "message",
                               str_or_empty(h.message));
    assert_json_same(have, json_at(c, "expect"), what);
    assert_null(err);
    health_dispose(&h);
}

static void bundled_checks(void **state)
{
    golden_each("health/scripts.jsonl", 1640, run_case);
}

/* Every kind that has a check has a case of each outcome that it is about. */
static map_t seen;
static void note_case(const json_t *c, const char *what)
{
    const json_t *o = json_at(c, "object");
    AUTO(free_p) char *group = object_group(o);
    AUTO(free_p) char *key = xasprintf("%s/%s %s", group, object_kind(o), json_str_at(c, "expect", "status"));
    map_put(&seen, key, NULL);
}

static void kinds_have_cases(void **state)
{
    static const char *const kinds[] = {"argoproj.io/Rollout",
                                        "argoproj.io/EventSource",
                                        "argoproj.io/Sensor",
                                        "cert-manager.io/Certificate",
                                        "cert-manager.io/Issuer",
                                        "cert-manager.io/ClusterIssuer",
                                        "external-secrets.io/ExternalSecret",
                                        "external-secrets.io/SecretStore",
                                        "external-secrets.io/ClusterSecretStore",
                                        "bitnami.com/SealedSecret",
                                        "monitoring.coreos.com/Prometheus",
                                        "monitoring.coreos.com/Alertmanager",
                                        "install.istio.io/IstioOperator",
                                        "sailoperator.io/Istio",
                                        "gateway.networking.k8s.io/Gateway",
                                        "gateway.networking.k8s.io/HTTPRoute",
                                        "gateway.networking.k8s.io/GRPCRoute",
                                        "gateway.networking.k8s.io/GatewayClass",
                                        "nop.crossplane.io/NopResource",
                                        "pkg.crossplane.io/Provider",
                                        "helm.toolkit.fluxcd.io/HelmRelease",
                                        "kustomize.toolkit.fluxcd.io/Kustomization",
                                        "source.toolkit.fluxcd.io/GitRepository",
                                        "serving.knative.dev/Service",
                                        "operator.knative.dev/KnativeServing",
                                        "keda.sh/ScaledObject",
                                        "keda.sh/ScaledJob",
                                        "kafka.strimzi.io/Kafka",
                                        "kafka.strimzi.io/KafkaTopic",
                                        "postgresql.cnpg.io/Cluster",
                                        "cluster.x-k8s.io/Cluster",
                                        "cluster.x-k8s.io/Machine",
                                        "kyverno.io/ClusterPolicy",
                                        "traefik.io/IngressRoute",
                                        "velero.io/Backup",
                                        "velero.io/Restore",
                                        "velero.io/Schedule",
                                        "batch/CronJob",
                                        "apiextensions.k8s.io/CustomResourceDefinition",
                                        "policy/PodDisruptionBudget",
                                        "argoproj.io/ApplicationSet",
                                        "argoproj.io/AnalysisRun",
                                        "argoproj.io/Experiment",
                                        "argoproj.io/EventBus"};
    static const char *const statuses[] = {"Healthy", "Progressing", "Degraded"};
    golden_each("health/scripts.jsonl", 1640, note_case);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        for (size_t s = 0; s < ARRAY_LEN(statuses); s++) {
            AUTO(free_p) char *key = xasprintf("%s %s", kinds[i], statuses[s]);
            if (!map_has(&seen, key))
                fail_msg("no case: %s", key);
        }
    }
    map_dispose(&seen);
}

static size_t outcomes_of(const char *group, const char *kind)
{
    size_t n = 0;
    for (int status = HEALTH_NONE; status <= HEALTH_UNKNOWN; status++) {
        AUTO(free_p) char *key = xasprintf("%s/%s %s", group, kind, health_name((enum health_status)status));
        n += map_has(&seen, key);
    }
    return n;
}

/* golden/health/kinds.txt: all kinds of which Argo CD 3.6 brings a check; "_" is any kind of the group. */
static void every_kind_is_checked(void **state)
{
    AUTO_STR text = STR_MAX(1 << 20);
    golden_read("health/kinds.txt", &text);
    golden_each("health/scripts.jsonl", 1640, note_case);
    view_t rest = {str_text(&text), text.len}, line;
    size_t n = 0;
    while (view_split(&rest, '\n', &line)) {
        view_t group;
        if (!line.n || !view_split(&line, ' ', &group))
            continue;
        AUTO(free_p) char *g = xstrndup(group.p, group.n);
        AUTO(free_p) char *k = xstrndup(line.p, line.n);
        bool any = strcmp(k, "_") == 0;
        if (!script_bundled(g, any ? "Thing" : k))
            fail_msg("no check of %s/%s", g, k);
        /* One of Astra's schedules is well whatever happens. */
        if (!any && outcomes_of(g, k) < (strcmp(k, "Schedule") == 0 ? 1 : 2))
            fail_msg("cases of %s/%s do not show two outcomes", g, k);
        n++;
    }
    map_dispose(&seen);
    assert_int_equal(n, 241);
}

static json_t *evaluate(const char *source, bool open_libs, err_t **err)
{
    AUTO_JSON object = json_of(
        "{\"a\":{\"b\":[1,2.5,\"x\",null,true]},\"big\":12345678901,\"s\":\"\\u0000z\",\"none\":null}");
    struct script s = {source, open_libs};
    json_t *out = NULL;
    script_run(&s, object, NULL, &out, err);
    return out;
}

static void values(void **state)
{
    static const struct {
        bool open_libs;
        const char *source, *value; /* NULL: nothing */
    } cases[] = {
        {false, "return obj",
         "{\"a\":{\"b\":[1,2.5,\"x\",null,true]},\"big\":12345678901,\"s\":\"\\u0000z\"}"},
        {false, "return obj.none", NULL},
        {false, "", NULL},
        {false, "return {}", "{}"},
        {false, "return {1,2,{x=false}}", "[1,2,{\"x\":false}]"},
        {false, "return #obj.s", "2"},
        {false, "return obj.big + 0.5", "12345678901.5"},
        {false, "return type(actionParams)", "\"table\""},
        {false, "for i = 1, 3 do if i == 2 then goto continue end ::continue:: end return 'ok'", "\"ok\""},
        {false, "return table.concat({'a', 'b'}, '-')", "\"a-b\""},
        {false, "local n = 0 for _ in pairs(_G) do n = n + 1 end return n < 40", "true"},
        {false, "return {string, math, io, os, debug, jit, ffi, bit, package, dofile, loadfile, print}",
         "{}"},
        {true, "return {io, debug, jit, ffi, package, dofile, loadfile, print, string.dump}", "{}"},
        {true, "local out = {} for k in pairs(os) do out[#out + 1] = k end table.sort(out) return out",
         "[\"date\",\"time\"]"},
        {false, "return require('os').time() > 1700000000", "true"},
        {false, "return require('os').date('!%Y-%m-%dT%H:%M:%SZ', 86400)", "\"1970-01-02T00:00:00Z\""},
        {false, "return require('os').date('*t', 86400).day", "2"},
        {true, "return string.format('%05.1f', 3.14159)", "\"003.1\""},
        {false, "return load('return 1 + 1')()", "2"},
        {false, "return loadstring('x =')", NULL},
        {false, "return (pcall(error, 'x'))", "false"},
        {false, "return {xpcall(function() return 1, 2 end, error)}", "[true,1,2]"},
        {false, "return {xpcall(function() error('x', 0) end, function(e) return e .. 'y' end)}",
         "[false,\"xy\"]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO_JSON have = evaluate(cases[i].source, cases[i].open_libs, &err);
        AUTO_JSON wanted = cases[i].value ? json_of(cases[i].value) : NULL;
        if (err)
            fail_msg("%s: %s", cases[i].source, err_text(err));
        if (!wanted != !have)
            fail_msg("%s: %s value", cases[i].source, have ? "a" : "no");
        if (wanted)
            assert_json_same(have, wanted, cases[i].source);
    }
}

static void failures(void **state)
{
    static const struct {
        const char *source, *problem;
    } cases[] = {
        {"return obj.x.y", "attempt to index field 'x'"},
        {"return return", "unexpected symbol"},
        {"error({})", "an error that is no text"},
        {"error('boom', 0)", "boom"},
        {"return function() end", "the Lua script returned what is no document: function"},
        {"return {[1.5]=1}", "the Lua script returned what is no document: a key that is no text"},
        {"return 0/0", "the Lua script returned what is no document: a number that is not finite"},
        {"local t = {} t.t = t return t",
         "the Lua script returned what is no document: too large or deep a table"},
        {"return '\\255'", "the Lua script returned what is no document: a text that is not UTF-8"},
        {"require('io')", "module io not found"},
        {"require('ffi')", "module ffi not found"},
        {"return loadstring('\\27LJ\\2') ()", "attempt to call a nil value"},
        {"local t = setmetatable({}, {__index = function(t, k) error('trap') end}) return t.x", "trap"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO_JSON have = evaluate(cases[i].source, true, &err);
        assert_null(have);
        assert_int_equal(err_code(err), ERR_INVALID_ARGUMENT);
        if (!strstr(err_text(err), cases[i].problem))
            fail_msg("%s: %s", cases[i].source, err_text(err));
    }
}

/* Whatever a script does, it ends soon and takes little. */
static void limits(void **state)
{
    static const char *const sources[] = {
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "while true do xpcall(function() while true do end end, function() while true do end end) end",
        "local t = {} while true do t[#t + 1] = ('x'):rep(1000000) .. #t end",
        "local s = 'x' while true do s = s .. s end",
        "local function f() return f() end f()",
        "return ('x'):rep(1e9)",
        ("local co = coroutine and coroutine.wrap(function() while true do end end) while true do pcall(co "
         "or "
         "error) end"),
        "local t = {} for i = 1, 1e9 do t[i] = i end",
        "setmetatable(_G, {__index = function() while true do end end}) return nowhere",
    };
    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        AUTO_ERR err = NULL;
        mono_t began = mono_now();
        AUTO_JSON have = evaluate(sources[i], true, &err);
        assert_null(have);
        if (err_code(err) != ERR_RESOURCE_EXHAUSTED)
            fail_msg("%s: %s", sources[i], err_text(err));
        assert_true(mono_now().ns - began.ns < SECONDS(20));
    }
    AUTO_ERR err = NULL;
    AUTO_JSON deep = evaluate("local function f(n) return 1 + f(n + 1) end return f(1)", true, &err);
    assert_null(deep);
    assert_non_null(err);
}

static void health_values(void **state)
{
    static const struct {
        const char *value;
        enum health_status status;
        const char *message, *problem;
    } cases[] = {
        {"null", HEALTH_BLANK, NULL, NULL},
        {"{}", HEALTH_BLANK, NULL, NULL},
        {"{\"message\":\"m\"}", HEALTH_BLANK, "m", NULL},
        {"{\"status\":\"Healthy\"}", HEALTH_HEALTHY, NULL, NULL},
        {"{\"status\":\"Suspended\",\"message\":\"\"}", HEALTH_SUSPENDED, NULL, NULL},
        {"{\"status\":\"Unknown\",\"message\":\"m\"}", HEALTH_UNKNOWN, "m", NULL},
        {"{\"status\":\"healthy\",\"message\":\"m\"}", HEALTH_UNKNOWN,
         "Lua returned an invalid health status", NULL},
        {"{\"status\":1}", HEALTH_BLANK, NULL, "the Lua script returned a status or message that is no text"},
        {"{\"message\":{}}", HEALTH_BLANK, NULL,
         "the Lua script returned a status or message that is no text"},
        {"\"Healthy\"", HEALTH_BLANK, NULL, "expect table output from Lua script, not string"},
        {"3", HEALTH_BLANK, NULL, "expect table output from Lua script, not number"},
        {"true", HEALTH_BLANK, NULL, "expect table output from Lua script, not boolean"},
        {"[1]", HEALTH_BLANK, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO(free_p) char *text = xasprintf("[%s]", cases[i].value);
        AUTO_JSON list = json_of(text);
        struct health h;
        script_health_of(json_array_get(list, 0), &h, &err);
        assert_int_equal(h.status, cases[i].status);
        assert_string_equal(str_or_empty(h.message), str_or_empty(cases[i].message));
        assert_string_equal(err_text(err), str_or_empty(cases[i].problem));
        health_dispose(&h);
    }
}

static void kinds(void **state)
{
    assert_non_null(script_bundled("argoproj.io", "Rollout"));
    assert_non_null(script_bundled("s3.aws.upbound.io", "Anything"));
    assert_null(script_bundled("argoproj.io", "Application"));
    assert_null(script_bundled("upbound.io", "Thing"));
    assert_null(script_bundled("", "Pod"));
    assert_null(script_bundled("velero.io", "*"));
}

TESTS(T(bundled_checks), T(kinds_have_cases), T(every_kind_is_checked), T(values), T(failures), T(limits),
      T(health_values), T(kinds))
