/* A thin, dynamic Kubernetes client: objects are JSON documents (or bytes), kinds are data.
 *
 * One kube_t per cluster; it may be used by many threads at once. Blocking calls are for the pools; lists and
 * watches stream on the I/O thread of the http_t given to kube_open. Resource versions are opaque texts.
 * Errors carry the code and the message of the server's Status; err_code maps NotFound, AlreadyExists (409
 * with that reason), Aborted (409 Conflict), OutOfRange (410), InvalidArgument (400, 422), PermissionDenied,
 * Unauthenticated, ResourceExhausted (429), Unavailable (not reached, 503) and so on. A 401 with refreshable
 * credentials (exec, token file) is tried once more with fresh ones. 429 and 503 with Retry-After are tried
 * again for idempotent verbs, within the timeout; these are also sent again when their connection is lost.
 * Not idempotent are JSON patches, creation with generateName, deletion without a precondition, and kube_raw
 * with a method that writes: when their connection is lost they fail with Unavailable, and may have been
 * done. */
#ifndef CARGOCD_KUBE_KUBE_H
#define CARGOCD_KUBE_KUBE_H

#include "common/json/json.h"
#include "common/kube/kube_config.h"
#include "common/net/http.h"

typedef struct kube kube_t;

/* A finished blocking request, for metrics. */
struct kube_figures {
    const char *method, *path; /* with its query */
    const char *verb;          /* kube_verb_name */
    const char *host;          /* the server's URL */
    int status;                /* 0: not reached */
    int64_t waited_ns;         /* for the rate limit */
    size_t sent, received;     /* bytes of the bodies */
    bool again;                /* it was sent before */
};
/* How a run of a credential plugin ended, in client-go's terms: the exit status (1 where there was none) and
 * "no_error", "plugin_execution_error", "plugin_not_found_error" or "client_internal_error". */
struct kube_plugin_run {
    int code;
    const char *outcome;
    int64_t cert_age_ns;
};
/* Who is told of this thread's requests, besides options.measure; NULL ends that. Borrowed. */
struct kube_tap {
    void (*fn)(void *arg, const struct kube_figures *f);
    void *arg;
};
void kube_tap_thread(const struct kube_tap *tap);

/* Asked around each request that writes (every method but GET), each time that it is sent. */
struct kube_gate {
    /* Negative (with *err): it is not sent. */
    int (*enter)(void *arg, const char *method, const char *path, err_t **err);
    /* Asked ten times a second while it is under way; false breaks it off. */
    bool (*goes_on)(void *arg);
    /* It was sent and has ended; status 0: without an answer. */
    void (*leave)(void *arg, const char *method, const char *server, const char *path, int status);
    void *arg;
};
struct kube_options {
    http_t *io;                                        /* borrowed; outlives the kube_t */
    double qps;                                        /* requests a second, watches excluded; 0: 50 */
    unsigned burst;                                    /* 0: 2 * qps */
    int64_t timeout_ns;                                /* of a blocking call; 0: 30 s */
    int64_t connect_timeout_ns, keepalive_ns, idle_ns; /* of connections, as in http.h */
    /* An idempotent request that was not answered, or by 503 or 504, is sent again so often; before each time
     * but the first a pause, which doubles. */
    unsigned retries;
    int64_t retry_ns;   /* the first pause; 0: 100 ms */
    unsigned max_lists; /* side by side; 0: 3 */
    /* Called after each finished request, for metrics; may be NULL. verb is that of kube_verb_name, host the
     * server's URL; status 0: not reached. By the caller's thread, or the I/O thread for lists and watches.
     */
    void (*observe)(void *arg, const char *method, const char *verb, const char *host, int status,
                    int64_t duration_ns);
    /* The same of blocking requests, in more detail; with observe_arg; may be NULL. */
    void (*measure)(void *arg, const struct kube_figures *f);
    /* A run of the credential plugin; with observe_arg; may be NULL. cert_age_ns: how old the client
     * certificate was that this run replaced; negative: it replaced none. */
    void (*plugin_ran)(void *arg, const struct kube_plugin_run *run);
    void *observe_arg;
    const struct kube_gate *gate; /* borrowed; NULL: none */
};
int kube_open(const struct kube_config *config, const struct kube_options *options, kube_t **out,
              err_t **err);
/* Ends all watches first, as kube_watch_stop does: their handles are gone. Then nothing of k is called any
 * more. Not to be called on the I/O thread, nor while another thread uses k. */
