/* app create, set, unset, add-source, remove-source, patch, delete, confirm-deletion. */
#include "cli/app/show.h"
#include "cli/app/spec.h"
#include "cli/print.h"
#include "cli/remote/commands.h"
#include "common/argo/app.h"
#include "common/base/log.h"
#include "common/yaml/yaml.h"

#include <unistd.h>

static const struct spec_files files = {load_file, NULL};

/* ---- create: the applications ---- */

static json_t *member(json_t *object, const char *key)
{
    if (!json_is_map(json_object_get(object, key)))
        json_object_set_new(object, key, json_object());
    return json_object_get(object, key);
}

/* Labels and annotations; the spec too unless it has several sources in a file. */
static int apply_options(const struct run *r, json_t *app, bool spec, err_t **err)
{
    json_t *metadata = member(app, "metadata");
    int rc = args_list_count(r->args, "label")
                 ? labels_parse(args_list(r->args, "label"), member(metadata, "labels"), err)
                 : 0;
    if (rc < 0)
        return rc;
    if (args_list_count(r->args, "annotations"))
        annotations_parse(args_list(r->args, "annotations"), member(metadata, "annotations"));
    if (!spec)
        return 0;
    rc = spec_set(member(app, "spec"), 0, r->args, &files, err);
    return rc == 0 ? spec_set_parameters(app, 0, args_list(r->args, "parameter"), err) : rc;
}

static int app_of_name(const struct run *r, json_t **out, err_t **err)
{
    const char *option = args_text(r->args, "name"),
               *name = args_count(r->args) == 1 ? args_rest(r->args)[0] : option;
    AUTO(free_p) char *real = NULL, *ns = NULL;
    if (args_count(r->args) == 1 && *option && strcmp(option, name) != 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "--name argument '%s' does not match app name %s", option,
                       name);
    json_t *app = *out = json_object();
    app_name_split(name, "", &real, &ns);
    json_set_str(app, "apiVersion", "argoproj.io/v1alpha1");
    json_set_str(app, "kind", "Application");
    json_put_at(app, json_str_new(real), "metadata", "name");
    json_put_str(json_object_get(app, "metadata"), "namespace", ns);
    return apply_options(r, app, true, err);
}

static int finish_file_app(const struct run *r, json_t *app, err_t **err)
{
    const char *name = str_or_empty(json_str_at(app, "metadata", "name")),
               *option = args_text(r->args, "name");
    if (!json_is_map(app))
        return err_set(err, ERR_INVALID_ARGUMENT, "a document is no object");
    if (str_eq(args_text(r->args, "file"), "-"))
        return 0; /* taken as it is */
    if (args_count(r->args) == 1 && strcmp(args_rest(r->args)[0], name) != 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "app name '%s' does not match app spec metadata.name '%s'",
                       args_rest(r->args)[0], name);
    if (*option)
        json_put_at(app, json_str_new(option), "metadata", "name");
    if (str_empty(json_str_at(app, "metadata", "name")))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "app.Name is empty. --name argument can be used to provide app.Name");
    return apply_options(r, app, !app_multi_source(app), err);
}

static int apps_of_text(const struct run *r, const str_t *text, json_t *apps, err_t **err)
{
    static const struct yaml_options options = {.close_line = true};
    struct yaml_splitter pieces;
    view_t piece;
    yaml_split_init(&pieces, str_text(text), text->len);
    while (yaml_split_next(&pieces, &piece)) {
        AUTO_JSON app = NULL;
        int rc = yaml_read(piece.p, piece.n, &options, &app, err);
        if (rc == 0 && json_is_null(app))
            continue;
        if (rc == 0)
            rc = finish_file_app(r, app, err);
        if (rc < 0)
            return rc;
        json_array_append(apps, app);
    }
    return yaml_split_end(&pieces, err);
}

static int make_apps(const struct run *r, json_t *apps, err_t **err)
{
    const char *file = args_text(r->args, "file");
    AUTO_STR text = STR_MAX(64 << 20);
    AUTO_JSON app = NULL;
    if (!*file) {
        int rc = app_of_name(r, &app, err);
        if (rc == 0)
            json_array_append(apps, app);
        return rc;
    }
    int rc = load_file(NULL, file, &text, err);
    return rc == 0 ? apps_of_text(r, &text, apps, err) : rc;
}

/* ---- create: the calls ---- */

static bool same_part(const json_t *a, const json_t *b, const char *part, const char *key)
{
    const json_t *x = json_at(a, part), *y = json_at(b, part);
    if (key) {
        x = json_object_get(x, key);
        y = json_object_get(y, key);
    }
    return (json_is_zero(x) && json_is_zero(y)) || (x && y && json_same(x, y));
}

