#include "api-server/auth/session.h"

#include "api-server/auth/cookie.h"
#include "api-server/auth/jwt.h"
#include "api-server/auth/password.h"
#include "api-server/auth/throttle.h"
#include "common/base/map.h"
#include "common/base/rand.h"
#include "common/base/thread.h"

#include <strings.h>

#define ISSUER "argocd"

enum { MAX_USERNAME = 32, RENEW_BEFORE = 5 * 60, MAX_REVOKED = 100000 };

struct auth {
    struct auth_options options;
    throttle_t *throttle;
    _Atomic size_t logins;
    _Atomic uint64_t failed, succeeded;
    lock_t lock;   /* of revoked */
    map_t revoked; /* jti -> (void *)(intptr_t)exp */
};

auth_t *auth_new(const struct auth_options *options)
{
    auth_t *a = xcalloc(1, sizeof *a);
    a->options = *options;
    if (!a->options.max_logins)
        a->options.max_logins = 50;
    a->throttle = throttle_new(options->max_failures ? options->max_failures : 5,
                               options->failure_window_ns < 0 ? SECONDS(300) : options->failure_window_ns,
                               options->max_names ? options->max_names : 10000);
    pthread_mutex_init(&a->lock, NULL);
    return a;
}

void auth_free(auth_t *a)
{
    if (!a)
        return;
    throttle_free(a->throttle);
    map_dispose(&a->revoked);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

void auth_stats(auth_t *a, uint64_t *failed, uint64_t *succeeded)
{
    *failed = a->failed;
    *succeeded = a->succeeded;
}

/* ---- identities ---- */

static identity_t *identity_new(const char *subject)
{
    identity_t *i = xcalloc(1, sizeof *i);
    i->refs = 1;
    i->subject = xstrdup(subject);
    i->groups = xcalloc(1, sizeof *i->groups);
    return i;
}

identity_t *identity_ref(identity_t *i)
{
    i->refs++;
    return i;
}

void identity_unref(identity_t *i)
{
    if (!i || --i->refs)
        return;
    free(i->subject);
    free(i->issuer);
    strv_free(i->groups);
    free(i->jti);
    if (i->token)
        wipe(i->token, strlen(i->token));
    free(i->token);
    free(i);
}

/* Groups may be a list or one text. */
static char **groups_of(const json_t *claims, char *const *scopes)
{
    VEC(char *) groups = {};
    for (; *scopes; scopes++) {
        const json_t *v = json_object_get(claims, *scopes);
        size_t i;
        json_t *g;
        if (json_is_string(v))
            VEC_PUSH(&groups, xstrdup(json_string_value(v)));
        json_array_foreach((json_t *)v, i, g)
            if (json_is_string(g))
                VEC_PUSH(&groups, xstrdup(json_string_value(g)));
    }
    VEC_PUSH(&groups, NULL);
    return groups.v;
}

/* ---- revocation ---- */

static void drop_expired(auth_t *a, int64_t now)
{
    MAP_FOREACH(&a->revoked, e)
        if ((intptr_t)e->value && (intptr_t)e->value < now)
            map_del(&a->revoked, e->key);
}

static bool is_revoked(auth_t *a, const char *jti)
{
    LOCKED(&a->lock);
    return map_has(&a->revoked, jti);
}

static void remember_revoked(auth_t *a, const char *jti, int64_t exp)
{
    LOCKED(&a->lock);
    if (a->revoked.n >= MAX_REVOKED)
        drop_expired(a, wall_now().ns / NS_PER_SEC);
    map_put(&a->revoked, jti, (void *)(intptr_t)exp);
}

void auth_revoke(auth_t *a, const char *jti, int64_t exp)
{
    if (str_empty(jti))
        return;
    remember_revoked(a, jti, exp);
    if (a->options.persist_revocation)
        a->options.persist_revocation(a->options.ctx, jti, exp);
}

void auth_set_revoked(auth_t *a, const json_t *revoked)
{
    const char *jti;
    json_t *exp;
    json_object_foreach((json_t *)revoked, jti, exp)
        remember_revoked(a, jti, json_integer_value(exp));
}

/* ---- verification ---- */

static int check_project_token(auth_t *a, const struct jwt *j, err_t **err)
{
    const char *rest = str_after(j->sub, "proj:"), *colon = strchr(rest, ':');
    if (!colon || !colon[1] || strchr(colon + 1, ':'))
        return err_set(err, ERR_UNAUTHENTICATED, "token subject %s is no project role", j->sub);
    AUTO(free_p) char *project = xstrndup(rest, (size_t)(colon - rest));
    if (a->options.project_token &&
        a->options.project_token(a->options.ctx, project, colon + 1, j->jti, j->iat))
        return 0;
    return err_set(err, ERR_UNAUTHENTICATED, "token does not exist in project %s", project);
}

static const struct account_token *find_token(const struct account *a, const char *id)
{
    VEC_FOREACH(&a->tokens, it)
        if (!strcmp(it->id, id))
            return it;
    return NULL;
}

/* "<user>:login", "<user>:apiKey", or, from old servers, a bare "<user>" that is an API key. */
static void split_subject(const char *sub, char **user, bool *login)
{
    const char *colon = strrchr(sub, ':');
    *login = colon && !strcmp(colon + 1, "login");
    *user = xstrndup(sub, colon ? (size_t)(colon - sub) : strlen(sub));
}

static int check_account(auth_t *a, const config_t *s, const struct jwt *j, char **user, bool *login,
                         err_t **err)
{
    split_subject(j->sub, user, login);
    const struct account *account = config_account(s, *user);
    if (!account)
        return err_set(err, ERR_UNAUTHENTICATED, "account '%s' does not exist", *user);
    if (!account->enabled)
        return err_set(err, ERR_UNAUTHENTICATED, "account %s is disabled", *user);
    if (*login ? !account->login : !account->api_key)
        return err_set(err, ERR_UNAUTHENTICATED, "account %s does not have '%s' capability", *user,
                       *login ? "login" : "apiKey");
    if (!*j->jti)
        return err_set(err, ERR_UNAUTHENTICATED, "token does not have jti claim");
    if (is_revoked(a, j->jti))
        return err_set(err, ERR_UNAUTHENTICATED, "token is revoked, please re-login");
    if (!*login && !find_token(account, j->jti))
        return err_set(err, ERR_UNAUTHENTICATED, "account %s does not have token with id %s", *user, j->jti);
    if (j->iat < account->password_mtime)
        return err_set(err, ERR_UNAUTHENTICATED, "account password has changed since token issued");
    return 0;
}

static void renew(auth_t *a, const struct jwt *j, const char *user, wall_t now, char **renewed)
{
    char id[UUID_TEXT];
    int64_t left = j->exp - now.ns / NS_PER_SEC;
    if (!renewed || !j->exp || left >= RENEW_BEFORE || j->exp <= j->iat)
        return;
    AUTO(free_p) char *subject = xasprintf("%s:login", user);
    random_uuid(id);
    if (auth_make_token(a, subject, id, SECONDS(j->exp - j->iat), renewed, NULL) < 0)
        *renewed = NULL;
}

int auth_verify(auth_t *a, const char *token, identity_t **out, char **renewed, err_t **err)
{
    struct jwt j;
    AUTO(config_unref_p) config_t *s = config_box_get(a->options.config);
    AUTO(free_p) char *user = NULL;
    const char *key = config_signing_key(s);
    wall_t now = wall_now();
    bool login = false;
    int rc = jwt_parse(token, &j, err);
    if (rc < 0)
        return err_wrap(err, "invalid session");
    if (strcmp(j.iss, ISSUER) != 0)
        rc = err_set(err, ERR_UNAUTHENTICATED, "failed to verify the token");
    else
        rc = jwt_check(token, &j, str_or_empty(key), key ? strlen(key) : 0, now, err);
    if (rc == 0 && str_has_prefix(j.sub, "proj:")) {
        rc = check_project_token(a, &j, err);
        user = xstrdup(j.sub);
    } else if (rc == 0)
        rc = check_account(a, s, &j, &user, &login, err);
    if (rc == 0) {
        identity_t *i = *out = identity_new(user);
        i->authenticated = true;
        i->issuer = xstrdup(j.iss);
        strv_free(i->groups);
        i->groups = groups_of(j.claims, config_group_scopes(s));
        i->jti = xstrdup(j.jti);
        i->iat = j.iat;
        i->exp = j.exp;
        i->token = xstrdup(token);
        if (login)
            renew(a, &j, user, now, renewed);
    } else
        rc = err_wrap(err, "invalid session");
    jwt_dispose(&j);
    return rc;
}

char *auth_token(const struct web_request *r)
{
    const char *token = headers_get(&r->headers, "token");
    if (str_empty(token))
        token = headers_get(&r->headers, "grpc-metadata-token");
    if (!str_empty(token))
        return xstrdup(token);
    const char *bearer = headers_get(&r->headers, "authorization");
    if (bearer && !strncasecmp(bearer, "Bearer ", 7) && jwt_shaped(bearer + 7))
        return xstrdup(bearer + 7);
    char *cookie = cookie_join(headers_get(&r->headers, "cookie"), SESSION_COOKIE);
    if (str_empty(cookie)) {
        free(cookie);
        return NULL;
    }
    return cookie;
}

bool auth_plausible(auth_t *a, const struct web_request *r)
{
    struct jwt j;
    AUTO(free_p) char *token = auth_token(r);
    if (a->options.disabled)
        return true;
    if (!token || jwt_parse(token, &j, NULL) < 0)
        return false;
    AUTO(config_unref_p) config_t *s = config_box_get(a->options.config);
    const char *key = config_signing_key(s);
    bool ok = key && jwt_check(token, &j, key, strlen(key), wall_now(), NULL) == 0;
    jwt_dispose(&j);
    return ok;
}

int auth_request(auth_t *a, const struct web_request *r, identity_t **out, char **renewed, err_t **err)
{
    AUTO_ERR why = NULL;
    if (a->options.disabled) {
        *out = identity_new("");
        (*out)->all_powers = true;
        return 0;
    }
    AUTO(free_p) char *token = auth_token(r);
    int rc = token ? auth_verify(a, token, out, renewed, &why)
                   : err_set(&why, ERR_UNAUTHENTICATED, "no session information");
    if (rc == 0)
        return 0;
    AUTO(config_unref_p) config_t *s = config_box_get(a->options.config);
    if (config_anonymous(s)) {
        *out = identity_new("");
        return 0;
    }
    return err_move(err, TAKE(why));
}

int auth_anonymous(identity_t **out)
{
    *out = identity_new("");
    return 0;
}

/* ---- login ---- */

static int wrong(auth_t *a, const char *user, bool is_account, err_t **err)
{
    throttle_failed(a->throttle, user, is_account, mono_now());
    return err_set(err, ERR_UNAUTHENTICATED, "Invalid username or password");
}

static int check_password(auth_t *a, const config_t *s, const char *user, const char *password, err_t **err)
{
    if (strlen(user) > MAX_USERNAME)
        return err_set(err, ERR_INVALID_ARGUMENT, "Username is too long (%d bytes max)", MAX_USERNAME);
    const struct account *account = config_account(s, user);
    if (throttle_locked(a->throttle, user, mono_now())) {
        password_waste(password);
        return err_set(err, ERR_UNAUTHENTICATED, "Invalid username or password");
    }
    if (!account) {
        password_waste(password);
        return wrong(a, user, false, err);
    }
    if (!password_verify(password, account->password_hash))
        return wrong(a, user, true, err);
    if (!account->enabled)
        return err_set(err, ERR_UNAUTHENTICATED, "Account %s is disabled", user);
    if (!account->login)
        return err_set(err, ERR_UNAUTHENTICATED, "Account %s does not have login capability", user);
    throttle_succeeded(a->throttle, user);
    return 0;
}

int auth_login(auth_t *a, const char *username, const char *password, char **token, int64_t *delay_ns,
               err_t **err)
{
    char id[UUID_TEXT];
    *delay_ns = 0;
    if (str_empty(username) || str_empty(password))
        return err_set(err, ERR_UNAUTHENTICATED, "no credentials supplied");
    AUTO(config_unref_p) config_t *s = config_box_get(a->options.config);
    if (++a->logins > a->options.max_logins) {
        a->logins--;
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "too many logins at once");
    }
    int rc = check_password(a, s, username, password, err);
    a->logins--;
    if (rc < 0) {
        a->failed++;
        *delay_ns = MILLIS(500) + (int64_t)random_below((uint64_t)MILLIS(500));
        return rc;
    }
    a->succeeded++;
    AUTO(free_p) char *subject = xasprintf("%s:login", username);
    random_uuid(id);
    return auth_make_token(a, subject, id, config_session_ns(s), token, err);
}

int auth_make_token(auth_t *a, const char *subject, const char *id, int64_t lifetime_ns, char **out,
                    err_t **err)
{
    AUTO(config_unref_p) config_t *s = config_box_get(a->options.config);
    const char *key = config_signing_key(s);
    int64_t now = wall_now().ns / NS_PER_SEC;
    if (!key)
        return err_set(err, ERR_UNAVAILABLE, "server.secretkey is missing");
    AUTO_JSON claims = json_object();
    json_set_str(claims, "iss", ISSUER);
    json_set_str(claims, "sub", subject);
    json_set_str(claims, "jti", id);
    json_object_set_new(claims, "iat", json_integer(now));
    json_object_set_new(claims, "nbf", json_integer(now));
    if (lifetime_ns)
        json_object_set_new(claims, "exp", json_integer(now + lifetime_ns / NS_PER_SEC));
    *out = jwt_sign(claims, key, strlen(key));
    return 0;
}
