/* What the offline commands work on: files instead of a cluster. */
#ifndef CARGOCD_CLI_COMPARE_LOAD_H
#define CARGOCD_CLI_COMPARE_LOAD_H

#include "cli/run.h"
#include "common/argo/settings.h"
#include "common/eval/actions.h"

/* The first document of a file, YAML or JSON. */
int load_document(const char *path, json_t **out, err_t **err);
/* All objects of a file ("-": standard input), members of lists one by one. */
int load_objects(const char *path, json_t **out, err_t **err);
/* A file with one object: it has a kind. */
int load_object(const char *path, json_t **out, err_t **err);

/* The ConfigMap that --argocd-cm-path names; --argocd-secret-path is read too, and has to be readable. */
int load_config_map(const struct run *r, json_t **out, err_t **err);
/* The same, understood. What is malformed in it is an error. */
int load_settings(const struct run *r, settings_t **out, err_t **err);

/* Rules with jq expressions evaluated by a helper. */
struct evaluator {
    eval_t *eval;
    err_t *failure; /* an expression that cannot be read at all */
    json_t *notes;  /* expressions that failed on an object: texts */
};
json_t *evaluator_jq(void *evaluator, const char *expression, const json_t *object) MUST_USE;
void evaluator_open(struct evaluator *e, int64_t timeout_ns);
void evaluator_close(struct evaluator *e);

int settings_validate(struct run *r, err_t **err);
int override_health(struct run *r, err_t **err);
int override_differences(struct run *r, err_t **err);
int override_updates(struct run *r, err_t **err);
int override_list_actions(struct run *r, err_t **err);
int override_run_action(struct run *r, err_t **err);
int compare(struct run *r, err_t **err);

#endif
