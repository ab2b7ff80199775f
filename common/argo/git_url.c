#include "common/argo/git_url.h"
#include "common/base/enc.h"
#include "common/base/str.h"

#include <ctype.h>

/* Matches ^(ssh://)?([^/:]*?)@[^@]+$, the test by which Argo CD tells ssh. */
static bool is_ssh_view(const char *s)
{
    const char *after = str_after(s, "ssh://");
    const char *at = strpbrk(after ? after : s, "@/:");
    return at && *at == '@' && at[1] && !strchr(at + 1, '@');
}

bool git_url_is_ssh(const char *text)
{
    AUTO_STR s = STR_INIT;
    view_t v = view_trim(view_of(text));
    str_add(&s, v.p, v.n);
    return is_ssh_view(str_text(&s));
}

/* ---- normalisation: what Go's url.Parse and URL.String make of a text ---- */

enum part { PART_PATH, PART_USER, PART_HOST, PART_FRAGMENT };

static bool unreserved(unsigned char c)
{
    return isalnum(c) || strchr("-_.~", c);
}

/* Whether Go's net/url leaves the character as it is in that part of a URL. */
static bool keeps(unsigned char c, enum part part)
{
    if (!c)
        return false;
    if (c < 0x80 && unreserved(c))
        return true;
    switch (part) {
    case PART_PATH:
        return strchr("$&+,/:;=@", c) != NULL;
    case PART_USER:
        return strchr("$&+,;=", c) != NULL;
    case PART_HOST:
        return strchr("!$&'()*+,;=:[]<>\"", c) != NULL;
    case PART_FRAGMENT:
        return strchr("$&+,/:;=?@!()*", c) != NULL;
    }
    return false;
}

static void escape(const char *s, size_t n, enum part part, str_t *out)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (keeps(c, part))
            str_putc(out, (char)c);
        else
            str_printf(out, "%%%02X", c);
    }
}

/* Whether the escaped spelling is one that Go keeps: everything in it is either escaped or allowed bare. */
static bool valid_encoded(view_t v, enum part part)
{
    for (size_t i = 0; i < v.n; i++)
        if (!strchr("!$&'()*+,;=:@[]%", v.p[i]) && !keeps((unsigned char)v.p[i], part))
            return false;
    return true;
}

static bool put_reencoded(view_t v, enum part part, str_t *out)
{
    AUTO_STR plain = STR_INIT;
    if (!url_unescape(v, false, &plain))
        return false;
    if (valid_encoded(v, part))
        str_add(out, v.p, v.n);
    else
        escape(str_text(&plain), plain.len, part, out);
    return true;
}

static bool put_userinfo(view_t v, str_t *out)
{
    for (size_t i = 0; i < v.n; i++)
        if (!isalnum((unsigned char)v.p[i]) && !strchr("-._:~!$&'()*+,;=%@", v.p[i]))
            return false;
    view_t rest = v, user;
    view_split(&rest, ':', &user);
    AUTO_STR plain = STR_INIT;
    if (!url_unescape(user, false, &plain))
        return false;
    escape(str_text(&plain), plain.len, PART_USER, out);
    if (rest.p) {
        str_reset(&plain);
        if (!url_unescape(rest, false, &plain))
            return false;
        str_putc(out, ':');
        escape(str_text(&plain), plain.len, PART_USER, out);
    }
    str_putc(out, '@');
    return true;
}

static bool valid_port(view_t v)
{
    for (size_t i = 0; i < v.n; i++)
        if (!isdigit((unsigned char)v.p[i]))
            return false;
    return true;
}

static bool put_host(view_t v, str_t *out)
{
    const char *bracket = v.n && v.p[0] == '[' ? memrchr(v.p, ']', v.n) : NULL;
    if (v.n && v.p[0] == '[' && !bracket)
        return false;
    const char *colon = bracket ? bracket + 1 : memrchr(v.p, ':', v.n);
    if (bracket && bracket + 1 == v.p + v.n)
        colon = NULL;
    if (colon && (*colon != ':' || !valid_port((view_t){colon + 1, (size_t)(v.p + v.n - colon - 1)})))
        return false;
    for (size_t i = 0; i < v.n; i++)
        if ((unsigned char)v.p[i] < 0x80 && !keeps((unsigned char)v.p[i], PART_HOST) && v.p[i] != '%')
            return false;
    AUTO_STR plain = STR_INIT;
    if (!url_unescape(v, false, &plain))
        return false;
    escape(str_text(&plain), plain.len, PART_HOST, out);
    return true;
}

