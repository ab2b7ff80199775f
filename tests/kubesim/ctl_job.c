#include "tests/kubesim/pods.h"

static const char key[] = "jobs.batch";

struct job {
    struct sim *sim;
    json_t *object;
    const char *ns, *name;
    ctl_list_t pods;
    int64_t active, succeeded, failed, restarts;
};

static void count(struct job *j)
{
    VEC_FOREACH(&j->pods, pod) {
        const char *phase = pod_phase(*pod);
        j->active += pod_is_active(*pod);
        j->succeeded += strcmp(phase, "Succeeded") == 0;
        j->failed += strcmp(phase, "Failed") == 0;
        if (pod_is_active(*pod))
            j->restarts += json_int_at(json_array_get(json_at(*pod, "status", "containerStatuses"), 0),
                                       "restartCount");
    }
}

static void delete_active(struct job *j)
{
    VEC_FOREACH(&j->pods, pod)
        if (pod_is_active(*pod))
            ctl_delete(j->sim, "pods", *pod, NULL, -1);
    j->active = 0;
}

static void add_condition(struct job *j, const char *type, const char *reason, const char *message)
{
    condition_set(j->object, type, true, reason, message);
    json_object_set_new(condition_get(j->object, type), "lastProbeTime", sim_now());
}

static void fail(struct job *j, const char *reason, const char *message)
{
    /* Pods that are stopped count as failed, as they will. */
    j->failed += j->active;
    delete_active(j);
    if (sim_minor(j->sim) >= 31)
        add_condition(j, "FailureTarget", reason, message);
    add_condition(j, "Failed", reason, message);
    ctl_event(j->sim, j->object, "job-controller", "Warning", reason, "%s", message);
}

static void complete(struct job *j)
{
    static const char reason[] = "CompletionsReached",
                      message[] = "Reached expected number of succeeded pods";
    bool named = sim_minor(j->sim) >= 31;
    if (named)
        add_condition(j, "SuccessCriteriaMet", reason, message);
    add_condition(j, "Complete", named ? reason : NULL, named ? message : NULL);
    json_put_at(j->object, sim_now(), "status", "completionTime");
    ctl_event(j->sim, j->object, "job-controller", "Normal", "Completed", "Job completed");
}

static bool create_pods(struct job *j, int64_t n)
{
    AUTO(free_p) char *prefix = xasprintf("%s-", j->name);
    for (; n > 0; n--, j->active++) {
        AUTO_JSON pod = ctl_create(j->sim, "pods", j->ns,
                                   pod_of_template(json_at(j->object, "spec", "template"), "batch/v1", "Job",
                                                   j->object, NULL, prefix));
        if (!pod)
            return false;
        ctl_event(j->sim, j->object, "job-controller", "Normal", "SuccessfulCreate", "Created pod: %s",
                  json_str_at(pod, "metadata", "name"));
    }
    return true;
}

/* How many pods should run now. */
static int64_t wanted(const struct job *j)
{
    json_t *completions = json_at(j->object, "spec", "completions");
    int64_t parallel = json_int_at(j->object, "spec", "parallelism");
    if (!completions) /* a work queue: once one has succeeded, no more are started */
        return j->succeeded ? j->active : parallel;
    int64_t left = json_integer_value(completions) - j->succeeded;
    return left < parallel ? left : parallel;
}

static bool is_complete(const struct job *j)
{
    json_t *completions = json_at(j->object, "spec", "completions");
    return completions ? j->succeeded >= json_integer_value(completions) : j->succeeded > 0 && j->active == 0;
}

/* What is left of activeDeadlineSeconds; negative: there is none. */
static int64_t deadline_left(const struct job *j)
{
    json_t *limit = json_at(j->object, "spec", "activeDeadlineSeconds");
    const char *start = json_str_at(j->object, "status", "startTime");
    if (!limit || !start)
        return -1;
    int64_t left = SECONDS(json_integer_value(limit)) - ns_since(start);
    return left > 0 ? left : 0;
}

struct retry {
    int64_t failed; /* pods, when the pause began */
    mono_t at;
};

