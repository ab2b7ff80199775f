#include "tests/unit/golden.h"
#include "common/argo/settings.h"
#include "common/engine/diff.h"
#include "common/json/patch.h"

static void run_case(const json_t *c, const char *file)
{
    AUTO_ERR err = NULL;
    size_t n;
    struct ignore_rule *rules = ignore_rules_of(json_at(c, "rules"), &n);
    /* As shipped: the status of every kind is not compared. */
    char *status[] = {"/status", NULL};
    struct ignore_rule all[8] = {{.group = "*", .kind = "*", .pointers = status}};
    for (size_t i = 0; i < n; i++)
        all[i + 1] = rules[i];
    struct normalize_options options = {.rules = all, .nrules = n + 1};
    const json_t *target = json_at(c, "target"), *live = json_at(c, "live");
    AUTO(free_p) char *what = xasprintf("%s: %s", file, json_str_at(c, "name"));
    struct diff_result r = {};
    ASSERT_OK(diff_objects_compare(json_is_null(target) ? NULL : target, json_is_null(live) ? NULL : live,
                                   &options, &r, &err));
    if (r.modified != json_bool_at(c, "modified")) {
        AUTO(free_p) char *patch = json_text(json_merge_diff(r.normalized_live, r.predicted_live), JSON_GO);
        fail_msg("%s: modified %d, change %s", what, r.modified, patch);
    }
    if (json_at(c, "predicted"))
        assert_json_same(r.predicted_live, json_at(c, "predicted"), what);
    diff_result_dispose(&r);
    ignore_rules_free(rules, n);
}

static void run_file(const char *name, size_t least)
{
    AUTO_STR text = STR_MAX(8 << 20);
    golden_read(name, &text);
    view_t rest = {str_text(&text), text.len}, line;
    size_t n = 0;
    while (view_split(&rest, '\n', &line)) {
        if (!line.n)
            continue;
        AUTO_ERR err = NULL;
        AUTO_JSON c = NULL;
        ASSERT_OK(json_read(line.p, line.n, &c, &err));
        run_case(c, name);
        n++;
    }
    assert_true(n >= least);
}

static void by_hand(void **state)
{
    run_file("diff/cases.jsonl", 20);
}

static void nothing_after_apply(void **state)
{
    run_file("diff/applied-v1.20.jsonl", 39);
}

static void as_gitops_engine(void **state)
{
    run_file("diff/pairs.jsonl", 380);
}

static void paths(void **state)
{
    static const struct {
        const char *a, *b, *paths;
    } cases[] = {
        {"{\"x\":1}", "{\"x\":1.0}", ""},
        {"{\"x\":1}", "{\"x\":2}", "/x"},
        {"{\"x\":1}", "{\"y\":1}", "/x, /y"},
        {"{\"a\":{\"b/c\":1,\"d\":[1,{\"e\":null}]}}", "{\"a\":{\"b/c\":2,\"d\":[1,{\"e\":{}},3]}}",
         "/a/b~1c, /a/d/1/e, /a/d/2"},
        {"{\"a\":1,\"b\":1,\"c\":1,\"d\":1}", "{}", "/a, /b, /c and 1 more"},
        {"[]", "{}", "/"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON a = json_of(cases[i].a);
        AUTO_JSON b = json_of(cases[i].b);
        AUTO_STR out = STR_INIT;
        diff_paths(a, b, 3, &out);
        assert_string_equal(str_text(&out), cases[i].paths);
    }
}

TESTS(T(as_gitops_engine), T(by_hand), T(nothing_after_apply), T(paths))
