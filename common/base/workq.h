/* The work queue of a reconciler: work is merged by key, serial per key, fair, and may be delayed.
 *
 * A key carries a set of bits that says what is to be done; adding a key again before it runs merges the
 * bits. One key is never worked on by two workers; what is added meanwhile runs afterwards. Whatever waits
 * longer than a moment (a retry, a window, a timer) is a record with a deadline here, not a thread.
 * Low-priority work runs when there is no other, but at least every eighth time. A key without work costs no
 * memory. Thread-safe. */
#ifndef CARGOCD_BASE_WORKQ_H
#define CARGOCD_BASE_WORKQ_H

#include "common/base/clock.h"

typedef struct workq workq_t;
typedef void (*workq_fn)(void *ctx, const char *key, uint64_t bits);

/* Up to `workers` threads, started when there is work. */
workq_t *workq_new(const char *name, size_t workers, workq_fn fn, void *ctx) MUST_USE;
/* Stops the timers and lets running work finish; what is added from now on is dropped. */
void workq_stop(workq_t *q);
/* Stops, drops what waits, frees. */
void workq_free(workq_t *q);

void workq_add(workq_t *q, const char *key, uint64_t bits);
void workq_add_low(workq_t *q, const char *key, uint64_t bits);
/* Runs `bits` after the delay. A record with the same bits already waiting keeps the earlier of the two
 * deadlines. */
void workq_add_after(workq_t *q, const char *key, uint64_t bits, int64_t delay_ns);
/* The same with a random part of [0, jitter_ns) added. */
void workq_add_jittered(workq_t *q, const char *key, uint64_t bits, int64_t delay_ns, int64_t jitter_ns);
/* Drops the timers of the key that have exactly these bits. */
void workq_cancel(workq_t *q, const char *key, uint64_t bits);
/* Drops everything that waits for the key (work under way finishes). */
void workq_forget(workq_t *q, const char *key);

/* How long something took, as a histogram: counts[i] of those up to workq_bounds[i] seconds and above the one
 * before; the last is of all that took longer. */
enum { WORKQ_BOUNDS = 12 };
extern const double workq_bounds[WORKQ_BOUNDS];
struct workq_times {
    uint64_t counts[WORKQ_BOUNDS + 1], count;
    double seconds; /* together */
};

/* Figures: keys ready to run, keys being worked on, timers. */
struct workq_stats {
    size_t ready, running, delayed;
    uint64_t added, done, put_off; /* put_off: with a delay */
    double unfinished, longest;    /* seconds that the running ones have taken, together and at most */
    struct workq_times waited, worked;
};
void workq_stats(workq_t *q, struct workq_stats *out);
/* Waits until nothing is ready or running (timers do not count); false at the deadline. For tests. */
bool workq_drain(workq_t *q, mono_t deadline);

#endif
