/* cargocd-repo-server: answers what sources render to. */
#include "common/base/log.h"
#include "common/net/daemon.h"
#include "common/net/http_status.h"
#include "repo-server/child.h"
#include "repo-server/confine.h"
#include "repo-server/manager.h"
#include "repo-server/plugin/askpass.h"
#include "repo-server/quantity.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#define ENV "ARGOCD_REPO_SERVER"

enum { DRAIN_S = 20, TRIM_S = 30 };

/* Limits of charts and artifacts, as texts and switches. */
struct artifact_settings {
    char *max_chart, *max_oci, *max_index;
    bool unlimited_chart, unlimited_oci;
};

struct settings {
    struct daemon_options daemon;
    struct repo_options repo;
    char *address, *metrics_address, *data, *disk_limit, *max_directory, *tls_dir, *ssh_dir, *plugin_dir,
        *plugin_exclusions, *gpg_enabled, *gpg_dir, *max_tar, *max_extracted;
    char **exclusions;
    int64_t port, metrics_port;
    int64_t parallelism, list_parallelism, attempts, retry_factor, pause_attempts, pause_minutes,
        pause_requests;
    int64_t cache_megabytes, exec_megabytes, plugin_chunk, app_token_minutes;
    bool disable_tls;
    struct artifact_settings artifacts;
};

/* What the threads of the process share; the RPC server appears once certificates are there. */
struct state {
    struct settings *settings;
    rpc_server_t *_Atomic server;
    char *own_address; /* to ask ourselves */
    struct tls_files tls;
};

enum { OWN_FLAGS = 43 };

