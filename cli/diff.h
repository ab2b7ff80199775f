/* Two states of an object, side by side: handed to diff(1), or to what KUBECTL_EXTERNAL_DIFF names. */
#ifndef CARGOCD_CLI_DIFF_H
#define CARGOCD_CLI_DIFF_H

#include "common/json/json.h"

/* Prints what the program says of the two as YAML; NULL is an empty side. name: what the files are called. */
int diff_print(const char *name, const json_t *live, const json_t *target, err_t **err);

#endif
