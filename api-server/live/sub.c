/* A snapshot is a cut at a revision: rows are read in the order of their keys, at their newest, over several
 * messages; what changes meanwhile has a revision behind the cut and follows as a delta, which sets the same
 * values again at worst.
 *
 * A row that changes moves to the end of the list, so a cursor that is on its way says nothing about when a
 * column of it was last sent; the point at which the cursor last reached the end does (base). A client that
 * never catches up gets some columns twice, and none too few; and it is told the base as the revision to
 * resume from.
 *
 * A deletion, or a row's leaving the client's sight, is told only when the client has the row (its bit):
 * names of hidden objects do not leak. When a tombstone is forgotten its slot is used again; a subscription
 * that had not got that far starts over, so bits never speak of another row. */
#include "api-server/live/sub.h"

/* ---- bits ---- */

static bool bit_get(const uint64_t *set, uint32_t nbits, uint32_t i)
{
    return i < nbits && set[i / 64] >> (i % 64) & 1;
}

static void grow(live_sub_t *s, uint32_t i)
{
    if (i < s->nbits)
        return;
    uint32_t n = (max_size(s->table->nslots, (size_t)i + 1) + 63) / 64 * 64;
    uint64_t **sets[] = {&s->has, &s->known, &s->allowed};
    for (size_t k = 0; k < ARRAY_LEN(sets); k++) {
        *sets[k] = xrealloc(*sets[k], n / 8);
        memset((char *)*sets[k] + s->nbits / 8, 0, (n - s->nbits) / 8);
    }
    s->nbits = n;
}

static void bit_set(uint64_t *set, uint32_t i, bool on)
{
    uint64_t mask = 1ULL << (i % 64);
    set[i / 64] = on ? set[i / 64] | mask : set[i / 64] & ~mask;
}

static bool has(const live_sub_t *s, const live_row_t *r)
{
    return bit_get(s->has, s->nbits, r->slot);
}

static void set_has(live_sub_t *s, const live_row_t *r, bool on)
{
    grow(s, r->slot);
    bit_set(s->has, r->slot, on);
}

/* ---- sight ---- */

static bool allowed(live_sub_t *s, const live_row_t *r)
{
    grow(s, r->slot);
    if (!bit_get(s->known, s->nbits, r->slot)) {
        bit_set(s->known, r->slot, true);
        bit_set(s->allowed, r->slot, s->filter.visible(s->filter.ctx, &r->meta));
    }
    return bit_get(s->allowed, s->nbits, r->slot);
}

bool sub_sees(live_sub_t *s, const live_row_t *r)
{
    return !r->dead && (!s->filter.matches || s->filter.matches(s->filter.ctx, &r->meta)) && allowed(s, r);
}

void sub_forget_verdict(live_sub_t *s, uint32_t slot)
{
    if (slot < s->nbits)
        bit_set(s->known, slot, false);
}

void sub_forget_verdicts(live_sub_t *s)
{
    if (s->nbits)
        memset(s->known, 0, s->nbits / 8);
}

/* ---- where it stands ---- */

void sub_init(live_sub_t *s, live_table_t *t, const struct sub_filter *filter)
{
    *s = (live_sub_t){.table = t, .filter = *filter};
}

void sub_dispose(live_sub_t *s)
{
    free(s->after);
    free(s->has);
    free(s->known);
    free(s->allowed);
    *s = (live_sub_t){};
}

size_t sub_memory(const live_sub_t *s)
{
    return sizeof *s + 3 * (s->nbits / 8) + (s->after ? strlen(s->after) + 1 : 0);
}

void sub_reset(live_sub_t *s)
{
    if (s->nbits)
        memset(s->has, 0, s->nbits / 8);
    free(TAKE(s->after));
    s->stage = SUB_SNAPSHOT;
    s->reset = true;
    s->resumed = false;
    s->cut = *s->table->rev;
    s->total = 0;
}

bool sub_resume(live_sub_t *s, uint64_t since_rev)
{
    const live_table_t *t = s->table;
    if (since_rev < t->purged_rev || since_rev < t->meta_moved_rev || since_rev > *t->rev) {
        sub_reset(s);
        return false;
    }
    if (s->nbits)
        memset(s->has, 0, s->nbits / 8);
    for (const live_row_t *r = t->first; r; r = r->next)
        if (r->born <= since_rev && allowed(s, r))
            set_has(s, r, r->rev > since_rev || sub_sees(s, r));
    s->stage = SUB_SNAPSHOT;
    s->reset = false;
    s->resumed = true;
    s->cursor = s->base = since_rev;
    return true;
}

void sub_from_now(live_sub_t *s)
{
    s->stage = SUB_DELTAS;
    s->cursor = s->base = *s->table->rev;
}

void sub_begin_after_list(live_sub_t *s)
{
    MAP_FOREACH(&s->table->rows, e)
        set_has(s, e->value, sub_sees(s, e->value));
    sub_from_now(s);
}

static bool overtaken(const live_sub_t *s)
{
    return s->stage == SUB_DELTAS && s->cursor < s->table->purged_rev;
}