static void own_flags(struct settings *s, struct flag out[OWN_FLAGS])
{
    struct repo_options *r = &s->repo;
    const struct flag flags[OWN_FLAGS] = {
        {.name = "address",
         .type = FLAG_STRING,
         .target = &s->address,
         .env = ENV "_LISTEN_ADDRESS",
         .fallback = "0.0.0.0",
         .help = "Listen on given address for incoming connections; or ipc:///path"},
        {.name = "port",
         .type = FLAG_INT,
         .target = &s->port,
         .fallback = "8081",
         .max = 65535,
         .help = "Listen on given port for incoming connections"},
        {.name = "metrics-address",
         .type = FLAG_STRING,
         .target = &s->metrics_address,
         .env = ENV "_METRICS_LISTEN_ADDRESS",
         .fallback = "0.0.0.0",
         .help = "Listen on given address for metrics"},
        {.name = "metrics-port",
         .type = FLAG_INT,
         .target = &s->metrics_port,
         .fallback = "8084",
         .max = 65535,
         .help = "Start metrics server on given port"},
        {.name = "data",
         .type = FLAG_STRING,
         .target = &s->data,
         .env = "CARGOCD_REPO_SERVER_DATA",
         .fallback = "/tmp/_argocd-repo",
         .help = "Directory of the clones"},
        {.name = "disk-limit",
         .type = FLAG_STRING,
         .target = &s->disk_limit,
         .env = "CARGOCD_REPO_SERVER_DISK_LIMIT",
         .fallback = "0",
         .help = "Size that clones, LFS objects, charts and artifacts may have together; what was used "
                 "longest ago "
                 "is removed over it. 0 for half of the file system"},
        {.name = "disk-max-idle",
         .type = FLAG_DURATION,
         .target = &r->disk.max_idle_ns,
         .env = "CARGOCD_REPO_SERVER_DISK_MAX_IDLE",
         .fallback = "168h",
         .help = "Time after which what nobody has used is removed; 0 for never"},
        {.name = "disable-tls",
         .type = FLAG_BOOL,
         .target = &s->disable_tls,
         .env = ENV "_DISABLE_TLS",
         .fallback = "false",
         .help = "Disable TLS on the RPC endpoint"},
        {.name = "tls-certs-path",
         .type = FLAG_STRING,
         .target = &s->tls_dir,
         .env = "ARGOCD_TLS_DATA_PATH",
         .fallback = "/app/config/tls",
         .help = "Directory with one file of trusted certificates per host"},
        {.name = "ssh-path",
         .type = FLAG_STRING,
         .target = &s->ssh_dir,
         .env = "ARGOCD_SSH_DATA_PATH",
         .fallback = "/app/config/ssh",
         .help = "Directory with ssh_known_hosts"},
        {.name = "parallelismlimit",
         .type = FLAG_INT,
         .target = &s->parallelism,
         .env = ENV "_PARALLELISM_LIMIT",
         .fallback = "0",
         .max = 1000,
         .help = "Limit on number of concurrent manifests generate requests. Any value less the 1 means no "
                 "limit."},
        {.name = "repo-cache-expiration",
         .type = FLAG_DURATION,
         .target = &r->cache_ttl_ns,
         .env = "ARGOCD_REPO_CACHE_EXPIRATION",
         .fallback = "24h",
         .help = "Cache expiration for repo state"},
        {.name = "revision-cache-expiration",
         .type = FLAG_SECONDS,
         .target = &r->revision_ttl_ns,
         .env = "ARGOCD_RECONCILIATION_TIMEOUT",
         .fallback = "3m",
         .help = "Cache expiration for cached revision"},
        {.name = "max-combined-directory-manifests-size",
         .type = FLAG_STRING,
         .target = &s->max_directory,
         .env = ENV "_MAX_COMBINED_DIRECTORY_MANIFESTS_SIZE",
         .fallback = "10M",
         .help = "Max combined size of manifest files in a directory-type Application"},
        {.name = "include-hidden-directories",
         .type = FLAG_BOOL,
         .target = &r->hidden_directories,
         .env = ENV "_INCLUDE_HIDDEN_DIRECTORIES",
         .fallback = "false",
         .help = "Include hidden directories from Git"},
        {.name = "streamed-manifest-max-tar-size",
         .type = FLAG_STRING,
         .target = &s->max_tar,
         .env = ENV "_STREAMED_MANIFEST_MAX_TAR_SIZE",
         .fallback = "100M",
         .help = "Maximum size of streamed manifest archives"},
        {.name = "streamed-manifest-max-extracted-size",
         .type = FLAG_STRING,
         .target = &s->max_extracted,
         .env = ENV "_STREAMED_MANIFEST_MAX_EXTRACTED_SIZE",
         .fallback = "1G",
         .help = "Maximum size of streamed manifest archives when extracted"},
        {.name = "gpg-enabled",
         .type = FLAG_STRING,
         .target = &s->gpg_enabled,
         .env = "ARGOCD_GPG_ENABLED",
         .fallback = "true",
         .help = "Whether projects may ask for signed commits; \"false\" or \"no\" for not"},
        {.name = "gpg-keys-path",
         .type = FLAG_STRING,
         .target = &s->gpg_dir,
         .env = "ARGOCD_GPG_DATA_PATH",
         .fallback = "/app/config/gpg/source",
         .help = "Directory with one file for each public key"},
        {.name = "github-app-creds-expiration",
         .type = FLAG_INT,
         .target = &s->app_token_minutes,
         .env = "ARGOCD_GITHUB_APP_CREDS_EXPIRATION_DURATION",
         .fallback = "60",
         .min = 1,
         .max = 100000,
         .help = "Minutes for which a GitHub App's token is kept, at most"},
        {.name = "enable-git-submodule",
         .type = FLAG_BOOL,
         .target = &r->submodules,
         .env = "ARGOCD_GIT_MODULES_ENABLED",
         .fallback = "true",
         .help = "Serve the submodules of repositories"},
        {.name = "git-ls-remote-parallelism-limit",
         .type = FLAG_INT,
         .target = &s->list_parallelism,
         .env = "ARGOCD_GIT_LS_REMOTE_PARALLELISM_LIMIT",
         .fallback = "0",
         .max = 1000,
         .help = "Limit on concurrent listings of references"},
        {.name = "git-request-timeout",
         .type = FLAG_DURATION,
         .target = &r->git.list_timeout_ns,
         .env = "ARGOCD_GIT_REQUEST_TIMEOUT",
         .fallback = "15s",
         .help = "Timeout of a listing of references"},
        {.name = "git-attempts-count",
         .type = FLAG_INT,
         .target = &s->attempts,
         .env = "ARGOCD_GIT_ATTEMPTS_COUNT",
         .fallback = "1",
         .min = 1,
         .max = 100,
         .help = "Attempts at a Git server that is not reached"},
        {.name = "git-retry-duration",
         .type = FLAG_DURATION,
         .target = &r->git.retry_ns,
         .env = "ARGOCD_GIT_RETRY_DURATION",
         .fallback = "250ms",
         .help = "Pause before the second attempt"},
        {.name = "git-retry-factor",
         .type = FLAG_INT,
         .target = &s->retry_factor,
         .env = "ARGOCD_GIT_RETRY_FACTOR",
         .fallback = "2",
         .min = 1,
         .max = 100,
         .help = "By which the pause grows"},
        {.name = "git-retry-max-duration",
         .type = FLAG_DURATION,
         .target = &r->git.retry_max_ns,
         .env = "ARGOCD_GIT_RETRY_MAX_DURATION",
         .fallback = "5s",
         .help = "The longest pause"},
        {.name = "git-allow-file",
         .type = FLAG_BOOL,
         .target = &r->git.allow_file,
         .env = "CARGOCD_GIT_ALLOW_FILE",
         .fallback = "false",
         .help = "Allow file:// repositories (for tests)"},
        {.name = "exec-timeout",
         .type = FLAG_DURATION,
         .target = &r->exec_timeout_ns,
         .env = "ARGOCD_EXEC_TIMEOUT",
         .fallback = "90s",
         .help = "Timeout of a fetch and of each program that renders"},
        {.name = "exec-fatal-timeout",
         .type = FLAG_DURATION,
         .target = &r->git.fatal_timeout_ns,
         .env = "ARGOCD_EXEC_FATAL_TIMEOUT",
         .fallback = "10s",
         .help = "Between asking a fetch to end and ending it"},
        {.name = "exec-max-memory",
         .type = FLAG_INT,
         .target = &s->exec_megabytes,
         .env = "CARGOCD_EXEC_MAX_MEMORY_MB",
         .fallback = "8192",
         .max = 1 << 20,
         .help = "Address space of a program that renders, MiB; 0 for no limit"},
        {.name = "render-cache",
         .type = FLAG_INT,
         .target = &s->cache_megabytes,
         .env = "CARGOCD_RENDER_CACHE_MB",
         .fallback = "16",
         .min = 1,
         .max = 1 << 20,
         .help = "Renderings kept in memory, MiB"},
        {.name = "pause-generation-after-failed-attempts",
         .type = FLAG_INT,
         .target = &s->pause_attempts,
         .env = "ARGOCD_PAUSE_GEN_AFTER_FAILED_ATTEMPTS",
         .fallback = "3",
         .max = 1000000,
         .help = "Failures after which a rendering is paused; 0 for never"},
        {.name = "pause-generation-minutes",
         .type = FLAG_INT,
         .target = &s->pause_minutes,
         .env = "ARGOCD_PAUSE_GEN_MINUTES",
         .fallback = "60",
         .max = 1000000,
         .help = "Minutes after which a paused rendering is tried again; 0 for never"},
        {.name = "pause-generation-requests",
         .type = FLAG_INT,
         .target = &s->pause_requests,
         .env = "ARGOCD_PAUSE_GEN_REQUESTS",
         .fallback = "0",
         .max = 1000000,
         .help = "Requests after which a paused rendering is tried again; 0 for never"},
        {.name = "plugin-socket-path",
         .type = FLAG_STRING,
         .target = &s->plugin_dir,
         .env = "ARGOCD_PLUGINSOCKFILEPATH",
         .fallback = "/home/argocd/cmp-server/plugins",
         .help = "Directory of the sockets of config management plugins"},
        {.name = "plugin-tar-exclude",
         .type = FLAG_STRING,
         .target = &s->plugin_exclusions,
         .env = ENV "_PLUGIN_TAR_EXCLUSIONS",
         .help = "Globs to filter when sending tarballs to plugins, separated by ;"},
        {.name = "plugin-use-manifest-generate-paths",
         .type = FLAG_BOOL,
         .target = &r->plugin_generate_paths,
         .env = ENV "_PLUGIN_USE_MANIFEST_GENERATE_PATHS",
         .fallback = "false",
         .help = "Pass the resources described in argocd.argoproj.io/manifest-generate-paths value to the "
                 "cmpserver to generate the application manifests."},
        {.name = "plugin-chunk-size",
         .type = FLAG_INT,
         .target = &s->plugin_chunk,
         .env = "ARGOCD_CMP_CHUNK_SIZE",
         .fallback = "32768",
         .min = 1,
         .max = 16 << 20,
         .help = "Bytes in a message of what is streamed to plugins"},
        {.name = "ask-pass-socket",
         .type = FLAG_STRING,
         .target = (char **)&r->askpass_socket,
         .env = "ARGOCD_ASK_PASS_SOCK",
         .fallback = ASKPASS_SOCKET,
         .help = "Socket on which plugins with provideGitCreds ask for the credential of their repository"},
        {.name = "helm-binary",
         .type = FLAG_STRING,
         .target = (char **)&r->helm,
         .env = "CARGOCD_HELM",
         .fallback = "helm",
         .help = "The helm program"},
        {.name = "kustomize-binary",
         .type = FLAG_STRING,
         .target = (char **)&r->kustomize,
         .env = "CARGOCD_KUSTOMIZE",
         .fallback = "kustomize",
         .help = "The kustomize program"},
        {.name = "kubectl-binary",
         .type = FLAG_STRING,
         .target = (char **)&r->kubectl,
         .env = "CARGOCD_KUBECTL",
         .fallback = "kubectl",
         .help = "The kubectl program, used where there is no kustomize"},
    };
    memcpy(out, flags, sizeof(flags));
}

