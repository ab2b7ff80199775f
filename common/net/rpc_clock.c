#include "common/net/rpc_clock.h"

#include "common/base/thread.h"

/* A list is enough: a process has a handful of clients and servers, each with one timer for all its calls. */
static struct {
    lock_t lock; /* guards everything here and the private part of the timers */
    cond_t changed;
    struct rpc_timer *timers;
    bool thread, ready; /* ready: `changed` is initialised */
} rpc_clock = {.lock = LOCK_INIT};

static struct rpc_timer *earliest(void)
{
    struct rpc_timer *first = rpc_clock.timers;
    for (struct rpc_timer *t = first; t; t = t->next)
        if (mono_cmp(t->due, first->due) < 0)
            first = t;
    return first;
}

static void run(struct rpc_timer *t)
{
    t->due = MONO_NEVER;
    t->running = true;
    pthread_mutex_unlock(&rpc_clock.lock);
    t->fn(t->arg);
    pthread_mutex_lock(&rpc_clock.lock);
    t->running = false;
    pthread_cond_broadcast(&rpc_clock.changed);
}

static void *tick(void *arg)
{
    pthread_mutex_lock(&rpc_clock.lock);
    for (struct rpc_timer *t; (t = earliest());) {
        if (mono_left(t->due) == 0)
            run(t);
        else if (mono_cmp(t->due, MONO_NEVER) < 0)
            cond_wait_until(&rpc_clock.changed, &rpc_clock.lock, t->due);
        else
            pthread_cond_wait(&rpc_clock.changed, &rpc_clock.lock);
    }
    rpc_clock.thread = false;
    pthread_mutex_unlock(&rpc_clock.lock);
    return NULL;
}

void rpc_timer_init(struct rpc_timer *t, void (*fn)(void *arg), void *arg)
{
    *t = (struct rpc_timer){.fn = fn, .arg = arg, .due = MONO_NEVER};
}

void rpc_timer_set(struct rpc_timer *t, mono_t due)
{
    LOCKED(&rpc_clock.lock);
    if (!rpc_clock.ready)
        cond_init(&rpc_clock.changed);
    rpc_clock.ready = true;
    if (!t->listed) {
        t->listed = true;
        t->next = rpc_clock.timers;
        rpc_clock.timers = t;
    }
    if (mono_cmp(due, t->due) >= 0)
        return;
    t->due = due;
    if (!rpc_clock.thread) {
        rpc_clock.thread = true;
        pthread_detach(thread_start("rpc-clock", tick, NULL));
    }
    pthread_cond_broadcast(&rpc_clock.changed);
}

void rpc_timer_stop(struct rpc_timer *t)
{
    LOCKED(&rpc_clock.lock);
    if (!t->listed)
        return;
    t->due = MONO_NEVER;
    while (t->running)
        pthread_cond_wait(&rpc_clock.changed, &rpc_clock.lock);
    struct rpc_timer **at = &rpc_clock.timers;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    t->listed = false;
    pthread_cond_broadcast(&rpc_clock.changed);
}
