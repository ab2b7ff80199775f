/* app sync, wait, rollback, terminate-op. */
#include "cli/app/show.h"
#include "cli/app/spec.h"
#include "cli/print.h"
#include "cli/remote/commands.h"
#include "common/argo/app.h"

/* ---- names ---- */

/* "name" -> "ns/name" with --app-namespace. */
static char *qualified(const struct run *r, const char *name)
{
    const char *ns = args_text(r->args, "app-namespace");
    return *ns && !strchr(name, '/') ? xasprintf("%s/%s", ns, name) : xstrdup(name);
}

static void names_of_args(const struct run *r, names_t *names)
{
    for (char *const *a = args_rest(r->args); *a; a++)
        VEC_PUSH(names, xstrdup(*a));
}

static int filters_of(char *const *texts, res_filters_t *filters, err_t **err)
{
    int rc = 0;
    for (; rc == 0 && *texts; texts++)
        rc = res_filters_add(filters, *texts, err);
    return rc;
}

/* ---- wait ---- */

static struct wait_for_what what_of(const struct run *r)
{
    struct wait_for_what w = {.sync = args_bool(r->args, "sync"),
                              .health = args_bool(r->args, "health"),
                              .operation = args_bool(r->args, "operation"),
                              .suspended = args_bool(r->args, "suspended"),
                              .degraded = args_bool(r->args, "degraded"),
                              .gone = args_bool(r->args, "delete"),
                              .hydrated = args_bool(r->args, "hydrated")};
    if (!w.sync && !w.health && !w.operation && !w.suspended && !w.degraded && !w.gone && !w.hydrated)
        w.sync = w.health = w.operation = true;
    return w;
}

static int wait_for_one(client_t *c, const struct run *r, const char *text, const struct wait_for_what *what,
                        const res_filters_t *filters, int64_t min_version, json_t **app, err_t **err)
{
    AUTO(free_p) char *full = qualified(r, text), *name = NULL, *ns = NULL;
    app_name_split(full, "", &name, &ns);
    const struct wait_request w = {.name = full,
                                   .real_name = name,
                                   .ns = ns,
                                   .what = *what,
                                   .filters = filters,
                                   .timeout_s = args_int(r->args, "timeout"),
                                   .output = args_text(r->args, "output"),
                                   .min_version = min_version,
                                   .dry_run = args_has(r->args, "dry-run") && args_bool(r->args, "dry-run")};
    return app_wait_for(c, &w, app, err);
}

static int wait_for_all(client_t *c, const struct run *r, const res_filters_t *filters, names_t *names,
                        err_t **err)
{
    const char *selector = args_text(r->args, "selector");
    struct wait_for_what what = what_of(r);
    names_of_args(r, names);
    int rc = *selector ? apps_select(c, selector, "", NULL, names, err) : 0;
    for (size_t i = 0; rc == 0 && i < names->n; i++) {
        AUTO_JSON app = NULL;
        rc = wait_for_one(c, r, names->v[i], &what, filters, 0, &app, err);
    }
    return rc;
}

int app_wait(struct run *r, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    res_filters_t filters = {};
    names_t names = {};
    if (!args_count(r->args) && !*args_text(r->args, "selector"))
        return run_usage(r);
    int rc = filters_of(args_list(r->args, "resource"), &filters, err);
    if (rc == 0)
        rc = client_of_run(r, &c, err);
    if (rc == 0)
        rc = wait_for_all(c, r, &filters, &names, err);
    res_filters_dispose(&filters);
    names_dispose(&names);
    return rc;
}

/* ---- sync: the request ---- */

static int put_strategy(const struct run *r, json_t *request)
{
    const char *strategy = args_text(r->args, "strategy");
    bool apply = str_eq(strategy, "apply");
    if (*strategy && !apply && !str_eq(strategy, "hook"))
        return fail_with(1, "Unknown sync strategy: '%s'", strategy);
    json_t *how = json_object();
    if (args_bool(r->args, "force"))
        json_object_set_new(how, "force", json_true());
    json_put_at(request, how, "strategy", apply ? "apply" : "hook");
    return 0;
}