static const char *what_happened(const json_t *before, const json_t *after, bool upsert)
{
    if (!before)
        return "created";
    bool same = same_part(before, after, "spec", NULL) && same_part(before, after, "metadata", "labels") &&
                same_part(before, after, "metadata", "annotations") &&
                same_part(before, after, "metadata", "finalizers");
    return !upsert || same ? "unchanged" : "updated";
}

static void finish_app(const struct run *r, json_t *app)
{
    const char *ns = args_text(r->args, "app-namespace");
    json_t *metadata = member(app, "metadata");
    json_put_str(metadata, "namespace", ns);
    if (!args_bool(r->args, "set-finalizer"))
        return;
    if (!json_is_array(json_object_get(metadata, "finalizers")))
        json_object_set_new(metadata, "finalizers", json_array());
    json_array_append_new(json_object_get(metadata, "finalizers"), json_string(FINALIZER_RESOURCES));
}

static int create_one(client_t *c, const struct run *r, json_t *app, err_t **err)
{
    AUTO_STR path = STR_INIT;
    AUTO_JSON before = NULL, *after = NULL;
    AUTO_ERR why = NULL;
    bool upsert = args_bool(r->args, "upsert");
    if (str_empty(json_str_at(app, "metadata", "name")))
        return run_usage(r);
    finish_app(r, app);
    int rc = app_fetch(c, json_str_at(app, "metadata", "name"), json_str_at(app, "metadata", "namespace"),
                       NULL, &before, &why);
    /* Who may not see an application is not told whether there is one. */
    if (rc < 0 && rc != -ERR_NOT_FOUND && rc != -ERR_PERMISSION_DENIED)
        return err_move(err, TAKE(why));
    str_puts(&path, "/api/v1/applications");
    query_add_bool(&path, "upsert", upsert);
    query_add_bool(&path, "validate", args_bool(r->args, "validate"));
    rc = client_call(c, "POST", str_text(&path), app, &after, err);
    if (rc == 0)
        printf_out("application '%s' %s\n", str_or_empty(json_str_at(after, "metadata", "name")),
                   what_happened(before, after, upsert));
    return rc;
}

int app_create(struct run *r, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    AUTO_JSON apps = json_array();
    int rc = client_of_run(r, &c, err);
    if (rc == 0)
        rc = make_apps(r, apps, err);
    for (size_t i = 0; rc == 0 && i < json_array_size(apps); i++)
        rc = create_one(c, r, json_array_get(apps, i), err);
    return rc;
}

/* ---- set and unset ---- */

struct target {
    client_t *c;
    char *name, *ns;
    json_t *app;
};

static void target_dispose(struct target *t)
{
    client_free(t->c);
    free(t->name);
    free(t->ns);
    json_decref(t->app);
}

/* The application that the first argument names. */
static int target_open(const struct run *r, struct target *t, err_t **err)
{
    app_name_split(args_rest(r->args)[0], args_text(r->args, "app-namespace"), &t->name, &t->ns);
    int rc = client_of_run(r, &t->c, err);
    return rc == 0 ? app_fetch(t->c, t->name, t->ns, NULL, &t->app, err) : rc;
}

static int update_spec(struct target *t, bool validate, err_t **err)
{
    AUTO_STR path = STR_INIT;
    app_path(t->name, t->ns, "/spec", &path);
    query_add_bool(&path, "validate", validate);
    return client_call(t->c, "PUT", str_text(&path), json_object_get(t->app, "spec"), NULL, err);
}

static int position_of(const struct run *r, const struct target *t, int64_t *position, err_t **err)
{
    int rc = source_position_of(r, t->app, position, err);
    return rc == 0 && app_multi_source(t->app) ? source_position_check(t->app, *position, err) : rc;
}

static int set(const struct run *r, struct target *t, err_t **err)
{
    int64_t position;
    size_t at = 0;
    int rc = target_open(r, t, err);
    if (rc == 0)
        rc = position_of(r, t, &position, err);
    if (rc < 0)
        return rc;
    if (!args_next_given(r->args, &at)) {
        log_error(NULL, "Please set at least one option to update");
        return run_usage(r);
    }
    rc = spec_set(member(t->app, "spec"), position, r->args, &files, err);
    if (rc == 0)
        rc = spec_set_parameters(t->app, position, args_list(r->args, "parameter"), err);
    return rc == 0 ? update_spec(t, args_bool(r->args, "validate"), err) : rc;
}

static int with_target(struct run *r, int (*fn)(const struct run *, struct target *, err_t **), err_t **err)
{
    struct target t = {};
    if (args_count(r->args) != 1)
        return run_usage(r);
    int rc = fn(r, &t, err);
    target_dispose(&t);
    return rc;
}

int app_set(struct run *r, err_t **err)
{
    return with_target(r, set, err);
}

