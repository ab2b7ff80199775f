/* Design. A cluster is set up by jobs on a small pool of its own thread-less kind: `connect` (discovery, then
 * starting watches) runs on a pool thread, because it blocks; watches run on the I/O thread and only write
 * into the cache. States: connecting -> listing -> ready; a failed connect is tried again after a pause of at
 * most 10 s for as long as somebody holds the cluster. Kinds come and go with discovery: a changed CRD or
 * APIService asks for another round. A kind that cannot be listed holds up the others for a few attempts
 * only, and a group that discovery could not ask keeps its watches. A kind whose list is forbidden is left
 * out if the settings say so; where these are strict the cluster's own thread asks for an access review
 * first, and a kind that may be listed all the same is tried and reviewed again. Settings that records are
 * made by start all over: until everything is listed again there is no verdict. */
#include "app-controller/cluster/cluster_internal.h"
#include "app-controller/cluster/access.h"
#include "common/base/intern.h"
#include "common/base/log.h"
#include "common/base/thread.h"

enum { RETRY_FIRST_MS = 250, RETRY_MAX_MS = 10000, PARTIAL_FIRST_MS = 1000, PARTIAL_MAX_MS = 60000 };
/* Failures of a kind's first list after which the others do not wait for it: its API group or its conversion
 * webhook is broken. */
enum { BROKEN_FAILURES = 3 };

static void on_cache_change(void *ctx, const struct cache_change *change)
{
    cluster_t *c = ctx;
    if (c->env.on_change)
        c->env.on_change(c->env.ctx, c, change);
}

struct check_job {
    cluster_t *cluster;
    struct cache_check *check;
};

static void run_check(void *arg)
{
    struct check_job *job = arg;
    cache_check_run(job->cluster->cache, job->cluster->env.eval, job->check);
    cluster_unref(job->cluster);
    free(job);
}

static bool on_check(void *ctx, struct cache_check *check)
{
    cluster_t *c = ctx;
    struct check_job *job = xcalloc(1, sizeof(*job));
    *job = (struct check_job){cluster_ref(c), check};
    if (c->env.checks && pool_submit(c->env.checks, run_check, job, NULL) == 0)
        return true;
    atomic_fetch_sub(&c->refs, 1); /* never the last one: the caller works for the cluster */
    free(job);
    return false;
}

static void *cluster_main(void *arg);

cluster_t *cluster_new(const struct cluster_spec *spec, const settings_t *settings,
                       const struct cluster_env *env)
{
    cluster_t *c = xcalloc(1, sizeof(*c));
    c->refs = 1;
    cluster_spec_copy(&c->spec, spec);
    c->env = *env;
    c->settings = settings_ref(settings);
    c->cache = cache_new(settings, env->mask_key, on_cache_change, c);
    cache_set_checker(c->cache, on_check);
    pthread_mutex_init(&c->lock, NULL);
    cond_init(&c->changed);
    cond_init(&c->work);
    c->retry_ms = RETRY_FIRST_MS;
    c->thread = thread_start("cluster", cluster_main, c);
    c->has_thread = true;
    return c;
}

