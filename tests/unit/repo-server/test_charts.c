/* Charts and artifacts through the repository server: real Helm repositories and registries on loopback. */
#include "tests/unit/repo-server/fixture/registry.h"
#include "common/net/rpc.h"
#include "proto/rpc/repo.pb-c.h"
#include "repo-server/manager.h"

#include <nng/nng.h>

typedef Cargocd__Repo__Repository repository_t;
typedef Cargocd__Repo__GenerateManifestResponse response_t;

static metrics_t *metrics;
static repo_t *repo;
static rpc_server_t *server;
static rpc_client_t *client;
static char *root, *address;
static const char *helm_repo; /* https, user and password */

static void start(void)
{
    AUTO_ERR err = NULL;
    metrics = metrics_new();
    struct repo_options options = {
        .root = root,
        .git = *fx_settings(),
        .revision_ttl_ns = SECONDS(60),
        .cache_ttl_ns = SECONDS(3600),
        .pause = {.attempts = 3, .minutes = 60},
        .helm = getenv("HELM"),
        .max_chart = 1 << 20,
        .max_oci = 1 << 20,
        .exec_timeout_ns = SECONDS(60),
        .metrics = metrics,
    };
    ASSERT_OK(repo_new(&options, &repo, &err));
    struct rpc_server_options so = {.name = "repo", .address = address, .ctx = repo, .max_calls = 1000};
    so.methods = repo_methods(repo, &so.nmethods);
    ASSERT_OK(rpc_server_start(&so, &server, &err));
    ASSERT_OK(rpc_client_new(&(struct rpc_client_options){.address = address}, &client, &err));
}

static void stop(void)
{
    rpc_client_free(client);
    rpc_server_free(server, SECONDS(10));
    repo_free(repo);
    metrics_free(metrics);
}

static int setup(void **state)
{
    fx_begin(state);
    rpc_setup();
    root = xasprintf("%s/root", fx_dir());
    address = xasprintf("ipc://%s/rpc.sock", fx_dir());
    fx_chart("charts", "web", "1.0.0");
    fx_chart("charts", "web", "1.2.0");
    fx_chart("charts", "web", "2.0.0-rc.1");
    fx_chart("charts", "db", "0.1.0");
    fx_index("charts");
    const char *base = fx_http(FX_TLS | FX_BASIC);
    if (base)
        helm_repo = fx_keep(xasprintf("%.*s/charts", (int)(strlen(base) - 4), base));
    start();
    return 0;
}

static int teardown(void **state)
{
    stop();
    free(root);
    free(address);
    nng_fini();
    return fx_end(state);
}

static bool can_render(void)
{
    return fx_can_run("helm");
}

#define CALL(method, message, type, out, err)                                                                \
    rpc_do(client, method, &(message).base, &cargocd__repo__##type##__descriptor, SECONDS(60), NULL,         \
           (ProtobufCMessage **)(out), err)
#define FREE(m) protobuf_c_message_free_unpacked(&(m)->base, NULL)

static repository_t repository(const char *url, const char *password)
{
    repository_t r = CARGOCD__REPO__REPOSITORY__INIT;
    r.url = (char *)url;
    r.type = (char *)"helm";
    r.username = (char *)(password ? "user" : "");
    r.password = (char *)str_or_empty(password);
    return r;
}

static int generate(repository_t *r, const char *source, response_t **out, err_t **err)
{
    Cargocd__Repo__GenerateManifestRequest q = CARGOCD__REPO__GENERATE_MANIFEST_REQUEST__INIT;
    q.repo = r;
    q.source = (ProtobufCBinaryData){strlen(source), (uint8_t *)source};
    q.app_name = (char *)"demo";
    q.namespace_ = (char *)"prod";
    *out = NULL;
    return CALL("repo.GenerateManifest", q, generate_manifest_response, out, err);
}

static void expect_part(const response_t *r, const char *part)
{
    AUTO_STR all = STR_INIT;
    for (size_t i = 0; i < r->n_manifests; i++)
        str_printf(&all, "%.*s\n", (int)r->manifests[i].len, (const char *)r->manifests[i].data);
    if (!strstr(str_text(&all), part))
        fail_msg("%s is not in %s", part, str_text(&all));
}

static int resolve(repository_t *r, const char *source, const char *revision, char **out, err_t **err)
{
    Cargocd__Repo__ResolveRevisionRequest q = CARGOCD__REPO__RESOLVE_REVISION_REQUEST__INIT;
    Cargocd__Repo__ResolveRevisionResponse *a = NULL;
    q.repo = r;
    q.source = (ProtobufCBinaryData){strlen(source), (uint8_t *)source};
    q.ambiguous_revision = (char *)revision;
    int e = CALL("repo.ResolveRevision", q, resolve_revision_response, &a, err);
    if (e == 0) {
        *out = xstrdup(a->revision);
        FREE(a);
    }
    return e;
}

