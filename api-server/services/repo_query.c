/* Questions to the repository server about an application's sources. Messages are built in an arena that
 * lives as long as the call. */
#include "api-server/services/repo_query.h"

#include "common/argo/app.h"
#include "common/kinds/kinds.h"

typedef Cargocd__Repo__Repository repository_t;
typedef Cargocd__Repo__GenerateManifestRequest request_t;

repository_t *repo_message(server_t *s, arena_t *a, const char *url, const char *project)
{
    AUTO_JSON o = state_repo(s->state, url, project);
    return message_of_repo(a, o);
}

static char **texts(arena_t *a, const json_t *list, size_t *n)
{
    char **out = arena_alloc(a, (json_array_size(list) + 1) * sizeof *out);
    size_t i;
    json_t *v;
    json_array_foreach((json_t *)list, i, v)
        if (json_is_string(v))
            out[(*n)++] = arena_strdup(a, json_string_value(v));
    return out;
}

void repo_bytes(arena_t *a, const json_t *v, ProtobufCBinaryData *out)
{
    AUTO(free_p) char *t = json_text(v, JSON_KEEP_ORDER | JSON_NO_HTML);
    out->data = (uint8_t *)arena_strdup(a, t);
    out->len = strlen(t);
}

/* ---- GenerateManifest ---- */

static void put_refs(server_t *s, arena_t *a, const json_t *app, request_t *m)
{
    typedef Cargocd__Repo__GenerateManifestRequest__RefSourcesEntry entry_t;
    AUTO_JSON sources = app_sources(app);
    size_t i;
    json_t *source;
    m->ref_sources = arena_alloc(a, (json_array_size(sources) + 1) * sizeof *m->ref_sources);
    json_array_foreach(sources, i, source) {
        const char *ref = json_str_at(source, "ref");
        if (str_empty(ref))
            continue;
        Cargocd__Repo__RefTarget *t = arena_alloc(a, sizeof *t);
        entry_t *e = arena_alloc(a, sizeof *e);
        cargocd__repo__ref_target__init(t);
        cargocd__repo__generate_manifest_request__ref_sources_entry__init(e);
        t->repo = repo_message(s, a, str_or_empty(json_str_at(source, "repoURL")), app_project(app));
        t->target_revision = message_text(a, source, "targetRevision");
        t->chart = message_text(a, source, "chart");
        e->key = arena_printf(a, "$%s", ref);
        e->value = t;
        m->ref_sources[m->n_ref_sources++] = e;
    }
}

/* kustomize.path.<version> (or kustomize.version.<version>): programs that sources may choose. */
static void put_versions(arena_t *a, const settings_t *s, Cargocd__Repo__KustomizeOptions *k)
{
    const json_t *data = settings_data(s);
    const char *key;
    json_t *value;
    k->versions = arena_alloc(a, (json_object_size(data) + 1) * sizeof *k->versions);
    json_object_foreach((json_t *)data, key, value) {
        const char *name = str_after(key, "kustomize.path.");
        name = name ? name : str_after(key, "kustomize.version.");
        if (!name || !json_is_string(value))
            continue;
        Cargocd__Repo__KustomizeVersion *v = arena_alloc(a, sizeof *v);
        cargocd__repo__kustomize_version__init(v);
        v->name = arena_strdup(a, name);
        v->path = arena_strdup(a, json_string_value(value));
        k->versions[k->n_versions++] = v;
    }
}

void repo_options(server_t *s, arena_t *a, struct repo_settings *out)
{
    AUTO(settings_unref_p) settings_t *settings = state_argo_settings(s->state);
    out->types = arena_alloc(a, sizeof *out->types);
    out->kustomize = arena_alloc(a, sizeof *out->kustomize);
    cargocd__repo__source_types__init(out->types);
    cargocd__repo__kustomize_options__init(out->kustomize);
    out->types->kustomize = settings_bool(settings, "kustomize.enable", true);
    out->types->helm = settings_bool(settings, "helm.enable", true);
    out->types->jsonnet = settings_bool(settings, "jsonnet.enable", true);
    put_versions(a, settings, out->kustomize);
    out->kustomize->build_options = arena_strdup(a, settings_value(settings, "kustomize.buildOptions"));
    const char *schemes = settings_value(settings, "helm.valuesFileSchemes");
    AUTO(strv_free_p) char **list = strv_split(*schemes ? schemes : "https,http", ",", true);
    out->schemes = arena_alloc(a, (strv_len(list) + 1) * sizeof(char *));
    out->nschemes = 0;
    for (char **v = list; *v; v++)
        out->schemes[out->nschemes++] = arena_strdup(a, *v);
}

static void put_settings(server_t *s, arena_t *a, request_t *m)
{
    AUTO(settings_unref_p) settings_t *settings = state_argo_settings(s->state);
    const struct tracking *t = settings_tracking(settings);
    struct repo_settings options;
    repo_options(s, a, &options);
    m->source_types = options.types;
    m->kustomize_options = options.kustomize;
    m->values_file_schemes = options.schemes;
    m->n_values_file_schemes = options.nschemes;
    m->app_label_key = arena_strdup(a, str_empty(t->label_key) ? LABEL_INSTANCE_DEFAULT : t->label_key);
    m->tracking_method = arena_strdup(a, tracking_method_name(t->method));
    m->installation_id = arena_strdup(a, str_or_empty(t->installation_id));
}

