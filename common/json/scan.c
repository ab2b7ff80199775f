/* The tokeniser is a loop over a small state: what may come next. Nesting is a bit per level, so that depth
 * costs no memory and no recursion. */
#include "common/json/scan.h"

enum state {
    ST_VALUE,         /* a value must come */
    ST_FIRST_KEY,     /* a key or } */
    ST_KEY,           /* a key must come */
    ST_FIRST_ELEMENT, /* a value or ] */
    ST_AFTER,         /* , or the end of the container */
    ST_DONE,
};

void json_scan_init(struct json_scan *s, const char *p, size_t n)
{
    s->begin = s->p = p;
    s->end = p + n;
    s->text = (view_t){p, 0};
    s->escaped = false;
    s->error = NULL;
    s->depth = 0;
    s->state = ST_VALUE;
}

static enum json_token fail(struct json_scan *s, const char *why)
{
    s->error = why;
    return JT_ERROR;
}

static void skip_blanks(struct json_scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' || *s->p == '\r'))
        s->p++;
}

static bool in_object(const struct json_scan *s)
{
    unsigned level = s->depth - 1;
    return s->is_object[level / 64] >> (level % 64) & 1;
}

static enum json_token open_container(struct json_scan *s, bool object)
{
    if (s->depth == JSON_MAX_DEPTH)
        return fail(s, "nested deeper than " STRINGIFY(512) " levels");
    uint64_t bit = (uint64_t)1 << (s->depth % 64), *word = &s->is_object[s->depth / 64];
    *word = object ? *word | bit : *word & ~bit;
    s->depth++;
    s->p++;
    s->state = object ? ST_FIRST_KEY : ST_FIRST_ELEMENT;
    return object ? JT_OBJECT_BEGIN : JT_ARRAY_BEGIN;
}

static enum json_token close_container(struct json_scan *s)
{
    bool object = in_object(s);
    s->p++;
    s->depth--;
    s->state = s->depth ? ST_AFTER : ST_DONE;
    return object ? JT_OBJECT_END : JT_ARRAY_END;
}

/* Reads a string at p ('"'); leaves its inside in s->text. */
static bool scan_string(struct json_scan *s)
{
    const char *start = ++s->p;
    s->escaped = false;
    for (; s->p < s->end; s->p++) {
        unsigned char c = (unsigned char)*s->p;
        if (c == '"') {
            s->text = (view_t){start, (size_t)(s->p - start)};
            s->p++;
            return true;
        }
        if (c == '\\') {
            s->escaped = true;
            if (++s->p == s->end)
                break;
        } else if (c < 0x20) {
            s->error = "control character in a string";
            return false;
        }
    }
    s->error = "unexpected end inside a string";
    return false;
}

static bool digits(struct json_scan *s)
{
    const char *start = s->p;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    return s->p > start;
}

static bool scan_number(struct json_scan *s)
{
    const char *start = s->p;
    if (*s->p == '-')
        s->p++;
    if (s->p < s->end && *s->p == '0')
        s->p++;
    else if (!digits(s))
        return false;
    if (s->p < s->end && *s->p == '.') {
        s->p++;
        if (!digits(s))
            return false;
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        s->p++;
        if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
            s->p++;
        if (!digits(s))
            return false;
    }
    s->text = (view_t){start, (size_t)(s->p - start)};
    return true;
}

static enum json_token scan_word(struct json_scan *s, const char *word, enum json_token token)
{
    size_t n = strlen(word);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
        return fail(s, "unexpected character");
    s->text = (view_t){s->p, n};
    s->p += n;
    return token;
}

static enum json_token scan_value(struct json_scan *s)
{
    if (s->p == s->end)
        return fail(s, "unexpected end");
    char c = *s->p;
    if (c == '{' || c == '[')
        return open_container(s, c == '{');
    s->state = s->depth ? ST_AFTER : ST_DONE;
    switch (c) {
    case '"':
        return scan_string(s) ? JT_STRING : JT_ERROR;
    case 't':
        return scan_word(s, "true", JT_TRUE);
    case 'f':
        return scan_word(s, "false", JT_FALSE);
    case 'n':
        return scan_word(s, "null", JT_NULL);
    default:
        if (c != '-' && (c < '0' || c > '9'))
            return fail(s, "unexpected character");
        return scan_number(s) ? JT_NUMBER : fail(s, "malformed number");
    }
}

static enum json_token scan_key(struct json_scan *s)
{
    if (s->p == s->end)
        return fail(s, "unexpected end");
    if (*s->p != '"')
        return fail(s, "a key must be a string");
    if (!scan_string(s))
        return JT_ERROR;
    skip_blanks(s);
    if (s->p == s->end || *s->p != ':')
        return fail(s, "':' missing after a key");
    s->p++;
    s->state = ST_VALUE;
    return JT_KEY;
}

