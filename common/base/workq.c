/* Design. One lock. Items live in a map by key while they are ready, running or have timers. Ready items hang
 * in one of two FIFO lists. Timers sit in a binary heap by deadline; each knows its place, so that cancelling
 * one is O(log n). Workers wait for "ready or next deadline": whoever wakes moves due timers to the ready
 * lists, so there is no timer thread. Workers are started when there is work for them and end after a while
 * without; one always stays. */
#include "common/base/workq.h"
#include "common/base/map.h"
#include "common/base/rand.h"
#include "common/base/slab.h"
#include "common/base/thread.h"
#include "common/base/vec.h"

#include <stdio.h>

enum { LOW_SHARE = 8, IDLE_SECONDS = 15 };

struct timer {
    struct item *item;
    struct timer *next; /* of the same item */
    mono_t deadline;
    uint64_t bits;
    size_t at; /* index in the heap */
};

struct item {
    char *key;
    uint64_t bits; /* to be done in the next run */
    struct timer *timers;
    struct item *next; /* in a ready list */
    mono_t since;      /* when it was queued, when it began to run */
    bool queued, running, high;
};

struct list {
    struct item *head, **tail;
};

struct workq {
    lock_t lock; /* guards everything below */
    cond_t wake, idle_cond;
    workq_fn fn;
    void *ctx;
    map_t items;          /* k: key, v: struct item * */
    struct list ready[2]; /* [1] is high priority */
    VEC(struct timer *) heap;
    size_t nready, nrunning;
    uint64_t added, done, put_off, turns;
    struct workq_times waited, worked;
    bool stopping;
    bool untidy; /* since memory was given back, work was done */
    char name[16];
    size_t threads, idle, max_threads;
    cond_t gone;
};

const double workq_bounds[WORKQ_BOUNDS] = {1e-08, 1e-07, 1e-06, 1e-05, 1e-04, 0.001,
                                           0.01,  0.1,   1,     10,    100,   1000};

static void note_time(struct workq_times *t, mono_t since, mono_t now)
{
    double seconds = (double)(now.ns - since.ns) / (double)NS_PER_SEC;
    size_t i = 0;
    while (i < WORKQ_BOUNDS && seconds > workq_bounds[i])
        i++;
    t->counts[i]++;
    t->count++;
    t->seconds += seconds;
}

static void heap_set(workq_t *q, size_t i, struct timer *t)
{
    q->heap.v[i] = t;
    t->at = i;
}

