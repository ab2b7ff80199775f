/* The repository server over its wire: an RPC server and client on a local socket, real repositories behind
 * it. */
#include "tests/unit/repo-server/fixture/fixture.h"
#include "common/net/rpc.h"
#include "proto/rpc/repo.pb-c.h"
#include "repo-server/manager.h"

#include <nng/nng.h>

static metrics_t *metrics;
static repo_t *repo;
static rpc_server_t *server;
static rpc_client_t *client;
static char *root, *address;

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
        .max_directory_bytes = 10 << 20,
        .helm = getenv("HELM"),
        .kustomize = getenv("KUSTOMIZE"),
        .kubectl = getenv("KUBECTL"),
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

static double git_requests(const char *url, const char *type)
{
    metric_t *f = metric_counter(metrics, "argocd_git_request_total", "", LABELS("repo", "request_type"));
    AUTO(free_p) char *shown = git_url_for_message(url);
    return metric_value(f, LABELS(shown, type));
}

/* A figure of the scrape. */
static double figure(const char *name)
{
    AUTO_STR text = STR_INIT;
    AUTO(free_p) char *line = xasprintf("\n%s ", name);
    metrics_write(metrics, &text);
    const char *at = strstr(str_text(&text), line);
    return at ? strtod(at + strlen(line), NULL) : -1;
}

static char *repo_url(const char *name)
{
    return xasprintf("file://%s/%s.git", fx_dir(), name);
}

#define CALL(method, message, type, out, err)                                                                \
    rpc_do(client, method, &(message).base, &cargocd__repo__##type##__descriptor, SECONDS(60), NULL,         \
           (ProtobufCMessage **)(out), err)
#define FREE(m) protobuf_c_message_free_unpacked(&(m)->base, NULL)

typedef Cargocd__Repo__GenerateManifestRequest request_t;
typedef Cargocd__Repo__GenerateManifestResponse response_t;

struct ask {
    Cargocd__Repo__Repository repo;
    request_t q;
};

static request_t *ask_init(struct ask *a, const char *url, const char *source)
{
    cargocd__repo__repository__init(&a->repo);
    cargocd__repo__generate_manifest_request__init(&a->q);
    a->repo.url = (char *)url;
    a->q.repo = &a->repo;
    a->q.source = (ProtobufCBinaryData){strlen(source), (uint8_t *)source};
    a->q.app_name = (char *)"demo";
    a->q.namespace_ = (char *)"prod";
    a->q.app_label_key = (char *)"app.kubernetes.io/instance";
    return &a->q;
}

static int generate(const request_t *q, response_t **out, err_t **err)
{
    *out = NULL;
    return CALL("repo.GenerateManifest", *q, generate_manifest_response, out, err);
}

static void expect_manifest(const response_t *r, const char *part)
{
    assert_true(r->n_manifests > 0);
    AUTO(free_p) char *text = xstrndup((const char *)r->manifests[0].data, r->manifests[0].len);
    if (!strstr(text, part))
        fail_msg("%s is not in %s", part, text);
}

