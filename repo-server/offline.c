#include "repo-server/offline.h"
#include "common/argo/app.h"
#include "common/argo/giturl.h"
#include "common/argo/tracking.h"
#include "common/base/file.h"
#include "common/net/rpc.h"
#include "proto/rpc/repo.pb-c.h"
#include "repo-server/manager.h"

#include <nng/nng.h>
#include <unistd.h>

enum { TIMEOUT_S = 600 };
#define CONTROL_NAMESPACE "argocd"

struct offline {
    const struct offline_options *options;
    char *dir, *root, *address, *local_url;
    repo_t *repo;
    rpc_server_t *server;
    rpc_client_t *client;
    struct repo_options repo_options;
};

/* ---- the server ---- */

static void set_options(struct offline *o)
{
    const struct offline_options *p = o->options;
    o->repo_options = (struct repo_options){
        .root = o->root,
        .git = {.tls_dir = p->tls_dir,
                .ssh_dir = p->ssh_dir,
                .allow_file = true,
                .list_timeout_ns = SECONDS(60),
                .fetch_timeout_ns = SECONDS(TIMEOUT_S),
                .fatal_timeout_ns = SECONDS(5),
                .attempts = 1},
        .revision_ttl_ns = SECONDS(TIMEOUT_S),
        .cache_ttl_ns = SECONDS(TIMEOUT_S),
        .max_directory_bytes = 10 * 1000 * 1000,
        .max_chart = 1000 * 1000 * 1000,
        .max_oci = 1000 * 1000 * 1000,
        .helm = p->helm,
        .kustomize = p->kustomize,
        .kubectl = p->kubectl,
        .exec_timeout_ns = SECONDS(90),
        .exec_max_memory = (uint64_t)8 << 30,
    };
}

static int start(struct offline *o, err_t **err)
{
    int r = dir_make_temp(NULL, "cargocd-render-", &o->dir, err);
    if (r < 0)
        return r;
    o->root = xasprintf("%s/root", o->dir);
    o->address = xasprintf("ipc://%s/rpc", o->dir);
    set_options(o);
    rpc_setup();
    r = repo_new(&o->repo_options, &o->repo, err);
    struct rpc_server_options so = {.name = "repo", .address = o->address, .ctx = o->repo, .max_calls = 100};
    if (r == 0) {
        so.methods = repo_methods(o->repo, &so.nmethods);
        r = rpc_server_start(&so, &o->server, err);
    }
    if (r == 0)
        r = rpc_client_new(&(struct rpc_client_options){.address = o->address}, &o->client, err);
    return r;
}

static void stop(struct offline *o)
{
    rpc_client_free(o->client);
    rpc_server_free(o->server, SECONDS(1));
    repo_free(o->repo);
    nng_fini();
    if (o->dir)
        dir_remove(o->dir, NULL);
    free(o->dir);
    free(o->root);
    free(o->address);
    free(o->local_url);
}

/* ---- the local directory ---- */

static bool is_git_url(const json_t *source)
{
    return str_empty(json_str_at(source, "chart")) &&
           !str_has_prefix(str_or_empty(json_str_at(source, "repoURL")), "oci://");
}

/* The URL of the repository that the directory stands for. */
static const char *local_repository(const json_t *sources)
{
    for (size_t i = 0; i < json_array_size(sources); i++)
        if (is_git_url(json_array_get(sources, i)))
            return json_str_at(json_array_get(sources, i), "repoURL");
    return NULL;
}

static int prepare_local(struct offline *o, const json_t *sources, err_t **err)
{
    const struct offline_options *p = o->options;
    if (!p->local)
        return 0;
    if (!local_repository(sources))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a local directory stands for a Git repository, and no source has one");
    if (p->revision) { /* a commit of it, as it is */
        AUTO(free_p) char *real = realpath(p->local, NULL);
        if (!real)
            return err_set(err, ERR_NOT_FOUND, "%s: no such directory", p->local);
        o->local_url = xasprintf("file://%s", real);
        return 0;
    }
    AUTO(free_p) char *to = xasprintf("%s/local.git", o->dir);
    o->local_url = xasprintf("file://%s", to);
    return offline_import(p->local, to, err);
}

/* Where a source is read from, and at which revision. */
struct place {
    const char *url, *revision;
};

static struct place place_of(const struct offline *o, const json_t *sources, const json_t *source)
{
    const char *url = str_or_empty(json_str_at(source, "repoURL")), *revision = NULL;
    const char *local = o->local_url ? local_repository(sources) : NULL;
    if (source == json_array_get(sources, 0))
        revision = o->options->revision;
    if (local && is_git_url(source) && giturl_same(url, local)) {
        url = o->local_url;
        revision = o->options->revision ? o->options->revision : "local";
    }
    revision = revision ? revision : json_str_at(source, "targetRevision");
    return (struct place){url, str_or_empty(revision)};
}

/* ---- asking ---- */

typedef Cargocd__Repo__GenerateManifestRequest request_t;
typedef Cargocd__Repo__GenerateManifestRequest__RefSourcesEntry ref_entry_t;

