#include "tests/unit/test.h"
#include "common/kube/kube.h"

static void every_part_is_encoded(void **state)
{
    static const struct {
        struct kube_resource r;
        const char *ns, *name, *sub, *path;
    } cases[] = {
        {{.group = "", .version = "v1", .plural = "pods", .namespaced = true},
         "ns",
         "p",
         "log",
         "/api/v1/namespaces/ns/pods/p/log"},
        {{.group = NULL, .version = "v1", .plural = "pods", .namespaced = true},
         NULL,
         NULL,
         NULL,
         "/api/v1/pods"},
        {{.group = "apps", .version = "v1", .plural = "deployments", .namespaced = true},
         "",
         "",
         "",
         "/apis/apps/v1/deployments"},
        {{.group = "rbac.authorization.k8s.io", .version = "v1", .plural = "clusterroles"},
         "ignored",
         "system:x",
         NULL,
         "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Ax"},
        {{.group = "", .version = "v1", .plural = "pods", .namespaced = true},
         "../x",
         "a/b?c#d",
         NULL,
         "/api/v1/namespaces/..%2Fx/pods/a%2Fb%3Fc%23d"},
        {{.group = "", .version = "v1", .plural = "pods", .namespaced = true},
         "..",
         ".",
         NULL,
         "/api/v1/namespaces/%2E%2E/pods/%2E"},
        {{.group = "", .version = "v1", .plural = "services", .namespaced = true},
         "n",
         "s",
         "proxy/a b",
         "/api/v1/namespaces/n/services/s/proxy/a%20b"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *path = kube_path(&cases[i].r, cases[i].ns, cases[i].name, cases[i].sub);
        assert_string_equal(path, cases[i].path);
    }
}

static void requests_have_kubernetes_verbs(void **state)
{
    static const struct {
        const char *method, *path, *verb;
    } cases[] = {
        {"POST", "/api/v1/namespaces/n/pods", "Create"},
        {"PUT", "/api/v1/namespaces/n/pods/p", "Update"},
        {"PATCH", "/api/v1/namespaces/n/pods/p", "Patch"},
        {"DELETE", "/api/v1/namespaces/n/pods/p", "Delete"},
        {"GET", "/api/v1/namespaces/n/pods/p", "Get"},
        {"GET", "/api/v1/namespaces/n/pods", "List"},
        {"GET", "/api/v1/pods?limit=500", "List"},
        {"GET", "/apis/apps/v1/deployments?watch=true", "Watch"},
        {"GET", "/apis/apps/v1/namespaces/n/deployments/d?x=/y", "Get"},
        {"GET", "/api/v1/namespaces/n", "Get"},
        {"GET", "/version", "Get"},
        {"GET", "/openapi/v2", "Get"},
        {"GET", "/apis/apps/v1", "Get"},
        {"OPTIONS", "/api/v1/pods", "Unknown"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(kube_verb_name(cases[i].method, cases[i].path), cases[i].verb);
}

TESTS(T(every_part_is_encoded), T(requests_have_kubernetes_verbs))
