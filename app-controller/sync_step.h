/* One pass of a sync: compare, plan, carry out what can be done now, and record it. */
#ifndef CARGOCD_APP_CONTROLLER_SYNC_STEP_H
#define CARGOCD_APP_CONTROLLER_SYNC_STEP_H

#include "app-controller/apply.h"
#include "app-controller/comparison.h"
#include "common/engine/sync.h"

struct operation {
    struct controller *ctl;
    struct app *app;
    json_t *doc;             /* the Application as last seen */
    json_t *state;           /* status.operationState as it is to become */
    char *id;                /* names this operation; with the attempt it marks hooks */
    bool timed_out;          /* the sync timeout ended it in this pass */
    atomic_bool interrupted; /* a request was canceled: the cluster's client was closed meanwhile */
    json_t *history;         /* the new status.history; NULL: as it is */
    int64_t again_ns;        /* when to look again; 0: the usual */
    const struct app_requests *requests; /* how requests are counted; NULL: not */
};

/* Sets phase and message of the state. */
void operation_set(struct operation *op, const char *phase, const char *fmt, ...) PRINTF(3, 4);
bool operation_is(const struct operation *op, const char *phase);
/* Writes the state where it differs from what the API server has. */
int operation_persist(struct operation *op, err_t **err);

/* Takes the sync one pass further: phase, message and syncResult of the state say where it is. */
void sync_step(struct operation *op);

/* ---- carrying out a plan ---- */

struct sync_exec {
    struct operation *op;
    struct sync_plan *plan;
    struct applier applier;
    kube_t *other;         /* as whom it is applied; NULL: the controller */
    const json_t *options; /* operation.sync.syncOptions */
    bool force, dry_run, prune, confirmed;
    char *propagation; /* of prunes and hook deletions */
    char *default_prune;
    /* The client-side applier that server-side apply takes over from; NULL: none. */
    char *migrated_manager;
    bool new_kinds; /* a custom resource definition was applied: the cluster serves more than it did */
};
/* Checks that every task can be done at all. */
void sync_validate(struct sync_exec *x, const json_t *project, const struct destination *destination);
void sync_carry_out(struct sync_exec *x, enum sync_step step);
/* The same for a sync that is being terminated. */
void sync_carry_out_termination(struct sync_exec *x, enum sync_step step);
/* Why a task of a kind that is not served cannot be done, as Argo CD's discovery says it. */
char *sync_unknown_kind(const kube_api_t *api, const struct sync_task *t) MUST_USE;
/* Puts what helps in the place of results' messages that do not, or behind them. */
void sync_explain(json_t *results, const kube_api_t *api);
/* Whether one of the targets defines this kind. */
bool sync_defines_kind(struct sync_plan *p, const char *group, const char *kind);

#endif
