/* Scheduler and kubelet in one. A pod goes through stages, each entered after a delay: scheduled, running,
 * ready, and, when its containers end by themselves, terminated. How far it is follows from its status; what
 * is kept here is only when the next stage is due.
 *
 * How long a container runs and with what it ends: the annotations kubesim/run-for ("2s") and
 * kubesim/exit-code; else its command, in which `sleep N`, `exit N` and `false` are understood as a shell
 * would; else, where the restart policy wants an end, the default time and success, and where not, no end. */
#include "tests/kubesim/pods.h"

#include "tests/kubesim/faults.h"

#include <stdio.h>

static const char key[] = "pods";
enum { FOREVER = -1 };

/* ---- what a container does ---- */

struct program {
    int64_t run_ns; /* FOREVER */
    int64_t code;
};

static void read_words(const json_t *c, str_t *out)
{
    static const char *const lists[] = {"command", "args"};
    json_t *word;
    size_t i;
    for (size_t k = 0; k < ARRAY_LEN(lists); k++)
        json_array_foreach(json_object_get(c, lists[k]), i, word)
            str_printf(out, " %s", str_or_empty(json_string_value(word)));
    str_putc(out, ' ');
}

/* The number behind the last "word " in the text. */
static bool number_behind(const char *text, const char *word, double *out)
{
    bool found = false;
    for (const char *at = text; (at = strstr(at, word)); at++) {
        char *end;
        double v = strtod(at + strlen(word), &end);
        if (end != at + strlen(word)) {
            *out = v;
            found = true;
        }
    }
    return found;
}

static struct program program_of(const struct sim *s, const json_t *pod, const json_t *c)
{
    AUTO_STR words = STR_INIT;
    const char *run_for = json_str_at(pod, "metadata", "annotations", "kubesim/run-for");
    const char *exit_code = json_str_at(pod, "metadata", "annotations", "kubesim/exit-code");
    const char *policy = str_or_empty(json_str_at(pod, "spec", "restartPolicy"));
    struct program p = {.run_ns = strcmp(policy, "Always") == 0 ? FOREVER : s->options.delays.run};
    double number;
    read_words(c, &words);
    if (p.run_ns != FOREVER && number_behind(str_text(&words), "sleep ", &number) && number >= 0 &&
        number < 1e8)
        p.run_ns = (int64_t)(number * (double)NS_PER_SEC);
    if (strstr(str_text(&words), "sleep infinity"))
        p.run_ns = FOREVER;
    if (number_behind(str_text(&words), "exit ", &number))
        p.code = (int64_t)number & 255;
    else if (strstr(str_text(&words), " false ") || strstr(str_text(&words), "/false "))
        p.code = 1;
    if (run_for && duration_parse(run_for, false, &p.run_ns))
        p.run_ns = p.run_ns < 0 ? 0 : p.run_ns;
    if (exit_code)
        str_to_i64(exit_code, &p.code);
    return p;
}

/* ---- status ---- */

static void set_condition(json_t *pod, const char *type, bool status, const char *reason, const char *message)
{
    condition_set(pod, type, status, reason, message);
    json_object_set_new(condition_get(pod, type), "lastProbeTime", json_null());
}

static void set_not_ready(json_t *pod, const char *reason, const char *message)
{
    set_condition(pod, "Ready", false, reason, message);
    set_condition(pod, "ContainersReady", false, reason, message);
}

static json_t *container_status(const json_t *c, json_t *state_take, json_t *last, bool ready,
                                int64_t restarts)
{
    const char *image = str_or_empty(json_str_at(c, "image"));
    json_t *o = json_pack("{s:s,s:o,s:O,s:b,s:I,s:s,s:s,s:b}", "name", str_or_empty(json_str_at(c, "name")),
                          "state", state_take, "lastState", last, "ready", (int)ready, "restartCount",
                          (json_int_t)restarts, "image", image, "imageID", image, "started", (int)ready);
    return o;
}

/* Builds containerStatuses anew; make gives each its state. */
static void set_containers(json_t *pod, const char *list, const char *statuses, bool ready,
                           json_t *(*make)(struct sim *s, const json_t *pod, const json_t *c), struct sim *s)
{
    json_t *out = json_array(), *old = json_at(pod, "status", statuses), *c;
    size_t i;
    json_array_foreach(json_at(pod, "spec", list), i, c) {
        json_t *was = json_array_get(old, i);
        AUTO_JSON last = was ? json_incref(json_object_get(was, "lastState")) : json_object();
        json_array_append_new(
            out, container_status(c, make(s, pod, c), last, ready, json_int_at(was, "restartCount")));
    }
    json_put_at(pod, out, "status", statuses);
}

