/* How a sync ends badly: what failed is told, hooks that go on failure are deleted, SyncFail hooks run to
 * their end, and then it has failed. And how it is terminated: its hooks are released and stopped; what was
 * applied stays. */
#include "common/engine/sync_tasks.h"

static const char unsuccessful[] = "one or more synchronization tasks completed unsuccessfully";
static const char not_applied[] = "one or more objects failed to apply";

static bool is_fail_hook(const struct sync_plan *p, const struct sync_task *t)
{
    return t->phase == PHASE_SYNC_FAIL;
}

static bool is_pending_fail_hook(const struct sync_plan *p, const struct sync_task *t)
{
    return t->phase == PHASE_SYNC_FAIL && t->op == OP_PENDING;
}

static bool is_open_fail_hook(const struct sync_plan *p, const struct sync_task *t)
{
    return t->phase == PHASE_SYNC_FAIL && !task_completed(t);
}

static bool is_failed_fail_hook(const struct sync_plan *p, const struct sync_task *t)
{
    return t->phase == PHASE_SYNC_FAIL && t->code == RESULT_SYNC_FAILED;
}

bool plan_delete_on_failure(const struct sync_plan *p, const struct sync_task *t)
{
    return t->is_hook && t->live && t->op != OP_RUNNING && (t->hook_delete & HOOK_DELETE_FAILED);
}

/* What to say of p->failed and of the SyncFail hooks that failed in turn. */
static char *failure_message(struct sync_plan *p, const char *what)
{
    AUTO(free_p) char *message = sync_text_failure(&p->failed, what);
    plan_filter(p, &p->list, is_failed_fail_hook);
    if (!p->list.n)
        return TAKE(message);
    AUTO(free_p) char *more = sync_text_failure(&p->list, "one or more SyncFail hooks failed");
    return xasprintf("%s\n%s", message, more);
}

/* Starts the SyncFail hooks that have not run; the pass then waits for p->group. */
static enum sync_step start_fail_hooks(struct sync_plan *p)
{
    plan_filter(p, &p->list, is_pending_fail_hook);
    return plan_ask(p, STEP_RUN, ST_FAIL_HOOKS_STARTED);
}

enum sync_step plan_fail(struct sync_plan *p)
{
    if (!plan_any(p, is_open_fail_hook))
        return plan_end(p, OP_FAILED, failure_message(p, unsuccessful));
    plan_filter(p, &p->group, is_pending_fail_hook);
    return start_fail_hooks(p);
}

/* Deletes what `which` selects, then ends with the phase and message. */
enum sync_step plan_end_after_deleting(struct sync_plan *p, which_fn which, enum op_phase phase,
                                       char *message_take)
{
    free(p->message);
    p->message = message_take;
    p->phase = phase;
    plan_filter(p, &p->list, which);
    return plan_ask(p, STEP_DELETE_HOOKS, ST_ENDING);
}

/* What runs of the step at hand, hooks from before a restart included. */
static void keep_running(struct sync_plan *p)
{
    const struct sync_task *first = p->list.v[0];
    p->group.n = 0;
    VEC_FOREACH(&p->tasks, it) {
        struct sync_task *t = *it;
        if (t->op == OP_RUNNING && t->phase == first->phase && t->wave == first->wave)
            VEC_PUSH(&p->group, t);
    }
}

static bool has_failed(const struct sync_task *t)
{
    return t->code == RESULT_SYNC_FAILED;
}

/* What of the group was applied nevertheless runs to its end first; the next pass then finds the failure. */
enum sync_step plan_group_failed(struct sync_plan *p)
{
    p->wait_for_wave = false;
    plan_keep(p, has_failed);
    p->failed.n = 0;
    plan_add_all(&p->failed, &p->group);
    keep_running(p);
    bool hooks_open = plan_any(p, is_open_fail_hook);
    if (!hooks_open && p->group.n)
        return plan_end_running(p, &p->group, false);
    if (!hooks_open)
        return plan_end_after_deleting(p, plan_delete_on_failure, OP_FAILED, failure_message(p, not_applied));
    plan_filter(p, &p->list, p->group.n ? is_fail_hook : is_pending_fail_hook);
    plan_add_all(&p->group, &p->list);
    return start_fail_hooks(p);
}

/* ---- terminating ---- */

static bool to_stop(const struct sync_plan *p, const struct sync_task *t)
{
    return t->is_hook && t->op == OP_RUNNING;
}

static enum sync_step stop(struct sync_plan *p)
{
    plan_without_live(&p->group, &p->list);
    VEC_FOREACH(&p->list, t)
        sync_set_result(p, *t, (*t)->code, OP_SUCCEEDED, "Terminated"); /* gone by itself */
    plan_filter(p, &p->list, to_stop);
    return plan_ask(p, STEP_RUN, ST_ENDING);
}

enum sync_step sync_plan_terminate(struct sync_plan *p)
{
    p->terminating = true;
    switch ((enum stage)p->stage) {
    case ST_BEGIN:
        plan_filter(p, &p->list, plan_to_finalize);
        return plan_ask(p, STEP_FINALIZE, ST_FINALIZED);
    case ST_FINALIZED:
        plan_filter(p, &p->group, to_stop);
        plan_without_live(&p->group, &p->list);
        return plan_ask(p, STEP_FIND, ST_FOUND);
    case ST_FOUND:
        return stop(p);
    case ST_ENDING:
        if (p->outcome == RUN_FAILED)
            return plan_end(p, OP_ERROR, xstrdup("Operation termination had errors"));
        return plan_end(p, OP_FAILED, xstrdup("Operation terminated"));
    default:
        return STEP_END;
    }
}
