/* Stale-proof, the request's side: every field of a request is changed in turn. What can make a difference
 * must be a miss of the cache, and what cannot a hit. (test_traces.c does the same for files.) */
#include "tests/unit/repo-server/fixture/registry.h"
#include "tests/unit/repo-server/fixture/wire.h"
#include "common/json/json.h"

typedef Cargocd__Repo__GenerateManifestRequest request_t;
typedef Cargocd__Repo__GenerateManifestResponse response_t;

/* A request with all that it points to, in texts that can be replaced. */
struct question {
    Cargocd__Repo__Repository repo, helm_repo;
    Cargocd__Repo__KustomizeOptions kustomize;
    Cargocd__Repo__KustomizeVersion version;
    Cargocd__Repo__SourceTypes types;
    Cargocd__Repo__KustomizeVersion *versions[1];
    Cargocd__Repo__Repository *helm_repos[1];
    char *apis[3], *schemes[2], *project_repos[1];
    json_t *source;
    char *source_text;
    request_t q;
};

static void question_init(struct question *k, const char *url, const char *source)
{
    AUTO_ERR err = NULL;
    memset(k, 0, sizeof(*k));
    cargocd__repo__repository__init(&k->repo);
    cargocd__repo__repository__init(&k->helm_repo);
    cargocd__repo__kustomize_options__init(&k->kustomize);
    cargocd__repo__kustomize_version__init(&k->version);
    cargocd__repo__source_types__init(&k->types);
    cargocd__repo__generate_manifest_request__init(&k->q);
    ASSERT_OK(json_read_str(source, &k->source, &err));
    json_put_str(k->source, "repoURL", url);
    k->repo.url = (char *)url;
    k->types.helm = k->types.kustomize = k->types.jsonnet = true;
    k->helm_repo.url = (char *)"https://charts.example";
    k->q = (request_t){
        .base = k->q.base,
        .repo = &k->repo,
        .revision = (char *)"",
        .app_label_key = (char *)"app.kubernetes.io/instance",
        .app_name = (char *)"demo",
        .namespace_ = (char *)"prod",
        .tracking_method = (char *)"annotation",
        .installation_id = (char *)"",
        .kube_version = (char *)"1.29.0",
        .api_versions = k->apis,
        .n_api_versions = 1,
        .helm_repos = k->helm_repos,
        .kustomize_options = &k->kustomize,
        .values_file_schemes = k->schemes,
        .n_values_file_schemes = 1,
        .source_types = &k->types,
        .project_name = (char *)"default",
        .project_source_repos = k->project_repos,
        .n_project_source_repos = 1,
        .manifest_generate_paths = (char *)"",
        .have_key = (char *)"",
    };
    k->apis[0] = (char *)"example.org/v1";
    k->apis[1] = (char *)"new.org/v1";
    k->schemes[0] = (char *)"https";
    k->schemes[1] = (char *)"http";
    k->project_repos[0] = (char *)"*";
    k->versions[0] = &k->version;
    k->helm_repos[0] = &k->helm_repo;
}

static void question_dispose(struct question *k)
{
    json_decref(k->source);
    free(k->source_text);
}

/* Whether the answer came out of the cache. */
static bool is_hit(struct question *k)
{
    AUTO_ERR err = NULL;
    response_t *out = NULL;
    double before = fx_scraped("cargocd_render_cache_hits_total");
    free(k->source_text);
    k->source_text = json_text(k->source, JSON_GO);
    k->q.source = (ProtobufCBinaryData){strlen(k->source_text), (uint8_t *)k->source_text};
    int r = WIRE_CALL("repo.GenerateManifest", k->q, generate_manifest_response, &out, &err);
    if (r < 0) /* what fails was tried */
        return false;
    WIRE_FREE(out);
    return fx_scraped("cargocd_render_cache_hits_total") > before;
}

enum what {
    SAME,
    NO_CACHE,
    APP_NAME,
    NAMESPACE,
    LABEL_KEY,
    TRACKING,
    INSTALLATION,
    KUBE_VERSION,
    NEW_API,
    ASKED_API,
    PROJECT,
    PROJECT_REPOS,
    GENERATE_PATHS,
    BUILD_OPTIONS,
    KUSTOMIZE_VERSION,
    SCHEMES,
    NO_HELM,
    NO_JSONNET,
    HELM_REPOS,
    HAVE_KEY,
    REVISION,
    TARGET_REVISION,
    URL_SPELLING,
    TAG_PREFIX,
    FIELD,
};