/* Settings of Argo CD that have nothing to set here: sources are never checked out, so that no link leads out
 * of one and no configuration of git applies; renderings are kept by what they were made of; requests share
 * one list of references without a lock in Redis. They are taken so that arguments and environments written
 * for it work. */
enum { UNUSED_FLAGS = 13 };

struct unused {
    char *texts[UNUSED_FLAGS];
    bool switches[UNUSED_FLAGS];
};

static void unused_flags(struct unused *u, struct flag out[UNUSED_FLAGS])
{
    static const char *const names[UNUSED_FLAGS] = {"allow-oob-symlinks",
                                                    "enable-builtin-git-config",
                                                    "otlp-insecure", /* the switches */
                                                    "default-cache-expiration",
                                                    "revision-cache-lock-timeout",
                                                    "otlp-address",
                                                    "otlp-headers",
                                                    "otlp-attrs",
                                                    "otlp-sample-ratio",
                                                    "tlsminversion",
                                                    "tlsmaxversion",
                                                    "tlsciphers",
                                                    "client-ca-path"};
    for (size_t i = 0; i < UNUSED_FLAGS; i++)
        out[i] = (struct flag){.name = names[i],
                               .type = i < 3 ? FLAG_BOOL : FLAG_STRING,
                               .target = i < 3 ? (void *)&u->switches[i] : (void *)&u->texts[i],
                               .help = "Taken for Argo CD's arguments; without effect"};
}

