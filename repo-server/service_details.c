/* AppDetails. */
#include "common/base/map.h"
#include "repo-server/details.h"
#include "repo-server/repo.h"

typedef Cargocd__Repo__AppDetailsRequest message_t;

static void free_json(void *p)
{
    json_decref(p);
}

/* The trees of a request, opened for this thread: its source and the references. */
struct details_trees {
    VEC(struct opened) opened;
    VEC(tree_t *) trees;
    VEC(struct render_ref) refs;
};

static int open_trees(struct request *q, struct details_trees *t, err_t **err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < q->targets.n; i++)
        r = target_open(q->repo, &q->targets.v[i], VEC_ADD(&t->opened), err);
    /* Trees refer to what was opened, which stays in its place from here on. */
    for (size_t i = 0; r == 0 && i < q->targets.n; i++) {
        VEC_PUSH(&t->trees, opened_tree(&t->opened.v[i], NULL));
        if (i > 0)
            VEC_PUSH(&t->refs, (struct render_ref){q->targets.v[i].name, t->trees.v[i]});
    }
    return r;
}

static void close_trees(struct details_trees *t, bool corrupt)
{
    VEC_FOREACH(&t->trees, tree)
        tree_free(*tree);
    VEC_FOREACH(&t->opened, o) {
        if (corrupt && o->lease)
            git_lease_corrupt(o->lease);
        opened_close(o);
    }
    VEC_FREE(&t->trees);
    VEC_FREE(&t->opened);
    VEC_FREE(&t->refs);
}

static int make_details(struct request *q, const struct details_trees *t, json_t **out, err_t **err)
{
    const message_t *m = (const message_t *)q->in;
    const json_t *source = q->data;
    const Cargocd__Repo__SourceTypes *types = m->source_types;
    /* No namespace and no project: the form asks before there is an application. */
    struct build_env env = {
        .app_name = m->app_name,
        .revision = q->targets.v[0].commit,
        .repo_url = json_str_at(source, "repoURL"),
        .path = json_str_at(source, "path"),
        .target_revision = json_str_at(source, "targetRevision"),
    };
    AUTO(free_p) char **schemes = xcalloc(m->n_values_file_schemes + 1, sizeof(*schemes));
    if (m->n_values_file_schemes)
        memcpy(schemes, m->values_file_schemes, m->n_values_file_schemes * sizeof(*schemes));
    const Cargocd__Repo__KustomizeOptions *k = m->kustomize_options;
    size_t nversions = k ? k->n_versions : 0;
    AUTO(free_p) struct kustomize_version *versions = xcalloc(nversions + 1, sizeof(*versions));
    for (size_t i = 0; i < nversions; i++)
        versions[i] = (struct kustomize_version){k->versions[i]->name, k->versions[i]->path};
    struct render_input in = {
        .kustomize_versions = versions,
        .nkustomize_versions = nversions,
        .tree = t->trees.v[0],
        .source = source,
        .env = &env,
        .settings = &q->repo->render_settings,
        .app_name = m->app_name,
        .helm_enabled = !types || types->helm,
        .kustomize_enabled = !types || types->kustomize,
        .directory_enabled = !types || types->jsonnet,
        .kustomize_build_options = m->kustomize_options ? m->kustomize_options->build_options : NULL,
        .origin = q->targets.v[0].origin,
        .git = &q->repo->options.git,
        .proxy = m->repo->proxy,
        .no_proxy = m->repo->no_proxy,
        .access_key = target_access(&q->targets.v[0]),
        .value_schemes = m->n_values_file_schemes ? schemes : NULL,
        .refs = t->refs.v,
        .nrefs = t->refs.n,
        .multi_source = m->n_ref_sources > 0,
        .deadline = mono_after(mono_now(), 2 * q->repo->options.exec_timeout_ns),
        .canceled = rpc_call_canceled(q->call),
    };
    return details_of(&in, out, err);
}

static void details(void *arg)
{
    struct request *q = arg;
    struct details_trees t = {};
    AUTO_JSON doc = NULL;
    AUTO_ERR err = NULL;
    int r = open_trees(q, &t, &err);
    if (r == 0)
        r = make_details(q, &t, &doc, &err);
    close_trees(&t, r == -ERR_DATA_LOSS);
    if (r == -ERR_DATA_LOSS && request_again(q))
        return;
    if (r < 0) {
        request_fail(q, err);
        return;
    }
    AUTO(free_p) char *text = json_text(doc, JSON_GO);
    Cargocd__Repo__AppDetailsResponse out = CARGOCD__REPO__APP_DETAILS_RESPONSE__INIT;
    out.details = (ProtobufCBinaryData){strlen(text), (uint8_t *)text};
    request_reply(q, &out.base);
}

/* The tool pool: a kustomization's images are known only when it is built. */
static void details_ready(struct request *q)
{
    AUTO_ERR err = NULL;
    if (pool_submit(q->repo->tool_pool, details, q, &err) < 0)
        request_fail(q, err);
}

/* The references that values are taken from. */
static int add_refs(struct request *q, const message_t *m, const json_t *source, err_t **err)
{
    const json_t *files = json_at(source, "helm", "valueFiles");
    AUTO(free_p) char **names = xcalloc(m->n_ref_sources + 1, sizeof(*names));
    for (size_t k = 0; k < m->n_ref_sources; k++)
        names[k] = m->ref_sources[k]->key;
    int r = source_check_refs(names, m->n_ref_sources, err);
    for (size_t k = 0; r == 0 && k < m->n_ref_sources; k++) {
        const char *name = m->ref_sources[k]->key;
        const Cargocd__Repo__RefTarget *t = m->ref_sources[k]->value;
        bool used = false;
        for (size_t i = 0; i < json_array_size(files); i++) {
            const char *text = str_or_empty(json_string_value(json_array_get(files, i)));
            used = used || (str_has_prefix(text, name) && strcspn(text, "/") == strlen(name));
        }
        if (used && t && str_empty(t->chart))
            r = request_target(q, name, t->repo, t->target_revision, NULL, m->no_revision_cache, err);
    }
    return r;
}

void serve_app_details(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    const message_t *m = (const message_t *)in;
    struct request *q = request_new(ctx, call, in, "AppDetails", details_ready);
    json_t *source = NULL;
    AUTO_ERR err = NULL;
    int r = message_source(&m->source, &source, &err);
    q->data = source;
    q->data_free = free_json;
    if (r == 0)
        r = request_source(q, m->repo, source, str_or_empty(json_str_at(source, "targetRevision")),
                           m->no_revision_cache, m->no_cache, &err);
    if (r == 0)
        r = add_refs(q, m, source, &err);
    if (r < 0)
        request_fail(q, err);
    else
        request_go(q);
}
