/* Who we are at an API server: credentials that may change while we run. Thread-safe. */
#ifndef CARGOCD_KUBE_AUTH_H
#define CARGOCD_KUBE_AUTH_H

#include "common/base/clock.h"
#include "common/kube/kube.h"
#include "common/net/http.h"

/* ---- exec plugins ---- */

struct kube_credential {
    char *token;
    char *cert_pem, *key_pem;
    bool expires;
    wall_t expiry;
};
void kube_credential_dispose(struct kube_credential *c);
/* Runs the plugin of the configuration; blocks for up to a minute, or until *canceled. *how: its end.
 * https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins */
int kube_exec_run(const struct kube_config *c, atomic_bool *canceled, struct kube_credential *out,
                  struct kube_plugin_run *how, err_t **err);
/* Reads what a plugin printed. */
int kube_exec_read(const char *text, size_t n, const char *api_version, struct kube_credential *out,
                   err_t **err);

/* ---- the credential at hand ---- */

typedef struct kube_auth kube_auth_t;
int kube_auth_new(const struct kube_config *config, kube_auth_t **out, err_t **err);
void kube_auth_free(kube_auth_t *a);
/* Before the first use: who is told of each run of the plugin. fn may be NULL. */
void kube_auth_observe(kube_auth_t *a, void (*fn)(void *arg, const struct kube_plugin_run *run), void *arg);
/* Ends a plugin that runs; later calls fail. */
void kube_auth_cancel(kube_auth_t *a);

struct kube_identity {
    http_endpoint_t *endpoint;
    char *authorization; /* a header line; NULL: the endpoint has all that is needed */
    uint64_t generation; /* changes with the credential */
};
void kube_identity_dispose(struct kube_identity *i);
/* May run a plugin and block. */
int kube_auth_get(kube_auth_t *a, struct kube_identity *out, err_t **err);
/* Whether kube_auth_get would answer at once. */
bool kube_auth_ready(kube_auth_t *a);
/* The endpoint alone, without running anything; the caller's reference. */
http_endpoint_t *kube_auth_endpoint(kube_auth_t *a);
/* The server answered 401 to the identity of that generation. True when there will be a fresh one. */
bool kube_auth_rejected(kube_auth_t *a, uint64_t generation);

#endif
