/* The order matters: what answers questions is there before what asks them, and goes after it. */
#include "api-server/start.h"

#include "api-server/bootstrap.h"
#include "api-server/issue.h"
#include "common/argo/app.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/net/http_status.h"

enum { HANDLERS = 16, HANDLER_QUEUE = 512, LOGINS = 4, FETCHERS = 4 };
#define GRACE       SECONDS(20)
#define ISSUE_EVERY SECONDS(3600)
#define CERT_EVERY  SECONDS(10)

struct running {
    struct process *p;
    server_t s;
    struct kube_config kube_config;
    struct front_options front;
    struct tls_pair certificate;
    char *private_dir; /* our certificate and seal keys for RPC and Redis */
    metrics_t *metrics;
    http_status_t *status;
    mono_t next_issue, next_cert;
};

/* ---- what the parts ask for ---- */

static bool project_token(void *ctx, const char *project, const char *role, const char *id, int64_t iat)
{
    return state_project_token(((server_t *)ctx)->state, project, role, id, iat);
}

static rbac_project_t *project_roles(void *ctx, const char *name)
{
    return state_rbac_project(((server_t *)ctx)->state, name);
}

struct revocation {
    server_t *s;
    char *jti;
    int64_t exp;
};

static int add_revocation(void *arg, json_t *secret, err_t **err)
{
    const struct revocation *r = arg;
    int64_t now = wall_now().ns / NS_PER_SEC, exp;
    AUTO(free_p) const char **keys = json_sorted_keys(json_object_get(secret, "data"));
    AUTO(free_p) char *text = xasprintf("%lld", (long long)r->exp);
    for (const char **k = keys; *k; k++) { /* those that have ended need no revocation */
        AUTO(free_p) char *old = secret_text(secret, *k, NULL);
        if (old && str_to_i64(old, &exp) && exp && exp < now)
            json_drop_at(secret, "data", *k);
    }
    secret_put(secret, r->jti, text, strlen(text));
    return 0;
}

static void write_revocation(void *arg)
{
    struct revocation *r = arg;
    AUTO_ERR err = NULL;
    if (secret_change(r->s->kube, r->s->flags->ns, "cargocd-revoked-tokens", add_revocation, r, &err) < 0)
        log_error(NULL, "revoke a token: %s", err_text(err));
    free(r->jti);
    free(r);
}

static void persist_revocation(void *ctx, const char *jti, int64_t exp)
{
    server_t *s = ctx;
    struct revocation *r = xcalloc(1, sizeof *r);
    *r = (struct revocation){s, xstrdup(jti), exp};
    if (pool_submit(s->fetches, write_revocation, r, NULL) < 0)
        write_revocation(r);
}

/* ---- certificates ---- */

static int issue_private(struct running *r, err_t **err)
{
    server_t *s = &r->s;
    if (issue_all(s->kube, s->flags->ns, err) < 0 ||
        issue_write_own(s->kube, s->flags->ns, r->private_dir, err) < 0)
        return err_wrap(err, "certificates between the daemons");
    return 0;
}

static int make_private_dir(struct running *r, err_t **err)
{
    return dir_make_temp(NULL, "cargocd-api-server-", &r->private_dir, err);
}

/* Certificates and keys are taken from the folder, unless others are given. */
static void use_private_dir(struct running *r)
{
    struct daemon_options *d = &r->p->daemon;
    if (!d->plaintext && str_empty(d->tls_path)) {
        free(d->tls_path);
        d->tls_path = xstrdup(r->private_dir);
    }
    if (str_empty(d->seal_path)) {
        free(d->seal_path);
        d->seal_path = xstrdup(r->private_dir);
    }
}

static void renew_public(struct running *r)
{
    AUTO_ERR err = NULL;
    struct tls_pair fresh = {};
    if (!r->front.tls)
        return;
    int rc = bootstrap_certificate(r->s.kube, r->s.flags->ns, &fresh, &err);
    if (rc == 0 && strcmp(fresh.cert_pem, r->certificate.cert_pem) != 0) {
        rc = front_set_certificate(r->s.front, fresh.cert_pem, fresh.key_pem, &err);
        if (rc == 0) {
            struct tls_pair old = r->certificate;
            r->certificate = fresh;
            fresh = old;
            log_info(NULL, "took over a new certificate");
        }
    }
    if (rc < 0)
        log_warn(NULL, "look for a new certificate: %s", err_text(err));
    tls_pair_dispose(&fresh);
}

