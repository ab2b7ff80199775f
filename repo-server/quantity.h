/* Sizes as Kubernetes writes quantities: "10M", "1G", "512Ki", plain bytes. */
#ifndef CARGOCD_REPO_QUANTITY_H
#define CARGOCD_REPO_QUANTITY_H

#include "common/base/base.h"

/* Whole numbers only. False for anything else, an overflow included. */
bool quantity_parse(const char *text, uint64_t *out);

#endif
