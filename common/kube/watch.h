/* What kube.c needs of watches. */
#ifndef CARGOCD_KUBE_WATCH_H
#define CARGOCD_KUBE_WATCH_H

#include "common/kube/kube.h"

/* kube_watch_stop for each that k still has. */
void kube_watch_stop_all(kube_t *k);

#endif
