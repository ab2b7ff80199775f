#include "app-controller/repo_message.h"
#include "common/argo/project.h"
#include "common/argo/app.h"
#include "proto/repo_message.h"

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
        t->repo = message_of_repo(a, repo);
        t->target_revision = message_text(a, s, "targetRevision");
        t->chart = message_text(a, s, "chart");
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
    kube_api_t *api = cluster_api(in->cluster);
    m->repo = message_of_repo(a, repo);
    m->source.data = (uint8_t *)arena_strdup(a, source_text);
    m->source.len = strlen(source_text);
    m->no_cache = in->no_cache;
    m->no_revision_cache = in->no_revision_cache;
    m->app_name = arena_strdup(a, app->instance);
    m->namespace_ = arena_strdup(a, str_or_empty(json_str_at(in->doc, "spec", "destination", "namespace")));
    m->kube_version = arena_strdup(a, version);
    m->api_versions = texts_of(a, kube_api_versions(api), &m->n_api_versions);
    kube_api_unref(api);
    m->helm_repos = messages_of_repos(a, helm, &m->n_helm_repos);
    m->helm_repo_creds = messages_of_repos(a, creds, &m->n_helm_repo_creds);
    m->has_multiple_sources = app_multi_source(in->doc);
    m->project_name = arena_strdup(a, project);
    m->manifest_generate_paths = arena_strdup(
        a, str_or_empty(json_str_at(in->doc, "metadata", "annotations", ANNOTATION_GENERATE_PATHS)));
    put_refs(a, ctl, in, m);
    put_settings(a, in->settings, m);
    AUTO_JSON integrity = ctl->options.gpg ? project_source_integrity(in->project) : NULL;
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
