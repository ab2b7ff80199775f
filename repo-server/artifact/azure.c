/* Azure's registries by workload identity (https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md): Azure
 * gives this workload a token for its resource manager, the registry gives a refresh token for that one, and
 * that is the password of a user without a name. Azure's token is kept (git/tokens.h); the registry is asked
 * anew in each conversation.
 *
 * A registry says itself where it exchanges. Azure's token opens more than one registry, so it goes to no
 * other server than the one that the repository's URL names. */
#include "common/base/enc.h"
#include "common/net/http_url.h"
#include "repo-server/artifact/registry.h"

#include <stdio.h>

#define ARM_RESOURCE "https://management.core.windows.net"

enum { ANSWER_MAX = 1 << 20 };

static int challenge_of(const remote_t *r, const struct remote_settings *s, atomic_bool *canceled, char **out,
                        err_t **err)
{
    AUTO(free_p) char *url = xasprintf("%s/v2/", r->base);
    struct remote_get get = {
        .url = url, .identity = REMOTE_CERT, .max = ANSWER_MAX, .fd = -1, .canceled = canceled};
    struct remote_answer a;
    int e = remote_get(r, s, &get, &a, err);
    if (e < 0)
        return e;
    char *challenge = http_header(&a.headers, "www-authenticate");
    bool bearer = a.status == 401 && challenge && strncasecmp(challenge, "bearer ", 7) == 0;
    remote_answer_dispose(&a);
    if (!bearer) {
        free(challenge);
        return err_set(err, ERR_UNAUTHENTICATED, "registry '%s' did not issue a challenge", r->shown);
    }
    *out = challenge;
    return 0;
}

/* The place of the exchange: the realm's server, which must be the registry. */
static int exchange_url(const remote_t *r, const char *challenge, char **out, err_t **err)
{
    AUTO(free_p) char *realm = challenge_parameter(challenge, "realm");
    AUTO(free_p) char *origin = NULL;
    struct http_url parsed;
    if (str_empty(realm))
        return err_set(err, ERR_UNAUTHENTICATED, "realm parameter not found in challenge");
    int e = http_url_parse(realm, &parsed, err);
    if (e < 0)
        return e;
    origin = http_url_origin(&parsed);
    http_url_dispose(&parsed);
    if (!str_eq(origin, r->origin))
        return err_set(err, ERR_UNAUTHENTICATED, "%s: its tokens are given out by another server", r->shown);
    *out = xasprintf("%s/oauth2/exchange", origin);
    return 0;
}

static int arm_token(const remote_t *r, const struct remote_settings *s, struct token *out, err_t **err)
{
    const char *resource = getenv("AZURE_ARM_TOKEN_RESOURCE");
    AUTO_STR scope = STR_INIT;
    AUTO(free_p) char *text = xasprintf("%s/.default", str_empty(resource) ? ARM_RESOURCE : resource);
    url_escape(text, false, &scope);
    struct token_source source = {.kind = TOKEN_AZURE_WORKLOAD, .scope = str_text(&scope)};
    struct token_route route = {.repo_url = r->base,
                                .proxy = r->proxy,
                                .no_proxy = r->no_proxy,
                                .tls_dir = s->tls_dir,
                                .timeout_ns = s->timeout_ns};
    return tokens_get(s->tokens, &source, &route, out, err);
}

static int exchange(const remote_t *r, const struct remote_settings *s, atomic_bool *canceled,
                    const char *url, const char *form, char **out, err_t **err)
{
    struct remote_get get = {
        .url = url, .identity = REMOTE_CERT, .form = form, .max = ANSWER_MAX, .fd = -1, .canceled = canceled};
    struct remote_answer a;
    AUTO_JSON doc = NULL;
    int e = remote_get(r, s, &get, &a, err);
    if (e < 0)
        return e;
    e = a.status == 200 ? json_read(str_text(&a.body), a.body.len, &doc, err)
                        : remote_refused(url, a.status, err);
    const char *token = str_or_empty(json_str_at(doc, "refresh_token"));
    if (e == 0 && !*token)
        e = err_set(err, ERR_UNAUTHENTICATED, "the answer has no token");
    if (e == 0)
        *out = xstrdup(token);
    if (a.body.len)
        wipe(a.body.p, a.body.len);
    remote_answer_dispose(&a);
    return e;
}

int registry_azure_password(const remote_t *r, const struct remote_settings *s, atomic_bool *canceled,
                            char **out, err_t **err)
{
    AUTO(free_p) char *challenge = NULL;
    AUTO(free_p) char *url = NULL;
    AUTO_STR form = STR_INIT;
    struct token token = {};
    int e = challenge_of(r, s, canceled, &challenge, err);
    if (e == 0)
        e = exchange_url(r, challenge, &url, err);
    if (e == 0)
        e = arm_token(r, s, &token, err);
    if (e == 0) {
        AUTO(free_p) char *service = challenge_parameter(challenge, "service");
        str_puts(&form, "grant_type=access_token&service=");
        url_escape(str_or_empty(service), false, &form);
        str_puts(&form, "&access_token=");
        url_escape(token.secret, false, &form);
        e = exchange(r, s, canceled, url, str_text(&form), out, err);
        wipe(form.p, form.len);
    }
    token_dispose(&token);
    return e < 0 ? err_wrap(err, "get a token of %s by workload identity", r->shown) : 0;
}
