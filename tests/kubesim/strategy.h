/* What a kind does to its objects on their way into the store, and what it refuses. */
#ifndef CARGOCD_KUBESIM_STRATEGY_H
#define CARGOCD_KUBESIM_STRATEGY_H

#include "tests/kubesim/sim.h"

/* An object on its way in, in the stored version. */
struct admission {
    struct sim *sim;
    const struct endpoint *endpoint;
    json_t *object;
    const json_t *old; /* NULL: it is new */
    const char *subresource;
    bool dry_run;
    json_t *causes; /* array or NULL; see problem_add */
};

/* Decoding's end: drops what Go's types would, fills in defaults. */
void strategy_normalise(struct admission *a);
/* Status, generation, allocated fields. */
void strategy_prepare(struct admission *a);
void strategy_validate(struct admission *a);

#endif
