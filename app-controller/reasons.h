/* What the decision journal says of a comparison. */
#ifndef CARGOCD_APP_CONTROLLER_REASONS_H
#define CARGOCD_APP_CONTROLLER_REASONS_H

#include "app-controller/comparison.h"

/* Texts: which objects are out of sync and where, what the health is of. */
json_t *reasons_of_comparison(const struct comparison *c) MUST_USE;
/* Texts: where the manifests of each source came from. kept: the repository server was not asked. *outcome is
 * the whole in a word. */
json_t *reasons_of_renderings(const struct comparison *c, const json_t *sources, bool kept,
                              const char **outcome) MUST_USE;

#endif
