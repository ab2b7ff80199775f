/* app list, get, history, manifests, resources. */
#include "cli/app/show.h"
#include "cli/app/tree.h"
#include "cli/print.h"
#include "cli/remote/commands.h"
#include "common/argo/app.h"
#include "common/argo/windows.h"
#include "common/yaml/yaml.h"

/* ---- list ---- */

static bool is_listed(const struct run *r, const json_t *app)
{
    char *const *projects = args_list(r->args, "project");
    const char *repo = args_text(r->args, "repo"), *cluster = args_text(r->args, "cluster"),
               *path = args_text(r->args, "path");
    AUTO_JSON sources = app_sources(app);
    const json_t *source = json_array_get(sources, 0), *to = json_at(app, "spec", "destination");
    return (!*projects || strv_contains(projects, app_project(app))) &&
           (!*repo || str_same(json_str_at(source, "repoURL"), repo)) &&
           (!*path || str_same(json_str_at(source, "path"), path)) &&
           (!*cluster || str_same(json_str_at(to, "server"), cluster) ||
            str_same(json_str_at(to, "name"), cluster));
}

static int print_apps(const struct run *r, const json_t *apps, err_t **err)
{
    const char *format = args_text(r->args, "output");
    AUTO_STR out = STR_INIT;
    size_t i;
    json_t *app;
    if (str_eq(format, "name")) {
        json_array_foreach((json_t *)(uintptr_t)apps, i, app) {
            AUTO(free_p) char *name = app_qualified_name(app);
            str_printf(&out, "%s\n", name);
        }
        print_str(&out);
    } else if (!*format || str_eq(format, "wide")) {
        show_app_table(apps, &out);
        print_table(&out);
    } else if (!print_object(apps, format)) {
        return print_unknown_format(format, err);
    }
    return 0;
}

int app_list(struct run *r, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    AUTO_STR path = STR_INIT;
    AUTO_JSON list = NULL, *listed = json_array();
    int rc = client_of_run(r, &c, err);
    if (rc < 0)
        return rc;
    str_puts(&path, "/api/v1/applications");
    query_add(&path, "selector", args_text(r->args, "selector"));
    query_add(&path, "appNamespace", args_text(r->args, "app-namespace"));
    rc = client_get(c, str_text(&path), &list, err);
    if (rc < 0)
        return rc;
    size_t i;
    json_t *app;
    json_array_foreach(json_object_get(list, "items"), i, app)
        if (is_listed(r, app))
            json_array_append(listed, app);
    return print_apps(r, listed, err);
}

/* ---- get ---- */

/* With --timeout, a refresh that takes longer is given up, and the application shown as it is. */
static int fetch_in_time(client_t *c, const struct run *r, const char *name, const char *ns, json_t **app,
                         err_t **err)
{
    int64_t seconds = args_int(r->args, "timeout");
    const char *refresh = args_bool(r->args, "hard-refresh") ? "hard"
                          : args_bool(r->args, "refresh")    ? "normal"
                                                             : NULL;
    AUTO_ERR why = NULL;
    if (!refresh || !seconds)
        return app_fetch(c, name, ns, refresh, app, err);
    client_set_timeout(c, SECONDS(seconds));
    int rc = app_fetch(c, name, ns, refresh, app, &why);
    client_set_timeout(c, 0);
    if (rc == 0 || rc != -ERR_DEADLINE_EXCEEDED)
        return rc < 0 ? err_move(err, TAKE(why)) : 0;
    return app_fetch(c, name, ns, NULL, app, err);
}

/* What the server's sync windows method would answer; {} when a window cannot be read. */
static json_t *windows_of(const json_t *project, const json_t *app)
{
    AUTO_JSON assigned = windows_matching(project, app), *active = NULL;
    const struct window_question q = {.manual = true, .now = wall_now()};
    struct window_answer answer;
    if (!json_array_size(assigned))
        return NULL;
    json_t *out = json_object();
    if (windows_active(assigned, q.now, &active, NULL) < 0 || windows_ask(assigned, &q, &answer, NULL) < 0)
        return out;
    json_object_set(out, "assignedWindows", assigned);
    json_object_set(out, "activeWindows", active);
    json_object_set_new(out, "canSync", json_boolean(answer.can_sync));
    return out;
}

static int fetch_project(client_t *c, const char *name, json_t **project, err_t **err)
{
    AUTO_STR path = STR_INIT;
    str_puts(&path, "/api/v1/projects");
    path_add(&path, name);
    return client_get(c, str_text(&path), project, err);
}

