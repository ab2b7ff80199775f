/* Kubernetes' Status objects: what a request is answered when it fails
 * (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/). All are new references;
 * texts are kube-apiserver's. */
#ifndef CARGOCD_KUBESIM_STATUS_H
#define CARGOCD_KUBESIM_STATUS_H

#include "tests/kubesim/registry.h"

json_t *status_failure(int code, const char *reason, const char *fmt, ...) PRINTF(3, 4) MUST_USE;
/* With details {name, group, kind: plural}. r NULL: none. */
json_t *status_about(const struct resource *r, const char *name, int code, const char *reason,
                     const char *fmt, ...) PRINTF(5, 6) MUST_USE;
json_t *status_not_found(const struct resource *r, const char *name) MUST_USE;
json_t *status_exists(const struct resource *r, const char *name) MUST_USE;
json_t *status_conflict(const struct resource *r, const char *name) MUST_USE;
json_t *status_bad_request(const char *fmt, ...) PRINTF(1, 2) MUST_USE;
json_t *status_unknown_path(void) MUST_USE;
json_t *status_method(void) MUST_USE;
json_t *status_media_type(void) MUST_USE;
/* The answer to a DELETE that removed the object. */
json_t *status_deleted(const struct resource *r, const json_t *object) MUST_USE;
int status_code(const json_t *status);

/* What is wrong with an object, collected; causes is an array or NULL. */
enum problem { P_REQUIRED, P_INVALID, P_FORBIDDEN, P_UNSUPPORTED, P_DUPLICATE, P_NOT_FOUND, P_TYPE };
/* The text behind "Required value: ", "Invalid value: " and so on; "" for none. */
void problem_add(json_t **causes, enum problem what, const char *field, const char *fmt, ...) PRINTF(4, 5);
/* Invalid (422) over the causes (taken). kind: "Deployment"; group as for details. */
json_t *status_invalid(const char *group, const char *kind, const char *name, json_t *causes_take) MUST_USE;

/* A value as Go's %q would print it, for messages. */
char *quoted(const char *text) MUST_USE;

#endif
