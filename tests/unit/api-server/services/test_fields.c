#include "tests/unit/test.h"

#include "api-server/services/fields.h"
#include "common/base/clock.h"
#include "common/json/json.h"

static void projections(void **state)
{
    static const struct {
        const char *fields, *in, *out;
    } cases[] = {
        {"a", "{\"a\":1,\"b\":2}", "{\"a\":1}"},
        {"a.b,c", "{\"a\":{\"b\":[1,2],\"x\":0},\"c\":null,\"d\":1}", "{\"a\":{\"b\":[1,2]},\"c\":null}"},
        {"items.n", "{\"items\":[{\"n\":1,\"m\":2},{\"m\":3}],\"x\":1}", "{\"items\":[{\"n\":1},{}]}"},
        {"items.n", "{\"items\":[]}", "{\"items\":[]}"},
        {"a.b", "{\"a\":7}", "{\"a\":7}"},
        {"-a.b,c", "{\"a\":{\"b\":1,\"x\":0},\"c\":1,\"d\":\"}\"}", "{\"a\":{\"x\":0},\"d\":\"}\"}"},
        {"-items.n", "{\"items\":[{\"n\":1,\"m\":2}]}", "{\"items\":[{\"m\":2}]}"},
        {"none", "{\"a\":1}", "{}"},
        {"a", "{\"a\":{\"deep\":[{\"x\":\"\\\"\"}]},\"b\":1}", "{\"a\":{\"deep\":[{\"x\":\"\\\"\"}]}}"},
        {"a", "{\"a\":1", ""},
        {"a", "", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(fields_free_p) fields_t *f = fields_parse(cases[i].fields);
        AUTO_STR out = STR_INIT;
        fields_project(f, cases[i].in, strlen(cases[i].in), &out);
        if (strcmp(str_text(&out), cases[i].out) != 0)
            fail_msg("%s of %s: %s", cases[i].fields, cases[i].in, str_text(&out));
    }
    assert_null(fields_parse(""));
    assert_null(fields_parse(NULL));
}

static void application_lists(void **state)
{
    static const char app[] =
        "{\"metadata\":{\"name\":\"a\",\"labels\":{\"x\":\"y\"},\"uid\":\"u\"},\"spec\":{\"project\":\"p\","
        "\"source\":{\"repoURL\":\"r\"}},"
        "\"status\":{\"health\":{\"status\":\"Healthy\"},\"operationState\":{\"phase\":\"Succeeded\","
        "\"message\":\"m\","
        "\"syncResult\":{\"revision\":\"r\"}},\"sync\":{\"status\":\"Synced\",\"comparedTo\":{}}}}";
    static const struct {
        const char *fields, *out;
    } cases[] = {
        {"items.metadata.name,metadata.resourceVersion", "{\"metadata\":{\"name\":\"a\"}}"},
        {"items.metadata.annotations,items.metadata.deletionTimestamp",
         "{\"metadata\":{\"annotations\":null,\"deletionTimestamp\":null}}"},
        {"items.metadata.uid", "{}"},
        {"items.spec.project", "{\"spec\":{\"project\":\"p\"}}"},
        {"items.spec", "{\"spec\":{\"project\":\"p\",\"source\":{\"repoURL\":\"r\"}}}"},
        {"items.status.sync.status,items.status.health",
         "{\"status\":{\"health\":{\"status\":\"Healthy\"},\"sync\":{\"status\":\"Synced\"}}}"},
        {"items.status.operationState.phase", "{\"status\":{\"operationState\":{\"phase\":\"Succeeded\"}}}"},
        {"items.status.operationState.operation.sync",
         "{\"status\":{\"operationState\":{\"operation\":{\"sync\":{\"revision\":\"r\"}}}}}"},
        {"items.status.resources,items.operation.sync", "{\"status\":{}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(fields_free_p) fields_t *f = fields_of_app_list(cases[i].fields);
        AUTO_STR out = STR_INIT;
        fields_project(f, app, sizeof app - 1, &out);
        if (strcmp(str_text(&out), cases[i].out) != 0)
            fail_msg("%s: %s", cases[i].fields, str_text(&out));
    }
}

TESTS(T(projections), T(application_lists))
