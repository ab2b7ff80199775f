#include "tests/kubesim/typed.h"
#include "tests/unit/test.h"

/* Golden pairs: an object as sent and, of what is stored, the part that the defaults are about. Observed on
 * kube-apiserver 1.20 but for the cases of a later minor version. */
static const struct {
    const char *key, *group, *kind;
    int minor;
    const char *in, *path, *out;
} cases[] = {
    {"configmaps", "", "ConfigMap", 20, "{\"data\":{\"a\":null},\"binaryData\":{},\"bogus\":1}", "",
     "{\"data\":{\"a\":\"\"}}"},
    {"secrets", "", "Secret", 20, "{\"stringData\":{\"a\":\"b\"},\"data\":{\"c\":\"ZA==\"}}", "",
     "{\"data\":{\"a\":\"Yg==\",\"c\":\"ZA==\"},\"type\":\"Opaque\"}"},
    {"secrets", "", "Secret", 20, "{\"data\":null,\"stringData\":{\"q\":\"\"},\"type\":\"\"}", "",
     "{\"data\":{\"q\":\"\"},\"type\":\"Opaque\"}"},
    {"services", "", "Service", 20, "{\"spec\":{\"ports\":[{\"port\":80}]}}", "spec",
     "{\"ports\":[{\"port\":80,\"protocol\":\"TCP\",\"targetPort\":80}],\"sessionAffinity\":\"None\","
     "\"type\":\"ClusterIP\"}"},
    {"services", "", "Service", 20,
     "{\"spec\":{\"type\":\"NodePort\",\"sessionAffinity\":\"ClientIP\",\"ports\":[{\"port\":1,"
     "\"targetPort\":\"w\","
     "\"protocol\":\"UDP\"}],\"selector\":{},\"externalName\":\"\"}}",
     "spec",
     "{\"externalTrafficPolicy\":\"Cluster\",\"ports\":[{\"port\":1,\"protocol\":\"UDP\",\"targetPort\":"
     "\"w\"}],"
     "\"sessionAffinity\":\"ClientIP\",\"sessionAffinityConfig\":{\"clientIP\":{\"timeoutSeconds\":10800}},"
     "\"type\":"
     "\"NodePort\"}"},
    {"deployments.apps", "apps", "Deployment", 20,
     "{\"spec\":{\"paused\":false,\"minReadySeconds\":0,\"strategy\":{\"rollingUpdate\":{\"maxSurge\":1}},"
     "\"template\":{}}}",
     "spec",
     "{\"progressDeadlineSeconds\":600,\"replicas\":1,\"revisionHistoryLimit\":10,\"strategy\":{"
     "\"rollingUpdate\":{"
     "\"maxSurge\":1,\"maxUnavailable\":\"25%\"},\"type\":\"RollingUpdate\"},\"template\":{\"metadata\":{"
     "\"creationTimestamp\":null}}}"},
    {"deployments.apps", "apps", "Deployment", 34,
     "{\"spec\":{\"replicas\":0,\"strategy\":{\"type\":\"Recreate\"},\"template\":{}}}", "spec",
     "{\"progressDeadlineSeconds\":600,\"replicas\":0,\"revisionHistoryLimit\":10,\"strategy\":{\"type\":"
     "\"Recreate\"},"
     "\"template\":{}}"},
    {"statefulsets.apps", "apps", "StatefulSet", 20,
     "{\"spec\":{\"updateStrategy\":{\"type\":\"OnDelete\"}}}", "spec",
     "{\"podManagementPolicy\":\"OrderedReady\",\"replicas\":1,\"revisionHistoryLimit\":10,\"serviceName\":"
     "\"\","
     "\"updateStrategy\":{\"type\":\"OnDelete\"}}"},
    {"statefulsets.apps", "apps", "StatefulSet", 27, "{\"spec\":{}}",
     "spec.persistentVolumeClaimRetentionPolicy", "{\"whenDeleted\":\"Retain\",\"whenScaled\":\"Retain\"}"},
    {"daemonsets.apps", "apps", "DaemonSet", 20, "{\"spec\":{}}", "spec.updateStrategy",
     "{\"rollingUpdate\":{\"maxUnavailable\":1},\"type\":\"RollingUpdate\"}"},
    {"daemonsets.apps", "apps", "DaemonSet", 22, "{\"spec\":{}}", "spec.updateStrategy",
     "{\"rollingUpdate\":{\"maxSurge\":0,\"maxUnavailable\":1},\"type\":\"RollingUpdate\"}"},
    {"jobs.batch", "batch", "Job", 20, "{\"spec\":{}}", "spec",
     "{\"backoffLimit\":6,\"completions\":1,\"parallelism\":1}"},
    {"jobs.batch", "batch", "Job", 20, "{\"spec\":{\"parallelism\":0}}", "spec",
     "{\"backoffLimit\":6,\"parallelism\":0}"},
    {"jobs.batch", "batch", "Job", 29, "{\"spec\":{\"completions\":3}}", "spec",
     "{\"backoffLimit\":6,\"completionMode\":\"NonIndexed\",\"completions\":3,\"parallelism\":1,"
     "\"podReplacementPolicy\":"
     "\"TerminatingOrFailed\",\"suspend\":false}"},
    {"horizontalpodautoscalers.autoscaling", "autoscaling", "HorizontalPodAutoscaler", 34,
     "{\"spec\":{\"maxReplicas\":3}}", "spec",
     "{\"maxReplicas\":3,\"metrics\":[{\"resource\":{\"name\":\"cpu\",\"target\":{\"averageUtilization\":80,"
     "\"type\":"
     "\"Utilization\"}},\"type\":\"Resource\"}],\"minReplicas\":1}"},
    {"networkpolicies.networking.k8s.io", "networking.k8s.io", "NetworkPolicy", 20,
     "{\"spec\":{\"podSelector\":{},\"ingress\":[{\"ports\":[{\"port\":80}]}],\"egress\":[{}]}}", "spec",
     "{\"egress\":[{}],\"ingress\":[{\"ports\":[{\"port\":80,\"protocol\":\"TCP\"}]}],\"podSelector\":{},"
     "\"policyTypes\":["
     "\"Ingress\",\"Egress\"]}"},
    {"roles.rbac.authorization.k8s.io", "rbac.authorization.k8s.io", "Role", 20, "{\"rules\":[]}", "",
     "{\"rules\":null}"},
    {"rolebindings.rbac.authorization.k8s.io", "rbac.authorization.k8s.io", "RoleBinding", 20,
     "{\"roleRef\":{\"kind\":\"Role\",\"name\":\"r\"},\"subjects\":[{\"kind\":\"ServiceAccount\",\"name\":"
     "\"x\"},{\"kind\":"
     "\"Group\",\"name\":\"g\"}]}",
     "",
     "{\"roleRef\":{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"Role\",\"name\":\"r\"},"
     "\"subjects\":[{\"kind\":"
     "\"ServiceAccount\",\"name\":\"x\"},{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"Group\","
     "\"name\":\"g\"}]}"},
    {"limitranges", "", "LimitRange", 20,
     "{\"spec\":{\"limits\":[{\"type\":\"Container\",\"max\":{\"cpu\":\"1000m\"},\"min\":{\"cpu\":\"100m\","
     "\"memory\":1}}]}}",
     "spec.limits",
     "[{\"default\":{\"cpu\":\"1\"},\"defaultRequest\":{\"cpu\":\"1\",\"memory\":\"1\"},\"max\":{\"cpu\":"
     "\"1\"},\"min\":{\"cpu\":"
     "\"100m\",\"memory\":\"1\"},\"type\":\"Container\"}]"},
    {"persistentvolumes", "", "PersistentVolume", 20,
     "{\"spec\":{\"hostPath\":{\"path\":\"/x\"},\"capacity\":{\"storage\":\"1024Mi\"}}}", "spec",
     "{\"capacity\":{\"storage\":\"1Gi\"},\"hostPath\":{\"path\":\"/"
     "x\",\"type\":\"\"},\"persistentVolumeReclaimPolicy\":"
     "\"Retain\",\"volumeMode\":\"Filesystem\"}"},
    {"events", "", "Event", 20, "{\"involvedObject\":{\"kind\":\"Pod\"}}", "",
     "{\"eventTime\":null,\"firstTimestamp\":null,\"involvedObject\":{\"kind\":\"Pod\"},\"lastTimestamp\":"
     "null,"
     "\"reportingComponent\":\"\",\"reportingInstance\":\"\",\"source\":{}}"},
    {"endpoints", "", "Endpoints", 20, "{\"subsets\":[{\"ports\":[{\"port\":80}]}]}", "",
     "{\"subsets\":[{\"ports\":[{\"port\":80,\"protocol\":\"TCP\"}]}]}"},
};