static bool put_authority(view_t v, str_t *out)
{
    const char *at = v.n ? memrchr(v.p, '@', v.n) : NULL;
    if (at && !put_userinfo((view_t){v.p, (size_t)(at - v.p)}, out))
        return false;
    view_t host = at ? (view_t){at + 1, (size_t)(v.p + v.n - at - 1)} : v;
    return !host.n || put_host(host, out);
}

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

static bool put_rest(view_t rest, bool has_scheme, str_t *out)
{
    view_t path = rest;
    const char *question = rest.n ? memchr(rest.p, '?', rest.n) : NULL;
    if (question)
        path.n = (size_t)(question - rest.p);
    if (path.n >= 2 && path.p[0] == '/' && path.p[1] == '/') {
        view_t authority = {path.p + 2, path.n - 2};
        const char *slash = authority.n ? memchr(authority.p, '/', authority.n) : NULL;
        path = slash ? (view_t){slash, (size_t)(path.p + path.n - slash)} : (view_t){"", 0};
        if (slash)
            authority.n = (size_t)(slash - authority.p);
        str_puts(out, "//");
        if (!put_authority(authority, out))
            return false;
    } else if (!has_scheme && path.n && path.p[0] != '/') {
        const char *colon = memchr(path.p, ':', path.n), *slash = memchr(path.p, '/', path.n);
        if (colon && (!slash || colon < slash))
            return false; /* "first path segment in URL cannot contain colon" */
    }
    if (!put_reencoded(path, PART_PATH, out))
        return false;
    if (question)
        str_add(out, question, (size_t)(rest.p + rest.n - question));
    return true;
}

static bool reserialize(const char *s, str_t *out)
{
    for (const char *p = s; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return false;
    if (!*s || *s == ':')
        return false;
    size_t n = scheme_len(s);
    str_add(out, s, n ? n + 1 : 0);
    view_t rest = view_of(n ? s + n + 1 : s);
    const char *hash = memchr(rest.p, '#', rest.n);
    view_t fragment = hash ? view_of(hash + 1) : (view_t){};
    if (hash)
        rest.n = (size_t)(hash - rest.p);
    if (!put_rest(rest, n > 0, out))
        return false;
    if (fragment.n) {
        str_putc(out, '#');
        return put_reencoded(fragment, PART_FRAGMENT, out);
    }
    return true;
}

/* Trimmed, scp style made ssh://, one ".git" off. */
static void canonical_spelling(const char *text, bool lower, str_t *out)
{
    AUTO_STR s = STR_INIT;
    view_t v = view_trim(view_of(text));
    for (size_t i = 0; i < v.n; i++)
        str_putc(&s, lower ? (char)tolower((unsigned char)v.p[i]) : v.p[i]);
    const char *p = str_text(&s);
    if (is_ssh_view(p) && !str_has_prefix(p, "ssh://")) {
        const char *colon = strchr(p, ':');
        str_puts(out, "ssh://");
        if (colon) {
            str_add(out, p, (size_t)(colon - p));
            str_putc(out, '/');
            p = colon + 1;
        }
    }
    str_puts(out, p);
    if (str_has_suffix(str_text(out), ".git"))
        str_truncate(out, out->len - strlen(".git"));
}

char *git_url_normalize(const char *text)
{
    AUTO_STR spelled = STR_INIT;
    AUTO_STR out = STR_INIT;
    if (!text || strlen(text) > GIT_URL_MAX)
        return xstrdup("");
    canonical_spelling(text, true, &spelled);
    if (!reserialize(str_text(&spelled), &out))
        return xstrdup("");
    const char *rest = str_after(str_text(&out), "ssh://");
    return xstrdup(rest ? rest : str_text(&out));
}

bool git_url_same(const char *a, const char *b)
{
    AUTO(free_p) char *x = git_url_normalize(a);
    AUTO(free_p) char *y = git_url_normalize(b);
    return *x && strcmp(x, y) == 0;
}

/* ---- parsing ---- */

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
