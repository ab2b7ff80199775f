#include "api-server/auth/jwt.h"

#include "common/base/enc.h"
#include "common/base/hash.h"

#include <math.h>
#include <openssl/hmac.h>

static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";

static bool is_base64url(view_t v)
{
    for (size_t i = 0; i < v.n; i++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", v.p[i]))
            return false;
    return v.n > 0;
}

/* The three parts; false when there are not three of the right alphabet. */
static bool split(const char *token, view_t parts[3])
{
    size_t n = strnlen(token, JWT_MAX + 1);
    view_t rest = {token, n}, part;
    size_t i = 0;
    if (n > JWT_MAX)
        return false;
    while (view_split(&rest, '.', &part)) {
        if (i == 3 || !is_base64url(part))
            return false;
        parts[i++] = part;
    }
    return i == 3;
}

bool jwt_shaped(const char *text)
{
    view_t parts[3];
    return split(text, parts);
}

static int read_part(view_t part, json_t **out, err_t **err)
{
    AUTO_STR text = STR_INIT;
    if (!base64_decode(part.p, part.n, &text))
        return err_set(err, ERR_UNAUTHENTICATED, "token is malformed");
    int rc = json_read(str_text(&text), text.len, out, err);
    if (rc == 0 && !json_is_map(*out))
        rc = err_set(err, ERR_UNAUTHENTICATED, "token is malformed");
    return rc < 0 ? err_recode(err, ERR_UNAUTHENTICATED) : 0;
}

/* Dates may be written with a fraction (RFC 7519 §2). */
static int date(const json_t *claims, const char *name, int64_t *out, err_t **err)
{
    const json_t *v = json_object_get(claims, name);
    double d;
    *out = 0;
    if (!v || json_is_null(v))
        return 0;
    if (!json_to_double(v, &d) || !(fabs(d) < 1e15))
        return err_set(err, ERR_UNAUTHENTICATED, "token is malformed: %s is no date", name);
    *out = (int64_t)floor(d);
    return 0;
}

int jwt_parse(const char *token, struct jwt *out, err_t **err)
{
    view_t parts[3];
    AUTO_JSON head = NULL;
    *out = (struct jwt){};
    if (!split(token, parts))
        return err_set(err, ERR_UNAUTHENTICATED,
                       "token is malformed: token contains an invalid number of segments");
    int rc = read_part(parts[0], &head, err);
    if (rc == 0)
        rc = read_part(parts[1], &out->claims, err);
    if (rc == 0)
        rc = date(out->claims, "iat", &out->iat, err);
    if (rc == 0)
        rc = date(out->claims, "nbf", &out->nbf, err);
    if (rc == 0)
        rc = date(out->claims, "exp", &out->exp, err);
    if (rc < 0) {
        jwt_dispose(out);
        return rc;
    }
    out->alg = xstrdup(str_or_empty(json_str_at(head, "alg")));
    out->iss = str_or_empty(json_str_at(out->claims, "iss"));
    out->sub = str_or_empty(json_str_at(out->claims, "sub"));
    out->jti = str_or_empty(json_str_at(out->claims, "jti"));
    return 0;
}

void jwt_dispose(struct jwt *j)
{
    json_decref(j->claims);
    free(j->alg);
    *j = (struct jwt){};
}

static void hs256(const char *p, size_t n, const char *key, size_t key_size, unsigned char mac[SHA256_SIZE])
{
    unsigned len = SHA256_SIZE;
    if (!HMAC(EVP_sha256(), key, (int)key_size, (const unsigned char *)p, n, mac, &len))
        oom();
}

int jwt_check(const char *token, const struct jwt *jwt, const char *key, size_t key_size, wall_t now,
              err_t **err)
{
    view_t parts[3];
    unsigned char mac[SHA256_SIZE];
    AUTO_STR given = STR_INIT;
    if (strcmp(jwt->alg, "HS256") != 0)
        return err_set(err, ERR_UNAUTHENTICATED, "token is unverifiable: unexpected signing method: %.20s",
                       jwt->alg);
    if (!key_size || !split(token, parts) || !base64_decode(parts[2].p, parts[2].n, &given))
        return err_set(err, ERR_UNAUTHENTICATED, "token is malformed");
    hs256(token, (size_t)(parts[1].p + parts[1].n - token), key, key_size, mac);
    if (given.len != sizeof mac || !equal_constant_time(given.p, mac, sizeof mac))
        return err_set(err, ERR_UNAUTHENTICATED, "token signature is invalid: signature is invalid");
    int64_t seconds = now.ns / NS_PER_SEC;
    if (json_object_get(jwt->claims, "exp") && seconds >= jwt->exp)
        return err_set(err, ERR_UNAUTHENTICATED, "token has invalid claims: token is expired");
    if (jwt->nbf > seconds)
        return err_set(err, ERR_UNAUTHENTICATED, "token has invalid claims: token is not valid yet");
    return 0;
}

char *jwt_sign(const json_t *claims, const char *key, size_t key_size)
{
    AUTO_STR token = STR_INIT;
    AUTO(free_p) char *text = json_text(claims, JSON_GO);
    unsigned char mac[SHA256_SIZE];
    base64url_encode(header, sizeof header - 1, &token);
    str_putc(&token, '.');
    base64url_encode(text, strlen(text), &token);
    hs256(token.p, token.len, key, key_size, mac);
    str_putc(&token, '.');
    base64url_encode(mac, sizeof mac, &token);
    return str_take(&token);
}
