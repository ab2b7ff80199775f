/* goyaml decides by the first character what a plain scalar may be: a word of a small table, a number or a
 * timestamp; everything else is a string. Numbers follow Go's strconv with base 0 after underscores are
 * dropped, so that 0777, 0o14, 0b1 and 0x1f are integers and 08 is a float. There are no base 60 numbers. */
#include "common/yaml/scalar.h"

#include <math.h>

static const struct {
    const char *text;
    enum scalar_type type;
    bool truth;
    double d;
} words[] = {
    {"y", SCALAR_BOOL, true, 0},
    {"Y", SCALAR_BOOL, true, 0},
    {"yes", SCALAR_BOOL, true, 0},
    {"Yes", SCALAR_BOOL, true, 0},
    {"YES", SCALAR_BOOL, true, 0},
    {"true", SCALAR_BOOL, true, 0},
    {"True", SCALAR_BOOL, true, 0},
    {"TRUE", SCALAR_BOOL, true, 0},
    {"on", SCALAR_BOOL, true, 0},
    {"On", SCALAR_BOOL, true, 0},
    {"ON", SCALAR_BOOL, true, 0},
    {"n", SCALAR_BOOL, false, 0},
    {"N", SCALAR_BOOL, false, 0},
    {"no", SCALAR_BOOL, false, 0},
    {"No", SCALAR_BOOL, false, 0},
    {"NO", SCALAR_BOOL, false, 0},
    {"false", SCALAR_BOOL, false, 0},
    {"False", SCALAR_BOOL, false, 0},
    {"FALSE", SCALAR_BOOL, false, 0},
    {"off", SCALAR_BOOL, false, 0},
    {"Off", SCALAR_BOOL, false, 0},
    {"OFF", SCALAR_BOOL, false, 0},
    {"~", SCALAR_NULL, false, 0},
    {"null", SCALAR_NULL, false, 0},
    {"Null", SCALAR_NULL, false, 0},
    {"NULL", SCALAR_NULL, false, 0},
    {".nan", SCALAR_FLOAT, false, NAN},
    {".NaN", SCALAR_FLOAT, false, NAN},
    {".NAN", SCALAR_FLOAT, false, NAN},
    {".inf", SCALAR_FLOAT, false, INFINITY},
    {".Inf", SCALAR_FLOAT, false, INFINITY},
    {".INF", SCALAR_FLOAT, false, INFINITY},
    {"+.inf", SCALAR_FLOAT, false, INFINITY},
    {"+.Inf", SCALAR_FLOAT, false, INFINITY},
    {"+.INF", SCALAR_FLOAT, false, INFINITY},
    {"-.inf", SCALAR_FLOAT, false, -INFINITY},
    {"-.Inf", SCALAR_FLOAT, false, -INFINITY},
    {"-.INF", SCALAR_FLOAT, false, -INFINITY},
};
enum { LONGEST_WORD = 5 };

static bool resolve_word(struct scalar *s)
{
    if (s->text.n > LONGEST_WORD)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (words[i].text[0] != s->text.p[0] || !view_eq(s->text, words[i].text))
            continue;
        s->type = words[i].type;
        if (s->type == SCALAR_BOOL)
            s->truth = words[i].truth;
        else if (s->type == SCALAR_FLOAT)
            s->d = words[i].d;
        return true;
    }
    return false;
}

/* ---- timestamps: four layouts of Go's time.Parse ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One or two digits within [least, most]. */
static bool take_number(view_t *v, int least, int most, int *out)
{
    if (!v->n || !is_digit(v->p[0]))
        return false;
    size_t n = v->n > 1 && is_digit(v->p[1]) ? 2 : 1;
    *out = n == 2 ? (v->p[0] - '0') * 10 + v->p[1] - '0' : v->p[0] - '0';
    v->p += n, v->n -= n;
    return *out >= least && *out <= most;
}

static bool take_char(view_t *v, char c)
{
    if (!v->n || v->p[0] != c)
        return false;
    v->p++, v->n--;
    return true;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}

static void take_fraction(view_t *v)
{
    if (v->n < 2 || (v->p[0] != '.' && v->p[0] != ',') || !is_digit(v->p[1]))
        return;
    do
        v->p++, v->n--;
    while (v->n && is_digit(v->p[0]));
}

static bool take_zone(view_t *v)
{
    if (take_char(v, 'Z'))
        return true;
    if (v->n < 6 || (v->p[0] != '+' && v->p[0] != '-') || v->p[3] != ':' || !is_digit(v->p[1]) ||
        !is_digit(v->p[2]) || !is_digit(v->p[4]) || !is_digit(v->p[5]))
        return false;
    int hours = (v->p[1] - '0') * 10 + v->p[2] - '0', minutes = (v->p[4] - '0') * 10 + v->p[5] - '0';
    v->p += 6, v->n -= 6;
    return hours <= 24 && minutes <= 60;
}

