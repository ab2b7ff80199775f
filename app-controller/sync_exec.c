/* Carrying out the steps of a plan.
 *
 * Design. A group of tasks goes in this order: hooks of earlier operations are freed and deleted, objects are
 * pruned, targets are applied kind by kind. Tasks of one kind go side by side on the controller's appliers.
 * Only the thread of the operation touches the plan; an applier fills in its own job. */
#include "app-controller/sync_step.h"
#include "app-controller/metrics.h"
#include "common/argo/app.h"
#include "common/engine/sync_options.h"
#include "common/base/log.h"

struct job {
    struct sync_exec *x;
    struct sync_task *task;
    void (*work)(struct job *j);
    struct latch *latch;
    /* answer */
    bool failed;
    char *message;
    json_t *result;
};

struct latch {
    lock_t lock;
    cond_t cond;
    size_t left;
};

static void latch_down(struct latch *l)
{
    LOCKED(&l->lock);
    if (--l->left == 0)
        pthread_cond_broadcast(&l->cond);
}

/* Whoever waits may be gone with the job when the latch is down. */
static void run_job(void *arg)
{
    struct job *j = arg;
    struct latch *latch = j->latch;
    j->work(j);
    latch_down(latch);
}

static const char pending[] = "apply";

/* On an applier: its requests are the application's, and so are its writes. */
static void run_job_aside(void *arg)
{
    struct job *j = arg;
    struct sync_exec *x = j->x;
    metrics_pending(x->op->ctl, pending, -1);
    metrics_requests_also(x->op->requests);
    struct tenure *before = tenure_assist(&x->op->app->tenure);
    struct latch *latch = j->latch;
    j->work(j);
    tenure_assist(before);
    metrics_requests_also(NULL);
    latch_down(latch);
}

static bool submit(struct sync_exec *x, struct job *j)
{
    metrics_pending(x->op->ctl, pending, 1);
    if (pool_submit(x->op->ctl->appliers, run_job_aside, j, NULL) == 0)
        return true;
    metrics_pending(x->op->ctl, pending, -1);
    return false;
}

/* Runs the jobs, side by side where the appliers are free, and waits for all. */
static void run_jobs(struct sync_exec *x, struct job *jobs, size_t n)
{
    struct latch latch = {.lock = LOCK_INIT, .left = n};
    cond_init(&latch.cond);
    for (size_t i = 0; i < n; i++) {
        jobs[i].latch = &latch;
        if (n == 1 || !submit(x, &jobs[i]))
            run_job(&jobs[i]);
    }
    pthread_mutex_lock(&latch.lock);
    while (latch.left)
        pthread_cond_wait(&latch.cond, &latch.lock);
    pthread_mutex_unlock(&latch.lock);
    pthread_cond_destroy(&latch.cond);
    pthread_mutex_destroy(&latch.lock);
}

/* A request that was canceled did not fail: the pass counts for nothing, and another one does it. */
static void note(struct sync_exec *x, const err_t *err)
{
    if (err_code(err) == ERR_CANCELED)
        atomic_store(&x->op->interrupted, true);
}

static void fail(struct job *j, err_t *err_take)
{
    AUTO_ERR err = err_take;
    note(j->x, err);
    j->failed = true;
    free(j->message);
    j->message = xstrdup(err_text(err));
}

static void set_live(struct sync_task *t, json_t *live_take)
{
    json_decref(t->live);
    t->live = live_take;
}

/* ---- applying ---- */

static struct apply_options options_of(const struct sync_exec *x, const struct sync_task *t, bool dry_run)
{
    struct sync_choice c = sync_choose(x->options, x->force, t->target, t->live, dry_run);
    return (struct apply_options){.dry_run = dry_run,
                                  .replace = c.replace,
                                  .force = c.force,
                                  .server_side = c.server_side,
                                  .migrated_manager = x->migrated_manager};
}

static bool is_crd(const struct sync_task *t)
{
    return strcmp(t->group, "apiextensions.k8s.io") == 0 && strcmp(t->kind, "CustomResourceDefinition") == 0;
}

static void apply_job(struct job *j)
{
    struct apply_options o = options_of(j->x, j->task, false);
    err_t *err = NULL;
    if (apply_object(&j->x->applier, j->task->target, j->task->live, &o, &j->message, &j->result, &err) < 0)
        fail(j, err);
    else if (is_crd(j->task))
        apply_wait_established(&j->x->applier, j->task->target);
}

static void record_apply(struct job *j)
{
    struct sync_task *t = j->task;
    enum result_code code = j->failed ? RESULT_SYNC_FAILED : RESULT_SYNCED;
    if (j->result)
        set_live(t, TAKE(j->result));
    j->x->new_kinds = j->x->new_kinds || (!j->failed && is_crd(t));
    sync_set_result(j->x->plan, t, code, sync_result_phase(code, false), j->message);
    free(j->message);
}

