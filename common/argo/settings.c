#include "common/argo/settings.h"
#include "common/base/glob.h"
#include "common/base/hash.h"
#include "common/base/vec.h"
#include "common/yaml/yaml.h"

#include <stdatomic.h>

/* An entry of resource.exclusions or resource.inclusions. */
struct filter {
    char **groups, **kinds, **clusters;
};
typedef VEC(struct filter) filters_t;
typedef VEC(struct ignore_rule) rules_t;

/* What resource.customizations says of a kind besides rules. */
struct custom {
    char *key; /* "group/Kind", "Kind" for core; may be a glob */
    char *health;
    bool open_libs;
    json_t *actions;
    struct script script;
};
typedef VEC(struct custom *) customs_t;
typedef VEC(struct known_type) known_types_t;

struct settings {
    atomic_uint refs;
    json_t *data; /* of the ConfigMap */
    uint64_t epoch;
    struct tracking tracking;
    filters_t exclusions, inclusions;
    rules_t ignore, ignore_updates;
    customs_t customs;
    known_types_t known_types;
    json_t *global_projects;
    bool ignore_aggregated_roles, updates_follow_differences;
    char **masked_annotations, **custom_labels, **node_labels;
};

const char *settings_value(const settings_t *s, const char *key)
{
    return str_or_empty(json_str_at(s->data, key));
}

const json_t *settings_data(const settings_t *s)
{
    return s->data;
}

bool settings_bool(const settings_t *s, const char *key, bool fallback)
{
    bool b = fallback;
    str_to_bool(settings_value(s, key), &b);
    return b;
}

static char **texts_of(const json_t *list)
{
    size_t n = json_array_size(list);
    if (!n)
        return NULL;
    char **out = xcalloc(n + 1, sizeof(*out));
    for (size_t i = 0; i < n; i++)
        out[i] = xstrdup(str_or_empty(json_string_value(json_array_get(list, i))));
    return out;
}

static void add_filters(filters_t *to, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        VEC_PUSH(to, (struct filter){.groups = texts_of(json_object_get(item, "apiGroups")),
                                     .kinds = texts_of(json_object_get(item, "kinds")),
                                     .clusters = texts_of(json_object_get(item, "clusters"))});
    }
}

static int read_yaml(const settings_t *s, const char *key, json_t **out, err_t **err)
{
    const char *text = settings_value(s, key);
    *out = NULL;
    if (!*text)
        return 0;
    if (yaml_read(text, strlen(text), NULL, out, err) < 0)
        return err_wrap(err, "argocd-cm: %s", key);
    return 0;
}

static int parse_filters(settings_t *s, err_t **err)
{
    static const char *const keys[] = {"resource.exclusions", "resource.inclusions"};
    filters_t *lists[] = {&s->exclusions, &s->inclusions};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        AUTO_JSON list = NULL;
        int r = read_yaml(s, keys[i], &list, err);
        if (r < 0)
            return r;
        if (list && !json_is_array(list) && !json_is_null(list))
            return err_set(err, ERR_INVALID_ARGUMENT, "argocd-cm: %s is no list", keys[i]);
        add_filters(lists[i], list);
    }
    return 0;
}

/* "apps_Deployment" or "apps/Deployment" -> group, kind; "all" is everything; without a group: core. */
static void split_group_kind(const char *text, char separator, char **group, char **kind)
{
    if (strcmp(text, "all") == 0) {
        *group = xstrdup("*");
        *kind = xstrdup("*");
        return;
    }
    const char *at = strrchr(text, separator);
    *group = at ? xstrndup(text, (size_t)(at - text)) : xstrdup("");
    *kind = xstrdup(at ? at + 1 : text);
}

static void rule_dispose(struct ignore_rule *r)
{
    free((char *)(uintptr_t)r->group);
    free((char *)(uintptr_t)r->kind);
    strv_free((char **)(uintptr_t)r->pointers);
    strv_free((char **)(uintptr_t)r->jq);
    strv_free((char **)(uintptr_t)r->managers);
}

