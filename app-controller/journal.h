/* The decision journal: why an application is as it is. The last few decisions with their reasons, in memory.
 */
#ifndef CARGOCD_APP_CONTROLLER_JOURNAL_H
#define CARGOCD_APP_CONTROLLER_JOURNAL_H

#include "common/base/clock.h"
#include "common/json/pack.h"

enum { JOURNAL_SIZE = 12 };

struct journal_entry {
    wall_t time;
    const char *decision; /* interned */
    pack_t *what;         /* {decision, verdict, reasons[]} */
};

struct journal {
    struct journal_entry *entries; /* oldest first */
    unsigned n;                    /* at most JOURNAL_SIZE */
};

/* Records a decision ("refresh", "compare", "auto-sync", "sync" …) with its verdict. reasons (taken; may be
 * NULL) is an array of texts. The same decision with the same verdict and reasons as the last one of its kind
 * comes anew with its time. What is rare stays longer than what happens often. */
void journal_add(struct journal *j, const char *decision, const char *verdict, json_t *reasons_take);
/* Newest first. */
json_t *journal_read(const struct journal *j) MUST_USE;
void journal_dispose(struct journal *j);
/* Appends a formatted reason. */
void reason_add(json_t *reasons, const char *fmt, ...) PRINTF(2, 3);

#endif
