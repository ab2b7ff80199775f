#include "cli/print.h"

#include "cli/table.h"
#include "common/base/log.h"
#include "common/yaml/yaml.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* ---- standard output ---- */

/* C0 but tab and line break, DEL, and C1 in UTF-8. */
static bool is_control(const char *p, size_t left)
{
    unsigned char c = (unsigned char)p[0];
    return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ||
           (c == 0xc2 && left > 1 && (unsigned char)p[1] >= 0x80 && (unsigned char)p[1] < 0xa0);
}

void print_text(const char *p, size_t n)
{
    static int terminal = -1;
    if (terminal < 0)
        terminal = isatty(STDOUT_FILENO);
    if (!terminal) {
        fwrite(p, 1, n, stdout);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (!is_control(p + i, n - i))
            putc(p[i], stdout);
        else if ((unsigned char)p[i] == 0xc2)
            i++;
    }
}

void print_str(const str_t *s)
{
    print_text(str_text(s), s->len);
}

void printf_out(const char *fmt, ...)
{
    AUTO_STR text = STR_INIT;
    va_list ap;
    va_start(ap, fmt);
    str_vprintf(&text, fmt, ap);
    va_end(ap);
    print_str(&text);
}

void print_table(const str_t *rows)
{
    AUTO_STR out = STR_INIT;
    table_layout(str_text(rows), rows->len, 0, &out);
    print_str(&out);
}

bool print_document(const json_t *v, const char *format)
{
    AUTO_STR text = STR_INIT;
    if (str_eq(format, "json")) {
        json_write(v, JSON_KEEP_ORDER | JSON_PRETTY, &text);
        str_putc(&text, '\n');
    } else if (str_eq(format, "yaml")) {
        yaml_write(v, &text);
    } else {
        return false;
    }
    print_str(&text);
    return true;
}

/* The same members but for the type's. */
static json_t *without_type(const json_t *object)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)object);
    json_object_del(copy, "apiVersion");
    json_object_del(copy, "kind");
    return copy;
}

bool print_object(const json_t *v, const char *format)
{
    if (json_is_map(v)) {
        AUTO_JSON one = without_type(v);
        return print_document(one, format);
    }
    AUTO_JSON list = json_array();
    for (size_t i = 0; i < json_array_size(v); i++)
        json_array_append_new(list, without_type(json_array_get(v, i)));
    return print_document(list, format);
}

int print_unknown_format(const char *format, err_t **err)
{
    return err_set(err, ERR_INVALID_ARGUMENT, "unknown output format: %s", format);
}

int print_finish(err_t **err)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    return err_set_errno(err, errno, "write standard output");
}

int fail_with(int status, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTO(free_p) char *text = xvasprintf(fmt, ap);
    va_end(ap);
    log_write(LOG_FATAL, NULL, "%s", text);
    return status;
}

/* ---- values ---- */

void put_go_time(const char *rfc3339, str_t *out)
{
    wall_t t;
    struct tm tm;
    char text[80];
    if (!rfc3339 || !rfc3339_parse(rfc3339, &t)) {
        str_puts(out, str_or_empty(rfc3339));
        return;
    }
    time_t seconds = (time_t)(t.ns / NS_PER_SEC);
    if (localtime_r(&seconds, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z %Z", &tm))
        str_puts(out, text);
}

/* "5m3s", the second part left out when it is 0. */
static void put_two(int64_t a, const char *unit_a, int64_t b, const char *unit_b, str_t *out)
{
    str_printf(out, "%lld%s", (long long)a, unit_a);
    if (b)
        str_printf(out, "%lld%s", (long long)b, unit_b);
}

void put_age(int64_t ns, str_t *out)
{
    int64_t s = ns / NS_PER_SEC, m = s / 60, h = m / 60, d = h / 24;
    if (s < -1)
        str_puts(out, "<invalid>");
    else if (s < 120)
        put_two(s < 0 ? 0 : s, "s", 0, "", out);
    else if (m < 180)
        put_two(m, "m", m < 10 ? s % 60 : 0, "s", out);
    else if (h < 48)
        put_two(h, "h", h < 8 ? m % 60 : 0, "m", out);
    else if (d < 365 * 2)
        put_two(d, "d", d < 8 ? h % 24 : 0, "h", out);
    else
        put_two(d / 365, "y", d < 365 * 8 ? d % 365 : 0, "d", out);
}

void put_joined(const json_t *list, const char *separator, str_t *out)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        str_puts(out, i ? separator : "");
        str_puts(out, str_or_empty(json_string_value(json_array_get(list, i))));
    }
}

