/* Text output that keeps count of columns, and the styles of scalars. */
#ifndef CARGOCD_YAML_EMIT_H
#define CARGOCD_YAML_EMIT_H

#include "common/base/str.h"

struct emitter {
    str_t *out;
    size_t column;   /* characters in the line at hand */
    int indent;      /* of the collection at hand; -1 before the first */
    bool whitespace; /* what was written last separates tokens */
    bool indention;  /* so far the line has only indentation and the indicators of collections */
};

enum emit_style {
    EMIT_PLAIN,
    EMIT_QUOTED, /* double quotes: the plain text would mean something else */
    EMIT_LITERAL,
};

void emit_init(struct emitter *e, str_t *out);
/* To the indentation at hand, in a new line if the present one has text. */
void emit_indent(struct emitter *e);
void emit_indicator(struct emitter *e, const char *text, bool need_whitespace, bool is_indention);
/* Whether the text may be a key without "? ": one line of at most 128 bytes. */
bool emit_is_simple_key(view_t text);
/* Writes valid UTF-8 in this style, or the next one that can hold it. A simple key is never folded. */
void emit_scalar(struct emitter *e, view_t text, enum emit_style style, bool simple_key);

#endif
