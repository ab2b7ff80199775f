/* A thread that sleeps until the next deadline. What waits here is small and bounded by who puts it in. */
#include "api-server/services/server.h"

struct entry {
    mono_t at;
    void (*fn)(void *arg);
    void *arg;
};

struct later {
    pthread_t thread;
    lock_t lock; /* of what follows */
    cond_t changed;
    VEC(struct entry) entries;
    bool stop;
};

/* The index of the earliest entry; false when there is none. */
static bool earliest(const struct later *l, size_t *at)
{
    for (size_t i = 0; i < l->entries.n; i++)
        if (!i || mono_cmp(l->entries.v[i].at, l->entries.v[*at].at) < 0)
            *at = i;
    return l->entries.n > 0;
}

static void *run(void *arg)
{
    struct later *l = arg;
    pthread_mutex_lock(&l->lock);
    for (;;) {
        size_t i = 0;
        if (!earliest(l, &i)) {
            if (l->stop)
                break;
            pthread_cond_wait(&l->changed, &l->lock);
        } else if (l->stop || mono_cmp(mono_now(), l->entries.v[i].at) >= 0) {
            struct entry e = l->entries.v[i];
            VEC_REMOVE(&l->entries, i);
            pthread_mutex_unlock(&l->lock);
            e.fn(e.arg);
            pthread_mutex_lock(&l->lock);
        } else
            cond_wait_until(&l->changed, &l->lock, l->entries.v[i].at);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

struct later *later_new(void)
{
    struct later *l = xcalloc(1, sizeof *l);
    pthread_mutex_init(&l->lock, NULL);
    cond_init(&l->changed);
    l->thread = thread_start("later", run, l);
    return l;
}

void later_run(struct later *l, int64_t delay_ns, void (*fn)(void *arg), void *arg)
{
    LOCKED(&l->lock);
    VEC_PUSH(&l->entries, (struct entry){mono_after(mono_now(), delay_ns), fn, arg});
    pthread_cond_signal(&l->changed);
}

void later_free(struct later *l)
{
    if (!l)
        return;
    {
        LOCKED(&l->lock);
        l->stop = true;
        pthread_cond_signal(&l->changed);
    }
    pthread_join(l->thread, NULL);
    VEC_FREE(&l->entries);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    free(l);
}
