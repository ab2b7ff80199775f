/* AppDetails. */
#include "common/base/map.h"
#include "repo-server/details.h"
#include "repo-server/repo.h"

typedef Cargocd__Repo__AppDetailsRequest message_t;

static void free_json(void *p)
{
    json_decref(p);
}

static int make_details(struct request *q, struct opened *o, json_t **out, err_t **err)
{
    const message_t *m = (const message_t *)q->in;
    const json_t *source = q->data;
    const Cargocd__Repo__SourceTypes *types = m->source_types;
    AUTO(tree_free_p) tree_t *tree = opened_tree(o, NULL);
    /* No namespace and no project: the form asks before there is an application. */
    struct build_env env = {
        .app_name = m->app_name,
        .revision = q->targets.v[0].commit,
        .repo_url = json_str_at(source, "repoURL"),
        .path = json_str_at(source, "path"),
        .target_revision = json_str_at(source, "targetRevision"),
    };
    struct render_input in = {
        .tree = tree,
        .source = source,
        .env = &env,
        .settings = &q->repo->render_settings,
        .app_name = m->app_name,
        .helm_enabled = !types || types->helm,
        .kustomize_enabled = !types || types->kustomize,
        .directory_enabled = !types || types->jsonnet,
        .kustomize_build_options = m->kustomize_options ? m->kustomize_options->build_options : NULL,
        .deadline = mono_after(mono_now(), 2 * q->repo->options.exec_timeout_ns),
        .canceled = rpc_call_canceled(q->call),
    };
    return details_of(&in, out, err);
}

static void details(void *arg)
{
    struct request *q = arg;
    struct opened o;
    AUTO_JSON doc = NULL;
    AUTO_ERR err = NULL;
    int r = target_open(q->repo, &q->targets.v[0], &o, &err);
    if (r == 0)
        r = make_details(q, &o, &doc, &err);
    if (r == -ERR_DATA_LOSS && o.lease)
        git_lease_corrupt(o.lease);
    opened_close(&o);
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
    if (r < 0)
        request_fail(q, err);
    else
        request_go(q);
}