static json_t *at_path(json_t *o, const char *path)
{
    AUTO(strv_free_p) char **parts = strv_split(path, ".", true);
    for (char **p = parts; *p; p++)
        o = json_object_get(o, *p);
    return o;
}

static void test_kinds(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON o = NULL;
        AUTO_ERR err = NULL;
        ASSERT_OK(json_read_str(cases[i].in, &o, &err));
        assert_true(typed_decode(o, kind_schema(cases[i].group, NULL, cases[i].kind)));
        default_fields(cases[i].key, cases[i].minor, o);
        typed_finish(cases[i].key, cases[i].minor, o);
        AUTO(free_p) char *text = json_text(at_path(o, cases[i].path), JSON_GO);
        assert_string_equal(text, cases[i].out);
        /* What was stored is stored again unchanged. */
        assert_true(typed_decode(o, kind_schema(cases[i].group, NULL, cases[i].kind)));
        default_fields(cases[i].key, cases[i].minor, o);
        typed_finish(cases[i].key, cases[i].minor, o);
        AUTO(free_p) char *again = json_text(at_path(o, cases[i].path), JSON_GO);
        assert_string_equal(again, text);
    }
}

static void test_pull_policy(void **state)
{
    static const char *const images[][2] = {{"nginx", "Always"},
                                            {"nginx:latest", "Always"},
                                            {"nginx:1", "IfNotPresent"},
                                            {"reg:5000/x", "Always"},
                                            {"reg:5000/x:1", "IfNotPresent"},
                                            {"x@sha256:0", "IfNotPresent"},
                                            {"x:latest@sha256:0", "IfNotPresent"}};
    for (size_t i = 0; i < ARRAY_LEN(images); i++) {
        AUTO_JSON o = json_pack("{s:{s:[{s:s,s:s}]}}", "spec", "containers", "name", "c", "image",
                                images[i][0]);
        default_fields("pods", 20, o);
        json_t *c = json_array_get(json_at(o, "spec", "containers"), 0);
        assert_string_equal(json_str_at(c, "imagePullPolicy"), images[i][1]);
    }
}

static void test_wrong_types(void **state)
{
    static const char *const bad[][2] = {{"Deployment", "{\"spec\":{\"replicas\":\"3\"}}"},
                                         {"Deployment", "{\"metadata\":{\"name\":5}}"},
                                         {"Deployment", "{\"spec\":[]}"},
                                         {"Deployment", "{\"metadata\":{\"labels\":{\"a\":1}}}"}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO_JSON o = NULL;
        assert_int_equal(json_read_str(bad[i][1], &o, NULL), 0);
        assert_false(typed_decode(o, kind_schema("apps", NULL, bad[i][0])));
    }
    AUTO_JSON custom = NULL;
    assert_int_equal(
        json_read_str("{\"metadata\":{\"name\":\"x\",\"other\":1,\"labels\":{}},\"x\":null}", &custom, NULL),
        0);
    assert_true(typed_decode(custom, NULL));
    AUTO(free_p) char *text = json_text(custom, JSON_GO);
    assert_string_equal(text, "{\"metadata\":{\"name\":\"x\"},\"x\":null}");
}

TESTS(T(test_kinds), T(test_pull_policy), T(test_wrong_types))
