/* The output of `version`. */
#ifndef CARGOCD_CLI_VERSION_H
#define CARGOCD_CLI_VERSION_H

#include "cli/run.h"

/* Prints the versions; `server` is the answer of its version service, NULL for ours only. An exit status. */
int version_print(const struct run *r, const json_t *server);

#endif
