#include "common/argo/tracking.h"
#include "common/kinds/kinds.h"
#include "tests/unit/golden.h"

#define ID    "\"argocd.argoproj.io/tracking-id\""
#define LABEL "\"app.kubernetes.io/instance\""

/* util/argo/resource_tracking.go of Argo CD: Normalize. */
static const struct {
    enum tracking_method method;
    const char *kind, *target, *live, *after; /* metadata */
} cases[] = {
    {TRACK_ANNOTATION, "ConfigMap", "{\"annotations\":{" ID ":\"new\"}}", "{\"labels\":{" LABEL ":\"a\"}}",
     "{\"annotations\":{" ID ":\"new\"}}"},
    {TRACK_ANNOTATION, "ConfigMap", "{\"annotations\":{" ID ":\"new\"},\"labels\":{" LABEL ":\"chart\"}}",
     "{\"labels\":{" LABEL ":\"a\"}}", "{\"annotations\":{" ID ":\"new\"},\"labels\":{" LABEL ":\"a\"}}"},
    {TRACK_ANNOTATION_AND_LABEL, "ConfigMap", "{\"annotations\":{" ID ":\"new\"}}",
     "{\"labels\":{" LABEL ":\"a\",\"b\":\"c\"}}",
     "{\"annotations\":{" ID ":\"new\"},\"labels\":{\"b\":\"c\"}}"},
    /* Another application's is a difference. */
    {TRACK_ANNOTATION, "ConfigMap", "{\"annotations\":{" ID ":\"new\"},\"labels\":{" LABEL ":\"a\"}}",
     "{\"annotations\":{" ID ":\"old\"},\"labels\":{" LABEL ":\"a\"}}",
     "{\"annotations\":{" ID ":\"old\"},\"labels\":{" LABEL ":\"a\"}}"},
    {TRACK_ANNOTATION, "ConfigMap", "{\"annotations\":{" ID ":\"new\"}}", "{}", "{}"},
    {TRACK_LABEL, "ConfigMap", "{\"annotations\":{" ID ":\"new\"}}", "{\"labels\":{" LABEL ":\"a\"}}",
     "{\"labels\":{" LABEL ":\"a\"}}"},
    {TRACK_ANNOTATION, "CustomResourceDefinition", "{\"annotations\":{" ID ":\"new\"}}",
     "{\"labels\":{" LABEL ":\"a\"}}", "{\"labels\":{" LABEL ":\"a\"}}"},
    {TRACK_ANNOTATION, "ConfigMap", "{}", "{\"labels\":{" LABEL ":\"a\"}}", "{}"},
};

static json_t *object(const char *kind, const char *metadata)
{
    bool crd = strcmp(kind, "CustomResourceDefinition") == 0;
    AUTO(free_p)
    char *text = xasprintf("{\"apiVersion\":\"%s\",\"kind\":\"%s\",\"metadata\":%s}",
                           crd ? "apiextensions.k8s.io/v1" : "v1", kind, metadata);
    return json_of(text);
}

static void as_argo_cd(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tracking t = {.method = cases[i].method};
        AUTO_JSON target = object(cases[i].kind, cases[i].target);
        AUTO_JSON live = object(cases[i].kind, cases[i].live);
        AUTO_JSON wanted = object(cases[i].kind, cases[i].after);
        AUTO(free_p) char *what = xasprintf("case %zu", i);
        tracking_bridge(&t, target, live);
        assert_json_same(live, wanted, what);
    }
}

TESTS(T(as_argo_cd))
