#include "common/argo/settings.h"
#include "common/yaml/yaml.h"
#include "tests/unit/golden.h"

static int parse(const char *yaml, settings_t **out, str_t *warnings, err_t **err)
{
    AUTO_JSON data = NULL;
    AUTO_ERR bad = NULL;
    if (yaml_read(yaml, strlen(yaml), NULL, &data, &bad) < 0)
        fail_msg("%s in %s", err_text(bad), yaml);
    AUTO_JSON map = json_pack("{s:O}", "data", data);
    return settings_parse(map, out, warnings, err);
}

static settings_t *settings_of(const char *yaml)
{
    AUTO_ERR err = NULL;
    settings_t *s = NULL;
    ASSERT_OK(parse(yaml, &s, NULL, &err));
    return s;
}

/* ---- resources that are left out ---- */

static void exclusions(void **state)
{
    static const char filters[] = "resource.exclusions: |\n"
                                  "  - apiGroups: ['*.cilium.io', kyverno.io]\n"
                                  "    kinds: [CiliumIdentity, PolicyReport]\n"
                                  "    clusters: ['https://*.prod']\n"
                                  "  - kinds: [Secret]\n"
                                  "    apiGroups: ['']\n"
                                  "  - apiGroups: [gone.io]\n"
                                  "    kinds: ['*']\n"
                                  "resource.inclusions: |\n"
                                  "  - apiGroups: ['', apps]\n"
                                  "    kinds: ['*']\n"
                                  "    clusters: [https://small]\n";
    static const struct {
        const char *group, *kind, *server;
        bool excluded;
    } cases[] = {
        {"", "ConfigMap", "https://a.prod", false},
        {"", "Secret", "https://a.prod", true},
        {"x", "Secret", "https://a.prod", false},
        {"a.cilium.io", "CiliumIdentity", "https://a.prod", true},
        {"a.cilium.io", "CiliumIdentity", "https://a.test", false},
        {"a.cilium.io", "CiliumNode", "https://a.prod", false},
        {"kyverno.io", "PolicyReport", "https://b.prod", true},
        {"gone.io", "Anything", "", true},
        {"", "ConfigMap", "https://small", false},
        {"apps", "Deployment", "https://small", false},
        {"batch", "Job", "https://small", true}, /* this cluster has a list, and it is not on it */
        {"batch", "Job", "https://large", false},
        {"", "Secret", "https://small", true}, /* exclusions go first */
        {"", "Event", "https://a", true},
        {"events.k8s.io", "Event", "https://a", true},
        {"metrics.k8s.io", "PodMetrics", "https://a", true},
        {"coordination.k8s.io", "Lease", "https://a", true},
    };
    AUTO(settings_unref_p) settings_t *s = settings_of(filters);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (settings_excludes(s, cases[i].group, cases[i].kind, cases[i].server) != cases[i].excluded)
            fail_msg("%s/%s on %s", cases[i].group, cases[i].kind, cases[i].server);
}

/* ---- resource.customizations ---- */

static const char customized[] = "resource.customizations: |\n"
                                 "  old.io/Widget:\n"
                                 "    health.lua: return {status = 'old'}\n"
                                 "    health.lua.useOpenLibs: true\n"
                                 "    ignoreDifferences: |\n"
                                 "      jsonPointers: [/spec/a]\n"
                                 "    actions: |\n"
                                 "      discovery.lua: return {}\n"
                                 "  '*.wild.io/*':\n"
                                 "    health.lua: return {status = 'wild'}\n"
                                 "  both.io/Widget:\n"
                                 "    health.lua: return {status = 'combined'}\n"
                                 "  Pod:\n"
                                 "    health.lua: return {status = 'pod'}\n"
                                 "resource.customizations.health.both.io_Widget: return {status = 'split'}\n"
                                 "resource.customizations.health.new.io_Widget: return {status = 'new'}\n"
                                 "resource.customizations.useOpenLibs.new.io_Widget: 'true'\n"
                                 "resource.customizations.health.ConfigMap: return {status = 'cm'}\n"
                                 "resource.customizations.ignoreDifferences.apps_Deployment: |\n"
                                 "  jsonPointers: [/spec/replicas]\n"
                                 "  jqPathExpressions: ['.spec.x[]']\n"
                                 "  managedFieldsManagers: [hpa]\n"
                                 "resource.customizations.ignoreResourceUpdates.all: |\n"
                                 "  jsonPointers: [/status]\n"
                                 "resource.customizations.actions.apps_Deployment: |\n"
                                 "  mergeBuiltinActions: true\n"
                                 "  definitions: [{name: restart, action.lua: return obj}]\n";

