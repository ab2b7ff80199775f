#include "repo-server/manager.h"
#include "common/base/file.h"
#include "repo-server/repo.h"

#include <sys/stat.h>
#include <unistd.h>

/* As Argo CD's names itself to chart repositories: rules of proxies and registries know it. */
#ifdef __aarch64__
#define USER_AGENT "argocd-repo-server/" CARGOCD_VERSION " (linux/arm64)"
#else
#define USER_AGENT "argocd-repo-server/" CARGOCD_VERSION " (linux/amd64)"
#endif

enum { LISTS = 16, FETCHES = 8, STEPS = 4, TOOL_RUNS = 8, QUEUE = 10000 };

static const double request_bounds[] = {.1, .25, .5, 1, 2, 4, 10, 20};
static const double wait_bounds[] = {.1, .25, .5, 1, 2, 4, 10, 20, 60, 120};

/* Names, labels and buckets are Argo CD's. */
static void make_metrics(metrics_t *m, struct repo_metrics *out)
{
    *out = (struct repo_metrics){
        .git_requests = metric_counter(m, "argocd_git_request_total",
                                       "Number of git requests performed by repo server",
                                       LABELS("repo", "request_type")),
        .git_durations = metric_histogram(m, "argocd_git_request_duration_seconds",
                                          "Git requests duration seconds.", request_bounds,
                                          ARRAY_LEN(request_bounds), LABELS("repo", "request_type")),
        .fetch_failures = metric_counter(m, "argocd_git_fetch_fail_total",
                                         "Number of git fetch requests failures by repo server",
                                         LABELS("repo", "revision")),
        .list_failures = metric_counter(m, "argocd_git_lsremote_fail_total",
                                        "Number of git ls-remote requests failures by repo server",
                                        LABELS("repo", "revision")),
        .oci_requests = metric_counter(m, "argocd_oci_request_total",
                                       "Number of OCI requests performed by repo server",
                                       LABELS("repo", "request_type")),
        .oci_durations = metric_histogram(m, "argocd_oci_request_duration_seconds",
                                          "OCI requests duration seconds.", request_bounds,
                                          ARRAY_LEN(request_bounds), LABELS("repo", "request_type")),
        .oci_failures = {metric_counter(m, "argocd_oci_extract_fail_total",
                                        "Number of OCI extract requests failures by repo server",
                                        LABELS("repo", "revision")),
                         metric_counter(m, "argocd_oci_resolve_revision_fail_total",
                                        "Number of OCI resolve revision requests failures by repo server",
                                        LABELS("repo", "revision")),
                         metric_counter(m, "argocd_oci_digest_metadata_fail_total",
                                        "Number of OCI digest metadata requests failures by repo server",
                                        LABELS("repo", "revision")),
                         metric_counter(m, "argocd_oci_get_tags_fail_total",
                                        "Number of OCI get tags requests failures by repo server",
                                        LABELS("repo")),
                         metric_counter(m, "argocd_oci_test_repo_fail_total",
                                        "Number of OCI test repo requests failures by repo server",
                                        LABELS("repo"))},
        .pending = metric_gauge(m, "argocd_repo_pending_request_total",
                                "Number of pending requests requiring repository lock", LABELS("repo")),
        .parallelism_wait = metric_histogram(m, "argocd_repo_parallelism_wait_duration_seconds",
                                             "Time that renderings waited for their turn, in seconds.",
                                             wait_bounds, ARRAY_LEN(wait_bounds), NULL),
        .started = metric_counter(m, "grpc_server_started_total",
                                  "Total number of RPCs started on the server.",
                                  LABELS("grpc_type", "grpc_service", "grpc_method")),
        .handled = metric_counter(
            m, "grpc_server_handled_total",
            "Total number of RPCs completed on the server, regardless of success or failure.",
            LABELS("grpc_type", "grpc_service", "grpc_method", "grpc_code")),
    };
}

static void write_cache_metrics(void *arg, str_t *out)
{
    repo_t *r = arg;
    struct cache_stats s;
    cache_stats(r->cache, &s);
    const struct {
        const char *name, *type, *help;
        double v;
    } rows[] = {
        {"cargocd_render_cache_bytes", "gauge", "Bytes of renderings kept in memory.", (double)s.bytes},
        {"cargocd_render_cache_candidates", "gauge", "Renderings kept in memory.", (double)s.candidates},
        {"cargocd_render_cache_hits_total", "counter", "Renderings found valid in memory.", (double)s.hits},
        {"cargocd_render_cache_redis_hits_total", "counter", "Renderings found valid in Redis.",
         (double)s.redis_hits},
        {"cargocd_render_cache_misses_total", "counter", "Renderings not found.", (double)s.misses},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        metrics_write_head(out, rows[i].name, rows[i].type, rows[i].help);
        metrics_write_sample(out, rows[i].name, NULL, NULL, rows[i].v);
    }
}

