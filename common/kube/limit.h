/* How many requests a second: a bucket that fills at qps and holds burst. Thread-safe. */
#ifndef CARGOCD_KUBE_LIMIT_H
#define CARGOCD_KUBE_LIMIT_H

#include "common/base/thread.h"

struct kube_limit {
    lock_t lock; /* guards what follows */
    double qps, burst, tokens;
    mono_t filled;
};
void kube_limit_init(struct kube_limit *l, double qps, unsigned burst);
void kube_limit_dispose(struct kube_limit *l);
/* Takes a place in the row: *wait_ns is how long the caller must wait before it sends. False, and nothing
 * taken, when that would be more than most_ns. */
bool kube_limit_take(struct kube_limit *l, int64_t most_ns, int64_t *wait_ns);

#endif
