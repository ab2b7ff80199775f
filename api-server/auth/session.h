/* Sessions: who a request comes from. One verifier for every token, whatever carried it.
 *
 * Tokens of ours are for accounts (login sessions, API keys) and for project roles. What they say is checked
 * against the current settings each time: an account that was disabled, a password that was changed, a token
 * that was deleted or revoked end it at once. */
#ifndef CARGOCD_API_AUTH_SESSION_H
#define CARGOCD_API_AUTH_SESSION_H

#include "api-server/auth/config.h"
#include "api-server/http/exchange.h"

typedef struct auth auth_t;

/* A verified caller; immutable, reference-counted. */
typedef struct identity {
    _Atomic unsigned refs;
    bool authenticated; /* false: anonymous access, or authentication is disabled */
    bool all_powers;    /* --disable-auth */
    char *subject;      /* the account's bare name, "proj:P:R", or "" */
    char *issuer;
    char **groups; /* NULL-terminated */
    char *jti;
    int64_t iat, exp; /* seconds; 0: unknown, never */
    char *token;      /* as presented; for checking again */
} identity_t;
identity_t *identity_ref(identity_t *i);
void identity_unref(identity_t *i);
AUTO_DECL(identity_unref_p, identity_t, identity_unref)

struct auth_options {
    config_box_t *config;
    bool disabled;             /* --disable-auth */
    unsigned max_failures;     /* ARGOCD_SESSION_FAILURE_MAX_FAIL_COUNT; 0: 5 */
    int64_t failure_window_ns; /* negative: 300 s; 0: for ever */
    size_t max_names;          /* 0: 10,000 */
    size_t max_logins;         /* at once; 0: 50 */
    /* Whether the project's role lists the token (by id, else by iat). */
    bool (*project_token)(void *ctx, const char *project, const char *role, const char *id, int64_t iat);
    /* Makes a revocation durable; may be NULL. */
    void (*persist_revocation)(void *ctx, const char *jti, int64_t exp);
    void *ctx;
};
auth_t *auth_new(const struct auth_options *options) MUST_USE;
void auth_free(auth_t *a);

/* The token of a request, by Argo CD's order: header "token", a bearer token that is a JWT, the session
 * cookie. The caller's; NULL when there is none. */
char *auth_token(const struct web_request *r) MUST_USE;
/* ERR_UNAUTHENTICATED, with Argo CD's text. *renewed (may be NULL): a fresh token when this one is about to
 * end. */
int auth_verify(auth_t *a, const char *token, identity_t **out, char **renewed, err_t **err);
/* auth_token and auth_verify, with anonymous and disabled authentication. */
int auth_request(auth_t *a, const struct web_request *r, identity_t **out, char **renewed, err_t **err);
/* Nobody: for methods that need no session. */
int auth_anonymous(identity_t **out);
/* Whether the signature is ours: what a body may cost before the handler looks closer. */
bool auth_plausible(auth_t *a, const struct web_request *r);
/* Verifies a password and makes a session token. Takes as long as bcrypt does; a failure sets *delay_ns: how
 * long the answer is to be held back. */
int auth_login(auth_t *a, const char *username, const char *password, char **token, int64_t *delay_ns,
               err_t **err);
/* exp 0: as long as a session may last. */
void auth_revoke(auth_t *a, const char *jti, int64_t exp);
/* jti -> expiry (seconds): what all replicas have revoked, as read from where it is kept. */
void auth_set_revoked(auth_t *a, const json_t *revoked);
/* A token for an account or a project role. lifetime_ns 0: never ends. */
int auth_make_token(auth_t *a, const char *subject, const char *id, int64_t lifetime_ns, char **out,
                    err_t **err);

/* Failed and successful logins so far. */
void auth_stats(auth_t *a, uint64_t *failed, uint64_t *succeeded);

#endif
