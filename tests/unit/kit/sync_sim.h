/* A pretend cluster for the sync plan: applying, health and deletion happen by the rules of a case
 * (tests/golden/sync/README.md), a runner carries out the plan's steps, and a pass can be killed at any
 * effect. */
#ifndef CARGOCD_TESTS_UNIT_KIT_SYNC_SIM_H
#define CARGOCD_TESTS_UNIT_KIT_SYNC_SIM_H

#include "common/engine/sync.h"

struct sim_object {
    json_t *doc;
    int born, deleted_at; /* pass; deleted_at -1: not deleted */
    const json_t *rule;   /* of the case; NULL: the usual */
    bool untracked;
};

struct sim {
    const json_t *c;
    map_t objects;   /* k: "Kind/namespace/name", v: struct sim_object * */
    json_t *results; /* on record */
    json_t *actions; /* of the pass: texts */
    map_t made;      /* k: "name mark" of a hook, v: how often it was made */
    map_t applied;   /* k: "Kind/name": what was applied without an error, at any time */
    int tick, pass, uids;
    enum op_phase phase;
    char *message;
    /* how the runner goes about it */
    bool adopts_answers; /* the answer to an apply is the task's live object from then on */
    bool cannot_look;    /* what is missing from the cache cannot be looked up, but for its being there */
    int fuel;            /* effects until the pass is killed; negative: never */
    bool terminate;      /* the next pass terminates */
    bool killed;         /* the pass was */
    /* called before a group runs, for checking */
    void (*before_run)(struct sim *s, const struct sync_plan *p);
};

void sim_init(struct sim *s, const json_t *c);
void sim_dispose(struct sim *s);
/* One pass of the operation, then time goes on. */
void sim_pass(struct sim *s);
/* Time goes on without a pass. */
void sim_idle(struct sim *s, int passes);
bool sim_ended(const struct sim *s);
/* "Kind/ns/name deleting held" of everything there is, sorted. A new array. */
json_t *sim_cluster(const struct sim *s) MUST_USE;
/* What is on record, a text an entry, sorted. A new array. */
json_t *sim_results(const struct sim *s) MUST_USE;
/* Sorts neighbours of s->actions that may go side by side. A new array. */
json_t *sim_actions(const struct sim *s) MUST_USE;
struct sim_object *sim_find(const struct sim *s, const char *kind, const char *ns, const char *name);

#endif