static void a_directory_is_rendered_and_then_only_confirmed(void **state)
{
    fx_repo("mono");
    fx_write("mono/apps/a/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {v: '1'}\n");
    fx_write("mono/apps/b/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n");
    char commit[GIT_OID_HEX];
    memcpy(commit, fx_commit("mono", "one"), sizeof(commit));
    AUTO(free_p) char *url = repo_url("mono");
    AUTO_ERR err = NULL;
    struct ask a;
    response_t *r = NULL;
    request_t *q = ask_init(&a, url, "{\"path\":\"apps/a\",\"targetRevision\":\"main\"}");
    q->no_revision_cache = true;
    ASSERT_OK(generate(q, &r, &err));
    assert_string_equal(r->revision, commit);
    assert_string_equal(r->source_type, "Directory");
    assert_string_equal(r->namespace_, "prod");
    assert_int_equal(r->n_manifests, 1);
    expect_manifest(r, "\"argocd.argoproj.io/tracking-id\":\"demo:/ConfigMap:prod/a\"");
    AUTO(free_p) char *key = xstrdup(r->key);
    FREE(r);
    /* Another application's file: nothing to render, nothing to send. */
    double misses = figure("cargocd_render_cache_misses_total");
    fx_write("mono/apps/b/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b2}\n");
    memcpy(commit, fx_commit("mono", "two"), sizeof(commit));
    q->have_key = key;
    ASSERT_OK(generate(q, &r, &err));
    assert_true(r->same);
    assert_string_equal(r->revision, commit);
    assert_string_equal(r->key, key);
    assert_string_equal(r->source_type, "Directory");
    assert_int_equal(r->n_manifests, 0);
    FREE(r);
    assert_true(figure("cargocd_render_cache_misses_total") == misses);
    /* Its own file. */
    fx_write("mono/apps/a/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {v: '2'}\n");
    fx_commit("mono", "three");
    ASSERT_OK(generate(q, &r, &err));
    assert_false(r->same);
    assert_string_not_equal(r->key, key);
    expect_manifest(r, "\"v\":\"2\"");
    FREE(r);
    /* By commit and by a part of it: the first state again, from the cache. */
    fx_commit("mono", "empty");
    misses = figure("cargocd_render_cache_misses_total");
    char part[9];
    snprintf(part, sizeof(part), "%.8s", commit);
    const char *revisions[] = {commit, part};
    for (size_t i = 0; i < 2; i++) {
        q->revision = (char *)revisions[i];
        ASSERT_OK(generate(q, &r, &err));
        assert_true(r->same);
        assert_string_equal(r->revision, commit);
        FREE(r);
    }
    assert_true(figure("cargocd_render_cache_misses_total") == misses);
}

static void a_restart_keeps_the_clone(void **state)
{
    AUTO(free_p) char *url = repo_url("mono");
    AUTO_ERR err = NULL;
    struct ask a;
    response_t *r = NULL;
    request_t *q = ask_init(&a, url, "{\"path\":\"apps/b\"}");
    q->no_revision_cache = true;
    ASSERT_OK(generate(q, &r, &err));
    FREE(r);
    stop();
    start();
    ASSERT_OK(generate(q, &r, &err));
    expect_manifest(r, "\"name\":\"b2\"");
    FREE(r);
    assert_true(git_requests(url, "fetch") == 0);
    assert_true(git_requests(url, "ls-remote") == 1);
}

struct many {
    lock_t lock;
    cond_t cond;
    unsigned done, failed;
    char first_error[200];
};

static void one_done(void *arg, ProtobufCMessage *out, err_t *err)
{
    struct many *m = arg;
    LOCKED(&m->lock);
    m->done++;
    if (err && !m->failed++)
        snprintf(m->first_error, sizeof(m->first_error), "%s", err_text(err));
    if (out)
        protobuf_c_message_free_unpacked(out, NULL);
    pthread_cond_broadcast(&m->cond);
}