static json_t *state_creating(struct sim *s, const json_t *pod, const json_t *c)
{
    return json_pack("{s:{s:s}}", "waiting", "reason", "ContainerCreating");
}

static json_t *state_bad_image(struct sim *s, const json_t *pod, const json_t *c)
{
    const char *message = NULL, *image = str_or_empty(json_str_at(c, "image"));
    const char *reason = faults_image(s->faults, image, &message);
    if (!reason)
        return state_creating(s, pod, c);
    AUTO(free_p)
    char *text = message ? xstrdup(message) : xasprintf("failed to pull image \"%s\": not found", image);
    return json_pack("{s:{s:s,s:s}}", "waiting", "reason", reason, "message", text);
}

static json_t *state_running(struct sim *s, const json_t *pod, const json_t *c)
{
    return json_pack("{s:{s:o}}", "running", "startedAt", sim_now());
}

static json_t *state_completed(struct sim *s, const json_t *pod, const json_t *c)
{
    return json_pack("{s:{s:i,s:s,s:o,s:o}}", "terminated", "exitCode", 0, "reason", "Completed", "startedAt",
                     sim_now(), "finishedAt", sim_now());
}

static void store(struct sim *s, json_t *pod)
{
    ctl_update(s, key, pod, "status");
}

static void event(struct sim *s, const json_t *pod, const char *type, const char *reason, const char *text)
{
    ctl_event(s, pod, "kubelet", type, reason, "%s", text);
}

/* ---- stages ---- */

static bool node_fits(const json_t *pod, const struct blob *node)
{
    json_t *wanted = json_at(pod, "spec", "nodeSelector"), *v;
    const char *label;
    AUTO_JSON o = blob_read(node, "v1", "Node");
    if (json_bool_at(o, "spec", "unschedulable"))
        return false;
    json_object_foreach(wanted, label, v)
        if (!str_same(json_str_at(o, "metadata", "labels", label), json_string_value(v)))
            return false;
    return true;
}

/* Each pod begins to look at another node. */
static const char *choose_node(struct sim *s, const json_t *pod)
{
    const struct resource *nodes = registry_resource(&s->registry, "", "nodes");
    VEC(struct blob *) all = {};
    const char *name = NULL;
    struct index_cursor c = index_from(&nodes->index, "");
    for (struct blob *b; (b = index_next(&c));)
        VEC_PUSH(&all, b);
    for (size_t i = 0; i < all.n && !name; i++) {
        struct blob *b = all.v[(i + (size_t)store_rv(s->store)) % all.n];
        name = node_fits(pod, b) ? blob_name(b) : NULL;
    }
    VEC_FREE(&all);
    return name;
}

static void assign(struct sim *s, json_t *pod, const char *node)
{
    uint64_t n = store_rv(s->store);
    char ip[32];
    snprintf(ip, sizeof(ip), "10.244.%u.%u", (unsigned)(n >> 8 & 255), (unsigned)(n & 255));
    json_put_at(pod, json_string(node), "spec", "nodeName");
    ctl_update(s, key, pod, NULL);
    set_condition(pod, "Initialized", true, NULL, NULL);
    set_not_ready(pod, "ContainersNotReady", "containers with unready status");
    set_condition(pod, "PodScheduled", true, NULL, NULL);
    json_put_at(pod, json_string("192.0.2.1"), "status", "hostIP");
    json_put_at(pod, json_string(ip), "status", "podIP");
    json_put_at(pod, json_pack("[{s:s}]", "ip", ip), "status", "podIPs");
    json_put_at(pod, sim_now(), "status", "startTime");
    set_containers(pod, "initContainers", "initContainerStatuses", false, state_creating, s);
    set_containers(pod, "containers", "containerStatuses", false, state_creating, s);
    if (!json_array_size(json_at(pod, "status", "initContainerStatuses")))
        json_drop_at(pod, "status", "initContainerStatuses");
    store(s, pod);
    AUTO(free_p)
    char *text = xasprintf("Successfully assigned %s/%s to %s", json_str_at(pod, "metadata", "namespace"),
                           json_str_at(pod, "metadata", "name"), node);
    ctl_event(s, pod, "default-scheduler", "Normal", "Scheduled", "%s", text);
}

