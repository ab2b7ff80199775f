/* Tables on a terminal, laid out as Go's text/tabwriter does with blanks as padding
 * (https://pkg.go.dev/text/tabwriter), because scripts cut argocd's columns. */
#ifndef CARGOCD_CLI_TABLE_H
#define CARGOCD_CLI_TABLE_H

#include "common/base/str.h"

enum { TABLE_PADDING = 2 };

/* Lays the lines of `text` out: cells end with a tab, what follows the last tab of a line is in no column. A
 * column is a run of lines that have a cell there, and as wide as its widest cell and the padding, at least
 * `min_width`. Widths count code points. */
void table_layout(const char *text, size_t n, size_t min_width, str_t *out);

#endif
