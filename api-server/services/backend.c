/* The controller, and its copies in Redis. Copies are asked first: they cost the controller nothing. What is
 * not there comes from the controller itself, so that Redis may be empty or away.
 *
 * News of changed trees comes by Redis; while that is away, by the controller's Changes call, which waits.
 * One thread listens; fetching is done by workers, keyed by application, so that a burst of news is one
 * fetch. */
#include "api-server/services/server.h"

#include "common/argo/tracking.h"
#include "common/base/log.h"
#include "common/base/map.h"
#include "common/base/workq.h"
#include "proto/rpc/controller.pb-c.h"

enum { MAX_COPY = 64 << 20, WAIT_MS = 20000, TURN_MS = 1000 };
#define NEWS_CHANNEL "cargocd|app-news"
#define CALL_TIMEOUT SECONDS(20)

typedef Cargocd__Controller__AppRef app_ref_t;

struct backend {
    server_t *s;
    workq_t *trees; /* "namespace/name" */
    pthread_t news;
    atomic_bool stop;
    _Atomic bool subscribed;
    lock_t lock;
    cond_t changed;
};

/* ---- copies ---- */

static int read_copy(server_t *s, const char *kind, const char *ns, const char *name, json_t **out)
{
    AUTO(free_p) char *instance = instance_name(ns, name, s->flags->ns), *key = NULL;
    AUTO_STR text = STR_INIT;
    if (!s->seal || !redis_available(s->redis))
        return -ERR_NOT_FOUND;
    key = xasprintf("app|%s|%s", kind, instance);
    int rc = redis_get_sealed(s->redis, s->seal, key, MAX_COPY, &text, NULL);
    return rc < 0 ? rc : json_read(str_text(&text), text.len, out, NULL);
}

/* ---- calls ---- */

/* Whichever replica works the application. */
static int call(server_t *s, const char *place, const char *method, const ProtobufCMessage *in,
                const ProtobufCMessageDescriptor *type, int64_t timeout, void *out, err_t **err)
{
    ProtobufCMessage *reply = NULL;
    if (!s->controller)
        return err_set(err, ERR_UNAVAILABLE, "no application controller is configured");
    int rc = rpc_replicas_find(s->controller, place, method, in, type, timeout, &reply, err);
    if (rc < 0)
        return err_wrap(err, "ask the application controller");
    *(void **)out = reply;
    return 0;
}

static app_ref_t app_ref(const char *ns, const char *name)
{
    app_ref_t ref = CARGOCD__CONTROLLER__APP_REF__INIT;
    ref.namespace_ = (char *)(uintptr_t)ns;
    ref.name = (char *)(uintptr_t)name;
    return ref;
}

static int parse_reply(const ProtobufCBinaryData *bytes, json_t **out, err_t **err)
{
    int rc = json_read((const char *)bytes->data, bytes->len, out, err);
    return rc < 0 ? err_recode(err, ERR_INTERNAL) : 0;
}

int backend_tree_within(server_t *s, const char *ns, const char *name, int64_t timeout, json_t **out,
                        err_t **err)
{
    Cargocd__Controller__GetTreeRequest in = CARGOCD__CONTROLLER__GET_TREE_REQUEST__INIT;
    Cargocd__Controller__GetTreeResponse *reply = NULL;
    app_ref_t ref = app_ref(ns, name);
    if (read_copy(s, "resources-tree", ns, name, out) == 0)
        return 0;
    in.app = &ref;
    int rc = call(s, name, "controller.GetTree", &in.base,
                  &cargocd__controller__get_tree_response__descriptor, timeout, &reply, err);
    if (rc == 0)
        rc = parse_reply(&reply->tree, out, err);
    cargocd__controller__get_tree_response__free_unpacked(reply, NULL);
    return rc;
}

int backend_tree(server_t *s, const char *ns, const char *name, json_t **out, err_t **err)
{
    return backend_tree_within(s, ns, name, CALL_TIMEOUT, out, err);
}

int backend_managed(server_t *s, const char *ns, const char *name, json_t **out, err_t **err)
{
    Cargocd__Controller__GetManagedResourcesRequest in =
        CARGOCD__CONTROLLER__GET_MANAGED_RESOURCES_REQUEST__INIT;
    Cargocd__Controller__GetManagedResourcesResponse *reply = NULL;
    app_ref_t ref = app_ref(ns, name);
    if (read_copy(s, "managed-resources", ns, name, out) == 0)
        return 0;
    in.app = &ref;
    int rc = call(s, name, "controller.GetManagedResources", &in.base,
                  &cargocd__controller__get_managed_resources_response__descriptor, CALL_TIMEOUT, &reply,
                  err);
    if (rc == 0)
        rc = parse_reply(&reply->items, out, err);
    cargocd__controller__get_managed_resources_response__free_unpacked(reply, NULL);
    return rc;
}

