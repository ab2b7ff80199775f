#include "api-server/auth/throttle.h"

#include "common/base/map.h"
#include "common/base/rand.h"
#include "common/base/thread.h"

struct failures {
    unsigned n;
    mono_t last;
};

struct throttle {
    unsigned max_failures;
    int64_t window_ns;
    size_t max_names;
    lock_t lock; /* of the maps */
    map_t accounts, others;
};

throttle_t *throttle_new(unsigned max_failures, int64_t window_ns, size_t max_names)
{
    throttle_t *t = xcalloc(1, sizeof *t);
    *t = (throttle_t){.max_failures = max_failures ? max_failures : 1,
                      .window_ns = window_ns,
                      .max_names = max_names ? max_names : 1,
                      .accounts = MAP_INIT(free),
                      .others = MAP_INIT(free)};
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

void throttle_free(throttle_t *t)
{
    if (!t)
        return;
    map_dispose(&t->accounts);
    map_dispose(&t->others);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static bool expired(const throttle_t *t, const struct failures *f, mono_t now)
{
    return t->window_ns && now.ns - f->last.ns > t->window_ns;
}

bool throttle_locked(throttle_t *t, const char *name, mono_t now)
{
    LOCKED(&t->lock);
    const struct failures *f = map_get(&t->accounts, name);
    if (!f)
        f = map_get(&t->others, name);
    return f && f->n >= t->max_failures && !expired(t, f, now);
}

static void make_room(map_t *m)
{
    size_t victim = random_below(m->n), pos = 0;
    map_entry_t *e;
    while ((e = map_next(m, &pos)) && victim)
        victim--;
    if (e)
        map_del(m, e->key);
}

void throttle_failed(throttle_t *t, const char *name, bool is_account, mono_t now)
{
    LOCKED(&t->lock);
    map_t *m = is_account ? &t->accounts : &t->others;
    struct failures *f = map_get(m, name);
    if (!f) {
        if (!is_account && m->n >= t->max_names)
            make_room(m);
        f = xcalloc(1, sizeof *f);
        map_put(m, name, f);
    }
    if (expired(t, f, now))
        f->n = 0;
    f->n += f->n < UINT32_MAX;
    f->last = now;
}

void throttle_succeeded(throttle_t *t, const char *name)
{
    LOCKED(&t->lock);
    map_del(&t->accounts, name);
    map_del(&t->others, name);
}

size_t throttle_names(throttle_t *t)
{
    LOCKED(&t->lock);
    return t->accounts.n + t->others.n;
}
