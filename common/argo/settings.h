/* What the controller and the api-server take from the ConfigMap argocd-cm
 * (docs/operator-manual/argocd-cm.yaml of Argo CD). A snapshot: immutable, reference-counted, with an epoch
 * that says whether anything changed. */
#ifndef CARGOCD_ARGO_SETTINGS_H
#define CARGOCD_ARGO_SETTINGS_H

#include "common/argo/tracking.h"
#include "common/engine/health.h"
#include "common/engine/normalize.h"
#include "common/engine/script.h"

#define LABEL_PART_OF "app.kubernetes.io/part-of"

typedef struct settings settings_t;

/* config_map: the whole object, NULL for none. A malformed entry is named in *warnings (NULL-safe) and left
 * out, as far as Argo CD goes on without it; an error where it does not. */
int settings_parse(const json_t *config_map, settings_t **out, str_t *warnings, err_t **err);
settings_t *settings_ref(const settings_t *s);
void settings_unref(settings_t *s);
/* Of the ConfigMap's data; equal data, equal epoch. Goes into every kept verdict. */
uint64_t settings_epoch(const settings_t *s);
/* A value by key; "" when absent. */
const char *settings_value(const settings_t *s, const char *key);
/* All of the data; borrowed. */
const json_t *settings_data(const settings_t *s);
bool settings_bool(const settings_t *s, const char *key, bool fallback);

const struct tracking *settings_tracking(const settings_t *s);
/* resource.exclusions and resource.inclusions, with what is always excluded. */
bool settings_excludes(const settings_t *s, const char *group, const char *kind, const char *server);
/* The system's ignore rules (resource.customizations.ignoreDifferences.*, resource.compareoptions); borrowed.
 */
const struct ignore_rule *settings_ignore_rules(const settings_t *s, size_t *n);
bool settings_ignore_aggregated_roles(const settings_t *s);
/* Fields whose types are told (knownTypeFields); borrowed. */
const struct known_type *settings_known_types(const settings_t *s, size_t *n);
/* Whether a change of the object may be ignored is decided on its hash without what these rules name. */
const struct ignore_rule *settings_ignore_update_rules(const settings_t *s, size_t *n);
bool settings_ignore_updates_enabled(const settings_t *s);
/* globalProjects: [{labelSelector, projectName}]; NULL for none. Borrowed. */
const json_t *settings_global_projects(const settings_t *s);
/* resource.sensitive.mask.annotations; NULL-terminated. */
char *const *settings_masked_annotations(const settings_t *s);
/* resource.customLabels: labels that trees show of every object; application.allowedNodeLabels: labels of
 * nodes that they show of hosts. NULL-terminated. */
char *const *settings_custom_labels(const settings_t *s);
char *const *settings_node_labels(const settings_t *s);
bool settings_in_cluster_enabled(const settings_t *s);

/* The health script of resource.customizations for the kind: by its name, else by a glob; NULL. Borrowed. */
const struct script *settings_health_script(const settings_t *s, const char *group, const char *kind);
/* The actions of a kind: {discovery.lua, definitions: [{name, action.lua}], mergeBuiltinActions}; NULL.
 * Borrowed. Globs do not count. */
const json_t *settings_actions(const settings_t *s, const char *group, const char *kind, bool *open_libs);

/* Whether resource.customizations says anything of exactly this kind. */
bool settings_customizes(const settings_t *s, const char *group, const char *kind);

/* An application's ignoreDifferences as rules whose texts live as long as `list`; the array is the caller's.
 */
struct ignore_rule *ignore_rules_of(const json_t *list, size_t *n) MUST_USE;
void ignore_rules_free(struct ignore_rule *rules, size_t n);

AUTO_DECL(settings_unref_p, settings_t, settings_unref)

#endif
