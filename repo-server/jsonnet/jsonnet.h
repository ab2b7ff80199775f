/* Jsonnet (https://jsonnet.org), evaluated by libjsonnet in a child of our own binary: programs of tenants
 * get neither our memory nor the file system. What they import is asked of the caller, who reads it from the
 * source tree. */
#ifndef CARGOCD_REPO_JSONNET_JSONNET_H
#define CARGOCD_REPO_JSONNET_JSONNET_H

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/json/json.h"

/* argv[1] of the child. */
#define JSONNET_CHILD_ROLE "jsonnet-child"
int jsonnet_child_main(void);

struct jsonnet_options {
    mono_t deadline;
    atomic_bool *canceled; /* may be NULL */
    /* The text of what the file in the directory `base` (with its slash) imports as `rel`, and where it was
     * found. Both are the evaluator's. ERR_NOT_FOUND and others become the program's error. */
    int (*import)(void *arg, const char *base, const char *rel, char **found, str_t *text, err_t **err);
    void *arg;
};

/* A child, started with the first evaluation. Not thread-safe. */
typedef struct jsonnet jsonnet_t;
jsonnet_t *jsonnet_new(const struct jsonnet_options *options) MUST_USE;
void jsonnet_free(jsonnet_t *j);

/* Evaluates a file. Variables are arrays of {name, value, code}. *out gets JSON. ERR_FAILED_PRECONDITION:
 * what is wrong with the program; ERR_RESOURCE_EXHAUSTED: it needs too much; ERR_DEADLINE_EXCEEDED. */
int jsonnet_run(jsonnet_t *j, const char *path, const str_t *text, const json_t *ext_vars, const json_t *tlas,
                str_t *out, err_t **err);

#endif
