/* Requests move in steps. A step runs on the step pool and blocks for nothing but a look at the disk; what
 * takes time (a Git child, a rendering) is asked for with a callback, which may come at once on the same
 * thread or later on another one, and only puts the request back into the step pool. */
#include "common/base/log.h"
#include "repo-server/artifact/pack.h"
#include "repo-server/git/modules.h"
#include "repo-server/repo.h"

enum { SOURCE_MAX = 16 << 20, MAX_RETRIES = 1 };

struct request *request_new(repo_t *r, rpc_call_t *call, const ProtobufCMessage *in, const char *method,
                            void (*ready)(struct request *q))
{
    struct request *q = xcalloc(1, sizeof(*q));
    q->repo = r;
    q->call = call;
    q->in = in;
    q->method = method;
    q->started = mono_now();
    q->ready = ready;
    metric_inc(r->metrics.started, LABELS("unary", "repository.RepoServerService", method));
    return q;
}

static void drop_modules(struct target *t)
{
    VEC_FOREACH(&t->modules, m)
        origin_unref(m->origin);
    VEC_FREE(&t->modules);
    t->modules_known = false;
}

static void target_dispose(struct target *t)
{
    drop_modules(t);
    origin_unref(t->origin);
    remote_unref(t->remote);
    free(t->pack);
    git_refs_unref(t->refs);
    git_revision_dispose(&t->resolved);
}

static void request_free(struct request *q)
{
    VEC_FOREACH(&q->targets, t)
        target_dispose(t);
    VEC_FREE(&q->targets);
    err_free(q->err);
    if (q->data_free)
        q->data_free(q->data);
    free(q);
}

static void count(repo_t *r, const char *method, enum err_code code)
{
    metric_inc(r->metrics.handled, LABELS("unary", "repository.RepoServerService", method,
                                          code == ERR_OK ? "OK" : err_code_name(code)));
}

void request_reply(struct request *q, const ProtobufCMessage *out)
{
    count(q->repo, q->method, ERR_OK);
    rpc_reply(q->call, out);
    request_free(q);
}

/* Paths of ours never leave: "<root>/<anything>" becomes Argo CD's placeholder. */
static char *mask(const repo_t *r, const char *text)
{
    AUTO_STR out = STR_INIT;
    const char *root = r->options.root;
    size_t n = strlen(root);
    for (const char *hit; (hit = strstr(text, root)); text = hit) {
        str_add(&out, text, (size_t)(hit - text));
        str_puts(&out, "<path to cached source>");
        hit += n;
        hit += *hit == '/';
        hit += strcspn(hit, " /'\":\n");
    }
    str_puts(&out, text);
    return str_take(&out);
}

static void fail_call(repo_t *r, rpc_call_t *call, const char *method, err_t *err)
{
    AUTO_ERR shown = NULL;
    AUTO(free_p) char *text = mask(r, err_text(err));
    err_set(&shown, err_code(err), "%s", text);
    count(r, method, err_code(err));
    log_debug(LOGF({"method", method}, {"error", text}), "request failed");
    rpc_fail(call, shown);
}

void request_fail(struct request *q, err_t *err)
{
    AUTO_ERR copy = err_copy(err);
    if (q->error_prefix)
        err_wrap(&copy, "%s", q->error_prefix);
    fail_call(q->repo, q->call, q->method, copy);
    request_free(q);
}

int request_target(struct request *q, const char *name, const Cargocd__Repo__Repository *repo,
                   const char *revision, const char *tag_prefix, bool fresh, err_t **err)
{
    origin_t *origin = NULL;
    int r = message_origin(q->repo, repo, &origin, err);
    if (r == 0)
        VEC_PUSH(&q->targets, (struct target){.origin = origin,
                                              .name = name,
                                              .lfs = repo->enable_lfs,
                                              .revision = str_or_empty(revision),
                                              .tag_prefix = tag_prefix,
                                              /* A full commit is not looked up in the list; the list is only
                                               * asked for access, and one of this interval will do. */
                                              .fresh = fresh && !git_is_commit(str_or_empty(revision))});
    return r;
}