void kube_close(kube_t *k);
/* Blocking calls under way, and those to come, end with Canceled. For who waits for another thread before
 * kube_close. */
void kube_cancel(kube_t *k);
const char *kube_server(const kube_t *k);
/* Clients of this process: how many are open, how many were ever made with connections of their own, and how
 * many that share those of another (kube_impersonate). */
struct kube_transports {
    size_t open, made, shared;
};
void kube_transports(struct kube_transports *out);
/* The same cluster as another user (and no groups): shares connections; to be closed before k. */
kube_t *kube_impersonate(kube_t *k, const char *user) MUST_USE;

/* ---- discovery ---- */

enum kube_verb {
    KUBE_GET = 1,
    KUBE_LIST = 2,
    KUBE_WATCH = 4,
    KUBE_CREATE = 8,
    KUBE_UPDATE = 16,
    KUBE_PATCH = 32,
    KUBE_DELETE = 64,
    KUBE_DELETE_COLLECTION = 128
};
struct kube_resource {
    const char *group, *version, *kind, *plural, *singular; /* interned */
    bool namespaced;
    bool preferred; /* the version that clients use unasked: the group's preferred one if it has the kind,
                       else the first that has */
    unsigned verbs; /* of enum kube_verb */
    const char *subresources; /* "status,scale", interned; "" */
};
/* What a cluster serves; immutable, reference-counted. */
typedef struct kube_api kube_api_t;
/* /api, /apis and every group version (aggregated discovery where the server has it). Groups that fail are
 * left out; *partial (may be NULL) then names them. An error only when nothing could be read. */
int kube_discover(kube_t *k, kube_api_t **out, err_t **partial, err_t **err);
kube_api_t *kube_api_ref(kube_api_t *a);
void kube_api_unref(kube_api_t *a);
const struct kube_resource *kube_api_all(const kube_api_t *a, size_t *n);
/* version NULL: the preferred one. NULL when not served. Borrowed from a. */
const struct kube_resource *kube_api_find(const kube_api_t *a, const char *group, const char *version,
                                          const char *kind);
/* "group/version" and "group/version/Kind" of what can be listed and watched, sorted: what templates may ask
 * for. NULL-terminated, borrowed; of NULL: none. */
char *const *kube_api_versions(const kube_api_t *a);
bool kube_api_serves_group(const kube_api_t *a, const char *group);
/* An api of the built-in kinds (kinds.h), for work without a cluster. */
kube_api_t *kube_api_builtin(void) MUST_USE;
/* "v1.20.2" from /version, as the server spells it; the caller's. */
int kube_version(kube_t *k, char **out, err_t **err);

/* ---- requests ---- */

/* What a failed request was answered, beyond the error. */
struct kube_failure {
    int http_status; /* 0: the server was not reached */
    char *reason;    /* Status.reason: "Conflict", "AlreadyExists", "Invalid" … */
    char *message;
    int64_t retry_after_ns;
};
void kube_failure_dispose(struct kube_failure *f);

struct kube_params {
    const char *subresource; /* "status", "scale" … */
    const char *field_manager;
    bool dry_run;                 /* dryRun=All */
    bool force;                   /* server-side apply */
    const char *field_validation; /* Ignore, Warn, Strict; NULL: not sent */
    int64_t timeout_ns;           /* 0: the client's */
    str_t *warnings;              /* Warning headers, one a line; NULL: dropped */
    struct kube_failure *failure; /* filled on failure; NULL: not wanted */
};

/* params may be NULL. ns NULL or "": cluster-scoped (or all namespaces). Results (*out) are the caller's; out
 * may be NULL. */
int kube_get(kube_t *k, const struct kube_resource *r, const char *ns, const char *name,
             const struct kube_params *params, json_t **out, err_t **err);
int kube_create(kube_t *k, const struct kube_resource *r, const char *ns, const json_t *object,
                const struct kube_params *params, json_t **out, err_t **err);
int kube_update(kube_t *k, const struct kube_resource *r, const char *ns, const char *name,
                const json_t *object, const struct kube_params *params, json_t **out, err_t **err);
enum kube_patch_type { KUBE_PATCH_JSON, KUBE_PATCH_MERGE, KUBE_PATCH_STRATEGIC, KUBE_PATCH_APPLY };
int kube_patch(kube_t *k, const struct kube_resource *r, const char *ns, const char *name,
               enum kube_patch_type type, const json_t *patch, const struct kube_params *params, json_t **out,
               err_t **err);
