/* One exchange at a time for each credential: its record has a lock, under which others wait for the first.
 */
#include "repo-server/git/tokens.h"
#include "common/base/clock.h"
#include "common/base/enc.h"
#include "common/base/file.h"
#include "common/base/map.h"
#include "common/base/thread.h"
#include "common/json/json.h"
#include "repo-server/git/url.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

enum {
    ANSWER_MAX = 4 << 20,
    PAGE = 100,
    MAX_PAGES = 100,
    EARLY_S = 300,
    GITHUB_JWT_S = 540,
    MAX_ENTRIES = 10000
};

/* Lives as long as the tokens; the lock guards what follows it. */
struct entry {
    lock_t lock;
    struct token token;
    mono_t until;
    int64_t installation; /* found by owner; 0: not yet */
    mono_t installation_until;
};

struct tokens {
    lock_t lock; /* guards the map */
    map_t map;   /* by key; struct entry */
    struct tokens_options options;
};

void token_dispose(struct token *t)
{
    if (t->secret)
        wipe(t->secret, strlen(t->secret));
    free(t->secret);
    free(t->username);
    *t = (struct token){};
}

static void entry_free(void *p)
{
    struct entry *e = p;
    token_dispose(&e->token);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

tokens_t *tokens_new(const struct tokens_options *options)
{
    tokens_t *t = xcalloc(1, sizeof(*t));
    pthread_mutex_init(&t->lock, NULL);
    t->map.value_free = entry_free;
    t->options = *options;
    return t;
}

void tokens_free(tokens_t *t)
{
    if (!t)
        return;
    map_dispose(&t->map);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

char *token_owner(const char *repo_url)
{
    struct git_url u;
    if (git_url_parse(str_or_empty(repo_url), &u, NULL) < 0)
        return xstrdup("");
    const char *p = u.path + (*u.path == '/');
    char *owner = xstrndup(p, strcspn(p, "/"));
    git_url_dispose(&u);
    for (char *c = owner; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return owner;
}

static void key_of(const struct token_source *s, const struct token_route *r, char out[SHA256_HEX])
{
    char numbers[64];
    bool by_owner = s->kind == TOKEN_GITHUB_APP && !s->installation_id;
    AUTO(free_p) char *owner = by_owner ? token_owner(r->repo_url) : xstrdup("");
    sha256_ctx_t *c = sha256_begin();
    snprintf(numbers, sizeof(numbers), "%d %lld %lld", (int)s->kind, (long long)s->app_id,
             (long long)s->installation_id);
    const char *texts[] = {numbers,      s->secret, s->base_url, s->client_id,
                           s->tenant_id, owner,     r->proxy,    s->scope};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        sha256_field_str(c, str_or_empty(texts[i]));
    sha256_end_hex(c, out);
}

static struct entry *find(tokens_t *t, const struct token_source *s, const struct token_route *r)
{
    char key[SHA256_HEX];
    key_of(s, r, key);
    LOCKED(&t->lock);
    struct entry *e = map_get(&t->map, key);
    if (!e && t->map.n < MAX_ENTRIES) {
        e = xcalloc(1, sizeof(*e));
        pthread_mutex_init(&e->lock, NULL);
        map_put(&t->map, key, e);
    }
    return e;
}

/* ---- signed claims ---- */

static EVP_PKEY *read_key(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)strlen(pem));
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"") : NULL;
    BIO_free(bio);
    return key;
}

static bool sign(EVP_PKEY *key, const str_t *text, str_t *out)
{
    unsigned char sig[1024];
    size_t n = sizeof(sig);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool ok = c && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
              EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestSign(c, sig, &n, (const unsigned char *)text->p, text->len) == 1;
    EVP_MD_CTX_free(c);
    if (ok)
        base64url_encode(sig, n, out);
    return ok;
}

/* An RS256 JWT (RFC 7519). */
static int make_jwt(const char *pem, const json_t *claims, str_t *out, err_t **err)
{
    static const char header[] = "{\"alg\":\"RS256\",\"typ\":\"JWT\"}";
    AUTO(free_p) char *text = json_text(claims, JSON_GO);
    AUTO_STR signature = STR_INIT;
    base64url_encode(header, strlen(header), out);
    str_putc(out, '.');
    base64url_encode(text, strlen(text), out);
    EVP_PKEY *key = read_key(str_or_empty(pem));
    bool ok = key && sign(key, out, &signature);
    EVP_PKEY_free(key);
    if (!ok)
        return err_set(err, ERR_INVALID_ARGUMENT, "the private key cannot be read");
    str_printf(out, ".%s", str_text(&signature));
    return 0;
}

