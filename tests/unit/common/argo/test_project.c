#include "common/argo/project.h"
#include "tests/unit/golden.h"

static bool ask(const json_t *project, const json_t *c)
{
    const json_t *dest = json_at(c, "dest"), *kind = json_at(c, "kind");
    if (dest) {
        struct destination d = {.server = json_str_at(dest, "Server"),
                                .name = json_str_at(dest, "Name"),
                                .ns = json_str_at(dest, "Namespace"),
                                .cluster_project = json_bool_at(c, "own") ? "p" : ""};
        return project_permits_destination(project, &d);
    }
    if (kind)
        return project_permits_kind(project, json_str_at(kind, "Group"), json_str_at(kind, "Kind"),
                                    json_str_at(kind, "Name"), json_bool_at(kind, "Namespaced"));
    if (json_str_at(c, "appNamespace"))
        return project_permits_app_namespace(project, json_str_at(c, "appNamespace"), "argocd");
    return project_permits_source(project, json_str_at(c, "source"));
}

static void run_case(const json_t *c, const char *what)
{
    AUTO_JSON project = json_pack("{s:{s:s},s:O}", "metadata", "name", "p", "spec", json_at(c, "spec"));
    AUTO(free_p) char *text = json_text(c, JSON_GO);
    if (ask(project, c) != json_bool_at(c, "permitted"))
        fail_msg("%s: %s", what, text);
}

static void as_argo_cd(void **state)
{
    golden_each("project/permits.jsonl", 1700, run_case);
}