static char *text_of(const json_t *o, const char *key)
{
    return (char *)(uintptr_t)str_or_empty(json_str_at(o, key));
}

int backend_resource(server_t *s, const char *ns, const char *name, const json_t *query, json_t **out,
                     err_t **err)
{
    Cargocd__Controller__GetResourceRequest in = CARGOCD__CONTROLLER__GET_RESOURCE_REQUEST__INIT;
    Cargocd__Controller__GetResourceResponse *reply = NULL;
    app_ref_t ref = app_ref(ns, name);
    in.app = &ref;
    in.group = text_of(query, "group");
    in.version = text_of(query, "version");
    in.kind = text_of(query, "kind");
    in.namespace_ = text_of(query, "namespace");
    in.name = text_of(query, "resourceName");
    int rc = call(s, name, "controller.GetResource", &in.base,
                  &cargocd__controller__get_resource_response__descriptor, CALL_TIMEOUT, &reply, err);
    if (rc == 0)
        rc = parse_reply(&reply->object, out, err);
    cargocd__controller__get_resource_response__free_unpacked(reply, NULL);
    return rc;
}

int backend_why(server_t *s, const char *ns, const char *name, json_t **out, err_t **err)
{
    Cargocd__Controller__WhyRequest in = CARGOCD__CONTROLLER__WHY_REQUEST__INIT;
    Cargocd__Controller__WhyResponse *reply = NULL;
    app_ref_t ref = app_ref(ns, name);
    in.app = &ref;
    int rc = call(s, name, "controller.Why", &in.base, &cargocd__controller__why_response__descriptor,
                  CALL_TIMEOUT, &reply, err);
    if (rc == 0)
        rc = parse_reply(&reply->journal, out, err);
    cargocd__controller__why_response__free_unpacked(reply, NULL);
    return rc;
}

struct infos {
    Cargocd__Controller__ClusterInfoRequest in;
    json_t *out;
};

static const ProtobufCMessage *ask_infos(void *ctx, const char *address, size_t n)
{
    (void)address;
    (void)n;
    return &((struct infos *)ctx)->in.base;
}

static void take_infos(void *ctx, const char *address, const ProtobufCMessage *reply)
{
    const Cargocd__Controller__ClusterInfoResponse *r = (const void *)reply;
    struct infos *i = ctx;
    AUTO_JSON list = NULL;
    size_t k;
    json_t *c;
    (void)address;
    if (parse_reply(&r->clusters, &list, NULL) < 0)
        return;
    json_array_foreach(list, k, c)
        if (json_is_map(json_object_get(c, "info")))
            json_object_set(i->out, str_or_empty(json_str_at(c, "server")), json_object_get(c, "info"));
}

/* Each replica tells of the clusters that it answers for. */
int backend_cluster_infos(server_t *s, const char *cluster, json_t **out, err_t **err)
{
    if (!s->controller)
        return err_set(err, ERR_UNAVAILABLE, "no application controller is configured");
    struct infos i = {.in = CARGOCD__CONTROLLER__CLUSTER_INFO_REQUEST__INIT, .out = json_object()};
    struct rpc_each each = {ask_infos, take_infos, &i};
    i.in.server = (char *)(uintptr_t)cluster;
    int rc = rpc_replicas_each(s->controller, "controller.ClusterInfo",
                               &cargocd__controller__cluster_info_response__descriptor, SECONDS(5), NULL,
                               &each, err);
    if (rc < 0) {
        json_decref(i.out);
        return err_wrap(err, "ask the application controller");
    }
    *out = i.out;
    return 0;
}

int backend_cluster_info(server_t *s, const char *cluster, json_t **out, err_t **err)
{
    AUTO_JSON all = NULL;
    int rc = backend_cluster_infos(s, cluster, &all, err);
    if (rc < 0)
        return rc;
    const json_t *info = json_object_get(all, cluster);
    if (!info)
        return err_set(err, ERR_NOT_FOUND, "cluster %s is not watched", cluster);
    *out = json_copy_deep(info);
    return 0;
}

/* ---- trees for live ---- */

static void fetch_tree(void *ctx, const char *key, uint64_t bits)
{
    server_t *s = ((struct backend *)ctx)->s;
    AUTO_ERR err = NULL;
    AUTO_JSON tree = NULL;
    const char *slash = strchr(key, '/');
    AUTO(free_p) char *ns = xstrndup(key, (size_t)(slash - key));
    if (!live_tree_wanted(s->live, ns, slash + 1))
        return;
    if (backend_tree(s, ns, slash + 1, &tree, &err) == 0) {
        live_put_tree(s->live, ns, slash + 1, tree);
        return;
    }
    live_fail_tree(s->live, ns, slash + 1, err);
    workq_add_jittered(s->backend->trees, key, 1, SECONDS(2), SECONDS(2));
}

