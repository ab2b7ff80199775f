#include "app-controller/journal.h"
#include "common/base/slab.h"

void reason_add(json_t *reasons, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTO(free_p) char *text = xvasprintf(fmt, ap);
    va_end(ap);
    json_array_append_new(reasons, json_str_new(text));
}

/* The last entry of the same decision, when it says the same. */
static struct journal_entry *find_same(struct journal *j, const json_t *what, const pack_t *packed)
{
    for (unsigned i = j->n; i-- > 0;) {
        struct journal_entry *e = &j->entries[i];
        if (pack_hash(e->what) == pack_hash(packed))
            return e;
        AUTO_JSON other = pack_open(e->what);
        if (str_eq(json_str_at(other, "decision"), json_str_at(what, "decision")))
            return NULL;
    }
    return NULL;
}

/* Room for one more at the end; the oldest makes place. */
static struct journal_entry *append(struct journal *j)
{
    if (j->n == JOURNAL_SIZE) {
        pack_free(j->entries[0].what);
        memmove(j->entries, j->entries + 1, (j->n - 1) * sizeof(*j->entries));
        j->n--;
    } else {
        size_t had = j->n * sizeof(*j->entries);
        j->entries = slab_resize(j->entries, had, had + sizeof(*j->entries));
    }
    struct journal_entry *e = &j->entries[j->n++];
    *e = (struct journal_entry){};
    return e;
}

void journal_add(struct journal *j, const char *decision, const char *verdict, json_t *reasons_take)
{
    AUTO_JSON what = json_object();
    json_set_str(what, "decision", decision);
    json_set_str(what, "verdict", verdict);
    json_object_set_new_nocheck(what, "reasons", reasons_take ? reasons_take : json_array());
    pack_t *packed = pack_json(what);
    struct journal_entry *e = find_same(j, what, packed);
    if (!e)
        e = append(j);
    pack_free(e->what);
    *e = (struct journal_entry){wall_now(), packed};
}

json_t *journal_read(const struct journal *j)
{
    json_t *out = json_array();
    for (unsigned i = j->n; i-- > 0;) {
        json_t *e = pack_open(j->entries[i].what);
        char time[RFC3339_TEXT];
        rfc3339_nano(j->entries[i].time, time);
        json_set_str(e, "time", time);
        json_array_append_new(out, e);
    }
    return out;
}

void journal_dispose(struct journal *j)
{
    for (unsigned i = 0; i < j->n; i++)
        pack_free(j->entries[i].what);
    slab_free(j->entries, j->n * sizeof(*j->entries));
    *j = (struct journal){};
}
