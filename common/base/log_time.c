/* Times in the layouts of Go's time package (https://pkg.go.dev/time#Layout), which Argo CD's users give for
 * the timestamps of logs: the reference time "Mon Jan 2 15:04:05 2006" spelled as it is to look. */
#include "common/base/log.h"
#include "common/base/clock.h"
#include "common/base/str.h"

#include <stdio.h>
#include <time.h>

enum { MAX_DIGITS = 9 };

/* Longer words first. strftime's conversion, or NULL: done by hand. */
static const struct {
    const char *word, *conversion;
} words[] = {
    {"January", "%B"},    {"Jan", "%b"},      {"Monday", "%A"}, {"Mon", "%a"},  {"MST", "UTC"},
    {"2006", "%Y"},       {"002", "%j"},      {"01", "%m"},     {"02", "%d"},   {"03", "%I"},
    {"04", "%M"},         {"05", "%S"},       {"06", "%y"},     {"15", "%H"},   {"PM", "%p"},
    {"pm", "%P"},         {"_2", "%e"},       {"Z07:00", "Z"},  {"Z0700", "Z"}, {"Z07", "Z"},
    {"-07:00", "+00:00"}, {"-0700", "+0000"}, {"-07", "+00"},   {"1", "%-m"},   {"2", "%-d"},
    {"3", "%-I"},         {"4", "%-M"},       {"5", "%-S"},
};

/* ".000", ",999": a fraction; zeros stay, nines drop what is zero at the end. How much of the layout it is.
 */
static size_t put_fraction(const char *layout, int64_t ns, str_t *out)
{
    size_t n = strspn(layout + 1, layout[1] == '9' ? "9" : "0");
    if (!n || n > MAX_DIGITS || (layout[n + 1] >= '0' && layout[n + 1] <= '9'))
        return 0;
    char digits[24];
    snprintf(digits, sizeof(digits), "%09lld", (long long)ns);
    size_t keep = n;
    while (layout[1] == '9' && keep && digits[keep - 1] == '0')
        keep--;
    if (keep)
        str_printf(out, "%c%.*s", layout[0], (int)keep, digits);
    return n + 1;
}

static size_t put_word(const char *layout, const struct tm *tm, str_t *out)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t n = strlen(words[i].word);
        char text[32];
        if (strncmp(layout, words[i].word, n) != 0)
            continue;
        if (strftime(text, sizeof(text), words[i].conversion, tm))
            str_puts(out, text);
        return n;
    }
    return 0;
}

void log_time(const char *layout, wall_t t, str_t *out)
{
    time_t seconds = (time_t)(t.ns / NS_PER_SEC);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    for (const char *p = layout; *p;) {
        size_t n = *p == '.' || *p == ',' ? put_fraction(p, t.ns % NS_PER_SEC, out) : put_word(p, &tm, out);
        if (!n)
            str_putc(out, *p);
        p += n ? n : 1;
    }
}