/* ---- connections ---- */

static int connect_kube(struct running *r, err_t **err)
{
    struct process *p = r->p;
    server_t *s = &r->s;
    if (kube_config_auto(p->kubeconfig, p->context, &r->kube_config, err) < 0)
        return err_wrap(err, "the control plane's cluster");
    const char *ns = !str_empty(p->ns) ? p->ns : r->kube_config.default_namespace;
    s->flags->ns = xstrdup(str_empty(ns) ? "argocd" : ns);
    s->io = http_new("kube");
    struct kube_options o = {.io = s->io, .qps = (double)p->qps, .burst = (unsigned)p->burst};
    return kube_open(&r->kube_config, &o, &s->kube, err);
}

static int connect_peer(struct running *r, const char *where, rpc_replicas_t **out, err_t **err)
{
    AUTO(free_p) char *address = NULL;
    struct rpc_client_options o = {};
    if (str_empty(where))
        return 0;
    if (daemon_address(&r->p->daemon, where, &address, &o.tls, err) < 0)
        return err_again(err);
    o.address = address;
    return rpc_replicas_new(&o, out, err) < 0 ? err_wrap(err, "%s", where) : 0;
}

static int connect_peers(struct running *r, err_t **err)
{
    server_t *s = &r->s;
    if (connect_peer(r, r->p->repo_server, &s->repo, err) < 0 ||
        connect_peer(r, r->p->controller, &s->controller, err) < 0 ||
        daemon_seal(&r->p->daemon, "controller", &s->seal, err) < 0)
        return err_again(err);
    s->redis = daemon_redis(&r->p->daemon);
    return 0;
}

/* ---- parts ---- */

static int make_parts(struct running *r, err_t **err)
{
    server_t *s = &r->s;
    const struct process *p = r->p;
    int64_t replicas = p->replicas > 1 ? p->replicas : 1;
    s->config = config_box_new();
    s->state = state_new(&(struct state_options){.ns = s->flags->ns, .config = s->config});
    s->auth = auth_new(&(struct auth_options){.config = s->config,
                                              .disabled = s->flags->disable_auth,
                                              .max_failures = (unsigned)p->login_failures,
                                              .failure_window_ns = SECONDS(p->login_window_s),
                                              .max_names = (size_t)p->login_names,
                                              .max_logins = (size_t)((p->logins + replicas - 1) / replicas),
                                              .project_token = project_token,
                                              .persist_revocation = persist_revocation,
                                              .ctx = s});
    s->live = live_new(&(struct live_options){.control_ns = s->flags->ns,
                                              .config = s->config,
                                              .auth = s->auth,
                                              .project = project_roles,
                                              .want_tree = backend_want_tree,
                                              .ctx = s});
    state_set_listeners(s->state, s->live, s->auth);
    s->handlers = pool_new("handler", HANDLERS, HANDLER_QUEUE);
    s->logins = pool_new("login", LOGINS, 64);
    s->fetches = pool_new("fetch", FETCHERS, 1024);
    s->later = later_new();
    s->eval = eval_new(&(struct eval_options){});
    s->backend = backend_new(s);
    gateway_init();
    return ws_new(s->live, &s->ws, err);
}

static int read_certificate(struct running *r, err_t **err)
{
    if (!r->p->flags.insecure && bootstrap_certificate(r->s.kube, r->s.flags->ns, &r->certificate, err) < 0)
        return err_wrap(err, "the server's certificate");
    return 0;
}

static int open_front(struct running *r, err_t **err)
{
    struct process *p = r->p;
    r->front = (struct front_options){.address = p->address,
                                      .port = (int)p->port,
                                      .tls = !p->flags.insecure,
                                      .tls_min = p->tls_min,
                                      .tls_max = p->tls_max,
                                      .ciphers = p->tls_ciphers,
                                      .root_path = p->flags.root_path,
                                      .ops = &server_front_ops,
                                      .ctx = &r->s};
    r->front.cert_pem = r->certificate.cert_pem;
    r->front.key_pem = r->certificate.key_pem;
    return front_start(&r->front, &r->s.front, err);
}

/* ---- figures ---- */

static void put(str_t *out, const char *name, const char *type, const char *help, double v)
{
    metrics_write_head(out, name, type, help);
    metrics_write_sample(out, name, LABELS(NULL), LABELS(NULL), v);
}