/* Argo CD looks managers up by "<group>/<kind>" and by everything: a bare kind and other globs, which find
 * pointers and expressions, find none. */
static bool finds_managers(const char *name, char separator)
{
    const char *at = strrchr(name, separator);
    if (!at)
        return strcmp(name, "all") == 0;
    return !strchr(name, '*') || (at == name + 1 && *name == '*' && strcmp(at + 1, "*") == 0);
}

/* A key of its own overrides what the older, single key says of the same kind. */
static void add_rule(rules_t *to, const char *name, char separator, const json_t *body)
{
    char *group, *kind;
    split_group_kind(name, separator, &group, &kind);
    struct ignore_rule rule = {.group = group,
                               .kind = kind,
                               .pointers = texts_of(json_object_get(body, "jsonPointers")),
                               .jq = texts_of(json_object_get(body, "jqPathExpressions")),
                               .managers = finds_managers(name, separator)
                                               ? texts_of(json_object_get(body, "managedFieldsManagers"))
                                               : NULL};
    VEC_FOREACH(to, r) {
        if (strcmp(r->group, group) != 0 || strcmp(r->kind, kind) != 0)
            continue;
        rule_dispose(r);
        *r = rule;
        return;
    }
    VEC_PUSH(to, rule);
}

static struct custom *custom_of(settings_t *s, const char *key)
{
    VEC_FOREACH(&s->customs, c)
        if (strcmp((*c)->key, key) == 0)
            return *c;
    struct custom *c = xcalloc(1, sizeof(*c));
    c->key = xstrdup(key);
    VEC_PUSH(&s->customs, c);
    return c;
}

static void set_health(struct custom *c, const char *text)
{
    free(c->health);
    c->health = xstrdup(text);
}

/* "apps_Deployment" -> "apps/Deployment"; "all" -> the glob for everything with a group. NULL when it is
 * neither. */
static char *split_key(const char *name)
{
    if (strcmp(name, "all") == 0)
        return xstrdup("*/*");
    AUTO(strv_free_p) char **parts = strv_split(name, "_", false);
    if (!*name || strv_len(parts) > 2)
        return NULL;
    return strv_join(parts, "/");
}

/* [{field, type}] for "group/Kind". A type that nobody knows is named and left out. */
static void add_known_types(settings_t *s, const char *key, const char *text, str_t *warnings)
{
    AUTO_ERR err = NULL;
    AUTO_JSON list = NULL;
    const char *slash = strrchr(key, '/');
    if (yaml_read(text, strlen(text), NULL, &list, &err) < 0 && warnings)
        str_printf(warnings, "argocd-cm: knownTypeFields of %s: %s\n", key, err_text(err));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const char *field = str_or_empty(json_str_at(item, "field")),
                   *type = str_or_empty(json_str_at(item, "type"));
        if (!known_type_exists(type)) {
            if (warnings)
                str_printf(warnings, "argocd-cm: knownTypeFields of %s: type '%s' is not supported\n", key,
                           type);
            continue;
        }
        VEC_PUSH(&s->known_types,
                 (struct known_type){.group = slash ? xstrndup(key, (size_t)(slash - key)) : xstrdup(""),
                                     .kind = xstrdup(slash ? slash + 1 : key),
                                     .field = xstrdup(field),
                                     .type = xstrdup(type)});
    }
}

static bool parse_actions(struct custom *c, const char *key, const char *text, str_t *warnings)
{
    AUTO_ERR err = NULL;
    json_t *actions = NULL;
    if (yaml_read(text, strlen(text), NULL, &actions, &err) < 0 || !json_is_map(actions)) {
        if (warnings)
            str_printf(warnings, "argocd-cm: %s: %s\n", key, err ? err_text(err) : "no object");
        json_decref(actions);
        return false;
    }
    json_decref(c->actions);
    c->actions = actions;
    return true;
}