static int unset(const struct run *r, struct target *t, err_t **err)
{
    int64_t position;
    bool changed, nothing, yes;
    int rc = target_open(r, t, err);
    if (rc == 0)
        rc = position_of(r, t, &position, err);
    if (rc < 0)
        return rc;
    spec_unset(app_source_at(t->app, position), r->args, &changed, &nothing);
    if (nothing)
        return run_usage(r);
    if (!changed)
        return 0;
    rc = confirm(r, "Are you sure you want to unset the parameters? [y/n]", &yes, err);
    if (rc < 0)
        return rc;
    if (yes)
        return update_spec(t, true, err);
    printf_out("The command to unset the parameters has been cancelled.\n");
    return 0;
}

int app_unset(struct run *r, err_t **err)
{
    return with_target(r, unset, err);
}

/* ---- several sources ---- */

static void print_updated(const struct target *t)
{
    printf_out("Application '%s' updated successfully\n",
               str_or_empty(json_str_at(t->app, "metadata", "name")));
}

static int add_source(const struct run *r, struct target *t, err_t **err)
{
    int rc = target_open(r, t, err);
    if (rc < 0)
        return rc;
    json_t *sources = json_at(t->app, "spec", "sources"), *source = json_object();
    if (!json_array_size(sources)) {
        json_decref(source);
        return err_set(err, ERR_FAILED_PRECONDITION,
                       "Cannot add source: application %s does not have spec.sources defined", t->name);
    }
    json_array_append_new(sources, source);
    rc = spec_set_source(source, r->args, &files, err);
    if (rc == 0)
        rc = spec_set_parameters(t->app, (int64_t)json_array_size(sources), args_list(r->args, "parameter"),
                                 err);
    if (rc == 0)
        rc = update_spec(t, args_bool(r->args, "validate"), err);
    if (rc == 0)
        print_updated(t);
    return rc;
}

int app_add_source(struct run *r, err_t **err)
{
    return with_target(r, add_source, err);
}

static int remove_source(const struct run *r, struct target *t, err_t **err)
{
    int64_t position;
    bool yes;
    int rc = target_open(r, t, err);
    if (rc == 0)
        rc = source_position_of(r, t->app, &position, err);
    if (rc < 0)
        return rc;
    json_t *sources = json_at(t->app, "spec", "sources");
    if (position <= 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "Value of source-position must be greater than 0");
    if (!app_multi_source(t->app))
        return err_set(err, ERR_FAILED_PRECONDITION, "Application does not have multiple sources configured");
    if (json_array_size(sources) == 1)
        return err_set(err, ERR_FAILED_PRECONDITION, "Cannot remove the only source remaining in the app");
    if ((int64_t)json_array_size(sources) < position)
        return err_set(err, ERR_INVALID_ARGUMENT, "Application does not have source at %lld",
                       (long long)position);
    rc = confirm(r, "Are you sure you want to delete the source? [y/n]", &yes, err);
    if (rc < 0)
        return rc;
    if (!yes) {
        printf_out("The command to delete the source was cancelled\n");
        return 0;
    }
    json_array_remove(sources, (size_t)position - 1);
    rc = update_spec(t, true, err);
    if (rc == 0)
        print_updated(t);
    return rc;
}

int app_remove_source(struct run *r, err_t **err)
{
    return with_target(r, remove_source, err);
}

/* ---- confirm-deletion and patch ---- */

static int confirm_deletion(const struct run *r, struct target *t, err_t **err)
{
    AUTO_STR path = STR_INIT;
    int rc = target_open(r, t, err);
    if (rc < 0)
        return rc;
    json_put_at(t->app, json_time(wall_now()), "metadata", "annotations", ANNOTATION_APPROVED);
    app_path(t->name, "", "", &path);
    query_add_bool(&path, "validate", false);
    query_add(&path, "project", app_project(t->app));
    rc = client_call(t->c, "PUT", str_text(&path), t->app, NULL, err);
    if (rc == 0)
        print_updated(t);
    return rc;
}

int app_confirm_deletion(struct run *r, err_t **err)
{
    return with_target(r, confirm_deletion, err);
}

int app_patch(struct run *r, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    AUTO(free_p) char *name = NULL, *ns = NULL;
    AUTO_STR path = STR_INIT;
    AUTO_JSON request = json_object(), *app = NULL;
    if (args_count(r->args) != 1)
        return run_usage(r);
    app_name_split(args_rest(r->args)[0], args_text(r->args, "app-namespace"), &name, &ns);
    json_set_str(request, "name", name);
    json_set_str(request, "patch", args_text(r->args, "patch"));
    json_set_str(request, "patchType", args_text(r->args, "type"));
    json_put_str(request, "appNamespace", ns);
    app_path(name, "", "", &path);
    int rc = client_of_run(r, &c, err);
    if (rc == 0)
        rc = client_call(c, "PATCH", str_text(&path), request, &app, err);
    if (rc < 0)
        return rc;
    print_object(app, "yaml");
    printf_out("\n");
    return 0;
}

