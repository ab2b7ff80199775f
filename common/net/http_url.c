#include "common/net/http_url.h"
#include "common/net/http.h"

#include <ctype.h>
#include <curl/curl.h>

AUTO_DECL(curlu_free_p, CURLU, curl_url_cleanup)
AUTO_DECL(curl_text_free_p, char, curl_free)

static int bad_url(const char *text, const char *why, err_t **err)
{
    AUTO(free_p) char *shown = http_url_for_message(text);
    return err_set(err, ERR_INVALID_ARGUMENT, "URL %s: %s", shown, why);
}

/* The part as our own copy; NULL when there is none. */
static char *part(CURLU *u, CURLUPart what, unsigned flags)
{
    AUTO(curl_text_free_p) char *text = NULL;
    return curl_url_get(u, what, &text, flags) == CURLUE_OK ? xstrdup(text) : NULL;
}

static CURLUcode parse(CURLU *u, const char *text)
{
    if (!u)
        oom();
    return curl_url_set(u, CURLUPART_URL, text, CURLU_PATH_AS_IS);
}

static void lower(char *s)
{
    for (; s && *s; s++)
        *s = (char)tolower((unsigned char)*s);
}

static void strip_brackets(char *host)
{
    size_t n = strlen(host);
    if (n > 1 && host[0] == '[' && host[n - 1] == ']') {
        memmove(host, host + 1, n - 2);
        host[n - 2] = '\0';
    }
}

int http_url_parse(const char *text, struct http_url *out, err_t **err)
{
    if (strlen(text) > HTTP_MAX_URL)
        return err_set(err, ERR_INVALID_ARGUMENT, "a URL of %zu bytes is too long", strlen(text));
    AUTO(curlu_free_p) CURLU *u = curl_url();
    CURLUcode code = parse(u, text);
    if (code != CURLUE_OK)
        return bad_url(text, curl_url_strerror(code), err);
    AUTO(free_p) char *user = part(u, CURLUPART_USER, 0);
    AUTO(free_p) char *password = part(u, CURLUPART_PASSWORD, 0);
    if (user || password)
        return bad_url(text, "credentials in a URL are not allowed", err);
    AUTO(free_p) char *scheme = part(u, CURLUPART_SCHEME, 0);
    lower(scheme);
    if (!str_eq(scheme, "http") && !str_eq(scheme, "https"))
        return bad_url(text, "only http and https are known", err);
    AUTO(free_p) char *port = part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    unsigned long number = strtoul(str_or_empty(port), NULL, 10);
    if (number == 0 || number > UINT16_MAX)
        return bad_url(text, "its port is none", err);
    AUTO(free_p) char *path = part(u, CURLUPART_PATH, 0);
    AUTO(free_p) char *query = part(u, CURLUPART_QUERY, 0);
    char *host = part(u, CURLUPART_HOST, 0);
    if (!host)
        return bad_url(text, "it has no host", err);
    lower(host);
    strip_brackets(host);
    *out = (struct http_url){
        .scheme = TAKE(scheme),
        .host = host,
        .port = (unsigned)number,
        .path_query = xasprintf("%s%s%s", path ? path : "/", query ? "?" : "", str_or_empty(query)),
    };
    return 0;
}

void http_url_dispose(struct http_url *u)
{
    free(u->scheme);
    free(u->host);
    free(u->path_query);
    *u = (struct http_url){};
}

char *http_url_origin(const struct http_url *u)
{
    bool v6 = strchr(u->host, ':') != NULL;
    return xasprintf("%s://%s%s%s:%u", u->scheme, v6 ? "[" : "", u->host, v6 ? "]" : "", u->port);
}

int http_url_resolve(const char *base, const char *location, char **out, err_t **err)
{
    if (strlen(location) > HTTP_MAX_URL)
        return err_set(err, ERR_INVALID_ARGUMENT, "a redirect to a URL of %zu bytes", strlen(location));
    AUTO(curlu_free_p) CURLU *u = curl_url();
    CURLUcode code = parse(u, base);
    if (code == CURLUE_OK)
        code = curl_url_set(u, CURLUPART_URL, location, CURLU_PATH_AS_IS | CURLU_URLENCODE);
    if (code == CURLUE_OK)
        code = curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
    AUTO(free_p) char *text = code == CURLUE_OK ? part(u, CURLUPART_URL, 0) : NULL;
    if (!text)
        return bad_url(location, "not a place to be redirected to", err);
    *out = TAKE(text);
    return 0;
}

/* Whether what stands before the first slash is no host and port, so that the slash may be part of a
 * password. */
static bool odd_authority(const char *p, size_t n)
{
    const char *colon = memchr(p, ':', n);
    if (!colon || p[0] == '[')
        return false;
    for (const char *c = colon + 1; c < p + n; c++)
        if (!isdigit((unsigned char)*c))
            return true;
    return false;
}

/* Works on texts that are no URLs, too: messages show what was given. */
char *http_url_for_message(const char *url)
{
    enum { SHOWN = 500 };
    const char *after = strstr(url, "://");
    const char *host = after ? after + 3 : url;
    size_t authority = strcspn(host, "/?#");
    const char *end = host + (odd_authority(host, authority) ? strlen(host) : authority);
    str_t s = STR_MAX(SHOWN + 64);
    str_add(&s, url, min_size((size_t)(host - url), 32));
    for (const char *p = end; p > host; p--) {
        if (p[-1] == '@') {
            host = p;
            break;
        }
    }
    size_t n = strcspn(host, "?#");
    str_add(&s, host, min_size(n, SHOWN));
    str_puts(&s, n > SHOWN ? "..." : "");
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            s.p[i] = '?';
    return str_take(&s);
}
