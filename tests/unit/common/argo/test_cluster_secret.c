#include "common/argo/cluster_secret.h"
#include "common/base/enc.h"
#include "tests/unit/golden.h"

/* {key: text} as a Secret, with what else is given. */
static json_t *secret_of(const char *texts, const char *annotations)
{
    AUTO_JSON plain = json_of(texts);
    json_t *s = json_of("{\"kind\":\"Secret\",\"metadata\":{\"name\":\"c\",\"uid\":\"u1\"},\"data\":{}}");
    for (void *it = json_object_iter(plain); it; it = json_object_iter_next(plain, it)) {
        AUTO_STR b64 = STR_INIT;
        const char *text = json_string_value(json_object_iter_value(it));
        base64_encode(text, strlen(text), &b64);
        json_put_at(s, json_str_new(str_text(&b64)), "data", json_object_iter_key(it));
    }
    if (annotations)
        json_put_at(s, json_of(annotations), "metadata", "annotations");
    return s;
}

static void reading(void **state)
{
    static const struct {
        const char *texts, *annotations, *server, *name, *project, *namespaces;
        bool cluster_resources, skip;
        int64_t shard;
    } cases[] = {
        {"{\"server\":\"https://a/\"}", NULL, "https://a", "https://a", "", NULL, false, false, -1},
        {"{\"server\":\"https://a//\",\"name\":\"prod\",\"project\":\"p\"}", NULL, "https://a", "prod", "p",
         NULL, false, false, -1},
        {"{\"server\":\"https://a\",\"namespaces\":\"x, y,\",\"clusterResources\":\"true\"}", NULL,
         "https://a", "https://a", "", "x|y", true, false, -1},
        {"{\"server\":\"https://a\",\"clusterResources\":\"yes\",\"shard\":\"3\"}", NULL, "https://a",
         "https://a", "", NULL, false, false, 3},
        {"{\"server\":\"https://a\",\"shard\":\"three\"}", "{\"argocd.argoproj.io/skip-reconcile\":\"true\"}",
         "https://a", "https://a", "", NULL, false, true, -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO_JSON s = secret_of(cases[i].texts, cases[i].annotations);
        struct cluster_spec c;
        ASSERT_OK(cluster_spec_parse(s, &c, &err));
        AUTO(free_p) char *namespaces = c.namespaces ? strv_join(c.namespaces, "|") : NULL;
        assert_string_equal(c.server, cases[i].server);
        assert_string_equal(c.name, cases[i].name);
        assert_string_equal(c.project, cases[i].project);
        assert_true(str_eq(namespaces, cases[i].namespaces));
        assert_int_equal(c.cluster_resources, cases[i].cluster_resources);
        assert_int_equal(c.skip_reconcile, cases[i].skip);
        assert_int_equal(c.shard, cases[i].shard);
        assert_string_equal(c.uid, "u1");
        cluster_spec_dispose(&c);
    }
}

static void malformed(void **state)
{
    static const struct {
        const char *texts, *problem;
    } cases[] = {{"{}", "cluster secret c has no server"},
                 {"{\"server\":\"/\"}", "cluster secret c has no server"},
                 {"{\"server\":\"https://a\",\"config\":\"{\"}", "cluster secret c: config"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO_JSON s = secret_of(cases[i].texts, NULL);
        struct cluster_spec c;
        assert_true(cluster_spec_parse(s, &c, &err) < 0);
        assert_true(str_has_prefix(err_text(err), cases[i].problem));
    }
}

static void connections(void **state)
{
    static const struct {
        const char *texts;
        bool same;
    } cases[] = {
        {"{\"server\":\"https://a/"
         "\",\"config\":\"{\\\"username\\\":\\\"u\\\"}\",\"name\":\"other\",\"shard\":\"1\"}",
         true},
        {"{\"server\":\"https://b\",\"config\":\"{\\\"username\\\":\\\"u\\\"}\"}", false},
        {"{\"server\":\"https://a\",\"config\":\"{\\\"username\\\":\\\"v\\\"}\"}", false},
        {"{\"server\":\"https://a\",\"config\":\"{\\\"username\\\":\\\"u\\\"}\",\"namespaces\":\"x\"}",
         false},
        {"{\"server\":\"https://"
         "a\",\"config\":\"{\\\"username\\\":\\\"u\\\"}\",\"clusterResources\":\"true\"}",
         false}};
    AUTO_JSON s = secret_of("{\"server\":\"https://a\",\"config\":\"{\\\"username\\\": \\\"u\\\"}\"}", NULL);
    struct cluster_spec a, b;
    assert_int_equal(cluster_spec_parse(s, &a, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON o = secret_of(cases[i].texts, NULL);
        assert_int_equal(cluster_spec_parse(o, &b, NULL), 0);
        if (cluster_spec_same_connection(&a, &b) != cases[i].same)
            fail_msg("%s", cases[i].texts);
        cluster_spec_dispose(&b);
    }
    cluster_spec_dispose(&a);
    cluster_spec_in_cluster(&a);
    assert_string_equal(a.server, "https://kubernetes.default.svc");
    assert_string_equal(a.name, "in-cluster");
    cluster_spec_dispose(&a);
}

TESTS(T(reading), T(malformed), T(connections))
