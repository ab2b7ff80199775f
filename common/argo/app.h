/* Applications as documents: reading what code decides on, and writing status. The document itself stays
 * JSON, so that fields which this version does not know survive. */
#ifndef CARGOCD_ARGO_APP_H
#define CARGOCD_ARGO_APP_H

#include "common/base/clock.h"
#include "common/engine/annotations.h"

#define ARGO_GROUP                   "argoproj.io"
#define ANNOTATION_REFRESH           "argocd.argoproj.io/refresh"
#define ANNOTATION_REFRESH_AT        "argocd.argoproj.io/refresh-timestamp"
#define ANNOTATION_SKIP              "argocd.argoproj.io/skip-reconcile"
#define ANNOTATION_APPROVED          "argocd.argoproj.io/deletion-approved"
#define ANNOTATION_MIGRATION_MANAGER "argocd.argoproj.io/client-side-apply-migration-manager"
#define ANNOTATION_GENERATE_PATHS    "argocd.argoproj.io/manifest-generate-paths"
#define ANNOTATION_COMPARE           "argocd.argoproj.io/compare-options"
#define ANNOTATION_SYNC_WAVE         "argocd.argoproj.io/sync-wave"
#define ANNOTATION_HOOK              "argocd.argoproj.io/hook"
#define ANNOTATION_HOOK_DELETE       "argocd.argoproj.io/hook-delete-policy"
#define ANNOTATION_OPERATION         "cargocd.io/operation-id"
#define FINALIZER_RESOURCES          "resources-finalizer.argocd.argoproj.io"

/* spec.project, "default" when empty. */
const char *app_project(const json_t *app);
/* Several sources and no hydrator. */
bool app_multi_source(const json_t *app);
/* The sources that manifests come from: spec.sources, or one: spec.source, or what a hydrator writes. A new
 * array. */
json_t *app_sources(const json_t *app) MUST_USE;
/* The single source (a new document), NULL for several. */
json_t *app_single_source(const json_t *app) MUST_USE;
/* Sources equal in meaning: absent and empty fields are the same. */
bool sources_same(const json_t *a, const json_t *b);
bool destinations_same(const json_t *a, const json_t *b);

bool app_auto_sync(const json_t *app);
bool app_auto_prune(const json_t *app);
bool app_self_heal(const json_t *app);
/* Whether a list of texts has the option, as it is spelled. */
bool options_have(const json_t *list, const char *option);
/* Items of a comma-separated annotation; blanks trimmed. NULL-terminated, the caller's. */
char **annotation_list(const json_t *object, const char *key) MUST_USE;
/* The value of "<name>=<value>" among a resource's sync options, as the caller's copy; NULL. */
char *resource_option(const json_t *object, const char *name) MUST_USE;
/* True for "<option>" in the application's list or the resource's annotation. */
bool sync_option(const json_t *app_options, const json_t *object, const char *option);

bool app_deleting(const json_t *app);
bool app_has_finalizer(const json_t *app, const char *prefix);
/* Revisions of a status or operation part: revisions[], or [revision]. A new array. */
json_t *revisions_of(const json_t *part) MUST_USE;
/* "[a b]": how lists stand in messages. */
char *revisions_text(const json_t *revisions) MUST_USE;
/* The part of a list of texts joined by ", ". */
char *revisions_joined(const json_t *revisions) MUST_USE;

bool operation_completed(const char *phase);

/* Normalises spec in place as Argo CD does on every full reconcile; true when something changed. */
bool app_normalize_spec(json_t *app);

/* ---- conditions ---- */

/* Replaces the conditions of the types in `evaluated` (NULL-terminated) by `current` ([{type, message}]);
 * others stay. Equal messages keep their time. Returns the new list, sorted. */
json_t *conditions_set(const json_t *old, const char *const *evaluated, const json_t *current, wall_t now)
    MUST_USE;
void condition_add(json_t *list, const char *type, const char *message);
bool conditions_have(const json_t *list, const char *type);

/* The merge patch between two values of `status` alone: absent and {} are the same. NULL when there is
 * nothing to do. */
json_t *status_patch(const json_t *old_status, const json_t *new_status) MUST_USE;
/* "2006-01-02T15:04:05Z" as a JSON string. */
json_t *json_time(wall_t t) MUST_USE;
bool json_to_time(const json_t *v, wall_t *out);

#endif
