/* Automated sync: whether the state of an application asks for an operation, and which one. Pure. */
#ifndef CARGOCD_APP_CONTROLLER_AUTOSYNC_H
#define CARGOCD_APP_CONTROLLER_AUTOSYNC_H

#include "common/base/clock.h"
#include "common/json/json.h"

struct autosync_options {
    int64_t heal_timeout_ns;                            /* constant pause when backoff is off */
    int64_t backoff_ns, backoff_factor, backoff_cap_ns; /* backoff_ns 0: no backoff */
};

enum autosync_verdict {
    AUTOSYNC_NO,      /* not now; reason says why */
    AUTOSYNC_LATER,   /* look again after wait_ns */
    AUTOSYNC_REFUSED, /* condition holds a SyncError's message */
    AUTOSYNC_GO       /* operation is to be set */
};
struct autosync_decision {
    enum autosync_verdict verdict;
    char *reason;  /* for the journal; owned */
    char *skipped; /* for the log: why nothing is begun; NULL: not worth a word */
    char *condition;
    int64_t wait_ns;
    json_t *operation;
};
/* doc carries the status as just found. revisions_may_have_changed: the comparison resolved target revisions.
 */
void autosync_decide(const json_t *doc, bool revisions_may_have_changed,
                     const struct autosync_options *options, wall_t now, struct autosync_decision *out);
void autosync_dispose(struct autosync_decision *d);

#endif
