#include "common/base/thread.h"
#include "common/base/crash.h"
#include "common/base/vec.h"

#include <errno.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

enum { STACK_SIZE = 256 << 10, IDLE_SECONDS = 15 };

void process_setup(void)
{
    mallopt(M_ARENA_MAX, 2);
    /* A freed document is thousands of small pieces: those that are put aside for later are gone through
     * again and again, and hold the pages between them. */
    mallopt(M_MXFAST, 0);
    signal(SIGPIPE, SIG_IGN);
    setlocale(LC_NUMERIC, "C");
#if !defined(CARGOCD_SANITIZE) /* which has a word of its own */
    crash_reports_start();
#endif
}

void cond_init(cond_t *c)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(c, &attr);
    pthread_condattr_destroy(&attr);
}

bool cond_wait_until(cond_t *c, lock_t *l, mono_t deadline)
{
    struct timespec ts = {deadline.ns / NS_PER_SEC, deadline.ns % NS_PER_SEC};
    return pthread_cond_timedwait(c, l, &ts) != ETIMEDOUT;
}

struct start {
    void *(*fn)(void *);
    void *arg;
    char name[16];
};

static void *run_thread(void *p)
{
    struct start s = *(struct start *)p;
    free(p);
    pthread_setname_np(pthread_self(), s.name);
    void *crash_stack = crash_stack_new();
    void *result = s.fn(s.arg);
    crash_stack_free(crash_stack);
    return result;
}

pthread_t thread_start(const char *name, void *(*fn)(void *), void *arg)
{
    struct start *s = xmalloc(sizeof(*s));
    *s = (struct start){.fn = fn, .arg = arg};
    snprintf(s->name, sizeof(s->name), "%s", name);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    pthread_t t;
    if (pthread_create(&t, &attr, run_thread, s) != 0)
        oom();
    pthread_attr_destroy(&attr);
    return t;
}

/* What a burst of work used lies in the heap as free pages until somebody hands them back. Not more often
 * than that: it looks at the whole heap. */
int64_t memory_give_back(void)
{
    static _Atomic int64_t last;
    int64_t now = mono_now().ns, before = last;
    if (before && now - before < SECONDS(5))
        return before + SECONDS(5) - now;
    if (atomic_compare_exchange_strong(&last, &before, now))
        malloc_trim(0);
    return 0;
}

struct job {
    pool_fn fn;
    void *arg;
};

struct pool {
    lock_t lock; /* guards everything below */
    cond_t work, gone;
    char name[16];
    struct job *ring;
    size_t head, queued, max_queue;
    size_t threads, idle, max_threads;
    bool stopping;
};

pool_t *pool_new(const char *name, size_t threads, size_t max_queue)
{
    pool_t *p = xcalloc(1, sizeof(*p));
    pthread_mutex_init(&p->lock, NULL);
    cond_init(&p->work);
    cond_init(&p->gone);
    snprintf(p->name, sizeof(p->name), "%s", name);
    p->max_threads = max_size(threads, 1);
    p->max_queue = max_size(max_queue, 1);
    p->ring = xcalloc(p->max_queue, sizeof(*p->ring));
    return p;
}

static int64_t tidy(pool_t *p)
{
    pthread_mutex_unlock(&p->lock);
    int64_t too_early = memory_give_back();
    pthread_mutex_lock(&p->lock);
    return too_early;
}

/* Waits for a job; false when there was none for long enough. Called and left with the lock held. */
static bool wait_for_job(pool_t *p)
{
    mono_t deadline = mono_after(mono_now(), SECONDS(IDLE_SECONDS));
    bool timely = true;
    p->idle++;
    while (!p->queued && !p->stopping && timely) {
        timely = cond_wait_until(&p->work, &p->lock, deadline);
        int64_t too_early = !p->queued && !p->stopping && !timely && p->threads == 1 ? tidy(p) : 0;
        if (too_early) {
            deadline = mono_after(mono_now(), too_early);
            timely = true;
        }
    }
    p->idle--;
    return p->queued;
}

static void *work(void *arg)
{
    pool_t *p = arg;
    pthread_mutex_lock(&p->lock);
    while (wait_for_job(p)) {
        struct job job = p->ring[p->head];
        p->head = (p->head + 1) % p->max_queue;
        p->queued--;
        pthread_mutex_unlock(&p->lock);
        job.fn(job.arg);
        pthread_mutex_lock(&p->lock);
    }
    p->threads--;
    pthread_cond_broadcast(&p->gone);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

int pool_submit(pool_t *p, pool_fn fn, void *arg, err_t **err)
{
    LOCKED(&p->lock);
    if (p->stopping)
        return err_set(err, ERR_CANCELED, "%s is stopping", p->name);
    if (p->queued == p->max_queue)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "%s is busy: %zu jobs are waiting", p->name, p->queued);
    p->ring[(p->head + p->queued) % p->max_queue] = (struct job){fn, arg};
    p->queued++;
    if (p->queued > p->idle && p->threads < p->max_threads) {
        p->threads++;
        pthread_detach(thread_start(p->name, work, p));
    }
    pthread_cond_signal(&p->work);
    return 0;
}

void pool_free(pool_t *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->work);
    while (p->threads)
        pthread_cond_wait(&p->gone, &p->lock);
    pthread_mutex_unlock(&p->lock);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->gone);
    free(p->ring);
    free(p);
}

size_t pool_queued(pool_t *p)
{
    LOCKED(&p->lock);
    return p->queued;
}

bool pool_idle(pool_t *p)
{
    LOCKED(&p->lock);
    return !p->queued && p->idle == p->threads;
}
