/* Quantities are decimal numbers with a suffix. They are held exactly as value * 10^-9 in 128 bits, which
 * covers what Kubernetes accepts (it caps at 2^63-1 and rounds up below a nano); what does not fit is no
 * quantity. */
#include "common/kinds/kinds.h"

#include <ctype.h>

typedef __int128 wide_t;

static const wide_t NANO = 1000000000;

enum format { DECIMAL_SI, BINARY_SI, DECIMAL_EXPONENT };

static const struct {
    const char *text;
    int exponent; /* of 10, or of 2 for the binary ones */
    bool binary;
} suffixes[] = {
    {"n", -9, false}, {"u", -6, false}, {"m", -3, false}, {"", 0, false},
    {"k", 3, false},  {"M", 6, false},  {"G", 9, false},  {"T", 12, false},
    {"P", 15, false}, {"E", 18, false}, {"Ki", 10, true}, {"Mi", 20, true},
    {"Gi", 30, true}, {"Ti", 40, true}, {"Pi", 50, true}, {"Ei", 60, true},
};

static bool mul(wide_t *v, wide_t by)
{
    return !__builtin_mul_overflow(*v, by, v);
}

/* v * 10^exponent; what falls below one is rounded up, away from zero. */
static bool scale10(wide_t *v, int exponent)
{
    if (exponent > 40 || exponent < -60)
        return false;
    for (; exponent > 0; exponent--)
        if (!mul(v, 10))
            return false;
    bool rest = false;
    for (; exponent < 0; exponent++) {
        rest = rest || *v % 10 != 0;
        *v /= 10;
    }
    if (rest)
        *v += 1;
    return true;
}

/* Reads the number in front; *v is it without its point, *exponent where the point was. */
static bool read_digits(const char **p, wide_t *v, int *exponent)
{
    bool any = false, point = false;
    *v = 0;
    *exponent = 0;
    for (; isdigit((unsigned char)**p) || (**p == '.' && !point); (*p)++) {
        if (**p == '.') {
            point = true;
            continue;
        }
        any = true;
        if (!mul(v, 10) || *v > ((wide_t)1 << 120))
            return false;
        *v += **p - '0';
        *exponent -= point;
    }
    return any;
}

static bool parse(const char *text, wide_t *nano, enum format *format)
{
    if (str_empty(text) || strlen(text) > 64)
        return false;
    const char *p = text;
    bool negative = *p == '-';
    if (*p == '-' || *p == '+')
        p++;
    wide_t v;
    int exponent;
    if (!read_digits(&p, &v, &exponent))
        return false;
    *format = DECIMAL_SI;
    if ((*p == 'e' || *p == 'E') &&
        (isdigit((unsigned char)p[1]) || ((p[1] == '-' || p[1] == '+') && p[2]))) {
        int64_t e;
        if (!str_to_i64(p[1] == '+' ? p + 2 : p + 1, &e) || e > 100 || e < -100)
            return false;
        *format = DECIMAL_EXPONENT;
        exponent += (int)e;
    } else {
        size_t i = 0;
        while (i < ARRAY_LEN(suffixes) && strcmp(suffixes[i].text, p) != 0)
            i++;
        if (i == ARRAY_LEN(suffixes))
            return false;
        if (suffixes[i].binary) {
            *format = BINARY_SI;
            if (!mul(&v, (wide_t)1 << suffixes[i].exponent))
                return false;
        } else {
            exponent += suffixes[i].exponent;
        }
    }
    if (!scale10(&v, exponent + 9))
        return false;
    *nano = negative ? -v : v;
    return true;
}

static void put_number(wide_t v, str_t *out)
{
    char digits[48];
    size_t n = 0;
    bool negative = v < 0;
    do {
        int d = (int)(v % 10);
        digits[n++] = (char)('0' + (d < 0 ? -d : d));
        v /= 10;
    } while (v);
    if (negative)
        str_putc(out, '-');
    while (n)
        str_putc(out, digits[--n]);
}

static void put_decimal(wide_t nano, enum format format, str_t *out)
{
    int exponent = -9;
    while (exponent < 18 && nano % 1000 == 0) {
        nano /= 1000;
        exponent += 3;
    }
    put_number(nano, out);
    if (format == DECIMAL_EXPONENT) {
        if (exponent)
            str_printf(out, "e%d", exponent);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
        if (!suffixes[i].binary && suffixes[i].exponent == exponent)
            str_puts(out, suffixes[i].text);
}

bool quantity_canonical(const char *text, str_t *out)
{
    wide_t nano;
    enum format format;
    if (!parse(text, &nano, &format))
        return false;
    if (nano == 0) {
        str_puts(out, "0");
        return true;
    }
    wide_t whole = nano / NANO;
    /* Below 1024, and for fractions, the binary notation falls back to the decimal one. */
    if (format == BINARY_SI && nano % NANO == 0 && (whole >= 1024 || whole <= -1024)) {
        const char *suffix = "";
        for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
            if (!suffixes[i].binary || whole % 1024 != 0)
                continue;
            whole /= 1024;
            suffix = suffixes[i].text;
        }
        put_number(whole, out);
        str_puts(out, suffix);
        return true;
    }
    put_decimal(nano, format == BINARY_SI ? DECIMAL_SI : format, out);
    return true;
}

bool quantity_milli(const char *text, int64_t *out)
{
    wide_t nano;
    enum format format;
    if (!parse(text, &nano, &format))
        return false;
    wide_t milli = nano / 1000000;
    if (nano > 0 && nano % 1000000)
        milli++;
    if (milli > INT64_MAX || milli < INT64_MIN)
        return false;
    *out = (int64_t)milli;
    return true;
}

bool quantity_equal(const char *a, const char *b)
{
    wide_t x, y;
    enum format f;
    return parse(a, &x, &f) && parse(b, &y, &f) && x == y;
}
