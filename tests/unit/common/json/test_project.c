#include "tests/unit/golden.h"
#include "common/json/project.h"

static void keeps_only_the_paths(void **state)
{
    static const char *const paths[] = {"metadata.name",
                                        "metadata.labels",
                                        "spec.containers.image",
                                        "status.*.x",
                                        "kind",
                                        "metadata.annotations.a\\.b/c"};
    AUTO(projection_free_p) projection_t *p = projection_new(paths, ARRAY_LEN(paths));
    static const char *const cases[][2] = {
        {"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"n\",\"uid\":\"u\",\"labels\":{\"a\":{\"b\":[1]}}},"
         "\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"},{\"image\":\"j\"}],\"x\":{\"y\":[[]]}}}",
         "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"n\",\"labels\":{\"a\":{\"b\":[1]}}},"
         "\"spec\":{\"containers\":[{\"image\":\"i\"},{\"image\":\"j\"}]}}"},
        {"{\"status\":{\"a\":{\"x\":1,\"y\":2},\"b\":{\"x\":3},\"c\":5}}",
         "{\"status\":{\"a\":{\"x\":1},\"b\":{\"x\":3}}}"},
        {"{\"metadata\":5,\"spec\":{\"containers\":\"no\"}}", "{\"spec\":{}}"},
        {"{\"m\\u0065tadata\":{\"n\\u0061me\":\"z\"}}", "{\"metadata\":{\"name\":\"z\"}}"},
        {"{\"metadata\":{\"annotations\":{\"a.b/c\":\"1\",\"a\":{\"b/c\":2}}}}",
         "{\"metadata\":{\"annotations\":{\"a.b/c\":\"1\"}}}"},
        {"3", "null"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO_JSON v = NULL;
        ASSERT_OK(json_read_projected(cases[i][0], strlen(cases[i][0]), p, &v, &err));
        AUTO_JSON wanted = json_of(cases[i][1]);
        assert_json_same(v, wanted, cases[i][0]);
    }
    static const char *const bad[] = {"{\"x\":[1,}", "{\"metadata\":{\"name\":\"\xff\"}}", "{} x", "",
                                      "{\"kind\":"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO_ERR err = NULL;
        json_t *v = NULL;
        assert_true(json_read_projected(bad[i], strlen(bad[i]), p, &v, &err) < 0);
        assert_null(v);
    }
}

static void a_member_is_left_out_of_the_text(void **state)
{
    static const char *const cases[][2] = {
        {"{\"a\":1,\"metadata\":{\"managedFields\":[{\"f\":{}}],\"name\":\"n\"},\"managedFields\":2}",
         "{\"a\":1,\"metadata\":{\"name\":\"n\"},\"managedFields\":2}"},
        {" {\"metadata\" : { \"name\" : \"n\\u0041\" , \"managedFields\" : [ ] } , \"b\" : [ 1 , 2 ] } ",
         "{\"metadata\":{\"name\":\"n\\u0041\"},\"b\":[ 1 , 2 ]}"},
        {"{\"metadata\":{\"managed\\u0046ields\":{\"metadata\":{}}}}", "{\"metadata\":{}}"},
        {"{\"metadata\":[{\"managedFields\":1}],\"spec\":{\"managedFields\":1}}",
         "{\"metadata\":[{\"managedFields\":1}],\"spec\":{\"managedFields\":1}}"},
        {"{}", "{}"},
    };
    static const char *const bad[] = {
        "", "[]", "{\"metadata\":{\"managedFields\":[}}", "{\"metadata\":{}", "{\"a\":}", "{} x"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_STR out = STR_INIT;
        assert_true(json_text_without(cases[i][0], strlen(cases[i][0]), "metadata", "managedFields", &out));
        assert_string_equal(str_text(&out), cases[i][1]);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO_STR out = STR_INIT;
        assert_false(json_text_without(bad[i], strlen(bad[i]), "metadata", "managedFields", &out));
    }
}

TESTS(T(keeps_only_the_paths), T(a_member_is_left_out_of_the_text))
