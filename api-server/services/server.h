/* The api-server's parts, and one call of a method. A handler takes and gives JSON; transport,
 * authentication, binding and the shape of errors are the gateway's. */
#ifndef CARGOCD_API_SERVICES_SERVER_H
#define CARGOCD_API_SERVICES_SERVER_H

#include "api-server/http/bind.h"
#include "api-server/http/front.h"
#include "api-server/live/ws.h"
#include "api-server/services/state.h"
#include "common/eval/eval.h"
#include "common/net/redis.h"
#include "common/net/rpc.h"

#include <stdatomic.h>

struct server_flags {
    char *ns;
    char **app_namespaces; /* --application-namespaces: globs or /regex/; may be empty */
    char *content_types;   /* --api-content-types: ";"-separated; "": any */
    char *base_href, *root_path;
    char *static_assets;
    char *x_frame_options, *csp;
    char *events; /* ARGOCD_ENABLE_K8S_EVENT: all, none, or reasons */
    bool insecure, disable_auth, gzip, sync_replace_allowed;
    int64_t max_cookies;
    int64_t max_body;
    int64_t repo_timeout_ns;
};

typedef struct server {
    struct server_flags *flags;
    http_t *io;
    kube_t *kube;
    config_box_t *config;
    auth_t *auth;
    live_t *live;
    ws_t *ws;
    state_t *state;
    redis_t *redis;
    seal_t *seal; /* the controller's copies; NULL: none are read */
    rpc_replicas_t *repo, *controller;
    front_t *front;
    pool_t *handlers, *logins, *fetches;
    struct later *later;
    eval_t *eval; /* users' scripts: resource actions */
    struct backend *backend;
    mono_t started;
    atomic_bool open; /* the front door: users may come */
} server_t;

/* ---- a call ---- */

typedef struct call {
    server_t *s;
    exchange_t *ex; /* ours until answered */
    const struct api_method *method;
    identity_t *id;
    rbac_caller_t *caller;
    json_t *in;       /* the request message */
    query_t query;    /* what stands beside it: fields, download … */
    char *renewed;    /* a fresh token for the caller */
    str_t raw;        /* an answer that is JSON already, instead of *out */
    int64_t delay_ns; /* hold the answer back */
    /* A streaming method answers with these. */
    const struct stream_ops *stream;
    void *stream_arg;
    bool sse; /* the client wants server-sent events */
} call_t;

/* 0: *out (or c->raw, or c->stream) is the answer; CALL_LATER: the handler took the call and ends it with
 * call_finish; negative: err. */
enum { CALL_LATER = 1 };
typedef int (*handler_fn)(call_t *c, json_t **out, err_t **err);
struct handler {
    const char *service, *method;
    handler_fn fn;
};
extern const struct handler application_handlers[], project_handlers[], cluster_handlers[],
    session_handlers[], account_handlers[], settings_handlers[], repository_handlers[];

/* Ends a call that answered CALL_LATER; takes both. Any thread. */
void call_finish(call_t *c, json_t *out_take, err_t *err_take);

/* Fields of the request: "" and false when absent. */
static inline const char *arg(const call_t *c, const char *name)
{
    return str_or_empty(json_str_at(c->in, name));
}
static inline bool arg_bool(const call_t *c, const char *name)
{
    return json_bool_at(c->in, name);
}

/* ---- authorisation (authz.c) ---- */

bool call_allowed(call_t *c, const char *resource, const char *action, const char *object);
/* ERR_PERMISSION_DENIED with Argo CD's text. */
int call_enforce(call_t *c, const char *resource, const char *action, const char *object, err_t **err);
bool server_ns_enabled(const server_t *s, const char *ns);
/* The control namespace for "". */
const char *call_app_ns(const call_t *c, const char *ns);
char *call_app_object(const call_t *c, const json_t *app) MUST_USE;

enum app_source { APP_CACHED, APP_LIVE };
/* One application, by the rule that absent and forbidden answer alike (Argo CD's getAppEnforceRBAC). *app is
 * new. */
int app_lookup(call_t *c, enum app_source from, const char *action, const char *project, const char *ns,
               const char *name, json_t **app, err_t **err);