/* Health scripts and actions in keys of their own. A kind of customization that nobody knows is an error. */
static int parse_split_scripts(settings_t *s, str_t *warnings, err_t **err)
{
    static const char *const types[] = {
        "health", "useOpenLibs", "actions", "ignoreDifferences", "ignoreResourceUpdates", "knownTypeFields"};
    AUTO(free_p) const char **keys = json_sorted_keys(s->data);
    for (size_t k = 0; keys[k]; k++) {
        const char *rest = str_after(keys[k], "resource.customizations."), *text = settings_value(s, keys[k]);
        if (!rest)
            continue;
        size_t n = strcspn(rest, "."), t = 0;
        while (t < ARRAY_LEN(types) && (strlen(types[t]) != n || strncmp(types[t], rest, n) != 0))
            t++;
        if (t == ARRAY_LEN(types) || !rest[n])
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "argocd-cm: resource customization type %.*s not supported", (int)n, rest);
        AUTO(free_p) char *key = split_key(rest + n + 1);
        if (!key)
            return err_set(
                err, ERR_INVALID_ARGUMENT,
                "argocd-cm: group kind should be in format `resource.customizations.<type>.<group_kind>` or "
                "resource.customizations.<type>.<kind>`, got group kind: '%s'",
                rest + n + 1);
        if (t == 0)
            set_health(custom_of(s, key), text);
        else if (t == 1)
            str_to_bool(text, &custom_of(s, key)->open_libs);
        else if (t == 2)
            parse_actions(custom_of(s, key), keys[k], text, warnings);
        else if (t == 5)
            add_known_types(s, key, text, warnings);
    }
    return 0;
}

static void parse_split_customizations(settings_t *s, str_t *warnings)
{
    static const struct {
        const char *prefix;
        size_t rules; /* offset of the list */
    } kinds[] = {
        {"resource.customizations.ignoreDifferences.", offsetof(struct settings, ignore)},
        {"resource.customizations.ignoreResourceUpdates.", offsetof(struct settings, ignore_updates)},
    };
    AUTO(free_p) const char **keys = json_sorted_keys(s->data);
    for (size_t k = 0; keys[k]; k++) {
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
            const char *name = str_after(keys[k], kinds[i].prefix);
            if (!name)
                continue;
            AUTO_ERR err = NULL;
            AUTO_JSON body = NULL;
            if (read_yaml(s, keys[k], &body, &err) < 0) {
                if (warnings)
                    str_printf(warnings, "%s\n", err_text(err));
                continue;
            }
            add_rule((rules_t *)((char *)s + kinds[i].rules), name, '_', body);
        }
    }
}

/* The older, single key: {group/Kind: {ignoreDifferences: "yaml", …}}. */
static int parse_combined_customizations(settings_t *s, err_t **err)
{
    static const char *const fields[] = {"ignoreDifferences", "ignoreResourceUpdates"};
    rules_t *lists[] = {&s->ignore, &s->ignore_updates};
    AUTO_JSON all = NULL;
    int r = read_yaml(s, "resource.customizations", &all, err);
    if (r < 0 || !json_is_map(all))
        return r;
    AUTO(free_p) const char **keys = json_sorted_keys(all);
    for (size_t k = 0; keys[k]; k++) {
        const char *health = json_str_at(all, keys[k], "health.lua"),
                   *actions = json_str_at(all, keys[k], "actions");
        if (health)
            set_health(custom_of(s, keys[k]), health);
        if (json_bool_at(all, keys[k], "health.lua.useOpenLibs"))
            custom_of(s, keys[k])->open_libs = true;
        if (actions)
            parse_actions(custom_of(s, keys[k]), "resource.customizations", actions, NULL);
        const json_t *known = json_at(all, keys[k], "knownTypeFields");
        if (known) {
            AUTO(free_p) char *text = json_text(known, JSON_GO);
            add_known_types(s, keys[k], text, NULL);
        }
        for (size_t f = 0; f < ARRAY_LEN(fields); f++) {
            const char *text = json_str_at(all, keys[k], fields[f]);
            AUTO_JSON body = NULL;
            if (!text)
                continue;
            if (yaml_read(text, strlen(text), NULL, &body, err) < 0)
                return err_wrap(err, "argocd-cm: resource.customizations: %s: %s", keys[k], fields[f]);
            add_rule(lists[f], strcmp(keys[k], "*/*") == 0 ? "all" : keys[k], '/', body);
        }
    }
    return 0;
}

