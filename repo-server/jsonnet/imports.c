/* As much of Jsonnet's lexical grammar (https://jsonnet.org/ref/spec.html#lexing) as tells keywords from what
 * stands in strings and comments. What is malformed is copied as it is: the library says what is wrong. */
#include "repo-server/jsonnet/imports.h"

#include <ctype.h>

/* Past a string whose opening quote is at p; verbatim ones double the quote instead of escaping it. */
static const char *skip_string(const char *p, const char *end, bool verbatim)
{
    char quote = *p++;
    for (; p < end; p++) {
        if (!verbatim && *p == '\\' && p + 1 < end)
            p++;
        else if (*p == quote && verbatim && p + 1 < end && p[1] == quote)
            p++;
        else if (*p == quote)
            return p + 1;
    }
    return end;
}

static const char *line_end(const char *p, const char *end)
{
    const char *nl = memchr(p, '\n', (size_t)(end - p));
    return nl ? nl + 1 : end;
}

static size_t blanks(const char *p, const char *end)
{
    const char *at = p;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    return (size_t)(at - p);
}

/* Past a text block "|||": it ends with a line "|||" that is indented less than its first one. */
static const char *skip_block(const char *p, const char *end)
{
    const char *line = line_end(p, end);
    while (line < end && *line == '\n')
        line++;
    size_t indent = blanks(line, end);
    const char *first = line;
    for (; line < end; line = line_end(line, end)) {
        size_t n = blanks(line, end);
        if (*line == '\n' || (n >= indent && indent && memcmp(line, first, indent) == 0))
            continue;
        return end - line - (ptrdiff_t)n >= 3 && memcmp(line + n, "|||", 3) == 0 ? line + n + 3 : end;
    }
    return end;
}

static const char *skip_comment(const char *p, const char *end)
{
    if (*p == '#' || p[1] == '/')
        return line_end(p, end);
    const char *close = memmem(p + 2, (size_t)(end - p) - 2, "*/", 2);
    return close ? close + 2 : end;
}

static bool starts_comment(const char *p, const char *end)
{
    return *p == '#' || (*p == '/' && p + 1 < end && (p[1] == '/' || p[1] == '*'));
}

/* Past one token, comment or character that is none. */
static const char *skip_one(const char *p, const char *end)
{
    if (starts_comment(p, end))
        return skip_comment(p, end);
    if (*p == '"' || *p == '\'')
        return skip_string(p, end, false);
    if (*p == '@' && p + 1 < end && (p[1] == '"' || p[1] == '\''))
        return skip_string(p + 1, end, true);
    if (end - p >= 3 && memcmp(p, "|||", 3) == 0)
        return skip_block(p, end);
    if (!isalnum((unsigned char)*p) && *p != '_')
        return p + 1;
    while (p < end && (isalnum((unsigned char)*p) || *p == '_'))
        p++;
    return p;
}

static bool is_word(const char *p, size_t n, const char *word)
{
    return n == strlen(word) && memcmp(p, word, n) == 0;
}

/* From behind the keyword: what stands up to the name, and the name's opening quote with the mark. */
static const char *mark(const char *p, const char *end, str_t *out)
{
    const char *at = p;
    while (at < end && (isspace((unsigned char)*at) || starts_comment(at, end)))
        at = isspace((unsigned char)*at) ? at + 1 : skip_comment(at, end);
    bool verbatim = at < end && *at == '@';
    const char *quote = at + verbatim;
    if (quote >= end || (*quote != '"' && *quote != '\'')) {
        str_add(out, p, (size_t)(at - p));
        return at;
    }
    bool blank = at > p && at[-1] == ' ';
    str_add(out, p, (size_t)(at - p) - blank);
    str_add(out, at, (size_t)(quote + 1 - at));
    str_putc(out, JSONNET_AS_IS);
    const char *rest = skip_string(quote, end, verbatim);
    str_add(out, quote + 1, (size_t)(rest - quote) - 1);
    return rest;
}

void jsonnet_mark_imports(const char *text, size_t n, str_t *out)
{
    const char *end = text + n;
    for (const char *p = text; p < end;) {
        const char *next = skip_one(p, end);
        size_t len = (size_t)(next - p);
        str_add(out, p, len);
        p = is_word(p, len, "importstr") || is_word(p, len, "importbin") ? mark(next, end, out) : next;
    }
}
