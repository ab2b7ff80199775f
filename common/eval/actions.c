#include "common/eval/actions.h"
#include "common/engine/script_actions.h"

static int run_discovery(eval_t *e, const struct script *s, const json_t *object, json_t *list, err_t **err)
{
    AUTO_JSON value = NULL;
    int rc = eval_script(e, s, object, NULL, &value, err);
    return rc == 0 ? script_actions_add(list, value, err) : rc;
}

static int discover_bundled(eval_t *e, const json_t *object, json_t *list, err_t **err)
{
    AUTO(free_p) char *group = object_group(object);
    AUTO(free_p) char *source = script_actions_bundled(group, object_kind(object), SCRIPT_ACTIONS_DISCOVER);
    return source ? run_discovery(e, &(struct script){source, true}, object, list, err) : 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(str_or_empty(json_str_at(*(json_t *const *)a, "name")),
                  str_or_empty(json_str_at(*(json_t *const *)b, "name")));
}

static json_t *sorted(const json_t *list)
{
    size_t n = json_array_size(list);
    AUTO(free_p) json_t **items = xcalloc(n + 1, sizeof(*items));
    for (size_t i = 0; i < n; i++)
        items[i] = json_array_get(list, i);
    qsort(items, n, sizeof(*items), by_name);
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append(out, items[i]);
    return out;
}

int eval_actions_list(eval_t *e, const struct custom_actions *custom, const json_t *object, json_t **out,
                      err_t **err)
{
    AUTO_JSON list = json_array();
    int rc = 0;
    if (custom->actions) {
        struct script s = {str_or_empty(json_str_at(custom->actions, "discovery.lua")), custom->open_libs};
        rc = run_discovery(e, &s, object, list, err);
    }
    if (rc == 0 && (!custom->actions || json_bool_at(custom->actions, "mergeBuiltinActions")))
        rc = discover_bundled(e, object, list, err);
    if (rc == 0)
        *out = sorted(list);
    return rc;
}

static const char *defined(const json_t *actions, const char *name)
{
    size_t i;
    json_t *d;
    json_array_foreach(json_object_get(actions, "definitions"), i, d) {
        if (str_eq(json_str_at(d, "name"), name))
            return str_or_empty(json_str_at(d, "action.lua"));
    }
    return NULL;
}

static int run_bundled(eval_t *e, const char *name, const json_t *params, const json_t *object, json_t **out,
                       err_t **err)
{
    AUTO(free_p) char *group = object_group(object);
    AUTO(free_p) char *source = script_actions_bundled(group, object_kind(object), SCRIPT_ACTIONS_PERFORM);
    AUTO_JSON named = params ? json_copy_deep(params) : json_object();
    json_set_str(named, "", name);
    int rc = source ? eval_script(e, &(struct script){source, true}, object, named, out, err) : 0;
    if (rc == 0 && (!source || json_is_string(*out)))
        return err_set(err, ERR_NOT_FOUND, "built-in script does not exist");
    return rc;
}

int eval_action_run(eval_t *e, const struct custom_actions *custom, const char *name, const json_t *params,
                    const json_t *object, json_t **out, err_t **err)
{
    AUTO_JSON value = NULL;
    const char *source = defined(custom->actions, name);
    int rc = source ? eval_script(e, &(struct script){source, custom->open_libs}, object, params, &value, err)
                    : run_bundled(e, name, params, object, &value, err);
    return rc == 0 ? script_action_changes(value, object, out, err) : rc;
}