cluster_t *cluster_ref(cluster_t *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

static void watch_free(struct kind_watch *w)
{
    intern_unref(w->resource.group);
    intern_unref(w->resource.version);
    intern_unref(w->resource.kind);
    intern_unref(w->resource.plural);
    intern_unref(w->resource.singular);
    intern_unref(w->resource.subresources);
    err_free(w->denial);
    free(w->ns);
    free(w);
}

/* Takes the watches off the cluster and ends them; must not hold the lock: callbacks may be waiting for it.
 */
static void stop_watches(cluster_t *c, bool (*which)(cluster_t *, const struct kind_watch *))
{
    VEC(struct kind_watch *) out = {};
    {
        LOCKED(&c->lock);
        for (size_t i = 0; i < c->watches.n;) {
            if (which && !which(c, c->watches.v[i])) {
                i++;
                continue;
            }
            struct kind_watch *w = c->watches.v[i];
            if (!w->synced && !w->stopped)
                c->unsynced--;
            VEC_PUSH(&out, w);
            VEC_REMOVE(&c->watches, i);
        }
    }
    VEC_FOREACH(&out, w)
        kube_watch_stop((*w)->watch);
    {
        LOCKED(&c->lock);
        VEC_FOREACH(&out, w)
            c->failing -= (*w)->failing;
    }
    /* Watches of one kind in several namespaces share its place in the cache. */
    VEC_FOREACH(&out, w) {
        bool shared = !which; /* who still holds the cluster sees what was there last */
        for (struct kind_watch **o = w + 1; o < out.v + out.n; o++)
            shared = shared || (*o)->kind == (*w)->kind;
        if (!shared)
            cache_kind_remove(c->cache, (*w)->kind);
    }
    VEC_FOREACH(&out, w)
        watch_free(*w);
    VEC_FREE(&out);
}

void cluster_stop(cluster_t *c)
{
    bool join;
    {
        LOCKED(&c->lock);
        join = c->has_thread;
        c->has_thread = false;
        c->stopping = true;
        if (c->kube)
            kube_cancel(c->kube);
        pthread_cond_broadcast(&c->work);
        pthread_cond_broadcast(&c->changed);
    }
    if (join)
        pthread_join(c->thread, NULL);
    stop_watches(c, NULL);
}

static void destroy(void *arg)
{
    cluster_t *c = arg;
    cluster_stop(c);
    kube_close(c->kube);
    kube_api_unref(c->api);
    cache_free(c->cache);
    settings_unref(c->settings);
    cluster_spec_dispose(&c->spec);
    VEC_FREE(&c->watches);
    err_free(c->error);
    free(c->version);
    free(c->partial);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->changed);
    pthread_cond_destroy(&c->work);
    free(c);
}

void cluster_unref(cluster_t *c)
{
    if (!c || atomic_fetch_sub(&c->refs, 1) > 1)
        return;
    /* Its end waits for the I/O thread, which may be the one that gives up the last reference: with an
     * Application that was deleted. */
    if (!http_on_thread(c->env.io) || pool_submit(c->env.reaper, destroy, c, NULL) < 0)
        destroy(c);
}

/* ---- watches ---- */

static void tell_state(cluster_t *c)
{
    if (c->env.on_state)
        c->env.on_state(c->env.ctx, c);
}

/* How many kinds are not listed yet and may still be, soon. Where nothing at all is listed it is the cluster
 * that is broken. */
static size_t awaited(const cluster_t *c)
{
    size_t broken = 0, synced = 0;
    for (size_t i = 0; i < c->watches.n; i++) {
        const struct kind_watch *w = c->watches.v[i];
        synced += w->synced;
        broken += !w->synced && !w->stopped && !w->refused && w->failures >= BROKEN_FAILURES;
    }
    return synced ? c->unsynced - broken : c->unsynced;
}

/* Called with the lock held: every first list is complete, or its kind gave up. True when that is news. */
static bool check_ready(cluster_t *c)
{
    if (!c->connected || (c->unsynced && awaited(c)))
        return false;
    bool news = !c->was_ready;
    c->was_ready = true;
    if (news)
        c->synced_at = wall_now();
    err_clear(&c->error);
    pthread_cond_broadcast(&c->changed);
    return news;
}

static void on_list(void *arg)
{
    struct kind_watch *w = arg;
    w->listing = true;
    w->mark = cache_kind_list(w->cluster->cache, w->kind);
}

static void on_event(void *arg, enum kube_event event, const char *p, size_t n)
{
    struct kind_watch *w = arg;
    struct cluster_env *env = &w->cluster->env;
    AUTO_ERR err = NULL;
    mono_t began = mono_now();
    int r = event == KUBE_DELETED ? cache_delete(w->cluster->cache, w->kind, p, n, &err)
                                  : cache_put(w->cluster->cache, w->kind, p, n, w->listing, &err);
    if (r < 0)
        log_warn(LOGF({"server", w->cluster->spec.server}), "an object is left out: %s", err_text(err));
    if (w->rediscovers && w->synced)
        cluster_rediscover(w->cluster);
    if (w->synced && env->on_event)
        env->on_event(env->ctx, w->cluster->spec.server, w->resource.group, w->resource.kind, began);
}

