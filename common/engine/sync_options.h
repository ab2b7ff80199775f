/* How one object of a sync is to be applied: the application's sync options and the object's own
 * (docs/user-guide/sync-options.md of Argo CD). */
#ifndef CARGOCD_ENGINE_SYNC_OPTIONS_H
#define CARGOCD_ENGINE_SYNC_OPTIONS_H

#include "common/engine/annotations.h"

struct sync_choice {
    bool replace;     /* whole, or created, instead of patched */
    bool force;       /* deleted and created when it cannot be changed */
    bool server_side; /* never in a dry run */
};
/* options: the operation's list of texts; force: the strategy's; live may be NULL. */
struct sync_choice sync_choose(const json_t *options, bool force, const json_t *target, const json_t *live,
                               bool dry_run);
/* Whether a list of texts has the option, spelled so. */
bool sync_options_have(const json_t *options, const char *option);
/* Whether the kind of the target may be missing before the sync. */
bool sync_may_miss_kind(const json_t *options, const json_t *target);
/* "Foreground", "Background" or "Orphan": how what is pruned goes, by PrunePropagationPolicy. */
const char *sync_propagation(const json_t *options);

#endif
