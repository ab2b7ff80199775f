/* What must hold before an application is looked at. */
#include "app-controller/refresh.h"
#include "common/argo/app.h"
#include "common/argo/project.h"
#include "common/kinds/kinds.h"

static void bad(json_t *conditions, const char *type, const char *fmt, ...) PRINTF(3, 4);
static void bad(json_t *conditions, const char *type, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    AUTO(free_p) char *message = xvasprintf(fmt, ap);
    va_end(ap);
    condition_add(conditions, type, message);
}

static void check_source(const json_t *source, bool several, json_t *conditions)
{
    const char *repo = str_or_empty(json_str_at(source, "repoURL")),
               *path = str_or_empty(json_str_at(source, "path"));
    const char *chart = str_or_empty(json_str_at(source, "chart")),
               *ref = str_or_empty(json_str_at(source, "ref"));
    const char *name = several ? "spec.sources" : "spec.source";
    if (!*repo || (!*path && !*chart && !(several && *ref)))
        bad(conditions, "InvalidSpecError", "%s.repoURL and either %s.path%s %s.chart%s are required", name,
            name, several ? "," : " or", name, several ? ", or spec.sources.ref" : "");
    else if (*chart && str_empty(json_str_at(source, "targetRevision")))
        bad(conditions, "InvalidSpecError",
            "spec.source.targetRevision is required if the manifest source is a helm chart");
}

static void check_sources(const json_t *doc, const json_t *project, json_t *conditions)
{
    AUTO_JSON sources = app_sources(doc);
    bool several = app_multi_source(doc);
    if (!json_array_size(sources))
        check_source(NULL, false, conditions);
    for (size_t i = 0; i < json_array_size(sources); i++) {
        const json_t *s = json_array_get(sources, i);
        const char *repo = str_or_empty(json_str_at(s, "repoURL"));
        check_source(s, several, conditions);
        if (*repo && !project_permits_source(project, repo))
            bad(conditions, "InvalidSpecError", "application repo %s is not permitted in project '%s'", repo,
                app_project(doc));
    }
}

static void check_destination(struct controller *ctl, const json_t *doc, const json_t *project,
                              json_t *conditions)
{
    AUTO_ERR err = NULL;
    AUTO(free_p) char *server = NULL;
    AUTO(free_p) char *name = NULL;
    AUTO(free_p) char *scope = NULL;
    const json_t *destination = json_at(doc, "spec", "destination");
    if (world_resolve(ctl->world, destination, &server, &name, &scope, &err) < 0) {
        bad(conditions, "InvalidSpecError", "%s", err_text(err));
        return;
    }
    const char *ns = str_or_empty(json_str_at(destination, "namespace"));
    struct destination d = {.server = server, .name = name, .ns = ns, .cluster_project = scope};
    if (!project_permits_destination(project, &d))
        bad(conditions, "InvalidSpecError",
            "application destination server '%s' and namespace '%s' do not match any of the allowed "
            "destinations in "
            "project '%s'",
            server, ns, app_project(doc));
}

int application_check(struct controller *ctl, struct app *app, const json_t *doc, json_t **project,
                      cluster_t **cluster, json_t *conditions)
{
    AUTO_ERR err = NULL;
    *project = NULL;
    *cluster = NULL;
    if (world_project(ctl->world, app_project(doc), project, &err) < 0) {
        bad(conditions, "InvalidSpecError", "Application referencing project %s which does not exist",
            app_project(doc));
        return -(int)ERR_NOT_FOUND;
    }
    if (!project_permits_app_namespace(*project, app->ns, ctl->options.ns)) {
        bad(conditions, "UnknownError",
            "application '%s' in namespace '%s' is not permitted to use project '%s'", app->name, app->ns,
            app_project(doc));
        return -(int)ERR_PERMISSION_DENIED;
    }
    check_sources(doc, *project, conditions);
    check_destination(ctl, doc, *project, conditions);
    if (json_array_size(conditions))
        return -(int)ERR_INVALID_ARGUMENT;
    if (world_cluster(ctl->world, json_at(doc, "spec", "destination"), cluster, &err) < 0) {
        bad(conditions, "InvalidSpecError", "%s", err_text(err));
        return -(int)ERR_INVALID_ARGUMENT;
    }
    return 0;
}
