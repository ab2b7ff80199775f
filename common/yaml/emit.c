/* goyaml's emitter is libyaml's: a text is looked at once for what it contains, which decides the styles that
 * can hold it; each style then writes it, breaking lines at blanks past column 80. The flags `whitespace` and
 * `indention` decide where a blank or a new line is needed; they are kept exactly as there, since the bytes
 * depend on it. */
#include "common/yaml/emit.h"

enum { BEST_WIDTH = 80, INDENT = 2, LONGEST_SIMPLE_KEY = 128 };

struct traits {
    bool multiline;
    bool plain_ok, single_ok, literal_ok;
};

void emit_init(struct emitter *e, str_t *out)
{
    *e = (struct emitter){.out = out, .indent = -1, .whitespace = true, .indention = true};
}

static void put(struct emitter *e, char c)
{
    str_putc(e->out, c);
    e->column++;
}

static void put_break(struct emitter *e)
{
    str_putc(e->out, '\n');
    e->column = 0;
}

void emit_indent(struct emitter *e)
{
    size_t indent = e->indent < 0 ? 0 : (size_t)e->indent;
    if (!e->indention || e->column > indent || (e->column == indent && !e->whitespace))
        put_break(e);
    while (e->column < indent)
        put(e, ' ');
    e->whitespace = e->indention = true;
}

void emit_indicator(struct emitter *e, const char *text, bool need_whitespace, bool is_indention)
{
    if (need_whitespace && !e->whitespace)
        put(e, ' ');
    for (; *text; text++)
        put(e, *text);
    e->whitespace = false;
    e->indention = e->indention && is_indention;
}

/* ---- characters ---- */

static size_t width(char c)
{
    unsigned char b = (unsigned char)c;
    return b < 0x80 ? 1 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
}

static bool starts(view_t v, size_t i, const char *bytes)
{
    size_t n = strlen(bytes);
    return v.n - i >= n && memcmp(v.p + i, bytes, n) == 0;
}

