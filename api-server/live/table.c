#include "api-server/live/table.h"

#include "common/base/intern.h"

struct live_doc *live_doc_new(const char *p, size_t n)
{
    struct live_doc *d = xmalloc(sizeof *d + n + 1);
    d->refs = 1;
    d->n = n;
    memcpy(d->bytes, p, n);
    d->bytes[n] = 0;
    return d;
}

struct live_doc *live_doc_ref(struct live_doc *d)
{
    if (d)
        d->refs++;
    return d;
}

void live_doc_unref(struct live_doc *d)
{
    if (d && !--d->refs)
        free(d);
}

void table_init(live_table_t *t, uint64_t *rev)
{
    *t = (live_table_t){.rev = rev, .purged_rev = *rev, .meta_moved_rev = *rev};
}

/* ---- rows ---- */

static void meta_dispose(struct live_meta *m)
{
    intern_unref(m->project);
    intern_unref(m->ns);
    intern_unref(m->name);
    intern_unref(m->labels);
    live_doc_unref(m->doc);
    *m = (struct live_meta){};
}

static void cells_free(live_row_t *r)
{
    for (uint32_t i = 0; i < r->ncells; i++)
        intern_unref(r->cells[i].text);
    free(r->cells);
    r->cells = NULL;
    r->ncells = 0;
}

static void row_free(live_row_t *r)
{
    cells_free(r);
    meta_dispose(&r->meta);
    free(r->key);
    free(r);
}

static void unlink_row(live_table_t *t, live_row_t *r)
{
    *(r->prev ? &r->prev->next : &t->first) = r->next;
    *(r->next ? &r->next->prev : &t->last) = r->prev;
    r->prev = r->next = NULL;
}

static void append_row(live_table_t *t, live_row_t *r)
{
    r->rev = ++*t->rev;
    r->prev = t->last;
    r->next = NULL;
    *(t->last ? &t->last->next : &t->first) = r;
    t->last = r;
}

static void touch(live_table_t *t, live_row_t *r)
{
    unlink_row(t, r);
    append_row(t, r);
}

void table_dispose(live_table_t *t)
{
    while (t->first) {
        live_row_t *r = t->first;
        unlink_row(t, r);
        row_free(r);
    }
    map_dispose(&t->rows);
    map_dispose(&t->tombs);
    VEC_FOREACH(&t->columns, it)
        free(*it);
    VEC_FREE(&t->columns);
    VEC_FREE(&t->free_slots);
    VEC_FREE(&t->sorted);
}

live_row_t *table_get(const live_table_t *t, const char *key)
{
    return map_get(&t->rows, key);
}

static void unlink_tomb(live_table_t *t, live_row_t *r)
{
    *(r->prev_tomb ? &r->prev_tomb->next_tomb : &t->first_tomb) = r->next_tomb;
    *(r->next_tomb ? &r->next_tomb->prev_tomb : &t->last_tomb) = r->prev_tomb;
    r->prev_tomb = r->next_tomb = NULL;
    t->ntombs--;
    t->ndocs_of_tombs -= r->meta.doc != NULL;
}

static live_row_t *revive(live_table_t *t, const char *key)
{
    live_row_t *r = map_take(&t->tombs, key);
    if (!r)
        return NULL;
    unlink_tomb(t, r);
    r->dead = false;
    touch(t, r);
    return r;
}

static live_row_t *row_new(live_table_t *t, const char *key)
{
    live_row_t *r = revive(t, key);
    if (!r) {
        r = xcalloc(1, sizeof *r);
        r->key = xstrdup(key);
        r->slot = t->free_slots.n ? VEC_POP(&t->free_slots) : t->nslots++;
        append_row(t, r);
        r->born = r->rev;
    }
    map_put(&t->rows, key, r);
    t->unsorted = true;
    return r;
}

/* ---- cells ---- */

const char *table_column(const live_table_t *t, unsigned column)
{
    return t->columns.v[column];
}

static unsigned column_of(live_table_t *t, const char *name)
{
    for (size_t i = 0; i < t->columns.n; i++)
        if (!strcmp(t->columns.v[i], name))
            return (unsigned)i;
    VEC_PUSH(&t->columns, xstrdup(name));
    return (unsigned)t->columns.n - 1;
}

static struct live_cell *cell_at(live_row_t *r, unsigned column)
{
    for (uint32_t i = 0; i < r->ncells; i++)
        if (r->cells[i].column == column)
            return &r->cells[i];
    r->cells = xrealloc(r->cells, (r->ncells + 1) * sizeof *r->cells);
    struct live_cell *c = &r->cells[r->ncells++];
    *c = (struct live_cell){.column = column & 0xffff};
    return c;
}

/* Takes the interned text. */
static bool set_cell(live_row_t *r, unsigned column, const char *text, uint64_t rev)
{
    struct live_cell *c = cell_at(r, column);
    if (c->text == text) {
        intern_unref(text);
        return false;
    }
    intern_unref(c->text);
    c->text = text;
    c->rev = rev & ((1ULL << 48) - 1);
    return true;
}

