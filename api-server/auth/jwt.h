/* JSON Web Tokens (RFC 7519) signed with HS256, the only algorithm that is ever accepted for our own: the
 * header of a token is compared with it, not obeyed. */
#ifndef CARGOCD_API_AUTH_JWT_H
#define CARGOCD_API_AUTH_JWT_H

#include "common/base/clock.h"
#include "common/json/json.h"

enum { JWT_MAX = 96 << 10 };

struct jwt {
    json_t *claims; /* an object */
    char *alg;
    const char *iss, *sub, *jti; /* borrowed from claims; "" when absent */
    int64_t iat, nbf, exp;       /* seconds; 0 when absent */
};
/* Reads without trusting: only what jwt_check accepted counts. */
int jwt_parse(const char *token, struct jwt *out, err_t **err);
/* Signature, exp and nbf. key: bytes of the HMAC key. */
int jwt_check(const char *token, const struct jwt *jwt, const char *key, size_t key_size, wall_t now,
              err_t **err);
void jwt_dispose(struct jwt *j);
/* Whether text looks like one: three parts of base64url. */
bool jwt_shaped(const char *text);

char *jwt_sign(const json_t *claims, const char *key, size_t key_size) MUST_USE;

#endif
