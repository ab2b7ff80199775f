/* Backtracking over the pattern. A place in the pattern tells which groups surround it, so that together with
 * a place in the text it has one outcome: once a match turns out to be work, the places that failed are
 * remembered (a bit each), which bounds it by the product of both lengths. A budget of steps is the last
 * resort. */
#include "common/base/glob.h"
#include "common/base/str.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { MAX_STEPS = 1 << 20, MAX_DEPTH = 200, REMEMBER_AFTER = 2000, MAX_REMEMBERED = 1 << 23 };

struct matcher {
    const char *separators;
    bool gobwas; /* ** and {} have a meaning */
    size_t steps, depth;
    size_t cuts; /* how often the depth was exceeded */
    const char *pattern, *text;
    size_t pattern_len, text_len;
    unsigned char *failed; /* a bit per place in the pattern and the text; NULL: not needed so far */
};

/* What must match after the end of the current alternative. */
struct tail {
    const char *p, *end;
    const struct tail *next;
};

static bool is_separator(const struct matcher *m, const char *s)
{
    return m->separators && *s && strchr(m->separators, *s);
}

static size_t char_len(const char *s)
{
    uint32_t cp;
    size_t n = utf8_decode(s, strnlen(s, 4), &cp);
    return n ? n : 1;
}

static uint32_t char_at(const char *s, size_t *len)
{
    uint32_t cp;
    size_t n = utf8_decode(s, strnlen(s, 4), &cp);
    *len = n ? n : 1;
    return n ? cp : (unsigned char)*s;
}

/* End of the class that begins at p ("["), i.e. just behind its "]"; NULL when there is none. */
static const char *class_end(const char *p, const char *end)
{
    const char *q = p + 1;
    if (q < end && (*q == '!' || *q == '^'))
        q++;
    for (bool first = true; q < end; first = false, q++) {
        if (*q == '\\' && q + 1 < end)
            q++;
        else if (*q == ']' && !first)
            return q + 1;
    }
    return NULL;
}

static bool class_has(const char *p, const char *end, uint32_t c)
{
    bool negated = p[1] == '!' || p[1] == '^', hit = false;
    p += negated ? 2 : 1;
    end--; /* the closing bracket */
    while (p < end) {
        size_t n;
        if (*p == '\\' && p + 1 < end)
            p++;
        uint32_t lo = char_at(p, &n), hi = lo;
        p += n;
        if (p + 1 < end && *p == '-') {
            p++;
            if (*p == '\\' && p + 1 < end)
                p++;
            hi = char_at(p, &n);
            p += n;
        }
        hit = hit || (c >= lo && c <= hi);
    }
    return hit != negated;
}

/* End of the group that begins at p ("{"), just behind its "}"; NULL when there is none. */
static const char *group_end(const char *p, const char *end)
{
    size_t depth = 0;
    for (; p < end; p++) {
        if (*p == '\\' && p + 1 < end) {
            p++;
        } else if (*p == '[') {
            const char *e = class_end(p, end);
            if (e)
                p = e - 1;
        } else if (*p == '{') {
            depth++;
        } else if (*p == '}' && --depth == 0) {
            return p + 1;
        }
    }
    return NULL;
}

/* The next "," of this group level in [p, end), or end. */
static const char *alternative_end(const char *p, const char *end)
{
    while (p < end && *p != ',') {
        const char *next = NULL;
        if (*p == '\\' && p + 1 < end)
            p++;
        else if (*p == '{')
            next = group_end(p, end);
        else if (*p == '[')
            next = class_end(p, end);
        p = next ? next : p + 1;
    }
    return p;
}

static bool match_here(struct matcher *m, const char *p, const char *end, const struct tail *tail,
                       const char *s);

static void remember_failure(struct matcher *m, size_t place)
{
    size_t places = (m->pattern_len + 1) * (m->text_len + 1);
    if (!m->failed && m->steps > REMEMBER_AFTER && places <= MAX_REMEMBERED)
        m->failed = xcalloc(places / 8 + 1, 1);
    if (m->failed)
        m->failed[place / 8] |= (unsigned char)(1u << place % 8);
}

/* match_here where the same may be tried again. */
static bool match_once(struct matcher *m, const char *p, const char *end, const struct tail *tail,
                       const char *s)
{
    size_t place = (size_t)(p - m->pattern) * (m->text_len + 1) + (size_t)(s - m->text), cuts = m->cuts;
    if (m->failed && m->failed[place / 8] >> place % 8 & 1)
        return false;
    if (match_here(m, p, end, tail, s))
        return true;
    if (cuts == m->cuts)
        remember_failure(m, place);
    return false;
}

