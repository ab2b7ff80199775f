#include "common/json/number.h"
#include "common/json/scan.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

/* No JSON text can contain this key: it is not UTF-8. */
static const char NUMBER_KEY[] = "\xff";

bool json_is_number_text(const json_t *v)
{
    return json_is_object(v) && json_object_size(v) == 1 && json_object_get(v, NUMBER_KEY) != NULL;
}

const char *json_number_text(const json_t *v)
{
    return json_is_number_text(v) ? json_string_value(json_object_get(v, NUMBER_KEY)) : NULL;
}

bool json_is_any_number(const json_t *v)
{
    return json_is_number(v) || json_is_number_text(v);
}

bool json_is_map(const json_t *v)
{
    return json_is_object(v) && !json_is_number_text(v);
}

/* Shortest decimal that reads back, as digits and exponent of "d.ddd e exp". */
static int shortest(double v, char digits[32])
{
    char buf[40];
    for (int precision = 0; precision < 18; precision++) {
        snprintf(buf, sizeof(buf), "%.*e", precision, v);
        if (strtod(buf, NULL) == v)
            break;
    }
    char *e = strchr(buf, 'e');
    int exponent = (int)strtol(e + 1, NULL, 10);
    size_t n = 0;
    for (char *p = buf; p < e; p++)
        if (*p >= '0' && *p <= '9')
            digits[n++] = *p;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = 0;
    return exponent;
}

void json_write_double(double v, str_t *out)
{
    if (v == 0) {
        str_puts(out, signbit(v) ? "-0" : "0");
        return;
    }
    if (fabs(v) < 9007199254740992.0 && v == (double)(int64_t)v) {
        str_printf(out, "%lld", (long long)v);
        return;
    }
    char digits[32] = "";
    int exponent = shortest(fabs(v), digits), n = (int)strlen(digits);
    if (v < 0)
        str_putc(out, '-');
    if (exponent < -6 || exponent >= 21) {
        str_putc(out, digits[0]);
        if (n > 1)
            str_printf(out, ".%s", digits + 1);
        str_printf(out, "e%c%d", exponent < 0 ? '-' : '+', abs(exponent));
        return;
    }
    if (exponent < 0) {
        str_puts(out, "0.");
        for (int i = -1; i > exponent; i--)
            str_putc(out, '0');
        str_puts(out, digits);
        return;
    }
    for (int i = 0; i < n || i <= exponent; i++) {
        if (i == exponent + 1)
            str_putc(out, '.');
        str_putc(out, i < n ? digits[i] : '0');
    }
}

static bool is_number(const char *text, size_t n)
{
    struct json_scan s;
    json_scan_init(&s, text, n);
    return n && json_scan_next(&s) == JT_NUMBER && s.p == s.end;
}

static json_t *number_text_new(const char *text, size_t n)
{
    json_t *v = json_object();
    if (!v || json_object_set_new_nocheck(v, NUMBER_KEY, json_stringn_nocheck(text, n)))
        oom();
    return v;
}

json_t *json_number_of(const char *text, size_t n)
{
    if (!is_number(text, n))
        return NULL;
    char small[64];
    if (n >= sizeof(small))
        return number_text_new(text, n);
    memcpy(small, text, n);
    small[n] = 0;
    if (!strpbrk(small, ".eE")) {
        errno = 0;
        long long i = strtoll(small, NULL, 10);
        if (errno == 0 && strcmp(small, "-0") != 0)
            return json_integer(i);
        return number_text_new(text, n);
    }
    double d = strtod(small, NULL);
    if (!isfinite(d))
        return number_text_new(text, n);
    AUTO_STR back = STR_INIT;
    json_write_double(d, &back);
    return strcmp(str_text(&back), small) == 0 ? json_real(d) : number_text_new(text, n);
}

void decimal_of(const json_t *v, str_t *scratch, struct decimal *out)
{
    str_reset(scratch);
    const char *text = json_number_text(v);
    if (json_is_integer(v))
        str_printf(scratch, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        json_write_double(json_real_value(v), scratch);
    else
        str_puts(scratch, str_or_empty(text));
    str_putc(scratch, ' ');

    /* Squeeze the digits to the front, noting where the point is. */
    char *p = scratch->p, *to = scratch->p;
    int64_t point = 0;
    bool seen_point = false, seen_digit = false;
    out->negative = *p == '-';
    for (; *p && *p != ' ' && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.')
            seen_point = true;
        if (*p < '0' || *p > '9')
            continue;
        if (!seen_digit && *p == '0') {
            point -= seen_point;
            continue;
        }
        seen_digit = true;
        point += !seen_point;
        *to++ = *p;
    }
    int64_t exponent = 0;
    if (*p == 'e' || *p == 'E') {
        errno = 0;
        exponent = strtoll(p + 1, NULL, 10);
        if (exponent > INT32_MAX || exponent < INT32_MIN)
            exponent = exponent < 0 ? INT32_MIN : INT32_MAX;
    }
    while (to > scratch->p && to[-1] == '0')
        to--;
    out->digits = scratch->p;
    out->n = (size_t)(to - scratch->p);
    out->exponent = out->n ? point + exponent : 0;
    out->negative = out->negative && out->n;
}

int decimal_cmp(const struct decimal *a, const struct decimal *b)
{
    if (a->negative != b->negative)
        return a->negative ? -1 : 1;
    int sign = a->negative ? -1 : 1;
    if (!a->n || !b->n)
        return sign * ((a->n != 0) - (b->n != 0));
    if (a->exponent != b->exponent)
        return a->exponent < b->exponent ? -sign : sign;
    int d = memcmp(a->digits, b->digits, min_size(a->n, b->n));
    if (d == 0)
        d = (a->n > b->n) - (a->n < b->n);
    return d < 0 ? -sign : d > 0 ? sign : 0;
}

bool json_to_i64(const json_t *v, int64_t *out)
{
    if (json_is_integer(v)) {
        *out = json_integer_value(v);
        return true;
    }
    if (!json_is_any_number(v))
        return false;
    AUTO_STR scratch = STR_INIT;
    struct decimal d;
    decimal_of(v, &scratch, &d);
    if (d.n == 0) {
        *out = 0;
        return true;
    }
    if (d.exponent < (int64_t)d.n || d.exponent > 19)
        return false;
    AUTO_STR text = STR_INIT;
    str_puts(&text, d.negative ? "-" : "");
    str_add(&text, d.digits, d.n);
    for (int64_t i = (int64_t)d.n; i < d.exponent; i++)
        str_putc(&text, '0');
    return str_to_i64(str_text(&text), out);
}

bool json_to_double(const json_t *v, double *out)
{
    const char *text = json_number_text(v);
    if (text)
        *out = strtod(text, NULL);
    else if (json_is_number(v))
        *out = json_number_value(v);
    else
        return false;
    return isfinite(*out);
}