static const struct mutation {
    enum what what;
    const char *field, *value;   /* of the source, as JSON */
    bool directory, chart, used; /* whether it is a hit: for a directory, a chart, a chart that uses it all */
} mutations[] = {
    {SAME, NULL, NULL, true, true, true},
    {NO_CACHE, NULL, NULL, false, false, false},
    {APP_NAME, NULL, NULL, false, false, false},
    {NAMESPACE, NULL, NULL, false, false, false},
    {LABEL_KEY, NULL, NULL, false, false, false},
    {TRACKING, NULL, NULL, false, false, false},
    {INSTALLATION, NULL, NULL, false, false, false},
    {KUBE_VERSION, NULL, NULL, true, true, false},
    {NEW_API, NULL, NULL, true, true, true}, /* one more kind in the cluster */
    {ASKED_API, NULL, NULL, true, true, false},
    {PROJECT, NULL, NULL, true, true, false},
    {PROJECT_REPOS, NULL, NULL, true, true, true},
    {GENERATE_PATHS, NULL, NULL, true, true, true},
    {BUILD_OPTIONS, NULL, NULL, true, true, true}, /* no kustomization */
    {KUSTOMIZE_VERSION, NULL, NULL, true, true, true},
    {SCHEMES, NULL, NULL, true, true, true}, /* nothing remote */
    {NO_HELM, NULL, NULL, false, false, false},
    {NO_JSONNET, NULL, NULL, false, false, false},
    {HELM_REPOS, NULL, NULL, true, true, true}, /* nothing was fetched with one */
    {HAVE_KEY, NULL, NULL, true, true, true},
    {REVISION, NULL, NULL, true, true, true}, /* the same commit by its id */
    {TARGET_REVISION, NULL, NULL, true, true, false},
    {TAG_PREFIX, NULL, NULL, false, false, false},
    {FIELD, "directory", "{\"recurse\":true}", false, false, false},
    {FIELD, "directory", "{\"exclude\":\"x\"}", false, false, false},
    {FIELD, "helm", "{\"releaseName\":\"x\"}", false, false, false},
    {FIELD, "helm", "{\"values\":\"a: 1\"}", false, false, false},
    {FIELD, "helm", "{\"skipCrds\":true}", false, false, false},
    {FIELD, "kustomize", "{\"namePrefix\":\"x\"}", false, false, false},
    {FIELD, "path", "\"other\"", false, false, false},
    {FIELD, "name", "\"x\"", false, false, false},
};

static void mutate(struct question *k, const struct mutation *m, const char *commit)
{
    request_t *q = &k->q;
    switch (m->what) {
    case SAME:
        break;
    case NO_CACHE:
        q->no_cache = true;
        break;
    case APP_NAME:
        q->app_name = (char *)"other";
        break;
    case NAMESPACE:
        q->namespace_ = (char *)"other";
        break;
    case LABEL_KEY:
        q->app_label_key = (char *)"x/y";
        break;
    case TRACKING:
        q->tracking_method = (char *)"label";
        break;
    case INSTALLATION:
        q->installation_id = (char *)"x";
        break;
    case KUBE_VERSION:
        q->kube_version = (char *)"1.31.0";
        break;
    case NEW_API:
        q->n_api_versions = 2;
        break;
    case ASKED_API:
        q->n_api_versions = 0;
        break;
    case PROJECT:
        q->project_name = (char *)"other";
        break;
    case PROJECT_REPOS:
        k->project_repos[0] = (char *)"x";
        break;
    case GENERATE_PATHS:
        q->manifest_generate_paths = (char *)".";
        break;
    case BUILD_OPTIONS:
        k->kustomize.build_options = (char *)"--enable-helm";
        break;
    case KUSTOMIZE_VERSION:
        k->version.name = k->version.path = (char *)"x";
        k->kustomize.versions = k->versions;
        k->kustomize.n_versions = 1;
        break;
    case SCHEMES:
        q->n_values_file_schemes = 2;
        break;
    case NO_HELM:
        k->types.helm = false;
        break;
    case NO_JSONNET:
        k->types.jsonnet = false;
        break;
    case HELM_REPOS:
        q->n_helm_repos = 1;
        break;
    case HAVE_KEY:
        q->have_key = (char *)"Directory:x";
        break;
    case REVISION:
        q->revision = (char *)commit;
        break;
    case TARGET_REVISION:
        json_put_str(k->source, "targetRevision", "main");
        break;
    case URL_SPELLING:
        break;
    case TAG_PREFIX:
        json_put_str(k->source, "tagPrefix", "x/");
        break;
    case FIELD: {
        AUTO_ERR err = NULL;
        json_t *value = NULL;
        ASSERT_OK(json_read_str(m->value, &value, &err));
        json_object_set_new(k->source, m->field, value);
        break;
    }
    }
}

