/* The rarer operations over the wire: archives that a caller sends, changes by paths. */
#include "common/base/file.h"
#include "common/base/hash.h"
#include "tests/unit/repo-server/fixture/server.h"

#include <nng/nng.h>

static struct fx_server server;

static int setup(void **state)
{
    fx_begin(state);
    rpc_setup();
    server.options = fx_server_options();
    server.options.max_streamed_tar = 1 << 20;
    server.options.max_streamed = 4 << 20;
    fx_server_start(&server, "server");
    return 0;
}

static int teardown(void **state)
{
    fx_server_stop(&server);
    nng_fini();
    return fx_end(state);
}

#define CM(name, value) "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " name "}\ndata: {v: " value "}\n"

/* ---- GenerateManifestWithFiles ---- */

static int with_files(const char *archive, const char *source, const char *checksum, fx_response_t **out,
                      err_t **err)
{
    struct fx_ask a;
    AUTO_STR bytes = STR_MAX(16 << 20);
    AUTO(free_p) char *path = xasprintf("%s/%s", fx_dir(), archive);
    char hex[SHA256_HEX];
    assert_int_equal(file_read(path, &bytes, NULL), 0);
    sha256_hex(bytes.p, bytes.len, hex);
    Cargocd__Repo__GenerateManifestWithFilesRequest q =
        CARGOCD__REPO__GENERATE_MANIFEST_WITH_FILES_REQUEST__INIT;
    q.request = fx_ask(&a, "https://example.org/x.git", source);
    q.archive = (ProtobufCBinaryData){bytes.len, (uint8_t *)bytes.p};
    q.checksum = (char *)(checksum ? checksum : hex);
    *out = NULL;
    return FX_CALL(&server, "repo.GenerateManifestWithFiles", q, generate_manifest_response, out, err);
}

static void archives_are_rendered(void **state)
{
    AUTO_ERR err = NULL;
    fx_response_t *r = NULL;
    fx_write("local/app/cm.yaml", CM("sent", "one"));
    fx_sh("cd local && tar czf ../local.tgz .; sha256sum < ../local.tgz | cut -d' ' -f1 > ../sum");
    AUTO(free_p) char *sum = fx_out("cat sum");
    ASSERT_OK(with_files("local.tgz", "{\"path\":\"app\"}", NULL, &r, &err));
    AUTO(free_p) char *text = fx_manifests(r);
    assert_non_null(strstr(text, "\"name\":\"sent\""));
    assert_string_equal(r->revision, sum);
    assert_string_equal(r->source_type, "Directory");
    FX_FREE(r);
    AUTO(free_p) char *left = fx_out("ls server/run | grep -c streamed || true");
    assert_string_equal(left, "0");
}