static char **texts_copy(char *const *list)
{
    size_t n = strv_len((char **)(uintptr_t)list);
    char **out = n ? xcalloc(n + 1, sizeof(*out)) : NULL;
    for (size_t i = 0; i < n; i++)
        out[i] = xstrdup(list[i]);
    return out;
}

static void copy_rule(rules_t *to, const struct ignore_rule *r)
{
    VEC_PUSH(to, (struct ignore_rule){.group = xstrdup(r->group),
                                      .kind = xstrdup(r->kind),
                                      .pointers = texts_copy(r->pointers),
                                      .jq = texts_copy(r->jq),
                                      .managers = texts_copy(r->managers)});
}

/* pointers: NULL-terminated. */
static void add_pointer_rule(rules_t *to, const char *group, const char *kind, const char *const *pointers)
{
    copy_rule(to, &(struct ignore_rule){
                      .group = group, .kind = kind, .pointers = (char *const *)(uintptr_t)pointers});
}

static int parse_compare_options(settings_t *s, err_t **err)
{
    static const char *const status[] = {"/status", NULL};
    AUTO_JSON options = NULL;
    int r = read_yaml(s, "resource.compareoptions", &options, err);
    if (r < 0)
        return r;
    s->ignore_aggregated_roles = json_bool_at(options, "ignoreAggregatedRoles");
    s->updates_follow_differences = !json_is_false(
        json_object_get(options, "ignoreDifferencesOnResourceUpdates"));
    json_t *field = json_object_get(options, "ignoreResourceStatusField");
    const char *which = json_is_false(field) ? "none" : str_or_empty(json_string_value(field));
    if (strcmp(which, "crd") == 0)
        add_pointer_rule(&s->ignore, "apiextensions.k8s.io", "CustomResourceDefinition", status);
    else if (strcmp(which, "none") != 0 && strcmp(which, "off") != 0 && strcmp(which, "false") != 0)
        add_pointer_rule(&s->ignore, "*", "*", status);
    return 0;
}

static void finish_update_rules(settings_t *s)
{
    static const char *const always[] = {"/metadata/resourceVersion", "/metadata/generation",
                                         "/metadata/managedFields", NULL};
    for (size_t i = 0; s->updates_follow_differences && i < s->ignore.n; i++)
        copy_rule(&s->ignore_updates, &s->ignore.v[i]);
    add_pointer_rule(&s->ignore_updates, "*", "*", always);
}

int settings_parse(const json_t *config_map, settings_t **out, str_t *warnings, err_t **err)
{
    settings_t *s = xcalloc(1, sizeof(*s));
    s->refs = 1;
    json_t *data = json_at(config_map, "data");
    s->data = json_is_map(data) ? json_copy_deep(data) : json_object();
    s->epoch = json_hash(s->data, 1);
    s->tracking = (struct tracking){
        .method = tracking_method_parse(settings_value(s, "application.resourceTrackingMethod")),
        .label_key = settings_value(s, "application.instanceLabelKey"),
        .installation_id = settings_value(s, "installationID"),
    };
    s->masked_annotations = strv_split(settings_value(s, "resource.sensitive.mask.annotations"), ",", true);
    s->custom_labels = strv_split(settings_value(s, "resource.customLabels"), ",", true);
    s->node_labels = strv_split(settings_value(s, "application.allowedNodeLabels"), ",", true);
    int r = parse_filters(s, err);
    if (r == 0)
        r = parse_combined_customizations(s, err);
    if (r == 0)
        r = parse_split_scripts(s, warnings, err);
    if (r == 0)
        parse_split_customizations(s, warnings);
    if (r == 0)
        r = parse_compare_options(s, err);
    if (r < 0) {
        settings_unref(s);
        return r;
    }
    AUTO_ERR problem = NULL;
    if (read_yaml(s, "globalProjects", &s->global_projects, &problem) < 0 && warnings)
        str_printf(warnings, "%s\n", err_text(problem));
    finish_update_rules(s);
    VEC_FOREACH(&s->customs, c)
        (*c)->script = (struct script){(*c)->health, (*c)->open_libs};
    *out = s;
    return 0;
}

