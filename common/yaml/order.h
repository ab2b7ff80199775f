/* The order in which goyaml writes the keys of a mapping. */
#ifndef CARGOCD_YAML_ORDER_H
#define CARGOCD_YAML_ORDER_H

#include "common/base/str.h"

/* Letters by code point, other characters before letters, runs of digits by value. */
int yaml_key_cmp(view_t a, view_t b);

#endif