enum json_token json_scan_next(struct json_scan *s)
{
    if (s->error)
        return JT_ERROR;
    skip_blanks(s);
    if (s->state == ST_DONE)
        return JT_END;
    if (s->state == ST_AFTER) {
        if (s->p == s->end)
            return fail(s, "unexpected end");
        bool object = in_object(s);
        if (*s->p == (object ? '}' : ']'))
            return close_container(s);
        if (*s->p != ',')
            return fail(s, object ? "',' or '}' expected" : "',' or ']' expected");
        s->p++;
        skip_blanks(s);
        s->state = object ? ST_KEY : ST_VALUE;
    }
    if (s->state == ST_FIRST_KEY || s->state == ST_FIRST_ELEMENT) {
        if (s->p < s->end && *s->p == (s->state == ST_FIRST_KEY ? '}' : ']'))
            return close_container(s);
        s->state = s->state == ST_FIRST_KEY ? ST_KEY : ST_VALUE;
    }
    return s->state == ST_KEY ? scan_key(s) : scan_value(s);
}

bool json_scan_skip(struct json_scan *s, enum json_token just_read)
{
    if (just_read == JT_KEY)
        just_read = json_scan_next(s);
    if (just_read == JT_ERROR)
        return false;
    if (just_read != JT_OBJECT_BEGIN && just_read != JT_ARRAY_BEGIN)
        return true;
    unsigned until = s->depth - 1;
    while (s->depth > until)
        if (json_scan_next(s) == JT_ERROR)
            return false;
    return true;
}

bool json_scan_value(struct json_scan *s, enum json_token just_read, view_t *bytes)
{
    if (just_read == JT_KEY) {
        just_read = json_scan_next(s);
    }
    const char *start;
    switch (just_read) {
    case JT_ERROR:
    case JT_END:
        return false;
    case JT_OBJECT_BEGIN:
    case JT_ARRAY_BEGIN:
        start = s->p - 1;
        break;
    case JT_STRING:
        start = s->text.p - 1;
        break;
    default:
        start = s->text.p;
    }
    if (!json_scan_skip(s, just_read))
        return false;
    *bytes = (view_t){start, (size_t)(s->p - start)};
    return true;
}

static bool hex4(const char *p, const char *end, uint32_t *out)
{
    if (end - p < 4)
        return false;
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        uint32_t d = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                     : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                            : 16;
        if (d == 16)
            return false;
        v = v << 4 | d;
    }
    *out = v;
    return true;
}

/* One \uXXXX (p behind the "u"), with its second half when it is a surrogate pair. */
static bool unescape_unicode(const char **p, const char *end, str_t *out)
{
    uint32_t cp, low;
    if (!hex4(*p, end, &cp))
        return false;
    *p += 4;
    if (cp >= 0xd800 && cp < 0xdc00 && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u' &&
        hex4(*p + 2, end, &low) && low >= 0xdc00 && low < 0xe000) {
        cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
        *p += 6;
    }
    char buf[4];
    size_t n = utf8_encode(cp, buf);
    if (!n)
        n = utf8_encode(0xfffd, buf);
    str_add(out, buf, n);
    return true;
}

bool json_unescape(view_t text, str_t *out)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    if (!utf8_valid(text.p, text.n))
        return false;
    const char *p = text.p, *end = p + text.n;
    str_add(out, "", 0);
    while (p < end) {
        const char *back = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((back ? back : end) - p);
        str_add(out, p, plain);
        p += plain;
        if (!back)
            break;
        if (++p == end)
            return false;
        char c = *p++;
        const char *at = strchr(names, c);
        if (c == 'u') {
            if (!unescape_unicode(&p, end, out))
                return false;
        } else if (c && at) {
            str_putc(out, values[at - names]);
        } else {
            return false;
        }
    }
    return !str_overflowed(out);
}

bool json_scan_is(const struct json_scan *scan, const char *s)
{
    if (!scan->escaped)
        return view_eq(scan->text, s);
    AUTO_STR plain = STR_INIT;
    return json_unescape(scan->text, &plain) && view_eq((view_t){plain.p, plain.len}, s);
}

int json_scan_error(const struct json_scan *s, err_t **err)
{
    size_t line = 1, column = 1;
    for (const char *p = s->begin; p < s->p && p < s->end; p++) {
        column++;
        if (*p == '\n') {
            line++;
            column = 1;
        }
    }
    return err_set(err, ERR_INVALID_ARGUMENT, "line %zu, column %zu: %s", line, column,
                   s->error ? s->error : "unexpected data after the document");
}

/* ---- lists in pieces ---- */

enum list_state {
    LS_START,   /* before { */
    LS_KEY,     /* before a top-level key or } */
    LS_IN_KEY,  /* inside its quotes */
    LS_COLON,   /* before : */
    LS_VALUE,   /* before the value */
    LS_CAPTURE, /* inside a value that is being collected */
    LS_ITEM,    /* before an item or ] */
    LS_DONE,
};

void json_list_init(struct json_list *l, size_t max_item)
{
    *l = (struct json_list){.max_item = max_item, .buf = STR_MAX(max_item), .key = STR_MAX(1024)};
}

void json_list_dispose(struct json_list *l)
{
    str_dispose(&l->buf);
    str_dispose(&l->key);
}

