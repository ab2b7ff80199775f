/* What the three clouds' ways to a token have in common: environment, small requests, files, signed JWTs. */
#ifndef CARGOCD_K8S_AUTH_FETCH_H
#define CARGOCD_K8S_AUTH_FETCH_H

#include "common/json/json.h"
#include "common/net/http.h"

/* A result; the text is the caller's. */
struct token {
    char *text;
    bool expires;
    wall_t expiry;
};

struct fetch {
    const char *method, *url;
    const char *const *headers; /* "Name: value", NULL-terminated; NULL: none */
    const char *body;           /* NULL: none */
    bool direct;                /* never through a proxy: addresses of the machine's own surroundings */
    int64_t timeout_ns;         /* 0: 15 s */
};
/* The body of a response with a status of 2xx, at most 1 MiB; other statuses are errors with the beginning of
 * the body. */
int fetch_text(http_t *io, const struct fetch *f, str_t *out, err_t **err);
int fetch_json(http_t *io, const struct fetch *f, json_t **out, err_t **err);
/* {"access_token", "expires_in" or "expires_on"} into *out. */
int token_of_oauth(const json_t *answer, struct token *out, err_t **err);

/* An environment variable; NULL when it is not set or empty. Borrowed. */
const char *env_of(const char *name);
/* A file's text without blanks around it, at most 1 MiB. */
int read_text(const char *path, char **out, err_t **err);
/* "&name=value" with the value encoded; without "&" at the beginning of out. */
void form_add(str_t *out, const char *name, const char *value);
/* A JWT of these claims (taken), signed by RS256 with a PEM key; x5t (base64url) goes into the head; NULL:
 * none. */
int jwt_rs256(json_t *claims_take, const char *key_pem, const char *x5t, char **out, err_t **err);

#endif