settings_t *settings_ref(const settings_t *s)
{
    settings_t *mutable = (settings_t *)(uintptr_t)s;
    atomic_fetch_add(&mutable->refs, 1);
    return mutable;
}

static void free_filters(filters_t *list)
{
    VEC_FOREACH(list, f) {
        strv_free(f->groups);
        strv_free(f->kinds);
        strv_free(f->clusters);
    }
    VEC_FREE(list);
}

static void free_rules(rules_t *list)
{
    VEC_FOREACH(list, r)
        rule_dispose(r);
    VEC_FREE(list);
}

void settings_unref(settings_t *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) > 1)
        return;
    json_decref(s->data);
    json_decref(s->global_projects);
    free_filters(&s->exclusions);
    free_filters(&s->inclusions);
    free_rules(&s->ignore);
    free_rules(&s->ignore_updates);
    VEC_FOREACH(&s->customs, c) {
        free((*c)->key);
        free((*c)->health);
        json_decref((*c)->actions);
        free(*c);
    }
    VEC_FREE(&s->customs);
    VEC_FOREACH(&s->known_types, t) {
        const char *texts[] = {t->group, t->kind, t->field, t->type};
        for (size_t i = 0; i < ARRAY_LEN(texts); i++)
            free((char *)(uintptr_t)texts[i]);
    }
    VEC_FREE(&s->known_types);
    strv_free(s->masked_annotations);
    strv_free(s->custom_labels);
    strv_free(s->node_labels);
    free(s);
}

const json_t *settings_global_projects(const settings_t *s)
{
    return s->global_projects;
}

uint64_t settings_epoch(const settings_t *s)
{
    return s->epoch;
}

const struct tracking *settings_tracking(const settings_t *s)
{
    return &s->tracking;
}

static bool any_glob(char *const *list, const char *text)
{
    for (size_t i = 0; list && list[i]; i++)
        if (glob_match(list[i], text, NULL))
            return true;
    return !list;
}

static bool cluster_matches(const struct filter *f, const char *server)
{
    return any_glob(f->clusters, str_or_empty(server));
}

static bool filter_matches(const struct filter *f, const char *group, const char *kind, const char *server)
{
    bool by_kind = !f->kinds || strv_contains(f->kinds, "*") || strv_contains(f->kinds, kind);
    return any_glob(f->groups, group) && by_kind && cluster_matches(f, server);
}

static bool any_filter(const filters_t *list, const char *group, const char *kind, const char *server)
{
    for (size_t i = 0; i < list->n; i++)
        if (filter_matches(&list->v[i], group, kind, server))
            return true;
    return false;
}

static bool always_excluded(const char *group, const char *kind)
{
    return strcmp(group, "events.k8s.io") == 0 || strcmp(group, "metrics.k8s.io") == 0 ||
           (!*group && strcmp(kind, "Event") == 0) ||
           (strcmp(group, "coordination.k8s.io") == 0 && strcmp(kind, "Lease") == 0);
}

bool settings_excludes(const settings_t *s, const char *group, const char *kind, const char *server)
{
    if (always_excluded(group, kind) || any_filter(&s->exclusions, group, kind, server))
        return true;
    if (any_filter(&s->inclusions, group, kind, server))
        return false;
    for (size_t i = 0; i < s->inclusions.n; i++)
        if (cluster_matches(&s->inclusions.v[i], server))
            return true; /* this cluster has a list of what is included, and it is not on it */
    return false;
}

const struct ignore_rule *settings_ignore_rules(const settings_t *s, size_t *n)
{
    *n = s->ignore.n;
    return s->ignore.v;
}

const struct known_type *settings_known_types(const settings_t *s, size_t *n)
{
    *n = s->known_types.n;
    return s->known_types.v;
}

