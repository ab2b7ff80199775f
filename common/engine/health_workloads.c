/* Health of what runs pods. */
#include "common/engine/health_checks.h"
#include "common/engine/hooks.h"

void health_set(struct health *out, enum health_status status, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTO(free_p) char *message = xvasprintf(fmt, ap);
    va_end(ap);
    free(out->message);
    *out = (struct health){status, *message ? TAKE(message) : NULL};
}

const json_t *health_condition(const json_t *o, const char *type)
{
    json_t *list = json_at(o, "status", "conditions");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_eq(json_str_at(json_array_get(list, i), "type"), type))
            return json_array_get(list, i);
    return NULL;
}

/* Null is as good as absent. */
static bool given(const json_t *v)
{
    return v && !json_is_null(v);
}

static long long status_int(const json_t *o, const char *field)
{
    return json_int_at(o, "status", field);
}

static bool observed(const json_t *o)
{
    return json_int_at(o, "metadata", "generation") <= status_int(o, "observedGeneration");
}

void health_deployment(const json_t *o, struct health *out)
{
    if (json_bool_at(o, "spec", "paused")) {
        health_set(out, HEALTH_SUSPENDED, "Deployment is paused");
        return;
    }
    if (!observed(o)) {
        health_set(
            out, HEALTH_PROGRESSING,
            "Waiting for rollout to finish: observed deployment generation less than desired generation");
        return;
    }
    const json_t *progressing = health_condition(o, "Progressing");
    long long updated = status_int(o, "updatedReplicas"), available = status_int(o, "availableReplicas");
    long long all = status_int(o, "replicas"), wanted = json_int_at(o, "spec", "replicas");
    if (str_eq(json_str_at(progressing, "reason"), "ProgressDeadlineExceeded"))
        health_set(out, HEALTH_DEGRADED, "Deployment \"%s\" exceeded its progress deadline", object_name(o));
    else if (given(json_at(o, "spec", "replicas")) && updated < wanted)
        health_set(out, HEALTH_PROGRESSING,
                   "Waiting for rollout to finish: %lld out of %lld new replicas have been updated...",
                   updated, wanted);
    else if (all > updated)
        health_set(out, HEALTH_PROGRESSING,
                   "Waiting for rollout to finish: %lld old replicas are pending termination...",
                   all - updated);
    else if (available < updated)
        health_set(out, HEALTH_PROGRESSING,
                   "Waiting for rollout to finish: %lld of %lld updated replicas are available...", available,
                   updated);
    else
        out->status = HEALTH_HEALTHY;
}

void health_stateful_set(const json_t *o, struct health *out)
{
    if (status_int(o, "observedGeneration") == 0 || !observed(o)) {
        health_set(out, HEALTH_PROGRESSING, "Waiting for statefulset spec update to be observed...");
        return;
    }
    bool has_replicas = given(json_at(o, "spec", "replicas"));
    long long wanted = json_int_at(o, "spec", "replicas"), ready = status_int(o, "readyReplicas");
    long long updated = status_int(o, "updatedReplicas");
    const char *strategy = str_or_empty(json_str_at(o, "spec", "updateStrategy", "type"));
    const json_t *rolling = json_at(o, "spec", "updateStrategy", "rollingUpdate");
    if (has_replicas && ready < wanted) {
        health_set(out, HEALTH_PROGRESSING, "Waiting for %lld pods to be ready...", wanted - ready);
        return;
    }
    if (strcmp(strategy, "RollingUpdate") == 0 && json_is_map(rolling)) {
        long long due = wanted - json_int_at(rolling, "partition");
        if (has_replicas && given(json_at(rolling, "partition")) && updated < due)
            health_set(
                out, HEALTH_PROGRESSING,
                "Waiting for partitioned roll out to finish: %lld out of %lld new pods have been updated...",
                updated, due);
        else
            health_set(out, HEALTH_HEALTHY,
                       "partitioned roll out complete: %lld new pods have been updated...", updated);
        return;
    }
    const char *update = str_or_empty(json_str_at(o, "status", "updateRevision"));
    const char *current = str_or_empty(json_str_at(o, "status", "currentRevision"));
    if (strcmp(strategy, "OnDelete") == 0)
        health_set(out, HEALTH_HEALTHY, "statefulset has %lld ready pods", ready);
    else if (strcmp(update, current) != 0)
        health_set(out, HEALTH_PROGRESSING,
                   "waiting for statefulset rolling update to complete %lld pods at revision %s...", updated,
                   update);
    else
        health_set(out, HEALTH_HEALTHY, "statefulset rolling update complete %lld pods at revision %s...",
                   status_int(o, "currentReplicas"), current);
}

