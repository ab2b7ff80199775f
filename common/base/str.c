#include "common/base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

void str_dispose(str_t *s)
{
    free(s->p);
    size_t max = s->max;
    *s = (str_t){.max = max};
}

void str_reset(str_t *s)
{
    s->len = 0;
    s->overflowed = false;
    if (s->p)
        s->p[0] = 0;
}

char *str_reserve(str_t *s, size_t n)
{
    size_t max = s->max ? s->max : STR_DEFAULT_MAX;
    if (s->overflowed || n > max || s->len > max - n) {
        s->overflowed = true;
        return NULL;
    }
    size_t need = s->len + n + 1;
    if (need > s->cap) {
        size_t cap = s->cap ? s->cap : 64;
        while (cap < need)
            cap += cap / 2 + 16;
        s->p = xrealloc(s->p, cap);
        s->cap = cap;
    }
    return s->p + s->len;
}

void str_add(str_t *s, const void *p, size_t n)
{
    char *to = str_reserve(s, n);
    if (!to)
        return;
    if (n)
        memcpy(to, p, n);
    to[n] = 0;
    s->len += n;
}

void str_puts(str_t *s, const char *text)
{
    if (text)
        str_add(s, text, strlen(text));
}

void str_putc(str_t *s, char c)
{
    str_add(s, &c, 1);
}

void str_vprintf(str_t *s, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    if (n < 0)
        oom();
    char *to = str_reserve(s, (size_t)n);
    if (to) {
        vsnprintf(to, (size_t)n + 1, fmt, again);
        s->len += (size_t)n;
    }
    va_end(again);
}

void str_printf(str_t *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    str_vprintf(s, fmt, ap);
    va_end(ap);
}

void str_truncate(str_t *s, size_t len)
{
    if (len < s->len) {
        s->len = len;
        s->p[len] = 0;
    }
}

void str_consume(str_t *s, size_t n)
{
    if (n >= s->len) {
        str_truncate(s, 0);
        return;
    }
    memmove(s->p, s->p + n, s->len - n + 1);
    s->len -= n;
}

const char *str_text(const str_t *s)
{
    return s->p ? s->p : "";
}

char *str_take(str_t *s)
{
    char *p = s->p ? s->p : xstrdup("");
    s->p = NULL;
    str_dispose(s);
    return p;
}

bool str_eq(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

const char *str_or_empty(const char *s)
{
    return s ? s : "";
}

bool str_same(const char *a, const char *b)
{
    return strcmp(str_or_empty(a), str_or_empty(b)) == 0;
}

int str_cmp(const char *a, const char *b)
{
    return strcmp(str_or_empty(a), str_or_empty(b));
}

bool str_empty(const char *s)
{
    return !s || !*s;
}

const char *str_after(const char *s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s && strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

bool str_has_prefix(const char *s, const char *prefix)
{
    return str_after(s, prefix) != NULL;
}

bool str_has_suffix(const char *s, const char *suffix)
{
    if (!s)
        return false;
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

bool view_eq(view_t v, const char *s)
{
    return s && strlen(s) == v.n && (v.n == 0 || memcmp(v.p, s, v.n) == 0);
}

view_t view_trim(view_t v)
{
    while (v.n && isspace((unsigned char)v.p[0]))
        v.p++, v.n--;
    while (v.n && isspace((unsigned char)v.p[v.n - 1]))
        v.n--;
    return v;
}

bool view_split(view_t *rest, char sep, view_t *part)
{
    if (!rest->p)
        return false;
    const char *at = memchr(rest->p, sep, rest->n);
    if (!at) {
        *part = *rest;
        *rest = (view_t){NULL, 0};
        return true;
    }
    *part = (view_t){rest->p, (size_t)(at - rest->p)};
    rest->n -= part->n + 1;
    rest->p = at + 1;
    return true;
}

char **strv_split(const char *s, const char *separators, bool trim_and_skip_empty)
{
    char **v = NULL;
    size_t n = 0;
    while (s) {
        size_t len = strcspn(s, separators);
        view_t part = {s, len};
        if (trim_and_skip_empty)
            part = view_trim(part);
        if (part.n || !trim_and_skip_empty) {
            v = xrealloc(v, (n + 2) * sizeof(*v));
            v[n++] = xstrndup(part.p, part.n);
        }
        s = s[len] ? s + len + 1 : NULL;
    }
    if (!v)
        v = xmalloc(sizeof(*v));
    v[n] = NULL;
    return v;
}

void strv_free(char **v)
{
    if (!v)
        return;
    for (size_t i = 0; v[i]; i++)
        free(v[i]);
    free(v);
}

size_t strv_len(char *const *v)
{
    size_t n = 0;
    while (v && v[n])
        n++;
    return n;
}

bool strv_contains(char *const *v, const char *s)
{
    for (size_t i = 0; v && v[i]; i++)
        if (strcmp(v[i], s) == 0)
            return true;
    return false;
}

char *strv_join(char *const *v, const char *separator)
{
    str_t s = STR_INIT;
    for (size_t i = 0; v && v[i]; i++) {
        if (i)
            str_puts(&s, separator);
        str_puts(&s, v[i]);
    }
    return str_take(&s);
}

bool str_to_i64(const char *s, int64_t *out)
{
    if (str_empty(s) || isspace((unsigned char)*s))
        return false;
    char *end;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    if (errno || *end)
        return false;
    *out = v;
    return true;
}

bool str_to_u64(const char *s, uint64_t *out)
{
    if (str_empty(s) || !isdigit((unsigned char)*s))
        return false;
    char *end;
    errno = 0;
    unsigned long long v = strtoull(s, &end, 10);
    if (errno || *end)
        return false;
    *out = v;
    return true;
}

bool str_to_bool(const char *s, bool *out)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
    for (size_t i = 0; s && i < ARRAY_LEN(yes); i++) {
        if (strcmp(s, yes[i]) == 0) {
            *out = true;
            return true;
        }
        if (strcmp(s, no[i]) == 0) {
            *out = false;
            return true;
        }
    }
    return false;
}

size_t utf8_decode(const char *s, size_t n, uint32_t *cp)
{
    const unsigned char *p = (const unsigned char *)s;
    if (p[0] < 0x80) {
        *cp = p[0];
        return 1;
    }
    size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (p[0] < 0xc2 || p[0] > 0xf4 || n < len)
        return 0;
    uint32_t v = p[0] & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        v = v << 6 | (p[i] & 0x3f);
    }
    if (v < least[len] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
        return 0;
    *cp = v;
    return len;
}

size_t utf8_encode(uint32_t cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
        return 0;
    size_t len = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len; i-- > 1; cp >>= 6)
        out[i] = (char)(0x80 | (cp & 0x3f));
    out[0] = (char)(lead[len] | cp);
    return len;
}

bool utf8_valid(const char *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        if ((unsigned char)p[i] < 0x80) {
            i++;
            continue;
        }
        uint32_t cp;
        size_t len = utf8_decode(p + i, n - i, &cp);
        if (!len)
            return false;
        i += len;
    }
    return true;
}

int str_natural_cmp(const char *a, const char *b)
{
    while (*a && *b) {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            a += strspn(a, "0");
            b += strspn(b, "0");
            size_t n = strspn(a, "0123456789"), m = strspn(b, "0123456789");
            if (n != m)
                return n < m ? -1 : 1;
            int d = memcmp(a, b, n);
            if (d)
                return d;
            a += n;
            b += m;
            continue;
        }
        if (*a != *b)
            return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
        a++;
        b++;
    }
    return (*a != 0) - (*b != 0);
}