/* Directories of runs that a killed server left behind. */
static int prepare_root(repo_t *r, err_t **err)
{
    int e = dir_make(r->options.root, 0700, err);
    if (e == 0 && chmod(r->options.root, 0700) < 0)
        e = err_set(err, ERR_PERMISSION_DENIED, "%s: belongs to another user", r->options.root);
    r->scratch = xasprintf("%s/run", r->options.root);
    if (e == 0)
        e = dir_remove(r->scratch, err);
    if (e == 0)
        e = dir_make(r->scratch, 0700, err);
    return e;
}

static size_t processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > 16 ? 16 : (size_t)n;
}

static void make_pools(repo_t *r)
{
    const struct repo_options *o = &r->options;
    r->list_pool = pool_new("git-list", o->list_parallelism ? o->list_parallelism : LISTS, QUEUE);
    r->fetch_pool = pool_new("git-fetch", FETCHES, QUEUE);
    r->step_pool = pool_new("step", STEPS, QUEUE);
    r->render_pool = pool_new("render", o->parallelism ? o->parallelism : processors(), QUEUE);
    r->tool_pool = pool_new("tool", o->parallelism ? o->parallelism : TOOL_RUNS, QUEUE);
}

static int make_artifacts(repo_t *r, err_t **err)
{
    const struct repo_options *o = &r->options;
    AUTO(free_p) char *root = xasprintf("%s/artifacts", o->root);
    r->remote = (struct remote_settings){
        .http = r->http,
        .tls_dir = o->git.tls_dir,
        .user_agent = str_empty(o->user_agent) ? USER_AGENT : o->user_agent,
        .timeout_ns = o->exec_timeout_ns,
        .tokens = r->tokens,
    };
    struct artifacts_options options = {
        .root = root,
        .remote = r->remote,
        .pool = r->fetch_pool,
        .list_ttl_ns = o->revision_ttl_ns,
        .content_ttl_ns = o->cache_ttl_ns,
        .max_index = o->max_index ? o->max_index : (uint64_t)1 << 30,
        .max_chart = o->max_chart,
        .max_oci = o->max_oci,
        .layer_types = o->layer_types,
        .oci_requests = r->metrics.oci_requests,
        .oci_durations = r->metrics.oci_durations,
    };
    memcpy(options.oci_failures, r->metrics.oci_failures, sizeof(options.oci_failures));
    return artifacts_new(&options, &r->artifacts, err);
}

static int make_parts(repo_t *r, err_t **err)
{
    const struct repo_options *o = &r->options;
    r->http = http_new("network");
    r->tokens = tokens_new(&(struct tokens_options){.http = r->http, .max_age_ns = o->app_token_ns});
    r->options.git.tokens = r->tokens;
    r->gpg = gpg_new(&(struct gpg_options){
        .keys_dir = o->gpg_keys_dir, .scratch = r->scratch, .timeout_ns = o->exec_timeout_ns});
    struct git_store_options store = {
        .root = o->root,
        .settings = &r->options.git,
        .pool = r->fetch_pool,
        .requests = r->metrics.git_requests,
        .durations = r->metrics.git_durations,
        .failures = r->metrics.fetch_failures,
    };
    int e = git_store_new(&store, &r->store, err);
    if (e < 0)
        return e;
    r->lists = git_lists_new(&(struct git_lists_options){
        .settings = &r->options.git,
        .pool = r->list_pool,
        .ttl_ns = o->revision_ttl_ns,
        .requests = r->metrics.git_requests,
        .durations = r->metrics.git_durations,
        .failures = r->metrics.list_failures,
    });
    e = make_artifacts(r, err);
    if (e < 0)
        return e;
    const struct disk_owner owners[] = {{r->store, git_store_disk, git_store_evict},
                                        {r->artifacts, artifacts_disk, artifacts_evict}};
    r->disk = disk_new(&o->disk, o->root, owners, ARRAY_LEN(owners), o->metrics);
    r->tools = tools_new(&(struct tools_options){
        .helm = o->helm ? o->helm : "helm",
        .kustomize = o->kustomize ? o->kustomize : "kustomize",
        .kubectl = o->kubectl ? o->kubectl : "kubectl",
        .scratch = r->scratch,
        .timeout_ns = o->exec_timeout_ns,
        .max_memory = o->exec_max_memory,
        .max_output = 100 << 20,
    });
    r->cache = cache_new(&(struct cache_options){
        .max_bytes = o->cache_bytes, .redis = o->redis, .seal = o->seal, .ttl_ns = o->cache_ttl_ns});
    r->failures = failures_new(&o->pause);
    r->renders = flights_new(r->render_pool, &render_flight_ops, r);
    r->tool_runs = flights_new(r->tool_pool, &render_flight_ops, r);
    r->askpass = askpass_new(o->askpass_socket ? o->askpass_socket : ASKPASS_SOCKET);
    r->plugins = (struct plugin_settings){.dir = o->plugin_dir,
                                          .scratch = r->scratch,
                                          .exclusions = o->plugin_exclusions,
                                          .use_generate_paths = o->plugin_generate_paths,
                                          .chunk = o->plugin_chunk,
                                          .askpass = r->askpass};
    r->render_settings = (struct render_settings){.max_directory_bytes = o->max_directory_bytes,
                                                  .tools = r->tools,
                                                  .remote = &r->remote,
                                                  .plugins = o->plugin_dir ? &r->plugins : NULL,
                                                  .remote_ttl_ns = o->cache_ttl_ns};
    return 0;
}

