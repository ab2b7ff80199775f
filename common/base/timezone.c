/* A TZif file holds two blocks, the first with 32-bit times for old readers, and a footer: the rule for all
 * times after the last transition, as a POSIX TZ text ("CET-1CEST,M3.5.0,M10.5.0/3"). Only the second block
 * and the footer are used. */
#include "common/base/timezone.h"
#include "common/base/file.h"
#include "common/base/map.h"
#include "common/base/thread.h"

#include <ctype.h>

enum { FILE_MAX = 256 << 10, HEADER = 44, TYPES_MAX = 256 };

/* When a rule's day is, in a year. */
struct rule_day {
    enum { DAY_JULIAN, DAY_ZERO_BASED, DAY_WEEK } kind;
    int month, week, day;
    int32_t at; /* seconds after local midnight */
};

struct tzone {
    size_t n;
    int64_t *from;   /* times of transitions, ascending */
    int32_t *offset; /* from each on */
    int32_t first;   /* before the first */
    /* the footer's rule; without one the last offset goes on */
    bool has_rule, has_summer;
    int32_t standard, summer;
    struct rule_day begin, end; /* of summer time */
};

/* ---- the footer ---- */

static bool read_number(const char **p, int max, int *out)
{
    int n = 0;
    if (!isdigit((unsigned char)**p))
        return false;
    for (; isdigit((unsigned char)**p); (*p)++)
        if ((n = n * 10 + (**p - '0')) > max)
            return false;
    *out = n;
    return true;
}

/* [+-]hh[:mm[:ss]], up to 167 hours. */
static bool read_time(const char **p, int32_t *out)
{
    static const int unit[] = {3600, 60, 1};
    int sign = 1, part;
    if (**p == '+' || **p == '-')
        sign = *(*p)++ == '-' ? -1 : 1;
    *out = 0;
    for (size_t i = 0; i < ARRAY_LEN(unit); i++) {
        if (!read_number(p, i ? 59 : 167, &part))
            return false;
        *out += part * unit[i];
        if (**p != ':' || i + 1 == ARRAY_LEN(unit))
            break;
        (*p)++;
    }
    *out *= sign;
    return true;
}

static bool read_name(const char **p)
{
    const char *begin = *p;
    if (**p == '<') {
        const char *end = strchr(*p, '>');
        *p = end ? end + 1 : *p;
        return end != NULL;
    }
    while (isalpha((unsigned char)**p))
        (*p)++;
    return *p - begin >= 3;
}

static bool read_day(const char **p, struct rule_day *d)
{
    *d = (struct rule_day){.kind = DAY_ZERO_BASED, .at = 7200};
    if (**p == 'M') {
        (*p)++;
        d->kind = DAY_WEEK;
        if (!read_number(p, 12, &d->month) || *(*p)++ != '.' || !read_number(p, 5, &d->week) ||
            *(*p)++ != '.' || !read_number(p, 6, &d->day) || !d->month || !d->week)
            return false;
    } else {
        if (**p == 'J') {
            (*p)++;
            d->kind = DAY_JULIAN;
        }
        if (!read_number(p, 365, &d->day) || (d->kind == DAY_JULIAN && !d->day))
            return false;
    }
    if (**p != '/')
        return true;
    (*p)++;
    return read_time(p, &d->at);
}

static bool read_rule(timezone_t *z, const char *p)
{
    int32_t west;
    if (!*p)
        return true;
    if (!read_name(&p) || !read_time(&p, &west))
        return false;
    z->has_rule = true;
    z->standard = -west;
    if (!*p)
        return true;
    z->has_summer = true;
    if (!read_name(&p))
        return false;
    z->summer = z->standard + 3600;
    if (*p && *p != ',') {
        if (!read_time(&p, &west))
            return false;
        z->summer = -west;
    }
    return *p++ == ',' && read_day(&p, &z->begin) && *p++ == ',' && read_day(&p, &z->end) && !*p;
}

/* ---- the file ---- */

static int64_t be(const unsigned char *p, size_t n)
{
    uint64_t v = p[0] & 0x80 ? ~(uint64_t)0 : 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

struct counts {
    int64_t isut, isstd, leap, times, types, chars;
};

static bool read_counts(const unsigned char *p, size_t n, struct counts *c)
{
    if (n < HEADER || memcmp(p, "TZif", 4) != 0 || p[4] < '2')
        return false;
    int64_t *fields[] = {&c->isut, &c->isstd, &c->leap, &c->times, &c->types, &c->chars};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        *fields[i] = be(p + 20 + i * 4, 4);
        if (*fields[i] < 0 || *fields[i] > FILE_MAX)
            return false;
    }
    return c->types > 0 && c->types <= TYPES_MAX;
}

static size_t block_size(const struct counts *c, size_t time_size)
{
    return (size_t)(c->times * (int64_t)(time_size + 1) + c->types * 6 + c->chars +
                    c->leap * (int64_t)(time_size + 4) + c->isstd + c->isut);
}