void health_daemon_set(const json_t *o, struct health *out)
{
    long long updated = status_int(o, "updatedNumberScheduled"),
              desired = status_int(o, "desiredNumberScheduled");
    long long available = status_int(o, "numberAvailable");
    if (!observed(o))
        health_set(
            out, HEALTH_PROGRESSING,
            "Waiting for rollout to finish: observed daemon set generation less than desired generation");
    else if (str_eq(json_str_at(o, "spec", "updateStrategy", "type"), "OnDelete"))
        health_set(out, HEALTH_HEALTHY, "daemon set %lld out of %lld new pods have been updated", updated,
                   desired);
    else if (updated < desired)
        health_set(
            out, HEALTH_PROGRESSING,
            "Waiting for daemon set \"%s\" rollout to finish: %lld out of %lld new pods have been updated...",
            object_name(o), updated, desired);
    else if (available < desired)
        health_set(
            out, HEALTH_PROGRESSING,
            "Waiting for daemon set \"%s\" rollout to finish: %lld of %lld updated pods are available...",
            object_name(o), available, desired);
    else
        out->status = HEALTH_HEALTHY;
}

void health_replica_set(const json_t *o, struct health *out)
{
    if (!observed(o)) {
        health_set(
            out, HEALTH_PROGRESSING,
            "Waiting for rollout to finish: observed replica set generation less than desired generation");
        return;
    }
    const json_t *failure = health_condition(o, "ReplicaFailure");
    long long wanted = json_int_at(o, "spec", "replicas"), available = status_int(o, "availableReplicas");
    if (str_eq(json_str_at(failure, "status"), "True"))
        health_set(out, HEALTH_DEGRADED, "%s", str_or_empty(json_str_at(failure, "message")));
    else if (given(json_at(o, "spec", "replicas")) && available < wanted)
        health_set(out, HEALTH_PROGRESSING,
                   "Waiting for rollout to finish: %lld out of %lld new replicas are available...", available,
                   wanted);
    else
        out->status = HEALTH_HEALTHY;
}

void health_job(const json_t *o, struct health *out)
{
    json_t *list = json_at(o, "status", "conditions");
    bool failed = false, complete = false, suspended = false;
    const char *message = "", *failure = "";
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *c = json_array_get(list, i);
        const char *type = str_or_empty(json_str_at(c, "type")),
                   *text = str_or_empty(json_str_at(c, "message"));
        if (strcmp(type, "Failed") == 0) {
            failed = complete = true;
            failure = text;
        } else if (strcmp(type, "Complete") == 0 || strcmp(type, "Suspended") == 0) {
            complete = true;
            message = text;
            suspended = suspended || (*type == 'S' && str_eq(json_str_at(c, "status"), "True"));
        }
    }
    if (!complete)
        health_set(out, HEALTH_PROGRESSING, "%s", message);
    else if (failed)
        health_set(out, HEALTH_DEGRADED, "%s", failure);
    else
        health_set(out, suspended ? HEALTH_SUSPENDED : HEALTH_HEALTHY, "%s", message);
}

/* ---- pods ---- */

