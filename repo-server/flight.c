/* Per key there is at most one run under way and at most one that waits behind it. */
#include "repo-server/flight.h"
#include "common/base/map.h"
#include "common/base/vec.h"

struct waiter {
    flight_done_fn done;
    void *arg;
    bool left;
};

struct run {
    void *job;
    VEC(struct waiter) waiters;
    atomic_bool canceled;
};

struct flight {
    flights_t *owner;
    char *key;
    struct run *current, *next;
    bool begun; /* current is no longer waiting for a thread */
};

/* The lock guards the map and all flights in it. */
struct flights {
    lock_t lock;
    map_t map; /* struct flight */
    pool_t *pool;
    struct flight_ops ops;
    void *ctx;
};

flights_t *flights_new(pool_t *pool, const struct flight_ops *ops, void *ctx)
{
    flights_t *f = xcalloc(1, sizeof(*f));
    pthread_mutex_init(&f->lock, NULL);
    f->pool = pool;
    f->ops = *ops;
    f->ctx = ctx;
    return f;
}

static void run_free(flights_t *f, struct run *r)
{
    if (r->job && f->ops.job_free)
        f->ops.job_free(r->job);
    VEC_FREE(&r->waiters);
    free(r);
}

void flights_free(flights_t *f)
{
    if (!f)
        return;
    map_dispose(&f->map);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

size_t flights_count(flights_t *f)
{
    LOCKED(&f->lock);
    return f->map.n;
}

static void flight_work(void *arg);

/* Ends a run: calls everybody, then frees it. Without the lock. */
static void land(flights_t *f, struct run *r, void *result, err_t *err)
{
    VEC_FOREACH(&r->waiters, w)
        w->done(w->arg, result, err);
    run_free(f, r);
}

/* The pool refused: nobody will fly. */
static void ground(flights_t *f, struct flight *flight, err_t *err)
{
    struct run *run;
    {
        LOCKED(&f->lock);
        run = flight->current;
        struct run *next = flight->next;
        if (next) { /* joined meanwhile: they fare alike */
            VEC_FOREACH(&next->waiters, w)
                VEC_PUSH(&run->waiters, *w);
            run_free(f, next);
        }
        (void)!map_take(&f->map, flight->key);
    }
    land(f, run, NULL, err);
    free(flight->key);
    free(flight);
}

static void start(flights_t *f, struct flight *flight)
{
    AUTO_ERR err = NULL;
    if (pool_submit(f->pool, flight_work, flight, &err) < 0)
        ground(f, flight, err);
}

static void flight_work(void *arg)
{
    struct flight *flight = arg;
    flights_t *f = flight->owner;
    struct run *run;
    {
        LOCKED(&f->lock);
        flight->begun = true;
        run = flight->current;
    }
    void *result = NULL;
    AUTO_ERR err = NULL;
    f->ops.run(f->ctx, flight->key, run->job, &run->canceled, &result, &err);
    bool more;
    {
        LOCKED(&f->lock);
        more = flight->next != NULL;
        flight->current = TAKE(flight->next);
        flight->begun = false;
        if (!more)
            (void)!map_take(&f->map, flight->key);
    }
    land(f, run, result, err);
    if (result && f->ops.result_free)
        f->ops.result_free(result);
    if (more) {
        start(f, flight);
    } else {
        free(flight->key);
        free(flight);
    }
}

static void leave(struct run *r, const void *arg)
{
    bool all = true;
    if (!r)
        return;
    VEC_FOREACH(&r->waiters, w) {
        w->left = w->left || w->arg == arg;
        all = all && w->left;
    }
    r->canceled = all;
}

void flight_leave(flights_t *f, const char *key, const void *arg)
{
    LOCKED(&f->lock);
    struct flight *flight = map_get(&f->map, key);
    leave(flight ? flight->current : NULL, arg);
    leave(flight ? flight->next : NULL, arg);
}

static struct run *run_new(void *job)
{
    struct run *r = xcalloc(1, sizeof(*r));
    r->job = job;
    return r;
}

void flight_join(flights_t *f, const char *key, bool fresh, void *job_take, flight_done_fn done, void *arg,
                 bool *ours)
{
    struct flight *to_start = NULL;
    bool unused = false;
    {
        LOCKED(&f->lock);
        struct flight *flight = map_get(&f->map, key);
        struct run *run;
        if (!flight) {
            to_start = flight = xcalloc(1, sizeof(*flight));
            flight->owner = f;
            flight->key = xstrdup(key);
            run = flight->current = run_new(job_take);
            map_put(&f->map, key, flight);
        } else if (flight->begun && fresh) {
            unused = flight->next != NULL;
            run = flight->next = unused ? flight->next : run_new(job_take);
        } else {
            unused = true;
            run = flight->current;
        }
        VEC_PUSH(&run->waiters, (struct waiter){done, arg, false});
        run->canceled = false;
        if (ours)
            *ours = !unused;
    }
    if (unused && job_take && f->ops.job_free)
        f->ops.job_free(job_take);
    if (to_start)
        start(f, to_start);
}