static void health_scripts(void **state)
{
    static const struct {
        const char *group, *kind, *status;
        bool open_libs;
    } cases[] = {
        {"old.io", "Widget", "old", true},
        {"new.io", "Widget", "new", true},
        {"both.io", "Widget", "split", false},
        {"a.wild.io", "Thing", "wild", false},
        {"", "Pod", "pod", false},
        {"", "ConfigMap", "cm", false},
        {"x", "Pod", NULL, false},
        {"apps", "Deployment", NULL, false},
        {"wild.io", "Thing", NULL, false},
    };
    AUTO(settings_unref_p) settings_t *s = settings_of(customized);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct script *script = settings_health_script(s, cases[i].group, cases[i].kind);
        AUTO(free_p) char *wanted = xasprintf("return {status = '%s'}", str_or_empty(cases[i].status));
        if (!script != !cases[i].status ||
            (script && (!str_eq(script->source, wanted) || script->open_libs != cases[i].open_libs)))
            fail_msg("%s/%s: %s", cases[i].group, cases[i].kind, script ? script->source : "none");
    }
    AUTO(settings_unref_p) settings_t *all = settings_of("resource.customizations.health.all: return {}\n");
    assert_non_null(settings_health_script(all, "apps", "Deployment"));
    assert_null(settings_health_script(all, "", "Pod")); /* the glob wants a slash */
}

static void actions(void **state)
{
    AUTO(settings_unref_p) settings_t *s = settings_of(customized);
    bool open_libs;
    const json_t *a = settings_actions(s, "apps", "Deployment", &open_libs);
    assert_string_equal(json_str_at(json_array_get(json_at(a, "definitions"), 0), "name"), "restart");
    assert_false(open_libs);
    assert_non_null(settings_actions(s, "old.io", "Widget", &open_libs));
    assert_true(open_libs);
    assert_null(settings_actions(s, "", "Pod", &open_libs));
}

static void ignore_rules(void **state)
{
    AUTO(settings_unref_p) settings_t *s = settings_of(customized);
    size_t n, found = 0;
    const struct ignore_rule *rules = settings_ignore_rules(s, &n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(rules[i].kind, "Deployment") == 0) {
            found |= 1;
            assert_string_equal(rules[i].group, "apps");
            assert_string_equal(rules[i].pointers[0], "/spec/replicas");
            assert_string_equal(rules[i].jq[0], ".spec.x[]");
            assert_string_equal(rules[i].managers[0], "hpa");
        } else if (strcmp(rules[i].kind, "Widget") == 0) {
            found |= 2;
            assert_string_equal(rules[i].pointers[0], "/spec/a");
        } else if (strcmp(rules[i].kind, "*") == 0) {
            found |= 4; /* /status of everything, unless told otherwise */
            assert_string_equal(rules[i].pointers[0], "/status");
        }
    }
    assert_int_equal(found, 7);
    const struct ignore_rule *updates = settings_ignore_update_rules(s, &n);
    AUTO_JSON object = json_of("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\","
                               "\"resourceVersion\":\"1\","
                               "\"generation\":1,\"managedFields\":[]},\"status\":{}}");
    struct normalize_options options = {.rules = updates, .nrules = n};
    normalize_by_rules(&object, &options);
    AUTO_JSON left = json_of("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\"}}");
    assert_json_same(object, left, "what of an update counts");
}

/* The only rule for the kind. */
static const struct ignore_rule *rule_for(const struct ignore_rule *rules, size_t n, const char *kind)
{
    const struct ignore_rule *found = NULL;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(rules[i].kind, kind) != 0)
            continue;
        assert_null(found);
        found = &rules[i];
    }
    assert_non_null(found);
    return found;
}