static void heap_sift(workq_t *q, size_t i)
{
    struct timer *t = q->heap.v[i];
    while (i && mono_cmp(t->deadline, q->heap.v[(i - 1) / 2]->deadline) < 0) {
        heap_set(q, i, q->heap.v[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= q->heap.n)
            break;
        if (child + 1 < q->heap.n && mono_cmp(q->heap.v[child + 1]->deadline, q->heap.v[child]->deadline) < 0)
            child++;
        if (mono_cmp(q->heap.v[child]->deadline, t->deadline) >= 0)
            break;
        heap_set(q, i, q->heap.v[child]);
        i = child;
    }
    heap_set(q, i, t);
}

static void heap_remove(workq_t *q, struct timer *t)
{
    size_t i = t->at;
    struct timer *last = VEC_POP(&q->heap);
    if (last != t) {
        heap_set(q, i, last);
        heap_sift(q, i);
    }
}

static struct item *item_get(workq_t *q, const char *key)
{
    struct item *it = map_get(&q->items, key);
    if (!it) {
        it = slab_zalloc(sizeof(*it));
        it->key = slab_strdup(key);
        map_put(&q->items, key, it);
    }
    return it;
}

/* Frees the item if nothing holds it any more. */
static void item_put(workq_t *q, struct item *it)
{
    if (it->queued || it->running || it->timers || it->bits)
        return;
    it = map_take(&q->items, it->key);
    slab_strfree(it->key);
    slab_free(it, sizeof(*it));
}

static void *worker(void *arg);

static void start_worker(workq_t *q)
{
    q->threads++;
    pthread_detach(thread_start(q->name, worker, q));
}

static void enqueue(workq_t *q, struct item *it, bool high)
{
    it->high = it->high || high;
    if (it->queued || it->running)
        return;
    struct list *l = &q->ready[it->high];
    it->queued = true;
    it->since = mono_now();
    it->next = NULL;
    *l->tail = it;
    l->tail = &it->next;
    q->nready++;
    if (q->nready > q->idle && q->threads < q->max_threads)
        start_worker(q);
    pthread_cond_signal(&q->wake);
}

static void unlink_ready(workq_t *q, struct item *it)
{
    for (size_t i = 0; i < 2; i++) {
        for (struct item **p = &q->ready[i].head; *p; p = &(*p)->next) {
            if (*p != it)
                continue;
            *p = it->next;
            if (!*p)
                q->ready[i].tail = p;
            it->queued = false;
            q->nready--;
            return;
        }
    }
}

static void drop_timer(workq_t *q, struct timer *t)
{
    struct timer **p = &t->item->timers;
    while (*p != t)
        p = &(*p)->next;
    *p = t->next;
    heap_remove(q, t);
    slab_free(t, sizeof(*t));
}

static void add(workq_t *q, const char *key, uint64_t bits, bool high)
{
    LOCKED(&q->lock);
    if (q->stopping || !bits)
        return;
    struct item *it = item_get(q, key);
    q->added++;
    it->bits |= bits;
    enqueue(q, it, high);
}

void workq_add(workq_t *q, const char *key, uint64_t bits)
{
    add(q, key, bits, true);
}

void workq_add_low(workq_t *q, const char *key, uint64_t bits)
{
    add(q, key, bits, false);
}

void workq_add_after(workq_t *q, const char *key, uint64_t bits, int64_t delay_ns)
{
    if (delay_ns <= 0) {
        workq_add(q, key, bits);
        return;
    }
    mono_t deadline = mono_after(mono_now(), delay_ns);
    LOCKED(&q->lock);
    if (q->stopping || !bits)
        return;
    struct item *it = item_get(q, key);
    struct timer *t = it->timers;
    while (t && t->bits != bits)
        t = t->next;
    if (t && mono_cmp(t->deadline, deadline) <= 0)
        return;
    if (!t) {
        t = slab_zalloc(sizeof(*t));
        *t = (struct timer){.item = it, .next = it->timers, .bits = bits, .at = q->heap.n};
        it->timers = t;
        VEC_PUSH(&q->heap, t);
    }
    q->put_off++;
    t->deadline = deadline;
    heap_sift(q, t->at);
    if (t->at == 0)
        pthread_cond_signal(&q->wake); /* somebody must wait for the new first deadline */
}

void workq_add_jittered(workq_t *q, const char *key, uint64_t bits, int64_t delay_ns, int64_t jitter_ns)
{
    workq_add_after(q, key, bits, delay_ns + (int64_t)random_below(jitter_ns > 0 ? (uint64_t)jitter_ns : 0));
}

void workq_cancel(workq_t *q, const char *key, uint64_t bits)
{
    LOCKED(&q->lock);
    struct item *it = map_get(&q->items, key);
    if (!it)
        return;
    for (struct timer *t = it->timers, *next; t; t = next) {
        next = t->next;
        if (t->bits == bits)
            drop_timer(q, t);
    }
    item_put(q, it);
}

void workq_forget(workq_t *q, const char *key)
{
    LOCKED(&q->lock);
    struct item *it = map_get(&q->items, key);
    if (!it)
        return;
    while (it->timers)
        drop_timer(q, it->timers);
    it->bits = 0;
    if (it->queued)
        unlink_ready(q, it);
    item_put(q, it);
}

/* Moves due timers to the ready lists; returns when the next one is due. */
static mono_t fire_timers(workq_t *q)
{
    mono_t now = mono_now();
    while (q->heap.n && mono_cmp(q->heap.v[0]->deadline, now) <= 0) {
        struct timer *t = q->heap.v[0];
        struct item *it = t->item;
        it->bits |= t->bits;
        q->added++;
        drop_timer(q, t);
        enqueue(q, it, true);
    }
    return q->heap.n ? q->heap.v[0]->deadline : MONO_NEVER;
}

static struct item *dequeue(workq_t *q)
{
    bool low_turn = ++q->turns % LOW_SHARE == 0;
    struct list *l = &q->ready[low_turn ? 0 : 1];
    if (!l->head)
        l = &q->ready[low_turn ? 1 : 0];
    struct item *it = l->head;
    l->head = it->next;
    if (!l->head)
        l->tail = &l->head;
    it->queued = false;
    q->nready--;
    return it;
}

/* Runs the next item. Called and left with the lock held. */
static void run_one(workq_t *q)
{
    struct item *it = dequeue(q);
    uint64_t bits = it->bits;
    it->bits = 0;
    it->high = false;
    it->running = true;
    mono_t began = mono_now();
    note_time(&q->waited, it->since, began);
    it->since = began;
    q->untidy = true;
    q->nrunning++;
    if (q->nready || q->heap.n)
        pthread_cond_signal(&q->wake); /* a colleague takes over the rest and the timers */
    pthread_mutex_unlock(&q->lock);
    q->fn(q->ctx, it->key, bits);
    pthread_mutex_lock(&q->lock);
    it->running = false;
    note_time(&q->worked, began, mono_now());
    q->nrunning--;
    q->done++;
    if (it->bits && !q->stopping)
        enqueue(q, it, it->high);
    else
        item_put(q, it);
    if (!q->nready && !q->nrunning)
        pthread_cond_broadcast(&q->idle_cond);
}

/* Called and left with the lock held. Returns when to do so again. */
static mono_t give_back(workq_t *q)
{
    q->untidy = false;
    pthread_mutex_unlock(&q->lock);
    int64_t too_early = memory_give_back();
    pthread_mutex_lock(&q->lock);
    q->untidy = q->untidy || too_early;
    return mono_after(mono_now(), too_early);
}

static void *worker(void *arg)
{
    workq_t *q = arg;
    pthread_mutex_lock(&q->lock);
    mono_t bored = mono_after(mono_now(), SECONDS(IDLE_SECONDS));
    while (!q->stopping) {
        mono_t next = fire_timers(q);
        if (q->nready) {
            run_one(q);
            bored = mono_after(mono_now(), SECONDS(IDLE_SECONDS));
            continue;
        }
        bool spare = q->idle > 0; /* somebody else watches the timers */
        bool waits = spare || q->untidy;
        if (waits && mono_left(bored) == 0) {
            if (spare)
                break;
            bored = give_back(q);
            continue;
        }
        q->idle++;
        cond_wait_until(&q->wake, &q->lock, waits && mono_cmp(bored, next) < 0 ? bored : next);
        q->idle--;
    }
    q->threads--;
    pthread_cond_broadcast(&q->gone);
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

workq_t *workq_new(const char *name, size_t workers, workq_fn fn, void *ctx)
{
    workq_t *q = xcalloc(1, sizeof(*q));
    pthread_mutex_init(&q->lock, NULL);
    cond_init(&q->wake);
    cond_init(&q->idle_cond);
    cond_init(&q->gone);
    q->fn = fn;
    q->ctx = ctx;
    for (size_t i = 0; i < 2; i++)
        q->ready[i].tail = &q->ready[i].head;
    snprintf(q->name, sizeof(q->name), "%s", name);
    q->max_threads = max_size(workers, 1);
    LOCKED(&q->lock);
    start_worker(q);
    return q;
}

void workq_stop(workq_t *q)
{
    LOCKED(&q->lock);
    q->stopping = true;
    pthread_cond_broadcast(&q->wake);
    while (q->threads)
        pthread_cond_wait(&q->gone, &q->lock);
}

void workq_free(workq_t *q)
{
    if (!q)
        return;
    workq_stop(q);
    MAP_FOREACH(&q->items, e) {
        struct item *it = e->value;
        while (it->timers)
            drop_timer(q, it->timers); /* NOLINT(clang-analyzer-unix.Malloc): it does not see the unlinking */
        slab_strfree(it->key);
        slab_free(it, sizeof(*it));
    }
    map_dispose(&q->items);
    VEC_FREE(&q->heap);
    pthread_mutex_destroy(&q->lock);
    pthread_cond_destroy(&q->wake);
    pthread_cond_destroy(&q->idle_cond);
    pthread_cond_destroy(&q->gone);
    free(q);
}

void workq_stats(workq_t *q, struct workq_stats *out)
{
    mono_t now = mono_now();
    LOCKED(&q->lock);
    *out = (struct workq_stats){.ready = q->nready,
                                .running = q->nrunning,
                                .delayed = q->heap.n,
                                .added = q->added,
                                .done = q->done,
                                .put_off = q->put_off,
                                .waited = q->waited,
                                .worked = q->worked};
    MAP_FOREACH(&q->items, e) {
        const struct item *it = e->value;
        if (!it->running)
            continue;
        double seconds = (double)(now.ns - it->since.ns) / (double)NS_PER_SEC;
        out->unfinished += seconds;
        out->longest = seconds > out->longest ? seconds : out->longest;
    }
}

bool workq_drain(workq_t *q, mono_t deadline)
{
    LOCKED(&q->lock);
    while (q->nready || q->nrunning)
        if (!cond_wait_until(&q->idle_cond, &q->lock, deadline))
            return !q->nready && !q->nrunning;
    return true;
}