static void tell_ready(cluster_t *c)
{
    log_info(LOGF({"server", c->spec.server}), "cluster cache is synced");
    tell_state(c);
}

static void settle(struct kind_watch *w, bool synced)
{
    cluster_t *c = w->cluster;
    bool news;
    {
        LOCKED(&c->lock);
        if (!w->synced && !w->stopped)
            c->unsynced--;
        w->synced = w->synced || synced;
        w->stopped = !synced;
        if (synced) {
            /* A watch that was started again knows nothing of the failures before. */
            c->failing -= w->failing;
            w->failing = w->refused = false;
            w->reviews = 0;
        }
        news = check_ready(c);
    }
    if (news)
        tell_ready(c);
}

static void on_synced(void *arg, const char *resource_version)
{
    struct kind_watch *w = arg;
    (void)resource_version;
    w->listing = false;
    cache_kind_synced(w->cluster->cache, w->kind, w->ns, w->mark);
    settle(w, true);
}

/* With the lock held; true when the cluster became ready by it. One kind that fails is that kind's trouble,
 * and no word about the cluster; most of them failing is. */
static bool note_error(cluster_t *c, struct kind_watch *w, err_t *err)
{
    c->failing += (size_t)(err != NULL) - (size_t)w->failing;
    w->failing = err != NULL;
    bool lost = c->failing * 2 > c->watches.n;
    if (!err) {
        w->refused = false;
        if (c->was_ready && !lost)
            err_clear(&c->error);
        return false;
    }
    w->refused = err_code(err) == ERR_PERMISSION_DENIED || err_code(err) == ERR_UNAUTHENTICATED;
    w->failures += !w->synced;
    if (lost || !c->was_ready) {
        err_free(c->error);
        c->error = err_copy(err);
        err_wrap(&c->error, "watch %s", w->resource.kind);
    }
    bool news = !c->was_ready && check_ready(c);
    if (w->failures == BROKEN_FAILURES && !lost && !w->refused)
        log_warn(LOGF({"server", c->spec.server}), "%s %s cannot be listed and is left out: %s",
                 w->resource.kind, w->resource.group, err_text(err));
    return news;
}

static void fail(struct kind_watch *w, err_t *err)
{
    cluster_t *c = w->cluster;
    bool ready, refused;
    {
        LOCKED(&c->lock);
        bool had_error = c->error != NULL;
        ready = note_error(c, w, err);
        refused = !c->was_ready && !had_error && w->refused && err;
        pthread_cond_broadcast(&c->changed);
    }
    if (ready)
        tell_ready(c);
    else if (refused)
        tell_state(c);
    if (err)
        log_debug(LOGF({"server", c->spec.server}), "watch %s: %s", w->resource.kind, err_text(err));
}

static void on_error(void *arg, err_t *err)
{
    struct kind_watch *w = arg;
    if (!err || w->respect == RESPECT_NOT || err_code(err) != ERR_PERMISSION_DENIED) {
        fail(w, err);
        return;
    }
    /* No failure yet: it stops now. */
    err_free(w->denial);
    w->denial = err_copy(err);
}

static void leave(struct kind_watch *w, bool forbidden)
{
    settle(w, false);
    LOCKED(&w->cluster->lock);
    w->forbidden = forbidden;
    w->cluster->again = w->cluster->again || !forbidden;
    pthread_cond_signal(&w->cluster->work);
}

static void on_stop(void *arg, enum kube_watch_stop why)
{
    struct kind_watch *w = arg;
    if (why != KUBE_STOP_FORBIDDEN || w->respect != RESPECT_STRICT) {
        leave(w, why == KUBE_STOP_FORBIDDEN);
        return;
    }
    LOCKED(&w->cluster->lock);
    w->review = REVIEW_ASK;
    w->review_at = mono_now();
    pthread_cond_signal(&w->cluster->work);
}

