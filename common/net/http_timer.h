/* Timers of one thread: a binary heap of deadlines that are embedded in what they belong to. */
#ifndef CARGOCD_NET_HTTP_TIMER_H
#define CARGOCD_NET_HTTP_TIMER_H

#include "common/base/clock.h"
#include "common/base/vec.h"

struct http_timer {
    mono_t at;
    size_t place; /* in the heap, from 1; 0: not set */
    void (*fn)(struct http_timer *t);
};
struct http_timers {
    VEC(struct http_timer *) heap;
};

/* Sets or moves. */
void http_timer_set(struct http_timers *ts, struct http_timer *t, mono_t at);
/* Nothing happens when it is not set. */
void http_timer_stop(struct http_timers *ts, struct http_timer *t);
/* Takes the first that is due at `now` off the heap; NULL when none is. */
struct http_timer *http_timer_due(struct http_timers *ts, mono_t now);
/* MONO_NEVER when none is set. */
mono_t http_timer_first(const struct http_timers *ts);

#endif