static int deliver(struct json_list *l)
{
    int r = 0;
    if (str_overflowed(&l->buf))
        l->oversized++;
    else if (l->in_items)
        r = l->on_item ? l->on_item(l->arg, str_text(&l->buf), l->buf.len) : 0;
    else if (l->on_field)
        r = l->on_field(l->arg, str_text(&l->key), str_text(&l->buf), l->buf.len);
    str_reset(&l->buf);
    l->state = l->in_items ? LS_ITEM : LS_KEY;
    return r;
}

/* Takes bytes of the value being collected; returns how many belong to it. *whole tells that it is complete.
 */
static size_t capture(struct json_list *l, const char *p, size_t n, bool *whole)
{
    size_t i = 0;
    *whole = false;
    while (i < n && !*whole) {
        char c = p[i];
        if (l->in_string) {
            if (l->escape)
                l->escape = false;
            else if (c == '\\')
                l->escape = true;
            else if (c == '"')
                l->in_string = false;
            *whole = !l->in_string && l->depth == 0;
            i++;
        } else if (c == '"') {
            l->in_string = true;
            i++;
        } else if (c == '{' || c == '[') {
            l->depth++;
            i++;
        } else if (c == '}' || c == ']' || c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t') {
            if (l->depth == 0) {
                *whole = true; /* a bare scalar ends before this byte */
                break;
            }
            if (c == '}' || c == ']')
                *whole = --l->depth == 0;
            i++;
        } else {
            i++;
        }
    }
    return i;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static int malformed(const char *what, err_t **err)
{
    return err_set(err, ERR_INVALID_ARGUMENT, "malformed list: %s", what);
}

/* Takes one byte of a key, which is decoded when it is complete. */
static int in_key(struct json_list *l, char c, err_t **err)
{
    if (c != '"' || l->escape) {
        str_putc(&l->key, c);
        l->escape = c == '\\' && !l->escape;
        return str_overflowed(&l->key) ? malformed("a key is too long", err) : 0;
    }
    l->state = LS_COLON;
    if (!l->key.len || !memchr(l->key.p, '\\', l->key.len))
        return 0;
    str_t plain = STR_MAX(l->key.max);
    bool ok = json_unescape((view_t){l->key.p, l->key.len}, &plain);
    str_dispose(&l->key);
    l->key = plain;
    return ok ? 0 : malformed("a key has a bad escape", err);
}

/* Handles one byte between values. *captured tells that the byte begins a value. */
static int between(struct json_list *l, char c, bool *captured, err_t **err)
{
    *captured = false;
    switch ((enum list_state)l->state) {
    case LS_START:
        if (c != '{')
            return malformed("an object was expected", err);
        l->state = LS_KEY;
        return 0;
    case LS_KEY:
        if (c == ',')
            return 0;
        if (c == '}') {
            l->state = LS_DONE;
            l->done = true;
            return 0;
        }
        if (c != '"')
            return malformed("a key was expected", err);
        str_reset(&l->key);
        l->escape = false;
        l->state = LS_IN_KEY;
        return 0;
    case LS_IN_KEY:
        return in_key(l, c, err);
    case LS_COLON:
        if (c != ':')
            return malformed("':' was expected", err);
        l->state = LS_VALUE;
        return 0;
    case LS_VALUE:
        if (c == '[' && strcmp(str_text(&l->key), "items") == 0) {
            l->in_items = true;
            l->state = LS_ITEM;
            return 0;
        }
        break;
    case LS_ITEM:
        if (c == ',')
            return 0;
        if (c == ']') {
            l->in_items = false;
            l->state = LS_KEY;
            return 0;
        }
        break;
    case LS_DONE:
        return malformed("data behind its end", err);
    case LS_CAPTURE:
        break;
    }
    l->state = LS_CAPTURE;
    l->depth = 0;
    l->in_string = l->escape = false;
    *captured = true;
    return 0;
}

int json_list_feed(struct json_list *l, const char *p, size_t n, err_t **err)
{
    for (size_t i = 0; i < n;) {
        if (l->state != LS_CAPTURE) {
            bool captured;
            if (l->state != LS_IN_KEY && is_blank(p[i])) {
                i++;
                continue;
            }
            int r = between(l, p[i], &captured, err);
            if (r < 0)
                return r;
            i += !captured;
            continue;
        }
        bool whole;
        size_t took = capture(l, p + i, n - i, &whole);
        str_add(&l->buf, p + i, took);
        i += took;
        if (str_overflowed(&l->buf) && !(l->skip_oversized && l->in_items))
            return err_set(err, ERR_RESOURCE_EXHAUSTED, "a list item is larger than %zu bytes", l->max_item);
        if (whole && took == 0 && l->buf.len == 0 && !str_overflowed(&l->buf))
            return malformed("a value was expected", err);
        int r = whole ? deliver(l) : 0;
        if (r)
            return r;
    }
    return 0;
}

int json_list_end(struct json_list *l, err_t **err)
{
    return l->done ? 0 : malformed("it ends too early", err);
}