static size_t try_all(const char *path, const char *commit, const char *url)
{
    AUTO(free_p) char *source = xasprintf("{\"path\":\"%s\"}", path);
    size_t failed = 0;
    for (size_t i = 0; i < ARRAY_LEN(mutations); i++) {
        const struct mutation *m = &mutations[i];
        struct question base, changed;
        question_init(&base, url, source);
        is_hit(&base);
        if (!is_hit(&base))
            fail_msg("%s: the second question is no hit", path);
        question_init(&changed, url, source);
        mutate(&changed, m, commit);
        bool expected = strcmp(path, "plain") == 0   ? m->directory
                        : strcmp(path, "chart") == 0 ? m->chart
                                                     : m->used;
        if (is_hit(&changed) != expected) {
            print_error("%s: mutation %zu should be a %s\n", path, i, expected ? "hit" : "miss");
            failed++;
        }
        question_dispose(&base);
        question_dispose(&changed);
    }
    return failed;
}

static void every_field_of_a_request_counts_as_far_as_it_is_used(void **state)
{
    bool helm = fx_can_run("helm");
    char commit[GIT_OID_HEX];
    size_t failed = 0;
    fx_repo("inputs");
    fx_write("inputs/plain/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    fx_write("inputs/chart/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");
    fx_write("inputs/chart/templates/x.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n");
    fx_write("inputs/used/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");
    fx_write("inputs/used/.argocd-source.yaml",
             "helm: {parameters: [{name: p, value: "
             "'$ARGOCD_APP_PROJECT_NAME$ARGOCD_APP_SOURCE_TARGET_REVISION'}]}\n");
    fx_write("inputs/used/templates/x.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n  "
                                             "k: {{ .Capabilities.KubeVersion.Version }}\n"
                                             "  a: {{ .Capabilities.APIVersions.Has \"example.org/v1\" | "
                                             "quote }}\n  p: {{ .Values.p | quote }}\n");
    snprintf(commit, sizeof(commit), "%s", fx_commit("inputs", "one"));
    AUTO(free_p) char *url = xasprintf("file://%s/inputs.git", fx_dir());
    failed += try_all("plain", commit, url);
    if (helm)
        failed += try_all("chart", commit, url) + try_all("used", commit, url);
    assert_int_equal(failed, 0);
}

/* Settings count where they are used. */
static void settings_of_kustomize_count_for_kustomizations(void **state)
{
    static const struct mutation counts[] = {{.what = BUILD_OPTIONS}, {.what = KUSTOMIZE_VERSION}},
                                 same = {.what = SCHEMES};
    if (!fx_can_run("kustomize"))
        skip();
    fx_repo("kust");
    fx_write("kust/kustomization.yaml", "resources: [cm.yaml]\n");
    fx_write("kust/cm.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    fx_commit("kust", "one");
    AUTO(free_p) char *url = xasprintf("file://%s/kust.git", fx_dir());
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        struct question base, changed;
        question_init(&base, url, "{\"path\":\".\"}");
        question_init(&changed, url, "{\"path\":\".\"}");
        is_hit(&base);
        assert_true(is_hit(&base));
        mutate(&changed, &same, NULL);
        assert_true(is_hit(&changed));
        mutate(&changed, &counts[i], NULL);
        assert_false(is_hit(&changed));
        question_dispose(&base);
        question_dispose(&changed);
    }
}

/* A new version of a chart of which nothing that was read has changed is the same rendering; the index alone
 * says nothing. */
static void charts_are_known_by_their_content(void **state)
{
    const char *base = fx_http(0);
    if (!base || !fx_can_run("helm"))
        skip();
    AUTO(free_p) char *url = xasprintf("%.*s/charts", (int)(strlen(base) - 4), base);
    fx_chart("charts", "web", "1.0.0");
    fx_index("charts");
    struct question k;
    question_init(&k, url, "{\"chart\":\"web\",\"targetRevision\":\"1.0.0\"}");
    k.repo.type = (char *)"helm";
    assert_false(is_hit(&k));
    assert_true(is_hit(&k));
    json_put_str(k.source, "targetRevision", "1.x"); /* another way to say it */
    assert_true(is_hit(&k));
    fx_sh("cp charts/web-1.0.0.tgz charts/web-1.0.1.tgz"); /* the index tells another version, the chart does
                                                              not */
    fx_index("charts");
    json_put_str(k.source, "targetRevision", "1.0.1");
    k.q.no_revision_cache = true;
    assert_true(is_hit(&k));
    fx_chart("charts", "web", "1.0.2");
    fx_index("charts");
    json_put_str(k.source, "targetRevision", "1.0.2");
    assert_false(is_hit(&k));
    question_dispose(&k);
}

REPO_TESTS(fx_server_begin, fx_server_end, T(every_field_of_a_request_counts_as_far_as_it_is_used),
           T(settings_of_kustomize_count_for_kustomizations), T(charts_are_known_by_their_content))
