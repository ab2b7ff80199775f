#include "tests/kubesim/ctl.h"

#include "tests/kubesim/gc.h"
#include "tests/kubesim/selector.h"

struct item {
    struct timer timer;
    struct sim *sim;
    enum ctl which;
    bool held; /* fell due while its controller was paused */
    char *ns, *name;
};

struct controllers {
    map_t items; /* "which ns name" -> struct item */
    bool paused[CTL_COUNT];
};

static const struct {
    const char *name;
    void (*sync)(struct sim *s, const char *ns, const char *name);
    const char *key;  /* of the resource whose changes it follows */
    const char *kind; /* of owners: changes of what they own are theirs too */
} table[CTL_COUNT] = {
    [CTL_DEFINITION] = {"definition", definition_sync, "customresourcedefinitions.apiextensions.k8s.io",
                        NULL},
    [CTL_NAMESPACE] = {"namespace", namespace_sync, "namespaces", NULL},
    [CTL_COLLECTOR] = {"collector", collector_sync, NULL, NULL},
    [CTL_DEPLOYMENT] = {"deployment", deployment_sync, "deployments.apps", "Deployment"},
    [CTL_REPLICASET] = {"replicaset", replicaset_sync, "replicasets.apps", "ReplicaSet"},
    [CTL_STATEFULSET] = {"statefulset", statefulset_sync, "statefulsets.apps", "StatefulSet"},
    [CTL_DAEMONSET] = {"daemonset", daemonset_sync, "daemonsets.apps", "DaemonSet"},
    [CTL_JOB] = {"job", job_sync, "jobs.batch", "Job"},
    [CTL_POD] = {"pod", pod_sync, "pods", NULL},
    [CTL_SERVICE] = {"service", service_sync, "services", NULL},
    [CTL_CLAIM] = {"claim", claim_sync, "persistentvolumeclaims", NULL},
    [CTL_API_SERVICE] = {"apiservice", apiservice_sync, "apiservices.apiregistration.k8s.io", NULL},
};

enum ctl ctl_by_name(const char *name)
{
    enum ctl i = 0;
    while (i < CTL_COUNT && strcmp(table[i].name, name) != 0)
        i++;
    return i;
}

/* ---- the queue ---- */

static void item_free(void *p)
{
    struct item *i = p;
    loop_timer_stop(i->sim->loop, &i->timer);
    free(i->ns);
    free(i->name);
    free(i);
}

struct controllers *controllers_new(struct sim *s)
{
    struct controllers *c = xcalloc(1, sizeof(*c));
    c->items = (map_t)MAP_INIT(item_free);
    return c;
}

void controllers_free(struct controllers *c)
{
    if (!c)
        return;
    map_dispose(&c->items);
    free(c);
}

static char *item_key(enum ctl which, const char *ns, const char *name)
{
    return xasprintf("%d %s %s", (int)which, ns, name);
}

static void on_due(struct timer *t)
{
    struct item *i = CONTAINER_OF(t, struct item, timer);
    struct sim *s = i->sim;
    if (s->controllers->paused[i->which]) {
        i->held = true;
        return;
    }
    AUTO(free_p) char *key = item_key(i->which, i->ns, i->name);
    i = map_take(&s->controllers->items, key);
    table[i->which].sync(s, i->ns, i->name);
    item_free(i);
}

void ctl_enqueue(struct sim *s, enum ctl which, const char *ns, const char *name, int64_t delay_ns)
{
    AUTO(free_p) char *key = item_key(which, ns, name);
    struct item *i = map_get(&s->controllers->items, key);
    if (i && (i->held || i->timer.due <= mono_now().ns + delay_ns))
        return;
    if (!i) {
        i = xcalloc(1, sizeof(*i));
        *i = (struct item){
            .timer.fn = on_due, .sim = s, .which = which, .ns = xstrdup(ns), .name = xstrdup(name)};
        map_put(&s->controllers->items, key, i);
    }
    loop_timer(s->loop, &i->timer, delay_ns);
}

void controllers_pause(struct sim *s, enum ctl which, bool paused)
{
    s->controllers->paused[which] = paused;
    MAP_FOREACH(&s->controllers->items, e) {
        struct item *i = e->value;
        if (paused || i->which != which || !i->held)
            continue;
        i->held = false;
        loop_timer(s->loop, &i->timer, 0);
    }
}

