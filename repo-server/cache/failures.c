#include "repo-server/cache/failures.h"
#include "common/base/map.h"
#include "common/base/thread.h"

enum { MAX_ENTRIES = 20000 };

struct failure {
    enum err_code code;
    char *text;
    int64_t first_s;
    unsigned count, answered;
};

struct failures {
    lock_t lock; /* guards the map */
    map_t map;   /* struct failure, the oldest first */
    struct failures_options options;
};

static void failure_free(void *p)
{
    struct failure *e = p;
    free(e->text);
    free(e);
}

failures_t *failures_new(const struct failures_options *options)
{
    failures_t *f = xcalloc(1, sizeof(*f));
    pthread_mutex_init(&f->lock, NULL);
    f->map.value_free = failure_free;
    f->options = *options;
    return f;
}

void failures_free(failures_t *f)
{
    if (!f)
        return;
    map_dispose(&f->map);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

static bool is_over(const failures_t *f, const struct failure *e, wall_t now)
{
    const struct failures_options *o = &f->options;
    if (o->minutes && (now.ns / NS_PER_SEC - e->first_s) / 60 >= (int64_t)o->minutes)
        return true;
    return o->requests && e->answered >= o->requests;
}

int failures_check(failures_t *f, const char *key, wall_t now, bool count, err_t **err)
{
    if (!f->options.attempts)
        return 0;
    LOCKED(&f->lock);
    struct failure *e = map_get(&f->map, key);
    if (!e || e->count < f->options.attempts)
        return 0;
    if (is_over(f, e, now)) {
        map_del(&f->map, key);
        return 0;
    }
    if (count)
        e->answered++;
    return err_set(err, e->code, "Manifest generation error (cached): %s", e->text);
}

static bool counts(enum err_code code)
{
    return code != ERR_UNAVAILABLE && code != ERR_CANCELED && code != ERR_RESOURCE_EXHAUSTED &&
           code != ERR_DATA_LOSS && code != ERR_UNAUTHENTICATED;
}

void failures_note(failures_t *f, const char *key, wall_t now, err_t *err)
{
    if (!f->options.attempts || !counts(err_code(err)))
        return;
    LOCKED(&f->lock);
    struct failure *e = map_get(&f->map, key);
    if (!e) {
        size_t pos = 0;
        map_entry_t *oldest = f->map.n >= MAX_ENTRIES ? map_next(&f->map, &pos) : NULL;
        if (oldest)
            map_del(&f->map, oldest->key);
        e = xcalloc(1, sizeof(*e));
        e->first_s = now.ns / NS_PER_SEC;
        map_put(&f->map, key, e);
    }
    free(e->text);
    e->text = xstrdup(err_text(err));
    e->code = err_code(err);
    e->count++;
}

void failures_clear(failures_t *f, const char *key)
{
    LOCKED(&f->lock);
    map_del(&f->map, key);
}