/* After a failure the next try waits, longer each time. */
static int64_t pause_left(struct job *j)
{
    AUTO(free_p) char *id = xasprintf("%s/%s", j->ns, j->name);
    struct retry *r = map_get(&j->sim->job_retries, id);
    if (!j->failed)
        return 0;
    if (!r || r->failed != j->failed) {
        r = xcalloc(1, sizeof(*r));
        r->failed = j->failed;
        r->at = mono_after(mono_now(),
                           j->sim->options.delays.backoff << (j->failed > 10 ? 10 : j->failed - 1));
        map_put(&j->sim->job_retries, id, r);
    }
    return mono_left(r->at);
}

static void set_status(struct job *j)
{
    const struct {
        const char *name;
        int64_t n;
    } counts[] = {{"active", j->active}, {"succeeded", j->succeeded}, {"failed", j->failed}};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        if (counts[i].n)
            json_put_at(j->object, json_integer(counts[i].n), "status", counts[i].name);
        else
            json_drop_at(j->object, "status", counts[i].name);
    ctl_update(j->sim, key, j->object, "status");
}

static void suspend(struct job *j)
{
    delete_active(j);
    if (condition_set(j->object, "Suspended", true, "JobSuspended", "Job suspended"))
        json_drop_at(j->object, "status", "startTime");
}

/* One step of a job that is not finished; returns when to look again, 0: when something changes. */
static int64_t advance(struct job *j)
{
    int64_t limit = json_int_at(j->object, "spec", "backoffLimit"), left, want = wanted(j);
    if (json_bool_at(j->object, "spec", "suspend")) {
        suspend(j);
        return 0;
    }
    if (condition_is(j->object, "Suspended", "True"))
        condition_set(j->object, "Suspended", false, "JobResumed", "Job resumed");
    if (!json_at(j->object, "status", "startTime"))
        json_put_at(j->object, sim_now(), "status", "startTime");
    left = deadline_left(j);
    if (j->failed > limit || (j->restarts > 0 && j->restarts >= limit))
        fail(j, "BackoffLimitExceeded", "Job has reached the specified backoff limit");
    else if (left == 0)
        fail(j, "DeadlineExceeded", "Job was active longer than specified deadline");
    else if (is_complete(j))
        complete(j);
    else if (want > j->active) {
        int64_t pause = pause_left(j);
        if (pause > 0)
            return pause;
        if (!create_pods(j, want - j->active))
            return j->sim->options.delays.backoff;
    }
    return left > 0 ? left + NS_PER_MS : 0;
}

static int64_t expire(struct job *j)
{
    json_t *ttl = json_at(j->object, "spec", "ttlSecondsAfterFinished");
    json_t *c = condition_get(j->object, "Complete");
    if (!ttl)
        return 0;
    if (!c)
        c = condition_get(j->object, "Failed");
    int64_t left = SECONDS(json_integer_value(ttl)) - ns_since(json_str_at(c, "lastTransitionTime"));
    if (left > 0)
        return left;
    ctl_delete(j->sim, key, j->object, "Foreground", -1);
    return 0;
}

void job_sync(struct sim *s, const char *ns, const char *name)
{
    AUTO_JSON o = ctl_get(s, key, ns, name);
    AUTO(free_p) char *id = xasprintf("%s/%s", ns, name);
    if (!o || json_at(o, "metadata", "deletionTimestamp")) {
        map_del(&s->job_retries, id);
        return;
    }
    struct job j = {.sim = s,
                    .object = o,
                    .ns = ns,
                    .name = name,
                    .pods = ctl_owned(s, "pods", json_str_at(o, "metadata", "uid"))};
    int64_t again;
    count(&j);
    if (condition_is(o, "Complete", "True") || condition_is(o, "Failed", "True")) {
        again = expire(&j);
    } else {
        again = advance(&j);
        set_status(&j);
    }
    ctl_list_free(&j.pods);
    if (again)
        ctl_enqueue(s, CTL_JOB, ns, name, again);
}
