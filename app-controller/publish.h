/* What readers see of an application's resources: the tree, and the states of what it manages. */
#ifndef CARGOCD_APP_CONTROLLER_PUBLISH_H
#define CARGOCD_APP_CONTROLLER_PUBLISH_H

#include "app-controller/comparison.h"

/* ApplicationTree of the application as of its last refresh: {nodes, orphanedNodes, hosts}. */
json_t *tree_of(struct controller *ctl, struct app *app, bool with_hosts) MUST_USE;
/* Whether the object is one of the tree's that may be shown. */
bool tree_has(struct controller *ctl, struct app *app, const struct obj_key *key);
/* [ResourceDiff]: target, live, normalised live and predicted live of every pair, Secrets masked. Filters: ""
 * or NULL for any. */
json_t *managed_resources_of(struct controller *ctl, struct app *app, const struct compare_input *in,
                             const struct comparison *c, const struct obj_key *filter) MUST_USE;
/* Tells readers when the tree (always looked at) or the managed resources (of a comparison; NULL: not looked
 * at) changed: a revision for the query service, copies and news in Redis. tree is borrowed. */
void publish(struct controller *ctl, struct app *app, const json_t *tree, const struct compare_input *in,
             const struct comparison *c);
/* The application is gone or cannot be compared: its copies go. */
void unpublish(struct controller *ctl, struct app *app);

#endif