int request_artifact(struct request *q, const Cargocd__Repo__Repository *repo,
                     const struct artifact_want *want, err_t **err)
{
    struct target t = {.name = "", .revision = str_or_empty(want->revision), .want = *want};
    int r = message_remote(repo, &t.remote, err);
    if (r < 0)
        return r;
    t.want.remote = t.remote;
    VEC_PUSH(&q->targets, t);
    return 0;
}

int request_source(struct request *q, const Cargocd__Repo__Repository *repo, const json_t *source,
                   const char *revision, bool fresh_lists, bool fresh_content, err_t **err)
{
    if (source_class(source) == SOURCE_GIT)
        return request_target(q, "", repo, revision, json_str_at(source, "tagPrefix"), fresh_lists, err);
    struct artifact_want want = {
        .chart = source_class(source) == SOURCE_CHART ? json_str_at(source, "chart") : NULL,
        .revision = revision,
        .fresh_lists = fresh_lists,
        .fresh_content = fresh_content,
        .pass_credentials = json_bool_at(source, "helm", "passCredentials"),
    };
    return request_artifact(q, repo, &want, err);
}

const char *target_shown(const struct target *t)
{
    return t->remote ? t->remote->shown : t->origin ? t->origin->shown : "streamed";
}

const char *target_access(const struct target *t)
{
    return t->remote ? t->remote->access_key : t->origin ? t->origin->access_key : "streamed";
}

const char *target_key(const struct target *t)
{
    return t->remote ? t->remote->access_key : t->origin ? t->origin->storage_key : "streamed";
}

/* ---- steps ---- */

static void step(void *arg);

static void next_step(struct request *q)
{
    AUTO_ERR err = NULL;
    if (pool_submit(q->repo->step_pool, step, q, &err) < 0)
        request_fail(q, err);
}

static void on_list(void *arg, git_refs_t *refs, err_t *err)
{
    struct request *q = arg;
    q->targets.v[q->at].refs = git_refs_ref(refs);
    q->err = err_copy(err);
    next_step(q);
}

static void on_commit(void *arg, const char *commit, err_t *err)
{
    struct request *q = arg;
    if (commit)
        memcpy(q->targets.v[q->at].commit, commit, GIT_OID_HEX);
    q->err = err_copy(err);
    next_step(q);
}

static void on_artifact(void *arg, const struct artifact *artifact, err_t *err)
{
    struct request *q = arg;
    struct target *t = &q->targets.v[q->at];
    q->err = err_copy(err);
    if (artifact && strlen(artifact->revision) >= sizeof(t->commit))
        err_set(&q->err, ERR_INVALID_ARGUMENT, "the version is too long");
    else if (artifact)
        memcpy(t->commit, artifact->revision, strlen(artifact->revision) + 1);
    t->pack = artifact ? xstrdup(artifact->pack) : NULL;
    next_step(q);
}

static bool advance_artifact(struct request *q, struct target *t)
{
    if (*t->commit)
        return true;
    t->want.resolve_only = q->lists_only;
    artifacts_get(q->repo->artifacts, &t->want, on_artifact, q);
    return false;
}

/* ---- submodules ---- */

