/* A text as libyaml sees it, and where libyaml 0.2.5 and goyaml v2 read the same text differently. */
#ifndef CARGOCD_YAML_SOURCE_H
#define CARGOCD_YAML_SOURCE_H

#include "common/base/err.h"
#include "common/base/str.h"

#include <yaml.h>

struct source {
    yaml_parser_t parser;
    bool parsing;    /* parser is in use */
    bool close_line; /* serve a final line break when the text has none */
    bool has_stand_ins;
    view_t text;                   /* UTF-8 without a BOM */
    str_t copy;                    /* what text points to when it is not the caller's */
    size_t served;                 /* bytes given to the parser */
    size_t seen_chars, seen_bytes; /* a position known in both units */
    unsigned patches;
};

/* Takes UTF-8, or UTF-16 with a BOM. The text must outlive the source. */
int source_open(struct source *s, const char *p, size_t n, bool close_line, err_t **err);
void source_close(struct source *s);
/* Begins parsing from the start (again). */
void source_rewind(struct source *s);
/* The next event, to be deleted by the caller. */
int source_next(struct source *s, yaml_event_t *e, err_t **err);
/* After a failure: whether the text was changed so that parsing again gets further, to what goyaml reads
 * there. */
bool source_patch(struct source *s);
/* Whether goyaml refuses what libyaml just accepted. in_flow: the scalar stands within [] or {}. */
int source_check_scalar(struct source *s, const yaml_event_t *e, bool in_flow, err_t **err);
/* The scalar's text, without what source_patch put in; scratch may hold it. */
view_t source_scalar(const struct source *s, const yaml_event_t *e, str_t *scratch);

/* "line 3, column 7: <text>". */
int source_error(yaml_mark_t at, err_t **err, const char *fmt, ...) PRINTF(3, 4);

#endif