/* ---- asking ---- */

struct asking {
    tokens_t *tokens;
    const struct token_source *source;
    const struct token_route *route;
    struct entry *entry;
};

static http_endpoint_t *endpoint_for(const struct asking *a, const char *url)
{
    AUTO_STR ca = STR_MAX(4 << 20);
    struct git_url u;
    if (!str_empty(a->route->tls_dir) && git_url_parse(url, &u, NULL) == 0) {
        AUTO(free_p) char *path = xasprintf("%s/%s", a->route->tls_dir, u.host);
        if (strchr(u.host, '/') || u.host[0] == '.' || file_read(path, &ca, NULL) < 0)
            str_reset(&ca);
        git_url_dispose(&u);
    }
    return http_endpoint_new(&(struct http_endpoint_config){
        .ca_pem = ca.len ? str_text(&ca) : NULL,
        .insecure = a->route->insecure,
        .proxy = str_empty(a->route->proxy) ? NULL : a->route->proxy,
        .no_proxy = a->route->no_proxy,
        .http1_only = true,
    });
}

static int judge(const struct http_response *r, const char *url, const char *what, err_t **err)
{
    AUTO(free_p) char *shown = git_url_for_message(url);
    if (r->status / 100 == 2)
        return 0;
    enum err_code code = r->status == 401 || r->status == 403 || r->status == 400 ? ERR_UNAUTHENTICATED
                         : r->status == 404                                       ? ERR_NOT_FOUND
                                                                                  : ERR_UNAVAILABLE;
    return err_set(err, code, "%s: %s answered %d", what, shown, r->status);
}

/* `form` is a body of application/x-www-form-urlencoded; "" an empty POST; NULL a GET. */
static int ask(const struct asking *a, const char *url, const char *authorization, const char *form,
               const char *what, json_t **out, err_t **err)
{
    http_endpoint_t *endpoint = endpoint_for(a, url);
    const char *headers[5] = {"Accept: application/json"};
    size_t n = 1;
    if (authorization)
        headers[n++] = authorization;
    if (form && *form)
        headers[n++] = "Content-Type: application/x-www-form-urlencoded";
    struct http_request q = {.method = form ? "POST" : "GET",
                             .url = url,
                             .endpoint = endpoint,
                             .headers = headers,
                             .body = form,
                             .body_size = form ? strlen(form) : 0,
                             .timeout_ns = a->route->timeout_ns ? a->route->timeout_ns : SECONDS(15),
                             .max_body = ANSWER_MAX};
    struct http_response response = {};
    int r = http_do(a->tokens->options.http, &q, &response, err);
    if (r < 0)
        err_wrap(err, "%s", what);
    if (r == 0)
        r = judge(&response, url, what, err);
    if (r == 0 && (r = json_read(str_text(&response.body), response.body.len, out, NULL)) < 0)
        r = err_set(err, ERR_UNAVAILABLE, "%s: the answer is no JSON", what);
    if (response.body.p)
        wipe(response.body.p, response.body.len);
    http_response_dispose(&response);
    http_endpoint_unref(endpoint);
    return r;
}

static int keep(const struct asking *a, const char *username, const char *secret, bool bearer,
                int64_t seconds, const char *what, err_t **err)
{
    if (str_empty(secret))
        return err_set(err, ERR_UNAVAILABLE, "%s: the answer has no token", what);
    token_dispose(&a->entry->token);
    a->entry->token = (struct token){username ? xstrdup(username) : NULL, xstrdup(secret), bearer};
    int64_t max = a->tokens->options.max_age_ns ? a->tokens->options.max_age_ns : SECONDS(3600);
    int64_t age = SECONDS(seconds > 2 * EARLY_S ? seconds - EARLY_S : seconds / 2);
    a->entry->until = mono_after(mono_now(), age < max ? age : max);
    return 0;
}