static void print_parts(const struct run *r, const json_t *app, int64_t position)
{
    AUTO_STR rows = STR_INIT;
    if (json_array_size(json_at(app, "status", "conditions"))) {
        show_conditions(app, &rows);
        printf_out("\n");
        print_table(&rows);
        printf_out("\n");
        str_reset(&rows);
    }
    const json_t *state = json_at(app, "status", "operationState"), *source = app_source_at(app, position);
    if (args_bool(r->args, "show-operation") && state) {
        str_putc(&rows, '\n');
        show_operation(state, &rows);
        print_str(&rows);
        str_reset(&rows);
    }
    if (args_bool(r->args, "show-params") && json_is_map(json_object_get(source, "helm"))) {
        show_parameters(source, &rows);
        printf_out("\n\n");
        print_table(&rows);
    }
}

static int print_header(client_t *c, const struct run *r, const json_t *app, const json_t *windows,
                        int64_t position, err_t **err)
{
    AUTO(free_p) char *url = NULL;
    AUTO_STR text = STR_INIT;
    int rc = app_url(c, str_or_empty(json_str_at(app, "metadata", "name")), &url, err);
    if (rc < 0)
        return rc;
    show_summary(app, url, windows, &text);
    print_str(&text);
    print_parts(r, app, position);
    return 0;
}

int print_app_tree(client_t *c, const char *name, const char *ns, bool detailed, err_t **err)
{
    AUTO_STR path = STR_INIT, rows = STR_INIT;
    AUTO_JSON tree = NULL, *app = NULL;
    app_path(name, ns, "/resource-tree", &path);
    int rc = client_get(c, str_text(&path), &tree, err);
    if (rc == 0)
        rc = app_fetch(c, name, ns, NULL, &app, err);
    if (rc < 0 || !json_array_size(json_object_get(tree, "nodes")))
        return rc;
    tree_of_app(tree, app, detailed, &rows);
    printf_out("\n");
    print_table(&rows);
    return 0;
}

static int check_position(const struct run *r, const json_t *app, int64_t *position, err_t **err)
{
    int rc = source_position_of(r, app, position, err);
    if (rc < 0 || !app_multi_source(app) || !args_bool(r->args, "show-params"))
        return rc;
    return source_position_check(app, *position, err);
}

static int print_app(client_t *c, const struct run *r, const char *name, const char *ns, const json_t *app,
                     const json_t *windows, int64_t position, err_t **err)
{
    const char *format = args_text(r->args, "output");
    bool tree = str_eq(format, "tree"), detailed = str_eq(format, "tree=detailed");
    AUTO_STR rows = STR_INIT;
    if (print_object(app, format))
        return 0;
    if (*format && !str_eq(format, "wide") && !tree && !detailed)
        return print_unknown_format(format, err);
    int rc = print_header(c, r, app, windows, position, err);
    if (rc < 0)
        return rc;
    if (tree || detailed)
        return print_app_tree(c, name, ns, detailed, err);
    if (json_array_size(json_at(app, "status", "resources"))) {
        show_resources(app, &rows);
        printf_out("\n");
        print_table(&rows);
    }
    return 0;
}

int app_get(struct run *r, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    AUTO(free_p) char *name = NULL, *ns = NULL;
    AUTO_JSON app = NULL, *project = NULL;
    int64_t position = -1;
    if (!args_count(r->args))
        return run_usage(r);
    app_name_split(args_rest(r->args)[0], args_text(r->args, "app-namespace"), &name, &ns);
    int rc = client_of_run(r, &c, err);
    if (rc == 0)
        rc = fetch_in_time(c, r, name, ns, &app, err);
    if (rc == 0)
        rc = check_position(r, app, &position, err);
    if (rc == 0)
        rc = fetch_project(c, app_project(app), &project, err);
    AUTO_JSON windows = rc == 0 ? windows_of(project, app) : NULL;
    if (rc == 0)
        app_fill_health(c, app);
    return rc < 0 ? rc : print_app(c, r, name, ns, app, windows, position, err);
}

/* ---- history ---- */

int app_history(struct run *r, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    AUTO(free_p) char *name = NULL, *ns = NULL;
    AUTO_JSON app = NULL;
    AUTO_STR out = STR_INIT;
    if (args_count(r->args) != 1)
        return run_usage(r);
    app_name_split(args_rest(r->args)[0], args_text(r->args, "app-namespace"), &name, &ns);
    int rc = client_of_run(r, &c, err);
    if (rc == 0)
        rc = app_fetch(c, name, ns, NULL, &app, err);
    if (rc < 0)
        return rc;
    if (str_eq(args_text(r->args, "output"), "id")) {
        show_history_ids(app, &out);
        print_str(&out);
    } else {
        show_history(app, &out);
        print_table(&out);
    }
    return 0;
}

