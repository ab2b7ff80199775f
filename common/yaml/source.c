/* libyaml is the parser; goyaml, whose reading counts here, is a translation of an older libyaml. What goyaml
 * does otherwise, and how it is levelled:
 *
 *   %YAML 1.2            any version but 1.1 is refused: checked at the document's start
 *   [a?b]                "?" ends a plain scalar within [] and {}: source_check_scalar
 *   "\/"                 is no escape: source_check_scalar
 *   "\'"                 is an escape: the backslash is replaced by a stand-in, which is removed later
 *   [a:] {a:,b}          the colon belongs to the plain scalar: it is replaced, and put back later
 *   U+FEFF in the text   is a character like others, not skipped where a line begins: likewise
 *
 * Stand-ins are private-use characters that the text does not have, put into a copy of it: columns stay as
 * they are, and each scalar is read back without them. Only texts that need it are copied; one that needs it
 * often is parsed again a bounded number of times.
 *
 * Two differences stay, both on the strict side: tags with ",", "[" or "]" in them are refused, and so is
 * malformed text behind the end of the first document's last value. */
#include "common/yaml/source.h"

#include <stdio.h>

enum stand_in { STAND_IN_COLON, STAND_IN_NOTHING, STAND_IN_BOM };

/* U+F8F0, U+F8F1, U+F8F2. */
static const char *const stand_ins[] = {"\xef\xa3\xb0", "\xef\xa3\xb1", "\xef\xa3\xb2"};
static const char *const stand_for[] = {":", "", "\xef\xbb\xbf"};
static const char BOM[] = "\xef\xbb\xbf";

/* libyaml compares each %TAG directive with all before it. */
enum { MAX_DIRECTIVES = 64, MAX_PATCHES = 100, MAX_PARSED_AGAIN = 16 << 20 };

static bool has(view_t text, const char *what)
{
    return memmem(text.p, text.n, what, strlen(what)) != NULL;
}

/* ---- opening ---- */

static uint32_t utf16_unit(const unsigned char *p, bool big)
{
    return big ? (uint32_t)p[0] << 8 | p[1] : (uint32_t)p[1] << 8 | p[0];
}

static int from_utf16(struct source *s, const unsigned char *p, size_t n, bool big, err_t **err)
{
    for (size_t i = 2; i < n; i += 2) {
        uint32_t cp = i + 1 < n ? utf16_unit(p + i, big) : 0xdc00;
        if (cp >= 0xd800 && cp < 0xdc00 && i + 3 < n) {
            uint32_t low = utf16_unit(p + i + 2, big);
            if (low >= 0xdc00 && low < 0xe000) {
                cp = 0x10000 + ((cp & 0x3ff) << 10) + (low & 0x3ff);
                i += 2;
            }
        }
        char utf8[4];
        size_t len = utf8_encode(cp, utf8);
        if (!len)
            return err_set(err, ERR_INVALID_ARGUMENT, "malformed UTF-16 at byte %zu", i);
        str_add(&s->copy, utf8, len);
    }
    s->text = (view_t){str_text(&s->copy), s->copy.len};
    return 0;
}

/* A % at the beginning of a line, whatever the kind of line break (also NEL, LS and PS, by their last byte).
 */
static int count_directives(view_t text, err_t **err)
{
    unsigned n = 0;
    for (const char *p = text.p; (p = memchr(p, '%', text.n - (size_t)(p - text.p))); p++) {
        bool first = p == text.p || memchr("\n\r\x85\xa8\xa9", p[-1], 5);
        if (first && ++n > MAX_DIRECTIVES)
            return err_set(err, ERR_RESOURCE_EXHAUSTED, "more than %d directives", MAX_DIRECTIVES);
    }
    return 0;
}

/* Whether the text has these characters itself, or may have one as an escape ("\uF8F0"). */
static bool has_stand_ins(view_t text)
{
    static const char *const escapes[] = {"F8F", "f8f", "F8f", "f8F"};
    for (size_t i = 0; i < ARRAY_LEN(stand_ins); i++)
        if (has(text, stand_ins[i]))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(escapes); i++)
        if (has(text, escapes[i]))
            return true;
    return false;
}

