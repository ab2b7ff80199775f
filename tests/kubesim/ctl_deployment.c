/* Rolls a Deployment from ReplicaSet to ReplicaSet, one step a call, with kube-controller-manager's
 * arithmetic: at most maxSurge pods too many, at most maxUnavailable too few. */
#include "tests/kubesim/pods.h"

#include <stdio.h>

static const char key[] = "deployments.apps", rs_key[] = "replicasets.apps";
static const char revision_note[] = "deployment.kubernetes.io/revision";

struct rollout {
    struct sim *sim;
    json_t *deployment;
    ctl_list_t all;  /* its ReplicaSets, oldest first */
    json_t *current; /* of the template as it is; one of all; NULL: not made yet */
    int64_t want, surge, unavailable;
    bool created;
};

static int64_t spec_replicas(const json_t *rs)
{
    return json_int_at(rs, "spec", "replicas");
}

static int64_t available(const json_t *rs)
{
    return json_int_at(rs, "status", "availableReplicas");
}

static int64_t revision(const json_t *o)
{
    int64_t n = 0;
    str_to_i64(str_or_empty(json_str_at(o, "metadata", "annotations", revision_note)), &n);
    return n;
}

static int by_revision(const void *a, const void *b)
{
    int64_t x = revision(*(json_t *const *)a), y = revision(*(json_t *const *)b);
    return (x > y) - (x < y);
}

static bool same_template(const json_t *a, const json_t *b)
{
    AUTO_JSON x = json_copy_deep(a);
    AUTO_JSON y = json_copy_deep(b);
    json_drop_at(x, "metadata", "labels", "pod-template-hash");
    json_drop_at(y, "metadata", "labels", "pod-template-hash");
    return json_same(x, y);
}

static void set_note(json_t *o, const char *note, int64_t n)
{
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)n);
    json_put_at(o, json_string(text), "metadata", "annotations", note);
}

/* What kubectl shows and a rollback restores. */
static void note_counts(const struct rollout *r, json_t *rs)
{
    set_note(rs, "deployment.kubernetes.io/desired-replicas", r->want);
    set_note(rs, "deployment.kubernetes.io/max-replicas", r->want + r->surge);
}

static void scale(struct rollout *r, json_t *rs, int64_t n)
{
    int64_t was = spec_replicas(rs);
    if (was == n)
        return;
    json_put_at(rs, json_integer(n), "spec", "replicas");
    note_counts(r, rs);
    ctl_update(r->sim, rs_key, rs, NULL);
    ctl_event(r->sim, r->deployment, "deployment-controller", "Normal", "ScalingReplicaSet",
              "Scaled %s replica set %s to %lld", n > was ? "up" : "down",
              json_str_at(rs, "metadata", "name"), (long long)n);
}

static int64_t total(const struct rollout *r)
{
    int64_t n = 0;
    VEC_FOREACH(&r->all, rs)
        n += spec_replicas(*rs);
    return n;
}

static int64_t room_for_new(const struct rollout *r)
{
    int64_t have = r->current ? spec_replicas(r->current) : 0, room = r->want + r->surge - total(r);
    if (room <= 0)
        return have;
    return have + (room < r->want - have ? room : r->want - have);
}

static void create_current(struct rollout *r, int64_t n)
{
    json_t *template = json_at(r->deployment, "spec", "template");
    AUTO(free_p) char *hash = template_hash(template);
    AUTO(free_p) char *name = xasprintf("%s-%s", json_str_at(r->deployment, "metadata", "name"), hash);
    int64_t newest = 0;
    VEC_FOREACH(&r->all, rs)
        newest = revision(*rs) > newest ? revision(*rs) : newest;
    json_t *rs = json_pack(
        "{s:{s:s,s:o},s:{s:I,s:o,s:o}}", "metadata", "name", name, "ownerReferences",
        ctl_owner_refs("apps/v1", "Deployment", r->deployment), "spec", "replicas", (json_int_t)n, "selector",
        json_copy_deep(json_at(r->deployment, "spec", "selector")), "template", json_copy_deep(template));
    json_t *labels = json_at(template, "metadata", "labels"),
           *min = json_at(r->deployment, "spec", "minReadySeconds");
    if (labels)
        json_put_at(rs, json_copy_deep(labels), "metadata", "labels");
    if (min)
        json_put_at(rs, json_incref(min), "spec", "minReadySeconds");
    json_put_at(rs, json_string(hash), "metadata", "labels", "pod-template-hash");
    json_put_at(rs, json_string(hash), "spec", "selector", "matchLabels", "pod-template-hash");
    json_put_at(rs, json_string(hash), "spec", "template", "metadata", "labels", "pod-template-hash");
    set_note(rs, revision_note, newest + 1);
    note_counts(r, rs);
    r->current = ctl_create(r->sim, rs_key, json_str_at(r->deployment, "metadata", "namespace"), rs);
    if (!r->current)
        return;
    r->created = true;
    VEC_PUSH(&r->all, r->current);
    if (n)
        ctl_event(r->sim, r->deployment, "deployment-controller", "Normal", "ScalingReplicaSet",
                  "Scaled up replica set %s to %lld", name, (long long)n);
}

