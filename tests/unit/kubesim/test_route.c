#include "tests/kubesim/api.h"
#include "tests/unit/test.h"

static void test_paths(void **state)
{
    static const struct {
        const char *method, *path, *resource, *ns, *name, *sub, *verb; /* resource NULL: no route */
        bool watch;
    } cases[] = {
        {"GET", "/api/v1/pods", "pods", "", "", NULL, "list", false},
        {"GET", "/api/v1/namespaces/a/pods", "pods", "a", "", NULL, "list", false},
        {"GET", "/api/v1/namespaces/a/pods/b", "pods", "a", "b", NULL, "get", false},
        {"GET", "/api/v1/namespaces/a/pods/b/log", "pods", "a", "b", "log", "get", false},
        {"PUT", "/api/v1/namespaces/a/pods/b/status", "pods", "a", "b", "status", "update", false},
        {"PATCH", "/apis/apps/v1/namespaces/a/deployments/b/scale", "deployments.apps", "a", "b", "scale",
         "patch", false},
        {"POST", "/apis/apps/v1/namespaces/a/deployments", "deployments.apps", "a", "", NULL, "create",
         false},
        {"DELETE", "/apis/apps/v1/namespaces/a/deployments", "deployments.apps", "a", "", NULL,
         "deletecollection", false},
        {"GET", "/api/v1/namespaces", "namespaces", "", "", NULL, "list", false},
        {"GET", "/api/v1/namespaces/a", "namespaces", "", "a", NULL, "get", false},
        {"PUT", "/api/v1/namespaces/a/finalize", "namespaces", "", "a", "finalize", "update", false},
        {"GET", "/api/v1/namespaces/a/status", "namespaces", "", "a", "status", "get", false},
        {"GET", "/api/v1/watch/namespaces/a/pods", "pods", "a", "", NULL, "list", true},
        {"GET", "/api/v1/watch/pods", "pods", "", "", NULL, "list", true},
        {"GET", "/apis/events.k8s.io/v1/namespaces/a/events", "events", "a", "", NULL, "list", false},
        {"GET", "/apis/autoscaling/v1/namespaces/a/horizontalpodautoscalers/b",
         "horizontalpodautoscalers.autoscaling", "a", "b", NULL, "get", false},
        {"POST", "/api/v1/namespaces/a/pods/b", "pods", "a", "b", NULL, NULL, false},
        {"PUT", "/api/v1/namespaces/a/pods", "pods", "a", "", NULL, NULL, false},
        {"GET", "/api/v1/namespaces/a/nodes", NULL, NULL, NULL, NULL, NULL, false},
        {"GET", "/api/v1/namespaces/a/pods/b/exec", NULL, NULL, NULL, NULL, NULL, false},
        {"GET", "/api/v1/namespaces/a/pods/b/log/x", NULL, NULL, NULL, NULL, NULL, false},
        {"GET", "/api/v1/nope", NULL, NULL, NULL, NULL, NULL, false},
        {"GET", "/apis/apps/v2/deployments", NULL, NULL, NULL, NULL, NULL, false},
        {"GET", "/apis/apps/v1", NULL, NULL, NULL, NULL, NULL, false},
        {"GET", "/api/v1", NULL, NULL, NULL, NULL, NULL, false},
        {"GET", "/", NULL, NULL, NULL, NULL, NULL, false},
        {"GET", "", NULL, NULL, NULL, NULL, NULL, false},
        {"GET", "//////", NULL, NULL, NULL, NULL, NULL, false},
    };
    struct registry g = {};
    registry_init(&g);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct route r;
        bool known;
        bool found = route_parse(&g, cases[i].method, cases[i].path, &r, &known);
        if (found != (cases[i].resource != NULL))
            fail_msg("%s", cases[i].path);
        if (!found)
            continue;
        assert_string_equal(r.endpoint->resource->key, cases[i].resource);
        assert_string_equal(r.ns, cases[i].ns);
        assert_string_equal(r.name, cases[i].name);
        if (!str_eq(r.subresource, cases[i].sub) || !str_eq(r.verb, cases[i].verb) ||
            r.watch_path != cases[i].watch)
            fail_msg("%s %s: %s %s", cases[i].method, cases[i].path, str_or_empty(r.subresource),
                     str_or_empty(r.verb));
        route_dispose(&r);
    }
    registry_dispose(&g);
}

static void test_known_groups(void **state)
{
    struct registry g = {};
    struct route r;
    bool known;
    registry_init(&g);
    route_parse(&g, "GET", "/apis/apps/v1/nope", &r, &known);
    assert_true(known);
    route_parse(&g, "GET", "/apis/nope/v1/nope", &r, &known);
    assert_false(known);
    registry_dispose(&g);
}

TESTS(T(test_paths), T(test_known_groups))