static void schedule(struct sim *s, json_t *pod)
{
    const char *node = json_str_at(pod, "spec", "nodeName");
    AUTO(free_p) char *chosen = xstrdup(node ? node : choose_node(s, pod));
    if (chosen) {
        assign(s, pod, chosen);
        return;
    }
    AUTO(free_p)
    char *text = xasprintf("0/%zu nodes are available: node(s) didn't match Pod's node affinity/selector.",
                           registry_resource(&s->registry, "", "nodes")->index.n);
    if (!condition_set(pod, "PodScheduled", false, "Unschedulable", text))
        return;
    store(s, pod);
    ctl_event(s, pod, "default-scheduler", "Warning", "FailedScheduling", "%s", text);
}

static bool has_bad_image(struct sim *s, const json_t *pod)
{
    const char *message;
    json_t *c;
    size_t i;
    json_array_foreach(json_at(pod, "spec", "initContainers"), i, c)
        if (faults_image(s->faults, str_or_empty(json_str_at(c, "image")), &message))
            return true;
    json_array_foreach(json_at(pod, "spec", "containers"), i, c)
        if (faults_image(s->faults, str_or_empty(json_str_at(c, "image")), &message))
            return true;
    return false;
}

static void start(struct sim *s, json_t *pod)
{
    json_t *c;
    size_t i;
    if (has_bad_image(s, pod)) {
        set_containers(pod, "containers", "containerStatuses", false, state_bad_image, s);
        store(s, pod);
        event(s, pod, "Warning", "Failed", "Error: ErrImagePull");
        return;
    }
    if (json_at(pod, "status", "initContainerStatuses"))
        set_containers(pod, "initContainers", "initContainerStatuses", true, state_completed, s);
    set_containers(pod, "containers", "containerStatuses", false, state_running, s);
    json_put_at(pod, json_string("Running"), "status", "phase");
    store(s, pod);
    json_array_foreach(json_at(pod, "spec", "containers"), i, c) {
        AUTO(free_p) char *started = xasprintf("Started container %s", str_or_empty(json_str_at(c, "name")));
        event(s, pod, "Normal", "Started", started);
    }
}

static void make_ready(struct sim *s, json_t *pod)
{
    json_t *c;
    size_t i;
    json_array_foreach(json_at(pod, "status", "containerStatuses"), i, c) {
        json_object_set_new(c, "ready", json_true());
        json_object_set_new(c, "started", json_true());
    }
    set_condition(pod, "Ready", true, NULL, NULL);
    set_condition(pod, "ContainersReady", true, NULL, NULL);
    store(s, pod);
}

/* All containers have run their time. Returns whether one failed. */
static bool end_containers(struct sim *s, json_t *pod)
{
    bool failed = false;
    json_t *c, *spec;
    size_t i;
    json_array_foreach(json_at(pod, "status", "containerStatuses"), i, c) {
        spec = json_array_get(json_at(pod, "spec", "containers"), i);
        int64_t code = program_of(s, pod, spec).code;
        const char *started = json_str_at(c, "state", "running", "startedAt");
        failed |= code != 0;
        json_object_set_new(c, "ready", json_false());
        json_object_set_new(c, "started", json_false());
        json_object_set_new(c, "state",
                            json_pack("{s:{s:I,s:s,s:s,s:o}}", "terminated", "exitCode", (json_int_t)code,
                                      "reason", code ? "Error" : "Completed", "startedAt",
                                      str_or_empty(started), "finishedAt", sim_now()));
    }
    return failed;
}

static void wait_in_backoff(json_t *pod)
{
    json_t *c;
    size_t i;
    json_array_foreach(json_at(pod, "status", "containerStatuses"), i, c) {
        json_object_set(c, "lastState", json_object_get(c, "state"));
        json_object_set_new(c, "restartCount", json_integer(json_int_at(c, "restartCount") + 1));
        json_object_set_new(c, "state",
                            json_pack("{s:{s:s,s:s}}", "waiting", "reason", "CrashLoopBackOff", "message",
                                      "back-off restarting failed container"));
    }
}

