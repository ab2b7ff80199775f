#include "common/argo/giturl.h"

#include <ctype.h>

bool giturl_is_ssh(const char *url)
{
    const char *rest = str_after(url, "ssh://");
    const char *p = rest ? rest : url;
    /* user without "/" and ":", then "@", and no further "@". */
    size_t user = strcspn(p, "/:@");
    return p[user] == '@' && p[user + 1] && !strchr(p + user + 1, '@');
}

/* Whether it parses as a URL reference: no control characters or blanks, a plausible scheme before "://",
 * proper percent-escapes. */
static bool is_url(const char *s)
{
    for (const char *p = s; *p; p++) {
        if (iscntrl((unsigned char)*p) || *p == ' ')
            return false;
        if (*p == '%' && !(isxdigit((unsigned char)p[1]) && isxdigit((unsigned char)p[2])))
            return false;
    }
    size_t first = strcspn(s, "/?#"), colon = strcspn(s, ":");
    if (s[colon] == ':' && colon < first) {
        if (colon == 0 || !isalpha((unsigned char)*s))
            return false;
        for (size_t i = 0; i < colon; i++)
            if (!isalnum((unsigned char)s[i]) && !strchr("+-.", s[i]))
                return false;
    }
    return true;
}

char *giturl_normalize(const char *url)
{
    view_t v = view_trim(view_of(str_or_empty(url)));
    AUTO_STR s = STR_INIT;
    for (size_t i = 0; i < v.n; i++)
        str_putc(&s, (char)tolower((unsigned char)v.p[i]));
    AUTO(free_p) char *text = str_take(&s);
    if (giturl_is_ssh(text) && !str_has_prefix(text, "ssh://")) {
        char *colon = strchr(text, ':');
        if (colon)
            *colon = '/';
        char *with_scheme = xasprintf("ssh://%s", text);
        free(text);
        text = with_scheme;
    }
    if (str_has_suffix(text, ".git"))
        text[strlen(text) - 4] = 0;
    if (!is_url(text))
        return xstrdup("");
    const char *rest = str_after(text, "ssh://");
    return xstrdup(rest ? rest : text);
}

bool giturl_same(const char *a, const char *b)
{
    AUTO(free_p) char *x = giturl_normalize(a);
    AUTO(free_p) char *y = giturl_normalize(b);
    return strcmp(x, y) == 0;
}
