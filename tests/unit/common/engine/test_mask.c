#include "common/engine/mask.h"
#include "common/engine/normalize.h"
#include "tests/unit/golden.h"

static void run_case(const json_t *c, const char *what)
{
    const json_t *objects = json_at(c, "objects"), *names = json_at(c, "annotations");
    json_t *list[4] = {};
    char *annotations[4] = {};
    size_t n = json_array_size(objects);
    assert_true(n <= ARRAY_LEN(list) && json_array_size(names) < ARRAY_LEN(annotations));
    for (size_t i = 0; i < n; i++)
        if (!json_is_null(json_array_get(objects, i)))
            list[i] = json_copy_deep(json_array_get(objects, i));
    for (size_t i = 0; i < json_array_size(names); i++)
        annotations[i] = (char *)(uintptr_t)json_string_value(json_array_get(names, i));
    mask_secrets(list, n, annotations);
    for (size_t i = 0; i < n; i++) {
        if (list[i])
            assert_json_same(list[i], json_array_get(json_at(c, "expect"), i), what);
        json_decref(list[i]);
    }
}

static void masks(void **state)
{
    golden_each("mask/cases.jsonl", 8, run_case);
}

/* Kept values tell nothing, but whether they are equal under the same key of the same process. */
static void kept_values(void **state)
{
    static const unsigned char key[MASK_KEY_SIZE] = {1}, other[MASK_KEY_SIZE] = {2};
    static const char text[] =
        "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"s\",\"annotations\":{"
        "\"kubectl.kubernetes.io/last-applied-configuration\":\"{\\\"apiVersion\\\":\\\"v1\\\",\\\"kind\\\":"
        "\\\"Secret\\\",\\\"data\\\":{\\\"k\\\":\\\"aHVudGVyMg==\\\"}}\"}},\"data\":{\"k\":\"aHVudGVyMg==\","
        "\"l\":"
        "\"aHVudGVyMg==\",\"empty\":\"\"},\"stringData\":{\"m\":\"hunter2\"}}";
    AUTO_JSON a = json_of(text);
    AUTO_JSON b = json_of(text);
    AUTO_JSON c = json_of(text);
    mask_for_storage(a, key);
    mask_for_storage(b, key);
    mask_for_storage(c, other);
    AUTO(free_p) char *seen = json_text(a, JSON_GO);
    assert_null(strstr(seen, "hunter2"));
    assert_null(strstr(seen, "aHVudGVyMg"));
    assert_json_same(a, b, "the same process");
    AUTO_JSON applied = object_last_applied(a);
    assert_string_equal(json_str_at(applied, "data", "k"), json_str_at(a, "data", "k"));
    assert_string_not_equal(json_str_at(a, "data", "k"), json_str_at(a, "data", "l"));
    assert_string_not_equal(json_str_at(a, "data", "k"), json_str_at(c, "data", "k"));
    assert_string_equal(json_str_at(a, "data", "empty"), "");
    AUTO_JSON map = json_of("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"data\":{\"k\":\"v\"}}");
    mask_for_storage(map, key);
    assert_string_equal(json_str_at(map, "data", "k"), "v");
}

static void messages_show_no_values(void **state)
{
    (void)state;
    static const struct {
        const char *object, *text, *want; /* want NULL: no Secret */
    } cases[] = {
        {"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"data\":{\"k\":\"hunter2\"}}", "no hunter2", NULL},
        {"{\"apiVersion\":\"v1\",\"kind\":\"Secret\"}", "Secret \"s\" is invalid: type: Required value",
         "Secret \"s\" is invalid: type: Required value"},
        {"{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"data\":{\"k\":\"aHVudGVyMg==\",\"abc\":\"YWJj\"}}",
         "it was hunter2, aHVudGVyMg== of abc", "it was ++++++++, ++++++++ of abc"},
        {"{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"data\":{\"k\":7},\"stringData\":{\"k\":"
         "\"hunter2hunter\",\"l\":"
         "\"hunter2\"}}",
         "hunter2hunter hunter2", "++++++++ ++++++++"},
        {"{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"data\":{\"k\":\"bGluZQoib3RoZXIi\"}}",
         "patch: Invalid value: \"{\\\"stringData\\\":{\\\"k\\\":\\\"line\\\\n\\\\\\\"other\\\"}}\": cannot",
         "patch: Invalid value: ++++++++: cannot"},
        {"{\"apiVersion\":\"v1\",\"kind\":\"Secret\"}", "data: Invalid value: map[k:x: y]: no",
         "data: Invalid value: ++++++++"},
        {"{\"apiVersion\":\"v1\",\"kind\":\"Secret\"}", "Invalid value: \"open\\", "Invalid value: ++++++++"},
        {"{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"annotations\":{\"kubectl.kubernetes.io/"
         "last-applied-configuration\":\"{\\\"data\\\":{\\\"k\\\":\\\"b2xkLW9uZQ==\\\"}}\"}}}",
         "was b2xkLW9uZQ== (old-one)", "was ++++++++ (++++++++)"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON o = json_of(cases[i].object);
        const json_t *objects[] = {NULL, o};
        AUTO(free_p) char *have = mask_message(cases[i].text, objects, ARRAY_LEN(objects));
        if (!str_eq(have, cases[i].want))
            fail_msg("case %zu: %s", i, have ? have : "none");
        AUTO_ERR err = NULL;
        err_set(&err, ERR_ABORTED, "%s", cases[i].text);
        mask_error(&err, objects, ARRAY_LEN(objects));
        assert_string_equal(err_text(err), cases[i].want ? cases[i].want : cases[i].text);
        assert_int_equal(err_code(err), ERR_ABORTED);
    }
}

TESTS(T(masks), T(kept_values), T(messages_show_no_values))
