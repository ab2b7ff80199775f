#include "common/engine/rbac_reconcile.h"
#include "tests/unit/golden.h"

#define ROLE(x)    "{\"kind\":\"Role\",\"metadata\":{\"name\":\"r\"}," x "}"
#define BINDING(x) "{\"kind\":\"RoleBinding\",\"metadata\":{\"name\":\"b\"}," x "}"
#define PODS       "{\"apiGroups\":[\"\"],\"resources\":[\"pods\"],\"verbs\":[\"get\",\"list\"]}"
#define REF(x)     "\"roleRef\":{\"kind\":\"Role\",\"name\":\"" x "\"}"
#define BOB        "{\"kind\":\"User\",\"name\":\"bob\"}"

/* Texts as `kubectl auth reconcile` of Kubernetes 1.36 prints them. */
static const struct {
    const char *target, *live;
    enum rbac_operation op;
    const char *note;
} cases[] = {
    {ROLE("\"rules\":[" PODS "]"), NULL, RBAC_CREATE,
     "reconciliation required create\n\tmissing rules added:\n\t\t{Verbs:[get list] APIGroups:[] "
     "Resources:[pods] ResourceNames:[] NonResourceURLs:[]}"},
    {ROLE("\"rules\":[]"), NULL, RBAC_CREATE, "reconciliation required create"},
    {ROLE("\"rules\":[" PODS "]"), ROLE("\"rules\":[" PODS "]"), RBAC_NONE, NULL},
    {ROLE("\"rules\":[" PODS "]"),
     ROLE("\"rules\":[{\"apiGroups\":[\"\"],\"resources\":[\"pods\"],\"verbs\":[\"get\"]}]"), RBAC_UPDATE,
     "reconciliation required update\n\tmissing rules added:\n\t\t{Verbs:[list] APIGroups:[] "
     "Resources:[pods] ResourceNames:[] NonResourceURLs:[]}"},
    {ROLE("\"rules\":[" PODS "]"),
     ROLE("\"rules\":[{\"apiGroups\":[\"*\"],\"resources\":[\"*\"],\"verbs\":[\"*\"]}]"), RBAC_NONE, NULL},
    {ROLE("\"rules\":[{\"apiGroups\":[\"a\"],\"resources\":[\"x/log\"],\"verbs\":[\"get\"]}]"),
     ROLE("\"rules\":[{\"apiGroups\":[\"a\"],\"resources\":[\"*/log\"],\"verbs\":[\"get\"]}]"), RBAC_NONE,
     NULL},
    {ROLE("\"rules\":[{\"nonResourceURLs\":[\"/a/b\"],\"verbs\":[\"get\"]}]"),
     ROLE("\"rules\":[{\"nonResourceURLs\":[\"/a/*\"],\"verbs\":[\"get\"]}]"), RBAC_NONE, NULL},
    {ROLE("\"rules\":[{\"nonResourceURLs\":[\"/a\"],\"verbs\":[\"get\"]}]"), ROLE("\"rules\":[]"),
     RBAC_UPDATE,
     "reconciliation required update\n\tmissing rules added:\n\t\t{Verbs:[get] APIGroups:[] Resources:[] "
     "ResourceNames:[] NonResourceURLs:[/a]}"},
    {ROLE("\"rules\":[{\"apiGroups\":[\"\"],\"resources\":[\"pods\"],\"verbs\":[\"get\"],\"resourceNames\":["
          "\"a\",\"b\"]}]"),
     ROLE("\"rules\":[{\"apiGroups\":[\"\"],\"resources\":[\"pods\"],\"verbs\":[\"get\"],\"resourceNames\":["
          "\"a\"]}]"),
     RBAC_UPDATE,
     "reconciliation required update\n\tmissing rules added:\n\t\t{Verbs:[get] APIGroups:[] "
     "Resources:[pods] ResourceNames:[b] NonResourceURLs:[]}"},
    {ROLE("\"rules\":[]"), ROLE("\"aggregationRule\":{},\"rules\":[" PODS "]"), RBAC_UPDATE,
     "reconciliation required update"},
    {ROLE("\"aggregationRule\":{\"clusterRoleSelectors\":[{\"matchLabels\":{\"a\":\"b\"}}]}"),
     ROLE("\"aggregationRule\":{\"clusterRoleSelectors\":[]}"), RBAC_UPDATE,
     "reconciliation required update"},
    {"{\"kind\":\"Role\",\"metadata\":{\"name\":\"r\",\"labels\":{\"a\":\"b\"}}}",
     "{\"kind\":\"Role\",\"metadata\":{\"name\":\"r\",\"annotations\":{"
     "\"rbac.authorization.kubernetes.io/autoupdate\":\"false\"}}}",
     RBAC_UPDATE,
     "reconciliation required update, but object opted out (rbac.authorization.kubernetes.io/autoupdate: "
     "false)"},
    {"{\"kind\":\"Role\",\"metadata\":{\"name\":\"r\",\"labels\":{\"a\":\"b\"}}}",
     "{\"kind\":\"Role\",\"metadata\":{\"name\":\"r\",\"labels\":{\"a\":\"other\"}}}", RBAC_NONE, NULL},
    {BINDING(REF("r") ",\"subjects\":[" BOB "]"), NULL, RBAC_CREATE,
     "reconciliation required create\n\tmissing subjects added:\n\t\t{Kind:User APIGroup: Name:bob "
     "Namespace:}"},
    {BINDING(REF("r") ",\"subjects\":[" BOB "," BOB "]"), BINDING(REF("r")), RBAC_UPDATE,
     "reconciliation required update\n\tmissing subjects added:\n\t\t{Kind:User APIGroup: Name:bob "
     "Namespace:}"},
    {BINDING(REF("r") ",\"subjects\":[" BOB "]"), BINDING(REF("s") ",\"subjects\":[" BOB "]"), RBAC_RECREATE,
     "reconciliation required recreate"},
    {BINDING(REF("r")), BINDING(REF("r") ",\"subjects\":[" BOB "]"), RBAC_NONE, NULL},
};

