/* One pass over the tasks, as a machine of stages: each stage either asks the runner for something and goes
 * on with its answer, or ends the pass. The stages are those of gitops-engine's Sync:
 *
 *   invalid tasks             the sync fails before anything is done
 *   nothing on record yet     the destination namespace is made, then all is tried without effect
 *   something runs            its health decides; hooks hold a sync up, resources only when more steps follow
 *   what was pruned goes away
 *   finished hooks are released from their finalizer
 *   something failed          hooks that go on failure are deleted, SyncFail hooks run, the sync fails
 *   the next group runs       what is due of the first phase and wave; the sync succeeds when it was the last
 *                             and held no hook, whatever becomes of it
 *
 * An operation that is a dry run ends with its trial. */
#include "common/engine/sync_tasks.h"

void sync_plan_init(struct sync_plan *p, const struct sync_input *input, json_t *results_take)
{
    *p = (struct sync_plan){.input = input, .results = results_take};
    if (!json_is_array(p->results)) {
        json_decref(p->results);
        p->results = json_array();
    }
    sync_tasks_build(p);
    sync_results_join(p);
    VEC_FOREACH(&p->tasks, t)
        if (input->namespace_error && (*t)->target == input->namespace_target)
            sync_set_result(p, *t, RESULT_SYNC_FAILED, OP_ERROR, input->namespace_error);
    p->started = json_array_size(p->results) > 0;
}

void sync_plan_dispose(struct sync_plan *p)
{
    sync_tasks_free(p);
    json_decref(p->results);
    map_dispose(&p->index);
    free(p->message);
    VEC_FREE(&p->list);
    VEC_FREE(&p->group);
    VEC_FREE(&p->failed);
    *p = (struct sync_plan){};
}

/* ---- asking and ending ---- */

enum sync_step plan_end(struct sync_plan *p, enum op_phase phase, char *message_take)
{
    free(p->message);
    p->phase = phase;
    p->message = message_take;
    p->stage = ST_END;
    p->run = NULL;
    p->nrun = 0;
    return STEP_END;
}

enum sync_step plan_end_running(struct sync_plan *p, const task_list_t *tasks, bool deletion)
{
    return plan_end(p, OP_RUNNING, sync_text_waiting(p, tasks, deletion));
}

/* Goes on with stage `next` when the runner has done the step for the tasks of p->list; at once when there
 * are none. */
enum sync_step plan_ask(struct sync_plan *p, enum sync_step step, enum stage next)
{
    p->outcome = RUN_SUCCESSFUL;
    p->stage = next;
    if (!p->list.n)
        return p->terminating ? sync_plan_terminate(p) : sync_plan_next(p);
    p->run = p->list.v;
    p->nrun = p->list.n;
    return step;
}

void plan_filter(struct sync_plan *p, task_list_t *out, which_fn which)
{
    out->n = 0;
    VEC_FOREACH(&p->tasks, t)
        if (which(p, *t))
            VEC_PUSH(out, *t);
}

bool plan_any(const struct sync_plan *p, which_fn which)
{
    VEC_FOREACH(&p->tasks, t)
        if (which(p, *t))
            return true;
    return false;
}

/* Leaves in p->group what of the group, which is in p->list, fits. */
void plan_keep(struct sync_plan *p, bool (*fits)(const struct sync_task *))
{
    p->group.n = 0;
    VEC_FOREACH(&p->list, t)
        if (fits(*t))
            VEC_PUSH(&p->group, *t);
}

void plan_add_all(task_list_t *to, const task_list_t *from)
{
    for (size_t i = 0; i < from->n; i++)
        VEC_PUSH(to, from->v[i]);
}

/* ---- before anything runs ---- */

/* Ends the sync when a task was found invalid. */
static enum sync_step end_invalid(struct sync_plan *p)
{
    static const char what[] = "one or more synchronization tasks are not valid";
    AUTO(free_p) char *why = sync_results_failures(p);
    return plan_end(p, OP_FAILED, why ? xasprintf("%s: %s", what, why) : xstrdup(what));
}

static bool is_invalid(const struct sync_plan *p, const struct sync_task *t)
{
    return t->invalid;
}

static bool is_namespace_to_create(const struct sync_plan *p, const struct sync_task *t)
{
    return t->target && !t->live && !*t->group && strcmp(t->kind, "Namespace") == 0 &&
           str_eq(t->name, p->input->ns);
}

static bool skip_unmodified(const struct sync_plan *p, const struct sync_task *t)
{
    return p->input->apply_out_of_sync_only && !t->is_hook && t->unmodified && t->target && t->live;
}

static bool for_dry_run(const struct sync_plan *p, const struct sync_task *t)
{
    return t != p->made && !skip_unmodified(p, t);
}

static enum sync_step dry_run(struct sync_plan *p)
{
    plan_filter(p, &p->list, for_dry_run);
    return plan_ask(p, STEP_DRY_RUN, ST_DRY_RUN_DONE);
}

