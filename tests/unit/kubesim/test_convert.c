#include "tests/kubesim/convert.h"
#include "tests/unit/test.h"

static void check(void (*convert)(json_t *), const char *in, const char *out)
{
    json_t *o = NULL;
    assert_int_equal(json_read_str(in, &o, NULL), 0);
    convert(o);
    AUTO(free_p) char *text = json_text(o, JSON_GO);
    assert_string_equal(text, out);
    json_decref(o);
}

static const char v1[] = "{\"spec\":{\"maxReplicas\":3,\"targetCPUUtilizationPercentage\":80}}";
static const char v2[] =
    "{\"spec\":{\"maxReplicas\":3,\"metrics\":[{\"resource\":{\"name\":\"cpu\",\"target\":{"
    "\"averageUtilization\":80,\"type\":\"Utilization\"}},\"type\":\"Resource\"}]}}";

static void test_hpa(void **state)
{
    check(hpa_v1_to_v2, v1, v2);
    check(hpa_v2_to_v1, v2, v1);
    check(hpa_v2_to_v1,
          "{\"spec\":{\"metrics\":[{\"type\":\"Pods\"}],\"behavior\":{\"x\":1}},\"metadata\":{}}",
          "{\"metadata\":{\"annotations\":{\"autoscaling.alpha.kubernetes.io/behavior\":\"{\\\"x\\\":1}\","
          "\"autoscaling.alpha.kubernetes.io/metrics\":\"[{\\\"type\\\":\\\"Pods\\\"}]\"}},\"spec\":{}}");
    check(
        hpa_v1_to_v2,
        "{\"metadata\":{\"annotations\":{\"autoscaling.alpha.kubernetes.io/"
        "metrics\":\"[{\\\"type\\\":\\\"Pods\\\"}]\"}},"
        "\"spec\":{\"targetCPUUtilizationPercentage\":5}}",
        "{\"metadata\":{\"annotations\":{}},\"spec\":{\"metrics\":[{\"resource\":{\"name\":\"cpu\","
        "\"target\":{"
        "\"averageUtilization\":5,\"type\":\"Utilization\"}},\"type\":\"Resource\"},{\"type\":\"Pods\"}]}}");
    check(
        hpa_v1_to_v2,
        "{\"metadata\":{\"annotations\":{\"autoscaling.alpha.kubernetes.io/metrics\":\"{bad\"}},\"spec\":{}}",
        "{\"metadata\":{\"annotations\":{}},\"spec\":{}}");
}

static void test_events(void **state)
{
    static const char core[] =
        "{\"count\":2,\"involvedObject\":{\"name\":\"x\"},\"message\":\"m\",\"reason\":\"r\",\"source\":{}}";
    static const char events[] = "{\"deprecatedCount\":2,\"deprecatedSource\":{},\"note\":\"m\",\"reason\":"
                                 "\"r\",\"regarding\":{\"name\":\"x\"}}";
    check(event_core_to_v1, core, events);
    check(event_v1_to_core, events, core);
    check(event_v1_to_core, core, core);
}

TESTS(T(test_hpa), T(test_events))
