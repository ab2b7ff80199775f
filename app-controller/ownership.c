#include "app-controller/ownership.h"
#include "app-controller/members/shard.h"
#include "app-controller/status.h"
#include "common/argo/app.h"
#include "common/base/log.h"
#include "common/kinds/kinds.h"

#include <unistd.h>

static const int64_t SWEEP_NS = SECONDS(10);

struct ownership {
    members_t *members;
    bool by_shard;
    enum shard_method method;
    unsigned replicas, shard;
    mono_t sweep_at;      /* of the members' thread */
    _Atomic bool started; /* the world is known */
    _Atomic bool shift;   /* the shards are to be divided anew */
    /* Held from the question whose an application is to the keeping of the answer: an answer by an older plan
     * never replaces one by a newer. */
    lock_t deciding;
    lock_t lock;  /* guards what follows */
    map_t shards; /* k: server, v: 1 + its shard */
};

/* ---- whose ---- */

/* NULL when it is gone. */
static json_t *destination_of(struct app *app)
{
    LOCKED(&app->lock);
    if (app->gone || !app->doc)
        return NULL;
    json_t *d = json_object();
    json_put_str(d, "server", app->server);
    json_put_str(d, "name", app->cluster_name);
    return d;
}

/* "" when it cannot be resolved. */
static char *server_of(struct controller *ctl, const json_t *d)
{
    char *server = NULL;
    AUTO(free_p) char *name = NULL;
    AUTO(free_p) char *project = NULL;
    if (world_resolve(ctl->world, d, &server, &name, &project, NULL) == 0)
        return server;
    return xstrdup("");
}

/* A cluster that is not known belongs to the first shard. */
static unsigned shard_of(struct ownership *o, const char *server)
{
    LOCKED(&o->lock);
    uintptr_t found = (uintptr_t)map_get(&o->shards, server);
    return found ? (unsigned)(found - 1) : 0;
}

static bool is_skipped(struct app *app)
{
    LOCKED(&app->lock);
    return app->skip;
}

static bool is_ours(struct controller *ctl, struct app *app)
{
    struct ownership *o = ctl->ownership;
    AUTO_JSON destination = destination_of(app);
    if (!destination)
        return false;
    AUTO(free_p) char *server = server_of(ctl, destination);
    /* Nobody works what is to be left alone, nor counts it. */
    if (is_skipped(app) || world_skips(ctl->world, server))
        return false;
    return o->by_shard ? shard_of(o, server) == o->shard : members_is_mine(o->members, server, app->key);
}

bool ownership_of_cluster(struct controller *ctl, const char *server)
{
    struct ownership *o = ctl->ownership;
    if (world_skips(ctl->world, server))
        return false;
    return o->by_shard ? shard_of(o, server) == o->shard : members_is_my_cluster(o->members, server);
}

bool ownership_has(struct controller *ctl, struct app *app)
{
    return tenure_owned(ctl->tenures, &app->tenure);
}

/* ---- gaining and losing ---- */

/* What was found out about it, in an earlier tenure. */
static void forget(struct app *app)
{
    cluster_t *cluster;
    {
        LOCKED(&app->lock);
        app_set_renderings(app, NULL, 0);
        app_set_resources(app, NULL, 0);
        app->norphans = 0;
        app->settled = false;
        app->fingerprint = app->tree_hash = app->managed_hash = 0;
        app->refreshed_at = app->hard_refreshed_at = app->wave_until = (mono_t){0};
        app->repo_error_since = (mono_t){0};
        cluster = TAKE(app->cluster);
    }
    cluster_unref(cluster);
}

static void take_up(struct controller *ctl, struct app *app, uint64_t bits)
{
    bool operating;
    {
        LOCKED(&app->lock);
        operating = app->operating;
    }
    workq_add(ctl->refresh, app->key, bits);
    if (operating)
        workq_add(ctl->operations, app->key, OPERATE);
}

static void gained(struct controller *ctl, struct app *app)
{
    forget(app);
    take_up(ctl, app, REFRESH_CHECK);
}

