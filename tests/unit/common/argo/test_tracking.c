#include "common/argo/tracking.h"
#include "common/kinds/kinds.h"
#include "tests/unit/golden.h"

/* The rules are those of util/argo/resource_tracking.go and controller/state.go of Argo CD. */

static void ids(void **state)
{
    static const struct {
        const char *text, *app, *group, *kind, *ns, *name; /* app NULL: it is none */
    } cases[] = {
        {"app:apps/Deployment:ns/web", "app", "apps", "Deployment", "ns", "web"},
        {"app:/ConfigMap:ns/cm", "app", "", "ConfigMap", "ns", "cm"},
        {"team_app:/Namespace:/prod", "team_app", "", "Namespace", "", "prod"},
        /* What follows the second colon is one part. */
        {"app:rbac.authorization.k8s.io/ClusterRole:ns/system:node:x", "app", "rbac.authorization.k8s.io",
         "ClusterRole", "ns", "system:node:x"},
        {":/ConfigMap:ns/cm", "", "", "ConfigMap", "ns", "cm"},
        {"app:/:/", "app", "", "", "", ""},
        {"", NULL, NULL, NULL, NULL, NULL},
        {"app", NULL, NULL, NULL, NULL, NULL},
        {"app:apps/Deployment", NULL, NULL, NULL, NULL, NULL},
        {"app:Deployment:ns/web", NULL, NULL, NULL, NULL, NULL},
        {"app:apps/Deployment:web", NULL, NULL, NULL, NULL, NULL},
        {"app:apps/v1/Deployment:ns/web", NULL, NULL, NULL, NULL, NULL},
        {"app:apps/Deployment:ns/web/more", NULL, NULL, NULL, NULL, NULL},
        {"app::", NULL, NULL, NULL, NULL, NULL},
        {"app;apps/Deployment;ns/web", NULL, NULL, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tracking_id id;
        assert_int_equal(tracking_id_parse(cases[i].text, &id), cases[i].app != NULL);
        if (!cases[i].app)
            continue;
        assert_string_equal(id.app, cases[i].app);
        assert_string_equal(id.group, cases[i].group);
        assert_string_equal(id.kind, cases[i].kind);
        assert_string_equal(id.ns, cases[i].ns);
        assert_string_equal(id.name, cases[i].name);
        AUTO(free_p) char *text = tracking_id_format(id.app, id.group, id.kind, id.ns, id.name);
        assert_string_equal(text, cases[i].text);
        tracking_id_dispose(&id);
    }
    assert_false(tracking_id_parse(NULL, &(struct tracking_id){}));
}

#define ID(v)      "\"argocd.argoproj.io/tracking-id\":\"" v "\""
#define INSTALL(v) "\"argocd.argoproj.io/installation-id\":\"" v "\""
#define GOOD       "app:/ConfigMap:ns/cm"

static json_t *object(const char *head, const char *annotations, const char *labels)
{
    AUTO(free_p)
    char *text = xasprintf("{%s,\"metadata\":{\"name\":\"cm\",\"namespace\":\"ns\",\"annotations\":{%s},"
                           "\"labels\":{%s}}}",
                           head, str_or_empty(annotations), str_or_empty(labels));
    return json_of(text);
}

#define CM "\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\""

static void owners(void **state)
{
    static const struct {
        struct tracking t;
        const char *annotations, *labels, *owner;
    } cases[] = {
        {{TRACK_ANNOTATION, NULL, NULL}, ID(GOOD), NULL, "app"},
        {{TRACK_ANNOTATION, NULL, NULL}, ID("app"), NULL, NULL},
        {{TRACK_ANNOTATION, NULL, NULL}, ID(":/ConfigMap:ns/cm"), NULL, NULL},
        {{TRACK_ANNOTATION, NULL, NULL}, NULL, "\"app.kubernetes.io/instance\":\"app\"", NULL},
        /* The label is only for people to read. */
        {{TRACK_ANNOTATION_AND_LABEL, NULL, NULL},
         ID(GOOD),
         "\"app.kubernetes.io/instance\":\"other\"",
         "app"},
        {{TRACK_LABEL, NULL, NULL}, ID(GOOD), NULL, NULL},
        {{TRACK_LABEL, NULL, NULL}, ID(GOOD), "\"app.kubernetes.io/instance\":\"other\"", "other"},
        {{TRACK_LABEL, "mine", NULL},
         NULL,
         "\"app.kubernetes.io/instance\":\"other\",\"mine\":\"app\"",
         "app"},
        {{TRACK_LABEL, "mine", NULL}, NULL, "\"mine\":\"\"", NULL},
        /* Another control plane's. */
        {{TRACK_ANNOTATION, NULL, "here"}, ID(GOOD), NULL, NULL},
        {{TRACK_ANNOTATION, NULL, "here"}, ID(GOOD) "," INSTALL("there"), NULL, NULL},
        {{TRACK_ANNOTATION, NULL, "here"}, ID(GOOD) "," INSTALL("here"), NULL, "app"},
        {{TRACK_LABEL, NULL, "here"}, NULL, "\"app.kubernetes.io/instance\":\"app\"", "app"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON live = object(CM, cases[i].annotations, cases[i].labels);
        AUTO(free_p) char *owner = tracking_owner(&cases[i].t, live);
        if (!str_same(owner, cases[i].owner))
            fail_msg("case %zu: %s", i, str_or_empty(owner));
    }
}

static void references(void **state)
{
    static const struct {
        enum tracking_method method;
        const char *id, *target; /* head of the target; NULL: none */
        bool same;
    } cases[] = {
        {TRACK_ANNOTATION, GOOD, NULL, true},
        {TRACK_ANNOTATION, "other:/ConfigMap:ns/cm", NULL, true},
        {TRACK_ANNOTATION, "app:/ConfigMap:ns/copied", NULL, false},
        {TRACK_ANNOTATION, "app:/ConfigMap:elsewhere/cm", NULL, false},
        {TRACK_ANNOTATION, "app:/Secret:ns/cm", NULL, false},
        {TRACK_ANNOTATION, "app:old/ConfigMap:ns/cm", NULL, false},
        {TRACK_LABEL, "app:/Secret:ns/cm", NULL, true},
        /* The source says what it is; its group may have changed since. */
        {TRACK_ANNOTATION, "app:old/ConfigMap:ns/cm", CM, true},
        {TRACK_ANNOTATION, GOOD, "\"apiVersion\":\"new/v1\",\"kind\":\"ConfigMap\"", false},
        {TRACK_ANNOTATION, "nonsense", NULL, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p)
        char *annotations = xasprintf("\"argocd.argoproj.io/tracking-id\":\"%s\"", cases[i].id);
        AUTO_JSON live = object(CM, annotations, NULL);
        AUTO_JSON target = cases[i].target ? object(cases[i].target, NULL, NULL) : NULL;
        struct tracking t = {.method = cases[i].method};
        if (tracking_self_reference(&t, live, target) != cases[i].same)
            fail_msg("case %zu", i);
    }
}

#define LONG   "a123456789012345678901234567890123456789012345678901234567890-23" /* 64 characters */
#define SHORT  "a123456789012345678901234567890123456789012345678901234567890-2"
#define DASH   "a1234567890123456789012345678901234567890123456789012345678901-3"
#define CUT    "a1234567890123456789012345678901234567890123456789012345678901"
#define JOB    "\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"spec\":{\"template\":{}}"
#define LEGACY "applications.argoproj.io/app-name"

static void stamps(void **state)
{
    static const struct {
        struct tracking t;
        const char *app, *head, *annotations, *after;
    } cases[] = {
        {{TRACK_ANNOTATION, NULL, NULL}, "app", CM, NULL, "{\"annotations\":{" ID(GOOD) "},\"labels\":{}}"},
        {{TRACK_ANNOTATION, NULL, NULL},
         "app",
         CM,
         INSTALL("old"),
         "{\"annotations\":{" ID(GOOD) "},\"labels\":{}}"},
        {{TRACK_ANNOTATION, NULL, "here"},
         "app",
         CM,
         NULL,
         "{\"annotations\":{" ID(GOOD) "," INSTALL("here") "},\"labels\":{}}"},
        {{TRACK_ANNOTATION_AND_LABEL, NULL, NULL},
         LONG,
         CM,
         NULL,
         "{\"annotations\":{" ID(
             LONG ":/ConfigMap:ns/cm") "},\"labels\":{\"app.kubernetes.io/instance\":\"" SHORT "\"}}"},
        {{TRACK_ANNOTATION_AND_LABEL, "mine", NULL},
         DASH,
         CM,
         NULL,
         "{\"annotations\":{" ID(DASH ":/ConfigMap:ns/cm") "},\"labels\":{\"mine\":\"" CUT "\"}}"},
        /* What the label decides on is not cut. */
        {{TRACK_LABEL, NULL, NULL},
         LONG,
         CM,
         NULL,
         "{\"annotations\":{},\"labels\":{\"app.kubernetes.io/instance\":\"" LONG "\"}}"},
        {{TRACK_ANNOTATION_AND_LABEL, NULL, NULL},
         "app",
         "\"apiVersion\":\"apiextensions.k8s.io/v1\",\"kind\":\"CustomResourceDefinition\"",
         NULL,
         "{\"annotations\":{},\"labels\":{}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO_JSON target = object(cases[i].head, cases[i].annotations, NULL);
        ASSERT_OK(tracking_stamp(&cases[i].t, cases[i].app, "destination", target, &err));
        AUTO_JSON wanted = json_of(cases[i].after);
        json_set_str(wanted, "name", "cm");
        json_set_str(wanted, "namespace", "ns");
        AUTO(free_p) char *what = xasprintf("case %zu", i);
        assert_json_same(json_at(target, "metadata"), wanted, what);
    }
}

static void stamps_of_the_legacy_label_reach_pods(void **state)
{
    AUTO_ERR err = NULL;
    struct tracking t = {TRACK_LABEL, LEGACY, NULL};
    AUTO_JSON job = object(JOB, NULL, NULL);
    ASSERT_OK(tracking_stamp(&t, "app", "ns", job, &err));
    assert_string_equal(json_str_at(job, "metadata", "labels", LEGACY), "app");
    assert_string_equal(json_str_at(job, "spec", "template", "metadata", "labels", LEGACY), "app");
    t.label_key = NULL;
    AUTO_JSON other = object(JOB, NULL, NULL);
    ASSERT_OK(tracking_stamp(&t, "app", "ns", other, &err));
    assert_null(json_at(other, "spec", "template", "metadata"));
}

static void what_is_no_map_of_texts_is_refused(void **state)
{
    static const char *const bad[] = {
        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"cm\",\"annotations\":[]}}",
        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"cm\",\"annotations\":{\"a\":"
        "1}}}",
        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"cm\",\"labels\":\"x\"}}",
    };
    struct tracking t = {.method = TRACK_ANNOTATION_AND_LABEL};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO_ERR err = NULL;
        AUTO_JSON target = json_of(bad[i]);
        assert_int_equal(tracking_stamp(&t, "app", "ns", target, &err), -ERR_INVALID_ARGUMENT);
        assert_non_null(strstr(err_text(err), "ConfigMap cm: metadata."));
    }
    AUTO_ERR err = NULL;
    AUTO_JSON none = json_of("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"cm\","
                             "\"annotations\":null}}");
    ASSERT_OK(tracking_stamp(&t, "app", "destination", none, &err));
    assert_string_equal(object_annotation(none, ANNOTATION_TRACKING_ID), "app:/ConfigMap:destination/cm");
}

static void names_of_instances(void **state)
{
    static const char *const cases[][4] = {{"argocd", "app", "argocd", "app"},
                                           {"", "app", "argocd", "app"},
                                           {"team", "app", "argocd", "team_app"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(free_p) char *name = instance_name(cases[i][0], cases[i][1], cases[i][2]);
        assert_string_equal(name, cases[i][3]);
    }
    assert_int_equal(tracking_method_parse("annotation+label"), TRACK_ANNOTATION_AND_LABEL);
    assert_int_equal(tracking_method_parse("label"), TRACK_LABEL);
    assert_int_equal(tracking_method_parse("Label"), TRACK_ANNOTATION);
    assert_int_equal(tracking_method_parse(""), TRACK_ANNOTATION);
    assert_int_equal(tracking_method_parse(NULL), TRACK_ANNOTATION);
}

TESTS(T(ids), T(owners), T(references), T(stamps), T(stamps_of_the_legacy_label_reach_pods),
      T(what_is_no_map_of_texts_is_refused), T(names_of_instances))
