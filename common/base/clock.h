/* Time: two types that do not mix. mono_t measures intervals and deadlines; wall_t is a date.
 *
 * Durations are int64_t nanoseconds. Their text form is Go's (https://pkg.go.dev/time#ParseDuration), because
 * that is what Argo CD's settings, flags and CRDs hold. */
#ifndef CARGOCD_BASE_CLOCK_H
#define CARGOCD_BASE_CLOCK_H

#include "common/base/str.h"

typedef struct mono {
    int64_t ns; /* CLOCK_MONOTONIC */
} mono_t;
typedef struct wall {
    int64_t ns; /* since 1970-01-01T00:00:00Z */
} wall_t;

#define NS_PER_US  ((int64_t)1000)
#define NS_PER_MS  ((int64_t)1000000)
#define NS_PER_SEC ((int64_t)1000000000)
#define SECONDS(n) ((int64_t)(n)*NS_PER_SEC)
#define MILLIS(n)  ((int64_t)(n)*NS_PER_MS)
/* Far enough for "never", near enough that adding to it does not overflow. */
#define MONO_NEVER ((mono_t){INT64_MAX / 2})

mono_t mono_now(void);
/* CLOCK_BOOTTIME: goes on while the machine sleeps, for leases. */
mono_t boot_now(void);
mono_t mono_after(mono_t t, int64_t ns);
/* t - now, at least 0. */
int64_t mono_left(mono_t t);
int mono_cmp(mono_t a, mono_t b);
void sleep_ns(int64_t ns);

wall_t wall_now(void);
/* How long ago `then` was, by clocks that people and other machines set; negative: it is to come. Saturates.
 */
int64_t wall_since(wall_t then, wall_t now);
/* What is left of a pause that began at `since`. When that lies more than five seconds ahead, a clock was set
 * back meanwhile, and nothing is left: else it could take for ever. */
int64_t wall_pause_left(wall_t since, int64_t pause_ns, wall_t now);
/* "2006-01-02T15:04:05Z". */
enum { RFC3339_TEXT = 40 };
void rfc3339(wall_t t, char out[RFC3339_TEXT]);
/* With the fraction that the value has ("…05.123456789Z", trailing zeros cut; none for whole seconds). */
void rfc3339_nano(wall_t t, char out[RFC3339_TEXT]);
/* Always six digits of fraction (Kubernetes' MicroTime). */
void rfc3339_micro(wall_t t, char out[RFC3339_TEXT]);
/* Any RFC 3339 time, with fraction and zone. */
bool rfc3339_parse(const char *text, wall_t *out);

/* "1h30m", "-1.5s", "0"; units ns us ms s m h, and d when `days`. */
bool duration_parse(const char *text, bool days, int64_t *out);
/* The same, a bare number being seconds. */
bool duration_parse_or_seconds(const char *text, int64_t *out);
/* As Go prints it: "1m30s", "2.5s", "100ms", "0s". */
enum { DURATION_TEXT = 40 };
void duration_format(int64_t ns, char out[DURATION_TEXT]);

#endif
