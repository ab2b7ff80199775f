/* The one thread of kubesim: file descriptors, timers, and work put off to the end of a turn. */
#ifndef CARGOCD_KUBESIM_LOOP_H
#define CARGOCD_KUBESIM_LOOP_H

#include "common/base/clock.h"
#include "common/base/err.h"

typedef struct loop loop_t;

/* Embedded in what waits for a descriptor. events are epoll's. */
struct loop_fd {
    int fd;
    uint32_t events; /* asked for; 0: not in the set */
    void (*fn)(struct loop_fd *f, uint32_t events);
};
/* Embedded in what waits for a time; zeroed memory is a stopped timer. */
struct timer {
    int64_t due;
    size_t pos; /* place in the heap + 1; 0: stopped */
    void (*fn)(struct timer *t);
};
/* Embedded in what wants to run once at the end of the turn. Memory may be freed only there: events already
 * fetched for other descriptors can still name it. */
struct deferred {
    struct deferred *next;
    bool queued;
    void (*fn)(struct deferred *d);
};

loop_t *loop_new(err_t **err) MUST_USE;
void loop_free(loop_t *l);
/* Adds, changes or (events 0) removes. */
void loop_watch(loop_t *l, struct loop_fd *f, uint32_t events);
/* Starts or moves the timer. */
void loop_timer(loop_t *l, struct timer *t, int64_t delay_ns);
void loop_timer_stop(loop_t *l, struct timer *t);
void loop_defer(loop_t *l, struct deferred *d);
/* Takes it back if it is queued. */
void loop_defer_cancel(loop_t *l, struct deferred *d);
/* Returns after loop_stop. */
void loop_run(loop_t *l);
void loop_stop(loop_t *l);

#endif
