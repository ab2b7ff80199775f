#include "common/base/cron.h"

#include <ctype.h>
#include <time.h>

enum { TEXT_MAX = 4096 };

struct bounds {
    int min, max;
    const char *names; /* three letters each, from `min` on */
};
static const struct bounds minute_bounds = {0, 59, ""}, hour_bounds = {0, 23, ""}, day_bounds = {1, 31, ""},
                           month_bounds = {1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
                           weekday_bounds = {0, 6, "sunmontuewedthufrisat"};

static int read_int(const char *text, int *out, err_t **err)
{
    int64_t n;
    const char *digits = *text == '+' ? text + 1 : text;
    if (!str_to_i64(digits, &n) || (digits != text && *digits == '-'))
        return err_set(err, ERR_INVALID_ARGUMENT, "failed to parse int from %s", text);
    if (n < 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "negative number (%lld) not allowed: %s", (long long)n,
                       text);
    *out = n > 9999 ? 9999 : (int)n;
    return 0;
}

static int read_int_or_name(const char *text, const struct bounds *b, int *out, err_t **err)
{
    for (int i = 0; strlen(text) == 3 && b->names[i * 3]; i++) {
        if (strncasecmp(text, b->names + i * 3, 3) == 0) {
            *out = b->min + i;
            return 0;
        }
    }
    return read_int(text, out, err);
}

/* "*", "n", "a-b", each with "/step". Sets bits, and *star when it is an unrestricted one. */
static int add_range(char *text, const struct bounds *b, uint64_t *bits, bool *star, err_t **err)
{
    AUTO(free_p) char *whole = xstrdup(text);
    char *step_text = strchr(text, '/');
    int start = b->min, end = b->max, step = 1;
    if (step_text)
        *step_text++ = 0;
    if (step_text && strchr(step_text, '/'))
        return err_set(err, ERR_INVALID_ARGUMENT, "too many slashes: %s", whole);
    char *high = strchr(text, '-');
    if (high)
        *high++ = 0;
    bool any = strcmp(text, "*") == 0 || strcmp(text, "?") == 0;
    if (!any) {
        if (read_int_or_name(text, b, &start, err) < 0)
            return err_again(err);
        end = start;
        if (high && strchr(high, '-'))
            return err_set(err, ERR_INVALID_ARGUMENT, "too many hyphens: %s", whole);
        if (high && read_int_or_name(high, b, &end, err) < 0)
            return err_again(err);
    }
    if (step_text && read_int(step_text, &step, err) < 0)
        return err_again(err);
    if (step_text && !high)
        end = b->max;
    *star = *star || (any && step <= 1);
    if (start < b->min)
        return err_set(err, ERR_INVALID_ARGUMENT, "beginning of range (%d) below minimum (%d): %s", start,
                       b->min, whole);
    if (end > b->max)
        return err_set(err, ERR_INVALID_ARGUMENT, "end of range (%d) above maximum (%d): %s", end, b->max,
                       whole);
    if (start > end)
        return err_set(err, ERR_INVALID_ARGUMENT, "beginning of range (%d) beyond end of range (%d): %s",
                       start, end, whole);
    if (step == 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "step of range should be a positive number: %s", whole);
    for (int i = start; i <= end; i += step)
        *bits |= (uint64_t)1 << i;
    return 0;
}

static int read_field(const char *text, const struct bounds *b, uint64_t *bits, bool *star, err_t **err)
{
    AUTO(strv_free_p) char **ranges = strv_split(text, ",", true);
    for (size_t i = 0; ranges[i]; i++)
        if (add_range(ranges[i], b, bits, star, err) < 0)
            return err_again(err);
    return 0;
}

/* "TZ=zone " in front; moves *text behind it. */
static int read_zone(const char **text, const timezone_t **zone, err_t **err)
{
    const char *name = str_after(*text, "TZ=");
    if (!name)
        name = str_after(*text, "CRON_TZ=");
    if (!name)
        return 0;
    size_t n = strcspn(name, " ");
    AUTO(free_p) char *copy = xstrndup(name, n);
    *zone = timezone_find(copy);
    if (!*zone)
        return err_set(err, ERR_INVALID_ARGUMENT, "provided bad location %s: unknown time zone %s", copy,
                       copy);
    *text = name + n;
    return 0;
}

int cron_parse(const char *text, struct cron *out, err_t **err)
{
    bool ignored = false;
    struct cron c = {};
    if (str_empty(text))
        return err_set(err, ERR_INVALID_ARGUMENT, "empty spec string");
    if (strlen(text) > TEXT_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "the schedule is longer than %d bytes", TEXT_MAX);
    if (read_zone(&text, &c.zone, err) < 0)
        return err_again(err);
    AUTO(strv_free_p) char **f = strv_split(text, " \t\n\v\f\r", true);
    size_t n = strv_len(f);
    if (n && *f[0] == '@')
        return err_set(err, ERR_INVALID_ARGUMENT, "parser does not accept descriptors: %s", text);
    if (n != 5) {
        AUTO(free_p) char *list = strv_join(f, " ");
        return err_set(err, ERR_INVALID_ARGUMENT, "expected exactly 5 fields, found %zu: [%s]", n, list);
    }
    if (read_field(f[0], &minute_bounds, &c.minutes, &ignored, err) < 0 ||
        read_field(f[1], &hour_bounds, &c.hours, &ignored, err) < 0 ||
        read_field(f[2], &day_bounds, &c.days, &c.any_day, err) < 0 ||
        read_field(f[3], &month_bounds, &c.months, &ignored, err) < 0 ||
        read_field(f[4], &weekday_bounds, &c.weekdays, &c.any_weekday, err) < 0)
        return err_again(err);
    *out = c;
    return 0;
}

/* ---- the next time ---- */

static bool has(uint64_t bits, int n)
{
    return bits >> n & 1;
}

static bool fits_day(const struct cron *c, const struct tm *tm)
{
    bool day = has(c->days, tm->tm_mday), weekday = has(c->weekdays, tm->tm_wday);
    if (!has(c->months, tm->tm_mon + 1))
        return false;
    return c->any_day || c->any_weekday ? day && weekday : day || weekday;
}

static void local_time(const struct cron *c, int64_t t, struct tm *tm)
{
    time_t shifted = (time_t)(t + (c->zone ? timezone_offset(c->zone, t) : 0));
    gmtime_r(&shifted, tm);
}

bool cron_next(const struct cron *c, int64_t t, int64_t *out)
{
    struct tm tm;
    int64_t at = t - ((t % 60) + 60) % 60 + 60;
    local_time(c, at, &tm);
    int last_year = tm.tm_year + 5;
    /* Days that do not fit are passed over in steps that cannot leave their day; the others minute by minute,
     * so that hours which a change of the clocks leaves out or repeats are met as they come. */
    for (; tm.tm_year <= last_year && c->minutes && c->hours; local_time(c, at, &tm)) {
        if (!fits_day(c, &tm)) {
            int left = 24 * 60 - (tm.tm_hour * 60 + tm.tm_min);
            at += !c->zone ? left * 60 : left > 240 ? (left - 180) * 60 : 60;
        } else if (!has(c->hours, tm.tm_hour) || !has(c->minutes, tm.tm_min)) {
            at += 60;
        } else {
            *out = at;
            return true;
        }
    }
    return false;
}
