#include "common/engine/sync_options.h"
#include "tests/unit/golden.h"

static json_t *object_of(const char *annotation)
{
    json_t *o = json_of("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\"}}");
    if (*annotation)
        object_set_annotation(o, ANNOTATION_SYNC_OPTIONS, annotation);
    return o;
}

static void choices(void **state)
{
    static const struct {
        const char *options, *target, *live; /* live NULL: none */
        bool force, dry_run;
        const char *wanted; /* r: replace, f: force, s: server-side */
    } cases[] = {
        {"[]", "", "", false, false, ""},
        {"[\"Replace=true\"]", "", NULL, false, false, "r"},
        {"[\"Replace=false\"]", "", NULL, false, false, ""},
        {"[\"replace=true\"]", "", NULL, false, false, ""},
        {"[]", "Replace=true", NULL, false, false, "r"},
        {"[]", "", "Replace=true", false, false, "r"},
        {"[\"Replace=true\"]", "Replace=false", "", false, false, "r"},
        {"[]", "", "", true, false, "f"},
        {"[\"Force=true\"]", "", "", false, false, ""}, /* not the application's to say */
        {"[]", "Force=true", NULL, false, false, "f"},
        {"[]", "", " Prune=false , Force=true ", false, false, "f"},
        {"[]", "Force=true,Replace=true", NULL, false, true, "rf"},
        {"[\"ServerSideApply=true\"]", "", NULL, false, false, "s"},
        {"[\"ServerSideApply=true\"]", "", NULL, false, true, ""},
        {"[\"ServerSideApply=true\"]", "ServerSideApply=false", NULL, false, false, ""},
        {"[]", "ServerSideApply=true", NULL, false, false, "s"},
        {"[]", "ServerSideApply=true,ServerSideApply=false", NULL, false, false, ""},
        {"[]", "", "ServerSideApply=true", false, false, ""}, /* only the target counts */
        {"[\"ServerSideApply=true\"]", "", "ServerSideApply=false", false, false, "s"},
        {"[\"ServerSideApply=true\",\"Replace=true\"]", "Force=true", "", false, false, "rfs"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON options = json_of(cases[i].options);
        AUTO_JSON target = object_of(cases[i].target);
        AUTO_JSON live = cases[i].live ? object_of(cases[i].live) : NULL;
        struct sync_choice c = sync_choose(options, cases[i].force, target, live, cases[i].dry_run);
        AUTO(free_p)
        char *have = xasprintf("%s%s%s", c.replace ? "r" : "", c.force ? "f" : "", c.server_side ? "s" : "");
        if (strcmp(have, cases[i].wanted) != 0)
            fail_msg("case %zu: \"%s\"", i, have);
    }
}

static void missing_kinds(void **state)
{
    AUTO_JSON none = json_array();
    AUTO_JSON all = json_of("[\"SkipDryRunOnMissingResource=true\"]");
    AUTO_JSON plain = object_of("");
    AUTO_JSON told = object_of("SkipDryRunOnMissingResource=true");
    assert_false(sync_may_miss_kind(none, plain));
    assert_true(sync_may_miss_kind(none, told));
    assert_true(sync_may_miss_kind(all, plain));
    assert_false(sync_may_miss_kind(all, NULL)); /* a prune of what does not exist */
    assert_false(sync_may_miss_kind(NULL, plain));
}

static void propagation(void **state)
{
    static const char *const cases[][2] = {{"[]", "Foreground"},
                                           {"[\"PrunePropagationPolicy=background\"]", "Background"},
                                           {"[\"PrunePropagationPolicy=orphan\"]", "Orphan"},
                                           {"[\"PrunePropagationPolicy=foreground\"]", "Foreground"},
                                           {"[\"PrunePropagationPolicy=never\"]", "Foreground"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_JSON options = json_of(cases[i][0]);
        assert_string_equal(sync_propagation(options), cases[i][1]);
    }
}

TESTS(T(choices), T(missing_kinds), T(propagation))
