/* Services: cluster addresses and node ports, and what is invalid about them. */
#ifndef CARGOCD_KUBESIM_SERVICE_H
#define CARGOCD_KUBESIM_SERVICE_H

#include "tests/kubesim/strategy.h"

/* What is taken follows from the stored Services: nothing is reserved by an attempt. */
struct allocator *allocator_new(void) MUST_USE;
void allocator_free(struct allocator *a);
void allocator_on_change(struct allocator *a, const struct change *c);

void service_prepare(struct admission *a);
void service_validate(struct admission *a);

#endif