static const struct kube_watch_ops watch_ops = {.on_list = on_list,
                                                .on_event = on_event,
                                                .on_synced = on_synced,
                                                .on_error = on_error,
                                                .on_stop = on_stop};

static enum respect respect_of(const settings_t *settings)
{
    const char *value = settings_value(settings, "resource.respectRBAC");
    return !*value ? RESPECT_NOT : strcmp(value, "strict") == 0 ? RESPECT_STRICT : RESPECT_NORMAL;
}

static void open_watch(struct kind_watch *w)
{
    const struct cluster_env *env = &w->cluster->env;
    struct kube_watch_spec spec = {.resource = &w->resource,
                                   .list = {.ns = w->ns, .page_size = env->page_size},
                                   .stop_when_forbidden = w->respect != RESPECT_NOT,
                                   .resync_ns = env->resync_ns};
    w->watch = kube_watch_start(w->cluster->kube, &spec, &watch_ops, w);
}

static void start_watch(cluster_t *c, const settings_t *settings, const struct kube_resource *r,
                        cache_kind_t *kind, const char *ns)
{
    struct kind_watch *w = xcalloc(1, sizeof(*w));
    *w = (struct kind_watch){.cluster = c, .kind = kind, .ns = xstrdup(ns), .respect = respect_of(settings)};
    w->resource = *r;
    w->resource.group = intern_ref(r->group);
    w->resource.version = intern_ref(r->version);
    w->resource.kind = intern_ref(r->kind);
    w->resource.plural = intern_ref(r->plural);
    w->resource.singular = intern_ref(r->singular);
    w->resource.subresources = intern_ref(r->subresources);
    w->rediscovers = (strcmp(r->group, "apiextensions.k8s.io") == 0 &&
                      strcmp(r->kind, "CustomResourceDefinition") == 0) ||
                     (strcmp(r->group, "apiregistration.k8s.io") == 0 && strcmp(r->kind, "APIService") == 0);
    {
        LOCKED(&c->lock);
        VEC_PUSH(&c->watches, w);
        c->unsynced++;
    }
    open_watch(w);
}

static bool wanted(cluster_t *c, const settings_t *settings, const struct kube_resource *r)
{
    unsigned needed = KUBE_LIST | KUBE_WATCH;
    if (!r->preferred || (r->verbs & needed) != needed)
        return false;
    if (c->spec.namespaces && !r->namespaced && !c->spec.cluster_resources)
        return false;
    return !settings_excludes(settings, r->group, r->kind, c->spec.server);
}

static bool is_watched(cluster_t *c, const struct kube_resource *r)
{
    LOCKED(&c->lock);
    VEC_FOREACH(&c->watches, w)
        if ((*w)->resource.group == r->group && (*w)->resource.kind == r->kind &&
            (*w)->resource.version == r->version && (!(*w)->stopped || (*w)->forbidden))
            return true;
    return false;
}

static bool not_wanted_any_more(cluster_t *c, const struct kind_watch *w)
{
    const struct kube_resource *r = kube_api_find(c->api, w->resource.group, NULL, w->resource.kind);
    if (!w->synced || w->forbidden || w->refused || w->review != REVIEW_NONE) {
        if (w->respect != respect_of(c->settings))
            return true;
        if (w->forbidden && r)
            return r->version != w->resource.version || !wanted(c, c->settings, r);
    }
    /* A group that is broken for the moment is not gone; the watch finds out. */
    if (!r && c->partial && !kube_api_serves_group(c->api, w->resource.group))
        return w->stopped;
    return w->stopped || !r || r->version != w->resource.version || !wanted(c, c->settings, r) ||
           cache_kind_outdated(w->kind, c->settings);
}

