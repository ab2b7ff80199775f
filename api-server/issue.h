/* The authority between the daemons: issues and renews their certificates, and the keys that seal what they
 * share through Redis, into Secrets that the daemons mount (architecture: "Authenticated hops"). */
#ifndef CARGOCD_API_ISSUE_H
#define CARGOCD_API_ISSUE_H

#include "common/kube/kube.h"

/* Makes or renews whatever is due; to be called at the start and now and then. A Secret that somebody else
 * made is left alone. */
int issue_all(kube_t *kube, const char *ns, err_t **err);
/* Puts a random password under "auth" of a Secret, unless there is one: Argo CD's place for that of Redis. */
int issue_redis_password(kube_t *kube, const char *ns, const char *secret, err_t **err);
/* Writes our own certificate (tls.crt, tls.key, ca.crt) and the seal keys we read with into a directory,
 * replacing files whose content changed. */
int issue_write_own(kube_t *kube, const char *ns, const char *directory, err_t **err);

#endif
