/* Five-field cron schedules, as https://pkg.go.dev/github.com/robfig/cron/v3 reads and follows them: minute,
 * hour, day of month, month, day of week; lists, ranges, steps, English names; "?" is "*"; "TZ=zone " or
 * "CRON_TZ=zone " in front. When both days are restricted either one suffices. */
#ifndef CARGOCD_BASE_CRON_H
#define CARGOCD_BASE_CRON_H

#include "common/base/err.h"
#include "common/base/timezone.h"

struct cron {
    uint64_t minutes, hours, days, months, weekdays; /* a bit for each number */
    bool any_day, any_weekday;
    const timezone_t *zone; /* of a TZ= in front; else NULL */
};
int cron_parse(const char *text, struct cron *out, err_t **err);
/* The first full minute after t (unix seconds) that fits; in the calendar of the schedule's own zone, else in
 * UTC's. False when none comes within five years: then it never does. */
bool cron_next(const struct cron *c, int64_t t, int64_t *out);

#endif
