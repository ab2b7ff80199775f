/* Repositories with a depth over the wire of the server: all that is answered from commits and trees. */
#include "tests/unit/repo-server/fixture/server.h"

#include <nng/nng.h>

static struct fx_server server;
static char *url, first[41], second[41], third[41];

static int setup(void **state)
{
    fx_begin(state);
    rpc_setup();
    const char *base = fx_http(0);
    server.options = fx_server_options();
    fx_server_start(&server, "server");
    fx_repo("mono");
    fx_write("mono/app/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n");
    memcpy(first, fx_commit("mono", "first"), sizeof(first));
    fx_write("mono/app/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two}\n");
    memcpy(second, fx_commit("mono", "second"), sizeof(second));
    fx_write("mono/other/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n");
    memcpy(third, fx_commit("mono", "third"), sizeof(third));
    fx_sh("cd mono && git tag -a -m x v1 && git push -q origin v1 2>/dev/null");
    url = base ? xasprintf("%s/mono.git", base) : NULL;
    return 0;
}

static int teardown(void **state)
{
    fx_server_stop(&server);
    free(url);
    nng_fini();
    return fx_end(state);
}

static fx_request_t *ask(struct fx_ask *a, const char *revision)
{
    fx_request_t *q = fx_ask(a, url, "{\"path\":\"app\"}");
    a->repo.depth = 1;
    q->revision = (char *)revision;
    return q;
}

static bool clone_has(const char *commit)
{
    AUTO(free_p)
    char *found = fx_out("git -C server/git/* cat-file -e '%s^{commit}' 2>/dev/null && echo yes || echo no",
                         commit);
    return strcmp(found, "yes") == 0;
}

static void manifests_are_rendered(void **state)
{
    if (!url)
        skip();
    struct fx_ask a;
    fx_expect(&server, ask(&a, ""), "\"name\":\"two\"");
    assert_true(clone_has(third));
    assert_false(clone_has(second) || clone_has(first));
    fx_expect(&server, ask(&a, "v1"), "\"name\":\"two\"");
    assert_false(clone_has(second));
    fx_expect(&server, ask(&a, first), "\"name\":\"one\"");
    assert_false(clone_has(second));
    fx_refused(&server, ask(&a, "0123456789012345678901234567890123456789"), ERR_NOT_FOUND,
               "not in the repository");
}

static void revisions_are_described(void **state)
{
    if (!url)
        skip();
    struct fx_ask a;
    AUTO_ERR err = NULL;
    ask(&a, "");
    Cargocd__Repo__RevisionMetadataRequest m = CARGOCD__REPO__REVISION_METADATA_REQUEST__INIT;
    Cargocd__Repo__RevisionMetadataResponse *r = NULL;
    m.repo = &a.repo;
    m.revision = third;
    ASSERT_OK(FX_CALL(&server, "repo.RevisionMetadata", m, revision_metadata_response, &r, &err));
    AUTO(free_p) char *text = xstrndup((const char *)r->metadata.data, r->metadata.len);
    FX_FREE(r);
    assert_non_null(strstr(text, "\"message\":\"third\""));
    assert_non_null(strstr(text, "\"tags\":[\"v1\"]"));
}

/* Both commits are fetched, and compared without what lies between them. */
static void revisions_are_compared_by_paths(void **state)
{
    if (!url)
        skip();
    const struct {
        const char *synced, *path;
        bool changes;
    } cases[] = {{first, "app", true}, {first, "other", true}, {third, "app", false}, {second, "app", false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fx_ask a;
        AUTO_ERR err = NULL;
        char *paths[] = {(char *)cases[i].path};
        Cargocd__Repo__UpdateRevisionForPathsRequest m =
            CARGOCD__REPO__UPDATE_REVISION_FOR_PATHS_REQUEST__INIT;
        Cargocd__Repo__UpdateRevisionForPathsResponse *r = NULL;
        m.request = ask(&a, "main");
        m.synced_revision = (char *)cases[i].synced;
        m.paths = paths;
        m.n_paths = 1;
        ASSERT_OK(
            FX_CALL(&server, "repo.UpdateRevisionForPaths", m, update_revision_for_paths_response, &r, &err));
        assert_int_equal(r->changes, cases[i].changes);
        assert_string_equal(r->revision, third);
        FX_FREE(r);
    }
}

REPO_TESTS(setup, teardown, T(manifests_are_rendered), T(revisions_are_described),
           T(revisions_are_compared_by_paths))
