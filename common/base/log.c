#include "common/base/log.h"
#include "common/base/clock.h"
#include "common/base/str.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static const char *const level_names[] = {"debug", "info", "warning", "error", "fatal"};

static _Atomic int threshold = LOG_INFO;
static _Atomic int format = LOG_TEXT;
static const char *_Atomic time_layout;
static pthread_mutex_t redirect_lock = PTHREAD_MUTEX_INITIALIZER;
static void (*redirect_fn)(void *, const char *);
static void *redirect_arg;

int log_setup(const char *format_name, const char *level_name, err_t **err)
{
    static const struct {
        const char *name;
        enum log_level level;
    } levels[] = {{"debug", LOG_DEBUG},  {"trace", LOG_DEBUG}, {"info", LOG_INFO},  {"warn", LOG_WARN},
                  {"warning", LOG_WARN}, {"error", LOG_ERROR}, {"fatal", LOG_FATAL}};
    if (str_eq(format_name, "json"))
        format = LOG_JSON;
    else if (str_eq(format_name, "text"))
        format = LOG_TEXT;
    else
        return err_set(err, ERR_INVALID_ARGUMENT, "unknown log format '%s' (text, json)",
                       str_or_empty(format_name));
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        if (str_eq(level_name, levels[i].name)) {
            threshold = levels[i].level;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID_ARGUMENT, "unknown log level '%s' (debug, info, warn, error)",
                   str_or_empty(level_name));
}

void log_set_time_layout(const char *layout)
{
    time_layout = layout;
}

bool log_enabled(enum log_level level)
{
    return (int)level >= threshold;
}

void log_redirect(void (*fn)(void *, const char *), void *arg)
{
    pthread_mutex_lock(&redirect_lock);
    redirect_fn = fn;
    redirect_arg = arg;
    pthread_mutex_unlock(&redirect_lock);
}

/* A JSON string; bytes that are not UTF-8 become U+FFFD, so that a line always parses. */
static void put_quoted(str_t *out, const char *s)
{
    str_putc(out, '"');
    for (size_t n = strlen(s), i = 0; i < n;) {
        uint32_t cp;
        size_t len = utf8_decode(s + i, n - i, &cp);
        if (!len) {
            str_puts(out, "\xef\xbf\xbd");
            i++;
            continue;
        }
        if (cp == '"' || cp == '\\')
            str_printf(out, "\\%c", (char)cp);
        else if (cp == '\n')
            str_puts(out, "\\n");
        else if (cp < 0x20 || cp == 0x7f)
            str_printf(out, "\\u%04x", cp);
        else
            str_add(out, s + i, len);
        i += len;
    }
    str_putc(out, '"');
}

static bool is_plain(const char *s)
{
    return *s && s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/@^+")] == 0;
}

static void put_text_field(str_t *line, const char *key, const char *value)
{
    str_printf(line, " %s=", key);
    if (is_plain(value))
        str_puts(line, value);
    else
        put_quoted(line, value);
}

static void put_json_field(str_t *line, const char *key, const char *value)
{
    str_puts(line, line->len > 1 ? "," : "");
    put_quoted(line, key);
    str_putc(line, ':');
    put_quoted(line, value);
}

static void put_number(str_t *line, bool json, const struct log_number *n)
{
    if (json) {
        str_putc(line, ',');
        put_quoted(line, n->key);
        str_printf(line, ":%lld", (long long)n->value);
    } else {
        str_printf(line, " %s=%lld", n->key, (long long)n->value);
    }
}

static void timestamp(str_t *out)
{
    char now[RFC3339_TEXT];
    if (time_layout && *time_layout) {
        log_time(time_layout, wall_now(), out);
        return;
    }
    rfc3339(wall_now(), now);
    str_puts(out, now);
}

static void emit(const str_t *line)
{
    pthread_mutex_lock(&redirect_lock);
    if (redirect_fn) {
        redirect_fn(redirect_arg, str_text(line));
    } else {
        /* One write per line: lines of several threads do not mix. */
        ssize_t ignored = write(STDERR_FILENO, str_text(line), line->len);
        (void)ignored;
    }
    pthread_mutex_unlock(&redirect_lock);
}

static void write_line(enum log_level level, const struct log_field *fields, const struct log_number *numbers,
                       size_t n, const char *fmt, va_list ap)
{
    AUTO_STR message = STR_MAX(64 << 10);
    AUTO_STR now = STR_MAX(256);
    str_vprintf(&message, fmt, ap);
    timestamp(&now);
    bool json = format == LOG_JSON;
    AUTO_STR line = STR_MAX(256 << 10);
    if (json)
        str_putc(&line, '{');
    else
        str_printf(&line, "time=\"%s\" level=%s", str_text(&now), level_names[level]);
    void (*put)(str_t *, const char *, const char *) = json ? put_json_field : put_text_field;
    if (json)
        put(&line, "level", level_names[level]);
    put(&line, "msg", str_overflowed(&message) ? "(message too long to log)" : str_text(&message));
    for (const struct log_field *f = fields; f && f->key; f++)
        if (f->value)
            put(&line, f->key, f->value);
    for (size_t i = 0; i < n; i++)
        put_number(&line, json, &numbers[i]);
    if (json) {
        put(&line, "time", str_text(&now));
        str_putc(&line, '}');
    }
    str_putc(&line, '\n');
    emit(&line);
}

void log_write(enum log_level level, const struct log_field *fields, const char *fmt, ...)
{
    if (!log_enabled(level))
        return;
    va_list ap;
    va_start(ap, fmt);
    write_line(level, fields, NULL, 0, fmt, ap);
    va_end(ap);
}

void log_write_numbers(enum log_level level, const struct log_field *fields, const struct log_number *numbers,
                       size_t n, const char *fmt, ...)
{
    if (!log_enabled(level))
        return;
    va_list ap;
    va_start(ap, fmt);
    write_line(level, fields, numbers, n, fmt, ap);
    va_end(ap);
}
