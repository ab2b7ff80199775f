/* From a GenerateManifest message to what renderers take. */
#include "repo-server/repo.h"

typedef Cargocd__Repo__GenerateManifestRequest message_t;

/* "https://host:8443/x", "host/x": the authorities to trust there. */
static const char *authorities(struct scope *s, const char *url)
{
    if (!s->trace) /* nothing is going to be fetched */
        return NULL;
    const char *sep = strstr(url, "://"), *host = sep ? sep + 3 : url;
    AUTO(free_p) char *name = xstrndup(host, strcspn(host, ":/"));
    char *text = remote_authorities(s->q->repo->options.git.tls_dir, name);
    VEC_PUSH(&s->authorities, text);
    return text;
}

static struct render_repo to_repo(struct scope *s, const Cargocd__Repo__Repository *m)
{
    return (struct render_repo){
        .url = m->url,
        .name = m->name,
        .type = m->type,
        .username = m->username,
        .password = m->password,
        .ca_pem = authorities(s, m->url),
        .tls_client_cert = m->tls_client_cert,
        .tls_client_key = m->tls_client_key,
        .insecure = m->insecure,
        .enable_oci = m->enable_oci,
        .azure = m->use_azure_workload_identity,
        .plain_http = m->insecure_oci_force_http,
    };
}

static int cmp_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Borrowed texts in an array of our own, terminated. */
static char **list_of(char **texts, size_t n, bool sorted)
{
    char **list = xcalloc(n + 1, sizeof(*list));
    for (size_t i = 0; i < n; i++)
        list[i] = texts[i];
    if (sorted && n > 1)
        qsort(list, n, sizeof(*list), cmp_texts);
    return list;
}

static void fill_lists(struct scope *s, const message_t *m)
{
    for (size_t i = 0; i < m->n_helm_repos; i++)
        VEC_PUSH(&s->helm_repos, to_repo(s, m->helm_repos[i]));
    for (size_t i = 0; i < m->n_helm_repo_creds; i++)
        VEC_PUSH(&s->helm_repo_creds, to_repo(s, m->helm_repo_creds[i]));
    const Cargocd__Repo__KustomizeOptions *k = m->kustomize_options;
    for (size_t i = 0; k && i < k->n_versions; i++)
        VEC_PUSH(&s->versions, (struct kustomize_version){k->versions[i]->name, k->versions[i]->path});
    s->api_versions = list_of(m->api_versions, m->n_api_versions, true);
    AUTO(free_p) char **refs = xcalloc(m->n_ref_sources + 1, sizeof(*refs));
    for (size_t i = 0; i < m->n_ref_sources; i++)
        refs[i] = m->ref_sources[i]->key;
    s->ref_names = list_of(refs, m->n_ref_sources, true);
    s->project_repos = m->n_project_source_repos
                           ? list_of(m->project_source_repos, m->n_project_source_repos, false)
                           : NULL;
    s->schemes = m->n_values_file_schemes ? list_of(m->values_file_schemes, m->n_values_file_schemes, false)
                                          : NULL;
}

static void fill_input(struct scope *s, const message_t *m, const json_t *source)
{
    const struct request *q = s->q;
    const Cargocd__Repo__SourceTypes *types = m->source_types;
    s->env = (struct build_env){
        .app_name = m->app_name,
        .namespace = m->namespace_,
        .project = m->project_name,
        .revision = q->targets.v[0].streamed ? "streamed" : q->targets.v[0].commit,
        .repo_url = json_str_at(source, "repoURL"),
        .path = json_str_at(source, "path"),
        .target_revision = json_str_at(source, "targetRevision"),
    };
    s->in = (struct render_input){
        .trace = s->trace,
        .source = source,
        .env = &s->env,
        .settings = &q->repo->render_settings,
        .app_name = m->app_name,
        .namespace = m->namespace_,
        .tracking = {tracking_method_parse(m->tracking_method), m->app_label_key, m->installation_id},
        .kube_version = m->kube_version,
        .api_versions = s->api_versions,
        .helm_enabled = !types || types->helm,
        .kustomize_enabled = !types || types->kustomize,
        .directory_enabled = !types || types->jsonnet,
        .generate_paths = m->manifest_generate_paths,
        .kustomize_build_options = m->kustomize_options ? m->kustomize_options->build_options : NULL,
        .kustomize_versions = s->versions.v,
        .nkustomize_versions = s->versions.n,
        .value_schemes = s->schemes,
        .helm_repos = s->helm_repos.v,
        .nhelm_repos = s->helm_repos.n,
        .helm_repo_creds = s->helm_repo_creds.v,
        .nhelm_repo_creds = s->helm_repo_creds.n,
        .origin = q->targets.v[0].origin,
        .git = &q->repo->options.git,
        .proxy = m->repo->proxy,
        .no_proxy = m->repo->no_proxy,
        .insecure = m->repo->insecure,
        .access_key = target_access(&q->targets.v[0]),
        .project = m->project_name,
        .project_repos = s->project_repos,
        .multi_source = m->has_multiple_sources,
        .ref_names = s->ref_names,
        .deadline = rpc_call_deadline(q->call),
        .canceled = rpc_call_canceled(q->call),
    };
}

