#include "repo-server/git/url.h"
#include "common/base/enc.h"
#include "common/base/str.h"

#include <ctype.h>

/* Length of a scheme in front of a colon; 0: none. */
static size_t scheme_len(const char *s)
{
    if (!isalpha((unsigned char)*s))
        return 0;
    size_t n = 1;
    while (isalnum((unsigned char)s[n]) || (s[n] && strchr("+-.", s[n])))
        n++;
    return s[n] == ':' ? n : 0;
}

static const struct {
    const char *prefix;
    enum git_scheme scheme;
} schemes[] = {{"http", GIT_SCHEME_HTTP},  {"https", GIT_SCHEME_HTTPS}, {"ssh", GIT_SCHEME_SSH},
               {"git", GIT_SCHEME_GIT},    {"file", GIT_SCHEME_FILE},   {"git+ssh", GIT_SCHEME_SSH},
               {"ssh+git", GIT_SCHEME_SSH}};

void git_url_dispose(struct git_url *u)
{
    free(u->user);
    if (u->password)
        wipe(u->password, strlen(u->password));
    free(u->password);
    free(u->host);
    free(u->path);
    *u = (struct git_url){};
}

static char *decoded(view_t v)
{
    AUTO_STR s = STR_INIT;
    if (!url_unescape(v, false, &s) || memchr(str_text(&s), '\0', s.len))
        return xstrndup(v.p, v.n);
    return str_take(&s);
}

static bool split_host_port(view_t v, struct git_url *u)
{
    view_t host = v, port = {};
    const char *bracket = v.n && v.p[0] == '[' ? memchr(v.p, ']', v.n) : NULL;
    if (bracket) {
        host = (view_t){v.p + 1, (size_t)(bracket - v.p - 1)};
        if (bracket + 1 < v.p + v.n)
            port = (view_t){bracket + 1, (size_t)(v.p + v.n - bracket - 1)};
    } else {
        const char *colon = v.n ? memchr(v.p, ':', v.n) : NULL;
        if (colon) {
            host.n = (size_t)(colon - v.p);
            port = (view_t){colon, (size_t)(v.p + v.n - colon)};
        }
    }
    if (port.n && port.p[0] != ':')
        return false;
    for (size_t i = 1; i < port.n; i++) {
        if (!isdigit((unsigned char)port.p[i]))
            return false;
        u->port = u->port * 10 + (unsigned)(port.p[i] - '0');
        if (u->port > 65535)
            return false;
    }
    u->host = xstrndup(host.p, host.n);
    for (char *p = u->host; *p; p++) {
        *p = (char)tolower((unsigned char)*p);
        if (!isalnum((unsigned char)*p) && !strchr("-._:%", *p) && (unsigned char)*p < 0x80)
            return false;
    }
    return true;
}

static bool parse_authority(view_t v, struct git_url *u)
{
    const char *at = v.n ? memrchr(v.p, '@', v.n) : NULL;
    if (at) {
        view_t rest = {v.p, (size_t)(at - v.p)}, user;
        view_split(&rest, ':', &user);
        u->user = user.n ? decoded(user) : NULL;
        u->password = rest.p ? decoded(rest) : NULL;
        v = (view_t){at + 1, (size_t)(v.p + v.n - at - 1)};
    }
    return split_host_port(v, u);
}

static bool parse_with_scheme(const char *s, struct git_url *u)
{
    size_t n = scheme_len(s);
    if (!n || strncmp(s + n, "://", 3) != 0)
        return false;
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (strlen(schemes[i].prefix) == n && strncasecmp(s, schemes[i].prefix, n) == 0) {
            u->scheme = schemes[i].scheme;
            known = true;
        }
    }
    const char *authority = s + n + 3, *path = strchr(authority, '/');
    if (!known || !path)
        path = authority + strlen(authority);
    u->path = xstrdup(path);
    return known && parse_authority((view_t){authority, (size_t)(path - authority)}, u);
}

static bool parse_scp(const char *s, struct git_url *u)
{
    const char *colon = strchr(s, ':'), *slash = strchr(s, '/');
    if (!colon || colon[1] == ':' || (slash && slash < colon)) /* "ext::…" names a helper */
        return false;
    u->scheme = GIT_SCHEME_SSH;
    u->path = xstrdup(colon + 1);
    view_t v = {s, (size_t)(colon - s)};
    return parse_authority(v, u);
}

/* A host or user that begins with "-" would be an option to ssh. */
static bool is_harmless(const struct git_url *u)
{
    const char *texts[] = {u->host, u->user, u->path};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (texts[i] && texts[i][0] == '-')
            return false;
        for (const char *p = str_or_empty(texts[i]); *p; p++)
            if ((unsigned char)*p < 0x20 || *p == 0x7f)
                return false;
    }
    return u->scheme == GIT_SCHEME_FILE || *u->host;
}

int git_url_parse(const char *text, struct git_url *out, err_t **err)
{
    struct git_url u = {};
    AUTO_STR s = STR_INIT;
    view_t v = view_trim(view_of(text));
    bool ok = false;
    if (v.n && v.n <= GIT_URL_MAX) {
        str_add(&s, v.p, v.n);
        const char *p = str_text(&s);
        if (*p == '/') {
            u = (struct git_url){.scheme = GIT_SCHEME_FILE, .host = xstrdup(""), .path = xstrdup(p)};
            ok = true;
        } else {
            ok = strstr(p, "://") ? parse_with_scheme(p, &u) : parse_scp(p, &u);
        }
    }
    if (!ok || !is_harmless(&u)) {
        git_url_dispose(&u);
        AUTO(free_p) char *shown = git_url_for_message(text);
        return err_set(err, ERR_INVALID_ARGUMENT, "repository URL '%s' is not valid", shown);
    }
    *out = u;
    return 0;
}

char *git_url_storage_key(const char *text)
{
    static const char *const names[] = {"http", "https", "ssh", "git", "file"};
    struct git_url u;
    if (git_url_parse(text, &u, NULL) < 0)
        return xstrdup("");
    AUTO_STR s = STR_INIT;
    str_printf(&s, "%s://%s", names[u.scheme], u.host);
    if (u.port)
        str_printf(&s, ":%u", u.port);
    if (*u.path != '/')
        str_putc(&s, '/');
    str_puts(&s, u.path);
    git_url_dispose(&u);
    while (s.len && s.p[s.len - 1] == '/')
        str_truncate(&s, s.len - 1);
    if (str_has_suffix(str_text(&s), ".git"))
        str_truncate(&s, s.len - strlen(".git"));
    return str_take(&s);
}

char *git_url_for_message(const char *text)
{
    AUTO_STR s = STR_MAX(1024);
    const char *p = str_or_empty(text), *scheme = strstr(p, "://");
    if (scheme) {
        const char *host = scheme + 3, *end = host + strcspn(host, "/?#");
        const char *at = memrchr(host, '@', (size_t)(end - host));
        str_add(&s, p, (size_t)(host - p));
        p = at ? at + 1 : host;
    }
    for (; *p && *p != '?' && *p != '#'; p++)
        str_putc(&s, (unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p);
    return str_take(&s);
}