/* ---- manifests ---- */

static int print_manifest(const char *text, err_t **err)
{
    AUTO_JSON object = NULL;
    AUTO_STR yaml = STR_INIT;
    if (str_empty(text) || str_eq(text, "null"))
        return 0;
    int rc = json_read_str(text, &object, err);
    if (rc < 0)
        return err_wrap(err, "read a manifest");
    yaml_write(object, &yaml);
    printf_out("---\n");
    print_str(&yaml);
    printf_out("\n");
    return 0;
}

static int print_rendered(client_t *c, const struct run *r, const json_t *app, const char *name,
                          const char *ns, err_t **err)
{
    AUTO_STR path = STR_INIT;
    AUTO_JSON request = json_object(), *answer = NULL;
    int rc = revisions_of_run(r, app, request, err);
    if (rc < 0)
        return rc;
    app_path(name, ns, "/manifests", &path);
    query_add(&path, "revision", args_text(r->args, "revision"));
    size_t i;
    json_t *v;
    json_array_foreach(json_object_get(request, "revisions"), i, v) {
        query_add(&path, "revisions", json_string_value(v));
    }
    json_array_foreach(json_object_get(request, "sourcePositions"), i, v) {
        AUTO(free_p) char *n = xasprintf("%lld", (long long)json_integer_value(v));
        query_add(&path, "sourcePositions", n);
    }
    rc = client_get(c, str_text(&path), &answer, err);
    json_array_foreach(json_object_get(answer, "manifests"), i, v)
        if (rc == 0)
            rc = print_manifest(json_string_value(v), err);
    return rc;
}

static int print_managed(client_t *c, const char *name, const char *ns, const char *key, err_t **err)
{
    AUTO_STR path = STR_INIT;
    AUTO_JSON answer = NULL;
    app_path(name, ns, "/managed-resources", &path);
    int rc = client_get(c, str_text(&path), &answer, err);
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(answer, "items"), i, item)
        if (rc == 0)
            rc = print_manifest(json_str_at(item, key), err);
    return rc;
}

int app_manifests(struct run *r, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    AUTO(free_p) char *name = NULL, *ns = NULL;
    AUTO_JSON app = NULL;
    const char *source = args_text(r->args, "source");
    bool live = str_eq(source, "live");
    if (args_count(r->args) != 1)
        return run_usage(r);
    if (!live && !str_eq(source, "git"))
        return fail_with(1, "Unknown source type '%s'", source);
    if (*args_text(r->args, "local"))
        return err_set(err, ERR_UNIMPLEMENTED, "--local is not available");
    app_name_split(args_rest(r->args)[0], args_text(r->args, "app-namespace"), &name, &ns);
    int rc = client_of_run(r, &c, err);
    if (rc == 0)
        rc = app_fetch(c, name, ns, NULL, &app, err);
    if (rc < 0)
        return rc;
    bool other = *args_text(r->args, "revision") || args_list_count(r->args, "revisions");
    return live || !other ? print_managed(c, name, ns, live ? "liveState" : "targetState", err)
                          : print_rendered(c, r, app, name, ns, err);
}

/* ---- resources ---- */

int app_resources(struct run *r, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    AUTO(free_p) char *name = NULL, *ns = NULL;
    AUTO_JSON tree = NULL;
    AUTO_STR path = STR_INIT, rows = STR_INIT;
    const char *format = args_text(r->args, "output");
    bool all = !args_given(r->args, "orphaned"), orphaned = args_bool(r->args, "orphaned");
    if (args_count(r->args) != 1)
        return run_usage(r);
    app_name_split(args_rest(r->args)[0], args_text(r->args, "app-namespace"), &name, &ns);
    app_path(name, ns, "/resource-tree", &path);
    query_add(&path, "project", args_text(r->args, "project"));
    int rc = client_of_run(r, &c, err);
    if (rc == 0)
        rc = client_get(c, str_text(&path), &tree, err);
    if (rc < 0)
        return rc;
    tree_of_resources(tree,
                      str_eq(format, "tree")            ? TREE_TREE
                      : str_eq(format, "tree=detailed") ? TREE_DETAILED
                                                        : TREE_FLAT,
                      all || !orphaned, all || orphaned, &rows);
    print_table(&rows);
    return 0;
}