static void make_trees(struct scope *s)
{
    const struct request *q = s->q;
    for (size_t i = 0; i < s->nopened; i++) {
        const char *name = q->targets.v[i].name;
        tree_t *tree = opened_tree(&s->opened[i], trace_root(s->trace, name));
        VEC_PUSH(&s->trees, tree);
        if (i > 0)
            VEC_PUSH(&s->refs, (struct render_ref){name, tree});
    }
    s->in.tree = s->trees.v[0];
    s->in.refs = s->refs.v;
    s->in.nrefs = s->refs.n;
}

int scope_open(struct scope *s, struct request *q, trace_t *trace, err_t **err)
{
    const struct generate *g = q->data;
    *s = (struct scope){.q = q, .trace = trace};
    fill_lists(s, (const message_t *)q->in);
    fill_input(s, (const message_t *)q->in, g->source);
    int r = 0;
    s->opened = xcalloc(q->targets.n + 1, sizeof(*s->opened));
    for (; r == 0 && s->nopened < q->targets.n; s->nopened++)
        r = target_open(q->repo, &q->targets.v[s->nopened], &s->opened[s->nopened], err);
    if (r == 0 && trace)
        make_trees(s);
    return r;
}

void scope_close(struct scope *s)
{
    VEC_FOREACH(&s->trees, t)
        tree_free(*t);
    VEC_FREE(&s->trees);
    for (size_t i = 0; i < s->nopened; i++)
        opened_close(&s->opened[i]);
    free(s->opened);
    VEC_FREE(&s->refs);
    VEC_FOREACH(&s->authorities, text)
        free(*text);
    VEC_FREE(&s->authorities);
    VEC_FREE(&s->helm_repos);
    VEC_FREE(&s->helm_repo_creds);
    VEC_FREE(&s->versions);
    free(s->api_versions);
    free(s->schemes);
    free(s->project_repos);
    free(s->ref_names);
    free(s->fact);
}

void scope_corrupt(struct scope *s)
{
    for (size_t i = 0; i < s->nopened; i++)
        if (s->opened[i].lease) /* packs are made again anyway */
            git_lease_corrupt(s->opened[i].lease);
}

/* ---- the world that traces are checked against ---- */

static tree_backend_t *world_tree(void *arg, const char *role)
{
    struct scope *s = arg;
    for (size_t i = 0; i < s->nopened; i++)
        if (str_eq(s->q->targets.v[i].name, role))
            return s->opened[i].backend;
    return NULL;
}

static char *names_of_plugins(const repo_t *r)
{
    AUTO(strv_free_p) char **names = plugin_names(r->render_settings.plugins);
    return strv_join(names, ",");
}

static const char *world_fact(void *arg, enum trace_fact kind, const char *name)
{
    struct scope *s = arg;
    switch (kind) {
    case FACT_ENV:
        free(s->fact);
        return s->fact = build_env_get(&s->env, name);
    case FACT_KUBE_VERSION:
        return s->in.kube_version;
    case FACT_API_VERSION:
        return strv_contains(s->api_versions, name) ? "true" : "false";
    case FACT_API_VERSIONS:
        free(s->fact);
        return s->fact = strv_join(s->api_versions, ",");
    case FACT_TOOL:
        free(s->fact);
        return s->fact = str_eq(name, "plugins") ? names_of_plugins(s->q->repo)
                                                 : tools_version(s->q->repo->tools, name);
    case FACT_OPTION:
        free(s->fact);
        return s->fact = render_option(&s->in, name);
    case FACT_CREDENTIAL:
        free(s->fact);
        return s->fact = render_credential(&s->in, name);
    case FACT_EXPIRES:
    case FACT_KINDS:
        break;
    }
    return NULL;
}

struct trace_world scope_world(struct scope *s)
{
    return (struct trace_world){s, world_tree, world_fact, wall_now().ns / NS_PER_SEC};
}