static void overriding(void **state)
{
    AUTO(settings_unref_p)
    settings_t *s = settings_of("resource.customizations: |\n"
                                "  apps/Deployment:\n"
                                "    ignoreDifferences: |\n"
                                "      jsonPointers: [/spec/old]\n"
                                "    actions: |\n"
                                "      discovery.lua: return {}\n"
                                "  wild.io/*:\n"
                                "    actions: |\n"
                                "      discovery.lua: return {}\n"
                                "resource.customizations.ignoreDifferences.apps_Deployment: |\n"
                                "  jqPathExpressions: [.spec.new]\n"
                                "resource.customizations.ignoreDifferences.all: |\n"
                                "  jsonPointers: [/x]\n");
    size_t n;
    bool open_libs;
    const struct ignore_rule *rules = settings_ignore_rules(s, &n), *r = rule_for(rules, n, "Deployment");
    assert_null(r->pointers);
    assert_string_equal(r->jq[0], ".spec.new");
    /* What is ignored in differences is ignored in updates. */
    rules = settings_ignore_update_rules(s, &n);
    r = rule_for(rules, n, "Deployment");
    assert_string_equal(r->jq[0], ".spec.new");
    /* The rule for status does not replace one for everything, nor the other way round. */
    AUTO_JSON object = json_of("{\"kind\":\"K\",\"x\":1,\"status\":{}}");
    AUTO_JSON left = json_of("{\"kind\":\"K\"}");
    struct normalize_options options = {.rules = settings_ignore_rules(s, &n)};
    options.nrules = n;
    normalize_by_rules(&object, &options);
    assert_json_same(object, left, "rules for everything");
    assert_non_null(settings_actions(s, "apps", "Deployment", &open_libs));
    assert_null(settings_actions(s, "wild.io", "Thing", &open_libs));
    assert_true(settings_customizes(s, "apps", "Deployment"));
    assert_false(settings_customizes(s, "", "Deployment"));
    assert_false(settings_customizes(s, "wild.io", "Thing"));
}

/* Which keys find managers: sharp, but so it is. */
static void managers_by_key(void **state)
{
    static const struct {
        const char *key, *group, *kind;
        bool found;
    } cases[] = {
        {"ConfigMap", "", "ConfigMap", false},           {"_ConfigMap", "", "ConfigMap", true},
        {"apps_Deployment", "apps", "Deployment", true}, {"all", "*", "*", true},
        {"*.x.io_Thing", "*.x.io", "Thing", false},      {"x.io_*", "x.io", "*", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p)
        char *text = xasprintf(
            "{\"resource.compareoptions\":\"ignoreResourceStatusField: none\\n\",\"resource.customizations."
            "ignoreDifferences.%s\":\"managedFieldsManagers: [m]\\njsonPointers: [/x]\\n\"}",
            cases[i].key);
        AUTO(settings_unref_p) settings_t *s = settings_of(text);
        size_t n;
        const struct ignore_rule *rules = settings_ignore_rules(s, &n);
        assert_int_equal(n, 1);
        assert_string_equal(rules[0].group, cases[i].group);
        assert_string_equal(rules[0].kind, cases[i].kind);
        assert_string_equal(rules[0].pointers[0], "/x");
        if ((rules[0].managers && rules[0].managers[0]) != cases[i].found)
            fail_msg("%s", cases[i].key);
    }
}

static void status_rules(void **state)
{
    static const struct {
        const char *options;
        bool config_map, crd;
    } cases[] = {{"", true, true},
                 {"ignoreResourceStatusField: all", true, true},
                 {"ignoreResourceStatusField: crd", false, true},
                 {"ignoreResourceStatusField: none", false, false},
                 {"ignoreResourceStatusField: 'off'", false, false},
                 {"ignoreResourceStatusField: false", false, false},
                 {"ignoreResourceStatusField: nonsense", true, true}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *yaml = xasprintf("resource.compareoptions: \"%s\"\n", cases[i].options);
        AUTO(settings_unref_p) settings_t *s = settings_of(yaml);
        size_t n;
        const struct ignore_rule *rules = settings_ignore_rules(s, &n);
        AUTO_JSON crd = json_of(
            "{\"apiVersion\":\"apiextensions.k8s.io/v1\",\"kind\":\"CustomResourceDefinition\"}");
        AUTO_JSON map = json_of("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\"}");
        bool on_crd = false, on_map = false;
        for (size_t k = 0; k < n; k++) {
            on_crd = on_crd || ignore_rule_matches(&rules[k], crd);
            on_map = on_map || ignore_rule_matches(&rules[k], map);
        }
        if (on_crd != cases[i].crd || on_map != cases[i].config_map)
            fail_msg("%s", cases[i].options);
    }
    AUTO(settings_unref_p)
    settings_t *roles = settings_of("resource.compareoptions: 'ignoreAggregatedRoles: true'\n");
    assert_true(settings_ignore_aggregated_roles(roles));
}

