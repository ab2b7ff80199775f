#include "common/engine/annotations.h"

/* The length of the blank that the text begins with; 0: none. Blanks are Unicode's white space. */
static size_t blank_at(const char *p, size_t n)
{
    uint32_t c = 0;
    size_t len = utf8_decode(p, n, &c);
    bool blank = (c >= '\t' && c <= '\r') || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
                 (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
                 c == 0x3000;
    return blank ? len : 0;
}

static view_t trimmed(view_t v)
{
    for (size_t n; v.n && (n = blank_at(v.p, v.n)) > 0;)
        v.p += n, v.n -= n;
    /* A blank is up to three bytes long. */
    for (size_t n = 1; n <= 3 && n <= v.n; n++)
        if (blank_at(v.p + v.n - n, n) == n)
            v.n -= n, n = 0;
    return v;
}

bool annotation_next(view_t *rest, view_t *item)
{
    while (view_split(rest, ',', item)) {
        *item = trimmed(*item);
        if (item->n)
            return true;
    }
    return false;
}

bool annotation_has(const json_t *object, const char *key, const char *wanted)
{
    view_t rest = view_of(object_annotation(object, key)), item;
    while (annotation_next(&rest, &item))
        if (view_eq(item, wanted))
            return true;
    return false;
}

char *annotation_value(const json_t *object, const char *key, const char *name)
{
    size_t n = strlen(name);
    view_t rest = view_of(object_annotation(object, key)), item;
    while (annotation_next(&rest, &item))
        if (item.n > n && memcmp(item.p, name, n) == 0 && item.p[n] == '=')
            return xstrndup(item.p + n + 1, item.n - n - 1);
    return NULL;
}
