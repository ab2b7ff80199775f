#include "api-server/services/apps.h"
#include "tests/unit/test.h"

/* With ' for ". */
static json_t *json_of(const char *text)
{
    AUTO(free_p) char *copy = xstrdup(text);
    json_t *v = NULL;
    for (char *p = copy; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    assert_int_equal(json_read_str(copy, &v, NULL), 0);
    return v;
}

static void the_tree_says_how_resources_are(void **state)
{
    static const struct {
        const char *resource, *node, *want;
    } cases[] = {
        {"{'group':'apps','kind':'Deployment','namespace':'a','name':'b'}",
         "{'group':'apps','kind':'Deployment','namespace':'a','name':'b','uid':'1','health':{'status':'"
         "Healthy'}}",
         "{'status':'Healthy'}"},
        {"{'kind':'Service','namespace':'a','name':'b'}", "{'kind':'Service','namespace':'a','name':'b'}",
         "{'message':'Resource has not been created','status':'Missing'}"},
        {"{'kind':'ConfigMap','namespace':'a','name':'b'}",
         "{'kind':'ConfigMap','namespace':'a','name':'b','uid':'1'}", NULL},
        {"{'kind':'Service','namespace':'a','name':'b','health':{'status':'Degraded'}}",
         "{'kind':'Service','namespace':'other','name':'b','uid':'1','health':{'status':'Healthy'}}", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON app = json_object();
        AUTO_JSON tree = json_object();
        json_t *resources = json_array(), *nodes = json_array();
        json_array_append_new(resources, json_of(cases[i].resource));
        json_array_append_new(nodes, json_of(cases[i].node));
        json_put_at(app, resources, "status", "resources");
        json_put_at(tree, nodes, "nodes");
        app_put_health(app, tree);
        const json_t *health = json_object_get(json_array_get(resources, 0), "health");
        AUTO_JSON want = cases[i].want ? json_of(cases[i].want) : NULL;
        if (want ? !json_equal(health, want) : health != NULL)
            fail_msg("case %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_tree_says_how_resources_are)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