static void bad_archives_are_refused(void **state)
{
    fx_sh("mkdir -p bad && cd bad && echo x > f && ln -s ../../up up && "
          "tar czf ../up.tgz up && tar czPf ../name.tgz ../bad/f && "
          "tar czf ../trans.tgz --transform 's|^f|../f|' -P f && head -c 8000000 /dev/zero > zeros && "
          "tar czf ../bomb.tgz zeros && head -c 2000000 /dev/urandom > noise && tar czf ../big.tgz noise && "
          "head -c 1000 noise > ../nothing.tgz && tar czf - f | head -c 80 > ../cut.tgz");
    static const struct {
        const char *archive, *checksum, *source, *text;
    } cases[] = {
        {"local.tgz", "00", "{\"path\":\"app\"}", "checksum"},
        {"big.tgz", NULL, "{\"path\":\".\"}", "file exceeded max size of 1048576 bytes"},
        {"bomb.tgz", NULL, "{\"path\":\".\"}", ""},
        {"up.tgz", NULL, "{\"path\":\".\"}", "symlink"},
        {"name.tgz", NULL, "{\"path\":\".\"}", "illegal filepath in archive"},
        {"trans.tgz", NULL, "{\"path\":\".\"}", "illegal filepath in archive"},
        {"nothing.tgz", NULL, "{\"path\":\".\"}", ""},
        {"cut.tgz", NULL, "{\"path\":\".\"}", ""},
        {"local.tgz", NULL, "{\"path\":\"gone\"}", "app path does not exist"},
        {"local.tgz", NULL, "{\"path\":\"../x\"}", "app path outside root"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        fx_response_t *r = NULL;
        int e = with_files(cases[i].archive, cases[i].source, cases[i].checksum, &r, &err);
        if (e >= 0 || !strstr(err_text(err), cases[i].text))
            fail_msg("%s %s: %d '%s'", cases[i].archive, cases[i].source, e, err_text(err));
        if (strstr(err_text(err), "server/run"))
            fail_msg("%s", err_text(err));
    }
}

/* ---- UpdateRevisionForPaths ---- */

struct question {
    const char *source, *synced, *revision;
    const char *paths[4];
};

static bool changes(const char *url, const struct question *c, char revision[41])
{
    struct fx_ask a;
    AUTO_ERR err = NULL;
    Cargocd__Repo__UpdateRevisionForPathsRequest q = CARGOCD__REPO__UPDATE_REVISION_FOR_PATHS_REQUEST__INIT;
    Cargocd__Repo__UpdateRevisionForPathsResponse *r = NULL;
    q.request = fx_ask(&a, url, c->source);
    a.q.revision = (char *)c->revision;
    q.synced_revision = (char *)c->synced;
    q.paths = (char **)c->paths;
    while (q.n_paths < 4 && c->paths[q.n_paths])
        q.n_paths++;
    ASSERT_OK(
        FX_CALL(&server, "repo.UpdateRevisionForPaths", q, update_revision_for_paths_response, &r, &err));
    bool changed = r->changes;
    snprintf(revision, 41, "%s", r->revision);
    FX_FREE(r);
    return changed;
}

static void changes_are_told_by_paths(void **state)
{
    char one[41], two[41], three[41], told[41];
    fx_repo("paths");
    fx_write("paths/app/a.yaml", CM("a", "1"));
    fx_write("paths/shared/s.yaml", CM("s", "1"));
    fx_write("paths/moved/m.yaml", CM("m", "1"));
    memcpy(one, fx_commit("paths", "one"), 41);
    fx_write("paths/other/o.yaml", CM("o", "2"));
    memcpy(two, fx_commit("paths", "two"), 41);
    fx_write("paths/shared/s.yaml", CM("s", "2"));
    fx_sh("cd paths && git mv moved/m.yaml other/m.yaml");
    memcpy(three, fx_commit("paths", "three"), 41);
    const struct {
        struct question q;
        bool changed;
    } cases[] = {
        {{"{\"path\":\"app\"}", one, two, {}}, true}, /* no paths: anything counts */
        {{"{\"path\":\"app\"}", one, two, {"app"}}, false},
        {{"{\"path\":\"app\"}", one, two, {"app", "other"}}, true},
        {{"{\"path\":\"app\"}", one, one, {"app"}}, false},
        {{"{\"path\":\"app\"}", one, three, {"shared"}}, true},
        {{"{\"path\":\"app\"}", one, three, {"shared/*.yaml"}}, true},
        {{"{\"path\":\"app\"}", one, three, {"*.yaml"}}, false},
        {{"{\"path\":\"app\"}", one, three, {"shar"}}, false},
        {{"{\"path\":\"app\"}", one, three, {"moved"}}, true},
        {{"{\"path\":\"app\"}", one, "main", {"app"}}, false},
    };
    AUTO(free_p) char *url = fx_file_url("paths");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (changes(url, &cases[i].q, told) != cases[i].changed)
            fail_msg("case %zu", i);
        if (i > 0 && strcmp(cases[i].q.revision, "main") != 0)
            assert_string_equal(told, cases[i].q.revision);
    }
    struct question chart = {"{\"chart\":\"x\",\"repoURL\":\"https://h\",\"targetRevision\":\"1.0.0\"}",
                             "1.0.0",
                             "1.0.0",
                             {"app"}};
    assert_false(changes("https://example.org", &chart, told));
}

