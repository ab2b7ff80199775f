/* Users' programs, run where they can do no harm: Lua scripts of settings and jq expressions are evaluated by
 * helper processes (cargocd-eval) under limits of memory and wall-clock time. A breach ends one helper and
 * shuts that program out for a while; neighbours lose nothing. */
#ifndef CARGOCD_EVAL_EVAL_H
#define CARGOCD_EVAL_EVAL_H

#include "common/engine/script.h"

typedef struct eval eval_t; /* thread-safe */

struct eval_options {
    const char *program; /* path of cargocd-eval; NULL: next to the running program */
    size_t helpers;      /* at most; started when there is work. 0: 2 */
    int64_t timeout_ns;  /* of one evaluation; 0: a second */
};
eval_t *eval_new(const struct eval_options *options) MUST_USE;
void eval_free(eval_t *e);

/* As script_run. ERR_RESOURCE_EXHAUSTED also for a program that went over the time not long ago,
 * ERR_UNAVAILABLE when there is no helper. */
int eval_script(eval_t *e, const struct script *s, const json_t *object, const json_t *params, json_t **out,
                err_t **err);
/* A health script, in the form that struct health_overrides wants. */
int eval_health(void *eval, const struct script *s, const json_t *object, struct health *out, err_t **err);
/* The object without what the jq path expression selects, as a new document: jq's del().
 * ERR_FAILED_PRECONDITION when the expression is none, whatever the object. */
int eval_jq_delete(eval_t *e, const char *expression, const json_t *object, json_t **out, err_t **err);

AUTO_DECL(eval_free_p, eval_t, eval_free)

/* What a request to a helper is: {op: "script", source, openLibs, object, params} or {op: "paths",
 * expression, object}; the answer {value} or {error, code}. Both are JSON behind their length in four bytes,
 * little-endian. */
enum { EVAL_MAX_MESSAGE = 32 << 20 };

/* Removes what the paths (as jq writes them: arrays of keys, indexes and {start, end}) lead to, from a copy.
 */
int eval_delete_paths(const json_t *object, const json_t *paths, json_t **out, err_t **err);

#endif
