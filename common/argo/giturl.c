#include "common/argo/giturl.h"
#include "common/base/enc.h"

#include <ctype.h>

enum { GITURL_MAX = 8192 };

/* Matches ^(ssh://)?([^/:]*?)@[^@]+$, the test by which Argo CD tells ssh. */
static bool is_ssh_view(const char *s)
{
    const char *after = str_after(s, "ssh://");
    const char *at = strpbrk(after ? after : s, "@/:");
    return at && *at == '@' && at[1] && !strchr(at + 1, '@');
}

bool giturl_is_ssh(const char *text)
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

char *giturl_normalize(const char *text)
{
    AUTO_STR spelled = STR_INIT;
    AUTO_STR out = STR_INIT;
    if (!text || strlen(text) > GITURL_MAX)
        return xstrdup("");
    canonical_spelling(text, true, &spelled);
    if (!reserialize(str_text(&spelled), &out))
        return xstrdup("");
    const char *rest = str_after(str_text(&out), "ssh://");
    return xstrdup(rest ? rest : str_text(&out));
}

bool giturl_same(const char *a, const char *b)
{
    AUTO(free_p) char *x = giturl_normalize(a);
    AUTO(free_p) char *y = giturl_normalize(b);
    return strcmp(x, y) == 0;
}
