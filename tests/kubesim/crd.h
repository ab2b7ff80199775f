/* CustomResourceDefinitions: their own rules, and serving what they define. */
#ifndef CARGOCD_KUBESIM_CRD_H
#define CARGOCD_KUBESIM_CRD_H

#include "tests/kubesim/strategy.h"

void crd_prepare(struct admission *a);
void crd_validate(struct admission *a);
/* Kubernetes' order of versions: v2 before v1 before v2beta1 before v1alpha1, others behind by text. */
int version_cmp(const char *a, const char *b);

#endif