static void end(struct sim *s, json_t *pod)
{
    const char *policy = str_or_empty(json_str_at(pod, "spec", "restartPolicy"));
    bool failed = end_containers(s, pod), again = false;
    if (strcmp(policy, "Always") == 0 || (failed && strcmp(policy, "OnFailure") == 0)) {
        again = true;
        wait_in_backoff(pod);
        set_not_ready(pod, "ContainersNotReady", "containers with unready status");
    } else {
        json_put_at(pod, json_string(failed ? "Failed" : "Succeeded"), "status", "phase");
        set_not_ready(pod, failed ? "PodFailed" : "PodCompleted", NULL);
    }
    store(s, pod);
    if (again)
        event(s, pod, "Warning", "BackOff", "Back-off restarting failed container");
}

static void restart(struct sim *s, json_t *pod)
{
    set_containers(pod, "containers", "containerStatuses", false, state_running, s);
    store(s, pod);
}

/* ---- which stage is next, and when ---- */

static int64_t run_time(struct sim *s, const json_t *pod)
{
    int64_t longest = 0;
    json_t *c;
    size_t i;
    json_array_foreach(json_at(pod, "spec", "containers"), i, c) {
        int64_t t = program_of(s, pod, c).run_ns;
        if (t == FOREVER)
            return FOREVER;
        longest = t > longest ? t : longest;
    }
    return longest;
}

static const char *waiting_reason(const json_t *pod)
{
    return str_or_empty(json_str_at(json_array_get(json_at(pod, "status", "containerStatuses"), 0), "state",
                                    "waiting", "reason"));
}

/* Its status says already that the image cannot be had. */
static bool knows_bad_image(const json_t *pod)
{
    const char *reason = waiting_reason(pod);
    return *reason && strcmp(reason, "ContainerCreating") != 0;
}

static int64_t backoff(const struct sim *s, const json_t *pod)
{
    int64_t n = json_int_at(json_array_get(json_at(pod, "status", "containerStatuses"), 0), "restartCount");
    return s->options.delays.backoff << (n > 10 ? 10 : n > 0 ? n - 1 : 0);
}

typedef void (*stage_fn)(struct sim *s, json_t *pod);

static void stop(struct sim *s, json_t *pod)
{
    ctl_delete(s, key, pod, NULL, 0);
}

/* NULL: the pod stays as it is. */
static stage_fn next_stage(struct sim *s, const json_t *pod, int64_t *delay)
{
    const struct sim_delays *d = &s->options.delays;
    const char *phase = pod_phase(pod);
    bool placed = json_at(pod, "status", "startTime") != NULL;
    int64_t run;
    if (pod_is_deleting(pod))
        return *delay = d->stop, json_int_at(pod, "metadata", "deletionGracePeriodSeconds") ? stop : NULL;
    if (strcmp(phase, "Pending") == 0 && !placed)
        return *delay = condition_is(pod, "PodScheduled", "False") ? NS_PER_SEC : d->schedule, schedule;
    if (strcmp(phase, "Pending") == 0)
        return *delay = d->start, has_bad_image(s, pod) && knows_bad_image(pod) ? NULL : start;
    if (strcmp(phase, "Running") != 0)
        return NULL;
    if (strcmp(waiting_reason(pod), "CrashLoopBackOff") == 0)
        return *delay = backoff(s, pod), restart;
    run = run_time(s, pod);
    if (!pod_is_ready(pod) && (run == FOREVER || run > d->ready))
        return *delay = d->ready, make_ready;
    if (run == FOREVER)
        return NULL;
    return *delay = run > d->ready ? run - d->ready : run, end;
}

struct due {
    mono_t at;
    stage_fn stage;
};

void pod_sync(struct sim *s, const char *ns, const char *name)
{
    AUTO_JSON pod = ctl_get(s, key, ns, name);
    AUTO(free_p) char *id = xasprintf("%s/%s", ns, name);
    int64_t delay = 0;
    stage_fn stage = pod ? next_stage(s, pod, &delay) : NULL;
    struct due *due = map_get(&s->pod_stages, id);
    if (!stage) {
        map_del(&s->pod_stages, id);
        return;
    }
    if (!due || due->stage != stage) {
        due = xcalloc(1, sizeof(*due));
        *due = (struct due){mono_after(mono_now(), delay), stage};
        map_put(&s->pod_stages, id, due);
    }
    int64_t left = mono_left(due->at);
    if (left == 0) {
        map_del(&s->pod_stages, id);
        stage(s, pod);
    }
    ctl_enqueue(s, CTL_POD, ns, name, left);
}