/* What was just defined is not in the picture of the cluster yet. */
static void learn_new_kinds(struct sync_exec *x, struct sync_task *const *tasks, size_t n)
{
    mono_t deadline = mono_after(mono_now(), SECONDS(3));
    for (size_t i = 0; i < n; i++) {
        while (!apply_resource(&x->applier, tasks[i]->target, NULL) && mono_left(deadline) > 0) {
            cluster_rediscover(x->applier.cluster);
            sleep_ns(MILLIS(100));
            kube_api_unref(x->applier.api);
            x->applier.api = cluster_api(x->applier.cluster);
        }
    }
}

static void apply_kind(struct sync_exec *x, struct sync_task **tasks, size_t n)
{
    if (x->new_kinds || tasks[0]->skip_dry_run)
        learn_new_kinds(x, tasks, n);
    struct job *jobs = xcalloc(n, sizeof(*jobs));
    for (size_t i = 0; i < n; i++)
        jobs[i] = (struct job){.x = x, .task = tasks[i], .work = apply_job};
    run_jobs(x, jobs, n);
    for (size_t i = 0; i < n; i++) {
        if (jobs[i].failed)
            x->plan->outcome = RUN_FAILED;
        record_apply(&jobs[i]);
    }
    free(jobs);
}

static bool same_kind(const struct sync_task *a, const struct sync_task *b)
{
    return strcmp(a->kind, b->kind) == 0;
}

static void apply_all(struct sync_exec *x, struct sync_task **tasks, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t end = i + 1;
        while (end < n && same_kind(tasks[i], tasks[end]))
            end++;
        apply_kind(x, tasks + i, end - i);
        i = end;
    }
}

/* ---- pruning and deleting ---- */

static void delete_job(struct job *j)
{
    err_t *err = NULL;
    if (apply_delete(&j->x->applier, j->task->live, j->x->propagation, &err) < 0) {
        fail(j, err);
        return;
    }
    /* What is still there is being deleted. */
    AUTO_ERR gone = NULL;
    AUTO_JSON left = NULL;
    if (apply_get(&j->x->applier, j->task->live, &left, &gone) == 0 &&
        strcmp(object_uid(left), object_uid(j->task->live)) == 0)
        j->result = json_incref(left);
}

static enum result_code prune_verdict(const struct sync_exec *x, const struct sync_task *t, const char **why)
{
    *why = "ignored (requires pruning)";
    if (!x->prune)
        return RESULT_PRUNE_SKIPPED;
    *why = "ignored (no prune)";
    if (prune_forbidden(t->live, x->default_prune))
        return RESULT_PRUNE_SKIPPED;
    *why = x->dry_run ? "pruned (dry run)" : "pruned";
    return RESULT_PRUNED;
}

static void prune_all(struct sync_exec *x, struct sync_task **tasks, size_t n)
{
    VEC(struct job) jobs = {};
    for (size_t i = 0; i < n; i++) {
        const char *why;
        enum result_code code = prune_verdict(x, tasks[i], &why);
        if (code == RESULT_PRUNED && !x->dry_run)
            VEC_PUSH(&jobs, (struct job){.x = x, .task = tasks[i], .work = delete_job});
        else
            sync_set_result(x->plan, tasks[i], code, sync_result_phase(code, x->dry_run), why);
    }
    if (jobs.n)
        run_jobs(x, jobs.v, jobs.n);
    VEC_FOREACH(&jobs, j) {
        enum result_code code = j->failed ? RESULT_SYNC_FAILED : RESULT_PRUNED;
        if (j->failed)
            x->plan->outcome = RUN_FAILED;
        else if (j->result)
            set_live(j->task, TAKE(j->result));
        sync_set_result(x->plan, j->task, code, sync_result_phase(code, false),
                        j->failed ? j->message : "pruned");
        free(j->message);
    }
    VEC_FREE(&jobs);
}

static bool needs_confirmation(const struct sync_exec *x, struct sync_task *const *tasks, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!x->confirmed && prune_needs_confirmation(tasks[i]->live, x->default_prune))
            return true;
    return false;
}

/* verb: "failed" of a hook that goes before it is made anew, "Failed" of one that has ended. */
static void free_hook(struct sync_exec *x, struct sync_task *t, const char *verb)
{
    AUTO_ERR err = NULL;
    json_t *now = NULL;
    if (apply_remove_finalizer(&x->applier, t->live, HOOK_FINALIZER, &now, &err) < 0) {
        note(x, err);
        AUTO(free_p) char *message = xasprintf("%s to remove hook finalizer: %s", verb, err_text(err));
        sync_set_result(x->plan, t, t->code, OP_ERROR, message);
        x->plan->outcome = RUN_FAILED;
        return;
    }
    set_live(t, now);
}