/* Replaces `len` bytes at a place of the text by a stand-in. False when the text has stand-ins of its own. */
static bool replace(struct source *s, size_t at, size_t len, enum stand_in with)
{
    if (!s->has_stand_ins && has_stand_ins(s->text))
        return false;
    s->has_stand_ins = true;
    str_t to = STR_INIT;
    str_add(&to, s->text.p, at);
    str_puts(&to, stand_ins[with]);
    str_add(&to, s->text.p + at + len, s->text.n - at - len);
    str_dispose(&s->copy);
    s->copy = to;
    s->text = (view_t){to.p, to.len};
    return true;
}

static void replace_boms(struct source *s)
{
    const char *at = memmem(s->text.p, s->text.n, BOM, 3);
    if (!at || !replace(s, (size_t)(at - s->text.p), 3, STAND_IN_BOM))
        return;
    for (char *p = s->copy.p; (p = memmem(p, s->copy.len - (size_t)(p - s->copy.p), BOM, 3));)
        memcpy(p, stand_ins[STAND_IN_BOM], 3);
}

int source_open(struct source *s, const char *p, size_t n, bool close_line, err_t **err)
{
    *s = (struct source){.close_line = close_line, .text = {p, n}};
    const unsigned char *b = (const unsigned char *)p;
    bool big = n >= 2 && b[0] == 0xfe && b[1] == 0xff, little = n >= 2 && b[0] == 0xff && b[1] == 0xfe;
    if (big || little) {
        int r = from_utf16(s, b, n, big, err);
        if (r < 0)
            return r;
    }
    while (s->text.n >= 3 && memcmp(s->text.p, BOM, 3) == 0)
        s->text = (view_t){s->text.p + 3, s->text.n - 3};
    if (!s->text.n)
        s->text = (view_t){"\n", 1};
    int r = count_directives(s->text, err);
    if (r < 0)
        return r;
    if (memchr(s->text.p, 0xef, s->text.n))
        replace_boms(s);
    return 0;
}

void source_close(struct source *s)
{
    if (s->parsing)
        yaml_parser_delete(&s->parser);
    str_dispose(&s->copy);
    *s = (struct source){};
}

/* ---- parsing ---- */

static int serve(void *arg, unsigned char *buf, size_t size, size_t *got)
{
    struct source *s = arg;
    size_t n = s->served < s->text.n ? min_size(size, s->text.n - s->served) : 0;
    memcpy(buf, s->text.p + s->served, n);
    s->served += n;
    if (n < size && s->close_line && s->served == s->text.n && s->text.p[s->text.n - 1] != '\n') {
        buf[n++] = '\n';
        s->served++;
    }
    *got = n;
    return 1;
}