/* The template went back to an older one: that ReplicaSet is the newest now. */
static void renew_revision(struct rollout *r)
{
    int64_t newest = 0;
    VEC_FOREACH(&r->all, rs)
        if (*rs != r->current && revision(*rs) > newest)
            newest = revision(*rs);
    if (!r->current || revision(r->current) > newest)
        return;
    set_note(r->current, revision_note, newest + 1);
    ctl_update(r->sim, rs_key, r->current, NULL);
}

static void scale_old_down(struct rollout *r)
{
    int64_t all_available = 0, unavailable_new = spec_replicas(r->current) - available(r->current);
    VEC_FOREACH(&r->all, rs)
        all_available += available(*rs);
    int64_t least = r->want - r->unavailable, may = total(r) - least - unavailable_new;
    /* First those that are not available anyway. */
    VEC_FOREACH(&r->all, rs) {
        int64_t useless = *rs == r->current ? 0 : spec_replicas(*rs) - available(*rs);
        int64_t n = useless < may ? useless : may;
        if (n <= 0)
            continue;
        scale(r, *rs, spec_replicas(*rs) - n);
        may -= n;
    }
    int64_t spare = all_available - least;
    VEC_FOREACH(&r->all, rs) {
        int64_t have = *rs == r->current ? 0 : spec_replicas(*rs), n = have < spare ? have : spare;
        if (n <= 0 || may <= 0)
            continue;
        scale(r, *rs, have - n);
        spare -= n;
    }
}

static void roll(struct rollout *r)
{
    if (!r->current)
        create_current(r, room_for_new(r));
    else
        scale(r, r->current, spec_replicas(r->current) > r->want ? r->want : room_for_new(r));
    if (r->current)
        scale_old_down(r);
}

/* All old pods go before the first new one comes. */
static void recreate(struct rollout *r)
{
    bool old = false;
    VEC_FOREACH(&r->all, rs) {
        if (*rs == r->current)
            continue;
        scale(r, *rs, 0);
        AUTO_LIST pods = ctl_owned(r->sim, "pods", json_str_at(*rs, "metadata", "uid"));
        VEC_FOREACH(&pods, pod)
            old |= pod_is_deleting(*pod) || pod_is_active(*pod);
    }
    if (old)
        return;
    if (!r->current)
        create_current(r, r->want);
    else
        scale(r, r->current, r->want);
}

static void scale_while_paused(struct rollout *r)
{
    size_t active = 0;
    VEC_FOREACH(&r->all, rs)
        active += spec_replicas(*rs) > 0;
    VEC_FOREACH(&r->all, rs)
        if ((active == 1 && spec_replicas(*rs) > 0) || (active == 0 && *rs == r->current))
            scale(r, *rs, r->want);
}

static void forget_old(struct rollout *r)
{
    json_t *limit = json_at(r->deployment, "spec", "revisionHistoryLimit");
    int64_t idle = 0, keep = limit ? json_integer_value(limit) : 10;
    VEC_FOREACH(&r->all, rs)
        idle += *rs != r->current && spec_replicas(*rs) == 0 && json_int_at(*rs, "status", "replicas") == 0;
    VEC_FOREACH(&r->all, rs)
        if (*rs != r->current && spec_replicas(*rs) == 0 && json_int_at(*rs, "status", "replicas") == 0 &&
            idle > keep) {
            ctl_delete(r->sim, rs_key, *rs, NULL, -1);
            idle--;
        }
}

/* ---- status ---- */

static json_t *counts_of(const struct rollout *r)
{
    int64_t n = 0, ready = 0, avail = 0,
            updated = r->current ? json_int_at(r->current, "status", "replicas") : 0;
    VEC_FOREACH(&r->all, rs) {
        n += json_int_at(*rs, "status", "replicas");
        ready += json_int_at(*rs, "status", "readyReplicas");
        avail += available(*rs);
    }
    const struct {
        const char *name;
        int64_t n;
    } counts[] = {{"replicas", n},
                  {"updatedReplicas", updated},
                  {"readyReplicas", ready},
                  {"availableReplicas", avail},
                  {"unavailableReplicas", total(r) > avail ? total(r) - avail : 0},
                  {"observedGeneration", json_int_at(r->deployment, "metadata", "generation")}};
    json_t *status = json_object();
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        if (counts[i].n)
            json_object_set_new(status, counts[i].name, json_integer(counts[i].n));
    return status;
}