static void versions_of_a_repository_are_chosen(void **state)
{
    static const struct {
        const char *chart, *revision, *expected, *error;
    } cases[] = {
        {"web", "1.x", "1.2.0", NULL},
        {"web", "*", "1.2.0", NULL},
        {"web", ">=2.0.0-0", "2.0.0-rc.1", NULL},
        {"web", "~1.0", "1.0.0", NULL},
        {"web", "9.9.9", "9.9.9", NULL}, /* a version is not looked up */
        {"web", "3.x", NULL, "invalid revision: "},
        {"none", "*", NULL, "chart 'none' not found in index"},
    };
    if (!helm_repo)
        skip();
    repository_t r = repository(helm_repo, "s3cret");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *got = NULL;
        AUTO_ERR err = NULL;
        AUTO(free_p)
        char *source = xasprintf("{\"repoURL\":\"%s\",\"chart\":\"%s\"}", helm_repo, cases[i].chart);
        int e = resolve(&r, source, cases[i].revision, &got, &err);
        if (cases[i].error) {
            assert_true(e < 0);
            if (!strstr(err_text(err), cases[i].error))
                fail_msg("%s: %s", cases[i].revision, err_text(err));
        } else {
            ASSERT_OK(e);
            assert_string_equal(got, cases[i].expected);
        }
    }
}

static void a_chart_is_rendered_once_per_version(void **state)
{
    if (!helm_repo || !can_render())
        skip();
    AUTO_ERR err = NULL;
    response_t *out;
    repository_t r = repository(helm_repo, "s3cret");
    AUTO(free_p)
    char *source = xasprintf(
        "{\"repoURL\":\"%s\",\"chart\":\"web\",\"targetRevision\":\"1.x\",\"path\":\"no/such\","
        "\"helm\":{\"valueFiles\":[\"extra.yaml\"]}}",
        helm_repo);
    ASSERT_OK(generate(&r, source, &out, &err));
    assert_string_equal(out->revision, "1.2.0");
    assert_string_equal(out->source_type, "Helm");
    expect_part(out, "\"data\":{\"a\":\"extra\",\"version\":\"1.2.0\"}");
    FREE(out);
    fx_sh("mv charts/web-1.2.0.tgz moved.tgz"); /* from now on it cannot be fetched */
    ASSERT_OK(generate(&r, source, &out, &err));
    FREE(out);
    stop(); /* what is on disk serves after a restart, since the index tells its digest */
    start();
    ASSERT_OK(generate(&r, source, &out, &err));
    FREE(out);
    fx_sh("mv moved.tgz charts/web-1.2.0.tgz");
}

static void the_credential_is_needed_for_what_is_here_already(void **state)
{
    static const char *const wrong[] = {NULL, "guess"};
    if (!helm_repo || !can_render())
        skip();
    AUTO_ERR err = NULL;
    response_t *out;
    repository_t r = repository(helm_repo, "s3cret");
    AUTO(free_p)
    char *source = xasprintf("{\"repoURL\":\"%s\",\"chart\":\"web\",\"targetRevision\":\"1.0.0\"}",
                             helm_repo);
    ASSERT_OK(generate(&r, source, &out, &err));
    FREE(out);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        AUTO_ERR why = NULL;
        r = repository(helm_repo, wrong[i]);
        assert_int_equal(generate(&r, source, &out, &why), -ERR_UNAUTHENTICATED);
        assert_null(strstr(err_text(why), "guess"));
    }
}

/* Another tenant's index names the digest of a private chart: it gets what its own URL gives, or nothing. */
static void a_digest_alone_opens_nothing(void **state)
{
    if (!helm_repo || !can_render())
        skip();
    AUTO_ERR err = NULL;
    response_t *out;
    const char *base = fx_http(0);
    AUTO(free_p) char *url = xasprintf("%.*s/thief", (int)(strlen(base) - 4), base);
    repository_t r = repository(helm_repo, "s3cret");
    AUTO(free_p)
    char *good = xasprintf("{\"repoURL\":\"%s\",\"chart\":\"web\",\"targetRevision\":\"1.0.0\"}", helm_repo);
    AUTO(free_p)
    char *bad = xasprintf("{\"repoURL\":\"%s\",\"chart\":\"web\",\"targetRevision\":\"1.0.0\"}", url);
    ASSERT_OK(generate(&r, good, &out, &err));
    FREE(out);
    fx_chart("thief", "web", "1.0.0-x");
    fx_sh(
        "cd thief && mv web-1.0.0-x.tgz web-1.0.0.tgz && printf 'entries: {web: [{version: 1.0.0, digest: "
        "%%s, urls: [web-1.0.0.tgz]}]}' $(sha256sum < ../charts/web-1.0.0.tgz | cut -d' ' -f1) > index.yaml");
    r = repository(url, NULL);
    assert_int_equal(generate(&r, bad, &out, &err), -ERR_DATA_LOSS);
    assert_non_null(strstr(err_text(err), "another digest"));
}

