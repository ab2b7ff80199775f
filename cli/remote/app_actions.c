/* app actions: what can be done to an application's resources, and doing it. */
#include "cli/app/show.h"
#include "cli/print.h"
#include "cli/remote/commands.h"
#include "common/kinds/kinds.h"

/* ---- resources that match ---- */

static bool matches(const struct run *r, const json_t *o)
{
    AUTO(free_p) char *group = object_group(o);
    const char *ns = args_text(r->args, "namespace"), *name = args_text(r->args, "resource-name"),
               *kind = args_text(r->args, "kind");
    return (!args_given(r->args, "group") || str_eq(args_text(r->args, "group"), group)) &&
           (!*ns || str_eq(ns, object_namespace(o))) && (!*name || str_eq(name, object_name(o))) &&
           (!*kind || str_eq(kind, object_kind(o)));
}

static int add_live(const struct run *r, const json_t *item, json_t *list, err_t **err)
{
    const char *text = str_or_empty(json_str_at(item, "liveState"));
    AUTO_JSON live = NULL;
    if (!*text || str_eq(text, "null"))
        return 0;
    int rc = json_read_str(text, &live, err);
    if (rc == 0 && json_is_map(live) && matches(r, live))
        json_array_append(list, live);
    return rc;
}

/* The live objects of the application, and itself. */
static int find_objects(client_t *c, const struct run *r, const char *name, const char *ns, json_t **out,
                        err_t **err)
{
    AUTO_STR managed = STR_INIT;
    AUTO_JSON answer = NULL;
    AUTO_JSON app = NULL;
    AUTO_JSON list = json_array();
    size_t i;
    json_t *item;
    app_path(name, ns, "/managed-resources", &managed);
    int rc = client_get(c, str_text(&managed), &answer, err);
    if (rc == 0)
        rc = app_fetch(c, name, ns, NULL, &app, err);
    json_array_foreach(json_object_get(answer, "items"), i, item) {
        if (rc == 0)
            rc = add_live(r, item, list, err);
    }
    if (rc < 0)
        return rc;
    json_set_str(app, "apiVersion", "argoproj.io/v1alpha1");
    json_set_str(app, "kind", "Application");
    if (matches(r, app))
        json_array_append(list, app);
    if (!json_array_size(list))
        return err_set(err, ERR_NOT_FOUND, "no matching resource found");
    *out = TAKE(list);
    return 0;
}

/* What names a resource in a request. */
static json_t *naming(const json_t *o, const char *ns)
{
    AUTO(free_p) char *group = object_group(o);
    AUTO(free_p) char *version = object_version(o);
    json_t *q = json_object();
    json_set_str(q, "namespace", object_namespace(o));
    json_set_str(q, "resourceName", object_name(o));
    json_set_str(q, "group", group);
    json_set_str(q, "kind", object_kind(o));
    json_set_str(q, "version", version);
    json_put_str(q, "appNamespace", ns);
    return q;
}

/* ---- list ---- */

static int add_actions(client_t *c, const char *name, const char *ns, const json_t *o, json_t *rows,
                       err_t **err)
{
    AUTO_STR path = STR_INIT;
    AUTO_JSON answer = NULL;
    AUTO_JSON q = naming(o, NULL);
    const char *key;
    json_t *v, *action;
    size_t i;
    app_path(name, ns, "/resource/actions", &path);
    json_object_foreach(q, key, v)
        query_add(&path, key, json_string_value(v));
    int rc = client_get(c, str_text(&path), &answer, err);
    if (rc < 0)
        return rc;
    json_array_foreach(json_object_get(answer, "actions"), i, action) {
        json_t *row = json_object();
        json_set_str(row, "group", json_str_at(q, "group"));
        json_set_str(row, "kind", object_kind(o));
        json_set_str(row, "name", object_name(o));
        json_set_str(row, "action", json_str_at(action, "name"));
        json_object_set_new(row, "disabled", json_boolean(json_bool_at(action, "disabled")));
        json_array_append_new(rows, row);
    }
    return 0;
}

static void print_actions(const json_t *list)
{
    AUTO_STR rows = STR_INIT;
    size_t i;
    json_t *a;
    str_puts(&rows, "GROUP\tKIND\tNAME\tACTION\tDISABLED\n");
    json_array_foreach((json_t *)(uintptr_t)list, i, a) {
        str_printf(&rows, "%s\t%s\t%s\t%s\t%s\n", str_or_empty(json_str_at(a, "group")),
                   str_or_empty(json_str_at(a, "kind")), str_or_empty(json_str_at(a, "name")),
                   str_or_empty(json_str_at(a, "action")), bool_text(json_bool_at(a, "disabled")));
    }
    print_table(&rows);
}

int app_actions_list(struct run *r, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    AUTO(free_p) char *name = NULL, *ns = NULL;
    AUTO_JSON objects = NULL;
    AUTO_JSON rows = json_array();
    const char *format = args_text(r->args, "out");
    size_t i;
    json_t *o;
    if (args_count(r->args) != 1)
        return run_usage(r);
    app_name_split(args_rest(r->args)[0], args_text(r->args, "app-namespace"), &name, &ns);
    int rc = client_of_run(r, &c, err);
    if (rc == 0)
        rc = find_objects(c, r, name, ns, &objects, err);
    json_array_foreach(objects, i, o) {
        if (rc == 0)
            rc = add_actions(c, name, ns, o, rows, err);
    }
    if (rc == 0 && !print_document(rows, format))
        print_actions(rows);
    return rc;
}

/* ---- run ---- */

static int run_on(client_t *c, const char *name, const char *ns, const char *action, const json_t *o,
                  err_t **err)
{
    AUTO_STR path = STR_INIT;
    AUTO_JSON answer = NULL;
    AUTO_JSON body = naming(o, ns);
    json_set_str(body, "action", action);
    app_path(name, ns, "/resource/actions/v2", &path);
    return client_call(c, "POST", str_text(&path), body, &answer, err);
}

/* One kind of one group; more than one object only when all are meant. */
static int check_choice(const struct run *r, const json_t *objects, err_t **err)
{
    if (json_array_size(objects) > 1 && !args_bool(r->args, "all"))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "multiple resources match inputs, use the --all flag to patch multiple resources");
    AUTO(free_p) char *first = object_group(json_array_get(objects, 0));
    for (size_t i = 1; i < json_array_size(objects); i++) {
        AUTO(free_p) char *group = object_group(json_array_get(objects, i));
        if (!str_eq(group, first))
            return fail_with(1, "Ambiguous resource group. Use flag --group to specify resource group "
                                "explicitly.");
    }
    return 0;
}

int app_actions_run(struct run *r, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    AUTO(free_p) char *name = NULL, *ns = NULL;
    AUTO_JSON objects = NULL;
    size_t i;
    json_t *o;
    if (!args_given(r->args, "kind")) {
        printf_out("Error: required flag(s) \"kind\" not set\n");
        return 1;
    }
    if (args_count(r->args) != 2)
        return run_usage(r);
    app_name_split(args_rest(r->args)[0], args_text(r->args, "app-namespace"), &name, &ns);
    int rc = client_of_run(r, &c, err);
    if (rc == 0)
        rc = find_objects(c, r, name, ns, &objects, err);
    if (rc == 0)
        rc = check_choice(r, objects, err);
    json_array_foreach(objects, i, o) {
        if (rc == 0)
            rc = run_on(c, name, ns, args_rest(r->args)[1], o, err);
    }
    return rc;
}