void source_rewind(struct source *s)
{
    if (s->parsing)
        yaml_parser_delete(&s->parser);
    if (!yaml_parser_initialize(&s->parser))
        oom();
    s->parsing = true;
    s->served = s->seen_chars = s->seen_bytes = 0;
    yaml_parser_set_encoding(&s->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input(&s->parser, serve, s);
}

/* Where the character with this index begins. */
static size_t byte_offset(struct source *s, size_t chars)
{
    if (chars < s->seen_chars)
        s->seen_chars = s->seen_bytes = 0;
    size_t i = s->seen_bytes;
    for (; s->seen_chars < chars && i < s->text.n; s->seen_chars++)
        do
            i++;
        while (i < s->text.n && (s->text.p[i] & 0xc0) == 0x80);
    s->seen_bytes = i;
    return i;
}

int source_error(yaml_mark_t at, err_t **err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTO(free_p) char *text = xvasprintf(fmt, ap);
    va_end(ap);
    return err_set(err, ERR_INVALID_ARGUMENT, "line %zu, column %zu: %s", at.line + 1, at.column + 1, text);
}

/* The reader of libyaml knows bytes, not lines. */
static int reader_error(struct source *s, err_t **err)
{
    yaml_mark_t at = {};
    size_t n = min_size(s->parser.problem_offset, s->text.n);
    for (size_t i = 0; i < n; i++) {
        if (s->text.p[i] == '\n') {
            at.line++;
            at.column = 0;
        } else if ((s->text.p[i] & 0xc0) != 0x80) {
            at.column++;
        }
    }
    return source_error(at, err, "%s", s->parser.problem);
}

static int parser_error(struct source *s, err_t **err)
{
    const yaml_parser_t *p = &s->parser;
    switch (p->error) {
    case YAML_MEMORY_ERROR:
        oom();
    case YAML_READER_ERROR:
        return reader_error(s, err);
    default:
        if (!p->context || p->context_mark.line == p->problem_mark.line)
            return source_error(p->problem_mark, err, "%s", p->problem);
        return source_error(p->problem_mark, err, "%s, %s that begins in line %zu", p->problem, p->context,
                            p->context_mark.line + 1);
    }
}

int source_next(struct source *s, yaml_event_t *e, err_t **err)
{
    if (!yaml_parser_parse(&s->parser, e))
        return parser_error(s, err);
    if (e->type == YAML_DOCUMENT_START_EVENT) {
        const yaml_version_directive_t *v = e->data.document_start.version_directive;
        if (v && (v->major != 1 || v->minor != 1)) {
            int r = source_error(e->start_mark, err, "YAML version %d.%d is not supported", v->major,
                                 v->minor);
            yaml_event_delete(e);
            return r;
        }
    }
    return 0;
}

bool source_patch(struct source *s)
{
    const yaml_parser_t *p = &s->parser;
    if (p->error != YAML_SCANNER_ERROR || ++s->patches > MAX_PATCHES ||
        s->text.n * s->patches > max_size(MAX_PARSED_AGAIN, s->text.n))
        return false;
    size_t at = byte_offset(s, p->problem_mark.index);
    if (strcmp(p->problem, "found unexpected ':'") == 0 && at < s->text.n && s->text.p[at] == ':')
        return replace(s, at, 1, STAND_IN_COLON);
    if (strcmp(p->problem, "found unknown escape character") == 0 && at + 1 < s->text.n &&
        memcmp(s->text.p + at, "\\'", 2) == 0)
        return replace(s, at, 1, STAND_IN_NOTHING);
    return false;
}

/* ---- scalars ---- */

/* Looks at the text between the quotes, which is where an escaped slash still is one. */
static bool escapes_slash(struct source *s, const yaml_event_t *e)
{
    if (!memchr(e->data.scalar.value, '/', e->data.scalar.length))
        return false;
    size_t from = byte_offset(s, e->start_mark.index), to = byte_offset(s, e->end_mark.index);
    for (size_t i = from; i + 1 < to; i++) {
        if (s->text.p[i] != '\\')
            continue;
        if (s->text.p[++i] == '/')
            return true;
    }
    return false;
}

int source_check_scalar(struct source *s, const yaml_event_t *e, bool in_flow, err_t **err)
{
    yaml_scalar_style_t style = e->data.scalar.style;
    if (in_flow && style == YAML_PLAIN_SCALAR_STYLE &&
        memchr(e->data.scalar.value, '?', e->data.scalar.length))
        return source_error(e->start_mark, err, "a plain text within [] or {} cannot contain '?'");
    if (style == YAML_DOUBLE_QUOTED_SCALAR_STYLE && escapes_slash(s, e))
        return source_error(e->start_mark, err, "found unknown escape character '/'");
    return 0;
}

view_t source_scalar(const struct source *s, const yaml_event_t *e, str_t *scratch)
{
    view_t v = {(const char *)e->data.scalar.value, e->data.scalar.length};
    if (!s->has_stand_ins)
        return v;
    str_reset(scratch);
    for (size_t i = 0; i < v.n; i++) {
        size_t which = 0;
        while (which < ARRAY_LEN(stand_ins) && (v.n - i < 3 || memcmp(v.p + i, stand_ins[which], 3) != 0))
            which++;
        if (which == ARRAY_LEN(stand_ins)) {
            str_putc(scratch, v.p[i]);
            continue;
        }
        str_puts(scratch, stand_for[which]);
        i += 2;
    }
    return (view_t){str_text(scratch), scratch->len};
}
