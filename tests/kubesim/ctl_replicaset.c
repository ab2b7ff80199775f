#include "tests/kubesim/pods.h"

static const char key[] = "replicasets.apps";

/* Pods that are not ready go first, then the newest. */
static int by_worth(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    bool rx = pod_is_ready(x), ry = pod_is_ready(y);
    if (rx != ry)
        return rx ? 1 : -1;
    return str_cmp(json_str_at(y, "metadata", "creationTimestamp"),
                   json_str_at(x, "metadata", "creationTimestamp"));
}

static bool add_pods(struct sim *s, const json_t *rs, int64_t n)
{
    AUTO(free_p) char *prefix = xasprintf("%s-", json_str_at(rs, "metadata", "name"));
    for (; n > 0; n--) {
        AUTO_JSON pod = ctl_create(
            s, "pods", json_str_at(rs, "metadata", "namespace"),
            pod_of_template(json_at(rs, "spec", "template"), "apps/v1", "ReplicaSet", rs, NULL, prefix));
        if (!pod)
            return false;
        ctl_event(s, rs, "replicaset-controller", "Normal", "SuccessfulCreate", "Created pod: %s",
                  json_str_at(pod, "metadata", "name"));
    }
    return true;
}

static void remove_pods(struct sim *s, const json_t *rs, ctl_list_t *active, int64_t n)
{
    VEC_SORT(active, by_worth);
    for (size_t i = 0; i < active->n && n > 0; i++, n--) {
        ctl_delete(s, "pods", active->v[i], NULL, -1);
        ctl_event(s, rs, "replicaset-controller", "Normal", "SuccessfulDelete", "Deleted pod: %s",
                  json_str_at(active->v[i], "metadata", "name"));
    }
}

static void set_status(struct sim *s, json_t *rs, const ctl_list_t *active, int64_t *again)
{
    int64_t ready = 0, available = 0, min_ready = json_int_at(rs, "spec", "minReadySeconds");
    VEC_FOREACH(active, pod) {
        ready += pod_is_ready(*pod);
        available += pod_is_available(*pod, min_ready, again);
    }
    json_t *conditions = json_at(rs, "status", "conditions");
    json_t *status = json_pack("{s:I,s:I}", "replicas", (json_int_t)active->n, "observedGeneration",
                               (json_int_t)json_int_at(rs, "metadata", "generation"));
    const struct {
        const char *name;
        int64_t n;
    } counts[] = {{"fullyLabeledReplicas", (int64_t)active->n},
                  {"readyReplicas", ready},
                  {"availableReplicas", available}};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        if (counts[i].n)
            json_object_set_new(status, counts[i].name, json_integer(counts[i].n));
    if (conditions)
        json_object_set(status, "conditions", conditions);
    json_object_set_new(rs, "status", status);
    ctl_update(s, key, rs, "status");
}

void replicaset_sync(struct sim *s, const char *ns, const char *name)
{
    AUTO_JSON rs = ctl_get(s, key, ns, name);
    if (!rs)
        return;
    AUTO_LIST pods = ctl_owned(s, "pods", json_str_at(rs, "metadata", "uid"));
    ctl_list_t active = {};
    int64_t again = 0;
    VEC_FOREACH(&pods, pod)
        if (pod_is_active(*pod))
            VEC_PUSH(&active, *pod);
    int64_t missing = json_int_at(rs, "spec", "replicas") - (int64_t)active.n;
    bool deleting = json_at(rs, "metadata", "deletionTimestamp");
    set_status(s, rs, &active, &again);
    if (!deleting && missing > 0 && !add_pods(s, rs, missing))
        again = s->options.delays.backoff;
    if (!deleting && missing < 0)
        remove_pods(s, rs, &active, -missing);
    VEC_FREE(&active);
    if (again)
        ctl_enqueue(s, CTL_REPLICASET, ns, name, again);
}