enum { ARTIFACT_FLAGS = 7 };

static void artifact_flags(struct settings *s, struct flag out[ARTIFACT_FLAGS])
{
    struct artifact_settings *a = &s->artifacts;
    const struct flag flags[ARTIFACT_FLAGS] = {
        {.name = "helm-manifest-max-extracted-size",
         .type = FLAG_STRING,
         .target = &a->max_chart,
         .env = ENV "_HELM_MANIFEST_MAX_EXTRACTED_SIZE",
         .fallback = "1G",
         .help = "Maximum size of helm manifest archives when extracted"},
        {.name = "disable-helm-manifest-max-extracted-size",
         .type = FLAG_BOOL,
         .target = &a->unlimited_chart,
         .env = ENV "_DISABLE_HELM_MANIFEST_MAX_EXTRACTED_SIZE",
         .fallback = "false",
         .help = "Disable maximum size of helm manifest archives when extracted"},
        {.name = "helm-registry-max-index-size",
         .type = FLAG_STRING,
         .target = &a->max_index,
         .env = ENV "_HELM_MANIFEST_MAX_INDEX_SIZE",
         .fallback = "1G",
         .help = "Maximum size of registry index file"},
        {.name = "oci-manifest-max-extracted-size",
         .type = FLAG_STRING,
         .target = &a->max_oci,
         .env = ENV "_OCI_MANIFEST_MAX_EXTRACTED_SIZE",
         .fallback = "1G",
         .help = "Maximum size of oci manifest archives when extracted"},
        {.name = "disable-oci-manifest-max-extracted-size",
         .type = FLAG_BOOL,
         .target = &a->unlimited_oci,
         .env = ENV "_DISABLE_OCI_MANIFEST_MAX_EXTRACTED_SIZE",
         .fallback = "false",
         .help = "Disable maximum size of oci manifest archives when extracted"},
        {.name = "oci-layer-media-types",
         .type = FLAG_STRING,
         .target = (char **)&s->repo.layer_types,
         .env = ENV "_OCI_LAYER_MEDIA_TYPES",
         .fallback = "",
         .help = "Comma separated list of allowed media types for OCI media types"},
        {.name = "helm-user-agent",
         .type = FLAG_STRING,
         .target = (char **)&s->repo.user_agent,
         .env = "ARGOCD_HELM_USER_AGENT",
         .fallback = "",
         .help = "Custom User-Agent string for requests to Helm repositories"},
    };
    memcpy(out, flags, sizeof(flags));
}

