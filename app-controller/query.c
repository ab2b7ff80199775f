/* Answers come from what the controller has at hand: trees and managed resources are built when they are
 * asked for, for the application as last compared. What leaves is masked, and only what belongs to the
 * application's tree can be read. */
#include "app-controller/query.h"
#include "app-controller/clusters.h"
#include "app-controller/ownership.h"
#include "app-controller/publish.h"
#include "app-controller/refresh.h"
#include "common/argo/app.h"
#include "common/base/log.h"
#include "common/engine/mask.h"

#include "proto/rpc/controller.pb-c.h"

enum { WORKERS = 8, WAITERS = 16, MAX_WAIT_MS = 30000 };

struct query {
    struct controller *ctl;
    rpc_server_t *server;
    pool_t *workers; /* answers */
    pool_t *waiters; /* Changes waits */
};

static void fail(rpc_call_t *call, enum err_code code, const char *text)
{
    AUTO_ERR err = NULL;
    err_set(&err, code, "%s", text);
    rpc_fail(call, err);
}

/* NULL, and the call has failed. */
static struct app *find_app(query_t *q, rpc_call_t *call, const Cargocd__Controller__AppRef *ref)
{
    AUTO(free_p) char *key = xasprintf("%s/%s", ref ? ref->namespace_ : "", ref ? ref->name : "");
    struct app *app = apps_get(q->ctl->apps, key);
    if (!app) {
        AUTO(free_p) char *text = xasprintf("application %s not found", key);
        fail(call, ERR_NOT_FOUND, text);
    } else if (!ownership_has(q->ctl, app)) {
        AUTO(free_p) char *text = xasprintf("application %s is not worked by this replica", key);
        fail(call, ERR_UNAVAILABLE, text);
        app_unref(q->ctl->apps, app);
        app = NULL;
    }
    return app;
}

static ProtobufCBinaryData bytes_of(str_t *text)
{
    return (ProtobufCBinaryData){.len = text->len, .data = (uint8_t *)(uintptr_t)str_text(text)};
}

static uint64_t rev_of(query_t *q, struct app *app)
{
    (void)q;
    LOCKED(&app->lock);
    return app->tree_rev;
}

/* ---- trees ---- */

static void get_tree(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    query_t *q = ctx;
    const Cargocd__Controller__GetTreeRequest *m = (const void *)in;
    struct app *app = find_app(q, call, m->app);
    if (!app)
        return;
    Cargocd__Controller__GetTreeResponse out = CARGOCD__CONTROLLER__GET_TREE_RESPONSE__INIT;
    AUTO_STR text = STR_INIT;
    out.epoch = q->ctl->epoch;
    out.rev = rev_of(q, app);
    out.same = m->known && str_eq(m->known->epoch, q->ctl->epoch) && m->known->rev == out.rev && out.rev;
    if (!out.same) {
        AUTO_JSON tree = tree_of(q->ctl, app, true);
        json_write(tree, JSON_GO, &text);
        out.tree = bytes_of(&text);
    }
    rpc_reply(call, &out.base);
    app_unref(q->ctl->apps, app);
}

/* ---- managed resources ---- */

struct look {
    json_t *doc, *project, *sources;
    cluster_t *cluster;
    settings_t *settings;
    struct compare_input in;
    struct comparison c;
};

static void look_dispose(struct look *l)
{
    comparison_dispose(&l->c);
    json_decref(l->doc);
    json_decref(l->project);
    json_decref(l->sources);
    cluster_unref(l->cluster);
    settings_unref(l->settings);
}

/* The comparison of the application with its last rendering, anew. */
static int look(query_t *q, struct app *app, struct look *l, err_t **err)
{
    AUTO_JSON conditions = json_array();
    l->doc = app_doc(app);
    if (!l->doc)
        return err_set(err, ERR_NOT_FOUND, "application %s not found", app->key);
    if (application_check(q->ctl, app, l->doc, &l->project, &l->cluster, conditions) < 0)
        return err_set(err, ERR_FAILED_PRECONDITION, "%s",
                       str_or_empty(json_str_at(json_array_get(conditions, 0), "message")));
    if (cluster_ready(l->cluster, mono_now(), err) < 0)
        return err_again(err);
    l->settings = world_settings(q->ctl->world);
    l->sources = app_sources(l->doc);
    l->in = (struct compare_input){.doc = l->doc,
                                   .project = l->project,
                                   .cluster = l->cluster,
                                   .settings = l->settings,
                                   .sources = l->sources,
                                   .canceled = &q->ctl->stopping};
    l->c.ns = xstrdup(str_or_empty(json_str_at(l->doc, "spec", "destination", "namespace")));
    {
        LOCKED(&app->lock);
        for (size_t i = 0; i < app->nrenderings; i++)
            VEC_PUSH(&l->c.renderings, rendering_copy(&app->renderings[i]));
    }
    comparison_pair(q->ctl, app, &l->in, &l->c);
    comparison_judge(q->ctl, app, &l->in, &l->c);
    return 0;
}

