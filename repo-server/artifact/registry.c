#include "repo-server/artifact/registry.h"
#include "common/base/enc.h"
#include "common/base/vec.h"
#include "common/net/http_url.h"

#include <ctype.h>
#include <stdio.h>

/* A tag of an index is the index's digest, as for Argo CD; what is in it is not chosen from. */
#define ACCEPT                                                                                               \
    "Accept: application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, "          \
    "application/vnd.docker.distribution.manifest.v2+json, "                                                 \
    "application/vnd.docker.distribution.manifest.list.v2+json"

enum {
    MANIFEST_MAX = 4 << 20,
    TAGS_MAX = 16 << 20,
    TOKEN_MAX = 1 << 20,
    MAX_PAGES = 1000,
    MAX_TAGS = 200000
};

void registry_dispose(struct registry *r)
{
    if (r->authorization)
        wipe(r->authorization, strlen(r->authorization));
    free(TAKE(r->authorization));
}

bool oci_is_digest(const char *text)
{
    const char *hex = str_after(text, "sha256:");
    return hex && strlen(hex) == 64 && strspn(hex, "0123456789abcdef") == 64;
}

/* ---- ways in ---- */

char *challenge_parameter(const char *challenge, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = challenge; (p = strcasestr(p, name)); p += n) {
        bool starts = p == challenge || strchr(" ,", p[-1]);
        if (!starts || p[n] != '=')
            continue;
        p += n + 1;
        if (*p != '"')
            return xstrndup(p, strcspn(p, ", "));
        return xstrndup(p + 1, strcspn(p + 1, "\""));
    }
    return NULL;
}

static char *basic_header(const char *username, const char *password)
{
    AUTO_STR pair = STR_INIT;
    AUTO_STR text = STR_INIT;
    str_printf(&pair, "%s:%s", str_or_empty(username), str_or_empty(password));
    base64_encode(pair.p, pair.len, &text);
    wipe(pair.p, pair.len);
    return xasprintf("Authorization: Basic %s", str_text(&text));
}

static char *token_url(const struct registry *r, const char *challenge)
{
    AUTO(free_p) char *realm = challenge_parameter(challenge, "realm");
    AUTO(free_p) char *service = challenge_parameter(challenge, "service");
    AUTO(free_p) char *scope = challenge_parameter(challenge, "scope");
    AUTO_STR url = STR_INIT;
    if (str_empty(realm))
        return NULL;
    str_printf(&url, "%s%sservice=", realm, strchr(realm, '?') ? "&" : "?");
    url_escape(str_or_empty(service), false, &url);
    if (!scope && *r->repository)
        scope = xasprintf("repository:%s:pull", r->repository);
    if (!str_empty(scope)) {
        str_puts(&url, "&scope=");
        url_escape(scope, false, &url);
    }
    return str_take(&url);
}

/* What the server of tokens is to see; NULL: nothing. */
static int token_credential(struct registry *r, char **basic, err_t **err)
{
    const remote_t *remote = r->remote;
    char *password = NULL;
    if (!remote->azure) {
        if (remote->username || remote->password)
            *basic = basic_header(remote->username, remote->password);
        return 0;
    }
    int e = registry_azure_password(remote, r->settings, r->canceled, &password, err);
    if (e < 0)
        return e;
    *basic = basic_header(AZURE_USER, password);
    wipe(password, strlen(password));
    free(password);
    return 0;
}

/* The server of tokens is one that the registry names, and gets the user name and password: so it must not be
 * reached in the clear when the registry is not. */
