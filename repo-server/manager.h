/* The repository server as an object: its stores, caches and pools, and the methods that it serves. main.c
 * wires it to flags and sockets; tests make one in a temporary directory. */
#ifndef CARGOCD_REPO_MANAGER_H
#define CARGOCD_REPO_MANAGER_H

#include "common/net/redis.h"
#include "common/net/rpc.h"
#include "repo-server/cache/failures.h"
#include "repo-server/disk.h"
#include "repo-server/git/origin.h"
#include "common/base/metrics.h"

/* Texts are borrowed for the life of the object. */
struct repo_options {
    const char *root; /* of all files, mode 0700; made when it is not there */
    struct git_settings git;
    int64_t revision_ttl_ns; /* ARGOCD_RECONCILIATION_TIMEOUT */
    int64_t cache_ttl_ns;    /* ARGOCD_REPO_CACHE_EXPIRATION */
    size_t cache_bytes;      /* renderings in memory; 0: 16 MiB */
    struct failures_options pause;
    size_t parallelism;      /* ARGOCD_REPO_SERVER_PARALLELISM_LIMIT; 0: by the processors */
    size_t list_parallelism; /* ARGOCD_GIT_LS_REMOTE_PARALLELISM_LIMIT; 0: 16 */
    int64_t max_directory_bytes;
    bool gpg_disabled;                      /* ARGOCD_GPG_ENABLED is false */
    const char *gpg_keys_dir;               /* ARGOCD_GPG_DATA_PATH: the public keys; NULL: none */
    int64_t app_token_ns;                   /* ARGOCD_GITHUB_APP_CREDS_EXPIRATION_DURATION; 0: 60 min */
    bool submodules;                        /* ARGOCD_GIT_MODULES_ENABLED */
    bool hidden_directories;                /* ARGOCD_REPO_SERVER_INCLUDE_HIDDEN_DIRECTORIES */
    const char *helm, *kustomize, *kubectl; /* NULL: by these names in PATH */
    const char *plugin_dir;                 /* ARGOCD_PLUGINSOCKFILEPATH; NULL: no plugins */
    char *const *plugin_exclusions;         /* ARGOCD_REPO_SERVER_PLUGIN_TAR_EXCLUSIONS; NULL: none */
    bool plugin_generate_paths;             /* ARGOCD_REPO_SERVER_PLUGIN_USE_MANIFEST_GENERATE_PATHS */
    const char *askpass_socket;             /* ARGOCD_ASK_PASS_SOCK; NULL: ASKPASS_SOCKET */
    size_t plugin_chunk;                    /* ARGOCD_CMP_CHUNK_SIZE; 0: 32 KiB */
    int64_t exec_timeout_ns;
    uint64_t exec_max_memory;
    uint64_t max_streamed_tar,
        max_streamed;            /* an archive that a caller sends, and unpacked; 0: 100 MiB, 1 GiB */
    uint64_t max_index;          /* ARGOCD_REPO_SERVER_HELM_MANIFEST_MAX_INDEX_SIZE; 0: 1 GiB */
    uint64_t max_chart, max_oci; /* unpacked; 0: no limit */
    struct disk_options disk;
    const char *layer_types; /* ARGOCD_REPO_SERVER_OCI_LAYER_MEDIA_TYPES; NULL: Argo CD's */
    const char *user_agent;  /* ARGOCD_HELM_USER_AGENT; NULL: ours */
    redis_t *redis;          /* NULL: none */
    const seal_t *seal;
    metrics_t *metrics; /* NULL: none */
};

typedef struct repo repo_t;
int repo_new(const struct repo_options *options, repo_t **out, err_t **err);
/* Waits for what is under way (children are told to stop). To be called when the RPC server has gone. */
void repo_free(repo_t *r);
/* For rpc_server_options: ctx is the repo_t. Some name its pools, so the array belongs to it. */
const struct rpc_method *repo_methods(repo_t *r, size_t *n);

#endif