static void put_options(const struct run *r, json_t *request)
{
    static const char *const options[][2] = {{"replace", "Replace=true"},
                                             {"server-side", "ServerSideApply=true"},
                                             {"apply-out-of-sync-only", "ApplyOutOfSyncOnly=true"}};
    json_t *items = json_array();
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if (args_bool(r->args, options[i][0]))
            json_array_append_new(items, json_string(options[i][1]));
    if (json_array_size(items))
        json_put_at(request, json_incref(items), "syncOptions", "items");
    json_decref(items);
}

static int make_request(const struct run *r, const json_t *app, const res_filters_t *filters, json_t **out,
                        err_t **err)
{
    AUTO_JSON request = json_object(), *resources = res_filters_select(filters, app);
    json_t *infos = NULL;
    json_object_set(request, "name", json_at(app, "metadata", "name"));
    json_put_str(request, "appNamespace", json_str_at(app, "metadata", "namespace"));
    json_object_set_new(request, "dryRun", json_boolean(args_bool(r->args, "dry-run")));
    json_object_set_new(request, "prune", json_boolean(args_bool(r->args, "prune")));
    json_put_str(request, "revision", args_text(r->args, "revision"));
    if (json_array_size(resources))
        json_object_set(request, "resources", resources);
    put_options(r, request);
    if (args_int(r->args, "retry-limit"))
        json_object_set_new(request, "retryStrategy", retry_of(r->args, ""));
    int rc = infos_parse(args_list(r->args, "info"), &infos, err);
    if (rc == 0 && json_array_size(infos))
        json_object_set(request, "infos", infos);
    json_decref(infos);
    if (rc == 0)
        rc = revisions_of_run(r, app, request, err);
    if (rc == 0)
        rc = put_strategy(r, request);
    if (rc == 0)
        *out = TAKE(request);
    return rc;
}

/* ---- sync: which resources ---- */

static bool has_label(const json_t *object, const json_t *labels)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)labels, key, value)
        if (str_eq(json_str_at(object, "metadata", "labels", key), json_string_value(value)))
            return true;
    return false;
}

/* Adds a filter for each manifest that has one of the labels. */
static int add_labelled(const json_t *manifests, const json_t *labels, res_filters_t *filters, err_t **err)
{
    size_t i;
    json_t *text;
    int rc = 0;
    json_array_foreach((json_t *)(uintptr_t)manifests, i, text) {
        AUTO_JSON object = NULL;
        if (rc == 0)
            rc = json_read_str(str_or_empty(json_string_value(text)), &object, err);
        if (rc < 0 || !has_label(object, labels))
            continue;
        const char *version = str_or_empty(json_str_at(object, "apiVersion")), *slash = strchr(version, '/');
        AUTO(free_p)
        char *filter = xasprintf("%.*s:%s:%s", slash ? (int)(slash - version) : 0, version,
                                 str_or_empty(json_str_at(object, "kind")),
                                 str_or_empty(json_str_at(object, "metadata", "name")));
        rc = res_filters_add(filters, filter, err);
    }
    return rc;
}

static int filters_of_labels(client_t *c, const struct run *r, const json_t *app, res_filters_t *filters,
                             err_t **err)
{
    AUTO_JSON labels = json_object(), *answer = NULL;
    AUTO_STR path = STR_INIT;
    char *const *texts = args_list(r->args, "label");
    const char *name = json_str_at(app, "metadata", "name");
    int rc = labels_parse(texts, labels, err);
    if (rc < 0 || !json_object_size(labels))
        return rc;
    app_path(name, json_str_at(app, "metadata", "namespace"), "/manifests", &path);
    query_add(&path, "revision", args_text(r->args, "revision"));
    rc = client_get(c, str_text(&path), &answer, err);
    if (rc < 0)
        return rc;
    printf_out("The name of the app is  %s\n", name);
    rc = add_labelled(json_object_get(answer, "manifests"), labels, filters, err);
    if (rc < 0 || filters->n)
        return rc;
    AUTO(free_p) char *all = strv_join(texts, " ");
    return fail_with(1, "No matching resources found for labels: [%s]", all);
}