bool sub_pending(const live_sub_t *s)
{
    if (s->stage == SUB_SNAPSHOT)
        return true;
    return overtaken(s) || (s->stage == SUB_DELTAS && s->table->last && s->table->last->rev > s->cursor);
}

/* The oldest row that changed after the cursor. */
static const live_row_t *next_row(const live_sub_t *s)
{
    const live_row_t *r = s->table->last, *found = NULL;
    for (; r && r->rev > s->cursor; r = r->prev)
        found = r;
    return found;
}

/* What a changed row means to this client. */
static enum sub_change change_of(live_sub_t *s, const live_row_t *r)
{
    bool had = has(s, r), sees = sub_sees(s, r);
    if (sees)
        return had ? SUB_MODIFIED : SUB_ADDED;
    return had ? SUB_DELETED : SUB_NOTHING;
}

enum sub_change sub_next(live_sub_t *s, const live_row_t **row)
{
    if (overtaken(s))
        sub_reset(s);
    if (s->stage == SUB_SNAPSHOT)
        return SUB_NOTHING;
    for (const live_row_t *r = next_row(s); r; r = r->next) {
        enum sub_change c = change_of(s, r);
        s->cursor = r->rev;
        if (c == SUB_NOTHING)
            continue;
        set_has(s, r, c != SUB_DELETED);
        *row = r;
        return c;
    }
    return SUB_NOTHING;
}

/* ---- messages ---- */

static void comma(str_t *out, bool *first)
{
    if (!*first)
        str_putc(out, ',');
    *first = false;
}

static void put_key(const char *key, str_t *out)
{
    json_write_string(key, strlen(key), JSON_NO_HTML, out);
}

/* Columns that changed after `since` (cleared ones as null), and all that say something when the row is new
 * to the client. */
static void put_columns(const live_table_t *t, const live_row_t *r, uint64_t since, bool fresh, str_t *out)
{
    bool first = true;
    str_putc(out, '{');
    for (uint32_t i = 0; i < r->ncells; i++) {
        const struct live_cell *c = &r->cells[i];
        if (c->rev <= since && !(fresh && c->text))
            continue;
        comma(out, &first);
        put_key(table_column(t, c->column), out);
        str_printf(out, ":%s", c->text ? c->text : "null");
    }
    str_putc(out, '}');
}

struct delta {
    str_t set, del;
    bool first_set, first_del;
};

static bool collect(live_sub_t *s, struct delta *d)
{
    for (const live_row_t *r = next_row(s); r; r = r->next) {
        if (d->set.len + d->del.len >= SUB_MESSAGE)
            break;
        enum sub_change c = change_of(s, r);
        s->cursor = r->rev;
        if (c == SUB_NOTHING)
            continue;
        set_has(s, r, c != SUB_DELETED);
        if (c == SUB_DELETED) {
            comma(&d->del, &d->first_del);
            put_key(r->key, &d->del);
        } else {
            comma(&d->set, &d->first_set);
            str_putc(&d->set, '[');
            put_key(r->key, &d->set);
            str_putc(&d->set, ',');
            put_columns(s->table, r, s->base, c == SUB_ADDED, &d->set);
            str_putc(&d->set, ']');
        }
    }
    if (!next_row(s))
        s->base = s->cursor;
    return d->set.len || d->del.len;
}

static bool write_delta(live_sub_t *s, int64_t id, str_t *out)
{
    struct delta d = {.first_set = true, .first_del = true};
    bool any = collect(s, &d);
    if (any) {
        str_printf(out, "{\"ev\":\"delta\",\"id\":%lld,\"seq\":%llu,\"rev\":%llu", (long long)id,
                   (unsigned long long)s->seq++, (unsigned long long)s->base);
        if (d.set.len)
            str_printf(out, ",\"set\":[%s]", str_text(&d.set));
        if (d.del.len)
            str_printf(out, ",\"del\":[%s]", str_text(&d.del));
        str_putc(out, '}');
    }
    str_dispose(&d.set);
    str_dispose(&d.del);
    return any;
}

/* An accepted `since` is answered by an empty snapshot that merges; deltas from the cursor follow. */
static bool write_resumed(live_sub_t *s, int64_t id, str_t *out)
{
    str_printf(
        out,
        "{\"ev\":\"snap\",\"id\":%lld,\"seq\":%llu,\"rev\":%llu,\"reset\":false,\"rows\":[],\"more\":false,"
        "\"total\":%zu}",
        (long long)id, (unsigned long long)s->seq++, (unsigned long long)s->cursor, s->table->rows.n);
    s->stage = SUB_DELTAS;
    s->resumed = false;
    return true;
}

/* ---- snapshots: columnar ---- */

struct snapshot {
    str_t rows, dict;
    VEC(unsigned) columns; /* those in use, in the order of the message */
    map_t codes;           /* text -> index + 1 */
    bool first_row;
    size_t n;
};

