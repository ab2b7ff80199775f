#include "common/engine/script_actions.h"

static bool has_action(const json_t *actions, const char *name)
{
    for (size_t i = 0; i < json_array_size(actions); i++)
        if (str_eq(json_str_at(json_array_get(actions, i), "name"), name))
            return true;
    return false;
}

int script_actions_add(json_t *actions, const json_t *value, err_t **err)
{
    if (!json_is_map(value))
        return err_set(err, ERR_INVALID_ARGUMENT, "expect table output from Lua script, not %s",
                       !value || json_is_null(value) ? "nil" : "another value");
    static const char *const fields[] = {"disabled", "displayName", "iconClass", "params"};
    AUTO(free_p) const char **names = json_sorted_keys(value);
    for (size_t i = 0; names[i]; i++) {
        const json_t *what = json_object_get(value, names[i]);
        if (has_action(actions, names[i]))
            continue;
        json_t *action = json_object();
        json_set_str(action, "name", names[i]);
        for (size_t f = 0; f < ARRAY_LEN(fields); f++)
            if (!json_is_zero(json_object_get(what, fields[f])))
                json_object_set_nocheck(action, fields[f], json_object_get(what, fields[f]));
        json_array_append_new(actions, action);
    }
    return 0;
}

/* Empty objects that are lists in the original become lists again. */
static void restore_lists(json_t *v, const json_t *original)
{
    if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v) && i < json_array_size(original); i++)
            restore_lists(json_array_get(v, i), json_array_get(original, i));
        return;
    }
    for (void *it = json_object_iter(v); it; it = json_object_iter_next(v, it)) {
        json_t *member = json_object_iter_value(it);
        const json_t *was = json_object_get(original, json_object_iter_key(it));
        if (json_is_array(was) && json_is_map(member) && !json_object_size(member))
            json_object_iter_set_new(v, it, json_array());
        else if (was)
            restore_lists(member, was);
    }
}

static int add_change(json_t *out, const char *operation, const json_t *resource, const json_t *object,
                      err_t **err)
{
    bool patch = strcmp(operation, "patch") == 0;
    if (!patch && strcmp(operation, "create") != 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "unsupported operation: %s", operation);
    if (!json_is_map(resource) || str_empty(json_str_at(resource, "kind")))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the action returned what is no resource: Object 'Kind' is missing");
    json_t *copy = json_copy_deep(resource), *change = json_object();
    if (patch)
        restore_lists(copy, object);
    json_set_str(change, "operation", operation);
    json_object_set_new_nocheck(change, "resource", copy);
    json_array_append_new(out, change);
    return 0;
}

int script_action_changes(const json_t *value, const json_t *object, json_t **out, err_t **err)
{
    AUTO_JSON list = json_array();
    if (!json_is_array(value) && !json_is_map(value))
        return err_set(err, ERR_INVALID_ARGUMENT, "expect table output from Lua script, not %s",
                       !value || json_is_null(value) ? "nil" : "another value");
    if (json_object_size(value) && add_change(list, "patch", value, object, err) < 0)
        return err_again(err);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        if (add_change(list, str_or_empty(json_str_at(item, "operation")), json_object_get(item, "resource"),
                       object, err) < 0)
            return err_again(err);
    }
    *out = TAKE(list);
    return 0;
}