static int check_app(const struct run *r, const json_t *app, const res_filters_t *filters)
{
    if (app_multi_source(app) && *args_text(r->args, "revision"))
        return fail_with(1,
                         "%s cli does not work on multi-source app with --revision flag. Use --revisions and "
                         "--source-positions "
                         "instead.",
                         r->program);
    AUTO_JSON resources = res_filters_select(filters, app);
    if (!filters->n || json_array_size(resources))
        return 0;
    AUTO(free_p) char *all = strv_join(args_list(r->args, "resource"), ", ");
    return fail_with(1, "No matching app resources found for resource filter: %s", all);
}

/* ---- sync ---- */

static int check_outcome(const struct run *r, const json_t *app, const res_filters_t *filters)
{
    const char *phase = str_or_empty(json_str_at(app, "status", "operationState", "phase"));
    if (args_bool(r->args, "dry-run"))
        return 0;
    if (strcmp(phase, "Succeeded") != 0)
        return fail_with(1, "Operation has completed with phase: %s", phase);
    size_t left = filters->n || str_eq(json_str_at(app, "status", "sync", "status"), "Synced")
                      ? 0
                      : pruning_required(app);
    return left ? fail_with(1, "%zu resources require pruning", left) : 0;
}

static int request_and_wait(client_t *c, const struct run *r, const char *full, const json_t *app,
                            const res_filters_t *filters, err_t **err)
{
    static const struct wait_for_what what = {.operation = true};
    AUTO_JSON request = NULL, *asked = NULL, *after = NULL;
    AUTO_STR path = STR_INIT;
    int64_t version = 0;
    int rc = check_app(r, app, filters);
    if (rc == 0)
        rc = make_request(r, app, filters, &request, err);
    if (rc != 0)
        return rc;
    app_path(json_str_at(app, "metadata", "name"), "", "/sync", &path);
    rc = client_call(c, "POST", str_text(&path), request, &asked, err);
    if (rc < 0 || args_bool(r->args, "async"))
        return rc;
    str_to_i64(str_or_empty(json_str_at(asked, "metadata", "resourceVersion")), &version);
    rc = wait_for_one(c, r, full, &what, filters, version, &after, err);
    return rc < 0 ? rc : check_outcome(r, after, filters);
}

static int sync_one(client_t *c, const struct run *r, const char *text, err_t **err)
{
    AUTO(free_p) char *full = qualified(r, text), *name = NULL, *ns = NULL;
    AUTO_JSON app = NULL;
    res_filters_t filters = {};
    app_name_split(full, "", &name, &ns);
    int rc = filters_of(args_list(r->args, "resource"), &filters, err);
    if (rc == 0)
        rc = app_fetch(c, name, ns, NULL, &app, err);
    if (rc == 0)
        rc = filters_of_labels(c, r, app, &filters, err);
    if (rc == 0)
        rc = request_and_wait(c, r, full, app, &filters, err);
    res_filters_dispose(&filters);
    return rc;
}

static int no_match(const struct run *r)
{
    AUTO_STR text = STR_INIT;
    AUTO(free_p) char *projects = strv_join(args_list(r->args, "project"), " ");
    const char *selector = args_text(r->args, "selector");
    str_puts(&text, "No matching apps found for filter:");
    if (*selector)
        str_printf(&text, " selector %s", selector);
    if (*projects)
        str_printf(&text, " projects [%s]", projects);
    return fail_with(1, "%s", str_text(&text));
}

static int check_usage(const struct run *r, err_t **err)
{
    size_t n = args_count(r->args);
    bool selects = *args_text(r->args, "selector") || args_list_count(r->args, "project");
    if (!n && !selects)
        return run_usage(r);
    if (n > 1 && *args_text(r->args, "selector"))
        return fail_with(1, "Cannot use selector option when application name(s) passed as argument(s)");
    if (n != 1 && args_list_count(r->args, "revisions"))
        return fail_with(1,
                         "Cannot use --revisions and --source-%s options when 0 or more than 1 application "
                         "names are passed as "
                         "argument(s)",
                         args_list_count(r->args, "source-names") ? "names" : "positions");
    if (*args_text(r->args, "local"))
        return err_set(err, ERR_UNIMPLEMENTED, "--local is not available");
    if (args_bool(r->args, "preview-changes"))
        return err_set(err, ERR_UNIMPLEMENTED, "--preview-changes is not available; see \"%s app diff\"",
                       r->program);
    return 0;
}