static bool is_coded(const char *const *coded, const char *name)
{
    for (; coded && *coded; coded++)
        if (!strcmp(*coded, name))
            return true;
    return false;
}

static void put_cell(struct snapshot *p, const char *text, bool coded)
{
    if (!text) {
        str_puts(&p->rows, ",null");
        return;
    }
    if (!coded) {
        str_printf(&p->rows, ",%s", text);
        return;
    }
    uintptr_t index = (uintptr_t)map_get(&p->codes, text);
    if (!index) {
        index = p->codes.n + 1;
        map_put(&p->codes, text, (void *)index);
        str_printf(&p->dict, "%s%s", p->dict.len ? "," : "", text);
    }
    str_printf(&p->rows, ",%zu", (size_t)index - 1);
}

static const char *text_of(const live_row_t *r, unsigned column)
{
    for (uint32_t i = 0; i < r->ncells; i++)
        if (r->cells[i].column == column)
            return r->cells[i].text;
    return NULL;
}

static void put_row(live_sub_t *s, struct snapshot *p, const live_row_t *r, const char *const *coded)
{
    comma(&p->rows, &p->first_row);
    str_putc(&p->rows, '[');
    put_key(r->key, &p->rows);
    VEC_FOREACH(&p->columns, it)
        put_cell(p, text_of(r, *it), is_coded(coded, table_column(s->table, *it)));
    /* trailing nulls say nothing */
    while (p->rows.len > 5 && !memcmp(p->rows.p + p->rows.len - 5, ",null", 5))
        str_truncate(&p->rows, p->rows.len - 5);
    str_putc(&p->rows, ']');
    p->n++;
}

/* Index of the first row with a key behind `after`. */
static size_t position(live_row_t **rows, size_t n, const char *after)
{
    size_t lo = 0, hi = n;
    while (after && lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (strcmp(rows[mid]->key, after) <= 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

bool sub_list_next(live_sub_t *s, const live_row_t **row)
{
    if (s->stage != SUB_SNAPSHOT)
        return false;
    size_t n, i;
    live_row_t **rows = table_sorted(s->table, &n);
    for (i = position(rows, n, s->after); i < n && !sub_sees(s, rows[i]); i++)
        continue;
    free(TAKE(s->after));
    if (i == n) {
        s->stage = SUB_DELTAS;
        s->cursor = s->base = s->cut;
        return false;
    }
    s->after = xstrdup(rows[i]->key);
    set_has(s, rows[i], true);
    *row = rows[i];
    return true;
}

static void put_columns_list(live_sub_t *s, const struct snapshot *p, const char *const *coded, str_t *out)
{
    bool first = true;
    str_puts(out, ",\"cols\":[");
    VEC_FOREACH(&p->columns, it) {
        const char *name = table_column(s->table, *it);
        AUTO(free_p) char *marked = xasprintf("%s%s", name, is_coded(coded, name) ? "#" : "");
        comma(out, &first);
        put_key(marked, out);
    }
    str_putc(out, ']');
}

static bool write_snapshot(live_sub_t *s, int64_t id, const char *const *coded, str_t *out)
{
    struct snapshot p = {.first_row = true};
    size_t n, i;
    live_row_t **rows = table_sorted(s->table, &n);
    for (unsigned c = 0; c < s->table->columns.n; c++)
        VEC_PUSH(&p.columns, c);
    for (i = position(rows, n, s->after);
         i < n && p.n < SUB_SNAP_ROWS && p.rows.len + p.dict.len < SUB_MESSAGE; i++)
        if (sub_sees(s, rows[i])) {
            put_row(s, &p, rows[i], coded);
            set_has(s, rows[i], true);
        }
    bool more = i < n;
    s->total += p.n;
    free(TAKE(s->after));
    if (more)
        s->after = xstrdup(rows[i - 1]->key);
    str_printf(out, "{\"ev\":\"snap\",\"id\":%lld,\"seq\":%llu,\"rev\":%llu,\"reset\":true", (long long)id,
               (unsigned long long)s->seq++, (unsigned long long)s->cut);
    put_columns_list(s, &p, coded, out);
    if (p.dict.len)
        str_printf(out, ",\"dict\":[%s]", str_text(&p.dict));
    str_printf(out, ",\"rows\":[%s],\"more\":%s", str_text(&p.rows), more ? "true" : "false");
    if (!more) {
        str_printf(out, ",\"total\":%zu", s->total);
        s->stage = SUB_DELTAS;
        s->cursor = s->base = s->cut;
    }
    str_putc(out, '}');
    str_dispose(&p.rows);
    str_dispose(&p.dict);
    VEC_FREE(&p.columns);
    map_dispose(&p.codes);
    return true;
}

bool sub_write(live_sub_t *s, int64_t id, const char *const *coded, str_t *out)
{
    if (overtaken(s))
        sub_reset(s);
    if (s->stage == SUB_SNAPSHOT)
        return s->resumed ? write_resumed(s, id, out) : write_snapshot(s, id, coded, out);
    return s->stage == SUB_DELTAS && write_delta(s, id, out);
}