/* ---- delete ---- */

static const int64_t LOOK_AGAIN = SECONDS(3);

/* Whether there is still such an application. Who may not see it takes it for gone. */
static int is_gone(client_t *c, const char *name, const char *ns, bool *gone, err_t **err)
{
    AUTO_JSON app = NULL;
    AUTO_ERR why = NULL;
    int rc = app_fetch(c, name, ns, NULL, &app, &why);
    *gone = rc == -ERR_NOT_FOUND || rc == -ERR_PERMISSION_DENIED;
    return rc == 0 || *gone || rc == -ERR_UNAVAILABLE ? 0 : err_move(err, TAKE(why));
}

/* Until the stream tells that it is gone (true), breaks, or has told long enough. */
static bool saw_deletion(stream_t *stream)
{
    for (mono_t until = mono_after(mono_now(), LOOK_AGAIN);;) {
        AUTO_JSON event = NULL;
        bool timed_out;
        if (stream_next(stream, until, &event, &timed_out, NULL) <= 0)
            return false;
        if (str_eq(json_str_at(event, "type"), "DELETED"))
            return true;
    }
}

/* The stream is opened before it is looked whether the application is there, but the server may come to it
 * only afterwards: what was deleted in between is found when it is looked again. */
static int wait_until_gone(client_t *c, const char *name, const char *ns, err_t **err)
{
    AUTO_STR path = STR_INIT;
    str_puts(&path, "/api/v1/stream/applications");
    query_add(&path, "name", name);
    query_add(&path, "appNamespace", ns);
    for (bool gone = false;; sleep_ns(SECONDS(1))) {
        AUTO(stream_close_p) stream_t *stream = stream_open(c, str_text(&path));
        int rc = is_gone(c, name, ns, &gone, err);
        if (rc < 0 || gone || saw_deletion(stream))
            return rc;
    }
}

static int delete_one(client_t *c, const struct run *r, const char *full, err_t **err)
{
    AUTO(free_p) char *name = NULL, *ns = NULL;
    AUTO_STR path = STR_INIT;
    app_name_split(full, args_text(r->args, "app-namespace"), &name, &ns);
    app_path(name, ns, "", &path);
    if (args_given(r->args, "cascade"))
        query_add_bool(&path, "cascade", args_bool(r->args, "cascade"));
    if (args_given(r->args, "propagation-policy"))
        query_add(&path, "propagationPolicy", args_text(r->args, "propagation-policy"));
    int rc = client_call(c, "DELETE", str_text(&path), NULL, NULL, err);
    if (rc == 0 && args_bool(r->args, "wait"))
        rc = wait_until_gone(c, name, ns, err);
    if (rc == 0)
        printf_out("application '%s' deleted\n", full);
    return rc;
}

/* 'y', 'n', or 'a' for this and all others. */
static int ask_to_delete(const char *full, size_t n, char *answer, err_t **err)
{
    AUTO(free_p)
    char *text =
        n == 1
            ? xasprintf("Are you sure you want to delete '%s' and all its resources? [y/n] ", full)
            : xasprintf("Are you sure you want to delete '%s' and all its resources? [y/n/a] where 'a' is to "
                        "delete all specified apps and their resources without prompting ",
                        full);
    return ask(text, n > 1, answer, err);
}

static int delete_all(client_t *c, const struct run *r, const names_t *names, err_t **err)
{
    bool asks = args_bool(r->args, "cascade") && isatty(STDOUT_FILENO) && !args_bool(r->args, "yes");
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < names->n; i++) {
        char answer = 'y';
        if (asks)
            rc = ask_to_delete(names->v[i], names->n, &answer, err);
        asks = asks && answer != 'a';
        if (rc == 0 && answer == 'n')
            printf_out("The command to delete '%s' was cancelled.\n", names->v[i]);
        else if (rc == 0)
            rc = delete_one(c, r, names->v[i], err);
    }
    return rc;
}

int app_delete(struct run *r, err_t **err)
{
    AUTO(client_free_p) client_t *c = NULL;
    names_t names = {};
    const char *selector = args_text(r->args, "selector");
    if (!args_count(r->args) && !*selector)
        return run_usage(r);
    int rc = client_of_run(r, &c, err);
    if (rc == 0 && *selector)
        rc = apps_select(c, selector, "", NULL, &names, err);
    if (rc == 0 && *selector && !names.n)
        rc = err_set(err, ERR_NOT_FOUND, "no apps match selector %s", selector);
    for (char *const *a = args_rest(r->args); rc == 0 && !*selector && *a; a++)
        VEC_PUSH(&names, xstrdup(*a));
    if (rc == 0)
        rc = delete_all(c, r, &names, err);
    names_dispose(&names);
    return rc;
}