static int add_modules(struct request *q, struct target *t, const origin_t *parent, const char *commit,
                       unsigned depth, err_t **err)
{
    repo_t *r = q->repo;
    git_modules_t found = {};
    AUTO(git_lease_close_p) git_lease_t *lease = NULL;
    int e = git_lease_open(r->store, parent->storage_key, &lease, err);
    if (e == 0)
        e = git_modules_of(lease, commit, &found, err);
    if (e == -ERR_DATA_LOSS && lease)
        git_lease_corrupt(lease);
    if (e == 0 && found.n && (depth >= GIT_MODULES_DEPTH || t->modules.n + found.n > GIT_MODULES_MAX))
        e = err_set(err, ERR_RESOURCE_EXHAUSTED, "%s: too many submodules", parent->shown);
    for (size_t i = 0; e == 0 && i < found.n; i++) {
        origin_t *origin = NULL;
        e = git_modules_origin(parent, found.v[i].url, &r->options.git, &origin, err);
        if (e == 0) {
            struct target_module *m = VEC_ADD(&t->modules);
            *m = (struct target_module){.origin = origin, .depth = depth + 1};
            memcpy(m->commit, found.v[i].commit, GIT_OID_HEX);
        }
    }
    git_modules_dispose(&found);
    return e;
}

static struct target_module *module_at_work(struct target *t)
{
    VEC_FOREACH(&t->modules, m)
        if (!m->there)
            return m;
    return NULL;
}

static void on_module_list(void *arg, git_refs_t *refs, err_t *err)
{
    struct request *q = arg;
    module_at_work(&q->targets.v[q->at])->listed = refs != NULL;
    q->err = err_copy(err);
    next_step(q);
}

static void on_module_commit(void *arg, const char *commit, err_t *err)
{
    struct request *q = arg;
    struct target *t = &q->targets.v[q->at];
    struct target_module *m = module_at_work(t);
    q->err = err_copy(err);
    if (commit) {
        m->there = true;
        AUTO(origin_unref_p) origin_t *parent = origin_ref(m->origin);
        add_modules(q, t, parent, commit, m->depth, &q->err); /* may move the list */
    }
    next_step(q);
}

/* One after the other: listed (that is the gate, as for every repository), fetched, looked into. */
static bool advance_modules(struct request *q, struct target *t)
{
    AUTO_ERR err = NULL;
    if (!t->modules_known) {
        t->modules_known = true;
        int e = add_modules(q, t, t->origin, t->commit, 0, &err);
        if (e < 0) {
            if (e != -ERR_DATA_LOSS || !request_again(q))
                request_fail(q, err);
            return false;
        }
    }
    struct target_module *m = module_at_work(t);
    if (!m)
        return true;
    if (!m->listed)
        git_lists_get(q->repo->lists, m->origin, false, on_module_list, q);
    else
        git_store_want(q->repo->store, m->origin, m->commit, NULL, on_module_commit, q);
    return false;
}

/* Takes the target at hand one step further. True when it has all it needs. */
static bool advance(struct request *q, struct target *t)
{
    repo_t *r = q->repo;
    if (t->streamed)
        return true;
    if (t->remote)
        return advance_artifact(q, t);
    if (!t->refs) {
        git_lists_get(r->lists, t->origin, t->fresh, on_list, q);
        return false;
    }
    if (q->lists_only)
        return true;
    AUTO_ERR err = NULL;
    if (!t->resolved.text && git_refs_resolve(t->refs, t->revision, t->tag_prefix, &t->resolved, &err) < 0) {
        request_fail(q, err);
        return false;
    }
    if (!*t->commit) {
        const char *want = t->wants_tag && t->resolved.object ? t->resolved.object : t->resolved.text;
        git_store_want(r->store, t->origin, want, t->resolved.ref, on_commit, q);
        return false;
    }
    return !r->options.submodules || advance_modules(q, t);
}

static void step(void *arg)
{
    struct request *q = arg;
    AUTO_ERR err = TAKE(q->err);
    if (!err && *rpc_call_canceled(q->call))
        err_set(&err, ERR_CANCELED, "the caller gave up");
    if (err) {
        request_fail(q, err);
        return;
    }
    while (q->at < q->targets.n) {
        if (!advance(q, &q->targets.v[q->at]))
            return;
        q->at++;
    }
    q->ready(q);
}

void request_go(struct request *q)
{
    step(q);
}

void request_work(struct request *q, void (*fn)(void *q))
{
    AUTO_ERR err = NULL;
    if (pool_submit(q->repo->render_pool, fn, q, &err) < 0)
        request_fail(q, err);
}

