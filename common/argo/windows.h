/* Sync windows: when a project lets its applications be synced (docs/user-guide/sync_windows.md of Argo CD).
 * Pure: the time is given. */
#ifndef CARGOCD_ARGO_WINDOWS_H
#define CARGOCD_ARGO_WINDOWS_H

#include "common/base/clock.h"
#include "common/json/json.h"

/* spec.syncWindows of the project that concern the application, as a new array of (shared) entries. */
json_t *windows_matching(const json_t *project, const json_t *app) MUST_USE;

struct window_question {
    bool manual; /* somebody asked for the sync */
    wall_t now;
    wall_t started; /* of the operation; 0: none, or it does not matter */
};
struct window_answer {
    bool can_sync;
    wall_t next_change; /* the soonest moment at which the answer may be another; 0: none */
};
/* windows: what windows_matching found. A window that cannot be read is an error, and then nothing may be
 * synced: out->can_sync is false. Time zones count with the offset that they have `now`, as with Argo CD. */
int windows_ask(const json_t *windows, const struct window_question *q, struct window_answer *out,
                err_t **err);
/* Whether one window is open (allow) or shut (deny) at the time. */
int window_is_active(const json_t *window, wall_t now, bool *active, err_t **err);
/* What of the windows is active, as a new array. */
int windows_active(const json_t *windows, wall_t now, json_t **out, err_t **err);
/* Whether the entry of a project is well formed. */
int window_check(const json_t *window, err_t **err);

#endif
