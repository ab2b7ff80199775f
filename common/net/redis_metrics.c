#include "common/net/redis_link.h"

#include <ctype.h>
#include <strings.h>

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
}

/* A miss is no failure. */
void redis_measured(const redis_t *r, const struct redis_command *commands, size_t n, mono_t begun,
                    int result)
{
    if (!r->requests)
        return;
    for (size_t i = 0; i < n; i++) {
        char name[16] = {};
        for (size_t k = 0; k < sizeof(name) - 1 && k < commands[i].lens[0]; k++)
            name[k] = (char)tolower((unsigned char)commands[i].argv[0][k]);
        metric_inc(r->requests, LABELS(r->initiator, name, result < 0 ? "true" : "false"));
    }
    metric_observe_since(r->durations, begun, LABELS(r->initiator));
}
