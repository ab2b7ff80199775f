/* Password hashes: bcrypt, as Argo CD stores them. Slow by design: for a pool of its own. */
#ifndef CARGOCD_API_AUTH_PASSWORD_H
#define CARGOCD_API_AUTH_PASSWORD_H

#include "common/base/err.h"

/* $2a$, $2b$ and $2y$. An empty or malformed hash verifies nothing, after the same work. */
bool password_verify(const char *password, const char *hash);
/* The same work for nothing, for names that do not exist. */
void password_waste(const char *password);
/* $2a$ with cost 10. */
int password_hash(const char *password, char **out, err_t **err);

#endif
