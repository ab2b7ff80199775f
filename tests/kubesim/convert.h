/* Between the versions of the few kinds that are served in more than one. */
#ifndef CARGOCD_KUBESIM_CONVERT_H
#define CARGOCD_KUBESIM_CONVERT_H

#include "common/json/json.h"

/* HorizontalPodAutoscaler: targetCPUUtilizationPercentage and the metric "cpu"; what v1 has no field for is
 * kept in its annotations, as kube-apiserver does. */
void hpa_v1_to_v2(json_t *o);
void hpa_v2_to_v1(json_t *o);
/* Event of the core group and of events.k8s.io/v1: other names for the same fields. */
void event_v1_to_core(json_t *o);
void event_core_to_v1(json_t *o);

#endif
