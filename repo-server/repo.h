/* Inside of the repository server: what its service files share. */
#ifndef CARGOCD_REPO_REPO_H
#define CARGOCD_REPO_REPO_H

#include "proto/rpc/repo.pb-c.h"
#include "repo-server/artifact/artifacts.h"
#include "repo-server/cache/cache.h"
#include "repo-server/flight.h"
#include "repo-server/git/git_tree.h"
#include "repo-server/git/lists.h"
#include "repo-server/integrity/gpg.h"
#include "repo-server/manager.h"
#include "repo-server/plugin/askpass.h"
#include "repo-server/plugin/plugin.h"
#include "repo-server/render.h"

struct repo_metrics {
    metric_t *git_requests, *git_durations, *fetch_failures, *list_failures;
    metric_t *oci_requests, *oci_durations, *oci_failures[5];
    metric_t *pending, *parallelism_wait, *started, *handled;
};

struct repo {
    struct repo_options options;
    atomic_bool stop;
    struct repo_metrics metrics;
    pool_t *list_pool, *fetch_pool;  /* waiting for Git children */
    pool_t *step_pool;               /* the steps of requests: nothing that blocks for long */
    pool_t *render_pool, *tool_pool; /* rendering in the process, and through programs */
    git_lists_t *lists;
    git_store_t *store;
    disk_t *disk;
    http_t *http;
    tokens_t *tokens;
    gpg_t *gpg;
    artifacts_t *artifacts;
    struct remote_settings remote;
    flights_t *renders, *tool_runs;
    tools_t *tools;
    cache_t *cache;
    failures_t *failures;
    askpass_t *askpass;
    struct plugin_settings plugins;
    struct render_settings render_settings;
    char *scratch;
    struct rpc_method *methods;
    size_t nmethods;
};

/* ---- requests ---- */

enum { TARGET_REVISION = 256 };

/* A submodule of a target, or of one of its submodules. */
struct target_module {
    origin_t *origin;
    char commit[GIT_OID_HEX];
    unsigned depth;
    bool listed, there;
};

/* A repository and revision that a request needs. */
struct target {
    origin_t *origin;
    /* Instead of the origin: a Helm repository or a registry. */
    remote_t *remote;
    struct artifact_want want; /* with texts of the message */
    char *pack;                /* out */
    bool streamed;             /* the pack is what the caller sent; there is no origin */
    const char *name;          /* "" the source itself, "$values" a reference */
    const char *revision, *tag_prefix;
    bool wants_tag;   /* an annotated tag is needed itself, not only its commit */
    bool lfs;         /* the repository wants its LFS objects */
    bool fresh;       /* the list of references must be a new one */
    git_refs_t *refs; /* out: as the credential was shown them */
    struct git_revision resolved;
    VEC(struct target_module) modules; /* out; also those of modules */
    bool modules_known;                /* those of the commit itself */
    /* Out, when the request wants it: the commit; the version of a chart; the digest of an artifact. */
    char commit[TARGET_REVISION];
};

/* A call under way. It is a record that moves between pools; whoever holds it either passes it on or ends it
 * with request_reply or request_fail, exactly once. */
struct request {
    repo_t *repo;
    rpc_call_t *call;
    const ProtobufCMessage *in;
    const char *method;
    mono_t started;
    VEC(struct target) targets;
    size_t at;       /* the target at hand */
    bool lists_only; /* the references are enough */
    unsigned retries;
    err_t *err;                       /* what a callback found */
    const char *error_prefix;         /* of whatever it fails with; NULL: none */
    void (*ready)(struct request *q); /* on the step pool, when all targets are there */
    void *data;
    void (*data_free)(void *data);
};

struct request *request_new(repo_t *r, rpc_call_t *call, const ProtobufCMessage *in, const char *method,
                            void (*ready)(struct request *q));
/* Adds a target; `revision` and `tag_prefix` are borrowed from the message. */
int request_target(struct request *q, const char *name, const Cargocd__Repo__Repository *repo,
                   const char *revision, const char *tag_prefix, bool fresh, err_t **err);
/* Adds a chart of a Helm repository or registry, or (chart NULL) the artifact that an oci:// URL names. Texts
 * are borrowed from the message. */
int request_artifact(struct request *q, const Cargocd__Repo__Repository *repo,
                     const struct artifact_want *want, err_t **err);
/* The target that the source of an application names, whatever it is. */
int request_source(struct request *q, const Cargocd__Repo__Repository *repo, const json_t *source,
                   const char *revision, bool fresh_lists, bool fresh_content, err_t **err);
/* The repository as it may be shown. */
const char *target_shown(const struct target *t);
/* A digest of it and of who reads it. */
const char *target_access(const struct target *t);
/* Names what is kept of it. */
const char *target_key(const struct target *t);
/* Lists, resolves, fetches; then calls ready. On the step pool. */
void request_go(struct request *q);
/* From the start again, when a clone turned out to be damaged. False when that was tried already. */
bool request_again(struct request *q);
void request_reply(struct request *q, const ProtobufCMessage *out);
/* Borrows err. */
void request_fail(struct request *q, err_t *err);

/* The repository of a message as an origin. ERR_UNIMPLEMENTED names a kind of credential or repository that
 * is not served. */
int message_origin(repo_t *r, const Cargocd__Repo__Repository *repo, origin_t **out, err_t **err);
/* The same as a Helm repository or registry. */
int message_remote(const Cargocd__Repo__Repository *repo, remote_t **out, err_t **err);
/* What a source is, by its fields. */
enum source_class { SOURCE_GIT, SOURCE_CHART, SOURCE_OCI };
enum source_class source_class(const json_t *source);
/* The source as JSON. */
int message_source(const ProtobufCBinaryData *bytes, json_t **out, err_t **err);