static void credentials_stay_with_their_host(void **state)
{
    if (!helm_repo || !can_render())
        skip();
    /* The index is on one server, the chart on another, which wants the same password. */
    AUTO(free_p)
    char *index = xasprintf("entries: {web: [{version: 1.0.0, urls: ['%s/web-1.0.0.tgz']}]}", helm_repo);
    fx_write("elsewhere/index.yaml", index);
    const char *base = fx_http(FX_BASIC);
    AUTO(free_p) char *url = xasprintf("%.*s/elsewhere", (int)(strlen(base) - 4), base);
    repository_t r = repository(url, "s3cret");
    response_t *out;
    for (int pass = 0; pass < 2; pass++) {
        AUTO_ERR err = NULL;
        AUTO(free_p)
        char *source = xasprintf(
            "{\"repoURL\":\"%s\",\"chart\":\"web\",\"targetRevision\":\"1.0.0\",\"helm\":"
            "{\"passCredentials\":%s}}",
            url, pass ? "true" : "false");
        int e = generate(&r, source, &out, &err);
        if (pass) {
            ASSERT_OK(e);
            FREE(out);
        } else {
            assert_int_equal(e, -ERR_UNAUTHENTICATED);
        }
    }
}

static void lists_and_details(void **state)
{
    if (!helm_repo)
        skip();
    AUTO_ERR err = NULL;
    repository_t r = repository(helm_repo, "s3cret");
    Cargocd__Repo__HelmChartsRequest q = CARGOCD__REPO__HELM_CHARTS_REQUEST__INIT;
    Cargocd__Repo__HelmChartsResponse *charts = NULL;
    q.repo = &r;
    ASSERT_OK(CALL("repo.HelmCharts", q, helm_charts_response, &charts, &err));
    AUTO(free_p) char *text = xstrndup((const char *)charts->charts.data, charts->charts.len);
    assert_string_equal(
        text, "[{\"name\":\"web\",\"versions\":[\"2.0.0-rc.1\",\"1.2.0\",\"1.0.0\"]},{\"name\":\"db\","
              "\"versions\":[\"0.1.0\"]}]");
    FREE(charts);
    Cargocd__Repo__ChartDetailsRequest d = CARGOCD__REPO__CHART_DETAILS_REQUEST__INIT;
    Cargocd__Repo__ChartDetailsResponse *details = NULL;
    d.repo = &r;
    d.name = (char *)"db";
    d.revision = (char *)"0.1.0";
    ASSERT_OK(CALL("repo.ChartDetails", d, chart_details_response, &details, &err));
    AUTO(free_p) char *json = xstrndup((const char *)details->details.data, details->details.len);
    assert_string_equal(json,
                        "{\"description\":\"A chart\",\"home\":\"https://chart.example\",\"maintainers\":["
                        "\"Ada \\u003cada@example.org\\u003e\",\"Bob\"]}");
    FREE(details);
}

static int test_repository(repository_t *r, err_t **err)
{
    Cargocd__Repo__TestRepositoryRequest q = CARGOCD__REPO__TEST_REPOSITORY_REQUEST__INIT;
    Cargocd__Repo__TestRepositoryResponse *out = NULL;
    q.repo = r;
    int e = CALL("repo.TestRepository", q, test_repository_response, &out, err);
    if (e == 0)
        FREE(out);
    return e;
}

static void repositories_are_tested(void **state)
{
    if (!helm_repo)
        skip();
    AUTO_ERR err = NULL;
    AUTO_ERR wrong = NULL;
    repository_t r = repository(helm_repo, "s3cret");
    ASSERT_OK(test_repository(&r, &err));
    r = repository(helm_repo, "guess");
    assert_int_equal(test_repository(&r, &wrong), -ERR_UNAUTHENTICATED);
    if (!strstr(err_text(wrong), "error testing repository connectivity: "))
        fail_msg("%s", err_text(wrong));
    r.enable_oci = true; /* registries are named without a scheme */
    err_clear(&wrong);
    assert_true(test_repository(&r, &wrong) < 0);
    assert_non_null(strstr(err_text(wrong), "OCI Helm repository URL should include hostname and port only"));
}

/* ---- registries ---- */

static repository_t registry(const char *url, unsigned options)
{
    repository_t r = repository(url, options & (FX_BASIC | FX_BEARER) ? "s3cret" : NULL);
    r.enable_oci = true;
    r.insecure_oci_force_http = !(options & FX_TLS);
    return r;
}