static void malformed(void **state)
{
    static const struct {
        const char *yaml, *problem, *warning;
    } cases[] = {
        {"resource.exclusions: '{'\n", "argocd-cm: resource.exclusions", NULL},
        {"resource.exclusions: 'a: b'\n", "argocd-cm: resource.exclusions is no list", NULL},
        {"resource.customizations: '['\n", "argocd-cm: resource.customizations", NULL},
        {"resource.compareoptions: '['\n", "argocd-cm: resource.compareoptions", NULL},
        {"resource.customizations.colour.apps_Deployment: x\n",
         "argocd-cm: resource customization type colour not supported", NULL},
        {"resource.customizations.health.a_b_c: x\n", "argocd-cm: group kind should be in format", NULL},
        {"resource.customizations.ignoreDifferences.apps_Deployment: '['\n", NULL,
         "argocd-cm: resource.customizations.ignoreDifferences.apps_Deployment"},
        {"resource.customizations.actions.apps_Deployment: '['\n", NULL,
         "argocd-cm: resource.customizations.actions.apps_Deployment"},
        {"globalProjects: '['\n", NULL, "argocd-cm: globalProjects"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO_STR warnings = STR_INIT;
        AUTO(settings_unref_p) settings_t *s = NULL;
        int r = parse(cases[i].yaml, &s, &warnings, &err);
        if ((r < 0) != (cases[i].problem != NULL) ||
            !str_has_prefix(err_text(err), str_or_empty(cases[i].problem)) ||
            !str_has_prefix(str_text(&warnings), str_or_empty(cases[i].warning)))
            fail_msg("%s: %s; %s", cases[i].yaml, err_text(err), str_text(&warnings));
    }
}

static void known_types(void **state)
{
    AUTO(settings_unref_p)
    settings_t *s = settings_of("resource.customizations.knownTypeFields.x.io_Widget: |\n"
                                "  - {field: spec.pod, type: core/v1/PodSpec}\n"
                                "  - {field: spec.odd, type: core/v1/Nonsense}\n"
                                "resource.customizations: |\n"
                                "  y.io/Gadget:\n"
                                "    knownTypeFields: [{field: spec.size, type: core/Quantity}]\n");
    size_t n;
    const struct known_type *types = settings_known_types(s, &n);
    assert_int_equal(n, 2);
    assert_string_equal(types[0].group, "y.io");
    assert_string_equal(types[0].type, "core/Quantity");
    assert_string_equal(types[1].kind, "Widget");
    assert_string_equal(types[1].field, "spec.pod");
}

static void other_values(void **state)
{
    AUTO(settings_unref_p) settings_t *none = settings_of("{}");
    AUTO(settings_unref_p)
    settings_t *s = settings_of("application.resourceTrackingMethod: annotation+label\n"
                                "application.instanceLabelKey: mine\n"
                                "installationID: here\n"
                                "cluster.inClusterEnabled: 'false'\n"
                                "resource.ignoreResourceUpdatesEnabled: 'false'\n"
                                "resource.sensitive.mask.annotations: a, b\n"
                                "globalProjects: |\n  - projectName: g\n");
    assert_int_equal(settings_tracking(none)->method, TRACK_ANNOTATION);
    assert_int_equal(settings_tracking(s)->method, TRACK_ANNOTATION_AND_LABEL);
    assert_string_equal(settings_tracking(s)->label_key, "mine");
    assert_string_equal(settings_tracking(s)->installation_id, "here");
    assert_true(settings_in_cluster_enabled(none) && !settings_in_cluster_enabled(s));
    assert_true(settings_ignore_updates_enabled(none) && !settings_ignore_updates_enabled(s));
    assert_string_equal(settings_masked_annotations(s)[1], "b");
    assert_null(settings_global_projects(none));
    assert_int_equal(json_array_size(settings_global_projects(s)), 1);
    AUTO(settings_unref_p) settings_t *same = settings_of("{}");
    assert_true(settings_epoch(none) == settings_epoch(same) && settings_epoch(none) != settings_epoch(s));
}

TESTS(T(exclusions), T(health_scripts), T(actions), T(ignore_rules), T(overriding), T(managers_by_key),
      T(status_rules), T(malformed), T(known_types), T(other_values))
