/* kubectl's STATUS column (k8s.io/kubernetes/pkg/printers/internalversion, printPod), as facts. */
#include "common/engine/node_info.h"

static const json_t *spec_container(const json_t *pod, const char *list, const char *name)
{
    json_t *all = json_at(pod, "spec", list);
    for (size_t i = 0; i < json_array_size(all); i++)
        if (str_eq(json_str_at(json_array_get(all, i), "name"), name))
            return json_array_get(all, i);
    return NULL;
}

/* "Init:…" while initialising; NULL when that is over. */
static char *init_reason(const json_t *pod)
{
    json_t *list = json_at(pod, "status", "initContainerStatuses");
    size_t all = json_array_size(json_at(pod, "spec", "initContainers"));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *c = json_array_get(list, i), *end = json_at(c, "state", "terminated");
        const json_t *waiting = json_at(c, "state", "waiting");
        const char *why = str_or_empty(json_str_at(end, "reason"));
        const json_t *spec = spec_container(pod, "initContainers", json_str_at(c, "name"));
        bool sidecar = str_eq(json_str_at(spec, "restartPolicy"), "Always");
        if ((end && json_int_at(end, "exitCode") == 0) || (sidecar && json_bool_at(c, "started")))
            continue;
        if (end && *why)
            return xasprintf("Init:%s", why);
        if (end && json_int_at(end, "signal"))
            return xasprintf("Init:Signal:%lld", (long long)json_int_at(end, "signal"));
        if (end)
            return xasprintf("Init:ExitCode:%lld", (long long)json_int_at(end, "exitCode"));
        const char *state = str_or_empty(json_str_at(waiting, "reason"));
        if (*state && strcmp(state, "PodInitializing") != 0)
            return xasprintf("Init:%s", state);
        return xasprintf("Init:%zu/%zu", i, all);
    }
    return NULL;
}

bool pod_condition_is(const json_t *pod, const char *type, const char *status, const char *reason)
{
    json_t *list = json_at(pod, "status", "conditions");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *c = json_array_get(list, i);
        if (str_eq(json_str_at(c, "type"), type) && (!status || str_eq(json_str_at(c, "status"), status)) &&
            (!reason || str_eq(json_str_at(c, "reason"), reason)))
            return true;
    }
    return false;
}

/* The reason of the containers; the last one (first in the list) that has one wins. */
static char *container_reason(const json_t *pod, char *reason_take)
{
    json_t *list = json_at(pod, "status", "containerStatuses");
    bool running = false;
    char *reason = reason_take;
    for (size_t i = json_array_size(list); i-- > 0;) {
        const json_t *c = json_array_get(list, i), *end = json_at(c, "state", "terminated");
        const char *waits = str_or_empty(json_str_at(c, "state", "waiting", "reason"));
        const char *why = str_or_empty(json_str_at(end, "reason"));
        char *found = NULL;
        if (*waits)
            found = xstrdup(waits);
        else if (*why)
            found = xstrdup(why);
        else if (end && json_int_at(end, "signal"))
            found = xasprintf("Signal:%lld", (long long)json_int_at(end, "signal"));
        else if (end)
            found = xasprintf("ExitCode:%lld", (long long)json_int_at(end, "exitCode"));
        else if (json_bool_at(c, "ready") && json_at(c, "state", "running"))
            running = true;
        if (found) {
            free(reason);
            reason = found;
        }
    }
    if (running && strcmp(reason, "Completed") == 0) {
        free(reason);
        reason = xstrdup("Running");
    }
    return reason;
}

char *pod_status_reason(const json_t *pod)
{
    const char *phase = str_or_empty(json_str_at(pod, "status", "phase"));
    const char *own = str_or_empty(json_str_at(pod, "status", "reason"));
    char *reason = xstrdup(*own ? own : phase);
    if (pod_condition_is(pod, "PodScheduled", NULL, "SchedulingGated")) {
        free(reason);
        reason = xstrdup("SchedulingGated");
    }
    char *initialising = init_reason(pod);
    bool initialised = pod_condition_is(pod, "Initialized", "True", NULL);
    if (initialising) {
        free(reason);
        reason = initialising;
    }
    if (!initialising || initialised)
        reason = container_reason(pod, reason);
    if (!json_at(pod, "metadata", "deletionTimestamp"))
        return reason;
    bool lost = strcmp(own, "NodeLost") == 0;
    bool ended = strcmp(phase, "Failed") == 0 || strcmp(phase, "Succeeded") == 0;
    if (lost || !ended) {
        free(reason);
        reason = xstrdup(lost ? "Unknown" : "Terminating");
    }
    return reason;
}
