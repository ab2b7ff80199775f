/* Structured logging to standard error: one line per entry, in logrus' two formats, as Argo CD's users know
 * them.
 *
 * Fields are pairs; values of secrets must never be among them. Libraries below the daemons log at debug
 * only; a daemon logs an error once, where it decides what to do about it. */
#ifndef CARGOCD_BASE_LOG_H
#define CARGOCD_BASE_LOG_H

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_FATAL };
enum log_format { LOG_TEXT, LOG_JSON };

struct log_field {
    const char *key;
    const char *value; /* NULL: the field is left out */
};

/* Fields for one entry: LOGF({"application", name}, {"project", project}). */
#define LOGF(...) ((const struct log_field[]){__VA_ARGS__, {NULL, NULL}})

/* Names as Argo CD's flags have them: debug info warn error / text json. */
int log_setup(const char *format, const char *level, err_t **err);
/* The layout of the timestamps as Go's time package has them; NULL or "": RFC 3339. Borrowed. */
void log_set_time_layout(const char *layout);
/* The time, UTC, in such a layout (log_time.c). */
void log_time(const char *layout, wall_t t, str_t *out);
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const struct log_field *fields, const char *fmt, ...) PRINTF(3, 4);
/* With fields that are numbers, in JSON too. */
struct log_number {
    const char *key;
    int64_t value;
};
void log_write_numbers(enum log_level level, const struct log_field *fields, const struct log_number *numbers,
                       size_t n, const char *fmt, ...) PRINTF(5, 6);

#define log_debug(fields, ...)                                                                               \
    do {                                                                                                     \
        if (log_enabled(LOG_DEBUG))                                                                          \
            log_write(LOG_DEBUG, fields, __VA_ARGS__);                                                       \
    } while (0)
#define log_info(fields, ...)  log_write(LOG_INFO, fields, __VA_ARGS__)
#define log_warn(fields, ...)  log_write(LOG_WARN, fields, __VA_ARGS__)
#define log_error(fields, ...) log_write(LOG_ERROR, fields, __VA_ARGS__)

/* Tests: entries go to fn instead of standard error. NULL undoes it. */
void log_redirect(void (*fn)(void *arg, const char *line), void *arg);

#endif