static bool stays_up(const json_t *o)
{
    if (str_eq(json_str_at(o, "spec", "restartPolicy"), "Always"))
        return true;
    return str_eq(object_annotation(o, "argocd.argoproj.io/ignore-restart-policy"), "true") &&
           !object_is_hook(o);
}

/* Messages of containers that wait because of an error; NULL when there are none. */
static char *waiting_errors(const json_t *o)
{
    json_t *list = json_at(o, "status", "containerStatuses");
    str_t text = STR_INIT;
    bool any = false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *waiting = json_at(json_array_get(list, i), "state", "waiting");
        const char *reason = str_or_empty(json_str_at(waiting, "reason"));
        if (!str_has_prefix(reason, "Err") && !str_has_suffix(reason, "Error") &&
            !str_has_suffix(reason, "BackOff"))
            continue;
        if (any)
            str_puts(&text, ", ");
        str_puts(&text, str_or_empty(json_str_at(waiting, "message")));
        any = true;
    }
    char *out = str_take(&text);
    if (!any)
        free(TAKE(out));
    return out;
}

static bool failure_of(const json_t *container, struct health *out)
{
    const json_t *end = json_at(container, "state", "terminated");
    const char *message = str_or_empty(json_str_at(end, "message"));
    long long code = json_int_at(end, "exitCode");
    if (*message)
        health_set(out, HEALTH_DEGRADED, "%s", message);
    else if (str_eq(json_str_at(end, "reason"), "OOMKilled"))
        health_set(out, HEALTH_DEGRADED, "OOMKilled");
    else if (code)
        health_set(out, HEALTH_DEGRADED, "container \"%s\" failed with exit code %lld",
                   str_or_empty(json_str_at(container, "name")), code);
    else
        return false;
    return true;
}

static void failed_pod(const json_t *o, const char *message, struct health *out)
{
    static const char *const lists[] = {"initContainerStatuses", "containerStatuses"};
    health_set(out, HEALTH_DEGRADED, "%s", message);
    if (*message)
        return;
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        json_t *list = json_at(o, "status", lists[l]);
        for (size_t i = 0; i < json_array_size(list); i++)
            if (failure_of(json_array_get(list, i), out))
                return;
    }
}

static enum health_status running_pod(const json_t *o)
{
    if (!stays_up(o)) {
        const char *policy = str_or_empty(json_str_at(o, "spec", "restartPolicy"));
        bool known = strcmp(policy, "OnFailure") == 0 || strcmp(policy, "Never") == 0;
        return known ? HEALTH_PROGRESSING : HEALTH_UNKNOWN;
    }
    if (str_eq(json_str_at(health_condition(o, "Ready"), "status"), "True"))
        return HEALTH_HEALTHY;
    json_t *list = json_at(o, "status", "containerStatuses");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (given(json_at(json_array_get(list, i), "lastState", "terminated")))
            return HEALTH_DEGRADED;
    return HEALTH_PROGRESSING;
}

void health_pod(const json_t *o, struct health *out)
{
    if (stays_up(o)) {
        AUTO(free_p) char *errors = waiting_errors(o);
        if (errors) {
            health_set(out, HEALTH_DEGRADED, "%s", errors);
            return;
        }
    }
    const char *phase = str_or_empty(json_str_at(o, "status", "phase"));
    const char *message = str_or_empty(json_str_at(o, "status", "message"));
    if (strcmp(phase, "Pending") == 0)
        health_set(out, HEALTH_PROGRESSING, "%s", message);
    else if (strcmp(phase, "Succeeded") == 0)
        health_set(out, HEALTH_HEALTHY, "%s", message);
    else if (strcmp(phase, "Failed") == 0)
        failed_pod(o, message, out);
    else if (strcmp(phase, "Running") == 0)
        health_set(out, running_pod(o), "%s", message);
    else
        health_set(out, HEALTH_UNKNOWN, "%s", message);
}
