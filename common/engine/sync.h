/* Planning a sync: from what should be, what is, and what was done so far to what is to be done next. Pure:
 * the runner carries out a step, records results, and asks again; nothing survives between passes but the
 * recorded results, so that a sync goes on after a restart where it was (docs/user-guide/sync-waves.md of
 * Argo CD; its gitops-engine). */
#ifndef CARGOCD_ENGINE_SYNC_H
#define CARGOCD_ENGINE_SYNC_H

#include "common/base/map.h"
#include "common/base/vec.h"
#include "common/engine/health.h"
#include "common/engine/hooks.h"

enum sync_phase { PHASE_PRE_SYNC, PHASE_SYNC, PHASE_POST_SYNC, PHASE_SYNC_FAIL, PHASE_MAX };
const char *sync_phase_name(enum sync_phase p);

enum op_phase { OP_PENDING, OP_RUNNING, OP_SUCCEEDED, OP_FAILED, OP_ERROR };
const char *op_phase_name(enum op_phase p); /* "" for OP_PENDING */
enum op_phase op_phase_parse(const char *name);

enum result_code { RESULT_NONE, RESULT_SYNCED, RESULT_SYNC_FAILED, RESULT_PRUNED, RESULT_PRUNE_SKIPPED };

struct sync_task {
    /* owned; ns is the destination's when the target has none, and "" for a namespace that is created along
     */
    char *group, *version, *kind, *ns, *name;
    enum sync_phase phase;
    int wave;
    size_t place;          /* among the input; decides where order says nothing */
    json_t *target, *live; /* owned references; target NULL: a prune; live NULL: does not exist */
    bool is_hook;
    unsigned hook_delete; /* enum hook_delete */
    bool skip_dry_run;
    bool unmodified; /* compared and found the same */
    bool invalid;    /* cannot be done at all */
    bool ran;        /* in this pass */
    enum result_code code;
    enum op_phase op;
    char *message; /* owned */
};
bool task_is_prune(const struct sync_task *t);
/* A hook that exists from before this operation and goes before it is made anew. */
bool task_delete_before_creation(const struct sync_task *t);

struct sync_pair {
    json_t *target, *live; /* either may be NULL */
    bool modified;
    bool self_referenced;
};

struct sync_input {
    const struct sync_pair *pairs;
    size_t npairs;
    json_t *const *hooks; /* targets that are hooks */
    size_t nhooks;
    const json_t *resources;  /* operation.sync.resources; NULL: all */
    bool skip_hooks;          /* strategy apply, or a selection */
    const char *ns;           /* destination namespace */
    const char *revision;     /* for the names of hooks with generateName */
    int64_t started_at;       /* seconds */
    const char *operation_id; /* marks hooks: they are adopted after a restart, not made again */
    bool prune, prune_last, apply_out_of_sync_only, dry_run;
    const char *default_prune; /* value of the application's Prune= option; "" */
    bool prune_confirmed;
    json_t *namespace_target, *namespace_live; /* CreateNamespace: a task to add; NULL: none */
    const char *namespace_error;               /* why it cannot be made; NULL */
    const struct health_overrides *health;     /* NULL: only our own checks */
};

struct sync_plan {
    const struct sync_input *input;
    VEC(struct sync_task *) tasks; /* sorted; owned */
    json_t *results;               /* syncResult.resources, kept up to date */
    struct sync_task **run;        /* of the step at hand; the array is the plan's */
    size_t nrun;
    enum sync_outcome { RUN_SUCCESSFUL, RUN_PENDING, RUN_FAILED } outcome; /* successful when a step begins */
    enum op_phase phase;                                                   /* after STEP_END */
    char *message;
    bool wait_for_wave; /* after STEP_END: the next group waits for the wave delay */
    /* private */
    int stage;
    bool started, terminating;
    map_t index; /* k: task's key, v: its place in results + 1 */
    VEC(struct sync_task *) list, group, failed;
    const struct sync_task *made; /* the namespace, created before the dry run */
};

/* What the runner is asked for. An operation that is itself a dry run gets no step but STEP_DRY_RUN and
 * STEP_END: nothing of it touches the cluster. */
enum sync_step {
    STEP_DRY_RUN,      /* run `run` without effect; record only failures (all, for a dry-run operation); set
                          outcome */
    STEP_RUN,          /* run `run`; record results; set outcome */
    STEP_FIND,         /* their live objects are missing from the cache: look, and set live (to the target
                          when it could not be found out) */
    STEP_FINALIZE,     /* remove the hook finalizer of `run` */
    STEP_DELETE_HOOKS, /* delete the objects of `run` */
    STEP_END,          /* phase and message say how the pass ended */
};

/* results: syncResult.resources so far (array; may be NULL); taken. */
void sync_plan_init(struct sync_plan *p, const struct sync_input *input, json_t *results_take);
void sync_plan_dispose(struct sync_plan *p);
/* Records a result; an empty message keeps the last one. */
void sync_set_result(struct sync_plan *p, struct sync_task *t, enum result_code code, enum op_phase op,
                     const char *message);
/* A task that cannot be done at all (unknown kind, not permitted): the sync fails before anything is applied.
 */
void sync_task_invalid(struct sync_plan *p, struct sync_task *t, const char *why);
enum sync_step sync_plan_next(struct sync_plan *p);
/* Terminating: which finished hooks to release (STEP_FINALIZE), which running ones to look for (STEP_FIND)
 * and to stop (STEP_RUN: all have a live object), then STEP_END. To stop, the runner evaluates, removes the
 * finalizer, deletes and records, then calls again with the outcome. */
enum sync_step sync_plan_terminate(struct sync_plan *p);

/* What a hook's health means for it. *message is the caller's. */
enum op_phase sync_hook_phase(const struct health_overrides *health, const json_t *live, char **message,
                              err_t **err);
/* The phase that a result code leaves a task in. */
enum op_phase sync_result_phase(enum result_code code, bool dry_run);
/* Whether the prune of this live object needs a confirmation, is forbidden. */
bool prune_needs_confirmation(const json_t *live, const char *default_prune);
bool prune_forbidden(const json_t *live, const char *default_prune);
/* The operation's mark on a hook: "<operation id>/<phase>". */
#define ANNOTATION_HOOK_OPERATION "cargocd.io/operation-id"

#endif