struct kube_delete {
    const char *propagation;            /* Foreground, Background, Orphan; NULL: the server's default */
    const char *uid, *resource_version; /* preconditions; NULL: none */
    int64_t grace_seconds;              /* negative: the server's default */
};
int kube_delete(kube_t *k, const struct kube_resource *r, const char *ns, const char *name,
                const struct kube_delete *how, const struct kube_params *params, err_t **err);
/* Anything else below the server's URL ("/version", "/openapi/v2"): the body as bytes. body may be NULL. */
int kube_raw(kube_t *k, const char *method, const char *path, const char *content_type, const void *body,
             size_t n, const struct kube_params *params, str_t *out, err_t **err);
/* "/apis/apps/v1/namespaces/x/deployments/y/status"; every part percent-encoded. */
char *kube_path(const struct kube_resource *r, const char *ns, const char *name, const char *subresource)
    MUST_USE;
/* What a request does, as metrics of Kubernetes' clients name it: Create, Update, Patch, Delete, and of reads
 * Get, List or Watch by the path and its query; "Unknown" for other methods. */
const char *kube_verb_name(const char *method, const char *path);

/* ---- lists ---- */

struct kube_list {
    const char *ns; /* NULL: all */
    const char *label_selector, *field_selector;
    int64_t page_size;  /* 0: 500 */
    bool metadata_only; /* PartialObjectMetadata */
    size_t max_object;  /* bytes; 0: 32 MiB */
    int64_t silence_ns; /* how long the server may say nothing; 0: the client's timeout_ns */
};
/* Blocks; on_item is called on the I/O thread for each object's bytes as they arrive. *resource_version is
 * the caller's. A page that expired (410) starts over: on_restart is called (NULL: the error is returned).
 * Objects of typed lists come without apiVersion and kind; these are put in. Objects over the limit are left
 * out. */
struct kube_list_ops {
    int (*on_item)(void *arg, const char *p, size_t n); /* negative ends the list */
    void (*on_restart)(void *arg);
};
int kube_list(kube_t *k, const struct kube_resource *r, const struct kube_list *what,
              const struct kube_list_ops *ops, void *arg, char **resource_version, err_t **err);
/* The items as an array; for small lists. */
int kube_list_json(kube_t *k, const struct kube_resource *r, const struct kube_list *what, json_t **items,
                   err_t **err);

/* ---- watches ---- */

enum kube_event { KUBE_ADDED, KUBE_MODIFIED, KUBE_DELETED };
enum kube_watch_stop {
    KUBE_STOP_GONE, /* the server does not serve the kind any more (404, three times within two seconds) */
    KUBE_STOP_FORBIDDEN, /* 403 on list or watch, and the spec asked to stop then */
};
/* All callbacks run on the I/O thread, one at a time per watch, and must not block. */
struct kube_watch_ops {
    /* A list begins: until on_synced, every object that exists is delivered as KUBE_ADDED, what is not is
     * gone. Comes again after each 410 or lost position. */
    void (*on_list)(void *arg);
    /* p is the object (not the event) as JSON with its apiVersion and kind, valid during the call.
     * KUBE_DELETED carries the last known state. */
    void (*on_event)(void *arg, enum kube_event event, const char *p, size_t n);
    void (*on_synced)(void *arg, const char *resource_version);
    /* Something failed and will be tried again after a backoff (at most 10 s; connection failures of many
     * watches of one cluster are probed once). NULL err: it works again. */
    void (*on_error)(void *arg, err_t *err);
    /* The watch has ended by itself; only kube_watch_stop may follow. */
    void (*on_stop)(void *arg, enum kube_watch_stop why);
};
struct kube_watch_spec {
    const struct kube_resource *resource; /* copied */
    struct kube_list list;
    bool stop_when_forbidden;
    int64_t resync_ns; /* list again after so long; 0: never */
};
typedef struct kube_watch kube_watch_t;
/* Lists by pages, then watches with bookmarks from the list's resource version, resuming where it was after a
 * cut. At most three lists of a cluster run at once. */
kube_watch_t *kube_watch_start(kube_t *k, const struct kube_watch_spec *spec,
                               const struct kube_watch_ops *ops, void *arg) MUST_USE;
/* After it returned no callback runs or will run. Must not be called from a callback of this watch. */
void kube_watch_stop(kube_watch_t *w);

#endif