#define IN(type) &cargocd__repo__##type##_request__descriptor

static void make_methods(repo_t *r)
{
    const struct rpc_method table[] = {
        {"repo.GenerateManifest", IN(generate_manifest), serve_generate_manifest, r->step_pool},
        {"repo.TestRepository", IN(test_repository), serve_test_repository, r->step_pool},
        {"repo.ResolveRevision", IN(resolve_revision), serve_resolve_revision, r->step_pool},
        {"repo.ResolveMany", IN(resolve_many), serve_resolve_many, r->step_pool},
        {"repo.ListRefs", IN(list_refs), serve_list_refs, r->step_pool},
        {"repo.RevisionMetadata", IN(revision_metadata), serve_revision_metadata, r->step_pool},
        {"repo.ListApps", IN(list_apps), serve_list_apps, r->step_pool},
        {"repo.GetFiles", IN(get_files), serve_get_files, r->step_pool},
        {"repo.GetDirectories", IN(get_directories), serve_get_directories, r->step_pool},
        {"repo.AppDetails", IN(app_details), serve_app_details, r->step_pool},
        {"repo.GenerateManifestWithFiles", IN(generate_manifest_with_files), serve_generate_with_files,
         r->step_pool},
        {"repo.UpdateRevisionForPaths", IN(update_revision_for_paths), serve_update_revision, r->step_pool},
        {"repo.HelmCharts", IN(helm_charts), serve_helm_charts, r->step_pool},
        {"repo.ListOciTags", IN(list_refs), serve_list_oci_tags, r->step_pool},
        {"repo.ChartDetails", IN(chart_details), serve_chart_details, r->step_pool},
        {"repo.OciMetadata", IN(chart_details), serve_oci_metadata, r->step_pool},
        {"repo.ListPlugins", IN(list_plugins), serve_list_plugins, r->step_pool},
    };
    r->methods = xmemdup(table, sizeof(table));
    r->nmethods = ARRAY_LEN(table);
}

int repo_new(const struct repo_options *options, repo_t **out, err_t **err)
{
    repo_t *r = xcalloc(1, sizeof(*r));
    r->options = *options;
    r->options.git.stop = &r->stop;
    make_metrics(options->metrics, &r->metrics);
    int e = prepare_root(r, err);
    make_pools(r);
    if (e == 0)
        e = make_parts(r, err);
    if (e < 0) {
        repo_free(r);
        return e;
    }
    make_methods(r);
    if (options->metrics)
        metrics_on_write(options->metrics, write_cache_metrics, r);
    *out = r;
    return 0;
}

void repo_free(repo_t *r)
{
    if (!r)
        return;
    r->stop = true;
    /* Work flows from steps to lists, fetches, renderings and back to steps; all of it has ended with the
     * last call. */
    pool_free(r->list_pool);
    pool_free(r->fetch_pool);
    pool_free(r->render_pool);
    pool_free(r->tool_pool);
    pool_free(r->step_pool);
    flights_free(r->renders);
    flights_free(r->tool_runs);
    disk_free(r->disk);
    artifacts_free(r->artifacts);
    tokens_free(r->tokens);
    gpg_free(r->gpg);
    http_free(r->http);
    git_lists_free(r->lists);
    git_store_free(r->store);
    tools_free(r->tools);
    cache_free(r->cache);
    failures_free(r->failures);
    askpass_free(r->askpass);
    free(r->methods);
    free(r->scratch);
    free(r);
}

const struct rpc_method *repo_methods(repo_t *r, size_t *n)
{
    *n = r->nmethods;
    return r->methods;
}