static int get_token(struct registry *r, const char *challenge, err_t **err)
{
    AUTO(free_p) char *url = token_url(r, challenge);
    AUTO_JSON doc = NULL;
    struct remote_answer a;
    if (!url)
        return err_set(err, ERR_UNAUTHENTICATED, "%s: a challenge without a realm", r->remote->shown);
    if (str_has_prefix(r->remote->base, "https://") && !str_has_prefix(url, "https://"))
        return err_set(err, ERR_UNAUTHENTICATED, "%s: tokens are given out over an open connection",
                       r->remote->shown);
    AUTO(free_p) char *basic = NULL;
    if (token_credential(r, &basic, err) < 0)
        return err_again(err);
    struct remote_get get = {.url = url,
                             .identity = REMOTE_CERT,
                             .authorization = basic,
                             .max = TOKEN_MAX,
                             .fd = -1,
                             .canceled = r->canceled};
    int e = remote_get(r->remote, r->settings, &get, &a, err);
    if (basic)
        wipe(basic, strlen(basic));
    if (e < 0)
        return err_wrap(err, "get a token for %s", r->remote->shown);
    e = a.status == 200 ? json_read(str_text(&a.body), a.body.len, &doc, err)
                        : remote_refused(url, a.status, err);
    const char *token = str_or_empty(json_str_at(doc, "token"));
    token = *token ? token : str_or_empty(json_str_at(doc, "access_token"));
    if (e == 0 && (!*token || strpbrk(token, "\r\n")))
        e = err_set(err, ERR_UNAUTHENTICATED, "the answer has no token");
    if (e == 0)
        r->authorization = xasprintf("Authorization: Bearer %s", token);
    if (a.body.len)
        wipe(a.body.p, a.body.len);
    remote_answer_dispose(&a);
    return e < 0 ? err_wrap(err, "get a token for %s", r->remote->shown) : 0;
}

static int authorize(struct registry *r, const str_t *headers, const char *url, err_t **err)
{
    AUTO(free_p) char *challenge = http_header(headers, "www-authenticate");
    registry_dispose(r);
    if (challenge && strncasecmp(challenge, "bearer ", 7) == 0)
        return get_token(r, challenge + 7, err);
    if (challenge && strncasecmp(challenge, "basic", 5) == 0 && r->remote->username) {
        r->authorization = basic_header(r->remote->username, r->remote->password);
        return 0;
    }
    return remote_refused(url, 401, err);
}

/* ---- asking ---- */

/* Answers with status 200 only. The first 401 gets an answer too. */
static int ask(struct registry *r, const char *url, const char *accept, uint64_t max, int fd,
               struct remote_answer *out, err_t **err)
{
    for (unsigned attempt = 0;; attempt++) {
        struct remote_get get = {.url = url,
                                 .identity = REMOTE_CERT,
                                 .authorization = r->authorization,
                                 .accept = accept,
                                 .max = max,
                                 .fd = fd,
                                 .canceled = r->canceled};
        int e = remote_get(r->remote, r->settings, &get, out, err);
        if (e < 0 || out->status == 200)
            return e;
        e = out->status == 401 && attempt == 0 ? authorize(r, &out->headers, url, err)
                                               : remote_refused(url, out->status, err);
        remote_answer_dispose(out);
        if (e < 0)
            return e;
    }
}

int registry_ping(struct registry *r, err_t **err)
{
    struct remote_answer a;
    AUTO(free_p) char *url = xasprintf("%s/v2/", r->remote->base);
    int e = ask(r, url, NULL, MANIFEST_MAX, -1, &a, err);
    if (e == 0)
        remote_answer_dispose(&a);
    return e;
}

/* ---- tags ---- */

/* Link: </v2/x/tags/list?last=b&n=100>; rel="next" */
static char *next_page(const str_t *headers, const char *url, const remote_t *remote)
{
    AUTO(free_p) char *link = http_header(headers, "link");
    const char *open = link ? strchr(link, '<') : NULL, *close = open ? strchr(open, '>') : NULL;
    char *next = NULL;
    struct http_url parsed;
    if (!close || !strstr(close, "next"))
        return NULL;
    AUTO(free_p) char *target = xstrndup(open + 1, (size_t)(close - open - 1));
    if (http_url_resolve(url, target, &next, NULL) < 0)
        return NULL;
    /* Our authorization goes with it. */
    AUTO(free_p) char *origin = NULL;
    if (http_url_parse(next, &parsed, NULL) == 0) {
        origin = http_url_origin(&parsed);
        http_url_dispose(&parsed);
    }
    if (!str_eq(origin, remote->origin))
        free(TAKE(next));
    return next;
}

