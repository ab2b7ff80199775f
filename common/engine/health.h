/* Health of objects: the checks that Argo CD has built in for Kubernetes' own kinds
 * (docs/operator-manual/health.md of that project), and how healths add up. */
#ifndef CARGOCD_ENGINE_HEALTH_H
#define CARGOCD_ENGINE_HEALTH_H

#include "common/kinds/kinds.h"

/* From best to worst. */
enum health_status {
    HEALTH_NONE,  /* the kind has no health */
    HEALTH_BLANK, /* a script that said nothing: not counted, and as good as Healthy when compared */
    HEALTH_HEALTHY,
    HEALTH_SUSPENDED,
    HEALTH_PROGRESSING,
    HEALTH_MISSING,
    HEALTH_DEGRADED,
    HEALTH_UNKNOWN,
    HEALTH_STATUS_MAX
};
struct health {
    enum health_status status;
    char *message; /* owned; may be NULL */
};
void health_dispose(struct health *h);
/* "Healthy"; "" for HEALTH_NONE and HEALTH_BLANK. */
const char *health_name(enum health_status s);
enum health_status health_parse(const char *name);
/* Whether b is worse than a. */
bool health_worse(enum health_status a, enum health_status b);

#define HOOK_FINALIZER "argocd.argoproj.io/hook-finalizer"
/* Whether the object carries the finalizer by which a sync keeps its hooks. */
bool health_held_as_hook(const json_t *object);

/* Checks that the settings bring along: they go before ours. */
struct script;
struct script_host;
struct health_overrides {
    /* The script for objects of the kind; NULL. The function may be NULL. */
    const struct script *(*find)(const void *settings, const char *group, const char *kind);
    /* Runs it, outside of this process: it is anybody's. *out is as the script says, or left alone on an
     * error. */
    int (*run)(void *evaluator, const struct script *s, const json_t *object, struct health *out,
               err_t **err);
    const void *settings;
    void *evaluator;
    struct script_host *host; /* for the bundled scripts; may be NULL */
};

/* Sets *out (HEALTH_NONE for kinds without a check): by the overrides (NULL: none), by the bundled scripts,
 * by the checks for Kubernetes' kinds. An object that is being deleted is Progressing, unless it is a hook
 * that waits for its finalizer. On an error *out is Unknown with the error's text. */
int health_assess_by(const struct health_overrides *overrides, const json_t *object, struct health *out,
                     err_t **err);
int health_assess(const json_t *object, struct health *out, err_t **err);
/* Whether health_assess looks at objects of this kind, so that others need not be read. */
bool health_has_check(const char *group, const char *kind);

#endif