static void put_logins(str_t *out, server_t *s)
{
    static const char name[] = "argocd_login_request_total";
    uint64_t failed, succeeded;
    auth_stats(s->auth, &failed, &succeeded);
    metrics_write_head(out, name, "counter", "Number of login requests.");
    metrics_write_sample(out, name, LABELS("status"), LABELS("success"), (double)succeeded);
    metrics_write_sample(out, name, LABELS("status"), LABELS("failure"), (double)failed);
}

static void write_metrics(void *arg, str_t *out)
{
    server_t *s = arg;
    struct live_stats live;
    struct front_stats front = {};
    live_stats(s->live, &live);
    if (atomic_load_explicit(&s->open, memory_order_acquire)) /* there is no front before */
        front_stats(s->front, &front);
    metrics_write_head(out, "argocd_info", "gauge", "Information about the server.");
    metrics_write_sample(out, "argocd_info", LABELS("version"), LABELS("v" CARGOCD_VERSION), 1);
    put_logins(out, s);
    put(out, "cargocd_front_connections", "gauge", "Open connections.", (double)front.connections);
    put(out, "cargocd_front_requests_total", "counter", "Requests.", (double)front.requests);
    put(out, "cargocd_front_rejected_total", "counter", "Malformed requests.", (double)front.rejected);
    put(out, "cargocd_live_connections", "gauge", "WebSocket connections.", (double)live.connections);
    put(out, "cargocd_live_messages_total", "counter", "Messages sent.", (double)live.messages);
    put(out, "cargocd_live_bytes_total", "counter", "Bytes sent, before compression.", (double)live.bytes);
    put(out, "cargocd_live_resumes_total", "counter", "Subscriptions that were resumed.",
        (double)live.resumes);
    put(out, "cargocd_live_resets_total", "counter", "Subscriptions that began anew.", (double)live.resets);
    put(out, "cargocd_live_slow_closes_total", "counter", "Connections cut for being slow.",
        (double)live.slow_closes);
    put(out, "cargocd_live_apps", "gauge", "Applications known.", (double)live.apps);
}

static int health(void *arg, bool full, err_t **err)
{
    server_t *s = arg;
    if (!state_ready(s->state) || !live_apps_ready(s->live))
        return err_set(err, ERR_UNAVAILABLE, "the control namespace has not been read yet");
    if (!atomic_load_explicit(&s->open,
                              memory_order_acquire)) /* a Service would send users to a closed port */
        return err_set(err, ERR_UNAVAILABLE, "not open yet");
    return 0;
}

static int open_status(struct running *r, err_t **err)
{
    r->metrics = metrics_new();
    metrics_add_process(r->metrics);
    metrics_on_write(r->metrics, write_metrics, &r->s);
    struct http_status_options o = {.address = r->p->metrics_address,
                                    .port = (unsigned)r->p->metrics_port,
                                    .metrics = r->metrics,
                                    .health = health,
                                    .arg = &r->s};
    return http_status_start(&o, &r->status, err);
}

/* ---- running ---- */

static int set_up(struct running *r, err_t **err)
{
    return bootstrap(r->s.kube, r->s.flags->ns, err);
}

/* What the pods of the other daemons mount: made before they start, they start at once, for a kubelet looks
 * only now and then whether a Secret that was missing has come. */
static int issue_for_pods(struct running *r, err_t **err)
{
    const char *redis = r->p->redis_secret;
    int rc = issue_all(r->s.kube, r->s.flags->ns, err);
    return rc < 0 || str_empty(redis) ? rc : issue_redis_password(r->s.kube, r->s.flags->ns, redis, err);
}

/* An API server that does not answer yet is waited for. False when we are to end. */
static bool wait_for_cluster(struct running *r, int (*what)(struct running *r, err_t **err))
{
    for (int64_t pause = MILLIS(200);; pause = pause < SECONDS(8) ? 2 * pause : SECONDS(10)) {
        AUTO_ERR err = NULL;
        if (what(r, &err) == 0)
            return true;
        log_warn(NULL, "%s", err_text(err));
        if (daemon_wait_for(pause))
            return false;
    }
}

static void tick(struct running *r)
{
    mono_t now = mono_now();
    live_tick(r->s.live);
    streams_tick();
    if (mono_cmp(now, r->next_cert) >= 0) {
        r->next_cert = mono_after(now, CERT_EVERY);
        renew_public(r);
    }
    if (mono_cmp(now, r->next_issue) >= 0) {
        AUTO_ERR err = NULL;
        r->next_issue = mono_after(now, ISSUE_EVERY);
        if (issue_private(r, &err) < 0)
            log_warn(NULL, "%s", err_text(err));
    }
}

