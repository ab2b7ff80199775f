#include "common/base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

mono_t mono_now(void)
{
    return (mono_t){read_clock(CLOCK_MONOTONIC)};
}

mono_t boot_now(void)
{
    return (mono_t){read_clock(CLOCK_BOOTTIME)};
}

wall_t wall_now(void)
{
    return (wall_t){read_clock(CLOCK_REALTIME)};
}

int64_t wall_since(wall_t then, wall_t now)
{
    int64_t passed;
    if (__builtin_sub_overflow(now.ns, then.ns, &passed))
        return then.ns < now.ns ? INT64_MAX : INT64_MIN;
    return passed;
}

int64_t wall_pause_left(wall_t since, int64_t pause_ns, wall_t now)
{
    int64_t passed = wall_since(since, now), left;
    if (passed < -SECONDS(5) || passed >= pause_ns || __builtin_sub_overflow(pause_ns, passed, &left))
        return 0;
    return left;
}

mono_t mono_after(mono_t t, int64_t ns)
{
    int64_t sum;
    if (__builtin_add_overflow(t.ns, ns, &sum) || sum > MONO_NEVER.ns)
        return MONO_NEVER;
    return (mono_t){sum};
}

int64_t mono_left(mono_t t)
{
    int64_t left = t.ns - mono_now().ns;
    return left > 0 ? left : 0;
}

int mono_cmp(mono_t a, mono_t b)
{
    return (a.ns > b.ns) - (a.ns < b.ns);
}

void sleep_ns(int64_t ns)
{
    if (ns <= 0)
        return;
    struct timespec ts = {ns / NS_PER_SEC, ns % NS_PER_SEC};
    while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
        ;
}

static int64_t floor_seconds(wall_t t, int64_t *rest)
{
    int64_t s = t.ns / NS_PER_SEC;
    *rest = t.ns % NS_PER_SEC;
    if (*rest < 0) {
        *rest += NS_PER_SEC;
        s--;
    }
    return s;
}

static void format_time(wall_t t, int digits, char out[RFC3339_TEXT])
{
    int64_t rest;
    time_t s = floor_seconds(t, &rest);
    struct tm tm;
    gmtime_r(&s, &tm);
    size_t n = strftime(out, RFC3339_TEXT - 12, "%Y-%m-%dT%H:%M:%S", &tm);
    if (digits) {
        char frac[16];
        snprintf(frac, sizeof(frac), "%09lld", (long long)rest);
        frac[digits] = 0;
        n += (size_t)snprintf(out + n, RFC3339_TEXT - n, ".%s", frac);
    }
    snprintf(out + n, RFC3339_TEXT - n, "Z");
}

void rfc3339(wall_t t, char out[RFC3339_TEXT])
{
    format_time(t, 0, out);
}

void rfc3339_micro(wall_t t, char out[RFC3339_TEXT])
{
    format_time(t, 6, out);
}

void rfc3339_nano(wall_t t, char out[RFC3339_TEXT])
{
    int64_t rest;
    floor_seconds(t, &rest);
    int digits = rest ? 9 : 0;
    while (digits && rest % 10 == 0) {
        rest /= 10;
        digits--;
    }
    format_time(t, digits, out);
}

static bool two_digits(const char **p, int least, int most, int *out)
{
    const char *s = *p;
    if (!isdigit((unsigned char)s[0]) || !isdigit((unsigned char)s[1]))
        return false;
    *out = (s[0] - '0') * 10 + (s[1] - '0');
    *p += 2;
    return *out >= least && *out <= most;
}

static bool take_char(const char **p, const char *set)
{
    if (!**p || !strchr(set, **p))
        return false;
    (*p)++;
    return true;
}

/* Fraction and zone, which follow the seconds. */
static bool parse_time_tail(const char *p, int64_t *frac, int64_t *offset)
{
    *frac = *offset = 0;
    if (*p == '.' || *p == ',') {
        p++;
        int64_t unit = NS_PER_SEC / 10;
        if (!isdigit((unsigned char)*p))
            return false;
        for (; isdigit((unsigned char)*p); p++, unit /= 10)
            *frac += (*p - '0') * unit;
    }
    if (take_char(&p, "Zz"))
        return !*p;
    int sign = *p == '-' ? -1 : 1, h, m;
    if (!take_char(&p, "+-") || !two_digits(&p, 0, 23, &h) || !take_char(&p, ":") ||
        !two_digits(&p, 0, 59, &m))
        return false;
    *offset = sign * (h * 3600 + m * 60);
    return !*p;
}

bool rfc3339_parse(const char *text, wall_t *out)
{
    if (!text)
        return false;
    const char *p = text;
    int century, year, month, day, h, m, s;
    int64_t frac, offset;
    bool ok = two_digits(&p, 0, 99, &century) && two_digits(&p, 0, 99, &year) && take_char(&p, "-") &&
              two_digits(&p, 1, 12, &month) && take_char(&p, "-") && two_digits(&p, 1, 31, &day) &&
              take_char(&p, "Tt ") && two_digits(&p, 0, 23, &h) && take_char(&p, ":") &&
              two_digits(&p, 0, 59, &m) && take_char(&p, ":") && two_digits(&p, 0, 60, &s) &&
              parse_time_tail(p, &frac, &offset);
    if (!ok)
        return false;
    struct tm tm = {.tm_year = century * 100 + year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = h,
                    .tm_min = m,
                    .tm_sec = s};
    time_t t = timegm(&tm);
    if (tm.tm_mday != day)
        return false; /* 30 February */
    int64_t sec = (int64_t)t - offset;
    if (sec > INT64_MAX / NS_PER_SEC - 1 || sec < INT64_MIN / NS_PER_SEC + 1)
        return false;
    out->ns = sec * NS_PER_SEC + frac;
    return true;
}

