#include "common/base/enc.h"

#include <ctype.h>
#include <stdio.h>

static const char b64_std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char b64_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode64(const unsigned char *p, size_t n, const char *alphabet, bool pad, str_t *out)
{
    for (; n; n -= min_size(n, 3), p += 3) {
        uint32_t v = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) | (n > 2 ? p[2] : 0);
        size_t digits = min_size(n, 3) + 1;
        for (size_t i = 0; i < 4; i++) {
            if (i < digits)
                str_putc(out, alphabet[v >> (18 - 6 * i) & 63]);
            else if (pad)
                str_putc(out, '=');
        }
    }
}

void base64_encode(const void *p, size_t n, str_t *out)
{
    encode64(p, n, b64_std, true, out);
}

void base64url_encode(const void *p, size_t n, str_t *out)
{
    encode64(p, n, b64_url, false, out);
}

static int digit64(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

bool base64_decode(const char *text, size_t n, str_t *out)
{
    size_t start = out->len;
    uint32_t v = 0;
    size_t digits = 0, pads = 0;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        if (c == '\n' || c == '\r')
            continue;
        if (c == '=') {
            pads++;
            continue;
        }
        int d = digit64(c);
        if (d < 0 || pads)
            goto bad;
        v = v << 6 | (uint32_t)d;
        if (++digits % 4 == 0) {
            char b[3] = {(char)(v >> 16), (char)(v >> 8), (char)v};
            str_add(out, b, 3);
            v = 0;
        }
    }
    size_t rest = digits % 4;
    if (rest == 1 || (pads && pads != (4 - rest) % 4))
        goto bad;
    if (rest) {
        v <<= 6 * (4 - rest);
        char b[2] = {(char)(v >> 16), (char)(v >> 8)};
        str_add(out, b, rest - 1);
    }
    if (out->len == start)
        str_add(out, "", 0);
    return !str_overflowed(out);
bad:
    str_truncate(out, start);
    return false;
}

void hex_encode(const void *data, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * n] = 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(const char *text, size_t n, unsigned char *out)
{
    if (n % 2)
        return false;
    for (size_t i = 0; i < n; i += 2) {
        int hi = hex_digit(text[i]), lo = hex_digit(text[i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        out[i / 2] = (unsigned char)(hi << 4 | lo);
    }
    return true;
}

void url_escape(const char *text, bool keep_slash, str_t *out)
{
    for (const char *p = text; *p; p++) {
        if (isalnum((unsigned char)*p) || strchr("-._~", *p) || (keep_slash && *p == '/'))
            str_putc(out, *p);
        else
            str_printf(out, "%%%02X", (unsigned char)*p);
    }
}

bool url_unescape(view_t text, bool form, str_t *out)
{
    str_add(out, "", 0);
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '%') {
            unsigned char byte;
            if (text.n - i < 3)
                return false;
            if (!hex_decode(text.p + i + 1, 2, &byte))
                return false;
            c = (char)byte;
            i += 2;
        } else if (form && c == '+') {
            c = ' ';
        }
        str_putc(out, c);
    }
    return true;
}