static bool match_group(struct matcher *m, const char *p, const char *end, const struct tail *tail,
                        const char *s)
{
    const char *close = group_end(p, end);
    if (!close)
        return false;
    struct tail rest = {close, end, tail};
    for (const char *a = p + 1; a < close; a++) {
        const char *e = alternative_end(a, close - 1);
        if (match_once(m, a, e, &rest, s))
            return true;
        a = e;
    }
    return false;
}

static bool match_star(struct matcher *m, const char *p, const char *end, const struct tail *tail,
                       const char *s)
{
    bool any = m->gobwas && p + 1 < end && p[1] == '*';
    while (p < end && *p == '*')
        p++;
    for (;; s += char_len(s)) {
        if (match_once(m, p, end, tail, s))
            return true;
        if (!*s || (!any && is_separator(m, s)) || m->steps > MAX_STEPS)
            return false;
    }
}

static bool match_here(struct matcher *m, const char *p, const char *end, const struct tail *tail,
                       const char *s)
{
    if (++m->depth > MAX_DEPTH) {
        m->depth--;
        m->cuts++;
        return false;
    }
    bool ok = false;
    for (;;) {
        if (++m->steps > MAX_STEPS)
            break;
        if (p == end) {
            if (!tail) {
                ok = !*s;
                break;
            }
            p = tail->p;
            end = tail->end;
            tail = tail->next;
            continue;
        }
        size_t n;
        if (*p == '*') {
            ok = match_star(m, p, end, tail, s);
            break;
        }
        if (*p == '{' && m->gobwas) {
            ok = match_group(m, p, end, tail, s);
            break;
        }
        if (!*s)
            break;
        if (*p == '?') {
            if (is_separator(m, s))
                break;
            s += char_len(s);
            p++;
            continue;
        }
        if (*p == '[') {
            const char *close = class_end(p, end);
            if (!close || !class_has(p, close, char_at(s, &n)) || (!m->gobwas && is_separator(m, s)))
                break;
            s += n;
            p = close;
            continue;
        }
        if (*p == '\\' && p + 1 < end)
            p++;
        if (*p != *s)
            break;
        p++;
        s++;
    }
    m->depth--;
    return ok;
}

bool glob_valid(const char *pattern)
{
    const char *end = pattern + strlen(pattern);
    size_t depth = 0;
    for (const char *p = pattern; p < end; p++) {
        if (*p == '\\') {
            if (++p == end)
                return false;
        } else if (*p == '[') {
            const char *e = class_end(p, end);
            if (!e)
                return false;
            p = e - 1;
        } else if (*p == '{') {
            depth++;
        } else if (*p == '}') {
            if (!depth--)
                return false;
        }
    }
    return depth == 0;
}

static bool match_all(struct matcher *m, const char *pattern, const char *text)
{
    m->pattern = pattern;
    m->pattern_len = strlen(pattern);
    m->text = text;
    m->text_len = strlen(text);
    bool ok = match_here(m, pattern, pattern + m->pattern_len, NULL, text);
    free(m->failed);
    return ok;
}

bool glob_match(const char *pattern, const char *text, const char *separators)
{
    struct matcher m = {.separators = separators, .gobwas = true};
    return pattern && text && glob_valid(pattern) && match_all(&m, pattern, text);
}

bool shell_match(const char *pattern, const char *text)
{
    struct matcher m = {.separators = "/"};
    return pattern && text && match_all(&m, pattern, text);
}

static bool regex_match(const char *pattern, size_t n, const char *text)
{
    int code;
    PCRE2_SIZE at;
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern, n, PCRE2_UTF, &code, &at, NULL);
    if (!re)
        return false;
    pcre2_match_context *ctx = pcre2_match_context_create(NULL);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    if (!ctx || !data)
        oom();
    pcre2_set_match_limit(ctx, 100000);
    int r = pcre2_match(re, (PCRE2_SPTR)text, strlen(text), 0, 0, data, ctx);
    pcre2_match_data_free(data);
    pcre2_match_context_free(ctx);
    pcre2_code_free(re);
    return r >= 0;
}

bool glob_or_regex_match(const char *pattern, const char *text)
{
    size_t n = pattern ? strlen(pattern) : 0;
    if (n > 2 && pattern[0] == '/' && pattern[n - 1] == '/')
        return regex_match(pattern + 1, n - 2, text);
    return glob_match(pattern, text, NULL);
}
