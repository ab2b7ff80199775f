#include "tests/kubesim/pods.h"

static const char key[] = "statefulsets.apps", claims[] = "persistentvolumeclaims";
static const char hash_label[] = "controller-revision-hash";

struct set {
    struct sim *sim;
    json_t *object;
    const char *ns, *name;
    ctl_list_t pods;
    int64_t want, partition;
    bool parallel;
    char *revision; /* of the template as it is */
};

static int64_t ordinal(const struct set *t, const json_t *pod)
{
    int64_t n;
    const char *rest = str_after(str_or_empty(json_str_at(pod, "metadata", "name")), t->name);
    return rest && *rest == '-' && str_to_i64(rest + 1, &n) ? n : -1;
}

static json_t *find_pod(const struct set *t, int64_t i)
{
    VEC_FOREACH(&t->pods, pod)
        if (ordinal(t, *pod) == i)
            return *pod;
    return NULL;
}

static bool is_updated(const struct set *t, const json_t *pod)
{
    return str_same(json_str_at(pod, "metadata", "labels", hash_label), t->revision);
}

/* Each claim template gives the pod a claim of its own, and a volume of the template's name. */
static void add_claims(struct set *t, json_t *pod)
{
    json_t *template, *volumes = json_at(pod, "spec", "volumes"), *volume;
    size_t i, k;
    if (!volumes)
        json_put_at(pod, volumes = json_array(), "spec", "volumes");
    json_array_foreach(json_at(t->object, "spec", "volumeClaimTemplates"), i, template) {
        const char *name = str_or_empty(json_str_at(template, "metadata", "name"));
        AUTO(free_p) char *claim = xasprintf("%s-%s", name, json_str_at(pod, "metadata", "name"));
        json_t *o = json_pack("{s:{s:s},s:O}", "metadata", "name", claim, "spec",
                              json_object_get(template, "spec"));
        json_t *labels = json_at(t->object, "spec", "selector", "matchLabels");
        if (labels)
            json_put_at(o, json_copy_deep(labels), "metadata", "labels");
        if (!store_get(registry_resource(&t->sim->registry, "", claims), t->ns, claim))
            json_decref(ctl_create(t->sim, claims, t->ns, o));
        else
            json_decref(o);
        json_array_foreach(volumes, k, volume)
            if (str_same(json_str_at(volume, "name"), name))
                json_array_remove(volumes, k--);
        json_array_append_new(
            volumes, json_pack("{s:s,s:{s:s}}", "name", name, "persistentVolumeClaim", "claimName", claim));
    }
    if (!json_array_size(volumes))
        json_drop_at(pod, "spec", "volumes");
}

static bool create_pod(struct set *t, int64_t i)
{
    AUTO(free_p) char *name = xasprintf("%s-%lld", t->name, (long long)i);
    AUTO(free_p) char *number = xasprintf("%lld", (long long)i);
    json_t *pod = pod_of_template(json_at(t->object, "spec", "template"), "apps/v1", "StatefulSet", t->object,
                                  name, NULL);
    json_put_at(pod, json_string(name), "metadata", "labels", "statefulset.kubernetes.io/pod-name");
    json_put_at(pod, json_string(t->revision), "metadata", "labels", hash_label);
    if (sim_minor(t->sim) >= 28)
        json_put_at(pod, json_string(number), "metadata", "labels", "apps.kubernetes.io/pod-index");
    json_put_at(pod, json_string(name), "spec", "hostname");
    const char *service = json_str_at(t->object, "spec", "serviceName");
    if (!str_empty(service))
        json_put_at(pod, json_string(service), "spec", "subdomain");
    add_claims(t, pod);
    AUTO_JSON made = ctl_create(t->sim, "pods", t->ns, pod);
    if (made)
        ctl_event(t->sim, t->object, "statefulset-controller", "Normal", "SuccessfulCreate",
                  "create Pod %s in StatefulSet %s successful", name, t->name);
    return made;
}

static void delete_pod(struct set *t, json_t *pod)
{
    ctl_delete(t->sim, "pods", pod, NULL, -1);
    ctl_event(t->sim, t->object, "statefulset-controller", "Normal", "SuccessfulDelete",
              "delete Pod %s in StatefulSet %s successful", json_str_at(pod, "metadata", "name"), t->name);
}