size_t controllers_queued(const struct sim *s)
{
    return s->controllers->items.n;
}

/* ---- changes to work ---- */

static void enqueue_owners(struct sim *s, const struct blob *b)
{
    json_t *meta = NULL, *ref;
    size_t i;
    view_t text = blob_meta(b), ns = blob_ns(b);
    if (!b->owned || json_read(text.p, text.n, &meta, NULL) < 0)
        return;
    AUTO(free_p) char *space = xstrndup(ns.p, ns.n);
    json_array_foreach(json_object_get(meta, "ownerReferences"), i, ref)
        for (enum ctl k = 0; k < CTL_COUNT; k++)
            if (table[k].kind && str_eq(json_str_at(ref, "kind"), table[k].kind) &&
                json_bool_at(ref, "controller"))
                ctl_enqueue(s, k, space, str_or_empty(json_str_at(ref, "name")),
                            s->options.delays.controller);
    json_decref(meta);
}

/* A pod that came, went or became ready matters to the Services of its namespace. */
static void enqueue_services(struct sim *s, const struct blob *b)
{
    const struct resource *services = registry_resource(&s->registry, "", "services");
    AUTO(free_p) char *ns = xstrndup(blob_ns(b).p, blob_ns(b).n);
    AUTO(free_p) char *prefix = xasprintf("%s/", ns);
    struct index_cursor c = index_from(&services->index, prefix);
    for (struct blob *at; (at = index_next(&c)) && str_has_prefix(blob_key(at), prefix);)
        ctl_enqueue(s, CTL_SERVICE, ns, blob_name(at), s->options.delays.controller);
}

static void enqueue_dependent(void *arg, struct resource *r, const char *key)
{
    struct sim *s = arg;
    ctl_enqueue(s, CTL_COLLECTOR, r->key, key, s->options.delays.controller);
}

/* An owner that waits for this dependent in the foreground. */
static void enqueue_waiting(struct sim *s, const struct blob *b)
{
    json_t *meta = NULL, *ref;
    size_t i;
    view_t text = blob_meta(b);
    if (!b->owned || json_read(text.p, text.n, &meta, NULL) < 0)
        return;
    AUTO(free_p) char *ns = xstrndup(blob_ns(b).p, blob_ns(b).n);
    json_array_foreach(json_object_get(meta, "ownerReferences"), i, ref) {
        struct endpoint *e = owner_endpoint(s, ref);
        AUTO(free_p) char *key = e ? owner_key(e, ref, ns) : NULL;
        if (e)
            ctl_enqueue(s, CTL_COLLECTOR, e->resource->key, key, s->options.delays.controller);
    }
    json_decref(meta);
}

/* Garbage collection looks at an object that has owners or waits for finalizers, and at what a deleted one
 * owned. */
static void enqueue_collector(struct sim *s, const struct change *c)
{
    AUTO_STR deleting = STR_INIT;
    AUTO_STR uid = STR_INIT;
    scan_field(blob_meta(c->object), "deletionTimestamp", &deleting);
    if (c->type != CHANGE_DELETED && (c->object->owned || deleting.len))
        ctl_enqueue(s, CTL_COLLECTOR, c->resource->key, blob_key(c->object), s->options.delays.controller);
    if (c->type != CHANGE_DELETED && !deleting.len)
        return;
    scan_field(blob_meta(c->object), "uid", &uid);
    store_dependents(s->store, str_text(&uid), enqueue_dependent, s);
    if (c->type == CHANGE_DELETED)
        enqueue_waiting(s, c->before);
}

void controllers_on_change(struct sim *s, const struct change *c)
{
    AUTO(free_p) char *ns = xstrndup(blob_ns(c->object).p, blob_ns(c->object).n);
    int64_t delay = s->options.delays.controller;
    for (enum ctl k = 0; k < CTL_COUNT; k++)
        if (table[k].key && strcmp(table[k].key, c->resource->key) == 0)
            ctl_enqueue(s, k, ns, blob_name(c->object),
                        k == CTL_DEFINITION ? s->options.delays.establish : delay);
    enqueue_owners(s, c->object);
    enqueue_collector(s, c);
    if (strcmp(c->resource->key, "pods") == 0)
        enqueue_services(s, c->object);
    if (*ns && c->type == CHANGE_DELETED)
        ctl_enqueue(s, CTL_NAMESPACE, "", ns, delay);
}