static const struct {
    const char *name;
    int64_t ns;
} units[] = {
    /* Longer names first where one begins another. */
    {"ns", 1},
    {"us", NS_PER_US},
    {"\xc2\xb5s", NS_PER_US},
    {"\xce\xbcs", NS_PER_US},
    {"ms", NS_PER_MS},
    {"s", NS_PER_SEC},
    {"m", 60 * NS_PER_SEC},
    {"h", 3600 * NS_PER_SEC},
    {"d", 86400 * NS_PER_SEC},
};

/* Digits at *p as *v; false when they are more than 2^63. */
static bool take_whole(const char **p, uint64_t *v)
{
    *v = 0;
    for (; isdigit((unsigned char)**p); (*p)++)
        if (__builtin_mul_overflow(*v, 10u, v) || __builtin_add_overflow(*v, (unsigned)(**p - '0'), v) ||
            *v > (uint64_t)1 << 63)
            return false;
    return true;
}

/* Digits at *p, to be divided by *scale; those beyond what 63 bits hold do not count. */
static double take_part(const char **p, double *scale)
{
    uint64_t v = 0;
    *scale = 1;
    for (; isdigit((unsigned char)**p); (*p)++) {
        if (v > (UINT64_MAX >> 1) / 10 - 1)
            continue;
        v = v * 10 + (unsigned)(**p - '0');
        *scale *= 10;
    }
    return (double)v;
}

/* The unit at *p in nanoseconds; 0: none. */
static uint64_t take_unit(const char **p, bool days)
{
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        const char *rest = str_after(*p, units[i].name);
        if (!rest || (*units[i].name == 'd' && !days))
            continue;
        *p = rest;
        return (uint64_t)units[i].ns;
    }
    return 0;
}

/* One "<number><unit>" at *p, added to *sum, which stays within 2^63. */
static bool parse_duration_part(const char **p, bool days, uint64_t *sum)
{
    const char *start = *p;
    uint64_t whole, ns;
    double part = 0, scale = 1;
    if (!take_whole(p, &whole))
        return false;
    size_t digits = (size_t)(*p - start);
    if (**p == '.') {
        const char *point = ++*p;
        part = take_part(p, &scale);
        digits += (size_t)(*p - point);
    }
    uint64_t unit = digits ? take_unit(p, days) : 0;
    if (!unit || __builtin_mul_overflow(whole, unit, &ns) ||
        __builtin_add_overflow(ns, (uint64_t)(part * ((double)unit / scale)), &ns) ||
        __builtin_add_overflow(*sum, ns, sum))
        return false;
    return *sum <= (uint64_t)1 << 63;
}

bool duration_parse(const char *text, bool days, int64_t *out)
{
    if (str_empty(text))
        return false;
    const char *p = text;
    bool negative = *p == '-';
    if (*p == '-' || *p == '+')
        p++;
    if (strcmp(p, "0") == 0) {
        *out = 0;
        return true;
    }
    if (!*p)
        return false;
    uint64_t sum = 0;
    while (*p)
        if (!parse_duration_part(&p, days, &sum))
            return false;
    if (sum > INT64_MAX && !negative)
        return false;
    *out = (int64_t)(negative ? 0 - sum : sum);
    return true;
}

bool duration_parse_or_seconds(const char *text, int64_t *out)
{
    int64_t seconds;
    if (str_to_i64(text, &seconds)) {
        if (seconds > INT64_MAX / NS_PER_SEC || seconds < INT64_MIN / NS_PER_SEC)
            return false;
        *out = seconds * NS_PER_SEC;
        return true;
    }
    return duration_parse(text, false, out);
}

/* Appends v / unit with the fraction that it has, and the unit's name. */
static void put_fraction(str_t *s, uint64_t v, uint64_t unit, const char *name)
{
    str_printf(s, "%llu", (unsigned long long)(v / unit));
    uint64_t rest = v % unit;
    if (rest) {
        str_putc(s, '.');
        for (uint64_t u = unit / 10; rest; u /= 10) {
            str_putc(s, (char)('0' + rest / u));
            rest %= u;
        }
    }
    str_puts(s, name);
}

void duration_format(int64_t ns, char out[DURATION_TEXT])
{
    AUTO_STR s = STR_INIT;
    uint64_t v = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    if (ns < 0)
        str_putc(&s, '-');
    if (v == 0) {
        str_puts(&s, "0s");
    } else if (v < (uint64_t)NS_PER_SEC) {
        if (v < (uint64_t)NS_PER_US)
            put_fraction(&s, v, 1, "ns");
        else if (v < (uint64_t)NS_PER_MS)
            put_fraction(&s, v, (uint64_t)NS_PER_US, "\xc2\xb5s");
        else
            put_fraction(&s, v, (uint64_t)NS_PER_MS, "ms");
    } else {
        uint64_t minutes = v / (uint64_t)(60 * NS_PER_SEC);
        if (minutes >= 60)
            str_printf(&s, "%lluh", (unsigned long long)(minutes / 60));
        if (minutes)
            str_printf(&s, "%llum", (unsigned long long)(minutes % 60));
        put_fraction(&s, v % (uint64_t)(60 * NS_PER_SEC), (uint64_t)NS_PER_SEC, "s");
    }
    snprintf(out, DURATION_TEXT, "%s", str_text(&s));
}
