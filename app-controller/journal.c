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
    return text && json_read_str(text, &e, NULL) == 0 ? e : NULL;
}

/* The ring's place of the last entry for this decision, when it says the same. */
static int find_same(const struct journal *j, const json_t *entry)
{
    for (unsigned back = 1; back <= JOURNAL_SIZE; back++) {
        unsigned at = (j->next + JOURNAL_SIZE - back) % JOURNAL_SIZE;
        AUTO_JSON e = entry_read(j->entries[at]);
        if (!e)
            return -1;
        if (!str_eq(json_str_at(e, "decision"), json_str_at(entry, "decision")))
            continue;
        bool same = str_eq(json_str_at(e, "verdict"), json_str_at(entry, "verdict")) &&
                    json_same(json_at(e, "reasons"), json_at(entry, "reasons"));
        return same ? (int)at : -1;
    }
    return -1;
}

void journal_add(struct journal *j, const char *decision, const char *verdict, json_t *reasons_take)
{
    AUTO_JSON e = json_object();
    char now[RFC3339_TEXT];
    rfc3339_nano(wall_now(), now);
    json_set_str(e, "time", now);
    json_set_str(e, "decision", decision);
    json_set_str(e, "verdict", verdict);
    json_object_set_new_nocheck(e, "reasons", reasons_take ? reasons_take : json_array());
    int same = find_same(j, e);
    unsigned at = same >= 0 ? (unsigned)same : j->next;
    free(j->entries[at]);
    j->entries[at] = json_text(e, JSON_KEEP_ORDER);
    if (same < 0)
        j->next = (j->next + 1) % JOURNAL_SIZE;
}

json_t *journal_read(const struct journal *j)
{
    json_t *out = json_array();
    for (unsigned back = 1; back <= JOURNAL_SIZE; back++) {
        json_t *e = entry_read(j->entries[(j->next + JOURNAL_SIZE - back) % JOURNAL_SIZE]);
        if (e)
            json_array_append_new(out, e);
    }
    return out;
}

void journal_dispose(struct journal *j)
{
    for (size_t i = 0; i < JOURNAL_SIZE; i++)
        free(j->entries[i]);
    *j = (struct journal){};
}