static int finish_artifacts(struct settings *s, err_t **err)
{
    const struct artifact_settings *a = &s->artifacts;
    struct repo_options *r = &s->repo;
    const struct {
        const char *name, *text;
        uint64_t *out;
    } sizes[] = {
        {"helm-manifest-max-extracted-size", a->max_chart, &r->max_chart},
        {"helm-registry-max-index-size", a->max_index, &r->max_index},
        {"oci-manifest-max-extracted-size", a->max_oci, &r->max_oci},
        {"streamed-manifest-max-tar-size", s->max_tar, &r->max_streamed_tar},
        {"disk-limit", s->disk_limit, &r->disk.max_bytes},
        {"streamed-manifest-max-extracted-size", s->max_extracted, &r->max_streamed},
    };
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        if (!quantity_parse(sizes[i].text, sizes[i].out))
            return err_set(err, ERR_INVALID_ARGUMENT, "%s: '%s' is no size", sizes[i].name, sizes[i].text);
    r->max_chart = a->unlimited_chart ? 0 : r->max_chart;
    r->max_oci = a->unlimited_oci ? 0 : r->max_oci;
    return 0;
}

static int finish_settings(struct settings *s, err_t **err)
{
    struct repo_options *r = &s->repo;
    uint64_t max_directory = 0;
    if (!quantity_parse(s->max_directory, &max_directory) || max_directory > INT64_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "max-combined-directory-manifests-size: '%s' is no size",
                       s->max_directory);
    s->daemon.plaintext = s->daemon.plaintext || s->disable_tls;
    s->exclusions = strv_split(str_or_empty(s->plugin_exclusions), ";", true);
    r->gpg_disabled = strcasecmp(s->gpg_enabled, "false") == 0 || strcasecmp(s->gpg_enabled, "no") == 0;
    r->gpg_keys_dir = s->gpg_dir;
    r->app_token_ns = SECONDS(60 * s->app_token_minutes);
    r->plugin_dir = s->plugin_dir;
    r->plugin_exclusions = s->exclusions;
    r->plugin_chunk = (size_t)s->plugin_chunk;
    r->root = s->data;
    r->max_directory_bytes = (int64_t)max_directory;
    r->git.tls_dir = s->tls_dir;
    r->git.ssh_dir = s->ssh_dir;
    r->git.fetch_timeout_ns = r->exec_timeout_ns;
    r->git.attempts = (unsigned)s->attempts;
    r->git.retry_factor = (unsigned)s->retry_factor;
    r->parallelism = (size_t)s->parallelism;
    r->list_parallelism = (size_t)s->list_parallelism;
    r->exec_max_memory = (uint64_t)s->exec_megabytes << 20;
    r->cache_bytes = (size_t)s->cache_megabytes << 20;
    r->pause = (struct failures_options){(unsigned)s->pause_attempts, (unsigned)s->pause_minutes,
                                         (unsigned)s->pause_requests};
    return finish_artifacts(s, err);
}

/* ---- health ---- */

static int ask_ourselves(struct state *st, err_t **err)
{
    rpc_client_t *client = NULL;
    struct rpc_client_options options = {
        .address = st->own_address, .tls = st->tls, .server_name = "argocd-repo-server"};
    int r = rpc_client_new(&options, &client, err);
    if (r == 0)
        r = rpc_health(client, SECONDS(3), err);
    rpc_client_free(client);
    return r;
}

static int health(void *arg, bool full, err_t **err)
{
    struct state *st = arg;
    if (!st->server)
        return err_set(err, ERR_UNAVAILABLE, "waiting for the certificates of the RPC endpoint");
    return full ? ask_ourselves(st, err) : 0;
}

/* ---- serving ---- */

static char *listen_text(const struct settings *s)
{
    if (strstr(s->address, "://"))
        return xstrdup(s->address);
    return strchr(s->address, ':') ? xasprintf("[%s]:%lld", s->address, (long long)s->port)
                                   : xasprintf("%s:%lld", s->address, (long long)s->port);
}

/* Where this very process is reached: not at the address of "everywhere". */
static char *own_address(const char *address, int port)
{
    const char *everywhere = strstr(address, "://0.0.0.0:");
    if (!everywhere)
        return xstrdup(address);
    return xasprintf("%.*s://127.0.0.1:%d", (int)(everywhere - address), address, port);
}

/* The certificates are made by the api-server, which may start later than we do. False when asked to end
 * meanwhile. */