/* What the destination's cluster serves, as far as the controller has told. */
static void put_cluster(server_t *s, arena_t *a, const json_t *app, request_t *m)
{
    AUTO(free_p) char *server = NULL, *name = NULL, *project = NULL;
    AUTO_JSON info = NULL;
    if (state_resolve_destination(s->state, json_at(app, "spec", "destination"), &server, &name, &project,
                                  NULL) < 0 ||
        backend_cluster_info(s, server, &info, NULL) < 0)
        return;
    m->kube_version = message_text(a, info, "serverVersion");
    m->api_versions = texts(a, json_object_get(info, "apiVersions"), &m->n_api_versions);
}

static void fill(server_t *s, arena_t *a, const struct manifest_query *q, request_t *m)
{
    const json_t *app = q->app;
    const char *url = str_or_empty(json_str_at(q->source, "repoURL")), *project = app_project(app);
    AUTO_JSON helm = state_helm_repos(s->state, project, str_has_prefix(url, "oci://"));
    AUTO_JSON creds = state_helm_creds(s->state);
    AUTO(free_p) char *instance = instance_name(object_namespace(app), object_name(app), s->flags->ns);
    m->repo = repo_message(s, a, url, project);
    m->revision = arena_strdup(a, str_or_empty(q->revision));
    repo_bytes(a, q->source, &m->source);
    m->no_cache = q->no_cache;
    m->app_name = arena_strdup(a, instance);
    m->namespace_ = message_text(a, json_at(app, "spec", "destination"), "namespace");
    m->helm_repos = messages_of_repos(a, helm, &m->n_helm_repos);
    m->helm_repo_creds = messages_of_repos(a, creds, &m->n_helm_repo_creds);
    m->has_multiple_sources = app_multi_source(app);
    m->project_name = arena_strdup(a, project);
    m->project_source_repos = texts(a, json_at(q->project, "spec", "sourceRepos"),
                                    &m->n_project_source_repos);
    m->manifest_generate_paths = message_text(a, json_at(app, "metadata", "annotations"),
                                              ANNOTATION_GENERATE_PATHS);
    put_refs(s, a, app, m);
    put_settings(s, a, m);
    put_cluster(s, a, app, m);
}

int repo_ask(server_t *s, const char *url, const char *method, const ProtobufCMessage *in,
             const ProtobufCMessageDescriptor *type, void *out, err_t **err)
{
    ProtobufCMessage *reply = NULL;
    if (!s->repo)
        return err_set(err, ERR_UNAVAILABLE, "no repository server is configured");
    int rc = rpc_replicas_do(s->repo, url, method, in, type, s->flags->repo_timeout_ns, NULL, &reply, err);
    if (rc == 0)
        *(void **)out = reply;
    return rc;
}

static json_t *answer_of(const Cargocd__Repo__GenerateManifestResponse *r)
{
    json_t *o = json_object(), *list = json_array();
    for (size_t i = 0; i < r->n_manifests; i++)
        json_array_append_new(list, json_stringn((const char *)r->manifests[i].data, r->manifests[i].len));
    json_object_set_new(o, "manifests", list);
    json_put_str(o, "revision", r->revision);
    json_put_str(o, "sourceType", r->source_type);
    return o;
}

int backend_manifests(server_t *s, const struct manifest_query *q, json_t **out, err_t **err)
{
    AUTO(arena_free_p) arena_t *a = arena_new();
    request_t m;
    Cargocd__Repo__GenerateManifestResponse *reply = NULL;
    cargocd__repo__generate_manifest_request__init(&m);
    fill(s, a, q, &m);
    int rc = repo_ask(s, m.repo->url, "repo.GenerateManifest", &m.base,
                      &cargocd__repo__generate_manifest_response__descriptor, &reply, err);
    if (rc < 0)
        return rc;
    *out = answer_of(reply);
    cargocd__repo__generate_manifest_response__free_unpacked(reply, NULL);
    return 0;
}

/* ---- revisions ---- */

int backend_resolve_revision(server_t *s, const json_t *app, const json_t *source, const char *revision,
                             char **commit, char **display, err_t **err)
{
    AUTO(arena_free_p) arena_t *a = arena_new();
    Cargocd__Repo__ResolveRevisionRequest m = CARGOCD__REPO__RESOLVE_REVISION_REQUEST__INIT;
    Cargocd__Repo__ResolveRevisionResponse *reply = NULL;
    const char *url = str_or_empty(json_str_at(source, "repoURL"));
    m.repo = repo_message(s, a, url, app_project(app));
    repo_bytes(a, source, &m.source);
    m.ambiguous_revision = arena_strdup(a, revision);
    m.no_revision_cache = true;
    int rc = repo_ask(s, url, "repo.ResolveRevision", &m.base,
                      &cargocd__repo__resolve_revision_response__descriptor, &reply, err);
    if (rc < 0)
        return rc;
    *commit = xstrdup(reply->revision);
    *display = xstrdup(*reply->ambiguous_revision ? reply->ambiguous_revision : reply->revision);
    cargocd__repo__resolve_revision_response__free_unpacked(reply, NULL);
    return 0;
}

int backend_test_repo(server_t *s, const char *url, const char *project, err_t **err)
{
    AUTO(arena_free_p) arena_t *a = arena_new();
    Cargocd__Repo__TestRepositoryRequest m = CARGOCD__REPO__TEST_REPOSITORY_REQUEST__INIT;
    Cargocd__Repo__TestRepositoryResponse *reply = NULL;
    m.repo = repo_message(s, a, url, project);
    int rc = repo_ask(s, url, "repo.TestRepository", &m.base,
                      &cargocd__repo__test_repository_response__descriptor, &reply, err);
    cargocd__repo__test_repository_response__free_unpacked(reply, NULL);
    return rc;
}