static enum sync_step go_on(struct sync_plan *p);
static enum sync_step running(struct sync_plan *p);

static enum sync_step begin(struct sync_plan *p)
{
    if (plan_any(p, is_invalid))
        return end_invalid(p);
    if (p->input->dry_run)
        return dry_run(p);
    if (p->started)
        return go_on(p);
    plan_filter(p, &p->list, is_namespace_to_create);
    if (!p->list.n)
        return dry_run(p);
    p->list.n = 1;
    p->made = p->list.v[0];
    return plan_ask(p, STEP_RUN, ST_NAMESPACE_DONE);
}

static enum sync_step namespace_done(struct sync_plan *p)
{
    if (p->outcome != RUN_FAILED)
        return dry_run(p);
    p->failed.n = 0;
    plan_add_all(&p->failed, &p->list);
    return plan_end(p, OP_FAILED, sync_text_failure(&p->failed, "the namespace failed to apply"));
}

static enum sync_step dry_run_done(struct sync_plan *p)
{
    if (p->outcome == RUN_FAILED)
        return plan_end(p, OP_FAILED, xstrdup("one or more objects failed to apply (dry run)"));
    if (p->input->dry_run)
        return plan_end(p, OP_SUCCEEDED, xstrdup("successfully synced (no more tasks)"));
    return running(p);
}

/* ---- what runs ---- */

/* What the health of its live object says of a running task. */
static void judge(struct sync_plan *p, struct sync_task *t)
{
    AUTO_ERR err = NULL;
    if (t->is_hook) {
        AUTO(free_p) char *message = NULL;
        enum op_phase phase = sync_hook_phase(p->input->health, t->live, &message, &err);
        AUTO(free_p)
        char *failure = err ? xasprintf("failed to get resource health: %s", err_text(err)) : NULL;
        sync_set_result(p, t, t->code, phase, failure ? failure : message);
        return;
    }
    struct health h;
    if (health_assess_by(p->input->health, t->live, &h, &err) == 0) {
        if (h.status == HEALTH_NONE || h.status == HEALTH_HEALTHY)
            sync_set_result(p, t, t->code, OP_SUCCEEDED, h.message);
        else if (h.status == HEALTH_DEGRADED)
            sync_set_result(p, t, t->code, OP_FAILED, h.message);
    }
    health_dispose(&h);
}

static bool multi_step(const struct sync_plan *p)
{
    const struct sync_task *first = p->tasks.v[0], *last = p->tasks.v[p->tasks.n - 1];
    return first->phase != last->phase || first->wave != last->wave;
}

static bool holds_up(const struct sync_plan *p, const struct sync_task *t)
{
    return t->op == OP_RUNNING && (t->is_hook || multi_step(p));
}

void plan_without_live(const task_list_t *from, task_list_t *out)
{
    out->n = 0;
    for (size_t i = 0; i < from->n; i++)
        if (!from->v[i]->live)
            VEC_PUSH(out, from->v[i]);
}

static enum sync_step running(struct sync_plan *p)
{
    VEC_FOREACH(&p->tasks, t)
        if ((*t)->op == OP_RUNNING && (*t)->live)
            judge(p, *t);
    plan_filter(p, &p->group, holds_up);
    plan_without_live(&p->group, &p->list);
    return plan_ask(p, STEP_FIND, ST_FOUND);
}

static bool is_terminating(const struct sync_plan *p, const struct sync_task *t)
{
    return t->code == RESULT_PRUNED && object_deleting(t->live);
}

bool plan_to_finalize(const struct sync_plan *p, const struct sync_task *t)
{
    return t->is_hook && task_completed(t) && t->live && health_held_as_hook(t->live);
}

static enum sync_step found(struct sync_plan *p)
{
    /* What was looked up is judged as what was known. */
    VEC_FOREACH(&p->list, t)
        if ((*t)->live && (*t)->live != (*t)->target)
            judge(p, *t);
    plan_filter(p, &p->group, holds_up);
    for (size_t i = 0; i < p->group.n; i++) {
        struct sync_task *t = p->group.v[i];
        if (t->live)
            continue;
        AUTO(free_p)
        char *message = xasprintf("Resource %s/%s/%s is missing, it might have been deleted", t->group,
                                  t->kind, t->name);
        sync_set_result(p, t, RESULT_SYNC_FAILED, OP_ERROR, message);
    }
    if (p->group.n)
        return plan_end_running(p, &p->group, false);
    plan_filter(p, &p->list, is_terminating);
    if (p->list.n)
        return plan_end_running(p, &p->list, true);
    plan_filter(p, &p->list, plan_to_finalize);
    return plan_ask(p, STEP_FINALIZE, ST_FINALIZED);
}

/* ---- the next group ---- */