static void charts_of_registries(void **state)
{
    static const unsigned kinds[] = {0, FX_TLS | FX_BASIC, FX_BEARER};
    if (!fx_registry(0) || !can_render())
        skip();
    fx_push("team/web:1.0.0", FX_HELM_CONFIG, FX_HELM_CONTENT, "charts/web-1.0.0.tgz", NULL);
    fx_push("team/web:1.2.0_build", FX_HELM_CONFIG, FX_HELM_CONTENT, "charts/web-1.2.0.tgz", NULL);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        AUTO_ERR err = NULL;
        response_t *out;
        AUTO(free_p) char *url = xasprintf("%s/team", fx_registry(kinds[i]));
        repository_t r = registry(url, kinds[i]);
        AUTO(free_p)
        char *source = xasprintf("{\"repoURL\":\"%s\",\"chart\":\"web\",\"targetRevision\":\"1.x\"}", url);
        ASSERT_OK(generate(&r, source, &out, &err));
        assert_string_equal(out->revision, "1.2.0+build");
        expect_part(out, "\"version\":\"1.2.0\"");
        FREE(out);
        ASSERT_OK(test_repository(&r, &err));
        if (kinds[i]) {
            AUTO_ERR why = NULL;
            r.password = (char *)"guess";
            int e = generate(&r, source, &out, &why);
            assert_true(e == -ERR_UNAUTHENTICATED);
            assert_null(strstr(err_text(why), "guess"));
        }
    }
}

static void artifacts_by_tag_digest_and_constraint(void **state)
{
    if (!fx_registry(0))
        skip();
    AUTO_ERR err = NULL;
    response_t *out;
    char first[80], second[80];
    fx_write("plain/app/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n");
    fx_sh("tar -C plain -czf plain1.tgz app");
    fx_write("plain/app/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two}\n");
    fx_sh("tar -C plain -czf plain2.tgz app");
    snprintf(first, sizeof(first), "%s",
             fx_push("team/plain:1.0.0", FX_OCI_CONFIG, FX_OCI_LAYER, "plain1.tgz", NULL));
    snprintf(
        second, sizeof(second), "%s",
        fx_push("team/plain:1.1.0", FX_OCI_CONFIG, FX_OCI_LAYER, "plain2.tgz",
                "{\"org.opencontainers.image.created\":\"2024\",\"org.opencontainers.image.authors\":\"Ada\","
                "\"org.opencontainers.image.version\":\"1.1.0\"}"));
    AUTO(free_p) char *url = xasprintf("oci://%s/team/plain", fx_registry(FX_BEARER));
    repository_t r = registry(url, FX_BEARER);
    r.type = (char *)"oci";
    const struct {
        const char *revision, *digest, *name;
    } cases[] = {
        {"1.0.0", first, "one"}, {"1.x", second, "two"}, {first, first, "one"}, {"^1.0.0", second, "two"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p)
        char *source = xasprintf("{\"repoURL\":\"%s\",\"path\":\"app\",\"targetRevision\":\"%s\"}", url,
                                 cases[i].revision);
        ASSERT_OK(generate(&r, source, &out, &err));
        assert_string_equal(out->revision, cases[i].digest);
        assert_string_equal(out->source_type, "Directory");
        expect_part(out, cases[i].name);
        FREE(out);
    }
    Cargocd__Repo__ListRefsRequest q = CARGOCD__REPO__LIST_REFS_REQUEST__INIT;
    Cargocd__Repo__ListOciTagsResponse *tags = NULL;
    q.repo = &r;
    ASSERT_OK(CALL("repo.ListOciTags", q, list_oci_tags_response, &tags, &err));
    assert_int_equal(tags->n_tags, 2);
    assert_string_equal(tags->tags[0], "1.0.0");
    FREE(tags);
    Cargocd__Repo__ChartDetailsRequest d = CARGOCD__REPO__CHART_DETAILS_REQUEST__INIT;
    Cargocd__Repo__ChartDetailsResponse *details = NULL;
    d.repo = &r;
    d.revision = second;
    ASSERT_OK(CALL("repo.OciMetadata", d, chart_details_response, &details, &err));
    AUTO(free_p) char *json = xstrndup((const char *)details->details.data, details->details.len);
    assert_string_equal(json, "{\"authors\":\"Ada\",\"createdAt\":\"2024\",\"version\":\"1.1.0\"}");
    FREE(details);
    ASSERT_OK(test_repository(&r, &err));
}

