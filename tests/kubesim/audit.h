/* What was asked of the server: counters of requests, and the last writes one by one, for tests such as "no
 * hook ran twice". */
#ifndef CARGOCD_KUBESIM_AUDIT_H
#define CARGOCD_KUBESIM_AUDIT_H

#include "tests/kubesim/write.h"

struct audit *audit_new(size_t max_writes) MUST_USE;
void audit_free(struct audit *a);
/* result: what was answered, NULL on failure; failure: a Status. */
void audit_write(struct audit *a, const struct write *w, const char *verb, const char *name,
                 const json_t *result, const json_t *failure);
/* resource: "deployments.apps", "deployments.apps/status", or "" for other paths. */
void audit_request(struct audit *a, const char *verb, const char *resource, int code);

/* {"total":N,"requests":[{"verb","resource","code","count"}]} */
json_t *audit_counters(const struct audit *a) MUST_USE;
void audit_reset(struct audit *a);
/* {"items":[{"n","time","verb","resource","subresource","namespace","name","userAgent","user","code","dryRun","uid",
 * "resourceVersion"}]}, oldest first. Empty texts match everything; verb may be a comma list; since: only
 * writes with a greater n. */
struct audit_filter {
    const char *verb, *resource, *ns, *name, *user_agent; /* user_agent: a part of it */
    uint64_t since;
};
json_t *audit_writes(const struct audit *a, const struct audit_filter *filter) MUST_USE;

#endif