static bool delete_on_success(const struct sync_plan *p, const struct sync_task *t)
{
    return t->is_hook && t->live && t->op != OP_RUNNING && (t->hook_delete & HOOK_DELETE_SUCCEEDED);
}

static bool went_wrong(const struct sync_plan *p, const struct sync_task *t)
{
    return t->phase != PHASE_SYNC_FAIL && task_completed(t) && t->op != OP_SUCCEEDED;
}

static bool sync_failed(const struct sync_plan *p, const struct sync_task *t)
{
    return t->phase != PHASE_SYNC_FAIL && t->code == RESULT_SYNC_FAILED;
}

static bool still_to_do(const struct sync_plan *p, const struct sync_task *t)
{
    return t->phase != PHASE_SYNC_FAIL && t->op == OP_PENDING && !skip_unmodified(p, t);
}

static bool same_step(const struct sync_task *a, const struct sync_task *b)
{
    return a->phase == b->phase && a->wave == b->wave;
}

/* Runs what is due of the step of `first`. */
static enum sync_step run_step(struct sync_plan *p, const struct sync_task *first)
{
    plan_filter(p, &p->group, still_to_do);
    p->wait_for_wave = !same_step(first, p->group.v[p->group.n - 1]);
    p->list.n = 0;
    VEC_FOREACH(&p->group, t)
        if (same_step(*t, first))
            VEC_PUSH(&p->list, *t);
    VEC_FOREACH(&p->list, t)
        (*t)->ran = true;
    return plan_ask(p, STEP_RUN, ST_GROUP_DONE);
}

static bool is_running_hook(const struct sync_plan *p, const struct sync_task *t)
{
    return t->is_hook && t->op == OP_RUNNING && t->phase != PHASE_SYNC_FAIL;
}

/* A step of which a hook runs while others have not begun was cut short by a restart: hooks are found again,
 * but what else was applied is not on record. It is finished before anything is waited for, since the hook
 * may need the rest. */
static enum sync_step go_on(struct sync_plan *p)
{
    VEC_FOREACH(&p->tasks, hook)
        VEC_FOREACH(&p->tasks, t)
            if (is_running_hook(p, *hook) && (*t)->target && still_to_do(p, *t) && same_step(*hook, *t))
                return run_step(p, *hook);
    return running(p);
}

static enum sync_step finalized(struct sync_plan *p)
{
    if (plan_any(p, went_wrong)) {
        plan_filter(p, &p->failed, sync_failed);
        plan_filter(p, &p->list, plan_delete_on_failure);
        return plan_ask(p, STEP_DELETE_HOOKS, ST_FAILED_HOOKS_DELETED);
    }
    plan_filter(p, &p->group, still_to_do);
    if (p->group.n)
        return run_step(p, p->group.v[0]);
    return plan_end_after_deleting(p, delete_on_success, OP_SUCCEEDED,
                                   xstrdup("successfully synced (no more tasks)"));
}

static bool holds_the_group(const struct sync_task *t)
{
    return task_delete_before_creation(t) || (task_is_prune(t) && t->op == OP_PENDING);
}

/* The step at hand: the group that ran, in p->list, and hooks of it that ran already before a restart. */
static bool of_this_step(const struct sync_plan *p, const struct sync_task *t)
{
    return same_step(t, p->list.v[0]) && (t->ran || is_running_hook(p, t));
}

static bool is_hook_of_this_step(const struct sync_plan *p, const struct sync_task *t)
{
    return t->is_hook && of_this_step(p, t);
}

static enum sync_step group_done(struct sync_plan *p)
{
    if (p->outcome == RUN_FAILED)
        return plan_group_failed(p);
    if (p->outcome == RUN_PENDING) {
        plan_keep(p, holds_the_group);
        return plan_end_running(p, &p->group, true);
    }
    bool last = p->list.n == p->group.n; /* the group still is what was due */
    if (last && !plan_any(p, is_hook_of_this_step))
        return plan_end_after_deleting(p, delete_on_success, OP_SUCCEEDED,
                                       xstrdup("successfully synced (all tasks run)"));
    plan_filter(p, &p->group, of_this_step);
    return plan_end_running(p, &p->group, false);
}

enum sync_step sync_plan_next(struct sync_plan *p)
{
    switch ((enum stage)p->stage) {
    case ST_BEGIN:
        return begin(p);
    case ST_NAMESPACE_DONE:
        return namespace_done(p);
    case ST_DRY_RUN_DONE:
        return dry_run_done(p);
    case ST_FOUND:
        return found(p);
    case ST_FINALIZED:
        return finalized(p);
    case ST_FAILED_HOOKS_DELETED:
        return plan_fail(p);
    case ST_GROUP_DONE:
        return group_done(p);
    case ST_FAIL_HOOKS_STARTED:
        return plan_end_running(p, &p->group, false);
    case ST_ENDING:
        return plan_end(p, p->phase, TAKE(p->message));
    case ST_END:
        break;
    }
    return STEP_END;
}
