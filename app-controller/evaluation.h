/* What users wrote as programs, where it takes part: jq in ignore rules, Lua in health checks. */
#ifndef CARGOCD_APP_CONTROLLER_EVALUATION_H
#define CARGOCD_APP_CONTROLLER_EVALUATION_H

#include "app-controller/comparison.h"

/* The ignore rules of one comparison, ready for use. */
struct evaluation {
    struct normalize_options options;
    struct ignore_rule *rules;
    const struct compare_input *in;
    eval_t *eval;
    err_t *failure; /* an expression that cannot be read at all; others that fail are only left out */
};
void evaluation_open(struct controller *ctl, const struct compare_input *in, struct evaluation *out);
void evaluation_close(struct evaluation *e);

/* The settings' health checks; valid as long as they are. */
struct health_overrides evaluation_health(eval_t *eval, const settings_t *settings);

#endif
