/* Credentials for config management plugins that ask for them (provideGitCreds), as Argo CD gives them: git
 * in the plugin's sidecar runs a helper, which presents a nonce on a socket of ours and is told user and
 * password. A nonce is good while the rendering lasts, and for its credential only. */
#ifndef CARGOCD_REPO_PLUGIN_ASKPASS_H
#define CARGOCD_REPO_PLUGIN_ASKPASS_H

#include "common/base/err.h"

/* ARGOCD_ASK_PASS_SOCK's default. */
#define ASKPASS_SOCKET "/tmp/reposerver-ask-pass.sock"

typedef struct askpass askpass_t;
/* The socket is made when the first credential is added. Thread-safe. */
askpass_t *askpass_new(const char *socket_path) MUST_USE;
void askpass_free(askpass_t *a);

const char *askpass_socket(const askpass_t *a);
/* *nonce is the caller's, and goes back to askpass_remove. */
int askpass_add(askpass_t *a, const char *username, const char *password, char **nonce, err_t **err);
/* Frees the nonce; NULL is fine. */
void askpass_remove(askpass_t *a, char *nonce);

#endif
