/* What the files of the sync plan share. */
#ifndef CARGOCD_ENGINE_SYNC_TASKS_H
#define CARGOCD_ENGINE_SYNC_TASKS_H

#include "common/engine/sync.h"

typedef __typeof__(((struct sync_plan *)0)->list) task_list_t;

static inline bool task_completed(const struct sync_task *t)
{
    return t->op == OP_SUCCEEDED || t->op == OP_FAILED || t->op == OP_ERROR;
}

/* ---- sync_tasks.c ---- */

/* Fills plan->tasks from its input, in the order in which they run. */
void sync_tasks_build(struct sync_plan *p);
void sync_tasks_free(struct sync_plan *p);

/* ---- sync_results.c ---- */

/* Gives every task what is on record of it. */
void sync_results_join(struct sync_plan *p);
/* The messages of what failed; NULL when there are none. The caller's. */
char *sync_results_failures(const struct sync_plan *p) MUST_USE;

/* ---- sync_text.c ---- */

/* "waiting for healthy state of apps/Deployment/x and 2 more resources"; "" for no tasks. */
char *sync_text_waiting(const struct sync_plan *p, const task_list_t *tasks, bool deletion) MUST_USE;
/* Texts in byte order, each once. Sorts `messages`. */
char *sync_text_join(const char **messages, size_t n, const char *separator) MUST_USE;
/* "<what>, reason: <message>,<message>". */
char *sync_text_failure(const task_list_t *failed, const char *what) MUST_USE;

/* ---- sync_plan.c ---- */

enum stage {
    ST_BEGIN,
    ST_NAMESPACE_DONE,
    ST_DRY_RUN_DONE,
    ST_FOUND,
    ST_FINALIZED,
    ST_FAILED_HOOKS_DELETED,
    ST_GROUP_DONE,
    ST_FAIL_HOOKS_STARTED,
    ST_ENDING,
    ST_END
};

typedef bool (*which_fn)(const struct sync_plan *p, const struct sync_task *t);

enum sync_step plan_end(struct sync_plan *p, enum op_phase phase, char *message_take);
enum sync_step plan_end_running(struct sync_plan *p, const task_list_t *tasks, bool deletion);
/* Goes on with stage `next` when the runner has done the step for the tasks of p->list; at once when there
 * are none. */
enum sync_step plan_ask(struct sync_plan *p, enum sync_step step, enum stage next);
/* Fills *out with the tasks that fit, in order. */
void plan_filter(struct sync_plan *p, task_list_t *out, which_fn which);
bool plan_any(const struct sync_plan *p, which_fn which);
/* Leaves in p->group what of the group at hand, which is in p->list, fits. */
void plan_keep(struct sync_plan *p, bool (*fits)(const struct sync_task *));
void plan_add_all(task_list_t *to, const task_list_t *from);
void plan_without_live(const task_list_t *from, task_list_t *out);
/* Finished hooks that still carry the finalizer. */
bool plan_to_finalize(const struct sync_plan *p, const struct sync_task *t);

/* ---- sync_fail.c ---- */

/* After tasks completed unsuccessfully (p->failed). */
enum sync_step plan_fail(struct sync_plan *p);
/* After the group in p->list could not be run. */
enum sync_step plan_group_failed(struct sync_plan *p);
/* Deletes what `which` selects, then ends with the phase and message. */
enum sync_step plan_end_after_deleting(struct sync_plan *p, which_fn which, enum op_phase phase,
                                       char *message_take);
bool plan_delete_on_failure(const struct sync_plan *p, const struct sync_task *t);

#endif