static void as_kubectl(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON target = json_of(cases[i].target);
        AUTO_JSON live = cases[i].live ? json_of(cases[i].live) : NULL;
        AUTO(free_p) char *note = NULL;
        if (rbac_reconcile(target, live, &note) != cases[i].op || !str_same(note, cases[i].note))
            fail_msg("case %zu: %s", i, note ? note : "nothing");
        assert_int_equal(rbac_reconcile(target, live, NULL), cases[i].op);
    }
}

/* A rule of many times many stays within bounds. */
static void large_rules(void **state)
{
    AUTO_JSON target = json_of(ROLE("\"rules\":[]"));
    json_t *rule = json_object();
    static const char *const fields[] = {"apiGroups", "resources", "verbs", "resourceNames"};
    for (size_t f = 0; f < ARRAY_LEN(fields); f++) {
        json_t *list = json_array();
        for (int i = 0; i < 300; i++) {
            AUTO(free_p) char *text = xasprintf("%d", i);
            json_array_append_new(list, json_str_new(text));
        }
        json_object_set_new_nocheck(rule, fields[f], list);
    }
    json_array_append_new(json_object_get(target, "rules"), rule);
    AUTO_JSON live = json_of(ROLE("\"rules\":[]"));
    AUTO(free_p) char *note = NULL;
    assert_int_equal(rbac_reconcile(target, live, &note), RBAC_UPDATE);
    assert_true(strlen(note) < 1 << 20);
    AUTO_JSON all = json_of(
        ROLE("\"rules\":[{\"apiGroups\":[\"*\"],\"resources\":[\"*\"],\"verbs\":[\"*\"]}]"));
    assert_int_equal(rbac_reconcile(target, all, NULL), RBAC_NONE);
}

TESTS(T(as_kubectl), T(large_rules))
