#include "app-controller/journal.h"
#include "common/base/intern.h"
#include "common/base/slab.h"

void reason_add(json_t *reasons, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTO(free_p) char *text = xvasprintf(fmt, ap);
    va_end(ap);
    json_array_append_new(reasons, json_str_new(text));
}

/* The place of the last entry for this decision when it says the same; -1. Interned texts are equal when
 * their addresses are. */
static int find_same(const struct journal *j, const char *decision, const pack_t *what)
{
    for (unsigned i = j->n; i-- > 0;)
        if (j->entries[i].decision == decision)
            return pack_hash(j->entries[i].what) == pack_hash(what) ? (int)i : -1;
    return -1;
}

/* What goes when there is no room: the oldest of the decision that has most entries, so that what happens
 * often does not push out what happened once. */
static unsigned find_least(const struct journal *j)
{
    unsigned best = 0, most = 0;
    for (unsigned i = 0; i < j->n; i++) {
        unsigned count = 0;
        for (unsigned k = i; k < j->n; k++)
            count += j->entries[i].decision == j->entries[k].decision;
        if (count > most) {
            most = count;
            best = i;
        }
    }
    return best;
}

static void entry_dispose(struct journal_entry *e)
{
    intern_unref(e->decision);
    pack_free(e->what);
}

/* The place at the end, for what comes instead of the one at `at`. */
static struct journal_entry *replace(struct journal *j, unsigned at)
{
    entry_dispose(&j->entries[at]);
    memmove(&j->entries[at], &j->entries[at + 1], (j->n - at - 1) * sizeof(*j->entries));
    return &j->entries[j->n - 1];
}

static struct journal_entry *append(struct journal *j)
{
    size_t had = j->n * sizeof(*j->entries);
    j->entries = slab_resize(j->entries, had, had + sizeof(*j->entries));
    return &j->entries[j->n++];
}

void journal_add(struct journal *j, const char *decision, const char *verdict, json_t *reasons_take)
{
    AUTO_JSON what = json_object();
    json_set_str(what, "decision", decision);
    json_set_str(what, "verdict", verdict);
    json_object_set_new_nocheck(what, "reasons", reasons_take ? reasons_take : json_array());
    struct journal_entry entry = {wall_now(), intern(decision), pack_json(what)};
    int same = find_same(j, entry.decision, entry.what);
    if (same >= 0)
        *replace(j, (unsigned)same) = entry;
    else if (j->n == JOURNAL_SIZE)
        *replace(j, find_least(j)) = entry;
    else
        *append(j) = entry;
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
        entry_dispose(&j->entries[i]);
    slab_free(j->entries, j->n * sizeof(*j->entries));
    *j = (struct journal){};
}
