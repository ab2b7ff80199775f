#include "app-controller/projects.h"
#include "app-controller/watch.h"
#include "common/argo/app.h"
#include "common/argo/project.h"
#include "common/base/log.h"

void projects_changed(struct controller *ctl, const char *name)
{
    AUTO(free_p) char *key = xasprintf("%s/%s", ctl->options.ns, name);
    workq_add(ctl->projects, key, 1);
}

/* Applications that may not use the project do not hold it. */
static bool refers(struct controller *ctl, struct app *app, const char *name, const json_t *project)
{
    AUTO_JSON doc = app_doc(app);
    return doc && strcmp(app_project(doc), name) == 0 && controller_serves_namespace(ctl, app->ns) &&
           project_permits_app_namespace(project, app->ns, ctl->options.ns);
}

static size_t count_references(struct controller *ctl, const char *name, const json_t *project)
{
    size_t n = 0;
    AUTO(strv_free_p) char **keys = apps_keys(ctl->apps);
    for (char **k = keys; *k; k++) {
        struct app *app = apps_get(ctl->apps, *k);
        n += app && refers(ctl, app, name, project);
        app_unref(ctl->apps, app);
    }
    return n;
}

/* The list is replaced whole: the version makes sure that it is the one that was read. Each replica decides
 * this alike, so it takes no tenure. */
static int remove_finalizer(struct controller *ctl, const char *name, const json_t *project, err_t **err)
{
    const json_t *list = json_at(project, "metadata", "finalizers");
    json_t *left = json_array();
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!str_eq(json_string_value(json_array_get(list, i)), FINALIZER_RESOURCES))
            json_array_append_new(left, json_copy_deep(json_array_get(list, i)));
    AUTO_JSON patch = json_object();
    json_put_at(patch, left, "metadata", "finalizers");
    json_put_at(patch, json_str_new(object_resource_version(project)), "metadata", "resourceVersion");
    return kube_patch(ctl->lease_kube, &project_resource, ctl->options.ns, name, KUBE_PATCH_MERGE, patch,
                      NULL, NULL, err);
}

static bool holds(const json_t *project)
{
    const json_t *list = json_at(project, "metadata", "finalizers");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_eq(json_string_value(json_array_get(list, i)), FINALIZER_RESOURCES))
            return json_at(project, "metadata", "deletionTimestamp") != NULL;
    return false;
}

void projects_run(void *ctx, const char *key, uint64_t bits)
{
    struct controller *ctl = ctx;
    const char *name = strchr(key, '/') + 1;
    AUTO_JSON project = NULL;
    AUTO_ERR err = NULL;
    if (ctl->stopping || world_project(ctl->world, name, &project, NULL) < 0 || !holds(project))
        return;
    size_t n = count_references(ctl, name, project);
    if (n) {
        log_info(LOGF({"project", name}),
                 "Cannot remove project '%s' finalizer as is referenced by %zu applications", name, n);
        return;
    }
    int code = remove_finalizer(ctl, name, project, &err);
    if (code == 0 || code == -ERR_NOT_FOUND)
        return;
    /* Of a conflict the watch brings the newer version; another replica may have been quicker. */
    if (code != -ERR_ABORTED)
        log_warn(LOGF({"project", name}), "Failed to finalize project deletion: %s", err_text(err));
    workq_add_after(ctl->projects, key, bits, code == -ERR_ABORTED ? MILLIS(200) : SECONDS(2));
}
