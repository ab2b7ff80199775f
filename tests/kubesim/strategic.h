/* Strategic merge patches by the tables of common/kinds. */
#ifndef CARGOCD_KUBESIM_STRATEGIC_H
#define CARGOCD_KUBESIM_STRATEGIC_H

#include "common/kinds/kinds.h"

int patch_strategic(const json_t *original, const json_t *patch, const char *group, const char *version,
                    const char *kind, json_t **out, err_t **err);

#endif