static const char *cell_text(const json_t *value)
{
    if (!value || json_is_null(value))
        return NULL;
    AUTO_STR text = STR_INIT;
    json_write(value, JSON_NO_HTML, &text);
    return intern_n(str_text(&text), text.len);
}

/* rev: what a change would get. */
static bool set_cells(live_table_t *t, live_row_t *r, const json_t *columns, uint64_t rev)
{
    bool changed = false;
    const char *name;
    json_t *value;
    for (uint32_t i = 0; i < r->ncells; i++)
        if (r->cells[i].text && !json_object_get(columns, table_column(t, r->cells[i].column)))
            changed |= set_cell(r, r->cells[i].column, NULL, rev);
    json_object_foreach((json_t *)columns, name, value)
        changed |= set_cell(r, column_of(t, name), cell_text(value), rev);
    return changed;
}

/* ---- changes ---- */

static bool meta_same_place(const struct live_meta *a, const struct live_meta *b)
{
    return str_same(a->project, b->project) && str_same(a->ns, b->ns) && str_same(a->name, b->name);
}

/* What has changed of that which decides on visibility. */
enum meta_change { META_SAME, META_LABELS, META_MOVED };

static enum meta_change set_meta(live_table_t *t, live_row_t *r, const struct live_meta *m)
{
    bool moved = !meta_same_place(&r->meta, m), labels = !str_same(r->meta.labels, m->labels);
    struct live_meta fresh = {.project = intern(m->project),
                              .ns = intern(m->ns),
                              .name = intern(m->name),
                              .labels = intern(m->labels),
                              .doc = live_doc_ref(m->doc)};
    meta_dispose(&r->meta);
    r->meta = fresh;
    if (moved && t->on_meta)
        t->on_meta(t->arg, r->slot);
    return moved ? META_MOVED : labels ? META_LABELS : META_SAME;
}

bool table_put(live_table_t *t, const char *key, const struct live_meta *meta, const json_t *columns)
{
    live_row_t *r = map_get(&t->rows, key);
    bool fresh = !r;
    if (fresh)
        r = row_new(t, key);
    r->marked = false;
    uint64_t rev = fresh ? r->rev : *t->rev + 1;
    enum meta_change seen = set_meta(t, r, meta);
    bool changed = set_cells(t, r, columns, rev);
    if (!fresh && !changed && seen == META_SAME)
        return false;
    if (!fresh)
        touch(t, r);
    if (seen == META_MOVED && r->born != r->rev)
        t->meta_moved_rev = r->rev;
    return true;
}

static void forget(live_table_t *t, live_row_t *r)
{
    t->purged_rev = r->rev;
    unlink_tomb(t, r);
    map_del(&t->tombs, r->key);
    VEC_PUSH(&t->free_slots, r->slot);
    unlink_row(t, r);
    row_free(r);
}

static void drop_old_docs(live_table_t *t)
{
    for (live_row_t *r = t->first_tomb; r && t->ndocs_of_tombs > LIVE_TOMBSTONE_DOCS; r = r->next_tomb)
        if (r->meta.doc) {
            live_doc_unref(TAKE(r->meta.doc));
            t->ndocs_of_tombs--;
        }
}

void table_purge(live_table_t *t, mono_t now)
{
    live_row_t *r;
    while ((r = t->first_tomb) &&
           (t->ntombs > LIVE_MAX_TOMBSTONES || now.ns - r->died.ns > LIVE_TOMBSTONE_AGE))
        forget(t, r);
    drop_old_docs(t);
}

bool table_del(live_table_t *t, const char *key, mono_t now)
{
    live_row_t *r = map_take(&t->rows, key);
    if (!r)
        return false;
    r->dead = true;
    r->died = now;
    touch(t, r);
    for (uint32_t i = 0; i < r->ncells; i++)
        set_cell(r, r->cells[i].column, NULL, r->rev);
    r->prev_tomb = t->last_tomb;
    *(t->last_tomb ? &t->last_tomb->next_tomb : &t->first_tomb) = r;
    t->last_tomb = r;
    map_put(&t->tombs, key, r);
    t->ntombs++;
    t->ndocs_of_tombs += r->meta.doc != NULL;
    t->unsorted = true;
    table_purge(t, now);
    return true;
}

void table_mark(live_table_t *t)
{
    MAP_FOREACH(&t->rows, e)
        ((live_row_t *)e->value)->marked = true;
}

bool table_sweep(live_table_t *t, mono_t now)
{
    bool changed = false;
    MAP_FOREACH(&t->rows, e) {
        live_row_t *r = e->value;
        if (r->marked)
            changed |= table_del(t, r->key, now);
    }
    return changed;
}

/* ---- order ---- */

static int by_key(const void *a, const void *b)
{
    return strcmp((*(live_row_t *const *)a)->key, (*(live_row_t *const *)b)->key);
}

live_row_t **table_sorted(live_table_t *t, size_t *n)
{
    if (t->unsorted) {
        t->sorted.n = 0;
        MAP_FOREACH(&t->rows, e)
            VEC_PUSH(&t->sorted, e->value);
        VEC_SORT(&t->sorted, by_key);
        t->unsorted = false;
    }
    *n = t->sorted.n;
    return t->sorted.v;
}
