/* What the controllers of pods share. */
#ifndef CARGOCD_KUBESIM_PODS_H
#define CARGOCD_KUBESIM_PODS_H

#include "tests/kubesim/ctl.h"

bool pod_is_deleting(const json_t *pod);
/* Neither deleted nor ended. */
bool pod_is_active(const json_t *pod);
bool pod_is_ready(const json_t *pod);
/* Ready for so long; *again is when to look again, or 0. */
bool pod_is_available(const json_t *pod, int64_t min_ready_seconds, int64_t *again_ns);
/* "Running", "" ... */
const char *pod_phase(const json_t *pod);

/* A pod by an owner's template; exactly one of name and generate_name. */
json_t *pod_of_template(const json_t *template, const char *api_version, const char *kind,
                        const json_t *owner, const char *name, const char *generate_name) MUST_USE;
/* A short text that tells templates apart, in the alphabet of Kubernetes' generated names. */
char *template_hash(const json_t *template) MUST_USE;
/* "25%" or 3 of n. */
int64_t percent_of(const json_t *v, int64_t n, bool round_up, int64_t fallback);

/* The name of the ControllerRevision of the template, made if there is none; the caller's. */
char *revision_of(struct sim *s, const char *kind, const json_t *owner, const json_t *template) MUST_USE;

#endif