void request_network(struct request *q, void (*fn)(void *q))
{
    AUTO_ERR err = NULL;
    if (pool_submit(q->repo->fetch_pool, fn, q, &err) < 0)
        request_fail(q, err);
}

bool request_again(struct request *q)
{
    if (q->retries++ >= MAX_RETRIES)
        return false;
    VEC_FOREACH(&q->targets, t) {
        if (t->streamed)
            continue;
        *t->commit = '\0';
        drop_modules(t);
        t->want.fresh_content = true;
        free(TAKE(t->pack));
    }
    q->at = 0;
    next_step(q);
    return true;
}

/* ---- reading messages ---- */

static int unserved(err_t **err, const char *url, const char *what)
{
    AUTO(free_p) char *shown = git_url_for_message(url);
    return err_set(err, ERR_UNIMPLEMENTED, "repository %s: %s not served by this repository server", shown,
                   what);
}

/* What is exchanged for a token, when there is no credential that needs no exchange; the first that is given
 * counts. */
static struct token_source message_token(const Cargocd__Repo__Repository *m)
{
    if (!str_empty(m->password) || !str_empty(m->bearer_token) || !str_empty(m->ssh_private_key))
        return (struct token_source){};
    if (!str_empty(m->github_app_private_key) && m->github_app_id)
        return (struct token_source){.kind = TOKEN_GITHUB_APP,
                                     .secret = m->github_app_private_key,
                                     .app_id = m->github_app_id,
                                     .installation_id = m->github_app_installation_id,
                                     .base_url = m->github_app_enterprise_base_url};
    if (!str_empty(m->gcp_service_account_key))
        return (struct token_source){.kind = TOKEN_GOOGLE, .secret = m->gcp_service_account_key};
    if (m->use_azure_workload_identity)
        return (struct token_source){.kind = TOKEN_AZURE_WORKLOAD};
    if (!str_empty(m->azure_client_id) && !str_empty(m->azure_client_secret) &&
        !str_empty(m->azure_tenant_id))
        return (struct token_source){.kind = TOKEN_AZURE,
                                     .secret = m->azure_client_secret,
                                     .base_url = m->azure_endpoint,
                                     .client_id = m->azure_client_id,
                                     .tenant_id = m->azure_tenant_id};
    return (struct token_source){};
}

int message_origin(repo_t *r, const Cargocd__Repo__Repository *m, origin_t **out, err_t **err)
{
    if (!m || str_empty(m->url))
        return err_set(err, ERR_INVALID_ARGUMENT, "the request names no repository");
    if (str_eq(m->type, "helm") || str_eq(m->type, "oci") || m->enable_oci ||
        str_has_prefix(m->url, "oci://"))
        return unserved(err, m->url, "Helm and OCI repositories are");
    struct git_access access = {
        .url = m->url,
        .username = m->username,
        .password = m->password,
        .bearer_token = m->bearer_token,
        .ssh_private_key = m->ssh_private_key,
        .tls_client_cert = m->tls_client_cert,
        .tls_client_key = m->tls_client_key,
        .proxy = m->proxy,
        .no_proxy = m->no_proxy,
        .insecure = m->insecure,
        .force_basic = m->force_http_basic_auth,
        .depth = m->depth,
        .token = message_token(m),
    };
    return origin_new(&access, &r->options.git, out, err);
}