static void lost(struct controller *ctl, struct app *app)
{
    workq_forget(ctl->refresh, app->key);
    workq_forget(ctl->operations, app->key);
    forget(app);
}

/* It has become ours although the plan is the same: another may not have heard of that yet. */
static bool came_over(struct controller *ctl, const struct app *app, bool ours, uint64_t plan)
{
    const struct ownership *o = ctl->ownership;
    bool others = o->by_shard || members_count(o->members) > 1;
    return others && ours && app->decided && !app->was_ours && app->decided_by == plan;
}

static void ask(struct controller *ctl, struct app *app)
{
    AUTO(free_p) char *rv = NULL;
    {
        LOCKED(&app->lock);
        rv = xstrdup(str_or_empty(app->rv));
    }
    app->asked = true;
    members_ask(ctl->ownership->members, app->key, rv);
}

static enum tenure_change decide(struct controller *ctl, struct app *app)
{
    members_t *members = ctl->ownership->members;
    LOCKED(&ctl->ownership->deciding);
    uint64_t plan = members_plan(members);
    bool ours = is_ours(ctl, app);
    if (came_over(ctl, app, ours, plan)) {
        ask(ctl, app);
    } else if (!ours && app->asked) {
        app->asked = false;
        members_withdraw(members, app->key);
    }
    app->decided = ctl->ownership->started; /* before that nothing is known of the clusters */
    app->decided_by = plan;
    app->was_ours = ours;
    return tenure_want(ctl->tenures, &app->tenure, ours && !app->asked);
}

bool ownership_look(struct controller *ctl, struct app *app)
{
    switch (decide(ctl, app)) {
    case TENURE_GAINED:
        gained(ctl, app);
        return false;
    case TENURE_LOST:
        lost(ctl, app);
        return false;
    case TENURE_SAME:
        break;
    }
    return ownership_has(ctl, app);
}

bool ownership_begin(struct controller *ctl, struct app *app)
{
    return tenure_begin(ctl->tenures, &app->tenure);
}

void ownership_end(struct controller *ctl, struct app *app)
{
    if (tenure_end(ctl->tenures, &app->tenure))
        gained(ctl, app);
    app_unref(ctl->apps, app);
}

static void each_app(struct controller *ctl, void (*fn)(struct controller *, struct app *))
{
    AUTO(strv_free_p) char **keys = apps_keys(ctl->apps);
    for (char **k = keys; *k; k++) {
        struct app *app = apps_get(ctl->apps, *k);
        if (app)
            fn(ctl, app);
        app_unref(ctl->apps, app);
    }
}

/* ---- what the members' thread tells ---- */

static void look_again(struct controller *ctl, struct app *app)
{
    ownership_look(ctl, app);
}

static void on_change(void *ctx)
{
    each_app(ctx, look_again);
}

static void drop(struct controller *ctl, struct app *app)
{
    enum tenure_change change;
    {
        LOCKED(&ctl->ownership->deciding);
        change = tenure_want(ctl->tenures, &app->tenure, false);
    }
    if (change == TENURE_LOST)
        lost(ctl, app);
}

static void on_lost(void *ctx)
{
    each_app(ctx, drop);
}

/* What came up while the lease had run out was dropped, and what was being written may not have been. */
static void resume(struct controller *ctl, struct app *app)
{
    if (!ownership_has(ctl, app))
        return;
    {
        LOCKED(&app->lock);
        app->fingerprint = 0;
    }
    take_up(ctl, app, REFRESH_CHECK | REFRESH_TARGET | REFRESH_TIMER);
}

static void on_resumed(void *ctx)
{
    each_app(ctx, resume);
}

