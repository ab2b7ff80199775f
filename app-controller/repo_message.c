#include "app-controller/repo_message.h"
#include "common/argo/project.h"
#include "common/argo/app.h"

typedef Cargocd__Repo__Repository repository_t;

static char *text(arena_t *a, const json_t *o, const char *key)
{
    return arena_strdup(a, str_or_empty(json_str_at(o, key)));
}

static protobuf_c_boolean flag(const json_t *o, const char *key)
{
    bool b = false;
    str_to_bool(json_str_at(o, key), &b);
    return b;
}

static int64_t number(const json_t *o, const char *key)
{
    int64_t n = 0;
    str_to_i64(json_str_at(o, key), &n);
    return n;
}

/* A repository Secret's texts as a message. */
static repository_t *repository(arena_t *a, const json_t *o)
{
    repository_t *r = arena_alloc(a, sizeof(*r));
    cargocd__repo__repository__init(r);
    const struct {
        char **field;
        const char *key;
    } texts[] = {
        {&r->url, "url"},
        {&r->type, "type"},
        {&r->name, "name"},
        {&r->project, "project"},
        {&r->username, "username"},
        {&r->password, "password"},
        {&r->bearer_token, "bearerToken"},
        {&r->ssh_private_key, "sshPrivateKey"},
        {&r->tls_client_cert, "tlsClientCertData"},
        {&r->tls_client_key, "tlsClientCertKey"},
        {&r->github_app_private_key, "githubAppPrivateKey"},
        {&r->github_app_enterprise_base_url, "githubAppEnterpriseBaseUrl"},
        {&r->proxy, "proxy"},
        {&r->no_proxy, "noProxy"},
        {&r->gcp_service_account_key, "gcpServiceAccountKey"},
        {&r->azure_client_id, "azureServicePrincipalClientId"},
        {&r->azure_client_secret, "azureServicePrincipalClientSecret"},
        {&r->azure_tenant_id, "azureServicePrincipalTenantId"},
        {&r->azure_endpoint, "azureActiveDirectoryEndpoint"},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        *texts[i].field = text(a, o, texts[i].key);
    r->insecure = flag(o, "insecure") || flag(o, "insecureIgnoreHostKey") || flag(o, "insecureOCIForceHttp");
    r->enable_lfs = flag(o, "enableLfs");
    r->enable_oci = flag(o, "enableOCI");
    r->insecure_oci_force_http = flag(o, "insecureOCIForceHttp");
    r->force_http_basic_auth = flag(o, "forceHttpBasicAuth");
    r->use_azure_workload_identity = flag(o, "useAzureWorkloadIdentity");
    r->github_app_id = number(o, "githubAppID");
    r->github_app_installation_id = number(o, "githubAppInstallationID");
    r->depth = number(o, "depth");
    return r;
}

static repository_t **repositories(arena_t *a, const json_t *list, size_t *n)
{
    *n = json_array_size(list);
    repository_t **out = arena_alloc(a, (*n + 1) * sizeof(*out));
    for (size_t i = 0; i < *n; i++)
        out[i] = repository(a, json_array_get(list, i));
    return out;
}

static char **texts_of(arena_t *a, char *const *list, size_t *n)
{
    *n = strv_len(list);
    char **out = arena_alloc(a, (*n + 1) * sizeof(*out));
    for (size_t i = 0; i < *n; i++)
        out[i] = arena_strdup(a, list[i]);
    return out;
}

static void put_refs(arena_t *a, struct controller *ctl, const struct compare_input *in,
                     Cargocd__Repo__GenerateManifestRequest *m)
{
    typedef Cargocd__Repo__GenerateManifestRequest__RefSourcesEntry entry_t;
    size_t n = json_array_size(in->sources);
    m->ref_sources = arena_alloc(a, (n + 1) * sizeof(*m->ref_sources));
    for (size_t i = 0; i < n; i++) {
        const json_t *s = json_array_get(in->sources, i);
        const char *ref = json_str_at(s, "ref");
        if (str_empty(ref))
            continue;
        AUTO_JSON repo = world_repo(ctl->world, str_or_empty(json_str_at(s, "repoURL")),
                                    app_project(in->doc));
        Cargocd__Repo__RefTarget *t = arena_alloc(a, sizeof(*t));
        cargocd__repo__ref_target__init(t);
        t->repo = repository(a, repo);
        t->target_revision = text(a, s, "targetRevision");
        t->chart = text(a, s, "chart");
        entry_t *e = arena_alloc(a, sizeof(*e));
        cargocd__repo__generate_manifest_request__ref_sources_entry__init(e);
        e->key = arena_printf(a, "$%s", ref);
        e->value = t;
        m->ref_sources[m->n_ref_sources++] = e;
    }
}

static bool enabled(const settings_t *s, const char *key)
{
    const char *v = settings_value(s, key);
    return !*v || strcmp(v, "true") == 0;
}

/* kustomize.path.<version> (or kustomize.version.<version>): programs that sources may choose. */
static void put_versions(arena_t *a, const settings_t *s, Cargocd__Repo__KustomizeOptions *k)
{
    const json_t *data = settings_data(s);
    const char *key;
    json_t *value;
    k->versions = arena_alloc(a, (json_object_size(data) + 1) * sizeof(*k->versions));
    json_object_foreach((json_t *)data, key, value) {
        const char *name = str_after(key, "kustomize.path.");
        name = name ? name : str_after(key, "kustomize.version.");
        if (!name || !json_is_string(value))
            continue;
        Cargocd__Repo__KustomizeVersion *v = arena_alloc(a, sizeof(*v));
        cargocd__repo__kustomize_version__init(v);
        v->name = arena_strdup(a, name);
        v->path = arena_strdup(a, json_string_value(value));
        k->versions[k->n_versions++] = v;
    }
}

static void put_settings(arena_t *a, const settings_t *s, Cargocd__Repo__GenerateManifestRequest *m)
{
    const struct tracking *t = settings_tracking(s);
    m->app_label_key = arena_strdup(a, str_empty(t->label_key) ? LABEL_INSTANCE_DEFAULT : t->label_key);
    m->tracking_method = arena_strdup(a, tracking_method_name(t->method));
    m->installation_id = arena_strdup(a, str_or_empty(t->installation_id));
    Cargocd__Repo__SourceTypes *types = arena_alloc(a, sizeof(*types));
    cargocd__repo__source_types__init(types);
    types->kustomize = enabled(s, "kustomize.enable");
    types->helm = enabled(s, "helm.enable");
    types->jsonnet = enabled(s, "jsonnet.enable");
    m->source_types = types;
    Cargocd__Repo__KustomizeOptions *k = arena_alloc(a, sizeof(*k));
    cargocd__repo__kustomize_options__init(k);
    k->build_options = arena_strdup(a, settings_value(s, "kustomize.buildOptions"));
    put_versions(a, s, k);
    m->kustomize_options = k;
    const char *schemes = settings_value(s, "helm.valuesFileSchemes");
    AUTO(strv_free_p) char **list = strv_split(*schemes ? schemes : "https,http", ",", true);
    m->values_file_schemes = texts_of(a, list, &m->n_values_file_schemes);
}

void repo_request_init(struct repo_request *q, struct controller *ctl, struct app *app,
                       const struct compare_input *in, const json_t *source)
{
    arena_t *a = q->arena = arena_new();
    Cargocd__Repo__GenerateManifestRequest *m = &q->message;
    cargocd__repo__generate_manifest_request__init(m);
    const char *url = str_or_empty(json_str_at(source, "repoURL")), *project = app_project(in->doc);
    AUTO_JSON repo = world_repo(ctl->world, url, project);
    AUTO_JSON helm = world_helm_repos(ctl->world, project, str_has_prefix(url, "oci://"));
    AUTO_JSON creds = world_helm_creds(ctl->world);
    AUTO(free_p) char *source_text = json_text(source, JSON_KEEP_ORDER | JSON_NO_HTML);
    AUTO(free_p) char *version = cluster_version(in->cluster);
    AUTO(strv_free_p) char **apis = cluster_api_versions(in->cluster);
    m->repo = repository(a, repo);
    m->source.data = (uint8_t *)arena_strdup(a, source_text);
    m->source.len = strlen(source_text);
    m->no_cache = in->no_cache;
    m->no_revision_cache = in->no_revision_cache;
    m->app_name = arena_strdup(a, app->instance);
    m->namespace_ = arena_strdup(a, str_or_empty(json_str_at(in->doc, "spec", "destination", "namespace")));
    m->kube_version = arena_strdup(a, version);
    m->api_versions = texts_of(a, apis, &m->n_api_versions);
    m->helm_repos = repositories(a, helm, &m->n_helm_repos);
    m->helm_repo_creds = repositories(a, creds, &m->n_helm_repo_creds);
    m->has_multiple_sources = app_multi_source(in->doc);
    m->project_name = arena_strdup(a, project);
    m->manifest_generate_paths = arena_strdup(
        a, str_or_empty(json_str_at(in->doc, "metadata", "annotations", ANNOTATION_GENERATE_PATHS)));
    put_refs(a, ctl, in, m);
    put_settings(a, in->settings, m);
    AUTO_JSON integrity = project_source_integrity(in->project);
    if (integrity) {
        AUTO(free_p) char *text = json_text(integrity, JSON_GO);
        m->source_integrity.data = (uint8_t *)arena_strdup(a, text);
        m->source_integrity.len = strlen(text);
    }
    const json_t *allowed = json_at(in->project, "spec", "sourceRepos");
    m->project_source_repos = arena_alloc(a, (json_array_size(allowed) + 1) * sizeof(char *));
    for (size_t i = 0; i < json_array_size(allowed); i++)
        m->project_source_repos[m->n_project_source_repos++] = arena_strdup(
            a, str_or_empty(json_string_value(json_array_get(allowed, i))));
}

void repo_request_dispose(struct repo_request *q)
{
    arena_free(q->arena);
    q->arena = NULL;
}