/* Progress is made when something moved forward; the deadline counts from the last time it did. */
static void set_progress(struct rollout *r, json_t *status, const json_t *was, int64_t *again)
{
    json_t *d = r->deployment, *deadline = json_at(d, "spec", "progressDeadlineSeconds");
    const char *name = r->current ? json_str_at(r->current, "metadata", "name")
                                  : json_str_at(d, "metadata", "name");
    json_t *c = condition_get(d, "Progressing");
    bool complete = json_int_at(status, "updatedReplicas") == r->want &&
                    json_int_at(status, "replicas") == r->want &&
                    json_int_at(status, "availableReplicas") == r->want;
    bool moved = r->created || json_int_at(status, "updatedReplicas") > json_int_at(was, "updatedReplicas") ||
                 json_int_at(status, "readyReplicas") > json_int_at(was, "readyReplicas") ||
                 json_int_at(status, "availableReplicas") > json_int_at(was, "availableReplicas") ||
                 json_int_at(status, "replicas") - json_int_at(status, "updatedReplicas") <
                     json_int_at(was, "replicas") - json_int_at(was, "updatedReplicas");
    const char *reason = complete     ? "NewReplicaSetAvailable"
                         : r->created ? "NewReplicaSetCreated"
                                      : "ReplicaSetUpdated";
    const char *verb = complete ? "has successfully progressed." : "is progressing.";
    int64_t left = SECONDS(deadline ? json_integer_value(deadline) : 600) -
                   ns_since(json_str_at(c, "lastUpdateTime"));
    bool done = c && str_same(json_str_at(c, "reason"), "NewReplicaSetAvailable");
    AUTO(free_p)
    char *text = r->created ? xasprintf("Created new replica set \"%s\"", name)
                            : xasprintf("ReplicaSet \"%s\" %s", name, verb);
    if (json_bool_at(d, "spec", "paused") && !complete)
        return;
    if (!c || complete || moved) {
        if (condition_set(d, "Progressing", true, reason, text) || moved)
            json_object_set_new(condition_get(d, "Progressing"), "lastUpdateTime", sim_now());
    } else if (!done && left <= 0) {
        AUTO(free_p) char *late = xasprintf("ReplicaSet \"%s\" has timed out progressing.", name);
        if (condition_set(d, "Progressing", false, "ProgressDeadlineExceeded", late))
            json_object_set_new(condition_get(d, "Progressing"), "lastUpdateTime", sim_now());
    }
    if (!complete && left > 0)
        *again = left + NS_PER_SEC;
}

static void set_status(struct rollout *r, int64_t *again)
{
    json_t *d = r->deployment;
    AUTO_JSON was = json_incref(json_object_get(d, "status"));
    json_t *status = counts_of(r), *conditions = json_object_get(was, "conditions");
    json_object_set_new(status, "conditions", conditions ? json_incref(conditions) : json_array());
    AUTO_JSON before = json_copy_deep(was);
    json_object_set_new(d, "status", status);
    bool enough = json_int_at(status, "availableReplicas") >= r->want - r->unavailable;
    if (condition_set(d, "Available", enough,
                      enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
                      enough ? "Deployment has minimum availability."
                             : "Deployment does not have minimum availability."))
        json_object_set_new(condition_get(d, "Available"), "lastUpdateTime", sim_now());
    set_progress(r, status, before, again);
    ctl_update(r->sim, key, d, "status");
}

/* ---- one step ---- */

static void limits_of(struct rollout *r)
{
    json_t *strategy = json_at(r->deployment, "spec", "strategy", "rollingUpdate");
    r->want = json_int_at(r->deployment, "spec", "replicas");
    if (!strategy)
        return;
    r->surge = percent_of(json_object_get(strategy, "maxSurge"), r->want, true, 0);
    r->unavailable = percent_of(json_object_get(strategy, "maxUnavailable"), r->want, false, 0);
    if (!r->surge && !r->unavailable)
        r->unavailable = 1;
    if (r->unavailable > r->want)
        r->unavailable = r->want;
}

/* Stored with the status: annotations may come in by that door, and do not count as a change of the
 * generation there. */
static void set_deployment_revision(struct rollout *r)
{
    if (r->current && revision(r->current) != revision(r->deployment))
        set_note(r->deployment, revision_note, revision(r->current));
}

void deployment_sync(struct sim *s, const char *ns, const char *name)
{
    AUTO_JSON d = ctl_get(s, key, ns, name);
    if (!d)
        return;
    struct rollout r = {
        .sim = s, .deployment = d, .all = ctl_owned(s, rs_key, json_str_at(d, "metadata", "uid"))};
    int64_t again = 0;
    VEC_SORT(&r.all, by_revision);
    limits_of(&r);
    VEC_FOREACH(&r.all, rs)
        if (same_template(json_at(*rs, "spec", "template"), json_at(d, "spec", "template")))
            r.current = *rs;
    bool deleting = json_at(d, "metadata", "deletionTimestamp");
    if (!deleting && json_bool_at(d, "spec", "paused")) {
        scale_while_paused(&r);
    } else if (!deleting) {
        renew_revision(&r);
        if (str_same(json_str_at(d, "spec", "strategy", "type"), "Recreate"))
            recreate(&r);
        else
            roll(&r);
        set_deployment_revision(&r);
        forget_old(&r);
    }
    if (!deleting)
        set_status(&r, &again);
    ctl_list_free(&r.all);
    if (again)
        ctl_enqueue(s, CTL_DEPLOYMENT, ns, name, again);
}
