/* How a resource is compared: by a three-way merge, or by what server-side apply would make of it
 * (docs/user-guide/diff-strategies.md of Argo CD). */
#ifndef CARGOCD_APP_CONTROLLER_STRATEGY_H
#define CARGOCD_APP_CONTROLLER_STRATEGY_H

#include "app-controller/comparison.h"
#include "common/engine/diff.h"

enum strategy { STRATEGY_THREE_WAY, STRATEGY_STRUCTURED, STRATEGY_SERVER_SIDE };

/* A resource is compared as it is applied; server-side diff is asked for. */
enum strategy strategy_choose(const struct controller *ctl, const struct compare_input *in,
                              const json_t *target);
/* Compares a pair of target and live object by one of the latter two: reads the live object with the owners
 * of its fields and, for a server-side diff, has the API server try the apply. Values of Secrets are masked
 * in *out. An object that is gone by now is modified. */
int strategy_compare(struct controller *ctl, const struct compare_input *in, enum strategy s,
                     const json_t *target, const struct normalize_options *options, struct diff_result *out,
                     err_t **err);

#endif