/* References of values files are compared as well, and one that is new is a change. */
static void changes_of_references_count(void **state)
{
    struct fx_ask a, values;
    AUTO_ERR err = NULL;
    fx_repo("vals");
    fx_write("vals/prod/v.yaml", "a: 1\n");
    char one[41], two[41];
    memcpy(one, fx_commit("vals", "one"), 41);
    fx_write("vals/prod/v.yaml", "a: 2\n");
    memcpy(two, fx_commit("vals", "two"), 41);
    AUTO(free_p) char *url = fx_file_url("paths");
    AUTO(free_p) char *values_url = fx_file_url("vals");
    AUTO(free_p) char *head = fx_out("git -C paths rev-parse HEAD");
    fx_ask(&values, values_url, "{}");
    const struct {
        const char *source, *synced;
        bool changed;
    } cases[] = {
        {"{\"path\":\"app\",\"helm\":{\"valueFiles\":[\"$v/prod/v.yaml\"]}}", one, true},
        {"{\"path\":\"app\",\"helm\":{\"valueFiles\":[\"$v/prod/v.yaml\"]}}", two, false},
        {"{\"path\":\"app\",\"helm\":{\"valueFiles\":[\"$v/prod/v.yaml\"]}}", NULL, true},
        {"{\"path\":\"app\",\"helm\":{\"fileParameters\":[{\"name\":\"n\",\"path\":\"$v/prod/v.yaml\"}]}}",
         one, true},
        {"{\"path\":\"app\",\"helm\":{\"valueFiles\":[\"values.yaml\"]}}", one, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Cargocd__Repo__RefTarget now = CARGOCD__REPO__REF_TARGET__INIT,
                                 before = CARGOCD__REPO__REF_TARGET__INIT;
        now.repo = before.repo = &values.repo;
        now.target_revision = two;
        before.target_revision = (char *)cases[i].synced;
        Cargocd__Repo__GenerateManifestRequest__RefSourcesEntry
            e = CARGOCD__REPO__GENERATE_MANIFEST_REQUEST__REF_SOURCES_ENTRY__INIT,
            *es[] = {&e};
        Cargocd__Repo__UpdateRevisionForPathsRequest__SyncedRefSourcesEntry
            s = CARGOCD__REPO__UPDATE_REVISION_FOR_PATHS_REQUEST__SYNCED_REF_SOURCES_ENTRY__INIT,
            *ss[] = {&s};
        e.key = s.key = (char *)"$v";
        e.value = &now;
        s.value = &before;
        Cargocd__Repo__UpdateRevisionForPathsRequest q =
            CARGOCD__REPO__UPDATE_REVISION_FOR_PATHS_REQUEST__INIT;
        Cargocd__Repo__UpdateRevisionForPathsResponse *r = NULL;
        char *paths[] = {(char *)"app", (char *)"prod"};
        q.request = fx_ask(&a, url, cases[i].source);
        a.q.revision = q.synced_revision = head;
        a.q.has_multiple_sources = true;
        a.q.ref_sources = es;
        a.q.n_ref_sources = 1;
        q.synced_ref_sources = ss;
        q.n_synced_ref_sources = cases[i].synced ? 1 : 0;
        q.paths = paths;
        q.n_paths = 2;
        ASSERT_OK(
            FX_CALL(&server, "repo.UpdateRevisionForPaths", q, update_revision_for_paths_response, &r, &err));
        if (r->changes != cases[i].changed)
            fail_msg("case %zu: %d", i, r->changes);
        FX_FREE(r);
    }
}

REPO_TESTS(setup, teardown, T(archives_are_rendered), T(bad_archives_are_refused),
           T(changes_are_told_by_paths), T(changes_of_references_count))
