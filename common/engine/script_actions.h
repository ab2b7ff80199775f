/* Actions on resources as Lua scripts (docs/operator-manual/resource_actions.md of Argo CD): what the values
 * mean that discovery and action scripts return. The scripts themselves are run by common/eval. */
#ifndef CARGOCD_ENGINE_SCRIPT_ACTIONS_H
#define CARGOCD_ENGINE_SCRIPT_ACTIONS_H

#include "common/json/json.h"

/* Adds what a discovery script returned to a list of actions, [{name, disabled, displayName, iconClass,
 * params}] in order of their names; what the list has already stays. value NULL: nothing was returned, which
 * is an error. */
int script_actions_add(json_t *actions, const json_t *value, err_t **err);

/* What an action script wants done: [{operation: create|patch, resource}]. A script may also return just the
 * object, which is then patched. Lua cannot tell an empty list from an empty object: in what is patched, it
 * is whichever `object` has. */
int script_action_changes(const json_t *value, const json_t *object, json_t **out, err_t **err);

/* The source of a script with the bundled actions of a kind, the caller's; NULL when there are none.
 * last_line is what it ends with: SCRIPT_ACTIONS_DISCOVER, or SCRIPT_ACTIONS_PERFORM for the action that
 * actionParams[""] names. The script wants open libraries. */
#define SCRIPT_ACTIONS_DISCOVER "return discover(obj)"
#define SCRIPT_ACTIONS_PERFORM                                                                               \
    "local name = actionParams[''] "                                                                         \
    "return has_action(obj, name) and perform(obj, name, actionParams) or 'none'"
char *script_actions_bundled(const char *group, const char *kind, const char *last_line) MUST_USE;

#endif