void backend_want_tree(void *server, const char *ns, const char *name)
{
    server_t *s = server;
    AUTO(free_p) char *key = xasprintf("%s/%s", ns, name);
    /* A moment later: the caller is about to follow the topic. */
    workq_add_after(s->backend->trees, key, 1, MILLIS(1));
}

/* ---- news ---- */

static void tell_key(server_t *s, const char *key)
{
    const char *slash = key ? strchr(key, '/') : NULL;
    if (!slash)
        return;
    AUTO(free_p) char *ns = xstrndup(key, (size_t)(slash - key));
    live_tree_news(s->live, ns, slash + 1);
}

static void on_message(void *arg, const char *channel, const char *p, size_t n)
{
    struct backend *b = arg;
    AUTO_JSON news = NULL;
    if (n < 64 << 10 && json_read(p, n, &news, NULL) == 0)
        tell_key(b->s, json_str_at(news, "app"));
}

static void on_state(void *arg, bool subscribed)
{
    struct backend *b = arg;
    b->subscribed = subscribed;
    if (subscribed)
        live_tree_news(b->s->live, NULL, NULL);
    LOCKED(&b->lock);
    pthread_cond_broadcast(&b->changed);
}

/* Where we are in the news of each replica. */
struct position {
    char *epoch;
    uint64_t rev;
};
struct positions {
    struct backend *b;
    map_t by_address; /* v: struct position * */
    Cargocd__Controller__ChangesRequest in;
    Cargocd__Controller__Known since;
};

static void position_free(void *p)
{
    struct position *at = p;
    free(at->epoch);
    free(at);
}

/* One alone may take its time; several are asked in turn. */
static const ProtobufCMessage *ask_changes(void *ctx, const char *address, size_t n)
{
    struct positions *p = ctx;
    const struct position *at = map_get(&p->by_address, address);
    p->since.epoch = at ? at->epoch : (char *)"";
    p->since.rev = at ? at->rev : 0;
    p->in.since = &p->since;
    p->in.wait_ms = n > 1 ? TURN_MS / (int64_t)n : WAIT_MS;
    return &p->in.base;
}

static void take_changes(void *ctx, const char *address, const ProtobufCMessage *reply)
{
    struct positions *p = ctx;
    const Cargocd__Controller__ChangesResponse *r = (const void *)reply;
    struct position *at = xcalloc(1, sizeof(*at));
    if (r->reset)
        live_tree_news(p->b->s->live, NULL, NULL);
    for (size_t i = 0; i < r->n_apps; i++)
        live_tree_news(p->b->s->live, r->apps[i]->namespace_, r->apps[i]->name);
    at->epoch = xstrdup(r->epoch);
    at->rev = r->rev;
    map_put(&p->by_address, address, at);
}

static int wait_for_changes(struct backend *b, struct positions *p)
{
    struct rpc_each each = {ask_changes, take_changes, p};
    return rpc_replicas_each(b->s->controller, "controller.Changes",
                             &cargocd__controller__changes_response__descriptor, MILLIS(WAIT_MS) + SECONDS(5),
                             &b->stop, &each, NULL);
}

static void pause_for(struct backend *b, int64_t ns)
{
    mono_t end = mono_after(mono_now(), ns);
    LOCKED(&b->lock);
    while (!b->stop && cond_wait_until(&b->changed, &b->lock, end))
        if (!b->subscribed)
            break;
}

/* Asks the controller only while nobody else brings news. */
static void *listen(void *arg)
{
    struct backend *b = arg;
    struct positions at = {.b = b,
                           .by_address = MAP_INIT(position_free),
                           .in = CARGOCD__CONTROLLER__CHANGES_REQUEST__INIT,
                           .since = CARGOCD__CONTROLLER__KNOWN__INIT};
    while (!b->stop) {
        if (b->subscribed || !b->s->controller) {
            map_clear(&at.by_address); /* what was missed is not known */
            pause_for(b, SECONDS(30));
        } else if (wait_for_changes(b, &at) < 0)
            pause_for(b, SECONDS(2));
    }
    map_dispose(&at.by_address);
    return NULL;
}

struct backend *backend_new(server_t *s)
{
    struct backend *b = xcalloc(1, sizeof *b);
    b->s = s;
    pthread_mutex_init(&b->lock, NULL);
    cond_init(&b->changed);
    b->trees = workq_new("trees", 4, fetch_tree, b);
    if (s->redis) {
        struct redis_subscription sub = {NEWS_CHANNEL, on_message, on_state, b};
        redis_subscribe(s->redis, &sub);
    }
    b->news = thread_start("news", listen, b);
    return b;
}

void backend_stop(struct backend *b)
{
    if (!b)
        return;
    {
        LOCKED(&b->lock);
        b->stop = true;
        pthread_cond_broadcast(&b->changed);
    }
    pthread_join(b->news, NULL);
    workq_stop(b->trees);
}

void backend_free(struct backend *b)
{
    if (!b)
        return;
    workq_free(b->trees);
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
    free(b);
}