/* Objects that hooks of an earlier operation left: they go first. What is gone at once need not be waited
 * for. */
static void delete_before_creation(struct sync_exec *x, struct sync_task **tasks, size_t n)
{
    VEC(struct job) jobs = {};
    for (size_t i = 0; i < n; i++) {
        if (!task_delete_before_creation(tasks[i]))
            continue;
        free_hook(x, tasks[i], "failed");
        if (tasks[i]->live && x->plan->outcome != RUN_FAILED)
            VEC_PUSH(&jobs, (struct job){.x = x, .task = tasks[i], .work = delete_job});
    }
    if (jobs.n)
        run_jobs(x, jobs.v, jobs.n);
    VEC_FOREACH(&jobs, j) {
        if (j->failed) {
            AUTO(free_p) char *message = xasprintf("failed to delete resource: %s", j->message);
            sync_set_result(x->plan, j->task, RESULT_NONE, OP_ERROR, message);
            x->plan->outcome = RUN_FAILED;
        } else {
            set_live(j->task, TAKE(j->result));
        }
        if (j->task->live && x->plan->outcome == RUN_SUCCESSFUL)
            x->plan->outcome = RUN_PENDING;
        free(j->message);
    }
    VEC_FREE(&jobs);
}

/* ---- a group ---- */

static void run_group(struct sync_exec *x)
{
    struct sync_plan *p = x->plan;
    VEC(struct sync_task *) prunes = {}, targets = {};
    for (size_t i = 0; i < p->nrun; i++) {
        if (task_is_prune(p->run[i]))
            VEC_PUSH(&prunes, p->run[i]);
        else
            VEC_PUSH(&targets, p->run[i]);
    }
    if (needs_confirmation(x, prunes.v, prunes.n))
        p->outcome = RUN_PENDING;
    if (p->outcome == RUN_SUCCESSFUL && prunes.n)
        prune_all(x, prunes.v, prunes.n);
    if (p->outcome == RUN_SUCCESSFUL)
        delete_before_creation(x, targets.v, targets.n);
    if (p->outcome == RUN_SUCCESSFUL && targets.n)
        apply_all(x, targets.v, targets.n);
    VEC_FREE(&prunes);
    VEC_FREE(&targets);
}

/* Nothing is sent; of a sync for real only failures are results. */
static void try_group(struct sync_exec *x)
{
    struct sync_plan *p = x->plan;
    for (size_t i = 0; i < p->nrun; i++) {
        struct sync_task *t = p->run[i];
        if (task_is_prune(t)) {
            if (x->dry_run)
                prune_all(x, &t, 1);
            continue;
        }
        if (t->skip_dry_run)
            continue;
        struct apply_options o = options_of(x, t, true);
        o.server_side = false;
        AUTO_ERR err = NULL;
        AUTO(free_p) char *message = NULL;
        int code = apply_object(&x->applier, t->target, t->live, &o, &message, NULL, &err);
        if (code < 0) {
            note(x, err);
            p->outcome = RUN_FAILED;
            sync_set_result(p, t, RESULT_SYNC_FAILED, OP_FAILED, err_text(err));
        } else if (x->dry_run) {
            sync_set_result(p, t, RESULT_SYNCED, OP_SUCCEEDED, message);
        }
    }
}

/* ---- what is missing from the cache ---- */

static void find_missing(struct sync_exec *x)
{
    for (size_t i = 0; i < x->plan->nrun; i++) {
        struct sync_task *t = x->plan->run[i];
        AUTO_ERR err = NULL;
        json_t *live = NULL;
        if (apply_get(&x->applier, t->target, &live, &err) == 0) {
            cache_put_own(cluster_cache(x->applier.cluster), live);
            set_live(t, live);
        } else if (err_code(err) != ERR_NOT_FOUND) {
            /* Not known is not gone: it stays as it is for the next pass. */
            set_live(t, json_incref(t->target));
        }
    }
}

static void delete_hooks(struct sync_exec *x)
{
    for (size_t i = 0; i < x->plan->nrun; i++) {
        struct sync_task *t = x->plan->run[i];
        AUTO_ERR err = NULL;
        if (t->live && json_at(t->live, "metadata", "finalizers"))
            free_hook(x, t, "failed");
        if (!t->live)
            continue;
        if (apply_delete(&x->applier, t->live, x->propagation, &err) < 0) {
            note(x, err);
            AUTO(free_p) char *message = xasprintf("failed to delete resource: %s", err_text(err));
            sync_set_result(x->plan, t, RESULT_NONE, OP_ERROR, message);
            x->plan->outcome = RUN_FAILED;
        }
    }
}