/* Of a Helm repository too: what is packed and what is in it are bounded (here by 1 MiB). */
static void what_charts_are_refused(void **state)
{
    static const struct {
        const char *chart, *error;
    } cases[] = {{"boom", "the archive is too large"}, {"evil", "illegal filepath in archive: ../x"}};
    if (!helm_repo)
        skip();
    fx_sh("mkdir -p bombs b/boom b/evil && for c in boom evil; do printf 'apiVersion: v2\\nname: "
          "'$c'\\nversion: "
          "1.0.0\\n' > b/$c/Chart.yaml; done && head -c 3000000 /dev/zero > b/boom/zeros && tar -C b -czf "
          "bombs/boom-1.0.0.tgz boom && echo x > b/evil/x && tar -C b -czPf bombs/evil-1.0.0.tgz --transform "
          "'s,evil/x,../x,' evil");
    fx_index("bombs");
    AUTO(free_p) char *url = xasprintf("%.*s/bombs", (int)(strlen(helm_repo) - strlen("/charts")), helm_repo);
    repository_t r = repository(url, "s3cret");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        response_t *out;
        AUTO(free_p)
        char *source = xasprintf("{\"repoURL\":\"%s\",\"chart\":\"%s\",\"targetRevision\":\"1.0.0\"}", url,
                                 cases[i].chart);
        assert_true(generate(&r, source, &out, &err) < 0);
        if (!strstr(err_text(err), cases[i].error))
            fail_msg("%s: %s", cases[i].chart, err_text(err));
    }
}

/* The tag is the index's digest, its annotations are told, and no platform's manifest is chosen. */
static void indexes_are_no_artifacts(void **state)
{
    const char *host = fx_registry(0);
    AUTO_ERR err = NULL;
    response_t *out = NULL;
    if (!host)
        skip();
    fx_sh("mkdir -p one && printf 'a: 1' > one/x.yaml && tar -C one -czf one.tgz .");
    const char *inner = fx_push("team/index:inner", FX_OCI_CONFIG, FX_OCI_LAYER, "one.tgz", NULL);
    AUTO(free_p)
    char *digest = fx_out(
        "printf "
        "'{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[{"
        "\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"%s\",\"size\":%%d}],"
        "\"annotations\":{\"org.opencontainers.image.description\":\"many\"}}' $(wc -c < m.json) > i.json && "
        "curl -sf -X "
        "PUT -H 'Content-Type: application/vnd.oci.image.index.v1+json' --data-binary @i.json "
        "http://%s/v2/team/index/manifests/1 >&2 && echo sha256:$(sha256sum < i.json | cut -d' ' -f1)",
        inner, host);
    AUTO(free_p) char *url = xasprintf("oci://%s/team/index", host);
    AUTO(free_p)
    char *source = xasprintf("{\"repoURL\":\"%s\",\"path\":\".\",\"targetRevision\":\"1\"}", url);
    repository_t r = registry(url, 0);
    assert_true(generate(&r, source, &out, &err) < 0);
    assert_non_null(strstr(err_text(err), "expected only a single oci content layer, got 0"));
    err_clear(&err);
    AUTO(free_p) char *resolved = NULL;
    ASSERT_OK(resolve(&r, source, "1", &resolved, &err));
    assert_string_equal(resolved, digest);
    Cargocd__Repo__ChartDetailsRequest d = CARGOCD__REPO__CHART_DETAILS_REQUEST__INIT;
    Cargocd__Repo__ChartDetailsResponse *details = NULL;
    d.repo = &r;
    d.revision = digest;
    ASSERT_OK(CALL("repo.OciMetadata", d, chart_details_response, &details, &err));
    AUTO(free_p) char *json = xstrndup((const char *)details->details.data, details->details.len);
    assert_string_equal(json, "{\"description\":\"many\"}");
    FREE(details);
}

static void what_artifacts_are_refused(void **state)
{
    if (!fx_registry(0))
        skip();
    fx_sh("mkdir -p bomb evil && head -c 3000000 /dev/zero > bomb/zeros.yaml && tar -czf bomb.tgz bomb && "
          "printf 'a: 1' > evil/x && tar -czPf evil.tgz --transform 's,evil/x,../x,' evil/x");
    fx_push("team/bomb:1", FX_OCI_CONFIG, FX_OCI_LAYER, "bomb.tgz", NULL);
    fx_push("team/evil:1", FX_OCI_CONFIG, FX_OCI_LAYER, "evil.tgz", NULL);
    fx_push("team/type:1", FX_OCI_CONFIG, "application/x.tar+gzip", "bomb.tgz", NULL);
    fx_push("team/none:1", FX_OCI_CONFIG, "text/plain", "bomb.tgz", NULL);
    fx_push("team/many:x", FX_OCI_CONFIG, FX_OCI_LAYER, "evil.tgz", NULL);
    fx_sh("python3 -c \"import json; m = json.load(open('m.json')); m['layers'] *= 11; json.dump(m, "
          "open('many.json', "
          "'w'))\" && curl -sf -X PUT -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' "
          "--data-binary "
          "@many.json http://%s/v2/team/many/manifests/1",
          fx_registry(0));
    static const struct {
        const char *name, *error;
    } cases[] = {
        {"bomb", "the archive is too large"},
        {"evil", "illegal filepath in archive: ../x"},
        {"type", "oci layer media type application/x.tar+gzip is not in the list of allowed media types"},
        {"many", "expected no more than 10 oci layers, got 11"},
        {"none", "expected only a single oci content layer, got 0"},
        {"absent", "cannot get digest for revision 1"},
    };
    const char *host = fx_registry(0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        response_t *out;
        AUTO(free_p) char *url = xasprintf("oci://%s/team/%s", host, cases[i].name);
        repository_t r = registry(url, 0);
        AUTO(free_p)
        char *source = xasprintf("{\"repoURL\":\"%s\",\"path\":\".\",\"targetRevision\":\"1\"}", url);
        assert_true(generate(&r, source, &out, &err) < 0);
        if (!strstr(err_text(err), cases[i].error))
            fail_msg("%s: %s", cases[i].name, err_text(err));
    }
}

