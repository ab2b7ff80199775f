#include "app-controller/members/tenure.h"
#include "common/base/log.h"

#include <stdio.h>

struct tenures {
    lock_t lock; /* guards what follows and every tenure */
    mono_t stop, end;
    bool settled;
    size_t draining;
    char *replica;
};

static _Thread_local struct tenure *current;

tenures_t *tenures_new(const char *replica)
{
    tenures_t *ts = xcalloc(1, sizeof(*ts));
    pthread_mutex_init(&ts->lock, NULL);
    ts->replica = xstrdup(replica);
    return ts;
}

void tenures_free(tenures_t *ts)
{
    if (!ts)
        return;
    pthread_mutex_destroy(&ts->lock);
    free(ts->replica);
    free(ts);
}

void tenures_lease(tenures_t *ts, mono_t stop, mono_t end)
{
    LOCKED(&ts->lock);
    ts->stop = stop;
    ts->end = end;
}

/* With the lock held. */
static bool valid(const tenures_t *ts)
{
    return mono_cmp(boot_now(), ts->stop) < 0;
}

bool tenures_valid(tenures_t *ts)
{
    LOCKED(&ts->lock);
    return valid(ts);
}

void tenures_settle(tenures_t *ts, bool settled)
{
    LOCKED(&ts->lock);
    ts->settled = settled;
}

size_t tenures_draining(tenures_t *ts)
{
    LOCKED(&ts->lock);
    return ts->draining;
}

/* With the lock held. */
static bool gain(const tenures_t *ts, struct tenure *t)
{
    /* A write that was sent before the loss counts as draining until it has ended. */
    if (t->owned || !t->wanted || !ts->settled || t->working || t->writing)
        return false;
    t->owned = true;
    return true;
}

enum tenure_change tenure_want(tenures_t *ts, struct tenure *t, bool wanted)
{
    LOCKED(&ts->lock);
    t->wanted = wanted;
    if (wanted)
        return gain(ts, t) ? TENURE_GAINED : TENURE_SAME;
    if (!t->owned)
        return TENURE_SAME;
    t->owned = false;
    ts->draining += t->writing;
    return TENURE_LOST;
}

bool tenure_owned(tenures_t *ts, struct tenure *t)
{
    LOCKED(&ts->lock);
    return t->owned;
}

bool tenure_idle(tenures_t *ts, struct tenure *t)
{
    LOCKED(&ts->lock);
    return !t->owned && !t->working && !t->writing;
}

bool tenure_begin(tenures_t *ts, struct tenure *t)
{
    LOCKED(&ts->lock);
    if (!t->owned || !valid(ts))
        return false;
    t->working++;
    current = t;
    return true;
}

bool tenure_end(tenures_t *ts, struct tenure *t)
{
    LOCKED(&ts->lock);
    current = NULL;
    t->working--;
    return gain(ts, t);
}

struct tenure *tenure_assist(struct tenure *t)
{
    struct tenure *before = current;
    current = t;
    return before;
}

unsigned tenure_refusals(tenures_t *ts, struct tenure *t)
{
    LOCKED(&ts->lock);
    return t->refusals;
}

/* ---- the gate ---- */

/* Reviews and dry runs change nothing. */
static bool changes_something(const char *path)
{
    const char *query = strchr(path, '?');
    size_t n = query ? (size_t)(query - path) : strlen(path);
    static const char reviews[] = "reviews";
    if (query && strstr(query, "dryRun=All"))
        return false;
    return n < sizeof(reviews) ||
           strncmp(path + n - (sizeof(reviews) - 1), reviews, sizeof(reviews) - 1) != 0;
}

static int enter(void *arg, const char *method, const char *path, err_t **err)
{
    tenures_t *ts = arg;
    struct tenure *t = current;
    if (!changes_something(path))
        return 0;
    if (!t)
        return err_set(err, ERR_INTERNAL, "%s %s: written for no application", method, path);
    LOCKED(&ts->lock);
    bool may = valid(ts);
    t->refusals += !may || !t->owned;
    if (!may)
        return err_set(err, ERR_UNAVAILABLE, "application %s: the lease of replica %s has run out", t->key,
                       ts->replica);
    if (!t->owned)
        return err_set(err, ERR_UNAVAILABLE, "application %s: it is another replica's now", t->key);
    t->writing++;
    return 0;
}

/* As long as the lease lasts, which is renewed meanwhile. */
static bool goes_on(void *arg)
{
    tenures_t *ts = arg;
    LOCKED(&ts->lock);
    return mono_cmp(boot_now(), ts->end) < 0;
}

static void leave(void *arg, const char *method, const char *server, const char *path, int status)
{
    tenures_t *ts = arg;
    struct tenure *t = current;
    char text[16] = "none";
    if (!changes_something(path) || !t)
        return;
    {
        LOCKED(&ts->lock);
        t->writing--;
        if (!t->owned)
            ts->draining--;
    }
    if (status)
        snprintf(text, sizeof(text), "%d", status);
    log_info(LOGF({"application", t->key}, {"replica", ts->replica}, {"verb", method}, {"server", server},
                  {"path", path}, {"status", text}),
             "write");
}

void tenures_gate(tenures_t *ts, struct kube_gate *out)
{
    *out = (struct kube_gate){enter, goes_on, leave, ts};
}
