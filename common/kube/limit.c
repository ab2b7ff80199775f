#include "common/kube/limit.h"

void kube_limit_init(struct kube_limit *l, double qps, unsigned burst)
{
    *l = (struct kube_limit){.qps = qps, .burst = burst, .tokens = burst, .filled = mono_now()};
    pthread_mutex_init(&l->lock, NULL);
}

void kube_limit_dispose(struct kube_limit *l)
{
    pthread_mutex_destroy(&l->lock);
}

bool kube_limit_take(struct kube_limit *l, int64_t most_ns, int64_t *wait_ns)
{
    LOCKED(&l->lock);
    mono_t now = mono_now();
    l->tokens += (double)(now.ns - l->filled.ns) / (double)NS_PER_SEC * l->qps;
    if (l->tokens > l->burst)
        l->tokens = l->burst;
    l->filled = now;
    double missing = 1 - l->tokens; /* below zero: tokens owed to those who wait already */
    int64_t wait = missing > 0 ? (int64_t)(missing / l->qps * (double)NS_PER_SEC) : 0;
    if (wait > most_ns)
        return false;
    l->tokens -= 1;
    *wait_ns = wait;
    return true;
}