static bool read_transitions(timezone_t *z, const unsigned char *p, const struct counts *c)
{
    size_t n = (size_t)c->times;
    const unsigned char *type = p + n * 8, *types = type + n;
    z->n = n;
    z->from = xcalloc(n, sizeof(*z->from));
    z->offset = xcalloc(n, sizeof(*z->offset));
    z->first = (int32_t)be(types, 4);
    for (size_t i = 0; i < n; i++) {
        z->from[i] = be(p + i * 8, 8);
        if (type[i] >= c->types || (i && z->from[i] <= z->from[i - 1]))
            return false;
        z->offset[i] = (int32_t)be(types + (size_t)type[i] * 6, 4);
    }
    return true;
}

timezone_t *timezone_parse(const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    struct counts c;
    if (!read_counts(p, n, &c) || HEADER + block_size(&c, 4) >= n)
        return NULL;
    size_t skipped = HEADER + block_size(&c, 4);
    p += skipped;
    n -= skipped;
    if (!read_counts(p, n, &c) || HEADER + block_size(&c, 8) >= n)
        return NULL;
    timezone_t *z = xcalloc(1, sizeof(*z));
    const char *footer = (const char *)p + HEADER + block_size(&c, 8);
    size_t rest = n - HEADER - block_size(&c, 8);
    const char *end = rest > 1 ? memchr(footer + 1, '\n', rest - 1) : NULL;
    AUTO(free_p) char *rule = end ? xstrndup(footer + 1, (size_t)(end - footer - 1)) : NULL;
    if (!rule || *footer != '\n' || !read_transitions(z, p + HEADER, &c) || !read_rule(z, rule)) {
        timezone_free(z);
        return NULL;
    }
    return z;
}

void timezone_free(timezone_t *z)
{
    if (!z)
        return;
    free(z->from);
    free(z->offset);
    free(z);
}

/* ---- offsets ---- */

/* Days from 1970-01-01 to the first of the month (Howard Hinnant's days_from_civil). */
static int64_t days_to(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400, in_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + of_year - 719468;
}

static int64_t year_of(int64_t days)
{
    int64_t year = 1970 + days / 366;
    while (days_to(year + 1, 1, 1) <= days)
        year++;
    while (days_to(year, 1, 1) > days)
        year--;
    return year;
}

/* Local seconds of the rule's moment in a year. */
static int64_t moment(const struct rule_day *d, int64_t year)
{
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    int64_t day;
    if (d->kind != DAY_WEEK) {
        bool after = d->kind == DAY_JULIAN && leap && d->day >= 60;
        day = days_to(year, 1, 1) + d->day - (d->kind == DAY_JULIAN) + after;
    } else {
        int64_t first = days_to(year, d->month, 1);
        int64_t next = d->month == 12 ? days_to(year + 1, 1, 1) : days_to(year, d->month + 1, 1);
        int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
        day = first + (d->day - weekday + 7) % 7 + 7 * (d->week - 1);
        while (day >= next)
            day -= 7;
    }
    return day * 86400 + d->at;
}

static int32_t by_rule(const timezone_t *z, int64_t t)
{
    if (!z->has_summer)
        return z->standard;
    int64_t local = t + z->standard, days = local / 86400 - (local % 86400 < 0);
    int64_t year = year_of(days);
    int64_t begin = moment(&z->begin, year) - z->standard, end = moment(&z->end, year) - z->summer;
    bool summer = begin < end ? t >= begin && t < end : t >= begin || t < end;
    return summer ? z->summer : z->standard;
}

int32_t timezone_offset(const timezone_t *z, int64_t t)
{
    if (z->has_rule && (!z->n || t >= z->from[z->n - 1]))
        return by_rule(z, t);
    size_t low = 0, high = z->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (z->from[mid] <= t)
            low = mid + 1;
        else
            high = mid;
    }
    return low ? z->offset[low - 1] : z->first;
}

/* ---- names ---- */

static const timezone_t utc = {.has_rule = true};
static lock_t lock = LOCK_INIT;
static map_t zones; /* k: name, v: timezone_t; guarded by lock */

/* As Go's time.LoadLocation: no path out of the database. */
static bool is_zone_name(const char *name)
{
    return strlen(name) < 64 && !strstr(name, "..") && *name != '/' && !strchr(name, '\\');
}

static timezone_t *load(const char *name)
{
    AUTO_STR bytes = STR_MAX(FILE_MAX);
    AUTO(free_p) char *path = xasprintf("/usr/share/zoneinfo/%s", name);
    return file_read(path, &bytes, NULL) < 0 ? NULL : timezone_parse(bytes.p, bytes.len);
}

const timezone_t *timezone_find(const char *name)
{
    if (str_empty(name) || strcmp(name, "UTC") == 0)
        return &utc;
    if (!is_zone_name(name))
        return NULL;
    LOCKED(&lock);
    timezone_t *z = map_get(&zones, name);
    if (!z && (z = load(name)) != NULL)
        map_put(&zones, name, z);
    return z;
}