/* ---- dependencies ---- */

/* Looks at the programs that the server starts, while it is asked. */
struct watch {
    atomic_bool stop;
    size_t seen, found;
};

static void *watch_programs(void *arg)
{
    struct watch *w = arg;
    while (!w->stop) {
        AUTO(free_p)
        char *lines = fx_out(
            "for p in $(pgrep 'helm|kustomize|kubectl|git' || true); do { tr '\\0' '\\n' < /proc/$p/cmdline; "
            "tr '\\0' '\\n' < /proc/$p/environ; } 2>/dev/null | grep -q s3cret && echo found; echo seen; "
            "done; true");
        w->seen += strstr(lines, "seen") != NULL;
        w->found += strstr(lines, "found") != NULL;
    }
    return NULL;
}

static pthread_t watch_begin(struct watch *w)
{
    *w = (struct watch){};
    return thread_start("watch", watch_programs, w);
}

static void watch_end(struct watch *w, pthread_t thread)
{
    w->stop = true;
    pthread_join(thread, NULL);
    assert_true(w->seen > 0);
    assert_int_equal(w->found, 0);
}

/* A chart in Git whose dependencies are in a Helm repository and in a registry, each with a password. */
static void dependencies_are_fetched(void **state)
{
    if (!helm_repo || !can_render() || !fx_registry(0))
        skip();
    fx_chart("more", "cache", "0.3.0");
    fx_push("deps/cache:0.3.0", FX_HELM_CONFIG, FX_HELM_CONTENT, "more/cache-0.3.0.tgz", NULL);
    const char *host = fx_registry(FX_TLS | FX_BASIC);
    AUTO(free_p)
    char *chart = xasprintf("apiVersion: v2\nname: parent\nversion: 1.0.0\ndependencies:\n"
                            "- {name: web, version: 1.x, repository: '%s'}\n"
                            "- {name: db, alias: named, version: 0.1.0, repository: '@main'}\n"
                            "- {name: cache, version: 0.3.0, repository: 'oci://%s/deps'}\n",
                            helm_repo, host);
    fx_repo("parent");
    fx_write("parent/Chart.yaml", chart);
    fx_write("parent/templates/x.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: parent}\n");
    fx_commit("parent", "one");
    AUTO(free_p) char *url = xasprintf("file://%s/parent.git", fx_dir());
    AUTO(free_p) char *registry_url = xasprintf("%s/deps", host);
    repository_t r = CARGOCD__REPO__REPOSITORY__INIT,
                 good[2] = {repository(helm_repo, "s3cret"), registry(registry_url, FX_BASIC | FX_TLS)},
                 bad[2] = {repository(helm_repo, "guess"), registry(registry_url, FX_BASIC | FX_TLS)};
    good[0].name = bad[0].name = (char *)"main";
    r.url = url;
    char *allowed[] = {url};
    struct watch w;
    pthread_t thread = watch_begin(&w);
    for (int i = 0; i < 3; i++) {
        AUTO_ERR err = NULL;
        response_t *out = NULL;
        repository_t *list = i == 1 ? bad : good, *both[] = {&list[0], &list[1]};
        Cargocd__Repo__GenerateManifestRequest q = CARGOCD__REPO__GENERATE_MANIFEST_REQUEST__INIT;
        q.repo = &r;
        q.source = (ProtobufCBinaryData){strlen("{\"path\":\".\"}"), (uint8_t *)"{\"path\":\".\"}"};
        q.app_name = (char *)"demo";
        q.helm_repos = both;
        q.n_helm_repos = i == 2 ? 0 : 2;
        q.project_name = (char *)"team";
        q.project_source_repos = allowed;
        q.n_project_source_repos = i == 2;
        int e = CALL("repo.GenerateManifest", q, generate_manifest_response, &out, &err);
        if (i == 0) {
            ASSERT_OK(e);
            assert_int_equal(out->n_manifests, 4);
            expect_part(out, "\"version\":\"1.2.0\"");
            expect_part(out, "\"version\":\"0.1.0\"");
            expect_part(out, "\"version\":\"0.3.0\"");
            for (size_t k = 0; k < out->n_commands; k++)
                assert_null(strstr(out->commands[k], "s3cret"));
            FREE(out);
        } else {
            /* Not out of the cache either. */
            assert_true(e < 0);
            assert_null(strstr(err_text(err), "guess"));
        }
        if (i == 2 && !strstr(err_text(err), "are not permitted in project 'team'"))
            fail_msg("%s", err_text(err));
    }
    watch_end(&w, thread);
}