/* True when the replicas are there (ordered: and ready), so that an update may go on. */
static bool fill_up(struct set *t, bool *retry)
{
    bool complete = true;
    for (int64_t i = 0; i < t->want; i++) {
        json_t *pod = find_pod(t, i);
        const char *phase = pod ? pod_phase(pod) : "";
        if (!pod) {
            *retry |= !create_pod(t, i);
            complete = false;
        } else if (!pod_is_deleting(pod) &&
                   (strcmp(phase, "Failed") == 0 || strcmp(phase, "Succeeded") == 0)) {
            delete_pod(t, pod);
            complete = false;
        } else if (pod_is_deleting(pod) || !pod_is_ready(pod)) {
            complete = false;
        }
        if (!complete && !t->parallel)
            return false;
    }
    return complete;
}

/* True when none is too many. */
static bool scale_down(struct set *t)
{
    bool done = true;
    for (size_t i = t->pods.n; i-- > 0;) {
        json_t *pod = NULL;
        int64_t highest = t->want - 1;
        VEC_FOREACH(&t->pods, p)
            if (ordinal(t, *p) > highest) {
                highest = ordinal(t, *p);
                pod = *p;
            }
        if (!pod)
            break;
        done = false;
        if (!pod_is_deleting(pod))
            delete_pod(t, pod);
        if (!t->parallel)
            break;
        json_put_at(pod, json_string("-"), "metadata", "name"); /* seen */
    }
    return done;
}

/* From the highest ordinal down to the partition, one at a time. */
static void update(struct set *t)
{
    for (int64_t i = t->want - 1; i >= t->partition; i--) {
        json_t *pod = find_pod(t, i);
        if (!pod || pod_is_deleting(pod))
            return;
        if (!is_updated(t, pod)) {
            delete_pod(t, pod);
            return;
        }
        if (!pod_is_ready(pod))
            return;
    }
}

static void set_status(struct set *t)
{
    int64_t n = 0, ready = 0, updated = 0, current = 0;
    const char *was = json_str_at(t->object, "status", "currentRevision");
    VEC_FOREACH(&t->pods, pod) {
        if (ordinal(t, *pod) < 0)
            continue;
        n++;
        ready += pod_is_ready(*pod) && !pod_is_deleting(*pod);
        updated += is_updated(t, *pod) && !pod_is_deleting(*pod);
        current += str_same(json_str_at(*pod, "metadata", "labels", hash_label), was ? was : t->revision) &&
                   !pod_is_deleting(*pod);
    }
    bool complete = updated == t->want && n == t->want && ready == t->want;
    json_t *status = json_pack("{s:I,s:I,s:i,s:s,s:s}", "observedGeneration",
                               (json_int_t)json_int_at(t->object, "metadata", "generation"), "replicas",
                               (json_int_t)n, "collisionCount", 0, "updateRevision", t->revision,
                               "currentRevision", complete || !was ? t->revision : was);
    const struct {
        const char *name;
        int64_t n;
    } counts[] = {{"readyReplicas", ready},
                  {"updatedReplicas", updated},
                  {"currentReplicas", complete ? updated : current},
                  {"availableReplicas", sim_minor(t->sim) >= 22 ? ready : 0}};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        if (counts[i].n)
            json_object_set_new(status, counts[i].name, json_integer(counts[i].n));
    json_object_set_new(t->object, "status", status);
    ctl_update(t->sim, key, t->object, "status");
}

void statefulset_sync(struct sim *s, const char *ns, const char *name)
{
    AUTO_JSON o = ctl_get(s, key, ns, name);
    if (!o)
        return;
    bool retry = false;
    json_t *strategy = json_at(o, "spec", "updateStrategy");
    struct set t = {.sim = s,
                    .object = o,
                    .ns = ns,
                    .name = name,
                    .pods = ctl_owned(s, "pods", json_str_at(o, "metadata", "uid")),
                    .want = json_int_at(o, "spec", "replicas"),
                    .partition = json_int_at(strategy, "rollingUpdate", "partition"),
                    .parallel = str_same(json_str_at(o, "spec", "podManagementPolicy"), "Parallel"),
                    .revision = revision_of(s, "StatefulSet", o, json_at(o, "spec", "template"))};
    set_status(&t);
    if (!json_at(o, "metadata", "deletionTimestamp") && fill_up(&t, &retry) && scale_down(&t) &&
        str_same(json_str_at(strategy, "type"), "RollingUpdate"))
        update(&t);
    if (retry)
        ctl_enqueue(s, CTL_STATEFULSET, ns, name, s->options.delays.backoff);
    ctl_list_free(&t.pods);
    free(t.revision);
}
