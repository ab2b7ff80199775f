/* What argocd-cm, argocd-rbac-cm and argocd-secret say, as one immutable snapshot, and where the current one
 * is found. A change of any of them makes a new snapshot; who works keeps the one it took. A malformed part
 * keeps what the previous snapshot had, and is told as a warning. */
#ifndef CARGOCD_API_AUTH_CONFIG_H
#define CARGOCD_API_AUTH_CONFIG_H

#include "common/argo/rbac.h"
#include "common/base/clock.h"
#include "common/base/vec.h"
#include "common/json/json.h"

typedef struct config config_t;

struct account_token {
    char *id;
    int64_t iat, exp; /* seconds; exp 0: never */
};
struct account {
    char *name;
    bool enabled, login, api_key; /* capabilities */
    char *password_hash;          /* "" when none is set */
    int64_t password_mtime;       /* seconds; 0 when unknown */
    VEC(struct account_token) tokens;
};

struct config_source {
    const json_t *cm, *rbac_cm, *secret; /* the objects; NULL when they do not exist */
    const json_t *secrets;               /* name -> Secret: others that $name:key may refer to; may be NULL */
};
/* previous may be NULL. Warnings are lines of text. */
config_t *config_new(const struct config_source *source, const config_t *previous, str_t *warnings) MUST_USE;
config_t *config_ref(config_t *s);
void config_unref(config_t *s);

/* A key of argocd-cm; NULL when absent. */
const char *config_get(const config_t *s, const char *key);
/* The same with a fallback for absent and empty ones, and as a boolean (malformed: the fallback). */
const char *config_text(const config_t *s, const char *key, const char *fallback);
bool config_bool(const config_t *s, const char *key, bool fallback);
/* argocd-cm as a map of texts, borrowed. */
const json_t *config_all(const config_t *s);
/* A key of argocd-secret, decoded; NULL when absent. */
const char *config_secret(const config_t *s, const char *key, size_t *n);
/* value with "$key" and "$secret:key" references resolved; what does not resolve stays as it is. The
 * caller's. */
char *config_resolve(const config_t *s, const char *value) MUST_USE;
const struct account *config_account(const config_t *s, const char *name);
/* By name. */
const struct account *config_accounts(const config_t *s, size_t *n);
rbac_t *config_rbac(const config_t *s); /* borrowed */
/* Claims that hold groups: "groups" by default. NULL-terminated, borrowed. */
char *const *config_group_scopes(const config_t *s);
/* The HMAC key: the text of server.secretkey; NULL until there is one. */
const char *config_signing_key(const config_t *s);
int64_t config_session_ns(const config_t *s);
bool config_anonymous(const config_t *s);
/* Entries of a YAML list of texts ("additionalUrls"); NULL-terminated, the caller's. */
char **config_list(const config_t *s, const char *key) MUST_USE;
/* Changes exactly when what RBAC depends on does. */
uint64_t config_policy_hash(const config_t *s);

/* ---- the current one ---- */

typedef struct config_box config_box_t;
config_box_t *config_box_new(void) MUST_USE;
void config_box_free(config_box_t *b);
/* Takes the snapshot. */
void config_box_put(config_box_t *b, config_t *s_take);
/* A reference; an empty snapshot before the first put. */
config_t *config_box_get(config_box_t *b) MUST_USE;

AUTO_DECL(config_unref_p, config_t, config_unref)

#endif
