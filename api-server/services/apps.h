/* Between the files of application.ApplicationService. */
#ifndef CARGOCD_API_SERVICES_APPS_H
#define CARGOCD_API_SERVICES_APPS_H

#include "api-server/services/server.h"

/* project[] (legacy) wins over projects[]; a borrowed array of texts, NULL when neither is given. */
const json_t *asked_projects(const call_t *c);
bool projects_contain(const json_t *projects, const char *name);

/* Whether the source list of an application has the repository. */
bool app_uses_repo(const json_t *app, const char *repo);

/* app_validate.c: normalises app->spec in place, checks it; deep: also that its sources can be had and
 * rendered. */
int app_validate(call_t *c, json_t *app, const json_t *project, bool deep, err_t **err);

/* app_sync.c: writes `operation` on the application; *out is the stored object. */
int app_set_operation(call_t *c, const json_t *app, json_t *operation, json_t **out, err_t **err);

/* app_health.c: the health of each entry of status.resources, from the tree: an application keeps it there
 * and not in its status when status.resourceHealthSource says appTree. Asks for the tree; without one all
 * stays as it is. Blocks for a second at most. */
void app_infer_health(server_t *s, json_t *app);
/* The pure part. */
void app_put_health(json_t *app, const json_t *tree);

/* Lets the answer follow what the watch has seen: a reader who comes next is not shown an older state. Waits
 * two seconds at most. */
void wait_for_version(call_t *c, const json_t *app);

/* Whether the resource that the request names (group, kind, namespace, resourceName) is in the application's
 * tree; ERR_INVALID_ARGUMENT. */
int app_check_resource(call_t *c, const json_t *app, err_t **err);

int app_list(call_t *c, json_t **out, err_t **err);
int app_list_actions(call_t *c, json_t **out, err_t **err);
int app_run_action(call_t *c, json_t **out, err_t **err);
int app_get(call_t *c, json_t **out, err_t **err);
int app_tree(call_t *c, json_t **out, err_t **err);
int app_managed(call_t *c, json_t **out, err_t **err);
int app_resource(call_t *c, json_t **out, err_t **err);
int app_events(call_t *c, json_t **out, err_t **err);
int app_manifests(call_t *c, json_t **out, err_t **err);
int app_revision_metadata(call_t *c, json_t **out, err_t **err);
int app_chart_details(call_t *c, json_t **out, err_t **err);
int app_oci_metadata(call_t *c, json_t **out, err_t **err);
int app_create(call_t *c, json_t **out, err_t **err);
int app_update(call_t *c, json_t **out, err_t **err);
int app_update_spec(call_t *c, json_t **out, err_t **err);
int app_patch(call_t *c, json_t **out, err_t **err);
int app_delete(call_t *c, json_t **out, err_t **err);
int app_sync(call_t *c, json_t **out, err_t **err);
int app_rollback(call_t *c, json_t **out, err_t **err);
int app_terminate(call_t *c, json_t **out, err_t **err);
int app_why(call_t *c, json_t **out, err_t **err);
int app_watch(call_t *c, json_t **out, err_t **err);
int app_watch_tree(call_t *c, json_t **out, err_t **err);

#endif