/* "2006-1-2", "2006-1-2 15:4:5.9", and with T or t and a zone. */
static bool is_timestamp(view_t v)
{
    if (v.n < 8 || !is_digit(v.p[0]) || !is_digit(v.p[1]) || !is_digit(v.p[2]) || !is_digit(v.p[3]) ||
        v.p[4] != '-')
        return false;
    int year = (v.p[0] - '0') * 1000 + (v.p[1] - '0') * 100 + (v.p[2] - '0') * 10 + v.p[3] - '0';
    int month, day, unused;
    v.p += 5, v.n -= 5;
    if (!take_number(&v, 1, 12, &month) || !take_char(&v, '-') ||
        !take_number(&v, 1, days_in(year, month), &day))
        return false;
    if (!v.n)
        return true;
    bool zoned = take_char(&v, 'T') || take_char(&v, 't');
    if (!zoned && !take_char(&v, ' '))
        return false;
    while (!zoned && take_char(&v, ' '))
        ;
    if (!take_number(&v, 0, 23, &unused) || !take_char(&v, ':') || !take_number(&v, 0, 59, &unused) ||
        !take_char(&v, ':') || !take_number(&v, 0, 59, &unused))
        return false;
    take_fraction(&v);
    return (!zoned || take_zone(&v)) && !v.n;
}

/* ---- numbers ---- */

static int digit_of(char c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

/* All of the text as digits of the base; false also beyond 64 bits. */
static bool parse_magnitude(view_t v, unsigned base, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < v.n; i++) {
        unsigned digit = (unsigned)digit_of(v.p[i]);
        if (digit >= base || __builtin_mul_overflow(*out, base, out) ||
            __builtin_add_overflow(*out, digit, out))
            return false;
    }
    return v.n > 0;
}

/* A sign and a magnitude as int64, else, without a sign, as uint64. */
static bool take_integer(struct scalar *s, char sign, uint64_t magnitude)
{
    uint64_t most = (uint64_t)INT64_MAX + (sign == '-');
    if (magnitude > most && sign)
        return false;
    s->type = magnitude > most ? SCALAR_UINT : SCALAR_INT;
    if (s->type == SCALAR_UINT)
        s->u = magnitude;
    else
        s->i = sign == '-' ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

static bool resolve_integer(view_t v, struct scalar *s)
{
    char sign = 0;
    if (v.n && (v.p[0] == '+' || v.p[0] == '-')) {
        sign = v.p[0];
        v.p++, v.n--;
    }
    unsigned base = 10;
    view_t digits = v;
    if (v.n > 1 && v.p[0] == '0') {
        char c = (char)(v.p[1] | 0x20);
        base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
        size_t prefix = c == 'x' || c == 'b' || c == 'o' ? 2 : 1;
        digits = (view_t){v.p + prefix, v.n - prefix};
    }
    uint64_t magnitude;
    if (parse_magnitude(digits, base, &magnitude))
        return take_integer(s, sign, magnitude);
    /* goyaml parses what follows "0b" once more as a number of its own, sign included. */
    if (v.n > 3 && v.p[0] == '0' && v.p[1] == 'b' && !sign && (v.p[2] == '-' || v.p[2] == '+') &&
        parse_magnitude((view_t){v.p + 3, v.n - 3}, 2, &magnitude))
        return take_integer(s, v.p[2], magnitude);
    return false;
}

static size_t span_digits(view_t v, size_t from)
{
    size_t n = from;
    while (n < v.n && is_digit(v.p[n]))
        n++;
    return n - from;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool is_float_text(view_t v)
{
    size_t i = v.n && (v.p[0] == '-' || v.p[0] == '+');
    size_t whole = span_digits(v, i), part = 0;
    i += whole;
    if (i < v.n && v.p[i] == '.') {
        part = span_digits(v, i + 1);
        i += 1 + part;
    }
    if (!whole && !part)
        return false;
    if (i < v.n && (v.p[i] == 'e' || v.p[i] == 'E')) {
        i++;
        if (i < v.n && (v.p[i] == '-' || v.p[i] == '+'))
            i++;
        size_t exponent = span_digits(v, i);
        if (!exponent)
            return false;
        i += exponent;
    }
    return i == v.n;
}

/* Beyond the range of a double the text is no number, as for Go; too small is zero. */
static bool resolve_float(view_t v, struct scalar *s)
{
    if (!is_float_text(v))
        return false;
    AUTO(free_p) char *text = xstrndup(v.p, v.n);
    double d = strtod(text, NULL);
    if (isinf(d))
        return false;
    s->type = SCALAR_FLOAT;
    s->d = d;
    return true;
}

/* Whether underscores stand only between digits, as Go's literals have them. */
static bool underscores_ok(view_t v)
{
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] == '_' && (i == 0 || i + 1 == v.n || !is_digit(v.p[i - 1]) || !is_digit(v.p[i + 1])))
            return false;
    return true;
}

static void resolve_number(struct scalar *s)
{
    view_t v = s->text;
    AUTO(free_p) char *squeezed = NULL;
    if (memchr(v.p, '_', v.n)) {
        if (v.p[0] == '.' && !underscores_ok(v))
            return;
        squeezed = xmalloc(v.n + 1);
        size_t n = 0;
        for (size_t i = 0; i < v.n; i++)
            if (v.p[i] != '_')
                squeezed[n++] = v.p[i];
        v = (view_t){squeezed, n};
    }
    if (s->text.p[0] == '.' || !resolve_integer(v, s))
        resolve_float(v, s);
}

void scalar_resolve(view_t text, struct scalar *out)
{
    *out = (struct scalar){.type = SCALAR_STRING, .text = text};
    if (!text.n) {
        out->type = SCALAR_NULL;
        return;
    }
    char c = text.p[0];
    if (strchr("yYnNtTfFoO~", c) && c) {
        resolve_word(out);
    } else if (is_digit(c) || c == '+' || c == '-' || c == '.') {
        if (!is_digit(c) && resolve_word(out))
            return;
        if (is_timestamp(text))
            out->type = SCALAR_TIMESTAMP;
        else
            resolve_number(out);
    }
}
