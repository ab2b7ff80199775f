#include "repo-server/git/lists.h"
#include "common/base/map.h"

enum { FIRST_PAUSE_S = 1, MAX_PAUSE_S = 10 };

struct entry {
    git_refs_t *refs; /* NULL: none yet, or too old */
    mono_t listed;
    err_t *err; /* of the last attempt, when that failed */
    mono_t retry_at;
    unsigned failures;
};

/* The lock guards the map and its entries. */
struct git_lists {
    lock_t lock;
    map_t map; /* by access_key; struct entry */
    mono_t swept;
    flights_t *flights;
    struct git_lists_options options;
};

static void entry_free(void *p)
{
    struct entry *e = p;
    git_refs_unref(e->refs);
    err_free(e->err);
    free(e);
}

static struct entry *touch(git_lists_t *l, const char *key)
{
    struct entry *e = map_get(&l->map, key);
    if (!e) {
        e = xcalloc(1, sizeof(*e));
        map_put(&l->map, key, e);
    }
    return e;
}

static bool is_current(const git_lists_t *l, const struct entry *e)
{
    return e && e->refs && mono_left(mono_after(e->listed, l->options.ttl_ns)) > 0;
}

/* What nobody asked for lately does not stay. */
static void sweep(git_lists_t *l)
{
    if (mono_left(mono_after(l->swept, l->options.ttl_ns)) > 0)
        return;
    l->swept = mono_now();
    MAP_FOREACH(&l->map, m) {
        const struct entry *e = m->value;
        bool waits = e->err && mono_left(mono_after(e->retry_at, SECONDS(60))) > 0;
        if (!is_current(l, e) && !waits)
            map_del(&l->map, m->key);
    }
}

static void store(git_lists_t *l, const origin_t *o, mono_t asked, git_refs_t *refs, const err_t *err)
{
    LOCKED(&l->lock);
    struct entry *e = touch(l, o->access_key);
    err_free(TAKE(e->err));
    if (refs) {
        git_refs_unref(e->refs);
        e->refs = git_refs_ref(refs);
        e->listed = asked;
        e->failures = 0;
    } else {
        unsigned pause = e->failures < 4 ? FIRST_PAUSE_S << e->failures : MAX_PAUSE_S;
        e->failures++;
        e->err = err_copy(err);
        e->retry_at = mono_after(mono_now(), SECONDS(pause > MAX_PAUSE_S ? MAX_PAUSE_S : pause));
        /* What the server refuses now, it does not grant because it did so before. */
        if (err->code == ERR_UNAUTHENTICATED || err->code == ERR_PERMISSION_DENIED ||
            err->code == ERR_NOT_FOUND)
            git_refs_unref(TAKE(e->refs));
    }
    sweep(l);
}

static int run_list(void *ctx, const char *key, void *job, atomic_bool *canceled, void **result, err_t **err)
{
    git_lists_t *l = ctx;
    origin_t *o = job;
    mono_t start = mono_now();
    git_refs_t *refs = NULL;
    AUTO_ERR why = NULL;
    int r = origin_list(o, l->options.settings, &refs, &why);
    metric_inc(l->options.requests, LABELS(o->shown, "ls-remote"));
    metric_observe_since(l->options.durations, start, LABELS(o->shown, "ls-remote"));
    if (r < 0)
        metric_inc(l->options.failures, LABELS(o->shown, ""));
    store(l, o, start, refs, why);
    *result = refs;
    return r < 0 ? err_move(err, TAKE(why)) : 0;
}

static void job_free(void *job)
{
    origin_unref(job);
}

static void result_free(void *refs)
{
    git_refs_unref(refs);
}

git_lists_t *git_lists_new(const struct git_lists_options *options)
{
    static const struct flight_ops ops = {run_list, job_free, result_free};
    git_lists_t *l = xcalloc(1, sizeof(*l));
    pthread_mutex_init(&l->lock, NULL);
    l->map.value_free = entry_free;
    l->options = *options;
    l->swept = mono_now();
    l->flights = flights_new(options->pool, &ops, l);
    return l;
}

void git_lists_free(git_lists_t *l)
{
    if (!l)
        return;
    flights_free(l->flights);
    map_dispose(&l->map);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

struct call {
    git_lists_fn fn;
    void *arg;
};

static void landed(void *arg, void *result, err_t *err)
{
    struct call c = *(struct call *)arg;
    free(arg);
    c.fn(c.arg, result, err);
}

void git_lists_get(git_lists_t *l, origin_t *o, bool fresh, git_lists_fn fn, void *arg)
{
    AUTO(git_refs_unref_p) git_refs_t *refs = NULL;
    AUTO_ERR err = NULL;
    if (!fresh) {
        LOCKED(&l->lock);
        struct entry *e = map_get(&l->map, o->access_key);
        if (is_current(l, e))
            refs = git_refs_ref(e->refs);
        else if (e && e->err && mono_left(e->retry_at) > 0)
            err = err_copy(e->err);
    }
    if (refs || err) {
        fn(arg, refs, err);
        return;
    }
    struct call *c = xmalloc(sizeof(*c));
    *c = (struct call){fn, arg};
    flight_join(l->flights, o->access_key, fresh, origin_ref(o), landed, c, NULL);
}

bool git_lists_granted(git_lists_t *l, const origin_t *o)
{
    LOCKED(&l->lock);
    return is_current(l, map_get(&l->map, o->access_key));
}
