/* Watches that are open. */
#ifndef CARGOCD_KUBESIM_WATCH_H
#define CARGOCD_KUBESIM_WATCH_H

#include "tests/kubesim/registry.h"

/* Ends all watches of the resource: with the protocol's end, as when a server goes away. */
void watch_end_all(struct resource *r);
/* Cuts their connections. resource NULL: of all; returns how many. */
size_t watch_cut_all(struct registry *g, const char *resource_key);
size_t watch_count(const struct registry *g);

#endif
