#include "api-server/auth/cookie.h"

#include "common/base/vec.h"

#include <stdio.h>

enum { COOKIE_MAX = 4093, CHUNKS_MAX = 100 };

char *cookie_attributes(const char *base, bool secure)
{
    AUTO_STR path = STR_INIT;
    str_puts(&path, str_or_empty(base));
    while (path.len && path.p[path.len - 1] == '/')
        str_truncate(&path, path.len - 1);
    const char *p = str_text(&path);
    while (*p == '/')
        p++;
    return xasprintf("path=/%s; SameSite=lax; httpOnly%s", p, secure ? "; Secure" : "");
}

static char *one_cookie(size_t index, const char *prefix, const char *chunk, size_t n, const char *attributes)
{
    AUTO_STR s = STR_INIT;
    str_puts(&s, SESSION_COOKIE);
    if (index)
        str_printf(&s, "-%zu", index);
    str_printf(&s, "=%s", prefix);
    str_add(&s, chunk, n);
    str_printf(&s, "; %s", attributes);
    return str_take(&s);
}

int cookie_split(const char *value, const char *attributes, size_t max_cookies, char ***out, err_t **err)
{
    size_t len = strlen(value), overhead = strlen(SESSION_COOKIE) + 3 + strlen(attributes) + 2;
    size_t chunk = COOKIE_MAX > overhead ? COOKIE_MAX - overhead : 1;
    size_t n = len ? (len + chunk - 1) / chunk : 1;
    if (n > max_cookies)
        return err_set(
            err, ERR_INVALID_ARGUMENT,
            "the authentication token is %zu characters long and requires %zu cookies but the max number of "
            "cookies is %zu. Contact your Argo CD administrator to increase the max number of cookies",
            len, n, max_cookies);
    VEC(char *) list = {};
    for (size_t i = 0; i < n; i++) {
        char prefix[32] = "";
        if (n > 1 && i == 0)
            snprintf(prefix, sizeof prefix, "%zu:", n);
        VEC_PUSH(&list,
                 one_cookie(i, prefix, value + i * chunk, min_size(chunk, len - i * chunk), attributes));
    }
    VEC_PUSH(&list, NULL);
    *out = list.v;
    return 0;
}

/* The value of the cookie `name` in a Cookie header. */
static bool find(const char *header, const char *name, view_t *value)
{
    view_t rest = view_of(header), part;
    size_t n = strlen(name);
    while (view_split(&rest, ';', &part)) {
        part = view_trim(part);
        if (part.n > n && part.p[n] == '=' && !memcmp(part.p, name, n)) {
            *value = (view_t){part.p + n + 1, part.n - n - 1};
            return true;
        }
    }
    return false;
}

/* "<n>:" at the front of a first chunk; 0 when it is a whole value. */
static size_t chunk_count(view_t *value)
{
    size_t n = 0, digits = 0;
    while (digits < value->n && digits < 4 && value->p[digits] >= '0' && value->p[digits] <= '9')
        n = n * 10 + (size_t)(value->p[digits++] - '0');
    if (!digits || digits == value->n || value->p[digits] != ':')
        return 0;
    *value = (view_t){value->p + digits + 1, value->n - digits - 1};
    return n;
}

char *cookie_join(const char *header, const char *name)
{
    view_t v;
    AUTO_STR joined = STR_INIT;
    if (!header || !find(header, name, &v))
        return NULL;
    size_t n = chunk_count(&v);
    if (n > CHUNKS_MAX)
        return NULL;
    str_add(&joined, v.p, v.n);
    for (size_t i = 1; i < n; i++) {
        AUTO(free_p) char *next = xasprintf("%s-%zu", name, i);
        if (!find(header, next, &v))
            return NULL;
        str_add(&joined, v.p, v.n);
    }
    return str_take(&joined);
}

char **cookie_clear(const char *header, const char *attributes)
{
    VEC(char *) list = {};
    view_t rest = view_of(str_or_empty(header)), part;
    while (view_split(&rest, ';', &part) && list.n < CHUNKS_MAX) {
        part = view_trim(part);
        const char *eq = memchr(part.p, '=', part.n);
        size_t n = eq ? (size_t)(eq - part.p) : 0;
        if (n >= strlen(SESSION_COOKIE) && !memcmp(part.p, SESSION_COOKIE, strlen(SESSION_COOKIE)))
            VEC_PUSH(&list, xasprintf("%.*s=; Max-Age=0; %s", (int)n, part.p, attributes));
    }
    VEC_PUSH(&list, NULL);
    return list.v;
}