const char *bool_text(bool b)
{
    return b ? "true" : "false";
}

/* ---- questions ---- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    interrupted = signal;
}

/* Any thread may take the signal, so that reading need not end by it: the flag is looked at ten times a
 * second. */
static bool wait_for_input(void)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    while (!interrupted)
        if (poll(&p, 1, 100) > 0)
            return true;
    errno = EINTR;
    return false;
}

/* Byte by byte, so that what follows the line stays for the next question. */
static int read_line(str_t *out, err_t **err)
{
    char c;
    ssize_t n;
    str_reset(out);
    while ((n = wait_for_input() ? read(STDIN_FILENO, &c, 1) : -1) == 1 && c != '\n')
        str_putc(out, c);
    if (n < 0)
        return err_set_errno(err, errno, "read standard input");
    return n == 0 ? err_set(err, ERR_FAILED_PRECONDITION, "EOF") : 0;
}

static char *trimmed(const str_t *line)
{
    view_t v = view_trim((view_t){str_text(line), line->len});
    return xstrndup(v.p, v.n);
}

static int question(const char *text, str_t *line, err_t **err)
{
    print_text(text, strlen(text));
    fflush(stdout);
    return read_line(line, err);
}

static char answer_of(const char *text, bool all)
{
    static const char *const words[][2] = {{"y", "yes"}, {"n", "no"}, {"a", "all"}};
    for (size_t i = 0; i < (all ? 3u : 2u); i++)
        if (!strcasecmp(text, words[i][0]) || !strcasecmp(text, words[i][1]))
            return words[i][0][0];
    return 0;
}

int ask(const char *text, bool all, char *out, err_t **err)
{
    AUTO_STR line = STR_MAX(64 << 10);
    *out = 0;
    while (!*out) {
        int rc = question(text, &line, err);
        if (rc < 0)
            return rc;
        AUTO(free_p) char *word = trimmed(&line);
        *out = answer_of(word, all);
    }
    return 0;
}

int ask_line(const char *text, char **out, err_t **err)
{
    AUTO_STR line = STR_MAX(64 << 10);
    for (;;) {
        int rc = question(text, &line, err);
        if (rc < 0)
            return rc;
        *out = trimmed(&line);
        if (**out)
            return 0;
        free_p(out);
    }
}

/* An interrupt ends the program only when the terminal echoes again. */
static int question_in_silence(const char *text, const struct termios *before, str_t *line, err_t **err)
{
    struct termios silent = *before;
    struct sigaction old, mine = {.sa_handler = on_interrupt};
    silent.c_lflag &= ~(tcflag_t)ECHO;
    interrupted = 0;
    sigaction(SIGINT, &mine, &old);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    int rc = question(text, line, err);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, before);
    sigaction(SIGINT, &old, NULL);
    printf_out("\n");
    if (interrupted)
        raise(SIGINT);
    return rc;
}

int ask_secret(const char *text, char **out, err_t **err)
{
    AUTO_STR line = STR_MAX(64 << 10);
    struct termios before;
    bool terminal = tcgetattr(STDIN_FILENO, &before) == 0;
    int rc = terminal ? question_in_silence(text, &before, &line, err) : question(text, &line, err);
    if (rc < 0)
        return rc;
    *out = terminal ? xstrdup(str_text(&line)) : trimmed(&line);
    wipe(line.p, line.len);
    return 0;
}