static int select_names(client_t *c, const struct run *r, names_t *names, err_t **err)
{
    const char *selector = args_text(r->args, "selector");
    char *const *projects = args_list(r->args, "project");
    names_of_args(r, names);
    size_t before = names->n;
    if (!*selector && !*projects)
        return 0;
    int rc = apps_select(c, selector, args_text(r->args, "app-namespace"), projects, names, err);
    return rc == 0 && names->n == before ? no_match(r) : rc;
}

int app_sync(struct run *r, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    names_t names = {};
    int rc = check_usage(r, err);
    if (rc != 0)
        return rc;
    rc = client_of_run(r, &c, err);
    if (rc == 0)
        rc = select_names(c, r, &names, err);
    for (size_t i = 0; rc == 0 && i < names.n; i++)
        rc = sync_one(c, r, names.v[i], err);
    names_dispose(&names);
    return rc;
}

/* ---- rollback ---- */

/* id < 0: the last but one. */
static int find_deployment(const json_t *app, int64_t id, int64_t *out, err_t **err)
{
    const json_t *history = json_at(app, "status", "history");
    const char *name = str_or_empty(json_str_at(app, "metadata", "name"));
    size_t n = json_array_size(history);
    if (id == -1 && n < 2)
        return err_set(err, ERR_FAILED_PRECONDITION,
                       "application '%s' should have at least two successful deployments", name);
    if (id == -1) {
        *out = json_int_at(json_array_get(history, n - 2), "id");
        return 0;
    }
    *out = id;
    for (size_t i = 0; i < n; i++)
        if (json_int_at(json_array_get(history, i), "id") == id)
            return 0;
    return err_set(err, ERR_NOT_FOUND, "application '%s' does not have deployment id '%lld' in history", name,
                   (long long)id);
}

static int roll_back(client_t *c, const struct run *r, const json_t *app, int64_t id, err_t **err)
{
    static const struct wait_for_what what = {.operation = true};
    AUTO_JSON request = json_object(), *asked = NULL, *after = NULL;
    AUTO_STR path = STR_INIT;
    AUTO(free_p) char *full = app_qualified_name(app);
    const char *name = json_str_at(app, "metadata", "name");
    int64_t version = 0;
    json_set_str(request, "name", name);
    json_put_str(request, "appNamespace", json_str_at(app, "metadata", "namespace"));
    json_object_set_new(request, "id", json_integer(id));
    json_object_set_new(request, "prune", json_boolean(args_bool(r->args, "prune")));
    app_path(name, "", "/rollback", &path);
    int rc = client_call(c, "POST", str_text(&path), request, &asked, err);
    if (rc < 0)
        return rc;
    str_to_i64(str_or_empty(json_str_at(asked, "metadata", "resourceVersion")), &version);
    return wait_for_one(c, r, full, &what, NULL, version, &after, err);
}

int app_rollback(struct run *r, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    AUTO(free_p) char *name = NULL, *ns = NULL;
    AUTO_JSON app = NULL;
    int64_t id = -1;
    char *const *words = args_rest(r->args);
    if (!args_count(r->args))
        return run_usage(r);
    if (words[1] && !str_to_i64(words[1], &id))
        return err_set(err, ERR_INVALID_ARGUMENT, "strconv.Atoi: parsing \"%s\": invalid syntax", words[1]);
    app_name_split(words[0], args_text(r->args, "app-namespace"), &name, &ns);
    int rc = client_of_run(r, &c, err);
    if (rc == 0)
        rc = app_fetch(c, name, ns, NULL, &app, err);
    if (rc == 0)
        rc = find_deployment(app, id, &id, err);
    return rc < 0 ? rc : roll_back(c, r, app, id, err);
}

/* ---- terminate ---- */

int app_terminate(struct run *r, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    AUTO(free_p) char *name = NULL, *ns = NULL;
    AUTO_STR path = STR_INIT;
    if (args_count(r->args) != 1)
        return run_usage(r);
    app_name_split(args_rest(r->args)[0], args_text(r->args, "app-namespace"), &name, &ns);
    app_path(name, ns, "/operation", &path);
    int rc = client_of_run(r, &c, err);
    if (rc == 0)
        rc = client_call(c, "DELETE", str_text(&path), NULL, NULL, err);
    if (rc == 0)
        printf_out("Application '%s' operation terminating\n", name);
    return rc;
}