static void finalize_hooks(struct sync_exec *x)
{
    for (size_t i = 0; i < x->plan->nrun; i++)
        free_hook(x, x->plan->run[i], "Failed");
}

void sync_carry_out(struct sync_exec *x, enum sync_step step)
{
    switch (step) {
    case STEP_DRY_RUN:
        try_group(x);
        break;
    case STEP_RUN:
        run_group(x);
        break;
    case STEP_FIND:
        find_missing(x);
        break;
    case STEP_FINALIZE:
        finalize_hooks(x);
        break;
    case STEP_DELETE_HOOKS:
        delete_hooks(x);
        break;
    case STEP_END:
        break;
    }
}

static void end_hook(struct sync_exec *x, struct sync_task *t, enum op_phase phase, const char *what,
                     err_t *why)
{
    AUTO(free_p) char *message = xasprintf("%s: %s", what, err_text(why));
    sync_set_result(x->plan, t, t->code, phase, message);
}

/* A running hook ends with its real outcome if it has one by now, else it is stopped. One whose health cannot
 * be told goes, too, and what was said of that stays. */
static void stop_hook(struct sync_exec *x, struct sync_task *t)
{
    AUTO_ERR odd = NULL;
    AUTO_ERR err = NULL;
    AUTO(free_p) char *message = NULL;
    json_t *now = NULL;
    enum op_phase phase = sync_hook_phase(x->plan->input->health, t->live, &message, &odd);
    if (odd)
        end_hook(x, t, OP_ERROR, "Failed to get hook health: failed to get resource health", odd);
    if (apply_remove_finalizer(&x->applier, t->live, HOOK_FINALIZER, &now, &err) < 0) {
        note(x, err);
        end_hook(x, t, OP_ERROR, "Failed to remove hook finalizer", err);
        x->plan->outcome = RUN_FAILED;
        return;
    }
    set_live(t, now);
    bool delete = odd || phase == OP_RUNNING || (t->hook_delete & HOOK_DELETE_FAILED);
    if (delete &&t->live && apply_delete(&x->applier, t->live, x->propagation, &err) < 0) {
        note(x, err);
        end_hook(x, t, OP_FAILED, "Failed to delete", err);
        x->plan->outcome = RUN_FAILED;
    } else if (phase == OP_RUNNING) {
        sync_set_result(x->plan, t, t->code, OP_FAILED, "Terminated");
    } else if (!odd) {
        sync_set_result(x->plan, t, t->code, phase, message);
    }
}

void sync_carry_out_termination(struct sync_exec *x, enum sync_step step)
{
    if (step == STEP_FINALIZE)
        finalize_hooks(x);
    else if (step == STEP_FIND)
        find_missing(x);
    else if (step == STEP_RUN)
        for (size_t i = 0; i < x->plan->nrun; i++)
            stop_hook(x, x->plan->run[i]);
}

/* ---- validity ---- */

bool sync_defines_kind(struct sync_plan *p, const char *group, const char *kind)
{
    VEC_FOREACH(&p->tasks, it) {
        const struct sync_task *t = *it;
        if (t->target && is_crd(t) && str_same(json_str_at(t->target, "spec", "group"), group) &&
            str_same(json_str_at(t->target, "spec", "names", "kind"), kind))
            return true;
    }
    return false;
}

void sync_validate(struct sync_exec *x, const json_t *project, const struct destination *destination)
{
    VEC_FOREACH(&x->plan->tasks, it) {
        struct sync_task *t = *it;
        const json_t *o = t->target ? t->target : t->live;
        const struct kube_resource *r = apply_resource(&x->applier, o, NULL);
        bool may_miss = sync_may_miss_kind(x->options, t->target) ||
                        (t->target && sync_defines_kind(x->plan, t->group, t->kind));
        if (!r && !may_miss) {
            AUTO(free_p) char *why = sync_unknown_kind(x->applier.api, t);
            sync_task_invalid(x->plan, t, why);
            continue;
        }
        t->skip_dry_run = !r;
        bool namespaced = r ? r->namespaced : *t->ns != 0;
        AUTO(free_p) char *why = NULL;
        struct destination d = *destination;
        d.ns = t->ns;
        if (!project_permits_kind(project, t->group, t->kind, t->name, namespaced))
            why = xasprintf("resource %s:%s is not permitted in project %s", t->group, t->kind,
                            object_name(project));
        else if (namespaced && !project_permits_destination(project, &d))
            why = xasprintf("namespace %s is not permitted in project '%s'", t->ns, object_name(project));
        if (why)
            sync_task_invalid(x->plan, t, why);
    }
}