/* Of one that has not come here yet nothing is worked here. */
static bool let_go(void *ctx, const char *key, const char *rv)
{
    struct controller *ctl = ctx;
    struct app *app = apps_get(ctl->apps, key);
    if (!app)
        return true;
    bool older;
    {
        LOCKED(&app->lock);
        older = app->rv && resource_version_older(app->rv, rv);
    }
    json_t *now = NULL;
    if (older && kube_get(ctl->lease_kube, &application_resource, app->ns, app->name, NULL, &now, NULL) == 0)
        application_store(ctl, now);
    bool known = !older || now;
    json_decref(now);
    if (known)
        ownership_look(ctl, app);
    bool idle = known && tenure_idle(ctl->tenures, &app->tenure);
    app_unref(ctl->apps, app);
    return idle;
}

static void on_given(void *ctx, const char *key)
{
    struct controller *ctl = ctx;
    struct app *app = apps_get(ctl->apps, key);
    if (!app)
        return;
    {
        LOCKED(&ctl->ownership->deciding);
        app->asked = false;
    }
    ownership_look(ctl, app);
    app_unref(ctl->apps, app);
}

/* ---- load ---- */

struct counting {
    map_t counts; /* k: server, v: how many */
    bool named;   /* only by the server that the Application itself names */
};

static void count(struct controller *ctl, struct app *app, struct counting *c)
{
    AUTO_JSON destination = destination_of(app);
    if (!destination)
        return;
    AUTO(free_p)
    char *server = c->named ? xstrdup(str_or_empty(json_str_at(destination, "server")))
                            : server_of(ctl, destination);
    map_put(&c->counts, server, (void *)((uintptr_t)map_get(&c->counts, server) + 1));
}

static void count_all(struct controller *ctl, struct counting *c)
{
    AUTO(strv_free_p) char **keys = apps_keys(ctl->apps);
    for (char **k = keys; *k; k++) {
        struct app *app = apps_get(ctl->apps, *k);
        if (app)
            count(ctl, app, c);
        app_unref(ctl->apps, app);
    }
}

static struct plan_cluster *load(void *ctx, size_t *n)
{
    struct controller *ctl = ctx;
    struct counting c = {};
    struct world_cluster *all = world_cluster_ids(ctl->world, n);
    struct plan_cluster *out = xcalloc(*n + 1, sizeof(*out));
    count_all(ctl, &c);
    for (size_t i = 0; i < *n; i++)
        out[i] = (struct plan_cluster){.server = xstrdup(all[i].server),
                                       .shard = all[i].shard,
                                       .apps = (uintptr_t)map_get(&c.counts, all[i].server)};
    map_dispose(&c.counts);
    world_cluster_ids_free(all, *n);
    return out;
}

/* ---- fixed shards ---- */

static void divide(struct controller *ctl)
{
    struct ownership *o = ctl->ownership;
    struct counting c = {.named = true};
    size_t n;
    struct world_cluster *all = world_cluster_ids(ctl->world, &n);
    struct shard_cluster *clusters = xcalloc(n + 1, sizeof(*clusters));
    unsigned *shards = xcalloc(n + 1, sizeof(*shards));
    if (o->method == SHARD_CONSISTENT_HASHING)
        count_all(ctl, &c);
    for (size_t i = 0; i < n; i++)
        clusters[i] = (struct shard_cluster){all[i].server, all[i].id, all[i].shard,
                                             (int64_t)(uintptr_t)map_get(&c.counts, all[i].server)};
    shard_divide(o->method, o->replicas, clusters, n, shards);
    {
        LOCKED(&o->lock);
        map_clear(&o->shards);
        for (size_t i = 0; i < n; i++)
            map_put(&o->shards, clusters[i].server, (void *)((uintptr_t)shards[i] + 1));
    }
    map_dispose(&c.counts);
    free(shards);
    free(clusters);
    world_cluster_ids_free(all, n);
}

/* ---- clusters that are let go ---- */

static bool is_used(void *ctx, const char *server)
{
    struct controller *ctl = ctx;
    if (ownership_of_cluster(ctl, server))
        return true;
    bool used = false;
    AUTO(strv_free_p) char **keys = apps_keys(ctl->apps);
    for (char **k = keys; *k && !used; k++) {
        struct app *app = apps_get(ctl->apps, *k);
        if (app && ownership_has(ctl, app)) {
            LOCKED(&app->lock);
            used = app->cluster && strcmp(cluster_server(app->cluster), server) == 0;
        }
        app_unref(ctl->apps, app);
    }
    return used;
}

