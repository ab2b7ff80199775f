#ifndef CARGOCD_KUBESIM_ADMIN_H
#define CARGOCD_KUBESIM_ADMIN_H

#include "tests/kubesim/sim.h"

/* Puts a document of faults (README.md) in force: rules, images, paused controllers. */
int admin_set_faults(struct sim *s, const json_t *document, err_t **err);
/* Has every pod looked at again. */
void admin_wake_pods(struct sim *s);

#endif