static void two_hundred_questions_make_one_listing_one_fetch_one_rendering(void **state)
{
    fx_repo("crowd");
    fx_write("crowd/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    fx_commit("crowd", "one");
    AUTO(free_p) char *url = repo_url("crowd");
    struct ask a;
    struct many m = {.lock = LOCK_INIT};
    cond_init(&m.cond);
    const request_t *q = ask_init(&a, url, "{\"path\":\".\"}");
    for (int i = 0; i < 200; i++)
        rpc_start(client, "repo.GenerateManifest", &q->base,
                  &cargocd__repo__generate_manifest_response__descriptor, SECONDS(60), one_done, &m);
    {
        LOCKED(&m.lock);
        while (m.done < 200)
            assert_true(cond_wait_until(&m.cond, &m.lock, mono_after(mono_now(), SECONDS(60))));
    }
    if (m.failed)
        fail_msg("%u failed: %s", m.failed, m.first_error);
    assert_true(git_requests(url, "ls-remote") == 1);
    assert_true(git_requests(url, "fetch") == 1);
}

/* Tenants share objects, not access: what one project's credential has fetched is not answered to another's,
 * neither by branch nor to who knows the commit, nor from the cache of renderings. */
static void a_stranger_gets_nothing_of_a_private_repository(void **state)
{
    const char *base = fx_http(FX_BASIC);
    if (!base)
        skip();
    fx_repo("secret");
    fx_write("secret/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {hush: hush}\n");
    char commit[GIT_OID_HEX];
    memcpy(commit, fx_commit("secret", "one"), sizeof(commit));
    AUTO(free_p) char *url = xasprintf("%s/secret.git", base);
    AUTO(free_p) char *shouted = xasprintf("%s/Secret.git", base);
    AUTO_ERR err = NULL;
    struct ask member, stranger;
    response_t *r = NULL;
    request_t *q = ask_init(&member, url, "{\"path\":\".\"}");
    member.repo.username = (char *)"user";
    member.repo.password = (char *)"s3cret";
    ASSERT_OK(generate(q, &r, &err));
    expect_manifest(r, "hush");
    AUTO(free_p) char *key = xstrdup(r->key);
    FREE(r);
    static const char *const passwords[] = {"", "guess"};
    const char *revisions[] = {"", "main", "HEAD", commit, "refs/heads/main"};
    for (size_t p = 0; p < ARRAY_LEN(passwords); p++) {
        for (size_t i = 0; i < ARRAY_LEN(revisions); i++) {
            q = ask_init(&stranger, url, "{\"path\":\".\"}");
            stranger.repo.username = (char *)"user";
            stranger.repo.password = (char *)passwords[p];
            q->revision = (char *)revisions[i];
            q->have_key = key; /* not even "same" */
            err_clear(&err);
            assert_int_equal(generate(q, &r, &err), -ERR_UNAUTHENTICATED);
            assert_null(strstr(err_text(err), "s3cret"));
            assert_null(strstr(err_text(err), "guess"));
        }
    }
    /* Another spelling that the server answers otherwise is another repository. */
    q = ask_init(&stranger, shouted, "{\"path\":\".\"}");
    stranger.repo.username = (char *)"user";
    stranger.repo.password = (char *)"s3cret";
    q->revision = commit;
    err_clear(&err);
    assert_int_equal(generate(q, &r, &err), -ERR_NOT_FOUND);
    /* The other questions are no back doors. */
    Cargocd__Repo__GetFilesRequest f = CARGOCD__REPO__GET_FILES_REQUEST__INIT;
    Cargocd__Repo__GetFilesResponse *fr = NULL;
    f.repo = &stranger.repo;
    stranger.repo.url = url;
    stranger.repo.password = (char *)"guess";
    f.revision = commit;
    assert_int_equal(CALL("repo.GetFiles", f, get_files_response, &fr, &err), -ERR_UNAUTHENTICATED);
    Cargocd__Repo__RevisionMetadataRequest mq = CARGOCD__REPO__REVISION_METADATA_REQUEST__INIT;
    Cargocd__Repo__RevisionMetadataResponse *mr = NULL;
    mq.repo = &stranger.repo;
    mq.revision = commit;
    assert_int_equal(CALL("repo.RevisionMetadata", mq, revision_metadata_response, &mr, &err),
                     -ERR_UNAUTHENTICATED);
    Cargocd__Repo__ListAppsRequest lq = CARGOCD__REPO__LIST_APPS_REQUEST__INIT;
    Cargocd__Repo__ListAppsResponse *lr = NULL;
    lq.repo = &stranger.repo;
    lq.revision = commit;
    assert_int_equal(CALL("repo.ListApps", lq, list_apps_response, &lr, &err), -ERR_UNAUTHENTICATED);
}

static void errors_say_what_is_wrong(void **state)
{
    AUTO(free_p) char *url = repo_url("mono");
    AUTO(free_p) char *none = repo_url("none");
    const struct {
        const char *url, *source, *revision;
        enum err_code code;
        const char *text;
    } cases[] = {
        {url, "{\"path\":\"nowhere\"}", "", ERR_INVALID_ARGUMENT, "nowhere: app path does not exist"},
        {url, "{\"path\":\".\"}", "no-branch", ERR_NOT_FOUND,
         "unable to resolve 'no-branch' to a commit SHA: revision not found"},
        {url, "{\"path\":\".\"}", "0123456789012345678901234567890123456789", ERR_NOT_FOUND,
         "0123456789012345678901234567890123456789"},
        {none, "{\"path\":\".\"}", "", ERR_NOT_FOUND, "failed to list refs of file://"},
        {"", "{}", "", ERR_INVALID_ARGUMENT, "names no repository"},
        {"ftp://x/y", "{}", "", ERR_INVALID_ARGUMENT, "repository URL 'ftp://x/y' is not valid"},
        {url, "", "", ERR_INVALID_ARGUMENT, "has no source"},
        {url, "[]", "", ERR_INVALID_ARGUMENT, "no object"},
        {url, "{", "", ERR_INVALID_ARGUMENT, "read the application's source"},
        {url, "{\"chart\":\"x\"}", "", ERR_INVALID_ARGUMENT, "only http and https are known"},
        {"oci://x/y", "{}", "", ERR_UNIMPLEMENTED, "Helm and OCI repositories"},
        {url, "{\"path\":\".\",\"plugin\":{\"name\":\"p\"}}", "", ERR_UNIMPLEMENTED, "plugin 'p'"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        struct ask a;
        response_t *r = NULL;
        request_t *q = ask_init(&a, cases[i].url, cases[i].source);
        q->revision = (char *)cases[i].revision;
        int e = generate(q, &r, &err);
        if (e != -(int)cases[i].code || !strstr(err_text(err), cases[i].text))
            fail_msg("case %zu: %d %s", i, e, err_text(err));
        assert_null(strstr(err_text(err), root));
    }
}

static void failures_are_paused(void **state)
{
    fx_repo("broken");
    fx_write("broken/a.yaml", "apiVersion: v1\nkind: X\nmetadata: [\n");
    fx_commit("broken", "one");
    AUTO(free_p) char *url = repo_url("broken");
    struct ask a;
    response_t *r = NULL;
    request_t *q = ask_init(&a, url, "{\"path\":\".\"}");
    for (int i = 0; i < 5; i++) {
        AUTO_ERR err = NULL;
        assert_int_equal(generate(q, &r, &err), -ERR_FAILED_PRECONDITION);
        bool cached = strstr(err_text(err), "Manifest generation error (cached): ") != NULL;
        assert_int_equal(cached, i >= 3);
        assert_non_null(strstr(err_text(err), "Failed to unmarshal \"a.yaml\""));
    }
    AUTO_ERR err = NULL;
    fx_write("broken/a.yaml", "apiVersion: v1\nkind: X\nmetadata: {name: good}\n");
    fx_commit("broken", "two");
    q->no_revision_cache = true;
    ASSERT_OK(generate(q, &r, &err)); /* another commit is another matter */
    FREE(r);
}

static void damaged_clones_are_replaced_on_the_way(void **state)
{
    fx_repo("fragile");
    fx_write("fragile/a.yaml", "apiVersion: v1\nkind: X\nmetadata: {name: a}\n");
    fx_commit("fragile", "one");
    AUTO(free_p) char *url = repo_url("fragile");
    AUTO_ERR err = NULL;
    struct ask a;
    response_t *r = NULL;
    request_t *q = ask_init(&a, url, "{\"path\":\".\"}");
    ASSERT_OK(generate(q, &r, &err));
    FREE(r);
    stop();
    /* Only trees and blobs are lost; the commit can still be read. */
    fx_sh(
        "cd root/git && for d in *; do git -C $d cat-file -e $(git -C fragile rev-parse HEAD 2>/dev/null || "
        "git -C ../../fragile rev-parse HEAD) 2>/dev/null && p=$d; done; cd $p; c=$(git -C ../../../fragile "
        "rev-parse HEAD); "
        "git cat-file commit $c > /tmp/commit.$$; rm -f objects/pack/*; git hash-object -w -t commit "
        "/tmp/commit.$$; rm "
        "/tmp/commit.$$");
    start();
    q->no_cache = true;
    ASSERT_OK(generate(q, &r, &err));
    expect_manifest(r, "\"name\":\"a\"");
    FREE(r);
    assert_true(git_requests(url, "fetch") == 1);
}

static void references_are_listed_and_resolved(void **state)
{
    fx_repo("refs");
    char first[GIT_OID_HEX], second[GIT_OID_HEX];
    memcpy(first, fx_commit("refs", "one\n\nArgocd-reference-commit-sha: abcdef0"), sizeof(first));
    fx_sh("cd refs && git tag -a -m v v1.0.0 && git branch dev && git push -q --tags origin dev");
    memcpy(second, fx_commit("refs", "two"), sizeof(second));
    AUTO(free_p) char *url = repo_url("refs");
    AUTO_ERR err = NULL;
    Cargocd__Repo__Repository rep = CARGOCD__REPO__REPOSITORY__INIT;
    rep.url = url;

    Cargocd__Repo__ListRefsRequest lq = CARGOCD__REPO__LIST_REFS_REQUEST__INIT;
    Cargocd__Repo__ListRefsResponse *lr = NULL;
    lq.repo = &rep;
    ASSERT_OK(CALL("repo.ListRefs", lq, list_refs_response, &lr, &err));
    assert_int_equal(lr->n_branches, 2);
    assert_string_equal(lr->branches[0], "dev");
    assert_int_equal(lr->n_tags, 1);
    FREE(lr);

    Cargocd__Repo__ResolveRevisionRequest rq = CARGOCD__REPO__RESOLVE_REVISION_REQUEST__INIT;
    Cargocd__Repo__ResolveRevisionResponse *rr = NULL;
    rq.repo = &rep;
    rq.ambiguous_revision = (char *)"1.x";
    ASSERT_OK(CALL("repo.ResolveRevision", rq, resolve_revision_response, &rr, &err));
    assert_string_equal(rr->revision, first);
    AUTO(free_p) char *shown = xasprintf("1.x (%s)", first);
    assert_string_equal(rr->ambiguous_revision, shown);
    FREE(rr);

    char *revisions[] = {(char *)"main", (char *)"nope", (char *)"dev", (char *)""};
    Cargocd__Repo__ResolveManyRequest mq = CARGOCD__REPO__RESOLVE_MANY_REQUEST__INIT;
    Cargocd__Repo__ResolveManyResponse *mr = NULL;
    mq.repo = &rep;
    mq.revisions = revisions;
    mq.n_revisions = 4;
    ASSERT_OK(CALL("repo.ResolveMany", mq, resolve_many_response, &mr, &err));
    assert_string_equal(mr->commits[0], second);
    assert_string_equal(mr->commits[1], "");
    assert_non_null(strstr(mr->errors[1], "revision not found"));
    assert_string_equal(mr->commits[2], first);
    assert_string_equal(mr->commits[3], second);
    FREE(mr);
    assert_true(git_requests(url, "ls-remote") == 1);

    Cargocd__Repo__TestRepositoryRequest tq = CARGOCD__REPO__TEST_REPOSITORY_REQUEST__INIT;
    Cargocd__Repo__TestRepositoryResponse *tr = NULL;
    tq.repo = &rep;
    ASSERT_OK(CALL("repo.TestRepository", tq, test_repository_response, &tr, &err));
    FREE(tr);
    AUTO(free_p) char *none = repo_url("none");
    rep.url = none;
    assert_true(CALL("repo.TestRepository", tq, test_repository_response, &tr, &err) < 0);
    assert_non_null(
        strstr(err_text(err), "error testing repository connectivity: failed to list refs of file://"));
    rep.url = url;

    Cargocd__Repo__RevisionMetadataRequest dq = CARGOCD__REPO__REVISION_METADATA_REQUEST__INIT;
    Cargocd__Repo__RevisionMetadataResponse *dr = NULL;
    dq.repo = &rep;
    dq.revision = first;
    err_clear(&err);
    ASSERT_OK(CALL("repo.RevisionMetadata", dq, revision_metadata_response, &dr, &err));
    AUTO(free_p) char *meta = xstrndup((const char *)dr->metadata.data, dr->metadata.len);
    assert_string_equal(meta,
                        "{\"author\":\"Ada \\u003cada@example.org\\u003e\",\"date\":\"2024-01-02T03:04:05Z\","
                        "\"message\":\"one\\n\\nArgocd-reference-commit-sha: abcdef0\","
                        "\"references\":[{\"commit\":{\"sha\":\"abcdef0\"}}],\"tags\":[\"v1.0.0\"]}");
    FREE(dr);
    dq.revision = (char *)"main";
    assert_true(CALL("repo.RevisionMetadata", dq, revision_metadata_response, &dr, &err) < 0);
    assert_non_null(strstr(err_text(err), "revision main must be resolved"));
}

static void trees_are_searched(void **state)
{
    fx_repo("search");
    fx_sh("cd search && mkdir -p charts/web deep/er .hidden/x overlay && touch charts/web/Chart.yaml "
          "charts/web/values.yaml "
          "overlay/kustomization.yaml overlay/Chart.yaml .hidden/x/f deep/er/Kustomization && echo '{}' > "
          "deep/config.json && "
          "echo x > deep/er/config.json && ln -s /etc/passwd deep/evil.json");
    fx_commit("search", "one");
    AUTO(free_p) char *url = repo_url("search");
    AUTO_ERR err = NULL;
    Cargocd__Repo__Repository rep = CARGOCD__REPO__REPOSITORY__INIT;
    rep.url = url;

    Cargocd__Repo__ListAppsRequest aq = CARGOCD__REPO__LIST_APPS_REQUEST__INIT;
    Cargocd__Repo__ListAppsResponse *ar = NULL;
    aq.repo = &rep;
    ASSERT_OK(CALL("repo.ListApps", aq, list_apps_response, &ar, &err));
    AUTO_STR apps = STR_INIT;
    for (size_t i = 0; i < ar->n_apps; i++)
        str_printf(&apps, "%s=%s ", ar->apps[i]->key, ar->apps[i]->value);
    assert_string_equal(str_text(&apps), "charts/web=Helm deep/er=Kustomize overlay=Kustomize ");
    FREE(ar);

    Cargocd__Repo__GetDirectoriesRequest dq = CARGOCD__REPO__GET_DIRECTORIES_REQUEST__INIT;
    Cargocd__Repo__GetDirectoriesResponse *dr = NULL;
    dq.repo = &rep;
    ASSERT_OK(CALL("repo.GetDirectories", dq, get_directories_response, &dr, &err));
    AUTO_STR dirs = STR_INIT;
    for (size_t i = 0; i < dr->n_paths; i++)
        str_printf(&dirs, "%s ", dr->paths[i]);
    assert_string_equal(str_text(&dirs), "charts charts/web deep deep/er overlay ");
    FREE(dr);

    static const struct {
        const char *pattern;
        bool globbing;
        const char *found;
    } cases[] = {
        {"deep", false, "deep/config.json deep/er/Kustomization deep/er/config.json "},
        {"*.json", false, "deep/config.json deep/er/config.json "},
        {"deep/*.json", true, "deep/config.json "},
        {"**/config.json", true, "deep/config.json deep/er/config.json "},
        {"charts/web/values.yaml", true, "charts/web/values.yaml "},
        {"deep/evil.json", true, ""},
        {"none*", true, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Cargocd__Repo__GetFilesRequest fq = CARGOCD__REPO__GET_FILES_REQUEST__INIT;
        Cargocd__Repo__GetFilesResponse *fr = NULL;
        AUTO_STR files = STR_INIT;
        fq.repo = &rep;
        fq.path = (char *)cases[i].pattern;
        fq.new_globbing = cases[i].globbing;
        ASSERT_OK(CALL("repo.GetFiles", fq, get_files_response, &fr, &err));
        for (size_t k = 0; k < fr->n_files; k++)
            str_printf(&files, "%s ", fr->files[k]->key);
        assert_string_equal(str_text(&files), cases[i].found);
        if (fr->n_files && str_has_suffix(fr->files[0]->key, "deep/config.json"))
            assert_int_equal(fr->files[0]->value.len, 3);
        FREE(fr);
    }
}

static void details_are_told(void **state)
{
    fx_repo("details");
    fx_write("details/chart/Chart.yaml", "apiVersion: v2\nname: x\nversion: 1.0.0\n");
    fx_write("details/chart/values.yaml", "a: 1\nb:\n  c: [x, {d: 1000000}]\n  e: null\nempty: {}\nf: 0.5\n");
    fx_write("details/chart/env/prod-values.YAML", "a: 2\n");
    fx_write("details/plain/x.yaml", "a: 1\n");
    fx_commit("details", "one");
    AUTO(free_p) char *url = repo_url("details");
    static const struct {
        const char *source, *out;
    } cases[] = {
        {"{\"path\":\"plain\"}", "{\"directory\":{},\"type\":\"Directory\"}"},
        {"{\"path\":\"chart\",\"helm\":{\"valueFiles\":[\"env/"
         "prod-values.YAML\",\"none.yaml\"],\"fileParameters\":[{\"name\":\"n\",\"path\":\"p\"}]}}",
         "{\"helm\":{\"fileParameters\":[{\"name\":\"n\",\"path\":\"p\"}],\"parameters\":[{\"name\":\"a\","
         "\"value\":\"2\"},"
         "{\"name\":\"b.c[0]\",\"value\":\"x\"},{\"name\":\"b.c[1].d\",\"value\":\"1e+06\"},{\"name\":\"b."
         "e\",\"value\":\"\\u003cnil\\u003e\"},"
         "{\"name\":\"f\",\"value\":\"0.5\"}],\"valueFiles\":[\"env/prod-values.YAML\",\"values.yaml\"],"
         "\"values\":\"a: 1\\nb:\\n  c: [x, {d: 1000000}]\\n  e: null\\nempty: {}\\nf: "
         "0.5\\n\"},\"type\":\"Helm\"}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        Cargocd__Repo__Repository rep = CARGOCD__REPO__REPOSITORY__INIT;
        Cargocd__Repo__AppDetailsRequest q = CARGOCD__REPO__APP_DETAILS_REQUEST__INIT;
        Cargocd__Repo__AppDetailsResponse *r = NULL;
        rep.url = url;
        q.repo = &rep;
        q.source = (ProtobufCBinaryData){strlen(cases[i].source), (uint8_t *)cases[i].source};
        ASSERT_OK(CALL("repo.AppDetails", q, app_details_response, &r, &err));
        AUTO(free_p) char *text = xstrndup((const char *)r->details.data, r->details.len);
        assert_string_equal(text, cases[i].out);
        FREE(r);
    }
}

/* Globs, files of other sources and of the network. */
static void details_know_all_kinds_of_values(void **state)
{
    const char *base = fx_http(0);
    if (!base)
        skip();
    AUTO_ERR err = NULL;
    fx_repo("lent");
    fx_write("lent/deep/v.yaml", "lent: yes\n");
    fx_commit("lent", "one");
    fx_write("remote.yaml", "remote: 1\na: remote\n");
    AUTO(free_p) char *url = repo_url("details");
    AUTO(free_p) char *lent = repo_url("lent");
    AUTO(free_p)
    char *source = xasprintf(
        "{\"path\":\"chart\",\"helm\":{\"valueFiles\":[\"env/*.YAML\",\"$values/deep/v.yaml\","
        "\"%.*s/remote.yaml\",\"$values/none.yaml\"],\"ignoreMissingValueFiles\":true}}",
        (int)(strlen(base) - 4), base);
    Cargocd__Repo__Repository rep = CARGOCD__REPO__REPOSITORY__INIT, other = CARGOCD__REPO__REPOSITORY__INIT;
    Cargocd__Repo__RefTarget target = CARGOCD__REPO__REF_TARGET__INIT;
    Cargocd__Repo__AppDetailsRequest__RefSourcesEntry entry =
        CARGOCD__REPO__APP_DETAILS_REQUEST__REF_SOURCES_ENTRY__INIT;
    Cargocd__Repo__AppDetailsRequest__RefSourcesEntry *entries[] = {&entry};
    Cargocd__Repo__AppDetailsRequest q = CARGOCD__REPO__APP_DETAILS_REQUEST__INIT;
    Cargocd__Repo__AppDetailsResponse *r = NULL;
    rep.url = url;
    other.url = lent;
    target.repo = &other;
    entry.key = (char *)"$values";
    entry.value = &target;
    q.repo = &rep;
    q.ref_sources = entries;
    q.n_ref_sources = 1;
    q.source = (ProtobufCBinaryData){strlen(source), (uint8_t *)source};
    ASSERT_OK(CALL("repo.AppDetails", q, app_details_response, &r, &err));
    AUTO(free_p) char *text = xstrndup((const char *)r->details.data, r->details.len);
    FREE(r);
    static const char *const parts[] = {"{\"name\":\"a\",\"value\":\"remote\"}",
                                        "{\"name\":\"lent\",\"value\":\"true\"}",
                                        "{\"name\":\"remote\",\"value\":\"1\"}"};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (!strstr(text, parts[i]))
            fail_msg("%s is not in %s", parts[i], text);
}

static void without_plugins_the_list_is_empty(void **state)
{
    AUTO_ERR err = NULL;
    Cargocd__Repo__ListPluginsRequest q = CARGOCD__REPO__LIST_PLUGINS_REQUEST__INIT;
    Cargocd__Repo__ListPluginsResponse *r = NULL;
    ASSERT_OK(CALL("repo.ListPlugins", q, list_plugins_response, &r, &err));
    assert_int_equal(r->n_names, 0);
    FREE(r);
}

/* A silent Git server costs its own requests their time, nobody else's. */
static void a_silent_server_does_not_hold_up_others(void **state)
{
    AUTO(free_p) char *silent = xasprintf("http://127.0.0.1:%u/x.git", fx_silent_port());
    AUTO(free_p) char *url = repo_url("mono");
    struct many m = {.lock = LOCK_INIT};
    cond_init(&m.cond);
    struct ask slow, quick;
    const request_t *q = ask_init(&slow, silent, "{\"path\":\".\"}");
    for (int i = 0; i < 50; i++)
        rpc_start(client, "repo.GenerateManifest", &q->base,
                  &cargocd__repo__generate_manifest_response__descriptor, SECONDS(2), one_done, &m);
    mono_t begun = mono_now();
    AUTO_ERR err = NULL;
    response_t *r = NULL;
    ASSERT_OK(generate(ask_init(&quick, url, "{\"path\":\"apps/b\"}"), &r, &err));
    FREE(r);
    assert_true(mono_now().ns - begun.ns < MILLIS(1500));
    LOCKED(&m.lock);
    while (m.done < 50)
        assert_true(cond_wait_until(&m.cond, &m.lock, mono_after(mono_now(), SECONDS(30))));
    assert_int_equal(m.failed, 50);
}

REPO_TESTS(setup, teardown, T(a_directory_is_rendered_and_then_only_confirmed), T(a_restart_keeps_the_clone),
           T(two_hundred_questions_make_one_listing_one_fetch_one_rendering),
           T(a_stranger_gets_nothing_of_a_private_repository), T(errors_say_what_is_wrong),
           T(failures_are_paused), T(damaged_clones_are_replaced_on_the_way),
           T(references_are_listed_and_resolved), T(trees_are_searched), T(details_are_told),
           T(details_know_all_kinds_of_values), T(without_plugins_the_list_is_empty),
           T(a_silent_server_does_not_hold_up_others))