static void on_tick(void *ctx)
{
    struct controller *ctl = ctx;
    struct ownership *o = ctl->ownership;
    if (o->by_shard && atomic_exchange(&o->shift, false)) {
        divide(ctl);
        on_change(ctl);
    }
    if (mono_left(o->sweep_at))
        return;
    o->sweep_at = mono_after(mono_now(), SWEEP_NS);
    world_close_unused(ctl->world, is_used, ctl);
}

void ownership_clusters_changed(struct controller *ctl)
{
    if (ctl->ownership->started && ctl->ownership->by_shard)
        divide(ctl);
    ctl->ownership->shift = true; /* others may have moved, too */
}

void ownership_apps_changed(struct controller *ctl)
{
    if (ctl->ownership->method == SHARD_CONSISTENT_HASHING)
        ctl->ownership->shift = true;
}

/* ---- life ---- */

static void read_options(struct controller *ctl, struct ownership *o)
{
    bool known;
    gethostname(ctl->hostname, sizeof(ctl->hostname) - 1);
    if (str_empty(ctl->options.replica)) {
        free(ctl->options.replica);
        ctl->options.replica = xstrdup(ctl->hostname);
    }
    o->replicas = ctl->options.replicas > 0 ? (unsigned)ctl->options.replicas : 0;
    o->by_shard = o->replicas > 1 && ctl->options.shard >= 0;
    o->shard = o->by_shard ? shard_of_replica(ctl->options.shard, ctl->options.replica, o->replicas) : 0;
    o->method = shard_method_of(ctl->options.sharding_method, &known);
    if (!known)
        log_warn(NULL, "sharding method %s is not known, legacy is used", ctl->options.sharding_method);
}

void ownership_init(struct controller *ctl, kube_t *kube)
{
    struct ownership *o = ctl->ownership = xcalloc(1, sizeof(*o));
    pthread_mutex_init(&o->lock, NULL);
    pthread_mutex_init(&o->deciding, NULL);
    read_options(ctl, o);
    o->shift = true;
    ctl->tenures = tenures_new(ctl->options.replica);
    tenures_gate(ctl->tenures, &ctl->gate);
    AUTO(free_p) char *shard = o->by_shard ? xasprintf("application-controller-shard-%u", o->shard) : NULL;
    struct members_options options = {.kube = kube,
                                      .ns = ctl->options.ns,
                                      .name = ctl->options.replica,
                                      .epoch = ctl->epoch,
                                      .pod_uid = ctl->options.pod_uid,
                                      .shard = shard,
                                      .others = o->replicas > 1,
                                      .duration_ns = ctl->options.lease_ns,
                                      .split_above = (size_t)ctl->options.split_above,
                                      .tenures = ctl->tenures,
                                      .on_change = on_change,
                                      .on_lost = on_lost,
                                      .on_resumed = on_resumed,
                                      .on_tick = on_tick,
                                      .let_go = let_go,
                                      .on_given = on_given,
                                      .load = load,
                                      .ctx = ctl};
    o->members = members_new(&options);
}

void ownership_start(struct controller *ctl)
{
    struct ownership *o = ctl->ownership;
    if (o->by_shard) {
        divide(ctl);
        log_info(NULL, "replica %s works shard %u of %u", ctl->options.replica, o->shard, o->replicas);
    }
    o->started = true;
    members_start(o->members);
}

void ownership_stop(struct controller *ctl)
{
    members_stop(ctl->ownership->members);
}

void ownership_free(struct controller *ctl)
{
    members_free(ctl->ownership->members);
    map_dispose(&ctl->ownership->shards);
    pthread_mutex_destroy(&ctl->ownership->lock);
    pthread_mutex_destroy(&ctl->ownership->deciding);
    free(ctl->ownership);
    tenures_free(ctl->tenures);
}
