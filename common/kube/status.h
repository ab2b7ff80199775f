/* From an API server's answer to an error. */
#ifndef CARGOCD_KUBE_STATUS_H
#define CARGOCD_KUBE_STATUS_H

#include "common/kube/kube.h"

/* Makes the error of an answer whose status is no success. `what` names the request where the body does not
 * tell what went wrong: "GET https://host/path". failure may be NULL. */
int kube_status_error(int http_status, const str_t *headers, const char *body, size_t n, const char *what,
                      struct kube_failure *failure, err_t **err);
/* The code for a Status: by its reason, else by the HTTP status. */
enum err_code kube_status_code(int http_status, const char *reason);
/* Retry-After in nanoseconds; 0 when there is none. */
int64_t kube_retry_after(const str_t *headers);
/* Appends the texts of Warning headers (RFC 7234 5.5), one a line. */
void kube_warnings(const str_t *headers, str_t *out);

#endif