typedef VEC(char *) names_t;

static int add_page(struct registry *r, char **url, names_t *tags, err_t **err)
{
    struct remote_answer a;
    AUTO_JSON doc = NULL;
    int e = ask(r, *url, NULL, TAGS_MAX, -1, &a, err);
    if (e < 0)
        return e;
    e = json_read(str_text(&a.body), a.body.len, &doc, err);
    const json_t *list = json_object_get(doc, "tags");
    for (size_t i = 0; i < json_array_size(list) && tags->n < MAX_TAGS; i++)
        if (json_is_string(json_array_get(list, i)))
            VEC_PUSH(tags, xstrdup(json_string_value(json_array_get(list, i))));
    char *next = next_page(&a.headers, *url, r->remote);
    free(*url);
    *url = next;
    remote_answer_dispose(&a);
    return e;
}

int registry_tags(struct registry *r, char ***out, err_t **err)
{
    names_t tags = {};
    char *url = xasprintf("%s/v2/%s/tags/list", r->remote->base, r->repository);
    int e = 0;
    for (unsigned page = 0; e == 0 && url && page < MAX_PAGES; page++)
        e = add_page(r, &url, &tags, err);
    free(url);
    VEC_PUSH(&tags, NULL);
    if (e < 0)
        strv_free(tags.v);
    else
        *out = tags.v;
    return e < 0 ? err_wrap(err, "list the tags of %s", r->remote->shown) : 0;
}

/* ---- content ---- */

static void digest_text(const unsigned char sha[SHA256_SIZE], char out[OCI_DIGEST])
{
    memcpy(out, "sha256:", 7);
    hex_encode(sha, SHA256_SIZE, out + 7);
}

static int wrong_digest(const char *wanted, const char *got, err_t **err)
{
    return err_set(err, ERR_DATA_LOSS, "content of %s was sent with the digest %s", wanted, got);
}

int registry_manifest(struct registry *r, const char *reference, char digest[OCI_DIGEST], json_t **out,
                      err_t **err)
{
    struct remote_answer a;
    AUTO_STR escaped = STR_INIT;
    AUTO_JSON doc = NULL;
    if (strchr(reference, ':'))
        str_puts(&escaped, reference); /* a digest */
    else
        url_escape(reference, false, &escaped);
    AUTO(free_p)
    char *url = xasprintf("%s/v2/%s/manifests/%s", r->remote->base, r->repository, str_text(&escaped));
    int e = ask(r, url, ACCEPT, MANIFEST_MAX, -1, &a, err);
    if (e < 0)
        return e;
    digest_text(a.sha256, digest);
    e = oci_is_digest(reference) && strcmp(reference, digest) != 0
            ? wrong_digest(reference, digest, err)
            : json_read(str_text(&a.body), a.body.len, &doc, err);
    if (e == 0 && !json_is_array(json_object_get(doc, "layers")) &&
        !json_is_array(json_object_get(doc, "manifests")))
        e = err_set(err, ERR_INVALID_ARGUMENT, "%s:%s: not the manifest of an artifact", r->remote->shown,
                    reference);
    remote_answer_dispose(&a);
    if (e == 0)
        *out = TAKE(doc);
    return e;
}

int registry_blob(struct registry *r, const char *digest, uint64_t max, int fd, err_t **err)
{
    struct remote_answer a;
    char got[OCI_DIGEST];
    if (!oci_is_digest(digest))
        return err_set(err, ERR_INVALID_ARGUMENT, "'%s' is no digest that can be checked", digest);
    AUTO(free_p) char *url = xasprintf("%s/v2/%s/blobs/%s", r->remote->base, r->repository, digest);
    int e = ask(r, url, NULL, max, fd, &a, err);
    if (e < 0)
        return e;
    digest_text(a.sha256, got);
    remote_answer_dispose(&a);
    return strcmp(got, digest) == 0 ? 0 : wrong_digest(digest, got, err);
}
