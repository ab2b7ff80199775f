/* Threads with names and small stacks, locks with short names, and a bounded pool of workers.
 *
 * Share nothing by default; what is shared is a module with its own lock, documented at its struct. */
#ifndef CARGOCD_BASE_THREAD_H
#define CARGOCD_BASE_THREAD_H

#include "common/base/clock.h"
#include "common/base/err.h"

#include <pthread.h>

typedef pthread_mutex_t lock_t;
#define LOCK_INIT PTHREAD_MUTEX_INITIALIZER

static inline UNUSED void lock_release_p(lock_t **l)
{
    pthread_mutex_unlock(*l);
}
/* Holds the lock to the end of the enclosing block. */
#define LOCKED_CAT_(a, b) a##b
#define LOCKED_NAME_(l)   LOCKED_CAT_(locked_at_, l)
#define LOCKED(lock_ptr)                                                                                     \
    AUTO(lock_release_p) UNUSED lock_t *LOCKED_NAME_(__LINE__) = (pthread_mutex_lock(lock_ptr), (lock_ptr))

/* A condition on the monotonic clock. */
typedef pthread_cond_t cond_t;
void cond_init(cond_t *c);
/* False when the deadline passed first. */
bool cond_wait_until(cond_t *c, lock_t *l, mono_t deadline);

/* Starts a joinable thread with a 256 KiB stack; the name is cut to 15 characters, as Linux shows it. Aborts
 * when the system has no thread left. */
pthread_t thread_start(const char *name, void *(*fn)(void *), void *arg);

/* To be called first in main: at most two malloc arenas, SIGPIPE ignored, LC_NUMERIC "C", a
 * last word before a crash (crash.h). */
void process_setup(void);

/* Returns free pages to the system; for when a burst of work is over. Pools and work queues do so by
 * themselves. Returns 0, or, when that was done a moment ago, the time after which it is to be asked for
 * again. */
int64_t memory_give_back(void);

/* A bounded pool: up to `threads` workers, started when there is work and ended after 15 s without, and a
 * queue of at most `max_queue` jobs. */
typedef struct pool pool_t;
typedef void (*pool_fn)(void *arg);

pool_t *pool_new(const char *name, size_t threads, size_t max_queue) MUST_USE;
/* ERR_RESOURCE_EXHAUSTED when the queue is full or the pool is stopping; arg stays the caller's then. */
int pool_submit(pool_t *p, pool_fn fn, void *arg, err_t **err);
/* Waits until the jobs at hand and in the queue are done; further submits fail. Frees the pool. */
void pool_free(pool_t *p);
size_t pool_queued(pool_t *p);
/* No job queued and no worker busy. */
bool pool_idle(pool_t *p);

#endif