/* ---- remote bases of kustomizations ---- */

/* A base in a private repository of the same server is had with the source's credential; from elsewhere the
 * credential does not go along. */
static void remote_bases_are_fetched(void **state)
{
    const char *private = fx_http(FX_TLS | FX_BASIC), *open = fx_http(0);
    if (!private || !fx_can_run("kustomize"))
        skip();
    fx_repo("base");
    fx_write("base/deep/kustomization.yaml", "resources: [cm.yaml]\n");
    fx_write("base/deep/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: base}\n");
    fx_commit("base", "one");
    fx_repo("overlay");
    AUTO(free_p)
    char *text = xasprintf("namePrefix: my-\nresources: ['%s/base.git//deep?ref=main']\n", private);
    fx_write("overlay/kustomization.yaml", text);
    fx_commit("overlay", "one");
    const char *const bases[] = {private, open};
    struct watch w;
    pthread_t thread = watch_begin(&w);
    for (size_t i = 0; i < ARRAY_LEN(bases); i++) {
        AUTO_ERR err = NULL;
        response_t *out;
        AUTO(free_p) char *url = xasprintf("%s/overlay.git", bases[i]);
        repository_t r = repository(url, "s3cret");
        r.type = (char *)"git";
        int e = generate(&r, "{\"path\":\".\"}", &out, &err);
        if (i == 0) {
            ASSERT_OK(e);
            expect_part(out, "\"name\":\"my-base\"");
            FREE(out);
        } else {
            assert_true(e < 0);
            assert_null(strstr(err_text(err), "s3cret"));
        }
    }
    watch_end(&w, thread);
}

/* Whoever writes a base cannot have the credential that it is fetched with, not even where bases may read
 * every file. */
static void bases_cannot_read_the_credential(void **state)
{
    static const char *const paths[] = {
        "../credentials",       "../../credentials", "../../home/credentials", "../../../home/credentials",
        "../../../credentials", "../.gitconfig",     "../../home/.gitconfig"};
    const char *private = fx_http(FX_TLS | FX_BASIC);
    if (!private || !fx_can_run("kustomize"))
        skip();
    fx_repo("thief");
    fx_repo("victim");
    AUTO(free_p) char *text = xasprintf("resources: ['%s/thief.git//deep?ref=main']\n", private);
    fx_write("victim/kustomization.yaml", text);
    fx_commit("victim", "one");
    AUTO(free_p) char *url = xasprintf("%s/victim.git", private);
    repository_t r = repository(url, "s3cret");
    r.type = (char *)"git";
    Cargocd__Repo__KustomizeOptions all = CARGOCD__REPO__KUSTOMIZE_OPTIONS__INIT;
    all.build_options = (char *)"--load-restrictor LoadRestrictionsNone";
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        AUTO_ERR err = NULL;
        response_t *out = NULL;
        AUTO(free_p)
        char *base = xasprintf("configMapGenerator: [{name: stolen, files: ['%s']}]\n", paths[i]);
        fx_write("thief/deep/kustomization.yaml", base);
        fx_commit("thief", paths[i]);
        Cargocd__Repo__GenerateManifestRequest q = CARGOCD__REPO__GENERATE_MANIFEST_REQUEST__INIT;
        q.repo = &r;
        q.source = (ProtobufCBinaryData){strlen("{\"path\":\".\"}"), (uint8_t *)"{\"path\":\".\"}"};
        q.app_name = (char *)"demo";
        q.kustomize_options = &all;
        q.no_cache = true;
        assert_true(CALL("repo.GenerateManifest", q, generate_manifest_response, &out, &err) < 0);
        assert_non_null(strstr(err_text(err), "no such file"));
    }
}

/* A kustomization in a repository that anybody may read, of this one resource. */
static int build(const char *url, const char *key, const char *resource, response_t **out, err_t **err)
{
    AUTO(free_p) char *text = xasprintf("namePrefix: my-\nresources: ['%s']\n", resource);
    fx_write("trusting/kustomization.yaml", text);
    AUTO(free_p)
    char *source = xasprintf("{\"path\":\".\",\"targetRevision\":\"%s\"}", fx_commit("trusting", "one"));
    repository_t r = CARGOCD__REPO__REPOSITORY__INIT;
    r.url = (char *)url;
    r.ssh_private_key = (char *)key;
    return generate(&r, source, out, err);
}

