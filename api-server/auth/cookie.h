/* The session cookie, split into chunks where a browser's limit asks for it, in Argo CD's format: one chunk
 * is "argocd.token=<jwt>"; several are "argocd.token=<n>:<chunk>", "argocd.token-1=<chunk>", … */
#ifndef CARGOCD_API_AUTH_COOKIE_H
#define CARGOCD_API_AUTH_COOKIE_H

#include "common/base/err.h"
#include "common/base/str.h"

#define SESSION_COOKIE "argocd.token"

/* Values of Set-Cookie headers (NULL-terminated). attributes: "path=/; SameSite=lax; httpOnly". */
int cookie_split(const char *value, const char *attributes, size_t max_cookies, char ***out, err_t **err);
/* The value from a Cookie header, joined; NULL when there is none or chunks are missing. The caller's. */
char *cookie_join(const char *header, const char *name) MUST_USE;
/* Set-Cookie values that delete every chunk the header has. */
char **cookie_clear(const char *header, const char *attributes) MUST_USE;
/* base: the base path of the UI. */
char *cookie_attributes(const char *base, bool secure) MUST_USE;

#endif