/* A target's tree, opened for reading on this thread. */
struct opened {
    repo_t *repo;
    const struct target *target;
    struct tree_lfs lfs;
    git_lease_t *lease;
    tree_backend_t *backend; /* owned until a tree takes it */
};
/* Runs fn(q) on the pool for rendering, where work may take a while. */
void request_work(struct request *q, void (*fn)(void *q));
/* The same on the pool for waiting on the network. */
void request_network(struct request *q, void (*fn)(void *q));
int target_open(repo_t *r, const struct target *t, struct opened *out, err_t **err);
void opened_close(struct opened *o);
/* The tree of what was opened, which must stay where it is while the tree lives. */
tree_t *opened_tree(struct opened *o, struct trace_root *trace) MUST_USE;

/* Source integrity (service_integrity.c): what a project asks of the commits of a request, as JSON; empty:
 * nothing. Tells the targets what they need for it. */
int request_integrity(struct request *q, const ProtobufCBinaryData *spec, json_t **out, err_t **err);
/* Verifies the targets, on a pool where programs may run. *result: SourceIntegrityCheckResult, NULL when
 * nothing is asked of these repositories; *legacy (may be NULL): the text of an older field. Both are the
 * caller's. */
int request_verify(struct request *q, const json_t *spec, json_t **result, char **legacy, err_t **err);
/* The same where a problem is an error. */
int request_must_verify(struct request *q, const json_t *spec, err_t **err);

/* ---- methods (service_*.c) ---- */

void serve_generate_manifest(void *ctx, rpc_call_t *call, const ProtobufCMessage *in);
void serve_test_repository(void *ctx, rpc_call_t *call, const ProtobufCMessage *in);
void serve_resolve_revision(void *ctx, rpc_call_t *call, const ProtobufCMessage *in);
void serve_resolve_many(void *ctx, rpc_call_t *call, const ProtobufCMessage *in);
void serve_list_refs(void *ctx, rpc_call_t *call, const ProtobufCMessage *in);
void serve_revision_metadata(void *ctx, rpc_call_t *call, const ProtobufCMessage *in);
void serve_list_apps(void *ctx, rpc_call_t *call, const ProtobufCMessage *in);
void serve_get_files(void *ctx, rpc_call_t *call, const ProtobufCMessage *in);
void serve_get_directories(void *ctx, rpc_call_t *call, const ProtobufCMessage *in);
void serve_generate_with_files(void *ctx, rpc_call_t *call, const ProtobufCMessage *in);
void serve_update_revision(void *ctx, rpc_call_t *call, const ProtobufCMessage *in);
void serve_list_plugins(void *ctx, rpc_call_t *call, const ProtobufCMessage *in);
void serve_helm_charts(void *ctx, rpc_call_t *call, const ProtobufCMessage *in);
void serve_list_oci_tags(void *ctx, rpc_call_t *call, const ProtobufCMessage *in);
void serve_chart_details(void *ctx, rpc_call_t *call, const ProtobufCMessage *in);
void serve_oci_metadata(void *ctx, rpc_call_t *call, const ProtobufCMessage *in);
void serve_app_details(void *ctx, rpc_call_t *call, const ProtobufCMessage *in);

/* ---- rendering (service_scope.c, service_render.c) ---- */

/* What GenerateManifest (and what works like it) keeps with its request. */
struct generate {
    json_t *source;
    char spec[SHA256_HEX]; /* digest of everything that counts but the trees and the facts */
    char *failure;         /* specification, commits and facts: what a pause after failures is for */
    char *question;        /* the same and how it is asked: equal questions share one rendering */
    json_t *integrity;     /* what the project asks; NULL: nothing */
    json_t *verified;      /* what was found; NULL: nothing is asked, or not yet */
    char *verified_text;   /* the same in a sentence, as clients before sourceIntegrity show it */
    bool verify_done;
    char *streamed; /* a directory with a pack, which goes with the request; NULL: none */
    /* the message that the request came in */
    const Cargocd__Repo__GenerateManifestWithFilesRequest *outer;
    flights_t *flights; /* where it is being answered; NULL: nowhere yet */
};

/* service_render.c: makes q->data; reads the message's source and adds what it refers to, for targets that
 * begin with the source itself; and what follows when the targets are there. */
void generate_init(struct request *q);
int generate_refs(struct request *q, err_t **err);
void generate_ready(struct request *q);

/* Everything a rendering of the request needs, opened for this thread. */
struct scope {
    struct request *q;
    struct opened *opened; /* of the targets, at fixed places */
    size_t nopened;
    VEC(tree_t *) trees;
    VEC(struct render_ref) refs;
    VEC(struct render_repo) helm_repos, helm_repo_creds;
    VEC(struct kustomize_version) versions;
    VEC(char *) authorities; /* texts of helm_repos and helm_repo_creds */
    char **api_versions, **schemes, **project_repos, **ref_names; /* arrays are owned */
    struct build_env env;
    trace_t *trace;
    struct render_input in;
    char *fact; /* the last that was asked for */
};
/* With a trace, the trees note what is read in it; without one they are not made (for cache_find). */
int scope_open(struct scope *s, struct request *q, trace_t *trace, err_t **err);
void scope_close(struct scope *s);
struct trace_world scope_world(struct scope *s);
/* After ERR_DATA_LOSS: the clones are to be replaced. */
void scope_corrupt(struct scope *s);

/* The outcome of one rendering, shared by all who asked. */
struct made {
    struct cached cached;
};
/* The flights of renderings; job: struct request *, which outlives the run. */
extern const struct flight_ops render_flight_ops;

#endif