static int write_ports(const struct running *r, err_t **err)
{
    if (str_empty(r->p->port_file))
        return 0;
    AUTO(free_p) char *text = xasprintf("%d %u\n", front_port(r->s.front), http_status_port(r->status));
    return file_write(r->p->port_file, text, strlen(text), 0644, err);
}

/* The first lists: before them an answer would be empty instead of late. False when we are to end. */
static bool wait_for_lists(struct running *r)
{
    while (!state_ready(r->s.state) || !live_apps_ready(r->s.live))
        if (daemon_wait_for(MILLIS(5)))
            return false;
    return true;
}

static int serve(struct running *r, err_t **err)
{
    server_t *s = &r->s;
    int rc = open_status(r, err);
    if (rc == 0 && (!wait_for_lists(r) || !wait_for_cluster(r, read_certificate)))
        return 0;
    if (rc == 0)
        rc = open_front(r, err);
    if (rc == 0)
        rc = write_ports(r, err);
    if (rc < 0)
        return rc;
    atomic_store_explicit(&s->open, true, memory_order_release);
    r->next_issue = mono_after(mono_now(), ISSUE_EVERY);
    r->next_cert = mono_after(mono_now(), CERT_EVERY);
    log_info(NULL, "api-server %s in namespace %s serves on port %d", CARGOCD_VERSION, s->flags->ns,
             front_port(s->front));
    while (!daemon_wait_for(SECONDS(1)))
        tick(r);
    atomic_store_explicit(&s->open, false, memory_order_release);
    log_info(NULL, "api-server stops");
    return 0;
}

static void stop(struct running *r)
{
    server_t *s = &r->s;
    http_status_free(r->status);
    if (s->ws)
        ws_free(s->ws, SECONDS(2));
    front_stop(s->front, GRACE);
    state_stop(s->state);
    pool_free(s->handlers);
    pool_free(s->logins);
    pool_free(s->fetches);
    eval_free(s->eval);
    later_free(s->later);
    backend_stop(s->backend);
    redis_free(s->redis); /* it brings news to the backend and to live */
    backend_free(s->backend);
    live_free(s->live);
    front_free(s->front);
    auth_free(s->auth);
    state_free(s->state);
    config_box_free(s->config);
    rpc_replicas_free(s->repo);
    rpc_replicas_free(s->controller);
    seal_free(s->seal);
    kube_close(s->kube);
    http_free(s->io);
    metrics_free(r->metrics);
    tls_pair_dispose(&r->certificate);
    kube_config_dispose(&r->kube_config);
    if (r->private_dir)
        dir_remove(r->private_dir, NULL);
    free(r->private_dir);
    free(s->flags->ns);
}

/* What the cluster is needed for before anybody can be served. False when we are to end. */
static bool prepare(struct running *r)
{
    if (r->p->prepare) {
        wait_for_cluster(r, issue_for_pods);
        return false;
    }
    return wait_for_cluster(r, set_up) && wait_for_cluster(r, issue_private);
}

int server_run(struct process *p, err_t **err)
{
    struct running r = {.p = p, .s = {.flags = &p->flags, .started = mono_now()}};
    p->flags.max_body = p->grpc_max_mb << 20;
    int rc = connect_kube(&r, err);
    if (rc == 0 && !p->prepare)
        rc = make_private_dir(&r, err);
    if (rc == 0 && !prepare(&r)) {
        kube_close(r.s.kube);
        http_free(r.s.io);
        free(p->flags.ns);
        kube_config_dispose(&r.kube_config);
        if (r.private_dir)
            dir_remove(r.private_dir, NULL);
        free(r.private_dir);
        return 0;
    }
    if (rc == 0)
        use_private_dir(&r);
    if (rc == 0)
        rc = connect_peers(&r, err);
    if (rc == 0)
        rc = make_parts(&r, err);
    if (rc == 0) {
        bool all = p->flags.app_namespaces && *p->flags.app_namespaces;
        state_watch(r.s.state, r.s.kube, all ? NULL : p->flags.ns);
        rc = serve(&r, err);
    }
    if (r.s.state)
        stop(&r);
    return rc;
}
