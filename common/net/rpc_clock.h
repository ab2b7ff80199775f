/* Timers of RPC's clients and servers, on one thread of the process ("rpc-clock") that exists while there is
 * a timer and sleeps until the next one is due. What runs there must not block. Internal to common/net. */
#ifndef CARGOCD_NET_RPC_CLOCK_H
#define CARGOCD_NET_RPC_CLOCK_H

#include "common/base/clock.h"

struct rpc_timer {
    void (*fn)(void *arg); /* runs on the clock's thread with no lock of this module held */
    void *arg;
    /* private, under the clock's lock */
    mono_t due; /* MONO_NEVER: not set */
    struct rpc_timer *next;
    bool listed, running;
};

void rpc_timer_init(struct rpc_timer *t, void (*fn)(void *arg), void *arg);
/* Runs fn at `due`, or at the earlier time for which it was set before. fn may set its own timer again. */
void rpc_timer_set(struct rpc_timer *t, mono_t due);
/* When it returns, fn does not run and will not. Not from fn itself. */
void rpc_timer_stop(struct rpc_timer *t);

#endif