static bool wait_address(struct settings *s, char **address, struct tls_files *tls)
{
    AUTO(free_p) char *text = listen_text(s);
    AUTO_STR said = STR_INIT;
    for (;;) {
        AUTO_ERR err = NULL;
        if (daemon_address(&s->daemon, text, address, tls, &err) == 0)
            return true;
        if (strcmp(str_text(&said), err_text(err)) != 0) {
            str_reset(&said);
            str_puts(&said, err_text(err));
            log_warn(NULL, "%s; waiting for them", err_text(err));
        }
        if (daemon_wait_for(SECONDS(1)))
            return false;
    }
}

/* Until the process is asked to end. What renderings leave in the allocator's pools goes back to the system
 * now and then. */
static void idle(void)
{
    while (!daemon_wait_for(SECONDS(TRIM_S)))
        malloc_trim(0);
}

static int serve(struct state *st, repo_t *repo, err_t **err)
{
    struct settings *s = st->settings;
    AUTO(free_p) char *address = NULL;
    if (!wait_address(s, &address, &st->tls))
        return 0;
    rpc_server_t *server = NULL;
    struct rpc_server_options options = {
        .name = "repo", .address = address, .tls = st->tls, .ctx = repo, .max_calls = 10000};
    options.methods = repo_methods(repo, &options.nmethods);
    int r = rpc_server_start(&options, &server, err);
    if (r < 0)
        return r;
    st->own_address = own_address(address, rpc_server_port(server));
    st->server = server;
    log_info(LOGF({"address", address}, {"confined", confine_abi() ? "true" : "false"}),
             "repo server %s started", CARGOCD_VERSION);
    idle();
    log_info(NULL, "repo server stops");
    st->server = NULL;
    rpc_server_free(server, SECONDS(DRAIN_S));
    return 0;
}

static int run(struct settings *s, err_t **err)
{
    struct state st = {.settings = s};
    repo_t *repo = NULL;
    http_status_t *status = NULL;
    seal_t *seal = NULL;
    metrics_t *metrics = metrics_new();
    metrics_add_process(metrics);
    int r = finish_settings(s, err);
    if (r == 0)
        r = daemon_seal(&s->daemon, "repo", &seal, err);
    redis_t *redis = r == 0 && seal ? daemon_redis(&s->daemon)
                                    : NULL; /* nothing is shared that is not sealed */
    redis_measure(redis, metrics, "argocd-repo-server");
    s->repo.redis = redis;
    s->repo.seal = seal;
    s->repo.metrics = metrics;
    if (r == 0)
        r = repo_new(&s->repo, &repo, err);
    struct http_status_options options = {.address = s->metrics_address,
                                          .port = (unsigned)s->metrics_port,
                                          .metrics = metrics,
                                          .health = health,
                                          .arg = &st};
    if (r == 0)
        r = http_status_start(&options, &status, err);
    if (r == 0)
        r = serve(&st, repo, err);
    http_status_free(status);
    repo_free(repo);
    redis_free(redis);
    seal_free(seal);
    metrics_free(metrics);
    free(st.own_address);
    return r;
}

int main(int argc, char **argv)
{
    int role = repo_child_main(argc, argv);
    if (role >= 0)
        return role;
    daemon_setup();
#ifndef CARGOCD_SANITIZE /* the leak checker traces the process */
    prctl(PR_SET_DUMPABLE, 0);
#endif
    struct settings s = {};
    struct unused unused = {};
    struct flag flags[DAEMON_FLAGS + OWN_FLAGS + ARTIFACT_FLAGS + UNUSED_FLAGS];
    daemon_flags(&s.daemon, ENV, flags);
    own_flags(&s, flags + DAEMON_FLAGS);
    artifact_flags(&s, flags + DAEMON_FLAGS + OWN_FLAGS);
    unused_flags(&unused, flags + DAEMON_FLAGS + OWN_FLAGS + ARTIFACT_FLAGS);
    AUTO_ERR err = NULL;
    int r = flags_parse(flags, ARRAY_LEN(flags), argc, argv, NULL, "cargocd-repo-server [flags]", &err);
    if (r == 0)
        r = daemon_log_setup(&s.daemon, &err);
    if (r == 0)
        r = run(&s, &err);
    if (r < 0)
        log_error(NULL, "%s", err_text(err));
    flags_dispose(flags, ARRAY_LEN(flags));
    strv_free(s.exclusions);
    daemon_options_dispose(&s.daemon);
    return r < 0;
}