/* The other sources that this one may refer to. */
struct lent {
    Cargocd__Repo__Repository repo;
    Cargocd__Repo__RefTarget target;
    ref_entry_t entry;
    char *key;
};

static size_t lend(const struct offline *o, const json_t *sources, struct lent *lent, ref_entry_t **entries)
{
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(sources); i++) {
        const json_t *s = json_array_get(sources, i);
        const char *ref = json_str_at(s, "ref");
        struct place p = place_of(o, sources, s);
        struct lent *l = &lent[n];
        if (str_empty(ref))
            continue;
        cargocd__repo__repository__init(&l->repo);
        cargocd__repo__ref_target__init(&l->target);
        cargocd__repo__generate_manifest_request__ref_sources_entry__init(&l->entry);
        l->key = xasprintf("$%s", ref);
        l->repo.url = (char *)p.url;
        l->target.repo = &l->repo;
        l->target.target_revision = (char *)p.revision;
        l->target.chart = (char *)str_or_empty(json_str_at(s, "chart"));
        l->entry.key = l->key;
        l->entry.value = &l->target;
        entries[n++] = &l->entry;
    }
    return n;
}

static void keep(struct offline_result *out, const Cargocd__Repo__GenerateManifestResponse *r)
{
    for (size_t i = 0; i < r->n_manifests; i++)
        VEC_PUSH(&out->manifests, xstrndup((const char *)r->manifests[i].data, r->manifests[i].len));
    for (size_t i = 0; i < r->n_warnings; i++)
        VEC_PUSH(&out->warnings, xstrdup(r->warnings[i]));
}

static int ask(struct offline *o, const json_t *sources, const json_t *source, struct offline_result *out,
               err_t **err)
{
    const struct offline_options *p = o->options;
    const json_t *app = p->app;
    struct place place = place_of(o, sources, source);
    size_t n = json_array_size(sources);
    AUTO(free_p) char *text = json_text(source, JSON_KEEP_ORDER);
    AUTO(free_p)
    char *name = instance_name(json_str_at(app, "metadata", "namespace"),
                               json_str_at(app, "metadata", "name"), CONTROL_NAMESPACE);
    struct lent *lent = xcalloc(n + 1, sizeof(*lent));
    AUTO(free_p) ref_entry_t **entries = xcalloc(n + 1, sizeof(ref_entry_t *));
    Cargocd__Repo__Repository repo = CARGOCD__REPO__REPOSITORY__INIT;
    request_t q = CARGOCD__REPO__GENERATE_MANIFEST_REQUEST__INIT;
    ProtobufCMessage *reply = NULL;
    repo.url = (char *)place.url;
    q.repo = &repo;
    q.revision = (char *)place.revision;
    q.source = (ProtobufCBinaryData){strlen(text), (uint8_t *)text};
    q.app_name = name;
    q.app_label_key = (char *)"app.kubernetes.io/instance";
    q.namespace_ = (char *)str_or_empty(json_str_at(app, "spec", "destination", "namespace"));
    q.project_name = (char *)app_project(app);
    q.kube_version = (char *)str_or_empty(p->kube_version);
    q.api_versions = (char **)p->api_versions;
    q.n_api_versions = p->api_versions ? strv_len(p->api_versions) : 0;
    q.has_multiple_sources = app_multi_source(app);
    q.n_ref_sources = lend(o, sources, lent, entries);
    q.ref_sources = entries;
    int r = rpc_do(o->client, "repo.GenerateManifest", &q.base,
                   &cargocd__repo__generate_manifest_response__descriptor, SECONDS(TIMEOUT_S), NULL, &reply,
                   err);
    if (r == 0)
        keep(out, (const Cargocd__Repo__GenerateManifestResponse *)reply);
    protobuf_c_message_free_unpacked(reply, NULL);
    for (size_t i = 0; i < n; i++)
        free(lent[i].key);
    free(lent);
    return r;
}

static int check(const json_t *app, err_t **err)
{
    if (!str_eq(json_str_at(app, "kind"), "Application") || str_empty(json_str_at(app, "metadata", "name")))
        return err_set(err, ERR_INVALID_ARGUMENT, "not an Application with a name");
    return 0;
}

int offline_render(const struct offline_options *options, struct offline_result *out, err_t **err)
{
    struct offline o = {.options = options};
    AUTO_JSON sources = app_sources(options->app);
    int r = check(options->app, err);
    if (r == 0 && !json_array_size(sources))
        r = err_set(err, ERR_INVALID_ARGUMENT, "the application has no source");
    if (r < 0)
        return r;
    r = start(&o, err);
    if (r == 0)
        r = prepare_local(&o, sources, err);
    for (size_t i = 0; r == 0 && i < json_array_size(sources); i++)
        r = ask(&o, sources, json_array_get(sources, i), out, err);
    stop(&o);
    return r;
}

void offline_result_dispose(struct offline_result *r)
{
    VEC_FOREACH(&r->manifests, m)
        free(*m);
    VEC_FOREACH(&r->warnings, w)
        free(*w);
    VEC_FREE(&r->manifests);
    VEC_FREE(&r->warnings);
}