static void start_watches(cluster_t *c, kube_api_t *api, const settings_t *settings)
{
    size_t n;
    const struct kube_resource *all = kube_api_all(api, &n);
    for (size_t i = 0; i < n; i++) {
        const struct kube_resource *r = &all[i];
        if (!wanted(c, settings, r) || is_watched(c, r))
            continue;
        cache_kind_t *kind = cache_kind_add(c->cache, r->group, r->version, r->kind, r->namespaced);
        if (!c->spec.namespaces || !r->namespaced)
            start_watch(c, settings, r, kind, NULL);
        for (size_t k = 0; c->spec.namespaces && r->namespaced && c->spec.namespaces[k]; k++)
            start_watch(c, settings, r, kind, c->spec.namespaces[k]);
    }
}

/* ---- access reviews ---- */

/* The one that is due first; NULL. Called with the lock held. */
static struct kind_watch *next_review(const cluster_t *c)
{
    struct kind_watch *first = NULL;
    VEC_FOREACH(&c->watches, w)
        if ((*w)->review != REVIEW_NONE && (!first || mono_cmp((*w)->review_at, first->review_at) < 0))
            first = *w;
    return first;
}

/* That it was forbidden is a failure after all. */
static void review_again(struct kind_watch *w, err_t *failure)
{
    cluster_t *c = w->cluster;
    int64_t pause = RETRY_FIRST_MS << (w->reviews < 6 ? w->reviews : 6);
    AUTO_ERR err = err_copy(w->denial);
    if (failure)
        err_wrap(&err, "failed to check permissions for resource %s (%s)", w->resource.kind,
                 err_text(failure));
    fail(w, err);
    LOCKED(&c->lock);
    w->review = REVIEW_AGAIN;
    w->review_at = mono_after(mono_now(), MILLIS(pause < RETRY_MAX_MS ? pause : RETRY_MAX_MS));
    if (!w->reviews++ && !c->stopping)
        log_warn(LOGF({"server", c->spec.server}), "%s %s cannot be listed: forbidden, but %s",
                 w->resource.kind, w->resource.group,
                 failure ? err_text(failure) : "an access review allows it");
}

/* Only the cluster's own thread starts and frees watches: w stays while this waits for the answer. */
static void review(struct kind_watch *w)
{
    cluster_t *c = w->cluster;
    AUTO_ERR err = NULL;
    bool allowed = true;
    if (w->review == REVIEW_AGAIN) {
        w->review = REVIEW_NONE;
        kube_watch_stop(w->watch);
        open_watch(w);
        return;
    }
    if (access_may_list(c->kube, &w->resource, c->spec.namespaces, &allowed, &err) < 0 || allowed) {
        review_again(w, err);
        return;
    }
    w->review = REVIEW_NONE;
    leave(w, true);
}

/* ---- connecting ---- */

static int open_kube(cluster_t *c, err_t **err)
{
    if (c->kube)
        return 0;
    struct kube_config config;
    bool is_own = strcmp(c->spec.server, IN_CLUSTER_SERVER) == 0;
    if (kube_config_of_cluster(c->spec.server, c->spec.name, c->spec.config, is_own ? c->env.own : NULL,
                               &config, err) < 0)
        return -(int)ERR_INVALID_ARGUMENT;
    struct kube_options options = c->env.kube ? *c->env.kube : (struct kube_options){};
    options.io = c->env.io;
    kube_t *kube = NULL;
    int r = kube_open(&config, &options, &kube, err);
    kube_config_dispose(&config);
    if (r == 0) {
        LOCKED(&c->lock);
        c->kube = kube;
        if (c->stopping)
            kube_cancel(kube);
    }
    return r;
}

/* With the lock held. */
static void note_partial(cluster_t *c, err_t *partial)
{
    if (partial && !str_eq(c->partial, err_text(partial)))
        log_warn(LOGF({"server", c->spec.server}), "part of the API is not served: %s", err_text(partial));
    c->partial_ms = !partial ? 0 : !c->partial_ms ? PARTIAL_FIRST_MS : 2 * c->partial_ms;
    if (c->partial_ms > PARTIAL_MAX_MS)
        c->partial_ms = PARTIAL_MAX_MS;
    free(c->partial);
    c->partial = partial ? xstrdup(err_text(partial)) : NULL;
}