bool settings_ignore_aggregated_roles(const settings_t *s)
{
    return s->ignore_aggregated_roles;
}

const struct ignore_rule *settings_ignore_update_rules(const settings_t *s, size_t *n)
{
    *n = s->ignore_updates.n;
    return s->ignore_updates.v;
}

bool settings_ignore_updates_enabled(const settings_t *s)
{
    return settings_bool(s, "resource.ignoreResourceUpdatesEnabled", true);
}

char *const *settings_masked_annotations(const settings_t *s)
{
    return s->masked_annotations;
}

char *const *settings_custom_labels(const settings_t *s)
{
    return s->custom_labels;
}

char *const *settings_node_labels(const settings_t *s)
{
    return s->node_labels;
}

static char *custom_key(const char *group, const char *kind)
{
    return str_empty(group) ? xstrdup(kind) : xasprintf("%s/%s", group, kind);
}

static bool has_rule(const rules_t *rules, const char *group, const char *kind)
{
    for (size_t i = 0; i < rules->n; i++)
        if (str_eq(rules->v[i].group, group) && str_eq(rules->v[i].kind, kind))
            return true;
    return false;
}

bool settings_customizes(const settings_t *s, const char *group, const char *kind)
{
    AUTO(free_p) char *key = custom_key(group, kind);
    bool found = has_rule(&s->ignore, str_or_empty(group), kind) ||
                 has_rule(&s->ignore_updates, str_or_empty(group), kind);
    VEC_FOREACH(&s->customs, c)
        found = found || strcmp((*c)->key, key) == 0;
    VEC_FOREACH(&s->known_types, t)
        found = found || (str_same(t->group, group) && strcmp(t->kind, kind) == 0);
    return found;
}

/* By name, else by the first glob in order of the keys. */
const struct script *settings_health_script(const settings_t *s, const char *group, const char *kind)
{
    AUTO(free_p) char *key = s->customs.n ? custom_key(group, kind) : NULL;
    VEC_FOREACH(&s->customs, c)
        if (!str_empty((*c)->health) && strcmp((*c)->key, key) == 0)
            return &(*c)->script;
    VEC_FOREACH(&s->customs, c)
        if (!str_empty((*c)->health) && glob_match((*c)->key, key, NULL))
            return &(*c)->script;
    return NULL;
}

const json_t *settings_actions(const settings_t *s, const char *group, const char *kind, bool *open_libs)
{
    AUTO(free_p) char *key = s->customs.n ? custom_key(group, kind) : NULL;
    const struct custom *c = NULL;
    VEC_FOREACH(&s->customs, i)
        if ((*i)->actions && strcmp((*i)->key, key) == 0)
            c = *i;
    *open_libs = c && c->open_libs;
    return c ? c->actions : NULL;
}

bool settings_in_cluster_enabled(const settings_t *s)
{
    return settings_bool(s, "cluster.inClusterEnabled", true);
}

struct ignore_rule *ignore_rules_of(const json_t *list, size_t *n)
{
    *n = json_array_size(list);
    struct ignore_rule *rules = xcalloc(*n, sizeof(*rules));
    for (size_t i = 0; i < *n; i++) {
        const json_t *item = json_array_get(list, i);
        rules[i] = (struct ignore_rule){.group = json_str_at(item, "group"),
                                        .kind = json_str_at(item, "kind"),
                                        .name = json_str_at(item, "name"),
                                        .ns = json_str_at(item, "namespace"),
                                        .pointers = texts_of(json_object_get(item, "jsonPointers")),
                                        .jq = texts_of(json_object_get(item, "jqPathExpressions")),
                                        .managers = texts_of(json_object_get(item, "managedFieldsManagers"))};
    }
    return rules;
}

void ignore_rules_free(struct ignore_rule *rules, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        strv_free((char **)(uintptr_t)rules[i].pointers);
        strv_free((char **)(uintptr_t)rules[i].jq);
        strv_free((char **)(uintptr_t)rules[i].managers);
    }
    free(rules);
}