/* The effective project of an application that may use it. */
int app_project_of(call_t *c, const json_t *app, json_t **project, err_t **err);

/* ---- cluster.c ---- */

/* A cluster without anything secret, with what is known of its state: infos is of backend_cluster_infos; may
 * be NULL. */
json_t *cluster_shown(const struct cluster_entry *e, const json_t *infos) MUST_USE;

/* ---- gateway.c ---- */

/* Joins handlers to the table of methods; once, before the first request. */
void gateway_init(void);
/* A request below /api/; path without the root path. */
void gateway_handle(server_t *s, exchange_t *ex_take, const char *path);
size_t gateway_body_limit(server_t *s, const struct web_request *r, const char *path);
/* {"error":…,"code":…,"message":…} */
void gateway_error_body(err_t *err, str_t *out);
/* Session cookies of a fresh token as headers. */
void gateway_set_cookies(server_t *s, exchange_t *ex, const char *token);

/* ---- dispatch.c: assets, health, API, WebSocket, log out ---- */

extern const struct front_ops server_front_ops;

/* ---- app_stream.c ---- */

/* Once a second: heartbeats of event streams. */
void streams_tick(void);

/* ---- backend.c: the controller, the repository server, Redis ---- */

struct backend *backend_new(server_t *s) MUST_USE;
void backend_free(struct backend *b);
/* ApplicationTree and [ResourceDiff] as documents. */
int backend_tree(server_t *s, const char *ns, const char *name, json_t **out, err_t **err);
int backend_tree_within(server_t *s, const char *ns, const char *name, int64_t timeout, json_t **out,
                        err_t **err);
int backend_managed(server_t *s, const char *ns, const char *name, json_t **out, err_t **err);
int backend_resource(server_t *s, const char *ns, const char *name, const json_t *query, json_t **out,
                     err_t **err);
/* The decision journal of an application: [{time, decision, verdict, reasons}]. */
int backend_why(server_t *s, const char *ns, const char *name, json_t **out, err_t **err);
/* What the controller says of a cluster ("": of all it knows): server -> ClusterInfo. */
int backend_cluster_infos(server_t *s, const char *cluster, json_t **out, err_t **err);
int backend_cluster_info(server_t *s, const char *cluster, json_t **out, err_t **err);
/* For live: fetches a tree and hands it over. */
void backend_want_tree(void *server, const char *ns, const char *name);
/* Manifests of one source: the repository server's answer as {manifests: [text], revision, sourceType}. */
struct manifest_query {
    const json_t *app, *project, *source;
    const char *revision; /* NULL: the source's */
    bool no_cache;
};
int backend_manifests(server_t *s, const struct manifest_query *q, json_t **out, err_t **err);
int backend_resolve_revision(server_t *s, const json_t *app, const json_t *source, const char *revision,
                             char **commit, char **display, err_t **err);
int backend_test_repo(server_t *s, const char *url, const char *project, err_t **err);

/* ---- reach.c: clusters that applications go to ---- */

/* A connection for one request. */
struct reach {
    kube_t *kube;
    bool borrowed; /* the control plane's own */
    char *server, *name, *cluster_project;
};
int reach_open(server_t *s, const json_t *app, struct reach *out, err_t **err);
void reach_close(struct reach *r);
AUTO_DECL(reach_close_p, struct reach, reach_close)
/* How the cluster serves a kind; *held owns the texts. ERR_NOT_FOUND. */
int reach_kind(const struct reach *r, const char *group, const char *version, const char *kind,
               struct kube_resource *out, json_t **held, err_t **err);

/* ---- events.c ---- */

/* Audit: a log line and a Kubernetes event on the object. Never fails the caller. */
void audit(call_t *c, const json_t *object, const char *reason, const char *fmt, ...) PRINTF(4, 5);
/* The same about a resource of an application, wherever it is: its event is in the control namespace. */
void audit_resource(call_t *c, const json_t *object, const char *reason, const char *fmt, ...) PRINTF(4, 5);

/* ---- later.c: answers that are held back ---- */

struct later *later_new(void) MUST_USE;
void later_run(struct later *l, int64_t delay_ns, void (*fn)(void *arg), void *arg);
/* Runs what waits at once, then ends. */
void later_free(struct later *l);

#endif