/* "v1.29.3-gke.100" is "v1.29.3" to users and charts; what does not begin with a version stays. */
static void drop_vendor(char *version)
{
    size_t n = strspn(version, "v");
    size_t m = n + strspn(version + n, "0123456789.");
    if (m > n && version[m - 1] != '.')
        version[m] = 0;
}

static int discover(cluster_t *c, err_t **err)
{
    if (open_kube(c, err) < 0)
        return -(int)err_code(*err);
    char *version = NULL;
    kube_api_t *api = NULL;
    AUTO_ERR partial = NULL;
    if (kube_version(c->kube, &version, err) < 0)
        return -(int)err_code(*err);
    drop_vendor(version);
    if (kube_discover(c->kube, &api, &partial, err) < 0) {
        free(version);
        return -(int)err_code(*err);
    }
    settings_t *settings;
    {
        LOCKED(&c->lock);
        note_partial(c, partial);
        kube_api_unref(c->api);
        c->api = api;
        free(c->version);
        c->version = version;
        settings = settings_ref(c->settings);
    }
    stop_watches(c, not_wanted_any_more);
    start_watches(c, api, settings);
    settings_unref(settings);
    return 0;
}

static void connect_once(cluster_t *c)
{
    AUTO_ERR err = NULL;
    int r = discover(c, &err);
    bool news = false, failed_anew = false;
    {
        LOCKED(&c->lock);
        c->tried_at = wall_now();
        if (r < 0) {
            log_warn(LOGF({"server", c->spec.server}), "cluster: %s", err_text(err));
            failed_anew = !c->error;
            err_free(c->error);
            c->error = TAKE(err);
            c->next_try = mono_after(mono_now(), MILLIS(c->retry_ms));
            c->retry_ms = c->retry_ms * 2 < RETRY_MAX_MS ? c->retry_ms * 2 : RETRY_MAX_MS;
            pthread_cond_broadcast(&c->changed);
        } else {
            c->connected = true;
            c->retry_ms = RETRY_FIRST_MS;
            c->next_try = c->partial_ms ? mono_after(mono_now(), MILLIS(c->partial_ms)) : MONO_NEVER;
            news = check_ready(c);
        }
    }
    if (news)
        tell_ready(c);
    else if (r == 0 || failed_anew)
        tell_state(c);
}

static void *cluster_main(void *arg)
{
    cluster_t *c = arg;
    pthread_mutex_lock(&c->lock);
    while (!c->stopping) {
        bool due = c->again || mono_left(c->next_try) == 0;
        struct kind_watch *reviewed = due ? NULL : next_review(c);
        mono_t next = reviewed && mono_cmp(reviewed->review_at, c->next_try) < 0 ? reviewed->review_at
                                                                                 : c->next_try;
        if (!due && mono_left(next)) {
            cond_wait_until(&c->work, &c->lock, next);
            continue;
        }
        c->again = false;
        pthread_mutex_unlock(&c->lock);
        if (due)
            connect_once(c);
        else if (reviewed)
            review(reviewed);
        pthread_mutex_lock(&c->lock);
        if (c->again && !c->stopping) {
            /* A burst of CRDs is one round of discovery. */
            cond_wait_until(&c->changed, &c->lock, mono_after(mono_now(), MILLIS(500)));
        }
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

void cluster_rediscover(cluster_t *c)
{
    LOCKED(&c->lock);
    c->again = true;
    pthread_cond_signal(&c->work);
}

void cluster_set_settings(cluster_t *c, const settings_t *settings)
{
    cache_set_settings(c->cache, settings);
    LOCKED(&c->lock);
    settings_unref(c->settings);
    c->settings = settings_ref(settings);
    /* Other rules: no verdict on what was listed under the old ones. */
    VEC_FOREACH(&c->watches, w)
        c->was_ready = c->was_ready && !cache_kind_outdated((*w)->kind, settings);
    c->again = true;
    pthread_cond_signal(&c->work);
}
