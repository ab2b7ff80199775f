/* Actions on resources: those of the settings and those that come with us, run by a helper
 * (docs/operator-manual/resource_actions.md of Argo CD). */
#ifndef CARGOCD_EVAL_ACTIONS_H
#define CARGOCD_EVAL_ACTIONS_H

#include "common/eval/eval.h"

/* What the settings say of the object's kind: {discovery.lua, definitions: [{name, action.lua}],
 * mergeBuiltinActions}; settings_actions of common/argo gives it. */
struct custom_actions {
    const json_t *actions; /* NULL: nothing */
    bool open_libs;
};

/* [{name, disabled, displayName, iconClass, params}] in order of the names; the settings' own go before
 * bundled ones, which are left out unless mergeBuiltinActions is true or the settings say nothing. */
int eval_actions_list(eval_t *e, const struct custom_actions *custom, const json_t *object, json_t **out,
                      err_t **err);
/* What the action wants done: [{operation: create|patch, resource}]. params: {name: text}; may be NULL.
 * ERR_NOT_FOUND when there is no such action. */
int eval_action_run(eval_t *e, const struct custom_actions *custom, const char *name, const json_t *params,
                    const json_t *object, json_t **out, err_t **err);

#endif