static void get_managed(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    query_t *q = ctx;
    const Cargocd__Controller__GetManagedResourcesRequest *m = (const void *)in;
    struct app *app = find_app(q, call, m->app);
    if (!app)
        return;
    struct look l = {};
    AUTO_ERR err = NULL;
    if (look(q, app, &l, &err) < 0) {
        rpc_fail(call, err);
    } else {
        struct obj_key filter = {m->group, m->kind, m->namespace_, m->name};
        AUTO_JSON items = managed_resources_of(q->ctl, app, &l.in, &l.c, &filter);
        AUTO_STR text = STR_INIT;
        json_write(items, JSON_GO, &text);
        Cargocd__Controller__GetManagedResourcesResponse out =
            CARGOCD__CONTROLLER__GET_MANAGED_RESOURCES_RESPONSE__INIT;
        out.epoch = q->ctl->epoch;
        out.rev = rev_of(q, app);
        out.items = bytes_of(&text);
        rpc_reply(call, &out.base);
    }
    look_dispose(&l);
    app_unref(q->ctl->apps, app);
}

/* ---- one object ---- */

static cluster_t *cluster_of(struct app *app)
{
    LOCKED(&app->lock);
    return app->cluster ? cluster_ref(app->cluster) : NULL;
}

static int read_resource(query_t *q, struct app *app, const Cargocd__Controller__GetResourceRequest *m,
                         json_t **out, err_t **err)
{
    struct obj_key key = {m->group, m->kind, m->namespace_, m->name};
    if (!tree_has(q->ctl, app, &key))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s %s %s not found as part of application %s", m->kind,
                       m->group, m->name, app->name);
    cluster_t *cluster = cluster_of(app);
    if (!cluster)
        return err_set(err, ERR_UNAVAILABLE, "the cluster of application %s is not known", app->name);
    kube_api_t *api = cluster_api(cluster);
    const struct kube_resource *r = kube_api_find(api, m->group, str_empty(m->version) ? NULL : m->version,
                                                  m->kind);
    int code =
        r ? kube_get(cluster_kube(cluster), r, r->namespaced ? m->namespace_ : NULL, m->name, NULL, out, err)
          : err_set(err, ERR_NOT_FOUND, "the cluster does not serve %s %s %s", m->kind, m->group, m->version);
    kube_api_unref(api);
    cluster_unref(cluster);
    return code;
}

static void get_resource(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    query_t *q = ctx;
    const Cargocd__Controller__GetResourceRequest *m = (const void *)in;
    struct app *app = find_app(q, call, m->app);
    if (!app)
        return;
    AUTO_ERR err = NULL;
    json_t *object = NULL;
    if (read_resource(q, app, m, &object, &err) < 0) {
        rpc_fail(call, err);
    } else {
        AUTO(settings_unref_p) settings_t *settings = world_settings(q->ctl->world);
        mask_secrets((json_t *const[]){object}, 1, settings_masked_annotations(settings));
        AUTO_STR text = STR_INIT;
        json_write(object, JSON_GO, &text);
        Cargocd__Controller__GetResourceResponse out = CARGOCD__CONTROLLER__GET_RESOURCE_RESPONSE__INIT;
        out.object = bytes_of(&text);
        rpc_reply(call, &out.base);
    }
    json_decref(object);
    app_unref(q->ctl->apps, app);
}

/* ---- news ---- */

