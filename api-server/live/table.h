/* A live table: rows of named columns, each cell stamped with the revision that last changed it. Pure: no
 * lock, no clock, no I/O; the owner serialises access.
 *
 * Revisions are one sequence for the whole process. Rows, and tombstones of deleted ones, hang in one list in
 * the order of their revision; a row that changes moves to its end. So whoever remembers the revision up to
 * which he has seen everything (sub.h) finds what is new at the end, in its newest state only: nothing is
 * queued. */
#ifndef CARGOCD_API_LIVE_TABLE_H
#define CARGOCD_API_LIVE_TABLE_H

#include "common/base/clock.h"
#include "common/base/map.h"
#include "common/base/vec.h"
#include "common/json/json.h"

enum { LIVE_MAX_TOMBSTONES = 16384, LIVE_TOMBSTONE_DOCS = 1000 };
#define LIVE_TOMBSTONE_AGE SECONDS(600)

/* The whole object behind a row, as bytes; shared by reference. */
struct live_doc {
    _Atomic unsigned refs;
    size_t n;
    char bytes[]; /* NUL-terminated */
};
struct live_doc *live_doc_new(const char *p, size_t n) MUST_USE;
struct live_doc *live_doc_ref(struct live_doc *d);
void live_doc_unref(struct live_doc *d);

/* What decides who sees a row. Texts are interned by the table. */
struct live_meta {
    const char *project, *ns, *name;
    const char *labels; /* as a JSON object; NULL: none */
    struct live_doc *doc;
};

struct live_cell {
    const char *text; /* JSON, interned; NULL: cleared */
    uint64_t rev : 48, column : 16;
};

typedef struct live_row {
    struct live_row *prev, *next; /* by revision */
    struct live_row *prev_tomb, *next_tomb;
    char *key;
    uint32_t slot; /* small number, for bit sets */
    uint32_t ncells;
    struct live_cell *cells;
    uint64_t rev;
    uint64_t born; /* since when there is a row or a tombstone of this key */
    mono_t died;
    struct live_meta meta;
    bool dead, marked;
} live_row_t;

typedef struct live_table {
    uint64_t *rev; /* the process's counter; borrowed */
    map_t rows;    /* key -> live_row_t, living ones */
    map_t tombs;   /* the same of deleted ones: a key that comes back revives its row */
    live_row_t *first, *last;
    live_row_t *first_tomb, *last_tomb;
    size_t ntombs, ndocs_of_tombs;
    uint64_t purged_rev;     /* deletions up to here are forgotten */
    uint64_t meta_moved_rev; /* the last time a row changed its project or identity */
    VEC(char *) columns;     /* names by number */
    VEC(uint32_t) free_slots;
    uint32_t nslots;
    VEC(live_row_t *) sorted; /* by key, when !unsorted */
    bool unsorted;
    /* Told when a row's meta changed in a way that verdicts on it must be made again; may be NULL. */
    void (*on_meta)(void *arg, uint32_t slot);
    void *arg;
} live_table_t;

void table_init(live_table_t *t, uint64_t *rev);
void table_dispose(live_table_t *t);

/* Stores a row; columns: an object whose values are the cells (null and absence clear). Nothing changed:
 * false, and the revision stays. The document may change without the row. */
bool table_put(live_table_t *t, const char *key, const struct live_meta *meta, const json_t *columns);
bool table_del(live_table_t *t, const char *key, mono_t now);
live_row_t *table_get(const live_table_t *t, const char *key);
/* For replacing all: mark, put what is there, sweep the rest. Rows whose key has the prefix only (NULL: all).
 */
void table_mark(live_table_t *t);
bool table_sweep(live_table_t *t, mono_t now);
/* Forgets old tombstones. */
void table_purge(live_table_t *t, mono_t now);
/* Living rows by key; borrowed until the next change. */
live_row_t **table_sorted(live_table_t *t, size_t *n);
const char *table_column(const live_table_t *t, unsigned column);

#endif