/* Servers other than the source's are known by the ConfigMaps of authorities and of known hosts. */
static void remote_bases_are_verified(void **state)
{
    const char *tls = fx_http(FX_TLS), *open = fx_http(0), *ssh = fx_ssh();
    if (!tls || !ssh || !fx_can_run("kustomize"))
        skip();
    fx_repo("trusted");
    fx_write("trusted/deep/kustomization.yaml", "resources: [cm.yaml]\n");
    fx_write("trusted/deep/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: base}\n");
    fx_commit("trusted", "one");
    fx_repo("trusting");
    AUTO(free_p) char *key = fx_out("cat ssh/id");
    AUTO(free_p) char *url = xasprintf("%s/trusting.git", open);
    AUTO(free_p) char *ssh_url = xasprintf("%s/trusting.git", ssh);
    AUTO(free_p) char *base = xasprintf("%s/trusted.git//deep?ref=main", tls);
    AUTO(free_p)
    char *file = xasprintf("%.*s/trusted/deep/cm.yaml", (int)(strlen(tls) - strlen("/git")), tls);
    const char *at = strstr(ssh, "@localhost");
    AUTO(free_p)
    char *by_ssh = xasprintf("%.*s@127.0.0.1%s/trusted.git//deep?ref=main", (int)(at - ssh), ssh,
                             at + strlen("@localhost"));
    const struct {
        const char *url, *key, *resource, *hide, *show;
    } cases[] = {
        {url, NULL, base, "mv tls-dir/localhost tls-dir/.away", "mv tls-dir/.away tls-dir/localhost"},
        {url, NULL, file, "mv tls-dir/localhost tls-dir/.away", "mv tls-dir/.away tls-dir/localhost"},
        {ssh_url, key, by_ssh, "true",
         "sed 's/localhost/127.0.0.1/' ssh/ssh_known_hosts >> ssh/ssh_known_hosts"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        response_t *out = NULL;
        fx_sh("%s", cases[i].hide);
        if (build(cases[i].url, cases[i].key, cases[i].resource, &out, &err) == 0)
            fail_msg("%s was trusted", cases[i].resource);
        err_clear(&err);
        fx_sh("%s", cases[i].show);
        ASSERT_OK(build(cases[i].url, cases[i].key, cases[i].resource, &out, &err));
        expect_part(out, "\"name\":\"my-base\"");
        FREE(out);
    }
}

static void remote_values_are_verified(void **state)
{
    const char *tls = fx_http(FX_TLS);
    if (!tls || !can_render())
        skip();
    fx_repo("valued");
    fx_write("valued/Chart.yaml", "apiVersion: v2\nname: valued\nversion: 1.0.0\n");
    fx_write("valued/templates/x.yaml",
             "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {v: '{{ .Values.v }}'}\n");
    fx_write("remote-values.yaml", "v: from-far\n");
    fx_commit("valued", "one");
    AUTO(free_p) char *url = xasprintf("file://%s/valued.git", fx_dir());
    AUTO(free_p)
    char *source = xasprintf("{\"path\":\".\",\"helm\":{\"valueFiles\":[\"%.*s/remote-values.yaml\"]}}",
                             (int)(strlen(tls) - strlen("/git")), tls);
    repository_t r = CARGOCD__REPO__REPOSITORY__INIT;
    r.url = url;
    AUTO_ERR err = NULL;
    response_t *out = NULL;
    fx_sh("mv tls-dir/localhost tls-dir/.away");
    int e = generate(&r, source, &out, &err);
    fx_sh("mv tls-dir/.away tls-dir/localhost");
    assert_true(e < 0);
    err_clear(&err);
    ASSERT_OK(generate(&r, source, &out, &err));
    expect_part(out, "\"v\":\"from-far\"");
    FREE(out);
}

REPO_TESTS(setup, teardown, T(versions_of_a_repository_are_chosen), T(a_chart_is_rendered_once_per_version),
           T(the_credential_is_needed_for_what_is_here_already), T(a_digest_alone_opens_nothing),
           T(credentials_stay_with_their_host), T(lists_and_details), T(repositories_are_tested),
           T(charts_of_registries), T(artifacts_by_tag_digest_and_constraint), T(what_charts_are_refused),
           T(indexes_are_no_artifacts), T(what_artifacts_are_refused), T(dependencies_are_fetched),
           T(remote_bases_are_fetched), T(bases_cannot_read_the_credential), T(remote_bases_are_verified),
           T(remote_values_are_verified))
