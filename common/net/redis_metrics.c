#include "common/net/redis_link.h"

static void count(void *arg, const char *command, bool failed, int64_t duration_ns)
{
    const redis_t *r = arg;
    metric_inc(r->requests, LABELS(r->initiator, command, failed ? "true" : "false"));
    metric_observe(r->durations, (double)duration_ns / (double)NS_PER_SEC, LABELS(r->initiator));
}

void redis_measure(redis_t *r, metrics_t *m, const char *initiator)
{
    static const double bounds[] = {.1, .25, .5, 1, 2};
    if (!r || !m)
        return;
    r->initiator = initiator;
    r->requests = metric_counter(m, "argocd_redis_request_total", "Number of redis requests executed",
                                 LABELS("initiator", "command", "failed"));
    r->durations = metric_histogram(m, "argocd_redis_request_duration_seconds", "Redis requests duration.",
                                    bounds, ARRAY_LEN(bounds), LABELS("initiator"));
    redis_observe(r, count, r);
}
