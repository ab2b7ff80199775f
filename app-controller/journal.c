#include "app-controller/journal.h"
#include "common/base/clock.h"

void reason_add(json_t *reasons, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTO(free_p) char *text = xvasprintf(fmt, ap);
    va_end(ap);
    json_array_append_new(reasons, json_str_new(text));
}

static json_t *entry_read(const char *text)
{
    json_t *e = NULL;
    return json_read_str(text, &e, NULL) == 0 ? e : json_object();
}

static const char *decision_of(const json_t *entry)
{
    return str_or_empty(json_str_at(entry, "decision"));
}

/* The place of the last entry for this decision when it says the same; -1. */
static int find_same(json_t *const *entries, size_t n, const json_t *entry)
{
    for (size_t i = n; i-- > 0;) {
        if (!str_eq(decision_of(entries[i]), decision_of(entry)))
            continue;
        bool same = str_eq(json_str_at(entries[i], "verdict"), json_str_at(entry, "verdict")) &&
                    json_same(json_at(entries[i], "reasons"), json_at(entry, "reasons"));
        return same ? (int)i : -1;
    }
    return -1;
}

/* What goes when there is no room: the oldest of the decision that has most entries, so that what happens
 * often does not push out what happened once. */
static size_t find_least(json_t *const *entries, size_t n)
{
    size_t best = 0, most = 0;
    for (size_t i = 0; i < n; i++) {
        size_t count = 0;
        for (size_t k = i; k < n; k++)
            count += str_eq(decision_of(entries[i]), decision_of(entries[k]));
        if (count > most) {
            most = count;
            best = i;
        }
    }
    return best;
}

static void drop(struct journal *j, size_t at)
{
    free(j->entries[at]);
    memmove(&j->entries[at], &j->entries[at + 1], (j->n - at - 1) * sizeof(*j->entries));
    j->n--;
}

void journal_add(struct journal *j, const char *decision, const char *verdict, json_t *reasons_take)
{
    AUTO_JSON e = json_object();
    json_t *old[JOURNAL_SIZE] = {};
    char now[RFC3339_TEXT];
    rfc3339_nano(wall_now(), now);
    json_set_str(e, "time", now);
    json_set_str(e, "decision", decision);
    json_set_str(e, "verdict", verdict);
    json_object_set_new_nocheck(e, "reasons", reasons_take ? reasons_take : json_array());
    for (size_t i = 0; i < j->n; i++)
        old[i] = entry_read(j->entries[i]);
    int same = find_same(old, j->n, e);
    if (same >= 0)
        drop(j, (size_t)same);
    else if (j->n == JOURNAL_SIZE)
        drop(j, find_least(old, j->n));
    for (size_t i = 0; i < JOURNAL_SIZE; i++)
        json_decref(old[i]);
    j->entries[j->n++] = json_text(e, JSON_KEEP_ORDER);
}

json_t *journal_read(const struct journal *j)
{
    json_t *out = json_array();
    for (size_t i = j->n; i-- > 0;)
        json_array_append_new(out, entry_read(j->entries[i]));
    return out;
}

void journal_dispose(struct journal *j)
{
    for (size_t i = 0; i < j->n; i++)
        free(j->entries[i]);
    *j = (struct journal){};
}