/* ---- GitHub ---- */

static char *github_base(const struct token_source *s)
{
    const char *base = str_empty(s->base_url) ? "https://api.github.com" : s->base_url;
    size_t n = strlen(base);
    while (n && base[n - 1] == '/')
        n--;
    return xstrndup(base, n);
}

static int github_installation(const struct asking *a, const char *base, const char *authorization,
                               int64_t *out, err_t **err)
{
    static const char what[] = "GitHub App";
    struct entry *e = a->entry;
    *out = a->source->installation_id;
    if (*out)
        return 0;
    if (e->installation && mono_left(e->installation_until) > 0) {
        *out = e->installation;
        return 0;
    }
    AUTO(free_p) char *owner = token_owner(a->route->repo_url);
    for (int page = 1; page <= MAX_PAGES; page++) {
        AUTO_JSON list = NULL;
        AUTO(free_p) char *url = xasprintf("%s/app/installations?per_page=%d&page=%d", base, PAGE, page);
        int r = ask(a, url, authorization, NULL, what, &list, err);
        if (r < 0)
            return r;
        for (size_t i = 0; i < json_array_size(list); i++) {
            const json_t *v = json_array_get(list, i);
            if (strcasecmp(str_or_empty(json_str_at(v, "account", "login")), owner) != 0)
                continue;
            *out = e->installation = json_int_at(v, "id");
            e->installation_until = mono_after(mono_now(), SECONDS(3600));
            return 0;
        }
        if (json_array_size(list) < PAGE)
            break;
    }
    return err_set(err, ERR_NOT_FOUND, "%s: it is not installed for '%s'", what, owner);
}

static int github(const struct asking *a, err_t **err)
{
    static const char what[] = "GitHub App";
    int64_t now = wall_now().ns / NS_PER_SEC, installation = 0;
    AUTO_JSON claims = json_object();
    AUTO_STR jwt = STR_INIT;
    AUTO_JSON answer = NULL;
    AUTO(free_p) char *base = github_base(a->source);
    AUTO(free_p) char *id = xasprintf("%lld", (long long)a->source->app_id);
    json_object_set_new(claims, "iat", json_integer(now - 60));
    json_object_set_new(claims, "exp", json_integer(now + GITHUB_JWT_S));
    json_set_str(claims, "iss", id);
    int r = make_jwt(a->source->secret, claims, &jwt, err);
    if (r < 0)
        return err_wrap(err, "%s", what);
    AUTO(free_p) char *authorization = xasprintf("Authorization: Bearer %s", str_text(&jwt));
    r = github_installation(a, base, authorization, &installation, err);
    if (r < 0)
        return r;
    AUTO(free_p)
    char *url = xasprintf("%s/app/installations/%lld/access_tokens", base, (long long)installation);
    r = ask(a, url, authorization, "", what, &answer, err);
    if (r < 0)
        return r;
    wall_t expires;
    bool told = rfc3339_parse(str_or_empty(json_str_at(answer, "expires_at")), &expires);
    return keep(a, "x-access-token", json_str_at(answer, "token"), false,
                told ? expires.ns / NS_PER_SEC - now : 3600, what, err);
}

/* ---- Google ---- */