static bool is_break(view_t v, size_t i)
{
    if (!(v.p[i] & 0x80))
        return v.p[i] == '\r' || v.p[i] == '\n';
    return starts(v, i, "\xc2\x85") || starts(v, i, "\xe2\x80\xa8") || starts(v, i, "\xe2\x80\xa9");
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* What may stand in the text as it is; characters beyond the basic plane are not among it. */
static bool is_printable(view_t v, size_t i)
{
    unsigned char c = (unsigned char)v.p[i];
    if (c < 0x80)
        return c == '\n' || (c >= 0x20 && c <= 0x7e);
    if (c == 0xc2)
        return (unsigned char)v.p[i + 1] >= 0xa0;
    return c < 0xf0 && !starts(v, i, "\xef\xbb\xbf") && !starts(v, i, "\xef\xbf\xbe") &&
           !starts(v, i, "\xef\xbf\xbf");
}

/* Copies the character at i and steps over it. */
static void copy(struct emitter *e, view_t v, size_t *i)
{
    size_t n = width(v.p[*i]);
    str_add(e->out, v.p + *i, n);
    e->column++;
    *i += n;
}

static void copy_break(struct emitter *e, view_t v, size_t *i)
{
    copy(e, v, i);
    e->column = 0;
}

/* ---- what a text contains ---- */

/* Whether the character has a meaning of its own at this place of a plain text. */
static bool is_indicator(view_t v, size_t i, bool after_blank, bool before_blank)
{
    char c = v.p[i];
    if (i == 0)
        return memchr("#,[]{}&*!|>'\"%@`", c, 16) || (memchr("?:-", c, 3) && before_blank);
    return (c == ':' && before_blank) || (c == '#' && after_blank);
}

static struct traits look_at(view_t v)
{
    bool indicators = starts(v, 0, "---") || starts(v, 0, "..."), special = false, breaks = false;
    bool edge = false, space_last = false, break_space = false, space_break = false;
    bool after_blank = true, after_space = false, after_break = false;
    for (size_t i = 0, n; i < v.n; i += n) {
        n = width(v.p[i]);
        bool last = i + n >= v.n, space = v.p[i] == ' ', line_break = is_break(v, i);
        indicators = indicators || is_indicator(v, i, after_blank, last || is_blank(v.p[i + n]));
        special = special || !is_printable(v, i);
        breaks = breaks || line_break;
        edge = edge || ((space || line_break) && (i == 0 || last));
        space_last = space_last || (space && last);
        break_space = break_space || (space && after_break);
        space_break = space_break || (line_break && after_space);
        after_space = space;
        after_break = line_break;
        after_blank = is_blank(v.p[i]) || line_break || !v.p[i];
    }
    special = special || space_break;
    return (struct traits){.multiline = breaks,
                           .plain_ok = !indicators && !special && !breaks && !edge,
                           .single_ok = !special && !break_space,
                           .literal_ok = !special && !space_last && v.n > 0};
}

bool emit_is_simple_key(view_t text)
{
    return text.n <= LONGEST_SIMPLE_KEY && !look_at(text).multiline;
}

/* ---- styles ---- */

static void write_plain(struct emitter *e, view_t v, bool fold)
{
    bool spaces = false;
    if (!e->whitespace)
        put(e, ' ');
    for (size_t i = 0; i < v.n;) {
        bool space = v.p[i] == ' ';
        if (space && fold && !spaces && e->column > BEST_WIDTH && v.p[i + 1] != ' ') {
            emit_indent(e);
            i++;
        } else {
            copy(e, v, &i);
        }
        spaces = space;
    }
    e->whitespace = e->indention = false;
}

static void write_single(struct emitter *e, view_t v, bool fold)
{
    bool spaces = false, breaks = false;
    emit_indicator(e, "'", true, false);
    for (size_t i = 0; i < v.n;) {
        if (v.p[i] == ' ') {
            if (fold && !spaces && e->column > BEST_WIDTH && i > 0 && i + 1 < v.n && v.p[i + 1] != ' ') {
                emit_indent(e);
                i++;
            } else {
                copy(e, v, &i);
            }
            spaces = true;
        } else if (is_break(v, i)) {
            if (!breaks && v.p[i] == '\n')
                put_break(e);
            copy_break(e, v, &i);
            e->indention = breaks = true;
        } else {
            if (breaks)
                emit_indent(e);
            if (v.p[i] == '\'')
                put(e, '\'');
            copy(e, v, &i);
            e->indention = spaces = breaks = false;
        }
    }
    emit_indicator(e, "'", false, false);
    e->whitespace = e->indention = false;
}

static char short_escape(uint32_t c)
{
    static const struct {
        uint32_t c;
        char letter;
    } letters[] = {{0, '0'},     {7, 'a'},    {8, 'b'},    {9, 't'},      {10, 'n'},
                   {11, 'v'},    {12, 'f'},   {13, 'r'},   {0x1b, 'e'},   {'"', '"'},
                   {'\\', '\\'}, {0x85, 'N'}, {0xa0, '_'}, {0x2028, 'L'}, {0x2029, 'P'}};
    for (size_t i = 0; i < ARRAY_LEN(letters); i++)
        if (letters[i].c == c)
            return letters[i].letter;
    return 0;
}

static void write_escape(struct emitter *e, view_t v, size_t *i)
{
    uint32_t c = 0;
    *i += utf8_decode(v.p + *i, v.n - *i, &c);
    size_t before = e->out->len;
    char letter = short_escape(c);
    if (letter)
        str_printf(e->out, "\\%c", letter);
    else if (c <= 0xff)
        str_printf(e->out, "\\x%02X", c);
    else
        str_printf(e->out, c <= 0xffff ? "\\u%04X" : "\\U%08X", c);
    e->column += e->out->len - before;
}

static void write_double(struct emitter *e, view_t v, bool fold)
{
    bool spaces = false;
    bool escape_all = starts(v, 0, "\xef\xbb\xbf"); /* goyaml looks for a BOM at the beginning only */
    emit_indicator(e, "\"", true, false);
    for (size_t i = 0; i < v.n;) {
        char c = v.p[i];
        if (escape_all || !is_printable(v, i) || is_break(v, i) || c == '"' || c == '\\') {
            write_escape(e, v, &i);
            spaces = false;
        } else if (c == ' ' && fold && !spaces && e->column > BEST_WIDTH && i > 0 && i + 1 < v.n) {
            emit_indent(e);
            if (v.p[++i] == ' ')
                put(e, '\\');
            spaces = true;
        } else {
            copy(e, v, &i);
            spaces = c == ' ';
        }
    }
    emit_indicator(e, "\"", false, false);
    e->whitespace = e->indention = false;
}

/* Where the character before i begins. */
static size_t before(view_t v, size_t i)
{
    do
        i--;
    while (i && (v.p[i] & 0xc0) == 0x80);
    return i;
}

static void write_literal(struct emitter *e, view_t v)
{
    emit_indicator(e, "|", true, false);
    if (v.p[0] == ' ' || is_break(v, 0))
        emit_indicator(e, "2", false, false);
    size_t last = before(v, v.n);
    if (!is_break(v, last))
        emit_indicator(e, "-", false, false);
    else if (last == 0 || is_break(v, before(v, last)))
        emit_indicator(e, "+", false, false);
    put_break(e);
    e->indention = e->whitespace = true;
    bool breaks = true;
    for (size_t i = 0; i < v.n;) {
        if (is_break(v, i)) {
            copy_break(e, v, &i);
            e->indention = breaks = true;
            continue;
        }
        if (breaks)
            emit_indent(e);
        copy(e, v, &i);
        e->indention = breaks = false;
    }
}

void emit_scalar(struct emitter *e, view_t text, enum emit_style style, bool simple_key)
{
    struct traits t = look_at(text);
    int indent = e->indent;
    e->indent = indent < 0 ? INDENT : indent + INDENT;
    if (style == EMIT_LITERAL && t.literal_ok && !simple_key)
        write_literal(e, text);
    else if (style == EMIT_PLAIN && t.plain_ok)
        write_plain(e, text, !simple_key);
    else if (style == EMIT_PLAIN && t.single_ok)
        write_single(e, text, !simple_key);
    else
        write_double(e, text, !simple_key);
    e->indent = indent;
}
