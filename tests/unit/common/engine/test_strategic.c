#include "tests/unit/golden.h"
#include "common/engine/strategic.h"

static void apply_cases(void **state)
{
    /* kind, original, patch, result; NULL result: an error. */
    static const char *const cases[][4] = {
        {"Deployment", "{\"a\":1}", "{\"a\":null,\"b\":{\"c\":null,\"d\":1}}", "{\"b\":{\"d\":1}}"},
        {"Pod", "{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"1\"},{\"name\":\"b\"}]}}",
         "{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"2\"}]}}",
         "{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"2\"},{\"name\":\"b\"}]}}"},
        {"Pod", "{\"spec\":{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}}",
         "{\"spec\":{\"containers\":[{\"name\":\"a\",\"$patch\":\"delete\"},{\"name\":\"c\"}]}}",
         "{\"spec\":{\"containers\":[{\"name\":\"b\"},{\"name\":\"c\"}]}}"},
        {"Pod", "{\"spec\":{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}}",
         "{\"spec\":{\"containers\":[{\"name\":\"c\"},{\"$patch\":\"replace\"}]}}",
         "{\"spec\":{\"containers\":[{\"name\":\"c\"}]}}"},
        {"Pod", "{\"spec\":{\"tolerations\":[{\"key\":\"a\"}]}}",
         "{\"spec\":{\"tolerations\":[{\"key\":\"b\"}]}}", "{\"spec\":{\"tolerations\":[{\"key\":\"b\"}]}}"},
        {"Pod", "{\"spec\":{\"containers\":[{\"name\":\"a\"}]}}",
         "{\"spec\":{\"containers\":[{\"image\":\"x\"}]}}", NULL},
        {"Deployment",
         "{\"spec\":{\"strategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxSurge\":1}}}}",
         "{\"spec\":{\"strategy\":{\"type\":\"Recreate\",\"$retainKeys\":[\"type\"]}}}",
         "{\"spec\":{\"strategy\":{\"type\":\"Recreate\"}}}"},
        {"Pod", "{\"metadata\":{\"finalizers\":[\"a\",\"b\"]}}",
         "{\"metadata\":{\"$deleteFromPrimitiveList/finalizers\":[\"a\"],\"finalizers\":[\"c\"]}}",
         "{\"metadata\":{\"finalizers\":[\"c\",\"b\"]}}"},
        {"Pod", "{\"spec\":{\"nodeSelector\":{\"a\":\"1\"}}}",
         "{\"spec\":{\"nodeSelector\":{\"$patch\":\"replace\",\"b\":\"2\"}}}",
         "{\"spec\":{\"nodeSelector\":{\"b\":\"2\"}}}"},
        {"Pod", "{\"spec\":{\"a\":1}}", "{\"spec\":{\"$patch\":\"frob\"}}", NULL},
        {"Pod", "{}", "{\"spec\":{\"containers\":[{\"name\":\"x\",\"$patch\":\"delete\"}]}}",
         "{\"spec\":{\"containers\":[]}}"},
        {"Pod", "{\"spec\":{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"s\"}]}}",
         "{\"spec\":{\"$setElementOrder/containers\":[{\"name\":\"b\"},{\"name\":\"a\"}]}}",
         "{\"spec\":{\"containers\":[{\"name\":\"b\"},{\"name\":\"a\"},{\"name\":\"s\"}]}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_ERR err = NULL;
        AUTO_JSON original = json_of(cases[i][1]);
        AUTO_JSON patch = json_of(cases[i][2]);
        AUTO_JSON out = NULL;
        const char *group = strcmp(cases[i][0], "Pod") == 0 ? "" : "apps";
        int r = strategic_merge_apply(original, patch, kind_schema(group, "v1", cases[i][0]), &out, &err);
        if (!cases[i][3]) {
            assert_true(r < 0);
            continue;
        }
        ASSERT_OK(r);
        AUTO_JSON wanted = json_of(cases[i][3]);
        assert_json_same(out, wanted, cases[i][2]);
    }
}

/* Both halves against Kubernetes' own package: our patch must have the same result, and so must theirs,
 * applied by us. */
static void three_way_as_kubernetes_does(void **state)
{
    AUTO_STR text = STR_MAX(8 << 20);
    golden_read("strategic/three_way.jsonl", &text);
    view_t rest = {str_text(&text), text.len}, line;
    size_t n = 0;
    while (view_split(&rest, '\n', &line)) {
        if (!line.n)
            continue;
        AUTO_ERR err = NULL;
        AUTO_JSON c = NULL;
        ASSERT_OK(json_read(line.p, line.n, &c, &err));
        const json_t *original = json_at(c, "original"), *current = json_at(c, "current");
        AUTO(free_p) char *group = object_group(current);
        const struct schema *schema = kind_schema(group, "v1", object_kind(current));
        assert_non_null(schema);
        AUTO(free_p) char *what = xasprintf("case %zu", ++n);
        AUTO_JSON theirs = NULL;
        ASSERT_OK(strategic_merge_apply(current, json_at(c, "patch"), schema, &theirs, &err));
        assert_json_same(theirs, json_at(c, "result"), what);
        AUTO_JSON patch = NULL;
        ASSERT_OK(strategic_three_way(json_is_null(original) ? NULL : original, json_at(c, "modified"),
                                      current, schema, &patch, &err));
        AUTO_JSON ours = NULL;
        ASSERT_OK(strategic_merge_apply(current, patch, schema, &ours, &err));
        assert_json_same(ours, json_at(c, "result"), what);
    }
    assert_true(n >= 250);
}

TESTS(T(apply_cases), T(three_way_as_kubernetes_does))
