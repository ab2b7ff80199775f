#define PCRE2_CODE_UNIT_WIDTH 8
#include "common/yaml/order.h"

#include <pcre2.h>
#include <pthread.h>

/* Letters (Unicode's L) and digits (Nd) beyond ASCII are PCRE2's business: its tables come with the system.
 */
static pcre2_code *letter_re, *digit_re;
static pthread_once_t classes_once = PTHREAD_ONCE_INIT;

static pcre2_code *compile(const char *pattern)
{
    int code;
    size_t at;
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern, strlen(pattern), PCRE2_UTF | PCRE2_ANCHORED, &code,
                                   &at, NULL);
    if (!re)
        oom();
    return re;
}

static void compile_classes(void)
{
    letter_re = compile("\\p{L}");
    digit_re = compile("\\p{Nd}");
}

static bool is_class(pcre2_code *const *re, uint32_t c)
{
    char utf8[4];
    size_t n = utf8_encode(c, utf8);
    pthread_once(&classes_once, compile_classes);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    if (!data)
        oom();
    int r = pcre2_match(*re, (PCRE2_SPTR)utf8, n, 0, 0, data, NULL);
    pcre2_match_data_free(data);
    return r >= 0;
}

static bool is_letter(uint32_t c)
{
    if (c < 0x80)
        return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
    return is_class(&letter_re, c);
}

static bool is_digit(uint32_t c)
{
    if (c < 0x80)
        return c >= '0' && c <= '9';
    return is_class(&digit_re, c);
}

/* Adds a run of digits to *value (which wraps around, as in Go) and returns where the run ends. */
static size_t digit_run(view_t v, size_t i, uint64_t *value)
{
    size_t length = 0;
    for (uint32_t c; i < v.n; length++) {
        size_t n = utf8_decode(v.p + i, v.n - i, &c);
        if (!n || !is_digit(c))
            break;
        *value = *value * 10 + (uint64_t)((int64_t)c - '0');
        i += n;
    }
    return length;
}

/* Whether the digits right before i, back to a character that is none, include another than 0. */
static bool follows_nonzero(view_t v, size_t i)
{
    while (i > 0) {
        uint32_t c = 0xfffd;
        do
            i--;
        while (i && (v.p[i] & 0xc0) == 0x80);
        utf8_decode(v.p + i, v.n - i, &c);
        if (!is_digit(c))
            return false;
        if (c != '0')
            return true;
    }
    return false;
}

/* The first characters that differ stand at i in both. */
static int compare_at(view_t a, view_t b, size_t i)
{
    uint32_t ca = 0xfffd, cb = 0xfffd;
    utf8_decode(a.p + i, a.n - i, &ca);
    utf8_decode(b.p + i, b.n - i, &cb);
    bool letter_a = is_letter(ca), letter_b = is_letter(cb);
    if (letter_a != letter_b)
        return letter_a ? 1 : -1;
    if (!letter_a) {
        uint64_t start = (ca == '0' || cb == '0') && follows_nonzero(a, i), na = start, nb = start;
        size_t length_a = digit_run(a, i, &na), length_b = digit_run(b, i, &nb);
        if (na != nb)
            return (int64_t)na < (int64_t)nb ? -1 : 1;
        if (length_a != length_b)
            return length_a < length_b ? -1 : 1;
    }
    return ca < cb ? -1 : 1;
}

int yaml_key_cmp(view_t a, view_t b)
{
    size_t i = 0, n = min_size(a.n, b.n);
    while (i < n && a.p[i] == b.p[i])
        i++;
    if (i == n && a.n == b.n)
        return 0;
    while (i && ((i < a.n && (a.p[i] & 0xc0) == 0x80) || (i < b.n && (b.p[i] & 0xc0) == 0x80)))
        i--;
    if (i < a.n && i < b.n)
        return compare_at(a, b, i);
    return a.n < b.n ? -1 : 1;
}