static int google(const struct asking *a, err_t **err)
{
    static const char what[] = "Google service account";
    int64_t now = wall_now().ns / NS_PER_SEC;
    AUTO_JSON account = NULL;
    AUTO_JSON answer = NULL;
    AUTO_JSON claims = json_object();
    AUTO_STR jwt = STR_INIT;
    if (json_read_str(str_or_empty(a->source->secret), &account, NULL) < 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: the key is no JSON", what);
    const char *told = json_str_at(account, "token_uri"), *email = json_str_at(account, "client_email");
    const char *url = a->tokens->options.google_url;
    url = url ? url : str_empty(told) ? "https://oauth2.googleapis.com/token" : told;
    json_set_str(claims, "iss", email);
    json_set_str(claims, "scope", "https://www.googleapis.com/auth/cloud-platform");
    json_set_str(claims, "aud", url);
    json_object_set_new(claims, "iat", json_integer(now));
    json_object_set_new(claims, "exp", json_integer(now + 3600));
    int r = make_jwt(json_str_at(account, "private_key"), claims, &jwt, err);
    if (r < 0)
        return err_wrap(err, "%s", what);
    AUTO(free_p)
    char *form = xasprintf(
        "grant_type=urn%%3Aietf%%3Aparams%%3Aoauth%%3Agrant-type%%3Ajwt-bearer&assertion=%s", str_text(&jwt));
    r = ask(a, url, NULL, form, what, &answer, err);
    return r < 0 ? r
                 : keep(a, email, json_str_at(answer, "access_token"), false,
                        json_int_at(answer, "expires_in"), what, err);
}

/* ---- Azure ---- */

#define DEVOPS_SCOPE "499b84ac-1321-427f-aa17-267ca6975798%2F.default"

static int azure(const struct asking *a, err_t **err)
{
    bool workload = a->source->kind == TOKEN_AZURE_WORKLOAD;
    const char *what = workload ? "Azure workload identity" : "Azure service principal";
    const char *file = a->tokens->options.federated_token_file, *authority = a->source->base_url;
    const char *client = a->source->client_id, *tenant = a->source->tenant_id;
    AUTO_STR secret = STR_MAX(64 << 10);
    AUTO_STR form = STR_INIT;
    AUTO_JSON answer = NULL;
    if (workload) {
        client = str_empty(client) ? getenv("AZURE_CLIENT_ID") : client;
        tenant = str_empty(tenant) ? getenv("AZURE_TENANT_ID") : tenant;
        authority = str_empty(authority) ? getenv("AZURE_AUTHORITY_HOST") : authority;
        file = file ? file : getenv("AZURE_FEDERATED_TOKEN_FILE");
        if (!file || file_read(file, &secret, NULL) < 0)
            return err_set(err, ERR_FAILED_PRECONDITION, "%s: there is no federated token", what);
    } else {
        str_puts(&secret, str_or_empty(a->source->secret));
    }
    AUTO(free_p) char *base = xstrdup(str_empty(authority) ? "https://login.microsoftonline.com" : authority);
    for (size_t n = strlen(base); n && base[n - 1] == '/'; n--)
        base[n - 1] = '\0';
    AUTO_STR tenant_text = STR_INIT;
    url_escape(str_or_empty(tenant), false, &tenant_text);
    AUTO(free_p) char *url = xasprintf("%s/%s/oauth2/v2.0/token", base, str_text(&tenant_text));
    str_printf(&form, "grant_type=client_credentials&scope=%s&client_id=",
               a->source->scope ? a->source->scope : DEVOPS_SCOPE);
    url_escape(str_or_empty(client), false, &form);
    str_puts(&form, workload ? "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type"
                               "%3Ajwt-bearer&client_assertion="
                             : "&client_secret=");
    url_escape(str_text(&secret), false, &form);
    int r = ask(a, url, NULL, str_text(&form), what, &answer, err);
    wipe(form.p, form.len);
    return r < 0 ? r
                 : keep(a, NULL, json_str_at(answer, "access_token"), true, json_int_at(answer, "expires_in"),
                        what, err);
}

/* ---- all ---- */

int tokens_get(tokens_t *t, const struct token_source *source, const struct token_route *route,
               struct token *out, err_t **err)
{
    static int (*const kinds[])(const struct asking *, err_t **) = {
        [TOKEN_GITHUB_APP] = github,
        [TOKEN_GOOGLE] = google,
        [TOKEN_AZURE] = azure,
        [TOKEN_AZURE_WORKLOAD] = azure,
    };
    struct entry *e = t ? find(t, source, route) : NULL;
    if (!e)
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "too many credentials");
    struct asking a = {t, source, route, e};
    LOCKED(&e->lock);
    if (!e->token.secret || mono_left(e->until) <= 0) {
        int r = kinds[source->kind](&a, err);
        if (r < 0)
            return r;
    }
    *out = (struct token){e->token.username ? xstrdup(e->token.username) : NULL, xstrdup(e->token.secret),
                          e->token.bearer};
    return 0;
}

void tokens_forget(tokens_t *t, const struct token_source *source, const struct token_route *route)
{
    struct entry *e = t ? find(t, source, route) : NULL;
    if (!e)
        return;
    LOCKED(&e->lock);
    token_dispose(&e->token);
}
