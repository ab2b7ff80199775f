/* The build environment: ARGOCD_APP_* variables and their substitution in texts of the source, as Argo CD
 * does it. What is used is noted in the trace, so that a variable which changes with every commit (the
 * revision) costs only those who use it. */
#ifndef CARGOCD_REPO_BUILD_ENV_H
#define CARGOCD_REPO_BUILD_ENV_H

#include "common/base/str.h"
#include "repo-server/trace.h"

struct build_env {
    const char *app_name;  /* the instance name */
    const char *namespace; /* of the destination */
    const char *project;
    const char *revision;                          /* the commit */
    const char *repo_url, *path, *target_revision; /* as in the source */
};

/* The value of one variable, the caller's; NULL when there is none of that name. */
char *build_env_get(const struct build_env *env, const char *name) MUST_USE;
/* The names, NULL-terminated, for programs that get real variables. */
extern const char *const build_env_names[];

/* Go's os.Expand with these variables: $NAME, ${NAME}; "$$" is "$"; a variable that is not known is empty.
 * The caller's. trace may be NULL. */
char *build_env_subst(const struct build_env *env, const char *text, trace_t *trace) MUST_USE;

#endif