int message_remote(const Cargocd__Repo__Repository *m, remote_t **out, err_t **err)
{
    if (!m || str_empty(m->url))
        return err_set(err, ERR_INVALID_ARGUMENT, "the request names no repository");
    bool oci = m->enable_oci || !strstr(m->url, "://") || str_has_prefix(m->url, "oci://");
    if (m->use_azure_workload_identity && !oci)
        return unserved(err, m->url, "Azure credentials for what is no registry are");
    struct remote_access access = {
        .url = m->url,
        .username = m->username,
        .password = m->password,
        .tls_client_cert = m->tls_client_cert,
        .tls_client_key = m->tls_client_key,
        .proxy = m->proxy,
        .no_proxy = m->no_proxy,
        .oci = m->enable_oci || !strstr(m->url, "://"),
        .insecure = m->insecure,
        .plain_http = m->insecure_oci_force_http,
        .azure = m->use_azure_workload_identity,
    };
    return remote_new(&access, out, err);
}

enum source_class source_class(const json_t *source)
{
    if (str_has_prefix(str_or_empty(json_str_at(source, "repoURL")), "oci://"))
        return SOURCE_OCI;
    return str_empty(json_str_at(source, "chart")) ? SOURCE_GIT : SOURCE_CHART;
}

int message_source(const ProtobufCBinaryData *bytes, json_t **out, err_t **err)
{
    AUTO_JSON doc = NULL;
    if (!bytes->len || bytes->len > SOURCE_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "the request has no source");
    int r = json_read((const char *)bytes->data, bytes->len, &doc, err);
    if (r == 0 && !json_is_map(doc))
        r = err_set(err, ERR_INVALID_ARGUMENT, "the source is no object");
    if (r == 0)
        *out = TAKE(doc);
    return r < 0 ? err_wrap(err, "read the application's source") : 0;
}

static int mount_modules(repo_t *r, const struct target *t, struct opened *o, err_t **err)
{
    int e = 0;
    for (size_t i = 0; e == 0 && i < t->modules.n; i++) {
        const struct target_module *m = &t->modules.v[i];
        git_lease_t *lease = NULL;
        e = git_lease_open(r->store, m->origin->storage_key, &lease, err);
        if (e == 0)
            e = git_tree_mount(o->backend, lease, m->commit, err);
    }
    return e;
}

int target_open(repo_t *r, const struct target *t, struct opened *out, err_t **err)
{
    *out = (struct opened){.repo = r, .target = t};
    if (t->remote || t->streamed) {
        int opened = pack_open(str_or_empty(t->pack), &out->backend, err);
        return opened == -ERR_NOT_FOUND ? err_recode(err, ERR_DATA_LOSS) : opened; /* space was needed */
    }
    int e = git_lease_open(r->store, t->origin->storage_key, &out->lease, err);
    if (e == 0)
        e = git_tree_open(out->lease, t->commit, &out->backend, err);
    if (e == 0)
        e = mount_modules(r, t, out, err);
    if (e == -ERR_NOT_FOUND) /* the clone was replaced since */
        e = err_recode(err, ERR_DATA_LOSS);
    if (e < 0)
        opened_close(out);
    return e;
}

void opened_close(struct opened *o)
{
    tree_backend_free(o->backend);
    git_lease_close(o->lease);
    *o = (struct opened){};
}

/* A pointer does not say whose it is: the commit's own repository is asked first, then its submodules'. */
static int read_lfs(void *arg, const struct lfs_pointer *pointer, str_t *out, err_t **err)
{
    const struct opened *o = arg;
    const struct target *t = o->target;
    int r = git_store_lfs(o->repo->store, t->origin, t->commit, pointer, out, err);
    for (size_t i = 0; r < 0 && i < t->modules.n; i++) {
        AUTO_ERR ignored = NULL;
        const struct target_module *m = &t->modules.v[i];
        if (git_store_lfs(o->repo->store, m->origin, m->commit, pointer, out, &ignored) == 0) {
            r = 0;
            if (err)
                err_clear(err);
        }
    }
    return r;
}

tree_t *opened_tree(struct opened *o, struct trace_root *trace)
{
    tree_t *tree = tree_new(TAKE(o->backend), trace);
    o->lfs = (struct tree_lfs){read_lfs, o};
    if (o->target->lfs && o->target->origin)
        tree_set_lfs(tree, &o->lfs);
    return tree;
}
