#include "tests/kubesim/pods.h"

static const char key[] = "daemonsets.apps", hash_label[] = "controller-revision-hash";

static bool selects(const json_t *ds, const struct blob *node)
{
    json_t *wanted = json_at(ds, "spec", "template", "spec", "nodeSelector"), *v;
    const char *label;
    AUTO_JSON o = blob_read(node, "v1", "Node");
    json_object_foreach(wanted, label, v)
        if (!str_same(json_str_at(o, "metadata", "labels", label), json_string_value(v)))
            return false;
    return true;
}

static json_t *pod_on(const ctl_list_t *pods, const char *node)
{
    VEC_FOREACH(pods, pod)
        if (str_same(json_str_at(*pod, "spec", "nodeName"), node))
            return *pod;
    return NULL;
}

struct counts {
    int64_t desired, current, ready, available, updated;
};

static bool create_pod(struct sim *s, const json_t *ds, const char *node, const char *revision)
{
    AUTO(free_p) char *prefix = xasprintf("%s-", json_str_at(ds, "metadata", "name"));
    json_t *pod = pod_of_template(json_at(ds, "spec", "template"), "apps/v1", "DaemonSet", ds, NULL, prefix);
    json_put_at(pod, json_string(revision), "metadata", "labels", hash_label);
    json_put_at(pod, json_string(node), "spec", "nodeName");
    AUTO_JSON made = ctl_create(s, "pods", json_str_at(ds, "metadata", "namespace"), pod);
    if (made)
        ctl_event(s, ds, "daemonset-controller", "Normal", "SuccessfulCreate", "Created pod: %s",
                  json_str_at(made, "metadata", "name"));
    return made;
}

static void set_status(struct sim *s, json_t *ds, const struct counts *c)
{
    json_t *status = json_pack("{s:I,s:I,s:i,s:I,s:I}", "desiredNumberScheduled", (json_int_t)c->desired,
                               "currentNumberScheduled", (json_int_t)c->current, "numberMisscheduled", 0,
                               "numberReady", (json_int_t)c->ready, "observedGeneration",
                               (json_int_t)json_int_at(ds, "metadata", "generation"));
    const struct {
        const char *name;
        int64_t n;
    } more[] = {{"updatedNumberScheduled", c->updated},
                {"numberAvailable", c->available},
                {"numberUnavailable", c->desired - c->available}};
    for (size_t i = 0; i < ARRAY_LEN(more); i++)
        if (more[i].n)
            json_object_set_new(status, more[i].name, json_integer(more[i].n));
    json_object_set_new(ds, "status", status);
    ctl_update(s, key, ds, "status");
}

/* Old pods go as far as maxUnavailable allows; those that are not available anyway are free. */
static void roll(struct sim *s, const json_t *ds, const ctl_list_t *pods, const struct counts *c,
                 const char *revision)
{
    int64_t may = percent_of(json_at(ds, "spec", "updateStrategy", "rollingUpdate", "maxUnavailable"),
                             c->desired, true, 1) -
                  (c->desired - c->available);
    VEC_FOREACH(pods, pod) {
        if (!pod_is_active(*pod) || str_same(json_str_at(*pod, "metadata", "labels", hash_label), revision))
            continue;
        bool serves = pod_is_ready(*pod);
        if (serves && may <= 0)
            continue;
        may -= serves;
        ctl_delete(s, "pods", *pod, NULL, -1);
    }
}

void daemonset_sync(struct sim *s, const char *ns, const char *name)
{
    AUTO_JSON ds = ctl_get(s, key, ns, name);
    if (!ds)
        return;
    AUTO_LIST pods = ctl_owned(s, "pods", json_str_at(ds, "metadata", "uid"));
    AUTO(free_p) char *revision = revision_of(s, "DaemonSet", ds, json_at(ds, "spec", "template"));
    struct counts c = {};
    int64_t again = 0;
    bool deleting = json_at(ds, "metadata", "deletionTimestamp");
    VEC(struct blob *) nodes = {};
    struct index_cursor cursor = index_from(&registry_resource(&s->registry, "", "nodes")->index, "");
    for (struct blob *b; (b = index_next(&cursor));)
        VEC_PUSH(&nodes, b);
    VEC_FOREACH(&nodes, node) {
        json_t *pod = pod_on(&pods, blob_name(*node));
        if (!selects(ds, *node))
            continue;
        c.desired++;
        if (!pod) {
            if (!deleting && !create_pod(s, ds, blob_name(*node), revision))
                again = s->options.delays.backoff;
            continue;
        }
        if (!deleting && !pod_is_deleting(pod) && !pod_is_active(pod))
            ctl_delete(s, "pods", pod, NULL, -1);
        c.current++;
        c.ready += pod_is_ready(pod) && !pod_is_deleting(pod);
        c.available += !pod_is_deleting(pod) &&
                       pod_is_available(pod, json_int_at(ds, "spec", "minReadySeconds"), &again);
        c.updated += str_same(json_str_at(pod, "metadata", "labels", hash_label), revision) &&
                     !pod_is_deleting(pod);
    }
    VEC_FREE(&nodes);
    set_status(s, ds, &c);
    if (!deleting && str_same(json_str_at(ds, "spec", "updateStrategy", "type"), "RollingUpdate"))
        roll(s, ds, &pods, &c, revision);
    if (again)
        ctl_enqueue(s, CTL_DAEMONSET, ns, name, again);
}
