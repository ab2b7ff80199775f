/* A column is a block: consecutive lines that have a cell there. So the widths of a line's cells are found
 * from left to right: the width of cell j holds for the whole run of lines around it that have a tab-ended
 * cell j, within the run that cell j-1 belongs to. */
#include "cli/table.h"

#include "common/base/vec.h"

struct cell {
    const char *p;
    size_t n;     /* bytes */
    size_t size;  /* code points */
    size_t width; /* of its column; 0 until known */
};
struct line {
    struct cell *cells; /* the last one is in no column */
    size_t n;
    bool ended; /* with a line break */
};
typedef VEC(struct line) lines_t;

static size_t code_points(const char *p, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += ((unsigned char)p[i] & 0xc0) != 0x80;
    return count;
}

static struct line read_line(view_t text, bool ended)
{
    VEC(struct cell) cells = {};
    view_t part;
    if (!text.n)
        VEC_PUSH(&cells, (struct cell){.p = ""});
    while (text.n && view_split(&text, '\t', &part)) {
        VEC_PUSH(&cells, (struct cell){part.p, part.n, code_points(part.p, part.n), 0});
        if (text.p && !text.n)
            VEC_PUSH(&cells, (struct cell){.p = ""}); /* the line ends with a tab */
    }
    return (struct line){cells.v, cells.n, ended};
}

static void read_lines(const char *text, size_t n, lines_t *out)
{
    while (n) {
        const char *end = memchr(text, '\n', n);
        size_t len = end ? (size_t)(end - text) : n;
        VEC_PUSH(out, read_line((view_t){text, len}, end));
        text += len + (end != NULL);
        n -= len + (end != NULL);
    }
}

static bool has_cell(const struct line *l, size_t column)
{
    return column + 1 < l->n;
}

/* Sets the widths of the columns from `column` on in the lines [from, to). */
static void measure(lines_t *lines, size_t from, size_t to, size_t column, size_t min_width)
{
    for (size_t i = from; i < to;) {
        size_t width = min_width, end = i;
        for (; end < to && has_cell(&lines->v[end], column); end++)
            width = max_size(width, lines->v[end].cells[column].size + TABLE_PADDING);
        for (size_t k = i; k < end; k++)
            lines->v[k].cells[column].width = width;
        if (end > i)
            measure(lines, i, end, column + 1, min_width);
        i = end > i ? end : i + 1;
    }
}

static void write_line(const struct line *l, str_t *out)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct cell *c = &l->cells[i];
        str_add(out, c->p, c->n);
        for (size_t k = c->size; k < c->width; k++)
            str_putc(out, ' ');
    }
    if (l->ended)
        str_putc(out, '\n');
}

void table_layout(const char *text, size_t n, size_t min_width, str_t *out)
{
    lines_t lines = {};
    read_lines(text, n, &lines);
    measure(&lines, 0, lines.n, 0, min_width);
    VEC_FOREACH(&lines, l) {
        write_line(l, out);
        free(l->cells);
    }
    VEC_FREE(&lines);
}
