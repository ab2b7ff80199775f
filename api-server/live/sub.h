/* A subscription: a cursor into a table and one bit per row that says whether the client has it. Pure; memory
 * does not depend on how slow the client is. */
#ifndef CARGOCD_API_LIVE_SUB_H
#define CARGOCD_API_LIVE_SUB_H

#include "api-server/live/table.h"

enum { SUB_SNAP_ROWS = 500, SUB_MESSAGE = 64 << 10 };

struct sub_filter {
    /* Whether the caller may see the row: asked once per row and policy. */
    bool (*visible)(void *ctx, const struct live_meta *meta);
    /* Whether the row is asked for; NULL: every row. */
    bool (*matches)(void *ctx, const struct live_meta *meta);
    void *ctx;
};

enum sub_stage { SUB_IDLE, SUB_SNAPSHOT, SUB_DELTAS };

typedef struct live_sub {
    live_table_t *table;
    struct sub_filter filter;
    enum sub_stage stage;
    bool reset;      /* the snapshot replaces what the client has */
    bool resumed;    /* it merges instead */
    uint64_t cursor; /* rows up to here have been dealt with */
    uint64_t base;   /* the cursor when it last reached the end: the client has all columns up to here */
    uint64_t cut;    /* of the snapshot */
    char *after;     /* the last key of the snapshot that was looked at */
    size_t total;
    uint64_t seq;
    uint64_t *has, *known, *allowed; /* bit sets by slot */
    uint32_t nbits;
} live_sub_t;

void sub_init(live_sub_t *s, live_table_t *t, const struct sub_filter *filter);
void sub_dispose(live_sub_t *s);
/* From the beginning, as a snapshot that replaces. seq goes on. */
void sub_reset(live_sub_t *s);
/* From since_rev on when that is possible (true), else as sub_reset. */
bool sub_resume(live_sub_t *s, uint64_t since_rev);
/* Starts at the present: only what changes from now on. */
void sub_from_now(live_sub_t *s);
/* The verdict on a row is to be made again. */
void sub_forget_verdict(live_sub_t *s, uint32_t slot);
void sub_forget_verdicts(live_sub_t *s);
/* Whether there may be something to write. */
bool sub_pending(const live_sub_t *s);
/* Appends one message with this id to *out (about SUB_MESSAGE bytes at most, unless a single row is larger).
 * False when there was nothing to say. `coded` names columns that go through the dictionary
 * (NULL-terminated). */
bool sub_write(live_sub_t *s, int64_t id, const char *const *coded, str_t *out);

/* After sub_reset, for sub_next: the rows that are there now, one at a time, by key. False when that was all;
 * changes since the reset follow by sub_next. */
bool sub_list_next(live_sub_t *s, const live_row_t **row);
/* The same changes one at a time, for other forms than sub_write's. */
/* SUB_NOTHING also while sub_list_next has more to give: a client that was left behind is told everything
 * again. */
enum sub_change { SUB_NOTHING, SUB_ADDED, SUB_MODIFIED, SUB_DELETED };
enum sub_change sub_next(live_sub_t *s, const live_row_t **row);
/* Marks every row that is visible and asked for as had, and begins at the present: the caller has written
 * them. */
void sub_begin_after_list(live_sub_t *s);
bool sub_sees(live_sub_t *s, const live_row_t *row);

size_t sub_memory(const live_sub_t *s);

#endif