static void changes(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    query_t *q = ctx;
    const Cargocd__Controller__ChangesRequest *m = (const void *)in;
    Cargocd__Controller__ChangesResponse out = CARGOCD__CONTROLLER__CHANGES_RESPONSE__INIT;
    bool known = m->since && str_eq(m->since->epoch, q->ctl->epoch), reset = false;
    uint64_t rev = 0;
    int64_t wait_ms = m->wait_ms > MAX_WAIT_MS ? MAX_WAIT_MS : m->wait_ms;
    AUTO(strv_free_p)
    char **keys = apps_changed_since(q->ctl->apps, known ? m->since->rev : 0, known ? MILLIS(wait_ms) : 0,
                                     rpc_call_canceled(call), &rev, &reset);
    size_t n = strv_len(keys);
    Cargocd__Controller__AppRef *refs = xcalloc(n, sizeof(*refs)), **list = xcalloc(n, sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        char *separator = strchr(keys[i], '/');
        *separator = 0;
        cargocd__controller__app_ref__init(&refs[i]);
        refs[i].namespace_ = keys[i];
        refs[i].name = separator + 1;
        list[i] = &refs[i];
    }
    out.epoch = q->ctl->epoch;
    out.rev = rev;
    out.reset = !known || reset;
    out.n_apps = out.reset ? 0 : n;
    out.apps = list;
    rpc_reply(call, &out.base);
    free(list);
    free(refs);
}

/* ---- the journal, clusters ---- */

static void why(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    query_t *q = ctx;
    const Cargocd__Controller__WhyRequest *m = (const void *)in;
    struct app *app = find_app(q, call, m->app);
    if (!app)
        return;
    AUTO_JSON entries = NULL;
    {
        LOCKED(&app->lock);
        entries = journal_read(&app->journal);
    }
    AUTO_STR text = STR_INIT;
    json_write(entries, JSON_GO, &text);
    Cargocd__Controller__WhyResponse out = CARGOCD__CONTROLLER__WHY_RESPONSE__INIT;
    out.journal = bytes_of(&text);
    rpc_reply(call, &out.base);
    app_unref(q->ctl->apps, app);
}

static void clusters(void *ctx, rpc_call_t *call, const ProtobufCMessage *in)
{
    query_t *q = ctx;
    const Cargocd__Controller__ClusterInfoRequest *m = (const void *)in;
    AUTO_JSON all = clusters_describe(q->ctl);
    AUTO_JSON some = json_array();
    for (size_t i = 0; i < json_array_size(all); i++) {
        json_t *c = json_array_get(all, i);
        if (str_empty(m->server) || str_eq(json_str_at(c, "server"), m->server))
            json_array_append(some, c);
    }
    AUTO_STR text = STR_INIT;
    json_write(some, JSON_GO, &text);
    Cargocd__Controller__ClusterInfoResponse out = CARGOCD__CONTROLLER__CLUSTER_INFO_RESPONSE__INIT;
    out.clusters = bytes_of(&text);
    rpc_reply(call, &out.base);
}

/* ---- the server ---- */

int query_start(struct controller *ctl, const char *address, const struct tls_files *tls, query_t **out,
                err_t **err)
{
    query_t *q = xcalloc(1, sizeof(*q));
    q->ctl = ctl;
    q->workers = pool_new("query", WORKERS, 1024);
    q->waiters = pool_new("changes", WAITERS, WAITERS);
    const struct rpc_method methods[] = {
        {"controller.GetTree", &cargocd__controller__get_tree_request__descriptor, get_tree, q->workers},
        {"controller.GetManagedResources", &cargocd__controller__get_managed_resources_request__descriptor,
         get_managed, q->workers},
        {"controller.GetResource", &cargocd__controller__get_resource_request__descriptor, get_resource,
         q->workers},
        {"controller.Changes", &cargocd__controller__changes_request__descriptor, changes, q->waiters},
        {"controller.Why", &cargocd__controller__why_request__descriptor, why, q->workers},
        {"controller.ClusterInfo", &cargocd__controller__cluster_info_request__descriptor, clusters,
         q->workers},
    };
    struct rpc_server_options options = {.name = "query",
                                         .address = address,
                                         .tls = *tls,
                                         .methods = methods,
                                         .nmethods = ARRAY_LEN(methods),
                                         .ctx = q};
    if (rpc_server_start(&options, &q->server, err) < 0) {
        query_stop(q);
        return err_wrap(err, "query service");
    }
    *out = q;
    return 0;
}

void query_stop(query_t *q)
{
    if (!q)
        return;
    if (q->server)
        rpc_server_free(q->server, SECONDS(2));
    pool_free(q->workers);
    pool_free(q->waiters);
    free(q);
}

int query_port(const query_t *q)
{
    return rpc_server_port(q->server);
}
