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

/* False when it is incomplete. */
static bool check_source(const json_t *source, bool several, size_t number, json_t *conditions)
{
    const char *repo = str_or_empty(json_str_at(source, "repoURL")),
               *path = str_or_empty(json_str_at(source, "path"));
    const char *chart = str_or_empty(json_str_at(source, "chart")),
               *ref = str_or_empty(json_str_at(source, "ref"));
    bool complete = *repo && (*path || *chart || (several && *ref));
    if (!complete && several)
        bad(conditions, "InvalidSpecError",
            "spec.source.repoURL and either source.path, source.chart, or source.ref are required for source "
            "%zu",
            number);
    else if (!complete)
        bad(conditions, "InvalidSpecError",
            "spec.source.repoURL and either spec.source.path or spec.source.chart are required");
    else if (*chart && str_empty(json_str_at(source, "targetRevision")))
        bad(conditions, "InvalidSpecError",
            "spec.source.targetRevision is required if the manifest source is a helm chart");
    else
        return true;
    return false;
}

static void check_permitted(const char *repo, const char *what, const json_t *doc, const json_t *project,
                            json_t *conditions)
{
    if (!project_permits_source(project, repo))
        bad(conditions, "InvalidSpecError", "%s repo %s is not permitted in project '%s'", what, repo,
            app_project(doc));
}

/* What is written dry, and where what is made of it is read from. */
static void check_hydrator(const json_t *doc, const json_t *project, json_t *conditions)
{
    const json_t *h = json_at(doc, "spec", "sourceHydrator"), *to = json_object_get(h, "hydrateTo");
    AUTO_JSON source = app_single_source(doc);
    const char *dry = str_or_empty(json_str_at(h, "drySource", "repoURL")),
               *sync = str_or_empty(json_str_at(source, "repoURL"));
    if (!*dry)
        bad(conditions, "InvalidSpecError", "spec.sourceHydrator.drySource.repoURL is required");
    if (str_empty(json_str_at(h, "syncSource", "targetBranch")))
        bad(conditions, "InvalidSpecError", "spec.sourceHydrator.syncSource.targetBranch is required");
    if (json_is_map(to) && str_empty(json_str_at(to, "targetBranch")))
        bad(conditions, "InvalidSpecError",
            "when spec.sourceHydrator.hydrateTo is set, spec.sourceHydrator.hydrateTo.targetBranch is "
            "required");
    if (json_array_size(conditions))
        return;
    check_permitted(dry, "application", doc, project, conditions);
    if (strcmp(sync, dry) != 0)
        check_permitted(sync, "sync source", doc, project, conditions);
}

/* An incomplete source ends the look at all of them. */
static void check_sources(const json_t *doc, const json_t *project, json_t *conditions)
{
    AUTO_JSON sources = app_sources(doc);
    bool several = app_multi_source(doc);
    if (!json_array_size(sources))
        check_source(NULL, false, 1, conditions);
    for (size_t i = 0; i < json_array_size(sources); i++) {
        const json_t *s = json_array_get(sources, i);
        if (!check_source(s, several, i + 1, conditions))
            return;
        check_permitted(json_str_at(s, "repoURL"), "application", doc, project, conditions);
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
    if (json_is_map(json_at(doc, "spec", "sourceHydrator")))
        check_hydrator(doc, *project, conditions);
    else
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
