/* What is counted of registries. */
#include "tests/unit/repo-server/fixture/registry.h"
#include "tests/unit/repo-server/fixture/wire.h"

static double figure(const char *what, const char *url, const char *labels)
{
    AUTO(free_p) char *name = xasprintf("argocd_oci_%s{repo=\"%s\"%s}", what, url, labels);
    double v = fx_scraped(name);
    if (v < 0)
        fail_msg("there is no %s", name);
    return v;
}

static int ask(const char *method, Cargocd__Repo__Repository *r, const char *revision)
{
    AUTO_ERR err = NULL;
    ProtobufCMessage *out = NULL;
    int e;
    if (strcmp(method, "repo.OciMetadata") == 0) {
        Cargocd__Repo__ChartDetailsRequest q = CARGOCD__REPO__CHART_DETAILS_REQUEST__INIT;
        q.repo = r;
        q.revision = (char *)revision;
        e = WIRE_CALL(method, q, chart_details_response, &out, &err);
    } else if (strcmp(method, "repo.ListOciTags") == 0) {
        Cargocd__Repo__ListRefsRequest q = CARGOCD__REPO__LIST_REFS_REQUEST__INIT;
        q.repo = r;
        e = WIRE_CALL(method, q, list_oci_tags_response, &out, &err);
    } else if (strcmp(method, "repo.TestRepository") == 0) {
        Cargocd__Repo__TestRepositoryRequest q = CARGOCD__REPO__TEST_REPOSITORY_REQUEST__INIT;
        q.repo = r;
        e = WIRE_CALL(method, q, test_repository_response, &out, &err);
    } else {
        Cargocd__Repo__GenerateManifestRequest q = CARGOCD__REPO__GENERATE_MANIFEST_REQUEST__INIT;
        AUTO(free_p)
        char *source = xasprintf("{\"repoURL\":\"%s\",\"path\":\".\",\"targetRevision\":\"%s\"}", r->url,
                                 revision);
        q.repo = r;
        q.app_name = (char *)"demo";
        q.source = (ProtobufCBinaryData){strlen(source), (uint8_t *)source};
        e = WIRE_CALL(method, q, generate_manifest_response, &out, &err);
    }
    if (out)
        protobuf_c_message_free_unpacked(out, NULL);
    return e;
}

static void requests_and_failures_are_counted(void **state)
{
    static const struct {
        const char *method, *type, *failures;
        bool revision;
    } cases[] = {
        {"repo.GenerateManifest", "resolve-revision", "resolve_revision_fail_total", true},
        {"repo.ListOciTags", "get-tags", "get_tags_fail_total", false},
        {"repo.OciMetadata", "digest-metadata", "digest_metadata_fail_total", true},
        {"repo.TestRepository", "test-repo", "test_repo_fail_total", false},
    };
    const char *host = fx_registry(0);
    if (!host)
        skip();
    fx_write("one/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    fx_sh("tar -C one -czf one.tgz .");
    const char *digest = fx_push("team/one:1.0.0", "application/vnd.oci.image.config.v1+json",
                                 "application/vnd.oci.image.layer.v1.tar+gzip", "one.tgz", NULL);
    AUTO(free_p) char *good = xasprintf("oci://%s/team/one", host);
    AUTO(free_p) char *bad = xasprintf("oci://localhost:%u/team/one", fx_free_port());
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Cargocd__Repo__Repository r = CARGOCD__REPO__REPOSITORY__INIT;
        const char *revision = cases[i].type[0] == 'd' ? digest : "1.0.0";
        AUTO(free_p) char *type = xasprintf(",request_type=\"%s\"", cases[i].type);
        AUTO(free_p) char *of = cases[i].revision ? xasprintf(",revision=\"%s\"", revision) : xstrdup("");
        r.type = (char *)"oci";
        r.enable_oci = r.insecure_oci_force_http = true;
        r.url = good;
        assert_int_equal(ask(cases[i].method, &r, revision), 0);
        assert_true(figure("request_total", good, type) >= 1);
        assert_true(figure("request_duration_seconds_count", good, type) >= 1);
        r.url = bad;
        assert_true(ask(cases[i].method, &r, revision) < 0);
        assert_true(figure(cases[i].failures, bad, of) >= 1);
    }
    assert_true(figure("request_total", good, ",request_type=\"extract\"") == 1);
}

REPO_TESTS(fx_server_begin, fx_server_end, T(requests_and_failures_are_counted))