static void objects(void **state)
{
    AUTO_JSON project = json_of(
        "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"destinations\":[{\"server\":\"*\","
        "\"namespace\":\"web\"}],\"clusterResourceWhitelist\":[{\"group\":\"\",\"kind\":\"Namespace\"}]}}");
    static const struct {
        const char *group, *kind, *ns;
        bool permitted;
    } cases[] = {{"", "ConfigMap", "web", true},
                 {"", "ConfigMap", "other", false},
                 {"", "Namespace", "", true},
                 {"rbac.authorization.k8s.io", "ClusterRole", "", false}};
    struct destination d = {.server = "https://x", .name = "x", .ns = "elsewhere"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(project_permits_object(project, cases[i].group, cases[i].kind, "n", cases[i].ns, &d),
                         cases[i].permitted);
}

static void orphans(void **state)
{
    AUTO_JSON none = json_of("{\"spec\":{}}");
    AUTO_JSON plain = json_of("{\"spec\":{\"orphanedResources\":{}}}");
    AUTO_JSON rules = json_of(
        "{\"spec\":{\"orphanedResources\":{\"warn\":true,\"ignore\":[{\"kind\":\"Secret\"},"
        "{\"group\":\"apps\",\"name\":\"tmp-*\"},{\"group\":\"*.io\",\"kind\":\"W*\"}]}}}");
    assert_false(project_monitors_orphans(none) || project_warns_of_orphans(none));
    assert_true(project_monitors_orphans(plain));
    assert_false(project_warns_of_orphans(plain));
    assert_true(project_monitors_orphans(rules) && project_warns_of_orphans(rules));
    static const struct {
        const char *group, *kind, *name;
        bool ignored;
    } cases[] = {{"", "Secret", "a", true},      {"", "ConfigMap", "a", false},
                 {"x", "Secret", "a", false},    {"apps", "Deployment", "a", false},
                 {"apps", "Pod", "tmp-1", true}, {"a.io", "Widget", "a", true},
                 {"a.io", "Gadget", "a", false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (project_ignores_orphan(rules, cases[i].group, cases[i].kind, cases[i].name) != cases[i].ignored)
            fail_msg("case %zu", i);
}

static json_t *lookup(void *ctx, const char *name)
{
    return strcmp(name, "gone") == 0 ? NULL : json_copy_deep(json_at(ctx, name));
}

static void global_projects(void **state)
{
    AUTO_JSON projects = json_of(
        "{\"g1\":{\"spec\":{\"sourceRepos\":[\"g1\"],\"namespaceResourceWhitelist\":[],\"syncWindows\":"
        "[{\"kind\":\"deny\"}],\"roles\":[{}]}},\"g2\":{\"spec\":{\"sourceRepos\":[\"g2\"],"
        "\"namespaceResourceWhitelist\":[{\"group\":\"\",\"kind\":\"Pod\"}],\"destinations\":[{}]}}}");
    static const struct {
        const char *settings, *spec;
    } cases[] = {
        {"[]", "{\"sourceRepos\":[\"own\"]}"},
        {"[{\"projectName\":\"g1\",\"labelSelector\":{\"matchLabels\":{\"team\":\"a\"}}}]",
         "{\"sourceRepos\":[\"own\",\"g1\"],\"syncWindows\":[{\"kind\":\"deny\"}]}"},
        {"[{\"projectName\":\"g1\",\"labelSelector\":{\"matchLabels\":{\"team\":\"b\"}}}]",
         "{\"sourceRepos\":[\"own\"]}"},
        {"[{\"projectName\":\"p\"},{\"projectName\":\"g2\"}]",
         "{\"sourceRepos\":[\"own\",\"g2\"],\"namespaceResourceWhitelist\":[{\"group\":\"\",\"kind\":\"Pod\"}"
         "],"
         "\"destinations\":[{}]}"},
        {"[{\"projectName\":\"gone\"},{\"projectName\":\"g1\"}]", "{\"sourceRepos\":[\"own\"]}"},
        {"[{\"projectName\":\"g1\",\"labelSelector\":{\"matchExpressions\":[{\"key\":\"team\",\"operator\":"
         "\"Near\"}]}},"
         "{\"projectName\":\"g2\"}]",
         "{\"sourceRepos\":[\"own\"]}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON project = json_of(
            "{\"metadata\":{\"name\":\"p\",\"labels\":{\"team\":\"a\"}},\"spec\":{\"sourceRepos\":"
            "[\"own\"]}}");
        AUTO_JSON settings = json_of(cases[i].settings);
        AUTO_JSON wanted = json_of(cases[i].spec);
        project_inherit(project, settings, lookup, projects);
        assert_json_same(json_at(project, "spec"), wanted, cases[i].settings);
    }
}

static void integrity_of_projects(void **state)
{
    static const char *const cases[][2] = {
        {"{}", NULL},
        {"{\"signatureKeys\":[]}", NULL},
        {"{\"signatureKeys\":[{\"keyID\":\"A\"},{\"keyID\":\"B\"}]}",
         "{\"git\":{\"policies\":[{\"gpg\":{\"keys\":[\"A\",\"B\"],\"mode\":\"head\"},\"repos\":[{\"url\":\"*"
         "\"}]}]}}"},
        {"{\"sourceIntegrity\":{\"git\":{\"policies\":[]}},\"signatureKeys\":[{\"keyID\":\"A\"}]}",
         "{\"git\":{\"policies\":[]}}"}, /* the newer field counts */
        {"{\"sourceIntegrity\":{\"oci\":1},\"signatureKeys\":[{\"keyID\":\"A\"}]}",
         "{\"git\":{\"policies\":[{\"gpg\":{\"keys\":[\"A\"],\"mode\":\"head\"},\"repos\":[{\"url\":\"*\"}]}]"
         "},\"oci\":1}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *text = xasprintf("{\"spec\":%s}", cases[i][0]);
        AUTO_JSON project = json_of(text);
        AUTO_JSON found = project_source_integrity(project);
        AUTO(free_p) char *got = found ? json_text(found, JSON_GO) : NULL;
        if (!str_eq(got, cases[i][1]))
            fail_msg("%s: %s", cases[i][0], got ? got : "none");
    }
}

static void integrity_of_sources(void **state)
{
#define POLICY(url, mode) "{\"repos\":[{\"url\":\"" url "\"}],\"gpg\":{\"mode\":\"" mode "\"}}"
    static const struct {
        const char *policies, *source;
        bool covered;
    } cases[] = {
        {POLICY("*", "head"), "{\"repoURL\":\"https://h/a\"}", true},
        {POLICY("*", "none"), "{\"repoURL\":\"https://h/a\"}", false},
        {POLICY("https://other/*", "head"), "{\"repoURL\":\"https://h/a\"}", false},
        {POLICY("*", "strict"), "{\"repoURL\":\"oci://h/a\"}", false},
        {POLICY("*", "strict"), "{\"repoURL\":\"https://h\",\"chart\":\"c\"}", false},
        {POLICY("*", "none") "," POLICY("https://h/*", "none"), "{\"repoURL\":\"https://h/a\"}", true},
        {"{\"repos\":[{\"url\":\"*\"},{\"url\":\"!https://h/*\"}],\"gpg\":{\"mode\":\"head\"}}",
         "{\"repoURL\":\"https://h/a\"}", false},
        {"{\"repos\":[{\"url\":\"*\"}]}", "{\"repoURL\":\"https://h/a\"}", false},
    };
#undef POLICY
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *text = xasprintf("{\"git\":{\"policies\":[%s]}}", cases[i].policies);
        AUTO(free_p) char *list = xasprintf("[%s]", cases[i].source);
        AUTO_JSON integrity = json_of(text);
        AUTO_JSON sources = json_of(list);
        if (source_integrity_covers(integrity, sources) != cases[i].covered)
            fail_msg("case %zu", i);
        assert_false(source_integrity_covers(NULL, sources));
    }
}

TESTS(T(integrity_of_projects), T(integrity_of_sources), T(global_projects), T(as_argo_cd), T(objects),
      T(orphans))
