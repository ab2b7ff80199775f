/* jq, by libjq. */
#ifndef CARGOCD_EVAL_PROGRAM_JQ_PATHS_H
#define CARGOCD_EVAL_PROGRAM_JQ_PATHS_H

#include "common/json/json.h"

/* The paths that the expression selects in the object: an array of arrays. */
int jq_paths(const char *expression, const json_t *object, json_t **out, err_t **err);
void jq_paths_dispose(void);

#endif
