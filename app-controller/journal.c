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

static const char *decision_of(const json_t *what)
{
    return str_or_empty(json_str_at(what, "decision"));
}

/* The place of the last entry of the same decision, when it says the same; -1. */
static int find_same(const struct journal *j, const json_t *what, const pack_t *packed)
{
    for (unsigned i = j->n; i-- > 0;) {
        const struct journal_entry *e = &j->entries[i];
        if (pack_hash(e->what) == pack_hash(packed))
            return (int)i;
        AUTO_JSON other = pack_open(e->what);
        if (str_eq(decision_of(other), decision_of(what)))
            return -1;
    }
    return -1;
}

/* What goes when there is no room: the oldest of the decision that has most entries, so that what happens
 * often does not push out what happened once. */
static unsigned find_least(const struct journal *j)
{
    json_t *what[JOURNAL_SIZE];
    unsigned best = 0, most = 0;
    for (unsigned i = 0; i < j->n; i++)
        what[i] = pack_open(j->entries[i].what);
    for (unsigned i = 0; i < j->n; i++) {
        unsigned count = 0;
        for (unsigned k = i; k < j->n; k++)
            count += str_eq(decision_of(what[i]), decision_of(what[k]));
        if (count > most) {
            most = count;
            best = i;
        }
    }
    for (unsigned i = 0; i < j->n; i++)
        json_decref(what[i]);
    return best;
}

/* Takes an entry out; its room is the last one's then, and empty. */
static void make_last(struct journal *j, unsigned at)
{
    pack_free(j->entries[at].what);
    memmove(&j->entries[at], &j->entries[at + 1], (j->n - at - 1) * sizeof(*j->entries));
}

static void grow(struct journal *j)
{
    size_t had = j->n * sizeof(*j->entries);
    j->entries = slab_resize(j->entries, had, had + sizeof(*j->entries));
    j->n++;
}

void journal_add(struct journal *j, const char *decision, const char *verdict, json_t *reasons_take)
{
    AUTO_JSON what = json_object();
    json_set_str(what, "decision", decision);
    json_set_str(what, "verdict", verdict);
    json_object_set_new_nocheck(what, "reasons", reasons_take ? reasons_take : json_array());
    pack_t *packed = pack_json(what);
    int same = find_same(j, what, packed);
    if (same >= 0)
        make_last(j, (unsigned)same);
    else if (j->n == JOURNAL_SIZE)
        make_last(j, find_least(j));
    else
        grow(j);
    j->entries[j->n - 1] = (struct journal_entry){wall_now(), packed};
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
