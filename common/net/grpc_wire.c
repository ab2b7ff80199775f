#include "common/net/grpc.h"

#include <ctype.h>
#include <stdio.h>

void grpc_head(size_t n, char out[GRPC_HEAD])
{
    out[0] = 0;
    for (unsigned i = 0; i < 4; i++)
        out[1 + i] = (char)(n >> (24 - 8 * i));
}

static size_t length_of(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (size_t)u[1] << 24 | (size_t)u[2] << 16 | (size_t)u[3] << 8 | u[4];
}

int grpc_reader_feed(struct grpc_reader *r, const void *p, size_t n, grpc_message_fn fn, void *arg,
                     err_t **err)
{
    size_t max = r->max ? r->max : GRPC_MESSAGE_MAX, at = 0;
    r->partial.max = max + GRPC_HEAD + (1 << 20); /* one message and what came with its end */
    str_add(&r->partial, p, n);
    if (str_overflowed(&r->partial))
        return err_set(err, ERR_RESOURCE_EXHAUSTED, "a message is too large");
    while (r->partial.len - at >= GRPC_HEAD) {
        const char *head = r->partial.p + at;
        size_t size = length_of(head);
        if (*head)
            return err_set(err, ERR_UNIMPLEMENTED, "compressed messages are not supported");
        if (size > max)
            return err_set(err, ERR_RESOURCE_EXHAUSTED, "received message larger than max (%zu vs. %zu)",
                           size, max);
        if (r->partial.len - at - GRPC_HEAD < size)
            break;
        int e = fn(arg, head + GRPC_HEAD, size, err);
        if (e < 0)
            return e;
        at += GRPC_HEAD + size;
    }
    str_consume(&r->partial, at);
    return 0;
}

void grpc_reader_dispose(struct grpc_reader *r)
{
    str_dispose(&r->partial);
}

static const struct {
    char unit;
    int64_t ns;
} units[] = {{'n', 1},          {'u', 1000},        {'m', 1000000},
             {'S', NS_PER_SEC}, {'M', SECONDS(60)}, {'H', SECONDS(3600)}};

bool grpc_timeout_read(const char *text, int64_t *ns)
{
    size_t digits = strspn(text, "0123456789");
    if (!digits || digits > 8 || !text[digits] || text[digits + 1])
        return false;
    int64_t v = 0;
    for (size_t i = 0; i < digits; i++)
        v = v * 10 + (text[i] - '0');
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (units[i].unit == text[digits]) {
            *ns = v > INT64_MAX / units[i].ns ? INT64_MAX : v * units[i].ns;
            return true;
        }
    }
    return false;
}

/* Rounded up: a call must not end at its server before it does here. */
void grpc_timeout_write(int64_t ns, char out[GRPC_TIMEOUT_TEXT])
{
    ns = ns < 1 ? 1 : ns;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        int64_t v = ns / units[i].ns + (ns % units[i].ns != 0);
        if (v < 100000000) {
            snprintf(out, GRPC_TIMEOUT_TEXT, "%d%c", (int)v, units[i].unit);
            return;
        }
    }
    snprintf(out, GRPC_TIMEOUT_TEXT, "99999999H");
}

void grpc_message_escape(const char *text, str_t *out)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c > 0x7e || c == '%')
            str_printf(out, "%%%02X", c);
        else
            str_putc(out, (char)c);
    }
}

static int hex_digit(char c)
{
    return isdigit((unsigned char)c)    ? c - '0'
           : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
                                        : -1;
}

void grpc_message_unescape(const char *p, size_t n, str_t *out)
{
    for (size_t i = 0; i < n; i++) {
        bool escaped = p[i] == '%' && i + 2 < n && hex_digit(p[i + 1]) >= 0 && hex_digit(p[i + 2]) >= 0;
        char c = escaped ? (char)(hex_digit(p[i + 1]) << 4 | hex_digit(p[i + 2])) : p[i];
        if (c)
            str_putc(out, c);
        i += escaped ? 2 : 0;
    }
}
