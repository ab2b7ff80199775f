#include "common/argo/events.h"
#include "common/yaml/yaml.h"
#include "tests/unit/golden.h"

static void reasons(void **state)
{
    static const struct {
        const char *setting, *reason;
        bool enabled;
    } cases[] = {
        {"", "OperationStarted", true},
        {"all", "OperationStarted", true},
        {"none", "OperationStarted", false},
        {"OperationStarted,ResourceUpdated", "OperationStarted", true},
        {"OperationStarted,ResourceUpdated", "OperationCompleted", false},
        {"ResourceUpdated,all", "OperationCompleted", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(strv_free_p) char **list = strv_split(cases[i].setting, ",", true);
        assert_int_equal(event_enabled(list, cases[i].reason), cases[i].enabled);
    }
    assert_true(event_enabled(NULL, "OperationStarted"));
}

static void labels(void **state)
{
    static const struct {
        const char *included, *excluded, *labels;
    } cases[] = {
        {"", "", "{}"},
        {"*", "", "{\"team\":\"app\",\"env\":\"prod\",\"team-secret\":\"x\",\"owner\":\"project\"}"},
        {"team*, owner", "*-secret", "{\"team\":\"app\",\"owner\":\"project\"}"},
        {"env", "*", "{}"},
        {"nothing", "", "{}"},
    };
    AUTO_JSON app = json_of(
        "{\"metadata\":{\"labels\":{\"team\":\"app\",\"env\":\"prod\",\"team-secret\":\"x\"}}}");
    AUTO_JSON project = json_of("{\"metadata\":{\"labels\":{\"team\":\"project\",\"owner\":\"project\"}}}");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON config_map = json_object();
        json_put_at(config_map, json_string(cases[i].included), "data", "resource.includeEventLabelKeys");
        json_put_at(config_map, json_string(cases[i].excluded), "data", "resource.excludeEventLabelKeys");
        AUTO(settings_unref_p) settings_t *s = NULL;
        assert_int_equal(settings_parse(config_map, &s, NULL, NULL), 0);
        AUTO_JSON have = event_labels(app, project, s);
        AUTO_JSON wanted = json_of(cases[i].labels);
        assert_json_same(have, wanted, cases[i].included);
    }
    AUTO(settings_unref_p) settings_t *none = NULL;
    assert_int_equal(settings_parse(NULL, &none, NULL, NULL), 0);
    AUTO_JSON bare = event_labels(app, NULL, none);
    assert_int_equal(json_object_size(bare), 0);
}

TESTS(T(reasons), T(labels))
