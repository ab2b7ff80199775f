/* What a control plane needs before it can serve: keys, the admin's first password, the default project,
 * certificates. Everything is kept in Kubernetes; several replicas may do this at once. */
#ifndef CARGOCD_API_BOOTSTRAP_H
#define CARGOCD_API_BOOTSTRAP_H

#include "common/kube/kube.h"
#include "common/net/tls.h"

/* server.secretkey, admin.password (with argocd-initial-admin-secret), the project "default". */
int bootstrap(kube_t *kube, const char *ns, err_t **err);
/* The certificate of the public port: Secret argocd-server-tls, else argocd-secret, else a self-signed one
 * that is stored there. */
int bootstrap_certificate(kube_t *kube, const char *ns, struct tls_pair *out, err_t **err);
/* The names that the public port answers to within the cluster; NULL-terminated, the caller's. */
char **service_names(const char *service, const char *ns) MUST_USE;

/* Reads a Secret, lets `change` alter it, stores it; again when somebody else was first. change returns 0 to
 * store, 1 to leave it as it is. A Secret that does not exist is given to it empty, and created. */
typedef int (*secret_change_fn)(void *arg, json_t *secret, err_t **err);
int secret_change(kube_t *kube, const char *ns, const char *name, secret_change_fn change, void *arg,
                  err_t **err);
/* Keys of a Secret's data, decoded; the caller's. NULL when absent. */
char *secret_text(const json_t *secret, const char *key, size_t *n) MUST_USE;
void secret_put(json_t *secret, const char *key, const void *p, size_t n);

#endif
