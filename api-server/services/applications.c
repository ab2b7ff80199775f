/* application.ApplicationService: which handler serves which method. */
#include "api-server/services/apps.h"

#define SERVICE "application.ApplicationService"

const struct handler application_handlers[] = {
    {SERVICE, "List", app_list},
    {SERVICE, "Get", app_get},
    {SERVICE, "Create", app_create},
    {SERVICE, "Update", app_update},
    {SERVICE, "UpdateSpec", app_update_spec},
    {SERVICE, "Patch", app_patch},
    {SERVICE, "Delete", app_delete},
    {SERVICE, "Sync", app_sync},
    {SERVICE, "Rollback", app_rollback},
    {SERVICE, "TerminateOperation", app_terminate},
    {SERVICE, "ResourceTree", app_tree},
    {SERVICE, "ManagedResources", app_managed},
    {SERVICE, "GetResource", app_resource},
    {SERVICE, "ListResourceActions", app_list_actions},
    {SERVICE, "RunResourceAction", app_run_action},
    {SERVICE, "RunResourceActionV2", app_run_action},
    {SERVICE, "ListResourceEvents", app_events},
    {SERVICE, "GetManifests", app_manifests},
    {SERVICE, "RevisionMetadata", app_revision_metadata},
    {SERVICE, "RevisionChartDetails", app_chart_details},
    {SERVICE, "GetOCIMetadata", app_oci_metadata},
    {SERVICE, "Watch", app_watch},
    {SERVICE, "WatchResourceTree", app_watch_tree},
    {"cargocd.ApplicationService", "Why", app_why},
    {NULL, NULL, NULL},
};
