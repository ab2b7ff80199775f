#include "common/json/json.h"

#include <stdio.h>

/* What follows a backslash for a byte; 1: \u00XX; 0: as it is. */
static char escape_of(unsigned char c, unsigned style)
{
    switch (c) {
    case '"':
    case '\\':
        return (char)c;
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '<':
    case '>':
    case '&':
        return style & JSON_NO_HTML ? 0 : 1;
    default:
        return c < 0x20 ? 1 : 0;
    }
}

void json_write_string(const char *p, size_t n, unsigned style, str_t *out)
{
    str_putc(out, '"');
    size_t start = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        /* U+2028 and U+2029 are E2 80 A8 and E2 80 A9. */
        bool separator = c == 0xe2 && !(style & JSON_NO_HTML) && n - i >= 3 &&
                         (unsigned char)p[i + 1] == 0x80 && ((unsigned char)p[i + 2] | 1) == 0xa9;
        char e = separator ? 2 : escape_of(c, style);
        if (!e)
            continue;
        str_add(out, p + start, i - start);
        if (separator) {
            str_puts(out, (unsigned char)p[i + 2] == 0xa8 ? "\\u2028" : "\\u2029");
            i += 2;
        } else if (e == 1) {
            str_printf(out, "\\u%04x", c);
        } else {
            str_putc(out, '\\');
            str_putc(out, e);
        }
        start = i + 1;
    }
    str_add(out, p + start, n - start);
    str_putc(out, '"');
}

static void newline(str_t *out, unsigned style, unsigned depth)
{
    if (!(style & JSON_PRETTY))
        return;
    str_putc(out, '\n');
    for (unsigned i = 0; i < depth; i++)
        str_puts(out, "  ");
}

static void write_value(const json_t *v, unsigned style, unsigned depth, str_t *out);

struct member {
    const char *key;
    size_t len;
    const json_t *value;
};

static int by_key(const void *pa, const void *pb)
{
    const struct member *a = pa, *b = pb;
    int d = memcmp(a->key, b->key, min_size(a->len, b->len));
    return d ? d : (a->len > b->len) - (a->len < b->len);
}

static void write_object(const json_t *v, unsigned style, unsigned depth, str_t *out)
{
    size_t n = json_object_size(v), i = 0;
    if (n == 0) {
        str_puts(out, "{}");
        return;
    }
    struct member few[16];
    AUTO(free_p) struct member *many = NULL;
    if (n > ARRAY_LEN(few))
        many = xcalloc(n, sizeof(*many));
    struct member *members = many ? many : few;
    json_t *mutable = (json_t *)(uintptr_t)v; /* jansson's iterators are not const */
    for (void *it = json_object_iter(mutable); it; it = json_object_iter_next(mutable, it))
        members[i++] = (struct member){json_object_iter_key(it), json_object_iter_key_len(it),
                                       json_object_iter_value(it)};
    n = i;
    if (!(style & JSON_KEEP_ORDER) && n > 1)
        qsort(members, n, sizeof(*members), by_key);
    str_putc(out, '{');
    for (i = 0; i < n; i++) {
        if (i)
            str_putc(out, ',');
        newline(out, style, depth + 1);
        json_write_string(members[i].key, members[i].len, style, out);
        str_puts(out, style & JSON_PRETTY ? ": " : ":");
        write_value(members[i].value, style, depth + 1, out);
    }
    newline(out, style, depth);
    str_putc(out, '}');
}

static void write_array(const json_t *v, unsigned style, unsigned depth, str_t *out)
{
    size_t n = json_array_size(v);
    str_putc(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            str_putc(out, ',');
        newline(out, style, depth + 1);
        write_value(json_array_get(v, i), style, depth + 1, out);
    }
    if (n)
        newline(out, style, depth);
    str_putc(out, ']');
}

static void write_value(const json_t *v, unsigned style, unsigned depth, str_t *out)
{
    const char *number = json_number_text(v);
    if (number) {
        str_puts(out, number);
        return;
    }
    switch (v ? json_typeof(v) : JSON_NULL) {
    case JSON_OBJECT:
        write_object(v, style, depth, out);
        break;
    case JSON_ARRAY:
        write_array(v, style, depth, out);
        break;
    case JSON_STRING:
        json_write_string(json_string_value(v), json_string_length(v), style, out);
        break;
    case JSON_INTEGER:
        str_printf(out, "%lld", (long long)json_integer_value(v));
        break;
    case JSON_REAL:
        json_write_double(json_real_value(v), out);
        break;
    case JSON_TRUE:
        str_puts(out, "true");
        break;
    case JSON_FALSE:
        str_puts(out, "false");
        break;
    default:
        str_puts(out, "null");
    }
}

void json_write(const json_t *v, unsigned style, str_t *out)
{
    write_value(v, style, 0, out);
}

char *json_text(const json_t *v, unsigned style)
{
    str_t s = STR_INIT;
    json_write(v, style, &s);
    return str_take(&s);
}
